/*
 * From a bundle to a function that can be called: verified, self-tested, warmed, counted.
 *
 * A loaded model is immutable and shared by every plan that names it, so replacing the plan loads
 * only what is new. It is visible only after its self-test rows have reproduced bit for bit.
 */
#pragma once

#include "engine/engine.h"
#include "serving/bundle.h"

struct ax_loaded_model {
    ax_str model; /* registry name */
    int64_t version;
    ax_digest digest; /* of the manifest */
    char digest_hex[65];
    struct ax_engine *engine;                /* owned */
    struct ax_engine_background *background; /* owned; NULL without a reference population */
    ax_digest reference_digest;
    const struct ax_signature *signature;
    ax_digest signature_digest; /* of its canonical JSON */
    bool governed;              /* false in development mode */
    ax_str manifest;
    size_t scratch_bytes; /* for the greediest call: contributions against the background */
    struct ax_arena *arena;
};

/* The largest bundle file that is read. */
enum { AX_MODEL_BYTES_MAX = 1 << 30 };

/*
 * Loads, verifies and tests one version.
 *
 * bundle: files present; borrowed. out_model: one reference, the caller's.
 * Fails: CORRUPT (a digest, or a self-test row whose score differs: row and both scores are
 * named), as the engine.
 */
ax_status ax_model_load(struct ax_ctx *ctx, ax_str model, int64_t version, bool governed,
                        const struct ax_bundle *bundle, struct ax_loaded_model **out_model);

/*
 * Makes what explanations of single rows need, when the model gives any of that kind: by cover, or
 * against its reference population. Without it the first of them waits for milliseconds.
 */
ax_status ax_model_explain_soon(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                                bool against);

/* All memory that it holds now: engine with what its calls made it make, population, signature. */
size_t ax_model_memory_bytes(const struct ax_loaded_model *model);

/* Files of kept forms that it has mapped, which programs share: not among the above. */
size_t ax_model_mapped_bytes(const struct ax_loaded_model *model);

struct ax_loaded_model *ax_model_ref(struct ax_loaded_model *model);
void ax_model_unref(struct ax_loaded_model *model);
AX_DEFINE_AUTO(struct ax_loaded_model, ax_model_unref);
