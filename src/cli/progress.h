/*
 * How far a long command is, on one line of a terminal that is drawn again and again.
 *
 * A short run shows nothing, and neither does one that nobody watches.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "base/attr.h"

struct ax_progress {
    FILE *out;            /* NULL: nobody watches */
    uint64_t bytes_total; /* of the input; 0: not known */
    uint64_t bytes, rows; /* done */
    int64_t began_ns;
    int64_t shown_ns; /* 0: not yet */
};

/* out: kept; NULL shows nothing. */
struct ax_progress ax_progress_of(FILE *out, uint64_t bytes_total);

/* Counts, and draws the line when the last time is a tenth of a second ago. */
void ax_progress_add(struct ax_progress *progress, uint64_t rows, uint64_t bytes);

/* Draws what was reached and ends the line, if there is one. */
void ax_progress_done(struct ax_progress *progress);
