#include "mlops/registered_model.h"

#include "tracking_case.h"

static ax_status
create(struct ax_ctx *ctx, struct tracking_case *at, const char *name)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    static const struct ax_experiment_pair tag = {{"k", 1}, {"v", 1}};
    const struct ax_registered_model_new made = {
        .name = ax_str_of(name), .description = AX_STR("d"), .tags = {&tag, 1}};
    AX_TRY(ax_registered_model_create(at->registry, ctx, &made, &json));
    return text.status != AX_OK ? ax_fail(ctx, text.status, "no memory") : AX_OK;
}

static ax_status
add_version(struct ax_ctx *ctx, struct tracking_case *at, const char *name)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const struct ax_registered_version_new made = {.model = ax_str_of(name),
                                                   .source = AX_STR("s3://b/m"),
                                                   .description = AX_STR(""),
                                                   .run_id = AX_STR(""),
                                                   .run_link = AX_STR(""),
                                                   .logged_model_id = AX_STR("")};
    AX_TRY(ax_registered_version_create(at->registry, ctx, &made, &json));
    return text.status != AX_OK ? ax_fail(ctx, text.status, "no memory") : AX_OK;
}

static void
making(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const struct {
        const char *name;
        ax_status want;
        const char *says;
    } cases[] = {
        {"credit", AX_OK, ""},
        {"credit", AX_CONFLICT, "Registered Model (name=credit) already exists."},
        {"a/b", AX_INVALID, "Invalid model name 'a/b'. Names cannot contain '/' or ':'."},
        {"a:b", AX_INVALID, "Names cannot contain"},
        {"..", AX_INVALID, "Names cannot contain"},
        {"  ", AX_INVALID, "cannot be empty"},
        {"with space", AX_OK, ""},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(create(ctx, at, cases[i].name), cases[i].want);
        if (cases[i].want != AX_OK)
            CHECK(tracking_case_fails(ctx, cases[i].says));
    }
    /* it is in the inventory, with an owner and a fact */
    TRACKING_CASE_SHOWN(shown);
    CHECK_EQ(ax_registry_show(at->registry, ctx, AX_STR("credit"), &shown.json), AX_OK);
    CHECK(tracking_case_says(&shown, "\"owner\":\"dana\""));
    CHECK(tracking_case_says(&shown, "\"origin\":\"mlflow\""));
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from outbox"), 2);
}

TEST(r1_a_registered_model_enters_the_inventory)
{
    tracking_case_run(making);
}

static void
changing(struct ax_ctx *ctx, struct tracking_case *at)
{
    ax_str name = AX_STR("credit"), other = AX_STR("debit");
    static const struct ax_experiment_pair tag = {{"x", 1}, {"y", 1}};
    CHECK_EQ(create(ctx, at, "credit"), AX_OK);
    CHECK_EQ(create(ctx, at, "taken"), AX_OK);
    CHECK_EQ(add_version(ctx, at, "credit"), AX_OK);
    CHECK_EQ(ax_registered_model_set_alias(at->registry, ctx, name, AX_STR("best"), 1), AX_OK);
    CHECK_EQ(ax_registered_model_set_tag(at->registry, ctx, name, tag), AX_OK);
    CHECK_EQ(ax_registered_model_set_tag(at->registry, ctx, other, tag), AX_NOT_FOUND);
    {
        TRACKING_CASE_SHOWN(shown);
        CHECK_EQ(
            ax_registered_model_describe(at->registry, ctx, name, AX_STR("new words"), &shown.json),
            AX_OK);
        CHECK(tracking_case_says(&shown, "\"description\":\"new words\""));
        CHECK_EQ(ax_registered_model_describe(at->registry, ctx, other, AX_STR("x"), &shown.json),
                 AX_NOT_FOUND);
        CHECK_EQ(ax_registered_model_rename(at->registry, ctx, name, AX_STR("taken"), &shown.json),
                 AX_CONFLICT);
        CHECK_EQ(ax_registered_model_rename(at->registry, ctx, other, AX_STR("n"), &shown.json),
                 AX_NOT_FOUND);
        CHECK_EQ(ax_registered_model_rename(at->registry, ctx, name, AX_STR("a/b"), &shown.json),
                 AX_INVALID);
    }
    TRACKING_CASE_SHOWN(shown);
    CHECK_EQ(ax_registered_model_rename(at->registry, ctx, name, other, &shown.json), AX_OK);
    CHECK(tracking_case_says(&shown, "\"name\":\"debit\""));
    CHECK(tracking_case_says(&shown, "\"latest_versions\":[{\"name\":\"debit\",\"version\":\"1\""));
    CHECK(tracking_case_says(&shown, "{\"key\":\"x\",\"value\":\"y\"}"));
    CHECK(tracking_case_says(&shown, "\"aliases\":[{\"alias\":\"best\",\"version\":\"1\"}]"));
    CHECK_EQ(add_version(ctx, at, "debit"), AX_OK);
    CHECK_EQ(tracking_case_count(ctx, at, "select max(version) from model_versions"), 2);
    CHECK_EQ(ax_registered_model_delete_tag(at->registry, ctx, other, AX_STR("none")), AX_OK);
    CHECK_EQ(ax_registered_model_delete(at->registry, ctx, other), AX_OK);
    CHECK_EQ(ax_registered_model_delete(at->registry, ctx, other), AX_NOT_FOUND);
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from model_versions"), 0);
}

