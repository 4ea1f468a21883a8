#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "engine/onnx_half.h"
#include "engine/onnx_lines.h"

/*
 * Operators that choose elements by number or by rank: Gather*, Scatter, TopK, OneHot, Range,
 * Trilu.
 */

/* The elements of an index tensor as int64. */
static ax_status
indices_of(struct ax_onnx_call *call, size_t index, const int64_t **out)
{
    const struct ax_tensor *tensor = ax_onnx_input(call, index);
    if (tensor->type == AX_TENSOR_INT64) {
        *out = tensor->data;
        return AX_OK;
    }
    void *wide;
    if (tensor->type != AX_TENSOR_INT32)
        return ax_onnx_fail_type(call, index);
    AX_TRY(ax_onnx_memory_take(call, sizeof(int64_t), tensor->count, &wide));
    for (size_t i = 0; i < tensor->count; i++)
        ((int64_t *)wide)[i] = ((const int32_t *)tensor->data)[i];
    *out = wide;
    return AX_OK;
}

/* An index counted from the end when negative. */
static ax_status
wrap_index(struct ax_onnx_call *call, int64_t index, int64_t length, size_t *out)
{
    int64_t at = index < 0 ? index + length : index;
    if (at < 0 || at >= length)
        return ax_fail(call->ctx, AX_INVALID, "index %lld of %lld", (long long)index,
                       (long long)length);
    *out = (size_t)at;
    return AX_OK;
}

static ax_status
op_gather(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0), *which = ax_onnx_input(call, 1);
    const int64_t *indices;
    struct ax_onnx_shape shape = {};
    size_t axis, bytes = ax_tensor_element_bytes(in->type), at;
    void *data;
    AX_TRY(ax_onnx_axis(call, ax_onnx_attribute_i64(call->node, "axis", 0), in->dim_count, &axis));
    AX_TRY(indices_of(call, 1, &indices));
    if (in->dim_count - 1 + which->dim_count > AX_TENSOR_DIMS_MAX)
        return ax_fail(call->ctx, AX_LIMIT, "too many dimensions");
    for (size_t d = 0; d < axis; d++)
        shape.dims[shape.dim_count++] = in->shape[d];
    for (size_t d = 0; d < which->dim_count; d++)
        shape.dims[shape.dim_count++] = which->shape[d];
    for (size_t d = axis + 1; d < in->dim_count; d++)
        shape.dims[shape.dim_count++] = in->shape[d];
    AX_TRY(ax_onnx_output(call, 0, in->type, &shape, &data));
    struct ax_onnx_lines lines = ax_onnx_lines_of(in, axis);
    size_t part = lines.inner * bytes;
    char *out = data;
    for (size_t o = 0; o < lines.outer; o++)
        for (size_t i = 0; i < which->count; i++, out += part) {
            AX_TRY(wrap_index(call, indices[i], in->shape[axis], &at));
            memcpy(out, (const char *)in->data + (o * lines.length + at) * part, part);
        }
    return AX_OK;
}

/* Elements of `in` named by those of `which` on an axis; both have one rank. */
struct naming {
    const struct ax_tensor *in, *which;
    const int64_t *indices; /* which's */
    size_t axis;
};

static ax_status
plan_naming(struct ax_onnx_call *call, struct naming *out)
{
    *out = (struct naming){.in = ax_onnx_input(call, 0), .which = ax_onnx_input(call, 1)};
    AX_TRY(ax_onnx_axis(call, ax_onnx_attribute_i64(call->node, "axis", 0), out->in->dim_count,
                        &out->axis));
    AX_TRY(indices_of(call, 1, &out->indices));
    bool fits = out->which->dim_count == out->in->dim_count;
    for (size_t d = 0; fits && d < out->in->dim_count; d++)
        fits = d == out->axis || out->which->shape[d] <= out->in->shape[d];
    return fits ? AX_OK : ax_fail(call->ctx, AX_INVALID, "data and indices do not go together");
}

/* The place in `in` that element `element` of `which` names. */
static ax_status
place_named(struct ax_onnx_call *call, const struct naming *naming, size_t element, size_t *out)
{
    const struct ax_tensor *in = naming->in, *which = naming->which;
    size_t at = 0, step = 1;
    for (size_t d = in->dim_count, rest = element; d-- > 0; rest /= (size_t)which->shape[d]) {
        size_t place = rest % (size_t)which->shape[d];
        if (d == naming->axis)
            AX_TRY(wrap_index(call, naming->indices[element], in->shape[d], &place));
        at += place * step;
        step *= (size_t)in->shape[d];
    }
    *out = at;
    return AX_OK;
}

