#include <math.h>

#include "engine/onnx_ops.h"

/*
 * Element by element over one tensor: functions, activations, tests.
 *
 * A loop is written once and made for float and double; p is the element, a and b are the
 * operator's parameters. Formulas are those of the standard, in the element's own precision; of
 * floats, e^x and what is made of it are onnx_level.h's.
 */

typedef void (*unary_loop)(const void *in, void *out, size_t count, double alpha, double beta);

#define LOOP(type, c_type, name, result, expression)                                               \
    static void name##_##type(const void *in, void *out, size_t count, double alpha, double beta)  \
    {                                                                                              \
        const c_type *x = in;                                                                      \
        result *z = out;                                                                           \
        [[maybe_unused]] const c_type a = (c_type)alpha, b = (c_type)beta, one = 1;                \
        for (size_t i = 0; i < count; i++) {                                                       \
            c_type p = x[i];                                                                       \
            z[i] = (result)(expression);                                                           \
        }                                                                                          \
    }
/* M(exp) is expf for floats and exp for doubles. */
#define BOTH(name, expression32, expression64)                                                     \
    LOOP(FP32, float, name, float, expression32)                                                   \
    LOOP(FP64, double, name, double, expression64)
#define SAME(name, expression)                BOTH(name, expression, expression)
#define FUNCTION(name, f32, f64)              BOTH(name, f32(p), f64(p))
#define WHOLE(type, c_type, name, expression) LOOP(type, c_type, name, c_type, expression)

LOOP(FP64, double, exp, double, exp(p))
FUNCTION(log, logf, log)
FUNCTION(sqrt, sqrtf, sqrt)
LOOP(FP64, double, tanh, double, tanh(p))
LOOP(FP64, double, erf, double, erf(p))
FUNCTION(ceil, ceilf, ceil)
FUNCTION(floor, floorf, floor)
FUNCTION(round, rintf, rint)
FUNCTION(absolute, fabsf, fabs)
FUNCTION(sin, sinf, sin)
FUNCTION(cos, cosf, cos)
SAME(negative, -p)
SAME(reciprocal, one / p)
SAME(sign, p > 0 ? one : p < 0 ? -one : p)
SAME(relu, p < 0 ? 0 : p)
LOOP(FP64, double, sigmoid, double, p >= 0 ? 1 / (1 + exp(-p)) : 1 - 1 / (1 + exp(p)))
SAME(leaky_relu, p < 0 ? a * p : p)
SAME(thresholded_relu, p > a ? p : 0)
BOTH(elu, p < 0 ? a * (expf(p) - 1) : p, p < 0 ? a * (exp(p) - 1) : p)
BOTH(selu, p > 0 ? b * p : b * (a * expf(p) - a), p > 0 ? b * p : b * (a * exp(p) - a))
BOTH(celu, fmaxf(0, p) + fminf(0, a *(expf(p / a) - 1)), fmax(0, p) + fmin(0, a *(exp(p / a) - 1)))
SAME(hard_sigmoid, a *p + b < 0 ? 0 : a * p + b > 1 ? one : a * p + b)
SAME(hard_swish, p *(p / 6 + one / 2 < 0 ? 0 : p / 6 + one / 2 > 1 ? one : p / 6 + one / 2))
BOTH(softplus, p > 0 ? p + log1pf(expf(-p)) : log1pf(expf(p)),
     p > 0 ? p + log1p(exp(-p)) : log1p(exp(p)))
BOTH(softsign, p / (1 + fabsf(p)), p / (1 + fabs(p)))
BOTH(mish, p *tanhf(log1pf(expf(p))), p *tanh(log1p(exp(p))))
BOTH(swish, p / (1 + expf(-a * p)), p / (1 + exp(-a * p)))
LOOP(FP64, double, gelu, double, p *(erf(p *M_SQRT1_2) + 1) / 2)
LOOP(FP64, double, gelu_tanh, double,
     p *(tanh((M_2_SQRTPI * M_SQRT1_2) * (p + 0.044715 * p * p * p)) + 1) / 2)

#define SIGNED(X, ...)                                                                             \
    X(INT8, int8_t, __VA_ARGS__)                                                                   \
    X(INT16, int16_t, __VA_ARGS__)                                                                 \
    X(INT32, int32_t, __VA_ARGS__)                                                                 \
    X(INT64, int64_t, __VA_ARGS__)
