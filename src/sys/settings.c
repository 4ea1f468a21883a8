#include "sys/settings.h"

#include <math.h>

#include "base/assert.h"
#include "base/number.h"
#include "codec/text.h"

enum { NAME_BYTES_MAX = 64 };

/* ---- values as text ---- */

struct unit {
    const char *suffix;
    double factor;
};

static const struct unit byte_units[] = {
    {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0}};
/* "ms" stands before "s" and "m": the first that fits counts. */
static const struct unit time_units[] = {
    {"ms", 1.0}, {"s", 1000.0}, {"m", 60'000.0}, {"h", 3'600'000.0}};

static bool
parse_number(const struct ax_setting *row, ax_str text, double *out)
{
    const struct unit *units = row->kind == AX_SETTING_BYTES ? byte_units : time_units;
    double factor = 1.0;
    bool counted = row->kind == AX_SETTING_BYTES || row->kind == AX_SETTING_DURATION_MS;
    for (size_t i = 0; counted && i < AX_COUNT_OF(byte_units); i++) {
        ax_str suffix = ax_str_of(units[i].suffix);
        if (!ax_str_ends(text, suffix))
            continue;
        text.len -= suffix.len;
        factor = units[i].factor;
        break;
    }
    if (!ax_parse_f64(text, out) || !isfinite(*out))
        return false;
    *out *= factor;
    return row->kind == AX_SETTING_NUMBER || *out == floor(*out);
}

static void
print_number(const struct ax_setting *row, double value, struct ax_writer *out)
{
    const struct unit *units = row->kind == AX_SETTING_BYTES ? byte_units : time_units;
    const struct unit *best = NULL;
    char text[AX_NUMBER_BYTES_MAX];
    bool counted = row->kind == AX_SETTING_BYTES || row->kind == AX_SETTING_DURATION_MS;
    for (size_t i = 0; counted && i < AX_COUNT_OF(byte_units); i++)
        if (value >= units[i].factor && fmod(value, units[i].factor) == 0.0)
            best = &units[i];
    size_t len = ax_format_f64(best ? value / best->factor : value, text);
    ax_writer_bytes(out, (ax_str){text, len});
    if (best)
        ax_writer_text(out, best->suffix);
}

/* ---- a field of a module's struct ---- */

static void
put(const struct ax_setting *row, void *config, double value, ax_str text)
{
    char *field = (char *)config + row->offset;
    switch (row->kind) {
    case AX_SETTING_COUNT:
    case AX_SETTING_BYTES:
    case AX_SETTING_DURATION_MS: {
        int64_t whole = (int64_t)value;
        memcpy(field, &whole, sizeof whole);
        return;
    }
    case AX_SETTING_SWITCH: {
        bool on = value != 0.0;
        memcpy(field, &on, sizeof on);
        return;
    }
    case AX_SETTING_NUMBER:
        memcpy(field, &value, sizeof value);
        return;
    case AX_SETTING_TEXT:
        memcpy(field, &text, sizeof text);
    }
}

static double
get_number(const struct ax_setting *row, const void *config)
{
    const char *field = (const char *)config + row->offset;
    int64_t whole;
    double value;
    bool on;
    if (row->kind == AX_SETTING_NUMBER) {
        memcpy(&value, field, sizeof value);
        return value;
    }
    if (row->kind == AX_SETTING_SWITCH) {
        memcpy(&on, field, sizeof on);
        return on ? 1.0 : 0.0;
    }
    memcpy(&whole, field, sizeof whole);
    return (double)whole;
}

void
ax_settings_defaults(const struct ax_settings *settings, void *config)
{
    for (size_t i = 0; i < settings->row_count; i++)
        put(&settings->rows[i], config, settings->rows[i].initial,
            ax_str_of(settings->rows[i].initial_text));
}

/* ---- setting ---- */

/* How many letters must change to make one of the other (Levenshtein, one row at a time). */
static size_t
distance(ax_str a, ax_str b)
{
    size_t row[NAME_BYTES_MAX + 1];
    if (a.len > NAME_BYTES_MAX || b.len > NAME_BYTES_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t before = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = before + (a.at[i - 1] != b.at[j - 1]);
            size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            before = row[j];
            row[j] = change < least ? change : least;
        }
    }
    return row[b.len];
}

static ax_status
unknown(struct ax_ctx *ctx, const struct ax_settings *settings, ax_str name)
{
    const char *near = NULL;
    size_t least = 4; /* further away is no slip of the pen */
    for (size_t i = 0; i < settings->row_count; i++) {
        size_t far = distance(name, ax_str_of(settings->rows[i].name));
        if (far < least) {
            least = far;
            near = settings->rows[i].name;
        }
    }
    if (near)
        return ax_fail(ctx, AX_NOT_FOUND, "no setting %s.%.*s; did you mean %s.%s?",
                       settings->section, AX_FMT(name), settings->section, near);
    return ax_fail(ctx, AX_NOT_FOUND, "no setting %s.%.*s", settings->section, AX_FMT(name));
}

static ax_status
set_number(struct ax_ctx *ctx, const struct ax_settings *settings, const struct ax_setting *row,
           void *config, ax_str text)
{
    static const char *const wanted[] = {"a whole number",
                                         "a size such as 64KiB or 1GiB",
                                         "a time such as 250ms, 10s or 5m",
                                         "true or false",
                                         "a text",
                                         "a number"};
    double value;
    if (!parse_number(row, text, &value))
        return ax_fail(ctx, AX_INVALID, "%s.%s must be %s, not \"%.*s\"", settings->section,
                       row->name, wanted[row->kind], AX_FMT(text));
    if (value < row->min || value > row->max) {
        ax_writer_auto struct ax_writer bounds = ax_writer_of(256);
        print_number(row, row->min, &bounds);
        ax_writer_text(&bounds, " to ");
        print_number(row, row->max, &bounds);
        ax_str words = ax_writer_str(&bounds);
        return ax_fail(ctx, AX_INVALID, "%s.%s is %.*s; it may be %.*s", settings->section,
                       row->name, AX_FMT(text), AX_FMT(words));
    }
    put(row, config, value, AX_STR(""));
    return AX_OK;
}

static ax_status
set_switch(struct ax_ctx *ctx, const struct ax_settings *settings, const struct ax_setting *row,
           void *config, ax_str text)
{
    bool on = ax_str_eq(text, AX_STR("true"));
    if (!on && !ax_str_eq(text, AX_STR("false")))
        return ax_fail(ctx, AX_INVALID, "%s.%s must be true or false, not \"%.*s\"",
                       settings->section, row->name, AX_FMT(text));
    put(row, config, on ? 1.0 : 0.0, AX_STR(""));
    return AX_OK;
}

/* What a line of a file can say, in quotes if need be. */
static bool
is_plain(ax_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c < 0x20 || c == 0x7f || c == '"')
            return false;
    }
    return ax_utf8_ok(text);
}

