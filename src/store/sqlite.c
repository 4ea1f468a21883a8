#include "store/sqlite.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/fault.h"
#include "store/sqlite_parts.h"
#include "sys/clock.h"

enum { PROGRESS_STEPS = 20'000 };

struct sqlite_rows {
    struct ax_store_rows base;
    struct ax_sqlite_statement *statement;
};

struct sqlite_tx {
    struct ax_store_tx base;
    struct ax_sqlite_connection *connection;
    struct sqlite_rows rows[AX_STORE_ROWS_OPEN_MAX];
    bool open[AX_STORE_ROWS_OPEN_MAX];
};

const struct ax_settings ax_sqlite_settings = {
    .section = "store",
    .rows =
        (const struct ax_setting[]){
            {"reader_count", "connections for reading", AX_SETTING_COUNT,
             offsetof(struct ax_sqlite_config, reader_count), 4, 1, AX_SQLITE_READERS_MAX, NULL},
            {"busy_ms_max", "longest wait for the writer, within the request's deadline",
             AX_SETTING_DURATION_MS, offsetof(struct ax_sqlite_config, busy_ms_max), 5'000, 1,
             600'000, NULL},
            {"log_bytes_max", "write-ahead log that is moved by the commit that meets it",
             AX_SETTING_BYTES, offsetof(struct ax_sqlite_config, log_bytes_max), 64 << 20, 1 << 20,
             1LL << 40, NULL},
            {"bytes_max", "largest database file; 0: as large as the disk", AX_SETTING_BYTES,
             offsetof(struct ax_sqlite_config, bytes_max), 0, 0, (double)(1LL << 46), NULL},
            {"cache_bytes", "pages that each connection may keep in memory", AX_SETTING_BYTES,
             offsetof(struct ax_sqlite_config, cache_bytes), 16 << 20, 1 << 20, 1LL << 36, NULL},
        },
    .row_count = 5,
};

/* ---- errors ---- */

ax_status
ax_sqlite_status(int code)
{
    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_FOREIGNKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return AX_CONFLICT;
    default:
        break;
    }
    switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return AX_INVALID;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
        return AX_LIMIT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return AX_CORRUPT;
    case SQLITE_INTERRUPT:
        return AX_TIMEOUT;
    case SQLITE_READONLY:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return AX_UNAVAILABLE;
    default:
        return AX_INTERNAL;
    }
}

ax_status
ax_sqlite_failed(struct ax_ctx *ctx, sqlite3 *db, const char *what)
{
    ax_status status = ax_sqlite_status(sqlite3_extended_errcode(db));
    return ax_fail(ctx, status, "database: %s: %s", what, sqlite3_errmsg(db));
}

/* ---- connections ---- */

/* Stops what runs past its deadline. */
static int
progress(void *arg)
{
    const struct ax_sqlite_connection *connection = arg;
    return connection->ctx && ax_clock_left_ns(connection->ctx->deadline_ns) == 0;
}

static void
close_connection(struct ax_sqlite_connection *connection)
{
    for (size_t i = 0; i < AX_SQLITE_STATEMENTS; i++)
        sqlite3_finalize(connection->statements[i].stmt);
    sqlite3_close(connection->db);
    *connection = (struct ax_sqlite_connection){};
}

