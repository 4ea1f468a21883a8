/*
 * K1's stages in plain C: a bitmap of 64 rows is a word.
 *
 * Ranks are searched by halving among the double cuts, eight rows make eight bytes of ranks, and
 * an 8x8 bit transpose turns them into rank bits; the same transpose turns the planes of a code
 * back into bytes.
 * Cost per row and tree, in operations, with F columns of L bits, C cuts, T trees, M multiplexers
 * a tree: F/T * (4 L + 4) + 2 C / (64 T) + 7 M / 64 + 4.
 */
#include <string.h>

#include "engine/forest_batch.h"

enum { ROWS = 64, BYTES_AT_ONCE = 8, STEPS = 256 };

/* Bit j of byte i goes to bit i of byte j. Source: Warren, Hacker's Delight, 7-3. */
static uint64_t
transpose(uint64_t x)
{
    uint64_t t = (x ^ x >> 7) & UINT64_C(0x00AA00AA00AA00AA);
    x ^= t ^ t << 7;
    t = (x ^ x >> 14) & UINT64_C(0x0000CCCC0000CCCC);
    x ^= t ^ t << 14;
    t = (x ^ x >> 28) & UINT64_C(0x00000000F0F0F0F0);
    return x ^ t ^ t << 28;
}

static double
cell(const struct ax_forest_rows *rows, size_t row, uint32_t feature)
{
    const char *at = (const char *)rows->at + row * rows->stride_bytes;
    float narrow;
    double wide;
    if (rows->f32) {
        memcpy(&narrow, at + feature * sizeof narrow, sizeof narrow);
        return (double)narrow;
    }
    memcpy(&wide, at + feature * sizeof wide, sizeof wide);
    return wide;
}

static uint32_t
rank_of(const struct ax_forest_batch_column *column, const double *cuts, double x)
{
    uint32_t from = 0, room = column->cut_count;
    if (isnan(x))
        return column->missing;
    while (room > 1) {
        uint32_t half = room / 2;
        from += half & -(uint32_t)(cuts[from + half - 1] < x); /* no branch */
        room -= half;
    }
    return from + (room == 1 && cuts[from] < x);
}

/* Bit l of the ranks of the block's rows, for each l. */
static void
rank_planes(const struct ax_forest_block *block, const struct ax_forest_batch_column *column,
            uint64_t planes[8])
{
    const double *cuts = ax_forest_batch_at(block->form, column->cuts_at);
    memset(planes, 0, 8 * sizeof *planes);
    for (size_t r = 0; r < block->rows.count; r += BYTES_AT_ONCE) {
        uint64_t ranks = 0;
        for (size_t i = 0; i < BYTES_AT_ONCE && r + i < block->rows.count; i++)
            ranks |= (uint64_t)rank_of(column, cuts, cell(&block->rows, r + i, column->feature))
                     << 8 * i;
        ranks = transpose(ranks);
        for (size_t l = 0; l < 8; l++)
            planes[l] |= (ranks >> 8 * l & 255) << r;
    }
}

/* "rank > k" for all k: from the lowest bit up, each bit doubles how many are told apart. */
static void
widen(const uint64_t *planes, const struct ax_forest_batch_column *column, uint64_t *steps,
      uint64_t *out)
{
    uint64_t *narrow = steps;
    uint32_t narrow_count = 1;
    narrow[0] = 0;
    for (uint32_t l = 0; l < column->levels; l++) {
        bool last = l + 1 == column->levels;
        uint64_t *wide = last ? out : narrow + narrow_count;
        uint32_t limit = last ? column->cut_count : 2 * narrow_count;
        for (uint32_t k = 0; k < narrow_count && k < limit; k++)
            wide[k] = planes[l] | narrow[k];
        for (uint32_t k = narrow_count; k < limit; k++)
            wide[k] = planes[l] & narrow[k - narrow_count];
        narrow = wide;
        narrow_count *= 2;
    }
}

static void
portable_predicates(const struct ax_forest_block *block)
{
    const struct ax_forest_batch_form *form = block->form;
    const struct ax_forest_batch_column *columns = ax_forest_batch_at(form, form->columns_at);
    for (uint32_t i = 0; i < form->column_count; i++) {
        const struct ax_forest_batch_column *column = &columns[i];
        uint64_t planes[8], *slot = (uint64_t *)(block->slots + column->slot_at);
        rank_planes(block, column, planes);
        if (!column->is_sets)
            widen(planes, column, (uint64_t *)block->steps, slot);
        for (uint32_t l = 0; column->is_sets && l < column->levels; l++)
            slot[l] = planes[column->levels - 1 - l];
    }
}

static void
portable_run(const struct ax_forest_slice_op *ops, uint32_t count, char *slots)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t select = *(const uint64_t *)(slots + ops[i].select);
        uint64_t left = *(const uint64_t *)(slots + ops[i].left);
        uint64_t right = *(const uint64_t *)(slots + ops[i].right);
        *(uint64_t *)(slots + ops[i].out) = left ^ (select & (left ^ right));
    }
}

static void
portable_codes(const struct ax_forest_block *block, const uint32_t *plane_at, uint8_t *out)
{
    uint64_t planes[8] = {};
    for (uint32_t p = 0; p < block->form->planes; p++)
        planes[p] = *(const uint64_t *)(block->slots + plane_at[p]);
    for (size_t r = 0; r < ROWS; r += BYTES_AT_ONCE) {
        uint64_t codes = 0;
        for (size_t p = 0; p < 8; p++)
            codes |= (planes[p] >> r & 255) << 8 * p;
        codes = transpose(codes);
        for (size_t i = 0; i < BYTES_AT_ONCE; i++)
            out[r + i] = (uint8_t)(codes >> 8 * i);
    }
}

static void
leaves_wide(const struct ax_forest_block *block, const uint8_t *tables, size_t stride,
            uint32_t count, double *sums)
{
    for (size_t r = 0; r < block->rows.count; r++) {
        double sum = block->rows.fast ? 0 : sums[r];
        for (uint32_t t = 0; t < count; t++)
            sum +=
                ((const double *)(const void *)(tables + t * stride))[block->codes[t * ROWS + r]];
        sums[r] = block->rows.fast ? sums[r] + sum : sum;
    }
}

static void
leaves_narrow(const struct ax_forest_block *block, const uint8_t *tables, size_t stride,
              uint32_t count, float *sums)
{
    for (size_t r = 0; r < block->rows.count; r++) {
        float sum = block->rows.fast ? 0 : sums[r];
        for (uint32_t t = 0; t < count; t++)
            sum += ((const float *)(const void *)(tables + t * stride))[block->codes[t * ROWS + r]];
        sums[r] = block->rows.fast ? sums[r] + sum : sum;
    }
}

static void
portable_leaves(const struct ax_forest_block *block, const uint8_t *tables, size_t stride,
                uint32_t count, void *sums)
{
    if (block->form->f32)
        leaves_narrow(block, tables, stride, count, sums);
    else
        leaves_wide(block, tables, stride, count, sums);
}

static const struct ax_forest_batch_ops portable = {
    .name = "K1 portable, 64 rows",
    .costs = {.cell = 10, .op = 1, .tree = 40, .leaf = 3},
    .rows = ROWS,
    .slot_bytes = sizeof(uint64_t),
    .table_bytes = 0,
    .step_count = STEPS,
    .spare = {1, 1},
    .predicates = portable_predicates,
    .run = portable_run,
    .codes = portable_codes,
    .leaves = portable_leaves,
};

const struct ax_forest_batch_ops *const ax_forest_batch_portable[] = {&portable, NULL};
