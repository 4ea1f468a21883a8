#include "sys/os_error.h"

#include "harness.h"

TEST(errors_of_the_system_become_statuses)
{
    static const struct {
        int number;
        ax_status want;
    } cases[] = {
        {ENOENT, AX_NOT_FOUND}, {EACCES, AX_DENIED},       {EPERM, AX_DENIED},
        {EROFS, AX_DENIED},     {EEXIST, AX_CONFLICT},     {ENOSPC, AX_LIMIT},
        {EDQUOT, AX_LIMIT},     {EMFILE, AX_LIMIT},        {EAGAIN, AX_LIMIT},
        {EIO, AX_UNAVAILABLE},  {EINVAL, AX_INVALID},      {ENOTSUP, AX_UNSUPPORTED},
        {EBADF, AX_INTERNAL},   {123'456, AX_UNAVAILABLE},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        CHECK_EQ(ax_os_error_status(cases[i].number), cases[i].want);
}

static void
words(struct ax_ctx *ctx)
{
    CHECK_EQ(ax_os_error(ctx, ENOSPC, "write %s", "/data/log"), AX_LIMIT);
    CHECK_STR(ax_str_of(ctx->error), "write /data/log: disk full");
    CHECK_EQ(ax_os_error(ctx, EDQUOT, "write"), AX_LIMIT);
    CHECK_STR(ax_str_of(ctx->error), "write: disk full");
    CHECK_EQ(ax_os_error(ctx, 123'456, "write"), AX_UNAVAILABLE);
    CHECK_STR(ax_str_of(ctx->error), "write: unknown error of the system");
}

TEST(errors_of_the_system_say_what_was_tried_and_why_not)
{
    ax_test_with_ctx(words);
}
