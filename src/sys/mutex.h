/*
 * Mutual exclusion and waiting, known to clang's thread-safety checks.
 *
 * A mutex may not be held across a port call or a callback.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __clang__
#define AX_CAPABILITY  __attribute__((capability("mutex")))
#define AX_ACQUIRES(m) __attribute__((acquire_capability(m)))
#define AX_RELEASES(m) __attribute__((release_capability(m)))
#define AX_REQUIRES(m) __attribute__((requires_capability(m)))
#define AX_NO_ANALYSIS __attribute__((no_thread_safety_analysis))
#else
#define AX_CAPABILITY
#define AX_ACQUIRES(m)
#define AX_RELEASES(m)
#define AX_REQUIRES(m)
#define AX_NO_ANALYSIS
#endif

struct AX_CAPABILITY ax_mutex {
    pthread_mutex_t os;
};

/* Waits on the monotonic clock. */
struct ax_cond {
    pthread_cond_t os;
};

void ax_mutex_init(struct ax_mutex *mutex);
void ax_mutex_done(struct ax_mutex *mutex);
void ax_mutex_lock(struct ax_mutex *mutex) AX_ACQUIRES(mutex);
void ax_mutex_unlock(struct ax_mutex *mutex) AX_RELEASES(mutex);

void ax_cond_init(struct ax_cond *cond);
void ax_cond_done(struct ax_cond *cond);
void ax_cond_wait(struct ax_cond *cond, struct ax_mutex *mutex) AX_REQUIRES(mutex);

/* false when the monotonic deadline passed first. */
bool ax_cond_wait_until(struct ax_cond *cond, struct ax_mutex *mutex, int64_t deadline_ns)
    AX_REQUIRES(mutex);
void ax_cond_signal(struct ax_cond *cond);
void ax_cond_broadcast(struct ax_cond *cond);
