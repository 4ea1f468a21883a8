#include "engine/lightgbm_objective.h"

#include <math.h>

#include "harness.h"

static const struct {
    const char *text;
    size_t outputs;
    double margin[3], want[3];
} responses[] = {
    {"regression", 1, {-3}, {-3}},
    {"regression sqrt", 1, {-3}, {-9}},
    {"regression_l1 sqrt", 1, {1.5}, {2.25}},
    {"huber sqrt", 1, {3}, {3}}, /* the library takes no roots there */
    {"regression sqrt", 1, {0}, {0}},
    {"quantile", 1, {2}, {2}},
    {"mape", 1, {2}, {2}},
    {"fair", 1, {2}, {2}},
    {"poisson", 1, {0}, {1}},
    {"gamma", 1, {0}, {1}},
    {"tweedie", 1, {0}, {1}},
    {"binary sigmoid:1", 1, {0}, {0.5}},
    {"binary sigmoid:1", 1, {800}, {1}},
    {"binary sigmoid:1", 1, {-800}, {0}},
    {"cross_entropy", 1, {0}, {0.5}},
    {"xentropy", 1, {0}, {0.5}},
    {"lambdarank", 1, {7}, {7}},
    {"rank_xendcg", 1, {7}, {7}},
    {"custom", 3, {1, 2, 3}, {1, 2, 3}},
    {"none", 2, {1, 2}, {1, 2}},
    {"", 1, {4}, {4}},
    {"multiclass num_class:2", 2, {3, 3}, {0.5, 0.5}},
    {"multiclass num_class:3", 3, {900, 0, 0}, {1, 0, 0}},
    {"multiclassova num_class:2 sigmoid:1", 2, {0, 800}, {0.5, 1}},
};

static void
check_responses(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(responses); i++) {
        struct ax_lightgbm_objective objective = {};
        double got[3] = {};
        CHECK_EQ(ax_lightgbm_objective_parse(ctx, ax_str_of(responses[i].text),
                                             responses[i].outputs, &objective),
                 AX_OK);
        CHECK(objective.known);
        ax_lightgbm_objective_respond(&objective, responses[i].margin, responses[i].outputs, got);
        for (size_t k = 0; k < responses[i].outputs; k++)
            if (got[k] != responses[i].want[k])
                ax_test_failed(__FILE__, __LINE__, "%s: %zu is %.17g, not %.17g", responses[i].text,
                               k, got[k], responses[i].want[k]);
    }
}

TEST(lightgbm_objectives_answer_as_the_library)
{
    ax_test_with_ctx(check_responses);
}

static void
check_parameters(struct ax_ctx *ctx)
{
    struct ax_lightgbm_objective objective = {};
    double margin = 2, got = 0;
    CHECK_EQ(ax_lightgbm_objective_parse(ctx, AX_STR("cross_entropy_lambda"), 1, &objective),
             AX_OK);
    ax_lightgbm_objective_respond(&objective, &margin, 1, &got);
    CHECK(got == log1p(exp(2)));
    CHECK_EQ(ax_lightgbm_objective_parse(ctx, AX_STR("binary sigmoid:0.7"), 1, &objective), AX_OK);
    CHECK(objective.sigmoid == 0.7);
    ax_lightgbm_objective_respond(&objective, &margin, 1, &got);
    CHECK(got == 1 / (1 + exp(-0.7 * 2)));
    CHECK_EQ(ax_lightgbm_objective_parse(ctx, AX_STR("binary sigmoid:1e-05"), 1, &objective),
             AX_OK);
    CHECK(objective.sigmoid == 1e-05);
    objective.rounds = 4; /* of a random forest: the mean is answered for */
    objective.transform = AX_LIGHTGBM_IDENTITY;
    ax_lightgbm_objective_respond(&objective, &margin, 1, &got);
    CHECK(got == 0.5);
    CHECK_EQ(ax_lightgbm_objective_parse(ctx, AX_STR("my_loss sqrt"), 2, &objective), AX_OK);
    CHECK(!objective.known && objective.transform == AX_LIGHTGBM_IDENTITY);
}

TEST(lightgbm_objectives_take_their_parameters)
{
    ax_test_with_ctx(check_parameters);
}

/* LightGBM reads 5.009 as 5 + 9 / 1000, which is not the double next to it. */
static void
check_atof(struct ax_ctx *ctx)
{
    struct ax_lightgbm_objective objective = {};
    size_t apart = 0;
    char text[64];
    for (int thousandths = 1000; thousandths < 9000; thousandths++) {
        int whole = thousandths / 1000, fraction = thousandths % 1000;
        snprintf(text, sizeof text, "binary sigmoid:%d.%03d", whole, fraction);
        CHECK_EQ(ax_lightgbm_objective_parse(ctx, ax_str_of(text), 1, &objective), AX_OK);
        CHECK(objective.sigmoid == whole + (double)fraction / 1000);
        apart += objective.sigmoid != (double)thousandths / 1000;
    }
    CHECK(apart > 0);
}

TEST(lightgbm_objectives_read_the_sigmoid_as_the_library_does)
{
    ax_test_with_ctx(check_atof);
}

static const struct {
    const char *text;
    size_t outputs;
    const char *part;
} refusals[] = {
    {"binary sigmoid:0", 1, "`objective` says `sigmoid:0`; expected a number above 0"},
    {"binary sigmoid:-1", 1, "`sigmoid:-1`"},
    {"binary sigmoid:x", 1, "`sigmoid:x`"},
    {"binary sigmoid:inf", 1, "`sigmoid:inf`"},
    {"binary sigmoid:1", 3, "`objective` binary has one output, `num_tree_per_iteration` is 3"},
    {"multiclass num_class:5", 1, "says `num_class:5`, `num_tree_per_iteration` 1"},
    {"multiclassova num_class:x", 2, "says `num_class:x`, `num_tree_per_iteration` 2"},
};

static void
check_refusals(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(refusals); i++) {
        struct ax_lightgbm_objective objective = {};
        CHECK_EQ(ax_lightgbm_objective_parse(ctx, ax_str_of(refusals[i].text), refusals[i].outputs,
                                             &objective),
                 AX_INVALID);
        if (!strstr(ctx->error, refusals[i].part))
            ax_test_failed(__FILE__, __LINE__, "'%s' says '%s'", refusals[i].text, ctx->error);
    }
}

TEST(lightgbm_objectives_that_disagree_with_the_trees_are_refused)
{
    ax_test_with_ctx(check_refusals);
}
