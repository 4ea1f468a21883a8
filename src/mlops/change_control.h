/*
 * Every change of state: proposal, approval, effect. There is no other way in.
 *
 * One table (change_control.c) says for each kind of change: the canonical object it is about,
 * whether it could take effect, who must sign, and how it takes effect. A proposal is a row; an
 * approval is a person's signature over its digest (governance/approval.h); when the last one
 * needed is there, the change is applied in the same transaction, with the approval's id and digest
 * and a fact in the outbox. Effects outside the database (keys destroyed, a switch released, the
 * plan written) follow the commit, are idempotent, and are finished at the next start when a crash
 * came between. Refusals by the gate are facts too. Workers only.
 */
#pragma once

#include "auth/directory.h"
#include "event/vault.h"
#include "governance/kill_switch.h"
#include "mlops/deployment.h"

struct ax_change_control;

struct ax_change_control_config { /* all kept */
    struct ax_store *store;
    struct ax_ledger *ledger;
    struct ax_vault *vault;
    struct ax_directory *directory;
    struct ax_registry *registry;
    struct ax_deployments *deployments;
    struct ax_kill_switch *kill;
    /* Closes the breaker of a deployment's champion in the plan that is served. */
    ax_status (*on_breaker)(void *arg, struct ax_ctx *ctx, ax_str deployment);
    void *arg;
    int64_t expires_days; /* of a proposal and its approvals: 30 */
};

ax_status ax_change_control_open(struct ax_ctx *ctx, const struct ax_change_control_config *config,
                                 struct ax_change_control **out_control);
void ax_change_control_close(struct ax_change_control *control);
AX_DEFINE_AUTO(struct ax_change_control, ax_change_control_close);

/*
 * request: {"kind","subject","change":{..},"comment"?}.
 * out: {"id","digest","kind","subject","change","object_digest","proposer","tier","needs":[..],
 * "state":"open"|"applied","created","expires","approvals":[]}. A kind that needs nobody else (a
 * tier raised) is applied at once.
 * Fails: INVALID, NOT_FOUND, CONFLICT (it could not take effect), DENIED (may not propose this).
 */
ax_status ax_change_control_propose(struct ax_change_control *control, struct ax_ctx *ctx,
                                    const struct ax_json *request, struct ax_json_writer *out);

/* Why an approval or rejection was refused, besides the words: for the API's `code`. */
enum ax_change_refusal {
    AX_CHANGE_NOT_REFUSED,
    AX_CHANGE_FOUR_EYES, /* the same person, or one who may not */
    AX_CHANGE_UNSIGNED,  /* no signature, not theirs, or not over this digest */
    AX_CHANGE_CHANGED,   /* the object is no longer what was proposed */
    AX_CHANGE_EXPIRED,
    AX_CHANGE_CLOSED, /* decided already */
};
const char *
ax_change_refusal_name(enum ax_change_refusal refusal); /* "four_eyes", "unsigned" ... */

/*
 * request: {"digest","comment","key_id","signature"} (signature: base64 of 64 bytes).
 * out: the proposal as in propose. Fails: DENIED, CONFLICT with *out_refusal; NOT_FOUND, INVALID.
 */
ax_status ax_change_control_approve(struct ax_change_control *control, struct ax_ctx *ctx,
                                    ax_str id, const struct ax_json *request,
                                    struct ax_json_writer *out,
                                    enum ax_change_refusal *out_refusal);
ax_status ax_change_control_reject(struct ax_change_control *control, struct ax_ctx *ctx, ax_str id,
                                   const struct ax_json *request, struct ax_json_writer *out,
                                   enum ax_change_refusal *out_refusal);

ax_status ax_change_control_show(struct ax_change_control *control, struct ax_ctx *ctx, ax_str id,
                                 struct ax_json_writer *out);
/* state: "open", "applied", ... or "" for all: {"proposals":[..]}, newest first. */
ax_status ax_change_control_list(struct ax_change_control *control, struct ax_ctx *ctx,
                                 ax_str state, struct ax_json_writer *out);

/*
 * Back to the deployment's revision before, which was approved when it was made: by one operator
 * or deployer, with a reason, at once (R52). out: the deployment.
 */
ax_status ax_change_control_rollback(struct ax_change_control *control, struct ax_ctx *ctx,
                                     ax_str deployment, const struct ax_json *request,
                                     struct ax_json_writer *out);

/* Stops a scope at once: by an owner, operator or risk officer. request: {"scope","reason"}. */
ax_status ax_change_control_kill(struct ax_change_control *control, struct ax_ctx *ctx,
                                 const struct ax_json *request, struct ax_json_writer *out);

/* A job: proposals past their time, restrictions that have ended, effects a crash left undone. */
ax_status ax_change_control_upkeep(struct ax_change_control *control, struct ax_ctx *ctx);
