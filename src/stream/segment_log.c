#include "stream/segment_log.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/fault.h"
#include "stream/segment_erasure.h"
#include "stream/segment_frame.h"
#include "stream/segment_scan.h"
#include "stream/segment_shelf.h"
#include "sys/file.h"
#include "sys/mutex.h"

enum {
    NAME_DIGITS = 16,
    ALIGNMENT = 8,
};

/* Every batch that reserve let pass fits: u32 offsets count units of 8 bytes. */
static const uint64_t batch_bytes_max = UINT64_C(1) << 30;

#define file_auto [[gnu::cleanup(ax_file_close)]]

struct ax_segment_log {
    struct ax_stream stream;
    struct ax_segment_log_config config;
    struct ax_segment_shelf shelf;

    uint64_t prepared;       /* guarded by shelf.mutex; size of the last segment's file */
    struct ax_mutex growing; /* held while the last segment's file is made longer or changed */
    uint64_t ahead;          /* guarded by growing; zeros that the background keeps ready */

    /* the writer's */
    ax_file file;
    uint64_t at;      /* where the next batch goes */
    uint64_t written; /* records, synced or not */
    uint64_t batch;
    uint8_t mark[AX_SEGMENT_LOG_MARK_BYTES];
    struct ax_writer buffer;
    bool failed;
};

static_assert(AX_SEGMENT_LOG_MARK_BYTES == (int)AX_SEGMENT_MARK_BYTES);
static_assert(AX_SEGMENT_LOG_FRAME_BYTES == (int)AX_SEGMENT_FRAME_HEAD_BYTES);

static ax_status
open_segment(struct ax_ctx *ctx, const struct ax_segment_log *log, uint64_t first,
             enum ax_file_mode mode, ax_file *out_file)
{
    ax_str path;
    AX_TRY(ax_segment_shelf_path(&log->shelf, ctx, first, "", &path));
    return ax_file_open(ctx, path, mode, out_file);
}

static ax_status
refuse(struct ax_ctx *ctx, const struct ax_segment_log *log)
{
    if (log->config.read_only)
        return ax_fail(ctx, AX_UNAVAILABLE, "the segments in %s were opened to be read only",
                       log->shelf.folder_bytes);
    return ax_fail(ctx, AX_UNAVAILABLE,
                   "a write to the segments in %s failed before; what the disk holds is not known "
                   "until they are opened again",
                   log->shelf.folder_bytes);
}

/* ---- making segments ---- */

static uint64_t
prepare_target(uint64_t needed, uint64_t step)
{
    return (needed + step - 1) / step * step;
}

/*
 * Makes the file at path hold zeros up to `bytes`. Through a descriptor of its own, so that an
 * error of this sync is not taken from the one that the writer's next sync would meet.
 */
static ax_status
zero_fill(struct ax_ctx *ctx, ax_str path, uint64_t bytes)
{
    file_auto ax_file file = {-1};
    AX_TRY(ax_file_open(ctx, path, AX_FILE_WRITE, &file));
    return ax_file_prepare(ctx, file, bytes);
}

