#include "sys/workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
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

void
ax_thread_join(struct ax_thread *thread)
{
    int failed = pthread_join(thread->os, NULL);
    AX_ASSERT(!failed);
    ax_free(thread);
}

struct job {
    void (*fn)(void *arg);
    void *arg;
};

struct ax_workers {
    struct ax_mutex mutex;
    struct ax_cond work_or_closing;
    struct job *jobs; /* guarded by mutex, as all below; a ring of job_max */
    int job_max;
    int job_first;
    int job_count;
    bool closing;
    int thread_count; /* set before the threads run or by close alone */
    struct ax_thread **threads;
};

/* false when the pool closes and nothing is left to do. */
static bool
take_job(struct ax_workers *workers, struct job *out_job)
{
    ax_mutex_lock(&workers->mutex);
    while (workers->job_count == 0 && !workers->closing)
        ax_cond_wait(&workers->work_or_closing, &workers->mutex);
    bool found = workers->job_count > 0;
    if (found) {
        *out_job = workers->jobs[workers->job_first];
        workers->job_first = (workers->job_first + 1) % workers->job_max;
        workers->job_count--;
    }
    ax_mutex_unlock(&workers->mutex);
    return found;
}

static void
worker_run(void *arg)
{
    struct ax_workers *workers = arg;
    for (struct job job; take_job(workers, &job);)
        job.fn(job.arg);
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
    workers->job_max = queue_max;
    workers->jobs = ax_alloc(sizeof *workers->jobs, (size_t)queue_max);
    workers->threads = ax_alloc(sizeof(struct ax_thread *), (size_t)thread_count);
    ax_status status = workers->jobs && workers->threads
                           ? start_threads(workers, ctx, thread_count)
                           : ax_fail(ctx, AX_LIMIT, "no memory for the workers' queue");
    if (status != AX_OK) {
        ax_workers_close(workers);
        return status;
    }
    *out_workers = workers;
    return AX_OK;
}

bool
ax_workers_submit(struct ax_workers *workers, void (*fn)(void *arg), void *arg)
{
    ax_mutex_lock(&workers->mutex);
    bool fits = !workers->closing && workers->job_count < workers->job_max;
    if (fits) {
        int last = (workers->job_first + workers->job_count) % workers->job_max;
        workers->jobs[last] = (struct job){.fn = fn, .arg = arg};
        workers->job_count++;
    }
    ax_mutex_unlock(&workers->mutex);
    if (fits)
        ax_cond_signal(&workers->work_or_closing);
    return fits;
}

int
ax_workers_queued(struct ax_workers *workers)
{
    ax_mutex_lock(&workers->mutex);
    int count = workers->job_count;
    ax_mutex_unlock(&workers->mutex);
    return count;
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
    ax_free(workers->threads);
    ax_free(workers->jobs);
    ax_free(workers);
}
