#include "mlflow_case.h"

#define RUNS        "POST " MLFLOW_API "runs/"
#define EXPERIMENTS "POST " MLFLOW_API "experiments/"

static void
experiments(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {DANA, EXPERIMENTS "create",
         "{\"name\":\"one\",\"tags\":[{\"key\":\"k\",\"value\":\"v\"}]}", 200, "\"1\""},
        {DANA, "GET " MLFLOW_API "experiments/get-by-name?experiment_name=one", "", 200,
         "\"tags\":[{\"key\":\"k\""},
        {DANA, "GET " MLFLOW_API "experiments/get-by-name?experiment_name=a%20b", "", 404,
         "Could not find experiment with name 'a b'"},
        {DANA, EXPERIMENTS "update", "{\"experiment_id\":\"1\",\"new_name\":\"Default\"}", 400,
         "\"error_code\":\"BAD_REQUEST\""},
        {DANA, EXPERIMENTS "update", "{\"experiment_id\":\"1\",\"new_name\":\"two\"}", 200, "{}"},
        {DANA, EXPERIMENTS "set-experiment-tag",
         "{\"experiment_id\":\"1\",\"key\":\"a\",\"value\":\"b\"}", 200, "{}"},
        {DANA, EXPERIMENTS "delete-experiment-tag", "{\"experiment_id\":\"1\",\"key\":\"a\"}", 200,
         "{}"},
        {DANA, EXPERIMENTS "search", "{}", 400, "It must be a positive integer"},
        {DANA, EXPERIMENTS "search", "{\"max_results\":50001}", 400, "It must be at most 50000"},
        {DANA, EXPERIMENTS "search", "{\"max_results\":1,\"order_by\":[\"name DESC\"]}", 200,
         "\"next_page_token\":\"eyJvZmZzZXQiOiAxfQ==\""},
        {DANA, EXPERIMENTS "delete", "{\"experiment_id\":\"1\"}", 200, "{}"},
        {DANA, EXPERIMENTS "search", "{\"max_results\":9,\"view_type\":\"DELETED_ONLY\"}", 200,
         "\"name\":\"two\""},
        {DANA, "GET " MLFLOW_API "experiments/search?max_results=9&view_type=3", "", 200,
         "Default"},
        {DANA, EXPERIMENTS "restore", "{\"experiment_id\":\"1\"}", 200, "{}"},
        {DANA, EXPERIMENTS "search-datasets", "{\"experiment_ids\":[]}", 400, "at least one"},
        {DANA, EXPERIMENTS "search-datasets", "{\"experiment_ids\":[\"1\"]}", 200,
         "\"dataset_summaries\":[]"},
        {DANA, "POST /api/2.0mlflow/experiments/search-datasets", "{\"experiment_ids\":[\"1\"]}",
         200, "dataset_summaries"},
    };
    mlflow_case_begin(at);
    API_CASE_TABLE(ctx, at, rows);
}

TEST(experiments_over_mlflows_api)
{
    api_case_run(experiments);
}

