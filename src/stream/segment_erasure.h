/*
 * Overwrites attachments in segments where they lie, so that a crash half-way is made good.
 *
 * What is about to be overwritten is noted in a file first; whoever opens the log next finishes
 * what the note says. The note holds places only, nothing of what is erased.
 */
#pragma once

#include "stream/segment_frame.h"

struct ax_segment_erasure {
    uint64_t segment;  /* its name: first sequence */
    uint64_t offset;   /* of the attachment's frame */
    uint64_t sequence; /* of its record */
};

enum { AX_SEGMENT_ERASURE_MAX = 4'096 };

/* Overwrites them all, durably. Fails: CORRUPT, LIMIT, UNAVAILABLE. */
ax_status ax_segment_erasure_run(struct ax_ctx *ctx, ax_str folder,
                                 const struct ax_segment_erasure *items, size_t count);

/* Finishes what a crash interrupted; nothing to do is AX_OK. */
ax_status ax_segment_erasure_finish(struct ax_ctx *ctx, ax_str folder);

/* Path of a segment by its first sequence, in ctx->arena. */
ax_status ax_segment_erasure_path(struct ax_ctx *ctx, ax_str folder, uint64_t first,
                                  const char *suffix, ax_str *out_path);
