/*
 * A tree ensemble in one shape, whatever file it came from, and the plain way to evaluate it.
 *
 * A node is 24 bytes, so a step of a walk touches one cache line. Nodes of a tree are stored in
 * preorder (parents before children) and unreachable ones are left out. Values are compared and
 * leaves stored as doubles, which holds every float32 exactly; a forest whose library adds in
 * float32 says so, and its sums are rounded after every addition, in file order.
 *
 * It knows no file format and no objective.
 */
#pragma once

#include <math.h>
#include <stdint.h>

#include "base/ctx.h"

enum {
    AX_FOREST_DEFAULT_LEFT = 1 << 0, /* a missing value goes left */
    AX_FOREST_CATEGORICAL = 1 << 1,  /* a code in the set goes right, any other left */
    AX_FOREST_ZERO_MISSING = 1 << 2, /* |x| <= 1e-35 is missing as well: LightGBM's type Zero */
    AX_FOREST_NAN_ZERO = 1 << 3,     /* NaN is 0.0 and nothing is missing: LightGBM's type None */
    AX_FOREST_EQUAL = 1 << 4,        /* x == threshold goes left: ONNX's BRANCH_EQ */
    AX_FOREST_TRUNCATED = 1 << 5,    /* of a set: -1 < x < 0 is code 0, as LightGBM's (int)x is */

    AX_FOREST_RUN = 8, /* trees whose leaves are added to each other first, in the fast order */

    AX_FOREST_CATEGORY_MAX = 1 << 24, /* codes from here on are in no set: floats hold no more */
};

/* LightGBM's kZeroThreshold, the float that its source's 1e-35f is. */
#define AX_FOREST_ZERO ((double)1e-35f)

struct ax_forest_node {
    union {
        double threshold; /* numeric: x < threshold goes left */
        double leaf;      /* value of a leaf of one output */
        struct {
            uint32_t at; /* the set's words: bit c of them is code c */
            uint32_t words;
        } set;
    };
    int32_t left; /* index in the tree; -1: this is a leaf */
    union {
        int32_t right;
        int32_t vector; /* of a leaf of all outputs: its row in `vectors` */
        int32_t linear; /* of a leaf of one output: 1 + its place in `linears`; 0: a constant */
    };
    union {
        int32_t feature;
        int32_t number; /* of a leaf: what the library calls it */
    };
    uint32_t flags;
};

/*
 * A leaf that is a linear function of the row. Where one of its features is NaN the leaf's own
 * value counts, and what LightGBM takes for zero is zero.
 */
struct ax_forest_linear {
    double constant; /* the sum begins here and goes on in the order below, in float64 */
    const int32_t *features;
    const double *coefficients;
    size_t count;
};

struct ax_forest_tree {
    const struct ax_forest_node *nodes;
    const double *share; /* each node's part of its parent's cover; NULL: not known */
    uint32_t node_count;
    int32_t output;       /* which margin it adds to; -1: all of them */
    uint32_t depth;       /* splits on the longest path */
    uint32_t feature_max; /* most distinct features on one path */
};

struct ax_forest {
    struct ax_forest_tree *trees;
    size_t tree_count;
    size_t feature_count;
    size_t output_count;
    const double *base; /* margin before the first tree, of each output */
    double *mean;       /* of each output: base and the trees' expectations, if `covers` */
    uint32_t *sets;     /* words of all category sets */
    size_t set_words;
    double *vectors; /* rows of output_count */
    size_t vector_count;
    const struct ax_forest_linear *linears; /* only the plain walk evaluates them */
    size_t linear_count;                    /* 0: all leaves are constants */
    bool f32;                               /* every addition is rounded to float32 */
    bool covers; /* all trees have shares: path-dependent contributions can be given */

    /* What the forest is like, for signature and scratch sizes. */
    uint32_t *split_counts; /* nodes that look at each feature */
    bool *categorical;      /* of each feature: nodes ask which of its codes a value is */
    size_t node_count;
    size_t leaf_count;
    uint32_t depth_max;
    uint32_t feature_max;
    uint32_t tree_nodes_max;
};

/* A tree as a reader has it: nodes in the file's order, children as indices in it, root first. */
struct ax_forest_source {
    const struct ax_forest_node *nodes;
    const double *covers; /* one a node, or NULL */
    size_t node_count;
    int32_t output;
};

/* A node still to be looked at on the way down: a right child, or the root. */
struct ax_forest_step {
    int32_t at;      /* the file's index */
    uint32_t parent; /* place in preorder */
    uint32_t level;
    double share; /* of its parent's cover */
    double reach; /* part of the tree's cover that comes to it */
};

