#include "event/event.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A leaf that is read is written again as it was, but for the fields that nobody knows. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str leaf = {(const char *)data, size};
    struct ax_event event, again;
    if (ax_event_read(&ctx, leaf, &event) != AX_OK)
        return 0;
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20), second = ax_writer_of(1 << 20);
    ax_writer_auto struct ax_writer view = ax_writer_of(1 << 20);
    AX_ASSERT(ax_event_check(&ctx, &event) == AX_OK);
    ax_event_write(&event, &out);
    AX_ASSERT(out.status == AX_OK);
    AX_ASSERT(out.len <= ax_event_bytes_max(&event));
    AX_ASSERT(out.len <= size);
    AX_ASSERT(out.len < size || ax_str_eq(ax_writer_str(&out), leaf));
    AX_ASSERT(ax_event_read(&ctx, ax_writer_str(&out), &again) == AX_OK);
    ax_event_write(&again, &second);
    AX_ASSERT(ax_str_eq(ax_writer_str(&out), ax_writer_str(&second)));
    struct ax_json_writer json = ax_json_writer_of(&view);
    ax_event_show(&event, &json);
    const struct ax_json *parsed;
    AX_ASSERT(view.status != AX_OK ||
              ax_json_parse(&ctx, ax_writer_str(&view), NULL, &parsed) == AX_OK);
    return 0;
}
