/*
 * The program of kernel K1: a forest as straight-line logic over bitmaps, one bit per row.
 *
 * A slot is one bitmap of a block of rows. Slot 0 is all zeros, slot 1 all ones, then come the
 * predicates, then temporaries. Thresholds need no operation here: the kernel makes all "rank > k"
 * of a column at once. A set of ranks is made of the bits of the rank by multiplexers, shared
 * between the sets of a column, once a block. Then every tree is multiplexers
 * out = select ? right : left that make the bits of a leaf code, whatever its depth. A code names
 * a leaf, and a leaf may own several.
 *
 * It knows neither the width of a bitmap nor how it is evaluated.
 */
#pragma once

#include "engine/forest_compile.h"

enum {
    AX_FOREST_SLICE_PLANES_MIN = 5,
    AX_FOREST_SLICE_PLANES_MAX = 8,
    AX_FOREST_SLICE_LEAVES_MAX = 1 << AX_FOREST_SLICE_PLANES_MAX, /* of a tree */
};

struct ax_forest_slice_op {
    uint32_t select, left, right, out; /* slots */
};

struct ax_forest_slice_tree {
    uint32_t op_first, op_count;
    uint32_t plane[AX_FOREST_SLICE_PLANES_MAX]; /* slots of the code's bits, lowest first */
};

struct ax_forest_slice {
    uint32_t planes;       /* bits of a code, of all trees */
    uint32_t *column_slot; /* of each column: "rank > 0"; of sets: the rank's highest bit */
    uint32_t *predicate_slot;
    uint32_t temporary_first, slot_count;
    struct ax_forest_slice_op *ops;
    uint32_t op_count, op_room;
    uint32_t set_op_count; /* the first ones, which make the sets */
    struct ax_forest_slice_tree *trees;
    uint16_t *leaves; /* [tree][1 << planes]: the leaf's place in the tree */
};

/* Bits of a rank of the column, NaN's included. */
uint32_t ax_forest_slice_levels(const struct ax_forest_column *column);

struct ax_forest_slice_config {
    /*
     * Every result gets a slot of its own and a tree's operations go level by level, so that an
     * operand was stored long before it is loaded: for an interpreter. Else slots are used again at
     * once, as a generator of code wants it.
     */
    bool spread;
    uint32_t spare; /* planes more than codes need, up to 7: fewer operations, larger leaf tables */
};

/*
 * plan: fits, and no tree has more than AX_FOREST_SLICE_LEAVES_MAX leaves. out_slice: in
 * ctx->arena. Fails: LIMIT.
 */
ax_status ax_forest_slice_compile(struct ax_ctx *ctx, const struct ax_forest_plan *plan,
                                  const struct ax_forest_slice_config *config,
                                  struct ax_forest_slice *out_slice);
