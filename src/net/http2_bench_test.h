/*
 * A session of HTTP/2 on the bench, and nghttp2's client on the other side: no sockets, no
 * threads; bytes go between them in pieces. The handler answers at once or keeps its exchanges.
 * For the tests and the fuzz target of http2_session, and for those of gRPC.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include <nghttp2/nghttp2.h>

#include "base/assert.h"
#include "base/number.h"
#include "net/http2_session.h"
#include "sys/clock.h"

enum { HTTP2_BENCH_HELD_MAX = 64, HTTP2_REPLIES_MAX = 512, HTTP2_TEXT_BYTES = 2048 };

#define HTTP2_MS INT64_C(1'000'000)

/* ---- the client ---- */

struct http2_reply {
    int status;
    char head[HTTP2_TEXT_BYTES];     /* "name: value\n" each */
    char trailers[HTTP2_TEXT_BYTES]; /* likewise */
    struct ax_writer body;
    ax_str upload;    /* what is still to be sent */
    bool upload_open; /* more will come */
    bool interim;
    bool closed;
    uint32_t error_code;
};

struct http2_client {
    nghttp2_session *session;
    struct http2_reply replies[HTTP2_REPLIES_MAX]; /* of stream 1, 3, 5 ... */
    int goaway_count;
    uint32_t goaway_code;
    char goaway_words[32];
    int32_t goaway_last_id;
    int ping_count;
};

static inline struct http2_reply *
http2_reply_of(struct http2_client *client, int32_t id)
{
    AX_ASSERT(id > 0 && id / 2 < HTTP2_REPLIES_MAX);
    return &client->replies[id / 2];
}

static inline int
http2_client_on_header(nghttp2_session *session, const nghttp2_frame *frame,
                       nghttp2_rcbuf *name_buffer, nghttp2_rcbuf *value_buffer, uint8_t flags,
                       void *arg)
{
    struct http2_reply *reply = http2_reply_of(arg, frame->hd.stream_id);
    (void)session;
    (void)flags;
    nghttp2_vec name = nghttp2_rcbuf_get_buf(name_buffer);
    nghttp2_vec value = nghttp2_rcbuf_get_buf(value_buffer);
    if (name.len == 7 && memcmp(name.base, ":status", 7) == 0) {
        int status = atoi((const char *)value.base);
        reply->interim |= status == 100;
        reply->status = status;
        return 0;
    }
    char *text = frame->headers.cat == NGHTTP2_HCAT_HEADERS && reply->status != 100
                     ? reply->trailers
                     : reply->head;
    size_t len = strlen(text);
    snprintf(text + len, HTTP2_TEXT_BYTES - len, "%.*s: %.*s\n", (int)name.len, name.base,
             (int)value.len, value.base);
    return 0;
}

static inline int
http2_client_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                     size_t len, void *arg)
{
    (void)session;
    (void)flags;
    ax_writer_bytes(&http2_reply_of(arg, id)->body, (ax_str){(const char *)bytes, len});
    return 0;
}

static inline int
http2_client_on_closed(nghttp2_session *session, int32_t id, uint32_t error_code, void *arg)
{
    struct http2_reply *reply = http2_reply_of(arg, id);
    (void)session;
    reply->closed = true;
    reply->error_code = error_code;
    return 0;
}

static inline int
http2_client_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2_client *client = arg;
    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        client->goaway_count++;
        client->goaway_code = frame->goaway.error_code;
        size_t len = frame->goaway.opaque_data_len;
        if (len > 0 && len < sizeof client->goaway_words)
            memcpy(client->goaway_words, frame->goaway.opaque_data, len);
        client->goaway_last_id = frame->goaway.last_stream_id;
    }
    client->ping_count += frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & 1);
    return 0;
}

static inline ssize_t
http2_client_upload(nghttp2_session *session, int32_t id, uint8_t *out, size_t out_bytes,
                    uint32_t *out_flags, nghttp2_data_source *source, void *arg)
{
    struct http2_reply *reply = source->ptr;
    size_t len = reply->upload.len < out_bytes ? reply->upload.len : out_bytes;
    (void)session;
    (void)id;
    (void)arg;
    if (len == 0 && reply->upload_open)
        return NGHTTP2_ERR_DEFERRED;
    if (len > 0)
        memcpy(out, reply->upload.at, len);
    reply->upload = ax_str_from(reply->upload, len);
    if (reply->upload.len == 0 && !reply->upload_open)
        *out_flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)len;
}

/* window: what a stream's answer may have on the way; 0: what the test gives it by hand. */
static inline void
http2_client_open(struct http2_client *client, uint32_t window)
{
    nghttp2_session_callbacks *callbacks;
    *client = (struct http2_client){};
    for (size_t i = 0; i < HTTP2_REPLIES_MAX; i++)
        client->replies[i].body = ax_writer_of(16 << 20);
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, http2_client_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, http2_client_on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, http2_client_on_closed);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, http2_client_on_frame);
    nghttp2_option *option;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, window == 0);
    nghttp2_session_client_new2(&client->session, callbacks, client, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window};
    nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, &entry, 1);
}

