/*
 * The two kernels of shap_node.h: one row with points in lanes, and eight rows in lanes. The idea,
 * the order of additions and the cost stand there. Included once a level.
 */
#pragma once

#include "engine/shap_lanes.h"
#include "engine/shap_level.h"

enum { AX_FOUR = AX_SHAP_NODE_LANES, AX_CLASSES = AX_SHAP_NODE_CLASSES };

/* Calls with a class that is a constant, so that loops over features are unrolled. */
#define AX_FOR_CLASS(class, call)                                                                  \
    do {                                                                                           \
        switch (class) {                                                                           \
        case 0:                                                                                    \
            call(0);                                                                               \
            break;                                                                                 \
        case 1:                                                                                    \
            call(1);                                                                               \
            break;                                                                                 \
        case 2:                                                                                    \
            call(2);                                                                               \
            break;                                                                                 \
        default:                                                                                   \
            call(3);                                                                               \
            break;                                                                                 \
        }                                                                                          \
    } while (0)

/* The same for the bits of a lookup. */
#define AX_FOR_BITS(bits, call)                                                                    \
    do {                                                                                           \
        if ((bits) == 3)                                                                           \
            call(3);                                                                               \
        else if ((bits) == 0)                                                                      \
            call(0);                                                                               \
        else if ((bits) <= 2)                                                                      \
            call(2);                                                                               \
        else if ((bits) == 4)                                                                      \
            call(4);                                                                               \
        else                                                                                       \
            call(5);                                                                               \
    } while (0)

/* ---- one row ---- */

struct ax_shap_row {
    const struct ax_shap_nodes *nodes;
    const struct ax_shap_node_block *block;
    const struct ax_shap_node_work *work;
    const uint8_t *bits;
};

AX_LANES_INLINE void
ax_shap_row_units_up(const struct ax_shap_row *row, uint32_t first, uint32_t slot,
                     const uint32_t class, const uint32_t fours)
{
    const struct ax_shap_node_unit *units = row->block->units + first;
    const size_t stride = (size_t)(1 + class) * fours * AX_FOUR;
    const double **where = row->work->where + first;
    double *g = row->work->g + (size_t)slot * fours * AX_FOUR;
    for (uint32_t i = 0; i < row->block->unit_count[class]; i++) {
        const struct ax_shap_node_unit *unit = &units[i];
        uint64_t state = ax_lanes_extract(ax_lanes_word(row->bits, unit->byte), unit->mask);
        const double *entry = row->nodes->values + unit->points_table + state * stride;
        where[i] = entry;
        for (uint32_t v = 0; v < fours; v++, g += AX_FOUR)
            ax_four_store(g, ax_four_load(entry + v * AX_FOUR));
    }
}

AX_LANES_INLINE void
ax_shap_row_tops_up(const struct ax_shap_row *row, const uint32_t fours)
{
    const size_t step = (size_t)fours * AX_FOUR;
    const struct ax_shap_row_top *tops = row->block->row_tops;
    const double *values = row->nodes->values;
    const uint8_t *bits = row->bits;
    double *g = row->work->g, *a = row->work->a, *zs = row->work->z;
    for (uint32_t i = row->block->top_count; i-- > 0;) {
        const struct ax_shap_row_top *top = &tops[i];
        const double *states = values + top->states, *tau = values + top->tau;
        const double *left = g + top->left * step, *right = g + top->right * step;
        uint64_t state = ax_lanes_extract(ax_lanes_word(bits, top->byte), top->mask);
        struct ax_four rho = ax_four_of(states[0]), s = ax_four_of(states[1 + state]);
        for (uint32_t v = 0; v < step; v += AX_FOUR) {
            const size_t at = i * step + v;
            struct ax_four below = ax_four_load(right + v);
            struct ax_four gap = ax_four_subtract(ax_four_load(left + v), below);
            struct ax_four z = ax_four_add(rho, ax_four_multiply(s, ax_four_load(tau + v)));
            struct ax_four slope = ax_four_multiply(s, ax_four_load(tau + step + v));
            ax_four_store(g + at, ax_four_add(below, ax_four_multiply(z, gap)));
            ax_four_store(a + at, ax_four_multiply(slope, gap));
            ax_four_store(zs + at, z);
        }
    }
}