static ax_status
op_gather_elements(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    size_t bytes = ax_tensor_element_bytes(in->type), from;
    struct naming naming;
    void *data;
    AX_TRY(plan_naming(call, &naming));
    AX_TRY(ax_onnx_output_like(call, 0, in->type, naming.which, &data));
    for (size_t i = 0; i < naming.which->count; i++) {
        AX_TRY(place_named(call, &naming, i, &from));
        memcpy((char *)data + i * bytes, (const char *)in->data + from * bytes, bytes);
    }
    return AX_OK;
}

/* What a scattered element does to the one that is there. */
static double
combine(ax_str how, double old, double given)
{
    if (ax_str_eq(how, AX_STR("add")))
        return old + given;
    if (ax_str_eq(how, AX_STR("mul")))
        return old * given;
    if (ax_str_eq(how, AX_STR("max")))
        return old > given ? old : given;
    return old < given ? old : given;
}

static ax_status
op_scatter_elements(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0), *updates = ax_onnx_input(call, 2);
    ax_str how = ax_onnx_attribute_text(call->node, "reduction", AX_STR("none"));
    bool replace = ax_str_eq(how, AX_STR("none"));
    size_t bytes = ax_tensor_element_bytes(in->type), to;
    struct naming naming;
    void *data;
    AX_TRY(plan_naming(call, &naming));
    AX_TRY(ax_onnx_need_type(call, 2, in->type));
    if (updates->count != naming.which->count)
        return ax_fail(call->ctx, AX_INVALID, "%zu updates for %zu indices", updates->count,
                       naming.which->count);
    if (!replace && in->type != AX_TENSOR_FP32 && in->type != AX_TENSOR_FP64)
        return ax_fail(call->ctx, AX_UNSUPPORTED, "a reduction of %s",
                       ax_tensor_type_name(in->type));
    AX_TRY(ax_onnx_output_like(call, 0, in->type, in, &data));
    memcpy(data, in->data, in->count * bytes);
    for (size_t i = 0; i < updates->count; i++) {
        AX_TRY(place_named(call, &naming, i, &to));
        if (replace)
            memcpy((char *)data + to * bytes, (const char *)updates->data + i * bytes, bytes);
        else if (in->type == AX_TENSOR_FP32)
            ((float *)data)[to] =
                (float)combine(how, (double)((float *)data)[to], ax_tensor_f64(updates, i));
        else
            ((double *)data)[to] = combine(how, ((double *)data)[to], ax_tensor_f64(updates, i));
    }
    return AX_OK;
}

/* Whether the last dimension of the indices can be places in what follows the batches. */
static ax_status
check_gather_nd(struct ax_onnx_call *call, const struct ax_tensor *in,
                const struct ax_tensor *which, size_t batch)
{
    if (which->dim_count == 0 || batch >= which->dim_count || batch >= in->dim_count ||
        which->shape[which->dim_count - 1] < 0 ||
        (size_t)which->shape[which->dim_count - 1] > in->dim_count - batch)
        return ax_fail(call->ctx, AX_INVALID, "indices that do not fit %zu dimensions",
                       in->dim_count);
    size_t deep = (size_t)which->shape[which->dim_count - 1];
    for (size_t d = 0; d < batch; d++)
        if (in->shape[d] != which->shape[d])
            return ax_fail(call->ctx, AX_INVALID, "batches of %lld and %lld",
                           (long long)in->shape[d], (long long)which->shape[d]);
    if (which->dim_count - 1 + in->dim_count - batch - deep > AX_TENSOR_DIMS_MAX)
        return ax_fail(call->ctx, AX_LIMIT, "too many dimensions");
    return AX_OK;
}

static ax_status
op_gather_nd(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0), *which = ax_onnx_input(call, 1);
    size_t batch = (size_t)ax_onnx_attribute_i64(call->node, "batch_dims", 0);
    const int64_t *indices = NULL;
    struct ax_onnx_shape shape = {};
    void *data;
    AX_TRY(indices_of(call, 1, &indices));
    AX_TRY(check_gather_nd(call, in, which, batch));
    size_t deep = (size_t)which->shape[which->dim_count - 1];
    for (size_t d = 0; d + 1 < which->dim_count; d++)
        shape.dims[shape.dim_count++] = which->shape[d];
    for (size_t d = batch + deep; d < in->dim_count; d++)
        shape.dims[shape.dim_count++] = in->shape[d];
    AX_TRY(ax_onnx_output(call, 0, in->type, &shape, &data));
    size_t tuples = ax_onnx_shape_product(which, 0, which->dim_count - 1);
    size_t in_batch = tuples / (ax_onnx_shape_product(which, 0, batch) ?: 1);
    size_t part =
        ax_onnx_shape_product(in, batch + deep, in->dim_count) * ax_tensor_element_bytes(in->type);
    AX_ASSERT(indices || tuples == 0 || deep == 0);
    for (size_t t = 0; t < tuples; t++) {
        size_t at = t / in_batch, place;
        for (size_t d = 0; d < deep; d++) {
            AX_TRY(wrap_index(call, indices[t * deep + d], in->shape[batch + d], &place));
            at = at * (size_t)in->shape[batch + d] + place;
        }
        memcpy((char *)data + t * part, (const char *)in->data + at * part, part);
    }
    return AX_OK;
}

