/*
 * From rows of text to a typed batch: types, category tables, missing values, ranges.
 *
 * The protected columns leave the table here, into a frame of their own, before anything else
 * sees it: `features` never holds them. A cell that does not fit stops the batch with one sentence
 * that names row and column; nothing half read comes out. What a model's inputs look like
 * afterwards, for serving, is written by encode.h.
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
    struct ax_frame features;  /* with labels and row ids; columns of the role FEATURE alone */
    struct ax_frame protected; /* the same row ids, no labels; column_count 0 when there are none */
    struct ax_ingestion_profile *profiles; /* one a column of the source, in its order */
    size_t profile_count;
    struct ax_schema schema; /* as declared */
    uint64_t positive_count;
    const ax_str *keys; /* one a row, all different; NULL when the schema names no key */
};

/*
 * schema: kept, with its texts. text: CSV (RFC 4180) with a header; it may go. All results in
 * ctx->arena. Codes of categories follow the declared list, else the order of their bytes.
 * Fails: INVALID: "row 17, column `credit_amount`: 'abc' is not a number" (of a protected column
 * the cell is left out); a declared column that is not there; a name or a key twice; a class that
 * is empty. LIMIT.
 */
ax_status ax_ingestion_csv(struct ax_ctx *ctx, const struct ax_schema *schema, ax_str text,
                           struct ax_batch *out_batch);
