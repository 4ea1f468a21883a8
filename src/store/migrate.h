/*
 * The schema, one numbered change after another, each in a transaction of its own.
 *
 * The changes are the files schema/NNNN_name.{sqlite,postgres}.sql, embedded at build. A database
 * remembers which it has and the digest of each text. A program that is older than the database,
 * or that was built with another text for a change that is applied already, refuses to start.
 */
#pragma once

#include "store/store.h"

struct ax_migrate_file { /* one embedded file */
    ax_str name;         /* "0001_registry.sqlite.sql" */
    ax_str bytes;
};

/*
 * Brings the database to the newest schema this program knows; two programs may try at once.
 *
 * out_version: the version it has now.
 * Fails: UNSUPPORTED when the database is newer; CONFLICT when an applied change has another text
 * here; as ax_store_run.
 */
ax_status ax_migrate(struct ax_store *store, struct ax_ctx *ctx, int *out_version);

/* The same with the given files (of any dialect, any order; numbers without a gap from 1). */
ax_status ax_migrate_with(struct ax_store *store, struct ax_ctx *ctx,
                          const struct ax_migrate_file *files, size_t file_count, int *out_version);

/* Whether the database has a schema already, of whichever version. */
ax_status ax_migrate_found(struct ax_store *store, struct ax_ctx *ctx, bool *out_found);
