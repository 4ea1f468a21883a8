#include "mlops/registered_version.h"

#include "base/number.h"
#include "codec/text.h"
#include "mlops/experiment_model.h"
#include "mlops/experiment_search.h"
#include "mlops/registered_bundle.h"
#include "mlops/webhook.h"
#include "sys/clock.h"

enum { STAGE_NONE = 0, STAGE_STAGING, STAGE_PRODUCTION, STAGE_ARCHIVED };

static const char *const stages[] = {[STAGE_NONE] = "None",
                                     [STAGE_STAGING] = "Staging",
                                     [STAGE_PRODUCTION] = "Production",
                                     [STAGE_ARCHIVED] = "Archived"};

/* A version registered otherwise has no stage: that is None. */
#define STAGE "case when r.stage = '' then 'None' else r.stage end"
#define COLUMNS                                                                                    \
    "r.model, r.version, r.created_ns, r.updated_ns, " STAGE ", r.description, r.source, "         \
    "r.run_id, r.run_link"

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for versions");
}

static struct ax_store *
store_of(const struct ax_registry *registry)
{
    return ax_registry_config(registry)->store;
}

/* ---- finding and showing ---- */

static ax_status
missing(struct ax_ctx *ctx, ax_str model, int64_t version)
{
    return ax_fail(ctx, AX_NOT_FOUND, "Model Version (name=%.*s, version=%lld) not found",
                   AX_FMT(ax_experiment_cut(model, 200)), (long long)version);
}

static ax_status
find(struct ax_registry *registry, struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str model,
     int64_t version, struct ax_version_record *out)
{
    ax_status status = version > 0 ? ax_registry_version(registry, ctx, tx, model, version, out)
                                   : AX_NOT_FOUND; /* 0 would be the newest */
    return status == AX_NOT_FOUND ? missing(ctx, model, version) : status;
}

static ax_status
show_aliases(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str model, int64_t version,
             struct ax_json_writer *out)
{
    struct ax_store_rows *rows;
    bool any = false;
    AX_TRY(ax_store_query(
        tx, ctx,
        AX_STR("select alias from model_aliases where model = $1 and version = $2 order by alias"),
        AX_STORE_PARAMS(ax_store_text(model), ax_store_i64(version)), &rows));
    for (; ax_store_next(rows); any = true) {
        if (!any) {
            ax_json_key(out, "aliases");
            ax_json_begin_array(out);
        }
        ax_json_put_text(out, ax_store_read_text(rows, 0));
    }
    if (any)
        ax_json_end_array(out);
    return ax_store_finish(rows);
}

static ax_status
show_row(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_store_rows *rows, bool with_aliases,
         struct ax_json_writer *out)
{
    struct ax_store_rows *tags;
    char digits[AX_NUMBER_BYTES_MAX];
    ax_str model = ax_store_read_text(rows, 0);
    int64_t version = ax_store_read_i64(rows, 1);
    ax_format_i64(version, digits);
    ax_json_begin_object(out);
    ax_json_member_text(out, "name", model);
    ax_json_member_text(out, "version", ax_str_of(digits));
    ax_json_member_i64(out, "creation_timestamp", ax_experiment_ms(ax_store_read_i64(rows, 2)));
    ax_json_member_i64(out, "last_updated_timestamp", ax_experiment_ms(ax_store_read_i64(rows, 3)));
    ax_json_member_text(out, "current_stage", ax_store_read_text(rows, 4));
    ax_json_member_text(out, "description", ax_store_read_text(rows, 5));
    ax_json_member_text(out, "source", ax_store_read_text(rows, 6));
    ax_json_member_text(out, "run_id", ax_store_read_text(rows, 7));
    ax_json_member_text(out, "status", AX_STR("READY"));
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select key, value from model_version_tags where model = $1 and "
                                 "version = $2 order by key"),
                          AX_STORE_PARAMS(ax_store_text(model), ax_store_i64(version)), &tags));
    AX_TRY(ax_experiment_show_pairs(tags, "tags", out));
    ax_json_member_text(out, "run_link", ax_store_read_text(rows, 8));
    if (with_aliases)
        AX_TRY(show_aliases(tx, ctx, model, version, out));
    ax_json_end_object(out);
    return AX_OK;
}

