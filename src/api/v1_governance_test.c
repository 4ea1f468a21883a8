#include "api_case.h"

#define PROPOSE "POST /api/v1/proposals"

static struct api_case_answer
propose(struct ax_ctx *ctx, struct api_case *at, int who, const char *request)
{
    struct api_case_answer answer = api_case_ask(ctx, at, who, PROPOSE, ax_str_of(request));
    CHECK_EQ(answer.status, 201);
    CHECK_STR(api_case_text(&answer, "state"), "open");
    return answer;
}

/* Hands in a signature and wants this status and, of a refusal, this code. */
static void
sign(struct ax_ctx *ctx, struct api_case *at, int who, bool approve,
     const struct api_case_answer *proposal, const char *want)
{
    const char *line = approve ? API_CASE_LINE(ctx, "POST /api/v1/proposals/%.*s/approve",
                                               api_case_text(proposal, "id"))
                               : API_CASE_LINE(ctx, "POST /api/v1/proposals/%.*s/reject",
                                               api_case_text(proposal, "id"));
    ax_str body = api_case_signature(ctx, at, who, approve, proposal);
    struct api_case_answer answer = api_case_ask(ctx, at, who, line, body);
    ax_str found = api_case_text(&answer, answer.status == 200 ? "state" : "code");
    ax_str got = ax_str_printf(ctx->arena, "%d %.*s", answer.status, AX_FMT(found));
    if (!ax_str_eq(got, ax_str_of(want)))
        ax_test_failed(__FILE__, __LINE__, "%s by %d is %.*s, not %s: %.*s", line, who, AX_FMT(got),
                       want, AX_FMT(answer.body));
}

/* ---- a proposal ---- */

static void
proposed(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, PROPOSE, "{}", 401, "unauthenticated"},
        {SAM, PROPOSE, "{}", 403, "sam (client) may not propose a change"},
        {LEX, PROPOSE, "{}", 403, "denied"},
        {DANA, PROPOSE, "{}", 400, "`kind` is missing"},
        {DANA, PROPOSE, "{\"kind\":\"wish\",\"subject\":\"x\",\"change\":{}}", 400,
         "there is no kind of change \\\"wish\\\""},
        {DANA, PROPOSE, "{\"kind\":\"policy\",\"subject\":\"p\",\"change\":{}}", 400, "invalid"},
        {ROB, PROPOSE, deployed_case_reasons, 403,
         "may not propose a change of a model, a policy or a reason map"},
        {DANA, PROPOSE,
         "{\"kind\":\"role\",\"subject\":\"new\",\"change\":{\"grant\":[\"owner\"]}}", 403,
         "may not propose a change of roles"},
        {PIA, PROPOSE, "{\"kind\":\"erasure\",\"subject\":\"e1\",\"change\":{}}", 400, "reason"},
        {DEE, PROPOSE, deployed_case_deployment, 404, "credit"}, /* nothing there to deploy */
    };
    API_CASE_TABLE(ctx, at, rows);
    struct api_case_answer made = propose(ctx, at, DANA, deployed_case_reasons);
    CHECK_STR(api_case_text(&made, "kind"), "reason_map");
    CHECK_STR(api_case_text(&made, "subject"), "r");
    CHECK_STR(api_case_text(&made, "proposer"), "dana");
    CHECK_EQ(api_case_text(&made, "digest").len, AX_DIGEST_HEX_BYTES);
    CHECK(ax_json_count(ax_json_find(made.json, "needs")) > 0);
    ax_str id = api_case_text(&made, "id");
    const char *show = API_CASE_LINE(ctx, "GET /api/v1/proposals/%.*s", id);
    const struct api_case_row looks[] = {
        {SAM, show, "", 403, "may not read the inventory"},
        {LEX, show, "", 200, "\"state\":\"open\""},
        {LEX, "GET /api/v1/proposals/p_none", "", 404, "no proposal \\\"p_none\\\""},
        {LEX, "GET /api/v1/proposals?state=open", "", 200, "\"kind\":\"reason_map\""},
        {LEX, "GET /api/v1/proposals?state=applied", "", 200, "{\"proposals\":[]}"},
        {LEX, "GET /api/v1/reason-maps/r", "", 404, "not_found"}, /* not yet */
    };
    API_CASE_TABLE(ctx, at, looks);
}

