/*
 * The picture of the directory that requests ask: users, keys and tokens, made once, never changed.
 *
 * Everything lies in one arena; users, key ids and token hashes are found by hash. It comes from
 * the store (here) or from the copy on disk (directory_cache.h).
 */
#pragma once

#include "auth/directory.h"
#include "base/array.h"
#include "store/store.h"

struct ax_map;

struct ax_directory_token {
    ax_str id;
    ax_str user_id;
    ax_digest hash;
    int64_t expires_ns;
    const struct ax_directory_user *user;
};

/* One grant or identity, and whose. */
struct ax_directory_grant {
    ax_str user_id;
    struct ax_grant grant;
};

struct ax_directory_identity {
    ax_str user_id;
    ax_str identity;
    const struct ax_directory_user *user;
};

struct ax_directory_state {
    struct ax_arena *arena;
    struct {
        AX_ARRAY(struct ax_directory_user)
    } users;
    struct {
        AX_ARRAY(struct ax_directory_key)
    } keys;
    struct {
        AX_ARRAY(ax_str) /* of keys, by index: whose it is */
    } key_users;
    struct {
        AX_ARRAY(struct ax_directory_token) /* those that are not revoked */
    } tokens;
    struct {
        AX_ARRAY(struct ax_directory_grant) /* those of one user side by side */
    } grants;
    struct {
        AX_ARRAY(struct ax_directory_identity) /* likewise */
    } identities;
    struct ax_map *by_id;
    struct ax_map *by_identity; /* struct ax_directory_identity */
    uint32_t *slots;            /* by hash: index of a token + 1, or 0 */
    size_t slot_count;
};

/* Empty, to be filled and then indexed. NULL when memory is short. */
struct ax_directory_state *ax_directory_state_new(void);
void ax_directory_state_free(void *state);

/* Takes the store's rows. out_state: owned. Fails: CORRUPT (says which row), LIMIT, as the store.
 */
ax_status ax_directory_state_read(struct ax_store *store, struct ax_ctx *ctx,
                                  struct ax_directory_state **out_state);

/*
 * After the arrays are filled, what is one user's side by side: joins and indexes them.
 * Fails: CORRUPT when a key or token is nobody's, or an id is there twice; LIMIT.
 */
ax_status ax_directory_state_index(struct ax_directory_state *state, struct ax_ctx *ctx);

/* NULL when there is none. */
const struct ax_directory_user *ax_directory_state_user(const struct ax_directory_state *state,
                                                        ax_str id);
const struct ax_directory_token *ax_directory_state_token(const struct ax_directory_state *state,
                                                          ax_digest hash);

/* Who is known by "uri:spiffe://..." or the like; NULL when nobody. */
const struct ax_directory_user *ax_directory_state_known_as(const struct ax_directory_state *state,
                                                            ax_str identity);

/* Who asks, as the directory has them, for gates and the ledger; texts in ctx->arena. */
ax_status ax_directory_state_actor(struct ax_ctx *ctx, const struct ax_directory_user *user,
                                   struct ax_actor *out_actor);

/* One user's row and key rows, in ctx->arena. Fails: NOT_FOUND, CORRUPT, as the store. */
ax_status ax_directory_state_read_user(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id,
                                       struct ax_directory_user *out_user);

/* A user as JSON for people. */
void ax_directory_state_write_user(const struct ax_directory_user *user,
                                   struct ax_json_writer *out);

/* ---- of the service, for the files beside it ---- */

struct ax_attempts;
struct ax_token_uses;

/* The calling thread's picture, until its next call. Never blocks. Fails: UNAVAILABLE, LIMIT. */
ax_status ax_directory_present(struct ax_directory *directory, struct ax_ctx *ctx,
                               const struct ax_directory_state **out_state);
struct ax_attempts *ax_directory_attempts(struct ax_directory *directory);
struct ax_token_uses *ax_directory_uses(struct ax_directory *directory);

/* Begins a transaction. Fails: UNAVAILABLE when the store is away; as the store. */
ax_status ax_directory_begin(struct ax_directory *directory, struct ax_ctx *ctx,
                             enum ax_store_access access, struct ax_store_tx **out_tx);