static ax_status
show(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str model, int64_t version,
     struct ax_json_writer *out)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(
        tx, ctx,
        AX_STR("select " COLUMNS " from model_versions r where r.model = $1 and r.version = $2"),
        AX_STORE_PARAMS(ax_store_text(model), ax_store_i64(version)), &rows));
    bool found = ax_store_next(rows);
    ax_status status = found ? show_row(tx, ctx, rows, true, out) : AX_OK;
    ax_status end = ax_store_finish(rows);
    AX_TRY(status == AX_OK ? end : status);
    return found ? AX_OK : missing(ctx, model, version);
}

ax_status
ax_registered_version_show(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                           int64_t version, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_READ, &tx));
    return show(tx, ctx, model, version, out);
}

/* ---- sources ---- */

/* Its scheme without the colon; "" for a path. */
static ax_str
scheme_of(ax_str source)
{
    for (size_t i = 0; i < source.len; i++) {
        char c = source.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      strchr("+-.", c);
        if (c == ':')
            return (ax_str){source.at, i};
        if (c == '\0' || !letter)
            break;
    }
    return AX_STR("");
}

static bool
is_local(ax_str source)
{
    ax_str scheme = scheme_of(source);
    return scheme.len == 0 || ax_str_eq_ignoring_case(scheme, AX_STR("file"));
}

static bool
goes_up(ax_str path)
{
    ax_str rest = path, part;
    while (ax_str_cut(&rest, '/', &part))
        if (ax_str_eq(part, AX_STR("..")) || ax_str_eq(part, AX_STR(".")))
            return true;
    return false;
}

static ax_status
undo_escapes(struct ax_ctx *ctx, ax_str source, ax_str *out_plain)
{
    ax_status status = ax_percent_decode_all(ctx, source, out_plain);
    return status == AX_INVALID
               ? ax_fail(ctx, AX_INVALID, "Invalid model version source: escaped too often.")
               : status;
}

static ax_status
check_remote(struct ax_ctx *ctx, ax_str source)
{
    ax_str plain;
    AX_TRY(undo_escapes(ctx, source, &plain));
    if (!goes_up(plain) && !memchr(plain.at, '\0', plain.len))
        return AX_OK;
    return ax_fail(ctx, AX_INVALID,
                   "Invalid model version source: '%.*s'. If supplying a source as an http, https, "
                   "local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path "
                   "must be provided without relative path references present. Please provide an "
                   "absolute path.",
                   AX_FMT(ax_experiment_cut(source, 100)));
}

static ax_str
path_of(ax_str source)
{
    size_t scheme = scheme_of(source).len;
    ax_str path = scheme ? ax_str_from(source, scheme + 1) : source;
    while (ax_str_starts(path, AX_STR("//")))
        path = ax_str_from(path, 1);
    return path;
}

static ax_status
read_text(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql, ax_str id, ax_str *out)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx, sql, AX_STORE_PARAMS(ax_store_text(id)), &rows));
    *out = ax_store_next(rows) ? ax_store_read_text(rows, 0) : (ax_str){};
    return ax_store_finish(rows);
}

/*
 * Without "." and "..": "/a/b/../c/." as "/a/c"; what does not begin at the root stays as it is. In
 * ctx->arena; at is NULL past the budget.
 */
static ax_str
settle(struct ax_ctx *ctx, ax_str path)
{
    char *room = ax_arena_alloc(ctx->arena, 1, path.len + 1);
    ax_str rest = path, part;
    size_t len = 0;
    if (!ax_str_starts(path, AX_STR("/")))
        return path;
    while (room && ax_str_cut(&rest, '/', &part)) {
        if (part.len == 0 || ax_str_eq(part, AX_STR(".")))
            continue;
        if (ax_str_eq(part, AX_STR(".."))) {
            while (len > 0 && room[--len] != '/')
                continue;
            continue;
        }
        room[len++] = '/';
        memcpy(room + len, part.at, part.len);
        len += part.len;
    }
    return (ax_str){room, len};
}

