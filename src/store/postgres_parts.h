/*
 * What the parts of the PostgreSQL adapter share: connections, statements, rows. For nobody else.
 *
 * One idea: libpq never blocks here. Every wait is a poll with an end, and a connection about
 * which there is any doubt is marked broken and closed by whoever gives it back.
 */
#pragma once

#include <libpq-fe.h>

#include "store/postgres.h"
#include "sys/mutex.h"

enum {
    AX_POSTGRES_READERS_MAX = 32,
    AX_POSTGRES_STATEMENTS = 128,
    AX_POSTGRES_PARAMS_MAX = 32'766, /* as many as SQLite takes */
    AX_POSTGRES_GRACE_MS = 1'000,    /* the server's own timeout is given this time to be heard */
};

/* A statement that the server has prepared, under the name "ax<number>". */
struct ax_postgres_statement {
    char *sql; /* owned, terminated; NULL: a free place */
    size_t len;
    char *kinds; /* behind sql: a letter for each parameter's type */
    int64_t number;
    uint64_t used; /* when last, to make room */
};

struct ax_postgres_connection {
    PGconn *pg;         /* NULL: not connected */
    bool taken, broken; /* taken: guarded by the store's mutex */
    int64_t timeout_ms; /* the server's statement_timeout in this transaction; 0: none */
    int64_t number;     /* of the newest statement */
    uint64_t clock;
    struct ax_postgres_statement statements[AX_POSTGRES_STATEMENTS];
    struct ax_postgres_rows *stream; /* the query whose rows are still coming, or NULL */
};

/* Rows that came before they were asked for, because another statement wanted the connection. */
struct ax_postgres_held {
    PGresult *result;
    struct ax_postgres_held *next;
};

struct ax_postgres_rows {
    struct ax_store_rows base;
    PGresult *row;    /* the row under the reader, or the first that waits for next */
    bool row_is_new;  /* next has not been called for it */
    ax_status status; /* how the stream ended while it was held */
    struct ax_postgres_held *held, **held_end;
};

struct ax_postgres_tx {
    struct ax_store_tx base;
    struct ax_postgres_connection *connection;
    bool claims; /* the session has locks that end with the transaction */
    struct ax_postgres_rows rows[AX_STORE_ROWS_OPEN_MAX];
    bool open[AX_STORE_ROWS_OPEN_MAX];
};

struct ax_postgres_store {
    struct ax_store base;
    struct ax_mutex mutex;
    struct ax_cond released;
    struct ax_postgres_config config; /* url: owned */
    char *url;
    struct ax_postgres_connection writer;
    struct ax_postgres_connection readers[AX_POSTGRES_READERS_MAX];
};

/* ---- postgres_connection.c: one connection, nothing of transactions ---- */

/* Fails: UNAVAILABLE, UNSUPPORTED, INVALID; the connection is closed then. */
ax_status ax_postgres_connect(struct ax_ctx *ctx, const struct ax_postgres_store *store,
                              struct ax_postgres_connection *connection);
void ax_postgres_disconnect(struct ax_postgres_connection *connection);

/* When to give up on an answer: a moment after the deadline. */
int64_t ax_postgres_until(const struct ax_ctx *ctx);

/*
 * The next result of what was sent, NULL behind the last; owned.
 * Fails: TIMEOUT, UNAVAILABLE: the connection is broken then.
 */
ax_status ax_postgres_await(struct ax_ctx *ctx, struct ax_postgres_connection *connection,
                            int64_t until_ns, PGresult **out_result);

/* Sees to it that all is sent. sent: what the libpq call said. Fails: as await. */
ax_status ax_postgres_flush(struct ax_ctx *ctx, struct ax_postgres_connection *connection,
                            int64_t until_ns, int sent);

/* The status of a result, its words in ctx; what: what was being tried. */
ax_status ax_postgres_judge(struct ax_ctx *ctx, struct ax_postgres_connection *connection,
                            const PGresult *result, const char *what);

/* Results nobody reads, up to the last; the first failure among them. */
ax_status ax_postgres_discard(struct ax_ctx *ctx, struct ax_postgres_connection *connection,
                              int64_t until_ns, const char *what);

/* Statements without parameters, in one message. */
ax_status ax_postgres_command(struct ax_ctx *ctx, struct ax_postgres_connection *connection,
                              int64_t until_ns, const char *sql);

/* ---- postgres_statement.c: the statements of a transaction ---- */

ax_status ax_postgres_run(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql,
                          ax_store_params params, int64_t *out_changed);
ax_status ax_postgres_run_each(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql,
                               const ax_store_params *params, size_t count, int64_t *out_changed);
ax_status ax_postgres_query(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql,
                            ax_store_params params, struct ax_store_rows **out_rows);
ax_status ax_postgres_next(struct ax_store_rows *rows, bool *out_row);
void ax_postgres_finish(struct ax_store_rows *rows);
ax_status ax_postgres_script(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str text);

/* Closes what is open; a stream that is not read to its end breaks the connection. */
void ax_postgres_close_rows(struct ax_postgres_tx *tx, struct ax_ctx *ctx);

/* ---- postgres_value.c: values on the wire ---- */

/* What the server is told of a parameter list; the values point into params and numbers. */
struct ax_postgres_binding {
    const char **values;
    uint64_t *numbers; /* big-endian */
    int *lengths, *formats;
    Oid *types;
    char *kinds; /* a letter each, terminated */
    void *block; /* owned: all of the above */
};

/* Room for count parameters. Fails: INTERNAL (more than can be), LIMIT. */
ax_status ax_postgres_binding_init(struct ax_ctx *ctx, size_t count,
                                   struct ax_postgres_binding *out);
void ax_postgres_binding_done(struct ax_postgres_binding *binding);
#define ax_postgres_binding_auto [[gnu::cleanup(ax_postgres_binding_done)]]

/* Kinds and types. Fails: INVALID when a value is too large for a column. */
ax_status ax_postgres_binding_type(struct ax_ctx *ctx, ax_store_params params,
                                   struct ax_postgres_binding *binding);
void ax_postgres_binding_fill(ax_store_params params, struct ax_postgres_binding *binding);

/* A column of the row; borrowed from it. */
ax_store_value ax_postgres_column(struct ax_store_rows *rows, int column);

/* ---- postgres_copy.c: copies by the database's own tools ---- */

ax_status ax_postgres_backup(struct ax_store *store, struct ax_ctx *ctx, ax_str path);
