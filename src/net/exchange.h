/*
 * One request and its answer, which may be finished later and from any thread.
 *
 * The handler is called on the loop thread with a complete request. It builds the answer and
 * calls ax_exchange_finish, either before it returns or later from any one thread: the exchange
 * then belongs to whoever holds it until that call, also when the client has long gone. Answers
 * leave in the order of their requests, over HTTP/2 as they are finished. Buffers and arena are
 * used again: a steady load allocates nothing. An exchange knows nothing of sockets or of the
 * protocol's framing.
 */
#pragma once

#include "net/http.h"

struct ax_exchange;
struct ax_loop;

/*
 * What answers. The api layer fills it in; all calls come on a loop thread, with arg in front.
 * Only handler must be there; NULL elsewhere means the plain behaviour told below.
 */
struct ax_exchange_service {
    void *arg;

    /*
     * The head is complete, the body not yet read: may lower or raise limits->body_bytes_max for
     * this request, put something into the slot for the handler, or finish at once (404, 401):
     * then the body is not read and the connection ends when there was to be one.
     * Plain: the listener's limits.
     */
    void (*head)(void *arg, struct ax_exchange *exchange, struct ax_http_limits *limits);

    /* The request is complete. Finish it here, or hand it on and finish it later, exactly once. */
    void (*handler)(void *arg, struct ax_exchange *exchange);

    /*
     * The bytes were refused before a handler was known; status is set already. Writes headers
     * and body of the answer; does not finish. The request may be incomplete.
     * Plain: {"error": reason} as application/json.
     */
    void (*refused)(void *arg, struct ax_exchange *exchange, int status, ax_str reason);

    /* The answer went to the kernel, or the client was gone: for metrics and the access log. */
    void (*answered)(void *arg, struct ax_exchange *exchange);

    /* Each loop's own data (snapshot readers and the like), made and ended on the loop's thread. */
    ax_status (*loop_init)(void *arg, struct ax_ctx *ctx, struct ax_loop *loop, void **out_data);
    void (*loop_done)(void *arg, void *data);
};

/* ---- reading the request: valid until the finish ---- */

const struct ax_http_request *ax_exchange_request(const struct ax_exchange *exchange);

/*
 * Arena (emptied after the answer), deadline (last byte read plus request_ms) and trace id (from
 * `traceparent`, else made). Actor is NULL until the api sets it.
 */
struct ax_ctx *ax_exchange_ctx(struct ax_exchange *exchange);

/* Where the request stands in its trace (W3C Trace Context). */
struct ax_exchange_trace {
    uint64_t span_id;   /* of this request here; not 0 */
    uint64_t parent_id; /* of the caller's span; 0: the trace begins here */
    ax_str state;       /* the caller's tracestate, for whoever is called next; "" for none */
    bool sampled;       /* the caller records it; the service may say so too, until the finish */
};

/*
 * Answers to callers who sent a sound traceparent, and those that are sampled, say in theirs which
 * span this was.
 */
struct ax_exchange_trace *ax_exchange_trace(struct ax_exchange *exchange);

/*
 * The client's X-Request-Id when it is sound (1 to 128 visible characters), else the trace id. The
 * client's own goes back with every answer, the other with refusals.
 */
ax_str ax_exchange_request_id(const struct ax_exchange *exchange);

/* Address of the other end without port, "127.0.0.1"; "unix" for a Unix socket. */
ax_str ax_exchange_peer(const struct ax_exchange *exchange);

/* What counts as one address where addresses are counted (ax_admission_key): of IPv6 a /64. */
uint64_t ax_exchange_network(const struct ax_exchange *exchange);

/* Whether it came over TLS. */
bool ax_exchange_secure(const struct ax_exchange *exchange);

/*
 * What the client's certificate says, one that the listener's client CA vouches for: its subject
 * ("CN=a,O=b", RFC 2253), and the first URI among its other names (a SPIFFE id); "" without. Valid
 * as long as the exchange.
 */
ax_str ax_exchange_client_subject(const struct ax_exchange *exchange);
ax_str ax_exchange_client_uri(const struct ax_exchange *exchange);

struct ax_session_identity;
/* The same as it is, net/session.h; NULL without a certificate. */
const struct ax_session_identity *ax_exchange_identity(const struct ax_exchange *exchange);

/* Index of the listener in the loops' list. */
int ax_exchange_listener(const struct ax_exchange *exchange);

/* The loop it came on, and what loop_init gave there. */
struct ax_loop *ax_exchange_loop(const struct ax_exchange *exchange);
void *ax_exchange_loop_data(const struct ax_exchange *exchange);

/* One pointer for the service's own use, NULL at first: from head to handler to answered. */
void **ax_exchange_slot(struct ax_exchange *exchange);

/*
 * Whether the client is gone or has said its last word (as in Go, the end of its stream counts):
 * long work may stop; the exchange must be finished all the same. Any thread.
 */
bool ax_exchange_cancelled(struct ax_exchange *exchange);

/* ---- building the answer: by whoever holds it ---- */

/* 200 until said otherwise; 200..599. */
void ax_exchange_set_status(struct ax_exchange *exchange, int status);

