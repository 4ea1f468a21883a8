/*
 * Scorecards: weight-of-evidence bins, logistic regression on them, points.
 *
 * Bins are monotone where numbers are, coefficients never turn a characteristic round, and the
 * points of a row add up to its score: offset + factor * ln(odds good:bad). The file is Axiom's
 * scorecard JSON (docs/model-formats.md), which the engine reads.
 *
 * Parameters: share_min 0.05, bins_max 6, smoothing 0.5, iv_min 0.02 (a characteristic that tells
 * less is left out), ridge 1e-6, base_points 600, base_odds 30, points_to_double 20,
 * monotone {"column": 1 | -1}: whether the positive (bad) rate rises or falls,
 * special {"column": [value, ...]}: values that are no amounts and have a bin each, outside the
 * order.
 */
#pragma once

#include "learner/learner.h"

/* score = offset + factor * ln(odds good:bad). */
struct ax_scorecard_scale {
    double factor, offset;
};

/* 600 at 30:1, 20 to double: factor 28.8539, offset 501.862. */
struct ax_scorecard_scale ax_scorecard_scale(double base_points, double base_odds,
                                             double points_to_double);

extern const struct ax_learner_ops ax_scorecard_ops;
