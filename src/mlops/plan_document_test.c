#include "mlops/plan_document.h"

#include "mlops_case.h"

static const char *const setup[] = {
    "insert into reason_maps (name, version, body, digest, proposal_id, created_ns) values "
    "('r', 1, '{\"name\":\"r\",\"version\":1,\"reasons\":[{\"code\":\"R1\",\"text\":\"You\","
    "\"features\":[\"age\",\"income\",\"job\"]}]}', 'd1', 'p_1', 1)",
    "insert into policies (name, version, body, digest, proposal_id, created_ns) values "
    "('p', 1, '{\"name\":\"p\",\"version\":1,\"approve_below\":0.3,\"decline_from\":0.6,"
    "\"reason_map\":\"r\"}', 'd2', 'p_2', 1)",
};

/* Three approved models of one file each, a map and a policy. */
static void
prepare(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const char *const models[] = {"credit", "second", "third"};
    for (size_t i = 0; i < AX_COUNT_OF(models); i++) {
        struct ax_version_record record;
        CHECK_EQ(mlops_case_create(ctx, at, models[i]), AX_OK);
        CHECK_EQ(mlops_case_register(ctx, at, models[i], &record), AX_OK);
        mlops_case_move(ctx, at, models[i], AX_VERSION_APPROVED);
    }
    for (size_t i = 0; i < AX_COUNT_OF(setup); i++)
        directory_case_script(ctx, &at->base, setup[i]);
}

static void
deploy(struct ax_ctx *ctx, struct mlops_case *at, const char *name, int revision,
       const char *members)
{
    char sql[1024];
    snprintf(sql, sizeof sql,
             "insert into deployments (name, revision, body, digest, proposal_id, created_ns, "
             "created_by) values ('%s', %d, '{%s,\"policy\":{\"name\":\"p\",\"version\":1},"
             "\"tier\":2}', 'd', 'p_3', 1, 'dee')",
             name, revision, members);
    directory_case_script(ctx, &at->base, sql);
}

static const char whole[] = "\"champion\":{\"model\":\"credit\",\"version\":1},"
                            "\"challengers\":[{\"model\":\"second\",\"version\":1},"
                            "{\"model\":\"third\",\"version\":1}],"
                            "\"fallback\":{\"model\":\"second\",\"version\":1}";

/* Writes the plan to a folder and loads it; NULL when it was refused. */
static struct ax_plan *
write(struct ax_ctx *ctx, struct mlops_case *at, const struct ax_plan_document *wanted,
      ax_status *out_status)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_plan_document document = *wanted;
    struct ax_plan *plan = NULL;
    const ax_str folder = mlops_case_path(at, "plan");
    CHECK_EQ(ax_store_begin(at->base.store, ctx, AX_STORE_READ, &tx), AX_OK);
    document.store_tx = tx;
    document.registry = at->registry;
    *out_status = ax_plan_document_write(ctx, &document, folder);
    if (*out_status == AX_OK)
        CHECK_EQ(ax_plan_load(ctx, &(struct ax_plan_source){.folder = folder}, &plan), AX_OK);
    return plan;
}

static void
written(struct ax_ctx *ctx, struct mlops_case *at)
{
    ax_status status;
    prepare(ctx, at);
    deploy(ctx, at, "loans", 1, "\"champion\":{\"model\":\"third\",\"version\":1}");
    deploy(ctx, at, "loans", 2, whole);
    deploy(ctx, at, "cars", 1, "\"champion\":{\"model\":\"second\",\"version\":1}");
    ax_auto(ax_plan_free) struct ax_plan *plan =
        write(ctx, at, &(struct ax_plan_document){.revision = 9}, &status);
    REQUIRE(plan != NULL);
    CHECK_EQ(plan->revision, 9);
    CHECK_EQ(plan->deployment_count, 2);
    CHECK_EQ(plan->model_count, 3); /* each once, however often it is named */
    const struct ax_plan_deployment *loans = ax_plan_deployment(plan, AX_STR("loans"));
    REQUIRE(loans != NULL);
    CHECK_EQ(loans->revision, 2); /* the newest */
    CHECK_STR(loans->champion.model->model, "credit");
    CHECK_STR(loans->fallback.model->model, "second");
    CHECK_EQ(loans->challenger_count, 2);
}

