#include "api_case.h"
#include "sys/log.h"

static void
shown(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /v2/models/dart/config", "", 200,
         "{\"name\":\"dart\",\"platform\":\"xgboost-json\",\"backend\":\"axiom\",\"version_"
         "policy\":"
         "{\"latest\":{\"num_versions\":1}},\"max_batch_size\":16777216,\"input\":[{\"name\":"
         "\"input-0\",\"data_type\":\"TYPE_FP32\",\"dims\":[3]}],\"output\":[{\"name\":\"predict\","
         "\"data_type\":\"TYPE_FP32\",\"dims\":[1]}]}"},
        {NOBODY, "GET /v2/models/xgboost/versions/1/config", "", 200,
         "{\"name\":\"job\",\"data_type\":\"TYPE_STRING\",\"dims\":[1]}"},
        {NOBODY, "GET /v2/models/none/config", "", 404, "unknown model: 'none'"},
        {NOBODY, "GET /v2/models/stats", "", 200, "\"name\":\"gblinear\",\"version\":\"1\""},
        {NOBODY, "GET /v2/models/dart/versions/1/stats", "", 200, "\"inference_count\":0"},
        {NOBODY, "GET /v2/models/dart/versions/2/stats", "", 404, "version 2"},
        {NOBODY, "GET /v2/metrics", "", 200, "nv_inference_count{model=\"dart\",version=\"1\"} 0"},
        {NOBODY, "POST /v2/repository/index", "", 200,
         "{\"name\":\"dart\",\"version\":\"1\",\"state\":\"READY\"}"},
        {NOBODY, "POST /v2/repository/index", "{\"ready\":true}", 200, "\"state\":\"READY\""},
        {NOBODY, "POST /v2/repository/index", "{\"ready\":1}", 400,
         "Invalid value for 'ready': expected a boolean"},
        {NOBODY, "POST /v2/repository/index", "[]", 400, "the body must be a JSON object, not an"},
        {NOBODY, "POST /v2/repository/other/index", "", 501, "is not supported"},
    };
    API_CASE_TABLE(ctx, at, rows);
}

TEST(inference_admin_shows_configuration_statistics_and_index)
{
    api_case_run_bare(shown);
}

static void
loaded(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "POST /v2/repository/models/dart/unload", "{}", 200, ""},
        {NOBODY, "POST /v2/repository/models/none/unload", "", 200, ""},
        {NOBODY, "POST /v2/repository/models/dart/load", "", 200, ""},
        {NOBODY, "POST /v2/repository/models/none/load", "{}", 404, "no model file was given"},
        {NOBODY, "POST /v2/repository/models/dart/load", "{\"parameters\":{\"config\":\"{}\"}}",
         400, "failed to load 'dart'"},
        {NOBODY, "POST /v2/repository/models/dart/load", "{", 400, "JSON"},
        {NOBODY, "POST /v2/repository/other/models/dart/load", "", 501, "is not supported"},
        {NOBODY, "POST /v2/repository/other/models/dart/unload", "", 501, "is not supported"},
    };
    API_CASE_TABLE(ctx, at, rows);
    CHECK_STR(ax_str_of(at->loads), "-dart -none +dart +none ");
}

TEST(inference_admin_hands_load_and_unload_to_the_host)
{
    api_case_run_bare(loaded);
}

static void
logged(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "POST /v2/logging", "{\"log_info\":false}", 200,
         "\"log_info\":false,\"log_warning\":true,\"log_error\":true,\"log_verbose_level\":0"},
        {NOBODY, "POST /v2/logging", "{\"log_verbose_level\":1}", 200, "\"log_verbose_level\":1"},
        {NOBODY, "POST /v2/logging", "{\"log_warning\":false}", 200, "\"log_warning\":false"},
        {NOBODY, "GET /v2/logging", "", 200, "\"log_warning\":false,\"log_error\":true"},
        {NOBODY, "POST /v2/logging", "{\"log_info\":true}", 200, "\"log_info\":true"},
        {NOBODY, "POST /v2/logging", "{\"log_file\":\"/etc/x\"}", 501, "can not be updated"},
        {NOBODY, "POST /v2/logging", "{\"log_info\":1}", 400, "'log_info' must be true or false"},
        {NOBODY, "POST /v2/logging", "{\"log_verbose_level\":-1}", 400, "'log_verbose_level'"},
        {NOBODY, "POST /v2/logging", "{\"log_error\":false}", 200,
         "\"log_info\":true,\"log_warning\":false,\"log_error\":false"},
        {NOBODY, "POST /v2/logging", "{\"log_format\":\"default\"}", 501, "stays so"},
        {NOBODY, "POST /v2/logging", "{\"log_what\":1}", 400, "unknown log setting 'log_what'"},
    };
    unsigned before = ax_log_levels();
    API_CASE_TABLE(ctx, at, rows);
    ax_log_levels_set(before);
}

TEST(inference_admin_changes_what_is_logged)
{
    api_case_run_bare(logged);
}
