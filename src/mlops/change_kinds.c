#include "mlops/change_kinds.h"

#include "base/number.h"
#include "event/ledger.h"
#include "sys/clock.h"

enum { PEOPLE_MAX = 64 };

/* ---- helpers ---- */

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a change");
}

/* "credit/3" to its parts. */
static ax_status
split_version(struct ax_ctx *ctx, ax_str subject, ax_str *out_model, int64_t *out_version)
{
    for (size_t i = subject.len; i > 0; i--)
        if (subject.at[i - 1] == '/') {
            *out_model = (ax_str){subject.at, i - 1};
            if (ax_parse_i64(ax_str_from(subject, i), out_version) && *out_version > 0 &&
                out_model->len > 0)
                return AX_OK;
        }
    return ax_fail(ctx, AX_INVALID, "a version is model/number, not \"%.*s\"", AX_FMT(subject));
}

static ax_status
find_version(const struct ax_change *change, struct ax_version_record *out)
{
    ax_str model;
    int64_t version;
    AX_TRY(split_version(change->ctx, change->subject, &model, &version));
    return ax_registry_version(change->services->registry, change->ctx, change->tx, model, version,
                               out);
}

/* The champion that a deployment's change names. */
static ax_status
find_champion(const struct ax_change *change, struct ax_version_record *out)
{
    const struct ax_json *champion;
    ax_str model;
    int64_t version;
    AX_TRY(ax_json_need_object(change->ctx, change->change, "champion", &champion));
    AX_TRY(ax_json_need_text(change->ctx, champion, "model", &model));
    AX_TRY(ax_json_need_i64(change->ctx, champion, "version", &version));
    return ax_registry_version(change->services->registry, change->ctx, change->tx, model, version,
                               out);
}

/* The first text of a query, or `otherwise` when there is no row. */
static ax_status
query_text(const struct ax_change *change, const char *sql, ax_str name, ax_str otherwise,
           ax_str *out)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(change->tx, change->ctx, ax_str_of(sql),
                          AX_STORE_PARAMS(ax_store_text(name)), &rows));
    *out = ax_store_next(rows) ? ax_store_read_text(rows, 0) : otherwise;
    return ax_store_finish(rows);
}

static ax_status
publish(const struct ax_change *change)
{
    return ax_deployments_publish(change->services->deployments, change->ctx);
}

static ax_status
need_reason(const struct ax_change *change)
{
    ax_str reason;
    AX_TRY(ax_json_need_text(change->ctx, change->change, "reason", &reason));
    return reason.len ? AX_OK : ax_fail(change->ctx, AX_INVALID, "`reason` is empty");
}

/* ---- model_version ---- */

/* A version with its state and its validations: a new finding makes the proposal another. */
static ax_status
version_object(const struct ax_change *change, ax_str *out_text)
{
    struct ax_version_record record;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    struct ax_store_rows *rows;
    AX_TRY(find_version(change, &record));
    *out_text = ax_str_printf(change->ctx->arena, "%s %s\n", ax_digest_hex(record.digest, hex).at,
                              ax_version_state_name(record.state));
    AX_TRY(ax_store_query(
        change->tx, change->ctx,
        AX_STR("select id, plan_digest, conclusion, results from validations "
               "where model = $1 and version = $2 order by id"),
        AX_STORE_PARAMS(ax_store_text(record.model), ax_store_i64(record.version)), &rows));
    while (out_text->at && ax_store_next(rows)) {
        ax_str id = ax_store_read_text(rows, 0), plan = ax_store_read_text(rows, 1);
        ax_str conclusion = ax_store_read_text(rows, 2), results = ax_store_read_text(rows, 3);
        ax_digest_hex(ax_sha256(results), hex);
        *out_text = ax_str_printf(change->ctx->arena, "%.*s%.*s %.*s %.*s %s\n", AX_FMT(*out_text),
                                  AX_FMT(id), AX_FMT(plan), AX_FMT(conclusion), hex);
    }
    AX_TRY(ax_store_finish(rows));
    return out_text->at ? AX_OK : no_memory(change->ctx);
}

