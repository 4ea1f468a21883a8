/*
 * PostgreSQL behind the store port (libpq, PostgreSQL 13 and newer).
 *
 * One connection for writing and a few for reading, opened when they are first wanted. A writer
 * holds an advisory lock of the database, so that there is one writer at a time over all programs
 * that share it, as the port says; migrations are writers too. Readers see one snapshot.
 *
 * A connection that breaks is closed. What was under way on it fails with UNAVAILABLE and nothing
 * of it is there (of a commit, only the next read tells); the next transaction connects anew, to
 * whichever of the hosts in the URL takes writes when it says target_session_attrs=read-write.
 * A serialization failure or a deadlock is CONFLICT: the transaction may be run again from its
 * begin. Deadlines become statement timeouts, so the server stops as well as the caller.
 */
#pragma once

#include "store/store.h"
#include "sys/settings.h"

struct ax_postgres_config {
    ax_str url;             /* "postgresql://..." with what libpq knows: hosts, sslmode, passfile */
    int64_t reader_count;   /* connections for reading; one more writes */
    int64_t busy_ms_max;    /* longest wait for a connection or the writer, within the deadline */
    int64_t connect_ms_max; /* longest wait for one host of the URL; whole seconds, 2 at least */
    int64_t copy_ms_max;    /* longest run of pg_dump and pg_restore */
    int64_t held_bytes_max; /* rows of a query that another statement of its transaction overtook */
};

/* Section "postgres": the fields above but url. */
extern const struct ax_settings ax_postgres_settings;

/* Whether the text is a URL for this adapter. */
bool ax_postgres_is_url(ax_str text);

/*
 * config: borrowed. Fails: UNAVAILABLE (nobody answers, no such database, no permission),
 * UNSUPPORTED (not UTF-8, too old), INVALID (the URL).
 */
ax_status ax_postgres_open(struct ax_ctx *ctx, const struct ax_postgres_config *config,
                           struct ax_store **out_store);

/*
 * Fills an empty database from a copy that ax_store_backup made, all or nothing, by pg_restore.
 * Fails: CONFLICT when the database has tables; NOT_FOUND when there is no pg_restore; CORRUPT.
 */
ax_status ax_postgres_restore(struct ax_ctx *ctx, const struct ax_postgres_config *config,
                              ax_str path);
