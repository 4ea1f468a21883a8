#include "engine/shap_interaction.h"

#include "base/alloc.h"
#include "forest_case.h"
#include "harness.h"

enum { TEST_BYTES_MAX = 1 << 28, ROWS = 3, ENUMERATED_MAX = 12 };

static const struct {
    const char *name;
    struct forest_case about;
    bool enumerate;
} cases[] = {
    {"depth 6, 8 features", {6, 8, 1, 6, -1, 0, 0, false, 1}, true},
    {"depth 7, 3 features, repeats", {6, 3, 1, 7, -1, 0, 0, false, 2}, true},
    {"zero covers", {10, 7, 1, 5, -1, 0.3, 0, false, 3}, true},
    {"categorical splits", {10, 6, 1, 5, -1, 0, 0.5, false, 4}, true},
    {"three outputs in turn", {9, 7, 3, 5, -1, 0, 0.2, false, 5}, true},
    {"leaf vectors", {5, 7, 3, 5, -1, 0.1, 0.2, true, 6}, true},
    {"stumps and single leaves", {10, 4, 1, 1, -1, 0, 0, false, 7}, true},
    {"depth 40, cover 0.99", {6, 60, 1, 40, 0.99, 0, 0, false, 9}, false},
    {"depth 40, zero covers", {6, 30, 1, 40, -1, 0.2, 0.1, false, 13}, false},
};

/* What one output is worth when the features of the subset are the row's. */
static double
expected_value(const struct ax_forest *forest, size_t output, const double *row, uint32_t subset)
{
    double sum = 0;
    for (size_t t = 0; t < forest->tree_count; t++) {
        const struct ax_forest_tree *tree = &forest->trees[t];
        double *reach = ax_alloc(sizeof *reach, tree->node_count);
        reach[0] = tree->output < 0 || (size_t)tree->output == output;
        for (uint32_t n = 0; n < tree->node_count; n++) {
            const struct ax_forest_node *node = &tree->nodes[n];
            if (node->left < 0) {
                sum += reach[n] != 0 ? reach[n] * ax_forest_value(forest, tree, node, output) : 0;
                continue;
            }
            bool own = subset >> node->feature & 1;
            bool left = ax_forest_goes_left(forest, node, row[node->feature]);
            reach[node->left] = reach[n] * (own ? left : tree->share[node->left]);
            reach[node->right] = reach[n] * (own ? !left : tree->share[node->right]);
        }
        ax_free(reach);
    }
    return sum;
}

/* The definition: sums over all subsets without the pair. */
static double
enumerated(const double *values, size_t features, uint32_t i, uint32_t j)
{
    uint32_t pair = UINT32_C(1) << i | UINT32_C(1) << j;
    double sum = 0;
    for (uint32_t subset = 0; subset < UINT32_C(1) << features; subset++) {
        if (subset & pair)
            continue;
        size_t size = (size_t)__builtin_popcount(subset);
        double weight = 0.5 / (double)(features - 1); /* size! (n - size - 2)! / (n - 1)! / 2 */
        for (size_t k = 1; k <= size; k++)
            weight *= (double)k / (double)(features - 1 - k);
        sum += weight * (values[subset | pair] - values[subset | UINT32_C(1) << i] -
                         values[subset | UINT32_C(1) << j] + values[subset]);
    }
    return sum;
}

static void
check_pairs(const char *name, const struct ax_forest *forest, const double *row, const double *got)
{
    size_t features = forest->feature_count, stride = features + 1;
    REQUIRE(features <= ENUMERATED_MAX);
    double *values = ax_alloc(sizeof *values, (size_t)1 << features);
    for (size_t k = 0; k < forest->output_count; k++, got += stride * stride) {
        for (uint32_t subset = 0; subset < UINT32_C(1) << features; subset++)
            values[subset] = expected_value(forest, k, row, subset);
        for (uint32_t i = 0; i < features; i++)
            for (uint32_t j = 0; j < features; j++) {
                double want = i == j ? got[i * stride + i] : enumerated(values, features, i, j);
                if (!(fabs(got[i * stride + j] - want) <= 1e-12))
                    ax_test_failed(__FILE__, __LINE__, "%s: pair %u, %u is %.17g, not %.17g", name,
                                   i, j, got[i * stride + j], want);
            }
    }
    ax_free(values);
}

static void
check_lines(const char *name, const struct ax_forest *forest, const double *got,
            const double *contributions)
{
    size_t stride = forest->feature_count + 1;
    for (size_t k = 0; k < forest->output_count; k++)
        for (size_t i = 0; i < stride; i++) {
            const double *matrix = got + k * stride * stride;
            double sum = 0;
            for (size_t j = 0; j < stride; j++) {
                sum += matrix[i * stride + j];
                CHECK(matrix[i * stride + j] == matrix[j * stride + i]);
            }
            if (!(fabs(sum - contributions[k * stride + i]) <= 1e-13))
                ax_test_failed(__FILE__, __LINE__, "%s: line %zu adds up to %.17g, not %.17g", name,
                               i, sum, contributions[k * stride + i]);
        }
}

static void
check_case(size_t c)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_forest *forest = forest_case_make(&ctx, &cases[c].about);
    double *rows = forest_case_rows(&ctx, &cases[c].about, ROWS);
    size_t stride = forest->feature_count + 1, width = stride * forest->output_count;
    double *contributions = AX_NEW_ARRAY(arena, double, width);
    double *got = AX_NEW_ARRAY(arena, double, width *stride);
    struct ax_shap_points points;
    CHECK_EQ(ax_shap_prepare(forest, &ctx, arena, &points), AX_OK);
    size_t bytes = ax_shap_interaction_scratch_bytes(forest);
    void *plain = ax_alloc(1, ax_shap_scratch_bytes(forest)), *scratch = ax_alloc(1, bytes);
    for (size_t i = 0; i < ROWS; i++) {
        const double *row = rows + i * forest->feature_count;
        memset(scratch, 0xa5, bytes);
        ax_shap_row(forest, &points, row, plain, contributions);
        ax_shap_interaction_row(forest, &points, row, contributions, scratch, got);
        check_lines(cases[c].name, forest, got, contributions);
        if (cases[c].enumerate)
            check_pairs(cases[c].name, forest, row, got);
    }
    ax_free(plain);
    ax_free(scratch);
}

TEST(shap_interactions_agree_with_all_subsets_and_add_up)
{
    for (size_t c = 0; c < AX_COUNT_OF(cases); c++)
        check_case(c);
}
