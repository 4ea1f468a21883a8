#include "codec/csv_stream.h"

enum { PART_BYTES = 256 << 10, READ_BYTES = 128 << 10 };

static const size_t rest_bytes_max = (size_t)AX_CSV_STREAM_ROW_BYTES_MAX + PART_BYTES + READ_BYTES;

struct ax_csv_stream {
    struct ax_csv_source source;
    struct ax_csv_limits limits;
    size_t part_bytes;
    struct ax_csv *header;
    struct ax_writer rest; /* read and not given yet; begins with a row */
    bool ended;
    size_t number, line; /* of the row that comes next */
};

/* A look through a text for the ends of its rows. */
struct look {
    size_t at;       /* bytes seen */
    size_t row_from; /* where the present row begins */
    size_t rows, lines;
    bool quoted;
};

/* Whether a row ends at least `least` bytes into the text; look->at stands behind it then. */
static bool
find_end(struct look *look, ax_str text, size_t least)
{
    while (look->at < text.len) {
        char c = text.at[look->at++];
        look->quoted ^= c == '"';
        if (c != '\n')
            continue;
        look->lines++;
        if (look->quoted)
            continue;
        look->rows++;
        look->row_from = look->at;
        if (look->at >= least)
            return true;
    }
    return false;
}

static ax_status
read_more(struct ax_csv_stream *stream, struct ax_ctx *ctx, struct ax_writer *room)
{
    size_t len = 0;
    char *at = ax_writer_room(room, READ_BYTES);
    if (!at)
        return ax_fail(ctx, AX_LIMIT, "row %zu: no memory for a part of the table", stream->number);
    AX_TRY(stream->source.read(stream->source.arg, ctx, at, READ_BYTES, &len));
    room->len -= READ_BYTES - len;
    stream->ended = len == 0;
    return AX_OK;
}

/* Fills `room` up to the end of the first row that reaches `least` bytes. */
static ax_status
take_part(struct ax_csv_stream *stream, struct ax_ctx *ctx, size_t least, struct ax_writer *room,
          struct ax_csv_part *out_part)
{
    struct look look = {};
    ax_writer_clear(room);
    ax_writer_bytes(room, ax_writer_str(&stream->rest));
    ax_writer_clear(&stream->rest);
    while (!find_end(&look, ax_writer_str(room), least) && !stream->ended) {
        if (look.at - look.row_from > AX_CSV_STREAM_ROW_BYTES_MAX)
            return ax_fail(ctx, AX_LIMIT, "row %zu (line %zu) has more than %d bytes",
                           stream->number + look.rows, stream->line + look.lines,
                           (int)AX_CSV_STREAM_ROW_BYTES_MAX);
        AX_TRY(read_more(stream, ctx, room));
    }
    ax_str text = ax_writer_str(room);
    ax_writer_bytes(&stream->rest, ax_str_from(text, look.at));
    if (room->status != AX_OK || stream->rest.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "row %zu: no memory for a part of the table", stream->number);
    *out_part = (struct ax_csv_part){{text.at, look.at}, stream->number, stream->line};
    stream->number += look.rows;
    stream->line += look.lines;
    return AX_OK;
}

/* The header's text is copied: its fields outlive every part. */
static ax_status
read_header(struct ax_csv_stream *stream, struct ax_ctx *ctx)
{
    ax_writer_auto struct ax_writer room = ax_writer_of(rest_bytes_max);
    struct ax_csv_part part;
    ax_str text;
    AX_TRY(take_part(stream, ctx, 1, &room, &part));
    if (!ax_str_copy(ctx->arena, part.text, &text))
        return ax_fail(ctx, AX_LIMIT, "no memory for a table's header");
    return ax_csv_open(ctx, text, &stream->limits, &stream->header);
}

static void
rest_free(void *rest)
{
    ax_writer_free(rest);
}

ax_status
ax_csv_stream_open(struct ax_ctx *ctx, struct ax_csv_source source,
                   const struct ax_csv_limits *limits, size_t part_bytes,
                   struct ax_csv_stream **out_stream)
{
    struct ax_csv_stream *stream = AX_NEW(ctx->arena, struct ax_csv_stream);
    if (!stream || !ax_arena_defer(ctx->arena, rest_free, &stream->rest))
        return ax_fail(ctx, AX_LIMIT, "no memory for a table");
    stream->source = source;
    if (limits)
        stream->limits = *limits;
    stream->part_bytes = part_bytes ? part_bytes : PART_BYTES;
    stream->rest = ax_writer_of(rest_bytes_max);
    stream->number = stream->line = 1;
    AX_TRY(read_header(stream, ctx));
    *out_stream = stream;
    return AX_OK;
}

const struct ax_csv_row *
ax_csv_stream_header(const struct ax_csv_stream *stream)
{
    return ax_csv_header(stream->header);
}

size_t
ax_csv_stream_column(const struct ax_csv_stream *stream, ax_str name)
{
    return ax_csv_column(stream->header, name);
}

ax_status
ax_csv_stream_next(struct ax_csv_stream *stream, struct ax_ctx *ctx, struct ax_writer *room,
                   struct ax_csv_part *out_part)
{
    return take_part(stream, ctx, stream->part_bytes, room, out_part);
}

ax_status
ax_csv_stream_rows(const struct ax_csv_stream *stream, struct ax_ctx *ctx,
                   const struct ax_csv_part *part, struct ax_csv **out_csv)
{
    return ax_csv_open_part(ctx, ax_csv_stream_header(stream), part, &stream->limits, out_csv);
}