static ax_status
spare_path(struct ax_ctx *ctx, const struct ax_segment_log *log, ax_str *out_path)
{
    ax_str path = ax_path_join(ctx->arena, log->shelf.folder, AX_STR("spare"));
    if (!path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    *out_path = path;
    return AX_OK;
}

/* A whole new segment, durable, under the spare's name; out_file: open, with head and zeros. */
static ax_status
spare_fill(struct ax_segment_log *log, struct ax_ctx *ctx, const struct ax_segment_head *head,
           uint64_t bytes, ax_file *out_file)
{
    ax_str spare;
    file_auto ax_file file = {-1};
    ax_writer_auto struct ax_writer buffer = ax_writer_of(AX_SEGMENT_HEAD_BYTES);
    AX_TRY(spare_path(ctx, log, &spare));
    ax_segment_frame_head_write(head, &buffer);
    if (buffer.status != AX_OK)
        return ax_fail(ctx, buffer.status, "no memory for a segment's head");
    AX_TRY(zero_fill(ctx, spare, bytes));
    AX_TRY(ax_file_open(ctx, spare, AX_FILE_WRITE, &file));
    AX_TRY(ax_file_write_at(ctx, file, 0, ax_writer_str(&buffer)));
    AX_TRY(ax_file_sync(ctx, file));
    *out_file = file;
    file.fd = -1;
    return AX_OK;
}

static ax_status
spare_rename(struct ax_segment_log *log, struct ax_ctx *ctx, uint64_t first)
{
    ax_str spare, path;
    AX_TRY(spare_path(ctx, log, &spare));
    AX_TRY(ax_segment_shelf_path(&log->shelf, ctx, first, "", &path));
    AX_TRY(ax_file_rename(ctx, spare, path));
    return ax_file_sync_folder(ctx, log->shelf.folder);
}

/*
 * Cuts the present segment to its end and gives the next one its name. A failure in here leaves a
 * disk that only opening again can judge.
 */
static ax_status
seal(struct ax_segment_log *log, struct ax_ctx *ctx)
{
    ax_status status = ax_file_truncate(ctx, log->file, log->at);
    if (status == AX_OK)
        status = ax_file_sync(ctx, log->file);
    if (status == AX_OK)
        status = spare_rename(log, ctx, log->written);
    log->failed = status != AX_OK;
    return status == AX_OK ? AX_OK : ax_explain(ctx, AX_UNAVAILABLE, "seal a segment");
}

static ax_status
roll_locked(struct ax_segment_log *log, struct ax_ctx *ctx, uint64_t bytes)
{
    const struct ax_segment_shelf_item *last = ax_segment_shelf_last(&log->shelf);
    struct ax_segment_head head = {.first = log->written, .batch = log->batch};
    memcpy(head.mark, log->mark, sizeof head.mark);
    file_auto ax_file next = {-1};
    AX_TRY(ax_segment_shelf_index(&log->shelf, ctx, last->first, log->shelf.offsets,
                                  (size_t)(log->written - last->first)));
    AX_TRY(spare_fill(log, ctx, &head, bytes, &next));
    AX_TRY(ax_file_size(ctx, next, &bytes));
    ax_mutex_lock(&log->shelf.mutex);
    bool room = ax_segment_shelf_room(&log->shelf);
    ax_mutex_unlock(&log->shelf.mutex);
    if (!room)
        return ax_fail(ctx, AX_LIMIT, "no memory for one more segment");
    AX_TRY(seal(log, ctx));

    ax_mutex_lock(&log->shelf.mutex);
    ax_segment_shelf_push(&log->shelf,
                          (struct ax_segment_shelf_item){log->written, AX_SEGMENT_HEAD_BYTES});
    log->shelf.state.bytes += AX_SEGMENT_HEAD_BYTES;
    log->prepared = bytes;
    ax_mutex_unlock(&log->shelf.mutex);
    ax_file_close(&log->file);
    log->file = next;
    next.fd = -1;
    log->at = AX_SEGMENT_HEAD_BYTES;
    return AX_OK;
}

/* Ends the present segment and begins the next one. Everything written is synced before. */
static ax_status
roll(struct ax_segment_log *log, struct ax_ctx *ctx, uint64_t batch_bytes)
{
    AX_TRY(ax_segment_log_sync(log, ctx));
    ax_mutex_lock(&log->growing);
    ax_status status = roll_locked(
        log, ctx,
        prepare_target(AX_SEGMENT_HEAD_BYTES + batch_bytes, (uint64_t)log->config.prepare_bytes));
    ax_mutex_unlock(&log->growing);
    return status;
}

/* Zeros up to `needed` in the segment that is written to. */
static ax_status
grow(struct ax_segment_log *log, struct ax_ctx *ctx, uint64_t first, uint64_t needed, uint64_t step)
{
    ax_str path;
    uint64_t target = prepare_target(needed, step);
    AX_TRY(ax_segment_shelf_path(&log->shelf, ctx, first, "", &path));
    AX_TRY(zero_fill(ctx, path, target));
    ax_mutex_lock(&log->shelf.mutex);
    log->prepared = target > log->prepared ? target : log->prepared;
    ax_mutex_unlock(&log->shelf.mutex);
    return AX_OK;
}

static uint64_t
prepared_bytes(struct ax_segment_log *log)
{
    ax_mutex_lock(&log->shelf.mutex);
    uint64_t bytes = log->prepared;
    ax_mutex_unlock(&log->shelf.mutex);
    return bytes;
}

ax_status
ax_segment_log_prepare(struct ax_segment_log *log, struct ax_ctx *ctx)
{
    if (log->config.read_only)
        return AX_OK;
    ax_mutex_lock(&log->growing);
    ax_mutex_lock(&log->shelf.mutex);
    const struct ax_segment_shelf_item last = *ax_segment_shelf_last(&log->shelf);
    uint64_t prepared = log->prepared;
    ax_mutex_unlock(&log->shelf.mutex);

    uint64_t step = log->ahead;
    uint64_t ceiling = (uint64_t)log->config.segment_bytes;
    ax_status status = AX_OK;
    ax_str spare;
    if (prepared < last.end + step && prepared < ceiling)
        status = grow(log, ctx, last.first, prepared + 1, step);
    if (status == AX_OK && last.end + 2 * step > ceiling) {
        status = spare_path(ctx, log, &spare);
        if (status == AX_OK)
            status = zero_fill(ctx, spare, step);
    }
    ax_mutex_unlock(&log->growing);
    return status;
}

/* ---- writing ---- */

uint64_t
ax_segment_log_record_bytes(size_t bytes, size_t attachment_bytes)
{
    return ax_segment_frame_size(bytes) +
           (attachment_bytes ? ax_segment_frame_size(attachment_bytes) : 0);
}

/* Memory and zeros for a batch in the present segment. */
static ax_status
reserve_here(struct ax_segment_log *log, struct ax_ctx *ctx, uint64_t bytes)
{
    uint64_t first = ax_segment_shelf_last(&log->shelf)->first;
    size_t held = (size_t)(log->written - first + bytes / AX_SEGMENT_FRAME_HEAD_BYTES);
    ax_mutex_lock(&log->shelf.mutex);
    bool room = ax_segment_scan_room(&log->shelf.offsets, &log->shelf.offset_capacity, held);
    ax_mutex_unlock(&log->shelf.mutex);
    ax_writer_clear(&log->buffer);
    if (!room || !ax_writer_room(&log->buffer, (size_t)bytes))
        return ax_fail(ctx, AX_LIMIT, "no memory for a batch of %" PRIu64 " bytes", bytes);
    if (log->at + bytes <= prepared_bytes(log))
        return AX_OK;
    ax_mutex_lock(&log->growing);
    ax_status status = AX_OK;
    if (log->at + bytes > prepared_bytes(log)) { /* the background did not come in time */
        status = grow(log, ctx, first, log->at + bytes, (uint64_t)log->config.prepare_bytes);
        log->ahead = 2 * log->ahead < (uint64_t)log->config.segment_bytes
                         ? 2 * log->ahead
                         : (uint64_t)log->config.segment_bytes;
    }
    ax_mutex_unlock(&log->growing);
    return status;
}

ax_status
ax_segment_log_reserve(struct ax_segment_log *log, struct ax_ctx *ctx, uint64_t bytes)
{
    bytes += AX_SEGMENT_TRAILER_BYTES;
    if (log->failed || log->config.read_only)
        return refuse(ctx, log);
    if (bytes > batch_bytes_max)
        return ax_fail(ctx, AX_LIMIT, "a batch of %" PRIu64 " bytes, at most %" PRIu64, bytes,
                       batch_bytes_max);
    bool used = log->at > AX_SEGMENT_HEAD_BYTES;
    if (used && log->at + bytes > (uint64_t)log->config.segment_bytes)
        AX_TRY(roll(log, ctx, bytes));
    return reserve_here(log, ctx, bytes);
}

/*
 * The batch's bytes in the buffer; notes where each record stands. Memory was reserved. Readers
 * look only at offsets of durable records, so no lock is needed for those that are added.
 */
static void
encode_batch(struct ax_segment_log *log, const struct ax_segment_log_record *records, size_t count,
             const uint8_t mark[AX_SEGMENT_LOG_MARK_BYTES])
{
    uint32_t *offsets = log->shelf.offsets;
    uint64_t first = ax_segment_shelf_last(&log->shelf)->first;
    ax_writer_clear(&log->buffer);
    for (size_t i = 0; i < count; i++) {
        uint64_t sequence = log->written + i;
        offsets[sequence - first] = (uint32_t)((log->at + log->buffer.len) / ALIGNMENT);
        struct ax_segment_frame frame = {.kind = AX_SEGMENT_FRAME_RECORD,
                                         .sequence = sequence,
                                         .batch = log->batch + 1,
                                         .bytes = records[i].bytes};
        ax_segment_frame_write(&frame, &log->buffer);
        frame.kind = AX_SEGMENT_FRAME_ATTACHMENT;
        frame.bytes = records[i].attachment;
        if (frame.bytes.len > 0)
            ax_segment_frame_write(&frame, &log->buffer);
    }
    struct ax_segment_trailer trailer = {
        .count = count, .first = log->written, .bytes = log->buffer.len};
    memcpy(trailer.mark, mark, sizeof trailer.mark);
    ax_segment_frame_trailer_write(&trailer, log->batch + 1, &log->buffer);
}

ax_status
ax_segment_log_write(struct ax_segment_log *log, struct ax_ctx *ctx,
                     const struct ax_segment_log_record *records, size_t count,
                     const uint8_t mark[AX_SEGMENT_LOG_MARK_BYTES])
{
    AX_ASSERT(count > 0);
    if (log->failed || log->config.read_only)
        return refuse(ctx, log);
    encode_batch(log, records, count, mark);
    AX_ASSERT(log->buffer.status == AX_OK);
    ax_status status = ax_file_write_at(ctx, log->file, log->at, ax_writer_str(&log->buffer));
    if (status != AX_OK) {
        log->failed = true;
        return ax_explain(ctx, AX_UNAVAILABLE, "write batch %" PRIu64, log->batch + 1);
    }
    log->at += log->buffer.len;
    log->written += count;
    log->batch++;
    memcpy(log->mark, mark, sizeof log->mark);
    return AX_OK;
}

ax_status
ax_segment_log_sync(struct ax_segment_log *log, struct ax_ctx *ctx)
{
    if (log->failed || log->config.read_only)
        return refuse(ctx, log);
    if (log->shelf.state.batch == log->batch)
        return AX_OK;
    if (ax_file_sync(ctx, log->file) != AX_OK) {
        log->failed = true;
        return ax_explain(ctx, AX_UNAVAILABLE, "sync batch %" PRIu64, log->batch);
    }
    ax_mutex_lock(&log->shelf.mutex);
    struct ax_segment_shelf_item *last = ax_segment_shelf_last(&log->shelf);
    log->shelf.state.bytes += log->at - last->end;
    last->end = log->at;
    log->shelf.state.count = log->written;
    log->shelf.state.batch = log->batch;
    memcpy(log->shelf.state.mark, log->mark, sizeof log->mark);
    ax_mutex_unlock(&log->shelf.mutex);
    return AX_OK;
}

void
ax_segment_log_state(struct ax_segment_log *log, struct ax_segment_log_state *out_state)
{
    ax_mutex_lock(&log->shelf.mutex);
    *out_state = log->shelf.state;
    ax_mutex_unlock(&log->shelf.mutex);
}

/* ---- what the shelf does ---- */

ax_status
ax_segment_log_read(struct ax_segment_log *log, struct ax_ctx *ctx, uint64_t from, size_t count_max,
                    size_t bytes_max, struct ax_segment_log_records *out_records)
{
    return ax_segment_shelf_read(&log->shelf, ctx, from, count_max, bytes_max, out_records);
}

ax_status
ax_segment_log_erase(struct ax_segment_log *log, struct ax_ctx *ctx, const uint64_t *sequences,
                     size_t count)
{
    if (log->config.read_only)
        return refuse(ctx, log);
    return ax_segment_shelf_erase(&log->shelf, ctx, sequences, count);
}

ax_status
ax_segment_log_copy(struct ax_segment_log *log, struct ax_ctx *ctx, uint64_t count, ax_str folder)
{
    return ax_segment_shelf_copy(&log->shelf, ctx, count, folder);
}

/* ---- opening and closing ---- */

static bool
name_parse(ax_str name, uint64_t *out_first)
{
    uint64_t first = 0;
    if (name.len != NAME_DIGITS)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
        if (!digit && !letter)
            return false;
        first = first << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    *out_first = first;
    return true;
}

static ax_status
list_segments(struct ax_segment_log *log, struct ax_ctx *ctx)
{
    ax_str *names = NULL;
    size_t count = 0;
    AX_TRY(ax_file_list(ctx, log->shelf.folder, &names, &count));
    for (size_t i = 0; i < count; i++) {
        struct ax_segment_shelf_item item = {};
        if (!name_parse(names[i], &item.first))
            continue;
        if (!ax_segment_shelf_room(&log->shelf))
            return ax_fail(ctx, AX_LIMIT, "no memory for %zu segments", count);
        ax_segment_shelf_push(&log->shelf, item);
    }
    if (log->shelf.item_count > 0 && log->shelf.items[0].first != 0)
        return ax_fail(ctx, AX_CORRUPT,
                       "the first segments are missing: %016" PRIx64 " is the lowest in %s",
                       log->shelf.items[0].first, log->shelf.folder_bytes);
    return AX_OK;
}

/* A sealed segment ends with the trailer that its successor's head names. */
static ax_status
check_sealed(struct ax_segment_log *log, struct ax_ctx *ctx, struct ax_segment_shelf_item *segment)
{
    file_auto ax_file file = {-1}, next = {-1};
    char head_bytes[AX_SEGMENT_HEAD_BYTES], bytes[AX_SEGMENT_TRAILER_BYTES];
    struct ax_segment_head head;
    struct ax_segment_frame frame;
    struct ax_segment_trailer trailer;
    AX_TRY(open_segment(ctx, log, segment[1].first, AX_FILE_READ, &next));
    AX_TRY(ax_file_read_at(ctx, next, 0, head_bytes, sizeof head_bytes));
    if (ax_segment_frame_head_read((ax_str){head_bytes, sizeof head_bytes}, &head) != AX_OK ||
        head.first != segment[1].first)
        return ax_fail(ctx, AX_CORRUPT, "the head of segment %016" PRIx64 " is broken",
                       segment[1].first);
    AX_TRY(open_segment(ctx, log, segment->first, AX_FILE_READ, &file));
    AX_TRY(ax_file_size(ctx, file, &segment->end));
    if (segment->end < AX_SEGMENT_HEAD_BYTES + sizeof bytes)
        return ax_fail(ctx, AX_CORRUPT, "segment %016" PRIx64 " is cut short", segment->first);
    AX_TRY(ax_file_read_at(ctx, file, segment->end - sizeof bytes, bytes, sizeof bytes));
    bool whole = ax_segment_frame_read((ax_str){bytes, sizeof bytes}, &frame) == AX_OK &&
                 ax_segment_frame_trailer_read(&frame, &trailer);
    if (!whole || frame.sequence + 1 != head.first || frame.batch != head.batch ||
        memcmp(trailer.mark, head.mark, sizeof head.mark) != 0)
        return ax_fail(ctx, AX_CORRUPT,
                       "segment %016" PRIx64 " does not end with record %" PRIu64
                       " as the next one says",
                       segment->first, head.first - 1);
    log->shelf.state.bytes += segment->end;
    return AX_OK;
}

/*
 * Cuts off what is torn, and writes the tail again as it stands: after a failed sync pages may
 * look clean that never reached the disk.
 */
static ax_status
repair(struct ax_segment_log *log, struct ax_ctx *ctx, const struct ax_segment_scan *scan)
{
    if (scan->torn_bytes > 0) {
        AX_TRY(ax_file_truncate(ctx, log->file, scan->end));
        AX_TRY(ax_file_sync(ctx, log->file));
    }
    return ax_segment_shelf_copy_bytes(ctx, log->file, log->file, scan->doubt, scan->end);
}

static ax_status
open_last(struct ax_segment_log *log, struct ax_ctx *ctx)
{
    struct ax_segment_shelf_item *last = ax_segment_shelf_last(&log->shelf);
    ax_segment_scan_auto struct ax_segment_scan scan = {};
    uint64_t size = 0;
    bool read_only = log->config.read_only;
    AX_TRY(
        open_segment(ctx, log, last->first, read_only ? AX_FILE_READ : AX_FILE_WRITE, &log->file));
    AX_TRY(ax_file_size(ctx, log->file, &size));
    AX_TRY(ax_segment_scan_file(ctx, log->file, size, log->config.count_min, &scan));
    if (scan.head.first != last->first)
        return ax_fail(ctx, AX_CORRUPT, "segment %016" PRIx64 " says it begins with %" PRIu64,
                       last->first, scan.head.first);
    log->shelf.state.count = last->first + scan.count;
    log->shelf.state.torn_bytes = scan.torn_bytes;
    if (log->shelf.state.count < log->config.count_min)
        return ax_fail(ctx, AX_CORRUPT,
                       "there are %" PRIu64 " whole records in %s, though %" PRIu64
                       " were durable: they were cut off or damaged",
                       log->shelf.state.count, log->shelf.folder_bytes, log->config.count_min);
    if (!read_only)
        AX_TRY(repair(log, ctx, &scan));
    last->end = log->at = scan.end;
    log->prepared = scan.torn_bytes > 0 ? scan.end : size;
    log->shelf.offsets = scan.offsets;
    log->shelf.offset_capacity = scan.offset_capacity;
    scan.offsets = NULL;
    log->written = log->shelf.state.count;
    log->batch = log->shelf.state.batch = scan.batch;
    memcpy(log->mark, scan.mark, sizeof log->mark);
    memcpy(log->shelf.state.mark, scan.mark, sizeof log->mark);
    log->shelf.state.bytes += scan.end;
    return AX_OK;
}

static ax_status
open_first(struct ax_segment_log *log, struct ax_ctx *ctx)
{
    const struct ax_segment_head head = {};
    if (log->config.count_min > 0)
        return ax_fail(ctx, AX_CORRUPT,
                       "there are no segments in %s, though %" PRIu64 " records were durable",
                       log->shelf.folder_bytes, log->config.count_min);
    if (!ax_segment_shelf_room(&log->shelf))
        return ax_fail(ctx, AX_LIMIT, "no memory for a segment");
    ax_segment_shelf_push(&log->shelf, (struct ax_segment_shelf_item){0, AX_SEGMENT_HEAD_BYTES});
    log->prepared = prepare_target(AX_SEGMENT_HEAD_BYTES, (uint64_t)log->config.prepare_bytes);
    AX_TRY(spare_fill(log, ctx, &head, log->prepared, &log->file));
    AX_TRY(spare_rename(log, ctx, 0));
    AX_TRY(ax_file_size(ctx, log->file, &log->prepared));
    log->at = log->shelf.state.bytes = AX_SEGMENT_HEAD_BYTES;
    return AX_OK;
}

static ax_status
open_segments(struct ax_segment_log *log, struct ax_ctx *ctx)
{
    bool read_only = log->config.read_only;
    if (!read_only) {
        AX_TRY(ax_file_make_folders(ctx, log->shelf.folder));
        AX_TRY(ax_segment_erasure_finish(ctx, log->shelf.folder));
    }
    AX_TRY(list_segments(log, ctx));
    if (log->shelf.item_count == 0 && read_only)
        return ax_fail(ctx, AX_NOT_FOUND, "there are no segments in %s", log->shelf.folder_bytes);
    if (log->shelf.item_count == 0)
        return open_first(log, ctx);
    for (size_t i = 0; i + 1 < log->shelf.item_count; i++)
        AX_TRY(check_sealed(log, ctx, &log->shelf.items[i]));
    return open_last(log, ctx);
}

static void
log_free(struct ax_segment_log *log)
{
    ax_file_close(&log->file);
    ax_segment_shelf_done(&log->shelf);
    ax_writer_free(&log->buffer);
    ax_mutex_done(&log->growing);
    ax_free(log);
}

static const struct ax_stream_ops stream_ops;

ax_status
ax_segment_log_open(struct ax_ctx *ctx, const struct ax_segment_log_config *config,
                    struct ax_segment_log **out_log)
{
    AX_ASSERT(config->segment_bytes > 0);
    AX_ASSERT(config->prepare_bytes > 0);
    struct ax_segment_log *log = ax_alloc(1, sizeof *log);
    if (!log)
        return ax_fail(ctx, AX_LIMIT, "no memory for a segment log");
    ax_status init = ax_segment_shelf_init(&log->shelf, ctx, config->folder);
    if (init != AX_OK) {
        ax_free(log);
        return init;
    }
    log->stream.ops = &stream_ops;
    log->config = *config;
    log->config.folder = log->shelf.folder;
    log->file.fd = -1;
    log->buffer = ax_writer_of((size_t)batch_bytes_max);
    log->ahead = (uint64_t)config->prepare_bytes;
    ax_mutex_init(&log->growing);
    ax_status status = open_segments(log, ctx);
    if (status != AX_OK) {
        log_free(log);
        return ax_explain(ctx, status, "open segments");
    }
    *out_log = log;
    return AX_OK;
}

void
ax_segment_log_close(struct ax_segment_log *log)
{
    struct ax_ctx ctx = ax_ctx_of(NULL);
    if (!log->failed && !log->config.read_only) {
        ax_fault_benign_begin();
        ax_ignore(ax_file_truncate(&ctx, log->file, log->at), "zeros at the end do no harm");
        ax_ignore(ax_file_sync(&ctx, log->file), "what was promised is synced already");
        ax_fault_benign_end();
    }
    log_free(log);
}

/* ---- behind the port ---- */

static ax_status
segment_append(struct ax_stream *stream, struct ax_ctx *ctx, const ax_str *records, size_t count,
               uint64_t *out_first)
{
    static const uint8_t no_mark[AX_SEGMENT_LOG_MARK_BYTES];
    struct ax_segment_log *log = (struct ax_segment_log *)stream;
    struct ax_segment_log_record *items =
        AX_NEW_ARRAY(ctx->arena, struct ax_segment_log_record, count);
    if (!items)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu records", count);
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        items[i].bytes = records[i];
        bytes += ax_segment_log_record_bytes(records[i].len, 0);
    }
    AX_TRY(ax_segment_log_reserve(log, ctx, bytes));
    uint64_t first = log->written;
    AX_TRY(ax_segment_log_write(log, ctx, items, count, no_mark));
    *out_first = first;
    return AX_OK;
}

