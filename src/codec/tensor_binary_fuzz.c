#include "codec/tensor_binary.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * A body as the protocol has it: two bytes say how long the JSON is, then JSON, then tensors. What
 * is accepted is written back the same.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_tensor_json_request request;
    if (size < 2)
        return 0;
    size_t json = (size_t)data[0] + 256 * (size_t)data[1];
    ax_str body = {(const char *)data + 2, size - 2};
    if (json > body.len)
        return 0;
    ax_str tail = {body.at + json, body.len - json};
    if (ax_tensor_json_parse(&ctx, (ax_str){body.at, json}, NULL, &request) != AX_OK)
        return 0;
    if (ax_tensor_binary_attach(&ctx, AX_STR("m"), tail, &request) != AX_OK) {
        AX_ASSERT(ctx.error[0]);
        return 0;
    }
    ax_writer_auto struct ax_writer out = ax_writer_of(64 << 20);
    for (size_t i = 0; i < request.input_count; i++)
        if (request.inputs[i].is_binary)
            ax_tensor_binary_write(&request.inputs[i].tensor, &out);
    AX_ASSERT(ax_str_eq(ax_writer_str(&out), tail));
    return 0;
}
