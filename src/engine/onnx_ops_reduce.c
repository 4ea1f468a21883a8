#include <math.h>

#include "engine/onnx_lines.h"

/*
 * Many elements become one: Reduce*, ArgMax, CumSum, and what normalises along an axis.
 *
 * Floats are added in float64 in the order in which they lie, and rounded once at the end; whole
 * numbers are added as whole numbers.
 */

/* ---- Reduce* ---- */

static double
sum_f64(const double *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += x[i];
    return sum;
}

static double
mean_f64(const double *x, size_t count)
{
    return sum_f64(x, count) / (double)count;
}

static double
product_f64(const double *x, size_t count)
{
    double product = 1;
    for (size_t i = 0; i < count; i++)
        product *= x[i];
    return product;
}

static double
max_f64(const double *x, size_t count)
{
    double most = -(double)INFINITY;
    for (size_t i = 0; i < count; i++)
        most = x[i] > most || isnan(x[i]) ? x[i] : most;
    return most;
}

static double
min_f64(const double *x, size_t count)
{
    double least = (double)INFINITY;
    for (size_t i = 0; i < count; i++)
        least = x[i] < least || isnan(x[i]) ? x[i] : least;
    return least;
}

static double
norm1_f64(const double *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += fabs(x[i]);
    return sum;
}

static double
squares_f64(const double *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += x[i] * x[i];
    return sum;
}

static double
norm2_f64(const double *x, size_t count)
{
    return sqrt(squares_f64(x, count));
}

static double
log_sum_f64(const double *x, size_t count)
{
    return log(sum_f64(x, count));
}

static double
log_sum_exp_f64(const double *x, size_t count)
{
    double most = max_f64(x, count), sum = 0;
    if (!isfinite(most))
        return most;
    for (size_t i = 0; i < count; i++)
        sum += exp(x[i] - most);
    return most + log(sum);
}

/* Whole numbers wrap; an empty maximum is the type's lowest number, which the caller stores. */
static int64_t
whole(char kind, const int64_t *x, size_t count)
{
    uint64_t result = kind == 'p' ? 1 : 0;
    int64_t most = INT64_MIN, least = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        most = x[i] > most ? x[i] : most;
        least = x[i] < least ? x[i] : least;
        if (kind == 's')
            result += (uint64_t)x[i];
        else if (kind == 'p')
            result *= (uint64_t)x[i];
        else if (kind == 'q')
            result += (uint64_t)x[i] * (uint64_t)x[i];
        else if (kind == '1')
            result += x[i] < 0 ? 0 - (uint64_t)x[i] : (uint64_t)x[i];
    }
    return kind == 'M' ? most : kind == 'm' ? least : (int64_t)result;
}

struct reducer {
    const char *name;
    double (*f64)(const double *x, size_t count);
    char whole; /* which of `whole`; 0: through float64 */
};

static const struct reducer reducers[] = {
    {"ReduceSum", sum_f64, 's'},      {"ReduceMean", mean_f64, 0},
    {"ReduceProd", product_f64, 'p'}, {"ReduceMax", max_f64, 'M'},
    {"ReduceMin", min_f64, 'm'},      {"ReduceL1", norm1_f64, '1'},
    {"ReduceL2", norm2_f64, 0},       {"ReduceSumSquare", squares_f64, 'q'},
    {"ReduceLogSum", log_sum_f64, 0}, {"ReduceLogSumExp", log_sum_exp_f64, 0},
};

static const struct reducer *
reducer_of(const struct ax_onnx_node *node)
{
    for (size_t i = 0; i < AX_COUNT_OF(reducers); i++)
        if (strcmp(reducers[i].name, node->op->name) == 0)
            return &reducers[i];
    return NULL;
}

/* Where the elements of a group lie: dimensions that are reduced, or kept. */
struct group {
    size_t dim_count;
    size_t dims[AX_TENSOR_DIMS_MAX], steps[AX_TENSOR_DIMS_MAX];
    size_t count;
};

static void
group_add(struct group *group, size_t length, size_t step)
{
    group->dims[group->dim_count] = length;
    group->steps[group->dim_count++] = step;
    group->count *= length;
}

static size_t
group_at(const struct group *group, size_t index)
{
    size_t at = 0;
    for (size_t d = group->dim_count; d-- > 0; index /= group->dims[d])
        at += index % group->dims[d] * group->steps[d];
    return at;
}

struct reduction {
    struct ax_onnx_shape shape;
    struct group kept, reduced;
};

