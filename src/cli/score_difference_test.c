#include "cli/score_difference.h"

#include <math.h>

#include "harness.h"

TEST(answers_differ_by_more_than_the_tolerance)
{
    static const struct {
        double a, b, tolerance, absolute, relative;
        bool differs;
    } cases[] = {
        {1, 1, 0, 0, 0, false},
        {0, -0.0, 0, 0, 0, false},
        {(double)NAN, (double)NAN, 0, 0, 0, false},
        {(double)INFINITY, (double)INFINITY, 0, 0, 0, false},
        {1, (double)NAN, 1e300, (double)INFINITY, (double)INFINITY, true},
        {(double)INFINITY, 1, 1e300, (double)INFINITY, (double)INFINITY, true},
        {(double)INFINITY, -(double)INFINITY, 1, (double)INFINITY, (double)INFINITY, true},
        {1, 0x1.0000000000001p0, 0, 0x1p-52, 0x1p-52 / 0x1.0000000000001p0, true},
        {4, 3, 0.25, 1, 0.25, false},
        {4, 3, 0.2, 1, 0.25, true},
        {1e-9, 2e-9, 1e-8, 1e-9, 0.5, false},
        {-1, 1, 1, 2, 2, true},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        for (int swap = 0; swap < 2; swap++) {
            struct ax_score_difference difference = {.tolerance = cases[i].tolerance};
            const double *const answers[2] = {swap ? &cases[i].b : &cases[i].a,
                                              swap ? &cases[i].a : &cases[i].b};
            CHECK_EQ(ax_score_difference_add(&difference, 2, 2, answers, 1), cases[i].differs);
            CHECK_EQ(difference.differing_count, cases[i].differs);
            CHECK(difference.most_absolute.distance == cases[i].absolute);
            CHECK(difference.most_relative.distance == cases[i].relative);
        }
}

TEST(the_first_row_and_the_largest_distances_are_kept)
{
    static const double rows[][2][2] = {
        {{1, 2}, {1, 2}}, {{1, 2}, {1, 2.5}}, {{100, 1}, {103, 1}}, {{0.1, 7}, {0.2, 8}}};
    struct ax_score_difference difference = {.tolerance = 0.1};
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++) {
        const double *const answers[2] = {rows[i][0], rows[i][1]};
        CHECK_EQ(ax_score_difference_add(&difference, 2 + i, 10 + i, answers, 2), i == 1);
    }
    CHECK_EQ(difference.row_count, 4);
    CHECK_EQ(difference.differing_count, 2); /* 3 of 103 is within a tenth */
    CHECK_EQ(difference.first.row, 3);
    CHECK_EQ(difference.first.line, 11);
    CHECK_EQ(difference.first.column, 1);
    CHECK(difference.first.a == 2 && difference.first.b == 2.5);
    CHECK_EQ(difference.most_absolute.row, 4);
    CHECK(difference.most_absolute.distance == 3);
    CHECK_EQ(difference.most_relative.row, 5);
    CHECK_EQ(difference.most_relative.column, 0);
    CHECK(difference.most_relative.distance == 0.5);
}
