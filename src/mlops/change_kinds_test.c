#include "mlops/change_kinds.h"

#include "mlops_case.h"
#include "sys/clock.h"

static const char reasons_body[] =
    "{\"reasons\":[{\"code\":\"R1\",\"text\":\"Something about you\","
    "\"features\":[\"age\",\"income\",\"job\"]}]}";
static const char policy_body[] =
    "{\"approve_below\":0.3,\"decline_from\":0.6,\"reason_map\":\"r\"}";
static const char loans_body[] = "{\"champion\":{\"model\":\"credit\",\"version\":1},"
                                 "\"policy\":{\"name\":\"p\",\"version\":1},\"tier\":2}";

/* What a breaker's closing is handed to. */
struct breakers {
    int count;
    ax_status answer;
};

static ax_status
on_breaker(void *arg, struct ax_ctx *ctx, ax_str deployment)
{
    struct breakers *breakers = arg;
    breakers->count++;
    return breakers->answer == AX_OK
               ? AX_OK
               : ax_fail(ctx, breakers->answer, "no breaker of %.*s", AX_FMT(deployment));
}

static struct breakers breakers;

static struct ax_change_control_config
services_of(struct mlops_case *at)
{
    return (struct ax_change_control_config){.store = at->base.store,
                                             .ledger = at->ledger,
                                             .vault = at->vault,
                                             .directory = at->base.directory,
                                             .registry = at->registry,
                                             .deployments = at->deployments,
                                             .kill = at->kill,
                                             .on_breaker = on_breaker,
                                             .arg = &breakers,
                                             .expires_days = 30};
}

/* A change as a person proposes it. */
struct wanted {
    enum ax_change_kind kind;
    const char *subject, *change;
    enum mlops_case_who who;
};

enum step { OBJECT, CHECK_IT, APPLY, EFFECT };

/* One step of the kind's row in a transaction of its own; out_object only of OBJECT. */
static ax_status
take_step(struct ax_ctx *ctx, struct mlops_case *at, const struct wanted *wanted, enum step step,
          ax_str *out_object)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    const struct ax_change_control_config services = services_of(at);
    const struct ax_change_row *row = ax_change_row(wanted->kind);
    const struct ax_json *json;
    mlops_case_as(ctx, at, wanted->who);
    AX_TRY(ax_json_parse(ctx, ax_str_of(wanted->change), NULL, &json));
    struct ax_change change = {.services = &services,
                               .ctx = ctx,
                               .kind = wanted->kind,
                               .subject = ax_str_of(wanted->subject),
                               .change = json,
                               .proposal_id = AX_STR("p_7"),
                               .proposer = at->actors[wanted->who].id};
    if (step == EFFECT)
        return row->effect ? row->effect(&change) : AX_OK;
    AX_TRY(ax_store_begin(at->base.store, ctx, AX_STORE_WRITE, &tx));
    change.tx = tx;
    if (step == OBJECT)
        return row->object(&change, out_object);
    if (step == CHECK_IT)
        return row->check(&change);
    if (row->apply)
        AX_TRY(row->apply(&change));
    return ax_store_commit(ax_take(tx), ctx);
}

static void
complain(const struct ax_ctx *ctx, int line, const struct wanted *wanted, ax_status status)
{
    ax_test_failed(__FILE__, line, "%s %s: %s, %s", wanted->subject, wanted->change,
                   ax_status_name(status), ctx->error);
}

static void
prepare(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct ax_version_record record;
    const struct wanted documents[] = {{AX_CHANGE_REASON_MAP, "r", reasons_body, DANA},
                                       {AX_CHANGE_POLICY, "p", policy_body, DANA}};
    CHECK_EQ(mlops_case_create(ctx, at, "credit"), AX_OK);
    CHECK_EQ(mlops_case_register(ctx, at, "credit", &record), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(documents); i++)
        CHECK_EQ(take_step(ctx, at, &documents[i], APPLY, NULL), AX_OK);
}

/* ---- the table ---- */

static void
rows(struct ax_ctx *ctx)
{
    (void)ctx;
    for (int kind = 0; kind < AX_CHANGE_KIND_COUNT; kind++) {
        const struct ax_change_row *row = ax_change_row((enum ax_change_kind)kind);
        CHECK(row->object != NULL && row->check != NULL);
        CHECK(row->apply != NULL || (row->effect != NULL && row->effect_is_durable));
    }
}