/* A path on the server's own disk must be one that the run or the logged model was given. */
static ax_status
check_local(struct ax_store_tx *tx, struct ax_ctx *ctx,
            const struct ax_registered_version_new *made)
{
    ax_str own = {}, source;
    bool of_model = made->logged_model_id.len > 0;
    if (of_model)
        AX_TRY(read_text(tx, ctx, AX_STR("select artifact_uri from logged_models where id = $1"),
                         made->logged_model_id, &own));
    else if (made->run_id.len > 0)
        AX_TRY(read_text(tx, ctx, AX_STR("select artifact_uri from runs where id = $1"),
                         made->run_id, &own));
    if (made->run_id.len > 0 && !of_model && !own.at)
        return ax_fail(ctx, AX_NOT_FOUND, "Run with id=%.*s not found",
                       AX_FMT(ax_experiment_cut(made->run_id, 100)));
    AX_TRY(undo_escapes(ctx, made->source, &source));
    ax_str place = own.at && is_local(own) ? path_of(own) : (ax_str){};
    ax_str path = settle(ctx, path_of(source));
    if (!path.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    bool inside = place.len > 1 && ax_str_starts(path, place) &&
                  (path.len == place.len || path.at[place.len] == '/');
    if (inside)
        return AX_OK;
    const char *what = of_model ? "model_id" : "run_id", *whose = of_model ? "model" : "run";
    return ax_fail(ctx, AX_INVALID,
                   "Invalid model version source: '%.*s'. To use a local path as a model version "
                   "source, the %s request parameter has to be specified and the local path has "
                   "to be contained within the artifact directory of the %s specified by the %s.",
                   AX_FMT(ax_experiment_cut(made->source, 100)), what, whose, what);
}

/* "models:/m-1a2b" and "models:/name/3" lead to where those files are; "" for other sources. */
static ax_status
resolve(struct ax_registry *registry, struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str source,
        ax_str *out_location)
{
    int64_t version;
    ax_str rest = source, name, number;
    *out_location = AX_STR("");
    if (!ax_str_starts(source, AX_STR("models:/")))
        return AX_OK;
    rest = ax_str_from(path_of(source), 1);
    (void)ax_str_cut(&rest, '/', &name);
    if (!rest.at) {
        AX_TRY(read_text(tx, ctx, AX_STR("select artifact_uri from logged_models where id = $1"),
                         name, out_location));
        if (!out_location->at)
            return ax_fail(ctx, AX_INVALID,
                           "Unable to fetch model from model URI source artifact "
                           "location '%.*s'.",
                           AX_FMT(ax_experiment_cut(source, 100)));
        return AX_OK;
    }
    struct ax_version_record record;
    number = rest;
    if (!ax_parse_i64(number, &version) || find(registry, tx, ctx, name, version, &record) != AX_OK)
        return ax_fail(ctx, AX_INVALID,
                       "Unable to fetch model from model URI source artifact location '%.*s'.",
                       AX_FMT(ax_experiment_cut(source, 100)));
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select case when location = '' then source else location end "
                                 "from model_versions where model = $1 and version = $2"),
                          AX_STORE_PARAMS(ax_store_text(name), ax_store_i64(version)), &rows));
    if (ax_store_next(rows))
        *out_location = ax_store_read_text(rows, 0);
    return ax_store_finish(rows);
}

/* ---- making ---- */

static bool
is_prompt(const struct ax_experiment_pairs *tags)
{
    for (size_t i = 0; i < tags->count; i++)
        if (ax_str_eq(tags->items[i].key, AX_STR("mlflow.prompt.is_prompt")))
            return true;
    return false;
}

static ax_status
put_tag(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_version_record *record,
        struct ax_experiment_pair tag)
{
    AX_TRY(ax_registered_model_check_tag(ctx, tag));
    return ax_store_run(
        tx, ctx,
        AX_STR("insert into model_version_tags (model, version, key, value) values ($1, $2, $3, "
               "$4) on conflict (model, version, key) do update set value = excluded.value"),
        AX_STORE_PARAMS(ax_store_text(record->model), ax_store_i64(record->version),
                        ax_store_text(tag.key), ax_store_text(tag.value)),
        NULL);
}

/* What the files of a version are to the engine. */
struct content {
    struct ax_bundle bundle; /* manifest "": none */
    ax_str hint;             /* why not; "" when nobody looked */
};

/* What stands where a bundle's manifest would: nothing that the engine could load. */
static ax_status
make_manifest(struct ax_ctx *ctx, const struct ax_registered_version_new *made, ax_str hint,
              int64_t version, ax_str *out)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "format", AX_STR("mlflow"));
    if (hint.len)
        ax_json_member_text(&json, "hint", hint);
    ax_json_member_text(&json, "logged_model", made->logged_model_id);
    ax_json_member_text(&json, "model", made->model);
    ax_json_member_text(&json, "run_id", made->run_id);
    ax_json_key(&json, "signature");
    ax_json_put_raw(&json, AX_STR("{\"features\":[]}"));
    ax_json_member_text(&json, "source", made->source);
    ax_json_member_i64(&json, "version", version);
    ax_json_end_object(&json);
    return ax_writer_take(&text, ctx->arena, out) == AX_OK ? AX_OK : no_memory(ctx);
}

