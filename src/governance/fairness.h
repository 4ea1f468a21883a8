/*
 * Outcomes by group: selection rates, their ratio to a reference group, gaps in errors.
 *
 * Groups are codes given row by row; who is in which comes from the protected store and goes no
 * further than these counts. A group too small to judge is "insufficient", never a pass (R35, R68).
 *
 * Source: 29 CFR 1607.4(D) (four fifths, and significance); fairlearn's definitions.
 */
#pragma once

#include "numeric/stats.h"

enum { AX_FAIRNESS_GROUPS_MAX = 64 };

struct ax_fairness_group {
    size_t code;
    uint64_t rows, selected; /* selected: the favourable outcome */
    ax_estimate selection_rate;
    ax_estimate ratio;           /* adverse impact ratio: its rate / the reference group's (Katz) */
    double p_value;              /* of the difference of the two rates, two-sided */
    ax_estimate opportunity_gap; /* favourable rate among the good, less the reference group's */
    bool reference;
};

struct ax_fairness_input {
    const double *groups;    /* code per row; NaN: not known, left out */
    const uint8_t *selected; /* 1: favourable outcome */
    const uint8_t *labels;   /* 1: the bad event came true */
    size_t row_count;
    size_t group_count;
    uint64_t rows_min; /* of a group, below which it is insufficient */
};

/*
 * out_groups: group_count of them. The reference is the group with the highest selection rate among
 * those of rows_min rows or more (29 CFR 1607.4(D)), else the largest.
 * Fails: INVALID when there are too many groups, or no rows.
 */
ax_status ax_fairness_of(struct ax_ctx *ctx, const struct ax_fairness_input *input,
                         struct ax_fairness_group *out_groups);
