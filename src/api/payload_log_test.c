#include "api/payload_log.h"

#include "codec/text.h"
#include "log_case.h"

#define ROWS "{\"instances\":[{\"age\":41,\"income\":424242.5,\"job\":\"cook\"}]}"

struct logged {
    struct log_case file;
    struct ax_payload_log *log;
};

static struct ax_payload_log_config
defaults(ax_str file)
{
    struct ax_payload_log_config config;
    ax_settings_defaults(&ax_payload_log_settings, &config);
    config.file = file;
    return config;
}

static void
open_logged(struct api_case *at, struct logged *out, double ratio, int64_t payload_bytes_max)
{
    *out = (struct logged){};
    log_case_make(at, &out->file);
    struct ax_payload_log_config config = defaults(out->file.path);
    config.sample_ratio = ratio;
    config.payload_bytes_max = payload_bytes_max;
    config.governed = true;
    CHECK_EQ(ax_payload_log_open(&at->ctx, &config, at->config.governed, at->metrics, &out->log),
             AX_OK);
    at->config.payload_log = out->log;
    api_case_open(at);
}

static ax_str
close_logged(struct ax_ctx *ctx, struct api_case *at, struct logged *logged)
{
    api_case_shut(at);
    at->config.payload_log = NULL;
    ax_payload_log_close(logged->log);
    api_case_open(at);
    return log_case_read(ctx, &logged->file);
}

/* The next line, parsed; NULL at the end. */
static const struct ax_json *
next_line(struct ax_ctx *ctx, ax_str *text)
{
    const struct ax_json *json = NULL;
    ax_str line;
    if (text->len == 0 || !ax_str_cut(text, '\n', &line))
        return NULL;
    CHECK_EQ(ax_json_parse(ctx, line, NULL, &json), AX_OK);
    return json;
}

static ax_str
text_of(const struct ax_json *json, const char *key)
{
    ax_str text = AX_STR("");
    bool found = ax_json_text(ax_json_find(json, key), &text);
    return found ? text : AX_STR("");
}

static ax_str
printed(struct ax_ctx *ctx, const struct ax_json *json)
{
    ax_str text = AX_STR("");
    CHECK_EQ(ax_json_canonical(ctx, json, &text), AX_OK);
    return text;
}

/* ---- what is in it ---- */

static void
told(struct ax_ctx *ctx, struct api_case *at)
{
    struct logged logged;
    open_logged(at, &logged, 1, 1 << 16);
    at->header = (struct ax_http_header){AX_STR("X-Request-Id"), AX_STR("my-id")};
    struct api_case_answer answer = api_case_ask(ctx, at, NOBODY, "POST /v1/models/xgboost:predict",
                                                 AX_STR("{\n\"instances\" : [{\"age\":41,\r\n"
                                                        "\"income\":424242.5,\"job\":\"cook\"}]}"));
    CHECK_EQ(answer.status, 200);
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "POST /v2/models/xgboost/infer", AX_STR("[1")).status,
             400);
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "GET /v2/models/xgboost", AX_STR("")).status, 200);
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "POST /v2/repository/index", AX_STR("{}")).status, 200);
    ax_str text = close_logged(ctx, at, &logged);
    const struct ax_json *line = next_line(ctx, &text);
    const struct ax_json *request = ax_json_find(line, "request");
    const struct ax_json *response = ax_json_find(line, "response");
    static const char *const wanted[][2] = {{"request_id", "my-id"},
                                            {"protocol", "http/1"},
                                            {"method", "POST"},
                                            {"route", "/v1/models/{model}"},
                                            {"inferenceservicename", "xgboost"},
                                            {"model", "xgboost"},
                                            {"version", "1"}};
    for (size_t i = 0; i < AX_COUNT_OF(wanted); i++)
        CHECK_STR(text_of(line, wanted[i][0]), wanted[i][1]);
    CHECK(text_of(line, "time").len > 0 && text_of(line, "trace_id").len == 32);
    CHECK_STR(printed(ctx, ax_json_find(request, "data")), ROWS);
    CHECK_STR(text_of(request, "datacontenttype"), "application/json");
    CHECK(ax_str_eq(printed(ctx, ax_json_find(response, "data")), printed(ctx, answer.json)));
    CHECK(!ax_json_find(line, "principal") && !ax_json_find(line, "peer"));
    line = next_line(ctx, &text); /* what is refused is there, with what was wrong with it */
    CHECK_STR(text_of(ax_json_find(line, "request"), "data_base64"), "WzE=");
    CHECK(ax_json_find(ax_json_find(ax_json_find(line, "response"), "data"), "error") != NULL);
    CHECK_EQ(text.len, 0); /* what asks for no score is not */
}

TEST(payload_lines_have_requests_and_answers_as_json)
{
    api_case_run_bare(told);
}

