/*
 * The SQL port: rows and transactions, the same over every database.
 *
 * One idea: everything happens inside a transaction object, statements take typed parameters
 * ($1, $2 ...) and give typed columns, and reading is "read all, check once": a wrong column or a
 * spent budget becomes the sticky status of the rows, which ax_store_finish returns. It is no
 * query builder and knows no table; SQL stands on top of the module that owns the table.
 *
 *     ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
 *     AX_TRY(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx));
 *     AX_TRY(ax_store_run(tx, ctx, AX_STR("insert into t (a) values ($1)"),
 *                         AX_STORE_PARAMS(ax_store_text(name)), NULL));
 *     return ax_store_commit(ax_take(tx), ctx);
 *
 * After a statement has failed its transaction can only be rolled back: a further statement and
 * the commit answer with the same code (as PostgreSQL does; expected clashes are written
 * `on conflict`). Not a number has no place in a column: it is refused, keep a flag beside it.
 *
 * A store serves any thread; a transaction belongs to the thread that began it. There is one
 * writer at a time; readers see the state at their begin and never wait for the writer. Writers
 * that wait for each other are committed together, each with its own success or failure
 * (write_group.h).
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "store/write_group.h"

struct ax_store;
struct ax_store_tx;
struct ax_store_rows;

/* For the few statements that must differ. */
enum ax_store_dialect { AX_STORE_SQLITE, AX_STORE_POSTGRES };

enum ax_store_access { AX_STORE_READ, AX_STORE_WRITE };

enum ax_store_kind { AX_STORE_NULL, AX_STORE_I64, AX_STORE_F64, AX_STORE_TEXT, AX_STORE_BLOB };

typedef struct ax_store_value {
    enum ax_store_kind kind;
    union {
        int64_t i64;
        double f64;
        ax_str bytes; /* TEXT and BLOB; borrowed */
    };
} ax_store_value;

typedef struct ax_store_params {
    const ax_store_value *items;
    size_t count;
} ax_store_params;

/* AX_STORE_PARAMS(ax_store_i64(7), ax_store_text(name)): the first is $1. */
#define AX_STORE_PARAMS(...)                                                                       \
    ((ax_store_params){(const ax_store_value[]){__VA_ARGS__},                                      \
                       sizeof((const ax_store_value[]){__VA_ARGS__}) / sizeof(ax_store_value)})
#define AX_STORE_NO_PARAMS ((ax_store_params){NULL, 0})

static inline ax_store_value
ax_store_i64(int64_t value)
{
    return (ax_store_value){.kind = AX_STORE_I64, .i64 = value};
}

static inline ax_store_value
ax_store_f64(double value)
{
    return (ax_store_value){.kind = AX_STORE_F64, .f64 = value};
}

/* UTF-8 without NUL. */
static inline ax_store_value
ax_store_text(ax_str text)
{
    return (ax_store_value){.kind = AX_STORE_TEXT, .bytes = text};
}

static inline ax_store_value
ax_store_blob(ax_str bytes)
{
    return (ax_store_value){.kind = AX_STORE_BLOB, .bytes = bytes};
}

static inline ax_store_value
ax_store_null(void)
{
    return (ax_store_value){.kind = AX_STORE_NULL};
}

/* NULL for a text whose `at` is NULL: for columns that may be unset. */
static inline ax_store_value
ax_store_text_or_null(ax_str text)
{
    return text.at ? ax_store_text(text) : ax_store_null();
}

/* ---- transactions ---- */

/*
 * Waits for a free connection, and for the writer when access is WRITE, until the ctx deadline or
 * the adapter's own bound.
 *
 * out_tx: owned; ended by commit or rollback. A thread holds at most one write transaction.
 * Fails: UNAVAILABLE when the wait was in vain or the database is gone; CORRUPT; LIMIT.
 */
ax_status ax_store_begin(struct ax_store *store, struct ax_ctx *ctx, enum ax_store_access access,
                         struct ax_store_tx **out_tx);