TEST(registered_models_are_described_renamed_and_deleted)
{
    tracking_case_run(changing);
}

static void
aliases(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const struct {
        const char *alias;
        int64_t version;
        ax_status want;
        const char *says;
    } cases[] = {
        {"best", 1, AX_OK, ""},
        {"best", 2, AX_OK, ""},
        {"best", 9, AX_NOT_FOUND, "Model Version (name=credit, version=9) not found"},
        {"best", 0, AX_NOT_FOUND, "Model Version (name=credit, version=0) not found"},
        {"v1", 1, AX_INVALID, "Version alias name 'v1' is reserved."},
        {"Latest", 1, AX_INVALID, "'latest' alias name (case insensitive) is reserved."},
        {"a b", 1, AX_INVALID, "Invalid alias name: 'a b'."},
        {"vx", 1, AX_OK, ""},
    };
    int64_t version = 0;
    ax_str name = AX_STR("credit");
    CHECK_EQ(create(ctx, at, "credit"), AX_OK);
    CHECK_EQ(add_version(ctx, at, "credit"), AX_OK);
    CHECK_EQ(add_version(ctx, at, "credit"), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(ax_registered_model_set_alias(at->registry, ctx, name, ax_str_of(cases[i].alias),
                                               cases[i].version),
                 cases[i].want);
        if (cases[i].want != AX_OK)
            CHECK(tracking_case_fails(ctx, cases[i].says));
    }
    CHECK_EQ(ax_registered_model_alias(at->registry, ctx, name, AX_STR("best"), &version), AX_OK);
    CHECK_EQ(version, 2);
    CHECK_EQ(ax_registered_model_alias(at->registry, ctx, name, AX_STR("LATEST"), &version), AX_OK);
    CHECK_EQ(version, 2);
    CHECK_EQ(ax_registered_model_alias(at->registry, ctx, name, AX_STR("none"), &version),
             AX_INVALID);
    CHECK(tracking_case_fails(ctx, "Registered model alias none not found."));
    CHECK_EQ(ax_registered_model_alias(at->registry, ctx, AX_STR("x"), AX_STR("none"), &version),
             AX_NOT_FOUND);
    CHECK_EQ(ax_registered_model_delete_alias(at->registry, ctx, name, AX_STR("best")), AX_OK);
    CHECK_EQ(ax_registered_model_delete_alias(at->registry, ctx, name, AX_STR("best")), AX_OK);
}

TEST(aliases_point_at_versions)
{
    tracking_case_run(aliases);
}

