/*
 * K1's stages for AVX2: a bitmap of 256 rows is a register.
 *
 * As forest_batch_avx512.c; what AVX2 lacks is replaced. Doubles are rounded down by rounding and
 * stepping back where that went up; ranks take the upper three levels of cuts from registers
 * (vpermps) and the lower ones by gathers; rank bits come by movemask; code bytes are spread from
 * the planes by a byte shuffle and a comparison; leaf values are plain loads, 16 trees a row, so
 * that a row's sum stays in a register.
 *
 * Cost per row and tree, in operations, with F columns of L bits, C cuts, T trees, M multiplexers a
 * tree, P planes: F/T * (2 + L/2) + 2 C/(256 T) + M/256 * (3 loads, 3 operations, a store)
 * + 5 P/32 + 2.2.
 */
#include <string.h>

#include "engine/forest_avx2.h"
#include "engine/forest_batch.h"

enum {
    ROWS = 256,
    SLOT_BYTES = 32,
    CHUNK = 32,  /* rows whose ranks are made together */
    ABREAST = 4, /* features loaded together */
    STEPS = 512,
    TABLE_FLOATS = 256, /* cuts of level l from 1 << l on, by the decisions before */
};

#define STAGE  __attribute__((noinline)) /* once a block or tree: a profile then names it */
#define UNROLL __attribute__((always_inline)) inline

/* ---- columns ---- */

struct loader {
    const char *at;
    size_t stride_bytes;
    size_t last; /* row that stands in for those beyond */
    __m256i some;
    bool f32;
};

UNROLL static __m128
load_row(const struct loader *loader, size_t row, __m256d *bits)
{
    const char *at = loader->at + (row < loader->last ? row : loader->last) * loader->stride_bytes;
    if (loader->f32) {
        __m256 some = _mm256_castsi256_ps(loader->some);
        __m128i mask = _mm_castps_si128(_mm_shuffle_ps(
            _mm256_castps256_ps128(some), _mm256_extractf128_ps(some, 1), _MM_SHUFFLE(2, 0, 2, 0)));
        return _mm_maskload_ps((const float *)(const void *)at, mask);
    }
    __m256d x = _mm256_maskload_pd((const double *)(const void *)at, loader->some);
    *bits = _mm256_or_pd(*bits, x);
    return ax_forest_avx2_round_down(x);
}

UNROLL static uint32_t
load_rows(struct loader copy, size_t count, float *out)
{
    const struct loader *loader = &copy;
    __m256d bits = _mm256_setzero_pd();
    for (size_t r = 0; r < count; r += 8) {
        __m256 x[4];
        for (size_t i = 0; i < 4; i++)
            x[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(load_row(loader, r + i, &bits)),
                                        load_row(loader, r + i + 4, &bits), 1);
        __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(x[0], x[1]));
        __m256d b = _mm256_castps_pd(_mm256_unpackhi_ps(x[0], x[1]));
        __m256d c = _mm256_castps_pd(_mm256_unpacklo_ps(x[2], x[3]));
        __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(x[2], x[3]));
        _mm256_store_ps(out + r, _mm256_castpd_ps(_mm256_unpacklo_pd(a, c)));
        _mm256_store_ps(out + ROWS + r, _mm256_castpd_ps(_mm256_unpackhi_pd(a, c)));
        _mm256_store_ps(out + 2 * ROWS + r, _mm256_castpd_ps(_mm256_unpacklo_pd(b, d)));
        _mm256_store_ps(out + 3 * ROWS + r, _mm256_castpd_ps(_mm256_unpackhi_pd(b, d)));
    }
    __m256i low = _mm256_and_si256(_mm256_castpd_si256(bits), _mm256_set1_epi64x(0x1FFFFFFF));
    __m256i none = _mm256_cmpeq_epi64(low, _mm256_setzero_si256());
    return 15u & ~(unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(none));
}

/* Four features from `feature` on; returns a bit for each that has a value that is no float. */
STAGE static uint32_t
columns_load(const struct ax_forest_block *block, uint32_t feature)
{
    const struct ax_forest_rows *rows = &block->rows;
    uint32_t width = block->form->feature_count - feature;
    struct loader loader = {
        .at = (const char *)rows->at + feature * (rows->f32 ? sizeof(float) : sizeof(double)),
        .stride_bytes = rows->stride_bytes,
        .last = rows->count - 1,
        .some = _mm256_cmpgt_epi64(_mm256_set1_epi64x(width), _mm256_set_epi64x(3, 2, 1, 0)),
    };
    if (rows->f32) {
        loader.f32 = true;
        return load_rows(loader, rows->count, block->floats);
    }
    loader.f32 = false;
    return load_rows(loader, rows->count, block->floats);
}

/* ---- ranks ---- */

