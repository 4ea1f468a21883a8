/*
 * API tokens: "axm_" and 64 hex digits, shown once, kept as their SHA-256.
 *
 * A token has 256 random bits, so a plain hash is enough and checking one costs a hash and a
 * look-up in the directory's picture: no lock, no wait, less than a microsecond. Whoever fails too
 * often from one address is answered LIMIT; a good token is never refused for its neighbours.
 * No passwords, no sessions.
 */
#pragma once

#include "auth/directory.h"

enum { AX_TOKEN_BYTES = 4 + 64 };

/*
 * Who the bearer is. authorization: the header, "" when absent; peer: address they came from.
 *
 * out_actor: its texts in ctx->arena. On loops, never blocks.
 * Fails: UNAUTHENTICATED in words that do not tell a wrong token from a revoked one or a disabled
 * user; LIMIT after too many of those; UNAVAILABLE when nobody is known because the store is away.
 */
ax_status ax_token_authenticate(struct ax_directory *directory, struct ax_ctx *ctx,
                                ax_str authorization, ax_str peer, struct ax_actor *out_actor);

/*
 * request: {"days"?: 1 to 366, 90 when absent,"name"?}.
 * out: {"id","user","name","token","created","expires"}; the token is nowhere else, ever.
 * Fails: NOT_FOUND, CONFLICT (user disabled), INVALID, as the store.
 */
ax_status ax_token_issue(struct ax_directory *directory, struct ax_ctx *ctx, ax_str user,
                         const struct ax_json *request, struct ax_json_writer *out);

/* Fails: NOT_FOUND; as the store and as ax_directory_reload (call it again then). */
ax_status ax_token_revoke(struct ax_directory *directory, struct ax_ctx *ctx, ax_str id);

/* {"tokens":[{"id","user","name","created","expires","revoked"?}..]}; user: "" for all. */
ax_status ax_token_list(struct ax_directory *directory, struct ax_ctx *ctx, ax_str user,
                        struct ax_json_writer *out);

struct ax_token_issued {
    ax_str id;    /* "t_..." */
    ax_str token; /* both in ctx->arena */
    int64_t created_ns;
    int64_t expires_ns;
};

/* One more token in the caller's transaction, with its fact. */
ax_status ax_token_put(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str user, ax_str name,
                       int64_t days, struct ax_token_issued *out_issued);
