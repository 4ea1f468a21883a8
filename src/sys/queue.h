/*
 * A bounded queue of pointers from many threads to one, lock-free (Vyukov's ring).
 */
#pragma once

#include "base/ctx.h"

struct ax_queue;

/* capacity: rounded up to a power of two. Fails: LIMIT. */
ax_status ax_queue_open(struct ax_ctx *ctx, size_t capacity, struct ax_queue **out_queue);
void ax_queue_close(struct ax_queue *queue);

/* false when full. Any thread. */
[[nodiscard]] bool ax_queue_push(struct ax_queue *queue, void *item);

/* NULL when empty. The one consumer. */
void *ax_queue_pop(struct ax_queue *queue);

/* About how many wait now. */
size_t ax_queue_count(const struct ax_queue *queue);
