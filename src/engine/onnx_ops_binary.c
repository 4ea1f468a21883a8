#include <math.h>

#include "engine/onnx_broadcast.h"

/*
 * Element by element over two or more tensors: arithmetic, comparisons, logic, Where.
 *
 * A loop computes one run of a broadcast: count elements, operands at steps of 0 or 1. Integers
 * wrap as they do in NumPy; a division of integers by zero is refused.
 */

typedef void (*binary_loop)(const void *a, size_t a_step, const void *b, size_t b_step, void *out,
                            size_t count);

#define INTEGERS(X, ...)                                                                           \
    X(INT8, int8_t, __VA_ARGS__)                                                                   \
    X(INT16, int16_t, __VA_ARGS__)                                                                 \
    X(INT32, int32_t, __VA_ARGS__)                                                                 \
    X(INT64, int64_t, __VA_ARGS__)                                                                 \
    X(UINT8, uint8_t, __VA_ARGS__)                                                                 \
    X(UINT16, uint16_t, __VA_ARGS__)                                                               \
    X(UINT32, uint32_t, __VA_ARGS__)                                                               \
    X(UINT64, uint64_t, __VA_ARGS__)
#define FLOATS(X, ...)                                                                             \
    X(FP32, float, __VA_ARGS__)                                                                    \
    X(FP64, double, __VA_ARGS__)

#define LOOP(type, c_type, name, result, expression)                                               \
    static void name##_##type(const void *a, size_t a_step, const void *b, size_t b_step,          \
                              void *out, size_t count)                                             \
    {                                                                                              \
        const c_type *x = a, *y = b;                                                               \
        result *z = out;                                                                           \
        for (size_t i = 0; i < count; i++) {                                                       \
            c_type p = x[i * a_step], q = y[i * b_step];                                           \
            z[i] = (result)(expression);                                                           \
        }                                                                                          \
    }
#define ARITHMETIC(type, c_type, name, expression) LOOP(type, c_type, name, c_type, expression)
#define COMPARISON(type, c_type, name, expression) LOOP(type, c_type, name, uint8_t, expression)
#define ENTRY(type, c_type, name)                  [AX_TENSOR_##type] = name##_##type,

#define WRAP(function)                                                                             \
    ({                                                                                             \
        __typeof__(p) wrapped_;                                                                    \
        (void)function(p, q, &wrapped_);                                                           \
        wrapped_;                                                                                  \
    })
/* -1 apart: the smallest number divided by it is one too large, and wraps. */
#define IS_MINUS_ONE(q) ((q) == (__typeof__(q))-1 && (__typeof__(q))-1 < (__typeof__(q))1)
#define NEGATED(p)      ((__typeof__(p))(0 - (uint64_t)(p)))
#define WHOLE_QUOTIENT  (q == 0 ? 0 : IS_MINUS_ONE(q) ? NEGATED(p) : p / q)
/* C's remainder has the dividend's sign, Python's the divisor's. */
#define WHOLE_REMAINDER (q == 0 || IS_MINUS_ONE(q) ? 0 : p % q)
#define FLOOR_REMAINDER                                                                            \
    (WHOLE_REMAINDER + (WHOLE_REMAINDER != 0 && (p < 1) != (q < 1) && p != 0 ? q : 0))

/* Of floats: exact, so that the way through float64 rounds nothing. */
static double
floor_remainder(double p, double q)
{
    double rest = fmod(p, q);
    if (rest == 0)
        return copysign(0, q);
    return (rest < 0) != (q < 0) ? rest + q : rest;
}

