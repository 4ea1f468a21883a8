/*
 * The Open Inference Protocol over REST: what unmodified Triton and KServe clients say.
 *
 * Source: open-inference-protocol.md sections 1 to 3. Where Triton answers a client's fault with a
 * 5xx, this answers 4xx; its words are kept where clients look for them.
 */
#include "api/inference_rest.h"

#include "api/inference_body.h"
#include "sys/clock.h"

/* Of the protocol's names of extensions, those that are here. */
static const char *const extensions[] = {
    "classification", "model_repository", "model_configuration", "binary_tensor_data", "parameters",
    "statistics",     "logging"};

enum { LOOP_BODY_BYTES_MAX = 64 << 10, LOOP_EXPLAINED_ROWS_MAX = 4 };

/* ---- the server ---- */

static ax_status
live(struct ax_call *call, struct ax_ctx *)
{
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_member_bool(json, "live", true);
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
ready(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_api_host *host = &call->services->host;
    ax_writer_auto struct ax_writer parts = ax_writer_of(64 << 10);
    struct ax_json_writer said = ax_json_writer_of(&parts);
    ax_json_begin_object(&said);
    if (!host->ready(host->arg, &said))
        return ax_fail(ctx, AX_UNAVAILABLE, "the server is not ready; /readyz says why");
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_member_bool(json, "ready", true);
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
server_metadata(struct ax_call *call, struct ax_ctx *)
{
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", call->services->server_name);
    ax_json_member_text(json, "version", AX_STR(AX_VERSION));
    ax_json_key(json, "extensions");
    ax_json_begin_array(json);
    for (size_t i = 0; i < AX_COUNT_OF(extensions); i++)
        ax_json_put_text(json, ax_str_of(extensions[i]));
    ax_json_end_array(json);
    ax_json_end_object(json);
    return AX_OK;
}

/* ---- models ---- */

ax_status
ax_inference_find_model(struct ax_call *call, struct ax_ctx *ctx, struct ax_lane *lane,
                        struct ax_loaded_model **out_model)
{
    const struct ax_plan *plan = ax_lane_plan(lane);
    ax_str name = call->parameters[0];
    int64_t version = 0;
    if (call->parameters[1].len)
        AX_TRY(ax_call_number(call, ctx, 1, &version));
    struct ax_loaded_model *any = plan ? ax_plan_model(plan, name, 0) : NULL;
    if (!any)
        return ax_fail(ctx, AX_NOT_FOUND, "Request for unknown model: '%.*s' is not found",
                       AX_FMT(name));
    *out_model = call->parameters[1].len ? ax_plan_model(plan, name, version) : any;
    if (!*out_model)
        return ax_fail(ctx, AX_NOT_FOUND,
                       "Request for unknown model: '%.*s' version %lld is not found", AX_FMT(name),
                       (long long)version);
    return AX_OK;
}

static ax_status
list_models(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_plan *plan = ax_lane_plan(call->lane);
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "models");
    ax_json_begin_array(json);
    for (size_t i = 0; plan && i < plan->model_count; i++)
        if (ax_plan_model(plan, plan->models[i]->model, 0) == plan->models[i])
            ax_json_put_text(json, plan->models[i]->model);
    ax_json_end_array(json);
    ax_json_end_object(json);
    (void)ctx;
    return AX_OK;
}

static ax_status
model_ready(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_loaded_model *model;
    AX_TRY(ax_inference_find_model(call, ctx, call->lane, &model));
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", model->model);
    ax_json_member_bool(json, "ready", true);
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
model_metadata(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_loaded_model *model;
    AX_TRY(ax_inference_find_model(call, ctx, call->lane, &model));
    return ax_inference_show(ctx, model, ax_lane_plan(call->lane), ax_call_json(call));
}

/* ---- infer ---- */

static ax_status
check_kill_switch(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model)
{
    if (!call->services->kill)
        return AX_OK;
    const struct ax_kill_subject subject = {.model = model->model, .client = call->actor.id};
    return ax_kill_switch_check(call->services->kill, ctx, &subject);
}

/* Explanations of many rows would keep the loop's other clients waiting. */
static bool
heavy(const struct ax_inference *inference)
{
    return ax_inference_blocks(inference->model) ||
           (ax_inference_explains(inference) && inference->row_count > LOOP_EXPLAINED_ROWS_MAX);
}

static ax_status infer_on_worker(struct ax_call *call, struct ax_ctx *ctx);

/* One request between its last byte and its answer, for the model's statistics. */
struct timing {
    struct ax_model_stats stats;
    struct ax_model_times times;
    int64_t began_ns; /* last byte read */
    int64_t mark_ns;  /* end of the phase before */
};

static int64_t
phase(struct timing *timing)
{
    int64_t now_ns = ax_clock_monotonic_ns(), took_ns = now_ns - timing->mark_ns;
    timing->mark_ns = now_ns;
    return took_ns;
}

static struct timing
start_timing(struct ax_call *call, struct ax_lane *lane, const struct ax_loaded_model *model)
{
    struct timing timing = {.stats = ax_lane_model_stats(lane, model)};
    timing.began_ns = timing.mark_ns = ax_exchange_times(call->exchange)->last_byte_ns;
    timing.times.queue_ns = phase(&timing);
    return timing;
}

static ax_status
infer_model(struct ax_call *call, struct ax_ctx *ctx, struct ax_lane *lane,
            const struct ax_loaded_model *model, struct timing *timing)
{
    struct ax_inference_body body;
    struct ax_inference inference;
    const struct ax_tensor *outputs;
    size_t output_count;
    AX_TRY(check_kill_switch(call, ctx, model));
    AX_TRY(ax_inference_body_read(ctx, call->request, model, &body));
    AX_TRY(ax_inference_prepare(ctx, model, ax_lane_plan(lane), &body.request, &inference));
    if (lane == call->lane && heavy(&inference))
        return ax_call_to_worker(call, ctx, infer_on_worker);
    void *scratch = ax_lane_scratch(lane, model->scratch_bytes);
    if (!scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory to score");
    timing->times.input_ns = phase(timing);
    AX_TRY(ax_inference_run(ctx, &inference, scratch, &outputs, &output_count));
    timing->times.infer_ns = phase(timing);
    AX_TRY(ax_inference_body_write(ctx, &body, model, outputs, output_count, call->exchange));
    timing->times.output_ns = phase(timing);
    timing->times.row_count = inference.row_count;
    return AX_OK;
}

static ax_status
infer_with(struct ax_call *call, struct ax_ctx *ctx, struct ax_lane *lane)
{
    struct ax_loaded_model *model;
    AX_TRY(ax_inference_find_model(call, ctx, lane, &model));
    struct timing timing = start_timing(call, lane, model);
    ax_status status = infer_model(call, ctx, lane, model, &timing);
    if (status != AX_OK)
        ax_model_stats_failure(&timing.stats, ax_clock_monotonic_ns() - timing.began_ns);
    else if (timing.times.row_count > 0) /* else a worker goes on with it */
        ax_model_stats_success(&timing.stats, &timing.times, ax_clock_real_ns());
    return status;
}

/* A worker has no lane of its own: this one lives as long as the request. */
static ax_status
infer_on_worker(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_lane *lane;
    AX_TRY(ax_lane_open(ctx, call->services->server, &lane));
    ax_status status = infer_with(call, ctx, lane);
    ax_lane_close(lane);
    return status;
}

static ax_status
infer(struct ax_call *call, struct ax_ctx *ctx)
{
    if (call->request->body.len > LOOP_BODY_BYTES_MAX)
        return ax_call_to_worker(call, ctx, infer_on_worker);
    return infer_with(call, ctx, call->lane);
}

/* ---- the table ---- */

void
ax_inference_refuse(struct ax_call *call, int, ax_str words, ax_str)
{
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "error", words);
    ax_json_end_object(json);
}

#define ROUTE(method, path, permission, fn, summary)                                               \
    {                                                                                              \
        method, path, permission, AX_ROUTE_LOOP, AX_ROUTE_NO_BODY, 0, fn, summary                  \
    }
#define INFER(path)                                                                                \
    {                                                                                              \
        AX_HTTP_POST, path, AX_PERMISSION_PREDICT, AX_ROUTE_LOOP, AX_ROUTE_BYTES,                  \
            AX_ROUTE_LARGE_BODY, infer, "Scores rows"                                              \
    }

static const struct ax_route routes[] = {
    ROUTE(AX_HTTP_GET, "/v2", AX_PERMISSION_PUBLIC, server_metadata, "What this server is"),
    ROUTE(AX_HTTP_GET, "/v2/health/live", AX_PERMISSION_PUBLIC, live, "Whether it runs"),
    ROUTE(AX_HTTP_GET, "/v2/health/ready", AX_PERMISSION_PUBLIC, ready, "Whether it answers"),
    ROUTE(AX_HTTP_GET, "/v2/models", AX_PERMISSION_PREDICT, list_models, "Models served"),
    ROUTE(AX_HTTP_GET, "/v2/models/{model}", AX_PERMISSION_PREDICT, model_metadata,
          "A model's inputs and outputs"),
    ROUTE(AX_HTTP_GET, "/v2/models/{model}/versions/{version}", AX_PERMISSION_PREDICT,
          model_metadata, "A version's inputs and outputs"),
    ROUTE(AX_HTTP_GET, "/v2/models/{model}/ready", AX_PERMISSION_PREDICT, model_ready,
          "Whether a model answers"),
    ROUTE(AX_HTTP_GET, "/v2/models/{model}/versions/{version}/ready", AX_PERMISSION_PREDICT,
          model_ready, "Whether a version answers"),
    INFER("/v2/models/{model}/infer"),
    INFER("/v2/models/{model}/versions/{version}/infer"),
};

const struct ax_route_table ax_inference_rest_table = {routes, AX_COUNT_OF(routes), false, false,
                                                       ax_inference_refuse};
