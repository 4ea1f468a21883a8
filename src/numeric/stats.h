/*
 * Statistics of samples: moments, differences between samples, intervals, tests.
 *
 * Every figure that may be judged comes as an ax_estimate with its interval and the number of rows
 * behind it; when there are too few rows it says so (`sufficient` is false) instead of looking
 * precise. What measures a model's predictions is in score.h.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"

/* A number, how sure it is, and what it rests on. A value. */
typedef struct ax_estimate {
    double value;
    double low, high; /* the interval; NaN when there is none */
    double level;     /* of the interval: 0.95 */
    uint64_t count;   /* rows behind it */
    bool sufficient;  /* false: too few rows to judge; neither a pass nor a failure (R35) */
} ax_estimate;

/* No answer, because there are too few rows: the count, and NaN. */
ax_estimate ax_stats_insufficient(uint64_t count);

/* ---- moments ---- */

/* Welford's sums: add one by one, merge parts; the same result for one pass or many. */
struct ax_moments {
    uint64_t count;
    double mean;
    double m2, m3, m4; /* sums of powered deviations */
    double min, max;
};

void ax_stats_add(struct ax_moments *moments, double value); /* NaN is passed over */
void ax_stats_merge(struct ax_moments *into, const struct ax_moments *from);
double ax_stats_variance(const struct ax_moments *moments); /* n - 1; NaN below two rows */
double ax_stats_skewness(const struct ax_moments *moments); /* m3 / m2^1.5, population */
double ax_stats_kurtosis(const struct ax_moments *moments); /* excess, population */

/* Mean with Student's interval. */
ax_estimate ax_stats_mean(const struct ax_moments *moments, double level);

/* Linear between order statistics (numpy's default, type 7). sorted: ascending, no NaN. */
double ax_stats_quantile(const double *sorted, size_t count, double p);

/* Indices of the values in ascending order, equal ones by index; in ctx->arena. Fails: LIMIT. */
ax_status ax_stats_order(struct ax_ctx *ctx, const double *values, size_t count,
                         uint32_t **out_order);

/* Ascending, in place; NaN last. */
void ax_stats_sort(double *values, size_t count);

/* ---- how far two samples are apart ---- */

/* A distance or statistic with its significance. */
struct ax_stats_test {
    double statistic;
    double degrees; /* of freedom; 0 where there are none */
    double p_value; /* two-sided; NaN when the test cannot be made */
    double effect;  /* size without n: difference of means, D, Cramer's V, ... */
    uint64_t expected_count, actual_count;
};

/*
 * How far two histograms over the same bins have drifted apart (population stability index).
 *
 * expected, actual: rows per bin, bin_count of each; a bin that is empty on one side counts as
 * half a row there. An alarm needs both: a value past its limit, and past the null quantile.
 * Fails: INVALID when a histogram is empty.   Source: Siddiqi, Credit Risk Scorecards, 2006.
 */
struct ax_stats_psi {
    double value;         /* no unit, >= 0; by custom 0.1 asks for a look, 0.25 for action */
    double null_quantile; /* it stays below with probability `level` when nothing has changed:
                             (1/n + 1/m) chi2(bins - 1) */
};
ax_status ax_stats_psi(struct ax_ctx *ctx, const uint64_t *expected, const uint64_t *actual,
                       size_t bin_count, double level, struct ax_stats_psi *out_psi);

/*
 * Bins of a reference for PSI and CSI: edges[0..n-1) cut the line into n parts, x <= edge goes
 * left. At most bin_count - 1 edges at the quantiles of the sample, equal ones once.
 * Returns how many edges.   sorted: ascending, no NaN.
 */
size_t ax_stats_edges(const double *sorted, size_t count, size_t bin_count, double *out_edges);

/* Rows per part, edge_count + 1 of them, then the missing (NaN): edge_count + 2 counts. */
void ax_stats_histogram(const double *values, size_t count, const double *edges, size_t edge_count,
                        uint64_t *out_counts);

