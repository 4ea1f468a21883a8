#include "engine/shap_kernel.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "engine/forest_engine.h"
#include "forest_case.h"
#include "harness.h"
#include "model_case.h"
#include "sys/file.h"

enum { TEST_BYTES_MAX = 1 << 30, ROWS = 65, ORACLE_ROWS = 3, REFERENCES = 67 };

static const struct {
    const char *name;
    struct forest_case about;
} cases[] = {
    {"depth 6, 8 features", {20, 8, 1, 6, -1, 0, 0, false, 1}},
    {"depth 7, 3 features, repeats", {20, 3, 1, 7, -1, 0, 0, false, 2}},
    {"depth 8, several words", {5, 12, 1, 8, -1, 0, 0, false, 22}},
    {"depth 8, 40 features", {9, 40, 1, 8, -1, 0, 0.1, false, 23}},
    {"zero covers", {30, 7, 1, 5, -1, 0.3, 0, false, 3}},
    {"categorical splits", {20, 6, 1, 5, -1, 0, 0.5, false, 4}},
    {"three outputs in turn", {21, 7, 3, 5, -1, 0, 0.2, false, 5}},
    {"leaf vectors", {10, 7, 3, 5, -1, 0.1, 0.2, true, 6}},
    {"stumps and single leaves", {20, 4, 1, 1, -1, 0, 0, false, 7}},
    {"single leaves", {3, 2, 1, 0, -1, 0, 0, false, 27}},
    {"one feature", {10, 1, 1, 6, -1, 0, 0, false, 8}},
    {"depth 40, cover 0.99", {6, 60, 1, 40, 0.99, 0, 0, false, 9}},
    {"depth 40, cover 0.01", {6, 60, 1, 40, 0.01, 0, 0, false, 10}},
    {"depth 60, 10 features", {6, 10, 1, 60, -1, 0.1, 0, false, 12}},
    {"depth 40, zero covers", {6, 30, 1, 40, -1, 0.2, 0.1, false, 13}},
    {"depth 80, 100 features", {4, 100, 1, 80, -1, 0, 0, false, 14}},
};

/* Which forms trees may get: budgets of the kernel's config. */
static const struct {
    const char *name;
    size_t table_bytes_max, node_bytes_max;
} forms[] = {
    {"tables and nodes", 0, 0},
    {"large tables", 1 << 26, 1},
    {"nodes", 1, 0},
    {"nodes, tables and plain", 60'000, 60'000},
    {"plain", 1, 1},
};

static const enum ax_engine_level levels[] = {AX_ENGINE_LEVEL_PORTABLE, AX_ENGINE_LEVEL_AVX2,
                                              AX_ENGINE_LEVEL_AVX512};
static const size_t batches[] = {64, 1, 13, 64};

/* All kinds of numeric splits that files have, in turn. */
static void
vary_splits(struct ax_ctx *ctx, struct ax_forest *forest)
{
    static const uint32_t kinds[] = {0, AX_FOREST_NAN_ZERO, AX_FOREST_ZERO_MISSING,
                                     AX_FOREST_EQUAL};
    uint32_t turn = 0;
    for (size_t t = 0; t < forest->tree_count; t++) {
        struct ax_forest_tree *tree = &forest->trees[t];
        struct ax_forest_node *nodes =
            AX_NEW_ARRAY(ctx->arena, struct ax_forest_node, tree->node_count);
        memcpy(nodes, tree->nodes, tree->node_count * sizeof *nodes);
        for (uint32_t n = 0; n < tree->node_count; n++) {
            if (nodes[n].left < 0 || nodes[n].flags & AX_FOREST_CATEGORICAL)
                continue;
            nodes[n].flags |= kinds[turn++ % AX_COUNT_OF(kinds)];
            if (nodes[n].flags & AX_FOREST_EQUAL || turn % 5 == 0)
                nodes[n].threshold = floor(nodes[n].threshold);
            if (turn % 97 == 0)
                nodes[n].threshold = turn % 2 ? (double)INFINITY : -(double)INFINITY;
        }
        tree->nodes = nodes;
    }
}

