/*
 * CSV (RFC 4180), strictly: a table's rows as slices of the text, one after another.
 *
 * The first row is the header and says how many fields every row has. Accepted: LF or CRLF, a
 * missing last line end, a UTF-8 byte order mark in front, quoted fields with doubled quotes and
 * line ends inside. Refused, naming the row (the header is row 1): a ragged row, a quote inside a
 * bare field, text behind a closing quote, a quote that never closes, a NUL, a lone CR, bad UTF-8,
 * an empty file. What fields mean is the caller's business: everything is text here.
 */
#pragma once

#include "base/ctx.h"
#include "base/writer.h"

struct ax_csv; /* one reading; in ctx->arena */

struct ax_csv_limits {
    char separator;         /* 0: ',' */
    size_t columns_max;     /* 0: 16'384 */
    size_t rows_max;        /* without the header; 0: 100'000'000 */
    size_t field_bytes_max; /* as written; 0: 1 MiB */
};

struct ax_csv_row {
    const ax_str *fields; /* until the next row is read; NULL when there is no further row */
    size_t count;
    size_t number; /* 1 is the header */
    size_t line;   /* line of the text the row begins on, from 1 */
};

/* A piece of a table that csv_stream.h cut: whole rows, and where they stand in the table. */
struct ax_csv_part {
    ax_str text;
    size_t number; /* of its first row; 1 is the header */
    size_t line;   /* on which that row begins, from 1 */
};

/*
 * Reads the header.
 *
 * text: kept. limits: NULL for the defaults.
 * Fails: INVALID with the row; LIMIT when a limit or the arena's budget is passed.
 */
ax_status ax_csv_open(struct ax_ctx *ctx, ax_str text, const struct ax_csv_limits *limits,
                      struct ax_csv **out_csv);

/*
 * Begins to read a part of a table, whose rows are then those of the table itself.
 *
 * header: of the table; kept. part: its text is kept. limits, and fails: as open.
 */
ax_status ax_csv_open_part(struct ax_ctx *ctx, const struct ax_csv_row *header,
                           const struct ax_csv_part *part, const struct ax_csv_limits *limits,
                           struct ax_csv **out_csv);

/* The header's fields; they live as long as the arena. */
const struct ax_csv_row *ax_csv_header(const struct ax_csv *csv);

/* The column of that name (the first of them), or SIZE_MAX. */
size_t ax_csv_column(const struct ax_csv *csv, ax_str name);

/* The next row; at the end out_row->fields is NULL and the status is OK. Fails: as open. */
ax_status ax_csv_next(struct ax_csv *csv, struct ax_ctx *ctx, struct ax_csv_row *out_row);

/* Writes one row, quoting what needs it, with LF behind. */
void ax_csv_put_row(struct ax_writer *out, const ax_str *fields, size_t count);