static inline void
http2_client_close(struct http2_client *client)
{
    nghttp2_session_del(client->session);
    for (size_t i = 0; i < HTTP2_REPLIES_MAX; i++)
        ax_writer_free(&client->replies[i].body);
}

/* fields: "name: value\n" lines. body.at NULL: none. Returns the stream's id. */
static inline int32_t
http2_client_ask(struct http2_client *client, const char *method, const char *path,
                 const char *fields, ax_str body, bool open)
{
    nghttp2_nv list[256];
    size_t count = 0;
    const struct {
        const char *name, *value;
    } pseudo[] = {{":method", method}, {":path", path}, {":scheme", "http"}, {":authority", "a"}};
    for (size_t i = 0; i < AX_COUNT_OF(pseudo); i++)
        list[count++] = (nghttp2_nv){(uint8_t *)(uintptr_t)pseudo[i].name,
                                     (uint8_t *)(uintptr_t)pseudo[i].value, strlen(pseudo[i].name),
                                     strlen(pseudo[i].value), NGHTTP2_NV_FLAG_NONE};
    for (ax_str rest = ax_str_of(fields), line; ax_str_cut(&rest, '\n', &line) && line.len > 0;) {
        ax_str value = line, name;
        AX_ASSERT(ax_str_cut(&value, ':', &name) && count < AX_COUNT_OF(list));
        value = ax_str_trim(value);
        list[count++] = (nghttp2_nv){(uint8_t *)(uintptr_t)name.at, (uint8_t *)(uintptr_t)value.at,
                                     name.len, value.len, NGHTTP2_NV_FLAG_NONE};
    }
    int32_t id = (int32_t)nghttp2_session_get_next_stream_id(client->session);
    struct http2_reply *reply = http2_reply_of(client, id);
    reply->upload = body;
    reply->upload_open = open;
    nghttp2_data_provider provider = {.source.ptr = reply, .read_callback = http2_client_upload};
    return nghttp2_submit_request(client->session, NULL, list, count,
                                  body.at || open ? &provider : NULL, NULL);
}

/* More of an upload that was left open; the last of it if not more. */
static inline void
http2_client_more(struct http2_client *client, int32_t id, ax_str bytes, bool more)
{
    struct http2_reply *reply = http2_reply_of(client, id);
    AX_ASSERT(reply->upload.len == 0);
    reply->upload = bytes;
    reply->upload_open = more;
    nghttp2_session_resume_data(client->session, id);
}

/* ---- the session ---- */

struct http2_bench {
    struct ax_exchange_pool pool;
    struct ax_http2_session_config config;
    struct ax_session *session;
    struct http2_client client;
    struct ax_exchange *held[HTTP2_BENCH_HELD_MAX];
    size_t held_count;
    bool hold;          /* the handler keeps the exchanges */
    size_t piece_bytes; /* that go over at once, either way */
    uint32_t seed;
    int64_t now_ns;
    int handled, answered, readied;
    void *test; /* the test's own */
};

static inline bool
http2_bench_here(struct ax_loop *loop)
{
    (void)loop;
    return true;
}

static inline void
http2_bench_post(struct ax_loop *loop, struct ax_loop_call *call)
{
    (void)loop;
    (void)call;
    AX_ASSERT(false);
}

/* Sends the body back; "/trailers" with some, "/large/N" N bytes instead. */
static inline void
http2_bench_answer(struct ax_exchange *exchange)
{
    const struct ax_http_request *request = ax_exchange_request(exchange);
    uint64_t bytes = 0;
    ax_exchange_header(exchange, AX_STR("X-Path"), request->path);
    if (ax_str_eq(request->path, AX_STR("/close")))
        ax_exchange_close_after(exchange);
    if (ax_str_eq(request->path, AX_STR("/trailers"))) {
        ax_exchange_trailer(exchange, AX_STR("X-After"), AX_STR("all"));
        ax_exchange_trailer(exchange, AX_STR("X-Sum"), AX_STR("1"));
    }
    if (ax_str_starts(request->path, AX_STR("/large/")) &&
        ax_parse_u64(ax_str_from(request->path, 7), &bytes)) {
        char *at = ax_writer_room(ax_exchange_body(exchange), bytes);
        if (at)
            memset(at, 'x', bytes);
    } else {
        ax_writer_bytes(ax_exchange_body(exchange), request->body);
    }
    ax_exchange_finish(exchange);
}

static inline void
http2_bench_handler(void *arg, struct ax_exchange *exchange)
{
    struct http2_bench *bench = arg;
    bench->handled++;
    if (bench->hold && bench->held_count < HTTP2_BENCH_HELD_MAX)
        bench->held[bench->held_count++] = exchange;
    else
        http2_bench_answer(exchange);
}