static ax_status
touch_model(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str model, int64_t now_ns)
{
    return ax_store_run(tx, ctx, AX_STR("update models set updated_ns = $2 where name = $1"),
                        AX_STORE_PARAMS(ax_store_text(model), ax_store_i64(now_ns)), NULL);
}

static ax_status
insert(struct ax_registry *registry, struct ax_store_tx *tx, struct ax_ctx *ctx,
       const struct ax_registered_version_new *made, const struct content *content,
       struct ax_version_record *record)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str manifest, location;
    AX_TRY(resolve(registry, tx, ctx, made->source, &location));
    ax_status status = ax_store_get_i64(
        tx, ctx,
        AX_STR("update models set last_version = case when $3 > last_version then $3 when $3 > 0 "
               "then last_version else last_version + 1 end, updated_ns = $2 where name = $1 "
               "returning case when $3 > 0 then $3 else last_version end"),
        AX_STORE_PARAMS(ax_store_text(made->model), ax_store_i64(record->created_ns),
                        ax_store_i64(made->version)),
        &record->version);
    if (status == AX_NOT_FOUND)
        return ax_registered_model_missing(ctx, made->model);
    AX_TRY(status);
    record->format = AX_STR("mlflow");
    manifest = content->bundle.manifest;
    if (manifest.len)
        record->format = content->bundle.format;
    else
        AX_TRY(make_manifest(ctx, made, content->hint, record->version, &manifest));
    record->digest = ax_sha256(manifest);
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("insert into model_versions (model, version, digest, format, manifest, state, "
               "stage, description, developer, dataset, run_id, source, created_ns, updated_ns, "
               "run_link, logged_model_id, location) values ($1, $2, $3, $13, $4, "
               "'registered', 'None', $5, $6, '', $7, $8, $9, $9, $10, $11, $12)"),
        AX_STORE_PARAMS(ax_store_text(made->model), ax_store_i64(record->version),
                        ax_store_text(ax_digest_hex(record->digest, hex)), ax_store_text(manifest),
                        ax_store_text(made->description), ax_store_text(ctx->actor->id),
                        ax_store_text(made->run_id), ax_store_text(made->source),
                        ax_store_i64(record->created_ns), ax_store_text(made->run_link),
                        ax_store_text(made->logged_model_id), ax_store_text(location),
                        ax_store_text(record->format)),
        NULL));
    for (size_t i = 0; i < made->tags.count; i++)
        AX_TRY(put_tag(tx, ctx, record, made->tags.items[i]));
    ax_str object =
        ax_str_printf(ctx->arena, "%.*s/%lld", AX_FMT(made->model), (long long)record->version);
    return object.at
               ? ax_registry_note(registry, tx, ctx, AX_EVENT_MODEL_VERSION, object, record->digest)
               : no_memory(ctx);
}

/* The run that made the logged model is the version's run, when none was named. */
static ax_status
complete(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_registered_version_new *made)
{
    ax_str run = {};
    if (made->logged_model_id.len == 0)
        return AX_OK;
    AX_TRY(read_text(tx, ctx, AX_STR("select source_run_id from logged_models where id = $1"),
                     made->logged_model_id, &run));
    if (!run.at)
        return ax_fail(ctx, AX_NOT_FOUND, "Logged model with ID '%.*s' not found.",
                       AX_FMT(ax_experiment_cut(made->logged_model_id, 100)));
    if (made->run_id.len == 0)
        made->run_id = run;
    return AX_OK;
}

/* Where the files are, and those of the ONNX form that a run may have logged beside. */
static ax_status
find_files(struct ax_registry *registry, struct ax_ctx *ctx,
           const struct ax_registered_version_new *made, struct ax_registered_bundle_of *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_registered_version_new full = *made;
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_READ, &tx));
    AX_TRY(complete(tx, ctx, &full));
    AX_TRY(resolve(registry, tx, ctx, full.source, &out->location));
    if (out->location.len == 0)
        out->location = full.source;
    out->run_id = full.run_id;
    if (full.logged_model_id.len)
        return ax_experiment_model_beside(tx, ctx, full.logged_model_id, "_onnx", &out->sibling);
    out->sibling = ax_str_printf(ctx->arena, "%.*s_onnx", AX_FMT(out->location));
    return out->sibling.at ? AX_OK : no_memory(ctx);
}

