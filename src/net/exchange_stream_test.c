#include "harness.h"
#include "net/http2_bench_test.h"
#include "net/loopback_test.h"
#include "sys/workers.h"

#define NONE ((ax_str){})

/* ---- on the bench: one thread ---- */

static struct http2_bench bench;
static struct ax_exchange *kept;
static size_t take_bytes; /* of the body, in one step */
static int steps, ends, cancels;
static bool keep; /* the next step's exchange is kept */
static int64_t head_deadline_ns;

/* Echoes take_bytes of the body in each step; ends with a trailer when the client does. */
static void
echo_step(void *arg, struct ax_exchange *exchange)
{
    ax_str body = ax_exchange_request(exchange)->body;
    size_t taken = body.len < take_bytes ? body.len : take_bytes;
    (void)arg;
    steps++;
    if (keep) {
        keep = false;
        kept = exchange;
        return;
    }
    ax_writer_bytes(ax_exchange_body(exchange), (ax_str){body.at, taken});
    if (ax_exchange_ended(exchange) && taken == body.len) {
        ends++;
        ax_exchange_trailer(exchange, AX_STR("x-steps"), AX_STR("done"));
        ax_exchange_finish(exchange);
        return;
    }
    ax_exchange_next(exchange, taken);
}

static void
stream_cancelled(void *arg, struct ax_exchange *exchange)
{
    (void)arg;
    cancels++;
    ax_exchange_finish(exchange);
}

static void
stream_head(void *arg, struct ax_exchange *exchange, struct ax_http_limits *limits)
{
    (void)arg;
    limits->body_bytes_max = 1'000;
    if (head_deadline_ns)
        ax_exchange_ctx(exchange)->deadline_ns = head_deadline_ns;
    CHECK(ax_exchange_stream(exchange, echo_step));
}

static void
stream_handler(void *arg, struct ax_exchange *exchange)
{
    (void)arg;
    (void)exchange;
    CHECK(false); /* it has become a stream */
}

static void
stream_open(size_t take)
{
    struct ax_exchange_service service = http2_bench_service(&bench);
    service.head = stream_head;
    service.handler = stream_handler;
    steps = ends = cancels = 0;
    take_bytes = take;
    keep = false;
    REQUIRE(http2_bench_open(&bench, &service));
}

static struct http2_reply *
reply_to(int32_t id)
{
    return http2_reply_of(&bench.client, id);
}

TEST(a_stream_answers_while_it_is_being_asked)
{
    stream_open(SIZE_MAX);
    int32_t id = http2_client_ask(&bench.client, "POST", "/", "", NONE, true);
    http2_bench_pump(&bench);
    CHECK_EQ(steps, 0);
    CHECK_EQ(reply_to(id)->status, 0);
    for (int i = 1; i <= 3; i++) {
        http2_client_more(&bench.client, id, AX_STR("abc"), true);
        http2_bench_pump(&bench);
        CHECK_EQ(steps, i);
        CHECK_EQ(reply_to(id)->status, 200);
        CHECK_EQ(reply_to(id)->body.len, 3 * i);
    }
    http2_client_more(&bench.client, id, AX_STR(""), false);
    http2_bench_pump(&bench);
    CHECK(ends == 1 && reply_to(id)->closed && reply_to(id)->error_code == 0);
    CHECK_STR(ax_writer_str(&reply_to(id)->body), "abcabcabc");
    CHECK(strcmp(reply_to(id)->trailers, "x-steps: done\n") == 0);
    CHECK_EQ(bench.answered, 1);
    http2_bench_close(&bench);
}

TEST(a_stream_is_stepped_until_it_takes_no_more)
{
    static char text[50'000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    for (size_t take = 1; take < 2'000; take = take * 3 + 1) {
        stream_open(take);
        bench.piece_bytes = take % 2 ? SIZE_MAX : 700;
        int32_t id =
            http2_client_ask(&bench.client, "POST", "/", "", (ax_str){text, sizeof text}, false);
        http2_bench_pump(&bench);
        CHECK(ends == 1 && reply_to(id)->closed && reply_to(id)->error_code == 0);
        CHECK(ax_str_eq(ax_writer_str(&reply_to(id)->body), (ax_str){text, sizeof text}));
        http2_bench_close(&bench);
    }
}

