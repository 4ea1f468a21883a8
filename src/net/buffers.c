#include "net/buffers.h"

#include <string.h>

#include "base/alloc.h"

enum {
    ONE_BYTES_MAX = 8 << 20, /* larger ones are rare, and cost their copies more than their pages */
    HELD_BYTES_MAX = 16 << 20, /* a loop */
    RESTS_MAX = 20,
};

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The smallest that has the room; count when there is none. */
static size_t
find(const struct ax_buffers *buffers, size_t bytes)
{
    size_t best = buffers->count;
    for (size_t i = 0; i < buffers->count; i++)
        if (buffers->kept[i].capacity >= bytes &&
            (best == buffers->count || buffers->kept[i].capacity < buffers->kept[best].capacity))
            best = i;
    return best;
}

/* What is written moves over; the writer's limit and status are its own. */
static void
swap_memory(struct ax_writer *writer, struct ax_writer *other)
{
    struct ax_writer before = *writer;
    if (writer->len > 0)
        memcpy(other->at, writer->at, writer->len);
    writer->at = other->at;
    writer->capacity = other->capacity;
    other->at = before.at;
    other->capacity = before.capacity;
}

void
ax_buffers_fit(struct ax_buffers *buffers, struct ax_writer *writer, size_t bytes)
{
    bytes = least(bytes, writer->len_max);
    if (bytes <= AX_BUFFERS_LARGE || bytes <= writer->capacity || bytes > ONE_BYTES_MAX)
        return;
    buffers->rests = 0;
    size_t at = find(buffers, bytes);
    if (at == buffers->count) {
        char *larger = ax_realloc(writer->at, bytes);
        if (!larger)
            return;
        writer->at = larger;
        writer->capacity = bytes;
        return;
    }
    struct ax_writer other = buffers->kept[at];
    buffers->held_bytes -= other.capacity;
    buffers->kept[at] = buffers->kept[--buffers->count];
    swap_memory(writer, &other);
    ax_buffers_take_back(buffers, &other);
    ax_writer_free(&other);
}

void
ax_buffers_take_back(struct ax_buffers *buffers, struct ax_writer *writer)
{
    size_t bytes = writer->capacity;
    if (bytes <= AX_BUFFERS_LARGE)
        return;
    if (bytes > ONE_BYTES_MAX || buffers->count == AX_BUFFERS_COUNT ||
        bytes > HELD_BYTES_MAX - buffers->held_bytes) {
        ax_writer_free(writer);
        return;
    }
    buffers->held_bytes += bytes;
    buffers->rests = 0;
    buffers->kept[buffers->count++] = *writer;
    *writer = ax_writer_of(writer->len_max);
}

void
ax_buffers_rest(struct ax_buffers *buffers)
{
    if (buffers->count > 0 && ++buffers->rests > RESTS_MAX)
        ax_buffers_done(buffers);
}

void
ax_buffers_done(struct ax_buffers *buffers)
{
    for (size_t i = 0; i < buffers->count; i++)
        ax_writer_free(&buffers->kept[i]);
    *buffers = (struct ax_buffers){};
}
