#include "engine/forest_batch.h"

#include "engine/engine.h"
#include "harness.h"
#include "kernel_case.h"

enum { TEST_BYTES_MAX = 1 << 28, ROWS = 1'100 };

struct level {
    const struct ax_forest_batch_ops *const *sizes;
    bool here;
};

static size_t
levels_of(struct level levels[3])
{
    size_t count = 0;
    levels[count++] = (struct level){ax_forest_batch_portable, true};
#ifdef __x86_64__
    levels[count++] = (struct level){ax_forest_batch_avx2, __builtin_cpu_supports("avx2")};
    levels[count++] = (struct level){ax_forest_batch_avx512, __builtin_cpu_supports("avx512vbmi") &&
                                                                 __builtin_cpu_supports("gfni")};
#endif
    return count;
}

struct expected {
    struct ax_forest_rows rows;
    const double *margins;
    size_t outputs;
};

/* Each number of rows from 1 to 130, and some around the sizes of a block. */
static void
check_counts(struct ax_ctx *ctx, const struct ax_forest_batch *batch, uint32_t width,
             const struct expected *expected)
{
    double *got = AX_NEW_ARRAY(ctx->arena, double, ROWS * expected->outputs);
    void *scratch = kernel_case_scratch(ctx, batch->form->scratch_bytes);
    for (size_t n = 1; n <= ROWS; n += n < 130 ? 1 : 61) {
        struct ax_forest_rows rows = expected->rows;
        rows.count = n;
        memset(got, 0xFF, ROWS * expected->outputs * sizeof *got);
        ax_forest_batch_score(batch, width, &rows, scratch, got);
        if (memcmp(got, expected->margins, n * expected->outputs * sizeof *got) != 0)
            ax_test_failed(__FILE__, __LINE__, "%s: %zu rows", batch->sizes[width]->name, n);
        if (n < ROWS) /* and nothing behind them */
            CHECK(isnan(got[n * expected->outputs]));
    }
}

static void
check_forest(const struct kernel_case *about, bool f32, bool fast)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_forest *forest = kernel_case_make(&ctx, about);
    struct ax_forest_plan plan;
    struct level levels[3];
    struct expected expected = {
        .rows = {.at = kernel_case_rows(&ctx, forest, about->seed, ROWS, f32),
                 .stride_bytes = forest->feature_count * (f32 ? sizeof(float) : sizeof(double)),
                 .f32 = f32,
                 .fast = fast},
        .outputs = forest->output_count,
    };
    expected.rows.count = ROWS;
    expected.margins = kernel_case_margins(&ctx, forest, &expected.rows);
    CHECK_EQ(ax_forest_compile(&ctx, forest, &plan), AX_OK);
    REQUIRE(ax_forest_batch_fits(&plan));
    for (size_t l = 0, count = levels_of(levels); l < count; l++)
        for (int code = 0; code < 2; code++) {
            struct ax_forest_batch_config config = {levels[l].sizes, SIZE_MAX, code};
            struct ax_forest_batch batch;
            CHECK_EQ(ax_forest_batch_build(&ctx, &plan, &config, arena, &batch), AX_OK);
            REQUIRE(batch.form);
            void *copy = kernel_case_scratch(&ctx, batch.form->bytes);
            memcpy(copy, batch.form, batch.form->bytes); /* no pointer in it: a copy does */
            batch.form = copy;
            for (uint32_t w = 0; levels[l].here && batch.sizes[w]; w++)
                check_counts(&ctx, &batch, w, &expected);
        }
}

TEST(forest_batch_gives_the_walks_bits_for_every_number_of_rows)
{
    static const struct kernel_case cases[] = {
        {.tree_count = 1, .leaves_max = 1, .depth_max = 1},
        {.tree_count = 16, .leaves_max = 31, .depth_max = 20},
        {.tree_count = 33, .leaves_max = 31, .depth_max = 20, .f32 = true},
        {.tree_count = 20, .leaves_max = 64, .depth_max = 20, .output_count = 3},
        {.tree_count = 20, .leaves_max = 64, .depth_max = 20, .f32 = true},
        {.tree_count = 20, .leaves_max = 128, .depth_max = 9, .sets = 0.3},
        {.tree_count = 20, .leaves_max = 128, .depth_max = 9, .f32 = true, .output_count = 2},
        {.tree_count = 20, .leaves_max = 256, .depth_max = 30},
        {.tree_count = 20, .leaves_max = 256, .depth_max = 30, .f32 = true, .sets = 0.2},
        {.tree_count = 20, .leaves_max = 60, .depth_max = 9, .output_count = 3, .vectors = true},
        {.tree_count = 90, .leaves_max = 60, .depth_max = 9, .threshold_max = 900},
        {.tree_count = 40, .leaves_max = 60, .depth_max = 9, .feature_count = 90},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct kernel_case about = cases[i];
        about.seed = i + 1;
        about.threshold_max = about.threshold_max ? about.threshold_max : 40;
        about.feature_count = about.feature_count ? about.feature_count : 9;
        about.output_count = about.output_count ? about.output_count : 1;
        check_forest(&about, false, i % 2 == 0); /* each mode with one type of rows */
        check_forest(&about, true, i % 2 == 1);
    }
}

TEST(forest_batch_form_is_small_and_knows_its_size)
{
    static const struct kernel_case about = {.tree_count = 100,
                                             .feature_count = 23,
                                             .output_count = 1,
                                             .leaves_max = 31,
                                             .depth_max = 20,
                                             .threshold_max = 60,
                                             .seed = 9};
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_forest_plan plan;
    struct level levels[3];
    CHECK_EQ(ax_forest_compile(&ctx, kernel_case_make(&ctx, &about), &plan), AX_OK);
    for (size_t l = 0, count = levels_of(levels); l < count; l++) {
        struct ax_forest_batch_config config = {levels[l].sizes, SIZE_MAX, false};
        struct ax_forest_batch batch;
        CHECK_EQ(ax_forest_batch_build(&ctx, &plan, &config, arena, &batch), AX_OK);
        CHECK(batch.form->bytes < 400 * 1024);
        config.bytes_max = batch.form->bytes - 1;
        CHECK_EQ(ax_forest_batch_build(&ctx, &plan, &config, arena, &batch), AX_OK);
        CHECK(!batch.form);
    }
}