TEST(r107_a_plan_holds_the_newest_revision_of_each_deployment_and_what_it_names)
{
    mlops_case_run(written);
}

/* Members that may not serve: left out of what is served, refused in what is proposed. */
static void
unservable(struct ax_ctx *ctx, struct mlops_case *at)
{
    ax_status status;
    prepare(ctx, at);
    deploy(ctx, at, "loans", 1, whole);
    directory_case_script(ctx, &at->base,
                          "update model_versions set state = 'retired' where model = 'second'");
    CHECK(write(ctx, at, &(struct ax_plan_document){.revision = 1}, &status) == NULL);
    CHECK_EQ(status, AX_CONFLICT);
    CHECK(strcmp(ctx->error, "deployment loans: version second/1 is retired, not approved") == 0);
    ax_auto(ax_plan_free) struct ax_plan *rest =
        write(ctx, at, &(struct ax_plan_document){.revision = 1, .drop_unservable = true}, &status);
    REQUIRE(rest != NULL && rest->deployment_count == 1);
    CHECK(rest->deployments[0].fallback.model == NULL);
    CHECK_EQ(rest->deployments[0].challenger_count, 1);
    CHECK_STR(rest->deployments[0].challengers[0].model->model, "third");
    ax_auto(ax_plan_free) struct ax_plan *as_it_was =
        write(ctx, at, &(struct ax_plan_document){.revision = 1, .as_approved = true}, &status);
    REQUIRE(as_it_was != NULL && as_it_was->deployment_count == 1);
    CHECK_EQ(as_it_was->deployments[0].challenger_count, 2);
    directory_case_script(ctx, &at->base,
                          "update model_versions set state = 'retired' where model = 'credit'");
    ax_auto(ax_plan_free) struct ax_plan *none =
        write(ctx, at, &(struct ax_plan_document){.revision = 1, .drop_unservable = true}, &status);
    CHECK(none != NULL && none->deployment_count == 0);
}

TEST(r1_r25_a_member_that_may_not_serve_is_left_out_and_a_champion_takes_all_with_it)
{
    mlops_case_run(unservable);
}

static void
refused(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const struct {
        const char *change;
        ax_status want;
        const char *words;
    } cases[] = {
        {"{}", AX_INVALID, "deployment new: `champion`"},
        {"{\"champion\":{\"model\":\"credit\",\"version\":2}}", AX_NOT_FOUND,
         "deployment new: no version credit/2"},
        {"{\"champion\":{\"model\":\"nobody\",\"version\":1}}", AX_NOT_FOUND,
         "deployment new: no version nobody/1"},
        {"{\"champion\":{\"model\":\"credit\",\"version\":1}}", AX_INVALID,
         "deployment new: `policy`"},
        {"{\"champion\":{\"model\":\"credit\",\"version\":1},"
         "\"policy\":{\"name\":\"q\",\"version\":1}}",
         AX_NOT_FOUND, "deployment new: no policy q/1"},
        {"{\"champion\":{\"model\":\"credit\",\"version\":1},\"fallback\":{\"model\":7},"
         "\"policy\":{\"name\":\"p\",\"version\":1}}",
         AX_INVALID, "deployment new: `model`"},
    };
    prepare(ctx, at);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_status status = AX_OK;
        const struct ax_plan_document document = {
            .one = {AX_STR("new"), 1, directory_case_json(ctx, cases[i].change)}, .revision = 1};
        CHECK(write(ctx, at, &document, &status) == NULL);
        if (status != cases[i].want || strstr(ctx->error, cases[i].words) != ctx->error)
            ax_test_failed(__FILE__, __LINE__, "%s: %s, %s", cases[i].change,
                           ax_status_name(status), ctx->error);
    }
    CHECK(!ax_file_exists(mlops_case_path(at, "plan/plan.json")));
}

