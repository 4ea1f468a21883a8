/*
 * One connection that speaks HTTP/1: requests in, answers out in their order.
 *
 * Requests of a pipeline are handed to the service as they become complete, each in an exchange
 * of its own, and wait in a line for their turn to be answered. Whatever is wrong with the bytes
 * is answered once and ends the connection. Knows no socket: see session.h.
 */
#pragma once

#include "net/exchange_parts.h"

struct ax_http1_session_config {
    int64_t header_ms;
    int64_t body_ms;
    int64_t idle_ms;
    size_t pipeline_max;
    size_t pending_bytes_max;
};

/* config: kept. peer: copied. NULL when memory is short. */
struct ax_session *ax_http1_session_new(struct ax_exchange_pool *pool,
                                        const struct ax_http1_session_config *config,
                                        const struct ax_session_peer *peer,
                                        struct ax_session_transport transport, int64_t now_ns);
