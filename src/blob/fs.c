#include "blob/fs.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "sys/file.h"

struct fs {
    struct ax_blob base;
    char *root;
};

struct fs_upload {
    struct ax_blob_upload base;
    ax_file file;
    uint64_t bytes;
    char *path; /* in incoming, until it is renamed */
};

static ax_str
root_of(struct ax_blob *blob)
{
    return ax_str_of(((struct fs *)blob)->root);
}

/* root/ab/cdef... */
static ax_status
path_of(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest, ax_str *out_path)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_digest_hex(digest, hex);
    *out_path = ax_str_printf(ctx->arena, "%.*s/%.2s/%s", AX_FMT(root_of(blob)), hex, hex + 2);
    return out_path->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a path");
}

/* ---- in ---- */

static ax_status
upload(struct ax_blob *blob, struct ax_ctx *ctx, struct ax_blob_upload **out_upload)
{
    uint8_t random[16];
    ax_digest name = {};
    char hex[AX_DIGEST_HEX_BYTES + 1];
    struct fs_upload *made = ax_alloc(sizeof *made, 1);
    ax_random_bytes(random, sizeof random);
    memcpy(name.bytes, random, sizeof random);
    ax_digest_hex(name, hex);
    ax_str path = ax_str_printf(ctx->arena, "%.*s/incoming/%.32s", AX_FMT(root_of(blob)), hex);
    char *kept = path.at ? ax_alloc(path.len + 1, 1) : NULL;
    if (!made || !kept) {
        ax_free(made);
        ax_free(kept);
        return ax_fail(ctx, AX_LIMIT, "no memory for an upload");
    }
    memcpy(kept, path.at, path.len);
    made->path = kept;
    ax_status status = ax_file_open(ctx, path, AX_FILE_CREATE_NEW, &made->file);
    if (status != AX_OK) {
        ax_free(kept);
        ax_free(made);
        return status;
    }
    *out_upload = &made->base;
    return AX_OK;
}

static ax_status
write_piece(struct ax_blob_upload *base, struct ax_ctx *ctx, ax_str bytes)
{
    struct fs_upload *upload = (struct fs_upload *)base;
    AX_TRY(ax_file_write_at(ctx, upload->file, upload->bytes, bytes));
    upload->bytes += bytes.len;
    return AX_OK;
}

static ax_status
finish(struct ax_blob_upload *base, struct ax_ctx *ctx, ax_digest digest)
{
    struct fs_upload *upload = (struct fs_upload *)base;
    ax_str path;
    AX_TRY(path_of(base->blob, ctx, digest, &path));
    ax_str folder = ax_path_folder(path);
    AX_TRY(ax_file_sync(ctx, upload->file));
    AX_TRY(ax_file_make_folders(ctx, folder));
    AX_TRY(ax_file_rename(ctx, ax_str_of(upload->path), path));
    ax_free(upload->path);
    upload->path = NULL;
    return ax_file_sync_folder(ctx, folder);
}

/* What cannot be removed now, the next open removes. */
static void
remove_incoming(const char *path)
{
    ax_fault_benign_begin();
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 16);
    if (arena) {
        struct ax_ctx ctx = ax_ctx_of(arena);
        ax_ignore(ax_file_remove(&ctx, ax_str_of(path)), "see above");
    }
    ax_fault_benign_end();
}

static void
abandon(struct ax_blob_upload *base)
{
    struct fs_upload *upload = (struct fs_upload *)base;
    ax_file_close(&upload->file);
    if (upload->path)
        remove_incoming(upload->path);
    ax_free(upload->path);
    ax_free(upload);
}

/* ---- out ---- */

static ax_status
open_blob(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest, ax_file *out_file)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str path;
    AX_TRY(path_of(blob, ctx, digest, &path));
    ax_status status = ax_file_open(ctx, path, AX_FILE_READ, out_file);
    if (status != AX_NOT_FOUND)
        return status;
    ax_digest_hex(digest, hex);
    return ax_fail(ctx, AX_NOT_FOUND, "no blob %s", hex);
}

static ax_status
read_at(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest, uint64_t offset,
        ax_blob_room room)
{
    ax_file file = {-1};
    AX_TRY(open_blob(blob, ctx, digest, &file));
    ax_status status = ax_file_read_at(ctx, file, offset, room.at, room.len);
    ax_file_close(&file);
    return status;
}

