#include "engine/onnx_level.h"

#include <math.h>

#include "harness.h"

enum { NUMBERS = 4099, HALF = NUMBERS / 2 }; /* no whole number of registers */

static const enum ax_engine_level levels[] = {AX_ENGINE_LEVEL_PORTABLE, AX_ENGINE_LEVEL_AVX2,
                                              AX_ENGINE_LEVEL_AVX512};

static double
gelu_tanh(double x)
{
    return x * (tanh(sqrt(M_2_PI) * (x + 0.044715 * x * x * x)) + 1) / 2;
}

static double
exact(enum ax_onnx_function function, double x)
{
    switch (function) {
    case AX_ONNX_EXP:
        return exp(x);
    case AX_ONNX_SIGMOID:
        return 1 / (1 + exp(-x));
    case AX_ONNX_TANH:
        return tanh(x);
    case AX_ONNX_ERF:
        return erf(x);
    case AX_ONNX_GELU:
        return x * erfc(-x * M_SQRT1_2) / 2;
    case AX_ONNX_GELU_TANH:
        return gelu_tanh(x);
    case AX_ONNX_FUNCTION_COUNT:
        break;
    }
    return x;
}

/* From -160 to 160, dense near 0, and what lies beyond. */
static void
fill(float *out)
{
    static const float odd[] = {0,     -0.0F,           1e-40F, -1e-40F, 1e-30F, -3e-7F,
                                88.8F, -87.4F,          1e4F,   -1e30F,  700,    -700,
                                20,    (float)INFINITY, 1,      -1};
    for (int i = 0; i < NUMBERS; i++) {
        float t = (float)(i - HALF) / HALF;
        out[i] = i < (int)AX_COUNT_OF(odd) ? odd[i] : i % 2 ? t * 160 : t * t * t * 8;
    }
}

/* Rounded once: within a float's last place of the truth, whatever its size; gelu, which loses
 * digits where erf is taken for -1, within 6e-8. */
static bool
is_near(enum ax_onnx_function function, float got, double wanted)
{
    double slack = function == AX_ONNX_GELU || function == AX_ONNX_GELU_TANH ? 6e-8 : 0x1p-149;
    float low = (float)(wanted - fabs(wanted) * 0x1p-24 - slack);
    float high = (float)(wanted + fabs(wanted) * 0x1p-24 + slack);
    return got == (float)wanted || (got >= low && got <= high);
}

static void
check_function(enum ax_onnx_function function, const float *in)
{
    static float first[NUMBERS], again[NUMBERS];
    ax_onnx_level_pick(AX_ENGINE_LEVEL_PORTABLE)->apply(function, in, first, NUMBERS);
    for (size_t i = 0; i < NUMBERS; i++)
        if (!is_near(function, first[i], exact(function, (double)in[i]))) {
            ax_test_failed(__FILE__, __LINE__, "function %d of %.9g is %.9g, not %.9g",
                           (int)function, (double)in[i], (double)first[i],
                           exact(function, (double)in[i]));
            return;
        }
    for (size_t l = 0; l < AX_COUNT_OF(levels); l++) {
        const struct ax_onnx_level *level = ax_onnx_level_pick(levels[l]);
        level->apply(function, in, again, NUMBERS);
        CHECK(memcmp(first, again, sizeof first) == 0);
        memcpy(again, in, sizeof again);
        for (size_t i = 0; i < NUMBERS; i += 5) /* in place, in pieces */
            level->apply(function, again + i, again + i, NUMBERS - i < 5 ? NUMBERS - i : 5);
        CHECK(memcmp(first, again, sizeof first) == 0);
    }
}

TEST(onnx_level_functions_are_exact_to_a_float_and_alike_on_every_level)
{
    static float in[NUMBERS];
    fill(in);
    for (int f = 0; f < AX_ONNX_FUNCTION_COUNT; f++)
        check_function((enum ax_onnx_function)f, in);
}

TEST(onnx_level_functions_keep_nan)
{
    for (int f = 0; f < AX_ONNX_FUNCTION_COUNT; f++)
        for (size_t l = 0; l < AX_COUNT_OF(levels); l++) {
            float cells[3] = {(float)NAN, 0.5F, -(float)NAN};
            ax_onnx_level_pick(levels[l])->apply((enum ax_onnx_function)f, cells, cells, 3);
            CHECK(isnan(cells[0]) && !isnan(cells[1]) && isnan(cells[2]));
        }
}

TEST(onnx_level_logistic_is_exact_to_a_double)
{
    double first[NUMBERS], again[NUMBERS];
    for (int i = 0; i < NUMBERS; i++)
        first[i] = (double)(i - HALF) / 60;
    first[0] = -(double)INFINITY;
    first[1] = (double)INFINITY;
    first[2] = 1e300;
    for (size_t l = 0; l < AX_COUNT_OF(levels); l++) {
        double *out = l ? again : first;
        double in[NUMBERS];
        if (l == 0)
            memcpy(in, first, sizeof in);
        for (int i = 3; l && i < NUMBERS; i++)
            again[i] = (double)(i - HALF) / 60;
        again[0] = -(double)INFINITY;
        again[1] = (double)INFINITY;
        again[2] = 1e300;
        ax_onnx_level_pick(levels[l])->logistic(out, NUMBERS);
        for (int i = 0; l == 0 && i < NUMBERS; i++)
            CHECK(fabs(out[i] - 1 / (1 + exp(-in[i]))) <= 4e-16 * out[i] + 1e-290);
        CHECK(l == 0 || memcmp(first, again, sizeof first) == 0);
    }
}
