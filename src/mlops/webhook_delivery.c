#include "mlops/webhook_delivery.h"

#include "base/number.h"
#include "codec/text.h"
#include "mlops/webhook_secret.h"
#include "net/client.h"
#include "sys/clock.h"
#include "sys/crypto.h"

#define NS_PER_MS  INT64_C(1'000'000)
#define MS_PER_DAY INT64_C(86'400'000)

enum {
    WAIT_MS = 1'000,
    WAIT_MS_MAX = 3'600'000,
    LEASE_MS = 30'000, /* on top of the attempt's own time */
    ANSWER_BYTES_MAX = 64 << 10,
    ERROR_CHARS_MAX = 500,
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a delivery");
}

/* ---- one attempt ---- */

ax_status
ax_webhook_sign(struct ax_ctx *ctx, const struct ax_webhook_message *message, ax_str timestamp,
                ax_str *out_signature)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(128);
    ax_str content = ax_str_printf(ctx->arena, "%.*s.%.*s.%.*s", AX_FMT(message->id),
                                   AX_FMT(timestamp), AX_FMT(message->body));
    if (!content.at)
        return no_memory(ctx);
    ax_digest digest = ax_hmac_sha256(message->secret, content);
    ax_writer_text(&text, "v1,");
    ax_base64_encode((ax_str){(const char *)digest.bytes, sizeof digest.bytes}, &text);
    return ax_writer_take(&text, ctx->arena, out_signature) == AX_OK ? AX_OK : no_memory(ctx);
}

static ax_status
post(const struct ax_webhooks_config *config, struct ax_ctx *ctx,
     const struct ax_webhook_message *message, struct ax_client_answer *out_answer)
{
    ax_auto(ax_client_close) struct ax_client *client = NULL;
    const struct ax_client_config at = {.connect_ms = config->timeout_ms,
                                        .public_only = !config->allow_private};
    char digits[AX_NUMBER_BYTES_MAX];
    ax_str signature = AX_STR("");
    ax_str timestamp = {digits, ax_format_i64(ax_clock_real_ms() / 1000, digits)};
    AX_TRY(ax_webhook_check_url(config, ctx, message->url));
    if (message->secret.len)
        AX_TRY(ax_webhook_sign(ctx, message, timestamp, &signature));
    const struct ax_http_header headers[] = {
        {AX_STR("Content-Type"), AX_STR("application/json")},
        {AX_STR("X-MLflow-Delivery-Id"), message->id},
        {AX_STR("X-MLflow-Timestamp"), timestamp},
        {AX_STR("X-MLflow-Signature"), signature},
    };
    const struct ax_client_request request = {
        .method = AX_STR("POST"),
        .url = message->url,
        .headers = headers,
        .header_count = AX_COUNT_OF(headers) - (signature.len == 0),
        .body = message->body,
        .answer_bytes_max = ANSWER_BYTES_MAX,
    };
    struct ax_ctx bounded = *ctx;
    int64_t until_ns = ax_clock_monotonic_ns() + config->timeout_ms * NS_PER_MS;
    bounded.deadline_ns = until_ns < ctx->deadline_ns ? until_ns : ctx->deadline_ns;
    AX_TRY(ax_client_open(ctx, &at, &client));
    ax_status status = ax_client_send(client, &bounded, &request, out_answer);
    return status == AX_OK ? AX_OK : ax_fail(ctx, status, "%s", bounded.error);
}

/* The secret is in clear for as long as this takes. */
static ax_status
sign_and_post(const struct ax_webhooks_config *config, struct ax_ctx *ctx, ax_str webhook_id,
              ax_str sealed, struct ax_webhook_message *message,
              struct ax_client_answer *out_answer)
{
    AX_TRY(ax_webhook_secret_open(config, ctx, webhook_id, sealed, &message->secret));
    ax_status status = post(config, ctx, message, out_answer);
    ax_crypto_wipe((char *)(uintptr_t)message->secret.at, message->secret.len);
    return status;
}

/* ---- what is due ---- */

struct due {
    int64_t row, attempts;
    ax_str webhook_id, sealed;
    ax_str gone; /* why nothing is sent any more; "" */
    struct ax_webhook_message message;
};

