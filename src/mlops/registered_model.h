/*
 * The registry as MLflow's client sees it: registered models, their tags and aliases.
 *
 * They are the models of model_registry.h, the same rows. A model made here enters the inventory
 * with an owner and no stated purpose; its versions (registered_version.h) are unvalidated until
 * somebody validates them. What was validated, approved or deployed is kept: it can be neither
 * deleted nor renamed. Workers only.
 *
 * Fails everywhere: INVALID, NOT_FOUND, CONFLICT in the words MLflow's client shows; as the store.
 */
#pragma once

#include "mlops/experiment.h"
#include "mlops/model_registry.h"

enum {
    AX_REGISTERED_TAG_CHARS_MAX = 100'000,
    AX_REGISTERED_MODEL_RESULTS_MAX = 1000,
    AX_REGISTERED_VERSION_RESULTS_MAX = 200'000,
};

struct ax_registered_model_new {
    ax_str name;
    ax_str description;
    struct ax_experiment_pairs tags;
};

/* The model as an object: {"name","creation_timestamp",..,"latest_versions","tags","aliases"}. */
ax_status ax_registered_model_create(struct ax_registry *registry, struct ax_ctx *ctx,
                                     const struct ax_registered_model_new *made,
                                     struct ax_json_writer *out);
ax_status ax_registered_model_show(struct ax_registry *registry, struct ax_ctx *ctx, ax_str name,
                                   struct ax_json_writer *out);
ax_status ax_registered_model_describe(struct ax_registry *registry, struct ax_ctx *ctx,
                                       ax_str name, ax_str description, struct ax_json_writer *out);

/* Fails: DENIED when it was validated or more. */
ax_status ax_registered_model_rename(struct ax_registry *registry, struct ax_ctx *ctx, ax_str name,
                                     ax_str new_name, struct ax_json_writer *out);
ax_status ax_registered_model_delete(struct ax_registry *registry, struct ax_ctx *ctx, ax_str name);

ax_status ax_registered_model_set_tag(struct ax_registry *registry, struct ax_ctx *ctx, ax_str name,
                                      struct ax_experiment_pair tag);
ax_status ax_registered_model_delete_tag(struct ax_registry *registry, struct ax_ctx *ctx,
                                         ax_str name, ax_str key);

/* Fails: DENIED when the alias means production, the version is not approved, and that counts. */
ax_status ax_registered_model_set_alias(struct ax_registry *registry, struct ax_ctx *ctx,
                                        ax_str name, ax_str alias, int64_t version);
ax_status ax_registered_model_delete_alias(struct ax_registry *registry, struct ax_ctx *ctx,
                                           ax_str name, ax_str alias);

/* The version an alias stands for; "latest" is one too. */
ax_status ax_registered_model_alias(struct ax_registry *registry, struct ax_ctx *ctx, ax_str name,
                                    ax_str alias, int64_t *out_version);

/*
 * What an address means: "models:/credit/3", "models:/credit@champion"; "models:/credit" and
 * "models:/credit/latest" are the newest version.
 */
ax_status ax_registered_model_find(struct ax_registry *registry, struct ax_ctx *ctx, ax_str address,
                                   ax_str *out_name, int64_t *out_version);

/* {"registered_models":[..],"next_page_token"?}: members of an object the caller has begun. */
ax_status ax_registered_models_search(struct ax_registry *registry, struct ax_ctx *ctx,
                                      const struct ax_experiment_search *search,
                                      struct ax_json_writer *out);

/* ---- for registered_version.c ---- */

ax_status ax_registered_model_check_tag(struct ax_ctx *ctx, struct ax_experiment_pair tag);
ax_status ax_registered_model_missing(struct ax_ctx *ctx, ax_str name);

/*
 * Whether a filter asks for prompts by their tag: what does not, does not get them. Then clauses of
 * that tag are taken out of it, since models have no such tag that could be compared.
 */
bool ax_registered_model_wants_prompts(struct ax_search_clauses *clauses);

/*
 * A version goes into production: fine when it is approved, DENIED where that is enforced, else a
 * fact. how: "stage Production".
 */
ax_status ax_registered_model_promote(struct ax_registry *registry, struct ax_store_tx *tx,
                                      struct ax_ctx *ctx, const struct ax_version_record *record,
                                      const char *how);