static void
plan_reduction(const struct ax_tensor *in, const bool *marked, bool keep, struct reduction *out)
{
    *out = (struct reduction){.kept.count = 1, .reduced.count = 1};
    for (size_t d = 0; d < in->dim_count; d++) {
        size_t step = ax_onnx_shape_product(in, d + 1, in->dim_count);
        group_add(marked[d] ? &out->reduced : &out->kept, (size_t)in->shape[d], step);
        if (!marked[d] || keep)
            out->shape.dims[out->shape.dim_count++] = marked[d] ? 1 : in->shape[d];
    }
}

static void
store_float(void *data, enum ax_tensor_type type, size_t index, double value)
{
    if (type == AX_TENSOR_FP32)
        ((float *)data)[index] = (float)value;
    else
        ((double *)data)[index] = value;
}

static bool
is_float(enum ax_tensor_type type)
{
    return type == AX_TENSOR_FP32 || type == AX_TENSOR_FP64;
}

/* offsets: of the elements of a group, from its first. */
static void
reduce_floats(const struct ax_tensor *in, const struct reduction *plan,
              const struct reducer *reducer, const size_t *offsets, double *line, void *out)
{
    for (size_t k = 0; k < plan->kept.count; k++) {
        size_t at = group_at(&plan->kept, k);
        if (in->type == AX_TENSOR_FP32)
            for (size_t i = 0; i < plan->reduced.count; i++)
                line[i] = (double)((const float *)in->data)[at + offsets[i]];
        else
            for (size_t i = 0; i < plan->reduced.count; i++)
                line[i] = ((const double *)in->data)[at + offsets[i]];
        store_float(out, in->type, k, reducer->f64(line, plan->reduced.count));
    }
}

static int64_t
whole_at(const struct ax_tensor *in, size_t index)
{
    return in->type == AX_TENSOR_INT64 || in->type == AX_TENSOR_UINT64
               ? ((const int64_t *)in->data)[index]
               : (int64_t)ax_tensor_f64(in, index);
}

/* Means and norms are cut to whole numbers. */
static int64_t
whole_of(double value)
{
    return fabs(value) < 0x1p63 ? (int64_t)value : INT64_MIN;
}

/* room: for the elements of a group, as whole numbers or as doubles. */
static void
reduce_whole(const struct ax_tensor *in, const struct reduction *plan,
             const struct reducer *reducer, void *room, void *out)
{
    size_t bytes = ax_tensor_element_bytes(in->type), count = plan->reduced.count;
    int64_t *wholes = room;
    double *doubles = room;
    for (size_t k = 0; k < plan->kept.count; k++) {
        size_t at = group_at(&plan->kept, k);
        int64_t value;
        for (size_t i = 0; i < count; i++) {
            int64_t x = whole_at(in, at + group_at(&plan->reduced, i));
            if (reducer->whole)
                wholes[i] = x;
            else
                doubles[i] = (double)x;
        }
        value = reducer->whole ? whole(reducer->whole, wholes, count)
                               : whole_of(reducer->f64(doubles, count));
        memcpy((char *)out + k * bytes, &value, bytes);
    }
}

static ax_status
op_reduce(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    struct ax_onnx_ints axes;
    struct reduction plan;
    bool given, marked[AX_TENSOR_DIMS_MAX] = {};
    void *line, *offsets, *data;
    if (in->type == AX_TENSOR_BYTES)
        return ax_onnx_fail_type(call, 0);
    AX_TRY(ax_onnx_input_or_ints(call, 1, "axes", &axes, &given));
    if (axes.count == 0) {
        if (ax_onnx_attribute_i64(call->node, "noop_with_empty_axes", 0))
            return ax_onnx_output_same(call, 0, in, NULL);
        memset(marked, true, in->dim_count);
    }
    for (size_t i = 0; i < axes.count; i++) {
        size_t axis;
        AX_TRY(ax_onnx_axis(call, axes.items[i], in->dim_count, &axis));
        marked[axis] = true;
    }
    plan_reduction(in, marked, ax_onnx_attribute_i64(call->node, "keepdims", 1) != 0, &plan);
    AX_TRY(ax_onnx_memory_take(call, sizeof(double), plan.reduced.count, &line));
    AX_TRY(ax_onnx_memory_take(call, sizeof(size_t), plan.reduced.count, &offsets));
    for (size_t i = 0; i < plan.reduced.count; i++)
        ((size_t *)offsets)[i] = group_at(&plan.reduced, i);
    AX_TRY(ax_onnx_output(call, 0, in->type, &plan.shape, &data));
    AX_TRY(ax_onnx_memory_spend(call, plan.kept.count, plan.reduced.count));
    if (is_float(in->type))
        reduce_floats(in, &plan, reducer_of(call->node), offsets, line, data);
    else
        reduce_whole(in, &plan, reducer_of(call->node), line, data);
    return AX_OK;
}

