/* Artifacts in backups: their blobs held still while they are copied, and the files put back. */
#include "mlops/artifacts_parts.h"

enum { BLOBS_AT_ONCE = 256, ROWS_AT_ONCE = 256 };

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory to copy artifacts");
}

/* ---- pinning ---- */

static ax_status
pins_of(const struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str *out)
{
    *out = ax_str_printf(ctx->arena, "%.*s/" AX_ARTIFACTS_BLOBS "/pins",
                         AX_FMT(artifacts->config.folder));
    return out->at ? AX_OK : no_memory(ctx);
}

static ax_status
pin_one(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str pins, ax_digest digest)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_digest_hex(digest, hex);
    ax_str folder = ax_str_printf(ctx->arena, "%.*s/%.2s", AX_FMT(pins), hex);
    ax_str file = ax_str_printf(ctx->arena, "%.*s/%s", AX_FMT(folder), hex + 2);
    if (!folder.at || !file.at)
        return no_memory(ctx);
    AX_TRY(ax_file_make_folders(ctx, folder));
    ax_status status = ax_blob_link(artifacts->config.blob, ctx, digest, file);
    if (status != AX_NOT_FOUND) /* else nothing needs it any more */
        return status;
    ctx->error[0] = '\0';
    return AX_OK;
}

ax_status
ax_artifacts_pin(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str *out_folder)
{
    ax_digest last, *digests;
    size_t count = BLOBS_AT_ONCE;
    bool first = true;
    AX_TRY(ax_artifacts_unpin(artifacts, ctx));
    AX_TRY(pins_of(artifacts, ctx, out_folder));
    AX_TRY(ax_file_make_folders(ctx, *out_folder));
    while (count == BLOBS_AT_ONCE) {
        AX_TRY(ax_blob_list(artifacts->config.blob, ctx, first ? NULL : &last, BLOBS_AT_ONCE,
                            &digests, &count));
        for (size_t i = 0; i < count; i++) {
            AX_TRY(pin_one(artifacts, ctx, *out_folder, digests[i]));
            last = digests[i];
        }
        first = false;
    }
    return AX_OK;
}

ax_status
ax_artifacts_unpin(struct ax_artifacts *artifacts, struct ax_ctx *ctx)
{
    ax_str pins;
    AX_TRY(pins_of(artifacts, ctx, &pins));
    return ax_file_remove_tree(ctx, pins);
}

/* ---- putting back ---- */

struct row {
    ax_str path;
    ax_digest digest;
};

/* Rows behind a path, in the order of paths. */
static ax_status
read_rows(struct ax_artifacts *artifacts, struct ax_ctx *ctx, ax_str after,
          struct row out[ROWS_AT_ONCE], size_t *out_count)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    size_t count = 0;
    bool sound = true;
    AX_TRY(ax_store_begin(artifacts->config.store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select path, digest from artifact_files where path > $1 "
                                 "order by path limit $2"),
                          AX_STORE_PARAMS(ax_store_text(after), ax_store_i64(ROWS_AT_ONCE)),
                          &rows));
    while (sound && count < ROWS_AT_ONCE && ax_store_next(rows)) {
        out[count].path = ax_store_read_text(rows, 0);
        sound = ax_digest_parse(ax_store_read_text(rows, 1), &out[count].digest);
        count++;
    }
    AX_TRY(ax_store_finish(rows));
    *out_count = count;
    return sound ? AX_OK : ax_fail(ctx, AX_CORRUPT, "the digest of an artifact is damaged");
}

ax_status
ax_artifacts_rebuild(struct ax_artifacts *artifacts, struct ax_ctx *ctx, uint64_t *out_count)
{
    struct row *rows = AX_NEW_ARRAY(ctx->arena, struct row, ROWS_AT_ONCE);
    ax_str after = AX_STR("");
    size_t count = ROWS_AT_ONCE;
    if (!rows)
        return no_memory(ctx);
    *out_count = 0;
    while (count == ROWS_AT_ONCE) {
        AX_TRY(read_rows(artifacts, ctx, after, rows, &count));
        for (size_t i = 0; i < count; i++) {
            ax_status status =
                ax_artifacts_put_in_place(artifacts, ctx, rows[i].path, rows[i].digest);
            if (status != AX_OK)
                return ax_explain(ctx, status == AX_NOT_FOUND ? AX_CORRUPT : status,
                                  "artifact %.*s", AX_FMT(rows[i].path));
            after = rows[i].path;
        }
        *out_count += count;
    }
    return AX_OK;
}