INTEGERS(ARITHMETIC, add, WRAP(__builtin_add_overflow))
FLOATS(ARITHMETIC, add, p + q)
INTEGERS(ARITHMETIC, sub, WRAP(__builtin_sub_overflow))
FLOATS(ARITHMETIC, sub, p - q)
INTEGERS(ARITHMETIC, mul, WRAP(__builtin_mul_overflow))
FLOATS(ARITHMETIC, mul, p *q)
INTEGERS(ARITHMETIC, div, WHOLE_QUOTIENT)
FLOATS(ARITHMETIC, div, p / q)
INTEGERS(ARITHMETIC, mod, FLOOR_REMAINDER)
FLOATS(ARITHMETIC, mod, floor_remainder((double)p, (double)q))
INTEGERS(ARITHMETIC, fmod, WHOLE_REMAINDER)
LOOP(FP32, float, fmod, float, fmodf(p, q))
LOOP(FP64, double, fmod, double, fmod(p, q))
INTEGERS(ARITHMETIC, max, p > q ? p : q)
FLOATS(ARITHMETIC, max, p > q || isnan(p) ? p : q)
INTEGERS(ARITHMETIC, min, p < q ? p : q)
FLOATS(ARITHMETIC, min, p < q || isnan(p) ? p : q)
LOOP(FP32, float, pow, float, powf(p, q))
LOOP(FP64, double, pow, double, pow(p, q))
FLOATS(ARITHMETIC, prelu, p < 0 ? p * q : p)

INTEGERS(COMPARISON, equal, p == q)
FLOATS(COMPARISON, equal, p == q)
LOOP(BOOL, uint8_t, equal, uint8_t, p == q)
LOOP(BYTES, ax_str, equal, uint8_t, ax_str_eq(p, q))
INTEGERS(COMPARISON, less, p < q)
FLOATS(COMPARISON, less, p < q)
INTEGERS(COMPARISON, less_equal, p <= q)
FLOATS(COMPARISON, less_equal, p <= q)
INTEGERS(COMPARISON, greater, p > q)
FLOATS(COMPARISON, greater, p > q)
INTEGERS(COMPARISON, greater_equal, p >= q)
FLOATS(COMPARISON, greater_equal, p >= q)

LOOP(BOOL, uint8_t, and, uint8_t, p &q)
LOOP(BOOL, uint8_t, or, uint8_t, p | q)
LOOP(BOOL, uint8_t, xor, uint8_t, p ^ q)

#define ALL(name)                                                                                  \
    {                                                                                              \
        INTEGERS(ENTRY, name) FLOATS(ENTRY, name)                                                  \
    }
static const binary_loop add_loops[AX_TENSOR_TYPE_COUNT] = ALL(add);
static const binary_loop sub_loops[AX_TENSOR_TYPE_COUNT] = ALL(sub);
static const binary_loop mul_loops[AX_TENSOR_TYPE_COUNT] = ALL(mul);
static const binary_loop div_loops[AX_TENSOR_TYPE_COUNT] = ALL(div);
static const binary_loop mod_loops[AX_TENSOR_TYPE_COUNT] = ALL(mod);
static const binary_loop fmod_loops[AX_TENSOR_TYPE_COUNT] = ALL(fmod);
static const binary_loop max_loops[AX_TENSOR_TYPE_COUNT] = ALL(max);
static const binary_loop min_loops[AX_TENSOR_TYPE_COUNT] = ALL(min);
static const binary_loop pow_loops[AX_TENSOR_TYPE_COUNT] = {FLOATS(ENTRY, pow)};
static const binary_loop prelu_loops[AX_TENSOR_TYPE_COUNT] = {FLOATS(ENTRY, prelu)};
static const binary_loop equal_loops[AX_TENSOR_TYPE_COUNT] = {
    INTEGERS(ENTRY, equal) FLOATS(ENTRY, equal)[AX_TENSOR_BOOL] = equal_BOOL, [AX_TENSOR_BYTES] =
                                                                                  equal_BYTES};
static const binary_loop less_loops[AX_TENSOR_TYPE_COUNT] = ALL(less);
static const binary_loop less_equal_loops[AX_TENSOR_TYPE_COUNT] = ALL(less_equal);
static const binary_loop greater_loops[AX_TENSOR_TYPE_COUNT] = ALL(greater);
static const binary_loop greater_equal_loops[AX_TENSOR_TYPE_COUNT] = ALL(greater_equal);
static const binary_loop and_loops[AX_TENSOR_TYPE_COUNT] = {[AX_TENSOR_BOOL] = and_BOOL};
static const binary_loop or_loops[AX_TENSOR_TYPE_COUNT] = {[AX_TENSOR_BOOL] = or_BOOL};
static const binary_loop xor_loops[AX_TENSOR_TYPE_COUNT] = {[AX_TENSOR_BOOL] = xor_BOOL};

