/*
 * A cursor over untrusted bytes: read ten fields, check once.
 *
 * Reading past the end makes the status sticky (INVALID) and every further read gives zero, so a
 * parser may check `reader.status` after a group of reads. It never allocates and never copies.
 */
#pragma once

#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

struct ax_reader {
    ax_str bytes;
    size_t at;        /* byte offset of the next read; for error texts */
    ax_status status; /* AX_OK until a read ran past the end */
};

static inline struct ax_reader
ax_reader_of(ax_str bytes)
{
    return (struct ax_reader){.bytes = bytes, .status = AX_OK};
}

static inline size_t
ax_reader_left(const struct ax_reader *reader)
{
    return reader->status == AX_OK ? reader->bytes.len - reader->at : 0;
}

/* The next byte without taking it; -1 at the end. */
static inline int
ax_reader_peek(const struct ax_reader *reader)
{
    return ax_reader_left(reader) ? (unsigned char)reader->bytes.at[reader->at] : -1;
}

uint8_t ax_reader_u8(struct ax_reader *reader);

/* be: big-endian (network, UBJSON, tiles); le: little-endian (our files, tensors). */
uint16_t ax_reader_u16_be(struct ax_reader *reader);
uint32_t ax_reader_u32_be(struct ax_reader *reader);
uint64_t ax_reader_u64_be(struct ax_reader *reader);
uint16_t ax_reader_u16_le(struct ax_reader *reader);
uint32_t ax_reader_u32_le(struct ax_reader *reader);
uint64_t ax_reader_u64_le(struct ax_reader *reader);

/* The next len bytes, borrowed from the input; "" and the sticky status when there are fewer. */
ax_str ax_reader_bytes(struct ax_reader *reader, size_t len);

/* Up to the delimiter, which is taken and left out; the sticky status when it does not come. */
ax_str ax_reader_until(struct ax_reader *reader, char delimiter);

/* Makes the status sticky from outside: a field was read and broke a rule. */
void ax_reader_refuse(struct ax_reader *reader);
