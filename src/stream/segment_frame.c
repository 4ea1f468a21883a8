#include "stream/segment_frame.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/reader.h"
#include "stream/crc32c.h"

enum {
    VERSION = 1,
    HEAD_CRC_AT = 56,  /* what the head's CRC covers */
    FRAME_CRC_AT = 24, /* what a frame's CRC covers, besides its bytes */
    ALIGNMENT = 8,
    CHUNK_BYTES = 256 * 1024,
    TRAILER_BODY_BYTES = 56,
};

static const uint32_t head_magic = UINT32_C(0x31535841); /* "AXS1" */

/*
 * Random: far from each other, so that no flipped bit turns one kind into another, and not UTF-8,
 * so that no text in a record looks like a frame.
 */
static const uint32_t frame_magic[] = {
    [AX_SEGMENT_FRAME_RECORD] = UINT32_C(0x3158F2B9),
    [AX_SEGMENT_FRAME_ATTACHMENT] = UINT32_C(0x9DC6A3B5),
    [AX_SEGMENT_FRAME_ERASED] = UINT32_C(0x4E0B7CAA),
    [AX_SEGMENT_FRAME_TRAILER] = UINT32_C(0xE271D9A8),
};

static const char zeros[4'096];

static bool
all_zero(ax_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.at[i])
            return false;
    return true;
}

void
ax_segment_frame_head_write(const struct ax_segment_head *head, struct ax_writer *out)
{
    size_t start = out->len;
    ax_writer_u32_le(out, head_magic);
    ax_writer_u32_le(out, VERSION);
    ax_writer_u64_le(out, head->first);
    ax_writer_u64_le(out, head->batch);
    ax_writer_bytes(out, (ax_str){(const char *)head->mark, sizeof head->mark});
    if (out->status != AX_OK)
        return;
    ax_writer_u32_le(out, ax_crc32c(0, (ax_str){out->at + start, HEAD_CRC_AT}));
    ax_writer_bytes(out, (ax_str){zeros, AX_SEGMENT_HEAD_BYTES - HEAD_CRC_AT - 4});
}

ax_status
ax_segment_frame_head_read(ax_str bytes, struct ax_segment_head *out_head)
{
    struct ax_reader reader = ax_reader_of(bytes);
    struct ax_segment_head head;
    uint32_t magic = ax_reader_u32_le(&reader);
    uint32_t version = ax_reader_u32_le(&reader);
    head.first = ax_reader_u64_le(&reader);
    head.batch = ax_reader_u64_le(&reader);
    ax_str mark = ax_reader_bytes(&reader, sizeof head.mark);
    uint32_t crc = ax_reader_u32_le(&reader);
    ax_str rest = ax_reader_bytes(&reader, AX_SEGMENT_HEAD_BYTES - HEAD_CRC_AT - 4);
    if (reader.status != AX_OK || magic != head_magic || version != VERSION || !all_zero(rest) ||
        crc != ax_crc32c(0, (ax_str){bytes.at, HEAD_CRC_AT}))
        return AX_INVALID;
    memcpy(head.mark, mark.at, sizeof head.mark);
    *out_head = head;
    return AX_OK;
}

