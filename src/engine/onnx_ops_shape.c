#include "engine/onnx_broadcast.h"
#include "engine/onnx_half.h"

/*
 * Operators that move elements and compute none: shapes, cuts, joins, constants.
 *
 * Most are one strided copy: an output shape, and how far to step in the input for each of its
 * dimensions.
 */

/* ---- strided copies ---- */

struct strides {
    ptrdiff_t start;
    ptrdiff_t steps[AX_TENSOR_DIMS_MAX]; /* in elements */
};

/* Steps of a tensor that is walked as it lies. */
static struct strides
strides_of(const struct ax_tensor *tensor)
{
    struct strides strides = {};
    ptrdiff_t step = 1;
    for (size_t d = tensor->dim_count; d-- > 0;) {
        strides.steps[d] = step;
        step *= (ptrdiff_t)tensor->shape[d];
    }
    return strides;
}

static void
copy_run(const char *from, ptrdiff_t step, size_t count, size_t bytes, char *out)
{
    if (step == 1) {
        memcpy(out, from, count * bytes);
        return;
    }
    for (size_t i = 0; i < count; i++)
        memcpy(out + i * bytes, from + (ptrdiff_t)i * step * (ptrdiff_t)bytes, bytes);
}

static void
copy_strided(const struct ax_tensor *in, const struct ax_onnx_shape *shape,
             const struct strides *strides, char *out)
{
    size_t bytes = ax_tensor_element_bytes(in->type);
    size_t last = shape->dim_count - 1, runs = 1;
    size_t run = shape->dim_count ? (size_t)shape->dims[last] : 1;
    int64_t index[AX_TENSOR_DIMS_MAX] = {};
    ptrdiff_t at = strides->start;
    for (size_t d = 0; d + 1 < shape->dim_count; d++)
        runs *= (size_t)shape->dims[d];
    if (run == 0)
        return;
    for (size_t r = 0; r < runs; r++, out += run * bytes) {
        copy_run((const char *)in->data + at * (ptrdiff_t)bytes,
                 shape->dim_count ? strides->steps[last] : 1, run, bytes, out);
        for (size_t d = last; shape->dim_count && d-- > 0;) {
            at += strides->steps[d];
            if (++index[d] < shape->dims[d])
                break;
            at -= strides->steps[d] * (ptrdiff_t)shape->dims[d];
            index[d] = 0;
        }
    }
}

static ax_status
output_strided(struct ax_onnx_call *call, size_t index, const struct ax_tensor *in,
               const struct ax_onnx_shape *shape, const struct strides *strides)
{
    void *data;
    AX_TRY(ax_onnx_output(call, index, in->type, shape, &data));
    copy_strided(in, shape, strides, data);
    return AX_OK;
}

/* ---- the same elements ---- */

static ax_status
op_identity(struct ax_onnx_call *call)
{
    AX_TRY(ax_onnx_output_same(call, 0, ax_onnx_input(call, 0), NULL));
    call->outputs[0].keys = call->inputs[0]->keys;
    call->outputs[0].key_count = call->inputs[0]->key_count;
    return AX_OK;
}

/* Answering is not training: nothing is dropped, and the mask is all true. */
static ax_status
op_dropout(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0), *training = ax_onnx_input(call, 2);
    if (training && !call->run->trial && training->count == 1 && ax_tensor_f64(training, 0) != 0)
        return ax_fail(call->ctx, AX_UNSUPPORTED, "training_mode is on");
    AX_TRY(ax_onnx_output_same(call, 0, in, NULL));
    if (!ax_onnx_wants(call, 1))
        return AX_OK;
    void *mask;
    AX_TRY(ax_onnx_output_like(call, 1, AX_TENSOR_BOOL, in, &mask));
    memset(mask, 1, in->count);
    return AX_OK;
}

