#include "sys/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sys/clock.h"
#include "sys/fair_queue.h"
#include "sys/mutex.h"
#include "sys/os_error.h"

enum { THREAD_NAME_BYTES = 16, THREADS_MAX = 4'096, QUEUE_MAX = 1 << 24 };

struct ax_thread {
    pthread_t os;
    void (*run)(void *arg);
    void *arg;
    char name[THREAD_NAME_BYTES];
};

static void *
thread_main(void *arg)
{
    struct ax_thread *thread = arg;
    pthread_setname_np(pthread_self(), thread->name);
    thread->run(thread->arg);
    return NULL;
}

/* All but those that a thread brings upon itself: these must reach the sanitizers' handlers. */
static sigset_t
signals_of_others(void)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF};
    sigset_t signals;
    sigfillset(&signals);
    for (size_t i = 0; i < AX_COUNT_OF(own); i++)
        sigdelset(&signals, own[i]);
    return signals;
}

ax_status
ax_thread_start(struct ax_ctx *ctx, const char *name, void (*run)(void *arg), void *arg,
                struct ax_thread **out_thread)
{
    AX_ASSERT(strlen(name) < THREAD_NAME_BYTES);
    struct ax_thread *thread = ax_alloc(1, sizeof *thread);
    if (!thread)
        return ax_fail(ctx, AX_LIMIT, "start thread %s: no memory", name);
    thread->run = run;
    thread->arg = arg;
    snprintf(thread->name, sizeof thread->name, "%s", name);

