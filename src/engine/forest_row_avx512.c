/*
 * One row with AVX-512: ranks by two comparisons of sixteen floats, then K2d.
 *
 * Ranks. A column's cuts lie in blocks of 16; the last of each block is a pivot. One comparison
 * counts the pivots below x and so names the block, one more counts inside it: no branch, no loop,
 * two dependent steps for up to 255 cuts and one for up to 16. Compared are floats, rounded down:
 * exact while every value is a float; if not, which one OR over the row tells, each rank is looked
 * at again among the double cuts.
 * K2d. The lanes of ranks fill one to four registers; vpermb (vpermi2b) fetches the rank of each of
 * the 64 nodes of two trees and vpcmpub decides them; two comparisons of sixteen paths find a
 * tree's leaf. The model is read front to back.
 * K2b. Trees are filled up to full ones of at most 8 levels, and one comparison decides the same
 * place of 64 trees. The bits of the leaf numbers then come out level by level: those of a level's
 * decisions that count are chosen by the bits above, 512 trees an operation. Source: the idea of
 * bit-slicing over trees instead of rows is ours.
 *
 * K3g. A step gathers 16 nodes, fetches their ranks by vpermb and chooses the child; 64 trees step
 * until none of them moves, which is the one branch that depends on the row.
 *
 * Cost: 13 operations a column of more than 16 cuts, 8 a smaller one. K2d: 2 operations a tree for
 * the decisions, 9 for the match. K2b of depth d: 3 (2^d - 1)/64 a tree for the decisions, as many
 * and 2^d once for 512 trees, 2 d/64 and 4 a tree. K3g: a gather and 7 operations a step of 16
 * trees, steps being the longest way of 64. An addition a tree, whose latency is the bound
 * below all of that.
 */
#include <immintrin.h>
#include <string.h>

#include "engine/forest_masks_loop.h"
#include "engine/forest_row_add.h"

enum { GROUPS = AX_FOREST_ROW_STRIP / 64 };

#define UNROLL __attribute__((always_inline)) inline
#define ALONE  __attribute__((noinline))
#define DOWN   (_MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)

/* ---- ranks ---- */

UNROLL static uint32_t
count_below(const float *table, __m512 x)
{
    return (uint32_t)_mm_popcnt_u32(
        _cvtmask16_u32(_mm512_cmp_ps_mask(_mm512_load_ps(table), x, _CMP_LT_OQ)));
}

/* What a row has that the comparison of floats does not tell. */
struct found {
    bool missing; /* a value is NaN */
    bool inexact; /* a double is no float */
};

UNROLL static uint32_t
first_bits(uint32_t count)
{
    return count < 32 ? (1u << count) - 1 : UINT32_MAX;
}

/* Doubles, rounded down. */
UNROLL static struct found
narrow_row(const char *row, uint32_t count, float *out)
{
    __m512i bits = _mm512_setzero_si512();
    __mmask8 missing = 0;
    for (uint32_t f = 0; f < count; f += 8) {
        __mmask8 some = (__mmask8)first_bits(count - f);
        __m512d x = _mm512_maskz_loadu_pd(some, row + f * sizeof(double));
        missing |= _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q);
        bits = _mm512_or_si512(bits, _mm512_castpd_si512(x));
        _mm256_storeu_ps(out + f, _mm512_cvt_roundpd_ps(x, DOWN));
    }
    return (struct found){missing != 0,
                          _mm512_test_epi64_mask(bits, _mm512_set1_epi64(0x1FFFFFFF)) != 0};
}

UNROLL static struct found
scan_row(const char *row, uint32_t count)
{
    __mmask16 missing = 0;
    for (uint32_t f = 0; f < count; f += 16) {
        __mmask16 some = (__mmask16)first_bits(count - f);
        __m512 x = _mm512_maskz_loadu_ps(some, row + f * sizeof(float));
        missing |= _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    }
    return (struct found){missing != 0, false};
}

UNROLL static __m512
broadcast(const char *values, uint32_t feature)
{
    float x;
    memcpy(&x, values + feature * sizeof x, sizeof x);
    return _mm512_set1_ps(x);
}

