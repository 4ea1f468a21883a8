#include "mlops/deployment.h"

#include "mlops_case.h"
#include "sys/clock.h"

static const char reasons_body[] =
    "{\"reasons\":[{\"code\":\"R1\",\"text\":\"Something about you\","
    "\"features\":[\"age\",\"income\",\"job\"]}]}";
static const char policy_body[] =
    "{\"approve_below\":0.3,\"decline_from\":0.6,\"reason_map\":\"r\"}";
static const char loans_body[] = "{\"champion\":{\"model\":\"credit\",\"version\":1},"
                                 "\"policy\":{\"name\":\"p\",\"version\":1},"
                                 "\"record\":\"queued\",\"tier\":2}";

enum what { POLICY, REASONS, DEPLOYMENT };

/* Puts a document or a deployment in a transaction of its own. */
static ax_status
put(struct ax_ctx *ctx, struct mlops_case *at, enum what what, const char *name, const char *body,
    const char *proposal)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    const struct ax_json *json;
    ax_str id = ax_str_of(proposal), text = ax_str_of(name);
    mlops_case_as(ctx, at, DEE);
    AX_TRY(ax_json_parse(ctx, ax_str_of(body), NULL, &json));
    AX_TRY(ax_store_begin(at->base.store, ctx, AX_STORE_WRITE, &tx));
    if (what == POLICY)
        AX_TRY(ax_deployments_put_policy(at->deployments, ctx, tx, text, json, id));
    else if (what == REASONS)
        AX_TRY(ax_deployments_put_reasons(at->deployments, ctx, tx, text, json, id));
    else
        AX_TRY(ax_deployments_apply(at->deployments, ctx, tx, text, json, id));
    return ax_store_commit(ax_take(tx), ctx);
}

/* An approved version, a map and a policy. */
static void
prepare(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct ax_version_record record;
    CHECK_EQ(mlops_case_create(ctx, at, "credit"), AX_OK);
    CHECK_EQ(mlops_case_register(ctx, at, "credit", &record), AX_OK);
    mlops_case_move(ctx, at, "credit", AX_VERSION_APPROVED);
    CHECK_EQ(put(ctx, at, REASONS, "r", reasons_body, "p_1"), AX_OK);
    CHECK_EQ(put(ctx, at, POLICY, "p", policy_body, "p_2"), AX_OK);
}

static ax_status
load(struct ax_ctx *ctx, struct mlops_case *at, struct ax_plan **out)
{
    return ax_plan_load(ctx, &(struct ax_plan_source){.folder = mlops_case_path(at, "serving")},
                        out);
}

/* What a show writes, as text; "" when it fails. */
static const char *
shown(struct ax_ctx *ctx, const struct ax_writer *text)
{
    ax_str copy = AX_STR("");
    CHECK(ax_str_copy(ctx->arena, ax_writer_str(text), &copy));
    return ax_str_c(ctx->arena, copy);
}

/* ---- checking ---- */

