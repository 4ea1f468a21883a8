#include "event/decision.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A record that is read is written in one form, and that form is read as the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_decision decision, again;
    if (ax_decision_read(&ctx, (ax_str){(const char *)data, size}, &decision) != AX_OK)
        return 0;
    ax_writer_auto struct ax_writer out = ax_writer_of(8 << 20), second = ax_writer_of(8 << 20);
    ax_writer_auto struct ax_writer view = ax_writer_of(64 << 20);
    ax_decision_write(&decision, &out);
    if (out.len > AX_DECISION_BYTES_MAX) /* numbers that were left out are written */
        return 0;
    AX_ASSERT(ax_decision_read(&ctx, ax_writer_str(&out), &again) == AX_OK);
    ax_decision_write(&again, &second);
    AX_ASSERT(ax_str_eq(ax_writer_str(&out), ax_writer_str(&second)));
    struct ax_json_writer json = ax_json_writer_of(&view);
    ax_decision_show(&decision, &json);
    const struct ax_json *parsed;
    AX_ASSERT(ax_json_parse(&ctx, ax_writer_str(&view), NULL, &parsed) != AX_INVALID);
    ax_decision_compare(&decision, &again);
    return 0;
}
