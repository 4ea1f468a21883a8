#include "mlops/webhook.h"

#include "mlops/webhook_delivery.h"
#include "tracking_case.h"

static const struct ax_webhook_event all[] = {
    {{"registered_model", 16}, {"created", 7}},    {{"MODEL_VERSION", 13}, {"CREATED", 7}},
    {{"model_version_tag", 17}, {"set", 3}},       {{"model_version_tag", 17}, {"deleted", 7}},
    {{"model_version_alias", 19}, {"created", 7}}, {{"model_version_alias", 19}, {"deleted", 7}},
};

static struct ax_webhooks_config
config_of(struct tracking_case *at)
{
    return (struct ax_webhooks_config){
        .store = at->base.store, .attempts_max = 3, .timeout_ms = 1000, .keep_days = 7};
}

static ax_status
make(struct ax_ctx *ctx, const struct ax_webhooks_config *config, const char *name, const char *url)
{
    TRACKING_CASE_SHOWN(shown);
    const struct ax_webhook_change made = {.name = ax_str_of(name),
                                           .url = ax_str_of(url),
                                           .events = all,
                                           .event_count = AX_COUNT_OF(all)};
    AX_TRY(ax_webhook_create(config, ctx, &made, &shown.json));
    return shown.text.status == AX_OK ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory");
}

static void
refusals(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const struct {
        const char *name, *url;
        bool http, private;
        ax_status want;
        const char *says;
    } cases[] = {
        {"ok", "https://example.com/x", false, false, AX_OK, ""},
        {"a b", "https://example.com/x", false, false, AX_INVALID, "Webhook name 'a b' is invalid"},
        {"-a", "https://example.com/x", false, false, AX_INVALID, "is invalid"},
        {"", "https://example.com/x", false, false, AX_INVALID, "is invalid"},
        {"a", " ", false, false, AX_INVALID, "cannot be empty or just whitespace"},
        {"a", "http://example.com", false, false, AX_INVALID,
         "Invalid webhook URL scheme: 'http'. Allowed schemes are: 'https'."},
        {"a", "http://example.com", true, false, AX_OK, ""},
        {"a", "ftp://example.com", true, true, AX_INVALID, "scheme"},
        {"a", "https://u:p@example.com", false, false, AX_INVALID, "credentials"},
        {"a", "https://127.0.0.1/x", false, false, AX_INVALID, "non-public IP address"},
        {"a", "https://169.254.169.254/x", false, false, AX_INVALID, "non-public IP address"},
        {"a", "https://localhost:1/x", false, false, AX_INVALID, "non-public IP address"},
        {"a", "https://localhost:1/x", false, true, AX_OK, ""},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_webhooks_config config = config_of(at);
        config.allow_http = cases[i].http;
        config.allow_private = cases[i].private;
        ax_status status = make(ctx, &config, cases[i].name, cases[i].url);
        if (status != cases[i].want)
            ax_test_failed(__FILE__, __LINE__, "%s: %s", cases[i].url, ctx->error);
        if (status != AX_OK)
            CHECK(tracking_case_fails(ctx, cases[i].says));
    }
}

TEST(a_webhook_is_called_in_the_open_and_over_tls_only)
{
    tracking_case_run(refusals);
}