/* Leaves in a[i] (the first four of its points) what top i gives. */
AX_LANES_INLINE void
ax_shap_row_tops_down(const struct ax_shap_row *row, const uint32_t fours)
{
    const struct ax_shap_node_block *block = row->block;
    const struct ax_shap_row_top *tops = block->row_tops;
    const size_t step = (size_t)fours * AX_FOUR;
    const double *weights = row->nodes->values + block->weights;
    double *p = row->work->g, *a = row->work->a;
    const double *zs = row->work->z;
    for (uint32_t t = 0; t < block->tree_count; t++)
        for (uint32_t v = 0; v < step; v += AX_FOUR)
            ax_four_store(p + block->trees[t].row_root * step + v, ax_four_load(weights + v));
    for (uint32_t i = 0, end = block->top_count; i < end; i++) {
        double *to_left = p + tops[i].left * step, *to_right = p + tops[i].right * step;
        struct ax_four sum = ax_four_of(0);
        for (uint32_t v = 0; v < step; v += AX_FOUR) {
            const size_t at = i * step + v;
            struct ax_four here = ax_four_load(p + at);
            struct ax_four left = ax_four_multiply(here, ax_four_load(zs + at));
            struct ax_four given = ax_four_multiply(here, ax_four_load(a + at));
            ax_four_store(to_left + v, left);
            ax_four_store(to_right + v, ax_four_subtract(here, left));
            sum = v == 0 ? given : ax_four_add(sum, given);
        }
        ax_four_store(a + i * step, sum);
    }
}

/* Adds what tops give, tree by tree. */
AX_LANES_INLINE void
ax_shap_row_tops_add(const struct ax_shap_row *row, const uint32_t fours)
{
    const struct ax_shap_node_block *block = row->block;
    const uint32_t *slot = block->row_slots;
    const size_t step = (size_t)fours * AX_FOUR;
    const double *a = row->work->a;
    double *sums = row->work->sums;
    uint32_t i = 0;
    _Alignas(32) double given[4];
    for (; i + 4 <= block->top_count; i += 4) {
        struct ax_four x[4];
        for (uint32_t k = 0; k < 4; k++)
            x[k] = ax_four_load(a + slot[i + k] * step);
        ax_four_store(given, ax_four_sums(x));
        for (uint32_t k = 0; k < 4; k++)
            sums[block->tops[i + k].column] += given[k];
    }
    for (; i < block->top_count; i++) {
        const double *x = a + slot[i] * step;
        sums[block->tops[i].column] += (x[0] + x[1]) + (x[2] + x[3]);
    }
}

/* What up to four units give to one of their features; p: the first one's. */
AX_LANES_INLINE struct ax_four
ax_shap_row_units_given(const double *p, const double *const *where, const uint32_t count,
                        const uint32_t f, const uint32_t fours)
{
    struct ax_four x[4] = {ax_four_of(0), ax_four_of(0), ax_four_of(0), ax_four_of(0)};
    for (uint32_t k = 0; k < count; k++)
        for (uint32_t v = 0; v < fours; v++) {
            struct ax_four given =
                ax_four_multiply(ax_four_load(p + (k * fours + v) * AX_FOUR),
                                 ax_four_load(where[k] + ((1 + f) * fours + v) * AX_FOUR));
            x[k] = v == 0 ? given : ax_four_add(x[k], given);
        }
    return ax_four_sums(x);
}

