#include "engine/engine.h"

#include <math.h>

#include "harness.h"
#include "model_case.h"
#include "sys/workers.h"

enum { TEST_BYTES_MAX = 1 << 28, BATCH_MAX = 130, THREADS = 4 };

#define SMALL "tests/model/small/xgboost.json"

static void
with_room(void (*body)(struct ax_ctx *ctx))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    body(&ctx);
}

static void
check_strangers(struct ax_ctx *ctx)
{
    static const struct {
        ax_str bytes;
        ax_status want;
        const char *part;
    } cases[] = {
        {AX_STR(""), AX_INVALID, "the file is empty"},
        {AX_STR("tree\nversion=v4\n"), AX_INVALID, "LightGBM model: the file ends"},
        {AX_STR("tree\r\n"), AX_INVALID, "LightGBM model: the file ends"},
        {AX_STR("trees"), AX_INVALID, "begins with the byte 0x74"},
        {AX_STR("binf"), AX_UNSUPPORTED, "old binary format"},
        {AX_STR("\x80\x04"), AX_UNSUPPORTED, "a Python pickle"},
        {AX_STR("<PMML/>"), AX_UNSUPPORTED, "PMML"},
        {AX_STR("[{}]"), AX_UNSUPPORTED, "a model dump"},
        {AX_STR("\x08\x08"), AX_INVALID, "ONNX model: there is no graph"},
        {AX_STR("CBM1"), AX_UNSUPPORTED, "CatBoost"},
        {AX_STR("hello"), AX_INVALID, "begins with the byte 0x68"},
        {AX_STR("{}"), AX_INVALID, "neither `learner` (XGBoost), `features_info`"},
        {AX_STR("{\"features_info\":{}}"), AX_INVALID, "CatBoost model: "},
        {AX_STR("{\"tree_info\":[]}"), AX_UNSUPPORTED, "a LightGBM JSON dump"},
        {AX_STR("{\"format\":\"x\"}"), AX_UNSUPPORTED, "`format` is `x`"},
        {AX_STR("{"), AX_INVALID, ""},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_engine *engine = NULL;
        ctx->error[0] = '\0';
        CHECK_EQ(ax_engine_open(ctx, cases[i].bytes, NULL, &engine), cases[i].want);
        CHECK(!engine && ctx->error[0]);
        if (!strstr(ctx->error, cases[i].part))
            ax_test_failed(__FILE__, __LINE__, "case %zu says '%s'", i, ctx->error);
    }
}

TEST(engine_says_what_a_file_is_that_it_does_not_read)
{
    ax_test_with_ctx(check_strangers);
}

static void
check_signature(struct ax_ctx *ctx)
{
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(ctx, SMALL);
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    const double *thresholds = NULL;
    double code = 7;
    size_t count = 0;
    CHECK_STR(signature->format, "xgboost-json");
    CHECK_STR(signature->version, "3.2.0");
    CHECK_STR(signature->kind, "trees");
    CHECK_STR(signature->booster, "gbtree");
    CHECK_STR(signature->objective, "binary:logistic");
    CHECK(signature->named && !signature->blocking && signature->background);
    CHECK_EQ(signature->input, AX_ENGINE_F32);
    CHECK_STR(ax_str_of(ax_engine_type_name(signature->output)), "FP32");
    CHECK_EQ(signature->feature_count, 3);
    CHECK_EQ(signature->margin_count, 1);
    CHECK_EQ(signature->response_count, 1);
    CHECK_EQ(signature->tree_count, 2);
    CHECK_EQ(signature->node_count, 8);
    CHECK_EQ(signature->leaf_count, 5);
    CHECK_EQ(signature->depth_max, 2);
    CHECK(signature->memory_bytes > 0);
    CHECK_EQ(signature->note_count, 2); /* best_iteration; categorical splits */
    CHECK_EQ(signature->features[0].split_count, 1);
    CHECK(!signature->features[0].categorical && signature->features[2].categorical);
    CHECK_EQ(signature->features[2].category_count, 4);
    CHECK_STR(signature->features[2].categories[3], "nurse");
    CHECK(ax_engine_category_find(&signature->features[2], AX_STR("driver"), &code) && code == 2);
    CHECK(!ax_engine_category_find(&signature->features[2], AX_STR("pilot"), &code) && code == 2);
    CHECK_EQ(ax_engine_feature_find(engine, AX_STR("income")), 1);
    CHECK_EQ(ax_engine_feature_find(engine, AX_STR("Income")), SIZE_MAX);
    CHECK_EQ(ax_engine_thresholds(engine, ctx, 1, &thresholds, &count), AX_OK);
    CHECK(count == 1 && thresholds[0] == 1000.5);
    CHECK_EQ(ax_engine_thresholds(engine, ctx, 2, &thresholds, &count), AX_OK);
    CHECK_EQ(count, 0); /* categories are no thresholds */
}

