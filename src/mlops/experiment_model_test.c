#include "mlops/experiment_model.h"

#include "tracking_case.h"

static ax_str
id_of(struct ax_ctx *ctx, const struct tracking_case_shown *shown)
{
    const struct ax_json *json = NULL;
    ax_str id = AX_STR(""), copy = AX_STR("");
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&shown->text), NULL, &json), AX_OK);
    CHECK(ax_json_text(ax_json_find(ax_json_find(json, "info"), "model_id"), &id));
    CHECK(ax_str_copy(ctx->arena, id, &copy));
    return copy;
}

static ax_str
make(struct ax_ctx *ctx, struct tracking_case *at, const char *name)
{
    TRACKING_CASE_SHOWN(shown);
    static const struct ax_experiment_pair pair = {{"k", 1}, {"v", 1}};
    const struct ax_experiment_model_new made = {.experiment_id = AX_STR("0"),
                                                 .name = ax_str_of(name),
                                                 .model_type = AX_STR("T"),
                                                 .source_run_id = AX_STR("run"),
                                                 .params = {&pair, 1},
                                                 .tags = {&pair, 1}};
    CHECK_EQ(ax_experiment_model_create(at->experiments, ctx, &made, &shown.json), AX_OK);
    CHECK(tracking_case_says(&shown, "\"status\":\"LOGGED_MODEL_PENDING\""));
    return id_of(ctx, &shown);
}

static void
life(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_experiments *experiments = at->experiments;
    ax_str model = make(ctx, at, "m"), run = tracking_case_make_run(ctx, at, "r"), uri = AX_STR("");
    static const struct ax_experiment_pair more = {{"x", 1}, {"y", 1}};
    const struct ax_experiment_pairs pairs = {&more, 1};
    CHECK(ax_str_starts(model, AX_STR("m-")));
    CHECK_EQ(ax_experiment_model_artifact_uri(experiments, ctx, model, &uri), AX_OK);
    CHECK(ax_str_starts(uri, AX_STR("mlflow-artifacts:/0/models/m-")));
    CHECK_EQ(ax_experiment_model_set_tags(experiments, ctx, model, &pairs), AX_OK);
    CHECK_EQ(ax_experiment_model_delete_tag(experiments, ctx, model, AX_STR("x")), AX_OK);
    CHECK_EQ(ax_experiment_model_delete_tag(experiments, ctx, model, AX_STR("x")), AX_NOT_FOUND);
    CHECK(tracking_case_fails(ctx, "No tag with key 'x' found for model with ID"));
    CHECK_EQ(ax_experiment_model_log_params(experiments, ctx, model, &pairs), AX_OK);
    CHECK_EQ(tracking_case_log(ctx, at, run, "auc",
                               (struct ax_metric){.value = 0.5,
                                                  .model_id = model,
                                                  .dataset_name = AX_STR("d"),
                                                  .dataset_digest = AX_STR("1")}),
             AX_OK);
    CHECK_EQ(tracking_case_log(ctx, at, run, "auc", (struct ax_metric){.model_id = AX_STR("m-0")}),
             AX_NOT_FOUND);
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from metric_points"), 1);
    {
        TRACKING_CASE_SHOWN(shown);
        CHECK_EQ(ax_experiment_model_finish(experiments, ctx, model, AX_STR("LOGGED_MODEL_READY"),
                                            &shown.json),
                 AX_OK);
        CHECK(tracking_case_says(&shown, "\"params\":[{\"key\":\"k\",\"value\":\"v\"},{\"key\":"
                                         "\"x\",\"value\":\"y\"}]"));
        CHECK(tracking_case_says(&shown, "\"metrics\":[{\"key\":\"auc\",\"value\":0.5,"));
        CHECK(tracking_case_says(&shown, "\"dataset_name\":\"d\",\"dataset_digest\":\"1\""));
    }
    CHECK_EQ(ax_experiment_model_delete(experiments, ctx, model), AX_OK);
    CHECK_EQ(ax_experiment_model_delete(experiments, ctx, model), AX_NOT_FOUND);
    TRACKING_CASE_SHOWN(shown);
    CHECK_EQ(ax_experiment_model_show(experiments, ctx, model, false, &shown.json), AX_NOT_FOUND);
    CHECK_EQ(ax_experiment_model_show(experiments, ctx, model, true, &shown.json), AX_OK);
}

