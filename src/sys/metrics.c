#include "sys/metrics.h"

#include <math.h>
#include <stdarg.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/fault.h"
#include "codec/protobuf.h"
#include "codec/text.h"
#include "sys/metrics_parts.h"

enum {
    SERIES_MAX = 1000, /* of one family */
    LABELS_MAX = 6,
    LABELS_BYTES_MAX = 64 << 10,
    STEPS = 1 << AX_METRICS_SCHEMA, /* buckets to a power of two */
    FRACTION_BITS = 93,
};

/* ---- making series ---- */

static struct ax_metrics_stripe *
stripe_new(enum ax_metric_kind kind)
{
    size_t bytes = sizeof(struct ax_metrics_stripe);
    if (kind == AX_METRIC_HISTOGRAM)
        bytes += AX_METRICS_BUCKETS * sizeof(_Atomic int64_t);
    char *memory = ax_alloc(1, bytes + alignof(struct ax_metrics_stripe));
    if (!memory)
        return NULL;
    size_t misfit = (uintptr_t)memory % alignof(struct ax_metrics_stripe);
    char *at = memory + (misfit ? alignof(struct ax_metrics_stripe) - misfit : 0);
    struct ax_metrics_stripe *stripe = (struct ax_metrics_stripe *)(void *)at;
    stripe->memory = memory;
    return stripe;
}

/* labels: the text, with the messages behind it. */
static bool
metric_init(struct ax_metric *metric, enum ax_metric_kind kind, ax_str labels, ax_str wire)
{
    metric->kind = kind;
    metric->labels = ax_alloc(1, labels.len + wire.len + 1);
    struct ax_metrics_stripe *first = metric->labels ? stripe_new(kind) : NULL;
    atomic_init(&metric->stripes[0], first);
    if (!first)
        return false;
    memcpy(metric->labels, labels.at ? labels.at : "", labels.len);
    memcpy(metric->labels + labels.len, wire.at ? wire.at : "", wire.len);
    metric->labels_len = labels.len;
    metric->wire = (ax_str){metric->labels + labels.len, wire.len};
    return true;
}

static void
metric_done(struct ax_metric *metric)
{
    for (size_t i = 0; i < AX_METRICS_STRIPES; i++) {
        struct ax_metrics_stripe *stripe =
            atomic_load_explicit(&metric->stripes[i], memory_order_acquire);
        if (stripe)
            ax_free(stripe->memory);
    }
    ax_free(metric->labels);
}

ax_status
ax_metrics_open(struct ax_ctx *ctx, struct ax_metrics **out_metrics)
{
    struct ax_metrics *metrics = ax_alloc(1, sizeof *metrics);
    if (!metrics)
        return ax_fail(ctx, AX_LIMIT, "no memory for metrics");
    if (!metric_init(&metrics->nowhere, AX_METRIC_HISTOGRAM, AX_STR(""), AX_STR(""))) {
        metric_done(&metrics->nowhere);
        ax_free(metrics);
        return ax_fail(ctx, AX_LIMIT, "no memory for metrics");
    }
    ax_mutex_init(&metrics->mutex);
    metrics->last = &metrics->families;
    *out_metrics = metrics;
    return AX_OK;
}

void
ax_metrics_close(struct ax_metrics *metrics)
{
    for (struct ax_metrics_family *family = metrics->families, *next; family; family = next) {
        next = family->next;
        for (struct ax_metric *metric = family->series, *after; metric; metric = after) {
            after = metric->next;
            metric_done(metric);
            ax_free(metric);
        }
        metric_done(&family->other);
        ax_free(family);
    }
    metric_done(&metrics->nowhere);
    ax_mutex_done(&metrics->mutex);
    ax_free(metrics);
}

/* A value that is not UTF-8 would make the whole page unreadable. */
static ax_str
readable(const char *value)
{
    ax_str text = ax_str_of(value ? value : "other");
    return ax_utf8_ok(text) ? text : AX_STR("not UTF-8");
}

/* Backslash, quote and newline are escaped, as the text format wants it. */
static void
write_value(struct ax_writer *out, ax_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] == '\\' || value.at[i] == '"')
            ax_writer_char(out, '\\');
        if (value.at[i] == '\n')
            ax_writer_text(out, "\\n");
        else
            ax_writer_char(out, value.at[i]);
    }
}

/* Label names and values; a value that is NULL is "other". */
struct labels {
    size_t count;
    const char *names[LABELS_MAX], *values[LABELS_MAX];
};

static void
write_labels(struct ax_writer *text, struct ax_writer *wire, const struct labels *labels)
{
    for (size_t i = 0; i < labels->count; i++) {
        ax_str value = readable(labels->values[i]);
        ax_writer_print(text, "%s%s=\"", i ? "," : "", labels->names[i]);
        write_value(text, value);
        ax_writer_char(text, '"');
        size_t begun = ax_protobuf_begin(wire, 1);
        ax_protobuf_put_bytes(wire, 1, ax_str_of(labels->names[i]));
        ax_protobuf_put_bytes(wire, 2, value);
        ax_protobuf_end(wire, begun);
    }
}

