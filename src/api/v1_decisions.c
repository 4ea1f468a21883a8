/* /api/v1/deployments/{deployment}/decisions and /api/v1/decisions: made, read, proved, added to.
 */
#include "api/limits.h"
#include "api/route.h"
#include "sys/clock.h"

/* ---- the answer ---- */

static void
show_reasons(const struct ax_decision *record, struct ax_json_writer *json)
{
    ax_json_key(json, "reasons");
    ax_json_begin_array(json);
    for (size_t i = 0; i < record->reason_count; i++) {
        const struct ax_decision_reason *reason = &record->reasons[i];
        ax_str names = reason->features, name;
        ax_json_begin_object(json);
        ax_json_member_text(json, "code", reason->code);
        ax_json_member_text(json, "text", reason->text);
        ax_json_key(json, "features");
        ax_json_begin_array(json);
        while (names.len && ax_str_cut(&names, ',', &name))
            ax_json_put_text(json, name);
        ax_json_end_array(json);
        ax_json_member_f64(json, "contribution", reason->contribution);
        ax_json_end_object(json);
    }
    ax_json_end_array(json);
}

static void
show_model(const struct ax_decision_model *model, struct ax_json_writer *json)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_json_key(json, "model");
    if (model->name.len == 0) { /* nobody could answer */
        ax_json_put_null(json);
        return;
    }
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", model->name);
    ax_json_member_text(json, "version", model->version);
    ax_json_member_text(json, "digest", ax_digest_hex(model->digest, hex));
    ax_json_end_object(json);
}

/* All of the answer but where the record is: that is known only when it is there. */
static void
show_decision(const struct ax_decision *record, struct ax_json_writer *json)
{
    ax_json_begin_object(json);
    ax_json_member_text(json, "decision_id", record->id);
    ax_json_member_text(json, "outcome", record->outcome);
    ax_json_member_f64(json, "probability", record->probability);
    ax_json_member_f64(json, "score", record->score);
    show_reasons(record, json);
    show_model(&record->model, json);
    ax_json_member_text(json, "policy_version", record->policy_version);
    ax_json_member_bool(json, "fallback", record->fallback);
    if (record->limits.len)
        ax_json_member_text(json, "limits", record->limits);
}

static void
show_place(bool durable, uint64_t leaf, struct ax_json_writer *json)
{
    ax_json_key(json, "ledger");
    ax_json_begin_object(json);
    ax_json_member_text(json, "state", durable ? AX_STR("durable") : AX_STR("queued"));
    if (durable)
        ax_json_member_i64(json, "index", (int64_t)leaf);
    ax_json_end_object(json);
    ax_json_end_object(json);
}

/* ---- deciding ---- */

static void
on_ready(struct ax_decided *decided)
{
    struct ax_call *call = decided->arg;
    ax_observe_decided(call, decided->phases, call->parameters[0]);
    show_decision(&decided->record, ax_call_json(call));
}

/* On the ledger's thread when the record had to be durable first. */
static void
on_done(struct ax_decided *decided)
{
    struct ax_call *call = decided->arg;
    ax_status status = decided->status;
    ax_phase_end(ax_exchange_ctx(call->exchange), AX_PHASE_RECORD);
    if (status == AX_OK)
        show_place(decided->durable, decided->leaf, &call->json);
    else if (ax_ledger_check(call->services->ledger, ax_exchange_ctx(call->exchange)) == AX_OK)
        ax_ctx_say(ax_exchange_ctx(call->exchange), status,
                   "the record of the decision could not be kept, so there is no decision");
    ax_call_end(call, status);
}

/* The same request again: the decision that answered it. */
static ax_status
answer_again(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_decision record;
    uint64_t leaf;
    ax_str id = call->parameters[1];
    AX_TRY(ax_decision_archive_find(call->services->archive, ctx, id, &leaf));
    AX_TRY(ax_decision_archive_read(call->services->archive, ctx, id, &record));
    struct ax_json_writer *json = ax_call_json(call);
    show_decision(&record, json);
    show_place(true, leaf, json);
    return AX_OK;
}

static ax_status
read_request(struct ax_call *call, struct ax_ctx *ctx, struct ax_decide_request *out)
{
    struct ax_json_iter it = ax_json_iter_of(call->body);
    while (ax_json_next(&it))
        if (!ax_str_eq(it.key, AX_STR("features")) && !ax_str_eq(it.key, AX_STR("request_id")) &&
            !ax_str_eq(it.key, AX_STR("entity_id")))
            return ax_fail(ctx, AX_INVALID,
                           "unknown member `%.*s`; request_id, entity_id and features are known",
                           AX_FMT(it.key));
    *out = (struct ax_decide_request){
        .deployment = call->parameters[0],
        .request_id = AX_STR(""),
        .entity_id = AX_STR(""),
        .event_ns = ax_clock_real_ns(),
    };
    AX_TRY(ax_json_may_text(ctx, call->body, "request_id", &out->request_id));
    AX_TRY(ax_json_may_text(ctx, call->body, "entity_id", &out->entity_id));
    return ax_json_need_object(ctx, call->body, "features", &out->features);
}

