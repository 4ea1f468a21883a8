#include "codec/compress.h"
#include "net/loopback_test.h"

enum { TEXT_BYTES = 20'000 };

static ax_status
make_text(ax_str type, struct ax_writer *out)
{
    bool noise = ax_str_eq(type, AX_STR("text/noise"));
    uint64_t state = 88'172'645'463'325'252;
    while (out->len < TEXT_BYTES && out->status == AX_OK) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ax_writer_char(out, noise ? (char)(state >> 24) : (char)('a' + out->len % 7));
    }
    return out->status;
}

/* A long text of the type that the path names ("/text/plain"); for POST the request's body. */
static void
coding_handler(void *arg, struct ax_exchange *exchange)
{
    const struct ax_http_request *request = ax_exchange_request(exchange);
    (void)arg;
    if (request->method == AX_HTTP_POST) {
        loopback_echo(arg, exchange);
        return;
    }
    ax_str type = ax_str_from(request->path, 1);
    if (ax_str_eq(type, AX_STR("text/coded")))
        ax_exchange_header(exchange, AX_STR("Content-Encoding"), AX_STR("br"));
    ax_exchange_header(exchange, AX_STR("Content-Type"), type);
    ax_ignore(make_text(type, ax_exchange_body(exchange)), "the writer keeps it");
    ax_exchange_finish(exchange);
}

static void
coding_open(struct loopback *server, size_t compress_bytes_min)
{
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = coding_handler};
    config.compress_bytes_min = (int64_t)compress_bytes_min;
    config.compress_bytes_max = 1 << 20;
    loopback_open(server, &config, &service);
}

static const struct {
    const char *path, *accept, *want; /* want: the coding, "" for none */
    bool vary;
} answers[] = {
    {"/text/plain", "gzip", "gzip", true},
    {"/text/plain", "GZIP", "gzip", true},
    {"/text/plain", "deflate", "deflate", true},
    {"/text/plain", "gzip, deflate, br, zstd", "zstd", true},
    {"/text/plain", "deflate, gzip", "gzip", true},
    {"/text/plain", "deflate;q=1.0, gzip;q=0.5", "deflate", true},
    {"/text/plain", "zstd;q=0, gzip;q=0.001", "gzip", true},
    {"/text/plain", "*", "zstd", true},
    {"/text/plain", "zstd;q=0, *", "gzip", true},
    {"/text/plain", "gzip;q=0.5, identity", "", true},
    {"/text/plain", "identity;q=0.5, gzip;q=0.7", "gzip", true},
    {"/text/plain", "gzip;q=2", "", true},
    {"/text/plain", "gzip;q=x", "", true},
    {"/text/plain", "br", "", true},
    {"/text/plain", "", "", true},
    {"/text/noise", "gzip", "", true}, /* it would grow */
    {"/text/coded", "gzip", "br", false},
    {"/application/problem+json; charset=utf-8", "gzip", "gzip", true},
    {"/application/octet-stream", "gzip", "", false},
};

static void
check_answer(struct loopback *server, size_t i)
{
    static struct loopback_client client;
    struct loopback_answer answer;
    ax_writer_auto struct ax_writer request = ax_writer_of(1 << 10), want = ax_writer_of(1 << 10);
    ax_str path = ax_str_of(answers[i].path);
    size_t space = ax_str_find(path, AX_STR(" "));
    path.len = space == SIZE_MAX ? path.len : space;
    ax_writer_print(&request, "GET %.*s HTTP/1.1\r\nHost: a\r\nAccept-Encoding: %s\r\n\r\n",
                    AX_FMT(path), answers[i].accept);
    loopback_connect(&client, server->port);
    CHECK(loopback_send(&client, ax_writer_str(&request)));
    CHECK_EQ(loopback_answer(&client, true, &answer), 200);
    ax_str head = ax_str_of(answer.head);
    ax_writer_print(&want, "Content-Encoding: %s\r\n", answers[i].want);
    bool coded = ax_str_find(head, AX_STR("Content-Encoding: ")) != SIZE_MAX;
    if (coded != (answers[i].want[0] != '\0') ||
        (coded && ax_str_find(head, ax_writer_str(&want)) == SIZE_MAX) ||
        answers[i].vary != (ax_str_find(head, AX_STR("Vary: Accept-Encoding\r\n")) != SIZE_MAX))
        ax_test_failed(__FILE__, __LINE__, "%s %s: %s", answers[i].path, answers[i].accept,
                       answer.head);
    enum ax_compress_coding coding;
    if (ax_compress_coding_of(ax_str_of(answers[i].want), &coding)) {
        ax_writer_auto struct ax_writer back = ax_writer_of(TEXT_BYTES),
                                        text = ax_writer_of(TEXT_BYTES);
        struct ax_ctx ctx = ax_ctx_of(NULL);
        CHECK_EQ(make_text(AX_STR("text/plain"), &text), AX_OK);
        CHECK(answer.body_len < sizeof answer.body);
        CHECK_EQ(ax_compress_inflate(&ctx, coding, (ax_str){answer.body, answer.body_len}, &back),
                 AX_OK);
        CHECK(ax_str_eq(ax_writer_str(&back), ax_writer_str(&text)));
    } else {
        CHECK_EQ(answer.body_len, TEXT_BYTES);
    }
    close(client.fd);
}

