#include "numeric/frame.h"

#include <inttypes.h>
#include <math.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/number.h"
#include "base/reader.h"
#include "base/writer.h"

enum { NAME_BYTES_MAX = 1'000, HAS_LABELS = 1 };

static const size_t BYTES_MAX = (size_t)4 << 30;
static const uint64_t NAN_BITS = UINT64_C(0x7ff8000000000000);
#define MAGIC AX_STR("AXFRAME1")

static ax_status
no_memory(struct ax_ctx *ctx, const struct ax_frame *frame)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for %zu rows of %zu columns", frame->row_count,
                   frame->column_count);
}

size_t
ax_frame_find(const struct ax_frame *frame, ax_str name)
{
    for (size_t i = 0; i < frame->column_count; i++) {
        if (ax_str_eq(frame->columns[i].name, name))
            return i;
    }
    return SIZE_MAX;
}

size_t
ax_frame_code(const struct ax_frame_column *column, ax_str category)
{
    for (size_t i = 0; i < column->category_count; i++) {
        if (ax_str_eq(column->categories[i], category))
            return i;
    }
    return SIZE_MAX;
}

void
ax_frame_row(const struct ax_frame *frame, size_t row, double *out_row)
{
    AX_ASSERT(row < frame->row_count);
    for (size_t i = 0; i < frame->column_count; i++)
        out_row[i] = frame->columns[i].values[row];
}

ax_status
ax_frame_floats(struct ax_ctx *ctx, const struct ax_frame *frame, float **out_rows)
{
    size_t count = 0;
    float *rows = NULL;
    if (ax_mul(frame->row_count, frame->column_count, &count))
        rows = AX_NEW_ARRAY(ctx->arena, float, count ? count : 1);
    if (!rows)
        return no_memory(ctx, frame);
    for (size_t r = 0; r < frame->row_count; r++) {
        for (size_t c = 0; c < frame->column_count; c++)
            rows[r * frame->column_count + c] = (float)frame->columns[c].values[r];
    }
    *out_rows = rows;
    return AX_OK;
}

ax_status
ax_frame_take(struct ax_ctx *ctx, const struct ax_frame *frame, const uint32_t *rows,
              size_t row_count, struct ax_frame *out_frame)
{
    struct ax_frame taken = {.column_count = frame->column_count, .row_count = row_count};
    struct ax_frame_column *columns =
        AX_NEW_ARRAY(ctx->arena, struct ax_frame_column, frame->column_count + 1);
    uint64_t *ids = AX_NEW_ARRAY(ctx->arena, uint64_t, row_count + 1);
    uint8_t *labels = frame->labels ? AX_NEW_ARRAY(ctx->arena, uint8_t, row_count + 1) : NULL;
    if (!columns || !ids || (frame->labels && !labels))
        return no_memory(ctx, &taken);
    for (size_t i = 0; i < row_count; i++) {
        AX_ASSERT(rows[i] < frame->row_count);
        ids[i] = frame->row_ids[rows[i]];
        if (labels)
            labels[i] = frame->labels[rows[i]];
    }
    for (size_t c = 0; c < frame->column_count; c++) {
        double *values = AX_NEW_ARRAY(ctx->arena, double, row_count + 1);
        if (!values)
            return no_memory(ctx, &taken);
        for (size_t i = 0; i < row_count; i++)
            values[i] = frame->columns[c].values[rows[i]];
        columns[c] = frame->columns[c];
        columns[c].values = values;
    }
    taken.columns = columns;
    taken.row_ids = ids;
    taken.labels = labels;
    *out_frame = taken;
    return AX_OK;
}

ax_status
ax_frame_select(struct ax_ctx *ctx, const struct ax_frame *frame, const size_t *columns,
                size_t column_count, struct ax_frame *out_frame)
{
    struct ax_frame_column *chosen =
        AX_NEW_ARRAY(ctx->arena, struct ax_frame_column, column_count + 1);
    if (!chosen)
        return no_memory(ctx, frame);
    for (size_t i = 0; i < column_count; i++) {
        AX_ASSERT(columns[i] < frame->column_count);
        chosen[i] = frame->columns[columns[i]];
    }
    struct ax_frame selected = *frame;
    selected.columns = chosen;
    selected.column_count = column_count;
    *out_frame = selected;
    return AX_OK;
}

/* ---- bytes ---- */

static void
write_text(struct ax_writer *out, ax_str text)
{
    ax_writer_u32_le(out, (uint32_t)text.len);
    ax_writer_bytes(out, text);
}

