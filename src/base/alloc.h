/*
 * The only door to the heap.
 *
 * Most memory lives in an arena (arena.h). Only containers whose entries come and go, and
 * buffers that grow, come here. All memory arrives zeroed; every call is a fault point.
 */
#pragma once

#include <stddef.h>

#include "base/attr.h"

/* count * size zeroed bytes, owned; NULL when memory is short or the product overflows. */
void *ax_alloc(size_t size, size_t count);

/* Grows or shrinks to bytes; new bytes are not zeroed. NULL leaves the old block as it was. */
void *ax_realloc(void *block, size_t bytes);

/* NULL is fine. */
void ax_free(void *block);
AX_DEFINE_AUTO(void, ax_free);

/* What malloc holds free goes back to the system: after a large model has been unloaded. */
void ax_alloc_trim(void);
