/*
 * The Open Inference Protocol over REST: what unmodified Triton and KServe clients say.
 *
 * Source: open-inference-protocol.md sections 1 to 3. Where Triton answers a client's fault with a
 * 5xx, this answers 4xx; its words are kept where clients look for them.
 */
#include "api/inference_rest.h"

#include "api/inference.h"
#include "api/inference_body.h"

const char *const ax_inference_extensions[] = {"classification",
                                               "model_repository",
                                               "model_configuration",
                                               "binary_tensor_data",
                                               "parameters",
                                               "statistics",
                                               "trace",
                                               "logging"};

const size_t ax_inference_extension_count = AX_COUNT_OF(ax_inference_extensions);

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

/* KServe says 503, Triton 400: tritonclient takes either, probes and proxies do not. */
static ax_status
not_ready(const struct ax_call *call)
{
    return call->services->compat == AX_COMPAT_TRITON ? AX_INVALID : AX_UNAVAILABLE;
}

static ax_status
ready(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_api_host *host = &call->services->host;
    ax_writer_auto struct ax_writer parts = ax_writer_of(64 << 10);
    struct ax_json_writer said = ax_json_writer_of(&parts);
    ax_json_begin_object(&said);
    if (!host->ready(host->arg, &said))
        return ax_fail(ctx, not_ready(call), "the server is not ready; /readyz says why");
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
    for (size_t i = 0; i < ax_inference_extension_count; i++)
        ax_json_put_text(json, ax_str_of(ax_inference_extensions[i]));
    ax_json_end_array(json);
    ax_json_end_object(json);
    return AX_OK;
}

/* ---- models ---- */

ax_status
ax_inference_unknown(struct ax_ctx *ctx, ax_str model, int64_t version, bool any_version)
{
    if (any_version)
        return ax_fail(ctx, AX_NOT_FOUND,
                       "Request for unknown model: '%.*s' version %lld is not found", AX_FMT(model),
                       (long long)version);
    return ax_fail(ctx, AX_NOT_FOUND, "Request for unknown model: '%.*s' is not found",
                   AX_FMT(model));
}

ax_status
ax_inference_unknown_triton(struct ax_ctx *ctx, ax_str model, int64_t version, bool any_version)
{
    ax_status status = ax_inference_unknown(ctx, model, version, any_version);
    return any_version ? status : AX_INVALID;
}

static ax_status
read_body(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
          const void **out_body, const struct ax_tensor_json_request **out_request)
{
    struct ax_inference_body *body = AX_NEW(ctx->arena, struct ax_inference_body);
    if (!body)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    AX_TRY(ax_inference_body_read(ctx, call->request, model, body));
    *out_body = body;
    *out_request = &body->request;
    return AX_OK;
}

static ax_status
write_body(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
           const void *body, const struct ax_tensor *outputs, size_t output_count)
{
    return ax_inference_body_write(ctx, body, model, outputs, output_count, call->exchange);
}

static const struct ax_inference_dialect dialects[] = {
    [AX_COMPAT_KSERVE] = {read_body, write_body, ax_inference_unknown},
    [AX_COMPAT_TRITON] = {read_body, write_body, ax_inference_unknown_triton},
};

/* What the path names: the model in its first word, the version in its second. */
static ax_status
target_of(struct ax_call *call, struct ax_ctx *ctx, struct ax_inference_target *out_target)
{
    *out_target = (struct ax_inference_target){.model = call->parameters[0],
                                               .dialect = &dialects[call->services->compat]};
    return call->parameters[1].len ? ax_call_number(call, ctx, 1, &out_target->version) : AX_OK;
}

ax_status
ax_inference_find_model(struct ax_call *call, struct ax_ctx *ctx, struct ax_lane *lane,
                        struct ax_loaded_model **out_model)
{
    struct ax_inference_target target;
    AX_TRY(target_of(call, ctx, &target));
    return ax_inference_find(ctx, lane, &target, out_model);
}

ax_status
ax_inference_list_models(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_plan *plan = ax_lane_plan(call->lane);
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "models");
    ax_json_begin_array(json);
    for (size_t i = 0; plan && i < plan->model_count; i++)
        if (ax_plan_model(plan, plan->models[i]->model, 0) == plan->models[i] &&
            ax_policy_may_model(&call->actor, plan->models[i]->model, AX_GRANT_READ))
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
    ax_status status = ax_inference_find_model(call, ctx, call->lane, &model);
    if (status != AX_OK && call->services->compat == AX_COMPAT_TRITON)
        return ax_fail(ctx, AX_INVALID, "Model version not ready");
    AX_TRY(status);
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
infer(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_inference_target *target = AX_NEW(ctx->arena, struct ax_inference_target);
    if (!target)
        return ax_fail(ctx, AX_LIMIT, "no memory for a request");
    AX_TRY(target_of(call, ctx, target));
    return ax_inference_serve(call, ctx, target);
}

/* ---- the table ---- */

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
    ROUTE(AX_HTTP_GET, "/v2/models", AX_PERMISSION_PREDICT, ax_inference_list_models,
          "Models served"),
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

const struct ax_route_table ax_inference_rest_table = {routes,
                                                       AX_COUNT_OF(routes),
                                                       false,
                                                       false,
                                                       ax_problem_refuse_plain,
                                                       AX_DIALECT_INFERENCE,
                                                       .checks_models = true};
