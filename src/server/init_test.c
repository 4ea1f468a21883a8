#include "server/init.h"

#include "server_case.h"

static void
made_once(struct ax_ctx *ctx)
{
    struct server_case made;
    server_case_make(ctx, &made);
    struct ax_init init = {.root = made.root, .admin = AX_STR("ada")};
    CHECK_EQ(ax_init(ctx, &init), AX_OK);
    CHECK(ax_str_starts(init.origin, AX_STR("axiom.local/")));
    CHECK(ax_str_starts(init.vkey, init.origin));
    CHECK(init.token.len > 20);
    CHECK(ax_str_starts(init.keys, made.root) && ax_file_exists(init.keys));
    ax_str first = init.keys;
    init = (struct ax_init){.root = made.root, .admin = AX_STR("ada")};
    CHECK_EQ(ax_init(ctx, &init), AX_CONFLICT);
    CHECK(strstr(ctx->error, "is there and not empty") != NULL);
    CHECK(ax_file_exists(made.root) && ax_file_exists(first)); /* what was there stays */
    server_case_done(ctx, &made);
}

TEST(init_makes_a_directory_once_and_shows_the_administrators_token)
{
    ax_test_with_ctx(made_once);
}

static void
refused(struct ax_ctx *ctx)
{
    struct server_case made;
    server_case_make(ctx, &made);
    struct ax_init init = {
        .root = made.root, .keys = made.keys, .origin = AX_STR("a+b"), .admin = AX_STR("ada")};
    CHECK_EQ(ax_init(ctx, &init), AX_INVALID);
    CHECK(strstr(ctx->error, "\"a+b\" cannot name a ledger") != NULL);
    init.origin = AX_STR("axiom.test/l");
    init.admin = AX_STR("not an id");
    CHECK_EQ(ax_init(ctx, &init), AX_INVALID);
    CHECK(!ax_file_exists(made.root) && !ax_file_exists(made.keys));
    server_case_done(ctx, &made);
}

TEST(init_that_is_refused_leaves_nothing)
{
    ax_test_with_ctx(refused);
}

static ax_status
init_fresh(struct ax_ctx *ctx)
{
    server_case_begin();
    return server_case_init(ctx, &server_case_swept);
}

/* Each step makes a whole directory, with room for the ledger: a sample, and all with AX_LONG=1. */
TEST(r92_init_survives_every_fault)
{
    directory_case_sweep_every(getenv("AX_LONG") ? 1 : 5, init_fresh, server_case_after);
}
