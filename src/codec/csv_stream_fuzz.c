#include "codec/csv_stream.h"

#include <stdint.h>

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MAX = 64 << 20 };

struct pieces {
    ax_str text;
    size_t piece_bytes;
};

static ax_status
pieces_read(void *arg, struct ax_ctx *, char *out, size_t room, size_t *out_len)
{
    struct pieces *pieces = arg;
    size_t len = pieces->text.len < pieces->piece_bytes ? pieces->text.len : pieces->piece_bytes;
    AX_ASSERT(len <= room);
    if (len)
        memcpy(out, pieces->text.at, len);
    pieces->text = ax_str_from(pieces->text, len);
    *out_len = len;
    return AX_OK;
}

static ax_status
put_rows(struct ax_ctx *ctx, struct ax_csv *csv, struct ax_writer *out)
{
    for (;;) {
        struct ax_csv_row row;
        AX_TRY(ax_csv_next(csv, ctx, &row));
        if (!row.fields)
            return AX_OK;
        ax_writer_print(out, "%zu@%zu ", row.number, row.line);
        ax_csv_put_row(out, row.fields, row.count);
    }
}

static ax_status
read_whole(struct ax_ctx *ctx, ax_str text, struct ax_writer *out)
{
    struct ax_csv *csv;
    AX_TRY(ax_csv_open(ctx, text, NULL, &csv));
    return put_rows(ctx, csv, out);
}

static ax_status
read_parts(struct ax_ctx *ctx, struct pieces pieces, size_t part_bytes, struct ax_writer *out)
{
    ax_writer_auto struct ax_writer room = ax_writer_of(BYTES_MAX);
    struct ax_csv_stream *stream;
    struct ax_csv_part part;
    struct ax_csv *csv;
    AX_TRY(ax_csv_stream_open(ctx, (struct ax_csv_source){pieces_read, &pieces}, NULL, part_bytes,
                              &stream));
    for (;;) {
        AX_TRY(ax_csv_stream_next(stream, ctx, &room, &part));
        if (part.text.len == 0)
            return AX_OK;
        AX_TRY(ax_csv_stream_rows(stream, ctx, &part, &csv));
        AX_TRY(put_rows(ctx, csv, out));
    }
}

/* The first byte says how the rest is cut; rows and refusals are those of the whole text. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(BYTES_MAX);
    struct ax_ctx first = ax_ctx_of(arena), second = ax_ctx_of(arena);
    ax_writer_auto struct ax_writer whole = ax_writer_of(BYTES_MAX),
                                    parts = ax_writer_of(BYTES_MAX);
    ax_str text = {(const char *)data + 1, size - 1};
    ax_status want = read_whole(&first, text, &whole);
    struct pieces pieces = {text, 1 + data[0] % 16};
    ax_status got = read_parts(&second, pieces, 1 + data[0] / 16, &parts);
    if (want == AX_LIMIT || got == AX_LIMIT)
        return 0; /* a row a part needs more memory */
    AX_ASSERT(want == got);
    AX_ASSERT(ax_str_eq(ax_str_of(first.error), ax_str_of(second.error)));
    AX_ASSERT(ax_str_eq(ax_writer_str(&whole), ax_writer_str(&parts)));
    return 0;
}
