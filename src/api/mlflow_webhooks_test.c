#include "mlflow_case.h"

#define WEBHOOKS MLFLOW_API "webhooks"

static void
calls(struct ax_ctx *ctx, struct api_case *at)
{
    static const char good[] = "{\"name\":\"hook\",\"url\":\"https://example.com/x\",\"events\":[{"
                               "\"entity\":\"MODEL_VERSION\",\"action\":\"CREATED\"}],\"secret\":"
                               "\"s\"}";
    mlflow_case_begin(at);
    struct api_case_answer made = api_case_ask(ctx, at, DANA, "POST " WEBHOOKS, ax_str_of(good));
    ax_str id = AX_STR("");
    CHECK_EQ(made.status, 200);
    CHECK(ax_json_text(ax_json_find(ax_json_find(made.json, "webhook"), "webhook_id"), &id));
    const struct ax_json *secret = ax_json_find(ax_json_find(made.json, "webhook"), "secret");
    CHECK(secret == NULL); /* it is never shown */
    static const struct api_case_row rows[] = {
        {DANA, "POST " WEBHOOKS, "{\"name\":\"hook\",\"url\":\"https://example.com\"}", 400,
         "Missing value for required parameter 'events'"},
        {DANA, "POST " WEBHOOKS, "{\"name\":\"hook\"}", 400,
         "Missing value for required parameter 'url'"},
        {DANA, "POST " WEBHOOKS,
         "{\"name\":\"hook\",\"url\":\"https://10.0.0.1\",\"events\":[{\"entity\":"
         "\"MODEL_VERSION\",\"action\":\"CREATED\"}]}",
         400, "non-public IP address"},
        {DANA, "POST " WEBHOOKS,
         "{\"name\":\"hook\",\"url\":\"https://example.com\",\"events\":[{\"entity\":"
         "\"MODEL_VERSION\",\"action\":\"SET\"}]}",
         400, "Invalid action 'SET' for entity 'MODEL_VERSION'"},
        {VIC, "POST " WEBHOOKS, "{\"name\":\"hook\"}", 403, "PERMISSION_DENIED"},
        {DANA, "GET " WEBHOOKS "?max_results=1", "", 200, "\"webhooks\":[{\"webhook_id\""},
        {DANA, "GET " WEBHOOKS "?max_results=1001", "", 400, "between 1 and 1000"},
        {DANA, "GET " WEBHOOKS "/none", "", 404, "Webhook with ID none not found."},
        {DANA, "GET " WEBHOOKS "/RUN_ID", "", 200, "\"entity\":\"MODEL_VERSION\""},
        {DANA, "PATCH " WEBHOOKS "/RUN_ID", "{\"name\":\"new\",\"status\":\"DISABLED\"}", 200,
         "\"status\":\"DISABLED\""},
        {DANA, "POST " WEBHOOKS "/RUN_ID/test", "{\"event\":{\"entity\":\"x\",\"action\":\"y\"}}",
         400, "Unknown event type: x.y"},
        {DANA, "POST " WEBHOOKS "/none/test", "{}", 404, "not found"},
        {DANA, "GET " WEBHOOKS "/RUN_ID/deliveries", "", 200, "{\"deliveries\":[]}"},
        {DANA, "DELETE " WEBHOOKS "/RUN_ID", "{}", 200, "{}"},
        {DANA, "DELETE " WEBHOOKS "/RUN_ID", "{}", 404, "RESOURCE_DOES_NOT_EXIST"},
    };
    MLFLOW_CASE_TABLE(ctx, at, id, rows);
}

TEST(webhooks_are_made_shown_tried_and_deleted)
{
    api_case_run(calls);
}
