#include "cli/show.h"

enum { COLUMNS_MAX = 10, CELL_WIDTH_MAX = 44, DEPTH_MAX = 6, NAME_WIDTH = 22 };

struct showing {
    struct ax_writer *out;
    bool colour;
};

static void
paint(const struct showing *showing, const char *code)
{
    if (showing->colour)
        ax_writer_text(showing->out, code);
}

static bool
scalar(const struct ax_json *json)
{
    enum ax_json_kind kind = ax_json_kind(json);
    return kind != AX_JSON_ARRAY && kind != AX_JSON_OBJECT;
}

/* Names and texts are other people's: what would steer a terminal is written as JSON writes it. */
static void
print_text(ax_str text, struct ax_writer *out)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        unsigned char next = i + 1 < text.len ? (unsigned char)text.at[i + 1] : 0;
        if (c == '\n')
            ax_writer_text(out, "\\n");
        else if (c < ' ' || c == 0x7f)
            ax_writer_print(out, "\\u%04x", c);
        else if (c == 0xc2 && next >= 0x80 && next < 0xa0) /* U+0080 to U+009F */
            ax_writer_print(out, "\\u%04x", (unsigned char)text.at[++i]);
        else
            ax_writer_char(out, (char)c);
    }
}

/* What a text for a moment could not hold, the answer lacks. */
static void
pass_on(const struct ax_writer *text, struct ax_writer *out)
{
    if (text->status != AX_OK && out->status == AX_OK)
        out->status = text->status;
}

/* A value on one line; texts without quotes, anything nested as JSON. */
static void
print_value(const struct ax_json *json, struct ax_writer *out)
{
    ax_writer_auto struct ax_writer nested = ax_writer_of(out->len_max);
    ax_str text;
    if (ax_json_kind(json) == AX_JSON_NULL) {
        ax_writer_char(out, '-');
        return;
    }
    if (!ax_json_text(json, &text)) {
        ax_json_print(json, &nested);
        pass_on(&nested, out);
        text = ax_writer_str(&nested);
    }
    print_text(text, out);
}

/* Characters, not bytes: one for each that begins in the text. */
static bool
begins(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

static size_t
width_of(ax_str text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++)
        width += begins(text.at[i]);
    return width;
}

static ax_str
cut_to(ax_str text, size_t width_max)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++) {
        width += begins(text.at[i]);
        if (width > width_max)
            return (ax_str){text.at, i};
    }
    return text;
}

static void
print_padded(ax_str text, size_t width, struct ax_writer *out)
{
    ax_writer_bytes(out, text);
    for (size_t i = width_of(text); i < width; i++)
        ax_writer_char(out, ' ');
}

/* Colour by what a word means to the reader. */
static const char *
colour_of(ax_str word)
{
    static const char *const good[] = {"approved", "applied", "pass", "passed", "approve",
                                       "ready",    "durable", "true", "closed", "validated"};
    static const char *const bad[] = {"failed",  "fail",    "decline", "rejected",
                                      "expired", "retired", "open",    "false"};
    for (size_t i = 0; i < AX_COUNT_OF(good); i++)
        if (ax_str_eq(word, ax_str_of(good[i])))
            return "\x1b[32m";
    for (size_t i = 0; i < AX_COUNT_OF(bad); i++)
        if (ax_str_eq(word, ax_str_of(bad[i])))
            return "\x1b[31m";
    return "";
}

static void
show_scalar(const struct showing *showing, const struct ax_json *json)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(showing->out->len_max);
    print_value(json, &text);
    pass_on(&text, showing->out);
    paint(showing, colour_of(ax_writer_str(&text)));
    ax_writer_bytes(showing->out, ax_writer_str(&text));
    paint(showing, "\x1b[0m");
}

static void
indent(const struct showing *showing, int depth)
{
    for (int i = 0; i < depth; i++)
        ax_writer_text(showing->out, "  ");
}

static void
show_name(const struct showing *showing, ax_str name, size_t width, const char *behind)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(showing->out->len_max);
    print_text(name, &text);
    pass_on(&text, showing->out);
    print_padded(ax_writer_str(&text), width, showing->out);
    ax_writer_text(showing->out, behind);
}

/* ---- tables ---- */

struct table {
    ax_str names[COLUMNS_MAX];
    size_t widths[COLUMNS_MAX];
    size_t count;
};

static size_t
column_of(struct table *table, ax_str name)
{
    for (size_t i = 0; i < table->count; i++)
        if (ax_str_eq(table->names[i], name))
            return i;
    if (table->count == COLUMNS_MAX)
        return COLUMNS_MAX;
    table->names[table->count] = name;
    table->widths[table->count] = width_of(name);
    return table->count++;
}

static size_t
cell_width(const struct showing *showing, const struct ax_json *json)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(showing->out->len_max);
    print_value(json, &text);
    pass_on(&text, showing->out);
    size_t width = width_of(ax_writer_str(&text));
    return width > CELL_WIDTH_MAX ? CELL_WIDTH_MAX : width;
}

