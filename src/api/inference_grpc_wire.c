#include "api/inference_grpc_wire.h"

#include "codec/tensor_binary.h"

enum { /* ModelInferRequest */
       REQUEST_MODEL = 1,
       REQUEST_VERSION = 2,
       REQUEST_ID = 3,
       REQUEST_PARAMETERS = 4,
       REQUEST_INPUTS = 5,
       REQUEST_OUTPUTS = 6,
       REQUEST_RAW = 7,
};
enum { /* InferInputTensor, and InferRequestedOutputTensor's first */
       TENSOR_NAME = 1,
       TENSOR_TYPE = 2,
       TENSOR_SHAPE = 3,
       TENSOR_PARAMETERS = 4,
       TENSOR_CONTENTS = 5,
       OUTPUT_PARAMETERS = 2,
};
enum { MAP_KEY = 1, MAP_VALUE = 2 };
enum { /* InferParameter */ VALUE_BOOL = 1, VALUE_I64, VALUE_TEXT, VALUE_F64, VALUE_U64 };
enum { /* ModelInferResponse */ REPLY_MODEL = 1, REPLY_VERSION, REPLY_ID, REPLY_OUTPUTS = 5 };
enum { REPLY_RAW = 6 };
enum { INPUTS_MAX = 4'096, PARAMETERS_MAX = 256 };

/* ---- parameters ---- */

static ax_status
read_value(struct ax_ctx *ctx, ax_str bytes, struct ax_tensor_json_parameter *out)
{
    struct ax_protobuf value = ax_protobuf_of(bytes);
    while (ax_protobuf_next(&value)) {
        if (ax_protobuf_is(&value, VALUE_BOOL, AX_PROTOBUF_VARINT)) {
            out->kind = AX_TENSOR_JSON_BOOL;
            out->truth = value.number != 0;
        } else if (ax_protobuf_is(&value, VALUE_I64, AX_PROTOBUF_VARINT)) {
            out->kind = AX_TENSOR_JSON_I64;
            out->i64 = (int64_t)value.number;
        } else if (ax_protobuf_is(&value, VALUE_TEXT, AX_PROTOBUF_BYTES)) {
            out->kind = AX_TENSOR_JSON_TEXT;
            out->text = value.bytes;
        } else if (ax_protobuf_is(&value, VALUE_F64, AX_PROTOBUF_FIXED64)) {
            out->kind = AX_TENSOR_JSON_F64;
            out->f64 = ax_protobuf_f64(value.number);
        } else if (ax_protobuf_is(&value, VALUE_U64, AX_PROTOBUF_VARINT)) {
            out->kind = AX_TENSOR_JSON_U64;
            out->u64 = value.number;
        }
    }
    return ax_protobuf_check(&value, ctx, "InferParameter");
}

static ax_status
read_parameter(struct ax_ctx *ctx, ax_str bytes, struct ax_tensor_json_parameter *out)
{
    struct ax_protobuf entry = ax_protobuf_of(bytes);
    out->name = AX_STR("");
    while (ax_protobuf_next(&entry)) {
        if (ax_protobuf_is(&entry, MAP_KEY, AX_PROTOBUF_BYTES))
            out->name = entry.bytes;
        else if (ax_protobuf_is(&entry, MAP_VALUE, AX_PROTOBUF_BYTES))
            AX_TRY(read_value(ctx, entry.bytes, out));
    }
    return ax_protobuf_check(&entry, ctx, "parameter");
}

/* How often a field of bytes is there. */
static size_t
count_fields(ax_str bytes, uint32_t field)
{
    struct ax_protobuf message = ax_protobuf_of(bytes);
    size_t count = 0;
    while (ax_protobuf_next(&message))
        count += ax_protobuf_is(&message, field, AX_PROTOBUF_BYTES);
    return count;
}

/* The map in one field of a message. */
static ax_status
read_parameters(struct ax_ctx *ctx, ax_str bytes, uint32_t field,
                struct ax_tensor_json_parameters *out)
{
    size_t count = count_fields(bytes, field);
    if (count == 0)
        return AX_OK;
    if (count > PARAMETERS_MAX)
        return ax_fail(ctx, AX_INVALID, "%zu parameters; at most %d", count, (int)PARAMETERS_MAX);
    struct ax_tensor_json_parameter *items =
        AX_NEW_ARRAY(ctx->arena, struct ax_tensor_json_parameter, count);
    if (!items)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu parameters", count);
    struct ax_protobuf message = ax_protobuf_of(bytes);
    while (ax_protobuf_next(&message))
        if (ax_protobuf_is(&message, field, AX_PROTOBUF_BYTES))
            AX_TRY(read_parameter(ctx, message.bytes, &items[out->count++]));
    out->items = items;
    return AX_OK;
}

/* ---- typed contents ---- */

/* Which field of InferTensorContents holds a type's elements, and how they are written. */
static const struct {
    uint32_t field; /* 0: only as raw bytes */
    enum ax_protobuf_wire wire;
} contents_of[AX_TENSOR_TYPE_COUNT] = {
    [AX_TENSOR_BOOL] = {1, AX_PROTOBUF_VARINT},   [AX_TENSOR_INT8] = {2, AX_PROTOBUF_VARINT},
    [AX_TENSOR_INT16] = {2, AX_PROTOBUF_VARINT},  [AX_TENSOR_INT32] = {2, AX_PROTOBUF_VARINT},
    [AX_TENSOR_INT64] = {3, AX_PROTOBUF_VARINT},  [AX_TENSOR_UINT8] = {4, AX_PROTOBUF_VARINT},
    [AX_TENSOR_UINT16] = {4, AX_PROTOBUF_VARINT}, [AX_TENSOR_UINT32] = {4, AX_PROTOBUF_VARINT},
    [AX_TENSOR_UINT64] = {5, AX_PROTOBUF_VARINT}, [AX_TENSOR_FP32] = {6, AX_PROTOBUF_FIXED32},
    [AX_TENSOR_FP64] = {7, AX_PROTOBUF_FIXED64},  [AX_TENSOR_BYTES] = {8, AX_PROTOBUF_BYTES},
};

/* Elements on their way from the message into a tensor. */
struct filling {
    struct ax_tensor *tensor;
    char *data;
    size_t at;
};

static bool
fits(enum ax_tensor_type type, uint64_t number)
{
    int64_t whole = (int64_t)number;
    switch (type) {
    case AX_TENSOR_BOOL:
        return number <= 1;
    case AX_TENSOR_INT8:
        return whole >= INT8_MIN && whole <= INT8_MAX;
    case AX_TENSOR_INT16:
        return whole >= INT16_MIN && whole <= INT16_MAX;
    case AX_TENSOR_INT32:
        return whole >= INT32_MIN && whole <= INT32_MAX;
    case AX_TENSOR_UINT8:
        return number <= UINT8_MAX;
    case AX_TENSOR_UINT16:
        return number <= UINT16_MAX;
    case AX_TENSOR_UINT32:
        return number <= UINT32_MAX;
    case AX_TENSOR_INT64:
    case AX_TENSOR_UINT64:
    case AX_TENSOR_FP16:
    case AX_TENSOR_BF16:
    case AX_TENSOR_FP32:
    case AX_TENSOR_FP64:
    case AX_TENSOR_BYTES:
    case AX_TENSOR_TYPE_COUNT:
        break;
    }
    return true;
}

static ax_status
put_element(void *arg, uint64_t number)
{
    struct filling *filling = arg;
    size_t bytes = ax_tensor_element_bytes(filling->tensor->type);
    if (!fits(filling->tensor->type, number))
        return AX_CONFLICT;
    memcpy(filling->data + filling->at++ * bytes, &number, bytes); /* the low bytes come first */
    return AX_OK;
}

/* How many elements are there, in the right field. false when another field holds some. */
static bool
count_elements(ax_str contents, enum ax_tensor_type type, size_t *out_count)
{
    struct ax_protobuf message = ax_protobuf_of(contents);
    *out_count = 0;
    while (ax_protobuf_next(&message)) {
        size_t count = 1;
        if (message.field > contents_of[AX_TENSOR_BYTES].field)
            continue; /* not known to this version of the protocol */
        if (message.field != contents_of[type].field)
            return false;
        if (type != AX_TENSOR_BYTES)
            count = ax_protobuf_count(&message, contents_of[type].wire);
        if (count == SIZE_MAX)
            return false;
        *out_count += count;
    }
    return message.status == AX_OK;
}

static ax_status
fill(struct ax_ctx *ctx, ax_str contents, struct filling *filling)
{
    enum ax_tensor_type type = filling->tensor->type;
    struct ax_protobuf message = ax_protobuf_of(contents);
    while (ax_protobuf_next(&message)) {
        if (message.field != contents_of[type].field)
            continue;
        if (type == AX_TENSOR_BYTES) {
            ((ax_str *)(void *)filling->data)[filling->at++] = message.bytes;
            continue;
        }
        if (ax_protobuf_each(&message, contents_of[type].wire, put_element, filling) != AX_OK)
            return ax_fail(ctx, AX_INVALID, "input '%.*s': element %zu is out of range for %s",
                           AX_FMT(filling->tensor->name), filling->at, ax_tensor_type_name(type));
    }
    return AX_OK;
}

static ax_status
read_contents(struct ax_ctx *ctx, ax_str contents, struct ax_tensor *tensor)
{
    size_t count;
    if (contents_of[tensor->type].field == 0)
        return ax_fail(ctx, AX_INVALID, "input '%.*s': %s travels in raw_input_contents only",
                       AX_FMT(tensor->name), ax_tensor_type_name(tensor->type));
    if (!count_elements(contents, tensor->type, &count))
        return ax_fail(ctx, AX_INVALID,
                       "input '%.*s': its contents are not in the field of %s, or are cut",
                       AX_FMT(tensor->name), ax_tensor_type_name(tensor->type));
    if (count != tensor->count)
        return ax_fail(ctx, AX_INVALID,
                       "unexpected number of elements %zu for inference input '%.*s', expecting "
                       "%zu",
                       count, AX_FMT(tensor->name), tensor->count);
    struct filling filling = {
        .tensor = tensor,
        .data = ax_arena_alloc(ctx->arena, ax_tensor_element_bytes(tensor->type), count + 1)};
    if (!filling.data)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu elements", count);
    AX_TRY(fill(ctx, contents, &filling));
    tensor->data = filling.data;
    return AX_OK;
}

/* ---- inputs and outputs ---- */

static ax_status
put_dimension(void *arg, uint64_t number)
{
    struct ax_tensor *tensor = arg;
    if (tensor->dim_count == AX_TENSOR_DIMS_MAX)
        return AX_LIMIT;
    tensor->shape[tensor->dim_count++] = (int64_t)number;
    return AX_OK;
}

/* An input but for its elements; *out_contents: its typed contents, at NULL when absent. */
static ax_status
read_input(struct ax_ctx *ctx, ax_str bytes, struct ax_tensor_json_input *out, ax_str *out_contents)
{
    struct ax_tensor *tensor = &out->tensor;
    struct ax_protobuf message = ax_protobuf_of(bytes);
    ax_str type = AX_STR("");
    tensor->name = AX_STR("");
    *out_contents = (ax_str){};
    while (ax_protobuf_next(&message)) {
        if (ax_protobuf_is(&message, TENSOR_NAME, AX_PROTOBUF_BYTES))
            tensor->name = message.bytes;
        else if (ax_protobuf_is(&message, TENSOR_TYPE, AX_PROTOBUF_BYTES))
            type = message.bytes;
        else if (ax_protobuf_is(&message, TENSOR_CONTENTS, AX_PROTOBUF_BYTES))
            *out_contents = message.bytes;
        else if (message.field == TENSOR_SHAPE &&
                 ax_protobuf_each(&message, AX_PROTOBUF_VARINT, put_dimension, tensor) != AX_OK)
            return ax_fail(ctx, AX_INVALID, "input '%.*s': a shape of more than %d dimensions",
                           AX_FMT(tensor->name), (int)AX_TENSOR_DIMS_MAX);
    }
    AX_TRY(ax_protobuf_check(&message, ctx, "InferInputTensor"));
    if (!ax_tensor_type_find(type, &tensor->type))
        return ax_fail(ctx, AX_INVALID, "input '%.*s': datatype '%.*s' is not known",
                       AX_FMT(tensor->name), (int)(type.len > 40 ? 40 : type.len), type.at);
    if (!ax_tensor_count(tensor->type, tensor->shape, tensor->dim_count, &tensor->count))
        return ax_fail(ctx, AX_INVALID,
                       "input '%.*s': its shape is negative or causes total element count to "
                       "exceed maximum size",
                       AX_FMT(tensor->name));
    return read_parameters(ctx, bytes, TENSOR_PARAMETERS, &out->parameters);
}

static ax_status
read_output(struct ax_ctx *ctx, ax_str bytes, struct ax_tensor_json_output *out)
{
    struct ax_protobuf message = ax_protobuf_of(bytes);
    out->name = AX_STR("");
    while (ax_protobuf_next(&message))
        if (ax_protobuf_is(&message, TENSOR_NAME, AX_PROTOBUF_BYTES))
            out->name = message.bytes;
    AX_TRY(ax_protobuf_check(&message, ctx, "InferRequestedOutputTensor"));
    AX_TRY(read_parameters(ctx, bytes, OUTPUT_PARAMETERS, &out->parameters));
    const struct ax_tensor_json_parameter *classes =
        ax_tensor_json_find(&out->parameters, "classification");
    if (!classes)
        return AX_OK;
    if (classes->kind != AX_TENSOR_JSON_I64 || classes->i64 <= 0)
        return ax_fail(ctx, AX_INVALID,
                       "output '%.*s': 'classification' must be an int64_param above 0",
                       AX_FMT(out->name));
    out->classification = (uint64_t)classes->i64;
    return AX_OK;
}

/* A request on its way: what is only known when all of it was seen. */
struct reading {
    struct ax_tensor_json_input *inputs;
    ax_str *contents; /* of each input */
    ax_str *raw;
    struct ax_tensor_json_output *outputs;
    size_t input_count, raw_count, output_count;
};

static ax_status
make_room(struct ax_ctx *ctx, ax_str message, struct reading *out)
{
    size_t inputs = count_fields(message, REQUEST_INPUTS);
    size_t outputs = count_fields(message, REQUEST_OUTPUTS);
    size_t raw = count_fields(message, REQUEST_RAW);
    if (inputs > INPUTS_MAX || outputs > INPUTS_MAX || raw > INPUTS_MAX)
        return ax_fail(ctx, AX_INVALID, "more than %d inputs, outputs or raw contents",
                       (int)INPUTS_MAX);
    out->inputs = AX_NEW_ARRAY(ctx->arena, struct ax_tensor_json_input, inputs + 1);
    out->contents = AX_NEW_ARRAY(ctx->arena, ax_str, inputs + 1);
    out->raw = AX_NEW_ARRAY(ctx->arena, ax_str, raw + 1);
    out->outputs = AX_NEW_ARRAY(ctx->arena, struct ax_tensor_json_output, outputs + 1);
    return out->inputs && out->contents && out->raw && out->outputs
               ? AX_OK
               : ax_fail(ctx, AX_LIMIT, "no memory for a request");
}

static ax_status
take_field(struct ax_ctx *ctx, const struct ax_protobuf *field, struct reading *reading,
           struct ax_inference_message *out)
{
    if (field->wire != AX_PROTOBUF_BYTES)
        return AX_OK;
    switch (field->field) {
    case REQUEST_MODEL:
        out->model = field->bytes;
        return AX_OK;
    case REQUEST_VERSION:
        out->version = field->bytes;
        return AX_OK;
    case REQUEST_ID:
        out->request.id = field->bytes;
        out->request.has_id = field->bytes.len > 0;
        return AX_OK;
    case REQUEST_INPUTS:
        AX_TRY(read_input(ctx, field->bytes, &reading->inputs[reading->input_count],
                          &reading->contents[reading->input_count]));
        reading->input_count++;
        return AX_OK;
    case REQUEST_OUTPUTS:
        return read_output(ctx, field->bytes, &reading->outputs[reading->output_count++]);
    case REQUEST_RAW:
        reading->raw[reading->raw_count++] = field->bytes;
        return AX_OK;
    default:
        return AX_OK;
    }
}

/* Each input's elements: all raw, in the order of the inputs, or all typed. */
static ax_status
take_elements(struct ax_ctx *ctx, const struct reading *reading, ax_str model)
{
    if (reading->raw_count > 0 && reading->raw_count != reading->input_count)
        return ax_fail(ctx, AX_INVALID,
                       "expected %zu raw input contents but got %zu for model '%.*s'",
                       reading->input_count, reading->raw_count, AX_FMT(model));
    for (size_t i = 0; i < reading->input_count; i++) {
        struct ax_tensor *tensor = &reading->inputs[i].tensor;
        if (reading->raw_count == 0) {
            AX_TRY(read_contents(ctx, reading->contents[i], tensor));
            continue;
        }
        if (reading->contents[i].len > 0)
            return ax_fail(ctx, AX_INVALID,
                           "contents field must not be specified when using raw_input_contents "
                           "for '%.*s' for model '%.*s'",
                           AX_FMT(tensor->name), AX_FMT(model));
        AX_TRY(ax_tensor_binary_read(ctx, model, reading->raw[i], tensor));
    }
    return AX_OK;
}

static ax_status
check_names(struct ax_ctx *ctx, const struct reading *reading)
{
    for (size_t i = 0; i < reading->input_count; i++)
        for (size_t k = 0; k < i; k++)
            if (ax_str_eq(reading->inputs[i].tensor.name, reading->inputs[k].tensor.name))
                return ax_fail(ctx, AX_INVALID, "input '%.*s' already exists in request",
                               AX_FMT(reading->inputs[i].tensor.name));
    return AX_OK;
}

ax_status
ax_inference_message_read(struct ax_ctx *ctx, ax_str message,
                          struct ax_inference_message *out_message)
{
    struct reading reading = {};
    struct ax_inference_message out = {
        .model = AX_STR(""), .version = AX_STR(""), .request.id = AX_STR("")};
    AX_TRY(make_room(ctx, message, &reading));
    struct ax_protobuf field = ax_protobuf_of(message);
    while (ax_protobuf_next(&field))
        AX_TRY(take_field(ctx, &field, &reading, &out));
    AX_TRY(ax_protobuf_check(&field, ctx, "ModelInferRequest"));
    AX_TRY(check_names(ctx, &reading));
    AX_TRY(take_elements(ctx, &reading, out.model));
    AX_TRY(read_parameters(ctx, message, REQUEST_PARAMETERS, &out.request.parameters));
    out.request.inputs = reading.inputs;
    out.request.input_count = reading.input_count;
    out.request.outputs = reading.outputs;
    out.request.output_count = reading.output_count;
    *out_message = out;
    return AX_OK;
}

/* ---- answers ---- */

static void
write_output(const struct ax_tensor *tensor, struct ax_writer *out)
{
    size_t begun = ax_protobuf_begin(out, REPLY_OUTPUTS);
    ax_protobuf_put_bytes(out, TENSOR_NAME, tensor->name);
    ax_protobuf_put_bytes(out, TENSOR_TYPE, ax_str_of(ax_tensor_type_name(tensor->type)));
    for (size_t i = 0; i < tensor->dim_count; i++)
        ax_protobuf_put_varint(out, TENSOR_SHAPE, (uint64_t)tensor->shape[i]);
    ax_protobuf_end(out, begun);
}

void
ax_inference_message_write(const struct ax_inference_reply *reply, struct ax_writer *out)
{
    ax_protobuf_put_bytes(out, REPLY_MODEL, reply->model);
    if (reply->version.len)
        ax_protobuf_put_bytes(out, REPLY_VERSION, reply->version);
    if (reply->id.len)
        ax_protobuf_put_bytes(out, REPLY_ID, reply->id);
    for (size_t i = 0; i < reply->output_count; i++)
        write_output(&reply->outputs[i], out);
    for (size_t i = 0; i < reply->output_count; i++) {
        ax_protobuf_put_head(out, REPLY_RAW, ax_tensor_binary_bytes(&reply->outputs[i]));
        ax_tensor_binary_write(&reply->outputs[i], out);
    }
}
