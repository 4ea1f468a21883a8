#include "numeric/distribution.h"

#include <math.h>

#include "harness.h"

static bool
near(double got, double want, double relative)
{
    return got == want || fabs(got - want) <= relative * fabs(want);
}

static void
check_table(const char *name, double got, double want)
{
    if (!near(got, want, 1e-11))
        ax_test_failed(__FILE__, __LINE__, "%s is %.17g, not %.17g", name, got, want);
}

/* Values of scipy.stats, which agree with R's. */
TEST(distribution_tables_are_met)
{
    const struct {
        const char *name;
        double got, want;
    } cases[] = {
        {"norm.ppf(.975)", ax_distribution_normal_quantile(0.975), 1.959963984540054},
        {"norm.ppf(.995)", ax_distribution_normal_quantile(0.995), 2.5758293035489004},
        {"norm.ppf(1e-10)", ax_distribution_normal_quantile(1e-10), -6.361340902404056},
        {"norm.cdf(1)", ax_distribution_normal(1), 0.8413447460685429},
        {"norm.sf(6)", ax_distribution_normal_above(6), 9.865876450376946e-10},
        {"chi2.ppf(.95,1)", ax_distribution_chi2_quantile(0.95, 1), 3.841458820694124},
        {"chi2.ppf(.95,10)", ax_distribution_chi2_quantile(0.95, 10), 18.307038053275146},
        {"chi2.ppf(.95,2)", ax_distribution_chi2_quantile(0.95, 2), -2 * log(0.05)},
        {"chi2.sf(9,2)", ax_distribution_chi2_above(9, 2), exp(-4.5)},
        {"chi2.sf(1,4)", ax_distribution_chi2_above(1, 4), exp(-0.5) * 1.5},
        {"chi2.sf(40,4)", ax_distribution_chi2_above(40, 4), exp(-20.0) * 21},
        {"t.ppf(.975,1)", ax_distribution_student_quantile(0.975, 1), tan(0.475 * M_PI)},
        {"t.ppf(.975,10)", ax_distribution_student_quantile(0.975, 10), 2.2281388519649385},
        {"t.ppf(.025,30)", ax_distribution_student_quantile(0.025, 30), -2.0422724563012373},
        {"2 t.sf(1,1)", ax_distribution_student_both(1, 1), 0.5},
        {"2 t.sf(-1,1)", ax_distribution_student_both(-1, 1), 0.5},
        {"beta.cdf(.3,2,3)", ax_distribution_beta(0.3, 2, 3), 0.3483},
        {"beta.cdf(.9,2,3)", ax_distribution_beta(0.9, 2, 3), 6 * .81 - 8 * .729 + 3 * .6561},
        {"beta.ppf(I,2,3)", ax_distribution_beta_quantile(0.3483, 2, 3), 0.3},
        {"beta.cdf(.25,.5,.5)", ax_distribution_beta(0.25, 0.5, 0.5), 1.0 / 3},
        {"binom.cdf(3,10,.5)", ax_distribution_binomial(3, 10, 0.5), 176.0 / 1024},
        {"binom.cdf(0,10,.1)", ax_distribution_binomial(0, 10, 0.1), 0.3486784401},
        {"kstwobign.sf(.5)", ax_distribution_kolmogorov_above(0.5), 0.9639452436648751},
        {"kstwobign.sf(1)", ax_distribution_kolmogorov_above(1), 0.26999967167735456},
        {"kstwobign.sf(1.36)", ax_distribution_kolmogorov_above(1.3580986393225507), 0.05},
        {"kstwobign.sf(3)", ax_distribution_kolmogorov_above(3), 2 * exp(-18.0)},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        check_table(cases[i].name, cases[i].got, cases[i].want);
}

TEST(distribution_quantiles_invert_their_tails)
{
    static const double shapes[] = {0.5, 1, 2.5, 7, 40, 600};
    static const double p[] = {1e-6, 0.01, 0.3, 0.5, 0.8, 0.975, 0.9999};
    for (size_t i = 0; i < AX_COUNT_OF(p); i++) {
        CHECK(near(ax_distribution_normal(ax_distribution_normal_quantile(p[i])), p[i], 1e-13));
        for (size_t a = 0; a < AX_COUNT_OF(shapes); a++) {
            double chi2 = ax_distribution_chi2_quantile(p[i], shapes[a]);
            CHECK(fabs(1 - ax_distribution_chi2_above(chi2, shapes[a]) - p[i]) < 1e-11);
            double t = ax_distribution_student_quantile(p[i], shapes[a]);
            double both = 2 * (p[i] < 0.5 ? p[i] : 1 - p[i]);
            CHECK(near(ax_distribution_student_both(t, shapes[a]), both, 1e-9));
            for (size_t b = 0; b < AX_COUNT_OF(shapes); b++) {
                double x = ax_distribution_beta_quantile(p[i], shapes[a], shapes[b]);
                /* Near 1 a double cannot say x finely enough to give p back. */
                if (x < 1 - 1e-9)
                    CHECK(near(ax_distribution_beta(x, shapes[a], shapes[b]), p[i], 1e-9));
            }
        }
    }
}

TEST(distribution_binomial_is_its_sum)
{
    for (int n = 1; n <= 12; n++) {
        double sum = 0, term = pow(0.7, n);
        for (int k = 0; k < n; k++) {
            sum += term;
            CHECK(near(ax_distribution_binomial(k, n, 0.3), sum, 1e-11));
            term *= (n - k) / (k + 1.0) * 0.3 / 0.7;
        }
        CHECK(ax_distribution_binomial(n, n, 0.3) == 1);
    }
}

TEST(distribution_without_an_answer_is_nan)
{
    const double none = (double)NAN;
    CHECK(isnan(ax_distribution_normal_quantile(-0.1)));
    CHECK(isnan(ax_distribution_normal_quantile(none)));
    CHECK(isnan(ax_distribution_chi2_above(none, 1)));
    CHECK(isnan(ax_distribution_chi2_above(1, 0)));
    CHECK(isnan(ax_distribution_chi2_quantile(1, 1)));
    CHECK(isnan(ax_distribution_beta(0.5, 0, 1)));
    CHECK(isnan(ax_distribution_beta_quantile(2, 1, 1)));
    CHECK(isnan(ax_distribution_student_both(1, -1)));
    CHECK(isnan(ax_distribution_student_quantile(0, 3)));
    CHECK(isnan(ax_distribution_binomial(1, 2, 1.5)));
    CHECK(isnan(ax_distribution_kolmogorov_above(none)));
    CHECK(ax_distribution_kolmogorov_above(0) == 1);
    CHECK(isinf(ax_distribution_normal_quantile(0)));
}
