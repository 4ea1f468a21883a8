/*
 * Runs side by side, as pages draw them: comparison, thinned series, parallel coordinates.
 *
 * One idea: what is drawn has as many points as the picture has room for, whatever was logged, and
 * is chosen here, where the rows are. A series is thinned by the least and greatest of each
 * stretch, so that no peak is lost; "lttb" then keeps of those what changes the picture most.
 *
 * Source of lttb: Steinarsson, Downsampling Time Series for Visual Representation, 2013; with the
 * extremes first: Van Der Donckt and others, MinMaxLTTB, 2023.
 */
#pragma once

#include "mlops/experiment_run.h"

enum { AX_RUN_PLOTS_RUNS_MAX = 100, AX_RUN_PLOTS_POINTS_MAX = 20'000, AX_RUN_PLOTS_AXES_MAX = 50 };

/*
 * {"runs":[{"run_id","name","status","experiment_id"}],"params":[{"key","differs","values":[..]}],
 * "metrics":[..],"tags":[..]}: values in the order of the runs, null where one has none. Tags whose
 * names begin with "mlflow." are left out.
 */
ax_status ax_run_plots_compare(struct ax_experiments *experiments, struct ax_ctx *ctx,
                               const ax_str *ids, size_t count, struct ax_json_writer *out);

struct ax_run_plots_series {
    ax_str run_id, key;
    int64_t points_max; /* 3 to AX_RUN_PLOTS_POINTS_MAX */
    bool lttb;          /* else the least and greatest of each stretch */
};

/*
 * {"run_id","key","count","nan_count","points":[[step,timestamp,value]..]}, by step and time; count
 * is that of the whole series, of which the first and the last number are always there.
 */
ax_status ax_run_plots_series(struct ax_experiments *experiments, struct ax_ctx *ctx,
                              const struct ax_run_plots_series *series, struct ax_json_writer *out);

/*
 * {"axes":[{"name","kind":"number","min","max"} or {"name","kind":"text","values":[..]}],
 * "runs":[{"run_id","values":[..]}]} of the runs that a search finds. axes: "metrics.auc",
 * "params.depth"; parameters that are numbers in every run are numbers.
 */
ax_status ax_run_plots_parallel(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                const struct ax_experiment_search *search, const ax_str *axes,
                                size_t axis_count, struct ax_json_writer *out);
