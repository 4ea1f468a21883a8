/*
 * Broadcasting: several tensors walked together as if each had the shape of the widest.
 *
 * A plan merges neighbouring dimensions that all operands walk alike, so that the innermost run is
 * as long as can be; a walk gives the offsets of one run after the other.
 *
 * Source: onnx/docs/Broadcasting.md (NumPy's rule).
 */
#pragma once

#include "engine/onnx_ops.h"

enum { AX_ONNX_OPERANDS_MAX = 3 };

struct ax_onnx_broadcast {
    struct ax_onnx_shape shape; /* of the result */
    size_t operand_count;
    size_t dim_count; /* merged; at least 1 */
    size_t dims[AX_TENSOR_DIMS_MAX];
    size_t steps[AX_ONNX_OPERANDS_MAX][AX_TENSOR_DIMS_MAX]; /* in elements; 0: repeated */
    size_t run;                                             /* elements of the innermost run */
    size_t run_count;
};

/* Fails: INVALID when two lengths differ and neither is 1. */
ax_status ax_onnx_broadcast_plan(struct ax_onnx_call *call, const struct ax_tensor *const *operands,
                                 size_t operand_count, struct ax_onnx_broadcast *out);

struct ax_onnx_walk {
    size_t index[AX_TENSOR_DIMS_MAX];
    size_t at[AX_ONNX_OPERANDS_MAX]; /* element at which each operand's run begins */
};

/* To the next run. */
void ax_onnx_walk_next(const struct ax_onnx_broadcast *plan, struct ax_onnx_walk *walk);

/* The step of an operand inside a run. */
static inline size_t
ax_onnx_broadcast_step(const struct ax_onnx_broadcast *plan, size_t operand)
{
    return plan->steps[operand][plan->dim_count - 1];
}
