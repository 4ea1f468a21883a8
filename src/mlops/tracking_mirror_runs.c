/* Runs and logged models of a mirror. */
#include <math.h>

#include "base/number.h"
#include "mlops/tracking_mirror_parts.h"
#include "sys/clock.h"

enum { METRIC_VALUES = 6 };

/* A question asked of each experiment, and each item of the answers taken. */
static ax_status
ask_of_experiments(struct ax_mirror *mirror, struct ax_ctx *ctx, enum ax_tracking_question question,
                   const char *member,
                   ax_status (*one)(void *arg, struct ax_ctx *ctx, const struct ax_json *item))
{
    struct ax_tracking_walk walk = {
        .ask = {.question = question}, .member = member, .one = one, .arg = mirror};
    for (size_t i = 0; i < mirror->places.count; i++) {
        walk.ask.id = mirror->places.items[i].id;
        AX_TRY(ax_tracking_source_walk(mirror->config->source, ctx, &walk));
    }
    return AX_OK;
}

/* ---- one run ---- */

/* A run while it is written, in a transaction of its own. */
struct writing {
    struct ax_mirror *mirror;
    struct ax_store_tx *tx;
    ax_str run_id;
    int64_t experiment;
};

static ax_status
insert_run(struct writing *writing, struct ax_ctx *ctx, const struct ax_json *info)
{
    ax_str name, user, state, stage, uri;
    int64_t start_ms = 0, end_ms = 0;
    AX_TRY(ax_tracking_source_may_text(ctx, info, "run_name", &name));
    AX_TRY(ax_tracking_source_may_text(ctx, info, "user_id", &user));
    AX_TRY(ax_tracking_source_text(ctx, info, "status", &state));
    AX_TRY(ax_tracking_source_text(ctx, info, "lifecycle_stage", &stage));
    AX_TRY(ax_tracking_source_may_text(ctx, info, "artifact_uri", &uri));
    AX_TRY(ax_tracking_source_may_i64(ctx, info, "start_time", &start_ms));
    AX_TRY(ax_tracking_source_may_i64(ctx, info, "end_time", &end_ms));
    AX_TRY(ax_mirror_uri(ctx, uri, &uri));
    bool deleted = ax_str_eq(stage, AX_STR("deleted"));
    return ax_store_run(
        writing->tx, ctx,
        AX_STR("insert into runs (run_uuid, name, source_type, source_name, entry_point_name, "
               "user_id, status, start_time, end_time, source_version, lifecycle_stage, "
               "artifact_uri, experiment_id, deleted_time) values ($1, $2, 'UNKNOWN', '', '', $3, "
               "$4, $5, $6, '', $7, $8, $9, $10)"),
        AX_STORE_PARAMS(ax_store_text(writing->run_id), ax_store_text(name), ax_store_text(user),
                        ax_store_text(state), ax_store_i64(start_ms),
                        end_ms ? ax_store_i64(end_ms) : ax_store_null(), ax_store_text(stage),
                        ax_store_text(uri), ax_store_i64(writing->experiment),
                        deleted ? ax_store_i64(ax_clock_real_ms()) : ax_store_null()),
        NULL);
}

/* A page of a history. */
static ax_status
mirror_points(void *arg, struct ax_ctx *ctx, const struct ax_json *items)
{
    struct writing *writing = arg;
    size_t count = ax_json_count(items), at = 0;
    ax_store_value *values = AX_NEW_ARRAY(ctx->arena, ax_store_value, count * METRIC_VALUES);
    ax_store_params *params = AX_NEW_ARRAY(ctx->arena, ax_store_params, count);
    if (!values || !params)
        return ax_import_no_memory(ctx);
    struct ax_json_iter it = ax_json_iter_of(items);
    for (; ax_json_next(&it); at++) {
        ax_store_value *value = values + at * METRIC_VALUES;
        struct ax_metric point;
        AX_TRY(ax_import_read_point(ctx, it.value, &point));
        value[0] = ax_store_text(point.key);
        value[1] = ax_store_f64(ax_metric_kept(point.value));
        value[2] = ax_store_i64(point.timestamp_ms);
        value[3] = ax_store_text(writing->run_id);
        value[4] = ax_store_i64(point.step);
        value[5] = ax_store_i64(isnan(point.value));
        params[at] = (ax_store_params){value, METRIC_VALUES};
    }
    int64_t inserted;
    AX_TRY(ax_store_run_each(writing->tx, ctx,
                             AX_STR("insert into metrics (key, value, timestamp, run_uuid, step, "
                                    "is_nan) values ($1, $2, $3, $4, $5, case when $6 = 1 then "
                                    "true else false end) on conflict do nothing"),
                             params, count, &inserted));
    writing->mirror->import.counts->metrics += (uint64_t)inserted;
    return AX_OK;
}

