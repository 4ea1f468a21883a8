#include "sys/queue.h"

#include <stdatomic.h>
#include <stdint.h>

#include "harness.h"
#include "sys/clock.h"
#include "sys/workers.h"

enum { PRODUCERS = 3, ITEMS_EACH = 20'000, QUEUE_SMALL = 8 };

static void
in_order(struct ax_ctx *ctx)
{
    static const struct {
        size_t asked, got;
    } cases[] = {{1, 2}, {2, 2}, {3, 4}, {8, 8}, {9, 16}};
    static int items[64];
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_queue *queue;
        CHECK_EQ(ax_queue_open(ctx, cases[i].asked, &queue), AX_OK);
        CHECK(ax_queue_pop(queue) == NULL);
        for (int round = 0; round < 5; round++) {
            size_t pushed = 0;
            while (pushed < AX_COUNT_OF(items) && ax_queue_push(queue, &items[pushed]))
                pushed++;
            CHECK_EQ(pushed, cases[i].got);
            CHECK_EQ(ax_queue_count(queue), cases[i].got);
            for (size_t at = 0; at < pushed; at++)
                CHECK(ax_queue_pop(queue) == &items[at]);
            CHECK(ax_queue_pop(queue) == NULL);
            CHECK_EQ(ax_queue_count(queue), 0);
        }
        ax_queue_close(queue);
    }
    struct ax_queue *queue;
    CHECK_EQ(ax_queue_open(ctx, SIZE_MAX, &queue), AX_LIMIT);
}

TEST(a_queue_keeps_order_and_its_capacity)
{
    ax_test_with_ctx(in_order);
}

/* An item says who made it and as which: producer * ITEMS_EACH + number + 1, as a pointer. */
static void
produce(void *arg)
{
    static atomic_uintptr_t producers;
    struct ax_queue *queue = arg;
    uintptr_t self = atomic_fetch_add(&producers, 1);
    for (uintptr_t i = 0; i < ITEMS_EACH; i++)
        while (!ax_queue_push(queue, (void *)(self * ITEMS_EACH + i + 1)))
            ax_clock_sleep_ms(1);
}

static void
concurrent(struct ax_ctx *ctx)
{
    struct ax_queue *queue;
    struct ax_thread *threads[PRODUCERS];
    uintptr_t next[PRODUCERS] = {};
    CHECK_EQ(ax_queue_open(ctx, QUEUE_SMALL * 128, &queue), AX_OK);
    for (int i = 0; i < PRODUCERS; i++)
        CHECK_EQ(ax_thread_start(ctx, "producer", produce, queue, &threads[i]), AX_OK);
    for (int got = 0; got < PRODUCERS * ITEMS_EACH;) {
        uintptr_t item = (uintptr_t)ax_queue_pop(queue);
        CHECK(ax_queue_count(queue) <= QUEUE_SMALL * 128);
        if (item == 0)
            continue;
        uintptr_t producer = (item - 1) / ITEMS_EACH, number = (item - 1) % ITEMS_EACH;
        CHECK_EQ(number, next[producer]); /* none lost, none twice, each producer's in order */
        next[producer]++;
        got++;
    }
    for (int i = 0; i < PRODUCERS; i++)
        ax_thread_join(threads[i]);
    CHECK(ax_queue_pop(queue) == NULL);
    ax_queue_close(queue);
}

TEST(a_queue_loses_nothing_between_many_producers_and_one_consumer)
{
    ax_test_with_ctx(concurrent);
}

static ax_status
open_and_close(struct ax_ctx *ctx)
{
    struct ax_queue *queue;
    AX_TRY(ax_queue_open(ctx, 4, &queue));
    ax_queue_close(queue);
    return AX_OK;
}

TEST(a_queue_survives_every_fault)
{
    FAULT_SWEEP(open_and_close);
}
