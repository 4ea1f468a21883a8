#include "sys/queue.h"

#include <stdatomic.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/assert.h"

enum { CACHE_LINE_BYTES = 64 };

#define CAPACITY_MAX ((size_t)1 << 30)

/*
 * A cell's turn says whose it is: equal to a position, the producer of that position may fill
 * it; one more, the consumer of that position may empty it.
 * Source: D. Vyukov, bounded MPMC queue, 1024cores.net.
 */
struct cell {
    _Atomic size_t turn;
    void *item;
};

struct ax_queue {
    struct cell *cells;
    size_t mask;
    char pad_before_tail[CACHE_LINE_BYTES]; /* producers and consumer do not share a line */
    _Atomic size_t tail;                    /* next position to fill */
    char pad_before_head[CACHE_LINE_BYTES];
    _Atomic size_t head; /* next position to empty; written by the consumer alone */
    char pad_after_head[CACHE_LINE_BYTES];
};

ax_status
ax_queue_open(struct ax_ctx *ctx, size_t capacity, struct ax_queue **out_queue)
{
    AX_ASSERT(capacity > 0);
    if (capacity > CAPACITY_MAX)
        return ax_fail(ctx, AX_LIMIT, "a queue of %zu is more than %zu", capacity, CAPACITY_MAX);
    size_t cell_count = 2; /* with one cell, full and empty would look the same */
    while (cell_count < capacity)
        cell_count *= 2;
    struct ax_queue *queue = ax_alloc(1, sizeof *queue);
    struct cell *cells = ax_alloc(sizeof *cells, cell_count);
    if (!queue || !cells) {
        ax_free(queue);
        ax_free(cells);
        return ax_fail(ctx, AX_LIMIT, "no memory for a queue of %zu", cell_count);
    }
    for (size_t i = 0; i < cell_count; i++)
        atomic_init(&cells[i].turn, i);
    queue->cells = cells;
    queue->mask = cell_count - 1;
    *out_queue = queue;
    return AX_OK;
}

void
ax_queue_close(struct ax_queue *queue)
{
    ax_free(queue->cells);
    ax_free(queue);
}

bool
ax_queue_push(struct ax_queue *queue, void *item)
{
    AX_ASSERT(item != NULL);
    size_t position = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    for (;;) {
        struct cell *cell = &queue->cells[position & queue->mask];
        size_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
        ptrdiff_t ahead = (ptrdiff_t)(turn - position);
        if (ahead < 0)
            return false; /* still holds the item of one round ago */
        if (ahead > 0) {  /* another producer was faster */
            position = atomic_load_explicit(&queue->tail, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&queue->tail, &position, position + 1,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed)) {
            cell->item = item;
            atomic_store_explicit(&cell->turn, position + 1, memory_order_release);
            return true;
        }
    }
}

void *
ax_queue_pop(struct ax_queue *queue)
{
    size_t position = atomic_load_explicit(&queue->head, memory_order_relaxed);
    struct cell *cell = &queue->cells[position & queue->mask];
    if (atomic_load_explicit(&cell->turn, memory_order_acquire) != position + 1)
        return NULL;
    void *item = cell->item;
    atomic_store_explicit(&cell->turn, position + queue->mask + 1, memory_order_release);
    atomic_store_explicit(&queue->head, position + 1, memory_order_relaxed);
    return item;
}

size_t
ax_queue_count(const struct ax_queue *queue)
{
    size_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    size_t count = tail - head;
    return count > queue->mask ? queue->mask + 1 : count; /* tail went on while head was read */
}
