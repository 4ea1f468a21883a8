/*
 * A matrix of constants that rows are multiplied with: the arithmetic of linear models and of the
 * layers of a network.
 *
 * Sums are float64 and take the products in the order of the inner dimension. A product of two
 * floats is a float64 exactly, so it makes no difference whether it is rounded before it is added
 * (multiply, add) or not (fused): every level of machine, every number of rows and every shape of
 * the loops gives the same bits.
 *
 * Two shapes: of many columns eight are summed side by side, four rows at once where registers
 * allow; the weights lie in panels of eight columns, [panel][depth][8]. Of few columns eight rows
 * are summed side by side, and the weights lie by column, [column][depth].
 *
 * Cost: depth x columns / 8 fused multiplications a row, and a conversion for each float of it.
 */
#pragma once

#include "base/ctx.h"

enum {
    AX_ONNX_DENSE_FEW = 4, /* columns that are not worth a panel */
    AX_ONNX_DENSE_ROWS = 4,
};

struct ax_onnx_dense {
    size_t depth, columns;
    size_t width;          /* numbers of a row of sums: columns, or whole panels */
    const double *weights; /* aligned to 64 bytes */

    /* What becomes of a sum: alpha * sum + wide, rounded to a float; + narrow; relu. */
    double alpha;
    const double *wide;  /* columns of them; NULL: nothing is added */
    const float *narrow; /* the same, in float32 */
    bool relu;
};

/* A matrix [depth, columns] whose element (k, j) is at k * row_step + j * column_step. */
struct ax_onnx_dense_source {
    const float *at;
    size_t depth, columns;
    size_t row_step, column_step;
};

/*
 * Lays a matrix out.
 *
 * arena: kept. The result multiplies by 1 and adds nothing. Fails: LIMIT.
 */
ax_status ax_onnx_dense_pack(struct ax_ctx *ctx, struct ax_arena *arena,
                             const struct ax_onnx_dense_source *source, struct ax_onnx_dense *out);

/* Doubles of working memory that a level's loops take. */
size_t ax_onnx_dense_room(const struct ax_onnx_dense *dense);
