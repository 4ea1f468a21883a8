/* Metrics as Prometheus' text, OpenMetrics' text and Prometheus' protobuf. Part of metrics. */
#include <math.h>

#include "base/number.h"
#include "codec/protobuf.h"
#include "sys/metrics_parts.h"

enum {
    NS_PER_US = 1000,
    STEPS = 1 << AX_METRICS_SCHEMA,
    PRINTED_STEPS = 2,         /* every other bucket is printed as text ... */
    PRINTED_LOW = -20 * STEPS, /* ... from 2^-20 s (1 us) ... */
    PRINTED_FINE = 0,          /* ... to 1 s, from there one to a power of two */
    FAMILY_BYTES_MAX = 64 << 20,
};

/* One telling of all: what differs between the formats is asked of this. */
struct page {
    struct ax_writer *out;
    bool open; /* OpenMetrics */
};

/* The buckets of a histogram as they were at one moment, so that they and their sum agree. */
struct shot {
    int64_t counts[AX_METRICS_BUCKETS];
    int64_t total;
    double sum;
};

static struct shot
shot_of(const struct ax_metric *metric)
{
    struct shot shot = {};
    for (size_t i = 0; i < AX_METRICS_BUCKETS; i++) {
        shot.counts[i] = ax_metric_bucket_count(metric, i);
        shot.total += shot.counts[i];
    }
    shot.sum = (double)ax_metric_sum_ns(metric) / 1e9;
    return shot;
}

static double
bucket_top(size_t bucket)
{
    return exp2((double)((int)bucket + AX_METRICS_LOW) / STEPS);
}

/* Whether a bucket's top is a line of its own; all of them are only in native histograms. */
static bool
is_printed(size_t bucket)
{
    int index = (int)bucket + AX_METRICS_LOW;
    int step = index > PRINTED_FINE ? (int)STEPS : (int)PRINTED_STEPS;
    return index >= PRINTED_LOW && index <= AX_METRICS_HIGH && index % step == 0;
}

static double
value_of(const struct ax_metric *metric)
{
    if (metric->kind == AX_METRIC_GAUGE)
        return ax_metric_value(metric);
    int64_t count = ax_metric_count(metric);
    return (double)(metric->kind == AX_METRIC_COUNTER_US ? count / NS_PER_US : count);
}

/* ---- text ---- */