static struct ax_metrics_family *
find_family(struct ax_metrics *metrics, enum ax_metric_kind kind, const char *name,
            const char *help)
{
    struct ax_metrics_family *family = metrics->families;
    while (family && strcmp(family->name, name) != 0)
        family = family->next;
    AX_ASSERT(!family || family->kind == kind);
    if (family)
        return family;
    family = ax_alloc(1, sizeof *family);
    if (!family)
        return NULL;
    family->kind = kind;
    family->name = name;
    family->help = help;
    *metrics->last = family;
    metrics->last = &family->next;
    return family;
}

static struct ax_metric *
find_series(struct ax_metrics_family *family, ax_str labels)
{
    for (struct ax_metric *metric = family->series; metric; metric = metric->next)
        if (ax_str_eq((ax_str){metric->labels, metric->labels_len}, labels))
            return metric;
    return NULL;
}

static struct ax_metric *
add_series(struct ax_metrics_family *family, ax_str labels, ax_str wire)
{
    struct ax_metric *metric = ax_alloc(1, sizeof *metric);
    if (!metric || !metric_init(metric, family->kind, labels, wire)) {
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
series_past_limit(struct ax_metrics *metrics, struct ax_metrics_family *family,
                  struct labels labels)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(LABELS_BYTES_MAX);
    ax_writer_auto struct ax_writer wire = ax_writer_of(LABELS_BYTES_MAX);
    if (family->has_other)
        return &family->other;
    memset(labels.values, 0, sizeof labels.values);
    write_labels(&text, &wire, &labels);
    family->has_other =
        text.status == AX_OK && wire.status == AX_OK &&
        metric_init(&family->other, family->kind, ax_writer_str(&text), ax_writer_str(&wire));
    if (family->has_other)
        return &family->other;
    metric_done(&family->other);
    family->other = (struct ax_metric){};
    return &metrics->nowhere;
}

static struct ax_metric *
series_of(struct ax_metrics *metrics, struct ax_metrics_family *family, const struct labels *labels)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(LABELS_BYTES_MAX);
    ax_writer_auto struct ax_writer wire = ax_writer_of(LABELS_BYTES_MAX);
    write_labels(&text, &wire, labels);
    if (text.status != AX_OK || wire.status != AX_OK)
        return &metrics->nowhere;
    struct ax_metric *metric = find_series(family, ax_writer_str(&text));
    if (metric)
        return metric;
    if (family->series_count >= SERIES_MAX)
        return series_past_limit(metrics, family, *labels);
    metric = add_series(family, ax_writer_str(&text), ax_writer_str(&wire));
    return metric ? metric : &metrics->nowhere;
}

struct ax_metric *
ax_metrics_series(struct ax_metrics *metrics, enum ax_metric_kind kind, const char *name,
                  const char *help, ...)
{
    struct labels labels = {};
    va_list list;
    va_start(list, help);
    for (const char *label; (label = va_arg(list, const char *)); labels.count++) {
        AX_ASSERT(labels.count < LABELS_MAX);
        labels.names[labels.count] = label;
        labels.values[labels.count] = va_arg(list, const char *);
    }
    va_end(list);
    ax_mutex_lock(&metrics->mutex);
    ax_fault_benign_begin(); /* without memory it is not counted, and the work goes on */
    struct ax_metrics_family *family = find_family(metrics, kind, name, help);
    struct ax_metric *metric = family ? series_of(metrics, family, &labels) : &metrics->nowhere;
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
        mine = 1 + atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % AX_METRICS_STRIPES;
    return mine - 1;
}

/* A thread's first count in a series. Without memory the first stripe is good enough. */
[[gnu::cold]] static struct ax_metrics_stripe *
stripe_add(struct ax_metric *metric, size_t index)
{
    ax_fault_benign_begin();
    struct ax_metrics_stripe *made = stripe_new(metric->kind), *there = NULL;
    ax_fault_benign_end();
    if (!made)
        return atomic_load_explicit(&metric->stripes[0], memory_order_acquire);
    if (atomic_compare_exchange_strong_explicit(&metric->stripes[index], &there, made,
                                                memory_order_acq_rel, memory_order_acquire))
        return made;
    ax_free(made->memory); /* another thread of this stripe was first */
    return there;
}

static struct ax_metrics_stripe *
stripe_here(struct ax_metric *metric)
{
    size_t index = stripe_index();
    struct ax_metrics_stripe *stripe =
        atomic_load_explicit(&metric->stripes[index], memory_order_acquire);
    return stripe ? stripe : stripe_add(metric, index);
}

void
ax_metric_add(struct ax_metric *metric, int64_t amount)
{
    /* Relaxed: a count orders nothing. */
    atomic_fetch_add_explicit(&stripe_here(metric)->count, amount, memory_order_relaxed);
}

