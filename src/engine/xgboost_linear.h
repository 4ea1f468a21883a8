/*
 * XGBoost's linear booster (gblinear): bias and weights in float32, added feature by feature.
 *
 * A missing value adds nothing. Contributions are weight times value, as the library's own, whose
 * reference is a row of nothing; against a population they are weight times the distance to its
 * mean. They are worked out in float64 and add up to the margin as real numbers.
 */
#pragma once

#include "engine/xgboost_learner.h"

/* Fails: INVALID, LIMIT. */
ax_status ax_xgboost_linear_read(struct ax_ctx *ctx, struct ax_arena *arena,
                                 const struct ax_xgboost_learner *learner,
                                 struct ax_engine **out_engine);
