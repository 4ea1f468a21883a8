#include "mlops/experiment_run.h"

#include "tracking_case.h"

static ax_status
create(struct ax_ctx *ctx, struct tracking_case *at, const char *experiment, const char *name,
       const char *tagged, struct ax_json_writer *out)
{
    const struct ax_experiment_pair tag = {AX_STR("mlflow.runName"), ax_str_of(tagged)};
    const struct ax_run_new made = {.experiment_id = ax_str_of(experiment),
                                    .user_id = AX_STR("u"),
                                    .name = ax_str_of(name),
                                    .tags = {&tag, tagged[0] ? 1 : 0}};
    return ax_run_create(at->experiments, ctx, &made, out);
}

static void
making(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const struct {
        const char *experiment, *name, *tagged;
        ax_status want;
        const char *says;
    } cases[] = {
        {"0", "a", "", AX_OK, "\"run_name\":\"a\""},
        {"", "", "b", AX_OK, "\"run_name\":\"b\""},
        {"0", "c", "c", AX_OK, "\"run_name\":\"c\""},
        {"0", "", "", AX_OK, "\"status\":\"RUNNING\""},
        {"0", "c", "d", AX_INVALID, "Both 'run_name' argument and 'mlflow.runName' tag"},
        {"9", "c", "", AX_NOT_FOUND, "No Experiment with id=9 exists"},
        {"x", "c", "", AX_INVALID, "Invalid experiment ID 'x'"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        TRACKING_CASE_SHOWN(shown);
        ax_status status =
            create(ctx, at, cases[i].experiment, cases[i].name, cases[i].tagged, &shown.json);
        bool says = status == AX_OK ? tracking_case_says(&shown, cases[i].says)
                                    : tracking_case_fails(ctx, cases[i].says);
        if (status != cases[i].want || !says)
            ax_test_failed(__FILE__, __LINE__, "case %zu: %s", i, ax_status_name(status));
    }
    CHECK_EQ(tracking_case_count(ctx, at,
                                 "select count(*) from runs r join run_tags t on t.run_key = r.key "
                                 "and t.key = 'mlflow.runName' and t.value = r.name"),
             4);
}

TEST(runs_are_made_with_a_name)
{
    tracking_case_run(making);
}

static void
params(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_str run = tracking_case_make_run(ctx, at, "r");
    static const struct ax_experiment_pair pairs[] = {
        {{"p", 1}, {"1", 1}}, {{"p", 1}, {"2", 1}}, {{"q", 1}, {"", 0}}, {{"a#", 2}, {"1", 1}}};
    const struct ax_run_batch first = {.params = {&pairs[0], 1}},
                              other = {.params = {&pairs[1], 1}},
                              twice = {.params = {pairs, 2}, .tags = {&pairs[2], 0}},
                              empty = {.params = {&pairs[2], 1}}, bad = {.params = {&pairs[3], 1}};
    CHECK_EQ(ax_run_log(at->experiments, ctx, run, &first), AX_OK);
    CHECK_EQ(ax_run_log(at->experiments, ctx, run, &first), AX_OK);
    CHECK_EQ(ax_run_log(at->experiments, ctx, run, &other), AX_INVALID);
    CHECK(tracking_case_fails(ctx, "Param with key='p' was already logged with value='1'"));
    CHECK_EQ(ax_run_log(at->experiments, ctx, run, &twice), AX_INVALID);
    CHECK(tracking_case_fails(ctx, "Duplicate parameter keys have been submitted: ['p']"));
    CHECK_EQ(ax_run_log(at->experiments, ctx, run, &empty), AX_OK);
    CHECK_EQ(ax_run_log(at->experiments, ctx, run, &bad), AX_INVALID);
    /* a batch with one wrong parameter leaves nothing of the others */
    static const struct ax_experiment_pair mixed[] = {{{"new", 3}, {"1", 1}}, {{"p", 1}, {"9", 1}}};
    const struct ax_run_batch batch = {.params = {mixed, 2}, .metrics = {NULL, 0}};
    CHECK_EQ(ax_run_log(at->experiments, ctx, run, &batch), AX_INVALID);
    CHECK(tracking_case_fails(ctx, "Params were already logged='[{'key': 'p'"));
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from run_params"), 2);
    CHECK_EQ(ax_run_log(at->experiments, ctx, AX_STR("nobody"), &first), AX_NOT_FOUND);
    CHECK(tracking_case_fails(ctx, "Run with id=nobody not found"));
}

TEST(a_parameter_is_said_once)
{
    tracking_case_run(params);
}

static void
limits(struct ax_ctx *ctx, struct tracking_case *at)
{
    static struct ax_metric metrics[1001];
    static struct ax_experiment_pair pairs[101];
    static char names[1001][8], long_value[9001];
    ax_str run = tracking_case_make_run(ctx, at, "r");
    for (int i = 0; i < 1001; i++) {
        snprintf(names[i], sizeof names[i], "k%d", i);
        metrics[i] = (struct ax_metric){.key = ax_str_of(names[i])};
        if (i < 101)
            pairs[i] = (struct ax_experiment_pair){ax_str_of(names[i]), AX_STR("v")};
    }
    const struct {
        struct ax_run_batch batch;
        const char *says;
    } cases[] = {
        {{.metrics = {metrics, 1001}}, "at most 1000 metrics. Got 1001 metrics."},
        {{.params = {pairs, 101}}, "at most 100 params. Got 101 params."},
        {{.tags = {pairs, 101}}, "at most 100 tags. Got 101 tags."},
        {{.metrics = {metrics, 950}, .tags = {pairs, 51}},
         "at most 1000 metrics, params, and tags"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(ax_run_log(at->experiments, ctx, run, &cases[i].batch), AX_INVALID);
        CHECK(tracking_case_fails(ctx, cases[i].says));
    }
    memset(long_value, 'x', 9000);
    const struct ax_experiment_pair tall = {AX_STR("t"), ax_str_of(long_value)};
    const struct ax_run_batch cut = {.params = {&tall, 1}, .tags = {&tall, 1}};
    CHECK_EQ(ax_run_log(at->experiments, ctx, run, &cut), AX_OK);
    CHECK_EQ(ax_run_log(at->experiments, ctx, run, &cut), AX_OK); /* cut to the same again */
    CHECK_EQ(tracking_case_count(ctx, at, "select length(value) from run_params"), 6000);
    CHECK_EQ(tracking_case_count(ctx, at, "select length(value) from run_tags where key = 't'"),
             8000);
}

TEST(batches_have_limits_and_long_values_are_cut)
{
    tracking_case_run(limits);
}

static void
life(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_experiments *experiments = at->experiments;
    ax_str run = tracking_case_make_run(ctx, at, "r");
    const struct ax_run_change change = {
        .status = AX_STR("FINISHED"), .ends = true, .end_ms = 7, .name = AX_STR("other")};
    const struct ax_experiment_pair tag = {AX_STR("mlflow.runName"), AX_STR("third")};
    const struct ax_run_batch tags = {.tags = {&tag, 1}};
    {
        TRACKING_CASE_SHOWN(shown);
        CHECK_EQ(ax_run_update(experiments, ctx, run, &change, &shown.json), AX_OK);
        CHECK(tracking_case_says(&shown, "\"status\":\"FINISHED\",\"start_time\":1000,"
                                         "\"end_time\":7"));
        CHECK(tracking_case_says(&shown, "\"run_name\":\"other\""));
    }
    CHECK_EQ(ax_run_log(experiments, ctx, run, &tags), AX_OK);
    CHECK_EQ(ax_run_delete_tag(experiments, ctx, run, AX_STR("none")), AX_NOT_FOUND);
    CHECK(tracking_case_fails(ctx, "No tag with name: none in run with id"));
    CHECK_EQ(ax_run_delete(experiments, ctx, run), AX_OK);
    CHECK_EQ(ax_run_delete(experiments, ctx, run), AX_OK);
    CHECK_EQ(ax_run_log(experiments, ctx, run, &tags), AX_INVALID);
    CHECK(tracking_case_fails(ctx, "must be in the 'active' state. Current state is deleted."));
    {
        TRACKING_CASE_SHOWN(shown);
        CHECK_EQ(ax_run_update(experiments, ctx, run, &change, &shown.json), AX_INVALID);
        CHECK_EQ(ax_run_show(experiments, ctx, run, &shown.json), AX_OK);
        CHECK(tracking_case_says(&shown, "\"run_name\":\"third\""));
        CHECK(tracking_case_says(&shown, "\"lifecycle_stage\":\"deleted\""));
    }
    CHECK_EQ(ax_run_restore(experiments, ctx, run), AX_OK);
    CHECK_EQ(ax_run_delete(experiments, ctx, AX_STR("nobody")), AX_NOT_FOUND);
    CHECK_EQ(ax_run_delete_tag(experiments, ctx, run, AX_STR("mlflow.runName")), AX_OK);
    ax_str uri = AX_STR("");
    CHECK_EQ(ax_run_artifact_uri(experiments, ctx, run, &uri), AX_OK);
    CHECK(ax_str_starts(uri, AX_STR("mlflow-artifacts:/0/")) &&
          ax_str_ends(uri, AX_STR("/artifacts")));
}

TEST(runs_are_changed_deleted_and_restored)
{
    tracking_case_run(life);
}

static void
inputs(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_experiments *experiments = at->experiments;
    ax_str run = tracking_case_make_run(ctx, at, "r");
    const struct ax_experiment_pair tag = {AX_STR("mlflow.data.context"), AX_STR("train")};
    const struct ax_run_dataset datasets[] = {{.name = AX_STR("d"),
                                               .digest = AX_STR("1"),
                                               .source_type = AX_STR("s3"),
                                               .source = AX_STR("s3://x"),
                                               .tags = {&tag, 1}},
                                              {.name = AX_STR("d"),
                                               .digest = AX_STR("1"),
                                               .source_type = AX_STR("other"),
                                               .source = AX_STR("y")}};
    static const struct ax_run_model model = {{"m-1", 3}, 4};
    const struct ax_run_inputs all = {datasets, 2, {&model, 1}};
    const struct ax_run_models made = {&model, 1};
    CHECK_EQ(ax_run_log_inputs(experiments, ctx, run, &all), AX_OK);
    CHECK_EQ(ax_run_log_inputs(experiments, ctx, run, &all), AX_OK);
    CHECK_EQ(ax_run_log_outputs(experiments, ctx, run, &made), AX_OK);
    CHECK_EQ(ax_run_log_model(experiments, ctx, run, directory_case_json(ctx, "{\"a\":1}")), AX_OK);
    CHECK_EQ(ax_run_log_model(experiments, ctx, run, directory_case_json(ctx, "{\"a\":2}")), AX_OK);
    TRACKING_CASE_SHOWN(shown);
    CHECK_EQ(ax_run_show(experiments, ctx, run, &shown.json), AX_OK);
    CHECK(tracking_case_says(&shown,
                             "\"inputs\":{\"dataset_inputs\":[{\"tags\":[{\"key\":"
                             "\"mlflow.data.context\",\"value\":\"train\"}],\"dataset\":{\"name\":"
                             "\"d\",\"digest\":\"1\",\"source_type\":\"s3\",\"source\":"
                             "\"s3://x\"}}],\"model_inputs\":[{\"model_id\":\"m-1\"}]}"));
    CHECK(tracking_case_says(&shown, "\"outputs\":{\"model_outputs\":[{\"model_id\":\"m-1\","
                                     "\"step\":4}]}"));
    CHECK(tracking_case_says(&shown, "\"value\":\"[{\\\"a\\\":1},{\\\"a\\\":2}]\""));
    TRACKING_CASE_SHOWN(summaries);
    const ax_str zero = AX_STR("0");
    ax_json_begin_object(&summaries.json);
    CHECK_EQ(ax_runs_datasets(experiments, ctx, &zero, 1, &summaries.json), AX_OK);
    ax_json_end_object(&summaries.json);
    CHECK(tracking_case_says(&summaries, "{\"dataset_summaries\":[{\"experiment_id\":\"0\",\"name\""
                                         ":\"d\",\"digest\":\"1\",\"context\":\"train\"}]}"));
    struct ax_run_dataset tall = datasets[0];
    tall.digest = AX_STR("0123456789012345678901234567890123456");
    const struct ax_run_inputs refused = {&tall, 1, {}};
    CHECK_EQ(ax_run_log_inputs(experiments, ctx, run, &refused), AX_INVALID);
    CHECK(tracking_case_fails(ctx, "'digest' exceeds the maximum length of 36 characters"));
}

TEST(runs_keep_what_went_in_and_came_out)
{
    tracking_case_run(inputs);
}

/* ---- whole or not at all ---- */

static ax_str swept_run;

static ax_status
log_swept(struct ax_ctx *ctx, struct tracking_case *at, int run)
{
    static const struct ax_experiment_pair pairs[] = {{{"p", 1}, {"1", 1}}, {{"q", 1}, {"2", 1}}};
    struct ax_metric metrics[3];
    for (int i = 0; i < 3; i++)
        metrics[i] = (struct ax_metric){.key = i ? AX_STR("b") : AX_STR("a"), .step = run * 10 + i};
    const struct ax_run_batch batch = {
        .metrics = {metrics, 3}, .params = {pairs, 2}, .tags = {pairs, 2}};
    return ax_run_log(at->experiments, ctx, swept_run, &batch);
}

static void
log_after(struct ax_ctx *ctx, struct tracking_case *at, int run, ax_status status)
{
    char sql[128];
    snprintf(sql, sizeof sql, "select count(*) from metric_points where step / 10 = %d", run);
    int64_t kept = tracking_case_count(ctx, at, sql);
    CHECK(kept == 0 || kept == 3);
    if (status == AX_OK)
        CHECK_EQ(kept, 3);
    int64_t params = tracking_case_count(ctx, at, "select count(*) from run_params");
    CHECK(params == 0 || params == 2);
    if (kept == 0)
        return;
    CHECK_EQ(log_swept(ctx, at, run), AX_OK); /* a client that heard nothing says it again */
    CHECK_EQ(tracking_case_count(ctx, at, sql), 3);
}

static void
sweep(struct ax_ctx *ctx, struct tracking_case *at)
{
    swept_run = tracking_case_make_run(ctx, at, "r");
    tracking_case_sweep(at, log_swept, log_after);
}

TEST(a_batch_is_there_whole_or_not_at_all)
{
    tracking_case_run(sweep);
}

static ax_status
rest_swept(struct ax_ctx *ctx, struct tracking_case *at, int run)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_run_new made = {
        .experiment_id = AX_STR("0"), .user_id = AX_STR(""), .name = AX_STR("n"), .start_ms = run};
    const struct ax_run_dataset dataset = {.name = AX_STR("d"),
                                           .digest = AX_STR("1"),
                                           .source_type = AX_STR("s"),
                                           .source = AX_STR("s")};
    const struct ax_run_inputs inputs_of = {&dataset, 1, {}};
    const struct ax_run_change change = {.status = AX_STR("FAILED"), .name = AX_STR("")};
    AX_TRY(ax_run_create(at->experiments, ctx, &made, &json));
    AX_TRY(ax_run_log_inputs(at->experiments, ctx, swept_run, &inputs_of));
    AX_TRY(ax_run_update(at->experiments, ctx, swept_run, &change, &json));
    AX_TRY(ax_run_show(at->experiments, ctx, swept_run, &json));
    return text.status != AX_OK ? ax_fail(ctx, text.status, "no memory") : AX_OK;
}

static void
rest_after(struct ax_ctx *ctx, struct tracking_case *at, int run, ax_status status)
{
    (void)run;
    (void)status;
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from runs"),
             tracking_case_count(ctx, at, "select count(*) from run_tags"));
}

static void
sweep_rest(struct ax_ctx *ctx, struct tracking_case *at)
{
    swept_run = tracking_case_make_run(ctx, at, "r");
    tracking_case_sweep(at, rest_swept, rest_after);
}

TEST(a_run_is_made_whole_or_not_at_all)
{
    tracking_case_run(sweep_rest);
}