ax_status
ax_settings_set(struct ax_ctx *ctx, const struct ax_settings *settings, void *config, ax_str name,
                ax_str value)
{
    const struct ax_setting *row = NULL;
    for (size_t i = 0; i < settings->row_count; i++)
        if (ax_str_eq(name, ax_str_of(settings->rows[i].name)))
            row = &settings->rows[i];
    if (!row)
        return unknown(ctx, settings, name);
    if (row->kind == AX_SETTING_SWITCH)
        return set_switch(ctx, settings, row, config, value);
    if (row->kind != AX_SETTING_TEXT)
        return set_number(ctx, settings, row, config, value);
    if (!is_plain(value))
        return ax_fail(ctx, AX_INVALID,
                       "%s.%s must be text in UTF-8 without quotes and control characters",
                       settings->section, row->name);
    ax_str copy;
    if (!ax_str_copy(ctx->arena, value, &copy))
        return ax_fail(ctx, AX_LIMIT, "no memory for %s.%s", settings->section, row->name);
    put(row, config, 0.0, copy);
    return AX_OK;
}

/* ---- the file ---- */

/* What stands before a '#' that begins a comment: at the start, or behind a blank. */
static ax_str
without_comment(ax_str line)
{
    bool quoted = false;
    for (size_t i = 0; i < line.len; i++) {
        if (line.at[i] == '"')
            quoted = !quoted;
        bool blank = i == 0 || line.at[i - 1] == ' ' || line.at[i - 1] == '\t';
        if (line.at[i] == '#' && blank && !quoted)
            return (ax_str){line.at, i};
    }
    return line;
}

static ax_str
unquoted(ax_str value)
{
    bool quoted = value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"';
    return quoted ? (ax_str){value.at + 1, value.len - 2} : value;
}

struct reading {
    struct ax_ctx *ctx;
    ax_str section; /* that indented lines belong to; "" for none */
    int line;
    ax_status (*found)(void *arg, struct ax_ctx *ctx, ax_str section, ax_str name, ax_str value,
                       int line);
    void *arg;
};