static ax_status
version_target(const struct ax_change *change, enum ax_version_state *out_state,
               int64_t *out_until_ns)
{
    ax_str name, until;
    AX_TRY(ax_json_need_text(change->ctx, change->change, "state", &name));
    *out_until_ns = INT64_MAX;
    if (!ax_version_state_parse(name, out_state) ||
        (*out_state != AX_VERSION_APPROVED && *out_state != AX_VERSION_APPROVED_RESTRICTED &&
         *out_state != AX_VERSION_RETIRED))
        return ax_fail(change->ctx, AX_INVALID,
                       "`state` must be approved, approved_restricted or retired, not \"%.*s\"",
                       AX_FMT(name));
    if (*out_state != AX_VERSION_APPROVED_RESTRICTED)
        return AX_OK;
    AX_TRY(need_reason(change)); /* R25 */
    AX_TRY(ax_json_need_text(change->ctx, change->change, "until", &until));
    if (ax_clock_parse(until, out_until_ns) != AX_OK || *out_until_ns <= ax_clock_real_ns())
        return ax_fail(change->ctx, AX_INVALID, "`until` must be a time to come, not \"%.*s\"",
                       AX_FMT(until));
    return AX_OK;
}

static ax_status
version_check(const struct ax_change *change)
{
    struct ax_version_record record;
    enum ax_version_state state;
    int64_t until_ns;
    AX_TRY(find_version(change, &record));
    AX_TRY(version_target(change, &state, &until_ns));
    if (state == AX_VERSION_APPROVED && record.state != AX_VERSION_VALIDATED)
        return ax_fail(change->ctx, AX_CONFLICT,
                       "%.*s is %s; only a validated version can be approved",
                       AX_FMT(change->subject), ax_version_state_name(record.state));
    if (state == AX_VERSION_APPROVED_RESTRICTED &&
        (record.state == AX_VERSION_FAILED || record.state == AX_VERSION_RETIRED))
        return ax_fail(change->ctx, AX_CONFLICT, "%.*s is %s and cannot be used, restricted or not",
                       AX_FMT(change->subject), ax_version_state_name(record.state));
    return AX_OK;
}

static ax_status
version_apply(const struct ax_change *change)
{
    struct ax_version_record record;
    enum ax_version_state state;
    int64_t until_ns;
    AX_TRY(find_version(change, &record));
    AX_TRY(version_target(change, &state, &until_ns));
    return ax_registry_move(change->services->registry, change->ctx, change->tx, &record, state,
                            until_ns);
}

/* ---- deployment ---- */

static ax_status
deployment_object(const struct ax_change *change, ax_str *out_text)
{
    struct ax_version_record champion;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str present;
    AX_TRY(query_text(change,
                      "select digest from deployments where name = $1 order by revision desc",
                      change->subject, AX_STR("none"), &present));
    AX_TRY(find_champion(change, &champion));
    ax_digest_hex(champion.digest, hex);
    *out_text = ax_str_printf(change->ctx->arena, "%.*s %s %s", AX_FMT(present), hex,
                              ax_version_state_name(champion.state));
    return out_text->at ? AX_OK : no_memory(change->ctx);
}

/* Who deploys is none of those who made, validated or approved the version (R44). */
static ax_status
check_deployer(const struct ax_change *change)
{
    struct ax_version_record champion;
    struct ax_version_people people;
    AX_TRY(find_champion(change, &champion));
    AX_TRY(ax_registry_people(change->services->registry, change->ctx, change->tx, &champion,
                              &people));
    bool involved = ax_str_eq(change->proposer, people.developer);
    for (size_t i = 0; i < people.validator_count; i++)
        involved |= ax_str_eq(change->proposer, people.validators[i]);
    for (size_t i = 0; i < people.approver_count; i++)
        involved |= ax_str_eq(change->proposer, people.approvers[i]);
    if (involved)
        return ax_fail(change->ctx, AX_DENIED,
                       "%.*s developed, validated or approved %.*s/%lld: another person must "
                       "deploy it",
                       AX_FMT(change->proposer), AX_FMT(champion.model),
                       (long long)champion.version);
    return AX_OK;
}

