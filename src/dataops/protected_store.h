/*
 * Protected attributes: encrypted under a key of their own, for the fairness job and nobody else.
 *
 * A column filter is not enough (R70): these values leave the batch at ingestion and are kept in
 * one sealed file a dataset, by row id. Opening asks for the fairness role before it touches key
 * or file. Training and scoring have neither.
 */
#pragma once

#include "numeric/frame.h"
#include "sys/crypto.h"

struct ax_protected_place {
    ax_str path;       /* of the sealed file */
    ax_str key_path;   /* 64 hex digits; made (0600) on the first write */
    ax_digest dataset; /* which version the rows belong to; sealed in, so files cannot be swapped */
};

/* Old file or new, never a mixture. Fails: as sys/file; INVALID for a broken key file. */
ax_status ax_protected_store_write(struct ax_ctx *ctx, const struct ax_protected_place *place,
                                   const struct ax_frame *attributes);

/*
 * The attributes, rows by id; in ctx->arena.
 * Fails: DENIED when ctx->actor has not the fairness role; NOT_FOUND; CORRUPT when the file was
 * changed, or belongs to another dataset or key.
 */
ax_status ax_protected_store_read(struct ax_ctx *ctx, const struct ax_protected_place *place,
                                  struct ax_frame *out_attributes);

/* The attributes of these rows, in their order. Fails: INVALID names a row id that is not there. */
ax_status ax_protected_store_join(struct ax_ctx *ctx, const struct ax_frame *attributes,
                                  const uint64_t *row_ids, size_t row_count,
                                  struct ax_frame *out_attributes);
