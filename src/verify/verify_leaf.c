#include "verify/verify_leaf.h"

#include "base/reader.h"

enum { DEPTH_MAX = 8, UNSIGNED = 0, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5, SIMPLE = 7 };

enum { KEY_PRODUCER = 3, KEY_SEQUENCE = 4, KEY_PREVIOUS = 5, KEY_REF = 13, KEY_BYTES = 14 };

/* The head of an item: its kind and argument; false when it is not in its shortest form. */
static bool
read_head(struct ax_reader *reader, unsigned *kind, uint64_t *argument)
{
    uint8_t first = ax_reader_u8(reader);
    unsigned small = first & 31;
    *kind = first >> 5;
    if (small < 24) {
        *argument = small;
        return reader->status == AX_OK;
    }
    uint64_t least[] = {24, 1U << 8, 1U << 16, UINT64_C(1) << 32};
    if (small > 27)
        return false;
    *argument = 0;
    for (unsigned i = 0; i < 1U << (small - 24); i++)
        *argument = *argument << 8 | ax_reader_u8(reader);
    return reader->status == AX_OK && (*kind == SIMPLE || *argument >= least[small - 24]);
}

/* Passes over one item. */
static bool
skip(struct ax_reader *reader, int depth)
{
    unsigned kind;
    uint64_t argument;
    if (depth > DEPTH_MAX || !read_head(reader, &kind, &argument))
        return false;
    if (kind == BYTES || kind == TEXT) {
        (void)ax_reader_bytes(reader, argument);
        return reader->status == AX_OK;
    }
    if (kind != ARRAY && kind != MAP)
        return true;
    if (argument > ax_reader_left(reader))
        return false;
    for (uint64_t i = 0; i < argument * (kind == MAP ? 2 : 1); i++)
        if (!skip(reader, depth + 1))
            return false;
    return true;
}

static bool
read_bytes(struct ax_reader *reader, unsigned wanted, ax_str *out)
{
    unsigned kind;
    uint64_t len;
    if (!read_head(reader, &kind, &len) || kind != wanted)
        return false;
    *out = ax_reader_bytes(reader, len);
    return reader->status == AX_OK;
}

static bool
read_digest(struct ax_reader *reader, ax_digest *out)
{
    ax_str bytes;
    if (!read_bytes(reader, BYTES, &bytes) || bytes.len != sizeof out->bytes)
        return false;
    memcpy(out->bytes, bytes.at, bytes.len);
    return true;
}

static bool
read_number(struct ax_reader *reader, uint64_t *out)
{
    unsigned kind;
    return read_head(reader, &kind, out) && kind == UNSIGNED;
}

static bool
read_field(struct ax_reader *reader, uint64_t key, struct ax_verify_leaf *out)
{
    switch (key) {
    case KEY_PRODUCER:
        return read_bytes(reader, TEXT, &out->producer);
    case KEY_SEQUENCE:
        return read_number(reader, &out->sequence);
    case KEY_PREVIOUS:
        return read_digest(reader, &out->previous);
    case KEY_REF:
        return read_digest(reader, &out->payload_ref);
    case KEY_BYTES:
        return read_number(reader, &out->payload_bytes);
    default:
        return skip(reader, 1);
    }
}

bool
ax_verify_leaf_read(ax_str bytes, struct ax_verify_leaf *out_leaf)
{
    struct ax_reader reader = ax_reader_of(bytes);
    unsigned kind;
    uint64_t count, last = 0;
    *out_leaf = (struct ax_verify_leaf){};
    if (!read_head(&reader, &kind, &count) || kind != MAP || count > bytes.len)
        return false;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t key;
        if (!read_number(&reader, &key) || (i > 0 && key <= last) ||
            !read_field(&reader, key, out_leaf))
            return false;
        last = key;
    }
    return reader.status == AX_OK && ax_reader_left(&reader) == 0 && out_leaf->producer.len > 0;
}
