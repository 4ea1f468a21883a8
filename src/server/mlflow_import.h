/*
 * An MLflow database, or a running server, brought into a data directory: opens both sides, moves,
 * closes.
 *
 * The directory is held as a server would hold it; one that is new is made for development. A
 * SQLite file is copied first, so the original is only read; what a server has is read into a
 * database like MLflow's (tracking_mirror.h), which is imported then.
 */
#pragma once

#include "mlops/tracking_import.h"
#include "server/services.h"

struct ax_mlflow_import {
    ax_str from;      /* "sqlite:///mlflow.db" (relative), "sqlite:////a/b", "postgresql://..." or
                         "http://..." */
    ax_str artifacts; /* folder of MLflow's --artifacts-destination; "" */
    ax_str authorization, ca_file; /* of a server: tracking_source_http.h; "" */
    ax_str data_dir;
    void (*on_progress)(void *arg, const char *what, uint64_t done, uint64_t total);
    void (*on_problem)(void *arg, ax_str words);
    void *arg;
};

/* Fails: UNSUPPORTED (another kind of source); as ax_tracking_import and the services. */
ax_status ax_mlflow_import(struct ax_ctx *ctx, const struct ax_mlflow_import *import,
                           struct ax_tracking_import_counts *out_counts);

/* Whether it is the address of a server. */
bool ax_mlflow_import_is_server(ax_str from);

/*
 * The services of a data directory, held; one that is new is made for development.
 * Fails: as the services; UNAVAILABLE when its database is away.
 */
ax_status ax_mlflow_import_open(struct ax_ctx *ctx, ax_str data_dir, struct ax_services *services);

/* Who does it, in the ledger. */
extern const struct ax_actor ax_mlflow_import_actor;

/* A copy of a file; an empty one too. */
ax_status ax_mlflow_import_copy(struct ax_ctx *ctx, ax_str from, ax_str to);
