#include "sys/metrics.h"

#include <math.h>

#include "base/number.h"
#include "harness.h"
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
    CHECK_EQ(value_of(page, BUCKET("1.024e-06")), 5);
    CHECK_EQ(value_of(page, BUCKET("2.048e-06")), 6);
    CHECK_EQ(value_of(page, BUCKET("0.002097152")), 7);
    CHECK_EQ(value_of(page, BUCKET("68.719476736")), 7);
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
    CHECK_EQ(buckets, 87); /* four to a power of two up to a second, six powers from there */
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
        if (fabs(got / exact - 1.0) > 0.13)
            ax_test_failed(__FILE__, __LINE__, "quantile %g is %g, not %g", wanted[i], got, exact);
    }
    CHECK(ax_metric_quantile_ns(metric, 0.0) > 0);
    for (int64_t ns = 8; ns < INT64_C(1) << 43; ns += 1 + ns / 50) { /* every bucket */
        char name[32];
        snprintf(name, sizeof name, "%lld", (long long)ns);
        struct ax_metric *one = ax_metrics_series(metrics, AX_METRIC_HISTOGRAM, "axiom_one_seconds",
                                                  "Time.", "ns", name, NULL);
        ax_metric_observe_ns(one, ns);
        double off = (double)ax_metric_quantile_ns(one, 0.5) / (double)ns;
        if (ax_metric_count(one) == 1 && fabs(off - 1.0) > 0.13)
            ax_test_failed(__FILE__, __LINE__, "%lld ns is told as %g of it", (long long)ns, off);
    }
    ax_metrics_close(metrics);
}

TEST(metrics_estimate_quantiles_as_closely_as_promised)
{
    ax_test_with_ctx(quantiles);
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
    ax_metrics_close(metrics);
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "no memory for the page");
}

TEST(metrics_count_on_when_memory_is_short)
{
    FAULT_SWEEP(use_all);
}
