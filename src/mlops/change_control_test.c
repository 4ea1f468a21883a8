#include "mlops/change_control.h"

#include "mlops_case.h"
#include "sys/clock.h"

static const char policy_request[] =
    "{\"kind\":\"policy\",\"subject\":\"p\",\"change\":{\"approve_below\":0.3,\"decline_from\":0.6,"
    "\"reason_map\":\"r\"}}";
static const char reasons_request[] =
    "{\"kind\":\"reason_map\",\"subject\":\"r\",\"change\":{\"reasons\":[{\"code\":\"R1\",\"text\":"
    "\"Something about you\",\"features\":[\"age\",\"income\",\"job\"]}]}}";
static const char deployment_request[] =
    "{\"kind\":\"deployment\",\"subject\":\"loans\",\"change\":{\"champion\":{\"model\":\"credit\","
    "\"version\":1},\"policy\":{\"name\":\"p\",\"version\":1},\"record\":\"queued\",\"tier\":2}}";

/* ---- the path from a proposal to its effect ---- */

static void
applied(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct mlops_case_proposal proposal = {};
    enum ax_change_refusal refusal;
    CHECK_EQ(mlops_case_propose(ctx, at, DANA, reasons_request, &proposal), AX_OK);
    CHECK_STR(proposal.state, "open");
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from reason_maps"), 0);
    CHECK_EQ(mlops_case_sign(ctx, at, ADA, true, &proposal, &refusal), AX_OK);
    CHECK_STR(proposal.state, "applied");
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from reason_maps"), 1);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from approvals"), 1);
    CHECK_EQ(mlops_case_sign(ctx, at, RIA, true, &proposal, &refusal), AX_CONFLICT);
    CHECK_EQ(refusal, AX_CHANGE_CLOSED);
}

TEST(r43_a_change_takes_effect_with_the_signature_it_needs)
{
    mlops_case_run(applied);
}

static void
rejected(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct mlops_case_proposal proposal = {};
    enum ax_change_refusal refusal;
    CHECK_EQ(mlops_case_propose(ctx, at, DANA, reasons_request, &proposal), AX_OK);
    CHECK_EQ(mlops_case_sign(ctx, at, ADA, false, &proposal, &refusal), AX_OK);
    CHECK_STR(proposal.state, "rejected");
    CHECK_EQ(mlops_case_sign(ctx, at, RIA, true, &proposal, &refusal), AX_CONFLICT);
    CHECK_EQ(refusal, AX_CHANGE_CLOSED);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from reason_maps"), 0);
}

TEST(r43_one_rejection_ends_a_proposal)
{
    mlops_case_run(rejected);
}

static void
four_eyes(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const enum mlops_case_who wrong[] = {DANA, VIC, DEE, ROB, PIA};
    struct mlops_case_proposal proposal = {};
    enum ax_change_refusal refusal;
    CHECK_EQ(mlops_case_propose(ctx, at, DANA, reasons_request, &proposal), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(wrong); i++) {
        CHECK_EQ(mlops_case_sign(ctx, at, wrong[i], true, &proposal, &refusal), AX_DENIED);
        CHECK_EQ(refusal, AX_CHANGE_FOUR_EYES);
    }
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from approvals"), 0);
}

TEST(r44_who_proposed_or_has_no_such_role_does_not_approve)
{
    mlops_case_run(four_eyes);
}

/* A signature by another key, over another proposal, comment or verdict counts for nothing. */
static void
signatures(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct mlops_case_proposal first = {}, second = {}, mixed;
    enum ax_change_refusal refusal;
    CHECK_EQ(mlops_case_propose(ctx, at, DANA, reasons_request, &first), AX_OK);
    CHECK_EQ(mlops_case_propose(ctx, at, DANA, reasons_request, &second), AX_OK);
    mixed = (struct mlops_case_proposal){first.id, first.state, second.digest};
    CHECK_EQ(mlops_case_sign(ctx, at, ADA, true, &mixed, &refusal), AX_CONFLICT);
    CHECK_EQ(refusal, AX_CHANGE_CHANGED);
    struct ax_keystore_key own = at->keys[ADA];
    at->keys[ADA] = at->keys[RIA]; /* her key, handed in by another */
    CHECK_EQ(mlops_case_sign(ctx, at, ADA, true, &first, &refusal), AX_DENIED);
    CHECK_EQ(refusal, AX_CHANGE_UNSIGNED);
    at->keys[ADA] = own;
    at->keys[ADA].seed = at->keys[RIA].seed; /* named rightly, signed with another */
    CHECK_EQ(mlops_case_sign(ctx, at, ADA, true, &first, &refusal), AX_DENIED);
    CHECK_EQ(refusal, AX_CHANGE_UNSIGNED);
    at->keys[ADA] = own;
    CHECK_EQ(mlops_case_sign(ctx, at, ADA, true, &first, &refusal), AX_OK);
}

TEST(r45_a_signature_counts_for_what_it_was_made_over)
{
    mlops_case_run(signatures);
}

