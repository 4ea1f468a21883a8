#include "codec/tensor_binary.h"

#include "base/number.h"
#include "base/reader.h"

enum { LENGTH_BYTES = 4 };

static ax_status
wrong_bytes(struct ax_ctx *ctx, ax_str model, const struct ax_tensor *tensor, size_t expected,
            size_t got)
{
    return ax_fail(ctx, AX_INVALID,
                   "input byte size mismatch for input '%.*s' for model '%.*s'. Expected %zu, got "
                   "%zu",
                   AX_FMT(tensor->name), AX_FMT(model), expected, got);
}

/* Elements of BYTES become slices, each behind its length. */
static ax_status
read_texts(struct ax_ctx *ctx, ax_str model, ax_str bytes, struct ax_tensor *tensor)
{
    /* Each element has at least its length: what the shape promises must be able to be there. */
    if (tensor->count > bytes.len / LENGTH_BYTES)
        return ax_fail(ctx, AX_INVALID,
                       "expected %zu strings for inference input '%.*s' of model '%.*s', got %zu "
                       "bytes",
                       tensor->count, AX_FMT(tensor->name), AX_FMT(model), bytes.len);
    ax_str *texts = AX_NEW_ARRAY(ctx->arena, ax_str, tensor->count + 1);
    if (!texts)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu strings", tensor->count);
    struct ax_reader reader = ax_reader_of(bytes);
    for (size_t i = 0; i < tensor->count; i++) {
        uint32_t len = ax_reader_u32_le(&reader);
        texts[i] = ax_reader_bytes(&reader, len);
        if (reader.status != AX_OK)
            return ax_fail(ctx, AX_INVALID,
                           "incomplete string %zu of %zu for inference input '%.*s' of model "
                           "'%.*s'",
                           i, tensor->count, AX_FMT(tensor->name), AX_FMT(model));
    }
    if (ax_reader_left(&reader) > 0)
        return ax_fail(ctx, AX_INVALID,
                       "unexpected number of string elements for inference input '%.*s' of model "
                       "'%.*s': %zu bytes are left after %zu",
                       AX_FMT(tensor->name), AX_FMT(model), ax_reader_left(&reader), tensor->count);
    tensor->data = texts;
    return AX_OK;
}

static ax_status
check_truths(struct ax_ctx *ctx, const struct ax_tensor *tensor)
{
    const uint8_t *truths = tensor->data;
    for (size_t i = 0; i < tensor->count; i++)
        if (truths[i] > 1)
            return ax_fail(ctx, AX_INVALID,
                           "input '%.*s': element %zu of a BOOL is the byte %u, not 0 or 1",
                           AX_FMT(tensor->name), i, truths[i]);
    return AX_OK;
}

ax_status
ax_tensor_binary_read(struct ax_ctx *ctx, ax_str model, ax_str bytes, struct ax_tensor *tensor)
{
    if (tensor->type == AX_TENSOR_BYTES)
        return read_texts(ctx, model, bytes, tensor);
    size_t element = ax_tensor_element_bytes(tensor->type);
    if (bytes.len != tensor->count * element) /* the count was checked against overflow */
        return wrong_bytes(ctx, model, tensor, tensor->count * element, bytes.len);
    tensor->data = bytes.at;
    if ((uintptr_t)bytes.at % element != 0) {
        void *aligned = ax_arena_alloc(ctx->arena, 1, bytes.len + 1);
        if (!aligned)
            return ax_fail(ctx, AX_LIMIT, "no memory for %zu bytes", bytes.len);
        memcpy(aligned, bytes.at, bytes.len);
        tensor->data = aligned;
    }
    return tensor->type == AX_TENSOR_BOOL ? check_truths(ctx, tensor) : AX_OK;
}

ax_status
ax_tensor_binary_attach(struct ax_ctx *ctx, ax_str model, ax_str bytes,
                        struct ax_tensor_json_request *request)
{
    struct ax_tensor_json_input *inputs =
        AX_NEW_ARRAY(ctx->arena, struct ax_tensor_json_input, request->input_count + 1);
    if (!inputs)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu inputs", request->input_count);
    for (size_t i = 0; i < request->input_count; i++) {
        inputs[i] = request->inputs[i];
        struct ax_tensor *tensor = &inputs[i].tensor;
        if (!inputs[i].is_binary)
            continue;
        if (inputs[i].binary_bytes > bytes.len)
            return ax_fail(ctx, AX_INVALID,
                           "unexpected size for input '%.*s', expecting %llu additional bytes for "
                           "model '%.*s'",
                           AX_FMT(tensor->name),
                           (unsigned long long)(inputs[i].binary_bytes - bytes.len), AX_FMT(model));
        ax_str own = {bytes.at, (size_t)inputs[i].binary_bytes};
        AX_TRY(ax_tensor_binary_read(ctx, model, own, tensor));
        bytes = (ax_str){bytes.at + own.len, bytes.len - own.len};
    }
    if (bytes.len > 0)
        return ax_fail(ctx, AX_INVALID,
                       "unexpected additional input data for model '%.*s': %zu bytes",
                       AX_FMT(model), bytes.len);
    request->inputs = inputs;
    return AX_OK;
}

size_t
ax_tensor_binary_bytes(const struct ax_tensor *tensor)
{
    if (tensor->type != AX_TENSOR_BYTES)
        return tensor->count * ax_tensor_element_bytes(tensor->type);
    const ax_str *texts = tensor->data;
    size_t bytes = 0;
    for (size_t i = 0; i < tensor->count; i++)
        if (texts[i].len > UINT32_MAX || !ax_add(bytes, LENGTH_BYTES + texts[i].len, &bytes))
            return SIZE_MAX;
    return bytes;
}

void
ax_tensor_binary_write(const struct ax_tensor *tensor, struct ax_writer *out)
{
    if (tensor->type != AX_TENSOR_BYTES) {
        ax_writer_bytes(out, (ax_str){tensor->data, ax_tensor_binary_bytes(tensor)});
        return;
    }
    const ax_str *texts = tensor->data;
    for (size_t i = 0; i < tensor->count; i++) {
        ax_writer_u32_le(out, (uint32_t)texts[i].len);
        ax_writer_bytes(out, texts[i]);
    }
}
