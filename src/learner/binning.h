/*
 * Bins of a characteristic and their weights of evidence, for scorecards.
 *
 * Numbers: fine bins first, then the cut set with the largest information value whose bad rate is
 * monotone, each bin holding enough rows (exact, by dynamic programming). Categories: rare ones
 * pooled, then merged in the order of their bad rate by the same search. Missing values have a
 * bin of their own, and so have special values (-1 for "no account"), which are no amounts and
 * stand outside the order. Not here: points and regression, see scorecard.h.
 */
#pragma once

#include "base/ctx.h"
#include "numeric/frame.h"

enum { AX_BINNING_SPECIALS_MAX = 16 };

struct ax_binning_config {
    double share_min;       /* of the rows a bin must hold; 0.01 and more; 0.05 is usual */
    size_t bins_max;        /* without the missing bin; 1 to 32 */
    double smoothing;       /* added to good and bad of every bin; above 0; 0.5 is usual */
    int direction;          /* numbers: +1 bad rate rises, -1 falls, 0 whichever tells more */
    const double *specials; /* numbers: values with a bin of their own, ascending, finite; kept */
    size_t special_count;
};

struct ax_binning_bin {
    double low, high; /* numbers: low < x <= high; -inf and +inf at the ends */
    uint64_t good, bad;
    double woe; /* ln((good / G) / (bad / B)), smoothed */
    bool missing;
    bool special; /* of the one value low == high */
};

struct ax_binning {
    struct ax_binning_bin *bins; /* ranges or groups, special values, then the missing bin, when
                                    there were any; in ctx->arena */
    size_t bin_count;
    size_t cut_count;      /* ranges or groups among them */
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
