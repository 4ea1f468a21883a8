/*
 * Gradient-boosted trees by libxgboost, opened at run time: for the training child only.
 *
 * libxgboost ends here. The library (1.7.4 on Debian 12, 3.0.0 on 13) is opened with dlopen when
 * the first model is trained, so that a server that never trains never holds its memory, and
 * OMP_WAIT_POLICY is in the environment before libgomp is loaded. Categories go in as codes with
 * feature type "c" (native categorical splits, tree method hist, as both versions have them).
 *
 * Parameters: rounds 200, max_depth 3, learning_rate 0.08, min_child_weight 5, subsample 0.8,
 * colsample 0.8, lambda 1, alpha 0, gamma 0, max_bin 64, max_cat_to_onehot 4, early_stopping 25
 * (rounds without a better validation log loss; 0 never), monotone {"column": 1 | -1}. The file is
 * UBJSON; with early stopping it holds the trees up to the best round and no more.
 */
#pragma once

#include "learner/learner.h"

extern const struct ax_learner_ops ax_xgboost_train_ops;
