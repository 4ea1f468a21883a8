#include "mlops/registered_model.h"

#include "base/number.h"
#include "mlops/experiment_search.h"
#include "mlops/registered_version.h"
#include "mlops/webhook.h"
#include "sys/clock.h"

#define PROMPT_TAG "mlflow.prompt.is_prompt"

enum { NAME_CHARS_MAX = 256, ALIAS_CHARS_MAX = 255, DESCRIPTION_CHARS_MAX = 5000, TIER = 2 };

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for registered models");
}

static struct ax_store *
store_of(const struct ax_registry *registry)
{
    return ax_registry_config(registry)->store;
}

ax_status
ax_registered_model_missing(struct ax_ctx *ctx, ax_str name)
{
    return ax_fail(ctx, AX_NOT_FOUND, "Registered Model with name=%.*s not found",
                   AX_FMT(ax_experiment_cut(name, 200)));
}

/* ---- checking ---- */

static ax_status
check_name(struct ax_ctx *ctx, ax_str name)
{
    if (ax_str_trim(name).len == 0)
        return ax_fail(ctx, AX_INVALID, "Registered model name cannot be empty.");
    if (memchr(name.at, '/', name.len) || memchr(name.at, ':', name.len) ||
        ax_str_eq(name, AX_STR(".")) || ax_str_eq(name, AX_STR("..")))
        return ax_fail(ctx, AX_INVALID,
                       "Invalid model name '%.*s'. Names cannot contain '/' or ':'.",
                       AX_FMT(ax_experiment_cut(name, 100)));
    if (ax_experiment_chars(name) > NAME_CHARS_MAX)
        return ax_fail(ctx, AX_INVALID, "'name' exceeds the maximum length of %d characters",
                       NAME_CHARS_MAX);
    return AX_OK;
}

ax_status
ax_registered_model_check_tag(struct ax_ctx *ctx, struct ax_experiment_pair tag)
{
    AX_TRY(ax_experiment_check_key(ctx, tag.key, "key"));
    if (ax_experiment_chars(tag.value) > AX_REGISTERED_TAG_CHARS_MAX)
        return ax_fail(ctx, AX_INVALID, "'value' exceeds the maximum length of %d characters",
                       AX_REGISTERED_TAG_CHARS_MAX);
    return AX_OK;
}

/* "v7" is how versions are written. */
static bool
is_version_word(ax_str alias)
{
    bool digits = alias.len > 1 && (alias.at[0] == 'v' || alias.at[0] == 'V');
    for (size_t i = 1; digits && i < alias.len; i++)
        digits = alias.at[i] >= '0' && alias.at[i] <= '9';
    return digits;
}

