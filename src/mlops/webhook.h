/*
 * Webhooks: whom the registry tells of its changes, as MLflow 3 has them.
 *
 * A change and the deliveries that follow from it are one transaction (ax_webhook_note): one row a
 * webhook that asked for the event. They are sent by webhook_delivery.h. Workers only.
 *
 * Source: MLflow's webhooks (mlflow/webhooks/types.py, protos/webhooks.proto).
 */
#pragma once

#include "mlops/experiment.h"

struct ax_webhooks_config { /* kept */
    struct ax_store *store;
    ax_str secret_key;    /* KEYS/webhook.key: seals secrets (webhook_secret.h) */
    bool allow_http;      /* URLs besides https */
    bool allow_private;   /* receivers in this house */
    int64_t attempts_max; /* of one delivery */
    int64_t timeout_ms;   /* of one attempt */
    int64_t keep_days;    /* of deliveries that are done, as a log */
};

enum { AX_WEBHOOK_RESULTS_MAX = 1000 };

struct ax_webhook_event { /* "model_version", "created" */
    ax_str entity, action;
};

/* What a webhook is made of, or changed to: a text whose `at` is NULL is left as it is. */
struct ax_webhook_change {
    ax_str name, description, url, secret;
    ax_str status; /* "ACTIVE" or "DISABLED" */
    const struct ax_webhook_event *events;
    size_t event_count;
};

/* The webhook as an object: {"webhook_id","name",..,"events":[{"entity","action"}],"status"}. */
ax_status ax_webhook_create(const struct ax_webhooks_config *config, struct ax_ctx *ctx,
                            const struct ax_webhook_change *made, struct ax_json_writer *out);
ax_status ax_webhook_show(const struct ax_webhooks_config *config, struct ax_ctx *ctx, ax_str id,
                          struct ax_json_writer *out);
ax_status ax_webhook_update(const struct ax_webhooks_config *config, struct ax_ctx *ctx, ax_str id,
                            const struct ax_webhook_change *change, struct ax_json_writer *out);
ax_status ax_webhook_delete(const struct ax_webhooks_config *config, struct ax_ctx *ctx, ax_str id);

/* {"webhooks":[..],"next_page_token"?}: members of an object the caller has begun. */
ax_status ax_webhooks_list(const struct ax_webhooks_config *config, struct ax_ctx *ctx,
                           int64_t results_max, ax_str page_token, struct ax_json_writer *out);

/* What happened to its newest deliveries: {"deliveries":[{"delivery_id","event","state",..}]}. */
ax_status ax_webhook_show_deliveries(const struct ax_webhooks_config *config, struct ax_ctx *ctx,
                                     ax_str id, struct ax_json_writer *out);

enum ax_webhook_about {
    AX_WEBHOOK_MODEL,         /* created */
    AX_WEBHOOK_VERSION,       /* created */
    AX_WEBHOOK_MODEL_TAG,     /* of prompts alone: set, deleted */
    AX_WEBHOOK_VERSION_TAG,   /* set, deleted */
    AX_WEBHOOK_VERSION_ALIAS, /* created, deleted */
};

struct ax_webhook_fact {
    enum ax_webhook_about about;
    const char *action;
    ax_str model;
    int64_t version;                    /* 0: none */
    struct ax_experiment_pair tag;      /* key: also of an alias */
    ax_str description, source, run_id; /* of what was created */
    const struct ax_experiment_pairs *tags;
};

/* In the caller's transaction. A prompt's facts are told as prompts. */
ax_status ax_webhook_note(struct ax_store_tx *tx, struct ax_ctx *ctx,
                          const struct ax_webhook_fact *fact);

/* {"entity","action","timestamp","data"} of an example, as MLflow's test sends it. */
ax_status ax_webhook_example(struct ax_ctx *ctx, const struct ax_webhook_event *event,
                             ax_str *out_body);

/* A random identity of 36 characters. */
ax_status ax_webhook_new_id(struct ax_ctx *ctx, ax_str *out_id);

ax_status ax_webhook_missing(struct ax_ctx *ctx, ax_str id);

/* Fails: INVALID unless the URL may be called. */
ax_status ax_webhook_check_url(const struct ax_webhooks_config *config, struct ax_ctx *ctx,
                               ax_str url);
