#include "mlops/experiment.h"

#include "tracking_case.h"

static ax_status
create(struct ax_ctx *ctx, struct tracking_case *at, const char *name, const char *location)
{
    ax_str id;
    const struct ax_experiment_new made = {.name = ax_str_of(name),
                                           .artifact_location = ax_str_of(location)};
    return ax_experiment_create(at->experiments, ctx, &made, &id);
}

static void
making(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const struct {
        const char *name, *location;
        ax_status want;
        const char *says;
    } cases[] = {
        {"one", "", AX_OK, ""},
        {"one", "", AX_CONFLICT, "Experiment(name=one) already exists."},
        {"Default", "", AX_CONFLICT, "Experiment(name=Default)"},
        {"two", "s3://b/x?a=b", AX_OK, ""},
        {"three", "s3://b/x#y", AX_INVALID, "fragments"},
        {"three", "s3://b/x;y", AX_INVALID, "params"},
        {"three", "s3://b/x?a=../y", AX_INVALID, "Invalid query string: a=../y"},
        {"three", "runs:/a/b", AX_INVALID, "cannot be a runs:/ URI"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_status status = create(ctx, at, cases[i].name, cases[i].location);
        if (status != cases[i].want ||
            (status != AX_OK && !tracking_case_fails(ctx, cases[i].says)))
            ax_test_failed(__FILE__, __LINE__, "case %zu: %s", i, ax_status_name(status));
    }
    ax_str id = AX_STR(""), here = AX_STR(""), uri = AX_STR("");
    CHECK_EQ(ax_experiment_artifact_uri(ctx, AX_STR("s3://b/x"), AX_STR("r"), &uri), AX_OK);
    CHECK_STR(uri, "s3://b/x/r/artifacts");
    CHECK_EQ(ax_experiment_artifact_uri(ctx, AX_STR("db://b/x/?a=b"), AX_STR("r"), &uri), AX_OK);
    CHECK_STR(uri, "db://b/x/r/artifacts?a=b");
    const struct ax_experiment_new beside = {.name = AX_STR("relative"),
                                             .artifact_location = AX_STR("files/of it")};
    TRACKING_CASE_SHOWN(where);
    CHECK_EQ(ax_experiment_create(at->experiments, ctx, &beside, &id), AX_OK);
    CHECK_EQ(ax_experiment_show(at->experiments, ctx, id, &where.json), AX_OK);
    CHECK_EQ(ax_file_absolute(ctx, AX_STR("files/of it"), &here), AX_OK);
    CHECK(tracking_case_says(&where, ax_str_c(ctx->arena, here)));
    char long_name[600];
    memset(long_name, 'x', sizeof long_name);
    long_name[501] = '\0';
    CHECK_EQ(create(ctx, at, long_name, ""), AX_INVALID);
    long_name[500] = '\0';
    CHECK_EQ(create(ctx, at, long_name, ""), AX_OK);
    TRACKING_CASE_SHOWN(shown);
    CHECK_EQ(ax_experiment_show(at->experiments, ctx, AX_STR("1"), &shown.json), AX_OK);
    CHECK(tracking_case_says(&shown, "\"artifact_location\":\"mlflow-artifacts:/1\""));
    CHECK_EQ(ax_experiment_show_named(at->experiments, ctx, AX_STR("two"), &shown.json), AX_OK);
    CHECK(tracking_case_says(&shown, "\"experiment_id\":\"2\""));
    CHECK_EQ(ax_experiment_show(at->experiments, ctx, AX_STR("9"), &shown.json), AX_NOT_FOUND);
    CHECK(tracking_case_fails(ctx, "No Experiment with id=9 exists"));
    CHECK_EQ(ax_experiment_show(at->experiments, ctx, AX_STR("x"), &shown.json), AX_INVALID);
    CHECK_EQ(ax_experiment_show_named(at->experiments, ctx, AX_STR("x"), &shown.json),
             AX_NOT_FOUND);
    CHECK(tracking_case_fails(ctx, "Could not find experiment with name 'x'"));
}

TEST(experiments_are_made_once_a_name)
{
    tracking_case_run(making);
}

static void
life(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_experiments *experiments = at->experiments;
    ax_str one = AX_STR("1");
    const struct ax_experiment_pair tag = {AX_STR("k"), AX_STR("v")};
    CHECK_EQ(create(ctx, at, "one", ""), AX_OK);
    CHECK_EQ(create(ctx, at, "two", ""), AX_OK);
    CHECK_EQ(ax_experiment_rename(experiments, ctx, one, AX_STR("two")), AX_CONFLICT);
    CHECK_EQ(ax_experiment_rename(experiments, ctx, one, AX_STR("three")), AX_OK);
    CHECK_EQ(ax_experiment_set_tag(experiments, ctx, one, tag), AX_OK);
    CHECK_EQ(ax_experiment_set_tag(experiments, ctx, AX_STR("7"), tag), AX_NOT_FOUND);
    CHECK_EQ(ax_experiment_delete_tag(experiments, ctx, one, AX_STR("x")), AX_NOT_FOUND);
    CHECK(tracking_case_fails(ctx, "No tag with name: x in experiment with id 1"));
    tracking_case_make_run(ctx, at, "run");
    directory_case_script(ctx, &at->base, "update runs set experiment_id = '1'");
    CHECK_EQ(ax_experiment_restore(experiments, ctx, one), AX_NOT_FOUND);
    CHECK_EQ(ax_experiment_delete(experiments, ctx, one), AX_OK);
    CHECK_EQ(ax_experiment_delete(experiments, ctx, one), AX_NOT_FOUND);
    CHECK_EQ(
        tracking_case_count(ctx, at, "select count(*) from runs where lifecycle_stage = 'deleted'"),
        1);
    CHECK_EQ(ax_experiment_rename(experiments, ctx, one, AX_STR("four")), AX_INVALID);
    CHECK_EQ(ax_experiment_set_tag(experiments, ctx, one, tag), AX_INVALID);
    CHECK(tracking_case_fails(ctx, "must be in the 'active' state"));
    CHECK_EQ(create(ctx, at, "three", ""), AX_CONFLICT); /* a deleted one keeps its name */
    CHECK_EQ(ax_experiment_restore(experiments, ctx, one), AX_OK);
    CHECK_EQ(tracking_case_count(ctx, at,
                                 "select count(*) from runs where lifecycle_stage = 'active' and "
                                 "deleted_ns is null"),
             1);
    TRACKING_CASE_SHOWN(shown);
    CHECK_EQ(ax_experiment_show(experiments, ctx, one, &shown.json), AX_OK);
    CHECK(tracking_case_says(&shown, "\"tags\":[{\"key\":\"k\",\"value\":\"v\"}]"));
    CHECK_EQ(ax_experiment_delete_tag(experiments, ctx, one, AX_STR("k")), AX_OK);
}

TEST(experiments_are_renamed_tagged_deleted_and_restored)
{
    tracking_case_run(life);
}

static void
keys(struct ax_ctx *ctx)
{
    static const char *const good[] = {"a", "a/b", "a b-c.d:e_f", "\xc3\xa4", "a..b", ".a"};
    static const char *const bad[] = {"",  ".",    "..",   "/a",  "a/",  "a//b", "a/../b",
                                      "#", "a\tb", "../a", "a/.", "a\n", "\xff", "a\\b"};
    for (size_t i = 0; i < AX_COUNT_OF(good); i++)
        CHECK_EQ(ax_experiment_check_key(ctx, ax_str_of(good[i]), "key"), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(bad); i++)
        if (ax_experiment_check_key(ctx, ax_str_of(bad[i]), "key") != AX_INVALID)
            ax_test_failed(__FILE__, __LINE__, "\"%s\" is taken", bad[i]);
    CHECK_EQ(ax_experiment_chars(AX_STR("a\xc3\xa4")), 2);
    CHECK_STR(ax_experiment_cut(AX_STR("a\xc3\xa4z"), 2), "a\xc3\xa4");
    int64_t ns;
    CHECK_EQ(ax_experiment_ns(ctx, INT64_MAX, &ns), AX_INVALID);
    CHECK_EQ(ax_experiment_ns(ctx, 5, &ns), AX_OK);
    CHECK_EQ(ns, 5'000'000);
}

TEST(keys_are_plain_paths)
{
    ax_test_with_ctx(keys);
}

static ax_str
found(struct ax_ctx *ctx, struct tracking_case *at, struct ax_experiment_search search)
{
    TRACKING_CASE_SHOWN(shown);
    ax_str out = AX_STR("");
    search.page_token = search.page_token.at ? search.page_token : AX_STR("");
    search.results_max = search.results_max ? search.results_max : 100;
    ax_json_begin_object(&shown.json);
    CHECK_EQ(ax_experiments_search(at->experiments, ctx, &search, &shown.json), AX_OK);
    ax_json_end_object(&shown.json);
    const struct ax_json *json = NULL;
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&shown.text), NULL, &json), AX_OK);
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(json, "experiments"));
    while (ax_json_next(&it)) {
        ax_str name = AX_STR("");
        CHECK(ax_json_text(ax_json_find(it.value, "name"), &name));
        out =
            ax_str_printf(ctx->arena, "%.*s%s%.*s", AX_FMT(out), out.len ? " " : "", AX_FMT(name));
    }
    return ax_json_find(json, "next_page_token") ? ax_str_printf(ctx->arena, "%.*s ..", AX_FMT(out))
                                                 : out;
}

