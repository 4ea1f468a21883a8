#include "numeric/calibration.h"

#include <math.h>

#include "base/assert.h"
#include "numeric/distribution.h"

enum { NEWTON_STEPS_MAX = 100 };

static const double LOGIT_MARGIN = 1e-12;

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for the calibration");
}

static double
level_of(const struct ax_score_sample *sample)
{
    return sample->level > 0 ? sample->level : 0.95;
}

/* ---- bands ---- */

/* Which band each row is in, 0 for the lowest scores. Returns how many bands in *out_count. */
static ax_status
assign_bands(struct ax_ctx *ctx, const struct ax_score_sample *sample, size_t band_count,
             uint32_t *out_band_of_row, size_t *out_count)
{
    uint32_t *rows = NULL;
    AX_TRY(ax_stats_order(ctx, sample->score, sample->count, &rows));
    size_t band = 0, in_band = 0;
    for (size_t i = 0; i < sample->count; i++) {
        bool tie = i > 0 && sample->score[rows[i]] == sample->score[rows[i - 1]];
        /* The band is full when the rows so far reach its share of the whole. */
        if (in_band > 0 && !tie && i * band_count >= (band + 1) * sample->count) {
            band = i * band_count / sample->count;
            in_band = 0;
        }
        out_band_of_row[rows[i]] = (uint32_t)band;
        in_band++;
    }
    /* Bands that wide ties jumped over are closed up. */
    size_t used = 0, seen = SIZE_MAX;
    for (size_t i = 0; i < sample->count; i++) {
        uint32_t *at = &out_band_of_row[rows[i]];
        if (*at != seen) {
            seen = *at;
            used++;
        }
        *at = (uint32_t)(used - 1);
    }
    *out_count = used;
    return AX_OK;
}

static void
judge_band(struct ax_calibration_band *band, double level)
{
    band->observed = ax_stats_jeffreys(band->events, band->rows, level);
    band->observed.sufficient = band->rows >= AX_SCORE_EVENTS_MIN;
    double below = ax_stats_jeffreys_test(band->events, band->rows, band->mean_predicted);
    band->jeffreys_p = fmin(1, 2 * fmin(below, 1 - below));
    band->binomial_p = ax_stats_binomial_test(band->events, band->rows, band->mean_predicted);
}

static ax_status
check(struct ax_ctx *ctx, const struct ax_score_sample *sample, size_t band_count)
{
    AX_TRY(ax_score_check(ctx, sample));
    if (band_count == 0)
        return ax_fail(ctx, AX_INVALID, "a reliability table needs at least one band");
    for (size_t i = 0; i < sample->count; i++) {
        if (sample->score[i] < 0 || sample->score[i] > 1)
            return ax_fail(ctx, AX_INVALID, "score of row %zu is no probability", i);
    }
    return AX_OK;
}

ax_status
ax_calibration_bands(struct ax_ctx *ctx, const struct ax_score_sample *sample, size_t band_count,
                     struct ax_calibration_band *out_bands, size_t *out_count)
{
    AX_TRY(check(ctx, sample, band_count));
    uint32_t *band_of_row = AX_NEW_ARRAY(ctx->arena, uint32_t, sample->count + 1);
    if (!band_of_row)
        return no_memory(ctx);
    size_t count = 0;
    AX_TRY(assign_bands(ctx, sample, band_count, band_of_row, &count));
    AX_ASSERT(count <= band_count);
    for (size_t b = 0; b < count; b++)
        out_bands[b] = (struct ax_calibration_band){.score_min = (double)INFINITY,
                                                    .score_max = -(double)INFINITY};
    for (size_t i = 0; i < sample->count; i++) {
        struct ax_calibration_band *band = &out_bands[band_of_row[i]];
        double score = sample->score[i];
        band->score_min = fmin(band->score_min, score);
        band->score_max = fmax(band->score_max, score);
        band->mean_predicted += score;
        band->rows++;
        band->events += sample->label[i];
    }
    for (size_t b = 0; b < count; b++) {
        out_bands[b].mean_predicted /= (double)out_bands[b].rows;
        judge_band(&out_bands[b], level_of(sample));
    }
    *out_count = count;
    return AX_OK;
}

size_t
ax_calibration_rank_breaks(const struct ax_calibration_band *bands, size_t count)
{
    size_t breaks = 0;
    for (size_t b = 1; b < count; b++)
        breaks += bands[b].observed.value < bands[b - 1].observed.value;
    return breaks;
}

/* ---- expected calibration error ---- */

struct error_figure {
    const struct ax_score_sample *sample;
    const uint32_t *band_of_row;
    double *gap; /* per band: sum of predicted - observed */
    size_t band_count;
};

