#include "mlops/experiment_metric.h"

#include <math.h>

#include "tracking_case.h"

static ax_str
history(struct ax_ctx *ctx, struct tracking_case *at, ax_str run, const char *key,
        int64_t results_max, const char *token)
{
    TRACKING_CASE_SHOWN(shown);
    ax_str out = AX_STR("");
    const struct ax_metric_history asked = {.run_ids = &run,
                                            .run_count = 1,
                                            .key = ax_str_of(key),
                                            .results_max = results_max,
                                            .page_token = ax_str_of(token)};
    ax_json_begin_object(&shown.json);
    CHECK_EQ(ax_metric_history(at->experiments, ctx, &asked, &shown.json), AX_OK);
    ax_json_end_object(&shown.json);
    CHECK_EQ(ax_writer_take(&shown.text, ctx->arena, &out), AX_OK);
    return out;
}

static void
points(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_str run = tracking_case_make_run(ctx, at, "r");
    static const struct ax_metric logged[] = {
        {.value = 3, .timestamp_ms = 10, .step = 1}, {.value = 5, .timestamp_ms = 10, .step = 1},
        {.value = 5, .timestamp_ms = 10, .step = 1}, {.value = 9, .timestamp_ms = 5, .step = 1},
        {.value = 1, .timestamp_ms = 1, .step = 2},  {.value = 7, .timestamp_ms = 99, .step = 0},
    };
    for (size_t i = 0; i < AX_COUNT_OF(logged); i++)
        CHECK_EQ(tracking_case_log(ctx, at, run, "m", logged[i]), AX_OK);
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from metric_points"), 5);
    /* the summary is the greatest by step, then time, then value */
    CHECK_EQ(tracking_case_count(ctx, at,
                                 "select count(*) from metric_series where step = 2 and "
                                 "timestamp_ms = 1 and value = 1"),
             1);
    CHECK_STR(history(ctx, at, run, "m", 2, ""),
              "{\"metrics\":[{\"key\":\"m\",\"value\":1,\"timestamp\":1,\"step\":2},{\"key\":\"m\","
              "\"value\":9,\"timestamp\":5,\"step\":1}],\"next_page_token\":"
              "\"eyJvZmZzZXQiOiAyfQ==\"}");
    CHECK_STR(history(ctx, at, run, "m", 2, "eyJvZmZzZXQiOiA0fQ=="),
              "{\"metrics\":[{\"key\":\"m\",\"value\":7,\"timestamp\":99,\"step\":0}]}");
    CHECK_STR(history(ctx, at, run, "none", 0, ""), "{}");
    CHECK_STR(history(ctx, at, AX_STR("nobody"), "m", 0, ""), "{}");
}

TEST(a_series_keeps_every_point_once_and_its_greatest)
{
    tracking_case_run(points);
}

static void
odd_values(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_str run = tracking_case_make_run(ctx, at, "r");
    CHECK_EQ(tracking_case_log(ctx, at, run, "nan", (struct ax_metric){.value = (double)NAN}),
             AX_OK);
    CHECK_EQ(tracking_case_log(ctx, at, run, "inf", (struct ax_metric){.value = (double)INFINITY}),
             AX_OK);
    CHECK_EQ(tracking_case_log(ctx, at, run, "neg", (struct ax_metric){.value = -(double)INFINITY}),
             AX_OK);
    CHECK(ax_str_find(history(ctx, at, run, "nan", 0, ""), AX_STR("\"value\":\"NaN\"")) !=
          SIZE_MAX);
    CHECK(ax_str_find(history(ctx, at, run, "inf", 0, ""),
                      AX_STR("\"value\":1.7976931348623157e+308")) != SIZE_MAX);
    CHECK(ax_str_find(history(ctx, at, run, "neg", 0, ""),
                      AX_STR("\"value\":-1.7976931348623157e+308")) != SIZE_MAX);
    CHECK_EQ(tracking_case_log(ctx, at, run, "m", (struct ax_metric){.timestamp_ms = -1}),
             AX_INVALID);
    CHECK(tracking_case_fails(ctx, "metric 'm' (value=0.0). Timestamp must be a nonnegative"));
    CHECK_EQ(tracking_case_log(ctx, at, run, "a#b", (struct ax_metric){}), AX_INVALID);
}