static ax_status
next_due(const struct ax_webhooks_config *config, struct ax_ctx *ctx, struct due *out,
         bool *out_found)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(config->store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(
        tx, ctx,
        AX_STR("select d.id, d.attempts, d.webhook_id, d.delivery_id, d.body, w.url, w.sealed, "
               "case when w.deleted_ms is not null then 'the webhook was deleted' when w.status "
               "<> 'ACTIVE' then 'the webhook is disabled' else '' end from webhook_deliveries d "
               "join webhooks w on w.id = d.webhook_id where d.state = 'waiting' and d.due_ms <= "
               "$1 order by d.due_ms, d.id limit 1"),
        AX_STORE_PARAMS(ax_store_i64(ax_clock_real_ms())), &rows));
    *out_found = ax_store_next(rows);
    if (*out_found)
        *out = (struct due){.row = ax_store_read_i64(rows, 0),
                            .attempts = ax_store_read_i64(rows, 1),
                            .webhook_id = ax_store_read_text(rows, 2),
                            .message = {.id = ax_store_read_text(rows, 3),
                                        .body = ax_store_read_text(rows, 4),
                                        .url = ax_store_read_text(rows, 5)},
                            .sealed = ax_store_read_text(rows, 6),
                            .gone = ax_store_read_text(rows, 7)};
    return ax_store_finish(rows);
}

/* It is this program's until the lease ends; false when another was quicker. */
static ax_status
take(const struct ax_webhooks_config *config, struct ax_ctx *ctx, const struct due *due,
     bool *out_mine)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t changed;
    AX_TRY(ax_store_begin(config->store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("update webhook_deliveries set attempts = attempts + 1, due_ms = "
               "$3 where id = $1 and attempts = $2 and state = 'waiting'"),
        AX_STORE_PARAMS(ax_store_i64(due->row), ax_store_i64(due->attempts),
                        ax_store_i64(ax_clock_real_ms() + config->timeout_ms + LEASE_MS)),
        &changed));
    *out_mine = changed == 1;
    return ax_store_commit(ax_take(tx), ctx);
}

struct outcome {
    const char *state; /* "waiting": again later */
    int64_t answer, wait_ms;
    ax_str error;
};

