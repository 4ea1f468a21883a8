/*
 * Large bytes by their digest: the blob port.
 *
 * The name of a blob is the SHA-256 of its bytes, so it is never changed, two equal ones are one,
 * and every whole read proves what it returns. What is put is durable when the call returns. It
 * has no folders and no names; those are rows in the store.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "sys/crypto.h"

struct ax_blob;
struct ax_blob_upload;

/* ---- in ---- */

/* All at once. Putting what is there already is fine, and mends it if it was damaged. */
ax_status ax_blob_put(struct ax_blob *blob, struct ax_ctx *ctx, ax_str bytes,
                      ax_digest *out_digest);

/* Piece by piece, with bounded memory. out_upload: owned; ended by finish or abandon. */
ax_status ax_blob_upload(struct ax_blob *blob, struct ax_ctx *ctx,
                         struct ax_blob_upload **out_upload);
ax_status ax_blob_write(struct ax_blob_upload *upload, struct ax_ctx *ctx, ax_str bytes);

/*
 * Makes it a blob; one that is there already and sound stays as it is, with all links to it. After
 * a failed write it is abandoned and that failure comes back.
 *
 * upload: taken, also on failure. expected: the digest it must have, or NULL.
 * Fails: INVALID when it has another; LIMIT (disk full); UNAVAILABLE.
 */
ax_status ax_blob_finish(struct ax_blob_upload *upload, struct ax_ctx *ctx,
                         const ax_digest *expected, ax_digest *out_digest);
void ax_blob_abandon(struct ax_blob_upload *upload);
AX_DEFINE_AUTO(struct ax_blob_upload, ax_blob_abandon);

/* ---- out ---- */

/*
 * The whole blob, verified, in ctx->arena.
 *
 * Fails: NOT_FOUND; LIMIT above bytes_max; CORRUPT when the bytes are not what was put.
 */
ax_status ax_blob_get(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest, size_t bytes_max,
                      ax_str *out_bytes);

/*
 * The bytes from offset on, at most len, in ctx->arena; fewer at the end. A part cannot be proved
 * against the digest of the whole: check first, or read the whole, where it matters.
 */
ax_status ax_blob_read(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest, uint64_t offset,
                       size_t len, ax_str *out_bytes);

/*
 * Hands the whole blob to sink in pieces of at most 64 KiB, with bounded memory. The last word is
 * the return: CORRUPT says that what went out was not the blob.
 *
 * sink: NULL only checks; what it fails with comes back.
 */
ax_status ax_blob_stream(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest,
                         ax_status (*sink)(void *arg, struct ax_ctx *ctx, ax_str piece), void *arg);

/*
 * A file of its bytes at path, which must not exist; its folder must. On the same file system it is
 * a hard link and costs nothing; elsewhere, or where links fail, a verified copy. Not synced.
 * Fails: NOT_FOUND; CONFLICT when path exists; CORRUPT (a copy); LIMIT (disk full).
 */
ax_status ax_blob_link(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest, ax_str path);

ax_status ax_blob_size(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest,
                       uint64_t *out_bytes);

/* Present or not; its bytes are not looked at. Fails: UNAVAILABLE. */
ax_status ax_blob_exists(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest,
                         bool *out_exists);

/*
 * Digests in ascending order behind `after` (NULL: from the first), at most count_max of them, in
 * ctx->arena. Fewer than count_max: that was the end.
 */
ax_status ax_blob_list(struct ax_blob *blob, struct ax_ctx *ctx, const ax_digest *after,
                       size_t count_max, ax_digest **out_digests, size_t *out_count);

/* Fails: NOT_FOUND. Who still needs it is the caller's business. */
ax_status ax_blob_delete(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest);

/* All uploads must have ended. */
void ax_blob_close(struct ax_blob *blob);
AX_DEFINE_AUTO(struct ax_blob, ax_blob_close);

/* ---- for adapters ---- */

typedef struct ax_blob_room { /* where a read goes */
    char *at;
    size_t len;
} ax_blob_room;

struct ax_blob_ops {
    const char *name;
    ax_status (*upload)(struct ax_blob *blob, struct ax_ctx *ctx,
                        struct ax_blob_upload **out_upload);
    ax_status (*write)(struct ax_blob_upload *upload, struct ax_ctx *ctx, ax_str bytes);
    ax_status (*finish)(struct ax_blob_upload *upload, struct ax_ctx *ctx, ax_digest digest);
    void (*abandon)(struct ax_blob_upload *upload); /* frees it, after finish too */
    /* Exactly len bytes at offset into out; NOT_FOUND; CORRUPT when there are fewer. */
    ax_status (*read)(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest, uint64_t offset,
                      ax_blob_room room);
    ax_status (*size)(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest,
                      uint64_t *out_bytes);
    ax_status (*list)(struct ax_blob *blob, struct ax_ctx *ctx, const ax_digest *after,
                      size_t count_max, ax_digest **out_digests, size_t *out_count);
    ax_status (*remove)(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest);
    /* Another name for the blob's own file; NULL where a blob is no file: then it is copied. */
    ax_status (*link)(struct ax_blob *blob, struct ax_ctx *ctx, ax_digest digest, ax_str path);
    void (*close)(struct ax_blob *blob);
};

/* An adapter embeds these as the first member of its own. */
struct ax_blob {
    const struct ax_blob_ops *ops;
};

struct ax_blob_upload {
    struct ax_blob *blob;
    struct ax_sha256 *hash;
    ax_status status; /* of the first write that failed */
};
