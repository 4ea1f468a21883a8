#include "api/dialect.h"
#include "api_case.h"

static void
predictions(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /ping", "", 200, "{\"status\":\"Healthy\"}"},
        {NOBODY, "OPTIONS /", "", 200, "\"openapi\":\"3.0.1\""},
        {NOBODY, "POST /predictions/dart", "[[1,2,0]]", 200, "["},
        {NOBODY, "POST /predictions/dart", "{\"data\":[[1,2,0]]}", 200, "["},
        {NOBODY, "POST /predictions/dart", "{\"age\":1,\"income\":2,\"job\":0}", 200, "0."},
        {NOBODY, "POST /predictions/dart/1.0", "[[1,2,0]]", 200, "["},
        {NOBODY, "POST /explanations/dart", "[[1,2,0]]", 200, "[["},
        {NOBODY, "POST /predictions/none", "[[1]]", 404,
         "{\"code\":404,\"type\":\"ModelNotFoundException\",\"message\":\"Model not found: "
         "none\"}"},
        {NOBODY, "POST /predictions/dart/98.7", "[[1,2,0]]", 404,
         "Model version: 98.7 does not exist for model: dart"},
        {NOBODY, "POST /predictions/dart/2", "[[1,2,0]]", 404, "Model version: 2 does not exist"},
        {NOBODY, "POST /predictions/dart", "[[1,2]]", 400, "\"type\":\"BadRequestException\""},
        {NOBODY, "POST /predictions/dart", "{", 400, "\"code\":400"},
        {NOBODY, "GET /predictions/dart", "", 405, "\"type\":\"MethodNotAllowedException\""},
        {NOBODY, "GET /models", "", 404, "Not Found"}, /* only on a listener that names it */
    };
    API_CASE_TABLE(ctx, at, rows);
    at->away = true;
    struct api_case_answer answer = api_case_ask(ctx, at, NOBODY, "GET /ping", AX_STR(""));
    CHECK_EQ(answer.status, 500);
    CHECK_STR(answer.body, "{\"status\":\"Unhealthy\"}");
}

TEST(torchserve_predicts_explains_and_says_how_it_is)
{
    api_case_run_bare(predictions);
}

static void
forms(struct ax_ctx *ctx, struct api_case *at)
{
    static const char form[] = "--b\r\nContent-Disposition: form-data; name=\"data\"; "
                               "filename=\"x.json\"\r\n\r\n[[1,2,0]]\r\n--b--\r\n";
    at->header =
        (struct ax_http_header){AX_STR("Content-Type"), AX_STR("multipart/form-data; boundary=b")};
    struct api_case_answer answer =
        api_case_ask(ctx, at, NOBODY, "POST /predictions/dart", ax_str_of(form));
    CHECK_EQ(answer.status, 200);
    CHECK(ax_client_header_find(&answer.whole, AX_STR("x-request-id")).len > 0);
    answer = api_case_ask(ctx, at, NOBODY, "POST /predictions/dart", AX_STR("--b\r\n"));
    CHECK_EQ(answer.status, 400);
    CHECK(api_case_says(&answer, "no complete part named 'data'"));
}

TEST(torchserve_takes_a_forms_field)
{
    api_case_run_bare(forms);
}

static void
managed(struct ax_ctx *ctx, struct api_case *at)
{
    static const unsigned dialects[] = {1 << AX_DIALECT_BASE |
                                        1 << AX_DIALECT_TORCHSERVE_MANAGEMENT};
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /models?limit=2", "", 200,
         "{\"models\":[{\"modelName\":\"xgboost\",\"modelUrl\":\"xgboost\"},{\"modelName\":"
         "\"vector\",\"modelUrl\":\"vector\"}],\"nextPageToken\":\"2\"}"},
        {NOBODY, "GET /models?limit=2&next_page_token=4", "", 200,
         "{\"models\":[{\"modelName\":\"dart\",\"modelUrl\":\"dart\"},{\"modelName\":\"gblinear\","
         "\"modelUrl\":\"gblinear\"}]}"},
        {NOBODY, "GET /models?limit=x", "", 400, "limit must be a whole number"},
        {NOBODY, "GET /models/dart", "", 200, "\"modelName\":\"dart\",\"modelVersion\":\"1\""},
        {NOBODY, "GET /models/dart/all", "", 200, "\"workers\":[{\"id\":\"server\""},
        {NOBODY, "GET /models/dart/3", "", 404, "Model version: 3"},
        {NOBODY, "PUT /models/dart?min_worker=3", "", 202, "there are no workers to scale"},
        {NOBODY, "PUT /models/dart?synchronous=true", "", 200, "there are no workers to scale"},
        {NOBODY, "PUT /models/none?min_worker=1", "", 404, "Model not found: none"},
        {NOBODY, "PUT /models/dart/1/set-default", "", 200, "default version"},
        {NOBODY, "PUT /models/dart/9.9/set-default", "", 404, "Model version: 9.9"},
        {NOBODY, "POST /models", "", 400, "Parameter url is required."},
        {NOBODY, "POST /models?url=x.mar", "", 403, "/api/v1/models/MODEL/versions"},
        {NOBODY, "DELETE /models/dart", "", 200, "Model \\\"dart\\\" unregistered"},
        {NOBODY, "DELETE /models/none", "", 404, "Model not found: none"},
        {NOBODY, "POST /predictions/dart", "[[1,2,0]]", 404, "\"code\":404"},
        {NOBODY, "GET /healthz", "", 200, ""},
    };
    api_case_shut(at);
    at->config.listener_dialects = dialects;
    at->config.listener_count = 1;
    api_case_open(at);
    API_CASE_TABLE(ctx, at, rows);
}

TEST(torchserve_is_managed_on_a_listener_of_its_own)
{
    api_case_run_bare(managed);
}
