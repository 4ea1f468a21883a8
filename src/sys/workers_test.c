#include "sys/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

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

/* ---- what is dropped, and in which order the rest is run ---- */

static char said[64];
static atomic_int said_count;

static void
note(char name)
{
    said[atomic_fetch_add(&said_count, 1)] = name;
}

static void
say(void *arg)
{
    note(*(const char *)arg);
}

static void
say_dropped(void *arg, enum ax_work_drop why)
{
    (void)arg;
    note(why == AX_WORK_EXPIRED ? 'x' : 'l');
}

static struct ax_work
work_of(const char *name, uint64_t flow)
{
    return (struct ax_work){.run = say,
                            .drop = say_dropped,
                            .arg = (void *)(uintptr_t)name,
                            .group = 1,
                            .flow = flow,
                            .deadline_ns = INT64_MAX};
}

/* One thread, kept busy by a slow job until the gate opens. */
static struct ax_workers *
open_busy(struct ax_ctx *ctx, const struct ax_workers_limits *limits)
{
    struct ax_workers *workers = NULL;
    CHECK_EQ(ax_workers_open(ctx, 1, 16, &workers), AX_OK);
    if (limits)
        ax_workers_limit(workers, limits);
    CHECK(ax_workers_submit(workers, wait_at_gate, NULL));
    while (atomic_load(&done_count) < 1)
        ax_clock_sleep_ms(1);
    return workers;
}

static void
expires(struct ax_ctx *ctx)
{
    struct ax_workers *workers = open_busy(ctx, NULL);
    int64_t now_ns = ax_clock_monotonic_ns();
    struct ax_work in_time = work_of("a", 1), past = work_of("b", 1), late_but_whole = past;
    past.deadline_ns = late_but_whole.deadline_ns = now_ns + 1;
    in_time.deadline_ns = now_ns + 60'000'000'000;
    late_but_whole.drop = NULL;
    CHECK_EQ(ax_workers_put(workers, &in_time), AX_WORK_TAKEN);
    CHECK_EQ(ax_workers_put(workers, &past), AX_WORK_TAKEN);
    CHECK_EQ(ax_workers_put(workers, &late_but_whole), AX_WORK_TAKEN);
    ax_clock_sleep_ms(1);
    atomic_store(&gate_open, true);
    while (ax_workers_totals(workers).running + ax_workers_totals(workers).queued > 0)
        ax_clock_sleep_ms(1);
    struct ax_workers_totals totals = ax_workers_totals(workers);
    CHECK(totals.expired == 1 && totals.late == 0 && totals.run == 3);
    ax_workers_close(workers);
    CHECK_STR(ax_str_of(said), "axb");
}

TEST(work_past_its_deadline_is_dropped_before_it_is_begun)
{
    ax_test_with_ctx(expires);
}

static void
fair(struct ax_ctx *ctx)
{
    const struct ax_workers_limits limits = {.share_percent = 50};
    struct ax_workers *workers = open_busy(ctx, &limits);
    struct ax_work noisy = work_of("n", 1), quiet = work_of("q", 2);
    quiet.group = 2;
    enum ax_work_answer answer = AX_WORK_TAKEN;
    int count = 0;
    while ((answer = ax_workers_put(workers, &noisy)) == AX_WORK_TAKEN)
        count++;
    CHECK_EQ(answer, AX_WORK_OVER_SHARE);
    CHECK(count >= 3 && count < 8);
    CHECK_EQ(ax_workers_put(workers, &quiet), AX_WORK_TAKEN);
    CHECK_EQ(ax_workers_totals(workers).over_share, 1);
    atomic_store(&gate_open, true);
    ax_workers_close(workers);
    CHECK_EQ(atomic_load(&said_count), count + 1);
    CHECK(said[0] == 'n' && said[1] == 'q');
}

TEST(a_crowd_of_one_keeps_nobody_else_waiting)
{
    ax_test_with_ctx(fair);
}

/* The clock stands but for the work: each job takes fifty milliseconds. */
static void
say_slowly(void *arg)
{
    say(arg);
    ax_clock_fake(ax_clock_monotonic_ns() + 50'000'000, 1);
}

static void
late(struct ax_ctx *ctx)
{
    const struct ax_workers_limits limits = {
        .share_percent = 100, .delay_ns = 10'000'000, .delay_window_ns = 100'000'000};
    ax_clock_fake(1'000'000'000, 1);
    struct ax_workers *workers = NULL;
    struct ax_work work = work_of("r", 1), other = work_of("o", 2);
    work.run = other.run = say_slowly;
    CHECK_EQ(ax_workers_open(ctx, 1, 16, &workers), AX_OK);
    ax_workers_limit(workers, &limits);
    CHECK(ax_workers_submit(workers, wait_at_gate, NULL));
    while (atomic_load(&done_count) < 1)
        (void)sched_yield();
    for (int i = 0; i < 8; i++)
        CHECK_EQ(ax_workers_put(workers, &work), AX_WORK_TAKEN);
    CHECK_EQ(ax_workers_put(workers, &other), AX_WORK_TAKEN);
    atomic_store(&gate_open, true);
    ax_workers_close(workers);
    ax_clock_fake(0, 0);
    CHECK_STR(ax_str_of(said), "rorrlllll"); /* what is a burst is taken; then it is too long */
}

TEST(a_standing_queue_is_shortened)
{
    ax_test_with_ctx(late);
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

/* ---- whose turn on a core ---- */

static void
note_nice(void *arg)
{
    atomic_store((atomic_int *)arg, getpriority(PRIO_PROCESS, 0));
}

static void
niceness(struct ax_ctx *ctx)
{
    struct ax_workers *workers;
    atomic_int nice = 100;
    CHECK_EQ(ax_workers_open(ctx, 1, 1, &workers), AX_OK);
    CHECK(ax_workers_submit(workers, note_nice, &nice));
    ax_workers_close(workers);
    int own = getpriority(PRIO_PROCESS, 0);
    CHECK_EQ(atomic_load(&nice), own + AX_WORKERS_NICE > 19 ? 19 : own + AX_WORKERS_NICE);
}

TEST(workers_let_others_go_first)
{
    ax_test_with_ctx(niceness);
}
