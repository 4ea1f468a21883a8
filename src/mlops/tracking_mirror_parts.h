/* What the files of tracking_mirror share. */
#pragma once

#include "mlops/tracking_import_parts.h"
#include "mlops/tracking_mirror.h"

enum ax_mirror_keeping {
    AX_MIRROR_ELSEWHERE, /* a bucket, or a folder that is left alone */
    AX_MIRROR_PROXIED,
    AX_MIRROR_FOLDER, /* of the server's machine: asked for run by run */
};

struct ax_mirror_place {
    ax_str id, path; /* of an experiment; below the proxy's root */
    enum ax_mirror_keeping keeping;
};

struct ax_mirror {
    const struct ax_tracking_mirror *config;
    struct ax_import import; /* counts, problems, and the check in the end */
    struct {
        AX_ARRAY(struct ax_mirror_place)
    } places;
    uint64_t runs_listed;
    bool models; /* the database has logged models */
};

/* One SQL statement with the texts "key" and "value" of each item, and what else it is of. */
struct ax_mirror_pairs {
    const char *sql;      /* $1: key, $2: value, $3 .. : owner */
    const char *key_name; /* of items */
    ax_store_params owner;
};
ax_status ax_mirror_put_pairs(struct ax_store_tx *tx, struct ax_ctx *ctx,
                              const struct ax_mirror_pairs *pairs, const struct ax_json *items,
                              uint64_t *counted);

/* A URI with the artifact proxy in it, however it is written, as "mlflow-artifacts:/path". */
ax_status ax_mirror_uri(struct ax_ctx *ctx, ax_str uri, ax_str *out_uri);

/* 32 hex digits that stand for these pieces. */
ax_status ax_mirror_id(struct ax_ctx *ctx, const ax_str *pieces, size_t count, ax_str *out_id);

/* NULL where the text is empty. */
ax_store_value ax_mirror_text(ax_str text);

/* Whether there is a row. */
ax_status ax_mirror_has(struct ax_mirror *mirror, struct ax_ctx *ctx, const char *sql,
                        ax_store_params params, bool *out);

ax_status ax_mirror_runs(struct ax_mirror *mirror, struct ax_ctx *ctx);
ax_status ax_mirror_models(struct ax_mirror *mirror, struct ax_ctx *ctx);
ax_status ax_mirror_registry(struct ax_mirror *mirror, struct ax_ctx *ctx);
ax_status ax_mirror_files(struct ax_mirror *mirror, struct ax_ctx *ctx);
