/*
 * Runs as they were last shown: JSON by the run's key and revision, within a bound of memory.
 *
 * One idea: every write to a run raises its revision in the same transaction, so a text that is
 * kept under (key, revision) is never stale, also when another program wrote. Only what was read
 * from a committed state may be kept. Places are few and fixed: a run that is shown pushes out
 * those that were not shown for longest.
 *
 * Any thread: guarded by a mutex inside.
 */
#pragma once

#include <stdint.h>

#include "base/str.h"
#include "base/writer.h"

struct ax_run_cache;

/* bytes_max: of the texts together. NULL without memory. */
struct ax_run_cache *ax_run_cache_new(size_t bytes_max);
void ax_run_cache_free(struct ax_run_cache *cache);

/* Appends the run's text to out; false when it is not kept. */
bool ax_run_cache_find(struct ax_run_cache *cache, int64_t key, int64_t revision,
                       struct ax_writer *out);

/* Keeps a copy, if there is room: a text of more than an eighth of bytes_max is not kept. */
void ax_run_cache_keep(struct ax_run_cache *cache, int64_t key, int64_t revision, ax_str text);
