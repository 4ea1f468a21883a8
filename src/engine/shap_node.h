/*
 * Shapley values by cover, work per inner node: for models whose pattern tables would be too large.
 *
 * Idea. At a quadrature point t a row goes its own way with weight t and with the crowd (the
 * shares of cover) with 1 - t. So the sum over leaves and subsets is, at each point, a pass up
 * (G = expected value below a node) and a pass down (P = weight with which it is reached):
 *     z = rho + s tau      G = G_r + z (G_l - G_r)      a = s kappa (G_l - G_r)
 *     P_l = P z            P_r = P - P_l                phi[feature] += sum_q P_q a_q
 * rho: share of the left child. s: 1 - rho where the row goes left, -rho where it goes right, 0
 * where it missed a split on the feature before. P of the root: the Gauss-Legendre weights.
 * A feature met before, with `before` the product of its shares, changes two constants: y =
 * before + t (1 - before), tau = t / y, kappa = before / y^2; at a first visit tau = t, kappa = 1.
 * All factors lie in [0, 1], y >= t > 0, and nothing divides by a cover.
 *
 * Near the leaves there are few states: a subtree of at most 3 inner nodes ("unit") is a table of
 * G and of what it gives to each of its features at P = 1, one entry a state of its decisions.
 * What is above the units is computed ("tops").
 *
 * Two kernels run the same program: one row with the points in four lanes, trees taken 8 at a time
 * so that the passes of several trees overlap; and eight rows in eight lanes, an entry looked up in
 * registers, point after point. Both add in the same order, so both give the same bits: a
 * contribution is summed over its points as ((x0 + x4 + ..) + (x1 + x5 + ..)) + ((x2 + ..) + (x3 +
 * ..)) and added to its feature's sum of its class (tops; units of 1, 2, 3 features) in the order
 * of the trees; in the end (tops + units of 1) + (units of 2 + units of 3).
 *
 * Cost of a row: units x (1 + features) + tops x 9 vector operations of m points, m = ceil(features
 * on a path / 2), padded to fours; in blocks of eight rows, an eighth of that of m points.
 * Memory: (1 + features) x 2^bits x 8 bytes x m padded to fours a unit; with tables for blocks of
 * rows, which are the same numbers in another order and made apart, x m once more.
 * Source: design/kernels/shap (c, d); Wettenstein, Mitchell, Yu, arXiv 2605.04497.
 */
#pragma once

#include "engine/shap_shape.h"

enum {
    AX_SHAP_NODE_FEATURES_MAX = 32, /* on a path */
    AX_SHAP_NODE_POINTS_MAX = AX_SHAP_NODE_FEATURES_MAX / 2,
    AX_SHAP_NODE_LANES = 4,      /* points in a register */
    AX_SHAP_NODE_UNIT_NODES = 3, /* inner nodes of a unit, and so its features */
    AX_SHAP_NODE_UNIT_BITS = 5,
    AX_SHAP_NODE_TOP_BITS = 10,
    AX_SHAP_NODE_TREES = 8, /* of a block */
    AX_SHAP_NODE_CLASSES = AX_SHAP_NODE_UNIT_NODES + 1,
    AX_SHAP_NODE_ROWS = 8, /* rows in a register */
};

/* A node above the units, for eight rows: tree by tree, parents first. Slots of G and P in a tree
 * are its tops, then its units by falling number of features. */
struct ax_shap_top {
    uint32_t states;      /* in values: rho, then s by state of the masked decisions */
    uint32_t tau;         /* in values: tau by point, padded, then kappa */
    uint32_t column;      /* output x features + feature */
    uint32_t left, right; /* slots in the tree */
    uint32_t slot;        /* of its decision */
    int32_t same;         /* top of the tree that splits on the feature above; -1 */
    uint8_t same_edge;
};

/* The same for one row, in a block level by level, so that the chains of its trees run side by
 * side. Slots in a block are tops in this order, then units. */
struct ax_shap_row_top {
    uint64_t mask; /* its own decision and those of its feature above, in the chunk's word */
    uint32_t byte; /* of the chunk's word */
    uint32_t states, tau;
    uint32_t left, right; /* slots in the block */
};

struct ax_shap_node_unit {
    uint64_t mask; /* its states' decisions, in the chunk's word */
    uint32_t byte;
    uint32_t points_table; /* in values: by state, G and then each feature, by point padded */
    uint32_t rows_table;   /* in the rows' tables: by point, G and then each feature, by state */
    uint32_t column[AX_SHAP_NODE_UNIT_NODES];
    uint32_t slot[AX_SHAP_NODE_UNIT_BITS]; /* of the decisions, from the lowest bit on */
    uint8_t bits;
};

struct ax_shap_node_tree { /* its part of a block */
    uint32_t top_first, top_count;
    uint32_t unit_first[AX_SHAP_NODE_CLASSES]; /* by number of features */
    uint32_t unit_count[AX_SHAP_NODE_CLASSES];
    uint32_t root;     /* slot in the tree */
    uint32_t row_root; /* slot in the block */
};

struct ax_shap_node_block { /* trees of one number of points */
    uint32_t points, lanes; /* lanes: points, padded */
    uint32_t weights;       /* in values, padded with zeros */
    uint32_t top_count, tree_count;
    uint32_t unit_count[AX_SHAP_NODE_CLASSES];
    const struct ax_shap_top *tops;
    const struct ax_shap_row_top *row_tops;
    const uint32_t *row_slots; /* of each of `tops` in their order: its place in row_tops */
    const struct ax_shap_node_unit *units; /* by falling number of features */
    struct ax_shap_node_tree trees[AX_SHAP_NODE_TREES];
};

struct ax_shap_nodes {
    const struct ax_shap_node_block *blocks;
    size_t block_count;
    const double *values; /* aligned to 64 bytes */
    size_t rows_count;    /* numbers of the rows' tables, which are made apart */
    size_t column_count;  /* outputs x features */
    size_t slots_max;     /* of a block */
    size_t tree_slots_max;
    size_t lanes_max, points_max;
    size_t bytes;
};

/* Bytes that a tree takes up, all outputs together; SIZE_MAX when it is beyond the limits: chunks,
 * features on a path, visits of one feature. */
size_t ax_shap_node_measure(const struct ax_forest *forest, const struct ax_shap_shape *shape);

/*
 * Programs of the trees wanted.
 *
 * shapes: with slots placed by ax_shap_decide_build. wanted: one a tree; those have a
 * measure.
 * Fails: LIMIT.
 */
struct ax_shap_node_source {
    const struct ax_forest *forest;
    const struct ax_shap_shape *shapes;
    const bool *wanted;
};
ax_status ax_shap_node_build(const struct ax_shap_node_source *source, struct ax_ctx *ctx,
                             struct ax_arena *arena, struct ax_shap_nodes *out_nodes);

/* Tables for blocks of eight rows, aligned to 64 bytes, in `arena`. Fails: LIMIT. */
ax_status ax_shap_node_rows_make(const struct ax_shap_nodes *nodes, struct ax_ctx *ctx,
                                 struct ax_arena *arena, const double **out_tables);
