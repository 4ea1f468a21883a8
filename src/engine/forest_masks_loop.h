/*
 * A row's way through K2's table; the idea, the cost and the legal note are in forest_masks.h.
 * Included once a level.
 */
#pragma once

#include "engine/forest_masks.h"

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

/* The leaf of the step's tree, from left to right. */
AX_FOREST_MASKS_INLINE uint32_t
ax_forest_masks_leaf(const struct ax_forest_masks_step *step, uint32_t tree, const uint32_t each)
{
    typedef uint32_t narrow __attribute__((may_alias));
    if (each == sizeof(uint64_t))
        return (uint32_t)__builtin_ctzll(step->words[tree]);
    return (uint32_t)__builtin_ctz(((const narrow *)(const void *)step->words)[tree]);
}

/* Finds all leaves, for who adds them afterwards. */
AX_FOREST_MASKS_INLINE void
ax_forest_masks_leaves(const struct ax_forest_row *form, const struct ax_forest_row_work *work)
{
    const struct ax_forest_row_tree *trees = ax_forest_row_at(form, form->trees_at);
    uint32_t step_trees = AX_FOREST_MASKS_STEP / form->mask_each;
    struct ax_forest_masks_step step;
    ax_forest_masks_begin(form, work);
    for (uint32_t first = 0, at = 0; first < form->tree_count; first += step_trees) {
        uint32_t rest = form->tree_count - first, count = rest < step_trees ? rest : step_trees;
        ax_forest_masks_and(form, work, at, &step);
        at += AX_FOREST_MASKS_STEP;
        for (uint32_t i = 0; i < count; i++)
            work->leaves[first + i] =
                trees[first + i].leaf + ax_forest_masks_leaf(&step, i, form->mask_each);
    }
}
