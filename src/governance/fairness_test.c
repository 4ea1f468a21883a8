#include "governance/fairness.h"

#include <math.h>

#include "harness.h"

enum { ROWS = 200 };

/* Group 0: 60 of 100 selected. Group 1: 30 of 80. Group 2: 5 of 10, too few. 10 rows unknown. */
struct sample {
    double groups[ROWS];
    uint8_t selected[ROWS], labels[ROWS];
};

static struct sample
sample(void)
{
    struct sample made = {};
    for (size_t i = 0; i < ROWS; i++) {
        size_t group = i < 100 ? 0 : i < 180 ? 1 : i < 190 ? 2 : 3;
        size_t at = i < 100 ? i : i < 180 ? i - 100 : i - 180;
        made.groups[i] = group == 3 ? (double)NAN : (double)group;
        made.selected[i] = at < (group == 0 ? 60 : group == 1 ? 30 : 5);
        made.labels[i] = i % 4 == 0;
    }
    return made;
}

static void
judged(struct ax_ctx *ctx)
{
    struct sample made = sample();
    struct ax_fairness_group groups[3];
    const struct ax_fairness_input input = {made.groups, made.selected, made.labels, ROWS, 3, 30};
    CHECK_EQ(ax_fairness_of(ctx, &input, groups), AX_OK);
    CHECK(groups[0].reference && !groups[1].reference);
    CHECK_EQ(groups[0].rows, 100);
    CHECK_EQ(groups[1].selected, 30);
    CHECK(fabs(groups[1].ratio.value - (30.0 / 80) / (60.0 / 100)) < 1e-12);
    CHECK(groups[1].ratio.low < 0.625 && groups[1].ratio.high > 0.625);
    CHECK(groups[1].p_value < 0.05);
    CHECK(!groups[2].ratio.sufficient && isnan(groups[2].p_value));
    CHECK_EQ(groups[2].rows, 10);
}

TEST(r68_the_ratio_is_to_the_group_with_the_highest_rate)
{
    ax_test_with_ctx(judged);
}

static void
reference_is_favoured(struct ax_ctx *ctx)
{
    struct sample made = sample();
    struct ax_fairness_group groups[3];
    for (size_t i = 100; i < 180; i++) /* the smaller group is the favoured one now */
        made.selected[i] = i < 170;
    const struct ax_fairness_input input = {made.groups, made.selected, made.labels, ROWS, 3, 30};
    CHECK_EQ(ax_fairness_of(ctx, &input, groups), AX_OK);
    CHECK(groups[1].reference);
    CHECK(groups[0].ratio.value < 0.8 && groups[0].p_value < 0.05);
}

TEST(r68_the_larger_group_may_be_the_one_at_a_disadvantage)
{
    ax_test_with_ctx(reference_is_favoured);
}

static void
too_small(struct ax_ctx *ctx)
{
    struct sample made = sample();
    struct ax_fairness_group groups[3];
    const struct ax_fairness_input input = {made.groups, made.selected, made.labels, ROWS, 3, 1000};
    CHECK_EQ(ax_fairness_of(ctx, &input, groups), AX_OK);
    for (size_t i = 0; i < 3; i++)
        CHECK(!groups[i].selection_rate.sufficient);
}

TEST(r35_a_group_too_small_is_insufficient_and_never_a_pass)
{
    ax_test_with_ctx(too_small);
}

static void
refused(struct ax_ctx *ctx)
{
    struct sample made = sample();
    struct ax_fairness_group groups[3];
    struct ax_fairness_input input = {made.groups, made.selected, made.labels, ROWS, 0, 30};
    CHECK_EQ(ax_fairness_of(ctx, &input, groups), AX_INVALID);
    input.group_count = 1;
    CHECK_EQ(ax_fairness_of(ctx, &input, groups), AX_INVALID);
    CHECK(strcmp(ctx->error, "row 100 is of group 1; there are 1") == 0);
    input.group_count = 3;
    input.row_count = 0;
    CHECK_EQ(ax_fairness_of(ctx, &input, groups), AX_INVALID);
}

TEST(fairness_refuses_what_it_cannot_judge)
{
    ax_test_with_ctx(refused);
}
