#include "event/ledger_tiles.h"

#include <inttypes.h>

#include "base/assert.h"

void
ax_ledger_tiles_init(struct ax_ledger_tiles *tiles, ax_str folder)
{
    *tiles = (struct ax_ledger_tiles){.folder = folder,
                                      .bundle = ax_writer_of(AX_TILE_BUNDLE_BYTES_MAX)};
}

void
ax_ledger_tiles_done(struct ax_ledger_tiles *tiles)
{
    ax_writer_free(&tiles->bundle);
}

/* The root of a full tile. */
static ax_digest
tile_root(const ax_digest hashes[AX_TILE_WIDTH])
{
    ax_digest row[AX_TILE_WIDTH / 2];
    for (size_t i = 0; i < AX_TILE_WIDTH / 2; i++)
        row[i] = ax_merkle_node(hashes[2 * i], hashes[2 * i + 1]);
    for (size_t count = AX_TILE_WIDTH / 4; count > 0; count /= 2)
        for (size_t i = 0; i < count; i++)
            row[i] = ax_merkle_node(row[2 * i], row[2 * i + 1]);
    return row[0];
}

static ax_str
hashes_of(const struct ax_ledger_tiles *tiles, int level, int count)
{
    return (ax_str){(const char *)tiles->hashes[level], (size_t)count * sizeof(ax_digest)};
}

/* ---- growing ---- */

/*
 * The root of a full tile of leaf hashes goes to the level above, and so on upwards. size: leaves
 * with this tile. write: the tiles above are made, else they are there already.
 */
static ax_status
climb(struct ax_ledger_tiles *tiles, struct ax_ctx *ctx, uint64_t size, bool write)
{
    ax_digest root = tile_root(tiles->hashes[0]);
    for (int level = 1; level < AX_TILE_LEVELS; level++) {
        uint64_t count = size >> (AX_TILE_HEIGHT * level); /* hashes of this level */
        tiles->hashes[level][(count - 1) % AX_TILE_WIDTH] = root;
        if (count % AX_TILE_WIDTH != 0)
            break;
        struct ax_tile_id id = {level, count / AX_TILE_WIDTH - 1, AX_TILE_WIDTH};
        if (write)
            AX_TRY(ax_tile_write(ctx, tiles->folder, id, hashes_of(tiles, level, id.width)));
        root = tile_root(tiles->hashes[level]);
    }
    return AX_OK;
}

/* The bundle and the tiles that the last leaf has filled. */
static ax_status
write_full(struct ax_ledger_tiles *tiles, struct ax_ctx *ctx)
{
    uint64_t size = tiles->range.size;
    struct ax_tile_id id = {AX_TILE_BUNDLE_LEVEL, size / AX_TILE_WIDTH - 1, AX_TILE_WIDTH};
    AX_TRY(ax_tile_write(ctx, tiles->folder, id, ax_writer_str(&tiles->bundle)));
    ax_writer_clear(&tiles->bundle);
    id.level = 0;
    AX_TRY(ax_tile_write(ctx, tiles->folder, id, hashes_of(tiles, 0, id.width)));
    return climb(tiles, ctx, size, true);
}

