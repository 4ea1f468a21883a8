#include "server/server.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net/client.h"
#include "server_case.h"
#include "sys/clock.h"
#include "sys/log.h"

/* A server on a thread of its own, behind a Unix socket in the case's folder. */
struct running {
    struct server_case made;
    struct ax_arena *arena;
    struct ax_ctx ctx;
    struct ax_server_options options;
    struct ax_client *client;
    struct ax_thread *thread;
    ax_str socket;
    ax_status status;
};

static void
with_room(void (*body)(struct ax_ctx *ctx))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(256 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    body(&ctx);
}

/* As the server does to itself: its threads and the test's inherit it. */
static void
hold_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

static void
serve(void *arg)
{
    struct running *running = arg;
    running->status = ax_server_run(&running->ctx, &running->options);
}

static struct ax_client_answer
ask(struct ax_ctx *ctx, struct running *running, const char *line, ax_str token, ax_str body)
{
    struct ax_client_answer answer = {};
    ax_str path = ax_str_of(line), method = {};
    CHECK(ax_str_cut(&path, ' ', &method));
    struct ax_http_header header = {AX_STR("Authorization"),
                                    ax_str_printf(ctx->arena, "Bearer %.*s", AX_FMT(token))};
    const struct ax_client_request request = {
        .method = method,
        .url = ax_str_printf(ctx->arena, "http://axiom%.*s", AX_FMT(path)),
        .headers = &header,
        .header_count = token.len ? 1 : 0,
        .body = body,
    };
    ax_status status = ax_client_send(running->client, ctx, &request, &answer);
    return status == AX_OK ? answer : (struct ax_client_answer){.body = AX_STR("")};
}

static void
start(struct ax_ctx *ctx, struct running *running)
{
    running->arena = ax_arena_new(256 << 20);
    running->ctx = ax_ctx_of(running->arena);
    running->socket = ax_str_printf(ctx->arena, "%s/socket", running->made.folder);
    running->options.listen[0] = ax_str_printf(ctx->arena, "unix:%.*s", AX_FMT(running->socket));
    running->options.listen_count = 1;
    running->options.overrides[running->options.override_count++] =
        (struct ax_server_override){AX_STR("net.loop_count"), AX_STR("1")};
    const struct ax_client_config client = {.unix_socket = running->socket};
    CHECK_EQ(ax_client_open(ctx, &client, &running->client), AX_OK);
    hold_signals();
    CHECK_EQ(ax_thread_start(ctx, "server", serve, running, &running->thread), AX_OK);
    int64_t end_ns = ax_clock_monotonic_ns() + 20'000'000'000;
    while (ask(ctx, running, "GET /healthz", AX_STR(""), AX_STR("")).status != 200 &&
           ax_clock_monotonic_ns() < end_ns)
        ax_clock_sleep_ms(5);
}

static void
stop(struct running *running, int number)
{
    CHECK_EQ(kill(getpid(), number), 0);
    ax_thread_join(running->thread);
    ax_client_close(running->client);
    ax_arena_free(running->arena);
}

static bool
says(const struct ax_client_answer *answer, const char *words)
{
    return ax_str_find(answer->body, ax_str_of(words)) != SIZE_MAX;
}

/* ---- development mode ---- */

