#include "governance/decision_policy.h"

#include <math.h>
#include <stdio.h>

#include "base/assert.h"

static const char *const outcome_names[] = {
    [AX_OUTCOME_APPROVE] = "approve",
    [AX_OUTCOME_REFER] = "refer",
    [AX_OUTCOME_DECLINE] = "decline",
};
static const char *const action_names[] = {
    [AX_GUARD_PASS] = "pass",
    [AX_GUARD_FLAG] = "flag",
    [AX_GUARD_REFER] = "refer",
    [AX_GUARD_REFUSE] = "refuse",
};
static const char *const when_names[] = {
    [AX_EXPLAIN_ADVERSE] = "adverse",
    [AX_EXPLAIN_ALWAYS] = "always",
    [AX_EXPLAIN_NEVER] = "never",
};
static const char *const how_names[] = {
    [AX_EXPLAIN_INTERVENTIONAL] = "interventional",
    [AX_EXPLAIN_PATH_DEPENDENT] = "path_dependent",
};

/* Reads a word of a fixed set; absent keeps *inout. */
static ax_status
take_word(struct ax_ctx *ctx, const struct ax_json *json, const char *key, const char *const *names,
          int name_count, int *inout)
{
    ax_str word = ax_str_of(names[*inout]);
    AX_TRY(ax_json_may_text(ctx, json, key, &word));
    for (int i = 0; i < name_count; i++) {
        if (ax_str_eq(word, ax_str_of(names[i]))) {
            *inout = i;
            return AX_OK;
        }
    }
    char allowed[128] = "";
    for (int i = 0; i < name_count; i++) {
        size_t used = strlen(allowed);
        snprintf(allowed + used, sizeof allowed - used, "%s%s", i ? ", " : "", names[i]);
    }
    return ax_fail(ctx, AX_INVALID, "`%s` must be one of %s, not \"%.*s\"", key, allowed,
                   AX_FMT(word));
}

static ax_status
take_thresholds(struct ax_ctx *ctx, const struct ax_json *json, struct ax_decision_policy *policy)
{
    AX_TRY(ax_json_need_f64(ctx, json, "approve_below", &policy->approve_below));
    AX_TRY(ax_json_need_f64(ctx, json, "decline_from", &policy->decline_from));
    if (!(policy->approve_below > 0.0 && policy->approve_below < 1.0))
        return ax_fail(ctx, AX_INVALID, "`approve_below` must lie between 0 and 1, not %g",
                       policy->approve_below);
    if (!(policy->decline_from >= policy->approve_below && policy->decline_from <= 1.0))
        return ax_fail(ctx, AX_INVALID,
                       "`decline_from` must lie between `approve_below` (%g) and 1, not %g",
                       policy->approve_below, policy->decline_from);
    return AX_OK;
}

static ax_status
take_score(struct ax_ctx *ctx, const struct ax_json *json, struct ax_decision_policy *policy)
{
    double base_points = 600, base_odds = 30, points_to_double = 20;
    const struct ax_json *score = ax_json_find(json, "score");
    if (score) {
        AX_TRY(ax_json_need_object(ctx, json, "score", &score));
        AX_TRY(ax_json_need_f64(ctx, score, "base_points", &base_points));
        AX_TRY(ax_json_need_f64(ctx, score, "base_odds", &base_odds));
        AX_TRY(ax_json_need_f64(ctx, score, "points_to_double", &points_to_double));
    }
    if (!(base_odds > 0.0) || !(points_to_double > 0.0) || !isfinite(base_points))
        return ax_fail(ctx, AX_INVALID, "`score` needs `base_odds` and `points_to_double` above 0");
    policy->score_factor = points_to_double / log(2.0);
    policy->score_offset = base_points - policy->score_factor * log(base_odds);
    return AX_OK;
}

