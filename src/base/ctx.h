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

struct ax_phases;

struct ax_ctx {
    struct ax_arena *arena;         /* memory for results; borrowed */
    int64_t deadline_ns;            /* monotonic; INT64_MAX for none */
    const struct ax_actor *actor;   /* who is accountable: for gates and the ledger; may be NULL */
    ax_str trace_id;                /* joins logs, metrics and events */
    struct ax_phases *phases;       /* where its time goes (sys/phases.h); NULL: nobody asks */
    char error[AX_ERROR_BYTES_MAX]; /* what went wrong, outermost first; "" when nothing */
};

/* A fresh operation: no deadline, nobody accountable yet. */
static inline struct ax_ctx
ax_ctx_of(struct ax_arena *arena)
{
    return (struct ax_ctx){.arena = arena, .deadline_ns = INT64_MAX};
}

/*
 * Says what went wrong and gives the status back, so that it reads: return ax_fail(...). A macro,
 * so that compilers and analysers see that what it gives is the status it was given, not AX_OK.
 */
#define ax_fail(ctx, status, ...)                                                                  \
    ({                                                                                             \
        const ax_status fail_status_ = (status);                                                   \
        ax_ctx_say((ctx), fail_status_, __VA_ARGS__);                                              \
        fail_status_;                                                                              \
    })

/* Adds what was being tried in front of what went wrong: "load credit/7: open: ...". */
#define ax_explain(ctx, status, ...)                                                               \
    ({                                                                                             \
        const ax_status explain_status_ = (status);                                                \
        ax_ctx_say_before((ctx), explain_status_, __VA_ARGS__);                                    \
        explain_status_;                                                                           \
    })

AX_PRINTF(3, 4) void ax_ctx_say(struct ax_ctx *ctx, ax_status status, const char *format, ...);
AX_PRINTF(3, 4)
void ax_ctx_say_before(struct ax_ctx *ctx, ax_status status, const char *format, ...);