/* One text for one meaning: one NaN, and no minus in front of zero. */
static uint64_t
canonical_bits(double value)
{
    if (isnan(value))
        return NAN_BITS;
    uint64_t bits = 0;
    value = value == 0 ? 0 : value;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double
double_of_bits(uint64_t bits)
{
    double value = 0;
    memcpy(&value, &bits, sizeof value);
    return value;
}

ax_status
ax_frame_encode(struct ax_ctx *ctx, const struct ax_frame *frame, ax_str *out_bytes)
{
    AX_ASSERT(frame->column_count <= AX_FRAME_COLUMNS_MAX);
    ax_writer_auto struct ax_writer out = ax_writer_of(BYTES_MAX);
    ax_writer_bytes(&out, MAGIC);
    ax_writer_u32_le(&out, (uint32_t)frame->column_count);
    ax_writer_u64_le(&out, frame->row_count);
    ax_writer_u8(&out, frame->labels ? HAS_LABELS : 0);
    for (size_t c = 0; c < frame->column_count; c++) {
        const struct ax_frame_column *column = &frame->columns[c];
        write_text(&out, column->name);
        ax_writer_u8(&out, (uint8_t)column->kind);
        ax_writer_u32_le(&out, (uint32_t)column->category_count);
        for (size_t i = 0; i < column->category_count; i++)
            write_text(&out, column->categories[i]);
    }
    for (size_t r = 0; r < frame->row_count; r++)
        ax_writer_u64_le(&out, frame->row_ids[r]);
    if (frame->labels)
        ax_writer_bytes(&out, (ax_str){(const char *)frame->labels, frame->row_count});
    for (size_t c = 0; c < frame->column_count; c++) {
        for (size_t r = 0; r < frame->row_count; r++)
            ax_writer_u64_le(&out, canonical_bits(frame->columns[c].values[r]));
    }
    if (out.status != AX_OK)
        return no_memory(ctx, frame);
    return ax_writer_take(&out, ctx->arena, out_bytes);
}

static ax_status
ends_early(struct ax_ctx *ctx, const struct ax_reader *reader, const char *where)
{
    return ax_fail(ctx, AX_INVALID, "rows end at byte %zu, inside %s", reader->at, where);
}

/* A text of at least one byte that none before it is. */
static ax_status
read_text(struct ax_ctx *ctx, struct ax_reader *reader, struct ax_map *seen, const char *what,
          ax_str *out_text)
{
    uint32_t len = ax_reader_u32_le(reader);
    size_t at = reader->at;
    if (reader->status != AX_OK || len > ax_reader_left(reader))
        return ends_early(ctx, reader, what);
    if (len > NAME_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "%s of %u bytes at byte %zu; at most %d", what, len, at,
                       NAME_BYTES_MAX);
    ax_str text = ax_reader_bytes(reader, len);
    if (ax_map_find(seen, text))
        return ax_fail(ctx, AX_INVALID, "%s `%.*s` at byte %zu is there twice", what, AX_FMT(text),
                       at);
    if (!ax_map_put(seen, text, seen))
        return ax_fail(ctx, AX_LIMIT, "no memory for a table of names");
    *out_text = text;
    return AX_OK;
}

static ax_status
read_column(struct ax_ctx *ctx, struct ax_reader *reader, struct ax_map *names,
            struct ax_frame_column *column)
{
    AX_TRY(read_text(ctx, reader, names, "column", &column->name));
    uint8_t kind = ax_reader_u8(reader);
    uint32_t count = ax_reader_u32_le(reader);
    if (reader->status != AX_OK)
        return ends_early(ctx, reader, "a column");
    if (column->name.len == 0 || kind > AX_FRAME_CATEGORY)
        return ax_fail(ctx, AX_INVALID, "column `%.*s` of unknown kind %u", AX_FMT(column->name),
                       kind);
    if (count > AX_FRAME_CATEGORIES_MAX || (kind == AX_FRAME_NUMBER && count > 0))
        return ax_fail(ctx, AX_INVALID, "column `%.*s` has %u categories", AX_FMT(column->name),
                       count);
    column->kind = kind;
    column->category_count = count;
    if (count > ax_reader_left(reader) / sizeof(uint32_t))
        return ends_early(ctx, reader, "a column");
    ax_str *categories = AX_NEW_ARRAY(ctx->arena, ax_str, count + 1);
    struct ax_map *seen = ax_map_new(ctx->arena);
    if (!categories || !seen)
        return ax_fail(ctx, AX_LIMIT, "no memory for %u categories", count);
    for (uint32_t i = 0; i < count; i++)
        AX_TRY(read_text(ctx, reader, seen, "category", &categories[i]));
    column->categories = categories;
    return AX_OK;
}

static ax_status
read_values(struct ax_ctx *ctx, struct ax_reader *reader, const struct ax_frame *frame,
            struct ax_frame_column *column)
{
    double *values = AX_NEW_ARRAY(ctx->arena, double, frame->row_count + 1);
    if (!values)
        return no_memory(ctx, frame);
    for (size_t r = 0; r < frame->row_count; r++) {
        uint64_t bits = ax_reader_u64_le(reader);
        double value = double_of_bits(bits);
        bool sound = bits == canonical_bits(value) && !isinf(value);
        if (sound && column->kind == AX_FRAME_CATEGORY && !isnan(value))
            sound = value >= 0 && value < (double)column->category_count && floor(value) == value;
        if (!sound)
            return ax_fail(ctx, AX_INVALID, "row %zu, column `%.*s`: the value cannot be", r,
                           AX_FMT(column->name));
        values[r] = value;
    }
    column->values = values;
    return AX_OK;
}

static ax_status
read_rows(struct ax_ctx *ctx, struct ax_reader *reader, struct ax_frame *frame, bool labelled)
{
    uint64_t *ids = AX_NEW_ARRAY(ctx->arena, uint64_t, frame->row_count + 1);
    if (!ids)
        return no_memory(ctx, frame);
    for (size_t r = 0; r < frame->row_count; r++)
        ids[r] = ax_reader_u64_le(reader);
    frame->row_ids = ids;
    if (!labelled)
        return AX_OK;
    ax_str labels = ax_reader_bytes(reader, frame->row_count);
    for (size_t r = 0; r < labels.len; r++) {
        if (labels.at[r] != 0 && labels.at[r] != 1)
            return ax_fail(ctx, AX_INVALID, "the label of row %zu is not 0 or 1", r);
    }
    frame->labels = (const uint8_t *)labels.at;
    return AX_OK;
}

ax_status
ax_frame_decode(struct ax_ctx *ctx, ax_str bytes, struct ax_frame *out_frame)
{
    struct ax_reader reader = ax_reader_of(bytes);
    if (!ax_str_eq(ax_reader_bytes(&reader, MAGIC.len), MAGIC))
        return ax_fail(ctx, AX_INVALID, "no frame: the first bytes are not AXFRAME1");
    struct ax_frame frame = {.column_count = ax_reader_u32_le(&reader)};
    uint64_t row_count = ax_reader_u64_le(&reader);
    uint8_t flags = ax_reader_u8(&reader);
    if (reader.status != AX_OK)
        return ends_early(ctx, &reader, "the head");
    if (frame.column_count > AX_FRAME_COLUMNS_MAX || flags > HAS_LABELS)
        return ax_fail(ctx, AX_INVALID, "a head that says %zu columns and flags %u",
                       frame.column_count, flags);
    struct ax_frame_column *columns =
        AX_NEW_ARRAY(ctx->arena, struct ax_frame_column, frame.column_count + 1);
    struct ax_map *names = ax_map_new(ctx->arena);
    if (!columns || !names)
        return no_memory(ctx, &frame);
    for (size_t c = 0; c < frame.column_count; c++)
        AX_TRY(read_column(ctx, &reader, names, &columns[c]));
    /* Each row has an id, a value a column and perhaps a label: checked before room is asked for.
     */
    size_t row_bytes = sizeof(uint64_t) * (1 + frame.column_count) + (flags & HAS_LABELS);
    size_t need = 0;
    if (!ax_mul(row_count, row_bytes, &need) || need != ax_reader_left(&reader))
        return ax_fail(ctx, AX_INVALID,
                       "%zu bytes of rows behind byte %zu; %" PRIu64
                       " rows of %zu bytes were announced",
                       ax_reader_left(&reader), reader.at, row_count, row_bytes);
    frame.row_count = row_count;
    AX_TRY(read_rows(ctx, &reader, &frame, flags & HAS_LABELS));
    for (size_t c = 0; c < frame.column_count; c++)
        AX_TRY(read_values(ctx, &reader, &frame, &columns[c]));
    frame.columns = columns;
    *out_frame = frame;
    return AX_OK;
}
