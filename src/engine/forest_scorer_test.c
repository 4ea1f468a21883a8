#include "engine/forest_scorer.h"

#include <stdlib.h>

#include "harness.h"
#include "kernel_case.h"
#include "sys/file.h"

enum { TEST_BYTES_MAX = 1 << 29, SEEDS = 120, ROWS = 700 };

static const struct {
    enum ax_engine_level level;
    enum ax_engine_kernel kernel;
    bool code, leaf_masks;
} kinds[] = {
    {AX_ENGINE_LEVEL_BEST, AX_ENGINE_KERNEL_BEST},
    {AX_ENGINE_LEVEL_PORTABLE, AX_ENGINE_KERNEL_WALK},
    {AX_ENGINE_LEVEL_PORTABLE, AX_ENGINE_KERNEL_BEST},
    {AX_ENGINE_LEVEL_PORTABLE, AX_ENGINE_KERNEL_INTERLEAVE},
    {AX_ENGINE_LEVEL_PORTABLE, AX_ENGINE_KERNEL_BATCH},
    {AX_ENGINE_LEVEL_AVX2, AX_ENGINE_KERNEL_BEST},
    {AX_ENGINE_LEVEL_AVX2, AX_ENGINE_KERNEL_MATCH},
    {AX_ENGINE_LEVEL_AVX2, AX_ENGINE_KERNEL_HEAP},
    {AX_ENGINE_LEVEL_AVX2, AX_ENGINE_KERNEL_BATCH},
    {AX_ENGINE_LEVEL_AVX512, AX_ENGINE_KERNEL_BEST},
    {AX_ENGINE_LEVEL_AVX512, AX_ENGINE_KERNEL_INTERLEAVE},
    {AX_ENGINE_LEVEL_AVX512, AX_ENGINE_KERNEL_MATCH},
    {AX_ENGINE_LEVEL_AVX512, AX_ENGINE_KERNEL_HEAP},
    {AX_ENGINE_LEVEL_AVX512, AX_ENGINE_KERNEL_GATHER},
    {AX_ENGINE_LEVEL_AVX512, AX_ENGINE_KERNEL_BATCH},
    {AX_ENGINE_LEVEL_AVX512, AX_ENGINE_KERNEL_BATCH, true},
    {AX_ENGINE_LEVEL_PORTABLE, AX_ENGINE_KERNEL_MASKS},
    {AX_ENGINE_LEVEL_AVX2, AX_ENGINE_KERNEL_MASKS},
    {AX_ENGINE_LEVEL_AVX512, AX_ENGINE_KERNEL_MASKS},
    {AX_ENGINE_LEVEL_BEST, AX_ENGINE_KERNEL_BEST, .leaf_masks = true},
};

/* Scores rows in calls of `calls` rows each and compares with the walk. */
static bool
same(struct ax_ctx *ctx, const struct ax_forest_scorer *scorer, const struct ax_forest_rows *rows,
     size_t calls, const double *want)
{
    size_t outputs = scorer->forest->output_count;
    double *got = AX_NEW_ARRAY(ctx->arena, double, rows->count *outputs + 1);
    void *scratch = kernel_case_scratch(ctx, scorer->scratch_bytes);
    CHECK_EQ(ax_forest_scorer_prepare(scorer, ctx, calls), AX_OK);
    CHECK(ax_forest_scorer_prepared(scorer, calls));
    for (size_t from = 0, count; from < rows->count; from += count) {
        count = rows->count - from < calls ? rows->count - from : calls;
        struct ax_forest_rows part = *rows;
        part.at = (const char *)rows->at + from * rows->stride_bytes;
        part.count = count;
        ax_forest_scorer_run(scorer, &part, scratch, got + from * outputs);
    }
    return memcmp(got, want, rows->count * outputs * sizeof *got) == 0;
}

