/*
 * A tensor as lines along one axis: `outer` times `inner` lines of `length` elements.
 *
 * Element i of line (o, n) is at (o * length + i) * inner + n.
 */
#pragma once

#include "engine/onnx_ops.h"

struct ax_onnx_lines {
    size_t outer, length, inner;
};

static inline struct ax_onnx_lines
ax_onnx_lines_of(const struct ax_tensor *tensor, size_t axis)
{
    return (struct ax_onnx_lines){
        .outer = ax_onnx_shape_product(tensor, 0, axis),
        .length = (size_t)tensor->shape[axis],
        .inner = ax_onnx_shape_product(tensor, axis + 1, tensor->dim_count),
    };
}

/* Of line number `line`: the element that it begins with; the next ones are `inner` apart. */
static inline size_t
ax_onnx_lines_start(const struct ax_onnx_lines *lines, size_t line)
{
    return line / lines->inner * lines->length * lines->inner + line % lines->inner;
}
