/* /api/v1/users, tokens and whoami: people, services, and what they come with. */
#include "api/route.h"
#include "auth/token.h"

static ax_status
whoami(struct ax_call *call, struct ax_ctx *)
{
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "id", call->actor.id);
    ax_json_key(json, "roles");
    ax_json_begin_array(json);
    for (int role = 0; role < AX_ROLE_COUNT; role++)
        if (call->actor.roles & (UINT32_C(1) << role))
            ax_json_put_text(json, ax_str_of(ax_policy_role_name((enum ax_role)role)));
    ax_json_end_array(json);
    ax_json_member_i64(json, "line", call->actor.line);
    ax_json_member_text(json, "manager", call->actor.manager);
    ax_json_member_text(json, "authenticated_by", call->actor.authenticated_by);
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
list_users(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_directory_list(call->services->directory, ctx, ax_call_json(call));
}

static ax_status
show_user(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_directory_show(call->services->directory, ctx, call->parameters[0],
                             ax_call_json(call));
}

static ax_status
create_user(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_exchange_set_status(call->exchange, 201);
    return ax_directory_create_user(call->services->directory, ctx, call->body, ax_call_json(call));
}

static ax_status
disable_user(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str reason;
    AX_TRY(ax_json_need_text(ctx, call->body, "reason", &reason));
    AX_TRY(ax_directory_disable_user(call->services->directory, ctx, call->parameters[0], reason));
    return show_user(call, ctx);
}

static ax_status
list_tokens(struct ax_call *call, struct ax_ctx *ctx)
{
    return ax_token_list(call->services->directory, ctx, call->parameters[0], AX_STR(""),
                         ax_call_json(call));
}

/* By how it begins: whose is this one that was found somewhere? */
static ax_status
find_tokens(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_str prefix;
    AX_TRY(ax_call_query(call, ctx, "prefix", &prefix));
    return ax_token_list(call->services->directory, ctx, AX_STR(""), prefix, ax_call_json(call));
}

static ax_status
issue_token(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_exchange_set_status(call->exchange, 201);
    return ax_token_issue(call->services->directory, ctx, call->parameters[0], call->body,
                          ax_call_json(call));
}

static ax_status
rotate_token(struct ax_call *call, struct ax_ctx *ctx)
{
    ax_exchange_set_status(call->exchange, 201);
    return ax_token_rotate(call->services->directory, ctx, call->parameters[0], call->body,
                           ax_call_json(call));
}

static ax_status
revoke_token(struct ax_call *call, struct ax_ctx *ctx)
{
    AX_TRY(ax_token_revoke(call->services->directory, ctx, call->parameters[0]));
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "revoked", call->parameters[0]);
    ax_json_end_object(json);
    return AX_OK;
}

static const struct ax_route routes[] = {
    {AX_HTTP_GET, "/api/v1/whoami", AX_PERMISSION_KNOWN, AX_ROUTE_LOOP, AX_ROUTE_NO_BODY, 0, whoami,
     "Who the server takes you for"},
    {AX_HTTP_GET, "/api/v1/users", AX_PERMISSION_READ_USERS, AX_ROUTE_WORKER, AX_ROUTE_NO_BODY, 0,
     list_users, "Users, their roles and keys"},
    {AX_HTTP_POST, "/api/v1/users", AX_PERMISSION_MANAGE_USERS, AX_ROUTE_WORKER, AX_ROUTE_JSON, 0,
     create_user, "Makes a user without roles"},
    {AX_HTTP_GET, "/api/v1/users/{user}", AX_PERMISSION_READ_USERS, AX_ROUTE_WORKER,
     AX_ROUTE_NO_BODY, 0, show_user, "One user"},
    {AX_HTTP_POST, "/api/v1/users/{user}/disable", AX_PERMISSION_MANAGE_USERS, AX_ROUTE_WORKER,
     AX_ROUTE_JSON, 0, disable_user, "Disables a user for good"},
    {AX_HTTP_GET, "/api/v1/users/{user}/tokens", AX_PERMISSION_MANAGE_TOKENS, AX_ROUTE_WORKER,
     AX_ROUTE_NO_BODY, 0, list_tokens, "A user's tokens, without their secrets"},
    {AX_HTTP_POST, "/api/v1/users/{user}/tokens", AX_PERMISSION_MANAGE_TOKENS, AX_ROUTE_WORKER,
     AX_ROUTE_JSON, 0, issue_token, "Issues a token, shown once"},
    {AX_HTTP_GET, "/api/v1/tokens", AX_PERMISSION_MANAGE_TOKENS, AX_ROUTE_WORKER, AX_ROUTE_NO_BODY,
     0, find_tokens, "Tokens of everybody, or those that begin with `prefix`"},
    {AX_HTTP_POST, "/api/v1/tokens/{token}/rotate", AX_PERMISSION_MANAGE_TOKENS, AX_ROUTE_WORKER,
     AX_ROUTE_JSON, 0, rotate_token, "Another token in place of one, which goes on for a while"},
    {AX_HTTP_POST, "/api/v1/tokens/{token}/revoke", AX_PERMISSION_MANAGE_TOKENS, AX_ROUTE_WORKER,
     AX_ROUTE_NO_BODY, 0, revoke_token, "Revokes a token"},
};

const struct ax_route_table ax_v1_users_table = {routes, AX_COUNT_OF(routes), true,
                                                 true,   ax_problem_refuse,   AX_DIALECT_AXIOM};
