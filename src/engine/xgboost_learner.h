/*
 * What an XGBoost file says around its booster: shared by the readers of the boosters.
 */
#pragma once

#include "engine/document.h"
#include "engine/engine_ops.h"
#include "engine/xgboost_objective.h"

struct ax_xgboost_learner {
    struct ax_engine_signature signature; /* all that does not depend on the booster */
    struct ax_engine_feature *features;   /* behind the signature */
    ax_document booster;                  /* `gradient_booster` */
    int version;                          /* major * 100 + minor */
    enum ax_xgboost_objective objective;
    bool objective_known; /* by XGBoost; custom ones answer with the margin */
    size_t output_count;
    float *base; /* margin of each output before the booster */
};
