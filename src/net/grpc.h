/*
 * gRPC over the exchanges of net: methods in tables, messages in and out, a status behind them.
 *
 * The framing, grpc-timeout, grpc-encoding, limits and trailers are done here; what a message says
 * is the handler's business. Handlers answer as those of api/route.h do: AX_OK or a failure with
 * words in ctx, which becomes grpc-status and grpc-message. Knows no protobuf, no service and no
 * permission. Source: grpc/grpc doc/PROTOCOL-HTTP2.md.
 *
 * An api joins it to its service in four places, and leaves the exchange's slot to it:
 *
 *     head():     if (ax_grpc_is(request)) { ax_grpc_head(&grpc, exchange, limits); return; }
 *     handler():  if (ax_grpc_is(request)) { ax_grpc_handle(exchange); return; }
 *     refused():  if (ax_grpc_is(request)) { ax_grpc_refused(exchange, status, reason); return; }
 *     answered(): if (ax_grpc_is(request)) ax_grpc_answered(exchange);
 */
#pragma once

#include "net/exchange.h"

struct ax_grpc_call;

enum ax_grpc_kind {
    /* One message in, one out: handle is called once, and the reply leaves when it ends. */
    AX_GRPC_UNARY,
    /* One in, any number out: handle is called once and may ax_grpc_send before it ends. */
    AX_GRPC_SERVER_STREAM,
    /*
     * Any number in and out: handle is called for each message, in order and one at a time, and
     * once more when the client has sent its last (ax_grpc_half_closed). AX_OK asks for the next,
     * at the half-close it ends the call.
     */
    AX_GRPC_STREAM,
};

/*   name                number: as in grpc/grpc doc/statuscodes.md */
#define AX_GRPC_CODE_MAP(X)                                                                        \
    X(OK, 0)                                                                                       \
    X(CANCELLED, 1)                                                                                \
    X(UNKNOWN, 2)                                                                                  \
    X(INVALID_ARGUMENT, 3)                                                                         \
    X(DEADLINE_EXCEEDED, 4)                                                                        \
    X(NOT_FOUND, 5)                                                                                \
    X(ALREADY_EXISTS, 6)                                                                           \
    X(PERMISSION_DENIED, 7)                                                                        \
    X(RESOURCE_EXHAUSTED, 8)                                                                       \
    X(FAILED_PRECONDITION, 9)                                                                      \
    X(ABORTED, 10)                                                                                 \
    X(OUT_OF_RANGE, 11)                                                                            \
    X(UNIMPLEMENTED, 12)                                                                           \
    X(INTERNAL, 13)                                                                                \
    X(UNAVAILABLE, 14)                                                                             \
    X(DATA_LOSS, 15)                                                                               \
    X(UNAUTHENTICATED, 16)

enum ax_grpc_code {
#define X(name, number) AX_GRPC_##name = (number),
    AX_GRPC_CODE_MAP(X)
#undef X
};

enum {
    AX_GRPC_PREFIX_BYTES = 5,        /* a flag and a length in front of each message */
    AX_GRPC_MESSAGE_BYTES = 4 << 20, /* what gRPC's own libraries take unless told */
};

struct ax_grpc_method {
    const char *name; /* "ModelInfer" */
    enum ax_grpc_kind kind;
    size_t message_bytes_max; /* of one message in, inflated; 0: AX_GRPC_MESSAGE_BYTES */
    /*
     * Reads ax_grpc_message, writes to ax_grpc_reply and returns AX_OK, or fails with words in
     * ctx. On the loop thread; after ax_grpc_defer whoever has the call goes on, on any thread,
     * and ax_grpc_end takes the place of the return.
     */
    ax_status (*handle)(struct ax_grpc_call *call, struct ax_ctx *ctx);
    const char *summary; /* one line: for the log and the description of the API */
    const void *more;    /* of whoever wrote the table: permission, thread, ... */
};

struct ax_grpc_service {
    const char *name; /* "inference.GRPCInferenceService": in paths and for reflection */
    const struct ax_grpc_method *methods;
    size_t method_count;
};

struct ax_grpc { /* filled in by the api; kept */
    void *arg;
    const struct ax_grpc_service *const *services;
    size_t service_count;
    size_t compress_bytes_min; /* replies from this size on, for clients who take gzip; 0: none */

    /*
     * At the head, before any message: who is it, may they? A failure is the call's answer. May
     * put something into ax_grpc_slot. NULL: everybody may.
     */
    ax_status (*admit)(void *arg, struct ax_grpc_call *call, struct ax_ctx *ctx);

    /* A call fails: whoever has it may ax_grpc_set_details. Any thread. NULL: no details. */
    void (*failing)(void *arg, struct ax_grpc_call *call, ax_status status, enum ax_grpc_code code);

