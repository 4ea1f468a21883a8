#include "governance/risk_control.h"

#include <math.h>

#include "harness.h"

TEST(r19_r72_guards_stop_what_is_outside_the_domain_or_the_cap)
{
    static const double min[] = {0, -(double)INFINITY}, max[] = {10, (double)INFINITY};
    const struct ax_guards guards = {
        .feature_count = 2,
        .min = min,
        .max = max,
        .out_of_domain = AX_GUARD_REFER,
        .amount_feature = 1,
        .amount_max = 1000,
        .amount_action = AX_GUARD_REFUSE,
        .response_min = 0,
        .response_max = 1,
    };
    static const struct {
        double row[2];
        enum ax_guard_action action;
        enum ax_guard_rule rule;
    } cases[] = {
        {{5, 1000}, AX_GUARD_PASS, AX_GUARD_RULE_NONE},
        {{0, 0}, AX_GUARD_PASS, AX_GUARD_RULE_NONE},
        {{-0.5, 0}, AX_GUARD_REFER, AX_GUARD_RULE_DOMAIN},
        {{10.5, 0}, AX_GUARD_REFER, AX_GUARD_RULE_DOMAIN},
        {{5, 1000.01}, AX_GUARD_REFUSE, AX_GUARD_RULE_AMOUNT},
        {{5, (double)NAN}, AX_GUARD_REFUSE, AX_GUARD_RULE_AMOUNT}, /* a cap needs the amount */
        {{11, 2000}, AX_GUARD_REFUSE, AX_GUARD_RULE_AMOUNT},       /* the gravest one counts */
        {{(double)NAN, 1}, AX_GUARD_PASS, AX_GUARD_RULE_NONE},
        {{(double)INFINITY, 1}, AX_GUARD_REFUSE, AX_GUARD_RULE_INFINITE},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_guard_verdict verdict = ax_guards_check_input(&guards, cases[i].row);
        CHECK_EQ(verdict.action, cases[i].action);
        CHECK_EQ(verdict.rule, cases[i].rule);
    }
    CHECK_EQ(ax_guards_check_output(&guards, 0.5, 0.6).action, AX_GUARD_PASS);
    CHECK_EQ(ax_guards_check_output(&guards, (double)NAN, 0.6).action, AX_GUARD_REFUSE);
    CHECK_EQ(ax_guards_check_output(&guards, 0.5, 1.5).action, AX_GUARD_REFUSE);
    CHECK_EQ(ax_guards_check_output(&guards, 0.5, (double)NAN).action, AX_GUARD_REFUSE);
}

static const struct ax_breaker_config config = {
    .error_rate = 0.05,
    .calls_min = 200,
    .wait_ns = 1000,
    .wait_ns_max = 4000,
    .probes = 2,
};

static void
trips(struct ax_ctx *ctx)
{
    struct ax_breaker *breaker = NULL;
    CHECK_EQ(ax_breaker_new(ctx, &config, &breaker), AX_OK);
    for (int i = 0; i < 189; i++)
        CHECK(!ax_breaker_note(breaker, 0, true, 1));
    for (int i = 0; i < 10; i++)
        CHECK(!ax_breaker_note(breaker, 0, false, 1)); /* too few calls to judge by */
    CHECK(ax_breaker_note(breaker, 0, false, 1));
    CHECK_EQ(ax_breaker_state_now(breaker, 10), AX_BREAKER_OPEN);
    CHECK(!ax_breaker_allows(breaker, 10));
    CHECK_EQ(ax_breaker_short_circuits(breaker), 1);

    CHECK(ax_breaker_allows(breaker, 1000)); /* the wait is over: one probe */
    ax_breaker_forgo(breaker);               /* that was not made: its place is free again */
    CHECK(ax_breaker_allows(breaker, 1000));
    CHECK(!ax_breaker_allows(breaker, 1000)); /* and not a second beside it */
    CHECK(!ax_breaker_note(breaker, 1000, false, 1));
    CHECK(!ax_breaker_allows(breaker, 2500)); /* it waits twice as long now */
    CHECK(ax_breaker_allows(breaker, 3000));
    CHECK(!ax_breaker_note(breaker, 3000, true, 1));
    CHECK(ax_breaker_allows(breaker, 3001));
    CHECK(ax_breaker_note(breaker, 3001, true, 1));
    CHECK_EQ(ax_breaker_state_now(breaker, 3002), AX_BREAKER_CLOSED);
    ax_breaker_unref(breaker);
}

TEST(r74_r75_r78_a_breaker_opens_waits_probes_and_closes)
{
    ax_test_with_ctx(trips);
}

static void
forced(struct ax_ctx *ctx)
{
    struct ax_breaker_config tier_one = config;
    struct ax_breaker *breaker = NULL;
    tier_one.person_closes = true;
    tier_one.calls_min = 1;
    CHECK_EQ(ax_breaker_new(ctx, &tier_one, &breaker), AX_OK);
    CHECK(ax_breaker_note(breaker, 0, false, 1));
    CHECK(!ax_breaker_allows(breaker, INT64_MAX)); /* time alone never closes it */
    ax_breaker_force(breaker, false);
    CHECK(ax_breaker_allows(breaker, 1));
    ax_breaker_force(breaker, true);
    CHECK_EQ(ax_breaker_state_now(breaker, INT64_MAX), AX_BREAKER_FORCED_OPEN);
    CHECK(!ax_breaker_allows(breaker, INT64_MAX));
    ax_breaker_unref(breaker);
}

TEST(r79_a_tier_one_breaker_is_closed_by_a_person_only)
{
    ax_test_with_ctx(forced);
}
