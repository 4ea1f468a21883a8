#include "numeric/stats.h"

#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/number.h"
#include "numeric/distribution.h"
#include "numeric/random.h"

enum { KS_EXACT_CELLS_MAX = 1'000'000, BOOTSTRAP_STREAM = 0xb007 };

static const double LEVEL_DEFAULT = 0.95;

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a statistic");
}

ax_estimate
ax_stats_insufficient(uint64_t count)
{
    const double none = (double)NAN;
    return (ax_estimate){.value = none, .low = none, .high = none, .count = count};
}

/* How many standard deviations a two-sided interval of this level reaches. */
static double
reach(double level)
{
    return ax_distribution_normal_quantile(0.5 + (level > 0 ? level : LEVEL_DEFAULT) / 2);
}

/* ---- moments ---- */

void
ax_stats_add(struct ax_moments *moments, double value)
{
    if (isnan(value))
        return;
    const struct ax_moments one = {.count = 1, .mean = value, .min = value, .max = value};
    ax_stats_merge(moments, &one);
}

/* Chan, Golub and LeVeque 1979; the higher moments by Terriberry 2007. */
void
ax_stats_merge(struct ax_moments *into, const struct ax_moments *from)
{
    if (from->count == 0)
        return;
    if (into->count == 0) {
        *into = *from;
        return;
    }
    double na = (double)into->count, nb = (double)from->count, n = na + nb;
    double d = from->mean - into->mean, d2 = d * d;
    struct ax_moments sum = {.count = into->count + from->count};
    sum.mean = into->mean + d * nb / n;
    sum.m2 = into->m2 + from->m2 + d2 * na * nb / n;
    sum.m3 = into->m3 + from->m3 + d * d2 * na * nb * (na - nb) / (n * n) +
             3 * d * (na * from->m2 - nb * into->m2) / n;
    sum.m4 = into->m4 + from->m4 + d2 * d2 * na * nb * (na * na - na * nb + nb * nb) / (n * n * n) +
             6 * d2 * (na * na * from->m2 + nb * nb * into->m2) / (n * n) +
             4 * d * (na * from->m3 - nb * into->m3) / n;
    sum.min = from->min < into->min ? from->min : into->min;
    sum.max = from->max > into->max ? from->max : into->max;
    *into = sum;
}

double
ax_stats_variance(const struct ax_moments *moments)
{
    return moments->count < 2 ? (double)NAN : moments->m2 / (double)(moments->count - 1);
}

double
ax_stats_skewness(const struct ax_moments *moments)
{
    return moments->m2 > 0 ? sqrt((double)moments->count) * moments->m3 / pow(moments->m2, 1.5)
                           : (double)NAN;
}

double
ax_stats_kurtosis(const struct ax_moments *moments)
{
    return moments->m2 > 0 ? (double)moments->count * moments->m4 / (moments->m2 * moments->m2) - 3
                           : (double)NAN;
}

ax_estimate
ax_stats_mean(const struct ax_moments *moments, double level)
{
    if (moments->count < 2)
        return ax_stats_insufficient(moments->count);
    if (level <= 0)
        level = LEVEL_DEFAULT;
    double n = (double)moments->count;
    double half = ax_distribution_student_quantile(0.5 + level / 2, n - 1) *
                  sqrt(ax_stats_variance(moments) / n);
    return (ax_estimate){.value = moments->mean,
                         .low = moments->mean - half,
                         .high = moments->mean + half,
                         .level = level,
                         .count = moments->count,
                         .sufficient = true};
}

double
ax_stats_quantile(const double *sorted, size_t count, double p)
{
    if (count == 0 || !(p >= 0 && p <= 1))
        return (double)NAN;
    double at = p * (double)(count - 1);
    size_t below = (size_t)at;
    if (below + 1 >= count)
        return sorted[count - 1];
    double part = at - (double)below;
    return part == 0 ? sorted[below] : sorted[below] + part * (sorted[below + 1] - sorted[below]);
}

struct ranked {
    double value;
    uint32_t index;
};

static int
compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->value < y->value || (isnan(y->value) && !isnan(x->value)))
        return -1;
    if (x->value > y->value || (isnan(x->value) && !isnan(y->value)))
        return 1;
    return (x->index > y->index) - (x->index < y->index);
}

