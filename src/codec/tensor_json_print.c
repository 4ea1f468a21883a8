/* Tensors and infer answers as JSON text. */
#include <float.h>
#include <math.h>

#include "base/assert.h"
#include "base/number.h"
#include "codec/json.h"
#include "codec/tensor_binary.h"

/*
 * The shortest text that reads back as the same float. Of the largest float that text is a larger
 * double, which readers that check FP32's range refuse: that one is written as the double it is.
 */
static size_t
format_f32(float value, char *text)
{
    return value == FLT_MAX || value == -FLT_MAX ? ax_format_f64((double)value, text)
                                                 : ax_format_f32(value, text);
}

/* Floats as Triton and its clients write them: NaN and infinities bare. */
static size_t
format_element(const struct ax_tensor *tensor, size_t index, char *text)
{
    const void *data = tensor->data;
    switch (tensor->type) {
    case AX_TENSOR_UINT8:
        return ax_format_u64(((const uint8_t *)data)[index], text);
    case AX_TENSOR_UINT16:
        return ax_format_u64(((const uint16_t *)data)[index], text);
    case AX_TENSOR_UINT32:
        return ax_format_u64(((const uint32_t *)data)[index], text);
    case AX_TENSOR_UINT64:
        return ax_format_u64(((const uint64_t *)data)[index], text);
    case AX_TENSOR_INT8:
        return ax_format_i64(((const int8_t *)data)[index], text);
    case AX_TENSOR_INT16:
        return ax_format_i64(((const int16_t *)data)[index], text);
    case AX_TENSOR_INT32:
        return ax_format_i64(((const int32_t *)data)[index], text);
    case AX_TENSOR_INT64:
        return ax_format_i64(((const int64_t *)data)[index], text);
    case AX_TENSOR_FP32:
        return format_f32(((const float *)data)[index], text);
    case AX_TENSOR_FP64:
        return ax_format_f64(((const double *)data)[index], text);
    case AX_TENSOR_FP16:
    case AX_TENSOR_BF16:
        return ax_format_f32(ax_tensor_f32(tensor, index), text);
    case AX_TENSOR_BOOL:
    case AX_TENSOR_BYTES:
    case AX_TENSOR_TYPE_COUNT:
        break;
    }
    AX_ASSERT(tensor->type < AX_TENSOR_BYTES); /* text is printed elsewhere */
    return 0;
}

void
ax_tensor_json_print_element(const struct ax_tensor *tensor, size_t index,
                             struct ax_json_writer *json)
{
    char text[AX_NUMBER_BYTES_MAX];
    if (tensor->type == AX_TENSOR_BOOL)
        ax_json_put_bool(json, ((const uint8_t *)tensor->data)[index] != 0);
    else if (tensor->type == AX_TENSOR_BYTES)
        ax_json_put_text(json, ((const ax_str *)tensor->data)[index]);
    else
        ax_json_put_raw(json, (ax_str){text, format_element(tensor, index, text)});
}

static void
print_elements(const struct ax_tensor *tensor, struct ax_json_writer *json)
{
    for (size_t i = 0; i < tensor->count && json->out->status == AX_OK; i++)
        ax_tensor_json_print_element(tensor, i, json);
}

static void
print_data(const struct ax_tensor *tensor, bool binary, struct ax_json_writer *json)
{
    if (binary) {
        ax_json_key(json, "parameters");
        ax_json_begin_object(json);
        ax_json_key(json, "binary_data_size");
        ax_json_put_u64(json, ax_tensor_binary_bytes(tensor));
        ax_json_end_object(json);
        return;
    }
    ax_json_key(json, "data");
    ax_json_begin_array(json);
    print_elements(tensor, json);
    ax_json_end_array(json);
}

static ax_status
print_tensor(struct ax_ctx *ctx, const struct ax_tensor *tensor, bool binary,
             struct ax_json_writer *json)
{
    AX_ASSERT(tensor->data || tensor->count == 0);
    const char *type = ax_tensor_type_name(tensor->type);
    if (!binary && (tensor->type == AX_TENSOR_FP16 || tensor->type == AX_TENSOR_BF16))
        return ax_fail(ctx, AX_UNSUPPORTED,
                       "sending %s data via JSON is not supported. Please use the binary data "
                       "format for output %.*s",
                       type, AX_FMT(tensor->name));
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", tensor->name);
    ax_json_member_text(json, "datatype", ax_str_of(type));
    ax_json_key(json, "shape");
    ax_json_begin_array(json);
    for (size_t i = 0; i < tensor->dim_count; i++)
        ax_json_put_i64(json, tensor->shape[i]);
    ax_json_end_array(json);
    print_data(tensor, binary, json);
    ax_json_end_object(json);
    if (json->out->status != AX_OK)
        return ax_fail(ctx, json->out->status, "no room for output '%.*s'", AX_FMT(tensor->name));
    return AX_OK;
}

ax_status
ax_tensor_json_print_tensor(struct ax_ctx *ctx, const struct ax_tensor *tensor,
                            struct ax_writer *out)
{
    struct ax_json_writer json = ax_json_writer_of(out);
    return print_tensor(ctx, tensor, false, &json);
}

static void
print_parameter(const struct ax_tensor_json_parameter *parameter, struct ax_json_writer *json)
{
    ax_json_key_str(json, parameter->name);
    switch (parameter->kind) {
    case AX_TENSOR_JSON_BOOL:
        ax_json_put_bool(json, parameter->truth);
        break;
    case AX_TENSOR_JSON_I64:
        ax_json_put_i64(json, parameter->i64);
        break;
    case AX_TENSOR_JSON_U64:
        ax_json_put_u64(json, parameter->u64);
        break;
    case AX_TENSOR_JSON_F64:
        ax_json_put_f64(json, parameter->f64);
        break;
    case AX_TENSOR_JSON_TEXT:
        ax_json_put_text(json, parameter->text);
        break;
    }
}

static void
print_parameters(const struct ax_tensor_json_parameters *parameters, struct ax_json_writer *json)
{
    if (parameters->count == 0)
        return;
    ax_json_key(json, "parameters");
    ax_json_begin_object(json);
    for (size_t i = 0; i < parameters->count; i++)
        print_parameter(&parameters->items[i], json);
    ax_json_end_object(json);
}

ax_status
ax_tensor_json_print(struct ax_ctx *ctx, const struct ax_tensor_json_response *response,
                     struct ax_writer *out)
{
    struct ax_json_writer json = ax_json_writer_of(out);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "model_name", response->model_name);
    if (response->model_version.len)
        ax_json_member_text(&json, "model_version", response->model_version);
    if (response->has_id)
        ax_json_member_text(&json, "id", response->id);
    print_parameters(&response->parameters, &json);
    ax_json_key(&json, "outputs");
    ax_json_begin_array(&json);
    for (size_t i = 0; i < response->output_count; i++)
        AX_TRY(print_tensor(ctx, &response->outputs[i], response->binary && response->binary[i],
                            &json));
    ax_json_end_array(&json);
    ax_json_end_object(&json);
    if (out->status != AX_OK)
        return ax_fail(ctx, out->status, "no room for the answer");
    return AX_OK;
}
