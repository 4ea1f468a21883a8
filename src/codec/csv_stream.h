/*
 * A table too long for memory, cut into parts of whole rows that csv.h reads one by one.
 *
 * A line end outside quotes ends a row: up to the first row that breaks the rules of csv.h no more
 * need be known, and the part that holds this row is refused by its reader. So the parts give what
 * the whole text would give, rows and refusals alike, and any number of threads may read them. Only
 * a row of more than 16 MiB is refused by the cut itself: a quote that is never closed would draw
 * all that follows into memory.
 */
#pragma once

#include "codec/csv.h"

enum { AX_CSV_STREAM_ROW_BYTES_MAX = 16 << 20 };

/* Where the text comes from: up to `room` bytes at a time; none when it ends. */
struct ax_csv_source {
    ax_status (*read)(void *arg, struct ax_ctx *ctx, char *out, size_t room, size_t *out_len);
    void *arg;
};

struct ax_csv_stream; /* one reading; in ctx->arena */

/*
 * Reads the header.
 *
 * source: kept. limits: of its rows; NULL for the defaults. part_bytes: a part ends with the row
 * that reaches so many; 0: 256 KiB. Fails: as ax_csv_open; as the source.
 */
ax_status ax_csv_stream_open(struct ax_ctx *ctx, struct ax_csv_source source,
                             const struct ax_csv_limits *limits, size_t part_bytes,
                             struct ax_csv_stream **out_stream);

/* The header's fields; they live as long as the arena. */
const struct ax_csv_row *ax_csv_stream_header(const struct ax_csv_stream *stream);

/* As ax_csv_column. */
size_t ax_csv_stream_column(const struct ax_csv_stream *stream, ax_str name);

/*
 * The next part; with an empty text when there is none.
 *
 * room: emptied and filled with the part's text. Fails: LIMIT, as the source.
 */
ax_status ax_csv_stream_next(struct ax_csv_stream *stream, struct ax_ctx *ctx,
                             struct ax_writer *room, struct ax_csv_part *out_part);

/* Begins to read a part's rows; the stream is kept and not changed. Fails: as ax_csv_open_part. */
ax_status ax_csv_stream_rows(const struct ax_csv_stream *stream, struct ax_ctx *ctx,
                             const struct ax_csv_part *part, struct ax_csv **out_csv);
