/*
 * XGBoost's tree boosters, gbtree and dart: arrays of nodes into a forest.
 *
 * DART weights are multiplied into the leaves once, each product rounded to float32, which is what
 * the library computes at every prediction. Categories of a split go right, all others left.
 */
#pragma once

#include "engine/xgboost_learner.h"

/* Fails: INVALID with tree and node, LIMIT. */
ax_status ax_xgboost_tree_read(struct ax_ctx *ctx, struct ax_arena *arena,
                               const struct ax_xgboost_learner *learner,
                               struct ax_engine **out_engine);
