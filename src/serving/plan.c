#include "serving/plan.h"

#include "sys/clock.h"
#include "sys/file.h"

enum {
    PLAN_BYTES_MAX = 16 << 20,
    ARENA_BYTES_MAX = 256 << 20,
    BUNDLE_ARENA_BYTES_MAX = INT32_MAX,
};

/* One entry of `versions`, with what the plan file says of it beside the model. */
struct entry {
    struct ax_loaded_model *model; /* the plan's reference */
    int64_t restricted_until_ns;
};

/* A plan being made: what plan.json names, by name. */
struct making {
    struct ax_plan *plan;
    const struct ax_plan_source *source;
    struct ax_map *entries;  /* "credit/1" -> struct entry */
    struct ax_map *policies; /* "name/1" -> const struct ax_json */
    struct ax_map *maps;     /* the same */
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a plan");
}

/* "credit/1" in the plan's arena. */
static ax_status
key_of(struct ax_ctx *ctx, ax_str name, int64_t version, ax_str *out_key)
{
    ax_str key = ax_str_printf(ctx->arena, "%.*s/%lld", AX_FMT(name), (long long)version);
    if (!key.at)
        return no_memory(ctx);
    *out_key = key;
    return AX_OK;
}

/* ---- bundles on disk ---- */

static ax_str
file_path(struct ax_ctx *ctx, ax_str folder, ax_digest digest, const char *name)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_digest_hex(digest, hex);
    return ax_str_printf(ctx->arena, "%.*s/bundles/%s/%s", AX_FMT(folder), hex, name);
}

ax_status
ax_plan_keep_bundle(struct ax_ctx *ctx, ax_str folder, const struct ax_bundle *bundle)
{
    ax_str manifest = file_path(ctx, folder, bundle->digest, "manifest.json");
    if (!manifest.at)
        return no_memory(ctx);
    if (ax_file_exists(manifest)) /* it is written last, so the rest is there */
        return AX_OK;
    ax_str inside = {manifest.at, manifest.len - strlen("/manifest.json")};
    AX_TRY(ax_file_make_folders(ctx, inside));
    for (enum ax_bundle_file file = 0; file < AX_BUNDLE_FILES; file++) {
        if (!bundle->present[file])
            continue;
        ax_str path = file_path(ctx, folder, bundle->digest, ax_bundle_file_name(file));
        if (!path.at)
            return no_memory(ctx);
        AX_TRY(ax_file_write_atomic(ctx, path, bundle->files[file]));
    }
    return ax_file_write_atomic(ctx, manifest, bundle->manifest);
}

static ax_status
read_bundle(struct ax_ctx *ctx, ax_str folder, ax_digest digest, struct ax_bundle *out)
{
    ax_str path = file_path(ctx, folder, digest, "manifest.json"), manifest;
    if (!path.at)
        return no_memory(ctx);
    AX_TRY(ax_file_read_all(ctx, path, PLAN_BYTES_MAX, &manifest));
    AX_TRY(ax_bundle_read_manifest(ctx, manifest, out));
    if (!ax_digest_eq(out->digest, digest))
        return ax_fail(ctx, AX_CORRUPT, "%.*s has another digest than its folder's name",
                       AX_FMT(path));
    for (enum ax_bundle_file file = 0; file < AX_BUNDLE_FILES; file++) {
        if (!out->present[file])
            continue;
        path = file_path(ctx, folder, digest, ax_bundle_file_name(file));
        if (!path.at)
            return no_memory(ctx);
        AX_TRY(ax_file_read_all(ctx, path, AX_MODEL_BYTES_MAX, &out->files[file]));
        if (!ax_digest_eq(ax_sha256(out->files[file]), out->digests[file]))
            return ax_fail(ctx, AX_CORRUPT, "%.*s has another digest than its manifest says",
                           AX_FMT(path));
    }
    return AX_OK;
}

/* ---- versions ---- */

