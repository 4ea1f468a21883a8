/*
 * A person's private key on their own machine: one file, mode 0600, sealed under a passphrase if
 * they give one (Argon2id, AES-256-GCM).
 *
 * The server never sees it: it gets the public half and signatures. The file is five lines of
 * text: "axiom key v1", key id, public key (base64), "plain" or "argon2id <salt>", then the seed or
 * the sealed seed in hex. No directory of keys, no agent.
 */
#pragma once

#include "auth/signing.h"
#include "base/writer.h"

struct ax_keystore_key {
    char id[AX_SIGNING_KEY_ID_BYTES + 1];
    uint8_t public_key[AX_PUBLIC_KEY_BYTES];
    bool sealed;   /* needs a passphrase */
    uint8_t *seed; /* owned, in locked memory; NULL when only looked at */
};

/*
 * Makes a key and its file, durably; the folder is made when absent (0700).
 *
 * passphrase: "" for none. out_key: owned; ax_keystore_close.
 * Fails: CONFLICT when the file is there; LIMIT; DENIED, UNAVAILABLE.
 */
ax_status ax_keystore_create(struct ax_ctx *ctx, ax_str path, ax_str passphrase,
                             struct ax_keystore_key *out_key);

/*
 * Fails: NOT_FOUND; DENIED when others may read the file, or the passphrase is missing or wrong;
 * CORRUPT when the file is not what was written; LIMIT.
 */
ax_status ax_keystore_open(struct ax_ctx *ctx, ax_str path, ax_str passphrase,
                           struct ax_keystore_key *out_key);

/* What is not secret, without a passphrase. Fails: NOT_FOUND, DENIED, CORRUPT. */
ax_status ax_keystore_look(struct ax_ctx *ctx, ax_str path, struct ax_keystore_key *out_key);

/* Wipes the seed. */
void ax_keystore_close(struct ax_keystore_key *key);

void ax_keystore_sign(const struct ax_keystore_key *key, ax_str bytes,
                      uint8_t out_signature[AX_SIGNATURE_BYTES]);

/*
 * The `change` of a proposal of kind "key" that enrols this key for the user, with the proof that
 * they hold it: {"enroll":"<base64>","proof":"<base64>","valid_days":365}. In ctx->arena.
 */
ax_status ax_keystore_enrolment(struct ax_ctx *ctx, const struct ax_keystore_key *key, ax_str user,
                                int64_t valid_days, ax_str *out_change);

/*
 * The body of POST /proposals/{id}/approve or /reject:
 * {"comment":"..","digest":"..","key_id":"..","signature":".."}. In ctx->arena.
 */
ax_status ax_keystore_approval(struct ax_ctx *ctx, const struct ax_keystore_key *key,
                               const struct ax_signing_approval *approval, ax_str *out_body);

/* The five lines, judged; for the fuzzer. Fails: CORRUPT. */
struct ax_keystore_file {
    struct ax_keystore_key key; /* without seed */
    uint8_t salt[16];           /* when sealed */
    ax_str secret;              /* hex of seed or sealed seed; borrowed */
};
ax_status ax_keystore_parse(struct ax_ctx *ctx, ax_str text, struct ax_keystore_file *out_file);
