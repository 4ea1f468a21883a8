/*
 * The parts of a table worked on by several threads at once, their lines given out in the order of
 * the table.
 *
 * The calling thread reads and prints, the others work; a few parts a thread are in memory at any
 * moment, however long the table is. What comes out does not depend on the number of threads: the
 * parts are cut alike, and the first part that fails is the first in the table.
 */
#pragma once

#include "codec/csv_stream.h"

enum { AX_SCORE_PARTS_THREADS_MAX = 256 };

struct ax_score_parts_work {
    void *arg;

    /* What each part in memory needs of its own, used again for the next; in ctx->arena. */
    ax_status (*open)(void *arg, struct ax_ctx *ctx, void **out_own);

    /* A part to its lines. Any thread; `own` is one thread's. ctx->arena lives as long as this. */
    ax_status (*work)(void *arg, void *own, struct ax_ctx *ctx, const struct ax_csv_part *part,
                      struct ax_writer *lines, size_t *out_rows);

    /* A part's lines, in order; the calling thread. bytes: of its text. */
    ax_status (*give)(void *arg, struct ax_ctx *ctx, ax_str lines, size_t rows, size_t bytes);
};

/*
 * threads: 1 works in the calling thread.
 * Fails: as the stream and the work, at the first place in the table; LIMIT.
 */
ax_status ax_score_parts_run(struct ax_ctx *ctx, struct ax_csv_stream *stream,
                             const struct ax_score_parts_work *work, size_t threads);
