#include "sys/snapshot.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/fault.h"
#include "sys/mutex.h"

struct ax_snapshot_value {
    _Atomic uint64_t references; /* of the snapshot while it is present, of each reader */
    void (*free_fn)(void *value);
    void *value;
};

/* A reader that one thread has without knowing it. */
struct thread_reader {
    struct ax_snapshot *snapshot;
    struct ax_snapshot_reader reader;           /* the thread's own */
    struct thread_reader *next, **next_of_last; /* guarded by mutex */
};

struct ax_snapshot {
    struct ax_mutex mutex;
    pthread_key_t key;             /* thread -> its struct thread_reader */
    struct thread_reader *threads; /* guarded by mutex */
    void (*free_fn)(void *value);
    struct ax_snapshot_value *present; /* guarded by mutex */
    _Atomic uint64_t version;          /* written under mutex, read without; 0: no value yet */
};

/* Not under the lock: free_fn may be long, or call anything. */
static void
value_unref(struct ax_snapshot_value *value)
{
    /* Release: what this thread read happens before the free. Acquire: so for all the others. */
    if (!value || atomic_fetch_sub_explicit(&value->references, 1, memory_order_acq_rel) != 1)
        return;
    value->free_fn(value->value);
    ax_free(value);
}

static void
thread_ends(void *arg)
{
    struct thread_reader *thread = arg;
    struct ax_snapshot *snapshot = thread->snapshot;
    ax_mutex_lock(&snapshot->mutex);
    *thread->next_of_last = thread->next;
    if (thread->next)
        thread->next->next_of_last = thread->next_of_last;
    ax_mutex_unlock(&snapshot->mutex);
    value_unref(thread->reader.value);
    ax_free(thread);
}

ax_status
ax_snapshot_open(struct ax_ctx *ctx, void (*free_fn)(void *value),
                 struct ax_snapshot **out_snapshot)
{
    struct ax_snapshot *snapshot = ax_alloc(1, sizeof *snapshot);
    if (!snapshot)
        return ax_fail(ctx, AX_LIMIT, "no memory for a snapshot");
    if (ax_fault_here() || pthread_key_create(&snapshot->key, thread_ends) != 0) {
        ax_free(snapshot);
        return ax_fail(ctx, AX_LIMIT, "more snapshots than the system has keys for");
    }
    ax_mutex_init(&snapshot->mutex);
    snapshot->free_fn = free_fn;
    *out_snapshot = snapshot;
    return AX_OK;
}

void
ax_snapshot_close(struct ax_snapshot *snapshot)
{
    pthread_key_delete(snapshot->key); /* threads that end later leave it alone */
    while (snapshot->threads)
        thread_ends(snapshot->threads);
    value_unref(snapshot->present);
    ax_mutex_done(&snapshot->mutex);
    ax_free(snapshot);
}

ax_status
ax_snapshot_swap(struct ax_snapshot *snapshot, struct ax_ctx *ctx, void *value)
{
    struct ax_snapshot_value *next = ax_alloc(1, sizeof *next);
    if (!next) {
        snapshot->free_fn(value);
        return ax_fail(ctx, AX_LIMIT, "no memory to swap a snapshot");
    }
    next->free_fn = snapshot->free_fn;
    next->value = value;
    atomic_init(&next->references, 1);

    ax_mutex_lock(&snapshot->mutex);
    struct ax_snapshot_value *last = snapshot->present;
    snapshot->present = next;
    atomic_fetch_add_explicit(&snapshot->version, 1, memory_order_release);
    ax_mutex_unlock(&snapshot->mutex);
    value_unref(last);
    return AX_OK;
}

static void
catch_up(struct ax_snapshot *snapshot, struct ax_snapshot_reader *reader)
{
    struct ax_snapshot_value *last = reader->value;
    ax_mutex_lock(&snapshot->mutex);
    reader->value = snapshot->present;
    reader->version = atomic_load_explicit(&snapshot->version, memory_order_relaxed);
    /* The snapshot's own reference keeps it alive here, so the count needs no ordering. */
    atomic_fetch_add_explicit(&reader->value->references, 1, memory_order_relaxed);
    ax_mutex_unlock(&snapshot->mutex);
    value_unref(last);
}

void *
ax_snapshot_read(struct ax_snapshot *snapshot, struct ax_snapshot_reader *reader)
{
    uint64_t version = atomic_load_explicit(&snapshot->version, memory_order_acquire);
    if (__builtin_expect(version != reader->version, 0))
        catch_up(snapshot, reader);
    return reader->value ? reader->value->value : NULL;
}

void
ax_snapshot_done(struct ax_snapshot *snapshot, struct ax_snapshot_reader *reader)
{
    AX_ASSERT(snapshot != NULL);
    value_unref(reader->value);
    *reader = (struct ax_snapshot_reader){};
}

static struct thread_reader *
thread_begins(struct ax_snapshot *snapshot)
{
    struct thread_reader *thread = ax_alloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    if (ax_fault_here() || pthread_setspecific(snapshot->key, thread) != 0) {
        ax_free(thread);
        return NULL;
    }
    thread->snapshot = snapshot;
    ax_mutex_lock(&snapshot->mutex);
    thread->next = snapshot->threads;
    thread->next_of_last = &snapshot->threads;
    if (thread->next)
        thread->next->next_of_last = &thread->next;
    snapshot->threads = thread;
    ax_mutex_unlock(&snapshot->mutex);
    return thread;
}

ax_status
ax_snapshot_here(struct ax_snapshot *snapshot, struct ax_ctx *ctx, void **out_value)
{
    struct thread_reader *thread = pthread_getspecific(snapshot->key);
    if (!thread)
        thread = thread_begins(snapshot);
    if (!thread)
        return ax_fail(ctx, AX_LIMIT, "no memory for a thread's view of a snapshot");
    *out_value = ax_snapshot_read(snapshot, &thread->reader);
    return AX_OK;
}
