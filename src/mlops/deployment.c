#include "mlops/deployment.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "event/outbox.h"
#include "mlops/plan_document.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/mutex.h"

struct ax_deployments {
    struct ax_deployments_config config;
    struct ax_mutex publishing; /* one plan at a time is written and handed on */
};

ax_status
ax_deployments_open(struct ax_ctx *ctx, const struct ax_deployments_config *config,
                    struct ax_deployments **out_deployments)
{
    struct ax_deployments *deployments = ax_alloc(sizeof *deployments, 1);
    if (!deployments)
        return ax_fail(ctx, AX_LIMIT, "no memory for deployments");
    deployments->config = *config;
    ax_mutex_init(&deployments->publishing);
    *out_deployments = deployments;
    return AX_OK;
}

void
ax_deployments_close(struct ax_deployments *deployments)
{
    if (!deployments)
        return;
    ax_mutex_done(&deployments->publishing);
    ax_free(deployments);
}

/* ---- rows ---- */

static ax_status
next_number(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql, ax_str name, int64_t *out)
{
    AX_TRY(ax_store_get_i64(tx, ctx, sql, AX_STORE_PARAMS(ax_store_text(name)), out));
    *out += 1;
    return AX_OK;
}

static ax_status
put_fact(struct ax_store_tx *tx, struct ax_ctx *ctx, enum ax_event_kind kind, ax_str name,
         int64_t number, ax_digest digest)
{
    ax_str object = ax_str_printf(ctx->arena, "%.*s/%lld", AX_FMT(name), (long long)number);
    if (!object.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a fact");
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

struct row {
    ax_str sql; /* insert of name, number, body, digest, proposal, created */
    ax_str name;
    int64_t number;
    const struct ax_json *body;
    ax_str proposal_id;
    enum ax_event_kind kind;
};

/* One more version of a policy, reason map or deployment, with its fact. */
static ax_status
insert(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct row *row)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str body;
    AX_TRY(ax_json_canonical(ctx, row->body, &body));
    ax_digest digest = ax_sha256(body);
    AX_TRY(ax_store_run(
        tx, ctx, row->sql,
        AX_STORE_PARAMS(ax_store_text(row->name), ax_store_i64(row->number), ax_store_text(body),
                        ax_store_text(ax_digest_hex(digest, hex)), ax_store_text(row->proposal_id),
                        ax_store_i64(ax_clock_real_ns())),
        NULL));
    return put_fact(tx, ctx, row->kind, row->name, row->number, digest);
}

/* ---- checking ---- */

/* A tier that is named is the model's own: it decides whether a breaker closes by itself (R79). */
static ax_status
check_tier(const struct ax_plan_document *document, struct ax_ctx *ctx)
{
    struct ax_version_record record;
    const struct ax_json *change = document->one.body, *champion;
    ax_str model;
    int64_t version, tier;
    AX_TRY(ax_json_need_object(ctx, change, "champion", &champion));
    AX_TRY(ax_json_need_text(ctx, champion, "model", &model));
    AX_TRY(ax_json_need_i64(ctx, champion, "version", &version));
    AX_TRY(
        ax_registry_version(document->registry, ctx, document->store_tx, model, version, &record));
    tier = record.tier;
    AX_TRY(ax_json_may_i64(ctx, change, "tier", &tier));
    return tier == record.tier ? AX_OK
                               : ax_fail(ctx, AX_CONFLICT, "`tier` is %lld, and model %.*s is %lld",
                                         (long long)tier, AX_FMT(model), (long long)record.tier);
}

ax_status
ax_deployments_check(struct ax_deployments *deployments, struct ax_ctx *ctx, struct ax_store_tx *tx,
                     ax_str name, const struct ax_json *change)
{
    const struct ax_plan_document document = {
        .store_tx = tx,
        .registry = deployments->config.registry,
        .one = {.name = name, .revision = 1, .body = change},
        .revision = 1,
    };
    uint8_t random[8];
    uint64_t number;
    struct ax_plan *plan;
    ax_random_bytes(random, sizeof random);
    memcpy(&number, random, sizeof number);
    ax_str folder = ax_str_printf(ctx->arena, "%.*s/check-%016llx",
                                  AX_FMT(deployments->config.folder), (unsigned long long)number);
    if (!folder.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    ax_status status = ax_plan_document_write(ctx, &document, folder);
    if (status == AX_OK)
        status = ax_plan_load(ctx, &(struct ax_plan_source){.folder = folder}, &plan);
    if (status == AX_OK) {
        ax_plan_free(plan);
        status = check_tier(&document, ctx);
    }
    char words[AX_ERROR_BYTES_MAX];
    memcpy(words, ctx->error, sizeof words);
    ax_fault_benign_begin();
    ax_ignore(ax_file_remove_tree(ctx, folder), "it is in nobody's way");
    ax_fault_benign_end();
    memcpy(ctx->error, words, sizeof words);
    return status == AX_OK || status == AX_LIMIT || status == AX_UNAVAILABLE
               ? status
               : ax_explain(ctx, AX_CONFLICT, "deployment %.*s could not be served", AX_FMT(name));
}

/* ---- changing ---- */

ax_status
ax_deployments_apply(struct ax_deployments *deployments, struct ax_ctx *ctx, struct ax_store_tx *tx,
                     ax_str name, const struct ax_json *change, ax_str proposal_id)
{
    struct row row = {
        .sql = AX_STR("insert into deployments (name, revision, body, digest, proposal_id, "
                      "created_ns, created_by) values ($1, $2, $3, $4, $5, $6, '')"),
        .name = name,
        .body = change,
        .proposal_id = proposal_id,
        .kind = AX_EVENT_DEPLOYMENT,
    };
    (void)deployments;
    AX_TRY(next_number(tx, ctx,
                       AX_STR("select coalesce(max(revision), 0) from deployments where name = $1"),
                       name, &row.number));
    return insert(tx, ctx, &row);
}

/* The body with its name and version, as the plan and the parsers want it. */
static ax_status
with_name(struct ax_ctx *ctx, ax_str name, int64_t version, const struct ax_json *body,
          const struct ax_json **out)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(4 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    struct ax_json_iter it = ax_json_iter_of(body);
    ax_str copy;
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "name", name);
    ax_json_member_i64(&json, "version", version);
    while (ax_json_next(&it)) {
        if (ax_str_eq(it.key, AX_STR("name")) || ax_str_eq(it.key, AX_STR("version")))
            continue;
        ax_json_key_str(&json, it.key);
        ax_json_put(&json, it.value);
    }
    ax_json_end_object(&json);
    if (ax_writer_take(&text, ctx->arena, &copy) != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for a document");
    return ax_json_parse(ctx, copy, NULL, out);
}

ax_status
ax_deployments_put_policy(struct ax_deployments *deployments, struct ax_ctx *ctx,
                          struct ax_store_tx *tx, ax_str name, const struct ax_json *body,
                          ax_str proposal_id)
{
    struct ax_decision_policy policy;
    struct row row = {
        .sql = AX_STR("insert into policies (name, version, body, digest, proposal_id, "
                      "created_ns) values ($1, $2, $3, $4, $5, $6)"),
        .name = name,
        .proposal_id = proposal_id,
        .kind = AX_EVENT_POLICY,
    };
    (void)deployments;
    AX_TRY(next_number(tx, ctx,
                       AX_STR("select coalesce(max(version), 0) from policies where name = $1"),
                       name, &row.number));
    AX_TRY(with_name(ctx, name, row.number, body, &row.body));
    AX_TRY(ax_decision_policy_parse(ctx, row.body, &policy));
    return proposal_id.len ? insert(tx, ctx, &row) : AX_OK;
}

ax_status
ax_deployments_put_reasons(struct ax_deployments *deployments, struct ax_ctx *ctx,
                           struct ax_store_tx *tx, ax_str name, const struct ax_json *body,
                           ax_str proposal_id)
{
    struct ax_reason_map map;
    struct row row = {
        .sql = AX_STR("insert into reason_maps (name, version, body, digest, proposal_id, "
                      "created_ns) values ($1, $2, $3, $4, $5, $6)"),
        .name = name,
        .proposal_id = proposal_id,
        .kind = AX_EVENT_POLICY,
    };
    (void)deployments;
    AX_TRY(next_number(tx, ctx,
                       AX_STR("select coalesce(max(version), 0) from reason_maps where name = $1"),
                       name, &row.number));
    AX_TRY(with_name(ctx, name, row.number, body, &row.body));
    AX_TRY(ax_reason_map_parse(ctx, row.body, &map));
    return proposal_id.len ? insert(tx, ctx, &row) : AX_OK;
}

/* ---- the plan on disk ---- */

static ax_status
next_plan_revision(struct ax_deployments *deployments, struct ax_ctx *ctx, int64_t *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(deployments->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(tx, ctx,
                        AX_STR("insert into settings (name, value) values ('plan_revision', '1') "
                               "on conflict (name) do update set "
                               "value = cast(cast(settings.value as bigint) + 1 as text)"),
                        AX_STORE_NO_PARAMS, NULL));
    AX_TRY(ax_store_get_i64(
        tx, ctx, AX_STR("select cast(value as bigint) from settings where name = 'plan_revision'"),
        AX_STORE_NO_PARAMS, out));
    return ax_store_commit(ax_take(tx), ctx);
}

static ax_status
write_plan(struct ax_deployments *deployments, struct ax_ctx *ctx)
{
    struct ax_plan_document document = {.registry = deployments->config.registry,
                                        .drop_unservable = true};
    AX_TRY(next_plan_revision(deployments, ctx, &document.revision));
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_store_begin(deployments->config.store, ctx, AX_STORE_READ, &tx));
    document.store_tx = tx;
    return ax_plan_document_write(ctx, &document, deployments->config.folder);
}

ax_status
ax_deployments_publish(struct ax_deployments *deployments, struct ax_ctx *ctx)
{
    const struct ax_deployments_config *config = &deployments->config;
    ax_mutex_lock(&deployments->publishing);
    ax_status status = write_plan(deployments, ctx);
    if (status == AX_OK && config->on_plan)
        status = config->on_plan(config->arg, ctx);
    ax_mutex_unlock(&deployments->publishing);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "publish the plan");
}

