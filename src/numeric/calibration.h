/*
 * Whether probabilities mean what they say: reliability table, slope, intercept, tests.
 *
 * The sample is score.h's, its scores probabilities in [0, 1]. Bands hold equal counts and never
 * split a tie, so that no figure depends on the order of rows. Insufficient as in score.h.
 */
#pragma once

#include "numeric/score.h"

struct ax_calibration_band {
    double score_min, score_max;
    uint64_t rows, events;
    double mean_predicted;
    ax_estimate observed; /* Jeffreys' interval */
    double jeffreys_p;    /* two-sided: twice the smaller one-sided Jeffreys test, at most 1 */
    double binomial_p;    /* P(this many events or more), when mean_predicted is the rate */
};

/*
 * The reliability table, lowest scores first. out_bands: room for band_count. out_count: how many
 * there are (fewer where ties are wide).
 */
ax_status ax_calibration_bands(struct ax_ctx *ctx, const struct ax_score_sample *sample,
                               size_t band_count, struct ax_calibration_band *out_bands,
                               size_t *out_count);

/* Neighbouring bands where the observed rate falls while the score rises. */
size_t ax_calibration_rank_breaks(const struct ax_calibration_band *bands, size_t count);

/* Expected calibration error: mean |predicted - observed| over bands; bootstrap interval (of
 * percentiles: it leans upwards, as the error itself does). */
ax_status ax_calibration_error(struct ax_ctx *ctx, const struct ax_score_sample *sample,
                               size_t band_count, ax_estimate *out_error);

struct ax_calibration {
    ax_estimate slope;     /* of the label on logit(probability), logistic; 1 is right */
    ax_estimate intercept; /* with the slope held at 1; 0 is right (calibration in the large) */
    ax_estimate ratio;     /* events observed / predicted; 1 is right */
    double hosmer_lemeshow, hosmer_lemeshow_p;   /* bands - 2 degrees of freedom; NaN below 3 */
    double spiegelhalter_z, spiegelhalter_p;     /* two-sided */
    double reliability, resolution, uncertainty; /* Murphy's parts of the Brier score, by bands */
};

/*
 * Slope, intercept, ratio and tests. Probabilities are clipped to [1e-12, 1 - 1e-12] for the logit.
 * Source: Cox 1958; Hosmer and Lemeshow 1980; Spiegelhalter 1986; Murphy 1973.
 */
ax_status ax_calibration_of(struct ax_ctx *ctx, const struct ax_score_sample *sample,
                            size_t band_count, struct ax_calibration *out_calibration);
