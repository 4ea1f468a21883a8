#include "api_case.h"

#define ROW_OF(age, income, job)                                                                   \
    "{\"name\":\"age\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[" age "]},"                   \
    "{\"name\":\"income\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[" income "]},"             \
    "{\"name\":\"job\",\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[" job "]}"
#define COOK ROW_OF("41", "1200.5", "\"cook\"")

static void
metadata(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /v2", "", 200,
         "{\"name\":\"axiom\",\"version\":\"" AX_VERSION "\",\"extensions\":[\"classification\","
         "\"model_repository\",\"model_configuration\",\"binary_tensor_data\",\"parameters\","
         "\"statistics\",\"trace\",\"logging\"]}"},
        {NOBODY, "GET /v2/health/live", "", 200, "{\"live\":true}"},
        {NOBODY, "GET /v2/health/ready", "", 200, "{\"ready\":true}"},
        {NOBODY, "GET /v2/models", "", 200,
         "{\"models\":[\"xgboost\",\"vector\",\"linear\",\"scorecard\",\"dart\",\"gblinear\"]}"},
        {NOBODY, "GET /v2/models/dart", "", 200, "{\"name\":\"dart\",\"versions\":[\"1\"],"},
        {NOBODY, "GET /v2/models/dart/versions/1", "", 200, "\"name\":\"input-0\""},
        {NOBODY, "GET /v2/models/dart/ready", "", 200, "{\"name\":\"dart\",\"ready\":true}"},
        {NOBODY, "GET /v2/models/dart/versions/1/ready", "", 200, "\"ready\":true"},
        {NOBODY, "GET /v2/models/cart", "", 404,
         "{\"error\":\"Request for unknown model: 'cart' is not found\"}"},
        {NOBODY, "GET /v2/models/cart/ready", "", 404, "unknown model: 'cart'"},
        {NOBODY, "GET /v2/models/dart/versions/9", "", 404,
         "{\"error\":\"Request for unknown model: 'dart' version 9 is not found\"}"},
        {NOBODY, "GET /v2/models/dart/versions/one", "", 404, "is no number of a version"},
        {NOBODY, "GET /v2/models/dart/infer", "", 405, "Method Not Allowed"},
    };
    API_CASE_TABLE(ctx, at, rows);
    at->away = true;
    struct api_case_answer answer =
        api_case_ask(ctx, at, NOBODY, "GET /v2/health/ready", AX_STR(""));
    CHECK_EQ(answer.status, 503);
    CHECK_STR(answer.body, "{\"error\":\"the server is not ready; /readyz says why\"}");
}

TEST(the_inference_protocol_shows_server_and_models)
{
    api_case_run_bare(metadata);
}

/* The same questions where Triton's answers were chosen; versions are told alike. */
static void
triton_compatible(struct ax_ctx *ctx, struct api_case *at)
{
    static const char request[] = "{\"inputs\":[" COOK "]}";
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /v2/models/cart", "", 400,
         "{\"error\":\"Request for unknown model: 'cart' is not found\"}"},
        {NOBODY, "GET /v2/models/cart/config", "", 400, "unknown model: 'cart' is not found"},
        {NOBODY, "POST /v2/models/cart/infer", request, 400, "unknown model: 'cart' is not found"},
        {NOBODY, "GET /v2/models/cart/ready", "", 400, "{\"error\":\"Model version not ready\"}"},
        {NOBODY, "GET /v2/models/dart/versions/9/ready", "", 400, "Model version not ready"},
        {NOBODY, "GET /v2/models/dart/versions/9", "", 404, "version 9 is not found"},
        {NOBODY, "GET /v2/models/dart/ready", "", 200, "{\"name\":\"dart\",\"ready\":true}"},
        {NOBODY, "GET /v2/health/ready", "", 200, "{\"ready\":true}"},
        {NOBODY, "POST /v1/models/cart:predict", "{\"instances\":[[1]]}", 404, "cart"},
    };
    at->config.compat = AX_COMPAT_TRITON;
    api_case_shut(at);
    api_case_open(at);
    API_CASE_TABLE(ctx, at, rows);
    at->away = true;
    struct api_case_answer answer =
        api_case_ask(ctx, at, NOBODY, "GET /v2/health/ready", AX_STR(""));
    CHECK_EQ(answer.status, 400);
}

