/*
 * What is prepared once the whole graph is known: layers of a network become one operation each.
 *
 * A MatMul or Gemm by a constant matrix takes that matrix packed (onnx_dense.h), and takes along
 * what alone reads its result: the Add of a constant bias, then Relu or another function of
 * onnx_level.h. The numbers are rounded where the single nodes would round them, so the bits are
 * the same; only the tensors in between are never written.
 *
 * Second, a graph that is asked for some of its outputs alone runs the nodes that these need.
 */
#pragma once

#include "engine/onnx_graph.h"

/* In place; arena: kept, the model's. Fails: LIMIT. */
ax_status ax_onnx_fuse(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_program *program);

/*
 * The nodes of a program that one of its values needs, which is the new one's only output; the rest
 * is shared. arena: kept. Fails: LIMIT.
 */
ax_status ax_onnx_fuse_prune(struct ax_ctx *ctx, struct ax_arena *arena,
                             const struct ax_onnx_program *program, int32_t slot,
                             struct ax_onnx_program *out);
