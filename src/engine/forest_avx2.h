/*
 * What AVX2 kernels have in common because the instructions lack it: doubles rounded down to
 * floats, and bits spread to bytes. For files that are compiled for AVX2.
 */
#pragma once

#include <immintrin.h>
#include <stdint.h>

/* The largest floats that are not above. */
__attribute__((always_inline, target("avx2"))) static inline __m128
ax_forest_avx2_round_down(__m256d x)
{
    __m128 near = _mm256_cvtpd_ps(x);
    __m256d above = _mm256_cmp_pd(_mm256_cvtps_pd(near), x, _CMP_GT_OQ);
    __m128 low = _mm_castpd_ps(_mm256_castpd256_pd128(above));
    __m128 high = _mm_castpd_ps(_mm256_extractf128_pd(above, 1));
    __m128i up = _mm_castps_si128(_mm_shuffle_ps(low, high, _MM_SHUFFLE(2, 0, 2, 0)));
    /* A step down: one less of a positive number's bits, one more of a negative one's. */
    __m128i bits = _mm_castps_si128(near);
    __m128i step = _mm_or_si128(_mm_srai_epi32(bits, 31), _mm_set1_epi32(1));
    __m128i down = _mm_sub_epi32(bits, step);
    __m128i zero = _mm_castps_si128(_mm_cmp_ps(near, _mm_setzero_ps(), _CMP_EQ_OQ));
    down = _mm_blendv_epi8(down, _mm_set1_epi32((int)0x80000001u), zero);
    return _mm_castsi128_ps(_mm_blendv_epi8(bits, down, up));
}

/* Byte i is `value` where bit i is set, else 0. */
__attribute__((always_inline, target("avx2"))) static inline __m256i
ax_forest_avx2_spread(uint32_t bits, int value)
{
    const __m256i spread =
        _mm256_set_epi64x(0x0303030303030303, 0x0202020202020202, 0x0101010101010101, 0);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201ull);
    __m256i v = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), spread), bit);
    return _mm256_and_si256(_mm256_cmpeq_epi8(v, bit), _mm256_set1_epi8((char)value));
}