static struct ax_loaded_model *
previous_model(const struct making *making, ax_str name, int64_t version, ax_digest digest)
{
    const struct ax_plan *previous = making->source->previous;
    for (size_t i = 0; previous && i < previous->model_count; i++) {
        struct ax_loaded_model *model = previous->models[i];
        if (model->version == version && ax_str_eq(model->model, name) &&
            ax_digest_eq(model->digest, digest))
            return ax_model_ref(model);
    }
    return NULL;
}

static ax_status
load_version(struct ax_ctx *ctx, const struct making *making, ax_str name, int64_t version,
             ax_digest digest, struct ax_loaded_model **out)
{
    *out = previous_model(making, name, version, digest);
    if (*out)
        return AX_OK;
    ax_auto(ax_arena_free) struct ax_arena *scratch = ax_arena_new(BUNDLE_ARENA_BYTES_MAX);
    if (!scratch)
        return no_memory(ctx);
    struct ax_arena *outer = ctx->arena;
    struct ax_bundle bundle = {};
    ctx->arena = scratch;
    ax_status status = read_bundle(ctx, making->source->folder, digest, &bundle);
    bundle.engine = making->source->engine;
    if (status == AX_OK)
        status = ax_model_load(ctx, name, version, making->plan->governed, &bundle, out);
    ctx->arena = outer;
    return status;
}

static ax_status
take_version(struct ax_ctx *ctx, struct making *making, const struct ax_json *json)
{
    ax_str name, hex, key, state = AX_STR("approved"), until = {};
    int64_t version;
    ax_digest digest;
    AX_TRY(ax_json_need_text(ctx, json, "model", &name));
    AX_TRY(ax_json_need_i64(ctx, json, "version", &version));
    AX_TRY(ax_json_need_text(ctx, json, "digest", &hex));
    AX_TRY(ax_json_may_text(ctx, json, "state", &state));
    AX_TRY(ax_json_may_text(ctx, json, "until", &until));
    if (!ax_digest_parse(hex, &digest))
        return ax_fail(ctx, AX_INVALID, "`digest` must be 64 hex digits");
    bool restricted = ax_str_eq(state, AX_STR("approved_restricted"));
    if (!restricted && !ax_str_eq(state, AX_STR("approved")))
        return ax_fail(ctx, AX_INVALID, "%.*s/%lld is %.*s and may not serve", AX_FMT(name),
                       (long long)version, AX_FMT(state));
    struct entry *entry = AX_NEW(ctx->arena, struct entry);
    if (!entry)
        return no_memory(ctx);
    entry->restricted_until_ns = INT64_MAX;
    if (restricted)
        AX_TRY(ax_clock_parse(until, &entry->restricted_until_ns));
    AX_TRY(key_of(ctx, name, version, &key));
    AX_TRY(load_version(ctx, making, name, version, digest, &entry->model));
    making->plan->models[making->plan->model_count++] = entry->model;
    return ax_map_put(making->entries, key, entry) ? AX_OK : no_memory(ctx);
}

/* ---- named documents: policies, reason maps ---- */

static ax_status
take_documents(struct ax_ctx *ctx, const struct ax_json *plan, const char *member,
               struct ax_map *into)
{
    const struct ax_json *list;
    AX_TRY(ax_json_need_array(ctx, plan, member, &list));
    struct ax_json_iter it = ax_json_iter_of(list);
    while (ax_json_next(&it)) {
        ax_str name, key;
        int64_t version;
        AX_TRY(ax_json_need_text(ctx, it.value, "name", &name));
        AX_TRY(ax_json_need_i64(ctx, it.value, "version", &version));
        AX_TRY(key_of(ctx, name, version, &key));
        union { /* the map keeps plain pointers; nobody writes through this one */
            const struct ax_json *from;
            void *to;
        } value = {.from = it.value};
        if (!ax_map_put(into, key, value.to))
            return no_memory(ctx);
    }
    return AX_OK;
}

