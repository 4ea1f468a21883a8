/*
 * The ledger: a Merkle log of facts (RFC 6962, C2SP tiles), written by one thread for all.
 *
 * Whoever has a fact hands in an entry and is called back when it is on the disk; all that wait
 * share one write and one fdatasync, and the next batch closes when that returns. A second thread
 * reads back what is durable, builds tiles and entry bundles from it, and signs a checkpoint only
 * when both threads came to the same root: nothing is signed that is not on the disk. After a
 * failed write or sync the ledger is FAILED until the process is started again: nothing more is
 * acknowledged, and ax_ledger_check says why (R62).
 *
 * On the disk (folder): lock, state, checkpoint, checkpoints (the history), vkey, log/ (segments:
 * leaves and sealed payloads), tile/ (C2SP layout). `axiom-verify` reads the same files alone.
 *
 * A ledger found smaller than its last signed checkpoint is dead: it is not opened again. Keep the
 * folder as evidence, and open a new one under a new origin with `genesis` naming the last
 * checkpoint: its first fact embeds it.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "event/event.h"
#include "event/merkle.h"
#include "event/vault.h"
#include "sys/settings.h"

struct ax_ledger;

struct ax_ledger_config {
    int64_t segment_bytes;          /* a segment of the log, 64 MiB */
    int64_t batch_records_max;      /* facts in one group commit */
    int64_t batch_bytes_max;        /* bytes in one group commit */
    int64_t queue_records_max;      /* facts that may wait */
    int64_t queue_bytes_max;        /* bytes held by facts that were queued as copies */
    int64_t payload_bytes_max;      /* of one sealed payload */
    int64_t publish_interval_ms;    /* between checkpoints while facts arrive */
    int64_t checkpoint_interval_ms; /* between checkpoints kept in the history */
    int64_t heartbeat_interval_ms;  /* 0: none */
    double reserve_percent;         /* of the disk, kept for vital facts */
    int64_t prepare_bytes;          /* of a segment, zero-filled ahead of the writer */
};
extern const struct ax_settings ax_ledger_settings;

struct ax_ledger_genesis { /* of a log that follows another */
    ax_str checkpoint;     /* the last signed note of the old origin */
    ax_str vkey;           /* its verifier key */
    ax_str reason;
};

struct ax_ledger_place {
    ax_str folder;                           /* made when absent */
    ax_str origin;                           /* "org.example/axiom/audit/2026h2" */
    const uint8_t *seed;                     /* Ed25519, 32 bytes; copied */
    struct ax_vault *vault;                  /* kept; NULL when no payload is ever sealed */
    const struct ax_ledger_genesis *genesis; /* NULL for the first log; used when new */
};

/*
 * Fails: CONFLICT (another process has it), CORRUPT (bytes below the last signed size are not
 * what was written, the origin is dead, the key or origin is another one), LIMIT, UNAVAILABLE.
 */
ax_status ax_ledger_open(struct ax_ctx *ctx, const struct ax_ledger_config *config,
                         const struct ax_ledger_place *place, struct ax_ledger **out_ledger);

/* Commits what waits, publishes, stops the threads. No submit may be under way. */
void ax_ledger_close(struct ax_ledger *ledger);
AX_DEFINE_AUTO(struct ax_ledger, ax_ledger_close);

/* ---- handing in ---- */

/* One fact on its way. The caller's memory, with all it points to, until done is called. */
struct ax_ledger_entry {
    struct ax_event event;
    ax_str payload; /* sealed bytes (vault.h), or "" */
    bool vital;     /* may use the reserve of the disk: control-plane facts, not decisions */
    void (*done)(struct ax_ledger_entry *entry); /* on the ledger's thread: post, do not work */
    void *arg;

    ax_status status; /* for done: AX_OK when durable; UNAVAILABLE, LIMIT, INVALID */
    bool duplicate;   /* (producer, sequence) was in the log already */
    uint64_t index;   /* of the leaf; UINT64_MAX for a duplicate too old to know */

    bool unawaited_; /* nobody waits for it: see ax_ledger_queue */
    struct ax_ledger_entry *next_;
};

/*
 * Hands in; done is called once, unless this fails.
 *
 * Never blocks. event.sequence: 0 for the producer's next; else exactly the next, or one already
 * used (a retry: a duplicate). Fails: LIMIT (queue full, disk reserve reached), UNAVAILABLE
 * (failed or closing), INVALID (the event cannot be written).
 */
ax_status ax_ledger_submit(struct ax_ledger *ledger, struct ax_ctx *ctx,
                           struct ax_ledger_entry *entry);

/*
 * Hands in a copy and does not wait: AX_OK means taken, not durable. It goes to the disk with the
 * next batch that somebody waits for, and a few milliseconds later at most. The fact that
 * somebody was let do something may use the reserve. Fails: as submit.
 */
