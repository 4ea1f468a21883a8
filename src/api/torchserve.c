/*
 * TorchServe's REST API: predictions and explanations, and on a listener of its own the management
 * of models.
 *
 * Axiom's models run on the server's own threads: there are no workers of a model to scale, so
 * scaling is answered and changes nothing, and says so. Registering files is the registry's.
 *
 * Source: open-inference-protocol.md section 10 (TorchServe's inference and management API).
 */
#include "api/inference.h"
#include "api/row_json.h"
#include "base/number.h"
#include "codec/multipart.h"

enum { PAGE_DEFAULT = 100 };

/* ---- errors ---- */

static const char *
exception_of(int http_status, ax_str code)
{
    if (code.len)
        return "ModelVersionNotFoundException";
    switch (http_status) {
    case 400:
        return "BadRequestException";
    case 401:
    case 403:
        return "InvalidKeyException";
    case 404:
        return "ResourceNotFoundException";
    case 405:
        return "MethodNotAllowedException";
    case 409:
        return "ConflictStatusException";
    case 413:
        return "RequestEntityTooLargeException";
    case 429:
    case 503:
        return "ServiceUnavailableException";
    default:
        return http_status < 500 ? "BadRequestException" : "InternalServerException";
    }
}

static void
refuse(struct ax_call *call, int http_status, ax_str words, ax_str code)
{
    struct ax_json_writer *json = ax_call_json(call);
    bool model = ax_str_starts(words, AX_STR("Model not found"));
    ax_json_begin_object(json);
    ax_json_member_i64(json, "code", http_status);
    ax_json_member_text(
        json, "type",
        ax_str_of(model ? "ModelNotFoundException" : exception_of(http_status, code)));
    ax_json_member_text(json, "message", words);
    ax_json_end_object(json);
}

static ax_status
unknown(struct ax_ctx *ctx, ax_str model, int64_t version, bool any_version)
{
    if (any_version)
        return ax_fail(ctx, AX_NOT_FOUND, "Model version: %lld does not exist for model: %.*s",
                       (long long)version, AX_FMT(model));
    return ax_fail(ctx, AX_NOT_FOUND, "Model not found: %.*s", AX_FMT(model));
}

/* ---- predictions and explanations ---- */

struct body {
    struct ax_tensor_json_request request;
    struct ax_tensor_json_output outputs[1];
    bool one; /* an object, one row: answered by one value */
};

/* The bytes of the input: a form's field `data`, or the whole body. */
static ax_status
input_bytes(struct ax_call *call, struct ax_ctx *ctx, ax_str *out_bytes)
{
    ax_str type = ax_http_header_find(call->request, AX_STR("content-type"));
    *out_bytes = call->request->body;
    if (!type.at || !ax_str_starts(type, AX_STR("multipart/")))
        return AX_OK;
    return ax_multipart_find(ctx, type, call->request->body, AX_STR("data"), out_bytes);
}

/* A list of rows, or one row as an object. A list in "instances" or "data" is taken too. */
static ax_status
read_rows(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
          struct body *body)
{
    static const struct ax_json_limits limits = {.raw_numbers = true, .special_floats = true};
    static const struct ax_row_json_options options = {};
    const struct ax_json *json;
    ax_str text;
    AX_TRY(input_bytes(call, ctx, &text));
    AX_TRY(ax_json_parse(ctx, text, &limits, &json));
    const struct ax_json *rows = ax_json_find(json, "instances");
    if (!rows)
        rows = ax_json_find(json, "data");
    if (rows)
        return ax_row_json_rows(ctx, model, rows, &options, &body->request);
    body->one = ax_json_kind(json) == AX_JSON_OBJECT;
    return body->one ? ax_row_json_columns(ctx, model, json, &options, &body->request)
                     : ax_row_json_rows(ctx, model, json, &options, &body->request);
}

static ax_status
read_prediction(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
                const void **out_body, const struct ax_tensor_json_request **out_request)
{
    struct body *body = AX_NEW(ctx->arena, struct body);
    if (!body)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    *out_body = body;
    *out_request = &body->request;
    return read_rows(call, ctx, model, body);
}

static ax_status
read_explanation(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
                 const void **out_body, const struct ax_tensor_json_request **out_request)
{
    struct body *body = AX_NEW(ctx->arena, struct body);
    if (!body)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    AX_TRY(read_rows(call, ctx, model, body));
    body->outputs[0] = (struct ax_tensor_json_output){.name = AX_STR("contributions")};
    body->request.outputs = body->outputs;
    body->request.output_count = 1;
    *out_body = body;
    *out_request = &body->request;
    return AX_OK;
}