/* ---- OneHot, Range, Trilu ---- */

/* The length of the new dimension. */
static ax_status
one_hot_depth(struct ax_onnx_call *call, double *out)
{
    const struct ax_tensor *given = ax_onnx_input(call, 1);
    if (call->run->trial && !call->inputs[1]->known)
        return ax_onnx_unknown(call);
    if (given->type == AX_TENSOR_BYTES || given->count != 1)
        return ax_onnx_fail_type(call, 1);
    *out = ax_tensor_f64(given, 0);
    if (!(*out >= 0 && *out < 0x1p31))
        return ax_fail(call->ctx, AX_INVALID, "a depth of %g", *out);
    return AX_OK;
}

static ax_status
op_one_hot(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0), *values = ax_onnx_input(call, 2);
    struct ax_onnx_shape shape = {.dim_count = in->dim_count + 1};
    size_t axis, bytes = ax_tensor_element_bytes(values->type);
    double depth = 0;
    void *data;
    AX_TRY(one_hot_depth(call, &depth));
    if (in->type == AX_TENSOR_BYTES || values->count != 2 || shape.dim_count > AX_TENSOR_DIMS_MAX)
        return ax_onnx_fail_type(call, 0);
    AX_TRY(
        ax_onnx_axis(call, ax_onnx_attribute_i64(call->node, "axis", -1), shape.dim_count, &axis));
    for (size_t d = 0; d < shape.dim_count; d++)
        shape.dims[d] = d == axis ? (int64_t)depth : in->shape[d < axis ? d : d - 1];
    AX_TRY(ax_onnx_output(call, 0, values->type, &shape, &data));
    struct ax_onnx_lines lines = ax_onnx_lines_of(&call->outputs[0].tensor, axis);
    for (size_t i = 0; i < call->outputs[0].tensor.count; i++)
        memcpy((char *)data + i * bytes, values->data, bytes); /* the off value */
    for (size_t i = 0; i < in->count; i++) {
        double hot = trunc(ax_tensor_f64(in, i));
        hot = hot < 0 ? hot + depth : hot;
        if (!(hot >= 0 && hot < depth))
            continue;
        size_t at = ax_onnx_lines_start(&lines, i) + (size_t)hot * lines.inner;
        memcpy((char *)data + at * bytes, (const char *)values->data + bytes, bytes);
    }
    return AX_OK;
}

static ax_status
op_range(struct ax_onnx_call *call)
{
    const struct ax_tensor *start = ax_onnx_input(call, 0);
    struct ax_onnx_shape shape = {.dim_count = 1};
    double at[3];
    void *data;
    for (size_t i = 0; i < 3; i++) {
        const struct ax_tensor *in = ax_onnx_input(call, i);
        if (in->type != start->type || in->type == AX_TENSOR_BYTES || in->count != 1)
            return ax_onnx_fail_type(call, i);
        if (call->run->trial && !call->inputs[i]->known)
            return ax_onnx_unknown(call);
        at[i] = ax_tensor_f64(in, 0);
    }
    double count = ceil((at[1] - at[0]) / at[2]);
    if (at[2] == 0 || !(count < 0x1p31))
        return ax_fail(call->ctx, AX_INVALID, "a range from %g to %g by %g", at[0], at[1], at[2]);
    shape.dims[0] = count > 0 ? (int64_t)count : 0;
    AX_TRY(ax_onnx_output(call, 0, AX_TENSOR_FP64, &shape, &data));
    for (int64_t i = 0; i < shape.dims[0]; i++)
        ((double *)data)[i] = at[0] + (double)i * at[2];
    struct ax_tensor wide = call->outputs[0].tensor;
    return ax_onnx_convert(call, 0, &wide, start->type);
}

static ax_status
op_trilu(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    bool upper = ax_onnx_attribute_i64(call->node, "upper", 1) != 0, given;
    size_t bytes = ax_tensor_element_bytes(in->type), count;
    const int64_t *diagonal;
    void *data;
    AX_TRY(ax_onnx_input_i64s(call, 1, &diagonal, &count, &given));
    if (in->dim_count < 2 || (given && count != 1))
        return ax_fail(call->ctx, AX_INVALID, "%zu dimensions, %zu diagonals", in->dim_count,
                       count);
    int64_t k = given ? diagonal[0] : 0;
    AX_TRY(ax_onnx_output_like(call, 0, in->type, in, &data));
    size_t columns = (size_t)in->shape[in->dim_count - 1];
    size_t rows = (size_t)in->shape[in->dim_count - 2];
    for (size_t i = 0; i < in->count; i++) {
        int64_t row = (int64_t)(i / columns % rows), column = (int64_t)(i % columns);
        bool kept = upper ? column - k >= row : column - k <= row;
        if (kept)
            memcpy((char *)data + i * bytes, (const char *)in->data + i * bytes, bytes);
        else
            memset((char *)data + i * bytes, 0, bytes);
    }
    return AX_OK;
}

