#include "cli/model_rows.h"

#include <math.h>

#include "base/number.h"
#include "codec/csv.h"
#include "engine/engine.h"

ax_status
ax_model_rows_match(struct ax_ctx *ctx, const struct ax_csv *csv,
                    const struct ax_engine_signature *signature, struct ax_model_rows *out_rows)
{
    size_t count = signature->feature_count, found = 0;
    size_t *column_of = AX_NEW_ARRAY(ctx->arena, size_t, count + 1);
    if (!column_of)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu columns", count);
    for (size_t i = 0; i < count; i++) {
        column_of[i] = ax_csv_column(csv, signature->features[i].name);
        found += column_of[i] != SIZE_MAX;
    }
    size_t given = ax_csv_header(csv)->count;
    if (found != count && given != count)
        return ax_fail(ctx, AX_INVALID,
                       "the model has %zu features; the input has %zu columns, of which %zu are "
                       "named like features",
                       count, given, found);
    for (size_t i = 0; found != count && i < count; i++)
        column_of[i] = i;
    *out_rows = (struct ax_model_rows){.signature = signature, .column_of = column_of};
    return AX_OK;
}

static ax_status
take_cell(struct ax_ctx *ctx, const struct ax_model_rows *rows, const struct ax_csv_row *row,
          size_t feature, double *out)
{
    const struct ax_engine_feature *of = &rows->signature->features[feature];
    ax_str cell = row->fields[rows->column_of[feature]];
    *out = (double)NAN;
    if (cell.len == 0 || (of->categories && ax_engine_category_find(of, cell, out)) ||
        ax_parse_f64(ax_str_trim(cell), out)) /* a category may be given as its code, too */
        return AX_OK;
    return ax_fail(ctx, AX_INVALID, "row %zu (line %zu), column `%.*s`: \"%.*s\" is %s",
                   row->number, row->line, AX_FMT(of->name), AX_FMT(cell),
                   of->categories ? "none of its categories" : "not a number");
}

ax_status
ax_model_rows_take(struct ax_ctx *ctx, const struct ax_model_rows *rows,
                   const struct ax_csv_row *row, double *out)
{
    for (size_t i = 0; i < rows->signature->feature_count; i++)
        AX_TRY(take_cell(ctx, rows, row, i, &out[i]));
    return AX_OK;
}
