/*
 * A tree as the fast explanation kernels see it: its inner nodes alone, parents first.
 *
 * Beside its children an inner node knows its two shares of cover, the nearest node above that
 * splits on the same feature, and the product of the shares which that feature has on the path
 * already. A row is one bit an inner node: 1 = it goes left. Bits are kept in words of 64, and a
 * word is all that a lookup reads; so a tree of more inner nodes is cut into chunks: a subtree
 * together with a copy of the path that leads to it.
 *
 * It is working memory of a build, in ctx->arena; no call ever sees it.
 */
#pragma once

#include "engine/forest.h"

enum { AX_SHAP_SHAPE_WORD_BITS = 64, AX_SHAP_SHAPE_PATH_MAX = AX_SHAP_SHAPE_WORD_BITS };

struct ax_shap_inner {
    const struct ax_forest_node *node;
    int32_t child[2];  /* left, right: an inner node, or ~leaf */
    int32_t parent;    /* -1 of the root */
    int32_t same;      /* the nearest above that splits on the same feature; -1: none */
    uint8_t edge;      /* the parent's edge that leads here: 0 left, 1 right */
    uint8_t same_edge; /* the edge of `same` that leads here */
    uint32_t level;    /* inner nodes above */
    uint32_t below;    /* inner nodes from here down, itself included: they follow it */
    double share[2];   /* of the cover; 0.5 each when it is not known */
    double before;     /* product of the feature's shares above; 1 where it is met first */
};

struct ax_shap_leaf {
    const struct ax_forest_node *node;
    int32_t parent; /* inner node */
    uint8_t edge;
};

struct ax_shap_chunk {
    int32_t root;      /* inner node; its slots follow those of the path to it */
    uint32_t slots;    /* path and subtree */
    size_t first_slot; /* in the decisions of the forest, a multiple of 16 */
};

struct ax_shap_shape {
    const struct ax_forest_tree *tree;
    uint32_t inner_count, leaf_count, chunk_count;
    struct ax_shap_inner *inner;
    struct ax_shap_leaf *leaves;
    struct ax_shap_chunk *chunks; /* by root; none when a path is too long for a word */
};

/* A leaf's or subtree's path, its splits merged by feature in the order in which they are met. */
struct ax_shap_path {
    uint32_t count;
    uint64_t want; /* the way of each split on the path, as bits of the chunk's word */
    int32_t feature[AX_SHAP_SHAPE_PATH_MAX];
    uint64_t mask[AX_SHAP_SHAPE_PATH_MAX]; /* the splits on the feature */
    double share[AX_SHAP_SHAPE_PATH_MAX];
};

/* Slots that all trees' chunks take up at most, each a multiple of `step`: known without shapes. */
ax_status ax_shap_shape_slots_max(const struct ax_forest *forest, struct ax_ctx *ctx, size_t step,
                                  size_t *out_slots);

/* Shapes of all trees, in ctx->arena; chunks' first slots are not set. Fails: LIMIT. */
ax_status ax_shap_shape_make(const struct ax_forest *forest, struct ax_ctx *ctx,
                             struct ax_shap_shape **out_shapes);

/* The chunk that holds the whole path to a child of an inner node. */
const struct ax_shap_chunk *ax_shap_shape_chunk_below(const struct ax_shap_shape *shape,
                                                      int32_t parent, uint8_t edge);

/* A node's bit in the chunk's word; the chunk holds it. */
static inline uint32_t
ax_shap_shape_bit(const struct ax_shap_shape *shape, const struct ax_shap_chunk *chunk,
                  int32_t inner)
{
    uint32_t level = shape->inner[chunk->root].level;
    return inner >= chunk->root ? level + (uint32_t)(inner - chunk->root)
                                : shape->inner[inner].level;
}

/* The path past an edge of inner node `parent` (-1: the empty path), in the chunk's bits. */
void ax_shap_shape_path(const struct ax_shap_shape *shape, const struct ax_shap_chunk *chunk,
                        int32_t parent, uint8_t edge, struct ax_shap_path *out_path);
