/*
 * grpc.health.v1.Health: what load balancers and Kubernetes ask.
 *
 * "" is the whole server; the name of a model is that model, that of a service the server. Source:
 * grpc/grpc doc/health-checking.md.
 */
#include "api/health_watch.h"
#include "api/rpc.h"
#include "codec/protobuf.h"

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
    struct ax_call *call = ax_rpc_call(grpc);
    enum ax_health state = ax_health_of(call->services, call->lane, name);
    if (state == AX_HEALTH_UNKNOWN_SERVICE)
        return ax_fail(ctx, AX_NOT_FOUND, "unknown service '%.*s'", AX_FMT(name));
    ax_protobuf_put_varint(ax_grpc_reply(grpc), 1, (uint64_t)state);
    return AX_OK;
}

/* ---- watching ---- */

struct watcher {
    struct ax_health_watcher base;
    struct watcher *self; /* for whoever sees it as the call's data */
    struct ax_grpc_call *grpc;
};

static void
health_tell(struct ax_health_watcher *base, enum ax_health state)
{
    struct watcher *watcher = (struct watcher *)base;
    ax_protobuf_put_varint(ax_grpc_reply(watcher->grpc), 1, (uint64_t)state);
    ax_grpc_send(watcher->grpc);
}

static void
health_end(struct ax_health_watcher *base)
{
    struct watcher *watcher = (struct watcher *)base;
    struct ax_ctx *ctx = ax_grpc_ctx(watcher->grpc);
    ax_grpc_end(watcher->grpc, ax_fail(ctx, AX_UNAVAILABLE, "the server is stopping"));
}

/* The client has gone, unless the server is just ending the call itself. */
static void
health_gone(struct ax_grpc_call *grpc)
{
    struct ax_call *call = ax_rpc_call(grpc);
    const struct watcher *watcher = call->data;
    if (ax_health_watch_remove(call->services->health_watch, &watcher->self->base))
        ax_grpc_end(grpc, AX_OK);
}

static ax_status
watch(struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    struct ax_call *call = ax_rpc_call(grpc);
    struct watcher *watcher = AX_NEW(ctx->arena, struct watcher);
    ax_str name;
    AX_TRY(read_name(grpc, ctx, &name));
    if (!watcher || !ax_str_copy(ctx->arena, name, &watcher->base.name))
        return ax_fail(ctx, AX_LIMIT, "no memory to watch");
    watcher->self = watcher;
    watcher->grpc = grpc;
    watcher->base.tell = health_tell;
    watcher->base.end = health_end;
    watcher->base.state = ax_health_of(call->services, call->lane, name);
    call->data = watcher;
    ax_grpc_on_cancel(grpc, health_gone);
    AX_TRY(ax_health_watch_add(call->services->health_watch, ctx, &watcher->base));
    ax_grpc_defer(grpc);
    return AX_OK;
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
        ax_protobuf_put_varint(out, 1, (uint64_t)ax_health_of(call->services, call->lane, name));
        ax_protobuf_end(out, response);
        ax_protobuf_end(out, entry);
    }
    return AX_OK;
}

static const struct ax_grpc_method methods[] = {
    {"Check", AX_GRPC_UNARY, 0, check, "Whether a service answers", &ax_rpc_public},
    {"Watch", AX_GRPC_SERVER_STREAM, 0, watch, "Tells each change of that", &ax_rpc_public},
    {"List", AX_GRPC_UNARY, 0, list, "All services and whether they answer", &ax_rpc_public},
};

const struct ax_grpc_service ax_health_grpc_service = {"grpc.health.v1.Health", methods,
                                                       AX_COUNT_OF(methods)};
