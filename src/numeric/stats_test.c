#include "numeric/stats.h"

#include <math.h>
#include <stdlib.h>

#include "base/number.h"
#include "harness.h"
#include "numeric/random.h"

#define CHECK_NEAR(got, want, tolerance) check_near(__LINE__, #got, got, want, tolerance)

static void
check_near(int line, const char *what, double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance * fmax(1, fabs(want))))
        ax_test_failed(__FILE__, line, "%s is %.17g, not %.17g", what, got, want);
}

TEST(stats_moments_are_those_of_two_passes_however_they_are_merged)
{
    enum { ROWS = 1'000 };
    double values[ROWS];
    struct ax_random random = ax_random_of(1, 0);
    double sum = 0;
    for (int i = 0; i < ROWS; i++) {
        values[i] = 1e6 + exp(ax_random_normal(&random));
        sum += values[i];
    }
    double mean = sum / ROWS, m2 = 0, m3 = 0, m4 = 0;
    for (int i = 0; i < ROWS; i++) {
        double d = values[i] - mean;
        m2 += d * d;
        m3 += d * d * d;
        m4 += d * d * d * d;
    }
    static const int cuts[] = {0, 1, 17, 500, 999};
    for (size_t c = 0; c < AX_COUNT_OF(cuts); c++) {
        struct ax_moments parts[2] = {};
        for (int i = 0; i < ROWS; i++) {
            ax_stats_add(&parts[i >= cuts[c]], values[i]);
            ax_stats_add(&parts[0], (double)NAN);
        }
        ax_stats_merge(&parts[0], &parts[1]);
        CHECK_EQ(parts[0].count, ROWS);
        CHECK_NEAR(parts[0].mean, mean, 1e-14);
        CHECK_NEAR(ax_stats_variance(&parts[0]), m2 / (ROWS - 1), 1e-9);
        CHECK_NEAR(ax_stats_skewness(&parts[0]), sqrt((double)ROWS) * m3 / pow(m2, 1.5), 1e-8);
        CHECK_NEAR(ax_stats_kurtosis(&parts[0]), ROWS * m4 / (m2 * m2) - 3, 1e-8);
    }
}

TEST(stats_mean_has_students_interval)
{
    struct ax_moments moments = {};
    for (int i = 1; i <= 11; i++)
        ax_stats_add(&moments, i);
    ax_estimate mean = ax_stats_mean(&moments, 0.95);
    CHECK_NEAR(mean.value, 6, 1e-15);
    CHECK_NEAR(mean.high - mean.value, 2.2281388519649385, 1e-11); /* sd / sqrt(n) is 1 */
    CHECK(mean.sufficient);
    struct ax_moments one = {};
    ax_stats_add(&one, 1);
    CHECK(!ax_stats_mean(&one, 0.95).sufficient);
}

TEST(stats_quantiles_are_numpys)
{
    static const double values[] = {1, 2, 3, 4, 10};
    CHECK_NEAR(ax_stats_quantile(values, 5, 0), 1, 0);
    CHECK_NEAR(ax_stats_quantile(values, 5, 0.25), 2, 0);
    CHECK_NEAR(ax_stats_quantile(values, 5, 0.9), 7.6, 1e-15);
    CHECK_NEAR(ax_stats_quantile(values, 5, 1), 10, 0);
    CHECK(isnan(ax_stats_quantile(values, 0, 0.5)));
}

static void
order_body(struct ax_ctx *ctx)
{
    const double values[] = {3, (double)NAN, 1, 3, -1, (double)NAN, 1};
    static const uint32_t want[] = {4, 2, 6, 0, 3, 1, 5};
    uint32_t *order = NULL;
    CHECK_EQ(ax_stats_order(ctx, values, 7, &order), AX_OK);
    for (size_t i = 0; i < 7; i++)
        CHECK_EQ(order[i], want[i]);
    double sorted[] = {2, (double)NAN, 1};
    ax_stats_sort(sorted, 3);
    CHECK(sorted[0] == 1 && sorted[1] == 2 && isnan(sorted[2]));
}

TEST(stats_order_puts_ties_by_index_and_nan_last)
{
    ax_test_with_ctx(order_body);
}

static void
psi_body(struct ax_ctx *ctx)
{
    static const uint64_t expected[] = {100, 200, 300, 400}, actual[] = {20, 20, 30, 30};
    struct ax_stats_psi psi = {};
    CHECK_EQ(ax_stats_psi(ctx, expected, actual, 4, 0.95, &psi), AX_OK);
    double want = 0.1 * log(2.0) + 0 + 0 + -0.1 * log(0.75);
    CHECK_NEAR(psi.value, want, 1e-14);
    CHECK_NEAR(psi.null_quantile, (1.0 / 1000 + 1.0 / 100) * 7.814727903251178, 1e-11);
    static const uint64_t gone[] = {0, 0, 50, 50, 0}, base[] = {10, 40, 25, 25, 0};
    CHECK_EQ(ax_stats_psi(ctx, base, gone, 5, 0, &psi), AX_OK);
    want =
        (0.005 - 0.1) * log(0.005 / 0.1) + (0.005 - 0.4) * log(0.005 / 0.4) + 2 * 0.25 * log(2.0);
    CHECK_NEAR(psi.value, want, 1e-14);
    static const uint64_t empty[] = {0, 0, 0, 0};
    CHECK_EQ(ax_stats_psi(ctx, empty, actual, 4, 0, &psi), AX_INVALID);
    CHECK(strstr(ctx->error, "expected"));

    static const double points[] = {10, 20, 30, 40};
    double shift = 0;
    CHECK_EQ(ax_stats_csi(ctx, expected, actual, points, 4, &shift), AX_OK);
    CHECK_NEAR(shift, 0.1 * 10 - 0.1 * 40, 1e-14);
}

TEST(stats_psi_and_csi_are_their_sums)
{
    ax_test_with_ctx(psi_body);
}

/* When nothing has changed, PSI passes its null quantile about as often as it says. */
static void
psi_null_body(struct ax_ctx *ctx)
{
    enum { TRIALS = 400, BINS = 10 };
    struct ax_random random = ax_random_of(20261124, 0);
    int above = 0;
    for (int t = 0; t < TRIALS; t++) {
        uint64_t a[BINS] = {}, b[BINS] = {};
        for (int i = 0; i < 2'000; i++)
            a[ax_random_below(&random, BINS)]++;
        for (int i = 0; i < 500; i++)
            b[ax_random_below(&random, BINS)]++;
        struct ax_stats_psi psi = {};
        CHECK_EQ(ax_stats_psi(ctx, a, b, BINS, 0.95, &psi), AX_OK);
        above += psi.value > psi.null_quantile;
    }
    CHECK(above >= 8 && above <= 34); /* 20 expected; four standard deviations */
}

TEST(stats_psi_null_quantile_holds_under_no_change_R32)
{
    ax_test_with_ctx(psi_null_body);
}

TEST(stats_histograms_cut_at_observed_values)
{
    static const double sorted[] = {1, 1, 1, 2, 2, 3, 4, 5, 6, 6};
    double edges[9];
    size_t edge_count = ax_stats_edges(sorted, 10, 4, edges);
    CHECK_EQ(edge_count, 3);
    CHECK(edges[0] == 1 && edges[1] == 2 && edges[2] == 4);
    const double values[] = {1, 1.5, 2, 7, (double)NAN, -5, 4, 4.1};
    uint64_t counts[5];
    ax_stats_histogram(values, 8, edges, edge_count, counts);
    static const uint64_t want[] = {2, 2, 1, 2, 1};
    for (int i = 0; i < 5; i++)
        CHECK_EQ(counts[i], want[i]);
    static const double same[] = {7, 7, 7};
    CHECK_EQ(ax_stats_edges(same, 3, 10, edges), 0);
}

/* Every way to give 4 of 8 ranks to the first sample, as often as D is at least as large. */
static double
ks_by_enumeration(double want_d)
{
    int all = 0, outside = 0;
    for (unsigned set = 0; set < 256; set++) {
        if (__builtin_popcount(set) != 4)
            continue;
        double largest = 0;
        double a = 0, b = 0;
        for (int i = 0; i < 8; i++) {
            *(set >> i & 1 ? &a : &b) += 0.25;
            largest = fmax(largest, fabs(a - b));
        }
        all++;
        outside += largest >= want_d - 1e-12;
    }
    return (double)outside / all;
}

static void
ks_body(struct ax_ctx *ctx)
{
    static const double samples[][8] = {
        {1, 2, 3, 4, 5, 6, 7, 8},
        {1, 3, 5, 7, 2, 4, 6, 8},
        {1, 2, 5, 6, 3, 4, 7, 8},
        {1, 2, 3, 8, 4, 5, 6, 7},
    };
    for (size_t i = 0; i < AX_COUNT_OF(samples); i++) {
        double a[4], b[4];
        memcpy(a, samples[i], sizeof a);
        memcpy(b, samples[i] + 4, sizeof b);
        struct ax_stats_test test;
        CHECK_EQ(ax_stats_ks(ctx, a, 4, b, 4, &test), AX_OK);
        CHECK_NEAR(test.p_value, ks_by_enumeration(test.statistic), 1e-14);
    }
    double a[] = {1}, b[] = {(double)NAN};
    struct ax_stats_test test;
    CHECK_EQ(ax_stats_ks(ctx, a, 1, b, 1, &test), AX_INVALID);
    CHECK_EQ(ax_stats_ks(ctx, a, 0, b, 1, &test), AX_INVALID);
}

TEST(stats_ks_is_exact)
{
    ax_test_with_ctx(ks_body);
}

static ax_str
next_word(ax_str *rest)
{
    ax_str word = {};
    while (ax_str_cut(rest, ' ', &word) && word.len == 0)
        ;
    return word;
}

static bool
read_numbers(FILE *file, double *out, size_t count)
{
    static char line[64 << 10];
    if (!fgets(line, sizeof line, file))
        return false;
    ax_str rest = ax_str_trim(ax_str_of(line));
    for (size_t i = 0; i < count; i++) {
        if (!ax_parse_f64(next_word(&rest), &out[i]))
            return false;
    }
    return rest.at == NULL;
}

static void
ks_golden_body(struct ax_ctx *ctx)
{
    FILE *file = fopen("tests/golden/ks_scipy.txt", "r");
    CHECK(file);
    char line[256];
    int cases = 0;
    while (file && fgets(line, sizeof line, file)) {
        if (line[0] == '#')
            continue;
        ax_str rest = ax_str_trim(ax_str_of(line)), name = next_word(&rest);
        uint64_t n = 0, m = 0;
        double p = 0;
        double a[300], b[300];
        CHECK(ax_parse_u64(next_word(&rest), &n) && ax_parse_u64(next_word(&rest), &m) &&
              ax_parse_f64(next_word(&rest), &p) && n <= 300 && m <= 300);
        CHECK(read_numbers(file, a, n) && read_numbers(file, b, m));
        struct ax_stats_test test;
        CHECK_EQ(ax_stats_ks(ctx, a, n, b, m, &test), AX_OK);
        if (!(fabs(test.p_value - p) <= 1e-9 * p))
            ax_test_failed(__FILE__, __LINE__, "%.*s: p is %.17g, not %.17g", AX_FMT(name),
                           test.p_value, p);
        cases++;
    }
    if (file)
        fclose(file);
    CHECK_EQ(cases, 5);
}

TEST(stats_ks_agrees_with_scipy_down_to_1e_71)
{
    ax_test_with_ctx(ks_golden_body);
}

static void
ks_limit_body(struct ax_ctx *ctx)
{
    enum { ROWS = 1'200 };
    static double a[ROWS], b[ROWS];
    struct ax_random random = ax_random_of(5, 0);
    for (int i = 0; i < ROWS; i++) {
        a[i] = ax_random_unit(&random);
        b[i] = ax_random_unit(&random) + 0.03;
    }
    struct ax_stats_test exact, limit;
    CHECK_EQ(ax_stats_ks(ctx, a, 800, b, ROWS, &exact), AX_OK);
    CHECK_EQ(ax_stats_ks(ctx, a, ROWS, b, ROWS, &limit), AX_OK); /* past the exact limit */
    CHECK(exact.p_value > 0 && exact.p_value < 1 && limit.p_value > 0 && limit.p_value < 1);
    CHECK(limit.statistic > 0.02 && limit.statistic < 0.12);
}

TEST(stats_ks_of_large_samples_uses_the_limit)
{
    ax_test_with_ctx(ks_limit_body);
}

static void
chi2_body(struct ax_ctx *ctx)
{
    static const struct {
        uint64_t a[4], b[4];
        double statistic, p;
    } cases[] = {
        /* scipy's chi2_contingency by way of alibi-detect's ChiSquareDrift */
        {{62, 65, 73, 0}, {42, 41, 40, 27}, 39.58222579956055, 1.3064781256844071e-08},
        {{66, 64, 70, 0}, {32, 38, 34, 46}, 71.19500732421875, 2.3677795953704365e-15},
    };
    struct ax_stats_test test;
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(ax_stats_chi2(ctx, cases[i].a, cases[i].b, 4, &test), AX_OK);
        CHECK_NEAR(test.statistic, cases[i].statistic, 1e-6);
        CHECK(fabs(test.p_value / cases[i].p - 1) < 1e-5);
        CHECK(test.degrees == 3);
    }
    static const uint64_t none[] = {0, 0}, some[] = {0, 5};
    CHECK_EQ(ax_stats_chi2(ctx, none, some, 2, &test), AX_INVALID);
    CHECK_EQ(ax_stats_chi2(ctx, some, some, 2, &test), AX_OK); /* one category: no evidence */
    CHECK(test.p_value == 1);
}

TEST(stats_chi2_agrees_with_scipy)
{
    ax_test_with_ctx(chi2_body);
}

TEST(stats_welch_is_students_t_with_its_own_degrees)
{
    /* Welch 1947 by way of R: t.test(extra ~ group, sleep): t -1.8608, df 17.776, p 0.07939 */
    static const double one[] = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
    static const double two[] = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
    struct ax_moments a = {}, b = {}, constant = {}, other = {};
    for (int i = 0; i < 10; i++) {
        ax_stats_add(&a, one[i]);
        ax_stats_add(&b, two[i]);
        ax_stats_add(&constant, 1);
        ax_stats_add(&other, 2);
    }
    struct ax_stats_test test = ax_stats_welch(&a, &b);
    CHECK_NEAR(test.statistic, -1.8608, 1e-4);
    CHECK_NEAR(test.degrees, 17.776, 1e-3);
    CHECK_NEAR(test.p_value, 0.07939, 1e-5);
    CHECK_NEAR(test.effect, -1.58, 1e-12);
    CHECK(ax_stats_welch(&constant, &constant).p_value == 1);
    CHECK(ax_stats_welch(&constant, &other).p_value == 0);
    const struct ax_moments few = {.count = 1};
    CHECK(isnan(ax_stats_welch(&few, &a).p_value));
}

TEST(stats_intervals_of_proportions_are_the_published_ones)
{
    ax_estimate wilson = ax_stats_wilson(8, 10, 0.95);
    CHECK_NEAR(wilson.low, 0.49016247153664774, 1e-7);
    CHECK_NEAR(wilson.high, 0.9433178485456247, 1e-7);
    /* Newcombe 1998a, table of examples: 81 of 263, 15 of 148, 0 of 20, 1 of 29 */
    static const struct {
        uint64_t k, n;
        double low, high;
    } wilsons[] = {{81, 263, 0.2553, 0.3662},
                   {15, 148, 0.0624, 0.1605},
                   {0, 20, 0.0000, 0.1611},
                   {1, 29, 0.0061, 0.1718}};
    for (size_t i = 0; i < AX_COUNT_OF(wilsons); i++) {
        ax_estimate got = ax_stats_wilson(wilsons[i].k, wilsons[i].n, 0.95);
        CHECK(fabs(got.low - wilsons[i].low) < 6e-5 && fabs(got.high - wilsons[i].high) < 6e-5);
    }
    /* Newcombe 1998b, method 10 */
    static const struct {
        uint64_t k1, n1, k2, n2;
        double low, high;
    } differences[] = {{56, 70, 48, 80, 0.0524, 0.3339},
                       {9, 10, 3, 10, 0.1705, 0.8090},
                       {10, 10, 0, 10, 0.6075, 1.0000},
                       {0, 20, 0, 10, -0.2775, 0.1611}};
    for (size_t i = 0; i < AX_COUNT_OF(differences); i++) {
        ax_estimate got = ax_stats_difference(differences[i].k1, differences[i].n1,
                                              differences[i].k2, differences[i].n2, 0.95);
        CHECK(fabs(got.low - differences[i].low) < 6e-5);
        CHECK(fabs(got.high - differences[i].high) < 6e-5);
    }
    ax_estimate jeffreys = ax_stats_jeffreys(0, 20, 0.95);
    CHECK(jeffreys.low == 0);
    CHECK(fabs(jeffreys.high - 0.117) < 5e-4); /* Brown, Cai and DasGupta 2001, table 5 */
    CHECK(!ax_stats_wilson(0, 0, 0.95).sufficient);
    CHECK(!ax_stats_jeffreys(0, 0, 0.95).sufficient);
    CHECK(!ax_stats_difference(0, 0, 1, 2, 0.95).sufficient);
}

TEST(stats_ratio_and_two_proportions_are_their_formulas)
{
    ax_estimate ratio = ax_stats_ratio(30, 100, 40, 80, 0.95);
    CHECK_NEAR(ratio.value, 0.6, 1e-14);
    double error = sqrt(1.0 / 30 - 1.0 / 100 + 1.0 / 40 - 1.0 / 80);
    CHECK_NEAR(log(ratio.high / ratio.low), 2 * 1.959963984540054 * error, 1e-12);
    CHECK(!ax_stats_ratio(0, 10, 3, 10, 0.95).sufficient);
    struct ax_stats_test test = ax_stats_two_proportions(30, 100, 40, 80);
    double pooled = 70.0 / 180;
    CHECK_NEAR(test.statistic, -0.2 / sqrt(pooled * (1 - pooled) * (1.0 / 100 + 1.0 / 80)), 1e-13);
    CHECK_NEAR(test.p_value, erfc(-test.statistic * M_SQRT1_2), 1e-13);
    CHECK(ax_stats_two_proportions(0, 10, 0, 20).p_value == 1);
    CHECK(isnan(ax_stats_two_proportions(0, 0, 0, 20).p_value));
}

TEST(stats_tests_of_a_grade_R28)
{
    /* P(X >= 3 | 10, 0.1) by hand: 1 - .9^10 - 10 .1 .9^9 - 45 .01 .9^8 */
    double want = 1 - pow(.9, 10) - pow(.9, 9) - .45 * pow(.9, 8);
    CHECK_NEAR(ax_stats_binomial_test(3, 10, 0.1), want, 1e-13);
    CHECK(ax_stats_binomial_test(0, 10, 0.1) == 1);
    double low = ax_stats_jeffreys_test(20, 100, 0.1), high = ax_stats_jeffreys_test(20, 100, 0.4);
    CHECK(low < 0.01 && high > 0.99);
    ax_estimate interval = ax_stats_jeffreys(20, 100, 0.9);
    CHECK_NEAR(ax_stats_jeffreys_test(20, 100, interval.low), 0.05, 1e-9);
}

static void
families_body(struct ax_ctx *ctx)
{
    const double p[] = {0.03, 0.01, (double)NAN, 0.05, 0.02, 0.04};
    static const double holm[] = {0.09, 0.05, 0, 0.09, 0.08, 0.09}; /* R: p.adjust */
    double adjusted[6];
    CHECK_EQ(ax_stats_holm(ctx, p, 6, adjusted), AX_OK);
    for (int i = 0; i < 6; i++) {
        if (i == 2)
            CHECK(isnan(adjusted[i]));
        else
            CHECK_NEAR(adjusted[i], holm[i], 1e-15);
    }
    CHECK_EQ(ax_stats_benjamini_hochberg(ctx, p, 6, adjusted), AX_OK);
    for (int i = 0; i < 6; i++)
        CHECK(i == 2 ? isnan(adjusted[i]) : fabs(adjusted[i] - 0.05) < 1e-15);
    /* Benjamini and Hochberg 1995, their example: four are rejected at 0.05, Holm gives three. */
    static const double paper[] = {0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                                   0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000};
    double of_paper[15];
    int rejected = 0, rejected_by_holm = 0;
    CHECK_EQ(ax_stats_benjamini_hochberg(ctx, paper, 15, of_paper), AX_OK);
    for (int i = 0; i < 15; i++)
        rejected += of_paper[i] <= 0.05;
    CHECK_EQ(ax_stats_holm(ctx, paper, 15, of_paper), AX_OK);
    for (int i = 0; i < 15; i++)
        rejected_by_holm += of_paper[i] <= 0.05;
    CHECK_EQ(rejected, 4);
    CHECK_EQ(rejected_by_holm, 3);
}

TEST(stats_families_of_tests_are_corrected_R35)
{
    ax_test_with_ctx(families_body);
}

TEST(stats_kendall_is_scipys)
{
    static const double a[] = {12, 2, 1, 12, 2}, b[] = {1, 4, 7, 1, 0};
    CHECK_NEAR(ax_stats_kendall(a, b, 5), -0.47140452079103173, 1e-15);
    CHECK_NEAR(ax_stats_kendall(a, a, 5), 1, 1e-15);
    static const double flat[] = {1, 1, 1, 1, 1};
    CHECK(isnan(ax_stats_kendall(a, flat, 5)));
}

static double
mean_of_rows(void *arg, const uint32_t *rows, size_t count)
{
    const double *values = arg;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[rows[i]];
    return sum / (double)count;
}

static double
no_figure(void *arg, const uint32_t *rows, size_t count)
{
    (void)arg;
    (void)rows;
    (void)count;
    return (double)NAN;
}

static void
bootstrap_body(struct ax_ctx *ctx)
{
    enum { ROWS = 200 };
    static double values[ROWS];
    struct ax_random random = ax_random_of(9, 0);
    struct ax_moments moments = {};
    for (int i = 0; i < ROWS; i++) {
        values[i] = ax_random_normal(&random);
        ax_stats_add(&moments, values[i]);
    }
    struct ax_stats_bootstrap bootstrap = {.row_count = ROWS,
                                           .resample_count = 2'000,
                                           .seed = 11,
                                           .level = 0.95,
                                           .figure = mean_of_rows,
                                           .arg = values};
    ax_estimate first, again;
    CHECK_EQ(ax_stats_bootstrap(ctx, &bootstrap, &first), AX_OK);
    CHECK_EQ(ax_stats_bootstrap(ctx, &bootstrap, &again), AX_OK);
    CHECK(first.low == again.low && first.high == again.high && first.sufficient);
    ax_estimate student = ax_stats_mean(&moments, 0.95);
    CHECK_NEAR(first.value, student.value, 1e-12);
    CHECK(fabs(first.low - student.low) < 0.02 && fabs(first.high - student.high) < 0.02);
    bootstrap.seed = 12;
    CHECK_EQ(ax_stats_bootstrap(ctx, &bootstrap, &again), AX_OK);
    CHECK(again.low != first.low);
    bootstrap.figure = no_figure;
    CHECK_EQ(ax_stats_bootstrap(ctx, &bootstrap, &again), AX_OK);
    CHECK(!again.sufficient);
    bootstrap.row_count = 0;
    CHECK_EQ(ax_stats_bootstrap(ctx, &bootstrap, &again), AX_OK);
    CHECK(!again.sufficient);
}

TEST(stats_bootstrap_repeats_with_its_seed)
{
    ax_test_with_ctx(bootstrap_body);
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    double a[] = {1, 2, 3}, b[] = {2, 3, 4}, adjusted[3];
    struct ax_stats_test test;
    AX_TRY(ax_stats_ks(ctx, a, 3, b, 3, &test));
    AX_TRY(ax_stats_holm(ctx, a, 3, adjusted));
    const struct ax_stats_bootstrap bootstrap = {
        .row_count = 3, .resample_count = 5, .figure = mean_of_rows, .arg = a};
    ax_estimate estimate;
    return ax_stats_bootstrap(ctx, &bootstrap, &estimate);
}

TEST(stats_notice_every_shortage_of_memory)
{
    FAULT_SWEEP(sweep_body);
}
