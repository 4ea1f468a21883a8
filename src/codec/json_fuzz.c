#include "codec/json.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted prints, and its print has the same canonical form; that form is its own. */
static void
check_text(struct ax_ctx *ctx, ax_str text, const struct ax_json_limits *limits)
{
    const struct ax_json *json, *again;
    ax_str canonical, same;
    ax_writer_auto struct ax_writer out = ax_writer_of(64 << 20);
    if (ax_json_parse(ctx, text, limits, &json) != AX_OK)
        return;
    ax_status status = ax_json_canonical(ctx, json, &canonical);
    ax_json_print(json, &out);
    AX_ASSERT(ax_json_parse(ctx, ax_writer_str(&out), limits, &again) == AX_OK);
    if (status != AX_OK)
        return;
    AX_ASSERT(ax_json_canonical(ctx, again, &same) == AX_OK);
    AX_ASSERT(ax_str_eq(canonical, same));
    AX_ASSERT(ax_json_parse(ctx, canonical, NULL, &again) == AX_OK || limits->depth_max > 32);
    AX_ASSERT(ax_json_parse(ctx, canonical, limits, &again) == AX_OK);
    AX_ASSERT(ax_json_canonical(ctx, again, &same) == AX_OK);
    AX_ASSERT(ax_str_eq(canonical, same));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ax_json_limits limits[] = {
        {},
        {.raw_numbers = true},
        {.raw_numbers = true, .special_floats = true, .duplicate_keys = true, .depth_max = 200},
        {.duplicate_keys = true},
    };
    for (size_t i = 0; i < AX_COUNT_OF(limits); i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
        struct ax_ctx ctx = ax_ctx_of(arena);
        check_text(&ctx, (ax_str){(const char *)data, size}, &limits[i]);
    }
    return 0;
}
