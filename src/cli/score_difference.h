/*
 * How far the answers of two models lie apart, row by row of one table.
 *
 * Two numbers differ when |a - b| > tolerance * max(1, |a|, |b|); with tolerance 0, when they are
 * not equal. NaN equals NaN alone, and is infinitely far from everything else.
 */
#pragma once

#include <stddef.h>

#include "base/attr.h"

/* A pair of answers, and where it stands. */
struct ax_score_pair {
    size_t row, line; /* of the table */
    size_t column;    /* of the answer */
    double a, b;
    double distance; /* absolute or relative, as the field says that holds it */
};

struct ax_score_difference {
    double tolerance;
    size_t row_count;
    size_t differing_count;                            /* rows */
    struct ax_score_pair first;                        /* that differs; absolute */
    struct ax_score_pair most_absolute, most_relative; /* of all, within the tolerance too */
};

/* Adds a row, with both answers; whether it is the first row that differs. */
bool ax_score_difference_add(struct ax_score_difference *difference, size_t row, size_t line,
                             const double *const answers[2], size_t width);
