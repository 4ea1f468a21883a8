#include "auth/jwt_issuer.h"

#include <stdlib.h>

#include "base/actor.h"
#include "jwt_case.h"
#include "net/loop.h"
#include "sys/clock.h"
#include "sys/file.h"

#define NOW_NS INT64_C(1'800'000'000'000'000'000)
#define S_NS   INT64_C(1'000'000'000)
#define CLAIMS(rest)                                                                               \
    "{\"iss\":\"https://id.bank\",\"aud\":\"axiom\",\"sub\":\"alice\",\"exp\":1800000600" rest "}"
#define RS "{\"alg\":\"RS256\",\"kid\":\"rsa\"}"

struct issuer_case {
    struct jwt_case jwt;
    char path[64];
    struct ax_jwt_config config;
    struct ax_jwt_issuer *issuer;
};

static void
write_keys(struct ax_ctx *ctx, const struct issuer_case *made, ax_str text)
{
    CHECK_EQ(ax_file_write_atomic(ctx, ax_str_of(made->path), text), AX_OK);
}

static void
make(struct ax_ctx *ctx, struct issuer_case *made)
{
    jwt_case_open(&made->jwt);
    char folder[] = "/tmp/axiom-jwks-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    snprintf(made->path, sizeof made->path, "%s/keys", folder);
    ax_settings_defaults(&ax_jwt_settings, &made->config);
    made->config.issuer = AX_STR("https://id.bank");
    made->config.keys = ax_str_of(made->path);
    made->config.roles = AX_STR("scorers=client dev=developer ops=operator");
    write_keys(ctx, made, jwt_case_keys(ctx, &made->jwt));
    ax_clock_fake(1, NOW_NS);
}

static void
done(struct ax_ctx *ctx, struct issuer_case *made)
{
    ax_clock_fake(0, 0);
    ax_jwt_issuer_close(made->issuer);
    jwt_case_done(&made->jwt);
    made->path[strlen(made->path) - 5] = '\0';
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(made->path)), AX_OK);
}

static ax_status
ask(struct ax_ctx *ctx, struct issuer_case *made, int key, const char *header, const char *claims,
    struct ax_jwt_bearer *bearer)
{
    ax_str token = jwt_case_token(ctx, &made->jwt, key, header, claims);
    *bearer = (struct ax_jwt_bearer){};
    return ax_jwt_issuer_verify(made->issuer, ctx, token, bearer);
}

static void
bearers(struct ax_ctx *ctx)
{
    struct issuer_case made = {};
    struct ax_jwt_bearer bearer;
    make(ctx, &made);
    CHECK_EQ(ax_jwt_issuer_open(ctx, &made.config, &made.issuer), AX_OK);
    CHECK_EQ(ax_jwt_issuer_check(made.issuer, ctx), AX_OK);
    CHECK_EQ(ask(ctx, &made, JWT_RSA, RS, CLAIMS(""), &bearer), AX_OK);
    CHECK(strcmp(bearer.subject, "alice") == 0);
    CHECK_EQ(bearer.roles, 0);
    CHECK_EQ(
        ask(ctx, &made, JWT_RSA, RS, CLAIMS(",\"groups\":[\"scorers\",\"x\",\"dev\"]"), &bearer),
        AX_OK);
    CHECK_EQ(bearer.roles, AX_ROLE_BIT(CLIENT) | AX_ROLE_BIT(DEVELOPER));
    CHECK_EQ(ask(ctx, &made, JWT_OTHER_RSA, RS, CLAIMS(""), &bearer), AX_UNAUTHENTICATED);
    done(ctx, &made);
}

TEST(r84_the_groups_of_a_token_give_the_roles_that_are_set)
{
    ax_test_with_ctx(bearers);
}

/* What a token said holds until it expires, and no longer; another text is another token. */
static void
remembered(struct ax_ctx *ctx)
{
    struct issuer_case made = {};
    struct ax_jwt_bearer bearer;
    make(ctx, &made);
    CHECK_EQ(ax_jwt_issuer_open(ctx, &made.config, &made.issuer), AX_OK);
    ax_str token = jwt_case_token(ctx, &made.jwt, JWT_RSA, RS, CLAIMS(""));
    for (int i = 0; i < 3; i++)
        CHECK_EQ(ax_jwt_issuer_verify(made.issuer, ctx, token, &bearer), AX_OK);
    CHECK_EQ(ax_jwt_issuer_verify(made.issuer, ctx, (ax_str){token.at, token.len - 2}, &bearer),
             AX_UNAUTHENTICATED);
    ax_clock_fake(1, NOW_NS + 629 * S_NS);
    CHECK_EQ(ax_jwt_issuer_verify(made.issuer, ctx, token, &bearer), AX_OK);
    ax_clock_fake(1, NOW_NS + 630 * S_NS);
    CHECK_EQ(ax_jwt_issuer_verify(made.issuer, ctx, token, &bearer), AX_UNAUTHENTICATED);
    CHECK(ax_test_said(ctx, "has expired"));
    done(ctx, &made);
}

