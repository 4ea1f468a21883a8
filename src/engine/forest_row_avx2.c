/*
 * One row with AVX2: ranks by two comparisons of sixteen floats, then K2d or K2b on up to 64 lanes.
 *
 * As forest_row_avx512.c; what AVX2 lacks is replaced. The lanes of ranks fill up to four tables of
 * 16 bytes, which vpshufb looks up and blends choose among; "greater" of bytes is a saturating
 * subtraction that leaves something; a mask is a vpmovmskb, for which the comparisons of a tree's
 * 32 paths are packed to bytes.
 *
 * Cost: 20 operations a column of more than 16 cuts, 10 a smaller one. K2d: 12 operations a tree
 * for the decisions (lanes up to 64), 14 for the match. K2b of depth d: 24 (2^d - 1)/64 a tree, and
 * 5 2^d once for 512 trees. An addition a tree, whose latency is the bound below all of that.
 */
#include <string.h>

#include "engine/forest_avx2.h"
#include "engine/forest_masks_loop.h"
#include "engine/forest_row_add.h"

enum { GROUPS = AX_FOREST_ROW_STRIP / 64, TABLES_MAX = AX_FOREST_ROW_AVX2_LANES / 16 };

#define UNROLL __attribute__((always_inline)) inline

/* ---- ranks ---- */

UNROLL static uint32_t
count_below(const float *table, __m256 x)
{
    __m256 low = _mm256_cmp_ps(_mm256_load_ps(table), x, _CMP_LT_OQ);
    __m256 high = _mm256_cmp_ps(_mm256_load_ps(table + 8), x, _CMP_LT_OQ);
    uint32_t bits = (uint32_t)_mm256_movemask_ps(low) | (uint32_t)_mm256_movemask_ps(high) << 8;
    return (uint32_t)_mm_popcnt_u32(bits);
}

/* What a row has that the comparison of floats does not tell. */
struct found {
    bool missing; /* a value is NaN */
    bool inexact; /* a double is no float */
};

UNROLL static struct found
narrow_row(const char *row, uint32_t count, float *out)
{
    const __m256i places = _mm256_set_epi64x(3, 2, 1, 0);
    __m256d bits = _mm256_setzero_pd(), missing = _mm256_setzero_pd();
    for (uint32_t f = 0; f < count; f += 4) {
        __m256i some = _mm256_cmpgt_epi64(_mm256_set1_epi64x(count - f), places);
        __m256d x =
            _mm256_maskload_pd((const double *)(const void *)(row + f * sizeof(double)), some);
        missing = _mm256_or_pd(missing, _mm256_cmp_pd(x, x, _CMP_UNORD_Q));
        bits = _mm256_or_pd(bits, x);
        _mm_storeu_ps(out + f, ax_forest_avx2_round_down(x));
    }
    __m256i last = _mm256_and_si256(_mm256_castpd_si256(bits), _mm256_set1_epi64x(0x1FFFFFFF));
    return (struct found){_mm256_movemask_pd(missing) != 0, !_mm256_testz_si256(last, last)};
}

UNROLL static struct found
scan_row(const char *row, uint32_t count)
{
    const __m256i places = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    __m256 missing = _mm256_setzero_ps();
    for (uint32_t f = 0; f < count; f += 8) {
        __m256i some = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(count - f)), places);
        __m256 x = _mm256_maskload_ps((const float *)(const void *)(row + f * sizeof(float)), some);
        missing = _mm256_or_ps(missing, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    }
    return (struct found){_mm256_movemask_ps(missing) != 0, false};
}

UNROLL static __m256
broadcast(const char *values, uint32_t feature)
{
    float x;
    memcpy(&x, values + feature * sizeof x, sizeof x);
    return _mm256_set1_ps(x);
}

UNROLL static void
rank_row(const struct ax_forest_row *form, const char *row, bool f32,
         const struct ax_forest_row_work *work)
{
    const struct ax_forest_row_column *column = ax_forest_row_at(form, form->columns_at);
    const char *values = f32 ? row : (const char *)work->floats;
    struct found found = f32 ? scan_row(row, form->feature_count)
                             : narrow_row(row, form->feature_count, work->floats);
    uint32_t i = 0;
    for (; i < form->small_count; i++, column++)
        work->lanes[column->lane] = (uint8_t)count_below(ax_forest_row_at(form, column->table_at),
                                                         broadcast(values, column->feature));
    for (; i < form->column_count; i++, column++) {
        const float *table = ax_forest_row_at(form, column->table_at);
        __m256 x = broadcast(values, column->feature);
        uint32_t from = AX_FOREST_ROW_SMALL * count_below(table, x);
        work->lanes[column->lane] =
            (uint8_t)(from + count_below(table + AX_FOREST_ROW_SMALL + from, x));
    }
    if (!f32 && (found.inexact || form->correct))
        ax_forest_row_correct(form, row, work->lanes);
    if (found.missing)
        ax_forest_row_missing(form, values, work->lanes);
    if (form->set_count)
        ax_forest_row_sets(form, work->lanes);
}

