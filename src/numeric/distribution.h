/*
 * Probability distributions: tails and quantiles, from the C library's erfc, lgamma and exp alone.
 *
 * Pure functions, accurate to about 1e-10 relative for parameters up to 10^4. A parameter
 * outside its range gives NaN, which every user of these functions treats as "no answer".
 */
#pragma once

/* P(Z <= z); the same for P(Z > z), exact far out; and the z with P(Z <= z) = p, 0 < p < 1. */
double ax_distribution_normal(double z);
double ax_distribution_normal_above(double z);
double ax_distribution_normal_quantile(double p);

/* P(X > x) of chi-square with `degrees` of freedom (> 0), and the x with P(X <= x) = p. */
double ax_distribution_chi2_above(double x, double degrees);
double ax_distribution_chi2_quantile(double p, double degrees);

/* P(X <= x) of the beta distribution, a and b > 0; and its inverse. */
double ax_distribution_beta(double x, double a, double b);
double ax_distribution_beta_quantile(double p, double a, double b);

/* P(|T| > |t|) of Student's t with `degrees` of freedom (> 0); and the t with P(T <= t) = p. */
double ax_distribution_student_both(double t, double degrees);
double ax_distribution_student_quantile(double p, double degrees);

/* P(X <= k) of the binomial, k in 0..n. */
double ax_distribution_binomial(double k, double n, double p);

/* P(sqrt(n) D > lambda) in the limit: Kolmogorov's distribution. */
double ax_distribution_kolmogorov_above(double lambda);