/*
 * What a drift of one characteristic does to the score: sum of (share now - share then) * points.
 * expected, actual as in PSI; points: per bin.   Source: Siddiqi 2006 (characteristic analysis).
 */
ax_status ax_stats_csi(struct ax_ctx *ctx, const uint64_t *expected, const uint64_t *actual,
                       const double *points, size_t bin_count, double *out_shift);

/*
 * Kolmogorov and Smirnov's distance of two samples and its p value: exact while the product of
 * the counts is at most 10^6, else Kolmogorov's limit. Both arrays are sorted in place.
 * Fails: INVALID when a sample is empty or holds a NaN.
 */
ax_status ax_stats_ks(struct ax_ctx *ctx, double *a, size_t a_count, double *b, size_t b_count,
                      struct ax_stats_test *out_test);

/* Whether two rows of counts come from one distribution (homogeneity; empty columns are left out).
 */
ax_status ax_stats_chi2(struct ax_ctx *ctx, const uint64_t *a, const uint64_t *b, size_t bin_count,
                        struct ax_stats_test *out_test);

/* Welch's t: whether two means differ, variances unequal. effect: a - b. p NaN below two rows. */
struct ax_stats_test ax_stats_welch(const struct ax_moments *a, const struct ax_moments *b);

/* ---- proportions ---- */

/* k of n. Wilson's score interval; Jeffreys' is the equal-tailed posterior under Beta(1/2, 1/2). */
ax_estimate ax_stats_wilson(uint64_t k, uint64_t n, double level);
ax_estimate ax_stats_jeffreys(uint64_t k, uint64_t n, double level);

/* p1 - p2, Newcombe's hybrid of two Wilson intervals. Source: Newcombe 1998, method 10. */
ax_estimate ax_stats_difference(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2, double level);

/* p1 / p2 with Katz's interval in the logarithm; insufficient when either count is 0. */
ax_estimate ax_stats_ratio(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2, double level);

/* Whether two proportions differ: pooled z, two-sided. effect: p1 - p2. */
struct ax_stats_test ax_stats_two_proportions(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2);

/* P(rate <= p) under the Jeffreys posterior of k events in n: the one-sided Jeffreys test of a
 * grade whose predicted rate is p (small: the prediction was too low). */
double ax_stats_jeffreys_test(uint64_t k, uint64_t n, double p);

/* P(X >= k) of the binomial with n rows and rate p: the one-sided binomial test of a grade. */
double ax_stats_binomial_test(uint64_t k, uint64_t n, double p);

/* ---- families of tests, ranks, resampling ---- */

/* p values adjusted for being looked at together; out may be p. NaN stays and is not counted. */
ax_status ax_stats_holm(struct ax_ctx *ctx, const double *p, size_t count, double *out_adjusted);
ax_status ax_stats_benjamini_hochberg(struct ax_ctx *ctx, const double *p, size_t count,
                                      double *out_adjusted);

/* Agreement of two rankings, -1 .. 1, ties allowed for (tau-b); NaN when one is all ties. */
double ax_stats_kendall(const double *a, const double *b, size_t count);

/*
 * Percentile interval of any figure by resampling rows with replacement.
 *
 * figure(arg, rows, count): the figure of these rows (indices, some twice); NaN when it has none.
 * seed: recorded by the caller; stream 0xb007 is used. resample_count: 200 or more.
 * out: value is the figure of the rows as they are; insufficient when more than a tenth of the
 * resamples have no figure. Fails: LIMIT.
 */
struct ax_stats_bootstrap {
    size_t row_count;
    uint32_t resample_count;
    uint64_t seed;
    double level;
    double (*figure)(void *arg, const uint32_t *rows, size_t count);
    void *arg;
};
ax_status ax_stats_bootstrap(struct ax_ctx *ctx, const struct ax_stats_bootstrap *bootstrap,
                             ax_estimate *out_estimate);