/* ---- two tensors ---- */

/* a and b, of one type, into a tensor of `type`. */
static ax_status
run_pair(struct ax_onnx_call *call, const binary_loop *loops, const struct ax_tensor *const *pair,
         enum ax_tensor_type type, struct ax_tensor *out)
{
    const struct ax_tensor *a = pair[0], *b = pair[1];
    struct ax_onnx_broadcast plan;
    struct ax_onnx_walk walk = {};
    size_t in_bytes = ax_tensor_element_bytes(a->type), out_bytes = ax_tensor_element_bytes(type);
    void *data;
    if (a->type != b->type)
        return ax_fail(call->ctx, AX_INVALID, "inputs of types %s and %s; expected one type",
                       ax_tensor_type_name(a->type), ax_tensor_type_name(b->type));
    if (!loops[a->type])
        return ax_onnx_fail_type(call, 0);
    AX_TRY(ax_onnx_broadcast_plan(call, pair, 2, &plan));
    AX_TRY(ax_onnx_output(call, 0, type, &plan.shape, &data));
    char *at = data;
    for (size_t r = 0; r < plan.run_count; r++, at += plan.run * out_bytes) {
        loops[a->type]((const char *)a->data + walk.at[0] * in_bytes,
                       ax_onnx_broadcast_step(&plan, 0),
                       (const char *)b->data + walk.at[1] * in_bytes,
                       ax_onnx_broadcast_step(&plan, 1), at, plan.run);
        ax_onnx_walk_next(&plan, &walk);
    }
    *out = call->outputs[0].tensor; /* which may be what `pair` points to */
    return AX_OK;
}

static ax_status
run_arithmetic(struct ax_onnx_call *call, const binary_loop *loops)
{
    const struct ax_tensor *pair[2] = {ax_onnx_input(call, 0), ax_onnx_input(call, 1)};
    struct ax_tensor out;
    return run_pair(call, loops, pair, pair[0]->type, &out);
}

static ax_status
run_comparison(struct ax_onnx_call *call, const binary_loop *loops)
{
    const struct ax_tensor *pair[2] = {ax_onnx_input(call, 0), ax_onnx_input(call, 1)};
    struct ax_tensor out;
    return run_pair(call, loops, pair, AX_TENSOR_BOOL, &out);
}

/* One after the other, from the left. */
static ax_status
run_many(struct ax_onnx_call *call, const binary_loop *loops)
{
    struct ax_tensor so_far = *ax_onnx_input(call, 0);
    if (call->input_count == 1)
        return ax_onnx_output_same(call, 0, &so_far, NULL);
    for (size_t i = 1; i < call->input_count; i++) {
        const struct ax_tensor *pair[2] = {&so_far, ax_onnx_input(call, i)};
        AX_TRY(run_pair(call, loops, pair, so_far.type, &so_far));
    }
    return AX_OK;
}

static bool
is_whole(enum ax_tensor_type type)
{
    return type >= AX_TENSOR_UINT8 && type <= AX_TENSOR_INT64;
}

static ax_status
refuse_zero(struct ax_onnx_call *call)
{
    const struct ax_tensor *divisor = ax_onnx_input(call, 1);
    if (!is_whole(divisor->type) || call->run->trial)
        return AX_OK;
    for (size_t i = 0; i < divisor->count; i++)
        if (ax_tensor_f64(divisor, i) == 0)
            return ax_fail(call->ctx, AX_INVALID, "a division of whole numbers by zero");
    return AX_OK;
}

static ax_status
op_add(struct ax_onnx_call *call)
{
    return run_arithmetic(call, add_loops);
}