ax_status
ax_deployments_publish_revision(struct ax_deployments *deployments, struct ax_ctx *ctx, ax_str name,
                                ax_digest config_digest, const ax_digest *reason_map, ax_str folder)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_plan_document document = {
        .registry = deployments->config.registry, .as_approved = true, .reason_map = reason_map};
    AX_TRY(ax_store_begin(deployments->config.store, ctx, AX_STORE_READ, &tx));
    document.store_tx = tx;
    AX_TRY(ax_plan_document_find(ctx, tx, name, config_digest, &document.one));
    document.revision = 1;
    return ax_plan_document_write(ctx, &document, folder);
}

/* ---- showing ---- */

static void
show_time(struct ax_json_writer *out, const char *key, int64_t ns)
{
    char time[AX_CLOCK_TEXT_BYTES];
    ax_json_member_text(out, key, ax_clock_format(ns, time));
}

ax_status
ax_deployments_show(struct ax_deployments *deployments, struct ax_ctx *ctx, ax_str name,
                    struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    bool first = true;
    AX_TRY(ax_store_begin(deployments->config.store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select revision, body, digest, proposal_id, created_ns "
                                 "from deployments where name = $1 order by revision desc"),
                          AX_STORE_PARAMS(ax_store_text(name)), &rows));
    while (ax_store_next(rows)) {
        if (first) {
            ax_json_begin_object(out);
            ax_json_member_text(out, "name", name);
            ax_json_member_i64(out, "revision", ax_store_read_i64(rows, 0));
            ax_json_key(out, "deployment");
            ax_json_put_raw(out, ax_store_read_text(rows, 1));
            ax_json_key(out, "history");
            ax_json_begin_array(out);
        }
        first = false;
        ax_json_begin_object(out);
        ax_json_member_i64(out, "revision", ax_store_read_i64(rows, 0));
        ax_json_member_text(out, "digest", ax_store_read_text(rows, 2));
        ax_json_member_text(out, "proposal", ax_store_read_text(rows, 3));
        show_time(out, "created", ax_store_read_i64(rows, 4));
        ax_json_end_object(out);
    }
    AX_TRY(ax_store_finish(rows));
    if (first)
        return ax_fail(ctx, AX_NOT_FOUND, "no deployment \"%.*s\"", AX_FMT(name));
    ax_json_end_array(out);
    ax_json_end_object(out);
    return AX_OK;
}

