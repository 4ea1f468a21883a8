#include "net/http2_session.h"

#include "harness.h"
#include "net/http2_bench_test.h"

#define NONE ((ax_str){})

static struct http2_bench bench;

static void
open_bench(void)
{
    struct ax_exchange_service service = http2_bench_service(&bench);
    REQUIRE(http2_bench_open(&bench, &service));
}

static struct http2_reply *
reply_to(int32_t id)
{
    return http2_reply_of(&bench.client, id);
}

static bool
has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* ---- requests and answers ---- */

static char long_text[300'000];

static const struct {
    const char *method, *path, *fields;
    ax_str body;
    int status;
    const char *head; /* to be found */
    ax_str want;
} exchanges[] = {
    {"GET", "/1", "", NONE, 200, "x-path: /", AX_STR("")},
    {"POST", "/2", "", AX_STR("hello"), 200, "x-path: /2\n", AX_STR("hello")},
    {"POST", "/3", "content-length: 5\n", AX_STR("hello"), 200, "content-length: 5\n",
     AX_STR("hello")},
    {"POST", "/4", "", AX_STR(""), 200, "x-path: /", AX_STR("")},
    {"HEAD", "/large/77", "", NONE, 200, "content-length: 77\n", AX_STR("")},
    {"GET", "/none", "", NONE, 404, "content-type: text/plain\n", AX_STR("none")},
    {"POST", "/none", "", {long_text, 100'000}, 404, "", AX_STR("none")},
    {"POST", "/5", "", {long_text, sizeof long_text}, 200, "", {long_text, sizeof long_text}},
    {"POST", "/small", "", AX_STR("abc"), 200, "", AX_STR("abc")},
    {"POST", "/small", "", AX_STR("abcd"), 413, "", AX_STR("")},
    {"POST", "/small", "content-length: 4\n", AX_STR("abcd"), 413, "", AX_STR("")},
    {"POST", "/trailers", "", AX_STR("hello"), 200, "date: ", AX_STR("hello")},
    {"GET", "/trailers", "", NONE, 200, "x-path: ", AX_STR("")},
    {"GET", "/a#b", "", NONE, 400, "", AX_STR("")},
    {"OPTIONS", "*", "", NONE, 200, "x-path: *\n", AX_STR("")},
    {"POST", "/6", "content-encoding: br\n", AX_STR("x"), 415, "accept-encoding: gzip", AX_STR("")},
    {"POST", "/6", "content-encoding: gzip\n", AX_STR("x"), 400, "", AX_STR("")},
    {"POST", "/6", "content-encoding: gzip\n",
     AX_STR("\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0"),
     200, "", AX_STR("hello")},
    {"POST", "/6", "content-encoding: gzip\n",
     AX_STR("\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36"), 400, "",
     AX_STR("")},
};

static void
check_reply(size_t i, const struct http2_reply *reply)
{
    bool trailers = ax_str_eq(ax_str_of(exchanges[i].path), AX_STR("/trailers"));
    bool body_ok = exchanges[i].status == 200 || exchanges[i].want.len > 0
                       ? ax_str_eq(ax_writer_str(&reply->body), exchanges[i].want)
                       : ax_str_starts(ax_writer_str(&reply->body), AX_STR("{\"error\":"));
    if (reply->status != exchanges[i].status || !has(reply->head, exchanges[i].head) || !body_ok ||
        !reply->closed || reply->error_code != NGHTTP2_NO_ERROR)
        ax_test_failed(__FILE__, __LINE__, "exchange %zu: %d, %zu bytes, code %u\n%s", i,
                       reply->status, reply->body.len, reply->error_code, reply->head);
    if (trailers != has(reply->trailers, "x-after: all\nx-sum: 1\n"))
        ax_test_failed(__FILE__, __LINE__, "exchange %zu: trailers %s", i, reply->trailers);
}

static void
check_all(size_t piece_bytes, bool hold, uint32_t seed)
{
    int32_t ids[AX_COUNT_OF(exchanges)];
    open_bench();
    bench.piece_bytes = piece_bytes;
    bench.hold = hold;
    bench.seed = seed;
    for (size_t i = 0; i < AX_COUNT_OF(exchanges); i++)
        ids[i] = http2_client_ask(&bench.client, exchanges[i].method, exchanges[i].path,
                                  exchanges[i].fields, exchanges[i].body, false);
    http2_bench_pump(&bench);
    while (bench.held_count > 0) {
        http2_bench_finish_held(&bench);
        http2_bench_pump(&bench);
    }
    for (size_t i = 0; i < AX_COUNT_OF(exchanges); i++)
        check_reply(i, reply_to(ids[i]));
    CHECK_EQ(bench.answered, AX_COUNT_OF(exchanges));
    CHECK_EQ(bench.client.goaway_count, 0);
    CHECK(ax_session_wants(bench.session).read && !ax_session_wants(bench.session).close);
    http2_bench_close(&bench);
}

TEST(http2_answers_streams_at_once_late_and_in_pieces)
{
    memset(long_text, 'y', sizeof long_text);
    check_all(SIZE_MAX, false, 1);
    check_all(SIZE_MAX, true, 1);
    for (uint32_t seed = 1; seed < 6; seed++)
        check_all(1 + seed * 7, seed % 2, seed);
}

TEST(http2_heads_are_bounded_in_bytes_and_in_headers)
{
    static char fields[20'000];
    open_bench();
    size_t len = 0;
    for (int i = 0; i < 20; i++)
        len += (size_t)snprintf(fields + len, sizeof fields - len, "x-%d: %0500d\n", i, 0);
    int32_t large = http2_client_ask(&bench.client, "GET", "/", fields, NONE, false);
    len = 0;
    for (int i = 0; i < 200; i++)
        len += (size_t)snprintf(fields + len, sizeof fields - len, "x%d: b\n", i);
    int32_t many = http2_client_ask(&bench.client, "GET", "/", fields, NONE, false);
    int32_t fine = http2_client_ask(&bench.client, "GET", "/", "x: y\n", NONE, false);
    http2_bench_pump(&bench);
    CHECK_EQ(reply_to(large)->status, 431);
    CHECK_EQ(reply_to(many)->status, 431);
    CHECK_EQ(reply_to(fine)->status, 200);
    CHECK_EQ(bench.handled, 1);
    http2_bench_close(&bench);
}

TEST(http2_says_continue_to_a_client_that_waits_for_it)
{
    open_bench();
    int32_t id = http2_client_ask(&bench.client, "POST", "/", "expect: 100-continue\n", NONE, true);
    http2_bench_pump(&bench);
    CHECK(reply_to(id)->interim && bench.handled == 0);
    http2_client_more(&bench.client, id, AX_STR("abc"), false);
    http2_bench_pump(&bench);
    CHECK_EQ(reply_to(id)->status, 200);
    CHECK_STR(ax_writer_str(&reply_to(id)->body), "abc");
    http2_bench_close(&bench);
}

TEST(http2_ends_a_connection_when_the_service_asks_for_it)
{
    open_bench();
    int32_t id = http2_client_ask(&bench.client, "GET", "/close", "", NONE, false);
    http2_bench_pump(&bench);
    CHECK_EQ(reply_to(id)->status, 200);
    CHECK_EQ(bench.client.goaway_count, 1);
    CHECK_EQ(bench.client.goaway_code, NGHTTP2_NO_ERROR);
    CHECK(ax_session_wants(bench.session).linger);
    http2_bench_close(&bench);
}

/* What it still sends must not be answered with a reset of the connection. */
TEST(http2_a_client_that_says_goaway_may_send_on_until_it_closes)
{
    open_bench();
    http2_bench_pump(&bench);
    nghttp2_submit_goaway(bench.client.session, NGHTTP2_FLAG_NONE, 0, 0xff, NULL, 0);
    http2_bench_pump(&bench);
    CHECK(ax_session_wants(bench.session).linger && !ax_session_wants(bench.session).close);
    ax_session_end(bench.session);
    CHECK(ax_session_wants(bench.session).close && !ax_session_wants(bench.session).linger);
    http2_bench_close(&bench);
}

/* ---- what a client may not make the server hold or do ---- */

TEST(http2_streams_over_the_limit_are_refused_for_another_try)
{
    open_bench();
    bench.hold = true;
    for (int i = 0; i < 20; i++)
        http2_client_ask(&bench.client, "GET", "/", "", NONE, false);
    http2_bench_pump(&bench);
    CHECK_EQ(bench.handled, 20);
    for (int i = 0; i < 20; i++) /* reset, and still worked on */
        nghttp2_submit_rst_stream(bench.client.session, NGHTTP2_FLAG_NONE, 1 + 2 * i,
                                  NGHTTP2_CANCEL);
    http2_bench_pump(&bench);
    CHECK(ax_exchange_cancelled(bench.held[0]) && ax_exchange_cancelled(bench.held[19]));
    CHECK_EQ(bench.answered, 0);
    int32_t last = 0;
    for (int i = 0; i < 20; i++)
        http2_client_ask(&bench.client, "GET", "/", "", NONE, false);
    http2_bench_pump(&bench);
    CHECK_EQ(bench.handled, 40);
    for (int i = 20; i < 40; i++)
        nghttp2_submit_rst_stream(bench.client.session, NGHTTP2_FLAG_NONE, 1 + 2 * i,
                                  NGHTTP2_CANCEL);
    last = http2_client_ask(&bench.client, "GET", "/", "", NONE, false);
    http2_bench_pump(&bench);
    CHECK_EQ(bench.handled, 40);
    CHECK_EQ(reply_to(last)->error_code, NGHTTP2_REFUSED_STREAM);
    http2_bench_finish_held(&bench);
    CHECK_EQ(bench.answered, 40);
    last = http2_client_ask(&bench.client, "GET", "/", "", NONE, false);
    http2_bench_pump(&bench);
    http2_bench_finish_held(&bench);
    http2_bench_pump(&bench);
    CHECK_EQ(reply_to(last)->status, 200);
    http2_bench_close(&bench);
}

TEST(http2_bodies_of_many_streams_are_bounded_together)
{
    static char body[400'000];
    int32_t ids[3];
    int refused = 0;
    open_bench();
    for (size_t i = 0; i < AX_COUNT_OF(ids); i++)
        ids[i] =
            http2_client_ask(&bench.client, "POST", "/", "", (ax_str){body, sizeof body}, true);
    http2_bench_pump(&bench);
    for (size_t i = 0; i < AX_COUNT_OF(ids); i++)
        refused +=
            reply_to(ids[i])->closed && reply_to(ids[i])->error_code == NGHTTP2_REFUSED_STREAM;
    CHECK_EQ(refused, 1);
    for (size_t i = 0; i < AX_COUNT_OF(ids); i++)
        if (!reply_to(ids[i])->closed)
            http2_client_more(&bench.client, ids[i], AX_STR("."), false);
    http2_bench_pump(&bench);
    CHECK_EQ(bench.handled, 2);
    int32_t alone =
        http2_client_ask(&bench.client, "POST", "/", "", (ax_str){body, sizeof body}, false);
    http2_bench_pump(&bench);
    CHECK_EQ(reply_to(alone)->status, 200);
    http2_bench_close(&bench);
}

TEST(http2_requests_wait_while_too_much_is_unsent)
{
    open_bench();
    int32_t large = http2_client_ask(&bench.client, "GET", "/large/2000000", "", NONE, false);
    int32_t next = http2_client_ask(&bench.client, "GET", "/large/5", "", NONE, false);
    const uint8_t *bytes;
    for (ssize_t len; (len = nghttp2_session_mem_send(bench.client.session, &bytes)) > 0;)
        http2_bench_receive(&bench, (ax_str){(const char *)bytes, (size_t)len});
    CHECK_EQ(bench.handled, 1);
    http2_bench_pump(&bench);
    CHECK_EQ(bench.handled, 2);
    CHECK_EQ(reply_to(large)->body.len, 2'000'000);
    CHECK_EQ(reply_to(next)->body.len, 5);

    http2_client_ask(&bench.client, "GET", "/large/2000000", "", NONE, false);
    next = http2_client_ask(&bench.client, "GET", "/large/5", "", NONE, false);
    nghttp2_submit_rst_stream(bench.client.session, NGHTTP2_FLAG_NONE, next, NGHTTP2_CANCEL);
    http2_bench_pump(&bench);
    CHECK_EQ(reply_to(next)->status, 0); /* it went while it waited */
    http2_bench_close(&bench);
}

/* The session's answer to raw frames behind the client's preface: the code of its GOAWAY, or -1. */
static int64_t
goaway_for(ax_str frames, size_t times)
{
    struct iovec piece[AX_SESSION_IOV_MAX];
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    int64_t code = -1;
    open_bench();
    http2_bench_pump(&bench);
    for (size_t i = 0; i < times; i++) {
        http2_bench_receive(&bench, frames);
        while ((i % 100 == 99 || i + 1 == times) && ax_session_output(bench.session, piece) > 0) {
            ax_writer_bytes(&out, (ax_str){piece[0].iov_base, piece[0].iov_len});
            ax_session_sent(bench.session, piece[0].iov_len, bench.now_ns);
        }
    }
    for (size_t at = 0; at + 17 <= out.len;) {
        const unsigned char *frame = (const unsigned char *)out.at + at;
        if (frame[3] == NGHTTP2_GOAWAY)
            code = frame[16];
        at += 9 + (size_t)frame[1] * 256 + frame[2];
    }
    if (code >= 0)
        CHECK(ax_session_wants(bench.session).linger && !ax_session_wants(bench.session).read);
    http2_bench_close(&bench);
    return code;
}

/* HEADERS of stream 1: GET / http a, without END_HEADERS when flags say so. */
#define GET_OF_1(flags) "\0\0\6\1" flags "\0\0\0\1\x82\x84\x86\x41\1a"

/* ---- several sessions of one loop ---- */

/* One step of a session: what its client has to say, then one piece of what it answers. */
static bool
step_of(struct http2_bench *at)
{
    const uint8_t *bytes;
    struct iovec pieces[AX_SESSION_IOV_MAX];
    ssize_t len = nghttp2_session_mem_send(at->client.session, &bytes);
    if (len > 0)
        http2_bench_receive(at, (ax_str){(const char *)bytes, (size_t)len});
    if (ax_session_output(at->session, pieces) == 0)
        return len > 0;
    size_t piece = http2_bench_piece(at, pieces[0].iov_len);
    CHECK(nghttp2_session_mem_recv(at->client.session, pieces[0].iov_base, piece) ==
          (ssize_t)piece);
    ax_session_sent(at->session, piece, at->now_ns);
    return true;
}

/* They share memory: what one sends in pieces is not what another builds in between. */
TEST(http2_sessions_of_one_loop_send_each_its_own)
{
    enum { SESSIONS = 3, STREAMS = 4, BODY_BYTES = 150'000 };
    static struct http2_bench others[SESSIONS - 1];
    static char bodies[SESSIONS][BODY_BYTES];
    struct http2_bench *all[SESSIONS] = {&bench, &others[0], &others[1]};
    const struct ax_session_peer peer = {.address = "127.0.0.1", .listener = 3};
    open_bench();
    for (size_t s = 1; s < SESSIONS; s++) {
        *all[s] = (struct http2_bench){.config = bench.config, .now_ns = bench.now_ns};
        http2_client_open(&all[s]->client, 65'535);
        all[s]->session = ax_http2_session_new(
            &bench.pool, &bench.config, &peer,
            (struct ax_session_transport){.arg = all[s], .ready = http2_bench_ready}, bench.now_ns);
        REQUIRE(all[s]->session != NULL);
    }
    for (size_t s = 0; s < SESSIONS; s++) {
        memset(bodies[s], 'a' + (int)s, BODY_BYTES);
        all[s]->piece_bytes = 9'000;
        all[s]->seed = (uint32_t)s;
        for (int i = 0; i < STREAMS; i++)
            http2_client_ask(&all[s]->client, "POST", "/1", "", (ax_str){bodies[s], BODY_BYTES},
                             false);
    }
    for (bool any = true; any;) {
        any = false;
        for (size_t s = 0; s < SESSIONS; s++)
            any |= step_of(all[s]);
    }
    for (size_t s = 0; s < SESSIONS; s++)
        for (int32_t id = 1; id < 2 * STREAMS; id += 2) {
            const struct http2_reply *reply = http2_reply_of(&all[s]->client, id);
            CHECK(reply->status == 200 && reply->closed);
            CHECK(ax_str_eq(ax_writer_str(&reply->body), (ax_str){bodies[s], BODY_BYTES}));
        }
    for (size_t s = 1; s < SESSIONS; s++) {
        ax_session_close(all[s]->session);
        http2_client_close(&all[s]->client);
    }
    http2_bench_close(&bench);
}

TEST(http2_floods_end_in_enhance_your_calm)
{
    CHECK_EQ(goaway_for(AX_STR("\0\0\x8\6\0\0\0\0\0abcdefgh"), 900), -1);
    CHECK_EQ(goaway_for(AX_STR("\0\0\x8\6\0\0\0\0\0abcdefgh"), 1'100), NGHTTP2_ENHANCE_YOUR_CALM);
    CHECK_EQ(goaway_for(AX_STR("\0\0\0\4\0\0\0\0\0"), 1'100), NGHTTP2_ENHANCE_YOUR_CALM);
    CHECK_EQ(goaway_for(AX_STR("\0\0\5\2\0\0\0\0\3\0\0\0\0\1"), 1'100), NGHTTP2_ENHANCE_YOUR_CALM);
    CHECK_EQ(goaway_for(AX_STR(GET_OF_1("\4") "\0\0\0\0\0\0\0\0\1"), 1), -1);

    ax_writer_auto struct ax_writer empty = ax_writer_of(1 << 20), more = ax_writer_of(1 << 20);
    ax_writer_bytes(&empty, AX_STR(GET_OF_1("\4")));
    for (int i = 0; i < 1'100; i++)
        ax_writer_bytes(&empty, AX_STR("\0\0\0\0\0\0\0\0\1"));
    CHECK_EQ(goaway_for(ax_writer_str(&empty), 1), NGHTTP2_ENHANCE_YOUR_CALM);
    ax_writer_bytes(&more, AX_STR(GET_OF_1("\0")));
    for (int i = 0; i < 100; i++)
        ax_writer_bytes(&more, AX_STR("\0\0\0\x9\0\0\0\0\1"));
    CHECK_EQ(goaway_for(ax_writer_str(&more), 1), NGHTTP2_ENHANCE_YOUR_CALM);
}

TEST(http2_rapid_resets_end_in_enhance_your_calm)
{
    for (int per_second = 40; per_second <= 400; per_second += 360) {
        open_bench();
        for (int i = 0; i < 450 && bench.client.goaway_count == 0; i++) {
            int32_t id = http2_client_ask(&bench.client, "POST", "/", "", NONE, true);
            http2_bench_pump(&bench);
            nghttp2_submit_rst_stream(bench.client.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
            http2_bench_pump(&bench);
            bench.now_ns += 1'000 * HTTP2_MS / per_second;
        }
        CHECK_EQ(bench.client.goaway_count, per_second > 50);
        CHECK_EQ(bench.client.goaway_code, per_second > 50 ? NGHTTP2_ENHANCE_YOUR_CALM : 0);
        http2_bench_close(&bench);
    }
}

TEST(http2_a_head_that_unpacks_to_very_much_ends_the_connection)
{
    ax_writer_auto struct ax_writer block = ax_writer_of(1 << 20), bytes = ax_writer_of(1 << 20);
    /* ":method: GET", ":path: /", ":scheme: http", then a long header into the table, and again. */
    ax_writer_bytes(&block, AX_STR("\x82\x84\x86\x41\1a\x40\1x\x7f\x81\x17"));
    for (int i = 0; i < 3'072; i++) /* the length above is 127 + 1 + 23 * 128 */
        ax_writer_char(&block, 'v');
    while (block.len < 16'000)
        ax_writer_char(&block, '\xbe'); /* the youngest entry of the table */
    ax_writer_u8(&bytes, 0);
    ax_writer_u16_be(&bytes, (uint16_t)block.len);
    ax_writer_bytes(&bytes, AX_STR("\1\4\0\0\0\1"));
    ax_writer_bytes(&bytes, ax_writer_str(&block));
    CHECK_EQ(goaway_for(ax_writer_str(&bytes), 1), NGHTTP2_ENHANCE_YOUR_CALM);
}

TEST(http2_wrong_bytes_end_the_connection_with_the_reason)
{
    CHECK_EQ(goaway_for(AX_STR("\0\0\0\1\5\0\0\0\2"), 1), NGHTTP2_PROTOCOL_ERROR);
    CHECK_EQ(goaway_for(AX_STR("\0\0\7\6\0\0\0\0\0abcdefg"), 1), NGHTTP2_FRAME_SIZE_ERROR);
    CHECK_EQ(goaway_for(AX_STR("\0\0\6\1\5\0\0\0\5\x82\x84\x86\x41\1a"
                               "\0\0\6\1\5\0\0\0\3\x82\x84\x86\x41\1a"),
                        1),
             NGHTTP2_PROTOCOL_ERROR); /* a number that was passed over */
    open_bench();
    http2_bench_receive(&bench, AX_STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    http2_bench_send(&bench);
    CHECK_EQ(bench.client.goaway_code, NGHTTP2_PROTOCOL_ERROR);
    http2_bench_close(&bench);
}

/* ---- deadlines ---- */

static bool
expire_in(int64_t ms)
{
    CHECK_EQ((ax_session_wants(bench.session).deadline_ns - bench.now_ns) / HTTP2_MS, ms);
    bench.now_ns = ax_session_wants(bench.session).deadline_ns;
    bool ends = ax_session_expire(bench.session, bench.now_ns);
    http2_bench_pump(&bench);
    return ends;
}

TEST(http2_a_silent_connection_ends_at_its_deadlines)
{
    open_bench();
    CHECK(expire_in(1'000)); /* no preface */
    CHECK(ax_session_wants(bench.session).close);
    http2_bench_close(&bench);

    open_bench();
    http2_bench_pump(&bench);
    bench.now_ns += 1'000 * HTTP2_MS;
    CHECK(expire_in(9'000)); /* no stream */
    CHECK_EQ(bench.client.goaway_count, 1);
    CHECK_EQ(bench.client.goaway_code, NGHTTP2_NO_ERROR);
    CHECK(ax_session_wants(bench.session).linger);
    http2_bench_close(&bench);

    open_bench();
    http2_bench_pump(&bench);
    http2_bench_receive(&bench, AX_STR(GET_OF_1("\0")));
    bench.now_ns += 300 * HTTP2_MS;
    http2_bench_receive(&bench, AX_STR("\0\0\1\x9\0\0\0\0\1\x82"));
    CHECK(expire_in(700)); /* half a head */
    CHECK(ax_session_wants(bench.session).close);
    http2_bench_close(&bench);
}

TEST(http2_a_body_has_an_absolute_deadline_of_its_own)
{
    open_bench();
    int32_t slow = http2_client_ask(&bench.client, "POST", "/", "", NONE, true);
    http2_bench_pump(&bench);
    for (int i = 0; i < 3; i++) {
        bench.now_ns += 500 * HTTP2_MS;
        http2_client_more(&bench.client, slow, AX_STR("x"), true);
        http2_bench_pump(&bench);
    }
    int32_t other = http2_client_ask(&bench.client, "POST", "/", "", NONE, true);
    http2_bench_pump(&bench);
    CHECK(!expire_in(500));
    CHECK_EQ(reply_to(slow)->error_code, NGHTTP2_CANCEL);
    CHECK(reply_to(slow)->closed && !reply_to(other)->closed);
    http2_client_more(&bench.client, other, AX_STR("x"), false);
    http2_bench_pump(&bench);
    CHECK_EQ(reply_to(other)->status, 200);
    http2_bench_close(&bench);
}

TEST(http2_a_reader_that_takes_nothing_is_cut_one_that_takes_some_is_not)
{
    open_bench();
    http2_client_close(&bench.client);
    http2_client_open(&bench.client, 0);
    int32_t id = http2_client_ask(&bench.client, "GET", "/large/100000", "", NONE, false);
    http2_bench_pump(&bench);
    CHECK_EQ(reply_to(id)->status, 200);
    CHECK_EQ(reply_to(id)->body.len, 0);
    nghttp2_submit_window_update(bench.client.session, NGHTTP2_FLAG_NONE, id, 20'000);
    http2_bench_pump(&bench);
    CHECK_EQ(reply_to(id)->body.len, 20'000);
    CHECK(!expire_in(3'000)); /* it has taken enough to go on */
    CHECK(!reply_to(id)->closed);
    nghttp2_submit_window_update(bench.client.session, NGHTTP2_FLAG_NONE, id, 1'000);
    http2_bench_pump(&bench);
    CHECK(!expire_in(3'000));
    CHECK(reply_to(id)->closed);
    CHECK_EQ(reply_to(id)->error_code, NGHTTP2_CANCEL);
    CHECK_EQ(bench.answered, 1);
    http2_bench_close(&bench);
}

TEST(http2_a_client_that_does_not_answer_a_ping_is_cut)
{
    open_bench();
    bench.hold = true;
    http2_client_ask(&bench.client, "GET", "/", "", NONE, false);
    http2_bench_pump(&bench);
    CHECK(!expire_in(10'000));
    CHECK_EQ(bench.client.ping_count, 1);
    CHECK(!expire_in(10'000)); /* the answer was here */
    bench.now_ns = ax_session_wants(bench.session).deadline_ns;
    CHECK(!ax_session_expire(bench.session, bench.now_ns));
    bench.now_ns = ax_session_wants(bench.session).deadline_ns;
    CHECK(ax_session_expire(bench.session, bench.now_ns));
    CHECK(ax_session_wants(bench.session).close);
    ax_session_close(bench.session);
    bench.session = NULL;
    CHECK(ax_exchange_cancelled(bench.held[0]));
    http2_bench_finish_held(&bench);
    CHECK_EQ(bench.answered, 1);
    http2_bench_close(&bench);
}

TEST(http2_the_rest_of_a_needless_body_is_waited_for_a_while)
{
    static char rest[100'000];
    for (int how = 0; how < 3; how++) {
        open_bench();
        int32_t id = http2_client_ask(&bench.client, "POST", "/none", "", AX_STR("ab"), true);
        http2_bench_pump(&bench);
        CHECK(reply_to(id)->status == 404 && !reply_to(id)->closed);
        if (how == 0)
            http2_client_more(&bench.client, id, AX_STR("cd"), false);
        else if (how == 1)
            http2_client_more(&bench.client, id, (ax_str){rest, sizeof rest}, true);
        else
            CHECK(!expire_in(400));
        http2_bench_pump(&bench);
        CHECK(reply_to(id)->closed && reply_to(id)->error_code == NGHTTP2_NO_ERROR);
        CHECK_EQ(bench.answered, 1);
        CHECK(how != 1 || reply_to(id)->upload.len > 0);
        http2_bench_close(&bench);
    }
}

/* ---- ending ---- */

TEST(http2_a_draining_session_says_goaway_twice_and_ends_what_is_under_way)
{
    open_bench();
    bench.hold = true;
    int32_t first = http2_client_ask(&bench.client, "GET", "/1", "", NONE, false);
    http2_bench_pump(&bench);
    ax_session_drain(bench.session, bench.now_ns + 200 * HTTP2_MS);
    http2_bench_send(&bench);
    CHECK_EQ(bench.client.goaway_last_id, INT32_MAX);
    /* It left before the client heard. */
    http2_bench_receive(&bench, AX_STR("\0\0\6\1\5\0\0\0\3\x82\x84\x86\x41\1a"));
    CHECK_EQ(bench.handled, 2);
    CHECK(!expire_in(200));
    CHECK_EQ(bench.client.goaway_count, 2);
    CHECK_EQ(bench.client.goaway_last_id, 3);
    CHECK_EQ(bench.client.goaway_code, NGHTTP2_NO_ERROR);
    http2_bench_receive(&bench, AX_STR("\0\0\6\1\5\0\0\0\5\x82\x84\x86\x41\1a"));
    CHECK_EQ(bench.handled, 2);
    CHECK(!ax_session_wants(bench.session).close);
    http2_bench_answer(bench.held[0]);
    struct iovec pieces[AX_SESSION_IOV_MAX];
    CHECK_EQ(ax_session_output(bench.session, pieces), 1);
    nghttp2_session_mem_recv(bench.client.session, pieces[0].iov_base, pieces[0].iov_len);
    ax_session_sent(bench.session, pieces[0].iov_len, bench.now_ns);
    CHECK_EQ(reply_to(first)->status, 200);
    CHECK(!ax_session_wants(bench.session).close);
    http2_bench_answer(bench.held[1]);
    while (ax_session_output(bench.session, pieces) > 0)
        ax_session_sent(bench.session, pieces[0].iov_len, bench.now_ns);
    CHECK(ax_session_wants(bench.session).linger);
    http2_bench_close(&bench);
}

TEST(http2_what_is_held_when_the_session_ends_may_be_finished_later)
{
    open_bench();
    bench.hold = true;
    for (int i = 0; i < 3; i++)
        http2_client_ask(&bench.client, "GET", "/", "", NONE, false);
    http2_client_ask(&bench.client, "POST", "/", "", AX_STR("ab"), true);
    http2_bench_pump(&bench);
    http2_bench_answer(bench.held[1]);
    bench.held[1] = bench.held[2];
    bench.held_count = 2;
    CHECK_EQ(bench.readied, 1);
    ax_session_end(bench.session);
    CHECK(ax_exchange_cancelled(bench.held[0]));
    http2_bench_send(&bench);
    CHECK(ax_session_wants(bench.session).close);
    ax_session_close(bench.session);
    bench.session = NULL;
    CHECK_EQ(bench.answered, 1);
    http2_bench_finish_held(&bench);
    CHECK_EQ(bench.answered, 3);
    http2_bench_close(&bench);
}

/* ---- without memory ---- */

static ax_status
ask_once(struct ax_ctx *ctx)
{
    ax_status status = AX_OK;
    struct ax_exchange_service service = http2_bench_service(&bench);
    bool opened = http2_bench_open(&bench, &service);
    if (opened) {
        int32_t get = http2_client_ask(&bench.client, "GET", "/trailers", "", NONE, false);
        int32_t post = http2_client_ask(&bench.client, "POST", "/", "", AX_STR("hello"), false);
        const uint8_t *bytes;
        for (ssize_t len; (len = nghttp2_session_mem_send(bench.client.session, &bytes)) > 0;)
            http2_bench_receive(&bench, (ax_str){(const char *)bytes, (size_t)len});
        http2_bench_send(&bench);
        bool ok = reply_to(get)->status == 200 && reply_to(post)->status == 200 &&
                  has(reply_to(get)->trailers, "x-after: all") &&
                  ax_str_eq(ax_writer_str(&reply_to(post)->body), AX_STR("hello"));
        status = ok ? AX_OK : ax_fail(ctx, AX_LIMIT, "not answered");
    } else {
        status = ax_fail(ctx, AX_LIMIT, "not opened");
    }
    http2_bench_close(&bench);
    return status;
}

TEST(http2_survives_every_fault)
{
    FAULT_SWEEP(ask_once);
}

TEST(http2_is_known_by_its_preface)
{
    ax_str preface = AX_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    for (size_t len = 0; len < preface.len; len++)
        CHECK_EQ(ax_http2_preface_of((ax_str){preface.at, len}), AX_HTTP2_MAYBE);
    CHECK_EQ(ax_http2_preface_of(preface), AX_HTTP2_YES);
    CHECK_EQ(ax_http2_preface_of(AX_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0")), AX_HTTP2_YES);
    CHECK_EQ(ax_http2_preface_of(AX_STR("PRI * HTTP/1.1\r\n")), AX_HTTP2_NO);
    CHECK_EQ(ax_http2_preface_of(AX_STR("PUT / HTTP/1.1\r\n")), AX_HTTP2_NO);
}
