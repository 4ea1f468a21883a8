#include "kv/lmdb.h"

#include <lmdb.h>

#include "base/alloc.h"
#include "base/array.h"
#include "sys/file.h"

enum { READERS_MAX = 512 };

struct lmdb {
    struct ax_kv kv;
    MDB_env *environment;
    MDB_dbi table;
};

static ax_status
failed(struct ax_ctx *ctx, int code, const char *what)
{
    ax_status status = code == MDB_NOTFOUND                               ? AX_NOT_FOUND
                       : code == MDB_MAP_FULL || code == MDB_READERS_FULL ? AX_LIMIT
                       : code == MDB_CORRUPTED || code == MDB_INVALID ||
                               code == MDB_PAGE_NOTFOUND || code == MDB_VERSION_MISMATCH
                           ? AX_CORRUPT
                           : AX_UNAVAILABLE;
    return ax_fail(ctx, status, "lmdb, %s: %s", what, mdb_strerror(code));
}

static MDB_val
value_of(ax_str str)
{
    union { /* LMDB takes plain pointers and does not write through this one */
        const char *from;
        void *to;
    } at = {.from = str.at};
    return (MDB_val){str.len, at.to};
}

static ax_status
lmdb_get(struct ax_kv *kv, struct ax_ctx *ctx, ax_str key, ax_str *out_value)
{
    struct lmdb *lmdb = (struct lmdb *)kv;
    MDB_txn *read;
    MDB_val wanted = value_of(key), found;
    int code = mdb_txn_begin(lmdb->environment, NULL, MDB_RDONLY, &read);
    if (code != 0)
        return failed(ctx, code, "begin");
    code = mdb_get(read, lmdb->table, &wanted, &found);
    bool copied =
        code == 0 && ax_str_copy(ctx->arena, (ax_str){found.mv_data, found.mv_size}, out_value);
    mdb_txn_abort(read);
    if (code == MDB_NOTFOUND)
        return ax_fail(ctx, AX_NOT_FOUND, "no such key");
    if (code != 0)
        return failed(ctx, code, "get");
    return copied ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a value");
}

static int
write_items(struct lmdb *lmdb, MDB_txn *write, const struct ax_kv_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        MDB_val key = value_of(items[i].key), value = value_of(items[i].value);
        int code = items[i].removed ? mdb_del(write, lmdb->table, &key, NULL)
                                    : mdb_put(write, lmdb->table, &key, &value, 0);
        if (code != 0 && !(items[i].removed && code == MDB_NOTFOUND))
            return code;
    }
    return 0;
}

static ax_status
lmdb_write(struct ax_kv *kv, struct ax_ctx *ctx, const struct ax_kv_item *items, size_t count)
{
    struct lmdb *lmdb = (struct lmdb *)kv;
    MDB_txn *write;
    int code = mdb_txn_begin(lmdb->environment, NULL, 0, &write);
    if (code != 0)
        return failed(ctx, code, "begin");
    code = write_items(lmdb, write, items, count);
    if (code != 0) {
        mdb_txn_abort(write);
        return failed(ctx, code, "put");
    }
    code = mdb_txn_commit(write);
    return code == 0 ? AX_OK : failed(ctx, code, "commit");
}

struct found {
    AX_ARRAY(struct ax_kv_item)
};

static ax_status
collect(struct ax_ctx *ctx, MDB_cursor *cursor, ax_str prefix, size_t count_max,
        struct found *found)
{
    MDB_val key = value_of(prefix), value;
    int code = mdb_cursor_get(cursor, &key, &value, prefix.len ? MDB_SET_RANGE : MDB_FIRST);
    for (; code == 0 && found->count < count_max;
         code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        ax_str name = {key.mv_data, key.mv_size};
        if (!ax_str_starts(name, prefix))
            return AX_OK;
        struct ax_kv_item *item = AX_ARRAY_PUSH(ctx->arena, found);
        if (!item || !ax_str_copy(ctx->arena, name, &item->key) ||
            !ax_str_copy(ctx->arena, (ax_str){value.mv_data, value.mv_size}, &item->value))
            return ax_fail(ctx, AX_LIMIT, "no memory for a scan");
    }
    return code == 0 || code == MDB_NOTFOUND ? AX_OK : failed(ctx, code, "scan");
}

