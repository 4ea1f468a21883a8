#include "codec/multipart.h"

#include "harness.h"

#define TYPE AX_STR("multipart/form-data; boundary=\"x-y\"")

static const char form[] = "preamble\r\n"
                           "--x-y\r\n"
                           "Content-Disposition: form-data; name=\"note\"\r\n"
                           "\r\n"
                           "not this\r\n--x-\r\n"
                           "--x-y  \r\n"
                           "content-disposition: form-data; filename=\"a;b\"; Name=data\r\n"
                           "Content-Type: application/json\r\n"
                           "\r\n"
                           "[[1,\r\n2]]\r\n"
                           "--x-y--\r\n";

static void
finds(struct ax_ctx *ctx)
{
    static const struct {
        const char *body, *want;
    } cases[] = {
        {form, "[[1,\r\n2]]"},
        {"--x-y\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n\r\n--x-y--", ""},
        {"--x-y\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\na\r\n--x-y\r\n", "a"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str bytes = AX_STR("untouched");
        CHECK_EQ(ax_multipart_find(ctx, TYPE, ax_str_of(cases[i].body), AX_STR("data"), &bytes),
                 AX_OK);
        CHECK_STR(bytes, cases[i].want);
    }
}

TEST(multipart_finds_a_field_by_its_name)
{
    ax_test_with_ctx(finds);
}

static void
refuses(struct ax_ctx *ctx)
{
    ax_str bytes = AX_STR("untouched");
    CHECK_EQ(ax_multipart_find(ctx, AX_STR("multipart/form-data"), ax_str_of(form), AX_STR("data"),
                               &bytes),
             AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "a multipart body needs a boundary of 1 to 70 characters");
    CHECK_EQ(ax_multipart_find(ctx, TYPE, ax_str_of(form), AX_STR("other"), &bytes), AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "the multipart body has no complete part named 'other'");
    /* Cut anywhere before the part is complete, there is none. */
    size_t complete = ax_str_find(ax_str_of(form), AX_STR("\r\n--x-y--")) + 7;
    for (size_t len = 0; len < complete; len++)
        CHECK_EQ(ax_multipart_find(ctx, TYPE, (ax_str){form, len}, AX_STR("data"), &bytes),
                 AX_INVALID);
    CHECK_STR(bytes, "untouched");
}

TEST(multipart_refuses_what_is_not_complete)
{
    ax_test_with_ctx(refuses);
}

static ax_status
find_once(struct ax_ctx *ctx)
{
    ax_str bytes;
    return ax_multipart_find(ctx, TYPE, ax_str_of(form), AX_STR("data"), &bytes);
}

TEST(multipart_survives_every_fault)
{
    FAULT_SWEEP(find_once);
}
