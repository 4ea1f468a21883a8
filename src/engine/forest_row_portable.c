/*
 * One row in plain C: ranks by halving among the double cuts, then K3, or K2.
 *
 * Cost: per column of C cuts log2 C dependent comparisons, columns being independent; then 6
 * operations a step and tree, steps being the depth of the deepest of eight trees of like depth.
 */
#include <string.h>

#include "engine/forest_masks_loop.h"
#include "engine/forest_row_add.h"

static double
cell(const char *row, bool f32, uint32_t feature)
{
    float narrow;
    double wide;
    if (f32) {
        memcpy(&narrow, row + feature * sizeof narrow, sizeof narrow);
        return (double)narrow;
    }
    memcpy(&wide, row + feature * sizeof wide, sizeof wide);
    return wide;
}

static uint32_t
rank_of(const double *cuts, uint32_t count, double x)
{
    uint32_t from = 0;
    while (count > 1) {
        uint32_t half = count / 2;
        from += half & -(uint32_t)(cuts[from + half - 1] < x); /* no branch */
        count -= half;
    }
    return from + (count == 1 && cuts[from] < x);
}

static void
rank_row(const struct ax_forest_row *form, const char *row, bool f32, uint8_t *lanes)
{
    const struct ax_forest_row_column *columns = ax_forest_row_at(form, form->columns_at);
    for (uint32_t i = 0; i < form->column_count; i++) {
        const struct ax_forest_row_column *column = &columns[i];
        double x = cell(row, f32, column->feature);
        uint32_t rank = rank_of(ax_forest_row_at(form, column->cuts_at), column->cut_count, x);
        lanes[column->lane] = (uint8_t)(isnan(x) ? column->missing : rank);
    }
    ax_forest_row_sets(form, lanes);
}

static double
find_leaves(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
            enum ax_forest_row_how how)
{
    return form->kind == AX_FOREST_ROW_MASKS ? ax_forest_masks_leaves(form, work, how)
                                             : ax_forest_row_interleave_add(form, work, how);
}

void
ax_forest_row_portable(const struct ax_forest_row *form, const struct ax_forest_rows *rows,
                       void *scratch, double *out_margin)
{
    struct ax_forest_row_work work = ax_forest_row_begin(form, scratch);
    const char *row = rows->at;
    for (size_t i = 0; i < rows->count; i++, row += rows->stride_bytes) {
        rank_row(form, row, rows->f32, work.lanes);
        ax_forest_row_finish(form, &work, rows->fast, find_leaves,
                             out_margin + i * form->output_count);
    }
}
