#include "auth/credential.h"

#include <arpa/inet.h>

#include "auth/directory_state.h"
#include "auth/token.h"
#include "directory_case.h"
#include "jwt_case.h"
#include "net/admission.h"
#include "net/session.h"
#include "sys/clock.h"

enum { HERE = 1 }; /* the network that most tests come from */

struct credential_case {
    struct directory_case base;
    struct jwt_case jwt;
    struct ax_credential_services services;
    char keys[128];
};

static void
open_case(struct ax_ctx *ctx, struct credential_case *made)
{
    struct ax_jwt_config config;
    directory_case_make(ctx, &made->base);
    CHECK_EQ(ax_directory_open(ctx, made->base.store, ax_str_of(made->base.cache),
                               &made->base.directory),
             AX_OK);
    directory_case_user(ctx, &made->base, "{\"id\":\"scorer\",\"kind\":\"service\"}",
                        "{\"grant\":[\"client\"],\"identities\":[\"uri:spiffe://bank/scorer\","
                        "\"jwt:svc-1\"],\"models\":{\"credit*\":\"USE\"}}");
    directory_case_user(ctx, &made->base, "{\"id\":\"ada\"}",
                        "{\"grant\":[\"approver\"],\"identities\":[\"dns:ada.bank\","
                        "\"email:ada@bank\",\"subject:CN=ada,O=Bank\",\"jwt:ada\"]}");
    directory_case_user(ctx, &made->base, "{\"id\":\"gone\"}",
                        "{\"grant\":[\"developer\"],\"identities\":[\"uri:spiffe://bank/gone\","
                        "\"jwt:gone\"]}");
    CHECK_EQ(ax_directory_disable_user(made->base.directory, ctx, AX_STR("gone"), AX_STR("")),
             AX_OK);
    jwt_case_open(&made->jwt);
    snprintf(made->keys, sizeof made->keys, "%s/keys", made->base.folder);
    CHECK_EQ(ax_file_write_atomic(ctx, ax_str_of(made->keys), jwt_case_keys(ctx, &made->jwt)),
             AX_OK);
    ax_settings_defaults(&ax_jwt_settings, &config);
    config.issuer = AX_STR("me");
    config.keys = ax_str_of(made->keys);
    config.roles = AX_STR("scorers=client dev=developer");
    made->services.directory = made->base.directory;
    CHECK_EQ(ax_jwt_issuer_open(ctx, &config, &made->services.issuer), AX_OK);
    CHECK_EQ(ax_passwords_open(ctx, made->base.directory, &made->services.passwords), AX_OK);
}

static void
close_case(struct ax_ctx *ctx, struct credential_case *made)
{
    ax_passwords_close(made->services.passwords);
    ax_jwt_issuer_close(made->services.issuer);
    jwt_case_done(&made->jwt);
    directory_case_done(ctx, &made->base);
}

static ax_status
ask(struct ax_ctx *ctx, const struct credential_case *made, struct ax_credential credential,
    struct ax_actor *out_actor)
{
    credential.network = HERE;
    *out_actor = (struct ax_actor){};
    return ax_credential_authenticate(&made->services, ctx, &credential, out_actor);
}

/* ---- certificates ---- */

static void
certificates(struct ax_ctx *ctx)
{
    static const struct {
        struct ax_session_identity identity;
        const char *who; /* NULL: refused */
        const char *words;
    } cases[] = {
        {{.uri = "spiffe://bank/scorer", .subject = "CN=whoever"}, "scorer", NULL},
        {{.dns = "ada.bank"}, "ada", NULL},
        {{.email = "ada@bank"}, "ada", NULL},
        {{.subject = "CN=ada,O=Bank"}, "ada", NULL},
        {{.uri = "spiffe://bank/other", .dns = "ada.bank"},
         NULL,
         "nobody here is known as uri:spiffe://bank/other"},
        {{.dns = "mallory", .subject = "CN=ada,O=Bank"}, NULL, "known as dns:mallory"},
        {{.subject = "CN=ada,O=Bank "}, NULL, "known as subject:CN=ada,O=Bank "},
        {{.uri = "spiffe://bank/gone"}, NULL, "nobody here is known as uri:spiffe://bank/gone"},
        {{.email = "spiffe://bank/scorer"}, NULL, "known as email:"},
        {{}, NULL, "nobody here is known as subject:"},
    };
    struct credential_case made = {};
    struct ax_actor actor;
    open_case(ctx, &made);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_session_identity identity = cases[i].identity;
        memset(identity.digest, 7, sizeof identity.digest);
        const struct ax_credential credential = {.authorization = AX_STR(""),
                                                 .certificate = &identity};
        ax_status status = ask(ctx, &made, credential, &actor);
        CHECK_EQ(status, cases[i].who ? AX_OK : AX_UNAUTHENTICATED);
        if (!cases[i].who) {
            CHECK(ax_test_said(ctx, cases[i].words));
            continue;
        }
        CHECK_STR(actor.id, cases[i].who);
        CHECK_STR(actor.authenticated_by, "certificate");
        CHECK_EQ(actor.credential[31], 7);
    }
    close_case(ctx, &made);
}

