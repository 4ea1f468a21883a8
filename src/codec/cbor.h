/*
 * Deterministic CBOR (RFC 8949 section 4.2.1) for what is hashed: one meaning, one byte string.
 *
 * Profile (audit-log.md section 3): definite lengths, integer map keys ascending, shortest
 * integers, text in UTF-8, floats always 9-byte binary64 with one NaN, no tags, no duplicate keys,
 * depth at most 8. ax_cbor_check refuses any other encoding of the same meaning.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "base/reader.h"
#include "base/writer.h"

void ax_cbor_put_u64(struct ax_writer *out, uint64_t value);
void ax_cbor_put_i64(struct ax_writer *out, int64_t value);
void ax_cbor_put_bytes(struct ax_writer *out, ax_str bytes);
void ax_cbor_put_text(struct ax_writer *out, ax_str text);
void ax_cbor_put_f64(struct ax_writer *out, double value);
void ax_cbor_put_bool(struct ax_writer *out, bool value);
void ax_cbor_put_null(struct ax_writer *out);
void ax_cbor_put_array(struct ax_writer *out, uint64_t count); /* then count items */
void ax_cbor_put_map(struct ax_writer *out,
                     uint64_t count); /* then count keys and values, keys ascending */

/* One item's head or value, as the reader meets it. */
enum ax_cbor_kind {
    AX_CBOR_UNSIGNED,
    AX_CBOR_NEGATIVE, /* u64 holds n of -1 - n */
    AX_CBOR_BYTES,
    AX_CBOR_TEXT,
    AX_CBOR_ARRAY, /* u64 items follow */
    AX_CBOR_MAP,   /* u64 pairs follow */
    AX_CBOR_F64,
    AX_CBOR_BOOL,
    AX_CBOR_NULL,
};

struct ax_cbor_item {
    enum ax_cbor_kind kind;
    uint64_t u64;
    double f64;
    bool truth;
    ax_str bytes; /* of BYTES and TEXT, borrowed */
};

/* Takes the next head (and string). Refuses what is not in the profile: sticky status. */
struct ax_cbor_item ax_cbor_next(struct ax_reader *reader);

/* Skips one whole item. */
void ax_cbor_skip(struct ax_reader *reader);

/* Whether bytes are exactly one item in the deterministic profile. Fails (bare): INVALID. */
ax_status ax_cbor_check(ax_str bytes);

/* Shows an item as JSON (bytes as base64, integer keys as text): a view, never hashed. */
void ax_cbor_show(struct ax_reader *reader, struct ax_writer *out);
