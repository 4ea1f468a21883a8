/*
 * The loops of ONNX operators that are worth it, once for each kind of processor, and which of
 * them run here.
 *
 * All levels give the same bits: matrices as onnx_dense.h says, functions because they are made of
 * additions, multiplications and divisions of float64 that are never fused.
 *
 * A function of a float is computed in float64 to about 1e-9 of its value (e^x to 1e-15) and
 * rounded once: half a unit of a float's last place, where ONNX Runtime's own vector functions may
 * be off by several.
 */
#pragma once

#include "engine/engine.h"
#include "engine/onnx_dense.h"

enum ax_onnx_function {
    AX_ONNX_EXP,
    AX_ONNX_SIGMOID,
    AX_ONNX_TANH,
    AX_ONNX_ERF,
    AX_ONNX_GELU,
    AX_ONNX_GELU_TANH,
    AX_ONNX_FUNCTION_COUNT,
};

struct ax_onnx_level {
    const char *name;
    enum ax_engine_level level;

    /*
     * Rows [row_count][depth] of floats, stride of them apart, times the matrix. room:
     * ax_onnx_dense_room doubles, of any content.
     */
    void (*dense)(const struct ax_onnx_dense *dense, const float *rows, size_t stride,
                  size_t row_count, double *room, float *out);
    /* The same with the sums as they are, alpha and what is added counting in float64. */
    void (*sums)(const struct ax_onnx_dense *dense, const float *rows, size_t stride,
                 size_t row_count, double *room, double *out);

    /* out may be in. */
    void (*apply)(enum ax_onnx_function function, const float *in, float *out, size_t count);
    /* 1 / (1 + e^-x), in place. */
    void (*logistic)(double *scores, size_t count);
};

/* The level asked for, or the best that the processor has below it. */
const struct ax_onnx_level *ax_onnx_level_pick(enum ax_engine_level level);

extern const struct ax_onnx_level ax_onnx_level_portable;
#if defined(__x86_64__)
extern const struct ax_onnx_level ax_onnx_level_avx2, ax_onnx_level_avx512;
#endif
