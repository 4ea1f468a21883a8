#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/sanitized.h"

enum { BLOCK_BYTES = 16 * 1024, ALIGN_BYTES = alignof(max_align_t) };

/*
 * Under AddressSanitizer what nobody asked for is poisoned, with a gap behind each allocation: it
 * knows blocks only, and would not see one allocation run into the next.
 */
#if AX_ADDRESS_SANITIZED
enum { GAP_BYTES = 2 * ALIGN_BYTES };
#define POISON(at, bytes)   __asan_poison_memory_region((at), (bytes))
#define UNPOISON(at, bytes) __asan_unpoison_memory_region((at), (bytes))
#else
enum { GAP_BYTES = 0 };
#define POISON(at, bytes)   ((void)(at), (void)(bytes))
#define UNPOISON(at, bytes) ((void)(at), (void)(bytes))
#endif

struct block {
    struct block *next;
    size_t used_bytes;
    size_t size_bytes;
    alignas(max_align_t) unsigned char bytes[];
};

struct deferred {
    struct deferred *next;
    void (*fn)(void *arg);
    void *arg;
};

struct ax_arena {
    struct block *blocks;
    struct deferred *deferred;
    size_t held_bytes;
    size_t budget_bytes;
};

static struct block *
block_new(size_t size_bytes)
{
    struct block *block = ax_alloc(1, sizeof *block + size_bytes);
    if (!block)
        return NULL;
    block->size_bytes = size_bytes;
    POISON(block->bytes, size_bytes);
    return block;
}

struct ax_arena *
ax_arena_new(size_t budget_bytes)
{
    struct ax_arena *arena = ax_alloc(1, sizeof *arena);
    if (arena)
        arena->budget_bytes = budget_bytes;
    return arena;
}

static void
run_deferred(struct ax_arena *arena)
{
    struct deferred *d = arena->deferred;
    arena->deferred = NULL;
    for (; d; d = d->next)
        d->fn(d->arg);
}

void
ax_arena_free(struct ax_arena *arena)
{
    run_deferred(arena);
    for (struct block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        ax_free(block);
    }
    ax_free(arena);
}

void
ax_arena_reset(struct ax_arena *arena)
{
    run_deferred(arena);
    struct block *keep = NULL;
    for (struct block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        if (!keep && block->size_bytes == BLOCK_BYTES) {
            keep = block;
            continue;
        }
        arena->held_bytes -= block->size_bytes;
        ax_free(block);
    }
    if (keep) {
        UNPOISON(keep->bytes, keep->used_bytes);
        memset(keep->bytes, 0, keep->used_bytes);
        POISON(keep->bytes, keep->used_bytes);
        keep->used_bytes = 0;
        keep->next = NULL;
    }
    arena->blocks = keep;
}

void
ax_arena_set_budget(struct ax_arena *arena, size_t budget_bytes)
{
    arena->budget_bytes = budget_bytes;
}

size_t
ax_arena_held_bytes(const struct ax_arena *arena)
{
    return arena->held_bytes;
}

void *
ax_arena_alloc(struct ax_arena *arena, size_t size, size_t count)
{
    size_t bytes;
    if (__builtin_mul_overflow(size, count, &bytes) ||
        __builtin_add_overflow(bytes, (size_t)ALIGN_BYTES - 1, &bytes))
        return NULL;
    bytes &= ~((size_t)ALIGN_BYTES - 1);

    struct block *block = arena->blocks;
    if (!block || block->size_bytes - block->used_bytes < bytes) {
        size_t want = bytes > BLOCK_BYTES ? bytes : (size_t)BLOCK_BYTES;
        if (arena->held_bytes > arena->budget_bytes ||
            want > arena->budget_bytes - arena->held_bytes)
            return NULL;
        block = block_new(want);
        if (!block)
            return NULL;
        arena->held_bytes += want;
        if (arena->blocks && want > BLOCK_BYTES) { /* keep the room left in the first block */
            block->next = arena->blocks->next;
            arena->blocks->next = block;
        } else {
            block->next = arena->blocks;
            arena->blocks = block;
        }
    }
    void *at = block->bytes + block->used_bytes;
    block->used_bytes += bytes;
    AX_ASSERT(block->used_bytes <= block->size_bytes);
    UNPOISON(at, size * count);
    size_t left = block->size_bytes - block->used_bytes;
    block->used_bytes += left > GAP_BYTES ? (size_t)GAP_BYTES : left;
    return at;
}

bool
ax_arena_defer(struct ax_arena *arena, void (*fn)(void *arg), void *arg)
{
    struct deferred *d = AX_NEW(arena, struct deferred);
    if (!d)
        return false;
    *d = (struct deferred){.next = arena->deferred, .fn = fn, .arg = arg};
    arena->deferred = d;
    return true;
}
