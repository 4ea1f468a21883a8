#include "serving/decide.h"

#include <math.h>

#include "base/assert.h"
#include "serving_case.h"

/* A call of the arithmetic with a plan of its own, on features or on a record. */
struct call {
    const char *features;
    const struct ax_decision *recorded;
    int64_t now_ns, monotonic_ns;
};

static const struct ax_plan_deployment *
loans(struct serving_case *at)
{
    return &ax_lane_plan(at->lane)->deployments[0];
}

static ax_status
decide(struct ax_ctx *ctx, struct serving_case *at, const struct call *call,
       struct ax_decision *out_record, struct ax_decide_output *out)
{
    struct ax_decide_input input = {.deployment = loans(at),
                                    .recorded = call->recorded,
                                    .now_ns = call->now_ns,
                                    .monotonic_ns = call->monotonic_ns};
    *out = (struct ax_decide_output){};
    *out_record = (struct ax_decision){};
    if (call->features)
        AX_TRY(ax_json_parse(ctx, ax_str_of(call->features), NULL, &input.features));
    input.scratch = ax_lane_scratch(at->lane, ax_decide_scratch_bytes(input.deployment));
    if (!input.scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory for scratch");
    return ax_decide(ctx, &input, out_record, out);
}

/* Decides the features; fails the test when that fails. */
static struct ax_decision
decided(struct ax_ctx *ctx, struct serving_case *at, const char *features,
        struct ax_decide_output *out)
{
    struct ax_decision record;
    ax_status status = decide(ctx, at, &(struct call){.features = features}, &record, out);
    if (status != AX_OK)
        ax_test_failed(__FILE__, __LINE__, "%s: %s", features, ctx->error);
    return record;
}

static const char plain[] = "\"champion\":{\"model\":\"credit\",\"version\":1}";

/* ---- numbers, outcome, reasons ---- */

static void
outcomes(struct ax_ctx *ctx, struct serving_case *at)
{
    static const struct {
        const char *features, *outcome, *route, *code;
        double margin;
    } cases[] = {
        {serving_case_good, "approve", "auto", "", -1.0986123 - 0.5 - 0.125},
        {serving_case_middling, "refer", "refer", "R1", -1.0986123 + 0.25 + 0.1},
        {serving_case_bad, "decline", "auto", "R", -1.0986123 + 0.75 + 0.1},
    };
    serving_case_serve(at, plain, ",\"explanation\":\"path_dependent\"");
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_decide_output out;
        struct ax_decision record = decided(ctx, at, cases[i].features, &out);
        AX_ASSERT(record.features);
        CHECK(fabs(record.margin - cases[i].margin) < 1e-6);
        CHECK(fabs(record.probability - 1 / (1 + exp(-record.margin))) < 1e-6);
        CHECK(fabs(record.score - (600 - 20 / log(2) * (log(30) + record.margin))) < 1e-6);
        CHECK_STR(record.outcome, cases[i].outcome);
        CHECK_STR(record.route, cases[i].route);
        CHECK_STR(record.model.name, "credit");
        CHECK_STR(record.model.version, "1");
        CHECK_EQ(record.feature_count, 3);
        CHECK_STR(record.features[2].name, "job");
        CHECK_EQ(record.features[2].kind, AX_DECISION_TEXT);
        CHECK(!out.breaker_changed && !record.fallback && record.limits.len == 0);
        CHECK_EQ(record.reason_count > 0, cases[i].code[0] != '\0');
        for (size_t r = 0; r < record.reason_count; r++) {
            CHECK(out.reasons[r] && ax_str_eq(out.reasons[r]->code, record.reasons[r].code));
            CHECK(record.reasons[r].contribution > 0);
            CHECK(r == 0 || record.reasons[r - 1].contribution >= record.reasons[r].contribution);
        }
    }
}

SERVING_TEST(r63_an_outcome_follows_from_the_thresholds_with_reasons_by_size, outcomes)

static void
explanations(struct ax_ctx *ctx, struct serving_case *at)
{
    static const struct {
        const char *policy, *features, *method;
        bool against;
    } cases[] = {
        {"", serving_case_bad, "interventional", true},
        {"", serving_case_good, "", false},
        {",\"explain\":\"always\"", serving_case_good, "interventional", true},
        {",\"explain\":\"never\"", serving_case_bad, "", false},
        {",\"explanation\":\"path_dependent\"", serving_case_bad, "path_dependent", false},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_decide_output out;
        serving_case_serve(at, plain, cases[i].policy);
        struct ax_decision record = decided(ctx, at, cases[i].features, &out);
        double sum = record.explanation_base;
        CHECK_STR(record.explanation_method, cases[i].method);
        CHECK_EQ(record.contribution_count, cases[i].method[0] ? 3 : 0);
        for (size_t f = 0; f < record.contribution_count; f++)
            sum += record.contributions[f];
        if (record.contribution_count)
            CHECK(fabs(record.margin - sum - record.explanation_residual) < 1e-12);
        CHECK(fabs(record.explanation_residual) < 1e-6); /* the margin is a sum of floats */
        const ax_digest none = {};
        CHECK_EQ(!ax_digest_eq(record.explanation_reference, none), cases[i].against);
        if (cases[i].against)
            CHECK(ax_digest_eq(record.explanation_reference,
                               loans(at)->champion.model->reference_digest));
    }
}

