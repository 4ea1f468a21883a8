#include "codec/json_scan.h"

#include "base/assert.h"
#include "codec/text.h"

enum { BYTE_ESCAPE = 1, BYTE_HIGH = 2, BYTE_QUOTE = 3, BYTE_BAD = 4 };

/* What a byte means inside a string; 0: itself. */
static const unsigned char byte_class[256] = {
    [0x00 ... 0x1f] = BYTE_BAD,
    ['"'] = BYTE_QUOTE,
    ['\\'] = BYTE_ESCAPE,
    [0x80 ... 0xff] = BYTE_HIGH,
};

ax_status
ax_json_scan_expected(struct ax_json_scan *scan, const char *what)
{
    return ax_fail(scan->ctx, AX_INVALID, "JSON: %s was expected at byte %zu%s", what, scan->at,
                   scan->at >= scan->text.len ? ", where the text ends" : "");
}

ax_status
ax_json_scan_open(struct ax_json_scan *scan, char open, bool *out_more)
{
    if (ax_json_scan_peek(scan) != open)
        return ax_json_scan_expected(scan, open == '{' ? "an object" : "an array");
    scan->at++;
    char close = open == '{' ? '}' : ']';
    *out_more = ax_json_scan_peek(scan) != close;
    scan->at += !*out_more;
    return AX_OK;
}

/* ---- strings ---- */

