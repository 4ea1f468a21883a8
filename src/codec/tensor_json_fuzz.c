#include "codec/tensor_json.h"

#include "base/assert.h"
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
prints(const struct ax_tensor *tensor)
{
    return tensor->type != AX_TENSOR_FP16 && tensor->type != AX_TENSOR_BF16 && tensor->data;
}

/* An input, printed and read again, is the same. */
static void
check_input(struct ax_ctx *ctx, const struct ax_tensor *tensor)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 26), same = ax_writer_of(1 << 26);
    struct ax_tensor_json_request request;
    ax_writer_text(&out, "{\"inputs\":[");
    AX_ASSERT(ax_tensor_json_print_tensor(ctx, tensor, &out) == AX_OK);
    ax_writer_text(&out, "]}");
    AX_ASSERT(ax_tensor_json_parse(ctx, ax_writer_str(&out), NULL, &request) == AX_OK);
    const struct ax_tensor *again = &request.inputs[0].tensor;
    AX_ASSERT(again->count == tensor->count);
    AX_ASSERT(again->type == tensor->type);
    ax_writer_text(&same, "{\"inputs\":[");
    AX_ASSERT(ax_tensor_json_print_tensor(ctx, again, &same) == AX_OK);
    ax_writer_text(&same, "]}");
    AX_ASSERT(ax_str_eq(ax_writer_str(&out), ax_writer_str(&same)));
}

/* What this decoder accepts, the tree accepts too (with NaN, and repeats of unknown members). */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ax_json_limits lax = {
        .depth_max = 200, .raw_numbers = true, .special_floats = true, .duplicate_keys = true};
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str text = {(const char *)data, size};
    struct ax_tensor_json_request request;
    const struct ax_json *json;
    if (ax_tensor_json_parse(&ctx, text, NULL, &request) != AX_OK) {
        AX_ASSERT(ctx.error[0]);
        return 0;
    }
    AX_ASSERT(ax_json_parse(&ctx, text, &lax, &json) == AX_OK);
    for (size_t i = 0; i < request.input_count; i++)
        if (prints(&request.inputs[i].tensor))
            check_input(&ctx, &request.inputs[i].tensor);
    return 0;
}
