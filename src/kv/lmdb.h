/* LMDB behind the kv port: memory-mapped, readers never wait. liblmdb ends here. */
#pragma once

#include "kv/kv.h"

/*
 * folder: made when absent. bytes_max: size of the map, address space rather than memory.
 * Commits are not synced one by one; call ax_kv_sync. Fails: LIMIT, DENIED, CORRUPT, UNAVAILABLE.
 */
ax_status ax_lmdb_open(struct ax_ctx *ctx, ax_str folder, uint64_t bytes_max,
                       struct ax_kv **out_kv);