AX_LANES_INLINE void
ax_shap_row_units_down(const struct ax_shap_row *row, uint32_t first, uint32_t slot,
                       const uint32_t class, const uint32_t fours)
{
    const struct ax_shap_node_unit *unit = row->block->units + first;
    const double *const *where = row->work->where + first;
    const double *p = row->work->g + (size_t)slot * fours * AX_FOUR;
    double *sums = row->work->sums + class * row->nodes->column_count;
    _Alignas(32) double given[AX_SHAP_NODE_UNIT_NODES][4];
    for (uint32_t left = row->block->unit_count[class]; left > 0;) {
        uint32_t count = left < 4 ? left : 4;
        for (uint32_t f = 0; f < class; f++)
            ax_four_store(given[f], count == 4
                                        ? ax_shap_row_units_given(p, where, 4, f, fours)
                                        : ax_shap_row_units_given(p, where, count, f, fours));
        for (uint32_t k = 0; k < count; k++)
            for (uint32_t f = 0; f < class; f++)
                sums[unit[k].column[f]] += given[f][k];
        left -= count;
        unit += count;
        where += count;
        p += (size_t)count * fours * AX_FOUR;
    }
}

AX_LANES_INLINE void
ax_shap_row_block(const struct ax_shap_row *row, const uint32_t fours)
{
    const struct ax_shap_node_block *block = row->block;
    uint32_t first = 0;
#define AX_UP(class)   ax_shap_row_units_up(row, first, block->top_count + first, class, fours)
#define AX_DOWN(class) ax_shap_row_units_down(row, first, block->top_count + first, class, fours)
    for (uint32_t class = AX_CLASSES; class -- > 0; first += block->unit_count[class])
        AX_FOR_CLASS(class, AX_UP);
    ax_shap_row_tops_up(row, fours);
    ax_shap_row_tops_down(row, fours);
    ax_shap_row_tops_add(row, fours);
    first = 0;
    for (uint32_t class = AX_CLASSES; class -- > 1; first += block->unit_count[class])
        AX_FOR_CLASS(class, AX_DOWN);
#undef AX_UP
#undef AX_DOWN
}

static void
ax_shap_row_block_1(const struct ax_shap_row *row)
{
    ax_shap_row_block(row, 1);
}

static void
ax_shap_row_block_2(const struct ax_shap_row *row)
{
    ax_shap_row_block(row, 2);
}

static void
ax_shap_row_block_any(const struct ax_shap_row *row)
{
    ax_shap_row_block(row, row->block->lanes / AX_FOUR);
}

static void
ax_shap_node_row(const struct ax_shap_nodes *nodes, const uint8_t *bits,
                 const struct ax_shap_node_work *work, double *out)
{
    struct ax_shap_row row = {.nodes = nodes, .work = work, .bits = bits};
    const size_t columns = nodes->column_count;
    const double *sums = work->sums;
    memset(work->sums, 0, AX_CLASSES * columns * sizeof *sums);
    for (size_t b = 0; b < nodes->block_count; b++) {
        row.block = &nodes->blocks[b];
        if (row.block->lanes == AX_FOUR)
            ax_shap_row_block_1(&row);
        else if (row.block->lanes == 2 * AX_FOUR)
            ax_shap_row_block_2(&row);
        else
            ax_shap_row_block_any(&row);
    }
    for (size_t c = 0; c < columns; c++)
        out[c] = (sums[c] + sums[columns + c]) + (sums[2 * columns + c] + sums[3 * columns + c]);
}

/* ---- eight rows ---- */

struct ax_shap_rows {
    const struct ax_shap_nodes *nodes;
    const struct ax_shap_node_block *block;
    const struct ax_shap_node_tree *tree;
    const struct ax_shap_node_work *work;
    const uint64_t *words;
    unsigned shift; /* of the eight rows in a word */
    double *sums;   /* [class][column][8] */
};

/* A sum over points, in the order of one row's four lanes. */
struct ax_shap_total {
    struct ax_lanes lane[AX_FOUR];
};