static ax_status
size(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest, uint64_t *out_bytes)
{
    ax_file file = {-1};
    AX_TRY(open_blob(blob, ctx, digest, &file));
    ax_status status = ax_file_size(ctx, file, out_bytes);
    ax_file_close(&file);
    return status;
}

static ax_status
remove_blob(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest)
{
    ax_str path;
    AX_TRY(path_of(blob, ctx, digest, &path));
    return ax_file_remove(ctx, path);
}

static ax_status
link_blob(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest, ax_str path)
{
    ax_str own;
    AX_TRY(path_of(blob, ctx, digest, &own));
    return ax_file_link(ctx, own, path);
}

/* ---- listing ---- */

struct listing {
    struct ax_blob *blob;
    const ax_digest *after;
    ax_digest *digests;
    size_t count, count_max;
};

static int
compare(ax_digest a, ax_digest b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes);
}

/* Those in one folder, which are sorted by their names and so by their digests. */
static ax_status
list_folder(struct listing *listing, struct ax_ctx *ctx, ax_str prefix)
{
    ax_str *names;
    size_t count;
    ax_str folder = ax_path_join(ctx->arena, root_of(listing->blob), prefix);
    if (!folder.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    AX_TRY(ax_file_list(ctx, folder, &names, &count));
    for (size_t i = 0; i < count && listing->count < listing->count_max; i++) {
        char hex[AX_DIGEST_HEX_BYTES + 1];
        ax_digest digest;
        int len = snprintf(hex, sizeof hex, "%.*s%.*s", AX_FMT(prefix), AX_FMT(names[i]));
        if (len != AX_DIGEST_HEX_BYTES ||
            !ax_digest_parse((ax_str){hex, AX_DIGEST_HEX_BYTES}, &digest))
            continue; /* nobody's business here */
        if (!listing->after || compare(digest, *listing->after) > 0)
            listing->digests[listing->count++] = digest;
    }
    return AX_OK;
}

static ax_status
list(struct ax_blob *blob, struct ax_ctx *ctx, const ax_digest *after, size_t count_max,
     ax_digest **out_digests, size_t *out_count)
{
    struct listing listing = {.blob = blob, .after = after, .count_max = count_max};
    ax_str *names;
    size_t count;
    listing.digests = AX_NEW_ARRAY(ctx->arena, ax_digest, count_max + 1);
    if (!listing.digests)
        return ax_fail(ctx, AX_LIMIT, "no memory for a list of blobs");
    AX_TRY(ax_file_list(ctx, root_of(blob), &names, &count));
    for (size_t i = 0; i < count && listing.count < count_max; i++)
        if (names[i].len == 2)
            AX_TRY(list_folder(&listing, ctx, names[i]));
    *out_digests = listing.digests;
    *out_count = listing.count;
    return AX_OK;
}

/* ---- opening and closing ---- */

static void
fs_close(struct ax_blob *blob)
{
    struct fs *fs = (struct fs *)blob;
    ax_free(fs->root);
    ax_free(fs);
}

static const struct ax_blob_ops ops = {
    .name = "fs",
    .upload = upload,
    .write = write_piece,
    .finish = finish,
    .abandon = abandon,
    .read = read_at,
    .size = size,
    .list = list,
    .remove = remove_blob,
    .link = link_blob,
    .close = fs_close,
};

ax_status
ax_fs_open(struct ax_ctx *ctx, ax_str root, struct ax_blob **out_blob)
{
    struct fs *fs = ax_alloc(sizeof *fs, 1);
    char *kept = ax_alloc(root.len + 1, 1);
    ax_str incoming = ax_path_join(ctx->arena, root, AX_STR("incoming"));
    ax_status status = fs && kept && incoming.at
                           ? ax_file_remove_tree(ctx, incoming) /* of uploads that were cut off */
                           : ax_fail(ctx, AX_LIMIT, "no memory for blobs");
    if (status == AX_OK)
        status = ax_file_make_folders(ctx, incoming);
    if (status != AX_OK) {
        ax_free(fs);
        ax_free(kept);
        return status;
    }
    memcpy(kept, root.at, root.len);
    fs->base.ops = &ops;
    fs->root = kept;
    *out_blob = &fs->base;
    return AX_OK;
}
