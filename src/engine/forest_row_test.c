#include "engine/forest_row.h"

#include "forest_case.h"
#include "harness.h"

static void
check_form(struct ax_ctx *ctx, const struct forest_case *about, enum ax_forest_row_kind kind,
           ax_forest_row_score score)
{
    enum { ROWS = 300 };
    struct ax_forest *forest = forest_case_make(ctx, about);
    forest->f32 = about->seed % 2;
    double *rows = forest_case_rows(ctx, about, ROWS);
    struct ax_forest_plan plan;
    CHECK_EQ(ax_forest_compile(ctx, forest, &plan), AX_OK);
    REQUIRE(plan.fits);
    const struct ax_forest_row *form = NULL;
    if (!ax_forest_row_fits(&plan, kind))
        return;
    CHECK_EQ(ax_forest_row_build(ctx, &plan, kind, ctx->arena, SIZE_MAX, &form), AX_OK);
    REQUIRE(form);
    char *scratch = ax_arena_alloc(ctx->arena, 1, form->scratch_bytes + 64);
    scratch += -(uintptr_t)scratch & 63;
    size_t K = forest->output_count, F = forest->feature_count;
    double *got = AX_NEW_ARRAY(ctx->arena, double, ROWS *K);
    struct ax_forest_rows in = {rows, ROWS, F * sizeof(double), false};
    score(form, &in, scratch, got);
    for (size_t i = 0; i < ROWS; i++) {
        double want[16];
        ax_forest_margin(forest, rows + i * F, want, NULL);
        if (memcmp(want, got + i * K, K * sizeof *want) != 0) {
            ax_test_failed(__FILE__, __LINE__, "seed %d row %zu: %a, not %a", (int)about->seed, i,
                           got[i * K], want[0]);
            return;
        }
    }
}

static void
check_all(struct ax_ctx *ctx)
{
    static const struct forest_case cases[] = {
        {.tree_count = 20,
         .feature_count = 7,
         .output_count = 1,
         .depth = 5,
         .share = -1,
         .seed = 1},
        {.tree_count = 20,
         .feature_count = 7,
         .output_count = 1,
         .depth = 5,
         .share = -1,
         .seed = 2},
        {.tree_count = 20,
         .feature_count = 70,
         .output_count = 3,
         .depth = 6,
         .share = -1,
         .seed = 3},
        {.tree_count = 21,
         .feature_count = 70,
         .output_count = 3,
         .depth = 6,
         .share = -1,
         .seed = 4},
        {.tree_count = 3,
         .feature_count = 7,
         .output_count = 1,
         .depth = 7,
         .share = -1,
         .seed = 5,
         .categorical = 0.5},
        {.tree_count = 40,
         .feature_count = 7,
         .output_count = 1,
         .depth = 8,
         .share = -1,
         .seed = 6,
         .categorical = 0.5},
        {.tree_count = 20,
         .feature_count = 7,
         .output_count = 4,
         .depth = 8,
         .share = -1,
         .seed = 7,
         .vectors = true},
        {.tree_count = 20,
         .feature_count = 7,
         .output_count = 1,
         .depth = 60,
         .share = -1,
         .seed = 8},
    };
    (void)ctx;
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new((size_t)1 << 29);
        struct ax_ctx inner = ax_ctx_of(arena);
        check_form(&inner, &cases[i], AX_FOREST_ROW_INTERLEAVE, ax_forest_row_portable);
        check_form(&inner, &cases[i], AX_FOREST_ROW_INTERLEAVE, ax_forest_row_avx512);
        check_form(&inner, &cases[i], AX_FOREST_ROW_MATCH, ax_forest_row_avx512);
        check_form(&inner, &cases[i], AX_FOREST_ROW_HEAP, ax_forest_row_avx512);
    }
}

TEST(forest_row_equals_the_walk)
{
    ax_test_with_ctx(check_all);
}
