#include "sys/crypto_public_key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/fault.h"

enum { RSA_BYTES_MIN = AX_PUBLIC_KEY_RSA_BITS_MIN / 8, RSA_BYTES_MAX = 1024 };
enum { POINT_BYTES = 1 + 2 * AX_PUBLIC_KEY_COORDINATE_BYTES, EXPONENT_BYTES_MAX = 4 };
enum { ECDSA_BYTES = 2 * AX_PUBLIC_KEY_COORDINATE_BYTES, PSS_SALT_BYTES = 32 };

enum kind { RSA_KEY, P256_KEY, ED25519_KEY };

struct ax_public_key {
    enum kind kind;
    EVP_PKEY *evp;                        /* of RSA and P-256 */
    uint8_t ed25519[AX_PUBLIC_KEY_BYTES]; /* libsodium's: it refuses what has several forms */
};

/* ---- making ---- */

static ax_status
no_memory(struct ax_ctx *ctx)
{
    ERR_clear_error();
    return ax_fail(ctx, AX_LIMIT, "no memory for a public key");
}

static struct ax_public_key *
key_new(enum kind kind)
{
    struct ax_public_key *key = ax_alloc(1, sizeof *key);
    if (key)
        key->kind = kind;
    return key;
}

/* type: "RSA", "EC". NULL when OpenSSL takes them for no key. */
static EVP_PKEY *
evp_of(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *evp = NULL;
    EVP_PKEY_CTX *making = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!making || EVP_PKEY_fromdata_init(making) != 1 ||
        EVP_PKEY_fromdata(making, &evp, EVP_PKEY_PUBLIC_KEY, params) != 1)
        evp = NULL;
    EVP_PKEY_CTX_free(making);
    return evp;
}