#define UNSIGNED(X, ...)                                                                           \
    X(UINT8, uint8_t, __VA_ARGS__)                                                                 \
    X(UINT16, uint16_t, __VA_ARGS__)                                                               \
    X(UINT32, uint32_t, __VA_ARGS__)                                                               \
    X(UINT64, uint64_t, __VA_ARGS__)
SIGNED(WHOLE, negative, 0 - (uint64_t)p)
SIGNED(WHOLE, absolute, p < 0 ? 0 - (uint64_t)p : (uint64_t)p)
UNSIGNED(WHOLE, absolute, p)
SIGNED(WHOLE, sign, (p > 0) - (p < 0))
UNSIGNED(WHOLE, sign, p > 0)
SIGNED(WHOLE, relu, p < 0 ? 0 : p)

LOOP(FP32, float, is_nan, uint8_t, isnan(p))
LOOP(FP64, double, is_nan, uint8_t, isnan(p))
LOOP(FP32, float, is_inf, uint8_t, isinf(p) && (p < 0 ? a != 0 : b != 0))
LOOP(FP64, double, is_inf, uint8_t, isinf(p) && (p < 0 ? a != 0 : b != 0))
LOOP(BOOL, uint8_t, not, uint8_t, !p)

#define ENTRY(type, c_type, name) [AX_TENSOR_##type] = name##_##type,
#define FLOATS(name)              ENTRY(FP32, , name) ENTRY(FP64, , name)

/* What an operator of this file does: its loops, and where its parameters come from. */
struct function {
    const char *name;
    const char *alpha, *beta; /* attributes; NULL: the value below counts */
    double alpha_value, beta_value;
    enum ax_tensor_type out; /* BOOL for tests; TYPE_COUNT: the input's own */
    unary_loop loops[AX_TENSOR_TYPE_COUNT];
};

