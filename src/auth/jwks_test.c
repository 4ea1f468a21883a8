#include "auth/jwks.h"

#include "jwt_case.h"

#define ED_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define ED   "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\""

static void
forms(struct ax_ctx *ctx)
{
    static const struct {
        const char *text, *words; /* NULL: taken */
        size_t count;
    } cases[] = {
        {"{\"keys\":[{" ED "}]}", NULL, 1},
        {"{\"keys\":[{" ED "},{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", NULL, 1},
        {"{\"keys\":[{" ED "},{" ED ",\"use\":\"enc\"}]}", NULL, 1},
        {"{\"keys\":[{" ED "},{" ED ",\"key_ops\":[\"sign\"]}]}", NULL, 1},
        {"{\"keys\":[{" ED ",\"use\":\"sig\",\"key_ops\":[\"verify\"],\"alg\":\"EdDSA\"}]}", NULL,
         1},
        {"{\"keys\":[{" ED "},{" ED ",\"alg\":\"HS256\"}]}", NULL, 1},
        {"{\"keys\":[{" ED "},{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AA\",\"y\":\"AA\"}]}", NULL,
         1},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "no key of RSA, P-256 or Ed25519", 0},
        {"{\"keys\":[]}", "no key of RSA", 0},
        {"{}", "`keys` is missing", 0},
        {"[]", "keys", 0},
        {"{\"keys\":[{" ED ",\"d\":\"AAAA\"}]}", "key 0: it shows its private half", 0},
        {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}]}", "32 bytes", 0},
        {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"A=\"}]}", "`x`", 0},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "RSA modulus of 3 bytes",
         0},
        {"{\"keys\":[{\"crv\":\"Ed25519\"}]}", "`kty` is missing", 0},
        {"{\"keys\":[{" ED "}],\"keys\":[]}", "JWK set", 0}, /* twice */
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_auto(ax_jwks_free) struct ax_jwks *keys = NULL;
        ax_status status = ax_jwks_parse(ctx, ax_str_of(cases[i].text), &keys);
        CHECK_EQ(status, cases[i].words ? AX_INVALID : AX_OK);
        if (cases[i].words)
            CHECK(ax_test_said(ctx, cases[i].words));
        else
            CHECK_EQ(ax_jwks_count(keys), cases[i].count);
    }
}

TEST(a_jwk_set_is_read_strictly_and_symmetric_keys_never_count)
{
    ax_test_with_ctx(forms);
}

static void
finding(struct ax_ctx *ctx)
{
    struct jwt_case made;
    struct ax_jwks *keys = NULL;
    const struct ax_public_key *key;
    jwt_case_open(&made);
    CHECK_EQ(ax_jwks_parse(ctx, jwt_case_keys(ctx, &made), &keys), AX_OK);
    const struct {
        const char *name;
        enum ax_public_key_algorithm algorithm;
        const char *words;
    } cases[] = {
        {"rsa", AX_PUBLIC_KEY_RS256, NULL},
        {"rsa", AX_PUBLIC_KEY_PS256, NULL},
        {"ec", AX_PUBLIC_KEY_ES256, NULL},
        {"ed", AX_PUBLIC_KEY_EDDSA, NULL},
        {"", AX_PUBLIC_KEY_ES256, NULL},
        {"rsa", AX_PUBLIC_KEY_ES256, "is none for ES256"},
        {"ec", AX_PUBLIC_KEY_RS256, "none"},
        {"other", AX_PUBLIC_KEY_RS256, "\"other\" is not among"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_status status =
            ax_jwks_find(keys, ctx, ax_str_of(cases[i].name), cases[i].algorithm, &key);
        CHECK_EQ(status, cases[i].words ? AX_NOT_FOUND : AX_OK);
        if (cases[i].words)
            CHECK(ax_test_said(ctx, cases[i].words));
    }
    ax_jwks_free(keys);
    ax_str two = ax_str_printf(ctx->arena, "{\"keys\":[%.*s,%.*s]}",
                               AX_FMT(jwt_case_key(ctx, &made, JWT_RSA, "a")),
                               AX_FMT(jwt_case_key(ctx, &made, JWT_OTHER_RSA, "b")));
    CHECK_EQ(ax_jwks_parse(ctx, two, &keys), AX_OK);
    CHECK_EQ(ax_jwks_find(keys, ctx, AX_STR(""), AX_PUBLIC_KEY_RS256, &key), AX_NOT_FOUND);
    CHECK(ax_test_said(ctx, "names no key, and the issuer has 2"));
    ax_jwks_free(keys);
    jwt_case_done(&made);
}

TEST(a_key_is_found_by_its_name_and_for_its_algorithm)
{
    ax_test_with_ctx(finding);
}

static ax_status
parses(struct ax_ctx *ctx)
{
    ax_auto(ax_jwks_free) struct ax_jwks *keys = NULL;
    return ax_jwks_parse(ctx, AX_STR("{\"keys\":[{" ED ",\"kid\":\"a\"}]}"), &keys);
}

TEST(reading_a_jwk_set_meets_every_fault)
{
    FAULT_SWEEP(parses);
}