static void
checked(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const struct {
        const char *change;
        ax_status want;
        const char *words;
    } cases[] = {
        {loans_body, AX_OK, ""},
        {"{}", AX_CONFLICT, "`champion`"},
        {"{\"champion\":7}", AX_CONFLICT, "`champion`"},
        {"{\"champion\":{\"model\":\"credit\"}}", AX_CONFLICT, "`version`"},
        {"{\"champion\":{\"model\":\"credit\",\"version\":9}}", AX_CONFLICT, "no version credit/9"},
        {"{\"champion\":{\"model\":\"other\",\"version\":1}}", AX_CONFLICT,
         "other/1 is registered, not approved"},
        {"{\"champion\":{\"model\":\"credit\",\"version\":1}}", AX_CONFLICT, "`policy`"},
        {"{\"champion\":{\"model\":\"credit\",\"version\":1},"
         "\"policy\":{\"name\":\"p\",\"version\":2}}",
         AX_CONFLICT, "no policy p/2"},
        {"{\"champion\":{\"model\":\"credit\",\"version\":1},"
         "\"policy\":{\"name\":\"lost\",\"version\":1}}",
         AX_CONFLICT, "no reason map nowhere/0"},
        {"{\"champion\":{\"model\":\"credit\",\"version\":1},"
         "\"policy\":{\"name\":\"poor\",\"version\":1}}",
         AX_CONFLICT, "`income`"},
        {"{\"champion\":{\"model\":\"credit\",\"version\":1},"
         "\"challengers\":[{\"model\":\"other\",\"version\":1}],"
         "\"policy\":{\"name\":\"p\",\"version\":1}}",
         AX_CONFLICT, "other/1 is registered, not approved"},
        {"{\"champion\":{\"model\":\"credit\",\"version\":1},"
         "\"fallback\":{\"model\":\"other\",\"version\":1},"
         "\"policy\":{\"name\":\"p\",\"version\":1}}",
         AX_CONFLICT, "other/1 is registered, not approved"},
        {"{\"champion\":{\"model\":\"credit\",\"version\":1},"
         "\"policy\":{\"name\":\"p\",\"version\":1},\"tier\":4}",
         AX_CONFLICT, "`tier` must be 1, 2 or 3, not 4"},
        {"{\"champion\":{\"model\":\"credit\",\"version\":1},"
         "\"policy\":{\"name\":\"p\",\"version\":1},\"tier\":3}",
         AX_CONFLICT, "`tier` is 3, and model credit is 2"},
        {"{\"champion\":{\"model\":\"credit\",\"version\":1},"
         "\"policy\":{\"name\":\"p\",\"version\":1},\"shadow\":true}",
         AX_CONFLICT, "unknown member `shadow`"},
    };
    struct ax_version_record record;
    prepare(ctx, at);
    CHECK_EQ(mlops_case_create(ctx, at, "other"), AX_OK);
    CHECK_EQ(mlops_case_register(ctx, at, "other", &record), AX_OK);
    CHECK_EQ(put(ctx, at, POLICY, "lost",
                 "{\"approve_below\":0.3,\"decline_from\":0.6,\"reason_map\":\"nowhere\"}", "p_3"),
             AX_OK);
    CHECK_EQ(put(ctx, at, REASONS, "few",
                 "{\"reasons\":[{\"code\":\"R1\",\"text\":\"Age\",\"features\":[\"age\"]}]}",
                 "p_4"),
             AX_OK);
    CHECK_EQ(put(ctx, at, POLICY, "poor",
                 "{\"approve_below\":0.3,\"decline_from\":0.6,\"reason_map\":\"few\"}", "p_5"),
             AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
        ctx->error[0] = '\0';
        CHECK_EQ(ax_store_begin(at->base.store, ctx, AX_STORE_READ, &tx), AX_OK);
        ax_status status = ax_deployments_check(at->deployments, ctx, tx, AX_STR("loans"),
                                                directory_case_json(ctx, cases[i].change));
        if (status != cases[i].want || !strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "%s: %s, %s", cases[i].change,
                           ax_status_name(status), ctx->error);
        CHECK(status == AX_OK ||
              strstr(ctx->error, "deployment loans could not be served: ") == ctx->error);
    }
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from deployments"), 0);
    CHECK(!ax_file_exists(mlops_case_path(at, "serving/plan.json")));
}

TEST(r1_r64_r107_what_could_not_be_served_says_why)
{
    mlops_case_run(checked);
}

/* ---- rows ---- */

