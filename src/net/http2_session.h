/*
 * One connection that speaks HTTP/2: each stream is an exchange with the service of HTTP/1.
 *
 * nghttp2 keeps the protocol's state; the glue here bounds what a client may make the server do
 * and hold (streams, head, bodies, unsent answers, resets, control frames), keeps the deadlines
 * and joins streams with exchanges. nghttp2 ends here. Knows no socket: see session.h.
 */
#pragma once

#include "net/exchange_parts.h"

struct ax_http2_session_config {
    int64_t header_ms; /* for the preface, and for the pieces of one head */
    int64_t body_ms;
    int64_t write_ms;    /* for an answer that the client's window holds back to go on */
    int64_t linger_ms;   /* for the rest of a body that an early answer has made needless */
    int64_t idle_ms;     /* without a stream; and without a byte before a ping */
    int64_t ping_ms;     /* for the answer to it */
    int64_t ping_gap_ms; /* least time between a gRPC client's pings that nothing came between */
    size_t streams_max;
    size_t window_bytes;      /* that a stream may send ahead; a connection 16 times that */
    size_t pending_bytes_max; /* unsent answers; above, requests wait */
    size_t bodies_bytes_max;  /* of all streams under way, unless there is only one */
};

/* config: kept. peer: copied. NULL when memory is short. */
struct ax_session *ax_http2_session_new(struct ax_exchange_pool *pool,
                                        const struct ax_http2_session_config *config,
                                        const struct ax_session_peer *peer,
                                        struct ax_session_transport transport, int64_t now_ns);

/* What the sessions of a pool have left for the next ones; by the pool, when they are gone. */
void ax_http2_session_memory_free(struct ax_http2_memory *memory);

enum { AX_HTTP2_PREFACE_BYTES = 24 };

enum ax_http2_preface { AX_HTTP2_NO, AX_HTTP2_MAYBE, AX_HTTP2_YES };

/* Whether a connection that begins so speaks HTTP/2; MAYBE while there are too few bytes to tell.
 */
enum ax_http2_preface ax_http2_preface_of(ax_str bytes);

/* The first bytes of a connection, kept while they may be that preface. Zero at first. */
struct ax_http2_start {
    char bytes[AX_HTTP2_PREFACE_BYTES];
    size_t len;
};

/* Says what the bytes so far tell. out_before: those that came before `bytes`, for the session. */
enum ax_http2_preface ax_http2_start_take(struct ax_http2_start *start, ax_str bytes,
                                          ax_str *out_before);
