/*
 * A row's way through K2's table; the idea, the cost and the legal note are in forest_masks.h.
 * Included once a level.
 */
#pragma once

#include "engine/forest_masks.h"
#include "engine/forest_row_add.h"

#if defined(__AVX512F__)
enum { AX_FOREST_MASKS_PART = 64 };
#elif defined(__AVX2__)
enum { AX_FOREST_MASKS_PART = 32 };
#else
enum { AX_FOREST_MASKS_PART = 16 };
#endif
enum { AX_FOREST_MASKS_PARTS = AX_FOREST_MASKS_STEP / AX_FOREST_MASKS_PART };

#define AX_FOREST_MASKS_INLINE static inline __attribute__((always_inline, unused))

typedef uint64_t ax_forest_masks_part __attribute__((vector_size(AX_FOREST_MASKS_PART), may_alias));

/* The masks of a step of trees, after all columns. */
struct ax_forest_masks_step {
    _Alignas(64) uint64_t words[AX_FOREST_MASKS_STEP / sizeof(uint64_t)];
};

/* Where each column's masks of the row's rank lie. */
AX_FOREST_MASKS_INLINE void
ax_forest_masks_begin(const struct ax_forest_row *form, const struct ax_forest_row_work *work)
{
    const struct ax_forest_row_column *columns = ax_forest_row_at(form, form->columns_at);
    for (uint32_t i = 0; i < form->column_count; i++)
        work->masks[i] = columns[i].masks_at + form->mask_rank * work->lanes[columns[i].lane];
}

/* at: of the step, from the beginning of a rank's masks. */
AX_FOREST_MASKS_INLINE void
ax_forest_masks_and(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
                    size_t at, struct ax_forest_masks_step *out)
{
    ax_forest_masks_part left[AX_FOREST_MASKS_PARTS];
    ax_forest_masks_part *to = (ax_forest_masks_part *)(void *)out->words;
    for (int i = 0; i < AX_FOREST_MASKS_PARTS; i++)
        left[i] = ~(ax_forest_masks_part){};
    for (uint32_t c = 0; c < form->column_count; c++) {
        const ax_forest_masks_part *from = ax_forest_row_at(form, work->masks[c] + (uint32_t)at);
        for (int i = 0; i < AX_FOREST_MASKS_PARTS; i++)
            left[i] &= from[i];
    }
    for (int i = 0; i < AX_FOREST_MASKS_PARTS; i++)
        to[i] = left[i];
}

/* The leaves of a step's trees, from left to right; each: bytes of a mask. */
AX_FOREST_MASKS_INLINE void
ax_forest_masks_find(const struct ax_forest_masks_step *step,
                     const struct ax_forest_row_tree *trees, uint32_t *leaves, const uint32_t count,
                     const uint32_t each)
{
    typedef uint32_t narrow __attribute__((may_alias));
    const narrow *words = (const narrow *)(const void *)step->words;
    for (uint32_t i = 0; i < count; i++)
        leaves[i] =
            trees[i].leaf + (uint32_t)(each == sizeof(uint64_t) ? __builtin_ctzll(step->words[i])
                                                                : __builtin_ctz(words[i]));
}

AX_FOREST_MASKS_INLINE double
ax_forest_masks_of_size(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
                        enum ax_forest_row_how how, const uint32_t each)
{
    const struct ax_forest_row_tree *trees = ax_forest_row_at(form, form->trees_at);
    const uint32_t full = AX_FOREST_MASKS_STEP / each;
    struct ax_forest_row_sum sum = ax_forest_row_sum_begin(form, how);
    struct ax_forest_masks_step step;
    ax_forest_masks_begin(form, work);
    for (uint32_t t = 0, at = 0; t < form->tree_count; t += full, at += AX_FOREST_MASKS_STEP) {
        uint32_t rest = form->tree_count - t, count = rest < full ? rest : full;
        ax_forest_masks_and(form, work, at, &step);
        if (count == full)
            ax_forest_masks_find(&step, trees + t, work->leaves + t, full, each);
        else
            ax_forest_masks_find(&step, trees + t, work->leaves + t, count, each);
        ax_forest_row_add(&sum, work->leaves + t, count);
    }
    return ax_forest_row_sum_end(&sum);
}

AX_FOREST_MASKS_INLINE double
ax_forest_masks_leaves(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
                       enum ax_forest_row_how how)
{
    return form->mask_each == sizeof(uint64_t)
               ? ax_forest_masks_of_size(form, work, how, sizeof(uint64_t))
               : ax_forest_masks_of_size(form, work, how, sizeof(uint32_t));
}