static double
error_of_rows(void *arg, const uint32_t *rows, size_t count)
{
    const struct error_figure *figure = arg;
    for (size_t b = 0; b < figure->band_count; b++)
        figure->gap[b] = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t row = rows[i];
        figure->gap[figure->band_of_row[row]] +=
            figure->sample->score[row] - figure->sample->label[row];
    }
    double sum = 0;
    for (size_t b = 0; b < figure->band_count; b++)
        sum += fabs(figure->gap[b]);
    return sum / (double)count;
}

static size_t
count_events(const struct ax_score_sample *sample)
{
    size_t events = 0;
    for (size_t i = 0; i < sample->count; i++)
        events += sample->label[i];
    return events;
}

static bool
enough(const struct ax_score_sample *sample)
{
    size_t events = count_events(sample);
    return events >= AX_SCORE_EVENTS_MIN && sample->count - events >= AX_SCORE_EVENTS_MIN;
}

ax_status
ax_calibration_error(struct ax_ctx *ctx, const struct ax_score_sample *sample, size_t band_count,
                     ax_estimate *out_error)
{
    AX_TRY(check(ctx, sample, band_count));
    uint32_t *band_of_row = AX_NEW_ARRAY(ctx->arena, uint32_t, sample->count + 1);
    struct error_figure figure = {.sample = sample, .band_of_row = band_of_row};
    figure.gap = AX_NEW_ARRAY(ctx->arena, double, band_count);
    if (!band_of_row || !figure.gap)
        return no_memory(ctx);
    AX_TRY(assign_bands(ctx, sample, band_count, band_of_row, &figure.band_count));
    const struct ax_stats_bootstrap bootstrap = {.row_count = sample->count,
                                                 .resample_count = AX_SCORE_RESAMPLES,
                                                 .seed = sample->seed,
                                                 .level = level_of(sample),
                                                 .figure = error_of_rows,
                                                 .arg = &figure};
    ax_estimate error;
    AX_TRY(ax_stats_bootstrap(ctx, &bootstrap, &error));
    error.sufficient = error.sufficient && enough(sample);
    *out_error = error;
    return AX_OK;
}

/* ---- slope, intercept, tests ---- */

static double
logit(double p)
{
    p = fmin(fmax(p, LOGIT_MARGIN), 1 - LOGIT_MARGIN);
    return log(p) - log1p(-p);
}

static double
logistic(double margin)
{
    return 1 / (1 + exp(-margin));
}

/* A logistic regression of the label on one variable: intercept, slope, and Fisher's matrix. */
struct line {
    double intercept, slope;
    double information[3]; /* aa, ab, bb */
    bool converged;
};

/* Newton's steps; with `fixed` the slope stays at 1. Halved while the likelihood would fall. */
static double
log_likelihood(const struct ax_score_sample *sample, double intercept, double slope)
{
    double sum = 0;
    for (size_t i = 0; i < sample->count; i++) {
        double margin = intercept + slope * logit(sample->score[i]);
        double signed_margin = sample->label[i] ? margin : -margin;
        sum -= signed_margin > 0 ? log1p(exp(-signed_margin))
                                 : log1p(exp(signed_margin)) - signed_margin;
    }
    return sum;
}

/* Gradient and information at the present line. */
static void
derive(const struct ax_score_sample *sample, struct line *line, double gradient[2])
{
    double aa = 0, ab = 0, bb = 0, ga = 0, gb = 0;
    for (size_t i = 0; i < sample->count; i++) {
        double x = logit(sample->score[i]);
        double p = logistic(line->intercept + line->slope * x);
        double weight = p * (1 - p), residual = sample->label[i] - p;
        aa += weight;
        ab += weight * x;
        bb += weight * x * x;
        ga += residual;
        gb += residual * x;
    }
    line->information[0] = aa;
    line->information[1] = ab;
    line->information[2] = bb;
    gradient[0] = ga;
    gradient[1] = gb;
}

static struct line
fit_line(const struct ax_score_sample *sample, bool fixed)
{
    struct line line = {.intercept = 0, .slope = 1};
    double likelihood = log_likelihood(sample, 0, 1);
    for (int step = 0; step < NEWTON_STEPS_MAX; step++) {
        double gradient[2];
        derive(sample, &line, gradient);
        double aa = line.information[0], ab = line.information[1], bb = line.information[2];
        double determinant = aa * bb - ab * ab;
        if (!(aa > 0) || (!fixed && !(determinant > aa * bb * 1e-12)))
            return line;
        double da = fixed ? gradient[0] / aa : (bb * gradient[0] - ab * gradient[1]) / determinant;
        double db = fixed ? 0 : (aa * gradient[1] - ab * gradient[0]) / determinant;
        double next = log_likelihood(sample, line.intercept + da, line.slope + db);
        while (next < likelihood - 1e-9 * fabs(likelihood) && fabs(da) + fabs(db) > 1e-12) {
            da /= 2;
            db /= 2;
            next = log_likelihood(sample, line.intercept + da, line.slope + db);
        }
        line.intercept += da;
        line.slope += db;
        likelihood = next;
        if (fabs(da) + fabs(db) < 1e-10) {
            line.converged = true;
            return line;
        }
    }
    return line;
}

