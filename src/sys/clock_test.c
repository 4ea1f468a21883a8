#include "sys/clock.h"

#include "harness.h"

#define SECOND INT64_C(1'000'000'000)
#define DAY    (86'400 * SECOND)

TEST(times_are_read_with_every_allowed_fraction_and_zone)
{
    static const struct {
        const char *text;
        int64_t seconds, ns;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"1969-12-31T23:59:59.999999999Z", -1, 999'999'999},
        {"2026-11-23T10:11:12.123456Z", 1'795'428'672, 123'456'000},
        {"2026-11-23T12:11:12+02:00", 1'795'428'672, 0},
        {"2026-11-23t05:41:12-04:30", 1'795'428'672, 0},
        {"2026-11-23 10:11:12.5Z", 1'795'428'672, 500'000'000},
        {"2000-02-29T00:00:00z", 951'782'400, 0},
        {"2024-02-29T23:59:59Z", 1'709'251'199, 0},
        {"1972-12-31T00:00:00-00:00", 94'608'000, 0},
        {"2262-04-11T23:47:16.854775807Z", 9'223'372'036, 854'775'807},
        {"1677-09-21T00:12:44Z", -9'223'372'036, 0},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        int64_t ns = -7;
        CHECK_EQ(ax_clock_parse(ax_str_of(cases[i].text), &ns), AX_OK);
        CHECK_EQ(ns, cases[i].seconds * SECOND + cases[i].ns);
    }
}

TEST(times_that_are_none_are_refused)
{
    static const char *const cases[] = {
        "",
        "2026",
        "2026-11-23",
        "2026-11-23T10:11:12",
        "2026-11-23T10:11Z",
        "2026-11-23T10:11:12.Z",
        "2026-11-23T10:11:12.1234567890Z",
        "2026-11-23T10:11:12,5Z",
        "2026-11-23T10:11:12Zx",
        "2026-11-23T10:11:12 Z",
        " 2026-11-23T10:11:12Z",
        "2026-11-23T10:11:12+0200",
        "2026-11-23T10:11:12+24:00",
        "2026-11-23T10:11:12+02:60",
        "2026-00-23T10:11:12Z",
        "2026-13-23T10:11:12Z",
        "2026-11-00T10:11:12Z",
        "2026-11-31T10:11:12Z",
        "2026-02-29T10:11:12Z",
        "1900-02-29T10:11:12Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T10:60:12Z",
        "2016-12-31T23:59:60Z",
        "-026-11-23T10:11:12Z",
        "+2026-11-23T10:11:12Z",
        "2026/11/23T10:11:12Z",
        "2262-04-11T23:47:16.854775808Z",
        "1677-09-21T00:12:43Z",
        "9999-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        int64_t ns = -7;
        if (ax_clock_parse(ax_str_of(cases[i]), &ns) != AX_INVALID)
            ax_test_failed(__FILE__, __LINE__, "'%s' was taken", cases[i]);
        CHECK_EQ(ns, -7);
    }
    int64_t ns;
    CHECK_EQ(ax_clock_parse((ax_str){"2026-11-23\0 10:11:12Z", 21}, &ns), AX_INVALID);
}

/* Each day that nanoseconds can count, against a calendar that only knows how to go on by one. */
TEST(every_day_of_the_calendar_is_printed_and_read_back)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = 1678, month = 1, day = 1, count = 0;
    int64_t ns = 0;
    CHECK_EQ(ax_clock_parse(AX_STR("1678-01-01T00:00:00Z"), &ns), AX_OK);
    for (; year < 2262; ns += DAY, count++) {
        char text[AX_CLOCK_TEXT_BYTES], want[64];
        int64_t at = ns + (count * INT64_C(7'919'000'007)) % DAY, back = 0;
        ax_str printed = ax_clock_format(at, text);
        snprintf(want, sizeof want, "%04d-%02d-%02dT", year, month, day);
        CHECK(ax_str_starts(printed, ax_str_of(want)));
        CHECK_EQ(ax_clock_parse(printed, &back), AX_OK);
        CHECK(back <= at && at - back < 1'000);
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (++day > lengths[month - 1] + (month == 2 && leap)) {
            day = 1;
            month = month % 12 + 1;
            year += month == 1;
        }
    }
    CHECK_EQ(count, 213'301); /* 584 years with 141 leap days */
}

TEST(the_ends_of_time_are_printed)
{
    char text[AX_CLOCK_TEXT_BYTES];
    CHECK_STR(ax_clock_format(INT64_MAX, text), "2262-04-11T23:47:16.854775Z");
    CHECK_STR(ax_clock_format(INT64_MIN, text), "1677-09-21T00:12:43.145224Z");
    CHECK_STR(ax_clock_format(-1, text), "1969-12-31T23:59:59.999999Z");
    CHECK_STR(ax_clock_format(0, text), "1970-01-01T00:00:00.000000Z");
}

TEST(a_faked_clock_stands_still_until_it_is_let_go)
{
    ax_clock_fake(5, 7);
    CHECK_EQ(ax_clock_monotonic_ns(), 5);
    CHECK_EQ(ax_clock_real_ns(), 7);
    CHECK_EQ(ax_clock_left_ns(9), 4);
    CHECK_EQ(ax_clock_left_ns(3), 0);
    CHECK_EQ(ax_clock_left_ns(INT64_MAX), INT64_MAX);
    ax_clock_fake(0, 0);
    int64_t before = ax_clock_monotonic_ns();
    ax_clock_sleep_ms(2);
    ax_clock_sleep_ms(0);
    ax_clock_sleep_ms(-1);
    CHECK(ax_clock_monotonic_ns() - before >= 2'000'000);
    CHECK(ax_clock_real_ns() > 1'700'000'000 * SECOND);
}
