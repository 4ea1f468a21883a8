#include "codec/cbor.h"

#include <math.h>

#include "codec/json.h"
#include "codec/text.h"

enum { DEPTH_MAX = 8 };

/* The major types of RFC 8949 section 3.1, and the values of major type 7 that the profile has. */
enum { MAJOR_TAG = 6, MAJOR_SIMPLE = 7 };
enum { SIMPLE_FALSE = 20, SIMPLE_TRUE = 21, SIMPLE_NULL = 22, SIMPLE_F64 = 27 };

#define NAN_BITS UINT64_C(0x7ff8000000000000)

/* ---- writing ---- */

static void
put_head(struct ax_writer *out, enum ax_cbor_kind major, uint64_t value)
{
    uint8_t high = (uint8_t)(major << 5);
    if (value < 24) {
        ax_writer_u8(out, (uint8_t)(high | value));
    } else if (value <= UINT8_MAX) {
        ax_writer_u8(out, high | 24);
        ax_writer_u8(out, (uint8_t)value);
    } else if (value <= UINT16_MAX) {
        ax_writer_u8(out, high | 25);
        ax_writer_u16_be(out, (uint16_t)value);
    } else if (value <= UINT32_MAX) {
        ax_writer_u8(out, high | 26);
        ax_writer_u32_be(out, (uint32_t)value);
    } else {
        ax_writer_u8(out, high | 27);
        ax_writer_u64_be(out, value);
    }
}

void
ax_cbor_put_u64(struct ax_writer *out, uint64_t value)
{
    put_head(out, AX_CBOR_UNSIGNED, value);
}

void
ax_cbor_put_i64(struct ax_writer *out, int64_t value)
{
    if (value >= 0)
        put_head(out, AX_CBOR_UNSIGNED, (uint64_t)value);
    else
        put_head(out, AX_CBOR_NEGATIVE, ~(uint64_t)value); /* -1 - value */
}

void
ax_cbor_put_bytes(struct ax_writer *out, ax_str bytes)
{
    put_head(out, AX_CBOR_BYTES, bytes.len);
    ax_writer_bytes(out, bytes);
}

void
ax_cbor_put_text(struct ax_writer *out, ax_str text)
{
    put_head(out, AX_CBOR_TEXT, text.len);
    ax_writer_bytes(out, text);
}

void
ax_cbor_put_f64(struct ax_writer *out, double value)
{
    uint64_t bits = NAN_BITS;
    if (!isnan(value))
        memcpy(&bits, &value, sizeof bits);
    ax_writer_u8(out, MAJOR_SIMPLE << 5 | SIMPLE_F64);
    ax_writer_u64_be(out, bits);
}

void
ax_cbor_put_bool(struct ax_writer *out, bool value)
{
    ax_writer_u8(out, MAJOR_SIMPLE << 5 | (value ? SIMPLE_TRUE : SIMPLE_FALSE));
}

void
ax_cbor_put_null(struct ax_writer *out)
{
    ax_writer_u8(out, MAJOR_SIMPLE << 5 | SIMPLE_NULL);
}

void
ax_cbor_put_array(struct ax_writer *out, uint64_t count)
{
    put_head(out, AX_CBOR_ARRAY, count);
}

void
ax_cbor_put_map(struct ax_writer *out, uint64_t count)
{
    put_head(out, AX_CBOR_MAP, count);
}

/* ---- reading ---- */

/* The argument of a head, refused when a shorter form would have done. */
static uint64_t
next_argument(struct ax_reader *reader, unsigned low)
{
    uint64_t value, least;
    switch (low) {
    case 24:
        value = ax_reader_u8(reader);
        least = 24;
        break;
    case 25:
        value = ax_reader_u16_be(reader);
        least = UINT64_C(1) << 8;
        break;
    case 26:
        value = ax_reader_u32_be(reader);
        least = UINT64_C(1) << 16;
        break;
    case 27:
        value = ax_reader_u64_be(reader);
        least = UINT64_C(1) << 32;
        break;
    default:
        value = low;
        least = 0;
        if (low > 23) /* reserved, or of indefinite length */
            ax_reader_refuse(reader);
    }
    if (value < least)
        ax_reader_refuse(reader);
    return value;
}

