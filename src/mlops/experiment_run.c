#include "mlops/experiment_run.h"

#include "base/map.h"
#include "sys/clock.h"
#include "sys/crypto.h"

#define RUN_NAME "mlflow.runName"

enum {
    PARAMS_MAX = 100,
    TAGS_MAX = 100,
    METRICS_MAX = 1000,
    ITEMS_MAX = 1000,
    HISTORY_BYTES_MAX = 1 << 20,
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for runs");
}

/* ---- finding ---- */

static ax_status
no_run(struct ax_ctx *ctx, ax_str id)
{
    return ax_fail(ctx, AX_NOT_FOUND, "Run with id=%.*s not found",
                   AX_FMT(ax_experiment_cut(id, 100)));
}

static ax_status
find(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, struct ax_run_row *out)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx, AX_STR("select " AX_RUN_COLUMNS " from runs r where r.id = $1"),
                          AX_STORE_PARAMS(ax_store_text(id)), &rows));
    bool found = ax_store_next(rows);
    if (found)
        *out = ax_run_read(rows);
    AX_TRY(ax_store_finish(rows));
    return found ? AX_OK : no_run(ctx, id);
}

static ax_status
no_active_run(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id)
{
    struct ax_run_row run = {};
    AX_TRY(find(tx, ctx, id, &run));
    return ax_fail(ctx, AX_INVALID,
                   "The run %.*s must be in the 'active' state. Current state is %.*s.", AX_FMT(id),
                   AX_FMT(run.stage));
}

/* A write transaction on an active run, which gets a new revision with it. */
static ax_status
begin(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id, struct ax_store_tx **tx,
      struct ax_metric_run *out_run)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_WRITE, tx));
    AX_TRY(ax_store_query(*tx, ctx,
                          AX_STR("update runs set revision = revision + 1 where id = $1 and "
                                 "lifecycle_stage = 'active' returning key, series_count"),
                          AX_STORE_PARAMS(ax_store_text(id)), &rows));
    bool found = ax_store_next(rows);
    *out_run = (struct ax_metric_run){.id = id};
    if (found) {
        out_run->key = ax_store_read_i64(rows, 0);
        out_run->series_count = ax_store_read_i64(rows, 1);
    }
    AX_TRY(ax_store_finish(rows));
    return found ? AX_OK : no_active_run(*tx, ctx, id);
}

static ax_status
read_run(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id, struct ax_run_row *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_READ, &tx));
    return find(tx, ctx, id, out);
}

ax_status
ax_run_artifact_uri(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                    ax_str *out_uri)
{
    struct ax_run_row run = {};
    AX_TRY(read_run(experiments, ctx, id, &run));
    *out_uri = run.artifact_uri;
    return AX_OK;
}

ax_status
ax_run_experiment(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                  ax_str *out_experiment_id)
{
    struct ax_run_row run = {};
    AX_TRY(read_run(experiments, ctx, id, &run));
    *out_experiment_id = run.experiment_id;
    return AX_OK;
}

/* ---- tags and params ---- */

/* An insert of (run, key, value) for each pair, as one batch; values are cut to chars_max. */
struct pairs_put {
    ax_str sql;
    size_t chars_max;
    int64_t changed; /* out */
};

static ax_status
put_pairs(struct ax_store_tx *tx, struct ax_ctx *ctx, int64_t run,
          const struct ax_experiment_pairs *pairs, struct pairs_put *put)
{
    ax_store_params *rows = AX_NEW_ARRAY(ctx->arena, ax_store_params, pairs->count + 1);
    ax_store_value *values = AX_NEW_ARRAY(ctx->arena, ax_store_value, 3 * pairs->count + 1);
    if (!rows || !values)
        return no_memory(ctx);
    for (size_t i = 0; i < pairs->count; i++) {
        ax_store_value *at = &values[3 * i];
        at[0] = ax_store_i64(run);
        at[1] = ax_store_text(pairs->items[i].key);
        at[2] = ax_store_text(ax_experiment_cut(pairs->items[i].value, put->chars_max));
        rows[i] = (ax_store_params){at, 3};
    }
    return ax_store_run_each(tx, ctx, put->sql, rows, pairs->count, &put->changed);
}