static void
documents(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const struct {
        enum what what;
        const char *body, *words;
    } cases[] = {
        {POLICY, "{\"decline_from\":0.6,\"reason_map\":\"r\"}", "`approve_below`"},
        {POLICY, "{\"approve_below\":0.7,\"decline_from\":0.6,\"reason_map\":\"r\"}",
         "`decline_from` must lie between `approve_below` (0.7) and 1, not 0.6"},
        {REASONS, "{}", "`reasons`"},
        {REASONS,
         "{\"reasons\":[{\"code\":\"R1\",\"text\":\"Score too low\",\"features\":[\"age\"]}]}",
         "score too low"},
    };
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    CHECK_EQ(put(ctx, at, POLICY, "p", policy_body, ""), AX_OK);
    CHECK_EQ(put(ctx, at, REASONS, "r", reasons_body, ""), AX_OK);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from policies"), 0); /* only checked */
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from reason_maps"), 0);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(put(ctx, at, cases[i].what, "x", cases[i].body, "p_9"), AX_INVALID);
        if (!strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "case %zu says: %s", i, ctx->error);
    }
    int64_t facts = mlops_case_count(ctx, at, "select count(*) from outbox");
    CHECK_EQ(put(ctx, at, POLICY, "p", policy_body, "p_1"), AX_OK);
    CHECK_EQ(put(ctx, at, POLICY, "p",
                 "{\"version\":7,\"name\":\"q\",\"approve_below\":0.1,\"decline_from\":0.6,"
                 "\"reason_map\":\"r\"}",
                 "p_2"),
             AX_OK);
    CHECK_EQ(put(ctx, at, REASONS, "r", reasons_body, "p_3"), AX_OK);
    CHECK_EQ(mlops_case_count(ctx, at, "select max(version) from policies where name = 'p'"), 2);
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from outbox"), facts + 3);
    CHECK_EQ(ax_deployments_show_policy(at->deployments, ctx, AX_STR("p"), 0, &json), AX_OK);
    CHECK(strstr(shown(ctx, &text), "\"proposal\":\"p_2\"") != NULL);
    CHECK(strstr(shown(ctx, &text), "\"version\":2") != NULL); /* not what the body claims */
    ax_writer_clear(&text);
    json = ax_json_writer_of(&text);
    CHECK_EQ(ax_deployments_show_policy(at->deployments, ctx, AX_STR("p"), 1, &json), AX_OK);
    CHECK(strstr(shown(ctx, &text), "\"proposal\":\"p_1\"") != NULL);
    CHECK_EQ(ax_deployments_show_reasons(at->deployments, ctx, AX_STR("r"), 1, &json), AX_OK);
    CHECK_EQ(ax_deployments_show_policy(at->deployments, ctx, AX_STR("p"), 3, &json), AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, "no policy \"p\" of that version") == 0);
    CHECK_EQ(ax_deployments_show_reasons(at->deployments, ctx, AX_STR("s"), 0, &json),
             AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, "no reason_map \"s\" of that version") == 0);
}

TEST(r63_r107_a_policy_and_a_reason_map_are_checked_and_get_the_next_version)
{
    mlops_case_run(documents);
}

static void
revisions(struct ax_ctx *ctx, struct mlops_case *at)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    CHECK_EQ(ax_deployments_show(at->deployments, ctx, AX_STR("loans"), &json), AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, "no deployment \"loans\"") == 0);
    CHECK_EQ(put(ctx, at, DEPLOYMENT, "loans", loans_body, "p_1"), AX_OK);
    CHECK_EQ(put(ctx, at, DEPLOYMENT, "loans", loans_body, "p_2"), AX_OK);
    CHECK_EQ(put(ctx, at, DEPLOYMENT, "cars", loans_body, "p_3"), AX_OK);
    ax_writer_clear(&text);
    json = ax_json_writer_of(&text);
    CHECK_EQ(ax_deployments_show(at->deployments, ctx, AX_STR("loans"), &json), AX_OK);
    const char *whole = shown(ctx, &text);
    const char *second = strstr(whole, "\"proposal\":\"p_2\"");
    const char *first = strstr(whole, "\"proposal\":\"p_1\"");
    CHECK(second && first && second < first); /* the newest first */
    CHECK(strstr(whole, "\"revision\":2,\"deployment\":{\"champion\":") != NULL);
    ax_writer_clear(&text);
    json = ax_json_writer_of(&text);
    CHECK_EQ(ax_deployments_list(at->deployments, ctx, &json), AX_OK);
    CHECK(strstr(shown(ctx, &text), "{\"name\":\"cars\",\"revision\":1,") != NULL);
    CHECK(strstr(shown(ctx, &text), "{\"name\":\"loans\",\"revision\":2,") != NULL);
}

