/*
 * The data directory and the keys beside it: names of everything in them, made once, held by one.
 *
 * docs/formats.md section 1. Keys, and the vault of payload keys, lie outside the directory: so
 * a copy of it can neither read payloads nor sign checkpoints, and an old one does not bring back
 * what was erased since.
 */
#pragma once

#include "server/server_settings.h"
#include "sys/file.h"

struct ax_data_dir {
    ax_str root;
    ax_str settings;    /* axiom.yaml */
    ax_str development; /* marks a folder made without credentials, in its place */
    ax_str store;       /* store.db */
    ax_str artifacts;   /* uploads of experiment tracking */
    ax_str blobs, ledger, vault, index, protected, serving, latches, directory_cache, scratch;
    ax_str keys;
    ax_str ledger_key, ledger_vkey, vault_key, protected_key, webhook_key;
    ax_file lock;
};

/* The names, nothing touched. keys: "" for root.keys. Fails: LIMIT. */
ax_status ax_data_dir_of(struct ax_ctx *ctx, ax_str root, ax_str keys, struct ax_data_dir *out_dir);

/*
 * Makes folders, keys and axiom.yaml. Nothing of it is left when it fails.
 * Fails: CONFLICT when either folder is there and not empty; DENIED, LIMIT, UNAVAILABLE.
 */
ax_status ax_data_dir_make(struct ax_ctx *ctx, const struct ax_data_dir *dir, ax_str origin);

/* Adds store.url to axiom.yaml, over one that stands there. Fails: as ax_settings_set; LIMIT. */
ax_status ax_data_dir_set_store(struct ax_ctx *ctx, const struct ax_data_dir *dir, ax_str url);

/*
 * Whether the folder may be served without credentials: it is one made so, or not there, or empty.
 */
bool ax_data_dir_is_development(struct ax_ctx *ctx, const struct ax_data_dir *dir);

/* Makes it one, when it is not: folders for tracking, no keys, and a file that says so. */
ax_status ax_data_dir_make_development(struct ax_ctx *ctx, const struct ax_data_dir *dir);

/* Takes the directory for this process. Fails: NOT_FOUND (not made), CONFLICT (a server has it). */
ax_status ax_data_dir_hold(struct ax_ctx *ctx, struct ax_data_dir *dir);
void ax_data_dir_release(struct ax_data_dir *dir);

/* The ledger's private key. Fails: NOT_FOUND, CORRUPT. */
ax_status ax_data_dir_ledger_seed(struct ax_ctx *ctx, const struct ax_data_dir *dir,
                                  uint8_t out_seed[AX_KEY_BYTES]);