static ax_status
put_tags(struct ax_store_tx *tx, struct ax_ctx *ctx, int64_t run,
         const struct ax_experiment_pairs *tags)
{
    struct pairs_put put = {
        .sql = AX_STR("insert into run_tags (run_key, key, value) values ($1, $2, $3) "
                      "on conflict (run_key, key) do update set value = excluded.value"),
        .chars_max = AX_RUN_TAG_CHARS_MAX};
    for (size_t i = 0; i < tags->count; i++) {
        ax_str value = ax_experiment_cut(tags->items[i].value, AX_RUN_TAG_CHARS_MAX);
        AX_TRY(ax_experiment_check_key(ctx, tags->items[i].key, "key"));
        if (ax_str_eq(tags->items[i].key, AX_STR(RUN_NAME)))
            AX_TRY(ax_store_run(tx, ctx, AX_STR("update runs set name = $2 where key = $1"),
                                AX_STORE_PARAMS(ax_store_i64(run), ax_store_text(value)), NULL));
    }
    return put_pairs(tx, ctx, run, tags, &put);
}

static ax_status
put_tag(struct ax_store_tx *tx, struct ax_ctx *ctx, int64_t run, struct ax_experiment_pair tag)
{
    return put_tags(tx, ctx, run, &(struct ax_experiment_pairs){.items = &tag, .count = 1});
}

ax_status
ax_run_delete_tag(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id, ax_str key)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_metric_run run;
    int64_t changed;
    AX_TRY(begin(experiments, ctx, id, &tx, &run));
    AX_TRY(ax_store_run(tx, ctx, AX_STR("delete from run_tags where run_key = $1 and key = $2"),
                        AX_STORE_PARAMS(ax_store_i64(run.key), ax_store_text(key)), &changed));
    if (changed == 0)
        return ax_fail(ctx, AX_NOT_FOUND, "No tag with name: %.*s in run with id %.*s",
                       AX_FMT(ax_experiment_cut(key, 250)), AX_FMT(id));
    return ax_store_commit(ax_take(tx), ctx);
}

/* What a parameter holds that was logged before. */
static ax_status
read_param(struct ax_store_tx *tx, struct ax_ctx *ctx, int64_t run, ax_str key, ax_str *out_value)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select value from run_params where run_key = $1 and key = $2"),
                          AX_STORE_PARAMS(ax_store_i64(run), ax_store_text(key)), &rows));
    *out_value = ax_store_next(rows) ? ax_store_read_text(rows, 0) : AX_STR("");
    return ax_store_finish(rows);
}

/* A parameter alone, or one of several: MLflow has words for each. */
static ax_status
changed_param(struct ax_ctx *ctx, ax_str id, const struct ax_experiment_pair *param,
              struct ax_experiment_pair kept, bool alone)
{
    ax_str old = ax_experiment_cut(kept.value, 60), made = ax_experiment_cut(param->value, 60);
    if (alone)
        return ax_fail(ctx, AX_INVALID,
                       "Changing param values is not allowed. Param with key='%.*s' was already "
                       "logged with value='%.*s' for run ID='%.*s'. Attempted logging new value "
                       "'%.*s'.",
                       AX_FMT(param->key), AX_FMT(old), AX_FMT(id), AX_FMT(made));
    return ax_fail(ctx, AX_INVALID,
                   "Changing param values is not allowed. Params were already logged='[{'key': "
                   "'%.*s', 'old_value': '%.*s', 'new_value': '%.*s'}]' for run ID='%.*s'.",
                   AX_FMT(param->key), AX_FMT(old), AX_FMT(made), AX_FMT(id));
}