UNROLL static void
rank_row(const struct ax_forest_row *form, const char *row, bool f32,
         const struct ax_forest_row_work *work)
{
    const struct ax_forest_row_column *column = ax_forest_row_at(form, form->columns_at);
    const char *values = f32 ? row : (const char *)work->floats;
    struct found found = f32 ? scan_row(row, form->feature_count)
                             : narrow_row(row, form->feature_count, work->floats);
    uint8_t *lanes = work->lanes;
    uint32_t i = 0;
    for (; i < form->small_count; i++, column++)
        lanes[column->lane] = (uint8_t)count_below(ax_forest_row_at(form, column->table_at),
                                                   broadcast(values, column->feature));
    for (; i < form->column_count; i++, column++) {
        const float *table = ax_forest_row_at(form, column->table_at);
        __m512 x = broadcast(values, column->feature);
        uint32_t from = AX_FOREST_ROW_SMALL * count_below(table, x);
        lanes[column->lane] = (uint8_t)(from + count_below(table + AX_FOREST_ROW_SMALL + from, x));
    }
    if (!f32 && (found.inexact || form->correct))
        ax_forest_row_correct(form, row, lanes);
    if (found.missing)
        ax_forest_row_missing(form, values, lanes);
    if (form->set_count)
        ax_forest_row_sets(form, lanes);
}

/* ---- leaves ---- */

/* The lanes in registers: one of 64, two or four. */
struct lanes {
    __m512i at[4];
    int registers;
};

UNROLL static __m512i
ranks_of(const struct lanes *lanes, __m512i lane, const int registers)
{
    if (registers == 1)
        return _mm512_permutexvar_epi8(lane, lanes->at[0]);
    __m512i x = _mm512_permutex2var_epi8(lanes->at[0], lane, lanes->at[1]);
    if (registers == 2)
        return x;
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(lane), x,
                                  _mm512_permutex2var_epi8(lanes->at[2], lane, lanes->at[3]));
}

/* Half of a word of two trees' decisions. */
typedef uint32_t decisions_of_tree __attribute__((may_alias));

/*
 * K2d: of 32 paths the one that agrees. The decisions come from memory, where a load spreads them
 * to all lanes: from a register that would take the port that all comparisons need.
 */
UNROLL static uint32_t
path_of(const struct ax_forest_row_paths *paths, const decisions_of_tree *decisions)
{
    __m512i d = _mm512_set1_epi32((int)*decisions);
    __m512i low = _mm512_and_si512(d, _mm512_load_si512(paths->mask));
    __m512i high = _mm512_and_si512(d, _mm512_load_si512(paths->mask + 16));
    uint32_t a = _cvtmask16_u32(_mm512_cmpeq_epi32_mask(low, _mm512_load_si512(paths->value)));
    uint32_t b =
        _cvtmask16_u32(_mm512_cmpeq_epi32_mask(high, _mm512_load_si512(paths->value + 16)));
    return _tzcnt_u32(b << 16 | a);
}

/* Of trees whose decisions are there; count: a constant where it can be one. */
UNROLL static void
match_paths(const struct ax_forest_row_paths *paths, const decisions_of_tree *decisions,
            const struct ax_forest_row_tree *trees, const uint32_t count, uint32_t *leaves)
{
    for (uint32_t i = 0; i < count; i++)
        leaves[i] = trees[i].leaf + path_of(paths + i, decisions + i);
}

UNROLL static double
match_all(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
          enum ax_forest_row_how how, const int registers)
{
    const struct ax_forest_row_tree *trees = ax_forest_row_at(form, form->trees_at);
    const struct ax_forest_row_word *pair = ax_forest_row_at(form, form->words_at);
    const struct ax_forest_row_paths *paths = ax_forest_row_at(form, form->paths_at);
    struct ax_forest_row_sum sum = ax_forest_row_sum_begin(form, how);
    struct lanes lanes;
    for (int i = 0; i < registers; i++)
        lanes.at[i] = _mm512_load_si512(work->lanes + 64 * i);
    for (uint32_t t = 0, count; t < form->tree_count; t += count, paths += count) {
        alignas(64) __mmask64 decisions[AX_FOREST_ROW_CHUNK / 2];
        const decisions_of_tree *of_tree = (const decisions_of_tree *)(const void *)decisions;
        count = ax_forest_row_chunk(form, t);
        for (uint32_t i = 0; i < (count + 1) / 2; i++, pair++) {
            __m512i ranks = ranks_of(&lanes, _mm512_load_si512(pair->lane), registers);
            decisions[i] = _mm512_cmpgt_epu8_mask(ranks, _mm512_load_si512(pair->rank));
        }
        if (count == AX_FOREST_ROW_CHUNK)
            match_paths(paths, of_tree, trees + t, AX_FOREST_ROW_CHUNK, work->leaves + t);
        else
            match_paths(paths, of_tree, trees + t, count, work->leaves + t);
        ax_forest_row_add(&sum, work->leaves + t, count);
    }
    return ax_forest_row_sum_end(&sum);
}

