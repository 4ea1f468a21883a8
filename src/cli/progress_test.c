#include "cli/progress.h"

#include "harness.h"
#include "sys/clock.h"

enum { MS = 1'000'000 };

/* What a run of so many steps, so far apart, leaves on the terminal. */
static void
run(uint64_t bytes_total, int steps, int64_t step_ms, char *out, size_t out_bytes)
{
    FILE *terminal = fmemopen(out, out_bytes, "w");
    REQUIRE(terminal != NULL);
    ax_clock_fake(MS, MS);
    struct ax_progress progress = ax_progress_of(terminal, bytes_total);
    for (int i = 1; i <= steps; i++) {
        ax_clock_fake(MS + i * step_ms * MS, MS);
        ax_progress_add(&progress, 1'234'567, 250);
    }
    ax_progress_done(&progress);
    ax_clock_fake(0, 0);
    fclose(terminal);
}

TEST(a_long_run_shows_how_far_it_is)
{
    char out[1'000] = "";
    run(1'000, 2, 500, out, sizeof out);
    CHECK_STR(ax_str_of(out),
              "\r[######..................]  25 %  1,234,567 rows  2,469,134 rows/s\033[K"
              "\r[############............]  50 %  2,469,134 rows  2,469,134 rows/s\033[K"
              "\r[############............]  50 %  2,469,134 rows  2,469,134 rows/s\033[K"
              "\n");
    run(100, 1, 1'000, out, sizeof out); /* more came than was foretold */
    CHECK(ax_str_starts(ax_str_of(out), AX_STR("\r[########################] 100 %")));
    run(0, 1, 1'000, out, sizeof out);
    CHECK(ax_str_starts(ax_str_of(out), AX_STR("\r1,234,567 rows  1,234,567 rows/s\033[K\r")));
}

TEST(a_run_that_is_short_or_that_nobody_watches_shows_nothing)
{
    char out[1'000] = "";
    run(1'000, 4, 50, out, sizeof out);
    CHECK_STR(ax_str_of(out), "");
    struct ax_progress progress = ax_progress_of(NULL, 100);
    ax_progress_add(&progress, 1, 10);
    ax_progress_done(&progress);
    CHECK_EQ(progress.rows, 1);
}

TEST(a_line_is_drawn_ten_times_a_second_at_most)
{
    char out[100'000] = "";
    run(1'000'000, 1'000, 2, out, sizeof out);
    size_t lines = 0;
    for (const char *at = out; *at; at++)
        lines += *at == '\r';
    CHECK(lines >= 17 && lines <= 19); /* two seconds, less the first 0.3 */
}
