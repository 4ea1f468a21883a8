/*
 * Logged models: what a run made and put among the artifacts, before anybody registers it.
 */
#pragma once

#include "mlops/experiment_metric.h"

struct ax_experiment_model_new {
    ax_str experiment_id;
    ax_str name; /* "": made up */
    ax_str model_type;
    ax_str source_run_id;
    struct ax_experiment_pairs params, tags;
    ax_str id;          /* of an import; "": a new one */
    int64_t created_ms; /* of an import; 0: now */
};

/* The model as an object: {"info":{..},"data":{..}}; its status is LOGGED_MODEL_PENDING. */
ax_status ax_experiment_model_create(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                     const struct ax_experiment_model_new *made,
                                     struct ax_json_writer *out);

/* Fails: NOT_FOUND, also when it is deleted and deleted ones are not wanted. */
ax_status ax_experiment_model_show(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                   ax_str id, bool deleted_too, struct ax_json_writer *out);

/* status: "LOGGED_MODEL_READY" and so on. Shows the model. */
ax_status ax_experiment_model_finish(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                     ax_str id, ax_str status, struct ax_json_writer *out);

ax_status ax_experiment_model_delete(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                     ax_str id);

ax_status ax_experiment_model_set_tags(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                       ax_str id, const struct ax_experiment_pairs *tags);
ax_status ax_experiment_model_delete_tag(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                         ax_str id, ax_str key);
ax_status ax_experiment_model_log_params(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                         ax_str id, const struct ax_experiment_pairs *params);

/* Where its files are. */
ax_status ax_experiment_model_artifact_uri(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                           ax_str id, ax_str *out_uri);

/* Where the files are of the model that the same run logged under this name with suffix behind;
 * "" when there is none. */
ax_status ax_experiment_model_beside(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id,
                                     const char *suffix, ax_str *out_uri);
/* The experiment it is of. Fails: NOT_FOUND. */
ax_status ax_experiment_model_experiment(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                         ax_str id, ax_str *out_experiment_id);

/* Notes in its tag mlflow.modelVersions that a version was made of it; in the caller's tx. */
ax_status ax_experiment_model_note_version(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id,
                                           ax_str name, int64_t version);

struct ax_experiment_model_search {
    struct ax_experiment_search base; /* order_by is not used */
    struct ax_search_orders orders;
    const struct ax_experiment_pair *datasets; /* name and digest ("": any) of a metric it has */
    size_t dataset_count;
};

/* {"models":[..],"next_page_token"?}: members of an object the caller has begun. */
ax_status ax_experiment_models_search(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                      const struct ax_experiment_model_search *search,
                                      struct ax_json_writer *out);
