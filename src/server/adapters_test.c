#include "server/adapters.h"

#include "server_case.h"

static void
opened(struct ax_ctx *ctx)
{
    struct server_case made;
    struct ax_data_dir dir;
    struct ax_server_settings settings;
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    ax_auto(ax_blob_close) struct ax_blob *blob = NULL;
    ax_auto(ax_kv_close) struct ax_kv *kv = NULL;
    ax_digest digest;
    ax_str value = AX_STR("");
    server_case_make(ctx, &made);
    ax_server_settings_defaults(&settings);
    CHECK_EQ(ax_data_dir_of(ctx, made.root, made.keys, &dir), AX_OK);
    CHECK_EQ(ax_data_dir_make(ctx, &dir, AX_STR("axiom.test/l")), AX_OK);
    CHECK_EQ(ax_adapters_store(ctx, &dir, &settings, true, &store), AX_UNAVAILABLE);
    CHECK(ax_test_said(ctx, "store.db is gone"));
    settings.database.url = AX_STR("oracle://x");
    CHECK_EQ(ax_adapters_store(ctx, &dir, &settings, false, &store), AX_INVALID);
    CHECK(ax_test_said(ctx, "store.url"));
    settings.database.url = AX_STR("postgresql:///x?host=/nowhere");
    CHECK_EQ(ax_adapters_store(ctx, &dir, &settings, false, &store), AX_UNAVAILABLE);
    settings.database.url = AX_STR("");
    CHECK_EQ(ax_adapters_store(ctx, &dir, &settings, false, &store), AX_OK);
    REQUIRE(store);
    CHECK_EQ(ax_store_check(store, ctx), AX_OK);
    CHECK_EQ(ax_adapters_blob(ctx, dir.blobs, &blob), AX_OK);
    REQUIRE(blob);
    CHECK_EQ(ax_blob_put(blob, ctx, AX_STR("hello"), &digest), AX_OK);
    CHECK_EQ(ax_adapters_kv(ctx, &dir, &settings, &kv), AX_OK);
    REQUIRE(kv);
    const struct ax_kv_item item = {.key = AX_STR("k"), .value = AX_STR("v")};
    CHECK_EQ(ax_kv_write(kv, ctx, &item, 1), AX_OK);
    CHECK_EQ(ax_kv_get(kv, ctx, AX_STR("k"), &value), AX_OK);
    CHECK_STR(value, "v");
    server_case_done(ctx, &made);
}

TEST(each_port_has_its_adapter_in_the_data_directory)
{
    ax_test_with_ctx(opened);
}
