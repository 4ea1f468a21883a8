/*
 * One row with AVX-512: ranks by two comparisons of sixteen floats, then K2d.
 *
 * Ranks. A column's cuts lie in blocks of 16; the last of each block is a pivot. One comparison
 * counts the pivots below x and so names the block, one more counts inside it: no branch, no loop,
 * two dependent steps for up to 255 cuts and one for up to 16. Compared are floats, rounded down:
 * exact while every value is a float; if not, which one OR over the row tells, each rank is looked
 * at again among the double cuts.
 * Decisions. The lanes of ranks fill one to four registers; vpermb (vpermi2b) fetches the rank of
 * each of 64 nodes, vpcmpub decides them. The forest's nodes are read front to back.
 * Match. A knot's decisions, 16 bits, are compared with the paths of its 16 exits at once; the
 * exit is another knot or a leaf. A tree takes as many steps as it has knots on its longest path,
 * always, so that no branch depends on the row; one that has arrived stays. Trees do not wait for
 * each other.
 *
 * Cost: 13 operations a column of more than 16 cuts, 8 a smaller one; 3 for 64 nodes; 9 a knot on
 * the way, 2 of them on the port that all shuffles and comparisons share; an addition a tree, whose
 * latency is the bound below all of that.
 */
#include <immintrin.h>
#include <string.h>

#include "engine/forest_row.h"

#define UNROLL __attribute__((always_inline)) static inline
#define DOWN   (_MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)

/* ---- ranks ---- */

UNROLL uint32_t
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

/* Doubles, rounded down. */
UNROLL struct found
narrow_row(const char *row, uint32_t count, float *out)
{
    __m512i bits = _mm512_setzero_si512();
    __mmask8 missing = 0;
    for (uint32_t f = 0; f < count; f += 8) {
        uint32_t left = count - f;
        __mmask8 some = left < 8 ? (__mmask8)((1u << left) - 1) : 255;
        __m512d x = _mm512_maskz_loadu_pd(some, row + f * sizeof(double));
        missing |= _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q);
        bits = _mm512_or_si512(bits, _mm512_castpd_si512(x));
        _mm256_storeu_ps(out + f, _mm512_cvt_roundpd_ps(x, DOWN));
    }
    return (struct found){missing != 0,
                          _mm512_test_epi64_mask(bits, _mm512_set1_epi64(0x1FFFFFFF)) != 0};
}

UNROLL struct found
scan_row(const char *row, uint32_t count)
{
    __mmask16 missing = 0;
    for (uint32_t f = 0; f < count; f += 16) {
        uint32_t left = count - f;
        __mmask16 some = left < 16 ? (__mmask16)((1u << left) - 1) : (__mmask16)0xFFFF;
        __m512 x = _mm512_maskz_loadu_ps(some, row + f * sizeof(float));
        missing |= _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    }
    return (struct found){missing != 0, false};
}

/* Ranks of doubles that are no floats may be too low. */
__attribute__((noinline)) static void
correct_ranks(const struct ax_forest_row *form, const char *row, uint8_t *lanes)
{
    const struct ax_forest_row_column *columns = ax_forest_row_at(form, form->columns_at);
    for (uint32_t i = 0; i < form->column_count; i++) {
        const double *cuts = ax_forest_row_at(form, columns[i].cuts_at);
        uint32_t rank = lanes[columns[i].lane];
        double x;
        memcpy(&x, row + columns[i].feature * sizeof x, sizeof x);
        while (rank < columns[i].cut_count && cuts[rank] < x)
            rank++;
        lanes[columns[i].lane] = (uint8_t)rank;
    }
}

__attribute__((noinline)) static void
set_missing(const struct ax_forest_row *form, const char *values, uint8_t *lanes)
{
    const struct ax_forest_row_column *columns = ax_forest_row_at(form, form->columns_at);
    for (uint32_t i = 0; i < form->column_count; i++) {
        float x;
        memcpy(&x, values + columns[i].feature * sizeof x, sizeof x);
        if (isnan(x))
            lanes[columns[i].lane] = (uint8_t)columns[i].missing;
    }
}

UNROLL __m512
broadcast(const char *values, uint32_t feature)
{
    float x;
    memcpy(&x, values + feature * sizeof x, sizeof x);
    return _mm512_set1_ps(x);
}

UNROLL void
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
        correct_ranks(form, row, lanes);
    if (found.missing)
        set_missing(form, values, lanes);
    if (form->set_count)
        ax_forest_row_sets(form, lanes);
}

/* ---- decisions ---- */