    /* A new thread inherits the mask, so that no signal can arrive before it is set. */
    sigset_t blocked = signals_of_others(), before;
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int number = ax_fault_here() ? EAGAIN : pthread_create(&thread->os, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (number != 0) {
        ax_free(thread);
        return ax_os_error(ctx, number, "start thread %s", name);
    }
    *out_thread = thread;
    return AX_OK;
}

size_t
ax_thread_core_count(void)
{
    cpu_set_t cores;
    int count = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
    return count < 1 ? 1 : (size_t)count;
}

void
ax_thread_join(struct ax_thread *thread)
{
    int failed = pthread_join(thread->os, NULL);
    AX_ASSERT(!failed);
    ax_free(thread);
}

struct job {
    struct ax_fair_job fair; /* first: a job is found again by it */
    struct ax_work work;
    int64_t put_ns;
    struct job *next; /* of those that are free */
};

struct ax_workers {
    struct ax_mutex mutex;
    struct ax_cond work_or_closing;
    struct ax_fair_queue *queue; /* guarded by mutex, as all below */
    struct job *jobs;            /* room for all that wait or run */
    struct job *unused;
    struct ax_queue_delay_config delay;
    struct ax_workers_totals totals;
    bool closing;
    int thread_count; /* set before the threads run or by close alone */
    struct ax_thread **threads;
};

static struct job *
job_of(struct ax_fair_job *fair)
{
    return (struct job *)(void *)fair;
}

/* Whether it is too late for it, and why. */
static bool
drops(struct ax_workers *workers, struct job *job, enum ax_work_drop *out_why)
{
    int64_t now_ns = ax_clock_monotonic_ns();
    struct ax_queue_delay *delay = ax_fair_queue_delay(&job->fair);
    bool late = ax_queue_delay_sheds(delay, &workers->delay, now_ns - job->put_ns, now_ns);
    bool expired = job->work.deadline_ns <= now_ns;
    *out_why = expired ? AX_WORK_EXPIRED : AX_WORK_LATE;
    if (!job->work.drop || !(late || expired))
        return false;
    workers->totals.expired += expired;
    workers->totals.late += !expired;
    return true;
}

/* NULL when the pool closes and nothing is left to do. */
static struct job *
take_job(struct ax_workers *workers) AX_REQUIRES(&workers->mutex)
{
    struct ax_fair_job *fair;
    while (!(fair = ax_fair_queue_take(workers->queue))) {
        if (workers->closing && ax_fair_queue_waiting(workers->queue) == 0)
            return NULL;
        ax_cond_wait(&workers->work_or_closing, &workers->mutex);
    }
    return job_of(fair);
}

/* Others of its flow may have waited for it to end. */
static void
job_done(struct ax_workers *workers, struct job *job) AX_REQUIRES(&workers->mutex)
{
    ax_fair_queue_done(workers->queue, &job->fair);
    job->next = workers->unused;
    workers->unused = job;
    if (ax_fair_queue_waiting(workers->queue) > 0 || workers->closing)
        ax_cond_signal(&workers->work_or_closing);
}

/*
 * Loops and the ledger have a few microseconds to do for each who waits, a worker may compute for
 * long: where they meet on a core it gets a third of what they get. On Linux this is the thread's.
 */
static void
let_others_first(void)
{
    int nice = getpriority(PRIO_PROCESS, 0);
    (void)setpriority(PRIO_PROCESS, 0, nice + AX_WORKERS_NICE); /* if not, it is as before */
}

static void
worker_run(void *arg)
{
    let_others_first();
    struct ax_workers *workers = arg;
    ax_mutex_lock(&workers->mutex);
    for (struct job *job; (job = take_job(workers));) {
        enum ax_work_drop why;
        bool dropped = drops(workers, job, &why);
        struct ax_work work = job->work;
        workers->totals.run += !dropped;
        ax_mutex_unlock(&workers->mutex);
        if (dropped)
            work.drop(work.arg, why);
        else
            work.run(work.arg);
        ax_mutex_lock(&workers->mutex);
        job_done(workers, job);
    }
    ax_mutex_unlock(&workers->mutex);
}

static ax_status
start_threads(struct ax_workers *workers, struct ax_ctx *ctx, int thread_count)
{
    for (int i = 0; i < thread_count; i++) {
        char name[THREAD_NAME_BYTES];
        snprintf(name, sizeof name, "worker-%u", (unsigned)i % THREADS_MAX);
        AX_TRY(ax_thread_start(ctx, name, worker_run, workers, &workers->threads[i]));
        workers->thread_count++;
    }
    return AX_OK;
}

static ax_status
open_queue(struct ax_workers *workers, struct ax_ctx *ctx, int thread_count, int queue_max)
{
    const struct ax_fair_queue_config config = {.waiting_max = (size_t)queue_max,
                                                .running_max = (size_t)thread_count,
                                                .share_percent = 100,
                                                .core_count = ax_thread_core_count()};
    size_t job_count = config.waiting_max + config.running_max;
    workers->jobs = ax_alloc(sizeof *workers->jobs, job_count);
    workers->threads = ax_alloc(sizeof(struct ax_thread *), (size_t)thread_count);
    if (!workers->jobs || !workers->threads)
        return ax_fail(ctx, AX_LIMIT, "no memory for the workers' queue");
    for (size_t i = 0; i < job_count; i++) {
        workers->jobs[i].next = workers->unused;
        workers->unused = &workers->jobs[i];
    }
    return ax_fair_queue_open(ctx, &config, &workers->queue);
}

ax_status
ax_workers_open(struct ax_ctx *ctx, int thread_count, int queue_max,
                struct ax_workers **out_workers)
{
    AX_ASSERT(thread_count > 0 && thread_count <= THREADS_MAX);
    AX_ASSERT(queue_max > 0 && queue_max <= QUEUE_MAX);
    struct ax_workers *workers = ax_alloc(1, sizeof *workers);
    if (!workers)
        return ax_fail(ctx, AX_LIMIT, "no memory for the workers");
    ax_mutex_init(&workers->mutex);
    ax_cond_init(&workers->work_or_closing);
    ax_status status = open_queue(workers, ctx, thread_count, queue_max);
    if (status == AX_OK)
        status = start_threads(workers, ctx, thread_count);
    if (status != AX_OK) {
        ax_workers_close(workers);
        return status;
    }
    *out_workers = workers;
    return AX_OK;
}

static enum ax_work_answer
put_job(struct ax_workers *workers, const struct ax_work *work) AX_REQUIRES(&workers->mutex)
{
    static const enum ax_work_answer answers[] = {[AX_FAIR_TAKEN] = AX_WORK_TAKEN,
                                                  [AX_FAIR_FULL] = AX_WORK_FULL,
                                                  [AX_FAIR_OVER_SHARE] = AX_WORK_OVER_SHARE};
    struct job *job = workers->unused;
    if (workers->closing || !job)
        return AX_WORK_FULL;
    struct job *rest = job->next;
    *job = (struct job){.fair = {.group = work->group,
                                 .flow = work->flow,
                                 .cost = work->cost,
                                 .priority = work->priority,
                                 .computes = work->computes},
                        .work = *work,
                        .put_ns = ax_clock_monotonic_ns(),
                        .next = rest};
    enum ax_work_answer answer = answers[ax_fair_queue_put(workers->queue, &job->fair)];
    if (answer == AX_WORK_TAKEN)
        workers->unused = rest;
    return answer;
}

enum ax_work_answer
ax_workers_put(struct ax_workers *workers, const struct ax_work *work)
{
    ax_mutex_lock(&workers->mutex);
    enum ax_work_answer answer = put_job(workers, work);
    workers->totals.full += answer == AX_WORK_FULL;
    workers->totals.over_share += answer == AX_WORK_OVER_SHARE;
    ax_mutex_unlock(&workers->mutex);
    if (answer == AX_WORK_TAKEN)
        ax_cond_signal(&workers->work_or_closing);
    return answer;
}

bool
ax_workers_submit(struct ax_workers *workers, void (*fn)(void *arg), void *arg)
{
    const struct ax_work work = {.run = fn, .arg = arg, .deadline_ns = INT64_MAX};
    return ax_workers_put(workers, &work) == AX_WORK_TAKEN;
}

void
ax_workers_limit(struct ax_workers *workers, const struct ax_workers_limits *limits)
{
    ax_mutex_lock(&workers->mutex);
    ax_fair_queue_set_share(workers->queue, limits->share_percent);
    workers->delay = (struct ax_queue_delay_config){limits->delay_ns, limits->delay_window_ns};
    ax_mutex_unlock(&workers->mutex);
    ax_cond_broadcast(&workers->work_or_closing); /* some may run now that could not */
}

struct ax_workers_totals
ax_workers_totals(struct ax_workers *workers)
{
    ax_mutex_lock(&workers->mutex);
    struct ax_workers_totals totals = workers->totals;
    totals.queued = ax_fair_queue_waiting(workers->queue);
    totals.running = ax_fair_queue_running(workers->queue);
    ax_mutex_unlock(&workers->mutex);
    return totals;
}

int
ax_workers_queued(struct ax_workers *workers)
{
    return (int)ax_workers_totals(workers).queued;
}

void
ax_workers_close(struct ax_workers *workers)
{
    ax_mutex_lock(&workers->mutex);
    workers->closing = true;
    ax_mutex_unlock(&workers->mutex);
    ax_cond_broadcast(&workers->work_or_closing);
    for (int i = 0; i < workers->thread_count; i++)
        ax_thread_join(workers->threads[i]);
    ax_cond_done(&workers->work_or_closing);
    ax_mutex_done(&workers->mutex);
    if (workers->queue)
        ax_fair_queue_close(workers->queue);
    ax_free(workers->threads);
    ax_free(workers->jobs);
    ax_free(workers);
}
