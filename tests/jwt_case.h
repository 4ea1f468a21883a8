/*
 * An issuer of JSON web tokens for tests: keys of each kind made by OpenSSL, their JWKS, and tokens
 * signed over whatever header and claims a test writes, sound or not.
 */
#pragma once

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "codec/text.h"
#include "harness.h"

enum { JWT_RSA, JWT_EC, JWT_ED, JWT_OTHER_RSA, JWT_KEYS };

struct jwt_case {
    EVP_PKEY *keys[JWT_KEYS];
};

static inline void
jwt_case_open(struct jwt_case *made)
{
    made->keys[JWT_RSA] = EVP_RSA_gen(2048);
    made->keys[JWT_EC] = EVP_EC_gen("P-256");
    made->keys[JWT_ED] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    made->keys[JWT_OTHER_RSA] = EVP_RSA_gen(2048);
    for (size_t i = 0; i < JWT_KEYS; i++)
        CHECK(made->keys[i] != NULL);
}

static inline void
jwt_case_done(struct jwt_case *made)
{
    for (size_t i = 0; i < JWT_KEYS; i++)
        EVP_PKEY_free(made->keys[i]);
}

/* base64url without padding, in ctx->arena. */
static inline ax_str
jwt_case_text(struct ax_ctx *ctx, ax_str bytes)
{
    ax_str text = AX_STR("");
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    ax_base64url_encode(bytes, &out);
    CHECK_EQ(ax_writer_take(&out, ctx->arena, &text), AX_OK);
    return text;
}

static inline ax_str
jwt_case_number(struct ax_ctx *ctx, EVP_PKEY *key, const char *name, size_t len)
{
    uint8_t bytes[512];
    BIGNUM *number = NULL;
    CHECK_EQ(EVP_PKEY_get_bn_param(key, name, &number), 1);
    size_t bytes_len = len ? len : (size_t)BN_num_bytes(number);
    CHECK(BN_bn2binpad(number, bytes, (int)bytes_len) == (int)bytes_len);
    BN_free(number);
    return jwt_case_text(ctx, (ax_str){(const char *)bytes, bytes_len});
}

/* One JWK; kid: NULL for none. */
static inline ax_str
jwt_case_key(struct ax_ctx *ctx, const struct jwt_case *made, int which, const char *kid)
{
    EVP_PKEY *key = made->keys[which];
    ax_str named = kid ? ax_str_printf(ctx->arena, "\"kid\":\"%s\",", kid) : AX_STR("");
    if (which == JWT_ED) {
        uint8_t raw[32];
        size_t len = sizeof raw;
        CHECK_EQ(EVP_PKEY_get_raw_public_key(key, raw, &len), 1);
        ax_str x = jwt_case_text(ctx, (ax_str){(const char *)raw, len});
        return ax_str_printf(ctx->arena, "{%.*s\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%.*s\"}",
                             AX_FMT(named), AX_FMT(x));
    }
    if (which == JWT_EC)
        return ax_str_printf(
            ctx->arena, "{%.*s\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%.*s\",\"y\":\"%.*s\"}",
            AX_FMT(named), AX_FMT(jwt_case_number(ctx, key, OSSL_PKEY_PARAM_EC_PUB_X, 32)),
            AX_FMT(jwt_case_number(ctx, key, OSSL_PKEY_PARAM_EC_PUB_Y, 32)));
    return ax_str_printf(ctx->arena, "{%.*s\"kty\":\"RSA\",\"n\":\"%.*s\",\"e\":\"%.*s\"}",
                         AX_FMT(named), AX_FMT(jwt_case_number(ctx, key, OSSL_PKEY_PARAM_RSA_N, 0)),
                         AX_FMT(jwt_case_number(ctx, key, OSSL_PKEY_PARAM_RSA_E, 0)));
}

/* Three keys, named "rsa", "ec" and "ed". */
static inline ax_str
jwt_case_keys(struct ax_ctx *ctx, const struct jwt_case *made)
{
    return ax_str_printf(ctx->arena, "{\"keys\":[%.*s,%.*s,%.*s]}",
                         AX_FMT(jwt_case_key(ctx, made, JWT_RSA, "rsa")),
                         AX_FMT(jwt_case_key(ctx, made, JWT_EC, "ec")),
                         AX_FMT(jwt_case_key(ctx, made, JWT_ED, "ed")));
}

/* DER's two numbers as 64 bytes. */
static inline void
jwt_case_side_by_side(uint8_t *bytes, size_t *len)
{
    const uint8_t *at = bytes;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)*len);
    CHECK(pair != NULL);
    CHECK_EQ(BN_bn2binpad(ECDSA_SIG_get0_r(pair), bytes, 32), 32);
    CHECK_EQ(BN_bn2binpad(ECDSA_SIG_get0_s(pair), bytes + 32, 32), 32);
    *len = 64;
    ECDSA_SIG_free(pair);
}

static inline ax_str
jwt_case_sign(struct ax_ctx *ctx, const struct jwt_case *made, int which, bool pss, ax_str message)
{
    uint8_t bytes[512];
    size_t len = sizeof bytes;
    EVP_PKEY_CTX *options;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    CHECK_EQ(EVP_DigestSignInit_ex(hash, &options, which == JWT_ED ? NULL : "SHA256", NULL, NULL,
                                   made->keys[which], NULL),
             1);
    if (pss) {
        CHECK(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) > 0);
        CHECK(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) > 0);
    }
    CHECK_EQ(EVP_DigestSign(hash, bytes, &len, (const uint8_t *)message.at, message.len), 1);
    EVP_MD_CTX_free(hash);
    if (which == JWT_EC)
        jwt_case_side_by_side(bytes, &len);
    ax_str out = AX_STR("");
    CHECK(ax_str_copy(ctx->arena, (ax_str){(const char *)bytes, len}, &out));
    return out;
}

/* "header.claims.signature" over the texts as they are. */
static inline ax_str
jwt_case_token(struct ax_ctx *ctx, const struct jwt_case *made, int which, const char *header,
               const char *claims)
{
    ax_str front =
        ax_str_printf(ctx->arena, "%.*s.%.*s", AX_FMT(jwt_case_text(ctx, ax_str_of(header))),
                      AX_FMT(jwt_case_text(ctx, ax_str_of(claims))));
    bool pss = ax_str_find(ax_str_of(header), AX_STR("PS256")) != SIZE_MAX;
    ax_str signature = jwt_case_sign(ctx, made, which, pss, front);
    return ax_str_printf(ctx->arena, "%.*s.%.*s", AX_FMT(front),
                         AX_FMT(jwt_case_text(ctx, signature)));
}