static void
logging(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {DANA, RUNS "log-metric",
         "{\"run_id\":\"RUN_ID\",\"key\":\"m\",\"value\":\"NaN\","
         "\"timestamp\":\"5\",\"step\":1}",
         200, "{}"},
        {DANA, RUNS "log-metric",
         "{\"run_uuid\":\"RUN_ID\",\"key\":\"m\",\"value\":2,"
         "\"timestamp\":5,\"step\":2}",
         200, "{}"},
        {DANA, RUNS "log-metric",
         "{\"run_id\":\"RUN_ID\",\"key\":\"m\",\"value\":\"abc\","
         "\"timestamp\":5}",
         400, "Invalid value \\\"abc\\\" for parameter"},
        {DANA, RUNS "log-metric", "{\"run_id\":\"RUN_ID\",\"key\":\"m\",\"value\":1}", 400,
         "Missing value for required parameter 'timestamp'"},
        {DANA, RUNS "log-metric",
         "{\"run_id\":\"RUN_ID\",\"key\":\"m\",\"value\":NaN,"
         "\"timestamp\":5}",
         400, "INVALID_PARAMETER_VALUE"},
        {DANA, RUNS "log-metric", "{\"key\":\"m\",\"value\":1,\"timestamp\":1}", 400,
         "Missing value for required parameter 'run_id'"},
        {DANA, RUNS "log-parameter", "{\"run_id\":\"RUN_ID\",\"key\":\"p\",\"value\":\"1\"}", 200,
         "{}"},
        {DANA, RUNS "log-parameter", "{\"run_id\":\"RUN_ID\",\"key\":\"p\",\"value\":\"2\"}", 400,
         "Changing param values is not allowed"},
        {DANA, RUNS "set-tag", "{\"run_id\":\"RUN_ID\",\"key\":\"t\"}", 200, "{}"},
        {DANA, RUNS "delete-tag", "{\"run_id\":\"RUN_ID\",\"key\":\"t\"}", 200, "{}"},
        {DANA, RUNS "log-batch",
         "{\"run_id\":\"RUN_ID\",\"metrics\":[{\"key\":\"b\",\"value\":1,"
         "\"timestamp\":1}],\"params\":[{\"key\":\"q\",\"value\":\"1\"}],"
         "\"tags\":[{\"key\":\"u\",\"value\":\"1\"}]}",
         200, "{}"},
        {DANA, RUNS "log-batch",
         "{\"run_id\":\"RUN_ID\",\"metrics\":[{\"key\":\"b\",\"value\":1}]}", 400,
         "Missing value for required parameter 'metrics[0].timestamp'"},
        {DANA, RUNS "log-batch", "{\"run_id\":\"RUN_ID\"}", 200, "{}"},
        {DANA, RUNS "log-inputs",
         "{\"run_id\":\"RUN_ID\",\"datasets\":[{\"dataset\":{\"name\":\"d\","
         "\"digest\":\"1\",\"source_type\":\"s\",\"source\":\"x\"}}]}",
         200, "{}"},
        {DANA, RUNS "log-inputs", "{\"run_id\":\"RUN_ID\",\"datasets\":[{}]}", 400,
         "'datasets[0].dataset'"},
        {DANA, RUNS "outputs", "{\"run_id\":\"RUN_ID\",\"models\":[{\"model_id\":\"m-1\"}]}", 200,
         "{}"},
        {DANA, RUNS "log-model", "{\"run_id\":\"RUN_ID\",\"model_json\":\"{\"}", 400,
         "Malformed model info"},
        {DANA, RUNS "log-model", "{\"run_id\":\"RUN_ID\",\"model_json\":\"{}\"}", 400,
         "missing mandatory fields"},
    };
    mlflow_case_begin(at);
    ax_str id = mlflow_case_run(ctx, at, "first");
    MLFLOW_CASE_TABLE(ctx, at, id, rows);
}

TEST(what_runs_log_over_mlflows_api)
{
    api_case_run(logging);
}

