#include "engine/onnx_file.h"

#include <stdio.h>

#include "base/number.h"
#include "base/reader.h"

enum {
    DEPTH_MAX = 24,         /* messages inside messages */
    NAME_BYTES_MAX = 4'096, /* of a name; texts that are data may be longer */
    FIELDS_MAX = 1 << 29,
    ODD_BYTES_MAX = 256,
};

/* Protobuf's wire types. */
enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct field {
    uint64_t number;
    unsigned wire;
    uint64_t value; /* of varints and fixed ones */
    ax_str bytes;
    const char *at; /* where it begins, for the error */
};

/* One reading of a file. */
struct reading {
    struct ax_ctx *ctx;
    const char *start; /* of the file */
    int depth;
    char odd[ODD_BYTES_MAX]; /* the first thing that is allowed and not read; "" */
};

static size_t
offset_of(const struct reading *reading, const char *at)
{
    return (size_t)(at - reading->start);
}

#define FAIL_AT(reading, at, ...)                                                                  \
    ax_explain((reading)->ctx, ax_fail((reading)->ctx, AX_INVALID, __VA_ARGS__), "byte %zu",       \
               offset_of((reading), (at)))

/* Notes what Axiom does not read, and goes on: faults further on count more. */
AX_PRINTF(2, 3)
static ax_status
note_odd(struct reading *reading, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!reading->odd[0])
        (void)vsnprintf(reading->odd, sizeof reading->odd, format, args);
    va_end(args);
    return AX_OK;
}

static ax_status
out_of_memory(const struct reading *reading, const char *what)
{
    return ax_fail(reading->ctx, AX_LIMIT, "no memory for %s", what);
}

/* ---- the wire ---- */