TEST(a_deployment_is_shown_with_its_history)
{
    mlops_case_run(revisions);
}

/* ---- the plan ---- */

struct told {
    int count;
    ax_status answer;
};

static ax_status
on_plan(void *arg, struct ax_ctx *ctx)
{
    struct told *told = arg;
    told->count++;
    return told->answer == AX_OK ? AX_OK : ax_fail(ctx, told->answer, "nobody serves it");
}

static void
published(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct told told = {};
    ax_auto(ax_plan_free) struct ax_plan *none = NULL;
    ax_auto(ax_plan_free) struct ax_plan *plan = NULL;
    ax_auto(ax_deployments_close) struct ax_deployments *deployments = NULL;
    const struct ax_deployments_config config = {.store = at->base.store,
                                                 .registry = at->registry,
                                                 .folder = mlops_case_path(at, "serving"),
                                                 .on_plan = on_plan,
                                                 .arg = &told};
    CHECK_EQ(ax_deployments_open(ctx, &config, &deployments), AX_OK);
    prepare(ctx, at);
    CHECK_EQ(ax_deployments_publish(deployments, ctx), AX_OK);
    CHECK_EQ(load(ctx, at, &none), AX_OK);
    REQUIRE(none != NULL);
    CHECK(none->deployment_count == 0 && told.count == 1);
    CHECK_EQ(put(ctx, at, DEPLOYMENT, "loans", loans_body, "p_3"), AX_OK);
    CHECK_EQ(ax_deployments_publish(deployments, ctx), AX_OK);
    CHECK_EQ(load(ctx, at, &plan), AX_OK);
    REQUIRE(plan != NULL && plan->deployment_count == 1);
    CHECK_EQ(plan->revision, none->revision + 1);
    CHECK(ax_str_eq(plan->deployments[0].name, AX_STR("loans")));
    CHECK_EQ(plan->deployments[0].record, AX_RECORD_QUEUED);
    told.answer = AX_UNAVAILABLE;
    CHECK_EQ(ax_deployments_publish(deployments, ctx), AX_UNAVAILABLE);
    CHECK(strcmp(ctx->error, "publish the plan: nobody serves it") == 0);
    CHECK_EQ(told.count, 3);
}

TEST(a_plan_is_written_from_the_rows_and_told_to_who_serves)
{
    mlops_case_run(published);
}

/* A restriction that has ended, or a retirement, takes the deployment out; the others stay. */
static void
dropped(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const struct {
        const char *sql;
        size_t want;
    } cases[] = {
        {"update model_versions set state = 'approved_restricted', until_ns = 1", 0},
        {"update model_versions set state = 'approved_restricted', "
         "until_ns = 4000000000000000000",
         1},
        {"update model_versions set state = 'retired'", 0},
        {"update model_versions set state = 'approved'", 1},
    };
    prepare(ctx, at);
    CHECK_EQ(put(ctx, at, DEPLOYMENT, "loans", loans_body, "p_3"), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_auto(ax_plan_free) struct ax_plan *plan = NULL;
        directory_case_script(ctx, &at->base, cases[i].sql);
        CHECK_EQ(ax_deployments_publish(at->deployments, ctx), AX_OK);
        CHECK_EQ(load(ctx, at, &plan), AX_OK);
        CHECK_EQ(plan ? plan->deployment_count : 9, cases[i].want);
    }
}

TEST(r25_a_version_past_its_restriction_is_not_in_the_plan)
{
    mlops_case_run(dropped);
}