static struct ax_cbor_item
next_simple(struct ax_reader *reader, unsigned low)
{
    struct ax_cbor_item item = {.kind = AX_CBOR_NULL};
    uint64_t bits;
    switch (low) {
    case SIMPLE_FALSE:
    case SIMPLE_TRUE:
        item.kind = AX_CBOR_BOOL;
        item.truth = low == SIMPLE_TRUE;
        break;
    case SIMPLE_NULL:
        break;
    case SIMPLE_F64:
        bits = ax_reader_u64_be(reader);
        item.kind = AX_CBOR_F64;
        memcpy(&item.f64, &bits, sizeof bits);
        if (isnan(item.f64) && bits != NAN_BITS)
            ax_reader_refuse(reader);
        break;
    default:
        ax_reader_refuse(reader);
    }
    return item;
}

/* Each further item takes a byte at least: a count beyond what is left is a lie. */
static bool
count_fits(const struct ax_reader *reader, enum ax_cbor_kind kind, uint64_t count)
{
    size_t left = ax_reader_left(reader);
    return kind == AX_CBOR_MAP ? count <= left / 2 : count <= left;
}

struct ax_cbor_item
ax_cbor_next(struct ax_reader *reader)
{
    uint8_t head = ax_reader_u8(reader);
    unsigned major = head >> 5, low = head & 31;
    struct ax_cbor_item item = {.kind = AX_CBOR_NULL};
    if (reader->status != AX_OK)
        return item;
    if (major == MAJOR_SIMPLE) {
        item = next_simple(reader, low);
    } else if (major == MAJOR_TAG) {
        ax_reader_refuse(reader);
    } else {
        item.kind = (enum ax_cbor_kind)major;
        item.u64 = next_argument(reader, low);
        if (item.kind >= AX_CBOR_BYTES && !count_fits(reader, item.kind, item.u64))
            ax_reader_refuse(reader);
        if (item.kind == AX_CBOR_BYTES || item.kind == AX_CBOR_TEXT)
            item.bytes = ax_reader_bytes(reader, (size_t)item.u64);
        if (item.kind == AX_CBOR_TEXT && !ax_utf8_ok(item.bytes))
            ax_reader_refuse(reader);
    }
    return reader->status == AX_OK ? item : (struct ax_cbor_item){.kind = AX_CBOR_NULL};
}

/* A map's key that must stand behind the one before: by encoded bytes, so 0, 1, ... -1, -2 ... */
static bool
key_ascends(const struct ax_cbor_item *before, const struct ax_cbor_item *key)
{
    if (key->kind != before->kind)
        return key->kind > before->kind;
    return key->u64 > before->u64;
}

static void walk(struct ax_reader *reader, int depth);

static void
walk_map(struct ax_reader *reader, uint64_t count, int depth)
{
    struct ax_cbor_item before = {};
    for (uint64_t i = 0; i < count && reader->status == AX_OK; i++) {
        struct ax_cbor_item key = ax_cbor_next(reader);
        bool whole = key.kind == AX_CBOR_UNSIGNED || key.kind == AX_CBOR_NEGATIVE;
        if (!whole || (i > 0 && !key_ascends(&before, &key)))
            ax_reader_refuse(reader);
        before = key;
        walk(reader, depth);
    }
}

/* One whole item; depth: how many containers it may still open. */
static void
walk(struct ax_reader *reader, int depth)
{
    struct ax_cbor_item item = ax_cbor_next(reader);
    bool array = item.kind == AX_CBOR_ARRAY, map = item.kind == AX_CBOR_MAP;
    if ((array || map) && depth == 0)
        ax_reader_refuse(reader);
    else if (map)
        walk_map(reader, item.u64, depth - 1);
    for (uint64_t i = 0; array && i < item.u64 && reader->status == AX_OK; i++)
        walk(reader, depth - 1);
}

void
ax_cbor_skip(struct ax_reader *reader)
{
    walk(reader, DEPTH_MAX);
}

