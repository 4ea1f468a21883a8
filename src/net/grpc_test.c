#include "net/grpc.h"

#include "codec/compress.h"
#include "harness.h"
#include "net/grpc_bench_test.h"

#define FIELDS "content-type: application/grpc\nte: trailers\n"
#define NONE   ((ax_str){})

static struct http2_reply *
reply_to(int32_t id)
{
    return http2_reply_of(&grpc_bench.http2.client, id);
}

static int32_t
call(const char *path, const char *fields, ax_str body, bool open)
{
    int32_t id = http2_client_ask(&grpc_bench.http2.client, "POST", path, fields, body, open);
    http2_bench_pump(&grpc_bench.http2);
    return id;
}

/* A message of five bytes: "hello", as it is and by `gzip -n`. */
#define HELLO "\0\0\0\0\5hello"
#define HELLO_GZIP                                                                                 \
    "\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0"
#define HELLO_ZLIB "\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\0\x06\x2c\x02\x15"

static const struct {
    const char *name, *path, *fields;
    ax_str body;
    int code;
    const char *want; /* in head or trailers */
    ax_str reply;     /* the body */
} calls[] = {
    {"unary", "/a.Test/Echo", FIELDS, AX_STR(HELLO), 0, "x-tail: t\n", AX_STR(HELLO)},
    {"metadata", "/a.Test/Echo", FIELDS "x-ask: why\n", AX_STR(HELLO), 0, "x-told: why\n",
     AX_STR(HELLO)},
    {"with +proto", "/a.Test/Echo", "content-type: application/grpc+proto\n", AX_STR(HELLO), 0,
     "x-head: h\n", AX_STR(HELLO)},
    {"empty", "/a.Test/Echo", FIELDS, AX_STR("\0\0\0\0\0"), 0, "", AX_STR("\0\0\0\0\0")},
    {"gzip", "/a.Test/Echo", FIELDS "grpc-encoding: gzip\n", AX_STR("\1\0\0\0\x19" HELLO_GZIP), 0,
     "", AX_STR(HELLO)},
    {"deflate", "/a.Test/Echo", FIELDS "grpc-encoding: deflate\n", AX_STR("\1\0\0\0\xd" HELLO_ZLIB),
     0, "", AX_STR(HELLO)},
    {"gzip, message as it is", "/a.Test/Echo", FIELDS "grpc-encoding: gzip\n", AX_STR(HELLO), 0, "",
     AX_STR(HELLO)},
    {"compressed without encoding", "/a.Test/Echo", FIELDS, AX_STR("\1\0\0\0\xd" HELLO_ZLIB), 13,
     "grpc-encoding", AX_STR("")},
    {"not what it says", "/a.Test/Echo", FIELDS "grpc-encoding: gzip\n",
     AX_STR("\1\0\0\0\xd" HELLO_ZLIB), 13, "not gzip", AX_STR("")},
    {"unknown encoding", "/a.Test/Echo", FIELDS "grpc-encoding: snappy\n", AX_STR(HELLO), 12,
     "grpc-accept-encoding: identity,deflate,gzip\n", AX_STR("")},
    {"flag 2", "/a.Test/Echo", FIELDS, AX_STR("\2\0\0\0\5hello"), 13, "first byte", AX_STR("")},
    {"cut", "/a.Test/Echo", FIELDS, AX_STR("\0\0\0\0\5hell"), 13, "ends before", AX_STR("")},
    {"no message", "/a.Test/Echo", FIELDS, AX_STR(""), 13, "ends before", AX_STR("")},
    {"two messages", "/a.Test/Echo", FIELDS, AX_STR(HELLO HELLO), 12, "there are more", AX_STR("")},
    {"said too large", "/a.Test/Echo", FIELDS, AX_STR("\0\0\0\3\xe9hello"), 8, "1001 bytes",
     AX_STR("")},
    {"no such method", "/a.Test/echo", FIELDS, AX_STR(HELLO), 12, "no method", AX_STR("")},
    {"no such service", "/a.test/Echo", FIELDS, AX_STR(HELLO), 12, "no method", AX_STR("")},
    {"no path of gRPC", "/a.Test", FIELDS, AX_STR(HELLO), 12, "no method", AX_STR("")},
    {"timeout", "/a.Test/Echo", FIELDS "grpc-timeout: 99999999H\n", AX_STR(HELLO), 0, "",
     AX_STR(HELLO)},
    {"timeout passed", "/a.Test/Echo", FIELDS "grpc-timeout: 0n\n", AX_STR(HELLO), 4, "deadline",
     AX_STR("")},
    {"bad timeout", "/a.Test/Echo", FIELDS "grpc-timeout: 5x\n", AX_STR(HELLO), 13, "grpc-timeout",
     AX_STR("")},
    {"failing", "/a.Test/Fail", FIELDS, AX_STR(HELLO), 5,
     "grpc-message: no \"hello\" at 100 %25 %C3%A9%0A\n", AX_STR("")},
    {"failing by a code of its own", "/a.Test/Fail", FIELDS, AX_STR("\0\0\0\0\4code"), 6,
     "grpc-status-details-bin: CAU=\n", AX_STR("")},
    {"server stream", "/a.Test/Count", FIELDS, AX_STR("\0\0\0\0\3abc"), 0, "",
     AX_STR("\0\0\0\0\1"
            "0\0\0\0\0\1"
            "1\0\0\0\0\1"
            "2")},
    {"empty server stream", "/a.Test/Count", FIELDS, AX_STR("\0\0\0\0\0"), 0, "", AX_STR("")},
    {"server stream of no message", "/a.Test/Count", FIELDS, AX_STR(""), 13, "", AX_STR("")},
    {"server stream that fails", "/a.Test/Count", FIELDS, AX_STR("\0\0\0\0\4abcd"), 8,
     "grpc-message: four\n",
     AX_STR("\0\0\0\0\1"
            "0\0\0\0\0\1"
            "1\0\0\0\0\1"
            "2\0\0\0\0\1"
            "3")},
    {"chat", "/a.Test/Chat", FIELDS, AX_STR(HELLO "\0\0\0\0\5twice" HELLO), 0, "",
     AX_STR(HELLO "\0\0\0\0\5twice\0\0\0\0\5twice" HELLO "\0\0\0\0\3bye")},
    {"chat of nothing", "/a.Test/Chat", FIELDS, AX_STR(""), 0, "", AX_STR("\0\0\0\0\3bye")},
    {"chat that is cut", "/a.Test/Chat", FIELDS, AX_STR(HELLO "\0\0\0\0\5hell"), 13, "ends within",
     AX_STR(HELLO)},
    {"chat that is stopped", "/a.Test/Chat", FIELDS, AX_STR(HELLO "\0\0\0\0\4stop" HELLO), 10,
     "grpc-message: stopped\n", AX_STR(HELLO)},
    {"chat that stops at once", "/a.Test/Chat", FIELDS, AX_STR("\0\0\0\0\4stop"), 10,
     "grpc-message: stopped\n", AX_STR("")},
    {"chat too large", "/a.Test/Chat", FIELDS, AX_STR("\0\0\0\3\xe9"), 8, "1001 bytes", AX_STR("")},
};

