/*
 * Contributions of an ONNX graph whose response is a sum: an ensemble of trees, or a linear model,
 * behind operators that turn each feature into numbers of its own.
 *
 * Such operators (Scaler, Imputer, Cast, Concat, OneHotEncoder, arithmetic with constants) leave
 * what a feature contributes to the feature: the rows are sent through them, then the sum is
 * explained over its columns, by the kernels of shap_kernel.h or, of a linear model, exactly as
 * coefficient times the distance to a mean; and what the columns of one feature got is the
 * feature's. Trees over a feature that became several columns are not explained: those columns are
 * no players of their own.
 *
 * Contributions add up to the sum of the trees or products: the margin, which the graph's own
 * answer, a float32, gives only to that precision. ONNX files have no cover and no means, so there
 * are none without a reference population.
 */
#pragma once

#include "engine/onnx_post.h"
#include "engine/onnx_table.h"
#include "engine/onnx_trees.h"

/* How an operator makes one of its outputs of sums. */
struct ax_onnx_sum {
    const struct ax_onnx_trees *trees; /* NULL: a linear model */
    const float *coefficients;         /* [targets][features] */
    const float *intercepts;           /* NULL: none */
    size_t targets, features;
    size_t output;          /* which of the operator's */
    enum ax_onnx_post post; /* what becomes of the sums */
    bool pair;              /* one sum becomes the scores of two classes */
    bool mirrored;          /* the score of the first class is that of the turned sum */
};

/* Whether the node is such an operator: of onnx_ops_tree.c, of onnx_ops_linear.c. */
bool ax_onnx_sum_of_trees(const struct ax_onnx_node *node, struct ax_onnx_sum *out);
bool ax_onnx_sum_of_products(const struct ax_onnx_node *node, struct ax_onnx_sum *out);

struct ax_onnx_explain;

/* What is asked: the table's program and what its response is. */
struct ax_onnx_explain_request {
    const struct ax_onnx_program *program;
    size_t output;
    size_t first, width, all_columns; /* of the response's columns, those that are margins */
    bool odds;                        /* the margin is the log-odds of the response */
};

/*
 * Prepares explanations, and sets what the signature says of them; a note says why there are none.
 *
 * arena: kept. out: NULL when there are none. Fails: LIMIT.
 */
ax_status ax_onnx_explain_prepare(struct ax_ctx *ctx, struct ax_arena *arena,
                                  struct ax_onnx_engine *engine,
                                  const struct ax_onnx_explain_request *request,
                                  struct ax_onnx_explain **out);

/* As the port's functions; the engine is a table's function. */
ax_status ax_onnx_explain_background(const struct ax_onnx_engine *engine, struct ax_ctx *ctx,
                                     const struct ax_engine_rows *rows, struct ax_arena *arena,
                                     struct ax_engine_background **out_background);
size_t ax_onnx_explain_scratch_bytes(const struct ax_onnx_engine *engine,
                                     const struct ax_engine_background *background);
ax_status ax_onnx_explain_score(const struct ax_onnx_engine *engine, struct ax_ctx *ctx,
                                const struct ax_engine_call *call, void *scratch, double *out);