static ax_status
digest_of(struct ax_ctx *ctx, const struct ax_json *json, ax_digest *out)
{
    ax_str text;
    AX_TRY(ax_json_canonical(ctx, json, &text));
    *out = ax_sha256(text);
    return AX_OK;
}

/* ---- deployments ---- */

static ax_status
find_entry(struct ax_ctx *ctx, const struct making *making, const struct ax_json *json,
           const struct entry **out)
{
    ax_str name, key;
    int64_t version;
    AX_TRY(ax_json_need_text(ctx, json, "model", &name));
    AX_TRY(ax_json_need_i64(ctx, json, "version", &version));
    AX_TRY(key_of(ctx, name, version, &key));
    *out = ax_map_find(making->entries, key);
    return *out ? AX_OK : ax_fail(ctx, AX_INVALID, "version %.*s is not in the plan", AX_FMT(key));
}

static ax_status
make_guards(struct ax_ctx *ctx, const struct ax_decision_policy *policy,
            const struct ax_signature *signature, struct ax_guards *out)
{
    size_t count = signature->feature_count;
    double *min = AX_NEW_ARRAY(ctx->arena, double, count);
    double *max = AX_NEW_ARRAY(ctx->arena, double, count);
    if (!min || !max)
        return no_memory(ctx);
    *out = (struct ax_guards){
        .feature_count = count,
        .min = min,
        .max = max,
        .out_of_domain = policy->out_of_domain,
        .amount_feature = SIZE_MAX,
        .amount_max = policy->amount_max,
        .amount_action = policy->amount_action,
        .response_min = 0.0,
        .response_max = 1.0,
    };
    for (size_t i = 0; i < count; i++) {
        min[i] = signature->features[i].min;
        max[i] = signature->features[i].max;
        if (policy->amount_feature.len && ax_str_eq(signature->names[i], policy->amount_feature))
            out->amount_feature = i;
    }
    if (policy->amount_feature.len && out->amount_feature == SIZE_MAX)
        return ax_fail(ctx, AX_INVALID, "the policy caps `%.*s`, which is no feature of the model",
                       AX_FMT(policy->amount_feature));
    return AX_OK;
}

/* A breaker lives as long as the same version serves the same deployment. */
static struct ax_breaker *
previous_breaker(const struct making *making, ax_str deployment, bool fallback, ax_digest digest)
{
    const struct ax_plan *previous = making->source->previous;
    const struct ax_plan_deployment *before =
        previous ? ax_plan_deployment(previous, deployment) : NULL;
    if (!before)
        return NULL;
    const struct ax_plan_member *member = fallback ? &before->fallback : &before->champion;
    bool same = member->model && ax_digest_eq(member->model->digest, digest);
    return same && member->breaker ? ax_breaker_ref(member->breaker) : NULL;
}

static ax_status
breaker_config(struct ax_ctx *ctx, const struct ax_json *deployment, int64_t tier,
               struct ax_breaker_config *out)
{
    double wait_s = 30;
    *out = (struct ax_breaker_config){
        .error_rate = 0.05,
        .calls_min = 200,
        .wait_ns_max = INT64_C(3'600'000'000'000),
        .probes = 20,
        .person_closes = tier == 1,
    };
    const struct ax_json *json = ax_json_find(deployment, "breaker");
    if (json) {
        AX_TRY(ax_json_may_f64(ctx, json, "error_rate", &out->error_rate));
        AX_TRY(ax_json_may_i64(ctx, json, "calls_min", &out->calls_min));
        AX_TRY(ax_json_may_f64(ctx, json, "wait_s", &wait_s));
    }
    if (!(out->error_rate >= 0.0 && out->error_rate <= 1.0) || out->calls_min < 1 ||
        !(wait_s > 0.0 && wait_s <= 3600.0))
        return ax_fail(ctx, AX_INVALID,
                       "`breaker` needs an `error_rate` of 0 to 1, `calls_min` of at least 1 and a "
                       "`wait_s` of up to 3600");
    out->wait_ns = (int64_t)(wait_s * 1e9);
    return AX_OK;
}