/* 0 copies a length (unless allowzero), one -1 is whatever is left. */
static ax_status
op_reshape(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    bool zero_is_zero = ax_onnx_attribute_i64(call->node, "allowzero", 0) != 0, given;
    struct ax_onnx_ints wanted;
    struct ax_onnx_shape shape = {};
    size_t open = SIZE_MAX, known = 1;
    AX_TRY(ax_onnx_input_or_ints(call, 1, "shape", &wanted, &given));
    if (wanted.count > AX_TENSOR_DIMS_MAX)
        return ax_fail(call->ctx, AX_LIMIT, "%zu dimensions", wanted.count);
    shape.dim_count = wanted.count;
    for (size_t i = 0; i < wanted.count; i++) {
        int64_t length = wanted.items[i];
        if (length == 0 && !zero_is_zero && i < in->dim_count)
            length = in->shape[i];
        if (length < -1 || (length == -1 && open != SIZE_MAX))
            return ax_fail(call->ctx, AX_INVALID, "a shape with the length %lld",
                           (long long)length);
        if (length == -1)
            open = i;
        else if (__builtin_mul_overflow(known, (size_t)length, &known))
            return ax_fail(call->ctx, AX_INVALID, "a shape beyond all memory");
        shape.dims[i] = length;
    }
    if (open != SIZE_MAX)
        shape.dims[open] = known ? (int64_t)(in->count / known) : 0;
    return ax_onnx_output_same(call, 0, in, &shape);
}

static ax_status
op_flatten(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    int64_t axis = ax_onnx_attribute_i64(call->node, "axis", 1);
    size_t at = in->dim_count;
    if (axis != (int64_t)in->dim_count)
        AX_TRY(ax_onnx_axis(call, axis, in->dim_count, &at));
    struct ax_onnx_shape shape = {.dim_count = 2};
    shape.dims[0] = (int64_t)ax_onnx_shape_product(in, 0, at);
    shape.dims[1] = (int64_t)ax_onnx_shape_product(in, at, in->dim_count);
    return ax_onnx_output_same(call, 0, in, &shape);
}

/* Marks the axes of a list; each once. */
static ax_status
mark_axes(struct ax_onnx_call *call, const struct ax_onnx_ints *axes, size_t rank, bool *out_marked)
{
    for (size_t i = 0; i < axes->count; i++) {
        size_t axis;
        AX_TRY(ax_onnx_axis(call, axes->items[i], rank, &axis));
        if (out_marked[axis])
            return ax_fail(call->ctx, AX_INVALID, "axis %zu is named twice", axis);
        out_marked[axis] = true;
    }
    return AX_OK;
}

static ax_status
op_squeeze(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    bool marked[AX_TENSOR_DIMS_MAX] = {}, given;
    struct ax_onnx_ints axes;
    struct ax_onnx_shape shape = {};
    AX_TRY(ax_onnx_input_or_ints(call, 1, "axes", &axes, &given));
    AX_TRY(mark_axes(call, &axes, in->dim_count, marked));
    for (size_t d = 0; d < in->dim_count; d++) {
        if (marked[d] && in->shape[d] != 1)
            return ax_fail(call->ctx, AX_INVALID, "dimension %zu has length %lld, not 1", d,
                           (long long)in->shape[d]);
        if (!marked[d] && (given || in->shape[d] != 1))
            shape.dims[shape.dim_count++] = in->shape[d];
    }
    return ax_onnx_output_same(call, 0, in, &shape);
}

static ax_status
op_unsqueeze(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    bool marked[AX_TENSOR_DIMS_MAX] = {}, given;
    struct ax_onnx_ints axes;
    struct ax_onnx_shape shape = {};
    AX_TRY(ax_onnx_input_or_ints(call, 1, "axes", &axes, &given));
    if (axes.count + in->dim_count > AX_TENSOR_DIMS_MAX)
        return ax_fail(call->ctx, AX_LIMIT, "%zu dimensions", axes.count + in->dim_count);
    shape.dim_count = axes.count + in->dim_count;
    AX_TRY(mark_axes(call, &axes, shape.dim_count, marked));
    for (size_t d = 0, from = 0; d < shape.dim_count; d++)
        shape.dims[d] = marked[d] ? 1 : in->shape[from++];
    return ax_onnx_output_same(call, 0, in, &shape);
}

/* ---- constants ---- */

