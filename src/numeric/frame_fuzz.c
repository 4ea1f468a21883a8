/* Bytes that are taken for a frame: whatever is accepted encodes to the same bytes. */
#include "numeric/frame.h"

#include "base/arena.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(4 << 20);
    AX_ASSERT(arena);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str bytes = {(const char *)data, size}, again = {};
    struct ax_frame frame = {};
    if (ax_frame_decode(&ctx, bytes, &frame) == AX_OK &&
        ax_frame_encode(&ctx, &frame, &again) == AX_OK)
        AX_ASSERT(ax_str_eq(bytes, again));
    return 0;
}
