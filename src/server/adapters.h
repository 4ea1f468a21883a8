/* Which adapter stands behind each port: the only place that names them. */
#pragma once

#include "blob/blob.h"
#include "kv/kv.h"
#include "server/data_dir.h"
#include "store/store.h"

/* Opens the database and brings its schema up to date. */
ax_status ax_adapters_store(struct ax_ctx *ctx, const struct ax_data_dir *dir,
                            const struct ax_server_settings *settings, struct ax_store **out_store);
ax_status ax_adapters_blob(struct ax_ctx *ctx, ax_str folder, struct ax_blob **out_blob);
ax_status ax_adapters_kv(struct ax_ctx *ctx, const struct ax_data_dir *dir,
                         const struct ax_server_settings *settings, struct ax_kv **out_kv);