/* Text that is no JSON stays text; what is longer than a payload may be is cut, and marked. */
static void
forms(struct ax_ctx *ctx, struct api_case *at)
{
    enum { PAYLOAD_BYTES_MAX = 48 };
    struct logged logged;
    ax_str bytes = AX_STR("");
    int64_t len = 0;
    bool cut = false;
    open_logged(at, &logged, 1, PAYLOAD_BYTES_MAX);
    at->header = (struct ax_http_header){AX_STR("Content-Type"), AX_STR("text/csv")};
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "POST /models/xgboost/invocations",
                          AX_STR("age,income,job\n41,1200.5,\"cook\"\n"))
                 .status,
             200);
    at->header = (struct ax_http_header){};
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "POST /v1/models/xgboost:predict", AX_STR(ROWS)).status,
             200);
    ax_str text = close_logged(ctx, at, &logged);
    const struct ax_json *request = ax_json_find(next_line(ctx, &text), "request");
    CHECK_STR(text_of(request, "data"), "age,income,job\n41,1200.5,\"cook\"\n");
    CHECK_STR(text_of(request, "datacontenttype"), "text/csv");
    CHECK(!ax_json_find(request, "cut"));
    request = ax_json_find(next_line(ctx, &text), "request");
    CHECK(ax_json_bool(ax_json_find(request, "cut"), &cut) && cut);
    CHECK(ax_json_i64(ax_json_find(request, "bytes"), &len) && len == (int64_t)strlen(ROWS));
    CHECK_EQ(ax_base64_decode(ctx, text_of(request, "data_base64"), &bytes), AX_OK);
    CHECK(ax_str_eq(bytes, (ax_str){ROWS, PAYLOAD_BYTES_MAX}));
    CHECK(!ax_json_find(request, "data"));
}

TEST(payload_lines_keep_text_as_text_and_cut_what_is_long)
{
    api_case_run_bare(forms);
}