static ax_status
write_rows(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
           const void *body, const struct ax_tensor *outputs, size_t output_count)
{
    struct ax_json_writer *json = ax_call_json(call);
    ax_exchange_header(call->exchange, AX_STR("x-request-id"),
                       ax_exchange_request_id(call->exchange));
    (void)model;
    if (output_count > 1)
        ax_json_begin_object(json);
    for (size_t i = 0; i < output_count; i++) {
        if (output_count > 1)
            ax_json_key_str(json, outputs[i].name);
        if (((const struct body *)body)->one && outputs[i].count > 0)
            ax_row_json_print_row(&outputs[i], 0, json);
        else
            ax_row_json_print(&outputs[i], json);
    }
    if (output_count > 1)
        ax_json_end_object(json);
    return json->out->status == AX_OK ? AX_OK
                                      : ax_fail(ctx, json->out->status, "no room for the answer");
}

static const struct ax_inference_dialect predictions = {read_prediction, write_rows, unknown};
static const struct ax_inference_dialect explanations = {read_explanation, write_rows, unknown};

/* Versions are text there ("1.0"); here they are numbers, and "1.0" is 1. */
static ax_status
read_version(struct ax_call *call, struct ax_ctx *ctx, int64_t *out_version)
{
    ax_str text = call->parameters[1], whole = text;
    *out_version = 0;
    if (text.len == 0)
        return AX_OK;
    if (ax_str_ends(text, AX_STR(".0")))
        whole.len -= 2;
    if (ax_parse_i64(whole, out_version) && *out_version > 0)
        return AX_OK;
    return ax_fail(ctx, AX_NOT_FOUND, "Model version: %.*s does not exist for model: %.*s",
                   AX_FMT(text), AX_FMT(call->parameters[0]));
}

static ax_status
serve(struct ax_call *call, struct ax_ctx *ctx, const struct ax_inference_dialect *dialect)
{
    struct ax_inference_target *target = AX_NEW(ctx->arena, struct ax_inference_target);
    if (!target)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    *target = (struct ax_inference_target){.model = call->parameters[0], .dialect = dialect};
    AX_TRY(read_version(call, ctx, &target->version));
    return ax_inference_serve(call, ctx, target);
}

static ax_status
predict(struct ax_call *call, struct ax_ctx *ctx)
{
    return serve(call, ctx, &predictions);
}

static ax_status
explain(struct ax_call *call, struct ax_ctx *ctx)
{
    return serve(call, ctx, &explanations);
}

static ax_status
ping(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_api_host *host = &call->services->host;
    ax_writer_auto struct ax_writer parts = ax_writer_of(64 << 10);
    struct ax_json_writer said = ax_json_writer_of(&parts);
    ax_json_begin_object(&said);
    bool healthy = host->ready(host->arg, &said);
    if (!healthy)
        ax_exchange_set_status(call->exchange, 500);
    struct ax_json_writer *json = ax_call_json(call);
    (void)ctx;
    ax_json_begin_object(json);
    ax_json_member_text(json, "status", healthy ? AX_STR("Healthy") : AX_STR("Unhealthy"));
    ax_json_end_object(json);
    return AX_OK;
}

/* ---- the description ---- */

static void
show_operation(struct ax_json_writer *json, const char *path, const char *method,
               const char *summary)
{
    ax_json_key(json, path);
    ax_json_begin_object(json);
    ax_json_key(json, method);
    ax_json_begin_object(json);
    ax_json_member_text(json, "summary", ax_str_of(summary));
    ax_json_key(json, "responses");
    ax_json_begin_object(json);
    ax_json_key(json, "200");
    ax_json_begin_object(json);
    ax_json_member_text(json, "description", AX_STR("as the summary says"));
    ax_json_end_object(json);
    ax_json_end_object(json);
    ax_json_end_object(json);
    ax_json_end_object(json);
}

static ax_status
describe(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_json_writer *json = ax_call_json(call);
    (void)ctx;
    ax_json_begin_object(json);
    ax_json_member_text(json, "openapi", AX_STR("3.0.1"));
    ax_json_key(json, "info");
    ax_json_begin_object(json);
    ax_json_member_text(json, "title", AX_STR("TorchServe APIs, as Axiom answers them"));
    ax_json_member_text(json, "version", AX_STR(AX_VERSION));
    ax_json_end_object(json);
    ax_json_key(json, "paths");
    ax_json_begin_object(json);
    show_operation(json, "/ping", "get", "Health");
    show_operation(json, "/predictions/{model_name}", "post", "Scores rows");
    show_operation(json, "/predictions/{model_name}/{model_version}", "post",
                   "Scores rows with a version");
    show_operation(json, "/explanations/{model_name}", "post", "Shapley values of rows");
    ax_json_end_object(json);
    ax_json_end_object(json);
    return AX_OK;
}