static ax_status
put_metrics(struct writing *writing, struct ax_ctx *ctx, const struct ax_json *metrics)
{
    const struct ax_import_histories histories = {writing->run_id, metrics, mirror_points, writing};
    AX_TRY(ax_import_histories(writing->mirror->config->source, ctx, &histories));
    return ax_store_run(
        writing->tx, ctx,
        AX_STR("insert into latest_metrics (key, value, timestamp, step, is_nan, run_uuid) select "
               "key, value, timestamp, step, is_nan, run_uuid from (select *, row_number() over "
               "(partition by key order by step desc, timestamp desc, value desc) as place from "
               "metrics where run_uuid = $1) as placed where place = 1"),
        AX_STORE_PARAMS(ax_store_text(writing->run_id)), NULL);
}

static ax_status
put_dataset(struct writing *writing, struct ax_ctx *ctx, const struct ax_json *input)
{
    const struct ax_json *set = ax_json_find(input, "dataset"), *tags;
    ax_str name, digest, source_type, source, schema, profile, id, input_id;
    char experiment[24];
    AX_TRY(ax_tracking_source_text(ctx, set, "name", &name));
    AX_TRY(ax_tracking_source_text(ctx, set, "digest", &digest));
    AX_TRY(ax_tracking_source_may_text(ctx, set, "source_type", &source_type));
    AX_TRY(ax_tracking_source_may_text(ctx, set, "source", &source));
    AX_TRY(ax_tracking_source_may_text(ctx, set, "schema", &schema));
    AX_TRY(ax_tracking_source_may_text(ctx, set, "profile", &profile));
    AX_TRY(ax_tracking_source_items(ctx, input, "tags", &tags));
    const ax_str whole[] = {{experiment, ax_format_i64(writing->experiment, experiment)},
                            AX_STR("\n"),
                            name,
                            AX_STR("\n"),
                            digest};
    AX_TRY(ax_mirror_id(ctx, whole, AX_COUNT_OF(whole), &id));
    const ax_str of_run[] = {id, writing->run_id};
    AX_TRY(ax_mirror_id(ctx, of_run, AX_COUNT_OF(of_run), &input_id));
    AX_TRY(ax_store_run(
        writing->tx, ctx,
        AX_STR("insert into datasets (dataset_uuid, experiment_id, name, digest, "
               "dataset_source_type, dataset_source, dataset_schema, dataset_profile) values ($1, "
               "$2, $3, $4, $5, $6, $7, $8) on conflict do nothing"),
        AX_STORE_PARAMS(ax_store_text(id), ax_store_i64(writing->experiment), ax_store_text(name),
                        ax_store_text(digest), ax_store_text(source_type), ax_store_text(source),
                        ax_mirror_text(schema), ax_mirror_text(profile)),
        NULL));
    AX_TRY(ax_store_run(
        writing->tx, ctx,
        AX_STR("insert into inputs (input_uuid, source_type, source_id, destination_type, "
               "destination_id) values ($1, 'DATASET', $2, 'RUN', $3) on conflict do nothing"),
        AX_STORE_PARAMS(ax_store_text(input_id), ax_store_text(id), ax_store_text(writing->run_id)),
        NULL));
    const struct ax_mirror_pairs pairs = {
        .sql = "insert into input_tags (name, value, input_uuid) values ($1, $2, $3) on conflict "
               "do nothing",
        .key_name = "key",
        .owner = AX_STORE_PARAMS(ax_store_text(input_id))};
    writing->mirror->import.counts->datasets++;
    return ax_mirror_put_pairs(writing->tx, ctx, &pairs, tags, NULL);
}

