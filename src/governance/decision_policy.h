/*
 * From a probability to an outcome: thresholds, score scale, caps, which reasons are given.
 *
 * A policy is data, versioned and approved like a model; this module reads it (docs/formats.md
 * section 4), checks it and applies it. It knows no model and keeps nothing.
 */
#pragma once

#include <stdint.h>

#include "codec/json.h"

enum ax_outcome { AX_OUTCOME_APPROVE, AX_OUTCOME_REFER, AX_OUTCOME_DECLINE };

/* What happens to a request that a guard stops. */
enum ax_guard_action { AX_GUARD_PASS, AX_GUARD_FLAG, AX_GUARD_REFER, AX_GUARD_REFUSE };

enum ax_explain_when { AX_EXPLAIN_ADVERSE, AX_EXPLAIN_ALWAYS, AX_EXPLAIN_NEVER };
enum ax_explain_how { AX_EXPLAIN_INTERVENTIONAL, AX_EXPLAIN_PATH_DEPENDENT };

struct ax_decision_policy {
    ax_str name;
    int64_t version;
    double approve_below; /* probability of the bad outcome, 0..1 */
    double decline_from;
    double score_factor; /* points = offset + factor * ln(odds good:bad) */
    double score_offset;
    ax_str amount_feature; /* "" for no cap */
    double amount_max;
    enum ax_guard_action amount_action;
    enum ax_guard_action out_of_domain;
    ax_str reason_map;
    int64_t reasons_max; /* 1..4 (R63) */
    enum ax_explain_when explain;
    enum ax_explain_how explanation;
    ax_str language;
};

/* Strings are in ctx->arena. Fails: INVALID, naming the member and what was expected. */
ax_status ax_decision_policy_parse(struct ax_ctx *ctx, const struct ax_json *json,
                                   struct ax_decision_policy *out_policy);

/* probability: finite, 0..1. */
enum ax_outcome ax_decision_policy_outcome(const struct ax_decision_policy *policy,
                                           double probability);

/*
 * Points on the policy's scale.   Source: Siddiqi, Credit Risk Scorecards, 2006.
 * margin: log-odds of the bad outcome, finite.
 */
double ax_decision_policy_score(const struct ax_decision_policy *policy, double margin);

const char *ax_outcome_name(enum ax_outcome outcome); /* "approve", "refer", "decline" */
[[nodiscard]] bool ax_outcome_parse(ax_str text, enum ax_outcome *out);
