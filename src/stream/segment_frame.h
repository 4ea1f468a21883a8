/*
 * The bytes of a segment: its head, its frames, and a window that reads frames one by one.
 *
 * Layout (little-endian). Head, 64 bytes: magic u32 | version u32 | first u64 | batch u64 (the last
 * one before) | mark (of that batch) | crc32c u32 | zeros. Frame: magic u32 | bytes u32 |
 * sequence u64 | batch u64 | crc32c u32 over the 24 bytes before and the bytes | bytes | zeros to a
 * multiple of 8. Trailer's bytes: record count u64 | first u64 | bytes of the batch u64 | mark.
 *
 * Pure but for the window; whether frames make sense one after another is segment_scan's business.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "base/writer.h"
#include "sys/file.h"

enum {
    AX_SEGMENT_HEAD_BYTES = 64,
    AX_SEGMENT_FRAME_HEAD_BYTES = 28,
    AX_SEGMENT_MARK_BYTES = 32,
    AX_SEGMENT_FRAME_BYTES_MAX = 2 << 20, /* of one frame's bytes */
    AX_SEGMENT_TRAILER_BYTES = 88,        /* a whole trailer frame */
};

enum ax_segment_frame_kind {
    AX_SEGMENT_FRAME_RECORD,
    AX_SEGMENT_FRAME_ATTACHMENT,
    AX_SEGMENT_FRAME_ERASED, /* an attachment, overwritten with zeros */
    AX_SEGMENT_FRAME_TRAILER,
};

struct ax_segment_frame {
    enum ax_segment_frame_kind kind;
    uint64_t sequence; /* of its record; of a trailer: of the last record */
    uint64_t batch;
    ax_str bytes;    /* borrowed from the window until its next frame */
    uint64_t offset; /* in the file */
    uint64_t next;   /* offset behind it */
};

struct ax_segment_trailer {
    uint64_t count;
    uint64_t first;
    uint64_t bytes; /* of the batch, without the trailer */
    uint8_t mark[AX_SEGMENT_MARK_BYTES];
};

struct ax_segment_head {
    uint64_t first; /* sequence of the first record */
    uint64_t batch; /* number of the last batch before this segment */
    uint8_t mark[AX_SEGMENT_MARK_BYTES];
};

void ax_segment_frame_head_write(const struct ax_segment_head *head, struct ax_writer *out);
/* Fails (bare): INVALID. */
ax_status ax_segment_frame_head_read(ax_str bytes, struct ax_segment_head *out_head);

/* kind, sequence, batch and bytes of frame are read. ERASED writes zeros for bytes. */
void ax_segment_frame_write(const struct ax_segment_frame *frame, struct ax_writer *out);
void ax_segment_frame_trailer_write(const struct ax_segment_trailer *trailer, uint64_t batch,
                                    struct ax_writer *out);

/* One frame at the front of bytes. Fails (bare): INVALID; LIMIT when more bytes would be needed. */
ax_status ax_segment_frame_read(ax_str bytes, struct ax_segment_frame *out_frame);
[[nodiscard]] bool ax_segment_frame_trailer_read(const struct ax_segment_frame *frame,
                                                 struct ax_segment_trailer *out_trailer);

/* Bytes that a frame takes in the file. */
uint64_t ax_segment_frame_size(uint64_t bytes);

/* A buffer that moves over a file. Zero it, set file and end; free it when done. */
struct ax_segment_window {
    ax_file file;
    uint64_t end;  /* reads nothing at or behind it */
    size_t chunk;  /* bytes to read at a time; 0: 256 KiB */
    uint64_t base; /* of the buffer in the file */
    size_t len;    /* bytes in the buffer */
    size_t capacity;
    char *buffer;
};

/* The frame at offset. Fails: CORRUPT (no whole frame there), LIMIT, UNAVAILABLE. */
ax_status ax_segment_window_frame(struct ax_segment_window *window, struct ax_ctx *ctx,
                                  uint64_t offset, struct ax_segment_frame *out_frame);

/* Bytes [offset, offset + len), borrowed until the next call; fewer at the end. */
ax_status ax_segment_window_bytes(struct ax_segment_window *window, struct ax_ctx *ctx,
                                  uint64_t offset, size_t len, ax_str *out_bytes);
void ax_segment_window_free(struct ax_segment_window *window);
#define ax_segment_window_auto [[gnu::cleanup(ax_segment_window_free)]]
