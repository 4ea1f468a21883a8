/* What MLflow's client asks before it begins, and the families of its API that are not offered. */
#include "api/mlflow_wire.h"

static ax_status
server_info(struct ax_call *call, struct ax_ctx *)
{
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "store_type", AX_STR("SqlStore"));
    ax_json_member_bool(json, "workspaces_enabled", false);
    ax_json_end_object(json);
    return AX_OK;
}

/* Traces, prompts, gateways: the client knows this code and goes on without. */
static ax_status
not_offered(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_mlflow_code(call,
                          ax_fail(ctx, AX_NOT_FOUND,
                                  "this part of MLflow's API, for generative models, is not "
                                  "offered by Axiom"),
                          "ENDPOINT_NOT_FOUND");
}

#define OPEN(path, fn, summary)                                                                    \
    {                                                                                              \
        AX_HTTP_GET, path, AX_PERMISSION_PUBLIC, AX_ROUTE_LOOP, AX_ROUTE_NO_BODY, 0, fn, summary   \
    }
#define NONE(method, path)                                                                         \
    {                                                                                              \
        AX_HTTP_##method, path, AX_PERMISSION_PUBLIC, AX_ROUTE_LOOP, AX_MLFLOW_TAKES_##method,     \
            not_offered, "MLflow: not offered (generative models)"                                 \
    }
#define FAMILY(prefix)                                                                             \
    NONE(GET, prefix), NONE(POST, prefix), NONE(PATCH, prefix), NONE(PUT, prefix),                 \
        NONE(DELETE, prefix), NONE(GET, prefix "/{rest*}"), NONE(POST, prefix "/{rest*}"),         \
        NONE(PATCH, prefix "/{rest*}"), NONE(PUT, prefix "/{rest*}"),                              \
        NONE(DELETE, prefix "/{rest*}")

static const struct ax_route routes[] = {
    OPEN("/api/3.0/mlflow/server-info", server_info, "MLflow: what kind of server this is"),
    FAMILY("/api/2.0/mlflow/traces"),
    FAMILY("/api/3.0/mlflow/traces"),
    FAMILY("/api/2.0/mlflow/gateway-proxy"),
    FAMILY("/api/3.0/mlflow/datasets"),
    FAMILY("/api/3.0/mlflow/scorers"),
    FAMILY("/api/3.0/mlflow/issues"),
    FAMILY("/api/3.0/mlflow/gateway"),
    FAMILY("/api/3.0/mlflow/prompt-optimization"),
    FAMILY("/api/3.0/mlflow/jobs"),
    FAMILY("/api/3.0/mlflow/assessments"),
    FAMILY("/api/3.0/mlflow/workspaces"),
    FAMILY("/v1/traces"),
};

/* No guard: load balancers ask for the health by whatever name they know. */
const struct ax_route_table ax_mlflow_meta_table = {
    .routes = routes,
    .count = AX_COUNT_OF(routes),
    .dialect = AX_DIALECT_MLFLOW,
    .tracked = true,
    .refuse = ax_mlflow_refuse,
};
