#include "sys/mutex.h"

#include "harness.h"
#include "sys/clock.h"
#include "sys/workers.h"

enum { ADDERS = 4, ADDITIONS = 20'000 };

static struct {
    struct ax_mutex mutex;
    struct ax_cond changed;
    int64_t sum; /* guarded by mutex */
    bool said;   /* guarded by mutex */
} shared;

static void
add_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < ADDITIONS; i++) {
        ax_mutex_lock(&shared.mutex);
        shared.sum++;
        ax_mutex_unlock(&shared.mutex);
    }
}

static void
many_threads(struct ax_ctx *ctx)
{
    struct ax_thread *threads[ADDERS];
    ax_mutex_init(&shared.mutex);
    for (int i = 0; i < ADDERS; i++)
        CHECK_EQ(ax_thread_start(ctx, "adder", add_many, NULL, &threads[i]), AX_OK);
    for (int i = 0; i < ADDERS; i++)
        ax_thread_join(threads[i]);
    CHECK_EQ(shared.sum, ADDERS * ADDITIONS);
    ax_mutex_done(&shared.mutex);
}

TEST(a_mutex_lets_one_thread_in_at_a_time)
{
    ax_test_with_ctx(many_threads);
}

static void
say(void *arg)
{
    (void)arg;
    ax_mutex_lock(&shared.mutex);
    shared.said = true;
    ax_mutex_unlock(&shared.mutex);
    ax_cond_signal(&shared.changed);
}

static void
waiting(struct ax_ctx *ctx)
{
    struct ax_thread *thread;
    ax_mutex_init(&shared.mutex);
    ax_cond_init(&shared.changed);
    ax_mutex_lock(&shared.mutex);
    int64_t deadline = ax_clock_monotonic_ns() + 3'000'000;
    while (ax_cond_wait_until(&shared.changed, &shared.mutex, deadline))
        ; /* woken for no reason */
    CHECK(ax_clock_monotonic_ns() >= deadline);
    CHECK_EQ(ax_thread_start(ctx, "speaker", say, NULL, &thread), AX_OK);
    while (!shared.said)
        ax_cond_wait(&shared.changed, &shared.mutex);
    CHECK(shared.said);
    ax_mutex_unlock(&shared.mutex);
    ax_thread_join(thread);
    ax_cond_broadcast(&shared.changed);
    ax_cond_done(&shared.changed);
    ax_mutex_done(&shared.mutex);
}

TEST(a_condition_wakes_a_waiter_and_keeps_the_deadline)
{
    ax_test_with_ctx(waiting);
}
