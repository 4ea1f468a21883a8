#include "net/http1_session.h"

#include "net/http1_bench_test.h"
#include "net/loopback_test.h"

#define HOST "Host: a\r\n"

/* ---- network.md section 2: what a listener answers, over a real socket ---- */

static const struct {
    const char *name;
    ax_str request;
    const char *want; /* statuses in order */
    bool kept;
} answers[] = {
    {"valid", AX_STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab"), "200", true},
    {"no Host", AX_STR("GET / HTTP/1.1\r\n\r\n"), "400", false},
    {"two Hosts", AX_STR("GET / HTTP/1.1\r\n" HOST HOST "\r\n"), "400", false},
    {"Content-Length and chunked",
     AX_STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
            "2\r\nab\r\n0\r\n\r\n"),
     "400", false},
    {"chunked",
     AX_STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
            "2\r\nab\r\n1;x=y\r\nc\r\n0\r\nTrailer: t\r\n\r\n"),
     "200", true},
    {"xchunked",
     AX_STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"),
     "501", false},
    {"bad chunk size",
     AX_STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n"),
     "400", false},
    {"two lengths that differ",
     AX_STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"), "400",
     false},
    {"length +2", AX_STR("POST / HTTP/1.1\r\n" HOST "Content-Length: +2\r\n\r\nab"), "400", false},
    {"length -1", AX_STR("POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\nab"), "400", false},
    {"length 2abc", AX_STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 2abc\r\n\r\nab"), "400",
     false},
    {"length 99999999999999999999",
     AX_STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\nab"), "400",
     false},
    {"space before the colon", AX_STR("GET / HTTP/1.1\r\n" HOST "A : b\r\n\r\n"), "400", false},
    {"obs-fold", AX_STR("GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n"), "400", false},
    {"bare LF", AX_STR("GET / HTTP/1.1\nHost: a\n\n"), "400", false},
    {"NUL in a value", AX_STR("GET / HTTP/1.1\r\n" HOST "A: b\0c\r\n\r\n"), "400", false},
    {"bare CR in a value", AX_STR("GET / HTTP/1.1\r\n" HOST "A: b\rc\r\n\r\n"), "400", false},
    {"illegal byte in a name", AX_STR("GET / HTTP/1.1\r\n" HOST "A\x02: b\r\n\r\n"), "400", false},
    {"HTTP/1.0", AX_STR("GET / HTTP/1.0\r\n\r\n"), "200", false},
    {"HTTP/1.0 keep-alive", AX_STR("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), "200",
     false},
    {"HTTP/2.5", AX_STR("GET / HTTP/2.5\r\n" HOST "\r\n"), "505", false},
    {"garbage", AX_STR("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x99\r\n\r\n"), "400", false},
    {"body over the limit", AX_STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 10000000\r\n\r\n"),
     "413", false},
    {"three pipelined", AX_STR(LOOPBACK_GET LOOPBACK_GET LOOPBACK_GET), "200 200 200", true},
    {"pipelined, the second bad", AX_STR(LOOPBACK_GET "GET / HTTP/1.1\r\n\r\n" LOOPBACK_GET),
     "200 400", false},
    {"pipelined after close",
     AX_STR("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" LOOPBACK_GET), "200", false},
    {"Expect: 100-continue",
     AX_STR("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab"),
     "100 200", true},
    {"Expect, and too large",
     AX_STR("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 999999\r\n\r\n"),
     "413", false},
    {"Expect: tea", AX_STR("GET / HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n"), "417", false},
};

