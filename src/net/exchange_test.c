#include "net/exchange.h"

#include "net/loopback_test.h"

static struct ax_exchange_times last_times;
static int last_status, answered_count, wrong_count;
static char seen_trace[64], seen_id[160];

static void
keep_text(char *out, size_t out_bytes, ax_str text)
{
    snprintf(out, out_bytes, "%.*s", AX_FMT(text));
}

static void
exchange_handler(void *arg, struct ax_exchange *exchange)
{
    const struct ax_http_request *request = ax_exchange_request(exchange);
    struct ax_ctx *ctx = ax_exchange_ctx(exchange);
    wrong_count += ax_exchange_loop_data(exchange) != ax_loop_data(ax_exchange_loop(exchange));
    wrong_count += *ax_exchange_slot(exchange) != NULL || ctx->error[0] != '\0' ||
                   !ax_str_eq(ax_exchange_peer(exchange), AX_STR("127.0.0.1")) ||
                   ax_exchange_listener(exchange) != 0 || ctx->deadline_ns == INT64_MAX;
    *ax_exchange_slot(exchange) = arg;
    keep_text(seen_trace, sizeof seen_trace, ctx->trace_id);
    keep_text(seen_id, sizeof seen_id, ax_exchange_request_id(exchange));
    char *memory = ax_arena_alloc(ctx->arena, 1, 5'000);
    wrong_count += !memory;
    snprintf(ctx->error, sizeof ctx->error, "left behind");
    if (ax_str_eq(request->path, AX_STR("/split")))
        ax_exchange_header(exchange, AX_STR("X-A"), AX_STR("b\r\nX-C: d"));
    if (ax_str_eq(request->path, AX_STR("/name")))
        ax_exchange_header(exchange, AX_STR("X A"), AX_STR("b"));
    for (int i = 0; ax_str_eq(request->path, AX_STR("/many")) && i < 5'000; i++)
        ax_exchange_header(exchange, AX_STR("X-A"), AX_STR("b"));
    for (int i = 0; ax_str_eq(request->path, AX_STR("/large")) && i < 300; i++)
        ax_writer_text(ax_exchange_body(exchange), "0123456789");
    if (ax_str_eq(request->path, AX_STR("/again"))) {
        ax_exchange_header(exchange, AX_STR("X-Gone"), AX_STR("b\n"));
        ax_writer_text(ax_exchange_body(exchange), "gone");
        ax_exchange_restart(exchange);
    }
    if (ax_str_eq(request->path, AX_STR("/204")))
        ax_exchange_set_status(exchange, 204);
    ax_exchange_header(exchange, AX_STR("X-Fine"), AX_STR("yes"));
    ax_writer_text(ax_exchange_body(exchange), "body");
    ax_exchange_finish(exchange);
}

static void
exchange_answered(void *arg, struct ax_exchange *exchange)
{
    last_times = *ax_exchange_times(exchange);
    last_status = ax_exchange_status(exchange);
    wrong_count += last_status == 200 && ax_exchange_body_bytes(exchange) != 4;
    wrong_count += last_status == 200 && *ax_exchange_slot(exchange) != arg;
    answered_count++;
}

static void
exchange_refused(void *arg, struct ax_exchange *exchange, int status, ax_str reason)
{
    (void)arg;
    ax_exchange_header(exchange, AX_STR("Content-Type"), AX_STR("application/problem+json"));
    ax_writer_print(ax_exchange_body(exchange), "{\"status\":%d,\"detail\":\"%.*s\"}", status,
                    AX_FMT(reason));
}

static const struct {
    const char *request;
    int status;
    const char *head, *body; /* to be found in the answer */
} answers[] = {
    {LOOPBACK_GET, 200, "X-Fine: yes\r\nContent-Length: 4\r\n", "body"},
    {"GET /again HTTP/1.1\r\nHost: a\r\n\r\n", 200, "X-Fine: yes", "body"},
    {"GET /split HTTP/1.1\r\nHost: a\r\n\r\n", 500, "application/problem+json", "cannot be sent"},
    {"GET /name HTTP/1.1\r\nHost: a\r\n\r\n", 500, "application/problem+json", "cannot be sent"},
    {"GET /many HTTP/1.1\r\nHost: a\r\n\r\n", 500, "application/problem+json", "cannot be sent"},
    {"GET /large HTTP/1.1\r\nHost: a\r\n\r\n", 500, "application/problem+json", "cannot be sent"},
    {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200, "Content-Length: 4\r\n", ""},
    {"GET /204 HTTP/1.1\r\nHost: a\r\n\r\n", 204, "X-Fine", ""},
    {"GET / HTTP/1.1\r\n\r\n", 400, "application/problem+json", "Host header is missing"},
};

TEST(an_answer_goes_out_as_built_or_as_an_error_and_never_half)
{
    struct loopback server;
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.arg = &answered_count,
                                          .handler = exchange_handler,
                                          .refused = exchange_refused,
                                          .answered = exchange_answered};
    static struct loopback_client client;
    config.loop_count = 1;
    config.answer_bytes_max = 2'000;
    loopback_open(&server, &config, &service);
    loopback_connect(&client, server.port);
    for (size_t i = 0; i < AX_COUNT_OF(answers); i++) {
        struct loopback_answer answer = {};
        CHECK(loopback_send(&client, ax_str_of(answers[i].request)));
        CHECK_EQ(loopback_answer(&client, answers[i].body[0] != '\0', &answer), answers[i].status);
        if (!strstr(answer.head, answers[i].head) || !strstr(answer.body, answers[i].body))
            ax_test_failed(__FILE__, __LINE__, "%s gives %s%s", answers[i].request, answer.head,
                           answer.body);
        CHECK(!strstr(answer.head, "X-C") && !strstr(answer.head, "X-Gone"));
        CHECK(strstr(answer.head, "\r\nDate: ") != NULL);
    }
    CHECK(loopback_ended(&client));
    close(client.fd);
    loopback_close(&server);
    CHECK_EQ(answered_count, AX_COUNT_OF(answers));
    CHECK_EQ(wrong_count, 0);
    CHECK_EQ(last_status, 400);
}

#define TRACE "0af7651916cd43dd8448eb211c80319c"

static const struct {
    const char *name, *header;
    const char *trace, *id; /* NULL: made up */
} ids[] = {
    {"none", "", NULL, NULL},
    {"traceparent", "traceparent: 00-" TRACE "-b7ad6b7169203331-01\r\n", TRACE, TRACE},
    {"upper case", "traceparent: 00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01\r\n", NULL,
     NULL},
    {"all zero", "traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\r\n", NULL,
     NULL},
    {"short", "traceparent: 00-" TRACE "\r\n", NULL, NULL},
    {"request id", "X-Request-ID: abc/1\r\n", NULL, "abc/1"},
    {"request id with a blank", "X-Request-ID: a b\r\n", NULL, NULL},
};

TEST(trace_and_request_ids_are_taken_when_sound_and_made_when_not)
{
    struct loopback server;
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = exchange_handler};
    char request[400], before[64] = "";
    for (size_t i = 0; i < AX_COUNT_OF(ids); i++) {
        loopback_open(&server, &config, &service);
        snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", ids[i].header);
        CHECK_EQ(loopback_ask(server.port, ax_str_of(request)), 200);
        loopback_close(&server);
        CHECK_EQ(strlen(seen_trace), 32);
        CHECK(strcmp(seen_trace, before) != 0);
        snprintf(before, sizeof before, "%s", seen_trace);
        if (ids[i].trace && strcmp(seen_trace, ids[i].trace) != 0)
            ax_test_failed(__FILE__, __LINE__, "%s: trace %s", ids[i].name, seen_trace);
        if (!ids[i].trace && strcmp(seen_trace, TRACE) == 0)
            ax_test_failed(__FILE__, __LINE__, "%s was taken", ids[i].name);
        if (strcmp(seen_id, ids[i].id ? ids[i].id : seen_trace) != 0)
            ax_test_failed(__FILE__, __LINE__, "%s: request id %s", ids[i].name, seen_id);
    }
}

TEST(the_phases_of_a_request_are_timed_in_order)
{
    struct loopback server;
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {
        .arg = &answered_count, .handler = exchange_handler, .answered = exchange_answered};
    static struct loopback_client client;
    struct loopback_answer answer;
    loopback_open(&server, &config, &service);
    loopback_connect(&client, server.port);
    int64_t start_ns = ax_clock_monotonic_ns();
    CHECK(loopback_send(&client, AX_STR("GET / HTTP/1.1\r\nHo")));
    ax_clock_sleep_ms(50);
    CHECK(loopback_send(&client, AX_STR("st: a\r\n\r\n")));
    CHECK_EQ(loopback_answer(&client, true, &answer), 200);
    close(client.fd);
    loopback_close(&server);
    CHECK(start_ns <= last_times.first_byte_ns);
    CHECK(last_times.first_byte_ns + 40'000'000 < last_times.last_byte_ns);
    CHECK(last_times.last_byte_ns <= last_times.handler_ns);
    CHECK(last_times.handler_ns <= last_times.finish_ns);
    CHECK(last_times.finish_ns <= last_times.written_ns);
}
