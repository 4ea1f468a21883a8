/*
 * Reads facts in order, from where it left off, at least once each.
 *
 * An observer has a follower with a position of its own in a small file; a crash between handling
 * and noting the position gives some facts again, never none. It pulls: nothing in the ledger
 * knows of it. One thread at a time.
 */
#pragma once

#include "event/ledger.h"

struct ax_follower;

/* One fact; leaf is its bytes. Anything but AX_OK stops the run before this fact. */
typedef ax_status (*ax_follower_fn)(void *arg, struct ax_ctx *ctx, uint64_t index,
                                    const struct ax_event *event);

/* path: of the position's file; a new one starts at the first fact. Fails: CORRUPT, UNAVAILABLE. */
ax_status ax_follower_open(struct ax_ctx *ctx, struct ax_ledger *ledger, ax_str path,
                           struct ax_follower **out_follower);
void ax_follower_close(struct ax_follower *follower);
AX_DEFINE_AUTO(struct ax_follower, ax_follower_close);

/*
 * Handles at most count_max durable facts and notes the position. Does not wait for new ones
 * (ax_ledger_wait does). A fact of a kind unknown to handle is its own to pass over.
 */
ax_status ax_follower_run(struct ax_follower *follower, struct ax_ctx *ctx, size_t count_max,
                          ax_follower_fn handle, void *arg, size_t *out_count);

/* Index of the next fact. */
uint64_t ax_follower_position(const struct ax_follower *follower);

/* Durable facts that it has not handled. */
uint64_t ax_follower_behind(const struct ax_follower *follower);