TEST(r43_a_proposal_says_what_it_needs_and_changes_nothing)
{
    api_case_run(proposed);
}

/* ---- signatures ---- */

static void
signed_by(struct ax_ctx *ctx, struct api_case *at)
{
    struct api_case_answer made = propose(ctx, at, DANA, deployed_case_reasons);
    ax_str id = api_case_text(&made, "id"), digest = api_case_text(&made, "digest");
    const char *approve = API_CASE_LINE(ctx, "POST /api/v1/proposals/%.*s/approve", id);
    const char *bare = API_CASE_LINE(ctx, "{\"digest\":\"%.*s\",\"comment\":\"fine\"}", digest);
    const char *broken =
        API_CASE_LINE(ctx, "{\"digest\":\"%.*s\",\"key_id\":\"k\",\"signature\":\"***\"}", digest);
    ax_str foreign = api_case_signature(ctx, at, RIA, true, &made);
    ax_str rejection = api_case_signature(ctx, at, ADA, false, &made);
    const struct api_case_row rows[] = {
        {NOBODY, approve, bare, 401, "unauthenticated"},
        {SAM, approve, bare, 403, "may not approve or reject a proposal"},
        {ADA, approve, "{}", 400, "`digest` is missing"},
        {ADA, approve, bare, 403, "\"code\":\"unsigned\""},
        {ADA, approve, broken, 403, "\"code\":\"unsigned\""},
        {ADA, approve, ax_str_c(ctx->arena, foreign), 403, "\"code\":\"unsigned\""},
        {ADA, approve, ax_str_c(ctx->arena, rejection), 403, "\"code\":\"unsigned\""},
        {DANA, approve, bare, 403, "\"code\":\"four_eyes\""},
        {VIC, approve, bare, 403, "\"code\":\"four_eyes\""},
        {ADA, "POST /api/v1/proposals/p_none/approve", bare, 404, "no proposal"},
        {ADA, approve, "{\"digest\":\"00\"}", 409, "\"code\":\"changed\""},
    };
    API_CASE_TABLE(ctx, at, rows);
    sign(ctx, at, DANA, true, &made, "403 four_eyes");
    sign(ctx, at, ADA, true, &made, "200 applied");
    sign(ctx, at, RIA, true, &made, "409 closed");
    struct api_case_answer map =
        api_case_ask(ctx, at, LEX, "GET /api/v1/reason-maps/r/versions/1", AX_STR(""));
    CHECK_EQ(map.status, 200);
    CHECK(api_case_says(&map, "Income and job"));
}

TEST(r44_r45_an_approval_is_anothers_signature_over_what_was_proposed)
{
    api_case_run(signed_by);
}

/* A proposal dies when somebody rejects it, its object changes, or its time is over. */
static void
dead(struct ax_ctx *ctx, struct api_case *at)
{
    struct api_case_answer first = propose(ctx, at, DANA, deployed_case_reasons);
    struct api_case_answer second = propose(ctx, at, DANA, deployed_case_reasons);
    struct api_case_answer third = propose(ctx, at, DANA, deployed_case_reasons);
    sign(ctx, at, DANA, false, &first, "403 four_eyes");
    sign(ctx, at, ADA, false, &first, "200 rejected");
    sign(ctx, at, ADA, true, &first, "409 closed");
    sign(ctx, at, ADA, true, &second, "200 applied");
    sign(ctx, at, ADA, true, &third, "409 changed");
    struct api_case_answer old = propose(ctx, at, DANA, deployed_case_policy);
    directory_case_script(ctx, &at->mlops.base,
                          "update proposals set expires_ns = 1 where state = 'open'");
    sign(ctx, at, ADA, true, &old, "409 expired");
}

TEST(r46_a_dead_proposal_is_refused_with_its_cause)
{
    api_case_run(dead);
}

/* ---- what is served ---- */

static const char second_deployment[] =
    "{\"kind\":\"deployment\",\"subject\":\"loans\",\"change\":{\"champion\":{\"model\":\"credit\","
    "\"version\":1},\"policy\":{\"name\":\"p\",\"version\":1},\"record\":\"queued\",\"tier\":2}}";

