#include "mlops/registered_version.h"

#include "tracking_case.h"

static void
make_model_named(struct ax_ctx *ctx, struct tracking_case *at, const char *name)
{
    TRACKING_CASE_SHOWN(shown);
    const struct ax_registered_model_new made = {.name = ax_str_of(name),
                                                 .description = AX_STR("")};
    CHECK_EQ(ax_registered_model_create(at->registry, ctx, &made, &shown.json), AX_OK);
}

static void
make_model(struct ax_ctx *ctx, struct tracking_case *at)
{
    make_model_named(ctx, at, "credit");
}

static ax_status
create_of(struct ax_ctx *ctx, struct tracking_case *at, const char *model, const char *source,
          ax_str run, struct ax_json_writer *out)
{
    const struct ax_registered_version_new made = {.model = ax_str_of(model),
                                                   .source = ax_str_of(source),
                                                   .description = AX_STR(""),
                                                   .run_id = run,
                                                   .run_link = AX_STR(""),
                                                   .logged_model_id = AX_STR("")};
    return ax_registered_version_create(at->registry, ctx, &made, out);
}

static ax_status
create(struct ax_ctx *ctx, struct tracking_case *at, const char *source, ax_str run,
       struct ax_json_writer *out)
{
    return create_of(ctx, at, "credit", source, run, out);
}

static void
sources(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const struct {
        const char *source;
        bool with_run;
        ax_status want;
    } cases[] = {
        {"s3://b/m", false, AX_OK},
        {"mlflow-artifacts:/0/x/artifacts/m", false, AX_OK},
        {"runs:/abc/model", false, AX_OK},
        {"/etc/passwd", false, AX_INVALID},
        {"/etc/passwd", true, AX_INVALID},
        {"file:///etc", true, AX_INVALID},
        {"relative", true, AX_INVALID},
        {"/files/0/run/artifacts/m", true, AX_OK},
        {"file:///files/0/run/artifacts/m", true, AX_OK},
        {"/files/0/run/artifacts", true, AX_OK},
        {"/files/0/run/artifacts2", true, AX_INVALID},
        {"file:///files/0/run/artifacts/m/..", true, AX_OK},
        {"/files/0/run/artifacts/./m//n/.", true, AX_OK},
        {"/files/0/run/artifacts/m/../..", true, AX_INVALID},
        {"files/0/run/artifacts", true, AX_INVALID},
        {"/files/0/run/artifacts/../../x", true, AX_INVALID},
        {"/files/0/run/artifacts/%2e%2e/x", true, AX_INVALID},
        {"/files/0/run/artifacts/%252e%252e/x", true, AX_INVALID},
        {"s3://b/../m", false, AX_INVALID},
        {"s3://b/%252e%252e/m", false, AX_INVALID},
        {"models:/credit/1", false, AX_OK},
        {"models:/credit/99", false, AX_INVALID},
        {"models:/m-none", false, AX_INVALID},
    };
    ax_str run = tracking_case_make_run(ctx, at, "r");
    make_model(ctx, at);
    directory_case_script(ctx, &at->base,
                          "update runs set artifact_uri = '/files/0/run/artifacts'");
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        TRACKING_CASE_SHOWN(shown);
        ax_status status =
            create(ctx, at, cases[i].source, cases[i].with_run ? run : AX_STR(""), &shown.json);
        if (status != cases[i].want)
            ax_test_failed(__FILE__, __LINE__, "%s: %s", cases[i].source, ax_status_name(status));
    }
    ax_str uri = AX_STR("");
    int64_t newest = tracking_case_count(ctx, at, "select max(version) from model_versions");
    CHECK_EQ(ax_registered_version_location(at->registry, ctx, AX_STR("credit"), newest, &uri),
             AX_OK);
    CHECK_STR(uri, "s3://b/m"); /* of models:/credit/1 */
}

TEST(sources_do_not_lead_out_of_their_run)
{
    tracking_case_run(sources);
}