/* ---- management ---- */

static ax_status
find(struct ax_call *call, struct ax_ctx *ctx, struct ax_loaded_model **out_model)
{
    struct ax_inference_target target = {.model = call->parameters[0], .dialect = &predictions};
    AX_TRY(read_version(call, ctx, &target.version));
    return ax_inference_find(ctx, call->lane, &target, out_model);
}

static void
show_version(struct ax_json_writer *json, const struct ax_loaded_model *model)
{
    char version[AX_NUMBER_BYTES_MAX];
    ax_json_begin_object(json);
    ax_json_member_text(json, "modelName", model->model);
    ax_json_member_text(json, "modelVersion",
                        (ax_str){version, ax_format_i64(model->version, version)});
    ax_json_member_text(json, "modelUrl", model->model);
    ax_json_member_text(json, "runtime", AX_STR("axiom"));
    ax_json_member_i64(json, "minWorkers", 1);
    ax_json_member_i64(json, "maxWorkers", 1);
    ax_json_member_i64(json, "batchSize", 1);
    ax_json_member_i64(json, "maxBatchDelay", 0);
    ax_json_member_bool(json, "loadedAtStartup", true);
    ax_json_key(json, "workers");
    ax_json_begin_array(json);
    ax_json_begin_object(json);
    ax_json_member_text(json, "id", AX_STR("server"));
    ax_json_member_text(json, "status", AX_STR("READY"));
    ax_json_member_i64(json, "memoryUsage", (int64_t)ax_model_memory_bytes(model));
    ax_json_member_bool(json, "gpu", false);
    ax_json_end_object(json);
    ax_json_end_array(json);
    ax_json_end_object(json);
}

/* One version, or of "all" every one. */
static ax_status
describe_model(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_loaded_model *model;
    bool all = ax_str_eq(call->parameters[1], AX_STR("all"));
    if (all)
        call->parameters[1] = AX_STR("");
    AX_TRY(find(call, ctx, &model));
    const struct ax_plan *plan = ax_lane_plan(call->lane);
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_array(json);
    for (size_t i = 0; i < plan->model_count; i++)
        if (all ? ax_str_eq(plan->models[i]->model, model->model) : plan->models[i] == model)
            show_version(json, plan->models[i]);
    ax_json_end_array(json);
    return AX_OK;
}

/* A whole number of the query string, or `otherwise` when it is not there. */
static ax_status
query_number(struct ax_call *call, struct ax_ctx *ctx, const char *name, int64_t otherwise,
             int64_t *out_value)
{
    ax_str text;
    AX_TRY(ax_call_query(call, ctx, name, &text));
    *out_value = otherwise;
    if (text.len == 0 || (ax_parse_i64(text, out_value) && *out_value >= 0))
        return AX_OK;
    return ax_fail(ctx, AX_INVALID, "%s must be a whole number from 0, not '%.*s'", name,
                   AX_FMT(text));
}

