/*
 * A service of gRPC on the bench of HTTP/2: methods that echo, fail and wait, for grpc's test and
 * fuzz target.
 */
#pragma once

#include "net/grpc.h"
#include "net/http2_bench_test.h"

enum { GRPC_BENCH_MESSAGE_MAX = 1'000 };

struct grpc_bench {
    struct http2_bench http2;
    struct ax_grpc grpc;
    struct ax_grpc_call *kept;
    bool refuse; /* admit says no */
    int handled, ended, gone;
    enum ax_grpc_code ended_code;
};

static struct grpc_bench grpc_bench;
static const struct ax_grpc_service grpc_bench_service;

static inline ax_status
grpc_bench_echo(struct ax_grpc_call *call, struct ax_ctx *ctx)
{
    ax_str message = ax_grpc_message(call), asked = ax_grpc_metadata(call, AX_STR("x-ask"));
    grpc_bench.handled++;
    AX_ASSERT(ctx == ax_exchange_ctx(ax_grpc_exchange(call)));
    AX_ASSERT(ax_grpc_service(call) == &grpc_bench_service && !ax_grpc_cancelled(call));
    if (asked.at)
        ax_grpc_header(call, AX_STR("x-told"), asked);
    if (message.len > 0)
        ax_writer_bytes(ax_grpc_reply(call), message);
    ax_grpc_header(call, AX_STR("x-head"), AX_STR("h"));
    ax_grpc_trailer(call, AX_STR("x-tail"), AX_STR("t"));
    return AX_OK;
}

static inline ax_status
grpc_bench_fail(struct ax_grpc_call *call, struct ax_ctx *ctx)
{
    ax_str message = ax_grpc_message(call);
    ax_writer_text(ax_grpc_reply(call), "half a reply");
    if (ax_str_eq(message, AX_STR("code")))
        ax_grpc_set_code(call, AX_GRPC_ALREADY_EXISTS);
    ax_grpc_set_details(call, AX_STR("\x08\x05"));
    return ax_fail(ctx, AX_NOT_FOUND, "no \"%.*s\" at 100 %% \xc3\xa9\n", AX_FMT(message));
}

static inline ax_status
grpc_bench_count(struct ax_grpc_call *call, struct ax_ctx *ctx)
{
    ax_str message = ax_grpc_message(call);
    for (size_t i = 0; i < message.len; i++) {
        ax_writer_print(ax_grpc_reply(call), "%zu", i);
        ax_grpc_send(call);
    }
    return message.len == 4 ? ax_fail(ctx, AX_LIMIT, "four") : AX_OK;
}

/* Echoes each message, says "bye" at the half-close; "stop" fails. */
static inline ax_status
grpc_bench_chat(struct ax_grpc_call *call, struct ax_ctx *ctx)
{
    ax_str message = ax_grpc_message(call);
    grpc_bench.handled++;
    if (ax_grpc_half_closed(call)) {
        ax_writer_text(ax_grpc_reply(call), "bye");
        return AX_OK;
    }
    if (ax_str_eq(message, AX_STR("stop")))
        return ax_fail(ctx, AX_CONFLICT, "stopped");
    ax_writer_bytes(ax_grpc_reply(call), message);
    if (ax_str_eq(message, AX_STR("twice"))) {
        ax_grpc_send(call);
        ax_writer_bytes(ax_grpc_reply(call), message);
    }
    return AX_OK;
}

static inline void
grpc_bench_gone(struct ax_grpc_call *call)
{
    grpc_bench.gone++;
    if (grpc_bench.kept == call)
        grpc_bench.kept = NULL;
    ax_grpc_end(call, AX_OK);
}

static inline void
grpc_bench_end_kept(ax_status status)
{
    struct ax_grpc_call *kept = grpc_bench.kept;
    grpc_bench.kept = NULL;
    ax_grpc_end(kept, status);
}

/* Ends the call that is kept, if there is one. */
static inline void
grpc_bench_let_go(void)
{
    if (grpc_bench.kept)
        grpc_bench_end_kept(AX_OK);
}

static inline ax_status
grpc_bench_watch(struct ax_grpc_call *call, struct ax_ctx *ctx)
{
    (void)ctx;
    grpc_bench_let_go(); /* one is kept, and no more */
    ax_grpc_on_cancel(call, grpc_bench_gone);
    ax_grpc_defer(call);
    grpc_bench.kept = call;
    return AX_OK;
}

static const struct ax_grpc_method grpc_bench_methods[] = {
    {"Echo", AX_GRPC_UNARY, GRPC_BENCH_MESSAGE_MAX, grpc_bench_echo, "echoes", NULL},
    {"Fail", AX_GRPC_UNARY, GRPC_BENCH_MESSAGE_MAX, grpc_bench_fail, "fails", NULL},
    {"Wait", AX_GRPC_UNARY, 0, grpc_bench_watch, "ends later", NULL},
    {"Count", AX_GRPC_SERVER_STREAM, GRPC_BENCH_MESSAGE_MAX, grpc_bench_count, "counts", NULL},
    {"Watch", AX_GRPC_SERVER_STREAM, 0, grpc_bench_watch, "ends later", NULL},
    {"Chat", AX_GRPC_STREAM, GRPC_BENCH_MESSAGE_MAX, grpc_bench_chat, "echoes each", NULL},
};

static const struct ax_grpc_service grpc_bench_service = {"a.Test", grpc_bench_methods,
                                                          AX_COUNT_OF(grpc_bench_methods)};
static const struct ax_grpc_service *const grpc_bench_services[] = {&grpc_bench_service};

static inline ax_status
grpc_bench_admit(void *arg, struct ax_grpc_call *call, struct ax_ctx *ctx)
{
    (void)arg;
    *ax_grpc_slot(call) = &grpc_bench;
    return grpc_bench.refuse ? ax_fail(ctx, AX_UNAUTHENTICATED, "who are you?") : AX_OK;
}

static inline void
grpc_bench_ended(void *arg, struct ax_grpc_call *call, enum ax_grpc_code code)
{
    (void)arg;
    AX_ASSERT(code != AX_GRPC_OK || (ax_grpc_method(call) && *ax_grpc_slot(call)));
    grpc_bench.ended++;
    grpc_bench.ended_code = code;
}

/* ---- the four places of the service ---- */

static inline void
grpc_bench_head(void *arg, struct ax_exchange *exchange, struct ax_http_limits *limits)
{
    (void)arg;
    if (ax_grpc_is(ax_exchange_request(exchange)))
        ax_grpc_head(&grpc_bench.grpc, exchange, limits);
}

static inline void
grpc_bench_handler(void *arg, struct ax_exchange *exchange)
{
    (void)arg;
    if (ax_grpc_is(ax_exchange_request(exchange)))
        ax_grpc_handle(exchange);
    else
        ax_exchange_answer(exchange, 404, AX_STR("text/plain"), AX_STR("no gRPC"));
}

static inline void
grpc_bench_refused(void *arg, struct ax_exchange *exchange, int status, ax_str reason)
{
    (void)arg;
    if (ax_grpc_is(ax_exchange_request(exchange)))
        ax_grpc_refused(exchange, status, reason);
}

static inline void
grpc_bench_answered(void *arg, struct ax_exchange *exchange)
{
    (void)arg;
    if (ax_grpc_is(ax_exchange_request(exchange)))
        ax_grpc_answered(exchange);
}

static inline bool
grpc_bench_open(void)
{
    struct ax_exchange_service service = {.handler = grpc_bench_handler,
                                          .head = grpc_bench_head,
                                          .refused = grpc_bench_refused,
                                          .answered = grpc_bench_answered};
    grpc_bench.grpc = (struct ax_grpc){.services = grpc_bench_services,
                                       .service_count = AX_COUNT_OF(grpc_bench_services),
                                       .admit = grpc_bench_admit,
                                       .ended = grpc_bench_ended};
    grpc_bench.kept = NULL;
    grpc_bench.refuse = false;
    grpc_bench.handled = grpc_bench.ended = grpc_bench.gone = 0;
    grpc_bench.ended_code = AX_GRPC_OK;
    return http2_bench_open(&grpc_bench.http2, &service);
}

/* flag, length, bytes. */
static inline void
grpc_bench_frame(struct ax_writer *out, int flag, ax_str message)
{
    ax_writer_u8(out, (uint8_t)flag);
    ax_writer_u32_be(out, (uint32_t)message.len);
    ax_writer_bytes(out, message);
}
