#include "codec/ubjson.h"

#include "base/array.h"
#include "base/map.h"
#include "base/reader.h"
#include "codec/text.h"

enum { DEPTH_MAX_DEFAULT = 32, KEYS_COMPARED_MAX = 32 };

struct ax_ubjson {
    enum ax_ubjson_kind kind;
    uint8_t type; /* marker of a typed array's items; 0 for the other forms */
    size_t count; /* items or members */
    union {
        ax_str bytes; /* of a text; raw items of a typed array */
        struct {
            struct ax_ubjson *items; /* of an object or an array of the other forms */
            ax_str *keys;            /* of an object */
        };
        struct ax_ubjson_number number; /* a bool is 0 or 1 */
    };
};

struct item_array {
    AX_ARRAY(struct ax_ubjson)
};

struct key_array {
    AX_ARRAY(ax_str)
};

struct parser {
    struct ax_ctx *ctx;
    struct ax_reader reader;
    int depth_left;
};

static ax_status
refuse(const struct parser *parser, size_t at, const char *what)
{
    return ax_fail(parser->ctx, AX_INVALID, "UBJSON byte %zu: %s", at, what);
}

static ax_status
out_of_memory(const struct parser *parser)
{
    return ax_fail(parser->ctx, AX_LIMIT, "UBJSON byte %zu: no memory left for the tree",
                   parser->reader.at);
}

/* Bytes of one number behind its marker; 0 when the marker is no number's. */
static size_t
number_width(int marker)
{
    switch (marker) {
    case 'i':
    case 'U':
    case 'C':
        return 1;
    case 'I':
        return 2;
    case 'l':
    case 'd':
        return 4;
    case 'L':
    case 'D':
        return 8;
    default:
        return 0;
    }
}

static struct ax_ubjson_number
whole_number(int64_t value)
{
    return (struct ax_ubjson_number){.whole = true, .i64 = value, .f64 = (double)value};
}

static struct ax_ubjson_number
read_number(struct ax_reader *reader, int marker)
{
    float narrow;
    double wide;
    uint32_t bits32;
    uint64_t bits64;
    switch (marker) {
    case 'i':
    case 'C':
        return whole_number((int8_t)ax_reader_u8(reader));
    case 'U':
        return whole_number(ax_reader_u8(reader));
    case 'I':
        return whole_number((int16_t)ax_reader_u16_be(reader));
    case 'l':
        return whole_number((int32_t)ax_reader_u32_be(reader));
    case 'L':
        return whole_number((int64_t)ax_reader_u64_be(reader));
    case 'd':
        bits32 = ax_reader_u32_be(reader);
        memcpy(&narrow, &bits32, sizeof narrow);
        return (struct ax_ubjson_number){.f64 = (double)narrow};
    default:
        bits64 = ax_reader_u64_be(reader);
        memcpy(&wide, &bits64, sizeof wide);
        return (struct ax_ubjson_number){.f64 = wide};
    }
}

/* The marker L and an int64 that is not negative and fits in what is left. */
static ax_status
read_length(struct parser *parser, const char *of_what, size_t *out)
{
    struct ax_reader *reader = &parser->reader;
    size_t at = reader->at;
    if (ax_reader_u8(reader) != 'L')
        return reader->status == AX_OK ? refuse(parser, at, "a length must be an int64 (marker L)")
                                       : refuse(parser, at, "the file ends before a length");
    uint64_t len = ax_reader_u64_be(reader);
    if (reader->status != AX_OK)
        return refuse(parser, at, "the file ends inside a length");
    if (len > ax_reader_left(reader))
        return ax_fail(parser->ctx, AX_INVALID, "UBJSON byte %zu: %s of %lld in the last %zu bytes",
                       at, of_what, (long long)(int64_t)len, ax_reader_left(reader));
    *out = (size_t)len;
    return AX_OK;
}

