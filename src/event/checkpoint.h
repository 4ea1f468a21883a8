/*
 * Checkpoints: the size and root of the tree as a signed note (C2SP tlog-checkpoint, signed-note).
 *
 * A note is text, a blank line and signature lines; a verifier key is "name+hash+base64". Unknown
 * signers are passed over, a known one with a bad signature rejects the note. Only Ed25519 (type
 * 1) and Ed25519 cosignatures (type 4) are known.
 */
#pragma once

#include <stdint.h>

#include "event/merkle.h"

enum ax_checkpoint_algorithm { AX_CHECKPOINT_ED25519 = 1, AX_CHECKPOINT_COSIGNATURE = 4 };

enum { AX_CHECKPOINT_BYTES_MAX = 64 << 10, AX_CHECKPOINT_SIGNATURES_MAX = 32 };

struct ax_checkpoint_key {
    ax_str name;
    uint32_t hash; /* first four bytes of SHA-256(name, newline, algorithm, key) */
    enum ax_checkpoint_algorithm algorithm;
    uint8_t key[AX_PUBLIC_KEY_BYTES];
};

struct ax_checkpoint {
    ax_str origin; /* borrowed from the note */
    struct ax_merkle_head head;
};

/* The key of a log (or witness) by its name and public key. */
struct ax_checkpoint_key ax_checkpoint_key_of(ax_str name, enum ax_checkpoint_algorithm algorithm,
                                              const uint8_t public_key[AX_PUBLIC_KEY_BYTES]);

/* "name+hash+base64", in ctx->arena. */
ax_status ax_checkpoint_vkey_format(struct ax_ctx *ctx, const struct ax_checkpoint_key *key,
                                    ax_str *out_vkey);

/* name borrowed from vkey. Fails: INVALID. */
ax_status ax_checkpoint_vkey_parse(struct ax_ctx *ctx, ax_str vkey,
                                   struct ax_checkpoint_key *out_key);

/* A name that may stand in a note: UTF-8, not empty, no white space, no '+'. */
bool ax_checkpoint_name_ok(ax_str name);

/* The signed note of a head, in ctx->arena. key: of the seed. */
ax_status ax_checkpoint_sign(struct ax_ctx *ctx, const struct ax_checkpoint_key *key,
                             const uint8_t seed[32], struct ax_merkle_head head, ax_str *out_note);

/*
 * Whether key signed the note. out_text: the note's text, borrowed; out_time_s: of a cosignature,
 * else 0; either may be NULL. Fails: INVALID (not a note), DENIED (not signed by key, or badly).
 */
ax_status ax_checkpoint_note_open(struct ax_ctx *ctx, ax_str note,
                                  const struct ax_checkpoint_key *key, ax_str *out_text,
                                  uint64_t *out_time_s);

/* Adds a witness's line to a note, in ctx->arena. */
ax_status ax_checkpoint_cosign(struct ax_ctx *ctx, const struct ax_checkpoint_key *witness,
                               const uint8_t seed[32], ax_str note, uint64_t time_s,
                               ax_str *out_note);

/* The three lines; signatures are not looked at. Fails: INVALID. */
ax_status ax_checkpoint_parse(struct ax_ctx *ctx, ax_str note,
                              struct ax_checkpoint *out_checkpoint);

/* Opens, parses and compares the origin with the key's name: what a log's own note must pass. */
ax_status ax_checkpoint_verify(struct ax_ctx *ctx, ax_str note, const struct ax_checkpoint_key *key,
                               struct ax_checkpoint *out_checkpoint);

/* ---- .tlog-proof: index, inclusion proof and checkpoint in one file (C2SP tlog-proof) ---- */

ax_status ax_checkpoint_proof_format(struct ax_ctx *ctx, uint64_t index,
                                     struct ax_merkle_proof proof, ax_str note, ax_str *out_file);

/* Checks that leaf is in the log of key as the file says. Fails: INVALID (form), DENIED (proof). */
ax_status ax_checkpoint_proof_verify(struct ax_ctx *ctx, ax_str file, ax_str leaf,
                                     const struct ax_checkpoint_key *key, uint64_t *out_index);
