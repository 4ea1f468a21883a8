#include "engine/forest_engine.h"

#include "base/fault.h"
#include "forest_case.h"
#include "harness.h"
#include "model_case.h"
#include "sys/workers.h"

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
    for (size_t i = 0; i < 2 * AX_COUNT_OF(rows); i++) {
        struct ax_engine_call call = {.rows = rows[i / 2],
                                      .outputs = AX_ENGINE_MARGIN | AX_ENGINE_RESPONSE,
                                      .mode = i % 2 ? AX_ENGINE_FAST : AX_ENGINE_EXACT};
        struct ax_engine_answer want = model_case_score(&ctx, slow, &call, NULL);
        struct ax_engine_answer got = model_case_score(&ctx, fast, &call, NULL);
        size_t bytes = call.rows.count * sizeof(double);
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
            for (int kernel = AX_ENGINE_KERNEL_BEST; kernel <= AX_ENGINE_KERNEL_MASKS; kernel++)
                check_kernels(paths[i], (enum ax_engine_level)level, (enum ax_engine_kernel)kernel);
}

/* Rows of three features, some of them missing. */
enum { FEW = 200 };

static const float *
few_rows(void)
{
    static float rows[FEW][3];
    for (size_t i = 0; i < FEW; i++)
        for (size_t f = 0; f < 3; f++)
            rows[i][f] = i % 17 == f ? NAN : (float)((i * 7 + f * 13) % 61);
    return rows[0];
}

static const struct ax_engine_call *
all_of(unsigned outputs)
{
    static struct ax_engine_call call;
    call = (struct ax_engine_call){.rows = {.at = few_rows(), .count = FEW}, .outputs = outputs};
    return &call;
}

enum { MARGIN = AX_ENGINE_MARGIN, SHAP = AX_ENGINE_CONTRIBUTIONS, BOTH = MARGIN | SHAP };

static void
check_memory(struct ax_ctx *ctx)
{
    struct ax_engine_config best = {.forest_code = true};
    ax_status status;
    ax_auto(ax_engine_close) struct ax_engine *engine =
        open_with(ctx, "tests/model/small/xgboost.json", &best, &status);
    const struct ax_forest_scorer *scorer = &((struct ax_forest_engine *)engine)->scorer;
    size_t opened = ax_engine_memory_bytes(engine);
    CHECK_EQ(opened, ax_engine_signature(engine)->memory_bytes);
    REQUIRE(!scorer->row); /* nothing is made yet */
    struct ax_engine_call one = *all_of(MARGIN);
    one.rows.count = 1;
    CHECK_EQ(ax_engine_prepare(engine, ctx, &one), AX_OK);
    REQUIRE(scorer->row && !ax_forest_scorer_made(scorer));
    CHECK(ax_engine_memory_bytes(engine) >= opened + scorer->row->bytes);
    opened = ax_engine_memory_bytes(engine);
    (void)model_case_score(ctx, engine, all_of(MARGIN), NULL);
    const struct ax_forest_scorer_batch *made = ax_forest_scorer_made(scorer);
    REQUIRE(made && made->batch.form);
    size_t batch = ax_engine_memory_bytes(engine) - opened;
    CHECK(batch == made->bytes && batch >= made->batch.form->bytes);
    (void)model_case_score(ctx, engine, all_of(SHAP), NULL);
    size_t all = ax_engine_memory_bytes(engine);
    CHECK(all > opened + batch);
    (void)model_case_score(ctx, engine, all_of(BOTH), NULL);
    CHECK_EQ(ax_engine_memory_bytes(engine), all); /* nothing is made twice */
}

TEST(forest_engine_counts_what_calls_made_it_make_as_memory)
{
    ax_test_with_ctx(check_memory);
}

static void
check_prepared(struct ax_ctx *ctx)
{
    static const unsigned outputs[] = {MARGIN, AX_ENGINE_RESPONSE, SHAP, AX_ENGINE_INTERACTIONS};
    for (size_t i = 0; i < AX_COUNT_OF(outputs); i++) {
        ax_auto(ax_engine_close) struct ax_engine *engine =
            model_case_open(ctx, "tests/model/small/xgboost.json");
        struct ax_engine_call call = *all_of(outputs[i]), one = call, leaf = call;
        one.rows.count = 1;
        leaf.outputs = AX_ENGINE_LEAF;
        bool scores = outputs[i] & (MARGIN | AX_ENGINE_RESPONSE);
        CHECK(!ax_engine_prepared(engine, &call) && !ax_engine_prepared(engine, &one));
        CHECK(!ax_engine_prepared(engine, &leaf));
        CHECK_EQ(ax_engine_prepare(engine, ctx, &leaf), AX_OK); /* the form for single rows */
        CHECK(!ax_engine_prepared(engine, &call));
        CHECK_EQ(ax_engine_prepared(engine, &one), scores); /* single rows need nothing more */
        CHECK(ax_engine_prepared(engine, &leaf));
        CHECK_EQ(ax_engine_prepare(engine, ctx, &call), AX_OK);
        CHECK(ax_engine_prepared(engine, &call) && ax_engine_prepared(engine, &one));
        size_t bytes = ax_engine_memory_bytes(engine);
        (void)model_case_score(ctx, engine, &call, NULL);
        CHECK_EQ(ax_engine_memory_bytes(engine), bytes);
        call.outputs = AX_ENGINE_POINTS;
        CHECK_EQ(ax_engine_prepare(engine, ctx, &call), AX_UNSUPPORTED);
    }
}

TEST(forest_engine_says_whether_a_call_finds_what_it_needs)
{
    ax_test_with_ctx(check_prepared);
}

struct user {
    struct ax_engine *engine;
    struct ax_engine_answer want;
    unsigned outputs;
};

