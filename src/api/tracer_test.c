#include "api/tracer.h"

#include "api_case.h"
#include "codec/protobuf.h"
#include "codec/trace_context.h"
#include "net/loopback_test.h"
#include "sys/mutex.h"

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

/* A collector that keeps what it is sent and answers as it is told. */
struct collector {
    struct loopback server;
    struct ax_mutex mutex;
    char bytes[256 << 10]; /* guarded by mutex, as are: the bodies of all requests it took */
    size_t len;
    int requests, away; /* so many are answered with 503 first */
    char token[32];
};

static void
collector_handler(void *arg, struct ax_exchange *exchange)
{
    struct collector *at = arg;
    const struct ax_http_request *request = ax_exchange_request(exchange);
    ax_str token = ax_http_header_find(request, AX_STR("x-token")), body = request->body;
    ax_mutex_lock(&at->mutex);
    at->requests++;
    bool away = at->away > 0;
    at->away -= away;
    if (!away && at->len + body.len <= sizeof at->bytes) {
        memcpy(at->bytes + at->len, body.at, body.len);
        at->len += body.len;
    }
    snprintf(at->token, sizeof at->token, "%.*s", (int)token.len, token.at ? token.at : "");
    ax_mutex_unlock(&at->mutex);
    if (away)
        ax_exchange_header(exchange, AX_STR("Retry-After"), AX_STR("0"));
    ax_exchange_answer(exchange, away ? 503 : 200, AX_STR("application/x-protobuf"), AX_STR(""));
}

/* Texts and numbers of all spans: "name(parent) key=value ...;" each, as far as the test asks. */
static void
tell_attributes(ax_str span, struct ax_writer *out)
{
    struct ax_protobuf field = ax_protobuf_of(span);
    while (ax_protobuf_next(&field)) {
        if (field.field != 9)
            continue;
        struct ax_protobuf pair = ax_protobuf_of(field.bytes);
        while (ax_protobuf_next(&pair)) {
            if (pair.field == 1) {
                ax_writer_print(out, " %.*s=", AX_FMT(pair.bytes));
                continue;
            }
            struct ax_protobuf value = ax_protobuf_of(pair.bytes);
            if (ax_protobuf_next(&value) && value.wire == AX_PROTOBUF_BYTES)
                ax_writer_bytes(out, value.bytes);
            else
                ax_writer_print(out, "%lld", (long long)value.number);
        }
    }
}

