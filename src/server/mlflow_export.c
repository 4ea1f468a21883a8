#include "server/mlflow_export.h"

#include "mlops/tracking_mirror.h"
#include "mlops/tracking_source_http.h"
#include "mlops/tracking_source_own.h"
#include "server/adapters.h"
#include "server/mlflow_import.h"
#include "sys/file.h"

enum { NOTE_BYTES_MAX = 64 << 10 };

#define SQLITE "sqlite:///"

/* Paths of one export, all made at its begin. */
struct target {
    ax_str database; /* MLflow's */
    ax_str work;     /* folder beside it */
    ax_str copy;     /* in work: what is filled */
    ax_str probe;    /* in work: what the database holds is looked up in a copy */
    ax_str done;     /* in work: what replaces the database */
    ax_str note;     /* in work: what is exported, and into which folder */
    ax_str artifacts, scratch;
};

/* ---- where it goes ---- */

static ax_status
find_target(struct ax_ctx *ctx, const struct ax_mlflow_export *export, struct target *out)
{
    if (!ax_str_starts(export->to, AX_STR(SQLITE)) || export->to.len == strlen(SQLITE))
        return ax_fail(
            ctx, AX_UNSUPPORTED,
            "\"%.*s\" cannot be written: sqlite:///FILE can, a database that MLflow made",
            AX_FMT(export->to));
    *out = (struct target){.database = ax_str_from(export->to, strlen(SQLITE)),
                           .artifacts = export->artifacts,
                           .scratch = AX_STR("")};
    out->work = ax_str_printf(ctx->arena, "%.*s.part", AX_FMT(out->database));
    out->copy = ax_path_join(ctx->arena, out->work, AX_STR("mlflow.db"));
    out->probe = ax_path_join(ctx->arena, out->work, AX_STR("probe.db"));
    out->done = ax_path_join(ctx->arena, out->work, AX_STR("done.db"));
    out->note = ax_path_join(ctx->arena, out->work, AX_STR("source"));
    if (export->artifacts.len)
        out->scratch = ax_path_join(ctx->arena, export->artifacts, AX_STR(".axiom-part"));
    if (!out->copy.at || !out->probe.at || !out->done.at || !out->note.at || !out->scratch.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    if (ax_file_exists(out->database))
        return AX_OK;
    return ax_fail(ctx, AX_NOT_FOUND,
                   "there is no %.*s: let MLflow make it, by MLFLOW_TRACKING_URI=%.*s mlflow "
                   "experiments search",
                   AX_FMT(out->database), AX_FMT(export->to));
}

/* A copy is looked into: SQLite would change the file itself by opening it. */
static ax_status
check_unused(struct ax_ctx *ctx, const struct target *target)
{
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    AX_TRY(ax_mlflow_import_copy(ctx, target->database, target->probe));
    AX_TRY(ax_adapters_foreign_sqlite(ctx, target->probe, &store));
    ax_status status = ax_tracking_mirror_check_unused(ctx, store);
    if (status != AX_OK)
        return ax_explain(ctx, status, "%.*s", AX_FMT(target->database));
    return AX_OK;
}

static ax_status
check_artifacts(struct ax_ctx *ctx, const struct target *target)
{
    ax_str *names;
    size_t count = 0;
    if (target->artifacts.len == 0 || !ax_file_exists(target->artifacts))
        return AX_OK;
    AX_TRY(ax_file_list(ctx, target->artifacts, &names, &count));
    if (count == 0)
        return AX_OK;
    return ax_fail(ctx, AX_CONFLICT, "%.*s holds other things: files go into an empty folder",
                   AX_FMT(target->artifacts));
}

static ax_status
begin_anew(struct ax_ctx *ctx, const struct target *target, ax_str note)
{
    AX_TRY(check_artifacts(ctx, target));
    AX_TRY(ax_file_remove_tree(ctx, target->work));
    AX_TRY(ax_file_make_folders(ctx, target->work));
    ax_status status = check_unused(ctx, target);
    if (status == AX_OK)
        return ax_file_write_atomic(ctx, target->note, note);
    struct ax_ctx second = ax_ctx_of(ctx->arena);
    ax_ignore(ax_file_remove_tree(&second, target->work), "why it is not used is told");
    return status;
}

/* The copy that is filled: of an export that was cut, or a new one. */
static ax_status
prepare(struct ax_ctx *ctx, const struct ax_mlflow_export *export, const struct target *target)
{
    ax_str note =
        ax_str_printf(ctx->arena, "%.*s\n%.*s\n", AX_FMT(export->from), AX_FMT(export->artifacts));
    ax_str was = AX_STR("");
    if (!note.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for an export");
    if (ax_file_exists(target->note))
        AX_TRY(ax_file_read_all(ctx, target->note, NOTE_BYTES_MAX, &was));
    if (was.len == 0)
        AX_TRY(begin_anew(ctx, target, note));
    else if (!ax_str_eq(was, note))
        return ax_fail(ctx, AX_CONFLICT,
                       "an export of something else was cut here: without the folder %.*s it "
                       "begins anew",
                       AX_FMT(target->work));
    if (target->artifacts.len)
        AX_TRY(ax_file_make_folders(ctx, target->artifacts));
    return ax_file_exists(target->copy)
               ? AX_OK
               : ax_mlflow_import_copy(ctx, target->database, target->copy);
}

/* ---- files ---- */

/* A file keeps its name as it is; the check is only that it leads nowhere else. */
static ax_status
export_path(const struct target *target, struct ax_ctx *ctx, ax_str path, ax_str *out)
{
    ax_str checked;
    AX_TRY(ax_artifacts_check_path(ctx, path, &checked));
    *out = ax_path_join(ctx->arena, target->artifacts, path);
    return out->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a path");
}

static ax_status
export_has_file(void *arg, struct ax_ctx *ctx, ax_str path, int64_t bytes, bool *out)
{
    uint64_t there = 0;
    ax_file file;
    ax_str at;
    AX_TRY(export_path(arg, ctx, path, &at));
    *out = false;
    if (!ax_file_exists(at))
        return AX_OK;
    AX_TRY(ax_file_open(ctx, at, AX_FILE_READ, &file));
    ax_status status = ax_file_size(ctx, file, &there);
    ax_file_close(&file);
    *out = status == AX_OK && there == (uint64_t)bytes;
    return status;
}

static ax_status
export_put_file(void *arg, struct ax_ctx *ctx, ax_str path, ax_str from)
{
    ax_file file;
    ax_str at;
    AX_TRY(export_path(arg, ctx, path, &at));
    AX_TRY(ax_file_make_folders(ctx, ax_path_folder(at)));
    AX_TRY(ax_file_open(ctx, from, AX_FILE_WRITE, &file));
    ax_status status = ax_file_sync(ctx, file);
    ax_file_close(&file);
    return status == AX_OK ? ax_file_rename(ctx, from, at) : status;
}

/* ---- all of it ---- */

static ax_status
fill(struct ax_ctx *ctx, const struct ax_mlflow_export *export, struct target *target,
     struct ax_tracking_source *source, struct ax_tracking_import_counts *out_counts)
{
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    struct ax_tracking_mirror config = {
        .source = source,
        .has_file = export_has_file,
        .put_file = export->artifacts.len ? export_put_file : NULL,
        .scratch = target->scratch,
        .on_progress = export->on_progress,
        .on_problem = export->on_problem,
        .arg = export->arg,
        .files = target,
    };
    AX_TRY(ax_adapters_foreign_sqlite(ctx, target->copy, &store));
    config.to = store;
    AX_TRY(ax_tracking_mirror(&config, ctx, out_counts));
    if (out_counts->differences == 0) {
        if (ax_file_exists(target->done))
            AX_TRY(ax_file_remove(ctx, target->done));
        return ax_store_backup(store, ctx, target->done);
    }
    return ax_fail(ctx, AX_CORRUPT,
                   "%llu things differ from their source, so %.*s stays as it was: stop who writes "
                   "to it and do it again",
                   (unsigned long long)out_counts->differences, AX_FMT(target->database));
}

/* What differs is made anew the next time; the files stay. */
static void
drop_copy(struct ax_ctx *ctx, const struct target *target)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    struct ax_ctx second = ax_ctx_of(ctx->arena);
    for (size_t i = 0; i < AX_COUNT_OF(ends); i++) {
        ax_str path = ax_str_printf(ctx->arena, "%.*s%s", AX_FMT(target->copy), ends[i]);
        if (path.at)
            ax_ignore(ax_file_remove(&second, path), "it may not be there");
    }
}

static ax_status
put_in_place(struct ax_ctx *ctx, const struct target *target)
{
    AX_TRY(check_unused(ctx, target)); /* nobody has begun to use it meanwhile */
    AX_TRY(ax_file_rename(ctx, target->done, target->database));
    if (target->scratch.len && ax_file_exists(target->scratch))
        AX_TRY(ax_file_remove(ctx, target->scratch));
    return ax_file_remove_tree(ctx, target->work);
}

static ax_status
export_from(struct ax_ctx *ctx, const struct ax_mlflow_export *export, struct target *target,
            struct ax_tracking_source *source, struct ax_tracking_import_counts *out_counts)
{
    AX_TRY(prepare(ctx, export, target));
    ax_status status = fill(ctx, export, target, source, out_counts);
    if (status == AX_CORRUPT)
        drop_copy(ctx, target);
    AX_TRY(status);
    return put_in_place(ctx, target);
}

static ax_status
export_directory(struct ax_ctx *ctx, const struct ax_mlflow_export *export, struct target *target,
                 struct ax_tracking_import_counts *out_counts)
{
    struct ax_services *services = AX_NEW(ctx->arena, struct ax_services);
    struct ax_tracking_source_own own;
    ax_str *names;
    size_t count = 0;
    if (!services)
        return ax_fail(ctx, AX_LIMIT, "no memory for services");
    if (ax_file_is_folder(export->from))
        AX_TRY(ax_file_list(ctx, export->from, &names, &count));
    if (count == 0)
        return ax_fail(ctx, AX_NOT_FOUND, "%.*s is no data directory", AX_FMT(export->from));
    const struct ax_actor *before = ctx->actor;
    AX_TRY(ax_mlflow_import_open(ctx, export->from, services));
    ctx->actor = &ax_mlflow_import_actor;
    ax_tracking_source_own_init(&own, services->experiments, services->registry,
                                services->artifacts);
    ax_status status = export_from(ctx, export, target, &own.base, out_counts);
    ctx->actor = before;
    ax_services_close(services);
    return status;
}

ax_status
ax_mlflow_export(struct ax_ctx *ctx, const struct ax_mlflow_export *export,
                 struct ax_tracking_import_counts *out_counts)
{
    ax_auto(ax_tracking_source_close) struct ax_tracking_source *source = NULL;
    struct target target;
    *out_counts = (struct ax_tracking_import_counts){};
    AX_TRY(find_target(ctx, export, &target));
    if (!ax_mlflow_import_is_server(export->from))
        return export_directory(ctx, export, &target, out_counts);
    const struct ax_tracking_source_http_config http = {
        .url = export->from, .authorization = export->authorization, .ca_file = export->ca_file};
    AX_TRY(ax_tracking_source_http_open(ctx, &http, &source));
    return export_from(ctx, export, &target, source, out_counts);
}