static ax_status
lmdb_scan(struct ax_kv *kv, struct ax_ctx *ctx, ax_str prefix, size_t count_max,
          struct ax_kv_item **out_items, size_t *out_count)
{
    struct lmdb *lmdb = (struct lmdb *)kv;
    MDB_txn *read;
    MDB_cursor *cursor;
    struct found found = {};
    int code = mdb_txn_begin(lmdb->environment, NULL, MDB_RDONLY, &read);
    if (code != 0)
        return failed(ctx, code, "begin");
    code = mdb_cursor_open(read, lmdb->table, &cursor);
    ax_status status =
        code == 0 ? collect(ctx, cursor, prefix, count_max, &found) : failed(ctx, code, "cursor");
    if (code == 0)
        mdb_cursor_close(cursor);
    mdb_txn_abort(read);
    AX_TRY(status);
    *out_items = found.items;
    *out_count = found.count;
    return AX_OK;
}

static ax_status
lmdb_sync(struct ax_kv *kv, struct ax_ctx *ctx)
{
    int code = mdb_env_sync(((struct lmdb *)kv)->environment, 1);
    return code == 0 ? AX_OK : failed(ctx, code, "sync");
}

static void
lmdb_close(struct ax_kv *kv)
{
    struct lmdb *lmdb = (struct lmdb *)kv;
    mdb_env_close(lmdb->environment);
    ax_free(lmdb);
}

static int
open_table(struct lmdb *lmdb)
{
    MDB_txn *write;
    int code = mdb_txn_begin(lmdb->environment, NULL, 0, &write);
    if (code != 0)
        return code;
    code = mdb_dbi_open(write, NULL, MDB_CREATE, &lmdb->table);
    if (code != 0) {
        mdb_txn_abort(write);
        return code;
    }
    return mdb_txn_commit(write);
}

static ax_status
open_environment(struct ax_ctx *ctx, struct lmdb *lmdb, ax_str folder, uint64_t bytes_max)
{
    const char *path = ax_str_c(ctx->arena, folder);
    if (!path)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    int code = mdb_env_set_mapsize(lmdb->environment, bytes_max);
    if (code == 0)
        code = mdb_env_set_maxreaders(lmdb->environment, READERS_MAX);
    if (code == 0)
        code = mdb_env_open(lmdb->environment, path, MDB_NOTLS | MDB_NOSYNC | MDB_NORDAHEAD, 0600);
    if (code == 0)
        code = open_table(lmdb);
    return code == 0 ? AX_OK : failed(ctx, code, path);
}

ax_status
ax_lmdb_open(struct ax_ctx *ctx, ax_str folder, uint64_t bytes_max, struct ax_kv **out_kv)
{
    static const struct ax_kv_ops ops = {
        .name = "lmdb",
        .get = lmdb_get,
        .write = lmdb_write,
        .scan = lmdb_scan,
        .sync = lmdb_sync,
        .close = lmdb_close,
    };
    AX_TRY(ax_file_make_folders(ctx, folder));
    struct lmdb *lmdb = ax_alloc(sizeof *lmdb, 1);
    if (!lmdb)
        return ax_fail(ctx, AX_LIMIT, "no memory for a key-value store");
    lmdb->kv.ops = &ops;
    int code = mdb_env_create(&lmdb->environment);
    if (code != 0) {
        ax_free(lmdb);
        return failed(ctx, code, "create");
    }
    ax_status status = open_environment(ctx, lmdb, folder, bytes_max);
    if (status != AX_OK) {
        lmdb_close(&lmdb->kv);
        return status;
    }
    *out_kv = &lmdb->kv;
    return AX_OK;
}