SERVING_TEST(r65_an_explanation_adds_up_and_names_its_reference, explanations)

static void
guards(struct ax_ctx *ctx, struct serving_case *at)
{
    static const char old[] = "{\"age\":101,\"income\":500,\"job\":\"clerk\"}";
    static const struct {
        const char *policy, *features, *outcome, *limits;
    } cases[] = {
        {",\"out_of_domain\":\"refer\"", old, "refer", "age"},
        {",\"out_of_domain\":\"flag\"", "{\"age\":17,\"income\":500,\"job\":\"clerk\"}", "approve",
         "age"},
        {",\"amount\":{\"feature\":\"income\",\"max\":400,\"action\":\"refer\"}", serving_case_good,
         "refer", "income"},
        {",\"amount\":{\"feature\":\"income\",\"max\":400,\"action\":\"flag\"}", serving_case_good,
         "approve", "income"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_decide_output out;
        serving_case_serve(at, plain, cases[i].policy);
        struct ax_decision record = decided(ctx, at, cases[i].features, &out);
        CHECK_STR(record.outcome, cases[i].outcome);
        CHECK(ax_str_find(record.limits, ax_str_of(cases[i].limits)) != SIZE_MAX);
        CHECK_STR(record.route, strcmp(cases[i].outcome, "refer") == 0 ? "refer" : "auto");
    }
}

SERVING_TEST(r19_r72_a_guard_refers_or_flags_and_the_record_says_which, guards)

static void
missing(struct ax_ctx *ctx, struct serving_case *at)
{
    struct ax_decide_output out;
    serving_case_serve(at, plain, "");
    struct ax_decision record = decided(ctx, at, "{\"income\":500,\"job\":null}", &out);
    AX_ASSERT(record.features);
    CHECK_EQ(record.features[0].kind, AX_DECISION_MISSING);
    CHECK_EQ(record.features[1].kind, AX_DECISION_NUMBER);
    CHECK_EQ(record.features[2].kind, AX_DECISION_MISSING);
    CHECK_EQ(record.features[1].number == 500.0, 1);
}

SERVING_TEST(a_missing_feature_is_recorded_as_missing, missing)

/* ---- who answers ---- */

static void
fallbacks(struct ax_ctx *ctx, struct serving_case *at)
{
    static const struct {
        const char *deployment, *version, *cause, *outcome;
    } cases[] = {
        {"\"champion\":{\"model\":\"broken\",\"version\":1},"
         "\"fallback\":{\"model\":\"credit\",\"version\":2}",
         "2", "the champion failed", "approve"},
        {"\"champion\":{\"model\":\"credit\",\"version\":3},"
         "\"fallback\":{\"model\":\"credit\",\"version\":2}",
         "2", "the champion's restriction has ended", "approve"},
        {"\"champion\":{\"model\":\"broken\",\"version\":1}", "", "the champion failed", "refer"},
        {"\"champion\":{\"model\":\"credit\",\"version\":3}", "",
         "the champion's restriction has ended", "refer"},
        {"\"champion\":{\"model\":\"broken\",\"version\":1},"
         "\"fallback\":{\"model\":\"broken\",\"version\":1}",
         "", "the champion failed", "refer"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_decision record;
        struct ax_decide_output out;
        const struct call call = {.features = serving_case_good, .now_ns = INT64_C(2) << 60};
        serving_case_serve(at, cases[i].deployment, "");
        CHECK_EQ(decide(ctx, at, &call, &record, &out), AX_OK);
        CHECK(record.fallback);
        CHECK_STR(record.fallback_cause, cases[i].cause);
        CHECK_STR(record.model.version, cases[i].version);
        CHECK_STR(record.outcome, cases[i].outcome);
        if (cases[i].version[0])
            continue;
        CHECK_STR(record.limits, "no version could answer");
        CHECK(isnan(record.margin) && isnan(record.probability) && isnan(record.score));
        CHECK_EQ(record.reason_count, 1);
        AX_ASSERT(record.reasons);
        CHECK_STR(record.reasons[0].code, "R90");
        CHECK(out.reasons[0] && ax_str_eq(out.reasons[0]->code, AX_STR("R90")));
    }
}

SERVING_TEST(r25_r77_when_the_champion_cannot_answer_the_fallback_or_a_person_does, fallbacks)

static const char trips[] = "\"champion\":{\"model\":\"broken\",\"version\":1},"
                            "\"fallback\":{\"model\":\"credit\",\"version\":1},"
                            "\"breaker\":{\"error_rate\":0.5,\"calls_min\":4,\"wait_s\":1}";

static void
breaker(struct ax_ctx *ctx, struct serving_case *at)
{
    struct ax_decision record;
    struct ax_decide_output out;
    struct call call = {.features = serving_case_good, .monotonic_ns = 1'000};
    serving_case_serve(at, trips, "");
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(decide(ctx, at, &call, &record, &out), AX_OK);
        CHECK_STR(record.fallback_cause, "the champion failed");
        CHECK_EQ(out.breaker_changed, i == 3);
    }
    CHECK_EQ(decide(ctx, at, &call, &record, &out), AX_OK);
    CHECK_STR(record.fallback_cause, "the champion's breaker is open");
    CHECK_EQ(ax_breaker_short_circuits(loans(at)->champion.breaker), 1);
    CHECK_STR(record.outcome, "approve");
    call.monotonic_ns += 2'000'000'000; /* waited: the champion answers what it can */
    call.features = serving_case_middling;
    CHECK_EQ(decide(ctx, at, &call, &record, &out), AX_OK);
    CHECK(!record.fallback);
    CHECK_STR(record.outcome, "refer");
}

SERVING_TEST(r74_r75_r76_a_champion_that_fails_is_not_asked_until_it_was_probed, breaker)

/* What a caller did wrong says nothing of the version, and takes no probe's place. */
static void
innocent(struct ax_ctx *ctx, struct serving_case *at)
{
    static const char wrong[] = "{\"income\":\"much\"}";
    struct ax_decision record;
    struct ax_decide_output out;
    struct call call = {.features = wrong, .monotonic_ns = 1'000};
    serving_case_serve(at, trips, "");
    struct ax_breaker *champion = loans(at)->champion.breaker;
    for (int i = 0; i < 50; i++)
        CHECK_EQ(decide(ctx, at, &call, &record, &out), AX_INVALID);
    CHECK_EQ(ax_breaker_state_now(champion, 1'000), AX_BREAKER_CLOSED);
    call.features = serving_case_good;
    for (int i = 0; i < 4; i++) /* the wrong ones did not thin these out */
        CHECK_EQ(decide(ctx, at, &call, &record, &out), AX_OK);
    CHECK_EQ(ax_breaker_state_now(champion, 1'000), AX_BREAKER_OPEN);
    call = (struct call){.features = wrong, .monotonic_ns = 2'000'000'000};
    for (int i = 0; i < 50; i++)
        CHECK_EQ(decide(ctx, at, &call, &record, &out), AX_INVALID);
    CHECK_EQ(ax_breaker_state_now(champion, call.monotonic_ns), AX_BREAKER_HALF_OPEN);
    CHECK(ax_breaker_allows(champion, call.monotonic_ns)); /* the probe's place is free */
}

SERVING_TEST(r75_r78_a_wrong_request_is_neither_an_error_nor_a_good_probe_of_the_version, innocent)

static void
challengers(struct ax_ctx *ctx, struct serving_case *at)
{
    struct ax_decide_output out;
    serving_case_serve(at,
                       "\"champion\":{\"model\":\"credit\",\"version\":1},"
                       "\"challengers\":[{\"model\":\"credit\",\"version\":2},"
                       "{\"model\":\"broken\",\"version\":1}]",
                       "");
    struct ax_decision record = decided(ctx, at, serving_case_good, &out);
    CHECK_EQ(record.challenger_count, 2);
    AX_ASSERT(record.challengers);
    CHECK(!record.challengers[0].failed && record.challengers[1].failed);
    CHECK(fabs(record.challengers[0].margin - record.margin - 0.25) < 1e-6);
    CHECK_STR(record.challengers[0].outcome, "approve");
    CHECK_STR(record.challengers[1].model.name, "broken");
    CHECK_STR(record.outcome, "approve");
    CHECK(!record.fallback);
}

SERVING_TEST(a_challenger_answers_beside_the_decision_and_may_fail_alone, challengers)

/* ---- again ---- */

static void
again(struct ax_ctx *ctx, struct serving_case *at)
{
    static const char *const deployments[] = {
        "\"champion\":{\"model\":\"credit\",\"version\":1}",
        ("\"champion\":{\"model\":\"broken\",\"version\":1},"
         "\"fallback\":{\"model\":\"credit\",\"version\":2}"),
        "\"champion\":{\"model\":\"broken\",\"version\":1}",
    };
    for (size_t i = 0; i < AX_COUNT_OF(deployments); i++) {
        struct ax_decision record, second;
        struct ax_decide_output out;
        serving_case_serve(at, deployments[i], "");
        record = decided(ctx, at, serving_case_good, &out);
        int64_t calls = ax_breaker_short_circuits(loans(at)->champion.breaker);
        CHECK_EQ(decide(ctx, at, &(struct call){.recorded = &record}, &second, &out), AX_OK);
        CHECK(ax_decision_compare(&record, &second).same);
        CHECK(ax_str_eq(record.fallback_cause, second.fallback_cause));
        CHECK_EQ(ax_breaker_short_circuits(loans(at)->champion.breaker), calls);
    }
}

SERVING_TEST(r58_a_record_computed_again_asks_the_version_that_answered, again)

/* As a replay has it: read from its bytes, when what it was made with is long gone. */
static struct ax_decision
kept(struct ax_ctx *ctx, const struct ax_decision *record)
{
    struct ax_decision back = {};
    ax_writer_auto struct ax_writer bytes = ax_writer_of(AX_DECISION_BYTES_MAX);
    ax_str copy = AX_STR("");
    ax_decision_write(record, &bytes);
    CHECK(ax_str_copy(ctx->arena, ax_writer_str(&bytes), &copy));
    CHECK_EQ(ax_decision_read(ctx, copy, &back), AX_OK);
    return back;
}

static void
modes(struct ax_ctx *ctx, struct serving_case *at)
{
    static const char quick[] =
        "\"champion\":{\"model\":\"credit\",\"version\":1},\"mode\":\"fast\"";
    struct ax_decision record, second;
    struct ax_decide_output out;
    serving_case_serve(at, plain, "");
    record = decided(ctx, at, serving_case_good, &out);
    CHECK_STR(record.mode, "exact");
    serving_case_serve(at, quick, "");
    record = decided(ctx, at, serving_case_good, &out);
    CHECK_STR(record.mode, "fast");
    record = kept(ctx, &record);
    serving_case_serve(at, plain, ""); /* what is served now is of no account */
    CHECK_EQ(decide(ctx, at, &(struct call){.recorded = &record}, &second, &out), AX_OK);
    CHECK_STR(second.mode, "fast");
    CHECK(ax_decision_compare(&record, &second).same);
    record.mode = AX_STR(""); /* of a record from before there were two */
    CHECK_EQ(decide(ctx, at, &(struct call){.recorded = &record}, &second, &out), AX_OK);
    CHECK_STR(second.mode, "exact");
    record.mode = AX_STR("odd");
    CHECK_EQ(decide(ctx, at, &(struct call){.recorded = &record}, &second, &out), AX_CONFLICT);
    CHECK_STR(ax_str_of(ctx->error), "the record's sums are in mode \"odd\"");
}

SERVING_TEST(r58_a_record_says_in_which_mode_sums_were_made_and_is_computed_again_in_it, modes)

/* ---- faults ---- */

static void
sweep(struct ax_ctx *ctx, struct serving_case *at)
{
    bool fired = true;
    (void)ctx;
    serving_case_serve(at,
                       "\"champion\":{\"model\":\"credit\",\"version\":1},"
                       "\"challengers\":[{\"model\":\"credit\",\"version\":2}]",
                       ",\"explain\":\"always\"");
    for (int run = 0; fired || run % 2; run++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(4 << 20);
        struct ax_ctx inside = ax_ctx_of(arena);
        struct ax_decision record;
        struct ax_decide_output out;
        ax_fault_arm(run / 2, run % 2);
        ax_status status =
            decide(&inside, at, &(struct call){.features = serving_case_bad}, &record, &out);
        fired = ax_fault_disarm();
        if (fired && status == AX_OK && ax_fault_must_be_noticed())
            ax_test_failed(__FILE__, __LINE__, "step %d failed and nobody noticed", run / 2);
        CHECK(fired || status == AX_OK);
        CHECK(status == AX_OK || inside.error[0]);
        if (status == AX_OK)
            CHECK(!record.fallback && record.challenger_count == 1 &&
                  !record.challengers[0].failed);
    }
    CHECK_EQ(ax_breaker_state_now(loans(at)->champion.breaker, 0), AX_BREAKER_CLOSED);
}

SERVING_TEST(a_decision_without_memory_is_refused_and_never_another_one, sweep)
