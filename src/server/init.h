/* Making a data directory: folders, keys, database, ledger, and one administrator. */
#pragma once

#include "server/data_dir.h"

struct ax_init {
    ax_str root;
    ax_str keys;      /* "": root.keys; says where they are afterwards */
    ax_str origin;    /* "": axiom.local/<random> */
    ax_str admin;     /* id */
    ax_str store_url; /* store.url, written to axiom.yaml; "": SQLite in the directory */
    ax_str token;     /* out: shown once */
    ax_str vkey;      /* out */
};

/* Fails: CONFLICT when the directory is there; nothing is left of what failed. */
ax_status ax_init(struct ax_ctx *ctx, struct ax_init *init);
