#include "api/log_line.h"

#include <stdio.h>

#include "harness.h"

static int
kept_of(double ratio, int count)
{
    char id[32];
    int kept = 0;
    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "request-%d", i);
        kept += ax_log_line_keeps(ax_log_line_threshold(ratio), ax_str_of(id));
    }
    return kept;
}

TEST(log_lines_are_the_share_that_was_asked_for)
{
    enum { COUNT = 20'000 };
    CHECK_EQ(kept_of(0, COUNT), 0);
    CHECK_EQ(kept_of(1, COUNT), COUNT);
    CHECK(kept_of(0.1, COUNT) > COUNT / 12 && kept_of(0.1, COUNT) < COUNT / 8);
    CHECK(kept_of(0.5, COUNT) > COUNT * 9 / 20 && kept_of(0.5, COUNT) < COUNT * 11 / 20);
}

/* Servers of any build choose alike, and a larger share holds a smaller one. */
TEST(log_lines_are_chosen_by_the_id_alone)
{
    static const struct {
        const char *id;
        bool half;
    } cases[] = {{"id-0", false}, {"id-1", true}};
    uint64_t half = ax_log_line_threshold(0.5), most = ax_log_line_threshold(0.9);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        CHECK_EQ(ax_log_line_keeps(half, ax_str_of(cases[i].id)), cases[i].half);
    for (int i = 0; i < 1'000; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        CHECK(!ax_log_line_keeps(half, ax_str_of(id)) || ax_log_line_keeps(most, ax_str_of(id)));
    }
}