static void
tell_span(ax_str span, struct ax_writer *out)
{
    struct ax_protobuf field = ax_protobuf_of(span);
    uint64_t start_ns = 0, end_ns = 0;
    while (ax_protobuf_next(&field)) {
        if (field.field == 1 || field.field == 4) { /* ids, and the parent's */
            ax_writer_char(out, field.field == 1 ? '[' : '<');
            for (size_t i = 0; i < field.bytes.len; i++)
                ax_writer_print(out, "%02x", (uint8_t)field.bytes.at[i]);
            ax_writer_char(out, ' ');
        }
        if (field.field == 3 || field.field == 5)
            ax_writer_print(out, "(%.*s)", AX_FMT(field.bytes));
        if (field.field == 6)
            ax_writer_print(out, " kind=%d", (int)field.number);
        if (field.field == 7)
            start_ns = field.number;
        if (field.field == 8)
            end_ns = field.number;
    }
    CHECK(start_ns > UINT64_C(1'500'000'000'000'000'000) && start_ns <= end_ns);
    CHECK(end_ns - start_ns < UINT64_C(60'000'000'000));
    tell_attributes(span, out);
    ax_writer_char(out, '\n');
}

static void
tell(const struct collector *at, struct ax_writer *out)
{
    struct ax_protobuf resource = ax_protobuf_of((ax_str){at->bytes, at->len});
    while (ax_protobuf_next(&resource)) {
        struct ax_protobuf part = ax_protobuf_of(resource.bytes);
        while (ax_protobuf_next(&part)) {
            struct ax_protobuf span = ax_protobuf_of(part.bytes);
            while (part.field == 2 && ax_protobuf_next(&span))
                if (span.field == 2)
                    tell_span(span.bytes, out);
        }
        CHECK_EQ(part.status, AX_OK);
    }
    CHECK_EQ(resource.status, AX_OK);
}

static void
open_collected(struct api_case *at, struct collector *collector, double ratio,
               struct ax_tracer **out_tracer)
{
    struct ax_loop_config loops = loopback_config();
    const struct ax_exchange_service service = {.arg = collector, .handler = collector_handler};
    struct ax_tracer_config config;
    *collector = (struct collector){};
    ax_mutex_init(&collector->mutex);
    loops.loop_count = 1;
    loops.body_bytes_max = 1 << 20;
    loopback_open(&collector->server, &loops, &service);
    ax_settings_defaults(&ax_tracer_settings, &config);
    config.endpoint =
        ax_str_printf(at->arena, "http://127.0.0.1:%d/v1/traces", collector->server.port);
    config.sample_ratio = ratio;
    config.interval_ms = 20;
    config.queue_max = 16;
    api_case_shut(at);
    CHECK_EQ(ax_tracer_open(&at->ctx, &config, at->metrics, out_tracer), AX_OK);
    at->config.tracer = *out_tracer;
    api_case_open(at);
}

/* Everything has been sent when it returns; what was is told. */
static void
close_collected(struct api_case *at, struct collector *collector, struct ax_tracer *tracer,
                struct ax_writer *out)
{
    api_case_shut(at);
    at->config.tracer = NULL;
    ax_tracer_close(tracer);
    loopback_close(&collector->server);
    ax_mutex_done(&collector->mutex);
    tell(collector, out);
    api_case_open(at);
}

static void
must_say(const struct ax_writer *told, const char *words)
{
    if (ax_str_find(ax_writer_str(told), ax_str_of(words)) == SIZE_MAX)
        ax_test_failed(__FILE__, __LINE__, "%s is not in\n%.*s", words,
                       AX_FMT(ax_writer_str(told)));
}

static int64_t
traces(struct api_case *at, const char *result)
{
    return ax_metric_count(ax_metrics_series(at->metrics, AX_METRIC_COUNTER, "axiom_traces_total",
                                             "Traced requests, by what became of their spans.",
                                             "result", result, NULL));
}

#define ROW "{\"age\":41,\"income\":424242.5,\"job\":\"cook\"}"

static struct collector collector;

static void
spans(struct ax_ctx *ctx, struct api_case *at)
{
    struct ax_tracer *tracer;
    ax_writer_auto struct ax_writer told = ax_writer_of(1 << 20);
    open_collected(at, &collector, 1.0, &tracer);
    collector.away = 1; /* the first try meets a 503 */
    at->header =
        (struct ax_http_header){AX_STR("traceparent"), AX_STR("00-" TRACE "-" PARENT "-01")};
    struct api_case_answer answer = api_case_ask(ctx, at, NOBODY, "POST /v1/models/xgboost:predict",
                                                 AX_STR("{\"instances\":[" ROW "]}"));
    CHECK_EQ(answer.status, 200);
    ax_str parent = ax_client_header_find(&answer.whole, AX_STR("traceparent"));
    CHECK(ax_str_starts(parent, AX_STR("00-" TRACE "-")) && ax_str_ends(parent, AX_STR("-01")));
    at->header = (struct ax_http_header){};
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "GET /secret/path", AX_STR("")).status, 404);
    for (int i = 0; i < 200 && traces(at, "exported") < 2; i++)
        ax_clock_sleep_ms(20);
    CHECK_EQ(traces(at, "exported"), 2);
    close_collected(at, &collector, tracer, &told);
    must_say(&told, "[" TRACE " <" PARENT " (POST /v1/models/{model}) kind=2 "
                    "http.request.method=POST http.route=/v1/models/{model} "
                    "http.response.status_code=200 url.scheme=http network.protocol.version=1.1");
    must_say(&told, " axiom.model=xgboost axiom.model.version=1\n");
    must_say(&told, "(score) kind=1 axiom.phase.busy_ns=");
    must_say(&told, "(GET) kind=2");
    CHECK(ax_str_find(ax_writer_str(&told), AX_STR("secret")) == SIZE_MAX);
    CHECK(ax_str_find(ax_writer_str(&told), AX_STR("424242")) == SIZE_MAX);
}

