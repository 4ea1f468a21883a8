#include "mlflow_case.h"

#define MODELS MLFLOW_API "logged-models"

static void
models(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {DANA, "GET " MODELS "/RUN_ID", "", 200, "\"status\":\"LOGGED_MODEL_PENDING\""},
        {DANA, "PATCH " MODELS "/RUN_ID", "{\"status\":\"LOGGED_MODEL_READY\"}", 200,
         "\"status\":\"LOGGED_MODEL_READY\""},
        {DANA, "PATCH " MODELS "/RUN_ID", "{\"status\":3}", 200, "LOGGED_MODEL_UPLOAD_FAILED"},
        {DANA, "PATCH " MODELS "/RUN_ID", "{\"status\":\"X\"}", 400, "Invalid model status"},
        {DANA, "PATCH " MODELS "/RUN_ID/tags", "{\"tags\":[{\"key\":\"a b\",\"value\":\"v\"}]}",
         200, "{}"},
        {DANA, "DELETE " MODELS "/RUN_ID/tags/a%20b", "", 200, "{}"},
        {DANA, "DELETE " MODELS "/RUN_ID/tags/a%20b", "", 404, "No tag with key 'a b' found"},
        {DANA, "POST " MODELS "/RUN_ID/params", "{\"params\":[{\"key\":\"p\",\"value\":\"v\"}]}",
         200, "{}"},
        {DANA, "POST " MODELS "/search", "{}", 400, "'experiment_ids'"},
        {DANA, "POST " MODELS "/search",
         "{\"experiment_ids\":[\"0\"],\"filter\":\"params.p = 'v'\","
         "\"order_by\":[{\"field_name\":\"metrics.m\",\"ascending\":"
         "false}]}",
         200, "\"models\":[{"},
        {DANA, "POST " MODELS "/search",
         "{\"experiment_ids\":[\"0\"],\"order_by\":[{\"field_name\":"
         "\"name\",\"dataset_name\":\"d\"}]}",
         400, "for metrics"},
        {DANA, "POST " MODELS "/search",
         "{\"experiment_ids\":[\"0\"],\"order_by\":[{\"field_name\":"
         "\"metrics.m\",\"dataset_digest\":\"d\"}]}",
         200, "\"models\""},
        {DANA, "POST " MODELS "/search", "{\"experiment_ids\":[\"0\"],\"datasets\":[{}]}", 400,
         "datasets.dataset_name"},
        {VIC, "DELETE " MODELS "/RUN_ID", "", 403, "PERMISSION_DENIED"},
        {DANA, "DELETE " MODELS "/RUN_ID", "", 200, "{}"},
        {DANA, "GET " MODELS "/RUN_ID", "", 404, "not found."},
        {DANA, "GET " MODELS "/RUN_ID?allow_deleted=True", "", 200, "\"model_id\""},
        {DANA, "GET " MODELS "/RUN_ID?allow_deleted=perhaps", "", 400, "Value was of type 'str'"},
    };
    mlflow_case_begin(at);
    struct api_case_answer made = api_case_ask(ctx, at, DANA, "POST " MODELS,
                                               AX_STR("{\"experiment_id\":\"0\",\"name\":\"lm\"}"));
    ax_str id = AX_STR("");
    CHECK_EQ(made.status, 200);
    CHECK(ax_json_text(
        ax_json_find(ax_json_find(ax_json_find(made.json, "model"), "info"), "model_id"), &id));
    MLFLOW_CASE_TABLE(ctx, at, id, rows);
}

TEST(logged_models_over_mlflows_api)
{
    api_case_run(models);
}
