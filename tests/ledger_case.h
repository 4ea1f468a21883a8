/*
 * A ledger in a folder of its own, with a vault, small segments and a fixed key, for tests.
 *
 * Fact i is told by i alone, so that what is read back can be compared without a copy.
 */
#pragma once

#include "event/ledger.h"

struct ledger_case {
    char folder[64];
    ax_str ledger_folder; /* inside it */
    ax_str origin;
    uint8_t seed[32];
    ax_str kek_path, keys_folder;
    struct ax_vault *vault; /* open while the body runs */
    struct ax_ledger_config config;
};

/* Runs the body with a fresh case and 256 MiB of memory; everything is removed afterwards. */
void ledger_case_run(void (*body)(struct ax_ctx *ctx, struct ledger_case *at));

/* Opens the vault again that a test has closed. */
void ledger_case_open_vault(struct ax_ctx *ctx, struct ledger_case *at);

/* Makes the keys of all entities, for sweeps: after a failed write of keys a vault makes none. */
void ledger_case_make_keys(struct ax_ctx *ctx, struct ledger_case *at);

ax_status ledger_case_open(struct ax_ctx *ctx, struct ledger_case *at,
                           struct ax_ledger **out_ledger);

/* Without threads: commit and publish are called by the test. */
ax_status ledger_case_open_still(struct ax_ctx *ctx, struct ledger_case *at,
                                 struct ax_ledger **out_ledger);

/* Fact i of producer "test"; every third has no payload, the others one of entity i % 10. */
ax_status ledger_case_fact(struct ax_ctx *ctx, struct ledger_case *at, uint64_t i,
                           struct ax_event *out_event, ax_str *out_payload);

/* Appends facts [from, to). */
void ledger_case_fill(struct ax_ctx *ctx, struct ledger_case *at, struct ax_ledger *ledger,
                      uint64_t from, uint64_t to);

/* Commits facts [from, to) of a ledger without threads, as one batch. */
ax_status ledger_case_commit(struct ax_ctx *ctx, struct ledger_case *at, struct ax_ledger *ledger,
                             uint64_t from, uint64_t to);

/* The fact at index is fact i; with its payload when `payload`. */
void ledger_case_check(struct ax_ctx *ctx, struct ax_ledger *ledger, uint64_t index, uint64_t i,
                       bool payload);

/* Each proof of the ledger holds, and consistency with every size before. */
void ledger_case_prove(struct ax_ctx *ctx, struct ledger_case *at, struct ax_ledger *ledger);

/* A file of the ledger, whole; and put back. */
ax_str ledger_case_read(struct ax_ctx *ctx, ax_str path);
void ledger_case_write(struct ax_ctx *ctx, ax_str path, ax_str bytes);