static void
check_call(size_t i, const struct http2_reply *reply)
{
    char status[32];
    snprintf(status, sizeof status, "grpc-status: %d\n", calls[i].code);
    bool in_head = strstr(reply->head, "grpc-status: ") != NULL;
    const char *where = in_head ? reply->head : reply->trailers;
    bool found = strstr(reply->head, calls[i].want) || strstr(reply->trailers, calls[i].want);
    bool alone = !in_head || (reply->trailers[0] == '\0' && reply->body.len == 0);
    if (reply->status != 200 || !reply->closed || reply->error_code != 0 || !alone || !found ||
        !strstr(where, status) || !strstr(reply->head, "content-type: application/grpc\n") ||
        !ax_str_eq(ax_writer_str(&reply->body), calls[i].reply))
        ax_test_failed(__FILE__, __LINE__, "%s: %d, code %u, %zu bytes\n%s--\n%s", calls[i].name,
                       reply->status, reply->error_code, reply->body.len, reply->head,
                       reply->trailers);
    /* A failure that sent nothing has but a head. */
    CHECK_EQ(in_head, calls[i].code != 0 && calls[i].reply.len == 0);
}

TEST(grpc_answers_calls_whole_and_in_pieces)
{
    for (size_t piece = 0; piece < 5; piece++) {
        CHECK(grpc_bench_open());
        grpc_bench.http2.piece_bytes = piece == 0 ? SIZE_MAX : piece * 6 - 5;
        for (size_t i = 0; i < AX_COUNT_OF(calls); i++) {
            int ended = grpc_bench.ended;
            int32_t id = call(calls[i].path, calls[i].fields, calls[i].body, false);
            check_call(i, reply_to(id));
            CHECK_EQ(grpc_bench.ended, ended + 1);
            CHECK_EQ(grpc_bench.ended_code, calls[i].code);
        }
        http2_bench_close(&grpc_bench.http2);
    }
}

