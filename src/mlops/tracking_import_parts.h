/* What the files of tracking_import share. */
#pragma once

#include "mlops/experiment_model.h"
#include "mlops/experiment_run.h"
#include "mlops/tracking_import.h"
#include "mlops/tracking_source.h"

/* An experiment's artifacts: where they were, and that they moved here. */
struct ax_import_place {
    ax_str id;
    ax_str old; /* local folder whose files are copied; "" when they stay or are proxied */
    bool proxied;
};

struct ax_import {
    const struct ax_tracking_import *config;
    struct ax_tracking_import_counts *counts;
    struct ax_tracking_source *against; /* what runs are held against in the end */
    struct ax_arena *arena;             /* as long as the import */
    struct {
        AX_ARRAY(struct ax_import_place)
    } places;
};

ax_status ax_import_no_memory(struct ax_ctx *ctx);
void ax_import_progress(const struct ax_import *import, const char *what, uint64_t done,
                        uint64_t total);

/* Notes what could not be done and goes on; LIMIT and UNAVAILABLE are handed on. */
ax_status ax_import_problem(struct ax_import *import, struct ax_ctx *ctx, ax_status status,
                            ax_str what);

/* Runs a step with working memory of its own. */
ax_status ax_import_step(struct ax_import *import, struct ax_ctx *ctx,
                         ax_status (*run)(struct ax_import *import, struct ax_ctx *ctx));

/* A URI where the files are now. */
ax_status ax_import_moved(const struct ax_import *import, struct ax_ctx *ctx, ax_str uri,
                          ax_str *out_uri);

/* Rows (key, value) of a query of the source. */
ax_status ax_import_pairs(struct ax_store_tx *tx, struct ax_ctx *ctx, const char *sql,
                          ax_store_params params, struct ax_experiment_pairs *out);

/* Deletes whatever a query of the source names; what is not here is gone already. */
ax_status ax_import_delete_each(struct ax_import *import, struct ax_ctx *ctx, ax_str sql,
                                ax_status (*delete_one)(struct ax_experiments *experiments,
                                                        struct ax_ctx *ctx, ax_str id));

/* A point of a metric as an answer shows it. Fails: CORRUPT. */
ax_status ax_import_read_point(struct ax_ctx *ctx, const struct ax_json *item,
                               struct ax_metric *out);

/* The histories of the metrics that a run is shown with, page by page. */
struct ax_import_histories {
    ax_str run_id;
    const struct ax_json *metrics; /* as it is shown */
    ax_status (*page)(void *arg, struct ax_ctx *ctx, const struct ax_json *items);
    void *arg;
};
ax_status ax_import_histories(struct ax_tracking_source *source, struct ax_ctx *ctx,
                              const struct ax_import_histories *histories);

/* The folder of a file: URI or a path; "" for other schemes. */
ax_str ax_import_local_folder(ax_str uri);

/* Whether the database has logged models: those of version 2 have no such table. */
ax_status ax_import_has_models(struct ax_import *import, struct ax_ctx *ctx, bool *out);

ax_status ax_import_runs(struct ax_import *import, struct ax_ctx *ctx);

/* Each run of the database is asked for and held against what it has. */
ax_status ax_import_check_runs(struct ax_import *import, struct ax_ctx *ctx);
ax_status ax_import_registry(struct ax_import *import, struct ax_ctx *ctx);
ax_status ax_import_files(struct ax_import *import, struct ax_ctx *ctx);