/*
 * Makes everything durable, or nothing happened. Open rows are closed.
 *
 * tx: taken, also on failure. Fails: the code of the statement that failed before; CONFLICT,
 * LIMIT (disk full), CORRUPT; UNAVAILABLE, after which only the next read tells what became of it.
 */
ax_status ax_store_commit(struct ax_store_tx *tx, struct ax_ctx *ctx);

/* Nothing happened. Open rows are closed. */
void ax_store_rollback(struct ax_store_tx *tx);
AX_DEFINE_AUTO(struct ax_store_tx, ax_store_rollback);

enum ax_store_dialect ax_store_dialect(const struct ax_store *store);
struct ax_store *ax_store_of(const struct ax_store_tx *tx);

/* ---- statements ---- */

/*
 * A statement whose rows, if any, nobody reads.
 *
 * out_changed: rows inserted, updated or deleted; may be NULL.
 * Fails: CONFLICT (unique, foreign key), INVALID (not null, check, type, NaN), LIMIT, TIMEOUT,
 * UNAVAILABLE, CORRUPT; DENIED for a write in a read transaction; INTERNAL when the SQL is wrong.
 */
ax_status ax_store_run(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql,
                       ax_store_params params, int64_t *out_changed);

/*
 * The same statement once for each list of parameters, as one batch: where a database is far away
 * it is asked once and not `count` times. All lists are of one length, with one kind or NULL at
 * each place. When one fails the transaction has failed.
 *
 * out_changed: of all together; may be NULL. Fails: as ax_store_run.
 */
ax_status ax_store_run_each(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql,
                            const ax_store_params *params, size_t count, int64_t *out_changed);

/*
 * A statement whose rows are read one by one. The rows belong to the transaction; ctx is kept
 * until they are finished. At most AX_STORE_ROWS_OPEN_MAX are open in one transaction.
 *
 *     while (ax_store_next(rows))
 *         push(ax_store_read_i64(rows, 0), ax_store_read_text(rows, 1));
 *     AX_TRY(ax_store_finish(rows));
 */
enum { AX_STORE_ROWS_OPEN_MAX = 8 };
ax_status ax_store_query(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql,
                         ax_store_params params, struct ax_store_rows **out_rows);

/* Steps to the next row; false at the end and after any failure. */
bool ax_store_next(struct ax_store_rows *rows);

/* Columns count from 0. NULL, or another kind, reads as 0 or "" and makes the status CORRUPT. */
int64_t ax_store_read_i64(struct ax_store_rows *rows, int column);
double ax_store_read_f64(struct ax_store_rows *rows, int column);
ax_str ax_store_read_text(struct ax_store_rows *rows, int column); /* in ctx->arena */
ax_str ax_store_read_blob(struct ax_store_rows *rows, int column); /* in ctx->arena */
ax_str ax_store_peek_text(struct ax_store_rows *rows, int column); /* until the next step */

/* The same where NULL is allowed: `otherwise`, or a text whose `at` is NULL. */
int64_t ax_store_read_i64_or(struct ax_store_rows *rows, int column, int64_t otherwise);
ax_str ax_store_read_text_or_null(struct ax_store_rows *rows, int column);
ax_str ax_store_peek_text_or_null(struct ax_store_rows *rows, int column);
bool ax_store_is_null(struct ax_store_rows *rows, int column);

/* Closes the rows; what went wrong since the query, if anything. */
ax_status ax_store_finish(struct ax_store_rows *rows);

/* The first row's first column. Fails: NOT_FOUND (no row) with `what` as its words; as query. */
ax_status ax_store_get_i64(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql,
                           ax_store_params params, int64_t *out_value);

/* Several statements, separated by ';', without parameters: for migrations. */
ax_status ax_store_script(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str text);

/*
 * Takes a name until the transaction ends: for work that one of the programs that share a
 * database does at a time. First in a transaction that reads: it sees the state at the claim.
 *
 * out_mine: false when another transaction has it.
 */
ax_status ax_store_claim(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str name, bool *out_mine);

