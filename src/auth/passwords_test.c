#include "auth/passwords.h"

#include "directory_case.h"
#include "sys/clock.h"

struct passwords_case {
    struct directory_case base;
    struct ax_passwords *passwords;
};

static void
open_case(struct ax_ctx *ctx, struct passwords_case *made)
{
    directory_case_make(ctx, &made->base);
    CHECK_EQ(ax_directory_open(ctx, made->base.store, ax_str_of(made->base.cache),
                               &made->base.directory),
             AX_OK);
    directory_case_user(ctx, &made->base, "{\"id\":\"dana\"}", NULL);
    directory_case_user(ctx, &made->base, "{\"id\":\"eve\"}", NULL);
    CHECK_EQ(ax_passwords_open(ctx, made->base.directory, &made->passwords), AX_OK);
}

static void
close_case(struct ax_ctx *ctx, struct passwords_case *made)
{
    ax_passwords_close(made->passwords);
    directory_case_done(ctx, &made->base);
}

static bool
recalled(struct passwords_case *made, ax_str user, ax_str password)
{
    bool lately;
    return ax_passwords_recall(made->passwords, user, password, &lately);
}

static void
verified(struct ax_ctx *ctx)
{
    struct passwords_case made = {};
    const ax_str dana = AX_STR("dana"), word = AX_STR("correct horse");
    open_case(ctx, &made);
    CHECK_EQ(ax_passwords_set(made.passwords, ctx, dana, AX_STR("short")), AX_INVALID);
    CHECK_EQ(ax_passwords_set(made.passwords, ctx, AX_STR("nobody"), word), AX_NOT_FOUND);
    CHECK_EQ(ax_passwords_set(made.passwords, ctx, dana, word), AX_OK);
    CHECK(!recalled(&made, dana, word));
    CHECK_EQ(ax_passwords_verify(made.passwords, ctx, dana, AX_STR("wrong horse")),
             AX_UNAUTHENTICATED);
    const ax_str others[] = {AX_STR("eve"), AX_STR("nobody"), AX_STR(""), AX_STR("da\0na"),
                             AX_STR("\xff")};
    for (size_t i = 0; i < AX_COUNT_OF(others); i++) {
        CHECK_EQ(ax_passwords_verify(made.passwords, ctx, others[i], word), AX_UNAUTHENTICATED);
        CHECK_STR(ax_str_of(ctx->error), "the name or the password is not valid");
    }
    CHECK_EQ(ax_passwords_verify(made.passwords, ctx, dana, word), AX_OK);
    CHECK(recalled(&made, dana, word));
    CHECK(!recalled(&made, AX_STR("eve"), word));
    CHECK(!recalled(&made, dana, AX_STR("correct hors")));
    close_case(ctx, &made);
}

TEST(r84_a_password_is_verified_slowly_and_then_remembered)
{
    ax_test_with_ctx(verified);
}

/* For five minutes, or until any password or user changes. */
static void
forgotten(struct ax_ctx *ctx)
{
    bool lately;
    struct passwords_case made = {};
    const ax_str dana = AX_STR("dana"), word = AX_STR("correct horse");
    open_case(ctx, &made);
    CHECK_EQ(ax_passwords_set(made.passwords, ctx, dana, word), AX_OK);
    CHECK_EQ(ax_passwords_verify(made.passwords, ctx, dana, word), AX_OK);
    CHECK_EQ(ax_passwords_set(made.passwords, ctx, AX_STR("eve"), AX_STR("another one")), AX_OK);
    CHECK(!recalled(&made, dana, word));
    CHECK_EQ(ax_passwords_verify(made.passwords, ctx, dana, word), AX_OK);
    int64_t now_ns = ax_clock_monotonic_ns();
    ax_clock_fake(now_ns + INT64_C(299'000'000'000), ax_clock_real_ns());
    CHECK(recalled(&made, dana, word));
    ax_clock_fake(now_ns + INT64_C(301'000'000'000), ax_clock_real_ns());
    CHECK(!recalled(&made, dana, word));
    CHECK(!ax_passwords_recall(made.passwords, dana, word, &lately) && lately);
    ax_clock_fake(now_ns + INT64_C(44'000'000'000'000), ax_clock_real_ns());
    CHECK(!ax_passwords_recall(made.passwords, dana, word, &lately) && !lately);
    ax_clock_fake(0, 0);
    CHECK_EQ(ax_directory_disable_user(made.base.directory, ctx, dana, AX_STR("left")), AX_OK);
    CHECK_EQ(ax_passwords_verify(made.passwords, ctx, dana, word), AX_UNAUTHENTICATED);
    CHECK_EQ(ax_passwords_set(made.passwords, ctx, dana, word), AX_CONFLICT);
    close_case(ctx, &made);
}

TEST(r84_a_remembered_password_is_forgotten_with_time_and_with_any_change)
{
    ax_test_with_ctx(forgotten);
}

static void
at_rest(struct ax_ctx *ctx)
{
    struct passwords_case made = {};
    open_case(ctx, &made);
    CHECK_EQ(ax_passwords_set(made.passwords, ctx, AX_STR("dana"), AX_STR("correct horse")), AX_OK);
    CHECK_EQ(directory_case_count(ctx, &made.base,
                                  "select count(*) from user_passwords where "
                                  "hash like '$argon2id$%' and hash not like '%horse%'"),
             1);
    CHECK_EQ(directory_case_count_facts(ctx, &made.base, "horse"), 0);
    CHECK_EQ(directory_case_count_facts(ctx, &made.base, "password set"), 1);
    close_case(ctx, &made);
}

TEST(r92_a_password_is_kept_as_argon2id_and_said_in_no_fact)
{
    ax_test_with_ctx(at_rest);
}
