#include "mlops/webhook_delivery.h"

#include "tracking_case.h"

/* A port where nobody listens. */
#define NOBODY "http://127.0.0.1:9/hook"

TEST(signatures_are_those_of_mlflow)
{
    /* hmac.new(b"secret", b"id-1.1700000000.{}", sha256), base64 */
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    const struct ax_webhook_message message = {
        .secret = AX_STR("secret"), .id = AX_STR("id-1"), .body = AX_STR("{}")};
    ax_str signature = AX_STR("");
    CHECK_EQ(ax_webhook_sign(&ctx, &message, AX_STR("1700000000"), &signature), AX_OK);
    CHECK_STR(signature, "v1,INeKoTJf3oA0gkbf9o9zzhF1HmUVFbZjUB3nz8nalnc=");
}

/* A webhook that nobody hears, and a change to tell it of. */
static struct ax_webhooks_config
make(struct ax_ctx *ctx, struct tracking_case *at, int64_t attempts_max)
{
    const struct ax_webhooks_config config = {.store = at->base.store,
                                              .allow_http = true,
                                              .allow_private = true,
                                              .attempts_max = attempts_max,
                                              .timeout_ms = 1000,
                                              .keep_days = 7};
    static const struct ax_webhook_event event = {{"registered_model", 16}, {"created", 7}};
    TRACKING_CASE_SHOWN(shown);
    const struct ax_webhook_change made = {
        .name = AX_STR("hook"), .url = AX_STR(NOBODY), .events = &event, .event_count = 1};
    const struct ax_registered_model_new model = {.name = AX_STR("credit"),
                                                  .description = AX_STR("")};
    CHECK_EQ(ax_webhook_create(&config, ctx, &made, &shown.json), AX_OK);
    CHECK_EQ(ax_registered_model_create(at->registry, ctx, &model, &shown.json), AX_OK);
    return config;
}

static void
retries(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_webhooks_config config = make(ctx, at, 2);
    size_t count = 0;
    CHECK_EQ(ax_webhook_deliver(&config, ctx, 10, &count), AX_OK);
    CHECK_EQ(count, 1);
    CHECK_EQ(tracking_case_count(ctx, at,
                                 "select count(*) from webhook_deliveries where state = "
                                 "'waiting' and attempts = 1 and error <> '' and answer = 0"),
             1);
    CHECK_EQ(ax_webhook_deliver(&config, ctx, 10, &count), AX_OK);
    CHECK_EQ(count, 0); /* not due yet */
    directory_case_script(ctx, &at->base, "update webhook_deliveries set due_ms = 0");
    CHECK_EQ(ax_webhook_deliver(&config, ctx, 10, &count), AX_OK);
    CHECK_EQ(tracking_case_count(ctx, at,
                                 "select count(*) from webhook_deliveries where state = 'failed' "
                                 "and attempts = 2 and done_ms is not null"),
             1);
    directory_case_script(ctx, &at->base, "update webhook_deliveries set due_ms = 0");
    CHECK_EQ(ax_webhook_deliver(&config, ctx, 10, &count), AX_OK); /* it is old now */
    CHECK_EQ(tracking_case_count(ctx, at, "select count(*) from webhook_deliveries"), 0);
}

TEST(a_delivery_is_tried_again_and_given_up_at_last)
{
    tracking_case_run(retries);
}

static void
guarded(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_webhooks_config config = make(ctx, at, 5);
    size_t count = 0;
    config.allow_private = false; /* what was allowed when it was made counts no more */
    CHECK_EQ(ax_webhook_deliver(&config, ctx, 10, &count), AX_OK);
    CHECK_EQ(tracking_case_count(ctx, at,
                                 "select count(*) from webhook_deliveries where state = 'failed' "
                                 "and error like '%non-public%'"),
             1);
}

TEST(what_is_not_allowed_is_not_called)
{
    tracking_case_run(guarded);
}

static void
disabled(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_webhooks_config config = make(ctx, at, 5);
    size_t count = 0;
    directory_case_script(ctx, &at->base, "update webhooks set status = 'DISABLED'");
    CHECK_EQ(ax_webhook_deliver(&config, ctx, 10, &count), AX_OK);
    CHECK_EQ(tracking_case_count(ctx, at,
                                 "select count(*) from webhook_deliveries where state = 'dropped'"),
             1);
}

TEST(a_webhook_that_was_switched_off_gets_nothing_more)
{
    tracking_case_run(disabled);
}
