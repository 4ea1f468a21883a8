/*
 * One operation in progress: all that lives exactly as long as it does.
 *
 * Every function that can take long, allocate for its caller or fail with words gets it, right
 * after the object it works on. It belongs to one thread at a time.
 */
#pragma once

#include <stdint.h>

#include "base/actor.h"
#include "base/arena.h"
#include "base/status.h"

enum { AX_ERROR_BYTES_MAX = 512 };

struct ax_ctx {
    struct ax_arena *arena;         /* memory for results; borrowed */
    int64_t deadline_ns;            /* monotonic; INT64_MAX for none */
    const struct ax_actor *actor;   /* who is accountable: for gates and the ledger; may be NULL */
    ax_str trace_id;                /* joins logs, metrics and events */
    char error[AX_ERROR_BYTES_MAX]; /* what went wrong, outermost first; "" when nothing */
};

/* A fresh operation: no deadline, nobody accountable yet. */
static inline struct ax_ctx
ax_ctx_of(struct ax_arena *arena)
{
    return (struct ax_ctx){.arena = arena, .deadline_ns = INT64_MAX};
}

/* Says what went wrong and returns status, so that it reads: return ax_fail(...). */
AX_PRINTF(3, 4)
ax_status ax_fail(struct ax_ctx *ctx, ax_status status, const char *format, ...);

/* Adds what was being tried in front of what went wrong: "load credit/7: open: ...". */
AX_PRINTF(3, 4)
ax_status ax_explain(struct ax_ctx *ctx, ax_status status, const char *format, ...);
