/*
 * Eight doubles side by side, and four, in whatever registers the level has: the only arithmetic of
 * the fast explanation kernels.
 *
 * A lane's result never depends on how lanes lie in registers, products and sums are never fused,
 * and sums over lanes have one order: so every level gives the same bits. Included by one
 * shap_level_x.c a level, which is compiled for that level's instructions.
 */
#pragma once

#include <stdint.h>
#include <string.h>

#ifdef __AVX__
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { AX_LANE_BYTES = 64, AX_FOUR_BYTES = 32 };
#elif defined(__AVX__)
enum { AX_LANE_BYTES = 32, AX_FOUR_BYTES = 32 };
#else
enum { AX_LANE_BYTES = 16, AX_FOUR_BYTES = 16 };
#endif
enum { AX_LANES = 8, AX_LANE_PARTS = 64 / AX_LANE_BYTES, AX_FOUR_PARTS = 32 / AX_FOUR_BYTES };

#define AX_LANES_INLINE static inline __attribute__((always_inline, unused))

typedef double ax_lane_part __attribute__((vector_size(AX_LANE_BYTES), may_alias));
typedef double ax_four_part __attribute__((vector_size(AX_FOUR_BYTES), may_alias));
typedef int64_t ax_lane_mask __attribute__((vector_size(AX_LANE_BYTES), may_alias));

struct ax_lanes {
    ax_lane_part at[AX_LANE_PARTS];
};

struct ax_four {
    ax_four_part at[AX_FOUR_PARTS];
};

/* ---- eight; memory is aligned to 64 bytes ---- */

AX_LANES_INLINE struct ax_lanes
ax_lanes_load(const double *from)
{
    struct ax_lanes x;
    for (int i = 0; i < AX_LANE_PARTS; i++)
        x.at[i] = ((const ax_lane_part *)(const void *)from)[i];
    return x;
}

AX_LANES_INLINE void
ax_lanes_store(double *to, struct ax_lanes x)
{
    for (int i = 0; i < AX_LANE_PARTS; i++)
        ((ax_lane_part *)(void *)to)[i] = x.at[i];
}

AX_LANES_INLINE struct ax_lanes
ax_lanes_of(double value)
{
    struct ax_lanes x;
    for (int i = 0; i < AX_LANE_PARTS; i++)
        x.at[i] = value - (ax_lane_part){};
    return x;
}

AX_LANES_INLINE struct ax_lanes
ax_lanes_add(struct ax_lanes x, struct ax_lanes y)
{
    for (int i = 0; i < AX_LANE_PARTS; i++)
        x.at[i] += y.at[i];
    return x;
}

AX_LANES_INLINE struct ax_lanes
ax_lanes_subtract(struct ax_lanes x, struct ax_lanes y)
{
    for (int i = 0; i < AX_LANE_PARTS; i++)
        x.at[i] -= y.at[i];
    return x;
}

AX_LANES_INLINE struct ax_lanes
ax_lanes_multiply(struct ax_lanes x, struct ax_lanes y)
{
    for (int i = 0; i < AX_LANE_PARTS; i++)
        x.at[i] *= y.at[i];
    return x;
}

/* The lanes of a mask, zeros elsewhere; mask: 8 numbers of all ones or zeros, aligned. */
AX_LANES_INLINE struct ax_lanes
ax_lanes_keep(struct ax_lanes x, const uint64_t *mask)
{
    for (int i = 0; i < AX_LANE_PARTS; i++)
        x.at[i] =
            (ax_lane_part)((ax_lane_mask)x.at[i] & ((const ax_lane_mask *)(const void *)mask)[i]);
    return x;
}

/* Lane r: bit r of live ? (bit r of left ? yes : no) : 0. */
AX_LANES_INLINE struct ax_lanes
ax_lanes_choose(unsigned left, unsigned live, double yes, double no)
{
#if defined(__AVX512F__)
    __m512d x = _mm512_mask_blend_pd((__mmask8)left, _mm512_set1_pd(no), _mm512_set1_pd(yes));
    return (struct ax_lanes){{(ax_lane_part)_mm512_maskz_mov_pd((__mmask8)live, x)}};
#else
    _Alignas(64) double x[AX_LANES];
    double values[2] = {no, yes};
    for (int r = 0; r < AX_LANES; r++)
        x[r] = live >> r & 1 ? values[left >> r & 1] : 0;
    return ax_lanes_load(x);
#endif
}

/* A byte's bits as the lowest bits of eight bytes. */
AX_LANES_INLINE uint64_t
ax_lanes_spread(unsigned byte)
{
#ifdef __BMI2__
    return _pdep_u64(byte, UINT64_C(0x0101010101010101));
#else
    uint64_t each = byte * UINT64_C(0x0101010101010101) & UINT64_C(0x8040201008040201);
    return (each + UINT64_C(0x7f7f7f7f7f7f7f7f)) >> 7 & UINT64_C(0x0101010101010101);
#endif
}