static void
facts(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_webhooks_config config = config_of(at);
    static const struct ax_experiment_pair prompt = {{"mlflow.prompt.is_prompt", 23}, {"true", 4}};
    static const struct ax_experiment_pair tag = {{"k", 1}, {"v", 1}};
    TRACKING_CASE_SHOWN(shown);
    struct ax_registered_model_new credit = {.name = AX_STR("credit"), .description = AX_STR("")};
    struct ax_registered_model_new words = {
        .name = AX_STR("words"), .description = AX_STR(""), .tags = {&prompt, 1}};
    const struct ax_registered_version_new version = {.model = credit.name,
                                                      .source = AX_STR("s3://b/m"),
                                                      .description = AX_STR(""),
                                                      .run_id = AX_STR(""),
                                                      .run_link = AX_STR(""),
                                                      .logged_model_id = AX_STR("")};
    CHECK_EQ(make(ctx, &config, "hook", "https://example.com/x"), AX_OK);
    CHECK_EQ(ax_registered_model_create(at->registry, ctx, &credit, &shown.json), AX_OK);
    CHECK_EQ(ax_registered_model_create(at->registry, ctx, &words, &shown.json), AX_OK);
    CHECK_EQ(ax_registered_version_create(at->registry, ctx, &version, &shown.json), AX_OK);
    CHECK_EQ(ax_registered_version_set_tag(at->registry, ctx, credit.name, 1, tag), AX_OK);
    CHECK_EQ(ax_registered_model_set_tag(at->registry, ctx, credit.name, tag), AX_OK);
    CHECK_EQ(ax_registered_model_set_alias(at->registry, ctx, credit.name, AX_STR("best"), 1),
             AX_OK);
    CHECK_EQ(ax_registered_model_set_alias(at->registry, ctx, credit.name, AX_STR("best"), 9),
             AX_NOT_FOUND);
    CHECK_EQ(ax_registered_model_delete_alias(at->registry, ctx, credit.name, AX_STR("best")),
             AX_OK);
    /* not told: the prompt, which nobody asked for, and the tag of a model */
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from webhook_deliveries"), 5);
    CHECK_EQ(tracking_case_count(
                 ctx, at,
                 "select count(*) from webhook_deliveries where event = 'model_version.created' "
                 "and body like '%\"data\":{\"name\":\"credit\",\"version\":\"1\",\"source\":"
                 "\"s3://b/m\",\"run_id\":null,\"tags\":{},\"description\":null}}'"),
             1);
    CHECK_EQ(tracking_case_count(
                 ctx, at,
                 "select count(*) from webhook_deliveries where event = 'model_version_tag.set' "
                 "and body like '%\"version\":\"1\",\"key\":\"k\",\"value\":\"v\"}}'"),
             1);
    CHECK_EQ(tracking_case_count(ctx, at,
                                 "select count(*) from webhook_deliveries where event = "
                                 "'model_version_alias.created' and body like "
                                 "'%{\"name\":\"credit\",\"alias\":\"best\",\"version\":\"1\"}}'"),
             1);
}

TEST(changes_of_the_registry_leave_deliveries_in_their_transaction)
{
    tracking_case_run(facts);
}

static void
change(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_webhooks_config config = config_of(at);
    TRACKING_CASE_SHOWN(shown);
    ax_str id = AX_STR("");
    CHECK_EQ(make(ctx, &config, "hook", "https://example.com/x"), AX_OK);
    CHECK_EQ(make(ctx, &config, "other", "https://example.com/y"), AX_OK);
    ax_json_begin_object(&shown.json);
    CHECK_EQ(ax_webhooks_list(&config, ctx, 1, AX_STR(""), &shown.json), AX_OK);
    ax_json_end_object(&shown.json);
    CHECK(tracking_case_says(&shown, "\"next_page_token\":\"1\""));
    const struct ax_json *json = NULL;
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&shown.text), NULL, &json), AX_OK);
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(json, "webhooks"));
    REQUIRE(ax_json_next(&it) && ax_json_text(ax_json_find(it.value, "webhook_id"), &id));
    const struct ax_webhook_change off = {.status = AX_STR("DISABLED")};
    const struct ax_webhook_change bad = {.status = AX_STR("off")};
    TRACKING_CASE_SHOWN(updated);
    CHECK_EQ(ax_webhook_update(&config, ctx, id, &bad, &updated.json), AX_INVALID);
    CHECK_EQ(ax_webhook_update(&config, ctx, id, &off, &updated.json), AX_OK);
    CHECK(tracking_case_says(&updated, "\"status\":\"DISABLED\""));
    CHECK(tracking_case_says(&updated, "{\"entity\":\"MODEL_VERSION\",\"action\":\"CREATED\"}"));
    CHECK_EQ(ax_webhook_delete(&config, ctx, id), AX_OK);
    CHECK_EQ(ax_webhook_delete(&config, ctx, id), AX_NOT_FOUND);
    CHECK(tracking_case_fails(ctx, "Webhook with ID"));
    CHECK_EQ(ax_webhook_show(&config, ctx, id, &updated.json), AX_NOT_FOUND);
    CHECK_EQ(ax_webhooks_list(&config, ctx, 0, AX_STR(""), &updated.json), AX_INVALID);
    CHECK_EQ(ax_webhooks_list(&config, ctx, 9, AX_STR("x"), &updated.json), AX_INVALID);
}

TEST(webhooks_are_listed_changed_and_deleted)
{
    tracking_case_run(change);
}

static ax_status
make_once(struct ax_ctx *ctx, struct tracking_case *at, int run)
{
    struct ax_webhooks_config config = config_of(at);
    (void)run;
    return make(ctx, &config, "hook", "https://example.com/x");
}

static void
after(struct ax_ctx *ctx, struct tracking_case *at, int run, ax_status status)
{
    (void)run;
    if (status == AX_OK)
        CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from webhooks"), 1);
    directory_case_script(ctx, &at->base, "delete from webhooks");
}

static void
faults(struct ax_ctx *ctx, struct tracking_case *at)
{
    (void)ctx;
    tracking_case_sweep(at, make_once, after);
}

TEST(a_webhook_is_made_whole_or_not_at_all)
{
    tracking_case_run(faults);
}
