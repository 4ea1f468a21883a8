#include "api_case.h"

#define FEATURES "\"features\":" DEPLOYED_CASE_FEATURES
#define DECIDE   "POST /api/v1/deployments/loans/decisions"

static struct api_case_answer
decide(struct ax_ctx *ctx, struct api_case *at, const char *body)
{
    return api_case_ask(ctx, at, SAM, DECIDE, ax_str_of(body));
}

/* ---- made ---- */

static void
made(struct ax_ctx *ctx, struct api_case *at)
{
    deployed_case_make(ctx, &at->mlops);
    struct api_case_answer first =
        decide(ctx, at, "{\"request_id\":\"r1\",\"entity_id\":\"e1\"," FEATURES "}");
    CHECK_EQ(first.status, 200);
    ax_str id = api_case_text(&first, "decision_id"), outcome = api_case_text(&first, "outcome");
    double probability = -1;
    CHECK(ax_str_starts(id, AX_STR("d_")));
    CHECK(ax_json_f64(ax_json_find(first.json, "probability"), &probability));
    CHECK(probability >= 0.3 && probability < 0.6); /* between the policy's two thresholds */
    CHECK_STR(outcome, "refer");
    CHECK_STR(api_case_text(&first, "policy_version"), "p/1");
    CHECK(api_case_says(&first, "\"fallback\":false"));
    CHECK(api_case_says(&first, "\"model\":{\"name\":\"credit\",\"version\":\"1\",\"digest\":\""));
    CHECK(api_case_says(&first, "\"ledger\":{\"state\":\"durable\",\"index\":"));
    CHECK(api_case_says(&first, "\"reasons\":[{\"code\":\"R"));
    CHECK(api_case_says(&first, "\"contribution\":"));

    struct api_case_answer again = decide(ctx, at, "{\"request_id\":\"r1\",\"features\":{}}");
    CHECK_EQ(again.status, 200); /* what it says now does not count */
    CHECK(ax_str_eq(again.body, first.body));
    struct api_case_answer other = decide(ctx, at, "{\"request_id\":\"r2\"," FEATURES "}");
    CHECK(!ax_str_eq(api_case_text(&other, "decision_id"), id));
    struct api_case_answer none = decide(ctx, at, "{" FEATURES "}");
    CHECK_EQ(none.status, 200);
    CHECK(!ax_str_eq(api_case_text(&none, "decision_id"), id));
}

TEST(r84_a_decision_answers_with_outcome_reasons_and_place_and_once_a_request)
{
    api_case_run(made);
}

static void
refused(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, DECIDE, "{" FEATURES "}", 401, "unauthenticated"},
        {DANA, DECIDE, "{" FEATURES "}", 403, "dana (developer) may not ask for decisions"},
        {SAM, "POST /api/v1/deployments/homes/decisions", "{" FEATURES "}", 404,
         "no deployment \\\"homes\\\" is served"},
        {SAM, DECIDE, "", 400, "the body is empty"},
        {SAM, DECIDE, "{}", 400, "`features` is missing"},
        {SAM, DECIDE, "{\"features\":[]}", 400, "`features` must be an object"},
        {SAM, DECIDE, "{\"features\":{}}", 400, "feature `age` is missing"},
        {SAM, DECIDE, "{" FEATURES ",\"entity\":\"e1\"}", 400, "unknown member `entity`"},
        {SAM, DECIDE, "{" FEATURES ",\"request_id\":7}", 400, "`request_id` must be a string"},
        {SAM, DECIDE, "{\"features\":{\"age\":\"old\"}}", 400, "`age`"},
        {SAM, DECIDE, "{\"features\":{\"age\":17}}", 400, "outside its domain 18 to 99"},
        {SAM, DECIDE, "{\"features\":{\"age\":20,\"job\":\"pilot\"}}", 400, "pilot"},
        {SAM, DECIDE, "{\"features\":{\"age\":20,\"shoes\":43}}", 400, "shoes"},
        {ROB, "POST /api/v1/kill", "{\"scope\":\"deployment:loans\",\"reason\":\"wrong prices\"}",
         200, "deployment:loans"},
        {SAM, DECIDE, "{" FEATURES "}", 403, "wrong prices"},
    };
    deployed_case_make(ctx, &at->mlops);
    API_CASE_TABLE(ctx, at, rows);
    CHECK_EQ(api_case_settle(at, ctx), AX_OK);
    struct api_case_answer answer =
        api_case_ask(ctx, at, LEX, "GET /api/v1/ledger/facts?count=1000", AX_STR(""));
    CHECK(!api_case_says(&answer, "\"kind\":\"decision\""));
}

