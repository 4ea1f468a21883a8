#include "mlops/tracking_mirror_parts.h"

#include "base/number.h"
#include "sys/crypto.h"

enum { ARENA_BYTES_MAX = 256 << 20 };

static const char tables[] =
    "create table if not exists experiments (experiment_id integer primary key, name text unique, "
    "artifact_location text, lifecycle_stage text, creation_time bigint, last_update_time bigint);"
    "create table if not exists experiment_tags (key text, value text, experiment_id integer, "
    "primary key (key, "
    "experiment_id));"
    "create table if not exists runs (run_uuid text primary key, name text, source_type text, "
    "source_name text, "
    "entry_point_name text, user_id text, status text check (status in ('SCHEDULED', 'FAILED', "
    "'FINISHED', 'RUNNING', 'KILLED')), start_time bigint, end_time bigint, source_version text, "
    "lifecycle_stage text check (lifecycle_stage in ('active', 'deleted')), artifact_uri text, "
    "experiment_id integer, deleted_time bigint);"
    "create table if not exists metrics (key text, value double precision, timestamp bigint, "
    "run_uuid text, step "
    "bigint, is_nan boolean, primary key (key, timestamp, step, run_uuid, value, is_nan));"
    "create index if not exists metrics_of_runs on metrics (run_uuid);"
    "create table if not exists latest_metrics (key text, value double precision, timestamp "
    "bigint, step bigint, "
    "is_nan boolean, run_uuid text, primary key (key, run_uuid));"
    "create table if not exists params (key text, value text, run_uuid text, primary key (key, "
    "run_uuid));"
    "create index if not exists params_of_runs on params (run_uuid);"
    "create table if not exists tags (key text, value text, run_uuid text, primary key (key, "
    "run_uuid));"
    "create index if not exists tags_of_runs on tags (run_uuid);"
    "create table if not exists datasets (dataset_uuid text, experiment_id integer, name text, "
    "digest text, "
    "dataset_source_type text, dataset_source text, dataset_schema text, dataset_profile text, "
    "primary key (experiment_id, name, digest));"
    "create index if not exists datasets_by_id on datasets (dataset_uuid);"
    "create table if not exists inputs (input_uuid text, source_type text, source_id text, "
    "destination_type "
    "text, destination_id text, step bigint default 0, primary key (source_type, source_id, "
    "destination_type, destination_id));"
    "create index if not exists inputs_of on inputs (destination_id);"
    "create table if not exists input_tags (input_uuid text, name text, value text, primary key "
    "(input_uuid, "
    "name));"
    "create table if not exists logged_models (model_id text primary key, experiment_id integer, "
    "name text, "
    "artifact_location text, creation_timestamp_ms bigint, last_updated_timestamp_ms bigint, "
    "status integer, lifecycle_stage text, model_type text, source_run_id text, status_message "
    "text);"
    "create table if not exists logged_model_metrics (model_id text, metric_name text, "
    "metric_timestamp_ms "
    "bigint, metric_step bigint, metric_value double precision, experiment_id integer, run_id "
    "text, dataset_uuid text, dataset_name text, dataset_digest text, primary key (model_id, "
    "metric_name, metric_timestamp_ms, metric_step, run_id));"
    "create index if not exists model_metrics_of_runs on logged_model_metrics (run_id);"
    "create table if not exists logged_model_params (model_id text, experiment_id integer, "
    "param_key text, "
    "param_value text, primary key (model_id, param_key));"
    "create table if not exists logged_model_tags (model_id text, experiment_id integer, tag_key "
    "text, tag_value "
    "text, primary key (model_id, tag_key));"
    "create table if not exists registered_models (name text primary key, creation_time bigint, "
    "last_updated_time bigint, description text);"
    "create table if not exists registered_model_tags (key text, value text, name text, primary "
    "key (key, name));"
    "create table if not exists registered_model_aliases (alias text, version integer, name text, "
    "primary key "
    "(name, alias));"
    "create table if not exists model_versions (name text, version integer, creation_time bigint, "
    "last_updated_time bigint, description text, user_id text, current_stage text, source text, "
    "run_id text, status text, status_message text, run_link text, storage_location text, primary "
    "key (name, version));"
    "create table if not exists model_version_tags (key text, value text, name text, version "
    "integer, primary "
    "key (key, name, version));";

