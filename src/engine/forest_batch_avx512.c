/*
 * K1's stages for AVX-512: a bitmap of 512 rows is a register.
 *
 *   columns     rows -> float columns, rounded down, 8 features x 16 rows per step
 *   ranks       binary search among a column's cuts, 16 rows abreast, the cuts in registers
 *               (vpermps, vpermi2ps), four vectors in step so that each hides the others' latency
 *   predicates  the bits of the ranks -> all bitmaps "rank > k" of the column, two rank bits per
 *               ternary logic
 *   programs    a multiplexer of 512 rows is one ternary logic
 *   codes       code bits -> code bytes (8x8 bit transposes by gf2p8affineqb)
 *   leaves      the value's pieces come by in-register table lookup: whole (floats) or two dwords
 *               (doubles) up to 32 codes, words up to 64, bytes up to 256; unpacks put the pieces
 *               together. The order of rows that this leaves is undone once a block.
 * Exactness. A float x is above a cut if and only if it is above the cut rounded down to a float.
 * Doubles are rounded down too, and whether one of them was no float is told by one OR over their
 * last bits; only a value whose next cut rounds to the same float can then have too low a rank,
 * and those few are looked up again among the double cuts.
 *
 * Cost per row and tree, in 512-bit operations, with C cuts, F columns of L bits, T trees, M
 * multiplexers a tree:
 *   F/T * (0.4 + (3 L + 1)/16 + 0.2) + 1.33 C/(512 T) + M/512 (3 loads and a store each)
 *   + 32/512 + (27 | 34 | 40 | 56)/64 for doubles of <= 32 | 64 | 128 | 256 codes, a third of that
 *   and less for floats.
 * Blocks of 256 and 128 rows run the same program on narrower registers, of which the machine has
 * more a cycle.
 */
#include <immintrin.h>
#include <string.h>

#include "engine/forest_batch.h"

enum {
    ROWS = 512,
    SLOT_BYTES = 64,
    GROUPS = 8,  /* of 64 rows */
    ABREAST = 8, /* features loaded together */
    STEPS = 128,
    NEXT_AT = 304, /* floats: of a level's cuts, then of each code the cut that comes next */
    TABLE_FLOATS = NEXT_AT + 256,
};

#define STAGE  __attribute__((noinline)) /* once a block or tree: a profile then names it */
#define UNROLL __attribute__((always_inline)) inline
#define DOWN   (_MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)
#define OR3    0xFE

/* Where the cuts of a level of the search lie in a table. */
static const uint32_t level_at[8] = {0, 16, 32, 48, 64, 80, 112, 176};

/* ---- columns ---- */

struct loader {
    const char *at;
    size_t stride_bytes;
    size_t last; /* row that stands in for those beyond */
    __mmask8 some;
    bool f32;
};

UNROLL static __m512
load_two(const struct loader *loader, size_t row, __m512i *bits)
{
    size_t a = row < loader->last ? row : loader->last;
    size_t b = row + 4 < loader->last ? row + 4 : loader->last;
    const char *at = loader->at + a * loader->stride_bytes;
    const char *bt = loader->at + b * loader->stride_bytes;
    __m256 x, y;
    if (loader->f32) {
        x = _mm256_maskz_loadu_ps(loader->some, at);
        y = _mm256_maskz_loadu_ps(loader->some, bt);
    } else {
        __m512d xs = _mm512_maskz_loadu_pd(loader->some, at);
        __m512d ys = _mm512_maskz_loadu_pd(loader->some, bt);
        *bits =
            _mm512_ternarylogic_epi64(*bits, _mm512_castpd_si512(xs), _mm512_castpd_si512(ys), OR3);
        x = _mm512_cvt_roundpd_ps(xs, DOWN);
        y = _mm512_cvt_roundpd_ps(ys, DOWN);
    }
    return _mm512_insertf32x8(_mm512_castps256_ps512(x), y, 1);
}