static void
check_answers(struct loopback *server, const char *name, ax_str request, const char *want,
              bool kept)
{
    static struct loopback_client client;
    struct loopback_answer answer = {};
    loopback_connect(&client, server->port);
    loopback_send(&client, request);
    for (ax_str rest = ax_str_of(want), part; ax_str_cut(&rest, ' ', &part);) {
        uint64_t status = 0;
        AX_ASSERT(ax_parse_u64(part, &status));
        int got = loopback_answer(&client, true, &answer);
        if (got != (int)status)
            ax_test_failed(__FILE__, __LINE__, "%s: %d, not %.*s", name, got, AX_FMT(part));
        if (got >= 400 && !ax_str_starts(ax_str_of(answer.body), AX_STR("{\"error\":\"")))
            ax_test_failed(__FILE__, __LINE__, "%s: the body is %s", name, answer.body);
    }
    if (answer.close == kept)
        ax_test_failed(__FILE__, __LINE__, "%s: wrong Connection header", name);
    if (!kept && !loopback_ended(&client))
        ax_test_failed(__FILE__, __LINE__, "%s: the connection goes on", name);
    if (kept) {
        CHECK(loopback_send(&client, AX_STR(LOOPBACK_GET)));
        if (loopback_answer(&client, true, &answer) != 200)
            ax_test_failed(__FILE__, __LINE__, "%s: the connection has ended", name);
    }
    close(client.fd);
}

TEST(a_listener_gives_exactly_the_required_answers)
{
    struct loopback server;
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = loopback_echo};
    loopback_open(&server, &config, &service);
    for (size_t i = 0; i < AX_COUNT_OF(answers); i++)
        check_answers(&server, answers[i].name, answers[i].request, answers[i].want,
                      answers[i].kept);
    loopback_close(&server);
}

TEST(heads_are_bounded_in_bytes_and_in_headers)
{
    struct loopback server;
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = loopback_echo};
    loopback_open(&server, &config, &service);

    ax_writer_auto struct ax_writer large = ax_writer_of(1 << 20), many = ax_writer_of(1 << 20);
    ax_writer_text(&large, "GET / HTTP/1.1\r\n" HOST "A: ");
    while (large.len < 20'000)
        ax_writer_char(&large, 'x');
    ax_writer_text(&large, "\r\n\r\n");
    check_answers(&server, "20 KB header", ax_writer_str(&large), "431", false);

    ax_writer_text(&many, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 400; i++)
        ax_writer_print(&many, "a%d: b\r\n", i);
    ax_writer_text(&many, "\r\n");
    check_answers(&server, "400 headers", ax_writer_str(&many), "200", true);
    loopback_close(&server);

    config.header_count_max = 100;
    loopback_open(&server, &config, &service);
    check_answers(&server, "400 headers of 100", ax_writer_str(&many), "431", false);
    loopback_close(&server);
}

