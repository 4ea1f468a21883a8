#include "stream/segment_shelf.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/number.h"
#include "base/reader.h"
#include "stream/segment_erasure.h"
#include "stream/segment_frame.h"
#include "stream/segment_scan.h"
#include "sys/file.h"

enum {
    ALIGNMENT = 8,
    INDEX_ENTRY_BYTES = 4,
    ITEMS_FIRST = 16,
    COPY_BYTES = 1 << 20,
    READ_CHUNK_BYTES = 256 * 1024,
    READ_ONE_BYTES = 8 * 1024,
};

#define file_auto [[gnu::cleanup(ax_file_close)]]

ax_status
ax_segment_shelf_init(struct ax_segment_shelf *shelf, struct ax_ctx *ctx, ax_str folder)
{
    if (folder.len >= sizeof shelf->folder_bytes)
        return ax_fail(ctx, AX_INVALID,
                       "the path of a folder of segments has %zu bytes, at most "
                       "%zu are possible",
                       folder.len, sizeof shelf->folder_bytes - 1);
    *shelf = (struct ax_segment_shelf){};
    memcpy(shelf->folder_bytes, folder.at, folder.len);
    shelf->folder = (ax_str){shelf->folder_bytes, folder.len};
    ax_mutex_init(&shelf->mutex);
    ax_mutex_init(&shelf->erasing);
    return AX_OK;
}

void
ax_segment_shelf_done(struct ax_segment_shelf *shelf)
{
    ax_free(shelf->items);
    ax_free(shelf->offsets);
    ax_mutex_done(&shelf->mutex);
    ax_mutex_done(&shelf->erasing);
}

bool
ax_segment_shelf_room(struct ax_segment_shelf *shelf)
{
    if (shelf->item_count < shelf->item_capacity)
        return true;
    size_t capacity = shelf->item_capacity ? shelf->item_capacity * 2 : (size_t)ITEMS_FIRST, bytes;
    if (!ax_mul(capacity, sizeof *shelf->items, &bytes))
        return false;
    struct ax_segment_shelf_item *more = ax_realloc(shelf->items, bytes);
    if (!more)
        return false;
    shelf->items = more;
    shelf->item_capacity = capacity;
    return true;
}

void
ax_segment_shelf_push(struct ax_segment_shelf *shelf, struct ax_segment_shelf_item item)
{
    shelf->items[shelf->item_count++] = item;
}

struct ax_segment_shelf_item *
ax_segment_shelf_last(struct ax_segment_shelf *shelf)
{
    return &shelf->items[shelf->item_count - 1];
}

ax_status
ax_segment_shelf_path(const struct ax_segment_shelf *shelf, struct ax_ctx *ctx, uint64_t first,
                      const char *suffix, ax_str *out_path)
{
    return ax_segment_erasure_path(ctx, shelf->folder, first, suffix, out_path);
}

static ax_status
open_segment(struct ax_ctx *ctx, const struct ax_segment_shelf *shelf, uint64_t first,
             enum ax_file_mode mode, ax_file *out_file)
{
    ax_str path;
    AX_TRY(ax_segment_shelf_path(shelf, ctx, first, "", &path));
    return ax_file_open(ctx, path, mode, out_file);
}

