#include "auth/credential.h"

#include "auth/attempts.h"
#include "auth/directory_state.h"
#include "auth/token.h"
#include "codec/text.h"
#include "net/session.h"

enum { IDENTITY_BYTES_MAX = 16 + AX_SESSION_NAME_BYTES };

static ax_status
too_many(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "too many attempts that failed; wait a while");
}

/* One failure more of that network; the words stay, unless there were too many. */
static ax_status
refuse(const struct ax_credential_services *services, struct ax_ctx *ctx,
       const struct ax_credential *credential, ax_status status)
{
    if (status != AX_UNAUTHENTICATED)
        return status;
    if (!ax_attempts_failed(ax_directory_attempts(services->directory), credential->network))
        return too_many(ctx);
    return status;
}

/* What follows the scheme; at is NULL when the header is of another one. */
static ax_str
after_scheme(ax_str authorization, ax_str scheme)
{
    ax_str head = {authorization.at, scheme.len};
    if (authorization.len < scheme.len || !ax_str_eq_ignoring_case(head, scheme))
        return (ax_str){};
    return ax_str_trim(ax_str_from(authorization, scheme.len));
}

/* ---- by identities that were approved ---- */

/* "uri:spiffe://bank/scorer": NULL when there is no such name, or nobody has it. */
static const struct ax_directory_user *
known_as(const struct ax_directory_state *state, const char *kind, ax_str name)
{
    char identity[IDENTITY_BYTES_MAX];
    size_t len = strlen(kind);
    if (name.len == 0 || len + name.len > sizeof identity)
        return NULL;
    memcpy(identity, kind, len);
    memcpy(identity + len, name.at, name.len);
    return ax_directory_state_known_as(state, (ax_str){identity, len + name.len});
}

/*
 * The names in their order; the first that the certificate has decides, so that who may choose
 * their own subject cannot be another's URI's.
 */
static ax_status
by_certificate(const struct ax_credential_services *services, struct ax_ctx *ctx,
               const struct ax_session_identity *certificate, struct ax_actor *out_actor)
{
    const struct ax_directory_state *state;
    const struct {
        const char *kind, *name;
    } names[] = {{"uri:", certificate->uri},
                 {"dns:", certificate->dns},
                 {"email:", certificate->email},
                 {"subject:", certificate->subject}};
    size_t first = 0;
    AX_TRY(ax_directory_present(services->directory, ctx, &state));
    while (first + 1 < AX_COUNT_OF(names) && !names[first].name[0])
        first++;
    const struct ax_directory_user *user =
        known_as(state, names[first].kind, ax_str_of(names[first].name));
    if (!user || user->disabled)
        return ax_fail(ctx, AX_UNAUTHENTICATED,
                       "the certificate is good, and nobody here is known as %s%s",
                       names[first].kind, names[first].name);
    AX_TRY(ax_directory_state_actor(ctx, user, out_actor));
    out_actor->authenticated_by = AX_STR("certificate");
    memcpy(out_actor->credential, certificate->digest, sizeof out_actor->credential);
    return AX_OK;
}

/* A subject that no user is known as: a service with the roles of its groups. */
static ax_status
by_groups(struct ax_ctx *ctx, const struct ax_jwt_bearer *bearer, struct ax_actor *out_actor)
{
    struct ax_actor actor = {
        .kind = AX_ACTOR_SERVICE, .roles = bearer->roles, .manager = AX_STR("")};
    if (!bearer->roles)
        return ax_fail(ctx, AX_UNAUTHENTICATED,
                       "the token is good, and nobody here is known as jwt:%s, nor do its groups "
                       "give a role",
                       bearer->subject);
    actor.id = ax_str_printf(ctx->arena, "jwt:%s", bearer->subject);
    if (!actor.id.at)
        return ax_fail(ctx, AX_LIMIT, "no memory to say who asks");
    *out_actor = actor;
    return AX_OK;
}

/* Whether somebody from there may try once more what costs the server something. */
static ax_status
check_attempts(const struct ax_credential_services *services, struct ax_ctx *ctx, uint64_t network)
{
    bool spent = ax_attempts_spent(ax_directory_attempts(services->directory), network);
    return spent ? too_many(ctx) : AX_OK;
}

/* What a token said before costs a look; a signature costs a hundred, and must not be for nothing.
 */
static ax_status
verify_token(const struct ax_credential_services *services, struct ax_ctx *ctx, ax_str bearer,
             uint64_t network, struct ax_jwt_bearer *out_said)
{
    if (ax_jwt_issuer_recall(services->issuer, bearer, out_said))
        return AX_OK;
    AX_TRY(check_attempts(services, ctx, network));
    return ax_jwt_issuer_verify(services->issuer, ctx, bearer, out_said);
}