TEST(each_kind_of_change_is_about_something_checked_and_takes_effect)
{
    ax_test_with_ctx(rows);
}

static const struct {
    struct wanted wanted;
    ax_status want;
    const char *words;
} refusals[] = {
    {{AX_CHANGE_MODEL_VERSION, "credit", "{\"state\":\"approved\"}", DANA},
     AX_INVALID,
     "a version is model/number, not \"credit\""},
    {{AX_CHANGE_MODEL_VERSION, "credit/0", "{\"state\":\"approved\"}", DANA},
     AX_INVALID,
     "a version is model/number, not \"credit/0\""},
    {{AX_CHANGE_MODEL_VERSION, "/1", "{\"state\":\"approved\"}", DANA},
     AX_INVALID,
     "a version is model/number, not \"/1\""},
    {{AX_CHANGE_MODEL_VERSION, "credit/2", "{\"state\":\"approved\"}", DANA},
     AX_NOT_FOUND,
     "no version credit/2"},
    {{AX_CHANGE_MODEL_VERSION, "credit/1", "{\"state\":\"validated\"}", DANA},
     AX_INVALID,
     "`state` must be approved, approved_restricted or retired, not \"validated\""},
    {{AX_CHANGE_MODEL_VERSION, "credit/1", "{\"state\":\"approved\"}", DANA},
     AX_CONFLICT,
     "credit/1 is registered; only a validated version can be approved"},
    {{AX_CHANGE_MODEL_VERSION, "credit/1", "{\"state\":\"approved_restricted\"}", DANA},
     AX_INVALID,
     "`reason`"},
    {{AX_CHANGE_MODEL_VERSION, "credit/1", "{\"state\":\"approved_restricted\",\"reason\":\"\"}",
      DANA},
     AX_INVALID,
     "`reason` is empty"},
    {{AX_CHANGE_MODEL_VERSION, "credit/1", "{\"state\":\"approved_restricted\",\"reason\":\"x\"}",
      DANA},
     AX_INVALID,
     "`until`"},
    {{AX_CHANGE_MODEL_VERSION, "credit/1",
      "{\"state\":\"approved_restricted\",\"reason\":\"x\",\"until\":\"2020-01-01T00:00:00Z\"}",
      DANA},
     AX_INVALID,
     "`until` must be a time to come, not \"2020-01-01T00:00:00Z\""},
    {{AX_CHANGE_DEPLOYMENT, "loans", "{}", DEE}, AX_INVALID, "`champion`"},
    {{AX_CHANGE_DEPLOYMENT, "loans", loans_body, DANA},
     AX_DENIED,
     "dana developed, validated or approved credit/1: another person must deploy it"},
    {{AX_CHANGE_DEPLOYMENT, "loans", loans_body, DEE},
     AX_CONFLICT,
     "deployment loans could not be served: "},
    {{AX_CHANGE_POLICY, "p", "{}", DANA}, AX_INVALID, "`approve_below`"},
    {{AX_CHANGE_THRESHOLD, "p", "{\"approve_below\":0.2}", DANA}, AX_INVALID, "`decline_from`"},
    {{AX_CHANGE_THRESHOLD, "q", "{\"approve_below\":0.2,\"decline_from\":0.5}", DANA},
     AX_NOT_FOUND,
     "no policy \"q\""},
    {{AX_CHANGE_THRESHOLD, "p", "{\"approve_below\":0.7,\"decline_from\":0.5}", DANA},
     AX_INVALID,
     "`decline_from` must lie between"},
    {{AX_CHANGE_REASON_MAP, "r", "{\"reasons\":7}", DANA}, AX_INVALID, "`reasons`"},
    {{AX_CHANGE_TIER, "credit", "{\"tier\":4}", DANA},
     AX_INVALID,
     "`tier` must be 1, 2 or 3, not 4"},
    {{AX_CHANGE_TIER, "nobody", "{\"tier\":1}", DANA}, AX_NOT_FOUND, "no model \"nobody\""},
    {{AX_CHANGE_QUORUM, "quorum", "{\"4\":{}}", DANA},
     AX_INVALID,
     "unknown tier `4`; 1, 2 and 3 are known"},
    {{AX_CHANGE_ROLE, "nobody", "{\"grant\":[\"approver\"]}", DANA}, AX_NOT_FOUND, "nobody"},
    {{AX_CHANGE_KEY, "vic", "{}", DANA},
     AX_DENIED,
     "dana may propose their own keys, not those of vic"},
    {{AX_CHANGE_BREAKER, "loans", "{\"state\":\"open\",\"reason\":\"x\"}", ROB},
     AX_INVALID,
     "`state` must be closed, not \"open\""},
    {{AX_CHANGE_BREAKER, "loans", "{\"state\":\"closed\"}", ROB}, AX_INVALID, "`reason`"},
    {{AX_CHANGE_KILL, "all", "{\"state\":\"closed\",\"reason\":\"x\"}", ROB},
     AX_INVALID,
     "`state` must be released, not \"closed\""},
    {{AX_CHANGE_ERASURE, "person", "{\"reason\":\"\"}", PIA}, AX_INVALID, "`reason` is empty"},
};