/* At most ten bytes, of which the last may only hold the 64th bit. */
static uint64_t
read_varint(struct ax_reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte = ax_reader_u8(reader);
        if (reader->status != AX_OK || (shift == 63 && byte > 1)) {
            ax_reader_refuse(reader);
            return 0;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    return value;
}

/* false at the end, and at a fault, which stays in reader->status. */
static bool
next_field(struct ax_reader *reader, struct field *out)
{
    if (reader->status != AX_OK || ax_reader_left(reader) == 0)
        return false;
    const char *at = reader->bytes.at + reader->at;
    uint64_t key = read_varint(reader);
    struct field field = {.number = key >> 3, .wire = (unsigned)(key & 7), .at = at};
    if (field.number == 0 || field.number >= FIELDS_MAX)
        ax_reader_refuse(reader);
    switch (field.wire) {
    case WIRE_VARINT:
        field.value = read_varint(reader);
        break;
    case WIRE_FIXED64:
        field.value = ax_reader_u64_le(reader);
        break;
    case WIRE_BYTES: {
        uint64_t len = read_varint(reader);
        if (len > ax_reader_left(reader))
            ax_reader_refuse(reader);
        field.bytes = ax_reader_bytes(reader, reader->status == AX_OK ? (size_t)len : 0);
        break;
    }
    case WIRE_FIXED32:
        field.value = ax_reader_u32_le(reader);
        break;
    default:
        ax_reader_refuse(reader);
    }
    *out = field;
    return reader->status == AX_OK;
}

/* What ended the walk over a message: its end, or a fault. */
static ax_status
ended(const struct reading *reading, const struct ax_reader *reader)
{
    if (reader->status == AX_OK)
        return AX_OK;
    return FAIL_AT(
        reading, reader->bytes.at + reader->at,
        "a field's key, length or number breaks protobuf's rules, or the file ends here");
}

static ax_status
need_wire(const struct reading *reading, const struct field *field, unsigned wire)
{
    if (field->wire == wire)
        return AX_OK;
    return FAIL_AT(reading, field->at, "field %llu has wire type %u, not %u",
                   (unsigned long long)field->number, field->wire, wire);
}

static ax_status
take_text(const struct reading *reading, const struct field *field, ax_str *out)
{
    AX_TRY(need_wire(reading, field, WIRE_BYTES));
    *out = field->bytes.len ? field->bytes : AX_STR("");
    return AX_OK;
}

static ax_status
take_name(const struct reading *reading, const struct field *field, ax_str *out)
{
    AX_TRY(take_text(reading, field, out));
    if (out->len <= NAME_BYTES_MAX && !memchr(out->at, '\0', out->len))
        return AX_OK;
    return FAIL_AT(reading, field->at, "a name of %zu bytes, or with a NUL in it", out->len);
}

static ax_status
take_int(const struct reading *reading, const struct field *field, int64_t *out)
{
    AX_TRY(need_wire(reading, field, WIRE_VARINT));
    *out = (int64_t)field->value;
    return AX_OK;
}

static ax_status
push_text(const struct reading *reading, const struct field *field, struct ax_onnx_texts *texts)
{
    ax_str *slot = AX_ARRAY_PUSH(reading->ctx->arena, texts);
    return slot ? take_text(reading, field, slot) : out_of_memory(reading, "texts");
}

static ax_status
push_name(const struct reading *reading, const struct field *field, struct ax_onnx_texts *names)
{
    ax_str *slot = AX_ARRAY_PUSH(reading->ctx->arena, names);
    return slot ? take_name(reading, field, slot) : out_of_memory(reading, "names");
}

/* Repeated integers come one by one or packed, as the writer likes. */
static ax_status
push_ints(const struct reading *reading, const struct field *field, struct ax_onnx_ints *ints)
{
    struct ax_reader packed = ax_reader_of(field->bytes);
    if (field->wire != WIRE_BYTES)
        AX_TRY(need_wire(reading, field, WIRE_VARINT));
    do {
        uint64_t value = field->value;
        if (field->wire == WIRE_BYTES && ax_reader_left(&packed) == 0)
            break;
        if (field->wire == WIRE_BYTES)
            value = read_varint(&packed);
        int64_t *slot = AX_ARRAY_PUSH(reading->ctx->arena, ints);
        if (!slot)
            return out_of_memory(reading, "integers");
        *slot = (int64_t)value;
    } while (field->wire == WIRE_BYTES && packed.status == AX_OK);
    return ended(reading, &packed);
}

static ax_status
push_floats(const struct reading *reading, const struct field *field, struct ax_onnx_floats *floats)
{
    struct ax_reader packed = ax_reader_of(field->bytes);
    if (field->wire != WIRE_BYTES)
        AX_TRY(need_wire(reading, field, WIRE_FIXED32));
    else if (field->bytes.len % sizeof(float))
        return FAIL_AT(reading, field->at, "%zu bytes are no whole floats", field->bytes.len);
    size_t count = field->wire == WIRE_BYTES ? field->bytes.len / sizeof(float) : 1;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits =
            field->wire == WIRE_BYTES ? ax_reader_u32_le(&packed) : (uint32_t)field->value;
        float *slot = AX_ARRAY_PUSH(reading->ctx->arena, floats);
        if (!slot)
            return out_of_memory(reading, "floats");
        memcpy(slot, &bits, sizeof bits);
    }
    return AX_OK;
}

/* Goes down into a message; every level that is not left again costs one. */
static ax_status
go_down(struct reading *reading, const struct field *field)
{
    AX_TRY(need_wire(reading, field, WIRE_BYTES));
    if (++reading->depth > DEPTH_MAX)
        return FAIL_AT(reading, field->at, "messages lie more than %d deep in each other",
                       (int)DEPTH_MAX);
    return AX_OK;
}

/* ---- tensors ---- */

bool
ax_onnx_file_type(int64_t element, enum ax_tensor_type *out_type)
{
    enum { NO = -1 };
    /* clang-format off */
    static const int types[] = {
        NO, AX_TENSOR_FP32, AX_TENSOR_UINT8, AX_TENSOR_INT8, AX_TENSOR_UINT16, AX_TENSOR_INT16,
        AX_TENSOR_INT32, AX_TENSOR_INT64, AX_TENSOR_BYTES, AX_TENSOR_BOOL, AX_TENSOR_FP16,
        AX_TENSOR_FP64, AX_TENSOR_UINT32, AX_TENSOR_UINT64, NO, NO, AX_TENSOR_BF16,
    };
    /* clang-format on */
    if (element < 0 || (uint64_t)element >= AX_COUNT_OF(types) || types[element] == NO)
        return false;
    *out_type = (enum ax_tensor_type)types[element];
    return true;
}

