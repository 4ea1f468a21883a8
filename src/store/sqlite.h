/*
 * SQLite behind the store port.
 *
 * One file in WAL mode with synchronous=FULL, one writer connection, a few reader connections, and
 * one for checkpoints and backups. Automatic checkpoints are off: ax_store_maintain moves the log,
 * off the request path. The file must be on a local disk.
 */
#pragma once

#include "store/store.h"
#include "sys/settings.h"

struct ax_sqlite_config {
    ax_str path;           /* of the database file; made when absent, its folder must exist */
    int64_t reader_count;  /* connections for reading */
    int64_t busy_ms_max;   /* longest wait for a connection or a lock, within the deadline */
    int64_t log_bytes_max; /* write-ahead log above this is moved by the commit that meets it */
    int64_t bytes_max;     /* largest database file; 0: as large as the disk */
    int64_t cache_bytes;   /* pages that each connection may keep in memory */
};

/* Section "store": the fields above but path. */
extern const struct ax_settings ax_sqlite_settings;

/* config: borrowed. Fails: UNAVAILABLE (no folder, no permission, locked), CORRUPT, LIMIT. */
ax_status ax_sqlite_open(struct ax_ctx *ctx, const struct ax_sqlite_config *config,
                         struct ax_store **out_store);
