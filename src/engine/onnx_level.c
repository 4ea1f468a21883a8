#include "engine/onnx_level.h"

const struct ax_onnx_level *
ax_onnx_level_pick(enum ax_engine_level level)
{
#if defined(__x86_64__)
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
    if (avx512 && (level == AX_ENGINE_LEVEL_BEST || level == AX_ENGINE_LEVEL_AVX512))
        return &ax_onnx_level_avx512;
    if (avx2 && level != AX_ENGINE_LEVEL_PORTABLE)
        return &ax_onnx_level_avx2;
#else
    (void)level;
#endif
    return &ax_onnx_level_portable;
}
