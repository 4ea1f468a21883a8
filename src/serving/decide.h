/*
 * The arithmetic of one decision: no plan, no ledger, no clock but for its phases.
 *
 * Given a deployment and named features it fills in the record: which version answered, margin,
 * probability, score, outcome, reasons, challengers. model_server.c puts routing before it and
 * recording behind it; a replay is the same call on recorded features.
 */
#pragma once

#include "event/decision.h"
#include "serving/plan.h"

struct ax_decide_input {
    const struct ax_plan_deployment *deployment;
    const struct ax_json *features;     /* of a request; or NULL and */
    const struct ax_decision *recorded; /* of a replay: its features are taken, its version asked */
    int64_t now_ns;                     /* real time: restrictions */
    int64_t monotonic_ns;               /* breakers */
    void *scratch;                      /* ax_decide_scratch_bytes of the deployment */
};

struct ax_decide_output {
    const struct ax_reason *reasons[AX_REASONS_MAX]; /* the words of record->reasons */
    bool breaker_changed; /* the champion's or the fallback's opened or closed */
};

size_t ax_decide_scratch_bytes(const struct ax_plan_deployment *deployment);

/*
 * Fills in model, features, numbers, outcome, route, reasons, challengers, limits and fallback of
 * the record; the caller has done ids, times and caller. Everything it adds is in ctx->arena.
 *
 * A champion that fails, is past its restriction or whose breaker is open is no failure: the
 * fallback answers, else a person (R77).
 * Fails: INVALID (a feature, or a guard that refuses: the sentence names it), LIMIT; of a replay
 * NOT_FOUND (the version), CONFLICT (other features).
 */
ax_status ax_decide(struct ax_ctx *ctx, const struct ax_decide_input *input,
                    struct ax_decision *record, struct ax_decide_output *out);