static double *
make_rows(struct ax_ctx *ctx, const struct forest_case *about, size_t count)
{
    static const double odd[] = {0, -0.0, 1e-36, (double)INFINITY, -(double)INFINITY, 1e300};
    double *rows = forest_case_rows(ctx, about, count);
    for (size_t i = 0; i < count * about->feature_count; i += 11)
        rows[i] = odd[i / 11 % AX_COUNT_OF(odd)];
    return rows;
}

/* All rows, `batch` in a call. */
static double *
explain(struct ax_ctx *ctx, const struct ax_shap_kernel *kernel, const double *rows, size_t batch)
{
    const struct ax_forest *forest = kernel->forest;
    size_t width = forest->output_count * (forest->feature_count + 1);
    size_t bytes = ax_shap_kernel_scratch_bytes(kernel);
    double *out = AX_NEW_ARRAY(ctx->arena, double, ROWS *width);
    void *scratch = ax_alloc(1, bytes);
    memset(scratch, 0xa5, bytes);
    for (size_t i = 0; i < ROWS; i += batch)
        ax_shap_kernel_rows(kernel, rows + i * forest->feature_count,
                            ROWS - i < batch ? ROWS - i : batch, scratch, out + i * width);
    ax_free(scratch);
    return out;
}

struct checked {
    const char *name, *form;
    const struct ax_forest *forest;
    const double *rows;
    struct ax_shap_kernel_config config;
};

static double *
check_levels(struct ax_ctx *ctx, struct checked *checked)
{
    size_t width = checked->forest->output_count * (checked->forest->feature_count + 1);
    double *first = NULL;
    for (size_t l = 0; l < AX_COUNT_OF(levels); l++) {
        struct ax_shap_kernel kernel;
        checked->config.level = levels[l];
        CHECK_EQ(
            ax_shap_kernel_prepare(checked->forest, ctx, &checked->config, ctx->arena, &kernel),
            AX_OK);
        for (size_t b = 0; b < AX_COUNT_OF(batches); b++) {
            if (b == 1) /* at first rows are explained one by one */
                CHECK_EQ(ax_shap_kernel_ready_rows(&kernel, ctx, AX_SHAP_BLOCK), AX_OK);
            double *got = explain(ctx, &kernel, checked->rows, batches[b]);
            if (!first)
                first = got;
            else if (memcmp(first, got, ROWS * width * sizeof *got) != 0)
                ax_test_failed(__FILE__, __LINE__, "%s, %s: other bits at level %s by %zu",
                               checked->name, checked->form, kernel.level->name, batches[b]);
        }
    }
    return first;
}

static void
check_case(size_t c, bool population)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_forest *forest = forest_case_make(&ctx, &cases[c].about);
    vary_splits(&ctx, forest);
    double *rows = make_rows(&ctx, &cases[c].about, ROWS + REFERENCES);
    const double *references = population ? rows + ROWS * forest->feature_count : NULL;
    size_t stride = forest->feature_count + 1, width = forest->output_count * stride;
    double *want = AX_NEW_ARRAY(arena, double, ORACLE_ROWS *width);
    double *margin = AX_NEW_ARRAY(arena, double, forest->output_count);
    for (size_t i = 0; i < ORACLE_ROWS; i++)
        forest_case_oracle(&ctx, forest, rows + i * forest->feature_count, references, REFERENCES,
                           want + i * width);
    for (size_t f = 0; f < AX_COUNT_OF(forms); f++) {
        struct checked checked = {cases[c].name, forms[f].name, forest, rows, {}};
        checked.config.table_bytes_max = forms[f].table_bytes_max;
        checked.config.node_bytes_max = forms[f].node_bytes_max;
        checked.config.population = (struct ax_shap_population){references, REFERENCES};
        const double *got = check_levels(&ctx, &checked);
        double off = forest_case_difference(got, want, ORACLE_ROWS * width);
        if (!(off <= 1e-13))
            ax_test_failed(__FILE__, __LINE__, "%s, %s: %.1e off the oracle", cases[c].name,
                           forms[f].name, off);
        for (size_t i = 0; i < ROWS; i++) {
            ax_forest_margin(forest, rows + i * forest->feature_count, margin, NULL);
            for (size_t k = 0; k < forest->output_count; k++) {
                double sum = 0;
                for (size_t at = 0; at < stride; at++)
                    sum += got[i * width + k * stride + at];
                CHECK(fabs(sum - margin[k]) <= 1e-12 * fmax(1, fabs(margin[k])));
            }
        }
    }
}

