/*
 * A cursor over JSON text that builds no tree: for the one body whose speed counts.
 *
 * Holds the text to json.h's strictness as it goes: grammar, UTF-8, escapes, depth. Each step
 * takes one thing off the front or fails with the byte offset; duplicate keys are the caller's to
 * see, for only the members it knows. The answer of a failed step is not to be used.
 *
 *     AX_TRY(ax_json_scan_open(&scan, '{', "an object"));
 *     while (more) ... ax_json_scan_member / value / ax_json_scan_more(&scan, '}', &more)
 */
#pragma once

#include "base/ctx.h"
#include "base/decimal.h"

enum { AX_JSON_SCAN_DEPTH_MAX = 100, AX_JSON_SCAN_NUMBER_BYTES_MAX = 63 };

struct ax_json_scan {
    struct ax_ctx *ctx;
    ax_str text;
    size_t at;
};

/* Passes white space; the byte there, or -1 at the end. */
static inline int
ax_json_scan_peek(struct ax_json_scan *scan)
{
    for (; scan->at < scan->text.len; scan->at++) {
        char c = scan->text.at[scan->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            return (unsigned char)c;
    }
    return -1;
}

/* "`data` is not an array at byte 17": what stands at the cursor is not what was expected. */
ax_status ax_json_scan_expected(struct ax_json_scan *scan, const char *what);

/* Enters an object ('{') or array ('['); *out_more: it has a first member or item. */
ax_status ax_json_scan_open(struct ax_json_scan *scan, char open, bool *out_more);

/* Behind a member or item: a comma (*out_more), or the end of the container, which is left. */
static inline ax_status
ax_json_scan_more(struct ax_json_scan *scan, char close, bool *out_more)
{
    int c = ax_json_scan_peek(scan);
    if (c != ',' && c != close)
        return ax_json_scan_expected(scan, close == '}' ? "a comma or }" : "a comma or ]");
    scan->at++;
    *out_more = c == ',';
    return AX_OK;
}

/* A member's key and the colon. */
ax_status ax_json_scan_key(struct ax_json_scan *scan, ax_str *out_key);

/* A string: a slice of the text, or decoded into ctx->arena when it has escapes. */
ax_status ax_json_scan_text(struct ax_json_scan *scan, ax_str *out_text);

/* A number of at most 63 characters. */
ax_status ax_json_scan_number(struct ax_json_scan *scan, struct ax_decimal *out_number);

/* true or false. */
ax_status ax_json_scan_bool(struct ax_json_scan *scan, bool *out_truth);

/* Takes the word when it stands there. */
bool ax_json_scan_word(struct ax_json_scan *scan, ax_str word);

/*
 * Passes over one value of any kind, all of it checked.
 *
 * depth_max: containers it may nest, at most AX_JSON_SCAN_DEPTH_MAX. special_floats: bare NaN,
 * Infinity and -Infinity count as numbers.
 */
ax_status ax_json_scan_skip(struct ax_json_scan *scan, int depth_max, bool special_floats);

/* Only white space may follow. */
ax_status ax_json_scan_end(struct ax_json_scan *scan);