/* ---- decisions ---- */

/* The lanes, 16 a table, each table in both halves of its register. */
struct lanes {
    __m256i table[TABLES_MAX];
};

UNROLL static struct lanes
lanes_of(const uint8_t *lanes, const int tables)
{
    struct lanes result = {};
    for (int i = 0; i < tables; i++)
        result.table[i] =
            _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(lanes + 16 * i)));
    return result;
}

UNROLL static __m256i
ranks_of(const struct lanes *lanes, __m256i lane, const int tables)
{
    __m256i x = _mm256_shuffle_epi8(lanes->table[0], lane);
    if (tables == 1)
        return x;
    __m256i fourth = _mm256_slli_epi16(lane, 3); /* bit 4 of a byte as its sign */
    x = _mm256_blendv_epi8(x, _mm256_shuffle_epi8(lanes->table[1], lane), fourth);
    if (tables == 2)
        return x;
    __m256i high = _mm256_blendv_epi8(_mm256_shuffle_epi8(lanes->table[2], lane),
                                      _mm256_shuffle_epi8(lanes->table[3], lane), fourth);
    return _mm256_blendv_epi8(x, high, _mm256_slli_epi16(lane, 2));
}

/* Decisions of 32 nodes. */
UNROLL static uint32_t
decide(const struct lanes *lanes, const uint8_t *lane, const uint8_t *rank, const int tables)
{
    __m256i ranks = ranks_of(lanes, _mm256_load_si256((const __m256i *)lane), tables);
    __m256i more = _mm256_subs_epu8(ranks, _mm256_load_si256((const __m256i *)rank));
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(more, _mm256_setzero_si256()));
}

/* ---- K2d ---- */

UNROLL static __m256i
agree(const struct ax_forest_row_paths *paths, __m256i decisions, int at)
{
    __m256i mask = _mm256_load_si256((const __m256i *)(paths->mask + at));
    __m256i value = _mm256_load_si256((const __m256i *)(paths->value + at));
    return _mm256_cmpeq_epi32(_mm256_and_si256(decisions, mask), value);
}

/* Of 32 paths the one that agrees. The packs work on halves and leave the paths in this order. */
UNROLL static uint32_t
path_of(const struct ax_forest_row_paths *paths, uint32_t decisions)
{
    static const uint8_t order[32] = {0, 1, 2, 3, 8,  9,  10, 11, 16, 17, 18, 19, 24, 25, 26, 27,
                                      4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31};
    __m256i d = _mm256_set1_epi32((int)decisions);
    __m256i low = _mm256_packs_epi32(agree(paths, d, 0), agree(paths, d, 8));
    __m256i high = _mm256_packs_epi32(agree(paths, d, 16), agree(paths, d, 24));
    uint32_t bits = (uint32_t)_mm256_movemask_epi8(_mm256_packs_epi16(low, high));
    return order[_tzcnt_u32(bits)];
}

UNROLL static double
match_all(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
          enum ax_forest_row_how how, const int tables)
{
    const struct ax_forest_row_tree *trees = ax_forest_row_at(form, form->trees_at);
    const struct ax_forest_row_word *words = ax_forest_row_at(form, form->words_at);
    const struct ax_forest_row_paths *paths = ax_forest_row_at(form, form->paths_at);
    struct ax_forest_row_sum sum = ax_forest_row_sum_begin(form, how);
    struct lanes lanes = lanes_of(work->lanes, tables);
    for (uint32_t first = 0, count; first < form->tree_count; first += count) {
        count = ax_forest_row_chunk(form, first);
        for (uint32_t t = first; t < first + count; t++) {
            const struct ax_forest_row_word *word = &words[t / 2];
            uint32_t half = t % 2 * 32;
            uint32_t decisions = decide(&lanes, word->lane + half, word->rank + half, tables);
            work->leaves[t] = trees[t].leaf + path_of(&paths[t], decisions);
        }
        ax_forest_row_add(&sum, work->leaves + first, count);
    }
    return ax_forest_row_sum_end(&sum);
}

/* ---- K2b ---- */

UNROLL static __m256i
choose(__m256i select, __m256i right, __m256i left)
{
    return _mm256_xor_si256(left, _mm256_and_si256(select, _mm256_xor_si256(left, right)));
}

