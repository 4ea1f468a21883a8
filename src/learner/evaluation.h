/*
 * How good a model's probabilities are on rows it has not seen: one record, each with its interval.
 *
 * The figures are those of numeric/score.h and calibration.h, put together once, so that training,
 * validation and the demonstration report the same things in the same JSON. It judges nothing:
 * thresholds belong to the test plan.
 */
#pragma once

#include "codec/json.h"
#include "numeric/calibration.h"

enum { AX_EVALUATION_BANDS = 10 };

struct ax_evaluation {
    uint64_t rows, events, seed;
    ax_estimate auc, gini, ks;   /* discrimination */
    ax_estimate brier, log_loss; /* loss */
    ax_estimate calibration_error;
    struct ax_calibration calibration;
    struct ax_calibration_band bands[AX_EVALUATION_BANDS]; /* lowest scores first */
    size_t band_count;
    size_t rank_breaks; /* neighbouring bands whose observed rates are the wrong way round */
};

/*
 * sample: probabilities and labels. Too few rows of a class: figures that are not `sufficient`.
 * Fails: INVALID, naming the row, when a score is no probability or a label not 0/1; LIMIT.
 */
ax_status ax_evaluation_of(struct ax_ctx *ctx, const struct ax_score_sample *sample,
                           struct ax_evaluation *out_evaluation);

/*
 * One object: {"rows", "events", "seed", "auc": {"value", "low", "high", "level", "count",
 * "sufficient"}, "gini", "ks", "brier", "log_loss", "calibration": {"error", "slope",
 * "intercept", "ratio", "hosmer_lemeshow_p", "spiegelhalter_p", "rank_breaks", "bands": [...]}}.
 * A number that there is not is null.
 */
void ax_evaluation_write(const struct ax_evaluation *evaluation, struct ax_json_writer *out);
