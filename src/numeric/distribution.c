#include "numeric/distribution.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

enum { TERMS_MAX = 100'000, HALVINGS_MAX = 2'000 };

static const double TINY = 1e-300; /* keeps Lentz's fractions away from a division by zero */

/* ---- normal ---- */

double
ax_distribution_normal(double z)
{
    return 0.5 * erfc(-z * M_SQRT1_2);
}

double
ax_distribution_normal_above(double z)
{
    return 0.5 * erfc(z * M_SQRT1_2);
}

/* a[0] + a[1] x + ... + a[7] x^7 */
static double
polynomial(const double a[8], double x)
{
    double sum = a[7];
    for (int i = 6; i >= 0; i--)
        sum = sum * x + a[i];
    return sum;
}

/* Wichura 1988, algorithm AS 241 (PPND16): about 1e-16 relative. */
double
ax_distribution_normal_quantile(double p)
{
    static const double a[8] = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                                1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                3.3430575583588128105e+4, 2.5090809287301226727e+3};
    static const double b[8] = {1.0,
                                4.2313330701600911252e+1,
                                6.8718700749205790830e+2,
                                5.3941960214247511077e+3,
                                2.1213794301586595867e+4,
                                3.9307895800092710610e+4,
                                2.8729085735721942674e+4,
                                5.2264952788528545610e+3};
    static const double c[8] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                5.76949722146069140550e0,  3.64784832476320460504e0,
                                1.27045825245236838258e0,  2.41780725177450611770e-1,
                                2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[8] = {1.0,
                                2.05319162663775882187e0,
                                1.67638483018380384940e0,
                                6.89767334985100004550e-1,
                                1.48103976427480074590e-1,
                                1.51986665636164571966e-2,
                                5.47593808499534494600e-4,
                                1.05075007164441684324e-9};
    static const double e[8] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                1.78482653991729133580e0,  2.96560571828504891230e-1,
                                2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static const double f[8] = {1.0,
                                5.99832206555887937690e-1,
                                1.36929880922735805310e-1,
                                1.48753612908506148525e-2,
                                7.86869131145613259100e-4,
                                1.84631831751005468180e-5,
                                1.42151175831644588870e-7,
                                2.04426310338993978564e-15};
    if (!(p > 0 && p < 1))
        return p == 0 ? -(double)INFINITY : p == 1 ? (double)INFINITY : (double)NAN;
    double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        double r = 0.180625 - q * q;
        return q * polynomial(a, r) / polynomial(b, r);
    }
    double r = sqrt(-log(q < 0 ? p : 1 - p));
    double z = r <= 5 ? polynomial(c, r - 1.6) / polynomial(d, r - 1.6)
                      : polynomial(e, r - 5) / polynomial(f, r - 5);
    return q < 0 ? -z : z;
}

/* ---- gamma and chi-square ---- */

static double
log_gamma(double x)
{
    int sign = 0; /* lgamma itself writes a global, which threads would share */
    return lgamma_r(x, &sign);
}

/* Series for the lower incomplete gamma function, good for x < a + 1. */
static double
gamma_below_series(double a, double x)
{
    double term = 1 / a, sum = term;
    for (int n = 1; n < TERMS_MAX && fabs(term) > fabs(sum) * DBL_EPSILON / 4; n++) {
        term *= x / (a + n);
        sum += term;
    }
    return sum * exp(-x + a * log(x) - log_gamma(a));
}

/* Continued fraction (Lentz) for the upper one, good for x >= a + 1. */
static double
gamma_above_fraction(double a, double x)
{
    double b = x + 1 - a, c = 1 / TINY, d = 1 / b, h = d;
    for (int n = 1; n < TERMS_MAX; n++) {
        double step = -(double)n * (n - a);
        b += 2;
        d = step * d + b;
        c = b + step / c;
        d = 1 / (fabs(d) < TINY ? TINY : d);
        c = fabs(c) < TINY ? TINY : c;
        h *= d * c;
        if (fabs(d * c - 1) < DBL_EPSILON)
            break;
    }
    return h * exp(-x + a * log(x) - log_gamma(a));
}

double
ax_distribution_chi2_above(double x, double degrees)
{
    if (isnan(x) || !(degrees > 0))
        return (double)NAN;
    if (x <= 0)
        return 1;
    if (isinf(x))
        return 0;
    double a = degrees / 2, half = x / 2;
    return half < a + 1 ? 1 - gamma_below_series(a, half) : gamma_above_fraction(a, half);
}

/* ---- inversion ---- */