TEST(answers_are_compressed_for_clients_who_ask)
{
    struct loopback server;
    coding_open(&server, TEXT_BYTES);
    for (size_t i = 0; i < AX_COUNT_OF(answers); i++)
        check_answer(&server, i);
    loopback_close(&server);
}

TEST(small_answers_go_as_they_are)
{
    static struct loopback_client client;
    static const size_t at_least[] = {0, TEXT_BYTES + 1};
    for (size_t i = 0; i < AX_COUNT_OF(at_least); i++) {
        struct loopback server;
        struct loopback_answer answer;
        coding_open(&server, at_least[i]);
        loopback_connect(&client, server.port);
        CHECK(loopback_send(&client, AX_STR("GET /text/plain HTTP/1.1\r\nHost: a\r\n"
                                            "Accept-Encoding: gzip\r\n\r\n")));
        CHECK_EQ(loopback_answer(&client, true, &answer), 200);
        CHECK_EQ(answer.body_len, TEXT_BYTES);
        CHECK(ax_str_find(ax_str_of(answer.head), AX_STR("Vary")) == SIZE_MAX);
        close(client.fd);
        loopback_close(&server);
    }
}

/* A request whose body is the text in a coding, cut or flipped. */
static void
write_request(struct ax_writer *out, const char *header, ax_str body)
{
    ax_writer_print(out, "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: %s\r\n", header);
    ax_writer_print(out, "Content-Length: %zu\r\n\r\n", body.len);
    ax_writer_bytes(out, body);
}

static void
check_request(struct loopback *server, const char *header, ax_str body, int want, ax_str text)
{
    static struct loopback_client client;
    struct loopback_answer answer = {};
    ax_writer_auto struct ax_writer request = ax_writer_of(1 << 20);
    write_request(&request, header, body);
    loopback_connect(&client, server->port);
    CHECK(loopback_send(&client, ax_writer_str(&request)));
    int status = loopback_answer(&client, true, &answer);
    if (status != want)
        ax_test_failed(__FILE__, __LINE__, "%s of %zu bytes: %d, not %d", header, body.len, status,
                       want);
    if (status == 200)
        CHECK(ax_str_eq((ax_str){answer.body, answer.body_len}, text));
    if (status == 415)
        CHECK(ax_str_find(ax_str_of(answer.head),
                          AX_STR("Accept-Encoding: gzip, deflate, zstd\r\n")) != SIZE_MAX);
    if (status != 200)
        CHECK(answer.close && ax_str_starts(ax_str_of(answer.body), AX_STR("{\"error\":")));
    close(client.fd);
}

TEST(bodies_are_inflated_within_their_limit)
{
    static const struct {
        enum ax_compress_coding coding;
        const char *header;
    } codings[] = {{AX_COMPRESS_GZIP, "gzip"},
                   {AX_COMPRESS_GZIP, "x-gzip"},
                   {AX_COMPRESS_DEFLATE, "Deflate"},
                   {AX_COMPRESS_ZSTD, "zstd"}};
    static char zeros[60'000];
    ax_str text = AX_STR("{\"inputs\":[1,2,3,1,2,3,1,2,3,1,2,3]}");
    struct loopback server;
    coding_open(&server, 0);
    for (size_t i = 0; i < AX_COUNT_OF(codings); i++) {
        ax_auto(ax_deflater_free) struct ax_deflater *deflater = ax_deflater_new(codings[i].coding);
        ax_writer_auto struct ax_writer small = ax_writer_of(1 << 16), bomb = ax_writer_of(1 << 16);
        CHECK_EQ(ax_deflater_run(deflater, text, &small), AX_OK);
        CHECK_EQ(ax_deflater_run(deflater, (ax_str){zeros, sizeof zeros}, &bomb), AX_OK);
        CHECK(bomb.len < 1'000);
        ax_str whole = ax_writer_str(&small);
        check_request(&server, codings[i].header, whole, 200, text);
        check_request(&server, codings[i].header, (ax_str){whole.at, whole.len - 1}, 400, text);
        check_request(&server, codings[i].header, text, 400, text);
        check_request(&server, codings[i].header, ax_writer_str(&bomb), 413, text);
    }
    check_request(&server, "identity", text, 200, text);
    check_request(&server, "br", text, 415, text);
    check_request(&server, "gzip, gzip", text, 415, text);
    check_request(&server, "identity\r\nContent-Encoding: gzip", text, 415, text);
    loopback_close(&server);
}