static ax_estimate
wald(double value, double variance, const struct ax_score_sample *sample)
{
    double level = level_of(sample);
    double half = ax_distribution_normal_quantile(0.5 + level / 2) * sqrt(variance);
    return (ax_estimate){.value = value,
                         .low = value - half,
                         .high = value + half,
                         .level = level,
                         .count = sample->count,
                         .sufficient = true};
}

static void
fit(const struct ax_score_sample *sample, struct ax_calibration *calibration)
{
    calibration->slope = ax_stats_insufficient(sample->count);
    calibration->intercept = ax_stats_insufficient(sample->count);
    if (!enough(sample))
        return;
    struct line free_line = fit_line(sample, false);
    if (free_line.converged) {
        const double *information = free_line.information;
        double determinant = information[0] * information[2] - information[1] * information[1];
        calibration->slope = wald(free_line.slope, information[0] / determinant, sample);
    }
    struct line fixed_line = fit_line(sample, true);
    if (fixed_line.converged)
        calibration->intercept = wald(fixed_line.intercept, 1 / fixed_line.information[0], sample);
}

static void
test_bands(const struct ax_calibration_band *bands, size_t count, struct ax_calibration *out)
{
    double rows = 0, events = 0;
    for (size_t b = 0; b < count; b++) {
        rows += (double)bands[b].rows;
        events += (double)bands[b].events;
    }
    double base = events / rows, statistic = 0, reliability = 0, resolution = 0;
    for (size_t b = 0; b < count; b++) {
        double n = (double)bands[b].rows, p = bands[b].mean_predicted;
        double observed = bands[b].observed.value, gap = observed - p;
        double variance = p * (1 - p);
        if (gap != 0)
            statistic += variance > 0 ? n * gap * gap / variance : (double)INFINITY;
        reliability += n * gap * gap / rows;
        resolution += n * (observed - base) * (observed - base) / rows;
    }
    out->hosmer_lemeshow = statistic;
    out->hosmer_lemeshow_p =
        count < 3 ? (double)NAN : ax_distribution_chi2_above(statistic, (double)(count - 2));
    out->reliability = reliability;
    out->resolution = resolution;
    out->uncertainty = base * (1 - base);
}

static void
test_rows(const struct ax_score_sample *sample, struct ax_calibration *out)
{
    double gap = 0, variance = 0, predicted = 0;
    for (size_t i = 0; i < sample->count; i++) {
        double p = sample->score[i], slant = 1 - 2 * p;
        gap += (sample->label[i] - p) * slant;
        variance += slant * slant * p * (1 - p);
        predicted += p;
    }
    out->spiegelhalter_z = variance > 0 ? gap / sqrt(variance) : (double)NAN;
    out->spiegelhalter_p = 2 * ax_distribution_normal_above(fabs(out->spiegelhalter_z));
    uint64_t events = count_events(sample);
    out->ratio = ax_stats_jeffreys(events, sample->count, level_of(sample));
    if (predicted > 0) {
        double scale = (double)sample->count / predicted;
        out->ratio.value *= scale;
        out->ratio.low *= scale;
        out->ratio.high *= scale;
        out->ratio.sufficient = enough(sample);
    } else {
        out->ratio = ax_stats_insufficient(sample->count);
    }
}

ax_status
ax_calibration_of(struct ax_ctx *ctx, const struct ax_score_sample *sample, size_t band_count,
                  struct ax_calibration *out_calibration)
{
    AX_TRY(check(ctx, sample, band_count));
    struct ax_calibration_band *bands =
        AX_NEW_ARRAY(ctx->arena, struct ax_calibration_band, band_count);
    if (!bands)
        return no_memory(ctx);
    size_t count = 0;
    AX_TRY(ax_calibration_bands(ctx, sample, band_count, bands, &count));
    struct ax_calibration calibration = {};
    fit(sample, &calibration);
    if (sample->count > 0) {
        test_bands(bands, count, &calibration);
        test_rows(sample, &calibration);
    } else {
        calibration.ratio = ax_stats_insufficient(0);
    }
    *out_calibration = calibration;
    return AX_OK;
}
