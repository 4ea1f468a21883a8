#include "mlops/tracking_import.h"

#include "mlops/registered_version.h"
#include "sys/file.h"
#include "tracking_case.h"

/* MLflow's tables, as far as they are read, with a little of everything. */
static const char schema[] =
    "create table experiments (experiment_id integer primary key, name text, artifact_location "
    "text, lifecycle_stage text, creation_time bigint, last_update_time bigint);"
    "create table experiment_tags (key text, value text, experiment_id integer);"
    "create table runs (run_uuid text, name text, user_id text, status text, start_time bigint, "
    "end_time bigint, lifecycle_stage text, experiment_id integer);"
    "create table metrics (key text, value double precision, timestamp bigint, run_uuid text, step "
    "bigint, is_nan boolean);"
    "create table params (key text, value text, run_uuid text);"
    "create table tags (key text, value text, run_uuid text);"
    "create table datasets (dataset_uuid text, name text, digest text, dataset_source_type text, "
    "dataset_source text, dataset_schema text, dataset_profile text);"
    "create table inputs (input_uuid text, source_type text, source_id text, destination_type "
    "text, destination_id text, step bigint);"
    "create table input_tags (input_uuid text, name text, value text);"
    "create table registered_models (name text, description text);"
    "create table registered_model_tags (name text, key text, value text);"
    "create table registered_model_aliases (name text, alias text, version integer);"
    "create table model_versions (name text, version integer, description text, current_stage "
    "text, source text, run_id text, run_link text);"
    "create table model_version_tags (name text, version integer, key text, value text);";
static const char content[] =
    "insert into experiments values (0, 'Default', 'mlflow-artifacts:/0', 'active', 1000, 1000), "
    "(7, 'risk', 's3://bucket/7', 'active', 5000, 5000), (9, 'gone', 's3://b/9', 'deleted', 1, 1);"
    "insert into experiment_tags values ('team', 'a', 7);"
    "insert into runs values ('aaaa', 'one', 'me', 'FINISHED', 1000, 2000, 'active', 7), ('bbbb', "
    "'two', 'me', 'FAILED', 3000, null, 'deleted', 7), ('cccc', 'three', 'me', 'RUNNING', 1, null, "
    "'deleted', 9);"
    "insert into metrics values ('loss', 0.5, 1, 'aaaa', 0, false), ('loss', 0.25, 2, 'aaaa', 1, "
    "false), ('odd', 0, 3, 'aaaa', 0, true), ('loss', 1, 1, 'bbbb', 0, false);"
    "insert into params values ('depth', '3', 'aaaa');"
    "insert into tags values ('mlflow.runName', 'one', 'aaaa'), ('k', 'v', 'aaaa');"
    "insert into datasets values ('d1', 'train', 'abc', 'local', '{}', null, '{}');"
    "insert into inputs values ('i1', 'DATASET', 'd1', 'RUN', 'aaaa', 0);"
    "insert into input_tags values ('i1', 'mlflow.data.context', 'training');"
    "insert into registered_models values ('credit', 'words');"
    "insert into registered_model_tags values ('credit', 'x', 'y');"
    "insert into model_versions values ('credit', 2, '', 'Staging', 's3://bucket/m', 'aaaa', "
    "null), "
    "('credit', 5, '', 'None', 's3://bucket/m', 'aaaa', null);"
    "insert into model_version_tags values ('credit', 5, 'a', 'b');"
    "insert into registered_model_aliases values ('credit', 'best', 5);";

static ax_status
import(struct ax_ctx *ctx, struct tracking_case *at, struct ax_store *source,
       struct ax_tracking_import_counts *out)
{
    const struct ax_tracking_import config = {
        .source = source,
        .experiments = at->experiments,
        .registry = at->registry,
        .artifacts = at->artifacts,
        .folder = AX_STR(""),
        .checkpoint = ax_str_printf(at->arena, "%s/import", at->base.folder)};
    return ax_tracking_import(&config, ctx, out);
}

static void
moving(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_auto(ax_store_close) struct ax_store *source = tracking_case_beside(ctx, at, "mlflow.db");
    tracking_case_script(ctx, source, schema);
    tracking_case_script(ctx, source, content);
    for (int i = 0; i < 2; i++) { /* the second time changes nothing */
        struct ax_tracking_import_counts counts = {};
        CHECK_EQ(import(ctx, at, source, &counts), AX_OK);
        CHECK_EQ(counts.experiments, 3);
        CHECK_EQ(counts.runs, 3);
        CHECK_EQ(counts.metrics, 4);
        CHECK_EQ(counts.versions, 2);
        CHECK_EQ(counts.aliases, 1);
        CHECK_EQ(counts.runs_checked, 3);
        CHECK_EQ(counts.differences, 0);
        CHECK_EQ(counts.problems, 1); /* nobody said where the files of Default are */
        CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from runs"), 3);
    }
    CHECK_EQ(tracking_case_count(ctx, at,
                                 "select count(*) from runs where id = 'bbbb' and status = "
                                 "'FAILED' and lifecycle_stage = 'deleted'"),
             1);
    CHECK_EQ(tracking_case_count(ctx, at,
                                 "select count(*) from experiments where id = '7' and name = "
                                 "'risk' and artifact_location = 's3://bucket/7' and created_ns = "
                                 "5000000000"),
             1);
    CHECK_EQ(tracking_case_count(ctx, at,
                                 "select count(*) from experiments where lifecycle_stage = "
                                 "'deleted'"),
             1);
    CHECK_EQ(
        tracking_case_count(ctx, at, "select count(*) from model_versions where version in (2, 5)"),
        2);
    CHECK_EQ(tracking_case_count(ctx, at, "select last_version from models"), 5);
    TRACKING_CASE_SHOWN(shown);
    CHECK_EQ(ax_run_show(at->experiments, ctx, AX_STR("aaaa"), &shown.json), AX_OK);
    CHECK(tracking_case_says(&shown, "\"value\":\"NaN\""));
    CHECK(tracking_case_says(&shown, "\"name\":\"train\""));
    CHECK(tracking_case_says(&shown, "\"end_time\":2000"));
}

TEST(an_mlflow_database_is_moved_and_moved_again)
{
    tracking_case_run(moving);
}

static void
refusing(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_auto(ax_store_close) struct ax_store *source = tracking_case_beside(ctx, at, "mlflow.db");
    struct ax_tracking_import_counts counts = {};
    ax_str id = AX_STR("");
    CHECK_EQ(import(ctx, at, source, &counts), AX_UNSUPPORTED);
    CHECK(tracking_case_fails(ctx, "no MLflow database"));
    tracking_case_script(ctx, source, schema);
    tracking_case_script(ctx, source, content);
    const struct ax_experiment_new other = {
        .name = AX_STR("other"), .artifact_location = AX_STR(""), .id = AX_STR("7")};
    CHECK_EQ(ax_experiment_create(at->experiments, ctx, &other, &id), AX_OK);
    CHECK_EQ(import(ctx, at, source, &counts), AX_CONFLICT);
    CHECK(tracking_case_fails(ctx, "nobody has tracked in"));
}

TEST(what_is_there_already_is_not_mixed_with_an_import)
{
    tracking_case_run(refusing);
}
