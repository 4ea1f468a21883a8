/*
 * Decisions that were made: read, explained, proved, computed again, added to. Never edited.
 *
 * The record is in the ledger, sealed under its entity's key; late outcomes and human results are
 * facts of their own that link to it (R61). Workers only.
 */
#pragma once

#include "serving/model_server.h"

struct ax_decision_archive;

struct ax_decision_archive_config { /* all kept */
    struct ax_ledger *ledger;
    struct ax_vault *vault;
    struct ax_decision_index *index;
    struct ax_model_server *server;
    ax_str build_id;
    /* Writes the plan an older decision was made under to a folder; see mlops/deployment. */
    ax_status (*older_plan)(void *arg, struct ax_ctx *ctx, const struct ax_decision *decision,
                            ax_str folder);
    void *arg;
    ax_str folder; /* for those plans, while they are used */
};

ax_status ax_decision_archive_open(struct ax_ctx *ctx,
                                   const struct ax_decision_archive_config *config,
                                   struct ax_decision_archive **out_archive);
void ax_decision_archive_close(struct ax_decision_archive *archive);
AX_DEFINE_AUTO(struct ax_decision_archive, ax_decision_archive_close);

/* Where its fact is. Fails: NOT_FOUND. */
ax_status ax_decision_archive_find(struct ax_decision_archive *archive, struct ax_ctx *ctx,
                                   ax_str decision_id, uint64_t *out_leaf);

/*
 * {"decision_id","leaf","leaf_hash","record":{..}|null,"erased":bool}. An erased record is null.
 * Fails: NOT_FOUND, CORRUPT.
 */
ax_status ax_decision_archive_show(struct ax_decision_archive *archive, struct ax_ctx *ctx,
                                   ax_str decision_id, struct ax_json_writer *out);

/* The record itself. Fails: NOT_FOUND (unknown, or erased). */
ax_status ax_decision_archive_read(struct ax_decision_archive *archive, struct ax_ctx *ctx,
                                   ax_str decision_id, struct ax_decision *out_decision);

/* A .tlog-proof that its fact is in the signed log. */
ax_status ax_decision_archive_prove(struct ax_decision_archive *archive, struct ax_ctx *ctx,
                                    ax_str decision_id, ax_str *out_proof);

/* Computed again, compared, and noted as a fact: {"same":true,"margin":{...},...}. */
ax_status ax_decision_archive_replay(struct ax_decision_archive *archive, struct ax_ctx *ctx,
                                     ax_str decision_id, struct ax_json_writer *out);

/* A late label: {"label":"good"|"bad"|..., "observed_at"?}. out: {"decision_id","leaf"}. */
ax_status ax_decision_archive_outcome(struct ax_decision_archive *archive, struct ax_ctx *ctx,
                                      ax_str decision_id, const struct ax_json *request,
                                      struct ax_json_writer *out);

/*
 * A human result on a referred or contested decision: {"outcome":"approve"|"decline","reason",
 * "comment"?}. Fails: CONFLICT when it was not referred and no contest is named.
 */
ax_status ax_decision_archive_review(struct ax_decision_archive *archive, struct ax_ctx *ctx,
                                     ax_str decision_id, const struct ax_json *request,
                                     struct ax_json_writer *out);