ax_status
ax_stats_order(struct ax_ctx *ctx, const double *values, size_t count, uint32_t **out_order)
{
    AX_ASSERT(count < UINT32_MAX);
    struct ranked *ranked = AX_NEW_ARRAY(ctx->arena, struct ranked, count + 1);
    uint32_t *order = AX_NEW_ARRAY(ctx->arena, uint32_t, count + 1);
    if (!ranked || !order)
        return no_memory(ctx);
    for (size_t i = 0; i < count; i++)
        ranked[i] = (struct ranked){values[i], (uint32_t)i};
    qsort(ranked, count, sizeof *ranked, compare_ranked);
    for (size_t i = 0; i < count; i++)
        order[i] = ranked[i].index;
    *out_order = order;
    return AX_OK;
}

static int
compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y))
        return isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

void
ax_stats_sort(double *values, size_t count)
{
    if (count > 1)
        qsort(values, count, sizeof *values, compare_doubles);
}

/* ---- how far two samples are apart ---- */

static uint64_t
total(const uint64_t *counts, size_t bin_count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bin_count; i++)
        sum += counts[i];
    return sum;
}

ax_status
ax_stats_psi(struct ax_ctx *ctx, const uint64_t *expected, const uint64_t *actual, size_t bin_count,
             double level, struct ax_stats_psi *out_psi)
{
    double n = (double)total(expected, bin_count), m = (double)total(actual, bin_count);
    if (n == 0 || m == 0)
        return ax_fail(ctx, AX_INVALID, "the %s histogram is empty",
                       n == 0 ? "expected" : "actual");
    double psi = 0;
    size_t used = 0;
    for (size_t i = 0; i < bin_count; i++) {
        if (expected[i] == 0 && actual[i] == 0)
            continue;
        double p = (expected[i] ? (double)expected[i] : 0.5) / n;
        double q = (actual[i] ? (double)actual[i] : 0.5) / m;
        psi += (q - p) * log(q / p);
        used++;
    }
    double quantile = 0;
    if (used > 1)
        quantile =
            ax_distribution_chi2_quantile(level > 0 ? level : LEVEL_DEFAULT, (double)(used - 1));
    *out_psi = (struct ax_stats_psi){.value = psi, .null_quantile = (1 / n + 1 / m) * quantile};
    return AX_OK;
}

size_t
ax_stats_edges(const double *sorted, size_t count, size_t bin_count, double *out_edges)
{
    size_t edge_count = 0;
    for (size_t i = 1; i < bin_count && count > 0; i++) {
        /* An observed value, so that a tie falls on one side whole. */
        double edge = sorted[(size_t)((double)(count - 1) * (double)i / (double)bin_count)];
        bool last = edge >= sorted[count - 1];
        if (!last && (edge_count == 0 || edge > out_edges[edge_count - 1]))
            out_edges[edge_count++] = edge;
    }
    return edge_count;
}

void
ax_stats_histogram(const double *values, size_t count, const double *edges, size_t edge_count,
                   uint64_t *out_counts)
{
    for (size_t i = 0; i < edge_count + 2; i++)
        out_counts[i] = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(values[i])) {
            out_counts[edge_count + 1]++;
            continue;
        }
        size_t low = 0, high = edge_count; /* the first edge that is not below the value */
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (edges[middle] < values[i])
                low = middle + 1;
            else
                high = middle;
        }
        out_counts[low]++;
    }
}

ax_status
ax_stats_csi(struct ax_ctx *ctx, const uint64_t *expected, const uint64_t *actual,
             const double *points, size_t bin_count, double *out_shift)
{
    double n = (double)total(expected, bin_count), m = (double)total(actual, bin_count);
    if (n == 0 || m == 0)
        return ax_fail(ctx, AX_INVALID, "the %s histogram is empty",
                       n == 0 ? "expected" : "actual");
    double shift = 0;
    for (size_t i = 0; i < bin_count; i++)
        shift += ((double)actual[i] / m - (double)expected[i] / n) * points[i];
    *out_shift = shift;
    return AX_OK;
}

/* The largest distance of two sorted samples' distribution functions, in units of 1 / (n m). */
static double
ks_distance(const double *a, size_t n, const double *b, size_t m)
{
    size_t i = 0, j = 0;
    double largest = 0;
    while (i < n && j < m) {
        double at = a[i] < b[j] ? a[i] : b[j];
        while (i < n && a[i] <= at)
            i++;
        while (j < m && b[j] <= at)
            j++;
        double distance = fabs((double)i * (double)m - (double)j * (double)n);
        if (distance > largest)
            largest = distance;
    }
    return largest;
}