static ax_status
open_connection(struct ax_ctx *ctx, const struct ax_sqlite_store *store,
                const struct ax_sqlite_config *config, struct ax_sqlite_connection *out)
{
    static const char setup[] = "pragma journal_mode=wal;"
                                "pragma synchronous=full;"
                                "pragma foreign_keys=on;"
                                "pragma wal_autocheckpoint=0;"
                                "pragma trusted_schema=off;"
                                "pragma temp_store=memory;";
    char limit[64];
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (ax_fault_here())
        return ax_fail(ctx, AX_UNAVAILABLE, "database: open %s: no", store->path);
    if (sqlite3_open_v2(store->path, &out->db, flags, NULL) != SQLITE_OK) {
        ax_status status = out->db ? ax_sqlite_failed(ctx, out->db, store->path)
                                   : ax_fail(ctx, AX_LIMIT, "no memory for a database connection");
        sqlite3_close(out->db);
        out->db = NULL;
        return status;
    }
    sqlite3_extended_result_codes(out->db, 1);
    sqlite3_busy_timeout(out->db, (int)config->busy_ms_max);
    if (sqlite3_exec(out->db, setup, NULL, NULL, NULL) != SQLITE_OK)
        return ax_sqlite_failed(ctx, out->db, store->path);
    snprintf(limit, sizeof limit, "pragma cache_size=-%lld",
             (long long)(config->cache_bytes / 1024));
    if (sqlite3_exec(out->db, limit, NULL, NULL, NULL) != SQLITE_OK)
        return ax_sqlite_failed(ctx, out->db, store->path);
    if (config->bytes_max > 0) {
        snprintf(limit, sizeof limit, "pragma max_page_count=%lld",
                 (long long)(config->bytes_max / 4096));
        if (sqlite3_exec(out->db, limit, NULL, NULL, NULL) != SQLITE_OK)
            return ax_sqlite_failed(ctx, out->db, store->path);
    }
    sqlite3_progress_handler(out->db, PROGRESS_STEPS, progress, out);
    return AX_OK;
}

/* A free connection of the kind, or NULL. The caller holds the mutex. */
static struct ax_sqlite_connection *
take_free(struct ax_sqlite_store *store, enum ax_store_access access)
{
    if (access == AX_STORE_WRITE) {
        if (store->writer.taken)
            return NULL;
        store->writer.taken = true;
        return &store->writer;
    }
    for (size_t i = 0; i < store->reader_count; i++)
        if (!store->readers[i].taken) {
            store->readers[i].taken = true;
            return &store->readers[i];
        }
    return NULL;
}

static ax_status
acquire(struct ax_sqlite_store *store, struct ax_ctx *ctx, enum ax_store_access access,
        struct ax_sqlite_connection **out)
{
    int64_t until_ns = ax_clock_monotonic_ns() + store->busy_ms_max * 1'000'000;
    if (ctx->deadline_ns < until_ns)
        until_ns = ctx->deadline_ns;
    ax_mutex_lock(&store->mutex);
    while (!(*out = take_free(store, access)) &&
           ax_cond_wait_until(&store->released, &store->mutex, until_ns))
        continue;
    ax_mutex_unlock(&store->mutex);
    return *out ? AX_OK
                : ax_fail(ctx, AX_UNAVAILABLE, "the database is busy: no %s became free in time",
                          access == AX_STORE_WRITE ? "writer" : "reader");
}

void
ax_sqlite_release(struct ax_sqlite_store *store, struct ax_sqlite_connection *connection)
{
    ax_mutex_lock(&store->mutex);
    connection->taken = false;
    connection->ctx = NULL;
    ax_cond_broadcast(&store->released);
    ax_mutex_unlock(&store->mutex);
}

/* ---- statements ---- */

static struct ax_sqlite_statement *
find_statement(struct ax_sqlite_connection *connection, ax_str sql)
{
    for (size_t i = 0; i < AX_SQLITE_STATEMENTS; i++) {
        struct ax_sqlite_statement *statement = &connection->statements[i];
        if (statement->stmt && !statement->busy && ax_str_eq(statement->sql, sql))
            return statement;
    }
    return NULL;
}

/* The place of the one that was not used for longest. */
static struct ax_sqlite_statement *
make_room(struct ax_sqlite_connection *connection)
{
    struct ax_sqlite_statement *oldest = NULL;
    for (size_t i = 0; i < AX_SQLITE_STATEMENTS; i++) {
        struct ax_sqlite_statement *statement = &connection->statements[i];
        if (statement->busy)
            continue;
        if (!statement->stmt)
            return statement;
        if (!oldest || statement->used < oldest->used)
            oldest = statement;
    }
    AX_ASSERT(oldest != NULL); /* fewer rows may be open than there are places */
    sqlite3_finalize(oldest->stmt);
    *oldest = (struct ax_sqlite_statement){};
    return oldest;
}

