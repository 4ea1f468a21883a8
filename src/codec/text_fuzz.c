#include "codec/text.h"

#include <stdint.h>

#include "base/assert.h"
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes survive each encoding; base64 that is accepted has no other form. */
static void
round_trips(struct ax_ctx *ctx, ax_str bytes)
{
    ax_str back;
    ax_writer_auto struct ax_writer base64 = ax_writer_of(1 << 26), hex = ax_writer_of(1 << 26),
                                    percent = ax_writer_of(1 << 26), again = ax_writer_of(1 << 26);
    ax_base64_encode(bytes, &base64);
    AX_ASSERT(ax_base64_decode(ctx, ax_writer_str(&base64), &back) == AX_OK);
    AX_ASSERT(ax_str_eq(back, bytes));
    ax_hex_encode(bytes, &hex);
    AX_ASSERT(ax_hex_decode(ctx, ax_writer_str(&hex), &back) == AX_OK);
    AX_ASSERT(ax_str_eq(back, bytes));
    ax_percent_encode(bytes, &percent);
    AX_ASSERT(ax_percent_decode(ctx, ax_writer_str(&percent), &back) == AX_OK);
    AX_ASSERT(ax_str_eq(back, bytes));
    if (ax_base64url_decode(ctx, bytes, &back) == AX_OK) {
        ax_writer_auto struct ax_writer url = ax_writer_of(1 << 26);
        ax_base64url_encode(back, &url);
        AX_ASSERT(ax_str_eq(ax_writer_str(&url), bytes));
    }
    if (ax_base64_decode(ctx, bytes, &back) != AX_OK)
        return;
    ax_base64_encode(back, &again);
    AX_ASSERT(ax_str_eq(ax_writer_str(&again), bytes));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str bytes = {(const char *)data, size}, back, text;
    round_trips(&ctx, bytes);
    ax_ignore(ax_hex_decode(&ctx, bytes, &back), "hostile text may be refused");
    ax_ignore(ax_percent_decode(&ctx, bytes, &back), "hostile text may be refused");
    ax_ignore(ax_percent_decode_all(&ctx, bytes, &back), "hostile text may be refused");

    /* Written as JSON, bytes are always read back; unchanged when they are UTF-8. */
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 26);
    struct ax_json_writer writer = ax_json_writer_of(&out);
    const struct ax_json *json;
    ax_json_put_text(&writer, bytes);
    AX_ASSERT(ax_json_parse(&ctx, ax_writer_str(&out), NULL, &json) == AX_OK);
    AX_ASSERT(ax_json_text(json, &text));
    AX_ASSERT(ax_str_eq(text, bytes) == ax_utf8_ok(bytes));
    return 0;
}