static ax_status
read_line(struct reading *reading, ax_str raw)
{
    ax_str line = without_comment(raw), trimmed = ax_str_trim(line), name, section;
    if (trimmed.len == 0)
        return AX_OK;
    if (line.at[0] == '\t')
        return ax_fail(reading->ctx, AX_INVALID, "line %d: indent with spaces, not tabs",
                       reading->line);
    bool inside = line.at[0] == ' ';
    size_t colon = ax_str_find(trimmed, AX_STR(":"));
    if (colon == SIZE_MAX)
        return ax_fail(reading->ctx, AX_INVALID, "line %d: `name: value` is expected, not \"%.*s\"",
                       reading->line, AX_FMT(trimmed));
    name = ax_str_trim((ax_str){trimmed.at, colon});
    bool dotted = ax_str_find(name, AX_STR(".")) != SIZE_MAX;
    ax_str value = unquoted(ax_str_trim(ax_str_from(trimmed, colon + 1)));
    if (!inside && !dotted && colon + 1 == trimmed.len) {
        reading->section = name;
        return AX_OK;
    }
    if (!inside) { /* "section.name: value" */
        ax_str rest = name;
        if (!dotted || !ax_str_cut(&rest, '.', &section))
            return ax_fail(reading->ctx, AX_INVALID,
                           "line %d: \"%.*s\" stands in no section: write section.name",
                           reading->line, AX_FMT(name));
        return reading->found(reading->arg, reading->ctx, section, rest, value, reading->line);
    }
    if (reading->section.len == 0)
        return ax_fail(reading->ctx, AX_INVALID, "line %d: indented, but under no section",
                       reading->line);
    return reading->found(reading->arg, reading->ctx, reading->section, name, value, reading->line);
}

ax_status
ax_settings_read(struct ax_ctx *ctx, ax_str file_text,
                 ax_status (*found)(void *arg, struct ax_ctx *ctx, ax_str section, ax_str name,
                                    ax_str value, int line),
                 void *arg)
{
    struct reading reading = {.ctx = ctx, .section = AX_STR(""), .found = found, .arg = arg};
    ax_str line, mark = AX_STR("\xef\xbb\xbf"); /* what some editors put in front */
    if (ax_str_starts(file_text, mark))
        file_text = ax_str_from(file_text, mark.len);
    while (ax_str_cut(&file_text, '\n', &line)) {
        reading.line++;
        if (line.len && line.at[line.len - 1] == '\r')
            line.len--;
        if (!ax_utf8_ok(line) || ax_str_find(line, (ax_str){"", 1}) != SIZE_MAX)
            return ax_fail(ctx, AX_INVALID, "line %d: it is not text in UTF-8", reading.line);
        AX_TRY(read_line(&reading, line));
    }
    return AX_OK;
}

/* ---- showing ---- */

void
ax_settings_document(const struct ax_settings *settings, struct ax_writer *out)
{
    ax_writer_text(out, "| name | meaning | default | bounds |\n|---|---|---|---|\n");
    for (size_t i = 0; i < settings->row_count; i++) {
        const struct ax_setting *row = &settings->rows[i];
        ax_writer_print(out, "| `%s.%s` | %s | ", settings->section, row->name, row->meaning);
        if (row->kind == AX_SETTING_TEXT) {
            bool none = !row->initial_text || !row->initial_text[0];
            ax_writer_print(out, none ? "none | |\n" : "`%s` | |\n", row->initial_text);
        } else if (row->kind == AX_SETTING_SWITCH) {
            ax_writer_print(out, "%s | |\n", row->initial != 0.0 ? "true" : "false");
        } else {
            print_number(row, row->initial, out);
            ax_writer_text(out, " | ");
            print_number(row, row->min, out);
            ax_writer_text(out, " to ");
            print_number(row, row->max, out);
            ax_writer_text(out, " |\n");
        }
    }
}

/* In quotes when a file would lose a part of it: blanks at the ends, or what looks like a comment.
 */
static void
print_text(ax_str text, struct ax_writer *out)
{
    bool quoted = ax_str_trim(text).len < text.len || ax_str_find(text, AX_STR("#")) != SIZE_MAX;
    ax_writer_text(out, quoted ? "\"" : "");
    ax_writer_bytes(out, text);
    ax_writer_text(out, quoted ? "\"" : "");
}

void
ax_settings_print(const struct ax_settings *settings, const void *config, struct ax_writer *out)
{
    for (size_t i = 0; i < settings->row_count; i++) {
        const struct ax_setting *row = &settings->rows[i];
        ax_writer_print(out, "%s.%s: ", settings->section, row->name);
        if (row->kind == AX_SETTING_TEXT) {
            ax_str text;
            memcpy(&text, (const char *)config + row->offset, sizeof text);
            print_text(text, out);
        } else if (row->kind == AX_SETTING_SWITCH) {
            ax_writer_text(out, get_number(row, config) != 0.0 ? "true" : "false");
        } else {
            print_number(row, get_number(row, config), out);
        }
        ax_writer_char(out, '\n');
    }
}
