/*
 * The independent verifier: whether a ledger's folder holds together, from its bytes alone.
 *
 * It shares only base/ and sys/ with the writer and decodes everything anew: segments, leaves,
 * tiles, notes. What must hold: every frame's checksum, every batch's root, every leaf's place in
 * its producer's chain, every sealed payload's digest, every tile and bundle byte for byte, every
 * checkpoint's signature and root, and that the log extends a checkpoint kept elsewhere.
 */
#pragma once

#include "base/ctx.h"
#include "sys/crypto.h"

struct ax_verify_report {
    uint64_t size; /* leaves */
    ax_digest root;
    uint64_t signed_size; /* of the newest checkpoint */
    uint64_t checkpoints; /* whose signature and root hold */
    uint64_t payloads;    /* sealed payloads whose digest holds */
    uint64_t erased;      /* payloads that were destroyed */
    uint64_t producers;
    uint64_t torn_bytes; /* behind the last whole batch, above everything signed */
};

/*
 * folder: the ledger's, or a data directory with `ledger` in it. vkey: name+hash+base64. since: a
 * signed note that the log must extend, "" for none.
 * Fails: CORRUPT with one sentence: which file, where, what was expected; INVALID (vkey, since);
 * NOT_FOUND (no ledger there); LIMIT.
 */
ax_status ax_verify_log(struct ax_ctx *ctx, ax_str folder, ax_str vkey, ax_str since,
                        struct ax_verify_report *out_report);

/*
 * A .tlog-proof file: the leaf with this hash is in the signed log. Fails: CORRUPT, INVALID.
 */
ax_status ax_verify_proof(struct ax_ctx *ctx, ax_str file, ax_digest leaf_hash, ax_str vkey,
                          uint64_t *out_index, uint64_t *out_size);