/* Logged models that went into a run, or came out of it. */
static ax_status
put_run_models(struct writing *writing, struct ax_ctx *ctx, const struct ax_json *items,
               const char *run_side, const char *model_side)
{
    struct ax_json_iter it = ax_json_iter_of(items);
    while (ax_json_next(&it)) {
        ax_str model, id;
        int64_t step = 0;
        AX_TRY(ax_tracking_source_text(ctx, it.value, "model_id", &model));
        AX_TRY(ax_tracking_source_may_i64(ctx, it.value, "step", &step));
        const ax_str pieces[] = {model, ax_str_of(run_side), writing->run_id};
        AX_TRY(ax_mirror_id(ctx, pieces, AX_COUNT_OF(pieces), &id));
        AX_TRY(ax_store_run(
            writing->tx, ctx,
            AX_STR("insert into inputs (input_uuid, source_type, source_id, destination_type, "
                   "destination_id, step) values ($1, $2, $3, $4, $5, $6) on conflict do nothing"),
            AX_STORE_PARAMS(ax_store_text(id), ax_store_text(ax_str_of(run_side)),
                            ax_store_text(writing->run_id), ax_store_text(ax_str_of(model_side)),
                            ax_store_text(model), ax_store_i64(step)),
            NULL));
    }
    return AX_OK;
}

static ax_status
put_inputs(struct writing *writing, struct ax_ctx *ctx, const struct ax_json *run)
{
    const struct ax_json *in = ax_json_find(run, "inputs"), *out = ax_json_find(run, "outputs");
    const struct ax_json *datasets, *models, *made;
    AX_TRY(ax_tracking_source_items(ctx, in, "dataset_inputs", &datasets));
    AX_TRY(ax_tracking_source_items(ctx, in, "model_inputs", &models));
    AX_TRY(ax_tracking_source_items(ctx, out, "model_outputs", &made));
    struct ax_json_iter it = ax_json_iter_of(datasets);
    while (ax_json_next(&it))
        AX_TRY(put_dataset(writing, ctx, it.value));
    if (!writing->mirror->models)
        return AX_OK;
    AX_TRY(put_run_models(writing, ctx, models, "RUN_INPUT", "MODEL_INPUT"));
    return put_run_models(writing, ctx, made, "RUN_OUTPUT", "MODEL_OUTPUT");
}

static ax_status
put_run(struct writing *writing, struct ax_ctx *ctx, const struct ax_json *run)
{
    const struct ax_json *data = ax_json_find(run, "data"), *metrics, *params, *tags;
    struct ax_tracking_import_counts *counts = writing->mirror->import.counts;
    const ax_store_params owner = AX_STORE_PARAMS(ax_store_text(writing->run_id));
    const struct ax_mirror_pairs as_params = {
        .sql = "insert into params (key, value, run_uuid) values ($1, $2, $3) on conflict do "
               "nothing",
        .key_name = "key",
        .owner = owner};
    const struct ax_mirror_pairs as_tags = {
        .sql = "insert into tags (key, value, run_uuid) values ($1, $2, $3) on conflict do nothing",
        .key_name = "key",
        .owner = owner};
    AX_TRY(ax_tracking_source_items(ctx, data, "metrics", &metrics));
    AX_TRY(ax_tracking_source_items(ctx, data, "params", &params));
    AX_TRY(ax_tracking_source_items(ctx, data, "tags", &tags));
    AX_TRY(insert_run(writing, ctx, ax_json_find(run, "info")));
    AX_TRY(ax_mirror_put_pairs(writing->tx, ctx, &as_params, params, &counts->params));
    AX_TRY(ax_mirror_put_pairs(writing->tx, ctx, &as_tags, tags, &counts->tags));
    AX_TRY(put_metrics(writing, ctx, metrics));
    return put_inputs(writing, ctx, run);
}

