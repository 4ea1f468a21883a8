#include "numeric/score.h"

#include <math.h>

#include "harness.h"
#include "numeric/random.h"

#define CHECK_NEAR(got, want, tolerance) check_near(__LINE__, #got, got, want, tolerance)

static void
check_near(int line, const char *what, double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        ax_test_failed(__FILE__, line, "%s is %.17g, not %.17g", what, got, want);
}

enum { ROWS = 300 };

/* Rows whose events score higher, with many ties. */
static struct ax_score_sample
make_sample(uint64_t seed, double *score, uint8_t *label, int distinct)
{
    struct ax_random random = ax_random_of(seed, 0);
    for (int i = 0; i < ROWS; i++) {
        label[i] = ax_random_unit(&random) < 0.3;
        double unit = 0.5 + 0.2 * ax_random_normal(&random) + (label[i] ? 0.15 : 0);
        score[i] = fmin(fmax(floor(unit * distinct) / distinct, 0), 1);
    }
    return (struct ax_score_sample){.score = score, .label = label, .count = ROWS, .seed = 5};
}

/* DeLong by its definition: all pairs, then the two variances. */
static void
auc_of_pairs(const struct ax_score_sample *sample, double *out_auc, double *out_error)
{
    double v10[ROWS] = {}, v01[ROWS] = {}, events = 0, others = 0, sum = 0;
    for (size_t i = 0; i < sample->count; i++) {
        events += sample->label[i];
        others += !sample->label[i];
        for (size_t j = 0; j < sample->count; j++) {
            if (!sample->label[i] || sample->label[j])
                continue;
            double win = sample->score[i] > sample->score[j]    ? 1
                         : sample->score[i] == sample->score[j] ? 0.5
                                                                : 0;
            v10[i] += win;
            v01[j] += win;
            sum += win;
        }
    }
    double auc = sum / events / others, s10 = 0, s01 = 0;
    for (size_t i = 0; i < sample->count; i++) {
        double d = sample->label[i] ? v10[i] / others - auc : v01[i] / events - auc;
        *(sample->label[i] ? &s10 : &s01) += d * d;
    }
    *out_auc = auc;
    *out_error = sqrt(s10 / (events - 1) / events + s01 / (others - 1) / others);
}

