/*
 * MLflow's API of users and their permissions (its "basic-auth" app), over the directory.
 *
 * Users are the directory's: MLflow's administrator is its security administrator, deleting one
 * disables them for good, and whoever is made here has no role until two people grant one. There is
 * no sign-up: nobody makes themselves a user.
 */
#include "api/mlflow_permissions.h"
#include "auth/passwords.h"
#include "auth/permissions.h"

#define USERS  AX_MLFLOW "users/"
#define USERS3 "/api/3.0/mlflow/users/"

/* ---- users ---- */

static bool
is_admin(const struct ax_call *call)
{
    return call->actor.roles & AX_ROLE_BIT(SECURITY_ADMIN);
}

static ax_status
show_permissions(struct ax_call *call, struct ax_ctx *ctx, ax_str user, struct ax_json_writer *json)
{
    struct ax_permissions *permissions = call->services->permissions;
    ax_json_key(json, "experiment_permissions");
    ax_json_begin_array(json);
    AX_TRY(ax_permissions_show(permissions, ctx, "experiment", user, "experiment_id", json));
    ax_json_end_array(json);
    ax_json_key(json, "registered_model_permissions");
    ax_json_begin_array(json);
    AX_TRY(ax_permissions_show(permissions, ctx, "registered_model", user, "name", json));
    ax_json_end_array(json);
    return AX_OK;
}

static void
begin_user(const struct ax_directory_user *user, struct ax_json_writer *json)
{
    ax_json_begin_object(json);
    ax_json_member_text(json, "id", user->id);
    ax_json_member_text(json, "username", user->id);
    ax_json_member_bool(json, "is_admin", user->roles & AX_ROLE_BIT(SECURITY_ADMIN));
}

/* {"user":{..}} */
static ax_status
answer_user(struct ax_call *call, struct ax_ctx *ctx, ax_str id)
{
    struct ax_directory_user user;
    AX_TRY(ax_directory_find(call->services->directory, ctx, id, &user));
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "user");
    begin_user(&user, json);
    AX_TRY(show_permissions(call, ctx, id, json));
    ax_json_end_object(json);
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
make_user(struct ax_call *call, struct ax_ctx *ctx, ax_str name)
{
    const struct ax_json *request;
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 16), shown = ax_writer_of(1 << 16);
    struct ax_json_writer json = ax_json_writer_of(&text), out = ax_json_writer_of(&shown);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "id", name);
    ax_json_end_object(&json);
    AX_TRY(ax_json_parse(ctx, ax_writer_str(&text), NULL, &request));
    return ax_directory_create_user(call->services->directory, ctx, request, &out);
}

static ax_status
create_user(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str name, password;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "username", &name));
    AX_TRY(ax_mlflow_need_text(&request, "password", &password));
    AX_TRY(ax_passwords_check(ctx, password));
    AX_TRY(make_user(call, ctx, name));
    AX_TRY(ax_passwords_set(call->services->passwords, ctx, name, password));
    return answer_user(call, ctx, name);
}

static ax_status
get_user(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str name;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "username", &name));
    if (!ax_str_eq(name, call->actor.id))
        AX_TRY(ax_policy_check(ctx, &call->actor, AX_PERMISSION_READ_USERS));
    return answer_user(call, ctx, name);
}

static ax_status
current_user(struct ax_call *call, struct ax_ctx *ctx)
{
    return answer_user(call, ctx, call->actor.id);
}

static ax_status
list_users(struct ax_call *call, struct ax_ctx *ctx)
{
    const struct ax_json *users;
    ax_str id = AX_STR("");
    ax_writer_auto struct ax_writer text = ax_writer_of(64 << 20);
    struct ax_json_writer all = ax_json_writer_of(&text);
    AX_TRY(ax_directory_list(call->services->directory, ctx, &all));
    AX_TRY(ax_json_parse(ctx, ax_writer_str(&text), NULL, &users));
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(users, "users"));
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, "users");
    ax_json_begin_array(json);
    while (ax_json_next(&it)) {
        struct ax_directory_user user;
        AX_TRY(ax_json_need_text(ctx, it.value, "id", &id));
        AX_TRY(ax_directory_find(call->services->directory, ctx, id, &user));
        if (user.disabled)
            continue;
        begin_user(&user, json);
        ax_json_end_object(json);
    }
    ax_json_end_array(json);
    ax_json_end_object(json);
    return AX_OK;
}

