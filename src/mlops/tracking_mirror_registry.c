/* Registered models, versions and files of a mirror. */
#include "base/number.h"
#include "mlops/tracking_mirror_parts.h"

enum { DEPTH_MAX = 64, FOLDER_BYTES_MAX = 256 << 20 };

/* ---- registered models ---- */

static ax_status
put_aliases(struct ax_mirror *mirror, struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str name,
            const struct ax_json *aliases)
{
    struct ax_json_iter it = ax_json_iter_of(aliases);
    while (ax_json_next(&it)) {
        ax_str alias;
        int64_t version = 0;
        AX_TRY(ax_tracking_source_text(ctx, it.value, "alias", &alias));
        AX_TRY(ax_tracking_source_may_i64(ctx, it.value, "version", &version));
        AX_TRY(ax_store_run(
            tx, ctx,
            AX_STR("insert into registered_model_aliases (alias, version, name) "
                   "values ($1, $2, $3) on conflict do nothing"),
            AX_STORE_PARAMS(ax_store_text(alias), ax_store_i64(version), ax_store_text(name)),
            NULL));
        mirror->import.counts->aliases++;
    }
    return AX_OK;
}

static ax_status
write_registered(struct ax_mirror *mirror, struct ax_ctx *ctx, ax_str name,
                 const struct ax_json *item)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    const struct ax_json *tags, *aliases;
    ax_str description;
    int64_t created_ms = 0, updated_ms = 0;
    AX_TRY(ax_tracking_source_may_text(ctx, item, "description", &description));
    AX_TRY(ax_tracking_source_may_i64(ctx, item, "creation_timestamp", &created_ms));
    AX_TRY(ax_tracking_source_may_i64(ctx, item, "last_updated_timestamp", &updated_ms));
    AX_TRY(ax_tracking_source_items(ctx, item, "tags", &tags));
    AX_TRY(ax_tracking_source_items(ctx, item, "aliases", &aliases));
    AX_TRY(ax_store_begin(mirror->config->to, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(tx, ctx,
                        AX_STR("insert into registered_models (name, creation_time, "
                               "last_updated_time, description) values ($1, $2, $3, $4) on "
                               "conflict do nothing"),
                        AX_STORE_PARAMS(ax_store_text(name), ax_store_i64(created_ms),
                                        ax_store_i64(updated_ms), ax_mirror_text(description)),
                        NULL));
    const struct ax_mirror_pairs pairs = {
        .sql = "insert into registered_model_tags (key, value, name) values ($1, $2, $3) on "
               "conflict do nothing",
        .key_name = "key",
        .owner = AX_STORE_PARAMS(ax_store_text(name))};
    AX_TRY(ax_mirror_put_pairs(tx, ctx, &pairs, tags, NULL));
    AX_TRY(put_aliases(mirror, tx, ctx, name, aliases));
    return ax_store_commit(ax_take(tx), ctx);
}

static ax_status
mirror_registered(void *arg, struct ax_ctx *ctx, const struct ax_json *item)
{
    struct ax_mirror *mirror = arg;
    ax_str name;
    AX_TRY(ax_tracking_source_text(ctx, item, "name", &name));
    ax_status status = write_registered(mirror, ctx, name, item);
    mirror->import.counts->registered_models++;
    return ax_import_problem(&mirror->import, ctx, status, name);
}

/* ---- versions ---- */

struct version {
    ax_str name, number, description, user, stage, source, run_id, run_link, state, words, location;
    int64_t version, created_ms, updated_ms;
};