#define OWN_TYPE NULL, NULL, 0, 0, AX_TENSOR_TYPE_COUNT
#define PLAIN(name)                                                                                \
    {                                                                                              \
        name, OWN_TYPE,
#define SELU_ALPHA 1.67326319217681884765625
#define SELU_GAMMA 1.05070102214813232421875
static const struct function functions[] = {
    {"Exp", OWN_TYPE, {ENTRY(FP64, , exp)}},
    {"Log", OWN_TYPE, {FLOATS(log)}},
    {"Sqrt", OWN_TYPE, {FLOATS(sqrt)}},
    {"Tanh", OWN_TYPE, {ENTRY(FP64, , tanh)}},
    {"Erf", OWN_TYPE, {ENTRY(FP64, , erf)}},
    {"Ceil", OWN_TYPE, {FLOATS(ceil)}},
    {"Floor", OWN_TYPE, {FLOATS(floor)}},
    {"Round", OWN_TYPE, {FLOATS(round)}},
    {"Sin", OWN_TYPE, {FLOATS(sin)}},
    {"Cos", OWN_TYPE, {FLOATS(cos)}},
    {"Abs", OWN_TYPE, {FLOATS(absolute) SIGNED(ENTRY, absolute) UNSIGNED(ENTRY, absolute)}},
    {"Neg", OWN_TYPE, {FLOATS(negative) SIGNED(ENTRY, negative)}},
    {"Reciprocal", OWN_TYPE, {FLOATS(reciprocal)}},
    {"Sign", OWN_TYPE, {FLOATS(sign) SIGNED(ENTRY, sign) UNSIGNED(ENTRY, sign)}},
    {"Relu", OWN_TYPE, {FLOATS(relu) SIGNED(ENTRY, relu)}},
    {"Sigmoid", OWN_TYPE, {ENTRY(FP64, , sigmoid)}},
    {"Softplus", OWN_TYPE, {FLOATS(softplus)}},
    {"Softsign", OWN_TYPE, {FLOATS(softsign)}},
    {"Mish", OWN_TYPE, {FLOATS(mish)}},
    {"HardSwish", OWN_TYPE, {FLOATS(hard_swish)}},
    {"Swish", "alpha", NULL, 1, 0, AX_TENSOR_TYPE_COUNT, {FLOATS(swish)}},
    {"LeakyRelu", "alpha", NULL, (double)0.01f, 0, AX_TENSOR_TYPE_COUNT, {FLOATS(leaky_relu)}},
    {"ThresholdedRelu", "alpha", NULL, 1, 0, AX_TENSOR_TYPE_COUNT, {FLOATS(thresholded_relu)}},
    {"Elu", "alpha", NULL, 1, 0, AX_TENSOR_TYPE_COUNT, {FLOATS(elu)}},
    {"Celu", "alpha", NULL, 1, 0, AX_TENSOR_TYPE_COUNT, {FLOATS(celu)}},
    {"Selu", "alpha", "gamma", SELU_ALPHA, SELU_GAMMA, AX_TENSOR_TYPE_COUNT, {FLOATS(selu)}},
    {"HardSigmoid",
     "alpha",
     "beta",
     (double)0.2f,
     0.5,
     AX_TENSOR_TYPE_COUNT,
     {FLOATS(hard_sigmoid)}},
    {"IsNaN", NULL, NULL, 0, 0, AX_TENSOR_BOOL, {FLOATS(is_nan)}},
    {"IsInf", "detect_negative", "detect_positive", 1, 1, AX_TENSOR_BOOL, {FLOATS(is_inf)}},
    {"Not", NULL, NULL, 0, 0, AX_TENSOR_BOOL, {ENTRY(BOOL, , not )}},
    {"Gelu", OWN_TYPE, {ENTRY(FP64, , gelu)}},
    {"Gelu tanh", OWN_TYPE, {ENTRY(FP64, , gelu_tanh)}},
};

static const struct function *
find_function(const char *name)
{
    for (size_t i = 0; i < AX_COUNT_OF(functions); i++)
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    return NULL;
}

static double
parameter(const struct ax_onnx_node *node, const char *name, double fallback)
{
    const struct ax_onnx_attribute *attribute = name ? ax_onnx_attribute(node, name) : NULL;
    if (!attribute)
        return fallback;
    return attribute->type == AX_ONNX_INT ? (double)attribute->i : (double)attribute->f;
}

/* A function with its parameters, found once. */
struct prepared {
    const struct function *function;
    double alpha, beta;
    enum ax_onnx_function quick; /* of floats, vectorised; FUNCTION_COUNT: the loop above */
};

static enum ax_onnx_function
quick_function(const char *name)
{
    static const char *const names[AX_ONNX_FUNCTION_COUNT] = {
        [AX_ONNX_EXP] = "Exp", [AX_ONNX_SIGMOID] = "Sigmoid", [AX_ONNX_TANH] = "Tanh",
        [AX_ONNX_ERF] = "Erf", [AX_ONNX_GELU] = "Gelu",       [AX_ONNX_GELU_TANH] = "Gelu tanh",
    };
    int found = 0;
    while (found < AX_ONNX_FUNCTION_COUNT && strcmp(names[found], name) != 0)
        found++;
    return (enum ax_onnx_function)found;
}

static ax_status
prepare_function(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node)
{
    struct prepared *prepared = AX_NEW(arena, struct prepared);
    if (!prepared)
        return ax_fail(ctx, AX_LIMIT, "no memory for an operator");
    const char *name = node->op->name;
    ax_str approximate = ax_onnx_attribute_text(node, "approximate", AX_STR("none"));
    if (ax_str_eq(approximate, AX_STR("tanh")))
        name = "Gelu tanh";
    else if (!ax_str_eq(approximate, AX_STR("none")))
        return ax_fail(ctx, AX_INVALID, "`approximate` is none or tanh, not `%.*s`",
                       AX_FMT(approximate));
    prepared->function = find_function(name);
    if (!prepared->function)
        return ax_fail(ctx, AX_INTERNAL, "%s has no function", name);
    prepared->alpha = parameter(node, prepared->function->alpha, prepared->function->alpha_value);
    prepared->beta = parameter(node, prepared->function->beta, prepared->function->beta_value);
    prepared->quick = quick_function(name);
    node->prepared = prepared;
    return AX_OK;
}

static ax_status
op_function(struct ax_onnx_call *call)
{
    const struct prepared *prepared = call->node->prepared;
    const struct function *function = prepared->function;
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    enum ax_tensor_type type = function->out == AX_TENSOR_TYPE_COUNT ? in->type : function->out;
    void *data;
    bool quick = in->type == AX_TENSOR_FP32 && prepared->quick != AX_ONNX_FUNCTION_COUNT;
    if (!quick && !function->loops[in->type])
        return ax_onnx_fail_type(call, 0);
    AX_TRY(ax_onnx_output_like(call, 0, type, in, &data));
    if (quick) {
        call->run->level->apply(prepared->quick, in->data, data, in->count);
        return AX_OK;
    }
    function->loops[in->type](in->data, data, in->count, prepared->alpha, prepared->beta);
    return AX_OK;
}

enum ax_onnx_function
ax_onnx_unary_function(const struct ax_onnx_node *node)
{
    if (node->op->run != op_function)
        return AX_ONNX_FUNCTION_COUNT;
    return ((const struct prepared *)node->prepared)->quick;
}

/* ---- Clip ---- */

/* A bound: an input since version 11, an attribute before; absent: none. */
static ax_status
clip_bound(struct ax_onnx_call *call, size_t index, const char *attribute, double fallback,
           double *out)
{
    const struct ax_tensor *input = ax_onnx_input(call, index);
    *out = parameter(call->node, attribute, fallback);
    if (!input)
        return AX_OK;
    AX_TRY(ax_onnx_need_type(call, index, ax_onnx_input(call, 0)->type));
    if (input->count != 1)
        return ax_fail(call->ctx, AX_INVALID, "input %zu has %zu elements; expected one", index,
                       input->count);
    *out = ax_tensor_f64(input, 0);
    return AX_OK;
}

#define CLIP(type, c_type, ...)                                                                    \
    case AX_TENSOR_##type:                                                                         \
        for (size_t i = 0; i < in->count; i++) {                                                   \
            c_type x = ((const c_type *)in->data)[i];                                              \
            x = (double)x < low ? (c_type)low : x;                                                 \
            ((c_type *)data)[i] = (double)x > high ? (c_type)high : x;                             \
        }                                                                                          \
        return AX_OK;

static ax_status
op_clip(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    double low, high;
    void *data;
    if (in->type == AX_TENSOR_BYTES)
        return ax_onnx_fail_type(call, 0);
    AX_TRY(clip_bound(call, 1, "min", -(double)INFINITY, &low));
    AX_TRY(clip_bound(call, 2, "max", (double)INFINITY, &high));
    AX_TRY(ax_onnx_output_like(call, 0, in->type, in, &data));
    switch ((int)in->type) {
        CLIP(FP32, float)
        CLIP(FP64, double)
        SIGNED(CLIP, )
        UNSIGNED(CLIP, )
    default:
        return ax_onnx_fail_type(call, 0);
    }
}

/* clang-format off */
#define ONE(name, since, attributes)                                                               \
    {name, since, 1, 1, 1, AX_ONNX_WIDEN, attributes, op_function, prepare_function}
static const struct ax_onnx_operator operators[] = {
    ONE("Exp", 6, ""), ONE("Log", 6, ""), ONE("Sqrt", 6, ""), ONE("Tanh", 6, ""),
    ONE("Erf", 9, ""), ONE("Ceil", 6, ""), ONE("Floor", 6, ""), ONE("Round", 11, ""),
    ONE("Sin", 7, ""), ONE("Cos", 7, ""), ONE("Abs", 6, ""), ONE("Neg", 6, ""),
    ONE("Reciprocal", 6, ""), ONE("Sign", 9, ""), ONE("Relu", 6, ""), ONE("Sigmoid", 6, ""),
    ONE("Softplus", 1, ""), ONE("Softsign", 1, ""), ONE("Mish", 18, ""), ONE("HardSwish", 14, ""),
    ONE("Swish", 24, "alpha:f"), ONE("LeakyRelu", 6, "alpha:f"),
    ONE("ThresholdedRelu", 10, "alpha:f"), ONE("Elu", 6, "alpha:f"), ONE("Celu", 12, "alpha:f"),
    ONE("Selu", 6, "alpha:f gamma:f"), ONE("HardSigmoid", 6, "alpha:f beta:f"),
    ONE("IsNaN", 9, ""), ONE("IsInf", 10, "detect_negative:i detect_positive:i"),
    ONE("Not", 1, ""), ONE("Gelu", 20, "approximate:s"),
    {"Clip", 6, 1, 3, 1, AX_ONNX_WIDEN, "min:f max:f", op_clip, NULL},
};
/* clang-format on */

const struct ax_onnx_ops ax_onnx_ops_unary = {"", operators, AX_COUNT_OF(operators)};