TEST(r84_what_a_token_said_is_forgotten_when_it_expires)
{
    ax_test_with_ctx(remembered);
}

/* A new key is asked for when somebody shows it, not more often than every ten seconds. */
static void
rotation(struct ax_ctx *ctx)
{
    struct issuer_case made = {};
    struct ax_jwt_bearer bearer;
    make(ctx, &made);
    CHECK_EQ(ax_jwt_issuer_open(ctx, &made.config, &made.issuer), AX_OK);
    static const char fresh[] = "{\"alg\":\"RS256\",\"kid\":\"new\"}";
    CHECK_EQ(ask(ctx, &made, JWT_RSA, RS, CLAIMS(""), &bearer), AX_OK);
    write_keys(ctx, &made,
               ax_str_printf(ctx->arena, "{\"keys\":[%.*s]}",
                             AX_FMT(jwt_case_key(ctx, &made.jwt, JWT_OTHER_RSA, "new"))));
    CHECK_EQ(ask(ctx, &made, JWT_OTHER_RSA, fresh, CLAIMS(""), &bearer), AX_UNAUTHENTICATED);
    CHECK(ax_test_said(ctx, "\"new\" is not among the issuer's"));
    CHECK_EQ(ax_jwt_issuer_upkeep(made.issuer, ctx), AX_OK); /* too soon after the last */
    CHECK_EQ(ask(ctx, &made, JWT_OTHER_RSA, fresh, CLAIMS(""), &bearer), AX_UNAUTHENTICATED);
    ax_clock_fake(1 + 10 * S_NS, NOW_NS);
    CHECK_EQ(ax_jwt_issuer_upkeep(made.issuer, ctx), AX_OK);
    CHECK_EQ(ask(ctx, &made, JWT_OTHER_RSA, fresh, CLAIMS(""), &bearer), AX_OK);
    CHECK_EQ(ask(ctx, &made, JWT_RSA, RS, CLAIMS(""), &bearer), AX_UNAUTHENTICATED);

    /* What cannot be read leaves the last good keys. */
    write_keys(ctx, &made, AX_STR("{}"));
    ax_clock_fake(1 + 400 * S_NS, NOW_NS);
    CHECK_EQ(ax_jwt_issuer_upkeep(made.issuer, ctx), AX_INVALID);
    CHECK(ax_test_said(ctx, "the keys of https://id.bank"));
    CHECK_EQ(ax_jwt_issuer_check(made.issuer, ctx), AX_OK);
    CHECK_EQ(ask(ctx, &made, JWT_OTHER_RSA, fresh, CLAIMS(""), &bearer), AX_OK);
    done(ctx, &made);
}

TEST(r90_keys_are_rotated_when_a_token_shows_a_new_one_and_the_last_good_ones_stay)
{
    ax_test_with_ctx(rotation);
}

