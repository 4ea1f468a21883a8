/*
 * Do two model files answer alike? Both score the same rows; what differs is counted and shown.
 *
 * Meant for a model before and after a conversion, or a version and the next one. Each model reads
 * the rows in its own way: columns by its own names, categories by its own codes.
 */
#pragma once

#include "base/ctx.h"

struct ax_engine;

struct ax_compare_config {
    unsigned output;  /* AX_ENGINE_RESPONSE or AX_ENGINE_MARGIN */
    double tolerance; /* of max(1, |a|, |b|); 0: bit for bit */
    bool missing_given;
    double missing;
};

/* Where two answers differ. */
struct ax_compare_spot {
    size_t row, line; /* in the CSV file: the header is row 1 */
    size_t column;    /* of the output */
    double a, b;
};

enum { AX_COMPARE_SPOTS_MAX = 10 };

struct ax_compare_result {
    size_t row_count, column_count;
    size_t differing; /* rows with a difference beyond the tolerance */
    double largest;   /* difference of all rows, within the tolerance or not */
    struct ax_compare_spot largest_at;
    struct ax_compare_spot spots[AX_COMPARE_SPOTS_MAX]; /* the first rows that differ */
    size_t spot_count;
};

/*
 * Scores the rows of a CSV text with both engines.
 *
 * Fails: INVALID when the models have other numbers of outputs, or a row does not fit one of them;
 * LIMIT.
 */
ax_status ax_compare_models(struct ax_ctx *ctx, const struct ax_engine *const engines[2],
                            ax_str csv, const struct ax_compare_config *config,
                            struct ax_compare_result *out_result);
