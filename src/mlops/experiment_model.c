#include "mlops/experiment_model.h"

#include "mlops/experiment_search.h"
#include "sys/clock.h"
#include "sys/crypto.h"

#define VERSIONS_TAG "mlflow.modelVersions"

enum { VERSIONS_BYTES_MAX = 1 << 20 };

#define COLUMNS                                                                                    \
    "r.id, r.experiment_id, r.name, r.created_ms, r.updated_ms, r.artifact_uri, r.status, "        \
    "r.model_type, r.source_run_id, r.lifecycle_stage"

struct row { /* texts in ctx->arena */
    ax_str id, experiment_id, name, artifact_uri, status, model_type, source_run_id, stage;
    int64_t created_ms, updated_ms;
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for logged models");
}

/* ---- finding ---- */

static struct row
read_row(struct ax_store_rows *rows)
{
    return (struct row){.id = ax_store_read_text(rows, 0),
                        .experiment_id = ax_store_read_text(rows, 1),
                        .name = ax_store_read_text(rows, 2),
                        .created_ms = ax_store_read_i64(rows, 3),
                        .updated_ms = ax_store_read_i64(rows, 4),
                        .artifact_uri = ax_store_read_text(rows, 5),
                        .status = ax_store_read_text(rows, 6),
                        .model_type = ax_store_read_text(rows, 7),
                        .source_run_id = ax_store_read_text(rows, 8),
                        .stage = ax_store_read_text(rows, 9)};
}

static ax_status
find(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, bool deleted_too, struct row *out)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select " COLUMNS " from logged_models r where r.id = $1"),
                          AX_STORE_PARAMS(ax_store_text(id)), &rows));
    bool found = ax_store_next(rows);
    if (found)
        *out = read_row(rows);
    AX_TRY(ax_store_finish(rows));
    if (found && (deleted_too || ax_str_eq(out->stage, AX_STR("active"))))
        return AX_OK;
    return ax_fail(ctx, AX_NOT_FOUND, "Logged model with ID '%.*s' not found.",
                   AX_FMT(ax_experiment_cut(id, 100)));
}

static ax_status
begin(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id, struct ax_store_tx **tx,
      struct row *out)
{
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_WRITE, tx));
    return find(*tx, ctx, id, false, out);
}

static ax_status
read_model(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id, struct row *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_READ, &tx));
    return find(tx, ctx, id, false, out);
}

ax_status
ax_experiment_model_artifact_uri(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                                 ax_str *out_uri)
{
    struct row row = {};
    AX_TRY(read_model(experiments, ctx, id, &row));
    *out_uri = row.artifact_uri;
    return AX_OK;
}

ax_status
ax_experiment_model_experiment(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                               ax_str *out_experiment_id)
{
    struct row row = {};
    AX_TRY(read_model(experiments, ctx, id, &row));
    *out_experiment_id = row.experiment_id;
    return AX_OK;
}

/* ---- showing ---- */

static ax_status
show_pairs(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql, ax_str id, const char *name,
           struct ax_json_writer *out)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx, sql, AX_STORE_PARAMS(ax_store_text(id)), &rows));
    return ax_experiment_show_pairs(rows, name, out);
}

static ax_status
show_metrics(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, struct ax_json_writer *out)
{
    struct ax_store_rows *rows;
    bool any = false;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select key, step, timestamp_ms, value, is_nan, dataset_name, "
                                 "dataset_digest, run_id from logged_model_metrics where "
                                 "model_id = $1 order by key, timestamp_ms, step"),
                          AX_STORE_PARAMS(ax_store_text(id)), &rows));
    for (; ax_store_next(rows); any = true) {
        struct ax_metric point = ax_metric_read(rows, 1);
        ax_str name = ax_store_read_text(rows, 5), digest = ax_store_read_text(rows, 6);
        if (!any) {
            ax_json_key(out, "metrics");
            ax_json_begin_array(out);
        }
        ax_json_begin_object(out);
        ax_metric_show(ax_store_read_text(rows, 0), &point, out);
        if (name.len > 0)
            ax_json_member_text(out, "dataset_name", name);
        if (digest.len > 0)
            ax_json_member_text(out, "dataset_digest", digest);
        ax_json_member_text(out, "model_id", id);
        ax_json_member_text(out, "run_id", ax_store_read_text(rows, 7));
        ax_json_end_object(out);
    }
    if (any)
        ax_json_end_array(out);
    return ax_store_finish(rows);
}