static ax_status
deployment_check(const struct ax_change *change)
{
    AX_TRY(check_deployer(change));
    return ax_deployments_check(change->services->deployments, change->ctx, change->tx,
                                change->subject, change->change);
}

static ax_status
deployment_apply(const struct ax_change *change)
{
    return ax_deployments_apply(change->services->deployments, change->ctx, change->tx,
                                change->subject, change->change, change->proposal_id);
}

/* ---- policy, threshold, reason_map ---- */

static ax_status
policy_object(const struct ax_change *change, ax_str *out_text)
{
    return query_text(change, "select digest from policies where name = $1 order by version desc",
                      change->subject, AX_STR("none"), out_text);
}

static ax_status
policy_check(const struct ax_change *change)
{
    return ax_deployments_put_policy(change->services->deployments, change->ctx, change->tx,
                                     change->subject, change->change, AX_STR(""));
}

static ax_status
policy_apply(const struct ax_change *change)
{
    return ax_deployments_put_policy(change->services->deployments, change->ctx, change->tx,
                                     change->subject, change->change, change->proposal_id);
}

/* The newest policy of the name with other thresholds. */
static ax_status
threshold_body(const struct ax_change *change, const struct ax_json **out_body)
{
    struct ax_ctx *ctx = change->ctx;
    ax_writer_auto struct ax_writer text = ax_writer_of(4 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_json *present;
    double approve_below, decline_from;
    ax_str body, copy;
    AX_TRY(ax_json_need_f64(ctx, change->change, "approve_below", &approve_below));
    AX_TRY(ax_json_need_f64(ctx, change->change, "decline_from", &decline_from));
    AX_TRY(query_text(change, "select body from policies where name = $1 order by version desc",
                      change->subject, AX_STR(""), &body));
    if (!body.len)
        return ax_fail(ctx, AX_NOT_FOUND, "no policy \"%.*s\"", AX_FMT(change->subject));
    AX_TRY(ax_json_parse(ctx, body, NULL, &present));
    struct ax_json_iter it = ax_json_iter_of(present);
    ax_json_begin_object(&json);
    ax_json_member_f64(&json, "approve_below", approve_below);
    ax_json_member_f64(&json, "decline_from", decline_from);
    while (ax_json_next(&it)) {
        if (ax_str_eq(it.key, AX_STR("approve_below")) || ax_str_eq(it.key, AX_STR("decline_from")))
            continue;
        ax_json_key_str(&json, it.key);
        ax_json_put(&json, it.value);
    }
    ax_json_end_object(&json);
    if (ax_writer_take(&text, ctx->arena, &copy) != AX_OK)
        return no_memory(ctx);
    return ax_json_parse(ctx, copy, NULL, out_body);
}

static ax_status
threshold_put(const struct ax_change *change, ax_str proposal_id)
{
    const struct ax_json *body;
    AX_TRY(threshold_body(change, &body));
    return ax_deployments_put_policy(change->services->deployments, change->ctx, change->tx,
                                     change->subject, body, proposal_id);
}

static ax_status
threshold_check(const struct ax_change *change)
{
    return threshold_put(change, AX_STR(""));
}

static ax_status
threshold_apply(const struct ax_change *change)
{
    return threshold_put(change, change->proposal_id);
}

static ax_status
reasons_object(const struct ax_change *change, ax_str *out_text)
{
    return query_text(change,
                      "select digest from reason_maps where name = $1 order by version desc",
                      change->subject, AX_STR("none"), out_text);
}

static ax_status
reasons_check(const struct ax_change *change)
{
    return ax_deployments_put_reasons(change->services->deployments, change->ctx, change->tx,
                                      change->subject, change->change, AX_STR(""));
}

static ax_status
reasons_apply(const struct ax_change *change)
{
    return ax_deployments_put_reasons(change->services->deployments, change->ctx, change->tx,
                                      change->subject, change->change, change->proposal_id);
}

/* ---- tier and quorum ---- */

static ax_status
tier_object(const struct ax_change *change, ax_str *out_text)
{
    return query_text(change, "select cast(tier as text) from models where name = $1",
                      change->subject, AX_STR("none"), out_text);
}

static ax_status
tier_check(const struct ax_change *change)
{
    int64_t tier;
    bool lowers;
    AX_TRY(ax_json_need_i64(change->ctx, change->change, "tier", &tier));
    if (tier < 1 || tier > 3)
        return ax_fail(change->ctx, AX_INVALID, "`tier` must be 1, 2 or 3, not %lld",
                       (long long)tier);
    return ax_change_lowers_tier(change, &lowers);
}

static ax_status
tier_apply(const struct ax_change *change)
{
    return ax_registry_set_tier(change->services->registry, change->ctx, change->tx,
                                change->subject, change->change);
}

static ax_status
quorum_object(const struct ax_change *change, ax_str *out_text)
{
    return query_text(change, "select value from settings where name = $1", AX_STR("quorum"),
                      AX_STR("default"), out_text);
}

static ax_status
quorum_check(const struct ax_change *change)
{
    struct ax_quorum_table table = ax_quorum_default();
    return ax_quorum_parse(change->ctx, change->change, &table);
}

static ax_status
quorum_apply(const struct ax_change *change)
{
    ax_str text;
    AX_TRY(ax_json_canonical(change->ctx, change->change, &text));
    return ax_store_run(change->tx, change->ctx,
                        AX_STR("insert into settings (name, value) values ('quorum', $1) "
                               "on conflict (name) do update set value = excluded.value"),
                        AX_STORE_PARAMS(ax_store_text(text)), NULL);
}

/* ---- role and key ---- */

static ax_status
user_object(const struct ax_change *change, ax_str *out_text)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    AX_TRY(ax_directory_write_user(change->tx, change->ctx, change->subject, &json));
    return ax_writer_take(&text, change->ctx->arena, out_text) == AX_OK ? AX_OK
                                                                        : no_memory(change->ctx);
}