static ax_status
note(const struct ax_webhooks_config *config, struct ax_ctx *ctx, const struct due *due,
     const struct outcome *outcome)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    bool done = !ax_str_eq(ax_str_of(outcome->state), AX_STR("waiting"));
    AX_TRY(ax_store_begin(config->store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("update webhook_deliveries set state = $2, answer = $3, error = $4, due_ms = $5, "
               "done_ms = $6 where id = $1"),
        AX_STORE_PARAMS(ax_store_i64(due->row), ax_store_text(ax_str_of(outcome->state)),
                        ax_store_i64(outcome->answer),
                        ax_store_text(ax_experiment_cut(outcome->error, ERROR_CHARS_MAX)),
                        ax_store_i64(ax_clock_real_ms() + outcome->wait_ms),
                        done ? ax_store_i64(ax_clock_real_ms()) : ax_store_null()),
        NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

/* One second, two, four ... or as long as the receiver asks for; an hour at most. */
static int64_t
wait_of(int64_t attempts, const struct ax_client_answer *answer)
{
    int64_t seconds = ax_client_retry_after_s(answer), wait = WAIT_MS;
    for (int64_t i = 0; i < attempts && wait < WAIT_MS_MAX; i++)
        wait *= 2;
    if (seconds >= 0 && seconds <= WAIT_MS_MAX / 1000)
        wait = seconds * 1000 > wait ? seconds * 1000 : wait;
    return wait < WAIT_MS_MAX ? wait : (int64_t)WAIT_MS_MAX;
}

static struct outcome
judge(const struct ax_webhooks_config *config, struct ax_ctx *ctx, const struct due *due,
      ax_status status, const struct ax_client_answer *answer)
{
    bool fine = status == AX_OK && answer->status < 400;
    bool again =
        status == AX_OK ? answer->status == 429 || answer->status >= 500 : status != AX_INVALID;
    struct outcome outcome = {.answer = answer->status, .error = AX_STR("")};
    if (status != AX_OK)
        outcome.error = ax_str_of(ctx->error);
    else if (!fine)
        outcome.error = answer->body;
    outcome.state = fine ? "sent" : "failed";
    if (!fine && again && due->attempts + 1 < config->attempts_max) {
        outcome.state = "waiting";
        outcome.wait_ms = wait_of(due->attempts, answer);
    }
    return outcome;
}

static ax_status
deliver(const struct ax_webhooks_config *config, struct ax_ctx *ctx, struct due *due)
{
    struct ax_client_answer answer = {};
    struct outcome outcome = {.state = "dropped", .error = due->gone};
    bool mine;
    AX_TRY(take(config, ctx, due, &mine));
    if (!mine)
        return AX_OK;
    if (due->gone.len == 0) {
        struct ax_ctx inside = *ctx;
        ax_status status =
            sign_and_post(config, &inside, due->webhook_id, due->sealed, &due->message, &answer);
        outcome = judge(config, &inside, due, status, &answer);
        return note(config, ctx, due, &outcome);
    }
    return note(config, ctx, due, &outcome);
}

static ax_status
forget(const struct ax_webhooks_config *config, struct ax_ctx *ctx)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t old, before = ax_clock_real_ms() - config->keep_days * MS_PER_DAY;
    const ax_store_params params = AX_STORE_PARAMS(ax_store_i64(before));
    AX_TRY(ax_store_begin(config->store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_get_i64(
        tx, ctx,
        AX_STR("select count(*) from webhook_deliveries where state <> 'waiting' and due_ms < $1"),
        params, &old));
    ax_store_rollback(ax_take(tx));
    if (old == 0)
        return AX_OK;
    AX_TRY(ax_store_begin(config->store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_run(
        tx, ctx, AX_STR("delete from webhook_deliveries where state <> 'waiting' and due_ms < $1"),
        params, NULL));
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_webhook_deliver(const struct ax_webhooks_config *config, struct ax_ctx *ctx, size_t count_max,
                   size_t *out_count)
{
    size_t count = 0;
    for (bool found = true; found && count < count_max;) {
        struct due due;
        AX_TRY(next_due(config, ctx, &due, &found));
        if (!found)
            break;
        AX_TRY(deliver(config, ctx, &due));
        count++;
    }
    *out_count = count;
    return forget(config, ctx);
}

/* ---- a test ---- */

/* The webhook's message and the first of its events. */
static ax_status
read_webhook(const struct ax_webhooks_config *config, struct ax_ctx *ctx, ax_str id,
             struct ax_webhook_message *out, ax_str *out_sealed, struct ax_webhook_event *out_first)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    ax_str events = AX_STR("");
    AX_TRY(ax_store_begin(config->store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(
        tx, ctx,
        AX_STR("select url, sealed, events from webhooks where id = $1 and deleted_ms is null"),
        AX_STORE_PARAMS(ax_store_text(id)), &rows));
    bool found = ax_store_next(rows);
    if (found) {
        out->url = ax_store_read_text(rows, 0);
        *out_sealed = ax_store_read_text(rows, 1);
        events = ax_str_from(ax_store_read_text(rows, 2), 1);
    }
    AX_TRY(ax_store_finish(rows));
    if (!found)
        return ax_webhook_missing(ctx, id);
    ax_str event = AX_STR("");
    (void)ax_str_cut(&events, ',', &event);
    out_first->action = event;
    (void)ax_str_cut(&out_first->action, '.', &out_first->entity);
    return AX_OK;
}

ax_status
ax_webhook_test(const struct ax_webhooks_config *config, struct ax_ctx *ctx, ax_str id,
                const struct ax_webhook_event *event, struct ax_json_writer *out)
{
    struct ax_webhook_message message;
    struct ax_webhook_event first;
    struct ax_client_answer answer = {};
    ax_str sealed = AX_STR("");
    AX_TRY(read_webhook(config, ctx, id, &message, &sealed, &first));
    AX_TRY(ax_webhook_example(ctx, event ? event : &first, &message.body));
    AX_TRY(ax_webhook_new_id(ctx, &message.id));
    ax_status status = sign_and_post(config, ctx, id, sealed, &message, &answer);
    if (status == AX_LIMIT)
        return status;
    ax_json_begin_object(out);
    ax_json_member_bool(out, "success", status == AX_OK && answer.status < 400);
    if (status == AX_OK) {
        ax_json_member_i64(out, "response_status", answer.status);
        ax_json_member_text(out, "response_body", answer.body);
    } else {
        ax_str words = ax_str_printf(ctx->arena, "Failed to test webhook: %s", ctx->error);
        ax_json_member_text(out, "error_message", words.at ? words : AX_STR("no memory"));
        ctx->error[0] = '\0';
    }
    ax_json_end_object(out);
    return AX_OK;
}