/* An answer that left compressed is told as it was. */
static void
compressed(struct ax_ctx *ctx, struct api_case *at)
{
    enum { ROW_COUNT = 2'000 };
    struct logged logged;
    ax_writer_auto struct ax_writer body = ax_writer_of(1 << 20);
    ax_writer_text(&body, "{\"instances\":[");
    for (int i = 0; i < ROW_COUNT; i++)
        ax_writer_print(&body, "%s{\"age\":%d,\"income\":%d.5,\"job\":\"cook\"}", i ? "," : "",
                        20 + i % 50, 1'000 + i);
    ax_writer_text(&body, "]}");
    open_logged(at, &logged, 1, 1 << 18);
    at->header = (struct ax_http_header){AX_STR("Accept-Encoding"), AX_STR("zstd")};
    struct api_case_answer answer =
        api_case_ask(ctx, at, NOBODY, "POST /v1/models/xgboost:predict", ax_writer_str(&body));
    CHECK_EQ(answer.status, 200);
    CHECK(answer.body.at[0] != '{'); /* it was */
    ax_str text = close_logged(ctx, at, &logged);
    const struct ax_json *line = next_line(ctx, &text);
    const struct ax_json *data = ax_json_find(ax_json_find(line, "response"), "data");
    CHECK_EQ(ax_json_count(ax_json_find(data, "predictions")), ROW_COUNT);
}

TEST(payload_lines_have_answers_as_they_were_before_compression)
{
    api_case_run_bare(compressed);
}

/* Those of the access log, by the same ids; refusals are no exception here. */
static void
sampled(struct ax_ctx *ctx, struct api_case *at)
{
    static const char *const ids[] = {"id-0", "id-1", "id-0"};
    struct logged logged;
    open_logged(at, &logged, 0.5, 1 << 16);
    for (size_t i = 0; i < AX_COUNT_OF(ids); i++) {
        at->header = (struct ax_http_header){AX_STR("X-Request-Id"), ax_str_of(ids[i])};
        api_case_ask(ctx, at, NOBODY, "POST /v1/models/xgboost:predict", ax_str_of(i ? ROWS : "{"));
    }
    struct api_case_answer metrics = api_case_ask(ctx, at, NOBODY, "GET /metrics", AX_STR(""));
    CHECK(api_case_says(&metrics, "axiom_payload_log_lines_total{result=\"dropped\"} 0\n"));
    ax_str text = close_logged(ctx, at, &logged);
    CHECK_STR(text_of(next_line(ctx, &text), "request_id"), "id-1");
    CHECK_EQ(text.len, 0);
}

TEST(payload_lines_are_sampled_by_the_request_id)
{
    api_case_run_bare(sampled);
}

/* A line that does not fit its writer is one that was dropped. */
static void
dropped(struct ax_ctx *ctx, struct api_case *at)
{
    struct logged logged;
    open_logged(at, &logged, 1, 0);
    char *id = ax_arena_alloc(ctx->arena, 20'000, 1);
    CHECK(id != NULL);
    memset(id, 'x', 20'000);
    const struct ax_exchange_trace trace = {};
    const struct ax_seen seen = {.trace = &trace,
                                 .request_id = {id, 20'000},
                                 .trace_id = AX_STR(""),
                                 .method = AX_STR("POST"),
                                 .protocol = AX_STR("2"),
                                 .route = "",
                                 .grpc_code = -1};
    ax_payload_log_write(logged.log, &seen, &(struct ax_payloads){.asked = AX_STR("m")});
    struct api_case_answer metrics = api_case_ask(ctx, at, NOBODY, "GET /metrics", AX_STR(""));
    CHECK(api_case_says(&metrics, "axiom_payload_log_lines_total{result=\"dropped\"} 1\n"));
    CHECK_EQ(close_logged(ctx, at, &logged).len, 0);
}

TEST(payload_lines_that_do_not_fit_are_counted)
{
    api_case_run_bare(dropped);
}

/* ---- where decisions are governed ---- */

static void
governed(struct ax_ctx *ctx, struct api_case *at)
{
    struct logged logged;
    deployed_case_make(ctx, &at->mlops);
    open_logged(at, &logged, 1, 1 << 16);
    struct api_case_answer answer =
        api_case_ask(ctx, at, SAM, "POST /api/v1/deployments/loans/decisions",
                     AX_STR("{\"features\":" DEPLOYED_CASE_FEATURES "}"));
    CHECK_EQ(answer.status, 200);
    CHECK_EQ(api_case_ask(ctx, at, AMY, "POST /api/v1/users", AX_STR("{\"id\":\"zoe\"}")).status,
             201); /* nobody's affairs but a model's are in it */
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "POST /api/v1/deployments/loans/decisions",
                          AX_STR("{\"features\":" DEPLOYED_CASE_FEATURES "}"))
                 .status,
             401);
    ax_str text = close_logged(ctx, at, &logged);
    CHECK(!log_case_says(text, "zoe") && !log_case_says(text, "Bearer"));
    CHECK(ax_str_find(text, at->tokens[SAM]) == SIZE_MAX);
    const struct ax_json *line = next_line(ctx, &text);
    CHECK_STR(text_of(line, "deployment"), "loans");
    CHECK_STR(text_of(line, "model"), "credit");
    const struct ax_json *data = ax_json_find(ax_json_find(line, "response"), "data");
    CHECK(ax_str_eq(text_of(data, "decision_id"), api_case_text(&answer, "decision_id")));
    CHECK_EQ(text.len, 0);
}

TEST(r100_payload_lines_of_decisions_hold_them_and_nothing_of_administration)
{
    api_case_run(governed);
}

/* ---- opening ---- */

static void
refused(struct ax_ctx *ctx)
{
    static const struct {
        bool governed, allowed;
        const char *file;
        int64_t payload_bytes_max;
        ax_status want;
        const char *words;
    } cases[] = {
        {true, false, "/tmp/payloads", 1 << 10, AX_DENIED, "payload_log.governed is true"},
        {false, false, "stderr", 1 << 10, AX_INVALID, "a file of its own"},
        {false, false, "/tmp/payloads", 8 << 20, AX_INVALID, "4 times payload_log.payload_bytes"},
        {true, true, "/nowhere/at/all", 1 << 10, AX_NOT_FOUND, "payload log: "},
        {true, false, "", 1 << 10, AX_OK, ""},
    };
    struct ax_metrics *metrics;
    CHECK_EQ(ax_metrics_open(ctx, &metrics), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_payload_log *log = NULL;
        struct ax_payload_log_config config = defaults(ax_str_of(cases[i].file));
        config.governed = cases[i].allowed;
        config.payload_bytes_max = cases[i].payload_bytes_max;
        CHECK_EQ(ax_payload_log_open(ctx, &config, cases[i].governed, metrics, &log),
                 cases[i].want);
        CHECK(log == NULL && strstr(ctx->error, cases[i].words) != NULL);
    }
    ax_metrics_close(metrics);
}

TEST(r100_payload_lines_of_a_governed_server_must_be_allowed)
{
    ax_test_with_ctx(refused);
}

static ax_status
open_and_close(struct ax_ctx *ctx)
{
    struct ax_metrics *metrics = NULL;
    struct ax_payload_log *log = NULL;
    const struct ax_payload_log_config config = defaults(AX_STR("/dev/null"));
    AX_TRY(ax_metrics_open(ctx, &metrics));
    ax_status status = ax_payload_log_open(ctx, &config, false, metrics, &log);
    ax_payload_log_close(log);
    ax_metrics_close(metrics);
    return status;
}

TEST(payload_logs_survive_every_fault_of_their_opening)
{
    FAULT_SWEEP(open_and_close);
}