TEST(grpc_refuses_by_its_own_status_what_http_refuses)
{
    static char large[3'000];
    CHECK(grpc_bench_open());
    int32_t id = call("/a.Test/Echo", FIELDS, (ax_str){large, sizeof large}, false);
    CHECK(reply_to(id)->status == 200 && strstr(reply_to(id)->head, "grpc-status: 8\n"));
    id = call("/a.Test/Echo", FIELDS "content-encoding: br\n", AX_STR(HELLO), false);
    CHECK(reply_to(id)->status == 200 && strstr(reply_to(id)->head, "grpc-status: 12\n"));
    CHECK_EQ(grpc_bench.ended_code, AX_GRPC_UNIMPLEMENTED);
    grpc_bench.refuse = true;
    id = call("/a.Test/Echo", FIELDS, AX_STR(HELLO), false);
    CHECK(strstr(reply_to(id)->head, "grpc-status: 16\n") &&
          strstr(reply_to(id)->head, "grpc-message: who are you?\n"));
    CHECK_EQ(grpc_bench.handled, 0);
    id = call("/a.Test/Echo", "content-type: application/grpc-web\n", AX_STR(HELLO), false);
    CHECK_EQ(reply_to(id)->status, 404); /* not gRPC: the other routes' business */
    http2_bench_close(&grpc_bench.http2);
}

TEST(grpc_a_chat_is_answered_message_by_message)
{
    CHECK(grpc_bench_open());
    int32_t id = call("/a.Test/Chat", FIELDS, AX_STR("\0\0"), true);
    CHECK_EQ(grpc_bench.handled, 0);
    for (int i = 1; i <= 3; i++) {
        http2_client_more(&grpc_bench.http2.client, id, AX_STR("\0\0\5hello\0\0"), true);
        http2_bench_pump(&grpc_bench.http2);
        CHECK_EQ(grpc_bench.handled, i);
        CHECK_EQ(reply_to(id)->body.len, 10 * i);
        CHECK(!reply_to(id)->closed);
    }
    nghttp2_submit_rst_stream(grpc_bench.http2.client.session, NGHTTP2_FLAG_NONE, id,
                              NGHTTP2_CANCEL);
    http2_bench_pump(&grpc_bench.http2);
    CHECK_EQ(grpc_bench.ended, 1);
    CHECK_EQ(grpc_bench.ended_code, AX_GRPC_CANCELLED);
    http2_bench_close(&grpc_bench.http2);
}

TEST(grpc_messages_of_any_size_pass_through_a_stream_together)
{
    CHECK(grpc_bench_open());
    ax_writer_auto struct ax_writer in = ax_writer_of(1 << 20), want = ax_writer_of(1 << 20);
    static char text[GRPC_BENCH_MESSAGE_MAX];
    memset(text, 'm', sizeof text);
    for (size_t i = 0; i < 300; i++)
        grpc_bench_frame(&in, 0, (ax_str){text, i * 37 % (GRPC_BENCH_MESSAGE_MAX + 1)});
    ax_writer_bytes(&want, ax_writer_str(&in));
    grpc_bench_frame(&want, 0, AX_STR("bye"));
    int32_t id = call("/a.Test/Chat", FIELDS, ax_writer_str(&in), false);
    CHECK(reply_to(id)->closed && strstr(reply_to(id)->trailers, "grpc-status: 0\n"));
    /* An empty message and no message are both answered: the first with none in this service. */
    CHECK(ax_str_ends(ax_writer_str(&reply_to(id)->body), AX_STR("bye")));
    CHECK_EQ(grpc_bench.handled, 301);
    CHECK_EQ(reply_to(id)->body.len, want.len);
    http2_bench_close(&grpc_bench.http2);
}

TEST(grpc_a_call_may_end_later_and_send_meanwhile)
{
    CHECK(grpc_bench_open());
    int32_t id = call("/a.Test/Watch", FIELDS, AX_STR(HELLO), false);
    CHECK(grpc_bench.kept && reply_to(id)->status == 0);
    for (int i = 1; i <= 2; i++) {
        ax_writer_text(ax_grpc_reply(grpc_bench.kept), "now");
        ax_grpc_send(grpc_bench.kept);
        http2_bench_pump(&grpc_bench.http2);
        CHECK_EQ(reply_to(id)->body.len, 8 * i);
    }
    ax_status down = ax_fail(ax_grpc_ctx(grpc_bench.kept), AX_UNAVAILABLE, "the server stops");
    grpc_bench_end_kept(down);
    http2_bench_pump(&grpc_bench.http2);
    CHECK(strstr(reply_to(id)->trailers, "grpc-status: 14\ngrpc-message: the server stops\n"));
    CHECK_EQ(grpc_bench.ended_code, AX_GRPC_UNAVAILABLE);

    id = call("/a.Test/Wait", FIELDS "grpc-timeout: 500m\n", AX_STR(HELLO), false);
    CHECK_EQ(ax_grpc_ctx(grpc_bench.kept)->deadline_ns, grpc_bench.http2.now_ns + 500 * HTTP2_MS);
    grpc_bench_end_kept(AX_OK);
    http2_bench_pump(&grpc_bench.http2);
    CHECK_EQ(reply_to(id)->body.len, 5); /* a reply is due, if only an empty one */

    id = call("/a.Test/Watch", FIELDS "grpc-timeout: 500m\n", AX_STR(HELLO), false);
    grpc_bench.http2.now_ns = ax_session_wants(grpc_bench.http2.session).deadline_ns;
    ax_session_expire(grpc_bench.http2.session, grpc_bench.http2.now_ns);
    http2_bench_pump(&grpc_bench.http2);
    CHECK(grpc_bench.gone == 1 && reply_to(id)->error_code == NGHTTP2_CANCEL);
    CHECK_EQ(grpc_bench.ended_code, AX_GRPC_CANCELLED);
    call("/a.Test/Watch", FIELDS, AX_STR(HELLO), false);
    ax_session_close(grpc_bench.http2.session);
    grpc_bench.http2.session = NULL;
    CHECK_EQ(grpc_bench.gone, 2);
    CHECK_EQ(grpc_bench.ended, 4);
    http2_bench_close(&grpc_bench.http2);
}

static void
ping(int64_t after_ms)
{
    grpc_bench.http2.now_ns += after_ms * HTTP2_MS;
    nghttp2_submit_ping(grpc_bench.http2.client.session, NGHTTP2_FLAG_NONE, NULL);
    http2_bench_pump(&grpc_bench.http2);
}

/* The bench's gap is a minute: two may come sooner, the third is one too many. */
TEST(grpc_pings_without_anything_between_them_end_the_connection)
{
    const struct http2_client *client = &grpc_bench.http2.client;
    CHECK(grpc_bench_open());
    for (int i = 0; i < 10; i++)
        ping(1); /* no call yet: HTTP/2's own rules */
    call("/a.Test/Watch", FIELDS, AX_STR(HELLO), false);
    CHECK(grpc_bench.kept);
    for (int i = 0; i < 4; i++)
        ping(60'000);
    for (int i = 0; i < 10; i++) { /* with data between them */
        ax_writer_text(ax_grpc_reply(grpc_bench.kept), "now");
        ax_grpc_send(grpc_bench.kept);
        http2_bench_pump(&grpc_bench.http2);
        ping(1);
        ping(1);
    }
    CHECK_EQ(client->goaway_count, 0);
    ping(1);
    CHECK_EQ(client->goaway_count, 0);
    ping(1);
    CHECK_EQ(client->goaway_count, 1);
    CHECK_EQ(client->goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
    CHECK_EQ(memcmp(client->goaway_words, "too_many_pings", 14), 0);
    grpc_bench_end_kept(AX_OK);
    http2_bench_close(&grpc_bench.http2);
}

TEST(grpc_replies_are_compressed_for_clients_who_take_it)
{
    static char text[900];
    memset(text, 'z', sizeof text);
    ax_writer_auto struct ax_writer in = ax_writer_of(1 << 12), back = ax_writer_of(1 << 12);
    struct ax_ctx ctx = ax_ctx_of(NULL);
    CHECK(grpc_bench_open());
    grpc_bench.grpc.compress_bytes_min = 500;
    grpc_bench_frame(&in, 0, (ax_str){text, sizeof text});
    int32_t id = call("/a.Test/Echo", FIELDS "grpc-accept-encoding: identity,gzip\n",
                      ax_writer_str(&in), false);
    ax_str body = ax_writer_str(&reply_to(id)->body);
    CHECK(strstr(reply_to(id)->head, "grpc-encoding: gzip\n"));
    CHECK(body.len > 5 && body.len < 100 && body.at[0] == 1);
    CHECK_EQ(ax_compress_inflate(&ctx, AX_COMPRESS_GZIP, ax_str_from(body, 5), &back), AX_OK);
    CHECK(ax_str_eq(ax_writer_str(&back), (ax_str){text, sizeof text}));
    id = call("/a.Test/Echo", FIELDS "grpc-accept-encoding: gzip\n", AX_STR(HELLO), false);
    CHECK(ax_str_eq(ax_writer_str(&reply_to(id)->body), AX_STR(HELLO))); /* a small one is not */
    id = call("/a.Test/Echo", FIELDS, ax_writer_str(&in), false);
    CHECK(ax_str_eq(ax_writer_str(&reply_to(id)->body), ax_writer_str(&in)));
    http2_bench_close(&grpc_bench.http2);
}

TEST(grpc_messages_inflate_within_their_limit)
{
    static char zeros[GRPC_BENCH_MESSAGE_MAX + 1];
    for (size_t over = 0; over < 2; over++) {
        ax_auto(ax_deflater_free) struct ax_deflater *deflater = ax_deflater_new(AX_COMPRESS_GZIP);
        ax_writer_auto struct ax_writer small = ax_writer_of(1 << 12), in = ax_writer_of(1 << 12);
        CHECK_EQ(ax_deflater_run(deflater, (ax_str){zeros, GRPC_BENCH_MESSAGE_MAX + over}, &small),
                 AX_OK);
        grpc_bench_frame(&in, 1, ax_writer_str(&small));
        CHECK(grpc_bench_open());
        int32_t id =
            call("/a.Test/Echo", FIELDS "grpc-encoding: gzip\n", ax_writer_str(&in), false);
        if (over)
            CHECK(strstr(reply_to(id)->head, "grpc-status: 8\n"));
        else
            CHECK_EQ(reply_to(id)->body.len, 5 + GRPC_BENCH_MESSAGE_MAX);
        http2_bench_close(&grpc_bench.http2);
    }
}

TEST(grpc_timeouts_are_read_strictly)
{
    static const struct {
        const char *text;
        int64_t ns; /* -1: none */
    } cases[] = {
        {"1490m", 1'490'000'000},
        {"1n", 1},
        {"7u", 7'000},
        {"2S", 2'000'000'000},
        {"3M", 180'000'000'000},
        {"1H", 3'600'000'000'000},
        {"00000001S", 1'000'000'000},
        {"00000001n", 1},
        {"99999999H", INT64_MAX},
        {"", -1},
        {"S", -1},
        {"5", -1},
        {"-5S", -1},
        {"1.5S", -1},
        {"123456789n", -1},
        {"5s", -1},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        int64_t ns = -1;
        bool ok = ax_grpc_timeout_parse(ax_str_of(cases[i].text), &ns);
        if (ns != cases[i].ns || ok != (cases[i].ns >= 0))
            ax_test_failed(__FILE__, __LINE__, "%s: %" PRId64, cases[i].text, ns);
    }
}

TEST(grpc_words_are_escaped_byte_by_byte)
{
    static const struct {
        const char *words, *want;
    } cases[] = {{"", ""},
                 {"plain, ~ and space", "plain, ~ and space"},
                 {"100%", "100%25"},
                 {"\xc3\xa9\n\x7f\x1f", "%C3%A9%0A%7F%1F"}};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(100);
        ax_grpc_message_escape(ax_str_of(cases[i].words), &out);
        CHECK_STR(ax_writer_str(&out), cases[i].want);
    }
}

static ax_status
call_once(struct ax_ctx *ctx)
{
    ax_status status = ax_fail(ctx, AX_LIMIT, "not answered");
    if (grpc_bench_open()) {
        struct http2_bench *bench = &grpc_bench.http2;
        int32_t chat = http2_client_ask(&bench->client, "POST", "/a.Test/Chat", FIELDS,
                                        AX_STR(HELLO HELLO), false);
        int32_t echo =
            http2_client_ask(&bench->client, "POST", "/a.Test/Echo", FIELDS "grpc-encoding: gzip\n",
                             AX_STR("\1\0\0\0\x19" HELLO_GZIP), false);
        const uint8_t *bytes;
        for (ssize_t len; (len = nghttp2_session_mem_send(bench->client.session, &bytes)) > 0;)
            http2_bench_receive(bench, (ax_str){(const char *)bytes, (size_t)len});
        http2_bench_send(bench);
        if (reply_to(chat)->body.len == 28 && reply_to(echo)->body.len == 10 &&
            strstr(reply_to(chat)->trailers, "grpc-status: 0") &&
            strstr(reply_to(echo)->trailers, "grpc-status: 0"))
            status = AX_OK;
    }
    http2_bench_close(&grpc_bench.http2);
    return status;
}

TEST(grpc_survives_every_fault)
{
    FAULT_SWEEP(call_once);
}