/* The tag that tells where a model was registered is text that clients compare. */
static void
versions(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_str model = make(ctx, at, "m");
    for (int i = 1; i <= 2; i++) {
        ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
        CHECK_EQ(ax_store_begin(at->base.store, ctx, AX_STORE_WRITE, &tx), AX_OK);
        CHECK_EQ(ax_experiment_model_note_version(tx, ctx, model, AX_STR("a \"b\""), i), AX_OK);
        CHECK_EQ(ax_store_commit(ax_take(tx), ctx), AX_OK);
    }
    CHECK_EQ(tracking_case_count(ctx, at,
                                 "select count(*) from logged_model_tags where value = "
                                 "'[{\"name\": \"a \\\"b\\\"\", \"version\": 1}, "
                                 "{\"name\": \"a \\\"b\\\"\", \"version\": 2}]'"),
             1);
}

TEST(a_models_versions_are_noted_as_mlflow_does)
{
    tracking_case_run(versions);
}

TEST(logged_models_live)
{
    tracking_case_run(life);
}

static void
names(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const char *const wrong[] = {"a/b", "a:b", "a.b", "a%b", "a\"b", "a'b"};
    for (size_t i = 0; i < AX_COUNT_OF(wrong); i++) {
        TRACKING_CASE_SHOWN(shown);
        const struct ax_experiment_model_new made = {.experiment_id = AX_STR("0"),
                                                     .name = ax_str_of(wrong[i])};
        CHECK_EQ(ax_experiment_model_create(at->experiments, ctx, &made, &shown.json), AX_INVALID);
        CHECK(tracking_case_fails(ctx, "Invalid model name"));
    }
    make(ctx, at, "");
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from logged_models where name = ''"), 0);
}

TEST(logged_models_have_plain_names)
{
    tracking_case_run(names);
}

static int
found(struct ax_ctx *ctx, struct tracking_case *at, const char *filter, const char *order,
      const struct ax_experiment_pair *dataset, ax_str *out_first)
{
    TRACKING_CASE_SHOWN(shown);
    const ax_str zero = AX_STR("0");
    struct ax_experiment_model_search search = {.base = {.experiment_ids = &zero,
                                                         .experiment_count = 1,
                                                         .filter = ax_str_of(filter),
                                                         .results_max = 10,
                                                         .page_token = AX_STR("")},
                                                .datasets = dataset,
                                                .dataset_count = dataset ? 1 : 0};
    const struct ax_json *json = NULL;
    if (order[0])
        CHECK_EQ(
            ax_search_order_parse(ctx, AX_SEARCH_LOGGED_MODELS, ax_str_of(order), &search.orders),
            AX_OK);
    ax_json_begin_object(&shown.json);
    CHECK_EQ(ax_experiment_models_search(at->experiments, ctx, &search, &shown.json), AX_OK);
    ax_json_end_object(&shown.json);
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&shown.text), NULL, &json), AX_OK);
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(json, "models"));
    ax_str name = AX_STR("");
    if (ax_json_next(&it))
        CHECK(ax_json_text(ax_json_find(ax_json_find(it.value, "info"), "name"), &name));
    CHECK(ax_str_copy(ctx->arena, name, out_first));
    return (int)ax_json_count(ax_json_find(json, "models"));
}

static void
searching(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const struct ax_experiment_pair data = {{"d", 1}, {"", 0}}, none = {{"e", 1}, {"", 0}};
    ax_str one = make(ctx, at, "one"), two = make(ctx, at, "two"), first = AX_STR("");
    ax_str run = tracking_case_make_run(ctx, at, "r");
    CHECK_EQ(tracking_case_log(ctx, at, run, "auc",
                               (struct ax_metric){.value = 0.9,
                                                  .model_id = one,
                                                  .dataset_name = AX_STR("d"),
                                                  .dataset_digest = AX_STR("1")}),
             AX_OK);
    CHECK_EQ(tracking_case_log(ctx, at, run, "auc",
                               (struct ax_metric){.value = 0.5,
                                                  .model_id = two,
                                                  .dataset_name = AX_STR(""),
                                                  .dataset_digest = AX_STR("")}),
             AX_OK);
    CHECK_EQ(found(ctx, at, "", "", NULL, &first), 2);
    CHECK_EQ(found(ctx, at, "name IN ('one','x') AND params.k = 'v'", "", NULL, &first), 1);
    CHECK_STR(first, "one");
    CHECK_EQ(found(ctx, at, "metrics.auc > 0.8", "", NULL, &first), 1);
    CHECK_EQ(found(ctx, at, "", "metrics.auc desc", NULL, &first), 2);
    CHECK_STR(first, "one");
    CHECK_EQ(found(ctx, at, "", "metrics.auc", NULL, &first), 2);
    CHECK_STR(first, "two");
    CHECK_EQ(found(ctx, at, "status = 'PENDING'", "", NULL, &first), 2);
    CHECK_EQ(found(ctx, at, "", "", &data, &first), 1);
    CHECK_EQ(found(ctx, at, "", "", &none, &first), 0);
}