static ax_status
show(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct row *row, struct ax_json_writer *out)
{
    ax_json_begin_object(out);
    ax_json_key(out, "info");
    ax_json_begin_object(out);
    ax_json_member_text(out, "model_id", row->id);
    ax_json_member_text(out, "experiment_id", row->experiment_id);
    ax_json_member_text(out, "name", row->name);
    ax_json_member_i64(out, "creation_timestamp_ms", row->created_ms);
    ax_json_member_i64(out, "last_updated_timestamp_ms", row->updated_ms);
    ax_json_member_text(out, "artifact_uri", row->artifact_uri);
    ax_json_member_text(out, "status", row->status);
    if (row->model_type.len > 0)
        ax_json_member_text(out, "model_type", row->model_type);
    if (row->source_run_id.len > 0)
        ax_json_member_text(out, "source_run_id", row->source_run_id);
    AX_TRY(show_pairs(
        tx, ctx,
        AX_STR("select key, value from logged_model_tags where model_id = $1 order by key"),
        row->id, "tags", out));
    ax_json_end_object(out);
    ax_json_key(out, "data");
    ax_json_begin_object(out);
    AX_TRY(show_pairs(
        tx, ctx,
        AX_STR("select key, value from logged_model_params where model_id = $1 order by key"),
        row->id, "params", out));
    AX_TRY(show_metrics(tx, ctx, row->id, out));
    ax_json_end_object(out);
    ax_json_end_object(out);
    return AX_OK;
}

ax_status
ax_experiment_model_show(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                         bool deleted_too, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct row row = {};
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_READ, &tx));
    AX_TRY(find(tx, ctx, id, deleted_too, &row));
    return show(tx, ctx, &row, out);
}

/* ---- tags and params ---- */

static ax_status
put_tags(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id,
         const struct ax_experiment_pairs *tags)
{
    for (size_t i = 0; i < tags->count; i++) {
        AX_TRY(ax_experiment_check_key(ctx, tags->items[i].key, "key"));
        AX_TRY(ax_store_run(
            tx, ctx,
            AX_STR("insert into logged_model_tags (model_id, key, value) values ($1, $2, $3) on "
                   "conflict (model_id, key) do update set value = excluded.value"),
            AX_STORE_PARAMS(
                ax_store_text(id), ax_store_text(tags->items[i].key),
                ax_store_text(ax_experiment_cut(tags->items[i].value, AX_RUN_TAG_CHARS_MAX))),
            NULL));
    }
    return AX_OK;
}

static ax_status
put_params(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id,
           const struct ax_experiment_pairs *params)
{
    for (size_t i = 0; i < params->count; i++) {
        AX_TRY(ax_experiment_check_key(ctx, params->items[i].key, "Param key"));
        AX_TRY(ax_store_run(
            tx, ctx,
            AX_STR("insert into logged_model_params (model_id, key, value) values ($1, $2, $3) on "
                   "conflict (model_id, key) do update set value = excluded.value"),
            AX_STORE_PARAMS(
                ax_store_text(id), ax_store_text(params->items[i].key),
                ax_store_text(ax_experiment_cut(params->items[i].value, AX_RUN_PARAM_CHARS_MAX))),
            NULL));
    }
    return AX_OK;
}

ax_status
ax_experiment_model_set_tags(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                             const struct ax_experiment_pairs *tags)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct row row = {};
    AX_TRY(begin(experiments, ctx, id, &tx, &row));
    AX_TRY(put_tags(tx, ctx, id, tags));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_experiment_model_delete_tag(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                               ax_str key)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct row row = {};
    int64_t changed;
    AX_TRY(begin(experiments, ctx, id, &tx, &row));
    AX_TRY(ax_store_run(tx, ctx,
                        AX_STR("delete from logged_model_tags where model_id = $1 and key = $2"),
                        AX_STORE_PARAMS(ax_store_text(id), ax_store_text(key)), &changed));
    if (changed == 0)
        return ax_fail(ctx, AX_NOT_FOUND, "No tag with key '%.*s' found for model with ID '%.*s'.",
                       AX_FMT(ax_experiment_cut(key, 100)), AX_FMT(id));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_experiment_model_log_params(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                               const struct ax_experiment_pairs *params)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct row row = {};
    AX_TRY(begin(experiments, ctx, id, &tx, &row));
    AX_TRY(put_params(tx, ctx, id, params));
    return ax_store_commit(ax_take(tx), ctx);
}