static ax_status
op_sub(struct ax_onnx_call *call)
{
    return run_arithmetic(call, sub_loops);
}

static ax_status
op_mul(struct ax_onnx_call *call)
{
    return run_arithmetic(call, mul_loops);
}

static ax_status
op_div(struct ax_onnx_call *call)
{
    AX_TRY(refuse_zero(call));
    return run_arithmetic(call, div_loops);
}

static ax_status
op_mod(struct ax_onnx_call *call)
{
    AX_TRY(refuse_zero(call));
    return run_arithmetic(call,
                          ax_onnx_attribute_i64(call->node, "fmod", 0) ? fmod_loops : mod_loops);
}

/* Base and exponent may be of two types; the result is of the base's. */
static ax_status
op_pow(struct ax_onnx_call *call)
{
    const struct ax_tensor *base = ax_onnx_input(call, 0), *exponent = ax_onnx_input(call, 1);
    const struct ax_tensor *pair[2] = {base, exponent};
    struct ax_tensor wide[2], out;
    enum ax_tensor_type type = base->type;
    if (type == exponent->type && pow_loops[type])
        return run_pair(call, pow_loops, pair, type, &out);
    if (type == AX_TENSOR_BYTES || type == AX_TENSOR_BOOL || exponent->type == AX_TENSOR_BYTES)
        return ax_onnx_fail_type(call, 0);
    for (size_t i = 0; i < 2; i++) {
        void *data;
        AX_TRY(ax_onnx_memory_take(call, sizeof(double), pair[i]->count, &data));
        for (size_t j = 0; j < pair[i]->count; j++)
            ((double *)data)[j] = ax_tensor_f64(pair[i], j);
        wide[i] = *pair[i];
        wide[i].type = AX_TENSOR_FP64;
        wide[i].data = data;
        pair[i] = &wide[i];
    }
    AX_TRY(run_pair(call, pow_loops, pair, AX_TENSOR_FP64, &out));
    return ax_onnx_convert(call, 0, &out, type);
}

static ax_status
op_max(struct ax_onnx_call *call)
{
    return run_many(call, max_loops);
}

static ax_status
op_min(struct ax_onnx_call *call)
{
    return run_many(call, min_loops);
}

static ax_status
op_sum(struct ax_onnx_call *call)
{
    return run_many(call, add_loops);
}

static ax_status
op_mean(struct ax_onnx_call *call)
{
    AX_TRY(run_many(call, add_loops));
    struct ax_tensor sum = call->outputs[0].tensor;
    if (sum.type != AX_TENSOR_FP32 && sum.type != AX_TENSOR_FP64)
        return ax_onnx_fail_type(call, 0);
    void *data;
    AX_TRY(ax_onnx_output_like(call, 0, sum.type, &sum, &data));
    for (size_t i = 0; i < sum.count; i++)
        if (sum.type == AX_TENSOR_FP32)
            ((float *)data)[i] = ((const float *)sum.data)[i] / (float)call->input_count;
        else
            ((double *)data)[i] = ((const double *)sum.data)[i] / (double)call->input_count;
    return AX_OK;
}

static ax_status
op_prelu(struct ax_onnx_call *call)
{
    return run_arithmetic(call, prelu_loops);
}

static ax_status
op_equal(struct ax_onnx_call *call)
{
    return run_comparison(call, equal_loops);
}

static ax_status
op_less(struct ax_onnx_call *call)
{
    return run_comparison(call, less_loops);
}

static ax_status
op_less_equal(struct ax_onnx_call *call)
{
    return run_comparison(call, less_equal_loops);
}

static ax_status
op_greater(struct ax_onnx_call *call)
{
    return run_comparison(call, greater_loops);
}

static ax_status
op_greater_equal(struct ax_onnx_call *call)
{
    return run_comparison(call, greater_equal_loops);
}

static ax_status
op_and(struct ax_onnx_call *call)
{
    return run_comparison(call, and_loops);
}

static ax_status
op_or(struct ax_onnx_call *call)
{
    return run_comparison(call, or_loops);
}

