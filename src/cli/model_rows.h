/*
 * The lines of a CSV file as the rows of numbers that a model takes.
 *
 * Columns are matched by name when the input has every feature's name, else by order. A cell is a
 * number, a category's word, or empty: missing.
 */
#pragma once

#include "base/ctx.h"

struct ax_csv;
struct ax_csv_row;
struct ax_engine_signature;

struct ax_model_rows {
    const struct ax_engine_signature *signature; /* kept */
    size_t *column_of;                           /* of each feature, in ctx->arena */
};

/* Fails: INVALID when neither names nor the number of columns fit; LIMIT. */
ax_status ax_model_rows_match(struct ax_ctx *ctx, const struct ax_csv *csv,
                              const struct ax_engine_signature *signature,
                              struct ax_model_rows *out_rows);

/* One row, feature_count numbers. Fails: INVALID with row, line and column. */
ax_status ax_model_rows_take(struct ax_ctx *ctx, const struct ax_model_rows *rows,
                             const struct ax_csv_row *row, double *out);