void
ax_metric_set(struct ax_metric *metric, double value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

/*
 * The first bucket whose top, 2^(i/8) s, is not below the value. Seconds are nanoseconds times
 * 2^93 / 10^9, rounded down: the leading bit says the power of two, those behind it the step; a
 * value that is a power of two exactly is rounded to just below it, and lies in its bucket.
 */
static size_t
bucket_of(int64_t ns)
{
    static const uint64_t scale = UINT64_C(9903520314283042199); /* 2^93 / 10^9 */
    static const uint64_t tops[STEPS] = {
        /* 2^(63 + k/8) */
        UINT64_C(9223372036854775808),  UINT64_C(10058158527438640871),
        UINT64_C(10968499650544839023), UINT64_C(11961233684655323370),
        UINT64_C(13043817825332782212), UINT64_C(14224384202002324189),
        UINT64_C(15511800964685064948), UINT64_C(16915738899553466671)};
    if (ns <= 1)
        return 0;
    unsigned __int128 seconds = (unsigned __int128)(uint64_t)ns * scale;
    int power = 127 - ((uint64_t)(seconds >> 64) ? __builtin_clzll((uint64_t)(seconds >> 64))
                                                 : 64 + __builtin_clzll((uint64_t)seconds));
    uint64_t mantissa = (uint64_t)(seconds << (127 - power) >> 64);
    int index = (power - FRACTION_BITS) * STEPS - AX_METRICS_LOW;
    for (int k = 0; k < STEPS; k++)
        index += mantissa > tops[k];
    if (index < 0)
        return 0;
    return index < AX_METRICS_BUCKETS ? (size_t)index : AX_METRICS_BUCKETS - 1;
}

void
ax_metric_observe_ns(struct ax_metric *metric, int64_t ns)
{
    AX_ASSERT(metric->kind == AX_METRIC_HISTOGRAM); /* the others have no buckets */
    struct ax_metrics_stripe *stripe = stripe_here(metric);
    atomic_fetch_add_explicit(&stripe->sum_ns, ns > 0 ? ns : 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&stripe->buckets[bucket_of(ns)], 1, memory_order_relaxed);
}

/* ---- reading ---- */

static const struct ax_metrics_stripe *
stripe_at(const struct ax_metric *metric, size_t index)
{
    return atomic_load_explicit(&metric->stripes[index], memory_order_acquire);
}

int64_t
ax_metric_bucket_count(const struct ax_metric *metric, size_t bucket)
{
    int64_t count = 0;
    for (size_t i = 0; i < AX_METRICS_STRIPES; i++) {
        const struct ax_metrics_stripe *stripe = stripe_at(metric, i);
        if (stripe)
            count += atomic_load_explicit(&stripe->buckets[bucket], memory_order_relaxed);
    }
    return count;
}

int64_t
ax_metric_sum_ns(const struct ax_metric *metric)
{
    int64_t sum_ns = 0;
    for (size_t i = 0; i < AX_METRICS_STRIPES; i++) {
        const struct ax_metrics_stripe *stripe = stripe_at(metric, i);
        if (stripe)
            sum_ns += atomic_load_explicit(&stripe->sum_ns, memory_order_relaxed);
    }
    return sum_ns;
}

int64_t
ax_metric_count(const struct ax_metric *metric)
{
    int64_t count = 0;
    bool buckets = metric->kind == AX_METRIC_HISTOGRAM;
    for (size_t i = 0; buckets && i < AX_METRICS_BUCKETS; i++)
        count += ax_metric_bucket_count(metric, i);
    for (size_t i = 0; !buckets && i < AX_METRICS_STRIPES; i++) {
        const struct ax_metrics_stripe *stripe = stripe_at(metric, i);
        if (stripe)
            count += atomic_load_explicit(&stripe->count, memory_order_relaxed);
    }
    return count;
}

double
ax_metric_value(const struct ax_metric *metric)
{
    return (double)ax_metric_count(metric) +
           atomic_load_explicit(&metric->value, memory_order_relaxed);
}

int64_t
ax_metric_quantile_ns(const struct ax_metric *metric, double quantile)
{
    AX_ASSERT(metric->kind == AX_METRIC_HISTOGRAM);
    int64_t counts[AX_METRICS_BUCKETS], total = 0, seen = 0;
    for (size_t i = 0; i < AX_METRICS_BUCKETS; i++) {
        counts[i] = ax_metric_bucket_count(metric, i);
        total += counts[i];
    }
    for (size_t i = 0; i < AX_METRICS_BUCKETS; i++) {
        seen += counts[i];
        if (counts[i] && (double)seen >= quantile * (double)total) {
            double middle = (double)AX_METRICS_LOW + (double)i - 0.5;
            return (int64_t)(exp2(middle / STEPS) * 1e9);
        }
    }
    return 0;
}
