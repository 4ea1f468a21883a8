#include "auth/permissions.h"

#include "auth/access_fact.h"
#include "auth/directory_state.h"
#include "auth/policy.h"
#include "base/alloc.h"
#include "base/map.h"
#include "store/store.h"

enum { RESOURCE_BYTES_MAX = 1024 };

struct ax_permissions {
    struct ax_directory *directory;
    enum ax_grant_level otherwise;
};

ax_status
ax_permissions_open(struct ax_ctx *ctx, struct ax_directory *directory, ax_str default_level,
                    struct ax_permissions **out_permissions)
{
    enum ax_grant_level level;
    if (!ax_policy_level_parse(default_level, &level))
        return ax_fail(ctx, AX_INVALID,
                       "a permission is NO_PERMISSIONS, READ, USE, EDIT or MANAGE, not \"%.*s\"",
                       AX_FMT(default_level));
    struct ax_permissions *permissions = ax_alloc(sizeof *permissions, 1);
    if (!permissions)
        return ax_fail(ctx, AX_LIMIT, "no memory for permissions");
    *permissions = (struct ax_permissions){directory, level};
    *out_permissions = permissions;
    return AX_OK;
}

void
ax_permissions_close(struct ax_permissions *permissions)
{
    ax_free(permissions);
}

/* ---- asking ---- */

static ax_status
none(struct ax_ctx *ctx, const struct ax_permissions_key *key)
{
    return ax_fail(ctx, AX_NOT_FOUND, "%.*s was permitted nothing about %s \"%.*s\"",
                   AX_FMT(key->user), key->kind, AX_FMT(key->resource));
}

static ax_status
find(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_permissions_key *key,
     enum ax_grant_level *out_level)
{
    int64_t level = -1;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select level from permissions where kind = $1 and "
                                 "resource = $2 and user_id = $3"),
                          AX_STORE_PARAMS(ax_store_text(ax_str_of(key->kind)),
                                          ax_store_text(key->resource), ax_store_text(key->user)),
                          &rows));
    if (ax_store_next(rows))
        level = ax_store_read_i64(rows, 0);
    AX_TRY(ax_store_finish(rows));
    if (level < 0 || level >= AX_GRANT_COUNT)
        return none(ctx, key);
    *out_level = (enum ax_grant_level)level;
    return AX_OK;
}

ax_status
ax_permissions_find(struct ax_permissions *permissions, struct ax_ctx *ctx,
                    const struct ax_permissions_key *key, enum ax_grant_level *out_level)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_directory_begin(permissions->directory, ctx, AX_STORE_READ, &tx));
    return find(tx, ctx, key, out_level);
}

ax_status
ax_permissions_level(struct ax_permissions *permissions, struct ax_ctx *ctx,
                     const struct ax_permissions_key *key, bool has_role,
                     enum ax_grant_level *out_level)
{
    ax_status status = ax_permissions_find(permissions, ctx, key, out_level);
    if (status != AX_NOT_FOUND)
        return status;
    *out_level = has_role ? permissions->otherwise : AX_GRANT_NONE;
    return AX_OK;
}

/* ---- lists ---- */

static ax_status
query(struct ax_store_tx *tx, struct ax_ctx *ctx, const char *kind, ax_str user,
      struct ax_store_rows **out_rows)
{
    return ax_store_query(tx, ctx,
                          AX_STR("select resource, level from permissions where user_id = $1 and "
                                 "kind = $2 order by resource"),
                          AX_STORE_PARAMS(ax_store_text(user), ax_store_text(ax_str_of(kind))),
                          out_rows);
}

static enum ax_grant_level
read_level(struct ax_store_rows *rows)
{
    int64_t level = ax_store_read_i64(rows, 1);
    return level > 0 && level < AX_GRANT_COUNT ? (enum ax_grant_level)level : AX_GRANT_NONE;
}

ax_status
ax_permissions_view(struct ax_permissions *permissions, struct ax_ctx *ctx, const char *kind,
                    ax_str user, bool has_role, struct ax_permissions_view *out_view)
{
    struct ax_store_rows *rows;
    bool whole = true;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    out_view->otherwise = has_role ? permissions->otherwise : AX_GRANT_NONE;
    out_view->levels = ax_map_new(ctx->arena);
    if (!out_view->levels)
        return ax_fail(ctx, AX_LIMIT, "no memory for permissions");
    AX_TRY(ax_directory_begin(permissions->directory, ctx, AX_STORE_READ, &tx));
    AX_TRY(query(tx, ctx, kind, user, &rows));
    while (whole && ax_store_next(rows)) {
        enum ax_grant_level *level = AX_NEW(ctx->arena, enum ax_grant_level);
        ax_str resource = ax_store_read_text(rows, 0);
        whole = level != NULL;
        if (whole)
            *level = read_level(rows);
        whole = whole && ax_map_put(out_view->levels, resource, level);
    }
    AX_TRY(ax_store_finish(rows));
    return whole ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for permissions");
}