/* ---- what the files share ---- */

ax_store_value
ax_mirror_text(ax_str text)
{
    return text.len ? ax_store_text(text) : ax_store_null();
}

ax_status
ax_mirror_id(struct ax_ctx *ctx, const ax_str *pieces, size_t count, ax_str *out_id)
{
    enum { ID_CHARS = 32 };
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str all = ax_digest_hex(ax_sha256_of(pieces, count), hex);
    return ax_str_copy(ctx->arena, (ax_str){all.at, ID_CHARS}, out_id) ? AX_OK
                                                                       : ax_import_no_memory(ctx);
}

ax_status
ax_mirror_uri(struct ax_ctx *ctx, ax_str uri, ax_str *out_uri)
{
    size_t at = ax_str_find(uri, AX_STR(AX_ARTIFACTS_ROUTE "/"));
    ax_str rest = uri, host;
    *out_uri = uri;
    if (ax_str_starts(uri, AX_STR(AX_ARTIFACTS_SCHEME "//"))) {
        rest = ax_str_from(uri, strlen(AX_ARTIFACTS_SCHEME "//"));
        (void)ax_str_cut(&rest, '/', &host);
    } else if (ax_str_starts(uri, AX_STR("http")) && at != SIZE_MAX) {
        rest = ax_str_from(uri, at + strlen(AX_ARTIFACTS_ROUTE "/"));
    } else {
        return AX_OK;
    }
    *out_uri = ax_str_printf(ctx->arena, AX_ARTIFACTS_SCHEME "/%.*s", AX_FMT(rest));
    return out_uri->at ? AX_OK : ax_import_no_memory(ctx);
}

ax_status
ax_mirror_has(struct ax_mirror *mirror, struct ax_ctx *ctx, const char *sql, ax_store_params params,
              bool *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t count;
    AX_TRY(ax_store_begin(mirror->config->to, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_get_i64(tx, ctx, ax_str_of(sql), params, &count));
    *out = count > 0;
    return AX_OK;
}

ax_status
ax_mirror_put_pairs(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_mirror_pairs *pairs,
                    const struct ax_json *items, uint64_t *counted)
{
    size_t count = ax_json_count(items), each = 2 + pairs->owner.count, at = 0;
    if (count == 0)
        return AX_OK;
    ax_store_value *values = AX_NEW_ARRAY(ctx->arena, ax_store_value, count * each);
    ax_store_params *params = AX_NEW_ARRAY(ctx->arena, ax_store_params, count);
    if (!values || !params)
        return ax_import_no_memory(ctx);
    struct ax_json_iter it = ax_json_iter_of(items);
    for (; ax_json_next(&it); at++) {
        ax_store_value *value = values + at * each;
        ax_str key, text;
        AX_TRY(ax_tracking_source_text(ctx, it.value, pairs->key_name, &key));
        AX_TRY(ax_tracking_source_may_text(ctx, it.value, "value", &text));
        value[0] = ax_store_text(key);
        value[1] = ax_store_text(text);
        for (size_t i = 0; i < pairs->owner.count; i++)
            value[2 + i] = pairs->owner.items[i];
        params[at] = (ax_store_params){value, each};
    }
    if (counted)
        *counted += count;
    return ax_store_run_each(tx, ctx, ax_str_of(pairs->sql), params, count, NULL);
}

/* ---- tables ---- */

ax_status
ax_tracking_mirror_tables(struct ax_ctx *ctx, struct ax_store *store)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_script(tx, ctx, ax_str_of(tables)));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_tracking_mirror_check_unused(struct ax_ctx *ctx, struct ax_store *store)
{
    static const struct {
        const char *sql, *what;
    } counts[] = {
        {"select count(*) from runs", "runs"},
        {"select count(*) from experiments where experiment_id <> 0", "experiments"},
        {"select count(*) from registered_models", "registered models"},
        {"select count(*) from trace_info", "traces"},
        {"select count(*) from datasets", "datasets"},
    };
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t count;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_READ, &tx));
    ax_status status = ax_store_get_i64(tx, ctx, AX_STR("select count(*) from alembic_version"),
                                        AX_STORE_NO_PARAMS, &count);
    if (status == AX_INTERNAL || (status == AX_OK && count == 0))
        return ax_fail(ctx, AX_UNSUPPORTED,
                       "MLflow has made no tables in it: let MLflow make them first, by "
                       "MLFLOW_TRACKING_URI=sqlite:///FILE mlflow experiments search");
    AX_TRY(status);
    for (size_t i = 0; i < AX_COUNT_OF(counts); i++) {
        AX_TRY(ax_store_get_i64(tx, ctx, ax_str_of(counts[i].sql), AX_STORE_NO_PARAMS, &count));
        if (count)
            return ax_fail(ctx, AX_CONFLICT,
                           "it holds %lld %s: an export goes into a database that nobody has used",
                           (long long)count, counts[i].what);
    }
    return AX_OK;
}