static ax_status
check_alias(struct ax_ctx *ctx, ax_str alias)
{
    for (size_t i = 0; i < alias.len; i++) {
        char c = alias.at[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '-' || (c & 0x80);
        if (!good)
            return ax_fail(ctx, AX_INVALID,
                           "Invalid alias name: '%.*s'. Names may only contain alphanumerics, "
                           "underscores (_), and dashes (-).",
                           AX_FMT(ax_experiment_cut(alias, 100)));
    }
    if (ax_experiment_chars(alias) > ALIAS_CHARS_MAX)
        return ax_fail(ctx, AX_INVALID,
                       "'registered model alias name' exceeds the maximum length of %d characters",
                       ALIAS_CHARS_MAX);
    if (ax_str_eq_ignoring_case(alias, AX_STR("latest")))
        return ax_fail(ctx, AX_INVALID, "'latest' alias name (case insensitive) is reserved.");
    if (is_version_word(alias))
        return ax_fail(ctx, AX_INVALID, "Version alias name '%.*s' is reserved.", AX_FMT(alias));
    return AX_OK;
}

static ax_status
check_there(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str name)
{
    int64_t count;
    AX_TRY(ax_store_get_i64(tx, ctx, AX_STR("select count(*) from models where name = $1"),
                            AX_STORE_PARAMS(ax_store_text(name)), &count));
    return count > 0 ? AX_OK : ax_registered_model_missing(ctx, name);
}

/* What was looked at by the second line, or is served, is not made undone by its developer. */
static ax_status
check_ungoverned(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str name, const char *what)
{
    int64_t count;
    AX_TRY(ax_store_get_i64(tx, ctx,
                            AX_STR("select (select count(*) from model_versions where model = $1 "
                                   "and state <> 'registered') + (select count(*) from validations "
                                   "where model = $1)"),
                            AX_STORE_PARAMS(ax_store_text(name)), &count));
    if (count > 0)
        return ax_fail(ctx, AX_DENIED,
                       "%.*s has versions that were validated or approved: its record is kept, so "
                       "it cannot be %s; retire its versions by a proposal",
                       AX_FMT(name), what);
    return AX_OK;
}

/* ---- showing ---- */

#define COLUMNS "r.name, r.created_ns, r.updated_ns, r.description"

static ax_status
show_aliases(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str name, struct ax_json_writer *out)
{
    struct ax_store_rows *rows;
    bool any = false;
    AX_TRY(ax_store_query(
        tx, ctx, AX_STR("select alias, version from model_aliases where model = $1 order by alias"),
        AX_STORE_PARAMS(ax_store_text(name)), &rows));
    for (; ax_store_next(rows); any = true) {
        ax_str version = ax_str_printf(ctx->arena, "%lld", (long long)ax_store_read_i64(rows, 1));
        if (!any) {
            ax_json_key(out, "aliases");
            ax_json_begin_array(out);
        }
        ax_json_begin_object(out);
        ax_json_member_text(out, "alias", ax_store_read_text(rows, 0));
        ax_json_member_text(out, "version", version);
        ax_json_end_object(out);
    }
    if (any)
        ax_json_end_array(out);
    return ax_store_finish(rows);
}

/* The row that the rows stand on, and what belongs to it. */
static ax_status
show_row(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_store_rows *rows,
         struct ax_json_writer *out)
{
    struct ax_store_rows *tags;
    ax_str name = ax_store_read_text(rows, 0), description = ax_store_read_text(rows, 3);
    ax_json_begin_object(out);
    ax_json_member_text(out, "name", name);
    ax_json_member_i64(out, "creation_timestamp", ax_experiment_ms(ax_store_read_i64(rows, 1)));
    ax_json_member_i64(out, "last_updated_timestamp", ax_experiment_ms(ax_store_read_i64(rows, 2)));
    if (description.len > 0)
        ax_json_member_text(out, "description", description);
    AX_TRY(ax_registered_version_show_latest(tx, ctx, name, "latest_versions", out));
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select key, value from model_tags where model = $1 order by key"),
                          AX_STORE_PARAMS(ax_store_text(name)), &tags));
    AX_TRY(ax_experiment_show_pairs(tags, "tags", out));
    AX_TRY(show_aliases(tx, ctx, name, out));
    ax_json_end_object(out);
    return AX_OK;
}

static ax_status
show(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str name, struct ax_json_writer *out)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx, AX_STR("select " COLUMNS " from models r where r.name = $1"),
                          AX_STORE_PARAMS(ax_store_text(name)), &rows));
    bool found = ax_store_next(rows);
    ax_status status = found ? show_row(tx, ctx, rows, out) : AX_OK;
    ax_status end = ax_store_finish(rows);
    AX_TRY(status == AX_OK ? end : status);
    return found ? AX_OK : ax_registered_model_missing(ctx, name);
}

ax_status
ax_registered_model_show(struct ax_registry *registry, struct ax_ctx *ctx, ax_str name,
                         struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_READ, &tx));
    return show(tx, ctx, name, out);
}

/* ---- making ---- */

static ax_status
put_tag(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str name, struct ax_experiment_pair tag)
{
    AX_TRY(ax_registered_model_check_tag(ctx, tag));
    return ax_store_run(
        tx, ctx,
        AX_STR("insert into model_tags (model, key, value) values ($1, $2, $3) on conflict (model, "
               "key) do update set value = excluded.value"),
        AX_STORE_PARAMS(ax_store_text(name), ax_store_text(tag.key), ax_store_text(tag.value)),
        NULL);
}

/* The inventory's record of a model that nobody has told about yet. */
static ax_status
make_record(struct ax_ctx *ctx, ax_str name, ax_str *out)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(64 << 10);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "name", name);
    ax_json_member_text(&json, "origin", AX_STR("mlflow"));
    ax_json_member_text(&json, "owner", ctx->actor->id);
    ax_json_member_text(&json, "purpose", AX_STR("not stated: registered through MLflow"));
    ax_json_member_i64(&json, "tier", TIER);
    ax_json_end_object(&json);
    return ax_writer_take(&text, ctx->arena, out) == AX_OK ? AX_OK : no_memory(ctx);
}

