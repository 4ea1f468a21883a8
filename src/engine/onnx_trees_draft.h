/*
 * A tree ensemble between its arrays and the forest: nodes with their children found.
 *
 * Both forms of ONNX's arrays are turned into drafts, and drafts into forests in one way.
 */
#pragma once

#include "engine/onnx_trees.h"

enum ax_onnx_mode {
    AX_ONNX_MODE_LEQ = 0, /* the numbers are those of TreeEnsemble */
    AX_ONNX_MODE_LT = 1,
    AX_ONNX_MODE_GTE = 2,
    AX_ONNX_MODE_GT = 3,
    AX_ONNX_MODE_EQ = 4,
    AX_ONNX_MODE_NEQ = 5,
    AX_ONNX_MODE_MEMBER = 6,
    AX_ONNX_MODE_LEAF = 7,
};

struct ax_onnx_draft_node {
    enum ax_onnx_mode mode;
    int64_t name; /* the file's id, for errors */
    int64_t feature;
    double value;
    bool missing_yes; /* NaN takes the branch of those for whom it is true */
    int32_t yes, no;  /* in the tree */
    int32_t leaf;     /* number through all trees */
    uint32_t set_at, set_count;
};

struct ax_onnx_draft_tree {
    int64_t name;
    struct ax_onnx_draft_node *nodes; /* the root first */
    size_t count;
};

struct ax_onnx_draft {
    struct ax_onnx_trees *trees; /* target_count and aggregate are set */
    struct ax_onnx_draft_tree *tree_list;
    size_t tree_count;
    size_t leaf_count;
    const double *values; /* that sets of MEMBER nodes hold */
};

struct ax_onnx_weight {
    size_t leaf;
    int64_t target;
    double value;
};

/* Sets the weights of the leaves. Fails: INVALID for a target out of range, a weight not finite. */
ax_status ax_onnx_trees_weigh(struct ax_ctx *ctx, struct ax_onnx_draft *draft,
                              const struct ax_onnx_weight *weights, size_t count);

/* Builds the forests. Fails: INVALID with tree and node; LIMIT. */
ax_status ax_onnx_trees_build(struct ax_ctx *ctx, const struct ax_onnx_draft *draft, bool narrow,
                              bool wide);