static void
development(struct ax_ctx *ctx)
{
    static const char row[] = "{\"inputs\":[{\"name\":\"input-0\",\"datatype\":\"FP32\",\"shape\":"
                              "[1,3],\"data\":[41,1200.5,1]}]}";
    struct running running = {
        .options = {.models = {{AX_STR("dart"), AX_STR("tests/model/small/dart.json")},
                               {AX_STR("again"), AX_STR("tests/model/small/xgboost.ubj")}},
                    .model_count = 2}};
    server_case_make(ctx, &running.made);
    start(ctx, &running);
    struct ax_client_answer answer = ask(ctx, &running, "GET /readyz", AX_STR(""), AX_STR(""));
    CHECK(says(&answer, "{\"parts\":{\"mode\":\"development\"},\"ready\":true}"));
    answer = ask(ctx, &running, "GET /v2/models", AX_STR(""), AX_STR(""));
    CHECK(says(&answer, "[\"dart\",\"again\"]"));
    answer = ask(ctx, &running, "POST /v2/models/dart/infer", AX_STR(""), ax_str_of(row));
    CHECK(answer.status == 200 && says(&answer, "\"predict\""));
    answer = ask(ctx, &running, "GET /v2/models/dart", AX_STR(""), AX_STR(""));
    CHECK(says(&answer, "\"governed\":\"false\""));
    answer = ask(ctx, &running, "GET /metrics", AX_STR(""), AX_STR(""));
    CHECK(says(&answer, "axiom_http_connections 1\n"));
    stop(&running, SIGINT);
    CHECK_EQ(running.status, AX_OK);
    server_case_done(ctx, &running.made);
}

TEST(bare_models_are_served_until_a_signal_comes)
{
    with_room(development);
}

/* ---- governed ---- */

static void
init(struct ax_ctx *ctx, struct running *running, ax_str *out_token)
{
    server_case_make(ctx, &running->made);
    struct ax_init init = {.root = running->made.root,
                           .keys = running->made.keys,
                           .origin = AX_STR("axiom.test/ledger"),
                           .admin = AX_STR("amy")};
    CHECK_EQ(ax_init(ctx, &init), AX_OK);
    *out_token = init.token;
    running->options.data_dir = running->made.root;
}

/* Waits for what the jobs do by themselves. */
static bool
comes_true(struct ax_ctx *ctx, struct running *running, const char *line, const char *words)
{
    int64_t end_ns = ax_clock_monotonic_ns() + 20'000'000'000;
    while (ax_clock_monotonic_ns() < end_ns) {
        struct ax_client_answer answer = ask(ctx, running, line, AX_STR(""), AX_STR(""));
        if (says(&answer, words))
            return true;
        ax_clock_sleep_ms(20);
    }
    return false;
}

static void
governed(struct ax_ctx *ctx)
{
    struct running running = {};
    struct ax_services services;
    ax_str token = AX_STR("");
    init(ctx, &running, &token);
    CHECK_EQ(server_case_open(ctx, &running.made, &services), AX_OK);
    uint64_t size = ax_ledger_size(services.ledger);
    ax_services_close(&services);
    start(ctx, &running);
    struct ax_client_answer answer = ask(ctx, &running, "GET /readyz", AX_STR(""), AX_STR(""));
    CHECK(answer.status == 200 && says(&answer, "\"store\":\"ready\""));
    answer = ask(ctx, &running, "GET /api/v1/whoami", AX_STR(""), AX_STR(""));
    CHECK_EQ(answer.status, 401);
    answer = ask(ctx, &running, "GET /api/v1/whoami", token, AX_STR(""));
    CHECK(answer.status == 200 && says(&answer, "\"id\":\"amy\""));

    /* The start is a fact; that somebody was let, and what they did, follow by themselves. */
    ax_str facts =
        ax_str_printf(ctx->arena, "axiom_ledger_facts %llu\n", (unsigned long long)size + 3);
    answer = ask(ctx, &running, "POST /api/v1/users", token, AX_STR("{\"id\":\"dana\"}"));
    CHECK_EQ(answer.status, 201);
    CHECK(comes_true(ctx, &running, "GET /metrics", ax_str_c(ctx->arena, facts)));

    /* Nobody else serves this directory meanwhile. */
    struct ax_server_options second = running.options;
    CHECK_EQ(ax_server_run(ctx, &second), AX_CONFLICT);
    CHECK(strstr(ctx->error, "another server runs on") != NULL);
    stop(&running, SIGTERM);
    CHECK_EQ(running.status, AX_OK);
    CHECK_EQ(server_case_open(ctx, &running.made, &services), AX_OK);
    CHECK_EQ(ax_ledger_size(services.ledger), size + 4); /* start, allowed, user, stop */
    ax_services_close(&services);
    server_case_done(ctx, &running.made);
}