UNROLL void
decide_all(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
           const int registers)
{
    const struct ax_forest_row_word *words = ax_forest_row_at(form, form->words_at);
    __m512i ranks[4];
    for (int i = 0; i < registers; i++)
        ranks[i] = _mm512_load_si512(work->lanes + 64 * i);
    for (uint32_t w = 0; w < form->word_count; w++) {
        __m512i lane = _mm512_load_si512(words[w].lane), x;
        if (registers == 1) {
            x = _mm512_permutexvar_epi8(lane, ranks[0]);
        } else {
            x = _mm512_permutex2var_epi8(ranks[0], lane, ranks[1]);
            if (registers == 4)
                x = _mm512_mask_blend_epi8(_mm512_movepi8_mask(lane), x,
                                           _mm512_permutex2var_epi8(ranks[2], lane, ranks[3]));
        }
        work->decisions[w] =
            _cvtmask64_u64(_mm512_cmpgt_epu8_mask(x, _mm512_load_si512(words[w].rank)));
    }
}

static void
decide(const struct ax_forest_row *form, const struct ax_forest_row_work *work)
{
    if (form->match_lanes <= 64)
        decide_all(form, work, 1);
    else if (form->match_lanes <= 128)
        decide_all(form, work, 2);
    else
        decide_all(form, work, 4);
}

/* ---- match ---- */

/* The exit that a knot's decisions lead to. */
UNROLL uint32_t
exit_of(const struct ax_forest_row_knot *knot, const uint64_t *decisions)
{
    __m256i d = _mm256_set1_epi16((short)(decisions[knot->word] >> knot->shift));
    __m256i path = _mm256_and_si256(d, _mm256_load_si256((const __m256i *)knot->mask));
    __mmask16 agrees =
        _mm256_cmpeq_epi16_mask(path, _mm256_load_si256((const __m256i *)knot->value));
    return knot->next[_tzcnt_u32(_cvtmask16_u32(agrees))];
}

/* The leaf's place among all. */
UNROLL uint32_t
leaf_of(const struct ax_forest_row_tree *tree, const struct ax_forest_row_knot *knots,
        const uint64_t *decisions)
{
    const struct ax_forest_row_knot *first = knots + tree->knot, *knot = first;
    uint32_t next = exit_of(knot, decisions);
    for (uint32_t s = tree->stages; s > 1; s--) {
        knot = next & AX_FOREST_ROW_LEAF ? knot : first + next;
        next = exit_of(knot, decisions);
    }
    return tree->leaf + (next & (AX_FOREST_ROW_LEAF - 1));
}

static double
match_wide(const struct ax_forest_row *form, const uint64_t *decisions, double sum)
{
    const struct ax_forest_row_tree *trees = ax_forest_row_at(form, form->trees_at);
    const struct ax_forest_row_knot *knots = ax_forest_row_at(form, form->knots_at);
    const double *values = ax_forest_row_at(form, form->values_at);
    for (uint32_t t = 0; t < form->tree_count; t++)
        sum += values[leaf_of(&trees[t], knots, decisions)];
    return sum;
}

static double
match_narrow(const struct ax_forest_row *form, const uint64_t *decisions, float sum)
{
    const struct ax_forest_row_tree *trees = ax_forest_row_at(form, form->trees_at);
    const struct ax_forest_row_knot *knots = ax_forest_row_at(form, form->knots_at);
    const float *values = ax_forest_row_at(form, form->values_at);
    for (uint32_t t = 0; t < form->tree_count; t++)
        sum += values[leaf_of(&trees[t], knots, decisions)];
    return (double)sum;
}

static void
match_many(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
           double *out_margin)
{
    const struct ax_forest_row_tree *trees = ax_forest_row_at(form, form->trees_at);
    const struct ax_forest_row_knot *knots = ax_forest_row_at(form, form->knots_at);
    for (uint32_t t = 0; t < form->tree_count; t++)
        work->leaves[t] = leaf_of(&trees[t], knots, work->decisions);
    ax_forest_row_sum(form, work->leaves, out_margin);
}

static void
match(const struct ax_forest_row *form, const struct ax_forest_row_work *work, double *out_margin)
{
    const double *base = ax_forest_row_at(form, form->base_at);
    decide(form, work);
    if (form->output_count > 1)
        match_many(form, work, out_margin);
    else if (form->f32)
        out_margin[0] = match_narrow(form, work->decisions, (float)base[0]);
    else
        out_margin[0] = match_wide(form, work->decisions, base[0]);
}

void
ax_forest_row_avx512(const struct ax_forest_row *form, const struct ax_forest_rows *rows,
                     void *scratch, double *out_margin)
{
    struct ax_forest_row_work work = ax_forest_row_begin(form, scratch);
    const char *row = rows->at;
    for (size_t i = 0; i < rows->count; i++, row += rows->stride_bytes) {
        double *margin = out_margin + i * form->output_count;
        if (rows->f32)
            rank_row(form, row, true, &work);
        else
            rank_row(form, row, false, &work);
        if (form->kind == AX_FOREST_ROW_MATCH) {
            match(form, &work, margin);
            continue;
        }
        ax_forest_row_interleave(form, &work);
        ax_forest_row_sum(form, work.leaves, margin);
    }
}
