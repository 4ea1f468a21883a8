/*
 * What the system refused, as a status and words. The bridge out of errno.
 *
 * A call is made through AX_OS_CALL, so that a fault sweep can make it fail; its errno is given
 * to ax_os_error on the next line. Above sys/ and net/ nobody sees errno.
 */
#pragma once

#include <errno.h>

#include "base/ctx.h"
#include "base/fault.h"

/* The call's result, or -1 with EIO when a sweep wants this step to fail. */
#define AX_OS_CALL(call) (ax_fault_here() ? (errno = EIO, -1) : (call))

/* NOT_FOUND, DENIED, CONFLICT, LIMIT, ...; UNAVAILABLE for what has no better name. */
ax_status ax_os_error_status(int number);

/* Fails with the status and "<what was tried>: <words>". */
AX_PRINTF(3, 4)
ax_status ax_os_error(struct ax_ctx *ctx, int number, const char *format, ...);