/* ---- making and changing ---- */

static ax_status
check_name(struct ax_ctx *ctx, ax_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] == '\0' || strchr("/:.%\"'", name.at[i]))
            return ax_fail(ctx, AX_INVALID,
                           "Invalid model name ('%.*s') provided. Model name must be a non-empty "
                           "string and cannot contain the following characters: ('/', ':', '.', "
                           "'%%', '\"', \"'\")",
                           AX_FMT(ax_experiment_cut(name, 100)));
    return AX_OK;
}

static ax_status
fill(struct ax_ctx *ctx, const struct ax_experiment_model_new *made,
     const struct ax_experiment_place *place, struct row *row)
{
    uint8_t random[4];
    ax_str folder;
    *row = (struct row){.experiment_id = made->experiment_id,
                        .name = made->name,
                        .status = AX_STR("LOGGED_MODEL_PENDING"),
                        .model_type = made->model_type,
                        .source_run_id = made->source_run_id,
                        .id = made->id,
                        .created_ms = made->created_ms ? made->created_ms
                                                       : ax_experiment_ms(ax_clock_real_ns())};
    row->updated_ms = row->created_ms;
    if (row->id.len == 0)
        AX_TRY(ax_experiment_new_id(ctx, "m-", &row->id));
    ax_random_bytes(random, sizeof random);
    if (row->name.len == 0)
        row->name = ax_str_printf(ctx->arena, "model-%02x%02x%02x%02x", random[0], random[1],
                                  random[2], random[3]);
    folder = ax_str_printf(ctx->arena, "models/%.*s", AX_FMT(row->id));
    if (!row->name.at || !folder.at)
        return no_memory(ctx);
    return ax_experiment_artifact_uri(ctx, place->artifact_location, folder, &row->artifact_uri);
}

ax_status
ax_experiment_model_create(struct ax_experiments *experiments, struct ax_ctx *ctx,
                           const struct ax_experiment_model_new *made, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_experiment_place place;
    struct row row;
    AX_TRY(check_name(ctx, made->name));
    AX_TRY(ax_store_begin(ax_experiments_store(experiments), ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_experiment_find_active(tx, ctx, made->experiment_id, &place));
    AX_TRY(fill(ctx, made, &place, &row));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("insert into logged_models (id, experiment_id, name, model_type, source_run_id, "
               "artifact_uri, status, lifecycle_stage, created_ms, updated_ms) values ($1, $2, $3, "
               "$4, $5, $6, $7, 'active', $8, $8)"),
        AX_STORE_PARAMS(ax_store_text(row.id), ax_store_text(row.experiment_id),
                        ax_store_text(row.name), ax_store_text(row.model_type),
                        ax_store_text(row.source_run_id), ax_store_text(row.artifact_uri),
                        ax_store_text(row.status), ax_store_i64(row.created_ms)),
        NULL));
    AX_TRY(put_params(tx, ctx, row.id, &made->params));
    AX_TRY(put_tags(tx, ctx, row.id, &made->tags));
    AX_TRY(show(tx, ctx, &row, out));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_experiment_model_finish(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                           ax_str status, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct row row = {};
    AX_TRY(begin(experiments, ctx, id, &tx, &row));
    row.status = status;
    row.updated_ms = ax_experiment_ms(ax_clock_real_ns());
    AX_TRY(ax_store_run(
        tx, ctx, AX_STR("update logged_models set status = $2, updated_ms = $3 where id = $1"),
        AX_STORE_PARAMS(ax_store_text(id), ax_store_text(status), ax_store_i64(row.updated_ms)),
        NULL));
    AX_TRY(show(tx, ctx, &row, out));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_experiment_model_delete(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct row row = {};
    AX_TRY(begin(experiments, ctx, id, &tx, &row));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("update logged_models set lifecycle_stage = 'deleted', "
               "updated_ms = $2 where id = $1"),
        AX_STORE_PARAMS(ax_store_text(id), ax_store_i64(ax_experiment_ms(ax_clock_real_ns()))),
        NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

/* The list with one more {"name","version"}, spaced as Python does. */
static ax_status
append_version(struct ax_ctx *ctx, ax_str before, ax_str name, int64_t version, ax_str *out)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(VERSIONS_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    bool list = ax_str_starts(before, AX_STR("[{")) && ax_str_ends(before, AX_STR("}]"));
    if (list)
        ax_writer_bytes(&text, (ax_str){before.at, before.len - 1});
    ax_writer_text(&text, list ? ", {\"name\": " : "[{\"name\": ");
    ax_json_put_text(&json, name);
    ax_writer_print(&text, ", \"version\": %lld}]", (long long)version);
    return ax_writer_take(&text, ctx->arena, out) == AX_OK ? AX_OK : no_memory(ctx);
}

ax_status
ax_experiment_model_beside(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id,
                           const char *suffix, ax_str *out_uri)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(
        tx, ctx,
        AX_STR("select b.artifact_uri from logged_models a join logged_models b on "
               "b.source_run_id = a.source_run_id and b.experiment_id = a.experiment_id and "
               "b.name = a.name || $2 where a.id = $1 and a.source_run_id <> '' and "
               "b.lifecycle_stage = 'active' order by b.created_ms desc, b.id"),
        AX_STORE_PARAMS(ax_store_text(id), ax_store_text(ax_str_of(suffix))), &rows));
    *out_uri = ax_store_next(rows) ? ax_store_read_text(rows, 0) : AX_STR("");
    return ax_store_finish(rows);
}