TEST(shap_kernel_gives_the_same_bits_at_every_level_and_batch_size_and_agrees_with_the_oracle)
{
    for (size_t c = 0; c < AX_COUNT_OF(cases); c++)
        check_case(c, false);
}

TEST(shap_kernel_gives_the_same_bits_against_a_population)
{
    for (size_t c = 0; c < AX_COUNT_OF(cases); c++)
        check_case(c, true);
}

/* Every form is met by the cases above: small trees have tables, others nodes, the rest neither. */
TEST(shap_kernel_gives_each_tree_the_form_that_fits)
{
    static const struct forest_case small = {20, 8, 1, 6, -1, 0, 0, false, 1};
    static const struct forest_case deep = {6, 60, 1, 40, -1, 0, 0, false, 9};
    static const struct forest_case deeper = {4, 100, 1, 80, -1, 0, 0, false, 14};
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_shap_kernel kernel;
    struct ax_shap_kernel_config config = {};
    struct ax_forest *forest = forest_case_make(&ctx, &small);
    CHECK_EQ(ax_shap_kernel_prepare(forest, &ctx, &config, arena, &kernel), AX_OK);
    CHECK(kernel.table.unit_count > 0 && kernel.nodes.block_count == 0 && kernel.plain_count == 0);
    config.table_bytes_max = 100'000;
    CHECK_EQ(ax_shap_kernel_prepare(forest, &ctx, &config, arena, &kernel), AX_OK);
    CHECK(kernel.table.unit_count == 0 && kernel.nodes.block_count > 0 && kernel.plain_count == 0);
    config.node_bytes_max = 200'000;
    CHECK_EQ(ax_shap_kernel_prepare(forest, &ctx, &config, arena, &kernel), AX_OK);
    CHECK(kernel.table.unit_count > 0 && kernel.nodes.block_count > 0 && kernel.plain_count > 0);
    CHECK(kernel.table.value_count * sizeof(double) <= 100'000);
    config = (struct ax_shap_kernel_config){.bytes_max = 200'000};
    CHECK_EQ(ax_shap_kernel_prepare(forest, &ctx, &config, arena, &kernel), AX_OK);
    CHECK(kernel.table.value_count * sizeof(double) + kernel.nodes.bytes <= 200'000);
    config = (struct ax_shap_kernel_config){};
    forest = forest_case_make(&ctx, &deep);
    CHECK_EQ(ax_shap_kernel_prepare(forest, &ctx, &config, arena, &kernel), AX_OK);
    CHECK(kernel.nodes.block_count > 0);
    forest = forest_case_make(&ctx, &deeper);
    CHECK_EQ(ax_shap_kernel_prepare(forest, &ctx, &config, arena, &kernel), AX_OK);
    CHECK_EQ(kernel.plain_count, 4);
}

/* ---- models of the libraries ---- */

static const char *const golden_sets[] = {"tests/model/xgboost-3.2.0", "tests/model/xgboost-1.7.6",
                                          "../shared/models/xgboost-3.2.0",
                                          "../shared/models/xgboost-1.7.6"};

enum { GOLDEN_ROWS = 12, GOLDEN_REFERENCES = 20 };

/* The plain kernels' answers for the first rows. */
static double *
explain_plain(struct ax_ctx *ctx, const struct ax_forest *forest, const double *rows,
              const struct ax_shap_population *population)
{
    size_t width = forest->output_count * (forest->feature_count + 1);
    double *out = AX_NEW_ARRAY(ctx->arena, double, GOLDEN_ROWS *width);
    struct ax_shap_points points;
    struct ax_shap_background background;
    if (population->rows)
        CHECK_EQ(ax_shap_background_prepare(forest, ctx, ctx->arena, population, NULL, &background),
                 AX_OK);
    else
        CHECK_EQ(ax_shap_prepare(forest, ctx, ctx->arena, &points), AX_OK);
    void *scratch =
        ax_alloc(1, population->rows ? ax_shap_background_scratch_bytes(forest, &background) + 1
                                     : ax_shap_scratch_bytes(forest) + 1);
    for (size_t i = 0; i < GOLDEN_ROWS; i++)
        if (population->rows)
            ax_shap_background_row(forest, &background, rows + i * forest->feature_count, scratch,
                                   out + i * width);
        else
            ax_shap_row(forest, &points, rows + i * forest->feature_count, scratch,
                        out + i * width);
    ax_free(scratch);
    return out;
}

static void
check_golden_forest(struct ax_ctx *ctx, const char *name, const struct ax_forest *forest,
                    const double *rows, bool population)
{
    size_t width = forest->output_count * (forest->feature_count + 1);
    struct ax_shap_kernel_config config = {};
    if (population)
        config.population = (struct ax_shap_population){rows + GOLDEN_ROWS * forest->feature_count,
                                                        GOLDEN_REFERENCES};
    const double *want = explain_plain(ctx, forest, rows, &config.population);
    double *got = AX_NEW_ARRAY(ctx->arena, double, GOLDEN_ROWS *width);
    double *first = AX_NEW_ARRAY(ctx->arena, double, GOLDEN_ROWS *width);
    for (size_t form = 0; form < 2; form++)
        for (size_t l = 0; l < AX_COUNT_OF(levels); l++) {
            struct ax_shap_kernel kernel;
            config.level = levels[l];
            config.table_bytes_max = form;
            CHECK_EQ(ax_shap_kernel_prepare(forest, ctx, &config, ctx->arena, &kernel), AX_OK);
            CHECK_EQ(ax_shap_kernel_ready_rows(&kernel, ctx, GOLDEN_ROWS), AX_OK);
            CHECK(ax_shap_kernel_rows_ready(&kernel, GOLDEN_ROWS));
            void *scratch = ax_alloc(1, ax_shap_kernel_scratch_bytes(&kernel));
            ax_shap_kernel_rows(&kernel, rows, GOLDEN_ROWS, scratch, l == 0 ? first : got);
            ax_free(scratch);
            if (l > 0 && memcmp(got, first, GOLDEN_ROWS * width * sizeof *got) != 0)
                ax_test_failed(__FILE__, __LINE__, "%s: other bits at level %s", name,
                               kernel.level->name);
            double off = forest_case_difference(first, want, GOLDEN_ROWS * width);
            if (!(off <= 1e-12))
                ax_test_failed(__FILE__, __LINE__, "%s: %.1e off the plain kernel", name, off);
        }
}

static void
check_golden(const char *folder, ax_str name)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct model_case model_case;
    ax_str bytes;
    const char *path =
        ax_str_c(arena, ax_str_printf(arena, "%s/%.*s/model.ubj", folder, AX_FMT(name)));
    if (!model_case_load(&ctx, folder, ax_str_c(arena, name), &model_case) ||
        !model_case_read(&ctx, path, &bytes))
        return;
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(&ctx, path);
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    if (!ax_str_eq(signature->kind, AX_STR("trees")) || !signature->background)
        return;
    const struct ax_forest *forest = &((struct ax_forest_engine *)engine)->forest;
    struct ax_engine_rows rows = model_case_rows(&model_case, 0, GOLDEN_ROWS + GOLDEN_REFERENCES);
    double *wide =
        AX_NEW_ARRAY(arena, double, (GOLDEN_ROWS + GOLDEN_REFERENCES) * forest->feature_count);
    for (size_t i = 0; i < GOLDEN_ROWS + GOLDEN_REFERENCES; i++)
        ax_engine_row(&rows, i, forest->feature_count, AX_ENGINE_F32,
                      wide + i * forest->feature_count);
    if (forest->covers)
        check_golden_forest(&ctx, path, forest, wide, false);
    check_golden_forest(&ctx, path, forest, wide, true);
}

TEST(shap_kernel_agrees_with_the_plain_kernels_on_the_libraries_models)
{
    for (size_t s = 0; s < AX_COUNT_OF(golden_sets); s++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
        struct ax_ctx ctx = ax_ctx_of(arena);
        ax_str *names;
        size_t count = model_case_list(&ctx, golden_sets[s], &names);
        for (size_t i = 0; i < count; i++)
            check_golden(golden_sets[s], names[i]);
        if (count == 0)
            printf("skipped: %s is not there\n", golden_sets[s]);
    }
}

/* One row's contributions by a kernel that is prepared for it; mapped: of what was kept. */
static double *
explain_kept(struct ax_ctx *ctx, const struct ax_forest *forest,
             const struct ax_shap_kernel_config *config, const double *rows, size_t *out_mapped)
{
    struct ax_shap_kernel kernel;
    CHECK_EQ(ax_shap_kernel_prepare(forest, ctx, config, ctx->arena, &kernel), AX_OK);
    *out_mapped = kernel.table.mapped_bytes;
    if (kernel.table.mapped_bytes)
        CHECK_EQ(kernel.table.mapped_bytes, kernel.table.value_count * sizeof(double));
    return explain(ctx, &kernel, rows, 1);
}

/* The same bits from tables that were made, kept and found, at every level. */
static void
check_kept_tables(struct ax_ctx *ctx)
{
    static const struct forest_case about = {20, 8, 1, 6, -1, 0, 0.2, false, 77};
    char name[] = "/tmp/axiom-forms-XXXXXX";
    struct ax_forms *opened = NULL;
    REQUIRE(mkdtemp(name) != NULL);
    const struct ax_forms_config kept = {.folder = ax_str_of(name), .bytes_max = 1 << 28};
    REQUIRE(ax_forms_open(ctx, &kept, &opened) == AX_OK);
    ax_auto(ax_forms_close) struct ax_forms *folder = opened;
    struct ax_forest *forest = forest_case_make(ctx, &about);
    double *rows = make_rows(ctx, &about, ROWS), *references = make_rows(ctx, &about, REFERENCES);
    size_t bytes = ROWS * (about.feature_count + 1) * sizeof(double), mapped;
    for (int against = 0; against < 2; against++) {
        struct ax_shap_kernel_config config = {.node_bytes_max = 1};
        if (against)
            config.population = (struct ax_shap_population){references, REFERENCES};
        double *plain = explain_kept(ctx, forest, &config, rows, &mapped);
        CHECK_EQ(mapped, 0);
        config.forms = &(struct ax_forms_of_model){.forms = folder, .digest = {{77}}};
        double *made = explain_kept(ctx, forest, &config, rows, &mapped);
        CHECK_EQ(mapped, 0);
        CHECK(memcmp(made, plain, bytes) == 0);
        for (size_t l = 0; l < AX_COUNT_OF(levels); l++) {
            config.level = levels[l];
            double *found = explain_kept(ctx, forest, &config, rows, &mapped);
            CHECK(mapped > 0 && memcmp(found, plain, bytes) == 0);
        }
        if (against) { /* one reference is another */
            references[3] += 1;
            (void)explain_kept(ctx, forest, &config, rows, &mapped);
            CHECK_EQ(mapped, 0);
        }
    }
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(name)), AX_OK);
}

TEST(shap_kernel_gives_the_same_bits_from_tables_that_were_kept)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    check_kept_tables(&ctx);
}