static inline void
http2_bench_head(void *arg, struct ax_exchange *exchange, struct ax_http_limits *limits)
{
    (void)arg;
    if (ax_str_eq(ax_exchange_request(exchange)->path, AX_STR("/small")))
        limits->body_bytes_max = 3;
    if (ax_str_eq(ax_exchange_request(exchange)->path, AX_STR("/none")))
        ax_exchange_answer(exchange, 404, AX_STR("text/plain"), AX_STR("none"));
}

static inline void
http2_bench_answered(void *arg, struct ax_exchange *exchange)
{
    struct http2_bench *bench = arg;
    (void)exchange;
    bench->answered++;
}

static inline void
http2_bench_ready(void *arg)
{
    struct http2_bench *bench = arg;
    bench->readied++;
}

static inline struct ax_exchange_service
http2_bench_service(struct http2_bench *bench)
{
    return (struct ax_exchange_service){.arg = bench,
                                        .head = http2_bench_head,
                                        .handler = http2_bench_handler,
                                        .answered = http2_bench_answered};
}

static inline bool
http2_bench_open(struct http2_bench *bench, const struct ax_exchange_service *service)
{
    struct ax_exchange_config config = {.limits = ax_http_limits_default(),
                                        .answer_bytes_max = 8 << 20,
                                        .arena_bytes_max = 1 << 16,
                                        .request_ms = 1'000};
    struct ax_exchange_home home = {.here = http2_bench_here, .post = http2_bench_post};
    struct ax_session_peer peer = {.address = "127.0.0.1", .listener = 3};
    struct ax_session_transport transport = {.arg = bench, .ready = http2_bench_ready};
    *bench = (struct http2_bench){.piece_bytes = SIZE_MAX, .now_ns = 1'000 * HTTP2_MS};
    bench->config = (struct ax_http2_session_config){.header_ms = 1'000,
                                                     .body_ms = 2'000,
                                                     .write_ms = 3'000,
                                                     .linger_ms = 400,
                                                     .idle_ms = 10'000,
                                                     .ping_ms = 500,
                                                     .ping_gap_ms = 60'000,
                                                     .streams_max = 20,
                                                     .window_bytes = 65'535,
                                                     .pending_bytes_max = 1 << 20,
                                                     .bodies_bytes_max = 1 << 20};
    ax_clock_fake(bench->now_ns, bench->now_ns);
    ax_exchange_pool_init(&bench->pool, &config, service, &home);
    http2_client_open(&bench->client, 65'535);
    bench->session =
        ax_http2_session_new(&bench->pool, &bench->config, &peer, transport, bench->now_ns);
    return bench->session != NULL;
}

static inline void
http2_bench_close(struct http2_bench *bench)
{
    if (bench->session)
        ax_session_close(bench->session);
    ax_exchange_pool_done(&bench->pool);
    http2_client_close(&bench->client);
}

static inline size_t
http2_bench_piece(struct http2_bench *bench, size_t len)
{
    if (bench->piece_bytes == SIZE_MAX)
        return len;
    bench->seed = bench->seed * 1664525 + 1013904223;
    size_t piece = 1 + (bench->seed >> 8) % bench->piece_bytes;
    return piece < len ? piece : len;
}

/* Raw bytes to the session. */
static inline void
http2_bench_receive(struct http2_bench *bench, ax_str bytes)
{
    while (bytes.len > 0 && ax_session_wants(bench->session).read) {
        size_t len = http2_bench_piece(bench, bytes.len);
        ax_session_receive(bench->session, (ax_str){bytes.at, len}, bench->now_ns);
        bytes = ax_str_from(bytes, len);
    }
}

/* What the session has to say to the client; whether there was something. */
static inline bool
http2_bench_send(struct http2_bench *bench)
{
    struct iovec pieces[AX_SESSION_IOV_MAX];
    bool any = false;
    for (; ax_session_output(bench->session, pieces) > 0; any = true) {
        size_t len = http2_bench_piece(bench, pieces[0].iov_len);
        ssize_t taken = nghttp2_session_mem_recv(bench->client.session, pieces[0].iov_base, len);
        AX_ASSERT(taken == (ssize_t)len);
        ax_session_sent(bench->session, len, bench->now_ns);
    }
    return any;
}

/* To and fro until both are silent. */
static inline void
http2_bench_pump(struct http2_bench *bench)
{
    for (bool any = true; any;) {
        const uint8_t *bytes;
        ssize_t len = nghttp2_session_mem_send(bench->client.session, &bytes);
        AX_ASSERT(len >= 0);
        if (len > 0)
            http2_bench_receive(bench, (ax_str){(const char *)bytes, (size_t)len});
        any = http2_bench_send(bench) || len > 0;
    }
}

static inline void
http2_bench_finish_held(struct http2_bench *bench)
{
    while (bench->held_count > 0) {
        bench->seed = bench->seed * 1664525 + 1013904223;
        size_t at = (bench->seed >> 16) % bench->held_count;
        struct ax_exchange *exchange = bench->held[at];
        bench->held[at] = bench->held[--bench->held_count];
        http2_bench_answer(exchange);
    }
}
