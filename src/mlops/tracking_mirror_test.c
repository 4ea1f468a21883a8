#include "mlops/tracking_mirror.h"

#include <math.h>

#include "mlops/experiment_model.h"
#include "mlops/tracking_source_own.h"
#include "tracking_case.h"

static struct ax_store *
open_mirror(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_store *store = tracking_case_beside(ctx, at, "mirror.db");
    CHECK_EQ(ax_tracking_mirror_tables(ctx, store), AX_OK);
    return store;
}

static int64_t
count(struct ax_ctx *ctx, struct ax_store *store, const char *sql)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t value = -1;
    CHECK_EQ(ax_store_begin(store, ctx, AX_STORE_READ, &tx), AX_OK);
    CHECK_EQ(ax_store_get_i64(tx, ctx, ax_str_of(sql), AX_STORE_NO_PARAMS, &value), AX_OK);
    return value;
}

/* A run with what a run may have, a deleted one, a logged model, a version with an alias. */
static void
fill(struct ax_ctx *ctx, struct tracking_case *at)
{
    TRACKING_CASE_SHOWN(shown);
    static const struct ax_experiment_pair pair = {{"k", 1}, {"v", 1}};
    const struct ax_experiment_pairs pairs = {&pair, 1};
    const struct ax_run_batch batch = {.params = pairs, .tags = pairs};
    const struct ax_run_dataset dataset = {.name = AX_STR("train"),
                                           .digest = AX_STR("abc"),
                                           .source_type = AX_STR("local"),
                                           .source = AX_STR("{}"),
                                           .tags = pairs};
    const struct ax_run_inputs inputs = {.datasets = &dataset, .dataset_count = 1};
    const struct ax_experiment_model_new logged = {.id = AX_STR("m-1"),
                                                   .experiment_id = AX_STR("0"),
                                                   .name = AX_STR("lr"),
                                                   .model_type = AX_STR(""),
                                                   .source_run_id = AX_STR(""),
                                                   .params = pairs};
    const struct ax_registered_model_new model = {
        .name = AX_STR("credit"), .description = AX_STR("words"), .tags = pairs};
    const struct ax_registered_version_new version = {.model = AX_STR("credit"),
                                                      .source = AX_STR("s3://bucket/m"),
                                                      .description = AX_STR(""),
                                                      .run_id = AX_STR(""),
                                                      .run_link = AX_STR(""),
                                                      .logged_model_id = AX_STR("")};
    ax_str run = tracking_case_make_run(ctx, at, "one"), gone;
    CHECK_EQ(ax_experiment_model_create(at->experiments, ctx, &logged, &shown.json), AX_OK);
    CHECK_EQ(ax_run_log(at->experiments, ctx, run, &batch), AX_OK);
    CHECK_EQ(ax_run_log_inputs(at->experiments, ctx, run, &inputs), AX_OK);
    for (int step = 0; step < 5; step++)
        CHECK_EQ(tracking_case_log(ctx, at, run, "loss",
                                   (struct ax_metric){.value = step / 8.0, .step = step}),
                 AX_OK);
    CHECK_EQ(tracking_case_log(ctx, at, run, "odd",
                               (struct ax_metric){.value = (double)NAN, .model_id = AX_STR("m-1")}),
             AX_OK);
    gone = tracking_case_make_run(ctx, at, "gone");
    CHECK_EQ(ax_run_delete(at->experiments, ctx, gone), AX_OK);
    CHECK_EQ(ax_registered_model_create(at->registry, ctx, &model, &shown.json), AX_OK);
    CHECK_EQ(ax_registered_version_create(at->registry, ctx, &version, &shown.json), AX_OK);
    CHECK_EQ(ax_registered_model_set_alias(at->registry, ctx, AX_STR("credit"), AX_STR("best"), 1),
             AX_OK);
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR("0/r/artifacts/a/b"), AX_STR("hello")),
             AX_OK);
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, AX_STR("0/r/artifacts/c"), AX_STR("")), AX_OK);
}

/* Where files went: their paths, each with a ',' behind. */
struct put {
    char paths[256];
};

static ax_status
mirror_has_file(void *arg, struct ax_ctx *ctx, ax_str path, int64_t bytes, bool *out)
{
    struct put *put = arg;
    (void)ctx;
    (void)bytes;
    *out = ax_str_find(ax_str_of(put->paths), path) != SIZE_MAX;
    return AX_OK;
}

static ax_status
mirror_put_file(void *arg, struct ax_ctx *ctx, ax_str path, ax_str from)
{
    struct put *put = arg;
    size_t used = strlen(put->paths);
    ax_str bytes;
    AX_TRY(ax_file_read_all(ctx, from, 100, &bytes));
    snprintf(put->paths + used, sizeof put->paths - used, "%.*s=%.*s,", AX_FMT(path),
             AX_FMT(bytes));
    return AX_OK;
}

static struct ax_tracking_mirror
config_of(struct tracking_case *at, struct ax_tracking_source *source, struct ax_store *store,
          struct put *put)
{
    return (struct ax_tracking_mirror){.source = source,
                                       .to = store,
                                       .has_file = mirror_has_file,
                                       .put_file = mirror_put_file,
                                       .scratch =
                                           ax_str_printf(at->arena, "%s/scratch", at->base.folder),
                                       .files = put};
}

