/*
 * Bins of a characteristic and their weights of evidence, for scorecards.
 *
 * Numbers: fine bins first, then the cut set with the largest information value whose bad rate is
 * monotone, each bin holding enough rows (exact, by dynamic programming). Categories: rare ones
 * pooled, then merged in the order of their bad rate by the same search. Missing values have a
 * bin of their own. Not here: points and regression, see scorecard.h.
 */
#pragma once

#include "base/ctx.h"
#include "numeric/frame.h"

struct ax_binning_config {
    double share_min; /* of the rows a bin must hold; 0.05 */
    size_t bins_max;  /* without the missing bin; 8 */
    double smoothing; /* added to good and bad of every bin; 0.5 */
    int direction;    /* numbers: +1 bad rate rises, -1 falls, 0 whichever tells more */
};

struct ax_binning_bin {
    double low, high; /* numbers: low < x <= high; -inf and +inf at the ends */
    uint64_t good, bad;
    double woe; /* ln((good / G) / (bad / B)), smoothed */
    bool missing;
};

struct ax_binning {
    struct ax_binning_bin *bins; /* the missing bin last, when there is one; in ctx->arena */
    size_t bin_count;
    uint32_t *bin_of_code; /* categories: code -> bin; NULL for numbers */
    size_t code_count;
    double information_value; /* sum of (good / G - bad / B) * woe */
    int direction;            /* numbers: the one found */
};

/*
 * column: of row_count rows; labels: 1 is bad.
 * Fails: INVALID when a class is empty; LIMIT.   Source: Siddiqi 2006; Navas-Palencia, optbinning,
 * 2020 (the formulation).
 */
ax_status ax_binning_fit(struct ax_ctx *ctx, const struct ax_frame_column *column,
                         const uint8_t *labels, size_t row_count,
                         const struct ax_binning_config *config, struct ax_binning *out_binning);

/* The bin of a value (a code for categories); a missing value without a bin: SIZE_MAX. */
size_t ax_binning_find(const struct ax_binning *binning, double value);
