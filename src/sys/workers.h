/*
 * Threads: named ones that live long, and a pool with a bounded queue for what may block.
 */
#pragma once

#include "base/ctx.h"

struct ax_thread;

/* name: at most 15 bytes, shown by the system. Signals are blocked in it. Fails: LIMIT. */
ax_status ax_thread_start(struct ax_ctx *ctx, const char *name, void (*run)(void *arg), void *arg,
                          struct ax_thread **out_thread);

/* Waits until run returns; frees the handle. */
void ax_thread_join(struct ax_thread *thread);

struct ax_workers;

ax_status ax_workers_open(struct ax_ctx *ctx, int thread_count, int queue_max,
                          struct ax_workers **out_workers);

/* Runs fn(arg) on one of the threads. false when the queue is full or closing: say so upwards. */
[[nodiscard]] bool ax_workers_submit(struct ax_workers *workers, void (*fn)(void *arg), void *arg);

/* Jobs waiting, not running. */
int ax_workers_queued(struct ax_workers *workers);

/* Finishes what is queued, then joins the threads. */
void ax_workers_close(struct ax_workers *workers);
AX_DEFINE_AUTO(struct ax_workers, ax_workers_close);