/* What its reasons need is made before it serves. */
static ax_status
make_ready(struct ax_ctx *ctx, const struct ax_loaded_model *model,
           const struct ax_decision_policy *policy)
{
    if (policy->explain == AX_EXPLAIN_NEVER)
        return AX_OK;
    return ax_model_explain_soon(ctx, model, policy->explanation == AX_EXPLAIN_INTERVENTIONAL);
}

/* Champion or fallback: guards, reasons and a breaker of its own. */
static ax_status
make_member(struct ax_ctx *ctx, const struct making *making, const struct ax_json *json,
            struct ax_plan_deployment *deployment, bool fallback)
{
    const struct entry *entry;
    struct ax_plan_member *member = fallback ? &deployment->fallback : &deployment->champion;
    struct ax_breaker_config config;
    const struct ax_json *named = ax_json_find(json, fallback ? "fallback" : "champion");
    AX_TRY(find_entry(ctx, making, named, &entry));
    const struct ax_signature *signature = entry->model->signature;
    AX_TRY(make_guards(ctx, deployment->policy, signature, &member->guards));
    AX_TRY(ax_reason_map_compile(ctx, deployment->reasons, signature->names,
                                 signature->feature_count, &member->reasons));
    AX_TRY(make_ready(ctx, entry->model, deployment->policy));
    member->restricted_until_ns = entry->restricted_until_ns;
    AX_TRY(breaker_config(ctx, json, deployment->tier, &config));
    member->breaker = previous_breaker(making, deployment->name, fallback, entry->model->digest);
    if (!member->breaker)
        AX_TRY(ax_breaker_new(ctx, &config, &member->breaker));
    member->model = entry->model;
    return AX_OK;
}

static ax_status
make_challengers(struct ax_ctx *ctx, const struct making *making, const struct ax_json *json,
                 struct ax_plan_deployment *deployment)
{
    const struct ax_json *list = ax_json_find(json, "challengers");
    if (!list)
        return AX_OK;
    AX_TRY(ax_json_need_array(ctx, json, "challengers", &list));
    if (ax_json_count(list) > AX_PLAN_CHALLENGERS_MAX)
        return ax_fail(ctx, AX_INVALID, "at most %d challengers", AX_PLAN_CHALLENGERS_MAX);
    struct ax_json_iter it = ax_json_iter_of(list);
    while (ax_json_next(&it)) {
        const struct entry *entry;
        AX_TRY(find_entry(ctx, making, it.value, &entry));
        deployment->challengers[it.index] = (struct ax_plan_member){
            .model = entry->model,
            .restricted_until_ns = entry->restricted_until_ns,
        };
        deployment->challenger_count++;
    }
    return AX_OK;
}

static ax_status
find_document(struct ax_ctx *ctx, const struct ax_map *documents, const char *what, ax_str name,
              int64_t version, const struct ax_json **out)
{
    ax_str key;
    AX_TRY(key_of(ctx, name, version, &key));
    *out = ax_map_find(documents, key);
    return *out ? AX_OK : ax_fail(ctx, AX_INVALID, "%s %.*s is not in the plan", what, AX_FMT(key));
}

/* The newest version of a reason map of that name. */
static ax_status
find_reasons(struct ax_ctx *ctx, const struct ax_json *plan, ax_str name,
             const struct ax_json **out)
{
    int64_t newest = INT64_MIN;
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(plan, "reason_maps"));
    while (ax_json_next(&it)) {
        ax_str is;
        int64_t version;
        if (ax_json_text(ax_json_find(it.value, "name"), &is) && ax_str_eq(is, name) &&
            ax_json_i64(ax_json_find(it.value, "version"), &version) && version > newest) {
            newest = version;
            *out = it.value;
        }
    }
    return newest != INT64_MIN
               ? AX_OK
               : ax_fail(ctx, AX_INVALID, "reason map %.*s is not in the plan", AX_FMT(name));
}