static ax_status
output_i64s(struct ax_onnx_call *call, const int64_t *items, size_t count, size_t dim_count)
{
    struct ax_onnx_shape shape = {.dim_count = dim_count, .dims = {(int64_t)count}};
    void *data;
    AX_TRY(ax_onnx_output(call, 0, AX_TENSOR_INT64, &shape, &data));
    if (count)
        memcpy(data, items, count * sizeof *items);
    return AX_OK;
}

static ax_status
op_shape(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    int64_t rank = (int64_t)in->dim_count;
    int64_t start = ax_onnx_attribute_i64(call->node, "start", 0);
    int64_t end = ax_onnx_attribute_i64(call->node, "end", rank);
    start = start < 0 ? start + rank : start;
    end = end < 0 ? end + rank : end;
    start = start < 0 ? 0 : start > rank ? rank : start;
    end = end > rank ? rank : end < start ? start : end;
    return output_i64s(call, in->shape + start, (size_t)(end - start), 1);
}

static ax_status
op_size(struct ax_onnx_call *call)
{
    int64_t count = (int64_t)ax_onnx_input(call, 0)->count;
    return output_i64s(call, &count, 1, 0);
}

static ax_status
op_constant(struct ax_onnx_call *call)
{
    if (call->node->attribute_count != 1)
        return ax_fail(call->ctx, AX_INVALID, "a constant with %zu values",
                       call->node->attribute_count);
    const struct ax_onnx_attribute *value = &call->node->attributes[0];
    struct ax_tensor tensor = {.count = 1};
    switch ((int)value->type) {
    case AX_ONNX_TENSOR:
        return ax_onnx_output_same(call, 0, value->tensor, NULL);
    case AX_ONNX_FLOAT:
        tensor.type = AX_TENSOR_FP32;
        tensor.data = &value->f;
        break;
    case AX_ONNX_INT:
        tensor.type = AX_TENSOR_INT64;
        tensor.data = &value->i;
        break;
    case AX_ONNX_STRING:
        tensor.type = AX_TENSOR_BYTES;
        tensor.data = &value->s;
        break;
    case AX_ONNX_FLOATS:
        tensor = (struct ax_tensor){.type = AX_TENSOR_FP32, .data = value->floats.items};
        tensor.count = value->floats.count;
        break;
    case AX_ONNX_INTS:
        tensor = (struct ax_tensor){.type = AX_TENSOR_INT64, .data = value->ints.items};
        tensor.count = value->ints.count;
        break;
    default:
        tensor = (struct ax_tensor){.type = AX_TENSOR_BYTES, .data = value->texts.items};
        tensor.count = value->texts.count;
    }
    if (value->type >= AX_ONNX_FLOATS) {
        tensor.dim_count = 1;
        tensor.shape[0] = (int64_t)tensor.count;
    }
    return ax_onnx_output_same(call, 0, &tensor, NULL);
}

/* Lengths from an input, as a shape. */
static ax_status
input_shape(struct ax_onnx_call *call, size_t index, struct ax_onnx_shape *out)
{
    const int64_t *items;
    size_t count;
    bool given;
    AX_TRY(ax_onnx_input_i64s(call, index, &items, &count, &given));
    if (count > AX_TENSOR_DIMS_MAX)
        return ax_fail(call->ctx, AX_LIMIT, "%zu dimensions", count);
    *out = (struct ax_onnx_shape){.dim_count = count};
    for (size_t i = 0; i < count; i++)
        out->dims[i] = items[i];
    return AX_OK;
}

/* Every element of an output set to one. */
static void
fill(void *data, const void *element, size_t bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memcpy((char *)data + i * bytes, element, bytes);
}

