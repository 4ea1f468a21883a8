/* The loops for AVX-512; they are in the headers below. */
#include "engine/onnx_dense_loop.h"
#include "engine/onnx_level.h"
#include "engine/onnx_math_loop.h"

const struct ax_onnx_level ax_onnx_level_avx512 = {
    .name = "avx512",
    .level = AX_ENGINE_LEVEL_AVX512,
    .dense = ax_onnx_dense_loop,
    .sums = ax_onnx_dense_sums,
    .apply = ax_onnx_math_apply,
    .logistic = ax_onnx_math_logistic,
};