ax_status
ax_ledger_tiles_add(struct ax_ledger_tiles *tiles, struct ax_ctx *ctx, ax_str leaf)
{
    AX_ASSERT(leaf.len <= UINT16_MAX);
    ax_digest hash = ax_merkle_leaf(leaf);
    ax_writer_u16_be(&tiles->bundle, (uint16_t)leaf.len);
    ax_writer_bytes(&tiles->bundle, leaf);
    if (tiles->bundle.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for an entry bundle");
    tiles->hashes[0][tiles->range.size % AX_TILE_WIDTH] = hash;
    ax_merkle_push(&tiles->range, hash);
    return tiles->range.size % AX_TILE_WIDTH == 0 ? write_full(tiles, ctx) : AX_OK;
}

ax_status
ax_ledger_tiles_partials(const struct ax_ledger_tiles *tiles, struct ax_ctx *ctx)
{
    uint64_t size = tiles->range.size;
    struct ax_tile_id bundle = {AX_TILE_BUNDLE_LEVEL, size / AX_TILE_WIDTH,
                                (int)(size % AX_TILE_WIDTH)};
    if (bundle.width > 0)
        AX_TRY(ax_tile_write(ctx, tiles->folder, bundle, ax_writer_str(&tiles->bundle)));
    for (int level = 0; level < AX_TILE_LEVELS; level++) {
        uint64_t count = size >> (AX_TILE_HEIGHT * level);
        struct ax_tile_id id = {level, count / AX_TILE_WIDTH, (int)(count % AX_TILE_WIDTH)};
        if (id.width > 0)
            AX_TRY(ax_tile_write(ctx, tiles->folder, id, hashes_of(tiles, level, id.width)));
    }
    return AX_OK;
}

/* ---- what is on the disk for good ---- */

/* One full tile: synced, and the partial ones it replaces are gone. */
static ax_status
sync_tile(const struct ax_ledger_tiles *tiles, struct ax_ctx *ctx, int level, uint64_t number)
{
    const struct ax_tile_id id = {level, number, AX_TILE_WIDTH};
    AX_TRY(ax_tile_sync(ctx, tiles->folder, id));
    return ax_tile_remove_partials(ctx, tiles->folder, id);
}

ax_status
ax_ledger_tiles_sync(struct ax_ledger_tiles *tiles, struct ax_ctx *ctx, int count_max)
{
    for (int i = 0; i < count_max && tiles->range.size - tiles->sure >= AX_TILE_WIDTH; i++) {
        uint64_t size = tiles->sure + AX_TILE_WIDTH;
        AX_TRY(sync_tile(tiles, ctx, AX_TILE_BUNDLE_LEVEL, size / AX_TILE_WIDTH - 1));
        for (int level = 0; level < AX_TILE_LEVELS; level++) {
            uint64_t count = size >> (AX_TILE_HEIGHT * level);
            if (count == 0 || count % AX_TILE_WIDTH != 0)
                break;
            AX_TRY(sync_tile(tiles, ctx, level, count / AX_TILE_WIDTH - 1));
        }
        tiles->sure = size;
    }
    return AX_OK;
}

/* ---- loading ---- */

/* The range of so many full tiles: that of their roots, each of which stands for 256 leaves. */
static struct ax_merkle_range
range_of(const struct ax_merkle_range *roots)
{
    struct ax_merkle_range range = *roots;
    range.size *= AX_TILE_WIDTH;
    return range;
}

/* The heads that lie in the tile just read, or at its end. */
static ax_status
check_heads(const struct ax_ledger_tiles *tiles, struct ax_ctx *ctx,
            const struct ax_merkle_range *roots, const struct ax_merkle_head *heads,
            size_t head_count)
{
    uint64_t start = roots->size * AX_TILE_WIDTH;
    for (size_t i = 0; i < head_count; i++) {
        if (heads[i].size <= start || heads[i].size > start + AX_TILE_WIDTH)
            continue;
        struct ax_merkle_range range = range_of(roots);
        for (uint64_t at = start; at < heads[i].size; at++)
            ax_merkle_push(&range, tiles->hashes[0][at % AX_TILE_WIDTH]);
        if (!ax_digest_eq(ax_merkle_root(&range), heads[i].root))
            return ax_fail(ctx, AX_CORRUPT,
                           "the tiles of the first %" PRIu64 " facts do not make the root that was "
                           "signed: a tile or the state was changed",
                           heads[i].size);
    }
    return AX_OK;
}

ax_status
ax_ledger_tiles_load(struct ax_ledger_tiles *tiles, struct ax_ctx *ctx, uint64_t sure,
                     const struct ax_merkle_head *heads, size_t head_count)
{
    AX_ASSERT(sure % AX_TILE_WIDTH == 0);
    ax_auto(ax_arena_free) struct ax_arena *scratch = ax_arena_new(1 << 20);
    if (!scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory to read tiles");
    struct ax_arena *outer = ctx->arena;
    struct ax_merkle_range roots = {};
    ax_status status = AX_OK;
    ctx->arena = scratch;
    for (uint64_t number = 0; status == AX_OK && number < sure / AX_TILE_WIDTH; number++) {
        ax_str bytes;
        ax_arena_reset(scratch);
        status =
            ax_tile_read(ctx, tiles->folder, (struct ax_tile_id){0, number, AX_TILE_WIDTH}, &bytes);
        if (status == AX_NOT_FOUND)
            status = ax_explain(ctx, AX_CORRUPT, "a tile is missing");
        if (status != AX_OK)
            break;
        memcpy(tiles->hashes[0], bytes.at, AX_TILE_BYTES);
        status = check_heads(tiles, ctx, &roots, heads, head_count);
        ax_merkle_push(&roots, tile_root(tiles->hashes[0]));
        if (status == AX_OK)
            status = climb(tiles, ctx, (number + 1) * AX_TILE_WIDTH, false);
    }
    ctx->arena = outer;
    tiles->range = range_of(&roots);
    tiles->sure = sure;
    return status;
}
