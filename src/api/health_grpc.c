/*
 * grpc.health.v1.Health: what load balancers and Kubernetes ask.
 *
 * "" is the whole server; the name of a model is that model, that of a service the server. Source:
 * grpc/grpc doc/health-checking.md.
 */
#include "api/rpc.h"
#include "codec/protobuf.h"

enum { SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 };

static bool
is_service(ax_str name)
{
    for (size_t i = 0; i < ax_rpc_service_count; i++)
        if (ax_str_eq(name, ax_str_of(ax_rpc_services[i]->name)))
            return true;
    return name.len == 0;
}

static int
state_of(struct ax_call *call, ax_str name)
{
    const struct ax_api_host *host = &call->services->host;
    const struct ax_plan *plan = ax_lane_plan(call->lane);
    if (!is_service(name))
        return plan && (ax_plan_model(plan, name, 0) || ax_plan_deployment(plan, name))
                   ? SERVING
                   : SERVICE_UNKNOWN;
    ax_writer_auto struct ax_writer parts = ax_writer_of(64 << 10);
    struct ax_json_writer said = ax_json_writer_of(&parts);
    ax_json_begin_object(&said);
    return host->ready(host->arg, &said) ? SERVING : NOT_SERVING;
}

static ax_status
read_name(struct ax_grpc_call *grpc, struct ax_ctx *ctx, ax_str *out_name)
{
    struct ax_protobuf field = ax_protobuf_of(ax_grpc_message(grpc));
    *out_name = AX_STR("");
    while (ax_protobuf_next(&field))
        if (ax_protobuf_is(&field, 1, AX_PROTOBUF_BYTES))
            *out_name = field.bytes;
    return ax_protobuf_check(&field, ctx, "HealthCheckRequest");
}

static ax_status
check(struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    ax_str name;
    AX_TRY(read_name(grpc, ctx, &name));
    int state = state_of(ax_rpc_call(grpc), name);
    if (state == SERVICE_UNKNOWN)
        return ax_fail(ctx, AX_NOT_FOUND, "unknown service '%.*s'", AX_FMT(name));
    ax_protobuf_put_varint(ax_grpc_reply(grpc), 1, (uint64_t)state);
    return AX_OK;
}

/* Clients are told by UNIMPLEMENTED to ask Check in turns; see docs/protocols.md. */
static ax_status
watch(struct ax_grpc_call *, struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_UNSUPPORTED, "Watch is not supported; ask Check");
}

static ax_status
list(struct ax_grpc_call *grpc, struct ax_ctx *)
{
    struct ax_call *call = ax_rpc_call(grpc);
    struct ax_writer *out = ax_grpc_reply(grpc);
    for (size_t i = 0; i <= ax_rpc_service_count; i++) {
        ax_str name = i ? ax_str_of(ax_rpc_services[i - 1]->name) : AX_STR("");
        size_t entry = ax_protobuf_begin(out, 1);
        ax_protobuf_put_bytes(out, 1, name);
        size_t response = ax_protobuf_begin(out, 2);
        ax_protobuf_put_varint(out, 1, (uint64_t)state_of(call, name));
        ax_protobuf_end(out, response);
        ax_protobuf_end(out, entry);
    }
    return AX_OK;
}

static const struct ax_grpc_method methods[] = {
    {"Check", AX_GRPC_UNARY, 0, check, "Whether a service answers", &ax_rpc_public},
    {"Watch", AX_GRPC_SERVER_STREAM, 0, watch, "Not supported", &ax_rpc_public},
    {"List", AX_GRPC_UNARY, 0, list, "All services and whether they answer", &ax_rpc_public},
};

const struct ax_grpc_service ax_health_grpc_service = {"grpc.health.v1.Health", methods,
                                                       AX_COUNT_OF(methods)};
