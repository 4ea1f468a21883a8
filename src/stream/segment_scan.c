#include "stream/segment_scan.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/number.h"

enum { ALIGNMENT = 8, OFFSETS_FIRST = 1'024, STEP_BYTES = 64 * 1024 };

bool
ax_segment_scan_room(uint32_t **offsets, size_t *capacity, size_t needed)
{
    if (needed <= *capacity)
        return true;
    size_t wanted = *capacity ? *capacity : (size_t)OFFSETS_FIRST, bytes;
    while (wanted < needed)
        wanted *= 2;
    if (!ax_mul(wanted, sizeof **offsets, &bytes))
        return false;
    uint32_t *more = ax_realloc(*offsets, bytes);
    if (!more)
        return false;
    *offsets = more;
    *capacity = wanted;
    return true;
}

void
ax_segment_scan_free(struct ax_segment_scan *scan)
{
    ax_free(scan->offsets);
    scan->offsets = NULL;
    scan->offset_capacity = 0;
}

static ax_status
scan_head(struct ax_ctx *ctx, struct ax_segment_window *window, struct ax_segment_scan *scan)
{
    ax_str bytes;
    AX_TRY(ax_segment_window_bytes(window, ctx, 0, AX_SEGMENT_HEAD_BYTES, &bytes));
    if (ax_segment_frame_head_read(bytes, &scan->head) != AX_OK)
        return ax_fail(ctx, AX_CORRUPT, "the segment's head is broken");
    scan->batch = scan->head.batch;
    memcpy(scan->mark, scan->head.mark, sizeof scan->mark);
    scan->end = AX_SEGMENT_HEAD_BYTES;
    return AX_OK;
}

/* Whether a record or attachment frame may stand here: in order, of this batch. */
static bool
frame_fits(const struct ax_segment_scan *scan, const struct ax_segment_frame *frame,
           uint64_t records, bool attachment_ok)
{
    uint64_t next = scan->head.first + scan->count + records;
    if (frame->batch != scan->batch + 1)
        return false;
    if (frame->kind == AX_SEGMENT_FRAME_RECORD)
        return frame->sequence == next;
    return attachment_ok && frame->sequence == next - 1;
}

static bool
trailer_fits(const struct ax_segment_scan *scan, const struct ax_segment_frame *frame,
             uint64_t records, struct ax_segment_trailer *out_trailer)
{
    return ax_segment_frame_trailer_read(frame, out_trailer) && frame->batch == scan->batch + 1 &&
           records > 0 && out_trailer->count == records &&
           out_trailer->first == scan->head.first + scan->count &&
           out_trailer->bytes == frame->offset - scan->end &&
           frame->sequence == out_trailer->first + records - 1;
}

/* One whole batch at scan->end. CORRUPT when none stands there: the caller judges why. */
static ax_status
scan_batch(struct ax_ctx *ctx, struct ax_segment_window *window, struct ax_segment_scan *scan)
{
    uint64_t at = scan->end, records = 0;
    bool attachment_ok = false;
    for (;;) {
        struct ax_segment_frame frame;
        struct ax_segment_trailer trailer;
        AX_TRY(ax_segment_window_frame(window, ctx, at, &frame));
        if (trailer_fits(scan, &frame, records, &trailer)) {
            scan->count += records;
            scan->batch++;
            memcpy(scan->mark, trailer.mark, sizeof scan->mark);
            scan->end = frame.next;
            return AX_OK;
        }
        if (frame.kind == AX_SEGMENT_FRAME_TRAILER ||
            !frame_fits(scan, &frame, records, attachment_ok))
            return ax_fail(ctx, AX_CORRUPT, "the frame at byte %" PRIu64 " is out of order", at);
        attachment_ok = frame.kind == AX_SEGMENT_FRAME_RECORD;
        if (attachment_ok) {
            size_t index = (size_t)(scan->count + records);
            if (!ax_segment_scan_room(&scan->offsets, &scan->offset_capacity, index + 1))
                return ax_fail(ctx, AX_LIMIT, "no memory for the offsets of a segment");
            scan->offsets[index] = (uint32_t)(at / ALIGNMENT);
            records++;
        }
        at = frame.next;
    }
}

/* Bytes up to the last that is not zero, from `from` on. */
static ax_status
scan_rubbish(struct ax_ctx *ctx, struct ax_segment_window *window, uint64_t from,
             uint64_t *out_bytes)
{
    uint64_t rubbish = 0;
    for (uint64_t at = from; at < window->end;) {
        ax_str bytes;
        AX_TRY(ax_segment_window_bytes(window, ctx, at, STEP_BYTES, &bytes));
        for (size_t i = 0; i < bytes.len; i++)
            if (bytes.at[i])
                rubbish = at + i + 1 - from;
        at += bytes.len;
    }
    *out_bytes = rubbish;
    return AX_OK;
}

/* A whole frame of a batch after the broken one: then the broken one had been synced. */
static ax_status
scan_for_later(struct ax_ctx *ctx, struct ax_segment_window *window,
               const struct ax_segment_scan *scan)
{
    for (uint64_t at = scan->end; at < scan->end + scan->torn_bytes; at += ALIGNMENT) {
        struct ax_segment_frame frame;
        ax_status status = ax_segment_window_frame(window, ctx, at, &frame);
        if (status == AX_CORRUPT)
            continue;
        AX_TRY(status);
        if (frame.batch > scan->batch + 1)
            return ax_fail(ctx, AX_CORRUPT,
                           "batch %" PRIu64 " at byte %" PRIu64 " is broken, though batch %" PRIu64
                           " at byte %" PRIu64 " was written after it was durable",
                           scan->batch + 1, scan->end, frame.batch, at);
    }
    return AX_OK;
}

ax_status
ax_segment_scan_file(struct ax_ctx *ctx, ax_file file, uint64_t size, uint64_t count_sure,
                     struct ax_segment_scan *out_scan)
{
    ax_segment_window_auto struct ax_segment_window window = {.file = file, .end = size};
    ax_segment_scan_auto struct ax_segment_scan scan = {};
    AX_TRY(scan_head(ctx, &window, &scan));
    scan.doubt = 0;
    for (;;) {
        uint64_t start = scan.end;
        ax_status status = scan_batch(ctx, &window, &scan);
        if (status == AX_CORRUPT)
            break;
        AX_TRY(status);
        if (scan.doubt == 0 && scan.head.first + scan.count > count_sure)
            scan.doubt = start;
    }
    if (scan.doubt == 0)
        scan.doubt = scan.end;
    AX_TRY(scan_rubbish(ctx, &window, scan.end, &scan.torn_bytes));
    AX_TRY(scan_for_later(ctx, &window, &scan));
    *out_scan = scan;
    scan.offsets = NULL; /* the caller's now */
    return AX_OK;
}
