#include "engine/forest_batch.h"

#include "forest_case.h"
#include "harness.h"

static void
check_size(struct ax_ctx *ctx, const struct forest_case *about,
           const struct ax_forest_batch_ops *const *sizes)
{
    enum { ROWS = 1100 };
    struct ax_forest *forest = forest_case_make(ctx, about);
    forest->f32 = about->seed % 2;
    double *rows = forest_case_rows(ctx, about, ROWS);
    struct ax_forest_plan plan;
    CHECK_EQ(ax_forest_compile(ctx, forest, &plan), AX_OK);
    REQUIRE(plan.fits && ax_forest_batch_fits(&plan));
    const struct ax_forest_batch *batch = NULL;
    CHECK_EQ(ax_forest_batch_build(ctx, &plan, sizes, ctx->arena, SIZE_MAX, &batch), AX_OK);
    REQUIRE(batch);
    char *scratch = ax_arena_alloc(ctx->arena, 1, batch->scratch_bytes + 64);
    scratch += -(uintptr_t)scratch & 63;
    size_t K = forest->output_count, F = forest->feature_count;
    double *got = AX_NEW_ARRAY(ctx->arena, double, ROWS *K);
    for (uint32_t w = 0; w < 3 && sizes[w]; w++)
        for (size_t n = 1; n <= ROWS; n = n < 130 ? n + 1 : n + 485) {
            struct ax_forest_rows in = {rows, n, F * sizeof(double), false};
            ax_forest_batch_score(batch, sizes, w, &in, scratch, got);
            for (size_t i = 0; i < n; i++) {
                double want[16];
                ax_forest_margin(forest, rows + i * F, want, NULL);
                if (memcmp(want, got + i * K, K * sizeof *want) != 0) {
                    ax_test_failed(__FILE__, __LINE__, "%s seed %d n %zu row %zu: %a, not %a",
                                   sizes[w]->name, (int)about->seed, n, i, got[i * K], want[0]);
                    return;
                }
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
        {.tree_count = 20,
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
    };
    (void)ctx;
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new((size_t)1 << 29);
        struct ax_ctx inner = ax_ctx_of(arena);
        check_size(&inner, &cases[i], ax_forest_batch_portable);
        check_size(&inner, &cases[i], ax_forest_batch_avx2);
        check_size(&inner, &cases[i], ax_forest_batch_avx512);
    }
}

TEST(forest_batch_equals_the_walk)
{
    ax_test_with_ctx(check_all);
}
