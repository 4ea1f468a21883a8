/*
 * A tracking source copied into MLflow's own tables: experiments, runs, metrics with their history,
 * datasets, logged models, registry; and its files into a folder.
 *
 * One idea: the tables are MLflow's, so one piece of code both brings a server's contents to where
 * an import reads them (tracking_import.h) and fills the database of an MLflow that is to take
 * over. A run is one transaction, files are put in place whole: what was cut goes on with what is
 * missing. In the end every run is asked for again and held against what was written.
 *
 * What a source cannot tell is not there afterwards: logged models and versions that were deleted,
 * traces, users and permissions, webhooks. Nobody else writes to the database meanwhile.
 *
 * Source: MLflow's tables (mlflow/store/tracking/dbmodels/models.py, model_registry alike).
 */
#pragma once

#include "mlops/tracking_import.h"
#include "mlops/tracking_source.h"

struct ax_tracking_mirror { /* all kept for the call */
    struct ax_tracking_source *source;
    struct ax_store *to;
    bool folders_too; /* fetches what the source keeps in folders of its machine, run by run */

    /* Where files go; NULL: nowhere. has_file: whether one of these bytes is there already. */
    ax_status (*has_file)(void *arg, struct ax_ctx *ctx, ax_str path, int64_t bytes, bool *out);
    ax_status (*put_file)(void *arg, struct ax_ctx *ctx, ax_str path, ax_str from);
    ax_str scratch; /* file that a download is made in, and put_file is given */

    void (*on_progress)(void *arg, const char *what, uint64_t done, uint64_t total);
    void (*on_problem)(void *arg, ax_str words);
    void *arg, *files; /* of the two above, and of has_file and put_file */
};

/* The tables as far as they are filled, in a SQLite database that has them not yet. */
ax_status ax_tracking_mirror_tables(struct ax_ctx *ctx, struct ax_store *store);

/*
 * Whether a database is one that MLflow made and nobody has used.
 * Fails: UNSUPPORTED (no such database), CONFLICT (it holds something).
 */
ax_status ax_tracking_mirror_check_unused(struct ax_ctx *ctx, struct ax_store *store);

/* Fails: as the source, the database and the files. What is wrong in itself is told and left. */
ax_status ax_tracking_mirror(const struct ax_tracking_mirror *mirror, struct ax_ctx *ctx,
                             struct ax_tracking_import_counts *out_counts);