/* ---- TopK ---- */

struct ranked {
    double value;
    int64_t index;
};

/* Equal ones in the order in which they stand; NaN behind every number. */
static int
by_rank(const struct ranked *x, const struct ranked *y, bool largest)
{
    if (isnan(x->value) != isnan(y->value))
        return isnan(x->value) ? 1 : -1;
    int order = largest ? (x->value < y->value) - (x->value > y->value)
                        : (x->value > y->value) - (x->value < y->value);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static int
smallest_first(const void *a, const void *b)
{
    return by_rank(a, b, false);
}

static int
largest_first(const void *a, const void *b)
{
    return by_rank(a, b, true);
}

static ax_status
top_count(struct ax_onnx_call *call, int64_t length, int64_t *out)
{
    struct ax_onnx_ints k;
    bool given;
    *out = ax_onnx_attribute_i64(call->node, "k", 0);
    AX_TRY(ax_onnx_input_or_ints(call, 1, "", &k, &given));
    if (given && k.count == 1)
        *out = k.items[0];
    if (*out < 0 || *out > length)
        return ax_fail(call->ctx, AX_INVALID, "the top %lld of %lld", (long long)*out,
                       (long long)length);
    return AX_OK;
}

static ax_status
op_top_k(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    bool largest = ax_onnx_attribute_i64(call->node, "largest", 1) != 0;
    size_t axis, bytes = ax_tensor_element_bytes(in->type);
    void *room, *values, *indices;
    if (in->type == AX_TENSOR_BYTES)
        return ax_onnx_fail_type(call, 0);
    AX_TRY(ax_onnx_axis(call, ax_onnx_attribute_i64(call->node, "axis", -1), in->dim_count, &axis));
    struct ax_onnx_lines lines = ax_onnx_lines_of(in, axis);
    struct ax_onnx_shape shape = ax_onnx_shape_of(in);
    AX_TRY(top_count(call, in->shape[axis], &shape.dims[axis]));
    size_t kept = (size_t)shape.dims[axis];
    AX_TRY(ax_onnx_memory_take(call, sizeof(struct ranked), lines.length, &room));
    AX_TRY(ax_onnx_output(call, 0, in->type, &shape, &values));
    AX_TRY(ax_onnx_output(call, 1, AX_TENSOR_INT64, &shape, &indices));
    struct ranked *ranked = room;
    for (size_t l = 0; l < lines.outer * lines.inner; l++) {
        size_t start = ax_onnx_lines_start(&lines, l);
        size_t to = l / lines.inner * kept * lines.inner + l % lines.inner;
        for (size_t i = 0; i < lines.length; i++)
            ranked[i] = (struct ranked){ax_tensor_f64(in, start + i * lines.inner), (int64_t)i};
        qsort(ranked, lines.length, sizeof *ranked, largest ? largest_first : smallest_first);
        for (size_t i = 0; i < kept; i++, to += lines.inner) {
            size_t from = start + (size_t)ranked[i].index * lines.inner;
            memcpy((char *)values + to * bytes, (const char *)in->data + from * bytes, bytes);
            ((int64_t *)indices)[to] = ranked[i].index;
        }
    }
    return AX_OK;
}

/* clang-format off */
static const struct ax_onnx_operator operators[] = {
    {"Gather", 1, 2, 2, 1, 0, "axis:i", op_gather, NULL},
    {"GatherElements", 11, 2, 2, 1, 0, "axis:i", op_gather_elements, NULL},
    {"GatherND", 11, 2, 2, 1, 0, "batch_dims:i", op_gather_nd, NULL},
    {"ScatterElements", 11, 3, 3, 1, AX_ONNX_WIDEN, "axis:i reduction:s", op_scatter_elements,
     NULL},
    {"OneHot", 9, 3, 3, 1, 0, "axis:i", op_one_hot, NULL},
    {"Range", 11, 3, 3, 1, 0, "", op_range, NULL},
    {"Trilu", 14, 1, 2, 1, 0, "upper:i", op_trilu, NULL},
    {"TopK", 1, 1, 2, 2, 0, "axis:i k:i largest:i sorted:i", op_top_k, NULL},
};
/* clang-format on */

const struct ax_onnx_ops ax_onnx_ops_index = {"", operators, AX_COUNT_OF(operators)};