static ax_status
write_run(struct ax_mirror *mirror, struct ax_ctx *ctx, ax_str run_id)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    const struct ax_tracking_ask ask = {.question = AX_TRACKING_RUN, .id = run_id};
    const struct ax_json *answer;
    ax_str experiment;
    AX_TRY(ax_tracking_source_ask(mirror->config->source, ctx, &ask, &answer));
    const struct ax_json *run = ax_json_find(answer, "run");
    struct writing writing = {.mirror = mirror, .run_id = run_id};
    AX_TRY(ax_tracking_source_text(ctx, ax_json_find(run, "info"), "experiment_id", &experiment));
    if (!ax_parse_i64(experiment, &writing.experiment))
        return ax_fail(ctx, AX_CORRUPT, "experiment id \"%.*s\" is no whole number",
                       AX_FMT(experiment));
    AX_TRY(ax_store_begin(mirror->config->to, ctx, AX_STORE_WRITE, &tx));
    writing.tx = tx;
    AX_TRY(put_run(&writing, ctx, run));
    return ax_store_commit(ax_take(tx), ctx);
}

static ax_status
mirror_run(void *arg, struct ax_ctx *ctx, const struct ax_json *item)
{
    struct ax_mirror *mirror = arg;
    struct ax_tracking_import_counts *counts = mirror->import.counts;
    struct ax_tracking_import_counts before = *counts;
    ax_str id;
    bool there;
    AX_TRY(ax_tracking_source_text(ctx, ax_json_find(item, "info"), "run_id", &id));
    mirror->runs_listed++;
    AX_TRY(ax_mirror_has(mirror, ctx, "select count(*) from runs where run_uuid = $1",
                         AX_STORE_PARAMS(ax_store_text(id)), &there));
    counts->runs_skipped += there;
    ax_status status = there ? AX_OK : write_run(mirror, ctx, id);
    if (status != AX_OK) {
        *counts = before;
        counts->differences++;
    }
    counts->runs += status == AX_OK && !there;
    ax_import_progress(&mirror->import, "runs read", mirror->runs_listed, 0);
    return ax_import_problem(&mirror->import, ctx, status, id);
}

ax_status
ax_mirror_runs(struct ax_mirror *mirror, struct ax_ctx *ctx)
{
    return ask_of_experiments(mirror, ctx, AX_TRACKING_RUNS, "runs", mirror_run);
}

/* ---- logged models ---- */

struct model {
    ax_str id, name, uri, state, type, run_id, words;
    int64_t experiment, created_ms, updated_ms;
};

static ax_status
read_model(struct ax_ctx *ctx, const struct ax_json *info, struct model *out)
{
    AX_TRY(ax_tracking_source_text(ctx, info, "model_id", &out->id));
    AX_TRY(ax_tracking_source_text(ctx, info, "name", &out->name));
    AX_TRY(ax_tracking_source_may_text(ctx, info, "artifact_uri", &out->uri));
    AX_TRY(ax_tracking_source_may_text(ctx, info, "status", &out->state));
    AX_TRY(ax_tracking_source_may_text(ctx, info, "status_message", &out->words));
    AX_TRY(ax_tracking_source_may_text(ctx, info, "model_type", &out->type));
    AX_TRY(ax_tracking_source_may_text(ctx, info, "source_run_id", &out->run_id));
    AX_TRY(ax_tracking_source_may_i64(ctx, info, "experiment_id", &out->experiment));
    AX_TRY(ax_tracking_source_may_i64(ctx, info, "creation_timestamp_ms", &out->created_ms));
    AX_TRY(ax_tracking_source_may_i64(ctx, info, "last_updated_timestamp_ms", &out->updated_ms));
    return ax_mirror_uri(ctx, out->uri, &out->uri);
}

/* As MLflow numbers it. */
static int64_t
state_number(ax_str state)
{
    return ax_str_eq(state, AX_STR("LOGGED_MODEL_READY"))           ? 2
           : ax_str_eq(state, AX_STR("LOGGED_MODEL_UPLOAD_FAILED")) ? 3
                                                                    : 1;
}