/* One's own with the one before, or anybody's by an administrator. */
static ax_status
check_before(struct ax_call *call, struct ax_ctx *ctx, const struct ax_mlflow_request *request,
             ax_str name)
{
    ax_str before = AX_STR("");
    AX_TRY(ax_mlflow_may_text(request, "current_password", &before));
    if (ax_policy_check(ctx, &call->actor, AX_PERMISSION_MANAGE_USERS) == AX_OK)
        return AX_OK;
    if (!ax_str_eq(name, call->actor.id) || !before.len)
        return ax_fail(ctx, AX_DENIED,
                       "a password is changed by its owner with `current_password`, or by a "
                       "security administrator");
    ax_status status = ax_passwords_verify(call->services->passwords, ctx, name, before);
    return status == AX_UNAUTHENTICATED
               ? ax_fail(ctx, AX_DENIED, "`current_password` is not the password of %.*s",
                         AX_FMT(name))
               : status;
}

static ax_status
update_password(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str name, password;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "username", &name));
    AX_TRY(ax_mlflow_need_text(&request, "password", &password));
    AX_TRY(check_before(call, ctx, &request, name));
    AX_TRY(ax_passwords_set(call->services->passwords, ctx, name, password));
    return ax_mlflow_done(call);
}

static ax_status
update_admin(struct ax_call *, struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_DENIED,
                   "who administers is decided by two people: axiom propose role ... (R83)");
}

static ax_status
delete_user(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    ax_str name;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(ax_mlflow_need_text(&request, "username", &name));
    AX_TRY(ax_directory_disable_user(call->services->directory, ctx, name,
                                     AX_STR("deleted by MLflow's API")));
    ax_passwords_forget(call->services->passwords);
    return ax_mlflow_done(call);
}

/* ---- permissions ---- */

/* What a kind is called in requests and answers. */
struct kind {
    const char *word, *field, *answer;
};

static const struct kind experiment = {"experiment", "experiment_id", "experiment_permission"};
static const struct kind model = {"registered_model", "name", "registered_model_permission"};

/* Who manages the thing, or administers. A default counts for who develops. */
static ax_status
check_manager(struct ax_call *call, struct ax_ctx *ctx, const struct kind *kind, ax_str resource)
{
    const struct ax_permissions_key key = {kind->word, resource, call->actor.id};
    enum ax_grant_level level;
    bool develops = ax_policy_check(ctx, &call->actor, AX_PERMISSION_DEVELOP) == AX_OK;
    if (is_admin(call))
        return AX_OK;
    if (kind == &model)
        AX_TRY(ax_policy_check_model(ctx, &call->actor, resource, AX_GRANT_MANAGE));
    AX_TRY(ax_permissions_level(call->services->permissions, ctx, &key, develops, &level));
    return level == AX_GRANT_MANAGE
               ? AX_OK
               : ax_fail(ctx, AX_DENIED, "Permission denied: %.*s does not manage %s \"%.*s\"",
                         AX_FMT(call->actor.id), kind->word, AX_FMT(resource));
}

static ax_status
need_level(const struct ax_mlflow_request *request, enum ax_grant_level *out_level)
{
    ax_str word;
    AX_TRY(ax_mlflow_need_text(request, "permission", &word));
    if (ax_policy_level_parse(word, out_level))
        return AX_OK;
    return ax_fail(request->ctx, AX_INVALID,
                   "Invalid permission '%.*s'. Valid permissions are: READ, USE, EDIT, MANAGE, "
                   "NO_PERMISSIONS",
                   AX_FMT(ax_experiment_cut(word, 64)));
}

static ax_status
need_key(struct ax_call *call, struct ax_mlflow_request *request, const struct kind *kind,
         struct ax_permissions_key *out_key)
{
    struct ax_ctx *ctx = request->ctx;
    *out_key = (struct ax_permissions_key){.kind = kind->word};
    AX_TRY(ax_mlflow_need_text(request, kind->field, &out_key->resource));
    AX_TRY(ax_mlflow_need_text(request, "username", &out_key->user));
    return check_manager(call, ctx, kind, out_key->resource);
}

