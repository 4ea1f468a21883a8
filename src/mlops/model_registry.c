#include "mlops/model_registry.h"

#include "base/alloc.h"
#include "event/outbox.h"
#include "serving/model_loader.h"
#include "sys/clock.h"

enum { NAME_BYTES_MAX = 128, RECORD_BYTES_MAX = 1 << 20, PEOPLE_MAX = 32 };

struct ax_registry {
    struct ax_registry_config config;
};

static const char *const state_names[] = {"registered", "in_validation", "validated",
                                          "failed",     "approved",      "approved_restricted",
                                          "retired"};

const char *
ax_version_state_name(enum ax_version_state state)
{
    return state_names[state];
}

bool
ax_version_state_parse(ax_str name, enum ax_version_state *out)
{
    for (size_t i = 0; i < AX_COUNT_OF(state_names); i++)
        if (ax_str_eq(name, ax_str_of(state_names[i]))) {
            *out = (enum ax_version_state)i;
            return true;
        }
    return false;
}

ax_status
ax_registry_open(struct ax_ctx *ctx, const struct ax_registry_config *config,
                 struct ax_registry **out_registry)
{
    struct ax_registry *registry = ax_alloc(sizeof *registry, 1);
    if (!registry)
        return ax_fail(ctx, AX_LIMIT, "no memory for the registry");
    registry->config = *config;
    *out_registry = registry;
    return AX_OK;
}

void
ax_registry_close(struct ax_registry *registry)
{
    ax_free(registry);
}

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for the registry");
}

const struct ax_registry_config *
ax_registry_config(const struct ax_registry *registry)
{
    return &registry->config;
}

ax_status
ax_registry_note(struct ax_registry *registry, struct ax_store_tx *tx, struct ax_ctx *ctx,
                 enum ax_event_kind kind, ax_str object, ax_digest digest)
{
    if (registry->config.unrecorded)
        return AX_OK;
    const struct ax_event event = {
        .kind = kind,
        .actor = ctx->actor ? ctx->actor->id : AX_STR("server"),
        .actor_roles = ctx->actor ? ctx->actor->roles : 0,
        .object = object,
        .object_hash = digest,
        .build_id = AX_STR("axiom " AX_VERSION),
    };
    return ax_outbox_put(tx, ctx, NULL, &event, AX_STR(""));
}

/* ---- models ---- */

static ax_status
check_name(struct ax_ctx *ctx, ax_str name)
{
    bool good = name.len > 0 && name.len <= NAME_BYTES_MAX;
    for (size_t i = 0; good && i < name.len; i++) {
        char c = name.at[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '.';
    }
    if (!good)
        return ax_fail(ctx, AX_INVALID,
                       "a model's name has 1 to %d letters, digits, '-', '_' or '.', not \"%.*s\"",
                       NAME_BYTES_MAX, (int)(name.len > 80 ? 80 : name.len), name.at);
    return AX_OK;
}

/* What R2 wants and can be known when a model is made. */
static ax_status
check_record(struct ax_ctx *ctx, const struct ax_json *record, int64_t *out_tier)
{
    static const char *const needed[] = {"owner", "purpose"};
    static const char *const levels[] = {"low", "medium", "high"};
    *out_tier = 2;
    for (size_t i = 0; i < AX_COUNT_OF(needed); i++) {
        ax_str text;
        AX_TRY(ax_json_need_text(ctx, record, needed[i], &text));
        if (text.len == 0)
            return ax_fail(ctx, AX_INVALID, "`%s` is empty", needed[i]);
    }
    static const char *const axes[] = {"materiality", "complexity"};
    for (size_t i = 0; i < AX_COUNT_OF(axes); i++) {
        ax_str level = AX_STR("medium");
        bool known = false;
        AX_TRY(ax_json_may_text(ctx, record, axes[i], &level));
        for (size_t l = 0; l < AX_COUNT_OF(levels); l++)
            known |= ax_str_eq(level, ax_str_of(levels[l]));
        if (!known)
            return ax_fail(ctx, AX_INVALID, "`%s` must be low, medium or high, not \"%.*s\"",
                           axes[i], AX_FMT(level));
    }
    AX_TRY(ax_json_may_i64(ctx, record, "tier", out_tier));
    if (*out_tier < 1 || *out_tier > 3)
        return ax_fail(ctx, AX_INVALID, "`tier` must be 1, 2 or 3, not %lld", (long long)*out_tier);
    return AX_OK;
}

ax_status
ax_registry_create(struct ax_registry *registry, struct ax_ctx *ctx,
                   const struct ax_json *inventory)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    ax_str name, record, description = AX_STR("");
    int64_t tier, now_ns = ax_clock_real_ns();
    AX_TRY(ax_json_need_text(ctx, inventory, "name", &name));
    AX_TRY(check_name(ctx, name));
    AX_TRY(check_record(ctx, inventory, &tier));
    AX_TRY(ax_json_may_text(ctx, inventory, "description", &description));
    AX_TRY(ax_json_canonical(ctx, inventory, &record));
    if (record.len > RECORD_BYTES_MAX)
        return ax_fail(ctx, AX_LIMIT, "an inventory record of %zu bytes; at most %d are kept",
                       record.len, RECORD_BYTES_MAX);
    AX_TRY(ax_store_begin(registry->config.store, ctx, AX_STORE_WRITE, &tx));
    ax_status status = ax_store_run(
        tx, ctx,
        AX_STR("insert into models (name, description, record, tier, created_by, created_ns, "
               "updated_ns) values ($1, $2, $3, $4, $5, $6, $6)"),
        AX_STORE_PARAMS(ax_store_text(name), ax_store_text(description), ax_store_text(record),
                        ax_store_i64(tier), ax_store_text(ctx->actor->id), ax_store_i64(now_ns)),
        NULL);
    if (status == AX_CONFLICT)
        return ax_fail(ctx, AX_CONFLICT, "there is a model \"%.*s\" already", AX_FMT(name));
    AX_TRY(status);
    AX_TRY(ax_registry_note(registry, tx, ctx, AX_EVENT_MODEL, name, ax_sha256(record)));
    return ax_store_commit(ax_take(tx), ctx);
}