static void
auc_body(struct ax_ctx *ctx)
{
    double score[ROWS], reversed[ROWS];
    uint8_t label[ROWS];
    static const int distinct[] = {2, 7, 40, 100'000};
    for (size_t d = 0; d < AX_COUNT_OF(distinct); d++) {
        struct ax_score_sample sample = make_sample(d, score, label, distinct[d]);
        double want = 0, error = 0;
        auc_of_pairs(&sample, &want, &error);
        ax_estimate auc, gini, difference;
        CHECK_EQ(ax_score_auc(ctx, &sample, &auc), AX_OK);
        CHECK_NEAR(auc.value, want, 1e-13);
        CHECK_NEAR(auc.high - auc.value, 1.959963984540054 * error, 1e-12);
        CHECK_NEAR(auc.value - auc.low, 1.959963984540054 * error, 1e-12);
        CHECK(auc.sufficient && auc.count == ROWS);
        CHECK_EQ(ax_score_gini(ctx, &sample, &gini), AX_OK);
        CHECK_NEAR(gini.value, 2 * want - 1, 1e-13);
        CHECK_NEAR(gini.low, 2 * auc.low - 1, 1e-13);
        /* Against its own reverse the difference is 2 AUC - 1, with twice the error. */
        for (int i = 0; i < ROWS; i++)
            reversed[i] = -score[i];
        double p = 0;
        CHECK_EQ(ax_score_auc_difference(ctx, &sample, reversed, &difference, &p), AX_OK);
        CHECK_NEAR(difference.value, 2 * want - 1, 1e-13);
        CHECK_NEAR(difference.high - difference.value, 2 * (auc.high - auc.value), 1e-12);
        CHECK_EQ(ax_score_auc_difference(ctx, &sample, score, &difference, &p), AX_OK);
        CHECK(difference.value == 0 && p == 1);
    }
}

TEST(score_auc_and_its_interval_are_those_of_all_pairs_R28)
{
    ax_test_with_ctx(auc_body);
}

static void
perfect_body(struct ax_ctx *ctx)
{
    double score[40];
    uint8_t label[40];
    for (int i = 0; i < 40; i++) {
        label[i] = i >= 28;
        score[i] = i;
    }
    struct ax_score_sample sample = {.score = score, .label = label, .count = 40};
    ax_estimate auc;
    CHECK_EQ(ax_score_auc(ctx, &sample, &auc), AX_OK);
    CHECK(auc.value == 1 && auc.high == 1 && auc.low > 0.7 && auc.low < 0.9 && auc.sufficient);
    sample.count = 37; /* nine events: too few to judge, the figure is given all the same */
    CHECK_EQ(ax_score_auc(ctx, &sample, &auc), AX_OK);
    CHECK(auc.value == 1 && !auc.sufficient && isnan(auc.low));
    sample.count = 20; /* no event */
    CHECK_EQ(ax_score_auc(ctx, &sample, &auc), AX_OK);
    CHECK(isnan(auc.value) && !auc.sufficient);
    sample.count = 0;
    CHECK_EQ(ax_score_auc(ctx, &sample, &auc), AX_OK);
    CHECK(isnan(auc.value) && !auc.sufficient);
    sample.count = 40;
    score[7] = (double)NAN;
    CHECK_EQ(ax_score_auc(ctx, &sample, &auc), AX_INVALID);
    CHECK(strstr(ctx->error, "row 7"));
    score[7] = 7;
    label[3] = 2;
    CHECK_EQ(ax_score_ks(ctx, &sample, &auc), AX_INVALID);
    CHECK(strstr(ctx->error, "row 3"));
}

TEST(score_of_few_rows_is_insufficient_never_good_R35)
{
    ax_test_with_ctx(perfect_body);
}

/* scikit-learn's documentation: roc_auc_score, average_precision_score, brier, log_loss. */
static void
published_body(struct ax_ctx *ctx)
{
    static const double score[] = {0.1, 0.4, 0.35, 0.8};
    static const uint8_t label[] = {0, 0, 1, 1};
    struct ax_score_sample sample = {.score = score, .label = label, .count = 4};
    ax_estimate got;
    CHECK_EQ(ax_score_auc(ctx, &sample, &got), AX_OK);
    CHECK_NEAR(got.value, 0.75, 1e-15);
    CHECK_EQ(ax_score_average_precision(ctx, &sample, &got), AX_OK);
    CHECK_NEAR(got.value, 0.8333333333333333, 1e-15);
    static const double p[] = {0.1, 0.9, 0.8, 0.3};
    static const uint8_t y[] = {0, 1, 1, 0};
    sample = (struct ax_score_sample){.score = p, .label = y, .count = 4};
    CHECK_EQ(ax_score_brier(ctx, &sample, &got), AX_OK);
    CHECK_NEAR(got.value, 0.0375, 1e-15);
    static const double spam[] = {0.9, 0.1, 0.2, 0.65};
    static const uint8_t is_spam[] = {1, 0, 0, 1};
    sample = (struct ax_score_sample){.score = spam, .label = is_spam, .count = 4};
    CHECK_EQ(ax_score_log_loss(ctx, &sample, &got), AX_OK);
    CHECK_NEAR(got.value, 0.21616, 5e-6);
    static const double sure[] = {0, 1, 1, 0};
    sample = (struct ax_score_sample){.score = sure, .label = is_spam, .count = 4};
    CHECK_EQ(ax_score_log_loss(ctx, &sample, &got), AX_OK);
    CHECK_NEAR(got.value, 52 * log(2.0), 1e-9); /* clipped, not infinite */
    static const double too_much[] = {0, 1, 1.5, 0};
    sample.score = too_much;
    CHECK_EQ(ax_score_brier(ctx, &sample, &got), AX_INVALID);
}

TEST(score_agrees_with_published_examples)
{
    ax_test_with_ctx(published_body);
}

/* KS over every threshold, and average precision over every distinct score, the slow way. */
static double
ks_of_thresholds(const struct ax_score_sample *sample, double *out_precision)
{
    double largest = 0, average = 0, all_events = 0, all_others = 0, recall_before = 0;
    for (size_t i = 0; i < sample->count; i++) {
        all_events += sample->label[i];
        all_others += !sample->label[i];
    }
    double threshold = (double)INFINITY;
    for (;;) {
        double next = -(double)INFINITY;
        for (size_t i = 0; i < sample->count; i++) {
            if (sample->score[i] < threshold && sample->score[i] > next)
                next = sample->score[i];
        }
        if (isinf(next))
            break;
        threshold = next;
        double events = 0, others = 0;
        for (size_t i = 0; i < sample->count; i++) {
            events += sample->label[i] && sample->score[i] >= threshold;
            others += !sample->label[i] && sample->score[i] >= threshold;
        }
        largest = fmax(largest, fabs(events / all_events - others / all_others));
        average += (events / all_events - recall_before) * events / (events + others);
        recall_before = events / all_events;
    }
    *out_precision = average;
    return largest;
}

static void
sweeps_body(struct ax_ctx *ctx)
{
    double score[ROWS];
    uint8_t label[ROWS];
    static const int distinct[] = {3, 50, 100'000};
    for (size_t d = 0; d < AX_COUNT_OF(distinct); d++) {
        struct ax_score_sample sample = make_sample(10 + d, score, label, distinct[d]);
        double precision = 0, want = ks_of_thresholds(&sample, &precision);
        ax_estimate ks, again, average;
        CHECK_EQ(ax_score_ks(ctx, &sample, &ks), AX_OK);
        CHECK_NEAR(ks.value, want, 1e-13);
        CHECK(ks.low < ks.high && ks.low <= ks.value && ks.sufficient);
        CHECK_EQ(ax_score_ks(ctx, &sample, &again), AX_OK);
        CHECK(again.low == ks.low && again.high == ks.high);
        CHECK_EQ(ax_score_average_precision(ctx, &sample, &average), AX_OK);
        CHECK_NEAR(average.value, precision, 1e-13);
        CHECK(average.low < average.value && average.value < average.high);
    }
}

TEST(score_ks_and_precision_are_those_of_every_threshold)
{
    ax_test_with_ctx(sweeps_body);
}

static void
order_body(struct ax_ctx *ctx)
{
    double score[ROWS], mixed_score[ROWS];
    uint8_t label[ROWS], mixed_label[ROWS];
    struct ax_score_sample sample = make_sample(21, score, label, 12), mixed = sample;
    uint32_t order[ROWS];
    for (uint32_t i = 0; i < ROWS; i++)
        order[i] = i;
    struct ax_random random = ax_random_of(1, 1);
    ax_random_shuffle(&random, order, ROWS);
    for (int i = 0; i < ROWS; i++) {
        mixed_score[i] = score[order[i]];
        mixed_label[i] = label[order[i]];
    }
    mixed.score = mixed_score;
    mixed.label = mixed_label;
    ax_estimate a, b;
    CHECK_EQ(ax_score_ks(ctx, &sample, &a), AX_OK);
    CHECK_EQ(ax_score_ks(ctx, &mixed, &b), AX_OK);
    CHECK(a.value == b.value && a.low == b.low && a.high == b.high);
    CHECK_EQ(ax_score_average_precision(ctx, &sample, &a), AX_OK);
    CHECK_EQ(ax_score_average_precision(ctx, &mixed, &b), AX_OK);
    CHECK(a.value == b.value && a.low == b.low && a.high == b.high);
    struct ax_score_top x, y;
    CHECK_EQ(ax_score_top(ctx, &sample, 0.13, &x), AX_OK);
    CHECK_EQ(ax_score_top(ctx, &mixed, 0.13, &y), AX_OK);
    CHECK(x.events == y.events && x.lift == y.lift);
}

TEST(score_does_not_depend_on_the_order_of_rows)
{
    ax_test_with_ctx(order_body);
}

static void
top_body(struct ax_ctx *ctx)
{
    static const double score[] = {9, 8, 8, 8, 8, 1, 1, 1, 1, 1};
    static const uint8_t label[] = {1, 1, 1, 0, 0, 1, 0, 0, 0, 0};
    struct ax_score_sample sample = {.score = score, .label = label, .count = 10};
    struct ax_score_top top;
    CHECK_EQ(ax_score_top(ctx, &sample, 0.3, &top), AX_OK);
    CHECK_NEAR(top.events, 2, 1e-15); /* the first, and two of the four ties, half of them events */
    CHECK_NEAR(top.precision.value, 2.0 / 3, 1e-15);
    CHECK_NEAR(top.recall, 0.5, 1e-15);
    CHECK_NEAR(top.lift, 2.0 / 3 / 0.4, 1e-14);
    CHECK(!top.precision.sufficient);
    CHECK_EQ(ax_score_top(ctx, &sample, 1, &top), AX_OK);
    CHECK(top.recall == 1 && fabs(top.lift - 1) < 1e-15);
    CHECK_EQ(ax_score_top(ctx, &sample, 0, &top), AX_INVALID);
    CHECK_EQ(ax_score_top(ctx, &sample, (double)NAN, &top), AX_INVALID);
}

TEST(score_top_shares_out_ties)
{
    ax_test_with_ctx(top_body);
}

/* The interval holds the true AUC about as often as it says. */
static void
coverage_body(struct ax_ctx *ctx)
{
    enum { TRIALS = 300, N = 200 };
    double score[N];
    uint8_t label[N];
    struct ax_random random = ax_random_of(77, 0);
    double truth = 0.5 * erfc(-1 / sqrt(2.0) * M_SQRT1_2); /* normals one apart */
    int held = 0;
    for (int t = 0; t < TRIALS; t++) {
        for (int i = 0; i < N; i++) {
            label[i] = i % 3 == 0;
            score[i] = ax_random_normal(&random) + label[i];
        }
        struct ax_score_sample sample = {.score = score, .label = label, .count = N};
        ax_estimate auc;
        CHECK_EQ(ax_score_auc(ctx, &sample, &auc), AX_OK);
        held += auc.low <= truth && truth <= auc.high;
        ax_arena_reset(ctx->arena);
    }
    CHECK(held >= 268 && held <= 299); /* 285 expected */
}

TEST(score_auc_interval_covers_the_truth)
{
    ax_test_with_ctx(coverage_body);
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    static const double score[] = {1, 2, 2, 3};
    static const uint8_t label[] = {0, 1, 0, 1};
    const struct ax_score_sample sample = {.score = score, .label = label, .count = 4};
    ax_estimate estimate;
    double p = 0;
    struct ax_score_top top;
    AX_TRY(ax_score_auc(ctx, &sample, &estimate));
    AX_TRY(ax_score_auc_difference(ctx, &sample, score, &estimate, &p));
    AX_TRY(ax_score_ks(ctx, &sample, &estimate));
    return ax_score_top(ctx, &sample, 0.5, &top);
}

TEST(score_notices_every_shortage_of_memory)
{
    FAULT_SWEEP(sweep_body);
}
