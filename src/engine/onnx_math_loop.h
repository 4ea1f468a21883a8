/*
 * e^x and what is made of it, a register of float64 at a time. Included by one onnx_level_x.c a
 * level; the arithmetic is shap_lanes.h's: nothing is fused, no lane knows where it lies.
 *
 * e^x - 1: x = n ln 2 + r with |r| <= ln 2 / 2; q(r) = e^r - 1 is Taylor's polynomial of degree 13
 * (what is left out is below 1e-17), and e^x - 1 = 2^n q + (2^n - 1), which is exact near 0.
 * erf: a polynomial of x^2 below 1, and 1 - e^-p(x) up to 4; both fitted at Chebyshev's points to
 * 1e-12 and 1.3e-9 of the value. Beyond 4 a float's erf is 1.
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "engine/onnx_level.h"
#include "engine/shap_lanes.h"

enum { AX_MATH_LANES = AX_LANE_BYTES / sizeof(double) };

typedef ax_lane_part ax_math;
typedef float ax_math_narrow __attribute__((vector_size(AX_LANE_BYTES / 2)));

AX_LANES_INLINE ax_math
ax_math_of(double value)
{
    return value - (ax_math){};
}

/* Where the mask is set x, elsewhere y. */
AX_LANES_INLINE ax_math
ax_math_choose(ax_lane_mask mask, ax_math x, ax_math y)
{
    return (ax_math)((mask & (ax_lane_mask)x) | (~mask & (ax_lane_mask)y));
}

/* NaN stays. */
AX_LANES_INLINE ax_math
ax_math_clamp(ax_math x, double low, double high)
{
    x = ax_math_choose((ax_lane_mask)(x < ax_math_of(low)), ax_math_of(low), x);
    return ax_math_choose((ax_lane_mask)(x > ax_math_of(high)), ax_math_of(high), x);
}

AX_LANES_INLINE ax_math
ax_math_polynomial(ax_math x, const double *coefficients, int count)
{
    ax_math sum = ax_math_of(coefficients[count - 1]);
    for (int i = count - 2; i >= 0; i--)
        sum = sum * x + coefficients[i];
    return sum;
}

/* 2^n and q of e^x = 2^n (1 + q); |x| < 700. */
AX_LANES_INLINE void
ax_math_split(ax_math x, ax_math *out_scale, ax_math *out_q)
{
    static const double log2_e = 0x1.71547652b82fep+0, round_by = 0x1.8p52;
    static const double ln2_high = 0x1.62e42fee00000p-1, ln2_low = 0x1.a39ef35793c76p-33;
    static const double factors[] = {1.0 / 2,        1.0 / 6,         1.0 / 24,
                                     1.0 / 120,      1.0 / 720,       1.0 / 5040,
                                     1.0 / 40320,    1.0 / 362880,    1.0 / 3628800,
                                     1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};
    ax_math shifted = x * log2_e + round_by; /* its last bits are the nearest whole number */
    ax_math n = shifted - round_by;
    ax_math r = (x - n * ln2_high) - n * ln2_low;
    *out_q = r + r * r * ax_math_polynomial(r, factors, 12);
    *out_scale = (ax_math)(((ax_lane_mask)shifted + 1023) << 52);
}

AX_LANES_INLINE ax_math
ax_math_exp(ax_math x)
{
    ax_math scale, q;
    ax_math_split(x, &scale, &q);
    return scale + scale * q;
}

AX_LANES_INLINE ax_math
ax_math_sigmoid(ax_math x)
{
    return 1 / (1 + ax_math_exp(ax_math_clamp(-x, -690, 690)));
}

/* With E = e^2x - 1: E / (E + 2). */
AX_LANES_INLINE ax_math
ax_math_tanh(ax_math x)
{
    ax_math scale, q;
    ax_math_split(2 * ax_math_clamp(x, -20, 20), &scale, &q);
    ax_math less_one = scale * q + (scale - 1);
    return less_one / (less_one + 2);
}

