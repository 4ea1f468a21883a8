/*
 * The Open Inference Protocol's extensions about models: configuration, statistics, repository,
 * logging.
 *
 * Source: open-inference-protocol.md sections 5 to 7 (Triton's extension documents).
 */
#include "api/inference_model.h"
#include "api/inference_rest.h"
#include "api/inference_settings.h"
#include "base/number.h"

/* ---- configuration ---- */

static void
show_config_port(struct ax_json_writer *json, const struct ax_engine_port *port, bool batched)
{
    char type[32] = "TYPE_";
    const char *name = port->type == AX_TENSOR_BYTES ? "STRING" : ax_tensor_type_name(port->type);
    memcpy(type + 5, name, strlen(name) + 1);
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", port->name);
    ax_json_member_text(json, "data_type", ax_str_of(type));
    ax_json_key(json, "dims");
    ax_json_begin_array(json);
    if (batched && port->dim_count == 1)
        ax_json_put_i64(json, 1); /* a column: one value a row */
    for (size_t i = batched ? 1 : 0; i < port->dim_count; i++)
        ax_json_put_i64(json, port->shape[i]);
    ax_json_end_array(json);
    ax_json_end_object(json);
}

static void
show_config_ports(struct ax_json_writer *json, const char *key, const struct ax_engine_port *ports,
                  size_t count, bool batched)
{
    ax_json_key(json, key);
    ax_json_begin_array(json);
    for (size_t i = 0; i < count; i++)
        show_config_port(json, &ports[i], batched);
    ax_json_end_array(json);
}

static ax_status
config(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_loaded_model *model;
    struct ax_engine_graph ports;
    AX_TRY(ax_inference_find_model(call, ctx, call->lane, &model));
    AX_TRY(ax_inference_ports(ctx, model, &ports));
    bool batched = ax_inference_batched(&ports);
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", model->model);
    ax_json_member_text(json, "platform", ax_engine_signature(model->engine)->format);
    ax_json_member_text(json, "backend", AX_STR("axiom"));
    ax_json_key(json, "version_policy");
    ax_json_begin_object(json);
    ax_json_key(json, "latest");
    ax_json_begin_object(json);
    ax_json_member_i64(json, "num_versions", 1);
    ax_json_end_object(json);
    ax_json_end_object(json);
    ax_json_member_i64(json, "max_batch_size", batched ? AX_INFERENCE_ROWS_MAX : 0);
    show_config_ports(json, "input", ports.inputs, ports.input_count, batched);
    show_config_ports(json, "output", ports.outputs, ports.output_count, batched);
    ax_json_end_object(json);
    return AX_OK;
}

/* ---- statistics ---- */

static void
show_duration(struct ax_json_writer *json, const char *key, int64_t count, int64_t ns)
{
    ax_json_key(json, key);
    ax_json_begin_object(json);
    ax_json_member_i64(json, "count", count);
    ax_json_member_i64(json, "ns", ns);
    ax_json_end_object(json);
}

static void
show_stats(struct ax_json_writer *json, const struct ax_loaded_model *model,
           const struct ax_model_stats *stats)
{
    char version[AX_NUMBER_BYTES_MAX];
    int64_t answered = ax_metric_count(stats->success), runs = ax_metric_count(stats->runs);
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", model->model);
    ax_json_member_text(json, "version", (ax_str){version, ax_format_i64(model->version, version)});
    ax_json_member_i64(json, "last_inference", (int64_t)ax_metric_value(stats->last_ms));
    ax_json_member_i64(json, "inference_count", ax_metric_count(stats->rows));
    ax_json_member_i64(json, "execution_count", runs);
    ax_json_key(json, "inference_stats");
    ax_json_begin_object(json);
    show_duration(json, "success", answered, ax_metric_count(stats->request_ns));
    show_duration(json, "fail", ax_model_stats_failures(stats), ax_metric_count(stats->failure_ns));
    show_duration(json, "queue", answered, ax_metric_count(stats->queue_ns));
    show_duration(json, "compute_input", runs, ax_metric_count(stats->input_ns));
    show_duration(json, "compute_infer", runs, ax_metric_count(stats->infer_ns));
    show_duration(json, "compute_output", runs, ax_metric_count(stats->output_ns));
    show_duration(json, "cache_hit", 0, 0);
    show_duration(json, "cache_miss", 0, 0);
    ax_json_end_object(json);
    ax_json_key(json, "batch_stats");
    ax_json_begin_array(json);
    ax_json_end_array(json);
    ax_json_key(json, "memory_usage");
    ax_json_begin_array(json);
    ax_json_begin_object(json);
    ax_json_member_text(json, "type", AX_STR("CPU"));
    ax_json_member_i64(json, "id", 0);
    ax_json_member_i64(json, "byte_size", (int64_t)ax_model_memory_bytes(model));
    ax_json_end_object(json);
    ax_json_end_array(json);
    ax_json_end_object(json);
}