static void
life(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_registry *registry = at->registry;
    ax_str model = AX_STR("credit"), stage = AX_STR("");
    static const struct ax_experiment_pair tag = {{"x", 1}, {"y", 1}};
    make_model(ctx, at);
    for (int i = 0; i < 3; i++) {
        TRACKING_CASE_SHOWN(shown);
        CHECK_EQ(create(ctx, at, "s3://b/m", AX_STR(""), &shown.json), AX_OK);
        CHECK(tracking_case_says(&shown, "\"current_stage\":\"None\""));
    }
    CHECK_EQ(ax_registered_version_stage(ctx, AX_STR("sTAGING"), &stage), AX_OK);
    CHECK_STR(stage, "Staging");
    CHECK_EQ(ax_registered_version_stage(ctx, AX_STR("bogus"), &stage), AX_INVALID);
    static const struct {
        struct ax_registered_version_move move;
        ax_status want;
        const char *stages; /* of 1, 2 and 3 afterwards */
    } moves[] = {
        {{{"credit", 6}, 1, {"Staging", 7}, false}, AX_OK, "Staging None None"},
        {{{"credit", 6}, 2, {"Staging", 7}, true}, AX_OK, "Archived Staging None"},
        {{{"credit", 6}, 2, {"None", 4}, true}, AX_INVALID, "Archived Staging None"},
        {{{"credit", 6}, 9, {"None", 4}, false}, AX_NOT_FOUND, "Archived Staging None"},
        {{{"credit", 6}, 3, {"Production", 10}, false}, AX_OK, "Archived Staging Production"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(moves); i++) {
        TRACKING_CASE_SHOWN(shown);
        CHECK_EQ(ax_registered_version_transition(registry, ctx, &moves[i].move, &shown.json),
                 moves[i].want);
        char sql[256];
        snprintf(sql, sizeof sql,
                 "select count(*) from model_versions a, model_versions b, model_versions c where "
                 "a.version = 1 and b.version = 2 and c.version = 3 and a.stage || ' ' || b.stage "
                 "|| ' ' || c.stage = '%s'",
                 moves[i].stages);
        CHECK_EQ(tracking_case_count(ctx, at, sql), 1);
    }
    CHECK_EQ(ax_registered_version_set_tag(registry, ctx, model, 2, tag), AX_OK);
    CHECK_EQ(ax_registered_version_set_tag(registry, ctx, model, 9, tag), AX_NOT_FOUND);
    TRACKING_CASE_SHOWN(shown);
    int64_t updated = tracking_case_count(ctx, at, "select updated_ns from models");
    CHECK_EQ(ax_registered_version_describe(registry, ctx, model, 2, AX_STR("words"), &shown.json),
             AX_OK);
    CHECK_EQ(tracking_case_count(ctx, at, "select updated_ns from models"), updated);
    CHECK(tracking_case_says(&shown, "\"description\":\"words\""));
    CHECK(tracking_case_says(&shown, "\"tags\":[{\"key\":\"x\",\"value\":\"y\"}]"));
    CHECK_EQ(ax_registered_version_delete_tag(registry, ctx, model, 2, AX_STR("none")), AX_OK);
    TRACKING_CASE_SHOWN(latest);
    const ax_str wanted[] = {AX_STR("staging"), AX_STR("Archived")};
    ax_json_begin_object(&latest.json);
    CHECK_EQ(ax_registered_version_latest(registry, ctx, model, wanted, 2, &latest.json), AX_OK);
    ax_json_end_object(&latest.json);
    const struct ax_json *json = NULL;
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&latest.text), NULL, &json), AX_OK);
    CHECK_EQ(ax_json_count(ax_json_find(json, "model_versions")), 2);
    CHECK_EQ(ax_registered_version_latest(registry, ctx, AX_STR("x"), wanted, 0, &latest.json),
             AX_NOT_FOUND);
    CHECK_EQ(ax_registered_version_delete(registry, ctx, model, 3), AX_OK);
    CHECK_EQ(ax_registered_version_delete(registry, ctx, model, 3), AX_NOT_FOUND);
    TRACKING_CASE_SHOWN(next);
    CHECK_EQ(create(ctx, at, "s3://b/m", AX_STR(""), &next.json), AX_OK);
    CHECK(tracking_case_says(&next, "\"version\":\"4\"")); /* a number is not given twice */
}

TEST(versions_are_staged_tagged_and_deleted)
{
    tracking_case_run(life);
}

static void
unvalidated(struct ax_ctx *ctx, struct tracking_case *at)
{
    TRACKING_CASE_SHOWN(shown);
    TRACKING_CASE_SHOWN(inventory);
    struct ax_version_record record = {};
    struct ax_bundle bundle;
    make_model(ctx, at);
    CHECK_EQ(create(ctx, at, "s3://b/m", AX_STR(""), &shown.json), AX_OK);
    CHECK_EQ(ax_registry_version(at->registry, ctx, NULL, AX_STR("credit"), 1, &record), AX_OK);
    CHECK_EQ(record.state, AX_VERSION_REGISTERED);
    CHECK_STR(record.format, "mlflow");
    CHECK_STR(record.developer, "dana");
    CHECK_EQ(ax_registry_show_version(at->registry, ctx, AX_STR("credit"), 1, &inventory.json),
             AX_OK);
    CHECK(tracking_case_says(&inventory, "\"source\":\"s3://b/m\""));
    CHECK(ax_registry_bundle(at->registry, ctx, NULL, &record, &bundle) != AX_OK);
    const struct ax_registered_version_move move = {AX_STR("credit"), 1, AX_STR("Production"),
                                                    false};
    CHECK_EQ(ax_registered_version_transition(at->registry, ctx, &move, &shown.json), AX_DENIED);
}