/* A level of the present path. */
struct ax_forest_path {
    int32_t feature;   /* of the split there */
    uint32_t distinct; /* features of the splits above */
};

/* Fills a forest tree by tree; its working memory is used again for each. */
struct ax_forest_builder {
    struct ax_forest *forest;     /* kept; counts, sets, vectors and base are set already */
    struct ax_arena *arena;       /* kept: where nodes go for good */
    uint32_t *level_met;          /* of each feature: where it joined a path last */
    size_t room;                  /* nodes that the arrays below hold */
    struct ax_forest_node *nodes; /* those kept, in preorder */
    double *share;                /* of each of them */
    bool covered;                 /* all of them have one */
    bool *met;                    /* of each of the file's nodes */
    struct ax_forest_step *stack; /* nodes to come */
    struct ax_forest_path *path;
};

/* arena: kept. Working memory comes from ctx->arena. Fails: LIMIT. */
ax_status ax_forest_build(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_forest *forest,
                          struct ax_forest_builder *out_builder);

/*
 * Checks a tree and makes it tree `index` of the forest.
 *
 * Fails: INVALID with the node: child out of range, node with two parents or on a cycle, feature
 * out of range, threshold NaN, leaf not finite, set, vector or linear leaf out of range. LIMIT.
 */
ax_status ax_forest_add(struct ax_forest_builder *builder, struct ax_ctx *ctx, size_t index,
                        const struct ax_forest_source *source);

/* Whether a value goes left at an inner node; NaN is missing. */
static inline bool
ax_forest_goes_left(const struct ax_forest *forest, const struct ax_forest_node *node, double x)
{
    uint32_t flags = node->flags;
    if (flags & AX_FOREST_NAN_ZERO && isnan(x))
        x = 0;
    if (isnan(x) || (flags & AX_FOREST_ZERO_MISSING && fabs(x) <= AX_FOREST_ZERO))
        return flags & AX_FOREST_DEFAULT_LEFT;
    if (flags & AX_FOREST_EQUAL)
        return x == node->threshold;
    if (!(flags & AX_FOREST_CATEGORICAL))
        return x < node->threshold;
    bool code_from_here = flags & AX_FOREST_TRUNCATED ? x > -1 : x >= 0;
    if (!code_from_here || !(x < (double)AX_FOREST_CATEGORY_MAX))
        return true;
    uint32_t code = (uint32_t)x;
    return code / 32 >= node->set.words ||
           !(forest->sets[node->set.at + code / 32] >> code % 32 & 1);
}

/* The leaf that a row of doubles ends in. */
static inline const struct ax_forest_node *
ax_forest_leaf(const struct ax_forest *forest, const struct ax_forest_tree *tree, const double *row)
{
    const struct ax_forest_node *node = tree->nodes;
    while (node->left >= 0)
        node = &tree->nodes[ax_forest_goes_left(forest, node, row[node->feature]) ? node->left
                                                                                  : node->right];
    return node;
}

/* The leaf's value for one output; of a linear leaf what it is where a feature is missing. */
static inline double
ax_forest_value(const struct ax_forest *forest, const struct ax_forest_tree *tree,
                const struct ax_forest_node *leaf, size_t output)
{
    return tree->output < 0 ? forest->vectors[(size_t)leaf->vector * forest->output_count + output]
                            : leaf->leaf;
}

/*
 * Two orders of addition. Exact: the leaves of an output's trees are added to its base one after
 * the other, as the library does. Fast: those trees are taken in runs of AX_FOREST_RUN, in the
 * order of the file; a run's leaves are added to zero one after the other, and runs' sums to the
 * base. Both are the same on every machine, for every kernel and number of rows.
 *
 * Error. A margin of T trees in the fast order is at most (T/8 + 9) u S from the sum of the real
 * numbers, with S the sum of the magnitudes of base and leaves and u half a unit of the last place
 * (2^-53, or 2^-24 where the library adds floats), as each leaf goes through at most 8 additions
 * of its run and those of the runs; in the exact order at most T u S. (To the first order of u.)
 */

/* Margins of one row; leaves: tree_count numbers, or NULL when they are not wanted. */
void ax_forest_margin(const struct ax_forest *forest, const double *row, double *out_margin,
                      int32_t *out_leaves);

/* The same in the fast order. */
void ax_forest_margin_fast(const struct ax_forest *forest, const double *row, double *out_margin,
                           int32_t *out_leaves);
