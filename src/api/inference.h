/*
 * One inference, whatever the dialect: find the model, read, score, write, count.
 *
 * A dialect brings two functions, one that turns its body into the protocol's tensors and one that
 * writes tensors as its answer. What lies between, the kill switch, the thread it runs on and the
 * statistics among it, is here and the same for all.
 */
#pragma once

#include "api/inference_model.h"
#include "api/route.h"

struct ax_inference_dialect {
    /*
     * The body as a request. out_body: what write needs to know again; in ctx->arena.
     * Fails: INVALID in the dialect's words; LIMIT.
     */
    ax_status (*read)(struct ax_call *call, struct ax_ctx *ctx, const struct ax_loaded_model *model,
                      const void **out_body, const struct ax_tensor_json_request **out_request);

    /* The answer: outputs in the order of the request's, or all. Fails: INVALID, LIMIT. */
    ax_status (*write)(struct ax_call *call, struct ax_ctx *ctx,
                       const struct ax_loaded_model *model, const void *body,
                       const struct ax_tensor *outputs, size_t output_count);

    /* Says in the dialect's words that there is no such model, or no such version of it (> 0). */
    ax_status (*unknown)(struct ax_ctx *ctx, ax_str model, int64_t version, bool any_version);
};

/* Which model a request is for; a deployment's name stands for its champion. */
struct ax_inference_target {
    ax_str model;
    int64_t version; /* 0: the newest */
    const struct ax_inference_dialect *dialect;
};

/* Fails: NOT_FOUND in the dialect's words. */
ax_status ax_inference_find(struct ax_ctx *ctx, struct ax_lane *lane,
                            const struct ax_inference_target *target,
                            struct ax_loaded_model **out_model);

/*
 * Answers the call. Large bodies, many explanations and engines that may block are moved to a
 * worker, so ctx and lane may be others when the dialect's functions are called.
 *
 * target: in ctx->arena or static. Fails: as its parts.
 */
ax_status ax_inference_serve(struct ax_call *call, struct ax_ctx *ctx,
                             const struct ax_inference_target *target);
