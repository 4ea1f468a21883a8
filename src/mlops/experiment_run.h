/*
 * Runs: attempts with parameters, metrics, tags, inputs and outputs.
 *
 * A batch is one transaction: all of it is there, or nothing. A parameter is said once; saying the
 * same again is fine, another value is refused. What is written to a deleted run is refused.
 */
#pragma once

#include "mlops/experiment_metric.h"

struct ax_run_new {
    ax_str experiment_id;
    ax_str user_id;
    ax_str name; /* "": from the tag mlflow.runName, or made up */
    int64_t start_ms;
    struct ax_experiment_pairs tags;
    ax_str id; /* of an import; "": a new one */
};

/* The run as an object: {"info":{..},"data":{..},"inputs":{..},"outputs":{..}}. */
ax_status ax_run_create(struct ax_experiments *experiments, struct ax_ctx *ctx,
                        const struct ax_run_new *made, struct ax_json_writer *out);
ax_status ax_run_show(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                      struct ax_json_writer *out);

struct ax_run_change { /* what is unset stays */
    ax_str status;     /* "FINISHED"; "" */
    bool ends;
    int64_t end_ms;
    ax_str name; /* "" */
};

/* The run's info as an object. */
ax_status ax_run_update(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                        const struct ax_run_change *change, struct ax_json_writer *out);

/* Softly; what is so already stays so. */
ax_status ax_run_delete(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id);
ax_status ax_run_restore(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id);

ax_status ax_run_delete_tag(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                            ax_str key);

struct ax_run_batch {
    struct ax_metrics_logged metrics;
    struct ax_experiment_pairs params;
    struct ax_experiment_pairs tags;
};

/* What a client logs, one thing or many. */
ax_status ax_run_log(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                     const struct ax_run_batch *batch);

struct ax_run_dataset {
    ax_str name, digest, source_type, source;
    ax_str schema, profile; /* at is NULL when unset */
    struct ax_experiment_pairs tags;
};

struct ax_run_models { /* ids of logged models, each with the step of an output */
    const struct ax_run_model {
        ax_str id;
        int64_t step;
    } * items;
    size_t count;
};

struct ax_run_inputs {
    const struct ax_run_dataset *datasets;
    size_t dataset_count;
    struct ax_run_models models;
};

ax_status ax_run_log_inputs(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                            const struct ax_run_inputs *inputs);
ax_status ax_run_log_outputs(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                             const struct ax_run_models *models);

/* Appends a JSON object to the list in the tag mlflow.log-model.history. */
ax_status ax_run_log_model(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                           const struct ax_json *model);

/* Where its artifacts are, active or not. */
ax_status ax_run_artifact_uri(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                              ax_str *out_uri);

/* {"runs":[..],"next_page_token"?}: members of an object the caller has begun. */
ax_status ax_runs_search(struct ax_experiments *experiments, struct ax_ctx *ctx,
                         const struct ax_experiment_search *search, struct ax_json_writer *out);

/* Keys of the first results_max runs that a search finds, in its order; in ctx->arena. */
struct ax_run_keys;
ax_status ax_runs_find(struct ax_store_tx *tx, struct ax_ctx *ctx,
                       const struct ax_experiment_search *search, struct ax_run_keys *out_keys);

/* {"dataset_summaries":[{"experiment_id","name","digest","context"?}..]}, as a member. */
ax_status ax_runs_datasets(struct ax_experiments *experiments, struct ax_ctx *ctx,
                           const ax_str *experiment_ids, size_t experiment_count,
                           struct ax_json_writer *out);

/* ---- showing several runs: experiment_run_show.c ---- */

#define AX_RUN_COLUMNS                                                                             \
    "r.key, r.revision, r.id, r.experiment_id, r.name, r.user_id, r.status, r.start_ns, "          \
    "r.end_ns, r.artifact_uri, r.lifecycle_stage"

/* The experiment that a run is of. Fails: NOT_FOUND. */
ax_status ax_run_experiment(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                            ax_str *out_experiment_id);

struct ax_run_row {   /* texts in ctx->arena */
    int64_t key;      /* what all that belongs to the run is kept by */
    int64_t revision; /* raised by every write to the run */
    ax_str id, experiment_id, name, user_id, status, artifact_uri, stage;
    int64_t start_ns, end_ns; /* end_ns: INT64_MIN when it has not ended */
};

struct ax_run_row ax_run_read(struct ax_store_rows *rows);

/* The info of a run as an object. */
void ax_run_show_info(const struct ax_run_row *run, struct ax_json_writer *out);

struct ax_run_keys {
    const int64_t *items;
    size_t count;
};

/*
 * Runs as objects with all that belongs to them, in the order of the keys. One that is gone
 * meanwhile is none: a reader sees one state.
 */
enum { AX_RUNS_AT_ONCE = 64 };
ax_status ax_runs_show(struct ax_store_tx *tx, struct ax_ctx *ctx, struct ax_run_cache *cache,
                       const struct ax_run_keys *runs, struct ax_json_writer *out);
