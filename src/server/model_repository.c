#include "server/model_repository.h"

#include "base/alloc.h"
#include "sys/file.h"
#include "sys/mutex.h"

enum { MODEL_FILE_BYTES_MAX = 1 << 30 };

struct ax_model_repository {
    struct ax_model_server *server;
    const struct ax_model_repository_file *files;
    size_t file_count;
    struct ax_mutex mutex;
    struct ax_loaded_model **loaded; /* guarded by mutex: by file, a reference each, or NULL */
};

static ax_status
read_model(struct ax_ctx *ctx, const struct ax_model_repository_file *file,
           struct ax_loaded_model **out_model)
{
    ax_str bytes;
    struct ax_bundle bundle;
    AX_TRY(ax_file_read_all(ctx, file->path, MODEL_FILE_BYTES_MAX, &bytes));
    ax_status status = ax_bundle_is_container(bytes) ? ax_bundle_read(ctx, bytes, &bundle)
                                                     : ax_bundle_of_model(ctx, bytes, &bundle);
    if (status == AX_OK)
        status = ax_model_load(ctx, file->name, 1, false, &bundle, out_model);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "%.*s", AX_FMT(file->path));
}

/* A plan of what is loaded now. Under the mutex, or before anybody else knows the repository. */
static ax_status
publish(struct ax_model_repository *repository, struct ax_ctx *ctx)
{
    struct ax_loaded_model **models =
        AX_NEW_ARRAY(ctx->arena, struct ax_loaded_model *, repository->file_count + 1);
    struct ax_plan *plan;
    size_t count = 0;
    if (!models)
        return ax_fail(ctx, AX_LIMIT, "no memory for a plan");
    for (size_t i = 0; i < repository->file_count; i++)
        if (repository->loaded[i])
            models[count++] = ax_model_ref(repository->loaded[i]);
    AX_TRY(ax_plan_of_models(ctx, models, count, &plan)); /* takes them over, also on failure */
    return ax_model_server_swap(repository->server, ctx, plan);
}

ax_status
ax_model_repository_open(struct ax_ctx *ctx, struct ax_model_server *server,
                         const struct ax_model_repository_file *files, size_t file_count,
                         struct ax_model_repository **out_repository)
{
    struct ax_model_repository *repository = ax_alloc(sizeof *repository, 1);
    if (!repository)
        return ax_fail(ctx, AX_LIMIT, "no memory for models");
    repository->server = server;
    repository->files = files;
    repository->file_count = file_count;
    repository->loaded = ax_alloc(sizeof *repository->loaded, file_count + 1);
    ax_mutex_init(&repository->mutex);
    ax_status status = repository->loaded ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for models");
    for (size_t i = 0; status == AX_OK && i < file_count; i++)
        status = read_model(ctx, &files[i], &repository->loaded[i]);
    if (status == AX_OK)
        status = publish(repository, ctx);
    if (status != AX_OK) {
        ax_model_repository_close(repository);
        return status;
    }
    *out_repository = repository;
    return AX_OK;
}

void
ax_model_repository_close(struct ax_model_repository *repository)
{
    for (size_t i = 0; repository->loaded && i < repository->file_count; i++)
        if (repository->loaded[i])
            ax_model_unref(repository->loaded[i]);
    ax_mutex_done(&repository->mutex);
    ax_free(repository->loaded);
    ax_free(repository);
}

static ax_status
find(const struct ax_model_repository *repository, struct ax_ctx *ctx, ax_str name,
     size_t *out_index)
{
    for (size_t i = 0; i < repository->file_count; i++)
        if (ax_str_eq(repository->files[i].name, name)) {
            *out_index = i;
            return AX_OK;
        }
    return ax_fail(ctx, AX_NOT_FOUND, "no model file was given for '%.*s'", AX_FMT(name));
}

/* Puts a model, or none, in a file's place; on failure what was there goes on. */
static ax_status
replace(struct ax_model_repository *repository, struct ax_ctx *ctx, size_t index,
        struct ax_loaded_model *model)
{
    ax_mutex_lock(&repository->mutex);
    struct ax_loaded_model *before = repository->loaded[index];
    repository->loaded[index] = model;
    ax_status status = publish(repository, ctx);
    if (status != AX_OK)
        repository->loaded[index] = before;
    ax_mutex_unlock(&repository->mutex);
    struct ax_loaded_model *gone = status == AX_OK ? before : model;
    if (gone)
        ax_model_unref(gone);
    return status;
}

ax_status
ax_model_repository_load(struct ax_model_repository *repository, struct ax_ctx *ctx, ax_str name)
{
    struct ax_loaded_model *model;
    size_t index;
    ax_status status = find(repository, ctx, name, &index);
    if (status == AX_OK)
        status = read_model(ctx, &repository->files[index], &model);
    if (status == AX_OK)
        status = replace(repository, ctx, index, model);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "failed to load '%.*s'", AX_FMT(name));
}

ax_status
ax_model_repository_unload(struct ax_model_repository *repository, struct ax_ctx *ctx, ax_str name)
{
    size_t index;
    AX_TRY(find(repository, ctx, name, &index));
    return replace(repository, ctx, index, NULL);
}

void
ax_model_repository_show_unloaded(struct ax_model_repository *repository,
                                  struct ax_json_writer *out)
{
    ax_mutex_lock(&repository->mutex);
    for (size_t i = 0; i < repository->file_count; i++) {
        if (repository->loaded[i])
            continue;
        ax_json_begin_object(out);
        ax_json_member_text(out, "name", repository->files[i].name);
        ax_json_member_text(out, "version", AX_STR("1"));
        ax_json_member_text(out, "state", AX_STR("UNAVAILABLE"));
        ax_json_member_text(out, "reason", AX_STR("unloaded"));
        ax_json_end_object(out);
    }
    ax_mutex_unlock(&repository->mutex);
}
