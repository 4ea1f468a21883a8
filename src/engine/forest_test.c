#include "engine/forest.h"

#include "forest_case.h"
#include "harness.h"

enum { TEST_BYTES_MAX = 1 << 28, CHAIN = 100'000 };

static const double base[2] = {0.5, -0.5};

static struct ax_forest
empty_forest(size_t trees, size_t outputs)
{
    return (struct ax_forest){
        .tree_count = trees, .feature_count = 3, .output_count = outputs, .base = base};
}

#define LEAF(value, id)                                                                            \
    {                                                                                              \
        .left = -1, .leaf = (value), .number = (id)                                                \
    }
#define SPLIT(on, at, l, r)                                                                        \
    {                                                                                              \
        .feature = (on), .threshold = (at), .left = (l), .right = (r)                              \
    }

static ax_status
build(struct ax_ctx *ctx, struct ax_forest *forest, const struct ax_forest_source *source)
{
    struct ax_forest_builder builder;
    AX_TRY(ax_forest_build(ctx, ctx->arena, forest, &builder));
    return ax_forest_add(&builder, ctx, 0, source);
}

static void
check_build(struct ax_ctx *ctx)
{
    /* In the file: root, two unreachable nodes, then children in any order. */
    static const struct ax_forest_node nodes[] = {
        SPLIT(0, 10, 5, 3), LEAF(9, 1),         SPLIT(7, 0, 40, 50), LEAF(2, 3),
        LEAF(-1.5, 4),      SPLIT(1, -1, 4, 6), LEAF(4, 6),
    };
    static const double covers[] = {10, 0, 0, 2, 6, 8, 2};
    struct ax_forest_source source = {nodes, covers, AX_COUNT_OF(nodes), 0};
    struct ax_forest forest = empty_forest(1, 1);
    CHECK_EQ(build(ctx, &forest, &source), AX_OK);
    const struct ax_forest_tree *tree = &forest.trees[0];
    CHECK_EQ(tree->node_count, 5);
    CHECK_EQ(tree->depth, 2);
    CHECK_EQ(tree->feature_max, 2);
    CHECK_EQ(forest.leaf_count, 3);
    CHECK(forest.covers && tree->share[1] == 0.8 && tree->share[2] == 0.75);
    for (uint32_t n = 0; n < tree->node_count; n++) /* preorder */
        CHECK(tree->nodes[n].left < 0 || tree->nodes[n].left == (int32_t)n + 1);
    CHECK(fabs(forest.mean[0] - (0.5 + 0.6 * -1.5 + 0.2 * 4 + 0.2 * 2)) < 1e-15);
    static const struct {
        double row[3], margin;
        int32_t leaf;
    } cases[] = {
        {{9.99, -2, 0}, 0.5 - 1.5, 4},
        {{9.99, -1, 0}, 0.5 + 4, 6},
        {{10, -2, 0}, 0.5 + 2, 3},
        {{(double)NAN, 0, 0}, 0.5 + 2, 3}, /* no default left */
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        double margin = 0;
        int32_t leaf = 0;
        ax_forest_margin(&forest, cases[i].row, &margin, &leaf);
        CHECK(margin == cases[i].margin);
        CHECK_EQ(leaf, cases[i].leaf);
    }
}

TEST(forest_keeps_what_is_reachable_in_preorder)
{
    ax_test_with_ctx(check_build);
}

static void
check_refusals(struct ax_ctx *ctx)
{
    static const double nan = (double)NAN, infinite = (double)INFINITY;
    const struct {
        struct ax_forest_node nodes[3];
        size_t count;
        int32_t output;
        const char *part;
    } cases[] = {
        {{}, 0, 0, "a tree of 0 nodes"},
        {{SPLIT(0, 1, 1, 3), LEAF(0, 1), LEAF(0, 2)}, 3, 0, "node 0: children 1 and 3"},
        {{SPLIT(0, 1, 1, -2), LEAF(0, 1), LEAF(0, 2)}, 3, 0, "node 0: children 1 and -2"},
        {{SPLIT(0, 1, 1, 1), LEAF(0, 1), LEAF(0, 2)}, 3, 0, "node 1 has two parents"},
        {{SPLIT(0, 1, 0, 1), LEAF(0, 1), LEAF(0, 2)}, 3, 0, "node 0 has two parents or is its own"},
        {{SPLIT(3, 1, 1, 2), LEAF(0, 1), LEAF(0, 2)}, 3, 0, "node 0: splits on feature 3 of 3"},
        {{SPLIT(0, nan, 1, 2), LEAF(0, 1), LEAF(0, 2)}, 3, 0, "node 0: the threshold is NaN"},
        {{SPLIT(0, 1, 1, 2), LEAF(infinite, 1), LEAF(0, 2)}, 3, 0, "node 1: a leaf value must be"},
        {{LEAF(0, 1)}, 1, -1, "node 0: leaf vector 0 of 0"},
        {{{.flags = AX_FOREST_CATEGORICAL, .set = {0, 2}, .left = 1, .right = 2},
          LEAF(0, 1),
          LEAF(0, 2)},
         3,
         0,
         "node 0: a category set out of range"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        static uint32_t sets[1];
        struct ax_forest forest = empty_forest(1, 1);
        forest.sets = sets;
        forest.set_words = 1;
        struct ax_forest_source source = {cases[i].nodes, NULL, cases[i].count, cases[i].output};
        CHECK_EQ(build(ctx, &forest, &source), AX_INVALID);
        if (!strstr(ctx->error, cases[i].part))
            ax_test_failed(__FILE__, __LINE__, "case %zu says '%s'", i, ctx->error);
    }
}

TEST(forest_refuses_what_is_no_tree)
{
    ax_test_with_ctx(check_refusals);
}

/* Three trees of one leaf; in float32 the middle one is lost in the sum, in order of the file. */
static void
check_sums(struct ax_ctx *ctx)
{
    static const struct ax_forest_node leaves[3] = {LEAF(16777216, 0), LEAF(1, 0),
                                                    LEAF(-16777216, 0)};
    static const double row[3];
    for (size_t outputs = 1; outputs <= 2; outputs++)
        for (int f32 = 0; f32 < 2; f32++) {
            static const double nothing[2];
            double margin[2] = {7, 7};
            struct ax_forest_builder builder;
            struct ax_forest forest = empty_forest(3, outputs);
            forest.base = nothing;
            forest.f32 = f32;
            CHECK_EQ(ax_forest_build(ctx, ctx->arena, &forest, &builder), AX_OK);
            for (size_t t = 0; t < 3; t++) {
                struct ax_forest_source source = {&leaves[t], NULL, 1, (int32_t)(outputs - 1)};
                CHECK_EQ(ax_forest_add(&builder, ctx, t, &source), AX_OK);
            }
            CHECK(!forest.covers);
            ax_forest_margin(&forest, row, margin, NULL);
            CHECK(margin[outputs - 1] == (f32 ? 0 : 1));
            CHECK(outputs == 1 || margin[0] == 0);
        }
}

TEST(forest_rounds_each_addition_as_the_library_does)
{
    ax_test_with_ctx(check_sums);
}

TEST(forest_takes_a_chain_of_any_depth)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_forest_node *nodes = AX_NEW_ARRAY(arena, struct ax_forest_node, 2 * CHAIN + 1);
    double *covers = AX_NEW_ARRAY(arena, double, 2 * CHAIN + 1);
    for (int32_t i = 0; i < CHAIN; i++) {
        nodes[2 * i] = (struct ax_forest_node)SPLIT(i % 3, 0, 2 * i + 1, 2 * i + 2);
        nodes[2 * i + 1] = (struct ax_forest_node)LEAF(i, i);
    }
    nodes[2 * CHAIN] = (struct ax_forest_node)LEAF(-1, CHAIN);
    struct ax_forest forest = empty_forest(1, 1);
    struct ax_forest_source source = {nodes, covers, 2 * CHAIN + 1, 0};
    double row[3] = {1, 1, 1}, margin;
    int32_t leaf;
    CHECK_EQ(build(&ctx, &forest, &source), AX_OK);
    CHECK_EQ(forest.depth_max, CHAIN);
    ax_forest_margin(&forest, row, &margin, &leaf);
    CHECK_EQ(leaf, CHAIN);
    CHECK(margin == -0.5);
}

static ax_status
build_swept(struct ax_ctx *ctx)
{
    static struct ax_forest_node nodes[20'001];
    static double covers[AX_COUNT_OF(nodes)];
    for (int32_t i = 0; i < 10'000; i++)
        nodes[2 * i] = (struct ax_forest_node)SPLIT(0, 0, 2 * i + 1, 2 * i + 2),
                  nodes[2 * i + 1] = (struct ax_forest_node)LEAF(0, 0);
    nodes[20'000] = (struct ax_forest_node)LEAF(0, 0);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    if (!arena)
        return AX_LIMIT;
    struct ax_ctx inner = ax_ctx_of(arena);
    struct ax_forest forest = empty_forest(1, 1);
    struct ax_forest_source source = {nodes, covers, AX_COUNT_OF(nodes), 0};
    ax_status status = build(&inner, &forest, &source);
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "%s", inner.error);
}

TEST(forest_building_survives_every_failed_allocation)
{
    FAULT_SWEEP(build_swept);
}

/* ---- leaves that are linear functions ---- */

static const int32_t linear_features[] = {0, 2};
static const double linear_coefficients[] = {2, 0.5};

static ax_status
build_linear(struct ax_ctx *ctx, struct ax_forest *forest, const struct ax_forest_linear *linear,
             int32_t place)
{
    struct ax_forest_node nodes[] = {SPLIT(0, 10, 1, 2), LEAF(7, 1), LEAF(9, 2)};
    nodes[2].linear = place;
    struct ax_forest_source source = {nodes, NULL, AX_COUNT_OF(nodes), 0};
    forest->linears = linear;
    forest->linear_count = 1;
    return build(ctx, forest, &source);
}

static void
check_linear(struct ax_ctx *ctx)
{
    static const struct ax_forest_linear linear = {.constant = 1,
                                                   .features = linear_features,
                                                   .coefficients = linear_coefficients,
                                                   .count = 2};
    static const struct {
        double row[3], margin;
    } cases[] = {
        {{9, 0, 4}, 0.5 + 7},
        {{10, 0, 4}, 0.5 + 1 + 20 + 2},
        {{10, (double)NAN, 4}, 0.5 + 1 + 20 + 2}, /* it is not asked for */
        {{10, 0, (double)NAN}, 0.5 + 9},
        {{10, 0, 1e-36}, 0.5 + 1 + 20},
    };
    struct ax_forest forest = empty_forest(1, 1);
    CHECK_EQ(build_linear(ctx, &forest, &linear, 1), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        double margin = 0;
        ax_forest_margin(&forest, cases[i].row, &margin, NULL);
        CHECK(margin == cases[i].margin);
    }
    forest.f32 = true; /* the sum is rounded, and still knows them */
    double margin = 0;
    ax_forest_margin(&forest, cases[1].row, &margin, NULL);
    CHECK(margin == 23.5);
}

TEST(forest_evaluates_linear_leaves)
{
    ax_test_with_ctx(check_linear);
}

static void
check_linear_refusals(struct ax_ctx *ctx)
{
    static const int32_t beyond[] = {0, 3};
    static const double odd[] = {2, (double)NAN};
    static const struct {
        struct ax_forest_linear linear;
        int32_t place;
        const char *part;
    } cases[] = {
        {{1, linear_features, linear_coefficients, 2}, 2, "node 2: linear leaf 2 of 1"},
        {{1, linear_features, linear_coefficients, 2}, -1, "node 2: linear leaf -1 of 1"},
        {{(double)INFINITY, linear_features, linear_coefficients, 2}, 1, "node 2: the constant"},
        {{1, beyond, linear_coefficients, 2}, 1, "node 2: a linear leaf on feature 3 of 3"},
        {{1, linear_features, odd, 2}, 1, "node 2: a coefficient must be finite"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_forest forest = empty_forest(1, 1);
        CHECK_EQ(build_linear(ctx, &forest, &cases[i].linear, cases[i].place), AX_INVALID);
        if (!strstr(ctx->error, cases[i].part))
            ax_test_failed(__FILE__, __LINE__, "case %zu says '%s'", i, ctx->error);
    }
}

TEST(forest_refuses_linear_leaves_that_are_none)
{
    ax_test_with_ctx(check_linear_refusals);
}

/* ---- covers of more rows than a float counts, and codes that are truncated ---- */

static void
check_counts(struct ax_ctx *ctx)
{
    static const struct ax_forest_node nodes[] = {SPLIT(0, 10, 1, 2), LEAF(1, 1), LEAF(0, 2)};
    static const double counts[] = {33554435, 16777217, 16777218};
    struct ax_forest_source source = {
        .nodes = nodes, .node_count = AX_COUNT_OF(nodes), .covers = counts};
    struct ax_forest forest = empty_forest(1, 1);
    CHECK_EQ(build(ctx, &forest, &source), AX_OK);
    CHECK(forest.covers && forest.trees[0].share[1] == 16777217.0 / 33554435.0);
    CHECK(forest.mean[0] == 0.5 + 16777217.0 / 33554435.0);
}

TEST(forest_takes_covers_in_float64)
{
    ax_test_with_ctx(check_counts);
}

TEST(forest_truncates_codes_where_the_library_does)
{
    static uint32_t sets[] = {1}; /* code 0 */
    struct ax_forest forest = empty_forest(1, 1);
    forest.sets = sets;
    forest.set_words = 1;
    static const struct {
        double x;
        bool left, truncated_left;
    } cases[] = {
        {0, false, false}, {0.9, false, false},  {-0.5, true, false}, {-0.0, false, false},
        {-1, true, true},  {-0.99, true, false}, {1, true, true},     {16777216, true, true},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_forest_node node = {.flags = AX_FOREST_CATEGORICAL, .set = {0, 1}};
        CHECK_EQ(ax_forest_goes_left(&forest, &node, cases[i].x), cases[i].left);
        node.flags |= AX_FOREST_TRUNCATED;
        CHECK_EQ(ax_forest_goes_left(&forest, &node, cases[i].x), cases[i].truncated_left);
    }
}

/* ---- what a forest is like, against counting ---- */

enum { COUNTED_FEATURES = 12 };

/* Most distinct features on a path below the node, of those with their bit in `above` and more. */
static uint32_t
features_below(const struct ax_forest_tree *tree, int32_t at, uint32_t above)
{
    const struct ax_forest_node *node = &tree->nodes[at];
    if (node->left < 0)
        return (uint32_t)__builtin_popcount(above);
    above |= UINT32_C(1) << node->feature;
    uint32_t left = features_below(tree, node->left, above);
    uint32_t right = features_below(tree, node->right, above);
    return left > right ? left : right;
}

static void
check_counted(struct ax_ctx *ctx, const struct ax_forest *forest)
{
    uint32_t splits[COUNTED_FEATURES] = {}, most = 0;
    for (size_t t = 0; t < forest->tree_count; t++) {
        const struct ax_forest_tree *tree = &forest->trees[t];
        CHECK_EQ(tree->feature_max, features_below(tree, 0, 0));
        most = tree->feature_max > most ? tree->feature_max : most;
        for (uint32_t i = 0; i < tree->node_count; i++)
            if (tree->nodes[i].left >= 0)
                splits[tree->nodes[i].feature]++;
    }
    CHECK_EQ(forest->feature_max, most);
    CHECK(memcmp(splits, forest->split_counts, sizeof splits) == 0);
    ax_arena_reset(ctx->arena);
}

TEST(forest_counts_splits_and_the_features_of_a_path)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    for (uint64_t seed = 0; seed < 20; seed++) {
        const struct forest_case about = {.tree_count = 20,
                                          .feature_count = COUNTED_FEATURES,
                                          .output_count = 1,
                                          .depth = seed % 2 ? 8 : 30,
                                          .share = -1,
                                          .categorical = 0.1,
                                          .seed = seed};
        check_counted(&ctx, forest_case_make(&ctx, &about));
    }
}
