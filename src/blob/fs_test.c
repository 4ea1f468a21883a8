#include "blob/fs.h"

#include <stdlib.h>
#include <unistd.h>

#include "harness.h"
#include "sys/file.h"

static char folder[64];

/* In a fresh folder of its own, that is gone afterwards. */
static void
in_a_folder(void (*body)(struct ax_ctx *ctx))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(16 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    snprintf(folder, sizeof folder, "/tmp/axiom-fs-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    body(&ctx);
    CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
}

static ax_str
inside(struct ax_ctx *ctx, const char *name)
{
    return ax_str_printf(ctx->arena, "%s/%s", folder, name);
}

static ax_str
path_of(struct ax_ctx *ctx, const char *root, ax_digest digest)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_digest_hex(digest, hex);
    return ax_str_printf(ctx->arena, "%s/%s/%.2s/%s", folder, root, hex, hex + 2);
}

static size_t
incoming_count(struct ax_ctx *ctx, const char *root)
{
    ax_str *names = NULL;
    size_t count = 99;
    CHECK_EQ(ax_file_list(ctx, ax_str_printf(ctx->arena, "%s/%s/incoming", folder, root), &names,
                          &count),
             AX_OK);
    return count;
}

static void
layout(struct ax_ctx *ctx)
{
    ax_auto(ax_blob_close) struct ax_blob *blob = NULL;
    struct ax_blob_upload *upload = NULL;
    ax_digest digest = {};
    ax_str bytes = AX_STR("");
    CHECK_EQ(ax_fs_open(ctx, inside(ctx, "deep/blobs"), &blob), AX_OK); /* made when absent */
    CHECK_EQ(ax_blob_upload(blob, ctx, &upload), AX_OK);
    CHECK_EQ(ax_blob_write(upload, ctx, AX_STR("hel")), AX_OK);
    CHECK_EQ(ax_blob_write(upload, ctx, AX_STR("lo")), AX_OK);
    CHECK_EQ(incoming_count(ctx, "deep/blobs"), 1);
    CHECK(!ax_file_exists(path_of(ctx, "deep/blobs", ax_sha256(AX_STR("hello")))));
    CHECK_EQ(ax_blob_finish(upload, ctx, NULL, &digest), AX_OK);
    CHECK_EQ(ax_file_read_all(ctx, path_of(ctx, "deep/blobs", digest), 100, &bytes), AX_OK);
    CHECK_STR(bytes, "hello");
    CHECK_EQ(incoming_count(ctx, "deep/blobs"), 0);
}

TEST(a_blob_is_a_file_by_its_digest_once_it_is_whole)
{
    in_a_folder(layout);
}

/* What a killed process left behind is gone at the next open, and blobs are as they were. */
static void
left_behind(struct ax_ctx *ctx)
{
    struct ax_blob *blob = NULL;
    ax_digest digest = {};
    ax_str bytes = AX_STR("");
    CHECK_EQ(ax_fs_open(ctx, inside(ctx, "blobs"), &blob), AX_OK);
    CHECK_EQ(ax_blob_put(blob, ctx, AX_STR("kept"), &digest), AX_OK);
    ax_blob_close(blob);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(ax_file_write_atomic(ctx,
                                      ax_str_printf(ctx->arena, "%s/blobs/incoming/%d", folder, i),
                                      AX_STR("half of it")),
                 AX_OK);
    CHECK_EQ(incoming_count(ctx, "blobs"), 3);
    CHECK_EQ(ax_fs_open(ctx, inside(ctx, "blobs"), &blob), AX_OK);
    CHECK_EQ(incoming_count(ctx, "blobs"), 0);
    CHECK_EQ(ax_blob_get(blob, ctx, digest, 100, &bytes), AX_OK);
    CHECK_STR(bytes, "kept");
    ax_blob_close(blob);
}

TEST(uploads_that_were_cut_off_are_removed_at_open)
{
    in_a_folder(left_behind);
}

/* A blob cut after each byte, and with each byte flipped, is found out. */
static void
cut(struct ax_ctx *ctx)
{
    static const char whole[] = "sixteen bytes !!";
    ax_auto(ax_blob_close) struct ax_blob *blob = NULL;
    ax_digest digest = {};
    ax_str bytes;
    CHECK_EQ(ax_fs_open(ctx, inside(ctx, "blobs"), &blob), AX_OK);
    CHECK_EQ(ax_blob_put(blob, ctx, ax_str_of(whole), &digest), AX_OK);
    for (size_t at = 0; at < strlen(whole); at++) {
        char bent[sizeof whole];
        memcpy(bent, whole, sizeof whole);
        bent[at] ^= 1;
        CHECK_EQ(ax_file_write_atomic(ctx, path_of(ctx, "blobs", digest), (ax_str){whole, at}),
                 AX_OK);
        CHECK_EQ(ax_blob_get(blob, ctx, digest, 100, &bytes), AX_CORRUPT);
        CHECK_EQ(ax_file_write_atomic(ctx, path_of(ctx, "blobs", digest), ax_str_of(bent)), AX_OK);
        CHECK_EQ(ax_blob_get(blob, ctx, digest, 100, &bytes), AX_CORRUPT);
    }
}

