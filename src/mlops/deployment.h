/*
 * Deployments: what is served, as rows, and the plan on disk that follows from them.
 *
 * Rows change only through change_control. After a change the plan is written whole
 * (docs/formats.md section 9): bundles first, then plan.json in one rename; then whoever serves is
 * told. It can be written again from the rows at any time, and is, at every start.
 */
#pragma once

#include "mlops/model_registry.h"
#include "serving/plan.h"

struct ax_deployments;

struct ax_deployments_config { /* kept */
    struct ax_store *store;
    struct ax_registry *registry;
    ax_str folder; /* DIR/serving */
    /* Loads the new plan and swaps it in; NULL outside a server. Its failure is the publish's. */
    ax_status (*on_plan)(void *arg, struct ax_ctx *ctx);
    void *arg;
};

ax_status ax_deployments_open(struct ax_ctx *ctx, const struct ax_deployments_config *config,
                              struct ax_deployments **out_deployments);
void ax_deployments_close(struct ax_deployments *deployments);
AX_DEFINE_AUTO(struct ax_deployments, ax_deployments_close);

/*
 * Whether this could be served: versions approved, policy and map there, every feature with a
 * reason, tier that of the champion's model. What change_control checks when it is proposed and
 * when it takes effect. change: docs/formats.md section 6.
 */
ax_status ax_deployments_check(struct ax_deployments *deployments, struct ax_ctx *ctx,
                               struct ax_store_tx *tx, ax_str name, const struct ax_json *change);

/* Makes it the deployment's next revision, with its fact: inside change_control's transaction. */
ax_status ax_deployments_apply(struct ax_deployments *deployments, struct ax_ctx *ctx,
                               struct ax_store_tx *tx, ax_str name, const struct ax_json *change,
                               ax_str proposal_id);

/* Policies and reason maps: checked, then the next version of the name, with its fact. Without a
 * proposal ("") they are only checked. */
ax_status ax_deployments_put_policy(struct ax_deployments *deployments, struct ax_ctx *ctx,
                                    struct ax_store_tx *tx, ax_str name, const struct ax_json *body,
                                    ax_str proposal_id);
ax_status ax_deployments_put_reasons(struct ax_deployments *deployments, struct ax_ctx *ctx,
                                     struct ax_store_tx *tx, ax_str name,
                                     const struct ax_json *body, ax_str proposal_id);

/*
 * Writes the plan from the rows and tells who serves. After every change, and at start.
 * Fails: as files; the plan before goes on serving.
 */
ax_status ax_deployments_publish(struct ax_deployments *deployments, struct ax_ctx *ctx);

/*
 * Writes into a folder the plan under which an earlier revision of a deployment served, so that
 * an old decision can be computed again. reason_map: the one it drew on; NULL when it gave no
 * reasons. Fails: NOT_FOUND.
 */
ax_status ax_deployments_publish_revision(struct ax_deployments *deployments, struct ax_ctx *ctx,
                                          ax_str name, ax_digest config_digest,
                                          const ax_digest *reason_map, ax_str folder);

ax_status ax_deployments_show(struct ax_deployments *deployments, struct ax_ctx *ctx, ax_str name,
                              struct ax_json_writer *out); /* with its history */
ax_status ax_deployments_list(struct ax_deployments *deployments, struct ax_ctx *ctx,
                              struct ax_json_writer *out);

/* One version of a policy or reason map (0: the newest), or all names. */
ax_status ax_deployments_show_policy(struct ax_deployments *deployments, struct ax_ctx *ctx,
                                     ax_str name, int64_t version, struct ax_json_writer *out);
ax_status ax_deployments_show_reasons(struct ax_deployments *deployments, struct ax_ctx *ctx,
                                      ax_str name, int64_t version, struct ax_json_writer *out);