static ax_status
make_rules(struct ax_ctx *ctx, const struct making *making, const struct ax_json *plan,
           const struct ax_json *json, struct ax_plan_deployment *deployment)
{
    struct ax_decision_policy *policy = AX_NEW(ctx->arena, struct ax_decision_policy);
    struct ax_reason_map *reasons = AX_NEW(ctx->arena, struct ax_reason_map);
    const struct ax_json *named, *policy_json, *reasons_json;
    ax_str name;
    int64_t version;
    if (!policy || !reasons)
        return no_memory(ctx);
    AX_TRY(ax_json_need_object(ctx, json, "policy", &named));
    AX_TRY(ax_json_need_text(ctx, named, "name", &name));
    AX_TRY(ax_json_need_i64(ctx, named, "version", &version));
    AX_TRY(find_document(ctx, making->policies, "policy", name, version, &policy_json));
    AX_TRY(ax_decision_policy_parse(ctx, policy_json, policy));
    AX_TRY(find_reasons(ctx, plan, policy->reason_map, &reasons_json));
    AX_TRY(ax_reason_map_parse(ctx, reasons_json, reasons));
    AX_TRY(digest_of(ctx, policy_json, &deployment->policy_digest));
    AX_TRY(digest_of(ctx, reasons_json, &deployment->reasons_digest));
    deployment->policy = policy;
    deployment->reasons = reasons;
    return AX_OK;
}

/* A word that is misspelt would otherwise be a rule that does not hold. */
static ax_status
check_members(struct ax_ctx *ctx, const struct ax_json *json)
{
    static const char *const known[] = {"name",   "revision", "champion", "challengers", "policy",
                                        "record", "tier",     "fallback", "breaker",     "mode"};
    struct ax_json_iter it = ax_json_iter_of(json);
    while (ax_json_next(&it)) {
        bool found = false;
        for (size_t i = 0; i < AX_COUNT_OF(known) && !found; i++)
            found = ax_str_eq(it.key, ax_str_of(known[i]));
        if (!found)
            return ax_fail(ctx, AX_INVALID,
                           "unknown member `%.*s` of a deployment; champion, challengers, policy, "
                           "record, tier, fallback, breaker and mode are known",
                           AX_FMT(it.key));
    }
    return AX_OK;
}

static ax_status
read_mode(struct ax_ctx *ctx, const struct ax_json *json, enum ax_engine_mode *out_mode)
{
    ax_str mode = AX_STR("exact");
    AX_TRY(ax_json_may_text(ctx, json, "mode", &mode));
    return ax_engine_mode_parse(mode, out_mode)
               ? AX_OK
               : ax_fail(ctx, AX_INVALID, "`mode` must be exact or fast, not \"%.*s\"",
                         AX_FMT(mode));
}

static ax_status
make_deployment(struct ax_ctx *ctx, const struct making *making, const struct ax_json *plan,
                const struct ax_json *json, struct ax_plan_deployment *deployment)
{
    ax_str record = AX_STR("durable");
    deployment->tier = 1;
    AX_TRY(check_members(ctx, json));
    AX_TRY(ax_json_need_text(ctx, json, "name", &deployment->name));
    AX_TRY(ax_json_may_i64(ctx, json, "revision", &deployment->revision));
    AX_TRY(ax_json_may_i64(ctx, json, "tier", &deployment->tier));
    if (deployment->tier < 1 || deployment->tier > 3)
        return ax_fail(ctx, AX_INVALID, "`tier` must be 1, 2 or 3, not %lld",
                       (long long)deployment->tier);
    AX_TRY(ax_json_may_text(ctx, json, "record", &record));
    deployment->record = ax_str_eq(record, AX_STR("queued")) ? AX_RECORD_QUEUED : AX_RECORD_DURABLE;
    if (deployment->record == AX_RECORD_DURABLE && !ax_str_eq(record, AX_STR("durable")))
        return ax_fail(ctx, AX_INVALID, "`record` must be durable or queued, not \"%.*s\"",
                       AX_FMT(record));
    AX_TRY(read_mode(ctx, json, &deployment->mode));
    AX_TRY(digest_of(ctx, json, &deployment->config_digest));
    AX_TRY(make_rules(ctx, making, plan, json, deployment));
    AX_TRY(make_member(ctx, making, json, deployment, false));
    if (ax_json_find(json, "fallback"))
        AX_TRY(make_member(ctx, making, json, deployment, true));
    return make_challengers(ctx, making, json, deployment);
}