static ax_status
answer_permission(struct ax_call *call, const struct kind *kind,
                  const struct ax_permissions_key *key, enum ax_grant_level level)
{
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    ax_json_key(json, kind->answer);
    ax_json_begin_object(json);
    ax_json_member_text(json, kind->field, key->resource);
    ax_json_member_text(json, "user_id", key->user);
    ax_json_member_text(json, "permission", ax_str_of(ax_policy_level_name(level)));
    ax_json_end_object(json);
    ax_json_end_object(json);
    return AX_OK;
}

static ax_status
set(struct ax_call *call, struct ax_ctx *ctx, const struct kind *kind,
    enum ax_permissions_change change)
{
    struct ax_mlflow_request request;
    struct ax_permissions_key key;
    enum ax_grant_level level;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_key(call, &request, kind, &key));
    AX_TRY(need_level(&request, &level));
    AX_TRY(ax_permissions_set(call->services->permissions, ctx, &key, level, change));
    return change == AX_PERMISSIONS_CREATE ? answer_permission(call, kind, &key, level)
                                           : ax_mlflow_done(call);
}

static ax_status
get(struct ax_call *call, struct ax_ctx *ctx, const struct kind *kind)
{
    struct ax_mlflow_request request;
    struct ax_permissions_key key;
    enum ax_grant_level level;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_key(call, &request, kind, &key));
    AX_TRY(ax_permissions_find(call->services->permissions, ctx, &key, &level));
    return answer_permission(call, kind, &key, level);
}

static ax_status
take_back(struct ax_call *call, struct ax_ctx *ctx, const struct kind *kind)
{
    struct ax_mlflow_request request;
    struct ax_permissions_key key;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_key(call, &request, kind, &key));
    AX_TRY(ax_permissions_delete(call->services->permissions, ctx, &key));
    return ax_mlflow_done(call);
}

#define PERMISSION_HANDLERS(kind)                                                                  \
    static ax_status create_##kind(struct ax_call *call, struct ax_ctx *ctx)                       \
    {                                                                                              \
        return set(call, ctx, &kind, AX_PERMISSIONS_CREATE);                                       \
    }                                                                                              \
    static ax_status get_##kind(struct ax_call *call, struct ax_ctx *ctx)                          \
    {                                                                                              \
        return get(call, ctx, &kind);                                                              \
    }                                                                                              \
    static ax_status update_##kind(struct ax_call *call, struct ax_ctx *ctx)                       \
    {                                                                                              \
        return set(call, ctx, &kind, AX_PERMISSIONS_UPDATE);                                       \
    }                                                                                              \
    static ax_status delete_##kind(struct ax_call *call, struct ax_ctx *ctx)                       \
    {                                                                                              \
        return take_back(call, ctx, &kind);                                                        \
    }

PERMISSION_HANDLERS(experiment)
PERMISSION_HANDLERS(model)

/* ---- the same as clients from 3.11 on ask: one family for all kinds ---- */

static ax_status
need_any(struct ax_call *call, struct ax_mlflow_request *request, struct ax_permissions_key *key,
         bool manages)
{
    ax_str type;
    AX_TRY(ax_mlflow_need_text(request, "resource_type", &type));
    bool is_model = ax_str_eq(type, AX_STR("registered_model"));
    if (!is_model && !ax_str_eq(type, AX_STR("experiment")))
        return ax_fail(request->ctx, AX_INVALID,
                       "resource_type '%.*s' is none of experiment and registered_model",
                       AX_FMT(ax_experiment_cut(type, 64)));
    const struct kind *kind = is_model ? &model : &experiment;
    *key = (struct ax_permissions_key){.kind = kind->word};
    AX_TRY(ax_mlflow_need_text(request, "resource_id", &key->resource));
    AX_TRY(ax_mlflow_need_text(request, "username", &key->user));
    return manages ? check_manager(call, request->ctx, kind, key->resource) : AX_OK;
}

static ax_status
grant_any(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_permissions_key key;
    enum ax_grant_level level;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_any(call, &request, &key, true));
    AX_TRY(need_level(&request, &level));
    AX_TRY(ax_permissions_set(call->services->permissions, ctx, &key, level, AX_PERMISSIONS_PUT));
    return ax_mlflow_done(call);
}

