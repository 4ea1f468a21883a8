/*
 * Port: ordered records that stay. Append at the end, read from any point, sync.
 *
 * Contract
 * - Records are bytes, numbered 0, 1, 2 ... in the order of appending, for ever.
 * - A record is durable, and may be read, when a sync that began after its append has returned
 *   AX_OK; after a crash the stream holds all durable records, perhaps more, never a gap.
 * - A failed append of several leaves none of them readable. After a failed write or sync every
 *   later append and sync fails UNAVAILABLE: what the disk holds is not known until reopening.
 * - One writer (append, sync) at a time; any number of readers beside it.
 *
 * Adapters: segment_log (files here). One for a broker would go beside it.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"

struct ax_stream {
    const struct ax_stream_ops *ops; /* an adapter embeds it as its first member */
};

struct ax_stream_ops {
    const char *name;
    ax_status (*append)(struct ax_stream *stream, struct ax_ctx *ctx, const ax_str *records,
                        size_t count, uint64_t *out_first);
    ax_status (*sync)(struct ax_stream *stream, struct ax_ctx *ctx);
    ax_status (*read)(struct ax_stream *stream, struct ax_ctx *ctx, uint64_t from, size_t count_max,
                      ax_str **out_records, size_t *out_count);
    uint64_t (*count)(struct ax_stream *stream);
    void (*close)(struct ax_stream *stream);
};

enum {
    AX_STREAM_RECORD_BYTES_MAX = 1 << 20,
    AX_STREAM_APPEND_MAX = 4'096,
    AX_STREAM_APPEND_BYTES_MAX = 16 << 20,
};

/*
 * Appends 1 to AX_STREAM_APPEND_MAX records of at most AX_STREAM_RECORD_BYTES_MAX bytes each and
 * AX_STREAM_APPEND_BYTES_MAX together.
 * out_first: number of the first. Fails: INVALID (too large), LIMIT (disk full: nothing changed),
 * UNAVAILABLE.
 */
ax_status ax_stream_append(struct ax_stream *stream, struct ax_ctx *ctx, const ax_str *records,
                           size_t count, uint64_t *out_first);

/* Fails: UNAVAILABLE. */
ax_status ax_stream_sync(struct ax_stream *stream, struct ax_ctx *ctx);

/*
 * Up to count_max durable records from number `from` on, in ctx->arena; fewer at the end, none at
 * or behind it. Fails: CORRUPT, LIMIT, UNAVAILABLE.
 */
ax_status ax_stream_read(struct ax_stream *stream, struct ax_ctx *ctx, uint64_t from,
                         size_t count_max, ax_str **out_records, size_t *out_count);

/* Durable records. */
uint64_t ax_stream_count(struct ax_stream *stream);

void ax_stream_close(struct ax_stream *stream);
AX_DEFINE_AUTO(struct ax_stream, ax_stream_close);
