#include "mlops/plan_document.h"

#include "serving/plan.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { PLAN_BYTES_MAX = 64 << 20, REFERENCES_MAX = 512, DEPLOYMENTS_MAX = 256, MEMBERS_MAX = 8 };

/* "credit/3": a version, policy or reason map that some deployment names. */
struct reference {
    ax_str name;
    int64_t version;
};

struct references {
    struct reference items[REFERENCES_MAX];
    size_t count;
};

struct writing {
    struct ax_ctx *ctx;
    const struct ax_plan_document *document;
    ax_str folder;
    struct references *versions, *policies, *maps;
    struct ax_plan_document_deployment *deployments;
    size_t deployment_count;
    struct ax_json_writer json;
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a plan");
}

static ax_status
add_reference(struct ax_ctx *ctx, struct references *references, ax_str name, int64_t version)
{
    for (size_t i = 0; i < references->count; i++)
        if (references->items[i].version == version && ax_str_eq(references->items[i].name, name))
            return AX_OK;
    if (references->count == REFERENCES_MAX)
        return ax_fail(ctx, AX_LIMIT, "a plan with more than %d parts", REFERENCES_MAX);
    references->items[references->count++] = (struct reference){name, version};
    return AX_OK;
}

/* ---- which deployments ---- */

static ax_status
read_deployments(struct writing *writing)
{
    struct ax_ctx *ctx = writing->ctx;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(
        writing->document->store_tx, ctx,
        AX_STR("select d.name, d.revision, d.body from deployments d where d.revision = "
               "(select max(e.revision) from deployments e where e.name = d.name) order by d.name"),
        AX_STORE_NO_PARAMS, &rows));
    ax_status status = AX_OK;
    while (status == AX_OK && ax_store_next(rows)) {
        struct ax_plan_document_deployment *out = &writing->deployments[writing->deployment_count];
        if (writing->deployment_count == DEPLOYMENTS_MAX) {
            status = ax_fail(ctx, AX_LIMIT, "more than %d deployments", DEPLOYMENTS_MAX);
            break;
        }
        out->name = ax_store_read_text(rows, 0);
        out->revision = ax_store_read_i64(rows, 1);
        status = ax_json_parse(ctx, ax_store_read_text(rows, 2), NULL, &out->body);
        writing->deployment_count++;
    }
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

/* ---- members ---- */

static ax_status
read_pair(struct ax_ctx *ctx, const struct ax_json *json, const char *name_key, ax_str *name,
          int64_t *version)
{
    AX_TRY(ax_json_need_text(ctx, json, name_key, name));
    return ax_json_need_i64(ctx, json, "version", version);
}

static bool
servable(const struct ax_version_record *record)
{
    return record->state == AX_VERSION_APPROVED ||
           (record->state == AX_VERSION_APPROVED_RESTRICTED &&
            record->until_ns > ax_clock_real_ns());
}

/* Whether a member that a deployment names may be in the plan; a version is noted when it may. */
static ax_status
take_member(struct writing *writing, const struct ax_json *member, bool *out_taken)
{
    struct ax_ctx *ctx = writing->ctx;
    struct ax_version_record record;
    ax_str model;
    int64_t version;
    AX_TRY(read_pair(ctx, member, "model", &model, &version));
    AX_TRY(ax_registry_version(writing->document->registry, ctx, writing->document->store_tx, model,
                               version, &record));
    *out_taken = servable(&record) || writing->document->as_approved;
    if (!*out_taken && !writing->document->drop_unservable)
        return ax_fail(ctx, AX_CONFLICT, "version %.*s/%lld is %s, not approved", AX_FMT(model),
                       (long long)version, ax_version_state_name(record.state));
    return *out_taken ? add_reference(ctx, writing->versions, model, version) : AX_OK;
}

static ax_status
take_policy(struct writing *writing, const struct ax_json *body)
{
    struct ax_ctx *ctx = writing->ctx;
    struct ax_store_rows *rows;
    const struct ax_json *policy, *parsed;
    ax_str name, text, map;
    int64_t version;
    AX_TRY(ax_json_need_object(ctx, body, "policy", &policy));
    AX_TRY(read_pair(ctx, policy, "name", &name, &version));
    AX_TRY(add_reference(ctx, writing->policies, name, version));
    AX_TRY(ax_store_query(writing->document->store_tx, ctx,
                          AX_STR("select body from policies where name = $1 and version = $2"),
                          AX_STORE_PARAMS(ax_store_text(name), ax_store_i64(version)), &rows));
    bool found = ax_store_next(rows);
    text = found ? ax_store_read_text(rows, 0) : AX_STR("");
    AX_TRY(ax_store_finish(rows));
    if (!found)
        return ax_fail(ctx, AX_NOT_FOUND, "no policy %.*s/%lld", AX_FMT(name), (long long)version);
    AX_TRY(ax_json_parse(ctx, text, NULL, &parsed));
    AX_TRY(ax_json_need_text(ctx, parsed, "reason_map", &map));
    return add_reference(ctx, writing->maps, map, 0);
}

