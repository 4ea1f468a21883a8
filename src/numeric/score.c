#include "numeric/score.h"

#include <math.h>

#include "base/assert.h"
#include "numeric/distribution.h"
#include "numeric/random.h"

enum { RESAMPLE_STREAM = 0x5c0e };

/* Rows in the order of their scores, ties together: what every figure here is swept over. */
struct ranking {
    const double *score;
    uint32_t *rows; /* ascending by score */
    size_t count;
    size_t events, others; /* rows with label 1 and 0 */
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for the scores");
}

static double
level_of(const struct ax_score_sample *sample)
{
    return sample->level > 0 ? sample->level : 0.95;
}

ax_status
ax_score_check(struct ax_ctx *ctx, const struct ax_score_sample *sample)
{
    if (sample->count >= UINT32_MAX)
        return ax_fail(ctx, AX_LIMIT, "%zu scores are too many", sample->count);
    for (size_t i = 0; i < sample->count; i++) {
        if (!isfinite(sample->score[i]))
            return ax_fail(ctx, AX_INVALID, "score of row %zu is not a finite number", i);
        if (sample->label[i] > 1)
            return ax_fail(ctx, AX_INVALID, "label of row %zu is %d, not 0 or 1", i,
                           sample->label[i]);
    }
    return AX_OK;
}

static ax_status
check_probabilities(struct ax_ctx *ctx, const struct ax_score_sample *sample)
{
    AX_TRY(ax_score_check(ctx, sample));
    for (size_t i = 0; i < sample->count; i++) {
        if (sample->score[i] < 0 || sample->score[i] > 1)
            return ax_fail(ctx, AX_INVALID, "score of row %zu is no probability", i);
    }
    return AX_OK;
}

static ax_status
rank(struct ax_ctx *ctx, const struct ax_score_sample *sample, struct ranking *out_ranking)
{
    AX_TRY(ax_score_check(ctx, sample));
    struct ranking ranking = {.score = sample->score, .count = sample->count};
    AX_TRY(ax_stats_order(ctx, sample->score, sample->count, &ranking.rows));
    for (size_t i = 0; i < sample->count; i++)
        ranking.events += sample->label[i];
    ranking.others = ranking.count - ranking.events;
    *out_ranking = ranking;
    return AX_OK;
}

/* One past the last row with the score of row `from`. */
static size_t
tie_end(const struct ranking *ranking, size_t from)
{
    size_t to = from + 1;
    while (to < ranking->count &&
           ranking->score[ranking->rows[to]] == ranking->score[ranking->rows[from]])
        to++;
    return to;
}

static bool
enough(size_t events, size_t others)
{
    return events >= AX_SCORE_EVENTS_MIN && others >= AX_SCORE_EVENTS_MIN;
}

/* ---- AUC ---- */

/*
 * DeLong's placements: of an event, the share of the others that score lower; of another row, the
 * share of the events that score higher; ties count half.
 */
static ax_status
place(struct ax_ctx *ctx, const struct ax_score_sample *sample, const struct ranking *ranking,
      double **out_placements)
{
    double *placements = AX_NEW_ARRAY(ctx->arena, double, sample->count + 1);
    if (!placements)
        return no_memory(ctx);
    double events = (double)ranking->events, others = (double)ranking->others;
    double events_below = 0, others_below = 0;
    for (size_t from = 0, to; from < ranking->count; from = to) {
        to = tie_end(ranking, from);
        double events_here = 0;
        for (size_t i = from; i < to; i++)
            events_here += sample->label[ranking->rows[i]];
        double others_here = (double)(to - from) - events_here;
        for (size_t i = from; i < to; i++) {
            uint32_t row = ranking->rows[i];
            placements[row] = sample->label[row]
                                  ? (others_below + others_here / 2) / others
                                  : (events - events_below - events_here / 2) / events;
        }
        events_below += events_here;
        others_below += others_here;
    }
    *out_placements = placements;
    return AX_OK;
}

/* Mean over the events, and its variance from both classes. */
static void
delong(const double *placements, const struct ax_score_sample *sample, double *out_mean,
       double *out_variance)
{
    struct ax_moments events = {}, others = {};
    for (size_t i = 0; i < sample->count; i++)
        ax_stats_add(sample->label[i] ? &events : &others, placements[i]);
    *out_mean = events.mean;
    *out_variance = ax_stats_variance(&events) / (double)events.count +
                    ax_stats_variance(&others) / (double)others.count;
}

ax_status
ax_score_auc(struct ax_ctx *ctx, const struct ax_score_sample *sample, ax_estimate *out_auc)
{
    struct ranking ranking;
    AX_TRY(rank(ctx, sample, &ranking));
    ax_estimate auc = ax_stats_insufficient(sample->count);
    if (ranking.events > 0 && ranking.others > 0) {
        double *placements = NULL;
        AX_TRY(place(ctx, sample, &ranking, &placements));
        double variance = 0;
        delong(placements, sample, &auc.value, &variance);
        if (enough(ranking.events, ranking.others)) {
            double level = level_of(sample);
            double half = ax_distribution_normal_quantile(0.5 + level / 2) * sqrt(variance);
            auc.low = fmax(0, auc.value - half);
            auc.high = fmin(1, auc.value + half);
            auc.level = level;
            auc.sufficient = true;
            if (auc.value == 0 || auc.value == 1) {
                size_t few = ranking.events < ranking.others ? ranking.events : ranking.others;
                ax_estimate sure = ax_stats_jeffreys(auc.value == 1 ? few : 0, few, level);
                auc.low = sure.low;
                auc.high = sure.high;
            }
        }
    }
    *out_auc = auc;
    return AX_OK;
}

