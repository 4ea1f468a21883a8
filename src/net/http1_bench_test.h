/*
 * A session of HTTP/1 on the bench: no sockets, no threads; a handler that answers at once or
 * keeps its exchanges, and a kernel that takes a few bytes at a time. For http1_session's test
 * and fuzz target.
 */
#pragma once

#include "base/assert.h"
#include "net/http1_session.h"
#include "sys/clock.h"

enum { HTTP1_BENCH_HELD_MAX = 64 };

struct http1_bench { /* the session on it, and what comes out */
    struct ax_exchange_pool pool;
    struct ax_session *session;
    struct ax_writer out;
    struct ax_exchange *held[HTTP1_BENCH_HELD_MAX];
    size_t held_count;
    bool hold;         /* the handler keeps the exchanges */
    size_t step_bytes; /* taken by the kernel at once */
    int handled, answered;
};

static inline bool
http1_bench_here(struct ax_loop *loop)
{
    (void)loop;
    return true;
}

static inline void
http1_bench_post(struct ax_loop *loop, struct ax_loop_call *call)
{
    (void)loop;
    (void)call;
    AX_ASSERT(false);
}

static inline void
http1_bench_answer(struct ax_exchange *exchange)
{
    const struct ax_http_request *request = ax_exchange_request(exchange);
    if (ax_str_eq(request->path, AX_STR("/close")))
        ax_exchange_close_after(exchange);
    ax_exchange_header(exchange, AX_STR("X-Path"), request->path);
    ax_writer_bytes(ax_exchange_body(exchange), request->body);
    ax_exchange_finish(exchange);
}

static inline void
http1_bench_handler(void *arg, struct ax_exchange *exchange)
{
    struct http1_bench *bench = arg;
    bench->handled++;
    if (bench->hold && bench->held_count < HTTP1_BENCH_HELD_MAX)
        bench->held[bench->held_count++] = exchange;
    else
        http1_bench_answer(exchange);
}

static inline void
http1_bench_head(void *arg, struct ax_exchange *exchange, struct ax_http_limits *limits)
{
    (void)arg;
    if (ax_str_eq(ax_exchange_request(exchange)->path, AX_STR("/small")))
        limits->body_bytes_max = 3;
    if (ax_str_eq(ax_exchange_request(exchange)->path, AX_STR("/none")))
        ax_exchange_answer(exchange, 404, AX_STR("text/plain"), AX_STR("none"));
}

static inline void
http1_bench_answered(void *arg, struct ax_exchange *exchange)
{
    struct http1_bench *bench = arg;
    bench->answered++;
    AX_ASSERT(ax_exchange_times(exchange)->first_byte_ns <=
              ax_exchange_times(exchange)->last_byte_ns);
}

static inline void
http1_bench_pump(struct http1_bench *bench)
{
    struct iovec pieces[AX_SESSION_IOV_MAX];
    for (int count; (count = ax_session_output(bench->session, pieces)) > 0;) {
        size_t left = bench->step_bytes, sent = 0;
        for (int i = 0; i < count && left > 0; i++) {
            size_t len = pieces[i].iov_len < left ? pieces[i].iov_len : left;
            ax_writer_bytes(&bench->out, (ax_str){pieces[i].iov_base, len});
            sent += len;
            left -= len;
        }
        ax_session_sent(bench->session, sent, 1);
    }
}

static inline void
http1_bench_ready(void *arg)
{
    http1_bench_pump(arg);
}

static const struct ax_http1_session_config http1_bench_config = {.header_ms = 1'000,
                                                                  .body_ms = 1'000,
                                                                  .idle_ms = 1'000,
                                                                  .pipeline_max = 4,
                                                                  .pending_bytes_max = 1 << 16};

static inline void
http1_bench_open(struct http1_bench *bench, size_t step_bytes, bool hold)
{
    struct ax_exchange_config config = {.limits = ax_http_limits_default(),
                                        .answer_bytes_max = 1 << 16,
                                        .arena_bytes_max = 1 << 16,
                                        .request_ms = 1'000};
    *bench =
        (struct http1_bench){.out = ax_writer_of(1 << 22), .step_bytes = step_bytes, .hold = hold};
    struct ax_exchange_service service = {.arg = bench,
                                          .head = http1_bench_head,
                                          .handler = http1_bench_handler,
                                          .answered = http1_bench_answered};
    struct ax_exchange_home home = {.here = http1_bench_here, .post = http1_bench_post};
    ax_exchange_pool_init(&bench->pool, &config, &service, &home);
    bench->pool.trace_high = bench->pool.trace_next = 1; /* the same ids in each run */
    struct ax_session_peer peer = {.address = "127.0.0.1", .listener = 3};
    struct ax_session_transport transport = {.arg = bench, .ready = http1_bench_ready};
    bench->session = ax_http1_session_new(&bench->pool, &http1_bench_config, &peer, transport, 1);
    AX_ASSERT(bench->session);
}

static inline void
http1_bench_close(struct http1_bench *bench)
{
    ax_session_close(bench->session);
    ax_exchange_pool_done(&bench->pool);
    ax_writer_free(&bench->out);
}

/* Finishes what is held, in an order drawn from the seed. */
static inline void
http1_bench_finish_held(struct http1_bench *bench, uint32_t *seed)
{
    while (bench->held_count > 0) {
        *seed = *seed * 1664525 + 1013904223;
        size_t at = (*seed >> 16) % bench->held_count;
        struct ax_exchange *exchange = bench->held[at];
        bench->held[at] = bench->held[--bench->held_count];
        http1_bench_answer(exchange);
    }
}

/* What the session answers to the bytes when they come in pieces of up to piece_bytes. */
static inline void
http1_bench_run(struct http1_bench *bench, ax_str in, size_t piece_bytes, uint32_t seed)
{
    while (in.len > 0) {
        seed = seed * 1664525 + 1013904223;
        size_t len = 1 + (seed >> 8) % piece_bytes;
        len = len < in.len ? len : in.len;
        ax_session_receive(bench->session, (ax_str){in.at, len}, 1);
        in = ax_str_from(in, len);
        http1_bench_pump(bench);
        if (!ax_session_wants(bench->session).read || seed % 3 == 0)
            http1_bench_finish_held(bench, &seed);
        if (ax_session_wants(bench->session).close || ax_session_wants(bench->session).linger)
            break;
    }
    http1_bench_finish_held(bench, &seed);
    http1_bench_pump(bench);
}
