#include <fcntl.h>
#include <stdlib.h>

#include "net/exchange.h"
#include "net/loopback_test.h"

enum { FILE_BYTES = 1'500'000 };

/* What the service answers with: bytes of a file, which may be shorter than is said. */
struct serving {
    int descriptor;
    uint64_t offset, len;
};

static void
serve_file(void *arg, struct ax_exchange *exchange)
{
    const struct serving *serving = arg;
    ax_exchange_header(exchange, AX_STR("Content-Type"), AX_STR("text/plain"));
    CHECK(ax_exchange_body_file(exchange, fcntl(serving->descriptor, F_DUPFD_CLOEXEC, 0),
                                serving->offset, serving->len));
    ax_exchange_finish(exchange);
}

static int
make_file(void)
{
    char path[] = "/tmp/axiom-exchange-file-XXXXXX";
    static char bytes[FILE_BYTES];
    int descriptor = mkostemp(path, O_CLOEXEC);
    AX_ASSERT(descriptor >= 0);
    unlink(path);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)('a' + i % 23);
    AX_ASSERT(write(descriptor, bytes, sizeof bytes) == (ssize_t)sizeof bytes);
    return descriptor;
}

TEST(a_body_that_is_a_file_goes_out_whole_and_the_connection_goes_on)
{
    static struct loopback_client client;
    struct loopback server;
    struct serving serving = {.descriptor = make_file(), .offset = 23, .len = FILE_BYTES - 23};
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.arg = &serving, .handler = serve_file};
    struct loopback_answer answer = {};
    loopback_open(&server, &config, &service);
    loopback_connect(&client, server.port);
    CHECK(loopback_send(&client, AX_STR(LOOPBACK_GET LOOPBACK_GET)));
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(loopback_answer(&client, true, &answer), 200);
        CHECK_EQ(answer.body_len, FILE_BYTES - 23);
        CHECK(ax_str_starts(ax_str_of(answer.body), AX_STR("abcdefghijklmnopqrstuvwabc")));
    }
    CHECK(loopback_send(&client, AX_STR("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" LOOPBACK_GET)));
    CHECK_EQ(loopback_answer(&client, false, &answer), 200);
    CHECK(strstr(answer.head, "Content-Length: 1499977\r\n") != NULL);
    CHECK_EQ(loopback_answer(&client, true, &answer), 200);
    close(client.fd);
    loopback_close(&server);
    close(serving.descriptor);
}

/* More than the kernel takes at once, to a client that reads late: nothing is lost or twice. */
TEST(a_large_file_goes_out_whole_to_a_slow_client)
{
    enum { BYTES = 24 << 20, PIECE = 1 << 20 };
    static struct loopback_client client;
    static char piece[PIECE];
    struct loopback server;
    struct serving serving = {.descriptor = make_file(), .len = BYTES};
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.arg = &serving, .handler = serve_file};
    size_t count = 0, head = 0;
    for (size_t at = 0; at < BYTES; at += PIECE) {
        for (size_t i = 0; i < PIECE; i++)
            piece[i] = (char)('a' + (at + i) % 23);
        CHECK_EQ(pwrite(serving.descriptor, piece, PIECE, (off_t)at), PIECE);
    }
    loopback_open(&server, &config, &service);
    for (int close_after = 0; close_after < 2; close_after++) {
        loopback_connect(&client, server.port);
        CHECK(loopback_send(&client, close_after ? AX_STR("GET / HTTP/1.1\r\nHost: a\r\n"
                                                          "Connection: close\r\n\r\n")
                                                 : AX_STR(LOOPBACK_GET)));
        count = head = 0;
        while (count < BYTES) {
            if (count < BYTES / 2)
                usleep(2'000); /* the socket fills: the rest waits for room */
            ssize_t got = read(client.fd, piece, head ? sizeof piece : 4096);
            REQUIRE(got > 0);
            char *body = head ? piece : memmem(piece, (size_t)got, "\r\n\r\n", 4);
            REQUIRE(body != NULL);
            body += head ? 0 : 4;
            head = 1;
            for (; body < piece + got; body++, count++)
                REQUIRE(*body == (char)('a' + count % 23));
        }
        CHECK_EQ(count, BYTES);
        if (close_after)
            CHECK_EQ(read(client.fd, piece, 1), 0);
        close(client.fd);
    }
    loopback_close(&server);
    close(serving.descriptor);
}

