/*
 * A table in memory: named columns of numbers or categories, rows with an id and perhaps a label.
 *
 * What dataops reads, learners learn from and validators judge on. A category is its code, 0, 1, 2
 * by the order of the column's table; missing is NaN in both kinds. So a row is an array of
 * doubles, the "encoded row" of docs/formats.md, and training and serving share the tables.
 * Frames are plain data: who made one owns its arrays, usually an arena; nothing here changes one.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"

enum ax_frame_kind { AX_FRAME_NUMBER, AX_FRAME_CATEGORY };

struct ax_frame_column {
    ax_str name;
    enum ax_frame_kind kind;
    const double *values;     /* row_count of the frame; NaN is missing */
    const ax_str *categories; /* code -> text */
    size_t category_count;
};

struct ax_frame {
    const struct ax_frame_column *columns;
    size_t column_count;
    size_t row_count;
    const uint64_t *row_ids; /* which row of the source: its number from 0 */
    const uint8_t *labels;   /* 1 where the target has its positive value; NULL without a target */
};

enum { AX_FRAME_COLUMNS_MAX = 4096, AX_FRAME_CATEGORIES_MAX = 65536 };

/* Index of the column, or SIZE_MAX. */
size_t ax_frame_find(const struct ax_frame *frame, ax_str name);

/* Code of a category, or SIZE_MAX. */
size_t ax_frame_code(const struct ax_frame_column *column, ax_str category);

/* The encoded row: column_count doubles. */
void ax_frame_row(const struct ax_frame *frame, size_t row, double *out_row);

/* All rows, row by row, rounded to float; in ctx->arena. Fails: LIMIT. */
ax_status ax_frame_floats(struct ax_ctx *ctx, const struct ax_frame *frame, float **out_rows);

/* The rows with these indices, in this order; in ctx->arena (names are shared). Fails: LIMIT. */
ax_status ax_frame_take(struct ax_ctx *ctx, const struct ax_frame *frame, const uint32_t *rows,
                        size_t row_count, struct ax_frame *out_frame);

/* The columns with these indices; values are shared. Fails: LIMIT. */
ax_status ax_frame_select(struct ax_ctx *ctx, const struct ax_frame *frame, const size_t *columns,
                          size_t column_count, struct ax_frame *out_frame);

/*
 * One string of bytes for one frame: magic, counts, tables, then values as binary64 with one NaN.
 * It is what a dataset's digest covers and what a training child reads. In ctx->arena.
 */
ax_status ax_frame_encode(struct ax_ctx *ctx, const struct ax_frame *frame, ax_str *out_bytes);

/* The reverse; strings are slices of bytes. Fails: INVALID (what and at which byte), LIMIT. */
ax_status ax_frame_decode(struct ax_ctx *ctx, ax_str bytes, struct ax_frame *out_frame);