TEST(traced_requests_arrive_as_spans_of_their_phases)
{
    api_case_run_bare(spans);
}

static void
sampled(struct ax_ctx *ctx, struct api_case *at)
{
    struct ax_tracer *tracer;
    ax_writer_auto struct ax_writer told = ax_writer_of(1 << 20);
    open_collected(at, &collector, 0.0, &tracer);
    const struct ax_tracer_change every = {.model = AX_STR("xgboost"),
                                           .rule = {.on = true, .ratio = 1.0, .count = 2},
                                           .set = AX_TRACER_ON | AX_TRACER_RATIO | AX_TRACER_COUNT};
    CHECK_EQ(ax_tracer_change(tracer, ctx, &every), AX_OK);
    for (int i = 0; i < 4; i++) { /* two of them; none of another model's */
        CHECK_EQ(api_case_ask(ctx, at, NOBODY, "POST /v1/models/xgboost:predict",
                              AX_STR("{\"instances\":[" ROW "]}"))
                     .status,
                 200);
        CHECK_EQ(api_case_ask(ctx, at, NOBODY, "GET /healthz", AX_STR("")).status, 200);
    }
    for (int i = 0; i < 200 && traces(at, "exported") < 2; i++)
        ax_clock_sleep_ms(20);
    CHECK_EQ(ax_tracer_rule_of(tracer, AX_STR("xgboost")).count, 0);
    CHECK_EQ(ax_tracer_rule_of(tracer, AX_STR("")).count, -1);
    close_collected(at, &collector, tracer, &told);
    CHECK_EQ(traces(at, "exported"), 2);
    must_say(&told, "axiom.model=xgboost");
    CHECK(ax_str_find(ax_writer_str(&told), AX_STR("healthz")) == SIZE_MAX);
}

TEST(traces_follow_the_rules_of_the_model)
{
    api_case_run_bare(sampled);
}

static void
dropped(struct ax_ctx *ctx, struct api_case *at)
{
    struct ax_tracer *tracer;
    ax_writer_auto struct ax_writer told = ax_writer_of(4 << 20);
    open_collected(at, &collector, 1.0, &tracer);
    collector.away = 1'000'000;
    for (int i = 0; i < 60; i++)
        CHECK_EQ(api_case_ask(ctx, at, NOBODY, "GET /healthz", AX_STR("")).status, 200);
    CHECK(traces(at, "dropped") > 0); /* nobody waited */
    close_collected(at, &collector, tracer, &told);
    CHECK(traces(at, "failed") > 0);
    CHECK_EQ(traces(at, "exported"), 0);
    CHECK_EQ(told.len, 0);
}

TEST(traces_that_nobody_takes_are_dropped_and_counted)
{
    api_case_run_bare(dropped);
}