ax_status
ax_segment_shelf_index(const struct ax_segment_shelf *shelf, struct ax_ctx *ctx, uint64_t first,
                       const uint32_t *offsets, size_t count)
{
    ax_str path;
    ax_writer_auto struct ax_writer index = ax_writer_of((size_t)INDEX_ENTRY_BYTES * count + 1);
    AX_TRY(ax_segment_shelf_path(shelf, ctx, first, ".index", &path));
    for (size_t i = 0; i < count; i++)
        ax_writer_u32_le(&index, offsets[i]);
    if (index.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for the index of a segment");
    return ax_file_write_atomic(ctx, path, ax_writer_str(&index));
}

/* ---- reading ---- */

/* Where a durable record is to be found. */
struct place {
    uint64_t first;  /* of its segment */
    uint64_t count;  /* durable records of the segment */
    uint64_t end;    /* of its durable bytes */
    uint64_t offset; /* of the record's frame; 0 when only the index file knows */
};

/* false when the record is not durable (yet). */
static bool
locate(struct ax_segment_shelf *shelf, uint64_t sequence, struct place *out_place)
{
    ax_mutex_lock(&shelf->mutex);
    bool found = sequence < shelf->state.count;
    size_t low = 0, high = shelf->item_count;
    while (found && high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (shelf->items[middle].first <= sequence)
            low = middle;
        else
            high = middle;
    }
    if (found) {
        const struct ax_segment_shelf_item *segment = &shelf->items[low];
        bool last = low + 1 == shelf->item_count;
        uint64_t next = last ? shelf->state.count : segment[1].first;
        *out_place = (struct place){
            .first = segment->first, .count = next - segment->first, .end = segment->end};
        if (last)
            out_place->offset = (uint64_t)shelf->offsets[sequence - segment->first] * ALIGNMENT;
    }
    ax_mutex_unlock(&shelf->mutex);
    return found;
}

/* Reads a sealed segment from end to end and writes its index. */
static ax_status
index_again(struct ax_segment_shelf *shelf, struct ax_ctx *ctx, const struct place *place)
{
    file_auto ax_file file = {-1};
    ax_segment_scan_auto struct ax_segment_scan scan = {};
    AX_TRY(open_segment(ctx, shelf, place->first, AX_FILE_READ, &file));
    AX_TRY(ax_segment_scan_file(ctx, file, place->end, UINT64_MAX, &scan));
    if (scan.head.first != place->first || scan.count != place->count || scan.torn_bytes != 0)
        return ax_fail(ctx, AX_CORRUPT,
                       "segment %016" PRIx64 " holds %" PRIu64 " records, not %" PRIu64,
                       place->first, scan.count, place->count);
    return ax_segment_shelf_index(shelf, ctx, place->first, scan.offsets, (size_t)scan.count);
}

/* What the index file of a sealed segment says: a hint, the frame there must prove it. */
static ax_status
index_read(struct ax_segment_shelf *shelf, struct ax_ctx *ctx, const struct place *place,
           uint64_t sequence, uint64_t *out_offset)
{
    ax_str path;
    char entry[INDEX_ENTRY_BYTES];
    file_auto ax_file file = {-1};
    uint64_t bytes = 0;
    AX_TRY(ax_segment_shelf_path(shelf, ctx, place->first, ".index", &path));
    AX_TRY(ax_file_open(ctx, path, AX_FILE_READ, &file));
    AX_TRY(ax_file_size(ctx, file, &bytes));
    if (bytes != place->count * INDEX_ENTRY_BYTES)
        return ax_fail(ctx, AX_CORRUPT, "%.*s has %" PRIu64 " bytes, not %" PRIu64, AX_FMT(path),
                       bytes, place->count * INDEX_ENTRY_BYTES);
    AX_TRY(ax_file_read_at(ctx, file, (sequence - place->first) * INDEX_ENTRY_BYTES, entry,
                           sizeof entry));
    struct ax_reader reader = ax_reader_of((ax_str){entry, sizeof entry});
    *out_offset = (uint64_t)ax_reader_u32_le(&reader) * ALIGNMENT;
    return AX_OK;
}

static ax_status
find_offset(struct ax_segment_shelf *shelf, struct ax_ctx *ctx, struct place *place,
            uint64_t sequence, ax_file file)
{
    if (place->offset != 0)
        return AX_OK;
    ax_status status = index_read(shelf, ctx, place, sequence, &place->offset);
    if (status == AX_OK) {
        ax_segment_window_auto struct ax_segment_window window = {
            .file = file, .end = place->end, .chunk = AX_SEGMENT_FRAME_HEAD_BYTES};
        struct ax_segment_frame frame;
        status = ax_segment_window_frame(&window, ctx, place->offset, &frame);
        if (status == AX_OK && frame.sequence == sequence && frame.kind == AX_SEGMENT_FRAME_RECORD)
            return AX_OK;
    }
    if (status == AX_LIMIT || status == AX_UNAVAILABLE)
        return status;
    AX_TRY(index_again(shelf, ctx, place));
    return index_read(shelf, ctx, place, sequence, &place->offset);
}

struct record_array {
    AX_ARRAY(struct ax_segment_log_record)
};

struct reading {
    size_t count_max;
    size_t bytes_max;
    size_t bytes;
    uint64_t next; /* record wanted next */
    struct record_array records;
};

static ax_status
take_record(struct ax_ctx *ctx, struct reading *reading, const struct ax_segment_frame *frame)
{
    if (frame->sequence != reading->next)
        return ax_fail(ctx, AX_CORRUPT,
                       "record %" PRIu64 " stands at byte %" PRIu64 " where %" PRIu64 " should",
                       frame->sequence, frame->offset, reading->next);
    struct ax_segment_log_record *record = AX_ARRAY_PUSH(ctx->arena, &reading->records);
    if (!record || !ax_str_copy(ctx->arena, frame->bytes, &record->bytes))
        return ax_fail(ctx, AX_LIMIT, "no memory for record %" PRIu64, frame->sequence);
    reading->next++;
    reading->bytes += frame->bytes.len;
    return AX_OK;
}

static ax_status
take_attachment(struct ax_ctx *ctx, struct reading *reading, const struct ax_segment_frame *frame)
{
    if (reading->records.count == 0 || frame->sequence + 1 != reading->next)
        return ax_fail(ctx, AX_CORRUPT, "the attachment at byte %" PRIu64 " is nobody's",
                       frame->offset);
    struct ax_segment_log_record *record = &reading->records.items[reading->records.count - 1];
    record->erased = frame->kind == AX_SEGMENT_FRAME_ERASED;
    if (!record->erased && !ax_str_copy(ctx->arena, frame->bytes, &record->attachment))
        return ax_fail(ctx, AX_LIMIT, "no memory for an attachment");
    reading->bytes += record->attachment.len;
    return AX_OK;
}

/* Frames from place on, to the end of the segment's durable part or of what is wanted. */
static ax_status
read_segment(struct ax_ctx *ctx, const struct place *place, ax_file file, struct reading *reading)
{
    ax_segment_window_auto struct ax_segment_window window = {
        .file = file,
        .end = place->end,
        .chunk = reading->count_max == 1 ? (size_t)READ_ONE_BYTES : (size_t)READ_CHUNK_BYTES};
    bool full = false;
    for (uint64_t at = place->offset; at < place->end;) {
        struct ax_segment_frame frame;
        AX_TRY(ax_segment_window_frame(&window, ctx, at, &frame));
        at = frame.next;
        if (frame.kind == AX_SEGMENT_FRAME_RECORD && full)
            break;
        if (frame.kind == AX_SEGMENT_FRAME_RECORD)
            AX_TRY(take_record(ctx, reading, &frame));
        else if (frame.kind != AX_SEGMENT_FRAME_TRAILER)
            AX_TRY(take_attachment(ctx, reading, &frame));
        full = reading->records.count == reading->count_max || reading->bytes >= reading->bytes_max;
        if (full && frame.kind == AX_SEGMENT_FRAME_TRAILER)
            break;
    }
    return AX_OK;
}

static ax_status
read_from(struct ax_segment_shelf *shelf, struct ax_ctx *ctx, struct reading *reading)
{
    struct place place;
    while (reading->records.count < reading->count_max && reading->bytes < reading->bytes_max &&
           locate(shelf, reading->next, &place)) {
        file_auto ax_file file = {-1};
        AX_TRY(open_segment(ctx, shelf, place.first, AX_FILE_READ, &file));
        AX_TRY(find_offset(shelf, ctx, &place, reading->next, file));
        uint64_t before = reading->next;
        ax_status status = read_segment(ctx, &place, file, reading);
        if (status == AX_OK && reading->next == before)
            status =
                ax_fail(ctx, AX_CORRUPT, "record %" PRIu64 " is not where it should be", before);
        if (status != AX_OK)
            return ax_explain(ctx, status, "segment %016" PRIx64, place.first);
    }
    return AX_OK;
}

ax_status
ax_segment_shelf_read(struct ax_segment_shelf *shelf, struct ax_ctx *ctx, uint64_t from,
                      size_t count_max, size_t bytes_max,
                      struct ax_segment_log_records *out_records)
{
    const struct reading wanted = {.count_max = count_max, .bytes_max = bytes_max, .next = from};
    struct reading reading = wanted;
    ax_status status = read_from(shelf, ctx, &reading);
    if (status == AX_CORRUPT) { /* met in the middle of an erasure? Again, once it is over. */
        ax_mutex_lock(&shelf->erasing);
        reading = wanted;
        status = read_from(shelf, ctx, &reading);
        ax_mutex_unlock(&shelf->erasing);
    }
    if (status == AX_NOT_FOUND)
        return ax_explain(ctx, AX_CORRUPT, "read record %" PRIu64, from);
    AX_TRY(status);
    *out_records = (struct ax_segment_log_records){reading.records.items, reading.records.count};
    return AX_OK;
}

/* ---- erasing and copying ---- */

static ax_status
find_attachment(struct ax_segment_shelf *shelf, struct ax_ctx *ctx, uint64_t sequence,
                struct ax_segment_erasure *out_item, bool *out_found)
{
    struct place place;
    file_auto ax_file file = {-1};
    struct ax_segment_frame frame;
    if (!locate(shelf, sequence, &place))
        return ax_fail(ctx, AX_NOT_FOUND, "record %" PRIu64 " is not there", sequence);
    AX_TRY(open_segment(ctx, shelf, place.first, AX_FILE_READ, &file));
    AX_TRY(find_offset(shelf, ctx, &place, sequence, file));
    ax_segment_window_auto struct ax_segment_window window = {
        .file = file, .end = place.end, .chunk = READ_ONE_BYTES};
    AX_TRY(ax_segment_window_frame(&window, ctx, place.offset, &frame));
    AX_TRY(ax_segment_window_frame(&window, ctx, frame.next, &frame));
    *out_found = frame.kind == AX_SEGMENT_FRAME_ATTACHMENT;
    *out_item = (struct ax_segment_erasure){place.first, frame.offset, sequence};
    return AX_OK;
}

static ax_status
erase_locked(struct ax_segment_shelf *shelf, struct ax_ctx *ctx, const uint64_t *sequences,
             size_t count)
{
    struct ax_segment_erasure *items = AX_NEW_ARRAY(ctx->arena, struct ax_segment_erasure, count);
    if (!items)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu erasures", count);
    size_t found_count = 0;
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        AX_TRY(find_attachment(shelf, ctx, sequences[i], &items[found_count], &found));
        found_count += found;
    }
    return ax_segment_erasure_run(ctx, shelf->folder, items, found_count);
}

