#include "sys/rate_limit.h"

#include <stdatomic.h>

#include "harness.h"
#include "sys/workers.h"

enum { MS = 1'000'000, THREADS = 4, TAKES = 20'000 };

static struct ax_rate_limit *
open_limit(struct ax_ctx *ctx, size_t key_max, int64_t per_second, int64_t burst)
{
    struct ax_rate_limit *limit = NULL;
    CHECK_EQ(ax_rate_limit_open(ctx, key_max, &limit), AX_OK);
    ax_rate_limit_set(limit, (struct ax_rate){per_second, burst});
    return limit;
}

/* How many of `count` get a token at once. */
static int
taken(struct ax_rate_limit *limit, uint64_t key, int count, int64_t now_ns)
{
    int given = 0;
    for (int i = 0; i < count; i++)
        given += ax_rate_limit_take(limit, key, now_ns) == 0;
    return given;
}

static void
fills(struct ax_ctx *ctx)
{
    struct ax_rate_limit *limit = open_limit(ctx, 64, 10, 5);
    int64_t now_ns = 7'000 * (int64_t)MS;
    CHECK_EQ(taken(limit, 42, 9, now_ns), 5);
    CHECK_EQ(ax_rate_limit_take(limit, 42, now_ns), 100 * MS); /* the wait until there is one */
    CHECK_EQ(ax_rate_limit_take(limit, 42, now_ns + 99 * MS), MS);
    CHECK_EQ(taken(limit, 42, 9, now_ns + 100 * MS), 1);
    CHECK_EQ(taken(limit, 42, 9, now_ns + 400 * MS), 3);
    CHECK_EQ(taken(limit, 43, 9, now_ns + 400 * MS), 5); /* another's bucket is its own */
    CHECK_EQ(taken(limit, 42, 99, now_ns + 60'000 * (int64_t)MS), 5); /* no more than the burst */
    CHECK_EQ(taken(limit, 0, 9, now_ns), 5);                          /* any key is one */

    ax_rate_limit_set(limit, (struct ax_rate){.per_second = 1'000}); /* a burst of a second's */
    CHECK_EQ(taken(limit, 44, 5'000, now_ns), 1'000);
    CHECK(ax_rate_limit_is_on(limit));
    ax_rate_limit_set(limit, (struct ax_rate){});
    CHECK(!ax_rate_limit_is_on(limit));
    CHECK_EQ(taken(limit, 44, 5'000, now_ns), 5'000);
    ax_rate_limit_close(limit);
}

TEST(a_bucket_fills_at_its_rate_up_to_its_burst)
{
    ax_test_with_ctx(fills);
}

static void
crowded(struct ax_ctx *ctx)
{
    struct ax_rate_limit *limit = open_limit(ctx, 8, 1, 3);
    int given = 0;
    for (uint64_t key = 1; key <= 1'000; key++)
        given += taken(limit, key * 0x9e3779b97f4a7c15, 3, MS);
    CHECK_EQ(given, 8 * 3); /* eight places; the others share what those have left, and find none */
    int64_t later_ns = 4'000 * (int64_t)MS;
    CHECK_EQ(taken(limit, 2'000, 9, later_ns), 3); /* who rests gives up the place */
    ax_rate_limit_close(limit);
}

TEST(a_flood_of_keys_gets_no_more_than_the_table_holds)
{
    ax_test_with_ctx(crowded);
}

struct race {
    struct ax_rate_limit *limit;
    atomic_int given;
};

static void
take_many(void *arg)
{
    struct race *race = arg;
    for (int i = 0; i < TAKES; i++)
        atomic_fetch_add(&race->given, ax_rate_limit_take(race->limit, 7, MS) == 0);
}

static void
raced(struct ax_ctx *ctx)
{
    struct race race = {.limit = open_limit(ctx, 64, 1, 5'001)};
    struct ax_thread *threads[THREADS];
    CHECK_EQ(ax_rate_limit_take(race.limit, 7, MS), 0); /* its place is known from here on */
    for (size_t i = 0; i < THREADS; i++)
        CHECK_EQ(ax_thread_start(ctx, "taker", take_many, &race, &threads[i]), AX_OK);
    for (size_t i = 0; i < THREADS; i++)
        ax_thread_join(threads[i]);
    CHECK_EQ(atomic_load(&race.given), 5'000);
    ax_rate_limit_close(race.limit);
}

TEST(threads_together_take_exactly_the_burst)
{
    ax_test_with_ctx(raced);
}

static ax_status
open_and_close(struct ax_ctx *ctx)
{
    struct ax_rate_limit *limit;
    AX_TRY(ax_rate_limit_open(ctx, 16, &limit));
    ax_rate_limit_close(limit);
    return AX_OK;
}

TEST(a_rate_limit_survives_every_fault_at_its_opening)
{
    FAULT_SWEEP(open_and_close);
}