struct model_row {
    ax_str record, created_by;
    int64_t tier, created_ns, updated_ns;
};

static ax_status
read_model(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str name, struct model_row *out)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select record, created_by, tier, created_ns, updated_ns from "
                                 "models where name = $1"),
                          AX_STORE_PARAMS(ax_store_text(name)), &rows));
    bool found = ax_store_next(rows);
    if (found) {
        out->record = ax_store_read_text(rows, 0);
        out->created_by = ax_store_read_text(rows, 1);
        out->tier = ax_store_read_i64(rows, 2);
        out->created_ns = ax_store_read_i64(rows, 3);
        out->updated_ns = ax_store_read_i64(rows, 4);
    }
    AX_TRY(ax_store_finish(rows));
    return found ? AX_OK : ax_fail(ctx, AX_NOT_FOUND, "no model \"%.*s\"", AX_FMT(name));
}

/* The record with these members over it; a member that needs an approval is refused. */
static ax_status
merge(struct ax_ctx *ctx, ax_str present, const struct ax_json *members, ax_str *out_record)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(2 * RECORD_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_json *old, *made;
    ax_str copy;
    AX_TRY(ax_json_parse(ctx, present, NULL, &old));
    struct ax_json_iter it = ax_json_iter_of(members);
    ax_json_begin_object(&json);
    while (ax_json_next(&it)) {
        if (ax_str_eq(it.key, AX_STR("tier")) || ax_str_eq(it.key, AX_STR("name")))
            return ax_fail(ctx, AX_DENIED, "`%.*s` changes by a proposal only", AX_FMT(it.key));
        ax_json_key_str(&json, it.key);
        ax_json_put(&json, it.value);
    }
    it = ax_json_iter_of(old);
    while (ax_json_next(&it)) {
        const char *key = ax_str_c(ctx->arena, it.key);
        if (!key)
            return no_memory(ctx);
        if (ax_json_find(members, key))
            continue;
        ax_json_key_str(&json, it.key);
        ax_json_put(&json, it.value);
    }
    ax_json_end_object(&json);
    if (ax_writer_take(&text, ctx->arena, &copy) != AX_OK)
        return no_memory(ctx);
    AX_TRY(ax_json_parse(ctx, copy, NULL, &made));
    int64_t tier;
    AX_TRY(check_record(ctx, made, &tier));
    return ax_json_canonical(ctx, made, out_record);
}