static ax_status
op_xor(struct ax_onnx_call *call)
{
    return run_comparison(call, xor_loops);
}

/* ---- Where ---- */

static ax_status
op_where(struct ax_onnx_call *call)
{
    const struct ax_tensor *three[3] = {ax_onnx_input(call, 0), ax_onnx_input(call, 1),
                                        ax_onnx_input(call, 2)};
    size_t bytes = ax_tensor_element_bytes(three[1]->type);
    struct ax_onnx_broadcast plan;
    struct ax_onnx_walk walk = {};
    void *data;
    AX_TRY(ax_onnx_need_type(call, 0, AX_TENSOR_BOOL));
    AX_TRY(ax_onnx_need_type(call, 2, three[1]->type));
    AX_TRY(ax_onnx_broadcast_plan(call, three, 3, &plan));
    AX_TRY(ax_onnx_output(call, 0, three[1]->type, &plan.shape, &data));
    char *at = data;
    for (size_t r = 0; r < plan.run_count; r++) {
        const uint8_t *condition = (const uint8_t *)three[0]->data + walk.at[0];
        for (size_t i = 0; i < plan.run; i++, at += bytes) {
            size_t chosen = condition[i * ax_onnx_broadcast_step(&plan, 0)] ? 1 : 2;
            size_t from = walk.at[chosen] + i * ax_onnx_broadcast_step(&plan, chosen);
            memcpy(at, (const char *)three[chosen]->data + from * bytes, bytes);
        }
        ax_onnx_walk_next(&plan, &walk);
    }
    return AX_OK;
}

/* clang-format off */
static const struct ax_onnx_operator operators[] = {
    {"Add", 7, 2, 2, 1, AX_ONNX_WIDEN, "", op_add, NULL},
    {"Sub", 7, 2, 2, 1, AX_ONNX_WIDEN, "", op_sub, NULL},
    {"Mul", 7, 2, 2, 1, AX_ONNX_WIDEN, "", op_mul, NULL},
    {"Div", 7, 2, 2, 1, AX_ONNX_WIDEN, "", op_div, NULL},
    {"Mod", 10, 2, 2, 1, AX_ONNX_WIDEN, "fmod:i", op_mod, NULL},
    {"Pow", 7, 2, 2, 1, AX_ONNX_WIDEN, "", op_pow, NULL},
    {"Max", 6, 1, INT32_MAX, 1, AX_ONNX_WIDEN, "", op_max, NULL},
    {"Min", 6, 1, INT32_MAX, 1, AX_ONNX_WIDEN, "", op_min, NULL},
    {"Sum", 6, 1, INT32_MAX, 1, AX_ONNX_WIDEN, "", op_sum, NULL},
    {"Mean", 6, 1, INT32_MAX, 1, AX_ONNX_WIDEN, "", op_mean, NULL},
    {"PRelu", 7, 2, 2, 1, AX_ONNX_WIDEN, "", op_prelu, NULL},
    {"Equal", 7, 2, 2, 1, AX_ONNX_WIDEN, "", op_equal, NULL},
    {"Less", 7, 2, 2, 1, AX_ONNX_WIDEN, "", op_less, NULL},
    {"LessOrEqual", 12, 2, 2, 1, AX_ONNX_WIDEN, "", op_less_equal, NULL},
    {"Greater", 7, 2, 2, 1, AX_ONNX_WIDEN, "", op_greater, NULL},
    {"GreaterOrEqual", 12, 2, 2, 1, AX_ONNX_WIDEN, "", op_greater_equal, NULL},
    {"And", 7, 2, 2, 1, 0, "", op_and, NULL},
    {"Or", 7, 2, 2, 1, 0, "", op_or, NULL},
    {"Xor", 7, 2, 2, 1, 0, "", op_xor, NULL},
    {"Where", 9, 3, 3, 1, 0, "", op_where, NULL},
};
/* clang-format on */

const struct ax_onnx_ops ax_onnx_ops_binary = {"", operators, AX_COUNT_OF(operators)};