TEST(r84_a_certificate_is_its_first_name_and_that_one_must_have_been_approved)
{
    ax_test_with_ctx(certificates);
}

/* A header that is wrong is not made good by a certificate. */
static void
both(struct ax_ctx *ctx)
{
    struct credential_case made = {};
    struct ax_actor actor;
    open_case(ctx, &made);
    const struct ax_session_identity identity = {.uri = "spiffe://bank/scorer"};
    ax_str token = directory_case_token(ctx, &made.base, "ada", NULL);
    struct ax_credential credential = {.certificate = &identity};
    credential.authorization = ax_str_printf(ctx->arena, "Bearer %.*s", AX_FMT(token));
    CHECK_EQ(ask(ctx, &made, credential, &actor), AX_OK);
    CHECK_STR(actor.id, "ada");
    credential.authorization = AX_STR("Bearer axm_wrong");
    CHECK_EQ(ask(ctx, &made, credential, &actor), AX_UNAUTHENTICATED);
    credential.authorization = AX_STR("");
    CHECK_EQ(ask(ctx, &made, credential, &actor), AX_OK);
    CHECK(actor.limited && actor.grant_count == 1);
    CHECK_STR(actor.grants[0].pattern, "credit*");
    close_case(ctx, &made);
}

TEST(r84_what_a_header_says_counts_before_the_certificate)
{
    ax_test_with_ctx(both);
}

/* ---- tokens of the issuer ---- */

static ax_status
ask_jwt(struct ax_ctx *ctx, const struct credential_case *made, const char *claims,
        struct ax_actor *actor)
{
    ax_str whole = ax_str_printf(ctx->arena, "{\"iss\":\"me\",\"aud\":\"axiom\",\"exp\":%lld,%s}",
                                 (long long)ax_clock_real_ns() / 1'000'000'000 + 60, claims);
    ax_str token =
        jwt_case_token(ctx, &made->jwt, JWT_ED, "{\"alg\":\"EdDSA\"}", ax_str_c(ctx->arena, whole));
    const struct ax_credential credential = {
        .authorization = ax_str_printf(ctx->arena, "Bearer %.*s", AX_FMT(token))};
    return ask(ctx, made, credential, actor);
}

static void
issued(struct ax_ctx *ctx)
{
    static const struct {
        const char *claims, *who;
        enum ax_actor_kind kind;
        uint32_t roles;
        const char *words;
    } cases[] = {
        {"\"sub\":\"svc-1\"", "scorer", AX_ACTOR_SERVICE, AX_ROLE_BIT(CLIENT), NULL},
        {"\"sub\":\"ada\",\"groups\":[\"dev\"]", "ada", AX_ACTOR_PERSON, AX_ROLE_BIT(APPROVER),
         NULL},
        {"\"sub\":\"bob\",\"groups\":[\"dev\"]", "jwt:bob", AX_ACTOR_SERVICE,
         AX_ROLE_BIT(DEVELOPER), NULL},
        {"\"sub\":\"bob\",\"groups\":\"scorers dev\"", "jwt:bob", AX_ACTOR_SERVICE,
         AX_ROLE_BIT(DEVELOPER) | AX_ROLE_BIT(CLIENT), NULL},
        {"\"sub\":\"bob\"", NULL, AX_ACTOR_SERVICE, 0, "nobody here is known as jwt:bob"},
        {"\"sub\":\"gone\",\"groups\":[\"dev\"]", NULL, AX_ACTOR_SERVICE, 0, "is not valid"},
        {"\"sub\":\"scorer\"", NULL, AX_ACTOR_SERVICE, 0, "known as jwt:scorer"},
    };
    struct credential_case made = {};
    struct ax_actor actor;
    open_case(ctx, &made);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_status status = ask_jwt(ctx, &made, cases[i].claims, &actor);
        CHECK_EQ(status, cases[i].who ? AX_OK : AX_UNAUTHENTICATED);
        if (!cases[i].who) {
            CHECK(ax_test_said(ctx, cases[i].words));
            continue;
        }
        CHECK_STR(actor.id, cases[i].who);
        CHECK_EQ(actor.kind, cases[i].kind);
        CHECK_EQ(actor.roles, cases[i].roles);
        CHECK_STR(actor.authenticated_by, "jwt");
    }
    close_case(ctx, &made);
}

TEST(r45_a_token_of_an_issuer_speaks_of_a_user_only_by_an_approved_identity)
{
    ax_test_with_ctx(issued);
}

/* ---- passwords ---- */