static void
print_number(struct ax_writer *out, double value)
{
    char text[AX_NUMBER_BYTES_MAX];
    if (isinf(value)) { /* the text format has its own words for these */
        ax_writer_text(out, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    size_t len = ax_format_f64(value, text);
    ax_writer_bytes(out, (ax_str){text, len});
}

static void
print_name(struct ax_writer *out, const struct ax_metrics_family *family, const char *suffix,
           const struct ax_metric *metric)
{
    ax_writer_print(out, "%s%s", family->name, suffix);
    if (metric->labels_len)
        ax_writer_print(out, "{%.*s}", (int)metric->labels_len, metric->labels);
    ax_writer_char(out, ' ');
}

static void
print_bucket(struct ax_writer *out, const struct ax_metrics_family *family,
             const struct ax_metric *metric, const char *top, int64_t count)
{
    ax_writer_print(out, "%s_bucket{%.*s%sle=\"%s\"} %lld\n", family->name, (int)metric->labels_len,
                    metric->labels, metric->labels_len ? "," : "", top, (long long)count);
}

static void
print_histogram(struct ax_writer *out, const struct ax_metrics_family *family,
                const struct ax_metric *metric)
{
    const struct shot shot = shot_of(metric);
    int64_t seen = 0;
    for (size_t bucket = 0; bucket < AX_METRICS_BUCKETS; bucket++) {
        char top[AX_NUMBER_BYTES_MAX];
        seen += shot.counts[bucket];
        if (!is_printed(bucket))
            continue;
        size_t len = ax_format_f64(bucket_top(bucket), top);
        if (bucket_top(bucket) >= 1.0) /* "1.0": OpenMetrics has one form of each number here */
            memcpy(top + len, ".0", sizeof ".0");
        print_bucket(out, family, metric, top, seen);
    }
    print_bucket(out, family, metric, "+Inf", shot.total);
    print_name(out, family, "_sum", metric);
    print_number(out, shot.sum);
    ax_writer_char(out, '\n');
    print_name(out, family, "_count", metric);
    ax_writer_print(out, "%lld\n", (long long)shot.total);
}

static void
print_series(struct ax_writer *out, const struct ax_metrics_family *family,
             const struct ax_metric *metric)
{
    if (family->kind == AX_METRIC_HISTOGRAM) {
        print_histogram(out, family, metric);
        return;
    }
    print_name(out, family, "", metric);
    print_number(out, value_of(metric));
    ax_writer_char(out, '\n');
}

static bool
is_counter(const struct ax_metrics_family *family)
{
    return family->kind == AX_METRIC_COUNTER || family->kind == AX_METRIC_COUNTER_US;
}

/* OpenMetrics names a counter's family without "_total", and has no counters called otherwise. */
static void
print_head(const struct page *page, const struct ax_metrics_family *family)
{
    static const char *const kinds[] = {"counter", "counter", "gauge", "histogram"};
    static const ax_str total = {"_total", 6};
    ax_str name = ax_str_of(family->name);
    const char *kind = kinds[family->kind];
    if (page->open && is_counter(family)) {
        if (ax_str_ends(name, total))
            name.len -= total.len;
        else
            kind = "unknown";
    }
    ax_writer_print(page->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", AX_FMT(name), family->help,
                    AX_FMT(name), kind);
}

static void
print_family(const struct page *page, const struct ax_metrics_family *family)
{
    print_head(page, family);
    for (const struct ax_metric *metric = family->series; metric; metric = metric->next)
        print_series(page->out, family, metric);
    if (family->has_other)
        print_series(page->out, family, &family->other);
}

/* ---- protobuf: io.prometheus.client.MetricFamily, each behind its length ---- */

static uint64_t
zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

/* Runs of buckets that hold something, as spans; then the differences of their counts. */
static void
put_native(struct ax_writer *out, const struct shot *shot)
{
    ax_writer_auto struct ax_writer deltas = ax_writer_of(FAMILY_BYTES_MAX);
    int next = 0; /* the index that a span's offset counts from */
    int64_t before = 0;
    ax_protobuf_put_varint(out, 5, zigzag(AX_METRICS_SCHEMA));
    ax_protobuf_put_f64(out, 6, bucket_top(0));
    ax_protobuf_put_varint(out, 7, (uint64_t)shot->counts[0]);
    for (size_t at = 1, end; at < AX_METRICS_BUCKETS; at = end) {
        for (end = at; end < AX_METRICS_BUCKETS && shot->counts[end] != 0; end++) {
            ax_protobuf_put_varint(&deltas, 13, zigzag(shot->counts[end] - before));
            before = shot->counts[end];
        }
        if (end == at) {
            end++;
            continue;
        }
        int first = (int)at + AX_METRICS_LOW;
        size_t begun = ax_protobuf_begin(out, 12);
        ax_protobuf_put_varint(out, 1, zigzag(first - next));
        ax_protobuf_put_varint(out, 2, end - at);
        ax_protobuf_end(out, begun);
        next = (int)end + AX_METRICS_LOW;
    }
    ax_writer_bytes(out, ax_writer_str(&deltas));
    if (deltas.status != AX_OK)
        out->status = deltas.status;
    if (shot->total == shot->counts[0]) { /* none: a span of nothing says that it is native */
        size_t begun = ax_protobuf_begin(out, 12);
        ax_protobuf_put_varint(out, 1, 0);
        ax_protobuf_put_varint(out, 2, 0);
        ax_protobuf_end(out, begun);
    }
}

/* Both ways: who keeps no native histograms reads the buckets of the text. */
static void
put_histogram(struct ax_writer *out, const struct ax_metric *metric)
{
    const struct shot shot = shot_of(metric);
    int64_t seen = 0;
    ax_protobuf_put_varint(out, 1, (uint64_t)shot.total);
    ax_protobuf_put_f64(out, 2, shot.sum);
    for (size_t bucket = 0; bucket < AX_METRICS_BUCKETS; bucket++) {
        seen += shot.counts[bucket];
        if (!is_printed(bucket))
            continue;
        size_t begun = ax_protobuf_begin(out, 3);
        ax_protobuf_put_varint(out, 1, (uint64_t)seen);
        ax_protobuf_put_f64(out, 2, bucket_top(bucket));
        ax_protobuf_end(out, begun);
    }
    put_native(out, &shot);
}

static void
put_series(struct ax_writer *out, const struct ax_metric *metric)
{
    enum { GAUGE = 2, COUNTER = 3, HISTOGRAM = 7 };
    size_t series = ax_protobuf_begin(out, 4);
    ax_writer_bytes(out, metric->wire);
    if (metric->kind == AX_METRIC_HISTOGRAM) {
        size_t begun = ax_protobuf_begin(out, HISTOGRAM);
        put_histogram(out, metric);
        ax_protobuf_end(out, begun);
    } else {
        size_t begun = ax_protobuf_begin(out, metric->kind == AX_METRIC_GAUGE ? GAUGE : COUNTER);
        ax_protobuf_put_f64(out, 1, value_of(metric));
        ax_protobuf_end(out, begun);
    }
    ax_protobuf_end(out, series);
}

static void
put_family(const struct page *page, const struct ax_metrics_family *family)
{
    static const uint8_t types[] = {0, 0, 1, 4};
    ax_writer_auto struct ax_writer text = ax_writer_of(FAMILY_BYTES_MAX);
    ax_protobuf_put_bytes(&text, 1, ax_str_of(family->name));
    ax_protobuf_put_bytes(&text, 2, ax_str_of(family->help));
    ax_protobuf_put_varint(&text, 3, types[family->kind]);
    for (const struct ax_metric *metric = family->series; metric; metric = metric->next)
        put_series(&text, metric);
    if (family->has_other)
        put_series(&text, &family->other);
    if (text.status != AX_OK) {
        page->out->status = text.status;
        return;
    }
    ax_protobuf_put_length(page->out, text.len);
    ax_writer_bytes(page->out, ax_writer_str(&text));
}

/* ---- all ---- */

void
ax_metrics_print_as(struct ax_metrics *metrics, enum ax_metrics_format format,
                    struct ax_writer *out)
{
    const struct page page = {.out = out, .open = format == AX_METRICS_OPENMETRICS};
    ax_mutex_lock(&metrics->mutex);
    for (const struct ax_metrics_family *family = metrics->families; family; family = family->next)
        if (format == AX_METRICS_PROTOBUF)
            put_family(&page, family);
        else
            print_family(&page, family);
    ax_mutex_unlock(&metrics->mutex);
    if (page.open)
        ax_writer_text(out, "# EOF\n");
}

void
ax_metrics_print(struct ax_metrics *metrics, struct ax_writer *out)
{
    ax_metrics_print_as(metrics, AX_METRICS_TEXT, out);
}