/* Four hexadecimal digits; -1 when they are none. */
static int32_t
take_hex(const struct ax_json_scan *scan, size_t at)
{
    int32_t value = 0;
    if (scan->text.len < 4 || at > scan->text.len - 4)
        return -1;
    for (size_t i = at; i < at + 4; i++) {
        char c = scan->text.at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* A \u escape, two of them for a surrogate pair; -1 when it is none. *at: behind the 'u'. */
static int32_t
take_point(const struct ax_json_scan *scan, size_t *at)
{
    int32_t high = take_hex(scan, *at);
    if (high < 0 || (high >= 0xdc00 && high < 0xe000))
        return -1;
    *at += 4;
    if (high < 0xd800 || high >= 0xe000)
        return high;
    if (!ax_str_starts(ax_str_from(scan->text, *at), AX_STR("\\u")))
        return -1;
    int32_t low = take_hex(scan, *at + 2);
    if (low < 0xdc00 || low >= 0xe000)
        return -1;
    *at += 6;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static size_t
put_point(char *out, int32_t point)
{
    uint32_t bits = (uint32_t)point;
    if (bits < 0x80) {
        out[0] = (char)(unsigned char)bits;
        return 1;
    }
    size_t len = bits < 0x800 ? 2 : bits < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, bits >>= 6)
        out[i] = (char)(unsigned char)(0x80 | (bits & 63));
    out[0] = (char)(unsigned char)(0xf00 >> len | bits);
    return len;
}

/* One escape, decoded; *at: on the backslash, then behind the escape. 0 when it is none. */
static size_t
put_escape(const struct ax_json_scan *scan, size_t *at, char *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = *at + 1 < scan->text.len ? scan->text.at[*at + 1] : '\0';
    *at += 2;
    if (c == 'u') {
        int32_t point = take_point(scan, at);
        return point < 0 ? 0 : put_point(out, point);
    }
    const char *found = c ? strchr(from, c) : NULL;
    if (!found)
        return 0;
    out[0] = to[found - from];
    return 1;
}

/* A string with escapes, already known to end at `end`: decoded, it is never longer. */
static ax_status
decode_text(struct ax_json_scan *scan, size_t from, size_t end, ax_str *out_text)
{
    char *bytes = AX_NEW_ARRAY(scan->ctx->arena, char, end - from + 1);
    if (!bytes)
        return ax_fail(scan->ctx, AX_LIMIT, "JSON: no memory for a string of %zu bytes",
                       end - from);
    size_t len = 0;
    for (size_t at = from; at < end;) {
        if (scan->text.at[at] != '\\') {
            bytes[len++] = scan->text.at[at++];
            continue;
        }
        size_t escape = at, used = put_escape(scan, &at, bytes + len);
        if (used == 0)
            return ax_fail(scan->ctx, AX_INVALID, "JSON: a bad escape at byte %zu", escape);
        len += used;
    }
    *out_text = (ax_str){bytes, len};
    return AX_OK;
}

/* From behind the opening quote to the closing one, where scan->at is left. */
static ax_status
find_quote(struct ax_json_scan *scan, bool *out_escapes)
{
    ax_str text = scan->text;
    size_t at = scan->at;
    bool escapes = false;
    for (;;) {
        at += ax_text_plain_len(ax_str_from(text, at));
        scan->at = at;
        int class = at < text.len ? byte_class[(unsigned char)text.at[at]] : BYTE_BAD;
        if (class == BYTE_QUOTE)
            break;
        if (class == BYTE_BAD)
            return at < text.len ? ax_fail(scan->ctx, AX_INVALID,
                                           "JSON: a control character in a string at byte %zu", at)
                                 : ax_json_scan_expected(scan, "the end of a string");
        size_t step = class == BYTE_ESCAPE ? 2 : ax_utf8_len(ax_str_from(text, at));
        if (step == 0)
            return ax_fail(scan->ctx, AX_INVALID, "JSON: text that is not UTF-8 at byte %zu", at);
        escapes |= class == BYTE_ESCAPE;
        at += step; /* past the end at most: then no quote is found there */
    }
    *out_escapes = escapes;
    return AX_OK;
}

ax_status
ax_json_scan_text(struct ax_json_scan *scan, ax_str *out_text)
{
    bool escapes = false;
    if (ax_json_scan_peek(scan) != '"')
        return ax_json_scan_expected(scan, "a string");
    size_t from = ++scan->at;
    AX_TRY(find_quote(scan, &escapes));
    size_t end = scan->at++;
    if (escapes)
        return decode_text(scan, from, end, out_text);
    *out_text = (ax_str){scan->text.at + from, end - from};
    return AX_OK;
}

ax_status
ax_json_scan_key(struct ax_json_scan *scan, ax_str *out_key)
{
    AX_TRY(ax_json_scan_text(scan, out_key));
    if (ax_json_scan_peek(scan) != ':')
        return ax_json_scan_expected(scan, "a colon");
    scan->at++;
    return AX_OK;
}

/* ---- numbers and words ---- */

ax_status
ax_json_scan_number(struct ax_json_scan *scan, struct ax_decimal *out_number)
{
    int c = ax_json_scan_peek(scan);
    if (c != '-' && (c < '0' || c > '9'))
        return ax_json_scan_expected(scan, "a number");
    if (!ax_decimal_take(ax_str_from(scan->text, scan->at), out_number))
        return ax_fail(scan->ctx, AX_INVALID, "JSON: a malformed number at byte %zu", scan->at);
    if (out_number->text.len > AX_JSON_SCAN_NUMBER_BYTES_MAX)
        return ax_fail(scan->ctx, AX_INVALID,
                       "JSON: a number longer than %d characters at byte %zu",
                       AX_JSON_SCAN_NUMBER_BYTES_MAX, scan->at);
    scan->at += out_number->text.len;
    return AX_OK;
}

bool
ax_json_scan_word(struct ax_json_scan *scan, ax_str word)
{
    ax_json_scan_peek(scan);
    if (!ax_str_starts(ax_str_from(scan->text, scan->at), word))
        return false;
    scan->at += word.len;
    return true;
}

ax_status
ax_json_scan_bool(struct ax_json_scan *scan, bool *out_truth)
{
    bool truth = ax_json_scan_word(scan, AX_STR("true"));
    if (!truth && !ax_json_scan_word(scan, AX_STR("false")))
        return ax_json_scan_expected(scan, "true or false");
    *out_truth = truth;
    return AX_OK;
}

/* ---- skipping ---- */

/* A skipped number is one that a double can hold, as everywhere else. */
static ax_status
skip_number(struct ax_json_scan *scan)
{
    struct ax_decimal number;
    double value;
    size_t from = scan->at;
    AX_TRY(ax_json_scan_number(scan, &number));
    if (!ax_decimal_f64(&number, &value) || __builtin_isinf(value))
        return ax_fail(scan->ctx, AX_INVALID, "JSON: the number at byte %zu is beyond a double",
                       from);
    return AX_OK;
}

static ax_status
skip_plain(struct ax_json_scan *scan, bool special_floats)
{
    ax_str text;
    switch (ax_json_scan_peek(scan)) {
    case '"':
        return ax_json_scan_text(scan, &text);
    case 't':
    case 'f':
    case 'n':
        if (ax_json_scan_word(scan, AX_STR("true")) || ax_json_scan_word(scan, AX_STR("false")) ||
            ax_json_scan_word(scan, AX_STR("null")))
            return AX_OK;
        break;
    default:
        if (special_floats && (ax_json_scan_word(scan, AX_STR("NaN")) ||
                               ax_json_scan_word(scan, AX_STR("Infinity")) ||
                               ax_json_scan_word(scan, AX_STR("-Infinity"))))
            return AX_OK;
        return skip_number(scan);
    }
    return ax_json_scan_expected(scan, "a value");
}

/* Enters containers until a value stands there; depth grows, *out_empty: one closed at once. */
static ax_status
skip_into(struct ax_json_scan *scan, char *closers, int depth_max, int *depth, bool *out_empty)
{
    *out_empty = false;
    for (;;) {
        int c = ax_json_scan_peek(scan);
        ax_str key;
        if (c == '{' || c == '[') {
            bool more;
            if (*depth == depth_max)
                return ax_fail(scan->ctx, AX_INVALID, "JSON: nested too deep at byte %zu",
                               scan->at);
            AX_TRY(ax_json_scan_open(scan, (char)c, &more));
            if (!more) {
                *out_empty = true;
                return AX_OK;
            }
            closers[(*depth)++] = c == '{' ? '}' : ']';
            if (c == '{')
                AX_TRY(ax_json_scan_key(scan, &key));
            continue;
        }
        return AX_OK;
    }
}

/* Behind a value: leaves what ends here; *out_done when that was the outermost. */
static ax_status
skip_out(struct ax_json_scan *scan, const char *closers, int *depth, bool *out_done)
{
    *out_done = false;
    while (*depth > 0) {
        ax_str key;
        bool more;
        char close = closers[*depth - 1];
        AX_TRY(ax_json_scan_more(scan, close, &more));
        if (more)
            return close == '}' ? ax_json_scan_key(scan, &key) : AX_OK;
        (*depth)--;
    }
    *out_done = true;
    return AX_OK;
}

ax_status
ax_json_scan_skip(struct ax_json_scan *scan, int depth_max, bool special_floats)
{
    AX_ASSERT(depth_max >= 0 && depth_max <= AX_JSON_SCAN_DEPTH_MAX);
    char closers[AX_JSON_SCAN_DEPTH_MAX];
    int depth = 0;
    bool done = false, empty;
    while (!done) {
        AX_TRY(skip_into(scan, closers, depth_max, &depth, &empty));
        if (!empty)
            AX_TRY(skip_plain(scan, special_floats));
        AX_TRY(skip_out(scan, closers, &depth, &done));
    }
    return AX_OK;
}

ax_status
ax_json_scan_end(struct ax_json_scan *scan)
{
    return ax_json_scan_peek(scan) < 0 ? AX_OK : ax_json_scan_expected(scan, "nothing more");
}