static ax_status
read_version(struct ax_ctx *ctx, const struct ax_json *item, struct version *out)
{
    AX_TRY(ax_tracking_source_text(ctx, item, "name", &out->name));
    AX_TRY(ax_tracking_source_text(ctx, item, "version", &out->number));
    AX_TRY(ax_tracking_source_may_text(ctx, item, "description", &out->description));
    AX_TRY(ax_tracking_source_may_text(ctx, item, "user_id", &out->user));
    AX_TRY(ax_tracking_source_may_text(ctx, item, "current_stage", &out->stage));
    AX_TRY(ax_tracking_source_may_text(ctx, item, "source", &out->source));
    AX_TRY(ax_tracking_source_may_text(ctx, item, "run_id", &out->run_id));
    AX_TRY(ax_tracking_source_may_text(ctx, item, "run_link", &out->run_link));
    AX_TRY(ax_tracking_source_may_text(ctx, item, "status", &out->state));
    AX_TRY(ax_tracking_source_may_text(ctx, item, "status_message", &out->words));
    AX_TRY(ax_tracking_source_may_i64(ctx, item, "creation_timestamp", &out->created_ms));
    AX_TRY(ax_tracking_source_may_i64(ctx, item, "last_updated_timestamp", &out->updated_ms));
    if (!ax_parse_i64(out->number, &out->version) || out->version < 1)
        return ax_fail(ctx, AX_CORRUPT, "version \"%.*s\" is no whole number", AX_FMT(out->number));
    return ax_mirror_uri(ctx, out->source, &out->source);
}

/* Where the files are of a source that is written as another model's. */
static ax_status
find_location(struct ax_mirror *mirror, struct ax_ctx *ctx, struct version *version)
{
    const struct ax_tracking_ask ask = {
        .question = AX_TRACKING_LOCATION, .id = version->name, .key = version->number};
    const struct ax_json *answer;
    version->location = version->source;
    if (!ax_str_starts(version->source, AX_STR("models:")))
        return AX_OK;
    AX_TRY(ax_tracking_source_ask(mirror->config->source, ctx, &ask, &answer));
    AX_TRY(ax_tracking_source_may_text(ctx, answer, "artifact_uri", &version->location));
    return ax_mirror_uri(ctx, version->location, &version->location);
}