static ax_status
op_constant_of_shape(struct ax_onnx_call *call)
{
    static const float zero = 0;
    static const struct ax_tensor fallback = {.type = AX_TENSOR_FP32, .count = 1, .data = &zero};
    const struct ax_onnx_attribute *value = ax_onnx_attribute(call->node, "value");
    const struct ax_tensor *element = value ? value->tensor : &fallback;
    struct ax_onnx_shape shape;
    void *data;
    if (element->count != 1)
        return ax_fail(call->ctx, AX_INVALID, "a value of %zu elements", element->count);
    AX_TRY(input_shape(call, 0, &shape));
    AX_TRY(ax_onnx_output(call, 0, element->type, &shape, &data));
    fill(data, element->data, ax_tensor_element_bytes(element->type),
         call->outputs[0].tensor.count);
    return AX_OK;
}

/* ---- copies ---- */

static ax_status
op_transpose(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    struct ax_onnx_ints order = ax_onnx_attribute_ints(call->node, "perm");
    struct ax_onnx_shape shape = {.dim_count = in->dim_count};
    struct strides from = strides_of(in), to = {};
    bool used[AX_TENSOR_DIMS_MAX] = {};
    if (order.items && order.count != in->dim_count)
        return ax_fail(call->ctx, AX_INVALID, "`perm` has %zu numbers for %zu dimensions",
                       order.count, in->dim_count);
    for (size_t d = 0; d < in->dim_count; d++) {
        int64_t axis = order.items ? order.items[d] : (int64_t)(in->dim_count - 1 - d);
        if (axis < 0 || axis >= (int64_t)in->dim_count || used[axis])
            return ax_fail(call->ctx, AX_INVALID, "`perm` is no order of %zu dimensions",
                           in->dim_count);
        used[axis] = true;
        shape.dims[d] = in->shape[axis];
        to.steps[d] = from.steps[axis];
    }
    return output_strided(call, 0, in, &shape, &to);
}

static ax_status
op_expand(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    struct ax_onnx_shape wanted;
    struct ax_onnx_broadcast plan;
    struct strides strides = {};
    AX_TRY(input_shape(call, 1, &wanted));
    struct ax_tensor like = {.type = AX_TENSOR_BOOL, .dim_count = wanted.dim_count};
    memcpy(like.shape, wanted.dims, sizeof like.shape);
    if (!ax_tensor_count(like.type, like.shape, like.dim_count, &like.count))
        return ax_fail(call->ctx, AX_INVALID, "a length of the shape is negative");
    const struct ax_tensor *pair[2] = {in, &like};
    AX_TRY(ax_onnx_broadcast_plan(call, pair, 2, &plan));
    struct strides own = strides_of(in);
    size_t missing = plan.shape.dim_count - in->dim_count;
    for (size_t d = missing; d < plan.shape.dim_count; d++)
        strides.steps[d] = in->shape[d - missing] == 1 ? 0 : own.steps[d - missing];
    return output_strided(call, 0, in, &plan.shape, &strides);
}

static ax_status
op_tile(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    struct ax_onnx_shape repeats, shape = ax_onnx_shape_of(in);
    void *data;
    AX_TRY(input_shape(call, 1, &repeats));
    if (repeats.dim_count != in->dim_count)
        return ax_fail(call->ctx, AX_INVALID, "%zu repeats for %zu dimensions", repeats.dim_count,
                       in->dim_count);
    for (size_t d = 0; d < in->dim_count; d++)
        if (__builtin_mul_overflow(shape.dims[d], repeats.dims[d], &shape.dims[d]))
            return ax_fail(call->ctx, AX_LIMIT, "%lld repeats", (long long)repeats.dims[d]);
    AX_TRY(ax_onnx_output(call, 0, in->type, &shape, &data));
    size_t bytes = ax_tensor_element_bytes(in->type), count = call->outputs[0].tensor.count;
    struct strides own = strides_of(in);
    for (size_t i = 0; i < count; i++) {
        size_t rest = i;
        ptrdiff_t from = 0;
        for (size_t d = in->dim_count; d-- > 0; rest /= (size_t)shape.dims[d])
            from += own.steps[d] * (ptrdiff_t)(rest % (size_t)shape.dims[d] % (size_t)in->shape[d]);
        memcpy((char *)data + i * bytes, (const char *)in->data + from * (ptrdiff_t)bytes, bytes);
    }
    return AX_OK;
}

