/*
 * LightGBM's objectives, as far as a prediction needs them: margin to response.
 *
 * In float64 and in the library's own order, so that responses are its bits given the same exp.
 * An objective that is not known here, or a custom one, answers with the margin.
 * Source: src/objective and common.h of LightGBM, versions 2.0 to 4.7.
 */
#pragma once

#include "base/ctx.h"

enum ax_lightgbm_transform {
    AX_LIGHTGBM_IDENTITY,
    AX_LIGHTGBM_SQUARE, /* `sqrt`: sign(x) x^2 */
    AX_LIGHTGBM_EXP,
    AX_LIGHTGBM_SIGMOID, /* of each margin */
    AX_LIGHTGBM_SOFTMAX,
    AX_LIGHTGBM_LOG1P_EXP,
};

struct ax_lightgbm_objective {
    enum ax_lightgbm_transform transform;
    double sigmoid;
    double rounds; /* `average_output`: margins are divided by it first; 1 elsewhere */
    bool known;    /* by LightGBM */
};

/*
 * Reads "name key:value ..."; "" is no objective.
 *
 * output_count: trees of an iteration, which the objective must agree with.
 * Fails: INVALID with what disagrees.
 */
ax_status ax_lightgbm_objective_parse(struct ax_ctx *ctx, ax_str text, size_t output_count,
                                      struct ax_lightgbm_objective *out_objective);

/* Response of one row, a number for each margin. objective: struct ax_lightgbm_objective. */
void ax_lightgbm_objective_respond(const void *objective, const double *margin, size_t margin_count,
                                   double *out);
