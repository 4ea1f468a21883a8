/*
 * nghttp2's memory: small blocks of a loop's sessions are used again, so that a steady load does
 * not go to the heap for every stream. Part of http2_session.
 *
 * A session has a buffer of 16 KiB in which it builds each frame that it sends. What is in it is
 * copied out as soon as nghttp2_session_mem_send returns and not looked at afterwards, so one
 * buffer serves all sessions of a loop, which send one at a time: an idle connection holds none,
 * and a busy loop stays in one place of its cache. Builds with faults spoil the buffer after each
 * frame: that a version of nghttp2 reads it again would be found by every test.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "net/http2_session_parts.h"

enum {
    STEP_BYTES = 64,
    SIZES = 16,                  /* 64, 128 ... 1,024 bytes; larger blocks go to the heap */
    KEPT_BYTES_MAX = 512 * 1024, /* a loop */
    FRAME_BYTES_MIN = 16 * 1024, /* of the buffer of frames; a new session has no larger block */
};

struct block { /* in front of each, as long as the strictest alignment */
    union {
        struct block *next; /* while it is free */
        size_t size;        /* in steps; 0: of the heap */
    };
    size_t bytes; /* that its owner may use */
};

static_assert(sizeof(struct block) % alignof(max_align_t) == 0);

struct ax_http2_memory {
    struct block *free_lists[SIZES + 1]; /* by size in steps */
    size_t kept_bytes;
    void *frame; /* of all sessions; NULL until the first */
    size_t frame_bytes;
    bool opening; /* a session is: its buffer of frames will be asked for */
};

struct ax_http2_memory *
ax_http2_session_memory_new(void)
{
    return ax_alloc(1, sizeof(struct ax_http2_memory));
}

void
ax_http2_session_memory_free(struct ax_http2_memory *memory)
{
    for (size_t i = 0; i <= SIZES; i++) {
        for (struct block *block = memory->free_lists[i], *next; block; block = next) {
            next = block->next;
            ax_free(block);
        }
    }
    ax_free(memory->frame);
    ax_free(memory);
}

void
ax_http2_session_memory_opens(struct ax_http2_memory *memory, bool opening)
{
    memory->opening = opening;
}

void
ax_http2_session_memory_frame_done(struct ax_http2_memory *memory)
{
    ax_fault_spoil(memory->frame, memory->frame_bytes);
}

/* The one buffer of frames, if it is as large as this session wants it. */
static void *
take_frame(struct ax_http2_memory *memory, size_t bytes)
{
    memory->opening = false;
    if (!memory->frame && (memory->frame = ax_realloc(NULL, bytes)))
        memory->frame_bytes = bytes;
    return bytes <= memory->frame_bytes ? memory->frame : NULL;
}

static void *
memory_take(size_t bytes, void *arg)
{
    struct ax_http2_memory *memory = arg;
    if (memory->opening && bytes >= FRAME_BYTES_MIN)
        return take_frame(memory, bytes);
    size_t size = bytes / STEP_BYTES + (bytes % STEP_BYTES != 0);
    size = size <= SIZES ? size : 0;
    size_t room = size > 0 ? size * STEP_BYTES : bytes;
    struct block *block = size > 0 ? memory->free_lists[size] : NULL;
    if (block) {
        memory->free_lists[size] = block->next;
        memory->kept_bytes -= room;
    } else if (room <= SIZE_MAX - sizeof *block) {
        block = ax_realloc(NULL, sizeof *block + room); /* not zeroed: most is never touched */
    }
    if (!block)
        return NULL;
    block->size = size;
    block->bytes = room;
    return block + 1;
}

static void
memory_give(void *at, void *arg)
{
    struct ax_http2_memory *memory = arg;
    struct block *block = at && at != memory->frame ? (struct block *)at - 1 : NULL;
    if (!block)
        return;
    size_t size = block->size;
    if (size == 0 || memory->kept_bytes + block->bytes > KEPT_BYTES_MAX) {
        ax_free(block);
        return;
    }
    memory->kept_bytes += block->bytes;
    block->next = memory->free_lists[size];
    memory->free_lists[size] = block;
}

static void *
memory_take_zeroed(size_t count, size_t bytes, void *arg)
{
    void *at = bytes == 0 || count <= SIZE_MAX / bytes ? memory_take(count * bytes, arg) : NULL;
    if (at)
        memset(at, 0, count * bytes);
    return at;
}

static void *
memory_resize(void *at, size_t bytes, void *arg)
{
    const struct ax_http2_memory *memory = arg;
    size_t before = 0;
    if (at)
        before = at == memory->frame ? memory->frame_bytes : ((const struct block *)at - 1)->bytes;
    if (at && bytes <= before)
        return at;
    void *larger = memory_take(bytes, arg);
    if (!larger || !at)
        return larger;
    memcpy(larger, at, before);
    memory_give(at, arg);
    return larger;
}

nghttp2_mem
ax_http2_session_memory_of(struct ax_http2_memory *memory)
{
    return (nghttp2_mem){.mem_user_data = memory,
                         .malloc = memory_take,
                         .free = memory_give,
                         .calloc = memory_take_zeroed,
                         .realloc = memory_resize};
}