TEST(engine_signature_tells_what_the_file_holds)
{
    ax_test_with_ctx(check_signature);
}

/* Values at and around each split, categories of all kinds, the caller's own missing value. */
static void
check_boundaries(struct ax_ctx *ctx)
{
    static const struct {
        float row[3];
        float want; /* leaf of tree 0 and of tree 1 */
        int32_t leaf0, leaf1;
    } cases[] = {
        {{29.999998f, 1000.5f, 0}, -0.5f + 0.1f, 1, 2},
        {{30, 1000.4999f, 0}, 0.25f - 0.125f, 3, 1},
        {{30, 0, 1}, 0.75f - 0.125f, 4, 1},
        {{30, 0, 1.9f}, 0.75f - 0.125f, 4, 1},
        {{30, 0, 2}, 0.25f - 0.125f, 3, 1},
        {{30, 0, 3}, 0.75f - 0.125f, 4, 1},
        {{30, 0, 4}, 0.25f - 0.125f, 3, 1},
        {{30, 0, 35}, 0.25f - 0.125f, 3, 1},
        {{30, 0, -1}, 0.25f - 0.125f, 3, 1},
        {{30, 0, -0.5f}, 0.25f - 0.125f, 3, 1},
        {{30, 0, 16777216.0f}, 0.25f - 0.125f, 3, 1},
        {{30, 0, 3e9f}, 0.25f - 0.125f, 3, 1},
        {{30, 0, INFINITY}, 0.25f - 0.125f, 3, 1},
        {{30, -INFINITY, NAN}, 0.75f - 0.125f, 4, 1},
        {{NAN, NAN, NAN}, -0.5f + 0.1f, 1, 2},
        {{INFINITY, INFINITY, 0}, 0.25f + 0.1f, 3, 2},
        {{-999, -999, 3}, -0.5f + 0.1f, 1, 2}, /* missing: default left, default right */
    };
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(ctx, SMALL);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_engine_call call = {
            .rows = {.at = cases[i].row, .count = 1, .missing_given = true, .missing = -999},
            .outputs = AX_ENGINE_MARGIN | AX_ENGINE_LEAF};
        struct ax_engine_answer answer = model_case_score(ctx, engine, &call, NULL);
        float base = -logf(1.0f / 0.25f - 1.0f);
        CHECK_EQ(answer.leaf[0], cases[i].leaf0);
        CHECK_EQ(answer.leaf[1], cases[i].leaf1);
        CHECK(fabs(answer.margin[0] - (double)(base + cases[i].want)) < 1e-6);
    }
}

TEST(engine_goes_the_right_way_at_every_boundary)
{
    ax_test_with_ctx(check_boundaries);
}

