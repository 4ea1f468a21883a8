#include "numeric/calibration.h"

#include <math.h>

#include "harness.h"
#include "numeric/distribution.h"
#include "numeric/random.h"

#define CHECK_NEAR(got, want, tolerance) check_near(__LINE__, #got, got, want, tolerance)

static void
check_near(int line, const char *what, double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        ax_test_failed(__FILE__, line, "%s is %.17g, not %.17g", what, got, want);
}

enum { ROWS = 2'000 };
static double scores[ROWS];
static uint8_t labels[ROWS];

/* Labels drawn with odds exp(intercept + slope * logit(score)). */
static struct ax_score_sample
make_sample(uint64_t seed, double intercept, double slope, size_t count)
{
    struct ax_random random = ax_random_of(seed, 0);
    for (size_t i = 0; i < count; i++) {
        double margin = -1 + 1.2 * ax_random_normal(&random);
        scores[i] = 1 / (1 + exp(-margin));
        labels[i] = ax_random_unit(&random) < 1 / (1 + exp(-(intercept + slope * margin)));
    }
    return (struct ax_score_sample){.score = scores, .label = labels, .count = count, .seed = 3};
}

static void
bands_body(struct ax_ctx *ctx)
{
    static const double score[] = {.1, .1, .1, .1, .2, .3, .4, .5, .6, .7};
    static const uint8_t label[] = {0, 0, 0, 1, 0, 1, 0, 0, 1, 1};
    struct ax_score_sample sample = {.score = score, .label = label, .count = 10};
    struct ax_calibration_band bands[5];
    size_t count = 0;
    CHECK_EQ(ax_calibration_bands(ctx, &sample, 5, bands, &count), AX_OK);
    /* The tie of four fills the first two bands of two rows. */
    CHECK_EQ(count, 4);
    static const struct {
        uint64_t rows, events;
        double mean;
    } want[] = {{4, 1, .1}, {2, 1, .25}, {2, 0, .45}, {2, 2, .65}};
    for (size_t b = 0; b < count; b++) {
        CHECK_EQ(bands[b].rows, want[b].rows);
        CHECK_EQ(bands[b].events, want[b].events);
        CHECK_NEAR(bands[b].mean_predicted, want[b].mean, 1e-15);
        CHECK_NEAR(bands[b].observed.value, (double)want[b].events / (double)want[b].rows, 0);
        CHECK(bands[b].jeffreys_p > 0 && bands[b].jeffreys_p <= 1);
        CHECK(!bands[b].observed.sufficient);
    }
    CHECK_NEAR(bands[1].binomial_p, 1 - .75 * .75, 1e-13);
    CHECK_EQ(ax_calibration_rank_breaks(bands, count), 1);
    CHECK_EQ(ax_calibration_bands(ctx, &sample, 0, bands, &count), AX_INVALID);
    static const double constant[] = {.3, .3, .3, .3, .3, .3, .3, .3, .3, .3};
    sample.score = constant;
    CHECK_EQ(ax_calibration_bands(ctx, &sample, 5, bands, &count), AX_OK);
    CHECK_EQ(count, 1);
    sample.count = 0;
    CHECK_EQ(ax_calibration_bands(ctx, &sample, 5, bands, &count), AX_OK);
    CHECK_EQ(count, 0);
}

TEST(calibration_bands_never_split_a_tie_R28)
{
    ax_test_with_ctx(bands_body);
}

static void
even_bands_body(struct ax_ctx *ctx)
{
    struct ax_score_sample sample = make_sample(1, 0, 1, 1'003);
    struct ax_calibration_band bands[10];
    size_t count = 0;
    CHECK_EQ(ax_calibration_bands(ctx, &sample, 10, bands, &count), AX_OK);
    CHECK_EQ(count, 10);
    uint64_t rows = 0;
    for (size_t b = 0; b < count; b++) {
        CHECK(bands[b].rows == 100 || bands[b].rows == 101);
        CHECK(b == 0 || bands[b].score_min > bands[b - 1].score_max);
        rows += bands[b].rows;
    }
    CHECK_EQ(rows, 1'003);
}

TEST(calibration_bands_hold_equal_counts)
{
    ax_test_with_ctx(even_bands_body);
}

static void
slope_body(struct ax_ctx *ctx)
{
    static const struct {
        double intercept, slope;
    } cases[] = {{0, 1}, {0.7, 1}, {0, 0.5}, {-0.4, 1.6}};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_score_sample sample = make_sample(i, cases[i].intercept, cases[i].slope, ROWS);
        struct ax_calibration got;
        CHECK_EQ(ax_calibration_of(ctx, &sample, 10, &got), AX_OK);
        CHECK(got.slope.sufficient && got.slope.low < cases[i].slope &&
              cases[i].slope < got.slope.high);
        CHECK(got.slope.high - got.slope.low < 0.4);
        if (cases[i].slope == 1)
            CHECK(got.intercept.low < cases[i].intercept &&
                  cases[i].intercept < got.intercept.high);
        bool right = cases[i].intercept == 0 && cases[i].slope == 1;
        CHECK(right ? got.hosmer_lemeshow_p > 0.01 : got.hosmer_lemeshow_p < 0.001);
        CHECK(right ? got.spiegelhalter_p > 0.01 : got.spiegelhalter_p < 0.05);
        CHECK((got.ratio.low < 1 && 1 < got.ratio.high) == right || cases[i].slope != 1);
        /* The score equation of the intercept: with it, predictions add up to the events. */
        double sum = 0;
        for (int r = 0; r < ROWS; r++) {
            double p = scores[r];
            sum += labels[r] - 1 / (1 + exp(-(got.intercept.value + log(p / (1 - p)))));
        }
        CHECK_NEAR(sum, 0, 1e-6);
    }
}

TEST(calibration_finds_the_slope_and_intercept_that_made_the_labels)
{
    ax_test_with_ctx(slope_body);
}

static void
parts_body(struct ax_ctx *ctx)
{
    /* Three scores, so that bands are the scores and Murphy's identity is exact. */
    static const double score[] = {.2, .5, .9};
    static double p[300];
    static uint8_t y[300];
    struct ax_random random = ax_random_of(4, 0);
    for (int i = 0; i < 300; i++) {
        p[i] = score[i % 3];
        y[i] = ax_random_unit(&random) < p[i] * 0.8;
    }
    struct ax_score_sample sample = {.score = p, .label = y, .count = 300};
    struct ax_calibration got;
    ax_estimate brier, error;
    CHECK_EQ(ax_calibration_of(ctx, &sample, 3, &got), AX_OK);
    CHECK_EQ(ax_score_brier(ctx, &sample, &brier), AX_OK);
    CHECK_NEAR(got.reliability - got.resolution + got.uncertainty, brier.value, 1e-14);
    double statistic = 0, gap = 0;
    for (int b = 0; b < 3; b++) {
        double events = 0;
        for (int i = b; i < 300; i += 3)
            events += y[i];
        double expected = 100 * score[b];
        statistic += (events - expected) * (events - expected) / (expected * (1 - score[b]));
        gap += fabs(events - expected) / 300;
    }
    CHECK_NEAR(got.hosmer_lemeshow, statistic, 1e-11);
    CHECK_NEAR(got.hosmer_lemeshow_p, ax_distribution_chi2_above(statistic, 1), 1e-12);
    CHECK_EQ(ax_calibration_error(ctx, &sample, 3, &error), AX_OK);
    CHECK_NEAR(error.value, gap, 1e-14);
    CHECK(error.sufficient && error.low < error.high);
}

TEST(calibration_parts_add_up_to_the_brier_score)
{
    ax_test_with_ctx(parts_body);
}

static void
few_body(struct ax_ctx *ctx)
{
    static const double score[] = {.1, .2, .8, .9};
    static const uint8_t label[] = {0, 0, 1, 1};
    struct ax_score_sample sample = {.score = score, .label = label, .count = 4};
    struct ax_calibration got;
    ax_estimate error;
    CHECK_EQ(ax_calibration_of(ctx, &sample, 2, &got), AX_OK);
    CHECK(!got.slope.sufficient && !got.intercept.sufficient && !got.ratio.sufficient);
    CHECK(isnan(got.hosmer_lemeshow_p));
    CHECK_EQ(ax_calibration_error(ctx, &sample, 2, &error), AX_OK);
    CHECK(!error.sufficient);
    sample.count = 0;
    CHECK_EQ(ax_calibration_of(ctx, &sample, 2, &got), AX_OK);
    CHECK(!got.ratio.sufficient);
    sample.count = 4;
    static const double wrong[] = {.1, .2, 1.8, .9};
    sample.score = wrong;
    CHECK_EQ(ax_calibration_of(ctx, &sample, 2, &got), AX_INVALID);
    CHECK(strstr(ctx->error, "row 2"));
}

TEST(calibration_of_few_rows_is_insufficient_R35)
{
    ax_test_with_ctx(few_body);
}

static void
separated_body(struct ax_ctx *ctx)
{
    for (int i = 0; i < 100; i++) {
        labels[i] = i >= 50;
        scores[i] = i >= 50 ? 0.7 : 0.3;
    }
    struct ax_score_sample sample = {.score = scores, .label = labels, .count = 100};
    struct ax_calibration got;
    CHECK_EQ(ax_calibration_of(ctx, &sample, 10, &got), AX_OK);
    CHECK(!got.slope.sufficient || got.slope.value > 5); /* no finite slope is the likeliest */
    CHECK(got.intercept.sufficient && fabs(got.intercept.value) < 1e-9);
    for (int i = 0; i < 100; i++)
        scores[i] = i < 50; /* certain, and wrong in every row */
    CHECK_EQ(ax_calibration_of(ctx, &sample, 10, &got), AX_OK);
    CHECK(isinf(got.hosmer_lemeshow));
}

TEST(calibration_of_separated_classes_does_not_run_away)
{
    ax_test_with_ctx(separated_body);
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    static const double score[] = {.1, .2, .8, .9};
    static const uint8_t label[] = {0, 0, 1, 1};
    const struct ax_score_sample sample = {.score = score, .label = label, .count = 4};
    struct ax_calibration got;
    ax_estimate error;
    AX_TRY(ax_calibration_of(ctx, &sample, 2, &got));
    return ax_calibration_error(ctx, &sample, 2, &error);
}

TEST(calibration_notices_every_shortage_of_memory)
{
    FAULT_SWEEP(sweep_body);
}
