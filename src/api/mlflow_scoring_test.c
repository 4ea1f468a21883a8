#include "api_case.h"

#define SCORE "POST /models/dart/invocations"
#define MIXED "POST /models/xgboost/invocations"

static void
json_bodies(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, SCORE,
         "{\"dataframe_split\":{\"columns\":[\"job\",\"age\",\"income\",\"extra\"],\"data\":"
         "[[0,1,2,9],[1,3,null,9]]}}",
         200, "{\"predictions\":["},
        {NOBODY, SCORE,
         "{\"dataframe_split\":{\"index\":[5],\"columns\":[\"age\",\"income\",\"job\"],\"data\":"
         "[[1,2,0]]}}",
         200, "{\"predictions\":["},
        {NOBODY, MIXED, "{\"dataframe_records\":[{\"age\":1,\"income\":2,\"job\":\"cook\"}]}", 200,
         "{\"predictions\":["},
        {NOBODY, SCORE, "{\"instances\":[[1,2,0]],\"params\":{}}", 200, "{\"predictions\":["},
        {NOBODY, SCORE, "{\"inputs\":[[1,2,0]]}", 200, "{\"predictions\":["},
        {NOBODY, SCORE, "{\"inputs\":{\"age\":[1],\"income\":[2],\"job\":[0]}}", 200,
         "{\"predictions\":["},
        {NOBODY, SCORE, "{", 400,
         "{\"error_code\":\"BAD_REQUEST\",\"message\":\"Invalid input. Ensure that input is a "
         "valid JSON formatted string. Error: "},
        {NOBODY, SCORE, "{}", 400, "exactly one of the input fields"},
        {NOBODY, SCORE, "[1,2]", 400, "Received an array with 0 of them"},
        {NOBODY, SCORE, "{\"inputs\":[[1,2,0]],\"instances\":[[1,2,0]]}", 400, "with 2 of them"},
        {NOBODY, SCORE, "{\"dataframe_split\":{\"columns\":[\"age\"]}}", 400,
         "must have 'data' field"},
        {NOBODY, SCORE, "{\"dataframe_split\":{\"data\":[[1,2,0]],\"dtypes\":1}}", 400,
         "must have 'data' field"},
        {NOBODY, SCORE, "{\"dataframe_split\":{\"columns\":\"age\",\"data\":[[1]]}}", 400,
         "`columns` must be a list of names, not a string"},
        {NOBODY, SCORE, "{\"dataframe_split\":{\"columns\":[1],\"data\":[[1]]}}", 400, "name 0 is"},
        {NOBODY, SCORE,
         "{\"dataframe_split\":{\"columns\":[\"age\",\"income\",\"job\"],\"data\":[[1,2]]}}", 400,
         "row 0: a list of 3 values is expected"},
        {NOBODY, SCORE, "{\"dataframe_records\":\"x\"}", 400, "must be a list of records"},
        {NOBODY, SCORE, "{\"signature_name\":\"x\",\"inputs\":[[1,2,0]]}", 400, "signature_name"},
        {NOBODY, "POST /models/none/invocations", "{\"inputs\":[[1]]}", 404,
         "no model 'none' is served"},
        {NOBODY, "POST /invocations", "{\"inputs\":[[1,2,0]]}", 404, "6 are served"},
        {NOBODY, "GET /invocations", "", 405, "Method Not Allowed"},
    };
    at->header =
        (struct ax_http_header){AX_STR("Content-Type"), AX_STR("application/json; charset=utf-8")};
    API_CASE_TABLE(ctx, at, rows);
}

TEST(mlflow_scoring_takes_every_form_of_json)
{
    api_case_run_bare(json_bodies);
}

static void
csv_bodies(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, SCORE, "age,income,job,extra\n1,2,0,9\n3,,1,9\n", 200, "{\"predictions\":["},
        {NOBODY, MIXED, "job,age,income\ncook,1,2\n", 200, "{\"predictions\":["},
        {NOBODY, SCORE, "age,income,job\n1,two,0\n", 400,
         "row 2: column 'income' is 'two', not a number"},
        {NOBODY, SCORE, "age,income,job\n1,2\n", 400, "BAD_REQUEST"},
        {NOBODY, SCORE, "age,income,job\n", 400, "there are no rows to score"},
        {NOBODY, SCORE, "", 400, "BAD_REQUEST"},
    };
    at->header = (struct ax_http_header){AX_STR("Content-Type"), AX_STR("text/csv")};
    API_CASE_TABLE(ctx, at, rows);
}

TEST(mlflow_scoring_takes_tables_of_text)
{
    api_case_run_bare(csv_bodies);
}

static void
types(struct ax_ctx *ctx, struct api_case *at)
{
    at->header = (struct ax_http_header){AX_STR("Content-Type"), AX_STR("application/xml")};
    struct api_case_answer answer =
        api_case_ask(ctx, at, NOBODY, SCORE, AX_STR("{\"inputs\":[[1,2,0]]}"));
    CHECK_EQ(answer.status, 415);
    CHECK_STR(answer.body, "This predictor only supports the following content types: Types: "
                           "['text/csv', 'application/json']. Got 'application/xml'.");
    at->header = (struct ax_http_header){AX_STR("Content-Type"), AX_STR("application/json")};
    api_case_shut(at);
    at->config.default_model = AX_STR("dart");
    api_case_open(at);
    answer = api_case_ask(ctx, at, NOBODY, "POST /invocations", AX_STR("{\"inputs\":[[1,2,0]]}"));
    CHECK_EQ(answer.status, 200);
}

TEST(mlflow_scoring_refuses_other_types_and_has_a_default_model)
{
    api_case_run_bare(types);
}
