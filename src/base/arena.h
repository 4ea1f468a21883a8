/*
 * Memory that dies together: allocate forward, free once.
 *
 * Every lifetime in the server (process, model, connection, request) has one arena, so
 * nothing inside it has a destructor. An arena has a budget: a request that asks for too much
 * gets NULL (and its caller AX_LIMIT), never the machine's last page.
 */
#pragma once

#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

struct ax_arena;

/* budget_bytes: the most it may ever hold. Returns owned, or NULL when memory is short. */
struct ax_arena *ax_arena_new(size_t budget_bytes);
void ax_arena_free(struct ax_arena *arena);
AX_DEFINE_AUTO(struct ax_arena, ax_arena_free);

/* Everything in it dies, the arena stays: one block is kept, so that a steady load allocates none.
 */
void ax_arena_reset(struct ax_arena *arena);

/* Another budget from now on; what it holds already stays, also when that is more. */
void ax_arena_set_budget(struct ax_arena *arena, size_t budget_bytes);

/* What it holds now, in bytes of heap. */
size_t ax_arena_held_bytes(const struct ax_arena *arena);

/* Zeroed, aligned for any type; lives as long as the arena. NULL past the budget. */
void *ax_arena_alloc(struct ax_arena *arena, size_t size, size_t count);

#define AX_NEW(arena, type)              ((type *)ax_arena_alloc((arena), sizeof(type), 1))
#define AX_NEW_ARRAY(arena, type, count) ((type *)ax_arena_alloc((arena), sizeof(type), (count)))

/* Runs fn(arg) when the arena goes, last registered first. For what is not memory. */
bool ax_arena_defer(struct ax_arena *arena, void (*fn)(void *arg), void *arg);
