#include "serving/model_stats.h"

enum { NS_PER_MS = 1'000'000 };

static const char *const reasons[AX_MODEL_FAILURE_COUNT] = {
#define X(name, label) label,
    AX_MODEL_FAILURE_MAP(X)
#undef X
};

static struct ax_metric *
series(struct ax_metrics *metrics, enum ax_metric_kind kind, const char *name, const char *help,
       const char *const identity[2])
{
    return ax_metrics_series(metrics, kind, name, help, "model", identity[0], "version",
                             identity[1], NULL);
}

static struct ax_metric *
duration(struct ax_metrics *metrics, const char *name, const char *help,
         const char *const identity[2])
{
    return series(metrics, AX_METRIC_COUNTER_US, name, help, identity);
}

struct ax_model_stats
ax_model_stats_of(struct ax_metrics *metrics, const char *model, const char *version)
{
    const char *const identity[2] = {model, version};
    struct ax_model_stats stats = {
        .success = series(metrics, AX_METRIC_COUNTER, "nv_inference_request_success",
                          "Requests that were answered.", identity),
        .rows = series(metrics, AX_METRIC_COUNTER, "nv_inference_count", "Rows scored.", identity),
        .runs = series(metrics, AX_METRIC_COUNTER, "nv_inference_exec_count", "Engine calls.",
                       identity),
        .failure_ns = duration(metrics, "nv_inference_failure_duration_us",
                               "Time of requests that failed.", identity),
        .request_ns = duration(metrics, "nv_inference_request_duration_us",
                               "Time of requests that were answered.", identity),
        .queue_ns = duration(metrics, "nv_inference_queue_duration_us",
                             "Time that requests waited for a thread.", identity),
        .input_ns = duration(metrics, "nv_inference_compute_input_duration_us",
                             "Time from body to rows.", identity),
        .infer_ns = duration(metrics, "nv_inference_compute_infer_duration_us",
                             "Time in the engine.", identity),
        .output_ns = duration(metrics, "nv_inference_compute_output_duration_us",
                              "Time from results to body.", identity),
        .last_ms = series(metrics, AX_METRIC_GAUGE, "axiom_inference_last_timestamp_ms",
                          "When it last answered.", identity),
    };
    for (int reason = 0; reason < AX_MODEL_FAILURE_COUNT; reason++)
        stats.failures[reason] =
            ax_metrics_series(metrics, AX_METRIC_COUNTER, "nv_inference_request_failure",
                              "Requests that were refused or failed.", "model", model, "version",
                              version, "reason", reasons[reason], NULL);
    return stats;
}

void
ax_model_stats_success(const struct ax_model_stats *stats, const struct ax_model_times *times,
                       int64_t real_ns)
{
    ax_metric_add(stats->success, 1);
    ax_metric_add(stats->runs, 1);
    ax_metric_add(stats->rows, (int64_t)times->row_count);
    ax_metric_add(stats->queue_ns, times->queue_ns);
    ax_metric_add(stats->input_ns, times->input_ns);
    ax_metric_add(stats->infer_ns, times->infer_ns);
    ax_metric_add(stats->output_ns, times->output_ns);
    ax_metric_add(stats->request_ns,
                  times->queue_ns + times->input_ns + times->infer_ns + times->output_ns);
    int64_t real_ms = real_ns / NS_PER_MS;
    ax_metric_set(stats->last_ms, (double)real_ms);
}

static enum ax_model_failure
reason_of(ax_status status)
{
    if (status == AX_LIMIT || status == AX_UNAVAILABLE || status == AX_TIMEOUT)
        return AX_MODEL_FAILURE_REJECTED;
    if (status == AX_INTERNAL || status == AX_CORRUPT)
        return AX_MODEL_FAILURE_BACKEND;
    return AX_MODEL_FAILURE_OTHER;
}

void
ax_model_stats_failure(const struct ax_model_stats *stats, ax_status status, int64_t request_ns)
{
    ax_metric_add(stats->failures[reason_of(status)], 1);
    ax_metric_add(stats->failure_ns, request_ns);
}

int64_t
ax_model_stats_failures(const struct ax_model_stats *stats)
{
    int64_t count = 0;
    for (int reason = 0; reason < AX_MODEL_FAILURE_COUNT; reason++)
        count += ax_metric_count(stats->failures[reason]);
    return count;
}
