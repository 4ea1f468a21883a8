#include "harness.h"
#include "kernel_case.h"

/* The two orders of addition against the sum of the real numbers (forest.h says the bounds). */

#if defined(__SIZEOF_FLOAT128__) && defined(__clang__)
typedef __float128 quad; /* clang's word for it, and gcc's here alone */
#else
typedef _Float128 quad;
#endif

enum { TEST_BYTES_MAX = 1 << 28, SEEDS = 60, ROWS = 40 };

/* Of one output: exactly, or as good as; and the sum of the magnitudes. */
struct truth {
    quad sum, magnitude;
    size_t terms;
};

static quad
size_of(quad x)
{
    return x < 0 ? -x : x;
}

static struct truth
truth_of(const struct ax_forest *forest, const double *row, size_t output)
{
    quad base = (quad)forest->base[output];
    struct truth truth = {base, size_of(base), 0};
    for (size_t t = 0; t < forest->tree_count; t++) {
        const struct ax_forest_tree *tree = &forest->trees[t];
        if (tree->output >= 0 && (size_t)tree->output != output)
            continue;
        quad value = (quad)ax_forest_value(forest, tree, ax_forest_leaf(forest, tree, row), output);
        truth.sum += value;
        truth.magnitude += size_of(value);
        truth.terms++;
    }
    return truth;
}

/* Whether a sum is within so many half units of the last place of the magnitudes. */
static bool
within(double got, const struct truth *truth, double units, bool f32)
{
    quad unit = f32 ? (quad)0x1p-24 : (quad)0x1p-53;
    return size_of((quad)got - truth->sum) <= (quad)units * unit * truth->magnitude * (quad)1.001;
}

struct tally {
    size_t sums, different;
};

static void
check_row(const struct ax_forest *forest, const double *row, double *margins, struct tally *tally)
{
    double *exact = margins, *fast = margins + forest->output_count;
    ax_forest_margin(forest, row, exact, NULL);
    ax_forest_margin_fast(forest, row, fast, NULL);
    for (size_t k = 0; k < forest->output_count; k++) {
        struct truth truth = truth_of(forest, row, k);
        double terms = (double)truth.terms;
        tally->sums++;
        tally->different += exact[k] != fast[k];
        /* A base of many outputs is rounded with the first addition. */
        CHECK(within(exact[k], &truth, terms + 1, forest->f32));
        CHECK(within(fast[k], &truth, terms / AX_FOREST_RUN + 9, forest->f32));
    }
}

TEST(forest_mode_fast_keeps_its_bound_and_is_another_order)
{
    struct tally tally = {};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
        struct ax_ctx ctx = ax_ctx_of(arena);
        struct kernel_case about = kernel_case_of(seed);
        struct ax_forest *forest = kernel_case_make(&ctx, &about);
        const double *rows = kernel_case_rows(&ctx, forest, seed, ROWS, false);
        double *margins = AX_NEW_ARRAY(arena, double, 2 * forest->output_count);
        for (size_t i = 0; i < ROWS; i++)
            check_row(forest, rows + i * forest->feature_count, margins, &tally);
    }
    CHECK(tally.different > tally.sums / 10 && tally.different < tally.sums);
}

/* Of ten trees that add 1 to a base where 1 alone is lost, runs are not. */
TEST(forest_mode_fast_adds_runs_of_eight_to_the_base)
{
    static const struct ax_forest_node one = {.left = -1, .leaf = 1};
    static const double base[] = {0x1p53};
    struct ax_forest_tree trees[10];
    int32_t leaves[10] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    for (size_t t = 0; t < AX_COUNT_OF(trees); t++)
        trees[t] = (struct ax_forest_tree){.nodes = &one, .node_count = 1};
    const struct ax_forest forest = {
        .trees = trees, .tree_count = 10, .feature_count = 1, .output_count = 1, .base = base};
    double row = 0, exact = 0, fast = 0;
    ax_forest_margin(&forest, &row, &exact, NULL);
    ax_forest_margin_fast(&forest, &row, &fast, leaves);
    CHECK(exact == 0x1p53);
    CHECK(fast == 0x1p53 + 8 + 2);
    CHECK(leaves[0] == 0 && leaves[9] == 0);
}
