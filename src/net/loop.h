/*
 * The event loops: listeners, connections, timers, posts from other threads. libuv ends here.
 *
 * One loop a core, each a thread with its own listening sockets (SO_REUSEPORT), connections and
 * exchanges; loops share nothing but the count of connections. Bytes go, through TLS where a
 * listener has it, to the connection's session, whose protocol its first bytes or ALPN have told.
 * Absolute deadlines are kept by one coarse tick a loop, not by a timer a request.
 */
#pragma once

#include "net/exchange.h"
#include "net/tls.h"
#include "sys/settings.h"

struct ax_loops;
struct ax_loop;

enum { AX_LOOP_COUNT_MAX = 256 };

struct ax_loop_config {
    int64_t loop_count;                  /* 0: one a core */
    int64_t backlog;                     /* connections the kernel holds unaccepted */
    int64_t connections_max;             /* all loops together; more are closed at once */
    int64_t connections_per_address_max; /* IPv4 address or IPv6 /64; Unix sockets do not count */
    int64_t header_ms;                   /* connect or first byte to the end of the head */
    int64_t body_ms;                     /* end of the head to the last byte */
    int64_t request_ms;                  /* last byte to ctx->deadline_ns */
    int64_t write_ms;                    /* answer blocked to answer gone; then it is cut */
    int64_t idle_ms;                     /* between two requests */
    int64_t linger_ms;                   /* reading on after a refusal, so that it arrives */
    int64_t head_bytes_max;
    int64_t header_count_max;
    int64_t body_bytes_max; /* unless the service's head says otherwise */
    int64_t pipeline_max;
    int64_t pending_bytes_max;  /* unsent answers of a connection; above, it is not read */
    int64_t answer_bytes_max;   /* body of one answer */
    int64_t arena_bytes_max;    /* memory of one request */
    int64_t streams_max;        /* of a connection of HTTP/2 at once */
    int64_t window_bytes;       /* that a stream may send ahead of being read */
    int64_t bodies_bytes_max;   /* of all streams of a connection */
    int64_t ping_ms;            /* for a silent client with streams open to answer one */
    int64_t ping_gap_ms;        /* between a gRPC client's pings while we send it nothing */
    int64_t compress_bytes_min; /* answers from this size on are compressed; 0: none */
    int64_t compress_bytes_max; /* and up to this one */
    struct ax_tls_config tls;   /* of the listeners that have it */
};

/* Section "net": parses, checks, documents and prints the fields above. */
const struct ax_settings *ax_loop_settings(void);

/*
 * Binds every listener and starts the threads; they accept when it returns.
 *
 * listen: "127.0.0.1:8080", "[::1]:0", "localhost:8080", "unix:/run/axiom.sock"; port 0 lets the
 * kernel choose; "tls:" in front of any of them: with TLS. service is copied; its arg is kept.
 * Fails: CONFLICT (address in use), DENIED, INVALID (no such address), LIMIT, what loop_init or
 * ax_tls_open said. Nothing is left behind then.
 */
ax_status ax_loops_open(struct ax_ctx *ctx, const struct ax_loop_config *config,
                        const struct ax_exchange_service *service, const ax_str *listen,
                        size_t listen_count, struct ax_loops **out_loops);

/* The port a listener got; 0 for a Unix socket. */
int ax_loops_port(const struct ax_loops *loops, size_t listener);

size_t ax_loops_count(const struct ax_loops *loops);
struct ax_loop *ax_loops_at(struct ax_loops *loops, size_t index);

/*
 * Stops accepting, tells keep-alive clients to close, lets requests in flight end. Returns true
 * when all did before the deadline; what was left has been cut then. Any thread but a loop's.
 */
bool ax_loops_drain(struct ax_loops *loops, int64_t deadline_ns);

/*
 * Ends the threads and frees everything. Waits for exchanges that others still hold: whoever holds
 * one must be alive to finish it. Drains without patience when nobody has drained before.
 */
void ax_loops_close(struct ax_loops *loops);
AX_DEFINE_AUTO(struct ax_loops, ax_loops_close);

/*
 * Runs fn(arg) on the loop's thread, soon. Any thread; posts of one thread keep their order as
 * long as the queue is not overrun. The loops must stay open until the call has returned.
 * false when memory is short: nothing was posted.
 */
[[nodiscard]] bool ax_loop_post(struct ax_loop *loop, void (*fn)(void *arg), void *arg);

/*
 * Reads the certificate's files again, for new connections; those under way go on. Without TLS it
 * does nothing. Any thread. Fails as ax_tls_reload does: then everything stays as it was.
 */
ax_status ax_loops_reload(struct ax_loops *loops, struct ax_ctx *ctx);

/* What loop_init gave on this loop. Loop thread. */
void *ax_loop_data(struct ax_loop *loop);

/* 0, 1, 2 ...; for striped state. */
size_t ax_loop_index(const struct ax_loop *loop);

struct ax_loop_totals {
    int64_t connections_open;
    int64_t connections_accepted; /* since the start, as all below */
    int64_t connections_refused;  /* over a limit, or no descriptor left */
    int64_t connections_cut;      /* past a deadline, an idle one's too */
};

/* Any thread. */
struct ax_loop_totals ax_loops_totals(struct ax_loops *loops);
