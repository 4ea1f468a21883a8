#include "sys/os_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Aliases (EWOULDBLOCK, ENOTSUP) have the number of their twin on Linux. */
static const struct {
    int number;
    ax_status status;
} statuses[] = {
    {ENOENT, AX_NOT_FOUND},      {ENOTDIR, AX_NOT_FOUND},
    {ESRCH, AX_NOT_FOUND},       {EACCES, AX_DENIED},
    {EPERM, AX_DENIED},          {EROFS, AX_DENIED},
    {EEXIST, AX_CONFLICT},       {ENOTEMPTY, AX_CONFLICT},
    {EADDRINUSE, AX_CONFLICT},   {ETXTBSY, AX_CONFLICT},
    {ENOSPC, AX_LIMIT},          {EDQUOT, AX_LIMIT},
    {EMFILE, AX_LIMIT},          {ENFILE, AX_LIMIT},
    {ENOMEM, AX_LIMIT},          {EAGAIN, AX_LIMIT},
    {EFBIG, AX_LIMIT},           {EMLINK, AX_LIMIT},
    {E2BIG, AX_LIMIT},           {EINVAL, AX_INVALID},
    {EISDIR, AX_INVALID},        {ELOOP, AX_INVALID},
    {ENAMETOOLONG, AX_INVALID},  {ENOEXEC, AX_INVALID},
    {EADDRNOTAVAIL, AX_INVALID}, {EOPNOTSUPP, AX_UNSUPPORTED},
    {ENOSYS, AX_UNSUPPORTED},    {EXDEV, AX_UNSUPPORTED},
    {ETIMEDOUT, AX_TIMEOUT},     {EBADF, AX_INTERNAL},
    {EFAULT, AX_INTERNAL},
};

ax_status
ax_os_error_status(int number)
{
    for (size_t i = 0; i < AX_COUNT_OF(statuses); i++)
        if (statuses[i].number == number)
            return statuses[i].status;
    return AX_UNAVAILABLE;
}

/* "disk full", "Permission denied": without a locale, safe in any thread. */
static const char *
words_of(int number)
{
    if (number == ENOSPC || number == EDQUOT)
        return "disk full";
    const char *words = strerrordesc_np(number);
    return words ? words : "unknown error of the system";
}

ax_status
ax_os_error(struct ax_ctx *ctx, int number, const char *format, ...)
{
    char tried[AX_ERROR_BYTES_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(tried, sizeof tried, format, args);
    va_end(args);
    return ax_fail(ctx, ax_os_error_status(number), "%s: %s", tried, words_of(number));
}