static void
deployed(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct ax_version_record record;
    CHECK_EQ(mlops_case_create(ctx, at, "credit"), AX_OK);
    CHECK_EQ(mlops_case_register(ctx, at, "credit", &record), AX_OK);
    CHECK_EQ(mlops_case_change(ctx, at, DANA, ADA, reasons_request), AX_OK);
    CHECK_EQ(mlops_case_change(ctx, at, DANA, ADA, policy_request), AX_OK);
}

static void
approved_only(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct mlops_case_proposal proposal = {};
    deployed(ctx, at);
    CHECK_EQ(mlops_case_propose(ctx, at, DEE, deployment_request, &proposal), AX_CONFLICT);
    CHECK(strstr(ctx->error, "credit/1 is registered, not approved") != NULL);
    CHECK_EQ(mlops_case_propose(ctx, at, DANA,
                                "{\"kind\":\"model_version\",\"subject\":\"credit/1\","
                                "\"change\":{\"state\":\"approved\"}}",
                                &proposal),
             AX_CONFLICT); /* not validated */
    mlops_case_move(ctx, at, "credit", AX_VERSION_VALIDATED);
    CHECK_EQ(mlops_case_change(ctx, at, DANA, ADA,
                               "{\"kind\":\"model_version\",\"subject\":\"credit/1\","
                               "\"change\":{\"state\":\"approved\"}}"),
             AX_OK);
    CHECK_EQ(mlops_case_change(ctx, at, DEE, ADA, deployment_request), AX_OK);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from deployments"), 1);
    CHECK(ax_file_exists(mlops_case_path(at, "serving/plan.json")));
}

TEST(r1_r107_only_what_was_validated_and_approved_is_deployed)
{
    mlops_case_run(approved_only);
}

/* What was proposed on top of something else is dead when that changes. */
static void
changed(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct mlops_case_proposal old = {};
    enum ax_change_refusal refusal;
    CHECK_EQ(mlops_case_change(ctx, at, DANA, ADA, reasons_request), AX_OK);
    CHECK_EQ(mlops_case_change(ctx, at, DANA, ADA, policy_request), AX_OK);
    CHECK_EQ(mlops_case_propose(ctx, at, DANA, policy_request, &old), AX_OK);
    CHECK_EQ(mlops_case_change(ctx, at, DANA, ADA,
                               "{\"kind\":\"threshold\",\"subject\":\"p\",\"change\":"
                               "{\"approve_below\":0.2,\"decline_from\":0.5}}"),
             AX_OK);
    CHECK_EQ(mlops_case_sign(ctx, at, ADA, true, &old, &refusal), AX_CONFLICT);
    CHECK_EQ(refusal, AX_CHANGE_CHANGED);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from policies"), 2);
}

TEST(r46_a_proposal_dies_when_its_object_changes)
{
    mlops_case_run(changed);
}

static void
expired(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct mlops_case_proposal old = {};
    enum ax_change_refusal refusal;
    CHECK_EQ(mlops_case_propose(ctx, at, DANA, reasons_request, &old), AX_OK);
    directory_case_script(ctx, &at->base, "update proposals set expires_ns = 1");
    CHECK_EQ(mlops_case_sign(ctx, at, ADA, true, &old, &refusal), AX_CONFLICT);
    CHECK(refusal == AX_CHANGE_EXPIRED || refusal == AX_CHANGE_CHANGED);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from reason_maps"), 0);
    CHECK_EQ(ax_change_control_upkeep(at->control, ctx), AX_OK);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from proposals where state = 'open'"), 0);
}

TEST(r46_a_proposal_dies_when_its_time_is_over)
{
    mlops_case_run(expired);
}

static void
bad_proposals(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const struct {
        enum mlops_case_who who;
        const char *request;
        ax_status want;
    } cases[] = {
        {DANA, "{}", AX_INVALID},
        {DANA, "{\"kind\":\"wish\",\"subject\":\"x\",\"change\":{}}", AX_INVALID},
        {DANA, "{\"kind\":\"policy\",\"subject\":\"p\",\"change\":{}}", AX_INVALID},
        {DANA, "{\"kind\":\"policy\",\"subject\":\"p\",\"change\":[]}", AX_INVALID},
        {DANA, "{\"kind\":\"model_version\",\"subject\":\"credit\",\"change\":{}}", AX_INVALID},
        {DANA,
         "{\"kind\":\"model_version\",\"subject\":\"no/1\",\"change\":{\"state\":\"approved\"}}",
         AX_NOT_FOUND},
        {ROB, "{\"kind\":\"role\",\"subject\":\"rob\",\"change\":{\"grant\":[\"approver\"]}}",
         AX_DENIED},
        {ROB, "{\"kind\":\"erasure\",\"subject\":\"x\",\"change\":{\"reason\":\"y\"}}", AX_DENIED},
        {PIA, "{\"kind\":\"erasure\",\"subject\":\"x\",\"change\":{}}", AX_INVALID},
        {DANA,
         "{\"kind\":\"kill\",\"subject\":\"all\",\"change\":{\"state\":\"released\","
         "\"reason\":\"x\"}}",
         AX_DENIED},
    };
    struct mlops_case_proposal proposal;
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_status status = mlops_case_propose(ctx, at, cases[i].who, cases[i].request, &proposal);
        if (status != cases[i].want)
            ax_test_failed(__FILE__, __LINE__, "%s: %s, %s", cases[i].request,
                           ax_status_name(status), ctx->error);
    }
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from proposals"), 0);
}

