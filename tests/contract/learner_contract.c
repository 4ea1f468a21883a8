/*
 * What every learner must do (learner/learner.h): its file opens in the engine and answers, to the
 * last bit, what training says. A new learner goes on the list.
 */
#include <math.h>

#include "engine/engine.h"
#include "german_case.h"
#include "harness.h"
#include "learner/evaluation.h"
#include "learner/learner.h"
#include "learner/scorecard.h"

enum { ROOM_BYTES = 512 << 20, SCRATCH_BYTES = 1 << 20 };

static const struct learner {
    const char *name, *format, *parameters;
    bool monotone; /* it was asked that the bad rate rises with the duration */
} learners[] = {
    {"xgboost", "xgboost-ubjson", "{\"monotone\":{\"duration_in_month\":1}}", true},
    {"scorecard", "axiom.scorecard", "{\"monotone\":{\"duration_in_month\":1}}", true},
    {"logistic", "axiom.linear", "{}", false},
};

static ax_status
train(struct ax_ctx *ctx, const struct learner *learner, const struct ax_frame *rows,
      struct ax_learner_result *result)
{
    const struct ax_json *parameters = NULL;
    AX_TRY(ax_json_parse(ctx, ax_str_of(learner->parameters), NULL, &parameters));
    const struct ax_learner_input input = {
        .train = rows, .parameters = parameters, .seed = 20, .thread_count = 1};
    return ax_learner_train(ctx, ax_str_of(learner->name), &input, result);
}

/* One answer a row of the frame. */
static double *
answer_of(struct ax_ctx *ctx, const struct ax_engine *engine, const struct ax_frame *frame,
          unsigned output)
{
    size_t columns = frame->column_count;
    double *cells = AX_NEW_ARRAY(ctx->arena, double, frame->row_count *columns);
    double *out = AX_NEW_ARRAY(ctx->arena, double, frame->row_count);
    for (size_t r = 0; r < frame->row_count; r++)
        ax_frame_row(frame, r, cells + r * columns);
    const struct ax_engine_call call = {
        .rows = {.at = cells, .count = frame->row_count, .type = AX_ENGINE_F64}, .outputs = output};
    const struct ax_engine_answer answer = {.response = out, .margin = out, .points = out};
    CHECK(ax_engine_scratch_bytes(engine, output, NULL) <= SCRATCH_BYTES);
    void *scratch = ax_arena_alloc(ctx->arena, 1, SCRATCH_BYTES);
    if (ax_engine_score(engine, ctx, &call, scratch, &answer) != AX_OK)
        ax_test_failed(__FILE__, __LINE__, "%s", ctx->error);
    return out;
}

static void
check_probes(struct ax_ctx *ctx, const struct ax_engine *engine, const struct ax_frame *rows,
             const struct ax_learner_result *result)
{
    double *margins = answer_of(ctx, engine, rows, AX_ENGINE_MARGIN);
    CHECK_EQ(result->probe_count, AX_LEARNER_PROBES_MAX);
    size_t same = 0;
    for (size_t i = 0; i < result->probe_count; i++)
        same += memcmp(&margins[i], &result->probe_margins[i], sizeof *margins) == 0;
    CHECK_EQ(same, result->probe_count);
}

/* Names, and the tables of words where the file has them. */
static void
check_signature(const struct ax_engine *engine, const struct ax_frame *rows, const char *format)
{
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    CHECK(ax_str_eq(signature->format, ax_str_of(format)));
    CHECK_EQ(signature->feature_count, rows->column_count);
    for (size_t c = 0; c < rows->column_count; c++) {
        const struct ax_engine_feature *feature = &signature->features[c];
        CHECK(ax_str_eq(feature->name, rows->columns[c].name));
        CHECK_EQ(feature->categorical, rows->columns[c].kind == AX_FRAME_CATEGORY);
        for (size_t i = 0; feature->categories && i < feature->category_count; i++)
            CHECK(ax_str_eq(feature->categories[i], rows->columns[c].categories[i]));
    }
}

static void
for_each_learner(void (*body)(struct ax_ctx *ctx, const struct learner *learner))
{
    for (size_t i = 0; i < AX_COUNT_OF(learners); i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(ROOM_BYTES);
        struct ax_ctx ctx = ax_ctx_of(arena);
        body(&ctx, &learners[i]);
    }
}

static void
answers_body(struct ax_ctx *ctx, const struct learner *learner)
{
    struct ax_frame all = german_frame(ctx), rows = german_part(ctx, &all, 0, 8);
    struct ax_learner_result result = {}, again = {};
    CHECK_EQ(train(ctx, learner, &rows, &result), AX_OK);
    CHECK_EQ(train(ctx, learner, &rows, &again), AX_OK);
    CHECK(ax_str_eq(result.model, again.model)); /* a pure function of rows and seed */
    CHECK(ax_str_eq(result.format, ax_str_of(learner->format)));
    struct ax_engine *opened = NULL;
    CHECK_EQ(ax_engine_open(ctx, result.model, NULL, &opened), AX_OK);
    ax_auto(ax_engine_close) struct ax_engine *engine = opened;
    check_signature(engine, &rows, learner->format);
    check_probes(ctx, engine, &rows, &result);
}

TEST(learner_file_answers_the_bits_that_training_says)
{
    for_each_learner(answers_body);
}