static void
runs(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {DANA, RUNS "log-batch",
         "{\"run_id\":\"RUN_ID\",\"metrics\":[{\"key\":\"b\",\"value\":1,\"timestamp\":1},{\"key\":"
         "\"m\",\"value\":\"NaN\",\"timestamp\":5,\"step\":1},{\"key\":\"m\",\"value\":2,"
         "\"timestamp\":5,\"step\":2}]}",
         200, "{}"},
        {DANA, RUNS "update", "{\"run_id\":\"RUN_ID\",\"status\":\"BOGUS\"}", 200, "RUNNING"},
        {DANA, RUNS "update", "{\"run_id\":\"RUN_ID\",\"status\":3,\"end_time\":5}", 200,
         "\"status\":\"FINISHED\""},
        {DANA, RUNS "update", "{\"run_id\":\"RUN_ID\",\"end_time\":9223372036854775807}", 400,
         "beyond what is kept"},
        {DANA, "GET " MLFLOW_API "runs/get?run_id=RUN_ID", "", 200,
         "\"metrics\":[{\"key\":\"b\",\"value\":1,\"timestamp\":1,\"step\":0},{\"key\":\"m\","},
        {DANA, "GET " MLFLOW_API "metrics/get-history?run_id=RUN_ID&metric_key=m", "", 200,
         "\"value\":\"NaN\""},
        {DANA, "GET " MLFLOW_API "metrics/get-history-bulk?run_id=RUN_ID&metric_key=m", "", 200,
         "\"run_id\":"},
        {DANA, "GET " MLFLOW_API "metrics/get-history-bulk?metric_key=m", "", 400, "at least one"},
        {DANA, "GET " MLFLOW_API "metrics/get-history-bulk-interval?metric_key=m", "", 400,
         "Missing value for required parameter 'run_ids'."},
        {DANA, "GET " MLFLOW_API "metrics/get-history-bulk-interval?run_ids=RUN_ID&metric_key=", "",
         400, "Missing value for required parameter 'metric_key'."},
        {DANA,
         "GET " MLFLOW_API "metrics/get-history-bulk-interval?run_ids=RUN_ID&metric_key=m"
         "&start_step=1",
         "", 400, "both must be specified"},
        {DANA,
         "GET " MLFLOW_API "metrics/get-history-bulk-interval?run_ids=RUN_ID&metric_key=m"
         "&max_results=2501",
         "", 400, "between 1 and 2500"},
        {DANA,
         "GET " MLFLOW_API "metrics/get-history-bulk-interval?run_ids=RUN_ID&metric_key=m"
         "&start_step=2&end_step=3",
         "", 200, "\"step\":2"},
        {DANA, RUNS "search", "{\"experiment_ids\":[\"0\"],\"filter\":\"metrics.b = 1\"}", 200,
         "\"run_name\":\"first\""},
        {DANA, RUNS "search", "{\"experiment_ids\":[\"0\"],\"max_results\":50001}", 400,
         "Invalid value 50001 for parameter 'max_results' supplied"},
        {DANA, RUNS "search", "{\"experiment_ids\":[\"x\"]}", 400, "Invalid experiment ID 'x'"},
        {DANA, RUNS "search", "{\"experiment_ids\":[]}", 200, "{}"},
        {DANA, RUNS "search", "{\"experiment_ids\":[\"0\"],\"page_token\":\"zz\"}", 400,
         "Invalid page token"},
        {DANA, RUNS "delete", "{\"run_id\":\"RUN_ID\"}", 200, "{}"},
        {DANA, RUNS "set-tag", "{\"run_id\":\"RUN_ID\",\"key\":\"t\"}", 400, "Current state is"},
        {DANA, RUNS "restore", "{\"run_id\":\"RUN_ID\"}", 200, "{}"},
        {VIC, RUNS "restore", "{\"run_id\":\"RUN_ID\"}", 403, "PERMISSION_DENIED"},
    };
    mlflow_case_begin(at);
    ax_str id = mlflow_case_run(ctx, at, "first");
    MLFLOW_CASE_TABLE(ctx, at, id, rows);
}

TEST(runs_over_mlflows_api)
{
    api_case_run(runs);
}

/* Histories of several runs are told by their ids, however they are asked for. */
static void
bulk(struct ax_ctx *ctx, struct api_case *at)
{
    mlflow_case_begin(at);
    const ax_str ids[] = {mlflow_case_run(ctx, at, "one"), mlflow_case_run(ctx, at, "two")};
    size_t first = ax_str_cmp(ids[0], ids[1]) < 0 ? 0 : 1;
    for (size_t i = 0; i < AX_COUNT_OF(ids); i++) {
        ax_str body = ax_str_printf(ctx->arena,
                                    "{\"run_id\":\"%.*s\",\"key\":\"m\",\"value\":%d,"
                                    "\"timestamp\":1}",
                                    AX_FMT(ids[i]), i == first ? 1 : 2);
        CHECK_EQ(api_case_ask(ctx, at, DANA, RUNS "log-metric", body).status, 200);
    }
    for (size_t i = 0; i < AX_COUNT_OF(ids); i++) {
        ax_str ask = ax_str_printf(ctx->arena,
                                   "GET " MLFLOW_API "metrics/get-history-bulk?metric_key=m&run_id="
                                   "%.*s&run_id=%.*s",
                                   AX_FMT(ids[i]), AX_FMT(ids[1 - i]));
        struct api_case_answer answer =
            api_case_ask(ctx, at, DANA, ax_str_c(ctx->arena, ask), AX_STR(""));
        CHECK_EQ(answer.status, 200);
        CHECK(ax_str_find(answer.body, AX_STR("\"value\":1")) <
              ax_str_find(answer.body, AX_STR("\"value\":2")));
    }
}

TEST(histories_of_runs_are_told_by_id)
{
    api_case_run(bulk);
}
