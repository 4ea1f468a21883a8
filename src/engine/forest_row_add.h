/*
 * Adds the leaves of one row as they are found, in one of the two orders of forest.h.
 *
 * Kernels find the leaves of a chunk of trees and hand them over before they look for the next:
 * so the chain of additions, 2 to 4 cycles each, runs beside the search for the next chunk. In the
 * fast order a chain has eight links. For one output; included once a level.
 */
#pragma once

#include "engine/forest_row.h"

enum { AX_FOREST_ROW_CHUNK = 16 };

#define AX_FOREST_ROW_INLINE static inline __attribute__((always_inline, unused))

/* What becomes of the leaves. */
enum ax_forest_row_how {
    AX_FOREST_ROW_EXACT, /* added one by one */
    AX_FOREST_ROW_FAST,  /* added in runs */
    AX_FOREST_ROW_KEEP,  /* work->leaves, for later */
};

/* Finds a row's leaves; returns the margin unless they are kept. */
typedef double (*ax_forest_row_find)(const struct ax_forest_row *form,
                                     const struct ax_forest_row_work *work,
                                     enum ax_forest_row_how how);

/* A local of the finding function, so that it stays in registers. */
struct ax_forest_row_sum {
    double wide;
    float narrow;
    const void *values; /* leaves'; floats or doubles, as the form says */
    bool f32;
    enum ax_forest_row_how how;
};

AX_FOREST_ROW_INLINE struct ax_forest_row_sum
ax_forest_row_sum_begin(const struct ax_forest_row *form, enum ax_forest_row_how how)
{
    const double *base = ax_forest_row_at(form, form->base_at);
    return (struct ax_forest_row_sum){.wide = base[0],
                                      .narrow = (float)base[0],
                                      .values = ax_forest_row_at(form, form->values_at),
                                      .f32 = form->f32,
                                      .how = how};
}

AX_FOREST_ROW_INLINE double
ax_forest_row_sum_end(const struct ax_forest_row_sum *sum)
{
    return sum->f32 ? (double)sum->narrow : sum->wide;
}

/* count: of a run, so that a chunk's is a constant. */
AX_FOREST_ROW_INLINE double
ax_forest_row_add_wide(const double *values, const uint32_t *leaves, const uint32_t count,
                       double sum)
{
    for (uint32_t i = 0; i < count; i++)
        sum += values[leaves[i]];
    return sum;
}

AX_FOREST_ROW_INLINE float
ax_forest_row_add_narrow(const float *values, const uint32_t *leaves, const uint32_t count,
                         float sum)
{
    for (uint32_t i = 0; i < count; i++)
        sum += values[leaves[i]];
    return sum;
}

AX_FOREST_ROW_INLINE void
ax_forest_row_add_run(struct ax_forest_row_sum *sum, const uint32_t *leaves, const uint32_t count)
{
    bool fast = sum->how == AX_FOREST_ROW_FAST;
    if (sum->f32 && fast)
        sum->narrow += ax_forest_row_add_narrow(sum->values, leaves, count, 0);
    else if (sum->f32)
        sum->narrow = ax_forest_row_add_narrow(sum->values, leaves, count, sum->narrow);
    else if (fast)
        sum->wide += ax_forest_row_add_wide(sum->values, leaves, count, 0);
    else
        sum->wide = ax_forest_row_add_wide(sum->values, leaves, count, sum->wide);
}

/* The next trees' leaves; all but the last count are whole chunks, or runs. */
AX_FOREST_ROW_INLINE void
ax_forest_row_add(struct ax_forest_row_sum *sum, const uint32_t *leaves, uint32_t count)
{
    uint32_t i = 0;
    if (sum->how == AX_FOREST_ROW_KEEP)
        return;
    for (; i + AX_FOREST_RUN <= count; i += AX_FOREST_RUN)
        ax_forest_row_add_run(sum, leaves + i, AX_FOREST_RUN);
    if (i < count)
        ax_forest_row_add_run(sum, leaves + i, count - i);
}

/* Trees from t on whose leaves are found before they are added. */
AX_FOREST_ROW_INLINE uint32_t
ax_forest_row_chunk(const struct ax_forest_row *form, uint32_t t)
{
    uint32_t rest = form->tree_count - t;
    return rest < AX_FOREST_ROW_CHUNK ? rest : AX_FOREST_ROW_CHUNK;
}

/* K3, whose trees come in an order of its own. */
AX_FOREST_ROW_INLINE double
ax_forest_row_interleave_add(const struct ax_forest_row *form,
                             const struct ax_forest_row_work *work, enum ax_forest_row_how how)
{
    struct ax_forest_row_sum sum = ax_forest_row_sum_begin(form, how);
    ax_forest_row_interleave(form, work);
    ax_forest_row_add(&sum, work->leaves, form->tree_count);
    return ax_forest_row_sum_end(&sum);
}

/* The row's margins once its ranks are there; find: as the level finds leaves. */
AX_FOREST_ROW_INLINE void
ax_forest_row_finish(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
                     bool fast, ax_forest_row_find find, double *out_margin)
{
    if (form->output_count == 1) {
        out_margin[0] = find(form, work, fast ? AX_FOREST_ROW_FAST : AX_FOREST_ROW_EXACT);
        return;
    }
    (void)find(form, work, AX_FOREST_ROW_KEEP);
    ax_forest_row_sum_many(form, work, fast, out_margin);
}