TEST(r92_a_directory_is_served_by_one_and_its_start_and_end_are_facts)
{
    with_room(governed);
}

/* A copy of what people are judged by, beside the ledger: only if allowed, and then it is a fact.
 */
static void
payloads(struct ax_ctx *ctx)
{
    struct running running = {};
    struct ax_services services;
    ax_str token = AX_STR("");
    uint64_t sizes[3] = {};
    init(ctx, &running, &token);
    ax_str file = ax_str_printf(ctx->arena, "%s/payloads", running.made.folder);
    size_t override_count = running.options.override_count;
    running.options.overrides[override_count++] =
        (struct ax_server_override){AX_STR("payload_log.file"), file};
    running.options.override_count = override_count;
    CHECK_EQ(ax_server_run(ctx, &running.options), AX_DENIED);
    CHECK(strstr(ctx->error, "payload_log.governed") != NULL);
    running.options.overrides[running.options.override_count++] =
        (struct ax_server_override){AX_STR("payload_log.governed"), AX_STR("true")};
    for (int on = 1; on >= 0; on--) {
        struct running again = running;
        if (!on)
            again.options.overrides[override_count - 1].value = AX_STR("");
        CHECK_EQ(server_case_open(ctx, &running.made, &services), AX_OK);
        sizes[0] = ax_ledger_size(services.ledger);
        ax_services_close(&services);
        start(ctx, &again);
        stop(&again, SIGTERM);
        CHECK_EQ(again.status, AX_OK);
        CHECK_EQ(server_case_open(ctx, &running.made, &services), AX_OK);
        sizes[1 + on] = ax_ledger_size(services.ledger) - sizes[0];
        ax_services_close(&services);
    }
    CHECK_EQ(sizes[1], 2); /* start, stop */
    CHECK_EQ(sizes[2], 3); /* and that it was on */
    server_case_done(ctx, &running.made);
}

TEST(r100_payloads_beside_the_ledger_must_be_allowed_and_are_a_fact)
{
    with_room(payloads);
}

/* Keys that lie where the directory's own settings do not say are named by a flag. */
static void
backed_up(struct ax_ctx *ctx)
{
    struct running running = {};
    ax_str token = AX_STR("");
    init(ctx, &running, &token);
    ax_str settings = ax_str_printf(ctx->arena, "%.*s/axiom.yaml", AX_FMT(running.made.root));
    CHECK_EQ(ax_file_write_atomic(ctx, settings, AX_STR("server:\n  origin: axiom.test/ledger\n")),
             AX_OK);
    running.options.overrides[running.options.override_count++] =
        (struct ax_server_override){AX_STR("server.keys"), running.made.keys};
    start(ctx, &running);
    struct ax_client_answer answer = ask(ctx, &running, "GET /api/v1/whoami", token, AX_STR(""));
    CHECK_EQ(answer.status, 200);
    stop(&running, SIGTERM);
    CHECK_EQ(running.status, AX_OK);
    server_case_done(ctx, &running.made);
}

TEST(r93_keys_are_found_where_a_flag_says)
{
    with_room(backed_up);
}

/* A connection that is kept and asks in the very moment of the end: it hears that this is one. */
static void
ending(struct ax_ctx *ctx)
{
    struct running running = {
        .options = {.models = {{AX_STR("dart"), AX_STR("tests/model/small/dart.json")}},
                    .model_count = 1}};
    server_case_make(ctx, &running.made);
    start(ctx, &running);
    CHECK_EQ(kill(getpid(), SIGTERM), 0);
    struct ax_client_answer answer;
    int64_t end_ns = ax_clock_monotonic_ns() + 20'000'000'000;
    do
        answer = ask(ctx, &running, "GET /readyz", AX_STR(""), AX_STR(""));
    while (answer.status == 200 && ax_clock_monotonic_ns() < end_ns);
    if (answer.status != 0) /* else it was too late to ask */
        CHECK(answer.status == 503 && says(&answer, "\"server\":\"stopping\""));
    ax_thread_join(running.thread);
    ax_client_close(running.client);
    ax_arena_free(running.arena);
    CHECK_EQ(running.status, AX_OK);
    server_case_done(ctx, &running.made);
}