AX_LANES_INLINE ax_math
ax_math_erf(ax_math x)
{
    static const double near[] = {
        1.1283791670946954,     -0.37612638889869016,    0.11283791313496191,
        -0.02686613362534015,   0.005223785006766655,    -0.0008542670565477636,
        0.00011956946845684491, -1.3911701558432548e-05, 1.0595277525045712e-06};
    static const double far[] = {-0.0004005004885661023,  1.130604469338096,
                                 0.6310888681221882,      0.11090741691620434,
                                 -0.026999497042270088,   0.005021044728415026,
                                 -0.0006733375420408937,  6.0068794602001074e-05,
                                 -3.0952045319911806e-06, 6.582857451083178e-08};
    ax_math size = ax_math_choose((ax_lane_mask)(x < 0), -x, x);
    ax_math small = x * ax_math_polynomial(x * x, near, 9);
    ax_math bounded = ax_math_clamp(size, 0, 4);
    ax_math large = 1 - ax_math_exp(-ax_math_polynomial(bounded, far, 10));
    large = ax_math_choose((ax_lane_mask)(size > 4), ax_math_of(1), large);
    large = ax_math_choose((ax_lane_mask)(x < 0), -large, large);
    return ax_math_choose((ax_lane_mask)(size < 1), small, large);
}

AX_LANES_INLINE ax_math
ax_math_one(enum ax_onnx_function function, ax_math x)
{
    static const double sqrt_half = 0x1.6a09e667f3bcdp-1, sqrt_two_over_pi = 0x1.9884533d43651p-1;
    switch (function) {
    case AX_ONNX_EXP: /* beyond this a float is 0, or infinite */
        return ax_math_exp(ax_math_clamp(x, -110, 95));
    case AX_ONNX_SIGMOID:
        return ax_math_sigmoid(x);
    case AX_ONNX_TANH:
        return ax_math_tanh(x);
    case AX_ONNX_ERF:
        return ax_math_erf(x);
    case AX_ONNX_GELU:
        return x * (1 + ax_math_erf(x * sqrt_half)) / 2;
    case AX_ONNX_GELU_TANH:
        return x * (1 + ax_math_tanh(sqrt_two_over_pi * (x + 0.044715 * x * x * x))) / 2;
    case AX_ONNX_FUNCTION_COUNT:
        break;
    }
    return x;
}

AX_LANES_INLINE void
ax_math_floats(enum ax_onnx_function function, const float *in, float *out, size_t count)
{
    ax_math_narrow x;
    size_t i = 0;
    for (; i + AX_MATH_LANES <= count; i += AX_MATH_LANES) {
        memcpy(&x, in + i, sizeof x);
        ax_math y = ax_math_one(function, __builtin_convertvector(x, ax_math));
        x = __builtin_convertvector(y, ax_math_narrow);
        memcpy(out + i, &x, sizeof x);
    }
    if (i == count)
        return;
    float last[AX_MATH_LANES] = {};
    for (size_t k = i; k < count; k++)
        last[k - i] = in[k];
    memcpy(&x, last, sizeof x);
    ax_math y = ax_math_one(function, __builtin_convertvector(x, ax_math));
    x = __builtin_convertvector(y, ax_math_narrow);
    memcpy(last, &x, sizeof x);
    for (size_t k = i; k < count; k++)
        out[k] = last[k - i];
}

static void
ax_onnx_math_apply(enum ax_onnx_function function, const float *in, float *out, size_t count)
{
    switch (function) { /* a loop for each */
    case AX_ONNX_EXP:
        ax_math_floats(AX_ONNX_EXP, in, out, count);
        return;
    case AX_ONNX_SIGMOID:
        ax_math_floats(AX_ONNX_SIGMOID, in, out, count);
        return;
    case AX_ONNX_TANH:
        ax_math_floats(AX_ONNX_TANH, in, out, count);
        return;
    case AX_ONNX_ERF:
        ax_math_floats(AX_ONNX_ERF, in, out, count);
        return;
    case AX_ONNX_GELU:
        ax_math_floats(AX_ONNX_GELU, in, out, count);
        return;
    case AX_ONNX_GELU_TANH:
        ax_math_floats(AX_ONNX_GELU_TANH, in, out, count);
        return;
    case AX_ONNX_FUNCTION_COUNT:
        return;
    }
}

static void
ax_onnx_math_logistic(double *scores, size_t count)
{
    ax_math x;
    size_t i = 0;
    for (; i + AX_MATH_LANES <= count; i += AX_MATH_LANES) {
        memcpy(&x, scores + i, sizeof x);
        x = ax_math_sigmoid(x);
        memcpy(scores + i, &x, sizeof x);
    }
    if (i == count)
        return;
    double last[AX_MATH_LANES] = {};
    for (size_t k = i; k < count; k++)
        last[k - i] = scores[k];
    memcpy(&x, last, sizeof x);
    x = ax_math_sigmoid(x);
    memcpy(last, &x, sizeof x);
    for (size_t k = i; k < count; k++)
        scores[k] = last[k - i];
}
