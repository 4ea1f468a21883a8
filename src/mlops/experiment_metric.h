/*
 * Metrics of runs: series of points, and of each series its summary.
 *
 * A series is a row (run, key) that holds the greatest point by step, time and value, so that runs
 * are searched and shown without their history; the points lie beside it, in the order history is
 * read. The same point twice is one row. Infinities become the largest doubles, and a value that
 * is not a number is 0 with a flag, as in MLflow.
 */
#pragma once

#include "mlops/experiment.h"

struct ax_metric {
    ax_str key;
    double value; /* any double */
    int64_t timestamp_ms;
    int64_t step;
    ax_str model_id; /* of a logged model it is a metric of too; "" */
    ax_str dataset_name, dataset_digest;
};

struct ax_metrics_logged {
    const struct ax_metric *items;
    size_t count;
};

/* Key and time. Fails: INVALID. */
ax_status ax_metric_check(struct ax_ctx *ctx, const struct ax_metric *metric);

/* A value as rows keep it: the largest double for an infinity, 0 for what is no number. */
double ax_metric_kept(double value);

/* An active run while it is written to. */
struct ax_metric_run {
    ax_str id;
    int64_t key;
    int64_t series_count; /* series it has ever had */
};

/* Adds checked points to the run, in the caller's transaction. */
ax_status ax_metrics_put(struct ax_store_tx *tx, struct ax_ctx *ctx,
                         const struct ax_metric_run *run, const struct ax_metrics_logged *metrics);

/* "key","value","timestamp","step": members of an object; not a number is "NaN". */
void ax_metric_show(ax_str key, const struct ax_metric *point, struct ax_json_writer *out);

/* The point in four columns of the rows: step, timestamp_ms, value, is_nan. */
struct ax_metric ax_metric_read(struct ax_store_rows *rows, int column);

struct ax_metric_history {
    const ax_str *run_ids;
    size_t run_count;
    ax_str key;
    int64_t results_max; /* 0: all */
    ax_str page_token;
};

/* {"metrics":[..],"next_page_token"?} of one run, by time, step and value. No run: no members. */
ax_status ax_metric_history(struct ax_experiments *experiments, struct ax_ctx *ctx,
                            const struct ax_metric_history *history, struct ax_json_writer *out);

/* "metrics":[{..,"run_id"}] of several runs, each like the above, at most results_max together. */
ax_status ax_metric_history_bulk(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                 const struct ax_metric_history *history,
                                 struct ax_json_writer *out);

struct ax_metric_interval {
    bool bounded; /* else from 0 to the last step */
    int64_t start_step, end_step;
};

/* The same, sampled: about results_max steps evenly spaced, and each run's first and last. */
ax_status ax_metric_history_interval(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                     const struct ax_metric_history *history,
                                     const struct ax_metric_interval *interval,
                                     struct ax_json_writer *out);