/* A TensorProto as it stands in the file: elements in one of five places. */
struct loose_tensor {
    const char *at;
    ax_str name;
    int64_t element, location;
    struct ax_onnx_ints dims;
    bool raw_given, segment;
    ax_str raw;
    struct ax_onnx_floats floats;
    struct ax_onnx_ints ints; /* int32_data, int64_data and uint64_data */
    struct ax_onnx_texts texts;
    struct {
        AX_ARRAY(double)
    } doubles;
};

static ax_status
push_doubles(const struct reading *reading, const struct field *field, struct loose_tensor *loose)
{
    struct ax_reader packed = ax_reader_of(field->bytes);
    if (field->wire != WIRE_BYTES)
        AX_TRY(need_wire(reading, field, WIRE_FIXED64));
    else if (field->bytes.len % sizeof(double))
        return FAIL_AT(reading, field->at, "%zu bytes are no whole doubles", field->bytes.len);
    size_t count = field->wire == WIRE_BYTES ? field->bytes.len / sizeof(double) : 1;
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = field->wire == WIRE_BYTES ? ax_reader_u64_le(&packed) : field->value;
        double *slot = AX_ARRAY_PUSH(reading->ctx->arena, &loose->doubles);
        if (!slot)
            return out_of_memory(reading, "doubles");
        memcpy(slot, &bits, sizeof bits);
    }
    return AX_OK;
}

static ax_status
read_loose(const struct reading *reading, const struct field *from, struct loose_tensor *out)
{
    struct ax_reader reader = ax_reader_of(from->bytes);
    struct field field;
    while (next_field(&reader, &field)) {
        ax_status status = AX_OK;
        switch (field.number) {
        case 1:
            status = push_ints(reading, &field, &out->dims);
            break;
        case 2:
            status = take_int(reading, &field, &out->element);
            break;
        case 3:
            out->segment = true;
            break;
        case 4:
            status = push_floats(reading, &field, &out->floats);
            break;
        case 5:
        case 7:
        case 11:
            status = push_ints(reading, &field, &out->ints);
            break;
        case 6:
            status = push_text(reading, &field, &out->texts);
            break;
        case 8:
            status = take_name(reading, &field, &out->name);
            break;
        case 9:
            out->raw_given = true;
            status = take_text(reading, &field, &out->raw);
            break;
        case 10:
            status = push_doubles(reading, &field, out);
            break;
        case 14:
            status = take_int(reading, &field, &out->location);
            break;
        default:
            break;
        }
        AX_TRY(status);
    }
    return ended(reading, &reader);
}

static ax_status
set_shape(struct reading *reading, const struct loose_tensor *loose, struct ax_tensor *out)
{
    if (!ax_onnx_file_type(loose->element, &out->type))
        return note_odd(reading, "tensor `%.*s` has elements of ONNX's type %lld",
                        AX_FMT(loose->name), (long long)loose->element);
    if (loose->dims.count > AX_TENSOR_DIMS_MAX)
        return note_odd(reading, "tensor `%.*s` has %zu dimensions, at most %d",
                        AX_FMT(loose->name), loose->dims.count, (int)AX_TENSOR_DIMS_MAX);
    out->dim_count = loose->dims.count;
    for (size_t i = 0; i < loose->dims.count; i++)
        out->shape[i] = loose->dims.items[i];
    if (ax_tensor_count(out->type, out->shape, out->dim_count, &out->count))
        return AX_OK;
    return FAIL_AT(reading, loose->at, "tensor `%.*s`: a dimension is negative, or all too large",
                   AX_FMT(loose->name));
}

/* Where the elements of a type stand, whatever stands in the other places. */
struct stored {
    const void *at; /* as they are; NULL: integers, to be made as narrow as the type is */
    size_t count;
};