static void
check_seed(uint64_t seed)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct kernel_case about = kernel_case_of(seed);
    struct ax_forest *forest = kernel_case_make(&ctx, &about);
    static const size_t calls[] = {1, 3, 64, 100, 129, 257, 512, ROWS};
    for (int f32 = 0; f32 < 2; f32++) {
        bool fast = (seed + (uint64_t)f32) % 2; /* each mode in one of them */
        size_t cell = f32 ? sizeof(float) : sizeof(double);
        struct ax_forest_rows rows = {
            .at = kernel_case_rows(&ctx, forest, seed, ROWS, f32),
            .count = ROWS,
            .stride_bytes = cell * forest->feature_count,
            .f32 = f32,
            .fast = fast,
        };
        double *want = kernel_case_margins(&ctx, forest, &rows);
        for (size_t k = 0; k < AX_COUNT_OF(kinds); k++) {
            struct ax_engine_config config = {.level = kinds[k].level,
                                              .kernel = kinds[k].kernel,
                                              .forest_code = kinds[k].code,
                                              .leaf_masks = kinds[k].leaf_masks};
            struct ax_forest_scorer scorer;
            ax_status status =
                ax_forest_scorer_init(&ctx, forest, &config, arena, SIZE_MAX, &scorer);
            if (status == AX_UNSUPPORTED && config.level >= AX_ENGINE_LEVEL_AVX2)
                continue;
            CHECK_EQ(status, AX_OK);
            size_t size = calls[(seed + k) % AX_COUNT_OF(calls)];
            if (!same(&ctx, &scorer, &rows, size, want))
                ax_test_failed(__FILE__, __LINE__, "seed %d kind %zu f32 %d, %zu rows a call",
                               (int)seed, k, f32, size);
        }
    }
}

TEST(forest_scorer_gives_the_walks_bits_with_every_kernel)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        check_seed(seed);
}

static const struct ax_forest_batch_form *
form_of(const struct ax_forest_scorer *scorer)
{
    const struct ax_forest_scorer_batch *made = ax_forest_scorer_made(scorer);
    return made ? made->batch.form : NULL;
}

static void
check_covers(struct ax_ctx *ctx)
{
    static const struct ax_engine_config best = {};
    size_t row = 0, batch = 0, both = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
        struct ax_ctx inner = ax_ctx_of(arena);
        struct kernel_case about = kernel_case_of(seed);
        struct ax_forest *forest = kernel_case_make(&inner, &about);
        struct ax_forest_scorer scorer;
        CHECK_EQ(ax_forest_scorer_init(&inner, forest, &best, arena, SIZE_MAX, &scorer), AX_OK);
        CHECK(!ax_forest_scorer_made(&scorer));
        CHECK_EQ(ax_forest_scorer_prepare(&scorer, &inner, 1), AX_OK);
        CHECK(!ax_forest_scorer_made(&scorer)); /* one row is not worth a form */
        CHECK_EQ(ax_forest_scorer_finish(&scorer, &inner, arena), AX_OK);
        CHECK(!ax_forest_scorer_made(&scorer) || ax_forest_scorer_made(&scorer)->bytes == 0);
        row += scorer.row != NULL;
        batch += form_of(&scorer) != NULL;
        both += scorer.row && form_of(&scorer);
        CHECK(!scorer.row || scorer.row->bytes % 64 == 0);
        CHECK_EQ(ax_forest_scorer_init(&inner, forest, &best, arena, 100, &scorer), AX_OK);
        CHECK_EQ(ax_forest_scorer_prepare(&scorer, &inner, ROWS), AX_OK);
        CHECK(!scorer.row && !form_of(&scorer)); /* no room: the walk */
        CHECK(ax_forest_scorer_prepared(&scorer, ROWS));
    }
    (void)ctx;
    CHECK(row > SEEDS * 8 / 10 && batch > SEEDS * 6 / 10 && both > SEEDS / 2);
}

TEST(forest_scorer_covers_most_forests_and_does_without_room)
{
    ax_test_with_ctx(check_covers);
}

/* ---- forms that were kept ---- */

/* Which forms a scorer has, and which of them it found. */
struct has {
    bool row, row_found, batch, batch_found;
};

static struct has
score_kept(struct ax_ctx *ctx, const struct ax_forest *forest,
           const struct ax_engine_config *config, const struct ax_forest_rows *rows,
           const double *want)
{
    struct ax_forest_scorer scorer;
    CHECK_EQ(ax_forest_scorer_init(ctx, forest, config, ctx->arena, SIZE_MAX, &scorer), AX_OK);
    for (size_t calls = 1; calls <= ROWS; calls += ROWS - 1)
        CHECK(same(ctx, &scorer, rows, calls, want));
    const struct ax_forest_scorer_batch *made = ax_forest_scorer_made(&scorer);
    CHECK(!scorer.mapped_bytes || scorer.mapped_bytes == scorer.row->bytes);
    CHECK(!made || !made->mapped_bytes || made->mapped_bytes == made->batch.form->bytes);
    return (struct has){.row = scorer.row,
                        .row_found = scorer.mapped_bytes,
                        .batch = form_of(&scorer) && !made->batch.code,
                        .batch_found = made && made->mapped_bytes};
}

