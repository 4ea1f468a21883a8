/*
 * Large buffers of a loop that are used again: the memory of a body becomes that of the next one.
 *
 * A megabyte from the heap costs its page faults, which are more than its copy. So a few blocks are
 * kept, bounded in size and sum, and given back when nobody has wanted them for a while. Small
 * buffers stay with their owners. One loop's.
 */
#pragma once

#include "base/writer.h"

enum { AX_BUFFERS_COUNT = 8, AX_BUFFERS_LARGE = 256 * 1024 };

struct ax_buffers { /* zeroed before first use */
    struct ax_writer kept[AX_BUFFERS_COUNT];
    size_t count;
    size_t held_bytes;
    int rests; /* since one was used */
};

/*
 * Makes room for bytes in all where that is more than the writer has and its limit allows it; what
 * is written stays. Without memory the writer stays as it was, and grows as it must. LARGE or less
 * is not worth it.
 */
void ax_buffers_fit(struct ax_buffers *buffers, struct ax_writer *writer, size_t bytes);

/* The writer's memory, if it is large, is kept or freed; the writer is empty then. */
void ax_buffers_take_back(struct ax_buffers *buffers, struct ax_writer *writer);

/* Once a tick: what was not used for long goes. */
void ax_buffers_rest(struct ax_buffers *buffers);

void ax_buffers_done(struct ax_buffers *buffers);
