/*
 * From rows of text to a typed batch: types, category tables, missing values, ranges.
 *
 * The protected columns leave the table here, into a frame of their own, before anything else
 * sees it: `features` never holds them. A cell that does not fit stops the batch with one sentence
 * that names row and column; nothing half read comes out.
 */
#pragma once

#include "dataops/schema.h"
#include "numeric/frame.h"

/* What was seen in a column. */
struct ax_ingestion_profile {
    ax_str name;
    enum ax_schema_role role;
    enum ax_frame_kind kind;
    uint64_t rows, missing, distinct;
    double min, max, mean; /* numbers; NaN for categories and when all is missing */
};

struct ax_batch {
    struct ax_frame features;  /* with labels and row ids; neither target, protected nor ignored */
    struct ax_frame protected; /* the same row ids, no labels; column_count 0 when there are none */
    struct ax_ingestion_profile *profiles; /* one a column of the source, in its order */
    size_t profile_count;
    struct ax_schema schema; /* as declared */
    uint64_t positive_count;
};

/*
 * text: CSV (RFC 4180) with a header. All results in ctx->arena; text and schema may go.
 * Fails: INVALID: "row 17, column `credit_amount`: 'abc' is not a number"; a declared column that
 * is not there; a name twice; a class that is empty. LIMIT.
 */
ax_status ax_ingestion_csv(struct ax_ctx *ctx, const struct ax_schema *schema, ax_str text,
                           struct ax_batch *out_batch);

/*
 * The signature (docs/formats.md section 3) of models trained on these features: JSON text.
 * Domains are the declared min and max, else those seen. missing: "accept" for columns that had
 * missing values and are not declared to refuse them, else "refuse"; unknown: "refuse".
 */
ax_status ax_ingestion_signature(struct ax_ctx *ctx, const struct ax_batch *batch,
                                 ax_str *out_json);
