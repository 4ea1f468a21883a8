#include "engine/forest_engine.h"

#include "forest_case.h"
#include "harness.h"
#include "model_case.h"

enum { TEST_BYTES_MAX = 1 << 28, ROWS = 5, REFERENCES = 9 };

/* The engine's contributions are the definition's, for vector leaves, categories and DART. */
static void
check_file(const char *path)
{
    static const float rows[ROWS + REFERENCES][3] = {
        {20, 5, 1},     {40, 2000, 0},  {NAN, 5, 3},   {31, NAN, NAN}, {30, 1000.5f, 2},
        {1, 1, 1},      {50, 1, 3},     {50, 3000, 2}, {NAN, 3000, 1}, {33, 10, NAN},
        {29, 1000, -1}, {77, 1001, 40}, {30, 0, 0},    {10, 5000, 3},
    };
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(&ctx, path);
    ax_auto(ax_engine_background_close) struct ax_engine_background *background = NULL;
    const struct ax_forest *forest = &((struct ax_forest_engine *)engine)->forest;
    size_t block = forest->output_count * 4;
    double wide[ROWS + REFERENCES][3], want[8];
    for (size_t i = 0; i < ROWS + REFERENCES; i++)
        for (size_t f = 0; f < 3; f++)
            wide[i][f] = (double)rows[i][f];
    struct ax_engine_call call = {.rows = {.at = rows, .count = ROWS},
                                  .outputs = AX_ENGINE_CONTRIBUTIONS};
    struct ax_engine_rows references = {.at = rows[ROWS], .count = REFERENCES};
    CHECK_EQ(ax_engine_background_open(engine, &ctx, &references, &background), AX_OK);
    struct ax_engine_answer path_dependent = model_case_score(&ctx, engine, &call, NULL);
    call.background = background;
    struct ax_engine_answer interventional = model_case_score(&ctx, engine, &call, NULL);
    for (size_t i = 0; i < ROWS; i++) {
        forest_case_oracle(&ctx, forest, wide[i], NULL, 0, want);
        CHECK(forest_case_difference(path_dependent.contributions + i * block, want, block) <
              1e-13);
        forest_case_oracle(&ctx, forest, wide[i], wide[ROWS], REFERENCES, want);
        CHECK(forest_case_difference(interventional.contributions + i * block, want, block) <
              1e-13);
    }
}

TEST(forest_engine_explains_as_the_definition)
{
    check_file("tests/model/small/xgboost.json");
    check_file("tests/model/small/dart.json");
    check_file("tests/model/small/vector.json");
}

/* Lines of the interactions are the contributions; with a population there are none. */
static void
check_interactions(const char *path)
{
    static const float rows[ROWS][3] = {
        {20, 5, 1}, {40, 2000, 0}, {NAN, 5, 3}, {31, NAN, NAN}, {30, 1000.5f, 2}};
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(&ctx, path);
    ax_auto(ax_engine_background_close) struct ax_engine_background *background = NULL;
    struct ax_engine_call call = {.rows = {.at = rows, .count = ROWS},
                                  .outputs = AX_ENGINE_CONTRIBUTIONS | AX_ENGINE_INTERACTIONS};
    struct ax_engine_answer answer = model_case_score(&ctx, engine, &call, NULL);
    size_t lines = ROWS * ax_engine_signature(engine)->margin_count * 4;
    for (size_t i = 0; i < lines; i++) {
        const double *line = answer.interactions + i * 4;
        CHECK(fabs(line[0] + line[1] + line[2] + line[3] - answer.contributions[i]) < 1e-13);
    }
    CHECK_EQ(ax_engine_background_open(engine, &ctx, &call.rows, &background), AX_OK);
    call.background = background;
    ax_status status;
    (void)model_case_score(&ctx, engine, &call, &status);
    CHECK_EQ(status, AX_UNSUPPORTED);
    CHECK_STR(ax_str_of(ctx.error), "interactions are given without a reference population only");
}

TEST(forest_engine_relates_features)
{
    check_interactions("tests/model/small/xgboost.json");
    check_interactions("tests/model/small/dart.json");
    check_interactions("tests/model/small/vector.json");
}

static void
check_vectors(struct ax_ctx *ctx)
{
    static const float row[3] = {40, 5, 1}; /* leaves 4 and 1: vectors 2 of tree 0, 0 of tree 1 */
    ax_auto(ax_engine_close) struct ax_engine *engine =
        model_case_open(ctx, "tests/model/small/vector.json");
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    struct ax_engine_call call = {.rows = {.at = row, .count = 1}, .outputs = signature->outputs};
    struct ax_engine_answer answer = model_case_score(ctx, engine, &call, NULL);
    CHECK_EQ(signature->margin_count, 2);
    CHECK_EQ(signature->response_count, 2);
    CHECK(answer.margin[0] == 0.25 + 1.0 + 0.0 && answer.margin[1] == 0.25 + 1.25 + 0.25);
    CHECK(answer.response[0] == answer.margin[0]);
    CHECK_EQ(answer.leaf[0], 4);
    CHECK_EQ(answer.leaf[1], 1);
}