/*
 * One more header; name and value are copied. Length, date, connection and framing are net's own
 * and not given here. What may not stand in a header, or is too much, turns the answer into a 500.
 */
void ax_exchange_header(struct ax_exchange *exchange, ax_str name, ax_str value);

/* The body, to be written to. A writer that ended in LIMIT turns the answer into a 500. */
struct ax_writer *ax_exchange_body(struct ax_exchange *exchange);

/*
 * The body is so many bytes of a file, which goes out as the client takes it; what was written to
 * the writer stands in front. Over HTTP/1. The file is read on the loop's thread: one whose pages
 * are in memory, as after reading it.
 *
 * descriptor: taken, and closed when the answer is out; not when the answer is false: over HTTP/2.
 */
[[nodiscard]] bool ax_exchange_body_file(struct ax_exchange *exchange, int descriptor,
                                         uint64_t offset, uint64_t len);

/* Forgets status, headers and body: to begin the answer again. */
void ax_exchange_restart(struct ax_exchange *exchange);

/* The connection ends after this answer. */
void ax_exchange_close_after(struct ax_exchange *exchange);

/*
 * The answer is complete. Exactly once per exchange, which may not be touched afterwards. Any
 * thread.
 */
void ax_exchange_finish(struct ax_exchange *exchange);

/* Status, "content-type" and body, then finish: an answer in one call. */
void ax_exchange_answer(struct ax_exchange *exchange, int status, ax_str content_type, ax_str body);

/* ---- trailers, and streams: over HTTP/2 ---- */

/*
 * One more header behind the body, as ax_exchange_header; in a stream until the finish. Over
 * HTTP/1, whose clients do not look there, it is dropped.
 */
void ax_exchange_trailer(struct ax_exchange *exchange, ax_str name, ax_str value);

/*
 * From head() only: the exchange becomes a stream. Its body is neither gathered nor inflated, its
 * answer may leave in pieces, and instead of handler() `step` is called, on the loop thread with
 * the service's arg, whenever more of the body has come and when it has ended (once, perhaps with
 * nothing new).
 *
 * What has come and was not yet taken is the request's body. step, or whoever it hands the exchange
 * on to, sends what there is to send and then calls exactly one of ax_exchange_next and
 * ax_exchange_finish. So a stream is stepped by one holder at a time, in order; meanwhile the
 * client may send no more than a window, and it is not stepped while too much is unsent.
 *
 * The body may hold limits->body_bytes_max untaken. ctx->deadline_ns is INT64_MAX; what head() puts
 * there ends the stream, as does a reset by the client: then nobody is told unless the exchange is
 * held (ax_exchange_cancelled, ax_exchange_on_cancel), but answered() is called.
 *
 * false over HTTP/1, or when memory is short: nothing was changed.
 */
[[nodiscard]] bool ax_exchange_stream(struct ax_exchange *exchange,
                                      void (*step)(void *arg, struct ax_exchange *exchange));

/*
 * From head() only, over any protocol: the same for a body of any length with one whole answer,
 * which is built as that of any exchange and leaves with ax_exchange_finish; ax_exchange_send is
 * not for it. limits->body_bytes_max is what may be held untaken. false when memory is short.
 */
[[nodiscard]] bool ax_exchange_take_body(struct ax_exchange *exchange,
                                         void (*step)(void *arg, struct ax_exchange *exchange));

/* Whether the client's part of a stream is complete: nothing follows the body that is there. */
bool ax_exchange_ended(const struct ax_exchange *exchange);

/*
 * Gives a stream back until more has come: taken_bytes of the body's front are done with, what is
 * written leaves. When some were taken, and some are left or the client has ended, step is
 * called again at once. The exchange may be gone when this returns. Any thread.
 */
void ax_exchange_next(struct ax_exchange *exchange, size_t taken_bytes);

/*
 * The head, if it is still here, and the body as written so far leave now; the body is empty then.
 * By the holder of a stream, as often as it likes. Any thread.
 */
void ax_exchange_send(struct ax_exchange *exchange);

/*
 * cancelled(service's arg, exchange) is called on the loop thread, once, if the client goes while
 * the exchange is held: for holders that wait for something else and would never look. It may
 * finish the exchange. To be set on the loop thread, in handler() or step.
 */
void ax_exchange_on_cancel(struct ax_exchange *exchange,
                           void (*cancelled)(void *arg, struct ax_exchange *exchange));

/* ---- what happened: for `answered` ---- */

struct ax_exchange_times { /* monotonic; 0 for what did not happen */
    int64_t first_byte_ns; /* of the request, read */
    int64_t last_byte_ns;  /* of the request, read */
    int64_t handler_ns;    /* handler called */
    int64_t finish_ns;     /* answer complete, on the loop thread */
    int64_t written_ns;    /* first byte of the answer handed to the kernel */
};

const struct ax_exchange_times *ax_exchange_times(const struct ax_exchange *exchange);
int ax_exchange_status(const struct ax_exchange *exchange);
size_t ax_exchange_body_bytes(const struct ax_exchange *exchange); /* of the answer */

/* A header of the answer, Content-Encoding among them; at is NULL when there is none. */
ax_str ax_exchange_answer_header(const struct ax_exchange *exchange, ax_str name);
