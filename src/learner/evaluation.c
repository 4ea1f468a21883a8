#include "learner/evaluation.h"

static ax_status
check_probabilities(struct ax_ctx *ctx, const struct ax_score_sample *sample)
{
    AX_TRY(ax_score_check(ctx, sample));
    for (size_t i = 0; i < sample->count; i++) {
        if (!(sample->score[i] >= 0 && sample->score[i] <= 1))
            return ax_fail(ctx, AX_INVALID, "row %zu: the score %g is no probability", i,
                           sample->score[i]);
    }
    return AX_OK;
}

ax_status
ax_evaluation_of(struct ax_ctx *ctx, const struct ax_score_sample *sample,
                 struct ax_evaluation *out_evaluation)
{
    AX_TRY(check_probabilities(ctx, sample));
    struct ax_evaluation evaluation = {.rows = sample->count, .seed = sample->seed};
    for (size_t i = 0; i < sample->count; i++)
        evaluation.events += sample->label[i];
    AX_TRY(ax_score_auc(ctx, sample, &evaluation.auc));
    AX_TRY(ax_score_gini(ctx, sample, &evaluation.gini));
    AX_TRY(ax_score_ks(ctx, sample, &evaluation.ks));
    AX_TRY(ax_score_brier(ctx, sample, &evaluation.brier));
    AX_TRY(ax_score_log_loss(ctx, sample, &evaluation.log_loss));
    AX_TRY(ax_calibration_error(ctx, sample, AX_EVALUATION_BANDS, &evaluation.calibration_error));
    AX_TRY(ax_calibration_of(ctx, sample, AX_EVALUATION_BANDS, &evaluation.calibration));
    AX_TRY(ax_calibration_bands(ctx, sample, AX_EVALUATION_BANDS, evaluation.bands,
                                &evaluation.band_count));
    evaluation.rank_breaks = ax_calibration_rank_breaks(evaluation.bands, evaluation.band_count);
    *out_evaluation = evaluation;
    return AX_OK;
}

static void
write_estimate(struct ax_json_writer *out, const char *key, const ax_estimate *estimate)
{
    ax_json_key(out, key);
    ax_json_begin_object(out);
    ax_json_member_f64(out, "value", estimate->value);
    ax_json_member_f64(out, "low", estimate->low);
    ax_json_member_f64(out, "high", estimate->high);
    ax_json_member_f64(out, "level", estimate->level);
    ax_json_member_i64(out, "count", (int64_t)estimate->count);
    ax_json_member_bool(out, "sufficient", estimate->sufficient);
    ax_json_end_object(out);
}

static void
write_bands(struct ax_json_writer *out, const struct ax_evaluation *evaluation)
{
    ax_json_key(out, "bands");
    ax_json_begin_array(out);
    for (size_t i = 0; i < evaluation->band_count; i++) {
        const struct ax_calibration_band *band = &evaluation->bands[i];
        ax_json_begin_object(out);
        ax_json_member_f64(out, "score_min", band->score_min);
        ax_json_member_f64(out, "score_max", band->score_max);
        ax_json_member_i64(out, "rows", (int64_t)band->rows);
        ax_json_member_i64(out, "events", (int64_t)band->events);
        ax_json_member_f64(out, "mean_predicted", band->mean_predicted);
        write_estimate(out, "observed", &band->observed);
        ax_json_end_object(out);
    }
    ax_json_end_array(out);
}

void
ax_evaluation_write(const struct ax_evaluation *evaluation, struct ax_json_writer *out)
{
    const struct ax_calibration *calibration = &evaluation->calibration;
    ax_json_begin_object(out);
    ax_json_member_i64(out, "rows", (int64_t)evaluation->rows);
    ax_json_member_i64(out, "events", (int64_t)evaluation->events);
    ax_json_key(out, "seed");
    ax_json_put_u64(out, evaluation->seed);
    write_estimate(out, "auc", &evaluation->auc);
    write_estimate(out, "gini", &evaluation->gini);
    write_estimate(out, "ks", &evaluation->ks);
    write_estimate(out, "brier", &evaluation->brier);
    write_estimate(out, "log_loss", &evaluation->log_loss);
    ax_json_key(out, "calibration");
    ax_json_begin_object(out);
    write_estimate(out, "error", &evaluation->calibration_error);
    write_estimate(out, "slope", &calibration->slope);
    write_estimate(out, "intercept", &calibration->intercept);
    write_estimate(out, "ratio", &calibration->ratio);
    ax_json_member_f64(out, "hosmer_lemeshow", calibration->hosmer_lemeshow);
    ax_json_member_f64(out, "hosmer_lemeshow_p", calibration->hosmer_lemeshow_p);
    ax_json_member_f64(out, "spiegelhalter_z", calibration->spiegelhalter_z);
    ax_json_member_f64(out, "spiegelhalter_p", calibration->spiegelhalter_p);
    ax_json_member_f64(out, "reliability", calibration->reliability);
    ax_json_member_f64(out, "resolution", calibration->resolution);
    ax_json_member_f64(out, "uncertainty", calibration->uncertainty);
    ax_json_member_i64(out, "rank_breaks", (int64_t)evaluation->rank_breaks);
    write_bands(out, evaluation);
    ax_json_end_object(out);
    ax_json_end_object(out);
}
