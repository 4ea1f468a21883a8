/*
 * Datasets: a name with versions, each a digest of what was read and how it was described.
 *
 * Rows come in as CSV with a declared schema (dataops/schema.h). Features go to the blob store;
 * protected attributes go to the protected store and are nowhere else. Training, validation and
 * held-out parts are made again from the recorded seed. Workers only.
 */
#pragma once

#include "blob/blob.h"
#include "codec/json.h"
#include "dataops/data_versioning.h"
#include "store/store.h"

struct ax_datasets;

struct ax_datasets_config { /* kept */
    struct ax_store *store;
    struct ax_blob *blob;
    ax_str protected_folder; /* DIR/protected */
    ax_str protected_key;    /* KEYS/protected.key */
};

struct ax_dataset_record { /* in ctx->arena */
    ax_str name;
    int64_t version;
    ax_digest digest; /* of the manifest */
    ax_str manifest;
    struct ax_data_shares shares;
    ax_str created_by;
    int64_t created_ns;
};

ax_status ax_datasets_open(struct ax_ctx *ctx, const struct ax_datasets_config *config,
                           struct ax_datasets **out_datasets);
void ax_datasets_close(struct ax_datasets *datasets);
AX_DEFINE_AUTO(struct ax_datasets, ax_datasets_close);

/*
 * Ingests rows: schema is the document of dataops/schema.h, its `name` the dataset's.
 * The same rows and description again are the version they already are.
 * Fails: INVALID with row and column.
 */
ax_status ax_datasets_ingest(struct ax_datasets *datasets, struct ax_ctx *ctx, ax_str schema,
                             const struct ax_data_shares *shares, ax_str csv,
                             struct ax_dataset_record *out_record);

/* version 0: the newest. Fails: NOT_FOUND. */
ax_status ax_datasets_find(struct ax_datasets *datasets, struct ax_ctx *ctx, ax_str name,
                           int64_t version, struct ax_dataset_record *out_record);

/* Features (never protected columns), the signature's JSON, and the split. */
struct ax_dataset_parts {
    struct ax_frame features;
    struct ax_data_split split;
    ax_str signature;
};
ax_status ax_datasets_read(struct ax_datasets *datasets, struct ax_ctx *ctx,
                           const struct ax_dataset_record *record,
                           struct ax_dataset_parts *out_parts);

/* The protected attributes of these rows. Fails: DENIED without the fairness role. */
ax_status ax_datasets_protected(struct ax_datasets *datasets, struct ax_ctx *ctx,
                                const struct ax_dataset_record *record, const uint64_t *row_ids,
                                size_t row_count, struct ax_frame *out_attributes);

/* {"name","version","digest","rows","columns":[{"name","type","missing","min","max",...}],...} */
ax_status ax_datasets_show(struct ax_datasets *datasets, struct ax_ctx *ctx, ax_str name,
                           int64_t version, struct ax_json_writer *out);

/* Which rows of the source are in a part: {"part":"held_out","rows":[..]}. INVALID: no such part.
 */
ax_status ax_datasets_show_part(struct ax_datasets *datasets, struct ax_ctx *ctx, ax_str name,
                                int64_t version, ax_str part, struct ax_json_writer *out);
ax_status ax_datasets_list(struct ax_datasets *datasets, struct ax_ctx *ctx,
                           struct ax_json_writer *out);
