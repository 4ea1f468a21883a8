#include "mlops/webhook_secret.h"

#include "mlops/webhook_delivery.h"
#include "tracking_case.h"

static struct ax_webhooks_config
config_of(struct ax_ctx *ctx, struct tracking_case *at, const char *key)
{
    return (struct ax_webhooks_config){
        .store = at->base.store,
        .secret_key = ax_str_printf(ctx->arena, "%s/keys/%s", at->base.folder, key),
        .allow_http = true,
        .allow_private = true,
        .attempts_max = 3,
        .timeout_ms = 1000,
        .keep_days = 7};
}

static void
sealing(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_webhooks_config config = config_of(ctx, at, "webhook.key");
    struct ax_webhooks_config other = config_of(ctx, at, "other.key");
    ax_str sealed = {}, again = {}, secret = {};
    const ax_str id = AX_STR("id-1"), words = AX_STR("a secret");
    CHECK_EQ(ax_webhook_secret_seal(&config, ctx, id, AX_STR(""), &sealed), AX_OK);
    CHECK_STR(sealed, "");
    CHECK(!ax_file_exists(config.secret_key)); /* nothing to seal, no key */
    CHECK_EQ(ax_webhook_secret_open(&config, ctx, id, sealed, &secret), AX_OK);
    CHECK_STR(secret, "");
    CHECK_EQ(ax_webhook_secret_seal(&config, ctx, id, words, &sealed), AX_OK);
    CHECK_EQ(ax_webhook_secret_seal(&config, ctx, id, words, &again), AX_OK);
    CHECK(!ax_str_eq(sealed, again)); /* a nonce of its own each time */
    CHECK_EQ(ax_webhook_secret_open(&config, ctx, id, sealed, &secret), AX_OK);
    CHECK_STR(secret, "a secret");
    CHECK_EQ(ax_webhook_secret_open(&config, ctx, AX_STR("id-2"), sealed, &secret), AX_CORRUPT);
    CHECK_EQ(ax_webhook_secret_open(&other, ctx, id, sealed, &secret), AX_NOT_FOUND);
    CHECK(!ax_file_exists(other.secret_key)); /* another key would open nothing */
    CHECK_EQ(ax_webhook_secret_seal(&other, ctx, id, words, &again), AX_OK);
    CHECK_EQ(ax_webhook_secret_open(&other, ctx, id, sealed, &secret), AX_CORRUPT);
    CHECK(tracking_case_fails(ctx, "set it anew"));
    static const char *const broken[] = {"1:", "1:!!", "2:AAAA", "a secret", "1:QUJD"};
    for (size_t i = 0; i < AX_COUNT_OF(broken); i++)
        CHECK_EQ(ax_webhook_secret_open(&config, ctx, id, ax_str_of(broken[i]), &secret),
                 AX_CORRUPT);
    CHECK_STR(secret, "");
    const ax_str large = {AX_NEW_ARRAY(ctx->arena, char, 1 << 17), 1 << 17};
    CHECK_EQ(ax_webhook_secret_seal(&config, ctx, id, large, &sealed), AX_INVALID);
}

TEST(r92_a_webhooks_secret_is_sealed_to_its_key_and_its_webhook)
{
    tracking_case_run(sealing);
}

/* ---- in the database ---- */

static ax_str
make(struct ax_ctx *ctx, const struct ax_webhooks_config *config, const char *secret)
{
    static const struct ax_webhook_event event = {{"registered_model", 16}, {"created", 7}};
    TRACKING_CASE_SHOWN(shown);
    const struct ax_webhook_change made = {.name = AX_STR("hook"),
                                           .url = AX_STR("http://127.0.0.1:9/hook"),
                                           .secret = ax_str_of(secret),
                                           .events = &event,
                                           .event_count = 1};
    const struct ax_json *json = NULL;
    ax_str id = AX_STR("");
    CHECK_EQ(ax_webhook_create(config, ctx, &made, &shown.json), AX_OK);
    CHECK_EQ(ax_json_parse(ctx, ax_writer_str(&shown.text), NULL, &json), AX_OK);
    CHECK_EQ(ax_json_need_text(ctx, json, "webhook_id", &id), AX_OK);
    return id;
}

/* What stands in the database for the newest webhook. */
static ax_str
kept(struct ax_ctx *ctx, struct tracking_case *at, ax_str id)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows = NULL;
    ax_str sealed = AX_STR("");
    CHECK_EQ(ax_store_begin(at->base.store, ctx, AX_STORE_READ, &tx), AX_OK);
    CHECK_EQ(ax_store_query(tx, ctx,
                            AX_STR("select sealed from webhooks where id = $1 and secret = ''"),
                            AX_STORE_PARAMS(ax_store_text(id)), &rows),
             AX_OK);
    if (ax_store_next(rows))
        sealed = ax_store_read_text(rows, 0);
    CHECK_EQ(ax_store_finish(rows), AX_OK);
    return sealed;
}

static void
at_rest(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_webhooks_config config = config_of(ctx, at, "webhook.key");
    ax_str id = make(ctx, &config, "first"), secret = {}, before = kept(ctx, at, id);
    TRACKING_CASE_SHOWN(shown);
    const struct ax_webhook_change renamed = {.name = AX_STR("other")};
    const struct ax_webhook_change changed = {.secret = AX_STR("second")};
    const struct ax_webhook_change none = {.secret = AX_STR("")};
    CHECK_EQ(ax_webhook_secret_open(&config, ctx, id, before, &secret), AX_OK);
    CHECK_STR(secret, "first");
    CHECK_EQ(ax_webhook_update(&config, ctx, id, &renamed, &shown.json), AX_OK);
    CHECK(ax_str_eq(kept(ctx, at, id), before));
    CHECK_EQ(ax_webhook_update(&config, ctx, id, &changed, &shown.json), AX_OK);
    CHECK_EQ(ax_webhook_secret_open(&config, ctx, id, kept(ctx, at, id), &secret), AX_OK);
    CHECK_STR(secret, "second");
    CHECK_EQ(ax_webhook_update(&config, ctx, id, &none, &shown.json), AX_OK);
    CHECK_STR(kept(ctx, at, id), "");
    ax_str gone = make(ctx, &config, "third");
    CHECK_EQ(ax_webhook_delete(&config, ctx, gone), AX_OK);
    CHECK_STR(kept(ctx, at, gone), "");
}

