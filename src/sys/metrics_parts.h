/*
 * Metrics seen from inside: families, series and the stripes that threads write to.
 *
 * For metrics.c, which makes and writes them, and metrics_print.c, which tells them. Families and
 * series are only ever added, under the mutex; stripes are read and written without it.
 */
#pragma once

#include <stdatomic.h>

#include "sys/metrics.h"
#include "sys/mutex.h"

enum {
    AX_METRICS_STRIPES = 8, /* threads spread over them, so that loops share no line of cache */
    AX_METRICS_SCHEMA = 3,  /* of native histograms: buckets grow by 2^(1/8) */
    AX_METRICS_LOW = -192,  /* tops of buckets are 2^(i/8) s: from 60 ns ... */
    AX_METRICS_HIGH = 48,   /* ... to 64 s; one more holds what is above */
    AX_METRICS_BUCKETS = AX_METRICS_HIGH - AX_METRICS_LOW + 2,
};

struct ax_metrics_stripe {
    alignas(64) _Atomic int64_t count; /* of counters and gauges */
    _Atomic int64_t sum_ns;            /* of histograms, as are */
    void *memory;                      /* to be freed: this lies in it, aligned */
    _Atomic int64_t buckets[];         /* AX_METRICS_BUCKETS of a histogram, none of the others */
};

struct ax_metric {
    struct ax_metric *next;
    enum ax_metric_kind kind;
    char *labels; /* {a="b",c="d"} without the braces; "" for none */
    size_t labels_len;
    ax_str wire;          /* the same as LabelPair messages of protobuf, in labels' memory */
    _Atomic double value; /* of a gauge */
    _Atomic(struct ax_metrics_stripe *) stripes[AX_METRICS_STRIPES]; /* made when first needed */
};

struct ax_metrics_family {
    struct ax_metrics_family *next;
    enum ax_metric_kind kind;
    const char *name, *help;
    struct ax_metric *series; /* newest first */
    size_t series_count;
    struct ax_metric other; /* past the limit; of no kind before there is one */
    bool has_other;
};

struct ax_metrics {
    struct ax_mutex mutex;
    struct ax_metrics_family *families, **last; /* guarded by mutex; never taken out */
    struct ax_metric nowhere; /* when memory is short: written to, never printed */
};

/* Of a histogram: how many there are in a bucket, and the nanoseconds of all. */
int64_t ax_metric_bucket_count(const struct ax_metric *metric, size_t bucket);
int64_t ax_metric_sum_ns(const struct ax_metric *metric);