static EVP_PKEY *
rsa_of(ax_str modulus, ax_str exponent)
{
    EVP_PKEY *evp = NULL;
    BIGNUM *n = BN_bin2bn((const uint8_t *)modulus.at, (int)modulus.len, NULL);
    BIGNUM *e = BN_bin2bn((const uint8_t *)exponent.at, (int)exponent.len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (n && e && build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    if (params)
        evp = evp_of("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(e);
    BN_free(n);
    return evp;
}

/* Takes evp, or says why there is none. */
static ax_status
key_of_evp(struct ax_ctx *ctx, enum kind kind, EVP_PKEY *evp, struct ax_public_key **out_key)
{
    ERR_clear_error();
    if (!evp)
        return ax_fail(ctx, AX_INVALID, "the numbers make no %s key",
                       kind == RSA_KEY ? "RSA" : "P-256");
    struct ax_public_key *key = key_new(kind);
    if (!key) {
        EVP_PKEY_free(evp);
        return no_memory(ctx);
    }
    key->evp = evp;
    *out_key = key;
    return AX_OK;
}

ax_status
ax_public_key_of_rsa(struct ax_ctx *ctx, ax_str modulus, ax_str exponent,
                     struct ax_public_key **out_key)
{
    if (modulus.len < RSA_BYTES_MIN || modulus.len > RSA_BYTES_MAX || modulus.at[0] == '\0')
        return ax_fail(ctx, AX_INVALID, "an RSA modulus of %zu bytes; %d to %d are taken",
                       modulus.len, (int)RSA_BYTES_MIN, (int)RSA_BYTES_MAX);
    bool odd = exponent.len > 0 && (exponent.at[exponent.len - 1] & 1);
    bool one = exponent.len == 1 && exponent.at[0] == 1;
    if (!odd || one || exponent.len > EXPONENT_BYTES_MAX || exponent.at[0] == '\0')
        return ax_fail(ctx, AX_INVALID, "an RSA exponent must be odd, of 3 to 2^32");
    return key_of_evp(ctx, RSA_KEY, rsa_of(modulus, exponent), out_key);
}

ax_status
ax_public_key_of_p256(struct ax_ctx *ctx, ax_str x, ax_str y, struct ax_public_key **out_key)
{
    uint8_t point[POINT_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
    char group[] = "P-256";
    if (x.len != AX_PUBLIC_KEY_COORDINATE_BYTES || y.len != AX_PUBLIC_KEY_COORDINATE_BYTES)
        return ax_fail(ctx, AX_INVALID, "coordinates of P-256 have %d bytes, not %zu and %zu",
                       (int)AX_PUBLIC_KEY_COORDINATE_BYTES, x.len, y.len);
    memcpy(point + 1, x.at, x.len);
    memcpy(point + 1 + x.len, y.at, y.len);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
        OSSL_PARAM_construct_end(),
    };
    return key_of_evp(ctx, P256_KEY, evp_of("EC", params), out_key); /* on the curve, or none */
}

ax_status
ax_public_key_of_ed25519(struct ax_ctx *ctx, ax_str x, struct ax_public_key **out_key)
{
    if (x.len != AX_PUBLIC_KEY_BYTES)
        return ax_fail(ctx, AX_INVALID, "a key of Ed25519 has %d bytes, not %zu",
                       (int)AX_PUBLIC_KEY_BYTES, x.len);
    struct ax_public_key *key = key_new(ED25519_KEY);
    if (!key)
        return no_memory(ctx);
    memcpy(key->ed25519, x.at, x.len);
    *out_key = key;
    return AX_OK;
}

void
ax_public_key_free(struct ax_public_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->evp);
    ax_free(key);
}

/* ---- verifying ---- */

bool
ax_public_key_fits(const struct ax_public_key *key, enum ax_public_key_algorithm algorithm)
{
    static const enum kind kinds[AX_PUBLIC_KEY_ALGORITHM_COUNT] = {
        [AX_PUBLIC_KEY_RS256] = RSA_KEY,
        [AX_PUBLIC_KEY_PS256] = RSA_KEY,
        [AX_PUBLIC_KEY_ES256] = P256_KEY,
        [AX_PUBLIC_KEY_EDDSA] = ED25519_KEY,
    };
    AX_ASSERT(algorithm < AX_PUBLIC_KEY_ALGORITHM_COUNT);
    return key->kind == kinds[algorithm];
}

static bool
verify_evp(const struct ax_public_key *key, bool pss, ax_str message, ax_str signature)
{
    EVP_PKEY_CTX *options = NULL;
    EVP_MD_CTX *hash = ax_fault_here() ? NULL : EVP_MD_CTX_new();
    bool ready =
        hash && EVP_DigestVerifyInit_ex(hash, &options, "SHA256", NULL, NULL, key->evp, NULL) == 1;
    if (ready && pss)
        ready = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) > 0 &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(options, PSS_SALT_BYTES) > 0;
    bool good = ready && EVP_DigestVerify(hash, (const uint8_t *)signature.at, signature.len,
                                          (const uint8_t *)message.at, message.len) == 1;
    EVP_MD_CTX_free(hash);
    ERR_clear_error();
    return good;
}

/* JOSE puts r and s side by side; OpenSSL takes them in DER. */
static bool
verify_ecdsa(const struct ax_public_key *key, ax_str message, ax_str signature)
{
    uint8_t *der = NULL;
    if (signature.len != ECDSA_BYTES)
        return false;
    const uint8_t *bytes = (const uint8_t *)signature.at;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, AX_PUBLIC_KEY_COORDINATE_BYTES, NULL);
    BIGNUM *s =
        BN_bin2bn(bytes + AX_PUBLIC_KEY_COORDINATE_BYTES, AX_PUBLIC_KEY_COORDINATE_BYTES, NULL);
    if (!pair || !r || !s || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(pair);
        return false;
    }
    int len = i2d_ECDSA_SIG(pair, &der);
    ECDSA_SIG_free(pair); /* r and s with it */
    bool good =
        len > 0 && verify_evp(key, false, message, (ax_str){(const char *)der, (size_t)len});
    OPENSSL_free(der);
    return good;
}

bool
ax_public_key_verify(const struct ax_public_key *key, enum ax_public_key_algorithm algorithm,
                     ax_str message, ax_str signature)
{
    if (!ax_public_key_fits(key, algorithm))
        return false;
    switch (algorithm) {
    case AX_PUBLIC_KEY_EDDSA:
        return signature.len == AX_SIGNATURE_BYTES &&
               ax_ed25519_verify(key->ed25519, message, signature);
    case AX_PUBLIC_KEY_ES256:
        return verify_ecdsa(key, message, signature);
    case AX_PUBLIC_KEY_RS256:
    case AX_PUBLIC_KEY_PS256:
    case AX_PUBLIC_KEY_ALGORITHM_COUNT:
        break;
    }
    return verify_evp(key, algorithm == AX_PUBLIC_KEY_PS256, message, signature);
}
