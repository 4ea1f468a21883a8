#include "server/adapters.h"

#include "blob/fs.h"
#include "kv/lmdb.h"
#include "store/migrate.h"

ax_status
ax_adapters_store(struct ax_ctx *ctx, const struct ax_data_dir *dir,
                  const struct ax_server_settings *settings, struct ax_store **out_store)
{
    struct ax_sqlite_config config = settings->store;
    int version;
    config.path = dir->store;
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    AX_TRY(ax_sqlite_open(ctx, &config, &store));
    AX_TRY(ax_migrate(store, ctx, &version));
    *out_store = ax_take(store);
    return AX_OK;
}

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
