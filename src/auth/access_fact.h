/*
 * Facts about users and tokens, written in the transaction of what they tell.
 *
 * Ids only: a user's name is not in the ledger. Facts about roles and keys are change control's.
 */
#pragma once

#include "event/event.h"

struct ax_store_tx;

struct ax_access_fact {
    enum ax_event_kind kind; /* USER or TOKEN */
    ax_str object;           /* id of the user or token */
    ax_str verb;             /* "created", "disabled", "issued", "revoked": body 1 */
    ax_str subject;          /* of a token: whose: body 2; "" for none */
    ax_str reason;           /* body 3; "" for none */
};

/* The actor is ctx->actor; without one, the object is its own (axiom init). As ax_outbox_put. */
ax_status ax_access_fact_put(struct ax_store_tx *tx, struct ax_ctx *ctx,
                             const struct ax_access_fact *fact);
