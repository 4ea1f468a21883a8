#include "net/http1.h"

#include "base/assert.h"
#include "harness.h"
#include "net/http1_log_test.h"

#define H "Host: a\r\n"

static struct ax_http_limits
small_limits(void)
{
    return (struct ax_http_limits){
        .head_bytes_max = 400, .header_count_max = 6, .body_bytes_max = 20, .pipeline_max = 1};
}

static const struct {
    const char *name;
    ax_str in;
    const char *want;
} cases[] = {
    {"plain", AX_STR("GET /a?b=1 HTTP/1.1\r\n" H "\r\n"),
     "GET /a ? b=1 HTTP/1.1 keep [Host|a] {}\n"},
    {"empty query", AX_STR("GET /? HTTP/1.1\r\n" H "\r\n"), "GET / ?  HTTP/1.1 keep [Host|a] {}\n"},
    {"absolute", AX_STR("GET http://h:1/p?q HTTP/1.1\r\n" H "\r\n"),
     "GET /p ? q HTTP/1.1 keep [Host|a] {}\n"},
    {"absolute, no path", AX_STR("GET http://h HTTP/1.1\r\n" H "\r\n"),
     "GET / ?  HTTP/1.1 keep [Host|a] {}\n"},
    {"absolute, query only", AX_STR("GET http://h?x HTTP/1.1\r\n" H "\r\n"),
     "GET / ? x HTTP/1.1 keep [Host|a] {}\n"},
    {"options of all", AX_STR("OPTIONS * HTTP/1.1\r\n" H "\r\n"),
     "OPTIONS * ?  HTTP/1.1 keep [Host|a] {}\n"},
    {"all of nothing", AX_STR("GET * HTTP/1.1\r\n" H "\r\n"), "refused 400\n"},
    {"other method", AX_STR("MKCOL /a HTTP/1.1\r\n" H "\r\n"),
     "MKCOL /a ?  HTTP/1.1 keep [Host|a] {}\n"},
    {"connect", AX_STR("CONNECT a:1 HTTP/1.1\r\n" H "\r\n"), "refused 501\n"},
    {"fragment", AX_STR("GET /a#b HTTP/1.1\r\n" H "\r\n"), "refused 400\n"},
    {"target not ASCII", AX_STR("GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n"), "refused 400\n"},
    {"body", AX_STR("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello"),
     "POST / ?  HTTP/1.1 keep [Host|a] [Content-Length|5] {hello}\n"},
    {"no bytes of body", AX_STR("POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n"),
     "POST / ?  HTTP/1.1 keep [Host|a] [Content-Length|0] {}\n"},
    {"chunks",
     AX_STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
            "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: t\r\n\r\n"),
     "POST / ?  HTTP/1.1 keep [Host|a] [Transfer-Encoding|chunked] {hello world}\n"},
    {"pipeline",
     AX_STR("GET /1 HTTP/1.1\r\n" H "\r\nPOST /2 HTTP/1.1\r\n" H
            "Content-Length: 1\r\n\r\nxGET /3 HTTP/1.1\r\n" H "\r\n"),
     "GET /1 ?  HTTP/1.1 keep [Host|a] {}\n"
     "POST /2 ?  HTTP/1.1 keep [Host|a] [Content-Length|1] {x}\n"
     "GET /3 ?  HTTP/1.1 keep [Host|a] {}\n"},
    {"close", AX_STR("GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\nGET /2 HTTP/1.1\r\n"),
     "GET / ?  HTTP/1.1 close [Host|a] [Connection|close] {}\n"},
    {"1.0", AX_STR("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
     "GET / ?  HTTP/1.0 close [Connection|keep-alive] {}\n"},
    {"1.0 chunked", AX_STR("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     "refused 400\n"},
    {"upgrade passed over",
     AX_STR("GET / HTTP/1.1\r\n" H "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
     "GET / ?  HTTP/1.1 keep [Host|a] [Upgrade|h2c] [Connection|Upgrade] {}\n"},
    {"upgrade with body",
     AX_STR("POST / HTTP/1.1\r\n" H
            "Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 1\r\n\r\nx"),
     "POST / ?  HTTP/1.1 keep [Host|a] [Upgrade|h2c] [Connection|Upgrade] "
     "[Content-Length|1] {x}\n"},
    {"expect", AX_STR("POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx"),
     "100 POST / ?  HTTP/1.1 keep [Host|a] [Expect|100-continue] [Content-Length|1] {x}\n"},
    {"expect without body", AX_STR("GET / HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n"),
     "GET / ?  HTTP/1.1 keep [Host|a] [Expect|100-continue] {}\n"},
    {"expect something", AX_STR("GET / HTTP/1.1\r\n" H "Expect: tea\r\n\r\n"), "refused 417\n"},
    {"no host", AX_STR("GET / HTTP/1.1\r\n\r\n"), "refused 400\n"},
    {"two hosts", AX_STR("GET / HTTP/1.1\r\n" H H "\r\n"), "refused 400\n"},
    {"host with a path", AX_STR("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), "refused 400\n"},
    {"length and chunks",
     AX_STR("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
            "0\r\n\r\n"),
     "refused 400\n"},
    {"chunks and length",
     AX_STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
            "0\r\n\r\n"),
     "refused 400\n"},
    {"xchunked", AX_STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
     "refused 501\n"},
    {"gzip, chunked",
     AX_STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
     "refused 501\n"},
    {"two codings",
     AX_STR("POST / HTTP/1.1\r\n" H
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
     "refused 400\n"},
    {"bad chunk size", AX_STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
     "refused 400\n"},
    {"huge chunk size",
     AX_STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
     "refused 400\n"},
    {"chunk without end",
     AX_STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1\r\nxy0\r\n\r\n"),
     "refused 400\n"},
    {"two lengths",
     AX_STR("POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
     "refused 400\n"},
    {"length +2", AX_STR("POST / HTTP/1.1\r\n" H "Content-Length: +2\r\n\r\nab"), "refused 400\n"},
    {"length -1", AX_STR("POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\nab"), "refused 400\n"},
    {"length 2abc", AX_STR("POST / HTTP/1.1\r\n" H "Content-Length: 2abc\r\n\r\nab"),
     "refused 400\n"},
    {"length too long",
     AX_STR("POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\nab"),
     "refused 400\n"},
    {"length 1,1", AX_STR("POST / HTTP/1.1\r\n" H "Content-Length: 1,1\r\n\r\nab"),
     "refused 400\n"},
    {"length empty", AX_STR("POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\nab"), "refused 400\n"},
    {"space before colon", AX_STR("GET / HTTP/1.1\r\n" H "A : b\r\n\r\n"), "refused 400\n"},
    {"fold", AX_STR("GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n"), "refused 400\n"},
    {"fold with tab", AX_STR("GET / HTTP/1.1\r\n" H "A: b\r\n\tc\r\n\r\n"), "refused 400\n"},
    {"fold of nothing", AX_STR("GET / HTTP/1.1\r\n" H "A:\r\n c\r\n\r\n"), "refused 400\n"},
    {"fold before the first", AX_STR("GET / HTTP/1.1\r\n A: b\r\n" H "\r\n"), "refused 400\n"},
    {"fold of a coding",
     AX_STR("GET / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
     "refused 400\n"},
    {"bare LF", AX_STR("GET / HTTP/1.1\nHost: a\n\n"), "refused 400\n"},
    {"one bare LF", AX_STR("GET / HTTP/1.1\r\n" H "A: b\nC: d\r\n\r\n"), "refused 400\n"},
    {"bare LF at the end", AX_STR("GET / HTTP/1.1\r\n" H "\n"), "refused 400\n"},
    {"NUL in a value", AX_STR("GET / HTTP/1.1\r\n" H "A: b\0c\r\n\r\n"), "refused 400\n"},
    {"bare CR in a value", AX_STR("GET / HTTP/1.1\r\n" H "A: b\rc\r\n\r\n"), "refused 400\n"},
    {"illegal byte in a name", AX_STR("GET / HTTP/1.1\r\n" H "A\x01: b\r\n\r\n"), "refused 400\n"},
    {"no name", AX_STR("GET / HTTP/1.1\r\n" H ": b\r\n\r\n"), "refused 400\n"},
    {"HTTP/2.5", AX_STR("GET / HTTP/2.5\r\n" H "\r\n"), "refused 505\n"},
    {"HTTP/2.0", AX_STR("GET / HTTP/2.0\r\n" H "\r\n"), "refused 505\n"},
    {"HTTP/0.9", AX_STR("GET / HTTP/0.9\r\n" H "\r\n"), "refused 505\n"},
    {"no version", AX_STR("GET /\r\n\r\n"), "refused 400\n"},
    {"h2 preface", AX_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "refused 400\n"},
    {"garbage", AX_STR("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "refused 400\n"},
    {"body over the limit", AX_STR("POST / HTTP/1.1\r\n" H "Content-Length: 21\r\n\r\n"),
     "refused 413\n"},
    {"chunks over the limit",
     AX_STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
            "a\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n"),
     "refused 413\n"},
    {"too many headers",
     AX_STR("GET / HTTP/1.1\r\n" H "a: b\r\na: b\r\na: b\r\na: b\r\na: b\r\na: b\r\n\r\n"),
     "refused 431\n"},
    {"as many as there may be",
     AX_STR("GET / HTTP/1.1\r\n" H "a: b\r\na: b\r\na: b\r\na: b\r\na:  \t b \t\r\n\r\n"),
     "GET / ?  HTTP/1.1 keep [Host|a] [a|b] [a|b] [a|b] [a|b] [a|b] {}\n"},
    {"line ends before a request", AX_STR("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"),
     "GET / ?  HTTP/1.1 keep [Host|a] {}\n"},
};

static void
check_pieces(const char *name, ax_str in, const char *want, size_t piece_bytes)
{
    struct http1_log log;
    http1_log_open(&log, small_limits());
    for (ax_str rest = in; rest.len > 0;) {
        size_t len = piece_bytes < rest.len ? piece_bytes : rest.len;
        http1_log_feed(&log, (ax_str){rest.at, len});
        rest = ax_str_from(rest, len);
    }
    ax_str got = ax_writer_str(&log.text);
    /* That a 100 is due must not depend on how fast the body came. */
    if (!ax_str_eq(got, ax_str_of(want)))
        ax_test_failed(__FILE__, __LINE__, "%s in pieces of %zu: %.*s, not %s", name, piece_bytes,
                       AX_FMT(got), want);
    http1_log_close(&log);
}

TEST(http1_tells_requests_from_what_must_be_refused)
{
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        check_pieces(cases[i].name, cases[i].in, cases[i].want, SIZE_MAX);
}

TEST(http1_in_pieces_of_any_size_is_the_same_as_whole)
{
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++)
        for (size_t bytes = 1; bytes < cases[i].in.len; bytes++)
            check_pieces(cases[i].name, cases[i].in, cases[i].want, bytes);
}

/* Two pieces, cut at each byte: every state of the parser is entered with a fresh buffer. */
TEST(http1_cut_at_each_byte_is_the_same_as_whole)
{
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        for (size_t at = 1; at < cases[i].in.len; at++) {
            struct http1_log log;
            http1_log_open(&log, small_limits());
            http1_log_feed(&log, (ax_str){cases[i].in.at, at});
            http1_log_feed(&log, ax_str_from(cases[i].in, at));
            CHECK(ax_str_eq(ax_writer_str(&log.text), ax_str_of(cases[i].want)));
            http1_log_close(&log);
        }
    }
}

/* A head of exactly the limit is served, one byte more refused, and never more is gathered. */
TEST(http1_counts_the_head_to_the_byte)
{
    static const ax_str begin = AX_STR("GET / HTTP/1.1\r\n" H "A: ");
    static const ax_str end = AX_STR("\r\n\r\n");
    for (size_t over = 0; over < 3; over++) {
        struct http1_log log;
        http1_log_open(&log, small_limits());
        ax_writer_auto struct ax_writer in = ax_writer_of(1 << 20);
        ax_writer_bytes(&in, begin);
        while (in.len < small_limits().head_bytes_max - end.len + over)
            ax_writer_char(&in, 'x');
        ax_writer_bytes(&in, end);
        http1_log_feed(&log, ax_writer_str(&in));
        CHECK_EQ(ax_str_starts(ax_writer_str(&log.text), AX_STR("GET")), over == 0);
        if (over > 0)
            CHECK_STR(ax_writer_str(&log.text), "refused 431\n");
        http1_log_close(&log);
    }
}

TEST(http1_refuses_bodies_that_are_mostly_framing)
{
    static const ax_str head =
        AX_STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1;");
    struct http1_log log;
    http1_log_open(&log, small_limits());
    http1_log_feed(&log, head);
    for (int i = 0; i < 100'000 && !log.over; i++)
        http1_log_feed(&log, AX_STR("extension"));
    CHECK_STR(ax_writer_str(&log.text), "refused 400\n");
    http1_log_close(&log);
}

/* Slices must lie in the message, not in the bytes that were fed. */
TEST(http1_says_why_it_refuses)
{
    static const struct {
        const char *in;
        const char *want;
    } reasons[] = {
        {"GET / HTTP/1.1\r\n\r\n", "the Host header is missing"},
        {"GET / HTTP/1.1\r\n" H "a: b\r\n c\r\n\r\n", "malformed request: Unexpected whitespace"},
        {"GET / HTTP/1.1\nHost: a\n\n", "a line ends with a bare line feed"},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 99\r\n\r\n",
         "the body has 99 bytes, at most 20 are taken"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(reasons); i++) {
        struct http1_log log;
        http1_log_open(&log, small_limits());
        http1_log_feed(&log, ax_str_of(reasons[i].in));
        ax_str reason = {};
        CHECK(log.over);
        ax_http1_refusal(log.parser, &reason);
        if (!ax_str_starts(reason, ax_str_of(reasons[i].want)))
            ax_test_failed(__FILE__, __LINE__, "refused because %.*s, not %s", AX_FMT(reason),
                           reasons[i].want);
        http1_log_close(&log);
    }
}