static int
look_up(const struct ax_sqlite_statement *statement, size_t parameter)
{
    char name[24];
    snprintf(name, sizeof name, "$%zu", parameter);
    return sqlite3_bind_parameter_index(statement->stmt, name);
}

/* SQLite numbers parameters as they appear; looking one up by name costs a walk over all. */
static void
note_parameters(struct ax_sqlite_statement *statement)
{
    statement->parameter_count = (size_t)sqlite3_bind_parameter_count(statement->stmt);
    statement->in_order = true;
    for (size_t i = 1; i <= statement->parameter_count; i++) {
        int place = look_up(statement, i);
        statement->in_order = statement->in_order && (size_t)place == i;
        if (i <= AX_SQLITE_PLACES)
            statement->places[i - 1] = place <= UINT8_MAX ? (uint8_t)place : 0;
        else if (!statement->in_order)
            return;
    }
}

static ax_status
prepare(struct ax_ctx *ctx, struct ax_sqlite_connection *connection, ax_str sql,
        struct ax_sqlite_statement **out)
{
    struct ax_sqlite_statement *statement = find_statement(connection, sql);
    if (!statement) {
        statement = make_room(connection);
        if (sqlite3_prepare_v3(connection->db, sql.at, (int)sql.len, SQLITE_PREPARE_PERSISTENT,
                               &statement->stmt, NULL) != SQLITE_OK)
            return ax_sqlite_failed(ctx, connection->db, "prepare");
        if (!statement->stmt)
            return ax_fail(ctx, AX_INTERNAL, "database: an empty statement");
        statement->sql = ax_str_of(sqlite3_sql(statement->stmt));
        note_parameters(statement);
    }
    statement->used = ++connection->clock;
    *out = statement;
    return AX_OK;
}

/* keep: SQLITE_TRANSIENT copies the bytes, SQLITE_STATIC leaves them where they are. */
static int
bind_value(sqlite3_stmt *stmt, int at, const ax_store_value *value, sqlite3_destructor_type keep)
{
    switch (value->kind) {
    case AX_STORE_I64:
        return sqlite3_bind_int64(stmt, at, value->i64);
    case AX_STORE_F64:
        return sqlite3_bind_double(stmt, at, value->f64);
    case AX_STORE_TEXT:
        return sqlite3_bind_text64(stmt, at, value->bytes.at ? value->bytes.at : "",
                                   value->bytes.len, keep, SQLITE_UTF8);
    case AX_STORE_BLOB:
        return value->bytes.len
                   ? sqlite3_bind_blob64(stmt, at, value->bytes.at, value->bytes.len, keep)
                   : sqlite3_bind_zeroblob(stmt, at, 0);
    case AX_STORE_NULL:
        break;
    }
    return sqlite3_bind_null(stmt, at);
}

static int
place_of(const struct ax_sqlite_statement *statement, size_t parameter)
{
    if (statement->in_order)
        return (int)parameter;
    if (parameter <= AX_SQLITE_PLACES && statement->places[parameter - 1])
        return statement->places[parameter - 1];
    return look_up(statement, parameter);
}

static ax_status
bind(struct ax_ctx *ctx, struct ax_sqlite_connection *connection,
     const struct ax_sqlite_statement *statement, ax_store_params params,
     sqlite3_destructor_type keep)
{
    sqlite3_stmt *stmt = statement->stmt;
    if (statement->parameter_count != params.count)
        return ax_fail(ctx, AX_INTERNAL, "database: %zu parameters are named, %zu given",
                       statement->parameter_count, params.count);
    for (size_t i = 0; i < params.count; i++) {
        int at = place_of(statement, i + 1);
        if (at == 0)
            return ax_fail(ctx, AX_INTERNAL, "database: no parameter $%zu in the statement", i + 1);
        if (bind_value(stmt, at, &params.items[i], keep) != SQLITE_OK)
            return ax_sqlite_failed(ctx, connection->db, "bind");
    }
    return AX_OK;
}

static void
reset(struct ax_sqlite_statement *statement)
{
    sqlite3_reset(statement->stmt);
    sqlite3_clear_bindings(statement->stmt);
    statement->busy = false;
}