ax_status
ax_experiment_model_note_version(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id, ax_str name,
                                 int64_t version)
{
    struct ax_store_rows *rows;
    struct row row = {};
    ax_str list;
    AX_TRY(find(tx, ctx, id, true, &row));
    AX_TRY(ax_store_query(
        tx, ctx, AX_STR("select value from logged_model_tags where model_id = $1 and key = $2"),
        AX_STORE_PARAMS(ax_store_text(id), ax_store_text(AX_STR(VERSIONS_TAG))), &rows));
    ax_str before = ax_store_next(rows) ? ax_store_read_text(rows, 0) : AX_STR("");
    AX_TRY(ax_store_finish(rows));
    AX_TRY(append_version(ctx, before, name, version, &list));
    const struct ax_experiment_pair tag = {AX_STR(VERSIONS_TAG), list};
    return put_tags(tx, ctx, id, &(struct ax_experiment_pairs){&tag, 1});
}

/* ---- searching ---- */

/* " and r.id in (select ... where (dataset_name = $1 and ...) or (...))" */
static void
put_datasets(struct ax_search_sql *sql, const struct ax_experiment_model_search *search)
{
    if (search->dataset_count == 0)
        return;
    ax_search_sql_add(sql, " and r.id in (select model_id from logged_model_metrics where ");
    for (size_t i = 0; i < search->dataset_count; i++) {
        ax_search_sql_add(sql, i ? " or (dataset_name = " : "(dataset_name = ");
        ax_search_sql_bind(sql, ax_store_text(search->datasets[i].key));
        if (search->datasets[i].value.len > 0) {
            ax_search_sql_add(sql, " and dataset_digest = ");
            ax_search_sql_bind(sql, ax_store_text(search->datasets[i].value));
        }
        ax_search_sql_add(sql, ")");
    }
    ax_search_sql_add(sql, ")");
}

static ax_status
put_search(struct ax_search_sql *sql, const struct ax_experiment_model_search *search)
{
    struct ax_ctx *ctx = sql->ctx;
    const struct ax_experiment_search *base = &search->base;
    struct ax_experiment_search_parts parts; /* its orders are search->orders */
    AX_TRY(ax_experiment_search_parse(ctx, AX_SEARCH_LOGGED_MODELS, base, &parts));
    ax_search_sql_add(sql, "select " COLUMNS " from logged_models r");
    ax_search_sql_joins(sql, AX_SEARCH_LOGGED_MODELS, &search->orders);
    ax_search_sql_add(sql, " where r.lifecycle_stage = 'active' and r.experiment_id in (");
    ax_search_sql_bind_texts(sql, base->experiment_ids, base->experiment_count);
    ax_search_sql_add(sql, ")");
    ax_search_sql_where(sql, AX_SEARCH_LOGGED_MODELS, &parts.clauses);
    put_datasets(sql, search);
    ax_search_sql_add(sql, " order by ");
    ax_search_sql_order(sql, &search->orders);
    ax_search_sql_add(sql, "r.created_ms desc, r.id");
    ax_search_sql_page(sql, base->results_max + 1, parts.offset);
    return AX_OK;
}

