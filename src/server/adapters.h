/* Which adapter stands behind each port: the only place that names them. */
#pragma once

#include "blob/blob.h"
#include "kv/kv.h"
#include "server/data_dir.h"
#include "store/store.h"

/*
 * Opens the database that store.url names and brings its schema up to date.
 *
 * must_exist: the directory has served before, so an empty database is the wrong one.
 * Fails: INVALID (store.url); UNAVAILABLE, also for the wrong one; as ax_migrate.
 */
ax_status ax_adapters_store(struct ax_ctx *ctx, const struct ax_data_dir *dir,
                            const struct ax_server_settings *settings, bool must_exist,
                            struct ax_store **out_store);

/* A database of another program, as it is: no schema of ours is brought to it. */
ax_status ax_adapters_foreign_sqlite(struct ax_ctx *ctx, ax_str path, struct ax_store **out_store);
ax_status ax_adapters_foreign_postgres(struct ax_ctx *ctx, ax_str url, struct ax_store **out_store);

/* Name of the copy of the database in a backup's folder: what it is tells how it is restored. */
const char *ax_adapters_copy_name(const struct ax_server_settings *settings);

/*
 * Brings the copy in a backup's folder to where store.url says: a file, or an empty database.
 * Fails: CORRUPT when there is none; INVALID when it is another database's; CONFLICT.
 */
ax_status ax_adapters_restore_store(struct ax_ctx *ctx, const struct ax_data_dir *dir,
                                    const struct ax_server_settings *settings, ax_str backup);

ax_status ax_adapters_blob(struct ax_ctx *ctx, ax_str folder, struct ax_blob **out_blob);
ax_status ax_adapters_kv(struct ax_ctx *ctx, const struct ax_data_dir *dir,
                         const struct ax_server_settings *settings, struct ax_kv **out_kv);
