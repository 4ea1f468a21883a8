#include "codec/protobuf.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read is written again and read the same; messages inside are tried a few levels deep. */
static void
check(ax_str bytes, int depth)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 24);
    struct ax_protobuf message = ax_protobuf_of(bytes);
    while (ax_protobuf_next(&message)) {
        ax_writer_clear(&out);
        if (message.wire == AX_PROTOBUF_BYTES) {
            ax_protobuf_put_bytes(&out, message.field, message.bytes);
            AX_ASSERT(message.bytes.at >= bytes.at);
            if (depth > 0)
                check(message.bytes, depth - 1);
            (void)ax_protobuf_count(&message, AX_PROTOBUF_VARINT);
        } else if (message.wire == AX_PROTOBUF_VARINT) {
            ax_protobuf_put_varint(&out, message.field, message.number);
        } else {
            continue;
        }
        struct ax_protobuf again = ax_protobuf_of(ax_writer_str(&out));
        AX_ASSERT(ax_protobuf_next(&again));
        AX_ASSERT(again.field == message.field && again.wire == message.wire);
        AX_ASSERT(message.wire == AX_PROTOBUF_BYTES ? ax_str_eq(again.bytes, message.bytes)
                                                    : again.number == message.number);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check((ax_str){(const char *)data, size}, 3);
    return 0;
}
