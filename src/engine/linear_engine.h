/*
 * An engine whose margin is a sum of terms, one a feature: scorecards and linear models.
 *
 * A term looks a feature's value up (a bin, a category, or the value itself) and multiplies it by
 * its coefficient; products are rounded, then added in the order of the terms, all in float64. So
 * contributions are exact: coefficient times the distance to a mean.
 *
 * Where every term is the value itself, a dense row is summed without a look at its values: one
 * that is missing or infinite leaves no finite sum, and such a row is scored again term by term.
 * Four rows of a batch are summed side by side, each in its own order, so that the additions of
 * one need not wait for each other.
 */
#pragma once

#include "engine/engine_ops.h"

enum ax_linear_shape {
    AX_LINEAR_VALUE, /* the value itself */
    AX_LINEAR_BINS,  /* of the bin with lo < x <= hi */
    AX_LINEAR_CODES, /* of the category whose code it is */
};

enum ax_linear_link { AX_LINEAR_IDENTITY, AX_LINEAR_LOGISTIC, AX_LINEAR_LOG };

/* What one bin, one category, or a missing value stands for. */
struct ax_linear_level {
    double value;
    double points;
};

struct ax_linear_term {
    enum ax_linear_shape shape;
    double coefficient;
    double mean;         /* of the looked-up value over the training rows */
    const double *edges; /* upper ends of all bins but the last */
    const struct ax_linear_level *levels;
    size_t level_count;
    enum ax_engine_rule missing_rule, other_rule;
    struct ax_linear_level missing, other; /* where the rule is LEARNED */
};

struct ax_linear_engine {
    struct ax_engine engine;
    const struct ax_linear_term *terms;
    size_t term_count;
    const double *weights; /* coefficients side by side; NULL: some term looks its value up */
    double intercept;
    double points_base;
    enum ax_linear_link link;
};

/*
 * Completes an engine whose terms are read and whose signature has format, version, kind,
 * objective and names: ops, rules, counts. points: whether the file has them. Fails: LIMIT.
 */
ax_status ax_linear_engine_finish(struct ax_linear_engine *engine, struct ax_ctx *ctx,
                                  struct ax_engine_feature *features, bool points);