static ax_status
write_version(struct ax_mirror *mirror, struct ax_ctx *ctx, const struct version *version,
              const struct ax_json *tags)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    const struct ax_mirror_pairs pairs = {
        .sql = "insert into model_version_tags (key, value, name, version) values ($1, $2, $3, $4) "
               "on conflict do nothing",
        .key_name = "key",
        .owner = AX_STORE_PARAMS(ax_store_text(version->name), ax_store_i64(version->version))};
    AX_TRY(ax_store_begin(mirror->config->to, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("insert into model_versions (name, version, creation_time, last_updated_time, "
               "description, user_id, current_stage, source, run_id, status, status_message, "
               "run_link, storage_location) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
               "$12, $13) on conflict do nothing"),
        AX_STORE_PARAMS(ax_store_text(version->name), ax_store_i64(version->version),
                        ax_store_i64(version->created_ms), ax_store_i64(version->updated_ms),
                        ax_mirror_text(version->description), ax_mirror_text(version->user),
                        ax_store_text(version->stage.len ? version->stage : AX_STR("None")),
                        ax_store_text(version->source), ax_mirror_text(version->run_id),
                        ax_store_text(version->state.len ? version->state : AX_STR("READY")),
                        ax_mirror_text(version->words), ax_mirror_text(version->run_link),
                        ax_mirror_text(version->location)),
        NULL));
    AX_TRY(ax_mirror_put_pairs(tx, ctx, &pairs, tags, NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

static ax_status
mirror_version(void *arg, struct ax_ctx *ctx, const struct ax_json *item)
{
    struct ax_mirror *mirror = arg;
    struct version version = {};
    const struct ax_json *tags;
    AX_TRY(read_version(ctx, item, &version));
    AX_TRY(ax_tracking_source_items(ctx, item, "tags", &tags));
    ax_str what = ax_str_printf(ctx->arena, "version %.*s of %.*s", AX_FMT(version.number),
                                AX_FMT(version.name));
    AX_TRY(ax_import_problem(&mirror->import, ctx, find_location(mirror, ctx, &version), what));
    mirror->import.counts->versions++;
    ax_import_progress(&mirror->import, "versions", mirror->import.counts->versions, 0);
    return ax_import_problem(&mirror->import, ctx, write_version(mirror, ctx, &version, tags),
                             what);
}

ax_status
ax_mirror_registry(struct ax_mirror *mirror, struct ax_ctx *ctx)
{
    struct ax_tracking_walk models = {.ask = {.question = AX_TRACKING_REGISTERED},
                                      .member = "registered_models",
                                      .one = mirror_registered,
                                      .arg = mirror};
    struct ax_tracking_walk versions = {.ask = {.question = AX_TRACKING_VERSIONS},
                                        .member = "model_versions",
                                        .one = mirror_version,
                                        .arg = mirror};
    AX_TRY(ax_tracking_source_walk(mirror->config->source, ctx, &models));
    AX_TRY(ax_tracking_source_walk(mirror->config->source, ctx, &versions));
    models.ask.key = versions.ask.key = AX_STR("prompts");
    AX_TRY(ax_tracking_source_walk(mirror->config->source, ctx, &models));
    return ax_tracking_source_walk(mirror->config->source, ctx, &versions);
}

/* ---- files ---- */

struct folder {
    ax_str from, to; /* the source's path, the target's */
    size_t depth;
};

struct folders {
    AX_ARRAY(struct folder)
};

static ax_status
fetch_file(struct ax_mirror *mirror, struct ax_ctx *ctx, const struct ax_tracking_ask *ask,
           ax_str to, int64_t bytes)
{
    const struct ax_tracking_mirror *config = mirror->config;
    struct ax_tracking_import_counts *counts = mirror->import.counts;
    uint64_t came = 0;
    ax_file file;
    bool there = false;
    AX_TRY(config->has_file(config->files, ctx, to, bytes, &there));
    if (!there) {
        AX_TRY(ax_file_open(ctx, config->scratch, AX_FILE_WRITE, &file));
        ax_status status = ax_file_truncate(ctx, file, 0);
        if (status == AX_OK)
            status = ax_tracking_source_fetch(config->source, ctx, ask, file, &came);
        ax_file_close(&file);
        AX_TRY(status);
        if (came != (uint64_t)bytes)
            return ax_fail(ctx, AX_CORRUPT, "%llu bytes came, %lld were listed",
                           (unsigned long long)came, (long long)bytes);
        AX_TRY(config->put_file(config->files, ctx, to, config->scratch));
    }
    counts->files++;
    counts->file_bytes += (uint64_t)bytes;
    ax_import_progress(&mirror->import, "files", counts->files, 0);
    return AX_OK;
}

/* One name of a listing: a file that is fetched, or a folder for later. */
static ax_status
take_entry(struct ax_mirror *mirror, struct ax_ctx *ctx, const struct ax_tracking_ask *ask,
           const struct folder *in, const struct ax_json *item, struct folders *folders)
{
    struct folder entry = {.depth = in->depth + 1};
    bool is_folder = false;
    int64_t bytes = 0;
    ax_str path;
    AX_TRY(ax_tracking_source_text(ctx, item, "path", &path));
    AX_TRY(ax_tracking_source_may_i64(ctx, item, "file_size", &bytes));
    (void)ax_json_bool(ax_json_find(item, "is_dir"), &is_folder);
    ax_str name = ax_path_name(path);
    if (name.len == 0 || ax_str_eq(name, AX_STR(".")) || ax_str_eq(name, AX_STR("..")) || bytes < 0)
        return ax_fail(ctx, AX_CORRUPT, "a listing names \"%.*s\"", AX_FMT(path));
    entry.from = in->from.len ? ax_path_join(ctx->arena, in->from, name) : name;
    entry.to = in->to.len ? ax_path_join(ctx->arena, in->to, name) : name;
    if (!entry.from.at || !entry.to.at)
        return ax_import_no_memory(ctx);
    if (!is_folder) {
        struct ax_tracking_ask file = *ask;
        file.key = entry.from;
        return ax_import_problem(&mirror->import, ctx,
                                 fetch_file(mirror, ctx, &file, entry.to, bytes), entry.to);
    }
    struct folder *next =
        entry.depth < DEPTH_MAX ? AX_ARRAY_PUSH(mirror->import.arena, folders) : NULL;
    if (!next || !ax_str_copy(mirror->import.arena, entry.from, &entry.from) ||
        !ax_str_copy(mirror->import.arena, entry.to, &entry.to))
        return ax_fail(ctx, AX_LIMIT, "%.*s: too deep, or no memory", AX_FMT(entry.to));
    *next = entry;
    return AX_OK;
}

static ax_status
take_folder(struct ax_mirror *mirror, struct ax_ctx *ctx, const struct ax_tracking_ask *ask,
            const struct folder *folder, struct folders *folders)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(FOLDER_BYTES_MAX);
    const struct ax_json *answer = NULL, *items = NULL;
    if (!arena)
        return ax_import_no_memory(ctx);
    struct ax_ctx inside = *ctx;
    inside.arena = arena;
    ax_status status = ax_tracking_source_ask(mirror->config->source, &inside, ask, &answer);
    if (status == AX_OK)
        status = ax_tracking_source_items(&inside, answer, "files", &items);
    struct ax_json_iter it = ax_json_iter_of(items);
    while (status == AX_OK && ax_json_next(&it))
        status = ax_import_problem(&mirror->import, &inside,
                                   take_entry(mirror, &inside, ask, folder, it.value, folders),
                                   folder->to);
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "%s", inside.error);
}

