#include "api/inference_grpc_wire.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read has all its elements; written back as an answer it is a sound message. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_inference_message message;
    ax_writer_auto struct ax_writer out = ax_writer_of(64 << 20);
    if (ax_inference_message_read(&ctx, (ax_str){(const char *)data, size}, &message) != AX_OK) {
        AX_ASSERT(ctx.error[0]);
        return 0;
    }
    const struct ax_tensor_json_request *request = &message.request;
    struct ax_tensor *tensors = AX_NEW_ARRAY(arena, struct ax_tensor, request->input_count + 1);
    AX_ASSERT(tensors != NULL);
    for (size_t i = 0; i < request->input_count; i++) {
        tensors[i] = request->inputs[i].tensor;
        AX_ASSERT(tensors[i].data != NULL || tensors[i].count == 0);
    }
    const struct ax_inference_reply reply = {.model = message.model,
                                             .version = message.version,
                                             .id = request->id,
                                             .outputs = tensors,
                                             .output_count = request->input_count};
    ax_inference_message_write(&reply, &out);
    struct ax_protobuf field = ax_protobuf_of(ax_writer_str(&out));
    while (ax_protobuf_next(&field))
        continue;
    AX_ASSERT(out.status != AX_OK || field.status == AX_OK);
    return 0;
}