/* ---- care ---- */

struct ax_store_upkeep {
    int64_t log_bytes;      /* write-ahead log that is not yet in the database file */
    int64_t database_bytes; /* on disk, without the log */
};

/*
 * Background care (for SQLite: moves the write-ahead log into the database file without making
 * anybody wait; waits a moment only when the log is over its bound). Call every second or so.
 */
ax_status ax_store_maintain(struct ax_store *store, struct ax_ctx *ctx,
                            struct ax_store_upkeep *out_upkeep);

/*
 * A copy of one consistent state, taken while others read and write; durable on return.
 *
 * path: must not exist. Fails: CONFLICT when it does; UNSUPPORTED where the database has its own
 * tool for this; LIMIT; UNAVAILABLE; CORRUPT.
 */
ax_status ax_store_backup(struct ax_store *store, struct ax_ctx *ctx, ax_str path);

/* Reads every stored byte and judges it. Fails: CORRUPT, with what was found. */
ax_status ax_store_check(struct ax_store *store, struct ax_ctx *ctx);

/* All transactions must have ended. */
void ax_store_close(struct ax_store *store);
AX_DEFINE_AUTO(struct ax_store, ax_store_close);

/* ---- for adapters ---- */

/* What is done to the open transaction of several writers; all of it closes open rows. */
enum ax_store_save {
    AX_STORE_CLOSE_ROWS, /* nothing else */
    AX_STORE_SAVE,       /* a savepoint, to which one may go back */
    AX_STORE_SAVED,      /* it is no longer needed */
    AX_STORE_UNDO,       /* back to it, and it is gone; without memory or deadline of the ctx */
};

struct ax_store_ops {
    const char *name;
    enum ax_store_dialect dialect;
    ax_status (*begin)(struct ax_store *store, struct ax_ctx *ctx, enum ax_store_access access,
                       struct ax_store_tx **out_tx);
    ax_status (*commit)(struct ax_store_tx *tx, struct ax_ctx *ctx); /* ends it in any case */
    void (*rollback)(struct ax_store_tx *tx);
    ax_status (*save)(struct ax_store_tx *tx, struct ax_ctx *ctx, enum ax_store_save what);
    ax_status (*run)(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql, ax_store_params params,
                     int64_t *out_changed);
    ax_status (*run_each)(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql,
                          const ax_store_params *params, size_t count,
                          int64_t *out_changed); /* NULL: run, one by one */
    ax_status (*query)(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql,
                       ax_store_params params, struct ax_store_rows **out_rows);
    ax_status (*next)(struct ax_store_rows *rows, bool *out_row);
    ax_store_value (*column)(struct ax_store_rows *rows, int column); /* until the next step */
    void (*finish)(struct ax_store_rows *rows);
    ax_status (*script)(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str text);
    ax_status (*claim)(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str name,
                       bool *out_mine); /* NULL: one program has the database for itself */
    ax_status (*maintain)(struct ax_store *store, struct ax_ctx *ctx,
                          struct ax_store_upkeep *out_upkeep);
    ax_status (*backup)(struct ax_store *store, struct ax_ctx *ctx, ax_str path);
    ax_status (*check)(struct ax_store *store, struct ax_ctx *ctx);
    void (*close)(struct ax_store *store);
};

/* An adapter embeds these as the first member of its own. The wrappers fill the rest. */
struct ax_store {
    const struct ax_store_ops *ops;
    struct ax_write_group group;
};

/* The first thing of an adapter's open; undone by ax_store_close. */
void ax_store_init(struct ax_store *store, const struct ax_store_ops *ops, int64_t wait_ms_max);

struct ax_store_tx {
    struct ax_store *store;
    enum ax_store_access access;
    ax_status status; /* of the first statement that failed */
};

struct ax_store_rows {
    struct ax_store_tx *tx;
    struct ax_ctx *ctx;
    ax_status status; /* sticky */
    bool on_row;
    bool ended; /* a further step stays at the end */
};
