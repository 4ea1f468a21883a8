/*
 * Sixteen-bit floats: rounding to binary16 and bfloat16, to the nearest, ties to even.
 *
 * Reading them is numeric/tensor.h's. Overflow gives infinity, as IEEE 754 has it.
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "numeric/tensor.h"

static inline bool
ax_onnx_half_is(enum ax_tensor_type type)
{
    return type == AX_TENSOR_FP16 || type == AX_TENSOR_BF16;
}

static inline uint16_t
ax_onnx_half_of_f32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, rest = bits & 0x7fff'ffff;
    if (rest > 0x7f80'0000) /* NaN stays one */
        return (uint16_t)(sign | 0x7e00);
    if (rest >= 0x477f'f000) /* 65520 and more round to infinity */
        return (uint16_t)(sign | 0x7c00);
    if (rest < 0x3880'0000) { /* below 2^-14: whole multiples of 2^-24; the addition rounds */
        float magnitude;
        memcpy(&magnitude, &rest, sizeof magnitude);
        magnitude += 0.5f;
        memcpy(&rest, &magnitude, sizeof rest);
        return (uint16_t)(sign | (rest - 0x3f00'0000));
    }
    uint32_t odd = rest >> 13 & 1;
    return (uint16_t)(sign | (rest - 0x3800'0000 + 0xfff + odd) >> 13);
}

static inline uint16_t
ax_onnx_half_bfloat_of_f32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fff'ffff) > 0x7f80'0000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline uint16_t
ax_onnx_half_of(enum ax_tensor_type type, float value)
{
    return type == AX_TENSOR_FP16 ? ax_onnx_half_of_f32(value) : ax_onnx_half_bfloat_of_f32(value);
}