ax_status
ax_deployments_list(struct ax_deployments *deployments, struct ax_ctx *ctx,
                    struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(deployments->config.store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select name, max(revision), max(created_ns) from deployments "
                                 "group by name order by name"),
                          AX_STORE_NO_PARAMS, &rows));
    ax_json_begin_object(out);
    ax_json_key(out, "deployments");
    ax_json_begin_array(out);
    while (ax_store_next(rows)) {
        ax_json_begin_object(out);
        ax_json_member_text(out, "name", ax_store_read_text(rows, 0));
        ax_json_member_i64(out, "revision", ax_store_read_i64(rows, 1));
        show_time(out, "changed", ax_store_read_i64(rows, 2));
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
    ax_json_end_object(out);
    return ax_store_finish(rows);
}

/* What is looked up: a policy or a reason map, by its name and version. */
struct document {
    const char *sql, *what;
    ax_str name;
    int64_t version;
};

static ax_status
show_document(struct ax_deployments *deployments, struct ax_ctx *ctx,
              const struct document *document, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(deployments->config.store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(
        tx, ctx, ax_str_of(document->sql),
        AX_STORE_PARAMS(ax_store_text(document->name), ax_store_i64(document->version)), &rows));
    bool found = ax_store_next(rows);
    if (found) {
        ax_json_begin_object(out);
        ax_json_member_text(out, "digest", ax_store_read_text(rows, 1));
        ax_json_member_text(out, "proposal", ax_store_read_text(rows, 2));
        show_time(out, "created", ax_store_read_i64(rows, 3));
        ax_json_key(out, document->what);
        ax_json_put_raw(out, ax_store_read_text(rows, 0));
        ax_json_end_object(out);
    }
    AX_TRY(ax_store_finish(rows));
    return found ? AX_OK
                 : ax_fail(ctx, AX_NOT_FOUND, "no %s \"%.*s\" of that version", document->what,
                           AX_FMT(document->name));
}

ax_status
ax_deployments_show_policy(struct ax_deployments *deployments, struct ax_ctx *ctx, ax_str name,
                           int64_t version, struct ax_json_writer *out)
{
    static const char sql[] = "select body, digest, proposal_id, created_ns from policies where "
                              "name = $1 and ($2 = 0 or version = $2) order by version desc";
    const struct document document = {sql, "policy", name, version};
    return show_document(deployments, ctx, &document, out);
}

ax_status
ax_deployments_show_reasons(struct ax_deployments *deployments, struct ax_ctx *ctx, ax_str name,
                            int64_t version, struct ax_json_writer *out)
{
    static const char sql[] = "select body, digest, proposal_id, created_ns from reason_maps "
                              "where name = $1 and ($2 = 0 or version = $2) order by version desc";
    const struct document document = {sql, "reason_map", name, version};
    return show_document(deployments, ctx, &document, out);
}