/* Everything that can be kept is found the second time, and nothing of another model. */
static void
check_kept(const struct ax_forms *folder, uint64_t seed)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct kernel_case about = kernel_case_of(seed);
    about.tree_count = 200;
    const struct ax_forest *forest = kernel_case_make(&ctx, &about);
    ax_digest digest = {{1, (uint8_t)seed}}, other = {{2, (uint8_t)seed}};
    struct ax_forest_rows rows = {.at = kernel_case_rows(&ctx, forest, seed, ROWS, false),
                                  .count = ROWS,
                                  .stride_bytes = sizeof(double) * forest->feature_count};
    double *want = kernel_case_margins(&ctx, forest, &rows);
    bool large = forest->node_count >= 1'000;
    for (size_t k = 0; k < AX_COUNT_OF(kinds); k++) {
        struct ax_engine_config config = {.level = kinds[k].level,
                                          .kernel = kinds[k].kernel,
                                          .forest_code = kinds[k].code,
                                          .leaf_masks = kinds[k].leaf_masks};
        struct ax_forest_scorer scorer;
        if (ax_forest_scorer_init(&ctx, forest, &config, arena, SIZE_MAX, &scorer) != AX_OK)
            continue; /* not on this machine */
        config.forms = folder;
        config.digest = &digest;
        (void)score_kept(&ctx, forest, &config, &rows, want);
        struct has has = score_kept(&ctx, forest, &config, &rows, want);
        CHECK_EQ(has.row_found, has.row && large);
        CHECK_EQ(has.batch_found, has.batch && large);
    }
    const struct ax_engine_config foreign = {.forms = folder, .digest = &other};
    struct has has = score_kept(&ctx, forest, &foreign, &rows, want);
    CHECK(!has.row_found && !has.batch_found);
}

/* With a folder of its own, which goes with the test. */
static void
in_folder(void (*body)(const struct ax_forms *folder))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    char name[] = "/tmp/axiom-forms-XXXXXX";
    struct ax_forms *opened = NULL;
    REQUIRE(mkdtemp(name) != NULL);
    const struct ax_forms_config kept = {.folder = ax_str_of(name), .bytes_max = 1 << 30};
    REQUIRE(ax_forms_open(&ctx, &kept, &opened) == AX_OK);
    ax_auto(ax_forms_close) struct ax_forms *folder = opened;
    body(folder);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(name)), AX_OK);
}

static void
check_seeds(const struct ax_forms *folder)
{
    for (uint64_t seed = 0; seed < SEEDS / 10; seed++)
        check_kept(folder, seed);
}

TEST(forest_scorer_gives_the_same_bits_from_forms_that_were_kept)
{
    in_folder(check_seeds);
}

static const struct ax_forest *swept; /* made before the sweep */
static struct ax_engine_config sweeping;

static ax_status
init_swept(struct ax_ctx *ctx)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    if (!arena)
        return AX_LIMIT;
    struct ax_ctx inner = ax_ctx_of(arena);
    struct ax_forest_scorer scorer;
    ax_status status = ax_forest_scorer_init(&inner, swept, &sweeping, arena, SIZE_MAX, &scorer);
    if (status == AX_OK)
        status = ax_forest_scorer_prepare(&scorer, &inner, ROWS);
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "%s", inner.error);
}

static void
sweep(const struct kernel_case *about, const struct ax_engine_config *config)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    swept = kernel_case_make(&ctx, about);
    sweeping = *config;
    CHECK(!config->forms || swept->node_count >= 1'000); /* smaller ones are not kept */
    FAULT_SWEEP(init_swept);
}

TEST(forest_scorer_survives_every_failed_allocation)
{
    static const struct ax_engine_config code = {.forest_code = true};
    static const struct kernel_case about = {.tree_count = 40,
                                             .feature_count = 5,
                                             .output_count = 2,
                                             .leaves_max = 60,
                                             .depth_max = 9,
                                             .threshold_max = 40,
                                             .sets = 0.3,
                                             .seed = 4};
    sweep(&about, &code);
}

/* Found the first time or made: whatever fails, there is a scorer or a word why not. */
static void
sweep_with_forms(const struct ax_forms *folder)
{
    static const struct kernel_case about = {.tree_count = 60,
                                             .feature_count = 5,
                                             .output_count = 1,
                                             .leaves_max = 30,
                                             .depth_max = 9,
                                             .threshold_max = 40,
                                             .seed = 4};
    static const ax_digest digest = {{4}};
    const struct ax_engine_config kept = {.forms = folder, .digest = &digest};
    sweep(&about, &kept);
}

TEST(forest_scorer_with_kept_forms_survives_every_failed_allocation)
{
    in_folder(sweep_with_forms);
}
