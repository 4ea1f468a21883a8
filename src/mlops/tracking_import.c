#include "mlops/tracking_import_parts.h"

#include "base/number.h"
#include "mlops/tracking_source_own.h"
#include "sys/file.h"

enum { ARENA_BYTES_MAX = 64 << 20, STEP_BYTES_MAX = 1 << 30 };

ax_status
ax_import_no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for an import");
}

void
ax_import_progress(const struct ax_import *import, const char *what, uint64_t done, uint64_t total)
{
    if (import->config->on_progress)
        import->config->on_progress(import->config->arg, what, done, total);
}

ax_status
ax_import_problem(struct ax_import *import, struct ax_ctx *ctx, ax_status status, ax_str what)
{
    if (status == AX_OK || status == AX_LIMIT || status == AX_UNAVAILABLE || status == AX_TIMEOUT)
        return status;
    ax_str words = ax_str_printf(ctx->arena, "%.*s: %s", AX_FMT(what), ctx->error);
    ctx->error[0] = '\0';
    if (!words.at)
        return ax_import_no_memory(ctx);
    import->counts->problems++;
    if (import->config->on_problem)
        import->config->on_problem(import->config->arg, words);
    return AX_OK;
}

ax_status
ax_import_pairs(struct ax_store_tx *tx, struct ax_ctx *ctx, const char *sql, ax_store_params params,
                struct ax_experiment_pairs *out)
{
    struct {
        AX_ARRAY(struct ax_experiment_pair)
    } pairs = {};
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx, ax_str_of(sql), params, &rows));
    while (ax_store_next(rows)) {
        struct ax_experiment_pair *pair = AX_ARRAY_PUSH(ctx->arena, &pairs);
        if (!pair)
            return ax_import_no_memory(ctx);
        pair->key = ax_store_read_text(rows, 0);
        pair->value = ax_store_read_text(rows, 1);
    }
    out->items = pairs.items;
    out->count = pairs.count;
    return ax_store_finish(rows);
}

/* ---- where files are ---- */

ax_str
ax_import_local_folder(ax_str uri)
{
    if (ax_str_starts(uri, AX_STR("file://")))
        return ax_str_from(uri, strlen("file://"));
    if (ax_str_starts(uri, AX_STR("file:")))
        return ax_str_from(uri, strlen("file:"));
    return ax_str_starts(uri, AX_STR("/")) ? uri : AX_STR("");
}

ax_status
ax_import_moved(const struct ax_import *import, struct ax_ctx *ctx, ax_str uri, ax_str *out_uri)
{
    ax_str path = ax_import_local_folder(uri);
    *out_uri = uri;
    for (size_t i = 0; path.len && i < import->places.count; i++) {
        const struct ax_import_place *place = &import->places.items[i];
        if (place->old.len == 0 || !ax_str_starts(path, place->old))
            continue;
        ax_str rest = ax_str_from(path, place->old.len);
        if (rest.len && rest.at[0] != '/')
            continue;
        *out_uri = ax_str_printf(ctx->arena, AX_ARTIFACTS_SCHEME "/%.*s%.*s", AX_FMT(place->id),
                                 AX_FMT(rest));
        return out_uri->at ? AX_OK : ax_import_no_memory(ctx);
    }
    return AX_OK;
}

static ax_status
add_place(struct ax_import *import, struct ax_ctx *ctx, ax_str id, ax_str location)
{
    struct ax_import_place *place = AX_ARRAY_PUSH(import->arena, &import->places);
    if (!place || !ax_str_copy(import->arena, id, &place->id) ||
        !ax_str_copy(import->arena, ax_import_local_folder(location), &place->old))
        return ax_import_no_memory(ctx);
    place->proxied = ax_str_starts(location, AX_STR(AX_ARTIFACTS_SCHEME));
    return AX_OK;
}

/* ---- experiments ---- */

/* Whether the target has the experiment; CONFLICT when it is another one. */
static ax_status
find_experiment(struct ax_import *import, struct ax_ctx *ctx, ax_str id, ax_str name, bool *out)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(16 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_json *shown;
    ax_str there;
    ax_status status = ax_experiment_show(import->config->experiments, ctx, id, &json);
    *out = status == AX_OK;
    if (status == AX_NOT_FOUND) {
        ctx->error[0] = '\0';
        return AX_OK;
    }
    AX_TRY(status);
    AX_TRY(ax_json_parse(ctx, ax_writer_str(&text), NULL, &shown));
    AX_TRY(ax_json_need_text(ctx, shown, "name", &there));
    if (ax_str_eq(there, name))
        return AX_OK;
    return ax_fail(ctx, AX_CONFLICT,
                   "experiment %.*s is \"%.*s\" here and \"%.*s\" there: import into a folder that "
                   "nobody has tracked in",
                   AX_FMT(id), AX_FMT(there), AX_FMT(name));
}