/* What one deployment needs; false when its champion may not serve. */
static ax_status
take_deployment(struct writing *writing, const struct ax_plan_document_deployment *deployment,
                bool *out_taken)
{
    struct ax_ctx *ctx = writing->ctx;
    const struct ax_json *champion, *fallback = ax_json_find(deployment->body, "fallback");
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(deployment->body, "challengers"));
    bool taken;
    AX_TRY(ax_json_need_object(ctx, deployment->body, "champion", &champion));
    AX_TRY(take_member(writing, champion, out_taken));
    if (!*out_taken)
        return AX_OK;
    if (fallback)
        AX_TRY(take_member(writing, fallback, &taken));
    while (ax_json_next(&it))
        AX_TRY(take_member(writing, it.value, &taken));
    return take_policy(writing, deployment->body);
}

static bool
has_version(const struct writing *writing, const struct ax_json *member)
{
    ax_str model = AX_STR("");
    int64_t version = 0;
    if (!ax_json_text(ax_json_find(member, "model"), &model) ||
        !ax_json_i64(ax_json_find(member, "version"), &version))
        return false;
    for (size_t i = 0; i < writing->versions->count; i++)
        if (writing->versions->items[i].version == version &&
            ax_str_eq(writing->versions->items[i].name, model))
            return true;
    return false;
}

/* ---- one deployment as JSON ---- */

static void
put_challengers(struct writing *writing, const struct ax_json *challengers)
{
    struct ax_json_writer *json = &writing->json;
    struct ax_json_iter it = ax_json_iter_of(challengers);
    ax_json_begin_array(json);
    while (ax_json_next(&it))
        if (has_version(writing, it.value))
            ax_json_put(json, it.value);
    ax_json_end_array(json);
}

/* The body as it was approved, with name and revision; members that may not serve left out. */
static void
put_deployment(struct writing *writing, const struct ax_plan_document_deployment *deployment)
{
    struct ax_json_writer *json = &writing->json;
    struct ax_json_iter it = ax_json_iter_of(deployment->body);
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", deployment->name);
    ax_json_member_i64(json, "revision", deployment->revision);
    while (ax_json_next(&it)) {
        if (ax_str_eq(it.key, AX_STR("fallback")) && !has_version(writing, it.value))
            continue;
        ax_json_key_str(json, it.key);
        if (ax_str_eq(it.key, AX_STR("challengers"))) {
            put_challengers(writing, it.value);
            continue;
        }
        ax_json_put(json, it.value);
    }
    ax_json_end_object(json);
}

/* ---- versions, policies, maps ---- */

static ax_status
put_version(struct writing *writing, const struct reference *reference)
{
    struct ax_ctx *ctx = writing->ctx;
    struct ax_json_writer *json = &writing->json;
    struct ax_version_record record;
    struct ax_bundle bundle;
    char hex[AX_DIGEST_HEX_BYTES + 1], time[AX_CLOCK_TEXT_BYTES];
    AX_TRY(ax_registry_version(writing->document->registry, ctx, writing->document->store_tx,
                               reference->name, reference->version, &record));
    AX_TRY(ax_registry_bundle(writing->document->registry, ctx, writing->document->store_tx,
                              &record, &bundle));
    AX_TRY(ax_plan_keep_bundle(ctx, writing->folder, &bundle));
    bool restricted =
        record.state == AX_VERSION_APPROVED_RESTRICTED && !writing->document->as_approved;
    ax_json_begin_object(json);
    ax_json_member_text(json, "model", reference->name);
    ax_json_member_i64(json, "version", reference->version);
    ax_json_member_text(json, "digest", ax_digest_hex(record.digest, hex));
    ax_json_member_text(json, "state",
                        restricted ? AX_STR("approved_restricted") : AX_STR("approved"));
    if (restricted)
        ax_json_member_text(json, "until", ax_clock_format(record.until_ns, time));
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
put_document(struct writing *writing, ax_str sql, const char *what,
             const struct reference *reference, ax_store_value which)
{
    struct ax_ctx *ctx = writing->ctx;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(writing->document->store_tx, ctx, sql,
                          AX_STORE_PARAMS(ax_store_text(reference->name), which), &rows));
    bool found = ax_store_next(rows);
    if (found)
        ax_json_put_raw(&writing->json, ax_store_read_text(rows, 0));
    AX_TRY(ax_store_finish(rows));
    return found ? AX_OK
                 : ax_fail(ctx, AX_NOT_FOUND, "no %s %.*s/%lld", what, AX_FMT(reference->name),
                           (long long)reference->version);
}