static void
settings(struct ax_ctx *ctx)
{
    struct issuer_case made = {};
    make(ctx, &made);
    const struct ax_jwt_config good = made.config;
    const struct {
        size_t field;
        const char *value, *words;
    } cases[] = {
        {offsetof(struct ax_jwt_config, audience), "", "jwt.audience"},
        {offsetof(struct ax_jwt_config, subject_claim), "", "jwt.subject_claim"},
        {offsetof(struct ax_jwt_config, keys), "", "where are the issuer's keys"},
        {offsetof(struct ax_jwt_config, keys), "http://id.bank/keys", "over https"},
        {offsetof(struct ax_jwt_config, keys), "ftp://id.bank/keys", "over https"},
        {offsetof(struct ax_jwt_config, algorithms), "HS256", "\"HS256\" is none of"},
        {offsetof(struct ax_jwt_config, algorithms), " ", "algorithms is empty"},
        {offsetof(struct ax_jwt_config, roles), "a=approver", "takes a person (R44)"},
        {offsetof(struct ax_jwt_config, roles), "a=king", "is no group=role"},
        {offsetof(struct ax_jwt_config, roles), "a", "is no group=role"},
        {offsetof(struct ax_jwt_config, roles), "=client", "is no group=role"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_jwt_config config = good;
        ax_str value = ax_str_of(cases[i].value);
        memcpy((char *)&config + cases[i].field, &value, sizeof value);
        CHECK_EQ(ax_jwt_issuer_open(ctx, &config, &made.issuer), AX_INVALID);
        CHECK(ax_test_said(ctx, cases[i].words));
    }
    struct ax_jwt_config none = good;
    none.issuer = AX_STR("");
    CHECK_EQ(ax_jwt_issuer_open(ctx, &none, &made.issuer), AX_OK);
    CHECK(made.issuer == NULL);
    done(ctx, &made);
}

TEST(an_issuer_is_refused_whose_settings_would_let_anybody_in)
{
    ax_test_with_ctx(settings);
}

/* ---- over the wire ---- */

static struct {
    ax_str text;
    int status;
    int asked;
} served;

static void
serve(void *arg, struct ax_exchange *exchange)
{
    (void)arg;
    served.asked++;
    ax_exchange_set_status(exchange, served.status);
    ax_exchange_header(exchange, AX_STR("cache-control"), AX_STR("public, max-age=600"));
    ax_writer_bytes(ax_exchange_body(exchange), served.text);
    ax_exchange_finish(exchange);
}

static void
fetched(struct ax_ctx *ctx)
{
    struct issuer_case made = {};
    struct ax_loop_config config;
    struct ax_loops *loops = NULL;
    struct ax_jwt_bearer bearer;
    ax_str listen = AX_STR("127.0.0.1:0");
    const struct ax_exchange_service service = {.handler = serve};
    make(ctx, &made);
    ax_clock_fake(0, 0);
    served.text = jwt_case_keys(ctx, &made.jwt);
    served.status = 503;
    ax_settings_defaults(ax_loop_settings(), &config);
    config.loop_count = 1;
    CHECK_EQ(ax_loops_open(ctx, &config, &service, &listen, 1, &loops), AX_OK);
    made.config.keys =
        ax_str_printf(ctx->arena, "http://127.0.0.1:%d/keys", ax_loops_port(loops, 0));
    CHECK_EQ(ax_jwt_issuer_open(ctx, &made.config, &made.issuer), AX_OK);
    CHECK_EQ(ax_jwt_issuer_check(made.issuer, ctx), AX_UNAVAILABLE);
    CHECK_EQ(ask(ctx, &made, JWT_ED, "{\"alg\":\"EdDSA\"}", CLAIMS(""), &bearer), AX_UNAVAILABLE);
    CHECK_EQ(ax_jwt_issuer_upkeep(made.issuer, ctx), AX_UNAVAILABLE);
    CHECK(ax_test_said(ctx, "answers 503"));
    served.status = 200;
    int64_t now_ns = ax_clock_monotonic_ns();
    ax_clock_fake(now_ns + 11 * S_NS, NOW_NS);
    CHECK_EQ(ax_jwt_issuer_upkeep(made.issuer, ctx), AX_OK);
    CHECK_EQ(ask(ctx, &made, JWT_ED, "{\"alg\":\"EdDSA\"}", CLAIMS(""), &bearer), AX_OK);
    CHECK_EQ(served.asked, 2);
    ax_clock_fake(now_ns + 500 * S_NS, NOW_NS); /* the source said 600 s, the settings 300 s */
    CHECK_EQ(ax_jwt_issuer_upkeep(made.issuer, ctx), AX_OK);
    CHECK_EQ(served.asked, 2);
    ax_clock_fake(now_ns + 620 * S_NS, NOW_NS);
    CHECK_EQ(ax_jwt_issuer_upkeep(made.issuer, ctx), AX_OK);
    CHECK_EQ(served.asked, 3);
    ax_clock_fake(0, 0);
    ax_loops_close(loops);
    done(ctx, &made);
}

TEST(keys_come_over_the_wire_and_are_kept_as_long_as_their_source_says)
{
    ax_test_with_ctx(fetched);
}

static struct issuer_case swept;

static ax_status
opens(struct ax_ctx *ctx)
{
    ax_auto(ax_jwt_issuer_close) struct ax_jwt_issuer *issuer = NULL;
    return ax_jwt_issuer_open(ctx, &swept.config, &issuer);
}

static void
sweep(struct ax_ctx *ctx)
{
    make(ctx, &swept);
    FAULT_SWEEP(opens);
    done(ctx, &swept);
}

TEST(opening_an_issuer_meets_every_fault)
{
    ax_test_with_ctx(sweep);
}
