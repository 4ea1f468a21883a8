/*
 * The one answer every fallible function gives.
 *
 * A status is a code and nothing else: cheap to return, free to copy, impossible to ignore
 * (the type is [[nodiscard]]). The words for people go to the context, see ax_fail().
 */
#pragma once

#include <stdbool.h>

/*   name             http  grpc  retry  meaning */
#define AX_STATUS_MAP(X)                                                                           \
    X(OK, 200, 0, false, "ok")                                                                     \
    X(INVALID, 400, 3, false, "the input breaks a rule the caller can read")                       \
    X(UNAUTHENTICATED, 401, 16, false, "who is asking is not known")                               \
    X(DENIED, 403, 7, false, "known, and not allowed")                                             \
    X(NOT_FOUND, 404, 5, false, "no such thing")                                                   \
    X(CONFLICT, 409, 10, false, "it changed, or exists already")                                   \
    X(LIMIT, 429, 8, true, "a budget is spent: memory, rate, queue, size")                         \
    X(INTERNAL, 500, 13, false, "a broken promise inside; always worth a look")                    \
    X(CORRUPT, 500, 15, false, "stored bytes are not what was written")                            \
    X(UNSUPPORTED, 501, 12, false, "valid, and not built")                                         \
    X(UNAVAILABLE, 503, 14, true, "a dependency did not answer")                                   \
    X(TIMEOUT, 504, 4, true, "the deadline passed first")

typedef enum [[nodiscard]] ax_status{
#define X(name, http, grpc, retry, meaning) AX_##name,
    AX_STATUS_MAP(X)
#undef X
} ax_status;

/* Returns early with whatever went wrong. The only macro that hides a return. */
#define AX_TRY(call)                                                                               \
    do {                                                                                           \
        ax_status status_ = (call);                                                                \
        if (status_ != AX_OK)                                                                      \
            return status_;                                                                        \
    } while (0)

/* Drops a status on purpose; why is for the reader: ax_ignore(status, "the file is gone anyway").
 */
#define ax_ignore(status, why) ((void)(status), (void)(why))

int ax_status_http(ax_status status);
int ax_status_grpc(ax_status status);
bool ax_status_retry(ax_status status);
const char *ax_status_name(ax_status status);
const char *ax_status_meaning(ax_status status);