static ax_status
decide(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_decide_request request;
    const struct ax_decide_answer answer = {.ready = on_ready, .done = on_done, .arg = call};
    ax_str duplicate_of;
    AX_TRY(read_request(call, ctx, &request));
    AX_TRY(ax_limits_model(call, ctx, request.deployment));
    ax_phase_end(ctx, AX_PHASE_PARSE);
    ax_call_defer(call);
    ax_status status = ax_model_server_decide(call->lane, ctx, &request, &answer, &duplicate_of);
    if (status != AX_OK) {
        ax_call_end(call, status);
        return AX_OK;
    }
    if (duplicate_of.len) {
        call->parameters[1] = duplicate_of;
        return ax_call_to_worker(call, ctx, answer_again);
    }
    return AX_OK; /* the call may be gone by now */
}

/* ---- decisions that were made ---- */

/* Who is limited to some deployments sees the decisions of those. */
static ax_status
check_deployment(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_decision record;
    if (!call->actor.limited)
        return AX_OK;
    AX_TRY(ax_decision_archive_read(call->services->archive, ctx, call->parameters[0], &record));
    return ax_policy_check_model(ctx, &call->actor, record.deployment,
                                 ax_policy_level(call->route->permission));
}

static ax_status
show(struct ax_call *call, struct ax_ctx *ctx)
{
    AX_TRY(check_deployment(call, ctx));
    return ax_decision_archive_show(call->services->archive, ctx, call->parameters[0],
                                    ax_call_json(call));
}

static ax_status
prove(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str proof;
    AX_TRY(check_deployment(call, ctx));
    AX_TRY(ax_decision_archive_prove(call->services->archive, ctx, call->parameters[0], &proof));
    ax_exchange_header(call->exchange, AX_STR("content-type"), AX_STR("text/plain; charset=utf-8"));
    ax_writer_bytes(ax_exchange_body(call->exchange), proof);
    return AX_OK;
}

static ax_status
replay(struct ax_call *call, struct ax_ctx *ctx)
{
    AX_TRY(check_deployment(call, ctx));
    return ax_decision_archive_replay(call->services->archive, ctx, call->parameters[0],
                                      ax_call_json(call));
}

static ax_status
outcome(struct ax_call *call, struct ax_ctx *ctx)
{
    AX_TRY(check_deployment(call, ctx));
    return ax_decision_archive_outcome(call->services->archive, ctx, call->parameters[0],
                                       call->body, ax_call_json(call));
}

static ax_status
review(struct ax_call *call, struct ax_ctx *ctx)
{
    AX_TRY(check_deployment(call, ctx));
    return ax_decision_archive_review(call->services->archive, ctx, call->parameters[0], call->body,
                                      ax_call_json(call));
}

static const struct ax_route routes[] = {
    {AX_HTTP_POST, "/api/v1/deployments/{deployment}/decisions", AX_PERMISSION_DECIDE,
     AX_ROUTE_LOOP, AX_ROUTE_JSON, 0, decide, "Decides about one application"},
    {AX_HTTP_GET, "/api/v1/decisions/{decision}", AX_PERMISSION_READ_DECISIONS, AX_ROUTE_WORKER,
     AX_ROUTE_NO_BODY, 0, show, "The record of a decision"},
    {AX_HTTP_GET, "/api/v1/decisions/{decision}/proof", AX_PERMISSION_PROVE, AX_ROUTE_WORKER,
     AX_ROUTE_NO_BODY, 0, prove, "A proof that the decision is in the signed log"},
    {AX_HTTP_POST, "/api/v1/decisions/{decision}/replay", AX_PERMISSION_REPLAY, AX_ROUTE_WORKER,
     AX_ROUTE_NO_BODY, 0, replay, "Computes the decision again and compares"},
    {AX_HTTP_POST, "/api/v1/decisions/{decision}/outcome", AX_PERMISSION_OUTCOME, AX_ROUTE_WORKER,
     AX_ROUTE_JSON, 0, outcome, "Adds what came true of it"},
    {AX_HTTP_POST, "/api/v1/decisions/{decision}/review", AX_PERMISSION_REVIEW, AX_ROUTE_WORKER,
     AX_ROUTE_JSON, 0, review, "Adds a person's result on a referred decision"},
};

const struct ax_route_table ax_v1_decisions_table = {
    routes,           AX_COUNT_OF(routes),  true, false, ax_problem_refuse,
    AX_DIALECT_AXIOM, .checks_models = true};
