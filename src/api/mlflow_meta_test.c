#include "mlflow_case.h"

static void
meta(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /health", "", 200, "OK"},
        {NOBODY, "GET /version", "", 200, "3."},
        {NOBODY, "GET /api/3.0/mlflow/server-info", "", 200, "\"store_type\":\"SqlStore\""},
        {NOBODY, "POST /api/3.0/mlflow/traces", "{}", 404, "\"error_code\":\"ENDPOINT_NOT_FOUND\""},
        {NOBODY, "GET /api/2.0/mlflow/traces/abc/info", "", 404, "ENDPOINT_NOT_FOUND"},
        {NOBODY, "POST /v1/traces", "", 404, "ENDPOINT_NOT_FOUND"},
        {NOBODY, "GET /api/3.0/mlflow/nothing", "", 404, "<title>404"},
    };
    API_CASE_TABLE(ctx, at, rows);
}

TEST(what_mlflow_asks_first_is_answered)
{
    api_case_run(meta);
}

static void
bare(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /api/2.0/mlflow/experiments/get?experiment_id=0", "", 404, ""},
    };
    API_CASE_TABLE(ctx, at, rows);
}

TEST(bare_models_track_nothing)
{
    api_case_run_bare(bare);
}
