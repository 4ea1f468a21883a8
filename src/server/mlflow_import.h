/*
 * An MLflow database brought into a data directory: opens both sides, moves, closes.
 *
 * The directory is held as a server would hold it; one that is new is made for development. A
 * SQLite file is copied first, so the original is only read.
 */
#pragma once

#include "mlops/tracking_import.h"

struct ax_mlflow_import {
    ax_str from;      /* "sqlite:///mlflow.db" (relative), "sqlite:////a/b" or "postgresql://..." */
    ax_str artifacts; /* folder of MLflow's --artifacts-destination; "" */
    ax_str data_dir;
    void (*on_progress)(void *arg, const char *what, uint64_t done, uint64_t total);
    void (*on_problem)(void *arg, ax_str words);
    void *arg;
};

/* Fails: UNSUPPORTED (another kind of source); as ax_tracking_import and the services. */
ax_status ax_mlflow_import(struct ax_ctx *ctx, const struct ax_mlflow_import *import,
                           struct ax_tracking_import_counts *out_counts);
