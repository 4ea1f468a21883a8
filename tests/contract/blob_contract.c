/*
 * What every adapter of the blob port must do (blob/blob.h). A new one goes on the list.
 */
#include <stdlib.h>

#include "blob/fs.h"
#include "harness.h"
#include "sys/file.h"

static char folder[64];

static ax_status
fs_open(struct ax_ctx *ctx, struct ax_blob **out_blob)
{
    return ax_fs_open(ctx, ax_str_of(folder), out_blob);
}

static const struct adapter {
    const char *name;
    ax_status (*open)(struct ax_ctx *ctx, struct ax_blob **out_blob);
} adapters[] = {
    {"fs", fs_open},
};

static void
for_each_adapter(void (*body)(struct ax_ctx *ctx, const struct adapter *adapter))
{
    for (size_t i = 0; i < AX_COUNT_OF(adapters); i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(128 << 20);
        struct ax_ctx ctx = ax_ctx_of(arena);
        snprintf(folder, sizeof folder, "/tmp/axiom-blob-XXXXXX");
        CHECK(mkdtemp(folder) != NULL);
        body(&ctx, &adapters[i]);
        CHECK_EQ(ax_file_remove_tree(&ctx, ax_str_of(folder)), AX_OK);
    }
}

static void
links(struct ax_ctx *ctx, const struct adapter *adapter)
{
    struct ax_blob *blob = NULL;
    ax_digest digest = {}, none = ax_sha256(AX_STR("never put"));
    ax_str path = ax_str_printf(ctx->arena, "%s/a name", folder), bytes = AX_STR("");
    CHECK_EQ(adapter->open(ctx, &blob), AX_OK);
    REQUIRE(blob != NULL);
    CHECK_EQ(ax_blob_put(blob, ctx, AX_STR("bytes"), &digest), AX_OK);
    CHECK_EQ(ax_blob_link(blob, ctx, digest, path), AX_OK);
    CHECK_EQ(ax_file_read_all(ctx, path, 100, &bytes), AX_OK);
    CHECK_STR(bytes, "bytes");
    CHECK_EQ(ax_blob_link(blob, ctx, digest, path), AX_CONFLICT);
    CHECK(ax_blob_link(blob, ctx, none, ax_str_printf(ctx->arena, "%s/other", folder)) != AX_OK);
    CHECK(!ax_file_exists(ax_str_printf(ctx->arena, "%s/other", folder)));
    CHECK_EQ(ax_blob_delete(blob, ctx, digest), AX_OK); /* the name keeps the bytes */
    CHECK_EQ(ax_file_read_all(ctx, path, 100, &bytes), AX_OK);
    CHECK_STR(bytes, "bytes");
    ax_blob_close(blob);
}

TEST(a_blob_gets_a_name_in_a_folder)
{
    for_each_adapter(links);
}

static void
puts_and_gets(struct ax_ctx *ctx, const struct adapter *adapter)
{
    struct ax_blob *blob;
    struct ax_blob_upload *upload;
    ax_digest digest, again, other = {.bytes = {1}};
    ax_str bytes;
    uint64_t size;
    bool exists;
    CHECK_EQ(adapter->open(ctx, &blob), AX_OK);
    CHECK_EQ(ax_blob_put(blob, ctx, AX_STR("hello"), &digest), AX_OK);
    CHECK_EQ(ax_blob_put(blob, ctx, AX_STR("hello"), &again), AX_OK);
    CHECK(ax_digest_eq(digest, again) && ax_digest_eq(digest, ax_sha256(AX_STR("hello"))));
    CHECK_EQ(ax_blob_get(blob, ctx, digest, 5, &bytes), AX_OK);
    CHECK_STR(bytes, "hello");
    CHECK_EQ(ax_blob_get(blob, ctx, digest, 4, &bytes), AX_LIMIT);
    CHECK_EQ(ax_blob_get(blob, ctx, other, 5, &bytes), AX_NOT_FOUND);
    CHECK_EQ(ax_blob_read(blob, ctx, digest, 3, 100, &bytes), AX_OK);
    CHECK_STR(bytes, "lo");
    CHECK_EQ(ax_blob_size(blob, ctx, digest, &size), AX_OK);
    CHECK_EQ(size, 5);
    CHECK_EQ(ax_blob_exists(blob, ctx, other, &exists), AX_OK);
    CHECK(!exists);
    CHECK_EQ(ax_blob_stream(blob, ctx, digest, NULL, NULL), AX_OK);
    CHECK_EQ(ax_blob_upload(blob, ctx, &upload), AX_OK);
    CHECK_EQ(ax_blob_write(upload, ctx, AX_STR("by pieces")), AX_OK);
    CHECK_EQ(ax_blob_finish(upload, ctx, &other, &again), AX_INVALID);
    CHECK_EQ(ax_blob_upload(blob, ctx, &upload), AX_OK);
    ax_blob_abandon(upload);
    ax_blob_close(blob);
    CHECK_EQ(adapter->open(ctx, &blob), AX_OK);
    CHECK_EQ(ax_blob_get(blob, ctx, digest, 5, &bytes), AX_OK);
    CHECK_EQ(ax_blob_delete(blob, ctx, digest), AX_OK);
    CHECK_EQ(ax_blob_delete(blob, ctx, digest), AX_NOT_FOUND);
    ax_blob_close(blob);
}

