/* /healthz, /readyz and /metrics: what orchestrators and Prometheus ask. */
#include "api/route.h"

static ax_status
healthz(struct ax_call *call, struct ax_ctx *)
{
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "status", AX_STR("alive"));
    ax_json_member_text(json, "version", AX_STR(AX_VERSION));
    ax_json_end_object(json);
    return AX_OK;
}

/* 503 while a part that decisions need is away; the body says which. */
static ax_status
readyz(struct ax_call *call, struct ax_ctx *)
{
    const struct ax_api_host *host = &call->services->host;
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "parts");
    ax_json_begin_object(json);
    bool ready = host->ready(host->arg, json);
    ax_json_end_object(json);
    ax_json_member_bool(json, "ready", ready);
    ax_json_end_object(json);
    if (!ready)
        ax_exchange_set_status(call->exchange, 503);
    return AX_OK;
}

static ax_status
metrics(struct ax_call *call, struct ax_ctx *)
{
    const struct ax_api_host *host = &call->services->host;
    host->observe(host->arg);
    ax_exchange_header(call->exchange, AX_STR("content-type"),
                       AX_STR("text/plain; version=0.0.4; charset=utf-8"));
    ax_metrics_print(call->services->metrics, ax_exchange_body(call->exchange));
    return AX_OK;
}

static const struct ax_route routes[] = {
    {AX_HTTP_GET, "/healthz", AX_PERMISSION_PUBLIC, AX_ROUTE_LOOP, AX_ROUTE_NO_BODY, 0, healthz,
     "Whether the program runs"},
    {AX_HTTP_GET, "/readyz", AX_PERMISSION_PUBLIC, AX_ROUTE_LOOP, AX_ROUTE_NO_BODY, 0, readyz,
     "Whether it can decide, and which part is away"},
    {AX_HTTP_GET, "/metrics", AX_PERMISSION_PUBLIC, AX_ROUTE_WORKER, AX_ROUTE_NO_BODY, 0, metrics,
     "Metrics as Prometheus text"},
};

const struct ax_route_table ax_health_table = {routes, AX_COUNT_OF(routes), false, false,
                                               ax_problem_refuse_plain};
