#include "codec/csv.h"

#include "base/array.h"
#include "codec/text.h"

enum {
    COLUMNS_MAX = 16'384,
    ROWS_MAX = 100'000'000,
    FIELD_BYTES_MAX = 1 << 20,
};

static const ax_str byte_order_mark = {"\xef\xbb\xbf", 3};

struct fields {
    AX_ARRAY(ax_str)
};

struct ax_csv {
    ax_str text;
    size_t at;   /* byte of the next row */
    size_t line; /* of the text, from 1 */
    size_t number;
    struct ax_csv_limits limits;
    struct ax_csv_row header;
    struct fields fields;       /* of the row read last */
    struct ax_arena *undoubled; /* the fields of that row that had doubled quotes */
};

static ax_status
refuse(struct ax_csv *csv, struct ax_ctx *ctx, const char *what)
{
    return ax_fail(ctx, AX_INVALID, "row %zu (line %zu): %s", csv->number, csv->line, what);
}

/* A doubled quote is one: the field is copied only when it has any, and lasts for its row. */
static ax_status
undouble(struct ax_csv *csv, struct ax_ctx *ctx, ax_str raw, ax_str *out)
{
    char *at = AX_NEW_ARRAY(csv->undoubled ? csv->undoubled : ctx->arena, char, raw.len + 1);
    if (!at)
        return ax_fail(ctx, AX_LIMIT, "row %zu: no memory for a field", csv->number);
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        at[len++] = raw.at[i];
        i += raw.at[i] == '"';
    }
    *out = (ax_str){at, len};
    return AX_OK;
}

/* Reads a quoted field; *at stands behind the opening quote and ends behind the closing one. */
static ax_status
take_quoted(struct ax_csv *csv, struct ax_ctx *ctx, size_t *at, ax_str *out)
{
    size_t from = *at;
    bool doubled = false;
    for (;;) {
        if (*at >= csv->text.len)
            return refuse(csv, ctx, "a quoted field is never closed");
        char c = csv->text.at[(*at)++];
        csv->line += c == '\n';
        if (c != '"')
            continue;
        if (*at >= csv->text.len || csv->text.at[*at] != '"')
            break;
        (*at)++;
        doubled = true;
    }
    ax_str raw = {csv->text.at + from, *at - 1 - from};
    if (!doubled) {
        *out = raw;
        return AX_OK;
    }
    return undouble(csv, ctx, raw, out);
}

static ax_status
take_bare(struct ax_csv *csv, struct ax_ctx *ctx, size_t *at, ax_str *out)
{
    size_t from = *at;
    for (; *at < csv->text.len; (*at)++) {
        char c = csv->text.at[*at];
        if (c == csv->limits.separator || c == '\n' || c == '\r')
            break;
        if (c == '"')
            return refuse(csv, ctx, "a quote inside a bare field");
    }
    *out = (ax_str){csv->text.at + from, *at - from};
    return AX_OK;
}

static ax_status
take_field(struct ax_csv *csv, struct ax_ctx *ctx, size_t *at)
{
    if (csv->fields.count == csv->limits.columns_max)
        return ax_fail(ctx, AX_LIMIT, "row %zu has more than %zu fields", csv->number,
                       csv->limits.columns_max);
    size_t from = *at;
    ax_str *field = AX_ARRAY_PUSH(ctx->arena, &csv->fields);
    if (!field)
        return ax_fail(ctx, AX_LIMIT, "row %zu: no memory for a field", csv->number);
    if (*at < csv->text.len && csv->text.at[*at] == '"') {
        (*at)++;
        AX_TRY(take_quoted(csv, ctx, at, field));
    } else {
        AX_TRY(take_bare(csv, ctx, at, field));
    }
    if (*at - from > csv->limits.field_bytes_max)
        return ax_fail(ctx, AX_LIMIT, "row %zu, field %zu is longer than %zu bytes", csv->number,
                       csv->fields.count, csv->limits.field_bytes_max);
    if (field->len && memchr(field->at, '\0', field->len))
        return refuse(csv, ctx, "a NUL byte");
    return ax_utf8_ok(*field) ? AX_OK : refuse(csv, ctx, "text is not UTF-8");
}

/* Behind a field: a separator (more fields), a line end, or the end of the text. */
static ax_status
take_end(struct ax_csv *csv, struct ax_ctx *ctx, size_t *at, bool *out_more)
{
    *out_more = false;
    if (*at >= csv->text.len)
        return AX_OK;
    char c = csv->text.at[(*at)++];
    if (c == csv->limits.separator) {
        *out_more = true;
        return AX_OK;
    }
    if (c == '\r') {
        if (*at >= csv->text.len || csv->text.at[*at] != '\n')
            return refuse(csv, ctx, "a carriage return that ends no line");
        c = csv->text.at[(*at)++];
    }
    if (c != '\n')
        return refuse(csv, ctx, "text behind a closing quote");
    csv->line++;
    return AX_OK;
}

