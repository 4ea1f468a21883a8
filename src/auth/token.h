/*
 * API tokens: "axm_" and 64 hex digits, shown once, kept as their SHA-256.
 *
 * A token has 256 random bits, so a plain hash is enough and checking one costs a hash and a
 * look-up in the directory's picture: no lock, no wait, less than a microsecond. Whoever fails too
 * often from one address is answered LIMIT; a good token is never refused for its neighbours.
 * Its first characters are kept, so that one that was found somewhere can be told and revoked.
 * No sessions.
 */
#pragma once

#include "auth/directory.h"

enum { AX_TOKEN_BYTES = 4 + 64, AX_TOKEN_PREFIX_BYTES = 12 };

/* Whether it is of our form: then it is no other kind of bearer's. */
bool ax_token_is(ax_str bearer);

/*
 * Who the bearer is. authorization: the header, "" when absent; network: where they came from.
 *
 * out_actor: its texts in ctx->arena. On loops, never blocks.
 * Fails: UNAUTHENTICATED in words that do not tell a wrong token from a revoked one or a disabled
 * user; LIMIT after too many of those; UNAVAILABLE when nobody is known because the store is away.
 */
ax_status ax_token_authenticate(struct ax_directory *directory, struct ax_ctx *ctx,
                                ax_str authorization, uint64_t network, struct ax_actor *out_actor);

/*
 * request: {"days"?: 1 to 366, 90 when absent,"name"?}.
 * out: {"id","user","name","token","created","expires"}; the token is nowhere else, ever.
 * Fails: NOT_FOUND, CONFLICT (user disabled), INVALID, as the store.
 */
ax_status ax_token_issue(struct ax_directory *directory, struct ax_ctx *ctx, ax_str user,
                         const struct ax_json *request, struct ax_json_writer *out);

/*
 * Another token for the same user under the same name, while the old one goes on for a while.
 * request: {"days"?,"overlap_hours"?: 0 to 720, 24 when absent}. out: as issue, with "replaces" and
 * "old_expires". Fails: NOT_FOUND, CONFLICT (revoked, or the user disabled), INVALID, as the store.
 */
ax_status ax_token_rotate(struct ax_directory *directory, struct ax_ctx *ctx, ax_str id,
                          const struct ax_json *request, struct ax_json_writer *out);

/* Fails: NOT_FOUND; as the store and as ax_directory_reload (call it again then). */
ax_status ax_token_revoke(struct ax_directory *directory, struct ax_ctx *ctx, ax_str id);

/*
 * {"tokens":[{"id","user","name","prefix","created","expires","last_used"?,"revoked"?}..]}; user:
 * "" for all. prefix: "" for all, or how the token begins.
 */
ax_status ax_token_list(struct ax_directory *directory, struct ax_ctx *ctx, ax_str user,
                        ax_str prefix, struct ax_json_writer *out);

struct ax_token_issued {
    ax_str id;    /* "t_..." */
    ax_str token; /* both in ctx->arena */
    int64_t created_ns;
    int64_t expires_ns;
};

/* One more token in the caller's transaction, with its fact. */
ax_status ax_token_put(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str user, ax_str name,
                       int64_t days, struct ax_token_issued *out_issued);