static struct stored
stored_of(const struct loose_tensor *loose, enum ax_tensor_type type, size_t element_bytes)
{
    if (loose->raw_given)
        return (struct stored){loose->raw.at, loose->raw.len % element_bytes
                                                  ? SIZE_MAX
                                                  : loose->raw.len / element_bytes};
    switch ((int)type) {
    case AX_TENSOR_FP32:
        return (struct stored){loose->floats.items, loose->floats.count};
    case AX_TENSOR_FP64:
        return (struct stored){loose->doubles.items, loose->doubles.count};
    case AX_TENSOR_BYTES:
        return (struct stored){loose->texts.items, loose->texts.count};
    default:
        return (struct stored){NULL, loose->ints.count};
    }
}

static ax_status
copy_elements(const struct reading *reading, const struct loose_tensor *loose,
              struct ax_tensor *tensor)
{
    size_t element_bytes = ax_tensor_element_bytes(tensor->type), count = tensor->count;
    struct stored stored = stored_of(loose, tensor->type, element_bytes);
    if ((tensor->type == AX_TENSOR_BYTES && loose->raw_given) || stored.count != count)
        return FAIL_AT(reading, loose->at, "tensor `%.*s` of %zu elements has the data of %zu",
                       AX_FMT(loose->name), count, stored.count);
    char *data = ax_arena_alloc(reading->ctx->arena, element_bytes, count + 1);
    if (!data)
        return out_of_memory(reading, "a tensor's elements");
    tensor->data = data;
    if (count > 0 && stored.at)
        memcpy(data, stored.at, count * element_bytes);
    for (size_t i = 0; i < count && !stored.at; i++) /* little-endian */
        memcpy(data + i * element_bytes, &loose->ints.items[i], element_bytes);
    for (size_t i = 0; i < count && tensor->type == AX_TENSOR_BOOL; i++)
        data[i] = data[i] != 0;
    return AX_OK;
}

static ax_status
read_tensor(struct reading *reading, const struct field *field, struct ax_tensor *out)
{
    struct loose_tensor loose = {.at = field->at, .name = AX_STR("")};
    AX_TRY(go_down(reading, field));
    AX_TRY(read_loose(reading, field, &loose));
    reading->depth--;
    if (loose.location != 0)
        return FAIL_AT(reading, field->at,
                       "tensor `%.*s` keeps its data in another file; save the model as one file",
                       AX_FMT(loose.name));
    if (loose.segment)
        return note_odd(reading, "tensor `%.*s` is in segments", AX_FMT(loose.name));
    *out = (struct ax_tensor){.name = loose.name};
    AX_TRY(set_shape(reading, &loose, out));
    if (reading->odd[0]) /* the file is not for us: its elements are not needed */
        return AX_OK;
    return copy_elements(reading, &loose, out);
}

/* ---- types of values ---- */

static ax_status
read_dimension(struct reading *reading, const struct field *from, struct ax_onnx_file_value *value)
{
    struct ax_reader reader = ax_reader_of(from->bytes);
    struct field field;
    int64_t length = -1;
    AX_TRY(need_wire(reading, from, WIRE_BYTES));
    while (next_field(&reader, &field))
        if (field.number == 1)
            AX_TRY(take_int(reading, &field, &length));
    AX_TRY(ended(reading, &reader));
    if (length < -1)
        return FAIL_AT(reading, from->at, "a dimension of %lld", (long long)length);
    if (value->dim_count == AX_TENSOR_DIMS_MAX)
        return note_odd(reading, "value `%.*s` has more than %d dimensions", AX_FMT(value->name),
                        (int)AX_TENSOR_DIMS_MAX);
    value->shape[value->dim_count++] = length;
    return AX_OK;
}

static ax_status
read_shape(struct reading *reading, const struct field *from, struct ax_onnx_file_value *value)
{
    struct ax_reader reader = ax_reader_of(from->bytes);
    struct field field;
    AX_TRY(need_wire(reading, from, WIRE_BYTES));
    value->shaped = true;
    value->dim_count = 0;
    while (next_field(&reader, &field))
        if (field.number == 1)
            AX_TRY(read_dimension(reading, &field, value));
    return ended(reading, &reader);
}

