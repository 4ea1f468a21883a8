#include "codec/ubjson.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_BYTES_MAX = 64 << 20 };

/* Looks at every value, so that a wrong count or slice is read. */
static size_t
visit(const struct ax_ubjson *value)
{
    struct ax_ubjson_number number;
    ax_str text = {"", 0};
    size_t seen = 1;
    for (size_t i = 0; i < ax_ubjson_count(value); i++) {
        const struct ax_ubjson *item = ax_ubjson_item(value, i);
        if (item)
            seen += visit(item);
        else
            AX_ASSERT(ax_ubjson_number_at(value, i, &number));
        seen += ax_ubjson_key(value, i).len;
    }
    if (ax_ubjson_text(value, &text) && text.len)
        seen += (size_t)(unsigned char)text.at[text.len - 1];
    return seen;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(FUZZ_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    const struct ax_ubjson *root = NULL;
    ax_status status = ax_ubjson_parse(&ctx, (ax_str){(const char *)data, size}, 0, &root);
    if (status == AX_OK)
        AX_ASSERT(visit(root) > 0);
    else
        AX_ASSERT(ctx.error[0] != '\0');
    return 0;
}