static ax_status
ready(struct sqlite_tx *tx, struct ax_ctx *ctx, ax_str sql, struct ax_sqlite_statement **out)
{
    struct ax_sqlite_connection *connection = tx->connection;
    *out = NULL;
    connection->ctx = ctx;
    if (ax_fault_here())
        return ax_fail(ctx, AX_UNAVAILABLE, "database: input/output error");
    AX_TRY(prepare(ctx, connection, sql, out));
    AX_ASSERT(*out != NULL);
    if (tx->base.access == AX_STORE_READ && !sqlite3_stmt_readonly((*out)->stmt))
        return ax_fail(ctx, AX_DENIED, "database: a write in a transaction that only reads");
    return AX_OK;
}

/* One run of a statement that is ready; what is bound is borrowed until it has run. */
static ax_status
run_ready(struct sqlite_tx *tx, struct ax_ctx *ctx, struct ax_sqlite_statement *statement,
          ax_store_params params, int64_t *out_changed)
{
    sqlite3 *db = tx->connection->db;
    ax_status status = bind(ctx, tx->connection, statement, params, SQLITE_STATIC);
    int code = SQLITE_ROW;
    while (status == AX_OK && code == SQLITE_ROW)
        code = sqlite3_step(statement->stmt);
    if (status == AX_OK && code != SQLITE_DONE)
        status = ax_sqlite_failed(ctx, db, "run a statement");
    *out_changed = sqlite3_changes64(db);
    reset(statement);
    return status;
}

static ax_status
run(struct ax_store_tx *base, struct ax_ctx *ctx, ax_str sql, ax_store_params params,
    int64_t *out_changed)
{
    struct sqlite_tx *tx = (struct sqlite_tx *)base;
    struct ax_sqlite_statement *statement;
    AX_TRY(ready(tx, ctx, sql, &statement));
    return run_ready(tx, ctx, statement, params, out_changed);
}

static ax_status
run_each(struct ax_store_tx *base, struct ax_ctx *ctx, ax_str sql, const ax_store_params *params,
         size_t count, int64_t *out_changed)
{
    struct sqlite_tx *tx = (struct sqlite_tx *)base;
    struct ax_sqlite_statement *statement;
    int64_t changed;
    AX_TRY(ready(tx, ctx, sql, &statement));
    for (size_t i = 0; i < count; i++) {
        AX_TRY(run_ready(tx, ctx, statement, params[i], &changed));
        *out_changed += changed;
    }
    return AX_OK;
}

static ax_status
query(struct ax_store_tx *base, struct ax_ctx *ctx, ax_str sql, ax_store_params params,
      struct ax_store_rows **out_rows)
{
    struct sqlite_tx *tx = (struct sqlite_tx *)base;
    struct ax_sqlite_statement *statement;
    size_t at = 0;
    while (at < AX_STORE_ROWS_OPEN_MAX && tx->open[at])
        at++;
    if (at == AX_STORE_ROWS_OPEN_MAX)
        return ax_fail(ctx, AX_LIMIT, "database: %d queries are open already",
                       AX_STORE_ROWS_OPEN_MAX);
    AX_TRY(ready(tx, ctx, sql, &statement));
    ax_status status = bind(ctx, tx->connection, statement, params, SQLITE_TRANSIENT);
    if (status != AX_OK) {
        reset(statement);
        return status;
    }
    statement->busy = true;
    tx->open[at] = true;
    tx->rows[at] = (struct sqlite_rows){.statement = statement};
    *out_rows = &tx->rows[at].base;
    return AX_OK;
}

static ax_status
next(struct ax_store_rows *base, bool *out_row)
{
    struct sqlite_rows *rows = (struct sqlite_rows *)base;
    struct sqlite_tx *tx = (struct sqlite_tx *)base->tx;
    *out_row = false;
    if (ax_fault_here())
        return ax_fail(base->ctx, AX_UNAVAILABLE, "database: input/output error");
    int code = sqlite3_step(rows->statement->stmt);
    *out_row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE
               ? AX_OK
               : ax_sqlite_failed(base->ctx, tx->connection->db, "read a row");
}

