#include "api/limits.h"

#include <stdatomic.h>

#include "api_case.h"
#include "sys/clock.h"

#define ROW                                                                                        \
    "\"inputs\":[{\"name\":\"input-0\",\"datatype\":\"FP32\",\"shape\":[1,3],\"data\":[41,"        \
    "1200.5,1]}]}"

static const char infer[] = "{" ROW;

static const struct ax_limits_config generous = {.worker_share_percent = 75,
                                                 .worker_delay_window_ms = 1'000};

/* ---- X-Request-Timeout ---- */

TEST(a_timeout_is_digits_and_a_unit)
{
    static const struct {
        const char *text;
        int64_t ns; /* -1: it is none */
    } rows[] = {{"5", 5'000'000'000},
                {"0", 0},
                {"250ms", 250'000'000},
                {"1s", 1'000'000'000},
                {"2m", 120'000'000'000},
                {"99999999us", 99'999'999'000},
                {"00000001m", 60'000'000'000},
                {"99999999m", INT64_C(5'999'999'940'000'000'000)},
                {"", -1},
                {"ms", -1},
                {"-1", -1},
                {"+1", -1},
                {"1.5", -1},
                {"1 s", -1},
                {" 1", -1},
                {"1S", -1},
                {"1h", -1},
                {"1mss", -1},
                {"999999999", -1}};
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++) {
        int64_t ns = -1;
        bool sound = ax_limits_timeout_parse(ax_str_of(rows[i].text), &ns);
        if (sound != (rows[i].ns >= 0) || ns != rows[i].ns)
            ax_test_failed(__FILE__, __LINE__, "\"%s\" is %lld", rows[i].text, (long long)ns);
    }
}

static void
refuses_bad_timeouts(struct ax_ctx *ctx, struct api_case *at)
{
    static const char *const requests[] = {"GET /v2", "GET /metrics", "POST /v2/models/dart/infer"};
    for (size_t i = 0; i < AX_COUNT_OF(requests); i++) {
        at->header = (struct ax_http_header){AX_STR("X-Request-Timeout"), AX_STR("soon")};
        struct api_case_answer answer =
            api_case_ask(ctx, at, NOBODY, requests[i], ax_str_of(i == 2 ? infer : ""));
        CHECK(answer.status == 400 && api_case_says(&answer, "X-Request-Timeout is 1 to 8 digits"));
        at->header.value = AX_STR("0ms");
        answer = api_case_ask(ctx, at, NOBODY, requests[i], ax_str_of(i == 2 ? infer : ""));
        CHECK(answer.status == 504 && api_case_says(&answer, "Request timeout expired"));
        at->header.value = AX_STR("10s");
        answer = api_case_ask(ctx, at, NOBODY, requests[i], ax_str_of(i == 2 ? infer : ""));
        CHECK_EQ(answer.status, 200);
    }
}

TEST(a_timeout_of_a_client_is_refused_expired_or_kept)
{
    api_case_run_bare(refuses_bad_timeouts);
}

static void
parameters(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "POST /v2/models/dart/infer",
         "{\"parameters\":{\"timeout\":60000000,\"priority\":2}," ROW, 200, "predict"},
        {NOBODY, "POST /v2/models/dart/infer", "{\"parameters\":{\"timeout\":0}," ROW, 200, ""},
        {NOBODY, "POST /v2/models/dart/infer",
         "{\"parameters\":{\"timeout\":18446744073709551615}," ROW, 200, ""},
        {NOBODY, "POST /v2/models/dart/infer", "{\"parameters\":{\"timeout\":1}," ROW, 504,
         "{\"error\":\"Request timeout expired"},
        {NOBODY, "POST /v2/models/dart/infer", "{\"parameters\":{\"timeout\":-1}," ROW, 400,
         "parameter 'timeout' is a whole number from 0"},
        {NOBODY, "POST /v2/models/dart/infer", "{\"parameters\":{\"timeout\":\"1\"}," ROW, 400,
         "parameter 'timeout' is a whole number from 0"},
        {NOBODY, "POST /v2/models/dart/infer", "{\"parameters\":{\"priority\":1.5}," ROW, 400,
         "parameter 'priority' is a whole number from 0"},
    };
    API_CASE_TABLE(ctx, at, rows);
}

TEST(a_timeout_and_a_priority_are_parameters_of_a_request)
{
    api_case_run_bare(parameters);
}

/* ---- a queue behind slow workers ---- */

static atomic_bool gate_open;
static atomic_int at_gate;

static void
wait_at_gate(struct api_case *at)
{
    (void)at;
    atomic_fetch_add(&at_gate, 1);
    while (!atomic_load(&gate_open))
        ax_clock_sleep_ms(1);
}

/* A client on a thread of its own. */
struct asker {
    struct api_case *at;
    struct ax_thread *thread;
    const char *url; /* of GET */
    ax_str timeout;  /* "" for none */
    int status;
    bool retry_after;
};

static void
ask(void *arg)
{
    struct asker *asker = arg;
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_client *client;
    struct ax_client_answer answer = {};
    const struct ax_http_header header = {AX_STR("X-Request-Timeout"), asker->timeout};
    const struct ax_client_request request = {
        .method = AX_STR("GET"),
        .url = ax_str_printf(arena, "http://127.0.0.1:%d%s", ax_loops_port(asker->at->loops, 0),
                             asker->url),
        .headers = &header,
        .header_count = asker->timeout.len ? 1 : 0,
        .body = AX_STR("")};
    CHECK_EQ(ax_client_open(&ctx, NULL, &client), AX_OK);
    CHECK_EQ(ax_client_send(client, &ctx, &request, &answer), AX_OK);
    asker->status = answer.status;
    asker->retry_after = ax_client_header_find(&answer, AX_STR("retry-after")).at != NULL;
    ax_client_close(client);
}

static struct asker *
start(struct ax_ctx *ctx, struct api_case *at, const char *url, ax_str timeout)
{
    struct asker *asker = AX_NEW(ctx->arena, struct asker);
    *asker = (struct asker){.at = at, .url = url, .timeout = timeout};
    CHECK_EQ(ax_thread_start(ctx, "asker", ask, asker, &asker->thread), AX_OK);
    return asker;
}

/* The way in anew, with limits; and a worker that is held at the gate by GET /metrics. */
static void
reopen(struct ax_ctx *ctx, struct api_case *at, const struct ax_limits_config *config)
{
    (void)ctx;
    api_case_shut(at);
    at->limits = config;
    at->observed = wait_at_gate;
    api_case_open(at);
}

static void
wait_until_queued(struct api_case *at, size_t count)
{
    while (ax_workers_totals(at->workers).queued < count)
        ax_clock_sleep_ms(1);
}

static int64_t
counted(struct api_case *at, const char *family, const char *label, const char *value)
{
    return ax_metric_count(
        ax_metrics_series(at->metrics, AX_METRIC_COUNTER, family, "", label, value, NULL));
}

static void
slow_worker(struct ax_ctx *ctx, struct api_case *at)
{
    reopen(ctx, at, &generous);
    struct asker *slow = start(ctx, at, "/metrics", AX_STR(""));
    while (atomic_load(&at_gate) == 0)
        ax_clock_sleep_ms(1);
    struct asker *late = start(ctx, at, "/metrics", AX_STR("20ms"));
    struct asker *patient = start(ctx, at, "/metrics", AX_STR("1m"));
    wait_until_queued(at, 2);
    ax_clock_sleep_ms(30);

    /* What is not of the slow kind goes past it: it has a worker left. */
    struct api_case_answer answer =
        api_case_ask(ctx, at, NOBODY, "POST /v2/repository/models/dart/load", AX_STR("{}"));
    CHECK_EQ(answer.status, 200);
    atomic_store(&gate_open, true);
    ax_thread_join(slow->thread);
    ax_thread_join(late->thread);
    ax_thread_join(patient->thread);
    CHECK_EQ(slow->status, 200);
    CHECK_EQ(late->status, 504);
    CHECK_EQ(patient->status, 200);
    CHECK_EQ(atomic_load(&at_gate), 2); /* the late one was never begun */
    CHECK_EQ(ax_metric_count(ax_metrics_series(at->metrics, AX_METRIC_COUNTER,
                                               "axiom_requests_expired_total", "", NULL)),
             1);
    answer = api_case_ask(ctx, at, NOBODY, "GET /metrics", AX_STR(""));
    CHECK(api_case_says(&answer, "axiom_requests_expired_total 1\n"));
    CHECK(api_case_says(&answer, "axiom_worker_queued 0\n"));
}

TEST(a_request_behind_a_slow_worker_is_dropped_at_its_deadline)
{
    api_case_run_bare(slow_worker);
}

static void
crowd(struct ax_ctx *ctx, struct api_case *at)
{
    enum { CROWD = 70 };
    struct asker *askers[CROWD];
    int refused = 0, answered = 0;
    reopen(ctx, at, &generous);
    for (size_t i = 0; i < CROWD; i++)
        askers[i] = start(ctx, at, "/metrics", AX_STR(""));
    while (ax_workers_totals(at->workers).over_share == 0)
        ax_clock_sleep_ms(1);
    struct api_case_answer answer =
        api_case_ask(ctx, at, NOBODY, "POST /v2/repository/models/dart/load", AX_STR("{}"));
    CHECK_EQ(answer.status, 200);
    atomic_store(&gate_open, true);
    for (size_t i = 0; i < CROWD; i++) {
        ax_thread_join(askers[i]->thread);
        refused += askers[i]->status == 429 && askers[i]->retry_after;
        answered += askers[i]->status == 200;
    }
    CHECK(refused > 0 && answered > 30 && refused + answered == CROWD);
    CHECK_EQ(counted(at, "axiom_worker_refused_total", "why", "share"), refused);
}

TEST(a_crowd_fills_its_share_of_the_queue_and_others_are_answered)
{
    api_case_run_bare(crowd);
}

static void
full(struct ax_ctx *ctx, struct api_case *at)
{
    enum { CROWD = 70 };
    static const struct ax_limits_config all = {.worker_share_percent = 100,
                                                .worker_delay_window_ms = 1'000};
    struct asker *askers[CROWD];
    int refused = 0;
    reopen(ctx, at, &all);
    for (size_t i = 0; i < CROWD; i++)
        askers[i] = start(ctx, at, "/metrics", AX_STR(""));
    while (ax_workers_totals(at->workers).full == 0)
        ax_clock_sleep_ms(1);
    atomic_store(&gate_open, true);
    for (size_t i = 0; i < CROWD; i++) {
        ax_thread_join(askers[i]->thread);
        refused += askers[i]->status == 503 && askers[i]->retry_after;
    }
    CHECK(refused > 0 && refused <= CROWD - 64);
    CHECK_EQ(counted(at, "axiom_worker_refused_total", "why", "full"), refused);
}

TEST(a_full_queue_refuses_and_says_when_to_come_again)
{
    api_case_run_bare(full);
}

/* ---- rates ---- */

static int
ask_often(struct ax_ctx *ctx, struct api_case *at, int who, const char *line, int count)
{
    int limited = 0;
    for (int i = 0; i < count; i++) {
        struct api_case_answer answer =
            api_case_ask(ctx, at, who, line, ax_str_of(line[0] == 'P' ? infer : ""));
        if (answer.status != 429)
            continue;
        limited++;
        ax_str again = ax_client_header_find(&answer.whole, AX_STR("retry-after"));
        CHECK(again.len > 0 && api_case_says(&answer, "too many requests"));
    }
    return limited;
}

static void
rates_of_addresses(struct ax_ctx *ctx, struct api_case *at)
{
    static struct ax_limits_config config = {.address_rate = 1,
                                             .address_burst = 5,
                                             .worker_share_percent = 75,
                                             .worker_delay_window_ms = 1'000};
    reopen(ctx, at, &config);
    at->observed = NULL;
    CHECK(ask_often(ctx, at, NOBODY, "GET /v2", 8) >= 2);
    CHECK_EQ(ask_often(ctx, at, NOBODY, "GET /healthz", 8), 0); /* probes are never too many */
    CHECK_EQ(ask_often(ctx, at, NOBODY, "GET /metrics", 3), 0);
    CHECK(counted(at, "axiom_rate_limited_total", "of", "address") >= 2);
    config.address_rate = 0; /* as a reload does */
    ax_limits_set(at->config.limits, &config);
    CHECK_EQ(ask_often(ctx, at, NOBODY, "GET /v2", 8), 0);
    config.address_rate = 1;
}

TEST(an_address_without_credentials_has_its_rate)
{
    api_case_run_bare(rates_of_addresses);
}

static void
rates_of_models(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct ax_limits_config config = {.model_rate = 1,
                                                   .model_burst = 4,
                                                   .worker_share_percent = 75,
                                                   .worker_delay_window_ms = 1'000};
    reopen(ctx, at, &config);
    CHECK(ask_often(ctx, at, NOBODY, "POST /v2/models/dart/infer", 8) >= 3);
    CHECK_EQ(ask_often(ctx, at, NOBODY, "POST /v2/models/linear/infer", 3), 0);
    struct api_case_answer answer = api_case_ask(ctx, at, NOBODY, "POST /v1/models/dart:predict",
                                                 AX_STR("{\"instances\":[[41,1200.5,1]]}"));
    CHECK_EQ(answer.status, 429); /* one bucket, whatever the protocol */
    CHECK(api_case_says(&answer, "{\"error\":"));
}

TEST(a_model_has_its_rate_over_all_protocols)
{
    api_case_run_bare(rates_of_models);
}

static void
rates_of_principals(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct ax_limits_config config = {.principal_rate = 1,
                                                   .principal_burst = 4,
                                                   .address_rate = 1,
                                                   .address_burst = 6,
                                                   .worker_share_percent = 75,
                                                   .worker_delay_window_ms = 1'000};
    reopen(ctx, at, &config);
    at->observed = NULL;
    CHECK(ask_often(ctx, at, DANA, "GET /api/v1/whoami", 8) >= 3);
    CHECK_EQ(ask_often(ctx, at, LEX, "GET /api/v1/whoami", 3), 0); /* of the same address */
    struct api_case_answer answer = api_case_ask(ctx, at, DANA, "GET /api/v1/whoami", AX_STR(""));
    CHECK(answer.status == 429 && api_case_says(&answer, "\"code\":\"rate\""));
    /* Who tries tokens is told so only for a while. */
    CHECK(ask_often(ctx, at, NOBODY, "GET /api/v1/whoami", 10) >= 3);
    CHECK_EQ(ask_often(ctx, at, NOBODY, "GET /readyz", 8), 0);
}

TEST(a_principal_has_a_rate_and_so_has_who_is_none)
{
    api_case_run(rates_of_principals);
}

/* Whoever says a name and a password that are not verified yet spends nothing of that name's. */
static void
rates_of_names(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct ax_limits_config config = {.principal_rate = 1,
                                                   .principal_burst = 6,
                                                   .address_rate = 1,
                                                   .address_burst = 4,
                                                   .worker_share_percent = 75,
                                                   .worker_delay_window_ms = 1'000};
    int limited = 0, refused = 0;
    reopen(ctx, at, &config);
    at->observed = NULL;
    at->header = (struct ax_http_header){AX_STR("Authorization"),
                                         AX_STR("Basic ZGFuYTp3cm9uZw==")}; /* dana:wrong */
    for (int i = 0; i < 10; i++) {
        struct api_case_answer answer = api_case_ask(
            ctx, at, NOBODY, "GET /api/2.0/mlflow/experiments/get?experiment_id=0", AX_STR(""));
        limited += answer.status == 429;
        refused += answer.status == 401;
    }
    CHECK_EQ(limited + refused, 10);
    CHECK_EQ(counted(at, "axiom_rate_limited_total", "of", "address"), limited);
    CHECK_EQ(counted(at, "axiom_rate_limited_total", "of", "principal"), 0);
    at->header = (struct ax_http_header){};
    CHECK_EQ(ask_often(ctx, at, DANA, "GET /api/v1/whoami", 4), 0);
}

TEST(r84_a_name_without_its_password_spends_nothing_of_its_owners_rate)
{
    api_case_run(rates_of_names);
}

/* ---- opening ---- */

static ax_status
open_and_close(struct ax_ctx *ctx)
{
    struct ax_metrics *metrics;
    struct ax_workers *workers;
    struct ax_limits *limits = NULL;
    AX_TRY(ax_metrics_open(ctx, &metrics));
    ax_status status = ax_workers_open(ctx, 1, 4, &workers);
    if (status == AX_OK) {
        status = ax_limits_open(ctx, &generous, metrics, workers, &limits);
        ax_workers_close(workers);
    }
    ax_limits_close(limits);
    ax_metrics_close(metrics);
    return status;
}

TEST(limits_survive_every_fault_at_their_opening)
{
    FAULT_SWEEP(open_and_close);
}

TEST(limits_have_their_defaults)
{
    struct ax_limits_config config;
    ax_settings_defaults(ax_limits_settings(), &config);
    CHECK(config.principal_rate == 0 && config.model_rate == 0 && config.address_rate == 0);
    CHECK_EQ(config.worker_share_percent, 75);
    CHECK_EQ(config.worker_delay_ms, 1'000);
}
