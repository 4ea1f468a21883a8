#include "server/model_repository.h"

#include "base/alloc.h"
#include "mlops/registered_model.h"
#include "sys/file.h"
#include "sys/mutex.h"

enum { MODEL_FILE_BYTES_MAX = 1 << 30, NAME_BYTES_MAX = 4 << 20 };

/* One model that is known. name and path last as long as the repository. */
struct entry {
    struct ax_model_repository_file file;
    struct ax_loaded_model *loaded; /* a reference; NULL when it is not */
};

struct ax_model_repository {
    struct ax_model_repository_config config;
    struct ax_arena *arena; /* of names that came later */
    struct ax_mutex mutex;
    struct entry *entries; /* guarded by mutex, as are those below */
    size_t entry_count;
};

static ax_status
read_file(const struct ax_model_repository *repository, struct ax_ctx *ctx,
          const struct ax_model_repository_file *file, struct ax_loaded_model **out_model)
{
    ax_str bytes;
    struct ax_bundle bundle;
    AX_TRY(ax_file_read_all(ctx, file->path, MODEL_FILE_BYTES_MAX, &bytes));
    AX_TRY(ax_bundle_is_container(bytes) ? ax_bundle_read(ctx, bytes, &bundle)
                                         : ax_bundle_of_model(ctx, bytes, &bundle));
    bundle.engine = &repository->config.engine;
    return ax_model_load(ctx, file->name, 1, false, &bundle, out_model);
}

static ax_status
read_registered(const struct ax_model_repository *repository, struct ax_ctx *ctx,
                const struct ax_model_repository_file *file, struct ax_loaded_model **out_model)
{
    struct ax_registry *registry = repository->config.registry;
    struct ax_version_record record;
    struct ax_bundle bundle;
    ax_str name;
    int64_t version;
    if (!registry)
        return ax_fail(ctx, AX_INVALID,
                       "there is no registry here: axiom serve --data-dir has one");
    AX_TRY(ax_registered_model_find(registry, ctx, file->path, &name, &version));
    AX_TRY(ax_registry_version(registry, ctx, NULL, name, version, &record));
    AX_TRY(ax_registry_bundle(registry, ctx, NULL, &record, &bundle));
    bundle.engine = &repository->config.engine;
    return ax_model_load(ctx, file->name, record.version, false, &bundle, out_model);
}

static ax_status
read_model(const struct ax_model_repository *repository, struct ax_ctx *ctx,
           const struct ax_model_repository_file *file, struct ax_loaded_model **out_model)
{
    ax_status status = ax_str_starts(file->path, AX_STR("models:/"))
                           ? read_registered(repository, ctx, file, out_model)
                           : read_file(repository, ctx, file, out_model);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "%.*s", AX_FMT(file->path));
}

/* A plan of what is loaded now. Under the mutex, or before anybody else knows the repository. */
static ax_status
publish(struct ax_model_repository *repository, struct ax_ctx *ctx)
{
    struct ax_loaded_model **models =
        AX_NEW_ARRAY(ctx->arena, struct ax_loaded_model *, repository->entry_count + 1);
    struct ax_plan *plan;
    size_t count = 0;
    if (!models)
        return ax_fail(ctx, AX_LIMIT, "no memory for a plan");
    for (size_t i = 0; i < repository->entry_count; i++)
        if (repository->entries[i].loaded)
            models[count++] = ax_model_ref(repository->entries[i].loaded);
    AX_TRY(ax_plan_of_models(ctx, models, count, &plan)); /* takes them over, also on failure */
    return ax_model_server_swap(repository->config.server, ctx, plan);
}

static size_t
entries_max(const struct ax_model_repository_config *config)
{
    return config->file_count + (config->registry ? AX_MODEL_REPOSITORY_MODELS_MAX : 1);
}

static ax_status
load_files(struct ax_model_repository *repository, struct ax_ctx *ctx)
{
    const struct ax_model_repository_config *config = &repository->config;
    if (!repository->entries || !repository->arena)
        return ax_fail(ctx, AX_LIMIT, "no memory for models");
    for (size_t i = 0; i < config->file_count; i++) {
        struct entry *entry = &repository->entries[repository->entry_count++];
        entry->file = config->files[i];
        AX_TRY(read_model(repository, ctx, &entry->file, &entry->loaded));
    }
    return publish(repository, ctx);
}

