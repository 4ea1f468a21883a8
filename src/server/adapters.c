#include "server/adapters.h"

#include "blob/fs.h"
#include "kv/lmdb.h"
#include "store/migrate.h"
#include "store/postgres.h"

#define SQLITE_COPY   "store.db"
#define POSTGRES_COPY "store.dump"

/* ---- the database ---- */

static ax_status
open_sqlite(struct ax_ctx *ctx, const struct ax_data_dir *dir,
            const struct ax_server_settings *settings, bool must_exist, struct ax_store **out_store)
{
    struct ax_sqlite_config config = settings->store;
    config.path = dir->store;
    if (must_exist && !ax_file_exists(dir->store))
        return ax_fail(ctx, AX_UNAVAILABLE, "%.*s is gone; restore it from a backup",
                       AX_FMT(dir->store));
    return ax_sqlite_open(ctx, &config, out_store);
}

static struct ax_postgres_config
postgres_config(const struct ax_server_settings *settings)
{
    struct ax_postgres_config config = settings->postgres;
    config.url = settings->database.url;
    return config;
}

static ax_status
open_postgres(struct ax_ctx *ctx, const struct ax_server_settings *settings, bool must_exist,
              struct ax_store **out_store)
{
    const struct ax_postgres_config config = postgres_config(settings);
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    bool found = false;
    AX_TRY(ax_postgres_open(ctx, &config, &store));
    if (must_exist)
        AX_TRY(ax_migrate_found(store, ctx, &found));
    if (must_exist && !found)
        return ax_fail(ctx, AX_UNAVAILABLE,
                       "the database of store.url is empty, and this directory has served before; "
                       "restore it from a backup");
    *out_store = ax_take(store);
    return AX_OK;
}

static ax_status
check_url(struct ax_ctx *ctx, const struct ax_server_settings *settings)
{
    if (settings->database.url.len == 0 || ax_postgres_is_url(settings->database.url))
        return AX_OK;
    return ax_fail(ctx, AX_INVALID,
                   "store.url must be empty (SQLite in the data directory) or postgresql://...");
}

ax_status
ax_adapters_store(struct ax_ctx *ctx, const struct ax_data_dir *dir,
                  const struct ax_server_settings *settings, bool must_exist,
                  struct ax_store **out_store)
{
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    int version;
    AX_TRY(check_url(ctx, settings));
    AX_TRY(settings->database.url.len ? open_postgres(ctx, settings, must_exist, &store)
                                      : open_sqlite(ctx, dir, settings, must_exist, &store));
    AX_TRY(ax_migrate(store, ctx, &version));
    *out_store = ax_take(store);
    return AX_OK;
}

ax_status
ax_adapters_foreign_sqlite(struct ax_ctx *ctx, ax_str path, struct ax_store **out_store)
{
    struct ax_sqlite_config config;
    ax_settings_defaults(&ax_sqlite_settings, &config);
    config.path = path;
    return ax_sqlite_open(ctx, &config, out_store);
}

ax_status
ax_adapters_foreign_postgres(struct ax_ctx *ctx, ax_str url, struct ax_store **out_store)
{
    struct ax_postgres_config config;
    ax_settings_defaults(&ax_postgres_settings, &config);
    config.url = url;
    return ax_postgres_open(ctx, &config, out_store);
}

/* ---- its copies ---- */

const char *
ax_adapters_copy_name(const struct ax_server_settings *settings)
{
    return settings->database.url.len ? POSTGRES_COPY : SQLITE_COPY;
}

static ax_status
copy_file(struct ax_ctx *ctx, ax_str from, ax_str to)
{
    ax_str bytes;
    AX_TRY(ax_file_map(ctx, from, &bytes));
    ax_status status = ax_file_write_atomic(ctx, to, bytes);
    ax_file_unmap(bytes);
    return status;
}

ax_status
ax_adapters_restore_store(struct ax_ctx *ctx, const struct ax_data_dir *dir,
                          const struct ax_server_settings *settings, ax_str backup)
{
    const struct ax_postgres_config config = postgres_config(settings);
    bool outside = settings->database.url.len > 0;
    ax_str sqlite = ax_path_join(ctx->arena, backup, AX_STR(SQLITE_COPY));
    ax_str postgres = ax_path_join(ctx->arena, backup, AX_STR(POSTGRES_COPY));
    if (!sqlite.at || !postgres.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    AX_TRY(check_url(ctx, settings));
    if (!outside && ax_file_exists(postgres))
        return ax_fail(
            ctx, AX_INVALID,
            "the backup is of a PostgreSQL database: name an empty one with --store.url");
    if (outside && ax_file_exists(sqlite))
        return ax_fail(ctx, AX_INVALID,
                       "the backup is of a SQLite database: it is restored without --store.url");
    if (!ax_file_exists(outside ? postgres : sqlite)) /* an empty one must not take its place */
        return ax_fail(ctx, AX_CORRUPT, "the backup has no %s", ax_adapters_copy_name(settings));
    return outside ? ax_postgres_restore(ctx, &config, postgres)
                   : copy_file(ctx, sqlite, dir->store);
}

/* ---- the others ---- */

ax_status
ax_adapters_blob(struct ax_ctx *ctx, ax_str folder, struct ax_blob **out_blob)
{
    return ax_fs_open(ctx, folder, out_blob);
}

ax_status
ax_adapters_kv(struct ax_ctx *ctx, const struct ax_data_dir *dir,
               const struct ax_server_settings *settings, struct ax_kv **out_kv)
{
    return ax_lmdb_open(ctx, dir->index, (uint64_t)settings->general.index_bytes_max, out_kv);
}
