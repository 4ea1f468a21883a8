#include "cli/score_difference.h"

#include <math.h>

static double
absolute(double a, double b)
{
    if (a == b || (isnan(a) && isnan(b)))
        return 0;
    double distance = fabs(a - b);
    return isnan(distance) ? (double)INFINITY : distance;
}

static double
relative(double a, double b)
{
    double distance = absolute(a, b), size = fmax(fabs(a), fabs(b));
    return distance == 0 || isinf(distance) ? distance : distance / size;
}

static void
keep_most(struct ax_score_pair *most, const struct ax_score_pair *pair, double distance)
{
    if (distance <= most->distance)
        return;
    *most = *pair;
    most->distance = distance;
}

bool
ax_score_difference_add(struct ax_score_difference *difference, size_t row, size_t line,
                        const double *const answers[2], size_t width)
{
    bool differs = false;
    for (size_t i = 0; i < width; i++) {
        double a = answers[0][i], b = answers[1][i], distance = absolute(a, b);
        struct ax_score_pair pair = {row, line, i, a, b, distance};
        double allowed = difference->tolerance * fmax(1, fmax(fabs(a), fabs(b)));
        keep_most(&difference->most_absolute, &pair, distance);
        keep_most(&difference->most_relative, &pair, relative(a, b));
        if (distance == 0 || (distance <= allowed && !isinf(distance)))
            continue;
        if (!differs && difference->differing_count == 0)
            difference->first = pair;
        differs = true;
    }
    difference->row_count++;
    difference->differing_count += differs;
    return differs && difference->differing_count == 1;
}