static ax_status
op_concat(struct ax_onnx_call *call)
{
    const struct ax_tensor *first = ax_onnx_input(call, 0);
    struct ax_onnx_shape shape = ax_onnx_shape_of(first);
    size_t axis, bytes = ax_tensor_element_bytes(first->type);
    void *data;
    AX_TRY(
        ax_onnx_axis(call, ax_onnx_attribute_i64(call->node, "axis", 1), first->dim_count, &axis));
    shape.dims[axis] = 0;
    for (size_t i = 0; i < call->input_count; i++) {
        AX_TRY(ax_onnx_need_type(call, i, first->type));
        const struct ax_tensor *in = ax_onnx_input(call, i);
        bool fits = in->dim_count == first->dim_count;
        for (size_t d = 0; fits && d < first->dim_count; d++)
            fits = d == axis || in->shape[d] == first->shape[d];
        if (!fits)
            return ax_fail(call->ctx, AX_INVALID,
                           "input %zu does not fit the others but on axis %zu", i, axis);
        shape.dims[axis] += in->shape[axis];
    }
    AX_TRY(ax_onnx_output(call, 0, first->type, &shape, &data));
    size_t outer = ax_onnx_shape_product(first, 0, axis), at = 0;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < call->input_count; i++) {
            const struct ax_tensor *in = ax_onnx_input(call, i);
            size_t part = ax_onnx_shape_product(in, axis, in->dim_count) * bytes;
            memcpy((char *)data + at, (const char *)in->data + o * part, part);
            at += part;
        }
    return AX_OK;
}

/* Lengths of the parts: given, or as even as can be. */
static ax_status
part_lengths(struct ax_onnx_call *call, int64_t length, size_t count, int64_t *out)
{
    struct ax_onnx_ints parts;
    bool given;
    int64_t sum = 0, even = (length + (int64_t)count - 1) / (int64_t)count;
    AX_TRY(ax_onnx_input_or_ints(call, 1, "split", &parts, &given));
    if (given && parts.count != count)
        return ax_fail(call->ctx, AX_INVALID, "%zu lengths for %zu parts", parts.count, count);
    for (size_t i = 0; i < count; i++) {
        int64_t left = length - sum;
        out[i] = given ? parts.items[i] : left < even ? left : even;
        if (out[i] < 0 || out[i] > left)
            return ax_fail(call->ctx, AX_INVALID, "part %zu of length %lld, of %lld that are left",
                           i, (long long)out[i], (long long)left);
        sum += out[i];
    }
    return sum == length ? AX_OK
                         : ax_fail(call->ctx, AX_INVALID, "parts of %lld out of %lld",
                                   (long long)sum, (long long)length);
}

static ax_status
op_split(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    size_t axis, count = call->output_count;
    struct strides strides = strides_of(in);
    void *lengths;
    AX_TRY(ax_onnx_axis(call, ax_onnx_attribute_i64(call->node, "axis", 0), in->dim_count, &axis));
    AX_TRY(ax_onnx_memory_take(call, sizeof(int64_t), count, &lengths));
    AX_TRY(part_lengths(call, in->shape[axis], count, lengths));
    for (size_t i = 0; i < count; i++) {
        struct ax_onnx_shape shape = ax_onnx_shape_of(in);
        shape.dims[axis] = ((const int64_t *)lengths)[i];
        AX_TRY(output_strided(call, i, in, &shape, &strides));
        strides.start += strides.steps[axis] * (ptrdiff_t)shape.dims[axis];
    }
    return AX_OK;
}

/* ---- Slice ---- */

static int64_t
clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* A bound of a slice: counted from the end when negative, and no further than the ends. */
static int64_t
bound(int64_t value, int64_t size, int64_t low, int64_t high)
{
    if (value < 0)
        value = value < -size ? low : value + size;
    return clamp(value, low, high);
}