TEST(r97_a_blob_cut_or_flipped_anywhere_is_found_out)
{
    in_a_folder(cut);
}

static void
strangers(struct ax_ctx *ctx)
{
    ax_auto(ax_blob_close) struct ax_blob *blob = NULL;
    ax_digest digest = {}, *digests = NULL;
    size_t count = 9;
    CHECK_EQ(ax_fs_open(ctx, inside(ctx, "blobs"), &blob), AX_OK);
    CHECK_EQ(ax_blob_put(blob, ctx, AX_STR("mine"), &digest), AX_OK);
    CHECK_EQ(ax_file_make_folders(ctx, inside(ctx, "blobs/zz")), AX_OK);
    CHECK_EQ(ax_file_write_atomic(ctx, inside(ctx, "blobs/zz/notes.txt"), AX_STR("x")), AX_OK);
    CHECK_EQ(ax_file_write_atomic(ctx, inside(ctx, "blobs/README"), AX_STR("x")), AX_OK);
    CHECK_EQ(ax_blob_list(blob, ctx, NULL, 10, &digests, &count), AX_OK);
    CHECK(count == 1 && ax_digest_eq(digests[0], digest));
    CHECK_EQ(ax_blob_list(blob, ctx, &digest, 10, &digests, &count), AX_OK);
    CHECK_EQ(count, 0);
}

TEST(what_is_no_blob_is_not_listed)
{
    in_a_folder(strangers);
}

static void
refused(struct ax_ctx *ctx)
{
    struct ax_blob *blob = NULL;
    ax_digest digest = ax_sha256(AX_STR("nobody"));
    char hex[AX_DIGEST_HEX_BYTES + 1], words[128];
    ax_str bytes;
    uint64_t size;
    CHECK_EQ(ax_file_write_atomic(ctx, inside(ctx, "file"), AX_STR("x")), AX_OK);
    CHECK(ax_fs_open(ctx, inside(ctx, "file"), &blob) != AX_OK); /* a file, no folder */
    CHECK(blob == NULL && strstr(ctx->error, "file") != NULL);
    CHECK_EQ(ax_fs_open(ctx, inside(ctx, "blobs"), &blob), AX_OK);
    snprintf(words, sizeof words, "no blob %s", ax_digest_hex(digest, hex).at);
    CHECK_EQ(ax_blob_get(blob, ctx, digest, 10, &bytes), AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, words) == 0);
    CHECK_EQ(ax_blob_size(blob, ctx, digest, &size), AX_NOT_FOUND);
    CHECK(strcmp(ctx->error, words) == 0);
    CHECK_EQ(ax_blob_delete(blob, ctx, digest), AX_NOT_FOUND);
    ax_blob_close(blob);
}

TEST(what_is_not_there_is_named)
{
    in_a_folder(refused);
}

/* ---- faults ---- */

static ax_status
work(struct ax_ctx *ctx)
{
    ax_auto(ax_blob_close) struct ax_blob *blob = NULL;
    struct ax_blob_upload *upload = NULL;
    ax_digest digest, *digests;
    size_t count;
    uint64_t size;
    AX_TRY(ax_fs_open(ctx, ax_str_of(folder), &blob));
    AX_TRY(ax_blob_upload(blob, ctx, &upload));
    ax_status status = ax_blob_write(upload, ctx, AX_STR("by "));
    if (status == AX_OK)
        status = ax_blob_write(upload, ctx, AX_STR("pieces"));
    if (status != AX_OK) {
        ax_blob_abandon(upload);
        return status;
    }
    AX_TRY(ax_blob_finish(upload, ctx, NULL, &digest));
    AX_TRY(ax_blob_size(blob, ctx, digest, &size));
    CHECK_EQ(size, 9);
    AX_TRY(ax_blob_list(blob, ctx, NULL, 10, &digests, &count));
    CHECK_EQ(count, 1);
    return AX_OK;
}

/* After each fault: the blob whole or not there, and an open that clears up. */
static void
sweep(struct ax_ctx *ctx)
{
    const ax_digest digest = ax_sha256(AX_STR("by pieces"));
    bool fired = true;
    for (int run = 0; fired || run % 2; run++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
        struct ax_ctx broken = ax_ctx_of(arena);
        ax_auto(ax_blob_close) struct ax_blob *blob = NULL;
        ax_str bytes;
        ax_fault_arm(run / 2, run % 2);
        ax_status status = work(&broken);
        fired = ax_fault_disarm();
        CHECK(!fired || status != AX_OK || !ax_fault_must_be_noticed());
        CHECK(fired || status == AX_OK);
        CHECK_EQ(ax_fs_open(ctx, ax_str_of(folder), &blob), AX_OK);
        ax_status found = ax_blob_get(blob, ctx, digest, 10, &bytes);
        CHECK(found == AX_OK || (found == AX_NOT_FOUND && status != AX_OK));
        if (found == AX_OK)
            CHECK_EQ(ax_blob_delete(blob, ctx, digest), AX_OK);
        CHECK_EQ(incoming_count(ctx, "."), 0);
    }
}

TEST(a_blob_meets_every_fault_whole_or_not_there)
{
    in_a_folder(sweep);
}