static ax_status
read_row(struct ax_csv *csv, struct ax_ctx *ctx, struct ax_csv_row *out_row)
{
    size_t at = csv->at, line = csv->line;
    bool more = true;
    csv->fields.count = 0;
    csv->number++;
    if (csv->undoubled)
        ax_arena_reset(csv->undoubled);
    while (more) {
        AX_TRY(take_field(csv, ctx, &at));
        AX_TRY(take_end(csv, ctx, &at, &more));
    }
    csv->at = at;
    *out_row = (struct ax_csv_row){csv->fields.items, csv->fields.count, csv->number, line};
    return AX_OK;
}

static void
undoubled_free(void *arena)
{
    ax_arena_free(arena);
}

/* Room that is used again for each row: a long table costs no more than its longest row. */
static ax_status
open_undoubled(struct ax_csv *csv, struct ax_ctx *ctx)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(2 * csv->text.len + (64 << 10));
    if (!arena || !ax_arena_defer(ctx->arena, undoubled_free, arena))
        return ax_fail(ctx, AX_LIMIT, "no memory for a table");
    csv->undoubled = ax_take(arena);
    return AX_OK;
}

static struct ax_csv *
make(struct ax_arena *arena, ax_str text, const struct ax_csv_limits *limits)
{
    struct ax_csv *csv = AX_NEW(arena, struct ax_csv);
    if (!csv)
        return NULL;
    if (limits)
        csv->limits = *limits;
    if (!csv->limits.separator)
        csv->limits.separator = ',';
    if (!csv->limits.columns_max)
        csv->limits.columns_max = COLUMNS_MAX;
    if (!csv->limits.rows_max)
        csv->limits.rows_max = ROWS_MAX;
    if (!csv->limits.field_bytes_max)
        csv->limits.field_bytes_max = FIELD_BYTES_MAX;
    csv->text = text;
    csv->line = 1;
    return csv;
}

ax_status
ax_csv_open(struct ax_ctx *ctx, ax_str text, const struct ax_csv_limits *limits,
            struct ax_csv **out_csv)
{
    bool marked = ax_str_starts(text, byte_order_mark);
    struct ax_csv *csv =
        make(ctx->arena, marked ? ax_str_from(text, byte_order_mark.len) : text, limits);
    if (!csv)
        return ax_fail(ctx, AX_LIMIT, "no memory for a table");
    if (csv->text.len == 0)
        return ax_fail(ctx, AX_INVALID, "the file is empty; a header was expected");
    AX_TRY(read_row(csv, ctx, &csv->header));
    AX_TRY(open_undoubled(csv, ctx));
    csv->fields = (struct fields){}; /* the header keeps its array */
    *out_csv = csv;
    return AX_OK;
}

ax_status
ax_csv_open_part(struct ax_ctx *ctx, const struct ax_csv_row *header,
                 const struct ax_csv_part *part, const struct ax_csv_limits *limits,
                 struct ax_csv **out_csv)
{
    struct ax_csv *csv = make(ctx->arena, part->text, limits);
    if (!csv)
        return ax_fail(ctx, AX_LIMIT, "no memory for a table");
    csv->header = *header;
    csv->number = part->number - 1;
    csv->line = part->line;
    AX_TRY(open_undoubled(csv, ctx));
    *out_csv = csv;
    return AX_OK;
}

const struct ax_csv_row *
ax_csv_header(const struct ax_csv *csv)
{
    return &csv->header;
}

size_t
ax_csv_column(const struct ax_csv *csv, ax_str name)
{
    for (size_t i = 0; i < csv->header.count; i++)
        if (ax_str_eq(csv->header.fields[i], name))
            return i;
    return SIZE_MAX;
}

ax_status
ax_csv_next(struct ax_csv *csv, struct ax_ctx *ctx, struct ax_csv_row *out_row)
{
    struct ax_csv_row row;
    if (csv->at >= csv->text.len) {
        *out_row = (struct ax_csv_row){};
        return AX_OK;
    }
    if (csv->number > csv->limits.rows_max)
        return ax_fail(ctx, AX_LIMIT, "more than %zu rows", csv->limits.rows_max);
    AX_TRY(read_row(csv, ctx, &row));
    if (row.count != csv->header.count)
        return ax_fail(ctx, AX_INVALID, "row %zu (line %zu) has %zu fields, the header %zu",
                       row.number, row.line, row.count, csv->header.count);
    *out_row = row;
    return AX_OK;
}

/* A field that begins as a byte order mark does would vanish in front of a text. */
static bool
needs_quotes(ax_str field)
{
    if (ax_str_starts(field, byte_order_mark))
        return true;
    for (size_t i = 0; i < field.len; i++)
        if (strchr("\",\r\n", field.at[i]) && field.at[i])
            return true;
    return false;
}

void
ax_csv_put_row(struct ax_writer *out, const ax_str *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i)
            ax_writer_char(out, ',');
        if (!needs_quotes(fields[i])) {
            ax_writer_bytes(out, fields[i]);
            continue;
        }
        ax_writer_char(out, '"');
        for (size_t j = 0; j < fields[i].len; j++) {
            if (fields[i].at[j] == '"')
                ax_writer_char(out, '"');
            ax_writer_char(out, fields[i].at[j]);
        }
        ax_writer_char(out, '"');
    }
    ax_writer_char(out, '\n');
}