/* ---- ArgMax, ArgMin ---- */

static ax_status
op_arg(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    bool most = call->node->op->name[3] == 'M' && call->node->op->name[4] == 'a';
    bool last = ax_onnx_attribute_i64(call->node, "select_last_index", 0) != 0;
    struct ax_onnx_shape shape = {};
    size_t axis;
    void *data;
    if (in->type == AX_TENSOR_BYTES)
        return ax_onnx_fail_type(call, 0);
    AX_TRY(ax_onnx_axis(call, ax_onnx_attribute_i64(call->node, "axis", 0), in->dim_count, &axis));
    for (size_t d = 0; d < in->dim_count; d++)
        if (d != axis || ax_onnx_attribute_i64(call->node, "keepdims", 1))
            shape.dims[shape.dim_count++] = d == axis ? 1 : in->shape[d];
    struct ax_onnx_lines lines = ax_onnx_lines_of(in, axis);
    AX_TRY(ax_onnx_output(call, 0, AX_TENSOR_INT64, &shape, &data));
    for (size_t l = 0; l < lines.outer * lines.inner; l++) {
        size_t start = ax_onnx_lines_start(&lines, l), best = 0;
        for (size_t i = 1; i < lines.length; i++) {
            double x = ax_tensor_f64(in, start + i * lines.inner);
            double so_far = ax_tensor_f64(in, start + best * lines.inner);
            if ((most ? x > so_far : x < so_far) || (last && x == so_far))
                best = i;
        }
        ((int64_t *)data)[l] = (int64_t)best;
    }
    return AX_OK;
}

/* ---- CumSum ---- */

#define CUMULATE(type, c_type)                                                                     \
    case AX_TENSOR_##type:                                                                         \
        for (size_t l = 0; l < lines.outer * lines.inner; l++) {                                   \
            size_t start = ax_onnx_lines_start(&lines, l);                                         \
            c_type sum = 0;                                                                        \
            for (size_t i = 0; i < lines.length; i++) {                                            \
                size_t at = start + (reverse ? lines.length - 1 - i : i) * lines.inner;            \
                c_type x = ((const c_type *)in->data)[at];                                         \
                ((c_type *)data)[at] = (c_type)(exclusive ? sum : sum + x);                        \
                sum = (c_type)(sum + x);                                                           \
            }                                                                                      \
        }                                                                                          \
        return AX_OK;

static ax_status
op_cum_sum(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    bool exclusive = ax_onnx_attribute_i64(call->node, "exclusive", 0) != 0, given;
    bool reverse = ax_onnx_attribute_i64(call->node, "reverse", 0) != 0;
    const int64_t *axes;
    size_t count, axis;
    void *data;
    AX_TRY(ax_onnx_input_i64s(call, 1, &axes, &count, &given));
    if (count != 1)
        return ax_fail(call->ctx, AX_INVALID, "%zu axes; expected one", count);
    AX_TRY(ax_onnx_axis(call, axes[0], in->dim_count, &axis));
    struct ax_onnx_lines lines = ax_onnx_lines_of(in, axis);
    AX_TRY(ax_onnx_output_like(call, 0, in->type, in, &data));
    switch ((int)in->type) {
        CUMULATE(FP32, float)
        CUMULATE(FP64, double)
        CUMULATE(INT32, uint32_t)
        CUMULATE(UINT32, uint32_t)
        CUMULATE(INT64, uint64_t)
        CUMULATE(UINT64, uint64_t)
    default:
        return ax_onnx_fail_type(call, 0);
    }
}

/* ---- Softmax, LogSoftmax ---- */