static ax_status
role_check(const struct ax_change *change)
{
    return ax_directory_check_role(change->tx, change->ctx, change->subject, change->change);
}

static ax_status
role_apply(const struct ax_change *change)
{
    return ax_directory_apply_role(change->tx, change->ctx, change->subject, change->change);
}

/* A key is proposed by its owner, or by an administrator. */
static ax_status
key_check(const struct ax_change *change)
{
    const struct ax_actor *actor = change->ctx->actor;
    bool administrator = actor && (actor->roles & AX_ROLE_BIT(SECURITY_ADMIN));
    if (!administrator && !ax_str_eq(change->proposer, change->subject))
        return ax_fail(change->ctx, AX_DENIED, "%.*s may propose their own keys, not those of %.*s",
                       AX_FMT(change->proposer), AX_FMT(change->subject));
    return ax_directory_check_key(change->tx, change->ctx, change->subject, change->change);
}

static ax_status
key_apply(const struct ax_change *change)
{
    return ax_directory_apply_key(change->tx, change->ctx, change->subject, change->change);
}

static ax_status
reload(const struct ax_change *change)
{
    return ax_directory_reload(change->services->directory, change->ctx);
}

/* ---- breaker, kill, erasure: their effect is not in the database ---- */

static ax_status
subject_object(const struct ax_change *change, ax_str *out_text)
{
    *out_text = change->subject;
    return AX_OK;
}

