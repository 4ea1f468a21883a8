#include <math.h>

#include "mlops/experiment_run.h"
#include "tracking_case.h"

/* Names of the runs found, in their order; ".." when there are more. */
static ax_str
found(struct ax_ctx *ctx, struct tracking_case *at, const char *filter, const char *order,
      int64_t results_max)
{
    TRACKING_CASE_SHOWN(shown);
    const ax_str zero = AX_STR("0"), by = ax_str_of(order);
    const struct ax_experiment_search search = {.experiment_ids = &zero,
                                                .experiment_count = 1,
                                                .filter = ax_str_of(filter),
                                                .order_by = &by,
                                                .order_count = order[0] ? 1 : 0,
                                                .results_max = results_max,
                                                .page_token = AX_STR("")};
    ax_str out = AX_STR(""), name = AX_STR("");
    const struct ax_json *json = NULL;
    ax_json_begin_object(&shown.json);
    ax_status status = ax_runs_search(at->experiments, ctx, &search, &shown.json);
    if (status != AX_OK)
        return ax_str_printf(ctx->arena, "! %s", ctx->error);
    ax_json_end_object(&shown.json);
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&shown.text), NULL, &json), AX_OK);
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(json, "runs"));
    while (ax_json_next(&it)) {
        CHECK(ax_json_text(ax_json_find(ax_json_find(it.value, "info"), "run_name"), &name));
        out =
            ax_str_printf(ctx->arena, "%.*s%s%.*s", AX_FMT(out), out.len ? " " : "", AX_FMT(name));
    }
    return ax_json_find(json, "next_page_token") ? ax_str_printf(ctx->arena, "%.*s ..", AX_FMT(out))
                                                 : out;
}

/* a: m 1, p x, t 1; b: m 2, p y; c: m is no number; d: nothing, deleted; e: nothing */
static void
make_runs(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    ax_str runs[5];
    for (size_t i = 0; i < 5; i++)
        runs[i] = tracking_case_make_run(ctx, at, names[i]);
    static const struct ax_experiment_pair params[] = {{{"p", 1}, {"x", 1}}, {{"p", 1}, {"y", 1}}};
    static const struct ax_experiment_pair tag = {{"t", 1}, {"Abc", 3}};
    for (size_t i = 0; i < 2; i++) {
        const struct ax_run_batch batch = {.params = {&params[i], 1}, .tags = {&tag, i == 0}};
        CHECK_EQ(ax_run_log(at->experiments, ctx, runs[i], &batch), AX_OK);
        CHECK_EQ(
            tracking_case_log(ctx, at, runs[i], "m", (struct ax_metric){.value = (double)i + 1}),
            AX_OK);
    }
    CHECK_EQ(tracking_case_log(ctx, at, runs[2], "m", (struct ax_metric){.value = (double)NAN}),
             AX_OK);
    const struct ax_run_change change = {
        .status = AX_STR("FINISHED"), .ends = true, .end_ms = 50, .name = AX_STR("")};
    TRACKING_CASE_SHOWN(shown);
    CHECK_EQ(ax_run_update(at->experiments, ctx, runs[0], &change, &shown.json), AX_OK);
    CHECK_EQ(ax_run_delete(at->experiments, ctx, runs[3]), AX_OK);
}

static void
searching(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const struct {
        const char *filter, *order, *found;
    } cases[] = {
        {"", "run_name", "a b c e"},
        {"metrics.m > 1", "", "b"},
        {"metrics.m >= 1", "metrics.m desc", "b a"},
        {"metrics.m = 0", "", "c"}, /* as in MLflow: what is no number is kept as 0 */
        {"", "metrics.m asc", "a b c e"},
        {"", "metrics.m desc", "b a c e"}, /* numbers, what is none, nothing */
        {"params.p = 'x'", "", "a"},
        {"params.p != 'x'", "", "b"}, /* not those without it */
        {"params.p IS NULL", "run_name", "c e"},
        {"params.p IS NOT NULL", "run_name desc", "b a"},
        {"tags.t LIKE 'A%'", "", "a"},
        {"tags.t LIKE 'a%'", "", ""},
        {"tags.t ILIKE 'a_C'", "", "a"},
        {"status = 'FINISHED' and end_time = 50", "", "a"},
        {"end_time < 100", "", "a"},
        {"", "end_time desc", "a"},
        {"run_name LIKE '_' and start_time = 1000", "run_name desc", "e c b a"},
        {"params.p = 'x' and metrics.m = 2", "", ""},
        {"acme = 'x'", "", "! Invalid attribute key 'acme'"},
    };
    make_runs(ctx, at);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_str got = found(ctx, at, cases[i].filter, cases[i].order, 100);
        if (!ax_str_starts(got, ax_str_of(cases[i].found)) ||
            (cases[i].found[0] != '!' && cases[i].order[0] != 'e' &&
             got.len != strlen(cases[i].found)))
            ax_test_failed(__FILE__, __LINE__, "%s by %s: \"%.*s\", not \"%s\"", cases[i].filter,
                           cases[i].order, AX_FMT(got), cases[i].found);
    }
    CHECK_STR(found(ctx, at, "", "run_name", 2), "a b ..");
    CHECK_STR(found(ctx, at, "", "run_name", 4), "a b c e");
}

TEST(runs_are_searched_and_ordered)
{
    tracking_case_run(searching);
}

/* More runs than are shown at once, each with its own things and no other's. */
static void
many(struct ax_ctx *ctx, struct tracking_case *at)
{
    for (int i = 0; i < 3 * AX_RUNS_AT_ONCE + 1; i++) {
        char name[16];
        snprintf(name, sizeof name, "%03d", i);
        ax_str run = tracking_case_make_run(ctx, at, name);
        const struct ax_experiment_pair param = {AX_STR("own"), ax_str_of(name)};
        const struct ax_run_batch batch = {.params = {&param, 1}};
        CHECK_EQ(ax_run_log(at->experiments, ctx, run, &batch), AX_OK);
    }
    TRACKING_CASE_SHOWN(shown);
    const ax_str zero = AX_STR("0"), order = AX_STR("run_name");
    const struct ax_experiment_search search = {.experiment_ids = &zero,
                                                .experiment_count = 1,
                                                .filter = AX_STR(""),
                                                .order_by = &order,
                                                .order_count = 1,
                                                .results_max = 1000,
                                                .page_token = AX_STR("")};
    ax_json_begin_object(&shown.json);
    CHECK_EQ(ax_runs_search(at->experiments, ctx, &search, &shown.json), AX_OK);
    ax_json_end_object(&shown.json);
    const struct ax_json *json = NULL;
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&shown.text), NULL, &json), AX_OK);
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(json, "runs"));
    int seen = 0;
    for (; ax_json_next(&it); seen++) {
        ax_str name = AX_STR(""), value = AX_STR("");
        const struct ax_json *params = ax_json_find(ax_json_find(it.value, "data"), "params");
        struct ax_json_iter first = ax_json_iter_of(params);
        CHECK_EQ(ax_json_count(params), 1);
        CHECK(ax_json_next(&first));
        CHECK(ax_json_text(ax_json_find(ax_json_find(it.value, "info"), "run_name"), &name));
        CHECK(ax_json_text(ax_json_find(first.value, "value"), &value));
        CHECK(ax_str_eq(name, value));
    }
    CHECK_EQ(seen, 3 * AX_RUNS_AT_ONCE + 1);
}

TEST(each_run_is_shown_with_its_own)
{
    tracking_case_run(many);
}