TEST(a_client_of_a_held_stream_may_send_no_more_than_a_window)
{
    static char text[200'000];
    stream_open(SIZE_MAX);
    keep = true;
    int32_t id =
        http2_client_ask(&bench.client, "POST", "/", "", (ax_str){text, sizeof text}, false);
    http2_bench_pump(&bench);
    CHECK_EQ(steps, 1);
    size_t seen = ax_exchange_request(kept)->body.len;
    CHECK(seen > 0 && seen < 65'535);
    size_t left = reply_to(id)->upload.len;
    CHECK(left >= sizeof text - 2 * 65'535 - 16'384 && left <= sizeof text - 65'535);
    ax_writer_text(ax_exchange_body(kept), "!");
    ax_exchange_next(kept, seen);
    http2_bench_pump(&bench);
    CHECK(ends == 1 && reply_to(id)->closed);
    CHECK_EQ(reply_to(id)->body.len, 1 + sizeof text - seen);
    http2_bench_close(&bench);
}

TEST(a_holder_may_send_as_often_as_it_likes_and_its_head_first)
{
    stream_open(SIZE_MAX);
    keep = true;
    int32_t id = http2_client_ask(&bench.client, "POST", "/", "", AX_STR("x"), false);
    http2_bench_pump(&bench);
    ax_exchange_set_status(kept, 201);
    ax_exchange_header(kept, AX_STR("X-A"), AX_STR("b"));
    ax_exchange_send(kept);
    http2_bench_pump(&bench);
    CHECK(reply_to(id)->status == 201 && strstr(reply_to(id)->head, "x-a: b\n"));
    for (int i = 0; i < 5; i++) {
        ax_writer_text(ax_exchange_body(kept), "ab");
        ax_exchange_send(kept);
        http2_bench_pump(&bench);
        CHECK_EQ(reply_to(id)->body.len, 2 * (i + 1));
    }
    ax_writer_text(ax_exchange_body(kept), "end");
    ax_exchange_finish(kept);
    http2_bench_pump(&bench);
    CHECK(reply_to(id)->closed && bench.answered == 1);
    CHECK_STR(ax_writer_str(&reply_to(id)->body), "abababababend");
    http2_bench_close(&bench);
}

TEST(a_stream_is_not_stepped_while_too_much_is_unsent)
{
    stream_open(SIZE_MAX);
    http2_client_close(&bench.client);
    http2_client_open(&bench.client, 0);
    keep = true;
    int32_t id = http2_client_ask(&bench.client, "POST", "/", "", AX_STR("a"), true);
    http2_bench_pump(&bench);
    ax_writer_room(ax_exchange_body(kept), (1 << 20) + 1);
    ax_exchange_next(kept, 1);
    http2_client_more(&bench.client, id, AX_STR("b"), true);
    http2_bench_pump(&bench);
    CHECK_EQ(steps, 1);
    nghttp2_submit_window_update(bench.client.session, NGHTTP2_FLAG_NONE, id, 2 << 20);
    nghttp2_submit_window_update(bench.client.session, NGHTTP2_FLAG_NONE, 0, 2 << 20);
    http2_bench_pump(&bench);
    CHECK_EQ(steps, 2);
    CHECK_EQ(reply_to(id)->body.len, (1 << 20) + 2);
    http2_bench_close(&bench);
}

TEST(a_stream_that_ends_early_tells_its_holder_or_nobody)
{
    stream_open(SIZE_MAX);
    int32_t idle = http2_client_ask(&bench.client, "POST", "/", "", AX_STR("a"), true);
    http2_bench_pump(&bench);
    nghttp2_submit_rst_stream(bench.client.session, NGHTTP2_FLAG_NONE, idle, NGHTTP2_CANCEL);
    http2_bench_pump(&bench);
    CHECK_EQ(bench.answered, 1);

    /* Held: nobody is waiting for what the holder does then. */
    for (int how = 0; how < 4; how++) {
        keep = true;
        int32_t id = http2_client_ask(&bench.client, "POST", "/", "", AX_STR("a"), true);
        http2_bench_pump(&bench);
        if (how == 3)
            ax_exchange_on_cancel(kept, stream_cancelled);
        nghttp2_submit_rst_stream(bench.client.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
        http2_bench_pump(&bench);
        CHECK_EQ(bench.answered, how == 3 ? 5 : 1 + how);
        if (how == 0)
            ax_exchange_send(kept);
        if (how < 2)
            ax_exchange_finish(kept);
        else if (how == 2)
            ax_exchange_next(kept, 1);
        CHECK_EQ(bench.answered, 2 + how);
    }
    CHECK_EQ(cancels, 1);
    http2_bench_close(&bench);
}

TEST(streams_outlive_their_connection)
{
    for (int how = 0; how < 3; how++) {
        stream_open(SIZE_MAX);
        keep = true;
        http2_client_ask(&bench.client, "POST", "/", "", AX_STR("a"), true);
        http2_client_ask(&bench.client, "POST", "/", "", AX_STR("b"), true); /* idle */
        http2_bench_pump(&bench);
        if (how == 2)
            ax_exchange_on_cancel(kept, stream_cancelled);
        ax_session_close(bench.session);
        bench.session = NULL;
        if (how == 0) {
            ax_exchange_send(kept);
            ax_exchange_finish(kept);
        } else if (how == 1) {
            ax_exchange_next(kept, 1);
        }
        CHECK_EQ(bench.answered, 2);
        http2_bench_close(&bench);
    }
    CHECK_EQ(cancels, 1);
}

TEST(a_stream_ends_at_the_deadline_that_its_head_was_given)
{
    for (int timed = 0; timed < 2; timed++) {
        stream_open(SIZE_MAX);
        head_deadline_ns = timed ? bench.now_ns + 700 * HTTP2_MS : INT64_MAX;
        int32_t id = http2_client_ask(&bench.client, "POST", "/", "", AX_STR("a"), true);
        http2_bench_pump(&bench);
        CHECK_EQ((ax_session_wants(bench.session).deadline_ns - bench.now_ns) / HTTP2_MS,
                 timed ? 700 : 10'000); /* without one, only the client's silence is looked at */
        bench.now_ns = ax_session_wants(bench.session).deadline_ns;
        CHECK(!ax_session_expire(bench.session, bench.now_ns));
        http2_bench_pump(&bench);
        CHECK_EQ(reply_to(id)->closed, timed);
        CHECK_EQ(reply_to(id)->error_code, timed ? NGHTTP2_CANCEL : 0);
        CHECK_EQ(bench.answered, timed);
        http2_bench_close(&bench);
    }
    head_deadline_ns = 0;
}

/* ---- over a socket: answers from other threads ---- */

enum { ROUNDS = 200 };

static void
stream_worker(void *arg)
{
    struct ax_exchange *exchange = arg;
    ax_str body = ax_exchange_request(exchange)->body;
    bool ended = ax_exchange_ended(exchange);
    for (size_t i = 0; i < body.len; i++) {
        ax_writer_bytes(ax_exchange_body(exchange), (ax_str){body.at + i, 1});
        if (i % 3 == 0)
            ax_exchange_send(exchange);
    }
    if (!ended) {
        ax_exchange_next(exchange, body.len);
        return;
    }
    ax_exchange_trailer(exchange, AX_STR("x-end"), AX_STR("1"));
    ax_exchange_finish(exchange);
}

static struct ax_workers *workers;

static void
threads_step(void *arg, struct ax_exchange *exchange)
{
    (void)arg;
    if (!ax_workers_submit(workers, stream_worker, exchange))
        ax_exchange_finish(exchange);
}

static void
threads_head(void *arg, struct ax_exchange *exchange, struct ax_http_limits *limits)
{
    (void)arg;
    (void)limits;
    if (ax_exchange_request(exchange)->major < 2)
        CHECK(!ax_exchange_stream(exchange, threads_step));
    else
        CHECK(ax_exchange_stream(exchange, threads_step));
}

/* What nghttp2's client has to say goes out, what comes goes in, until the reply is closed. */
static void
socket_pump(struct http2_client *client, struct loopback_client *end, int32_t id, size_t body_len)
{
    const struct http2_reply *reply = http2_reply_of(client, id);
    for (;;) {
        const uint8_t *bytes;
        for (ssize_t len; (len = nghttp2_session_mem_send(client->session, &bytes)) > 0;)
            REQUIRE(loopback_send(end, (ax_str){(const char *)bytes, (size_t)len}));
        if (reply->closed || reply->body.len >= body_len)
            return;
        REQUIRE(loopback_more(end) == 1);
        ssize_t taken =
            nghttp2_session_mem_recv(client->session, (const uint8_t *)end->bytes, end->len);
        REQUIRE(taken == (ssize_t)end->len);
        loopback_drop(end, end->len);
    }
}

TEST(streams_are_answered_from_other_threads)
{
    static struct http2_client client;
    static struct loopback_client end;
    static char text[ROUNDS * 100];
    struct loopback server;
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = loopback_echo, .head = threads_head};
    loopback_open(&server, &config, &service);
    CHECK_EQ(ax_workers_open(&server.ctx, 3, 64, &workers), AX_OK);
    http2_client_open(&client, 65'535);
    loopback_connect(&end, server.port);
    int32_t id = http2_client_ask(&client, "POST", "/", "", NONE, true);
    size_t sent = 0;
    for (int i = 0; i < ROUNDS; i++) {
        size_t len = (size_t)(1 + i % 100);
        for (size_t j = 0; j < len; j++)
            text[sent + j] = (char)('a' + (sent + j) % 26);
        http2_client_more(&client, id, (ax_str){text + sent, len}, true);
        sent += len;
        socket_pump(&client, &end, id, i % 2 ? sent : 0);
    }
    http2_client_more(&client, id, AX_STR(""), false);
    socket_pump(&client, &end, id, SIZE_MAX);
    const struct http2_reply *reply = http2_reply_of(&client, id);
    CHECK(reply->closed && reply->error_code == 0 && strstr(reply->trailers, "x-end: 1"));
    CHECK(ax_str_eq(ax_writer_str(&reply->body), (ax_str){text, sent}));
    CHECK_EQ(loopback_ask(server.port, AX_STR(LOOPBACK_GET)), 200); /* HTTP/1 has no streams */

    http2_client_ask(&client, "POST", "/", "", AX_STR("abcdefghi"), true);
    const uint8_t *bytes;
    for (ssize_t len; (len = nghttp2_session_mem_send(client.session, &bytes)) > 0;)
        CHECK(loopback_send(&end, (ax_str){(const char *)bytes, (size_t)len}));
    close(end.fd); /* in the middle of it */
    http2_client_close(&client);
    loopback_close(&server);
    ax_workers_close(workers);
}

/* ---- over a socket: HTTP/2 by its first bytes, answers finished on other threads ---- */

static void
late_worker(void *arg)
{
    struct ax_exchange *exchange = arg;
    ax_exchange_answer(exchange, 200, AX_STR("text/plain"), ax_exchange_request(exchange)->body);
}

static void
late_handler(void *arg, struct ax_exchange *exchange)
{
    (void)arg;
    if (!ax_workers_submit(workers, late_worker, exchange))
        ax_exchange_answer(exchange, 503, AX_STR("text/plain"), AX_STR(""));
}

TEST(http2_requests_are_answered_from_other_threads_however_the_preface_comes)
{
    static struct http2_client client;
    static struct loopback_client end;
    struct loopback server;
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = late_handler};
    loopback_open(&server, &config, &service);
    CHECK_EQ(ax_workers_open(&server.ctx, 3, 64, &workers), AX_OK);
    for (size_t piece = 1; piece < 40; piece += 11) {
        http2_client_open(&client, 65'535);
        loopback_connect(&end, server.port);
        int32_t ids[20];
        for (size_t i = 0; i < AX_COUNT_OF(ids); i++)
            ids[i] = http2_client_ask(&client, "POST", "/", "", AX_STR("hello"), false);
        const uint8_t *bytes;
        size_t begin = 0;
        for (ssize_t len; (len = nghttp2_session_mem_send(client.session, &bytes)) > 0;) {
            for (ssize_t at = 0; at < len; at += (ssize_t)piece, begin += piece) {
                size_t left = (size_t)(len - at);
                if (begin < 60) /* each a packet of its own */
                    ax_clock_sleep_ms(2);
                CHECK(loopback_send(
                    &end, (ax_str){(const char *)bytes + at, left < piece ? left : piece}));
            }
        }
        for (size_t i = 0; i < AX_COUNT_OF(ids); i++) {
            socket_pump(&client, &end, ids[i], SIZE_MAX);
            CHECK_EQ(http2_reply_of(&client, ids[i])->status, 200);
            CHECK_STR(ax_writer_str(&http2_reply_of(&client, ids[i])->body), "hello");
        }
        close(end.fd);
        http2_client_close(&client);
    }
    loopback_close(&server);
    ax_workers_close(workers);
}

TEST(http2_connections_end_in_order_when_the_loops_drain)
{
    static struct http2_client client;
    static struct loopback_client end;
    struct loopback server;
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = loopback_echo};
    loopback_open(&server, &config, &service);
    http2_client_open(&client, 65'535);
    loopback_connect(&end, server.port);
    int32_t id = http2_client_ask(&client, "GET", "/", "", NONE, false);
    socket_pump(&client, &end, id, SIZE_MAX);
    CHECK_EQ(http2_reply_of(&client, id)->status, 200);
    CHECK(ax_loops_drain(server.loops, ax_clock_monotonic_ns() + 5'000 * HTTP2_MS));
    while (loopback_more(&end) > 0)
        ;
    nghttp2_session_mem_recv(client.session, (const uint8_t *)end.bytes, end.len);
    CHECK_EQ(client.goaway_count, 2);
    CHECK_EQ(client.goaway_code, NGHTTP2_NO_ERROR);
    CHECK_EQ(client.goaway_last_id, id);
    close(end.fd);
    http2_client_close(&client);
    loopback_close(&server);
}
