#include "sys/mutex.h"

#include <errno.h>
#include <time.h>

#include "base/assert.h"

#define NS_PER_SECOND INT64_C(1'000'000'000)

void
ax_mutex_init(struct ax_mutex *mutex)
{
    int failed = pthread_mutex_init(&mutex->os, NULL);
    AX_ASSERT(!failed);
}

void
ax_mutex_done(struct ax_mutex *mutex)
{
    int failed = pthread_mutex_destroy(&mutex->os);
    AX_ASSERT(!failed);
}

AX_NO_ANALYSIS void
ax_mutex_lock(struct ax_mutex *mutex)
{
    int failed = pthread_mutex_lock(&mutex->os);
    AX_ASSERT(!failed);
}

AX_NO_ANALYSIS void
ax_mutex_unlock(struct ax_mutex *mutex)
{
    int failed = pthread_mutex_unlock(&mutex->os);
    AX_ASSERT(!failed);
}

void
ax_cond_init(struct ax_cond *cond)
{
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);
    AX_ASSERT(!failed);
    failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    AX_ASSERT(!failed);
    failed = pthread_cond_init(&cond->os, &attributes);
    AX_ASSERT(!failed);
    pthread_condattr_destroy(&attributes);
}

void
ax_cond_done(struct ax_cond *cond)
{
    int failed = pthread_cond_destroy(&cond->os);
    AX_ASSERT(!failed);
}

void
ax_cond_wait(struct ax_cond *cond, struct ax_mutex *mutex)
{
    int failed = pthread_cond_wait(&cond->os, &mutex->os);
    AX_ASSERT(!failed);
}

bool
ax_cond_wait_until(struct ax_cond *cond, struct ax_mutex *mutex, int64_t deadline_ns)
{
    AX_ASSERT(deadline_ns >= 0);
    struct timespec until = {
        .tv_sec = deadline_ns / NS_PER_SECOND,
        .tv_nsec = deadline_ns % NS_PER_SECOND,
    };
    int failed = pthread_cond_timedwait(&cond->os, &mutex->os, &until);
    AX_ASSERT(!failed || failed == ETIMEDOUT);
    return !failed;
}

void
ax_cond_signal(struct ax_cond *cond)
{
    pthread_cond_signal(&cond->os);
}

void
ax_cond_broadcast(struct ax_cond *cond)
{
    pthread_cond_broadcast(&cond->os);
}
