#include "sys/metrics.h"

#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/fault.h"
#include "base/number.h"
#include "codec/text.h"
#include "sys/mutex.h"

enum {
    STRIPES = 8, /* threads spread over them, so that loops do not share a line of cache */
    BUCKETS = 4 * 44,
    SERIES_MAX = 1000, /* of one family */
    LABELS_MAX = 6,
    NS_PER_US = 1000,
    PRINTED_LOW = 10,  /* buckets are printed from 2^10 ns (1 us), four to a power of two ... */
    PRINTED_FINE = 30, /* ... up to 2^30 ns (1 s), one from there ... */
    PRINTED_HIGH = 36, /* ... to 2^36 ns (69 s) */
};

struct stripe {
    alignas(64) _Atomic int64_t count;
    _Atomic int64_t sum_ns;
    _Atomic int64_t buckets[]; /* BUCKETS of a histogram, none of the others */
};

struct ax_metric {
    struct ax_metric *next;
    enum ax_metric_kind kind;
    char *labels; /* {a="b",c="d"} without the braces; "" for none */
    size_t labels_len;
    _Atomic double value; /* of a gauge */
    size_t stripe_bytes;
    char *stripes;
};

struct family {
    struct family *next;
    enum ax_metric_kind kind;
    const char *name, *help;
    struct ax_metric *series; /* newest first */
    size_t series_count;
    struct ax_metric other; /* past the limit */
};

struct ax_metrics {
    struct ax_mutex mutex;
    struct family *families;  /* guarded by mutex; entries are never taken out */
    struct ax_metric nowhere; /* when memory is short: written to, never printed */
    char nowhere_stripes[STRIPES][sizeof(struct stripe) + BUCKETS * sizeof(_Atomic int64_t) + 64];
};

/* ---- making series ---- */

static size_t
stripe_bytes(enum ax_metric_kind kind)
{
    size_t bytes = sizeof(struct stripe);
    if (kind == AX_METRIC_HISTOGRAM)
        bytes += BUCKETS * sizeof(_Atomic int64_t);
    return (bytes + 63) / 64 * 64;
}

static bool
metric_init(struct ax_metric *metric, enum ax_metric_kind kind, ax_str labels)
{
    metric->kind = kind;
    metric->stripe_bytes = stripe_bytes(kind);
    metric->stripes = ax_alloc(1, STRIPES * metric->stripe_bytes + 64);
    metric->labels = ax_alloc(1, labels.len + 1);
    if (!metric->stripes || !metric->labels)
        return false;
    memcpy(metric->labels, labels.at, labels.len);
    metric->labels_len = labels.len;
    return true;
}

static void
metric_done(struct ax_metric *metric)
{
    ax_free(metric->stripes);
    ax_free(metric->labels);
}

ax_status
ax_metrics_open(struct ax_ctx *ctx, struct ax_metrics **out_metrics)
{
    struct ax_metrics *metrics = ax_alloc(1, sizeof *metrics);
    if (!metrics)
        return ax_fail(ctx, AX_LIMIT, "no memory for metrics");
    ax_mutex_init(&metrics->mutex);
    metrics->nowhere.kind = AX_METRIC_HISTOGRAM;
    metrics->nowhere.stripes = metrics->nowhere_stripes[0];
    metrics->nowhere.stripe_bytes = stripe_bytes(AX_METRIC_HISTOGRAM);
    *out_metrics = metrics;
    return AX_OK;
}

void
ax_metrics_close(struct ax_metrics *metrics)
{
    for (struct family *family = metrics->families, *next; family; family = next) {
        next = family->next;
        for (struct ax_metric *metric = family->series, *after; metric; metric = after) {
            after = metric->next;
            metric_done(metric);
            ax_free(metric);
        }
        metric_done(&family->other);
        ax_free(family);
    }
    ax_mutex_done(&metrics->mutex);
    ax_free(metrics);
}

/*
 * Label values: backslash, quote and newline are escaped, as the text format wants it. One that
 * is not UTF-8 would make the whole page unreadable.
 */
static void
write_value(struct ax_writer *out, const char *value)
{
    if (!ax_utf8_ok(ax_str_of(value)))
        value = "not UTF-8";
    for (const char *at = value; *at; at++) {
        if (*at == '\\' || *at == '"')
            ax_writer_char(out, '\\');
        if (*at == '\n')
            ax_writer_text(out, "\\n");
        else
            ax_writer_char(out, *at);
    }
}

static void
write_labels(struct ax_writer *out, const char *const *names, const char *const *values,
             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ax_writer_print(out, "%s%s=\"", i ? "," : "", names[i]);
        write_value(out, values[i] ? values[i] : "other");
        ax_writer_char(out, '"');
    }
}