static ax_status
put_params(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_metric_run *run,
           const struct ax_experiment_pairs *params, bool alone)
{
    struct pairs_put put = {
        .sql = AX_STR("insert into run_params (run_key, key, value) values ($1, $2, $3) "
                      "on conflict (run_key, key) do nothing"),
        .chars_max = AX_RUN_PARAM_CHARS_MAX};
    for (size_t i = 0; i < params->count; i++)
        AX_TRY(ax_experiment_check_key(ctx, params->items[i].key, "Param key"));
    AX_TRY(put_pairs(tx, ctx, run->key, params, &put));
    if (put.changed == (int64_t)params->count)
        return AX_OK;
    for (size_t i = 0; i < params->count; i++) { /* some were there: with the same value? */
        const struct ax_experiment_pair *param = &params->items[i];
        struct ax_experiment_pair kept = {.key = param->key};
        AX_TRY(read_param(tx, ctx, run->key, param->key, &kept.value));
        if (!ax_str_eq(kept.value, ax_experiment_cut(param->value, AX_RUN_PARAM_CHARS_MAX)))
            return changed_param(ctx, run->id, param, kept, alone);
    }
    return AX_OK;
}

/* ---- batches ---- */

static ax_status
too_many(struct ax_ctx *ctx, const char *what, int most, size_t count)
{
    return ax_fail(ctx, AX_INVALID,
                   "A batch logging request can contain at most %d %s. Got %zu %s. Please split up "
                   "%s across multiple requests and try again.",
                   most, what, count, what, what);
}

static ax_status
check_params(struct ax_ctx *ctx, const struct ax_experiment_pairs *params)
{
    struct ax_map *seen = ax_map_new(ctx->arena);
    static char mark;
    for (size_t i = 0; i < params->count; i++) {
        if (!seen)
            return no_memory(ctx);
        if (ax_map_find(seen, params->items[i].key))
            return ax_fail(ctx, AX_INVALID,
                           "Duplicate parameter keys have been submitted: ['%.*s']. Please ensure "
                           "the request contains only one param value per param key.",
                           AX_FMT(ax_experiment_cut(params->items[i].key, 250)));
        if (!ax_map_put(seen, params->items[i].key, &mark))
            return no_memory(ctx);
    }
    return AX_OK;
}

static ax_status
check_batch(struct ax_ctx *ctx, const struct ax_run_batch *batch)
{
    size_t metrics = batch->metrics.count, params = batch->params.count, tags = batch->tags.count;
    if (metrics > METRICS_MAX)
        return too_many(ctx, "metrics", METRICS_MAX, metrics);
    if (params > PARAMS_MAX)
        return too_many(ctx, "params", PARAMS_MAX, params);
    if (tags > TAGS_MAX)
        return too_many(ctx, "tags", TAGS_MAX, tags);
    if (metrics + params + tags > ITEMS_MAX)
        return too_many(ctx, "metrics, params, and tags", ITEMS_MAX, metrics + params + tags);
    for (size_t i = 0; i < metrics; i++)
        AX_TRY(ax_metric_check(ctx, &batch->metrics.items[i]));
    return check_params(ctx, &batch->params);
}

ax_status
ax_run_log(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
           const struct ax_run_batch *batch)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    bool alone = batch->params.count == 1 && !batch->metrics.items && !batch->tags.items;
    struct ax_metric_run run;
    AX_TRY(check_batch(ctx, batch));
    AX_TRY(begin(experiments, ctx, id, &tx, &run));
    AX_TRY(put_params(tx, ctx, &run, &batch->params, alone));
    if (batch->metrics.count > 0)
        AX_TRY(ax_metrics_put(tx, ctx, &run, &batch->metrics));
    AX_TRY(put_tags(tx, ctx, run.key, &batch->tags));
    return ax_store_commit(ax_take(tx), ctx);
}

/* ---- making ---- */