static void
refused(struct ax_ctx *ctx, struct mlops_case *at)
{
    prepare(ctx, at);
    for (size_t i = 0; i < AX_COUNT_OF(refusals); i++) {
        ax_status status = take_step(ctx, at, &refusals[i].wanted, CHECK_IT, NULL);
        if (status != refusals[i].want || !ax_test_said(ctx, refusals[i].words))
            complain(ctx, __LINE__, &refusals[i].wanted, status);
    }
    mlops_case_move(ctx, at, "credit", AX_VERSION_IN_VALIDATION);
    directory_case_script(ctx, &at->base, "update model_versions set state = 'failed'");
    const struct wanted restricted = {
        AX_CHANGE_MODEL_VERSION, "credit/1",
        "{\"state\":\"approved_restricted\",\"reason\":\"x\",\"until\":\"2100-01-01T00:00:00Z\"}",
        DANA};
    CHECK_EQ(take_step(ctx, at, &restricted, CHECK_IT, NULL), AX_CONFLICT);
    CHECK(strcmp(ctx->error, "credit/1 is failed and cannot be used, restricted or not") == 0);
}

TEST(r25_r44_what_cannot_take_effect_is_refused_in_words)
{
    mlops_case_run(refused);
}

/* The text that is hashed moves exactly when what the change is about does. */
static void
objects(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const struct {
        struct wanted wanted;
        const char *sql;
    } cases[] = {
        {{AX_CHANGE_MODEL_VERSION, "credit/1", "{}", DANA},
         "update model_versions set state = 'validated'"},
        {{AX_CHANGE_DEPLOYMENT, "loans", loans_body, DEE},
         "insert into deployments (name, revision, body, digest, proposal_id, created_ns, "
         "created_by) values ('loans', 1, '{}', 'new', 'p', 1, '')"},
        {{AX_CHANGE_POLICY, "p", policy_body, DANA}, "update policies set digest = 'new'"},
        {{AX_CHANGE_THRESHOLD, "p", "{}", DANA}, "update policies set digest = 'newer'"},
        {{AX_CHANGE_REASON_MAP, "r", reasons_body, DANA}, "update reason_maps set digest = 'new'"},
        {{AX_CHANGE_TIER, "credit", "{\"tier\":1}", DANA}, "update models set tier = 3"},
        {{AX_CHANGE_ROLE, "vic", "{}", DANA}, "update users set line = 3 where id = 'vic'"},
        {{AX_CHANGE_KEY, "vic", "{}", VIC}, "update users set line = 1 where id = 'vic'"},
        {{AX_CHANGE_QUORUM, "quorum", "{}", DANA},
         "insert into settings (name, value) values ('quorum', '{}')"},
    };
    prepare(ctx, at);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str before = AX_STR("?"), same = AX_STR("!"), after = AX_STR("?");
        CHECK_EQ(take_step(ctx, at, &cases[i].wanted, OBJECT, &before), AX_OK);
        CHECK_EQ(take_step(ctx, at, &cases[i].wanted, OBJECT, &same), AX_OK);
        CHECK(ax_str_eq(before, same));
        directory_case_script(ctx, &at->base, cases[i].sql);
        CHECK_EQ(take_step(ctx, at, &cases[i].wanted, OBJECT, &after), AX_OK);
        if (ax_str_eq(before, after))
            ax_test_failed(__FILE__, __LINE__, "%s: the object is still %.*s",
                           cases[i].wanted.subject, AX_FMT(before));
    }
}

TEST(r46_the_object_of_a_proposal_is_another_when_what_it_is_about_changes)
{
    mlops_case_run(objects);
}