TEST(r74_r80_what_is_not_decided_says_why_and_leaves_no_decision)
{
    api_case_run(refused);
}

/* ---- looked at, proved, replayed, added to ---- */

static void
looked_at(struct ax_ctx *ctx, struct api_case *at)
{
    deployed_case_make(ctx, &at->mlops);
    struct api_case_answer made = decide(ctx, at, "{\"entity_id\":\"e1\"," FEATURES "}");
    ax_str id = api_case_text(&made, "decision_id");
    const char *show = API_CASE_LINE(ctx, "GET /api/v1/decisions/%.*s", id);
    const char *proof = API_CASE_LINE(ctx, "GET /api/v1/decisions/%.*s/proof", id);
    const char *replay = API_CASE_LINE(ctx, "POST /api/v1/decisions/%.*s/replay", id);
    const struct api_case_row rows[] = {
        {DANA, show, "", 403, "may not read decisions"},
        {SAM, show, "", 200, "\"erased\":false"},
        {SAM, "GET /api/v1/decisions/d_none", "", 404, "not_found"},
        {ADA, proof, "", 403, "denied"},
        {SAM, "GET /api/v1/decisions/d_none/proof", "", 404, "not_found"},
        {SAM, replay, "", 403, "sam (client) may not replay a decision"},
        {VIC, replay, "", 200, "\"same\":true"},
        {VIC, "POST /api/v1/decisions/d_none/replay", "", 404, "not_found"},
        {LEX, "GET /api/v1/ledger/checkpoint?fresh=true", "", 200, "axiom.test/ledger\n"},
    };
    API_CASE_TABLE(ctx, at, rows);
    struct api_case_answer answer = api_case_ask(ctx, at, LEX, proof, AX_STR(""));
    CHECK_EQ(answer.status, 200);
    CHECK(ax_str_starts(answer.body, AX_STR("c2sp.org/tlog-proof@v1\n")));
    CHECK_STR(ax_client_header_find(&answer.whole, AX_STR("content-type")),
              "text/plain; charset=utf-8");
}

TEST(r61_a_decision_is_read_proved_and_replayed_by_those_who_may)
{
    api_case_run(looked_at);
}

/* A late outcome and a person's result are facts of their own; the decision stays what it was. */
static void
added_to(struct ax_ctx *ctx, struct api_case *at)
{
    deployed_case_make(ctx, &at->mlops);
    struct api_case_answer made = decide(ctx, at, "{" FEATURES "}");
    struct api_case_answer clear =
        decide(ctx, at, "{\"features\":{\"age\":18,\"income\":0,\"job\":\"clerk\"}}");
    ax_str id = api_case_text(&made, "decision_id");
    ax_str clear_id = api_case_text(&clear, "decision_id");
    CHECK_STR(api_case_text(&made, "outcome"), "refer");
    CHECK_STR(api_case_text(&clear, "outcome"), "approve");
    const char *show = API_CASE_LINE(ctx, "GET /api/v1/decisions/%.*s", id);
    const char *outcome = API_CASE_LINE(ctx, "POST /api/v1/decisions/%.*s/outcome", id);
    const char *review = API_CASE_LINE(ctx, "POST /api/v1/decisions/%.*s/review", id);
    const struct api_case_row rows[] = {
        {VIC, outcome, "{\"label\":\"bad\"}", 403, "may not report the outcome of a decision"},
        {SAM, outcome, "{}", 400, "`label` is missing"},
        {SAM, "POST /api/v1/decisions/d_none/outcome", "{\"label\":\"bad\"}", 404, "not_found"},
        {SAM, outcome, "{\"label\":\"bad\"}", 200, "\"leaf\":"},
        {SAM, review, "{\"outcome\":\"approve\",\"reason\":\"x\"}", 403, "may not review"},
        {ROB, review, "{\"outcome\":\"maybe\",\"reason\":\"x\"}", 400, "outcome"},
        {ROB, review, "{\"outcome\":\"approve\"}", 400, "`reason` is missing"},
        {ROB, review, "{\"outcome\":\"approve\",\"reason\":\"income confirmed\"}", 200,
         "\"leaf\":"},
        {ROB, API_CASE_LINE(ctx, "POST /api/v1/decisions/%.*s/review", clear_id),
         "{\"outcome\":\"decline\",\"reason\":\"too young\"}", 409, "refer"},
        {LEX, show, "", 200, "\"bad\""},
        {LEX, show, "", 200, "\"erased\":false"},
    };
    API_CASE_TABLE(ctx, at, rows);
}

TEST(r61_outcomes_and_reviews_are_added_and_nothing_is_edited)
{
    api_case_run(added_to);
}
