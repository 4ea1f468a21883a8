/*
 * The learner of linear models: logistic regression on the data's own columns.
 *
 * Numbers are standardised inside (so that one ridge suits all), a missing one counts as the mean;
 * each category has a coefficient of its own, a missing one has none. The file is a linear model
 * (docs/model-formats.md) in the units of the data; a column that had no missing value in training
 * refuses them.
 *
 * Parameters: ridge 1, iteration_max 100.
 */
#pragma once

#include "learner/learner.h"

extern const struct ax_learner_ops ax_logistic_train_ops;