static ax_status
read_text(struct parser *parser, const char *of_what, ax_str *out)
{
    size_t at = parser->reader.at, len = 0;
    AX_TRY(read_length(parser, of_what, &len));
    ax_str text = ax_reader_bytes(&parser->reader, len);
    if (!ax_utf8_ok(text))
        return refuse(parser, at, "text that is not UTF-8");
    *out = text;
    return AX_OK;
}

static ax_status
read_typed_array(struct parser *parser, struct ax_ubjson *out)
{
    struct ax_reader *reader = &parser->reader;
    size_t at = reader->at, count = 0;
    uint8_t type = ax_reader_u8(reader);
    size_t width = type == 'C' ? 0 : number_width(type);
    if (width == 0)
        return refuse(parser, at, "a typed array must hold numbers (d D i U I l L)");
    if (ax_reader_u8(reader) != '#')
        return refuse(parser, reader->at, "a typed array must state its count");
    AX_TRY(read_length(parser, "an array", &count));
    if (count > ax_reader_left(reader) / width)
        return ax_fail(parser->ctx, AX_INVALID,
                       "UBJSON byte %zu: an array of %zu items in the last %zu bytes", at, count,
                       ax_reader_left(reader));
    *out = (struct ax_ubjson){.kind = AX_UBJSON_ARRAY, .type = type, .count = count};
    out->bytes = ax_reader_bytes(reader, count * width);
    return AX_OK;
}

static ax_status read_value(struct parser *parser, struct ax_ubjson *out);

static ax_status
read_array(struct parser *parser, struct ax_ubjson *out)
{
    struct ax_reader *reader = &parser->reader;
    bool counted = false;
    size_t count = 0;
    if (ax_reader_peek(reader) == '$') {
        (void)ax_reader_u8(reader);
        return read_typed_array(parser, out);
    }
    if (ax_reader_peek(reader) == '#') {
        (void)ax_reader_u8(reader);
        counted = true;
        AX_TRY(read_length(parser, "an array", &count));
    }
    struct item_array items = {};
    while (counted ? items.count < count : ax_reader_peek(reader) != ']') {
        struct ax_ubjson *slot = AX_ARRAY_PUSH(parser->ctx->arena, &items);
        if (!slot)
            return out_of_memory(parser);
        AX_TRY(read_value(parser, slot));
    }
    if (!counted)
        (void)ax_reader_u8(reader);
    *out = (struct ax_ubjson){.kind = AX_UBJSON_ARRAY, .count = items.count, .items = items.items};
    return AX_OK;
}

/* A bit of 64 by what tells keys apart at a glance: equal keys have the same. */
static uint64_t
key_bit(ax_str key)
{
    if (key.len == 0)
        return 1;
    unsigned first = (unsigned char)key.at[0], last = (unsigned char)key.at[key.len - 1];
    unsigned middle = (unsigned char)key.at[key.len / 2];
    return UINT64_C(1) << ((first * 7 + last * 11 + middle * 3 + key.len * 5) & 63);
}

/*
 * Few keys are compared with each other, where the glance does not tell already; many through a
 * map: no file makes this quadratic.
 */
static ax_status
check_keys(const struct parser *parser, size_t at, const struct key_array *keys)
{
    struct ax_map *map = NULL;
    uint64_t seen = 0;
    if (keys->count > KEYS_COMPARED_MAX && !(map = ax_map_new(parser->ctx->arena)))
        return out_of_memory(parser);
    for (size_t i = 0; i < keys->count; i++) {
        uint64_t bit = key_bit(keys->items[i]);
        bool twice = map && ax_map_find(map, keys->items[i]);
        for (size_t j = 0; seen & bit && j < i && !map; j++)
            twice |= ax_str_eq(keys->items[i], keys->items[j]);
        seen |= bit;
        if (twice)
            return ax_fail(
                parser->ctx, AX_INVALID, "UBJSON byte %zu: an object has the key `%.*s` twice", at,
                (int)(keys->items[i].len < 64 ? keys->items[i].len : 64), keys->items[i].at);
        if (map && !ax_map_put(map, keys->items[i], &keys->items[i]))
            return out_of_memory(parser);
    }
    return AX_OK;
}

