#include "event/tile.h"

#include <stdio.h>

#include <inttypes.h>

#include "base/assert.h"
#include "base/reader.h"
#include "sys/file.h"

enum { GROUP = 1'000, GROUPS_MAX = 7, RANGES_MAX = AX_MERKLE_LEVELS_MAX, CACHE_TILES = 4 };

#define file_auto [[gnu::cleanup(ax_file_close)]]

/* ---- names ---- */

/* "x001/x234/067" for 1,234,067. */
static void
number_text(uint64_t number, char *out, size_t capacity)
{
    uint64_t groups[GROUPS_MAX];
    int count = 0;
    do {
        groups[count++] = number % GROUP;
        number /= GROUP;
    } while (number > 0);
    size_t len = 0;
    for (int i = count - 1; i >= 0; i--) {
        int put = snprintf(out + len, capacity - len, "%s%03" PRIu64 "%s", i > 0 ? "x" : "",
                           groups[i], i > 0 ? "/" : "");
        AX_ASSERT(put > 0 && (size_t)put < capacity - len);
        len += (size_t)put;
    }
}

ax_status
ax_tile_path(struct ax_ctx *ctx, ax_str folder, struct ax_tile_id id, ax_str *out_path)
{
    AX_ASSERT(id.width > 0 && id.width <= AX_TILE_WIDTH);
    char level[16] = "entries", number[GROUPS_MAX * 5 + 1], partial[16] = "";
    if (id.level != AX_TILE_BUNDLE_LEVEL)
        snprintf(level, sizeof level, "%d", id.level);
    if (id.width < AX_TILE_WIDTH)
        snprintf(partial, sizeof partial, ".p/%d", id.width);
    number_text(id.number, number, sizeof number);
    *out_path =
        ax_str_printf(ctx->arena, "%.*s/tile/%s/%s%s", AX_FMT(folder), level, number, partial);
    return out_path->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a path");
}

/* ---- files ---- */

static ax_status
write_new(struct ax_ctx *ctx, ax_str path, ax_str bytes)
{
    file_auto ax_file file = {-1};
    AX_TRY(ax_file_open(ctx, path, AX_FILE_WRITE, &file));
    AX_TRY(ax_file_truncate(ctx, file, bytes.len));
    return ax_file_write_at(ctx, file, 0, bytes);
}

ax_status
ax_tile_write(struct ax_ctx *ctx, ax_str folder, struct ax_tile_id id, ax_str bytes)
{
    ax_str path;
    AX_TRY(ax_tile_path(ctx, folder, id, &path));
    ax_str parent = ax_path_folder(path);
    ax_str draft = ax_path_join(ctx->arena, parent, AX_STR("draft"));
    if (!draft.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    if (!ax_file_exists(parent))
        AX_TRY(ax_file_make_folders(ctx, parent));
    AX_TRY(write_new(ctx, draft, bytes));
    return ax_file_rename(ctx, draft, path);
}

ax_status
ax_tile_sync(struct ax_ctx *ctx, ax_str folder, struct ax_tile_id id)
{
    ax_str path;
    file_auto ax_file file = {-1};
    AX_TRY(ax_tile_path(ctx, folder, id, &path));
    AX_TRY(ax_file_open(ctx, path, AX_FILE_READ, &file));
    AX_TRY(ax_file_sync(ctx, file));
    return ax_file_sync_folder(ctx, ax_path_folder(path));
}

/* The file under this very name; its length is judged. */
static ax_status
read_exact(struct ax_ctx *ctx, ax_str folder, struct ax_tile_id id, ax_str *out_bytes)
{
    ax_str path;
    AX_TRY(ax_tile_path(ctx, folder, id, &path));
    AX_TRY(ax_file_read_all(ctx, path, AX_TILE_BUNDLE_BYTES_MAX, out_bytes));
    if (id.level != AX_TILE_BUNDLE_LEVEL && out_bytes->len != (size_t)id.width * 32)
        return ax_fail(ctx, AX_CORRUPT, "%.*s has %zu bytes, not %d", AX_FMT(path), out_bytes->len,
                       id.width * 32);
    return AX_OK;
}

ax_status
ax_tile_read(struct ax_ctx *ctx, ax_str folder, struct ax_tile_id id, ax_str *out_bytes)
{
    const struct ax_tile_id full = {id.level, id.number, AX_TILE_WIDTH};
    ax_str bytes;
    ax_status status = AX_NOT_FOUND;
    /* The partial one may give way to the full one between two looks. */
    for (int i = 0; i < 2 && status == AX_NOT_FOUND; i++) {
        status = read_exact(ctx, folder, full, &bytes);
        if (status == AX_NOT_FOUND && id.width < AX_TILE_WIDTH)
            status = read_exact(ctx, folder, id, &bytes);
    }
    AX_TRY(status);
    if (id.level != AX_TILE_BUNDLE_LEVEL)
        bytes.len = (size_t)id.width * 32;
    *out_bytes = bytes;
    return AX_OK;
}

ax_status
ax_tile_remove_partials(struct ax_ctx *ctx, ax_str folder, struct ax_tile_id id)
{
    ax_str path;
    id.width = 1;
    AX_TRY(ax_tile_path(ctx, folder, id, &path));
    ax_str parent = ax_path_folder(path);
    return ax_file_exists(parent) ? ax_file_remove_tree(ctx, parent) : AX_OK;
}

ax_status
ax_tile_bundle_entry(struct ax_ctx *ctx, ax_str bundle, int index, ax_str *out_leaf)
{
    struct ax_reader reader = ax_reader_of(bundle);
    ax_str leaf = AX_STR("");
    for (int i = 0; i <= index; i++)
        leaf = ax_reader_bytes(&reader, ax_reader_u16_be(&reader));
    if (reader.status != AX_OK)
        return ax_fail(ctx, AX_CORRUPT, "a bundle ends before its entry %d", index);
    *out_leaf = leaf;
    return AX_OK;
}

int
ax_tile_width(uint64_t size, int level, uint64_t number)
{
    uint64_t hashes = level < AX_TILE_LEVELS ? size >> (AX_TILE_HEIGHT * level) : 0;
    uint64_t before = number * AX_TILE_WIDTH;
    if (hashes <= before)
        return 0;
    return hashes - before < AX_TILE_WIDTH ? (int)(hashes - before) : AX_TILE_WIDTH;
}

/* ---- hashes of subtrees ---- */

struct cached {
    int level;
    uint64_t number;
    ax_str bytes; /* "" when the slot is empty */
};

/* Tiles of one log at one size; the last few read are kept. */
struct tiles {
    ax_str folder;
    uint64_t size;
    struct cached cache[CACHE_TILES];
    int next;
};

static ax_status
tile_of(struct ax_ctx *ctx, struct tiles *tiles, int level, uint64_t number, ax_str *out_bytes)
{
    for (int i = 0; i < CACHE_TILES; i++) {
        const struct cached *slot = &tiles->cache[i];
        if (slot->bytes.len > 0 && slot->level == level && slot->number == number) {
            *out_bytes = slot->bytes;
            return AX_OK;
        }
    }
    const struct ax_tile_id id = {level, number, ax_tile_width(tiles->size, level, number)};
    if (id.width == 0)
        return ax_fail(ctx, AX_INVALID, "a log of %" PRIu64 " leaves has no tile %d/%" PRIu64,
                       tiles->size, level, number);
    ax_str bytes;
    AX_TRY(ax_tile_read(ctx, tiles->folder, id, &bytes));
    tiles->cache[tiles->next] = (struct cached){level, number, bytes};
    tiles->next = (tiles->next + 1) % CACHE_TILES;
    *out_bytes = bytes;
    return AX_OK;
}

static ax_digest
digest_at(ax_str bytes, uint64_t index)
{
    ax_digest digest;
    memcpy(digest.bytes, bytes.at + index * sizeof digest.bytes, sizeof digest.bytes);
    return digest;
}

/* The perfect subtree of this height that is number `index` from the left. */
static ax_status
subtree_hash(struct ax_ctx *ctx, struct tiles *tiles, int height, uint64_t index,
             ax_digest *out_hash)
{
    int level = height / AX_TILE_HEIGHT, rest = height % AX_TILE_HEIGHT;
    uint64_t first = index << rest;
    size_t count = (size_t)1 << rest;
    ax_str bytes;
    AX_TRY(tile_of(ctx, tiles, level, first / AX_TILE_WIDTH, &bytes));
    if ((first % AX_TILE_WIDTH + count) * sizeof(ax_digest) > bytes.len)
        return ax_fail(ctx, AX_INVALID, "no such subtree in a log of %" PRIu64 " leaves",
                       tiles->size);
    ax_digest hashes[AX_TILE_WIDTH / 2] = {};
    for (size_t i = 0; i < count; i++)
        hashes[i] = digest_at(bytes, first % AX_TILE_WIDTH + i);
    for (; count > 1; count /= 2)
        for (size_t i = 0; i < count / 2; i++)
            hashes[i] = ax_merkle_node(hashes[2 * i], hashes[2 * i + 1]);
    *out_hash = hashes[0];
    return AX_OK;
}

/* The tree over leaves [start, end); start is aligned as splitting at powers of two makes it. */
static ax_status
range_hash(struct ax_ctx *ctx, struct tiles *tiles, uint64_t start, uint64_t end,
           ax_digest *out_hash)
{
    ax_digest parts[RANGES_MAX] = {};
    int count = 0;
    for (uint64_t at = start; at < end;) {
        int height = 0;
        while (height < 62 && end - at >= UINT64_C(2) << height)
            height++;
        AX_TRY(subtree_hash(ctx, tiles, height, at >> height, &parts[count++]));
        at += UINT64_C(1) << height;
    }
    ax_digest hash = parts[count - 1];
    for (int i = count - 2; i >= 0; i--)
        hash = ax_merkle_node(parts[i], hash);
    *out_hash = hash;
    return AX_OK;
}

ax_status
ax_tile_leaf_hash(struct ax_ctx *ctx, ax_str folder, uint64_t size, uint64_t index,
                  ax_digest *out_hash)
{
    if (index >= size)
        return ax_fail(ctx, AX_INVALID, "a log of %" PRIu64 " leaves has no leaf %" PRIu64, size,
                       index);
    struct tiles tiles = {.folder = folder, .size = size};
    return subtree_hash(ctx, &tiles, 0, index, out_hash);
}

/* ---- proofs: which subtrees, from the root down; the proof has them from the leaf up ---- */

struct ranges {
    uint64_t start[RANGES_MAX], end[RANGES_MAX];
    size_t count;
};

static void
ranges_push(struct ranges *ranges, uint64_t start, uint64_t end)
{
    ranges->start[ranges->count] = start;
    ranges->end[ranges->count++] = end;
}

/* The largest power of two below size, which is at least 2. */
static uint64_t
split(uint64_t size)
{
    return UINT64_C(1) << (63 - __builtin_clzll(size - 1));
}

static ax_status
ranges_prove(struct ax_ctx *ctx, ax_str folder, uint64_t size, const struct ranges *ranges,
             struct ax_merkle_proof *out_proof)
{
    struct tiles tiles = {.folder = folder, .size = size};
    struct ax_merkle_proof proof = {.count = ranges->count};
    proof.hashes = AX_NEW_ARRAY(ctx->arena, ax_digest, ranges->count);
    if (!proof.hashes)
        return ax_fail(ctx, AX_LIMIT, "no memory for a proof");
    for (size_t i = 0; i < ranges->count; i++) {
        size_t from_top = ranges->count - 1 - i;
        AX_TRY(range_hash(ctx, &tiles, ranges->start[from_top], ranges->end[from_top],
                          &proof.hashes[i]));
    }
    *out_proof = proof;
    return AX_OK;
}

ax_status
ax_tile_prove_inclusion(struct ax_ctx *ctx, ax_str folder, uint64_t index, uint64_t size,
                        struct ax_merkle_proof *out_proof)
{
    if (index >= size || size > INT64_MAX)
        return ax_fail(ctx, AX_INVALID, "a log of %" PRIu64 " leaves has no leaf %" PRIu64, size,
                       index);
    struct ranges ranges = {};
    for (uint64_t start = 0, end = size; end - start > 1;) {
        uint64_t middle = start + split(end - start);
        bool left = index < middle;
        ranges_push(&ranges, left ? middle : start, left ? end : middle);
        start = left ? start : middle;
        end = left ? middle : end;
    }
    return ranges_prove(ctx, folder, size, &ranges, out_proof);
}

ax_status
ax_tile_prove_consistency(struct ax_ctx *ctx, ax_str folder, uint64_t old_size, uint64_t new_size,
                          struct ax_merkle_proof *out_proof)
{
    if (old_size == 0 || old_size > new_size || new_size > INT64_MAX)
        return ax_fail(ctx, AX_INVALID,
                       "a log of %" PRIu64 " leaves extends none of %" PRIu64 " that can be proven",
                       new_size, old_size);
    struct ranges ranges = {};
    uint64_t start = 0, end = new_size;
    while (old_size < end) {
        uint64_t middle = start + split(end - start);
        bool left = old_size <= middle;
        ranges_push(&ranges, left ? middle : start, left ? end : middle);
        start = left ? start : middle;
        end = left ? middle : end;
    }
    if (start > 0) /* else it is the old tree itself, whose root the verifier has */
        ranges_push(&ranges, start, end);
    return ranges_prove(ctx, folder, new_size, &ranges, out_proof);
}
