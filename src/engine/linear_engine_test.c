#include "engine/linear_engine.h"

#include <math.h>

#include "base/writer.h"
#include "harness.h"
#include "model_case.h"

#define SCORECARD "tests/model/small/scorecard.json"
#define LINEAR    "tests/model/small/linear.json"

/* woe and points of duration: bins to 12 and 30, else; missing. Of purpose: car, education. */
static void
check_levels(struct ax_ctx *ctx)
{
    static const struct {
        double duration, purpose;
        double woe0, points0, woe1, points1;
    } cases[] = {
        {12, 0, 0.5, 31.5, 0.2, 21},
        {12.000000000000002, 1, 0.0625, 18.25, -0.4, 9},
        {30, 2, 0.0625, 18.25, 0.2, 21},
        {30.000000000000004, 3, -0.75, 2.5, -0.3, 8},
        {(double)INFINITY, -1, -0.75, 2.5, -0.3, 8},
        {-(double)INFINITY, 0.5, 0.5, 31.5, -0.3, 8},
        {(double)NAN, 1e300, 0, 17, -0.3, 8},
    };
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(ctx, SCORECARD);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        double row[2] = {cases[i].duration, cases[i].purpose};
        struct ax_engine_call call = {.rows = {.at = row, .count = 1, .type = AX_ENGINE_F64},
                                      .outputs = ax_engine_signature(engine)->outputs};
        struct ax_engine_answer answer = model_case_score(ctx, engine, &call, NULL);
        double margin = -0.75;
        margin += -0.9 * cases[i].woe0;
        margin += -1.5 * cases[i].woe1;
        CHECK(answer.margin[0] == margin);
        CHECK(answer.response[0] == 1.0 / (1.0 + exp(-margin)));
        CHECK(answer.points[0] == 10 + cases[i].points0 + cases[i].points1);
        CHECK(answer.contributions[0] == -0.9 * (cases[i].woe0 - 0.125));
        CHECK(answer.contributions[1] == -1.5 * (cases[i].woe1 - 0.03));
        double sum = answer.contributions[0] + answer.contributions[1] + answer.contributions[2];
        CHECK(fabs(sum - margin) < 1e-15);
    }
}

TEST(linear_engine_finds_the_bin_with_lo_below_x_up_to_hi)
{
    ax_test_with_ctx(check_levels);
}

static void
check_signature(struct ax_ctx *ctx)
{
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(ctx, SCORECARD);
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    const double *thresholds = NULL;
    double code = 0;
    size_t count = 0;
    CHECK_STR(signature->format, "axiom.scorecard");
    CHECK_STR(signature->kind, "scorecard");
    CHECK_STR(signature->objective, "logistic");
    CHECK_EQ(signature->input, AX_ENGINE_F64);
    CHECK_EQ(signature->features[0].missing, AX_ENGINE_LEARNED);
    CHECK_EQ(signature->features[1].missing, AX_ENGINE_REFUSED);
    CHECK_EQ(signature->features[1].other, AX_ENGINE_LEARNED);
    CHECK(ax_engine_category_find(&signature->features[1], AX_STR("furniture"), &code));
    CHECK(code == 2);
    CHECK_EQ(ax_engine_thresholds(engine, ctx, 0, &thresholds, &count), AX_OK);
    CHECK(count == 2 && thresholds[0] == 12 && thresholds[1] == 30);
    CHECK_EQ(ax_engine_thresholds(engine, ctx, 1, &thresholds, &count), AX_OK);
    CHECK_EQ(count, 0);
}

TEST(linear_engine_signature_has_rules_and_categories)
{
    ax_test_with_ctx(check_signature);
}