TEST(r1_a_version_enters_the_inventory_unvalidated)
{
    tracking_case_run_with(unvalidated, true);
}

static void
searching(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const struct {
        const char *filter;
        int count;
    } cases[] = {
        {"", 3},
        {"name = 'credit'", 3},
        {"run_id = 'run'", 1},
        {"run_id IN ('run','x')", 1},
        {"version_number > 1", 2},
        {"source_path LIKE '%second'", 1},
        {"tags.x = 'y'", 1},
    };
    static const struct ax_experiment_pair tag = {{"x", 1}, {"y", 1}};
    TRACKING_CASE_SHOWN(shown);
    make_model(ctx, at);
    CHECK_EQ(create(ctx, at, "s3://b/first", AX_STR("run"), &shown.json), AX_OK);
    CHECK_EQ(create(ctx, at, "s3://b/second", AX_STR(""), &shown.json), AX_OK);
    CHECK_EQ(create(ctx, at, "s3://b/third", AX_STR(""), &shown.json), AX_OK);
    CHECK_EQ(ax_registered_version_set_tag(at->registry, ctx, AX_STR("credit"), 2, tag), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        TRACKING_CASE_SHOWN(found);
        const struct ax_json *json = NULL;
        const struct ax_experiment_search search = {
            .filter = ax_str_of(cases[i].filter), .results_max = 10, .page_token = AX_STR("")};
        ax_json_begin_object(&found.json);
        CHECK_EQ(ax_registered_versions_search(at->registry, ctx, &search, &found.json), AX_OK);
        ax_json_end_object(&found.json);
        CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&found.text), NULL, &json), AX_OK);
        if ((int)ax_json_count(ax_json_find(json, "model_versions")) != cases[i].count)
            ax_test_failed(__FILE__, __LINE__, "%s: %.*s", cases[i].filter,
                           AX_FMT(ax_writer_str(&found.text)));
    }
}

TEST(versions_are_searched)
{
    tracking_case_run(searching);
}

/* Two models with two versions each, made in turn. */
static void
ordering(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const struct {
        const char *order; /* NULL: none is asked for */
        const char *want;
    } cases[] = {
        {NULL, "b2 a2 b1 a1 "},
        {"version_number DESC", "a2 b2 a1 b1 "},
        {"creation_timestamp ASC", "a1 b1 a2 b2 "},
        {"name DESC", "b2 b1 a2 a1 "},
    };
    static const char *const models[] = {"a", "b", "a", "b"};
    make_model_named(ctx, at, "a");
    make_model_named(ctx, at, "b");
    for (size_t i = 0; i < AX_COUNT_OF(models); i++) {
        TRACKING_CASE_SHOWN(shown);
        CHECK_EQ(create_of(ctx, at, models[i], "s3://b/m", AX_STR(""), &shown.json), AX_OK);
    }
    directory_case_script(ctx, &at->base,
                          "update model_versions set created_ns = 1000000 * (version * 10 + case "
                          "model when 'a' then 0 else 1 end);"
                          "update model_versions set updated_ns = created_ns");
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        TRACKING_CASE_SHOWN(found);
        const struct ax_json *json = NULL;
        ax_str order = ax_str_of(cases[i].order ? cases[i].order : ""), told = AX_STR("");
        const struct ax_experiment_search search = {.filter = AX_STR(""),
                                                    .order_by = &order,
                                                    .order_count = cases[i].order ? 1 : 0,
                                                    .results_max = 10,
                                                    .page_token = AX_STR("")};
        ax_json_begin_object(&found.json);
        CHECK_EQ(ax_registered_versions_search(at->registry, ctx, &search, &found.json), AX_OK);
        ax_json_end_object(&found.json);
        CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&found.text), NULL, &json), AX_OK);
        struct ax_json_iter it = ax_json_iter_of(ax_json_find(json, "model_versions"));
        while (ax_json_next(&it)) {
            ax_str name = AX_STR(""), number = AX_STR("");
            CHECK(ax_json_text(ax_json_find(it.value, "name"), &name));
            CHECK(ax_json_text(ax_json_find(it.value, "version"), &number));
            told = ax_str_printf(ctx->arena, "%.*s%.*s%.*s ", AX_FMT(told), AX_FMT(name),
                                 AX_FMT(number));
        }
        CHECK_STR(told, cases[i].want);
    }
}

TEST(versions_of_one_rank_are_told_by_name)
{
    tracking_case_run(ordering);
}
