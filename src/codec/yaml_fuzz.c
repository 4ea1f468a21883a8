#include "codec/yaml.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted is JSON, and nothing in it was there twice. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    const struct ax_json *json;
    ax_str canonical;
    ax_status status = ax_yaml_parse(&ctx, (ax_str){(const char *)data, size}, NULL, &json);
    if (status != AX_OK) {
        AX_ASSERT(ctx.error[0]);
        return 0;
    }
    AX_ASSERT(ax_json_canonical(&ctx, json, &canonical) == AX_OK);
    AX_ASSERT(ax_json_parse(&ctx, canonical, NULL, &json) == AX_OK);
    return 0;
}