static void
check_outputs(struct ax_ctx *ctx)
{
    static const float row[3] = {1, 2, 3};
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(ctx, SMALL);
    ax_auto(ax_engine_close) struct ax_engine *linear =
        model_case_open(ctx, "tests/model/small/gblinear.json");
    struct ax_engine_call call = {.rows = {.at = row, .count = 1}, .outputs = AX_ENGINE_POINTS};
    struct ax_engine_background *background = NULL;
    ax_status status;
    model_case_score(ctx, engine, &call, &status);
    CHECK_EQ(status, AX_UNSUPPORTED);
    CHECK(strstr(ctx->error, "this model (trees) has no output `points`"));
    call.outputs = AX_ENGINE_MARGIN | AX_ENGINE_LEAF;
    model_case_score(ctx, linear, &call, &status);
    CHECK_EQ(status, AX_UNSUPPORTED);
    CHECK(strstr(ctx->error, "this model (linear) has no output `leaf`"));
    call.rows.count = 0;
    CHECK_EQ(ax_engine_background_open(engine, ctx, &call.rows, &background), AX_INVALID);
    call.rows.count = 1;
    CHECK_EQ(ax_engine_background_open(engine, ctx, &call.rows, &background), AX_OK);
    CHECK_EQ(ax_engine_background_count(background), 1);
    CHECK(ax_engine_background_bytes(background) > 0);
    ax_engine_background_close(background);
}

TEST(engine_refuses_an_output_that_a_model_has_not)
{
    ax_test_with_ctx(check_outputs);
}

static void
check_no_covers(struct ax_ctx *ctx)
{
    static const float row[3] = {1, 2, 3};
    ax_str small;
    struct ax_engine *engine = NULL;
    ax_status status;
    CHECK(model_case_read(ctx, SMALL, &small));
    small = model_case_replace(ctx, small, "\"sum_hessian\":[10,4,6", "\"sum_hessian\":[10,4,-6");
    CHECK_EQ(ax_engine_open(ctx, small, NULL, &engine), AX_OK);
    struct ax_engine_call call = {.rows = {.at = row, .count = 1},
                                  .outputs = AX_ENGINE_CONTRIBUTIONS};
    model_case_score(ctx, engine, &call, &status);
    CHECK_EQ(status, AX_UNSUPPORTED);
    CHECK(strstr(ctx->error, "has no output `contributions` without a reference population"));
    struct ax_engine_background *background = NULL;
    CHECK_EQ(ax_engine_background_open(engine, ctx, &call.rows, &background), AX_OK);
    call.background = background;
    model_case_score(ctx, engine, &call, NULL);
    ax_engine_background_close(background);
    ax_engine_close(engine);
}

TEST(engine_without_cover_needs_a_reference_population)
{
    ax_test_with_ctx(check_no_covers);
}

/* ---- the same bits however rows are cut into calls ---- */

static unsigned
all_outputs(const struct ax_engine *engine)
{
    return ax_engine_signature(engine)->outputs;
}

static void
check_same(const struct ax_engine *engine, const struct ax_engine_answer *one,
           const struct ax_engine_answer *all, size_t at, size_t count)
{
    const struct ax_engine_signature *s = ax_engine_signature(engine);
    size_t block = s->margin_count * (s->feature_count + 1);
    CHECK(!memcmp(one->margin, all->margin + at * s->margin_count,
                  count * s->margin_count * sizeof(double)));
    CHECK(!memcmp(one->response, all->response + at * s->response_count,
                  count * s->response_count * sizeof(double)));
    CHECK(!memcmp(one->contributions, all->contributions + at * block,
                  count * block * sizeof(double)));
    CHECK(!memcmp(one->leaf, all->leaf + at * s->tree_count,
                  count * s->tree_count * sizeof(int32_t)));
}

