/*
 * From a string to a pointer: a hash table inside an arena.
 *
 * Keys are borrowed (keep them in the same arena). The hash is keyed by a secret of the process,
 * so that a client who chooses the keys cannot choose the collisions. Entries are not removed
 * one by one: what comes and goes belongs in a container of its own.
 */
#pragma once

#include <stdint.h>

#include "base/arena.h"

struct ax_map;

/* An empty map, or NULL past the arena's budget. */
struct ax_map *ax_map_new(struct ax_arena *arena);

/* Keeps value under key, in place of an earlier one. false past the budget, or without a value. */
[[nodiscard]] bool ax_map_put(struct ax_map *map, ax_str key, void *value);

/* NULL when there is none. */
void *ax_map_find(const struct ax_map *map, ax_str key);

size_t ax_map_count(const struct ax_map *map);

/* Spread of bytes over 64 bits (SipHash-like keyed mixing); not for security claims. */
uint64_t ax_map_hash(ax_str key);

/* The process's secret for ax_map_hash; called once at start, before any map is made. */
void ax_map_seed(uint64_t low, uint64_t high);
