/*
 * Where rows go at every inner node: one bit a node, for the fast explanation kernels.
 *
 * Idea. A value is looked up once among the distinct thresholds of its feature; its rank (how many
 * are <= it) then says for every node of the feature where it goes: left iff rank < code, the
 * node's own rank. Ranks are 16 bits, so a register holds 32 decisions and no kernel compares
 * floats. What is missing, and which way it goes, differs from node to node; so a feature has one
 * column of ranks for each rule that occurs (0: always left, 65535: always right). Category
 * sets and splits on equality are decided one by one by ax_forest_goes_left, and so is a feature
 * of more thresholds than ranks.
 *
 * Bits lie in slots, a chunk's from a multiple of 16 on: an unaligned load of 64 bits at its first
 * byte is the chunk's word.
 * Cost: log2(thresholds) steps a feature and row; slots / 32 steps of two loads, a permute and a
 * compare for one row (up to 64 columns; a gather a 16 beyond), slots x 2 compares for 64 rows.
 */
#pragma once

#include "engine/shap_shape.h"

enum {
    AX_SHAP_BLOCK = 64,      /* rows whose decisions at a node are one word */
    AX_SHAP_SLOTS_STEP = 32, /* slots are a multiple */
    AX_SHAP_COLUMNS_PERMUTED = 64,
};

struct ax_shap_feature {
    const double *cuts; /* distinct thresholds, ascending */
    uint32_t feature;
    uint32_t cut_count;
    uint32_t column_count; /* its columns follow those of the feature before */
    uint16_t zero;         /* rank of 0.0 */
};

struct ax_shap_column {
    uint32_t feature; /* index in `features` */
    uint32_t flags;   /* of forest.h: what is missing, and where it goes */
};

struct ax_shap_special { /* a node that ranks cannot decide */
    const struct ax_forest_node *node;
    size_t slot;
};

struct ax_shap_decide {
    const struct ax_forest *forest;
    size_t slot_count;
    const uint16_t *column, *code; /* of each slot; 0 and 0 where it is empty or special */
    const struct ax_shap_feature *features;
    size_t feature_count;
    const struct ax_shap_column *columns;
    size_t column_count;
    const struct ax_shap_special *specials;
    size_t special_count;
};

/*
 * Lays out the slots of the trees wanted, and sets their chunks' first_slot.
 *
 * wanted: one a tree; those have chunks. arena: where it goes. Fails: LIMIT.
 */
ax_status ax_shap_decide_build(const struct ax_forest *forest, struct ax_ctx *ctx,
                               struct ax_arena *arena, struct ax_shap_shape *shapes,
                               const bool *wanted, struct ax_shap_decide *out_decide);

/* The most that it can be for a forest, of which not a tree was looked at closely. Fails: LIMIT. */
ax_status ax_shap_decide_most(const struct ax_forest *forest, struct ax_ctx *ctx,
                              struct ax_shap_decide *out_most);

/* Bytes that the bits of a row take up, with room for a word at the last byte. */
static inline size_t
ax_shap_decide_bits_bytes(const struct ax_shap_decide *decide)
{
    return decide->slot_count / 8 + 8;
}

/* Ranks are an array of this many; the last ones are room for wide loads. */
static inline size_t
ax_shap_decide_rank_count(const struct ax_shap_decide *decide)
{
    return decide->column_count + AX_SHAP_COLUMNS_PERMUTED;
}

/* A row's ranks, `stride` numbers apart: 1 for one row, AX_SHAP_BLOCK for a block's columns. */
void ax_shap_decide_ranks(const struct ax_shap_decide *decide, const double *row, size_t stride,
                          uint16_t *out_ranks);

/* Sets the bits that ranks do not: of one row, or of row `index` in a block's words. */
void ax_shap_decide_specials(const struct ax_shap_decide *decide, const double *row, uint8_t *bits);
void ax_shap_decide_special_words(const struct ax_shap_decide *decide, const double *row,
                                  size_t index, uint64_t *words);