static ax_status
put_policies(struct writing *writing)
{
    const struct references *references = writing->policies;
    ax_json_key(&writing->json, "policies");
    ax_json_begin_array(&writing->json);
    for (size_t i = 0; i < references->count; i++)
        AX_TRY(put_document(
            writing, AX_STR("select body from policies where name = $1 and version = $2"), "policy",
            &references->items[i], ax_store_i64(references->items[i].version)));
    ax_json_end_array(&writing->json);
    return AX_OK;
}

/* A policy names its map without a version: the newest there is, or the one that is asked for. */
static ax_status
put_reason_maps(struct writing *writing)
{
    const struct references *references = writing->maps;
    const ax_digest *digest = writing->document->reason_map;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str wanted = digest ? ax_digest_hex(*digest, hex) : AX_STR("");
    ax_json_key(&writing->json, "reason_maps");
    ax_json_begin_array(&writing->json);
    for (size_t i = 0; i < references->count; i++)
        AX_TRY(put_document(writing,
                            AX_STR("select body from reason_maps where name = $1 and "
                                   "($2 = '' or digest = $2) order by version desc"),
                            "reason map", &references->items[i], ax_store_text(wanted)));
    ax_json_end_array(&writing->json);
    return AX_OK;
}

/* ---- the whole ---- */

static ax_status
put_plan(struct writing *writing)
{
    struct ax_json_writer *json = &writing->json;
    char time[AX_CLOCK_TEXT_BYTES];
    ax_json_begin_object(json);
    ax_json_member_i64(json, "axiom_plan", 1);
    ax_json_member_i64(json, "revision", writing->document->revision);
    ax_json_member_text(json, "made", ax_clock_format(ax_clock_real_ns(), time));
    ax_json_key(json, "versions");
    ax_json_begin_array(json);
    for (size_t i = 0; i < writing->versions->count; i++)
        AX_TRY(put_version(writing, &writing->versions->items[i]));
    ax_json_end_array(json);
    AX_TRY(put_policies(writing));
    AX_TRY(put_reason_maps(writing));
    ax_json_key(json, "deployments");
    ax_json_begin_array(json);
    for (size_t i = 0; i < writing->deployment_count; i++)
        put_deployment(writing, &writing->deployments[i]);
    ax_json_end_array(json);
    ax_json_end_object(json);
    return AX_OK;
}

/* Collects what is named, leaving out deployments whose champion may not serve. */
static ax_status
collect(struct writing *writing)
{
    size_t kept = 0;
    if (writing->document->one.body) {
        writing->deployments[0] = writing->document->one;
        writing->deployment_count = 1;
    } else {
        AX_TRY(read_deployments(writing));
    }
    for (size_t i = 0; i < writing->deployment_count; i++) {
        bool taken = false;
        ax_status status = take_deployment(writing, &writing->deployments[i], &taken);
        if (status != AX_OK)
            return ax_explain(writing->ctx, status, "deployment %.*s",
                              AX_FMT(writing->deployments[i].name));
        if (taken)
            writing->deployments[kept++] = writing->deployments[i];
    }
    writing->deployment_count = kept;
    return AX_OK;
}

ax_status
ax_plan_document_write(struct ax_ctx *ctx, const struct ax_plan_document *document, ax_str folder)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(PLAN_BYTES_MAX);
    struct writing writing = {
        .ctx = ctx,
        .document = document,
        .folder = folder,
        .versions = AX_NEW(ctx->arena, struct references),
        .policies = AX_NEW(ctx->arena, struct references),
        .maps = AX_NEW(ctx->arena, struct references),
        .deployments =
            AX_NEW_ARRAY(ctx->arena, struct ax_plan_document_deployment, DEPLOYMENTS_MAX),
        .json = ax_json_writer_of(&text),
    };
    if (!writing.versions || !writing.policies || !writing.maps || !writing.deployments)
        return no_memory(ctx);
    ax_str path = ax_path_join(ctx->arena, folder, AX_STR("plan.json"));
    if (!path.at)
        return no_memory(ctx);
    AX_TRY(ax_file_make_folders(ctx, folder));
    AX_TRY(collect(&writing));
    AX_TRY(put_plan(&writing));
    if (text.status != AX_OK)
        return no_memory(ctx);
    return ax_file_write_atomic(ctx, path, ax_writer_str(&text));
}

