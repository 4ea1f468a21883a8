#include "blob/blob.h"

#include "base/fault.h"
#include "sys/file.h"

enum { STREAM_BYTES = 64 << 10 };

/* ---- in ---- */

ax_status
ax_blob_upload(struct ax_blob *blob, struct ax_ctx *ctx, struct ax_blob_upload **out_upload)
{
    struct ax_sha256 *hash = ax_sha256_new();
    if (!hash)
        return ax_fail(ctx, AX_LIMIT, "no memory for an upload");
    ax_status status = blob->ops->upload(blob, ctx, out_upload);
    if (status != AX_OK) {
        (void)ax_sha256_finish(hash); /* frees it */
        return status;
    }
    (*out_upload)->blob = blob;
    (*out_upload)->hash = hash;
    (*out_upload)->status = AX_OK;
    return AX_OK;
}

ax_status
ax_blob_write(struct ax_blob_upload *upload, struct ax_ctx *ctx, ax_str bytes)
{
    if (upload->status != AX_OK)
        return ax_fail(ctx, upload->status, "an earlier write of this upload has failed");
    upload->status = upload->blob->ops->write(upload, ctx, bytes);
    if (upload->status == AX_OK)
        ax_sha256_add(upload->hash, bytes);
    return upload->status;
}

/* Puts the upload in the place of a blob, unless a sound one is there. */
static ax_status
settle(struct ax_blob_upload *upload, struct ax_ctx *ctx, ax_digest digest)
{
    ax_fault_benign_begin(); /* what cannot be read now is put again */
    ax_status there = ax_blob_stream(upload->blob, ctx, digest, NULL, NULL);
    ax_fault_benign_end();
    if (there == AX_OK)
        return AX_OK;
    ctx->error[0] = '\0';
    return upload->blob->ops->finish(upload, ctx, digest);
}

ax_status
ax_blob_finish(struct ax_blob_upload *upload, struct ax_ctx *ctx, const ax_digest *expected,
               ax_digest *out_digest)
{
    char wanted[AX_DIGEST_HEX_BYTES + 1], got[AX_DIGEST_HEX_BYTES + 1];
    const struct ax_blob_ops *ops = upload->blob->ops;
    ax_status status = upload->status;
    ax_digest digest = ax_sha256_finish(upload->hash);
    upload->hash = NULL;
    if (status == AX_OK && expected && !ax_digest_eq(*expected, digest)) {
        ax_digest_hex(*expected, wanted);
        ax_digest_hex(digest, got);
        status = ax_fail(ctx, AX_INVALID, "the bytes have digest %s, not %s", got, wanted);
    }
    if (status == AX_OK)
        status = settle(upload, ctx, digest);
    ops->abandon(upload);
    if (status == AX_OK)
        *out_digest = digest;
    return status;
}

void
ax_blob_abandon(struct ax_blob_upload *upload)
{
    if (!upload)
        return;
    if (upload->hash)
        (void)ax_sha256_finish(upload->hash);
    upload->blob->ops->abandon(upload);
}

ax_status
ax_blob_put(struct ax_blob *blob, struct ax_ctx *ctx, ax_str bytes, ax_digest *out_digest)
{
    ax_auto(ax_blob_abandon) struct ax_blob_upload *upload = NULL;
    AX_TRY(ax_blob_upload(blob, ctx, &upload));
    AX_TRY(ax_blob_write(upload, ctx, bytes));
    return ax_blob_finish(ax_take(upload), ctx, NULL, out_digest);
}

/* ---- out ---- */

ax_status
ax_blob_size(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest, uint64_t *out_bytes)
{
    return blob->ops->size(blob, ctx, digest, out_bytes);
}

static ax_status
not_what_was_put(struct ax_ctx *ctx, ax_digest digest)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_digest_hex(digest, hex);
    return ax_fail(ctx, AX_CORRUPT, "blob %s is damaged: its bytes have another digest", hex);
}

ax_status
ax_blob_get(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest, size_t bytes_max,
            ax_str *out_bytes)
{
    uint64_t bytes;
    AX_TRY(blob->ops->size(blob, ctx, digest, &bytes));
    if (bytes > bytes_max)
        return ax_fail(ctx, AX_LIMIT, "a blob of %llu bytes; at most %zu are read at once",
                       (unsigned long long)bytes, bytes_max);
    AX_TRY(ax_blob_read(blob, ctx, digest, 0, (size_t)bytes, out_bytes));
    return ax_digest_eq(ax_sha256(*out_bytes), digest) ? AX_OK : not_what_was_put(ctx, digest);
}

