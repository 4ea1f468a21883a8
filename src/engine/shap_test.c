#include "engine/shap.h"

#include "base/alloc.h"
#include "forest_case.h"
#include "harness.h"

enum { TEST_BYTES_MAX = 1 << 28, ROWS = 6 };

static const struct {
    const char *name;
    struct forest_case about;
    bool enumerate;
} cases[] = {
    {"depth 6, 8 features", {20, 8, 1, 6, -1, 0, 0, false, 1}, true},
    {"depth 7, 3 features, repeats", {20, 3, 1, 7, -1, 0, 0, false, 2}, true},
    {"zero covers", {30, 7, 1, 5, -1, 0.3, 0, false, 3}, true},
    {"categorical splits", {20, 6, 1, 5, -1, 0, 0.5, false, 4}, true},
    {"three outputs in turn", {21, 7, 3, 5, -1, 0, 0.2, false, 5}, true},
    {"leaf vectors", {10, 7, 3, 5, -1, 0.1, 0.2, true, 6}, true},
    {"stumps and single leaves", {20, 4, 1, 1, -1, 0, 0, false, 7}, true},
    {"one feature", {10, 1, 1, 6, -1, 0, 0, false, 8}, true},
    {"depth 40, cover 0.99", {6, 60, 1, 40, 0.99, 0, 0, false, 9}, false},
    {"depth 40, cover 0.01", {6, 60, 1, 40, 0.01, 0, 0, false, 10}, false},
    {"depth 40, random cover", {6, 60, 1, 40, -1, 0, 0, false, 11}, false},
    {"depth 60, 10 features", {6, 10, 1, 60, -1, 0.1, 0, false, 12}, false},
    {"depth 40, zero covers", {6, 30, 1, 40, -1, 0.2, 0.1, false, 13}, false},
    {"depth 80, 100 features", {4, 100, 1, 80, -1, 0, 0, false, 14}, false},
};

static double *
explain(struct ax_ctx *ctx, const struct ax_forest *forest, const double *row)
{
    struct ax_shap_points points;
    size_t bytes = ax_shap_scratch_bytes(forest);
    double *out =
        AX_NEW_ARRAY(ctx->arena, double, forest->output_count *(forest->feature_count + 1));
    CHECK(ax_shap_fits(forest));
    CHECK_EQ(ax_shap_prepare(forest, ctx, ctx->arena, &points), AX_OK);
    void *scratch = ax_alloc(1, bytes ? bytes : 1);
    memset(scratch, 0xa5, bytes);
    ax_shap_row(forest, &points, row, scratch, out);
    ax_free(scratch);
    return out;
}

static void
check_case(size_t c)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_forest *forest = forest_case_make(&ctx, &cases[c].about);
    double *rows = forest_case_rows(&ctx, &cases[c].about, ROWS);
    size_t stride = forest->feature_count + 1, width = stride * forest->output_count;
    double *want = AX_NEW_ARRAY(arena, double, width), *margin = AX_NEW_ARRAY(arena, double, width);
    for (size_t i = 0; i < ROWS; i++) {
        const double *row = rows + i * forest->feature_count;
        double *got = explain(&ctx, forest, row);
        forest_case_oracle(&ctx, forest, row, NULL, 0, want);
        double off = forest_case_difference(got, want, width);
        if (!(off <= 1e-13))
            ax_test_failed(__FILE__, __LINE__, "%s: %.1e off the oracle", cases[c].name, off);
        if (cases[c].enumerate) {
            forest_case_enumerate(forest, row, NULL, 0, want);
            off = forest_case_difference(got, want, width);
            if (!(off <= 1e-12))
                ax_test_failed(__FILE__, __LINE__, "%s: %.1e off all subsets", cases[c].name, off);
        }
        ax_forest_margin(forest, row, margin, NULL);
        for (size_t k = 0; k < forest->output_count; k++) {
            double sum = 0;
            for (size_t f = 0; f < stride; f++)
                sum += got[k * stride + f];
            CHECK(fabs(sum - margin[k]) <= 1e-12 * fmax(1, fabs(margin[k])));
        }
    }
}

