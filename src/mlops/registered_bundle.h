/*
 * From a logged model among the artifacts to a bundle that can be validated, approved and served.
 *
 * The MLmodel file (mlmodel.h) says which file the engine can read; names that the model's own file
 * lacks come from its signature, and its input example becomes the self-test: rows that must score
 * the same, bit for bit, wherever the bundle is loaded. A model that cannot be read natively is no
 * failure: it stays registered, with a hint that says what to log instead. Workers only.
 */
#pragma once

#include "mlops/artifacts.h"
#include "mlops/model_registry.h"

struct ax_registered_bundle_of {
    ax_str model;                           /* registry name, for words */
    ax_str location;                        /* URI of the folder with the MLmodel file */
    ax_str sibling;                         /* the same of its ONNX form; "" */
    ax_str run_id, logged_model_id, source; /* where it comes from; "" */
};

/*
 * out_bundle: manifest, digest and format in ctx->arena; the files are in the registry's blobs.
 * out_hint: "" and a bundle, or why there is none: "flavor sklearn: ...".
 * Fails: LIMIT, UNAVAILABLE; what is wrong with the model's files is a hint.
 */
ax_status ax_registered_bundle_make(struct ax_registry *registry, struct ax_artifacts *artifacts,
                                    struct ax_ctx *ctx, const struct ax_registered_bundle_of *of,
                                    struct ax_bundle *out_bundle, ax_str *out_hint);