ax_status
ax_blob_read(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest, uint64_t offset,
             size_t len, ax_str *out_bytes)
{
    uint64_t bytes;
    AX_TRY(blob->ops->size(blob, ctx, digest, &bytes));
    if (offset > bytes)
        offset = bytes;
    if (len > bytes - offset)
        len = (size_t)(bytes - offset);
    char *room = ax_arena_alloc(ctx->arena, 1, len + 1);
    if (!room)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu bytes of a blob", len);
    if (len > 0)
        AX_TRY(blob->ops->read(blob, ctx, digest, offset, (ax_blob_room){room, len}));
    *out_bytes = (ax_str){room, len};
    return AX_OK;
}

ax_status
ax_blob_stream(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest,
               ax_status (*sink)(void *arg, struct ax_ctx *ctx, ax_str piece), void *arg)
{
    uint64_t bytes;
    struct ax_sha256 *hash = ax_sha256_new();
    char *room = ax_arena_alloc(ctx->arena, 1, STREAM_BYTES);
    if (!hash)
        return ax_fail(ctx, AX_LIMIT, "no memory to read a blob");
    ax_status status = room ? blob->ops->size(blob, ctx, digest, &bytes)
                            : ax_fail(ctx, AX_LIMIT, "no memory to read a blob");
    for (uint64_t at = 0; status == AX_OK && at < bytes;) {
        size_t len = bytes - at < STREAM_BYTES ? (size_t)(bytes - at) : STREAM_BYTES;
        status = blob->ops->read(blob, ctx, digest, at, (ax_blob_room){room, len});
        if (status == AX_OK)
            ax_sha256_add(hash, (ax_str){room, len});
        if (status == AX_OK && sink)
            status = sink(arg, ctx, (ax_str){room, len});
        at += len;
    }
    bool same = ax_digest_eq(ax_sha256_finish(hash), digest);
    return status != AX_OK || same ? status : not_what_was_put(ctx, digest);
}

/* A file that grows by what is streamed into it. */
struct copy {
    ax_file file;
    uint64_t bytes;
};

static ax_status
copy_piece(void *arg, struct ax_ctx *ctx, ax_str piece)
{
    struct copy *copy = arg;
    AX_TRY(ax_file_write_at(ctx, copy->file, copy->bytes, piece));
    copy->bytes += piece.len;
    return AX_OK;
}

ax_status
ax_blob_link(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest, ax_str path)
{
    struct copy copy = {.file = {-1}};
    if (blob->ops->link) {
        ax_fault_benign_begin(); /* where a link fails, a copy does */
        ax_status status = blob->ops->link(blob, ctx, digest, path);
        ax_fault_benign_end();
        if (status == AX_OK || status == AX_NOT_FOUND || status == AX_CONFLICT)
            return status;
    }
    AX_TRY(ax_file_open(ctx, path, AX_FILE_CREATE_NEW, &copy.file));
    ax_status status = ax_blob_stream(blob, ctx, digest, copy_piece, &copy);
    ax_file_close(&copy.file);
    if (status != AX_OK) {
        char words[AX_ERROR_BYTES_MAX];
        memcpy(words, ctx->error, sizeof words);
        ax_ignore(ax_file_remove(ctx, path), "half a copy is none");
        memcpy(ctx->error, words, sizeof words);
    }
    return status;
}

ax_status
ax_blob_exists(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest, bool *out_exists)
{
    uint64_t bytes;
    ax_status status = blob->ops->size(blob, ctx, digest, &bytes);
    *out_exists = status == AX_OK;
    return status == AX_NOT_FOUND ? AX_OK : status;
}

ax_status
ax_blob_list(struct ax_blob *blob, struct ax_ctx *ctx, const ax_digest *after, size_t count_max,
             ax_digest **out_digests, size_t *out_count)
{
    return blob->ops->list(blob, ctx, after, count_max, out_digests, out_count);
}

ax_status
ax_blob_delete(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest)
{
    return blob->ops->remove(blob, ctx, digest);
}

void
ax_blob_close(struct ax_blob *blob)
{
    if (blob)
        blob->ops->close(blob);
}