TEST(shap_agrees_with_the_definition_in_float128_and_by_subsets)
{
    for (size_t c = 0; c < AX_COUNT_OF(cases); c++)
        check_case(c);
}

TEST(shap_points_integrate_polynomials_exactly)
{
    double t[260], w[260];
    for (size_t m = 1; m <= 256; m += m < 20 ? 1 : 59) {
        ax_shap_gauss(m, t, w);
        for (size_t degree = 0; degree < 2 * m && degree < 60; degree++) {
            double sum = 0;
            for (size_t q = 0; q < m; q++)
                sum += w[q] * pow(t[q], (double)degree);
            CHECK(fabs(sum - 1.0 / (double)(degree + 1)) < 1e-14);
        }
    }
}

/* A comb: every left child is a leaf, each split on the next feature in turn. */
static struct ax_forest *
comb(struct ax_ctx *ctx, size_t depth, size_t features)
{
    static const double base[1] = {0};
    struct ax_forest *forest = AX_NEW(ctx->arena, struct ax_forest);
    struct ax_forest_builder builder;
    struct ax_forest_node *nodes = AX_NEW_ARRAY(ctx->arena, struct ax_forest_node, 2 * depth + 1);
    double *covers = AX_NEW_ARRAY(ctx->arena, double, 2 * depth + 1);
    *forest = (struct ax_forest){
        .tree_count = 1, .feature_count = features, .output_count = 1, .base = base};
    for (size_t d = 0; d <= depth; d++) {
        nodes[2 * d] = (struct ax_forest_node){.left = -1, .leaf = (double)d, .number = (int32_t)d};
        covers[2 * d] = (double)(depth - d + 1);
        if (d == depth)
            break;
        nodes[2 * d] = (struct ax_forest_node){.left = (int32_t)(2 * d + 1),
                                               .right = (int32_t)(2 * d + 2),
                                               .feature = (int32_t)(d % features),
                                               .threshold = 0.5};
        nodes[2 * d + 1] = (struct ax_forest_node){.left = -1, .leaf = (double)d / 2};
        covers[2 * d + 1] = 1;
    }
    CHECK_EQ(ax_forest_build(ctx, ctx->arena, forest, &builder), AX_OK);
    struct ax_forest_source source = {nodes, covers, 2 * depth + 1, 0};
    CHECK_EQ(ax_forest_add(&builder, ctx, 0, &source), AX_OK);
    return forest;
}

TEST(shap_takes_the_deepest_paths_it_promises)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_forest *forest = comb(&ctx, AX_SHAP_DEPTH_MAX, AX_SHAP_FEATURES_MAX);
    double *row = AX_NEW_ARRAY(arena, double, AX_SHAP_FEATURES_MAX), margin, sum = 0;
    CHECK_EQ(forest->depth_max, AX_SHAP_DEPTH_MAX);
    CHECK_EQ(forest->feature_max, AX_SHAP_FEATURES_MAX);
    for (size_t f = 0; f < AX_SHAP_FEATURES_MAX; f++)
        row[f] = f % 300 == 299 ? 0 : 1;
    double *got = explain(&ctx, forest, row);
    ax_forest_margin(forest, row, &margin, NULL);
    for (size_t f = 0; f <= AX_SHAP_FEATURES_MAX; f++)
        sum += got[f];
    CHECK(fabs(sum - margin) <= 1e-9 * 1000);
    CHECK(!ax_shap_fits(comb(&ctx, AX_SHAP_DEPTH_MAX + 1, 2)));
    CHECK(!ax_shap_fits(comb(&ctx, AX_SHAP_FEATURES_MAX + 1, AX_SHAP_FEATURES_MAX + 1)));
}