static ax_status
take_amount(struct ax_ctx *ctx, const struct ax_json *json, struct ax_decision_policy *policy)
{
    const struct ax_json *amount = ax_json_find(json, "amount");
    int action = AX_GUARD_REFER;
    if (!amount)
        return AX_OK;
    AX_TRY(ax_json_need_object(ctx, json, "amount", &amount));
    AX_TRY(ax_json_need_text(ctx, amount, "feature", &policy->amount_feature));
    AX_TRY(ax_json_need_f64(ctx, amount, "max", &policy->amount_max));
    AX_TRY(take_word(ctx, amount, "action", action_names, AX_COUNT_OF(action_names), &action));
    if (policy->amount_feature.len == 0 || !(policy->amount_max > 0.0))
        return ax_fail(ctx, AX_INVALID, "`amount` needs a `feature` and a `max` above 0");
    policy->amount_action = (enum ax_guard_action)action;
    return AX_OK;
}

static ax_status
take_reasons(struct ax_ctx *ctx, const struct ax_json *json, struct ax_decision_policy *policy)
{
    int when = AX_EXPLAIN_ADVERSE, how = AX_EXPLAIN_INTERVENTIONAL;
    policy->reasons_max = 4;
    policy->language = AX_STR("en");
    AX_TRY(ax_json_need_text(ctx, json, "reason_map", &policy->reason_map));
    AX_TRY(ax_json_may_i64(ctx, json, "reasons_max", &policy->reasons_max));
    AX_TRY(ax_json_may_text(ctx, json, "language", &policy->language));
    AX_TRY(take_word(ctx, json, "explain", when_names, AX_COUNT_OF(when_names), &when));
    AX_TRY(take_word(ctx, json, "explanation", how_names, AX_COUNT_OF(how_names), &how));
    if (policy->reasons_max < 1 || policy->reasons_max > 4)
        return ax_fail(ctx, AX_INVALID, "`reasons_max` must be 1 to 4, not %lld",
                       (long long)policy->reasons_max);
    policy->explain = (enum ax_explain_when)when;
    policy->explanation = (enum ax_explain_how)how;
    return AX_OK;
}

ax_status
ax_decision_policy_parse(struct ax_ctx *ctx, const struct ax_json *json,
                         struct ax_decision_policy *out_policy)
{
    struct ax_decision_policy policy = {.version = 1};
    int out_of_domain = AX_GUARD_REFER;
    if (!json || ax_json_kind(json) != AX_JSON_OBJECT)
        return ax_fail(ctx, AX_INVALID, "a decision policy must be an object");
    AX_TRY(ax_json_may_text(ctx, json, "name", &policy.name));
    AX_TRY(ax_json_may_i64(ctx, json, "version", &policy.version));
    AX_TRY(take_thresholds(ctx, json, &policy));
    AX_TRY(take_score(ctx, json, &policy));
    AX_TRY(take_amount(ctx, json, &policy));
    AX_TRY(take_word(ctx, json, "out_of_domain", action_names, AX_COUNT_OF(action_names),
                     &out_of_domain));
    policy.out_of_domain = (enum ax_guard_action)out_of_domain;
    AX_TRY(take_reasons(ctx, json, &policy));
    *out_policy = policy;
    return AX_OK;
}

enum ax_outcome
ax_decision_policy_outcome(const struct ax_decision_policy *policy, double probability)
{
    AX_ASSERT(isfinite(probability));
    if (probability < policy->approve_below)
        return AX_OUTCOME_APPROVE;
    return probability < policy->decline_from ? AX_OUTCOME_REFER : AX_OUTCOME_DECLINE;
}

double
ax_decision_policy_score(const struct ax_decision_policy *policy, double margin)
{
    return policy->score_offset - policy->score_factor * margin;
}

const char *
ax_outcome_name(enum ax_outcome outcome)
{
    return outcome_names[outcome];
}

bool
ax_outcome_parse(ax_str text, enum ax_outcome *out)
{
    for (size_t i = 0; i < AX_COUNT_OF(outcome_names); i++) {
        if (ax_str_eq(text, ax_str_of(outcome_names[i]))) {
            *out = (enum ax_outcome)i;
            return true;
        }
    }
    return false;
}
