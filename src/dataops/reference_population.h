/*
 * The rows against which decisions are explained, and the rows by which a model is recognised.
 *
 * "Compared with whom" is either the applicants at or slightly above the cut-off (R65 a) or all
 * applicants (R65 b), drawn by a recorded seed. Both come as the CSV of encoded rows that a bundle
 * carries (docs/formats.md section 2) with its digest.
 */
#pragma once

#include "numeric/frame.h"
#include "sys/crypto.h"

enum ax_reference_method { AX_REFERENCE_NEAR_CUTOFF, AX_REFERENCE_ALL };

struct ax_reference_config {
    enum ax_reference_method method;
    size_t row_count; /* wanted; all there are when fewer */
    uint64_t seed;
    double cutoff; /* near cut-off: probability of the event below which one is approved */
};

struct ax_reference_sample {
    struct ax_frame rows;
    ax_str csv;
    ax_digest digest;   /* of csv */
    const char *method; /* "near_cutoff" or "all_applicants" */
};

/*
 * frame: applicants (training rows). probabilities: the model's, one a row; NULL for
 * AX_REFERENCE_ALL. Near the cut-off: of the approved (probability < cutoff) the 2 * row_count
 * closest to it are the pool from which row_count are drawn.
 * Fails: INVALID when nobody is approved; LIMIT.
 */
ax_status ax_reference_draw(struct ax_ctx *ctx, const struct ax_frame *frame,
                            const double *probabilities, const struct ax_reference_config *config,
                            struct ax_reference_sample *out_sample);

/*
 * Rows for a self-test: spread over the order of the scores, lowest and highest included.
 * out_rows: in the order of the frame, at most row_count of them. The caller scores them and passes
 * the rows with columns `margin` and `response` to ax_reference_csv.
 */
ax_status ax_reference_self_test(struct ax_ctx *ctx, const struct ax_frame *frame,
                                 const double *probabilities, size_t row_count,
                                 struct ax_frame *out_rows);

/*
 * A frame in its encoded form: header of names, shortest exact numbers, codes for categories,
 * empty for missing, then the further columns (row_count values each). In ctx->arena.
 */
struct ax_reference_extra {
    ax_str name;
    const double *values;
};
ax_status ax_reference_csv(struct ax_ctx *ctx, const struct ax_frame *frame,
                           const struct ax_reference_extra *extra, size_t extra_count,
                           ax_str *out_csv);