/* A revision of then is found by what its decisions hold, with the map that gave their reasons. */
static void
earlier(struct ax_ctx *ctx, struct mlops_case *at)
{
    ax_auto(ax_plan_free) struct ax_plan *then = NULL;
    ax_auto(ax_plan_free) struct ax_plan *again = NULL;
    const ax_str folder = mlops_case_path(at, "then");
    prepare(ctx, at);
    CHECK_EQ(put(ctx, at, DEPLOYMENT, "loans", loans_body, "p_3"), AX_OK);
    CHECK_EQ(ax_deployments_publish(at->deployments, ctx), AX_OK);
    CHECK_EQ(load(ctx, at, &then), AX_OK);
    REQUIRE(then != NULL && then->deployment_count == 1);
    const struct ax_plan_deployment *loans = &then->deployments[0];
    CHECK_EQ(put(ctx, at, REASONS, "r",
                 "{\"reasons\":[{\"code\":\"R7\",\"text\":\"Another cause\","
                 "\"features\":[\"age\",\"income\",\"job\"]}]}",
                 "p_4"),
             AX_OK);
    CHECK_EQ(put(ctx, at, DEPLOYMENT, "loans",
                 "{\"champion\":{\"model\":\"credit\",\"version\":1},"
                 "\"policy\":{\"name\":\"p\",\"version\":1},\"record\":\"durable\",\"tier\":2}",
                 "p_5"),
             AX_OK);
    directory_case_script(ctx, &at->base, "update model_versions set state = 'retired'");
    CHECK_EQ(ax_deployments_publish(at->deployments, ctx), AX_OK);
    CHECK_EQ(ax_deployments_publish_revision(at->deployments, ctx, AX_STR("loans"),
                                             loans->config_digest, &loans->reasons_digest, folder),
             AX_OK);
    CHECK_EQ(ax_plan_load(ctx, &(struct ax_plan_source){.folder = folder}, &again), AX_OK);
    REQUIRE(again != NULL && again->deployment_count == 1);
    CHECK(ax_digest_eq(again->deployments[0].config_digest, loans->config_digest));
    CHECK(ax_digest_eq(again->deployments[0].reasons_digest, loans->reasons_digest));
    CHECK(ax_digest_eq(again->deployments[0].policy_digest, loans->policy_digest));
    CHECK_EQ(ax_deployments_publish_revision(at->deployments, ctx, AX_STR("loans"),
                                             ax_sha256(AX_STR("x")), NULL, folder),
             AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, "no revision of deployment loans has that digest") == 0);
    const ax_digest unknown = ax_sha256(AX_STR("x"));
    CHECK_EQ(ax_deployments_publish_revision(at->deployments, ctx, AX_STR("loans"),
                                             loans->config_digest, &unknown, folder),
             AX_NOT_FOUND);
}

TEST(r58_the_plan_of_an_earlier_revision_is_written_again)
{
    mlops_case_run(earlier);
}

/* ---- faults ---- */

static ax_status
put_all(struct ax_ctx *ctx, struct mlops_case *at, int step)
{
    (void)step;
    AX_TRY(put(ctx, at, REASONS, "r", reasons_body, "p_1"));
    AX_TRY(put(ctx, at, POLICY, "p", policy_body, "p_2"));
    return put(ctx, at, DEPLOYMENT, "loans", loans_body, "p_3");
}

/* Each row is there with its fact, or neither. */
static void
after_put(struct ax_ctx *ctx, struct mlops_case *at, int step, ax_status status)
{
    int64_t rows = mlops_case_count(ctx, at,
                                    "select (select count(*) from reason_maps) + (select count(*) "
                                    "from policies) + (select count(*) from deployments)");
    (void)step;
    CHECK_EQ(mlops_case_count(ctx, at, "select count(*) from outbox"), rows);
    CHECK_EQ(status == AX_OK, rows == 3);
    directory_case_script(ctx, &at->base,
                          "delete from deployments; delete from policies; delete from "
                          "reason_maps; delete from outbox");
}

static void
sweep_put(struct ax_ctx *ctx, struct mlops_case *at)
{
    directory_case_script(ctx, &at->base, "delete from outbox");
    mlops_case_sweep(at, put_all, after_put);
}

