/*
 * A growing buffer with a ceiling and a sticky status: write ten fields, check once.
 *
 * The largest size is given at birth. Past it, or when memory is short, the status becomes LIMIT
 * and further writes do nothing. The bytes live on the heap until ax_writer_free.
 */
#pragma once

#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

struct ax_arena;

struct ax_writer {
    char *at;
    size_t len;
    size_t capacity;
    size_t len_max;
    ax_status status;
};

static inline struct ax_writer
ax_writer_of(size_t len_max)
{
    return (struct ax_writer){.len_max = len_max, .status = AX_OK};
}

void ax_writer_free(struct ax_writer *writer);

/* Guards a struct on the stack: ax_writer_auto struct ax_writer w = ax_writer_of(64 << 10); */
#define ax_writer_auto [[gnu::cleanup(ax_writer_free)]]

/* Empties it and keeps the memory: for a buffer used again and again. Clears the status. */
void ax_writer_clear(struct ax_writer *writer);

/* ax_writer_room where the memory does not suffice as it is. */
char *ax_writer_more_room(struct ax_writer *writer, size_t len);

/* Room for len more bytes to be filled in by the caller, counted as written; NULL past the ceiling.
 */
static inline char *
ax_writer_room(struct ax_writer *writer, size_t len)
{
    size_t least = writer->capacity < writer->len_max ? writer->capacity : writer->len_max;
    if (writer->status != AX_OK || len > least - writer->len)
        return ax_writer_more_room(writer, len);
    char *at = writer->at + writer->len;
    writer->len += len;
    return at;
}

void ax_writer_bytes(struct ax_writer *writer, ax_str bytes);

static inline void
ax_writer_char(struct ax_writer *writer, char c)
{
    char *at = ax_writer_room(writer, 1);
    if (at)
        *at = c;
}

void ax_writer_text(struct ax_writer *writer, const char *text);
AX_PRINTF(2, 3) void ax_writer_print(struct ax_writer *writer, const char *format, ...);
void ax_writer_u8(struct ax_writer *writer, uint8_t value);
void ax_writer_u16_be(struct ax_writer *writer, uint16_t value);
void ax_writer_u32_be(struct ax_writer *writer, uint32_t value);
void ax_writer_u64_be(struct ax_writer *writer, uint64_t value);
void ax_writer_u16_le(struct ax_writer *writer, uint16_t value);
void ax_writer_u32_le(struct ax_writer *writer, uint32_t value);
void ax_writer_u64_le(struct ax_writer *writer, uint64_t value);

/* What was written, borrowed until the next write. */
static inline ax_str
ax_writer_str(const struct ax_writer *writer)
{
    return (ax_str){writer->at ? writer->at : "", writer->len};
}

/* A copy in the arena. Fails: the sticky status; LIMIT past the arena's budget. */
ax_status ax_writer_take(struct ax_writer *writer, struct ax_arena *arena, ax_str *out_bytes);
