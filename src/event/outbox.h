/*
 * Facts about changes: written in the transaction of the change, drained into the ledger once.
 *
 * A change of state and its fact are one SQL transaction, so neither can be there without the
 * other. The rows are numbered without gaps; the drain hands them to the ledger as producer
 * "outbox" under that number, so that a crash between the ledger and the delete is a duplicate
 * that the ledger knows, and a lost row is a gap that it refuses.
 *
 * Table (schema/): outbox (id INTEGER PRIMARY KEY, kind INTEGER, fact BLOB, payload BLOB,
 * created_ns INTEGER). The newest drained row stays, emptied, to carry the number on.
 */
#pragma once

#include "event/ledger.h"

struct ax_store;
struct ax_store_tx;

/*
 * Puts a fact in the outbox: it is there when the caller's transaction is, and not otherwise.
 *
 * vault: where payload was sealed (its new keys are written first, since the row outlives a
 * crash); NULL without payload. producer and sequence of the event are the outbox's to give.
 * Fails: INVALID (the event), as the store.
 */
ax_status ax_outbox_put(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_vault *vault,
                        const struct ax_event *event, ax_str payload);

/*
 * Hands at most count_max waiting facts to the ledger, waits until they are durable, and deletes
 * their rows. Call from one thread at a time (a job), and after a change for a quick proof; of
 * several programs on one database one drains at a time, and the others find nothing to do.
 * Fails: as the ledger and the store; what is not drained stays.
 */
ax_status ax_outbox_drain(struct ax_store *store, struct ax_ctx *ctx, struct ax_ledger *ledger,
                          size_t count_max, size_t *out_count);

/* Facts that wait. */
ax_status ax_outbox_waiting(struct ax_store *store, struct ax_ctx *ctx, uint64_t *out_count);