TEST(logged_models_are_searched)
{
    tracking_case_run(searching);
}

static void
paging(struct ax_ctx *ctx, struct tracking_case *at)
{
    const ax_str zero = AX_STR("0"), both[] = {AX_STR("0"), AX_STR("1")};
    struct ax_experiment_model_search search = {.base = {.experiment_ids = &zero,
                                                         .experiment_count = 1,
                                                         .filter = AX_STR(""),
                                                         .results_max = 1,
                                                         .page_token = AX_STR("")}};
    TRACKING_CASE_SHOWN(first);
    TRACKING_CASE_SHOWN(second);
    const struct ax_json *json = NULL;
    make(ctx, at, "one");
    make(ctx, at, "two");
    ax_json_begin_object(&first.json);
    CHECK_EQ(ax_experiment_models_search(at->experiments, ctx, &search, &first.json), AX_OK);
    ax_json_end_object(&first.json);
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&first.text), NULL, &json), AX_OK);
    REQUIRE(ax_json_text(ax_json_find(json, "next_page_token"), &search.base.page_token));
    struct ax_experiment_model_search other = search;
    other.base.experiment_ids = both;
    other.base.experiment_count = 2;
    CHECK_EQ(ax_experiment_models_search(at->experiments, ctx, &other, &second.json), AX_INVALID);
    CHECK(tracking_case_fails(ctx, "Experiment IDs in the page token do not match"));
    other = search;
    other.base.filter = AX_STR("name = 'one'");
    CHECK_EQ(ax_experiment_models_search(at->experiments, ctx, &other, &second.json), AX_INVALID);
    CHECK(tracking_case_fails(ctx, "Filter string in the page token does not match"));
    other = search;
    CHECK_EQ(ax_search_order_parse(ctx, AX_SEARCH_LOGGED_MODELS, AX_STR("name"), &other.orders),
             AX_OK);
    CHECK_EQ(ax_experiment_models_search(at->experiments, ctx, &other, &second.json), AX_INVALID);
    CHECK(tracking_case_fails(ctx, "Order by in the page token does not match"));
    search.base.results_max = 5;
    ax_json_begin_object(&second.json);
    CHECK_EQ(ax_experiment_models_search(at->experiments, ctx, &search, &second.json), AX_OK);
    ax_json_end_object(&second.json);
    CHECK(!tracking_case_says(&second, "next_page_token"));
    CHECK(tracking_case_says(&second, "\"info\""));
}

TEST(a_page_token_goes_on_with_its_own_search)
{
    tracking_case_run(paging);
}

static ax_status
swept(struct ax_ctx *ctx, struct tracking_case *at, int run)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    static const struct ax_experiment_pair pair = {{"k", 1}, {"v", 1}};
    const struct ax_experiment_model_new made = {.experiment_id = AX_STR("0"),
                                                 .name = AX_STR("m"),
                                                 .model_type = AX_STR(""),
                                                 .source_run_id = AX_STR(""),
                                                 .params = {&pair, 1},
                                                 .tags = {&pair, 1}};
    (void)run;
    AX_TRY(ax_experiment_model_create(at->experiments, ctx, &made, &json));
    return text.status != AX_OK ? ax_fail(ctx, text.status, "no memory") : AX_OK;
}

static void
swept_after(struct ax_ctx *ctx, struct tracking_case *at, int run, ax_status status)
{
    (void)run;
    int64_t models = tracking_case_count(ctx, at, "select count(*) from logged_models");
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from logged_model_tags"), models);
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from logged_model_params"), models);
    CHECK(status != AX_OK || models > 0);
}

static void
sweep(struct ax_ctx *, struct tracking_case *at)
{
    tracking_case_sweep(at, swept, swept_after);
}

TEST(a_logged_model_is_made_whole_or_not_at_all)
{
    tracking_case_run(sweep);
}