#define SOFTMAX(suffix, c_type, exp_of, log_of)                                                    \
    static void softmax_##suffix(const c_type *x, c_type *out, const struct ax_onnx_lines *lines,  \
                                 bool logarithm)                                                   \
    {                                                                                              \
        c_type most = -(c_type)INFINITY;                                                           \
        double sum = 0;                                                                            \
        for (size_t i = 0; i < lines->length; i++)                                                 \
            most = x[i * lines->inner] > most ? x[i * lines->inner] : most;                        \
        for (size_t i = 0; i < lines->length; i++) {                                               \
            c_type above = x[i * lines->inner] - most, e = exp_of(above);                          \
            out[i * lines->inner] = logarithm ? above : e;                                         \
            sum += (double)e;                                                                      \
        }                                                                                          \
        for (size_t i = 0; i < lines->length; i++)                                                 \
            if (logarithm)                                                                         \
                out[i * lines->inner] -= log_of((c_type)sum);                                      \
            else                                                                                   \
                out[i * lines->inner] /= (c_type)sum;                                              \
    }
SOFTMAX(f32, float, expf, logf)
SOFTMAX(f64, double, exp, log)

/* Before version 13 all dimensions from the axis on were one line. */
static ax_status
op_softmax(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    bool logarithm = call->node->op->name[0] == 'L', old = call->node->version < 13;
    size_t axis;
    void *data;
    if (!is_float(in->type))
        return ax_onnx_fail_type(call, 0);
    AX_TRY(ax_onnx_axis(call, ax_onnx_attribute_i64(call->node, "axis", old ? 1 : -1),
                        in->dim_count, &axis));
    struct ax_onnx_lines lines = ax_onnx_lines_of(in, axis);
    if (old)
        lines = (struct ax_onnx_lines){lines.outer, lines.length * lines.inner, 1};
    AX_TRY(ax_onnx_output_like(call, 0, in->type, in, &data));
    for (size_t l = 0; l < lines.outer * lines.inner; l++) {
        size_t start = ax_onnx_lines_start(&lines, l);
        if (in->type == AX_TENSOR_FP32)
            softmax_f32((const float *)in->data + start, (float *)data + start, &lines, logarithm);
        else
            softmax_f64((const double *)in->data + start, (double *)data + start, &lines,
                        logarithm);
    }
    return AX_OK;
}

/* ---- LayerNormalization ---- */

struct layer {
    const struct ax_tensor *scale, *bias; /* bias: NULL when there is none */
    size_t length;
    double epsilon;
};

/* One row; out_moments: mean and the inverse of the deviation. */
static void
normalise_row(const struct ax_tensor *in, const struct layer *layer, size_t row, void *out,
              double *out_moments)
{
    double mean = 0, variance = 0;
    size_t from = row * layer->length;
    for (size_t i = 0; i < layer->length; i++)
        mean += ax_tensor_f64(in, from + i);
    mean /= (double)layer->length;
    for (size_t i = 0; i < layer->length; i++) {
        double distance = ax_tensor_f64(in, from + i) - mean;
        variance += distance * distance;
    }
    double inverse = 1 / sqrt(variance / (double)layer->length + layer->epsilon);
    for (size_t i = 0; i < layer->length; i++) {
        double y = (ax_tensor_f64(in, from + i) - mean) * inverse;
        y *= ax_tensor_f64(layer->scale, i % layer->scale->count);
        if (layer->bias)
            y += ax_tensor_f64(layer->bias, i % layer->bias->count);
        store_float(out, in->type, from + i, y);
    }
    out_moments[0] = mean;
    out_moments[1] = inverse;
}

static ax_status
check_parameter(struct ax_onnx_call *call, size_t index, enum ax_tensor_type type, size_t count)
{
    const struct ax_tensor *tensor = ax_onnx_input(call, index);
    if (tensor->type != type)
        return ax_onnx_fail_type(call, index);
    if (tensor->count == 0 || count % tensor->count)
        return ax_fail(call->ctx, AX_INVALID, "input %zu has %zu elements for %zu", index,
                       tensor->count, count);
    return AX_OK;
}

