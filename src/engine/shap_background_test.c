#include "engine/shap_background.h"

#include "base/alloc.h"
#include "engine/shap.h"
#include "forest_case.h"
#include "harness.h"

enum { TEST_BYTES_MAX = 1 << 28, ROWS = 4, REFERENCES_MAX = 130 };

static const struct {
    const char *name;
    struct forest_case about;
    size_t references;
    bool enumerate;
} cases[] = {
    {"one reference", {20, 8, 1, 6, -1, 0, 0, false, 1}, 1, true},
    {"depth 7, 3 features, repeats", {20, 3, 1, 7, -1, 0, 0, false, 2}, 20, true},
    {"categorical splits", {20, 6, 1, 5, -1, 0, 0.5, false, 4}, 20, true},
    {"three outputs in turn", {21, 7, 3, 5, -1, 0, 0.2, false, 5}, 20, true},
    {"leaf vectors", {10, 7, 3, 5, -1, 0, 0.2, true, 6}, 10, true},
    {"stumps and single leaves", {20, 4, 1, 1, -1, 0, 0, false, 7}, 65, true},
    {"a word of references", {10, 8, 1, 6, -1, 0, 0, false, 8}, 64, false},
    {"three words of references", {10, 8, 1, 6, -1, 0, 0, false, 9}, REFERENCES_MAX, false},
    {"depth 40, 60 features", {6, 60, 1, 40, -1, 0, 0, false, 10}, 30, false},
    {"depth 60, 10 features", {6, 10, 1, 60, -1, 0, 0.1, false, 12}, 30, false},
    {"depth 80, 100 features", {4, 100, 1, 80, -1, 0, 0, false, 14}, 30, false},
};

static void
check_case(size_t c)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    size_t references = cases[c].references;
    struct ax_forest *forest = forest_case_make(&ctx, &cases[c].about);
    double *rows = forest_case_rows(&ctx, &cases[c].about, references + ROWS);
    size_t stride = forest->feature_count + 1, width = stride * forest->output_count;
    double *want = AX_NEW_ARRAY(arena, double, width), *got = AX_NEW_ARRAY(arena, double, width);
    struct ax_shap_background background;
    const struct ax_shap_population population = {rows, references};
    CHECK_EQ(ax_shap_background_prepare(forest, &ctx, arena, &population, NULL, &background),
             AX_OK);
    size_t bytes = ax_shap_background_scratch_bytes(forest, &background);
    void *scratch = ax_alloc(1, bytes);
    memset(scratch, 0xa5, bytes);
    for (size_t i = 0; i < ROWS; i++) {
        const double *row = rows + (references + i) * forest->feature_count;
        ax_shap_background_row(forest, &background, row, scratch, got);
        forest_case_oracle(&ctx, forest, row, rows, references, want);
        double off = forest_case_difference(got, want, width);
        if (!(off <= 1e-13))
            ax_test_failed(__FILE__, __LINE__, "%s: %.1e off the oracle", cases[c].name, off);
        if (cases[c].enumerate) {
            forest_case_enumerate(forest, row, rows, references, want);
            off = forest_case_difference(got, want, width);
            if (!(off <= 1e-11)) /* the enumeration itself rounds in double */
                ax_test_failed(__FILE__, __LINE__, "%s: %.1e off all subsets", cases[c].name, off);
        }
    }
    ax_free(scratch);
}

TEST(shap_background_agrees_with_the_definition_in_float128_and_by_subsets)
{
    for (size_t c = 0; c < AX_COUNT_OF(cases); c++)
        check_case(c);
}

/* A row that is the whole population differs from it in nothing. */
TEST(shap_background_of_the_row_itself_gives_zeros)
{
    static const struct forest_case about = {20, 8, 1, 6, -1, 0, 0.2, false, 21};
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_forest *forest = forest_case_make(&ctx, &about);
    double *rows = forest_case_rows(&ctx, &about, 1), got[9], margin;
    struct ax_shap_background background;
    const struct ax_shap_population population = {rows, 1};
    CHECK_EQ(ax_shap_background_prepare(forest, &ctx, arena, &population, NULL, &background),
             AX_OK);
    void *scratch = ax_arena_alloc(arena, 1, ax_shap_background_scratch_bytes(forest, &background));
    ax_shap_background_row(forest, &background, rows, scratch, got);
    ax_forest_margin(forest, rows, &margin, NULL);
    for (size_t f = 0; f < 8; f++)
        CHECK(got[f] == 0);
    CHECK(fabs(got[8] - margin) < 1e-12);
}
