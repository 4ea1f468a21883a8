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
    "insert into users values ('" id "', 'N', 'person', 1, '', " roles ", 0, 7, 0);"
#define ONES_56 "11111111111111111111111111111111111111111111111111111111"
#define ONES    ONES_56 "11111111"

static void
corrupt(struct ax_ctx *ctx)
{
    static const char *const rows[] = {
        USER("dana", "-1"),
        USER("dana", "8192"),
        "insert into users values ('dana', 'N', 'person', 9, '', 0, 0, 7, 0);",
        USER("dana",
             "0") "insert into tokens values ('t', 'dana', '', 'ab', 1, 2, null, '', null);",
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
            "where i < 1000) select 't' || i, 'erin', '', '" ONES_56
            "' || (10000000 + i * 977), 1, i, "
            "case when i % 2 = 0 then 5 end, '', null from n;");
    CHECK_EQ(ax_directory_state_read(made.store, ctx, &state), AX_OK);
    CHECK_EQ(state->users.count, 2);
    CHECK_EQ(state->tokens.count, TOKENS / 2);
    for (uint64_t i = 1; i <= TOKENS; i++) {
        ax_digest hash;
        char hex[AX_DIGEST_HEX_BYTES + 1];
        snprintf(hex, sizeof hex, ONES_56 "%" PRIu64, 10'000'000 + i * 977);
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

/* Side by side for each user, found by name; and rows that hold no level are refused. */
static void
bounds(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    struct ax_directory_state *state = NULL;
    struct ax_actor actor = {};
    directory_case_make(ctx, &made);
    run_sql(
        ctx, &made,
        USER("dana", "1") USER(
            "erin", "0") "update users set limited = 1 where id = 'dana';"
                         "insert into user_models values ('erin', 'x', 1), ('dana', 'b', 4), "
                         "('dana', 'a*', 2);"
                         "insert into user_identities values ('uri:b', 'erin'), ('dns:a', 'dana'), "
                         "('jwt:c', 'dana');");
    CHECK_EQ(ax_directory_state_read(made.store, ctx, &state), AX_OK);
    const struct ax_directory_user *dana = ax_directory_state_known_as(state, AX_STR("jwt:c"));
    CHECK(dana && ax_str_eq(dana->id, AX_STR("dana")));
    CHECK(dana == ax_directory_state_known_as(state, AX_STR("dns:a")));
    CHECK(ax_directory_state_known_as(state, AX_STR("dns:b")) == NULL);
    CHECK_EQ(dana->grant_count, 2);
    CHECK_EQ(dana->identity_count, 2);
    CHECK_EQ(ax_directory_state_actor(ctx, dana, &actor), AX_OK);
    CHECK(actor.limited && actor.grant_count == 2);
    CHECK_STR(actor.grants[0].pattern, "a*");
    CHECK_EQ(actor.grants[0].level, AX_GRANT_USE);
    ax_directory_state_free(state);
    run_sql(ctx, &made, "update user_models set level = 9 where pattern = 'b';");
    CHECK_EQ(ax_directory_state_read(made.store, ctx, &state), AX_CORRUPT);
    CHECK(ax_test_said(ctx, "a grant of dana has no level"));
    directory_case_done(ctx, &made);
}

TEST(r83_grants_and_identities_are_the_users_they_belong_to)
{
    ax_test_with_ctx(bounds);
}

static void
sweep(struct ax_ctx *ctx)
{
    directory_case_make(ctx, &swept);
    run_sql(ctx, &swept,
            USER("dana", "1") "insert into tokens values ('t', 'dana', '', '" ONES
                              "', 1, 2, null, '', null);"
                              "insert into user_models values ('dana', 'credit*', 2);"
                              "insert into user_identities values ('uri:spiffe://x', 'dana');");
    FAULT_SWEEP(reads);
    directory_case_done(ctx, &swept);
}

TEST(reading_the_picture_meets_every_fault)
{
    ax_test_with_ctx(sweep);
}
