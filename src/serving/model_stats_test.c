#include "serving/model_stats.h"

#include "harness.h"

static bool
prints(struct ax_metrics *metrics, const char *line)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    ax_metrics_print(metrics, &out);
    return ax_str_find(ax_writer_str(&out), ax_str_of(line)) != SIZE_MAX;
}

static void
counts(struct ax_ctx *ctx)
{
    struct ax_metrics *metrics;
    CHECK_EQ(ax_metrics_open(ctx, &metrics), AX_OK);
    struct ax_model_stats stats = ax_model_stats_of(metrics, "credit", "3");
    const struct ax_model_times times = {5, 1'000, 20'000, 300'000, 4'000'999};
    ax_model_stats_success(&stats, &times, 1'700'000'000'123'456'789);
    ax_model_stats_failure(&stats, AX_INVALID, 7'000);
    ax_model_stats_failure(&stats, AX_TIMEOUT, 7'000);
    ax_model_stats_failure(&stats, AX_INTERNAL, 7'000);
    CHECK_EQ(ax_model_stats_failures(&stats), 3);
    CHECK_EQ(ax_metric_count(stats.rows), 5);
    CHECK_EQ(ax_metric_count(stats.infer_ns), 300'000);
    CHECK_EQ(ax_metric_value(stats.last_ms), 1'700'000'000'123);
    CHECK(prints(metrics, "nv_inference_request_success{model=\"credit\",version=\"3\"} 1\n"));
    static const char *const reasons[] = {"REJECTED\"} 1\n", "BACKEND\"} 1\n", "OTHER\"} 1\n",
                                          "CANCELED\"} 0\n"};
    for (size_t i = 0; i < AX_COUNT_OF(reasons); i++) {
        char line[128];
        snprintf(line, sizeof line,
                 "nv_inference_request_failure{model=\"credit\",version=\"3\",reason=\"%s",
                 reasons[i]);
        CHECK(prints(metrics, line));
    }
    CHECK(prints(metrics, "nv_inference_count{model=\"credit\",version=\"3\"} 5\n"));
    CHECK(
        prints(metrics, "nv_inference_request_duration_us{model=\"credit\",version=\"3\"} 4321\n"));
    CHECK(prints(metrics,
                 "nv_inference_compute_output_duration_us{model=\"credit\",version=\"3\"} 4000\n"));
    /* The next plan that serves the same version goes on counting. */
    struct ax_model_stats again = ax_model_stats_of(metrics, "credit", "3");
    CHECK(again.rows == stats.rows);
    CHECK(ax_model_stats_of(metrics, "credit", "4").rows != stats.rows);
    ax_metrics_close(metrics);
}

TEST(model_stats_count_as_triton_does)
{
    ax_test_with_ctx(counts);
}