/* Everything below a folder of the source, with a list of what is still to be walked. */
static ax_status
take_tree(struct ax_mirror *mirror, struct ax_ctx *ctx, struct ax_tracking_ask ask, ax_str to)
{
    struct folders folders = {};
    struct folder *first = AX_ARRAY_PUSH(mirror->import.arena, &folders);
    if (!first)
        return ax_import_no_memory(ctx);
    *first = (struct folder){ask.key, to, 0};
    while (folders.count) {
        struct folder folder = folders.items[--folders.count];
        ask.key = folder.from;
        AX_TRY(ax_import_problem(&mirror->import, ctx,
                                 take_folder(mirror, ctx, &ask, &folder, &folders), folder.to));
    }
    return AX_OK;
}

/* Files of each run, or logged model, whose experiment keeps them in a folder of the server. */
static ax_status
take_each(struct ax_mirror *mirror, struct ax_ctx *ctx, const struct ax_mirror_place *place,
          enum ax_tracking_question question, const char *sql)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    const char *middle = question == AX_TRACKING_MODEL_FILES ? "models/" : "";
    AX_TRY(ax_store_begin(mirror->config->to, ctx, AX_STORE_READ, &tx));
    AX_TRY(
        ax_store_query(tx, ctx, ax_str_of(sql), AX_STORE_PARAMS(ax_store_text(place->id)), &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        const struct ax_tracking_ask ask = {
            .question = question, .id = ax_store_read_text(rows, 0), .key = AX_STR("")};
        ax_str to = ax_str_printf(ctx->arena, "%.*s/%s%.*s/artifacts", AX_FMT(place->id), middle,
                                  AX_FMT(ask.id));
        status = to.at ? take_tree(mirror, ctx, ask, to) : ax_import_no_memory(ctx);
    }
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

#define RUNS_OF "select run_uuid from runs where cast(experiment_id as text) = $1 order by run_uuid"
#define MODELS_OF                                                                                  \
    "select model_id from logged_models where cast(experiment_id as text) = $1 order by model_id"

static ax_status
say_no_folder(struct ax_mirror *mirror, struct ax_ctx *ctx)
{
    bool proxied = false;
    for (size_t i = 0; i < mirror->places.count; i++)
        proxied = proxied || mirror->places.items[i].keeping == AX_MIRROR_PROXIED;
    ax_status status =
        proxied ? ax_fail(ctx, AX_INVALID, "--artifacts names the folder they are to go into")
                : AX_OK;
    return ax_import_problem(&mirror->import, ctx, status, AX_STR("artifacts"));
}

ax_status
ax_mirror_files(struct ax_mirror *mirror, struct ax_ctx *ctx)
{
    if (!mirror->config->put_file)
        return say_no_folder(mirror, ctx);
    for (size_t i = 0; i < mirror->places.count; i++) {
        const struct ax_mirror_place *place = &mirror->places.items[i];
        const struct ax_tracking_ask ask = {
            .question = AX_TRACKING_FILES, .id = AX_STR(""), .key = place->path};
        if (place->keeping == AX_MIRROR_PROXIED)
            AX_TRY(take_tree(mirror, ctx, ask, place->path));
        if (place->keeping != AX_MIRROR_FOLDER)
            continue;
        AX_TRY(take_each(mirror, ctx, place, AX_TRACKING_RUN_FILES, RUNS_OF));
        if (mirror->models)
            AX_TRY(take_each(mirror, ctx, place, AX_TRACKING_MODEL_FILES, MODELS_OF));
    }
    return AX_OK;
}
