#include "api/mlflow_wire.h"

#include "codec/text.h"
#include "mlflow_case.h"

#define CREATE "POST " MLFLOW_API "experiments/create"

static void
bodies(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {DANA, CREATE, "{bad", 400,
         "Missing value for required parameter 'name'. See the API docs"},
        {DANA, CREATE, "[]", 400, "Missing value for required parameter 'name'"},
        {DANA, CREATE, "", 400, "Missing value for required parameter 'name'"},
        {DANA, CREATE, "{\"name\":null}", 400, "Missing value for required parameter 'name'"},
        {DANA, CREATE, "{\"name\":\"\"}", 400, "Missing value for required parameter 'name'"},
        {DANA, CREATE, "{\"name\":5}", 400,
         "Invalid value 5 for parameter 'name' supplied:  Hint: Value was of type 'int'."},
        {DANA, CREATE, "{\"name\":9.0}", 400,
         "Invalid value 9.0 for parameter 'name' supplied:  Hint: Value was of type 'float'."},
        {DANA, CREATE, "{\"name\":[1]}", 400, "Value was of type 'list'"},
        {DANA, CREATE, "{\"name\":\"a\\u0000b\"}", 400, "INVALID_PARAMETER_VALUE"},
        {DANA, CREATE, "{\"name\":\"a\",\"tags\":{}}", 400, "Value was of type 'dict'"},
        {DANA, CREATE, "{\"name\":\"a\",\"tags\":[1]}", 400, "for parameter 'tags'"},
        {DANA, CREATE, "{\"name\":\"a\",\"tags\":[{\"value\":\"v\"}]}", 400,
         "Missing value for required parameter 'tags[0].key'"},
        {DANA, CREATE, "{\"name\":\"one\",\"unknown\":1}", 200, "{\"experiment_id\":\"1\"}"},
        {DANA, CREATE, "{\"name\":\"one\"}", 400, "\"error_code\":\"RESOURCE_ALREADY_EXISTS\""},
        {DANA, CREATE, "\"{\\\"name\\\":\\\"two\\\"}\"", 200, "{\"experiment_id\":\"2\"}"},
        {DANA, CREATE, "{\"name\":\"three\",\"artifactLocation\":\"s3://x\"}", 200, "\"3\""},
        {DANA, "GET " MLFLOW_API "experiments/get?experiment_id=3", "", 200, "s3://x"},
        {DANA, "GET //api/2.0/mlflow/experiments/get?experiment_id=3", "", 200, "s3://x"},
        {DANA, "GET /ajax-api/2.0/mlflow/experiments/get?experiment_id=3", "", 200, "s3://x"},
        {DANA, "GET " MLFLOW_API "experiments/get?experiment_id=9", "", 404,
         "\"error_code\":\"RESOURCE_DOES_NOT_EXIST\""},
        {DANA, "GET " MLFLOW_API "experiments/get/", "", 404, "<title>404 Not Found</title>"},
        {DANA, "GET " MLFLOW_API "experiments/get-by-name?experiment_name=%ff", "", 400,
         "no UTF-8"},
        {DANA, "DELETE " MLFLOW_API "logged-models/%ff", "", 400, "no UTF-8"},
        {DANA, "GET " MLFLOW_API "nothing", "", 404, "<title>404 Not Found</title>"},
        {DANA, "GET " MLFLOW_API "experiments/create", "", 405, "Method Not Allowed"},
        {NOBODY, CREATE, "{\"name\":\"x\"}", 401, "\"error_code\":\"UNAUTHENTICATED\""},
        {VIC, CREATE, "{\"name\":\"x\"}", 403, "\"error_code\":\"PERMISSION_DENIED\""},
        {LEX, "GET " MLFLOW_API "experiments/get?experiment_id=0", "", 200, "Default"},
    };
    mlflow_case_begin(at);
    API_CASE_TABLE(ctx, at, rows);
    at->header.value = AX_STR("text/plain");
    static const struct api_case_row plain[] = {
        {DANA, CREATE, "{\"name\":\"x\"}", 400,
         "Content-Type must be one of ['application/json']"}};
    API_CASE_TABLE(ctx, at, plain);
    at->header.value = AX_STR("application/json; charset=utf-8");
    static const struct api_case_row charset[] = {{DANA, CREATE, "{\"name\":\"x\"}", 200, "\"4\""}};
    API_CASE_TABLE(ctx, at, charset);
}

TEST(mlflows_wire_rules_are_kept)
{
    api_case_run(bodies);
}

static void
credentials(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct {
        const char *name;
        bool own;
        int status;
    } cases[] = {{"dana", true, 200}, {"ada", true, 401}, {"dana", false, 401}, {"", true, 401}};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_writer_auto struct ax_writer text = ax_writer_of(1 << 12);
        ax_str pair = ax_str_printf(ctx->arena, "%s:%.*s", cases[i].name,
                                    AX_FMT(cases[i].own ? at->tokens[DANA] : AX_STR("axm_no")));
        ax_writer_text(&text, "Basic ");
        ax_base64_encode(pair, &text);
        at->header = (struct ax_http_header){AX_STR("Authorization"), ax_writer_str(&text)};
        struct api_case_answer answer = api_case_ask(
            ctx, at, NOBODY, "GET " MLFLOW_API "experiments/get?experiment_id=0", AX_STR(""));
        CHECK_EQ(answer.status, cases[i].status);
    }
    at->header.value = AX_STR("Basic !");
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "GET " MLFLOW_API "experiments/get?experiment_id=0",
                          AX_STR(""))
                 .status,
             401);
}

TEST(r84_a_name_and_its_token_are_credentials)
{
    api_case_run(credentials);
}

static void
numbers(struct ax_ctx *ctx)
{
    static const struct {
        const char *json;
        bool number, whole;
        double value;
    } cases[] = {
        {"1", true, true, 1},          {"1.5", true, false, 1.5},
        {"\"2.5\"", true, false, 2.5}, {"\"7\"", true, true, 7},
        {"12.0", true, true, 12},      {"true", true, false, 1},
        {"\"abc\"", false, false, 0},  {"[]", false, false, 0},
        {"{}", false, false, 0},       {"\"-Infinity\"", true, false, -1},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_json *json = NULL;
        double value = 0;
        int64_t whole = 0;
        CHECK_EQ(ax_json_parse(ctx, ax_str_of(cases[i].json), NULL, &json), AX_OK);
        CHECK_EQ(ax_mlflow_number(json, &value), cases[i].number);
        CHECK_EQ(ax_mlflow_whole(json, &whole), cases[i].whole);
        CHECK(!cases[i].whole || (double)whole == cases[i].value);
    }
}

TEST(numbers_are_what_protocol_buffers_take)
{
    ax_test_with_ctx(numbers);
}
