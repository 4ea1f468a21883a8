/*
 * The dialects that the server speaks, and which of them a listener offers.
 *
 * One port speaks all of them at once; a listener may be narrowed, "127.0.0.1:8081=torchserve".
 * Health and metrics are on every listener.
 */
#pragma once

#include "base/ctx.h"

enum ax_dialect {
    AX_DIALECT_BASE, /* /healthz, /readyz, /metrics: always there */
    AX_DIALECT_INFERENCE,
    AX_DIALECT_TFSERVING,
    AX_DIALECT_TORCHSERVE,
    AX_DIALECT_TORCHSERVE_MANAGEMENT, /* only where a listener names it */
    AX_DIALECT_MLFLOW,
    AX_DIALECT_AXIOM,
    AX_DIALECT_COUNT
};

/* "inference", "tfserving", ...: as a listener names them. */
const char *ax_dialect_name(enum ax_dialect dialect);

/* What a listener speaks that names none: a bit each, 1 << dialect. */
unsigned ax_dialects_default(void);

/*
 * "127.0.0.1:8081=torchserve,mlflow" to its address and dialects.
 * Fails: INVALID for a name that is none, with those there are.
 */
ax_status ax_dialects_of_listener(struct ax_ctx *ctx, ax_str listener, ax_str *out_address,
                                  unsigned *out_dialects);
