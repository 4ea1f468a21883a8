#include "codec/text.h"

#include <stdint.h>

enum { DECODE_TIMES_MAX = 10 };

/* ---- base64 ---- */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
base64_group(const unsigned char *bytes, size_t count, char out[4])
{
    uint32_t bits = (uint32_t)bytes[0] << 16;
    bits |= count > 1 ? (uint32_t)bytes[1] << 8 : 0;
    bits |= count > 2 ? (uint32_t)bytes[2] : 0;
    for (size_t i = 0; i < 4; i++)
        out[i] = i <= count ? base64_digits[bits >> (18 - 6 * i) & 63] : '=';
}

void
ax_base64_encode(ax_str bytes, struct ax_writer *out)
{
    for (size_t at = 0; at < bytes.len; at += 3) {
        char group[4];
        size_t left = bytes.len - at;
        base64_group((const unsigned char *)bytes.at + at, left < 3 ? left : 3, group);
        ax_writer_bytes(out, (ax_str){group, 4});
    }
}

static int
base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes `digits` (2 to 4) characters of a group; false when one is foreign or bits are left. */
static bool
base64_ungroup(const char *text, size_t digits, char *out)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < digits ? base64_value(text[i]) : 0;
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
    }
    for (size_t i = 0; i + 1 < digits; i++)
        out[i] = (char)(unsigned char)(bits >> (16 - 8 * i) & 255);
    return (bits & (UINT32_C(0xffffff) >> (8 * (digits - 1)))) == 0;
}

ax_status
ax_base64_decode(struct ax_ctx *ctx, ax_str text, ax_str *out_bytes)
{
    if (text.len % 4 != 0)
        return ax_fail(ctx, AX_INVALID, "base64: %zu characters are no multiple of 4", text.len);
    size_t padding = 0;
    while (padding < 2 && padding < text.len && text.at[text.len - 1 - padding] == '=')
        padding++;
    size_t len = text.len / 4 * 3 - padding;
    char *bytes = AX_NEW_ARRAY(ctx->arena, char, len + 1);
    if (!bytes)
        return ax_fail(ctx, AX_LIMIT, "base64: no memory for %zu bytes", len);
    for (size_t at = 0; at < text.len; at += 4) {
        bool last = at + 4 == text.len;
        if (!base64_ungroup(text.at + at, last ? 4 - padding : 4, bytes + at / 4 * 3))
            return ax_fail(ctx, AX_INVALID, "base64: not the canonical form near character %zu",
                           at);
    }
    *out_bytes = (ax_str){bytes, len};
    return AX_OK;
}

/* ---- base64 for URLs ---- */

void
ax_base64url_encode(ax_str bytes, struct ax_writer *out)
{
    for (size_t at = 0; at < bytes.len; at += 3) {
        char group[4];
        size_t left = bytes.len - at, digits = left < 3 ? left + 1 : 4;
        base64_group((const unsigned char *)bytes.at + at, left < 3 ? left : 3, group);
        for (size_t i = 0; i < digits; i++)
            ax_writer_char(out, group[i] == '+' ? '-' : group[i] == '/' ? '_' : group[i]);
    }
}

/* Up to four characters of the other alphabet in ours; what is ours alone becomes foreign. */
static void
base64url_plain(const char *text, size_t digits, char out[4])
{
    for (size_t i = 0; i < digits; i++) {
        char c = text[i];
        bool foreign = c == '+' || c == '/';
        out[i] = c == '-' ? '+' : c == '_' ? '/' : foreign ? '=' : c;
    }
}

ax_status
ax_base64url_decode(struct ax_ctx *ctx, ax_str text, ax_str *out_bytes)
{
    size_t rest = text.len % 4, len = text.len / 4 * 3 + (rest ? rest - 1 : 0);
    if (rest == 1)
        return ax_fail(ctx, AX_INVALID, "base64url: no bytes have %zu characters", text.len);
    char *bytes = AX_NEW_ARRAY(ctx->arena, char, len + 1);
    if (!bytes)
        return ax_fail(ctx, AX_LIMIT, "base64url: no memory for %zu bytes", len);
    for (size_t at = 0; at < text.len; at += 4) {
        char group[4];
        size_t digits = text.len - at < 4 ? rest : 4;
        base64url_plain(text.at + at, digits, group);
        if (!base64_ungroup(group, digits, bytes + at / 4 * 3))
            return ax_fail(ctx, AX_INVALID, "base64url: not the canonical form near character %zu",
                           at);
    }
    *out_bytes = (ax_str){bytes, len};
    return AX_OK;
}