ax_status
ax_score_gini(struct ax_ctx *ctx, const struct ax_score_sample *sample, ax_estimate *out_gini)
{
    ax_estimate auc;
    AX_TRY(ax_score_auc(ctx, sample, &auc));
    auc.value = 2 * auc.value - 1;
    auc.low = 2 * auc.low - 1;
    auc.high = 2 * auc.high - 1;
    *out_gini = auc;
    return AX_OK;
}

ax_status
ax_score_auc_difference(struct ax_ctx *ctx, const struct ax_score_sample *a, const double *b_score,
                        ax_estimate *out_difference, double *out_p_value)
{
    struct ax_score_sample b = *a;
    b.score = b_score;
    struct ranking a_ranking, b_ranking;
    AX_TRY(rank(ctx, a, &a_ranking));
    AX_TRY(rank(ctx, &b, &b_ranking));
    ax_estimate difference = ax_stats_insufficient(a->count);
    double p_value = (double)NAN;
    if (enough(a_ranking.events, a_ranking.others)) {
        double *a_places = NULL, *b_places = NULL, variance = 0;
        AX_TRY(place(ctx, a, &a_ranking, &a_places));
        AX_TRY(place(ctx, &b, &b_ranking, &b_places));
        /* The variance of a difference of means is that of the rows' differences. */
        for (size_t i = 0; i < a->count; i++)
            a_places[i] -= b_places[i];
        delong(a_places, a, &difference.value, &variance);
        double error = sqrt(variance);
        difference.level = level_of(a);
        double half = ax_distribution_normal_quantile(0.5 + difference.level / 2) * error;
        difference.low = difference.value - half;
        difference.high = difference.value + half;
        difference.sufficient = true;
        p_value = error > 0 ? 2 * ax_distribution_normal_above(fabs(difference.value) / error)
                            : (difference.value == 0 ? 1 : 0);
    }
    *out_difference = difference;
    *out_p_value = p_value;
    return AX_OK;
}

/* ---- figures swept from the highest score down, and their bootstrap ---- */

/* Rows by distinct score, ascending. */
struct groups {
    uint32_t *of_event; /* group of each event, then of each other row */
    uint32_t *of_other;
    uint32_t *events; /* per group: the sample's or a resample's */
    uint32_t *others;
    size_t count;
    size_t event_total, other_total;
};

typedef double (*sweep)(const struct groups *groups);

static double
sweep_ks(const struct groups *groups)
{
    double events = 0, others = 0, largest = 0;
    for (size_t g = groups->count; g > 0; g--) {
        events += groups->events[g - 1];
        others += groups->others[g - 1];
        double distance =
            fabs(events / (double)groups->event_total - others / (double)groups->other_total);
        largest = distance > largest ? distance : largest;
    }
    return largest;
}

static double
sweep_average_precision(const struct groups *groups)
{
    double events = 0, rows = 0, sum = 0;
    for (size_t g = groups->count; g > 0; g--) {
        events += groups->events[g - 1];
        rows += groups->events[g - 1] + groups->others[g - 1];
        if (groups->events[g - 1] > 0)
            sum += groups->events[g - 1] * events / rows;
    }
    return sum / (double)groups->event_total;
}

static ax_status
group(struct ax_ctx *ctx, const struct ax_score_sample *sample, struct groups *out_groups)
{
    struct ranking ranking;
    AX_TRY(rank(ctx, sample, &ranking));
    struct groups groups = {.event_total = ranking.events, .other_total = ranking.others};
    groups.of_event = AX_NEW_ARRAY(ctx->arena, uint32_t, ranking.events + 1);
    groups.of_other = AX_NEW_ARRAY(ctx->arena, uint32_t, ranking.others + 1);
    groups.events = AX_NEW_ARRAY(ctx->arena, uint32_t, ranking.count + 1);
    groups.others = AX_NEW_ARRAY(ctx->arena, uint32_t, ranking.count + 1);
    if (!groups.of_event || !groups.of_other || !groups.events || !groups.others)
        return no_memory(ctx);
    size_t event = 0, other = 0;
    for (size_t from = 0, to; from < ranking.count; from = to, groups.count++) {
        to = tie_end(&ranking, from);
        for (size_t i = from; i < to; i++) {
            bool is_event = sample->label[ranking.rows[i]];
            if (is_event)
                groups.of_event[event++] = (uint32_t)groups.count;
            else
                groups.of_other[other++] = (uint32_t)groups.count;
            (is_event ? groups.events : groups.others)[groups.count]++;
        }
    }
    *out_groups = groups;
    return AX_OK;
}