/* Before the transaction of the version: files are read, and a model is tried. */
static ax_status
read_content(struct ax_registry *registry, struct ax_ctx *ctx,
             const struct ax_registered_version_new *made, struct content *out)
{
    struct ax_registered_bundle_of of = {
        .model = made->model, .logged_model_id = made->logged_model_id, .source = made->source};
    if (!made->artifacts || is_prompt(&made->tags))
        return AX_OK;
    ax_status status = find_files(registry, ctx, made, &of);
    if (status == AX_INVALID || status == AX_NOT_FOUND) { /* inserting says it in MLflow's words */
        ctx->error[0] = '\0';
        return AX_OK;
    }
    AX_TRY(status);
    return ax_registered_bundle_make(registry, made->artifacts, ctx, &of, &out->bundle, &out->hint);
}

ax_status
ax_registered_version_create(struct ax_registry *registry, struct ax_ctx *ctx,
                             const struct ax_registered_version_new *asked,
                             struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_registered_version_new made = *asked;
    struct ax_version_record record = {.model = made.model, .created_ns = ax_clock_real_ns()};
    struct content content = {.bundle.manifest = AX_STR(""), .hint = AX_STR("")};
    AX_TRY(read_content(registry, ctx, asked, &content));
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_WRITE, &tx));
    if (!is_prompt(&made.tags)) {
        AX_TRY(is_local(made.source) ? check_local(tx, ctx, &made)
                                     : check_remote(ctx, made.source));
    }
    AX_TRY(complete(tx, ctx, &made));
    AX_TRY(insert(registry, tx, ctx, &made, &content, &record));
    if (made.logged_model_id.len > 0 && made.version == 0) /* an import's model has its tag */
        AX_TRY(ax_experiment_model_note_version(tx, ctx, made.logged_model_id, made.model,
                                                record.version));
    const struct ax_webhook_fact fact = {.about = AX_WEBHOOK_VERSION,
                                         .action = "created",
                                         .model = made.model,
                                         .version = record.version,
                                         .source = made.source,
                                         .run_id = made.run_id,
                                         .description = made.description,
                                         .tags = &made.tags};
    AX_TRY(ax_webhook_note(tx, ctx, &fact));
    AX_TRY(show(tx, ctx, made.model, record.version, out));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_registered_version_location(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                               int64_t version, ax_str *out_uri)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select case when location = '' then source else location end "
                                 "from model_versions where model = $1 and version = $2"),
                          AX_STORE_PARAMS(ax_store_text(model), ax_store_i64(version)), &rows));
    bool found = ax_store_next(rows);
    *out_uri = found ? ax_store_read_text(rows, 0) : AX_STR("");
    AX_TRY(ax_store_finish(rows));
    return found ? AX_OK : missing(ctx, model, version);
}

/* ---- changing ---- */

