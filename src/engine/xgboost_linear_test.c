#include "engine/xgboost_linear.h"

#include <math.h>

#include "engine/engine.h"
#include "harness.h"
#include "model_case.h"

static void
check_gblinear(struct ax_ctx *ctx)
{
    static const float rows[2][3] = {{2, 8, 0.5f}, {NAN, 4, NAN}};
    ax_auto(ax_engine_close) struct ax_engine *engine =
        model_case_open(ctx, "tests/model/small/gblinear.json");
    ax_auto(ax_engine_background_close) struct ax_engine_background *background = NULL;
    struct ax_engine_call call = {.rows = {.at = rows, .count = 2},
                                  .outputs = ax_engine_signature(engine)->outputs};
    struct ax_engine_answer answer = model_case_score(ctx, engine, &call, NULL);
    float base = -logf(1.0f / 0.25f - 1.0f);
    float want = 0.125f + base;
    want += 2 * 0.5f;
    want += 8 * -0.25f;
    want += 0.5f * 1.0f;
    CHECK(answer.margin[0] == (double)want);
    CHECK(answer.margin[1] == (double)(0.125f + base - 1.0f));
    CHECK(answer.contributions[0] == 1 && answer.contributions[1] == -2);
    CHECK(answer.contributions[3] == 0.125 + (double)base);
    CHECK(answer.contributions[4] == 0 && answer.contributions[5] == -1);
    struct ax_engine_rows references = {.at = rows, .count = 2};
    CHECK_EQ(ax_engine_background_open(engine, ctx, &references, &background), AX_OK);
    call.background = background;
    answer = model_case_score(ctx, engine, &call, NULL);
    CHECK(answer.contributions[0] == 0.5 * (2 - 1)); /* missing counts as nothing */
    CHECK(answer.contributions[1] == -0.25 * (8 - 6));
    CHECK(answer.contributions[2] == 0.25);
    CHECK(answer.contributions[3] == 0.125 + (double)base + 0.5 - 1.5 + 0.25);
}

TEST(xgboost_linear_adds_in_float32_and_explains_exactly)
{
    ax_test_with_ctx(check_gblinear);
}

static void
check_refusals(struct ax_ctx *ctx)
{
    static const struct {
        const char *with, *part;
    } cases[] = {
        {"[0.5]", "`weights` has 1 items; expected 4"},
        {"[0.5,NaN,1,1]", "`weights`[1] must be finite"},
        {"7", "`weights` must be an array, not a number"},
    };
    ax_str text;
    CHECK(model_case_read(ctx, "tests/model/small/gblinear.json", &text));
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        model_case_refuse(ctx, text, "[0.5,-0.25,1.0,0.125]", cases[i].with, AX_INVALID,
                          cases[i].part);
}

TEST(xgboost_linear_refuses_bad_weights)
{
    ax_test_with_ctx(check_refusals);
}