/* What each alias means for a version in each state, where approval counts. */
static void
promotion(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const struct {
        const char *state, *alias;
        ax_status want;
    } cases[] = {
        {"registered", "best", AX_OK},     {"registered", "champion", AX_DENIED},
        {"registered", "PROD", AX_DENIED}, {"validated", "prod", AX_DENIED},
        {"failed", "prod", AX_DENIED},     {"retired", "prod", AX_DENIED},
        {"approved", "prod", AX_OK},       {"approved_restricted", "prod", AX_DENIED},
    };
    CHECK_EQ(create(ctx, at, "credit"), AX_OK);
    CHECK_EQ(add_version(ctx, at, "credit"), AX_OK);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        char sql[128];
        /* a restriction that has ended is none */
        snprintf(sql, sizeof sql, "update model_versions set state = '%s', until_ns = %s",
                 cases[i].state, strlen(cases[i].state) > 10 ? "1" : "null");
        directory_case_script(ctx, &at->base, sql);
        ax_status status = ax_registered_model_set_alias(at->registry, ctx, AX_STR("credit"),
                                                         ax_str_of(cases[i].alias), 1);
        if (status != cases[i].want)
            ax_test_failed(__FILE__, __LINE__, "%s as %s: %s", cases[i].state, cases[i].alias,
                           ax_status_name(status));
    }
    CHECK(tracking_case_fails(ctx, "not approved"));
}

TEST(r43_what_is_not_approved_is_not_put_into_production)
{
    tracking_case_run_with(promotion, true);
}

static void
advice(struct ax_ctx *ctx, struct tracking_case *at)
{
    CHECK_EQ(create(ctx, at, "credit"), AX_OK);
    CHECK_EQ(add_version(ctx, at, "credit"), AX_OK);
    int64_t facts = tracking_case_count(ctx, at, "select count(*) from outbox");
    CHECK_EQ(ax_registered_model_set_alias(at->registry, ctx, AX_STR("credit"), AX_STR("prod"), 1),
             AX_OK);
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from outbox"), facts + 1);
}

TEST(where_approval_is_advice_production_is_a_fact)
{
    tracking_case_run(advice);
}

static void
kept(struct ax_ctx *ctx, struct tracking_case *at)
{
    TRACKING_CASE_SHOWN(shown);
    ax_str name = AX_STR("credit");
    CHECK_EQ(create(ctx, at, "credit"), AX_OK);
    CHECK_EQ(add_version(ctx, at, "credit"), AX_OK);
    directory_case_script(ctx, &at->base, "update model_versions set state = 'validated'");
    CHECK_EQ(ax_registered_model_delete(at->registry, ctx, name), AX_DENIED);
    CHECK_EQ(ax_registered_model_rename(at->registry, ctx, name, AX_STR("x"), &shown.json),
             AX_DENIED);
    CHECK_EQ(ax_registered_version_delete(at->registry, ctx, name, 1), AX_DENIED);
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from model_versions"), 1);
}

TEST(r4_what_was_validated_is_kept)
{
    tracking_case_run(kept);
}

static ax_str
found(struct ax_ctx *ctx, struct tracking_case *at, const char *filter, int64_t results_max)
{
    TRACKING_CASE_SHOWN(shown);
    ax_str out = AX_STR(""), name = AX_STR("");
    const struct ax_json *json = NULL;
    const struct ax_experiment_search search = {
        .filter = ax_str_of(filter), .results_max = results_max, .page_token = AX_STR("")};
    ax_json_begin_object(&shown.json);
    CHECK_EQ(ax_registered_models_search(at->registry, ctx, &search, &shown.json), AX_OK);
    ax_json_end_object(&shown.json);
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&shown.text), NULL, &json), AX_OK);
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(json, "registered_models"));
    while (ax_json_next(&it)) {
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
    static const struct ax_experiment_pair prompt = {{"mlflow.prompt.is_prompt", 23}, {"true", 4}};
    static const char *const names[] = {"a", "b", "c", "p"};
    for (size_t i = 0; i < AX_COUNT_OF(names); i++)
        CHECK_EQ(create(ctx, at, names[i]), AX_OK);
    CHECK_EQ(ax_registered_model_set_tag(at->registry, ctx, AX_STR("p"), prompt), AX_OK);
    CHECK_STR(found(ctx, at, "", 10), "a b c");
    CHECK_STR(found(ctx, at, "", 2), "a b ..");
    CHECK_STR(found(ctx, at, "name = 'b'", 10), "b");
    CHECK_STR(found(ctx, at, "tags.k = 'v' and name != 'b'", 10), "a c");
    CHECK_STR(found(ctx, at, "tags.`mlflow.prompt.is_prompt` = 'true'", 10), "p");
    CHECK_STR(found(ctx, at, "tags.`mlflow.prompt.is_prompt` != 'true'", 10), "a b c");
    CHECK_STR(found(ctx, at, "tags.`mlflow.prompt.is_prompt` = 'false'", 10), "a b c");
    CHECK_STR(found(ctx, at, "name != 'b' and tags.`mlflow.prompt.is_prompt` = 'false'", 10),
              "a c");
    CHECK_STR(found(ctx, at, "tags.`mlflow.prompt.is_prompt` != 'False'", 10), "p");
    CHECK_STR(found(ctx, at, "name = 'p' and tags.`mlflow.prompt.is_prompt` = 'True'", 10), "");
}

