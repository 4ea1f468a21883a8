/*
 * Counters, gauges and histograms, lock-free to write, told as Prometheus reads them.
 *
 * A family has a name, a help text and label names; a series is one set of label values, looked
 * up once and kept by its user. Threads write to places of their own, added up when read.
 * Histograms count nanoseconds in eight buckets to a power of two, those of Prometheus' native
 * histograms of schema 3, and are told in seconds: in protobuf with all of them, in text with four
 * to a power of two from 1 us to 1 s.
 *
 * Source: alerting.md sections 4 to 6 (the exposition formats).
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "base/writer.h"

enum ax_metric_kind {
    AX_METRIC_COUNTER,
    AX_METRIC_COUNTER_US, /* counts nanoseconds, printed as whole microseconds */
    AX_METRIC_GAUGE,
    AX_METRIC_HISTOGRAM
};

struct ax_metrics;
struct ax_metric; /* one series */

ax_status ax_metrics_open(struct ax_ctx *ctx, struct ax_metrics **out_metrics);
void ax_metrics_close(struct ax_metrics *metrics);

/*
 * The series of a family with these label values, made when new. labels: "model", "credit",
 * "version", "7", NULL: names and values in turn, at most six pairs. name, help: kept. A family
 * has one kind. Never NULL: past the limit of series a shared one with the label values "other"
 * is given and counted; without memory one that is not printed.
 */
[[gnu::sentinel]] struct ax_metric *ax_metrics_series(struct ax_metrics *metrics,
                                                      enum ax_metric_kind kind, const char *name,
                                                      const char *help, ...);

void ax_metric_add(struct ax_metric *metric, int64_t amount); /* counter, gauge */
void ax_metric_set(struct ax_metric *metric, double value);   /* gauge */
void ax_metric_observe_ns(struct ax_metric *metric, int64_t ns);

int64_t ax_metric_count(const struct ax_metric *metric);
double ax_metric_value(const struct ax_metric *metric); /* of a gauge */
/* Estimate from the buckets, within 5.5 %; 0 when nothing was observed. */
int64_t ax_metric_quantile_ns(const struct ax_metric *metric, double quantile);

enum ax_metrics_format {
    AX_METRICS_TEXT,        /* Prometheus' text, 0.0.4 */
    AX_METRICS_OPENMETRICS, /* OpenMetrics' text, 1.0.0 */
    AX_METRICS_PROTOBUF,    /* io.prometheus.client.MetricFamily, each behind its length */
};

/* All series. Counters are named ..._total, histograms ..._seconds. */
void ax_metrics_print_as(struct ax_metrics *metrics, enum ax_metrics_format format,
                         struct ax_writer *out);
void ax_metrics_print(struct ax_metrics *metrics, struct ax_writer *out); /* as TEXT */