/* Members of the rows, in the order of their first appearance. */
static void
measure(const struct showing *showing, const struct ax_json *array, struct table *table)
{
    struct ax_json_iter rows = ax_json_iter_of(array);
    while (ax_json_next(&rows)) {
        struct ax_json_iter members = ax_json_iter_of(rows.value);
        while (ax_json_next(&members)) {
            size_t column = column_of(table, members.key);
            if (column == COLUMNS_MAX)
                continue;
            size_t width = cell_width(showing, members.value);
            if (width > table->widths[column])
                table->widths[column] = width;
        }
    }
}

static const struct ax_json *
member_of(const struct ax_json *row, ax_str name)
{
    struct ax_json_iter members = ax_json_iter_of(row);
    while (ax_json_next(&members))
        if (ax_str_eq(members.key, name))
            return members.value;
    return NULL;
}

static void
show_cell(const struct showing *showing, const struct ax_json *value, size_t width, bool last)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(showing->out->len_max);
    if (value)
        print_value(value, &text);
    pass_on(&text, showing->out);
    ax_str cell = ax_writer_str(&text);
    if (!last)
        cell = cut_to(cell, CELL_WIDTH_MAX);
    paint(showing, colour_of(cell));
    print_padded(cell, last ? 0 : width, showing->out);
    paint(showing, "\x1b[0m");
    if (!last)
        ax_writer_text(showing->out, "  ");
}

static void
show_table(const struct showing *showing, const struct ax_json *array, int depth)
{
    struct table table = {};
    measure(showing, array, &table);
    indent(showing, depth);
    paint(showing, "\x1b[1m");
    for (size_t i = 0; i < table.count; i++) {
        bool last = i + 1 == table.count;
        show_name(showing, table.names[i], last ? 0 : table.widths[i], last ? "" : "  ");
    }
    paint(showing, "\x1b[0m");
    ax_writer_char(showing->out, '\n');
    struct ax_json_iter rows = ax_json_iter_of(array);
    while (ax_json_next(&rows)) {
        indent(showing, depth);
        for (size_t i = 0; i < table.count; i++)
            show_cell(showing, member_of(rows.value, table.names[i]), table.widths[i],
                      i + 1 == table.count);
        ax_writer_char(showing->out, '\n');
    }
}

/* ---- trees ---- */

static bool
array_of(const struct ax_json *array, bool objects)
{
    struct ax_json_iter items = ax_json_iter_of(array);
    while (ax_json_next(&items))
        if (objects ? ax_json_kind(items.value) != AX_JSON_OBJECT : !scalar(items.value))
            return false;
    return true;
}

static void
show_list(const struct showing *showing, const struct ax_json *array)
{
    struct ax_json_iter items = ax_json_iter_of(array);
    while (ax_json_next(&items)) {
        if (items.index)
            ax_writer_text(showing->out, ", ");
        show_scalar(showing, items.value);
    }
    if (ax_json_count(array) == 0)
        ax_writer_char(showing->out, '-');
    ax_writer_char(showing->out, '\n');
}

static void show_object(const struct showing *showing, const struct ax_json *object, int depth);

static void
show_member(const struct showing *showing, ax_str name, const struct ax_json *value, int depth)
{
    indent(showing, depth);
    paint(showing, "\x1b[2m");
    show_name(showing, name, NAME_WIDTH, "");
    paint(showing, "\x1b[0m");
    ax_writer_char(showing->out, ' ');
    if (scalar(value)) {
        show_scalar(showing, value);
        ax_writer_char(showing->out, '\n');
    } else if (ax_json_kind(value) == AX_JSON_ARRAY && array_of(value, false)) {
        show_list(showing, value);
    } else if (ax_json_kind(value) == AX_JSON_ARRAY && array_of(value, true)) {
        ax_writer_char(showing->out, '\n');
        show_table(showing, value, depth + 1);
    } else if (ax_json_kind(value) == AX_JSON_OBJECT && depth < DEPTH_MAX) {
        ax_writer_char(showing->out, '\n');
        show_object(showing, value, depth + 1);
    } else {
        print_value(value, showing->out);
        ax_writer_char(showing->out, '\n');
    }
}

static void
show_object(const struct showing *showing, const struct ax_json *object, int depth)
{
    struct ax_json_iter members = ax_json_iter_of(object);
    while (ax_json_next(&members))
        show_member(showing, members.key, members.value, depth);
}

void
ax_show(const struct ax_json *json, bool colour, struct ax_writer *out)
{
    const struct showing showing = {out, colour};
    if (ax_json_kind(json) == AX_JSON_OBJECT && ax_json_count(json) == 1) {
        /* {"models": [..]}: the list is what was asked for */
        struct ax_json_iter only = ax_json_iter_of(json);
        if (ax_json_next(&only) && ax_json_kind(only.value) == AX_JSON_ARRAY &&
            ax_json_count(only.value) && array_of(only.value, true)) {
            show_table(&showing, only.value, 0);
            return;
        }
    }
    if (ax_json_kind(json) == AX_JSON_OBJECT) {
        show_object(&showing, json, 0);
        return;
    }
    print_value(json, out);
    ax_writer_char(out, '\n');
}