ax_status
ax_segment_shelf_erase(struct ax_segment_shelf *shelf, struct ax_ctx *ctx,
                       const uint64_t *sequences, size_t count)
{
    ax_mutex_lock(&shelf->erasing);
    ax_status status = AX_OK;
    for (size_t at = 0; status == AX_OK && at < count; at += AX_SEGMENT_ERASURE_MAX) {
        size_t part = count - at < AX_SEGMENT_ERASURE_MAX ? count - at : AX_SEGMENT_ERASURE_MAX;
        status = erase_locked(shelf, ctx, sequences + at, part);
    }
    ax_mutex_unlock(&shelf->erasing);
    return status;
}

ax_status
ax_segment_shelf_copy_bytes(struct ax_ctx *ctx, ax_file from, ax_file to, uint64_t start,
                            uint64_t end)
{
    if (start >= end)
        return AX_OK;
    char *buffer = ax_alloc(1, COPY_BYTES);
    if (!buffer)
        return ax_fail(ctx, AX_LIMIT, "no memory to copy a segment");
    ax_status status = AX_OK;
    for (uint64_t at = start; status == AX_OK && at < end; at += COPY_BYTES) {
        size_t len = end - at < COPY_BYTES ? (size_t)(end - at) : (size_t)COPY_BYTES;
        status = ax_file_read_at(ctx, from, at, buffer, len);
        if (status == AX_OK)
            status = ax_file_write_at(ctx, to, at, (ax_str){buffer, len});
    }
    ax_free(buffer);
    return status == AX_OK ? ax_file_sync(ctx, to) : status;
}