/* Four vectors of 4 x 4 floats, a row in a lane, become four of a column in a lane. */
UNROLL static void
transpose_lanes(const __m512 x[4], __m512 out[4])
{
    __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(x[0], x[1]));
    __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(x[0], x[1]));
    __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(x[2], x[3]));
    __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(x[2], x[3]));
    out[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
    out[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
    out[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
    out[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
}

UNROLL static uint32_t
load_rows(struct loader loader, size_t count, float *out, size_t block_rows)
{
    __m512i bits = _mm512_setzero_si512();
    for (size_t r = 0; r < count; r += 16) {
        __m512 x[8], c[8];
        for (size_t i = 0; i < 8; i++) /* rows 0..3 with 4..7, then 8..11 with 12..15 */
            x[i] = load_two(&loader, r + (i & 3) + (i & 4) * 2, &bits);
        transpose_lanes(x, c);
        transpose_lanes(x + 4, c + 4);
        for (size_t i = 0; i < 4; i++) {
            _mm512_store_ps(out + i * block_rows + r, _mm512_shuffle_f32x4(c[i], c[i + 4], 0x88));
            _mm512_store_ps(out + (i + 4) * block_rows + r,
                            _mm512_shuffle_f32x4(c[i], c[i + 4], 0xDD));
        }
    }
    return _mm512_test_epi64_mask(bits, _mm512_set1_epi64(0x1FFFFFFF));
}

/* Eight features from `feature` on; returns a bit for each that has a value that is no float. */
STAGE static uint32_t
columns_load(const struct ax_forest_block *block, uint32_t feature, size_t block_rows)
{
    const struct ax_forest_rows *rows = &block->rows;
    uint32_t width = block->form->feature_count - feature;
    struct loader loader = {
        .at = (const char *)rows->at + feature * (rows->f32 ? sizeof(float) : sizeof(double)),
        .stride_bytes = rows->stride_bytes,
        .last = rows->count - 1,
        .some = (__mmask8)(width < ABREAST ? (1u << width) - 1 : 255u),
    };
    if (rows->f32) {
        loader.f32 = true;
        (void)load_rows(loader, rows->count, block->floats, block_rows);
        return 0;
    }
    loader.f32 = false;
    return load_rows(loader, rows->count, block->floats, block_rows);
}

/* ---- ranks ---- */

struct search {
    __mmask16 fifth, sixth; /* decisions that choose between registers of cuts */
};

/* Of 32 cuts. */
UNROLL static __m512
cut_of(const float *table, __m512i j)
{
    return _mm512_permutex2var_ps(_mm512_load_ps(table), j, _mm512_load_ps(table + 16));
}

/* The cut that decides level l, of 16 rows whose decisions so far are in j. */
UNROLL static __m512
next_cut(const float *table, __m512i j, const int l, const struct search *search)
{
    const float *t = table + level_at[l];
    if (l < 5)
        return _mm512_permutexvar_ps(j, _mm512_load_ps(t));
    __m512 cut = cut_of(t, j);
    if (l > 5)
        cut = _mm512_mask_blend_ps(search->fifth, cut, cut_of(t + 32, j));
    if (l > 6)
        cut = _mm512_mask_blend_ps(
            search->sixth, cut,
            _mm512_mask_blend_ps(search->fifth, cut_of(t + 64, j), cut_of(t + 96, j)));
    return cut;
}

/*
 * Codes of 64 rows: the ranks with their bits in reverse, the first decision in bit 0. Byte 4i+s
 * is row 16s+i. `levels` is a constant of each call, so that the tables stay in registers.
 */
UNROLL static __m512i
rank_group(const float *x, const float *table, __m512i missing, const int levels)
{
    __m512i rank[4];
    __m512 v[4];
    struct search search[4] = {};
    for (int s = 0; s < 4; s++) {
        v[s] = _mm512_load_ps(x + s * 16);
        rank[s] = _mm512_maskz_set1_epi32(
            _mm512_cmp_ps_mask(_mm512_set1_ps(table[0]), v[s], _CMP_LT_OQ), 1);
    }
    for (int l = 1; l < levels; l++)
        for (int s = 0; s < 4; s++) {
            __m512 cut = next_cut(table, rank[s], l, &search[s]);
            __mmask16 above = _mm512_cmp_ps_mask(cut, v[s], _CMP_LT_OQ);
            rank[s] = _mm512_mask_or_epi32(rank[s], above, rank[s], _mm512_set1_epi32(1 << l));
            if (l == 5)
                search[s].fifth = above;
            if (l == 6)
                search[s].sixth = above;
        }
    for (int s = 0; s < 4; s++)
        rank[s] =
            _mm512_mask_mov_epi32(rank[s], _mm512_cmp_ps_mask(v[s], v[s], _CMP_UNORD_Q), missing);
    __m512i even = _mm512_or_si512(rank[0], _mm512_slli_epi32(rank[1], 8));
    return _mm512_ternarylogic_epi64(even, _mm512_slli_epi32(rank[2], 16),
                                     _mm512_slli_epi32(rank[3], 24), OR3);
}

UNROLL static void
rank_groups(const struct ax_forest_batch_column *column, const float *table, const float *x,
            __m512i *out, const int levels, size_t groups)
{
    __m512i missing = _mm512_set1_epi32((int)column->missing_code);
    for (size_t g = 0; g < groups; g++)
        out[g] = rank_group(x + 64 * g, table, missing, levels);
}

STAGE static void
rank_rows(const struct ax_forest_batch_column *column, const float *table, const float *x,
          __m512i *out, size_t groups)
{
    switch (column->levels) {
    case 1:
        rank_groups(column, table, x, out, 1, groups);
        return;
    case 2:
        rank_groups(column, table, x, out, 2, groups);
        return;
    case 3:
        rank_groups(column, table, x, out, 3, groups);
        return;
    case 4:
        rank_groups(column, table, x, out, 4, groups);
        return;
    case 5:
        rank_groups(column, table, x, out, 5, groups);
        return;
    case 6:
        rank_groups(column, table, x, out, 6, groups);
        return;
    case 7:
        rank_groups(column, table, x, out, 7, groups);
        return;
    default:
        rank_groups(column, table, x, out, 8, groups);
        return;
    }
}

static double
double_at(const struct ax_forest_rows *rows, size_t row, uint32_t feature)
{
    double x;
    memcpy(&x, (const char *)rows->at + row * rows->stride_bytes + feature * sizeof x, sizeof x);
    return x;
}

__attribute__((noinline)) static void
correct_row(const struct ax_forest_block *block, const struct ax_forest_batch_column *column,
            double x, uint8_t *code)
{
    const double *cuts = ax_forest_batch_at(block->form, column->cuts_at);
    uint32_t rank = ax_forest_batch_reversed(*code, column->levels);
    while (rank < column->cut_count && cuts[rank] < x)
        rank++;
    *code = (uint8_t)ax_forest_batch_reversed(rank, column->levels);
}

/* Doubles that are no floats: the rank may be too low where the next cut is the same float. */
STAGE static void
correct_ranks(const struct ax_forest_block *block, const struct ax_forest_batch_column *column,
              const float *x, const float *table, uint8_t *codes)
{
    for (size_t r = 0; r < block->rows.count; r += 16) {
        __m512i code = _mm512_load_si512(codes + r / 64 * 64);
        code = _mm512_srl_epi32(code, _mm_cvtsi32_si128((int)(r / 16 % 4 * 8)));
        __m512 next =
            _mm512_i32gather_ps(_mm512_and_si512(code, _mm512_set1_epi32(255)), table + NEXT_AT, 4);
        unsigned tied = _mm512_cmp_ps_mask(next, _mm512_load_ps(x + r), _CMP_EQ_OQ);
        for (; tied; tied &= tied - 1) {
            size_t i = (size_t)__builtin_ctz(tied), row = r + i;
            if (row < block->rows.count)
                correct_row(block, column, double_at(&block->rows, row, column->feature),
                            codes + row / 64 * 64 + i * 4 + r / 16 % 4);
        }
    }
}

/* ---- predicates ---- */

/* Bits of 512 codes: an 8x8 bit transpose in every qword, one of bytes in every register, one of
 * qwords over the registers. The first is the highest bit of the ranks. */
STAGE static void
rank_planes(const __m512i codes[8], __m512i planes[8])
{
    const __m512i diagonal = _mm512_set1_epi64((long long)0x8040201008040201ull);
    alignas(64) static const uint8_t bytes[64] = {
        0,  8,  16, 24, 32, 40, 48, 56, 1,  9,  17, 25, 33, 41, 49, 57, 2,  10, 18, 26, 34, 42,
        50, 58, 3,  11, 19, 27, 35, 43, 51, 59, 4,  12, 20, 28, 36, 44, 52, 60, 5,  13, 21, 29,
        37, 45, 53, 61, 6,  14, 22, 30, 38, 46, 54, 62, 7,  15, 23, 31, 39, 47, 55, 63};
    __m512i gather = _mm512_load_si512(bytes), v[8], t[8];
    for (int i = 0; i < 8; i++)
        v[i] =
            _mm512_permutexvar_epi8(gather, _mm512_gf2p8affine_epi64_epi8(diagonal, codes[i], 0));
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm512_unpacklo_epi64(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi64(v[i], v[i + 1]);
    }
    for (int h = 0; h < 2; h++) { /* even planes, then odd ones */
        __m512i a = _mm512_shuffle_i64x2(t[h], t[h + 2], 0x88);
        __m512i b = _mm512_shuffle_i64x2(t[h], t[h + 2], 0xDD);
        __m512i c = _mm512_shuffle_i64x2(t[h + 4], t[h + 6], 0x88);
        __m512i d = _mm512_shuffle_i64x2(t[h + 4], t[h + 6], 0xDD);
        planes[h] = _mm512_shuffle_i64x2(a, c, 0x88);
        planes[h + 4] = _mm512_shuffle_i64x2(a, c, 0xDD);
        planes[h + 2] = _mm512_shuffle_i64x2(b, d, 0x88);
        planes[h + 6] = _mm512_shuffle_i64x2(b, d, 0xDD);
    }
}

/* A quarter of the ranks: what both bits and the rest of the rank make of "rank > k". */
#define WIDEN(name, table)                                                                         \
    static void name(__m512i high, __m512i low, const __m512i *narrow, int count, __m512i *out)    \
    {                                                                                              \
        for (int k = 0; k < count; k++)                                                            \
            out[k] = _mm512_ternarylogic_epi64(high, low, narrow[k], table);                       \
    }

WIDEN(widen_first, 0xFE)  /* either bit, or more of the rest */
WIDEN(widen_second, 0xF8) /* the high bit, or the low one and the rest */
WIDEN(widen_third, 0xE0)  /* the high bit, and the low one or the rest */
WIDEN(widen_fourth, 0x80) /* all of them */

/* out[k] = "rank > k" for k < count, from those of the bits below high and low. */
static void
widen_two(__m512i high, __m512i low, const __m512i *narrow, int narrow_count, int count,
          __m512i *out)
{
    int full = count / narrow_count, rest = count % narrow_count, n = narrow_count;
    widen_first(high, low, narrow, full > 0 ? n : rest, out);
    if (full >= 1)
        widen_second(high, low, narrow, full > 1 ? n : rest, out + n);
    if (full >= 2)
        widen_third(high, low, narrow, full > 2 ? n : rest, out + 2 * n);
    if (full >= 3)
        widen_fourth(high, low, narrow, full > 3 ? n : rest, out + 3 * n);
}

STAGE static void
widen(const __m512i *planes, int levels, int count, __m512i *steps, __m512i *out)
{
    __m512i *narrow = steps;
    int narrow_count = 1, done = 0;
    narrow[0] = _mm512_setzero_si512();
    if (levels & 1) {
        narrow[0] = planes[levels - 1];
        narrow[1] = _mm512_setzero_si512();
        narrow_count = 2;
        done = 1;
        if (levels == 1)
            out[0] = narrow[0];
    }
    for (; done < levels; done += 2) {
        bool last = done + 2 == levels;
        __m512i *wide = last ? out : narrow + narrow_count;
        widen_two(planes[levels - 2 - done], planes[levels - 1 - done], narrow, narrow_count,
                  last ? count : narrow_count * 4, wide);
        narrow = wide;
        narrow_count *= 4;
    }
}

static void
column_run(const struct ax_forest_block *block, const struct ax_forest_batch_column *column,
           const float *x, bool inexact)
{
    const float *table = ax_forest_batch_at(block->form, column->table_at);
    alignas(64) __m512i codes[GROUPS], planes[8];
    __m512i *slot = (__m512i *)(block->slots + column->slot_at);
    size_t groups = (block->rows.count + 63) / 64;
    for (size_t g = groups; g < GROUPS; g++)
        codes[g] = _mm512_setzero_si512();
    rank_rows(column, table, x, codes, groups);
    if (inexact)
        correct_ranks(block, column, x, table, (uint8_t *)codes);
    rank_planes(codes, planes);
    if (column->is_sets)
        memcpy(slot, planes, column->levels * sizeof *slot);
    else
        widen(planes, (int)column->levels, (int)column->cut_count, (__m512i *)block->steps, slot);
}

UNROLL static void
predicates_of(const struct ax_forest_block *block, size_t block_rows)
{
    const struct ax_forest_batch_form *form = block->form;
    const struct ax_forest_batch_column *columns = ax_forest_batch_at(form, form->columns_at);
    for (uint32_t i = 0; i < form->column_count;) {
        uint32_t feature = columns[i].feature;
        uint32_t inexact = columns_load(block, feature, block_rows);
        for (; i < form->column_count && columns[i].feature < feature + ABREAST; i++) {
            uint32_t place = columns[i].feature - feature;
            bool correct = inexact >> place & 1 || (columns[i].correct && !block->rows.f32);
            column_run(block, &columns[i], block->floats + place * block_rows, correct);
        }
    }
}

/* ---- codes ---- */

/* Code bytes of the planes of a tree; bits above the forest's planes are of no account. */
UNROLL static void
codes_of(const char *slots, const uint32_t *plane_at, __m512i out[8], const int planes)
{
    const __m512i diagonal = _mm512_set1_epi64((long long)0x8040201008040201ull);
    __m512i b[4][2], w[2][4];
    for (int i = 0; i < 4; i++) { /* the transpose reverses the order */
        int high = 7 - 2 * i, low = 6 - 2 * i;
        b[i][0] = b[i][1] = _mm512_setzero_si512();
        if (low >= planes)
            continue;
        __m512i a = high < planes ? _mm512_load_si512(slots + plane_at[high]) : b[i][0];
        __m512i c = _mm512_load_si512(slots + plane_at[low]);
        b[i][0] = _mm512_unpacklo_epi8(a, c);
        b[i][1] = _mm512_unpackhi_epi8(a, c);
    }
    for (int i = 0; i < 2; i++)
        for (int h = 0; h < 2; h++) {
            w[i][2 * h] = _mm512_unpacklo_epi16(b[2 * i][h], b[2 * i + 1][h]);
            w[i][2 * h + 1] = _mm512_unpackhi_epi16(b[2 * i][h], b[2 * i + 1][h]);
        }
    for (int h = 0; h < 4; h++) {
        out[2 * h] =
            _mm512_gf2p8affine_epi64_epi8(diagonal, _mm512_unpacklo_epi32(w[0][h], w[1][h]), 0);
        out[2 * h + 1] =
            _mm512_gf2p8affine_epi64_epi8(diagonal, _mm512_unpackhi_epi32(w[0][h], w[1][h]), 0);
    }
}

UNROLL static void
codes_store(const struct ax_forest_block *block, const uint32_t *plane_at, uint8_t *out,
            size_t block_rows)
{
    __m512i codes[8];
    switch (block->form->planes) {
    case 5:
        codes_of(block->slots, plane_at, codes, 5);
        break;
    case 6:
        codes_of(block->slots, plane_at, codes, 6);
        break;
    case 7:
        codes_of(block->slots, plane_at, codes, 7);
        break;
    default:
        codes_of(block->slots, plane_at, codes, 8);
        break;
    }
    for (size_t i = 0; i < 8; i++)
        if (block_rows == 512)
            _mm512_store_si512(out + 64 * i, codes[i]);
        else if (block_rows == 256)
            _mm256_store_si256((__m256i *)(out + 32 * i), _mm512_castsi512_si256(codes[i]));
        else
            _mm_store_si128((__m128i *)(out + 16 * i), _mm512_castsi512_si128(codes[i]));
}

/* ---- leaves ---- */

union sums {
    __m512d wide[8];
    __m512 narrow[4];
};

/* Adds register i of 64 rows' values. */
UNROLL static void
add(union sums *sums, int i, __m512i value, const bool f32)
{
    if (f32)
        sums->narrow[i] = _mm512_add_ps(sums->narrow[i], _mm512_castsi512_ps(value));
    else
        sums->wide[i] = _mm512_add_pd(sums->wide[i], _mm512_castsi512_pd(value));
}

UNROLL static void
leaves_of_32(union sums *sums, __m512i codes, const __m512i *table, const bool f32)
{
    for (int s = 0; s < 4; s++) {
        __m512i j = s ? _mm512_srli_epi32(codes, (unsigned)(8 * s)) : codes;
        __m512i low = _mm512_permutex2var_epi32(table[0], j, table[1]);
        if (f32) {
            add(sums, s, low, true);
            continue;
        }
        __m512i high = _mm512_permutex2var_epi32(table[2], j, table[3]);
        add(sums, 2 * s, _mm512_unpacklo_epi32(low, high), false);
        add(sums, 2 * s + 1, _mm512_unpackhi_epi32(low, high), false);
    }
}

UNROLL static void
leaves_of_64(union sums *sums, __m512i codes, const __m512i *table, const bool f32)
{
    for (int s = 0; s < 2; s++) {
        __m512i j = s ? _mm512_srli_epi16(codes, 8) : codes, w[4];
        for (int i = 0; i < (f32 ? 2 : 4); i++)
            w[i] = _mm512_permutex2var_epi16(table[2 * i], j, table[2 * i + 1]);
        __m512i a = _mm512_unpacklo_epi16(w[0], w[1]), b = _mm512_unpackhi_epi16(w[0], w[1]);
        if (f32) {
            add(sums, 2 * s, a, true);
            add(sums, 2 * s + 1, b, true);
            continue;
        }
        __m512i c = _mm512_unpacklo_epi16(w[2], w[3]), d = _mm512_unpackhi_epi16(w[2], w[3]);
        add(sums, 4 * s, _mm512_unpacklo_epi32(a, c), false);
        add(sums, 4 * s + 1, _mm512_unpackhi_epi32(a, c), false);
        add(sums, 4 * s + 2, _mm512_unpacklo_epi32(b, d), false);
        add(sums, 4 * s + 3, _mm512_unpackhi_epi32(b, d), false);
    }
}

/* Byte i of the values of 64 codes. */
UNROLL static __m512i
byte_of(__m512i codes, const __m512i *table, int i, const int planes)
{
    if (planes == 7)
        return _mm512_permutex2var_epi8(table[2 * i], codes, table[2 * i + 1]);
    return _mm512_mask_blend_epi8(
        _mm512_movepi8_mask(codes), _mm512_permutex2var_epi8(table[4 * i], codes, table[4 * i + 1]),
        _mm512_permutex2var_epi8(table[4 * i + 2], codes, table[4 * i + 3]));
}

UNROLL static void
leaves_of_bytes(union sums *sums, __m512i codes, const __m512i *table, const int planes,
                const bool f32)
{
    const int pairs = f32 ? 2 : 4;
    __m512i b[4][2], w[2][4];
    for (int i = 0; i < pairs; i++) {
        __m512i even = byte_of(codes, table, 2 * i, planes);
        __m512i odd = byte_of(codes, table, 2 * i + 1, planes);
        b[i][0] = _mm512_unpacklo_epi8(even, odd);
        b[i][1] = _mm512_unpackhi_epi8(even, odd);
    }
    for (int i = 0; i < pairs / 2; i++)
        for (int h = 0; h < 2; h++) {
            w[i][2 * h] = _mm512_unpacklo_epi16(b[2 * i][h], b[2 * i + 1][h]);
            w[i][2 * h + 1] = _mm512_unpackhi_epi16(b[2 * i][h], b[2 * i + 1][h]);
        }
    for (int h = 0; h < 4; h++) {
        if (f32) {
            add(sums, h, w[0][h], true);
            continue;
        }
        add(sums, 2 * h, _mm512_unpacklo_epi32(w[0][h], w[1][h]), false);
        add(sums, 2 * h + 1, _mm512_unpackhi_epi32(w[0][h], w[1][h]), false);
    }
}

struct leaf_job {
    const uint8_t *codes; /* of the first tree and the 64 rows */
    size_t codes_stride;
    const uint8_t *tables;
    size_t stride;
    uint32_t count;
    bool fast; /* a run: summed from zero, then added */
};

/* A run's sums to those there are. */
UNROLL static void
sums_add(union sums *sums, const union sums *run, const bool f32)
{
    for (int i = 0; i < (f32 ? 4 : 8); i++)
        add(sums, i, f32 ? _mm512_castps_si512(run->narrow[i]) : _mm512_castpd_si512(run->wide[i]),
            f32);
}

UNROLL static void
leaves_of(const struct leaf_job *job, void *at, const int planes, const bool f32)
{
    union sums sums, before;
    memcpy(&before, at, f32 ? sizeof sums.narrow : sizeof sums.wide);
    sums = before;
    if (job->fast)
        memset(&sums, 0, sizeof sums);
    for (uint32_t t = 0; t < job->count; t++) {
        __m512i codes = _mm512_load_si512(job->codes + t * job->codes_stride);
        const __m512i *table = (const __m512i *)(job->tables + t * job->stride);
        if (planes == 5)
            leaves_of_32(&sums, codes, table, f32);
        else if (planes == 6)
            leaves_of_64(&sums, codes, table, f32);
        else
            leaves_of_bytes(&sums, codes, table, planes, f32);
    }
    if (job->fast)
        sums_add(&sums, &before, f32);
    memcpy(at, &sums, f32 ? sizeof sums.narrow : sizeof sums.wide);
}

/* Sums of 64 rows stay in registers over the trees. */
UNROLL static void
leaves_of_type(const struct leaf_job *job, void *at, uint32_t planes, const bool f32)
{
    switch (planes) {
    case 5:
        leaves_of(job, at, 5, f32);
        return;
    case 6:
        leaves_of(job, at, 6, f32);
        return;
    case 7:
        leaves_of(job, at, 7, f32);
        return;
    default:
        leaves_of(job, at, 8, f32);
        return;
    }
}

UNROLL static void
leaves_add(const struct ax_forest_block *block, struct leaf_job job, void *sums, size_t block_rows)
{
    const struct ax_forest_batch_form *form = block->form;
    job.codes_stride = block_rows;
    job.fast = block->rows.fast;
    for (size_t g = 0; g < block_rows / 64; g++) {
        job.codes = block->codes + 64 * g;
        if (form->f32)
            leaves_of_type(&job, (float *)sums + 64 * g, form->planes, true);
        else
            leaves_of_type(&job, (double *)sums + 64 * g, form->planes, false);
    }
}

/* ---- what is laid out ---- */

static void
table_build(const double *cuts, uint32_t count, uint32_t levels, void *out)
{
    float *table = out;
    for (uint32_t l = 0; l < levels; l++)
        for (uint32_t j = 0; j < (l < 4 ? 16 : UINT32_C(1) << l); j++) {
            uint32_t path = j & ((UINT32_C(1) << l) - 1);
            uint32_t middle =
                ax_forest_batch_reversed(path, levels) + (UINT32_C(1) << (levels - 1 - l)) - 1;
            table[level_at[l] + j] =
                middle < count ? ax_forest_float_below(cuts[middle]) : INFINITY;
        }
    for (uint32_t rank = 0; rank < UINT32_C(1) << levels; rank++)
        table[NEXT_AT + ax_forest_batch_reversed(rank, levels)] =
            rank < count ? ax_forest_float_below(cuts[rank]) : INFINITY;
}

/* Bytes of a value that a lookup finds at once, and so lie together. */
static size_t
piece_bytes(uint32_t planes)
{
    return planes == 5 ? 4 : planes == 6 ? 2 : 1;
}

static void
leaf_table_build(const double *values, uint32_t planes, bool f32, uint8_t *out)
{
    size_t codes = (size_t)1 << planes, piece = piece_bytes(planes);
    for (size_t code = 0; code < codes; code++) {
        uint8_t bytes[sizeof(double)];
        float narrow = (float)values[code];
        size_t count = f32 ? sizeof narrow : sizeof values[code];
        memcpy(bytes, f32 ? (const void *)&narrow : (const void *)&values[code], count);
        for (size_t i = 0; i < count; i++)
            out[(i / piece * codes + code) * piece + i % piece] = bytes[i];
    }
}

/* The byte of a register of codes whose row's sum is element e of register i. */
static uint32_t
byte_of_sum(uint32_t planes, bool f32, uint32_t i, uint32_t e)
{
    uint32_t lane = f32 ? e >> 2 : e >> 1, v = f32 ? e & 3 : e & 1;
    if (f32 && planes == 5)
        return 16 * lane + 4 * v + i;
    if (f32 && planes == 6)
        return 2 * (8 * lane + 4 * (i & 1) + v) + (i >> 1);
    if (f32)
        return 16 * lane + 4 * i + v;
    if (planes == 5)
        return 16 * lane + 8 * (i & 1) + 4 * v + (i >> 1);
    if (planes == 6)
        return 2 * (8 * lane + 2 * (i & 3) + v) + (i >> 2);
    return 16 * lane + 2 * i + v;
}

/* Follows the unpacks of codes_of and of the lookups. */
static void
order_build(uint32_t planes, bool f32, uint32_t rows, uint16_t *out)
{
    uint32_t elements = f32 ? 16 : 8, width = rows / 8;
    for (uint32_t at = 0; at < rows; at++) {
        uint32_t byte = at / 64 * 64 + byte_of_sum(planes, f32, at % 64 / elements, at % elements);
        uint32_t g = byte / width, y = byte % width; /* register of codes_of, byte in it */
        uint32_t plane_byte = 16 * (y >> 4) + 2 * g + (y >> 3 & 1);
        uint32_t word = plane_byte / 8, bit = 8 * (plane_byte & 7) + 7 - (y & 7);
        out[at] = (uint16_t)(64 * word + 16 * (bit & 3) + (bit >> 2));
    }
}

/* ---- the three sizes of block ---- */

STAGE static void
run_512(const struct ax_forest_slice_op *ops, uint32_t count, char *slots)
{
    for (uint32_t i = 0; i < count; i++) {
        __m512i select = _mm512_load_si512(slots + ops[i].select);
        __m512i left = _mm512_load_si512(slots + ops[i].left);
        __m512i right = _mm512_load_si512(slots + ops[i].right);
        _mm512_store_si512(slots + ops[i].out,
                           _mm512_ternarylogic_epi64(select, right, left, 0xCA));
    }
}

STAGE static void
run_256(const struct ax_forest_slice_op *ops, uint32_t count, char *slots)
{
    for (uint32_t i = 0; i < count; i++) {
        __m256i select = _mm256_load_si256((const __m256i *)(slots + ops[i].select));
        __m256i left = _mm256_load_si256((const __m256i *)(slots + ops[i].left));
        __m256i right = _mm256_load_si256((const __m256i *)(slots + ops[i].right));
        _mm256_store_si256((__m256i *)(slots + ops[i].out),
                           _mm256_ternarylogic_epi64(select, right, left, 0xCA));
    }
}

STAGE static void
run_128(const struct ax_forest_slice_op *ops, uint32_t count, char *slots)
{
    for (uint32_t i = 0; i < count; i++) {
        __m128i select = _mm_load_si128((const __m128i *)(slots + ops[i].select));
        __m128i left = _mm_load_si128((const __m128i *)(slots + ops[i].left));
        __m128i right = _mm_load_si128((const __m128i *)(slots + ops[i].right));
        _mm_store_si128((__m128i *)(slots + ops[i].out),
                        _mm_ternarylogic_epi64(select, right, left, 0xCA));
    }
}

#define SIZE(rows_)                                                                                \
    static void predicates_##rows_(const struct ax_forest_block *block)                            \
    {                                                                                              \
        predicates_of(block, rows_);                                                               \
    }                                                                                              \
    STAGE static void codes_##rows_(const struct ax_forest_block *block, const uint32_t *plane_at, \
                                    uint8_t *out)                                                  \
    {                                                                                              \
        codes_store(block, plane_at, out, rows_);                                                  \
    }                                                                                              \
    STAGE static void leaves_##rows_(const struct ax_forest_block *block, const uint8_t *tables,   \
                                     size_t stride, uint32_t trees, void *sums)                    \
    {                                                                                              \
        struct leaf_job job = {.tables = tables, .stride = stride, .count = trees};                \
        leaves_add(block, job, sums, rows_);                                                       \
    }                                                                                              \
    static void order_##rows_(uint32_t planes, bool f32, uint16_t *out)                            \
    {                                                                                              \
        order_build(planes, f32, rows_, out);                                                      \
    }                                                                                              \
    static const struct ax_forest_batch_ops size_##rows_ = {                                       \
        .name = "K1 AVX-512, " #rows_ " rows",                                                     \
        .costs = {.cell = 0.15, .op = 1.6, .far = 1, .code = 0.7, .tree = 15, .leaf = 0.1},        \
        .rows = rows_,                                                                             \
        .slot_bytes = SLOT_BYTES,                                                                  \
        .table_bytes = TABLE_FLOATS * sizeof(float),                                               \
        .step_count = STEPS,                                                                       \
        .code = true,                                                                              \
        .spare = {1, 2},                                                                           \
        .predicates = predicates_##rows_,                                                          \
        .run = run_##rows_,                                                                        \
        .codes = codes_##rows_,                                                                    \
        .leaves = leaves_##rows_,                                                                  \
        .table = table_build,                                                                      \
        .leaf_table = leaf_table_build,                                                            \
        .order = order_##rows_,                                                                    \
    }

SIZE(512);
SIZE(256);
SIZE(128);

const struct ax_forest_batch_ops *const ax_forest_batch_avx512[] = {&size_512, &size_256, &size_128,
                                                                    NULL};