ax_status
ax_registry_change(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                   const struct ax_json *members)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct model_row row;
    ax_str record;
    AX_TRY(ax_store_begin(registry->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(read_model(tx, ctx, model, &row));
    AX_TRY(merge(ctx, row.record, members, &record));
    AX_TRY(ax_store_run(tx, ctx,
                        AX_STR("update models set record = $2, updated_ns = $3 where name = $1"),
                        AX_STORE_PARAMS(ax_store_text(model), ax_store_text(record),
                                        ax_store_i64(ax_clock_real_ns())),
                        NULL));
    AX_TRY(ax_registry_note(registry, tx, ctx, AX_EVENT_MODEL, model, ax_sha256(record)));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_registry_set_tier(struct ax_registry *registry, struct ax_ctx *ctx, struct ax_store_tx *tx,
                     ax_str model, const struct ax_json *change)
{
    int64_t tier, changed;
    ax_str text;
    AX_TRY(ax_json_need_i64(ctx, change, "tier", &tier));
    AX_TRY(ax_json_canonical(ctx, change, &text));
    AX_TRY(ax_store_run(
        tx, ctx, AX_STR("update models set tier = $2, updated_ns = $3 where name = $1"),
        AX_STORE_PARAMS(ax_store_text(model), ax_store_i64(tier), ax_store_i64(ax_clock_real_ns())),
        &changed));
    if (changed != 1)
        return ax_fail(ctx, AX_NOT_FOUND, "no model \"%.*s\"", AX_FMT(model));
    return ax_registry_note(registry, tx, ctx, AX_EVENT_MODEL, model, ax_sha256(text));
}

/* ---- versions: rows ---- */

#define VERSION_COLUMNS                                                                            \
    "select v.model, v.version, v.digest, v.format, v.state, v.until_ns, v.developer, v.dataset, " \
    "v.run_id, v.created_ns, m.tier, v.manifest from model_versions v join models m on m.name = "  \
    "v.model "

static ax_status
read_version(struct ax_ctx *ctx, struct ax_store_rows *rows, struct ax_version_record *out)
{
    out->model = ax_store_read_text(rows, 0);
    out->version = ax_store_read_i64(rows, 1);
    ax_str digest = ax_store_read_text(rows, 2);
    out->format = ax_store_read_text(rows, 3);
    ax_str state = ax_store_read_text(rows, 4);
    out->until_ns = ax_store_read_i64_or(rows, 5, INT64_MAX);
    out->developer = ax_store_read_text(rows, 6);
    out->dataset = ax_store_read_text(rows, 7);
    out->run_id = ax_store_read_text(rows, 8);
    out->created_ns = ax_store_read_i64(rows, 9);
    out->tier = ax_store_read_i64(rows, 10);
    if (!ax_digest_parse(digest, &out->digest) || !ax_version_state_parse(state, &out->state))
        return ax_fail(ctx, AX_CORRUPT, "a row of the versions is damaged");
    return AX_OK;
}

/* What a query found: the first row, which has the columns above. */
struct one {
    struct ax_version_record record;
    ax_str manifest;
    bool found;
};

/* The caller's transaction, or one that *own keeps. */
static ax_status
within(struct ax_registry *registry, struct ax_ctx *ctx, struct ax_store_tx *given,
       struct ax_store_tx **own, struct ax_store_tx **out_tx)
{
    if (!given)
        AX_TRY(ax_store_begin(registry->config.store, ctx, AX_STORE_READ, own));
    *out_tx = given ? given : *own;
    return AX_OK;
}

static ax_status
query_version(struct ax_registry *registry, struct ax_ctx *ctx, struct ax_store_tx *given,
              ax_str sql, ax_store_params params, struct one *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *own = NULL;
    struct ax_store_tx *tx;
    struct ax_store_rows *rows;
    AX_TRY(within(registry, ctx, given, &own, &tx));
    AX_TRY(ax_store_query(tx, ctx, sql, params, &rows));
    ax_status status = AX_OK;
    out->found = ax_store_next(rows);
    if (out->found) {
        status = read_version(ctx, rows, &out->record);
        out->manifest = ax_store_read_text(rows, 11);
    }
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

static ax_status
find_version(struct ax_registry *registry, struct ax_ctx *ctx, struct ax_store_tx *tx, ax_str model,
             int64_t version, struct one *out)
{
    AX_TRY(query_version(registry, ctx, tx,
                         AX_STR(VERSION_COLUMNS "where v.model = $1 and ($2 = 0 or v.version = $2) "
                                                "order by v.version desc"),
                         AX_STORE_PARAMS(ax_store_text(model), ax_store_i64(version)), out));
    if (out->found)
        return AX_OK;
    return version ? ax_fail(ctx, AX_NOT_FOUND, "no version %.*s/%lld", AX_FMT(model),
                             (long long)version)
                   : ax_fail(ctx, AX_NOT_FOUND, "no version of a model \"%.*s\"", AX_FMT(model));
}

ax_status
ax_registry_version(struct ax_registry *registry, struct ax_ctx *ctx, struct ax_store_tx *tx,
                    ax_str model, int64_t version, struct ax_version_record *out_record)
{
    struct one one = {};
    AX_TRY(find_version(registry, ctx, tx, model, version, &one));
    *out_record = one.record;
    return AX_OK;
}

/* ---- versions: registering ---- */

/* What can be read from the manifest about where it comes from. */
static void
read_lineage(const struct ax_bundle *bundle, struct ax_version_record *out)
{
    const struct ax_json *lineage = ax_json_find(bundle->json, "lineage");
    out->dataset = out->run_id = AX_STR("");
    (void)(ax_json_text(ax_json_find(lineage, "dataset"), &out->dataset) &&
           ax_json_text(ax_json_find(lineage, "training_run"), &out->run_id));
}

static ax_status
keep_files(struct ax_registry *registry, struct ax_ctx *ctx, const struct ax_bundle *bundle)
{
    ax_digest digest;
    for (int i = 0; i < AX_BUNDLE_FILES; i++)
        if (bundle->present[i])
            AX_TRY(ax_blob_put(registry->config.blob, ctx, bundle->files[i], &digest));
    return AX_OK;
}

static ax_status
insert_version(struct ax_registry *registry, struct ax_ctx *ctx, const struct ax_bundle *bundle,
               struct ax_version_record *record)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct model_row model;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    AX_TRY(ax_store_begin(registry->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(read_model(tx, ctx, record->model, &model));
    AX_TRY(
        ax_store_get_i64(tx, ctx,
                         AX_STR("update models set last_version = last_version + 1 where name = $1 "
                                "returning last_version"),
                         AX_STORE_PARAMS(ax_store_text(record->model)), &record->version));
    record->tier = model.tier;
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("insert into model_versions (model, version, digest, format, manifest, state, "
               "stage, description, developer, dataset, run_id, source, created_ns, updated_ns) "
               "values ($1, $2, $3, $4, $5, 'registered', '', '', $6, $7, $8, '', $9, $9)"),
        AX_STORE_PARAMS(ax_store_text(record->model), ax_store_i64(record->version),
                        ax_store_text(ax_digest_hex(record->digest, hex)),
                        ax_store_text(record->format), ax_store_text(bundle->manifest),
                        ax_store_text(record->developer), ax_store_text(record->dataset),
                        ax_store_text(record->run_id), ax_store_i64(record->created_ns)),
        NULL));
    ax_str object =
        ax_str_printf(ctx->arena, "%.*s/%lld", AX_FMT(record->model), (long long)record->version);
    if (!object.at)
        return no_memory(ctx);
    AX_TRY(ax_registry_note(registry, tx, ctx, AX_EVENT_MODEL_VERSION, object, record->digest));
    return ax_store_commit(ax_take(tx), ctx);
}

/* Opened and self-tested before anything is kept: what does not load is no version. */
static ax_status
prove(struct ax_ctx *ctx, ax_str model, const struct ax_bundle *bundle)
{
    struct ax_loaded_model *loaded;
    AX_TRY(ax_model_load(ctx, model, 0, true, bundle, &loaded));
    ax_model_unref(loaded);
    return AX_OK;
}

ax_status
ax_registry_keep(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                 const struct ax_bundle *bundle)
{
    AX_TRY(prove(ctx, model, bundle));
    return keep_files(registry, ctx, bundle);
}

ax_status
ax_registry_register(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model, ax_str bytes,
                     struct ax_version_record *out_record)
{
    struct ax_bundle bundle;
    struct ax_store_tx *tx;
    struct model_row row;
    struct one same;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    AX_TRY(ax_store_begin(registry->config.store, ctx, AX_STORE_READ, &tx));
    ax_status status = read_model(tx, ctx, model, &row);
    ax_store_rollback(tx);
    AX_TRY(status);
    AX_TRY(ax_bundle_is_container(bytes) ? ax_bundle_read(ctx, bytes, &bundle)
                                         : ax_bundle_of_model(ctx, bytes, &bundle));
    AX_TRY(query_version(
        registry, ctx, NULL, AX_STR(VERSION_COLUMNS "where v.model = $1 and v.digest = $2"),
        AX_STORE_PARAMS(ax_store_text(model), ax_store_text(ax_digest_hex(bundle.digest, hex))),
        &same));
    if (same.found) {
        *out_record = same.record;
        return AX_OK;
    }
    AX_TRY(ax_registry_keep(registry, ctx, model, &bundle));
    *out_record = (struct ax_version_record){
        .model = model,
        .digest = bundle.digest,
        .format = bundle.format,
        .state = AX_VERSION_REGISTERED,
        .until_ns = INT64_MAX,
        .developer = ctx->actor->id,
        .created_ns = ax_clock_real_ns(),
    };
    read_lineage(&bundle, out_record);
    return insert_version(registry, ctx, &bundle, out_record);
}

/* Registered through MLflow, and not a model that the engine reads: its manifest says why. */
static ax_status
no_bundle(struct ax_ctx *ctx, const struct one *one)
{
    const struct ax_json *manifest;
    ax_str hint = AX_STR("its files are not among this server's artifacts");
    AX_TRY(ax_json_parse(ctx, one->manifest, NULL, &manifest));
    (void)ax_json_text(ax_json_find(manifest, "hint"), &hint);
    return ax_fail(ctx, AX_UNSUPPORTED, "%.*s/%lld cannot be served: %.*s",
                   AX_FMT(one->record.model), (long long)one->record.version, AX_FMT(hint));
}

ax_status
ax_registry_bundle(struct ax_registry *registry, struct ax_ctx *ctx, struct ax_store_tx *tx,
                   const struct ax_version_record *record, struct ax_bundle *out_bundle)
{
    struct one one = {};
    AX_TRY(find_version(registry, ctx, tx, record->model, record->version, &one));
    if (ax_str_eq(one.record.format, AX_STR("mlflow")))
        return no_bundle(ctx, &one);
    AX_TRY(ax_bundle_read_manifest(ctx, one.manifest, out_bundle));
    if (!ax_digest_eq(out_bundle->digest, record->digest))
        return ax_fail(ctx, AX_CORRUPT, "the manifest of %.*s/%lld was changed",
                       AX_FMT(record->model), (long long)record->version);
    for (int i = 0; i < AX_BUNDLE_FILES; i++)
        if (out_bundle->present[i])
            AX_TRY(ax_blob_get(registry->config.blob, ctx, out_bundle->digests[i],
                               AX_MODEL_BYTES_MAX, &out_bundle->files[i]));
    return AX_OK;
}

/* ---- states ---- */

/* From which states each may be reached (docs/formats.md section 8). */
static bool
may_move(enum ax_version_state from, enum ax_version_state to)
{
    static const unsigned sources[] = {
        [AX_VERSION_REGISTERED] = 0,
        [AX_VERSION_IN_VALIDATION] = 1U << AX_VERSION_REGISTERED | 1U << AX_VERSION_FAILED |
                                     1U << AX_VERSION_VALIDATED |
                                     1U << AX_VERSION_APPROVED_RESTRICTED,
        [AX_VERSION_VALIDATED] = 1U << AX_VERSION_IN_VALIDATION,
        [AX_VERSION_FAILED] = 1U << AX_VERSION_IN_VALIDATION,
        [AX_VERSION_APPROVED] = 1U << AX_VERSION_VALIDATED,
        [AX_VERSION_APPROVED_RESTRICTED] = 1U << AX_VERSION_REGISTERED |
                                           1U << AX_VERSION_IN_VALIDATION |
                                           1U << AX_VERSION_VALIDATED | 1U << AX_VERSION_APPROVED,
        [AX_VERSION_RETIRED] = 1U << AX_VERSION_REGISTERED | 1U << AX_VERSION_VALIDATED |
                               1U << AX_VERSION_FAILED | 1U << AX_VERSION_APPROVED |
                               1U << AX_VERSION_APPROVED_RESTRICTED,
    };
    return sources[to] & 1U << from;
}

ax_status
ax_registry_move(struct ax_registry *registry, struct ax_ctx *ctx, struct ax_store_tx *tx,
                 const struct ax_version_record *record, enum ax_version_state state,
                 int64_t until_ns)
{
    int64_t changed;
    if (!may_move(record->state, state))
        return ax_fail(ctx, AX_CONFLICT, "%.*s/%lld is %s and cannot become %s",
                       AX_FMT(record->model), (long long)record->version,
                       ax_version_state_name(record->state), ax_version_state_name(state));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("update model_versions set state = $3, until_ns = $4, updated_ns = $5 where "
               "model = $1 and version = $2 and state = $6"),
        AX_STORE_PARAMS(ax_store_text(record->model), ax_store_i64(record->version),
                        ax_store_text(ax_str_of(ax_version_state_name(state))),
                        until_ns == INT64_MAX ? ax_store_null() : ax_store_i64(until_ns),
                        ax_store_i64(ax_clock_real_ns()),
                        ax_store_text(ax_str_of(ax_version_state_name(record->state)))),
        &changed));
    if (changed != 1)
        return ax_fail(ctx, AX_CONFLICT, "%.*s/%lld changed meanwhile", AX_FMT(record->model),
                       (long long)record->version);
    ax_str object = ax_str_printf(ctx->arena, "%.*s/%lld %s", AX_FMT(record->model),
                                  (long long)record->version, ax_version_state_name(state));
    return object.at
               ? ax_registry_note(registry, tx, ctx, AX_EVENT_STATE_CHANGE, object, record->digest)
               : no_memory(ctx);
}

