/*
 * Builds the tiles and entry bundles of a log leaf by leaf, and knows the root they make.
 *
 * Full tiles are written as they fill up, partial ones when asked (before a checkpoint). Which of
 * them are surely on the disk is counted apart (`sure`): what lies above is built again from the
 * log at the next open. One thread's.
 */
#pragma once

#include <stdint.h>

#include "base/writer.h"
#include "event/merkle.h"
#include "event/tile.h"

struct ax_ledger_tiles {
    ax_str folder;                /* kept by the caller */
    struct ax_merkle_range range; /* of all leaves so far */
    uint64_t sure;                /* leaves whose tiles are synced; a multiple of 256 */
    ax_digest hashes[AX_TILE_LEVELS][AX_TILE_WIDTH]; /* of the tile that fills up, by level */
    struct ax_writer bundle;                         /* leaves of the bundle that fills up */
    bool broken; /* a write failed in the middle: to be loaded again */
};

void ax_ledger_tiles_init(struct ax_ledger_tiles *tiles, ax_str folder);
void ax_ledger_tiles_done(struct ax_ledger_tiles *tiles);

/*
 * Reads the first `sure` leaf hashes from their tiles. heads: what the tree must have been at
 * some sizes; those up to sure are compared. Fails: CORRUPT, LIMIT, UNAVAILABLE.
 */
ax_status ax_ledger_tiles_load(struct ax_ledger_tiles *tiles, struct ax_ctx *ctx, uint64_t sure,
                               const struct ax_merkle_head *heads, size_t head_count);

/* One more leaf. Fails: LIMIT, UNAVAILABLE; then the tiles must be loaded again. */
ax_status ax_ledger_tiles_add(struct ax_ledger_tiles *tiles, struct ax_ctx *ctx, ax_str leaf);

/* Writes the tiles and the bundle that are not full, as a checkpoint of this size needs them. */
ax_status ax_ledger_tiles_partials(const struct ax_ledger_tiles *tiles, struct ax_ctx *ctx);

/* Syncs at most count_max more full bundles with their tiles, and removes their partial ones. */
ax_status ax_ledger_tiles_sync(struct ax_ledger_tiles *tiles, struct ax_ctx *ctx, int count_max);