/* ---- experiments ---- */

static ax_status
add_place(struct ax_mirror *mirror, struct ax_ctx *ctx, ax_str id, ax_str location)
{
    struct ax_mirror_place *place = AX_ARRAY_PUSH(mirror->import.arena, &mirror->places);
    ax_str path = AX_STR("");
    if (!place)
        return ax_import_no_memory(ctx);
    place->keeping = AX_MIRROR_ELSEWHERE;
    if (ax_str_starts(location, AX_STR(AX_ARTIFACTS_SCHEME))) {
        place->keeping = AX_MIRROR_PROXIED;
        path = ax_str_from(location, strlen(AX_ARTIFACTS_SCHEME));
        while (ax_str_starts(path, AX_STR("/")))
            path = ax_str_from(path, 1);
    } else if (ax_import_local_folder(location).len && mirror->config->folders_too) {
        place->keeping = AX_MIRROR_FOLDER;
    }
    if (!ax_str_copy(mirror->import.arena, id, &place->id) ||
        !ax_str_copy(mirror->import.arena, path, &place->path))
        return ax_import_no_memory(ctx);
    return AX_OK;
}

struct experiment {
    ax_str id, name, location, stage;
    int64_t number, created_ms, updated_ms;
};

static ax_status
read_experiment(struct ax_ctx *ctx, const struct ax_json *item, struct experiment *out)
{
    AX_TRY(ax_tracking_source_text(ctx, item, "experiment_id", &out->id));
    AX_TRY(ax_tracking_source_text(ctx, item, "name", &out->name));
    AX_TRY(ax_tracking_source_may_text(ctx, item, "artifact_location", &out->location));
    AX_TRY(ax_tracking_source_text(ctx, item, "lifecycle_stage", &out->stage));
    AX_TRY(ax_tracking_source_may_i64(ctx, item, "creation_time", &out->created_ms));
    AX_TRY(ax_tracking_source_may_i64(ctx, item, "last_update_time", &out->updated_ms));
    if (!ax_parse_i64(out->id, &out->number) || out->number < 0)
        return ax_fail(ctx, AX_CORRUPT, "experiment id \"%.*s\" is no whole number",
                       AX_FMT(out->id));
    return ax_mirror_uri(ctx, out->location, &out->location);
}

