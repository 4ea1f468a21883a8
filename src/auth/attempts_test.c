#include "auth/attempts.h"

#include "harness.h"
#include "sys/clock.h"

static const struct ax_attempts_config config = {.failures_max = 3, .refill_ms = 1'000};

static void
limits(struct ax_ctx *ctx)
{
    ax_auto(ax_attempts_close) struct ax_attempts *attempts = NULL;
    const int64_t second_ns = 1'000'000'000;
    ax_clock_fake(second_ns, second_ns);
    CHECK_EQ(ax_attempts_open(ctx, &config, &attempts), AX_OK);
    for (int i = 0; i < 3; i++)
        CHECK(ax_attempts_failed(attempts, 1));
    CHECK(ax_attempts_spent(attempts, 1));
    CHECK(!ax_attempts_failed(attempts, 1));
    CHECK(ax_attempts_failed(attempts, 2)); /* another is another */
    CHECK(!ax_attempts_spent(attempts, 2));
    CHECK(!ax_attempts_spent(attempts, 3)); /* who never failed */
    ax_clock_fake(2 * second_ns + 1, second_ns);
    CHECK(!ax_attempts_spent(attempts, 1));
    CHECK(ax_attempts_failed(attempts, 1)); /* one was forgiven */
    CHECK(!ax_attempts_failed(attempts, 1));
    ax_clock_fake(60 * second_ns, second_ns);
    for (int i = 0; i < 3; i++)
        CHECK(ax_attempts_failed(attempts, 1));
    CHECK(!ax_attempts_failed(attempts, 1));
    ax_clock_fake(second_ns, second_ns); /* a clock that goes back forgives nothing, breaks nothing
                                          */
    CHECK(!ax_attempts_failed(attempts, 1));
    ax_clock_fake(0, 0);
}

TEST(failures_of_one_network_are_limited_and_forgiven_with_time)
{
    ax_test_with_ctx(limits);
}

static void
floods(struct ax_ctx *ctx)
{
    ax_auto(ax_attempts_close) struct ax_attempts *attempts = NULL;
    CHECK_EQ(ax_attempts_open(ctx, &config, &attempts), AX_OK);
    for (uint64_t i = 100; i < 20'100; i++)
        CHECK(ax_attempts_failed(attempts, i));
    for (int i = 0; i < 10; i++)
        CHECK_EQ(ax_attempts_failed(attempts, 9), i < 3);
}

TEST(a_flood_of_networks_stays_in_the_table)
{
    ax_test_with_ctx(floods);
}

static ax_status
opens(struct ax_ctx *ctx)
{
    ax_auto(ax_attempts_close) struct ax_attempts *attempts = NULL;
    return ax_attempts_open(ctx, &config, &attempts);
}

TEST(attempts_open_or_say_why_not)
{
    FAULT_SWEEP(opens);
}
