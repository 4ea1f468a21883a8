#include "server/jobs.h"

#include "base/alloc.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/mutex.h"
#include "sys/workers.h"

enum { JOBS_MAX = 32, ARENA_BYTES_MAX = 256 << 20 };

struct state {
    int64_t next_ns;
    bool failing;
};

struct ax_jobs {
    const struct ax_job *jobs;
    size_t count;
    struct state states[JOBS_MAX];
    struct ax_arena *arena;
    struct ax_thread *thread;
    struct ax_mutex mutex;
    struct ax_cond stopped;
    bool stopping; /* guarded by mutex */
};

static void
run(struct ax_jobs *jobs, size_t i)
{
    const struct ax_job *job = &jobs->jobs[i];
    struct state *state = &jobs->states[i];
    struct ax_ctx ctx = ax_ctx_of(jobs->arena);
    ax_status status = job->run(job->arg, &ctx);
    if (status != AX_OK && !state->failing)
        ax_log(AX_LOG_WARN, &ctx, "job_failed", "job", job->name, NULL);
    else if (status == AX_OK && state->failing)
        ax_log(AX_LOG_INFO, &ctx, "job_recovered", "job", job->name, NULL);
    state->failing = status != AX_OK;
    state->next_ns = ax_clock_monotonic_ns() + job->interval_ms * 1'000'000;
    ax_arena_reset(jobs->arena);
}

/* Runs what is due; when the next one is. */
static int64_t
run_due(struct ax_jobs *jobs)
{
    int64_t next_ns = INT64_MAX;
    for (size_t i = 0; i < jobs->count; i++) {
        if (ax_clock_monotonic_ns() >= jobs->states[i].next_ns)
            run(jobs, i);
        if (jobs->states[i].next_ns < next_ns)
            next_ns = jobs->states[i].next_ns;
    }
    return next_ns;
}

static void
thread_main(void *arg)
{
    struct ax_jobs *jobs = arg;
    ax_mutex_lock(&jobs->mutex);
    while (!jobs->stopping) {
        ax_mutex_unlock(&jobs->mutex);
        int64_t next_ns = run_due(jobs);
        ax_mutex_lock(&jobs->mutex);
        if (!jobs->stopping)
            (void)ax_cond_wait_until(&jobs->stopped, &jobs->mutex, next_ns);
    }
    ax_mutex_unlock(&jobs->mutex);
    for (size_t i = 0; i < jobs->count; i++)
        run(jobs, i);
}

static void
jobs_free(struct ax_jobs *jobs)
{
    if (jobs->arena)
        ax_arena_free(jobs->arena);
    ax_cond_done(&jobs->stopped);
    ax_mutex_done(&jobs->mutex);
    ax_free(jobs);
}

ax_status
ax_jobs_start(struct ax_ctx *ctx, const struct ax_job *jobs, size_t count,
              struct ax_jobs **out_jobs)
{
    struct ax_jobs *made = count <= JOBS_MAX ? ax_alloc(sizeof *made, 1) : NULL;
    if (!made)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu jobs", count);
    made->jobs = jobs;
    made->count = count;
    ax_mutex_init(&made->mutex);
    ax_cond_init(&made->stopped);
    made->arena = ax_arena_new(ARENA_BYTES_MAX);
    ax_status status = made->arena ? ax_thread_start(ctx, "jobs", thread_main, made, &made->thread)
                                   : ax_fail(ctx, AX_LIMIT, "no memory for jobs");
    if (status != AX_OK) {
        jobs_free(made);
        return status;
    }
    *out_jobs = made;
    return AX_OK;
}

void
ax_jobs_stop(struct ax_jobs *jobs)
{
    if (!jobs)
        return;
    ax_mutex_lock(&jobs->mutex);
    jobs->stopping = true;
    ax_cond_signal(&jobs->stopped);
    ax_mutex_unlock(&jobs->mutex);
    ax_thread_join(jobs->thread);
    jobs_free(jobs);
}