static ax_status
read_tensor_type(struct reading *reading, const struct field *from,
                 struct ax_onnx_file_value *value)
{
    struct ax_reader reader = ax_reader_of(from->bytes);
    struct field field;
    AX_TRY(need_wire(reading, from, WIRE_BYTES));
    while (next_field(&reader, &field)) {
        if (field.number == 1)
            AX_TRY(take_int(reading, &field, &value->element));
        else if (field.number == 2)
            AX_TRY(read_shape(reading, &field, value));
    }
    return ended(reading, &reader);
}

static ax_status read_type(struct reading *reading, const struct field *from,
                           struct ax_onnx_file_value *value);

/* The insides of a sequence (field 1: its elements' type) or a map (1: key, 2: values' type). */
static ax_status
read_container(struct reading *reading, const struct field *from, bool map,
               struct ax_onnx_file_value *value)
{
    struct ax_reader reader = ax_reader_of(from->bytes);
    struct field field;
    AX_TRY(go_down(reading, from));
    while (next_field(&reader, &field)) {
        if (map && field.number == 1)
            AX_TRY(take_int(reading, &field, &value->key));
        else if (field.number == (map ? 2 : 1))
            AX_TRY(read_type(reading, &field, value));
    }
    reading->depth--;
    return ended(reading, &reader);
}

static ax_status
read_type(struct reading *reading, const struct field *from, struct ax_onnx_file_value *value)
{
    struct ax_reader reader = ax_reader_of(from->bytes);
    struct field field;
    AX_TRY(go_down(reading, from));
    while (next_field(&reader, &field)) {
        enum ax_onnx_kind outer = AX_ONNX_KIND_OTHER;
        if (field.number == 1) {
            AX_TRY(read_tensor_type(reading, &field, value));
            outer = AX_ONNX_KIND_TENSOR;
        } else if (field.number == 4 || field.number == 5) {
            AX_TRY(read_container(reading, &field, field.number == 5, value));
            if (field.number == 5 && value->kind == AX_ONNX_KIND_TENSOR)
                outer = AX_ONNX_KIND_MAP;
            else if (field.number == 4 && value->kind == AX_ONNX_KIND_MAP)
                outer = AX_ONNX_KIND_MAPS;
        } else if (field.number == 6) {
            continue; /* the denotation: words about it */
        }
        value->kind = outer;
    }
    reading->depth--;
    return ended(reading, &reader);
}

static ax_status
read_value(struct reading *reading, const struct field *from, struct ax_onnx_file_value *out)
{
    struct ax_reader reader = ax_reader_of(from->bytes);
    struct field field;
    out->name = AX_STR("");
    AX_TRY(go_down(reading, from));
    while (next_field(&reader, &field)) {
        if (field.number == 1)
            AX_TRY(take_name(reading, &field, &out->name));
        else if (field.number == 2)
            AX_TRY(read_type(reading, &field, out));
    }
    reading->depth--;
    return ended(reading, &reader);
}

/* ---- nodes and graphs ---- */

static ax_status read_graph(struct reading *reading, const struct field *from,
                            struct ax_onnx_file_graph *out);

static ax_status
read_attribute_part(struct reading *reading, const struct field *field,
                    struct ax_onnx_attribute *out)
{
    struct ax_arena *arena = reading->ctx->arena;
    switch (field->number) {
    case 1:
        return take_name(reading, field, &out->name);
    case 2: {
        uint32_t bits = (uint32_t)field->value;
        AX_TRY(need_wire(reading, field, WIRE_FIXED32));
        memcpy(&out->f, &bits, sizeof bits);
        return AX_OK;
    }
    case 3:
        return take_int(reading, field, &out->i);
    case 4:
        return take_text(reading, field, &out->s);
    case 5:
        out->tensor = AX_NEW(arena, struct ax_tensor);
        return out->tensor ? read_tensor(reading, field, out->tensor)
                           : out_of_memory(reading, "a tensor");
    case 6:
        out->graph = AX_NEW(arena, struct ax_onnx_file_graph);
        return out->graph ? read_graph(reading, field, out->graph)
                          : out_of_memory(reading, "a graph");
    case 7:
        return push_floats(reading, field, &out->floats);
    case 8:
        return push_ints(reading, field, &out->ints);
    case 9:
        return push_text(reading, field, &out->texts);
    default:
        return AX_OK;
    }
}