TEST(r92_a_webhooks_secret_is_never_at_rest_in_clear)
{
    tracking_case_run(at_rest);
}

/* A secret that cannot be unsealed is no reason to send without a signature. */
static void
foreign(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_webhooks_config config = config_of(ctx, at, "webhook.key");
    struct ax_webhooks_config other = config_of(ctx, at, "other.key");
    const struct ax_registered_model_new model = {.name = AX_STR("credit"),
                                                  .description = AX_STR("")};
    TRACKING_CASE_SHOWN(shown);
    TRACKING_CASE_SHOWN(tried);
    size_t count = 0;
    ax_str id = make(ctx, &config, "a secret");
    CHECK_EQ(ax_registered_model_create(at->registry, ctx, &model, &shown.json), AX_OK);
    CHECK_EQ(ax_webhook_deliver(&other, ctx, 1, &count), AX_OK);
    CHECK_EQ(tracking_case_count(ctx, at,
                                 "select count(*) from webhook_deliveries where state = 'waiting' "
                                 "and attempts = 1 and answer = 0 and error like '%other.key%'"),
             1);
    CHECK_EQ(ax_webhook_test(&other, ctx, id, NULL, &tried.json), AX_OK);
    CHECK(tracking_case_says(&tried, "\"success\":false"));
    CHECK(tracking_case_says(&tried, "other.key"));
}

TEST(a_secret_under_another_key_stops_the_delivery)
{
    tracking_case_run(foreign);
}

/* ---- what older versions left ---- */

static void
old_rows(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_webhooks_config config = config_of(ctx, at, "webhook.key");
    CHECK_EQ(ax_webhook_secret_seal_old(&config, ctx), AX_OK);
    CHECK(!ax_file_exists(config.secret_key));
    for (int i = 0; i < 250; i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
        struct ax_ctx step = ax_ctx_of(arena);
        char sql[256];
        snprintf(sql, sizeof sql,
                 "insert into webhooks (id, name, description, url, secret, status, events, "
                 "created_ms, updated_ms) values ('id-%d', 'n', '', 'https://e.com', '%s%d', "
                 "'ACTIVE', ',a.b,', 1, 1)",
                 i, i % 2 ? "secret " : "", i);
        directory_case_script(&step, &at->base, sql);
    }
    directory_case_script(ctx, &at->base, "update webhooks set secret = '' where id = 'id-4'");
    CHECK_EQ(ax_webhook_secret_seal_old(&config, ctx), AX_OK);
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from webhooks where secret <> ''"), 0);
    ax_str secret = {}, sealed = kept(ctx, at, AX_STR("id-249"));
    CHECK_EQ(ax_webhook_secret_open(&config, ctx, AX_STR("id-249"), sealed, &secret), AX_OK);
    CHECK_STR(secret, "secret 249");
    CHECK_STR(kept(ctx, at, AX_STR("id-4")), "");
    CHECK_EQ(ax_webhook_secret_seal_old(&config, ctx), AX_OK);
    CHECK(ax_str_eq(kept(ctx, at, AX_STR("id-249")), sealed)); /* once */
}

TEST(secrets_of_older_versions_are_sealed_at_the_start)
{
    tracking_case_run(old_rows);
}

/* With a fault a secret is as it was, or sealed: never lost, never half. */
static ax_status
seal_old_swept(struct ax_ctx *ctx, struct tracking_case *at, int run)
{
    char key[32];
    snprintf(key, sizeof key, "key%d", run);
    const struct ax_webhooks_config config = config_of(ctx, at, key);
    return config.secret_key.at ? ax_webhook_secret_seal_old(&config, ctx) : AX_LIMIT;
}

static void
after_seal_old(struct ax_ctx *ctx, struct tracking_case *at, int run, ax_status status)
{
    char key[32];
    ax_str sealed = kept(ctx, at, AX_STR("id-1")), secret = {};
    snprintf(key, sizeof key, "key%d", run);
    const struct ax_webhooks_config config = config_of(ctx, at, key);
    int64_t clear = tracking_case_count(
        ctx, at, "select count(*) from webhooks where secret = 'old' and sealed = ''");
    CHECK_EQ(clear + (sealed.len > 0), 1);
    CHECK(sealed.len > 0 || status != AX_OK);
    if (sealed.len) {
        CHECK_EQ(ax_webhook_secret_open(&config, ctx, AX_STR("id-1"), sealed, &secret), AX_OK);
        CHECK_STR(secret, "old");
    }
    directory_case_script(ctx, &at->base, "update webhooks set secret = 'old', sealed = ''");
}

static void
faults(struct ax_ctx *ctx, struct tracking_case *at)
{
    directory_case_script(ctx, &at->base,
                          "insert into webhooks (id, name, description, url, secret, status, "
                          "events, created_ms, updated_ms) values ('id-1', 'n', '', "
                          "'https://e.com', 'old', 'ACTIVE', ',a.b,', 1, 1)");
    tracking_case_sweep(at, seal_old_swept, after_seal_old);
}

TEST(an_old_secret_is_sealed_whole_or_not_at_all)
{
    tracking_case_run(faults);
}
