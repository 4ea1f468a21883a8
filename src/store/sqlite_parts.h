/*
 * What the parts of the SQLite adapter share: connections and the statements they keep. For nobody
 * else.
 */
#pragma once

#include <sqlite3.h>

#include "store/sqlite.h"
#include "sys/mutex.h"

enum { AX_SQLITE_READERS_MAX = 16, AX_SQLITE_STATEMENTS = 64, AX_SQLITE_PLACES = 16 };

/* A statement that is kept for the next time. */
struct ax_sqlite_statement {
    sqlite3_stmt *stmt;
    ax_str sql; /* the statement's own copy */
    size_t parameter_count;
    bool in_order; /* $1, $2 ... appear in this order: they are where they count */
    uint8_t places[AX_SQLITE_PLACES]; /* else where the first of them are; 0: to be looked up */
    bool busy;
    uint64_t used; /* when last, to make room */
};

struct ax_sqlite_connection {
    sqlite3 *db;
    struct ax_ctx *ctx; /* of the operation under way: its deadline is looked at */
    bool taken;         /* guarded by the store's mutex */
    uint64_t clock;
    struct ax_sqlite_statement statements[AX_SQLITE_STATEMENTS];
};

struct ax_sqlite_store {
    struct ax_store base;
    struct ax_mutex mutex;
    struct ax_cond released;
    char *path;
    int64_t busy_ms_max;
    int64_t log_bytes_max;
    struct ax_sqlite_connection writer;
    struct ax_sqlite_connection carer; /* checkpoints and backups, beside the others */
    struct ax_sqlite_connection readers[AX_SQLITE_READERS_MAX];
    size_t reader_count;
};

/* A result code of SQLite as a status; and what the connection says went wrong. */
ax_status ax_sqlite_status(int code);
ax_status ax_sqlite_failed(struct ax_ctx *ctx, sqlite3 *db, const char *what);

/* Gives a connection back. */
void ax_sqlite_release(struct ax_sqlite_store *store, struct ax_sqlite_connection *connection);

/* sqlite_care.c: operations of the port. */
ax_status ax_sqlite_maintain(struct ax_store *base, struct ax_ctx *ctx,
                             struct ax_store_upkeep *out_upkeep);
ax_status ax_sqlite_backup(struct ax_store *base, struct ax_ctx *ctx, ax_str path);
ax_status ax_sqlite_check(struct ax_store *base, struct ax_ctx *ctx);
