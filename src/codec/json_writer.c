/* Writing JSON: commas, escapes and shortest numbers. */
#include <math.h>

#include "base/number.h"
#include "codec/json.h"
#include "codec/text.h"

static void
before_value(struct ax_json_writer *json)
{
    if (json->comma)
        ax_writer_char(json->out, ',');
    json->comma = true;
}

void
ax_json_begin_object(struct ax_json_writer *json)
{
    before_value(json);
    ax_writer_char(json->out, '{');
    json->comma = false;
}

void
ax_json_end_object(struct ax_json_writer *json)
{
    ax_writer_char(json->out, '}');
    json->comma = true;
}

void
ax_json_begin_array(struct ax_json_writer *json)
{
    before_value(json);
    ax_writer_char(json->out, '[');
    json->comma = false;
}

void
ax_json_end_array(struct ax_json_writer *json)
{
    ax_writer_char(json->out, ']');
    json->comma = true;
}

/* The escape of a byte below 0x80, or "" when it stands for itself. */
static ax_str
escape_of(unsigned char c, char unicode[6])
{
    static const char hex[] = "0123456789abcdef";
    switch (c) {
    case '"':
        return AX_STR("\\\"");
    case '\\':
        return AX_STR("\\\\");
    case '\b':
        return AX_STR("\\b");
    case '\f':
        return AX_STR("\\f");
    case '\n':
        return AX_STR("\\n");
    case '\r':
        return AX_STR("\\r");
    case '\t':
        return AX_STR("\\t");
    default:
        break;
    }
    if (c >= 0x20)
        return AX_STR("");
    memcpy(unicode, "\\u00", 4);
    unicode[4] = hex[c >> 4];
    unicode[5] = hex[c & 15];
    return (ax_str){unicode, 6};
}

/* The first bytes of text that need no escape: whole UTF-8 sequences only. */
static size_t
unescaped_len(ax_str text)
{
    size_t at = 0, step = 1;
    while (step > 0) {
        at += ax_text_plain_len(ax_str_from(text, at));
        bool high = at < text.len && (unsigned char)text.at[at] >= 0x80;
        step = high ? ax_utf8_len(ax_str_from(text, at)) : 0;
        at += step;
    }
    return at;
}

/* What has something to escape, from the first such byte on. */
static void
put_escaped(struct ax_writer *out, ax_str text)
{
    while (text.len) {
        size_t plain = unescaped_len(text);
        ax_writer_bytes(out, (ax_str){text.at, plain});
        text = ax_str_from(text, plain);
        if (text.len == 0)
            break;
        char unicode[6];
        unsigned char c = (unsigned char)text.at[0];
        ax_writer_bytes(out, c < 0x80 ? escape_of(c, unicode) : AX_STR("\xef\xbf\xbd"));
        text = ax_str_from(text, 1);
    }
}

static void
put_string(struct ax_writer *out, ax_str text)
{
    size_t plain = ax_text_plain_len(text);
    char *at = ax_writer_room(out, plain + 1);
    if (!at)
        return;
    at[0] = '"';
    if (plain > 0)
        memcpy(at + 1, text.at, plain);
    put_escaped(out, ax_str_from(text, plain));
    ax_writer_char(out, '"');
}

void
ax_json_key_str(struct ax_json_writer *json, ax_str key)
{
    before_value(json);
    put_string(json->out, key);
    ax_writer_char(json->out, ':');
    json->comma = false;
}

void
ax_json_key(struct ax_json_writer *json, const char *key)
{
    ax_json_key_str(json, ax_str_of(key));
}

void
ax_json_put_text(struct ax_json_writer *json, ax_str text)
{
    before_value(json);
    put_string(json->out, text);
}

void
ax_json_put_raw(struct ax_json_writer *json, ax_str text)
{
    before_value(json);
    ax_writer_bytes(json->out, text);
}

void
ax_json_put_text_from(struct ax_json_writer *json, const struct ax_writer *written)
{
    ax_json_put_text(json, ax_writer_str(written));
    if (written->status != AX_OK)
        json->out->status = written->status;
}

void
ax_json_put_i64(struct ax_json_writer *json, int64_t value)
{
    char text[AX_NUMBER_BYTES_MAX];
    ax_json_put_raw(json, (ax_str){text, ax_format_i64(value, text)});
}

void
ax_json_put_u64(struct ax_json_writer *json, uint64_t value)
{
    char text[AX_NUMBER_BYTES_MAX];
    ax_json_put_raw(json, (ax_str){text, ax_format_u64(value, text)});
}

void
ax_json_put_f64(struct ax_json_writer *json, double value)
{
    char text[AX_NUMBER_BYTES_MAX];
    if (!isfinite(value))
        ax_json_put_null(json);
    else
        ax_json_put_raw(json, (ax_str){text, ax_format_f64(value, text)});
}

void
ax_json_put_f32(struct ax_json_writer *json, float value)
{
    char text[AX_NUMBER_BYTES_MAX];
    if (!isfinite(value))
        ax_json_put_null(json);
    else
        ax_json_put_raw(json, (ax_str){text, ax_format_f32(value, text)});
}

void
ax_json_put_bool(struct ax_json_writer *json, bool value)
{
    ax_json_put_raw(json, value ? AX_STR("true") : AX_STR("false"));
}

void
ax_json_put_null(struct ax_json_writer *json)
{
    ax_json_put_raw(json, AX_STR("null"));
}

void
ax_json_member_text(struct ax_json_writer *json, const char *key, ax_str text)
{
    ax_json_key(json, key);
    ax_json_put_text(json, text);
}

void
ax_json_member_i64(struct ax_json_writer *json, const char *key, int64_t value)
{
    ax_json_key(json, key);
    ax_json_put_i64(json, value);
}

void
ax_json_member_f64(struct ax_json_writer *json, const char *key, double value)
{
    ax_json_key(json, key);
    ax_json_put_f64(json, value);
}

void
ax_json_member_bool(struct ax_json_writer *json, const char *key, bool value)
{
    ax_json_key(json, key);
    ax_json_put_bool(json, value);
}
