#include "mlflow_case.h"

static ax_str
logged_run(struct ax_ctx *ctx, struct api_case *at, const char *name, const char *depth, int points)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    ax_str id = mlflow_case_run(ctx, at, name);
    ax_writer_print(&text,
                    "{\"run_id\":\"%.*s\",\"params\":[{\"key\":\"depth\",\"value\":\"%s\"},"
                    "{\"key\":\"kind\",\"value\":\"tree\"}],\"metrics\":[",
                    AX_FMT(id), depth);
    for (int i = 0; i < points; i++)
        ax_writer_print(&text, "%s{\"key\":\"loss\",\"value\":%d,\"timestamp\":%d,\"step\":%d}",
                        i ? "," : "", i == 77 ? 1000 : i % 10, i, i);
    ax_writer_text(&text, "]}");
    CHECK_EQ(api_case_ask(ctx, at, DANA, "POST " MLFLOW_API "runs/log-batch", ax_writer_str(&text))
                 .status,
             200);
    return id;
}

static void
plots(struct ax_ctx *ctx, struct api_case *at)
{
    mlflow_case_begin(at);
    ax_str one = logged_run(ctx, at, "one", "3", 200), two = logged_run(ctx, at, "two", "x", 1);
#define ASK(status_, words_, ...)                                                                  \
    do {                                                                                           \
        const char *line = ax_str_c(ctx->arena, ax_str_printf(ctx->arena, __VA_ARGS__));           \
        struct api_case_answer answer = api_case_ask(ctx, at, DANA, line, AX_STR(""));             \
        if (answer.status != (status_) || !api_case_says(&answer, words_))                         \
            ax_test_failed(__FILE__, __LINE__, "%s: %d %.*s", line, answer.status,                 \
                           AX_FMT(answer.body));                                                   \
    } while (0)
    ASK(200, "{\"key\":\"depth\",\"differs\":true,\"values\":[\"3\",\"x\"]}",
        "GET /api/v1/runs/compare?runs=%.*s,%.*s", AX_FMT(one), AX_FMT(two));
    ASK(200, "{\"key\":\"kind\",\"differs\":false,\"values\":[\"tree\",\"tree\"]}",
        "GET /api/v1/runs/compare?runs=%.*s,%.*s", AX_FMT(one), AX_FMT(two));
    ASK(200, "{\"key\":\"loss\",\"differs\":true,\"values\":[9,0]}",
        "GET /api/v1/runs/compare?runs=%.*s,%.*s", AX_FMT(one), AX_FMT(two));
    ASK(400, "named twice", "GET /api/v1/runs/compare?runs=%.*s,%.*s", AX_FMT(one), AX_FMT(one));
    ASK(404, "not found", "GET /api/v1/runs/compare?runs=none");
    ASK(400, "`runs` is missing", "GET /api/v1/runs/compare");
    /* the peak stays, whichever way the series is thinned, and so do the ends */
    ASK(200, "[77,77,1000]", "GET /api/v1/runs/%.*s/metrics/loss?points=12", AX_FMT(one));
    ASK(200, "[77,77,1000]", "GET /api/v1/runs/%.*s/metrics/loss?points=12&method=lttb",
        AX_FMT(one));
    ASK(200, "\"count\":200,\"nan_count\":0,\"points\":[[0,0,0],",
        "GET /api/v1/runs/%.*s/metrics/loss?points=12&method=lttb", AX_FMT(one));
    ASK(200, "[199,199,9]]}", "GET /api/v1/runs/%.*s/metrics/loss?points=12", AX_FMT(one));
    ASK(200, "\"points\":[[0,0,0]]", "GET /api/v1/runs/%.*s/metrics/loss", AX_FMT(two));
    ASK(404, "has no metric none", "GET /api/v1/runs/%.*s/metrics/none", AX_FMT(one));
    ASK(400, "`points` must be", "GET /api/v1/runs/%.*s/metrics/loss?points=2", AX_FMT(one));
    ASK(400, "`method` must be", "GET /api/v1/runs/%.*s/metrics/loss?method=x", AX_FMT(one));
    ASK(200, "{\"name\":\"metrics.loss\",\"kind\":\"number\",\"min\":0,\"max\":9}",
        "GET /api/v1/experiments/0/parallel?axes=metrics.loss,params.depth");
    ASK(200, "{\"name\":\"params.depth\",\"kind\":\"text\",\"values\":[\"3\",\"x\"]}",
        "GET /api/v1/experiments/0/parallel?axes=params.depth&order_by=run_name");
    ASK(200, "\"values\":[3]}]}",
        "GET /api/v1/experiments/0/parallel?axes=params.depth&filter=run_name%%3D%%27one%%27");
    ASK(400, "an axis is named", "GET /api/v1/experiments/0/parallel?axes=loss");
    ASK(400, "Experiment ID must be a valid integer",
        "GET /api/v1/experiments/x/parallel?axes=params.a");
#undef ASK
    CHECK_EQ(api_case_ask(ctx, at, NOBODY, "GET /api/v1/runs/compare?runs=a", AX_STR("")).status,
             401);
}

TEST(runs_are_compared_and_drawn)
{
    api_case_run(plots);
}

/* Every thinning has at most what was asked for, in order. */
static void
thinned(struct ax_ctx *ctx, struct api_case *at)
{
    mlflow_case_begin(at);
    ax_str id = logged_run(ctx, at, "many", "1", 997);
    for (int points = 3; points < 1200; points = points * 3 / 2 + 1)
        for (int lttb = 0; lttb < 2; lttb++) {
            const char *line = ax_str_c(
                ctx->arena,
                ax_str_printf(ctx->arena, "GET /api/v1/runs/%.*s/metrics/loss?points=%d&method=%s",
                              AX_FMT(id), points, lttb ? "lttb" : "minmax"));
            struct api_case_answer answer = api_case_ask(ctx, at, DANA, line, AX_STR(""));
            const struct ax_json *list = ax_json_find(answer.json, "points");
            struct ax_json_iter it = ax_json_iter_of(list);
            int64_t before = -1, step = 0;
            CHECK(ax_json_count(list) <= (size_t)(points > 3 ? points : 4));
            CHECK(ax_json_count(list) >= 2);
            while (ax_json_next(&it)) {
                struct ax_json_iter point = ax_json_iter_of(it.value);
                CHECK(ax_json_next(&point) && ax_json_i64(point.value, &step));
                CHECK(step > before);
                before = step;
            }
            CHECK_EQ(before, 996);
        }
}

TEST(a_thinned_series_keeps_its_order_and_its_ends)
{
    api_case_run(thinned);
}