static bool
has_its_value(const struct ax_onnx_attribute *attribute)
{
    switch ((int)attribute->type) {
    case AX_ONNX_TENSOR:
        return attribute->tensor != NULL;
    case AX_ONNX_GRAPH:
        return attribute->graph != NULL;
    case AX_ONNX_NONE:
        return false;
    default:
        return true; /* protobuf leaves out zeros and empty lists */
    }
}

static ax_status
read_attribute(struct reading *reading, const struct field *from, struct ax_onnx_attribute *out)
{
    /* Attribute fields whose presence says the type, for files that do not say it. */
    static const enum ax_onnx_attribute_type by_field[] = {
        [2] = AX_ONNX_FLOAT, [3] = AX_ONNX_INT,    [4] = AX_ONNX_STRING, [5] = AX_ONNX_TENSOR,
        [6] = AX_ONNX_GRAPH, [7] = AX_ONNX_FLOATS, [8] = AX_ONNX_INTS,   [9] = AX_ONNX_STRINGS,
    };
    enum { FIELD_TYPE = 20 };
    struct ax_reader reader = ax_reader_of(from->bytes);
    struct field field;
    enum ax_onnx_attribute_type seen = AX_ONNX_NONE;
    int64_t said = 0;
    out->name = out->s = AX_STR("");
    AX_TRY(go_down(reading, from));
    while (next_field(&reader, &field)) {
        if (field.number == FIELD_TYPE)
            AX_TRY(take_int(reading, &field, &said));
        else
            AX_TRY(read_attribute_part(reading, &field, out));
        if (field.number < AX_COUNT_OF(by_field) && by_field[field.number])
            seen = by_field[field.number];
    }
    reading->depth--;
    AX_TRY(ended(reading, &reader));
    out->type = said > AX_ONNX_STRINGS ? AX_ONNX_OTHER
                : said > 0             ? (enum ax_onnx_attribute_type)said
                                       : seen;
    if (has_its_value(out))
        return AX_OK;
    return FAIL_AT(reading, from->at, "attribute `%.*s` has no value of its type",
                   AX_FMT(out->name));
}

static ax_status
read_node(struct reading *reading, const struct field *from, struct ax_onnx_file_node *out)
{
    struct ax_reader reader = ax_reader_of(from->bytes);
    struct field field;
    out->name = out->op = out->domain = AX_STR("");
    AX_TRY(go_down(reading, from));
    while (next_field(&reader, &field)) {
        struct ax_onnx_attribute *attribute;
        ax_status status = AX_OK;
        switch (field.number) {
        case 1:
            status = push_name(reading, &field, &out->inputs);
            break;
        case 2:
            status = push_name(reading, &field, &out->outputs);
            break;
        case 3:
            status = take_name(reading, &field, &out->name);
            break;
        case 4:
            status = take_name(reading, &field, &out->op);
            break;
        case 5:
            attribute = AX_ARRAY_PUSH(reading->ctx->arena, &out->attributes);
            status = attribute ? read_attribute(reading, &field, attribute)
                               : out_of_memory(reading, "attributes");
            break;
        case 7:
            status = take_name(reading, &field, &out->domain);
            break;
        default:
            break;
        }
        AX_TRY(status);
    }
    reading->depth--;
    return ended(reading, &reader);
}

