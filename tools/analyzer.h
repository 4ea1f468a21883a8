/*
 * What the analyzer of clang-tidy needs to be told: a failure is not AX_OK.
 *
 * Without it every out_ variable behind an AX_TRY looks uninitialized, and every checked pointer
 * NULL, on a path where ax_fail is thought to have returned AX_OK. It is included by force in
 * `make check`, and never compiled.
 */
#pragma once

#include "base/ctx.h"
#include "sys/os_error.h"

static inline ax_status
ax_failed(ax_status status)
{
    if (status == AX_OK)
        __builtin_unreachable();
    return status;
}

#define ax_fail(ctx, status, ...)     ax_failed((ax_fail)(ctx, status, __VA_ARGS__))
#define ax_explain(ctx, status, ...)  ax_failed((ax_explain)(ctx, status, __VA_ARGS__))
#define ax_os_error(ctx, number, ...) ax_failed((ax_os_error)(ctx, number, __VA_ARGS__))
