#include "sys/usage.h"

#include <math.h>
#include <unistd.h>

#include "harness.h"
#include "sys/clock.h"

TEST(a_busy_process_is_seen_to_be_busy)
{
    struct ax_usage usage = {};
    volatile double work = 0;
    ax_usage_look(&usage, getpid(), "/");
    CHECK(isnan(usage.process_cpu_percent)); /* a rate takes two looks */
    int64_t until_ns = ax_clock_monotonic_ns() + 300'000'000;
    while (ax_clock_monotonic_ns() < until_ns)
        work = work + 1;
    ax_usage_look(&usage, getpid(), "/");
    CHECK(usage.process_cpu_percent > 0.5 && usage.process_cpu_percent < 250);
    CHECK(usage.process_memory_megabytes > 0.5 && usage.process_memory_megabytes < 10'000);
    CHECK(usage.cpu_percent > 0 && usage.cpu_percent <= 100);
    CHECK(usage.memory_megabytes > 10);
    CHECK(usage.memory_percent > 0 && usage.memory_percent <= 100);
    CHECK(usage.disk_percent >= 0 && usage.disk_percent <= 100);
    CHECK(usage.disk_available_megabytes >= 0);
    CHECK(usage.receive_megabytes >= 0 && usage.transmit_megabytes >= 0);
}

TEST(what_is_not_there_is_not_known)
{
    struct ax_usage usage = {};
    ax_usage_look(&usage, 999'999'999, "/no/such/place");
    CHECK(isnan(usage.process_memory_megabytes) && isnan(usage.disk_percent));
}
