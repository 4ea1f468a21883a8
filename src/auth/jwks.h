/*
 * An issuer's public keys, as a JWK set says them (RFC 7517): made once, never changed.
 *
 * Kept are keys for signatures of RSA, P-256 and Ed25519; what is for encryption, or of a kind that
 * is not known, is passed over. Symmetric keys never count, so nothing can be verified by a secret
 * that is none.
 */
#pragma once

#include "sys/crypto_public_key.h"

struct ax_jwks;

enum { AX_JWKS_BYTES_MAX = 256 << 10, AX_JWKS_KEYS_MAX = 64 };

/*
 * out_keys: owned. Fails: INVALID (no JWK set; a key that is no sound one, or shows its private
 * half; none left that could verify), LIMIT.
 */
ax_status ax_jwks_parse(struct ax_ctx *ctx, ax_str text, struct ax_jwks **out_keys);
void ax_jwks_free(struct ax_jwks *keys); /* NULL is fine */
AX_DEFINE_AUTO(struct ax_jwks, ax_jwks_free);

size_t ax_jwks_count(const struct ax_jwks *keys);

/*
 * The key of that name for this algorithm; without a name ("") the only one that fits.
 * Fails: NOT_FOUND, in words for who has the token.
 */
ax_status ax_jwks_find(const struct ax_jwks *keys, struct ax_ctx *ctx, ax_str name,
                       enum ax_public_key_algorithm algorithm,
                       const struct ax_public_key **out_key);

/* "RS256" and so on; false for all others, "none" and "HS256" among them. */
[[nodiscard]] bool ax_jwks_algorithm_parse(ax_str word, enum ax_public_key_algorithm *out);