TEST(registered_models_are_searched)
{
    tracking_case_run(searching);
}

/* A prompt is a registered model with a tag, and takes its name from all others. */
static void
taken(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const struct {
        const char *name;
        bool prompt;
        const char *says; /* NULL: made */
    } cases[] = {
        {"model", false, NULL},
        {"prompt", true, NULL},
        {"model", false, "Registered Model (name=model) already exists."},
        {"prompt", true, "Prompt (name=prompt) already exists."},
        {"model", true,
         "Tried to create a prompt with name 'model', but the name is already taken by a "
         "registered model."},
        {"prompt", false,
         "Tried to create a registered model with name 'prompt', but the name is already taken by "
         "a prompt."},
    };
    static const struct ax_experiment_pair tag = {{"mlflow.prompt.is_prompt", 23}, {"true", 4}};
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        TRACKING_CASE_SHOWN(shown);
        const struct ax_registered_model_new made = {.name = ax_str_of(cases[i].name),
                                                     .description = AX_STR(""),
                                                     .tags = {&tag, cases[i].prompt ? 1 : 0}};
        ax_status status = ax_registered_model_create(at->registry, ctx, &made, &shown.json);
        CHECK_EQ(status, cases[i].says ? AX_CONFLICT : AX_OK);
        CHECK(!cases[i].says || tracking_case_fails(ctx, cases[i].says));
    }
}

TEST(a_prompt_and_a_model_do_not_share_a_name)
{
    tracking_case_run(taken);
}

static ax_status
swept(struct ax_ctx *ctx, struct tracking_case *at, int run)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    char name[32], other[32];
    snprintf(name, sizeof name, "swept %d", run);
    snprintf(other, sizeof other, "renamed %d", run);
    AX_TRY(create(ctx, at, name));
    AX_TRY(add_version(ctx, at, name));
    AX_TRY(ax_registered_model_set_alias(at->registry, ctx, ax_str_of(name), AX_STR("prod"), 1));
    AX_TRY(ax_registered_model_rename(at->registry, ctx, ax_str_of(name), ax_str_of(other), &json));
    AX_TRY(ax_registered_model_delete(at->registry, ctx, ax_str_of(other)));
    return text.status != AX_OK ? ax_fail(ctx, text.status, "no memory") : AX_OK;
}

static void
swept_after(struct ax_ctx *ctx, struct tracking_case *at, int run, ax_status status)
{
    char sql[256];
    snprintf(sql, sizeof sql,
             "select count(*) from models where name in ('swept %d', 'renamed %d')", run, run);
    int64_t models = tracking_case_count(ctx, at, sql);
    CHECK(status == AX_OK ? models == 0 : models <= 1);
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from models"),
             tracking_case_count(ctx, at, "select count(*) from model_tags"));
    CHECK_EQ(tracking_case_count(ctx, at,
                                 "select count(*) from model_aliases a where not exists (select 1 "
                                 "from model_versions v where v.model = a.model)"),
             0);
}

static void
sweep(struct ax_ctx *, struct tracking_case *at)
{
    tracking_case_sweep(at, swept, swept_after);
}

TEST(a_registered_model_changes_whole_or_not_at_all)
{
    tracking_case_run(sweep);
}