/* Its own arena and scratch, as any thread of a server has. */
static void
use_first(void *arg)
{
    const struct user *user = arg;
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    const struct ax_engine_call call = {.rows = {.at = few_rows(), .count = FEW},
                                        .outputs = user->outputs};
    struct ax_engine_answer got = model_case_score(&ctx, user->engine, &call, NULL);
    size_t width = ax_engine_signature(user->engine)->margin_count;
    if (user->outputs & MARGIN)
        CHECK(memcmp(got.margin, user->want.margin, FEW * width * sizeof(double)) == 0);
    if (user->outputs & SHAP)
        CHECK(memcmp(got.contributions, user->want.contributions,
                     FEW * width * 4 * sizeof(double)) == 0);
}

static void
check_first_users(struct ax_ctx *ctx)
{
    enum { THREADS = 6, ROUNDS = 40 };
    static const unsigned outputs[] = {MARGIN, SHAP, BOTH};
    ax_auto(ax_engine_close) struct ax_engine *alone =
        model_case_open(ctx, "tests/model/small/vector.json");
    struct ax_engine_answer want = model_case_score(ctx, alone, all_of(BOTH), NULL);
    for (size_t round = 0; round < ROUNDS; round++) {
        ax_auto(ax_engine_close) struct ax_engine *engine =
            model_case_open(ctx, "tests/model/small/vector.json");
        struct ax_thread *threads[THREADS];
        struct user users[THREADS];
        for (size_t i = 0; i < THREADS; i++) {
            users[i] = (struct user){engine, want, outputs[(round + i) % AX_COUNT_OF(outputs)]};
            REQUIRE(ax_thread_start(ctx, "user", use_first, &users[i], &threads[i]) == AX_OK);
        }
        for (size_t i = 0; i < THREADS; i++)
            ax_thread_join(threads[i]);
        CHECK_EQ(ax_engine_memory_bytes(engine), ax_engine_memory_bytes(alone));
    }
}

TEST(forest_engine_gives_threads_that_come_first_together_the_same_bits)
{
    ax_test_with_ctx(check_first_users);
}

/* A budget that holds the model and no forms: slower, and the same answers. */
static void
check_budget(struct ax_ctx *ctx)
{
    ax_status status;
    ax_auto(ax_engine_close) struct ax_engine *rich =
        model_case_open(ctx, "tests/model/small/xgboost.json");
    struct ax_engine_answer want = model_case_score(ctx, rich, all_of(BOTH), NULL);
    size_t budget = ax_engine_signature(rich)->memory_bytes, refused = 0, given = 0;
    for (size_t more = 0; more < 128 * 1024; more += 4096) {
        struct ax_engine_config config = {.memory_bytes_max = budget + more};
        struct ax_engine *engine =
            open_with(ctx, "tests/model/small/xgboost.json", &config, &status);
        REQUIRE(engine);
        struct ax_engine_answer got = model_case_score(ctx, engine, all_of(MARGIN), &status);
        CHECK_EQ(status, AX_OK);
        CHECK(memcmp(got.margin, want.margin, FEW * sizeof(double)) == 0);
        got = model_case_score(ctx, engine, all_of(SHAP), &status);
        CHECK(status == AX_OK || status == AX_LIMIT);
        CHECK(ax_engine_prepared(engine, all_of(SHAP)) == (status == AX_OK));
        refused += status != AX_OK;
        given += status == AX_OK;
        for (size_t i = 0; status == AX_OK && i < FEW * 4; i++)
            CHECK(fabs(got.contributions[i] - want.contributions[i]) < 1e-13);
        CHECK(ax_engine_memory_bytes(engine) <= config.memory_bytes_max + 32 * 1024);
        ax_engine_close(engine);
    }
    CHECK(refused > 0 && given > 0);
}

TEST(forest_engine_keeps_to_its_budget_when_it_is_first_used)
{
    ax_test_with_ctx(check_budget);
}

#ifdef AX_FAULTS
/* Steps of the first use fail one after the other: it says so, and the next use goes well. */
static size_t
fail_steps(struct ax_ctx *ctx, unsigned outputs)
{
    ax_auto(ax_engine_close) struct ax_engine *sound =
        model_case_open(ctx, "tests/model/small/xgboost.json");
    struct ax_engine_answer want = model_case_score(ctx, sound, all_of(BOTH), NULL);
    size_t failed = 0;
    for (int step = 0;; step++) {
        ax_auto(ax_engine_close) struct ax_engine *engine =
            model_case_open(ctx, "tests/model/small/xgboost.json");
        ax_fault_arm(step, false);
        ax_status status = ax_engine_prepare(engine, ctx, all_of(outputs));
        bool reached = ax_fault_disarm();
        CHECK_EQ(status, reached ? AX_LIMIT : AX_OK);
        CHECK_EQ(ax_engine_prepared(engine, all_of(outputs)), !reached);
        struct ax_engine_answer got = model_case_score(ctx, engine, all_of(outputs), NULL);
        CHECK(ax_engine_prepared(engine, all_of(outputs)));
        CHECK(!got.margin || memcmp(got.margin, want.margin, FEW * sizeof(double)) == 0);
        CHECK(!got.contributions ||
              memcmp(got.contributions, want.contributions, FEW * 4 * sizeof(double)) == 0);
        if (!reached)
            return failed;
        failed++;
    }
}

static void
check_failed_steps(struct ax_ctx *ctx)
{
    CHECK(fail_steps(ctx, MARGIN) >= 2);
    CHECK(fail_steps(ctx, SHAP) >= 2);
    CHECK(fail_steps(ctx, AX_ENGINE_INTERACTIONS) >= 2);
}

TEST(forest_engine_tries_again_after_a_failed_first_use)
{
    ax_test_with_ctx(check_failed_steps);
}
#endif