static struct family *
find_family(struct ax_metrics *metrics, enum ax_metric_kind kind, const char *name,
            const char *help)
{
    struct family **at = &metrics->families;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    AX_ASSERT(!*at || (*at)->kind == kind);
    struct family *family = *at ? *at : ax_alloc(1, sizeof *family);
    if (*at)
        return family;
    if (!family)
        return NULL;
    family->kind = kind;
    family->name = name;
    family->help = help;
    *at = family;
    return family;
}

static struct ax_metric *
find_series(struct family *family, ax_str labels)
{
    for (struct ax_metric *metric = family->series; metric; metric = metric->next)
        if (ax_str_eq((ax_str){metric->labels, metric->labels_len}, labels))
            return metric;
    return NULL;
}

static struct ax_metric *
add_series(struct family *family, ax_str labels)
{
    struct ax_metric *metric = ax_alloc(1, sizeof *metric);
    if (!metric || !metric_init(metric, family->kind, labels)) {
        if (metric)
            metric_done(metric);
        ax_free(metric);
        return NULL;
    }
    metric->next = family->series;
    family->series = metric;
    family->series_count++;
    return metric;
}

static struct ax_metric *
series_of(struct ax_metrics *metrics, struct family *family, const char *const *names,
          const char *const *values, size_t count)
{
    ax_writer_auto struct ax_writer labels = ax_writer_of(64 << 10);
    write_labels(&labels, names, values, count);
    if (labels.status != AX_OK)
        return &metrics->nowhere;
    struct ax_metric *metric = find_series(family, ax_writer_str(&labels));
    if (metric)
        return metric;
    if (family->series_count < SERIES_MAX) {
        metric = add_series(family, ax_writer_str(&labels));
        return metric ? metric : &metrics->nowhere;
    }
    if (family->other.stripes)
        return &family->other;
    const char *const others[LABELS_MAX] = {};
    ax_writer_clear(&labels);
    write_labels(&labels, names, others, count);
    if (labels.status == AX_OK && metric_init(&family->other, family->kind, ax_writer_str(&labels)))
        return &family->other;
    metric_done(&family->other);
    family->other = (struct ax_metric){};
    return &metrics->nowhere;
}

struct ax_metric *
ax_metrics_series(struct ax_metrics *metrics, enum ax_metric_kind kind, const char *name,
                  const char *help, ...)
{
    const char *names[LABELS_MAX], *values[LABELS_MAX];
    size_t count = 0;
    va_list list;
    va_start(list, help);
    for (const char *label; (label = va_arg(list, const char *)); count++) {
        AX_ASSERT(count < LABELS_MAX);
        names[count] = label;
        values[count] = va_arg(list, const char *);
    }
    va_end(list);
    ax_mutex_lock(&metrics->mutex);
    ax_fault_benign_begin(); /* without memory it is not counted, and the work goes on */
    struct family *family = find_family(metrics, kind, name, help);
    struct ax_metric *metric =
        family ? series_of(metrics, family, names, values, count) : &metrics->nowhere;
    ax_fault_benign_end();
    ax_mutex_unlock(&metrics->mutex);
    return metric;
}

/* ---- writing ---- */

/* Each thread gets a stripe of its own, as long as there are enough. */
static size_t
stripe_index(void)
{
    static _Atomic size_t next;
    static _Thread_local size_t mine; /* one more than the index; 0: none yet */
    if (mine == 0)
        mine = 1 + atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % STRIPES;
    return mine - 1;
}

static struct stripe *
stripe_at(const struct ax_metric *metric, size_t index)
{
    uintptr_t misfit = (uintptr_t)metric->stripes % 64;
    char *first = metric->stripes + (misfit ? 64 - misfit : 0);
    return (struct stripe *)(void *)(first + index * metric->stripe_bytes);
}

void
ax_metric_add(struct ax_metric *metric, int64_t amount)
{
    /* Relaxed: a count orders nothing. */
    atomic_fetch_add_explicit(&stripe_at(metric, stripe_index())->count, amount,
                              memory_order_relaxed);
}

