/*
 * plan.json and the bundles beside it, made from the rows (docs/formats.md section 9).
 *
 * Part of deployment.c: what is served now, one hypothetical deployment that is being checked, or
 * an earlier one under which a decision is to be computed again.
 */
#pragma once

#include "mlops/model_registry.h"

struct ax_plan_document_deployment {
    ax_str name;
    int64_t revision;
    const struct ax_json *body; /* docs/formats.md section 6 */
};

struct ax_plan_document {
    struct ax_store_tx *store_tx;
    struct ax_registry *registry;
    struct ax_plan_document_deployment one; /* body NULL: all that the rows say */
    int64_t revision;
    bool drop_unservable; /* members that may no longer serve are left out instead of refused */
    bool as_approved;     /* a replay asks what was, not what may be now */
    const ax_digest *reason_map; /* the map of this digest instead of the newest; may be NULL */
};

/* Bundles, then plan.json in one rename. Fails: NOT_FOUND names what is missing; as files. */
ax_status ax_plan_document_write(struct ax_ctx *ctx, const struct ax_plan_document *document,
                                 ax_str folder);

/*
 * The revision of a deployment whose digest (ax_plan_deployment.config_digest) this is, or was in a
 * plan that left members out. Fails: NOT_FOUND.
 */
ax_status ax_plan_document_find(struct ax_ctx *ctx, struct ax_store_tx *tx, ax_str name,
                                ax_digest config_digest, struct ax_plan_document_deployment *out);