static void
check_refused_values(struct ax_ctx *ctx)
{
    static const struct {
        const char *path;
        double row[2];
        const char *part;
    } cases[] = {
        {SCORECARD, {1, (double)NAN}, "row 1: `purpose` is missing, which the model refuses"},
        {LINEAR, {(double)INFINITY, 0}, "row 1: `amount` is inf; expected a finite number"},
        {LINEAR, {1, 7}, "row 1: `housing` is 7, which is none of its 2 categories' codes"},
        {LINEAR, {1, (double)NAN}, "row 1: `housing` is missing"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(ctx, cases[i].path);
        double rows[2][2] = {{1, 1}, {cases[i].row[0], cases[i].row[1]}};
        struct ax_engine_background *background = NULL;
        struct ax_engine_call call = {.rows = {.at = rows, .count = 2, .type = AX_ENGINE_F64},
                                      .outputs = AX_ENGINE_MARGIN};
        ax_status status;
        model_case_score(ctx, engine, &call, &status);
        CHECK_EQ(status, AX_INVALID);
        if (!strstr(ctx->error, cases[i].part))
            ax_test_failed(__FILE__, __LINE__, "case %zu says '%s'", i, ctx->error);
        CHECK_EQ(ax_engine_background_open(engine, ctx, &call.rows, &background), AX_INVALID);
        CHECK(strstr(ctx->error, "reference population: row 1"));
    }
}

TEST(linear_engine_refuses_a_value_with_row_and_feature)
{
    ax_test_with_ctx(check_refused_values);
}

static void
check_linear(struct ax_ctx *ctx)
{
    static const double rows[2][2] = {{1000, 1}, {(double)NAN, 0}};
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(ctx, LINEAR);
    ax_auto(ax_engine_background_close) struct ax_engine_background *background = NULL;
    struct ax_engine_call call = {.rows = {.at = rows, .count = 2, .type = AX_ENGINE_F64},
                                  .outputs = ax_engine_signature(engine)->outputs};
    struct ax_engine_answer answer = model_case_score(ctx, engine, &call, NULL);
    CHECK(answer.margin[0] == 0.25 + 0.0001 * 1000 + 2 * 0.4);
    CHECK(answer.margin[1] == 0.25 + 0.0001 * 2319.5 + 2 * -0.3);
    CHECK(answer.contributions[0] == 0.0001 * (1000 - 3271.5));
    CHECK_EQ(ax_engine_background_open(engine, ctx, &call.rows, &background), AX_OK);
    call.background = background;
    answer = model_case_score(ctx, engine, &call, NULL);
    CHECK(answer.contributions[0] == 0.0001 * (1000 - (1000 + 2319.5) / 2));
    CHECK(fabs(answer.contributions[0] + answer.contributions[1] + answer.contributions[2] -
               answer.margin[0]) < 1e-15);
}

TEST(linear_engine_weighs_values_and_categories)
{
    ax_test_with_ctx(check_linear);
}

enum { PLAIN_ROWS = 11, PLAIN_TERMS = 5 };

/* A model of plain values: its first feature is refused when missing, the others are 0.5 then. */
static ax_str
plain_model(struct ax_ctx *ctx)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    ax_str bytes = {};
    ax_writer_text(&out, "{\"format\":\"axiom.linear\",\"version\":1,\"link\":\"logistic\","
                         "\"intercept\":-0.1,\"terms\":[");
    for (int i = 0; i < PLAIN_TERMS; i++)
        ax_writer_print(&out,
                        "%s{\"name\":\"x%d\",\"type\":\"numeric\",\"coefficient\":%.17g,"
                        "\"mean\":0,\"missing\":%s}",
                        i ? "," : "", i, 0.3 / (i + 1) - 0.1, i ? "{\"value\":0.5}" : "\"refuse\"");
    ax_writer_text(&out, "]}");
    CHECK_EQ(ax_writer_take(&out, ctx->arena, &bytes), AX_OK);
    return bytes;
}

/* Summed side by side, one by one, or term by term: the same bits, whatever the row holds. */
static void
check_plain(struct ax_ctx *ctx)
{
    double rows[PLAIN_ROWS][PLAIN_TERMS + 2];
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    CHECK_EQ(ax_engine_open(ctx, plain_model(ctx), NULL, &engine), AX_OK);
    for (size_t i = 0; i < PLAIN_ROWS; i++)
        for (size_t j = 0; j < PLAIN_TERMS + 2; j++)
            rows[i][j] = (double)(i * 31 + j * 17 % 13) / 7 - 3;
    rows[2][3] = (double)NAN;
    rows[9][1] = rows[9][4] = (double)NAN;
    rows[5][2] = 1e308; /* its product is finite; added twice it would not be */
    struct ax_engine_call call = {.rows = {.at = rows,
                                           .count = PLAIN_ROWS,
                                           .row_stride_bytes = sizeof rows[0],
                                           .type = AX_ENGINE_F64},
                                  .outputs = AX_ENGINE_MARGIN | AX_ENGINE_RESPONSE};
    struct ax_engine_answer all = model_case_score(ctx, engine, &call, NULL);
    call.outputs |= AX_ENGINE_CONTRIBUTIONS; /* term by term */
    struct ax_engine_answer terms = model_case_score(ctx, engine, &call, NULL);
    for (size_t i = 0; i < PLAIN_ROWS; i++) {
        double margin = -0.1;
        for (size_t j = 0; j < PLAIN_TERMS; j++)
            margin += (0.3 / (double)(j + 1) - 0.1) * (isnan(rows[i][j]) ? 0.5 : rows[i][j]);
        struct ax_engine_call one = {.rows = {.at = rows[i], .count = 1, .type = AX_ENGINE_F64},
                                     .outputs = AX_ENGINE_MARGIN | AX_ENGINE_RESPONSE};
        struct ax_engine_answer alone = model_case_score(ctx, engine, &one, NULL);
        CHECK(all.margin[i] == margin && terms.margin[i] == margin && alone.margin[0] == margin);
        CHECK(all.response[i] == alone.response[0] && terms.response[i] == alone.response[0]);
    }
}

TEST(linear_engine_sums_plain_values_alike_in_every_call)
{
    ax_test_with_ctx(check_plain);
}

static void
check_plain_refusal(struct ax_ctx *ctx)
{
    double rows[PLAIN_ROWS][PLAIN_TERMS] = {};
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    CHECK_EQ(ax_engine_open(ctx, plain_model(ctx), NULL, &engine), AX_OK);
    struct ax_engine_call call = {.rows = {.at = rows, .count = PLAIN_ROWS, .type = AX_ENGINE_F64},
                                  .outputs = AX_ENGINE_MARGIN};
    ax_status status;
    rows[6][0] = (double)NAN;
    model_case_score(ctx, engine, &call, &status);
    CHECK_EQ(status, AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "row 6: `x0` is missing, which the model refuses");
    rows[6][0] = 0;
    rows[10][4] = -(double)INFINITY;
    model_case_score(ctx, engine, &call, &status);
    CHECK_EQ(status, AX_INVALID);
    CHECK_STR(ax_str_of(ctx->error), "row 10: `x4` is -inf; expected a finite number");
}

TEST(linear_engine_refuses_what_plain_sums_do_not_see)
{
    ax_test_with_ctx(check_plain_refusal);
}