struct inverse {
    double (*below)(double x, double a, double b); /* rising in x */
    double a, b;
};

/* The x in [low, high] where below(x) passes p, by halving until no double lies between. */
static double
invert(const struct inverse *inverse, double p, double low, double high)
{
    for (int i = 0; i < HALVINGS_MAX; i++) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high)
            break;
        if (inverse->below(middle, inverse->a, inverse->b) < p)
            low = middle;
        else
            high = middle;
    }
    return low + (high - low) / 2;
}

static double
chi2_below(double x, double degrees, double unused)
{
    (void)unused;
    double a = degrees / 2, half = x / 2;
    if (half <= 0)
        return 0;
    return half < a + 1 ? gamma_below_series(a, half) : 1 - gamma_above_fraction(a, half);
}

double
ax_distribution_chi2_quantile(double p, double degrees)
{
    if (!(p >= 0 && p < 1) || !(degrees > 0))
        return (double)NAN;
    if (p == 0)
        return 0;
    const struct inverse inverse = {chi2_below, degrees, 0};
    double high = degrees + 10;
    while (chi2_below(high, degrees, 0) < p && high < 1e300)
        high *= 2;
    return invert(&inverse, p, 0, high);
}

/* ---- beta, and what follows from it ---- */

/* Continued fraction of the incomplete beta function (Lentz), good for x < (a + 1) / (a + b + 2).
 */
static double
beta_fraction(double x, double a, double b)
{
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < TINY ? TINY : d);
    double h = d;
    for (int m = 1; m < TERMS_MAX; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < TINY ? TINY : d);
        c = fabs(c) < TINY ? TINY : c;
        h *= d * c;
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < TINY ? TINY : d);
        c = fabs(c) < TINY ? TINY : c;
        h *= d * c;
        if (fabs(d * c - 1) < DBL_EPSILON)
            break;
    }
    return h;
}

double
ax_distribution_beta(double x, double a, double b)
{
    if (isnan(x) || !(a > 0) || !(b > 0))
        return (double)NAN;
    if (x <= 0)
        return 0;
    if (x >= 1)
        return 1;
    double front = exp(a * log(x) + b * log1p(-x) + log_gamma(a + b) - log_gamma(a) - log_gamma(b));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(x, a, b) / a;
    return 1 - front * beta_fraction(1 - x, b, a) / b;
}

double
ax_distribution_beta_quantile(double p, double a, double b)
{
    if (!(p >= 0 && p <= 1) || !(a > 0) || !(b > 0))
        return (double)NAN;
    if (p == 0 || p == 1)
        return p;
    const struct inverse inverse = {ax_distribution_beta, a, b};
    return invert(&inverse, p, 0, 1);
}

double
ax_distribution_student_both(double t, double degrees)
{
    if (isnan(t) || !(degrees > 0))
        return (double)NAN;
    if (isinf(t))
        return 0;
    return ax_distribution_beta(degrees / (degrees + t * t), degrees / 2, 0.5);
}

double
ax_distribution_student_quantile(double p, double degrees)
{
    if (!(p > 0 && p < 1) || !(degrees > 0))
        return (double)NAN;
    if (p == 0.5)
        return 0;
    double x = ax_distribution_beta_quantile(2 * (p < 0.5 ? p : 1 - p), degrees / 2, 0.5);
    double t = sqrt(degrees * (1 - x) / x);
    return p < 0.5 ? -t : t;
}

double
ax_distribution_binomial(double k, double n, double p)
{
    if (!(p >= 0 && p <= 1) || !(n >= 0) || isnan(k))
        return (double)NAN;
    if (k < 0)
        return 0;
    if (k >= n)
        return 1;
    return ax_distribution_beta(1 - p, n - floor(k), floor(k) + 1);
}

double
ax_distribution_kolmogorov_above(double lambda)
{
    if (isnan(lambda))
        return (double)NAN;
    if (lambda < 0.04)
        return 1; /* the rest is below 1e-300 */
    double sum = 0;
    if (lambda < 1.18) { /* Jacobi's other form, which converges for small arguments */
        double base = exp(-M_PI * M_PI / (8 * lambda * lambda));
        for (int k = 1; k < 20; k += 2)
            sum += pow(base, (double)k * k);
        return 1 - sqrt(2 * M_PI) / lambda * sum;
    }
    for (int k = 1; k < 20; k++)
        sum += (k % 2 ? 1 : -1) * exp(-2.0 * k * k * lambda * lambda);
    return 2 * sum;
}
