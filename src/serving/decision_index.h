/*
 * Where a decision stands in the ledger, and which decision answered a request.
 *
 * Two questions on the request path: has this request id been answered already (then its decision
 * is the answer), and at which leaf is a decision. The truth is the ledger; this is an index of it
 * in a key-value store, written behind by a job and made again from the facts it has missed when a
 * server starts. What is not written yet is held in memory, so that an answer is never forgotten
 * while the process lives. Any thread.
 */
#pragma once

#include "event/ledger.h"
#include "kv/kv.h"

struct ax_decision_index;

enum { AX_DECISION_ID_BYTES = 64, AX_REQUEST_ID_BYTES_MAX = 128 };

/*
 * kv, ledger: kept. Reads what the index has missed before it returns.
 * Fails: CORRUPT when the store belongs to another ledger; as the ledger and the store.
 */
ax_status ax_decision_index_open(struct ax_ctx *ctx, struct ax_kv *kv, struct ax_ledger *ledger,
                                 struct ax_decision_index **out_index);
void ax_decision_index_close(struct ax_decision_index *index);
AX_DEFINE_AUTO(struct ax_decision_index, ax_decision_index_close);

/*
 * Claims a request id for a decision about to be made.
 *
 * out_earlier: "" when it is new and now claimed; else the id of the decision that answered it, in
 * ctx->arena. Fails: CONFLICT while another request with this id is being decided; LIMIT.
 */
ax_status ax_decision_index_claim(struct ax_decision_index *index, struct ax_ctx *ctx,
                                  ax_str deployment, ax_str request_id, ax_str *out_earlier);

/* The claimed request was not decided after all: its id may be used again. */
void ax_decision_index_release(struct ax_decision_index *index, ax_str deployment,
                               ax_str request_id);

/* The claimed request was answered by this decision, which is in the ledger or on its way. */
void ax_decision_index_answered(struct ax_decision_index *index, ax_str deployment,
                                ax_str request_id, ax_str decision_id);

/* The leaf of a decision. Fails: NOT_FOUND (unknown, or not yet in the index: wait and ask again).
 */
ax_status ax_decision_index_find(struct ax_decision_index *index, struct ax_ctx *ctx,
                                 ax_str decision_id, uint64_t *out_leaf);

/* Leaves of the facts that were added to a decision (outcomes, reviews, replays), oldest first. */
ax_status ax_decision_index_added(struct ax_decision_index *index, struct ax_ctx *ctx,
                                  ax_str decision_id, uint64_t **out_leaves, size_t *out_count);

/*
 * Reads facts that have become durable into the index: a job, and before a find that must not miss.
 * One thread at a time does it; others wait.
 */
ax_status ax_decision_index_catch_up(struct ax_decision_index *index, struct ax_ctx *ctx);