static bool
is_prompt_tag(ax_str key, ax_str value)
{
    return ax_str_eq(key, AX_STR(PROMPT_TAG)) && ax_str_eq_ignoring_case(value, AX_STR("true"));
}

static ax_status
already_there(struct ax_ctx *ctx, const struct ax_registered_model_new *made, bool is_prompt)
{
    bool asked = false;
    for (size_t i = 0; i < made->tags.count; i++)
        asked |= is_prompt_tag(made->tags.items[i].key, made->tags.items[i].value);
    if (asked == is_prompt)
        return ax_fail(ctx, AX_CONFLICT, "%s (name=%.*s) already exists.",
                       asked ? "Prompt" : "Registered Model", AX_FMT(made->name));
    return ax_fail(ctx, AX_CONFLICT,
                   "Tried to create a %s with name '%.*s', but the name is already taken by a %s. "
                   "MLflow does not allow creating a model and a prompt with the same name.",
                   asked ? "prompt" : "registered model", AX_FMT(made->name),
                   asked ? "registered model" : "prompt");
}

static ax_status
insert(struct ax_registry *registry, struct ax_store_tx *tx, struct ax_ctx *ctx,
       const struct ax_registered_model_new *made)
{
    ax_str record;
    int64_t prompts; /* of the name: asked first, since a conflict may end the transaction */
    AX_TRY(make_record(ctx, made->name, &record));
    AX_TRY(ax_store_get_i64(tx, ctx,
                            AX_STR("select count(*) from model_tags where model = $1 and key = "
                                   "'" PROMPT_TAG "' and lower(value) = 'true'"),
                            AX_STORE_PARAMS(ax_store_text(made->name)), &prompts));
    ax_status status = ax_store_run(
        tx, ctx,
        AX_STR("insert into models (name, description, record, tier, created_by, created_ns, "
               "updated_ns) values ($1, $2, $3, $4, $5, $6, $6)"),
        AX_STORE_PARAMS(ax_store_text(made->name), ax_store_text(made->description),
                        ax_store_text(record), ax_store_i64(TIER), ax_store_text(ctx->actor->id),
                        ax_store_i64(ax_clock_real_ns())),
        NULL);
    if (status == AX_CONFLICT)
        return already_there(ctx, made, prompts > 0);
    AX_TRY(status);
    for (size_t i = 0; i < made->tags.count; i++)
        AX_TRY(put_tag(tx, ctx, made->name, made->tags.items[i]));
    return ax_registry_note(registry, tx, ctx, AX_EVENT_MODEL, made->name, ax_sha256(record));
}

ax_status
ax_registered_model_create(struct ax_registry *registry, struct ax_ctx *ctx,
                           const struct ax_registered_model_new *made, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(check_name(ctx, made->name));
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(insert(registry, tx, ctx, made));
    const struct ax_webhook_fact fact = {.about = AX_WEBHOOK_MODEL,
                                         .action = "created",
                                         .model = made->name,
                                         .description = made->description,
                                         .tags = &made->tags};
    AX_TRY(ax_webhook_note(tx, ctx, &fact));
    AX_TRY(show(tx, ctx, made->name, out));
    return ax_store_commit(ax_take(tx), ctx);
}

/* ---- changing ---- */

ax_status
ax_registered_model_describe(struct ax_registry *registry, struct ax_ctx *ctx, ax_str name,
                             ax_str description, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(
        tx, ctx, AX_STR("update models set description = $2, updated_ns = $3 where name = $1"),
        AX_STORE_PARAMS(ax_store_text(name), ax_store_text(description),
                        ax_store_i64(ax_clock_real_ns())),
        NULL));
    AX_TRY(show(tx, ctx, name, out));
    return ax_store_commit(ax_take(tx), ctx);
}