static ax_status
op_layer_normalization(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    struct layer layer = {.scale = ax_onnx_input(call, 1), .bias = ax_onnx_input(call, 2)};
    size_t axis;
    void *data, *moments[2];
    if (!is_float(in->type))
        return ax_onnx_fail_type(call, 0);
    AX_TRY(ax_onnx_axis(call, ax_onnx_attribute_i64(call->node, "axis", -1), in->dim_count, &axis));
    layer.length = ax_onnx_shape_product(in, axis, in->dim_count);
    layer.epsilon = (double)ax_onnx_attribute_f32(call->node, "epsilon", 1e-5f);
    AX_TRY(check_parameter(call, 1, in->type, layer.length));
    if (layer.bias)
        AX_TRY(check_parameter(call, 2, in->type, layer.length));
    struct ax_onnx_shape shape = ax_onnx_shape_of(in);
    for (size_t d = axis; d < shape.dim_count; d++)
        shape.dims[d] = 1;
    AX_TRY(ax_onnx_output_like(call, 0, in->type, in, &data));
    AX_TRY(ax_onnx_output(call, 1, AX_TENSOR_FP32, &shape, &moments[0]));
    AX_TRY(ax_onnx_output(call, 2, AX_TENSOR_FP32, &shape, &moments[1]));
    for (size_t row = 0; row < ax_onnx_shape_product(in, 0, axis); row++) {
        double found[2];
        normalise_row(in, &layer, row, data, found);
        ((float *)moments[0])[row] = (float)found[0];
        ((float *)moments[1])[row] = (float)found[1];
    }
    return AX_OK;
}

/* ---- BatchNormalization, as it answers; training it is not ours ---- */

static ax_status
op_batch_normalization(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    double epsilon = (double)ax_onnx_attribute_f32(call->node, "epsilon", 1e-5f);
    void *data;
    if (ax_onnx_attribute_i64(call->node, "training_mode", 0) || call->output_count > 1)
        return ax_fail(call->ctx, AX_UNSUPPORTED, "training_mode is on");
    if (!is_float(in->type))
        return ax_onnx_fail_type(call, 0);
    size_t channels = in->dim_count > 1 ? (size_t)in->shape[1] : 1;
    size_t inner = in->dim_count > 1 ? ax_onnx_shape_product(in, 2, in->dim_count) : 1;
    for (size_t i = 1; i < 5; i++)
        if (ax_onnx_input(call, i)->count != channels || !is_float(ax_onnx_input(call, i)->type))
            return ax_fail(call->ctx, AX_INVALID, "input %zu has %zu elements for %zu channels", i,
                           ax_onnx_input(call, i)->count, channels);
    AX_TRY(ax_onnx_output_like(call, 0, in->type, in, &data));
    for (size_t i = 0; i < in->count; i++) {
        size_t channel = i / inner % channels;
        double scale = ax_tensor_f64(ax_onnx_input(call, 1), channel);
        double deviation = sqrt(ax_tensor_f64(ax_onnx_input(call, 4), channel) + epsilon);
        double distance = ax_tensor_f64(in, i) - ax_tensor_f64(ax_onnx_input(call, 3), channel);
        store_float(data, in->type, i,
                    distance / deviation * scale + ax_tensor_f64(ax_onnx_input(call, 2), channel));
    }
    return AX_OK;
}

/* clang-format off */
#define REDUCE(name) \
    {name, 1, 1, 2, 1, AX_ONNX_WIDEN, "axes:I keepdims:i noop_with_empty_axes:i", op_reduce, NULL}
static const struct ax_onnx_operator operators[] = {
    REDUCE("ReduceSum"), REDUCE("ReduceMean"), REDUCE("ReduceProd"), REDUCE("ReduceMax"),
    REDUCE("ReduceMin"), REDUCE("ReduceL1"), REDUCE("ReduceL2"), REDUCE("ReduceSumSquare"),
    REDUCE("ReduceLogSum"), REDUCE("ReduceLogSumExp"),
    {"ArgMax", 1, 1, 1, 1, AX_ONNX_WIDEN, "axis:i keepdims:i select_last_index:i", op_arg, NULL},
    {"ArgMin", 1, 1, 1, 1, AX_ONNX_WIDEN, "axis:i keepdims:i select_last_index:i", op_arg, NULL},
    {"CumSum", 11, 2, 2, 1, AX_ONNX_WIDEN, "exclusive:i reverse:i", op_cum_sum, NULL},
    {"Softmax", 1, 1, 1, 1, AX_ONNX_WIDEN, "axis:i", op_softmax, NULL},
    {"LogSoftmax", 1, 1, 1, 1, AX_ONNX_WIDEN, "axis:i", op_softmax, NULL},
    {"LayerNormalization", 17, 2, 3, 3, AX_ONNX_WIDEN, "axis:i epsilon:f stash_type:i",
     op_layer_normalization, NULL},
    {"BatchNormalization", 9, 5, 5, 5, AX_ONNX_WIDEN, "epsilon:f momentum:f training_mode:i",
     op_batch_normalization, NULL},
};
/* clang-format on */

const struct ax_onnx_ops ax_onnx_ops_reduce = {"", operators, AX_COUNT_OF(operators)};