/* Entries of a table of 2^bits doubles, bits at most 5; index: eight bytes. Tables of fewer than
 * eight doubles are followed by others, so that four, or eight, can be read. */
AX_LANES_INLINE struct ax_lanes
ax_lanes_lookup(const double *table, int bits, uint64_t index)
{
#if defined(__AVX512F__)
    __m512i at = _mm512_cvtepu8_epi64(_mm_cvtsi64_si128((long long)index));
    if (bits == 0)
        return ax_lanes_of(*table);
    if (bits <= 2) {
        __m512d few = _mm512_castpd256_pd512(_mm256_loadu_pd(table));
        return (struct ax_lanes){{(ax_lane_part)_mm512_permutexvar_pd(at, few)}};
    }
    __m512d low = _mm512_loadu_pd(table);
    if (bits == 3)
        return (struct ax_lanes){{(ax_lane_part)_mm512_permutexvar_pd(at, low)}};
    low = _mm512_permutex2var_pd(low, at, _mm512_loadu_pd(table + 8));
    if (bits == 4)
        return (struct ax_lanes){{(ax_lane_part)low}};
    __m512d high =
        _mm512_permutex2var_pd(_mm512_loadu_pd(table + 16), at, _mm512_loadu_pd(table + 24));
    __mmask8 upper = _mm512_test_epi64_mask(at, _mm512_set1_epi64(16));
    return (struct ax_lanes){{(ax_lane_part)_mm512_mask_blend_pd(upper, low, high)}};
#else
    (void)bits;
    _Alignas(64) double x[AX_LANES];
    for (int r = 0; r < AX_LANES; r++)
        x[r] = table[index >> (8 * r) & 0xff];
    return ax_lanes_load(x);
#endif
}

/* ---- four; memory is aligned to 32 bytes ---- */

AX_LANES_INLINE struct ax_four
ax_four_load(const double *from)
{
    struct ax_four x;
    for (int i = 0; i < AX_FOUR_PARTS; i++)
        x.at[i] = ((const ax_four_part *)(const void *)from)[i];
    return x;
}

AX_LANES_INLINE void
ax_four_store(double *to, struct ax_four x)
{
    for (int i = 0; i < AX_FOUR_PARTS; i++)
        ((ax_four_part *)(void *)to)[i] = x.at[i];
}

AX_LANES_INLINE struct ax_four
ax_four_of(double value)
{
    struct ax_four x;
    for (int i = 0; i < AX_FOUR_PARTS; i++)
        x.at[i] = value - (ax_four_part){};
    return x;
}

AX_LANES_INLINE struct ax_four
ax_four_add(struct ax_four x, struct ax_four y)
{
    for (int i = 0; i < AX_FOUR_PARTS; i++)
        x.at[i] += y.at[i];
    return x;
}

AX_LANES_INLINE struct ax_four
ax_four_subtract(struct ax_four x, struct ax_four y)
{
    for (int i = 0; i < AX_FOUR_PARTS; i++)
        x.at[i] -= y.at[i];
    return x;
}

AX_LANES_INLINE struct ax_four
ax_four_multiply(struct ax_four x, struct ax_four y)
{
    for (int i = 0; i < AX_FOUR_PARTS; i++)
        x.at[i] *= y.at[i];
    return x;
}

/* Each vector's (x0 + x1) + (x2 + x3). */
AX_LANES_INLINE struct ax_four
ax_four_sums(const struct ax_four x[4])
{
#ifdef __AVX__
    __m256d low = _mm256_hadd_pd((__m256d)x[0].at[0], (__m256d)x[1].at[0]);
    __m256d high = _mm256_hadd_pd((__m256d)x[2].at[0], (__m256d)x[3].at[0]);
    __m256d straight = _mm256_blend_pd(low, high, 12);
    __m256d crossed = _mm256_permute2f128_pd(low, high, 0x21);
    return (struct ax_four){{(ax_four_part)_mm256_add_pd(straight, crossed)}};
#else
    _Alignas(32) double sums[4];
    for (int i = 0; i < 4; i++)
        sums[i] = (x[i].at[0][0] + x[i].at[0][1]) + (x[i].at[1][0] + x[i].at[1][1]);
    return ax_four_load(sums);
#endif
}

AX_LANES_INLINE uint64_t
ax_lanes_word(const uint8_t *bits, uint32_t byte)
{
    uint64_t word;
    memcpy(&word, bits + byte, sizeof word);
    return word;
}

/* The masked bits of a word, packed from the lowest on. */
AX_LANES_INLINE uint64_t
ax_lanes_extract(uint64_t word, uint64_t mask)
{
#ifdef __BMI2__
    return _pext_u64(word, mask);
#else
    uint64_t bits = 0;
    for (unsigned at = 0; mask; mask &= mask - 1, at++)
        bits |= (word >> __builtin_ctzll(mask) & 1) << at;
    return bits;
#endif
}
