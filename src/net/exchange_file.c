/* Answers whose body is a file. Part of exchange. */
#include <errno.h>
#include <unistd.h>

#include "net/exchange_parts.h"

bool
ax_exchange_body_file(struct ax_exchange *exchange, int descriptor, uint64_t offset, uint64_t len)
{
    if (exchange->message.request.major != 1)
        return false;
    exchange->file = descriptor;
    exchange->file_at = offset;
    exchange->file_left = exchange->file_bytes = len;
    return true;
}

void
ax_exchange_file_close(struct ax_exchange *exchange)
{
    if (exchange->file >= 0)
        close(exchange->file);
    exchange->file = -1;
    exchange->file_at = exchange->file_left = exchange->file_bytes = 0;
}

bool
ax_exchange_file_next(struct ax_exchange *exchange, size_t bytes_max)
{
    struct ax_writer *body = &exchange->body;
    size_t len = exchange->file_left < bytes_max ? (size_t)exchange->file_left : bytes_max;
    ax_writer_clear(body);
    char *room = ax_writer_room(body, len);
    ssize_t got = 0;
    if (!room)
        return false;
    do
        got = pread(exchange->file, room, len, (off_t)exchange->file_at);
    while (got < 0 && errno == EINTR);
    if (got <= 0) /* it has become shorter, or the disk is at fault: the length was promised */
        return false;
    body->len = (size_t)got;
    exchange->file_at += (uint64_t)got;
    exchange->file_left -= (uint64_t)got;
    return true;
}
