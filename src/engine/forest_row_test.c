#include "engine/forest_row.h"

#include "harness.h"
#include "kernel_case.h"

enum { TEST_BYTES_MAX = 1 << 28, ROWS = 300 };

static const enum ax_forest_row_kind kinds[] = {AX_FOREST_ROW_INTERLEAVE, AX_FOREST_ROW_MATCH,
                                                AX_FOREST_ROW_HEAP, AX_FOREST_ROW_GATHER,
                                                AX_FOREST_ROW_MASKS};

[[maybe_unused]] static bool
has_avx512(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("gfni");
#else
    return false;
#endif
}

/* One level's margins in both orders. */
static void
check_level(struct ax_ctx *ctx, const struct ax_forest_row *form, const struct ax_forest *forest,
            const struct ax_forest_rows *given, ax_forest_row_score score)
{
    void *scratch = kernel_case_scratch(ctx, form->scratch_bytes);
    size_t cells = given->count * forest->output_count;
    double *got = AX_NEW_ARRAY(ctx->arena, double, cells);
    for (int fast = 0; fast < 2; fast++) {
        struct ax_forest_rows rows = *given;
        rows.fast = fast;
        memset(got, 0, cells * sizeof *got);
        score(form, &rows, scratch, got);
        CHECK(memcmp(got, kernel_case_margins(ctx, forest, &rows), cells * sizeof *got) == 0);
    }
}

/* Every form and level that can do the forest; returns how many forms there were. */
static size_t
check_forms(struct ax_ctx *ctx, const struct kernel_case *about)
{
    struct ax_forest *forest = kernel_case_make(ctx, about);
    size_t bytes = forest->feature_count * sizeof(double), forms = 0;
    struct ax_forest_rows rows = {.at = kernel_case_rows(ctx, forest, about->seed, ROWS, false),
                                  .count = ROWS,
                                  .stride_bytes = bytes};
    struct ax_forest_plan plan;
    CHECK_EQ(ax_forest_compile(ctx, forest, &plan), AX_OK);
    for (size_t k = 0; k < AX_COUNT_OF(kinds); k++) {
        const struct ax_forest_row *form;
        if (!ax_forest_row_fits(&plan, kinds[k], AX_FOREST_ROW_MATCH_LANES))
            continue;
        forms++;
        CHECK_EQ(ax_forest_row_build(ctx, &plan, kinds[k], ctx->arena, SIZE_MAX, &form), AX_OK);
        /* It is what its head says and needs nothing else: a copy does, and the first may go. */
        void *copy = kernel_case_scratch(ctx, form->bytes);
        memcpy(copy, form, form->bytes);
        form = copy;
        if (kinds[k] == AX_FOREST_ROW_INTERLEAVE || kinds[k] == AX_FOREST_ROW_MASKS)
            check_level(ctx, form, forest, &rows, ax_forest_row_portable);
#ifdef __x86_64__
        if (__builtin_cpu_supports("avx2") && kinds[k] != AX_FOREST_ROW_GATHER &&
            ax_forest_row_fits(&plan, kinds[k], AX_FOREST_ROW_AVX2_LANES))
            check_level(ctx, form, forest, &rows, ax_forest_row_avx2);
        if (has_avx512())
            check_level(ctx, form, forest, &rows, ax_forest_row_avx512);
#endif
    }
    return forms;
}

TEST(forest_row_forms_give_the_walks_bits)
{
    static const struct {
        struct kernel_case about;
        size_t forms;
    } cases[] = {
        {{.tree_count = 1, .leaves_max = 1, .depth_max = 1}, 4},
        {{.tree_count = 9, .leaves_max = 32, .depth_max = 30}, 3},
        {{.tree_count = 10, .leaves_max = 32, .depth_max = 30, .sets = 0.3}, 3},
        {{.tree_count = 64, .leaves_max = 256, .depth_max = 8}, 3},
        {{.tree_count = 65, .leaves_max = 32, .depth_max = 5}, 4},
        {{.tree_count = 600, .leaves_max = 20, .depth_max = 3, .f32 = true}, 4},
        {{.tree_count = 600, .leaves_max = 60, .depth_max = 6, .output_count = 3}, 3},
        {{.tree_count = 30, .feature_count = 60, .leaves_max = 32, .depth_max = 5}, 4},
        {{.tree_count = 90, .feature_count = 60, .leaves_max = 32, .depth_max = 5}, 4},
        {{.tree_count = 90, .feature_count = 80, .leaves_max = 32, .depth_max = 6}, 3},
        {{.tree_count = 20, .leaves_max = 400, .depth_max = 40}, 2},
        {{.tree_count = 20, .output_count = 4, .vectors = true, .leaves_max = 32, .depth_max = 5},
         4},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
        struct ax_ctx ctx = ax_ctx_of(arena);
        struct kernel_case about = cases[i].about;
        about.seed = i + 1;
        about.threshold_max = about.threshold_max ? about.threshold_max : 40;
        about.feature_count = about.feature_count ? about.feature_count : 9;
        about.output_count = about.output_count ? about.output_count : 1;
        size_t forms = check_forms(&ctx, &about);
        if (forms < cases[i].forms)
            ax_test_failed(__FILE__, __LINE__, "case %zu has %zu forms", i, forms);
    }
}

static void
check_size(struct ax_ctx *ctx)
{
    static const struct kernel_case about = {.tree_count = 100,
                                             .feature_count = 23,
                                             .output_count = 1,
                                             .leaves_max = 31,
                                             .depth_max = 20,
                                             .threshold_max = 60,
                                             .seed = 9};
    struct ax_forest_plan plan;
    const struct ax_forest_row *form;
    CHECK_EQ(ax_forest_compile(ctx, kernel_case_make(ctx, &about), &plan), AX_OK);
    CHECK_EQ(ax_forest_row_build(ctx, &plan, AX_FOREST_ROW_MATCH, ctx->arena, SIZE_MAX, &form),
             AX_OK);
    CHECK(form->bytes < 100 * 1024);
    size_t bytes = form->bytes;
    CHECK_EQ(ax_forest_row_build(ctx, &plan, AX_FOREST_ROW_MATCH, ctx->arena, bytes - 1, &form),
             AX_OK);
    CHECK(!form);
}

TEST(forest_row_form_is_small_and_knows_its_size)
{
    ax_test_with_ctx(check_size);
}
