/*
 * Writers that wait together commit together: one wait for the disk for all of them.
 *
 * One idea: a writer that is done while others wait does not commit. It hands the open transaction
 * on, behind a savepoint, and sleeps until the last of the group has committed for all: what each
 * of them did is durable when its call returns, as if it had been alone. Who fails goes back to its
 * savepoint and takes nothing of the others with it; only when the database itself gives up, or the
 * commit fails, has nothing of the group happened, and each of them is told so.
 *
 * A writer without company costs nothing more. A group ends when nobody waits, when it is large or
 * when it is old, so that other programs have their turn. Part of ax_store_begin and its kin: for
 * nobody else.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "sys/mutex.h"

struct ax_store;
struct ax_store_tx;
struct ax_write_member;

struct ax_write_group {
    struct ax_mutex mutex;
    struct ax_cond free;  /* nobody is writing */
    struct ax_cond ended; /* a group has ended */
    int64_t wait_ms_max;
    /* guarded by mutex: */
    bool busy; /* a member is writing, or somebody commits */
    int waiting;
    struct ax_write_member *members; /* those that are done and sleep */
    /* of whoever made it busy: */
    struct ax_store_tx *tx; /* open between members, else NULL */
    bool saved;             /* the one that writes has a savepoint: it is not the first */
    int member_count;
    int64_t began_ns;
};

/* wait_ms_max: for the writer's place, within the deadline of the one who waits. */
void ax_write_group_init(struct ax_write_group *group, int64_t wait_ms_max);
void ax_write_group_done(struct ax_write_group *group);

/* As ax_store_begin for writing, ax_store_commit and ax_store_rollback. */
ax_status ax_write_group_begin(struct ax_store *store, struct ax_ctx *ctx,
                               struct ax_store_tx **out_tx);
ax_status ax_write_group_commit(struct ax_store_tx *tx, struct ax_ctx *ctx);
void ax_write_group_rollback(struct ax_store_tx *tx);
