/*
 * Listening sockets: from an address in words to one socket a loop, and accepting from it.
 *
 * TCP gets one socket a loop on the same port (SO_REUSEPORT), so that the kernel spreads the
 * connections; a Unix socket is shared, and so is "fd:3", one that whoever started us opened. errno
 * ends here. Serving is the loop's business.
 */
#pragma once

#include <sys/socket.h>

#include "base/ctx.h"

struct ax_listener_config {
    ax_str address; /* "127.0.0.1:8080", "[::1]:0", "localhost:80", "unix:/run/a.sock", "fd:3" */
    int backlog;
    size_t socket_count;
};

/*
 * Fails: CONFLICT when somebody listens there already, be it with SO_REUSEPORT; DENIED; INVALID
 * when it is no address of this machine; LIMIT. Nothing is left open then.
 *
 * out_sockets: socket_count descriptors, non-blocking, owned. out_port: 0 for a Unix socket.
 */
ax_status ax_listener_open(struct ax_ctx *ctx, const struct ax_listener_config *config,
                           int *out_sockets, int *out_port);

/* Whether only this machine can reach it, by its words or, of "fd:3", by what it is. */
bool ax_listener_is_local(ax_str address);

/* Closes the sockets and removes a Unix socket's file. */
void ax_listener_close(ax_str address, const int *sockets, size_t socket_count);

/* The next connection's descriptor, non-blocking, or a negative errno (-EAGAIN: none waits). */
int ax_listener_accept(int socket, struct sockaddr_storage *out_address);

/* "127.0.0.1", "::1", or "unix"; terminated. */
void ax_listener_name(const struct sockaddr_storage *address, char *out, size_t out_bytes);
