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

/* Items and keys of all that is open wait on stacks, until their number is known. */
struct parser {
    struct ax_ctx *ctx;
    struct ax_reader reader;
    struct item_array items;
    struct key_array keys;
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

/* One more item; the stack may move while it is read. */
static ax_status
push_item(struct parser *parser)
{
    struct ax_ubjson item;
    AX_TRY(read_value(parser, &item));
    struct ax_ubjson *slot = AX_ARRAY_PUSH(parser->ctx->arena, &parser->items);
    if (!slot)
        return out_of_memory(parser);
    *slot = item;
    return AX_OK;
}

/* The items from the first on leave the stack, for the tree. */
static ax_status
pop_items(struct parser *parser, size_t first, struct ax_ubjson *out)
{
    size_t count = parser->items.count - first;
    struct ax_ubjson *items = AX_NEW_ARRAY(parser->ctx->arena, struct ax_ubjson, count);
    if (!items)
        return out_of_memory(parser);
    if (count > 0)
        memcpy(items, &parser->items.items[first], count * sizeof *items);
    parser->items.count = first;
    out->count = count;
    out->items = items;
    return AX_OK;
}

static ax_status
read_array(struct parser *parser, struct ax_ubjson *out)
{
    struct ax_reader *reader = &parser->reader;
    bool counted = false;
    size_t count = 0, first = parser->items.count;
    if (ax_reader_peek(reader) == '$') {
        (void)ax_reader_u8(reader);
        return read_typed_array(parser, out);
    }
    if (ax_reader_peek(reader) == '#') {
        (void)ax_reader_u8(reader);
        counted = true;
        AX_TRY(read_length(parser, "an array", &count));
    }
    while (counted ? parser->items.count - first < count : ax_reader_peek(reader) != ']')
        AX_TRY(push_item(parser));
    if (!counted)
        (void)ax_reader_u8(reader);
    *out = (struct ax_ubjson){.kind = AX_UBJSON_ARRAY};
    return pop_items(parser, first, out);
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
check_keys(const struct parser *parser, size_t at, const struct ax_ubjson *object)
{
    struct ax_map *map = NULL;
    uint64_t seen = 0;
    if (object->count > KEYS_COMPARED_MAX && !(map = ax_map_new(parser->ctx->arena)))
        return out_of_memory(parser);
    for (size_t i = 0; i < object->count; i++) {
        ax_str key = object->keys[i];
        uint64_t bit = key_bit(key);
        bool twice = map && ax_map_find(map, key);
        for (size_t j = 0; seen & bit && j < i && !map; j++)
            twice |= ax_str_eq(key, object->keys[j]);
        seen |= bit;
        if (twice)
            return ax_fail(parser->ctx, AX_INVALID,
                           "UBJSON byte %zu: an object has the key `%.*s` twice", at,
                           (int)(key.len < 64 ? key.len : 64), key.at);
        if (map && !ax_map_put(map, key, &object->keys[i]))
            return out_of_memory(parser);
    }
    return AX_OK;
}

/* The keys from the first on leave the stack; there are as many as items. */
static ax_status
pop_keys(struct parser *parser, size_t first, struct ax_ubjson *out)
{
    ax_str *keys = AX_NEW_ARRAY(parser->ctx->arena, ax_str, out->count);
    if (!keys)
        return out_of_memory(parser);
    if (out->count > 0)
        memcpy(keys, &parser->keys.items[first], out->count * sizeof *keys);
    parser->keys.count = first;
    out->keys = keys;
    return AX_OK;
}

static ax_status
read_object(struct parser *parser, struct ax_ubjson *out)
{
    struct ax_reader *reader = &parser->reader;
    size_t at = reader->at, first_item = parser->items.count, first_key = parser->keys.count;
    while (ax_reader_peek(reader) != '}') {
        ax_str *key = AX_ARRAY_PUSH(parser->ctx->arena, &parser->keys);
        if (!key)
            return out_of_memory(parser);
        AX_TRY(read_text(parser, "a key", key));
        AX_TRY(push_item(parser));
    }
    (void)ax_reader_u8(reader);
    *out = (struct ax_ubjson){.kind = AX_UBJSON_OBJECT};
    AX_TRY(pop_items(parser, first_item, out));
    AX_TRY(pop_keys(parser, first_key, out));
    return check_keys(parser, at, out);
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
    size_t count = is_object(object) ? object->count : 0;
    for (size_t i = 0; i < count; i++) {
        const ax_str *found = &object->keys[i];
        /* most keys of one length begin otherwise */
        if (found->len == wanted.len && (wanted.len == 0 || *found->at == *key) &&
            ax_str_eq(*found, wanted))
            return &object->items[i];
    }
    return NULL;
}

/* Shifts that compilers know for one load and one swap. */
static uint32_t
u32_be(const char *at)
{
    const unsigned char *byte = (const unsigned char *)at;
    return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
}

bool
ax_ubjson_i32s(const struct ax_ubjson *array, int32_t *out)
{
    if (!array || array->kind != AX_UBJSON_ARRAY)
        return false;
    const char *bytes = array->bytes.at;
    switch (array->type) {
    case 'U':
        for (size_t i = 0; i < array->count; i++)
            out[i] = (unsigned char)bytes[i];
        return true;
    case 'i':
        for (size_t i = 0; i < array->count; i++) {
            int32_t byte = (unsigned char)bytes[i];
            out[i] = byte < 128 ? byte : byte - 256;
        }
        return true;
    case 'l':
        for (size_t i = 0; i < array->count; i++)
            out[i] = (int32_t)u32_be(bytes + i * sizeof(uint32_t));
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
