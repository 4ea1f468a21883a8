#include <stdio.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/number.h"
#include "store/postgres_parts.h"
#include "sys/clock.h"

enum { TIMEOUT_SLACK_MS = 50, NAME_BYTES = 32, EACH_AT_ONCE = 1'000 };

static struct ax_postgres_connection *
connection_of(struct ax_store_tx *tx)
{
    return ((struct ax_postgres_tx *)tx)->connection;
}

/* ---- rows that still come ---- */

static void
append(struct ax_postgres_rows *rows, struct ax_postgres_held *held)
{
    *rows->held_end = held;
    rows->held_end = &held->next;
}

/* The results of the stream up to the last, kept for their reader. */
static ax_status
hold_results(struct ax_ctx *ctx, struct ax_postgres_connection *connection,
             struct ax_postgres_rows *rows, size_t bytes_max)
{
    size_t bytes = 0;
    int64_t until_ns = ax_postgres_until(ctx);
    PGresult *result;
    for (;;) {
        AX_TRY(ax_postgres_await(ctx, connection, until_ns, &result));
        if (!result)
            return AX_OK;
        ax_status status = ax_postgres_judge(ctx, connection, result, "read a row");
        struct ax_postgres_held *held = NULL;
        if (status == AX_OK && PQresultStatus(result) == PGRES_SINGLE_TUPLE) {
            bytes += PQresultMemorySize(result);
            held = bytes <= bytes_max ? ax_alloc(sizeof *held, 1) : NULL;
            if (!held)
                status = ax_fail(ctx, AX_LIMIT, "no memory for the rows of a query");
        }
        if (held) {
            held->result = result;
            append(rows, held);
        } else {
            PQclear(result);
        }
        if (status != AX_OK) {
            struct ax_ctx aside = ax_ctx_of(ctx->arena);
            ax_ignore(ax_postgres_discard(&aside, connection, until_ns, ""), "it failed already");
            return status;
        }
    }
}

/* Makes the connection free for another statement while a query is still being read. */
static ax_status
hold_stream(struct ax_store_tx *tx, struct ax_ctx *ctx)
{
    struct ax_postgres_connection *connection = connection_of(tx);
    struct ax_postgres_rows *rows = connection->stream;
    const struct ax_postgres_store *store = (const struct ax_postgres_store *)tx->store;
    if (!rows)
        return AX_OK;
    rows->held_end = &rows->held;
    rows->status = hold_results(ctx, connection, rows, (size_t)store->config.held_bytes_max);
    connection->stream = NULL;
    return rows->status;
}

static void
drop_held(struct ax_postgres_rows *rows)
{
    while (rows->held) {
        struct ax_postgres_held *held = rows->held;
        rows->held = held->next;
        PQclear(held->result);
        ax_free(held);
    }
    PQclear(rows->row);
    rows->row = NULL;
}

/* ---- preparing ---- */

static struct ax_postgres_statement *
find_statement(struct ax_postgres_connection *connection, ax_str sql, ax_str kinds)
{
    for (size_t i = 0; i < AX_POSTGRES_STATEMENTS; i++) {
        struct ax_postgres_statement *statement = &connection->statements[i];
        if (statement->sql && statement->len == sql.len &&
            memcmp(statement->sql, sql.at, sql.len) == 0 &&
            ax_str_eq(ax_str_of(statement->kinds), kinds))
            return statement;
    }
    return NULL;
}

static void
write_name(const struct ax_postgres_statement *statement, char out[NAME_BYTES])
{
    snprintf(out, NAME_BYTES, "ax%lld", (long long)statement->number);
}

/* A place for a new statement: that of the one that was not used for longest. */
static ax_status
make_room(struct ax_ctx *ctx, struct ax_postgres_connection *connection,
          struct ax_postgres_statement **out)
{
    struct ax_postgres_statement *oldest = &connection->statements[0];
    char name[NAME_BYTES], sql[NAME_BYTES + 16];
    for (size_t i = 0; i < AX_POSTGRES_STATEMENTS && oldest->sql; i++) {
        struct ax_postgres_statement *statement = &connection->statements[i];
        if (!statement->sql || statement->used < oldest->used)
            oldest = statement;
    }
    if (oldest->sql) {
        write_name(oldest, name);
        snprintf(sql, sizeof sql, "deallocate %s", name);
        AX_TRY(ax_postgres_command(ctx, connection, ax_postgres_until(ctx), sql));
        ax_free(oldest->sql);
        *oldest = (struct ax_postgres_statement){};
    }
    *out = oldest;
    return AX_OK;
}

/* Lets the server parse it, once in the life of the connection. */
static ax_status
prepare_new(struct ax_ctx *ctx, struct ax_postgres_connection *connection, ax_str sql,
            const struct ax_postgres_binding *binding, struct ax_postgres_statement **out)
{
    ax_str kinds = ax_str_of(binding->kinds);
    struct ax_postgres_statement *place;
    char name[NAME_BYTES];
    int64_t until_ns = ax_postgres_until(ctx);
    AX_TRY(make_room(ctx, connection, &place));
    ax_auto(ax_free) void *block = ax_alloc(sql.len + 1 + kinds.len + 1, 1);
    char *text = block;
    if (!text)
        return ax_fail(ctx, AX_LIMIT, "no memory for a statement");
    memcpy(text, sql.at, sql.len);
    memcpy(text + sql.len + 1, kinds.at, kinds.len);
    struct ax_postgres_statement made = {.len = sql.len, .number = ++connection->number};
    write_name(&made, name);
    AX_TRY(ax_postgres_flush(
        ctx, connection, until_ns,
        PQsendPrepare(connection->pg, name, text, (int)kinds.len, binding->types)));
    AX_TRY(ax_postgres_discard(ctx, connection, until_ns, "prepare"));
    made.kinds = text + sql.len + 1;
    made.sql = ax_take(block);
    *place = made;
    *out = place;
    return AX_OK;
}

/* The server's timeout follows the deadline of whoever asks; a small difference is let be. */
static ax_status
set_timeout(struct ax_ctx *ctx, struct ax_postgres_connection *connection)
{
    char sql[64];
    int64_t left_ms = 0;
    if (ctx->deadline_ns != INT64_MAX) {
        left_ms = ax_clock_left_ns(ctx->deadline_ns) / 1'000'000;
        if (left_ms <= 0)
            return ax_fail(ctx, AX_TIMEOUT, "database: the deadline has passed");
        left_ms = left_ms < INT32_MAX ? left_ms : INT32_MAX;
    }
    bool close_by = left_ms > 0 && left_ms <= connection->timeout_ms &&
                    left_ms + TIMEOUT_SLACK_MS >= connection->timeout_ms;
    if (close_by || left_ms == connection->timeout_ms)
        return AX_OK;
    snprintf(sql, sizeof sql, "set local statement_timeout = %lld", (long long)left_ms);
    AX_TRY(ax_postgres_command(ctx, connection, ax_postgres_until(ctx), sql));
    connection->timeout_ms = left_ms;
    return AX_OK;
}

/* The connection is free, the server knows the deadline and the statement. */
static ax_status
ready(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql,
      const struct ax_postgres_binding *binding, char out_name[NAME_BYTES])
{
    struct ax_postgres_connection *connection = connection_of(tx);
    struct ax_postgres_statement *statement;
    if (connection->broken)
        return ax_fail(ctx, AX_UNAVAILABLE, "database: the connection is lost");
    AX_TRY(hold_stream(tx, ctx));
    AX_TRY(set_timeout(ctx, connection));
    statement = find_statement(connection, sql, ax_str_of(binding->kinds));
    if (!statement)
        AX_TRY(prepare_new(ctx, connection, sql, binding, &statement));
    statement->used = ++connection->clock;
    write_name(statement, out_name);
    return AX_OK;
}

static int
send_prepared(struct ax_postgres_connection *connection, const char *name, ax_store_params params,
              struct ax_postgres_binding *binding)
{
    ax_postgres_binding_fill(params, binding);
    return PQsendQueryPrepared(connection->pg, name, (int)params.count, binding->values,
                               binding->lengths, binding->formats, 1);
}

/* Prepared if need be, and sent. */
static ax_status
send(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql, ax_store_params params)
{
    struct ax_postgres_connection *connection = connection_of(tx);
    ax_postgres_binding_auto struct ax_postgres_binding binding = {};
    char name[NAME_BYTES];
    AX_TRY(ax_postgres_binding_init(ctx, params.count, &binding));
    AX_TRY(ax_postgres_binding_type(ctx, params, &binding));
    AX_TRY(ready(tx, ctx, sql, &binding, name));
    int sent = send_prepared(connection, name, params, &binding);
    sent = sent && PQsetSingleRowMode(connection->pg);
    return ax_postgres_flush(ctx, connection, ax_postgres_until(ctx), sent);
}

/* ---- running ---- */

/* Rows inserted, updated or deleted: the number in "INSERT 0 3", but not that in "SELECT 3". */
static int64_t
changed_by(PGresult *result)
{
    ax_str count = ax_str_of(PQcmdTuples(result));
    int64_t changed = 0;
    if (strncmp(PQcmdStatus(result), "SELECT", 6) == 0 || !ax_parse_i64(count, &changed))
        return 0;
    return changed;
}

/* All results up to the end of what was sent: adds up what they changed. */
static ax_status
collect(struct ax_ctx *ctx, struct ax_postgres_connection *connection, int64_t *out_changed)
{
    int64_t until_ns = ax_postgres_until(ctx);
    PGresult *result;
    for (;;) {
        AX_TRY(ax_postgres_await(ctx, connection, until_ns, &result));
        if (!result)
            return AX_OK;
        ax_status status = ax_postgres_judge(ctx, connection, result, "run a statement");
        *out_changed += status == AX_OK ? changed_by(result) : 0;
        PQclear(result);
        if (status != AX_OK) {
            struct ax_ctx aside = ax_ctx_of(ctx->arena);
            ax_ignore(ax_postgres_discard(&aside, connection, until_ns, ""), "it failed already");
            return status;
        }
    }
}

ax_status
ax_postgres_run(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql, ax_store_params params,
                int64_t *out_changed)
{
    int64_t changed = 0;
    AX_TRY(send(tx, ctx, sql, params));
    AX_TRY(collect(ctx, connection_of(tx), &changed));
    *out_changed = changed;
    return AX_OK;
}

/* ---- the same statement many times, in one go ---- */

/* The type of each place: that of the first value there that is not NULL. */
static ax_status
type_all(struct ax_ctx *ctx, const ax_store_params *params, size_t count,
         struct ax_postgres_binding *binding)
{
    ax_postgres_binding_auto struct ax_postgres_binding row = {};
    AX_TRY(ax_postgres_binding_init(ctx, params[0].count, &row));
    AX_TRY(ax_postgres_binding_type(ctx, params[0], binding));
    for (size_t i = 1; i < count; i++) {
        if (params[i].count != params[0].count)
            return ax_fail(ctx, AX_INTERNAL, "database: rows of %zu and of %zu parameters",
                           params[0].count, params[i].count);
        AX_TRY(ax_postgres_binding_type(ctx, params[i], &row));
        for (size_t j = 0; j < params[0].count; j++) {
            if (binding->kinds[j] == 'n') {
                binding->kinds[j] = row.kinds[j];
                binding->types[j] = row.types[j];
            }
            if (row.kinds[j] != 'n' && row.kinds[j] != binding->kinds[j])
                return ax_fail(ctx, AX_INVALID, "parameter %zu of row %zu is of another kind",
                               j + 1, i + 1);
        }
    }
    return AX_OK;
}

/* The answers to one pipeline: a NULL behind each statement's results, and the synchronisation. */
static ax_status
collect_pipeline(struct ax_ctx *ctx, struct ax_postgres_connection *connection,
                 int64_t *out_changed)
{
    int64_t until_ns = ax_postgres_until(ctx);
    ax_status first = AX_OK;
    bool over = false;
    while (!over) {
        PGresult *result;
        struct ax_ctx aside = ax_ctx_of(ctx->arena);
        struct ax_ctx *teller = first == AX_OK ? ctx : &aside; /* the first failure has the words */
        ax_status status = ax_postgres_await(teller, connection, until_ns, &result);
        if (status != AX_OK)
            return first == AX_OK ? status : first;
        if (!result)
            continue;
        over = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        if (first == AX_OK)
            first = ax_postgres_judge(ctx, connection, result, "run a statement");
        else if (connection->broken || PQstatus(connection->pg) != CONNECTION_OK)
            over = connection->broken = true;
        if (first == AX_OK)
            *out_changed += changed_by(result);
        over = over || connection->broken;
        PQclear(result);
    }
    return first;
}

/* What is run again and again: a statement, and room for one row of its parameters. */
struct repeated {
    char name[NAME_BYTES];
    struct ax_postgres_binding binding;
};

static ax_status
run_pipeline(struct ax_ctx *ctx, struct ax_postgres_connection *connection,
             struct repeated *repeated, const ax_store_params *params, size_t count,
             int64_t *out_changed)
{
    int64_t until_ns = ax_postgres_until(ctx);
    int sent = PQenterPipelineMode(connection->pg);
    for (size_t i = 0; i < count; i++) {
        sent = sent && send_prepared(connection, repeated->name, params[i], &repeated->binding);
        AX_TRY(ax_postgres_flush(ctx, connection, until_ns, sent));
    }
    sent = sent && PQpipelineSync(connection->pg);
    AX_TRY(ax_postgres_flush(ctx, connection, until_ns, sent));
    ax_status status = collect_pipeline(ctx, connection, out_changed);
    if (!connection->broken && !PQexitPipelineMode(connection->pg))
        connection->broken = true; /* something is still on its way */
    return status;
}

static ax_status
run_repeated(struct ax_store_tx *tx, struct ax_ctx *ctx, struct repeated *repeated,
             const ax_store_params *params, size_t count, int64_t *out_changed)
{
    struct ax_postgres_connection *connection = connection_of(tx);
    int64_t changed = 0;
    for (size_t at = 0; at < count; at += EACH_AT_ONCE) {
        size_t some = count - at < EACH_AT_ONCE ? count - at : EACH_AT_ONCE;
        ax_status status = run_pipeline(ctx, connection, repeated, params + at, some, &changed);
        if (status != AX_OK && PQpipelineStatus(connection->pg) != PQ_PIPELINE_OFF)
            connection->broken = true;
        AX_TRY(status);
    }
    *out_changed = changed;
    return AX_OK;
}

ax_status
ax_postgres_run_each(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql,
                     const ax_store_params *params, size_t count, int64_t *out_changed)
{
    struct repeated repeated = {};
    AX_TRY(ax_postgres_binding_init(ctx, params[0].count, &repeated.binding));
    ax_status status = type_all(ctx, params, count, &repeated.binding);
    if (status == AX_OK)
        status = ready(tx, ctx, sql, &repeated.binding, repeated.name);
    if (status == AX_OK)
        status = run_repeated(tx, ctx, &repeated, params, count, out_changed);
    ax_postgres_binding_done(&repeated.binding);
    return status;
}

/* ---- reading ---- */

/* Takes the next result of the stream: a row, or its end. */
static ax_status
step(struct ax_ctx *ctx, struct ax_postgres_connection *connection, struct ax_postgres_rows *rows,
     bool *out_row)
{
    int64_t until_ns = ax_postgres_until(ctx);
    PGresult *result = NULL;
    *out_row = false;
    connection->stream = rows;
    ax_status status = ax_postgres_await(ctx, connection, until_ns, &result);
    if (status == AX_OK && result)
        status = ax_postgres_judge(ctx, connection, result, "read a row");
    if (status == AX_OK && result && PQresultStatus(result) == PGRES_SINGLE_TUPLE) {
        rows->row = result;
        *out_row = true;
        return AX_OK;
    }
    connection->stream = NULL;
    PQclear(result);
    if (connection->broken || !result)
        return status;
    struct ax_ctx aside = ax_ctx_of(ctx->arena);
    ax_status ended =
        ax_postgres_discard(status == AX_OK ? ctx : &aside, connection, until_ns, "read a row");
    return status == AX_OK ? ended : status;
}

ax_status
ax_postgres_query(struct ax_store_tx *base, struct ax_ctx *ctx, ax_str sql, ax_store_params params,
                  struct ax_store_rows **out_rows)
{
    struct ax_postgres_tx *tx = (struct ax_postgres_tx *)base;
    size_t at = 0;
    while (at < AX_STORE_ROWS_OPEN_MAX && tx->open[at])
        at++;
    if (at == AX_STORE_ROWS_OPEN_MAX)
        return ax_fail(ctx, AX_LIMIT, "database: %d queries are open already",
                       AX_STORE_ROWS_OPEN_MAX);
    struct ax_postgres_rows *rows = &tx->rows[at];
    *rows = (struct ax_postgres_rows){.status = AX_OK};
    AX_TRY(send(base, ctx, sql, params));
    AX_TRY(step(ctx, tx->connection, rows, &rows->row_is_new));
    tx->open[at] = true;
    *out_rows = &rows->base;
    return AX_OK;
}

ax_status
ax_postgres_next(struct ax_store_rows *base, bool *out_row)
{
    struct ax_postgres_rows *rows = (struct ax_postgres_rows *)base;
    struct ax_postgres_connection *connection = connection_of(base->tx);
    *out_row = rows->row_is_new;
    if (rows->row_is_new) { /* it came with the query's answer */
        rows->row_is_new = false;
        return AX_OK;
    }
    PQclear(rows->row);
    rows->row = NULL;
    if (rows->held) {
        struct ax_postgres_held *held = rows->held;
        rows->row = held->result;
        rows->held = held->next;
        ax_free(held);
        *out_row = true;
        return AX_OK;
    }
    if (connection->stream == rows)
        return step(base->ctx, connection, rows, out_row);
    if (rows->status != AX_OK)
        return ax_fail(base->ctx, rows->status, "database: the rows of a query were lost");
    return AX_OK;
}

/* What nobody read is thrown away. */
static ax_status
end_stream(struct ax_ctx *ctx, struct ax_postgres_connection *connection)
{
    connection->stream = NULL;
    if (connection->broken)
        return AX_OK;
    return ax_postgres_discard(ctx, connection, ax_postgres_until(ctx), "read a row");
}

void
ax_postgres_finish(struct ax_store_rows *base)
{
    struct ax_postgres_rows *rows = (struct ax_postgres_rows *)base;
    struct ax_postgres_tx *tx = (struct ax_postgres_tx *)base->tx;
    drop_held(rows);
    tx->open[rows - tx->rows] = false;
    if (tx->connection->stream != rows)
        return;
    struct ax_ctx aside = ax_ctx_of(base->ctx->arena);
    aside.deadline_ns = base->ctx->deadline_ns;
    ax_fault_benign_begin();
    ax_status status = end_stream(&aside, tx->connection);
    ax_fault_benign_end();
    if (status != AX_OK && base->tx->status == AX_OK)
        base->tx->status = status; /* the transaction has failed, though the reader had its rows */
}

void
ax_postgres_close_rows(struct ax_postgres_tx *tx, struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_STORE_ROWS_OPEN_MAX; i++)
        if (tx->open[i]) {
            drop_held(&tx->rows[i]);
            tx->open[i] = false;
        }
    if (tx->connection->stream && end_stream(ctx, tx->connection) != AX_OK)
        tx->connection->broken = true;
}

ax_status
ax_postgres_script(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str text)
{
    struct ax_postgres_connection *connection = connection_of(tx);
    const char *sql = ax_str_c(ctx->arena, text);
    if (!sql)
        return ax_fail(ctx, AX_LIMIT, "no memory for a script");
    if (connection->broken)
        return ax_fail(ctx, AX_UNAVAILABLE, "database: the connection is lost");
    AX_TRY(hold_stream(tx, ctx));
    AX_TRY(set_timeout(ctx, connection));
    return ax_postgres_command(ctx, connection, ax_postgres_until(ctx), sql);
}
