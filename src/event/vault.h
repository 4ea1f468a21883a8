/*
 * Payloads: what a fact says about a person, sealed under a key of that person alone.
 *
 * Each entity (subject) has a data key; data keys lie wrapped under a key-encryption key in a
 * folder of their own, and the key-encryption key lies outside the data directory. Erasing an
 * entity overwrites its wrapped key: every copy of the ciphertext, in backups too, is noise from
 * then on, while the leaf keeps its blinded commitment and every proof stays valid (R87-R91, R100).
 * Backups must leave the key folder out.
 *
 * Not here: where sealed bytes lie. They go to the ledger with the record they belong to.
 *
 * Any thread. New keys are written by ax_vault_commit, which the ledger calls before the sync of
 * the batch that needs them, so that a new entity costs no sync of its own.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "event/event.h"

struct ax_vault;

struct ax_vault_config {
    ax_str folder;         /* of the wrapped keys; made when absent */
    ax_str kek_path;       /* file of ax_vault_make_kek */
    int64_t cache_entries; /* unwrapped keys held in memory; 0: 4096 */
};

/* What a fact must hold about its payload, and the bytes to hand to the ledger with it. */
struct ax_vault_sealed {
    ax_str bytes;     /* algorithm id, nonce, ciphertext, tag; in ctx->arena */
    ax_digest commit; /* HMAC-SHA-256 under a blind that is inside the sealed bytes */
    ax_digest ref;    /* SHA-256 of bytes */
    uint8_t key_id[AX_EVENT_KEY_ID_BYTES];
};

struct ax_vault_receipt {
    uint8_t key_id[AX_EVENT_KEY_ID_BYTES];
    int64_t erased_ns;
};

/* Makes a new key-encryption key at path (hex, mode 0600). Fails: CONFLICT when there is one. */
ax_status ax_vault_make_kek(struct ax_ctx *ctx, ax_str path);

/* Fails: NOT_FOUND (no key-encryption key), DENIED (a foreign one), CORRUPT, CONFLICT (in use). */
ax_status ax_vault_open(struct ax_ctx *ctx, const struct ax_vault_config *config,
                        struct ax_vault **out_vault);

/* Writes what ax_vault_commit has not; wipes every key in memory. */
void ax_vault_close(struct ax_vault *vault);
AX_DEFINE_AUTO(struct ax_vault, ax_vault_close);

/*
 * Seals a payload under the entity's key, which is made when there is none.
 *
 * entity: any stable id; it is kept as a keyed hash only. object: id of the fact's object, bound
 * into the seal. Never blocks on the disk. Fails: LIMIT; UNAVAILABLE after a failed write of keys.
 */
ax_status ax_vault_seal(struct ax_vault *vault, struct ax_ctx *ctx, ax_str entity, ax_str object,
                        ax_str payload, struct ax_vault_sealed *out_sealed);

/* Puts commit, ref, length and key id where a leaf has them. */
void ax_vault_describe(const struct ax_vault_sealed *sealed, struct ax_event *event);

/*
 * The payload of a fact, in ctx->arena; checked against ref and commit.
 *
 * Fails: NOT_FOUND when its key was erased (says when); CORRUPT.
 */
ax_status ax_vault_unseal(struct ax_vault *vault, struct ax_ctx *ctx, const struct ax_event *event,
                          ax_str sealed, ax_str *out_payload);

/* Keys made so far are durable when it returns. Fails: LIMIT (disk full), UNAVAILABLE: for good. */
ax_status ax_vault_commit(struct ax_vault *vault, struct ax_ctx *ctx);

/*
 * Destroys the entity's key: overwritten and synced when it returns. A later seal for the same
 * entity makes a new key. Fails: NOT_FOUND when it has none.
 */
ax_status ax_vault_erase(struct ax_vault *vault, struct ax_ctx *ctx, ax_str entity,
                         struct ax_vault_receipt *out_receipt);

/* Whether the key of this id was destroyed. */
bool ax_vault_erased(struct ax_vault *vault, const uint8_t key_id[AX_EVENT_KEY_ID_BYTES]);

/* Keys alive, and destroyed. */
void ax_vault_count(struct ax_vault *vault, uint64_t *out_alive, uint64_t *out_erased);

/*
 * A secret of this vault's key-encryption key for another use, the same each time until the key is
 * another. purpose: what it is for; each has a secret of its own.
 */
ax_digest ax_vault_secret(struct ax_vault *vault, ax_str purpose);

/* Wraps every key under a new key-encryption key (R89): all or nothing. Nothing is sealed
 * meanwhile. */
ax_status ax_vault_rewrap(struct ax_vault *vault, struct ax_ctx *ctx, ax_str new_kek_path);