static ax_status
need_state(const struct ax_change *change, const char *wanted)
{
    ax_str state;
    AX_TRY(ax_json_need_text(change->ctx, change->change, "state", &state));
    if (!ax_str_eq(state, ax_str_of(wanted)))
        return ax_fail(change->ctx, AX_INVALID, "`state` must be %s, not \"%.*s\"", wanted,
                       AX_FMT(state));
    return need_reason(change);
}

static ax_status
breaker_check(const struct ax_change *change)
{
    return need_state(change, "closed");
}

/* A breaker that is gone with its deployment needs no closing any more. */
static ax_status
breaker_effect(const struct ax_change *change)
{
    ax_status status =
        change->services->on_breaker(change->services->arg, change->ctx, change->subject);
    return status == AX_NOT_FOUND ? AX_OK : status;
}

static ax_status
kill_check(const struct ax_change *change)
{
    return need_state(change, "released");
}

static ax_status
kill_effect(const struct ax_change *change)
{
    ax_status status = ax_kill_switch_release(change->services->kill, change->ctx, change->subject);
    return status == AX_NOT_FOUND ? AX_OK : status;
}

static ax_status
erasure_effect(const struct ax_change *change)
{
    struct ax_vault_receipt receipt = {};
    ax_status status =
        ax_vault_erase(change->services->vault, change->ctx, change->subject, &receipt);
    if (status !=
        AX_NOT_FOUND) /* nothing of theirs, or erased before a crash: a fact all the same */
        AX_TRY(status);
    struct ax_event event = {
        .kind = AX_EVENT_ERASURE,
        .producer = AX_STR("erasure"),
        .event_ns = receipt.erased_ns,
        .actor = change->proposer,
        .object = change->proposal_id,
        .build_id = AX_STR("axiom " AX_VERSION),
    };
    memcpy(event.key_id, receipt.key_id, sizeof event.key_id);
    return ax_ledger_append(change->services->ledger, change->ctx, &event, AX_STR(""), NULL);
}

/* ---- the table ---- */

const struct ax_change_row *
ax_change_row(enum ax_change_kind kind)
{
    static const struct ax_change_row rows[AX_CHANGE_KIND_COUNT] = {
        [AX_CHANGE_MODEL_VERSION] = {AX_PERMISSION_PROPOSE_MODEL, version_object, version_check,
                                     version_apply, publish, false},
        [AX_CHANGE_DEPLOYMENT] = {AX_PERMISSION_PROPOSE_DEPLOYMENT, deployment_object,
                                  deployment_check, deployment_apply, publish, false},
        [AX_CHANGE_POLICY] = {AX_PERMISSION_PROPOSE_MODEL, policy_object, policy_check,
                              policy_apply, NULL, false},
        [AX_CHANGE_THRESHOLD] = {AX_PERMISSION_PROPOSE_MODEL, policy_object, threshold_check,
                                 threshold_apply, NULL, false},
        [AX_CHANGE_REASON_MAP] = {AX_PERMISSION_PROPOSE_MODEL, reasons_object, reasons_check,
                                  reasons_apply, publish, false},
        [AX_CHANGE_TIER] = {AX_PERMISSION_PROPOSE_MODEL, tier_object, tier_check, tier_apply, NULL,
                            false},
        [AX_CHANGE_ROLE] = {AX_PERMISSION_PROPOSE_ACCESS, user_object, role_check, role_apply,
                            reload, false},
        [AX_CHANGE_KEY] = {AX_PERMISSION_PROPOSE, user_object, key_check, key_apply, reload, false},
        [AX_CHANGE_BREAKER] = {AX_PERMISSION_PROPOSE_RELEASE, subject_object, breaker_check, NULL,
                               breaker_effect, true},
        [AX_CHANGE_KILL] = {AX_PERMISSION_PROPOSE_RELEASE, subject_object, kill_check, NULL,
                            kill_effect, true},
        [AX_CHANGE_ERASURE] = {AX_PERMISSION_PROPOSE_ERASURE, subject_object, need_reason, NULL,
                               erasure_effect, true},
        [AX_CHANGE_QUORUM] = {AX_PERMISSION_PROPOSE_MODEL, quorum_object, quorum_check,
                              quorum_apply, NULL, false},
    };
    return &rows[kind];
}

