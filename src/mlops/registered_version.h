/*
 * Versions of registered models as MLflow's client sees them: a source among the artifacts, a
 * stage, tags. The same rows as model_registry.h has. Registered through MLflow, a version is
 * unvalidated; it has a bundle when its files are here and the engine reads one of them
 * (registered_bundle.h), and says what to log instead when not.
 */
#pragma once

#include "mlops/artifacts.h"
#include "mlops/registered_model.h"

struct ax_registered_version_new {
    ax_str model, source, description, run_id, run_link;
    ax_str logged_model_id; /* "" */
    struct ax_experiment_pairs tags;
    int64_t version;                /* of an import; 0: the next */
    struct ax_artifacts *artifacts; /* where its files are looked for; NULL: they are not */
};

/*
 * The version as an object: {"name","version",..,"current_stage","source","run_id",..}.
 * Fails: NOT_FOUND (model, run); INVALID when the source is a local path outside its run's place
 * or leads elsewhere.
 */
ax_status ax_registered_version_create(struct ax_registry *registry, struct ax_ctx *ctx,
                                       const struct ax_registered_version_new *made,
                                       struct ax_json_writer *out);
ax_status ax_registered_version_show(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                                     int64_t version, struct ax_json_writer *out);
ax_status ax_registered_version_describe(struct ax_registry *registry, struct ax_ctx *ctx,
                                         ax_str model, int64_t version, ax_str description,
                                         struct ax_json_writer *out);

/* Its number is not given again. Fails: DENIED when it was validated or more. */
ax_status ax_registered_version_delete(struct ax_registry *registry, struct ax_ctx *ctx,
                                       ax_str model, int64_t version);

/* Where its files are, whatever its source is written like. */
ax_status ax_registered_version_location(struct ax_registry *registry, struct ax_ctx *ctx,
                                         ax_str model, int64_t version, ax_str *out_uri);

/* "Production" of "production". Fails: INVALID. */
ax_status ax_registered_version_stage(struct ax_ctx *ctx, ax_str word, ax_str *out_stage);

struct ax_registered_version_move {
    ax_str model;
    int64_t version;
    ax_str stage;
    bool archive_others; /* those that are in this stage now */
};

/* Fails: DENIED when the stage is Production, it is not approved, and that counts. */
ax_status ax_registered_version_transition(struct ax_registry *registry, struct ax_ctx *ctx,
                                           const struct ax_registered_version_move *move,
                                           struct ax_json_writer *out);

ax_status ax_registered_version_set_tag(struct ax_registry *registry, struct ax_ctx *ctx,
                                        ax_str model, int64_t version,
                                        struct ax_experiment_pair tag);
ax_status ax_registered_version_delete_tag(struct ax_registry *registry, struct ax_ctx *ctx,
                                           ax_str model, int64_t version, ax_str key);

/* "model_versions":[..], the newest of each stage (no stages: of all). NOT_FOUND (model). */
ax_status ax_registered_version_latest(struct ax_registry *registry, struct ax_ctx *ctx,
                                       ax_str model, const ax_str *stages, size_t stage_count,
                                       struct ax_json_writer *out);

/* {"model_versions":[..],"next_page_token"?} */
ax_status ax_registered_versions_search(struct ax_registry *registry, struct ax_ctx *ctx,
                                        const struct ax_experiment_search *search,
                                        struct ax_json_writer *out);

/* The same as `latest` of all stages, as a member of this name; absent when there is none. */
ax_status ax_registered_version_show_latest(struct ax_store_tx *tx, struct ax_ctx *ctx,
                                            ax_str model, const char *name,
                                            struct ax_json_writer *out);