TEST(readiness_ends_before_the_server_does)
{
    with_room(ending);
}

/* ---- systemd, and settings read again ---- */

static int
listen_for_words(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    const struct timeval patience = {.tv_sec = 20};
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    return fd;
}

/* Reads words until these come; false when they do not. */
static bool
hears(int fd, const char *words)
{
    char room[256];
    for (ssize_t count; (count = recv(fd, room, sizeof room, 0)) > 0;)
        if (ax_str_starts((ax_str){room, (size_t)count}, ax_str_of(words)))
            return true;
    return false;
}

static ax_status
write_settings(struct ax_ctx *ctx, struct running *running, const char *more)
{
    ax_str path = ax_str_printf(ctx->arena, "%.*s/axiom.yaml", AX_FMT(running->made.root));
    ax_str text =
        ax_str_printf(ctx->arena, "server:\n  origin: axiom.test/ledger\n  keys: %.*s\n%s",
                      AX_FMT(running->made.keys), more);
    return ax_file_write_atomic(ctx, path, text);
}

/* All on the client's one connection, which is kept. */
static void
reloaded(struct ax_ctx *ctx)
{
    struct running running = {};
    ax_str token = AX_STR(""), path;
    init(ctx, &running, &token);
    path = ax_str_printf(ctx->arena, "%s/notify", running.made.folder);
    setenv("NOTIFY_SOCKET", ax_str_c(ctx->arena, path), 1);
    setenv("WATCHDOG_USEC", "20000", 1);
    int fd = listen_for_words(path.at);
    CHECK_EQ(write_settings(ctx, &running, ""), AX_OK);
    start(ctx, &running);
    CHECK(hears(fd, "READY=1\n"));
    for (int i = 0; i < 3; i++)
        CHECK(hears(fd, "WATCHDOG=1"));
    struct ax_client_answer answer = ask(ctx, &running, "GET /metrics", AX_STR(""), AX_STR(""));
    CHECK(says(&answer, "axiom_http_connections 1\n"));

    CHECK_EQ(write_settings(ctx, &running, "limits:\n  address_rate: 1\n  address_burst: 2\n"),
             AX_OK);
    CHECK_EQ(kill(getpid(), SIGHUP), 0);
    CHECK(hears(fd, "RELOADING=1\n") && hears(fd, "READY=1\n"));
    int limited = 0;
    for (int i = 0; i < 6; i++)
        limited += ask(ctx, &running, "GET /v2", AX_STR(""), AX_STR("")).status == 429;
    CHECK(limited >= 3);

    /* What cannot change leaves all as it was, also what could have. */
    CHECK_EQ(write_settings(ctx, &running, "net:\n  idle_ms: 1s\n"), AX_OK);
    CHECK_EQ(kill(getpid(), SIGHUP), 0);
    CHECK(hears(fd, "RELOADING=1\n") && hears(fd, "READY=1\n"));
    limited = 0;
    for (int i = 0; i < 6; i++)
        limited += ask(ctx, &running, "GET /v2", AX_STR(""), AX_STR("")).status == 429;
    CHECK(limited >= 3);
    answer = ask(ctx, &running, "GET /metrics", AX_STR(""), AX_STR(""));
    CHECK(says(&answer, "axiom_http_connections 1\n"));
    stop(&running, SIGTERM);
    CHECK(hears(fd, "STOPPING=1\n"));
    CHECK_EQ(running.status, AX_OK);
    close(fd);
    server_case_done(ctx, &running.made);
}

