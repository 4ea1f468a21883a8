#include "sys/snapshot.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "harness.h"
#include "sys/clock.h"
#include "sys/workers.h"

enum { READERS = 3, SWAPS = 2'000, READS_MIN = 2'000 };

static atomic_int living;

/* Both numbers are the same until it dies. */
struct pair {
    uint64_t left, right;
};

static void
pair_free(void *value)
{
    struct pair *pair = value;
    pair->left = 1;
    pair->right = 2;
    ax_free(pair);
    atomic_fetch_sub(&living, 1);
}

static struct pair *
pair_new(uint64_t number)
{
    struct pair *pair = ax_alloc(1, sizeof *pair);
    if (!pair)
        return NULL;
    *pair = (struct pair){number, number};
    atomic_fetch_add(&living, 1);
    return pair;
}

static void
one_reader(struct ax_ctx *ctx)
{
    struct ax_snapshot *snapshot;
    struct ax_snapshot_reader early = {}, late = {};
    CHECK_EQ(ax_snapshot_open(ctx, pair_free, &snapshot), AX_OK);
    CHECK(ax_snapshot_read(snapshot, &early) == NULL);
    struct pair *first = pair_new(1), *second = pair_new(2);
    CHECK_EQ(ax_snapshot_swap(snapshot, ctx, first), AX_OK);
    CHECK(ax_snapshot_read(snapshot, &early) == first);
    CHECK_EQ(ax_snapshot_swap(snapshot, ctx, second), AX_OK);
    CHECK_EQ(first->right, 1); /* early still holds it */
    CHECK_EQ(atomic_load(&living), 2);
    CHECK(ax_snapshot_read(snapshot, &late) == second);
    CHECK(ax_snapshot_read(snapshot, &early) == second);
    CHECK_EQ(atomic_load(&living), 1);
    ax_snapshot_done(snapshot, &early);
    ax_snapshot_done(snapshot, &late);
    ax_snapshot_done(snapshot, &late);
    CHECK_EQ(atomic_load(&living), 1);
    ax_snapshot_close(snapshot);
    CHECK_EQ(atomic_load(&living), 0);
}

TEST(a_value_lives_until_its_last_reader_lets_go)
{
    ax_test_with_ctx(one_reader);
}

static void
read_many(void *arg)
{
    struct ax_snapshot *snapshot = arg;
    struct ax_snapshot_reader reader = {};
    uint64_t last = 0;
    for (int reads = 0; reads < READS_MIN || last < SWAPS; reads++) {
        const struct pair *pair = ax_snapshot_read(snapshot, &reader);
        if (!pair)
            continue;
        CHECK(pair->left == pair->right);
        CHECK(pair->left >= last);
        last = pair->left;
    }
    ax_snapshot_done(snapshot, &reader);
}

static void
concurrent(struct ax_ctx *ctx)
{
    struct ax_snapshot *snapshot;
    struct ax_thread *threads[READERS];
    CHECK_EQ(ax_snapshot_open(ctx, pair_free, &snapshot), AX_OK);
    for (int i = 0; i < READERS; i++)
        CHECK_EQ(ax_thread_start(ctx, "reader", read_many, snapshot, &threads[i]), AX_OK);
    for (uint64_t number = 1; number <= SWAPS; number++) {
        CHECK_EQ(ax_snapshot_swap(snapshot, ctx, pair_new(number)), AX_OK);
        if (number % 100 == 0)
            ax_clock_sleep_ms(1);
    }
    for (int i = 0; i < READERS; i++)
        ax_thread_join(threads[i]);
    CHECK_EQ(atomic_load(&living), 1);
    ax_snapshot_close(snapshot);
    CHECK_EQ(atomic_load(&living), 0);
}

TEST(readers_see_whole_values_in_order_while_they_are_swapped)
{
    ax_test_with_ctx(concurrent);
}

static ax_status
open_and_swap(struct ax_ctx *ctx)
{
    struct ax_snapshot *snapshot;
    AX_TRY(ax_snapshot_open(ctx, pair_free, &snapshot));
    struct pair *pair = pair_new(1);
    ax_status status =
        pair ? ax_snapshot_swap(snapshot, ctx, pair) : ax_fail(ctx, AX_LIMIT, "no memory");
    ax_snapshot_close(snapshot);
    CHECK_EQ(atomic_load(&living), 0); /* taken, also by a swap that failed */
    return status;
}

TEST(a_snapshot_frees_its_values_after_every_fault)
{
    FAULT_SWEEP(open_and_swap);
}

struct asking {
    struct ax_snapshot *snapshot;
    uint64_t seen;
};

static void
asks_once(void *arg)
{
    struct asking *asking = arg;
    struct ax_ctx ctx = ax_ctx_of(NULL);
    void *value = NULL;
    CHECK_EQ(ax_snapshot_here(asking->snapshot, &ctx, &value), AX_OK);
    asking->seen = ((struct pair *)value)->left;
}

static void
readers_without_a_name(struct ax_ctx *ctx)
{
    struct asking asking = {};
    struct ax_thread *thread;
    void *value;
    CHECK_EQ(ax_snapshot_open(ctx, pair_free, &asking.snapshot), AX_OK);
    CHECK_EQ(ax_snapshot_here(asking.snapshot, ctx, &value), AX_OK);
    CHECK(value == NULL);
    for (uint64_t i = 1; i <= 3; i++) {
        CHECK_EQ(ax_snapshot_swap(asking.snapshot, ctx, pair_new(i)), AX_OK);
        CHECK_EQ(ax_thread_start(ctx, "asks", asks_once, &asking, &thread), AX_OK);
        ax_thread_join(thread); /* its reader has let go */
        CHECK_EQ(asking.seen, i);
        CHECK_EQ(ax_snapshot_here(asking.snapshot, ctx, &value), AX_OK);
        CHECK_EQ(((struct pair *)value)->right, i);
        CHECK_EQ(atomic_load(&living), 1);
    }
    ax_snapshot_close(asking.snapshot); /* this thread's reader goes with it */
    CHECK_EQ(atomic_load(&living), 0);
}

TEST(a_thread_that_carries_no_reader_has_one)
{
    ax_test_with_ctx(readers_without_a_name);
}

static ax_status
opens_and_reads_here(struct ax_ctx *ctx)
{
    struct ax_snapshot *snapshot;
    void *value;
    AX_TRY(ax_snapshot_open(ctx, pair_free, &snapshot));
    ax_status status = ax_snapshot_here(snapshot, ctx, &value);
    ax_snapshot_close(snapshot);
    return status;
}

TEST(a_threads_own_reader_meets_every_fault)
{
    FAULT_SWEEP(opens_and_reads_here);
}