static void
searching(struct ax_ctx *ctx, struct tracking_case *at)
{
    const ax_str by_name = AX_STR("name ASC");
    CHECK_EQ(create(ctx, at, "alpha", ""), AX_OK);
    CHECK_EQ(create(ctx, at, "beta", ""), AX_OK);
    CHECK_EQ(create(ctx, at, "gone", ""), AX_OK);
    CHECK_EQ(ax_experiment_delete(at->experiments, ctx, AX_STR("3")), AX_OK);
    CHECK_EQ(ax_experiment_set_tag(at->experiments, ctx, AX_STR("1"),
                                   (struct ax_experiment_pair){AX_STR("t"), AX_STR("x")}),
             AX_OK);
    const struct ax_experiment_search ordered = {.order_by = &by_name, .order_count = 1};
    struct ax_experiment_search search = ordered;
    search.filter = AX_STR("");
    CHECK_STR(found(ctx, at, search), "Default alpha beta");
    search.view = AX_VIEW_DELETED;
    CHECK_STR(found(ctx, at, search), "gone");
    search.view = AX_VIEW_ALL;
    CHECK_STR(found(ctx, at, search), "Default alpha beta gone");
    search.filter = AX_STR("name LIKE '%eta'");
    CHECK_STR(found(ctx, at, search), "beta");
    search.filter = AX_STR("name ILIKE 'DE%'");
    CHECK_STR(found(ctx, at, search), "Default");
    search.filter = AX_STR("name LIKE 'DE%'");
    CHECK_STR(found(ctx, at, search), "");
    search.filter = AX_STR("tags.t = 'x' and name != 'beta'");
    CHECK_STR(found(ctx, at, search), "alpha");
    search.filter = AX_STR("tags.t IS NULL");
    search.results_max = 2;
    CHECK_STR(found(ctx, at, search), "Default beta ..");
    CHECK_EQ(ax_search_page_format(ctx, 2, &search.page_token), AX_OK);
    CHECK_STR(found(ctx, at, search), "gone");
}

TEST(experiments_are_searched)
{
    tracking_case_run(searching);
}

static ax_status
create_swept(struct ax_ctx *ctx, struct tracking_case *at, int run)
{
    char name[32];
    ax_str id;
    const struct ax_experiment_pair tag = {AX_STR("k"), AX_STR("v")};
    snprintf(name, sizeof name, "swept %d", run);
    const struct ax_experiment_new made = {
        .name = ax_str_of(name), .artifact_location = AX_STR(""), .tags = {&tag, 1}};
    return ax_experiment_create(at->experiments, ctx, &made, &id);
}

static void
create_after(struct ax_ctx *ctx, struct tracking_case *at, int run, ax_status status)
{
    (void)run;
    int64_t experiments = tracking_case_count(ctx, at, "select count(*) - 1 from experiments");
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from experiment_tags"), experiments);
    if (status == AX_OK)
        CHECK(experiments > 0);
}

static void
sweep(struct ax_ctx *, struct tracking_case *at)
{
    tracking_case_sweep(at, create_swept, create_after);
}

TEST(an_experiment_is_made_whole_or_not_at_all)
{
    tracking_case_run(sweep);
}
