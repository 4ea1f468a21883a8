#include "engine/onnx_ops.h"

/*
 * MatMul and Gemm.
 *
 * One row of the product at a time: its sums are kept in float64 and take the products in the order
 * of the inner dimension, so that a row's bits do not depend on the rows beside it.
 */

/* One row times a matrix [depth, columns] whose rows lie row_step apart. */
struct product {
    size_t depth, columns;
    size_t left_step;             /* between the row's elements */
    size_t row_step, column_step; /* of the matrix */
};

#define ROW(type, c_type)                                                                          \
    static void row_##type(const void *left, const void *right, const struct product *product,     \
                           double *sums)                                                           \
    {                                                                                              \
        const c_type *a = left, *b = right;                                                        \
        for (size_t j = 0; j < product->columns; j++)                                              \
            sums[j] = 0;                                                                           \
        for (size_t k = 0; k < product->depth; k++) {                                              \
            double x = (double)a[k * product->left_step];                                          \
            const c_type *row = b + k * product->row_step;                                         \
            if (product->column_step == 1)                                                         \
                for (size_t j = 0; j < product->columns; j++)                                      \
                    sums[j] += x * (double)row[j];                                                 \
            else                                                                                   \
                for (size_t j = 0; j < product->columns; j++)                                      \
                    sums[j] += x * (double)row[j * product->column_step];                          \
        }                                                                                          \
    }
ROW(FP32, float)
ROW(FP64, double)
ROW(INT32, int32_t)

typedef void (*row_loop)(const void *left, const void *right, const struct product *product,
                         double *sums);
static const row_loop row_loops[AX_TENSOR_TYPE_COUNT] = {
    [AX_TENSOR_FP32] = row_FP32,
    [AX_TENSOR_FP64] = row_FP64,
    [AX_TENSOR_INT32] = row_INT32,
};

static void
store(enum ax_tensor_type type, void *data, size_t index, double value)
{
    if (type == AX_TENSOR_FP32)
        ((float *)data)[index] = (float)value;
    else if (type == AX_TENSOR_FP64)
        ((double *)data)[index] = value;
    else
        ((int32_t *)data)[index] = (int32_t)(uint32_t)(int64_t)value;
}

/* ---- MatMul ---- */

/* A tensor as a stack of matrices; vectors get the dimension of 1 that they lack. */
struct stack {
    const struct ax_tensor *tensor;
    size_t rows, columns;
    size_t dim_count; /* of the stack */
};

static struct stack
stack_of(const struct ax_tensor *tensor, bool left)
{
    struct stack stack = {.tensor = tensor, .rows = 1, .columns = 1};
    size_t rank = tensor->dim_count;
    if (rank == 1) {
        *(left ? &stack.columns : &stack.rows) = (size_t)tensor->shape[0];
        return stack;
    }
    stack.rows = (size_t)tensor->shape[rank - 2];
    stack.columns = (size_t)tensor->shape[rank - 1];
    stack.dim_count = rank - 2;
    return stack;
}

/* Shape of the stack of results: broadcast, aligned to the right. */
static ax_status
stack_shape(struct ax_onnx_call *call, const struct stack *a, const struct stack *b,
            struct ax_onnx_shape *out)
{
    size_t rank = a->dim_count > b->dim_count ? a->dim_count : b->dim_count;
    *out = (struct ax_onnx_shape){.dim_count = rank};
    for (size_t d = 0; d < rank; d++) {
        int64_t x = d + a->dim_count < rank ? 1 : a->tensor->shape[d + a->dim_count - rank];
        int64_t y = d + b->dim_count < rank ? 1 : b->tensor->shape[d + b->dim_count - rank];
        if (x != y && x != 1 && y != 1)
            return ax_fail(call->ctx, AX_INVALID, "stacks of %lld and %lld matrices", (long long)x,
                           (long long)y);
        out->dims[d] = x == 1 ? y : x;
    }
    return AX_OK;
}

/* Which matrix of the stack belongs to result number `index`. */
static size_t
matrix_at(const struct stack *stack, const struct ax_onnx_shape *shape, size_t index)
{
    size_t at = 0, step = 1;
    for (size_t d = shape->dim_count; d-- > 0; index /= (size_t)shape->dims[d]) {
        size_t missing = shape->dim_count - stack->dim_count;
        if (d < missing)
            break;
        size_t length = (size_t)stack->tensor->shape[d - missing];
        at += (length == 1 ? 0 : index % (size_t)shape->dims[d]) * step;
        step *= length;
    }
    return at;
}