/* A row of the new name, its children moved to it, the old row gone: keys are names. */
static ax_status
move_rows(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str name, ax_str new_name)
{
    static const char *const moves[] = {
        "insert into models (name, description, record, tier, created_by, created_ns, updated_ns, "
        "last_version) select $2, description, record, tier, created_by, created_ns, updated_ns, "
        "last_version from models where name = $1",
        "insert into model_versions (model, version, digest, format, manifest, state, until_ns, "
        "stage, description, developer, dataset, run_id, source, created_ns, updated_ns, run_link, "
        "logged_model_id, location) select $2, version, digest, format, manifest, state, until_ns, "
        "stage, description, developer, dataset, run_id, source, created_ns, updated_ns, run_link, "
        "logged_model_id, location from model_versions where model = $1",
        "update model_tags set model = $2 where model = $1",
        "update model_version_tags set model = $2 where model = $1",
        "update model_aliases set model = $2 where model = $1",
    };
    const ax_store_params params = AX_STORE_PARAMS(ax_store_text(name), ax_store_text(new_name));
    const ax_store_params old = AX_STORE_PARAMS(ax_store_text(name));
    for (size_t i = 0; i < AX_COUNT_OF(moves); i++) {
        ax_status status = ax_store_run(tx, ctx, ax_str_of(moves[i]), params, NULL);
        if (status == AX_CONFLICT && i == 0)
            return ax_fail(ctx, AX_CONFLICT, "Registered Model (name=%.*s) already exists.",
                           AX_FMT(new_name));
        AX_TRY(status);
    }
    AX_TRY(ax_store_run(tx, ctx, AX_STR("delete from model_versions where model = $1"), old, NULL));
    return ax_store_run(tx, ctx, AX_STR("delete from models where name = $1"), old, NULL);
}

