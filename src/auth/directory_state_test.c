#include "auth/directory_state.h"

#include "directory_case.h"

static void
run_sql(struct ax_ctx *ctx, struct directory_case *made, const char *sql)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    CHECK_EQ(ax_store_begin(made->store, ctx, AX_STORE_WRITE, &tx), AX_OK);
    CHECK_EQ(ax_store_script(tx, ctx, ax_str_of(sql)), AX_OK);
    CHECK_EQ(ax_store_commit(ax_take(tx), ctx), AX_OK);
}

#define USER(id, roles)                                                                            \
    "insert into users values ('" id "', 'N', 'person', 1, '', " roles ", 0, 7);"
#define ONES "1111111111111111111111111111111111111111111111111111111111111111"

static void
corrupt(struct ax_ctx *ctx)
{
    static const char *const rows[] = {
        USER("dana", "-1"),
        USER("dana", "8192"),
        "insert into users values ('dana', 'N', 'person', 9, '', 0, 0, 7);",
        USER("dana", "0") "insert into tokens values ('t', 'dana', '', 'ab', 1, 2, null);",
        USER("dana", "0") "insert into user_keys values ('k', 'dana', 'ab', 1, 2, null);",
        USER("dana", "0") "insert into user_keys values ('k', 'dana', '" ONES "', 1, 2, null);",
    };
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++) {
        struct directory_case made = {};
        struct ax_directory_state *state = NULL;
        directory_case_make(ctx, &made);
        run_sql(ctx, &made, rows[i]);
        CHECK_EQ(ax_directory_state_read(made.store, ctx, &state), AX_CORRUPT);
        directory_case_done(ctx, &made);
    }
}

TEST(rows_that_are_not_what_they_say_are_refused)
{
    ax_test_with_ctx(corrupt);
}

static void
many(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    struct ax_directory_state *state = NULL;
    enum { TOKENS = 1'000 };
    directory_case_make(ctx, &made);
    run_sql(ctx, &made, USER("dana", "1") USER("erin", "0"));
    run_sql(ctx, &made,
            "insert into tokens with recursive n(i) as (select 1 union all select i + 1 from n "
            "where i < 1000) select 't' || i, 'erin', '', printf('%064x', i * 977), 1, i, "
            "case when i % 2 = 0 then 5 end from n;");
    CHECK_EQ(ax_directory_state_read(made.store, ctx, &state), AX_OK);
    CHECK_EQ(state->users.count, 2);
    CHECK_EQ(state->tokens.count, TOKENS / 2);
    for (uint64_t i = 1; i <= TOKENS; i++) {
        ax_digest hash;
        char hex[AX_DIGEST_HEX_BYTES + 1];
        snprintf(hex, sizeof hex, "%064" PRIx64, i * 977);
        CHECK(ax_digest_parse((ax_str){hex, AX_DIGEST_HEX_BYTES}, &hash));
        const struct ax_directory_token *token = ax_directory_state_token(state, hash);
        CHECK_EQ(token != NULL, i % 2 == 1);
        if (token) {
            CHECK_EQ(token->expires_ns, i);
            CHECK_STR(token->user->id, "erin");
        }
    }
    CHECK(ax_directory_state_user(state, AX_STR("dana")) != NULL);
    CHECK(ax_directory_state_user(state, AX_STR("Dana")) == NULL);
    ax_directory_state_free(state);
    directory_case_done(ctx, &made);
}

TEST(every_token_that_is_not_revoked_is_found)
{
    ax_test_with_ctx(many);
}

static struct directory_case swept;

static ax_status
reads(struct ax_ctx *ctx)
{
    struct ax_directory_state *state;
    AX_TRY(ax_directory_state_read(swept.store, ctx, &state));
    CHECK_EQ(state->users.count, 1);
    ax_directory_state_free(state);
    return AX_OK;
}

static void
sweep(struct ax_ctx *ctx)
{
    directory_case_make(ctx, &swept);
    run_sql(ctx, &swept,
            USER("dana", "1") "insert into tokens values ('t', 'dana', '', '" ONES
                              "', 1, 2, null);");
    FAULT_SWEEP(reads);
    directory_case_done(ctx, &swept);
}

TEST(reading_the_picture_meets_every_fault)
{
    ax_test_with_ctx(sweep);
}
