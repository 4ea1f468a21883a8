/* Registered models, versions and files of an import. */
#include "mlops/registered_version.h"
#include "mlops/tracking_import_parts.h"
#include "sys/file.h"

enum { SHOWN_BYTES_MAX = 64 << 20, DEPTH_MAX = 64 };

/* ---- registered models ---- */

static ax_status
import_model(struct ax_import *import, struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str name,
             ax_str description)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(SHOWN_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    struct ax_registered_model_new made = {.name = name, .description = description};
    AX_TRY(ax_import_pairs(tx, ctx,
                           "select key, coalesce(value, '') from registered_model_tags where name "
                           "= $1",
                           AX_STORE_PARAMS(ax_store_text(name)), &made.tags));
    ax_status status = ax_registered_model_create(import->config->registry, ctx, &made, &json);
    if (status == AX_CONFLICT) { /* by the import that was cut */
        ctx->error[0] = '\0';
        status = AX_OK;
    }
    import->counts->registered_models++;
    return status;
}

static ax_status
import_version(struct ax_import *import, struct ax_store_tx *tx, struct ax_ctx *ctx,
               struct ax_registered_version_new *made, ax_str stage)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(SHOWN_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    struct ax_registry *registry = import->config->registry;
    struct ax_version_record record;
    AX_TRY(ax_import_pairs(tx, ctx,
                           "select key, coalesce(value, '') from model_version_tags where name = "
                           "$1 and version = $2",
                           AX_STORE_PARAMS(ax_store_text(made->model), ax_store_i64(made->version)),
                           &made->tags));
    AX_TRY(ax_import_moved(import, ctx, made->source, &made->source));
    import->counts->versions++;
    ax_status status =
        ax_registry_version(registry, ctx, NULL, made->model, made->version, &record);
    if (status == AX_NOT_FOUND) {
        ctx->error[0] = '\0';
        status = ax_registered_version_create(registry, ctx, made, &json);
    }
    AX_TRY(status);
    if (stage.len == 0 || ax_str_eq(stage, AX_STR("None")))
        return AX_OK;
    const struct ax_registered_version_move move = {
        .model = made->model, .version = made->version, .stage = stage};
    return ax_registered_version_transition(registry, ctx, &move, &json);
}

static ax_status
import_versions(struct ax_import *import, struct ax_ctx *ctx)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_begin(import->config->source, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(
        tx, ctx,
        AX_STR("select name, cast(version as bigint), coalesce(description, ''), coalesce(source, "
               "''), coalesce(run_id, ''), coalesce(run_link, ''), coalesce(current_stage, '') "
               "from model_versions where current_stage <> 'Deleted_Internal' order by name, "
               "version"),
        AX_STORE_NO_PARAMS, &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        struct ax_registered_version_new made = {.model = ax_store_read_text(rows, 0),
                                                 .version = ax_store_read_i64(rows, 1),
                                                 .description = ax_store_read_text(rows, 2),
                                                 .source = ax_store_read_text(rows, 3),
                                                 .run_id = ax_store_read_text(rows, 4),
                                                 .run_link = ax_store_read_text(rows, 5),
                                                 .logged_model_id = AX_STR(""),
                                                 .artifacts = import->config->artifacts};
        if (ax_str_starts(made.source, AX_STR("models:/m-")))
            made.logged_model_id = ax_str_from(made.source, strlen("models:/"));
        ax_str stage = ax_store_read_text(rows, 6);
        ax_str what = ax_str_printf(ctx->arena, "model %.*s, version %lld", AX_FMT(made.model),
                                    (long long)made.version);
        status = ax_import_problem(import, ctx, import_version(import, tx, ctx, &made, stage),
                                   what.at ? what : made.model);
    }
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

/* Databases of the first versions have no aliases. */
static ax_status
import_aliases(struct ax_import *import, struct ax_ctx *ctx)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(import->config->source, ctx, AX_STORE_READ, &tx));
    ax_status status = ax_store_query(tx, ctx,
                                      AX_STR("select name, alias, cast(version as bigint) from "
                                             "registered_model_aliases order by name, alias"),
                                      AX_STORE_NO_PARAMS, &rows);
    if (status == AX_INTERNAL) {
        ctx->error[0] = '\0';
        return AX_OK;
    }
    AX_TRY(status);
    while (status == AX_OK && ax_store_next(rows)) {
        ax_str name = ax_store_read_text(rows, 0), alias = ax_store_read_text(rows, 1);
        status = ax_registered_model_set_alias(import->config->registry, ctx, name, alias,
                                               ax_store_read_i64(rows, 2));
        import->counts->aliases += status == AX_OK;
        ax_str what = ax_str_printf(ctx->arena, "alias %.*s of %.*s", AX_FMT(alias), AX_FMT(name));
        status = ax_import_problem(import, ctx, status, what.at ? what : name);
    }
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