static ax_status
make_name(struct ax_ctx *ctx, ax_str *out_name)
{
    static const char *const adjectives[] = {
        "able",  "brave", "calm",  "clear", "clever", "dapper", "exact",   "fair",
        "frank", "glad",  "grand", "keen",  "kind",   "lively", "merry",   "noble",
        "plain", "proud", "quick", "quiet", "sharp",  "silent", "skilful", "steady",
        "stout", "swift", "tidy",  "true",  "upbeat", "wise",   "witty",   "zesty"};
    static const char *const nouns[] = {
        "ape",  "bear", "bee",  "bird",  "boar", "cat",  "crab", "crane", "crow",  "deer", "doe",
        "dove", "duck", "eel",  "finch", "fish", "fox",  "frog", "goat",  "goose", "hare", "hawk",
        "hen",  "kit",  "lark", "loon",  "mink", "mole", "owl",  "seal",  "stork", "wren"};
    uint8_t random[4];
    ax_random_bytes(random, sizeof random);
    *out_name =
        ax_str_printf(ctx->arena, "%s-%s-%d", adjectives[random[0] % AX_COUNT_OF(adjectives)],
                      nouns[random[1] % AX_COUNT_OF(nouns)], (random[2] * 256 + random[3]) % 1000);
    return out_name->at ? AX_OK : no_memory(ctx);
}

static ax_status
choose_name(struct ax_ctx *ctx, const struct ax_run_new *made, ax_str *out_name)
{
    ax_str tagged = AX_STR("");
    for (size_t i = 0; i < made->tags.count; i++)
        if (ax_str_eq(made->tags.items[i].key, AX_STR(RUN_NAME)))
            tagged = made->tags.items[i].value;
    if (made->name.len > 0 && tagged.len > 0 && !ax_str_eq(made->name, tagged))
        return ax_fail(ctx, AX_INVALID,
                       "Both 'run_name' argument and '" RUN_NAME "' tag are specified, but with "
                       "different values (run_name='%.*s', " RUN_NAME "='%.*s').",
                       AX_FMT(ax_experiment_cut(made->name, 100)),
                       AX_FMT(ax_experiment_cut(tagged, 100)));
    *out_name = ax_experiment_cut(made->name.len > 0 ? made->name : tagged, AX_RUN_TAG_CHARS_MAX);
    return out_name->len > 0 ? AX_OK : make_name(ctx, out_name);
}

static ax_status
insert(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_run_new *made,
       struct ax_run_row *run)
{
    struct ax_experiment_place place;
    AX_TRY(ax_experiment_find_active(tx, ctx, run->experiment_id, &place));
    AX_TRY(ax_experiment_artifact_uri(ctx, place.artifact_location, run->id, &run->artifact_uri));
    AX_TRY(ax_store_get_i64(
        tx, ctx,
        AX_STR("insert into runs (id, experiment_id, name, user_id, status, lifecycle_stage, "
               "source_type, source_name, artifact_uri, start_ns) values ($1, $2, $3, $4, "
               "'RUNNING', 'active', '', '', $5, $6) returning key"),
        AX_STORE_PARAMS(ax_store_text(run->id), ax_store_text(run->experiment_id),
                        ax_store_text(run->name), ax_store_text(run->user_id),
                        ax_store_text(run->artifact_uri), ax_store_i64(run->start_ns)),
        &run->key));
    AX_TRY(put_tags(tx, ctx, run->key, &made->tags));
    return put_tag(tx, ctx, run->key, (struct ax_experiment_pair){AX_STR(RUN_NAME), run->name});
}

ax_status
ax_run_create(struct ax_experiments *experiments, struct ax_ctx *ctx, const struct ax_run_new *made,
              struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_run_row run = {
        .experiment_id = made->experiment_id.len > 0 ? made->experiment_id : AX_STR("0"),
        .user_id = made->user_id,
        .status = AX_STR("RUNNING"),
        .stage = AX_STR("active"),
        .end_ns = INT64_MIN,
    };
    AX_TRY(ax_experiment_ns(ctx, made->start_ms, &run.start_ns));
    AX_TRY(choose_name(ctx, made, &run.name));
    run.id = made->id;
    if (run.id.len == 0)
        AX_TRY(ax_experiment_new_id(ctx, "", &run.id));
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(insert(tx, ctx, made, &run));
    AX_TRY(ax_runs_show(tx, ctx, NULL, &(struct ax_run_keys){&run.key, 1}, out));
    return ax_store_commit(ax_take(tx), ctx);
}

/* ---- changing ---- */

