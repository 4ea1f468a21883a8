/*
 * Deliveries of webhooks: signed, sent at least once, again with growing waits when they fail.
 *
 * A delivery is taken by moving its due time before it is sent, so of several programs on one
 * database one sends it, and after a crash it is sent again. What came of it stays in its row. A
 * receiver knows a repeated one by its X-MLflow-Delivery-Id. Blocks: for a thread of its own.
 *
 * Source: MLflow's delivery (mlflow/webhooks/delivery.py), which follows Standard Webhooks.
 */
#pragma once

#include "mlops/webhook.h"

/*
 * Sends what is due, at most count_max, and forgets what is long done.
 * Fails: as the store; a receiver that fails is noted in the row.
 */
ax_status ax_webhook_deliver(const struct ax_webhooks_config *config, struct ax_ctx *ctx,
                             size_t count_max, size_t *out_count);

/*
 * Sends an example now, once. event: NULL for the webhook's first.
 * out: {"success","response_status"?,"response_body"?,"error_message"?}
 */
ax_status ax_webhook_test(const struct ax_webhooks_config *config, struct ax_ctx *ctx, ax_str id,
                          const struct ax_webhook_event *event, struct ax_json_writer *out);

struct ax_webhook_message {
    ax_str url, secret, id, body;
};

/* "v1,<base64 of HMAC-SHA256 over id.timestamp.body>", in ctx->arena. */
ax_status ax_webhook_sign(struct ax_ctx *ctx, const struct ax_webhook_message *message,
                          ax_str timestamp, ax_str *out_signature);