TEST(the_inference_protocol_answers_as_triton_where_that_is_set)
{
    api_case_run_bare(triton_compatible);
}

static void
inferred(struct ax_ctx *ctx, struct api_case *at)
{
    static const char request[] = "{\"id\":\"42\",\"inputs\":[" COOK "]}";
    static const struct api_case_row rows[] = {
        {NOBODY, "POST /v2/models/xgboost/infer", request, 200,
         "{\"model_name\":\"xgboost\",\"model_version\":\"1\",\"id\":\"42\",\"outputs\":[{\"name\":"
         "\"predict\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":["},
        {NOBODY, "POST /v2/models/xgboost/versions/1/infer", request, 200, "\"id\":\"42\""},
        {NOBODY, "POST /v2/models/xgboost/infer",
         "{\"inputs\":[" COOK "],\"outputs\":[{\"name\":\"contributions\"}]}", 200,
         "\"shape\":[1,4]"},
        {NOBODY, "POST /v2/models/xgboost/versions/2/infer", request, 404, "version 2"},
        {NOBODY, "POST /v2/models/xgbost/infer", request, 404, "unknown model: 'xgbost'"},
        {NOBODY, "POST /v2/models/xgboost/infer", "", 400, "{\"error\":"},
        {NOBODY, "POST /v2/models/xgboost/infer", "{\"inputs\":[", 400, "{\"error\":"},
        {NOBODY, "POST /v2/models/xgboost/infer", "{}", 400, "'inputs' is missing"},
        {NOBODY, "POST /v2/models/xgboost/infer",
         "{\"inputs\":[" ROW_OF("41", "1", "\"pilot\"") "]}", 400, "row 0: feature `job`"},
        {NOBODY, "POST /v2/models/xgboost/infer",
         "{\"inputs\":[{\"name\":\"age\",\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":"
         "{\"binary_data_size\":4}}]}",
         400, "unexpected size for input 'age', expecting 4 additional bytes for model 'xgboost'"},
        {NOBODY, "POST /v2/models/xgboost/infer",
         "{\"inputs\":[" COOK "],\"outputs\":[{\"name\":\"predict\",\"parameters\":"
         "{\"classification\":1}}]}",
         200, "\"datatype\":\"BYTES\",\"shape\":[1,1],\"data\":[\"0."},
        {NOBODY, "POST /v2/models/xgboost/infer",
         "{\"inputs\":[" COOK "],\"outputs\":[{\"name\":\"reasons\"}]}", 400,
         "champion of no deployment"},
    };
    API_CASE_TABLE(ctx, at, rows);
    at->header = (struct ax_http_header){AX_STR("Inference-Header-Content-Length"), AX_STR("10")};
    struct api_case_answer answer =
        api_case_ask(ctx, at, NOBODY, "POST /v2/models/xgboost/infer", ax_str_of(request));
    CHECK_EQ(answer.status, 400); /* ten bytes of it are no JSON */
    CHECK(api_case_says(&answer, "JSON"));
}

TEST(an_inference_answers_or_says_what_is_wrong)
{
    api_case_run_bare(inferred);
}

/* {"inputs":[{"name":"input-0",...,"data":[1,2,0,1,2,0,...]}],"outputs":[{"name":OUTPUT}]} */
static ax_str
rows_request(struct ax_ctx *ctx, int row_count, const char *output)
{
    ax_str body = AX_STR("");
    ax_writer_auto struct ax_writer text = ax_writer_of(4 << 20);
    ax_writer_print(&text,
                    "{\"inputs\":[{\"name\":\"input-0\",\"datatype\":\"FP32\",\"shape\":[%d,3],"
                    "\"data\":[",
                    row_count);
    for (int i = 0; i < row_count; i++)
        ax_writer_print(&text, "%s%d,%d.5,%d", i ? "," : "", 18 + i % 60, 100 * i, i % 4);
    ax_writer_print(&text, "]}],\"outputs\":[{\"name\":\"%s\"}]}", output);
    CHECK_EQ(ax_writer_take(&text, ctx->arena, &body), AX_OK);
    return body;
}

/* Large bodies and many explanations leave the loop; what they answer is the same. */
static void
on_workers(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct {
        int row_count;
        const char *output, *shape;
    } cases[] = {
        {1, "predict", "\"shape\":[1]"},          {4, "contributions", "\"shape\":[4,4]"},
        {5, "contributions", "\"shape\":[5,4]"},  {200, "contributions", "\"shape\":[200,4]"},
        {20'000, "predict", "\"shape\":[20000]"},
    };
    ax_str small = AX_STR(""), large = AX_STR("");
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str body = rows_request(ctx, cases[i].row_count, cases[i].output);
        struct api_case_answer answer =
            api_case_ask(ctx, at, NOBODY, "POST /v2/models/dart/infer", body);
        CHECK_EQ(answer.status, 200);
        CHECK(api_case_says(&answer, cases[i].shape));
        size_t data = ax_str_find(answer.body, AX_STR("\"data\":["));
        ax_str numbers = ax_str_from(answer.body, data == SIZE_MAX ? 0 : data);
        if (cases[i].row_count == 4)
            small = (ax_str){numbers.at, numbers.len - AX_STR("]}]}").len};
        if (cases[i].row_count == 5)
            large = numbers;
    }
    CHECK(small.len > 0 && ax_str_starts(large, small)); /* the same rows on a loop, on a worker */
    struct api_case_answer answer = api_case_ask(ctx, at, NOBODY, "GET /v2/metrics", AX_STR(""));
    CHECK(api_case_says(&answer, "20210"));
}

TEST(what_is_long_runs_on_a_worker_and_answers_the_same)
{
    api_case_run_bare(on_workers);
}

/* ---- governed ---- */

static void
governed(struct ax_ctx *ctx, struct api_case *at)
{
    static const char request[] = "{\"inputs\":[" COOK "]}";
    static const char reasons[] = "{\"inputs\":[" COOK "],\"outputs\":[{\"name\":\"reasons\"}]}";
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /v2", "", 200, "axiom"},
        {NOBODY, "GET /v2/models/credit", "", 401, "{\"error\":"},
        {LEX, "GET /v2/models/credit", "", 403,
         "lex (auditor) may not ask a model for predictions"},
        {SAM, "GET /v2/models/credit", "", 200, "\"governed\":\"true\""},
        {NOBODY, "POST /v2/models/credit/infer", request, 401, "{\"error\":"},
        {ADA, "POST /v2/models/credit/infer", request, 403, "{\"error\":"},
        {SAM, "POST /v2/models/loans/infer", request, 200, "\"model_version\":\"1\""},
        {SAM, "POST /v2/models/loans/infer", "{\"inputs\":[" ROW_OF("NaN", "1", "\"cook\"") "]}",
         400, "row 0: feature `age` is missing"},
        {SAM, "POST /v2/models/loans/infer", reasons, 200,
         "\"name\":\"reasons\",\"datatype\":\"BYTES\",\"shape\":[1,4],\"data\":[\"R"},
        {ROB, "POST /api/v1/kill", "{\"scope\":\"client:sam\",\"reason\":\"a loop gone wild\"}",
         200, "client:sam"},
        {SAM, "POST /v2/models/loans/infer", request, 403, "a loop gone wild"},
        {DANA, "POST /v2/models/credit/infer", request, 200, "predict"},
        {ROB, "POST /api/v1/kill", "{\"scope\":\"model:credit\",\"reason\":\"wrong prices\"}", 200,
         "model:credit"},
        {DANA, "POST /v2/models/credit/infer", request, 403, "wrong prices"},
    };
    deployed_case_make(ctx, &at->mlops);
    API_CASE_TABLE(ctx, at, rows);
}

TEST(r80_r83_governed_inference_asks_who_and_obeys_the_kill_switch)
{
    api_case_run(governed);
}
