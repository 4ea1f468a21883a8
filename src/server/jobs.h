/*
 * Jobs: functions called every so often, on one thread.
 *
 * A job that fails is called again at its next time; what went wrong is logged when it begins and
 * when it ends, not each time.
 */
#pragma once

#include "base/ctx.h"

struct ax_jobs;

struct ax_job {
    const char *name;
    int64_t interval_ms;
    ax_status (*run)(void *arg, struct ax_ctx *ctx);
    void *arg;
};

/* jobs: kept. Fails: LIMIT. */
ax_status ax_jobs_start(struct ax_ctx *ctx, const struct ax_job *jobs, size_t count,
                        struct ax_jobs **out_jobs);

/* Waits for the running one; then runs each once more, so that nothing is left half written. */
void ax_jobs_stop(struct ax_jobs *jobs);