static ax_status
read_object(struct parser *parser, struct ax_ubjson *out)
{
    struct ax_reader *reader = &parser->reader;
    struct ax_arena *arena = parser->ctx->arena;
    size_t at = reader->at;
    struct item_array items = {};
    struct key_array keys = {};
    while (ax_reader_peek(reader) != '}') {
        ax_str *key = AX_ARRAY_PUSH(arena, &keys);
        struct ax_ubjson *slot = AX_ARRAY_PUSH(arena, &items);
        if (!key || !slot)
            return out_of_memory(parser);
        AX_TRY(read_text(parser, "a key", key));
        AX_TRY(read_value(parser, slot));
    }
    (void)ax_reader_u8(reader);
    AX_TRY(check_keys(parser, at, &keys));
    *out = (struct ax_ubjson){
        .kind = AX_UBJSON_OBJECT, .count = items.count, .items = items.items, .keys = keys.items};
    return AX_OK;
}

static ax_status
read_nested(struct parser *parser, int marker, struct ax_ubjson *out)
{
    if (parser->depth_left == 0)
        return refuse(parser, parser->reader.at - 1, "nested too deep");
    parser->depth_left--;
    ax_status status = marker == '{' ? read_object(parser, out) : read_array(parser, out);
    parser->depth_left++;
    return status;
}

static ax_status
read_value(struct parser *parser, struct ax_ubjson *out)
{
    struct ax_reader *reader = &parser->reader;
    size_t at = reader->at;
    int marker = ax_reader_u8(reader);
    if (reader->status != AX_OK)
        return refuse(parser, at, "the file ends before a value");
    *out = (struct ax_ubjson){};
    switch (marker) {
    case '{':
    case '[':
        return read_nested(parser, marker, out);
    case 'Z':
        return AX_OK;
    case 'T':
    case 'F':
        out->kind = AX_UBJSON_BOOL;
        out->number = whole_number(marker == 'T');
        return AX_OK;
    case 'S':
        out->kind = AX_UBJSON_TEXT;
        return read_text(parser, "a text", &out->bytes);
    default:
        if (number_width(marker) == 0)
            return ax_fail(parser->ctx, AX_INVALID, "UBJSON byte %zu: unknown marker 0x%02x", at,
                           (unsigned)marker);
        out->kind = AX_UBJSON_NUMBER;
        out->number = read_number(reader, marker);
        return reader->status == AX_OK ? AX_OK
                                       : refuse(parser, at, "the file ends inside a number");
    }
}

ax_status
ax_ubjson_parse(struct ax_ctx *ctx, ax_str bytes, int depth_max, const struct ax_ubjson **out_root)
{
    struct parser parser = {.ctx = ctx,
                            .reader = ax_reader_of(bytes),
                            .depth_left = depth_max ? depth_max : DEPTH_MAX_DEFAULT};
    struct ax_ubjson *root = AX_NEW(ctx->arena, struct ax_ubjson);
    if (!root)
        return out_of_memory(&parser);
    AX_TRY(read_value(&parser, root));
    if (ax_reader_left(&parser.reader) != 0)
        return refuse(&parser, parser.reader.at, "bytes after the value");
    *out_root = root;
    return AX_OK;
}

enum ax_ubjson_kind
ax_ubjson_kind(const struct ax_ubjson *value)
{
    return value->kind;
}

const char *
ax_ubjson_kind_name(enum ax_ubjson_kind kind)
{
    static const char *const names[] = {"null",   "true or false", "a number",
                                        "a text", "an array",      "an object"};
    return names[kind];
}

bool
ax_ubjson_bool(const struct ax_ubjson *value, bool *out)
{
    if (!value || value->kind != AX_UBJSON_BOOL)
        return false;
    *out = value->number.i64 != 0;
    return true;
}

