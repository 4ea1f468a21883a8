/*
 * The classification extension of the Open Inference Protocol: the greatest values of an output,
 * as "value:index".
 *
 * Source: open-inference-protocol.md section 2.4; Triton's extension_classification.md.
 */
#pragma once

#include "base/ctx.h"
#include "numeric/tensor.h"

enum { AX_INFERENCE_CLASSES_MAX = 1'000'000 };

/*
 * Makes of [batch, ...] a tensor of BYTES [batch, least of count and values], greatest first;
 * equal values keep their order, NaN comes last. Values are printed as C++'s to_string does.
 *
 * count: > 0. out_classes: in ctx->arena.
 * Fails: INVALID for an output of text or of more than AX_INFERENCE_CLASSES_MAX values; LIMIT.
 */
ax_status ax_inference_classify(struct ax_ctx *ctx, const struct ax_tensor *tensor, uint64_t count,
                                struct ax_tensor *out_classes);