/* ---- people ---- */

static ax_status
read_people(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql, ax_store_params params,
            ax_str **out_people, size_t *out_count)
{
    struct ax_store_rows *rows;
    *out_people = AX_NEW_ARRAY(ctx->arena, ax_str, PEOPLE_MAX);
    *out_count = 0;
    if (!*out_people)
        return no_memory(ctx);
    AX_TRY(ax_store_query(tx, ctx, sql, params, &rows));
    while (*out_count < PEOPLE_MAX && ax_store_next(rows))
        (*out_people)[(*out_count)++] = ax_store_read_text(rows, 0);
    return ax_store_finish(rows);
}

ax_status
ax_registry_people(struct ax_registry *registry, struct ax_ctx *ctx, struct ax_store_tx *given,
                   const struct ax_version_record *record, struct ax_version_people *out_people)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *own = NULL;
    struct ax_store_tx *tx;
    ax_str subject =
        ax_str_printf(ctx->arena, "%.*s/%lld", AX_FMT(record->model), (long long)record->version);
    if (!subject.at)
        return no_memory(ctx);
    out_people->developer = record->developer;
    AX_TRY(within(registry, ctx, given, &own, &tx));
    AX_TRY(read_people(tx, ctx,
                       AX_STR("select distinct validator from validations where model = $1 and "
                              "version = $2"),
                       AX_STORE_PARAMS(ax_store_text(record->model), ax_store_i64(record->version)),
                       &out_people->validators, &out_people->validator_count));
    return read_people(tx, ctx,
                       AX_STR("select distinct a.approver from approvals a join proposals p on "
                              "p.id = a.proposal_id where p.kind = 'model_version' and "
                              "p.subject = $1 and p.state = 'applied' and a.verb = 'approve'"),
                       AX_STORE_PARAMS(ax_store_text(subject)), &out_people->approvers,
                       &out_people->approver_count);
}

