#include "event/ledger_tiles.h"

#include <stdlib.h>

#include "harness.h"
#include "sys/file.h"

static char folder[64];

static void
in_fresh_folder(void (*body)(struct ax_ctx *ctx))
{
    snprintf(folder, sizeof folder, "/tmp/axiom-tiles-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(512 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    body(&ctx);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
}

static ax_str
leaf_of(uint64_t i, char out[32])
{
    int len = snprintf(out, 32, "leaf %d", (int)i);
    return (ax_str){out, (size_t)len};
}

static void
add(struct ax_ctx *ctx, struct ax_ledger_tiles *tiles, uint64_t to)
{
    ax_auto(ax_arena_free) struct ax_arena *scratch = ax_arena_new(16 << 20);
    struct ax_arena *outer = ctx->arena;
    ctx->arena = scratch;
    for (uint64_t i = tiles->range.size; i < to; i++) {
        char text[32];
        ax_arena_reset(scratch);
        CHECK_EQ(ax_ledger_tiles_add(tiles, ctx, leaf_of(i, text)), AX_OK);
    }
    ctx->arena = outer;
}

/* Proofs made from the tiles alone hold at every size around a change of shape. */
static void
proofs(struct ax_ctx *ctx)
{
    static const uint64_t sizes[] = {1, 2, 255, 256, 257, 511, 512, 1'000, 65'535, 65'536, 65'537};
    static struct ax_ledger_tiles tiles;
    struct ax_merkle_range range = {};
    struct ax_merkle_head before = {};
    ax_ledger_tiles_init(&tiles, ax_str_of(folder));
    for (size_t i = 0; i < AX_COUNT_OF(sizes); i++) {
        uint64_t size = sizes[i];
        char text[32];
        struct ax_merkle_proof proof;
        add(ctx, &tiles, size);
        while (range.size < size)
            ax_merkle_push(&range, ax_merkle_leaf(leaf_of(range.size, text)));
        CHECK_EQ(ax_ledger_tiles_partials(&tiles, ctx), AX_OK);
        const struct ax_merkle_head head = {size, ax_merkle_root(&range)};
        CHECK(ax_digest_eq(ax_merkle_root(&tiles.range), head.root));
        for (uint64_t index = 0; index < size; index += 1 + size / 50) {
            CHECK_EQ(ax_tile_prove_inclusion(ctx, ax_str_of(folder), index, size, &proof), AX_OK);
            CHECK(ax_merkle_check_inclusion(index, size, ax_merkle_leaf(leaf_of(index, text)),
                                            head.root, proof));
        }
        if (before.size > 0) {
            CHECK_EQ(ax_tile_prove_consistency(ctx, ax_str_of(folder), before.size, size, &proof),
                     AX_OK);
            CHECK(ax_merkle_check_consistency(before, head, proof));
        }
        before = head;
    }
    ax_ledger_tiles_done(&tiles);
}

TEST(ledger_tiles_prove_every_leaf)
{
    in_fresh_folder(proofs);
}

static void
loading(struct ax_ctx *ctx)
{
    static struct ax_ledger_tiles tiles, again;
    struct ax_merkle_head heads[2];
    struct ax_tile_id id = {0, 1, AX_TILE_WIDTH};
    ax_str path, bytes, whole;
    ax_ledger_tiles_init(&tiles, ax_str_of(folder));
    add(ctx, &tiles, 700);
    heads[0] = (struct ax_merkle_head){700, ax_merkle_root(&tiles.range)};
    CHECK_EQ(ax_ledger_tiles_partials(&tiles, ctx), AX_OK);
    add(ctx, &tiles, 1'024);
    heads[1] = (struct ax_merkle_head){1'024, ax_merkle_root(&tiles.range)};
    CHECK_EQ(ax_ledger_tiles_sync(&tiles, ctx, 3), AX_OK);
    CHECK_EQ(tiles.sure, 768);
    CHECK_EQ(ax_ledger_tiles_sync(&tiles, ctx, 100), AX_OK);
    CHECK_EQ(tiles.sure, 1'024);
    id.number = 2; /* the partial ones of 700 have given way */
    CHECK_EQ(ax_tile_path(ctx, ax_str_of(folder), (struct ax_tile_id){0, 2, 188}, &path), AX_OK);
    CHECK(!ax_file_exists(path));
    ax_ledger_tiles_init(&again, ax_str_of(folder));
    CHECK_EQ(ax_ledger_tiles_load(&again, ctx, 1'024, heads, 2), AX_OK);
    CHECK_EQ(again.range.size, 1'024);
    CHECK(ax_digest_eq(ax_merkle_root(&again.range), heads[1].root));
    add(ctx, &tiles, 1'500);
    add(ctx, &again, 1'500);
    CHECK(ax_digest_eq(ax_merkle_root(&again.range), ax_merkle_root(&tiles.range)));
    CHECK(memcmp(again.hashes[1], tiles.hashes[1], 5 * sizeof(ax_digest)) == 0);
    CHECK_EQ(ax_tile_path(ctx, ax_str_of(folder), id, &path), AX_OK);
    CHECK_EQ(ax_file_read_all(ctx, path, 1 << 20, &whole), AX_OK);
    for (size_t at = 0; at < whole.len; at += 97) { /* a flipped bit in a tile */
        char *changed = AX_NEW_ARRAY(ctx->arena, char, whole.len);
        memcpy(changed, whole.at, whole.len);
        changed[at] ^= 4;
        CHECK_EQ(ax_file_write_atomic(ctx, path, (ax_str){changed, whole.len}), AX_OK);
        CHECK_EQ(ax_ledger_tiles_load(&again, ctx, 1'024, heads, 2), AX_CORRUPT);
    }
    bytes = (ax_str){whole.at, whole.len - 1};
    CHECK_EQ(ax_file_write_atomic(ctx, path, bytes), AX_OK);
    CHECK_EQ(ax_ledger_tiles_load(&again, ctx, 1'024, heads, 2), AX_CORRUPT);
    CHECK_EQ(ax_file_remove(ctx, path), AX_OK);
    CHECK_EQ(ax_ledger_tiles_load(&again, ctx, 1'024, heads, 2), AX_CORRUPT);
    ax_ledger_tiles_done(&tiles);
    ax_ledger_tiles_done(&again);
}

TEST(ledger_tiles_are_loaded_again_or_found_changed)
{
    in_fresh_folder(loading);
}

static int sweep_number;

static ax_status
build(struct ax_ctx *ctx)
{
    static struct ax_ledger_tiles tiles;
    ax_str own = ax_str_printf(ctx->arena, "%s/%d", folder, sweep_number++);
    if (!own.at)
        return ax_fail(ctx, AX_LIMIT, "no memory");
    ax_ledger_tiles_init(&tiles, own);
    ax_status status = AX_OK;
    for (uint64_t i = 0; status == AX_OK && i < 257; i++) {
        char text[32];
        status = ax_ledger_tiles_add(&tiles, ctx, leaf_of(i, text));
    }
    if (status == AX_OK)
        status = ax_ledger_tiles_partials(&tiles, ctx);
    if (status == AX_OK)
        status = ax_ledger_tiles_sync(&tiles, ctx, 10);
    ax_ledger_tiles_done(&tiles);
    ax_ledger_tiles_init(&tiles, own);
    if (status == AX_OK)
        status = ax_ledger_tiles_load(&tiles, ctx, 256, NULL, 0);
    return status;
}

static void
faults(struct ax_ctx *ctx)
{
    (void)ctx;
    FAULT_SWEEP(build);
}

TEST(ledger_tiles_notice_every_fault)
{
    in_fresh_folder(faults);
}
