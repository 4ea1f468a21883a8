/*
 * Who somebody is by what they came with: an API token, a token of an issuer that is trusted, a
 * password, or a client certificate. One question, whatever the protocol.
 *
 * What a header says counts before the certificate; a header that is wrong is not made good by one.
 * Certificates and issuers' tokens speak of users only through identities that were approved
 * (directory.h); a token of an issuer whose subject is no user's is a service's, with the roles of
 * its groups: so nobody may sign for a change who has no key enrolled here. Failures are counted by
 * network. On loops, never blocks; a password that is not remembered is left to be verified.
 */
#pragma once

#include "auth/jwt_issuer.h"
#include "auth/passwords.h"

struct ax_session_identity;

struct ax_credential_services {
    struct ax_directory *directory;
    struct ax_jwt_issuer *issuer;   /* NULL: none is trusted */
    struct ax_passwords *passwords; /* NULL: none are taken */
};

struct ax_credential {
    ax_str authorization;                          /* the header; "" when absent */
    uint64_t network;                              /* ax_exchange_network: where they came from */
    const struct ax_session_identity *certificate; /* one that is vouched for; or NULL */
    bool basic; /* "Basic" counts too: a name with a token or password */
    /* Out: the name and the password, in ctx->arena, are still to be verified. */
    bool unverified;
    bool lately; /* it was verified some hours ago, and nothing has changed */
    ax_str name, password;
};

/*
 * out_actor: its texts in ctx->arena.
 * Fails: UNAUTHENTICATED, in words that do not tell a wrong secret from one that was taken back;
 * LIMIT after too many of those; UNAVAILABLE when nobody is known because the store is away.
 */
ax_status ax_credential_authenticate(const struct ax_credential_services *services,
                                     struct ax_ctx *ctx, struct ax_credential *credential,
                                     struct ax_actor *out_actor);

/* Of an unverified one. Slow: never on a loop. Fails: as authenticate. */
ax_status ax_credential_verify(const struct ax_credential_services *services, struct ax_ctx *ctx,
                               const struct ax_credential *credential);