static ax_status
mirror_experiment(void *arg, struct ax_ctx *ctx, const struct ax_json *item)
{
    struct ax_mirror *mirror = arg;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct experiment one = {};
    const struct ax_json *tags;
    AX_TRY(read_experiment(ctx, item, &one));
    AX_TRY(ax_tracking_source_items(ctx, item, "tags", &tags));
    AX_TRY(ax_store_begin(mirror->config->to, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("insert into experiments (experiment_id, name, artifact_location, lifecycle_stage, "
               "creation_time, last_update_time) values ($1, $2, $3, $4, $5, $6) on conflict "
               "(experiment_id) do update set name = excluded.name, artifact_location = "
               "excluded.artifact_location, lifecycle_stage = excluded.lifecycle_stage, "
               "creation_time = excluded.creation_time, last_update_time = "
               "excluded.last_update_time"),
        AX_STORE_PARAMS(ax_store_i64(one.number), ax_store_text(one.name),
                        ax_store_text(one.location), ax_store_text(one.stage),
                        ax_store_i64(one.created_ms), ax_store_i64(one.updated_ms)),
        NULL));
    const struct ax_mirror_pairs pairs = {
        .sql = "insert into experiment_tags (key, value, experiment_id) values ($1, $2, $3) on "
               "conflict (key, experiment_id) do update set value = excluded.value",
        .key_name = "key",
        .owner = AX_STORE_PARAMS(ax_store_i64(one.number))};
    AX_TRY(ax_mirror_put_pairs(tx, ctx, &pairs, tags, NULL));
    AX_TRY(ax_store_commit(ax_take(tx), ctx));
    ax_import_progress(&mirror->import, "experiments", ++mirror->import.counts->experiments, 0);
    return add_place(mirror, ctx, one.id, one.location);
}

static ax_status
mirror_experiments(struct ax_mirror *mirror, struct ax_ctx *ctx)
{
    const struct ax_tracking_walk walk = {.ask = {.question = AX_TRACKING_EXPERIMENTS},
                                          .member = "experiments",
                                          .one = mirror_experiment,
                                          .arg = mirror};
    return ax_tracking_source_walk(mirror->config->source, ctx, &walk);
}

/* ---- the end ---- */

/* As many of each as were shown; more or fewer means that somebody wrote to the source. */
static ax_status
check_counts(struct ax_mirror *mirror, struct ax_ctx *ctx)
{
    struct ax_tracking_import_counts *counts = mirror->import.counts;
    const struct {
        const char *sql, *what;
        uint64_t shown;
    } rows[] = {
        {"select count(*) from experiments", "experiments", counts->experiments},
        {"select count(*) from runs", "runs", mirror->runs_listed},
        {"select count(*) from registered_models", "registered models", counts->registered_models},
        {"select count(*) from model_versions", "versions", counts->versions},
    };
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t count;
    AX_TRY(ax_store_begin(mirror->config->to, ctx, AX_STORE_READ, &tx));
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++) {
        AX_TRY(ax_store_get_i64(tx, ctx, ax_str_of(rows[i].sql), AX_STORE_NO_PARAMS, &count));
        if ((uint64_t)count == rows[i].shown)
            continue;
        counts->differences++;
        ax_status status = ax_fail(ctx, AX_CORRUPT,
                                   "%llu were shown and %lld are here: was the source written to "
                                   "meanwhile?",
                                   (unsigned long long)rows[i].shown, (long long)count);
        AX_TRY(ax_import_problem(&mirror->import, ctx, status, ax_str_of(rows[i].what)));
    }
    return AX_OK;
}

static ax_status
check_runs(struct ax_mirror *mirror, struct ax_ctx *ctx)
{
    return ax_import_step(&mirror->import, ctx, ax_import_check_runs);
}

ax_status
ax_tracking_mirror(const struct ax_tracking_mirror *config, struct ax_ctx *ctx,
                   struct ax_tracking_import_counts *out_counts)
{
    static ax_status (*const steps[])(struct ax_mirror * mirror, struct ax_ctx * ctx) = {
        mirror_experiments, ax_mirror_runs, ax_mirror_models, ax_mirror_registry,
        ax_mirror_files,    check_counts,   check_runs};
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(ARENA_BYTES_MAX);
    const struct ax_tracking_import as_import = {.source = config->to,
                                                 .on_progress = config->on_progress,
                                                 .on_problem = config->on_problem,
                                                 .arg = config->arg};
    struct ax_mirror mirror = {
        .config = config,
        .import = {
            .config = &as_import, .counts = out_counts, .against = config->source, .arena = arena}};
    *out_counts = (struct ax_tracking_import_counts){};
    if (!arena)
        return ax_import_no_memory(ctx);
    AX_TRY(ax_import_has_models(&mirror.import, ctx, &mirror.models));
    for (size_t i = 0; i < AX_COUNT_OF(steps); i++)
        AX_TRY(steps[i](&mirror, ctx));
    return AX_OK;
}
