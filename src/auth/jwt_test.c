#include "auth/jwt.h"

#include "jwt_case.h"
#include "sys/clock.h"

#define NOW_S INT64_C(1'800'000'000)
#define SOUND "\"iss\":\"https://id.bank\",\"aud\":\"axiom\",\"sub\":\"alice\",\"exp\":1800000600"
#define RS    "{\"alg\":\"RS256\",\"kid\":\"rsa\"}"
#define ES    "{\"alg\":\"ES256\",\"kid\":\"ec\"}"
#define EDS   "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}"

static const struct ax_jwt_rules rules = {
    .issuer = {"https://id.bank", 15},
    .audience = {"axiom", 5},
    .subject_claim = {"sub", 3},
    .groups_claim = {"groups", 6},
    .algorithms = 1 << AX_PUBLIC_KEY_RS256 | 1 << AX_PUBLIC_KEY_ES256 | 1 << AX_PUBLIC_KEY_EDDSA,
    .skew_ns = INT64_C(30'000'000'000),
};

struct token_row {
    int key;
    const char *header, *claims;
    ax_status want;
    const char *words; /* of the refusal */
};

#define REFUSED AX_UNAUTHENTICATED

static const struct token_row table[] = {
    {JWT_RSA, RS, "{" SOUND "}", AX_OK, ""},
    {JWT_EC, ES, "{" SOUND "}", AX_OK, ""},
    {JWT_ED, EDS, "{" SOUND "}", AX_OK, ""},
    {JWT_RSA, "{\"alg\":\"RS256\"}", "{" SOUND "}", AX_OK, ""}, /* the only one of its kind */
    {JWT_RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"JWT\"}", "{" SOUND "}", AX_OK, ""},
    {JWT_RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"at+JWT\"}", "{" SOUND "}", AX_OK, ""},

    /* ---- the algorithm ---- */
    {JWT_RSA, "{\"alg\":\"none\"}", "{" SOUND "}", REFUSED, "algorithm \"none\" is not accepted"},
    {JWT_RSA, "{\"alg\":\"None\"}", "{" SOUND "}", REFUSED, "is not accepted"},
    {JWT_RSA, "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", "{" SOUND "}", REFUSED, "\"HS256\" is not"},
    {JWT_RSA, "{\"alg\":\"RS512\",\"kid\":\"rsa\"}", "{" SOUND "}", REFUSED, "is not accepted"},
    {JWT_RSA, "{\"alg\":\"PS256\",\"kid\":\"rsa\"}", "{" SOUND "}", REFUSED, "not accepted here"},
    {JWT_RSA, "{\"kid\":\"rsa\"}", "{" SOUND "}", REFUSED, "has no `alg`"},
    {JWT_RSA, "{\"alg\":7,\"kid\":\"rsa\"}", "{" SOUND "}", REFUSED, "has no `alg`"},
    {JWT_RSA, "{\"alg\":\"ES256\",\"kid\":\"rsa\"}", "{" SOUND "}", AX_NOT_FOUND, "none for ES256"},
    {JWT_EC, "{\"alg\":\"RS256\",\"kid\":\"ec\"}", "{" SOUND "}", AX_NOT_FOUND, "none for RS256"},
    {JWT_RSA, "{\"alg\":\"RS256\",\"kid\":\"new\"}", "{" SOUND "}", AX_NOT_FOUND, "not among"},
    {JWT_OTHER_RSA, RS, "{" SOUND "}", REFUSED, "signature does not hold"},

    /* ---- the header ---- */
    {JWT_RSA, "{\"alg\":\"RS256\",\"alg\":\"RS256\"}", "{" SOUND "}", REFUSED, "header"},
    {JWT_RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[\"exp\"]}", "{" SOUND "}", REFUSED,
     "`crit`"},
    {JWT_RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"b64\":false}", "{" SOUND "}", REFUSED, "`b64`"},
    {JWT_RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"secevent+jwt\"}", "{" SOUND "}",
     REFUSED, "`typ` is not JWT"},
    {JWT_RSA, "{\"alg\":\"RS256\",\"kid\":[\"rsa\"]}", "{" SOUND "}", REFUSED, "`kid` is no text"},
    {JWT_RSA, "[]", "{" SOUND "}", REFUSED, "header"},
    {JWT_RSA, "", "{" SOUND "}", REFUSED, "header"},
    /* A key that travels along, or where to fetch one, is not looked at. */
    {JWT_OTHER_RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"jku\":\"http://evil/\"}", "{" SOUND "}",
     REFUSED, "signature does not hold"},

    /* ---- the claims ---- */
    {JWT_RSA, RS, "[]", REFUSED, "claims"},
    {JWT_RSA, RS, "{" SOUND ",\"sub\":\"root\"}", REFUSED, "claims"}, /* twice */
    {JWT_RSA, RS, "{" SOUND "} ", AX_OK, ""},
    {JWT_RSA, RS, "{" SOUND "}x", REFUSED, "claims"},
    {JWT_RSA, RS,
     "{\"iss\":\"https://id.bank/\",\"aud\":\"axiom\",\"sub\":\"a\",\"exp\":1800000600}", REFUSED,
     "another issuer"},
    {JWT_RSA, RS, "{\"aud\":\"axiom\",\"sub\":\"a\",\"exp\":1800000600}", REFUSED,
     "another issuer"},
    {JWT_RSA, RS, "{\"iss\":\"https://id.bank\",\"sub\":\"a\",\"exp\":1800000600}", REFUSED,
     "another audience"},
    {JWT_RSA, RS,
     "{\"iss\":\"https://id.bank\",\"aud\":[\"x\",\"y\"],\"sub\":\"a\",\"exp\":1800000600}",
     REFUSED, "another audience"},
    {JWT_RSA, RS,
     "{\"iss\":\"https://id.bank\",\"aud\":[\"x\",\"axiom\"],\"sub\":\"a\",\"exp\":1800000600}",
     AX_OK, ""},
    {JWT_RSA, RS, "{\"iss\":\"https://id.bank\",\"aud\":{\"axiom\":1},\"sub\":\"a\",\"exp\":1}",
     REFUSED, "another audience"},
    {JWT_RSA, RS, "{\"iss\":\"https://id.bank\",\"aud\":\"axiom\",\"sub\":\"a\"}", REFUSED,
     "would never expire"},
    {JWT_RSA, RS,
     "{\"iss\":\"https://id.bank\",\"aud\":\"axiom\",\"sub\":\"a\",\"exp\":\"1800000600\"}",
     REFUSED, "`exp` is no time"},
    {JWT_RSA, RS, "{\"iss\":\"https://id.bank\",\"aud\":\"axiom\",\"sub\":\"a\",\"exp\":-1}",
     REFUSED, "`exp` is no time"},
    {JWT_RSA, RS, "{\"iss\":\"https://id.bank\",\"aud\":\"axiom\",\"sub\":\"a\",\"exp\":1e300}",
     AX_OK, ""},
    {JWT_RSA, RS,
     "{\"iss\":\"https://id.bank\",\"aud\":\"axiom\",\"sub\":\"a\",\"exp\":1799999970}", REFUSED,
     "has expired"}, /* to the second, skew included */
    {JWT_RSA, RS,
     "{\"iss\":\"https://id.bank\",\"aud\":\"axiom\",\"sub\":\"a\",\"exp\":1799999970.5}", AX_OK,
     ""},
    {JWT_RSA, RS, "{" SOUND ",\"nbf\":1800000030}", AX_OK, ""},
    {JWT_RSA, RS, "{" SOUND ",\"nbf\":1800000031}", REFUSED, "not valid yet"},
    {JWT_RSA, RS, "{" SOUND ",\"iat\":1800000031}", REFUSED, "issued in the future"},
    {JWT_RSA, RS, "{\"iss\":\"https://id.bank\",\"aud\":\"axiom\",\"exp\":1800000600}", REFUSED,
     "`sub` is no name"},
    {JWT_RSA, RS,
     "{\"iss\":\"https://id.bank\",\"aud\":\"axiom\",\"sub\":\"a b\",\"exp\":1800000600}", REFUSED,
     "`sub` is no name"},
    {JWT_RSA, RS, "{\"iss\":\"https://id.bank\",\"aud\":\"axiom\",\"sub\":\"\",\"exp\":1800000600}",
     REFUSED, "`sub` is no name"},
};

static void
judged(struct ax_ctx *ctx)
{
    struct jwt_case made;
    struct ax_jwks *keys = NULL;
    jwt_case_open(&made);
    CHECK_EQ(ax_jwks_parse(ctx, jwt_case_keys(ctx, &made), &keys), AX_OK);
    ax_clock_fake(1, NOW_S * INT64_C(1'000'000'000));
    for (size_t i = 0; i < AX_COUNT_OF(table); i++) {
        struct ax_jwt jwt = {};
        const struct token_row *row = &table[i];
        ax_str token = jwt_case_token(ctx, &made, row->key, row->header, row->claims);
        ax_status status = ax_jwt_verify(ctx, &rules, keys, token, &jwt);
        if (status != row->want || (status != AX_OK && !ax_test_said(ctx, row->words)))
            ax_test_failed(__FILE__, __LINE__, "row %zu %s %s: %s, %s", i, row->header, row->claims,
                           ax_status_name(status), ctx->error);
    }
    ax_clock_fake(0, 0);
    ax_jwks_free(keys);
    jwt_case_done(&made);
}

TEST(r84_a_token_of_an_issuer_is_judged_by_its_header_signature_and_claims)
{
    ax_test_with_ctx(judged);
}

/* A modulus as the secret of an HMAC, and texts that are not quite a token. */
static void
confused(struct ax_ctx *ctx)
{
    struct jwt_case made;
    struct ax_jwks *keys = NULL;
    struct ax_jwt jwt;
    jwt_case_open(&made);
    CHECK_EQ(ax_jwks_parse(ctx, jwt_case_keys(ctx, &made), &keys), AX_OK);
    ax_clock_fake(1, NOW_S * INT64_C(1'000'000'000));
    ax_str good = jwt_case_token(ctx, &made, JWT_RSA, RS, "{" SOUND "}");
    size_t last = good.len;
    while (good.at[last - 1] != '.')
        last--;
    ax_str front = {good.at, last - 1}, signature = ax_str_from(good, last);
    ax_str secret = jwt_case_number(ctx, made.keys[JWT_RSA], OSSL_PKEY_PARAM_RSA_N, 0);
    ax_str hmac_front =
        ax_str_printf(ctx->arena, "%.*s.%.*s",
                      AX_FMT(jwt_case_text(ctx, AX_STR("{\"alg\":\"HS256\",\"kid\":\"rsa\"}"))),
                      AX_FMT(jwt_case_text(ctx, AX_STR("{" SOUND "}"))));
    ax_digest mac = ax_hmac_sha256(secret, hmac_front);
    ax_str mac_text = jwt_case_text(ctx, (ax_str){(const char *)mac.bytes, sizeof mac.bytes});
    const ax_str tokens[] = {
        ax_str_printf(ctx->arena, "%.*s.%.*s", AX_FMT(hmac_front), AX_FMT(mac_text)),
        ax_str_printf(ctx->arena, "%.*s.", AX_FMT(front)),
        front,
        ax_str_printf(ctx->arena, "%.*s.%.*s=", AX_FMT(front), AX_FMT(signature)),
        ax_str_printf(ctx->arena, "%.*s.%.*s.x", AX_FMT(front), AX_FMT(signature)),
        ax_str_printf(ctx->arena, "%.*s.%.*s ", AX_FMT(front), AX_FMT(signature)),
        ax_str_printf(ctx->arena, "%.*s.%.*sA", AX_FMT(front), AX_FMT(signature)),
        AX_STR(".."),
        AX_STR(""),
        ax_str_printf(ctx->arena, "%.*s.%0*d", AX_FMT(front), AX_JWT_BYTES_MAX, 0),
    };
    CHECK_EQ(ax_jwt_verify(ctx, &rules, keys, good, &jwt), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(tokens); i++)
        if (ax_jwt_verify(ctx, &rules, keys, tokens[i], &jwt) != AX_UNAUTHENTICATED)
            ax_test_failed(__FILE__, __LINE__, "token %zu was taken", i);
    ax_clock_fake(0, 0);
    ax_jwks_free(keys);
    jwt_case_done(&made);
}

TEST(r84_a_public_key_is_no_secret_and_a_token_has_one_form)
{
    ax_test_with_ctx(confused);
}

static void
groups(struct ax_ctx *ctx)
{
    static const struct {
        const char *claim, *want;
    } cases[] = {
        {"[\"a\",\"b c\",7,\"d\"]", "a|b c|d|"},
        {"\"a  b c \"", "a|b|c|"},
        {"[]", ""},
        {"7", ""},
        {"null", ""},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_jwt jwt = {};
        ax_str name;
        size_t place = 0;
        ax_writer_auto struct ax_writer out = ax_writer_of(100);
        CHECK_EQ(ax_json_parse(ctx, ax_str_of(cases[i].claim), NULL, &jwt.groups), AX_OK);
        while (ax_jwt_group(&jwt, &place, &name))
            ax_writer_print(&out, "%.*s|", AX_FMT(name));
        CHECK_STR(ax_writer_str(&out), cases[i].want);
    }
}

TEST(groups_are_an_array_of_texts_or_words_in_one)
{
    ax_test_with_ctx(groups);
}
