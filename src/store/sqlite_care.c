/* Care of a database of SQLite: its log, copies of it, and whether it is whole. */
#include "base/fault.h"
#include "store/sqlite_parts.h"
#include "sys/clock.h"
#include "sys/file.h"

/* For upkeep: a size that cannot be told is none, until the next time. */
static int64_t
file_bytes(struct ax_ctx *ctx, const char *path, const char *suffix)
{
    struct ax_ctx aside = ax_ctx_of(ctx->arena);
    ax_file file = {-1};
    uint64_t bytes = 0;
    ax_fault_benign_begin();
    ax_str name = ax_str_printf(aside.arena, "%s%s", path, suffix);
    if (name.at && ax_file_exists(name) &&
        ax_file_open(&aside, name, AX_FILE_READ, &file) == AX_OK) {
        ax_ignore(ax_file_size(&aside, file, &bytes), "as above");
        ax_file_close(&file);
    }
    ax_fault_benign_end();
    return (int64_t)bytes;
}

ax_status
ax_sqlite_maintain(struct ax_store *base, struct ax_ctx *ctx, struct ax_store_upkeep *out_upkeep)
{
    struct ax_sqlite_store *store = (struct ax_sqlite_store *)base;
    int64_t log_bytes = file_bytes(ctx, store->path, "-wal");
    /* Passive waits for nobody; over the bound the log is emptied, which waits for readers. */
    int mode =
        log_bytes > store->log_bytes_max ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
    if (ax_fault_here())
        return ax_fail(ctx, AX_UNAVAILABLE, "database: checkpoint: input/output error");
    ax_mutex_lock(&store->mutex);
    bool taken = store->carer.taken;
    store->carer.taken = true;
    ax_mutex_unlock(&store->mutex);
    if (!taken) {
        int code = sqlite3_wal_checkpoint_v2(store->carer.db, NULL, mode, NULL, NULL);
        ax_status status = code == SQLITE_OK || code == SQLITE_BUSY
                               ? AX_OK
                               : ax_sqlite_failed(ctx, store->carer.db, "checkpoint");
        ax_sqlite_release(store, &store->carer);
        AX_TRY(status);
    }
    out_upkeep->log_bytes = file_bytes(ctx, store->path, "-wal");
    out_upkeep->database_bytes = file_bytes(ctx, store->path, "");
    return AX_OK;
}

static ax_status
copy_pages(struct ax_sqlite_store *store, struct ax_ctx *ctx, const char *to)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    ax_status status = AX_OK;
    if (sqlite3_open_v2(to, &db, flags, NULL) != SQLITE_OK) {
        status = ax_sqlite_failed(ctx, db, to);
        sqlite3_close(db);
        return status;
    }
    sqlite3_backup *backup = sqlite3_backup_init(db, "main", store->carer.db, "main");
    int code = backup ? SQLITE_OK : SQLITE_ERROR;
    while (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED) {
        code = ax_fault_here() ? SQLITE_IOERR : sqlite3_backup_step(backup, -1);
        if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
            ax_clock_sleep_ms(5);
        if (ax_clock_left_ns(ctx->deadline_ns) == 0)
            code = SQLITE_INTERRUPT;
    }
    if (code != SQLITE_DONE)
        status = ax_fail(ctx, ax_sqlite_status(code), "database: back up to %s: %s", to,
                         sqlite3_errstr(code));
    if (backup && sqlite3_backup_finish(backup) != SQLITE_OK && status == AX_OK)
        status = ax_sqlite_failed(ctx, db, to);
    sqlite3_close(db);
    return status;
}

static ax_status
sync_copy(struct ax_ctx *ctx, ax_str path)
{
    ax_file file = {-1};
    AX_TRY(ax_file_open(ctx, path, AX_FILE_WRITE, &file));
    ax_status status = ax_file_sync(ctx, file);
    ax_file_close(&file);
    AX_TRY(status);
    return ax_file_sync_folder(ctx, ax_path_folder(path));
}

ax_status
ax_sqlite_backup(struct ax_store *base, struct ax_ctx *ctx, ax_str path)
{
    struct ax_sqlite_store *store = (struct ax_sqlite_store *)base;
    const char *to = ax_str_c(ctx->arena, path);
    if (!to)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    if (ax_file_exists(path))
        return ax_fail(ctx, AX_CONFLICT, "%s exists already", to);
    ax_mutex_lock(&store->mutex);
    while (store->carer.taken)
        ax_cond_wait(&store->released, &store->mutex);
    store->carer.taken = true;
    ax_mutex_unlock(&store->mutex);
    ax_status status = copy_pages(store, ctx, to);
    ax_sqlite_release(store, &store->carer);
    if (status == AX_OK)
        status = sync_copy(ctx, path);
    if (status != AX_OK) {
        char words[AX_ERROR_BYTES_MAX];
        memcpy(words, ctx->error, sizeof words);
        ax_ignore(ax_file_remove(ctx, path), "it may not be there");
        memcpy(ctx->error, words, sizeof words);
    }
    return status;
}

ax_status
ax_sqlite_check(struct ax_store *base, struct ax_ctx *ctx)
{
    struct ax_store_tx *tx;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(base, ctx, AX_STORE_READ, &tx));
    ax_status status =
        ax_store_query(tx, ctx, AX_STR("pragma integrity_check(1)"), AX_STORE_NO_PARAMS, &rows);
    if (status == AX_OK) {
        bool row = ax_store_next(rows);
        ax_str found = row ? ax_store_read_text(rows, 0) : AX_STR("no answer");
        status = ax_store_finish(rows);
        if (status == AX_OK && !ax_str_eq(found, AX_STR("ok")))
            status = ax_fail(ctx, AX_CORRUPT, "database: %.*s", AX_FMT(found));
    }
    ax_store_rollback(tx);
    return status;
}