AX_LANES_INLINE struct ax_shap_total
ax_shap_total_of_none(void)
{
    return (struct ax_shap_total){{ax_lanes_of(0), ax_lanes_of(0), ax_lanes_of(0), ax_lanes_of(0)}};
}

AX_LANES_INLINE void
ax_shap_total_add(struct ax_shap_total *total, uint32_t q, struct ax_lanes given)
{
    total->lane[q % AX_FOUR] = q < AX_FOUR ? given : ax_lanes_add(total->lane[q % AX_FOUR], given);
}

/* Sums of zeros are left out, which changes no bit. */
AX_LANES_INLINE struct ax_lanes
ax_shap_total_sum(const struct ax_shap_total *total, const uint32_t points)
{
    const struct ax_lanes *lane = total->lane;
    if (points == 1)
        return lane[0];
    struct ax_lanes low = ax_lanes_add(lane[0], lane[1]);
    if (points == 2)
        return low;
    return ax_lanes_add(low, points == 3 ? lane[2] : ax_lanes_add(lane[2], lane[3]));
}

AX_LANES_INLINE void
ax_shap_rows_add(double *to, struct ax_lanes given)
{
    ax_lanes_store(to, ax_lanes_add(ax_lanes_load(to), given));
}

AX_LANES_INLINE uint64_t
ax_shap_rows_index(const struct ax_shap_rows *rows, const struct ax_shap_node_unit *unit)
{
    uint64_t index = 0;
    for (unsigned b = 0; b < unit->bits; b++)
        index |= ax_lanes_spread((uint8_t)(rows->words[unit->slot[b]] >> rows->shift)) << b;
    return index;
}

AX_LANES_INLINE void
ax_shap_rows_unit_up(const struct ax_shap_rows *rows, uint32_t at, size_t slot,
                     const uint32_t class, const uint32_t points)
{
    const struct ax_shap_node_unit *unit = &rows->block->units[at];
    const double *table = rows->work->tables + unit->rows_table;
    const size_t step = (size_t)(1 + class) << unit->bits;
    const uint64_t index = rows->work->index[slot] = ax_shap_rows_index(rows, unit);
    double *g = rows->work->g + slot * points * AX_LANES;
#define AX_LOOK_UP(bits)                                                                           \
    for (uint32_t q = 0; q < points; q++)                                                          \
    ax_lanes_store(g + q * AX_LANES, ax_lanes_lookup(table + q * step, bits, index))
    AX_FOR_BITS(unit->bits, AX_LOOK_UP);
#undef AX_LOOK_UP
}

AX_LANES_INLINE void
ax_shap_rows_unit_down(const struct ax_shap_rows *rows, uint32_t at, size_t slot,
                       const uint32_t class, const uint32_t points)
{
    const struct ax_shap_node_unit *unit = &rows->block->units[at];
    const size_t states = (size_t)1 << unit->bits, step = (1 + class) * states;
    const double *table = rows->work->tables + unit->rows_table;
    const double *p = rows->work->g + slot * points * AX_LANES;
    const uint64_t index = rows->work->index[slot];
    double *sums = rows->sums + class * rows->nodes->column_count * AX_LANES;
    for (uint32_t f = 0; f < class; f++) {
        struct ax_shap_total total = ax_shap_total_of_none();
        const double *entry = table + (1 + f) * states;
#define AX_LOOK_UP(bits)                                                                           \
    for (uint32_t q = 0; q < points; q++)                                                          \
    ax_shap_total_add(&total, q,                                                                   \
                      ax_lanes_multiply(ax_lanes_load(p + q * AX_LANES),                           \
                                        ax_lanes_lookup(entry + q * step, bits, index)))
        AX_FOR_BITS(unit->bits, AX_LOOK_UP);
#undef AX_LOOK_UP
        ax_shap_rows_add(sums + (size_t)unit->column[f] * AX_LANES,
                         ax_shap_total_sum(&total, points));
    }
}

