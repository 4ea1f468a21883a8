/*
 * One JSON line per event to standard error. Never a secret, never a feature's value.
 *
 * Only server, api and jobs log; the layers below return. Fields are pairs of name and text; the
 * list ends with NULL: ax_log(AX_LOG_WARN, ctx, "ledger_slow", "ms", text, NULL). A line has
 * at most 16 KiB; of a longer one the fields are left out, and it says "cut".
 */
#pragma once

#include "base/ctx.h"

enum ax_log_level { AX_LOG_DEBUG, AX_LOG_INFO, AX_LOG_WARN, AX_LOG_ERROR };

/* That level and those above it are written. */
void ax_log_level_set(enum ax_log_level level);

/* Each level for itself: bits 1 << level. */
void ax_log_levels_set(unsigned levels);
unsigned ax_log_levels(void);

/* ctx may be NULL; its trace id and, for WARN and above, its error text are added. */
[[gnu::sentinel]] void ax_log(enum ax_log_level level, const struct ax_ctx *ctx, const char *event,
                              ...);