TEST(blob_is_what_was_put_by_its_digest)
{
    for_each_adapter(puts_and_gets);
}

static void
lists(struct ax_ctx *ctx, const struct adapter *adapter)
{
    enum { COUNT = 40, PAGE = 7 };
    struct ax_blob *blob;
    ax_digest *page, last = {}, put;
    size_t count = PAGE, seen = 0;
    CHECK_EQ(adapter->open(ctx, &blob), AX_OK);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(ax_blob_put(blob, ctx, ax_str_printf(ctx->arena, "%d", i), &put), AX_OK);
    for (bool first = true; count == PAGE; first = false) {
        CHECK_EQ(ax_blob_list(blob, ctx, first ? NULL : &last, PAGE, &page, &count), AX_OK);
        for (size_t i = 0; i < count; i++) {
            CHECK((first && i == 0) || memcmp(last.bytes, page[i].bytes, sizeof last.bytes) < 0);
            last = page[i];
        }
        seen += count;
    }
    CHECK_EQ(seen, COUNT);
    ax_blob_close(blob);
}

TEST(blob_lists_all_in_order_page_by_page)
{
    for_each_adapter(lists);
}

static void
damaged(struct ax_ctx *ctx)
{
    struct ax_blob *blob;
    ax_digest digest;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str bytes;
    snprintf(folder, sizeof folder, "/tmp/axiom-blob-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    CHECK_EQ(fs_open(ctx, &blob), AX_OK);
    CHECK_EQ(ax_blob_put(blob, ctx, AX_STR("hello"), &digest), AX_OK);
    ax_digest_hex(digest, hex);
    ax_str path = ax_str_printf(ctx->arena, "%s/%.2s/%s", folder, hex, hex + 2);
    CHECK_EQ(ax_file_write_atomic(ctx, path, AX_STR("jello")), AX_OK);
    CHECK_EQ(ax_blob_get(blob, ctx, digest, 5, &bytes), AX_CORRUPT);
    CHECK_EQ(ax_blob_stream(blob, ctx, digest, NULL, NULL), AX_CORRUPT);
    CHECK_EQ(ax_blob_put(blob, ctx, AX_STR("hello"), &digest), AX_OK); /* and it is mended */
    CHECK_EQ(ax_blob_get(blob, ctx, digest, 5, &bytes), AX_OK);
    ax_blob_close(blob);
    CHECK_EQ(ax_file_remove_tree(ctx, ax_str_of(folder)), AX_OK);
}

TEST(r97_a_flipped_byte_of_a_blob_is_found)
{
    ax_test_with_ctx(damaged);
}

static ax_status
work(struct ax_ctx *ctx)
{
    ax_auto(ax_blob_close) struct ax_blob *blob = NULL;
    ax_digest digest;
    ax_str bytes;
    snprintf(folder, sizeof folder, "/tmp/axiom-blob-sweep");
    AX_TRY(fs_open(ctx, &blob));
    AX_TRY(ax_blob_put(blob, ctx, AX_STR("hello"), &digest));
    AX_TRY(ax_blob_get(blob, ctx, digest, 5, &bytes));
    return ax_blob_delete(blob, ctx, digest);
}

TEST(blob_survives_every_fault)
{
    FAULT_SWEEP(work);
}
