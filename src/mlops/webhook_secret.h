/*
 * Secrets of webhooks at rest: AES-256-GCM under a key that lies outside the data directory.
 *
 * Who has the database alone cannot sign. A secret is bound to its webhook's id, so that nobody
 * moves one to a webhook of theirs; it is in clear only while a delivery is signed. Programs on one
 * database need the same key. Workers only.
 */
#pragma once

#include "mlops/webhook.h"

/* As it is kept: "1:" and base64 of the sealed secret; "" stays "". In ctx->arena. */
ax_status ax_webhook_secret_seal(const struct ax_webhooks_config *config, struct ax_ctx *ctx,
                                 ax_str webhook_id, ax_str secret, ax_str *out_sealed);

/*
 * The secret again, in ctx->arena: wipe it. Fails: NOT_FOUND (no key), CORRUPT when it was changed,
 * or sealed for another webhook or under another key.
 */
ax_status ax_webhook_secret_open(const struct ax_webhooks_config *config, struct ax_ctx *ctx,
                                 ax_str webhook_id, ax_str sealed, ax_str *out_secret);

/* Seals what an older version left in clear; nothing to do the next time. */
ax_status ax_webhook_secret_seal_old(const struct ax_webhooks_config *config, struct ax_ctx *ctx);