/* The bytes of the segment of place that hold records below count. */
static ax_status
copy_end(struct ax_segment_shelf *shelf, struct ax_ctx *ctx, const struct place *place,
         uint64_t count, uint64_t *out_end)
{
    if (place->first + place->count <= count) {
        *out_end = place->end;
        return AX_OK;
    }
    struct place next;
    file_auto ax_file file = {-1};
    if (!locate(shelf, count, &next))
        return ax_fail(ctx, AX_INVALID, "there are fewer than %" PRIu64 " records", count);
    AX_TRY(open_segment(ctx, shelf, next.first, AX_FILE_READ, &file));
    AX_TRY(find_offset(shelf, ctx, &next, count, file));
    *out_end = next.offset;
    return AX_OK;
}

static ax_status
copy_segment(struct ax_segment_shelf *shelf, struct ax_ctx *ctx, const struct place *place,
             uint64_t count, ax_str folder)
{
    ax_str path;
    uint64_t end;
    file_auto ax_file from = {-1};
    file_auto ax_file to = {-1};
    AX_TRY(copy_end(shelf, ctx, place, count, &end));
    AX_TRY(ax_segment_erasure_path(ctx, folder, place->first, "", &path));
    AX_TRY(open_segment(ctx, shelf, place->first, AX_FILE_READ, &from));
    AX_TRY(ax_file_open(ctx, path, AX_FILE_CREATE_NEW, &to));
    return ax_segment_shelf_copy_bytes(ctx, from, to, 0, end);
}

ax_status
ax_segment_shelf_copy(struct ax_segment_shelf *shelf, struct ax_ctx *ctx, uint64_t count,
                      ax_str folder)
{
    AX_TRY(ax_file_make_folders(ctx, folder));
    ax_mutex_lock(&shelf->erasing);
    ax_status status = AX_OK;
    for (uint64_t at = 0; status == AX_OK && at < count;) {
        struct place place = {};
        if (!locate(shelf, at, &place))
            status = ax_fail(ctx, AX_INVALID, "there are fewer than %" PRIu64 " records", count);
        else
            status = copy_segment(shelf, ctx, &place, count, folder);
        at = place.first + place.count;
    }
    ax_mutex_unlock(&shelf->erasing);
    return status == AX_OK ? ax_file_sync_folder(ctx, folder) : status;
}