/* Some cells emptied: the file must know what missing means wherever training saw it. */
static void
missing_body(struct ax_ctx *ctx, const struct learner *learner)
{
    struct ax_frame all = german_frame(ctx);
    struct ax_frame_column columns[GERMAN_COLUMNS];
    memcpy(columns, all.columns, sizeof columns);
    for (size_t c = 0; c < GERMAN_COLUMNS; c += 2) {
        double *values = AX_NEW_ARRAY(ctx->arena, double, GERMAN_ROWS);
        for (size_t r = 0; r < GERMAN_ROWS; r++)
            values[r] = (r + c) % 9 == 0 ? (double)NAN : columns[c].values[r];
        columns[c].values = values;
    }
    all.columns = columns;
    struct ax_learner_result result = {};
    CHECK_EQ(train(ctx, learner, &all, &result), AX_OK);
    struct ax_engine *opened = NULL;
    CHECK_EQ(ax_engine_open(ctx, result.model, NULL, &opened), AX_OK);
    ax_auto(ax_engine_close) struct ax_engine *engine = opened;
    check_probes(ctx, engine, &all, &result);
}

TEST(learner_file_knows_missing_values_as_training_did)
{
    for_each_learner(missing_body);
}

/* Held-out rows of the German data: published models of it lie between 0.72 and 0.82. */
static void
held_out_body(struct ax_ctx *ctx, const struct learner *learner)
{
    struct ax_frame all = german_frame(ctx), rows = german_part(ctx, &all, 0, 7);
    struct ax_frame held_out = german_part(ctx, &all, 7, 10);
    struct ax_learner_result result = {};
    CHECK_EQ(train(ctx, learner, &rows, &result), AX_OK);
    struct ax_engine *opened = NULL;
    CHECK_EQ(ax_engine_open(ctx, result.model, NULL, &opened), AX_OK);
    ax_auto(ax_engine_close) struct ax_engine *engine = opened;
    const struct ax_score_sample sample = {
        .score = answer_of(ctx, engine, &held_out, AX_ENGINE_RESPONSE),
        .label = held_out.labels,
        .count = held_out.row_count,
        .seed = 1};
    struct ax_evaluation evaluation;
    CHECK_EQ(ax_evaluation_of(ctx, &sample, &evaluation), AX_OK);
    fprintf(stderr, "%s: AUC %.4f [%.4f, %.4f], KS %.4f, Brier %.4f, slope %.3f\n", learner->name,
            evaluation.auc.value, evaluation.auc.low, evaluation.auc.high, evaluation.ks.value,
            evaluation.brier.value, evaluation.calibration.slope.value);
    CHECK(evaluation.auc.sufficient && evaluation.auc.value > 0.72 && evaluation.auc.value < 0.85);
    CHECK(evaluation.auc.low > 0.6 && evaluation.auc.high < 0.92);
    CHECK(evaluation.brier.value < 0.2); /* the base rate alone gives 0.21 */
    CHECK(evaluation.calibration.slope.low < 1.2 && evaluation.calibration.slope.high > 0.6);
}

TEST(learner_models_of_the_german_data_discriminate_as_published)
{
    for_each_learner(held_out_body);
}

static void
monotone_body(struct ax_ctx *ctx, const struct learner *learner)
{
    enum { STEPS = 80 };
    if (!learner->monotone)
        return;
    struct ax_frame all = german_frame(ctx);
    struct ax_learner_result result = {};
    CHECK_EQ(train(ctx, learner, &all, &result), AX_OK);
    struct ax_engine *opened = NULL;
    CHECK_EQ(ax_engine_open(ctx, result.model, NULL, &opened), AX_OK);
    ax_auto(ax_engine_close) struct ax_engine *engine = opened;
    size_t duration = ax_frame_find(&all, AX_STR("duration_in_month"));
    double months[STEPS], spread = 0;
    for (int m = 0; m < STEPS; m++)
        months[m] = m;
    for (uint32_t person = 0; person < 50; person++) {
        uint32_t same[STEPS];
        for (int m = 0; m < STEPS; m++)
            same[m] = person;
        struct ax_frame rows = {};
        struct ax_frame_column columns[GERMAN_COLUMNS];
        CHECK_EQ(ax_frame_take(ctx, &all, same, STEPS, &rows), AX_OK);
        memcpy(columns, rows.columns, sizeof columns);
        columns[duration].values = months;
        rows.columns = columns;
        double *margins = answer_of(ctx, engine, &rows, AX_ENGINE_MARGIN);
        for (int m = 1; m < STEPS; m++)
            CHECK(margins[m] >= margins[m - 1]);
        spread += margins[STEPS - 1] - margins[0];
    }
    CHECK(spread > 0); /* it does look at the duration */
}

TEST(learner_keeps_the_direction_it_was_asked_for)
{
    for_each_learner(monotone_body);
}

TEST(learner_scorecard_points_are_the_log_odds_on_their_scale)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(ROOM_BYTES);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_frame all = german_frame(&ctx);
    struct ax_learner_result result = {};
    CHECK_EQ(train(&ctx, &learners[1], &all, &result), AX_OK);
    struct ax_engine *opened = NULL;
    CHECK_EQ(ax_engine_open(&ctx, result.model, NULL, &opened), AX_OK);
    ax_auto(ax_engine_close) struct ax_engine *engine = opened;
    double *margins = answer_of(&ctx, engine, &all, AX_ENGINE_MARGIN);
    double *points = answer_of(&ctx, engine, &all, AX_ENGINE_POINTS);
    struct ax_scorecard_scale scale = ax_scorecard_scale(600, 30, 20);
    for (size_t r = 0; r < all.row_count; r++)
        CHECK(fabs(points[r] - (scale.offset - scale.factor * margins[r])) < 1e-9);
}
