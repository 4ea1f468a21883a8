/*
 * The body of an infer request over REST and of its answer: JSON, binary tensors, or raw bytes.
 *
 * The header Inference-Header-Content-Length says how much of the body is JSON; "0" makes the body
 * the one input's elements. What goes out follows what was asked for, output by output.
 *
 * Source: open-inference-protocol.md section 2.2.
 */
#pragma once

#include "api/inference_model.h"
#include "net/exchange.h"

struct ax_inference_body {
    struct ax_tensor_json_request request;
    bool raw; /* one input's bytes, without JSON: everything goes back as bytes */
};

/*
 * http: its body is complete; kept. out_body: in ctx->arena and the body.
 * Fails: INVALID in the protocol's words; LIMIT.
 */
ax_status ax_inference_body_read(struct ax_ctx *ctx, const struct ax_http_request *http,
                                 const struct ax_loaded_model *model,
                                 struct ax_inference_body *out_body);

/*
 * Writes the answer's headers and body. outputs: in the order of the request's, or all.
 * Fails: INVALID (classification), UNSUPPORTED (FP16 as JSON), LIMIT: nothing of use is written.
 */
ax_status ax_inference_body_write(struct ax_ctx *ctx, const struct ax_inference_body *body,
                                  const struct ax_loaded_model *model,
                                  const struct ax_tensor *outputs, size_t output_count,
                                  struct ax_exchange *exchange);