static void
check_batches(struct ax_ctx *ctx)
{
    struct model_case rows;
    CHECK(model_case_load(ctx, "tests/model/xgboost-3.2.0", "cat_partition", &rows));
    ax_auto(ax_engine_close) struct ax_engine *engine =
        model_case_open(ctx, "tests/model/xgboost-3.2.0/cat_partition/model.ubj");
    struct ax_engine_call call = {.rows = model_case_rows(&rows, 0, BATCH_MAX),
                                  .outputs = all_outputs(engine)};
    struct ax_engine_answer all = model_case_score(ctx, engine, &call, NULL);
    for (size_t i = 0; i < BATCH_MAX; i++) {
        call.rows = model_case_rows(&rows, i, 1);
        struct ax_engine_answer one = model_case_score(ctx, engine, &call, NULL);
        check_same(engine, &one, &all, i, 1);
    }
    call.outputs = all_outputs(engine) & ~(unsigned)AX_ENGINE_INTERACTIONS;
    for (size_t count = 1; count <= BATCH_MAX; count++) {
        call.rows = model_case_rows(&rows, 0, count);
        struct ax_engine_answer some = model_case_score(ctx, engine, &call, NULL);
        check_same(engine, &some, &all, 0, count);
    }
}

TEST(engine_answers_alike_for_every_batch_size)
{
    with_room(check_batches);
}

struct racer {
    const struct ax_engine *engine;
    const struct ax_engine_background *background;
    const struct model_case *rows;
    const struct ax_engine_answer *want, *want_background;
};

static void
race(void *arg)
{
    const struct racer *racer = arg;
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    for (int round = 0; round < 3; round++) {
        struct ax_engine_call call = {.rows = model_case_rows(racer->rows, 0, 40),
                                      .outputs = all_outputs(racer->engine)};
        struct ax_engine_answer got = model_case_score(&ctx, racer->engine, &call, NULL);
        check_same(racer->engine, &got, racer->want, 0, 40);
        call.background = racer->background;
        call.outputs &= ~(unsigned)AX_ENGINE_INTERACTIONS;
        got = model_case_score(&ctx, racer->engine, &call, NULL);
        check_same(racer->engine, &got, racer->want_background, 0, 40);
    }
}

static void
check_threads(struct ax_ctx *ctx)
{
    struct model_case rows;
    CHECK(model_case_load(ctx, "tests/model/xgboost-3.2.0", "cat_partition", &rows));
    ax_auto(ax_engine_close) struct ax_engine *engine =
        model_case_open(ctx, "tests/model/xgboost-3.2.0/cat_partition/model.json");
    ax_auto(ax_engine_background_close) struct ax_engine_background *background = NULL;
    struct ax_engine_rows references = model_case_rows(&rows, 50, 100);
    CHECK_EQ(ax_engine_background_open(engine, ctx, &references, &background), AX_OK);
    struct ax_engine_call call = {.rows = model_case_rows(&rows, 0, 40),
                                  .outputs = all_outputs(engine)};
    struct ax_engine_answer want = model_case_score(ctx, engine, &call, NULL);
    call.background = background;
    call.outputs &= ~(unsigned)AX_ENGINE_INTERACTIONS;
    struct ax_engine_answer want_background = model_case_score(ctx, engine, &call, NULL);
    struct racer racer = {engine, background, &rows, &want, &want_background};
    struct ax_thread *threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        CHECK_EQ(ax_thread_start(ctx, "racer", race, &racer, &threads[i]), AX_OK);
    for (size_t i = 0; i < THREADS; i++)
        ax_thread_join(threads[i]);
}

TEST(engine_answers_alike_from_four_threads_at_once)
{
    with_room(check_threads);
}

/* ---- broken files ---- */

/* Opens bytes in a buffer of exactly their size; scores a row when they are a model. */
static ax_status
try_bytes(struct ax_ctx *ctx, ax_str bytes)
{
    static const float row[3] = {30, 1000, 1};
    struct ax_engine *engine = NULL;
    ctx->error[0] = '\0';
    ax_status status = ax_engine_open(ctx, bytes, NULL, &engine);
    if (status != AX_OK) {
        CHECK(ctx->error[0] != '\0');
        return status;
    }
    if (ax_engine_signature(engine)->feature_count <= 3) {
        ax_status scored;
        struct ax_engine_call call = {.rows = {.at = row, .count = 1},
                                      .outputs = ax_engine_signature(engine)->outputs};
        model_case_score(ctx, engine, &call, &scored);
        CHECK(scored == AX_OK || scored == AX_INVALID);
    }
    ax_engine_close(engine);
    return AX_OK;
}

