#include "net/client.h"

#include "net/loopback_test.h"

static void
client_handler(void *arg, struct ax_exchange *exchange)
{
    const struct ax_http_request *request = ax_exchange_request(exchange);
    (void)arg;
    if (ax_str_eq(request->path, AX_STR("/slow")))
        ax_clock_sleep_ms(2'000);
    if (ax_str_eq(request->path, AX_STR("/large")))
        memset(ax_writer_room(ax_exchange_body(exchange), 100'000), 'x', 100'000);
    ax_exchange_set_status(exchange, request->method == AX_HTTP_DELETE ? 404 : 200);
    ax_exchange_header(exchange, AX_STR("X-Method"), request->method_text);
    ax_exchange_header(exchange, AX_STR("X-Query"), request->query);
    ax_exchange_header(exchange, AX_STR("X-Sent"), ax_http_header_find(request, AX_STR("x-mine")));
    ax_exchange_header(exchange, AX_STR("X-Type"),
                       ax_http_header_find(request, AX_STR("content-type")));
    ax_writer_bytes(ax_exchange_body(exchange), request->body);
    ax_exchange_finish(exchange);
}

static struct loopback server;

static void
open_server(void)
{
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = client_handler};
    config.body_bytes_max = 4 << 20;
    loopback_open(&server, &config, &service);
}

static ax_str
url_of(struct ax_ctx *ctx, const char *path)
{
    return ax_str_printf(ctx->arena, "http://127.0.0.1:%d%s", server.port, path);
}

static void
methods(struct ax_ctx *ctx)
{
    static const struct {
        const char *method, *body;
        int status;
    } cases[] = {
        {"", "", 200},        {"GET", "", 200},    {"POST", "hello", 200},
        {"POST", "", 200},    {"PUT", "a", 200},   {"HEAD", "", 200},
        {"DELETE", "", 404},  {"PATCH", "b", 200}, {"GET", "with a body", 200},
        {"OPTIONS", "", 200},
    };
    ax_auto(ax_client_close) struct ax_client *client = NULL;
    CHECK_EQ(ax_client_open(ctx, NULL, &client), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_http_header mine = {AX_STR("X-Mine"), AX_STR("yes")};
        struct ax_client_request request = {.method = ax_str_of(cases[i].method),
                                            .url = url_of(ctx, "/a?b=c%20d"),
                                            .headers = &mine,
                                            .header_count = 1,
                                            .body = ax_str_of(cases[i].body)};
        struct ax_client_answer answer = {};
        CHECK_EQ(ax_client_send(client, ctx, &request, &answer), AX_OK);
        CHECK_EQ(answer.status, cases[i].status);
        CHECK(ax_str_eq(answer.body, ax_str_of(cases[i].body)));
        CHECK(ax_str_eq(ax_client_header_find(&answer, AX_STR("x-METHOD")),
                        ax_str_of(cases[i].method[0] ? cases[i].method : "GET")));
        CHECK_STR(ax_client_header_find(&answer, AX_STR("X-Query")), "b=c%20d");
        CHECK_STR(ax_client_header_find(&answer, AX_STR("X-Sent")), "yes");
        CHECK_STR(ax_client_header_find(&answer, AX_STR("X-Type")), "");
        CHECK(ax_client_header_find(&answer, AX_STR("X-None")).at == NULL);
    }
    CHECK_EQ(ax_loops_totals(server.loops).connections_accepted, 1); /* it was kept alive */
}

TEST(a_client_sends_and_reads_over_one_connection)
{
    open_server();
    ax_test_with_ctx(methods);
    loopback_close(&server);
}

static void
large_bodies(struct ax_ctx *ctx)
{
    ax_auto(ax_client_close) struct ax_client *client = NULL;
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx large = ax_ctx_of(arena);
    CHECK_EQ(ax_client_open(ctx, NULL, &client), AX_OK);
    char *body = ax_arena_alloc(arena, 1, 3 << 20);
    memset(body, 'y', 3 << 20);
    struct ax_client_request request = {
        .method = AX_STR("POST"), .url = url_of(ctx, "/"), .body = {body, 3 << 20}};
    struct ax_client_answer answer = {};
    CHECK_EQ(ax_client_send(client, &large, &request, &answer), AX_OK); /* with 100 Continue */
    CHECK_EQ(answer.status, 200);
    CHECK(ax_str_eq(answer.body, request.body));
    request.body.len = (3 << 20) - 1;
    request.answer_bytes_max = 1'000;
    CHECK_EQ(ax_client_send(client, &large, &request, &answer), AX_LIMIT);
    CHECK(strstr(large.error, "too large") != NULL);
    request = (struct ax_client_request){.url = url_of(ctx, "/large"), .answer_bytes_max = 99'999};
    CHECK_EQ(ax_client_send(client, &large, &request, &answer), AX_LIMIT);
    request.answer_bytes_max = 100'000;
    CHECK_EQ(ax_client_send(client, &large, &request, &answer), AX_OK);
}

TEST(a_client_takes_large_answers_up_to_its_limit)
{
    open_server();
    ax_test_with_ctx(large_bodies);
    loopback_close(&server);
}

static void
failures(struct ax_ctx *ctx)
{
    ax_auto(ax_client_close) struct ax_client *client = NULL;
    struct ax_client_answer answer = {};
    struct ax_http_header split = {AX_STR("X-A"), AX_STR("a\r\nX-B: c")};
    CHECK_EQ(ax_client_open(ctx, NULL, &client), AX_OK);
    CHECK_EQ(ax_client_send(client, ctx,
                            &(struct ax_client_request){.url = AX_STR("http://127.0.0.1:1/")},
                            &answer),
             AX_UNAVAILABLE);
    CHECK(strstr(ctx->error, "http://127.0.0.1:1/") != NULL);
    CHECK_EQ(ax_client_send(client, ctx,
                            &(struct ax_client_request){.url = AX_STR("file:///etc/passwd")},
                            &answer),
             AX_INVALID);
    CHECK_EQ(ax_client_send(client, ctx, &(struct ax_client_request){.url = AX_STR("http://a\0b/")},
                            &answer),
             AX_INVALID);
    CHECK_EQ(ax_client_send(client, ctx,
                            &(struct ax_client_request){
                                .url = url_of(ctx, "/"), .headers = &split, .header_count = 1},
                            &answer),
             AX_INVALID);
    ctx->deadline_ns = ax_clock_monotonic_ns() + 200'000'000;
    CHECK_EQ(ax_client_send(client, ctx, &(struct ax_client_request){.url = url_of(ctx, "/slow")},
                            &answer),
             AX_TIMEOUT);
    CHECK_EQ(
        ax_client_send(client, ctx, &(struct ax_client_request){.url = url_of(ctx, "/")}, &answer),
        AX_TIMEOUT);
    CHECK_EQ(answer.status, 0);
}

TEST(a_client_says_what_kept_the_answer_from_arriving)
{
    open_server();
    ax_test_with_ctx(failures);
    loopback_close(&server);
}

static void
over_unix(struct ax_ctx *ctx)
{
    ax_str path = ax_str_printf(ctx->arena, "/tmp/axiom_client_%d.sock", (int)getpid());
    ax_str listen[] = {AX_STR("127.0.0.1:0"), ax_str_printf(ctx->arena, "unix:%.*s", AX_FMT(path))};
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = client_handler};
    ax_auto(ax_client_close) struct ax_client *client = NULL;
    struct ax_client_config client_config = {.unix_socket = path};
    struct ax_loops *loops = NULL;
    struct ax_client_answer answer = {};
    CHECK_EQ(ax_loops_open(ctx, &config, &service, listen, 2, &loops), AX_OK);
    CHECK(ax_loops_port(loops, 0) > 0);
    CHECK_EQ(ax_loops_port(loops, 1), 0);
    CHECK_EQ(ax_client_open(ctx, &client_config, &client), AX_OK);
    for (int i = 0; i < 3; i++) {
        struct ax_client_request request = {
            .method = AX_STR("POST"), .url = AX_STR("http://axiom/x"), .body = AX_STR("hello")};
        CHECK_EQ(ax_client_send(client, ctx, &request, &answer), AX_OK);
        CHECK_EQ(answer.status, 200);
        CHECK_STR(answer.body, "hello");
    }
    ax_loops_close(loops);
    CHECK(access(path.at, F_OK) != 0);
}

TEST(a_unix_socket_serves_as_well)
{
    ax_test_with_ctx(over_unix);
}

static ax_status
open_and_send(struct ax_ctx *ctx)
{
    ax_auto(ax_client_close) struct ax_client *client = NULL;
    struct ax_http_header mine = {AX_STR("X-Mine"), AX_STR("yes")};
    struct ax_client_request request = {.method = AX_STR("POST"),
                                        .url = url_of(ctx, "/"),
                                        .headers = &mine,
                                        .header_count = 1,
                                        .body = AX_STR("x")};
    if (!request.url.at)
        return AX_LIMIT;
    struct ax_client_answer answer = {};
    AX_TRY(ax_client_open(ctx, NULL, &client));
    AX_TRY(ax_client_send(client, ctx, &request, &answer));
    CHECK_EQ(answer.status, 200);
    return AX_OK;
}

TEST(a_client_survives_every_fault)
{
    open_server();
    FAULT_SWEEP(open_and_send);
    loopback_close(&server);
}

static void
inside(struct ax_ctx *ctx)
{
    static const char *const urls[] = {"http://127.0.0.1:9/", "http://localhost:9/",
                                       "http://[::1]:9/"};
    const struct ax_client_config config = {.public_only = true};
    ax_auto(ax_client_close) struct ax_client *client = NULL;
    CHECK_EQ(ax_client_open(ctx, &config, &client), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(urls); i++) {
        const struct ax_client_request request = {.url = ax_str_of(urls[i])};
        struct ax_client_answer answer;
        CHECK_EQ(ax_client_send(client, ctx, &request, &answer), AX_UNAVAILABLE);
        CHECK(!ax_test_said(ctx, "refused")); /* it did not even knock */
    }
}

TEST(a_client_for_the_open_internet_stays_out_of_this_house)
{
    ax_test_with_ctx(inside);
}

TEST(retry_after_is_read_in_whole_seconds)
{
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {{"0", 0},
                 {"120", 120},
                 {"-1", -1},
                 {"1.5", -1},
                 {"", -1},
                 {"9223372036854775808", -1},
                 {"Wed, 21 Oct 2026 07:28:00 GMT", -1}};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_http_header header = {AX_STR("Retry-After"), ax_str_of(cases[i].text)};
        const struct ax_client_answer answer = {.headers = &header, .header_count = 1};
        CHECK_EQ(ax_client_retry_after_s(&answer), cases[i].want);
    }
    CHECK_EQ(ax_client_retry_after_s(&(struct ax_client_answer){}), -1);
}