ax_status
ax_run_update(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
              const struct ax_run_change *change, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_run_row run = {};
    struct ax_metric_run written;
    AX_TRY(begin(experiments, ctx, id, &tx, &written));
    AX_TRY(find(tx, ctx, id, &run));
    if (change->status.len > 0)
        run.status = change->status;
    if (change->ends)
        AX_TRY(ax_experiment_ns(ctx, change->end_ms, &run.end_ns));
    if (change->name.len > 0) {
        run.name = ax_experiment_cut(change->name, AX_RUN_TAG_CHARS_MAX);
        AX_TRY(put_tag(tx, ctx, run.key, (struct ax_experiment_pair){AX_STR(RUN_NAME), run.name}));
    }
    AX_TRY(ax_store_run(
        tx, ctx, AX_STR("update runs set status = $2, end_ns = $3 where key = $1"),
        AX_STORE_PARAMS(ax_store_i64(run.key), ax_store_text(run.status),
                        run.end_ns == INT64_MIN ? ax_store_null() : ax_store_i64(run.end_ns)),
        NULL));
    ax_run_show_info(&run, out);
    return ax_store_commit(ax_take(tx), ctx);
}

static ax_status
move(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id, bool active)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t changed;
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR(
            "update runs set lifecycle_stage = $2, deleted_ns = $3, revision = revision + 1 where "
            "id = $1"),
        AX_STORE_PARAMS(ax_store_text(id),
                        ax_store_text(active ? AX_STR("active") : AX_STR("deleted")),
                        active ? ax_store_null() : ax_store_i64(ax_clock_real_ns())),
        &changed));
    if (changed == 0)
        return no_run(ctx, id);
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_run_delete(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id)
{
    return move(experiments, ctx, id, false);
}

ax_status
ax_run_restore(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id)
{
    return move(experiments, ctx, id, true);
}

/* ---- inputs and outputs ---- */

static ax_status
put_models(struct ax_store_tx *tx, struct ax_ctx *ctx, int64_t run, const char *direction,
           const struct ax_run_models *models)
{
    for (size_t i = 0; i < models->count; i++)
        AX_TRY(ax_store_run(
            tx, ctx,
            AX_STR(
                "insert into run_models (run_key, direction, model_id, step) values ($1, $2, $3, "
                "$4) on conflict (run_key, direction, model_id) do update set step = "
                "excluded.step"),
            AX_STORE_PARAMS(ax_store_i64(run), ax_store_text(ax_str_of(direction)),
                            ax_store_text(models->items[i].id),
                            ax_store_i64(models->items[i].step)),
            NULL));
    return AX_OK;
}

struct limit {
    const char *name;
    ax_str text;
    size_t chars_max;
};

static ax_status
check_limits(struct ax_ctx *ctx, const struct limit *limits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ax_experiment_chars(limits[i].text) > limits[i].chars_max)
            return ax_fail(ctx, AX_INVALID, "'%s' exceeds the maximum length of %zu characters",
                           limits[i].name, limits[i].chars_max);
    return AX_OK;
}

