#include "engine/lightgbm_block.h"

#include "harness.h"

static const char two[] = "\nTree=0\nnum_leaves=1\nodd=7\nleaf_value=3\n\n\nTree=1\n"
                          "num_leaves=2\nleaf_value=3 4\n\nend of trees\nrest";

static void
check_scan(struct ax_ctx *ctx)
{
    struct ax_lightgbm_blocks blocks = {};
    ax_str rest = ax_str_of(two);
    CHECK_EQ(ax_lightgbm_block_scan(ctx, &rest, &blocks), AX_OK);
    REQUIRE(blocks.count == 2);
    CHECK_STR(rest, "rest");
    CHECK_STR(blocks.items[1].values[AX_LIGHTGBM_LEAF_VALUE], "3 4");
    CHECK_STR(blocks.items[0].values[AX_LIGHTGBM_NUM_LEAVES], "1");
    CHECK(!blocks.items[0].values[AX_LIGHTGBM_THRESHOLD].at);
    CHECK_EQ(blocks.items[0].bytes, strlen("Tree=0\nnum_leaves=1\nodd=7\nleaf_value=3\n\n\n"));
    CHECK_EQ(blocks.items[1].bytes, strlen("Tree=1\nnum_leaves=2\nleaf_value=3 4\n\n"));
}

TEST(lightgbm_block_scan_takes_blocks_apart_and_measures_them)
{
    ax_test_with_ctx(check_scan);
}

static const struct {
    const char *text;
    const char *part;
} refusals[] = {
    {"", "the file ends after 0 trees, without `end of trees`"},
    {"Tree=0\nnum_leaves=1\n", "tree 0: the file ends before the empty line after it"},
    {"Tree=0\nnum_leaves=1\n\n", "the file ends after 1 trees"},
    {"Tree=1\n\nend of trees\n", "`Tree=1` where `Tree=0` or `end of trees` was expected"},
    {"Tree=0\n\nTree=0\n\nend of trees\n", "`Tree=0` where `Tree=1`"},
    {"Tree=00\n\nend of trees\n", "`Tree=00` where `Tree=0`"},
    {"leaf\n", "`leaf` where `Tree=0`"},
    {"Tree=0\nnum_leaves\n\nend of trees\n", "tree 0: the line `num_leaves` has no `=`"},
    {"Tree=0\nnum_leaves=1\nnum_leaves=2\n\nend of trees\n",
     "tree 0: `num_leaves` stands there twice"},
};

static void
check_refusals(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(refusals); i++) {
        struct ax_lightgbm_blocks blocks = {};
        ax_str rest = ax_str_of(refusals[i].text);
        CHECK_EQ(ax_lightgbm_block_scan(ctx, &rest, &blocks), AX_INVALID);
        if (!strstr(ctx->error, refusals[i].part))
            ax_test_failed(__FILE__, __LINE__, "case %zu says '%s'", i, ctx->error);
    }
}

TEST(lightgbm_block_scan_refuses_what_is_out_of_turn)
{
    ax_test_with_ctx(check_refusals);
}

TEST(lightgbm_block_ends_are_known_in_old_files_too)
{
    CHECK(ax_lightgbm_block_is_end(AX_STR("end of trees")));
    CHECK(ax_lightgbm_block_is_end(AX_STR("feature importances:")));
    CHECK(ax_lightgbm_block_is_end(AX_STR("feature_importances:")));
    CHECK(!ax_lightgbm_block_is_end(AX_STR("Tree=0")));
    CHECK_STR(ax_str_of(ax_lightgbm_key_name(AX_LIGHTGBM_LEAF_COEFF)), "leaf_coeff");
    for (int key = 0; key < AX_LIGHTGBM_KEY_COUNT; key++)
        CHECK(ax_lightgbm_key_name((enum ax_lightgbm_key)key));
}

static ax_status
scan_swept(struct ax_ctx *ctx)
{
    struct ax_lightgbm_blocks blocks = {};
    ax_str rest = ax_str_of(two);
    return ax_lightgbm_block_scan(ctx, &rest, &blocks);
}

TEST(lightgbm_block_scan_survives_faults)
{
    FAULT_SWEEP(scan_swept);
}
