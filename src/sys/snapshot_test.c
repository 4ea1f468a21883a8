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