/* ---- taking effect ---- */

static void
applied(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const struct {
        struct wanted wanted;
        const char *sql;
    } cases[] = {
        {{AX_CHANGE_MODEL_VERSION, "credit/1", "{\"state\":\"approved\"}", DANA},
         "select count(*) from model_versions where state = 'approved'"},
        {{AX_CHANGE_DEPLOYMENT, "loans", loans_body, DEE},
         "select count(*) from deployments where name = 'loans' and revision = 1"},
        {{AX_CHANGE_POLICY, "p", policy_body, DANA},
         "select count(*) from policies where version = 2 and proposal_id = 'p_7'"},
        {{AX_CHANGE_THRESHOLD, "p", "{\"approve_below\":0.25,\"decline_from\":0.5}", DANA},
         "select count(*) from policies where version = 3 and body like '%\"approve_below\":0.25%' "
         "and body like '%\"reason_map\":\"r\"%'"},
        {{AX_CHANGE_REASON_MAP, "r", reasons_body, DANA},
         "select count(*) from reason_maps where version = 2"},
        {{AX_CHANGE_TIER, "credit", "{\"tier\":1}", DANA},
         "select count(*) from models where tier = 1"},
        {{AX_CHANGE_ROLE, "vic", "{\"grant\":[\"auditor\"],\"revoke\":[\"validator\"],\"line\":3}",
          DANA},
         "select count(*) from users where id = 'vic' and line = 3"},
        {{AX_CHANGE_QUORUM, "quorum", "{\"2\":{\"approvals\":3,\"second_line\":1}}", DANA},
         "select count(*) from settings where name = 'quorum'"},
        {{AX_CHANGE_QUORUM, "quorum", "{\"2\":{\"approvals\":2,\"second_line\":1}}", DANA},
         "select count(*) from settings where name = 'quorum' and value like '%\"approvals\":2%'"},
    };
    prepare(ctx, at);
    mlops_case_move(ctx, at, "credit", AX_VERSION_VALIDATED);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_status status = take_step(ctx, at, &cases[i].wanted, APPLY, NULL);
        if (status == AX_OK)
            status = take_step(ctx, at, &cases[i].wanted, EFFECT, NULL);
        if (status != AX_OK || mlops_case_count(ctx, at, cases[i].sql) != 1)
            complain(ctx, __LINE__, &cases[i].wanted, status);
    }
    CHECK(ax_file_exists(mlops_case_path(at, "serving/plan.json")));
    struct ax_directory_user vic = {};
    CHECK_EQ(ax_directory_find(at->base.directory, ctx, AX_STR("vic"), &vic), AX_OK);
    CHECK_EQ(vic.roles, AX_ROLE_BIT(AUDITOR)); /* the directory was told */
}

TEST(a_change_is_made_in_its_transaction_and_its_effect_follows)
{
    mlops_case_run(applied);
}

static void
effects(struct ax_ctx *ctx, struct mlops_case *at)
{
    const struct wanted breaker = {AX_CHANGE_BREAKER, "loans",
                                   "{\"state\":\"closed\",\"reason\":\"x\"}", ROB};
    const struct wanted kill = {AX_CHANGE_KILL, "model:credit",
                                "{\"state\":\"released\",\"reason\":\"x\"}", ROB};
    const struct ax_kill_latch latch = {.scope = AX_STR("model:credit"), .reason = AX_STR("x")};
    const struct ax_kill_subject credit = {.model = AX_STR("credit")};
    CHECK_EQ(take_step(ctx, at, &breaker, CHECK_IT, NULL), AX_OK);
    CHECK_EQ(take_step(ctx, at, &breaker, EFFECT, NULL), AX_OK);
    CHECK_EQ(breakers.count, 1);
    breakers.answer = AX_NOT_FOUND; /* gone with its deployment */
    CHECK_EQ(take_step(ctx, at, &breaker, EFFECT, NULL), AX_OK);
    breakers.answer = AX_UNAVAILABLE;
    CHECK_EQ(take_step(ctx, at, &breaker, EFFECT, NULL), AX_UNAVAILABLE);
    CHECK_EQ(ax_kill_switch_throw(at->kill, ctx, &latch), AX_OK);
    CHECK_EQ(take_step(ctx, at, &kill, CHECK_IT, NULL), AX_OK);
    for (int i = 0; i < 2; i++) /* the second time after a crash */
        CHECK_EQ(take_step(ctx, at, &kill, EFFECT, NULL), AX_OK);
    CHECK_EQ(ax_kill_switch_check(at->kill, ctx, &credit), AX_OK);
}