/* ---- hexadecimal ---- */

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that two characters stand for; -1 when they are none. */
static int
hex_byte(ax_str text, size_t at)
{
    if (text.len - at < 2)
        return -1;
    int high = hex_value(text.at[at]), low = hex_value(text.at[at + 1]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static void
put_hex(struct ax_writer *out, unsigned char byte, const char *digits)
{
    char pair[2] = {digits[byte >> 4], digits[byte & 15]};
    ax_writer_bytes(out, (ax_str){pair, 2});
}

void
ax_hex_encode(ax_str bytes, struct ax_writer *out)
{
    for (size_t i = 0; i < bytes.len; i++)
        put_hex(out, (unsigned char)bytes.at[i], "0123456789abcdef");
}

ax_status
ax_hex_decode(struct ax_ctx *ctx, ax_str text, ax_str *out_bytes)
{
    if (text.len % 2 != 0)
        return ax_fail(ctx, AX_INVALID, "hex: %zu digits are no whole bytes", text.len);
    char *bytes = AX_NEW_ARRAY(ctx->arena, char, text.len / 2 + 1);
    if (!bytes)
        return ax_fail(ctx, AX_LIMIT, "hex: no memory for %zu bytes", text.len / 2);
    for (size_t at = 0; at < text.len; at += 2) {
        int byte = hex_byte(text, at);
        if (byte < 0)
            return ax_fail(ctx, AX_INVALID, "hex: no hexadecimal digits at character %zu", at);
        bytes[at / 2] = (char)(unsigned char)byte;
    }
    *out_bytes = (ax_str){bytes, text.len / 2};
    return AX_OK;
}

/* ---- percent-encoding ---- */

ax_status
ax_percent_decode(struct ax_ctx *ctx, ax_str text, ax_str *out_bytes)
{
    char *bytes = AX_NEW_ARRAY(ctx->arena, char, text.len + 1);
    if (!bytes)
        return ax_fail(ctx, AX_LIMIT, "percent-encoding: no memory for %zu bytes", text.len);
    size_t len = 0;
    for (size_t at = 0; at < text.len; at++) {
        if (text.at[at] != '%') {
            bytes[len++] = text.at[at];
            continue;
        }
        int byte = hex_byte(text, at + 1);
        if (byte < 0)
            return ax_fail(ctx, AX_INVALID,
                           "percent-encoding: two hexadecimal digits must follow the %% at %zu",
                           at);
        bytes[len++] = (char)(unsigned char)byte;
        at += 2;
    }
    *out_bytes = (ax_str){bytes, len};
    return AX_OK;
}

static bool
is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void
ax_percent_encode(ax_str bytes, struct ax_writer *out)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (is_unreserved(bytes.at[i])) {
            ax_writer_char(out, bytes.at[i]);
            continue;
        }
        ax_writer_char(out, '%');
        put_hex(out, (unsigned char)bytes.at[i], "0123456789ABCDEF");
    }
}

ax_status
ax_percent_decode_all(struct ax_ctx *ctx, ax_str text, ax_str *out_bytes)
{
    for (int i = 0; i < DECODE_TIMES_MAX; i++) {
        ax_str plain;
        ax_status status = ax_percent_decode(ctx, text, &plain);
        if (status == AX_INVALID || (status == AX_OK && ax_str_eq(plain, text))) {
            ctx->error[0] = '\0';
            *out_bytes = text;
            return AX_OK;
        }
        AX_TRY(status);
        text = plain;
    }
    return ax_fail(ctx, AX_INVALID, "percent-encoding: escaped too often");
}

/* ---- UTF-8 (Unicode 15, table 3-7) ---- */

static bool
is_tail(ax_str bytes, size_t at)
{
    return at < bytes.len && ((unsigned char)bytes.at[at] & 0xc0) == 0x80;
}

/* The second byte tells overlong forms, surrogates and what lies beyond U+10FFFF. */
static bool
second_ok(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0;
    case 0xed:
        return second < 0xa0;
    case 0xf0:
        return second >= 0x90;
    case 0xf4:
        return second < 0x90;
    default:
        return true;
    }
}

size_t
ax_utf8_len(ax_str bytes)
{
    if (bytes.len == 0)
        return 0;
    unsigned char first = (unsigned char)bytes.at[0];
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4 || !is_tail(bytes, 1))
        return 0;
    if (first < 0xe0)
        return 2;
    if (!second_ok(first, (unsigned char)bytes.at[1]) || !is_tail(bytes, 2))
        return 0;
    if (first < 0xf0)
        return 3;
    return is_tail(bytes, 3) ? 4 : 0;
}

/* Eight bytes at a time while they are ASCII, which most text is. */
static size_t
ascii_len(ax_str bytes)
{
    size_t at = 0;
    uint64_t word;
    for (; bytes.len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, bytes.at + at, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (at < bytes.len && (unsigned char)bytes.at[at] < 0x80)
        at++;
    return at;
}

bool
ax_utf8_ok(ax_str bytes)
{
    for (;;) {
        bytes = ax_str_from(bytes, ascii_len(bytes));
        if (bytes.len == 0)
            return true;
        size_t len = ax_utf8_len(bytes);
        if (len == 0)
            return false;
        bytes = ax_str_from(bytes, len);
    }
}

/* ---- runs of plain characters ---- */

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/*
 * The top bit of each byte that is not plain; above the first of them others may be marked that
 * are. Subtracting borrows from a byte that is too small, and x ^ c is zero where x is c.
 */
static uint64_t
marks_of(uint64_t word)
{
    uint64_t quote = word ^ EACH_BYTE('"'), backslash = word ^ EACH_BYTE('\\');
    uint64_t small = (word - EACH_BYTE(0x20)) | (quote - EACH_BYTE(1)) | (backslash - EACH_BYTE(1));
    return (small | word) & EACH_BYTE(0x80);
}

static bool
is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

size_t
ax_text_plain_len(ax_str bytes)
{
    size_t at = 0;
    for (uint64_t word; bytes.len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, bytes.at + at, sizeof word);
        if (marks_of(word) != 0)
            break;
    }
    while (at < bytes.len && is_plain((unsigned char)bytes.at[at]))
        at++;
    return at;
}