TEST(what_is_no_number_is_kept_as_mlflow_keeps_it)
{
    tracking_case_run(odd_values);
}

/* Many keys at once go another way than few: both must end the same. */
static void
many_keys(struct ax_ctx *ctx, struct tracking_case *at)
{
    static struct ax_metric metrics[1000];
    char names[1000][8];
    ax_str run = tracking_case_make_run(ctx, at, "r");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++) {
            snprintf(names[i], sizeof names[i], "k%d", i % 300);
            metrics[i] = (struct ax_metric){.key = ax_str_of(names[i]),
                                            .value = i,
                                            .step = round * 1000 + i,
                                            .timestamp_ms = i};
        }
        const struct ax_run_batch batch = {.metrics = {metrics, 1000}};
        CHECK_EQ(ax_run_log(at->experiments, ctx, run, &batch), AX_OK);
        CHECK_EQ(ax_run_log(at->experiments, ctx, run, &batch), AX_OK);
    }
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from metric_series"), 300);
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from metric_points"), 2000);
    CHECK_EQ(tracking_case_count(ctx, at,
                                 "select count(*) from metric_series s where step <> (select "
                                 "max(p.step) from metric_points p where p.series_id = s.id)"),
             0);
}

TEST(a_batch_of_many_keys_is_as_one_of_few)
{
    tracking_case_run(many_keys);
}

static void
sampled(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_str runs[2] = {tracking_case_make_run(ctx, at, "a"), tracking_case_make_run(ctx, at, "b")};
    for (int64_t step = 0; step < 100; step++)
        CHECK_EQ(tracking_case_log(ctx, at, runs[0], "m", (struct ax_metric){.step = step}), AX_OK);
    CHECK_EQ(tracking_case_log(ctx, at, runs[1], "m", (struct ax_metric){.step = 37}), AX_OK);
    static const struct {
        struct ax_metric_interval interval;
        int64_t results_max;
        int count; /* of points shown */
    } cases[] = {
        {{}, 2500, 101},           /* all */
        {{}, 10, 13},              /* ten, the last, and 37 of both runs */
        {{true, 10, 19}, 100, 10}, /* a stretch */
        {{true, 10, 19}, 2, 3},    /* two of it and its end */
        {{true, 200, 300}, 10, 0},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        TRACKING_CASE_SHOWN(shown);
        const struct ax_metric_history asked = {.run_ids = runs,
                                                .run_count = 2,
                                                .key = AX_STR("m"),
                                                .results_max = cases[i].results_max};
        ax_json_begin_object(&shown.json);
        CHECK_EQ(ax_metric_history_interval(at->experiments, ctx, &asked, &cases[i].interval,
                                            &shown.json),
                 AX_OK);
        ax_json_end_object(&shown.json);
        const struct ax_json *json = NULL;
        CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&shown.text), NULL, &json), AX_OK);
        CHECK_EQ(ax_json_count(ax_json_find(json, "metrics")), cases[i].count);
    }
    TRACKING_CASE_SHOWN(bulk);
    const struct ax_metric_history asked = {
        .run_ids = runs, .run_count = 2, .key = AX_STR("m"), .results_max = 100};
    ax_json_begin_object(&bulk.json);
    CHECK_EQ(ax_metric_history_bulk(at->experiments, ctx, &asked, &bulk.json), AX_OK);
    ax_json_end_object(&bulk.json);
    const struct ax_json *json = NULL;
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&bulk.text), NULL, &json), AX_OK);
    CHECK_EQ(ax_json_count(ax_json_find(json, "metrics")), 100);
}

TEST(histories_are_sampled_by_step)
{
    tracking_case_run(sampled);
}
