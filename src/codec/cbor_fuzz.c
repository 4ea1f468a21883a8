#include "codec/cbor.h"

#include "base/assert.h"
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
put_item(const struct ax_cbor_item *item, struct ax_writer *out)
{
    switch (item->kind) {
    case AX_CBOR_UNSIGNED:
        ax_cbor_put_u64(out, item->u64);
        break;
    case AX_CBOR_NEGATIVE:
        if (item->u64 <= (uint64_t)INT64_MAX) {
            ax_cbor_put_i64(out, -1 - (int64_t)item->u64);
        } else { /* beyond int64_t, which is all that a writer can say */
            ax_writer_u8(out, 0x3b);
            ax_writer_u64_be(out, item->u64);
        }
        break;
    case AX_CBOR_BYTES:
        ax_cbor_put_bytes(out, item->bytes);
        break;
    case AX_CBOR_TEXT:
        ax_cbor_put_text(out, item->bytes);
        break;
    case AX_CBOR_ARRAY:
        ax_cbor_put_array(out, item->u64);
        break;
    case AX_CBOR_MAP:
        ax_cbor_put_map(out, item->u64);
        break;
    case AX_CBOR_F64:
        ax_cbor_put_f64(out, item->f64);
        break;
    case AX_CBOR_BOOL:
        ax_cbor_put_bool(out, item->truth);
        break;
    case AX_CBOR_NULL:
        ax_cbor_put_null(out);
        break;
    }
}

/* Every item that is accepted is, byte for byte, what the writer makes of its meaning. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_str bytes = {(const char *)data, size};
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 26), view = ax_writer_of(1 << 26);
    struct ax_reader reader = ax_reader_of(bytes), shown = ax_reader_of(bytes);
    bool good = ax_cbor_check(bytes) == AX_OK;
    while (ax_reader_left(&reader)) {
        struct ax_cbor_item item = ax_cbor_next(&reader);
        if (reader.status == AX_OK)
            put_item(&item, &out);
    }
    AX_ASSERT(!good || reader.status == AX_OK);
    AX_ASSERT(ax_str_starts(bytes, ax_writer_str(&out)));
    ax_cbor_show(&shown, &view);
    const struct ax_json *json;
    AX_ASSERT(!good || shown.status == AX_OK);
    AX_ASSERT(!good || ax_json_parse(&ctx, ax_writer_str(&view), NULL, &json) == AX_OK);
    return 0;
}