/* The caller's flag, else the bits of the trace id. */
static void
chosen(struct ax_ctx *ctx)
{
    struct ax_metrics *metrics;
    struct ax_tracer *tracer;
    struct ax_tracer_config config;
    struct ax_exchange_trace trace = {.span_id = 1};
    int count = 0;
    CHECK_EQ(ax_metrics_open(ctx, &metrics), AX_OK);
    ax_settings_defaults(&ax_tracer_settings, &config);
    config.endpoint = AX_STR("http://127.0.0.1:9/v1/traces");
    config.sample_ratio = 0.25;
    CHECK_EQ(ax_tracer_open(ctx, &config, metrics, &tracer), AX_OK);
    for (int i = 0; i < 256; i++) {
        char id[AX_TRACE_ID_BYTES + 1];
        snprintf(id, sizeof id,
                 "0af7651916cd43dd84%02x"
                 "eb211c80319c",
                 i);
        ctx->trace_id = (ax_str){id, AX_TRACE_ID_BYTES};
        count += ax_tracer_samples(tracer, ctx, AX_STR(""), &trace, false);
    }
    CHECK_EQ(count, 64);
    ctx->trace_id = AX_STR(TRACE);
    trace.parent_id = 7;
    const struct ax_tracer_change none = {.model = AX_STR(""), .set = AX_TRACER_RATIO};
    CHECK_EQ(ax_tracer_change(tracer, ctx, &none), AX_OK); /* of those alone that callers sample */
    CHECK(ax_tracer_samples(tracer, ctx, AX_STR(""), &trace, true));
    CHECK(!ax_tracer_samples(tracer, ctx, AX_STR(""), &trace, false));
    const struct ax_tracer_change off = {.model = AX_STR("a"), .set = AX_TRACER_ON};
    CHECK_EQ(ax_tracer_change(tracer, ctx, &off), AX_OK);
    CHECK(!ax_tracer_samples(tracer, ctx, AX_STR("a"), &trace, true));
    CHECK(ax_tracer_samples(tracer, ctx, AX_STR("b"), &trace, true));
    for (int i = 0; i < AX_TRACER_MODELS_MAX; i++) {
        char name[8];
        snprintf(name, sizeof name, "m%d", i);
        const struct ax_tracer_change one = {.model = ax_str_of(name), .set = AX_TRACER_ON};
        CHECK_EQ(ax_tracer_change(tracer, ctx, &one),
                 i < AX_TRACER_MODELS_MAX - 1 ? AX_OK : AX_LIMIT);
    }
    ax_tracer_close(tracer);
    ax_metrics_close(metrics);
}

TEST(traces_are_chosen_by_the_caller_or_by_chance)
{
    ax_test_with_ctx(chosen);
}

static void
wrong(struct ax_ctx *ctx)
{
    static const struct {
        const char *endpoint, *headers, *words;
        ax_status status;
    } cases[] = {
        {"collector:4318", "", "is a URL", AX_INVALID},
        {"http://a/", "/nowhere/headers", "/nowhere/headers", AX_NOT_FOUND},
        {"http://a/", "docs/style.md", "is no \"Name: value\"", AX_INVALID},
    };
    struct ax_metrics *metrics;
    CHECK_EQ(ax_metrics_open(ctx, &metrics), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_tracer_config config;
        struct ax_tracer *tracer;
        ax_settings_defaults(&ax_tracer_settings, &config);
        config.endpoint = ax_str_of(cases[i].endpoint);
        config.headers_file = ax_str_of(cases[i].headers);
        CHECK_EQ(ax_tracer_open(ctx, &config, metrics, &tracer), cases[i].status);
        CHECK(ax_test_said(ctx, cases[i].words));
    }
    ax_metrics_close(metrics);
}

TEST(a_tracer_says_what_is_wrong_with_its_settings)
{
    ax_test_with_ctx(wrong);
}

static ax_status
open_and_close(struct ax_ctx *ctx)
{
    struct ax_metrics *metrics;
    struct ax_tracer *tracer;
    struct ax_tracer_config config;
    ax_settings_defaults(&ax_tracer_settings, &config);
    config.endpoint = AX_STR("http://127.0.0.1:9/v1/traces");
    AX_TRY(ax_metrics_open(ctx, &metrics));
    ax_status status = ax_tracer_open(ctx, &config, metrics, &tracer);
    if (status == AX_OK)
        ax_tracer_close(tracer);
    ax_metrics_close(metrics);
    return status;
}

TEST(a_tracer_survives_every_fault_of_its_opening)
{
    FAULT_SWEEP(open_and_close);
}
