#include "engine/forest_compile.h"

#include <float.h>

#include "harness.h"
#include "kernel_case.h"

enum { TEST_BYTES_MAX = 1 << 28, SEEDS = 60, ROWS = 400 };

/* Every node of every tree, asked about rows by its predicate and by its own words. */
static void
check_predicates(const struct ax_forest_plan *plan, const double *row)
{
    const struct ax_forest *forest = plan->forest;
    for (size_t t = 0; t < forest->tree_count; t++)
        for (uint32_t n = 0; n < forest->trees[t].node_count; n++) {
            const struct ax_forest_node *node = &forest->trees[t].nodes[n];
            if (node->left < 0)
                continue;
            uint32_t predicate = plan->node_predicate[plan->node_first[t] + n];
            const struct ax_forest_column *column =
                &plan->columns[plan->predicate_column[predicate]];
            double x = row[node->feature];
            uint32_t k = predicate - column->predicate_first;
            uint8_t rank = ax_forest_plan_rank(plan, column, x);
            CHECK_EQ(column->feature, node->feature);
            bool right = column->is_sets
                             ? ax_forest_set_has(&plan->sets[column->set_first + k], rank)
                             : rank > k;
            if (right == ax_forest_goes_left(forest, node, x))
                ax_test_failed(__FILE__, __LINE__, "x %a, flags %u, threshold %a, rank %u", x,
                               node->flags, node->threshold, rank);
        }
}

TEST(forest_compile_asks_what_the_nodes_ask)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
        struct ax_ctx ctx = ax_ctx_of(arena);
        struct kernel_case about = kernel_case_of(seed);
        about.tree_count = about.tree_count > 7 ? 7 : about.tree_count;
        struct ax_forest *forest = kernel_case_make(&ctx, &about);
        struct ax_forest_plan plan;
        CHECK_EQ(ax_forest_compile(&ctx, forest, &plan), AX_OK);
        double *rows = kernel_case_rows(&ctx, forest, seed, ROWS, false);
        for (size_t i = 0; plan.fits && i < ROWS; i++)
            check_predicates(&plan, rows + i * forest->feature_count);
        CHECK(plan.fits || about.sets > 0);
    }
}

/* One tree, a chain of splits on feature 0. */
static struct ax_forest *
chain(struct ax_ctx *ctx, const struct ax_forest_node *splits, int32_t count, uint32_t *sets,
      size_t set_words)
{
    static const double base[2];
    struct ax_forest *forest = AX_NEW(ctx->arena, struct ax_forest);
    struct ax_forest_node *nodes =
        AX_NEW_ARRAY(ctx->arena, struct ax_forest_node, 2 * (size_t)count + 1);
    for (int32_t i = 0; i < count; i++) {
        nodes[2 * i] = splits[i];
        nodes[2 * i].left = 2 * i + 1;
        nodes[2 * i].right = 2 * i + 2;
        nodes[2 * i + 1] = (struct ax_forest_node){.left = -1};
    }
    nodes[2 * count] = (struct ax_forest_node){.left = -1};
    *forest = (struct ax_forest){.tree_count = 1,
                                 .feature_count = 1,
                                 .output_count = 1,
                                 .base = base,
                                 .sets = sets,
                                 .set_words = set_words};
    struct ax_forest_builder builder;
    struct ax_forest_source source = {.nodes = nodes, .node_count = 2 * (size_t)count + 1};
    CHECK_EQ(ax_forest_build(ctx, ctx->arena, forest, &builder), AX_OK);
    CHECK_EQ(ax_forest_add(&builder, ctx, 0, &source), AX_OK);
    return forest;
}

static void
check_columns(struct ax_ctx *ctx)
{
    static struct ax_forest_node splits[600];
    struct ax_forest_plan plan;
    for (size_t i = 0; i < AX_COUNT_OF(splits); i++)
        splits[i].threshold = i % 2 == 1 ? splits[i - 1].threshold : (double)i * 0.5 - 3;
    CHECK_EQ(ax_forest_compile(ctx, chain(ctx, splits, 600, NULL, 0), &plan), AX_OK);
    CHECK_EQ(plan.column_count, 2); /* 300 distinct cuts */
    CHECK_EQ(plan.columns[0].cut_count, AX_FOREST_CUTS_MAX);
    CHECK_EQ(plan.columns[1].cut_count, 300 - AX_FOREST_CUTS_MAX);
    CHECK_EQ(plan.predicate_count, 300);
    CHECK_EQ(plan.columns[0].missing, AX_FOREST_CUTS_MAX); /* NaN goes right everywhere */
    CHECK_EQ(plan.columns[1].missing, 300 - AX_FOREST_CUTS_MAX);
    for (size_t i = 0; i < AX_COUNT_OF(splits); i++) /* equal predicates by a third each */
        splits[i].flags = i % 3 == 0 ? 0 : i % 3 == 1 ? AX_FOREST_DEFAULT_LEFT : AX_FOREST_NAN_ZERO;
    CHECK_EQ(ax_forest_compile(ctx, chain(ctx, splits, 30, NULL, 0), &plan), AX_OK);
    CHECK_EQ(plan.column_count, 3);
    CHECK_EQ(plan.columns[0].missing, 0);
    CHECK_EQ(plan.columns[1].missing, plan.columns[1].cut_count);
    CHECK_EQ(plan.columns[2].missing, 2); /* 0 is above the cuts at -2 and -1 */
    CHECK_EQ(plan.leaves_max, 31);
}

