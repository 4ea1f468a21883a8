#include "event/key_table.h"

#include "base/alloc.h"
#include "base/assert.h"

enum { ROWS_FIRST = 256 };

void
ax_key_table_done(struct ax_key_table *table)
{
    ax_free(table->rows);
    ax_free(table->by_tag);
    ax_free(table->by_id);
    *table = (struct ax_key_table){};
}

/* Tags and ids are random to begin with: their low bits will do. */
static void
put(uint32_t *cells, size_t cell_count, uint64_t hash, size_t row)
{
    size_t at = (size_t)hash & (cell_count - 1);
    while (cells[at])
        at = (at + 1) & (cell_count - 1);
    cells[at] = (uint32_t)row + 1;
}

static void
put_row(struct ax_key_table *table, size_t row)
{
    if (table->rows[row].tag)
        put(table->by_tag, table->cell_count, table->rows[row].tag, row);
    if (table->rows[row].id)
        put(table->by_id, table->cell_count, table->rows[row].id, row);
}

static bool
grow_cells(struct ax_key_table *table, size_t cell_count)
{
    uint32_t *by_tag = ax_alloc(sizeof *by_tag, cell_count);
    uint32_t *by_id = ax_alloc(sizeof *by_id, cell_count);
    if (!by_tag || !by_id) {
        ax_free(by_tag);
        ax_free(by_id);
        return false;
    }
    ax_free(table->by_tag);
    ax_free(table->by_id);
    table->by_tag = by_tag;
    table->by_id = by_id;
    table->cell_count = cell_count;
    for (size_t i = 0; i < table->count; i++)
        put_row(table, i);
    return true;
}

bool
ax_key_table_room(struct ax_key_table *table)
{
    if (table->count + 1 >= UINT32_MAX)
        return false;
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? 2 * table->capacity : ROWS_FIRST;
        void *rows = ax_realloc(table->rows, capacity * sizeof *table->rows);
        if (!rows)
            return false;
        table->rows = rows;
        table->capacity = capacity;
    }
    return 2 * (table->count + 1) <= table->cell_count ||
           grow_cells(table, table->cell_count ? 2 * table->cell_count : 2 * (size_t)ROWS_FIRST);
}

void
ax_key_table_add(struct ax_key_table *table, struct ax_key_table_row row)
{
    AX_ASSERT(table->count < table->capacity);
    table->rows[table->count] = row;
    put_row(table, table->count);
    table->count++;
}

enum column { BY_TAG, BY_ID };

static size_t
find(const struct ax_key_table *table, enum column column, uint64_t hash, size_t after)
{
    const uint32_t *cells = column == BY_TAG ? table->by_tag : table->by_id;
    if (table->cell_count == 0 || hash == 0)
        return SIZE_MAX;
    size_t mask = table->cell_count - 1, at = (size_t)hash & mask;
    bool begun = after == SIZE_MAX;
    for (; cells[at]; at = (at + 1) & mask) {
        size_t row = cells[at] - 1;
        uint64_t have = column == BY_TAG ? table->rows[row].tag : table->rows[row].id;
        if (begun && have == hash)
            return row;
        begun = begun || row == after;
    }
    return SIZE_MAX;
}

size_t
ax_key_table_find_tag(const struct ax_key_table *table, uint64_t tag, size_t after)
{
    return find(table, BY_TAG, tag, after);
}

size_t
ax_key_table_find_id(const struct ax_key_table *table, uint64_t id, size_t after)
{
    return find(table, BY_ID, id, after);
}

/* Its cell stays, so that the search for others does not end there. */
void
ax_key_table_erase(struct ax_key_table *table, size_t row)
{
    AX_ASSERT(row < table->count);
    table->rows[row].tag = 0;
    table->rows[row].erased = true;
}
