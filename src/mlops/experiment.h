/*
 * Experiment tracking: experiments, and what all of it shares. Runs, metrics and logged models
 * have files of their own (experiment_run.h, experiment_metric.h, experiment_model.h).
 *
 * One idea: what a client said is durable when the call returns, and saying it again changes
 * nothing, so a client may repeat what it got no answer to. Nothing here is governed: a run is a
 * note about an attempt; what becomes of a model is the registry's and change_control's business.
 * Objects are shown as JSON in the form MLflow's API has them, which api/mlflow_tracking hands on.
 * Workers only.
 *
 * Fails everywhere: INVALID and NOT_FOUND in the words MLflow's client shows; as the store.
 */
#pragma once

#include "base/array.h"
#include "codec/json.h"
#include "mlops/search_filter.h"
#include "store/store.h"

struct ax_experiments;
struct ax_run_cache;

struct ax_experiments_config { /* all kept */
    struct ax_store *store;
    ax_str artifact_root; /* "mlflow-artifacts:" or a URI; an experiment's place is root/id */
};

enum {
    AX_EXPERIMENT_KEY_CHARS_MAX = 250,
    AX_EXPERIMENT_TAG_CHARS_MAX = 5000, /* an experiment's: longer is refused */
    AX_RUN_TAG_CHARS_MAX = 8000,        /* a run's: longer is cut */
    AX_RUN_PARAM_CHARS_MAX = 6000,
    AX_SEARCH_RESULTS_MAX = 50'000,
};

/* Makes the experiment "0", named Default, where there is none. */
ax_status ax_experiments_open(struct ax_ctx *ctx, const struct ax_experiments_config *config,
                              struct ax_experiments **out_experiments);
void ax_experiments_close(struct ax_experiments *experiments);
AX_DEFINE_AUTO(struct ax_experiments, ax_experiments_close);

struct ax_store *ax_experiments_store(const struct ax_experiments *experiments);

/* Runs as they were last shown. */
struct ax_run_cache *ax_experiments_shown(const struct ax_experiments *experiments);

/* ---- keys and values: tags and params ---- */

struct ax_experiment_pair {
    ax_str key, value;
};

struct ax_experiment_pairs {
    const struct ax_experiment_pair *items;
    size_t count;
};

/* A name that may stand in a path. what: as the message calls its length, "Metric name". */
ax_status ax_experiment_check_key(struct ax_ctx *ctx, ax_str key, const char *what);

/* Characters of UTF-8 text; at most chars_max of them from its front. */
size_t ax_experiment_chars(ax_str text);
ax_str ax_experiment_cut(ax_str text, size_t chars_max);

/* "tags":[{"key","value"}..] of the rows (key, value), which are finished; absent when none. */
ax_status ax_experiment_show_pairs(struct ax_store_rows *rows, const char *name,
                                   struct ax_json_writer *out);

/* ---- experiments ---- */

struct ax_experiment_new {
    ax_str name;
    ax_str artifact_location; /* "": root/id */
    struct ax_experiment_pairs tags;
    ax_str id;          /* of an import; "": the next number */
    int64_t created_ms; /* of an import; 0: now */
};

/* Fails: CONFLICT when the name is taken, by a deleted one too. */
ax_status ax_experiment_create(struct ax_experiments *experiments, struct ax_ctx *ctx,
                               const struct ax_experiment_new *made, ax_str *out_id);

/* A relative path on this machine's disk as an absolute one; a URI as it is. In ctx->arena. */
ax_status ax_experiment_location(struct ax_ctx *ctx, ax_str location, ax_str *out_location);

/* {"experiment_id","name","artifact_location","lifecycle_stage",...} */
ax_status ax_experiment_show(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                             struct ax_json_writer *out);
ax_status ax_experiment_show_named(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                   ax_str name, struct ax_json_writer *out);

/* Fails: CONFLICT when the name is taken. */
ax_status ax_experiment_rename(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                               ax_str name);

/* Softly, with all its runs. NOT_FOUND also when it is (or is not) deleted already. */
ax_status ax_experiment_delete(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id);
ax_status ax_experiment_restore(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id);

ax_status ax_experiment_set_tag(struct ax_experiments *experiments, struct ax_ctx *ctx, ax_str id,
                                struct ax_experiment_pair tag);
ax_status ax_experiment_delete_tag(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                   ax_str id, ax_str key);

/* ---- searching ---- */

enum ax_experiment_view { AX_VIEW_ACTIVE, AX_VIEW_DELETED, AX_VIEW_ALL };

struct ax_experiment_search {
    const ax_str *experiment_ids; /* of runs and logged models */
    size_t experiment_count;
    ax_str filter;
    const ax_str *order_by;
    size_t order_count;
    enum ax_experiment_view view;
    int64_t results_max;
    ax_str page_token;
    ax_str page_scope; /* stands behind the tokens of its pages, for whoever reads them; or "" */
};

/* {"experiments":[..],"next_page_token"?}: members of an object the caller has begun. */
ax_status ax_experiments_search(struct ax_experiments *experiments, struct ax_ctx *ctx,
                                const struct ax_experiment_search *search,
                                struct ax_json_writer *out);

/* ---- for the other files of tracking ---- */

struct ax_experiment_place {
    ax_str artifact_location;
    bool active;
};

/* Fails: NOT_FOUND; INVALID when it is deleted or the id is no whole number. */
ax_status ax_experiment_find_active(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str id,
                                    struct ax_experiment_place *out_place);

/* location/name/artifacts, before the query of a location that has one */
ax_status ax_experiment_artifact_uri(struct ax_ctx *ctx, ax_str location, ax_str name,
                                     ax_str *out_uri);

/* 32 lower-case hex digits that nobody had before. */
ax_status ax_experiment_new_id(struct ax_ctx *ctx, const char *prefix, ax_str *out_id);

/* " and r.lifecycle_stage = 'active'" as the view has it. */
const char *ax_experiment_view_sql(enum ax_experiment_view view);

int64_t ax_experiment_ms(int64_t ns);
/* Milliseconds of a client as nanoseconds. Fails: INVALID beyond the year 2262. */
ax_status ax_experiment_ns(struct ax_ctx *ctx, int64_t ms, int64_t *out_ns);
