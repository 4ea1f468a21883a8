/*
 * What ONNX's ml operators do to scores before they are given out (`post_transform`), and labels.
 *
 * Source: onnxruntime/core/providers/cpu/ml/ml_common.h.
 */
#pragma once

#include "engine/onnx_ops.h"

enum ax_onnx_post {
    AX_ONNX_POST_NONE,
    AX_ONNX_POST_SOFTMAX,
    AX_ONNX_POST_LOGISTIC,
    AX_ONNX_POST_SOFTMAX_ZERO,
    AX_ONNX_POST_PROBIT,
};

/* The node's `post_transform`. Fails: INVALID for a word that is none. */
ax_status ax_onnx_post_read(struct ax_ctx *ctx, const struct ax_onnx_node *node,
                            enum ax_onnx_post *out);

/* 1 / (1 + e^-x), computed from the side on which nothing overflows. */
double ax_onnx_post_logistic(double x);

/* In place, over the scores of one row. */
void ax_onnx_post_apply(enum ax_onnx_post post, double *scores, size_t count);

/* The same over many rows; LOGISTIC of all of them at once. */
void ax_onnx_post_rows(const struct ax_onnx_call *call, enum ax_onnx_post post, double *scores,
                       size_t rows, size_t count);

/* The labels of a classifier: texts or whole numbers. */
struct ax_onnx_labels {
    const ax_str *texts; /* NULL: numbers */
    const int64_t *numbers;
    size_t count;
};

/* Reads them from the attributes named; arena: kept. Fails: INVALID when there are none, or both.
 */
ax_status ax_onnx_labels_read(struct ax_ctx *ctx, struct ax_arena *arena,
                              const struct ax_onnx_node *node, const char *texts,
                              const char *numbers, struct ax_onnx_labels *out);

/* Makes output `index` for one label a row; then sets them. */
ax_status ax_onnx_labels_output(struct ax_onnx_call *call, size_t index,
                                const struct ax_onnx_labels *labels, size_t rows, void **out_data);
void ax_onnx_labels_set(const struct ax_onnx_labels *labels, void *data, size_t row, size_t label);

/* A matrix of features: [rows, columns], or one row without the first dimension. */
struct ax_onnx_matrix {
    const struct ax_tensor *tensor;
    size_t rows, columns;
};
ax_status ax_onnx_matrix_of(struct ax_onnx_call *call, struct ax_onnx_matrix *out);

/* A row in float64; whole numbers are rounded to float32 first, as ONNX Runtime has it. */
void ax_onnx_matrix_row(const struct ax_onnx_matrix *matrix, size_t row, double *out);