/* A length that was promised and cannot be kept ends the connection: nobody takes it for whole. */
TEST(a_file_that_is_shorter_than_was_said_ends_the_connection)
{
    static struct loopback_client client;
    struct loopback server;
    struct serving serving = {.descriptor = make_file(), .len = FILE_BYTES + 1};
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.arg = &serving, .handler = serve_file};
    struct loopback_answer answer = {};
    loopback_open(&server, &config, &service);
    loopback_connect(&client, server.port);
    CHECK(loopback_send(&client, AX_STR(LOOPBACK_GET)));
    CHECK_EQ(loopback_answer(&client, true, &answer), -1);
    close(client.fd);
    serving.offset = FILE_BYTES;
    loopback_connect(&client, server.port);
    CHECK(loopback_send(&client, AX_STR(LOOPBACK_GET)));
    CHECK_EQ(loopback_answer(&client, true, &answer), 500); /* nothing had been promised yet */
    close(client.fd);
    loopback_close(&server);
    close(serving.descriptor);
}

/* ---- bodies of any length ---- */

/* Counts what comes; the body's first byte says when to end early. */
static void
count_step(void *arg, struct ax_exchange *exchange)
{
    size_t *count = *ax_exchange_slot(exchange);
    ax_str body = ax_exchange_request(exchange)->body;
    (void)arg;
    if (body.len > 0 && body.at[0] == '!') {
        ax_exchange_answer(exchange, 400, AX_STR("application/json"), AX_STR("{\"error\":\"!\"}"));
        return;
    }
    if (!ax_exchange_ended(exchange)) {
        *count += body.len;
        ax_exchange_next(exchange, body.len);
        return;
    }
    char text[32];
    snprintf(text, sizeof text, "%zu", *count + body.len);
    ax_exchange_answer(exchange, 200, AX_STR("text/plain"), ax_str_of(text));
}

static void
count_head(void *arg, struct ax_exchange *exchange, struct ax_http_limits *limits)
{
    size_t *count = AX_NEW(ax_exchange_ctx(exchange)->arena, size_t);
    (void)arg;
    AX_ASSERT(count != NULL);
    *ax_exchange_slot(exchange) = count;
    limits->body_bytes_max = 4 << 20;
    CHECK(ax_exchange_take_body(exchange, count_step));
}

TEST(a_body_of_any_length_is_taken_in_pieces)
{
    static struct loopback_client client;
    static char piece[1 << 20];
    struct loopback server;
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.head = count_head, .handler = loopback_echo};
    struct loopback_answer answer = {};
    memset(piece, 'x', sizeof piece);
    loopback_open(&server, &config, &service);
    loopback_connect(&client, server.port);
    for (int i = 0; i < 2; i++) { /* 20 MiB, on a connection that is kept */
        CHECK(loopback_send(&client, AX_STR("PUT / HTTP/1.1\r\nHost: a\r\n"
                                            "Content-Length: 20971520\r\n\r\n")));
        for (int k = 0; k < 20; k++)
            CHECK(loopback_send(&client, (ax_str){piece, sizeof piece}));
        CHECK_EQ(loopback_answer(&client, true, &answer), 200);
        CHECK_STR(ax_str_of(answer.body), "20971520");
    }
    CHECK(loopback_send(&client, AX_STR("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
                                        "PUT / HTTP/1.1\r\nHost: a\r\n"
                                        "Transfer-Encoding: chunked\r\n\r\n"
                                        "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")));
    CHECK_EQ(loopback_answer(&client, true, &answer), 200);
    CHECK_STR(ax_str_of(answer.body), "0");
    CHECK_EQ(loopback_answer(&client, true, &answer), 200);
    CHECK_STR(ax_str_of(answer.body), "5");
    close(client.fd);
    loopback_close(&server);
}

TEST(a_body_in_pieces_may_be_refused_or_break_off)
{
    static struct loopback_client client;
    struct loopback server;
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.head = count_head, .handler = loopback_echo};
    struct loopback_answer answer = {};
    loopback_open(&server, &config, &service);
    loopback_connect(&client, server.port);
    CHECK(loopback_send(&client,
                        AX_STR("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 999\r\n\r\n!")));
    CHECK_EQ(loopback_answer(&client, true, &answer), 400);
    CHECK(answer.close);
    close(client.fd);
    loopback_connect(&client, server.port); /* not the chunks they should be: no answer is due */
    CHECK(loopback_send(&client, AX_STR("PUT / HTTP/1.1\r\nHost: a\r\n"
                                        "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz")));
    CHECK_EQ(loopback_answer(&client, true, &answer), 0);
    close(client.fd);
    loopback_connect(&client, server.port);
    CHECK(loopback_send(&client,
                        AX_STR("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")));
    shutdown(client.fd, SHUT_WR);
    CHECK_EQ(loopback_answer(&client, true, &answer), 0);
    close(client.fd);
    loopback_close(&server); /* which waits until nobody holds an exchange */
}
