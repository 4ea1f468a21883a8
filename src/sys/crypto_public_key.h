/*
 * Public keys of others, and whether a signature is by one: RSA, P-256 and Ed25519 as JOSE names
 * them. OpenSSL's EVP is behind it.
 *
 * A key knows what it is, and verifies for the algorithms of its own kind alone: whoever calls
 * RSA's modulus an HMAC secret, or an RSA signature one of P-256, is told no. There are no private
 * keys here, and no symmetric ones.
 *
 * Source: RFC 7518 section 3, RFC 8037 section 3.1.
 */
#pragma once

#include "sys/crypto.h"

enum ax_public_key_algorithm {
    AX_PUBLIC_KEY_RS256, /* RSASSA-PKCS1-v1_5 with SHA-256 */
    AX_PUBLIC_KEY_PS256, /* RSASSA-PSS with SHA-256 and 32 bytes of salt */
    AX_PUBLIC_KEY_ES256, /* ECDSA on P-256 with SHA-256; the signature is r and s side by side */
    AX_PUBLIC_KEY_EDDSA, /* Ed25519 */
    AX_PUBLIC_KEY_ALGORITHM_COUNT
};

enum { AX_PUBLIC_KEY_COORDINATE_BYTES = 32, AX_PUBLIC_KEY_RSA_BITS_MIN = 2048 };

struct ax_public_key;

/*
 * modulus, exponent: big-endian, without leading zeros. 2048 to 8192 bits; an odd exponent of 3 to
 * 2^32, so that nobody's key makes a signature dear to check.
 * out_key: owned. Fails: INVALID, says which; LIMIT.
 */
ax_status ax_public_key_of_rsa(struct ax_ctx *ctx, ax_str modulus, ax_str exponent,
                               struct ax_public_key **out_key);

/* A point of P-256, 32 bytes each. Fails: INVALID when it is not on the curve; LIMIT. */
ax_status ax_public_key_of_p256(struct ax_ctx *ctx, ax_str x, ax_str y,
                                struct ax_public_key **out_key);

/* 32 bytes. Fails: INVALID, LIMIT. */
ax_status ax_public_key_of_ed25519(struct ax_ctx *ctx, ax_str x, struct ax_public_key **out_key);

void ax_public_key_free(struct ax_public_key *key); /* NULL is fine */
AX_DEFINE_AUTO(struct ax_public_key, ax_public_key_free);

/* Whether this algorithm is for keys of its kind. */
bool ax_public_key_fits(const struct ax_public_key *key, enum ax_public_key_algorithm algorithm);

/* false also when the algorithm does not fit, and when memory is short. Any thread. */
[[nodiscard]] bool ax_public_key_verify(const struct ax_public_key *key,
                                        enum ax_public_key_algorithm algorithm, ax_str message,
                                        ax_str signature);
