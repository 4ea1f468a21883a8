#include "engine/lightgbm_text.h"

#include "base/decimal.h"
#include "base/digits.h"
#include "base/number.h"

enum { SHOWN_BYTES_MAX = 32, WHOLE_DIGITS_MAX = 18 };

bool
ax_lightgbm_line(ax_str *rest, ax_str *out_line)
{
    if (!ax_str_cut(rest, '\n', out_line) || (!rest->at && out_line->len == 0))
        return false;
    if (out_line->len && out_line->at[out_line->len - 1] == '\r')
        out_line->len--;
    return true;
}

bool
ax_lightgbm_pair(ax_str line, ax_str *out_key, ax_str *out_value)
{
    const char *sign = line.len ? memchr(line.at, '=', line.len) : NULL;
    if (!sign)
        return false;
    size_t at = (size_t)(sign - line.at);
    *out_key = (ax_str){line.at, at};
    *out_value = ax_str_from(line, at + 1);
    return true;
}

static bool
is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static size_t
blanks(ax_str list)
{
    size_t at = 0;
    while (at < list.len && is_blank(list.at[at]))
        at++;
    return at;
}

static size_t
word_len(ax_str list)
{
    size_t at = 0;
    while (at < list.len && !is_blank(list.at[at]))
        at++;
    return at;
}

bool
ax_lightgbm_word(ax_str *list, ax_str *out_word)
{
    ax_str from = ax_str_from(*list, blanks(*list));
    if (from.len == 0)
        return false;
    *out_word = (ax_str){from.at, word_len(from)};
    *list = ax_str_from(from, out_word->len);
    return true;
}

/* Where in a list. */
struct place {
    const char *key;
    size_t index;
};

static ax_status
fail_word(struct ax_ctx *ctx, struct place place, ax_str list, const char *expected)
{
    size_t len = word_len(list);
    return ax_fail(ctx, AX_INVALID, "`%s`[%zu] is `%.*s`; expected %s", place.key, place.index,
                   (int)(len > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : len), list.at, expected);
}

static ax_status
fail_count(struct ax_ctx *ctx, const char *key, size_t found, const char *more, size_t count)
{
    return ax_fail(ctx, AX_INVALID, "`%s` has %s%zu numbers; expected %zu", key, more, found,
                   count);
}

/* A float off the front; words such as `nan` and a leading '+' go the long way. */
static bool
take_f64(ax_str list, double *out, size_t *out_len)
{
    struct ax_decimal number;
    if (ax_decimal_take(list, &number) &&
        (number.text.len == list.len || is_blank(list.at[number.text.len]))) {
        *out_len = number.text.len;
        return ax_decimal_f64(&number, out);
    }
    *out_len = word_len(list);
    return ax_parse_f64((ax_str){list.at, *out_len}, out);
}

ax_status
ax_lightgbm_f64s(struct ax_ctx *ctx, const char *key, ax_str list, size_t count, double *out)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        list = ax_str_from(list, blanks(list));
        if (list.len == 0)
            return fail_count(ctx, key, i, "", count);
        if (!take_f64(list, &out[i], &len))
            return fail_word(ctx, (struct place){key, i}, list, "a number");
        list = ax_str_from(list, len);
    }
    return blanks(list) == list.len ? AX_OK : fail_count(ctx, key, count, "more than ", count);
}

/* Eight bytes from a place on, of a list that has as many; zeros for those behind the end. */
static uint64_t
word_at(ax_str list, size_t at)
{
    size_t left = list.len - at, missing = left < AX_DIGITS_WORD ? AX_DIGITS_WORD - left : 0;
    return ax_digits_load(list.at + at - missing) >> missing * 8;
}

/*
 * A whole number that ends within eight bytes, as nearly all do. In one piece: a loop over its
 * digits would be guessed wrong once a number. False where it is any other.
 */
static bool
take_short(ax_str list, size_t *at, int64_t *out)
{
    if (list.len < AX_DIGITS_WORD)
        return false;
    uint64_t word = word_at(list, *at);
    size_t sign = (word & 0xff) == '-'; /* a number, for arithmetic: no branch learns signs */
    word >>= sign * 8;
    size_t digits = ax_digits_count(word), end = *at + sign + digits;
    if (digits == 0 || sign + digits == AX_DIGITS_WORD ||
        (end < list.len && !is_blank(list.at[end])))
        return false;
    *out = (int64_t)((ax_digits_number(word, digits) ^ (0 - sign)) + sign);
    *at = end;
    return true;
}

/* A whole number from byte *at on, which is moved behind it; false when its word is none. */
static bool
take_whole(ax_str list, size_t *at, int64_t *out)
{
    if (take_short(list, at, out))
        return true;
    size_t i = *at;
    bool negative = list.at[i] == '-';
    size_t from = i += negative;
    uint64_t value = 0;
    for (; i < list.len; i++) {
        unsigned digit = (unsigned)(unsigned char)list.at[i] - '0';
        if (digit > 9)
            break;
        value = value * 10 + digit;
    }
    if (i == from || i - from > WHOLE_DIGITS_MAX || (i < list.len && !is_blank(list.at[i])))
        return false;
    *out = negative ? -(int64_t)value : (int64_t)value;
    *at = i;
    return true;
}

ax_status
ax_lightgbm_i64s(struct ax_ctx *ctx, const char *key, ax_str list, size_t count,
                 struct ax_lightgbm_range range, int64_t *out)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t value = 0;
        while (at < list.len && is_blank(list.at[at]))
            at++;
        if (at == list.len)
            return fail_count(ctx, key, i, "", count);
        if (!take_whole(list, &at, &value))
            return fail_word(ctx, (struct place){key, i}, ax_str_from(list, at), "a whole number");
        if (value < range.least || value > range.most)
            return ax_fail(ctx, AX_INVALID, "`%s`[%zu] is %lld; expected %lld to %lld", key, i,
                           (long long)value, (long long)range.least, (long long)range.most);
        out[i] = value;
    }
    list = ax_str_from(list, at);
    return blanks(list) == list.len ? AX_OK : fail_count(ctx, key, count, "more than ", count);
}
