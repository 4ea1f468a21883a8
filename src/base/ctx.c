#include "base/ctx.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

void
ax_ctx_say(struct ax_ctx *ctx, ax_status status, const char *format, ...)
{
    AX_ASSERT(status != AX_OK);
    va_list args;
    va_start(args, format);
    vsnprintf(ctx->error, sizeof ctx->error, format, args);
    va_end(args);
}

void
ax_ctx_say_before(struct ax_ctx *ctx, ax_status status, const char *format, ...)
{
    AX_ASSERT(status != AX_OK);
    char inner[AX_ERROR_BYTES_MAX];
    memcpy(inner, ctx->error, sizeof inner);

    va_list args;
    va_start(args, format);
    int used = vsnprintf(ctx->error, sizeof ctx->error, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used + 2 < sizeof ctx->error && inner[0]) {
        size_t room = sizeof ctx->error - (size_t)used - 3;
        snprintf(ctx->error + used, sizeof ctx->error - (size_t)used, ": %.*s", (int)room, inner);
    }
}
