/*
 * A value that is made at most once, when it is first needed, and then read by any thread at the
 * cost of one atomic load.
 *
 * Whoever finds nothing there asks to make it. One thread makes, the others that need it wait for
 * that thread, and no lock is held meanwhile. A thread that could not make it leaves nothing
 * behind: the next one tries again. What is there stays until the arena goes, and never changes.
 */
#pragma once

#include "base/arena.h"

struct ax_once;

/* In the arena, whose end frees the value by free_fn. NULL past the budget. */
struct ax_once *ax_once_new(struct ax_arena *arena, void (*free_fn)(void *value));

/* NULL: it has not been made. */
void *ax_once_get(const struct ax_once *once);

/*
 * The value, after waiting for the thread that makes it; or NULL: the caller is the one to make it
 * now, and says so by ax_once_end, whatever comes of it.
 */
void *ax_once_begin(struct ax_once *once);

/* value: taken; NULL when it could not be made. */
void ax_once_end(struct ax_once *once, void *value);
