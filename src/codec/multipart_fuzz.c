#include "codec/multipart.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first line is the header, the rest the body; what is found lies in the body. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str body = {(const char *)data, size}, type, bytes;
    if (!ax_str_cut(&body, '\n', &type))
        return 0;
    if (ax_multipart_find(&ctx, type, body, AX_STR("data"), &bytes) != AX_OK)
        AX_ASSERT(ctx.error[0]);
    else
        AX_ASSERT(bytes.at >= body.at && bytes.at + bytes.len <= body.at + body.len);
    return 0;
}