static void
passwords(struct ax_ctx *ctx)
{
    struct credential_case made = {};
    struct ax_actor actor = {};
    open_case(ctx, &made);
    CHECK_EQ(ax_passwords_set(made.services.passwords, ctx, AX_STR("ada"), AX_STR("a password")),
             AX_OK);
    struct ax_credential credential = {
        .authorization = AX_STR("Basic YWRhOmEgcGFzc3dvcmQ="), .network = 2, .basic = true};
    CHECK_EQ(ax_credential_authenticate(&made.services, ctx, &credential, &actor), AX_OK);
    CHECK(credential.unverified);
    CHECK_EQ(ax_credential_verify(&made.services, ctx, &credential), AX_OK);
    credential.unverified = false;
    CHECK_EQ(ax_credential_authenticate(&made.services, ctx, &credential, &actor), AX_OK);
    CHECK(!credential.unverified);
    CHECK_STR(actor.id, "ada");
    CHECK_STR(actor.authenticated_by, "password");
    credential.basic = false; /* where the protocol has no such thing */
    CHECK_EQ(ax_credential_authenticate(&made.services, ctx, &credential, &actor),
             AX_UNAUTHENTICATED);
    credential = (struct ax_credential){
        .authorization = AX_STR("Basic YWRhOndyb25n"), .network = 3, .basic = true};
    CHECK_EQ(ax_credential_authenticate(&made.services, ctx, &credential, &actor), AX_OK);
    CHECK(credential.unverified);
    CHECK_EQ(ax_credential_verify(&made.services, ctx, &credential), AX_UNAUTHENTICATED);
    close_case(ctx, &made);
}

TEST(r84_a_password_is_verified_before_anything_is_done_with_it)
{
    ax_test_with_ctx(passwords);
}

/* Whatever is wrong counts against the network, and nobody else's. */
static void
limited(struct ax_ctx *ctx)
{
    struct credential_case made = {};
    struct ax_actor actor;
    int limits = 0;
    open_case(ctx, &made);
    ax_clock_fake(1'000, ax_clock_real_ns());
    const struct ax_session_identity stranger = {.dns = "mallory"};
    const struct ax_credential wrong[] = {
        {.authorization = AX_STR(""), .certificate = &stranger},
        {.authorization = AX_STR("Bearer a.b.c")},
        {.authorization = AX_STR("Basic !"), .basic = true},
        {.authorization = AX_STR("Basic Z29uZTp4"), .basic = true},
        {.authorization = AX_STR("Bearer nonsense")},
    };
    CHECK_EQ(ask_jwt(ctx, &made, "\"sub\":\"svc-1\"", &actor), AX_OK);
    for (int i = 0; i < 40; i++)
        limits += ask(ctx, &made, wrong[i % (int)AX_COUNT_OF(wrong)], &actor) == AX_LIMIT;
    CHECK_EQ(limits, 20);
    /* What was verified before still holds; no other signature is looked at for a while. */
    CHECK_EQ(ask_jwt(ctx, &made, "\"sub\":\"svc-1\"", &actor), AX_OK);
    CHECK_EQ(ask_jwt(ctx, &made, "\"sub\":\"ada\"", &actor), AX_LIMIT);
    struct ax_credential other = {.authorization = AX_STR("Bearer nonsense"), .network = HERE + 1};
    CHECK_EQ(ax_credential_authenticate(&made.services, ctx, &other, &actor), AX_UNAUTHENTICATED);
    struct ax_credential password = {
        .authorization = AX_STR("Basic YWRhOndyb25n"), .network = HERE, .basic = true};
    CHECK_EQ(ax_credential_authenticate(&made.services, ctx, &password, &actor), AX_LIMIT);
    ax_clock_fake(60'000'000'001'000, ax_clock_real_ns()); /* a thousand minutes of refilling */
    CHECK_EQ(ask_jwt(ctx, &made, "\"sub\":\"ada\"", &actor), AX_OK);
    ax_clock_fake(0, 0);
    close_case(ctx, &made);
}

TEST(r84_failures_of_every_kind_are_limited_by_network)
{
    ax_test_with_ctx(limited);
}

/* Who has a /64 has 2^64 addresses, and no more tries than anybody else. */
static void
many_addresses(struct ax_ctx *ctx)
{
    struct credential_case made = {};
    struct ax_actor actor;
    int limits = 0;
    open_case(ctx, &made);
    ax_clock_fake(1'000, ax_clock_real_ns());
    for (uint8_t i = 0; i < 60; i++) {
        struct sockaddr_in6 address = {.sin6_family = AF_INET6};
        CHECK_EQ(inet_pton(AF_INET6, "2001:db8:0:7::1", &address.sin6_addr), 1);
        address.sin6_addr.s6_addr[15] = i;
        address.sin6_addr.s6_addr[i < 30 ? 8 : 7] = i < 30 ? i : 9; /* then from the next /64 */
        const struct ax_credential wrong = {
            .authorization = AX_STR("Bearer nonsense"),
            .network = ax_admission_key((const struct sockaddr *)&address)};
        struct ax_credential asked = wrong;
        limits += ax_credential_authenticate(&made.services, ctx, &asked, &actor) == AX_LIMIT;
    }
    CHECK_EQ(limits, 10 + 10);
    ax_clock_fake(0, 0);
    close_case(ctx, &made);
}

TEST(r84_a_network_of_many_addresses_has_the_tries_of_one)
{
    ax_test_with_ctx(many_addresses);
}
