/* Runs and logged models of an import, and the check that they arrived. */
#include <math.h>

#include "base/number.h"
#include "mlops/tracking_import_parts.h"
#include "sys/crypto.h"
#include "sys/file.h"

enum { BATCH = 1000, RUN_BYTES_MAX = 256 << 20, CHECKPOINT_EVERY = 20, SHOWN_BYTES_MAX = 1 << 30 };

#define NAN_VALUE ((double)NAN)

/* ---- logged models ---- */

static const char *
model_status(int64_t status)
{
    return status == 2   ? "LOGGED_MODEL_READY"
           : status == 3 ? "LOGGED_MODEL_UPLOAD_FAILED"
                         : "LOGGED_MODEL_PENDING";
}

static ax_status
import_model(struct ax_import *import, struct ax_store_tx *tx, struct ax_ctx *ctx,
             struct ax_experiment_model_new *made, int64_t state)
{
    struct ax_experiments *experiments = import->config->experiments;
    ax_writer_auto struct ax_writer text = ax_writer_of(SHOWN_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const ax_store_params params = AX_STORE_PARAMS(ax_store_text(made->id));
    AX_TRY(ax_import_pairs(tx, ctx,
                           "select param_key, param_value from logged_model_params where model_id "
                           "= $1",
                           params, &made->params));
    AX_TRY(ax_import_pairs(tx, ctx,
                           "select tag_key, tag_value from logged_model_tags where model_id = $1",
                           params, &made->tags));
    ax_status status = ax_experiment_model_show(experiments, ctx, made->id, true, &json);
    if (status == AX_NOT_FOUND)
        status = ax_experiment_model_create(experiments, ctx, made, &json);
    AX_TRY(status);
    ctx->error[0] = '\0';
    import->counts->logged_models++;
    status = ax_experiment_model_finish(experiments, ctx, made->id, ax_str_of(model_status(state)),
                                        &json);
    return status == AX_NOT_FOUND ? AX_OK : status; /* deleted by the import that was cut */
}

ax_status
ax_import_has_models(struct ax_import *import, struct ax_ctx *ctx, bool *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t count;
    AX_TRY(ax_store_begin(import->config->source, ctx, AX_STORE_READ, &tx));
    ax_status status = ax_store_get_i64(tx, ctx, AX_STR("select count(*) from logged_models"),
                                        AX_STORE_NO_PARAMS, &count);
    if (status != AX_OK && status != AX_INTERNAL) /* no such table */
        return status;
    *out = status == AX_OK;
    ctx->error[0] = '\0';
    return AX_OK;
}

static ax_status
import_models(struct ax_import *import, struct ax_ctx *ctx)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(import->config->source, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(
        tx, ctx,
        AX_STR("select model_id, cast(experiment_id as text), name, coalesce(model_type, ''), "
               "coalesce(source_run_id, ''), cast(status as bigint), creation_timestamp_ms from "
               "logged_models order by model_id"),
        AX_STORE_NO_PARAMS, &rows));
    ax_status status = AX_OK;
    while (status == AX_OK && ax_store_next(rows)) {
        struct ax_experiment_model_new made = {.id = ax_store_read_text(rows, 0),
                                               .experiment_id = ax_store_read_text(rows, 1),
                                               .name = ax_store_read_text(rows, 2),
                                               .model_type = ax_store_read_text(rows, 3),
                                               .source_run_id = ax_store_read_text(rows, 4),
                                               .created_ms = ax_store_read_i64(rows, 6)};
        status = import_model(import, tx, ctx, &made, ax_store_read_i64(rows, 5));
        status = ax_import_problem(import, ctx, status, made.id);
    }
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

/* ---- one run ---- */

struct run {
    ax_str id, experiment_id, name, user_id, status, stage;
    int64_t start_ms, end_ms; /* end_ms: 0 when it has not ended */
};

static ax_status
log_metrics(struct ax_import *import, struct ax_store_tx *tx, struct ax_ctx *ctx, const char *sql,
            ax_str run_id)
{
    struct ax_store_rows *rows;
    struct ax_metric *batch = AX_NEW_ARRAY(ctx->arena, struct ax_metric, BATCH);
    struct ax_run_batch log = {.metrics.items = batch};
    ax_status status = AX_OK;
    if (!batch)
        return ax_import_no_memory(ctx);
    AX_TRY(ax_store_query(tx, ctx, ax_str_of(sql), AX_STORE_PARAMS(ax_store_text(run_id)), &rows));
    for (bool more = true; more && status == AX_OK;) {
        more = ax_store_next(rows);
        if (more)
            batch[log.metrics.count++] = (struct ax_metric){
                .key = ax_store_read_text(rows, 0),
                .value = ax_store_read_i64(rows, 4) ? NAN_VALUE : ax_store_read_f64(rows, 1),
                .timestamp_ms = ax_store_read_i64(rows, 2),
                .step = ax_store_read_i64(rows, 3),
                .model_id = ax_store_read_text(rows, 5),
                .dataset_name = ax_store_read_text(rows, 6),
                .dataset_digest = ax_store_read_text(rows, 7)};
        if (log.metrics.count == BATCH || (!more && log.metrics.count)) {
            status = ax_run_log(import->config->experiments, ctx, run_id, &log);
            import->counts->metrics += log.metrics.count;
            log.metrics.count = 0;
        }
    }
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

static ax_status
log_pairs(struct ax_import *import, struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str run_id)
{
    const ax_store_params params = AX_STORE_PARAMS(ax_store_text(run_id));
    struct ax_run_batch log = {};
    AX_TRY(ax_import_pairs(tx, ctx,
                           "select key, coalesce(value, '') from params where run_uuid = $1",
                           params, &log.params));
    AX_TRY(ax_import_pairs(tx, ctx, "select key, coalesce(value, '') from tags where run_uuid = $1",
                           params, &log.tags));
    import->counts->params += log.params.count;
    import->counts->tags += log.tags.count;
    return ax_run_log(import->config->experiments, ctx, run_id, &log);
}

static ax_status
log_datasets(struct ax_import *import, struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str run_id)
{
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_query(
        tx, ctx,
        AX_STR("select d.name, d.digest, d.dataset_source_type, d.dataset_source, "
               "d.dataset_schema, d.dataset_profile, i.input_uuid from inputs i join datasets d on "
               "d.dataset_uuid = i.source_id where i.source_type = 'DATASET' and "
               "i.destination_type = 'RUN' and i.destination_id = $1 order by d.name, d.digest"),
        AX_STORE_PARAMS(ax_store_text(run_id)), &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        struct ax_run_dataset dataset = {.name = ax_store_read_text(rows, 0),
                                         .digest = ax_store_read_text(rows, 1),
                                         .source_type = ax_store_read_text(rows, 2),
                                         .source = ax_store_read_text(rows, 3),
                                         .schema = ax_store_read_text_or_null(rows, 4),
                                         .profile = ax_store_read_text_or_null(rows, 5)};
        ax_str input = ax_store_read_text(rows, 6);
        status =
            ax_import_pairs(tx, ctx, "select name, value from input_tags where input_uuid = $1",
                            AX_STORE_PARAMS(ax_store_text(input)), &dataset.tags);
        const struct ax_run_inputs inputs = {.datasets = &dataset, .dataset_count = 1};
        if (status == AX_OK)
            status = ax_run_log_inputs(import->config->experiments, ctx, run_id, &inputs);
        import->counts->datasets++;
    }
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

/* Models that went in and came out; the table has a step from version 3 on. */
static ax_status
log_models(struct ax_import *import, struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str run_id)
{
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_query(
        tx, ctx,
        AX_STR("select destination_id, coalesce(step, 0), case when source_type = 'RUN_INPUT' then "
               "1 else 0 end from inputs where source_id = $1 and source_type in ('RUN_INPUT', "
               "'RUN_OUTPUT')"),
        AX_STORE_PARAMS(ax_store_text(run_id)), &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        const struct ax_run_model model = {ax_store_read_text(rows, 0), ax_store_read_i64(rows, 1)};
        const struct ax_run_models models = {&model, 1};
        const struct ax_run_inputs inputs = {.models = models};
        status = ax_store_read_i64(rows, 2)
                     ? ax_run_log_inputs(import->config->experiments, ctx, run_id, &inputs)
                     : ax_run_log_outputs(import->config->experiments, ctx, run_id, &models);
    }
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

#define METRIC_COLUMNS "value, timestamp, step, case when is_nan then 1 else 0 end, "
#define METRICS                                                                                    \
    "select key, " METRIC_COLUMNS "'', '', '' from metrics where run_uuid = $1 order by key, "     \
    "timestamp, step, value"
#define MODEL_METRICS                                                                              \
    "select metric_name, coalesce(metric_value, 0), metric_timestamp_ms, metric_step, case when "  \
    "metric_value is null then 1 else 0 end, model_id, "                                           \
    "coalesce(dataset_name, ''), coalesce(dataset_digest, '') from logged_model_metrics where "    \
    "run_id = $1"

static ax_status
fill_run(struct ax_import *import, struct ax_store_tx *tx, struct ax_ctx *ctx,
         const struct run *run, bool models)
{
    struct ax_experiments *experiments = import->config->experiments;
    ax_writer_auto struct ax_writer text = ax_writer_of(SHOWN_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_run_change change = {
        .status = run->status, .ends = run->end_ms != 0, .end_ms = run->end_ms};
    AX_TRY(log_metrics(import, tx, ctx, METRICS, run->id));
    AX_TRY(log_pairs(import, tx, ctx, run->id));
    AX_TRY(log_datasets(import, tx, ctx, run->id));
    if (models) {
        uint64_t counted = import->counts->metrics;
        AX_TRY(log_metrics(import, tx, ctx, MODEL_METRICS, run->id));
        import->counts->metrics = counted; /* the same points, said to be a model's too */
        AX_TRY(log_models(import, tx, ctx, run->id));
    }
    AX_TRY(ax_run_update(experiments, ctx, run->id, &change, &json));
    return ax_str_eq(run->stage, AX_STR("deleted")) ? ax_run_delete(experiments, ctx, run->id)
                                                    : AX_OK;
}

static ax_status
import_run(struct ax_import *import, struct ax_store_tx *tx, struct ax_ctx *ctx,
           const struct run *run, bool models)
{
    struct ax_experiments *experiments = import->config->experiments;
    ax_writer_auto struct ax_writer text = ax_writer_of(SHOWN_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_run_new made = {.id = run->id,
                                    .experiment_id = run->experiment_id,
                                    .name = run->name,
                                    .user_id = run->user_id,
                                    .start_ms = run->start_ms};
    ax_str uri;
    ax_status status = ax_run_artifact_uri(experiments, ctx, run->id, &uri);
    if (status == AX_NOT_FOUND) {
        ctx->error[0] = '\0';
        status = ax_run_create(experiments, ctx, &made, &json);
    } else if (status == AX_OK) {
        status = ax_run_restore(experiments, ctx, run->id);
    }
    AX_TRY(status);
    AX_TRY(fill_run(import, tx, ctx, run, models));
    import->counts->runs++;
    return AX_OK;
}

/* ---- all runs ---- */

static ax_status
read_checkpoint(struct ax_import *import, struct ax_ctx *ctx, ax_str *out_after)
{
    *out_after = AX_STR("");
    if (import->config->checkpoint.len == 0 || !ax_file_exists(import->config->checkpoint))
        return AX_OK;
    AX_TRY(ax_file_read_all(ctx, import->config->checkpoint, 1024, out_after));
    *out_after = ax_str_trim(*out_after);
    return AX_OK;
}

struct walk {
    ax_status (*one)(struct ax_import *import, struct ax_store_tx *tx, struct ax_ctx *ctx,
                     const struct run *run, bool models);
    const char *what;
    bool models;
    ax_str after; /* runs up to this one are passed over */
};

static ax_status
count_runs(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str after, int64_t *out_skipped,
           int64_t *out_total)
{
    AX_TRY(ax_store_get_i64(tx, ctx, AX_STR("select count(*) from runs where run_uuid <= $1"),
                            AX_STORE_PARAMS(ax_store_text(after)), out_skipped));
    return ax_store_get_i64(tx, ctx, AX_STR("select count(*) from runs"), AX_STORE_NO_PARAMS,
                            out_total);
}

static struct run
read_run(struct ax_store_rows *rows)
{
    return (struct run){.id = ax_store_read_text(rows, 0),
                        .experiment_id = ax_store_read_text(rows, 1),
                        .name = ax_store_read_text(rows, 2),
                        .user_id = ax_store_read_text(rows, 3),
                        .status = ax_store_read_text(rows, 4),
                        .stage = ax_store_read_text(rows, 5),
                        .start_ms = ax_store_read_i64(rows, 6),
                        .end_ms = ax_store_read_i64(rows, 7)};
}

static ax_status
walk_one(struct ax_import *import, struct ax_store_tx *tx, struct ax_ctx *ctx,
         const struct walk *walk, const struct run *run)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(RUN_BYTES_MAX);
    if (!arena)
        return ax_import_no_memory(ctx);
    struct ax_ctx inside = *ctx;
    inside.arena = arena;
    ax_status status = walk->one(import, tx, &inside, run, walk->models);
    status = ax_import_problem(import, &inside, status, run->id);
    return status == AX_OK ? AX_OK
                           : ax_fail(ctx, status, "run %.*s: %s", AX_FMT(run->id), inside.error);
}

static ax_status
walk_runs(struct ax_import *import, struct ax_ctx *ctx, const struct walk *walk)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    int64_t done, total;
    ax_status status = AX_OK;
    bool keeps = walk->one == import_run && import->config->checkpoint.len;
    AX_TRY(ax_store_begin(import->config->source, ctx, AX_STORE_READ, &tx));
    AX_TRY(count_runs(tx, ctx, walk->after, &done, &total));
    if (walk->one == import_run)
        import->counts->runs_skipped = (uint64_t)done;
    AX_TRY(ax_store_query(
        tx, ctx,
        AX_STR("select run_uuid, cast(experiment_id as text), coalesce(name, ''), "
               "coalesce(user_id, ''), coalesce(status, 'FINISHED'), coalesce(lifecycle_stage, "
               "'active'), coalesce(start_time, 0), coalesce(end_time, 0) from runs where run_uuid "
               "> $1 order by run_uuid"),
        AX_STORE_PARAMS(ax_store_text(walk->after)), &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        struct run run = read_run(rows);
        status = walk_one(import, tx, ctx, walk, &run);
        ax_import_progress(import, walk->what, (uint64_t)++done, (uint64_t)total);
        if (status == AX_OK && keeps && done % CHECKPOINT_EVERY == 0)
            status = ax_file_write_atomic(ctx, import->config->checkpoint, run.id);
    }
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

ax_status
ax_import_runs(struct ax_import *import, struct ax_ctx *ctx)
{
    struct walk walk = {.one = import_run, .what = "runs"};
    AX_TRY(ax_import_has_models(import, ctx, &walk.models));
    AX_TRY(read_checkpoint(import, ctx, &walk.after));
    if (walk.models)
        AX_TRY(import_models(import, ctx));
    AX_TRY(walk_runs(import, ctx, &walk));
    if (!walk.models)
        return AX_OK;
    return ax_import_delete_each(
        import, ctx, AX_STR("select model_id from logged_models where lifecycle_stage = 'deleted'"),
        ax_experiment_model_delete);
}

/* ---- reading back ---- */

/* Points, in whatever order: their number, and the sum of a hash of each. */
struct sum {
    uint64_t count, hash;
};

static void
add_point(struct sum *sum, const struct ax_metric *point)
{
    uint64_t words[5] = {}, piece;
    double value = ax_metric_kept(point->value) + 0.0; /* without a sign at 0, as databases do */
    bool is_nan = isnan(point->value);
    memcpy(&words[0], &point->timestamp_ms, sizeof words[0]);
    memcpy(&words[1], &point->step, sizeof words[1]);
    memcpy(&words[2], &value, sizeof words[2]);
    words[3] = is_nan;
    const ax_str pieces[] = {{(const char *)words, sizeof words}, point->key};
    ax_digest digest = ax_sha256_of(pieces, AX_COUNT_OF(pieces));
    memcpy(&piece, digest.bytes, sizeof piece);
    sum->count++;
    sum->hash += piece;
}

static ax_status
sum_source(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str run_id, struct sum *out)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select distinct key, " METRIC_COLUMNS "'' from metrics where "
                                 "run_uuid = $1"),
                          AX_STORE_PARAMS(ax_store_text(run_id)), &rows));
    while (ax_store_next(rows)) {
        const struct ax_metric point = {
            .key = ax_store_read_text(rows, 0),
            .value = ax_store_read_i64(rows, 4) ? NAN_VALUE : ax_store_read_f64(rows, 1),
            .timestamp_ms = ax_store_read_i64(rows, 2),
            .step = ax_store_read_i64(rows, 3)};
        add_point(out, &point);
    }
    return ax_store_finish(rows);
}

ax_status
ax_import_read_point(struct ax_ctx *ctx, const struct ax_json *item, struct ax_metric *out)
{
    *out = (struct ax_metric){};
    AX_TRY(ax_tracking_source_text(ctx, item, "key", &out->key));
    AX_TRY(ax_tracking_source_f64(ctx, item, "value", &out->value));
    AX_TRY(ax_tracking_source_may_i64(ctx, item, "timestamp", &out->timestamp_ms));
    AX_TRY(ax_tracking_source_may_i64(ctx, item, "step", &out->step));
    AX_TRY(ax_tracking_source_may_text(ctx, item, "dataset_name", &out->dataset_name));
    return ax_tracking_source_may_text(ctx, item, "dataset_digest", &out->dataset_digest);
}

ax_status
ax_import_histories(struct ax_tracking_source *source, struct ax_ctx *ctx,
                    const struct ax_import_histories *histories)
{
    struct ax_tracking_walk walk = {
        .ask = {.question = AX_TRACKING_HISTORY, .id = histories->run_id},
        .member = "metrics",
        .page = histories->page,
        .arg = histories->arg};
    struct ax_json_iter it = ax_json_iter_of(histories->metrics);
    while (ax_json_next(&it)) {
        AX_TRY(ax_tracking_source_text(ctx, it.value, "key", &walk.ask.key));
        AX_TRY(ax_tracking_source_walk(source, ctx, &walk));
    }
    return AX_OK;
}

/* A page of a history. */
static ax_status
import_sum_page(void *arg, struct ax_ctx *ctx, const struct ax_json *items)
{
    struct sum *sum = arg;
    struct ax_json_iter it = ax_json_iter_of(items);
    while (ax_json_next(&it)) {
        struct ax_metric point;
        AX_TRY(ax_import_read_point(ctx, it.value, &point));
        add_point(sum, &point);
    }
    return AX_OK;
}

/* As many pairs, with the same keys and values (cut where they are cut). */
static bool
same_pairs(const struct ax_experiment_pairs *wanted, const struct ax_json *shown)
{
    if (ax_json_count(shown) < wanted->count)
        return false;
    for (size_t i = 0; i < wanted->count; i++) {
        struct ax_json_iter it = ax_json_iter_of(shown);
        bool found = false;
        ax_str key, value = AX_STR("");
        while (!found && ax_json_next(&it))
            found = ax_json_text(ax_json_find(it.value, "key"), &key) &&
                    ax_json_text(ax_json_find(it.value, "value"), &value) &&
                    ax_str_eq(key, wanted->items[i].key);
        if (!found || !ax_str_starts(wanted->items[i].value, value))
            return false;
    }
    return true;
}

static ax_status
check_run(struct ax_import *import, struct ax_store_tx *tx, struct ax_ctx *ctx,
          const struct run *run, bool models)
{
    const ax_store_params id = AX_STORE_PARAMS(ax_store_text(run->id));
    const struct ax_tracking_ask ask = {.question = AX_TRACKING_RUN, .id = run->id};
    struct ax_experiment_pairs params, tags;
    struct sum theirs = {}, ours = {};
    const struct ax_json *shown;
    ax_str status;
    (void)models;
    AX_TRY(ax_import_pairs(tx, ctx,
                           "select key, coalesce(value, '') from params where run_uuid = "
                           "$1",
                           id, &params));
    AX_TRY(ax_import_pairs(tx, ctx, "select key, coalesce(value, '') from tags where run_uuid = $1",
                           id, &tags));
    AX_TRY(sum_source(tx, ctx, run->id, &theirs));
    ax_status asked = ax_tracking_source_ask(import->against, ctx, &ask, &shown);
    import->counts->differences += asked == AX_NOT_FOUND;
    AX_TRY(asked);
    shown = ax_json_find(shown, "run");
    const struct ax_json *data = ax_json_find(shown, "data");
    const struct ax_import_histories histories = {run->id, ax_json_find(data, "metrics"),
                                                  import_sum_page, &ours};
    AX_TRY(ax_import_histories(import->against, ctx, &histories));
    AX_TRY(ax_tracking_source_may_text(ctx, ax_json_find(shown, "info"), "status", &status));
    bool same = theirs.count == ours.count && theirs.hash == ours.hash &&
                ax_str_eq(status, run->status) &&
                same_pairs(&params, ax_json_find(data, "params")) &&
                same_pairs(&tags, ax_json_find(data, "tags"));
    import->counts->runs_checked += same;
    import->counts->differences += !same;
    return same ? AX_OK
                : ax_fail(ctx, AX_CORRUPT, "is not the same: %llu points of %llu",
                          (unsigned long long)ours.count, (unsigned long long)theirs.count);
}

ax_status
ax_import_check_runs(struct ax_import *import, struct ax_ctx *ctx)
{
    const struct walk walk = {.one = check_run, .what = "runs read back", .after = AX_STR("")};
    return walk_runs(import, ctx, &walk);
}
