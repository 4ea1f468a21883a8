#include "store/postgres.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "store/postgres_parts.h"
#include "sys/clock.h"

enum { COMMIT_MS_MAX = 60'000, ROLLBACK_MS_MAX = 5'000, BEGIN_BYTES_MAX = 400 };

#define MS 1'000'000LL

/* The first half of the advisory locks: "axio" in ASCII for the writer, the next for claims. */
#define WRITER_LOCK "1635281263, hashtext(current_schema())"
#define CLAIM_LOCK  "1635281264, hashtext(current_schema() || '/' || $1)"

const struct ax_settings ax_postgres_settings = {
    .section = "postgres",
    .rows =
        (const struct ax_setting[]){
            {"reader_count", "connections for reading; one more writes", AX_SETTING_COUNT,
             offsetof(struct ax_postgres_config, reader_count), 6, 1, AX_POSTGRES_READERS_MAX,
             NULL},
            {"busy_ms_max", "longest wait for a connection or the writer, within the deadline",
             AX_SETTING_DURATION_MS, offsetof(struct ax_postgres_config, busy_ms_max), 5'000, 1,
             600'000, NULL},
            {"connect_ms_max", "longest wait for one host of the URL, in whole seconds",
             AX_SETTING_DURATION_MS, offsetof(struct ax_postgres_config, connect_ms_max), 5'000,
             2'000, 600'000, NULL},
            {"copy_ms_max", "longest run of pg_dump and pg_restore", AX_SETTING_DURATION_MS,
             offsetof(struct ax_postgres_config, copy_ms_max), 3'600'000, 1'000, 86'400'000, NULL},
            {"held_bytes_max", "rows of one query that wait while another statement runs",
             AX_SETTING_BYTES, offsetof(struct ax_postgres_config, held_bytes_max), 64 << 20,
             1 << 20, 1LL << 34, NULL},
        },
    .row_count = 5,
};

bool
ax_postgres_is_url(ax_str text)
{
    return ax_str_starts(text, AX_STR("postgresql://")) ||
           ax_str_starts(text, AX_STR("postgres://"));
}

/* ---- the pool ---- */

/* A free connection of the kind, or NULL; one that is open before one that is not. */
static struct ax_postgres_connection *
take_free(struct ax_postgres_store *store, enum ax_store_access access)
{
    struct ax_postgres_connection *found = NULL;
    if (access == AX_STORE_WRITE)
        found = store->writer.taken ? NULL : &store->writer;
    for (size_t i = 0; access == AX_STORE_READ && i < (size_t)store->config.reader_count; i++) {
        struct ax_postgres_connection *reader = &store->readers[i];
        if (!reader->taken && (!found || (reader->pg && !found->pg)))
            found = reader;
    }
    if (found)
        found->taken = true;
    return found;
}

static ax_status
acquire(struct ax_postgres_store *store, struct ax_ctx *ctx, enum ax_store_access access,
        int64_t until_ns, struct ax_postgres_connection **out)
{
    ax_mutex_lock(&store->mutex);
    while (!(*out = take_free(store, access)) &&
           ax_cond_wait_until(&store->released, &store->mutex, until_ns))
        continue;
    ax_mutex_unlock(&store->mutex);
    return *out ? AX_OK
                : ax_fail(ctx, AX_UNAVAILABLE, "the database is busy: no %s became free in time",
                          access == AX_STORE_WRITE ? "writer" : "reader");
}

static void
release(struct ax_postgres_store *store, struct ax_postgres_connection *connection)
{
    if (connection->broken)
        ax_postgres_disconnect(connection);
    ax_mutex_lock(&store->mutex);
    connection->taken = false;
    ax_cond_broadcast(&store->released);
    ax_mutex_unlock(&store->mutex);
}

/* ---- transactions ---- */

static int64_t
later(int64_t until_ns)
{
    const int64_t grace_ns = AX_POSTGRES_GRACE_MS * MS;
    return until_ns > INT64_MAX - grace_ns ? INT64_MAX : until_ns + grace_ns;
}

/* In front of the first statement, in one message: isolation, timeouts, the writer's lock or the
 * reader's snapshot. Under the lock each statement of a writer sees all that was committed. */
static ax_status
send_begin(struct ax_ctx *ctx, struct ax_postgres_connection *connection,
           enum ax_store_access access, int64_t until_ns)
{
    char sql[BEGIN_BYTES_MAX];
    int64_t wait_ms = ax_clock_left_ns(until_ns) / MS + 1;
    wait_ms = wait_ms < INT32_MAX ? wait_ms : 0;
    int64_t left_ms = ax_clock_left_ns(ctx->deadline_ns) / MS + 1;
    connection->timeout_ms = left_ms < INT32_MAX ? left_ms : 0;
    snprintf(sql, sizeof sql,
             access == AX_STORE_WRITE
                 ? "begin isolation level read committed, read write; "
                   "set local lock_timeout = %lld; set local statement_timeout = %lld; "
                   "select pg_advisory_xact_lock(" WRITER_LOCK ")"
                 : "begin isolation level repeatable read, read only; "
                   "set local lock_timeout = %lld; set local statement_timeout = %lld; select 1",
             (long long)wait_ms, (long long)connection->timeout_ms);
    return ax_postgres_command(ctx, connection, later(until_ns), sql);
}

static void
undo(struct ax_postgres_connection *connection)
{
    struct ax_ctx aside = ax_ctx_of(NULL);
    int64_t until_ns = ax_clock_monotonic_ns() + ROLLBACK_MS_MAX * MS;
    if (connection->broken || PQtransactionStatus(connection->pg) == PQTRANS_IDLE)
        return;
    ax_fault_benign_begin(); /* a connection that will not go back is closed: nothing is left */
    if (ax_postgres_command(&aside, connection, until_ns, "rollback") != AX_OK)
        connection->broken = true;
    ax_fault_benign_end();
}

static ax_status
try_begin(struct ax_ctx *ctx, struct ax_postgres_connection *connection,
          enum ax_store_access access, int64_t until_ns)
{
    ax_status status = send_begin(ctx, connection, access, until_ns);
    if (status == AX_OK)
        return AX_OK;
    if (status == AX_TIMEOUT)
        status = ax_fail(ctx, AX_UNAVAILABLE, "the database is busy: no answer in time");
    if (status == AX_DENIED || status == AX_UNSUPPORTED) { /* a standby: somebody else is primary */
        connection->broken = true;
        status = ax_explain(ctx, AX_UNAVAILABLE, "the database takes no writes");
    }
    undo(connection);
    return status;
}

/* On a connection that may have died since it was last used; then once more on a new one. */
static ax_status
begin_on(struct ax_postgres_store *store, struct ax_ctx *ctx,
         struct ax_postgres_connection *connection, enum ax_store_access access, int64_t until_ns)
{
    if (connection->pg) {
        ax_fault_benign_begin();
        ax_status status = try_begin(ctx, connection, access, until_ns);
        ax_fault_benign_end();
        if (status == AX_OK || !connection->broken)
            return status;
        ax_postgres_disconnect(connection);
    }
    AX_TRY(ax_postgres_connect(ctx, store, connection));
    return try_begin(ctx, connection, access, until_ns);
}

static ax_status
begin(struct ax_store *base, struct ax_ctx *ctx, enum ax_store_access access,
      struct ax_store_tx **out_tx)
{
    struct ax_postgres_store *store = (struct ax_postgres_store *)base;
    struct ax_postgres_connection *connection;
    int64_t until_ns = ax_clock_monotonic_ns() + store->config.busy_ms_max * MS;
    if (ctx->deadline_ns < until_ns)
        until_ns = ctx->deadline_ns;
    AX_TRY(acquire(store, ctx, access, until_ns, &connection));
    struct ax_postgres_tx *tx = ax_alloc(sizeof *tx, 1);
    ax_status status = tx ? begin_on(store, ctx, connection, access, until_ns)
                          : ax_fail(ctx, AX_LIMIT, "no memory for a transaction");
    if (status != AX_OK) {
        ax_free(tx);
        release(store, connection);
        return status;
    }
    tx->connection = connection;
    *out_tx = &tx->base;
    return AX_OK;
}

static void
end(struct ax_postgres_tx *tx)
{
    struct ax_ctx aside = ax_ctx_of(NULL);
    int64_t until_ns = ax_clock_monotonic_ns() + ROLLBACK_MS_MAX * MS;
    ax_fault_benign_begin(); /* a connection that will not let go is closed, and its locks go */
    if (tx->claims && !tx->connection->broken &&
        ax_postgres_command(&aside, tx->connection, until_ns, "select pg_advisory_unlock_all()") !=
            AX_OK)
        tx->connection->broken = true;
    ax_fault_benign_end();
    release((struct ax_postgres_store *)tx->base.store, tx->connection);
    ax_free(tx);
}

static void
rollback(struct ax_store_tx *base)
{
    struct ax_postgres_tx *tx = (struct ax_postgres_tx *)base;
    struct ax_ctx aside = ax_ctx_of(NULL);
    aside.deadline_ns = ax_clock_monotonic_ns() + ROLLBACK_MS_MAX * MS;
    ax_fault_benign_begin();
    ax_postgres_close_rows(tx, &aside);
    ax_fault_benign_end();
    undo(tx->connection);
    end(tx);
}

/* The server answers a commit of what has failed with "ROLLBACK", and with no error. */
static ax_status
send_commit(struct ax_ctx *ctx, struct ax_postgres_connection *connection)
{
    int64_t until_ns = ax_clock_monotonic_ns() + COMMIT_MS_MAX * MS;
    PGresult *result = NULL;
    if (connection->broken)
        return ax_fail(ctx, AX_UNAVAILABLE, "database: commit: the connection is lost");
    AX_TRY(ax_postgres_flush(ctx, connection, until_ns, PQsendQuery(connection->pg, "commit")));
    AX_TRY(ax_postgres_await(ctx, connection, until_ns, &result));
    ax_status status = ax_postgres_judge(ctx, connection, result, "commit");
    if (status == AX_OK && strcmp(PQcmdStatus(result), "COMMIT") != 0)
        status = ax_fail(ctx, AX_CONFLICT, "database: commit: it was rolled back");
    PQclear(result);
    ax_fault_benign_begin(); /* the answer is known; a connection in doubt is closed */
    struct ax_ctx aside = ax_ctx_of(NULL);
    if (ax_postgres_discard(&aside, connection, until_ns, "commit") != AX_OK)
        connection->broken = true;
    ax_fault_benign_end();
    return status;
}

static ax_status
commit(struct ax_store_tx *base, struct ax_ctx *ctx)
{
    struct ax_postgres_tx *tx = (struct ax_postgres_tx *)base;
    struct ax_ctx aside = ax_ctx_of(NULL);
    aside.deadline_ns = ax_clock_monotonic_ns() + ROLLBACK_MS_MAX * MS;
    ax_postgres_close_rows(tx, &aside);
    ax_status status = send_commit(ctx, tx->connection);
    if (status == AX_TIMEOUT)
        status = ax_explain(ctx, AX_UNAVAILABLE, "commit");
    undo(tx->connection);
    end(tx);
    return status;
}

/* ---- care ---- */

static ax_status
save(struct ax_store_tx *base, struct ax_ctx *ctx, enum ax_store_save what)
{
    static const char *const words[] = {[AX_STORE_SAVE] = "savepoint member",
                                        [AX_STORE_SAVED] = "release member",
                                        [AX_STORE_UNDO] = "rollback to member; release member"};
    struct ax_postgres_tx *tx = (struct ax_postgres_tx *)base;
    int64_t until_ns = ax_clock_monotonic_ns() + ROLLBACK_MS_MAX * MS;
    ax_postgres_close_rows(tx, ctx);
    if (tx->connection->broken)
        return ax_fail(ctx, AX_UNAVAILABLE, "database: the connection is lost");
    if (what == AX_STORE_CLOSE_ROWS)
        return AX_OK;
    return ax_postgres_command(ctx, tx->connection, until_ns, words[what]);
}

/* The lock is the session's, so that a reader may take a new snapshot under it. */
static ax_status
claim(struct ax_store_tx *base, struct ax_ctx *ctx, ax_str name, bool *out_mine)
{
    struct ax_postgres_tx *tx = (struct ax_postgres_tx *)base;
    int64_t until_ns = ax_postgres_until(ctx), mine;
    tx->claims = true;
    AX_TRY(ax_store_get_i64(base, ctx, AX_STR("select pg_try_advisory_lock(" CLAIM_LOCK ")"),
                            AX_STORE_PARAMS(ax_store_text(name)), &mine));
    if (mine && base->access == AX_STORE_READ) {
        AX_TRY(ax_postgres_command(ctx, tx->connection, until_ns, "rollback"));
        AX_TRY(send_begin(ctx, tx->connection, AX_STORE_READ, until_ns));
    }
    *out_mine = mine != 0;
    return AX_OK;
}

static ax_status
maintain(struct ax_store *base, struct ax_ctx *ctx, struct ax_store_upkeep *out_upkeep)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t bytes;
    AX_TRY(ax_store_begin(base, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_get_i64(tx, ctx, AX_STR("select pg_database_size(current_database())"),
                            AX_STORE_NO_PARAMS, &bytes));
    *out_upkeep = (struct ax_store_upkeep){.log_bytes = 0, .database_bytes = bytes};
    return AX_OK;
}

/* Reads each column of each row of each table: a damaged page or value does not come through. */
static ax_status
check(struct ax_store *base, struct ax_ctx *ctx)
{
    static const char tables[] =
        "select format('select coalesce(sum(length(x::text)), 0)::bigint from %I.%I x', "
        "schemaname, tablename) from pg_tables where schemaname = current_schema()";
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    ax_status status = AX_OK;
    int64_t bytes;
    AX_TRY(ax_store_begin(base, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx, ax_str_of(tables), AX_STORE_NO_PARAMS, &rows));
    while (status == AX_OK && ax_store_next(rows)) {
        ax_str sql = ax_store_read_text(rows, 0);
        if (rows->status == AX_OK)
            status = ax_store_get_i64(tx, ctx, sql, AX_STORE_NO_PARAMS, &bytes);
    }
    ax_status finished = ax_store_finish(rows);
    return status == AX_OK ? finished : status;
}

/* ---- opening and closing ---- */

static void
store_close(struct ax_store *base)
{
    struct ax_postgres_store *store = (struct ax_postgres_store *)base;
    for (size_t i = 0; i < AX_POSTGRES_READERS_MAX; i++)
        ax_postgres_disconnect(&store->readers[i]);
    ax_postgres_disconnect(&store->writer);
    ax_cond_done(&store->released);
    ax_mutex_done(&store->mutex);
    ax_free(store->url);
    ax_free(store);
}

static const struct ax_store_ops ops = {
    .name = "postgres",
    .dialect = AX_STORE_POSTGRES,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .save = save,
    .run = ax_postgres_run,
    .run_each = ax_postgres_run_each,
    .query = ax_postgres_query,
    .next = ax_postgres_next,
    .column = ax_postgres_column,
    .finish = ax_postgres_finish,
    .script = ax_postgres_script,
    .claim = claim,
    .maintain = maintain,
    .backup = ax_postgres_backup,
    .check = check,
    .close = store_close,
};

/* The database is there, and the schema in which the tables stand. */
static ax_status
look(struct ax_store *base, struct ax_ctx *ctx)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t there;
    AX_TRY(ax_store_begin(base, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_get_i64(tx, ctx, AX_STR("select count(current_schema())"), AX_STORE_NO_PARAMS,
                            &there));
    return there == 1 ? AX_OK
                      : ax_fail(ctx, AX_UNAVAILABLE,
                                "database: no schema of its search_path is there for this user");
}

ax_status
ax_postgres_open(struct ax_ctx *ctx, const struct ax_postgres_config *config,
                 struct ax_store **out_store)
{
    if (!ax_postgres_is_url(config->url))
        return ax_fail(ctx, AX_INVALID, "a database is named as postgresql://...");
    struct ax_postgres_store *store = ax_alloc(sizeof *store, 1);
    if (!store)
        return ax_fail(ctx, AX_LIMIT, "no memory for a database");
    ax_store_init(&store->base, &ops, config->busy_ms_max);
    store->config = *config;
    ax_mutex_init(&store->mutex);
    ax_cond_init(&store->released);
    store->url = ax_alloc(config->url.len + 1, 1);
    ax_status status =
        store->url ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for the URL of a database");
    if (status == AX_OK) {
        memcpy(store->url, config->url.at, config->url.len);
        store->config.url = ax_str_of(store->url);
        status = look(&store->base, ctx);
    }
    if (status != AX_OK) {
        ax_store_close(&store->base);
        return status;
    }
    *out_store = &store->base;
    return AX_OK;
}