/* ---- pages: a token goes on with the search that it was given for ---- */

enum { SCOPE_PARTS = 3, SCOPE_HEX_BYTES = 16 };

/* Of what was written, which is cleared; what could not be written is no scope's part. */
static void
add_hash(struct ax_writer *scope, struct ax_writer *text)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str all = ax_digest_hex(ax_sha256(ax_writer_str(text)), hex);
    ax_writer_bytes(scope, (ax_str){all.at, SCOPE_HEX_BYTES});
    if (text->status != AX_OK)
        scope->status = text->status;
    ax_writer_clear(text);
}

/* Hashes of the experiments, the filter and the order, one behind the other. */
static ax_status
scope_of(struct ax_ctx *ctx, const struct ax_experiment_model_search *search, ax_str *out_scope)
{
    ax_writer_auto struct ax_writer scope = ax_writer_of(1 << 10), text = ax_writer_of(64 << 20);
    for (size_t i = 0; i < search->base.experiment_count; i++)
        ax_writer_print(&text, "%.*s ", AX_FMT(search->base.experiment_ids[i]));
    add_hash(&scope, &text);
    ax_writer_bytes(&text, search->base.filter);
    add_hash(&scope, &text);
    for (size_t i = 0; i < search->orders.count; i++) {
        const struct ax_search_order *order = &search->orders.items[i];
        ax_writer_print(&text, "%d %d %.*s\n%.*s\n%.*s\n", order->entity, order->descending,
                        AX_FMT(order->key), AX_FMT(order->dataset_name),
                        AX_FMT(order->dataset_digest));
    }
    add_hash(&scope, &text);
    return ax_writer_take(&scope, ctx->arena, out_scope) == AX_OK ? AX_OK : no_memory(ctx);
}

/* Takes the scope off the token that the client sent back. */
static ax_status
check_scope(struct ax_ctx *ctx, struct ax_experiment_search *base)
{
    static const char *const faults[SCOPE_PARTS] = {
        "Experiment IDs in the page token do not match the requested experiment IDs.",
        "Filter string in the page token does not match the requested filter string.",
        "Order by in the page token does not match the requested order by.",
    };
    ax_str scope = base->page_token, token = AX_STR("");
    (void)ax_str_cut(&scope, '.', &token); /* of no token nothing is cut */
    for (size_t i = 0; i < SCOPE_PARTS && base->page_token.len > 0; i++) {
        const char *want = base->page_scope.at + i * SCOPE_HEX_BYTES;
        bool same = scope.len == base->page_scope.len &&
                    memcmp(scope.at + i * SCOPE_HEX_BYTES, want, SCOPE_HEX_BYTES) == 0;
        if (scope.len > 0 && !same)
            return ax_fail(ctx, AX_INVALID, "%s", faults[i]);
    }
    base->page_token = token;
    return AX_OK;
}

static ax_status
show_row(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_store_rows *rows,
         struct ax_json_writer *out)
{
    struct row row = read_row(rows);
    return show(tx, ctx, &row, out);
}

ax_status
ax_experiment_models_search(struct ax_experiments *experiments, struct ax_ctx *ctx,
                            const struct ax_experiment_model_search *search,
                            struct ax_json_writer *out)
{
    struct ax_store *store = ax_experiments_store(experiments);
    ax_search_sql_auto struct ax_search_sql sql = ax_search_sql_of(ctx, ax_store_dialect(store));
    struct ax_experiment_model_search page = *search;
    AX_TRY(scope_of(ctx, search, &page.base.page_scope));
    AX_TRY(check_scope(ctx, &page.base));
    AX_TRY(put_search(&sql, &page));
    return ax_experiment_search_show(store, &sql, &page.base, "models", show_row, out);
}