ax_status
ax_registered_model_rename(struct ax_registry *registry, struct ax_ctx *ctx, ax_str name,
                           ax_str new_name, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    const int64_t now_ns = ax_clock_real_ns();
    AX_TRY(check_name(ctx, new_name));
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(check_there(tx, ctx, name));
    AX_TRY(check_ungoverned(tx, ctx, name, "renamed"));
    if (!ax_str_eq(name, new_name))
        AX_TRY(move_rows(tx, ctx, name, new_name));
    AX_TRY(ax_store_run(tx, ctx, AX_STR("update models set updated_ns = $2 where name = $1"),
                        AX_STORE_PARAMS(ax_store_text(new_name), ax_store_i64(now_ns)), NULL));
    AX_TRY(ax_store_run(tx, ctx,
                        AX_STR("update model_versions set updated_ns = $2 where model = $1"),
                        AX_STORE_PARAMS(ax_store_text(new_name), ax_store_i64(now_ns)), NULL));
    AX_TRY(ax_registry_note(registry, tx, ctx, AX_EVENT_MODEL, name, ax_sha256(new_name)));
    AX_TRY(ax_registry_note(registry, tx, ctx, AX_EVENT_MODEL, new_name, ax_sha256(name)));
    AX_TRY(show(tx, ctx, new_name, out));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_registered_model_delete(struct ax_registry *registry, struct ax_ctx *ctx, ax_str name)
{
    static const char *const deletes[] = {"delete from model_aliases where model = $1",
                                          "delete from model_version_tags where model = $1",
                                          "delete from model_versions where model = $1",
                                          "delete from model_tags where model = $1",
                                          "delete from models where name = $1"};
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(check_there(tx, ctx, name));
    AX_TRY(check_ungoverned(tx, ctx, name, "deleted"));
    for (size_t i = 0; i < AX_COUNT_OF(deletes); i++)
        AX_TRY(ax_store_run(tx, ctx, ax_str_of(deletes[i]), AX_STORE_PARAMS(ax_store_text(name)),
                            NULL));
    AX_TRY(ax_registry_note(registry, tx, ctx, AX_EVENT_MODEL, name,
                            ax_sha256(AX_STR("deleted through MLflow"))));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_registered_model_set_tag(struct ax_registry *registry, struct ax_ctx *ctx, ax_str name,
                            struct ax_experiment_pair tag)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(check_there(tx, ctx, name));
    AX_TRY(put_tag(tx, ctx, name, tag));
    const struct ax_webhook_fact fact = {
        .about = AX_WEBHOOK_MODEL_TAG, .action = "set", .model = name, .tag = tag};
    AX_TRY(ax_webhook_note(tx, ctx, &fact));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_registered_model_delete_tag(struct ax_registry *registry, struct ax_ctx *ctx, ax_str name,
                               ax_str key)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(check_there(tx, ctx, name));
    AX_TRY(ax_store_run(tx, ctx, AX_STR("delete from model_tags where model = $1 and key = $2"),
                        AX_STORE_PARAMS(ax_store_text(name), ax_store_text(key)), NULL));
    const struct ax_webhook_fact fact = {
        .about = AX_WEBHOOK_MODEL_TAG, .action = "deleted", .model = name, .tag.key = key};
    AX_TRY(ax_webhook_note(tx, ctx, &fact));
    return ax_store_commit(ax_take(tx), ctx);
}

/* ---- aliases and production ---- */

ax_status
ax_registered_model_promote(struct ax_registry *registry, struct ax_store_tx *tx,
                            struct ax_ctx *ctx, const struct ax_version_record *record,
                            const char *how)
{
    const char *state = ax_version_state_name(record->state);
    bool approved =
        record->state == AX_VERSION_APPROVED ||
        (record->state == AX_VERSION_APPROVED_RESTRICTED && record->until_ns > ax_clock_real_ns());
    ax_str object = ax_str_printf(ctx->arena, "%.*s/%lld %s (%s)", AX_FMT(record->model),
                                  (long long)record->version, how, state);
    if (!object.at)
        return no_memory(ctx);
    if (!approved && ax_registry_config(registry)->enforce)
        return ax_fail(ctx, AX_DENIED,
                       "%.*s/%lld is %s, not approved: %s takes an approval by the second line "
                       "(axiom propose model_version)",
                       AX_FMT(record->model), (long long)record->version, state, how);
    return ax_registry_note(registry, tx, ctx, AX_EVENT_STATE_CHANGE, object, record->digest);
}

static bool
means_production(const struct ax_registry *registry, ax_str alias)
{
    ax_str rest = ax_registry_config(registry)->production_aliases, word;
    while (rest.at && ax_str_cut(&rest, ' ', &word))
        if (word.len > 0 && ax_str_eq_ignoring_case(word, alias))
            return true;
    return false;
}

static ax_status
put_alias(struct ax_registry *registry, struct ax_store_tx *tx, struct ax_ctx *ctx,
          const struct ax_version_record *record, ax_str alias)
{
    ax_str how = ax_str_printf(ctx->arena, "alias %.*s", AX_FMT(alias));
    const char *text = how.at ? ax_str_c(ctx->arena, how) : NULL;
    if (!text)
        return no_memory(ctx);
    if (means_production(registry, alias))
        AX_TRY(ax_registered_model_promote(registry, tx, ctx, record, text));
    return ax_store_run(
        tx, ctx,
        AX_STR("insert into model_aliases (model, alias, version) values ($1, $2, $3) on conflict "
               "(model, alias) do update set version = excluded.version"),
        AX_STORE_PARAMS(ax_store_text(record->model), ax_store_text(alias),
                        ax_store_i64(record->version)),
        NULL);
}

ax_status
ax_registered_model_set_alias(struct ax_registry *registry, struct ax_ctx *ctx, ax_str name,
                              ax_str alias, int64_t version)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_version_record record;
    AX_TRY(check_alias(ctx, alias));
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(check_there(tx, ctx, name));
    ax_status status =
        version > 0 ? ax_registry_version(registry, ctx, tx, name, version, &record) : AX_NOT_FOUND;
    if (status == AX_NOT_FOUND)
        return ax_fail(ctx, AX_NOT_FOUND, "Model Version (name=%.*s, version=%lld) not found",
                       AX_FMT(name), (long long)version);
    AX_TRY(status);
    AX_TRY(put_alias(registry, tx, ctx, &record, alias));
    const struct ax_webhook_fact fact = {.about = AX_WEBHOOK_VERSION_ALIAS,
                                         .action = "created",
                                         .model = name,
                                         .version = version,
                                         .tag.key = alias};
    AX_TRY(ax_webhook_note(tx, ctx, &fact));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_registered_model_delete_alias(struct ax_registry *registry, struct ax_ctx *ctx, ax_str name,
                                 ax_str alias)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(check_there(tx, ctx, name));
    AX_TRY(ax_store_run(tx, ctx,
                        AX_STR("delete from model_aliases where model = $1 and alias = $2"),
                        AX_STORE_PARAMS(ax_store_text(name), ax_store_text(alias)), NULL));
    const struct ax_webhook_fact fact = {
        .about = AX_WEBHOOK_VERSION_ALIAS, .action = "deleted", .model = name, .tag.key = alias};
    AX_TRY(ax_webhook_note(tx, ctx, &fact));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_registered_model_alias(struct ax_registry *registry, struct ax_ctx *ctx, ax_str name,
                          ax_str alias, int64_t *out_version)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    bool latest = ax_str_eq_ignoring_case(alias, AX_STR("latest"));
    AX_TRY(ax_store_begin(store_of(registry), ctx, AX_STORE_READ, &tx));
    AX_TRY(check_there(tx, ctx, name));
    ax_status status =
        latest ? ax_store_get_i64(tx, ctx,
                                  AX_STR("select version from model_versions where model = $1 "
                                         "order by version desc"),
                                  AX_STORE_PARAMS(ax_store_text(name)), out_version)
               : ax_store_get_i64(
                     tx, ctx,
                     AX_STR("select version from model_aliases where model = $1 and alias = $2"),
                     AX_STORE_PARAMS(ax_store_text(name), ax_store_text(alias)), out_version);
    if (status == AX_NOT_FOUND) /* in MLflow this is no 404 */
        return ax_fail(ctx, AX_INVALID, "Registered model alias %.*s not found.",
                       AX_FMT(ax_experiment_cut(alias, 200)));
    return status;
}

