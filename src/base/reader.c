#include "base/reader.h"

void
ax_reader_refuse(struct ax_reader *reader)
{
    if (reader->status == AX_OK)
        reader->status = AX_INVALID;
}

ax_str
ax_reader_bytes(struct ax_reader *reader, size_t len)
{
    if (len > ax_reader_left(reader)) {
        ax_reader_refuse(reader);
        return (ax_str){"", 0};
    }
    ax_str bytes = {reader->bytes.at + reader->at, len};
    reader->at += len;
    return bytes;
}

ax_str
ax_reader_until(struct ax_reader *reader, char delimiter)
{
    size_t left = ax_reader_left(reader);
    const char *from = reader->bytes.at + reader->at;
    const char *found = left ? memchr(from, delimiter, left) : NULL;
    if (!found) {
        ax_reader_refuse(reader);
        return (ax_str){"", 0};
    }
    ax_str part = {from, (size_t)(found - from)};
    reader->at += part.len + 1;
    return part;
}

static uint64_t
read_be(struct ax_reader *reader, size_t width)
{
    ax_str bytes = ax_reader_bytes(reader, width);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.len; i++)
        value = value << 8 | (unsigned char)bytes.at[i];
    return value;
}

static uint64_t
read_le(struct ax_reader *reader, size_t width)
{
    ax_str bytes = ax_reader_bytes(reader, width);
    uint64_t value = 0;
    for (size_t i = bytes.len; i > 0; i--)
        value = value << 8 | (unsigned char)bytes.at[i - 1];
    return value;
}

uint8_t
ax_reader_u8(struct ax_reader *reader)
{
    return (uint8_t)read_be(reader, 1);
}

uint16_t
ax_reader_u16_be(struct ax_reader *reader)
{
    return (uint16_t)read_be(reader, 2);
}

uint32_t
ax_reader_u32_be(struct ax_reader *reader)
{
    return (uint32_t)read_be(reader, 4);
}

uint64_t
ax_reader_u64_be(struct ax_reader *reader)
{
    ax_str bytes = ax_reader_bytes(reader, sizeof(uint64_t)); /* the length of all in UBJSON */
    uint64_t value = 0;
    if (bytes.len == sizeof value)
        memcpy(&value, bytes.at, sizeof value);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? value : __builtin_bswap64(value);
}

uint16_t
ax_reader_u16_le(struct ax_reader *reader)
{
    return (uint16_t)read_le(reader, 2);
}

uint32_t
ax_reader_u32_le(struct ax_reader *reader)
{
    return (uint32_t)read_le(reader, 4);
}

uint64_t
ax_reader_u64_le(struct ax_reader *reader)
{
    return read_le(reader, 8);
}