uint64_t
ax_segment_frame_size(uint64_t bytes)
{
    return (AX_SEGMENT_FRAME_HEAD_BYTES + bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void
write_zeros(struct ax_writer *out, size_t len)
{
    while (len > 0 && out->status == AX_OK) {
        size_t part = len < sizeof zeros ? len : sizeof zeros;
        ax_writer_bytes(out, (ax_str){zeros, part});
        len -= part;
    }
}

void
ax_segment_frame_write(const struct ax_segment_frame *frame, struct ax_writer *out)
{
    size_t start = out->len;
    ax_writer_u32_le(out, frame_magic[frame->kind]);
    ax_writer_u32_le(out, (uint32_t)frame->bytes.len);
    ax_writer_u64_le(out, frame->sequence);
    ax_writer_u64_le(out, frame->batch);
    ax_writer_u32_le(out, 0);
    if (frame->kind == AX_SEGMENT_FRAME_ERASED)
        write_zeros(out, frame->bytes.len);
    else
        ax_writer_bytes(out, frame->bytes);
    write_zeros(out, ax_segment_frame_size(frame->bytes.len) - AX_SEGMENT_FRAME_HEAD_BYTES -
                         frame->bytes.len);
    if (out->status != AX_OK)
        return;

    const char *body = out->at + start + AX_SEGMENT_FRAME_HEAD_BYTES;
    uint32_t crc = ax_crc32c(0, (ax_str){out->at + start, FRAME_CRC_AT});
    crc = ax_crc32c(crc, (ax_str){body, frame->bytes.len});
    for (int i = 0; i < 4; i++)
        out->at[start + FRAME_CRC_AT + (size_t)i] = (char)(uint8_t)(crc >> (8 * i));
}

void
ax_segment_frame_trailer_write(const struct ax_segment_trailer *trailer, uint64_t batch,
                               struct ax_writer *out)
{
    char body[TRAILER_BODY_BYTES];
    const uint64_t numbers[] = {trailer->count, trailer->first, trailer->bytes};
    for (size_t i = 0; i < sizeof numbers; i++)
        body[i] = (char)(uint8_t)(numbers[i / 8] >> (8 * (i % 8)));
    memcpy(body + sizeof numbers, trailer->mark, sizeof trailer->mark);
    static_assert(sizeof numbers + sizeof trailer->mark == TRAILER_BODY_BYTES);
    const struct ax_segment_frame frame = {
        .kind = AX_SEGMENT_FRAME_TRAILER,
        .sequence = trailer->first + trailer->count - 1,
        .batch = batch,
        .bytes = {body, sizeof body},
    };
    ax_segment_frame_write(&frame, out);
}

static bool
kind_of(uint32_t magic, enum ax_segment_frame_kind *out_kind)
{
    for (size_t i = 0; i < AX_COUNT_OF(frame_magic); i++)
        if (frame_magic[i] == magic) {
            *out_kind = (enum ax_segment_frame_kind)i;
            return true;
        }
    return false;
}

ax_status
ax_segment_frame_read(ax_str bytes, struct ax_segment_frame *out_frame)
{
    struct ax_reader reader = ax_reader_of(bytes);
    struct ax_segment_frame frame = {};
    uint32_t magic = ax_reader_u32_le(&reader);
    uint32_t len = ax_reader_u32_le(&reader);
    frame.sequence = ax_reader_u64_le(&reader);
    frame.batch = ax_reader_u64_le(&reader);
    uint32_t crc = ax_reader_u32_le(&reader);
    if (reader.status != AX_OK)
        return AX_LIMIT;
    if (!kind_of(magic, &frame.kind) || len > AX_SEGMENT_FRAME_BYTES_MAX)
        return AX_INVALID;
    frame.next = ax_segment_frame_size(len);
    if (frame.next > bytes.len)
        return AX_LIMIT;
    frame.bytes = ax_reader_bytes(&reader, len);
    ax_str pad = ax_reader_bytes(&reader, frame.next - AX_SEGMENT_FRAME_HEAD_BYTES - len);
    uint32_t found = ax_crc32c(0, (ax_str){bytes.at, FRAME_CRC_AT});
    if (crc != ax_crc32c(found, frame.bytes) || !all_zero(pad))
        return AX_INVALID;
    if (frame.kind == AX_SEGMENT_FRAME_ERASED && !all_zero(frame.bytes))
        return AX_INVALID;
    *out_frame = frame;
    return AX_OK;
}

bool
ax_segment_frame_trailer_read(const struct ax_segment_frame *frame,
                              struct ax_segment_trailer *out_trailer)
{
    struct ax_reader reader = ax_reader_of(frame->bytes);
    struct ax_segment_trailer trailer;
    trailer.count = ax_reader_u64_le(&reader);
    trailer.first = ax_reader_u64_le(&reader);
    trailer.bytes = ax_reader_u64_le(&reader);
    ax_str mark = ax_reader_bytes(&reader, sizeof trailer.mark);
    if (frame->kind != AX_SEGMENT_FRAME_TRAILER || reader.status != AX_OK ||
        ax_reader_left(&reader) != 0)
        return false;
    memcpy(trailer.mark, mark.at, sizeof trailer.mark);
    *out_trailer = trailer;
    return true;
}

/* ---- the window ---- */

static ax_status
window_fill(struct ax_segment_window *window, struct ax_ctx *ctx, uint64_t offset, size_t len)
{
    if (len > window->capacity) {
        char *buffer = ax_realloc(window->buffer, len);
        if (!buffer)
            return ax_fail(ctx, AX_LIMIT, "no memory for %zu bytes of a segment", len);
        window->buffer = buffer;
        window->capacity = len;
    }
    window->len = 0;
    AX_TRY(ax_file_read_at(ctx, window->file, offset, window->buffer, len));
    window->base = offset;
    window->len = len;
    return AX_OK;
}

ax_status
ax_segment_window_bytes(struct ax_segment_window *window, struct ax_ctx *ctx, uint64_t offset,
                        size_t len, ax_str *out_bytes)
{
    uint64_t left = offset < window->end ? window->end - offset : 0;
    len = len < left ? len : (size_t)left;
    bool inside = offset >= window->base && offset - window->base <= window->len &&
                  window->len - (offset - window->base) >= len;
    if (!inside) {
        size_t chunk = window->chunk ? window->chunk : CHUNK_BYTES;
        size_t want = len > chunk ? len : chunk;
        AX_TRY(window_fill(window, ctx, offset, want < left ? want : (size_t)left));
    }
    *out_bytes = (ax_str){len ? window->buffer + (offset - window->base) : "", len};
    return AX_OK;
}

ax_status
ax_segment_window_frame(struct ax_segment_window *window, struct ax_ctx *ctx, uint64_t offset,
                        struct ax_segment_frame *out_frame)
{
    ax_str bytes;
    AX_TRY(ax_segment_window_bytes(window, ctx, offset, AX_SEGMENT_FRAME_HEAD_BYTES, &bytes));
    struct ax_reader reader = ax_reader_of(bytes);
    enum ax_segment_frame_kind kind;
    bool known = kind_of(ax_reader_u32_le(&reader), &kind);
    uint64_t size = ax_segment_frame_size(ax_reader_u32_le(&reader));
    if (reader.status != AX_OK || !known ||
        size > ax_segment_frame_size(AX_SEGMENT_FRAME_BYTES_MAX))
        return ax_fail(ctx, AX_CORRUPT, "no frame at byte %" PRIu64, offset);
    AX_TRY(ax_segment_window_bytes(window, ctx, offset, (size_t)size, &bytes));
    struct ax_segment_frame frame;
    if (ax_segment_frame_read(bytes, &frame) != AX_OK)
        return ax_fail(ctx, AX_CORRUPT, "the frame at byte %" PRIu64 " is broken", offset);
    frame.offset = offset;
    frame.next += offset;
    *out_frame = frame;
    return AX_OK;
}

void
ax_segment_window_free(struct ax_segment_window *window)
{
    ax_free(window->buffer);
    window->buffer = NULL;
    window->capacity = window->len = 0;
}
