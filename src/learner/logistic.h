/*
 * Logistic regression by iteratively reweighted least squares: our own, deterministic to the bit.
 *
 * Rows are added up in their order, columns in theirs; a small ridge keeps separable data finite.
 * This is the mathematics alone: scorecard.h uses it on weights of evidence, logistic_train.h on
 * the data's own columns.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"

struct ax_logistic_config {
    double ridge;      /* half of it times the squared coefficients is the penalty; the intercept is
                          free; >= 0 */
    double tolerance;  /* largest change of a coefficient at which it stops; 0 means 1e-10 */
    int iteration_max; /* 0 means 100 */
    bool non_negative; /* coefficients below 0 are held at 0 (a scorecard's WoE must not turn) */
};

struct ax_logistic_model {
    double intercept;
    double *coefficients;    /* feature_count; in ctx->arena */
    double *standard_errors; /* of coefficients, then of the intercept; NaN for held ones */
    double deviance;
    int iterations;
    bool converged;
};

/*
 * P(label = 1) = 1 / (1 + exp(-(intercept + sum of x * coefficient))).
 *
 * rows: row_count x feature_count, row by row, finite. Fails: INVALID when a class is empty or a
 * value is not finite; LIMIT.   Source: McCullagh and Nelder, Generalized Linear Models, 1989.
 */
struct ax_logistic_data {
    const double *rows;
    const uint8_t *labels;
    size_t row_count, feature_count;
};
ax_status ax_logistic_fit(struct ax_ctx *ctx, const struct ax_logistic_data *data,
                          const struct ax_logistic_config *config,
                          struct ax_logistic_model *out_model);