TEST(r79_r80_an_effect_outside_the_database_may_be_done_twice)
{
    mlops_case_run(effects);
}

static void
erased(struct ax_ctx *ctx, struct mlops_case *at)
{
    const struct wanted erasure = {AX_CHANGE_ERASURE, "person-1", "{\"reason\":\"asked\"}", PIA};
    struct ax_vault_sealed sealed;
    uint64_t alive = 0, gone = 0, before = ax_ledger_size(at->ledger);
    CHECK_EQ(
        ax_vault_seal(at->vault, ctx, AX_STR("person-1"), AX_STR("d_1"), AX_STR("secret"), &sealed),
        AX_OK);
    CHECK_EQ(ax_vault_commit(at->vault, ctx), AX_OK);
    for (int i = 0; i < 2; i++) { /* the second time after a crash */
        CHECK_EQ(take_step(ctx, at, &erasure, EFFECT, NULL), AX_OK);
        ax_vault_count(at->vault, &alive, &gone);
        CHECK(alive == 0 && gone == 1);
        CHECK(ax_vault_erased(at->vault, sealed.key_id));
        CHECK_EQ(ax_ledger_size(at->ledger), before + (uint64_t)i + 1);
    }
    struct ax_event event = {};
    ax_str leaf = AX_STR("");
    CHECK_EQ(ax_ledger_read(at->ledger, ctx, before, &leaf), AX_OK);
    CHECK_EQ(ax_event_read(ctx, leaf, &event), AX_OK);
    CHECK_EQ(event.kind, AX_EVENT_ERASURE);
    CHECK_STR(event.object, "p_7"); /* the proposal, not the person */
    CHECK(memcmp(event.key_id, sealed.key_id, sizeof event.key_id) == 0);
}

TEST(an_erasure_destroys_the_key_and_its_fact_names_no_person)
{
    mlops_case_run(erased);
}

/* ---- who must sign ---- */

static void
signing(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const struct {
        enum ax_change_kind kind;
        const char *subject, *change;
        int64_t tier;
        size_t people;
    } cases[] = {
        {AX_CHANGE_MODEL_VERSION, "credit/1", "{}", 3, 2},
        {AX_CHANGE_DEPLOYMENT, "loans", loans_body, 3, 2},
        {AX_CHANGE_TIER, "credit", "{\"tier\":1}", 3, 0},
        {AX_CHANGE_POLICY, "p", policy_body, 2, 0},
        {AX_CHANGE_KILL, "all", "{}", 2, 0},
    };
    const struct ax_change_control_config services = services_of(at);
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_quorum_table table = {};
    bool lowers = true;
    prepare(ctx, at);
    directory_case_script(
        ctx, &at->base,
        "update models set tier = 3; insert into validations (id, model, version, "
        "validator, plan, plan_digest, state, results, conclusion, comment, "
        "fixed_ns) values ('v_1', 'credit', 1, 'vic', '{}', '', 'concluded', "
        "'', 'passed', '', 1)");
    CHECK_EQ(ax_store_begin(at->base.store, ctx, AX_STORE_READ, &tx), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        const struct ax_change change = {.services = &services,
                                         .ctx = ctx,
                                         .tx = tx,
                                         .kind = cases[i].kind,
                                         .subject = ax_str_of(cases[i].subject),
                                         .change = directory_case_json(ctx, cases[i].change)};
        int64_t tier = 0;
        ax_str *people = NULL;
        size_t count = 9;
        CHECK_EQ(ax_change_tier(&change, &tier), AX_OK);
        CHECK_EQ(tier, cases[i].tier);
        CHECK_EQ(ax_change_involved(&change, &people, &count), AX_OK);
        CHECK_EQ(count, cases[i].people);
        if (count == 2 && cases[i].people == 2) {
            CHECK_STR(people[0], "dana");
            CHECK_STR(people[1], "vic");
        }
        if (cases[i].kind == AX_CHANGE_TIER) {
            CHECK_EQ(ax_change_lowers_tier(&change, &lowers), AX_OK);
            CHECK(!lowers); /* from 3 to 1 is raised */
        }
    }
    const struct ax_quorum_table preset = ax_quorum_default();
    CHECK_EQ(ax_change_quorum_table(tx, ctx, &table), AX_OK);
    CHECK_EQ(table.tiers[1].approvals, preset.tiers[1].approvals);
    ax_store_rollback(ax_take(tx));
    directory_case_script(ctx, &at->base,
                          "insert into settings (name, value) values ('quorum', "
                          "'{\"2\":{\"approvals\":4,\"second_line\":2}}')");
    CHECK_EQ(ax_store_begin(at->base.store, ctx, AX_STORE_READ, &tx), AX_OK);
    CHECK_EQ(ax_change_quorum_table(tx, ctx, &table), AX_OK);
    CHECK_EQ(table.tiers[1].approvals, 4);
    CHECK_EQ(table.tiers[0].approvals, preset.tiers[0].approvals);
}