static ax_status
stats_of_all(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_plan *plan = ax_lane_plan(call->lane);
    struct ax_json_writer *json = ax_call_json(call);
    (void)ctx;
    ax_json_begin_object(json);
    ax_json_key(json, "model_stats");
    ax_json_begin_array(json);
    for (size_t i = 0; plan && i < plan->model_count; i++) {
        if (!ax_policy_may_model(&call->actor, plan->models[i]->model, AX_GRANT_READ))
            continue;
        const struct ax_model_stats stats = ax_lane_model_stats(call->lane, plan->models[i]);
        show_stats(json, plan->models[i], &stats);
    }
    ax_json_end_array(json);
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
stats_of_one(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_loaded_model *model;
    AX_TRY(ax_inference_find_model(call, ctx, call->lane, &model));
    const struct ax_model_stats stats = ax_lane_model_stats(call->lane, model);
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "model_stats");
    ax_json_begin_array(json);
    show_stats(json, model, &stats);
    ax_json_end_array(json);
    ax_json_end_object(json);
    return AX_OK;
}

/* Triton's names on their own page: Axiom's metrics are at /metrics. */
static ax_status
triton_metrics(struct ax_call *call, struct ax_ctx *ctx)
{
    (void)ctx;
    ax_exchange_header(call->exchange, AX_STR("content-type"),
                       AX_STR("text/plain; version=0.0.4; charset=utf-8"));
    ax_model_server_print_stats(call->services->server, ax_exchange_body(call->exchange));
    return AX_OK;
}

/* ---- repository ---- */

/* The body may be empty, or an object. */
static ax_status
optional_body(struct ax_call *call, struct ax_ctx *ctx, const struct ax_json **out_json)
{
    ax_str text = ax_str_trim(call->request->body);
    *out_json = NULL;
    if (text.len == 0)
        return AX_OK;
    AX_TRY(ax_json_parse(ctx, text, NULL, out_json));
    if (ax_json_kind(*out_json) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "the body must be a JSON object, not %s",
                       ax_json_kind_name(ax_json_kind(*out_json)));
    return AX_OK;
}

static ax_status
repository_index(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_api_host *host = &call->services->host;
    const struct ax_json *body;
    bool ready_only = false;
    AX_TRY(optional_body(call, ctx, &body));
    const struct ax_json *ready = ax_json_find(body, "ready");
    if (ready && !ax_json_bool(ready, &ready_only))
        return ax_fail(ctx, AX_INVALID, "Invalid value for 'ready': expected a boolean");
    const struct ax_plan *plan = ax_lane_plan(call->lane);
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_array(json);
    for (size_t i = 0; plan && i < plan->model_count; i++) {
        char version[AX_NUMBER_BYTES_MAX];
        if (!ax_policy_may_model(&call->actor, plan->models[i]->model, AX_GRANT_READ))
            continue;
        size_t len = ax_format_i64(plan->models[i]->version, version);
        ax_json_begin_object(json);
        ax_json_member_text(json, "name", plan->models[i]->model);
        ax_json_member_text(json, "version", (ax_str){version, len});
        ax_json_member_text(json, "state", AX_STR("READY"));
        ax_json_end_object(json);
    }
    if (!ready_only && !call->actor.limited)
        host->show_unloaded(host->arg, json);
    ax_json_end_array(json);
    return AX_OK;
}

/* Where a repository is named, it is none that Axiom has. */
static ax_status
other_repository(struct ax_call *, struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_UNSUPPORTED, "'repository_name' specification is not supported");
}

static ax_status
repository_load(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_api_host *host = &call->services->host;
    const struct ax_json *body;
    AX_TRY(optional_body(call, ctx, &body));
    if (ax_json_count(ax_json_find(body, "parameters")) > 0)
        return ax_fail(ctx, AX_INVALID,
                       "failed to load '%.*s': a model's configuration and files are not taken "
                       "from the request",
                       AX_FMT(call->parameters[0]));
    return host->load(host->arg, ctx, call->parameters[0]);
}

static ax_status
repository_unload(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_api_host *host = &call->services->host;
    const struct ax_json *body;
    AX_TRY(optional_body(call, ctx, &body));
    ax_status status = host->unload(host->arg, ctx, call->parameters[0]);
    return status == AX_NOT_FOUND ? AX_OK : status; /* as Triton: gone is gone */
}

/* ---- logging and traces ---- */

