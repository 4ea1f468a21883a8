/*
 * The port of training: rows become a model file.
 *
 * A learner is a pure function of (training rows, validation rows, parameters, seed, threads):
 * the same input gives the same bytes, with the same library. It runs in a child process with
 * bounded time, memory and threads (ax_learner_run), so that a crash or a spinning library never
 * touches the server; the child is this same program, told to call ax_learner_child. What a good
 * model is, is not decided here.
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

    /*
     * Margins of the first training rows, by whoever made the model: xgboost itself, or the
     * numbers that went into the file. An engine that opens the file must answer these bits
     * (xgboost's are floats, widened); a model that does not is not the one that was trained.
     */
    const double *probe_margins;
    size_t probe_count; /* AX_LEARNER_PROBES_MAX, or all rows when there are fewer */
};

enum { AX_LEARNER_PROBES_MAX = 100 };

struct ax_learner_ops {
    const char *name;
    /* Fails: INVALID names the parameter or the column and says what was expected; LIMIT. */
    ax_status (*train)(struct ax_ctx *ctx, const struct ax_learner_input *input,
                       struct ax_learner_result *out_result);
};

/* "xgboost", "scorecard", "logistic"; NULL for a name nobody has. */
const struct ax_learner_ops *ax_learner_find(ax_str name);

/*
 * Trains in this process. Checks the rows first: labels, both classes, names, codes; 10,000
 * categories a column at most. Fails: NOT_FOUND (the learner), else as the learner.
 */
ax_status ax_learner_train(struct ax_ctx *ctx, ax_str name, const struct ax_learner_input *input,
                           struct ax_learner_result *out_result);

/* For learners: fills in the result's probes. margin(arg, row): the margin of a training row. */
ax_status ax_learner_probe(struct ax_ctx *ctx, const struct ax_frame *train,
                           double (*margin)(const void *arg, size_t row), const void *arg,
                           struct ax_learner_result *result);

/* ---- in a child process (learner_run.c) ---- */

struct ax_learner_run {
    const char *const *command; /* argv to which the job's path is added: {"axiom", "train-worker",
                                   NULL}; [0] is a path */
    ax_str learner;             /* name */
    ax_str folder;              /* for the job's files: new; removed again, however it went */
    int64_t timeout_ms;
    uint64_t memory_bytes_max; /* of the child's address space; 0 for none */
};

/*
 * Trains in a child process: OMP_WAIT_POLICY=passive, OMP_NUM_THREADS and OMP_THREAD_LIMIT set.
 * Blocks: a worker's work. Fails: as the learner (its words are passed on); CONFLICT when the
 * folder exists; TIMEOUT; INTERNAL when the child dies, with the end of what it said.
 */
ax_status ax_learner_run(struct ax_ctx *ctx, const struct ax_learner_run *run,
                         const struct ax_learner_input *input,
                         struct ax_learner_result *out_result);

/*
 * The child's side: reads the job, trains, writes the model and the result beside it.
 * The program calls it for the hidden verb train-worker and exits 0 when it says AX_OK, else 1.
 */
ax_status ax_learner_child(struct ax_ctx *ctx, ax_str job_path);