bool
ax_ubjson_text(const struct ax_ubjson *value, ax_str *out)
{
    if (!value || value->kind != AX_UBJSON_TEXT)
        return false;
    *out = value->bytes;
    return true;
}

bool
ax_ubjson_number(const struct ax_ubjson *value, struct ax_ubjson_number *out)
{
    if (!value || value->kind != AX_UBJSON_NUMBER)
        return false;
    *out = value->number;
    return true;
}

size_t
ax_ubjson_count(const struct ax_ubjson *value)
{
    return value ? value->count : 0;
}

static bool
is_object(const struct ax_ubjson *value)
{
    return value && value->kind == AX_UBJSON_OBJECT;
}

static bool
has_items(const struct ax_ubjson *value)
{
    return is_object(value) || (value && value->kind == AX_UBJSON_ARRAY && !value->type);
}

const struct ax_ubjson *
ax_ubjson_item(const struct ax_ubjson *value, size_t index)
{
    return has_items(value) && index < value->count ? &value->items[index] : NULL;
}

ax_str
ax_ubjson_key(const struct ax_ubjson *object, size_t index)
{
    return is_object(object) && index < object->count ? object->keys[index] : AX_STR("");
}

const struct ax_ubjson *
ax_ubjson_find(const struct ax_ubjson *object, const char *key)
{
    ax_str wanted = ax_str_of(key);
    for (size_t i = 0; is_object(object) && i < object->count; i++)
        if (ax_str_eq(object->keys[i], wanted))
            return &object->items[i];
    return NULL;
}

/* Shifts that compilers know for one load and one swap. */
static uint32_t
u32_be(const char *at)
{
    const unsigned char *byte = (const unsigned char *)at;
    return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
}

static void
take_i32s(ax_str bytes, size_t count, int64_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (int32_t)u32_be(bytes.at + i * sizeof(uint32_t));
}

static void
take_i64s(ax_str bytes, size_t count, int64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        const char *at = bytes.at + i * sizeof(uint64_t);
        out[i] = (int64_t)((uint64_t)u32_be(at) << 32 | u32_be(at + sizeof(uint32_t)));
    }
}

bool
ax_ubjson_i64s(const struct ax_ubjson *array, int64_t *out)
{
    if (!array || array->kind != AX_UBJSON_ARRAY)
        return false;
    switch (array->type) {
    case 'U':
        for (size_t i = 0; i < array->count; i++)
            out[i] = (unsigned char)array->bytes.at[i];
        return true;
    case 'i':
        for (size_t i = 0; i < array->count; i++) {
            int64_t byte = (unsigned char)array->bytes.at[i];
            out[i] = byte < 128 ? byte : byte - 256;
        }
        return true;
    case 'l':
        take_i32s(array->bytes, array->count, out);
        return true;
    case 'L':
        take_i64s(array->bytes, array->count, out);
        return true;
    default:
        return false;
    }
}

bool
ax_ubjson_f32s(const struct ax_ubjson *array, float *out)
{
    if (!array || array->kind != AX_UBJSON_ARRAY || array->type != 'd')
        return false;
    for (size_t i = 0; i < array->count; i++) {
        uint32_t bits = u32_be(array->bytes.at + i * sizeof bits);
        memcpy(&out[i], &bits, sizeof bits);
    }
    return true;
}

bool
ax_ubjson_number_at(const struct ax_ubjson *array, size_t index, struct ax_ubjson_number *out)
{
    if (!array || array->kind != AX_UBJSON_ARRAY || index >= array->count)
        return false;
    if (!array->type)
        return ax_ubjson_number(&array->items[index], out);
    size_t width = number_width(array->type);
    struct ax_reader reader = ax_reader_of((ax_str){array->bytes.at + index * width, width});
    *out = read_number(&reader, array->type);
    return true;
}
