#include "server/data_dir.h"

#include <sys/stat.h>
#include <unistd.h>

#include "server_case.h"

static void
names(struct ax_ctx *ctx)
{
    struct ax_data_dir dir;
    CHECK_EQ(ax_data_dir_of(ctx, AX_STR("/a/b//"), AX_STR(""), &dir), AX_OK);
    CHECK_STR(dir.root, "/a/b");
    CHECK_STR(dir.store, "/a/b/store.db");
    CHECK_STR(dir.vault_key, "/a/b.keys/vault.key");
    CHECK_STR(dir.vault, "/a/b.keys/vault");
    CHECK_EQ(ax_data_dir_of(ctx, AX_STR("/a/b"), AX_STR("/k"), &dir), AX_OK);
    CHECK_STR(dir.ledger_key, "/k/ledger.key");
}

TEST(r93_keys_lie_outside_the_data_directory)
{
    ax_test_with_ctx(names);
}

static void
held(struct ax_ctx *ctx)
{
    struct server_case made;
    struct ax_data_dir dir, second;
    uint8_t seed[AX_KEY_BYTES];
    server_case_make(ctx, &made);
    CHECK_EQ(ax_data_dir_of(ctx, made.root, made.keys, &dir), AX_OK);
    second = dir;
    CHECK_EQ(ax_data_dir_hold(ctx, &dir), AX_NOT_FOUND);
    CHECK(strstr(ctx->error, "is no data directory (it has no axiom.yaml)") != NULL);
    CHECK_EQ(ax_data_dir_make(ctx, &dir, AX_STR("two words")), AX_INVALID);
    CHECK(strstr(ctx->error, "\"two words\" cannot name a ledger") != NULL);
    CHECK(!ax_file_exists(made.root));
    CHECK_EQ(ax_data_dir_make(ctx, &dir, AX_STR("axiom.test/l")), AX_OK);
    CHECK_EQ(ax_data_dir_make(ctx, &dir, AX_STR("axiom.test/l")), AX_CONFLICT);
    CHECK(strstr(ctx->error, "is there and not empty: it holds axiom.yaml") != NULL);
    CHECK_EQ(ax_data_dir_hold(ctx, &dir), AX_OK);
    CHECK_EQ(ax_data_dir_hold(ctx, &second), AX_CONFLICT);
    CHECK(strstr(ctx->error, "another server runs on ") != NULL);
    ax_data_dir_release(&dir);
    CHECK_EQ(ax_data_dir_hold(ctx, &second), AX_OK);
    ax_data_dir_release(&second);
    CHECK_EQ(ax_data_dir_ledger_seed(ctx, &dir, seed), AX_OK);
    CHECK_EQ(ax_file_write_atomic(ctx, dir.ledger_key, AX_STR("12ab\n")), AX_OK);
    CHECK_EQ(ax_data_dir_ledger_seed(ctx, &dir, seed), AX_CORRUPT);
    CHECK(strstr(ctx->error, "must hold 64 hex digits") != NULL);
    server_case_done(ctx, &made);
}

TEST(a_data_directory_is_made_once_and_held_by_one_server)
{
    ax_test_with_ctx(held);
}

static void
read_only(struct ax_ctx *ctx)
{
    struct server_case made;
    struct ax_data_dir dir;
    server_case_make(ctx, &made);
    CHECK_EQ(ax_data_dir_of(ctx, made.root, made.keys, &dir), AX_OK);
    CHECK_EQ(chmod(made.folder, 0500), 0);
    if (geteuid() != 0) { /* root may write everywhere */
        CHECK_EQ(ax_data_dir_make(ctx, &dir, AX_STR("axiom.test/l")), AX_DENIED);
        CHECK(strstr(ctx->error, made.folder) != NULL);
    }
    CHECK_EQ(chmod(made.folder, 0700), 0);
    CHECK(geteuid() == 0 || !ax_file_exists(made.root));
    server_case_done(ctx, &made);
}

TEST(a_read_only_place_is_refused_by_name)
{
    ax_test_with_ctx(read_only);
}

static ax_status
make_and_hold(struct ax_ctx *ctx)
{
    struct ax_data_dir dir;
    server_case_begin();
    AX_TRY(ax_data_dir_of(ctx, server_case_swept.root, server_case_swept.keys, &dir));
    AX_TRY(ax_data_dir_make(ctx, &dir, AX_STR("axiom.test/l")));
    AX_TRY(ax_data_dir_hold(ctx, &dir));
    ax_data_dir_release(&dir);
    return AX_OK;
}

TEST(r92_making_a_data_directory_survives_every_fault)
{
    directory_case_sweep(make_and_hold, server_case_after);
}