static ax_status
import_experiment(struct ax_import *import, struct ax_store_tx *tx, struct ax_ctx *ctx,
                  struct ax_experiment_new *made)
{
    struct ax_experiments *experiments = import->config->experiments;
    bool found;
    ax_str id;
    AX_TRY(ax_import_pairs(tx, ctx,
                           "select key, coalesce(value, '') from experiment_tags where "
                           "cast(experiment_id as text) = $1",
                           AX_STORE_PARAMS(ax_store_text(made->id)), &made->tags));
    AX_TRY(add_place(import, ctx, made->id, made->artifact_location));
    if (ax_import_local_folder(made->artifact_location).len)
        made->artifact_location = AX_STR(""); /* the files come here */
    AX_TRY(find_experiment(import, ctx, made->id, made->name, &found));
    import->counts->experiments++;
    if (!found)
        return ax_experiment_create(experiments, ctx, made, &id);
    for (size_t i = 0; i < made->tags.count; i++)
        AX_TRY(ax_import_problem(
            import, ctx, ax_experiment_set_tag(experiments, ctx, made->id, made->tags.items[i]),
            made->id));
    return AX_OK;
}

static ax_status
import_experiments(struct ax_import *import, struct ax_ctx *ctx)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(import->config->source, ctx, AX_STORE_READ, &tx));
    ax_status status = ax_store_query(
        tx, ctx,
        AX_STR("select cast(experiment_id as text), name, coalesce(artifact_location, ''), "
               "coalesce(creation_time, 0) from experiments order by experiment_id"),
        AX_STORE_NO_PARAMS, &rows);
    if (status != AX_OK)
        return ax_explain(ctx, AX_UNSUPPORTED, "this is no MLflow database of version 2 or 3");
    while (status == AX_OK && ax_store_next(rows)) {
        struct ax_experiment_new made = {.id = ax_store_read_text(rows, 0),
                                         .name = ax_store_read_text(rows, 1),
                                         .artifact_location = ax_store_read_text(rows, 2),
                                         .created_ms = ax_store_read_i64(rows, 3)};
        status = import_experiment(import, tx, ctx, &made);
    }
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

ax_status
ax_import_delete_each(struct ax_import *import, struct ax_ctx *ctx, ax_str sql,
                      ax_status (*delete_one)(struct ax_experiments *experiments,
                                              struct ax_ctx *ctx, ax_str id))
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_begin(import->config->source, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx, sql, AX_STORE_NO_PARAMS, &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        status = delete_one(import->config->experiments, ctx, ax_store_read_text(rows, 0));
        if (status == AX_NOT_FOUND)
            status = AX_OK;
    }
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

/* Last of all: what is deleted takes nothing more. */
static ax_status
delete_experiments(struct ax_import *import, struct ax_ctx *ctx)
{
    return ax_import_delete_each(import, ctx,
                                 AX_STR("select cast(experiment_id as text) from experiments where "
                                        "lifecycle_stage = 'deleted'"),
                                 ax_experiment_delete);
}

/* Where an import goes on, an experiment that it had deleted takes runs again. */
static ax_status
restore_experiments(struct ax_import *import, struct ax_ctx *ctx)
{
    for (size_t i = 0; i < import->places.count; i++) {
        ax_status status =
            ax_experiment_restore(import->config->experiments, ctx, import->places.items[i].id);
        if (status != AX_NOT_FOUND)
            AX_TRY(status);
    }
    ctx->error[0] = '\0';
    return AX_OK;
}

ax_status
ax_import_step(struct ax_import *import, struct ax_ctx *ctx,
               ax_status (*run)(struct ax_import *import, struct ax_ctx *ctx))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(STEP_BYTES_MAX);
    if (!arena)
        return ax_import_no_memory(ctx);
    struct ax_ctx inside = *ctx;
    inside.arena = arena;
    ax_status status = run(import, &inside);
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "%s", inside.error);
}

ax_status
ax_tracking_import(const struct ax_tracking_import *config, struct ax_ctx *ctx,
                   struct ax_tracking_import_counts *out_counts)
{
    static ax_status (*const steps[])(struct ax_import * import, struct ax_ctx * ctx) = {
        import_experiments, restore_experiments,  ax_import_files,   ax_import_runs,
        ax_import_registry, ax_import_check_runs, delete_experiments};
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(ARENA_BYTES_MAX);
    struct ax_import import = {.config = config, .counts = out_counts, .arena = arena};
    struct ax_tracking_source_own own;
    ax_tracking_source_own_init(&own, config->experiments, config->registry, config->artifacts);
    import.against = &own.base;
    *out_counts = (struct ax_tracking_import_counts){};
    if (!arena)
        return ax_import_no_memory(ctx);
    for (size_t i = 0; i < AX_COUNT_OF(steps); i++)
        AX_TRY(ax_import_step(&import, ctx, steps[i]));
    if (config->checkpoint.len && ax_file_exists(config->checkpoint))
        return ax_file_remove(ctx, config->checkpoint);
    return AX_OK;
}
