#include "sys/once.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "sys/mutex.h"

struct ax_once {
    struct ax_mutex mutex;
    struct ax_cond ended;
    bool making;           /* guarded by mutex */
    _Atomic(void *) value; /* written under mutex, read without */
    void (*free_fn)(void *value);
};

static void
once_done(void *arg)
{
    struct ax_once *once = arg;
    void *value = atomic_load_explicit(&once->value, memory_order_acquire);
    if (value)
        once->free_fn(value);
    ax_cond_done(&once->ended);
    ax_mutex_done(&once->mutex);
}

struct ax_once *
ax_once_new(struct ax_arena *arena, void (*free_fn)(void *value))
{
    struct ax_once *once = AX_NEW(arena, struct ax_once);
    if (!once || !ax_arena_defer(arena, once_done, once))
        return NULL;
    ax_mutex_init(&once->mutex);
    ax_cond_init(&once->ended);
    once->free_fn = free_fn;
    return once;
}

void *
ax_once_get(const struct ax_once *once)
{
    /* Acquire: what its maker wrote is there before the value is. */
    return atomic_load_explicit(&once->value, memory_order_acquire);
}

void *
ax_once_begin(struct ax_once *once)
{
    ax_mutex_lock(&once->mutex);
    while (once->making)
        ax_cond_wait(&once->ended, &once->mutex);
    void *value = atomic_load_explicit(&once->value, memory_order_acquire);
    once->making = value == NULL;
    ax_mutex_unlock(&once->mutex);
    return value;
}

void
ax_once_end(struct ax_once *once, void *value)
{
    ax_mutex_lock(&once->mutex);
    AX_ASSERT(once->making);
    once->making = false;
    atomic_store_explicit(&once->value, value, memory_order_release);
    ax_cond_broadcast(&once->ended);
    ax_mutex_unlock(&once->mutex);
}
