/*
 * Decisions from ranks: slots for one row, rows for one slot; the idea and the cost are in
 * shap_decide.h. Included once a level.
 */
#pragma once

#include "engine/shap_decide.h"
#include "engine/shap_lanes.h"

#if defined(__AVX512BW__)

/* 32 slots from ranks that lie in one register, or in two. */
AX_LANES_INLINE void
ax_shap_bits_permuted(const struct ax_shap_decide *decide, const uint16_t *ranks, const bool two,
                      uint8_t *out_bits)
{
    const __m512i low = _mm512_loadu_si512(ranks), high = _mm512_loadu_si512(ranks + 32);
    for (size_t i = 0; i < decide->slot_count; i += AX_SHAP_SLOTS_STEP) {
        __m512i column = _mm512_loadu_si512(decide->column + i);
        __m512i code = _mm512_loadu_si512(decide->code + i);
        __m512i rank = two ? _mm512_permutex2var_epi16(low, column, high)
                           : _mm512_permutexvar_epi16(column, low);
        uint32_t left = _mm512_cmplt_epu16_mask(rank, code);
        memcpy(out_bits + i / 8, &left, sizeof left);
    }
}

static void
ax_shap_bits_gathered(const struct ax_shap_decide *decide, const uint16_t *ranks, uint8_t *out_bits)
{
    const __m512i narrow = _mm512_set1_epi32(UINT16_MAX);
    for (size_t i = 0; i < decide->slot_count; i += 16) {
        __m512i column = _mm512_cvtepu16_epi32(
            _mm256_loadu_si256((const __m256i *)(const void *)(decide->column + i)));
        __m512i code = _mm512_cvtepu16_epi32(
            _mm256_loadu_si256((const __m256i *)(const void *)(decide->code + i)));
        __m512i rank = _mm512_and_si512(_mm512_i32gather_epi32(column, ranks, 2), narrow);
        uint16_t left = _mm512_cmplt_epu32_mask(rank, code);
        memcpy(out_bits + i / 8, &left, sizeof left);
    }
}

static void
ax_shap_decide_bits(const struct ax_shap_decide *decide, const uint16_t *ranks, uint8_t *out_bits)
{
    if (decide->column_count <= AX_SHAP_COLUMNS_PERMUTED / 2)
        ax_shap_bits_permuted(decide, ranks, false, out_bits);
    else if (decide->column_count <= AX_SHAP_COLUMNS_PERMUTED)
        ax_shap_bits_permuted(decide, ranks, true, out_bits);
    else
        ax_shap_bits_gathered(decide, ranks, out_bits);
}

AX_LANES_INLINE uint64_t
ax_shap_word_of(const uint16_t *ranks, uint16_t code)
{
    const __m512i all = _mm512_set1_epi16((short)code);
    uint64_t low = _mm512_cmplt_epu16_mask(_mm512_loadu_si512(ranks), all);
    return low | (uint64_t)_mm512_cmplt_epu16_mask(_mm512_loadu_si512(ranks + 32), all) << 32;
}

#elif defined(__AVX2__)

static void
ax_shap_decide_bits(const struct ax_shap_decide *decide, const uint16_t *ranks, uint8_t *out_bits)
{
    const __m256i narrow = _mm256_set1_epi32(UINT16_MAX);
    for (size_t i = 0; i < decide->slot_count; i += 8) {
        __m256i column = _mm256_cvtepu16_epi32(
            _mm_loadu_si128((const __m128i *)(const void *)(decide->column + i)));
        __m256i code = _mm256_cvtepu16_epi32(
            _mm_loadu_si128((const __m128i *)(const void *)(decide->code + i)));
        __m256i rank = _mm256_and_si256(
            _mm256_i32gather_epi32((const int *)(const void *)ranks, column, 2), narrow);
        __m256 left = _mm256_castsi256_ps(_mm256_cmpgt_epi32(code, rank));
        out_bits[i / 8] = (uint8_t)_mm256_movemask_ps(left);
    }
}

AX_LANES_INLINE uint64_t
ax_shap_word_of(const uint16_t *ranks, uint16_t code)
{
    const __m256i all = _mm256_set1_epi16((short)code);
    uint64_t word = 0;
    for (int i = 0; i < 4; i++) {
        __m256i rank = _mm256_loadu_si256((const __m256i *)(const void *)(ranks + 16 * i));
        __m256i right = _mm256_cmpeq_epi16(_mm256_max_epu16(rank, all), rank);
        uint64_t pairs = ~(uint32_t)_mm256_movemask_epi8(right);
        word |= _pext_u64(pairs, 0x55555555) << 16 * i;
    }
    return word;
}

#else

static void
ax_shap_decide_bits(const struct ax_shap_decide *decide, const uint16_t *ranks, uint8_t *out_bits)
{
    for (size_t i = 0; i < decide->slot_count; i += 8) {
        unsigned left = 0;
        for (size_t k = 0; k < 8; k++)
            left |= (unsigned)(ranks[decide->column[i + k]] < decide->code[i + k]) << k;
        out_bits[i / 8] = (uint8_t)left;
    }
}

AX_LANES_INLINE uint64_t
ax_shap_word_of(const uint16_t *ranks, uint16_t code)
{
    uint64_t word = 0;
    for (int r = 0; r < AX_SHAP_BLOCK; r++)
        word |= (uint64_t)(ranks[r] < code) << r;
    return word;
}

#endif

static void
ax_shap_decide_words(const struct ax_shap_decide *decide, const uint16_t *ranks,
                     uint64_t *out_words)
{
    for (size_t i = 0; i < decide->slot_count; i++)
        out_words[i] =
            ax_shap_word_of(ranks + (size_t)decide->column[i] * AX_SHAP_BLOCK, decide->code[i]);
}
