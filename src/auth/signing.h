/*
 * The bytes that people sign: the same on their machine and on the server (docs/formats.md 7).
 *
 * Ed25519 over a few lines of text that name what is signed, so that a signature for one purpose
 * is nothing for another. Which keys belong to whom is the directory's; where a person keeps the
 * private half is the keystore's.
 */
#pragma once

#include "sys/crypto.h"

enum { AX_SIGNING_KEY_ID_BYTES = 16 };

/* The name of a public key: the first 16 hex digits of its SHA-256. Terminated. */
ax_str ax_signing_key_id(const uint8_t public_key[AX_PUBLIC_KEY_BYTES],
                         char out[AX_SIGNING_KEY_ID_BYTES + 1]);

struct ax_signing_approval {
    bool approve;       /* false: reject */
    ax_str proposal_id; /* "p_..." */
    ax_digest proposal; /* of its canonical form */
    ax_str comment;     /* its digest is signed */
};

/* "axiom approval v1", in ctx->arena. Fails: INVALID when an id holds a line end; LIMIT. */
ax_status ax_signing_approval_bytes(struct ax_ctx *ctx, const struct ax_signing_approval *approval,
                                    ax_str *out_bytes);

/*
 * What the owner of a new key signs with it, so that nobody enrols a key they do not hold:
 * "axiom key enrolment v1", the user, the public key in base64; a line each. In ctx->arena.
 */
ax_status ax_signing_enrolment_bytes(struct ax_ctx *ctx, ax_str user,
                                     const uint8_t public_key[AX_PUBLIC_KEY_BYTES],
                                     ax_str *out_bytes);

/* A public key, or a signature, as base64 says it. Fails: INVALID, naming what. */
ax_status ax_signing_key_parse(struct ax_ctx *ctx, ax_str base64,
                               uint8_t out_public[AX_PUBLIC_KEY_BYTES]);
ax_status ax_signing_signature_parse(struct ax_ctx *ctx, ax_str base64,
                                     uint8_t out_signature[AX_SIGNATURE_BYTES]);
