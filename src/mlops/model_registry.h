/*
 * Models and their versions: what there is, who made it from what, and in which state it is.
 *
 * A version is a bundle (serving/bundle.h): its files lie in the blob store, its row here. The
 * registry keeps and shows; whether a version may be used is decided by change_control, which
 * alone moves states. Every change writes its fact in the same transaction. Workers only.
 */
#pragma once

#include "blob/blob.h"
#include "event/event.h"
#include "serving/bundle.h"
#include "store/store.h"

struct ax_registry;

struct ax_registry_config { /* all kept */
    struct ax_store *store;
    struct ax_blob *blob;
    bool unrecorded;           /* there is no ledger, so changes leave no facts: development only */
    bool enforce;              /* into production goes only what is approved; else it is noted */
    ax_str production_aliases; /* with spaces between them */
};

/* docs/formats.md section 8; stored by name. */
enum ax_version_state {
    AX_VERSION_REGISTERED,
    AX_VERSION_IN_VALIDATION,
    AX_VERSION_VALIDATED,
    AX_VERSION_FAILED,
    AX_VERSION_APPROVED,
    AX_VERSION_APPROVED_RESTRICTED,
    AX_VERSION_RETIRED,
};
const char *ax_version_state_name(enum ax_version_state state);
[[nodiscard]] bool ax_version_state_parse(ax_str name, enum ax_version_state *out);

struct ax_version_record { /* texts in ctx->arena */
    ax_str model;
    int64_t version;
    ax_digest digest; /* of the manifest */
    ax_str format;
    enum ax_version_state state;
    int64_t until_ns; /* of approved_restricted; INT64_MAX else */
    ax_str developer; /* who registered it */
    ax_str dataset;   /* name of the dataset version it was trained on; "" */
    ax_str run_id;    /* training run; "" */
    int64_t created_ns;
    int64_t tier; /* of the model: 1, 2, 3 */
};

ax_status ax_registry_open(struct ax_ctx *ctx, const struct ax_registry_config *config,
                           struct ax_registry **out_registry);
void ax_registry_close(struct ax_registry *registry);
AX_DEFINE_AUTO(struct ax_registry, ax_registry_close);

/* ---- models ---- */

/*
 * Makes a model from its inventory record (governance/inventory.h; `name` and `owner` must be
 * there). The actor is its first developer. Fails: INVALID, CONFLICT when the name is taken.
 */
ax_status ax_registry_create(struct ax_registry *registry, struct ax_ctx *ctx,
                             const struct ax_json *inventory);

/* Changes members of the inventory record that need no approval (not tier, not name). */
ax_status ax_registry_change(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                             const struct ax_json *members);

/* One model: record, tier, versions with their states, aliases, open findings. NOT_FOUND. */
ax_status ax_registry_show(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                           struct ax_json_writer *out);

/* All models, with their whole record when full: {"models":[...]}. */
ax_status ax_registry_list(struct ax_registry *registry, struct ax_ctx *ctx, bool full,
                           struct ax_json_writer *out);

/* ---- versions ---- */

/*
 * Registers a bundle's container or a bare model file as the model's next version. The file is
 * opened and self-tested first. The same digest again is the version it already is.
 * Fails: NOT_FOUND (model), INVALID, CORRUPT, UNSUPPORTED as bundle and engine.
 */
ax_status ax_registry_register(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                               ax_str bytes, struct ax_version_record *out_record);

/*
 * version 0: the newest. tx, here and below: the caller's transaction, NULL for one of its own; who
 * holds one gives it, since a second reader may not become free. Fails: NOT_FOUND.
 */
ax_status ax_registry_version(struct ax_registry *registry, struct ax_ctx *ctx,
                              struct ax_store_tx *tx, ax_str model, int64_t version,
                              struct ax_version_record *out_record);

/* The bundle with all its files, each checked against its digest; in ctx->arena. */
ax_status ax_registry_bundle(struct ax_registry *registry, struct ax_ctx *ctx,
                             struct ax_store_tx *tx, const struct ax_version_record *record,
                             struct ax_bundle *out_bundle);

/* {"model","version","digest","format","state","inputs":[..],"outputs":[..],"manifest":{..}...} */
ax_status ax_registry_show_version(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                                   int64_t version, struct ax_json_writer *out);

/* ---- for the files of the registry beside this one ---- */

/* Opens and self-tests a bundle, then keeps its files. Fails: as ax_registry_register. */
ax_status ax_registry_keep(struct ax_registry *registry, struct ax_ctx *ctx, ax_str model,
                           const struct ax_bundle *bundle);

const struct ax_registry_config *ax_registry_config(const struct ax_registry *registry);

/* A fact about an object ("credit/3"), in the caller's transaction. */
ax_status ax_registry_note(struct ax_registry *registry, struct ax_store_tx *tx, struct ax_ctx *ctx,
                           enum ax_event_kind kind, ax_str object, ax_digest digest);

/* ---- for change_control and validation: inside their transaction ---- */

/*
 * Moves a version to a state, with its fact.
 * Fails: CONFLICT when it is not in a state from which this one may be reached.
 */
ax_status ax_registry_move(struct ax_registry *registry, struct ax_ctx *ctx, struct ax_store_tx *tx,
                           const struct ax_version_record *record, enum ax_version_state state,
                           int64_t until_ns);

ax_status ax_registry_set_tier(struct ax_registry *registry, struct ax_ctx *ctx,
                               struct ax_store_tx *tx, ax_str model, const struct ax_json *change);

/* Everyone who registered, trained or validated the version: nobody of them approves it (R44). */
struct ax_version_people {
    ax_str developer;
    ax_str *validators;
    size_t validator_count;
    ax_str *approvers; /* of its approval, once it has one */
    size_t approver_count;
};
ax_status ax_registry_people(struct ax_registry *registry, struct ax_ctx *ctx,
                             struct ax_store_tx *tx, const struct ax_version_record *record,
                             struct ax_version_people *out_people);
