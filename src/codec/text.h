/*
 * Bytes as text: base64 and its form for URLs, hex, percent-encoding, UTF-8 check.
 */
#pragma once

#include "base/ctx.h"
#include "base/writer.h"

/* RFC 4648 with padding. The decoder refuses anything but the canonical form. */
void ax_base64_encode(ax_str bytes, struct ax_writer *out);
ax_status ax_base64_decode(struct ax_ctx *ctx, ax_str text, ax_str *out_bytes);

/* RFC 4648 section 5 without padding, as JOSE has it (RFC 7515): refuses all but that form. */
void ax_base64url_encode(ax_str bytes, struct ax_writer *out);
ax_status ax_base64url_decode(struct ax_ctx *ctx, ax_str text, ax_str *out_bytes);

void ax_hex_encode(ax_str bytes, struct ax_writer *out);                     /* lower case */
ax_status ax_hex_decode(struct ax_ctx *ctx, ax_str text, ax_str *out_bytes); /* either case */

/* %41 -> A. Fails: INVALID on a bad escape. '+' stays. */
ax_status ax_percent_decode(struct ax_ctx *ctx, ax_str text, ax_str *out_bytes);
void ax_percent_encode(ax_str bytes, struct ax_writer *out); /* all but A-Za-z0-9-._~ */

/*
 * Again and again until nothing changes or an escape is bad: what hides behind two escapes is found
 * too. Fails: INVALID on what was escaped ten times.
 */
ax_status ax_percent_decode_all(struct ax_ctx *ctx, ax_str text, ax_str *out_bytes);

/* Whether bytes are well-formed UTF-8 (no surrogates, no overlong forms). */
bool ax_utf8_ok(ax_str bytes);

/* Bytes of the well-formed UTF-8 sequence that bytes begin with, 1 to 4; 0 when there is none. */
size_t ax_utf8_len(ax_str bytes);

/*
 * How many bytes at the front stand for themselves in a string of JSON, one byte a character: no
 * quote, no backslash, no control character, nothing beyond ASCII.
 */
size_t ax_text_plain_len(ax_str bytes);
