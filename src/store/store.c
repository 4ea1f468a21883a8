#include "store/store.h"

#include <math.h>

#include "codec/text.h"

/* A value that has no place in a column. */
static ax_status
check_params(struct ax_ctx *ctx, ax_store_params params)
{
    const ax_str nul = {"", 1};
    for (size_t i = 0; i < params.count; i++) {
        const ax_store_value *value = &params.items[i];
        if (value->kind == AX_STORE_F64 && isnan(value->f64))
            return ax_fail(ctx, AX_INVALID, "parameter %zu is not a number", i + 1);
        if (value->kind != AX_STORE_TEXT)
            continue;
        if (!ax_utf8_ok(value->bytes) || ax_str_find(value->bytes, nul) != SIZE_MAX)
            return ax_fail(ctx, AX_INVALID, "parameter %zu is no UTF-8 text without NUL", i + 1);
    }
    return AX_OK;
}

/* Notes the first failure: from then on the transaction can only be rolled back. */
static ax_status
note(struct ax_store_tx *tx, ax_status status)
{
    if (status != AX_OK && tx->status == AX_OK)
        tx->status = status;
    return status;
}

static ax_status
check_alive(struct ax_store_tx *tx, struct ax_ctx *ctx)
{
    if (tx->status == AX_OK)
        return AX_OK;
    return ax_fail(ctx, tx->status,
                   "the transaction has failed before and can only be rolled back");
}

void
ax_store_init(struct ax_store *store, const struct ax_store_ops *ops, int64_t wait_ms_max)
{
    store->ops = ops;
    ax_write_group_init(&store->group, wait_ms_max);
}

/* ---- transactions ---- */

ax_status
ax_store_begin(struct ax_store *store, struct ax_ctx *ctx, enum ax_store_access access,
               struct ax_store_tx **out_tx)
{
    if (access == AX_STORE_WRITE)
        return ax_write_group_begin(store, ctx, out_tx);
    AX_TRY(store->ops->begin(store, ctx, access, out_tx));
    (*out_tx)->store = store;
    (*out_tx)->access = access;
    (*out_tx)->status = AX_OK;
    return AX_OK;
}

ax_status
ax_store_commit(struct ax_store_tx *tx, struct ax_ctx *ctx)
{
    ax_status status = check_alive(tx, ctx);
    if (status != AX_OK) {
        ax_store_rollback(tx);
        return status;
    }
    return tx->access == AX_STORE_WRITE ? ax_write_group_commit(tx, ctx)
                                        : tx->store->ops->commit(tx, ctx);
}

void
ax_store_rollback(struct ax_store_tx *tx)
{
    if (!tx)
        return;
    if (tx->access == AX_STORE_WRITE)
        ax_write_group_rollback(tx);
    else
        tx->store->ops->rollback(tx);
}

enum ax_store_dialect
ax_store_dialect(const struct ax_store *store)
{
    return store->ops->dialect;
}

struct ax_store *
ax_store_of(const struct ax_store_tx *tx)
{
    return tx->store;
}

/* ---- statements ---- */

ax_status
ax_store_run(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql, ax_store_params params,
             int64_t *out_changed)
{
    int64_t changed;
    AX_TRY(check_alive(tx, ctx));
    AX_TRY(note(tx, check_params(ctx, params)));
    return note(tx,
                tx->store->ops->run(tx, ctx, sql, params, out_changed ? out_changed : &changed));
}

static ax_status
run_one_by_one(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql,
               const ax_store_params *params, size_t count, int64_t *out_changed)
{
    int64_t changed;
    *out_changed = 0;
    for (size_t i = 0; i < count; i++) {
        AX_TRY(tx->store->ops->run(tx, ctx, sql, params[i], &changed));
        *out_changed += changed;
    }
    return AX_OK;
}

ax_status
ax_store_run_each(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql,
                  const ax_store_params *params, size_t count, int64_t *out_changed)
{
    int64_t changed = 0;
    AX_TRY(check_alive(tx, ctx));
    for (size_t i = 0; i < count; i++)
        AX_TRY(note(tx, check_params(ctx, params[i])));
    if (count > 0)
        AX_TRY(note(tx, (tx->store->ops->run_each ? tx->store->ops->run_each : run_one_by_one)(
                            tx, ctx, sql, params, count, &changed)));
    if (out_changed)
        *out_changed = changed;
    return AX_OK;
}

ax_status
ax_store_query(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql, ax_store_params params,
               struct ax_store_rows **out_rows)
{
    AX_TRY(check_alive(tx, ctx));
    AX_TRY(note(tx, check_params(ctx, params)));
    AX_TRY(note(tx, tx->store->ops->query(tx, ctx, sql, params, out_rows)));
    (*out_rows)->tx = tx;
    (*out_rows)->ctx = ctx;
    (*out_rows)->status = AX_OK;
    (*out_rows)->on_row = false;
    return AX_OK;
}

bool
ax_store_next(struct ax_store_rows *rows)
{
    rows->on_row = false;
    if (rows->status != AX_OK || rows->ended)
        return false;
    bool row = false;
    rows->status = note(rows->tx, rows->tx->store->ops->next(rows, &row));
    rows->on_row = rows->status == AX_OK && row;
    rows->ended = !rows->on_row;
    return rows->on_row;
}

