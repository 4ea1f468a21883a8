/*
 * A deployment asked in the tongue of tensors: every row is a decision.
 *
 * On a governed server a client who names a deployment gets decisions, whatever the dialect: the
 * same guards, policy, reasons and record as /api/v1, one a row, and the answer leaves when all
 * records are where the plan wants them. The ids are in the header axiom-decision-id. Developers
 * and validators, who may not ask for decisions, score the champion instead and leave no record.
 */
#pragma once

#include "api/inference.h"

enum { AX_INFERENCE_DECIDED_ROWS_MAX = 256 };

/*
 * Whether the call asks a deployment for decisions.
 * Fails: DENIED when a client asks for a version that no deployment's policy stands behind.
 */
ax_status ax_inference_decides(struct ax_call *call, struct ax_ctx *ctx,
                               const struct ax_inference_target *target, bool *out_decides);

/*
 * Decides about every row and answers, later and from any thread. Loop thread.
 *
 * The header axiom-entity-id says who the rows are about. Fails: INVALID, LIMIT, DENIED before
 * anything was decided; a row refused later leaves the records of the rows before it.
 */
ax_status ax_inference_decide(struct ax_call *call, struct ax_ctx *ctx,
                              const struct ax_inference_target *target);
