/*
 * The hashes of a log as files that anybody can serve: the tile layout of C2SP tlog-tiles.
 *
 * A tile is 256 hashes of one level (every eighth of the tree); a bundle is 256 leaves, each with
 * a 16-bit length. A full one never changes; a partial one has its width in its name and gives way
 * to the full one. Proofs are computed from tiles alone: at most a few files are read for each.
 *
 * Writing is not durable by itself (whoever writes knows what is sure), but never half.
 */
#pragma once

#include <stdint.h>

#include "event/merkle.h"

enum {
    AX_TILE_WIDTH = 256,
    AX_TILE_HEIGHT = 8,
    AX_TILE_LEVELS = 8,
    AX_TILE_BYTES = AX_TILE_WIDTH * 32,
    AX_TILE_BUNDLE_LEVEL = -1, /* leaves instead of hashes */
    AX_TILE_BUNDLE_BYTES_MAX = AX_TILE_WIDTH * (2 + 65'535),
};

struct ax_tile_id {
    int level;       /* 0 ..., or AX_TILE_BUNDLE_LEVEL */
    uint64_t number; /* from the left */
    int width;       /* 1 to 256 */
};

/* "tile/0/x001/234.p/17" behind the folder, in ctx->arena. */
ax_status ax_tile_path(struct ax_ctx *ctx, ax_str folder, struct ax_tile_id id, ax_str *out_path);

/* Whole at once, not synced; folders are made as needed. */
ax_status ax_tile_write(struct ax_ctx *ctx, ax_str folder, struct ax_tile_id id, ax_str bytes);

/* On the disk for good: the file, and the folders on its path. */
ax_status ax_tile_sync(struct ax_ctx *ctx, ax_str folder, struct ax_tile_id id);

/* The bytes, in ctx->arena; of a partial one from the full one where that is there. Fails:
 * NOT_FOUND, CORRUPT (a length that cannot be). */
ax_status ax_tile_read(struct ax_ctx *ctx, ax_str folder, struct ax_tile_id id, ax_str *out_bytes);

/* Removes the partial ones of a tile that has become full. */
ax_status ax_tile_remove_partials(struct ax_ctx *ctx, ax_str folder, struct ax_tile_id id);

/* Entry `index` of a bundle, borrowed. Fails: CORRUPT. */
ax_status ax_tile_bundle_entry(struct ax_ctx *ctx, ax_str bundle, int index, ax_str *out_leaf);

/* How wide tile `number` of a level is in a log of size leaves: 0 to 256. */
int ax_tile_width(uint64_t size, int level, uint64_t number);

/* The leaf hash as the level-0 tile of a log of size leaves has it. */
ax_status ax_tile_leaf_hash(struct ax_ctx *ctx, ax_str folder, uint64_t size, uint64_t index,
                            ax_digest *out_hash);

/* Proofs of RFC 6962 in a log of size leaves, in ctx->arena. Fails: INVALID, NOT_FOUND, CORRUPT. */
ax_status ax_tile_prove_inclusion(struct ax_ctx *ctx, ax_str folder, uint64_t index, uint64_t size,
                                  struct ax_merkle_proof *out_proof);
ax_status ax_tile_prove_consistency(struct ax_ctx *ctx, ax_str folder, uint64_t old_size,
                                    uint64_t new_size, struct ax_merkle_proof *out_proof);
