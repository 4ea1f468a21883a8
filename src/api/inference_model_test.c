#include "api/inference_model.h"

#include <math.h>

#include "harness.h"
#include "sys/file.h"

/* One model, served under its format's name, as in development mode. */
struct served {
    struct ax_loaded_model *model;
    struct ax_plan *plan;
};

static ax_status
serve(struct ax_ctx *ctx, const char *name, struct served *out)
{
    struct ax_bundle bundle;
    ax_str bytes, path = ax_str_printf(ctx->arena, "tests/model/small/%s.json", name);
    if (!path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    AX_TRY(ax_file_read_all(ctx, path, 1 << 20, &bytes));
    AX_TRY(ax_bundle_of_model(ctx, bytes, &bundle));
    AX_TRY(ax_model_load(ctx, ax_str_of(name), 1, false, &bundle, &out->model));
    return ax_plan_of_models(ctx, &out->model, 1, &out->plan);
}

static ax_status
prepare(struct ax_ctx *ctx, const struct served *served, const char *text, struct ax_inference *out)
{
    struct ax_tensor_json_request request;
    AX_TRY(ax_tensor_json_parse(ctx, ax_str_of(text), NULL, &request));
    return ax_inference_prepare(ctx, served->model, served->plan, &request, out);
}

static ax_status
infer(struct ax_ctx *ctx, const struct served *served, const char *text,
      const struct ax_tensor **out_tensors, size_t *out_count)
{
    struct ax_inference inference;
    AX_TRY(prepare(ctx, served, text, &inference));
    void *scratch = ax_arena_alloc(ctx->arena, 1, served->model->scratch_bytes + 1);
    if (!scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory to score");
    return ax_inference_run(ctx, &inference, scratch, out_tensors, out_count);
}

#define INPUT(name, type, shape, data)                                                             \
    "{\"name\":\"" name "\",\"datatype\":\"" type "\",\"shape\":" shape ",\"data\":" data "}"
#define REQUEST(inputs)              "{\"inputs\":[" inputs "]}"
#define REQUEST_FOR(inputs, outputs) "{\"inputs\":[" inputs "],\"outputs\":[" outputs "]}"
#define MATRIX                       INPUT("input-0", "FP32", "[2,3]", "[41,1200.5,1,23,900,0]")
#define COLUMNS                                                                                    \
    INPUT("job", "BYTES", "[2]", "[\"cook\",\"clerk\"]")                                           \
    "," INPUT("age", "FP32", "[2,1]", "[41,23]") "," INPUT("income", "INT64", "[2]", "[1200,900]")

/* ---- metadata ---- */

static void
shown(struct ax_ctx *ctx)
{
    static const struct {
        const char *model, *words;
    } cases[] = {
        {"dart", "{\"name\":\"dart\",\"versions\":[\"1\"],\"platform\":\"xgboost_json\",\"inputs\":"
                 "[{\"name\":\"input-0\",\"datatype\":\"FP32\",\"shape\":[-1,3]}],\"outputs\":"
                 "[{\"name\":\"predict\",\"datatype\":\"FP32\",\"shape\":[-1]}],\"properties\":"
                 "{\"features\":\"[\\\"age\\\",\\\"income\\\",\\\"job\\\"]\",\"digest\":\""},
        {"xgboost", "\"inputs\":[{\"name\":\"age\",\"datatype\":\"FP32\",\"shape\":[-1]},"
                    "{\"name\":\"income\",\"datatype\":\"FP32\",\"shape\":[-1]},"
                    "{\"name\":\"job\",\"datatype\":\"BYTES\",\"shape\":[-1]}],"},
        {"vector", "\"outputs\":[{\"name\":\"predict\",\"datatype\":\"FP32\",\"shape\":[-1,2]}]"},
        {"scorecard", "\"platform\":\"axiom_scorecard\",\"inputs\":[{\"name\":\"duration\","
                      "\"datatype\":\"FP64\""},
        {"linear", "\"governed\":\"false\",\"optional_outputs\":"
                   "\"margin,contributions,leaf,reasons\"}}"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct served served = {};
        CHECK_EQ(serve(ctx, cases[i].model, &served), AX_OK);
        ax_writer_auto struct ax_writer text = ax_writer_of(1 << 16);
        struct ax_json_writer json = ax_json_writer_of(&text);
        CHECK_EQ(ax_inference_show(ctx, served.model, served.plan, &json), AX_OK);
        if (ax_str_find(ax_writer_str(&text), ax_str_of(cases[i].words)) == SIZE_MAX)
            ax_test_failed(__FILE__, __LINE__, "%s: %.*s", cases[i].model,
                           AX_FMT(ax_writer_str(&text)));
        ax_plan_free(served.plan);
    }
}

TEST(metadata_shows_one_tensor_of_numbers_or_one_a_column)
{
    ax_test_with_ctx(shown);
}

/* ---- answers ---- */

/* The engine's own answer to the same two rows. */
static void
score_directly(struct ax_ctx *ctx, const struct served *served, const double *rows,
               struct ax_engine_answer *out)
{
    const struct ax_engine_signature *engine = ax_engine_signature(served->model->engine);
    const struct ax_engine_call call = {
        .rows = {.at = rows, .count = 2, .type = AX_ENGINE_F64},
        .outputs = AX_ENGINE_RESPONSE | AX_ENGINE_MARGIN | AX_ENGINE_CONTRIBUTIONS | AX_ENGINE_LEAF,
    };
    size_t width = engine->margin_count;
    out->response = AX_NEW_ARRAY(ctx->arena, double, 2 * engine->response_count);
    out->margin = AX_NEW_ARRAY(ctx->arena, double, 2 * width);
    out->contributions = AX_NEW_ARRAY(ctx->arena, double, 2 * width * 4);
    out->leaf = AX_NEW_ARRAY(ctx->arena, int32_t, 2 * engine->tree_count);
    void *scratch = ax_arena_alloc(ctx->arena, 1, served->model->scratch_bytes + 1);
    CHECK_EQ(ax_engine_score(served->model->engine, ctx, &call, scratch, out), AX_OK);
}

static void
check_numbers(const struct ax_tensor *tensor, const double *want, size_t count)
{
    CHECK_EQ(tensor->count, count);
    for (size_t i = 0; i < count && i < tensor->count; i++)
        CHECK(ax_tensor_f64(tensor, i) == want[i]);
}

/* Both forms of input give what the engine gives, and each output has its shape. */
static void
answered(struct ax_ctx *ctx)
{
    static const char all[] = "{\"name\":\"leaf\"},{\"name\":\"contributions\"},"
                              "{\"name\":\"margin\"},{\"name\":\"predict\"}";
    static const struct {
        const char *model, *request;
        double rows[6];
    } cases[] = {
        {"dart", REQUEST_FOR(MATRIX, "%s"), {41, 1200.5, 1, 23, 900, 0}},
        {"xgboost", REQUEST_FOR(COLUMNS, "%s"), {41, 1200, 1, 23, 900, 0}},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct served served = {};
        struct ax_engine_answer want = {};
        const struct ax_tensor *tensors = NULL;
        size_t count = 0;
        CHECK_EQ(serve(ctx, cases[i].model, &served), AX_OK);
        const struct ax_engine_signature *engine = ax_engine_signature(served.model->engine);
        ax_str before = ax_str_of(cases[i].request);
        before.len = ax_str_find(before, AX_STR("%s"));
        const char *request =
            ax_str_c(ctx->arena, ax_str_printf(ctx->arena, "%.*s%s]}", AX_FMT(before), all));
        CHECK_EQ(infer(ctx, &served, request, &tensors, &count), AX_OK);
        REQUIRE(count == 4);
        score_directly(ctx, &served, cases[i].rows, &want);
        CHECK_STR(tensors[0].name, "leaf");
        CHECK(tensors[0].type == AX_TENSOR_INT32 && tensors[0].dim_count == 2);
        CHECK_EQ(tensors[0].shape[1], engine->tree_count);
        CHECK(memcmp(tensors[0].data, want.leaf, 2 * engine->tree_count * sizeof *want.leaf) == 0);
        CHECK(tensors[1].type == AX_TENSOR_FP64 && tensors[1].dim_count == 2);
        CHECK_EQ(tensors[1].shape[1], 4);
        check_numbers(&tensors[1], want.contributions, 8);
        CHECK(tensors[2].type == AX_TENSOR_FP32 && tensors[2].dim_count == 1);
        check_numbers(&tensors[2], want.margin, 2);
        CHECK(tensors[3].type == AX_TENSOR_FP32 && tensors[3].shape[0] == 2);
        check_numbers(&tensors[3], want.response, 2);
        ax_plan_free(served.plan);
    }
}

TEST(answers_are_the_engines_and_come_in_the_order_asked_for)
{
    ax_test_with_ctx(answered);
}

/* Two responses a row: one more dimension, in the answer and in contributions. */
static void
several(struct ax_ctx *ctx)
{
    struct served served = {};
    const struct ax_tensor *tensors = NULL;
    size_t count = 0;
    CHECK_EQ(serve(ctx, "vector", &served), AX_OK);
    CHECK_EQ(infer(ctx, &served, REQUEST(COLUMNS), &tensors, &count), AX_OK);
    REQUIRE(count == 1);
    CHECK_STR(tensors[0].name, "predict");
    CHECK(tensors[0].dim_count == 2 && tensors[0].shape[0] == 2 && tensors[0].shape[1] == 2);
    CHECK_EQ(infer(ctx, &served, REQUEST_FOR(COLUMNS, "{\"name\":\"margin\"}"), &tensors, &count),
             AX_OK);
    CHECK(tensors[0].dim_count == 2 && tensors[0].count == 4);
    ax_plan_free(served.plan);
}

TEST(a_model_of_several_responses_answers_with_one_more_dimension)
{
    ax_test_with_ctx(several);
}

static void
explains(struct ax_ctx *ctx)
{
    static const struct {
        const char *output;
        bool want;
    } cases[] = {{"predict", false}, {"margin", false}, {"leaf", false}, {"contributions", true}};
    struct served served = {};
    struct ax_inference inference = {};
    CHECK_EQ(serve(ctx, "dart", &served), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const char *request =
            ax_str_c(ctx->arena,
                     ax_str_printf(ctx->arena, "{\"inputs\":[%s],\"outputs\":[{\"name\":\"%s\"}]}",
                                   MATRIX, cases[i].output));
        CHECK_EQ(prepare(ctx, &served, request, &inference), AX_OK);
        CHECK_EQ(ax_inference_explains(&inference), cases[i].want);
    }
    ax_plan_free(served.plan);
}

TEST(only_shapley_values_are_heavy)
{
    ax_test_with_ctx(explains);
}

/* ---- refusals ---- */

static const struct refusal {
    const char *model, *request, *words;
} refusals[] = {
    {"dart", REQUEST(""), "expected 1 inputs but got 0 inputs for model 'dart'"},
    {"dart", REQUEST(INPUT("input-0", "FP64", "[1,3]", "[1,2,3]")),
     "inference input 'input-0' data-type is 'FP64', but model 'dart' expects 'FP32'"},
    {"dart", REQUEST(INPUT("input-0", "FP32", "[1,2]", "[1,2]")),
     "unexpected shape for input 'input-0' for model 'dart'. Expected [-1,3], got [1,2]."},
    {"dart", REQUEST(INPUT("input-0", "FP32", "[3]", "[1,2,3]")), "Expected [-1,3], got [3]."},
    {"dart", REQUEST(INPUT("input-0", "FP32", "[0,3]", "[]")), "there are no rows to score"},
    {"dart", REQUEST(MATRIX "," INPUT("age", "FP32", "[2]", "[1,2]")),
     "expected 1 inputs but got 2 inputs for model 'dart'"},
    {"dart", REQUEST(INPUT("age", "FP32", "[1]", "[1]")),
     "expected 3 inputs but got 1 inputs for model 'dart'. Missing required input 'income'. Please "
     "provide all required input(s)."},
    {"dart", REQUEST(INPUT("height", "FP32", "[1]", "[1]")),
     "unexpected inference input 'height' for model 'dart'"},
    {"dart", REQUEST(INPUT("age", "BYTES", "[1]", "[\"x\"]")),
     "inference input 'age' data-type is 'BYTES', but model 'dart' expects 'FP32'"},
    {"dart", REQUEST(INPUT("age", "FP32", "[]", "[1]")), "shape"},
    {"dart", REQUEST(INPUT("age", "FP32", "[2]", "[1,2]") "," INPUT("job", "FP32", "[1]", "[1]")),
     "unexpected shape for input 'job' for model 'dart'. Expected [2], got [1]."},
    {"dart", REQUEST(INPUT("age", "FP32", "[1,2]", "[1,2]")), "Expected [1], got [1,2]."},
    {"xgboost", REQUEST(INPUT("input-0", "FP32", "[1,3]", "[1,2,0]")),
     "unexpected inference input 'input-0' for model 'xgboost': it has categories, so each feature "
     "is an input of its own"},
    {"xgboost", REQUEST(INPUT("job", "FP32", "[1]", "[1]")),
     "inference input 'job' data-type is 'FP32', but model 'xgboost' expects 'BYTES'"},
    {"xgboost", REQUEST(INPUT("job", "BYTES", "[2]", "[\"cook\",\"pilot\"]")),
     "row 1: feature `job`"},
    {"linear",
     REQUEST(INPUT("amount", "FP64", "[1]", "[1]") "," INPUT("housing", "BYTES", "[1]", "[\"\"]")),
     "feature `housing` is missing"},
    {"dart", REQUEST_FOR(MATRIX, "{\"name\":\"predicts\"}"),
     "unexpected inference output 'predicts' for model 'dart'"},
    {"dart", REQUEST_FOR(MATRIX, "{\"name\":\"leaf\"},{\"name\":\"leaf\"}"),
     "output 'leaf' already exists in request"},
    {"dart", REQUEST_FOR(MATRIX, "{\"name\":\"reasons\"}"),
     "output 'reasons': model 'dart' is champion of no deployment, so it has no reason map"},
};

static void
refused(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(refusals); i++) {
        struct served served = {};
        struct ax_inference inference;
        CHECK_EQ(serve(ctx, refusals[i].model, &served), AX_OK);
        ax_status status = prepare(ctx, &served, refusals[i].request, &inference);
        if (status != AX_INVALID || !strstr(ctx->error, refusals[i].words))
            ax_test_failed(__FILE__, __LINE__, "%s ends %s: %s", refusals[i].request,
                           ax_status_name(status), ctx->error);
        ax_plan_free(served.plan);
    }
}

TEST(wrong_inputs_and_outputs_are_refused_in_the_protocols_words)
{
    ax_test_with_ctx(refused);
}

/* ---- faults ---- */

static struct served swept;

static ax_status
infer_once(struct ax_ctx *ctx)
{
    const struct ax_tensor *tensors;
    size_t count;
    return infer(ctx, &swept,
                 REQUEST_FOR(COLUMNS, "{\"name\":\"predict\"},{\"name\":\"margin\"},"
                                      "{\"name\":\"contributions\"},{\"name\":\"leaf\"}"),
                 &tensors, &count);
}

static void
sweep(struct ax_ctx *ctx)
{
    CHECK_EQ(serve(ctx, "xgboost", &swept), AX_OK);
    FAULT_SWEEP(infer_once);
    ax_plan_free(swept.plan);
}

TEST(an_inference_survives_every_fault)
{
    ax_test_with_ctx(sweep);
}
