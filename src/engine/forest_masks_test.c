#include "engine/forest_masks.h"

#include "harness.h"
#include "kernel_case.h"

enum { TEST_BYTES_MAX = 1 << 28, TURNS = 300 };

static struct ax_forest_plan
plan_of(struct ax_ctx *ctx, const struct kernel_case *about)
{
    struct ax_forest_plan plan;
    CHECK_EQ(ax_forest_compile(ctx, kernel_case_make(ctx, about), &plan), AX_OK);
    return plan;
}

static const struct kernel_case small = {.tree_count = 70,
                                         .feature_count = 6,
                                         .output_count = 1,
                                         .leaves_max = 31,
                                         .depth_max = 20,
                                         .threshold_max = 20,
                                         .sets = 0.3,
                                         .seed = 3};

/* The bits of a tree that all columns leave; each column's rank is what `rank` says. */
static uint64_t
left_by_all(const struct ax_forest_plan *plan, const char *table, size_t tree, uint32_t turn)
{
    struct ax_forest_masks masks = ax_forest_masks_of(plan);
    uint64_t left = UINT64_MAX;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        size_t ranks = ax_forest_masks_ranks(&plan->columns[i]), rank = (turn + 7 * i) % ranks;
        uint64_t mask = 0;
        memcpy(&mask, table + rank * masks.rank + tree * masks.each, masks.each);
        left &= mask;
        table += ranks * masks.rank;
    }
    return left;
}

static void
check_one_bit(struct ax_ctx *ctx)
{
    struct ax_forest_plan plan = plan_of(ctx, &small);
    struct ax_forest_masks masks = ax_forest_masks_of(&plan);
    CHECK_EQ(masks.each, 4);
    CHECK_EQ(masks.rank, 384); /* of 70 trees, in whole steps */
    char *table = kernel_case_scratch(ctx, masks.bytes);
    CHECK_EQ(ax_forest_masks_write(ctx, &plan, table), AX_OK);
    size_t one = 0;
    for (size_t t = 0; t < small.tree_count; t++)
        for (uint32_t turn = 0; turn < TURNS; turn++) {
            uint32_t leaves = plan.forest->trees[t].node_count / 2 + 1;
            uint64_t left = left_by_all(&plan, table, t, turn) & ((UINT64_C(1) << leaves) - 1);
            one += __builtin_popcountll(left) == 1 || leaves == 1; /* which has no tests */
        }
    CHECK_EQ(one, small.tree_count * TURNS);
}

TEST(forest_masks_leave_one_leaf_for_every_combination_of_ranks)
{
    ax_test_with_ctx(check_one_bit);
}

TEST(forest_masks_refuse_large_trees_and_large_tables)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct kernel_case about = small;
    about.leaves_max = 64;
    struct ax_forest_plan plan = plan_of(&ctx, &about);
    CHECK_EQ(ax_forest_masks_of(&plan).each, 8);
    plan.leaves_max = 65;
    CHECK_EQ(ax_forest_masks_of(&plan).each, 0);
    CHECK(!ax_forest_row_fits(&plan, AX_FOREST_ROW_MASKS, 0));
    plan.leaves_max = 64;
    plan.fits = false;
    CHECK_EQ(ax_forest_masks_of(&plan).each, 0);
    about.tree_count = 3000; /* hundreds of ranks of 24 KB each */
    about.feature_count = 60;
    plan = plan_of(&ctx, &about);
    CHECK(plan.fits && plan.leaves_max <= AX_FOREST_MASKS_LEAVES_MAX);
    CHECK_EQ(ax_forest_masks_of(&plan).each, 0);
}