ax_status
ax_registered_version_describe(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                               int64_t version, ax_str description, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    const int64_t now_ns = ax_clock_real_ns();
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(tx, ctx,
                        AX_STR("update model_versions set description = $3, updated_ns = $4 where "
                               "model = $1 and version = $2"),
                        AX_STORE_PARAMS(ax_store_text(model), ax_store_i64(version),
                                        ax_store_text(description), ax_store_i64(now_ns)),
                        NULL));
    AX_TRY(show(tx, ctx, model, version, out));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_registered_version_delete(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                             int64_t version)
{
    static const char *const deletes[] = {
        "delete from model_aliases where model = $1 and version = $2",
        "delete from model_version_tags where model = $1 and version = $2",
        "delete from model_versions where model = $1 and version = $2",
    };
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_version_record record;
    int64_t validations;
    const ax_store_params params = AX_STORE_PARAMS(ax_store_text(model), ax_store_i64(version));
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(find(registry, tx, ctx, model, version, &record));
    AX_TRY(ax_store_get_i64(
        tx, ctx, AX_STR("select count(*) from validations where model = $1 and version = $2"),
        params, &validations));
    if (record.state != AX_VERSION_REGISTERED || validations > 0)
        return ax_fail(ctx, AX_DENIED,
                       "%.*s/%lld is %s: its record is kept, so it cannot be deleted; retire it by "
                       "a proposal",
                       AX_FMT(model), (long long)version, ax_version_state_name(record.state));
    for (size_t i = 0; i < AX_COUNT_OF(deletes); i++)
        AX_TRY(ax_store_run(tx, ctx, ax_str_of(deletes[i]), params, NULL));
    AX_TRY(touch_model(tx, ctx, model, ax_clock_real_ns()));
    ax_str object =
        ax_str_printf(ctx->arena, "%.*s/%lld deleted", AX_FMT(model), (long long)version);
    if (!object.at)
        return no_memory(ctx);
    AX_TRY(ax_registry_note(registry, tx, ctx, AX_EVENT_STATE_CHANGE, object, record.digest));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_registered_version_stage(struct ax_ctx *ctx, ax_str word, ax_str *out_stage)
{
    for (size_t i = 0; i < AX_COUNT_OF(stages); i++)
        if (ax_str_eq_ignoring_case(word, ax_str_of(stages[i]))) {
            *out_stage = ax_str_of(stages[i]);
            return AX_OK;
        }
    return ax_fail(ctx, AX_INVALID,
                   "Invalid Model Version stage: %.*s. Value must be one of None, Staging, "
                   "Production, Archived.",
                   AX_FMT(ax_experiment_cut(word, 100)));
}

static ax_status
archive_others(struct ax_store_tx *tx, struct ax_ctx *ctx,
               const struct ax_registered_version_move *move, int64_t now_ns)
{
    bool active = ax_str_eq(move->stage, ax_str_of(stages[STAGE_STAGING])) ||
                  ax_str_eq(move->stage, ax_str_of(stages[STAGE_PRODUCTION]));
    if (!active)
        return ax_fail(ctx, AX_INVALID,
                       "Model version transition cannot archive existing model versions because "
                       "'%.*s' is not an Active stage. Valid stages are Staging, Production",
                       AX_FMT(move->stage));
    return ax_store_run(tx, ctx,
                        AX_STR("update model_versions set stage = 'Archived', updated_ns = $4 "
                               "where model = $1 and version <> $2 and stage = $3"),
                        AX_STORE_PARAMS(ax_store_text(move->model), ax_store_i64(move->version),
                                        ax_store_text(move->stage), ax_store_i64(now_ns)),
                        NULL);
}

ax_status
ax_registered_version_transition(struct ax_registry *registry, struct ax_ctx *ctx,
                                 const struct ax_registered_version_move *move,
                                 struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_version_record record;
    const int64_t now_ns = ax_clock_real_ns();
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(find(registry, tx, ctx, move->model, move->version, &record));
    if (ax_str_eq(move->stage, ax_str_of(stages[STAGE_PRODUCTION])))
        AX_TRY(ax_registered_model_promote(registry, tx, ctx, &record, "stage Production"));
    if (move->archive_others)
        AX_TRY(archive_others(tx, ctx, move, now_ns));
    AX_TRY(ax_store_run(tx, ctx,
                        AX_STR("update model_versions set stage = $3, updated_ns = $4 where "
                               "model = $1 and version = $2"),
                        AX_STORE_PARAMS(ax_store_text(move->model), ax_store_i64(move->version),
                                        ax_store_text(move->stage), ax_store_i64(now_ns)),
                        NULL));
    AX_TRY(touch_model(tx, ctx, move->model, now_ns));
    AX_TRY(show(tx, ctx, move->model, move->version, out));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_registered_version_set_tag(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                              int64_t version, struct ax_experiment_pair tag)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_version_record record;
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(find(registry, tx, ctx, model, version, &record));
    AX_TRY(put_tag(tx, ctx, &record, tag));
    const struct ax_webhook_fact fact = {.about = AX_WEBHOOK_VERSION_TAG,
                                         .action = "set",
                                         .model = model,
                                         .version = version,
                                         .tag = tag};
    AX_TRY(ax_webhook_note(tx, ctx, &fact));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_registered_version_delete_tag(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                                 int64_t version, ax_str key)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_version_record record;
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(find(registry, tx, ctx, model, version, &record));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("delete from model_version_tags where model = $1 and version = $2 and key = $3"),
        AX_STORE_PARAMS(ax_store_text(model), ax_store_i64(version), ax_store_text(key)), NULL));
    const struct ax_webhook_fact fact = {.about = AX_WEBHOOK_VERSION_TAG,
                                         .action = "deleted",
                                         .model = model,
                                         .version = version,
                                         .tag.key = key};
    AX_TRY(ax_webhook_note(tx, ctx, &fact));
    return ax_store_commit(ax_take(tx), ctx);
}

