/* /api/v1/runs and experiments: runs side by side, as pages draw them. */
#include "api/mlflow_permissions.h"
#include "api/route.h"
#include "base/number.h"
#include "mlops/run_plots.h"

enum { LIST_MAX = 200, POINTS = 1000, RUNS = 1000 };

struct list {
    ax_str items[LIST_MAX];
    size_t count;
};

/* "a,b,c" of the query. */
static ax_status
read_list(struct ax_call *call, struct ax_ctx *ctx, const char *name, struct list *out)
{
    ax_str rest, item;
    AX_TRY(ax_call_query(call, ctx, name, &rest));
    if (rest.len == 0)
        return ax_fail(ctx, AX_INVALID, "`%s` is missing", name);
    while (ax_str_cut(&rest, ',', &item)) {
        if (out->count == LIST_MAX)
            return ax_fail(ctx, AX_INVALID, "`%s` has more than %d entries", name, LIST_MAX);
        if (item.len > 0)
            out->items[out->count++] = item;
    }
    return AX_OK;
}

static ax_status
read_number(struct ax_call *call, struct ax_ctx *ctx, const char *name, int64_t *value)
{
    ax_str text;
    AX_TRY(ax_call_query(call, ctx, name, &text));
    if (text.len > 0 && !ax_parse_i64(text, value))
        return ax_fail(ctx, AX_INVALID, "`%s` must be a whole number", name);
    return AX_OK;
}

static ax_status
compare(struct ax_call *call, struct ax_ctx *ctx)
{
    struct list ids = {};
    AX_TRY(read_list(call, ctx, "runs", &ids));
    return ax_run_plots_compare(call->services->experiments, ctx, ids.items, ids.count,
                                ax_call_json(call));
}

static ax_status
show_series(struct ax_call *call, struct ax_ctx *ctx)
{
    struct ax_run_plots_series series = {
        .run_id = call->parameters[0], .key = call->parameters[1], .points_max = POINTS};
    ax_str method;
    AX_TRY(read_number(call, ctx, "points", &series.points_max));
    AX_TRY(ax_call_query(call, ctx, "method", &method));
    series.lttb = ax_str_eq(method, AX_STR("lttb"));
    if (method.len > 0 && !series.lttb && !ax_str_eq(method, AX_STR("minmax")))
        return ax_fail(ctx, AX_INVALID, "`method` must be minmax or lttb");
    return ax_run_plots_series(call->services->experiments, ctx, &series, ax_call_json(call));
}

static ax_status
parallel(struct ax_call *call, struct ax_ctx *ctx)
{
    struct list axes = {};
    ax_str order;
    struct ax_experiment_search search = {.experiment_ids = &call->parameters[0],
                                          .experiment_count = 1,
                                          .results_max = RUNS,
                                          .page_token = AX_STR("")};
    AX_TRY(read_list(call, ctx, "axes", &axes));
    AX_TRY(ax_call_query(call, ctx, "filter", &search.filter));
    AX_TRY(ax_call_query(call, ctx, "order_by", &order));
    AX_TRY(read_number(call, ctx, "runs", &search.results_max));
    if (search.results_max < 1 || search.results_max > RUNS)
        return ax_fail(ctx, AX_INVALID, "`runs` must be from 1 to %d", RUNS);
    search.order_by = &order;
    search.order_count = order.len > 0;
    return ax_run_plots_parallel(call->services->experiments, ctx, &search, axes.items, axes.count,
                                 ax_call_json(call));
}

#define READ(path, fn, summary)                                                                    \
    {                                                                                              \
        AX_HTTP_GET, path, AX_PERMISSION_READ, AX_ROUTE_WORKER, AX_ROUTE_NO_BODY, 0, fn, summary   \
    }

static const struct ax_route routes[] = {
    READ("/api/v1/runs/compare", compare,
         "Parameters, metrics and tags of runs side by side: ?runs=ID,ID"),
    READ("/api/v1/runs/{run}/metrics/{key*}", show_series,
         "A metric's history with as many points as are drawn: ?points=1000&method=minmax or lttb"),
    READ("/api/v1/experiments/{experiment}/parallel", parallel,
         "Runs on parallel axes: ?axes=params.lr,metrics.auc&filter=&order_by=&runs="),
};

const struct ax_route_table ax_v1_runs_table = {
    .routes = routes,
    .count = AX_COUNT_OF(routes),
    .stored = true,
    .tracked = true,
    .refuse = ax_problem_refuse,
    .permit = ax_mlflow_permit,
    .dialect = AX_DIALECT_AXIOM,
};
