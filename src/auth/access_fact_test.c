#include "auth/access_fact.h"

#include "directory_case.h"

static void
tells(struct ax_ctx *ctx)
{
    struct directory_case made = {};
    struct ax_event event = {};
    struct ax_store_rows *rows;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    static const struct ax_actor admin = {.id = AX_STR("ada"),
                                          .roles = AX_ROLE_BIT(SECURITY_ADMIN)};
    const struct ax_access_fact fact = {.kind = AX_EVENT_TOKEN,
                                        .object = AX_STR("t_1"),
                                        .verb = AX_STR("issued"),
                                        .subject = AX_STR("dana")};
    directory_case_make(ctx, &made);
    ctx->actor = &admin;
    CHECK_EQ(ax_store_begin(made.store, ctx, AX_STORE_WRITE, &tx), AX_OK);
    CHECK_EQ(ax_access_fact_put(tx, ctx, &fact), AX_OK);
    CHECK_EQ(ax_store_query(tx, ctx, AX_STR("select fact from outbox"), AX_STORE_NO_PARAMS, &rows),
             AX_OK);
    CHECK(ax_store_next(rows));
    CHECK_EQ(ax_event_read(ctx, ax_store_read_blob(rows, 0), &event), AX_OK);
    CHECK(!ax_store_next(rows));
    CHECK_EQ(ax_store_finish(rows), AX_OK);
    CHECK_EQ(event.kind, AX_EVENT_TOKEN);
    CHECK_STR(event.actor, "ada");
    CHECK_EQ(event.actor_roles, AX_ROLE_BIT(SECURITY_ADMIN));
    CHECK_STR(event.object, "t_1");
    CHECK_STR(event.body, "\xa2\x01\x66issued\x02\x64"
                          "dana");
    ax_store_rollback(ax_take(tx));
    directory_case_done(ctx, &made);
}

TEST(r86_a_fact_about_a_token_says_who_did_what_for_whom)
{
    ax_test_with_ctx(tells);
}