/* ---- several ---- */

static ax_status
show_one_of_many(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_store_rows *rows,
                 struct ax_json_writer *out)
{
    return show_row(tx, ctx, rows, false, out);
}

static ax_status
show_newest(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_search_sql *sql, const char *name,
            struct ax_json_writer *out)
{
    struct ax_store_rows *rows;
    struct ax_experiment_list list = {name, show_one_of_many, AX_COUNT_OF(stages)};
    ax_search_sql_add(sql, " and r.version = (select max(n.version) from model_versions n where "
                           "n.model = r.model and case when n.stage = '' then 'None' else n.stage "
                           "end = " STAGE ") order by r.version");
    AX_TRY(ax_search_sql_query(sql, tx, &rows));
    ax_status status = ax_experiment_show_rows(tx, ctx, rows, &list, out);
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

static void
begin_newest(struct ax_search_sql *sql, ax_str model)
{
    ax_search_sql_add(sql, "select " COLUMNS " from model_versions r where r.model = ");
    ax_search_sql_bind(sql, ax_store_text(model));
}

ax_status
ax_registered_version_show_latest(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str model,
                                  const char *name, struct ax_json_writer *out)
{
    ax_search_sql_auto struct ax_search_sql sql =
        ax_search_sql_of(ctx, ax_store_dialect(ax_store_of(tx)));
    begin_newest(&sql, model);
    return show_newest(tx, ctx, &sql, name, out);
}

ax_status
ax_registered_version_latest(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                             const ax_str *wanted, size_t wanted_count, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    ax_search_sql_auto struct ax_search_sql sql =
        ax_search_sql_of(ctx, ax_store_dialect(store_of(registry)));
    int64_t there;
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_get_i64(tx, ctx, AX_STR("select count(*) from models where name = $1"),
                            AX_STORE_PARAMS(ax_store_text(model)), &there));
    if (!there)
        return ax_registered_model_missing(ctx, model);
    begin_newest(&sql, model);
    for (size_t i = 0; i < wanted_count; i++) {
        ax_str stage;
        AX_TRY(ax_registered_version_stage(ctx, wanted[i], &stage));
        ax_search_sql_add(&sql, i ? ", " : " and " STAGE " in (");
        ax_search_sql_bind(&sql, ax_store_text(stage));
    }
    if (wanted_count > 0)
        ax_search_sql_add(&sql, ")");
    return show_newest(tx, ctx, &sql, "model_versions", out);
}

static ax_status
put_search(struct ax_search_sql *sql, const struct ax_experiment_search *search)
{
    struct ax_ctx *ctx = sql->ctx;
    struct ax_experiment_search_parts parts;
    AX_TRY(ax_experiment_search_parse(ctx, AX_SEARCH_MODEL_VERSIONS, search, &parts));
    ax_search_sql_add(sql, "select " COLUMNS " from model_versions r where 1 = 1");
    if (!ax_registered_model_wants_prompts(&parts.clauses))
        ax_search_sql_add(sql, " and not exists (select 1 from model_version_tags t where t.model "
                               "= r.model and t.version = r.version and t.key = "
                               "'mlflow.prompt.is_prompt' and t.value = 'true')");
    ax_search_sql_where(sql, AX_SEARCH_MODEL_VERSIONS, &parts.clauses);
    ax_search_sql_add(sql, " order by ");
    ax_search_sql_order(sql, &parts.orders);
    if (parts.orders.count == 0)
        ax_search_sql_add(sql, "r.updated_ns / 1000000 desc, ");
    ax_search_sql_add(sql, "r.model, r.version desc");
    ax_search_sql_page(sql, search->results_max + 1, parts.offset);
    return AX_OK;
}

ax_status
ax_registered_versions_search(struct ax_registry *registry, struct ax_ctx *ctx,
                              const struct ax_experiment_search *search, struct ax_json_writer *out)
{
    ax_search_sql_auto struct ax_search_sql sql =
        ax_search_sql_of(ctx, ax_store_dialect(store_of(registry)));
    AX_TRY(put_search(&sql, search));
    return ax_experiment_search_show(store_of(registry), &sql, search, "model_versions",
                                     show_one_of_many, out);
}
