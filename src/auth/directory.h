/*
 * Who there is: people and services, their roles, line of defence, manager and enrolled keys.
 *
 * The rows are the store's; what requests ask is an immutable picture of them in memory, made anew
 * after every change and swapped whole, so that a look-up neither locks nor waits, and goes on when
 * the store is away. A copy on disk carries it over a restart without the store. Gates that decide
 * about a change read the rows themselves, in the transaction of the change.
 *
 * Roles and keys change only through proposals (mlops/change_control), which calls the apply
 * functions here, notes the fact and calls ax_directory_reload after its commit. Making and
 * disabling users is done here, fact included. Any thread; what writes is for workers.
 */
#pragma once

#include "auth/signing.h"
#include "codec/json.h"

struct ax_directory;
struct ax_store;
struct ax_store_tx;

struct ax_directory_key {
    ax_str id; /* ax_signing_key_id */
    uint8_t public_key[AX_PUBLIC_KEY_BYTES];
    int64_t valid_from_ns;
    int64_t valid_until_ns;
    int64_t revoked_ns; /* 0: not revoked */
};

struct ax_directory_user {
    ax_str id;
    ax_str name; /* for people to read */
    enum ax_actor_kind kind;
    uint32_t roles;
    int line;       /* of defence: 1, 2, 3; 0 for services */
    ax_str manager; /* "" when nobody */
    bool disabled;
    int64_t created_ns;
    const struct ax_directory_key *keys;
    size_t key_count;
    bool limited; /* to the models and deployments of grants */
    const struct ax_grant *grants;
    size_t grant_count;
    const ax_str *identities; /* what their certificates and tokens of issuers call them */
    size_t identity_count;
};

enum { AX_DIRECTORY_GRANTS_MAX = 256, AX_DIRECTORY_IDENTITIES_MAX = 16 };

/*
 * store: kept; NULL while it is away: the copy at cache_path serves then, and when there is none
 * (or it is damaged) nobody is known and who asks is told UNAVAILABLE.
 * Fails: LIMIT; as the store.
 */
ax_status ax_directory_open(struct ax_ctx *ctx, struct ax_store *store, ax_str cache_path,
                            struct ax_directory **out_directory);

/* After the threads that asked it have ended, or will ask no more. */
void ax_directory_close(struct ax_directory *directory);
AX_DEFINE_AUTO(struct ax_directory, ax_directory_close);

/*
 * Makes the picture anew from the store. Call after the commit of a change.
 * Fails: as the store, LIMIT: the last picture goes on, and ax_directory_upkeep tries again.
 */
ax_status ax_directory_reload(struct ax_directory *directory, struct ax_ctx *ctx);

/* The same behind a change that stands whatever becomes of the picture. */
void ax_directory_settle(struct ax_directory *directory, struct ax_ctx *ctx);

/*
 * A job, every second or so: what a reload or its copy on disk could not do is done now, and when
 * tokens were used is written down.
 */
ax_status ax_directory_upkeep(struct ax_directory *directory, struct ax_ctx *ctx);

/* For readiness. Fails: UNAVAILABLE while picture or copy are older than the store; says why. */
ax_status ax_directory_check(struct ax_directory *directory, struct ax_ctx *ctx);

/* ---- asking ---- */

/* From the picture, in ctx->arena. Never blocks. Fails: NOT_FOUND, LIMIT, UNAVAILABLE. */
ax_status ax_directory_find(struct ax_directory *directory, struct ax_ctx *ctx, ax_str id,
                            struct ax_directory_user *out_user);

/* {"users":[..]} and one user of it, from the picture: roles in words, keys, no tokens. */
ax_status ax_directory_list(struct ax_directory *directory, struct ax_ctx *ctx,
                            struct ax_json_writer *out);
ax_status ax_directory_show(struct ax_directory *directory, struct ax_ctx *ctx, ax_str id,
                            struct ax_json_writer *out);

/* ---- for gates: in the transaction of the change ---- */

/* Fails: NOT_FOUND. */
ax_status ax_directory_read_user(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id,
                                 struct ax_directory_user *out_user);