TEST(a_plan_that_names_what_is_not_there_says_what_and_is_not_written)
{
    mlops_case_run(refused);
}

/* The digest in the records of a deployment leads back to its revision, whatever was left out. */
static void
found(struct ax_ctx *ctx, struct mlops_case *at)
{
    static const char *const retired[] = {"", "second", "third", "second', 'third"};
    prepare(ctx, at);
    deploy(ctx, at, "loans", 1, whole);
    deploy(ctx, at, "loans", 2, "\"champion\":{\"model\":\"third\",\"version\":1}");
    for (size_t i = 0; i < AX_COUNT_OF(retired); i++) {
        ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
        struct ax_plan_document_deployment out = {};
        ax_status status;
        char sql[256];
        snprintf(sql, sizeof sql,
                 "update model_versions set state = case when model in ('%s') then 'retired' else "
                 "'approved' end",
                 retired[i]);
        directory_case_script(ctx, &at->base, sql);
        const struct ax_plan_document document = {
            .one = {AX_STR("loans"), 1,
                    directory_case_json(
                        ctx, ax_str_printf(ctx->arena,
                                           "{%s,\"policy\":{\"name\":\"p\",\"version\":1},"
                                           "\"tier\":2}",
                                           whole)
                                 .at)},
            .revision = 1,
            .drop_unservable = true,
        };
        ax_auto(ax_plan_free) struct ax_plan *plan = write(ctx, at, &document, &status);
        REQUIRE(plan != NULL && plan->deployment_count == 1);
        CHECK_EQ(ax_store_begin(at->base.store, ctx, AX_STORE_READ, &tx), AX_OK);
        status = ax_plan_document_find(ctx, tx, AX_STR("loans"), plan->deployments[0].config_digest,
                                       &out);
        if (status != AX_OK || out.revision != 1)
            ax_test_failed(__FILE__, __LINE__, "without '%s': %s", retired[i], ctx->error);
        CHECK_EQ(ax_plan_document_find(ctx, tx, AX_STR("cars"), plan->deployments[0].config_digest,
                                       &out),
                 AX_NOT_FOUND);
        CHECK(strcmp(ctx->error, "no revision of deployment cars has that digest") == 0);
    }
}

TEST(r58_a_decision_leads_back_to_its_deployment_though_members_were_left_out)
{
    mlops_case_run(found);
}

static ax_status
write_swept(struct ax_ctx *ctx, struct mlops_case *at, int step)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    ax_str folder = ax_str_printf(ctx->arena, "%s/plan-%d", at->base.folder, step);
    if (!folder.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    AX_TRY(ax_store_begin(at->base.store, ctx, AX_STORE_READ, &tx));
    const struct ax_plan_document document = {
        .store_tx = tx, .registry = at->registry, .revision = 1, .drop_unservable = true};
    return ax_plan_document_write(ctx, &document, folder);
}

static void
after_write(struct ax_ctx *ctx, struct mlops_case *at, int step, ax_status status)
{
    ax_auto(ax_plan_free) struct ax_plan *plan = NULL;
    ax_str folder = ax_str_printf(ctx->arena, "%s/plan-%d", at->base.folder, step);
    bool there = ax_file_exists(ax_path_join(ctx->arena, folder, AX_STR("plan.json")));
    CHECK(there || status != AX_OK);
    if (there) { /* every part of it is there too */
        CHECK_EQ(ax_plan_load(ctx, &(struct ax_plan_source){.folder = folder}, &plan), AX_OK);
        CHECK(plan && plan->deployment_count == 2 && plan->model_count == 3);
    }
    CHECK_EQ(ax_file_remove_tree(ctx, folder), AX_OK);
}

static void
sweep_write(struct ax_ctx *ctx, struct mlops_case *at)
{
    prepare(ctx, at);
    deploy(ctx, at, "loans", 1, whole);
    deploy(ctx, at, "cars", 1, "\"champion\":{\"model\":\"second\",\"version\":1}");
    mlops_case_sweep(at, write_swept, after_write);
}

TEST(plan_json_appears_after_its_bundles_under_every_fault)
{
    mlops_case_run(sweep_write);
}
