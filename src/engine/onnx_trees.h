/*
 * ONNX's tree ensembles as forests: the arrays of TreeEnsembleRegressor, TreeEnsembleClassifier and
 * TreeEnsemble, checked and put into struct ax_forest.
 *
 * ONNX branches by x <= v and five other comparisons; a forest by x < t and x == t. So v is moved
 * up to the next number of the input's type, and where the comparison is the opposite one the
 * children change places. Values that a set names (MEMBER) are no branch of a forest: ensembles
 * that have such nodes are walked here.
 *
 * Sums run over the trees in the order of the file, from 0; base values come last, and of
 * regressors only to targets that a weight was found for, as ONNX Runtime has it.
 */
#pragma once

#include "engine/forest_scorer.h"
#include "engine/onnx_ops.h"

enum ax_onnx_aggregate {
    AX_ONNX_AVERAGE = 0, /* the numbers are those of TreeEnsemble */
    AX_ONNX_SUM = 1,
    AX_ONNX_MIN = 2,
    AX_ONNX_MAX = 3,
};

/* One ensemble, for inputs of one width. */
struct ax_onnx_ensemble {
    struct ax_forest forest;        /* leaves are numbered through all trees */
    struct ax_forest_scorer scorer; /* of sums; the kernels of this machine */
    bool members;                   /* some nodes look for x in a set of `values` */
    const double *values;
};

struct ax_onnx_trees {
    struct ax_arena *arena;               /* kept, the model's: set by the caller */
    struct ax_onnx_ensemble narrow, wide; /* for float32, for float64; no trees: not built */
    size_t target_count;
    size_t feature_count; /* the highest that a node looks at, and one */
    enum ax_onnx_aggregate aggregate;
    const double *base; /* target_count of them; NULL: none */
    bool classes;       /* set by the caller: base values are added in any case */
    bool partial;       /* some row may find no weight for a target, which then gets no base */

    /* Of leaf number n: weights [starts[n], starts[n + 1]). */
    const size_t *starts;
    const int32_t *targets;
    const double *weights;
};

/* TreeEnsembleRegressor, TreeEnsembleClassifier: which attributes its weights are in. */
struct ax_onnx_weight_names {
    const char *trees, *nodes, *ids, *weights, *weights_as_tensor;
};

/*
 * Reads the arrays of version 1 or 3; ctx->arena is working memory.
 *
 * trees: arena, target_count, aggregate, base and classes are set. single: weights are for one
 * target, whatever their id. Fails: INVALID with tree and node.
 */
ax_status ax_onnx_trees_read(struct ax_ctx *ctx, const struct ax_onnx_node *node,
                             const struct ax_onnx_weight_names *names, bool single,
                             struct ax_onnx_trees *trees);

/* The same for the arrays of TreeEnsemble (version 5). */
ax_status ax_onnx_trees_read_v5(struct ax_ctx *ctx, const struct ax_onnx_node *node,
                                struct ax_onnx_trees *trees);

/* A list of numbers, from floats or from a tensor, in ctx->arena. Fails: INVALID for both. */
ax_status ax_onnx_trees_numbers(struct ax_ctx *ctx, const struct ax_onnx_node *node,
                                const char *floats, const char *tensor, const double **out,
                                size_t *out_count);

/* Scratch memory that scoring takes, however many rows. */
size_t ax_onnx_trees_scratch_bytes(const struct ax_onnx_trees *trees, bool wide);

/* Scores of rows, base values added; out: target_count of them a row. rows: floats, or doubles. */
void ax_onnx_trees_score(const struct ax_onnx_trees *trees, const struct ax_forest_rows *rows,
                         void *scratch, double *out);
