#include "server/mlflow_import.h"

#include "base/fault.h"
#include "mlops/tracking_mirror.h"
#include "mlops/tracking_source_http.h"
#include "server/adapters.h"
#include "sys/file.h"

#define SQLITE "sqlite:///"

const struct ax_actor ax_mlflow_import_actor = {.id = {"import", 6},
                                                .authenticated_by = {"data_dir", 8}};

/* Where it works: a folder of the data directory that the next start empties. */
static ax_status
work_folder(struct ax_ctx *ctx, const struct ax_services *services, ax_str *out)
{
    *out = ax_path_join(ctx->arena, services->dir.root, AX_STR("import"));
    if (!out->at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    return ax_file_make_folders(ctx, *out);
}

ax_status
ax_mlflow_import_copy(struct ax_ctx *ctx, ax_str from, ax_str to)
{
    ax_str bytes;
    AX_TRY(ax_file_map(ctx, from, &bytes));
    ax_status status = ax_file_write_atomic(ctx, to, bytes.at ? bytes : AX_STR(""));
    if (bytes.at)
        ax_file_unmap(bytes);
    return status;
}

/* A copy is opened: what SQLite does to a file of its own, and to its log, stays ours. */
static ax_status
open_sqlite(struct ax_ctx *ctx, ax_str path, ax_str folder, struct ax_store **out_store)
{
    ax_str copy = ax_path_join(ctx->arena, folder, AX_STR("source.db"));
    ax_str log = ax_str_printf(ctx->arena, "%.*s-wal", AX_FMT(path));
    ax_str log_copy = ax_str_printf(ctx->arena, "%.*s-wal", AX_FMT(copy));
    if (!copy.at || !log.at || !log_copy.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    AX_TRY(ax_mlflow_import_copy(ctx, path, copy));
    if (ax_file_exists(log))
        AX_TRY(ax_mlflow_import_copy(ctx, log, log_copy));
    return ax_adapters_foreign_sqlite(ctx, copy, out_store);
}

bool
ax_mlflow_import_is_server(ax_str from)
{
    return ax_str_starts(from, AX_STR("http://")) || ax_str_starts(from, AX_STR("https://"));
}

static ax_status
open_source(struct ax_ctx *ctx, ax_str from, ax_str folder, struct ax_store **out_store)
{
    if (ax_str_starts(from, AX_STR(SQLITE)))
        return open_sqlite(ctx, ax_str_from(from, strlen(SQLITE)), folder, out_store);
    if (ax_str_starts(from, AX_STR("postgresql")))
        return ax_adapters_foreign_postgres(ctx, from, out_store);
    return ax_fail(ctx, AX_UNSUPPORTED,
                   "\"%.*s\" cannot be read: sqlite:///FILE or postgresql://... is, the database "
                   "behind MLflow's --backend-store-uri, or a server at http://HOST:PORT",
                   AX_FMT(from));
}

ax_status
ax_mlflow_import_open(struct ax_ctx *ctx, ax_str data_dir, struct ax_services *services)
{
    ax_server_settings_defaults(&services->settings);
    services->dir.lock.fd = -1;
    AX_TRY(ax_data_dir_of(ctx, data_dir, AX_STR(""), &services->dir));
    if (ax_data_dir_is_development(ctx, &services->dir)) {
        AX_TRY(ax_data_dir_make_development(ctx, &services->dir));
        AX_TRY(ax_data_dir_hold(ctx, &services->dir));
        return ax_services_open_tracking(ctx, services);
    }
    AX_TRY(ax_data_dir_hold(ctx, &services->dir));
    ax_file lock = services->dir.lock;
    ax_status status = ax_server_settings_read(ctx, &services->settings, services->dir.settings);
    if (status == AX_OK)
        status = ax_data_dir_of(ctx, data_dir, services->settings.general.keys, &services->dir);
    services->dir.lock = lock;
    if (status != AX_OK) {
        ax_data_dir_release(&services->dir);
        return status;
    }
    AX_TRY(ax_services_open(ctx, services));
    if (services->store)
        return AX_OK;
    status = ax_fail(ctx, AX_UNAVAILABLE, "%s", services->store_words);
    ax_services_close(services);
    return status;
}

/* What both ways of importing have in common. */
struct moving {
    const struct ax_mlflow_import *import;
    struct ax_services *services;
    ax_str folder;
};

static ax_status
move_database(struct ax_ctx *ctx, const struct moving *moving, struct ax_store *source,
              bool is_mirror, struct ax_tracking_import_counts *out_counts)
{
    const struct ax_mlflow_import *import = moving->import;
    const struct ax_tracking_import config = {
        .source = source,
        .experiments = moving->services->experiments,
        .registry = moving->services->registry,
        .artifacts = moving->services->artifacts,
        .folder = import->artifacts,
        .has_files = is_mirror,
        .checkpoint = ax_path_join(ctx->arena, moving->folder, AX_STR("checkpoint")),
        .on_progress = import->on_progress,
        .on_problem = import->on_problem,
        .arg = import->arg,
    };
    if (!config.checkpoint.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    return ax_tracking_import(&config, ctx, out_counts);
}

/* ---- from a server ---- */

static ax_status
import_has_file(void *arg, struct ax_ctx *ctx, ax_str path, int64_t bytes, bool *out)
{
    struct ax_services *services = arg;
    struct ax_artifacts_place place;
    uint64_t there = 0;
    AX_TRY(ax_artifacts_at(services->artifacts, ctx, path, &place));
    ax_status status = ax_artifacts_size(services->artifacts, ctx, &place, &there);
    *out = status == AX_OK && there == (uint64_t)bytes;
    if (status != AX_NOT_FOUND)
        return status;
    ctx->error[0] = '\0';
    return AX_OK;
}

static ax_status
import_put_file(void *arg, struct ax_ctx *ctx, ax_str path, ax_str from)
{
    struct ax_services *services = arg;
    ax_str bytes;
    AX_TRY(ax_file_map(ctx, from, &bytes));
    ax_status status =
        ax_artifacts_put(services->artifacts, ctx, path, bytes.at ? bytes : AX_STR(""));
    if (bytes.at)
        ax_file_unmap(bytes);
    return status;
}

/* The server's contents in a database of their own, which a cut import finds again. */
static ax_status
mirror_server(struct ax_ctx *ctx, const struct moving *moving, struct ax_store *mirror,
              struct ax_tracking_import_counts *out_counts)
{
    ax_auto(ax_tracking_source_close) struct ax_tracking_source *source = NULL;
    const struct ax_mlflow_import *import = moving->import;
    const struct ax_tracking_source_http_config http = {
        .url = import->from, .authorization = import->authorization, .ca_file = import->ca_file};
    AX_TRY(ax_tracking_source_http_open(ctx, &http, &source));
    const struct ax_tracking_mirror config = {
        .source = source,
        .to = mirror,
        .folders_too = true,
        .has_file = import_has_file,
        .put_file = import_put_file,
        .scratch = ax_path_join(ctx->arena, moving->folder, AX_STR("download")),
        .on_progress = import->on_progress,
        .on_problem = import->on_problem,
        .arg = import->arg,
        .files = moving->services,
    };
    if (!config.scratch.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    AX_TRY(ax_tracking_mirror_tables(ctx, mirror));
    return ax_tracking_mirror(&config, ctx, out_counts);
}

static ax_status
move_server(struct ax_ctx *ctx, struct moving *moving, struct ax_tracking_import_counts *out_counts)
{
    ax_auto(ax_store_close) struct ax_store *mirror = NULL;
    struct ax_tracking_import_counts seen = {}, moved = {};
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str name = ax_digest_hex(ax_sha256(moving->import->from), hex);
    moving->folder = ax_path_join(ctx->arena, moving->folder, name);
    ax_str path = ax_path_join(ctx->arena, moving->folder, AX_STR("mirror.db"));
    if (!moving->folder.at || !path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    AX_TRY(ax_file_make_folders(ctx, moving->folder));
    AX_TRY(ax_adapters_foreign_sqlite(ctx, path, &mirror));
    ax_status status = mirror_server(ctx, moving, mirror, &seen);
    *out_counts = seen;
    AX_TRY(status);
    status = move_database(ctx, moving, mirror, true, &moved);
    *out_counts = moved;
    out_counts->files = seen.files;
    out_counts->file_bytes = seen.file_bytes;
    out_counts->problems += seen.problems;
    out_counts->differences += seen.differences;
    return status;
}

static ax_status
move(struct ax_ctx *ctx, const struct ax_mlflow_import *import, struct ax_services *services,
     struct ax_tracking_import_counts *out_counts)
{
    ax_auto(ax_store_close) struct ax_store *source = NULL;
    struct moving moving = {.import = import, .services = services};
    ax_str folder;
    AX_TRY(work_folder(ctx, services, &folder));
    moving.folder = folder;
    if (ax_mlflow_import_is_server(import->from)) {
        AX_TRY(move_server(ctx, &moving, out_counts));
    } else {
        AX_TRY(open_source(ctx, import->from, folder, &source));
        AX_TRY(move_database(ctx, &moving, source, false, out_counts));
        ax_store_close(ax_take(source));
    }
    if (services->ledger)
        AX_TRY(ax_services_settle(services, ctx));
    return ax_file_remove_tree(ctx, folder);
}

/* A directory made for a source that gave nothing. */
static void
remove_empty(struct ax_ctx *ctx, ax_str data_dir)
{
    struct ax_ctx second = ax_ctx_of(ctx->arena);
    ax_fault_benign_begin();
    ax_ignore(ax_file_remove_tree(&second, data_dir), "why there is nothing in it is told");
    ax_fault_benign_end();
}

ax_status
ax_mlflow_import(struct ax_ctx *ctx, const struct ax_mlflow_import *import,
                 struct ax_tracking_import_counts *out_counts)
{
    struct ax_services *services = AX_NEW(ctx->arena, struct ax_services);
    const struct ax_actor *before = ctx->actor;
    if (!services)
        return ax_fail(ctx, AX_LIMIT, "no memory for services");
    bool existed = ax_file_exists(import->data_dir);
    *out_counts = (struct ax_tracking_import_counts){};
    AX_TRY(ax_mlflow_import_open(ctx, import->data_dir, services));
    ctx->actor = &ax_mlflow_import_actor;
    ax_status status = move(ctx, import, services, out_counts);
    ctx->actor = before;
    ax_services_close(services);
    if (status != AX_OK && !existed && out_counts->experiments == 0)
        remove_empty(ctx, import->data_dir);
    return status;
}
