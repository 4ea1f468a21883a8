#include "net/loop.h"

#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "net/loopback_test.h"
#include "sys/workers.h"

static struct loopback server;
static struct ax_workers *workers;
static atomic_int handled, finished, answered, cancelled_seen;
static atomic_bool released; /* lets held work go on */

static void
raise_descriptor_limit(void)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max < 8'192 ? limit.rlim_max : 8'192;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static bool
say(int fd, ax_str bytes)
{
    return send(fd, bytes.at, bytes.len, MSG_NOSIGNAL) == (ssize_t)bytes.len;
}

static bool
wait_for(bool (*happened)(void))
{
    for (int i = 0; i < 1'000 && !happened(); i++)
        ax_clock_sleep_ms(10);
    return happened();
}

/* ---- answers finished later, by other threads ---- */

static void
work(void *arg)
{
    struct ax_exchange *exchange = arg;
    ax_str path = ax_exchange_request(exchange)->path;
    if (ax_str_eq(path, AX_STR("/hold"))) {
        while (!atomic_load(&released) && !ax_exchange_cancelled(exchange))
            ax_clock_sleep_ms(1);
        atomic_fetch_add(&cancelled_seen, ax_exchange_cancelled(exchange));
    } else if (ax_str_eq(path, AX_STR("/stubborn"))) {
        while (!atomic_load(&released))
            ax_clock_sleep_ms(1);
    }
    atomic_fetch_add(&finished, 1);
    ax_exchange_answer(exchange, 200, AX_STR("text/plain"), ax_exchange_request(exchange)->body);
}

static void
later_handler(void *arg, struct ax_exchange *exchange)
{
    (void)arg;
    atomic_fetch_add(&handled, 1);
    if (!ax_workers_submit(workers, work, exchange)) {
        atomic_fetch_add(&finished, 1);
        ax_exchange_answer(exchange, 503, AX_STR("text/plain"), AX_STR("busy"));
    }
}

static void
later_answered(void *arg, struct ax_exchange *exchange)
{
    (void)arg;
    (void)exchange;
    atomic_fetch_add(&answered, 1);
}

static const struct ax_exchange_service later = {.handler = later_handler,
                                                 .answered = later_answered};

static void
open_later(const struct ax_loop_config *config)
{
    loopback_open(&server, config, &later);
    CHECK_EQ(ax_workers_open(&server.ctx, 4, 256, &workers), AX_OK);
}

enum { CLIENT_THREADS = 6, CLIENT_ROUNDS = 60 };

#define POST_5 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"

/* Clients of every kind of manners; counts the answers of those who wait for them. */
static void
unruly_client(void *arg)
{
    atomic_int *good = arg;
    struct loopback_client *client = malloc(sizeof *client);
    struct loopback_answer *answer = malloc(sizeof *answer);
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    for (int i = 0; i < CLIENT_ROUNDS; i++) {
        loopback_connect(client, server.port);
        if (i % 3 != 0)
            setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        loopback_send(client, AX_STR(POST_5 POST_5 POST_5));
        if (i % 3 == 0)
            for (int j = 0; j < 3; j++)
                atomic_fetch_add(good, loopback_answer(client, true, answer) > 0);
        if (i % 3 == 1)
            loopback_send(client,
                          AX_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"));
        close(client->fd);
    }
    free(client);
    free(answer);
}

TEST(answers_finished_by_other_threads_survive_clients_that_reset)
{
    struct ax_thread *threads[CLIENT_THREADS];
    struct ax_loop_config config = loopback_config();
    atomic_int good = 0;
    open_later(&config);
    for (int i = 0; i < CLIENT_THREADS; i++)
        CHECK_EQ(ax_thread_start(&server.ctx, "client", unruly_client, &good, &threads[i]), AX_OK);
    for (int i = 0; i < CLIENT_THREADS; i++)
        ax_thread_join(threads[i]);
    CHECK_EQ(good, CLIENT_THREADS * CLIENT_ROUNDS);
    CHECK_EQ(loopback_ask(server.port, AX_STR(POST_5)), 200);
    loopback_close(&server); /* waits for what the workers still hold */
    ax_workers_close(workers);
    CHECK_EQ(handled, finished);
    CHECK_EQ(answered, finished);
    CHECK(handled > CLIENT_THREADS * CLIENT_ROUNDS);
}

static bool
one_is_handled(void)
{
    return handled == 1;
}

static bool
one_is_finished(void)
{
    return finished == 1;
}

TEST(work_is_told_when_its_client_has_gone)
{
    struct ax_loop_config config = loopback_config();
    open_later(&config);
    int fd = loopback_dial(server.port);
    CHECK(say(fd, AX_STR("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")));
    CHECK(wait_for(one_is_handled));
    CHECK_EQ(cancelled_seen, 0);
    close(fd);
    CHECK(wait_for(one_is_finished));
    CHECK_EQ(cancelled_seen, 1);
    loopback_close(&server);
    ax_workers_close(workers);
    CHECK_EQ(answered, 1);
}

TEST(a_client_that_ends_its_own_direction_is_still_answered)
{
    struct ax_loop_config config = loopback_config();
    static struct loopback_client client;
    struct loopback_answer answer;
    open_later(&config);
    loopback_connect(&client, server.port);
    CHECK(loopback_send(&client, AX_STR(POST_5 POST_5)));
    shutdown(client.fd, SHUT_WR);
    CHECK_EQ(loopback_answer(&client, true, &answer), 200);
    CHECK_EQ(loopback_answer(&client, true, &answer), 200);
    CHECK(loopback_ended(&client));
    close(client.fd);
    loopback_close(&server);
    ax_workers_close(workers);
}

/* ---- many requests, many connections ---- */

static const struct ax_exchange_service echo = {.handler = loopback_echo};

TEST(fifty_pipelined_requests_get_fifty_answers_in_order)
{
    struct ax_loop_config config = loopback_config();
    static struct loopback_client client;
    struct loopback_answer answer;
    ax_writer_auto struct ax_writer in = ax_writer_of(1 << 20);
    const struct ax_exchange_service *services[] = {&echo, &later};
    for (int i = 0; i < 50; i++)
        ax_writer_print(&in, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n%02d", i);
    for (size_t s = 0; s < AX_COUNT_OF(services); s++) {
        loopback_open(&server, &config, services[s]);
        CHECK_EQ(ax_workers_open(&server.ctx, 4, 256, &workers), AX_OK);
        loopback_connect(&client, server.port);
        CHECK(loopback_send(&client, ax_writer_str(&in)));
        for (int i = 0; i < 50; i++) {
            CHECK_EQ(loopback_answer(&client, true, &answer), 200);
            CHECK_EQ((answer.body[0] - '0') * 10 + answer.body[1] - '0', i);
        }
        close(client.fd);
        loopback_close(&server);
        ax_workers_close(workers);
    }
}

enum { IDLE = 1'000 };

TEST(a_thousand_idle_connections_do_not_keep_others_waiting)
{
    static int idle[IDLE];
    struct ax_loop_config config = loopback_config();
    raise_descriptor_limit();
    loopback_open(&server, &config, &echo);
    for (int i = 0; i < IDLE; i++) {
        idle[i] = loopback_dial(server.port);
        CHECK(idle[i] >= 0);
        if (i % 2)
            CHECK(say(idle[i], AX_STR("GET / HT")));
        if (i % 100 == 0)
            CHECK_EQ(loopback_ask(server.port, AX_STR(LOOPBACK_GET)), 200);
    }
    CHECK_EQ(loopback_ask(server.port, AX_STR(LOOPBACK_GET)), 200);
    for (int i = 0; i < 100 && ax_loops_totals(server.loops).connections_open < IDLE; i++)
        ax_clock_sleep_ms(50); /* the totals may be a tick old */
    CHECK(ax_loops_totals(server.loops).connections_open >= IDLE);
    for (int i = 0; i < IDLE; i += 3)
        close(idle[i]);
    CHECK_EQ(loopback_ask(server.port, AX_STR(LOOPBACK_GET)), 200);
    loopback_close(&server); /* with the rest of them open */
}

TEST(a_client_that_goes_in_mid_body_leaves_nothing_behind)
{
    struct ax_loop_config config = loopback_config();
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    loopback_open(&server, &config, &echo);
    for (int i = 0; i < 50; i++) {
        int fd = loopback_dial(server.port);
        CHECK(say(fd, AX_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")));
        if (i % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    CHECK_EQ(loopback_ask(server.port, AX_STR(LOOPBACK_GET)), 200);
    for (int i = 0; i < 500 && ax_loops_totals(server.loops).connections_open > 0; i++)
        ax_clock_sleep_ms(10);
    CHECK_EQ(ax_loops_totals(server.loops).connections_open, 0);
    loopback_close(&server);
}

/* ---- slow readers ---- */

static void
large_handler(void *arg, struct ax_exchange *exchange)
{
    (void)arg;
    char *room = ax_writer_room(ax_exchange_body(exchange), 12 << 20);
    CHECK(room != NULL);
    memset(room, 'x', 12 << 20);
    ax_exchange_finish(exchange);
}

TEST(a_reader_that_does_not_read_is_cut_and_one_that_does_gets_everything)
{
    static struct loopback_client slow, fast;
    struct loopback_answer answer;
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = large_handler};
    int small = 4096;
    config.write_ms = 2'000; /* in which 12 MiB go on the most loaded machine */
    config.loop_count = 1;
    loopback_open(&server, &config, &service);
    loopback_connect(&slow, server.port);
    setsockopt(slow.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    CHECK(loopback_send(&slow, AX_STR(LOOPBACK_GET LOOPBACK_GET)));
    int64_t start_ns = ax_clock_monotonic_ns();
    loopback_connect(&fast, server.port);
    CHECK(loopback_send(&fast, AX_STR(LOOPBACK_GET)));
    CHECK_EQ(loopback_answer(&fast, true, &answer), 200);
    CHECK_EQ(answer.body_len, 12 << 20);
    for (int i = 0; i < 1'000 && ax_loops_totals(server.loops).connections_cut == 0; i++)
        ax_clock_sleep_ms(10);
    CHECK_EQ(ax_loops_totals(server.loops).connections_cut, 1);
    CHECK(ax_clock_monotonic_ns() - start_ns >= 2'000'000'000);
    CHECK_EQ(loopback_answer(&slow, true, &answer), -1);
    close(slow.fd);
    close(fast.fd);
    loopback_close(&server);
}

/* ---- limits on connections ---- */

TEST(connections_over_a_limit_are_turned_away_and_room_is_used_again)
{
    static const struct {
        int64_t all, per_address;
    } cases[] = {{3, 100}, {100, 3}};
    static struct loopback_client over;
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct loopback_answer answer = {};
        struct ax_loop_config config = loopback_config();
        int fds[3];
        config.connections_max = cases[i].all;
        config.connections_per_address_max = cases[i].per_address;
        loopback_open(&server, &config, &echo);
        for (int j = 0; j < 3; j++)
            fds[j] = loopback_dial(server.port);
        while (ax_loops_totals(server.loops).connections_open < 3)
            ax_clock_sleep_ms(1);
        loopback_connect(&over, server.port);
        CHECK_EQ(loopback_answer(&over, true, &answer), 503);
        CHECK(strcmp(answer.body, "{\"error\":\"too many connections\"}") == 0);
        CHECK(loopback_ended(&over));
        close(over.fd);
        CHECK_EQ(ax_loops_totals(server.loops).connections_refused, 1);
        for (int j = 0; j < 3; j++)
            close(fds[j]);
        while (ax_loops_totals(server.loops).connections_open > 0)
            ax_clock_sleep_ms(1);
        CHECK_EQ(loopback_ask(server.port, AX_STR(LOOPBACK_GET)), 200);
        loopback_close(&server);
    }
}

enum { CROWD = 200 };

/* In a process of its own, because descriptors are the process's: 0 when all went as it should. */
static int
crowd(int port)
{
    int fds[CROWD], served = 0;
    for (int i = 0; i < CROWD; i++)
        fds[i] = loopback_dial(port);
    ax_clock_sleep_ms(300);
    served = loopback_ask(port, AX_STR(LOOPBACK_GET)); /* 503, or nothing */
    for (int i = 0; i < CROWD; i++)
        close(fds[i]);
    if (served == 200)
        return 2;
    for (int i = 0; i < 100; i++, ax_clock_sleep_ms(50))
        if (loopback_ask(port, AX_STR(LOOPBACK_GET)) == 200)
            return 0;
    return 3;
}

TEST(a_server_out_of_descriptors_goes_on_and_recovers)
{
    int pipes[2], port = 0, how = 0;
    CHECK_EQ(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(read(pipes[0], &port, sizeof port) == sizeof port ? crowd(port) : 9);
    struct ax_loop_config config = loopback_config();
    config.loop_count = 1;
    loopback_open(&server, &config, &echo);
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 40;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK(write(pipes[1], &server.port, sizeof server.port) == sizeof server.port);
    CHECK(waitpid(child, &how, 0) == child);
    CHECK(WIFEXITED(how));
    CHECK_EQ(WEXITSTATUS(how), 0);
    CHECK(ax_loops_totals(server.loops).connections_refused > 0);
    loopback_close(&server);
}

/* ---- draining ---- */

TEST(draining_ends_what_is_in_flight_and_takes_nothing_new)
{
    static struct loopback_client busy, idle;
    struct loopback_answer answer = {};
    struct ax_loop_config config = loopback_config();
    open_later(&config);
    loopback_connect(&idle, server.port);
    CHECK(loopback_send(&idle, AX_STR(POST_5)));
    CHECK_EQ(loopback_answer(&idle, true, &answer), 200);
    CHECK(!answer.close);
    loopback_connect(&busy, server.port);
    handled = 0;
    CHECK(loopback_send(&busy, AX_STR("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")));
    CHECK(wait_for(one_is_handled));
    CHECK(!ax_loops_drain(server.loops, ax_clock_monotonic_ns()));
    loopback_close(&server);
    ax_workers_close(workers);
    CHECK_EQ(cancelled_seen, 1); /* it was cut: the deadline had passed */
    CHECK_EQ(loopback_answer(&busy, true, &answer), 0);
    close(busy.fd);
    close(idle.fd);
}

static void
release_soon(void *arg)
{
    (void)arg;
    ax_clock_sleep_ms(300);
    CHECK(loopback_dial(server.port) < 0); /* nobody listens any more */
    atomic_store(&released, true);
}

TEST(draining_in_time_loses_no_request)
{
    static struct loopback_client busy, idle, late;
    struct loopback_answer answer = {};
    struct ax_loop_config config = loopback_config();
    struct ax_thread *releaser;
    open_later(&config);
    loopback_connect(&idle, server.port);
    loopback_connect(&busy, server.port);
    loopback_connect(&late, server.port);
    CHECK(loopback_send(&busy, AX_STR("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")));
    CHECK(
        loopback_send(&late, AX_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")));
    CHECK(wait_for(one_is_handled));
    CHECK_EQ(ax_thread_start(&server.ctx, "release", release_soon, NULL, &releaser), AX_OK);
    CHECK(loopback_send(&late, AX_STR("lo")));
    CHECK(ax_loops_drain(server.loops, ax_clock_monotonic_ns() + INT64_C(10'000'000'000)));
    CHECK_EQ(loopback_answer(&busy, true, &answer), 200);
    CHECK(answer.close);
    CHECK(loopback_ended(&busy));
    CHECK_EQ(loopback_answer(&late, true, &answer), 200);
    CHECK(loopback_ended(&late));
    CHECK(loopback_ended(&idle));
    ax_thread_join(releaser);
    CHECK_EQ(cancelled_seen, 0);
    loopback_close(&server);
    ax_workers_close(workers);
    close(busy.fd);
    close(idle.fd);
    close(late.fd);
}

TEST(closing_waits_for_work_that_nobody_can_stop)
{
    struct ax_loop_config config = loopback_config();
    struct ax_thread *releaser;
    open_later(&config);
    int fd = loopback_dial(server.port);
    CHECK(say(fd, AX_STR("GET /stubborn HTTP/1.1\r\nHost: a\r\n\r\n")));
    CHECK(wait_for(one_is_handled));
    CHECK_EQ(ax_thread_start(&server.ctx, "release", release_soon, NULL, &releaser), AX_OK);
    CHECK(!ax_loops_drain(server.loops, ax_clock_monotonic_ns() + 50'000'000));
    CHECK_EQ(finished, 0);
    loopback_close(&server);
    CHECK_EQ(finished, 1);
    CHECK_EQ(answered, 1);
    ax_thread_join(releaser);
    ax_workers_close(workers);
    close(fd);
}

/* ---- posts ---- */

enum { POSTERS = 4, POSTS = 3'000 };

static int next_of[POSTERS], disorder; /* of the loop's thread, until it is closed */
static atomic_int posts_run;

struct post {
    int poster, number;
    bool last;
};

static void
take_post(void *arg)
{
    struct post *post = arg;
    if (post->last)
        ax_clock_sleep_ms(50); /* lets the queue overrun */
    disorder += post->number != next_of[post->poster];
    next_of[post->poster] = post->number + 1;
    free(post);
    atomic_fetch_add(&posts_run, 1);
}

static void
post_many(void *arg)
{
    int poster = (int)(intptr_t)arg;
    for (int i = 0; i < POSTS; i++) {
        struct post *post = malloc(sizeof *post);
        *post = (struct post){.poster = poster, .number = i, .last = i % 1'000 == 0};
        CHECK(ax_loop_post(ax_loops_at(server.loops, 0), take_post, post));
    }
}

static bool
all_posts_ran(void)
{
    return posts_run == POSTERS * POSTS;
}

TEST(posts_of_many_threads_all_run_even_when_the_queue_is_overrun)
{
    struct ax_loop_config config = loopback_config();
    struct ax_thread *threads[POSTERS];
    loopback_open(&server, &config, &echo);
    CHECK_EQ(ax_loops_count(server.loops), 2);
    CHECK_EQ(ax_loop_index(ax_loops_at(server.loops, 1)), 1);
    for (int i = 0; i < POSTERS; i++)
        CHECK_EQ(
            ax_thread_start(&server.ctx, "poster", post_many, (void *)(intptr_t)i, &threads[i]),
            AX_OK);
    for (int i = 0; i < POSTERS; i++)
        ax_thread_join(threads[i]);
    CHECK(wait_for(all_posts_ran));
    loopback_close(&server);
}

TEST(posts_of_one_thread_keep_their_order)
{
    struct ax_loop_config config = loopback_config();
    loopback_open(&server, &config, &echo);
    for (int i = 0; i < 900; i++) {
        struct post *post = malloc(sizeof *post);
        *post = (struct post){.number = i};
        CHECK(ax_loop_post(ax_loops_at(server.loops, 0), take_post, post));
    }
    while (posts_run < 900)
        ax_clock_sleep_ms(1);
    loopback_close(&server);
    CHECK_EQ(disorder, 0);
}

/* ---- opening ---- */

static atomic_int inits, dones;

static ax_status
count_init(void *arg, struct ax_ctx *ctx, struct ax_loop *loop, void **out_data)
{
    if (arg && ax_loop_index(loop) == 1)
        return ax_fail(ctx, AX_CORRUPT, "loop 1 has no plan");
    *out_data = &inits;
    atomic_fetch_add(&inits, 1);
    return AX_OK;
}

static void
count_done(void *arg, void *data)
{
    (void)arg;
    CHECK(data == &inits);
    atomic_fetch_add(&dones, 1);
}

static void
start_up(struct ax_ctx *ctx)
{
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {
        .handler = loopback_echo, .loop_init = count_init, .loop_done = count_done};
    ax_str any = AX_STR("127.0.0.1:0");
    struct ax_loops *first = NULL, *second = NULL;
    CHECK_EQ(ax_loops_open(ctx, &config, &service, &any, 1, &first), AX_OK);
    CHECK_EQ(inits, 2);
    ax_str taken = ax_str_printf(ctx->arena, "127.0.0.1:%d", ax_loops_port(first, 0));
    ax_str both[] = {any, taken};
    CHECK_EQ(ax_loops_open(ctx, &config, &service, both, 2, &second), AX_CONFLICT);
    CHECK(strstr(ctx->error, "Address already in use") && strstr(ctx->error, taken.at));
    CHECK(!second);
    ax_loops_close(first);
    CHECK_EQ(dones, 2);

    service.arg = ctx; /* makes the second loop fail */
    CHECK_EQ(ax_loops_open(ctx, &config, &service, &taken, 1, &second), AX_CORRUPT);
    CHECK(strcmp(ctx->error, "loop 1 has no plan") == 0);
    CHECK_EQ(inits, 3);
    CHECK_EQ(dones, 3);
    service.arg = NULL;
    CHECK_EQ(ax_loops_open(ctx, &config, &service, &taken, 1, &second), AX_OK);
    CHECK_EQ(loopback_ask(ax_loops_port(second, 0), AX_STR(LOOPBACK_GET)), 200);
    ax_loops_close(second);
}

TEST(a_server_that_cannot_start_says_why_and_leaves_nothing)
{
    ax_test_with_ctx(start_up);
}

static ax_status
open_and_close(struct ax_ctx *ctx)
{
    struct ax_loop_config config = loopback_config();
    ax_str listen[] = {AX_STR("127.0.0.1:0"), AX_STR("unix:/tmp/axiom_loop_sweep.sock")};
    struct ax_loops *loops = NULL;
    AX_TRY(ax_loops_open(ctx, &config, &echo, listen, 2, &loops));
    ax_loops_close(loops);
    return AX_OK;
}

TEST(loops_survive_every_fault_of_their_opening)
{
    int before = dup(0), after;
    FAULT_SWEEP(open_and_close);
    after = dup(0);
    CHECK_EQ(after, before + 1); /* no descriptor was left open */
    CHECK(access("/tmp/axiom_loop_sweep.sock", F_OK) != 0);
}

TEST(settings_have_sound_defaults_and_a_field_each)
{
    const struct ax_settings *settings = ax_loop_settings();
    const size_t numbers = offsetof(struct ax_loop_config, tls) / sizeof(int64_t);
    CHECK_EQ(settings->row_count, numbers + 5); /* and the texts and switches of TLS */
    for (size_t i = 0; i < numbers; i++) {
        const struct ax_setting *row = &settings->rows[i];
        CHECK_EQ(row->offset, i * sizeof(int64_t));
        CHECK(row->min <= row->initial && row->initial <= row->max);
    }
}
