#include "api_case.h"

#define PREDICT "POST /v1/models/dart:predict"
#define MIXED   "POST /v1/models/xgboost:predict"

static void
answers(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, PREDICT, "{\"instances\":[[1,2,0],[3,4,1]]}", 200, "{\"predictions\":["},
        {NOBODY, PREDICT, "{\"instances\":[{\"input-0\":[1,2,0]}]}", 200, "{\"predictions\":["},
        {NOBODY, PREDICT, "{\"instances\":[{\"age\":1,\"income\":null,\"job\":0}]}", 200,
         "{\"predictions\":["},
        {NOBODY, PREDICT, "{\"inputs\":[[1,NaN,0]]}", 200, "{\"outputs\":["},
        {NOBODY, PREDICT, "{\"inputs\":{\"age\":[1],\"income\":[2],\"job\":[0]}}", 200,
         "{\"outputs\":["},
        {NOBODY, PREDICT, "{\"signature_name\":\"serving_default\",\"instances\":[[1,2,0]]}", 200,
         "{\"predictions\":["},
        {NOBODY, MIXED, "{\"instances\":[{\"age\":1,\"income\":2,\"job\":\"cook\"}]}", 200,
         "{\"predictions\":["},
        {NOBODY, MIXED, "{\"instances\":[[1,2,\"cook\"],[1,2,{\"b64\":\"Y29vaw==\"}]]}", 200,
         "{\"predictions\":["},
        {NOBODY, "POST /v1/models/dart/versions/1:predict", "{\"instances\":[[1,2,0]]}", 200,
         "{\"predictions\":["},
        {NOBODY, "POST /v1/models/dart:regress",
         "{\"examples\":[{\"age\":1,\"income\":2,\"job\":0}]}", 200, "{\"results\":["},
        {NOBODY, "POST /v1/models/dart:classify",
         "{\"examples\":[{\"age\":1,\"income\":2,\"job\":0}]}", 200, "{\"results\":[[[\"0\","},
        {NOBODY, "POST /v1/models/dart:explain", "{\"instances\":[[1,2,0]]}", 200,
         "\"features\":[\"age\",\"income\",\"job\",\"bias\"]}"},
        {NOBODY, "GET /v1/models", "", 200, "{\"models\":[\"xgboost\","},
        {NOBODY, "GET /v1/models/dart", "", 200,
         "{\"model_version_status\":[{\"version\":\"1\",\"state\":\"AVAILABLE\",\"status\":"
         "{\"error_code\":\"OK\",\"error_message\":\"\"}}],\"name\":\"dart\",\"ready\":true}"},
        {NOBODY, "GET /v1/models/dart/versions/1", "", 200, "AVAILABLE"},
        {NOBODY, "GET /v1/models/dart/metadata", "", 200,
         "\"inputs\":{\"input-0\":{\"dtype\":\"DT_FLOAT\",\"tensor_shape\":{\"dim\":[{\"size\":"
         "\"-1\",\"name\":\"\"},{\"size\":\"3\",\"name\":\"\"}]"},
    };
    API_CASE_TABLE(ctx, at, rows);
}

TEST(tfserving_answers_rows_columns_examples_and_status)
{
    api_case_run_bare(answers);
}

static void
refusals(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /v1/models/none", "", 404, "Servable not found for request: Latest(none)"},
        {NOBODY, "GET /v1/models/none/metadata", "", 404, "Latest(none)"},
        {NOBODY, "POST /v1/models/none:predict", "{\"instances\":[[1]]}", 404, "Latest(none)"},
        {NOBODY, "POST /v1/models/dart/versions/7:predict", "{\"instances\":[[1,2,0]]}", 404,
         "Specific(dart, 7)"},
        {NOBODY, "GET /v1/models/dart/labels/stable", "", 400, "version label: stable"},
        {NOBODY, "POST /v1/models/dart/labels/stable:predict", "{}", 400, "version label: stable"},
        {NOBODY, "POST /v1/models/dart:guess", "{}", 400, "Malformed request"},
        {NOBODY, "POST /v1/models/dart", "{}", 400, "Malformed request"},
        {NOBODY, "GET /v1/nothing", "", 404, "{\"error\":\"Not Found\"}"},
        {NOBODY, PREDICT, "", 400, "{\"error\":"},
        {NOBODY, PREDICT, "[]", 400, "expected an object, got an array"},
        {NOBODY, PREDICT, "{}", 400, "and not both"},
        {NOBODY, PREDICT, "{\"instances\":[[1,2,0]],\"inputs\":[[1,2,0]]}", 400, "and not both"},
        {NOBODY, PREDICT, "{\"instances\":[]}", 400, "there are no rows to score"},
        {NOBODY, PREDICT, "{\"instances\":\"x\"}", 400, "a list of rows is expected, not a string"},
        {NOBODY, PREDICT, "{\"instances\":[[1,2,0],[1,2]]}", 400, "lists must be of equal length"},
        {NOBODY, PREDICT, "{\"instances\":[[1,2,\"x\"]]}", 400,
         "input 'input-0': value 2 must be a number, not a string"},
        {NOBODY, PREDICT, "{\"instances\":[[[[[[[[[1]]]]]]]]]}", 400, "deep"},
        {NOBODY, PREDICT, "{\"instances\":[{\"bogus\":1}]}", 400, "input 'bogus'"},
        {NOBODY, PREDICT, "{\"instances\":[{\"age\":1},{\"job\":1}]}", 400,
         "row 1: 'age' is missing"},
        {NOBODY, PREDICT, "{\"instances\":[{\"age\":1},2]}", 400, "row 1: an object with the 1"},
        {NOBODY, PREDICT, "{\"inputs\":{}}", 400, "nothing in the body is an input"},
        {NOBODY, PREDICT, "{\"signature_name\":\"other\",\"instances\":[[1,2,0]]}", 400,
         "signature name"},
        {NOBODY, MIXED, "{\"instances\":[[1,2]]}", 400, "a row has 2 values"},
        {NOBODY, MIXED, "{\"instances\":[[1,2,\"pilot\"]]}", 400, "feature `job`"},
        {NOBODY, MIXED, "{\"instances\":[[1,2,{\"b64\":\"?\"}]]}", 400, "{\"error\":"},
        {NOBODY, "POST /v1/models/dart:classify", "{\"context\":{\"age\":1},\"examples\":[]}", 400,
         "features that examples share"},
        {NOBODY, "POST /v1/models/dart:classify", "{}", 400, "examples"},
    };
    API_CASE_TABLE(ctx, at, rows);
}

TEST(tfserving_refuses_in_its_own_words)
{
    api_case_run_bare(refusals);
}
