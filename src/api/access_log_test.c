#include "api/access_log.h"

#include "log_case.h"

#define INPUTS                                                                                     \
    "{\"id\":\"a\",\"inputs\":["                                                                   \
    "{\"name\":\"age\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[41]},"                        \
    "{\"name\":\"income\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[424242.5]},"               \
    "{\"name\":\"job\",\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[\"cook\"]}]}"

struct logged {
    struct log_case file;
    struct ax_access_log *log;
};

static void
open_logged(struct api_case *at, struct logged *out, double ratio)
{
    struct ax_access_log_config config;
    *out = (struct logged){};
    log_case_make(at, &out->file);
    ax_settings_defaults(&ax_access_log_settings, &config);
    config.file = out->file.path;
    config.sample_ratio = ratio;
    CHECK_EQ(ax_access_log_open(&at->ctx, &config, at->metrics, &out->log), AX_OK);
    at->config.access_log = out->log;
    api_case_open(at);
}

/* What was written, and the way in as it was before. */
static ax_str
close_logged(struct ax_ctx *ctx, struct api_case *at, struct logged *logged)
{
    api_case_shut(at);
    at->config.access_log = NULL;
    ax_access_log_close(logged->log);
    api_case_open(at);
    return log_case_read(ctx, &logged->file);
}

static void
lines(struct ax_ctx *ctx, struct api_case *at)
{
    static const char *const wanted[][8] = {
        {"\"method\":\"POST\",\"route\":\"/v2/models/{model}/infer\"", "\"model\":\"xgboost\"",
         "\"version\":\"1\"", "\"status\":200", "\"principal\":\"developer\"",
         "\"protocol\":\"http/1\"", "\"score\":", "\"request_id\":\"my-id\""},
        {"\"route\":\"/v2/models/{model}/infer\"", "\"status\":400", "\"bytes_in\":9"},
        {"\"method\":\"GET\",\"status\":404", "\"peer\":\"127.0.0.1\"", "\"total\":"},
    };
    struct logged logged;
    open_logged(at, &logged, 1.0);
    at->header = (struct ax_http_header){AX_STR("X-Request-Id"), AX_STR("my-id")};
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "POST /v2/models/xgboost/infer", AX_STR(INPUTS)).status,
             200);
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "POST /v2/models/xgboost/infer", AX_STR("{\"age\":7}"))
                 .status,
             400);
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "GET /secret?token=xyz", AX_STR("")).status, 404);
    ax_str text = close_logged(ctx, at, &logged), line;
    CHECK(!log_case_says(text, "secret") &&
          !log_case_says(text, "xyz")); /* no path as it was sent */
    CHECK(!log_case_says(text, "424242") &&
          !log_case_says(text, "age")); /* no feature, not even in an error */
    for (size_t i = 0; i < AX_COUNT_OF(wanted); i++) {
        const struct ax_json *json;
        CHECK(ax_str_cut(&text, '\n', &line));
        CHECK_EQ(ax_json_parse(ctx, line, NULL, &json), AX_OK);
        for (size_t k = 0; k < AX_COUNT_OF(wanted[i]) && wanted[i][k]; k++)
            if (!log_case_says(line, wanted[i][k]))
                ax_test_failed(__FILE__, __LINE__, "%s is not in %.*s", wanted[i][k], AX_FMT(line));
    }
    CHECK_EQ(text.len, 0);
}

TEST(access_lines_tell_who_what_and_how_long_and_nothing_else)
{
    api_case_run_bare(lines);
}

static void
sampled(struct ax_ctx *ctx, struct api_case *at)
{
    enum { REQUESTS = 200 };
    struct logged logged;
    char id[16];
    int count = 0;
    open_logged(at, &logged, 0.5);
    for (int i = 0; i < REQUESTS; i++) {
        snprintf(id, sizeof id, "id-%d", i);
        at->header = (struct ax_http_header){AX_STR("X-Request-Id"), ax_str_of(id)};
        CHECK_EQ(api_case_ask(ctx, at, NOBODY, "GET /healthz", AX_STR("")).status, 200);
    }
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "GET /none", AX_STR("")).status, 404);
    ax_str text = close_logged(ctx, at, &logged), line;
    CHECK(log_case_says(text, "\"status\":404")); /* refusals are always there */
    CHECK(log_case_says(text, "\"id-1\"") &&
          !log_case_says(text, "\"id-0\"")); /* on every server the same */
    while (ax_str_cut(&text, '\n', &line) && text.at)
        count++;
    CHECK(count > REQUESTS / 3 && count < REQUESTS * 2 / 3);
}

TEST(access_lines_are_sampled_by_the_request_id)
{
    api_case_run_bare(sampled);
}

static void
governed(struct ax_ctx *ctx, struct api_case *at)
{
    struct logged logged;
    deployed_case_make(ctx, &at->mlops);
    open_logged(at, &logged, 1.0);
    struct api_case_answer answer =
        api_case_ask(ctx, at, SAM, "POST /api/v1/deployments/loans/decisions",
                     AX_STR("{\"features\":" DEPLOYED_CASE_FEATURES "}"));
    CHECK_EQ(answer.status, 200);
    ax_str text = close_logged(ctx, at, &logged);
    static const char *const wanted[] = {"\"principal\":\"sam\"",
                                         "\"model\":\"credit\"",
                                         "\"deployment\":\"loans\"",
                                         "\"parse\":",
                                         "\"route\":",
                                         "\"features\":",
                                         "\"score\":",
                                         "\"explain\":",
                                         "\"record\":",
                                         "\"write\":"};
    for (size_t i = 0; i < AX_COUNT_OF(wanted); i++)
        if (!log_case_says(text, wanted[i]))
            ax_test_failed(__FILE__, __LINE__, "%s is not in %.*s", wanted[i], AX_FMT(text));
    CHECK(!log_case_says(text, "Bearer") && ax_str_find(text, at->tokens[SAM]) == SIZE_MAX);
    answer = api_case_ask(ctx, at, NOBODY, "GET /metrics", AX_STR(""));
    CHECK(api_case_says(&answer, "axiom_phase_seconds_count{model=\"credit\",version=\"1\","
                                 "phase=\"record\"} 1\n"));
}

TEST(access_lines_of_decisions_have_every_phase)
{
    api_case_run(governed);
}