TEST(a_row_and_its_fact_meet_every_fault_together)
{
    mlops_case_run(sweep_put);
}

static ax_digest swept_config, swept_reasons;

static ax_status
publish_all(struct ax_ctx *ctx, struct mlops_case *at, int step)
{
    ax_auto(ax_deployments_close) struct ax_deployments *deployments = NULL;
    ax_str serving = ax_str_printf(ctx->arena, "%s/serving-%d", at->base.folder, step);
    ax_str then = ax_str_printf(ctx->arena, "%s/then-%d", at->base.folder, step);
    if (!serving.at || !then.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    const struct ax_deployments_config config = {
        .store = at->base.store, .registry = at->registry, .folder = serving};
    AX_TRY(ax_deployments_open(ctx, &config, &deployments));
    AX_TRY(ax_deployments_publish(deployments, ctx));
    return ax_deployments_publish_revision(deployments, ctx, AX_STR("loans"), swept_config,
                                           &swept_reasons, then);
}

/* plan.json is whole where it is. */
static void
after_publish(struct ax_ctx *ctx, struct mlops_case *at, int step, ax_status status)
{
    static const char *const names[] = {"serving", "then"};
    for (size_t i = 0; i < AX_COUNT_OF(names); i++) {
        ax_auto(ax_plan_free) struct ax_plan *plan = NULL;
        ax_str folder = ax_str_printf(ctx->arena, "%s/%s-%d", at->base.folder, names[i], step);
        bool there = ax_file_exists(ax_path_join(ctx->arena, folder, AX_STR("plan.json")));
        CHECK(there || status != AX_OK);
        if (there) {
            CHECK_EQ(ax_plan_load(ctx, &(struct ax_plan_source){.folder = folder}, &plan), AX_OK);
            CHECK_EQ(plan ? plan->deployment_count : 9, 1);
        }
        CHECK_EQ(ax_file_remove_tree(ctx, folder), AX_OK);
    }
}

static void
sweep_publish(struct ax_ctx *ctx, struct mlops_case *at)
{
    ax_auto(ax_plan_free) struct ax_plan *plan = NULL;
    prepare(ctx, at);
    CHECK_EQ(put(ctx, at, DEPLOYMENT, "loans", loans_body, "p_3"), AX_OK);
    CHECK_EQ(ax_deployments_publish(at->deployments, ctx), AX_OK);
    CHECK_EQ(load(ctx, at, &plan), AX_OK);
    REQUIRE(plan != NULL && plan->deployment_count == 1);
    swept_config = plan->deployments[0].config_digest;
    swept_reasons = plan->deployments[0].reasons_digest;
    mlops_case_sweep(at, publish_all, after_publish);
}

TEST(a_plan_on_disk_meets_every_fault_whole_or_not_there)
{
    mlops_case_run(sweep_publish);
}

static ax_status
show_all(struct ax_ctx *ctx, struct mlops_case *at, int step)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    (void)step;
    AX_TRY(ax_deployments_show(at->deployments, ctx, AX_STR("loans"), &json));
    AX_TRY(ax_deployments_list(at->deployments, ctx, &json));
    AX_TRY(ax_deployments_show_policy(at->deployments, ctx, AX_STR("p"), 0, &json));
    AX_TRY(ax_deployments_show_reasons(at->deployments, ctx, AX_STR("r"), 1, &json));
    return text.status;
}

static void
after_show(struct ax_ctx *ctx, struct mlops_case *at, int step, ax_status status)
{
    (void)at, (void)step;
    CHECK(status == AX_OK || status == AX_LIMIT || ctx->error[0]);
}

static void
sweep_show(struct ax_ctx *ctx, struct mlops_case *at)
{
    CHECK_EQ(put_all(ctx, at, 0), AX_OK);
    mlops_case_sweep(at, show_all, after_show);
}

TEST(what_is_deployed_is_shown_whole_or_refused)
{
    mlops_case_run(sweep_show);
}
