/*
 * The port of training: rows become a model file.
 *
 * A learner is a pure function of (training rows, validation rows, parameters, seed): the same
 * input gives the same bytes. It runs in a child process with bounded time, memory and threads
 * (ax_learner_run), so that a crash or a spinning library never touches the server; the child is
 * this same program, told to call ax_learner_child. What a good model is, is not decided here.
 */
#pragma once

#include "base/writer.h"
#include "codec/json.h"
#include "numeric/frame.h"

/* What a learner is given beside rows. */
struct ax_learner_input {
    const struct ax_frame *train;      /* with labels */
    const struct ax_frame *validation; /* with labels; may be NULL: no early stopping */
    const struct ax_json
        *parameters; /* an object; names and bounds are the learner's; may be NULL */
    uint64_t seed;
    int thread_count;
};

/* A trained model. All in ctx->arena. */
struct ax_learner_result {
    ax_str model;   /* the file */
    ax_str format;  /* "xgboost-ubjson", "axiom.scorecard", "axiom.linear": the engine's words */
    ax_str library; /* who made it: "xgboost 1.7.4", "axiom 0.1.0" */
    ax_str report;  /* a JSON object: parameters as used, rounds, bins, coefficients, ... */
};

struct ax_learner_ops {
    const char *name;
    /* Fails: INVALID names the parameter or the column and says what was expected; LIMIT. */
    ax_status (*train)(struct ax_ctx *ctx, const struct ax_learner_input *input,
                       struct ax_learner_result *out_result);
};

/* "xgboost", "scorecard", "logistic"; NULL for a name nobody has. */
const struct ax_learner_ops *ax_learner_find(ax_str name);

/* Trains in this process. Checks the rows (labels, both classes, columns). */
ax_status ax_learner_train(struct ax_ctx *ctx, ax_str name, const struct ax_learner_input *input,
                           struct ax_learner_result *out_result);

struct ax_learner_run {
    const char *const *command; /* argv to which the job's path is added: {"axiom", "train-child",
                                   NULL}; [0] is a path */
    ax_str learner;             /* name */
    ax_str folder;              /* for the job's files; made, and removed again when it went well */
    int64_t timeout_ms;
    uint64_t memory_bytes_max; /* of the child's address space; 0 for none */
};

/*
 * Trains in a child process: OMP_WAIT_POLICY=passive, OMP_NUM_THREADS bounded.
 * Blocks: a worker's work. Fails: as the learner (its words are passed on), TIMEOUT; INTERNAL when
 * the child dies; folder then keeps job and rows for a look.
 */
ax_status ax_learner_run(struct ax_ctx *ctx, const struct ax_learner_run *run,
                         const struct ax_learner_input *input,
                         struct ax_learner_result *out_result);

/*
 * The child's side: reads the job, trains, writes the model and the result beside it.
 * The program calls it for the verb train-child and exits 0 when it says AX_OK, else 1.
 */
ax_status ax_learner_child(struct ax_ctx *ctx, ax_str job_path);