TEST(a_client_that_goes_on_sending_a_refused_body_hears_why)
{
    struct loopback server;
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = loopback_echo};
    loopback_open(&server, &config, &service);
    static struct loopback_client client;
    static char block[100'000];
    struct loopback_answer answer;
    loopback_connect(&client, server.port);
    CHECK(loopback_send(&client,
                        AX_STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 10000000\r\n\r\n")));
    for (int i = 0; i < 100; i++)
        CHECK(loopback_send(&client, (ax_str){block, sizeof block}));
    CHECK_EQ(loopback_answer(&client, true, &answer), 413);
    CHECK(loopback_ended(&client));
    close(client.fd);
    loopback_close(&server);
}

/* ---- absolute deadlines ---- */

/* Sends a byte every so often until the connection ends; how long that took, or -1. */
static int64_t
drip_until_closed(struct loopback *server, ax_str begin, bool drip)
{
    static struct loopback_client client;
    loopback_connect(&client, server->port);
    int64_t start_ns = ax_clock_monotonic_ns();
    loopback_send(&client, begin);
    struct timeval patience = {.tv_usec = 50'000};
    setsockopt(client.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    int64_t took_ms = -1;
    for (int i = 0; i < 100 && took_ms < 0; i++) {
        if (drip)
            loopback_send(&client, AX_STR("x"));
        ssize_t got = recv(client.fd, client.bytes, sizeof client.bytes, 0);
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            took_ms = (ax_clock_monotonic_ns() - start_ns) / 1'000'000;
        CHECK(got <= 0);
    }
    close(client.fd);
    return took_ms;
}

TEST(deadlines_are_absolute_however_the_bytes_drip)
{
    static const struct {
        const char *name;
        ax_str begin;
        bool drip;
        int64_t want_ms;
    } cases[] = {
        {"no byte", AX_STR(""), false, 600},
        {"a head by drips", AX_STR("GET / HTTP/1.1\r\nA: "), true, 600},
        {"a head that stops", AX_STR("GET / HTTP/1.1\r\nA: "), false, 600},
        {"a body by drips", AX_STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 5000\r\n\r\n"), true,
         1'000},
        {"chunks that stop",
         AX_STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\n"), false,
         1'000},
    };
    struct loopback server;
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = loopback_echo};
    config.header_ms = 600;
    config.body_ms = 1'000;
    loopback_open(&server, &config, &service);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        int64_t took_ms = drip_until_closed(&server, cases[i].begin, cases[i].drip);
        if (took_ms < cases[i].want_ms || took_ms > cases[i].want_ms + 1'500)
            ax_test_failed(__FILE__, __LINE__, "%s: closed after %" PRId64 " ms, not %" PRId64,
                           cases[i].name, took_ms, cases[i].want_ms);
    }
    CHECK_EQ(ax_loops_totals(server.loops).connections_cut, AX_COUNT_OF(cases));
    loopback_close(&server);
}

TEST(an_idle_connection_ends_at_its_own_deadline)
{
    struct loopback server;
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = loopback_echo};
    config.idle_ms = 300;
    loopback_open(&server, &config, &service);
    static struct loopback_client client;
    struct loopback_answer answer;
    loopback_connect(&client, server.port);
    for (int i = 0; i < 3; i++) {
        ax_clock_sleep_ms(150);
        CHECK(loopback_send(&client, AX_STR(LOOPBACK_GET)));
        CHECK_EQ(loopback_answer(&client, true, &answer), 200);
    }
    int64_t start_ns = ax_clock_monotonic_ns();
    CHECK(loopback_ended(&client));
    CHECK((ax_clock_monotonic_ns() - start_ns) / 1'000'000 >= 250);
    close(client.fd);
    loopback_close(&server);
}

/* ---- the session alone: no sockets, no threads ---- */

#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

static const ax_str conversations[] = {
    AX_STR(GET("/1") GET("/2") GET("/3") GET("/4") GET("/5") GET("/6") GET("/7") GET("/8")),
    AX_STR(GET("/1") "HEAD /2 HTTP/1.1\r\n" HOST "\r\n" GET("/close") GET("/4")),
    AX_STR(GET("/1") GET("/none") GET("/2") "GET /\r\n\r\n" GET("/3")),
    AX_STR("POST /a HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello" GET(
        "/2") "POST /small HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
              "3\r\nabc\r\n0\r\n\r\n" GET("/3") "POST /small HTTP/1.1\r\n" HOST
                                                "Content-Length: 4\r\n\r\nabcd" GET("/4")),
    AX_STR(GET("/1") "POST /b HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
                     "Content-Length: 3\r\n\r\nabc" GET("/2") GET("/3")),
    AX_STR(GET("/1") "GET /2 HTTP/1.0\r\n\r\n" GET("/3")),
};

TEST(a_session_answers_the_same_in_pieces_late_and_to_a_slow_reader)
{
    ax_clock_fake(1'000'000'000, 1'000'000'000); /* the Date header stands still */
    for (size_t i = 0; i < AX_COUNT_OF(conversations); i++) {
        struct http1_bench whole, pieces;
        http1_bench_open(&whole, SIZE_MAX, false);
        http1_bench_run(&whole, conversations[i], conversations[i].len * 1000, 1);
        for (uint32_t seed = 1; seed <= 200; seed++) {
            http1_bench_open(&pieces, 1 + seed % 37, seed % 2);
            http1_bench_run(&pieces, conversations[i], 1 + seed % 60, seed);
            if (!ax_str_eq(ax_writer_str(&pieces.out), ax_writer_str(&whole.out)))
                ax_test_failed(__FILE__, __LINE__, "conversation %zu, seed %u: %.*s, not %.*s", i,
                               seed, AX_FMT(ax_writer_str(&pieces.out)),
                               AX_FMT(ax_writer_str(&whole.out)));
            http1_bench_close(&pieces);
        }
        http1_bench_close(&whole);
    }
}

static size_t
count_of(ax_str text, ax_str part)
{
    size_t count = 0;
    for (size_t at; (at = ax_str_find(text, part)) != SIZE_MAX; count++)
        text = ax_str_from(text, at + part.len);
    return count;
}

TEST(a_session_takes_no_more_than_its_pipeline_and_goes_on_when_there_is_room)
{
    uint32_t seed = 7;
    struct http1_bench bench;
    http1_bench_open(&bench, SIZE_MAX, true);
    ax_session_receive(bench.session, conversations[0], 1);
    CHECK_EQ(bench.handled, 4);
    CHECK(!ax_session_wants(bench.session).read);
    CHECK(ax_session_wants(bench.session).deadline_ns == INT64_MAX);
    while (bench.held_count > 0)
        http1_bench_finish_held(&bench, &seed);
    CHECK_EQ(bench.handled, 8);
    CHECK_EQ(bench.answered, 8);
    CHECK(ax_session_wants(bench.session).read);
    ax_str out = ax_writer_str(&bench.out);
    for (int i = 1; i <= 8; i++) {
        char want[] = "X-Path: /0";
        want[sizeof want - 2] = (char)('0' + i);
        size_t at = ax_str_find(out, ax_str_of(want));
        CHECK(at != SIZE_MAX);
        out = ax_str_from(out, at);
    }
    http1_bench_close(&bench);
}

TEST(pipelined_answers_leave_in_one_piece)
{
    struct http1_bench bench;
    struct iovec pieces[AX_SESSION_IOV_MAX];
    http1_bench_open(&bench, SIZE_MAX, false);
    ax_session_receive(bench.session, AX_STR(GET("/1") GET("/2") GET("/3")), 1);
    CHECK_EQ(ax_session_output(bench.session, pieces), 3);
    http1_bench_pump(&bench);
    CHECK_EQ(count_of(ax_writer_str(&bench.out), AX_STR("HTTP/1.1 200 OK\r\n")), 3);
    http1_bench_close(&bench);
}

TEST(a_slow_reader_stops_being_read)
{
    struct http1_bench bench;
    http1_bench_open(&bench, SIZE_MAX, false);
    ax_writer_auto struct ax_writer in = ax_writer_of(1 << 20);
    ax_writer_text(&in, "POST / HTTP/1.1\r\n" HOST "Content-Length: 50000\r\n\r\n");
    memset(ax_writer_room(&in, 50'000), 'x', 50'000);
    ax_session_receive(bench.session, ax_writer_str(&in), 1);
    CHECK(ax_session_wants(bench.session).read);
    ax_session_receive(bench.session, ax_writer_str(&in), 1);
    CHECK(ax_session_wants(bench.session).read); /* nothing more has come yet */
    ax_session_receive(bench.session, ax_writer_str(&in), 1);
    CHECK(!ax_session_wants(bench.session).read);
    CHECK_EQ(bench.handled, 2);
    http1_bench_pump(&bench);
    CHECK_EQ(bench.handled, 3);
    CHECK(ax_session_wants(bench.session).read);
    http1_bench_close(&bench);
}

TEST(what_is_held_when_the_session_ends_may_be_finished_later)
{
    struct http1_bench bench;
    http1_bench_open(&bench, SIZE_MAX, true);
    ax_session_receive(bench.session, AX_STR(GET("/1") GET("/2") GET("/3")), 1);
    CHECK_EQ(bench.held_count, 3);
    http1_bench_answer(bench.held[1]);
    CHECK(!ax_exchange_cancelled(bench.held[0]));
    ax_session_close(bench.session);
    CHECK(ax_exchange_cancelled(bench.held[0]));
    CHECK(ax_exchange_cancelled(bench.held[2]));
    CHECK_EQ(bench.answered, 1);
    http1_bench_answer(bench.held[2]);
    http1_bench_answer(bench.held[0]);
    CHECK_EQ(bench.answered, 3);
    CHECK_EQ(bench.out.len, 0);
    ax_exchange_pool_done(&bench.pool);
    ax_writer_free(&bench.out);
}

TEST(a_client_that_has_said_its_last_word_is_answered_and_its_work_marked)
{
    struct http1_bench bench;
    http1_bench_open(&bench, SIZE_MAX, true);
    ax_session_receive(bench.session, AX_STR(GET("/1") "GET /half"), 1);
    ax_session_end(bench.session);
    CHECK(ax_exchange_cancelled(bench.held[0]));
    CHECK(!ax_session_wants(bench.session).close);
    CHECK(!ax_session_wants(bench.session).read);
    uint32_t seed = 1;
    http1_bench_finish_held(&bench, &seed);
    CHECK_EQ(count_of(ax_writer_str(&bench.out), AX_STR("HTTP/1.1 200 OK\r\n")), 1);
    CHECK(ax_session_wants(bench.session).close);
    http1_bench_close(&bench);
}

TEST(a_deadline_drops_the_half_request_and_answers_those_before_it)
{
    struct http1_bench bench;
    http1_bench_open(&bench, SIZE_MAX, true);
    ax_session_receive(bench.session, AX_STR(GET("/1") "POST /2 HTTP/1.1\r\n"), 1);
    CHECK_EQ(ax_session_wants(bench.session).deadline_ns, 1'000'000'001);
    ax_session_expire(bench.session, 1'000'000'001);
    CHECK(!ax_session_wants(bench.session).close);
    uint32_t seed = 1;
    http1_bench_finish_held(&bench, &seed);
    CHECK_EQ(count_of(ax_writer_str(&bench.out), AX_STR("HTTP/1.1 200 OK\r\n")), 1);
    CHECK(ax_session_wants(bench.session).close);
    http1_bench_close(&bench);
}

TEST(a_draining_session_says_so_in_its_last_answer)
{
    struct http1_bench bench;
    http1_bench_open(&bench, SIZE_MAX, false);
    ax_session_drain(bench.session, 5);
    CHECK_EQ(ax_session_wants(bench.session).deadline_ns, 5);
    ax_session_receive(bench.session, AX_STR(GET("/1") GET("/2")), 1);
    http1_bench_pump(&bench);
    ax_str out = ax_writer_str(&bench.out);
    CHECK_EQ(count_of(out, AX_STR("HTTP/1.1 200 OK\r\n")), 2);
    CHECK_EQ(count_of(out, AX_STR("Connection: close\r\n")), 1);
    CHECK(ax_session_wants(bench.session).close);
    http1_bench_close(&bench);
}

TEST(an_answer_at_the_head_leaves_the_body_unread_and_ends_the_connection)
{
    static const struct {
        ax_str in;
        bool ends;
    } cases[] = {
        {AX_STR(GET("/none")), false},
        {AX_STR("POST /none HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"), false},
        {AX_STR("POST /none HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n"), true},
        {AX_STR("POST /none HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"), true},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct http1_bench bench;
        http1_bench_open(&bench, SIZE_MAX, false);
        ax_session_receive(bench.session, cases[i].in, 1);
        http1_bench_pump(&bench);
        CHECK_EQ(bench.handled, 0);
        CHECK_EQ(count_of(ax_writer_str(&bench.out), AX_STR("HTTP/1.1 404 Not Found\r\n")), 1);
        CHECK_EQ(ax_session_wants(bench.session).linger, cases[i].ends);
        CHECK_EQ(count_of(ax_writer_str(&bench.out), AX_STR("Connection: close")), cases[i].ends);
        http1_bench_close(&bench);
    }
}

/* Every allocation fails once the buffers have grown: a steady load must not notice. */
TEST(a_steady_load_allocates_nothing)
{
    static const ax_str load =
        AX_STR(GET("/1") "POST /2 HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello" GET("/3"));
    struct http1_bench bench;
    http1_bench_open(&bench, SIZE_MAX, false);
    ax_writer_room(&bench.out, 1 << 20);
    for (int i = 0; i < 1'010; i++) {
        if (i == 10)
            ax_fault_arm(0, true);
        ax_writer_clear(&bench.out);
        ax_session_receive(bench.session, load, 1);
        http1_bench_pump(&bench);
        CHECK_EQ(count_of(ax_writer_str(&bench.out), AX_STR("HTTP/1.1 200 OK\r\n")), 3);
    }
    CHECK(!ax_fault_disarm());
    http1_bench_close(&bench);
}