/*
 * P(D >= distance / (n m)): a walk over the lattice (i of a's values, j of b's) that draws the rest
 * without replacement; what reaches the boundary is taken out and added up, so that small
 * probabilities keep all their digits. row: m + 1 doubles, zero.
 */
static double
ks_exact(size_t n, size_t m, double distance, double *row)
{
    double outside = 0;
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            double left = (double)(n - i + m - j + 1); /* values not yet drawn, one step back */
            double here = i == 0 && j == 0 ? 1 : 0;
            if (i > 0)
                here += row[j] * (double)(n - i + 1) / left;
            if (j > 0)
                here += row[j - 1] * (double)(m - j + 1) / left;
            if (fabs((double)i * (double)m - (double)j * (double)n) >= distance) {
                outside += here;
                here = 0;
            }
            row[j] = here;
        }
    }
    return outside > 1 ? 1 : outside;
}

ax_status
ax_stats_ks(struct ax_ctx *ctx, double *a, size_t a_count, double *b, size_t b_count,
            struct ax_stats_test *out_test)
{
    if (a_count == 0 || b_count == 0)
        return ax_fail(ctx, AX_INVALID, "a sample of a Kolmogorov-Smirnov test is empty");
    ax_stats_sort(a, a_count);
    ax_stats_sort(b, b_count);
    if (isnan(a[a_count - 1]) || isnan(b[b_count - 1]))
        return ax_fail(ctx, AX_INVALID, "a sample of a Kolmogorov-Smirnov test has missing values");
    double n = (double)a_count, m = (double)b_count;
    double distance = ks_distance(a, a_count, b, b_count);
    struct ax_stats_test test = {.statistic = distance / (n * m),
                                 .effect = distance / (n * m),
                                 .expected_count = a_count,
                                 .actual_count = b_count};
    size_t cells = 0;
    if (ax_mul(a_count, b_count, &cells) && cells <= KS_EXACT_CELLS_MAX) {
        size_t few = a_count < b_count ? a_count : b_count;
        size_t many = a_count < b_count ? b_count : a_count;
        double *row = AX_NEW_ARRAY(ctx->arena, double, many + 1);
        if (!row)
            return no_memory(ctx);
        test.p_value = distance == 0 ? 1 : ks_exact(few, many, distance, row);
    } else {
        double root = sqrt(n * m / (n + m));
        test.p_value = ax_distribution_kolmogorov_above(root * test.statistic);
    }
    *out_test = test;
    return AX_OK;
}

ax_status
ax_stats_chi2(struct ax_ctx *ctx, const uint64_t *a, const uint64_t *b, size_t bin_count,
              struct ax_stats_test *out_test)
{
    uint64_t a_total = total(a, bin_count), b_total = total(b, bin_count);
    if (a_total == 0 || b_total == 0)
        return ax_fail(ctx, AX_INVALID, "a row of a chi-square test is empty");
    double n = (double)a_total, m = (double)b_total;
    double statistic = 0;
    size_t used = 0;
    for (size_t i = 0; i < bin_count; i++) {
        double column = (double)a[i] + (double)b[i];
        if (column == 0)
            continue;
        double ea = column * n / (n + m), eb = column * m / (n + m);
        statistic += ((double)a[i] - ea) * ((double)a[i] - ea) / ea;
        statistic += ((double)b[i] - eb) * ((double)b[i] - eb) / eb;
        used++;
    }
    struct ax_stats_test test = {.statistic = statistic,
                                 .degrees = (double)(used - 1),
                                 .expected_count = a_total,
                                 .actual_count = b_total,
                                 .effect = sqrt(statistic / (n + m))}; /* Cramer's V of 2 rows */
    test.p_value = used < 2 ? 1 : ax_distribution_chi2_above(statistic, test.degrees);
    *out_test = test;
    return AX_OK;
}

struct ax_stats_test
ax_stats_welch(const struct ax_moments *a, const struct ax_moments *b)
{
    struct ax_stats_test test = {.effect = a->mean - b->mean,
                                 .statistic = (double)NAN,
                                 .p_value = (double)NAN,
                                 .expected_count = a->count,
                                 .actual_count = b->count};
    if (a->count < 2 || b->count < 2)
        return test;
    double va = ax_stats_variance(a) / (double)a->count;
    double vb = ax_stats_variance(b) / (double)b->count;
    if (va + vb == 0) { /* two constants: equal for certain, or different for certain */
        test.statistic = test.effect == 0 ? 0 : copysign((double)INFINITY, test.effect);
        test.p_value = test.effect == 0 ? 1 : 0;
        return test;
    }
    test.statistic = test.effect / sqrt(va + vb);
    test.degrees = (va + vb) * (va + vb) /
                   (va * va / (double)(a->count - 1) + vb * vb / (double)(b->count - 1));
    test.p_value = ax_distribution_student_both(test.statistic, test.degrees);
    return test;
}

