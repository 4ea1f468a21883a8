#include "api/rpc.h"

#include "base/assert.h"

const struct ax_rpc ax_rpc_public = {AX_PERMISSION_PUBLIC};
const struct ax_rpc ax_rpc_predict = {AX_PERMISSION_PREDICT};
const struct ax_rpc ax_rpc_operate = {AX_PERMISSION_OPERATE};

const struct ax_grpc_service *const ax_rpc_services[] = {
    &ax_inference_grpc_service,
    &ax_health_grpc_service,
    &ax_reflection_grpc_service,
    &ax_reflection_alpha_grpc_service,
};

const size_t ax_rpc_service_count = AX_COUNT_OF(ax_rpc_services);

struct ax_call *
ax_rpc_call(struct ax_grpc_call *grpc)
{
    struct ax_call *call = *ax_grpc_slot(grpc);
    AX_ASSERT(call != NULL);
    return call;
}

static void
end_unary(struct ax_call *call, ax_status status)
{
    ax_grpc_end(call->grpc, status);
}

ax_status
ax_rpc_run(struct ax_grpc_call *grpc, struct ax_ctx *ctx,
           ax_status (*fn)(struct ax_call *call, struct ax_ctx *ctx))
{
    struct ax_call *call = ax_rpc_call(grpc);
    bool deferred = false;
    if (!call->end)
        call->end = end_unary;
    call->deferred = &deferred;
    if (!call->streamed)
        ax_observe_handle(call);
    ax_grpc_defer(grpc);
    ax_status status = fn(call, ctx);
    if (!deferred) /* else the call may be gone */
        ax_call_end(call, status);
    return AX_OK;
}

/* A call whose handler goes on on a worker. */
struct later {
    struct ax_call *call;
    ax_status (*fn)(struct ax_call *call, struct ax_ctx *ctx);
};

static ax_status
go_on(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct later *later = call->data;
    return later->fn(call, ctx);
}

static ax_status
hand_on(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_call_to_worker(call, ctx, go_on);
}

ax_status
ax_rpc_run_on_worker(struct ax_grpc_call *grpc, struct ax_ctx *ctx,
                     ax_status (*fn)(struct ax_call *call, struct ax_ctx *ctx))
{
    struct later *later = AX_NEW(ctx->arena, struct later);
    if (!later)
        return ax_fail(ctx, AX_LIMIT, "no memory for a call");
    *later = (struct later){ax_rpc_call(grpc), fn};
    later->call->data = later;
    return ax_rpc_run(grpc, ctx, hand_on);
}