/* The user as it stands, as JSON: what a proposal of kind role or key is about. */
ax_status ax_directory_write_user(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id,
                                  struct ax_json_writer *out);

/*
 * Whether two people are independent: not the same person, and neither reports to the other over
 * any number of steps (R20). Fails: DENIED, says who reports to whom; NOT_FOUND.
 */
ax_status ax_directory_check_independent(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str one,
                                         ax_str other);

/*
 * Enabled people with a role, apart from `except` ("" for nobody).
 * out_counts: all of them, and those with a key that is valid now (see the places below).
 */
ax_status ax_directory_holders(struct ax_store_tx *tx, struct ax_ctx *ctx, enum ax_role role,
                               ax_str except, int64_t out_counts[2]);
enum { AX_DIRECTORY_ALL = 0, AX_DIRECTORY_KEYED = 1 }; /* places in out_counts */

struct ax_directory_signed {
    ax_str user;
    ax_str key_id;
    ax_str signature; /* 64 bytes */
    ax_str message;   /* ax_signing_approval_bytes */
};

/*
 * Whether the message was signed by this person: a person, enabled, with this key enrolled, valid
 * now and not revoked (R45). Fails: DENIED, says which.
 */
ax_status ax_directory_check_signature(struct ax_store_tx *tx, struct ax_ctx *ctx,
                                       const struct ax_directory_signed *what);

/* ---- changes by proposal: the caller notes the fact, commits and reloads ---- */

/*
 * change: {"grant":[..],"revoke":[..],"line":n,"manager":"..","models":{"credit*":"USE",..},
 * "identities":["uri:spiffe://bank/scorer",..]}, each may be absent. check says whether it could
 * take effect and changes nothing.
 *
 * models: the only models and deployments the user may touch, and how far; {} for none, null for
 * all that the roles allow. identities: what else they are known by, whole: "uri:", "dns:",
 * "email:" and "subject:" of client certificates, "jwt:" of an issuer's tokens.
 * Fails: INVALID (unknown role, member or line, a circle of managers), DENIED (roles that do not go
 * together), NOT_FOUND (user, manager), CONFLICT (user disabled, nothing to change, the last
 * security administrator, an identity of somebody else).
 */
ax_status ax_directory_check_role(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str user,
                                  const struct ax_json *change);
ax_status ax_directory_apply_role(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str user,
                                  const struct ax_json *change);

/*
 * change: {"enroll":"<public key>","proof":"<signature>","valid_days":n} as ax_keystore_enrolment
 * makes it (proof: by that key, over ax_signing_enrolment_bytes), or {"revoke":"<key id>"}.
 * Fails: INVALID, DENIED (the proof does not hold; services have no keys), NOT_FOUND, CONFLICT (key
 * known already, revoked already, user disabled).
 */
ax_status ax_directory_check_key(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str user,
                                 const struct ax_json *change);
ax_status ax_directory_apply_key(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str user,
                                 const struct ax_json *change);

/* ---- changes by a security administrator alone: no power is given ---- */

/*
 * request: {"id","name"?,"kind"?:"person"|"service","line"?,"manager"?}: a user without roles.
 * out: the user. Fails: INVALID, CONFLICT (id taken), NOT_FOUND (manager), as the store.
 */
ax_status ax_directory_create_user(struct ax_directory *directory, struct ax_ctx *ctx,
                                   const struct ax_json *request, struct ax_json_writer *out);

/* Their tokens and keys work no more; there is no way back. Fails: NOT_FOUND, CONFLICT (the last
 * security administrator), as the store and as reload (call it again then). */
ax_status ax_directory_disable_user(struct ax_directory *directory, struct ax_ctx *ctx, ax_str id,
                                    ax_str reason);

/*
 * The first security administrator, with a token that is shown once (in ctx->arena): `axiom init`.
 * Fails: CONFLICT when there is any user; INVALID.
 */
ax_status ax_directory_make_first(struct ax_store *store, struct ax_ctx *ctx, ax_str id,
                                  ax_str *out_token);
