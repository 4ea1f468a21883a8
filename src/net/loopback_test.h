/*
 * A server on loopback and clients made of bare sockets, for the tests of net.
 *
 * The clients are blocking and give up after some seconds, so that a hang is a failed check.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/number.h"
#include "harness.h"
#include "net/loop.h"
#include "sys/clock.h"

enum { LOOPBACK_SECONDS_MAX = 20 };

struct loopback {
    struct ax_loops *loops;
    struct ax_arena *arena;
    struct ax_ctx ctx;
    int port;
};

static inline struct ax_loop_config
loopback_config(void)
{
    return (struct ax_loop_config){
        .loop_count = 2,
        .backlog = 1024,
        .connections_max = 4'000,
        .connections_per_address_max = 4'000,
        .header_ms = 10'000,
        .body_ms = 10'000,
        .request_ms = 10'000,
        .write_ms = 10'000,
        .idle_ms = 60'000,
        .linger_ms = 1'000,
        .head_bytes_max = AX_HTTP_HEAD_BYTES,
        .header_count_max = 1'000,
        .body_bytes_max = 56 * 1024,
        .pipeline_max = 16,
        .pending_bytes_max = 1 << 20,
        .answer_bytes_max = 16 << 20,
        .arena_bytes_max = 1 << 20,
        .streams_max = 100,
        .window_bytes = 65'535,
        .bodies_bytes_max = 1 << 20,
        .ping_ms = 1'000,
        .ping_gap_ms = 300'000,
    };
}

/* Sends the request's body back, or "ok" when there is none. */
static inline void
loopback_echo(void *arg, struct ax_exchange *exchange)
{
    (void)arg;
    ax_str body = ax_exchange_request(exchange)->body;
    ax_exchange_answer(exchange, 200, AX_STR("text/plain"), body.len > 0 ? body : AX_STR("ok"));
}

static inline void
loopback_open(struct loopback *server, const struct ax_loop_config *config,
              const struct ax_exchange_service *service)
{
    ax_str listen = AX_STR("127.0.0.1:0");
    server->arena = ax_arena_new(1 << 20);
    server->ctx = ax_ctx_of(server->arena);
    ax_status status = ax_loops_open(&server->ctx, config, service, &listen, 1, &server->loops);
    if (status != AX_OK)
        ax_test_failed(__FILE__, __LINE__, "the server does not open: %s", server->ctx.error);
    AX_ASSERT(status == AX_OK);
    server->port = ax_loops_port(server->loops, 0);
}

static inline void
loopback_close(struct loopback *server)
{
    ax_loops_close(server->loops);
    ax_arena_free(server->arena);
}

/* One client's end: the socket, and what came and is not yet looked at. */
struct loopback_client {
    int fd;
    size_t len;
    char bytes[256 * 1024];
};

static inline void
loopback_attach(struct loopback_client *client, int fd)
{
    struct timeval patience = {.tv_sec = LOOPBACK_SECONDS_MAX};
    client->fd = fd;
    client->len = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static inline int
loopback_dial(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((in_port_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static inline void
loopback_connect(struct loopback_client *client, int port)
{
    int fd = loopback_dial(port);
    AX_ASSERT(fd >= 0);
    loopback_attach(client, fd);
}

static inline bool
loopback_send(struct loopback_client *client, ax_str bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(client->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes = ax_str_from(bytes, (size_t)sent);
    }
    return true;
}

/* 1: something came; 0: the end; -1: a reset or nothing for a long time. */
static inline int
loopback_more(struct loopback_client *client)
{
    AX_ASSERT(client->len < sizeof client->bytes);
    ssize_t len =
        recv(client->fd, client->bytes + client->len, sizeof client->bytes - client->len, 0);
    if (len > 0)
        client->len += (size_t)len;
    return len > 0 ? 1 : len == 0 ? 0 : -1;
}

static inline void
loopback_drop(struct loopback_client *client, size_t len)
{
    client->len -= len;
    memmove(client->bytes, client->bytes + len, client->len);
}

/*
 * Takes the next answer: its status, or 0 when the connection ended before one, -1 when it broke.
 * Up to sizeof body - 1 bytes of the body are kept; expects_body: false for answers to HEAD.
 */
struct loopback_answer {
    int status;
    bool close;
    size_t body_len;
    char head[2048], body[4096];
};

static inline int
loopback_answer(struct loopback_client *client, bool expects_body, struct loopback_answer *out)
{
    size_t end;
    while ((end = ax_str_find((ax_str){client->bytes, client->len}, AX_STR("\r\n\r\n"))) ==
           SIZE_MAX) {
        int more = loopback_more(client);
        if (more <= 0)
            return more == 0 && client->len > 0 ? -1 : more;
    }
    ax_str head = {client->bytes, end + 2};
    uint64_t status = 0, length = 0;
    AX_ASSERT(ax_str_starts(head, AX_STR("HTTP/1.1 ")));
    AX_ASSERT(ax_parse_u64((ax_str){head.at + 9, 3}, &status) && head.len < sizeof out->head);
    memcpy(out->head, head.at, head.len);
    out->head[head.len] = '\0';
    size_t at = ax_str_find(head, AX_STR("Content-Length: "));
    if (at != SIZE_MAX) {
        ax_str rest = ax_str_from(head, at + 16), digits;
        AX_ASSERT(ax_str_cut(&rest, '\r', &digits) && ax_parse_u64(digits, &length));
    }
    out->status = (int)status;
    out->close = ax_str_find(head, AX_STR("Connection: close\r\n")) != SIZE_MAX;
    out->body_len = expects_body ? length : 0;
    loopback_drop(client, end + 4);
    for (size_t left = out->body_len, kept = 0;;) {
        size_t here = left < client->len ? left : client->len;
        size_t fits = sizeof out->body - 1 - kept;
        memcpy(out->body + kept, client->bytes, here < fits ? here : fits);
        kept += here < fits ? here : fits;
        out->body[kept] = '\0';
        loopback_drop(client, here);
        left -= here;
        if (left == 0)
            return out->status;
        if (loopback_more(client) <= 0)
            return -1;
    }
}

/* Whether the connection ends in order, with nothing more said. */
static inline bool
loopback_ended(struct loopback_client *client)
{
    return client->len == 0 && loopback_more(client) == 0;
}

/* One request of its own connection; the status. */
static inline int
loopback_ask(int port, ax_str request)
{
    struct loopback_client client;
    struct loopback_answer answer;
    loopback_connect(&client, port);
    int status = loopback_send(&client, request) ? loopback_answer(&client, true, &answer) : -1;
    close(client.fd);
    return status;
}

#define LOOPBACK_GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
