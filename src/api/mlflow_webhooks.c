/* MLflow's API of webhooks, and beside it what became of their deliveries. */
#include "api/mlflow_permissions.h"
#include "api/mlflow_wire.h"
#include "mlops/webhook_delivery.h"

enum { RESULTS_DEFAULT = 100 };

static const struct ax_webhooks_config *
webhooks(const struct ax_call *call)
{
    return call->services->webhooks;
}

/* {"entity","action"}: names of protobuf's enumerations, in any case. */
static ax_status
read_event(struct ax_ctx *ctx, const struct ax_json *object, struct ax_webhook_event *out)
{
    AX_TRY(ax_mlflow_member_text(ctx, object, "event.", "entity", &out->entity, true));
    return ax_mlflow_member_text(ctx, object, "event.", "action", &out->action, true);
}

static ax_status
read_events(const struct ax_mlflow_request *request, struct ax_webhook_change *out)
{
    const struct ax_json *list;
    AX_TRY(ax_mlflow_objects(request, "events", &list));
    if (!list)
        return AX_OK;
    struct ax_webhook_event *events =
        AX_NEW_ARRAY(request->ctx->arena, struct ax_webhook_event, ax_json_count(list) + 1);
    if (!events)
        return ax_fail(request->ctx, AX_LIMIT, "no memory for events");
    struct ax_json_iter it = ax_json_iter_of(list);
    while (ax_json_next(&it))
        AX_TRY(read_event(request->ctx, it.value, &events[it.index]));
    out->events = events;
    out->event_count = ax_json_count(list);
    return AX_OK;
}

static ax_status
read_change(const struct ax_mlflow_request *request, struct ax_webhook_change *out)
{
    AX_TRY(ax_mlflow_may_text(request, "name", &out->name));
    AX_TRY(ax_mlflow_may_text(request, "description", &out->description));
    AX_TRY(ax_mlflow_may_text(request, "url", &out->url));
    AX_TRY(ax_mlflow_may_text(request, "secret", &out->secret));
    AX_TRY(ax_mlflow_may_text(request, "status", &out->status));
    return read_events(request, out);
}

static struct ax_json_writer *
begun(struct ax_call *call, const char *name)
{
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    if (name)
        ax_json_key(json, name);
    return json;
}

static ax_status
create(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_webhook_change made = {};
    ax_str needed;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "name", &needed));
    AX_TRY(ax_mlflow_need_text(&request, "url", &needed));
    AX_TRY(read_change(&request, &made));
    if (!ax_mlflow_has(&request, "events"))
        return ax_mlflow_missing(ctx, "events");
    struct ax_json_writer *json = begun(call, "webhook");
    AX_TRY(ax_webhook_create(webhooks(call), ctx, &made, json));
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
list(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    int64_t results_max = RESULTS_DEFAULT;
    ax_str token = AX_STR("");
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_may_i64(&request, "max_results", &results_max));
    AX_TRY(ax_mlflow_may_text(&request, "page_token", &token));
    struct ax_json_writer *json = begun(call, NULL);
    AX_TRY(ax_webhooks_list(webhooks(call), ctx, results_max, token, json));
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
get(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_json_writer *json = begun(call, "webhook");
    AX_TRY(ax_webhook_show(webhooks(call), ctx, call->parameters[0], json));
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
update(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_webhook_change change = {};
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(read_change(&request, &change));
    struct ax_json_writer *json = begun(call, "webhook");
    AX_TRY(ax_webhook_update(webhooks(call), ctx, call->parameters[0], &change, json));
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
delete_one(struct ax_call *call, struct ax_ctx *ctx)
{
    AX_TRY(ax_webhook_delete(webhooks(call), ctx, call->parameters[0]));
    return ax_mlflow_done(call);
}

static ax_status
test(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_webhook_event event;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    const struct ax_json *named = request.body ? ax_json_find(request.body, "event") : NULL;
    if (named)
        AX_TRY(read_event(ctx, named, &event));
    struct ax_json_writer *json = begun(call, "result");
    AX_TRY(ax_webhook_test(webhooks(call), ctx, call->parameters[0], named ? &event : NULL, json));
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
deliveries(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_json_writer *json = begun(call, NULL);
    AX_TRY(ax_webhook_show_deliveries(webhooks(call), ctx, call->parameters[0], json));
    ax_json_end_object(json);
    return AX_OK;
}

#define WEBHOOKS AX_MLFLOW "webhooks"

static const struct ax_route routes[] = {
    AX_MLFLOW_WRITE(POST, WEBHOOKS, create, "MLflow: makes a webhook"),
    AX_MLFLOW_READ(GET, WEBHOOKS, list, "MLflow: the webhooks"),
    AX_MLFLOW_READ(GET, WEBHOOKS "/{id}", get, "MLflow: a webhook"),
    AX_MLFLOW_WRITE(PATCH, WEBHOOKS "/{id}", update, "MLflow: changes a webhook"),
    AX_MLFLOW_WRITE(DELETE, WEBHOOKS "/{id}", delete_one, "MLflow: deletes a webhook"),
    AX_MLFLOW_WRITE(POST, WEBHOOKS "/{id}/test", test, "MLflow: sends an example to a webhook"),
    AX_MLFLOW_READ(GET, WEBHOOKS "/{id}/deliveries", deliveries,
                   "What became of a webhook's newest deliveries"),
};

const struct ax_route_table ax_mlflow_webhooks_table = {
    .routes = routes,
    .count = AX_COUNT_OF(routes),
    .dialect = AX_DIALECT_MLFLOW,
    .tracked = true,
    .stored = true,
    .refuse = ax_mlflow_refuse,
    .guard = ax_mlflow_guard,
    .permit = ax_mlflow_permit,
};