/* ---- proportions ---- */

ax_estimate
ax_stats_wilson(uint64_t k, uint64_t n, double level)
{
    AX_ASSERT(k <= n);
    if (n == 0)
        return ax_stats_insufficient(0);
    double z = reach(level), rows = (double)n, p = (double)k / rows;
    double scale = 1 + z * z / rows;
    double middle = (p + z * z / (2 * rows)) / scale;
    double half = z * sqrt(p * (1 - p) / rows + z * z / (4 * rows * rows)) / scale;
    return (ax_estimate){.value = p,
                         .low = k == 0 ? 0 : middle - half,
                         .high = k == n ? 1 : middle + half,
                         .level = level > 0 ? level : LEVEL_DEFAULT,
                         .count = n,
                         .sufficient = true};
}

ax_estimate
ax_stats_jeffreys(uint64_t k, uint64_t n, double level)
{
    AX_ASSERT(k <= n);
    if (n == 0)
        return ax_stats_insufficient(0);
    if (level <= 0)
        level = LEVEL_DEFAULT;
    double a = (double)k + 0.5, b = (double)(n - k) + 0.5;
    return (ax_estimate){.value = (double)k / (double)n,
                         .low = k == 0 ? 0 : ax_distribution_beta_quantile((1 - level) / 2, a, b),
                         .high = k == n ? 1 : ax_distribution_beta_quantile((1 + level) / 2, a, b),
                         .level = level,
                         .count = n,
                         .sufficient = true};
}

ax_estimate
ax_stats_difference(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2, double level)
{
    if (n1 == 0 || n2 == 0)
        return ax_stats_insufficient(n1 + n2);
    ax_estimate a = ax_stats_wilson(k1, n1, level), b = ax_stats_wilson(k2, n2, level);
    double difference = a.value - b.value;
    return (ax_estimate){.value = difference,
                         .low = difference - hypot(a.value - a.low, b.high - b.value),
                         .high = difference + hypot(a.high - a.value, b.value - b.low),
                         .level = a.level,
                         .count = n1 + n2,
                         .sufficient = true};
}

ax_estimate
ax_stats_ratio(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2, double level)
{
    AX_ASSERT(k1 <= n1 && k2 <= n2);
    if (k1 == 0 || k2 == 0)
        return ax_stats_insufficient(n1 + n2);
    double ratio = ((double)k1 / (double)n1) / ((double)k2 / (double)n2);
    double error = sqrt(1 / (double)k1 - 1 / (double)n1 + 1 / (double)k2 - 1 / (double)n2);
    double factor = exp(reach(level) * error);
    return (ax_estimate){.value = ratio,
                         .low = ratio / factor,
                         .high = ratio * factor,
                         .level = level > 0 ? level : LEVEL_DEFAULT,
                         .count = n1 + n2,
                         .sufficient = true};
}

struct ax_stats_test
ax_stats_two_proportions(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2)
{
    struct ax_stats_test test = {.statistic = (double)NAN,
                                 .p_value = (double)NAN,
                                 .effect = (double)NAN,
                                 .expected_count = n1,
                                 .actual_count = n2};
    if (n1 == 0 || n2 == 0)
        return test;
    double a = (double)n1, b = (double)n2;
    double pooled = (double)(k1 + k2) / (a + b);
    double error = sqrt(pooled * (1 - pooled) * (1 / a + 1 / b));
    test.effect = (double)k1 / a - (double)k2 / b;
    test.statistic = error == 0 ? 0 : test.effect / error;
    test.p_value = 2 * ax_distribution_normal_above(fabs(test.statistic));
    return test;
}

double
ax_stats_jeffreys_test(uint64_t k, uint64_t n, double p)
{
    AX_ASSERT(k <= n);
    return ax_distribution_beta(p, (double)k + 0.5, (double)(n - k) + 0.5);
}

