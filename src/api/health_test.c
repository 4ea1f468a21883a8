#include "api_case.h"

static void
alive(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /healthz", "", 200, "\"status\":\"alive\",\"version\":\"" AX_VERSION "\""},
        {NOBODY, "GET /readyz", "", 200, "{\"parts\":{\"ledger\":\"ready\"},\"ready\":true}"},
        {NOBODY, "GET /metrics", "", 200, "axiom_tests_away 0\n"},
        {NOBODY, "HEAD /healthz", "", 200, ""},
        {NOBODY, "POST /healthz", "{}", 405, "{\"error\":\"Method Not Allowed\"}"},
    };
    API_CASE_TABLE(ctx, at, rows);
}

TEST(health_and_metrics_need_no_credentials)
{
    api_case_run(alive);
}

TEST(health_and_metrics_answer_in_development_mode)
{
    api_case_run_bare(alive);
}

static void
away(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /healthz", "", 200, "alive"}, /* it runs all the same */
        {NOBODY, "GET /readyz", "", 503, "{\"parts\":{\"ledger\":\"disk full\"},\"ready\":false}"},
        {NOBODY, "GET /metrics", "", 200, "axiom_tests_away 1\n"},
    };
    at->away = true;
    API_CASE_TABLE(ctx, at, rows);
}

TEST(readiness_says_which_part_is_away)
{
    api_case_run(away);
}

/* What was asked is counted, by its class; what Prometheus wants is said in the head. */
static void
counted(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /healthz", "", 200, "alive"},
        {NOBODY, "GET /healthz", "", 200, "alive"},
        {NOBODY, "GET /nowhere", "", 404, "Not Found"},
    };
    API_CASE_TABLE(ctx, at, rows);
    struct api_case_answer answer = api_case_ask(ctx, at, NOBODY, "GET /metrics", AX_STR(""));
    CHECK_STR(ax_client_header_find(&answer.whole, AX_STR("content-type")),
              "text/plain; version=0.0.4; charset=utf-8");
    CHECK(api_case_says(&answer, "axiom_http_requests_total{status=\"2xx\"} 2\n"));
    CHECK(api_case_says(&answer, "axiom_http_requests_total{status=\"4xx\"} 1\n"));
    CHECK(api_case_says(&answer, "axiom_http_requests_total{status=\"5xx\"} 0\n"));
    CHECK(api_case_says(&answer, "axiom_http_request_seconds_count 3\n"));
}

TEST(requests_are_counted_by_class_and_timed)
{
    api_case_run_bare(counted);
}

/* What Prometheus asks for is what it gets; whoever asks for nothing, or for less, gets text. */
static void
negotiated(struct ax_ctx *ctx, struct api_case *at)
{
    static const char text[] = "text/plain; version=0.0.4; charset=utf-8";
    static const char open[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    static const char protobuf[] = "application/vnd.google.protobuf; "
                                   "proto=io.prometheus.client.MetricFamily; encoding=delimited";
    static const struct {
        const char *accept, *type;
    } cases[] = {
        {"*/*", text},
        {"text/html", text},
        {"application/openmetrics-text", open},
        {"application/openmetrics-text; version=0.0.1", text},
        {"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.9", text},
        {"application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         open},
        {"application/openmetrics-text;q=0", text},
        {"application/openmetrics-text;q=x, text/plain", text},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
         "encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,"
         "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,"
         "*/*;q=0.1",
         protobuf},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
         "encoding=text",
         text},
        {";;q==,", text},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        at->header = (struct ax_http_header){AX_STR("Accept"), ax_str_of(cases[i].accept)};
        struct api_case_answer answer = api_case_ask(ctx, at, NOBODY, "GET /metrics", AX_STR(""));
        CHECK_STR(ax_client_header_find(&answer.whole, AX_STR("content-type")), cases[i].type);
        CHECK_EQ(ax_str_ends(answer.body, AX_STR("# EOF\n")), cases[i].type == open);
    }
}

TEST(metrics_come_in_the_format_that_is_asked_for)
{
    api_case_run_bare(negotiated);
}