static ax_status
put_model_metric(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct model *model,
                 const struct ax_json *item)
{
    struct ax_metric point;
    ax_str run_id;
    AX_TRY(ax_import_read_point(ctx, item, &point));
    AX_TRY(ax_tracking_source_may_text(ctx, item, "run_id", &run_id));
    return ax_store_run(
        tx, ctx,
        AX_STR("insert into logged_model_metrics (model_id, metric_name, metric_timestamp_ms, "
               "metric_step, metric_value, experiment_id, run_id, dataset_name, dataset_digest, "
               "dataset_uuid) select $1, $2, $3, $4, $5, r.experiment_id, r.run_uuid, $7, $8, "
               "(select dataset_uuid from datasets d where d.experiment_id = r.experiment_id and "
               "d.name = $7 and d.digest = $8) from runs r where r.run_uuid = $6 on conflict do "
               "nothing"),
        AX_STORE_PARAMS(ax_store_text(model->id), ax_store_text(point.key),
                        ax_store_i64(point.timestamp_ms), ax_store_i64(point.step),
                        isnan(point.value) ? ax_store_null() : ax_store_f64(point.value),
                        ax_store_text(run_id), ax_mirror_text(point.dataset_name),
                        ax_mirror_text(point.dataset_digest)),
        NULL);
}

static ax_status
put_model_parts(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct model *model,
                const struct ax_json *item)
{
    const struct ax_json *data = ax_json_find(item, "data"), *params, *tags, *metrics;
    const ax_store_params owner =
        AX_STORE_PARAMS(ax_store_text(model->id), ax_store_i64(model->experiment));
    const struct ax_mirror_pairs as_params = {
        .sql = "insert into logged_model_params (param_key, param_value, model_id, experiment_id) "
               "values ($1, $2, $3, $4) on conflict do nothing",
        .key_name = "key",
        .owner = owner};
    const struct ax_mirror_pairs as_tags = {
        .sql = "insert into logged_model_tags (tag_key, tag_value, model_id, experiment_id) values "
               "($1, $2, $3, $4) on conflict do nothing",
        .key_name = "key",
        .owner = owner};
    AX_TRY(ax_tracking_source_items(ctx, data, "params", &params));
    AX_TRY(ax_tracking_source_items(ctx, data, "metrics", &metrics));
    AX_TRY(ax_tracking_source_items(ctx, ax_json_find(item, "info"), "tags", &tags));
    AX_TRY(ax_mirror_put_pairs(tx, ctx, &as_params, params, NULL));
    AX_TRY(ax_mirror_put_pairs(tx, ctx, &as_tags, tags, NULL));
    struct ax_json_iter it = ax_json_iter_of(metrics);
    while (ax_json_next(&it))
        AX_TRY(put_model_metric(tx, ctx, model, it.value));
    return AX_OK;
}

static ax_status
write_model(struct ax_mirror *mirror, struct ax_ctx *ctx, const struct model *model,
            const struct ax_json *item)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    if (!mirror->models)
        return ax_fail(ctx, AX_UNSUPPORTED, "a database of MLflow 2 has no logged models");
    AX_TRY(ax_store_begin(mirror->config->to, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("insert into logged_models (model_id, experiment_id, name, artifact_location, "
               "creation_timestamp_ms, last_updated_timestamp_ms, status, lifecycle_stage, "
               "model_type, source_run_id, status_message) values ($1, $2, $3, $4, $5, $6, $7, "
               "'active', $8, $9, $10) on conflict do nothing"),
        AX_STORE_PARAMS(ax_store_text(model->id), ax_store_i64(model->experiment),
                        ax_store_text(model->name), ax_store_text(model->uri),
                        ax_store_i64(model->created_ms), ax_store_i64(model->updated_ms),
                        ax_store_i64(state_number(model->state)), ax_mirror_text(model->type),
                        ax_mirror_text(model->run_id), ax_mirror_text(model->words)),
        NULL));
    AX_TRY(put_model_parts(tx, ctx, model, item));
    return ax_store_commit(ax_take(tx), ctx);
}

static ax_status
mirror_model(void *arg, struct ax_ctx *ctx, const struct ax_json *item)
{
    struct ax_mirror *mirror = arg;
    struct model model = {};
    AX_TRY(read_model(ctx, ax_json_find(item, "info"), &model));
    ax_status status = write_model(mirror, ctx, &model, item);
    mirror->import.counts->logged_models += status == AX_OK;
    ax_import_progress(&mirror->import, "logged models", mirror->import.counts->logged_models, 0);
    return ax_import_problem(&mirror->import, ctx, status, model.id);
}

ax_status
ax_mirror_models(struct ax_mirror *mirror, struct ax_ctx *ctx)
{
    return ask_of_experiments(mirror, ctx, AX_TRACKING_MODELS, "models", mirror_model);
}