/* Cuts one dimension; range: start, end, step. */
static ax_status
cut(struct ax_onnx_call *call, const int64_t *range, ptrdiff_t element_step, int64_t *length,
    struct strides *strides, size_t axis)
{
    int64_t size = *length, step = range[2];
    bool forwards = step > 0;
    if (step == 0 || step == INT64_MIN)
        return ax_fail(call->ctx, AX_INVALID, "a step of %lld", (long long)step);
    int64_t start = bound(range[0], size, 0, forwards ? size : size - 1);
    int64_t end = bound(range[1], size, forwards ? 0 : -1, size);
    int64_t span = forwards ? end - start : start - end, stride = forwards ? step : -step;
    *length = size == 0 || span <= 0 ? 0 : (span - 1) / stride + 1;
    strides->start += (ptrdiff_t)start * element_step;
    strides->steps[axis] = *length > 1 ? element_step * (ptrdiff_t)step : element_step;
    return AX_OK;
}

static ax_status
op_slice(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    struct ax_onnx_ints starts, ends, axes, steps;
    bool given, axes_given, steps_given, cut_already[AX_TENSOR_DIMS_MAX] = {};
    struct ax_onnx_shape shape = ax_onnx_shape_of(in);
    struct strides own = strides_of(in), strides = own;
    AX_TRY(ax_onnx_input_or_ints(call, 1, "starts", &starts, &given));
    AX_TRY(ax_onnx_input_or_ints(call, 2, "ends", &ends, &given));
    AX_TRY(ax_onnx_input_or_ints(call, 3, "axes", &axes, &axes_given));
    AX_TRY(ax_onnx_input_or_ints(call, 4, "steps", &steps, &steps_given));
    if (ends.count != starts.count || (axes_given && axes.count != starts.count) ||
        (steps_given && steps.count != starts.count))
        return ax_fail(call->ctx, AX_INVALID, "starts, ends, axes and steps differ in number");
    for (size_t i = 0; i < starts.count; i++) {
        size_t axis;
        const int64_t range[3] = {starts.items[i], ends.items[i], steps_given ? steps.items[i] : 1};
        AX_TRY(ax_onnx_axis(call, axes_given ? axes.items[i] : (int64_t)i, in->dim_count, &axis));
        if (cut_already[axis])
            return ax_fail(call->ctx, AX_INVALID, "axis %zu is cut twice", axis);
        cut_already[axis] = true;
        AX_TRY(cut(call, range, own.steps[axis], &shape.dims[axis], &strides, axis));
    }
    return output_strided(call, 0, in, &shape, &strides);
}

/* ---- Pad ---- */

/* Where in the input dimension an index of the padded one reads; -1: in the constant. */
static int64_t
reflected(int64_t at, int64_t length, char mode)
{
    if (at >= 0 && at < length)
        return at;
    if (mode == 'c' || length == 0)
        return -1;
    if (mode == 'e')
        return at < 0 ? 0 : length - 1;
    if (mode == 'w')
        return (at % length + length) % length;
    int64_t period = length > 1 ? 2 * (length - 1) : 1;
    at = (at % period + period) % period;
    return at < length ? at : period - at;
}

struct padding {
    struct ax_onnx_shape shape;
    int64_t before[AX_TENSOR_DIMS_MAX];
    char mode; /* constant, reflect, edge, wrap: the first letter */
};

static ax_status
read_padding(struct ax_onnx_call *call, const struct ax_tensor *in, struct padding *out)
{
    ax_str mode = ax_onnx_attribute_text(call->node, "mode", AX_STR("constant"));
    struct ax_onnx_ints pads, axes;
    bool given, axes_given;
    AX_TRY(ax_onnx_input_or_ints(call, 1, "pads", &pads, &given));
    AX_TRY(ax_onnx_input_or_ints(call, 3, "axes", &axes, &axes_given));
    size_t count = axes_given ? axes.count : in->dim_count;
    if (mode.len == 0 || !strchr("crew", mode.at[0]) || pads.count != 2 * count)
        return ax_fail(call->ctx, AX_INVALID,
                       "%zu paddings for %zu dimensions, or a mode unheard of", pads.count, count);
    *out = (struct padding){.shape = ax_onnx_shape_of(in), .mode = mode.at[0]};
    for (size_t i = 0; i < count; i++) {
        size_t axis;
        AX_TRY(ax_onnx_axis(call, axes_given ? axes.items[i] : (int64_t)i, in->dim_count, &axis));
        out->before[axis] = pads.items[i];
        if (__builtin_add_overflow(out->shape.dims[axis], pads.items[i], &out->shape.dims[axis]) ||
            __builtin_add_overflow(out->shape.dims[axis], pads.items[count + i],
                                   &out->shape.dims[axis]))
            return ax_fail(call->ctx, AX_LIMIT, "a padding of %lld", (long long)pads.items[i]);
    }
    return AX_OK;
}

