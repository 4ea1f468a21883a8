/*
 * Who may do what: one table of permissions and the roles that have each (governance.md R83).
 *
 * Deny by default: an actor may what one of their roles may, and nothing else. Rules about one
 * object (who developed this version may not approve it) are governance's; rules about one person
 * (an administrator never approves) are here, where roles are granted.
 */
#pragma once

#include "base/ctx.h"

enum ax_permission {                       /* what each says to those without it: policy.c */
                     AX_PERMISSION_PUBLIC, /* nobody needs to say who they are */
                     AX_PERMISSION_KNOWN,  /* any user, without a role too */
                     AX_PERMISSION_PREDICT,
                     AX_PERMISSION_DECIDE,
                     AX_PERMISSION_OUTCOME,
                     AX_PERMISSION_READ_DECISIONS,
                     AX_PERMISSION_PROVE,
                     AX_PERMISSION_REPLAY,
                     AX_PERMISSION_REVIEW,
                     AX_PERMISSION_READ,
                     AX_PERMISSION_DEVELOP,
                     AX_PERMISSION_VALIDATE,
                     AX_PERMISSION_PROPOSE, /* anything at all; the kinds below say what */
                     AX_PERMISSION_PROPOSE_MODEL,
                     AX_PERMISSION_PROPOSE_DEPLOYMENT,
                     AX_PERMISSION_PROPOSE_ACCESS,
                     AX_PERMISSION_PROPOSE_RELEASE,
                     AX_PERMISSION_PROPOSE_ERASURE,
                     AX_PERMISSION_SIGN,
                     AX_PERMISSION_ROLLBACK,
                     AX_PERMISSION_KILL,
                     AX_PERMISSION_OPERATE,
                     AX_PERMISSION_AUDIT,
                     AX_PERMISSION_READ_USERS,
                     AX_PERMISSION_MANAGE_USERS,
                     AX_PERMISSION_MANAGE_TOKENS,
                     AX_PERMISSION_READ_PROTECTED,
                     AX_PERMISSION_COUNT
};

/*
 * Whether the actor may. Fails: UNAUTHENTICATED when actor is NULL and the permission is not
 * PUBLIC; DENIED: "dana (developer) may not validate a model: that takes validator".
 */
ax_status ax_policy_check(struct ax_ctx *ctx, const struct ax_actor *actor,
                          enum ax_permission permission);

/*
 * Whether the actor may do so much with the model or deployment of that name: everybody whom the
 * directory does not limit to some; those, what their grants say. A look-up in what the actor came
 * with: it neither locks nor waits. actor: NULL where nobody was asked for.
 * Fails: DENIED: "sam may not use model \"credit\": limited to fraud*".
 */
ax_status ax_policy_check_model(struct ax_ctx *ctx, const struct ax_actor *actor, ax_str model,
                                enum ax_grant_level level);
bool ax_policy_may_model(const struct ax_actor *actor, ax_str model, enum ax_grant_level level);

/* What of a model a permission is about: PREDICT takes USE, KILL takes MANAGE. */
enum ax_grant_level ax_policy_level(enum ax_permission permission);

/* Whether it is one whose every use and refusal is a fact (R86). */
bool ax_policy_privileged(enum ax_permission permission);

/* "the verb that they may not": as in refusals. */
const char *ax_policy_words(enum ax_permission permission);

/* "READ", "USE", "EDIT", "MANAGE", and "NO_PERMISSIONS". */
const char *ax_policy_level_name(enum ax_grant_level level);
[[nodiscard]] bool ax_policy_level_parse(ax_str word, enum ax_grant_level *out_level);

/*
 * Whether one user may hold these roles together: an administrator or auditor holds no other, who
 * opens a breaker's lock does not hold both its keys, a service holds none that judges (R20, R26,
 * R44, R70, R79). Fails: DENIED, naming the two.
 */
ax_status ax_policy_check_roles(struct ax_ctx *ctx, enum ax_actor_kind kind, uint32_t roles);

/* "risk_officer"; a role below AX_ROLE_COUNT. */
const char *ax_policy_role_name(enum ax_role role);
[[nodiscard]] bool ax_policy_role_parse(ax_str word, enum ax_role *out_role);
