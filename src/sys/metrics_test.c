#include "sys/metrics.h"

#include <math.h>

#include "base/number.h"
#include "protobuf_case.h"
#include "sys/workers.h"

enum { PAGE_MAX = 1 << 20, THREADS = 12, ADDITIONS = 5'000 };

static struct ax_metrics *
open_metrics(struct ax_ctx *ctx)
{
    struct ax_metrics *metrics = NULL;
    CHECK_EQ(ax_metrics_open(ctx, &metrics), AX_OK);
    return metrics;
}

/* The value behind a series' name and labels; NAN when the page has no such line. */
static double
value_of(ax_str page, const char *series)
{
    ax_str line;
    double value = (double)NAN;
    while (ax_str_cut(&page, '\n', &line)) {
        ax_str name = ax_str_of(series);
        if (!ax_str_starts(line, name) || line.len <= name.len || line.at[name.len] != ' ')
            continue;
        CHECK(ax_parse_f64(ax_str_from(line, name.len + 1), &value));
    }
    return value;
}

static void
exposition(struct ax_ctx *ctx)
{
    struct ax_metrics *metrics = open_metrics(ctx);
    struct ax_metric *decisions =
        ax_metrics_series(metrics, AX_METRIC_COUNTER, "axiom_decisions_total", "Decisions made.",
                          "model", "credit", "outcome", "approve", NULL);
    ax_metric_add(decisions, 41);
    ax_metric_add(ax_metrics_series(metrics, AX_METRIC_COUNTER, "axiom_decisions_total",
                                    "Decisions made.", "model", "credit", "outcome", "approve",
                                    NULL),
                  1);
    ax_metrics_series(metrics, AX_METRIC_COUNTER, "axiom_decisions_total", "Decisions made.",
                      "model", "a\"b\\c\nd", "outcome", "\xff", NULL);
    struct ax_metric *queued =
        ax_metrics_series(metrics, AX_METRIC_GAUGE, "axiom_queued", "Waiting.", NULL);
    ax_metric_set(queued, 0.5);
    ax_metric_add(queued, 3);
    ax_metric_add(queued, -1);
    struct ax_metric *endless = ax_metrics_series(metrics, AX_METRIC_GAUGE, "axiom_endless",
                                                  "Strange numbers.", "n", "", NULL);
    ax_metric_set(endless, -(double)INFINITY);
    CHECK_EQ(ax_metric_count(decisions), 42);
    ax_writer_auto struct ax_writer page = ax_writer_of(PAGE_MAX);
    ax_metrics_print(metrics, &page);
    CHECK_STR(ax_writer_str(&page),
              "# HELP axiom_decisions_total Decisions made.\n"
              "# TYPE axiom_decisions_total counter\n"
              "axiom_decisions_total{model=\"a\\\"b\\\\c\\nd\",outcome=\"not UTF-8\"} 0\n"
              "axiom_decisions_total{model=\"credit\",outcome=\"approve\"} 42\n"
              "# HELP axiom_queued Waiting.\n# TYPE axiom_queued gauge\naxiom_queued 2.5\n"
              "# HELP axiom_endless Strange numbers.\n# TYPE axiom_endless gauge\n"
              "axiom_endless{n=\"\"} -Inf\n");
    ax_metrics_close(metrics);
}

TEST(metrics_print_as_prometheus_text)
{
    ax_test_with_ctx(exposition);
}

static void
histogram(struct ax_ctx *ctx)
{
    static const int64_t observed_ns[] = {-5, 0, 1, 1'000, 1'023, 1'024, 2'000'000, INT64_MAX / 4};
    struct ax_metrics *metrics = open_metrics(ctx);
    struct ax_metric *metric = ax_metrics_series(metrics, AX_METRIC_HISTOGRAM, "axiom_seconds",
                                                 "Time.", "route", "infer", NULL);
    CHECK_EQ(ax_metric_quantile_ns(metric, 0.5), 0);
    int64_t sum_ns = 0;
    for (size_t i = 0; i < AX_COUNT_OF(observed_ns); i++) {
        ax_metric_observe_ns(metric, observed_ns[i]);
        sum_ns += observed_ns[i] > 0 ? observed_ns[i] : 0;
    }
    ax_writer_auto struct ax_writer writer = ax_writer_of(PAGE_MAX);
    ax_metrics_print(metrics, &writer);
    ax_str page = ax_writer_str(&writer), line;
    CHECK(ax_str_find(page, AX_STR("# TYPE axiom_seconds histogram\n")) != SIZE_MAX);
#define BUCKET(le) "axiom_seconds_bucket{route=\"infer\",le=\"" le "\"}"
    CHECK_EQ(value_of(page, BUCKET("9.5367431640625e-07")), 3);
    CHECK_EQ(value_of(page, BUCKET("1.1341162824656687e-06")), 6);
    CHECK_EQ(value_of(page, BUCKET("0.001953125")), 6);
    CHECK_EQ(value_of(page, BUCKET("64.0")), 7);
    CHECK_EQ(value_of(page, BUCKET("+Inf")), 8);
    CHECK_EQ(value_of(page, "axiom_seconds_count{route=\"infer\"}"), 8);
    CHECK(fabs(value_of(page, "axiom_seconds_sum{route=\"infer\"}") - (double)sum_ns / 1e9) < 1.0);
    double before_top = 0.0, before_count = 0.0;
    int buckets = 0;
    while (ax_str_cut(&page, '\n', &line)) { /* tops rise, counts do not fall */
        size_t at = ax_str_find(line, AX_STR("le=\""));
        ax_str top, rest = at == SIZE_MAX ? AX_STR("") : ax_str_from(line, at + 4);
        double top_value, count;
        if (!rest.len || !ax_str_cut(&rest, '"', &top) || ax_str_eq(top, AX_STR("+Inf")))
            continue;
        CHECK(ax_parse_f64(top, &top_value));
        CHECK(ax_parse_f64(ax_str_from(rest, 2), &count));
        CHECK(top_value > before_top && count >= before_count);
        before_top = top_value;
        before_count = count;
        buckets++;
    }
    CHECK_EQ(buckets, 87); /* 2^-20 s, four to a power of two up to 1 s, six powers from there */
    ax_metrics_close(metrics);
}

TEST(metrics_count_durations_in_cumulative_buckets)
{
    ax_test_with_ctx(histogram);
}

static void
quantiles(struct ax_ctx *ctx)
{
    struct ax_metrics *metrics = open_metrics(ctx);
    struct ax_metric *metric =
        ax_metrics_series(metrics, AX_METRIC_HISTOGRAM, "axiom_all_seconds", "Time.", NULL);
    for (int64_t us = 1; us <= 10'000; us++)
        ax_metric_observe_ns(metric, us * 1'000);
    static const double wanted[] = {0.0001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0};
    for (size_t i = 0; i < AX_COUNT_OF(wanted); i++) {
        double exact = wanted[i] * 1e7, got = (double)ax_metric_quantile_ns(metric, wanted[i]);
        if (fabs(got / exact - 1.0) > 0.055)
            ax_test_failed(__FILE__, __LINE__, "quantile %g is %g, not %g", wanted[i], got, exact);
    }
    CHECK(ax_metric_quantile_ns(metric, 0.0) > 0);
    for (int64_t ns = 60; ns < INT64_C(1) << 36; ns += 1 + ns / 50) { /* every bucket */
        char name[32];
        snprintf(name, sizeof name, "%lld", (long long)ns);
        struct ax_metric *one = ax_metrics_series(metrics, AX_METRIC_HISTOGRAM, "axiom_one_seconds",
                                                  "Time.", "ns", name, NULL);
        ax_metric_observe_ns(one, ns);
        double off = (double)ax_metric_quantile_ns(one, 0.5) / (double)ns;
        if (ax_metric_count(one) == 1 && fabs(off - 1.0) > 0.055)
            ax_test_failed(__FILE__, __LINE__, "%lld ns is told as %g of it", (long long)ns, off);
    }
    ax_metrics_close(metrics);
}

TEST(metrics_estimate_quantiles_as_closely_as_promised)
{
    ax_test_with_ctx(quantiles);
}

/* ---- the other formats ---- */

static void
count_a_little(struct ax_metrics *metrics)
{
    ax_metric_add(
        ax_metrics_series(metrics, AX_METRIC_COUNTER, "axiom_a_total", "A.", "l", "v\"", NULL), 3);
    ax_metric_add(ax_metrics_series(metrics, AX_METRIC_COUNTER_US, "nv_time_us", "Time.", NULL),
                  7'999);
    ax_metric_set(ax_metrics_series(metrics, AX_METRIC_GAUGE, "axiom_c", "C.", NULL), -1.5);
}

static void
open_metrics_text(struct ax_ctx *ctx)
{
    struct ax_metrics *metrics = open_metrics(ctx);
    count_a_little(metrics);
    ax_writer_auto struct ax_writer page = ax_writer_of(PAGE_MAX);
    ax_metrics_print_as(metrics, AX_METRICS_OPENMETRICS, &page);
    CHECK_STR(ax_writer_str(&page),
              "# HELP axiom_a A.\n# TYPE axiom_a counter\naxiom_a_total{l=\"v\\\"\"} 3\n"
              "# HELP nv_time_us Time.\n# TYPE nv_time_us unknown\nnv_time_us 7\n"
              "# HELP axiom_c C.\n# TYPE axiom_c gauge\naxiom_c -1.5\n# EOF\n");
    ax_metrics_close(metrics);
}

TEST(metrics_print_as_openmetrics_text)
{
    ax_test_with_ctx(open_metrics_text);
}

/* The next family of a stream of them. */
static ax_str
next_family(ax_str *stream)
{
    size_t len = 0;
    int shift = 0;
    uint8_t byte;
    do {
        byte = (uint8_t)stream->at[0];
        len |= (size_t)(byte & 127) << shift;
        shift += 7;
        *stream = ax_str_from(*stream, 1);
    } while (byte & 128);
    ax_str family = {stream->at, len};
    *stream = ax_str_from(*stream, len);
    return family;
}

static int64_t
zigzag(uint64_t number)
{
    return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

/* The wanted: as Prometheus' own client counts them with schema 3. */
static void
native(struct ax_ctx *ctx)
{
    static const struct {
        int64_t ns;
        int index; /* of the native bucket */
    } cases[] = {{1'000'000'000, 0},   {1'000'000'001, 1}, {500'000'000, -8},  {1'953'125, -72},
                 {1'953'126, -71},     {1'000, -159},      {1'100'000'000, 2}, {2'000'000'000, 8},
                 {64'000'000'000, 48}, {60, -191},         {INT64_MAX, 49}};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_metrics *metrics = open_metrics(ctx);
        struct ax_metric *metric =
            ax_metrics_series(metrics, AX_METRIC_HISTOGRAM, "axiom_n_seconds", "N.", NULL);
        ax_metric_observe_ns(metric, cases[i].ns);
        ax_writer_auto struct ax_writer page = ax_writer_of(PAGE_MAX);
        ax_metrics_print_as(metrics, AX_METRICS_PROTOBUF, &page);
        ax_str stream = ax_writer_str(&page), family = next_family(&stream);
        ax_str histogram = protobuf_case_field(protobuf_case_field(family, 4, 0).bytes, 7, 0).bytes;
        ax_str span = protobuf_case_field(histogram, 12, 0).bytes;
        CHECK_EQ(stream.len, 0);
        CHECK_EQ(zigzag(protobuf_case_field(histogram, 5, 0).number), 3);
        CHECK_EQ(zigzag(protobuf_case_field(span, 1, 0).number), cases[i].index);
        CHECK_EQ(protobuf_case_field(span, 2, 0).number, 1);
        CHECK_EQ(zigzag(protobuf_case_field(histogram, 13, 0).number), 1);
        CHECK_EQ(protobuf_case_field(histogram, 1, 0).number, 1);
        ax_metrics_close(metrics);
    }
}

TEST(metrics_count_in_the_buckets_of_native_histograms)
{
    ax_test_with_ctx(native);
}

static void
protobuf(struct ax_ctx *ctx)
{
    struct ax_metrics *metrics = open_metrics(ctx);
    count_a_little(metrics);
    struct ax_metric *metric =
        ax_metrics_series(metrics, AX_METRIC_HISTOGRAM, "axiom_n_seconds", "N.", NULL);
    ax_writer_auto struct ax_writer page = ax_writer_of(PAGE_MAX);
    for (int i = 0; i < 3; i++)
        ax_metric_observe_ns(metric, 1'000'000'000);
    ax_metric_observe_ns(metric, 1'050'000'000);
    ax_metric_observe_ns(metric, 4'000'000'000);
    ax_metric_observe_ns(metric, 1);
    ax_metrics_print_as(metrics, AX_METRICS_PROTOBUF, &page);
    CHECK_EQ(page.status, AX_OK);
    ax_str stream = ax_writer_str(&page), counter = next_family(&stream);
    CHECK_STR(protobuf_case_field(counter, 1, 0).bytes, "axiom_a_total");
    ax_str series = protobuf_case_field(counter, 4, 0).bytes;
    CHECK_STR(protobuf_case_field(protobuf_case_field(series, 1, 0).bytes, 2, 0).bytes, "v\"");
    CHECK(ax_protobuf_f64(
              protobuf_case_field(protobuf_case_field(series, 3, 0).bytes, 1, 0).number) == 3.0);
    next_family(&stream);
    ax_str gauge = next_family(&stream);
    CHECK_EQ(protobuf_case_field(gauge, 3, 0).number, 1);
    series = protobuf_case_field(gauge, 4, 0).bytes;
    CHECK(ax_protobuf_f64(
              protobuf_case_field(protobuf_case_field(series, 2, 0).bytes, 1, 0).number) == -1.5);
    ax_str histogram =
        protobuf_case_field(protobuf_case_field(next_family(&stream), 4, 0).bytes, 7, 0).bytes;
    CHECK_EQ(protobuf_case_field(histogram, 1, 0).number, 6);
    CHECK_EQ(protobuf_case_field(histogram, 7, 0).number,
             1); /* the nanosecond, in the zero bucket */
    CHECK_EQ(zigzag(protobuf_case_field(protobuf_case_field(histogram, 12, 0).bytes, 1, 0).number),
             0);
    CHECK_EQ(protobuf_case_field(protobuf_case_field(histogram, 12, 0).bytes, 2, 0).number, 2);
    CHECK_EQ(zigzag(protobuf_case_field(protobuf_case_field(histogram, 12, 1).bytes, 1, 0).number),
             14);
    CHECK_EQ(zigzag(protobuf_case_field(histogram, 13, 0).number), 3);
    CHECK_EQ(zigzag(protobuf_case_field(histogram, 13, 1).number), -2);
    CHECK_EQ(zigzag(protobuf_case_field(histogram, 13, 2).number), 0);
    CHECK_EQ(protobuf_case_field(protobuf_case_field(histogram, 3, 86).bytes, 1, 0).number,
             6); /* the last classic */
    CHECK_EQ(stream.len, 0);
    ax_metrics_close(metrics);
}

TEST(metrics_tell_native_and_classic_buckets_in_protobuf)
{
    ax_test_with_ctx(protobuf);
}

struct shared {
    struct ax_metrics *metrics;
    struct ax_metric *counter, *histogram;
};

static void
count_many(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < ADDITIONS; i++) {
        ax_metric_add(shared->counter, 2);
        ax_metric_observe_ns(shared->histogram, 1'000 + i);
        if (i % 1'000 == 0)
            ax_metric_add(ax_metrics_series(shared->metrics, AX_METRIC_COUNTER, "axiom_rare_total",
                                            "Rare.", "kind", i % 2'000 ? "odd" : "even", NULL),
                          1);
    }
}

static void
from_threads(struct ax_ctx *ctx)
{
    struct shared shared = {.metrics = open_metrics(ctx)};
    struct ax_thread *threads[THREADS];
    shared.counter =
        ax_metrics_series(shared.metrics, AX_METRIC_COUNTER, "axiom_counted_total", "All.", NULL);
    shared.histogram =
        ax_metrics_series(shared.metrics, AX_METRIC_HISTOGRAM, "axiom_seconds", "Time.", NULL);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(ax_thread_start(ctx, "counter", count_many, &shared, &threads[i]), AX_OK);
    for (int i = 0; i < 20; i++) { /* reading does not disturb writing */
        ax_writer_auto struct ax_writer page = ax_writer_of(PAGE_MAX);
        ax_metrics_print(shared.metrics, &page);
        CHECK_EQ(page.status, AX_OK);
    }
    for (int i = 0; i < THREADS; i++)
        ax_thread_join(threads[i]);
    CHECK_EQ(ax_metric_count(shared.counter), 2 * THREADS * ADDITIONS);
    CHECK_EQ(ax_metric_count(shared.histogram), THREADS * ADDITIONS);
    ax_writer_auto struct ax_writer page = ax_writer_of(PAGE_MAX);
    ax_metrics_print(shared.metrics, &page);
    ax_str text = ax_writer_str(&page);
    CHECK_EQ(value_of(text, "axiom_counted_total"), 2 * THREADS * ADDITIONS);
    CHECK_EQ(value_of(text, "axiom_seconds_count"), THREADS * ADDITIONS);
    CHECK_EQ(value_of(text, "axiom_rare_total{kind=\"even\"}"), 3 * THREADS);
    CHECK_EQ(value_of(text, "axiom_rare_total{kind=\"odd\"}"), 2 * THREADS);
    ax_metrics_close(shared.metrics);
}

TEST(metrics_lose_nothing_between_many_threads)
{
    ax_test_with_ctx(from_threads);
}

static void
too_many(struct ax_ctx *ctx)
{
    struct ax_metrics *metrics = open_metrics(ctx);
    for (int i = 0; i < 1'200; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        ax_metric_add(ax_metrics_series(metrics, AX_METRIC_COUNTER, "axiom_models_total", "Models.",
                                        "model", name, "kind", "x", NULL),
                      1);
    }
    ax_metric_add(ax_metrics_series(metrics, AX_METRIC_COUNTER, "axiom_models_total", "Models.",
                                    "model", "m7", "kind", "x", NULL),
                  1); /* those known before keep their own */
    ax_writer_auto struct ax_writer page = ax_writer_of(PAGE_MAX);
    ax_metrics_print(metrics, &page);
    ax_str text = ax_writer_str(&page);
    CHECK_EQ(value_of(text, "axiom_models_total{model=\"m7\",kind=\"x\"}"), 2);
    CHECK_EQ(value_of(text, "axiom_models_total{model=\"m999\",kind=\"x\"}"), 1);
    CHECK(isnan(value_of(text, "axiom_models_total{model=\"m1000\",kind=\"x\"}")));
    CHECK_EQ(value_of(text, "axiom_models_total{model=\"other\",kind=\"other\"}"), 200);
    ax_metrics_close(metrics);
}

TEST(metrics_put_series_beyond_the_limit_together)
{
    ax_test_with_ctx(too_many);
}

static ax_status
use_all(struct ax_ctx *ctx)
{
    struct ax_metrics *metrics;
    AX_TRY(ax_metrics_open(ctx, &metrics));
    for (int round = 0; round < 2; round++) {
        ax_metric_add(
            ax_metrics_series(metrics, AX_METRIC_COUNTER, "axiom_a_total", "A.", "l", "v", NULL),
            1);
        ax_metric_observe_ns(ax_metrics_series(metrics, AX_METRIC_HISTOGRAM, "axiom_b_seconds",
                                               "B.", "l", "v", NULL),
                             5);
        ax_metric_set(ax_metrics_series(metrics, AX_METRIC_GAUGE, "axiom_c", "C.", NULL), 1.0);
    }
    ax_writer_auto struct ax_writer page = ax_writer_of(PAGE_MAX);
    ax_metrics_print(metrics, &page);
    ax_status status = page.status;
    ax_writer_clear(&page);
    ax_metrics_print_as(metrics, AX_METRICS_PROTOBUF, &page);
    status = status == AX_OK ? page.status : status;
    ax_metrics_close(metrics);
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "no memory for the page");
}

TEST(metrics_count_on_when_memory_is_short)
{
    FAULT_SWEEP(use_all);
}
