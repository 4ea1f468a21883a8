/*
 * Threads: named ones that live long, and a pool with a bounded queue for what may block.
 *
 * The queue is fair among those who ask (fair_queue.h). Work whose deadline has passed is dropped
 * before it is begun; so is work of somebody whose queue is late for good (queue_delay.h).
 */
#pragma once

#include "base/ctx.h"

struct ax_thread;

/* name: at most 15 bytes, shown by the system. Signals are blocked in it. Fails: LIMIT. */
ax_status ax_thread_start(struct ax_ctx *ctx, const char *name, void (*run)(void *arg), void *arg,
                          struct ax_thread **out_thread);

/* Waits until run returns; frees the handle. */
void ax_thread_join(struct ax_thread *thread);

/* Cores that this process may run on, at least 1. */
size_t ax_thread_core_count(void);

struct ax_workers;

enum { AX_WORKERS_NICE = 5 }; /* their threads' above the process's */

ax_status ax_workers_open(struct ax_ctx *ctx, int thread_count, int queue_max,
                          struct ax_workers **out_workers);

/* Runs fn(arg) on one of the threads. false when the queue is full or closing: say so upwards. */
[[nodiscard]] bool ax_workers_submit(struct ax_workers *workers, void (*fn)(void *arg), void *arg);

enum ax_work_drop { AX_WORK_EXPIRED, AX_WORK_LATE };

struct ax_work {
    void (*run)(void *arg);
    /* Called in place of run, on a worker. NULL: it is run however late. */
    void (*drop)(void *arg, enum ax_work_drop why);
    void *arg;
    uint64_t group, flow;    /* what is asked for, and who asks; 0, 0: the program's own */
    unsigned cost, priority; /* as in fair_queue.h, and so is computes */
    bool computes;
    int64_t deadline_ns; /* monotonic; INT64_MAX: none */
};

enum ax_work_answer { AX_WORK_TAKEN, AX_WORK_FULL, AX_WORK_OVER_SHARE };

/* FULL also when closing. Unless it is TAKEN nothing is called. */
[[nodiscard]] enum ax_work_answer ax_workers_put(struct ax_workers *workers,
                                                 const struct ax_work *work);

struct ax_workers_limits {
    int share_percent;       /* of threads and places, for one alone; 100 at first */
    int64_t delay_ns;        /* the wait that is aimed at; 0, as at first: any */
    int64_t delay_window_ns; /* longer above it is too long */
};

/* From now on. Any thread. */
void ax_workers_limit(struct ax_workers *workers, const struct ax_workers_limits *limits);

struct ax_workers_totals {
    size_t queued, running;                       /* now */
    int64_t full, over_share, expired, late, run; /* since the start */
};

struct ax_workers_totals ax_workers_totals(struct ax_workers *workers);

/* Jobs waiting, not running. */
int ax_workers_queued(struct ax_workers *workers);

/* Finishes what is queued, then joins the threads. */
void ax_workers_close(struct ax_workers *workers);
AX_DEFINE_AUTO(struct ax_workers, ax_workers_close);