/* Bits of the leaf numbers of 256 trees, highest first; decisions of a place lie GROUPS apart. */
static void
heap_bits(const uint64_t *decisions, uint32_t depth, uint64_t (*out)[GROUPS])
{
    __m256i match[1 << (AX_FOREST_ROW_HEAP_DEPTH - 1)], bits[AX_FOREST_ROW_HEAP_DEPTH];
    for (uint32_t l = 0; l < depth; l++) {
        uint32_t count = UINT32_C(1) << l;
        for (uint32_t i = 0; i < count; i++, decisions += GROUPS)
            match[i] = _mm256_load_si256((const __m256i *)decisions);
        for (uint32_t b = l; b-- > 0;)
            for (uint32_t i = 0; i < UINT32_C(1) << b; i++)
                match[i] = choose(bits[b], match[2 * i + 1], match[2 * i]);
        bits[l] = match[0];
        _mm256_store_si256((__m256i *)out[l], bits[l]);
    }
}

static void
heap_codes(const uint64_t *decisions, uint32_t depth, size_t groups, uint8_t *codes)
{
    alignas(32) uint64_t planes[AX_FOREST_ROW_HEAP_DEPTH][GROUPS];
    for (size_t g = 0; g < groups; g += 4)
        heap_bits(decisions + g, depth, (uint64_t(*)[GROUPS])(planes[0] + g));
    for (size_t i = 0; i < 2 * groups; i++) { /* 32 trees */
        __m256i code = _mm256_setzero_si256();
        for (uint32_t l = 0; l < depth; l++) {
            uint32_t bits = (uint32_t)(planes[l][i / 2] >> i % 2 * 32);
            code = _mm256_or_si256(code, ax_forest_avx2_spread(bits, 1 << (depth - 1 - l)));
        }
        _mm256_store_si256((__m256i *)(codes + 32 * i), code);
    }
}

UNROLL static double
heap_all(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
         enum ax_forest_row_how how, const int tables)
{
    const struct ax_forest_row_tree *trees = ax_forest_row_at(form, form->trees_at);
    const struct ax_forest_row_word *word = ax_forest_row_at(form, form->words_at);
    const uint8_t *numbers = ax_forest_row_at(form, form->numbers_at);
    size_t places = ((size_t)1 << form->depth) - 1;
    struct ax_forest_row_sum sum = ax_forest_row_sum_begin(form, how);
    struct lanes lanes = lanes_of(work->lanes, tables);
    for (uint32_t first = 0, count; first < form->tree_count; first += count) {
        uint32_t rest = form->tree_count - first;
        count = rest < AX_FOREST_ROW_STRIP ? rest : AX_FOREST_ROW_STRIP;
        size_t groups = (count + 63) / 64;
        for (size_t p = 0; p < places; p++)
            for (size_t g = 0; g < groups; g++, word++)
                work->decisions[p * GROUPS + g] =
                    decide(&lanes, word->lane, word->rank, tables) |
                    (uint64_t)decide(&lanes, word->lane + 32, word->rank + 32, tables) << 32;
        heap_codes(work->decisions, form->depth, groups, work->codes);
        for (uint32_t t = first; t < first + count; t++)
            work->leaves[t] =
                trees[t].leaf + numbers[((size_t)t << form->depth) + work->codes[t - first]];
        ax_forest_row_add(&sum, work->leaves + first, count);
    }
    return ax_forest_row_sum_end(&sum);
}

/* ---- the whole ---- */

UNROLL static double
leaves_by_kind(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
               enum ax_forest_row_how how, const int tables)
{
    return form->kind == AX_FOREST_ROW_MATCH ? match_all(form, work, how, tables)
                                             : heap_all(form, work, how, tables);
}

static double
find_leaves(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
            enum ax_forest_row_how how)
{
    if (form->kind == AX_FOREST_ROW_INTERLEAVE)
        return ax_forest_row_interleave_add(form, work, how);
    if (form->kind == AX_FOREST_ROW_MASKS)
        return ax_forest_masks_leaves(form, work, how);
    return form->match_lanes <= 16   ? leaves_by_kind(form, work, how, 1)
           : form->match_lanes <= 32 ? leaves_by_kind(form, work, how, 2)
                                     : leaves_by_kind(form, work, how, 4);
}

void
ax_forest_row_avx2(const struct ax_forest_row *form, const struct ax_forest_rows *rows,
                   void *scratch, double *out_margin)
{
    struct ax_forest_row_work work = ax_forest_row_begin(form, scratch);
    const char *row = rows->at;
    for (size_t i = 0; i < rows->count; i++, row += rows->stride_bytes) {
        if (rows->f32)
            rank_row(form, row, true, &work);
        else
            rank_row(form, row, false, &work);
        ax_forest_row_finish(form, &work, rows->fast, find_leaves,
                             out_margin + i * form->output_count);
    }
}
