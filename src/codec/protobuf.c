#include "codec/protobuf.h"

enum { VARINT_BYTES_MAX = 10, VARINT_BITS = 7, WIRE_BITS = 3 };

/* ---- reading ---- */

static bool
refuse(struct ax_protobuf *message)
{
    message->status = AX_INVALID;
    return false;
}

static bool
take_varint(ax_str *rest, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < rest->len && i < VARINT_BYTES_MAX; i++) {
        uint64_t byte = (unsigned char)rest->at[i];
        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            return false; /* more than 64 bits */
        value |= (byte & 0x7f) << (VARINT_BITS * i);
        if (byte < 0x80) {
            *rest = ax_str_from(*rest, i + 1);
            *out = value;
            return true;
        }
    }
    return false;
}

static bool
take_fixed(ax_str *rest, size_t bytes, uint64_t *out)
{
    if (rest->len < bytes)
        return false;
    *out = 0;
    memcpy(out, rest->at, bytes); /* little-endian, as the machine */
    *rest = ax_str_from(*rest, bytes);
    return true;
}

static bool
take_bytes(ax_str *rest, ax_str *out)
{
    uint64_t len;
    if (!take_varint(rest, &len) || len > rest->len)
        return false;
    *out = (ax_str){rest->at, (size_t)len};
    *rest = ax_str_from(*rest, (size_t)len);
    return true;
}

static bool
take_value(ax_str *rest, enum ax_protobuf_wire wire, uint64_t *out)
{
    switch (wire) {
    case AX_PROTOBUF_VARINT:
        return take_varint(rest, out);
    case AX_PROTOBUF_FIXED64:
        return take_fixed(rest, sizeof(uint64_t), out);
    case AX_PROTOBUF_FIXED32:
        return take_fixed(rest, sizeof(uint32_t), out);
    case AX_PROTOBUF_BYTES:
        break;
    }
    return false;
}

bool
ax_protobuf_next(struct ax_protobuf *message)
{
    uint64_t tag;
    if (message->status != AX_OK || message->rest.len == 0)
        return false;
    if (!take_varint(&message->rest, &tag) || tag > UINT32_MAX || tag >> WIRE_BITS == 0)
        return refuse(message);
    message->field = (uint32_t)(tag >> WIRE_BITS);
    message->wire = (enum ax_protobuf_wire)(tag & ((1 << WIRE_BITS) - 1));
    bool taken = message->wire == AX_PROTOBUF_BYTES
                     ? take_bytes(&message->rest, &message->bytes)
                     : take_value(&message->rest, message->wire, &message->number);
    return taken || refuse(message); /* groups are no part of proto3 */
}

double
ax_protobuf_f64(uint64_t number)
{
    double value;
    memcpy(&value, &number, sizeof value);
    return value;
}

float
ax_protobuf_f32(uint64_t number)
{
    uint32_t low = (uint32_t)number;
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}

ax_status
ax_protobuf_check(const struct ax_protobuf *message, struct ax_ctx *ctx, const char *what)
{
    if (message->status == AX_OK)
        return AX_OK;
    return ax_fail(ctx, AX_INVALID, "the bytes are no %s: field %u is cut or malformed", what,
                   message->field);
}

ax_status
ax_protobuf_each(const struct ax_protobuf *message, enum ax_protobuf_wire wire,
                 ax_status (*put)(void *arg, uint64_t number), void *arg)
{
    ax_str rest = message->bytes;
    uint64_t number;
    if (message->wire != AX_PROTOBUF_BYTES)
        return message->wire == wire ? put(arg, message->number) : AX_INVALID;
    while (rest.len > 0) {
        if (!take_value(&rest, wire, &number))
            return AX_INVALID;
        AX_TRY(put(arg, number));
    }
    return AX_OK;
}

size_t
ax_protobuf_count(const struct ax_protobuf *message, enum ax_protobuf_wire wire)
{
    ax_str rest = message->bytes;
    size_t count = 0;
    uint64_t number;
    if (message->wire != AX_PROTOBUF_BYTES)
        return message->wire == wire ? 1 : SIZE_MAX;
    if (wire == AX_PROTOBUF_FIXED32 || wire == AX_PROTOBUF_FIXED64) {
        size_t bytes = wire == AX_PROTOBUF_FIXED32 ? sizeof(uint32_t) : sizeof(uint64_t);
        return rest.len % bytes ? SIZE_MAX : rest.len / bytes;
    }
    for (; rest.len > 0; count++)
        if (!take_value(&rest, wire, &number))
            return SIZE_MAX;
    return count;
}

/* ---- writing ---- */

static size_t
print_varint(uint64_t number, char *out)
{
    size_t len = 0;
    for (; number >= 0x80; number >>= VARINT_BITS)
        out[len++] = (char)((number & 0x7f) | 0x80);
    out[len++] = (char)number;
    return len;
}

static void
put_varint(struct ax_writer *out, uint64_t number)
{
    char text[VARINT_BYTES_MAX];
    ax_writer_bytes(out, (ax_str){text, print_varint(number, text)});
}

static void
put_tag(struct ax_writer *out, uint32_t field, enum ax_protobuf_wire wire)
{
    put_varint(out, (uint64_t)field << WIRE_BITS | wire);
}

void
ax_protobuf_put_varint(struct ax_writer *out, uint32_t field, uint64_t number)
{
    put_tag(out, field, AX_PROTOBUF_VARINT);
    put_varint(out, number);
}

void
ax_protobuf_put_head(struct ax_writer *out, uint32_t field, size_t len)
{
    put_tag(out, field, AX_PROTOBUF_BYTES);
    put_varint(out, len);
}

void
ax_protobuf_put_length(struct ax_writer *out, size_t len)
{
    put_varint(out, len);
}

void
ax_protobuf_put_bytes(struct ax_writer *out, uint32_t field, ax_str bytes)
{
    ax_protobuf_put_head(out, field, bytes.len);
    ax_writer_bytes(out, bytes);
}

void
ax_protobuf_put_fixed64(struct ax_writer *out, uint32_t field, uint64_t number)
{
    put_tag(out, field, AX_PROTOBUF_FIXED64);
    ax_writer_u64_le(out, number);
}

void
ax_protobuf_put_f64(struct ax_writer *out, uint32_t field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    ax_protobuf_put_fixed64(out, field, bits);
}

size_t
ax_protobuf_begin(struct ax_writer *out, uint32_t field)
{
    put_tag(out, field, AX_PROTOBUF_BYTES);
    ax_writer_char(out, 0); /* the length, when it is short, as it mostly is */
    return out->len;
}

void
ax_protobuf_end(struct ax_writer *out, size_t begun)
{
    char text[VARINT_BYTES_MAX];
    if (out->status != AX_OK)
        return;
    size_t len = out->len - begun, length_bytes = print_varint(len, text);
    if (length_bytes > 1 && !ax_writer_room(out, length_bytes - 1))
        return;
    char *at = out->at + begun;
    memmove(at + length_bytes - 1, at, len);
    memcpy(at - 1, text, length_bytes);
}
