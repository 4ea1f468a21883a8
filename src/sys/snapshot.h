/*
 * An immutable value that is swapped whole, read by many threads at the cost of one atomic load.
 *
 * Each reading thread keeps a reader of its own, which holds a reference to the value it last
 * saw; only when the version has moved on does it take the lock and change its reference. A
 * value is freed when the snapshot and every reader have let go of it.
 */
#pragma once

#include "base/ctx.h"

struct ax_snapshot;

struct ax_snapshot_reader { /* zeroed before first use; one thread's */
    uint64_t version;
    struct ax_snapshot_value *value;
};

/* free_fn(value) runs on whichever thread lets go last. */
ax_status ax_snapshot_open(struct ax_ctx *ctx, void (*free_fn)(void *value),
                           struct ax_snapshot **out_snapshot);
void ax_snapshot_close(struct ax_snapshot *snapshot); /* after every reader is done */

/* value: taken, also on failure. Fails: LIMIT. */
ax_status ax_snapshot_swap(struct ax_snapshot *snapshot, struct ax_ctx *ctx, void *value);

/* The present value, valid until this reader's next read or done; NULL before the first swap. */
void *ax_snapshot_read(struct ax_snapshot *snapshot, struct ax_snapshot_reader *reader);
void ax_snapshot_done(struct ax_snapshot *snapshot, struct ax_snapshot_reader *reader);

/*
 * The same with a reader that the snapshot keeps for the calling thread until that thread ends:
 * for values that are asked from everywhere, by functions that carry no reader. Valid until this
 * thread's next call; NULL before the first swap. The snapshot may be closed before its threads
 * end, when they ask it no more. Fails: LIMIT, at a thread's first call only.
 */
ax_status ax_snapshot_here(struct ax_snapshot *snapshot, struct ax_ctx *ctx, void **out_value);
