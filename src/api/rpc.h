/*
 * From a gRPC call to the function that answers it: what route.h is for REST.
 *
 * A service is a table of methods; each names its permission. The head of a call asks who the
 * caller is and whether they may, as for a route. A handler gets the same ax_call as a route's and
 * may defer it, hand it to a worker and end it in the same way.
 */
#pragma once

#include "api/route.h"
#include "net/grpc.h"

/* Behind each method's `more`. */
struct ax_rpc {
    enum ax_permission permission;
};

extern const struct ax_rpc ax_rpc_public, ax_rpc_predict, ax_rpc_operate;

/* The call that admission made; handlers begin with it. */
struct ax_call *ax_rpc_call(struct ax_grpc_call *grpc);

/*
 * A unary handler's body: defers the call, runs fn and ends the call unless fn has deferred it
 * further. Always AX_OK.
 */
ax_status ax_rpc_run(struct ax_grpc_call *grpc, struct ax_ctx *ctx,
                     ax_status (*fn)(struct ax_call *call, struct ax_ctx *ctx));

/* The same on a worker: for what may block. Fails: UNAVAILABLE (queue full). */
ax_status ax_rpc_run_on_worker(struct ax_grpc_call *grpc, struct ax_ctx *ctx,
                               ax_status (*fn)(struct ax_call *call, struct ax_ctx *ctx));

/* ---- the services ---- */

extern const struct ax_grpc_service *const ax_rpc_services[];
extern const size_t ax_rpc_service_count;

extern const struct ax_grpc_service ax_inference_grpc_service; /* inference_grpc.c */
extern const struct ax_grpc_service ax_health_grpc_service;    /* health_grpc.c */
extern const struct ax_grpc_service ax_reflection_grpc_service, ax_reflection_alpha_grpc_service;