TEST(forest_compile_splits_a_feature_by_missing_and_by_255_cuts)
{
    ax_test_with_ctx(check_columns);
}

static void
check_sets(struct ax_ctx *ctx)
{
    static uint32_t sets[] = {0x6, 0, 0x6, 0xFF00FF00};
    static const struct ax_forest_node splits[] = {
        {.flags = AX_FOREST_CATEGORICAL, .set = {0, 2}},
        {.flags = AX_FOREST_CATEGORICAL | AX_FOREST_DEFAULT_LEFT, .set = {2, 1}},
        {.flags = AX_FOREST_CATEGORICAL, .set = {2, 1}}, /* as the first, in other words */
        {.flags = AX_FOREST_CATEGORICAL, .set = {3, 1}},
        {.flags = AX_FOREST_EQUAL, .threshold = 7},
    };
    struct ax_forest_plan plan;
    CHECK_EQ(ax_forest_compile(ctx, chain(ctx, splits, 5, sets, 4), &plan), AX_OK);
    REQUIRE(plan.fits && plan.column_count == 1);
    CHECK_EQ(plan.columns[0].predicate_count, 4);
    CHECK_EQ(plan.node_predicate[0], plan.node_predicate[4]);
    CHECK_EQ(plan.columns[0].cut_count, 8); /* at 1, 3, 7, 7 and above, 8, 16, 24, 32 */
    CHECK_EQ(plan.columns[0].missing, 9);
    static struct ax_forest_node many[300];
    for (size_t i = 0; i < AX_COUNT_OF(many); i++)
        many[i] = (struct ax_forest_node){.flags = AX_FOREST_EQUAL, .threshold = (double)i};
    CHECK_EQ(ax_forest_compile(ctx, chain(ctx, many, 300, NULL, 0), &plan), AX_OK);
    CHECK(!plan.fits); /* more ranks than a byte tells apart */
}

TEST(forest_compile_gives_equal_sets_one_predicate)
{
    ax_test_with_ctx(check_sets);
}

static void
check_covers(struct ax_ctx *ctx)
{
    static const struct ax_forest_node split = {.threshold = 1};
    static const double base[2] = {0.1, 0.5};
    struct ax_forest *forest = chain(ctx, &split, 1, NULL, 0);
    struct ax_forest_tree trees[2] = {forest->trees[0], forest->trees[0]};
    CHECK(ax_forest_compile_covers(forest));
    forest->output_count = 2;
    forest->base = base;
    CHECK(ax_forest_compile_covers(forest));
    forest->f32 = true; /* 0.1 would be rounded where no tree adds to it */
    CHECK(!ax_forest_compile_covers(forest));
    forest->f32 = false;
    forest->trees = trees;
    forest->tree_count = 2;
    trees[1].output = -1; /* one tree adds to one output, another to all */
    CHECK(!ax_forest_compile_covers(forest));
    forest->tree_count = 0;
    CHECK(!ax_forest_compile_covers(forest));
}

TEST(forest_compile_leaves_other_forests_to_the_walk)
{
    ax_test_with_ctx(check_covers);
}

TEST(forest_compile_rounds_cuts_down_so_that_floats_keep_their_side)
{
    static const double cuts[] = {0.1,       -0.1,    0x1p-1074,       -0x1p-1074,       0x1p-140,
                                  1e300,     -1e300,  DBL_MAX,         -DBL_MAX,         HUGE_VAL,
                                  -HUGE_VAL, 0x1p127, (double)FLT_MAX, -(double)FLT_MAX, 16777217,
                                  1e-45};
    static const float floats[] = {0,       -0.0f,     0.1f,     -0.1f,    0x1p-149f, -0x1p-149f,
                                   FLT_MAX, -FLT_MAX,  1e30f,    INFINITY, -INFINITY, 16777216,
                                   1e-38f,  0x1p-140f, 16777218, 0x1p127f};
    for (size_t i = 0; i < AX_COUNT_OF(cuts); i++)
        for (size_t j = 0; j < AX_COUNT_OF(floats); j++) {
            float around[] = {floats[j], nextafterf(floats[j], INFINITY),
                              nextafterf(floats[j], -INFINITY), (float)cuts[i]};
            for (size_t k = 0; k < AX_COUNT_OF(around); k++)
                CHECK((cuts[i] < (double)around[k]) ==
                      (ax_forest_float_below(cuts[i]) < around[k]));
        }
    CHECK(ax_forest_cuts_beyond_floats((double[]){0.5, 0x1p-200}, 2));
    CHECK(ax_forest_cuts_beyond_floats((double[]){1e39}, 1));
    CHECK(!ax_forest_cuts_beyond_floats((double[]){-0x1p-1074, 1, -1e30}, 3));
}