/* ---- showing ---- */

static void
show_time(struct ax_json_writer *out, const char *key, int64_t ns)
{
    char time[AX_CLOCK_TEXT_BYTES];
    ax_json_member_text(out, key, ax_clock_format(ns, time));
}

static void
show_version(const struct ax_version_record *record, struct ax_json_writer *out)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_json_member_text(out, "model", record->model);
    ax_json_member_i64(out, "version", record->version);
    ax_json_member_text(out, "digest", ax_digest_hex(record->digest, hex));
    ax_json_member_text(out, "format", record->format);
    ax_json_member_text(out, "state", ax_str_of(ax_version_state_name(record->state)));
    if (record->until_ns != INT64_MAX)
        show_time(out, "until", record->until_ns);
    ax_json_member_text(out, "developer", record->developer);
    ax_json_member_text(out, "dataset", record->dataset);
    ax_json_member_text(out, "run_id", record->run_id);
    show_time(out, "created", record->created_ns);
}

static ax_status
show_versions(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str model, struct ax_json_writer *out)
{
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_query(tx, ctx, AX_STR(VERSION_COLUMNS "where v.model = $1 order by v.version"),
                          AX_STORE_PARAMS(ax_store_text(model)), &rows));
    ax_json_key(out, "versions");
    ax_json_begin_array(out);
    while (status == AX_OK && ax_store_next(rows)) {
        struct ax_version_record record;
        status = read_version(ctx, rows, &record);
        ax_json_begin_object(out);
        if (status == AX_OK)
            show_version(&record, out);
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

static ax_status
show_model(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str model, struct ax_json_writer *out)
{
    struct model_row row;
    int64_t findings;
    AX_TRY(read_model(tx, ctx, model, &row));
    AX_TRY(ax_store_get_i64(
        tx, ctx, AX_STR("select count(*) from findings where model = $1 and state = 'open'"),
        AX_STORE_PARAMS(ax_store_text(model)), &findings));
    ax_json_begin_object(out);
    ax_json_member_text(out, "name", model);
    ax_json_member_i64(out, "tier", row.tier);
    ax_json_member_text(out, "created_by", row.created_by);
    show_time(out, "created", row.created_ns);
    show_time(out, "updated", row.updated_ns);
    ax_json_member_i64(out, "open_findings", findings);
    ax_json_key(out, "record");
    ax_json_put_raw(out, row.record);
    AX_TRY(show_versions(tx, ctx, model, out));
    ax_json_end_object(out);
    return AX_OK;
}

ax_status
ax_registry_show(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                 struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(registry->config.store, ctx, AX_STORE_READ, &tx));
    return show_model(tx, ctx, model, out);
}