static ax_store_value
column(struct ax_store_rows *base, int at)
{
    sqlite3_stmt *stmt = ((struct sqlite_rows *)base)->statement->stmt;
    switch (sqlite3_column_type(stmt, at)) {
    case SQLITE_INTEGER:
        return ax_store_i64(sqlite3_column_int64(stmt, at));
    case SQLITE_FLOAT:
        return ax_store_f64(sqlite3_column_double(stmt, at));
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_column_text(stmt, at);
        return ax_store_text((ax_str){text, (size_t)sqlite3_column_bytes(stmt, at)});
    }
    case SQLITE_BLOB: {
        const char *bytes = sqlite3_column_blob(stmt, at);
        return ax_store_blob((ax_str){bytes ? bytes : "", (size_t)sqlite3_column_bytes(stmt, at)});
    }
    default:
        return ax_store_null();
    }
}

static void
finish(struct ax_store_rows *base)
{
    struct sqlite_rows *rows = (struct sqlite_rows *)base;
    struct sqlite_tx *tx = (struct sqlite_tx *)base->tx;
    reset(rows->statement);
    tx->open[rows - tx->rows] = false;
}

static ax_status
script(struct ax_store_tx *base, struct ax_ctx *ctx, ax_str text)
{
    struct sqlite_tx *tx = (struct sqlite_tx *)base;
    const char *sql = ax_str_c(ctx->arena, text);
    if (!sql)
        return ax_fail(ctx, AX_LIMIT, "no memory for a script");
    if (ax_fault_here())
        return ax_fail(ctx, AX_UNAVAILABLE, "database: input/output error");
    tx->connection->ctx = ctx;
    if (sqlite3_exec(tx->connection->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return ax_sqlite_failed(ctx, tx->connection->db, "run a script");
    return AX_OK;
}

/* ---- transactions ---- */

/* A reader sees the state at its begin: SQLite takes the snapshot at the first read. */
static ax_status
begin_on(struct ax_sqlite_connection *connection, struct ax_ctx *ctx, enum ax_store_access access)
{
    const char *sql =
        access == AX_STORE_WRITE ? "begin immediate" : "begin; select 1 from sqlite_schema limit 1";
    connection->ctx = ctx;
    if (ax_fault_here())
        return ax_fail(ctx, AX_UNAVAILABLE, "database: input/output error");
    if (sqlite3_exec(connection->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return AX_OK;
    ax_status status = ax_sqlite_failed(ctx, connection->db, "begin");
    if (!sqlite3_get_autocommit(connection->db))
        sqlite3_exec(connection->db, "rollback", NULL, NULL, NULL);
    return status;
}

static ax_status
begin(struct ax_store *base, struct ax_ctx *ctx, enum ax_store_access access,
      struct ax_store_tx **out_tx)
{
    struct ax_sqlite_store *store = (struct ax_sqlite_store *)base;
    struct ax_sqlite_connection *connection;
    AX_TRY(acquire(store, ctx, access, &connection));
    struct sqlite_tx *tx = ax_alloc(sizeof *tx, 1);
    ax_status status = tx ? begin_on(connection, ctx, access)
                          : ax_fail(ctx, AX_LIMIT, "no memory for a transaction");
    if (status != AX_OK) {
        ax_free(tx);
        ax_sqlite_release(store, connection);
        return status;
    }
    tx->connection = connection;
    *out_tx = &tx->base;
    return AX_OK;
}

static void
close_rows(struct sqlite_tx *tx)
{
    for (size_t i = 0; i < AX_STORE_ROWS_OPEN_MAX; i++)
        if (tx->open[i]) {
            reset(tx->rows[i].statement);
            tx->open[i] = false;
        }
}

static void
end(struct sqlite_tx *tx)
{
    ax_sqlite_release((struct ax_sqlite_store *)tx->base.store, tx->connection);
    ax_free(tx);
}

static void
rollback(struct ax_store_tx *base)
{
    struct sqlite_tx *tx = (struct sqlite_tx *)base;
    close_rows(tx);
    tx->connection->ctx = NULL; /* this must run, deadline or not */
    if (!sqlite3_get_autocommit(tx->connection->db))
        sqlite3_exec(tx->connection->db, "rollback", NULL, NULL, NULL);
    end(tx);
}

static ax_status
commit(struct ax_store_tx *base, struct ax_ctx *ctx)
{
    struct sqlite_tx *tx = (struct sqlite_tx *)base;
    close_rows(tx);
    tx->connection->ctx = NULL;
    if (ax_fault_here()) {
        rollback(base);
        return ax_fail(ctx, AX_UNAVAILABLE, "database: commit: input/output error");
    }
    if (sqlite3_exec(tx->connection->db, "commit", NULL, NULL, NULL) != SQLITE_OK) {
        ax_status status = ax_sqlite_failed(ctx, tx->connection->db, "commit");
        rollback(base);
        return status;
    }
    end(tx);
    return AX_OK;
}

static ax_status
save(struct ax_store_tx *base, struct ax_ctx *ctx, enum ax_store_save what)
{
    static const char *const words[] = {[AX_STORE_SAVE] = "savepoint member",
                                        [AX_STORE_SAVED] = "release member",
                                        [AX_STORE_UNDO] = "rollback to member; release member"};
    struct sqlite_tx *tx = (struct sqlite_tx *)base;
    close_rows(tx);
    tx->connection->ctx = NULL;
    if (what == AX_STORE_CLOSE_ROWS)
        return AX_OK;
    if (ax_fault_here())
        return ax_fail(ctx, AX_UNAVAILABLE, "database: savepoint: input/output error");
    /* After some failures SQLite has ended the transaction, and there is no savepoint. */
    if (sqlite3_exec(tx->connection->db, words[what], NULL, NULL, NULL) != SQLITE_OK)
        return ax_sqlite_failed(ctx, tx->connection->db, "savepoint");
    return AX_OK;
}

/* ---- opening and closing ---- */

static void
store_close(struct ax_store *base)
{
    struct ax_sqlite_store *store = (struct ax_sqlite_store *)base;
    for (size_t i = 0; i < AX_SQLITE_READERS_MAX; i++)
        close_connection(&store->readers[i]);
    close_connection(&store->carer);
    close_connection(&store->writer); /* last: it moves the log into the file */
    ax_cond_done(&store->released);
    ax_mutex_done(&store->mutex);
    ax_free(store->path);
    ax_free(store);
}

static const struct ax_store_ops ops = {
    .name = "sqlite",
    .dialect = AX_STORE_SQLITE,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .save = save,
    .run = run,
    .run_each = run_each,
    .query = query,
    .next = next,
    .column = column,
    .finish = finish,
    .script = script,
    .maintain = ax_sqlite_maintain,
    .backup = ax_sqlite_backup,
    .check = ax_sqlite_check,
    .close = store_close,
};

ax_status
ax_sqlite_open(struct ax_ctx *ctx, const struct ax_sqlite_config *config,
               struct ax_store **out_store)
{
    struct ax_sqlite_store *store = ax_alloc(sizeof *store, 1);
    if (!store)
        return ax_fail(ctx, AX_LIMIT, "no memory for a database");
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* nobody asks; each allocation took a lock */
    ax_store_init(&store->base, &ops, config->busy_ms_max);
    store->busy_ms_max = config->busy_ms_max;
    store->log_bytes_max = config->log_bytes_max;
    ax_mutex_init(&store->mutex);
    ax_cond_init(&store->released);
    store->path = ax_alloc(config->path.len + 1, 1);
    ax_status status =
        store->path ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for the path of a database");
    if (status == AX_OK) {
        memcpy(store->path, config->path.at, config->path.len);
        status = open_connection(ctx, store, config, &store->writer);
    }
    if (status == AX_OK)
        status = open_connection(ctx, store, config, &store->carer);
    store->reader_count = (size_t)config->reader_count;
    for (size_t i = 0; status == AX_OK && i < store->reader_count; i++)
        status = open_connection(ctx, store, config, &store->readers[i]);
    if (status != AX_OK) {
        ax_store_close(&store->base);
        return status;
    }
    *out_store = &store->base;
    return AX_OK;
}
