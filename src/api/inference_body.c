#include "api/inference_body.h"

#include "api/inference_classify.h"
#include "base/number.h"
#include "codec/tensor_binary.h"

static const ax_str length_header = {"inference-header-content-length", 31};

/* ---- reading ---- */

/* How many bytes of the body are JSON; the whole body when the header is absent. */
static ax_status
json_bytes(struct ax_ctx *ctx, const struct ax_http_request *http, size_t *out_bytes)
{
    ax_str text = ax_http_header_find(http, length_header);
    uint64_t bytes;
    if (!text.at) {
        *out_bytes = http->body.len;
        return AX_OK;
    }
    if (!ax_parse_u64(text, &bytes) || bytes > http->body.len)
        return ax_fail(ctx, AX_INVALID,
                       "Inference-Header-Content-Length is '%.*s'; expected a whole number from 0 "
                       "to the body's %zu bytes",
                       AX_FMT(text), http->body.len);
    *out_bytes = (size_t)bytes;
    return AX_OK;
}

/* The shape of a raw body: one for the batch, and what the bytes say for one open dimension. */
static ax_status
raw_shape(struct ax_ctx *ctx, const struct ax_engine_port *port, size_t bytes,
          struct ax_tensor *tensor)
{
    size_t element = ax_tensor_element_bytes(port->type), known = 1, open = SIZE_MAX;
    for (size_t i = 0; i < port->dim_count; i++) {
        tensor->shape[i] = port->shape[i];
        if (port->shape[i] < 0 && i == 0 && port->dim_count > 1)
            tensor->shape[i] = 1; /* the batch */
        else if (port->shape[i] >= 0)
            known *= (size_t)port->shape[i];
        else if (open != SIZE_MAX)
            return ax_fail(ctx, AX_INVALID,
                           "The shape of the raw input '%.*s' can not be deduced because there are "
                           "more than one variable-sized dimension",
                           AX_FMT(port->name));
        else
            open = i;
    }
    tensor->count = known;
    if (open != SIZE_MAX) {
        size_t count = known ? bytes / element / known : 0;
        tensor->shape[open] = (int64_t)count;
        tensor->count = known * count;
    }
    return AX_OK;
}

/* Text: the body is the one element, without a length before it. */
static ax_status
raw_text(struct ax_ctx *ctx, const struct ax_engine_port *port, ax_str body,
         struct ax_tensor *tensor)
{
    for (size_t i = 0; i < port->dim_count; i++) {
        tensor->shape[i] = 1;
        if (port->shape[i] > 1 || (port->shape[i] < 0 && i > 0))
            return ax_fail(ctx, AX_INVALID,
                           "For BYTE datatype raw input '%.*s', the model must have input shape "
                           "[1]",
                           AX_FMT(port->name));
    }
    ax_str *text = AX_NEW(ctx->arena, ax_str);
    if (!text)
        return ax_fail(ctx, AX_LIMIT, "no memory for an input");
    *text = body;
    tensor->count = 1;
    tensor->data = text;
    return AX_OK;
}

static ax_status
read_raw(struct ax_ctx *ctx, ax_str body, const struct ax_loaded_model *model,
         struct ax_inference_body *out)
{
    struct ax_engine_graph ports;
    AX_TRY(ax_inference_ports(ctx, model, &ports));
    if (ports.input_count != 1)
        return ax_fail(ctx, AX_INVALID,
                       "Raw request must only have 1 input (found 1) to be deduced but got %zu "
                       "inputs in '%.*s' model configuration",
                       ports.input_count, AX_FMT(model->model));
    const struct ax_engine_port *port = &ports.inputs[0];
    struct ax_tensor_json_input *input = AX_NEW(ctx->arena, struct ax_tensor_json_input);
    if (!input)
        return ax_fail(ctx, AX_LIMIT, "no memory for an input");
    struct ax_tensor *tensor = &input->tensor;
    *tensor =
        (struct ax_tensor){.name = port->name, .type = port->type, .dim_count = port->dim_count};
    if (port->type == AX_TENSOR_BYTES) {
        AX_TRY(raw_text(ctx, port, body, tensor));
    } else {
        AX_TRY(raw_shape(ctx, port, body.len, tensor));
        AX_TRY(ax_tensor_binary_read(ctx, model->model, body, tensor));
    }
    *out = (struct ax_inference_body){.request = {.inputs = input, .input_count = 1}, .raw = true};
    return AX_OK;
}

