#include "numeric/tensor.h"

#include "base/assert.h"
#include "base/number.h"
#include "base/writer.h"

static const struct {
    ax_str name;
    size_t element_bytes;
} types[] = {
#define X(word, bytes) [AX_TENSOR_##word] = {{#word, sizeof #word - 1}, (bytes)},
    AX_TENSOR_TYPE_MAP(X)
#undef X
};

const char *
ax_tensor_type_name(enum ax_tensor_type type)
{
    AX_ASSERT(type < AX_TENSOR_TYPE_COUNT);
    return types[type].name.at;
}

bool
ax_tensor_type_find(ax_str name, enum ax_tensor_type *out_type)
{
    for (size_t i = 0; i < AX_COUNT_OF(types); i++)
        if (ax_str_eq(types[i].name, name)) {
            *out_type = (enum ax_tensor_type)i;
            return true;
        }
    return false;
}

size_t
ax_tensor_element_bytes(enum ax_tensor_type type)
{
    AX_ASSERT(type < AX_TENSOR_TYPE_COUNT);
    return types[type].element_bytes;
}

bool
ax_tensor_count(enum ax_tensor_type type, const int64_t *shape, size_t dim_count, size_t *out_count)
{
    size_t count = 1, bytes;
    bool overflow = false, empty = false;
    for (size_t i = 0; i < dim_count; i++) {
        if (shape[i] < 0)
            return false;
        empty |= shape[i] == 0;
        overflow |= !ax_mul(count, (size_t)shape[i], &count);
    }
    if (empty)
        count = 0;
    else if (overflow || !ax_mul(count, ax_tensor_element_bytes(type), &bytes) ||
             bytes > PTRDIFF_MAX)
        return false;
    *out_count = count;
    return true;
}

/* IEEE 754 binary16: 5 bits of exponent, 10 of fraction; every value is a float exactly. */
static float
half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, bits;
    uint32_t exponent = half >> 10 & 31, fraction = half & 0x3ff;
    float value;
    if (exponent == 31) {
        bits = sign | 0x7f80'0000 | fraction << 13;
    } else if (exponent == 0) { /* denormal: fraction * 2^-24 */
        value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    } else {
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float
bfloat_to_float(uint16_t bfloat)
{
    uint32_t bits = (uint32_t)bfloat << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double
ax_tensor_f64(const struct ax_tensor *tensor, size_t index)
{
    AX_ASSERT(tensor->data);
    AX_ASSERT(index < tensor->count);
    switch (tensor->type) {
    case AX_TENSOR_BOOL:
        return ((const uint8_t *)tensor->data)[index] != 0;
    case AX_TENSOR_UINT8:
        return ((const uint8_t *)tensor->data)[index];
    case AX_TENSOR_UINT16:
        return ((const uint16_t *)tensor->data)[index];
    case AX_TENSOR_UINT32:
        return ((const uint32_t *)tensor->data)[index];
    case AX_TENSOR_UINT64:
        return (double)((const uint64_t *)tensor->data)[index];
    case AX_TENSOR_INT8:
        return ((const int8_t *)tensor->data)[index];
    case AX_TENSOR_INT16:
        return ((const int16_t *)tensor->data)[index];
    case AX_TENSOR_INT32:
        return ((const int32_t *)tensor->data)[index];
    case AX_TENSOR_INT64:
        return (double)((const int64_t *)tensor->data)[index];
    case AX_TENSOR_FP16:
        return (double)half_to_float(((const uint16_t *)tensor->data)[index]);
    case AX_TENSOR_BF16:
        return (double)bfloat_to_float(((const uint16_t *)tensor->data)[index]);
    case AX_TENSOR_FP32:
        return (double)((const float *)tensor->data)[index];
    case AX_TENSOR_FP64:
        return ((const double *)tensor->data)[index];
    case AX_TENSOR_BYTES:
    case AX_TENSOR_TYPE_COUNT:
        break;
    }
    AX_ASSERT(tensor->type < AX_TENSOR_BYTES); /* text has no number */
    return 0;
}

/* Integers of 64 bits go to float in one rounding; through a double they would take two. */
float
ax_tensor_f32(const struct ax_tensor *tensor, size_t index)
{
    AX_ASSERT(tensor->data);
    AX_ASSERT(index < tensor->count);
    if (tensor->type == AX_TENSOR_FP32)
        return ((const float *)tensor->data)[index];
    if (tensor->type == AX_TENSOR_INT64)
        return (float)((const int64_t *)tensor->data)[index];
    if (tensor->type == AX_TENSOR_UINT64)
        return (float)((const uint64_t *)tensor->data)[index];
    return (float)ax_tensor_f64(tensor, index);
}

ax_str
ax_tensor_shape_text(struct ax_arena *arena, const int64_t *shape, size_t dim_count)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 10);
    ax_str text = {};
    ax_writer_char(&out, '[');
    for (size_t i = 0; i < dim_count && i < AX_TENSOR_DIMS_MAX; i++)
        ax_writer_print(&out, i ? ",%lld" : "%lld", (long long)shape[i]);
    ax_writer_char(&out, ']');
    return ax_writer_take(&out, arena, &text) == AX_OK ? text : (ax_str){};
}
