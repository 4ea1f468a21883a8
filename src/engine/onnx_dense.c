#include "engine/onnx_dense.h"

#include <stdint.h>

#include "base/number.h"
#include "engine/scratch.h"

enum { PANEL = 8 };

static void
fill_panels(const struct ax_onnx_dense_source *source, double *out)
{
    size_t panels = (source->columns + PANEL - 1) / PANEL;
    for (size_t p = 0; p < panels; p++)
        for (size_t k = 0; k < source->depth; k++)
            for (size_t lane = 0; lane < PANEL; lane++, out++) {
                size_t column = p * PANEL + lane;
                *out = column < source->columns
                           ? (double)source->at[k * source->row_step + column * source->column_step]
                           : 0;
            }
}

static void
fill_columns(const struct ax_onnx_dense_source *source, double *out)
{
    for (size_t j = 0; j < source->columns; j++)
        for (size_t k = 0; k < source->depth; k++)
            *out++ = (double)source->at[k * source->row_step + j * source->column_step];
}

ax_status
ax_onnx_dense_pack(struct ax_ctx *ctx, struct ax_arena *arena,
                   const struct ax_onnx_dense_source *source, struct ax_onnx_dense *out)
{
    bool few = source->columns <= AX_ONNX_DENSE_FEW;
    size_t width = few ? source->columns : (source->columns + PANEL - 1) / PANEL * PANEL, cells;
    double *weights = NULL;
    if (ax_mul(source->depth, width, &cells) && ax_add(cells, AX_SCRATCH_WIDE, &cells))
        weights = AX_NEW_ARRAY(arena, double, cells);
    if (!weights)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zux%zu weights", source->depth,
                       source->columns);
    weights = ax_scratch_wide(weights);
    if (few)
        fill_columns(source, weights);
    else
        fill_panels(source, weights);
    *out = (struct ax_onnx_dense){
        .depth = source->depth,
        .columns = source->columns,
        .width = width,
        .weights = weights,
        .alpha = 1,
    };
    return AX_OK;
}

/* Rows in float64, their sums, and what alignment may take. */
size_t
ax_onnx_dense_room(const struct ax_onnx_dense *dense)
{
    size_t rows = dense->width <= AX_ONNX_DENSE_FEW ? PANEL : AX_ONNX_DENSE_ROWS;
    return rows * (dense->depth + dense->width) + PANEL;
}
