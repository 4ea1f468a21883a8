/*
 * Hashes, signatures, sealed boxes, random bytes. OpenSSL and libsodium end here.
 *
 * Hashing is OpenSSL's (SHA-NI), signing libsodium's (measured 2.5 to 5 times faster). Secrets
 * are wiped by their owner with ax_crypto_wipe.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"

typedef struct ax_digest {
    uint8_t bytes[32];
} ax_digest;

enum {
    AX_KEY_BYTES = 32,
    AX_PUBLIC_KEY_BYTES = 32,
    AX_SIGNATURE_BYTES = 64,
    AX_SEAL_OVERHEAD_BYTES = 12 + 16,
    AX_DIGEST_HEX_BYTES = 64
};

/* Call once at start, before any thread. Fails: INTERNAL when the libraries refuse. */
ax_status ax_crypto_init(struct ax_ctx *ctx);

ax_digest ax_sha256(ax_str bytes);

/* Several pieces one after another, as if they were one. */
ax_digest ax_sha256_of(const ax_str *pieces, size_t piece_count);

/* A hash fed piece by piece: for files larger than memory. */
struct ax_sha256;
struct ax_sha256 *ax_sha256_new(void); /* NULL when memory is short */
void ax_sha256_add(struct ax_sha256 *hash, ax_str bytes);
ax_digest ax_sha256_finish(struct ax_sha256 *hash); /* and frees it */

ax_digest ax_hmac_sha256(ax_str key, ax_str bytes);

bool ax_digest_eq(ax_digest a, ax_digest b);

/* 64 lower-case hex digits, terminated. */
ax_str ax_digest_hex(ax_digest digest, char out[AX_DIGEST_HEX_BYTES + 1]);
[[nodiscard]] bool ax_digest_parse(ax_str hex, ax_digest *out);

void ax_random_bytes(void *out, size_t len);

/* In a time that does not depend on where they differ. */
bool ax_crypto_equal(ax_str a, ax_str b);
void ax_crypto_wipe(void *secret, size_t len);

/*
 * For keys that live as long as the process: locked in memory where the system allows it, left
 * out of core dumps, between guard pages, wiped when freed (R92). Zeroed; NULL when short.
 */
void *ax_crypto_secret_new(size_t len);
void ax_crypto_secret_free(void *secret); /* NULL is fine */

/* Ed25519 (RFC 8032). The private key is the 32-byte seed. */
void ax_ed25519_keypair(uint8_t out_seed[32], uint8_t out_public[32]);
void ax_ed25519_public(const uint8_t seed[32], uint8_t out_public[32]);
void ax_ed25519_sign(const uint8_t seed[32], ax_str message, uint8_t out_signature[64]);
[[nodiscard]] bool ax_ed25519_verify(const uint8_t public_key[32], ax_str message,
                                     ax_str signature);

/*
 * AES-256-GCM with a random nonce in front and the tag behind: nonce12 || ciphertext || tag16.
 * aad: authenticated, not kept inside. out: plain.len + AX_SEAL_OVERHEAD_BYTES bytes.
 */
void ax_seal(const uint8_t key[32], ax_str aad, ax_str plain, char *out);

/*
 * out: sealed.len - AX_SEAL_OVERHEAD_BYTES bytes, zeros after a failure.
 * Fails (bare): CORRUPT when anything was changed; LIMIT when memory is short.
 */
ax_status ax_unseal(const uint8_t key[32], ax_str aad, ax_str sealed, char *out);

/* The same primitive with the caller's nonce, for published vectors. */
void ax_aes_gcm_encrypt(const uint8_t key[32], const uint8_t nonce[12], ax_str aad, ax_str plain,
                        char *out_cipher, uint8_t out_tag[16]);

/* Argon2id, "$argon2id$..." in ctx->arena; slow by design (never on a loop thread). */
ax_status ax_password_hash(struct ax_ctx *ctx, ax_str password, ax_str *out_hash);
[[nodiscard]] bool ax_password_verify(ax_str password, const char *hash);

/* A key from a password (Argon2id, interactive cost) and a 16-byte salt: for a person's keystore.
 */
ax_status ax_password_key(struct ax_ctx *ctx, ax_str password, const uint8_t salt[16],
                          uint8_t out_key[32]);