static const char *const small_files[] = {
    "tests/model/small/xgboost.json",  "tests/model/small/xgboost.ubj",
    "tests/model/small/gblinear.json", "tests/model/small/scorecard.json",
    "tests/model/small/linear.json",
};

TEST(engine_refuses_a_model_cut_anywhere)
{
    for (size_t i = 0; i < AX_COUNT_OF(small_files); i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
        struct ax_ctx ctx = ax_ctx_of(arena);
        ax_str whole;
        CHECK(model_case_read(&ctx, small_files[i], &whole));
        for (size_t len = 0; len < whole.len; len++)
            CHECK(try_bytes(&ctx, (ax_str){whole.at, len}) != AX_OK);
        CHECK_EQ(try_bytes(&ctx, whole), AX_OK);
    }
}

TEST(engine_survives_a_model_with_any_byte_changed)
{
    static const char flips[] = {1, 2, 16, (char)0x80};
    for (size_t i = 0; i < AX_COUNT_OF(small_files); i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
        struct ax_ctx ctx = ax_ctx_of(arena);
        ax_str whole, changed;
        CHECK(model_case_read(&ctx, small_files[i], &whole));
        char *bytes = AX_NEW_ARRAY(arena, char, whole.len);
        memcpy(bytes, whole.at, whole.len);
        changed = (ax_str){bytes, whole.len};
        for (size_t at = 0; at < whole.len * AX_COUNT_OF(flips); at++) {
            char flip = flips[at % AX_COUNT_OF(flips)];
            bytes[at / AX_COUNT_OF(flips)] ^= flip;
            ax_ignore(try_bytes(&ctx, changed), "some are models still, all must be survived");
            bytes[at / AX_COUNT_OF(flips)] ^= flip;
        }
    }
}

static ax_str sweep_bytes;

static ax_status
open_swept(struct ax_ctx *ctx)
{
    static const double row[3] = {30, 1, 1};
    struct ax_engine *engine = NULL;
    struct ax_engine_background *background = NULL;
    const double *thresholds;
    size_t count;
    AX_TRY(ax_engine_open(ctx, sweep_bytes, NULL, &engine));
    struct ax_engine_rows rows = {.at = row, .count = 1, .type = AX_ENGINE_F64};
    ax_status status = ax_engine_background_open(engine, ctx, &rows, &background);
    if (status == AX_OK)
        status = ax_engine_thresholds(engine, ctx, 0, &thresholds, &count);
    if (background)
        ax_engine_background_close(background);
    ax_engine_close(engine);
    return status;
}

TEST(engine_opening_survives_every_failed_allocation)
{
    for (size_t i = 0; i < AX_COUNT_OF(small_files); i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TEST_BYTES_MAX);
        struct ax_ctx ctx = ax_ctx_of(arena);
        CHECK(model_case_read(&ctx, small_files[i], &sweep_bytes));
        FAULT_SWEEP(open_swept);
    }
}

static void
check_budget(struct ax_ctx *ctx)
{
    static const struct ax_engine_config config = {.memory_bytes_max = 20'000};
    struct ax_engine *engine = NULL;
    ax_str bytes;
    CHECK(model_case_read(ctx, "tests/model/xgboost-3.2.0/cat_partition/model.json", &bytes));
    CHECK_EQ(ax_engine_open(ctx, bytes, &config, &engine), AX_LIMIT);
    CHECK(strstr(ctx->error, "XGBoost model: "));
}

TEST(engine_keeps_to_its_memory_budget)
{
    with_room(check_budget);
}