TEST(r44_r46_who_made_or_validated_it_is_known_and_the_tier_decides_how_many_sign)
{
    mlops_case_run(signing);
}

/* ---- faults ---- */

static ax_status
apply_all(struct ax_ctx *ctx, struct mlops_case *at, int step)
{
    static const struct wanted all[] = {
        {AX_CHANGE_POLICY, "p", policy_body, DANA},
        {AX_CHANGE_THRESHOLD, "p", "{\"approve_below\":0.25,\"decline_from\":0.5}", DANA},
        {AX_CHANGE_TIER, "credit", "{\"tier\":1}", DANA},
        {AX_CHANGE_QUORUM, "quorum", "{\"2\":{\"approvals\":3,\"second_line\":1}}", DANA},
        {AX_CHANGE_REASON_MAP, "r", reasons_body, DANA},
    };
    (void)step;
    for (size_t i = 0; i < AX_COUNT_OF(all); i++) {
        ax_str object;
        AX_TRY(take_step(ctx, at, &all[i], OBJECT, &object));
        AX_TRY(take_step(ctx, at, &all[i], CHECK_IT, NULL));
        AX_TRY(take_step(ctx, at, &all[i], APPLY, NULL));
    }
    return AX_OK;
}

/* What was made before the fault stays, nothing of what it met. */
static void
after_apply(struct ax_ctx *ctx, struct mlops_case *at, int step, ax_status status)
{
    int64_t made = mlops_case_count(
        ctx, at,
        "select (select count(*) from policies where version > 1) + (select count(*) from models "
        "where tier = 1) + (select count(*) from settings where name = 'quorum') + (select "
        "count(*) from reason_maps where version > 1)");
    int64_t facts = mlops_case_count(ctx, at, "select count(*) from outbox");
    (void)step;
    CHECK_EQ(status == AX_OK, made == 5);
    CHECK_EQ(facts, made - (made >= 4)); /* a quorum has none of its own */
    directory_case_script(ctx, &at->base,
                          "delete from policies where version > 1; update models set tier = 2; "
                          "delete from settings where name = 'quorum'; delete from reason_maps "
                          "where version > 1; delete from outbox");
}

static void
sweep_apply(struct ax_ctx *ctx, struct mlops_case *at)
{
    prepare(ctx, at);
    directory_case_script(ctx, &at->base, "delete from outbox");
    mlops_case_sweep(at, apply_all, after_apply);
}

TEST(each_change_meets_every_fault_with_its_fact_or_not_at_all)
{
    mlops_case_run(sweep_apply);
}

static ax_status
erase(struct ax_ctx *ctx, struct mlops_case *at, int step)
{
    const struct wanted erasure = {AX_CHANGE_ERASURE, "person-1", "{\"reason\":\"asked\"}", PIA};
    (void)step;
    return take_step(ctx, at, &erasure, EFFECT, NULL);
}

static void
after_erase(struct ax_ctx *ctx, struct mlops_case *at, int step, ax_status status)
{
    uint64_t size = ax_ledger_size(at->ledger);
    if (status != AX_OK) /* upkeep does it again */
        CHECK_EQ(erase(ctx, at, step), AX_OK);
    CHECK_EQ(ax_ledger_size(at->ledger), size + (status != AX_OK));
}

static void
sweep_erase(struct ax_ctx *ctx, struct mlops_case *at)
{
    (void)ctx;
    mlops_case_sweep(at, erase, after_erase);
}

TEST(an_erasure_that_met_a_fault_is_finished_later)
{
    mlops_case_run(sweep_erase);
}
