#include "event/tile.h"

#include "harness.h"
#include "sys/file.h"

enum { LEAVES = 700 };

static const ax_str folder = {"/tmp/axiom-tile-test", 20};

/* Until the next call. */
static ax_str
leaf_text(uint64_t i)
{
    static char text[32];
    int len = snprintf(text, sizeof text, "leaf number %" PRIu64, i);
    return (ax_str){text, (size_t)len};
}

/* The tiles of a log of `size` leaves, written by hand: level 0, and level 1 from its roots. */
static ax_status
write_tiles(struct ax_ctx *ctx, uint64_t size)
{
    ax_digest level0[AX_TILE_WIDTH], level1[AX_TILE_WIDTH];
    int width0 = 0, width1 = 0;
    for (uint64_t i = 0; i < size; i++) {
        level0[width0++] = ax_merkle_leaf(leaf_text(i));
        bool full = width0 == AX_TILE_WIDTH;
        if (!full && i + 1 < size)
            continue;
        AX_TRY(ax_tile_write(ctx, folder, (struct ax_tile_id){0, i / AX_TILE_WIDTH, width0},
                             (ax_str){(const char *)level0, (size_t)width0 * 32}));
        if (full) {
            struct ax_merkle_range range = {};
            for (int k = 0; k < width0; k++)
                ax_merkle_push(&range, level0[k]);
            level1[width1++] = ax_merkle_root(&range);
        }
        width0 = 0;
    }
    if (width1)
        AX_TRY(ax_tile_write(ctx, folder, (struct ax_tile_id){1, 0, width1},
                             (ax_str){(const char *)level1, (size_t)width1 * 32}));
    return AX_OK;
}

static struct ax_merkle_head
head_of(uint64_t size)
{
    struct ax_merkle_range range = {};
    for (uint64_t i = 0; i < size; i++)
        ax_merkle_push(&range, ax_merkle_leaf(leaf_text(i)));
    return (struct ax_merkle_head){size, ax_merkle_root(&range)};
}

static void
proofs(struct ax_ctx *ctx)
{
    struct ax_merkle_proof proof;
    struct ax_merkle_head newer = head_of(LEAVES);
    ax_ignore(ax_file_remove_tree(ctx, folder), "left by a run that was cut off");
    CHECK_EQ(write_tiles(ctx, LEAVES), AX_OK);
    for (uint64_t i = 0; i < LEAVES; i += 23) {
        CHECK_EQ(ax_tile_prove_inclusion(ctx, folder, i, LEAVES, &proof), AX_OK);
        CHECK(
            ax_merkle_check_inclusion(i, LEAVES, ax_merkle_leaf(leaf_text(i)), newer.root, proof));
        CHECK(!ax_merkle_check_inclusion(i, LEAVES, ax_merkle_leaf(leaf_text(i + 1)), newer.root,
                                         proof));
    }
    for (uint64_t size = 1; size < LEAVES; size += 79) {
        CHECK_EQ(ax_tile_prove_consistency(ctx, folder, size, LEAVES, &proof), AX_OK);
        CHECK(ax_merkle_check_consistency(head_of(size), newer, proof));
    }
    CHECK_EQ(ax_tile_prove_inclusion(ctx, folder, LEAVES, LEAVES, &proof), AX_INVALID);
    CHECK_EQ(ax_file_remove_tree(ctx, folder), AX_OK);
    CHECK_EQ(ax_tile_prove_inclusion(ctx, folder, 0, LEAVES, &proof), AX_NOT_FOUND);
}

TEST(tile_proofs_come_from_tiles_alone)
{
    ax_test_with_ctx(proofs);
}

static void
paths(struct ax_ctx *ctx)
{
    static const struct {
        struct ax_tile_id id;
        const char *path;
    } cases[] = {
        {{0, 0, 256}, "f/tile/0/000"},
        {{0, 1234067, 256}, "f/tile/0/x001/x234/067"},
        {{3, 999, 17}, "f/tile/3/999.p/17"},
        {{AX_TILE_BUNDLE_LEVEL, 1000, 1}, "f/tile/entries/x001/000.p/1"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str path = {};
        CHECK_EQ(ax_tile_path(ctx, AX_STR("f"), cases[i].id, &path), AX_OK);
        CHECK(ax_str_eq(path, ax_str_of(cases[i].path)));
    }
    CHECK_EQ(ax_tile_width(700, 0, 2), 188);
    CHECK_EQ(ax_tile_width(700, 0, 1), 256);
    CHECK_EQ(ax_tile_width(700, 0, 3), 0);
    CHECK_EQ(ax_tile_width(700, 1, 0), 2);
}

TEST(tile_paths_are_those_of_c2sp)
{
    ax_test_with_ctx(paths);
}

static ax_status
one_tile(struct ax_ctx *ctx)
{
    ax_str bytes;
    char tile[32] = {1};
    struct ax_tile_id id = {0, 5, 1};
    ax_fault_benign_begin();
    ax_ignore(ax_file_remove_tree(ctx, folder), "left by the run before");
    ax_fault_benign_end();
    AX_TRY(ax_tile_write(ctx, folder, id, (ax_str){tile, sizeof tile}));
    AX_TRY(ax_tile_sync(ctx, folder, id));
    AX_TRY(ax_tile_read(ctx, folder, id, &bytes));
    return bytes.len == 32 && bytes.at[0] == 1 ? AX_OK : AX_CORRUPT;
}

TEST(tile_writes_survive_every_fault)
{
    FAULT_SWEEP(one_tile);
}

/* A published log: its tiles give its own leaf hashes and bundles. */
static void
published(struct ax_ctx *ctx)
{
    const ax_str log = AX_STR("../shared/oracles/ledger/tile_log");
    ax_str bundle, leaf;
    ax_digest hash;
    if (!ax_file_exists(log)) {
        printf("skipped: %.*s is not here\n", AX_FMT(log));
        return;
    }
    CHECK_EQ(ax_tile_read(ctx, log, (struct ax_tile_id){AX_TILE_BUNDLE_LEVEL, 0, 15}, &bundle),
             AX_OK);
    for (int i = 0; i < 15; i++) {
        CHECK_EQ(ax_tile_bundle_entry(ctx, bundle, i, &leaf), AX_OK);
        CHECK_EQ(ax_tile_leaf_hash(ctx, log, 15, (uint64_t)i, &hash), AX_OK);
        CHECK(ax_digest_eq(hash, ax_merkle_leaf(leaf)));
    }
}

TEST(tile_reads_a_published_log)
{
    ax_test_with_ctx(published);
}
