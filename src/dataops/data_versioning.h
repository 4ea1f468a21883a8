/*
 * Versions of data by digest, and splits that anybody can make again.
 *
 * A version's digest covers the canonical schema and the canonical bytes of the features: the
 * same rows and the same description are the same version wherever they are read. Protected columns
 * are not in it (a digest of them could be guessed back): see protected_store. A split is a
 * function of the features, the seed and the shares alone.
 */
#pragma once

#include "dataops/ingestion.h"
#include "sys/crypto.h"

struct ax_data_version {
    ax_digest digest; /* of the manifest below */
    ax_str manifest; /* canonical JSON: name, rows, columns, profiles, schema digest, data digest */
    ax_str features; /* the frame's bytes, for the blob store; their digest is in the manifest */
};

/* All in ctx->arena. Fails: LIMIT. */
ax_status ax_data_version_of(struct ax_ctx *ctx, const struct ax_batch *batch,
                             struct ax_data_version *out_version);

/* Reads a version back. Fails: CORRUPT when bytes and manifest do not belong together; INVALID. */
ax_status ax_data_version_read(struct ax_ctx *ctx, ax_str manifest, ax_str features,
                               struct ax_frame *out_features);

/* The schema that a manifest holds. Fails: INVALID, LIMIT. */
ax_status ax_data_version_schema(struct ax_ctx *ctx, ax_str manifest, struct ax_schema *out_schema);

struct ax_data_shares {
    double train, validation; /* the rest is held out; each > 0, sum < 1 */
    uint64_t seed;
};

struct ax_data_split {
    struct ax_frame train, validation, held_out;
};

/*
 * Stratified by label: within each class the rows are put in an order drawn from the seed and cut
 * by the shares (rounded half up). Each part keeps the order of the source.
 * Fails: INVALID for bad shares or a part without both classes; LIMIT.
 */
ax_status ax_data_version_split(struct ax_ctx *ctx, const struct ax_frame *features,
                                const struct ax_data_shares *shares,
                                struct ax_data_split *out_split);