/* ---- the whole ---- */

static ax_status
make_deployments(struct ax_ctx *ctx, const struct making *making, const struct ax_json *json)
{
    const struct ax_json *list;
    struct ax_plan *plan = making->plan;
    AX_TRY(ax_json_need_array(ctx, json, "deployments", &list));
    plan->deployments = AX_NEW_ARRAY(ctx->arena, struct ax_plan_deployment, ax_json_count(list));
    if (!plan->deployments)
        return no_memory(ctx);
    struct ax_json_iter it = ax_json_iter_of(list);
    while (ax_json_next(&it)) {
        struct ax_plan_deployment *deployment = &plan->deployments[it.index];
        plan->deployment_count++; /* so that a half-made one is freed, too */
        ax_status status = make_deployment(ctx, making, json, it.value, deployment);
        if (status != AX_OK)
            return ax_explain(ctx, status, "deployment %zu", it.index);
        if (ax_map_find(plan->deployment_index, deployment->name))
            return ax_fail(ctx, AX_INVALID, "deployment %.*s occurs twice",
                           AX_FMT(deployment->name));
        if (!ax_map_put(plan->deployment_index, deployment->name, deployment))
            return no_memory(ctx);
    }
    return AX_OK;
}

static ax_status
index_models(struct ax_ctx *ctx, struct ax_plan *plan)
{
    for (size_t i = 0; i < plan->model_count; i++) {
        struct ax_loaded_model *model = plan->models[i];
        const struct ax_loaded_model *known = ax_map_find(plan->model_index, model->model);
        if (known && known->version >= model->version)
            continue;
        if (!ax_map_put(plan->model_index, model->model, model))
            return no_memory(ctx);
    }
    return AX_OK;
}

static ax_status
make(struct ax_ctx *ctx, struct making *making, const struct ax_json *json)
{
    const struct ax_json *versions;
    int64_t form;
    AX_TRY(ax_json_need_i64(ctx, json, "axiom_plan", &form));
    if (form != 1)
        return ax_fail(ctx, AX_UNSUPPORTED, "form %lld; this program reads form 1",
                       (long long)form);
    AX_TRY(ax_json_need_i64(ctx, json, "revision", &making->plan->revision));
    AX_TRY(ax_json_need_array(ctx, json, "versions", &versions));
    making->plan->models =
        AX_NEW_ARRAY(ctx->arena, struct ax_loaded_model *, ax_json_count(versions));
    if (!making->plan->models)
        return no_memory(ctx);
    struct ax_json_iter it = ax_json_iter_of(versions);
    while (ax_json_next(&it))
        AX_TRY(take_version(ctx, making, it.value));
    AX_TRY(take_documents(ctx, json, "policies", making->policies));
    AX_TRY(take_documents(ctx, json, "reason_maps", making->maps));
    AX_TRY(make_deployments(ctx, making, json));
    return index_models(ctx, making->plan);
}

/* An empty plan that owns its arena. */
static struct ax_plan *
plan_new(void)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(ARENA_BYTES_MAX);
    struct ax_plan *plan = arena ? AX_NEW(arena, struct ax_plan) : NULL;
    if (!plan)
        return NULL;
    plan->deployment_index = ax_map_new(arena);
    plan->model_index = ax_map_new(arena);
    if (!plan->deployment_index || !plan->model_index)
        return NULL;
    plan->arena = ax_take(arena);
    return plan;
}

