/*
 * How good predictions were: discrimination, loss, lift, each with its interval.
 *
 * One sample everywhere: scores (higher means the event is likelier), labels (1 where the event
 * happened), row by row. Ties are exact: no figure depends on the order of rows. A figure with
 * fewer than AX_SCORE_EVENTS_MIN rows of either class is "insufficient", never good (R28, R35).
 * Whether probabilities mean what they say is calibration.h's question.
 */
#pragma once

#include "numeric/stats.h"

enum {
    AX_SCORE_EVENTS_MIN = 10, /* of each class, below which nothing is judged */
    AX_SCORE_RESAMPLES = 500  /* of the bootstrap, where an interval needs one */
};

struct ax_score_sample {
    const double *score;  /* finite; a probability where calibration is asked for; borrowed */
    const uint8_t *label; /* 0 or 1; borrowed */
    size_t count;
    uint64_t seed; /* of the bootstraps; recorded by the caller */
    double level;  /* of all intervals; 0 means 0.95 */
};

/* Fails (as all below): INVALID, naming the row, when a score is not finite or a label not 0/1. */
ax_status ax_score_check(struct ax_ctx *ctx, const struct ax_score_sample *sample);

/* ---- discrimination ---- */

/*
 * P(an event's score > a non-event's) + half of the ties. Interval: DeLong's, cut to [0, 1]; when
 * every pair is ordered alike, Jeffreys' for the smaller class instead of width zero.
 * Source: DeLong et al. 1988; Sun and Xu 2014.
 */
ax_status ax_score_auc(struct ax_ctx *ctx, const struct ax_score_sample *sample,
                       ax_estimate *out_auc);

/* 2 AUC - 1, interval likewise. */
ax_status ax_score_gini(struct ax_ctx *ctx, const struct ax_score_sample *sample,
                        ax_estimate *out_gini);

/* a's AUC less b's on the same rows, with DeLong's covariance. p_value: two-sided. */
ax_status ax_score_auc_difference(struct ax_ctx *ctx, const struct ax_score_sample *a,
                                  const double *b_score, ax_estimate *out_difference,
                                  double *out_p_value);

/* The largest distance between the two classes' distributions of scores; stratified bootstrap. */
ax_status ax_score_ks(struct ax_ctx *ctx, const struct ax_score_sample *sample,
                      ax_estimate *out_ks);

/* Area under precision and recall over distinct scores (average precision); bootstrap. */
ax_status ax_score_average_precision(struct ax_ctx *ctx, const struct ax_score_sample *sample,
                                     ax_estimate *out_precision);

/* What the highest share (0..1] of scores holds; a block of ties at the cut counts by its part. */
struct ax_score_top {
    double rows;           /* in the top */
    double events;         /* of them events, expected over the ties' orders */
    ax_estimate precision; /* Wilson's interval on rounded counts */
    double recall;
    double lift; /* precision / base rate */
};
ax_status ax_score_top(struct ax_ctx *ctx, const struct ax_score_sample *sample, double share,
                       struct ax_score_top *out_top);

/* ---- loss; scores are probabilities in [0, 1] ---- */

/* Mean squared error of the probability; normal interval over rows. */
ax_status ax_score_brier(struct ax_ctx *ctx, const struct ax_score_sample *sample,
                         ax_estimate *out_brier);

/* Mean -ln of the probability given to what happened, clipped to [2^-52, 1 - 2^-52]. */
ax_status ax_score_log_loss(struct ax_ctx *ctx, const struct ax_score_sample *sample,
                            ax_estimate *out_loss);
