#include "engine/onnx_broadcast.h"

static size_t
larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Length of dimension `d` of `rank`, of a tensor that is aligned to the right. */
static int64_t
length_of(const struct ax_tensor *tensor, size_t d, size_t rank)
{
    size_t missing = rank - tensor->dim_count;
    return d < missing ? 1 : tensor->shape[d - missing];
}

static ax_status
result_shape(struct ax_onnx_call *call, const struct ax_tensor *const *operands, size_t count,
             struct ax_onnx_shape *out)
{
    *out = (struct ax_onnx_shape){};
    for (size_t i = 0; i < count; i++)
        out->dim_count = larger(out->dim_count, operands[i]->dim_count);
    for (size_t d = 0; d < out->dim_count; d++) {
        out->dims[d] = 1;
        for (size_t i = 0; i < count; i++) {
            int64_t length = length_of(operands[i], d, out->dim_count);
            if (out->dims[d] != 1 && length != 1 && length != out->dims[d])
                return ax_fail(call->ctx, AX_INVALID,
                               "lengths %lld and %lld of dimension %zu do not go together",
                               (long long)out->dims[d], (long long)length, d);
            if (length != 1)
                out->dims[d] = length;
        }
    }
    return AX_OK;
}

/* Steps of one operand over the result's dimensions. */
static void
set_steps(const struct ax_onnx_shape *shape, const struct ax_tensor *tensor, size_t *steps)
{
    size_t step = 1;
    for (size_t d = shape->dim_count; d-- > 0;) {
        int64_t length = length_of(tensor, d, shape->dim_count);
        steps[d] = length == 1 ? 0 : step;
        step *= (size_t)length;
    }
}

/* Appends a dimension of the result, merged with the one before where every operand allows. */
static void
add_dimension(struct ax_onnx_broadcast *plan, size_t length, size_t (*steps)[AX_TENSOR_DIMS_MAX],
              size_t d)
{
    bool merged = plan->dim_count > 0;
    size_t last = plan->dim_count - 1;
    if (length == 1)
        return;
    for (size_t i = 0; merged && i < plan->operand_count; i++)
        merged = plan->steps[i][last] == steps[i][d] * length;
    if (!merged)
        last = plan->dim_count++;
    plan->dims[last] = merged ? plan->dims[last] * length : length;
    for (size_t i = 0; i < plan->operand_count; i++)
        plan->steps[i][last] = steps[i][d];
}

ax_status
ax_onnx_broadcast_plan(struct ax_onnx_call *call, const struct ax_tensor *const *operands,
                       size_t operand_count, struct ax_onnx_broadcast *out)
{
    struct ax_onnx_broadcast plan = {.operand_count = operand_count};
    size_t steps[AX_ONNX_OPERANDS_MAX][AX_TENSOR_DIMS_MAX] = {};
    AX_TRY(result_shape(call, operands, operand_count, &plan.shape));
    for (size_t i = 0; i < operand_count; i++)
        set_steps(&plan.shape, operands[i], steps[i]);
    for (size_t d = 0; d < plan.shape.dim_count; d++)
        add_dimension(&plan, (size_t)plan.shape.dims[d], steps, d);
    if (plan.dim_count == 0)
        plan.dims[plan.dim_count++] = 1;
    plan.run = plan.dims[plan.dim_count - 1];
    plan.run_count = plan.run > 0;
    for (size_t d = 0; d + 1 < plan.dim_count; d++)
        plan.run_count *= plan.dims[d];
    *out = plan;
    return AX_OK;
}

void
ax_onnx_walk_next(const struct ax_onnx_broadcast *plan, struct ax_onnx_walk *walk)
{
    for (size_t d = plan->dim_count - 1; d-- > 0;) {
        for (size_t i = 0; i < plan->operand_count; i++)
            walk->at[i] += plan->steps[i][d];
        if (++walk->index[d] < plan->dims[d])
            return;
        for (size_t i = 0; i < plan->operand_count; i++)
            walk->at[i] -= plan->steps[i][d] * plan->dims[d];
        walk->index[d] = 0;
    }
}
