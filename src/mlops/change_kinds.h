/*
 * The kinds of governed change: one row each, saying what it is about, whether it could take
 * effect, and how it does. Part of change_control.c.
 */
#pragma once

#include "auth/policy.h"
#include "governance/approval.h"
#include "mlops/change_control.h"

/* One proposed change while it is looked at. */
struct ax_change {
    const struct ax_change_control_config *services;
    struct ax_ctx *ctx;
    struct ax_store_tx *tx;
    enum ax_change_kind kind;
    ax_str subject;
    const struct ax_json *change;
    ax_str proposal_id; /* "" while it is being proposed */
    ax_str proposer;
};

struct ax_change_row {
    enum ax_permission propose; /* what proposing it takes */
    /* The object as it stands, as text that is hashed. */
    ax_status (*object)(const struct ax_change *change, ax_str *out_text);
    /* Whether it could take effect now. */
    ax_status (*check)(const struct ax_change *change);
    /* Takes effect, inside the transaction. NULL: all of it follows the commit. */
    ax_status (*apply)(const struct ax_change *change);
    /* After the commit; done again after a crash, so doing it twice is fine. */
    ax_status (*effect)(const struct ax_change *change);
    bool effect_is_durable; /* the proposal is `applying` until the effect is done */
};

const struct ax_change_row *ax_change_row(enum ax_change_kind kind);

/* Tier that decides who must sign: of the model it is about; 2 where there is none. */
ax_status ax_change_tier(const struct ax_change *change, int64_t *out_tier);

/* Who has developed or validated what it is about, in ctx->arena. */
ax_status ax_change_involved(const struct ax_change *change, ax_str **out_people,
                             size_t *out_count);

/* Of TIER: whether it is lowered. */
ax_status ax_change_lowers_tier(const struct ax_change *change, bool *out_lowers);

/* What the `quorum` setting says. */
ax_status ax_change_quorum_table(struct ax_store_tx *tx, struct ax_ctx *ctx,
                                 struct ax_quorum_table *out_table);
