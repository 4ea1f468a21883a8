#include "learner/evaluation.h"

#include <math.h>

#include "harness.h"
#include "numeric/random.h"

enum { ROWS = 400 };
static double scores[ROWS];
static uint8_t labels[ROWS];

static struct ax_score_sample
sample_of(size_t count)
{
    struct ax_random random = ax_random_of(11, 0);
    for (int i = 0; i < ROWS; i++) {
        scores[i] = 1 / (1 + exp(-1.5 * ax_random_normal(&random)));
        labels[i] = ax_random_unit(&random) < scores[i];
    }
    return (struct ax_score_sample){.score = scores, .label = labels, .count = count, .seed = 5};
}

static void
check_estimate(const ax_estimate *estimate)
{
    CHECK(estimate->sufficient && estimate->count == ROWS);
    CHECK(estimate->low <= estimate->value && estimate->value <= estimate->high);
    CHECK(estimate->level == 0.95);
}

static void
figures_body(struct ax_ctx *ctx)
{
    struct ax_score_sample sample = sample_of(ROWS);
    struct ax_evaluation evaluation;
    CHECK_EQ(ax_evaluation_of(ctx, &sample, &evaluation), AX_OK);
    check_estimate(&evaluation.auc);
    check_estimate(&evaluation.gini);
    check_estimate(&evaluation.ks);
    check_estimate(&evaluation.brier);
    check_estimate(&evaluation.log_loss);
    CHECK(fabs(evaluation.gini.value - (2 * evaluation.auc.value - 1)) < 1e-12);
    /* Labels were drawn from the scores: their own intervals hold the right calibration. */
    CHECK(evaluation.calibration.slope.low < 1 && evaluation.calibration.slope.high > 1);
    CHECK(evaluation.calibration.intercept.low < 0 && evaluation.calibration.intercept.high > 0);
    double pairs = 0, won = 0, squares = 0;
    for (int i = 0; i < ROWS; i++) {
        squares += (scores[i] - labels[i]) * (scores[i] - labels[i]);
        for (int j = 0; j < ROWS; j++) {
            if (labels[i] && !labels[j]) {
                pairs++;
                won += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
            }
        }
    }
    CHECK(fabs(evaluation.auc.value - won / pairs) < 1e-12);
    CHECK(fabs(evaluation.brier.value - squares / ROWS) < 1e-12);
    uint64_t rows = 0, events = 0;
    for (size_t i = 0; i < evaluation.band_count; i++) {
        rows += evaluation.bands[i].rows;
        events += evaluation.bands[i].events;
    }
    CHECK(rows == ROWS && events == evaluation.events);
}

TEST(evaluation_gives_each_figure_its_interval)
{
    ax_test_with_ctx(figures_body);
}

static void
written_body(struct ax_ctx *ctx)
{
    static const char *const figures[] = {"auc", "gini", "ks", "brier", "log_loss"};
    struct ax_score_sample sample = sample_of(ROWS);
    struct ax_evaluation evaluation;
    const struct ax_json *json = NULL;
    double value = 0;
    bool sufficient = true;
    CHECK_EQ(ax_evaluation_of(ctx, &sample, &evaluation), AX_OK);
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 16);
    struct ax_json_writer out = ax_json_writer_of(&text);
    ax_evaluation_write(&evaluation, &out);
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&text), NULL, &json), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(figures); i++)
        CHECK(ax_json_f64(ax_json_find(ax_json_find(json, figures[i]), "low"), &value));
    const struct ax_json *calibration = ax_json_find(json, "calibration");
    CHECK(ax_json_f64(ax_json_find(ax_json_find(calibration, "slope"), "high"), &value));
    CHECK_EQ(ax_json_count(ax_json_find(calibration, "bands")), evaluation.band_count);

    sample = sample_of(12); /* too few for any judgement */
    CHECK_EQ(ax_evaluation_of(ctx, &sample, &evaluation), AX_OK);
    ax_writer_clear(&text);
    out = ax_json_writer_of(&text);
    ax_evaluation_write(&evaluation, &out);
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&text), NULL, &json), AX_OK);
    const struct ax_json *auc = ax_json_find(json, "auc");
    CHECK(ax_json_bool(ax_json_find(auc, "sufficient"), &sufficient) && !sufficient);
    CHECK(!evaluation.brier.sufficient && !evaluation.calibration.slope.sufficient);
}

TEST(evaluation_of_too_few_rows_is_insufficient)
{
    ax_test_with_ctx(written_body);
}

static void
refused_body(struct ax_ctx *ctx)
{
    struct ax_score_sample sample = sample_of(ROWS);
    struct ax_evaluation evaluation;
    scores[17] = 1.25;
    CHECK_EQ(ax_evaluation_of(ctx, &sample, &evaluation), AX_INVALID);
    CHECK(strstr(ctx->error, "row 17: the score 1.25 is no probability"));
    scores[17] = (double)NAN;
    CHECK_EQ(ax_evaluation_of(ctx, &sample, &evaluation), AX_INVALID);
    CHECK(strstr(ctx->error, "17"));
}

TEST(evaluation_refuses_scores_that_are_no_probabilities)
{
    ax_test_with_ctx(refused_body);
}

static ax_status
sweep_body(struct ax_ctx *ctx)
{
    const struct ax_score_sample sample = {.score = scores, .label = labels, .count = 40};
    struct ax_evaluation evaluation;
    return ax_evaluation_of(ctx, &sample, &evaluation);
}

TEST(evaluation_notices_every_shortage_of_memory)
{
    sample_of(ROWS);
    FAULT_SWEEP(sweep_body);
}
