#include "base/array.h"

#include <string.h>

enum { FIRST_ITEMS = 8 };

void *
ax_array_push(struct ax_arena *arena, void **items, size_t *count, size_t *capacity,
              size_t item_bytes)
{
    if (*count == *capacity) {
        size_t more = *capacity ? *capacity * 2 : FIRST_ITEMS;
        void *grown = ax_arena_alloc(arena, item_bytes, more);
        if (!grown)
            return NULL;
        if (*count)
            memcpy(grown, *items, *count * item_bytes);
        *items = grown;
        *capacity = more;
    }
    return (char *)*items + (*count)++ * item_bytes;
}
