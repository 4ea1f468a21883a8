/*
 * A typed array that grows inside an arena.
 *
 *     struct ax_row_array { AX_ARRAY(struct row) };      fields: items, count, capacity
 *     struct row *row = AX_ARRAY_PUSH(arena, &rows);     zeroed; NULL past the arena's budget
 *
 * Growing copies and leaves the old block to the arena, so at most half of it is waste. Pointers
 * to items last until the next push.
 */
#pragma once

#include "base/arena.h"

#define AX_ARRAY(type)                                                                             \
    type *items;                                                                                   \
    size_t count;                                                                                  \
    size_t capacity;

/* One more zeroed item; a pointer to it, or NULL past the budget. */
#define AX_ARRAY_PUSH(arena, array)                                                                \
    ((__typeof__((array)->items))ax_array_push((arena), (void **)&(array)->items, &(array)->count, \
                                               &(array)->capacity, sizeof *(array)->items))

void *ax_array_push(struct ax_arena *arena, void **items, size_t *count, size_t *capacity,
                    size_t item_bytes);
