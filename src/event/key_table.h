/*
 * Which slot holds the key of an entity, and which the key of an id: two hash tables over numbers.
 *
 * Rows are numbered as the slots of the key file and never removed. What is compared here are the
 * first eight bytes of tags and ids, which nobody outside can choose; whoever finds a row compares
 * the whole in the slot itself. Locked by its owner.
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"

struct ax_key_table_row {
    uint64_t tag; /* 0: erased or void, found by id alone */
    uint64_t id;
    bool erased;
};

struct ax_key_table { /* zero it */
    struct ax_key_table_row *rows;
    size_t count, capacity;
    uint32_t *by_tag, *by_id; /* row + 1; 0 is free */
    size_t cell_count;        /* a power of two, at least twice count */
};

void ax_key_table_done(struct ax_key_table *table);

/* Room for one more, so that the next add cannot fail. false when memory is short. */
[[nodiscard]] bool ax_key_table_room(struct ax_key_table *table);
void ax_key_table_add(struct ax_key_table *table, struct ax_key_table_row row);

/* The next row with this tag (or id) behind `after` (SIZE_MAX to begin); SIZE_MAX for none. */
size_t ax_key_table_find_tag(const struct ax_key_table *table, uint64_t tag, size_t after);
size_t ax_key_table_find_id(const struct ax_key_table *table, uint64_t id, size_t after);

void ax_key_table_erase(struct ax_key_table *table, size_t row);
