/*
 * Protocol Buffers on the wire: fields of a message one after the other, and back.
 *
 * Whoever reads knows the message and takes the fields it wants by number; all others are passed
 * over, as the format asks. Nothing is copied: texts and messages inside are slices. There is no
 * schema here; the few messages that Axiom speaks are read by hand where they are needed, straight
 * into what the domain works with.
 *
 * Source: protobuf.dev/programming-guides/encoding.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "base/writer.h"

enum ax_protobuf_wire {
    AX_PROTOBUF_VARINT = 0,
    AX_PROTOBUF_FIXED64 = 1,
    AX_PROTOBUF_BYTES = 2,
    AX_PROTOBUF_FIXED32 = 5,
};

/* A reading; its field is the one that ax_protobuf_next found. */
struct ax_protobuf {
    ax_str rest;
    ax_status status; /* INVALID once the bytes are no message; sticky */
    uint32_t field;
    enum ax_protobuf_wire wire;
    uint64_t number; /* of VARINT and the FIXED */
    ax_str bytes;    /* of BYTES */
};

static inline struct ax_protobuf
ax_protobuf_of(ax_str message)
{
    return (struct ax_protobuf){.rest = message};
}

/* The next field; false at the end, and when status says that there is none. */
[[nodiscard]] bool ax_protobuf_next(struct ax_protobuf *message);

/* Whether it is this field in this form; a field in another form is none that is known. */
static inline bool
ax_protobuf_is(const struct ax_protobuf *message, uint32_t field, enum ax_protobuf_wire wire)
{
    return message->field == field && message->wire == wire;
}

/* FIXED64 as a double, FIXED32 as a float. */
double ax_protobuf_f64(uint64_t number);
float ax_protobuf_f32(uint64_t number);

/* Fails: INVALID with words when the reading came to bytes that are no message. */
ax_status ax_protobuf_check(const struct ax_protobuf *message, struct ax_ctx *ctx,
                            const char *what);

/*
 * A repeated scalar, which may be packed or stand alone: calls put for each of the field's values.
 * wire: of one value. Fails: INVALID when a packed value is cut; what put says.
 */
ax_status ax_protobuf_each(const struct ax_protobuf *message, enum ax_protobuf_wire wire,
                           ax_status (*put)(void *arg, uint64_t number), void *arg);

/* How many values a field holds: 1, or those packed in it. SIZE_MAX when a packed one is cut. */
size_t ax_protobuf_count(const struct ax_protobuf *message, enum ax_protobuf_wire wire);

/* ---- writing; proto3 leaves out what has its default, which is the caller's business ---- */

void ax_protobuf_put_varint(struct ax_writer *out, uint32_t field, uint64_t number);
void ax_protobuf_put_bytes(struct ax_writer *out, uint32_t field, ax_str bytes);
void ax_protobuf_put_fixed64(struct ax_writer *out, uint32_t field, uint64_t number);
void ax_protobuf_put_f64(struct ax_writer *out, uint32_t field, double value);

/* The tag and length of a field whose bytes the caller writes next. */
void ax_protobuf_put_head(struct ax_writer *out, uint32_t field, size_t len);

/* A length alone: of a message in a stream of them, which has no tag. */
void ax_protobuf_put_length(struct ax_writer *out, size_t len);

/* A message inside a message: what is written between begin and end. Calls nest. */
size_t ax_protobuf_begin(struct ax_writer *out, uint32_t field);
void ax_protobuf_end(struct ax_writer *out, size_t begun);
