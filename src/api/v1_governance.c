/* /api/v1/proposals, deployments, policies, reason-maps, kill: what is allowed, and by whom. */
#include "api/route.h"

/* ---- proposals ---- */

/*
 * Who is limited to some models proposes about those, and about their own key. The subject is a
 * deployment, a model, or "model/version".
 */
static ax_status
check_subject(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str kind = AX_STR(""), subject = AX_STR(""), name;
    if (!call->actor.limited)
        return AX_OK;
    AX_TRY(ax_json_need_text(ctx, call->body, "kind", &kind));
    AX_TRY(ax_json_need_text(ctx, call->body, "subject", &subject));
    if (ax_str_eq(kind, AX_STR("key")) && ax_str_eq(subject, call->actor.id))
        return AX_OK;
    name = subject;
    (void)ax_str_cut(&subject, '/', &name);
    return ax_policy_check_model(ctx, &call->actor, name, AX_GRANT_EDIT);
}

static ax_status
propose(struct ax_call *call, struct ax_ctx *ctx)
{
    AX_TRY(check_subject(call, ctx));
    ax_exchange_set_status(call->exchange, 201);
    return ax_change_control_propose(call->services->control, ctx, call->body, ax_call_json(call));
}

static ax_status
list_proposals(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str state;
    AX_TRY(ax_call_query(call, ctx, "state", &state));
    return ax_change_control_list(call->services->control, ctx, state, ax_call_json(call));
}

static ax_status
show_proposal(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_change_control_show(call->services->control, ctx, call->parameters[0],
                                  ax_call_json(call));
}

/* Approving and rejecting differ only in the verb that was signed. */
static ax_status
sign(struct ax_call *call, struct ax_ctx *ctx,
     ax_status (*verb)(struct ax_change_control *, struct ax_ctx *, ax_str, const struct ax_json *,
                       struct ax_json_writer *, enum ax_change_refusal *))
{
    enum ax_change_refusal refusal = AX_CHANGE_NOT_REFUSED;
    ax_status status = verb(call->services->control, ctx, call->parameters[0], call->body,
                            ax_call_json(call), &refusal);
    if (refusal != AX_CHANGE_NOT_REFUSED)
        call->code = ax_str_of(ax_change_refusal_name(refusal));
    return status;
}

static ax_status
approve(struct ax_call *call, struct ax_ctx *ctx)
{
    return sign(call, ctx, ax_change_control_approve);
}

static ax_status
reject(struct ax_call *call, struct ax_ctx *ctx)
{
    return sign(call, ctx, ax_change_control_reject);
}

/* ---- what is served ---- */

static ax_status
list_deployments(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_deployments_list(call->services->deployments, ctx, ax_call_json(call));
}

static ax_status
show_deployment(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_deployments_show(call->services->deployments, ctx, call->parameters[0],
                               ax_call_json(call));
}

static ax_status
rollback(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_change_control_rollback(call->services->control, ctx, call->parameters[0], call->body,
                                      ax_call_json(call));
}

static ax_status
show_policy(struct ax_call *call, struct ax_ctx *ctx)
{
    int64_t version = 0;
    if (call->parameters[1].len)
        AX_TRY(ax_call_number(call, ctx, 1, &version));
    return ax_deployments_show_policy(call->services->deployments, ctx, call->parameters[0],
                                      version, ax_call_json(call));
}

static ax_status
show_reasons(struct ax_call *call, struct ax_ctx *ctx)
{
    int64_t version = 0;
    if (call->parameters[1].len)
        AX_TRY(ax_call_number(call, ctx, 1, &version));
    return ax_deployments_show_reasons(call->services->deployments, ctx, call->parameters[0],
                                       version, ax_call_json(call));
}

/* ---- breakers and the kill switch ---- */

/* Breakers as they stand in the plan that is served. */
static ax_status
list_breakers(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_lane *lane;
    AX_TRY(ax_lane_open(ctx, call->services->server, &lane));
    const struct ax_plan *plan = ax_lane_plan(lane);
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "breakers");
    ax_json_begin_array(json);
    for (size_t i = 0; plan && i < plan->deployment_count; i++)
        ax_plan_show_breakers(&plan->deployments[i], json);
    ax_json_end_array(json);
    ax_json_end_object(json);
    ax_lane_close(lane);
    return AX_OK;
}

static ax_status
kill(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_change_control_kill(call->services->control, ctx, call->body, ax_call_json(call));
}

static ax_status
show_kill(struct ax_call *call, struct ax_ctx *)
{
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "latches");
    ax_kill_switch_show(call->services->kill, json);
    ax_json_end_object(json);
    return AX_OK;
}

#define READ(path, fn, summary)                                                                    \
    {                                                                                              \
        AX_HTTP_GET, path, AX_PERMISSION_READ, AX_ROUTE_WORKER, AX_ROUTE_NO_BODY, 0, fn, summary   \
    }
#define WRITE(path, permission, fn, summary)                                                       \
    {                                                                                              \
        AX_HTTP_POST, path, permission, AX_ROUTE_WORKER, AX_ROUTE_JSON, 0, fn, summary             \
    }

static const struct ax_route routes[] = {
    READ("/api/v1/proposals", list_proposals, "Proposals, newest first"),
    WRITE("/api/v1/proposals", AX_PERMISSION_PROPOSE, propose, "Proposes a change"),
    READ("/api/v1/proposals/{proposal}", show_proposal, "A proposal and who signed it"),
    WRITE("/api/v1/proposals/{proposal}/approve", AX_PERMISSION_SIGN, approve,
          "Approves what was proposed: a signature over its digest"),
    WRITE("/api/v1/proposals/{proposal}/reject", AX_PERMISSION_SIGN, reject,
          "Rejects what was proposed, signed as well"),
    READ("/api/v1/deployments", list_deployments, "Deployments"),
    READ("/api/v1/deployments/{deployment}", show_deployment, "A deployment and its revisions"),
    WRITE("/api/v1/deployments/{deployment}/rollback", AX_PERMISSION_ROLLBACK, rollback,
          "Goes back to the revision before"),
    READ("/api/v1/policies/{policy}", show_policy, "The newest version of a decision policy"),
    READ("/api/v1/policies/{policy}/versions/{version}", show_policy,
         "A version of a decision policy"),
    READ("/api/v1/reason-maps/{map}", show_reasons, "The newest version of a reason map"),
    READ("/api/v1/reason-maps/{map}/versions/{version}", show_reasons, "A version of a reason map"),
    READ("/api/v1/breakers", list_breakers, "Circuit breakers of what is served"),
    READ("/api/v1/kill", show_kill, "What the kill switch stops"),
    WRITE("/api/v1/kill", AX_PERMISSION_KILL, kill, "Stops a scope at once"),
};

const struct ax_route_table ax_v1_governance_table = {
    routes, AX_COUNT_OF(routes), true, true, ax_problem_refuse, AX_DIALECT_AXIOM};