ax_status
ax_inference_body_read(struct ax_ctx *ctx, const struct ax_http_request *http,
                       const struct ax_loaded_model *model, struct ax_inference_body *out_body)
{
    size_t json;
    AX_TRY(json_bytes(ctx, http, &json));
    if (json == 0 && http->body.len > 0)
        return read_raw(ctx, http->body, model, out_body);
    struct ax_inference_body body = {};
    AX_TRY(ax_tensor_json_parse(ctx, (ax_str){http->body.at, json}, NULL, &body.request));
    AX_TRY(
        ax_tensor_binary_attach(ctx, model->model, ax_str_from(http->body, json), &body.request));
    *out_body = body;
    return AX_OK;
}

/* ---- writing ---- */

/* An output's own word counts for more than the request's. */
static bool
as_binary(const struct ax_inference_body *body, size_t output)
{
    const struct ax_tensor_json_request *request = &body->request;
    if (body->raw)
        return true;
    if (request->output_count == 0 || !request->outputs[output].has_binary)
        return request->binary_output;
    return request->outputs[output].binary;
}

static ax_status
write_json(struct ax_ctx *ctx, const struct ax_inference_body *body,
           const struct ax_loaded_model *model, const struct ax_tensor_json_response *outputs,
           struct ax_writer *out)
{
    char version[AX_NUMBER_BYTES_MAX];
    struct ax_tensor_json_response response = *outputs;
    response.model_name = model->model;
    response.model_version = (ax_str){version, ax_format_i64(model->version, version)};
    response.id = body->request.id;
    response.has_id = body->request.has_id;
    return ax_tensor_json_print(ctx, &response, out);
}

/* The greatest values instead of all, where they were asked for. */
static ax_status
classify(struct ax_ctx *ctx, const struct ax_inference_body *body, const struct ax_tensor *outputs,
         size_t output_count, struct ax_tensor *out_given)
{
    for (size_t i = 0; i < output_count; i++) {
        uint64_t classes = body->request.output_count ? body->request.outputs[i].classification : 0;
        out_given[i] = outputs[i];
        if (classes > 0)
            AX_TRY(ax_inference_classify(ctx, &outputs[i], classes, &out_given[i]));
    }
    return AX_OK;
}

ax_status
ax_inference_body_write(struct ax_ctx *ctx, const struct ax_inference_body *body,
                        const struct ax_loaded_model *model, const struct ax_tensor *outputs,
                        size_t output_count, struct ax_exchange *exchange)
{
    struct ax_tensor *given = AX_NEW_ARRAY(ctx->arena, struct ax_tensor, output_count + 1);
    bool *binary = AX_NEW_ARRAY(ctx->arena, bool, output_count + 1);
    size_t binary_bytes = 0;
    if (!given || !binary)
        return ax_fail(ctx, AX_LIMIT, "no memory for outputs");
    AX_TRY(classify(ctx, body, outputs, output_count, given));
    for (size_t i = 0; i < output_count; i++) {
        binary[i] = as_binary(body, i);
        if (binary[i] && !ax_add(binary_bytes, ax_tensor_binary_bytes(&given[i]), &binary_bytes))
            return ax_fail(ctx, AX_LIMIT, "output '%.*s' is too large", AX_FMT(given[i].name));
    }
    struct ax_tensor_json_response response = {
        .outputs = given, .output_count = output_count, .binary = binary};
    struct ax_writer *out = ax_exchange_body(exchange);
    AX_TRY(write_json(ctx, body, model, &response, out));
    size_t json = out->len;
    for (size_t i = 0; i < output_count; i++)
        if (binary[i])
            ax_tensor_binary_write(&given[i], out);
    if (out->status != AX_OK)
        return ax_fail(ctx, out->status, "no room for the answer");
    ax_exchange_header(exchange, AX_STR("content-type"),
                       binary_bytes ? AX_STR("application/octet-stream")
                                    : AX_STR("application/json"));
    char text[AX_NUMBER_BYTES_MAX];
    if (binary_bytes)
        ax_exchange_header(exchange, length_header, (ax_str){text, ax_format_u64(json, text)});
    return AX_OK;
}
