#include "sys/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"

#define NS_PER_SECOND INT64_C(1'000'000'000)

enum { SECONDS_PER_DAY = 86'400, FRACTION_DIGITS_MAX = 9 };

static atomic_bool fake_stands; /* released after the two below are set */
static _Atomic int64_t fake_monotonic_ns, fake_real_ns;

static int64_t
now_ns(clockid_t clock, _Atomic int64_t *fake_ns)
{
    if (__builtin_expect(atomic_load_explicit(&fake_stands, memory_order_acquire), 0))
        return atomic_load_explicit(fake_ns, memory_order_relaxed);
    struct timespec now;
    int failed = clock_gettime(clock, &now);
    AX_ASSERT(!failed);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

int64_t
ax_clock_monotonic_ns(void)
{
    return now_ns(CLOCK_MONOTONIC, &fake_monotonic_ns);
}

int64_t
ax_clock_real_ns(void)
{
    return now_ns(CLOCK_REALTIME, &fake_real_ns);
}

int64_t
ax_clock_real_coarse_ns(void)
{
    return now_ns(CLOCK_REALTIME_COARSE, &fake_real_ns);
}

int64_t
ax_clock_real_ms(void)
{
    return ax_clock_real_ns() / 1'000'000;
}

void
ax_clock_fake(int64_t monotonic_ns, int64_t real_ns)
{
    atomic_store_explicit(&fake_monotonic_ns, monotonic_ns, memory_order_relaxed);
    atomic_store_explicit(&fake_real_ns, real_ns, memory_order_relaxed);
    atomic_store_explicit(&fake_stands, monotonic_ns != 0 || real_ns != 0, memory_order_release);
}

int64_t
ax_clock_left_ns(int64_t deadline_ns)
{
    if (deadline_ns == INT64_MAX)
        return INT64_MAX;
    int64_t now = ax_clock_monotonic_ns();
    return deadline_ns > now ? deadline_ns - now : 0;
}

void
ax_clock_sleep_ms(int64_t ms)
{
    if (ms <= 0)
        return;
    struct timespec left = {.tv_sec = ms / 1'000, .tv_nsec = ms % 1'000 * 1'000'000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) != 0)
        ; /* a signal came: the rest is in left */
}

/* ---- the calendar: proleptic Gregorian, days counted from 1970-01-01 ---- */

struct date {
    int64_t year, month, day;
};

static int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/*
 * A year that begins in March has its leap day at the end, so that days before a month are a
 * straight line; eras of 400 years repeat. Source: H. Hinnant, chrono-compatible date algorithms.
 */
static int64_t
days_of(struct date date)
{
    int64_t year = date.year - (date.month <= 2);
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146'097 + day_of_era - 719'468;
}

static struct date
date_of(int64_t days)
{
    days += 719'468;
    int64_t era = floor_div(days, 146'097);
    int64_t day_of_era = days - era * 146'097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    int64_t month = march_month + (march_month < 10 ? 3 : -9);
    return (struct date){
        .year = year_of_era + era * 400 + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * march_month + 2) / 5 + 1,
    };
}

static int64_t
days_in_month(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

ax_str
ax_clock_format(int64_t real_ns, char out[AX_CLOCK_TEXT_BYTES])
{
    int64_t seconds = floor_div(real_ns, NS_PER_SECOND);
    int64_t microseconds = (real_ns - seconds * NS_PER_SECOND) / 1'000;
    int64_t days = floor_div(seconds, SECONDS_PER_DAY);
    int of_day = (int)(seconds - days * SECONDS_PER_DAY);
    struct date date = date_of(days);
    int len = snprintf(out, AX_CLOCK_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                       (int)date.year, (int)date.month, (int)date.day, of_day / 3'600,
                       of_day / 60 % 60, of_day % 60, (int)microseconds);
    AX_ASSERT(len > 0 && len < AX_CLOCK_TEXT_BYTES);
    return (ax_str){out, (size_t)len};
}

/* A cursor over the text; a false answer of any step makes the whole text INVALID. */
static bool
take_digits(ax_str *text, size_t count, int64_t *out)
{
    if (text->len < count)
        return false;
    int64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        if (text->at[i] < '0' || text->at[i] > '9')
            return false;
        value = value * 10 + (text->at[i] - '0');
    }
    *out = value;
    *text = ax_str_from(*text, count);
    return true;
}

static bool
take_one_of(ax_str *text, const char *allowed, char *out)
{
    if (text->len == 0 || text->at[0] == '\0' || !strchr(allowed, text->at[0]))
        return false;
    *out = text->at[0];
    *text = ax_str_from(*text, 1);
    return true;
}

static bool
take_fraction(ax_str *text, int64_t *out_ns)
{
    char point;
    *out_ns = 0;
    if (!take_one_of(text, ".", &point))
        return true;
    int digits = 0;
    for (int64_t digit; digits < FRACTION_DIGITS_MAX && take_digits(text, 1, &digit); digits++)
        *out_ns = *out_ns * 10 + digit;
    for (int i = digits; i < FRACTION_DIGITS_MAX; i++)
        *out_ns *= 10;
    return digits > 0;
}

static bool
take_zone(ax_str *text, int64_t *out_seconds)
{
    char sign, colon;
    int64_t hours, minutes;
    if (!take_one_of(text, "Zz+-", &sign))
        return false;
    *out_seconds = 0;
    if (sign == 'Z' || sign == 'z')
        return true;
    if (!take_digits(text, 2, &hours) || !take_one_of(text, ":", &colon) ||
        !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *out_seconds = (hours * 3'600 + minutes * 60) * (sign == '-' ? -1 : 1);
    return true;
}

static bool
take_date(ax_str *text, struct date *out)
{
    char dash;
    return take_digits(text, 4, &out->year) && take_one_of(text, "-", &dash) &&
           take_digits(text, 2, &out->month) && take_one_of(text, "-", &dash) &&
           take_digits(text, 2, &out->day) && out->month >= 1 && out->month <= 12 &&
           out->day >= 1 && out->day <= days_in_month(out->year, out->month);
}

/* A leap second (:60) has no place in a count of seconds and is refused. */
static bool
take_time_of_day(ax_str *text, int64_t *out_seconds)
{
    char colon;
    int64_t hours, minutes, seconds;
    if (!take_digits(text, 2, &hours) || !take_one_of(text, ":", &colon) ||
        !take_digits(text, 2, &minutes) || !take_one_of(text, ":", &colon) ||
        !take_digits(text, 2, &seconds) || hours > 23 || minutes > 59 || seconds > 59)
        return false;
    *out_seconds = hours * 3'600 + minutes * 60 + seconds;
    return true;
}

ax_status
ax_clock_parse(ax_str text, int64_t *out_real_ns)
{
    struct date date;
    char separator;
    int64_t of_day, fraction_ns, zone, ns;
    if (!take_date(&text, &date) || !take_one_of(&text, "Tt ", &separator) ||
        !take_time_of_day(&text, &of_day) || !take_fraction(&text, &fraction_ns) ||
        !take_zone(&text, &zone) || text.len > 0)
        return AX_INVALID;
    int64_t seconds = days_of(date) * SECONDS_PER_DAY + of_day - zone;
    if (__builtin_mul_overflow(seconds, NS_PER_SECOND, &ns) ||
        __builtin_add_overflow(ns, fraction_ns, &ns))
        return AX_INVALID; /* before 1677 or after 2262 */
    *out_real_ns = ns;
    return AX_OK;
}