static ax_status
logging(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_json *body = NULL;
    if (call->request->method == AX_HTTP_POST) {
        AX_TRY(optional_body(call, ctx, &body));
        struct ax_inference_log_change change = {};
        AX_TRY(ax_inference_log_read(ctx, body, &change));
        ax_inference_log_apply(&change);
    }
    ax_inference_log_show(ax_call_json(call));
    return AX_OK;
}

/* Of all models, or of one that is served. */
static ax_status
trace_setting(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_json *body = NULL;
    struct ax_loaded_model *model = NULL;
    struct ax_tracer_change change = {.model = AX_STR("")};
    if (call->parameters[0].len) {
        AX_TRY(ax_inference_find_model(call, ctx, call->lane, &model));
        change.model = model->model;
    }
    if (call->request->method == AX_HTTP_POST) {
        AX_TRY(optional_body(call, ctx, &body));
        AX_TRY(ax_inference_trace_read(ctx, body, &change));
        AX_TRY(ax_inference_trace_apply(ctx, call->services->tracer, &change));
    }
    ax_inference_trace_show(call->services->tracer, change.model, ax_call_json(call));
    return AX_OK;
}

/* ---- the table ---- */

#define READ(path, fn, summary)                                                                    \
    {                                                                                              \
        AX_HTTP_GET, path, AX_PERMISSION_PREDICT, AX_ROUTE_LOOP, AX_ROUTE_NO_BODY, 0, fn, summary  \
    }
#define POST(path, permission, thread, fn, summary)                                                \
    {                                                                                              \
        AX_HTTP_POST, path, permission, thread, AX_ROUTE_BYTES, 0, fn, summary                     \
    }

#define TRACE(path, whose)                                                                         \
    {AX_HTTP_GET,      path, AX_PERMISSION_OPERATE, AX_ROUTE_LOOP,                                 \
     AX_ROUTE_NO_BODY, 0,    trace_setting,         "What is traced of " whose},                   \
        POST(path, AX_PERMISSION_OPERATE, AX_ROUTE_LOOP, trace_setting,                            \
             "Changes what is traced of " whose)

static const struct ax_route routes[] = {
    READ("/v2/models/{model}/config", config, "A model's configuration, as Triton says it"),
    READ("/v2/models/{model}/versions/{version}/config", config, "A version's configuration"),
    READ("/v2/models/stats", stats_of_all, "Requests, rows and times of every model"),
    READ("/v2/models/{model}/stats", stats_of_one, "Requests, rows and times of a model"),
    READ("/v2/models/{model}/versions/{version}/stats", stats_of_one, "... of a version"),
    {AX_HTTP_GET, "/v2/metrics", AX_PERMISSION_PUBLIC, AX_ROUTE_LOOP, AX_ROUTE_NO_BODY, 0,
     triton_metrics, "Triton's metrics, for its dashboards"},
    POST("/v2/repository/index", AX_PERMISSION_PREDICT, AX_ROUTE_LOOP, repository_index,
         "Models that are there"),
    POST("/v2/repository/{repository}/index", AX_PERMISSION_PREDICT, AX_ROUTE_LOOP,
         other_repository, "Not supported: there is one repository"),
    POST("/v2/repository/models/{model}/load", AX_PERMISSION_OPERATE, AX_ROUTE_WORKER,
         repository_load, "Loads a model file again (development mode)"),
    POST("/v2/repository/models/{model}/unload", AX_PERMISSION_OPERATE, AX_ROUTE_WORKER,
         repository_unload, "Serves a model no more (development mode)"),
    POST("/v2/repository/{repository}/models/{model}/load", AX_PERMISSION_OPERATE, AX_ROUTE_LOOP,
         other_repository, "Not supported: there is one repository"),
    POST("/v2/repository/{repository}/models/{model}/unload", AX_PERMISSION_OPERATE, AX_ROUTE_LOOP,
         other_repository, "Not supported: there is one repository"),
    {AX_HTTP_GET, "/v2/logging", AX_PERMISSION_OPERATE, AX_ROUTE_LOOP, AX_ROUTE_NO_BODY, 0, logging,
     "What is logged"},
    POST("/v2/logging", AX_PERMISSION_OPERATE, AX_ROUTE_LOOP, logging, "Changes what is logged"),
    TRACE("/v2/trace/setting", "all models"),
    TRACE("/v2/models/{model}/trace/setting", "a model"),
    TRACE("/v2/models/{model}/versions/{version}/trace/setting", "a version's model"),
};

const struct ax_route_table ax_inference_admin_table = {routes,
                                                        AX_COUNT_OF(routes),
                                                        false,
                                                        false,
                                                        ax_problem_refuse_plain,
                                                        AX_DIALECT_INFERENCE,
                                                        .checks_models = true};
