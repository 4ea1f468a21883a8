#include "mlops/run_plots.h"

#include <math.h>

#include "tracking_case.h"

/* What a series looks like when it is thinned: "step:value step:value". */
static ax_str
drawn(struct ax_ctx *ctx, struct tracking_case *at, ax_str run, int64_t points_max, bool lttb)
{
    TRACKING_CASE_SHOWN(shown);
    const struct ax_run_plots_series series = {run, AX_STR("m"), points_max, lttb};
    const struct ax_json *json = NULL;
    ax_str out = AX_STR("");
    if (ax_run_plots_series(at->experiments, ctx, &series, &shown.json) != AX_OK)
        return ax_str_printf(ctx->arena, "! %s", ctx->error);
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&shown.text), NULL, &json), AX_OK);
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(json, "points"));
    while (ax_json_next(&it)) {
        struct ax_json_iter point = ax_json_iter_of(it.value);
        int64_t step = 0, time = 0;
        double value = 0;
        CHECK(ax_json_next(&point) && ax_json_i64(point.value, &step));
        CHECK(ax_json_next(&point) && ax_json_i64(point.value, &time));
        CHECK(ax_json_next(&point) && ax_json_f64(point.value, &value));
        out = ax_str_printf(ctx->arena, "%.*s%s%lld:%g", AX_FMT(out), out.len ? " " : "",
                            (long long)step, value);
    }
    return out;
}

static void
series(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_str run = tracking_case_make_run(ctx, at, "r");
    for (int i = 0; i < 20; i++) {
        double value = i == 7 ? 50 : i == 8 ? -50 : i == 12 ? (double)NAN : i;
        const struct ax_metric point = {.value = value, .step = i, .timestamp_ms = i};
        CHECK_EQ(tracking_case_log(ctx, at, run, "m", point), AX_OK);
    }
    CHECK_STR(drawn(ctx, at, run, 6, false), "0:0 7:50 8:-50 10:10 18:18 19:19");
    CHECK_STR(drawn(ctx, at, run, 4, true), "0:0 8:-50 10:10 19:19");
    CHECK(ax_str_starts(drawn(ctx, at, run, 100, false), AX_STR("0:0 1:1 2:2 3:3 4:4 5:5 6:6")));
    CHECK_STR(drawn(ctx, at, run, 2, false), "! `points` must be from 3 to 20000");
    CHECK_STR(drawn(ctx, at, AX_STR("none"), 5, false), "! run none has no metric m");
}

TEST(a_series_is_thinned_to_its_extremes)
{
    tracking_case_run(series);
}
