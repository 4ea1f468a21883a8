#include "engine/forest_slice.h"

#include "harness.h"
#include "kernel_case.h"

enum { TEST_BYTES_MAX = 1 << 28, SEEDS = 80, ROWS = 64 };

/* A bitmap of the 64 rows: their ranks in a column, bit by bit or cut by cut. */
static void
fill_predicates(const struct ax_forest_plan *plan, const struct ax_forest_slice *slice,
                const double *rows, uint64_t *slots)
{
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const struct ax_forest_column *column = &plan->columns[i];
        uint32_t levels = ax_forest_slice_levels(column);
        for (uint32_t r = 0; r < ROWS; r++) {
            double x = rows[r * plan->forest->feature_count + column->feature];
            uint32_t rank = ax_forest_plan_rank(plan, column, x);
            uint32_t count = column->is_sets ? levels : column->cut_count;
            for (uint32_t k = 0; k < count; k++) {
                bool bit = column->is_sets ? rank >> (levels - 1 - k) & 1 : rank > k;
                slots[slice->column_slot[i] + k] |= (uint64_t)bit << r;
            }
        }
    }
}

static void
run(const struct ax_forest_slice *slice, uint32_t first, uint32_t count, uint64_t *slots)
{
    for (uint32_t i = first; i < first + count; i++) {
        struct ax_forest_slice_op op = slice->ops[i];
        slots[op.out] = (slots[op.select] & slots[op.right]) | (~slots[op.select] & slots[op.left]);
    }
}

static void
check_program(struct ax_ctx *ctx, const struct ax_forest_plan *plan, const double *rows,
              const struct ax_forest_slice_config *config)
{
    const struct ax_forest *forest = plan->forest;
    struct ax_forest_slice slice;
    CHECK_EQ(ax_forest_slice_compile(ctx, plan, config, &slice), AX_OK);
    uint64_t *slots = AX_NEW_ARRAY(ctx->arena, uint64_t, slice.slot_count);
    slots[1] = UINT64_MAX;
    fill_predicates(plan, &slice, rows, slots);
    run(&slice, 0, slice.set_op_count, slots);
    for (size_t t = 0; t < forest->tree_count; t++) {
        const struct ax_forest_slice_tree *tree = &slice.trees[t];
        run(&slice, tree->op_first, tree->op_count, slots);
        for (uint32_t r = 0; r < ROWS; r++) {
            size_t code = 0;
            for (uint32_t p = 0; p < slice.planes; p++)
                code |= (slots[tree->plane[p]] >> r & 1) << p;
            const struct ax_forest_node *leaf =
                ax_forest_leaf(forest, &forest->trees[t], rows + r * forest->feature_count);
            CHECK(&forest->trees[t].nodes[slice.leaves[(t << slice.planes) + code]] == leaf);
        }
    }
}

TEST(forest_slice_programs_lead_to_the_walks_leaves)
{
    size_t checked = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
        struct ax_ctx ctx = ax_ctx_of(arena);
        struct kernel_case about = kernel_case_of(seed);
        struct ax_forest *forest = kernel_case_make(&ctx, &about);
        struct ax_forest_plan plan;
        CHECK_EQ(ax_forest_compile(&ctx, forest, &plan), AX_OK);
        if (!plan.fits || plan.leaves_max > AX_FOREST_SLICE_LEAVES_MAX)
            continue;
        const double *rows = kernel_case_rows(&ctx, forest, seed, ROWS, false);
        for (uint32_t spare = 0; spare < 3; spare++) {
            struct ax_forest_slice_config config = {.spread = false, .spare = spare};
            check_program(&ctx, &plan, rows, &config);
            config.spread = true;
            check_program(&ctx, &plan, rows, &config);
        }
        checked++;
    }
    CHECK(checked > SEEDS / 2);
}

/* A balanced tree of 32 leaves; an oblivious one asks the same question all along a level. */
static struct ax_forest_slice
balanced(struct ax_ctx *ctx, bool is_oblivious)
{
    static const double base[1];
    struct ax_forest *forest = AX_NEW(ctx->arena, struct ax_forest);
    *forest =
        (struct ax_forest){.tree_count = 1, .feature_count = 31, .output_count = 1, .base = base};
    struct ax_forest_node nodes[63];
    for (int32_t n = 0; n < 63; n++) {
        int32_t level = 31 - __builtin_clz((unsigned)n + 1);
        nodes[n] = n < 31 ? (struct ax_forest_node){.feature = is_oblivious ? level : n,
                                                    .left = 2 * n + 1,
                                                    .right = 2 * n + 2}
                          : (struct ax_forest_node){.left = -1};
    }
    struct ax_forest_builder builder;
    struct ax_forest_source source = {.nodes = nodes, .node_count = 63};
    struct ax_forest_plan plan;
    struct ax_forest_slice slice;
    struct ax_forest_slice_config config = {};
    CHECK_EQ(ax_forest_build(ctx, ctx->arena, forest, &builder), AX_OK);
    CHECK_EQ(ax_forest_add(&builder, ctx, 0, &source), AX_OK);
    CHECK_EQ(ax_forest_compile(ctx, forest, &plan), AX_OK);
    CHECK_EQ(ax_forest_slice_compile(ctx, &plan, &config, &slice), AX_OK);
    CHECK_EQ(slice.planes, 5);
    return slice;
}

/* 31 nodes in 5 planes: level l's plane takes 2^l - 1 choices. */
static void
check_costs(struct ax_ctx *ctx)
{
    struct ax_forest_slice slice = balanced(ctx, false);
    CHECK_EQ(slice.op_count, 0 + 1 + 3 + 7 + 15);
    CHECK(slice.slot_count - slice.temporary_first <= 10);
}

TEST(forest_slice_spends_no_more_operations_than_a_tournament)
{
    ax_test_with_ctx(check_costs);
}

static void
check_oblivious(struct ax_ctx *ctx)
{
    struct ax_forest_slice slice = balanced(ctx, true);
    CHECK_EQ(slice.op_count, 0);
}

TEST(forest_slice_takes_the_planes_of_an_oblivious_tree_from_its_predicates)
{
    ax_test_with_ctx(check_oblivious);
}
