#include "governance/decision_policy.h"

#include <math.h>

#include "harness.h"

static ax_status
parse(struct ax_ctx *ctx, const char *text, struct ax_decision_policy *out)
{
    const struct ax_json *json;
    AX_TRY(ax_json_parse(ctx, ax_str_of(text), NULL, &json));
    return ax_decision_policy_parse(ctx, json, out);
}

static void
outcomes(struct ax_ctx *ctx)
{
    struct ax_decision_policy policy = {};
    CHECK_EQ(parse(ctx,
                   "{\"approve_below\":0.35,\"decline_from\":0.55,\"reason_map\":\"r\","
                   "\"score\":{\"base_points\":600,\"base_odds\":30,\"points_to_double\":20},"
                   "\"amount\":{\"feature\":\"amount\",\"max\":100,\"action\":\"refuse\"}}",
                   &policy),
             AX_OK);
    static const struct {
        double probability;
        enum ax_outcome want;
    } cases[] = {
        {0.0, AX_OUTCOME_APPROVE},     {0.3499999, AX_OUTCOME_APPROVE}, {0.35, AX_OUTCOME_REFER},
        {0.5499999, AX_OUTCOME_REFER}, {0.55, AX_OUTCOME_DECLINE},      {1.0, AX_OUTCOME_DECLINE},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        CHECK_EQ(ax_decision_policy_outcome(&policy, cases[i].probability), cases[i].want);
    CHECK(fabs(policy.score_factor - 28.8539) < 1e-4);
    CHECK(fabs(policy.score_offset - 501.862) < 1e-3);
    CHECK(fabs(ax_decision_policy_score(&policy, -log(30.0)) - 600.0) < 1e-9);
    CHECK(fabs(ax_decision_policy_score(&policy, -log(60.0)) - 620.0) < 1e-9);
    CHECK_EQ(policy.amount_action, AX_GUARD_REFUSE);
    CHECK_EQ(policy.out_of_domain, AX_GUARD_REFER);
    CHECK_EQ(policy.reasons_max, 4);
}

TEST(a_policy_turns_probabilities_into_outcomes_and_points)
{
    ax_test_with_ctx(outcomes);
}

static void
refusals(struct ax_ctx *ctx)
{
    static const struct {
        const char *in;
        const char *words;
    } cases[] = {
        {"[]", "a decision policy must be an object"},
        {"{\"approve_below\":0.5}", "`decline_from` is missing"},
        {"{\"approve_below\":\"x\"}", "`approve_below` must be a number, not a string"},
        {"{\"approve_below\":0,\"decline_from\":1}",
         "`approve_below` must lie between 0 and 1, not 0"},
        {"{\"approve_below\":0.5,\"decline_from\":0.4}",
         "`decline_from` must lie between `approve_below` (0.5) and 1, not 0.4"},
        {"{\"approve_below\":0.5,\"decline_from\":0.6}", "`reason_map` is missing"},
        {"{\"approve_below\":0.5,\"decline_from\":0.6,\"reason_map\":\"r\",\"reasons_max\":5}",
         "`reasons_max` must be 1 to 4, not 5"},
        {"{\"approve_below\":0.5,\"decline_from\":0.6,\"reason_map\":\"r\",\"explain\":\"often\"}",
         "`explain` must be one of adverse, always, never, not \"often\""},
        {"{\"approve_below\":0.5,\"decline_from\":0.6,\"amount\":{\"feature\":\"a\",\"max\":0}}",
         "`amount` needs a `feature` and a `max` above 0"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_decision_policy policy = {};
        CHECK_EQ(parse(ctx, cases[i].in, &policy), AX_INVALID);
        if (strcmp(ctx->error, cases[i].words) != 0)
            ax_test_failed(__FILE__, __LINE__, "case %zu says: %s", i, ctx->error);
    }
}

TEST(a_broken_policy_is_refused_with_its_member)
{
    ax_test_with_ctx(refusals);
}
