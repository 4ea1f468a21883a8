/*
 * Reads a segment from its head to its end and judges what it finds there.
 *
 * Whole batches come first. What stands behind the last whole one is nothing (zeros), a torn write
 * (frames of the very next batch, or rubbish), or, when any whole frame of a later batch follows,
 * damage to what was durable once: a batch is only written after the one before it was synced.
 */
#pragma once

#include "stream/segment_frame.h"

/* What a segment holds. Zero it; offsets is on the heap, ax_segment_scan_free gives it back. */
struct ax_segment_scan {
    struct ax_segment_head head;
    uint64_t count; /* records in whole batches */
    uint64_t batch; /* of the last whole one */
    uint8_t mark[AX_SEGMENT_MARK_BYTES];
    uint64_t end;        /* offset behind the last whole batch */
    uint64_t doubt;      /* offset of the first batch that ends above count_sure */
    uint64_t torn_bytes; /* not zero, behind end */
    uint32_t *offsets;   /* of records, in units of 8 bytes */
    size_t offset_capacity;
};

/*
 * size: of the file. count_sure: number of the first record that may not have reached the disk.
 * Fails: CORRUPT, LIMIT, UNAVAILABLE.
 */
ax_status ax_segment_scan_file(struct ax_ctx *ctx, ax_file file, uint64_t size, uint64_t count_sure,
                               struct ax_segment_scan *out_scan);
void ax_segment_scan_free(struct ax_segment_scan *scan);
#define ax_segment_scan_auto [[gnu::cleanup(ax_segment_scan_free)]]

/* Room for one more offset, and more at once. false when memory is short. */
[[nodiscard]] bool ax_segment_scan_room(uint32_t **offsets, size_t *capacity, size_t needed);