ax_status
ax_store_finish(struct ax_store_rows *rows)
{
    ax_status status = rows->status;
    rows->tx->store->ops->finish(rows);
    return status;
}

/* The value of a column when it is of the kind asked for; else the rows are CORRUPT. */
static bool
read(struct ax_store_rows *rows, int column, enum ax_store_kind kind, bool may_be_null,
     ax_store_value *out)
{
    if (!rows->on_row || rows->status != AX_OK)
        return false;
    *out = rows->tx->store->ops->column(rows, column);
    if (out->kind == kind)
        return true;
    if (out->kind == AX_STORE_I64 && kind == AX_STORE_F64) { /* 1.0 may be kept as 1 */
        *out = ax_store_f64((double)out->i64);
        return true;
    }
    if (out->kind != AX_STORE_NULL || !may_be_null)
        rows->status = note(rows->tx, ax_fail(rows->ctx, AX_CORRUPT,
                                              "column %d of a row is of another kind", column));
    return false;
}

int64_t
ax_store_read_i64(struct ax_store_rows *rows, int column)
{
    ax_store_value value;
    return read(rows, column, AX_STORE_I64, false, &value) ? value.i64 : 0;
}

double
ax_store_read_f64(struct ax_store_rows *rows, int column)
{
    ax_store_value value;
    return read(rows, column, AX_STORE_F64, false, &value) ? value.f64 : 0.0;
}

static ax_str
copy(struct ax_store_rows *rows, ax_str bytes)
{
    ax_str out;
    if (ax_str_copy(rows->ctx->arena, bytes, &out))
        return out;
    rows->status = note(rows->tx, ax_fail(rows->ctx, AX_LIMIT, "no memory for a row"));
    return AX_STR("");
}

ax_str
ax_store_peek_text(struct ax_store_rows *rows, int column)
{
    ax_store_value value;
    return read(rows, column, AX_STORE_TEXT, false, &value) ? value.bytes : AX_STR("");
}

ax_str
ax_store_peek_text_or_null(struct ax_store_rows *rows, int column)
{
    ax_store_value value;
    return read(rows, column, AX_STORE_TEXT, true, &value) ? value.bytes : (ax_str){};
}

ax_str
ax_store_read_text(struct ax_store_rows *rows, int column)
{
    ax_store_value value;
    bool there = read(rows, column, AX_STORE_TEXT, false, &value);
    return there ? copy(rows, value.bytes) : AX_STR("");
}

ax_str
ax_store_read_blob(struct ax_store_rows *rows, int column)
{
    ax_store_value value;
    bool there = read(rows, column, AX_STORE_BLOB, false, &value);
    return there ? copy(rows, value.bytes) : AX_STR("");
}

int64_t
ax_store_read_i64_or(struct ax_store_rows *rows, int column, int64_t otherwise)
{
    ax_store_value value;
    return read(rows, column, AX_STORE_I64, true, &value) ? value.i64 : otherwise;
}

ax_str
ax_store_read_text_or_null(struct ax_store_rows *rows, int column)
{
    ax_store_value value;
    bool there = read(rows, column, AX_STORE_TEXT, true, &value);
    return there ? copy(rows, value.bytes) : (ax_str){};
}

bool
ax_store_is_null(struct ax_store_rows *rows, int column)
{
    return rows->on_row && rows->tx->store->ops->column(rows, column).kind == AX_STORE_NULL;
}

ax_status
ax_store_get_i64(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str sql, ax_store_params params,
                 int64_t *out_value)
{
    struct ax_store_rows *rows;
    AX_TRY(ax_store_query(tx, ctx, sql, params, &rows));
    bool found = ax_store_next(rows);
    if (found)
        *out_value = ax_store_read_i64(rows, 0);
    AX_TRY(ax_store_finish(rows));
    return found ? AX_OK : ax_fail(ctx, AX_NOT_FOUND, "no such row");
}

ax_status
ax_store_script(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str text)
{
    AX_TRY(check_alive(tx, ctx));
    return note(tx, tx->store->ops->script(tx, ctx, text));
}

ax_status
ax_store_claim(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str name, bool *out_mine)
{
    AX_TRY(check_alive(tx, ctx));
    if (tx->store->ops->claim)
        return note(tx, tx->store->ops->claim(tx, ctx, name, out_mine));
    *out_mine = true;
    return AX_OK;
}

/* ---- care ---- */

ax_status
ax_store_maintain(struct ax_store *store, struct ax_ctx *ctx, struct ax_store_upkeep *out_upkeep)
{
    return store->ops->maintain(store, ctx, out_upkeep);
}

ax_status
ax_store_backup(struct ax_store *store, struct ax_ctx *ctx, ax_str path)
{
    return store->ops->backup(store, ctx, path);
}

ax_status
ax_store_check(struct ax_store *store, struct ax_ctx *ctx)
{
    return store->ops->check(store, ctx);
}

void
ax_store_close(struct ax_store *store)
{
    if (!store)
        return;
    ax_write_group_done(&store->group);
    store->ops->close(store);
}
