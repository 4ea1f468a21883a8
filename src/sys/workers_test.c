#include "sys/workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "harness.h"
#include "sys/clock.h"

static atomic_int done_count;
static atomic_bool gate_open;

static void
count_one(void *arg)
{
    (void)arg;
    atomic_fetch_add(&done_count, 1);
}

static void
wait_at_gate(void *arg)
{
    count_one(arg);
    while (!atomic_load(&gate_open))
        ax_clock_sleep_ms(1);
}

static void
look_around(void *arg)
{
    char *name = arg;
    sigset_t blocked;
    pthread_getname_np(pthread_self(), name, 16);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    CHECK(sigismember(&blocked, SIGTERM));
    CHECK(sigismember(&blocked, SIGPIPE));
    CHECK(!sigismember(&blocked, SIGSEGV));
}

static void
one_thread(struct ax_ctx *ctx)
{
    struct ax_thread *thread;
    char name[16] = "";
    sigset_t before = {}, after = {};
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    CHECK_EQ(ax_thread_start(ctx, "fifteen-letters", look_around, name, &thread), AX_OK);
    ax_thread_join(thread);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    CHECK_STR(ax_str_of(name), "fifteen-letters");
    CHECK(memcmp(&before, &after, sizeof before) == 0);
}

TEST(a_thread_has_its_name_and_hears_no_signals)
{
    ax_test_with_ctx(one_thread);
}

static void
bounded(struct ax_ctx *ctx)
{
    struct ax_workers *workers;
    CHECK_EQ(ax_workers_open(ctx, 2, 3, &workers), AX_OK);
    CHECK(ax_workers_submit(workers, wait_at_gate, NULL));
    CHECK(ax_workers_submit(workers, wait_at_gate, NULL));
    while (atomic_load(&done_count) < 2) /* both threads are busy now */
        ax_clock_sleep_ms(1);
    for (int i = 0; i < 3; i++)
        CHECK(ax_workers_submit(workers, count_one, NULL));
    CHECK(!ax_workers_submit(workers, count_one, NULL));
    CHECK_EQ(ax_workers_queued(workers), 3);
    atomic_store(&gate_open, true);
    ax_workers_close(workers);
    CHECK_EQ(atomic_load(&done_count), 5);
}

TEST(workers_refuse_when_full_and_finish_what_they_took)
{
    ax_test_with_ctx(bounded);
}

static void
busy(struct ax_ctx *ctx)
{
    ax_auto(ax_workers_close) struct ax_workers *workers = NULL;
    CHECK_EQ(ax_workers_open(ctx, 3, 16, &workers), AX_OK);
    int taken = 0;
    for (int i = 0; i < 5'000; i++)
        taken += ax_workers_submit(workers, count_one, NULL);
    ax_workers_close(ax_take(workers));
    CHECK(taken >= 16);
    CHECK_EQ(atomic_load(&done_count), taken);
}

TEST(workers_run_each_job_once)
{
    ax_test_with_ctx(busy);
}

static ax_status
open_and_close(struct ax_ctx *ctx)
{
    struct ax_workers *workers;
    AX_TRY(ax_workers_open(ctx, 3, 4, &workers));
    ax_workers_close(workers);
    return AX_OK;
}

TEST(workers_survive_every_fault_at_their_start)
{
    FAULT_SWEEP(open_and_close);
}