ax_status
ax_import_registry(struct ax_import *import, struct ax_ctx *ctx)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_begin(import->config->source, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(
        tx, ctx,
        AX_STR("select name, coalesce(description, '') from registered_models order by name"),
        AX_STORE_NO_PARAMS, &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        ax_str name = ax_store_read_text(rows, 0), description = ax_store_read_text(rows, 1);
        status =
            ax_import_problem(import, ctx, import_model(import, tx, ctx, name, description), name);
    }
    ax_status end = ax_store_finish(rows);
    AX_TRY(status == AX_OK ? end : status);
    AX_TRY(import_versions(import, ctx));
    return import_aliases(import, ctx);
}

/* ---- files ---- */

static ax_status
copy_file(struct ax_import *import, struct ax_ctx *ctx, ax_str from, ax_str to)
{
    ax_str bytes;
    AX_TRY(ax_file_map(ctx, from, &bytes));
    ax_str given = bytes.at ? bytes : AX_STR("");
    ax_status status = ax_artifacts_put(import->config->artifacts, ctx, to, given);
    if (status == AX_OK) {
        import->counts->files++;
        import->counts->file_bytes += given.len;
        ax_import_progress(import, "files", import->counts->files, 0);
    }
    if (bytes.at)
        ax_file_unmap(bytes);
    return status;
}

struct folder {
    ax_str from, to;
    size_t depth;
};

/* Everything below a folder, with a list of what is still to be walked instead of recursion. */
static ax_status
copy_folder(struct ax_import *import, struct ax_ctx *ctx, ax_str from, ax_str to)
{
    struct {
        AX_ARRAY(struct folder)
    } folders = {};
    struct folder *first = AX_ARRAY_PUSH(ctx->arena, &folders);
    if (!first)
        return ax_import_no_memory(ctx);
    *first = (struct folder){from, to, 0};
    while (folders.count) {
        struct folder folder = folders.items[--folders.count];
        ax_str *names;
        size_t count;
        AX_TRY(ax_file_list(ctx, folder.from, &names, &count));
        for (size_t i = 0; i < count; i++) {
            ax_str source = ax_path_join(ctx->arena, folder.from, names[i]);
            ax_str target =
                folder.to.len ? ax_path_join(ctx->arena, folder.to, names[i]) : names[i];
            if (!source.at || !target.at)
                return ax_import_no_memory(ctx);
            if (!ax_file_is_folder(source)) {
                AX_TRY(
                    ax_import_problem(import, ctx, copy_file(import, ctx, source, target), source));
                continue;
            }
            struct folder *next =
                folder.depth < DEPTH_MAX ? AX_ARRAY_PUSH(ctx->arena, &folders) : NULL;
            if (!next)
                return ax_fail(ctx, AX_LIMIT, "%.*s: too deep, or no memory", AX_FMT(source));
            *next = (struct folder){source, target, folder.depth + 1};
        }
    }
    return AX_OK;
}

/* Folders of this machine, and what MLflow's server kept for its clients. */
ax_status
ax_import_files(struct ax_import *import, struct ax_ctx *ctx)
{
    bool proxied = false;
    if (import->config->has_files)
        return AX_OK;
    for (size_t i = 0; i < import->places.count; i++) {
        const struct ax_import_place *place = &import->places.items[i];
        proxied = proxied || place->proxied;
        if (place->old.len && ax_file_is_folder(place->old))
            AX_TRY(copy_folder(import, ctx, place->old, place->id));
    }
    if (import->config->folder.len)
        return copy_folder(import, ctx, import->config->folder, AX_STR(""));
    if (!proxied)
        return AX_OK;
    ax_status status = ax_fail(ctx, AX_INVALID,
                               "experiments keep files with MLflow's server: --artifacts names the "
                               "folder of its --artifacts-destination");
    return ax_import_problem(import, ctx, status, AX_STR("artifacts"));
}