static ax_status
op_mat_mul(struct ax_onnx_call *call)
{
    const struct ax_tensor *a = ax_onnx_input(call, 0), *b = ax_onnx_input(call, 1);
    struct ax_onnx_shape stacked, shape;
    size_t bytes = ax_tensor_element_bytes(a->type), matrices = 1;
    void *data, *sums;
    if (a->type != b->type || !row_loops[a->type] || a->dim_count == 0 || b->dim_count == 0)
        return ax_onnx_fail_type(call, 1);
    struct stack left = stack_of(a, true), right = stack_of(b, false);
    if (left.columns != right.rows)
        return ax_fail(call->ctx, AX_INVALID, "%zu columns meet %zu rows", left.columns,
                       right.rows);
    AX_TRY(stack_shape(call, &left, &right, &stacked));
    shape = stacked;
    for (size_t d = 0; d < stacked.dim_count; d++)
        matrices *= (size_t)stacked.dims[d];
    if (a->dim_count > 1)
        shape.dims[shape.dim_count++] = (int64_t)left.rows;
    if (b->dim_count > 1)
        shape.dims[shape.dim_count++] = (int64_t)right.columns;
    AX_TRY(ax_onnx_output(call, 0, a->type, &shape, &data));
    AX_TRY(ax_onnx_memory_take(call, sizeof(double), right.columns, &sums));
    AX_TRY(ax_onnx_memory_spend(call, call->outputs[0].tensor.count, left.columns));
    const struct product product = {left.columns, right.columns, 1, right.columns, 1};
    for (size_t m = 0, at = 0; m < matrices; m++) {
        size_t x = matrix_at(&left, &stacked, m) * left.rows * left.columns;
        size_t y = matrix_at(&right, &stacked, m) * right.rows * right.columns;
        for (size_t i = 0; i < left.rows; i++, x += left.columns) {
            row_loops[a->type]((const char *)a->data + x * bytes, (const char *)b->data + y * bytes,
                               &product, sums);
            for (size_t j = 0; j < right.columns; j++)
                store(a->type, data, at++, ((const double *)sums)[j]);
        }
    }
    return AX_OK;
}

/* ---- Gemm: alpha * A' * B' + beta * C ---- */

/* How far C steps for a row and a column of the result. */
static ax_status
bias_steps(struct ax_onnx_call *call, size_t rows, size_t columns, size_t *out_steps)
{
    const struct ax_tensor *c = ax_onnx_input(call, 2);
    out_steps[0] = out_steps[1] = 0;
    if (!c)
        return AX_OK;
    size_t wide = c->dim_count ? (size_t)c->shape[c->dim_count - 1] : 1;
    size_t high = c->dim_count > 1 ? (size_t)c->shape[c->dim_count - 2] : 1;
    AX_TRY(ax_onnx_need_type(call, 2, ax_onnx_input(call, 0)->type));
    if (c->dim_count > 2 || (wide != 1 && wide != columns) || (high != 1 && high != rows))
        return ax_fail(call->ctx, AX_INVALID, "C of %zux%zu for a result of %zux%zu", high, wide,
                       rows, columns);
    out_steps[0] = high == 1 ? 0 : wide;
    out_steps[1] = wide == 1 ? 0 : 1;
    return AX_OK;
}

static ax_status
op_gemm(struct ax_onnx_call *call)
{
    const struct ax_tensor *a = ax_onnx_input(call, 0), *b = ax_onnx_input(call, 1);
    const struct ax_tensor *c = ax_onnx_input(call, 2);
    bool turn_a = ax_onnx_attribute_i64(call->node, "transA", 0) != 0;
    bool turn_b = ax_onnx_attribute_i64(call->node, "transB", 0) != 0;
    double alpha = (double)ax_onnx_attribute_f32(call->node, "alpha", 1);
    double beta = (double)ax_onnx_attribute_f32(call->node, "beta", 1);
    size_t bytes = ax_tensor_element_bytes(a->type), steps[2];
    void *data, *sums;
    if (a->type != b->type || !row_loops[a->type] || a->dim_count != 2 || b->dim_count != 2)
        return ax_onnx_fail_type(call, 1);
    size_t rows = (size_t)a->shape[turn_a], depth = (size_t)a->shape[!turn_a];
    size_t columns = (size_t)b->shape[!turn_b];
    if (depth != (size_t)b->shape[turn_b])
        return ax_fail(call->ctx, AX_INVALID, "%zu columns meet %lld rows", depth,
                       (long long)b->shape[turn_b]);
    const struct product product = {
        .depth = depth,
        .columns = columns,
        .left_step = turn_a ? rows : 1,
        .row_step = turn_b ? 1 : columns,
        .column_step = turn_b ? depth : 1,
    };
    struct ax_onnx_shape shape = {.dim_count = 2, .dims = {(int64_t)rows, (int64_t)columns}};
    AX_TRY(bias_steps(call, rows, columns, steps));
    AX_TRY(ax_onnx_output(call, 0, a->type, &shape, &data));
    AX_TRY(ax_onnx_memory_take(call, sizeof(double), columns, &sums));
    AX_TRY(ax_onnx_memory_spend(call, rows * columns, depth));
    for (size_t i = 0, at = 0; i < rows; i++) {
        row_loops[a->type]((const char *)a->data + i * (turn_a ? 1 : depth) * bytes, b->data,
                           &product, sums);
        for (size_t j = 0; j < columns; j++, at++) {
            double value = alpha * ((const double *)sums)[j];
            if (c)
                value += beta * ax_tensor_f64(c, i * steps[0] + j * steps[1]);
            store(a->type, data, at, value);
        }
    }
    return AX_OK;
}

/* clang-format off */
static const struct ax_onnx_operator operators[] = {
    {"MatMul", 1, 2, 2, 1, AX_ONNX_WIDEN, "", op_mat_mul, NULL},
    {"Gemm", 7, 2, 3, 1, AX_ONNX_WIDEN, "alpha:f beta:f transA:i transB:i", op_gemm, NULL},
};
/* clang-format on */

const struct ax_onnx_ops ax_onnx_ops_matrix = {"", operators, AX_COUNT_OF(operators)};
