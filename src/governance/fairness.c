#include "governance/fairness.h"

#include <math.h>

#define LEVEL 0.95

struct counts {
    uint64_t rows, selected, good, good_selected;
};

static ax_status
count(struct ax_ctx *ctx, const struct ax_fairness_input *input, struct counts *out)
{
    for (size_t i = 0; i < input->row_count; i++) {
        if (isnan(input->groups[i]))
            continue;
        if (input->groups[i] < 0 || input->groups[i] >= (double)input->group_count)
            return ax_fail(ctx, AX_INVALID, "row %zu is of group %g; there are %zu", i,
                           input->groups[i], input->group_count);
        struct counts *group = &out[(size_t)input->groups[i]];
        group->rows++;
        group->selected += input->selected[i];
        group->good += !input->labels[i];
        group->good_selected += !input->labels[i] && input->selected[i];
    }
    return AX_OK;
}

/* Whose rate is the highest among those large enough; the largest when none is. */
static size_t
favoured(const struct counts *counts, size_t group_count, uint64_t rows_min)
{
    size_t best = SIZE_MAX, largest = 0;
    for (size_t i = 0; i < group_count; i++) {
        const struct counts *group = &counts[i];
        if (group->rows > counts[largest].rows)
            largest = i;
        /* a/b > c/d without division */
        if (group->rows >= rows_min &&
            (best == SIZE_MAX ||
             group->selected * counts[best].rows > counts[best].selected * group->rows))
            best = i;
    }
    return best == SIZE_MAX ? largest : best;
}

static struct ax_fairness_group
judge(const struct counts *group, const struct counts *reference, uint64_t rows_min)
{
    struct ax_fairness_group out = {.rows = group->rows, .selected = group->selected};
    if (group->rows < rows_min || reference->rows < rows_min) {
        out.selection_rate = out.ratio = ax_stats_insufficient(group->rows);
        out.opportunity_gap = ax_stats_insufficient(group->good);
        out.p_value = (double)NAN;
        return out;
    }
    out.selection_rate = ax_stats_wilson(group->selected, group->rows, LEVEL);
    out.ratio =
        ax_stats_ratio(group->selected, group->rows, reference->selected, reference->rows, LEVEL);
    if (!out.ratio.sufficient && reference->selected > 0)
        /* Nobody selected: no logarithm and so no interval, but nothing could be clearer. */
        out.ratio = (ax_estimate){.value = 0,
                                  .low = 0,
                                  .high = (double)NAN,
                                  .level = LEVEL,
                                  .count = group->rows,
                                  .sufficient = true};
    out.p_value =
        ax_stats_two_proportions(group->selected, group->rows, reference->selected, reference->rows)
            .p_value;
    out.opportunity_gap =
        group->good < rows_min || reference->good < rows_min
            ? ax_stats_insufficient(group->good)
            : ax_stats_difference(group->good_selected, group->good, reference->good_selected,
                                  reference->good, LEVEL);
    return out;
}

ax_status
ax_fairness_of(struct ax_ctx *ctx, const struct ax_fairness_input *input,
               struct ax_fairness_group *out_groups)
{
    struct counts counts[AX_FAIRNESS_GROUPS_MAX] = {};
    if (input->group_count == 0 || input->group_count > AX_FAIRNESS_GROUPS_MAX)
        return ax_fail(ctx, AX_INVALID, "%zu groups; 1 to %d can be judged", input->group_count,
                       AX_FAIRNESS_GROUPS_MAX);
    AX_TRY(count(ctx, input, counts));
    size_t reference = favoured(counts, input->group_count, input->rows_min);
    if (counts[reference].rows == 0)
        return ax_fail(ctx, AX_INVALID, "no row is of a known group");
    for (size_t i = 0; i < input->group_count; i++) {
        out_groups[i] = judge(&counts[i], &counts[reference], input->rows_min);
        out_groups[i].code = i;
        out_groups[i].reference = i == reference;
    }
    return AX_OK;
}
