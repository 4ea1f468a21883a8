/*
 * Backups: store, ledger, blobs and what is served as one consistent point; and the way back.
 *
 * Changes wait while store and ledger are copied; decisions go on. A database outside is copied by
 * its own tool (pg_dump) at the same point, and brought back into an empty one (pg_restore).
 * Uploaded artifacts go with it as blobs, unless they lie in a folder of their own. Keys are in no
 * backup: neither those that sign nor the wrapped data keys of payloads, so that an erased payload
 * does not come back with one (R100). docs/operations.md says how keys are kept.
 */
#pragma once

#include "server/services.h"

/*
 * Copies to a new folder. out: {"folder","checkpoint","facts","blobs","bytes"}.
 * Fails: CONFLICT when the folder exists; nothing is left of a copy that failed.
 */
ax_status ax_backup(struct ax_services *services, struct ax_ctx *ctx, ax_str folder,
                    struct ax_json_writer *out);

struct ax_restore {
    ax_str backup;     /* folder of ax_backup */
    ax_str root;       /* data directory to make; must not exist */
    ax_str keys;       /* folder of the keys, which is kept as it is */
    ax_str checkpoint; /* file with a checkpoint kept elsewhere, or "" */
    ax_str store_url;  /* empty PostgreSQL database for a backup of one; "": SQLite */
};

/*
 * Proves the backup, then makes a data directory of it: every hash and signature of the ledger
 * holds and it extends the given checkpoint, the database is sound, every blob is what its name
 * says. Fails: CORRUPT with what is wrong; nothing is left at root then.
 */
ax_status ax_restore(struct ax_ctx *ctx, const struct ax_restore *restore,
                     struct ax_json_writer *out);