static ax_status
check_dataset(struct ax_ctx *ctx, const struct ax_run_dataset *dataset)
{
    const struct limit limits[] = {
        {"name", dataset->name, 500},
        {"digest", dataset->digest, 36},
        {"source", dataset->source, 65'535},
        {"schema", dataset->schema, 1'048'575},
        {"profile", dataset->profile, 16'777'215},
    };
    AX_TRY(check_limits(ctx, limits, AX_COUNT_OF(limits)));
    for (size_t i = 0; i < dataset->tags.count; i++) {
        const struct limit tag[] = {{"key", dataset->tags.items[i].key, 255},
                                    {"value", dataset->tags.items[i].value, 500}};
        AX_TRY(check_limits(ctx, tag, AX_COUNT_OF(tag)));
    }
    return AX_OK;
}

static ax_status
put_dataset(struct ax_store_tx *tx, struct ax_ctx *ctx, int64_t run,
            const struct ax_run_dataset *dataset)
{
    ax_writer_auto struct ax_writer tags = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&tags);
    ax_str context = AX_STR("");
    AX_TRY(check_dataset(ctx, dataset));
    ax_json_begin_array(&json);
    for (size_t i = 0; i < dataset->tags.count; i++) {
        const struct ax_experiment_pair *tag = &dataset->tags.items[i];
        ax_json_begin_object(&json);
        ax_json_member_text(&json, "key", tag->key);
        ax_json_member_text(&json, "value", tag->value);
        ax_json_end_object(&json);
        if (ax_str_eq(tag->key, AX_STR("mlflow.data.context")))
            context = tag->value;
    }
    ax_json_end_array(&json);
    if (tags.status != AX_OK)
        return no_memory(ctx);
    return ax_store_run(
        tx, ctx,
        AX_STR(
            "insert into run_inputs (run_key, dataset_name, dataset_digest, source_type, source, "
            "dataset_schema, dataset_profile, context, tags) values ($1, $2, $3, $4, $5, $6, "
            "$7, $8, $9) on conflict (run_key, dataset_name, dataset_digest) do nothing"),
        AX_STORE_PARAMS(ax_store_i64(run), ax_store_text(dataset->name),
                        ax_store_text(dataset->digest), ax_store_text(dataset->source_type),
                        ax_store_text(dataset->source), ax_store_text_or_null(dataset->schema),
                        ax_store_text_or_null(dataset->profile), ax_store_text(context),
                        ax_store_text(ax_writer_str(&tags))),
        NULL);
}

ax_status
ax_run_log_inputs(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                  const struct ax_run_inputs *inputs)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_metric_run run;
    AX_TRY(begin(experiments, ctx, id, &tx, &run));
    for (size_t i = 0; i < inputs->dataset_count; i++)
        AX_TRY(put_dataset(tx, ctx, run.key, &inputs->datasets[i]));
    AX_TRY(put_models(tx, ctx, run.key, "input", &inputs->models));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_run_log_outputs(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                   const struct ax_run_models *models)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_metric_run run;
    AX_TRY(begin(experiments, ctx, id, &tx, &run));
    AX_TRY(put_models(tx, ctx, run.key, "output", models));
    return ax_store_commit(ax_take(tx), ctx);
}

#define MODEL_HISTORY "mlflow.log-model.history"

ax_status
ax_run_log_model(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                 const struct ax_json *model)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    ax_writer_auto struct ax_writer text = ax_writer_of(HISTORY_BYTES_MAX);
    struct ax_store_rows *rows;
    struct ax_metric_run run;
    AX_TRY(begin(experiments, ctx, id, &tx, &run));
    AX_TRY(ax_store_query(
        tx, ctx, AX_STR("select value from run_tags where run_key = $1 and key = $2"),
        AX_STORE_PARAMS(ax_store_i64(run.key), ax_store_text(AX_STR(MODEL_HISTORY))), &rows));
    ax_str before = ax_store_next(rows) ? ax_store_read_text(rows, 0) : AX_STR("");
    AX_TRY(ax_store_finish(rows));
    bool list = ax_str_starts(before, AX_STR("[{")) && ax_str_ends(before, AX_STR("}]"));
    if (list)
        ax_writer_bytes(&text, (ax_str){before.at, before.len - 1});
    ax_writer_text(&text, list ? "," : "[");
    ax_json_print(model, &text);
    ax_writer_char(&text, ']');
    if (text.status != AX_OK)
        return ax_fail(ctx, AX_INVALID, "the history of logged models exceeds %d bytes",
                       HISTORY_BYTES_MAX);
    AX_TRY(ax_store_run(tx, ctx,
                        AX_STR("insert into run_tags (run_key, key, value) values ($1, $2, $3) "
                               "on conflict (run_key, key) do update set value = excluded.value"),
                        AX_STORE_PARAMS(ax_store_i64(run.key), ax_store_text(AX_STR(MODEL_HISTORY)),
                                        ax_store_text(ax_writer_str(&text))),
                        NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

/* ---- showing and searching ---- */

ax_status
ax_run_show(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
            struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_run_row run = {};
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_READ, &tx));
    AX_TRY(find(tx, ctx, id, &run));
    return ax_runs_show(tx, ctx, ax_experiments_shown(experiments),
                        &(struct ax_run_keys){&run.key, 1}, out);
}