ax_status
ax_cbor_check(ax_str bytes)
{
    struct ax_reader reader = ax_reader_of(bytes);
    walk(&reader, DEPTH_MAX);
    return reader.status == AX_OK && ax_reader_left(&reader) == 0 ? AX_OK : AX_INVALID;
}

/* ---- showing ---- */

static void
show_negative(uint64_t n, struct ax_json_writer *out)
{
    if (n <= (uint64_t)INT64_MAX) {
        ax_json_put_i64(out, -1 - (int64_t)n);
    } else if (n == UINT64_MAX) {
        ax_json_put_raw(out, AX_STR("-18446744073709551616"));
    } else {
        ax_json_put_raw(out, AX_STR("-"));
        struct ax_json_writer digits = ax_json_writer_of(out->out);
        ax_json_put_u64(&digits, n + 1);
    }
}

static void
show_bytes(ax_str bytes, struct ax_json_writer *out)
{
    ax_json_put_raw(out, AX_STR("\""));
    ax_base64_encode(bytes, out->out);
    ax_writer_char(out->out, '"');
}

static void
show_f64(double value, struct ax_json_writer *out)
{
    if (isfinite(value))
        ax_json_put_f64(out, value);
    else
        ax_json_put_text(out, isnan(value) ? AX_STR("NaN")
                              : value > 0  ? AX_STR("Infinity")
                                           : AX_STR("-Infinity"));
}

static void show(struct ax_reader *reader, struct ax_json_writer *out, int depth);

static void
show_map(struct ax_reader *reader, uint64_t count, struct ax_json_writer *out, int depth)
{
    ax_json_begin_object(out);
    for (uint64_t i = 0; i < count && reader->status == AX_OK; i++) {
        struct ax_cbor_item key = ax_cbor_next(reader);
        if (key.kind != AX_CBOR_UNSIGNED && key.kind != AX_CBOR_NEGATIVE)
            ax_reader_refuse(reader);
        struct ax_json_writer name = {.out = out->out, .comma = out->comma};
        ax_json_put_raw(&name, AX_STR("\""));
        name.comma = false;
        if (key.kind == AX_CBOR_NEGATIVE)
            show_negative(key.u64, &name);
        else
            ax_json_put_u64(&name, key.u64);
        ax_writer_text(out->out, "\":");
        out->comma = false;
        show(reader, out, depth);
    }
    ax_json_end_object(out);
}

static void
show_array(struct ax_reader *reader, uint64_t count, struct ax_json_writer *out, int depth)
{
    ax_json_begin_array(out);
    for (uint64_t i = 0; i < count && reader->status == AX_OK; i++)
        show(reader, out, depth);
    ax_json_end_array(out);
}

static void
show(struct ax_reader *reader, struct ax_json_writer *out, int depth)
{
    struct ax_cbor_item item = ax_cbor_next(reader);
    if ((item.kind == AX_CBOR_ARRAY || item.kind == AX_CBOR_MAP) && depth == 0) {
        ax_reader_refuse(reader);
        item.kind = AX_CBOR_NULL;
    }
    switch (item.kind) {
    case AX_CBOR_UNSIGNED:
        ax_json_put_u64(out, item.u64);
        break;
    case AX_CBOR_NEGATIVE:
        show_negative(item.u64, out);
        break;
    case AX_CBOR_BYTES:
        show_bytes(item.bytes, out);
        break;
    case AX_CBOR_TEXT:
        ax_json_put_text(out, item.bytes);
        break;
    case AX_CBOR_ARRAY:
        show_array(reader, item.u64, out, depth - 1);
        break;
    case AX_CBOR_MAP:
        show_map(reader, item.u64, out, depth - 1);
        break;
    case AX_CBOR_F64:
        show_f64(item.f64, out);
        break;
    case AX_CBOR_BOOL:
        ax_json_put_bool(out, item.truth);
        break;
    case AX_CBOR_NULL:
        ax_json_put_null(out);
        break;
    }
}

void
ax_cbor_show(struct ax_reader *reader, struct ax_writer *out)
{
    struct ax_json_writer json = ax_json_writer_of(out);
    show(reader, &json, DEPTH_MAX);
}