UNROLL static __m256i
rank_eight(__m256 x, const float *table, uint32_t levels)
{
    __m256i above = _mm256_castps_si256(_mm256_cmp_ps(_mm256_set1_ps(table[1]), x, _CMP_LT_OQ));
    __m256i rank = _mm256_srli_epi32(above, 31);
    for (uint32_t l = 1; l < levels; l++) {
        const float *cuts = table + (1 << l);
        __m256 cut = l < 4 ? _mm256_permutevar8x32_ps(_mm256_loadu_ps(cuts), rank)
                           : _mm256_i32gather_ps(cuts, rank, 4);
        above = _mm256_castps_si256(_mm256_cmp_ps(cut, x, _CMP_LT_OQ));
        rank = _mm256_sub_epi32(_mm256_add_epi32(rank, rank), above);
    }
    return rank;
}

STAGE static void
rank_rows(const struct ax_forest_batch_column *column, const float *table, const float *x,
          size_t chunks, uint8_t *ranks)
{
    const __m256i order = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);
    const __m256 missing = _mm256_castsi256_ps(_mm256_set1_epi32((int)column->missing));
    for (size_t i = 0; i < chunks; i++, x += CHUNK, ranks += CHUNK) {
        __m256i r[4];
        for (size_t k = 0; k < 4; k++) {
            __m256 v = _mm256_load_ps(x + 8 * k);
            __m256 rank = _mm256_castsi256_ps(rank_eight(v, table, column->levels));
            r[k] = _mm256_castps_si256(
                _mm256_blendv_ps(rank, missing, _mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
        }
        __m256i bytes =
            _mm256_packus_epi16(_mm256_packus_epi32(r[0], r[1]), _mm256_packus_epi32(r[2], r[3]));
        _mm256_store_si256((__m256i *)ranks, _mm256_permutevar8x32_epi32(bytes, order));
    }
}

/* Doubles that are no floats: their ranks may be too low. */
STAGE static void
correct_ranks(const struct ax_forest_block *block, const struct ax_forest_batch_column *column,
              uint8_t *ranks)
{
    const double *cuts = ax_forest_batch_at(block->form, column->cuts_at);
    const char *at = (const char *)block->rows.at + column->feature * sizeof(double);
    for (size_t r = 0; r < block->rows.count; r++, at += block->rows.stride_bytes) {
        double x;
        uint32_t rank = ranks[r];
        memcpy(&x, at, sizeof x);
        while (rank < column->cut_count && cuts[rank] < x)
            rank++;
        ranks[r] = (uint8_t)rank;
    }
}

/* ---- predicates ---- */

/* "rank > k" for all k: from the lowest bit up, each bit doubles how many are told apart. */
STAGE static void
widen(const __m256i *planes, const struct ax_forest_batch_column *column, __m256i *steps,
      __m256i *out)
{
    __m256i *narrow = steps;
    uint32_t narrow_count = 1;
    narrow[0] = _mm256_setzero_si256();
    for (uint32_t l = 0; l < column->levels; l++) {
        bool last = l + 1 == column->levels;
        __m256i *wide = last ? out : narrow + narrow_count, plane = planes[l];
        uint32_t limit = last ? column->cut_count : 2 * narrow_count;
        for (uint32_t k = 0; k < narrow_count && k < limit; k++)
            wide[k] = _mm256_or_si256(plane, narrow[k]);
        for (uint32_t k = narrow_count; k < limit; k++)
            wide[k] = _mm256_and_si256(plane, narrow[k - narrow_count]);
        narrow = wide;
        narrow_count *= 2;
    }
}

STAGE static void
column_run(const struct ax_forest_block *block, const struct ax_forest_batch_column *column,
           const float *x, bool inexact)
{
    alignas(32) uint8_t ranks[ROWS];
    alignas(32) uint32_t planes[8][ROWS / CHUNK];
    __m256i *slot = (__m256i *)(block->slots + column->slot_at);
    size_t chunks = (block->rows.count + CHUNK - 1) / CHUNK;
    memset(ranks + chunks * CHUNK, 0, ROWS - chunks * CHUNK);
    rank_rows(column, ax_forest_batch_at(block->form, column->table_at), x, chunks, ranks);
    if (inexact)
        correct_ranks(block, column, ranks);
    for (uint32_t l = 0; l < column->levels; l++)
        for (size_t i = 0; i < ROWS / CHUNK; i++) {
            __m256i v = _mm256_load_si256((const __m256i *)(ranks + CHUNK * i));
            v = _mm256_sll_epi16(v, _mm_cvtsi32_si128((int)(7 - l)));
            planes[l][i] = (uint32_t)_mm256_movemask_epi8(v);
        }
    if (!column->is_sets)
        widen((const __m256i *)planes, column, (__m256i *)block->steps, slot);
    for (uint32_t l = 0; column->is_sets && l < column->levels; l++)
        slot[l] = ((const __m256i *)planes)[column->levels - 1 - l];
}

static void
avx2_predicates(const struct ax_forest_block *block)
{
    const struct ax_forest_batch_form *form = block->form;
    const struct ax_forest_batch_column *columns = ax_forest_batch_at(form, form->columns_at);
    for (uint32_t i = 0; i < form->column_count;) {
        uint32_t feature = columns[i].feature;
        uint32_t inexact = columns_load(block, feature);
        for (; i < form->column_count && columns[i].feature < feature + ABREAST; i++) {
            uint32_t place = columns[i].feature - feature;
            bool correct = !block->rows.f32 && (inexact >> place & 1 || columns[i].correct);
            column_run(block, &columns[i], block->floats + place * ROWS, correct);
        }
    }
}

/* ---- programs, codes, leaves ---- */

STAGE static void
avx2_run(const struct ax_forest_slice_op *ops, uint32_t count, char *slots)
{
    for (uint32_t i = 0; i < count; i++) {
        __m256i select = _mm256_load_si256((const __m256i *)(slots + ops[i].select));
        __m256i left = _mm256_load_si256((const __m256i *)(slots + ops[i].left));
        __m256i right = _mm256_load_si256((const __m256i *)(slots + ops[i].right));
        __m256i out =
            _mm256_xor_si256(left, _mm256_and_si256(select, _mm256_xor_si256(left, right)));
        _mm256_store_si256((__m256i *)(slots + ops[i].out), out);
    }
}

STAGE static void
avx2_codes(const struct ax_forest_block *block, const uint32_t *plane_at, uint8_t *out)
{
    uint32_t planes = block->form->planes;
    for (size_t i = 0; i < ROWS / CHUNK; i++) {
        __m256i code = _mm256_setzero_si256();
        for (uint32_t p = 0; p < planes; p++) {
            uint32_t bits;
            memcpy(&bits, block->slots + plane_at[p] + i * sizeof bits, sizeof bits);
            code = _mm256_or_si256(code, ax_forest_avx2_spread(bits, 1 << p));
        }
        _mm256_store_si256((__m256i *)(out + CHUNK * i), code);
    }
}

UNROLL static void
leaves_wide(const struct ax_forest_block *block, const uint8_t *tables, size_t stride,
            const uint32_t count, double *sums)
{
    for (size_t r = 0; r < block->rows.count; r++) {
        double sum = block->rows.fast ? 0 : sums[r];
        for (uint32_t t = 0; t < count; t++)
            sum +=
                ((const double *)(const void *)(tables + t * stride))[block->codes[t * ROWS + r]];
        sums[r] = block->rows.fast ? sums[r] + sum : sum;
    }
}

UNROLL static void
leaves_narrow(const struct ax_forest_block *block, const uint8_t *tables, size_t stride,
              const uint32_t count, float *sums)
{
    for (size_t r = 0; r < block->rows.count; r++) {
        float sum = block->rows.fast ? 0 : sums[r];
        for (uint32_t t = 0; t < count; t++)
            sum += ((const float *)(const void *)(tables + t * stride))[block->codes[t * ROWS + r]];
        sums[r] = block->rows.fast ? sums[r] + sum : sum;
    }
}

/* A full group, or run, has a loop of its own, which unrolls. */
STAGE static void
avx2_leaves(const struct ax_forest_block *block, const uint8_t *tables, size_t stride,
            uint32_t count, void *sums)
{
    if (block->form->f32 && count == AX_FOREST_BATCH_GROUP)
        leaves_narrow(block, tables, stride, AX_FOREST_BATCH_GROUP, sums);
    else if (block->form->f32 && count == AX_FOREST_RUN)
        leaves_narrow(block, tables, stride, AX_FOREST_RUN, sums);
    else if (block->form->f32)
        leaves_narrow(block, tables, stride, count, sums);
    else if (count == AX_FOREST_BATCH_GROUP)
        leaves_wide(block, tables, stride, AX_FOREST_BATCH_GROUP, sums);
    else if (count == AX_FOREST_RUN)
        leaves_wide(block, tables, stride, AX_FOREST_RUN, sums);
    else
        leaves_wide(block, tables, stride, count, sums);
}

/* ---- what is laid out ---- */

static void
avx2_table(const double *cuts, uint32_t count, uint32_t levels, void *out)
{
    float *table = out;
    for (uint32_t l = 0; l < levels; l++)
        for (uint32_t j = 0; j < UINT32_C(1) << l; j++) {
            uint32_t middle = (j << (levels - l)) + (UINT32_C(1) << (levels - 1 - l)) - 1;
            table[(1 << l) + j] = middle < count ? ax_forest_float_below(cuts[middle]) : INFINITY;
        }
}

static const struct ax_forest_batch_ops avx2 = {
    .name = "K1 AVX2, 256 rows",
    .costs = {.cell = 0.5, .op = 1.5, .far = 1, .tree = 60, .leaf = 0.7},
    .rows = ROWS,
    .slot_bytes = SLOT_BYTES,
    .table_bytes = TABLE_FLOATS * sizeof(float),
    .step_count = STEPS,
    .spare = {1, 1},
    .predicates = avx2_predicates,
    .run = avx2_run,
    .codes = avx2_codes,
    .leaves = avx2_leaves,
    .table = avx2_table,
};

const struct ax_forest_batch_ops *const ax_forest_batch_avx2[] = {&avx2, NULL};