TEST(r43_a_proposal_that_cannot_be_is_refused_and_not_kept)
{
    mlops_case_run(bad_proposals);
}

static void
killed(struct ax_ctx *ctx, struct mlops_case *at)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_json *request =
        directory_case_json(ctx, "{\"scope\":\"model:credit\",\"reason\":\"wrong prices\"}");
    const struct ax_kill_subject credit = {.model = AX_STR("credit")};
    mlops_case_as(ctx, at, ROB);
    CHECK_EQ(ax_kill_switch_check(at->kill, ctx, &credit), AX_OK);
    CHECK_EQ(ax_change_control_kill(at->control, ctx, request, &json), AX_OK);
    CHECK_EQ(ax_kill_switch_check(at->kill, ctx, &credit), AX_DENIED);
    CHECK_EQ(mlops_case_change(ctx, at, ROB, RIA,
                               "{\"kind\":\"kill\",\"subject\":\"model:credit\",\"change\":"
                               "{\"state\":\"released\",\"reason\":\"prices are right\"}}"),
             AX_OK);
    CHECK_EQ(ax_kill_switch_check(at->kill, ctx, &credit), AX_OK);
}

TEST(r80_one_stops_and_two_release)
{
    mlops_case_run(killed);
}

/* ---- faults ---- */

static ax_status
propose_and_sign(struct ax_ctx *ctx, struct mlops_case *at, int step)
{
    (void)step;
    return mlops_case_change(ctx, at, DANA, ADA, reasons_request);
}

/* The map, its approval, the proposal's state and the facts of all three go together. */
static void
after_change(struct ax_ctx *ctx, struct mlops_case *at, int step, ax_status status)
{
    (void)step;
    int64_t maps = mlops_case_count(ctx, at, "select count(*) from reason_maps");
    int64_t done =
        mlops_case_count(ctx, at, "select count(*) from proposals where state = 'applied'");
    int64_t signed_ones = mlops_case_count(ctx, at, "select count(*) from approvals");
    int64_t proposed = mlops_case_count(ctx, at, "select count(*) from proposals");
    int64_t facts = mlops_case_count(ctx, at, "select count(*) from outbox");
    CHECK(maps == done && done == signed_ones && proposed >= done && facts >= proposed + 2 * done);
    if (status == AX_OK)
        CHECK_EQ(maps, 1);
    directory_case_script(ctx, &at->base,
                          "delete from reason_maps; delete from approvals; delete from proposals; "
                          "delete from outbox");
}

static void
sweep_change(struct ax_ctx *ctx, struct mlops_case *at)
{
    directory_case_script(ctx, &at->base, "delete from outbox");
    mlops_case_sweep(at, propose_and_sign, after_change);
}

TEST(r43_a_change_meets_every_fault_whole_or_not_at_all)
{
    mlops_case_run(sweep_change);
}

static ax_status
deploy(struct ax_ctx *ctx, struct mlops_case *at, int step)
{
    (void)step;
    return mlops_case_change(ctx, at, DEE, ADA, deployment_request);
}

/* The plan on disk is the old one or the new one, and loads. */
static void
after_deploy(struct ax_ctx *ctx, struct mlops_case *at, int step, ax_status status)
{
    (void)step;
    int64_t rows = mlops_case_count(ctx, at, "select count(*) from deployments");
    ax_auto(ax_plan_free) struct ax_plan *plan = NULL;
    CHECK(status != AX_OK || rows == 1);
    ax_status again = ax_change_control_upkeep(at->control, ctx);
    if (again == AX_OK)
        again = ax_deployments_publish(at->deployments, ctx);
    CHECK_EQ(again, AX_OK); /* what the fault left is made good */
    CHECK_EQ(ax_plan_load(ctx, &(struct ax_plan_source){.folder = mlops_case_path(at, "serving")},
                          &plan),
             AX_OK);
    CHECK_EQ(plan ? plan->deployment_count : 9, rows);
    directory_case_script(ctx, &at->base,
                          "delete from deployments; delete from approvals where proposal_id in "
                          "(select id from proposals where kind = 'deployment'); delete from "
                          "proposals where kind = 'deployment'; delete from outbox");
}

static void
sweep_deploy(struct ax_ctx *ctx, struct mlops_case *at)
{
    deployed(ctx, at);
    mlops_case_move(ctx, at, "credit", AX_VERSION_APPROVED);
    mlops_case_sweep(at, deploy, after_deploy);
}

TEST(a_deployment_meets_every_fault_and_the_plan_on_disk_is_whole)
{
    mlops_case_run(sweep_deploy);
}