TEST(forest_engine_gives_every_output_of_a_leaf_vector)
{
    ax_test_with_ctx(check_vectors);
}

static struct ax_engine *
open_with(struct ax_ctx *ctx, const char *path, const struct ax_engine_config *config,
          ax_status *out_status)
{
    ax_str bytes;
    struct ax_engine *engine = NULL;
    CHECK(model_case_read(ctx, path, &bytes));
    *out_status = ax_engine_open(ctx, bytes, config, &engine);
    return engine;
}

/* Rows as callers have them: floats and doubles, columns apart, a missing value of their own. */
static void
check_kernels(const char *path, enum ax_engine_level level, enum ax_engine_kernel kernel)
{
    enum { MANY = 600 };
    static float narrow[MANY][3];
    static double wide[MANY][3], columns[3][MANY];
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    for (size_t i = 0; i < MANY; i++)
        for (size_t f = 0; f < 3; f++) {
            double x = (double)((i * 7 + f * 13) % 61) * (f == 1 ? 51.3 : 1);
            narrow[i][f] = (float)(wide[i][f] = columns[f][i] = x);
        }
    struct ax_engine_config walk = {.kernel = AX_ENGINE_KERNEL_WALK};
    struct ax_engine_config config = {.level = level, .kernel = kernel, .forest_code = true};
    ax_status status;
    ax_auto(ax_engine_close) struct ax_engine *slow = open_with(&ctx, path, &walk, &status);
    CHECK_EQ(status, AX_OK);
    ax_auto(ax_engine_close) struct ax_engine *fast = open_with(&ctx, path, &config, &status);
    if (status == AX_UNSUPPORTED && level > AX_ENGINE_LEVEL_PORTABLE)
        return;
    CHECK_EQ(status, AX_OK);
    const struct ax_engine_rows rows[] = {
        {.at = narrow, .count = MANY, .type = AX_ENGINE_F32},
        {.at = wide, .count = MANY, .type = AX_ENGINE_F64},
        {.at = narrow, .count = 1, .type = AX_ENGINE_F32},
        {.at = narrow, .count = MANY, .missing_given = true, .missing = 1},
        {.at = columns,
         .count = MANY,
         .type = AX_ENGINE_F64,
         .row_stride_bytes = sizeof columns[0][0],
         .column_stride_bytes = sizeof columns[0]},
        {.at = narrow, .count = MANY / 2, .row_stride_bytes = 2 * sizeof narrow[0]},
    };
    const struct ax_engine_signature *signature = ax_engine_signature(fast);
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++) {
        struct ax_engine_call call = {.rows = rows[i],
                                      .outputs = AX_ENGINE_MARGIN | AX_ENGINE_RESPONSE};
        struct ax_engine_answer want = model_case_score(&ctx, slow, &call, NULL);
        struct ax_engine_answer got = model_case_score(&ctx, fast, &call, NULL);
        size_t bytes = rows[i].count * sizeof(double);
        CHECK(memcmp(want.margin, got.margin, bytes * signature->margin_count) == 0);
        CHECK(memcmp(want.response, got.response, bytes * signature->response_count) == 0);
        call.outputs = AX_ENGINE_RESPONSE; /* margins in scratch then */
        got = model_case_score(&ctx, fast, &call, NULL);
        CHECK(memcmp(want.response, got.response, bytes * signature->response_count) == 0);
    }
}

TEST(forest_engine_answers_alike_with_every_kernel_however_rows_lie)
{
    static const char *const paths[] = {"tests/model/small/xgboost.json",
                                        "tests/model/small/dart.json",
                                        "tests/model/small/vector.json"};
    for (size_t i = 0; i < AX_COUNT_OF(paths); i++)
        for (int level = AX_ENGINE_LEVEL_BEST; level <= AX_ENGINE_LEVEL_AVX512; level++)
            for (int kernel = AX_ENGINE_KERNEL_BEST; kernel <= AX_ENGINE_KERNEL_BATCH; kernel++)
                check_kernels(paths[i], (enum ax_engine_level)level, (enum ax_engine_kernel)kernel);
}

static void
check_memory(struct ax_ctx *ctx)
{
    struct ax_engine_config walk = {.kernel = AX_ENGINE_KERNEL_WALK}, best = {};
    ax_status status;
    ax_auto(ax_engine_close) struct ax_engine *slow =
        open_with(ctx, "tests/model/small/xgboost.json", &walk, &status);
    ax_auto(ax_engine_close) struct ax_engine *fast =
        open_with(ctx, "tests/model/small/xgboost.json", &best, &status);
    const struct ax_forest_scorer *scorer = &((struct ax_forest_engine *)fast)->scorer;
    REQUIRE(scorer->row && scorer->batch.form);
    size_t forms = scorer->row->bytes + scorer->batch.form->bytes;
    size_t more = ax_engine_signature(fast)->memory_bytes - ax_engine_signature(slow)->memory_bytes;
    CHECK(more + 16 * 1024 >= forms && more <= forms + 32 * 1024); /* an arena grows by blocks */
}

TEST(forest_engine_counts_the_kernels_forms_as_memory)
{
    ax_test_with_ctx(check_memory);
}