static ax_status
read_graph_part(struct reading *reading, const struct field *field, struct ax_onnx_file_graph *out)
{
    struct ax_arena *arena = reading->ctx->arena;
    struct ax_onnx_file_node *node;
    struct ax_onnx_file_value *value;
    struct ax_tensor *tensor;
    switch (field->number) {
    case 1:
        node = AX_ARRAY_PUSH(arena, &out->nodes);
        return node ? read_node(reading, field, node) : out_of_memory(reading, "nodes");
    case 2:
        return take_name(reading, field, &out->name);
    case 5:
        tensor = AX_ARRAY_PUSH(arena, &out->initializers);
        return tensor ? read_tensor(reading, field, tensor) : out_of_memory(reading, "tensors");
    case 11:
        value = AX_ARRAY_PUSH(arena, &out->inputs);
        return value ? read_value(reading, field, value) : out_of_memory(reading, "inputs");
    case 12:
        value = AX_ARRAY_PUSH(arena, &out->outputs);
        return value ? read_value(reading, field, value) : out_of_memory(reading, "outputs");
    case 15:
        return note_odd(reading, "the graph has a sparse initializer");
    default:
        return AX_OK;
    }
}

static ax_status
read_graph(struct reading *reading, const struct field *from, struct ax_onnx_file_graph *out)
{
    struct ax_reader reader = ax_reader_of(from->bytes);
    struct field field;
    out->name = AX_STR("");
    AX_TRY(go_down(reading, from));
    while (next_field(&reader, &field))
        AX_TRY(read_graph_part(reading, &field, out));
    reading->depth--;
    return ended(reading, &reader);
}

/* ---- the model ---- */

static ax_status
read_opset(struct reading *reading, const struct field *from, struct ax_onnx_file *out)
{
    struct ax_reader reader = ax_reader_of(from->bytes);
    struct field field;
    struct ax_onnx_opset *opset = AX_ARRAY_PUSH(reading->ctx->arena, &out->opsets);
    if (!opset)
        return out_of_memory(reading, "operator sets");
    opset->domain = AX_STR("");
    AX_TRY(need_wire(reading, from, WIRE_BYTES));
    while (next_field(&reader, &field)) {
        if (field.number == 1)
            AX_TRY(take_name(reading, &field, &opset->domain));
        else if (field.number == 2)
            AX_TRY(take_int(reading, &field, &opset->version));
    }
    if (ax_str_eq(opset->domain, AX_STR("ai.onnx")))
        opset->domain = AX_STR("");
    return ended(reading, &reader);
}

static ax_status
read_model(struct reading *reading, ax_str bytes, struct ax_onnx_file *out)
{
    enum { GRAPH = 7, OPSET = 8, FUNCTION = 25 };
    struct ax_reader reader = ax_reader_of(bytes);
    struct field field;
    bool graph = false;
    out->producer = out->producer_version = AX_STR("");
    while (next_field(&reader, &field)) {
        ax_status status = AX_OK;
        switch (field.number) {
        case 1:
            status = take_int(reading, &field, &out->ir_version);
            break;
        case 2:
            status = take_name(reading, &field, &out->producer);
            break;
        case 3:
            status = take_name(reading, &field, &out->producer_version);
            break;
        case GRAPH:
            if (graph)
                return FAIL_AT(reading, field.at, "a second graph");
            graph = true;
            status = read_graph(reading, &field, &out->graph);
            break;
        case OPSET:
            status = read_opset(reading, &field, out);
            break;
        case FUNCTION:
            out->function_count++;
            break;
        default:
            break;
        }
        AX_TRY(status);
    }
    AX_TRY(ended(reading, &reader));
    return graph ? AX_OK : ax_fail(reading->ctx, AX_INVALID, "there is no graph in the file");
}

ax_status
ax_onnx_file_read(struct ax_ctx *ctx, ax_str bytes, struct ax_onnx_file *out_file)
{
    struct reading reading = {.ctx = ctx, .start = bytes.at};
    struct ax_onnx_file file = {};
    AX_TRY(read_model(&reading, bytes, &file));
    if (reading.odd[0])
        return ax_fail(ctx, AX_UNSUPPORTED, "%s", reading.odd);
    *out_file = file;
    return AX_OK;
}

bool
ax_onnx_file_is(ax_str bytes)
{
    static const char keys[] = {
        1 << 3 | WIRE_VARINT, /* ir_version */
        2 << 3 | WIRE_BYTES,  /* producer_name */
        7 << 3 | WIRE_BYTES,  /* graph */
        8 << 3 | WIRE_BYTES,  /* opset_import */
    };
    return bytes.len > 0 && memchr(keys, bytes.at[0], sizeof keys);
}