static ax_status
revoke_any(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_permissions_key key;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_any(call, &request, &key, true));
    AX_TRY(ax_permissions_delete(call->services->permissions, ctx, &key));
    return ax_mlflow_done(call);
}

/* What holds in effect, for oneself or by who manages the thing. */
static ax_status
get_any(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_mlflow_request request;
    struct ax_permissions_key key;
    struct ax_directory_user user;
    enum ax_grant_level level;
    AX_TRY(ax_mlflow_read(call, ctx, &request));
    AX_TRY(need_any(call, &request, &key, false));
    if (!ax_str_eq(key.user, call->actor.id))
        AX_TRY(need_any(call, &request, &key, true));
    AX_TRY(ax_directory_find(call->services->directory, ctx, key.user, &user));
    AX_TRY(ax_permissions_level(call->services->permissions, ctx, &key, user.roles != 0, &level));
    struct ax_json_writer *json = ax_mlflow_json(call);
    ax_json_begin_object(json);
    ax_json_member_bool(json, "allowed", level >= AX_GRANT_USE);
    ax_json_member_text(json, "permission", ax_str_of(ax_policy_level_name(level)));
    ax_json_end_object(json);
    return AX_OK;
}

#define KNOWN(method, path, fn, summary)                                                           \
    {                                                                                              \
        AX_HTTP_##method, path, AX_PERMISSION_KNOWN, AX_ROUTE_WORKER, AX_MLFLOW_TAKES_##method,    \
            fn, summary                                                                            \
    }
#define ADMIN(method, path, fn, summary)                                                           \
    {                                                                                              \
        AX_HTTP_##method, path, AX_PERMISSION_MANAGE_USERS, AX_ROUTE_WORKER,                       \
            AX_MLFLOW_TAKES_##method, fn, summary                                                  \
    }
#define EXPERIMENT_PATH AX_MLFLOW "experiments/permissions/"
#define MODEL_PATH      AX_MLFLOW "registered-models/permissions/"

static const struct ax_route routes[] = {
    ADMIN(POST, USERS "create", create_user, "MLflow: makes a user with a password"),
    KNOWN(GET, USERS "get", get_user, "MLflow: a user and what they were permitted"),
    KNOWN(GET, USERS "current", current_user, "MLflow: who asks"),
    {AX_HTTP_GET, USERS "list", AX_PERMISSION_READ_USERS, AX_ROUTE_WORKER, AX_MLFLOW_TAKES_GET,
     list_users, "MLflow: users"},
    KNOWN(PATCH, USERS "update-password", update_password, "MLflow: a user's password"),
    ADMIN(PATCH, USERS "update-admin", update_admin, "MLflow: refused, that takes two people"),
    ADMIN(DELETE, USERS "delete", delete_user, "MLflow: disables a user for good"),
    KNOWN(POST, EXPERIMENT_PATH "create", create_experiment, "MLflow: permits something"),
    KNOWN(GET, EXPERIMENT_PATH "get", get_experiment, "MLflow: what was permitted"),
    KNOWN(PATCH, EXPERIMENT_PATH "update", update_experiment, "MLflow: permits another thing"),
    KNOWN(DELETE, EXPERIMENT_PATH "delete", delete_experiment, "MLflow: takes it back"),
    KNOWN(POST, MODEL_PATH "create", create_model, "MLflow: permits something of a model"),
    KNOWN(GET, MODEL_PATH "get", get_model, "MLflow: what was permitted of a model"),
    KNOWN(PATCH, MODEL_PATH "update", update_model, "MLflow: permits another thing of a model"),
    KNOWN(DELETE, MODEL_PATH "delete", delete_model, "MLflow: takes it back"),
    KNOWN(POST, USERS3 "permissions/grant", grant_any, "MLflow: permits something, of any kind"),
    KNOWN(POST, USERS3 "permissions/revoke", revoke_any, "MLflow: takes it back, of any kind"),
    KNOWN(GET, USERS3 "permissions/get", get_any, "MLflow: what a user may, in effect"),
};

const struct ax_route_table ax_mlflow_users_table = {
    .routes = routes,
    .count = AX_COUNT_OF(routes),
    .dialect = AX_DIALECT_MLFLOW,
    .governed = true,
    .tracked = true,
    .stored = true,
    .refuse = ax_mlflow_refuse,
    .guard = ax_mlflow_guard,
};