AX_LANES_INLINE void
ax_shap_rows_tops_up(const struct ax_shap_rows *rows, const uint32_t points)
{
    const double *values = rows->nodes->values;
    const size_t step = (size_t)points * AX_LANES;
    double *g = rows->work->g;
    for (uint32_t i = rows->tree->top_count; i-- > 0;) {
        const struct ax_shap_top *top = &rows->block->tops[rows->tree->top_first + i];
        const double rho = values[top->states], *tau = values + top->tau;
        struct ax_lanes s =
            ax_lanes_choose((uint8_t)(rows->work->left[i] >> rows->shift),
                            (uint8_t)(rows->work->live[i] >> rows->shift), 1 - rho, -rho);
        const double *left = g + top->left * step, *right = g + top->right * step;
        for (uint32_t q = 0; q < points; q++) {
            struct ax_lanes below = ax_lanes_load(right + q * AX_LANES);
            struct ax_lanes gap = ax_lanes_subtract(ax_lanes_load(left + q * AX_LANES), below);
            struct ax_lanes z =
                ax_lanes_add(ax_lanes_of(rho), ax_lanes_multiply(s, ax_lanes_of(tau[q])));
            struct ax_lanes slope =
                top->same < 0 ? s : ax_lanes_multiply(s, ax_lanes_of(tau[rows->block->lanes + q]));
            ax_lanes_store(g + i * step + q * AX_LANES,
                           ax_lanes_add(below, ax_lanes_multiply(z, gap)));
            ax_lanes_store(rows->work->a + i * step + q * AX_LANES, ax_lanes_multiply(slope, gap));
            ax_lanes_store(rows->work->z + i * step + q * AX_LANES, z);
        }
    }
}

AX_LANES_INLINE void
ax_shap_rows_tops_down(const struct ax_shap_rows *rows, const uint32_t points)
{
    const double *weights = rows->nodes->values + rows->block->weights;
    const size_t step = (size_t)points * AX_LANES;
    double *p = rows->work->g;
    for (uint32_t q = 0; q < points; q++)
        ax_lanes_store(p + rows->tree->root * step + q * AX_LANES, ax_lanes_of(weights[q]));
    for (uint32_t i = 0; i < rows->tree->top_count; i++) {
        const struct ax_shap_top *top = &rows->block->tops[rows->tree->top_first + i];
        struct ax_shap_total total = ax_shap_total_of_none();
        double *to_left = p + top->left * step, *to_right = p + top->right * step;
        for (uint32_t q = 0; q < points; q++) {
            const size_t at = i * step + q * AX_LANES;
            struct ax_lanes here = ax_lanes_load(p + at);
            struct ax_lanes left = ax_lanes_multiply(here, ax_lanes_load(rows->work->z + at));
            ax_lanes_store(to_left + q * AX_LANES, left);
            ax_lanes_store(to_right + q * AX_LANES, ax_lanes_subtract(here, left));
            ax_shap_total_add(&total, q,
                              ax_lanes_multiply(here, ax_lanes_load(rows->work->a + at)));
        }
        ax_shap_rows_add(rows->sums + (size_t)top->column * AX_LANES,
                         ax_shap_total_sum(&total, points));
    }
}

AX_LANES_INLINE void
ax_shap_rows_tree(const struct ax_shap_rows *rows, const uint32_t points)
{
    const struct ax_shap_node_tree *tree = rows->tree;
    size_t slot = tree->top_count;
#define AX_UP(class)                                                                               \
    for (uint32_t i = 0; i < tree->unit_count[class]; i++)                                         \
    ax_shap_rows_unit_up(rows, tree->unit_first[class] + i, slot++, class, points)
#define AX_DOWN(class)                                                                             \
    for (uint32_t i = 0; i < tree->unit_count[class]; i++)                                         \
    ax_shap_rows_unit_down(rows, tree->unit_first[class] + i, slot++, class, points)
    for (uint32_t class = AX_CLASSES; class -- > 0;)
        AX_FOR_CLASS(class, AX_UP);
    ax_shap_rows_tops_up(rows, points);
    ax_shap_rows_tops_down(rows, points);
    slot = tree->top_count;
    for (uint32_t class = AX_CLASSES; class -- > 1;)
        AX_FOR_CLASS(class, AX_DOWN);
#undef AX_UP
#undef AX_DOWN
}