static ax_status
op_pad(struct ax_onnx_call *call)
{
    static const char zeros[sizeof(ax_str)];
    const struct ax_tensor *in = ax_onnx_input(call, 0), *constant = ax_onnx_input(call, 2);
    size_t bytes = ax_tensor_element_bytes(in->type);
    struct padding padding;
    struct strides own = strides_of(in);
    void *data;
    if (constant && (constant->type != in->type || constant->count != 1))
        return ax_onnx_fail_type(call, 2);
    AX_TRY(read_padding(call, in, &padding));
    AX_TRY(ax_onnx_output(call, 0, in->type, &padding.shape, &data));
    for (size_t i = 0; i < call->outputs[0].tensor.count; i++) {
        size_t rest = i;
        ptrdiff_t from = 0;
        bool outside = false;
        for (size_t d = in->dim_count; d-- > 0; rest /= (size_t)padding.shape.dims[d]) {
            int64_t at = (int64_t)(rest % (size_t)padding.shape.dims[d]) - padding.before[d];
            at = reflected(at, in->shape[d], padding.mode);
            outside |= at < 0;
            from += own.steps[d] * (ptrdiff_t)at;
        }
        memcpy((char *)data + i * bytes,
               !outside   ? (const char *)in->data + from * (ptrdiff_t)bytes
               : constant ? constant->data
                          : zeros,
               bytes);
    }
    return AX_OK;
}

/* clang-format off */
static const struct ax_onnx_operator operators[] = {
    {"Identity", 1, 1, 1, 1, 0, "", op_identity, NULL},
    {"Dropout", 7, 1, 3, 2, 0, "ratio:f seed:i", op_dropout, NULL},
    {"Reshape", 5, 2, 2, 1, 0, "allowzero:i", op_reshape, NULL},
    {"Flatten", 1, 1, 1, 1, 0, "axis:i", op_flatten, NULL},
    {"Squeeze", 1, 1, 2, 1, 0, "axes:I", op_squeeze, NULL},
    {"Unsqueeze", 1, 1, 2, 1, 0, "axes:I", op_unsqueeze, NULL},
    {"Shape", 1, 1, 1, 1, AX_ONNX_KNOWN, "start:i end:i", op_shape, NULL},
    {"Size", 1, 1, 1, 1, AX_ONNX_KNOWN, "", op_size, NULL},
    {"Constant", 1, 0, 0, 1, 0,
     "value:t value_float:f value_floats:F value_int:i value_ints:I value_string:s value_strings:S",
     op_constant, NULL},
    {"ConstantOfShape", 9, 1, 1, 1, 0, "value:t", op_constant_of_shape, NULL},
    {"Transpose", 1, 1, 1, 1, 0, "perm:I", op_transpose, NULL},
    {"Expand", 8, 2, 2, 1, 0, "", op_expand, NULL},
    {"Tile", 6, 2, 2, 1, 0, "", op_tile, NULL},
    {"Concat", 4, 1, INT32_MAX, 1, 0, "axis:i", op_concat, NULL},
    {"Split", 2, 1, 2, INT32_MAX, 0, "axis:i split:I num_outputs:i", op_split, NULL},
    {"Slice", 1, 1, 5, 1, 0, "starts:I ends:I axes:I steps:I", op_slice, NULL},
    {"Pad", 11, 2, 4, 1, 0, "mode:s", op_pad, NULL},
};
/* clang-format on */

const struct ax_onnx_ops ax_onnx_ops_shape = {"", operators, AX_COUNT_OF(operators)};
