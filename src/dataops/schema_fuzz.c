/* Text that is taken for a schema: whatever is accepted has one canonical form. */
#include "dataops/schema.h"

#include <stdint.h>

#include "base/arena.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(16 << 20);
    AX_ASSERT(arena);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_schema schema = {}, again = {};
    ax_str text = {}, text_again = {};
    if (ax_schema_parse(&ctx, (ax_str){(const char *)data, size}, &schema) == AX_OK &&
        ax_schema_format(&ctx, &schema, &text) == AX_OK) {
        AX_ASSERT(ax_schema_parse(&ctx, text, &again) == AX_OK);
        AX_ASSERT(ax_schema_format(&ctx, &again, &text_again) == AX_OK);
        AX_ASSERT(ax_str_eq(text, text_again));
    }
    return 0;
}