void
ax_metric_set(struct ax_metric *metric, double value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

/* Four buckets to a power of two: the two bits behind the leading one say which. */
static size_t
bucket_of(int64_t ns)
{
    uint64_t value = ns > 4 ? (uint64_t)ns : 4;
    unsigned power = 63U - (unsigned)__builtin_clzll(value);
    size_t bucket = 4 * power + ((value >> (power - 2)) & 3);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static double
bucket_top_ns(size_t bucket)
{
    return (5.0 + (double)(bucket % 4)) * (double)(UINT64_C(1) << (bucket / 4)) / 4.0;
}

static double
bucket_middle_ns(size_t bucket)
{
    return (4.5 + (double)(bucket % 4)) * (double)(UINT64_C(1) << (bucket / 4)) / 4.0;
}

void
ax_metric_observe_ns(struct ax_metric *metric, int64_t ns)
{
    AX_ASSERT(metric->kind == AX_METRIC_HISTOGRAM); /* the others have no buckets */
    struct stripe *stripe = stripe_at(metric, stripe_index());
    atomic_fetch_add_explicit(&stripe->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&stripe->sum_ns, ns > 0 ? ns : 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&stripe->buckets[bucket_of(ns)], 1, memory_order_relaxed);
}

/* ---- reading ---- */

int64_t
ax_metric_count(const struct ax_metric *metric)
{
    int64_t count = 0;
    for (size_t i = 0; i < STRIPES; i++)
        count += atomic_load_explicit(&stripe_at(metric, i)->count, memory_order_relaxed);
    return count;
}

double
ax_metric_value(const struct ax_metric *metric)
{
    return (double)ax_metric_count(metric) +
           atomic_load_explicit(&metric->value, memory_order_relaxed);
}

static int64_t
bucket_count(const struct ax_metric *metric, size_t bucket)
{
    int64_t count = 0;
    for (size_t i = 0; i < STRIPES; i++)
        count += atomic_load_explicit(&stripe_at(metric, i)->buckets[bucket], memory_order_relaxed);
    return count;
}

int64_t
ax_metric_quantile_ns(const struct ax_metric *metric, double quantile)
{
    AX_ASSERT(metric->kind == AX_METRIC_HISTOGRAM);
    int64_t counts[BUCKETS], total = 0, seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        counts[i] = bucket_count(metric, i);
        total += counts[i];
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += counts[i];
        if (counts[i] && (double)seen >= quantile * (double)total)
            return (int64_t)bucket_middle_ns(i);
    }
    return 0;
}

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
print_name(struct ax_writer *out, const struct family *family, const char *suffix,
           const struct ax_metric *metric)
{
    ax_writer_print(out, "%s%s", family->name, suffix);
    if (metric->labels_len)
        ax_writer_print(out, "{%.*s}", (int)metric->labels_len, metric->labels);
    ax_writer_char(out, ' ');
}

static void
print_bucket(struct ax_writer *out, const struct family *family, const struct ax_metric *metric,
             const char *top, int64_t count)
{
    ax_writer_print(out, "%s_bucket{%.*s%sle=\"%s\"} %lld\n", family->name, (int)metric->labels_len,
                    metric->labels, metric->labels_len ? "," : "", top, (long long)count);
}

static void
print_histogram(struct ax_writer *out, const struct family *family, const struct ax_metric *metric)
{
    int64_t seen = 0, sum_ns = 0;
    for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
        seen += bucket_count(metric, bucket);
        double top_ns = bucket_top_ns(bucket);
        bool whole = bucket % 4 == 3; /* a power of two */
        char top[AX_NUMBER_BYTES_MAX];
        if (top_ns < (double)(UINT64_C(1) << PRINTED_LOW) ||
            top_ns > (double)(UINT64_C(1) << PRINTED_HIGH) ||
            (!whole && top_ns > (double)(UINT64_C(1) << PRINTED_FINE)))
            continue;
        ax_format_f64(top_ns / 1e9, top);
        print_bucket(out, family, metric, top, seen);
    }
    print_bucket(out, family, metric, "+Inf", seen);
    for (size_t i = 0; i < STRIPES; i++)
        sum_ns += atomic_load_explicit(&stripe_at(metric, i)->sum_ns, memory_order_relaxed);
    print_name(out, family, "_sum", metric);
    print_number(out, (double)sum_ns / 1e9);
    ax_writer_char(out, '\n');
    print_name(out, family, "_count", metric);
    ax_writer_print(out, "%lld\n", (long long)seen);
}

static void
print_series(struct ax_writer *out, const struct family *family, const struct ax_metric *metric)
{
    if (family->kind == AX_METRIC_HISTOGRAM) {
        print_histogram(out, family, metric);
        return;
    }
    int64_t count = ax_metric_count(metric);
    double value = (double)(family->kind == AX_METRIC_COUNTER_US ? count / NS_PER_US : count);
    if (family->kind == AX_METRIC_GAUGE)
        value = ax_metric_value(metric);
    print_name(out, family, "", metric);
    print_number(out, value);
    ax_writer_char(out, '\n');
}

void
ax_metrics_print(struct ax_metrics *metrics, struct ax_writer *out)
{
    static const char *const kinds[] = {"counter", "counter", "gauge", "histogram"};
    ax_mutex_lock(&metrics->mutex);
    for (const struct family *family = metrics->families; family; family = family->next) {
        ax_writer_print(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
                        family->name, kinds[family->kind]);
        for (const struct ax_metric *metric = family->series; metric; metric = metric->next)
            print_series(out, family, metric);
        if (family->other.stripes)
            print_series(out, family, &family->other);
    }
    ax_mutex_unlock(&metrics->mutex);
}