static void
mirrored(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_auto(ax_store_close) struct ax_store *store = open_mirror(ctx, at);
    struct ax_tracking_source_own own;
    struct put put = {};
    ax_tracking_source_own_init(&own, at->experiments, at->registry, at->artifacts);
    fill(ctx, at);
    const struct ax_tracking_mirror config = config_of(at, &own.base, store, &put);
    for (int again = 0; again < 2; again++) { /* the second time changes nothing */
        struct ax_tracking_import_counts counts;
        CHECK_EQ(ax_tracking_mirror(&config, ctx, &counts), AX_OK);
        CHECK_EQ(counts.runs, again ? 0 : 2);
        CHECK_EQ(counts.runs_skipped, again ? 2 : 0);
        CHECK_EQ(counts.runs_checked, 2);
        CHECK_EQ(counts.metrics, again ? 0 : 6);
        CHECK_EQ(counts.differences, 0);
        CHECK_EQ(counts.problems, 0);
        CHECK_EQ(counts.files, 2);
        CHECK_EQ(counts.file_bytes, 5);
        CHECK_EQ(count(ctx, store, "select count(*) from metrics"), 6);
    }
    CHECK_STR(ax_str_of(put.paths), "0/r/artifacts/c=,0/r/artifacts/a/b=hello,");
    static const char *const rows[] = {
        "select count(*) from latest_metrics where key = 'loss' and value = 0.5 and step = 4",
        "select count(*) from latest_metrics where key = 'odd' and is_nan and value = 0",
        "select count(*) from runs where lifecycle_stage = 'deleted' and deleted_time > 0",
        "select count(*) from inputs join datasets on dataset_uuid = source_id and name = 'train'",
        "select count(*) from input_tags where name = 'k' and value = 'v'",
        "select count(*) from logged_models where model_id = 'm-1' and status = 1",
        "select count(*) from logged_model_params",
        "select count(*) from logged_model_metrics where metric_value is null",
        "select count(*) from registered_models where name = 'credit' and description = 'words'",
        "select count(*) from registered_model_tags",
        "select count(*) from registered_model_aliases where alias = 'best' and version = 1",
        "select count(*) from model_versions where storage_location = 's3://bucket/m'",
    };
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++)
        CHECK_EQ(count(ctx, store, rows[i]), 1);
}

TEST(a_source_is_copied_into_the_tables_of_mlflow_and_copied_again)
{
    tracking_case_run(mirrored);
}

static void
differing(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_auto(ax_store_close) struct ax_store *store = open_mirror(ctx, at);
    struct ax_tracking_import_counts counts;
    struct ax_tracking_source_own own;
    struct put put = {};
    ax_tracking_source_own_init(&own, at->experiments, at->registry, at->artifacts);
    ax_str run = tracking_case_make_run(ctx, at, "one");
    const struct ax_tracking_mirror config = config_of(at, &own.base, store, &put);
    CHECK_EQ(ax_tracking_mirror(&config, ctx, &counts), AX_OK);
    CHECK_EQ(counts.differences, 0);
    CHECK_EQ(tracking_case_log(ctx, at, run, "loss", (struct ax_metric){.value = 1}), AX_OK);
    CHECK_EQ(ax_tracking_mirror(&config, ctx, &counts), AX_OK);
    CHECK_EQ(counts.differences, 1); /* it was written to after it had been copied */
    CHECK_EQ(counts.problems, 1);
}

TEST(what_was_written_to_meanwhile_is_noticed)
{
    tracking_case_run(differing);
}

/* What is swept: copies into a database that nobody else has filled. */
static struct ax_store *swept;

static ax_status
mirror_once(struct ax_ctx *ctx, struct tracking_case *at, int run)
{
    struct ax_tracking_import_counts counts;
    struct ax_tracking_source_own own;
    struct put put = {};
    (void)run;
    ax_tracking_source_own_init(&own, at->experiments, at->registry, at->artifacts);
    const struct ax_tracking_mirror config = config_of(at, &own.base, swept, &put);
    AX_TRY(ax_tracking_mirror(&config, ctx, &counts));
    return counts.problems || counts.differences ? AX_CORRUPT : AX_OK;
}

/* Whatever happened, the tables can be filled again, and each run is whole or not there. */
static void
mirror_after(struct ax_ctx *ctx, struct tracking_case *at, int run, ax_status status)
{
    (void)at;
    (void)run;
    int64_t runs = count(ctx, swept, "select count(*) from runs");
    CHECK(status != AX_OK || runs == 2);
    CHECK_EQ(count(ctx, swept, "select count(*) from runs where name = 'one'"),
             count(ctx, swept, "select count(*) from params"));
    tracking_case_script(ctx, swept,
                         "delete from runs; delete from metrics; delete from "
                         "latest_metrics; delete from params; delete from tags; "
                         "delete from inputs; delete from input_tags;");
}

static void
sweeping(struct ax_ctx *ctx, struct tracking_case *at)
{
    swept = open_mirror(ctx, at);
    fill(ctx, at);
    tracking_case_sweep(at, mirror_once, mirror_after);
    ax_store_close(ax_take(swept));
}

TEST(a_copy_that_fails_leaves_whole_runs_or_none)
{
    tracking_case_run(sweeping);
}

static void
unused(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_auto(ax_store_close) struct ax_store *store = open_mirror(ctx, at);
    CHECK_EQ(ax_tracking_mirror_check_unused(ctx, store), AX_UNSUPPORTED);
    CHECK(tracking_case_fails(ctx, "MLflow has made no tables"));
    tracking_case_script(
        ctx, store,
        "create table alembic_version (v text); insert into alembic_version values ('a'); "
        "create table trace_info (id text); insert into experiments (experiment_id, name) "
        "values (0, 'Default');");
    CHECK_EQ(ax_tracking_mirror_check_unused(ctx, store), AX_OK);
    tracking_case_script(ctx, store, "insert into trace_info values ('t');");
    CHECK_EQ(ax_tracking_mirror_check_unused(ctx, store), AX_CONFLICT);
    CHECK(tracking_case_fails(ctx, "it holds 1 traces"));
}

TEST(only_what_mlflow_made_and_nobody_used_takes_a_copy)
{
    tracking_case_run(unused);
}