static void
served(struct ax_ctx *ctx, struct api_case *at)
{
    static const char reason[] = "{\"reason\":\"too many referrals\"}";
    static const struct api_case_row first[] = {
        {SAM, "GET /api/v1/deployments", "", 403, "may not read the inventory"},
        {LEX, "GET /api/v1/deployments", "", 200, "\"loans\""},
        {LEX, "GET /api/v1/deployments/loans", "", 200, "\"record\":\"durable\""},
        {LEX, "GET /api/v1/deployments/homes", "", 404, "homes"},
        {LEX, "GET /api/v1/policies/p", "", 200, "\"approve_below\":0.3"},
        {LEX, "GET /api/v1/policies/p/versions/1", "", 200, "\"decline_from\":0.6"},
        {LEX, "GET /api/v1/policies/p/versions/2", "", 404, "not_found"},
        {LEX, "GET /api/v1/policies/p/versions/x", "", 404, "is no number of a version"},
        {LEX, "GET /api/v1/reason-maps/r", "", 200, "\"code\":\"R2\""},
        {LEX, "GET /api/v1/reason-maps/s", "", 404, "not_found"},
        {LEX, "GET /api/v1/breakers", "", 200,
         "{\"breakers\":[{\"deployment\":\"loans\",\"member\":\"champion\",\"model\":\"credit\""},
        {DEE, "POST /api/v1/deployments/loans/rollback", reason, 409,
         "has no revision before this one"},
        {DEE, "POST /api/v1/deployments/homes/rollback", reason, 404, "no deployment"},
    };
    static const struct api_case_row second[] = {
        {LEX, "GET /api/v1/deployments/loans", "", 200, "\"record\":\"queued\""},
        {SAM, "POST /api/v1/deployments/loans/decisions",
         "{\"features\":" DEPLOYED_CASE_FEATURES "}", 200, "\"state\":\"queued\""},
        {DANA, "POST /api/v1/deployments/loans/rollback", reason, 403,
         "may not roll a deployment back"},
        {DEE, "POST /api/v1/deployments/loans/rollback", "{}", 400, "`reason` is missing"},
        {DEE, "POST /api/v1/deployments/loans/rollback", "{\"reason\":\"\"}", 400, "is empty"},
        {DEE, "POST /api/v1/deployments/loans/rollback", reason, 200, "\"revision\":3"},
        {SAM, "POST /api/v1/deployments/loans/decisions",
         "{\"features\":" DEPLOYED_CASE_FEATURES "}", 200, "\"state\":\"durable\""},
    };
    deployed_case_make(ctx, &at->mlops);
    API_CASE_TABLE(ctx, at, first);
    struct api_case_answer next = propose(ctx, at, DEE, second_deployment);
    sign(ctx, at, ADA, true, &next, "200 applied");
    API_CASE_TABLE(ctx, at, second);
}

TEST(r52_what_is_served_is_shown_and_rolled_back)
{
    api_case_run(served);
}

/* ---- the kill switch ---- */

static void
killed(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {LEX, "GET /api/v1/kill", "", 200, "{\"latches\":[]}"},
        {DANA, "POST /api/v1/kill", "{\"scope\":\"all\",\"reason\":\"x\"}", 403,
         "may not stop a model, a client or the whole server"},
        {ROB, "POST /api/v1/kill", "{\"reason\":\"x\"}", 400, "`scope` is missing"},
        {ROB, "POST /api/v1/kill", "{\"scope\":\"all\"}", 400, "`reason` is missing"},
        {ROB, "POST /api/v1/kill", "{\"scope\":\"moon\",\"reason\":\"x\"}", 400, "moon"},
        {ROB, "POST /api/v1/kill", "{\"scope\":\"model:credit\",\"reason\":\"wrong prices\"}", 200,
         "\"scope\":\"model:credit\""},
        {LEX, "GET /api/v1/kill", "", 200, "wrong prices"},
    };
    API_CASE_TABLE(ctx, at, rows);
    struct api_case_answer release =
        propose(ctx, at, ROB,
                "{\"kind\":\"kill\",\"subject\":\"model:credit\",\"change\":{\"state\":"
                "\"released\",\"reason\":\"prices are right\"}}");
    sign(ctx, at, ROB, true, &release, "403 four_eyes"); /* who threw it does not release it */
    sign(ctx, at, RIA, true, &release, "200 applied");
    struct api_case_answer latches = api_case_ask(ctx, at, LEX, "GET /api/v1/kill", AX_STR(""));
    CHECK_STR(latches.body, "{\"latches\":[]}");
}

TEST(r80_one_person_stops_and_two_release)
{
    api_case_run(killed);
}
