#include "verify/verify_tree.h"

#include <stdio.h>

#include "base/writer.h"
#include "sys/file.h"

enum {
    WIDTH = 256,
    LEVELS = 8,
    BUNDLE = -1,
    EDGE_MAX = 64,
    BUNDLE_BYTES_MAX = WIDTH * (2 + 65'535),
    PATH_BYTES_MAX = 160,
};

struct ax_verify_tree {
    ax_str folder;
    uint64_t size;
    ax_digest edge[EDGE_MAX]; /* of the whole tree: one hash for each bit of size */
    int edge_count;
    ax_digest tiles[LEVELS][WIDTH];
    size_t widths[LEVELS];
    struct ax_writer bundle; /* leaves since the last full bundle */
};

ax_digest
ax_verify_leaf_hash(ax_str leaf)
{
    const ax_str pieces[] = {{"\0", 1}, leaf};
    return ax_sha256_of(pieces, AX_COUNT_OF(pieces));
}

ax_digest
ax_verify_node_hash(ax_digest left, ax_digest right)
{
    const ax_str pieces[] = {{"\1", 1},
                             {(const char *)left.bytes, sizeof left.bytes},
                             {(const char *)right.bytes, sizeof right.bytes}};
    return ax_sha256_of(pieces, AX_COUNT_OF(pieces));
}

struct ax_verify_tree *
ax_verify_tree_new(struct ax_arena *arena, ax_str folder)
{
    struct ax_verify_tree *tree = AX_NEW(arena, struct ax_verify_tree);
    if (!tree)
        return NULL;
    tree->folder = folder;
    tree->bundle = ax_writer_of(BUNDLE_BYTES_MAX);
    return tree;
}

void
ax_verify_tree_done(struct ax_verify_tree *tree)
{
    ax_writer_free(&tree->bundle);
}

uint64_t
ax_verify_tree_size(const struct ax_verify_tree *tree)
{
    return tree->size;
}

ax_digest
ax_verify_tree_root(const struct ax_verify_tree *tree)
{
    if (tree->edge_count == 0)
        return ax_sha256(AX_STR(""));
    ax_digest root = tree->edge[tree->edge_count - 1];
    for (int i = tree->edge_count - 2; i >= 0; i--)
        root = ax_verify_node_hash(tree->edge[i], root);
    return root;
}

/* ---- files ---- */

/* "x001/x234/067": groups of three digits. */
static void
number_path(uint64_t number, char *out, size_t capacity)
{
    unsigned groups[8];
    size_t count = 0, len = 0;
    do {
        groups[count++] = (unsigned)(number % 1000);
        number /= 1000;
    } while (number > 0);
    while (count-- > 0)
        len +=
            (size_t)snprintf(out + len, capacity - len, count ? "x%03u/" : "%03u", groups[count]);
}

/* The full tile, or the partial one where that is not there. */
static ax_status
find_tile(const struct ax_verify_tree *tree, struct ax_ctx *ctx, int level, uint64_t number,
          size_t width, ax_str *out_path)
{
    char kind[16] = "entries", place[PATH_BYTES_MAX];
    if (level != BUNDLE)
        snprintf(kind, sizeof kind, "%d", level);
    number_path(number, place, sizeof place);
    ax_str whole = ax_str_printf(ctx->arena, "%.*s/tile/%s/%s", AX_FMT(tree->folder), kind, place);
    *out_path = whole;
    if (width < WIDTH && whole.at && !ax_file_exists(whole))
        *out_path = ax_str_printf(ctx->arena, "%.*s.p/%zu", AX_FMT(whole), width);
    if (!out_path->at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    return ax_file_exists(*out_path)
               ? AX_OK
               : ax_fail(ctx, AX_CORRUPT, "%.*s is missing", AX_FMT(*out_path));
}

/* The file begins with these bytes (a full tile may stand for a partial one). */
static ax_status
compare(const struct ax_verify_tree *tree, struct ax_ctx *ctx, int level, uint64_t number,
        size_t width, ax_str expected)
{
    ax_auto(ax_arena_free) struct ax_arena *scratch = ax_arena_new(2 * BUNDLE_BYTES_MAX);
    struct ax_arena *outer = ctx->arena;
    ax_str found = {}, path;
    if (!scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory to read a tile");
    ctx->arena = scratch;
    ax_status status = find_tile(tree, ctx, level, number, width, &path);
    if (status == AX_OK)
        status = ax_file_read_all(ctx, path, BUNDLE_BYTES_MAX, &found);
    ctx->arena = outer;
    AX_TRY(status);
    bool longer = width < WIDTH && found.len > expected.len;
    if (found.len < expected.len || (found.len > expected.len && !longer))
        return ax_fail(ctx, AX_CORRUPT, "%.*s has %zu bytes; the log gives %zu", AX_FMT(path),
                       found.len, expected.len);
    for (size_t i = 0; i < expected.len; i++)
        if (found.at[i] != expected.at[i])
            return ax_fail(ctx, AX_CORRUPT, "%.*s differs from the log at byte %zu", AX_FMT(path),
                           i);
    return AX_OK;
}

static ax_str
tile_bytes(const struct ax_verify_tree *tree, int level)
{
    return (ax_str){(const char *)tree->tiles[level], tree->widths[level] * sizeof(ax_digest)};
}

/* ---- growing ---- */

static ax_digest
tile_root(const ax_digest hashes[WIDTH])
{
    ax_digest level[WIDTH];
    memcpy(level, hashes, sizeof level);
    for (size_t width = WIDTH; width > 1; width /= 2)
        for (size_t i = 0; i < width / 2; i++)
            level[i] = ax_verify_node_hash(level[2 * i], level[2 * i + 1]);
    return level[0];
}

/* A hash more on a level; a full tile is compared and goes up as one hash. */
static ax_status
add_hash(struct ax_verify_tree *tree, struct ax_ctx *ctx, ax_digest hash, bool same)
{
    uint64_t number = (tree->size - 1) / WIDTH; /* of the tile on level 0 */
    for (int level = 0; level < LEVELS; level++, number /= WIDTH) {
        tree->tiles[level][tree->widths[level]++] = hash;
        if (tree->widths[level] < WIDTH)
            return AX_OK;
        if (same)
            AX_TRY(compare(tree, ctx, level, number, WIDTH, tile_bytes(tree, level)));
        hash = tile_root(tree->tiles[level]);
        tree->widths[level] = 0;
    }
    return ax_fail(ctx, AX_LIMIT, "a log of more leaves than can be");
}

static ax_status
add_to_bundle(struct ax_verify_tree *tree, struct ax_ctx *ctx, ax_str leaf, bool same)
{
    if (leaf.len > 65'535)
        return ax_fail(ctx, AX_CORRUPT, "leaf %llu has %zu bytes, which no bundle can hold",
                       (unsigned long long)(tree->size - 1), leaf.len);
    ax_writer_u16_be(&tree->bundle, (uint16_t)leaf.len);
    ax_writer_bytes(&tree->bundle, leaf);
    if (tree->bundle.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for a bundle of leaves");
    if (tree->size % WIDTH != 0)
        return AX_OK;
    ax_status status = same ? compare(tree, ctx, BUNDLE, tree->size / WIDTH - 1, WIDTH,
                                      ax_writer_str(&tree->bundle))
                            : AX_OK;
    ax_writer_clear(&tree->bundle);
    return status;
}

ax_status
ax_verify_tree_push(struct ax_verify_tree *tree, struct ax_ctx *ctx, ax_str leaf, bool same)
{
    ax_digest hash = ax_verify_leaf_hash(leaf);
    tree->edge[tree->edge_count++] = hash;
    for (uint64_t bits = tree->size; bits & 1; bits >>= 1) {
        tree->edge_count--;
        tree->edge[tree->edge_count - 1] =
            ax_verify_node_hash(tree->edge[tree->edge_count - 1], tree->edge[tree->edge_count]);
    }
    tree->size++;
    AX_TRY(add_to_bundle(tree, ctx, leaf, same));
    return add_hash(tree, ctx, hash, same);
}

ax_status
ax_verify_tree_check_partials(struct ax_verify_tree *tree, struct ax_ctx *ctx)
{
    uint64_t number = tree->size / WIDTH;
    if (tree->size % WIDTH)
        AX_TRY(
            compare(tree, ctx, BUNDLE, number, tree->size % WIDTH, ax_writer_str(&tree->bundle)));
    for (int level = 0; level < LEVELS; level++, number /= WIDTH)
        if (tree->widths[level] > 0)
            AX_TRY(compare(tree, ctx, level, number, tree->widths[level], tile_bytes(tree, level)));
    return AX_OK;
}