/* K2b: which way the trees of a strip go at each place of theirs. */
UNROLL static void
decide_places(const struct ax_forest_row_word *words, uint64_t *decisions, size_t places,
              size_t groups, const struct lanes *lanes, const int registers)
{
    for (size_t p = 0; p < places; p++, decisions += GROUPS)
        for (size_t g = 0; g < groups; g++, words++) {
            __m512i ranks = ranks_of(lanes, _mm512_load_si512(words->lane), registers);
            decisions[g] =
                _cvtmask64_u64(_mm512_cmpgt_epu8_mask(ranks, _mm512_load_si512(words->rank)));
        }
}

/*
 * Bits of the leaf numbers of 512 trees, highest first: bit l is the decision at the place of level
 * l that the bits before it lead to. The tournament of a level has 1, 2, 4 ... matches.
 */
static void
heap_bits(const uint64_t *decisions, uint32_t depth, __m512i *bits)
{
    __m512i match[1 << (AX_FOREST_ROW_HEAP_DEPTH - 1)];
    for (uint32_t l = 0; l < depth; l++) {
        uint32_t count = UINT32_C(1) << l;
        for (uint32_t i = 0; i < count; i++, decisions += GROUPS)
            match[i] = _mm512_load_si512(decisions);
        for (uint32_t b = l; b-- > 0;)
            for (uint32_t i = 0; i < UINT32_C(1) << b; i++)
                match[i] = _mm512_ternarylogic_epi64(bits[b], match[2 * i + 1], match[2 * i], 0xCA);
        bits[l] = match[0];
    }
}

/* The leaf numbers themselves, a byte a tree. */
static void
heap_codes(const uint64_t *decisions, uint32_t depth, size_t groups, uint8_t *codes)
{
    alignas(64) uint64_t planes[AX_FOREST_ROW_HEAP_DEPTH][GROUPS];
    heap_bits(decisions, depth, (__m512i *)planes);
    for (size_t g = 0; g < groups; g++) {
        __m512i code = _mm512_setzero_si512();
        for (uint32_t l = 0; l < depth; l++)
            code = _mm512_or_si512(
                code, _mm512_maskz_set1_epi8(planes[l][g], (char)(1 << (depth - 1 - l))));
        _mm512_store_si512(codes + 64 * g, code);
    }
}

UNROLL static double
heap_all(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
         enum ax_forest_row_how how, const int registers)
{
    const struct ax_forest_row_tree *trees = ax_forest_row_at(form, form->trees_at);
    const struct ax_forest_row_word *words = ax_forest_row_at(form, form->words_at);
    const uint8_t *numbers = ax_forest_row_at(form, form->numbers_at);
    size_t places = ((size_t)1 << form->depth) - 1;
    struct ax_forest_row_sum sum = ax_forest_row_sum_begin(form, how);
    struct lanes lanes;
    for (int i = 0; i < registers; i++)
        lanes.at[i] = _mm512_load_si512(work->lanes + 64 * i);
    for (uint32_t first = 0, count; first < form->tree_count; first += count) {
        uint32_t rest = form->tree_count - first;
        count = rest < AX_FOREST_ROW_STRIP ? rest : AX_FOREST_ROW_STRIP;
        size_t groups = (count + 63) / 64;
        decide_places(words, work->decisions, places, groups, &lanes, registers);
        heap_codes(work->decisions, form->depth, groups, work->codes);
        words += places * groups;
        for (uint32_t t = first; t < first + count; t++) {
            uint32_t at = t << form->depth;
            work->leaves[t] = trees[t].leaf + numbers[at + work->codes[t - first]];
        }
        ax_forest_row_add(&sum, work->leaves + first, count);
    }
    return ax_forest_row_sum_end(&sum);
}

