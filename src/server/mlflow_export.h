/*
 * A data directory, or a running server, brought into the database of an MLflow that nobody has
 * used yet, and its files into a folder: the other way of mlflow_import.h.
 *
 * All work is done on a copy beside the database (FILE.part), which replaces it in one step when
 * everything was read back and is the same. An export that was cut goes on with that copy.
 */
#pragma once

#include "mlops/tracking_import.h"

struct ax_mlflow_export {
    ax_str from;      /* a data directory, held meanwhile, or "http://..." */
    ax_str to;        /* "sqlite:///mlflow.db" (relative) or "sqlite:////a/b" */
    ax_str artifacts; /* folder for what MLflow's --artifacts-destination will name; "" */
    ax_str authorization, ca_file; /* of a server: tracking_source_http.h; "" */
    void (*on_progress)(void *arg, const char *what, uint64_t done, uint64_t total);
    void (*on_problem)(void *arg, ax_str words);
    void *arg;
};

/*
 * Fails: UNSUPPORTED (another kind of target, or MLflow made no tables there); NOT_FOUND (no data
 * directory, no database); CONFLICT when the target holds something, or an export of another source
 * was cut there; CORRUPT when what was written differs: the database is untouched then; as
 * ax_tracking_mirror and the services.
 */
ax_status ax_mlflow_export(struct ax_ctx *ctx, const struct ax_mlflow_export *export,
                           struct ax_tracking_import_counts *out_counts);