static void
resample(struct groups *groups, struct ax_random *random)
{
    memset(groups->events, 0, groups->count * sizeof *groups->events);
    memset(groups->others, 0, groups->count * sizeof *groups->others);
    for (size_t i = 0; i < groups->event_total; i++)
        groups->events[groups->of_event[ax_random_below(random, groups->event_total)]]++;
    for (size_t i = 0; i < groups->other_total; i++)
        groups->others[groups->of_other[ax_random_below(random, groups->other_total)]]++;
}

/* The figure, and its percentile interval over resamples within each class. */
static ax_status
estimate(struct ax_ctx *ctx, const struct ax_score_sample *sample, sweep figure,
         ax_estimate *out_estimate)
{
    struct groups groups;
    AX_TRY(group(ctx, sample, &groups));
    double *figures = AX_NEW_ARRAY(ctx->arena, double, AX_SCORE_RESAMPLES);
    if (!figures)
        return no_memory(ctx);
    ax_estimate result = ax_stats_insufficient(sample->count);
    if (groups.event_total > 0 && groups.other_total > 0)
        result.value = figure(&groups);
    if (enough(groups.event_total, groups.other_total)) {
        struct ax_random random = ax_random_of(sample->seed, RESAMPLE_STREAM);
        for (int r = 0; r < AX_SCORE_RESAMPLES; r++) {
            resample(&groups, &random);
            figures[r] = figure(&groups);
        }
        ax_stats_sort(figures, AX_SCORE_RESAMPLES);
        result.level = level_of(sample);
        result.low = ax_stats_quantile(figures, AX_SCORE_RESAMPLES, (1 - result.level) / 2);
        result.high = ax_stats_quantile(figures, AX_SCORE_RESAMPLES, (1 + result.level) / 2);
        result.sufficient = true;
    }
    *out_estimate = result;
    return AX_OK;
}

ax_status
ax_score_ks(struct ax_ctx *ctx, const struct ax_score_sample *sample, ax_estimate *out_ks)
{
    return estimate(ctx, sample, sweep_ks, out_ks);
}

ax_status
ax_score_average_precision(struct ax_ctx *ctx, const struct ax_score_sample *sample,
                           ax_estimate *out_precision)
{
    return estimate(ctx, sample, sweep_average_precision, out_precision);
}

ax_status
ax_score_top(struct ax_ctx *ctx, const struct ax_score_sample *sample, double share,
             struct ax_score_top *out_top)
{
    if (!(share > 0 && share <= 1))
        return ax_fail(ctx, AX_INVALID, "the top share must be above 0 and at most 1");
    struct groups groups;
    AX_TRY(group(ctx, sample, &groups));
    struct ax_score_top top = {.rows = share * (double)sample->count};
    double left = top.rows;
    for (size_t g = groups.count; g > 0 && left > 0; g--) {
        double here = groups.events[g - 1] + groups.others[g - 1];
        double part = left < here ? left / here : 1;
        top.events += part * groups.events[g - 1];
        left -= here;
    }
    uint64_t rows = (uint64_t)llround(top.rows);
    uint64_t events = (uint64_t)llround(top.events);
    top.precision = ax_stats_wilson(events < rows ? events : rows, rows, level_of(sample));
    top.precision.value = rows > 0 ? top.events / top.rows : (double)NAN;
    top.precision.sufficient = rows >= AX_SCORE_EVENTS_MIN;
    top.recall = groups.event_total ? top.events / (double)groups.event_total : (double)NAN;
    top.lift = groups.event_total
                   ? top.precision.value * (double)sample->count / (double)groups.event_total
                   : (double)NAN;
    *out_top = top;
    return AX_OK;
}

/* ---- loss ---- */

static double
loss_squared(double p, bool event)
{
    return event ? (1 - p) * (1 - p) : p * p;
}

static double
loss_log(double p, bool event)
{
    p = fmin(fmax(p, 0x1p-52), 1 - 0x1p-52);
    return event ? -log(p) : -log1p(-p);
}

static ax_status
mean_loss(struct ax_ctx *ctx, const struct ax_score_sample *sample,
          double (*loss)(double p, bool event), ax_estimate *out_loss)
{
    AX_TRY(check_probabilities(ctx, sample));
    struct ax_moments moments = {};
    size_t events = 0;
    for (size_t i = 0; i < sample->count; i++) {
        ax_stats_add(&moments, loss(sample->score[i], sample->label[i]));
        events += sample->label[i];
    }
    ax_estimate result = ax_stats_mean(&moments, level_of(sample));
    result.low = fmax(0, result.low);
    result.sufficient = enough(events, sample->count - events);
    *out_loss = result;
    return AX_OK;
}

ax_status
ax_score_brier(struct ax_ctx *ctx, const struct ax_score_sample *sample, ax_estimate *out_brier)
{
    return mean_loss(ctx, sample, loss_squared, out_brier);
}

ax_status
ax_score_log_loss(struct ax_ctx *ctx, const struct ax_score_sample *sample, ax_estimate *out_loss)
{
    return mean_loss(ctx, sample, loss_log, out_loss);
}