/* K3g: a step of 16 trees; a leaf is its own child, and no rank is above its own. */
UNROLL static __m512i
step_of(const ax_forest_row_packed *nodes, __m512i at, __m512i start, const struct lanes *lanes,
        const int registers)
{
    __m512i node = _mm512_i32gather_epi32(at, nodes, 4);
    __m512i ranks = ranks_of(lanes, node, registers); /* of interest: the lowest byte */
    __mmask16 right =
        _mm512_cmpgt_epu32_mask(_mm512_slli_epi32(ranks, 24), _mm512_slli_epi32(node, 16));
    __m512i child = _mm512_add_epi32(_mm512_srli_epi32(node, 16), start);
    return _mm512_mask_add_epi32(child, right, child, _mm512_set1_epi32(1));
}

UNROLL static void
gather_all(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
           const int registers)
{
    const ax_forest_row_packed *nodes = ax_forest_row_at(form, form->packed_at);
    const uint32_t *starts = ax_forest_row_at(form, form->starts_at);
    const int32_t *leaves = ax_forest_row_at(form, form->leaves_at);
    struct lanes lanes;
    for (int i = 0; i < registers; i++)
        lanes.at[i] = _mm512_load_si512(work->lanes + 64 * i);
    for (uint32_t t = 0; t < form->tree_count; t += AX_FOREST_ROW_WALKED) {
        __m512i start[4], at[4];
        __mmask16 moved;
        for (int i = 0; i < 4; i++)
            at[i] = start[i] = _mm512_load_si512(starts + t + 16 * i);
        do {
            moved = 0;
            for (int i = 0; i < 4; i++) {
                __m512i next = step_of(nodes, at[i], start[i], &lanes, registers);
                moved |= _mm512_cmpneq_epi32_mask(next, at[i]);
                at[i] = next;
            }
        } while (moved);
        for (int i = 0; i < 4; i++)
            _mm512_store_si512(work->leaves + t + 16 * i, _mm512_i32gather_epi32(at[i], leaves, 4));
    }
}

UNROLL static double
gather_add(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
           enum ax_forest_row_how how, const int registers)
{
    struct ax_forest_row_sum sum = ax_forest_row_sum_begin(form, how);
    gather_all(form, work, registers);
    ax_forest_row_add(&sum, work->leaves, form->tree_count);
    return ax_forest_row_sum_end(&sum);
}

/* Each way in a function of its own, which then has all registers for itself. */
#define BY_LANES(name, all)                                                                        \
    ALONE static double name##_64(const struct ax_forest_row *form,                                \
                                  const struct ax_forest_row_work *work,                           \
                                  enum ax_forest_row_how how)                                      \
    {                                                                                              \
        return all(form, work, how, 1);                                                            \
    }                                                                                              \
    ALONE static double name##_128(const struct ax_forest_row *form,                               \
                                   const struct ax_forest_row_work *work,                          \
                                   enum ax_forest_row_how how)                                     \
    {                                                                                              \
        return all(form, work, how, 2);                                                            \
    }                                                                                              \
    ALONE static double name##_256(const struct ax_forest_row *form,                               \
                                   const struct ax_forest_row_work *work,                          \
                                   enum ax_forest_row_how how)                                     \
    {                                                                                              \
        return all(form, work, how, 4);                                                            \
    }

BY_LANES(match, match_all)
BY_LANES(heap, heap_all)
BY_LANES(gather, gather_add)

ALONE static double
masks(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
      enum ax_forest_row_how how)
{
    return ax_forest_masks_leaves(form, work, how);
}

static double
find_leaves(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
            enum ax_forest_row_how how)
{
    static const ax_forest_row_find by_lanes[][3] = {
        [AX_FOREST_ROW_MATCH] = {match_64, match_128, match_256},
        [AX_FOREST_ROW_HEAP] = {heap_64, heap_128, heap_256},
        [AX_FOREST_ROW_GATHER] = {gather_64, gather_128, gather_256},
    };
    if (form->kind == AX_FOREST_ROW_INTERLEAVE)
        return ax_forest_row_interleave_add(form, work, how);
    if (form->kind == AX_FOREST_ROW_MASKS)
        return masks(form, work, how);
    size_t lanes = form->match_lanes;
    return by_lanes[form->kind][(lanes > 64) + (lanes > 128)](form, work, how);
}

void
ax_forest_row_avx512(const struct ax_forest_row *form, const struct ax_forest_rows *rows,
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