double
ax_stats_binomial_test(uint64_t k, uint64_t n, double p)
{
    AX_ASSERT(k <= n);
    if (k == 0)
        return p >= 0 && p <= 1 ? 1 : (double)NAN;
    return ax_distribution_beta(p, (double)k, (double)(n - k) + 1);
}

/* ---- families of tests, ranks, resampling ---- */

/* The p values that are numbers come first, ascending: the first *out_count of the order. */
static ax_status
order_p_values(struct ax_ctx *ctx, const double *p, size_t count, uint32_t **out_order,
               size_t *out_count)
{
    AX_TRY(ax_stats_order(ctx, p, count, out_order));
    size_t used = 0;
    while (used < count && !isnan(p[(*out_order)[used]]))
        used++;
    *out_count = used;
    return AX_OK;
}

ax_status
ax_stats_holm(struct ax_ctx *ctx, const double *p, size_t count, double *out_adjusted)
{
    uint32_t *order = NULL;
    size_t used = 0;
    AX_TRY(order_p_values(ctx, p, count, &order, &used));
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        if (i >= used) {
            out_adjusted[order[i]] = (double)NAN;
            continue;
        }
        double adjusted = p[order[i]] * (double)(used - i);
        largest = adjusted > largest ? adjusted : largest;
        out_adjusted[order[i]] = largest > 1 ? 1 : largest;
    }
    return AX_OK;
}

ax_status
ax_stats_benjamini_hochberg(struct ax_ctx *ctx, const double *p, size_t count, double *out_adjusted)
{
    uint32_t *order = NULL;
    size_t used = 0;
    AX_TRY(order_p_values(ctx, p, count, &order, &used));
    double smallest = 1;
    for (size_t i = count; i > 0; i--) {
        if (i > used) {
            out_adjusted[order[i - 1]] = (double)NAN;
            continue;
        }
        double adjusted = p[order[i - 1]] * (double)used / (double)i;
        smallest = adjusted < smallest ? adjusted : smallest;
        out_adjusted[order[i - 1]] = smallest;
    }
    return AX_OK;
}

double
ax_stats_kendall(const double *a, const double *b, size_t count)
{
    double agree = 0, a_pairs = 0, b_pairs = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            int x = (a[i] > a[j]) - (a[i] < a[j]);
            int y = (b[i] > b[j]) - (b[i] < b[j]);
            agree += x * y;
            a_pairs += x != 0;
            b_pairs += y != 0;
        }
    }
    return a_pairs > 0 && b_pairs > 0 ? agree / sqrt(a_pairs * b_pairs) : (double)NAN;
}

ax_status
ax_stats_bootstrap(struct ax_ctx *ctx, const struct ax_stats_bootstrap *bootstrap,
                   ax_estimate *out_estimate)
{
    size_t row_count = bootstrap->row_count;
    uint32_t resamples = bootstrap->resample_count;
    AX_ASSERT(row_count <= UINT32_MAX && resamples > 0);
    double level = bootstrap->level > 0 ? bootstrap->level : LEVEL_DEFAULT;
    uint32_t *rows = AX_NEW_ARRAY(ctx->arena, uint32_t, row_count + 1);
    double *figures = AX_NEW_ARRAY(ctx->arena, double, resamples);
    if (!rows || !figures)
        return no_memory(ctx);
    if (row_count == 0) {
        *out_estimate = ax_stats_insufficient(0);
        return AX_OK;
    }
    for (size_t i = 0; i < row_count; i++)
        rows[i] = (uint32_t)i;
    ax_estimate estimate = ax_stats_insufficient(row_count);
    estimate.value = bootstrap->figure(bootstrap->arg, rows, row_count);
    struct ax_random random = ax_random_of(bootstrap->seed, BOOTSTRAP_STREAM);
    size_t used = 0;
    for (uint32_t r = 0; r < resamples; r++) {
        for (size_t i = 0; i < row_count; i++)
            rows[i] = (uint32_t)ax_random_below(&random, row_count);
        double figure = bootstrap->figure(bootstrap->arg, rows, row_count);
        if (!isnan(figure))
            figures[used++] = figure;
    }
    if (!isnan(estimate.value) && used >= resamples - resamples / 10) {
        ax_stats_sort(figures, used);
        estimate.low = ax_stats_quantile(figures, used, (1 - level) / 2);
        estimate.high = ax_stats_quantile(figures, used, (1 + level) / 2);
        estimate.level = level;
        estimate.sufficient = true;
    }
    *out_estimate = estimate;
    return AX_OK;
}
