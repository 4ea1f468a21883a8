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
