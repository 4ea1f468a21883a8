/*
 * Where the time of one request goes: phases, each ended by a mark.
 *
 * What passed since the mark before belongs to the phase that ends; a phase may come several times
 * and is added up. One request's, written by whoever works on it at the time.
 */
#pragma once

#include "base/ctx.h"

/*   name      label */
#define AX_PHASE_MAP(X)                                                                            \
    X(READ, "read")         /* bytes of the request */                                             \
    X(QUEUE, "queue")       /* waiting for a thread */                                             \
    X(PARSE, "parse")       /* bytes to a request */                                               \
    X(ROUTE, "route")       /* who asks, may they; which version answers */                        \
    X(FEATURES, "features") /* names and words to rows of numbers, and their guards */             \
    X(SCORE, "score")       /* in the engine */                                                    \
    X(EXPLAIN, "explain")   /* contributions and reasons */                                        \
    X(RECORD, "record")     /* sealing, and the wait for the disk */                               \
    X(WRITE, "write")       /* the answer, until its first byte is with the kernel */

enum ax_phase {
#define X(name, label) AX_PHASE_##name,
    AX_PHASE_MAP(X)
#undef X
        AX_PHASE_COUNT
};

struct ax_phases { /* monotonic times and lengths */
    int64_t mark_ns;
    int64_t began_ns[AX_PHASE_COUNT]; /* first; 0: not passed */
    int64_t ended_ns[AX_PHASE_COUNT]; /* last */
    int64_t took_ns[AX_PHASE_COUNT];  /* in all */
};

const char *ax_phase_name(enum ax_phase phase);

/* The phase ends now. Of no effect where nobody asks: when ctx->phases is NULL. */
void ax_phase_end(struct ax_ctx *ctx, enum ax_phase phase);

/* It ended at that time, which is not before the mark. */
void ax_phases_end_at(struct ax_phases *phases, enum ax_phase phase, int64_t now_ns);
