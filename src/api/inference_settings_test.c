#include "api/inference_settings.h"

#include "api_case.h"
#include "sys/log.h"

/* Without a collector there is nothing to trace to, and nothing is pretended. */
static void
untraced(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /v2/trace/setting", "", 200,
         "{\"trace_level\":[\"OFF\"],\"trace_rate\":\"1000\",\"trace_count\":\"-1\","
         "\"log_frequency\":\"0\",\"trace_file\":\"\",\"trace_mode\":\"opentelemetry\"}"},
        {NOBODY, "POST /v2/trace/setting", "{\"trace_level\":[\"OFF\"]}", 200, "[\"OFF\"]"},
        {NOBODY, "POST /v2/trace/setting", "{\"trace_level\":[\"TIMESTAMPS\"]}", 503,
         "tracing.endpoint names no collector"},
        {NOBODY, "GET /v2/models/none/trace/setting", "", 404, "none"},
    };
    API_CASE_TABLE(ctx, at, rows);
}

TEST(trace_settings_say_that_there_is_no_collector)
{
    api_case_run_bare(untraced);
}

static void
open_traced(struct api_case *at, struct ax_tracer **out_tracer)
{
    struct ax_tracer_config config;
    ax_settings_defaults(&ax_tracer_settings, &config);
    config.endpoint = AX_STR("http://127.0.0.1:9/v1/traces"); /* nobody is there */
    config.sample_ratio = 0;
    config.follow_parent = false; /* so it begins with OFF */
    api_case_shut(at);
    CHECK_EQ(ax_tracer_open(&at->ctx, &config, at->metrics, out_tracer), AX_OK);
    at->config.tracer = *out_tracer;
    api_case_open(at);
}

static void
close_traced(struct api_case *at, struct ax_tracer *tracer)
{
    api_case_shut(at);
    at->config.tracer = NULL;
    ax_tracer_close(tracer);
    api_case_open(at);
}

#define SETTINGS(level, rate, count)                                                               \
    "{\"trace_level\":[\"" level "\"],\"trace_rate\":\"" rate "\",\"trace_count\":\"" count "\","

static void
changed(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /v2/trace/setting", "", 200, SETTINGS("OFF", "0", "-1")},
        {NOBODY, "POST /v2/trace/setting",
         "{\"trace_level\":[\"TIMESTAMPS\"],\"trace_rate\":\"7\",\"log_frequency\":\"3\"}", 200,
         SETTINGS("TIMESTAMPS", "7", "-1") "\"log_frequency\":\"3\""},
        {NOBODY, "POST /v2/models/dart/trace/setting",
         "{\"trace_rate\":\"1\",\"trace_count\":\"5\"}", 200, SETTINGS("TIMESTAMPS", "1", "5")},
        {NOBODY, "GET /v2/models/dart/versions/1/trace/setting", "", 200,
         SETTINGS("TIMESTAMPS", "1", "5")},
        {NOBODY, "GET /v2/models/linear/trace/setting", "", 200, SETTINGS("TIMESTAMPS", "7", "-1")},
        {NOBODY, "POST /v2/models/dart/trace/setting", "{\"trace_count\":null}", 200,
         SETTINGS("TIMESTAMPS", "1", "-1")},
        {NOBODY, "POST /v2/models/dart/trace/setting", "{\"trace_rate\":null}", 200,
         SETTINGS("TIMESTAMPS", "7", "-1")},
        {NOBODY, "POST /v2/trace/setting", "{\"trace_level\":null,\"trace_rate\":null}", 200,
         SETTINGS("OFF", "0", "-1")},
        {NOBODY, "POST /v2/trace/setting", "", 200, "trace_mode"},
        {NOBODY, "POST /v2/trace/setting", "{\"trace_file\":\"/tmp/a\"}", 501,
         "can not be updated"},
        {NOBODY, "POST /v2/trace/setting", "{\"trace_level\":[\"TENSORS\"]}", 501,
         "traces never hold features"},
        {NOBODY, "POST /v2/trace/setting", "{\"trace_level\":[\"MAX\"]}", 400, "not 'MAX'"},
        {NOBODY, "POST /v2/trace/setting", "{\"trace_level\":[\"OFF\",\"TIMESTAMPS\"]}", 400,
         "among others"},
        {NOBODY, "POST /v2/trace/setting", "{\"trace_level\":[]}", 400, "an array of strings"},
        {NOBODY, "POST /v2/trace/setting", "{\"trace_rate\":7}", 400, "must be a string"},
        {NOBODY, "POST /v2/trace/setting", "{\"trace_rate\":\"0\"}", 400, "whole number from 1"},
        {NOBODY, "POST /v2/trace/setting", "{\"trace_rate\":[\"1\",\"2\"]}", 400, "one value"},
        {NOBODY, "POST /v2/trace/setting", "{\"trace_count\":\"-2\"}", 400, "whole number from -1"},
        {NOBODY, "POST /v2/trace/setting", "{\"trace_what\":\"1\"}", 400, "unknown trace setting"},
    };
    struct ax_tracer *tracer;
    open_traced(at, &tracer);
    API_CASE_TABLE(ctx, at, rows);
    close_traced(at, tracer);
}

TEST(trace_settings_change_the_rules_of_all_models_and_of_one)
{
    api_case_run_bare(changed);
}
