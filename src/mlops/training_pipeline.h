/*
 * From a dataset version to a registered version of a model.
 *
 * The learner runs in a child process with bounded time, memory and threads (learner/learner.h).
 * What comes back is measured on the held-out rows, wrapped into a bundle with the tables it was
 * trained by, its reference population and its self-test, and registered with its lineage. A run
 * is a row and a fact, also when it failed. Workers only.
 */
#pragma once

#include "mlops/datasets.h"
#include "mlops/model_registry.h"

struct ax_training;

struct ax_training_config { /* kept */
    struct ax_store *store;
    struct ax_registry *registry;
    struct ax_datasets *datasets;
    const char *const *command; /* argv of the child: {"/usr/bin/axiom", "train-worker", NULL} */
    ax_str folder;              /* for the files of running jobs */
    int64_t timeout_ms;
    int64_t memory_bytes_max;
    int64_t thread_count_max;
};

ax_status ax_training_open(struct ax_ctx *ctx, const struct ax_training_config *config,
                           struct ax_training **out_training);
void ax_training_close(struct ax_training *training);
AX_DEFINE_AUTO(struct ax_training, ax_training_close);

/*
 * Trains and registers.
 *
 * task: {"model", "dataset", "dataset_version"?, "learner": "xgboost"|"scorecard"|"logistic",
 * "parameters"?: {..}, "seed"?, "reference"?: {"method","rows","cutoff"}, "description"?}.
 * out: {"run_id","model","version","digest","learner","metrics":{"held_out":{"auc":{"value","low",
 * "high","n"},...}},"seconds"}.
 * Fails: INVALID, NOT_FOUND, TIMEOUT, as the learner; the failed run is recorded.
 */
ax_status ax_training_run(struct ax_training *training, struct ax_ctx *ctx,
                          const struct ax_json *task, struct ax_json_writer *out);

ax_status ax_training_show(struct ax_training *training, struct ax_ctx *ctx, ax_str run_id,
                           struct ax_json_writer *out);
