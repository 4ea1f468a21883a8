/*
 * What one user was permitted to do with one thing of tracking: an experiment, a registered model.
 *
 * They lie in the store and are asked there, in the worker that is about to use it: there are as
 * many as there are things. Roles are above them: they bound what a permission gives to whoever has
 * one, and without any role only what was permitted counts. Where nothing was, the default does.
 * Workers only.
 */
#pragma once

#include "auth/directory.h"

struct ax_permissions;

/* directory: kept; default_level: in words. Fails: INVALID, LIMIT. */
ax_status ax_permissions_open(struct ax_ctx *ctx, struct ax_directory *directory,
                              ax_str default_level, struct ax_permissions **out_permissions);
void ax_permissions_close(struct ax_permissions *permissions);
AX_DEFINE_AUTO(struct ax_permissions, ax_permissions_close);

struct ax_permissions_key {
    const char *kind; /* "experiment", "registered_model" */
    ax_str resource;  /* its id or name */
    ax_str user;
};

/* What holds: what was permitted, or the default for somebody with a role; NONE without. */
ax_status ax_permissions_level(struct ax_permissions *permissions, struct ax_ctx *ctx,
                               const struct ax_permissions_key *key, bool has_role,
                               enum ax_grant_level *out_level);

/* Fails: NOT_FOUND when nothing was permitted. */
ax_status ax_permissions_find(struct ax_permissions *permissions, struct ax_ctx *ctx,
                              const struct ax_permissions_key *key, enum ax_grant_level *out_level);

enum ax_permissions_change { AX_PERMISSIONS_CREATE, AX_PERMISSIONS_UPDATE, AX_PERMISSIONS_PUT };

/*
 * With its fact. Fails: NOT_FOUND (no such user; UPDATE: nothing was permitted), CONFLICT (CREATE:
 * something was), INVALID, as the store.
 */
ax_status ax_permissions_set(struct ax_permissions *permissions, struct ax_ctx *ctx,
                             const struct ax_permissions_key *key, enum ax_grant_level level,
                             enum ax_permissions_change change);

/* Fails: NOT_FOUND when nothing was permitted. */
ax_status ax_permissions_delete(struct ax_permissions *permissions, struct ax_ctx *ctx,
                                const struct ax_permissions_key *key);

/* All of one thing: after it got another name, or was deleted (to: ""). */
ax_status ax_permissions_move(struct ax_permissions *permissions, struct ax_ctx *ctx,
                              const char *kind, ax_str from, ax_str to);

/* What one user was permitted of one kind, at one time: for lists. */
struct ax_permissions_view {
    enum ax_grant_level otherwise; /* of what is not in the map */
    struct ax_map *levels;         /* by resource; of const enum ax_grant_level */
};
ax_status ax_permissions_view(struct ax_permissions *permissions, struct ax_ctx *ctx,
                              const char *kind, ax_str user, bool has_role,
                              struct ax_permissions_view *out_view);
enum ax_grant_level ax_permissions_seen(const struct ax_permissions_view *view, ax_str resource);

/* [{"<id_name>":resource,"user_id":user,"permission":"EDIT"}..]: an array's items. */
ax_status ax_permissions_show(struct ax_permissions *permissions, struct ax_ctx *ctx,
                              const char *kind, ax_str user, const char *id_name,
                              struct ax_json_writer *out);
