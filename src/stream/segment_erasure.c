#include "stream/segment_erasure.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/reader.h"
#include "stream/crc32c.h"

enum { ITEM_BYTES = 24, NOTE_BYTES_MAX = 16 + ITEM_BYTES * AX_SEGMENT_ERASURE_MAX };

static const char note_name[] = "erasing";

#define file_auto [[gnu::cleanup(ax_file_close)]]

ax_status
ax_segment_erasure_path(struct ax_ctx *ctx, ax_str folder, uint64_t first, const char *suffix,
                        ax_str *out_path)
{
    ax_str path = ax_str_printf(ctx->arena, "%.*s/%016" PRIx64 "%s", AX_FMT(folder), first, suffix);
    if (!path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    *out_path = path;
    return AX_OK;
}

static ax_status
note_path(struct ax_ctx *ctx, ax_str folder, ax_str *out_path)
{
    ax_str path = ax_path_join(ctx->arena, folder, ax_str_of(note_name));
    if (!path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    *out_path = path;
    return AX_OK;
}

static ax_status
note_write(struct ax_ctx *ctx, ax_str path, const struct ax_segment_erasure *items, size_t count)
{
    ax_writer_auto struct ax_writer note = ax_writer_of(NOTE_BYTES_MAX);
    ax_writer_u64_le(&note, count);
    for (size_t i = 0; i < count; i++) {
        ax_writer_u64_le(&note, items[i].segment);
        ax_writer_u64_le(&note, items[i].offset);
        ax_writer_u64_le(&note, items[i].sequence);
    }
    ax_writer_u64_le(&note, ax_crc32c(0, ax_writer_str(&note)));
    if (note.status != AX_OK)
        return ax_fail(ctx, note.status, "no memory for a note of %zu erasures", count);
    return ax_file_write_atomic(ctx, path, ax_writer_str(&note));
}

static ax_status
note_read(struct ax_ctx *ctx, ax_str path, struct ax_segment_erasure **out_items, size_t *out_count)
{
    ax_str note;
    AX_TRY(ax_file_read_all(ctx, path, NOTE_BYTES_MAX, &note));
    struct ax_reader reader = ax_reader_of(note);
    uint64_t count = ax_reader_u64_le(&reader);
    if (count > AX_SEGMENT_ERASURE_MAX || note.len != 16 + ITEM_BYTES * count)
        return ax_fail(ctx, AX_CORRUPT, "%.*s is not a note of erasures", AX_FMT(path));
    struct ax_segment_erasure *items =
        AX_NEW_ARRAY(ctx->arena, struct ax_segment_erasure, (size_t)count);
    if (!items)
        return ax_fail(ctx, AX_LIMIT, "no memory for %" PRIu64 " erasures", count);
    for (size_t i = 0; i < count; i++) {
        items[i].segment = ax_reader_u64_le(&reader);
        items[i].offset = ax_reader_u64_le(&reader);
        items[i].sequence = ax_reader_u64_le(&reader);
    }
    uint32_t crc = ax_crc32c(0, (ax_str){note.at, note.len - 8});
    if (ax_reader_u64_le(&reader) != crc)
        return ax_fail(ctx, AX_CORRUPT, "%.*s is not what was written", AX_FMT(path));
    *out_items = items;
    *out_count = (size_t)count;
    return AX_OK;
}

/*
 * The frame's length is needed and its CRC may not hold any more (a crash in the middle), so only
 * sequence and length are believed; what is written is whole again in any case.
 */
static ax_status
overwrite(struct ax_ctx *ctx, ax_file file, const struct ax_segment_erasure *item)
{
    char head[AX_SEGMENT_FRAME_HEAD_BYTES];
    AX_TRY(ax_file_read_at(ctx, file, item->offset, head, sizeof head));
    struct ax_reader reader = ax_reader_of((ax_str){head, sizeof head});
    ax_reader_u32_le(&reader);
    uint32_t len = ax_reader_u32_le(&reader);
    uint64_t sequence = ax_reader_u64_le(&reader);
    uint64_t batch = ax_reader_u64_le(&reader);
    if (sequence != item->sequence || len > AX_SEGMENT_FRAME_BYTES_MAX)
        return ax_fail(ctx, AX_CORRUPT,
                       "erase record %" PRIu64 ": its attachment is not at byte %" PRIu64,
                       item->sequence, item->offset);
    ax_writer_auto struct ax_writer frame =
        ax_writer_of(AX_SEGMENT_FRAME_BYTES_MAX + 2 * AX_SEGMENT_FRAME_HEAD_BYTES);
    ax_segment_frame_write(&(struct ax_segment_frame){.kind = AX_SEGMENT_FRAME_ERASED,
                                                      .sequence = sequence,
                                                      .batch = batch,
                                                      .bytes = {NULL, len}},
                           &frame);
    if (frame.status != AX_OK)
        return ax_fail(ctx, frame.status, "no memory to erase %" PRIu32 " bytes", len);
    return ax_file_write_at(ctx, file, item->offset, ax_writer_str(&frame));
}

/* Items of one segment: opened and synced once. */
static ax_status
overwrite_segment(struct ax_ctx *ctx, ax_str folder, const struct ax_segment_erasure *items,
                  size_t count)
{
    ax_str path;
    file_auto ax_file file = {-1};
    AX_TRY(ax_segment_erasure_path(ctx, folder, items->segment, "", &path));
    if (!ax_file_exists(path))
        return ax_fail(ctx, AX_CORRUPT, "erase: the segment %.*s is missing", AX_FMT(path));
    AX_TRY(ax_file_open(ctx, path, AX_FILE_WRITE, &file));
    for (size_t i = 0; i < count; i++)
        AX_TRY(overwrite(ctx, file, &items[i]));
    return ax_file_sync(ctx, file);
}

static ax_status
overwrite_all(struct ax_ctx *ctx, ax_str folder, const struct ax_segment_erasure *items,
              size_t count)
{
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && items[end].segment == items[i].segment)
            end++;
        AX_TRY(overwrite_segment(ctx, folder, items + i, end - i));
        i = end;
    }
    return AX_OK;
}

static ax_status
note_remove(struct ax_ctx *ctx, ax_str folder, ax_str path)
{
    AX_TRY(ax_file_remove(ctx, path));
    return ax_file_sync_folder(ctx, folder);
}

ax_status
ax_segment_erasure_run(struct ax_ctx *ctx, ax_str folder, const struct ax_segment_erasure *items,
                       size_t count)
{
    AX_ASSERT(count <= AX_SEGMENT_ERASURE_MAX);
    if (count == 0)
        return AX_OK;
    ax_str note;
    AX_TRY(note_path(ctx, folder, &note));
    AX_TRY(note_write(ctx, note, items, count));
    AX_TRY(overwrite_all(ctx, folder, items, count));
    return note_remove(ctx, folder, note);
}

ax_status
ax_segment_erasure_finish(struct ax_ctx *ctx, ax_str folder)
{
    ax_str note;
    struct ax_segment_erasure *items = NULL;
    size_t count = 0;
    AX_TRY(note_path(ctx, folder, &note));
    if (!ax_file_exists(note))
        return AX_OK;
    AX_TRY(note_read(ctx, note, &items, &count));
    AX_TRY(overwrite_all(ctx, folder, items, count));
    return note_remove(ctx, folder, note);
}