static ax_status
by_issuer(const struct ax_credential_services *services, struct ax_ctx *ctx, ax_str bearer,
          uint64_t network, struct ax_actor *out_actor)
{
    const struct ax_directory_state *state;
    struct ax_jwt_bearer said = {};
    AX_TRY(verify_token(services, ctx, bearer, network, &said));
    AX_TRY(ax_directory_present(services->directory, ctx, &state));
    const struct ax_directory_user *user = known_as(state, "jwt:", ax_str_of(said.subject));
    if (user && user->disabled)
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the token is not valid");
    AX_TRY(user ? ax_directory_state_actor(ctx, user, out_actor)
                : by_groups(ctx, &said, out_actor));
    out_actor->authenticated_by = AX_STR("jwt");
    memcpy(out_actor->credential, said.token.bytes, sizeof out_actor->credential);
    return AX_OK;
}

/* ---- by name and password ---- */

/* Somebody who could have that name: verified now, or later. */
static ax_status
by_password(const struct ax_credential_services *services, struct ax_ctx *ctx,
            struct ax_credential *credential, struct ax_actor *out_actor)
{
    const struct ax_directory_state *state;
    AX_TRY(ax_directory_present(services->directory, ctx, &state));
    const struct ax_directory_user *user = ax_directory_state_user(state, credential->name);
    if (!services->passwords || (user && user->disabled))
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the name or the password is not valid");
    bool known = ax_passwords_recall(services->passwords, credential->name, credential->password,
                                     &credential->lately);
    credential->unverified = !user || !known;
    if (credential->unverified)
        AX_TRY(check_attempts(services, ctx, credential->network));
    *out_actor = (struct ax_actor){.id = credential->name, .manager = AX_STR("")};
    if (user)
        AX_TRY(ax_directory_state_actor(ctx, user, out_actor));
    out_actor->authenticated_by = AX_STR("password");
    return AX_OK;
}

static ax_status
by_token(const struct ax_credential_services *services, struct ax_ctx *ctx, ax_str bearer,
         const struct ax_credential *credential, struct ax_actor *out_actor)
{
    ax_str header = ax_str_printf(ctx->arena, "Bearer %.*s", AX_FMT(bearer));
    if (!header.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for credentials");
    return ax_token_authenticate(services->directory, ctx, header, credential->network, out_actor);
}

/* As MLFLOW_TRACKING_USERNAME and _PASSWORD arrive; a token may stand in the password's place. */
static ax_status
by_basic(const struct ax_credential_services *services, struct ax_ctx *ctx, ax_str pair,
         struct ax_credential *credential, struct ax_actor *out_actor)
{
    ax_str rest, name;
    if (ax_base64_decode(ctx, pair, &rest) != AX_OK)
        return refuse(services, ctx, credential,
                      ax_fail(ctx, AX_UNAUTHENTICATED, "the credentials cannot be read"));
    if (!ax_str_cut(&rest, ':', &name) || !rest.at || name.len == 0)
        return refuse(services, ctx, credential,
                      ax_fail(ctx, AX_UNAUTHENTICATED, "a name and a token are expected"));
    credential->name = name;
    credential->password = rest;
    if (!ax_token_is(rest))
        return refuse(services, ctx, credential, by_password(services, ctx, credential, out_actor));
    AX_TRY(by_token(services, ctx, rest, credential, out_actor));
    if (ax_str_eq(name, out_actor->id))
        return AX_OK;
    return refuse(services, ctx, credential,
                  ax_fail(ctx, AX_UNAUTHENTICATED, "the token is not of the user who was named"));
}

/* ---- the question ---- */

ax_status
ax_credential_authenticate(const struct ax_credential_services *services, struct ax_ctx *ctx,
                           struct ax_credential *credential, struct ax_actor *out_actor)
{
    ax_str header = credential->authorization;
    if (header.len == 0 && credential->certificate)
        return refuse(services, ctx, credential,
                      by_certificate(services, ctx, credential->certificate, out_actor));
    ax_str pair = after_scheme(header, AX_STR("Basic "));
    if (credential->basic && pair.at)
        return by_basic(services, ctx, pair, credential, out_actor);
    ax_str bearer = after_scheme(header, AX_STR("Bearer "));
    if (services->issuer && bearer.at && ax_jwt_looks(bearer))
        return refuse(services, ctx, credential,
                      by_issuer(services, ctx, bearer, credential->network, out_actor));
    return ax_token_authenticate(services->directory, ctx, header, credential->network, out_actor);
}

ax_status
ax_credential_verify(const struct ax_credential_services *services, struct ax_ctx *ctx,
                     const struct ax_credential *credential)
{
    bool lately;
    AX_TRY(check_attempts(services, ctx, credential->network));
    if (ax_passwords_recall(services->passwords, credential->name, credential->password, &lately))
        return AX_OK; /* while this one waited */
    return refuse(
        services, ctx, credential,
        ax_passwords_verify(services->passwords, ctx, credential->name, credential->password));
}