static ax_status
list_models(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_plan *plan = ax_lane_plan(call->lane);
    int64_t limit, from, seen = 0, shown = 0;
    AX_TRY(query_number(call, ctx, "limit", PAGE_DEFAULT, &limit));
    AX_TRY(query_number(call, ctx, "next_page_token", 0, &from));
    struct ax_json_writer *json = ax_call_json(call);
    char token[AX_NUMBER_BYTES_MAX];
    ax_json_begin_object(json);
    ax_json_key(json, "models");
    ax_json_begin_array(json);
    for (size_t i = 0; plan && i < plan->model_count; i++) {
        const struct ax_loaded_model *model = plan->models[i];
        if (ax_plan_model(plan, model->model, 0) != model ||
            !ax_policy_may_model(&call->actor, model->model, AX_GRANT_READ) || seen++ < from ||
            shown == limit)
            continue;
        ax_json_begin_object(json);
        ax_json_member_text(json, "modelName", model->model);
        ax_json_member_text(json, "modelUrl", model->model);
        ax_json_end_object(json);
        shown++;
    }
    ax_json_end_array(json);
    if (from + shown < seen)
        ax_json_member_text(json, "nextPageToken",
                            (ax_str){token, ax_format_i64(from + shown, token)});
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
say(struct ax_call *call, int http_status, ax_str words)
{
    ax_exchange_set_status(call->exchange, http_status);
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "status", words);
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
scale(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_loaded_model *model;
    ax_str synchronous;
    AX_TRY(find(call, ctx, &model));
    AX_TRY(ax_call_query(call, ctx, "synchronous", &synchronous));
    return say(call, ax_str_eq_ignoring_case(synchronous, AX_STR("true")) ? 200 : 202,
               AX_STR("Models run on the server's own threads: there are no workers to scale"));
}

static ax_status
set_default(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_loaded_model *model;
    AX_TRY(find(call, ctx, &model));
    if (ax_plan_model(ax_lane_plan(call->lane), model->model, 0) == model)
        return say(call, 200, AX_STR("It is the default version"));
    return ax_fail(ctx, AX_DENIED,
                   "the newest version answers where none is named; deployments choose others "
                   "(axiom deploy)");
}

static ax_status
register_model(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str url;
    AX_TRY(ax_call_query(call, ctx, "url", &url));
    if (url.len == 0)
        return ax_fail(ctx, AX_INVALID, "Parameter url is required.");
    return ax_fail(ctx, AX_DENIED,
                   "models are registered, validated and approved before they are served: POST "
                   "/api/v1/models/MODEL/versions (axiom model register)");
}

static ax_status
unregister(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_api_host *host = &call->services->host;
    ax_status status = host->unload(host->arg, ctx, call->parameters[0]);
    if (status == AX_NOT_FOUND)
        return unknown(ctx, call->parameters[0], 0, false);
    AX_TRY(status);
    ax_str words =
        ax_str_printf(ctx->arena, "Model \"%.*s\" unregistered", AX_FMT(call->parameters[0]));
    return say(call, 200, words.at ? words : AX_STR("unregistered"));
}

/* ---- the tables ---- */

#define SCORE(path, fn, summary)                                                                   \
    {                                                                                              \
        AX_HTTP_POST, path, AX_PERMISSION_PREDICT, AX_ROUTE_LOOP, AX_ROUTE_BYTES,                  \
            AX_ROUTE_LARGE_BODY, fn, summary                                                       \
    }

static const struct ax_route routes[] = {
    {AX_HTTP_GET, "/ping", AX_PERMISSION_PUBLIC, AX_ROUTE_LOOP, AX_ROUTE_NO_BODY, 0, ping,
     "Health (TorchServe, MLflow)"},
    {AX_HTTP_OPTIONS, "/", AX_PERMISSION_PUBLIC, AX_ROUTE_LOOP, AX_ROUTE_NO_BODY, 0, describe,
     "What there is, as OpenAPI"},
    SCORE("/predictions/{model}", predict, "Scores rows"),
    SCORE("/predictions/{model}/{version}", predict, "Scores rows with a version"),
    SCORE("/explanations/{model}", explain, "Shapley values of rows"),
    SCORE("/explanations/{model}/{version}", explain, "Shapley values of rows by a version"),
};

#define MANAGE(method, path, thread, fn, summary)                                                  \
    {                                                                                              \
        method, path, AX_PERMISSION_OPERATE, thread, AX_ROUTE_NO_BODY, 0, fn, summary              \
    }

static const struct ax_route management[] = {
    MANAGE(AX_HTTP_GET, "/models", AX_ROUTE_LOOP, list_models, "Models, page by page"),
    MANAGE(AX_HTTP_POST, "/models", AX_ROUTE_LOOP, register_model, "Refused: use the registry"),
    MANAGE(AX_HTTP_GET, "/models/{model}", AX_ROUTE_LOOP, describe_model, "A model"),
    MANAGE(AX_HTTP_GET, "/models/{model}/{version}", AX_ROUTE_LOOP, describe_model, "A version"),
    MANAGE(AX_HTTP_PUT, "/models/{model}", AX_ROUTE_LOOP, scale, "Answers and changes nothing"),
    MANAGE(AX_HTTP_PUT, "/models/{model}/{version}", AX_ROUTE_LOOP, scale,
           "Answers and changes nothing"),
    MANAGE(AX_HTTP_PUT, "/models/{model}/{version}/set-default", AX_ROUTE_LOOP, set_default,
           "Whether it is the default version"),
    MANAGE(AX_HTTP_DELETE, "/models/{model}", AX_ROUTE_WORKER, unregister,
           "Serves a model no more (development mode)"),
};

const struct ax_route_table ax_torchserve_table = {routes,
                                                   AX_COUNT_OF(routes),
                                                   false,
                                                   false,
                                                   refuse,
                                                   AX_DIALECT_TORCHSERVE,
                                                   .checks_models = true};
const struct ax_route_table ax_torchserve_management_table = {management,
                                                              AX_COUNT_OF(management),
                                                              false,
                                                              false,
                                                              refuse,
                                                              AX_DIALECT_TORCHSERVE_MANAGEMENT,
                                                              .checks_models = true};
