#include "base/writer.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/arena.h"

enum { FIRST_BYTES = 256 };

void
ax_writer_free(struct ax_writer *writer)
{
    ax_free(writer->at);
    *writer = ax_writer_of(writer->len_max);
}

void
ax_writer_clear(struct ax_writer *writer)
{
    writer->len = 0;
    writer->status = AX_OK;
}

static bool
grow(struct ax_writer *writer, size_t need)
{
    size_t capacity = writer->capacity ? writer->capacity : FIRST_BYTES;
    while (capacity < need)
        capacity = capacity > writer->len_max / 2 ? writer->len_max : capacity * 2;
    char *at = ax_realloc(writer->at, capacity);
    if (!at)
        return false;
    writer->at = at;
    writer->capacity = capacity;
    return true;
}

char *
ax_writer_more_room(struct ax_writer *writer, size_t len)
{
    if (writer->status != AX_OK)
        return NULL;
    if (len > writer->len_max - writer->len ||
        (writer->len + len > writer->capacity && !grow(writer, writer->len + len))) {
        writer->status = AX_LIMIT;
        return NULL;
    }
    char *at = writer->at + writer->len;
    writer->len += len;
    return at;
}

void
ax_writer_bytes(struct ax_writer *writer, ax_str bytes)
{
    char *at = bytes.len > 0 ? ax_writer_room(writer, bytes.len) : NULL;
    if (at)
        memcpy(at, bytes.at, bytes.len);
}

void
ax_writer_text(struct ax_writer *writer, const char *text)
{
    ax_writer_bytes(writer, ax_str_of(text));
}

void
ax_writer_print(struct ax_writer *writer, const char *format, ...)
{
    char small[512];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(small, sizeof small, format, args);
    if (len >= 0 && (size_t)len < sizeof small) {
        ax_writer_bytes(writer, (ax_str){small, (size_t)len});
    } else if (len >= 0) {
        char *at = ax_writer_room(writer, (size_t)len + 1);
        if (at) {
            vsnprintf(at, (size_t)len + 1, format, again);
            writer->len--; /* the terminator is not part of it */
        }
    }
    va_end(again);
    va_end(args);
}

static void
write_be(struct ax_writer *writer, uint64_t value, size_t width)
{
    char *at = ax_writer_room(writer, width);
    for (size_t i = 0; at && i < width; i++)
        at[i] = (char)(unsigned char)(value >> (8 * (width - 1 - i)));
}

static void
write_le(struct ax_writer *writer, uint64_t value, size_t width)
{
    char *at = ax_writer_room(writer, width);
    for (size_t i = 0; at && i < width; i++)
        at[i] = (char)(unsigned char)(value >> (8 * i));
}

void
ax_writer_u8(struct ax_writer *writer, uint8_t value)
{
    write_be(writer, value, 1);
}

void
ax_writer_u16_be(struct ax_writer *writer, uint16_t value)
{
    write_be(writer, value, 2);
}

void
ax_writer_u32_be(struct ax_writer *writer, uint32_t value)
{
    write_be(writer, value, 4);
}

void
ax_writer_u64_be(struct ax_writer *writer, uint64_t value)
{
    write_be(writer, value, 8);
}

void
ax_writer_u16_le(struct ax_writer *writer, uint16_t value)
{
    write_le(writer, value, 2);
}

void
ax_writer_u32_le(struct ax_writer *writer, uint32_t value)
{
    write_le(writer, value, 4);
}

void
ax_writer_u64_le(struct ax_writer *writer, uint64_t value)
{
    write_le(writer, value, 8);
}

ax_status
ax_writer_take(struct ax_writer *writer, struct ax_arena *arena, ax_str *out_bytes)
{
    if (writer->status != AX_OK)
        return writer->status;
    return ax_str_copy(arena, ax_writer_str(writer), out_bytes) ? AX_OK : AX_LIMIT;
}
