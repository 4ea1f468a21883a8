/*
 * An MLflow database moved over: experiments, runs, metrics with their history, registry, files.
 *
 * The database is read as MLflow 2 and 3 keep it, in SQLite or PostgreSQL, and everything is
 * written by the same functions that clients' calls go through, under the identities it had. Doing
 * it again changes nothing, so after a crash it is done again from the run that was reached last.
 * At the end what was written is read back and held against the source, run by run. Offline: nobody
 * else serves the folder meanwhile.
 *
 * Source: MLflow's tables (mlflow/store/tracking/dbmodels/models.py, model_registry alike).
 */
#pragma once

#include "mlops/artifacts.h"
#include "mlops/experiment.h"
#include "mlops/model_registry.h"

struct ax_tracking_import_counts {
    uint64_t experiments, runs, metrics, params, tags, datasets, logged_models;
    uint64_t registered_models, versions, aliases;
    uint64_t files, file_bytes;
    uint64_t runs_skipped; /* done before the run that a checkpoint names */
    uint64_t runs_checked; /* read back and the same */
    uint64_t differences;  /* runs that are not */
    uint64_t problems;     /* what could not be taken over, said by on_problem */
};

struct ax_tracking_import { /* all kept for the call */
    struct ax_store *source;
    struct ax_experiments *experiments;
    struct ax_registry *registry;
    struct ax_artifacts *artifacts;
    ax_str folder;     /* where MLflow's server kept proxied artifacts; "": they are not copied */
    bool has_files;    /* all files are here already: the database is a server's mirror */
    ax_str checkpoint; /* file that says how far it came; gone at the end */
    void (*on_progress)(void *arg, const char *what, uint64_t done, uint64_t total);
    void (*on_problem)(void *arg, ax_str words);
    void *arg;
};

/*
 * Fails: CONFLICT when an experiment of the target is another one; UNSUPPORTED when the source is
 * no MLflow database; as the stores.
 */
ax_status ax_tracking_import(const struct ax_tracking_import *import, struct ax_ctx *ctx,
                             struct ax_tracking_import_counts *out_counts);