ax_status
ax_registry_list(struct ax_registry *registry, struct ax_ctx *ctx, bool full,
                 struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    AX_TRY(ax_store_begin(registry->config.store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select m.name, m.tier, m.created_by, (select count(*) from "
                                 "model_versions v where v.model = m.name) from models m "
                                 "order by m.name"),
                          AX_STORE_NO_PARAMS, &rows));
    ax_json_begin_object(out);
    ax_json_key(out, "models");
    ax_json_begin_array(out);
    while (status == AX_OK && ax_store_next(rows)) {
        ax_str name = ax_store_read_text(rows, 0);
        if (full) {
            status = show_model(tx, ctx, name, out);
            continue;
        }
        ax_json_begin_object(out);
        ax_json_member_text(out, "name", name);
        ax_json_member_i64(out, "tier", ax_store_read_i64(rows, 1));
        ax_json_member_text(out, "created_by", ax_store_read_text(rows, 2));
        ax_json_member_i64(out, "versions", ax_store_read_i64(rows, 3));
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
    ax_json_end_object(out);
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

/* Inputs as the signature has them; outputs are what every version gives. */
static ax_status
show_inputs(struct ax_ctx *ctx, ax_str manifest, struct ax_json_writer *out)
{
    const struct ax_json *json, *signature;
    AX_TRY(ax_json_parse(ctx, manifest, NULL, &json));
    AX_TRY(ax_json_need_object(ctx, json, "signature", &signature));
    ax_json_key(out, "inputs");
    ax_json_put(out, ax_json_find(signature, "features"));
    ax_json_key(out, "outputs");
    ax_json_put_raw(out, AX_STR("[{\"name\":\"predict\"},{\"name\":\"margin\"},"
                                "{\"name\":\"contributions\"},{\"name\":\"leaf\"},"
                                "{\"name\":\"reasons\"}]"));
    return AX_OK;
}

ax_status
ax_registry_show_version(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                         int64_t version, struct ax_json_writer *out)
{
    struct one one = {};
    AX_TRY(find_version(registry, ctx, NULL, model, version, &one));
    ax_json_begin_object(out);
    show_version(&one.record, out);
    ax_json_member_i64(out, "tier", one.record.tier);
    AX_TRY(show_inputs(ctx, one.manifest, out));
    ax_json_key(out, "manifest");
    ax_json_put_raw(out, one.manifest);
    ax_json_end_object(out);
    return AX_OK;
}
