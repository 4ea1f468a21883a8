/*
 * Cuts a caller's scratch memory into aligned pieces.
 *
 * The same list of pieces is walked twice: once to add up its size, once to take it; so both
 * stand next to each other in the file that owns the list.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { AX_SCRATCH_ALIGN = 16 };

/* Bytes that count items take up in scratch. */
static inline size_t
ax_scratch_bytes(size_t item_bytes, size_t count)
{
    return (item_bytes * count + AX_SCRATCH_ALIGN - 1) / AX_SCRATCH_ALIGN * AX_SCRATCH_ALIGN;
}

/* Takes that piece off the front. */
static inline void *
ax_scratch_take(void **scratch, size_t item_bytes, size_t count)
{
    char *at = *scratch;
    *scratch = at + ax_scratch_bytes(item_bytes, count);
    return at;
}

enum { AX_SCRATCH_WIDE = 64 };

/* The first boundary of a wide register's size at or after a place; NULL stays NULL. */
static inline void *
ax_scratch_wide(void *at)
{
    return at ? (char *)at + (AX_SCRATCH_WIDE - (uintptr_t)at % AX_SCRATCH_WIDE) % AX_SCRATCH_WIDE
              : NULL;
}
