/*
 * Ordered records in segment files: one write and one fdatasync a batch, no gap after a crash.
 *
 * A segment is a file of frames, zero-filled ahead so that a sync has no metadata to write. A
 * batch is the frames of its records and a trailer; a batch without its whole trailer never
 * happened. A record may carry an attachment, which can later be overwritten where it lies
 * (erasure) while the record stays.
 *
 * On open, a broken batch at the very end is a torn write and is cut off; a broken one that a
 * later batch follows, or that lies below count_min, was durable once: CORRUPT, and nothing is
 * touched (audit-log.md section 4, rule 2). The tail that may never have reached the disk is
 * written again before it is believed, since a failed sync may have left clean pages behind.
 *
 * Segment: 64-byte header, then frames: magic u32 | bytes u32 | sequence u64 | batch u64 |
 * crc32c u32 | bytes | zeros to a multiple of 8; all little-endian. Name: first sequence, 16 hex
 * digits. Beside a sealed segment lies an index of offsets (".index"), made again when lost.
 *
 * Threads: one writer (reserve, write, sync), any readers, one at a time of prepare and of erase.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "stream/stream.h"

enum { AX_SEGMENT_LOG_MARK_BYTES = 32, AX_SEGMENT_LOG_FRAME_BYTES = 28 };

struct ax_segment_log;

struct ax_segment_log_config {
    ax_str folder;         /* made when absent; locked by its owner, not here */
    int64_t segment_bytes; /* 64 MiB */
    int64_t prepare_bytes; /* zero-filled ahead of the writer at first, 4 MiB; doubled when it ran
                              into the end of them, up to a segment */
    uint64_t count_min;    /* records known to be durable: fewer is CORRUPT */
    bool read_only;        /* looks, touches nothing: reserve and write are refused */
};

struct ax_segment_log_record {
    ax_str bytes;
    ax_str attachment; /* "" for none; reads as "" once erased */
    bool erased;
};

struct ax_segment_log_records {
    struct ax_segment_log_record *items;
    size_t count;
};

struct ax_segment_log_state {
    uint64_t count;                          /* durable records */
    uint64_t batch;                          /* number of the last batch */
    uint8_t mark[AX_SEGMENT_LOG_MARK_BYTES]; /* of its trailer */
    uint64_t bytes;                          /* of all segments, as used */
    uint64_t torn_bytes;                     /* cut off when opened */
};

/* Fails: CORRUPT, LIMIT (disk full), UNAVAILABLE, DENIED. */
ax_status ax_segment_log_open(struct ax_ctx *ctx, const struct ax_segment_log_config *config,
                              struct ax_segment_log **out_log);

/* Cuts the zeros off the last segment; what was not synced may be lost. */
void ax_segment_log_close(struct ax_segment_log *log);
AX_DEFINE_AUTO(struct ax_segment_log, ax_segment_log_close);

/* The same log behind the port, whose close closes it. Its batches have marks of zeros. */
struct ax_stream *ax_segment_log_stream(struct ax_segment_log *log);

/* Bytes that a record takes in a batch. */
uint64_t ax_segment_log_record_bytes(size_t bytes, size_t attachment_bytes);

/*
 * Makes sure that a batch of this many bytes fits: begins a new segment, zero-fills. Fails: LIMIT
 * (disk full, too large), UNAVAILABLE; the log is as it was, then.
 */
ax_status ax_segment_log_reserve(struct ax_segment_log *log, struct ax_ctx *ctx, uint64_t bytes);

/*
 * Writes one batch; the mark goes to its trailer. Room was reserved. Fails: UNAVAILABLE, for good.
 */
ax_status ax_segment_log_write(struct ax_segment_log *log, struct ax_ctx *ctx,
                               const struct ax_segment_log_record *records, size_t count,
                               const uint8_t mark[AX_SEGMENT_LOG_MARK_BYTES]);

/* What was written is durable, and readable, when this returns AX_OK. Fails: UNAVAILABLE, for good.
 */
ax_status ax_segment_log_sync(struct ax_segment_log *log, struct ax_ctx *ctx);

void ax_segment_log_state(struct ax_segment_log *log, struct ax_segment_log_state *out_state);

/*
 * Up to count_max durable records from `from` on and about bytes_max bytes, in ctx->arena. At
 * least one if there is one. Fails: CORRUPT, LIMIT, UNAVAILABLE.
 */
ax_status ax_segment_log_read(struct ax_segment_log *log, struct ax_ctx *ctx, uint64_t from,
                              size_t count_max, size_t bytes_max,
                              struct ax_segment_log_records *out_records);

/* Zero-fills ahead of the writer where it is due: called now and then from another thread. */
ax_status ax_segment_log_prepare(struct ax_segment_log *log, struct ax_ctx *ctx);

/* Overwrites the attachments of these records with zeros, durably; a crash half-way is made good
 * at the next open. Those without one, or erased already, are passed over. */
ax_status ax_segment_log_erase(struct ax_segment_log *log, struct ax_ctx *ctx,
                               const uint64_t *sequences, size_t count);

/* Copies the log as of its first `count` records (the end of a batch) to a new folder. */
ax_status ax_segment_log_copy(struct ax_segment_log *log, struct ax_ctx *ctx, uint64_t count,
                              ax_str folder);