TEST(settings_are_read_again_without_dropping_a_connection)
{
    with_room(reloaded);
}

/* ---- what cannot be served ---- */

static void
refused(struct ax_ctx *ctx)
{
    static const struct ax_model_repository_file sound = {{"dart", 4},
                                                          {"tests/model/small/dart.json", 27}};
    const struct {
        struct ax_server_options options;
        ax_status want;
        const char *words;
    } cases[] = {
        {{.models = {sound}, .model_count = 1, .listen = {AX_STR("0.0.0.0:0")}, .listen_count = 1},
         AX_DENIED,
         "development mode listens on loopback addresses only, not on 0.0.0.0:0"},
        {{.models = {sound},
          .model_count = 1,
          .listen = {AX_STR("127.0.0.1:0"), AX_STR("[::]:0")},
          .listen_count = 2},
         AX_DENIED,
         "not on [::]:0"},
        {{.models = {sound, {AX_STR("x"), AX_STR("tests/model/small/none.json")}},
          .model_count = 2},
         AX_NOT_FOUND,
         "none.json"},
        {{.models = {sound, {AX_STR("x"), AX_STR("tests/harness.h")}}, .model_count = 2},
         AX_INVALID,
         "tests/harness.h: "},
        {{.models = {sound},
          .model_count = 1,
          .overrides = {{AX_STR("net.idle"), AX_STR("5s")}},
          .override_count = 1},
         AX_NOT_FOUND,
         "net.idle"},
        {{.models = {sound},
          .model_count = 1,
          .overrides = {{AX_STR("server.log_level"), AX_STR("loud")}},
          .override_count = 1},
         AX_INVALID,
         "server.log_level must be debug, info, warn or error, not \"loud\""},
        {{.models = {sound},
          .model_count = 1,
          .listen = {AX_STR("127.0.0.1:nowhere")},
          .listen_count = 1},
         AX_INVALID,
         "127.0.0.1:nowhere"},
        {{.data_dir = AX_STR("/nowhere/at/all")}, AX_NOT_FOUND, "is no data directory"},
    };
    hold_signals();
    CHECK_EQ(kill(getpid(), SIGTERM), 0); /* whoever serves all the same ends at once */
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ctx->error[0] = '\0';
        ax_status status = ax_server_run(ctx, &cases[i].options);
        if (status != cases[i].want || !strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "case %zu ends %s: %s", i, ax_status_name(status),
                           ctx->error);
    }
}

TEST(what_cannot_be_served_is_refused_in_words)
{
    with_room(refused);
}

/* ---- faults ---- */

static struct running swept;

/* From start to an orderly end: the signal is there before it is waited for. */
static ax_status
serve_once(struct ax_ctx *ctx)
{
    CHECK_EQ(kill(getpid(), SIGTERM), 0);
    return ax_server_run(ctx, &swept.options);
}

static void
sweep(struct ax_ctx *ctx)
{
    swept.options.listen[0] = ax_str_printf(ctx->arena, "unix:%s/socket", swept.made.folder);
    swept.options.listen_count = 1;
    swept.options.overrides[0] = (struct ax_server_override){AX_STR("net.loop_count"), AX_STR("1")};
    swept.options.overrides[1] =
        (struct ax_server_override){AX_STR("server.log_level"), AX_STR("error")};
    swept.options.override_count = 2;
    hold_signals();
    FAULT_SWEEP(serve_once);
    server_case_done(ctx, &swept.made);
}

static void
sweep_development(struct ax_ctx *ctx)
{
    server_case_make(ctx, &swept.made);
    swept.options.models[0] =
        (struct ax_model_repository_file){AX_STR("dart"), AX_STR("tests/model/small/dart.json")};
    swept.options.model_count = 1;
    sweep(ctx);
}

TEST(serving_bare_models_survives_every_fault)
{
    with_room(sweep_development);
}
