#include "engine/xgboost_objective.h"

#include <math.h>

#include "harness.h"

enum { V3_2 = 302, V3_4 = 304 };

static void
check_base(struct ax_ctx *ctx)
{
    static const struct {
        const char *objective;
        int version;
        float score, want;
    } cases[] = {
        {"binary:logistic", V3_2, 0.5f, 0},
        {"reg:logistic", 100, 0.25f, -1.0986123f},
        {"binary:logistic", V3_4, 0, -13.815510f}, /* clamped to 1e-6 from 3.4 on */
        {"binary:logitraw", V3_2, 0.5f, 0.5f},
        {"count:poisson", V3_2, 2, 0.6931472f},
        {"reg:tweedie", V3_2, 1, 0},
        {"multi:softprob", V3_2, 0.5f, 0.5f},
        {"custom", V3_2, -3, -3},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        bool known;
        float score = cases[i].score;
        enum ax_xgboost_objective objective =
            ax_xgboost_objective_find(ax_str_of(cases[i].objective), cases[i].version, &known);
        CHECK_EQ(known, strcmp(cases[i].objective, "custom") != 0);
        CHECK_EQ(ax_xgboost_objective_base(ctx, objective, cases[i].version, &score, 1), AX_OK);
        CHECK(fabsf(score - cases[i].want) <= 1e-6f * fmaxf(1, fabsf(score)));
    }
    static const float bad[] = {0, 1, -1, 2};
    for (size_t i = 0; i < AX_COUNT_OF(bad); i++) {
        float score = bad[i];
        CHECK_EQ(ax_xgboost_objective_base(ctx, AX_XGBOOST_LOGISTIC, V3_2, &score, 1), AX_INVALID);
    }
    float score = 0;
    CHECK_EQ(ax_xgboost_objective_base(ctx, AX_XGBOOST_EXP, V3_2, &score, 1), AX_INVALID);
}

TEST(xgboost_objective_turns_base_scores_into_margins)
{
    ax_test_with_ctx(check_base);
}

TEST(xgboost_objective_turns_margins_into_responses)
{
    static const struct {
        const char *objective;
        int version;
        double margin[3], want[3];
    } cases[] = {
        {"binary:logistic", V3_2, {0, 100, -100}, {0.5, 1, 3.00663579e-39}}, /* exp stops at 88.7 */
        {"binary:hinge", V3_2, {0, 0.1, -1}, {0, 1, 0}},
        {"reg:gamma", V3_2, {0, 1, -1}, {1, 2.7182817, 0.36787945}},
        {"reg:squarederror", V3_2, {1, -2, 3}, {1, -2, 3}},
        {"multi:softprob", V3_2, {1, 1, 1}, {0.33333334, 0.33333334, 0.33333334}},
        {"multi:softmax", V3_2, {1, 3, 3}, {1}},
        {"reg:quantileerror", V3_2, {3, 1, 2}, {3, 1, 2}},
        {"reg:quantileerror", V3_4, {3, 1, 2}, {1, 2, 3}},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        bool known;
        double out[3] = {};
        enum ax_xgboost_objective objective =
            ax_xgboost_objective_find(ax_str_of(cases[i].objective), cases[i].version, &known);
        size_t count = ax_xgboost_objective_responses(objective, 3);
        CHECK_EQ(count, objective == AX_XGBOOST_SOFTMAX ? 1 : 3);
        ax_xgboost_objective_respond((int)objective, cases[i].margin, 3, out);
        for (size_t k = 0; k < count; k++)
            if (!(fabs(out[k] - cases[i].want[k]) <= 1e-6 * fabs(cases[i].want[k])))
                ax_test_failed(__FILE__, __LINE__, "%s[%zu] is %.9g, not %.9g", cases[i].objective,
                               k, out[k], cases[i].want[k]);
    }
}

/* Base scores of expectiles go to margins and come back as themselves. */
static void
check_expectiles(struct ax_ctx *ctx)
{
    float scores[3] = {-1, 0.5f, 0.75f};
    double margins[3], out[3];
    CHECK_EQ(ax_xgboost_objective_base(ctx, AX_XGBOOST_EXPECTILE, 303, scores, 3), AX_OK);
    for (size_t k = 0; k < 3; k++)
        margins[k] = (double)scores[k];
    ax_xgboost_objective_respond(AX_XGBOOST_EXPECTILE, margins, 3, out);
    CHECK(fabs(out[0] + 1) < 1e-6 && fabs(out[1] - 0.5) < 1e-6 && fabs(out[2] - 0.75) < 1e-6);
}

TEST(xgboost_objective_expectiles_go_there_and_back)
{
    ax_test_with_ctx(check_expectiles);
}