/* ---- who must sign ---- */

/* The model a change is about; "" when it is about none. */
static ax_status
model_of(const struct ax_change *change, ax_str *out_model)
{
    struct ax_version_record record;
    *out_model = AX_STR("");
    if (change->kind == AX_CHANGE_MODEL_VERSION) {
        AX_TRY(find_version(change, &record));
        *out_model = record.model;
    } else if (change->kind == AX_CHANGE_DEPLOYMENT) {
        AX_TRY(find_champion(change, &record));
        *out_model = record.model;
    } else if (change->kind == AX_CHANGE_TIER) {
        *out_model = change->subject;
    }
    return AX_OK;
}

ax_status
ax_change_tier(const struct ax_change *change, int64_t *out_tier)
{
    ax_str model;
    AX_TRY(model_of(change, &model));
    *out_tier = 2;
    if (!model.len)
        return AX_OK;
    ax_status status =
        ax_store_get_i64(change->tx, change->ctx, AX_STR("select tier from models where name = $1"),
                         AX_STORE_PARAMS(ax_store_text(model)), out_tier);
    return status == AX_NOT_FOUND
               ? ax_fail(change->ctx, AX_NOT_FOUND, "no model \"%.*s\"", AX_FMT(model))
               : status;
}

ax_status
ax_change_lowers_tier(const struct ax_change *change, bool *out_lowers)
{
    int64_t present, tier;
    AX_TRY(ax_change_tier(change, &present));
    AX_TRY(ax_json_need_i64(change->ctx, change->change, "tier", &tier));
    *out_lowers = tier > present; /* tier 1 is the highest */
    return AX_OK;
}

ax_status
ax_change_involved(const struct ax_change *change, ax_str **out_people, size_t *out_count)
{
    struct ax_version_record record;
    struct ax_version_people people;
    *out_count = 0;
    *out_people = AX_NEW_ARRAY(change->ctx->arena, ax_str, PEOPLE_MAX);
    if (!*out_people)
        return no_memory(change->ctx);
    if (change->kind != AX_CHANGE_MODEL_VERSION && change->kind != AX_CHANGE_DEPLOYMENT)
        return AX_OK;
    AX_TRY(change->kind == AX_CHANGE_MODEL_VERSION ? find_version(change, &record)
                                                   : find_champion(change, &record));
    AX_TRY(
        ax_registry_people(change->services->registry, change->ctx, change->tx, &record, &people));
    (*out_people)[(*out_count)++] = people.developer;
    for (size_t i = 0; i < people.validator_count && *out_count < PEOPLE_MAX; i++)
        (*out_people)[(*out_count)++] = people.validators[i];
    return AX_OK;
}

ax_status
ax_change_quorum_table(struct ax_store_tx *tx, struct ax_ctx *ctx,
                       struct ax_quorum_table *out_table)
{
    struct ax_store_rows *rows;
    const struct ax_json *json;
    *out_table = ax_quorum_default();
    AX_TRY(ax_store_query(tx, ctx, AX_STR("select value from settings where name = 'quorum'"),
                          AX_STORE_NO_PARAMS, &rows));
    bool found = ax_store_next(rows);
    ax_str text = found ? ax_store_read_text(rows, 0) : AX_STR("");
    AX_TRY(ax_store_finish(rows));
    if (!found)
        return AX_OK;
    AX_TRY(ax_json_parse(ctx, text, NULL, &json));
    return ax_quorum_parse(ctx, json, out_table);
}