ax_status
ax_plan_load(struct ax_ctx *ctx, const struct ax_plan_source *source, struct ax_plan **out_plan)
{
    ax_auto(ax_plan_free) struct ax_plan *plan = plan_new();
    if (!plan)
        return no_memory(ctx);
    plan->governed = true;
    struct making making = {.plan = plan, .source = source};
    struct ax_arena *outer = ctx->arena;
    const struct ax_json *json;
    ax_str text;
    ctx->arena = plan->arena; /* strings of the file are kept by what is made from them */
    making.entries = ax_map_new(plan->arena);
    making.policies = ax_map_new(plan->arena);
    making.maps = ax_map_new(plan->arena);
    ax_str path = ax_path_join(plan->arena, source->folder, AX_STR("plan.json"));
    ax_status status = making.entries && making.policies && making.maps && path.at
                           ? ax_file_read_all(ctx, path, PLAN_BYTES_MAX, &text)
                           : no_memory(ctx);
    if (status == AX_OK) {
        plan->digest = ax_sha256(text);
        status = ax_json_parse(ctx, text, NULL, &json);
    }
    if (status == AX_OK)
        status = make(ctx, &making, json);
    ctx->arena = outer;
    if (status != AX_OK)
        return ax_explain(ctx, status, "plan");
    *out_plan = ax_take(plan);
    return AX_OK;
}

ax_status
ax_plan_of_models(struct ax_ctx *ctx, struct ax_loaded_model **models, size_t model_count,
                  struct ax_plan **out_plan)
{
    ax_auto(ax_plan_free) struct ax_plan *plan = plan_new();
    if (plan)
        plan->models = AX_NEW_ARRAY(plan->arena, struct ax_loaded_model *, model_count);
    if (!plan || !plan->models) {
        for (size_t i = 0; i < model_count; i++)
            ax_model_unref(models[i]);
        return no_memory(ctx);
    }
    for (size_t i = 0; i < model_count; i++)
        plan->models[plan->model_count++] = models[i];
    AX_TRY(index_models(ctx, plan));
    *out_plan = ax_take(plan);
    return AX_OK;
}

void
ax_plan_free(struct ax_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->deployment_count; i++) {
        ax_breaker_unref(plan->deployments[i].champion.breaker);
        ax_breaker_unref(plan->deployments[i].fallback.breaker);
    }
    for (size_t i = 0; i < plan->model_count; i++)
        ax_model_unref(plan->models[i]);
    ax_arena_free(plan->arena);
}

const struct ax_plan_deployment *
ax_plan_deployment(const struct ax_plan *plan, ax_str name)
{
    return ax_map_find(plan->deployment_index, name);
}

struct ax_loaded_model *
ax_plan_model(const struct ax_plan *plan, ax_str name, int64_t version)
{
    if (version == 0)
        return ax_map_find(plan->model_index, name);
    for (size_t i = 0; i < plan->model_count; i++)
        if (plan->models[i]->version == version && ax_str_eq(plan->models[i]->model, name))
            return plan->models[i];
    return NULL;
}

void
ax_plan_show_breakers(const struct ax_plan_deployment *deployment, struct ax_json_writer *out)
{
    const struct ax_plan_member *const members[] = {&deployment->champion, &deployment->fallback};
    static const char *const names[] = {"champion", "fallback"};
    for (size_t i = 0; i < AX_COUNT_OF(members); i++) {
        if (!members[i]->model)
            continue;
        struct ax_breaker *breaker = members[i]->breaker;
        ax_json_begin_object(out);
        ax_json_member_text(out, "deployment", deployment->name);
        ax_json_member_text(out, "member", ax_str_of(names[i]));
        ax_json_member_text(out, "model", members[i]->model->model);
        ax_json_member_i64(out, "version", members[i]->model->version);
        ax_json_member_text(out, "state",
                            ax_str_of(ax_breaker_state_name(
                                ax_breaker_state_now(breaker, ax_clock_monotonic_ns()))));
        ax_json_member_i64(out, "short_circuits", ax_breaker_short_circuits(breaker));
        ax_json_end_object(out);
    }
}
