#include "kv/lmdb.h"

#include "harness.h"
#include "sys/file.h"

static const ax_str folder = AX_STR("build-test-kv");

static ax_status
round_trip(struct ax_ctx *ctx)
{
    ax_auto(ax_kv_close) struct ax_kv *kv = NULL;
    AX_TRY(ax_lmdb_open(ctx, folder, 1 << 24, &kv));
    const struct ax_kv_item items[] = {
        {.key = AX_STR("d/1"), .value = AX_STR("one")},
        {.key = AX_STR("d/2"), .value = AX_STR("two")},
        {.key = AX_STR("e/1"), .value = AX_STR("")},
        {.key = AX_STR("d/3"), .removed = true},
    };
    AX_TRY(ax_kv_write(kv, ctx, items, AX_COUNT_OF(items)));
    AX_TRY(ax_kv_sync(kv, ctx));
    ax_str value = {};
    AX_TRY(ax_kv_get(kv, ctx, AX_STR("d/2"), &value));
    CHECK_STR(value, "two");
    struct ax_kv_item *found = NULL;
    size_t count = 0;
    AX_TRY(ax_kv_scan(kv, ctx, AX_STR("d/"), 10, &found, &count));
    CHECK_EQ(count, 2);
    CHECK_STR(found[1].key, "d/2");
    return AX_OK;
}

TEST(a_key_value_store_survives_every_fault)
{
    FAULT_SWEEP(round_trip);
}

static void
missing(struct ax_ctx *ctx)
{
    ax_auto(ax_kv_close) struct ax_kv *kv = NULL;
    ax_ignore(ax_file_remove_tree(ctx, folder), "it may not be there");
    CHECK_EQ(ax_lmdb_open(ctx, folder, 1 << 24, &kv), AX_OK);
    ax_str value = {};
    CHECK_EQ(ax_kv_get(kv, ctx, AX_STR("nobody"), &value), AX_NOT_FOUND);
    struct ax_kv_item *found = NULL;
    size_t count = 7;
    CHECK_EQ(ax_kv_scan(kv, ctx, AX_STR(""), 10, &found, &count), AX_OK);
    CHECK_EQ(count, 0);
    ax_ignore(ax_file_remove_tree(ctx, folder), "left for the next run");
}

TEST(a_key_value_store_says_what_is_missing)
{
    ax_test_with_ctx(missing);
}