enum ax_grant_level
ax_permissions_seen(const struct ax_permissions_view *view, ax_str resource)
{
    const enum ax_grant_level *level = ax_map_find(view->levels, resource);
    return level ? *level : view->otherwise;
}

ax_status
ax_permissions_show(struct ax_permissions *permissions, struct ax_ctx *ctx, const char *kind,
                    ax_str user, const char *id_name, struct ax_json_writer *out)
{
    struct ax_store_rows *rows;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_directory_begin(permissions->directory, ctx, AX_STORE_READ, &tx));
    AX_TRY(query(tx, ctx, kind, user, &rows));
    while (ax_store_next(rows)) {
        ax_json_begin_object(out);
        ax_json_member_text(out, id_name, ax_store_read_text(rows, 0));
        ax_json_member_text(out, "user_id", user);
        ax_json_member_text(out, "permission", ax_str_of(ax_policy_level_name(read_level(rows))));
        ax_json_end_object(out);
    }
    return ax_store_finish(rows);
}

/* ---- changing ---- */

static ax_status
put_fact(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_permissions_key *key,
         ax_str verb)
{
    ax_str resource = {key->resource.at, key->resource.len < 128 ? key->resource.len : 128};
    ax_str object = ax_str_printf(ctx->arena, "%s/%.*s", key->kind, AX_FMT(resource));
    if (!object.at || !verb.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a fact");
    const struct ax_access_fact fact = {
        .kind = AX_EVENT_ROLE, .object = object, .verb = verb, .subject = key->user};
    return ax_access_fact_put(tx, ctx, &fact);
}

static ax_status
check_change(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_permissions_key *key,
             enum ax_permissions_change change)
{
    struct ax_directory_user user;
    enum ax_grant_level before;
    if (key->resource.len == 0 || key->resource.len > RESOURCE_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "a permission is about something of 1 to %d bytes",
                       RESOURCE_BYTES_MAX);
    AX_TRY(ax_directory_read_user(tx, ctx, key->user, &user));
    if (change == AX_PERMISSIONS_PUT)
        return AX_OK;
    ax_status status = find(tx, ctx, key, &before);
    if (change == AX_PERMISSIONS_UPDATE || (status != AX_OK && status != AX_NOT_FOUND))
        return status;
    return status == AX_NOT_FOUND
               ? AX_OK
               : ax_fail(ctx, AX_CONFLICT, "%.*s has %s of %s \"%.*s\" already", AX_FMT(key->user),
                         ax_policy_level_name(before), key->kind, AX_FMT(key->resource));
}

ax_status
ax_permissions_set(struct ax_permissions *permissions, struct ax_ctx *ctx,
                   const struct ax_permissions_key *key, enum ax_grant_level level,
                   enum ax_permissions_change change)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_directory_begin(permissions->directory, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(check_change(tx, ctx, key, change));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("insert into permissions (kind, resource, user_id, level) values ($1, $2, $3, $4) "
               "on conflict (kind, resource, user_id) do update set level = excluded.level"),
        AX_STORE_PARAMS(ax_store_text(ax_str_of(key->kind)), ax_store_text(key->resource),
                        ax_store_text(key->user), ax_store_i64(level)),
        NULL));
    AX_TRY(put_fact(tx, ctx, key,
                    ax_str_printf(ctx->arena, "permitted %s", ax_policy_level_name(level))));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_permissions_delete(struct ax_permissions *permissions, struct ax_ctx *ctx,
                      const struct ax_permissions_key *key)
{
    int64_t deleted = 0;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_directory_begin(permissions->directory, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("delete from permissions where kind = $1 and resource = $2 and user_id = $3"),
        AX_STORE_PARAMS(ax_store_text(ax_str_of(key->kind)), ax_store_text(key->resource),
                        ax_store_text(key->user)),
        &deleted));
    if (!deleted)
        return none(ctx, key);
    AX_TRY(put_fact(tx, ctx, key, AX_STR("permission taken back")));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_permissions_move(struct ax_permissions *permissions, struct ax_ctx *ctx, const char *kind,
                    ax_str from, ax_str to)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_directory_begin(permissions->directory, ctx, AX_STORE_WRITE, &tx));
    if (to.len) /* whoever was permitted something under that name had another thing in mind */
        AX_TRY(ax_store_run(
            tx, ctx, AX_STR("delete from permissions where kind = $1 and resource = $2"),
            AX_STORE_PARAMS(ax_store_text(ax_str_of(kind)), ax_store_text(to)), NULL));
    AX_TRY(ax_store_run(
        tx, ctx,
        to.len ? AX_STR("update permissions set resource = $3 where kind = $1 and resource = $2")
               : AX_STR("delete from permissions where kind = $1 and resource = $2 and $3 = ''"),
        AX_STORE_PARAMS(ax_store_text(ax_str_of(kind)), ax_store_text(from), ax_store_text(to)),
        NULL));
    return ax_store_commit(ax_take(tx), ctx);
}