static ax_status
segment_sync(struct ax_stream *stream, struct ax_ctx *ctx)
{
    return ax_segment_log_sync((struct ax_segment_log *)stream, ctx);
}

static ax_status
segment_read(struct ax_stream *stream, struct ax_ctx *ctx, uint64_t from, size_t count_max,
             ax_str **out_records, size_t *out_count)
{
    struct ax_segment_log_records found = {};
    AX_TRY(ax_segment_log_read((struct ax_segment_log *)stream, ctx, from, count_max,
                               AX_STREAM_APPEND_BYTES_MAX, &found));
    ax_str *records = AX_NEW_ARRAY(ctx->arena, ax_str, found.count);
    if (!records)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu records", found.count);
    for (size_t i = 0; i < found.count; i++)
        records[i] = found.items[i].bytes;
    *out_records = records;
    *out_count = found.count;
    return AX_OK;
}

static uint64_t
segment_count(struct ax_stream *stream)
{
    struct ax_segment_log_state state;
    ax_segment_log_state((struct ax_segment_log *)stream, &state);
    return state.count;
}

static void
segment_close(struct ax_stream *stream)
{
    ax_segment_log_close((struct ax_segment_log *)stream);
}

static const struct ax_stream_ops stream_ops = {
    .name = "segment_log",
    .append = segment_append,
    .sync = segment_sync,
    .read = segment_read,
    .count = segment_count,
    .close = segment_close,
};

struct ax_stream *
ax_segment_log_stream(struct ax_segment_log *log)
{
    return &log->stream;
}
