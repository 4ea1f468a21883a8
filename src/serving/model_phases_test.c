#include "serving/model_phases.h"

#include "harness.h"

static ax_status
versions(struct ax_ctx *ctx)
{
    struct ax_metrics *metrics;
    struct ax_model_phases *list = NULL;
    const struct ax_model_phases *first, *second, *again;
    AX_TRY(ax_metrics_open(ctx, &metrics));
    ax_status status = ax_model_phases_of(ctx, &list, metrics, "credit", "1", &first);
    if (status == AX_OK)
        status = ax_model_phases_of(ctx, &list, metrics, "credit", "2", &second);
    if (status == AX_OK)
        status = ax_model_phases_of(ctx, &list, metrics, "credit", "1", &again);
    if (status == AX_OK) {
        struct ax_phases phases = {.mark_ns = 1'000};
        ax_phases_end_at(&phases, AX_PHASE_SCORE, 21'000);
        ax_model_phases_observe(first, &phases);
        CHECK(first == again && first != second);
        CHECK_STR(ax_str_of(second->model), "credit");
        CHECK_STR(ax_str_of(second->version), "2");
    }
    ax_model_phases_free(list);
    ax_metrics_close(metrics);
    return status;
}

TEST(phases_of_versions_survive_every_fault)
{
    FAULT_SWEEP(versions);
}

static void
observed(struct ax_ctx *ctx)
{
    struct ax_metrics *metrics = NULL;
    struct ax_model_phases *list = NULL;
    const struct ax_model_phases *model = NULL;
    struct ax_phases phases = {.mark_ns = 1'000};
    CHECK_EQ(ax_metrics_open(ctx, &metrics), AX_OK);
    CHECK_EQ(ax_model_phases_of(ctx, &list, metrics, "credit", "1", &model), AX_OK);
    ax_phases_end_at(&phases, AX_PHASE_SCORE, 21'000);
    ax_phases_end_at(&phases, AX_PHASE_WRITE, 22'000);
    for (int i = 0; i < 3; i++)
        ax_model_phases_observe(model, &phases);
    CHECK_EQ(ax_metric_count(model->seconds[AX_PHASE_SCORE]), 3);
    CHECK_EQ(ax_metric_count(model->seconds[AX_PHASE_WRITE]), 3);
    CHECK_EQ(ax_metric_count(model->seconds[AX_PHASE_EXPLAIN]), 0);
    CHECK(ax_metric_quantile_ns(model->seconds[AX_PHASE_SCORE], 0.5) > 18'000);
    ax_model_phases_free(list);
    ax_metrics_close(metrics);
}

TEST(phases_that_a_request_passed_are_counted_for_its_version)
{
    ax_test_with_ctx(observed);
}