#define AX_ROWS_TREE(count)                                                                        \
    static void ax_shap_rows_tree_##count(const struct ax_shap_rows *rows)                         \
    {                                                                                              \
        ax_shap_rows_tree(rows, count);                                                            \
    }
AX_ROWS_TREE(1)
AX_ROWS_TREE(2)
AX_ROWS_TREE(3)
AX_ROWS_TREE(4)
AX_ROWS_TREE(5)
AX_ROWS_TREE(6)
#undef AX_ROWS_TREE

static void
ax_shap_rows_tree_any(const struct ax_shap_rows *rows)
{
    ax_shap_rows_tree(rows, rows->block->points);
}

typedef void ax_shap_rows_tree_function(const struct ax_shap_rows *rows);

/* By points; those beyond are not unrolled. */
static ax_shap_rows_tree_function *const ax_shap_rows_trees[] = {
    ax_shap_rows_tree_any, ax_shap_rows_tree_1, ax_shap_rows_tree_2, ax_shap_rows_tree_3,
    ax_shap_rows_tree_4,   ax_shap_rows_tree_5, ax_shap_rows_tree_6,
};

/* Words of the rows that are live at each top: those that kept to the path on its feature. */
static void
ax_shap_rows_enter(const struct ax_shap_rows *rows)
{
    const struct ax_shap_top *tops = rows->block->tops + rows->tree->top_first;
    uint64_t *left = rows->work->left, *live = rows->work->live;
    for (uint32_t i = 0; i < rows->tree->top_count; i++) {
        const struct ax_shap_top *top = &tops[i];
        left[i] = rows->words[top->slot];
        live[i] = UINT64_MAX;
        if (top->same >= 0)
            live[i] = live[top->same] & (top->same_edge == 0 ? left[top->same] : ~left[top->same]);
    }
}

static void
ax_shap_node_rows(const struct ax_shap_nodes *nodes, const uint64_t *words, size_t first,
                  size_t groups, const struct ax_shap_node_work *work)
{
    struct ax_shap_rows rows = {.nodes = nodes, .work = work, .words = words};
    const size_t column = nodes->column_count * AX_LANES, group_sums = AX_CLASSES * column;
    memset(work->sums, 0, groups * group_sums * sizeof *work->sums);
    for (size_t b = 0; b < nodes->block_count; b++) {
        rows.block = &nodes->blocks[b];
        ax_shap_rows_tree_function *run =
            rows.block->points < sizeof ax_shap_rows_trees / sizeof *ax_shap_rows_trees
                ? ax_shap_rows_trees[rows.block->points]
                : ax_shap_rows_tree_any;
        for (uint32_t t = 0; t < rows.block->tree_count; t++) {
            rows.tree = &rows.block->trees[t];
            ax_shap_rows_enter(&rows);
            for (size_t group = 0; group < groups; group++) {
                rows.shift = (unsigned)(first + group * AX_LANES);
                rows.sums = work->sums + group * group_sums;
                run(&rows);
            }
        }
    }
    for (size_t group = 0; group < groups; group++) {
        double *sums = work->sums + group * group_sums;
        for (size_t c = 0; c < column; c += AX_LANES) {
            struct ax_lanes low =
                ax_lanes_add(ax_lanes_load(sums + c), ax_lanes_load(sums + column + c));
            struct ax_lanes high = ax_lanes_add(ax_lanes_load(sums + 2 * column + c),
                                                ax_lanes_load(sums + 3 * column + c));
            ax_lanes_store(sums + c, ax_lanes_add(low, high));
        }
    }
}
