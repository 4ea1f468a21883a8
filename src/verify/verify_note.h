/* Signed notes, checkpoints and base64, as the verifier reads them (C2SP signed-note). */
#pragma once

#include "base/ctx.h"
#include "sys/crypto.h"

struct ax_verify_key {
    ax_str name;
    uint8_t hash[4];
    uint8_t public_key[AX_PUBLIC_KEY_BYTES];
};

struct ax_verify_head {
    uint64_t size;
    ax_digest root;
};

/* "name+hash+base64", Ed25519 only. Fails: INVALID. */
ax_status ax_verify_key_parse(struct ax_ctx *ctx, ax_str vkey, struct ax_verify_key *out_key);

/* Signature, origin and lines of a checkpoint. Fails: CORRUPT. */
ax_status ax_verify_note(struct ax_ctx *ctx, const struct ax_verify_key *key, ax_str note,
                         struct ax_verify_head *out_head);

/* Exactly len bytes. false when it is not their base64. */
[[nodiscard]] bool ax_verify_base64(ax_str text, uint8_t *out, size_t len);
