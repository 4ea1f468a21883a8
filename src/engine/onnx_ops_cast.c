#include <math.h>

#include "base/number.h"
#include "engine/onnx_half.h"
#include "engine/onnx_ops.h"

/*
 * Cast and CastLike: from each type to each.
 *
 * Floats are cut to whole numbers towards zero; what does not fit an integer gives its lowest
 * value, as x86's conversion does, and NaN gives that too. Text is read by base/number.h and
 * written in the shortest form that reads back.
 */

/* The lowest and highest whole numbers of an integer type, as doubles that bound it. */
struct bounds {
    double low, above; /* low <= x < above fits */
    int64_t misfit;
};

static struct bounds
bounds_of(enum ax_tensor_type type)
{
    switch ((int)type) {
    case AX_TENSOR_INT64:
        return (struct bounds){-0x1p63, 0x1p63, INT64_MIN};
    case AX_TENSOR_UINT64:
        return (struct bounds){-1, 0x1p64, 0};
    case AX_TENSOR_INT32:
        return (struct bounds){-0x1p31 - 1, 0x1p31, INT32_MIN};
    default: /* narrower ones wrap, out of 64 bits */
        return (struct bounds){-0x1p63, 0x1p63, 0};
    }
}

static void
store_whole(enum ax_tensor_type type, void *out, size_t index, uint64_t value)
{
    size_t bytes = ax_tensor_element_bytes(type);
    memcpy((char *)out + index * bytes, &value, bytes); /* little-endian: the low bytes */
}

static void
float_to_whole(const struct ax_tensor *from, enum ax_tensor_type type, void *out)
{
    struct bounds bounds = bounds_of(type);
    for (size_t i = 0; i < from->count; i++) {
        double x = trunc(ax_tensor_f64(from, i));
        bool fits = x >= bounds.low && x < bounds.above;
        uint64_t value = (uint64_t)bounds.misfit;
        if (fits)
            value = x < 0 ? (uint64_t)(int64_t)x : x < 0x1p63 ? (uint64_t)(int64_t)x : (uint64_t)x;
        store_whole(type, out, i, value);
    }
}

static bool
is_float(enum ax_tensor_type type)
{
    return type == AX_TENSOR_FP32 || type == AX_TENSOR_FP64 || ax_onnx_half_is(type);
}

static int64_t
whole_at(const struct ax_tensor *from, size_t index)
{
    if (from->type == AX_TENSOR_INT64 || from->type == AX_TENSOR_UINT64)
        return ((const int64_t *)from->data)[index]; /* the same bits */
    return (int64_t)ax_tensor_f64(from, index);
}

static void
to_number(const struct ax_tensor *from, enum ax_tensor_type type, void *out)
{
    for (size_t i = 0; i < from->count; i++)
        if (type == AX_TENSOR_FP32)
            ((float *)out)[i] = ax_tensor_f32(from, i);
        else if (type == AX_TENSOR_FP64)
            ((double *)out)[i] = ax_tensor_f64(from, i);
        else if (ax_onnx_half_is(type))
            ((uint16_t *)out)[i] = ax_onnx_half_of(type, ax_tensor_f32(from, i));
        else if (type == AX_TENSOR_BOOL)
            ((uint8_t *)out)[i] = ax_tensor_f64(from, i) != 0;
        else if (!is_float(from->type))
            store_whole(type, out, i, (uint64_t)whole_at(from, i));
}

static ax_status
from_text(struct ax_onnx_call *call, const struct ax_tensor *from, enum ax_tensor_type type,
          void *out)
{
    for (size_t i = 0; i < from->count; i++) {
        ax_str text = ax_str_trim(((const ax_str *)from->data)[i]);
        double wide = 0;
        float narrow = 0;
        int64_t whole = 0;
        bool parsed = type == AX_TENSOR_FP64 ? ax_parse_f64(text, &wide)
                      : is_float(type)       ? ax_parse_f32(text, &narrow)
                                             : ax_parse_i64(text, &whole);
        if (!parsed && !call->run->trial)
            return ax_fail(call->ctx, AX_INVALID, "element %zu, \"%.*s\", is no number", i,
                           text.len > 40 ? 40 : (int)text.len, text.at);
        if (type == AX_TENSOR_FP64)
            ((double *)out)[i] = wide;
        else if (type == AX_TENSOR_FP32)
            ((float *)out)[i] = narrow;
        else if (is_float(type))
            ((uint16_t *)out)[i] = ax_onnx_half_of(type, narrow);
        else
            store_whole(type, out, i, type == AX_TENSOR_BOOL ? whole != 0 : (uint64_t)whole);
    }
    return AX_OK;
}

static ax_status
to_text(struct ax_onnx_call *call, const struct ax_tensor *from, ax_str *out)
{
    void *room;
    AX_TRY(ax_onnx_memory_take(call, AX_NUMBER_BYTES_MAX, from->count, &room));
    char *at = room;
    for (size_t i = 0; i < from->count; i++, at += AX_NUMBER_BYTES_MAX) {
        size_t len;
        if (from->type == AX_TENSOR_FP64)
            len = ax_format_f64(ax_tensor_f64(from, i), at);
        else if (is_float(from->type))
            len = ax_format_f32(ax_tensor_f32(from, i), at);
        else if (from->type == AX_TENSOR_UINT64)
            len = ax_format_u64((uint64_t)whole_at(from, i), at);
        else
            len = ax_format_i64(whole_at(from, i), at);
        out[i] = (ax_str){at, len};
    }
    return AX_OK;
}

ax_status
ax_onnx_convert(struct ax_onnx_call *call, size_t index, const struct ax_tensor *tensor,
                enum ax_tensor_type type)
{
    void *data;
    if (tensor->type == type)
        return ax_onnx_output_same(call, index, tensor, NULL);
    AX_TRY(ax_onnx_output_like(call, index, type, tensor, &data));
    if (tensor->type == AX_TENSOR_BYTES)
        return from_text(call, tensor, type, data);
    if (type == AX_TENSOR_BYTES)
        return to_text(call, tensor, data);
    if (is_float(tensor->type) && !is_float(type) && type != AX_TENSOR_BOOL)
        float_to_whole(tensor, type, data);
    else
        to_number(tensor, type, data);
    return AX_OK;
}

static ax_status
op_cast(struct ax_onnx_call *call)
{
    int64_t to = ax_onnx_attribute_i64(call->node, "to", 0);
    enum ax_tensor_type type;
    if (!ax_onnx_file_type(to, &type))
        return ax_fail(call->ctx, AX_UNSUPPORTED, "`to` is ONNX's type %lld", (long long)to);
    return ax_onnx_convert(call, 0, ax_onnx_input(call, 0), type);
}

static ax_status
op_cast_like(struct ax_onnx_call *call)
{
    return ax_onnx_convert(call, 0, ax_onnx_input(call, 0), ax_onnx_input(call, 1)->type);
}

/* clang-format off */
static const struct ax_onnx_operator operators[] = {
    {"Cast", 6, 1, 1, 1, 0, "to:i saturate:i round_mode:s", op_cast, NULL},
    {"CastLike", 15, 2, 2, 1, 0, "saturate:i round_mode:s", op_cast_like, NULL},
};
/* clang-format on */

const struct ax_onnx_ops ax_onnx_ops_cast = {"", operators, AX_COUNT_OF(operators)};