    /* A call's deadline had passed before its handler was called. NULL: nobody counts. */
    void (*expired)(void *arg);

    /* The call is over: for metrics and the access log. NULL: nobody asks. */
    void (*ended)(void *arg, struct ax_grpc_call *call, enum ax_grpc_code code);
};

/* ---- for the service of an exchange ---- */

/* Over HTTP/2, POST, with content-type application/grpc, perhaps +proto or ;parameters. */
bool ax_grpc_is(const struct ax_http_request *request);

/*
 * Finds the method, asks admit, sets the limits. Answers itself: UNIMPLEMENTED (no such method, an
 * encoding other than gzip and deflate), INTERNAL (a grpc-timeout that is none), and what admit
 * says.
 */
void ax_grpc_head(const struct ax_grpc *grpc, struct ax_exchange *exchange,
                  struct ax_http_limits *limits);

/* The request of a unary call is complete. */
void ax_grpc_handle(struct ax_exchange *exchange);

/* What HTTP refuses, as gRPC says it: 413 is RESOURCE_EXHAUSTED, 503 UNAVAILABLE, ... */
void ax_grpc_refused(struct ax_exchange *exchange, int status, ax_str reason);

void ax_grpc_answered(struct ax_exchange *exchange);

/* ---- for handlers: by whoever has the call ---- */

/* The message in, inflated; valid until the handler's end. At a half-close "". */
ax_str ax_grpc_message(const struct ax_grpc_call *call);

/* In a STREAM: there is no message this time, and none will follow. */
bool ax_grpc_half_closed(const struct ax_grpc_call *call);

/*
 * The message out, to be written to; it begins with the first call. What is in it when the handler
 * ends well is sent. Unary calls always send one, if need be empty.
 */
struct ax_writer *ax_grpc_reply(struct ax_grpc_call *call);

/*
 * Not in unary calls: the message out leaves now and the next begins; without one, the answer's
 * head does. Whoever sends without waiting for the client watches ax_grpc_cancelled.
 */
void ax_grpc_send(struct ax_grpc_call *call);

/*
 * Metadata in front of the first message, and behind the last. Names in lower case; a value of
 * "...-bin" in base64.
 */
void ax_grpc_header(struct ax_grpc_call *call, ax_str name, ax_str value);
void ax_grpc_trailer(struct ax_grpc_call *call, ax_str name, ax_str value);

/* The client's metadata: of that name, the first; at is NULL when there is none. */
ax_str ax_grpc_metadata(const struct ax_grpc_call *call, ax_str name);

/* The code that a failure is told as, where the status's own (ax_status_grpc) is not meant. */
void ax_grpc_set_code(struct ax_grpc_call *call, enum ax_grpc_code code);

/*
 * What a failure says beyond its words: a serialized google.rpc.Status, sent in base64 as
 * grpc-status-details-bin. Copied into ctx->arena; of no effect when that is spent.
 */
void ax_grpc_set_details(struct ax_grpc_call *call, ax_str status_message);

/*
 * The handler's end comes later, from any thread, by ax_grpc_end. To be called before anybody else
 * may see the call.
 */
void ax_grpc_defer(struct ax_grpc_call *call);

/* Takes the place of the return of a deferred handler. The call may be gone afterwards. */
void ax_grpc_end(struct ax_grpc_call *call, ax_status status);

/*
 * gone(call) is called on the loop thread if the client goes while the call is deferred; it may
 * end the call. To be set in handle, before the call is handed on.
 */
void ax_grpc_on_cancel(struct ax_grpc_call *call, void (*gone)(struct ax_grpc_call *call));

/* Whether the client is gone: long work may stop; the call must be ended all the same. */
bool ax_grpc_cancelled(struct ax_grpc_call *call);

/* The rest of the exchange: ctx (with grpc-timeout as its deadline), loop, peer, request. */
struct ax_exchange *ax_grpc_exchange(const struct ax_grpc_call *call);
struct ax_ctx *ax_grpc_ctx(const struct ax_grpc_call *call);

/* NULL in ended when there was no such method. */
const struct ax_grpc_method *ax_grpc_method(const struct ax_grpc_call *call);
const struct ax_grpc_service *ax_grpc_service(const struct ax_grpc_call *call);

/* One pointer for the api's own use, NULL at first. */
void **ax_grpc_slot(struct ax_grpc_call *call);

/* ---- for tests ---- */

/* "1490m" in nanoseconds: 1 to 8 digits and one of H M S m u n. false when it is none. */
[[nodiscard]] bool ax_grpc_timeout_parse(ax_str text, int64_t *out_ns);

/* As it stands in grpc-message: all but 0x20 to 0x7e, and '%', as %XX. */
void ax_grpc_message_escape(ax_str words, struct ax_writer *out);