/* Every version that a deployment names, servable or not. */
static ax_status
note_all_members(struct writing *writing, const struct ax_json *body)
{
    const struct ax_json *const members[] = {ax_json_find(body, "champion"),
                                             ax_json_find(body, "fallback")};
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(body, "challengers"));
    ax_str model;
    int64_t version;
    for (size_t i = 0; i < AX_COUNT_OF(members); i++)
        if (members[i]) {
            AX_TRY(read_pair(writing->ctx, members[i], "model", &model, &version));
            AX_TRY(add_reference(writing->ctx, writing->versions, model, version));
        }
    while (ax_json_next(&it)) {
        AX_TRY(read_pair(writing->ctx, it.value, "model", &model, &version));
        AX_TRY(add_reference(writing->ctx, writing->versions, model, version));
    }
    return AX_OK;
}

/* The digest that a deployment's form in a plan of these versions has. */
static ax_status
digest_of(struct writing *writing, const struct ax_plan_document_deployment *deployment,
          ax_digest *out)
{
    struct ax_ctx *ctx = writing->ctx;
    ax_writer_auto struct ax_writer text = ax_writer_of(PLAN_BYTES_MAX);
    const struct ax_json *whole;
    ax_str canonical;
    writing->json = ax_json_writer_of(&text);
    put_deployment(writing, deployment);
    if (text.status != AX_OK)
        return no_memory(ctx);
    AX_TRY(ax_json_parse(ctx, ax_writer_str(&text), NULL, &whole));
    AX_TRY(ax_json_canonical(ctx, whole, &canonical));
    *out = ax_sha256(canonical);
    return AX_OK;
}

/*
 * Whether a plan has held the deployment under this digest: whole, or without some members that
 * might not serve any more when it was written. The champion, the first, is never left out.
 */
static ax_status
was_digest_of(struct ax_ctx *ctx, const struct ax_plan_document_deployment *deployment,
              ax_digest wanted, bool *out_was)
{
    struct references *all = AX_NEW(ctx->arena, struct references);
    struct writing writing = {.ctx = ctx, .versions = all};
    struct references *some = AX_NEW(ctx->arena, struct references);
    *out_was = false;
    if (!all || !some)
        return no_memory(ctx);
    AX_TRY(note_all_members(&writing, deployment->body));
    if (all->count == 0 || all->count > MEMBERS_MAX)
        return AX_OK;
    writing.versions = some;
    for (unsigned left_out = 0; !*out_was && left_out < 1U << all->count; left_out += 2) {
        ax_digest digest = {};
        some->count = 0;
        for (size_t i = 0; i < all->count; i++)
            if (!(left_out >> i & 1))
                some->items[some->count++] = all->items[i];
        AX_TRY(digest_of(&writing, deployment, &digest));
        *out_was = ax_digest_eq(digest, wanted);
    }
    return AX_OK;
}

ax_status
ax_plan_document_find(struct ax_ctx *ctx, struct ax_store_tx *tx, ax_str name,
                      ax_digest config_digest, struct ax_plan_document_deployment *out)
{
    struct ax_store_rows *rows;
    bool found = false;
    ax_status status = AX_OK;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select revision, body from deployments where name = $1 "
                                 "order by revision desc"),
                          AX_STORE_PARAMS(ax_store_text(name)), &rows));
    while (!found && status == AX_OK && ax_store_next(rows)) {
        *out = (struct ax_plan_document_deployment){name, ax_store_read_i64(rows, 0), NULL};
        status = ax_json_parse(ctx, ax_store_read_text(rows, 1), NULL, &out->body);
        if (status == AX_OK)
            status = was_digest_of(ctx, out, config_digest, &found);
    }
    ax_status end = ax_store_finish(rows);
    AX_TRY(status);
    AX_TRY(end);
    return found ? AX_OK
                 : ax_fail(ctx, AX_NOT_FOUND, "no revision of deployment %.*s has that digest",
                           AX_FMT(name));
}