ax_status
ax_model_repository_open(struct ax_ctx *ctx, const struct ax_model_repository_config *config,
                         struct ax_model_repository **out_repository)
{
    struct ax_model_repository *repository = ax_alloc(sizeof *repository, 1);
    if (!repository)
        return ax_fail(ctx, AX_LIMIT, "no memory for models");
    repository->config = *config;
    repository->entries = ax_alloc(sizeof *repository->entries, entries_max(config));
    repository->arena = ax_arena_new(NAME_BYTES_MAX);
    ax_mutex_init(&repository->mutex);
    ax_status status = load_files(repository, ctx);
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
    for (size_t i = 0; i < repository->entry_count; i++)
        if (repository->entries[i].loaded)
            ax_model_unref(repository->entries[i].loaded);
    ax_mutex_done(&repository->mutex);
    if (repository->arena)
        ax_arena_free(repository->arena);
    ax_free(repository->entries);
    ax_free(repository);
}

/* The place of a name, or entry_count. Under the mutex. */
static size_t
place_of(const struct ax_model_repository *repository, ax_str name)
{
    size_t at = 0;
    while (at < repository->entry_count && !ax_str_eq(repository->entries[at].file.name, name))
        at++;
    return at;
}

/* What is known under a name: a file, or the newest version of a registered model. */
static ax_status
find(struct ax_model_repository *repository, struct ax_ctx *ctx, ax_str name,
     struct ax_model_repository_file *out)
{
    ax_mutex_lock(&repository->mutex);
    size_t at = place_of(repository, name);
    bool known = at < repository->entry_count;
    if (known)
        *out = repository->entries[at].file;
    ax_mutex_unlock(&repository->mutex);
    if (known)
        return AX_OK;
    if (!repository->config.registry)
        return ax_fail(ctx, AX_NOT_FOUND, "no model file was given for '%.*s'", AX_FMT(name));
    *out = (struct ax_model_repository_file){
        name, ax_str_printf(ctx->arena, "models:/%.*s", AX_FMT(name))};
    return out->path.at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a model's name");
}

/* One more entry, with copies of its words; NULL when there is no room. Under the mutex. */
static struct entry *
add(struct ax_model_repository *repository, const struct ax_model_repository_file *file)
{
    struct entry entry = {};
    if (repository->entry_count + 1 >= entries_max(&repository->config) ||
        !ax_str_copy(repository->arena, file->name, &entry.file.name) ||
        !ax_str_copy(repository->arena, file->path, &entry.file.path))
        return NULL;
    repository->entries[repository->entry_count] = entry;
    return &repository->entries[repository->entry_count++];
}

/* Puts a model, or none, in its place; on failure what was there goes on. */
static ax_status
replace(struct ax_model_repository *repository, struct ax_ctx *ctx,
        const struct ax_model_repository_file *file, struct ax_loaded_model *model)
{
    struct ax_loaded_model *before = NULL;
    ax_mutex_lock(&repository->mutex);
    size_t at = place_of(repository, file->name);
    struct entry *entry =
        at < repository->entry_count ? &repository->entries[at] : add(repository, file);
    ax_status status =
        entry ? AX_OK : ax_fail(ctx, AX_LIMIT, "no room for one more model than there are");
    if (entry) {
        before = entry->loaded;
        entry->loaded = model;
        status = publish(repository, ctx);
        if (status != AX_OK)
            entry->loaded = before;
    }
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
    struct ax_model_repository_file file;
    ax_status status = find(repository, ctx, name, &file);
    if (status == AX_OK)
        status = read_model(repository, ctx, &file, &model);
    if (status == AX_OK)
        status = replace(repository, ctx, &file, model);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "failed to load '%.*s'", AX_FMT(name));
}

ax_status
ax_model_repository_unload(struct ax_model_repository *repository, struct ax_ctx *ctx, ax_str name)
{
    struct ax_model_repository_file file = {.name = name};
    ax_mutex_lock(&repository->mutex);
    bool known = place_of(repository, name) < repository->entry_count;
    ax_mutex_unlock(&repository->mutex);
    return known ? replace(repository, ctx, &file, NULL)
                 : ax_fail(ctx, AX_NOT_FOUND, "no model file was given for '%.*s'", AX_FMT(name));
}

void
ax_model_repository_show_unloaded(struct ax_model_repository *repository,
                                  struct ax_json_writer *out)
{
    ax_mutex_lock(&repository->mutex);
    for (size_t i = 0; i < repository->entry_count; i++) {
        if (repository->entries[i].loaded)
            continue;
        ax_json_begin_object(out);
        ax_json_member_text(out, "name", repository->entries[i].file.name);
        ax_json_member_text(out, "version", AX_STR("1"));
        ax_json_member_text(out, "state", AX_STR("UNAVAILABLE"));
        ax_json_member_text(out, "reason", AX_STR("unloaded"));
        ax_json_end_object(out);
    }
    ax_mutex_unlock(&repository->mutex);
}
