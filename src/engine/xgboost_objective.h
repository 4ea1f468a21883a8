/*
 * XGBoost's objectives, as far as a prediction needs them: base score to margin, margin to
 * response.
 *
 * All in float32 and in the library's own order, so that results are the library's bits given the
 * same expf and logf. An objective that is not known here answers with the margin.
 * Source: src/objective and src/common/math.h of XGBoost, versions 1.0 to 3.4.
 */
#pragma once

#include "base/ctx.h"

enum ax_xgboost_objective {
    AX_XGBOOST_IDENTITY,
    AX_XGBOOST_LOGISTIC,
    AX_XGBOOST_EXP,
    AX_XGBOOST_HINGE,
    AX_XGBOOST_SOFTPROB,
    AX_XGBOOST_SOFTMAX,   /* one response: the class */
    AX_XGBOOST_SORTED,    /* quantiles, ascending */
    AX_XGBOOST_EXPECTILE, /* each above the one before */
};

/* version: major * 100 + minor of the file. known: false when the name is not XGBoost's. */
enum ax_xgboost_objective ax_xgboost_objective_find(ax_str name, int version, bool *out_known);

/* Columns of response for so many margins. */
size_t ax_xgboost_objective_responses(enum ax_xgboost_objective objective, size_t margin_count);

/*
 * Base scores, which are on the response's scale, to margins in place.
 *
 * Fails: INVALID when one has no finite margin.
 */
ax_status ax_xgboost_objective_base(struct ax_ctx *ctx, enum ax_xgboost_objective objective,
                                    int version, float *scores, size_t count);

/* Response of one row; doubles hold float32 values. objective: enum ax_xgboost_objective. */
void ax_xgboost_objective_respond(int objective, const double *margin, size_t margin_count,
                                  double *out);