ax_status
ax_registered_model_find(struct ax_registry *registry, struct ax_ctx *ctx, ax_str address,
                         ax_str *out_name, int64_t *out_version)
{
    ax_str rest = ax_str_starts(address, AX_STR("models:/"))
                      ? ax_str_from(address, strlen("models:/"))
                      : AX_STR("");
    ax_str name = AX_STR("");
    bool alias = memchr(rest.at, '@', rest.len) != NULL;
    int64_t version;
    (void)ax_str_cut(&rest, alias ? '@' : '/', &name);
    ax_str which = rest.at ? rest : AX_STR("latest");
    if (name.len == 0)
        return ax_fail(ctx, AX_INVALID, "`%.*s` is no model: models:/NAME/VERSION, or @ALIAS",
                       AX_FMT(ax_experiment_cut(address, 200)));
    bool number = !alias && ax_parse_i64(which, &version);
    if (!number && !alias && !ax_str_eq(which, AX_STR("latest")))
        return ax_fail(ctx, AX_INVALID, "`%.*s` is no version of model %.*s",
                       AX_FMT(ax_experiment_cut(which, 200)), AX_FMT(name));
    if (!number)
        AX_TRY(ax_registered_model_alias(registry, ctx, name, which, &version));
    *out_name = name;
    *out_version = version;
    return AX_OK;
}

/* ---- searching ---- */

static bool
is_of_prompts(const struct ax_search_clause *clause)
{
    return clause->entity == AX_SEARCH_TAG && ax_str_eq(clause->key, AX_STR(PROMPT_TAG));
}

bool
ax_registered_model_wants_prompts(struct ax_search_clauses *clauses)
{
    size_t first = 0, kept = 0;
    while (first < clauses->count && !is_of_prompts(&clauses->items[first]))
        first++;
    if (first < clauses->count) {
        const struct ax_search_clause *clause = &clauses->items[first];
        bool equal = clause->comparator == AX_SEARCH_EQ;
        if ((equal || clause->comparator == AX_SEARCH_NE) &&
            ax_str_eq_ignoring_case(clause->text, equal ? AX_STR("true") : AX_STR("false")))
            return true;
    }
    for (size_t i = 0; i < clauses->count; i++)
        if (!is_of_prompts(&clauses->items[i]))
            clauses->items[kept++] = clauses->items[i];
    clauses->count = kept;
    return false;
}

static ax_status
put_search(struct ax_search_sql *sql, const struct ax_experiment_search *search)
{
    struct ax_ctx *ctx = sql->ctx;
    struct ax_experiment_search_parts parts;
    AX_TRY(ax_experiment_search_parse(ctx, AX_SEARCH_REGISTERED_MODELS, search, &parts));
    ax_search_sql_add(sql, "select " COLUMNS " from models r where 1 = 1");
    if (!ax_registered_model_wants_prompts(&parts.clauses))
        ax_search_sql_add(sql, " and r.name not in (select model from model_tags where "
                               "key = '" PROMPT_TAG "' and value = 'true')");
    ax_search_sql_where(sql, AX_SEARCH_REGISTERED_MODELS, &parts.clauses);
    ax_search_sql_add(sql, " order by ");
    ax_search_sql_order(sql, &parts.orders);
    ax_search_sql_add(sql, "r.name");
    ax_search_sql_page(sql, search->results_max + 1, parts.offset);
    return AX_OK;
}

ax_status
ax_registered_models_search(struct ax_registry *registry, struct ax_ctx *ctx,
                            const struct ax_experiment_search *search, struct ax_json_writer *out)
{
    ax_search_sql_auto struct ax_search_sql sql =
        ax_search_sql_of(ctx, ax_store_dialect(store_of(registry)));
    AX_TRY(put_search(&sql, search));
    return ax_experiment_search_show(store_of(registry), &sql, search, "registered_models",
                                     show_row, out);
}
