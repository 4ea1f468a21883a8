#include "server/jobs.h"

#include <stdatomic.h>

#include "harness.h"
#include "sys/clock.h"

static ax_status
count_up(void *arg, struct ax_ctx *ctx)
{
    int calls = atomic_fetch_add((atomic_int *)arg, 1);
    return calls == 0 ? ax_fail(ctx, AX_UNAVAILABLE, "not yet") : AX_OK;
}

static void
runs(struct ax_ctx *ctx)
{
    atomic_int often = 0, seldom = 0;
    const struct ax_job table[] = {
        {"often", 1, count_up, &often},
        {"seldom", 3'600'000, count_up, &seldom},
    };
    struct ax_jobs *jobs = NULL;
    CHECK_EQ(ax_jobs_start(ctx, table, AX_COUNT_OF(table), &jobs), AX_OK);
    int64_t end_ns = ax_clock_monotonic_ns() + 10'000'000'000;
    while (atomic_load(&often) < 5 && ax_clock_monotonic_ns() < end_ns)
        ;
    ax_jobs_stop(jobs);
    CHECK(atomic_load(&often) > 5);    /* one that failed is called again */
    CHECK_EQ(atomic_load(&seldom), 2); /* at the start, and once more at the end */
    CHECK_EQ(ax_jobs_start(ctx, table, 33, &jobs), AX_LIMIT);
    CHECK(strcmp(ctx->error, "no memory for 33 jobs") == 0);
    ax_jobs_stop(NULL);
}

TEST(jobs_run_on_time_after_a_failure_and_once_more_at_the_end)
{
    ax_test_with_ctx(runs);
}