ax_status ax_ledger_queue(struct ax_ledger *ledger, struct ax_ctx *ctx,
                          const struct ax_event *event, ax_str payload);

/* Hands in and waits until it is durable: for workers, never on a loop. out_index may be NULL. */
ax_status ax_ledger_append(struct ax_ledger *ledger, struct ax_ctx *ctx,
                           const struct ax_event *event, ax_str payload, uint64_t *out_index);

/* AX_OK when durable facts are taken; else UNAVAILABLE (failed, or the reserve), with words. */
ax_status ax_ledger_check(struct ax_ledger *ledger, struct ax_ctx *ctx);

/* ---- reading: any thread ---- */

struct ax_ledger_stats {
    uint64_t size;            /* durable facts */
    uint64_t signed_size;     /* of the last checkpoint */
    uint64_t queued;          /* facts that wait */
    uint64_t batches;         /* group commits so far */
    int64_t sync_ns;          /* the last one took */
    uint64_t log_bytes;       /* of all segments */
    uint64_t disk_free_bytes; /* when last looked at */
    uint64_t disk_total_bytes;
    uint64_t torn_bytes; /* cut off at open */
    int64_t newest_ns;   /* latest time the ledger took a fact at, UTC */
    bool failed;
    bool reserved; /* the disk's reserve is reached */
};
void ax_ledger_stats(struct ax_ledger *ledger, struct ax_ledger_stats *out_stats);

/* Durable facts. */
uint64_t ax_ledger_size(struct ax_ledger *ledger);

/* Waits until there are more than `size` facts, or the deadline. Workers only. Fails: TIMEOUT. */
ax_status ax_ledger_wait(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t size);

/* The leaf, in ctx->arena. Fails: NOT_FOUND (not durable yet), CORRUPT. */
ax_status ax_ledger_read(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t index,
                         ax_str *out_leaf);

/* Up to count_max leaves from `from` on, in ctx->arena; none at the end. */
ax_status ax_ledger_read_many(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t from,
                              size_t count_max, ax_str **out_leaves, size_t *out_count);

/* A fact as it lies in the log. */
struct ax_ledger_fact {
    struct ax_event event;
    ax_str sealed; /* its payload; "" once erased, and where there is none */
    bool erased;
};

/* Up to count_max facts from `from` on, in ctx->arena: for who follows the log. As read_many. */
ax_status ax_ledger_read_facts(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t from,
                               size_t count_max, struct ax_ledger_fact **out_facts,
                               size_t *out_count);

/* A fact's payload in clear; "" for none. Fails: NOT_FOUND when erased, CORRUPT, UNAVAILABLE. */
ax_status ax_ledger_unseal(struct ax_ledger *ledger, struct ax_ctx *ctx,
                           const struct ax_ledger_fact *fact, ax_str *out_payload);

/* The fact and its payload in clear, in ctx->arena. Fails: as read; NOT_FOUND when erased. */
ax_status ax_ledger_read_payload(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t index,
                                 struct ax_event *out_event, ax_str *out_payload);

/* ---- checkpoints and proofs: may block, workers only, but for the first ---- */

/* The last signed note, in ctx->arena. Does not block. */
ax_status ax_ledger_checkpoint(struct ax_ledger *ledger, struct ax_ctx *ctx, ax_str *out_note);

/* Signs a checkpoint over everything durable now, and waits for it. */
ax_status ax_ledger_publish(struct ax_ledger *ledger, struct ax_ctx *ctx);

/* Verifier key ("name+hash+base64") of this log. */
ax_str ax_ledger_vkey(const struct ax_ledger *ledger);

/* A .tlog-proof file for the fact, in ctx->arena; publishes first when it is too new. */
ax_status ax_ledger_prove(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t index,
                          ax_str *out_proof);

/* Hashes that the signed log of new_size extends that of old_size, in ctx->arena (RFC 9162). */
ax_status ax_ledger_prove_consistency(struct ax_ledger *ledger, struct ax_ctx *ctx,
                                      uint64_t old_size, uint64_t new_size,
                                      struct ax_merkle_proof *out_proof);

/* ---- upkeep: jobs ---- */

/*
 * Removes sealed payloads whose keys the vault has destroyed: overwrites them where they lie.
 *
 * *cursor: leaf to begin with, moved on by at most count_max; leaf and proofs stay as they are.
 */
ax_status ax_ledger_sweep(struct ax_ledger *ledger, struct ax_ctx *ctx, uint64_t *cursor,
                          size_t count_max, size_t *out_removed);

/*
 * Copies the log as of a fresh checkpoint to a new folder, while facts go on arriving. The copy
 * holds no keys; it opens as a ledger and verifies alone. out_note: its checkpoint.
 */
ax_status ax_ledger_backup(struct ax_ledger *ledger, struct ax_ctx *ctx, ax_str folder,
                           ax_str *out_note);
