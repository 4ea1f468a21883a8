/*
 * An engine whose model is a forest: what the readers of tree formats build and hand over.
 *
 * It turns rows into margins, leaves and responses by the kernels of forest, and into contributions
 * by shap_kernel. The reader says what its objective makes of the margins.
 */
#pragma once

#include "engine/engine_ops.h"
#include "engine/forest.h"
#include "engine/forest_scorer.h"
#include "engine/shap_kernel.h"

struct ax_forest_engine {
    struct ax_engine engine;
    struct ax_forest forest;
    struct ax_engine_config config;
    struct ax_forms_of_model forms; /* of this model, where the config names a folder */
    struct ax_forest_scorer scorer; /* of any meaning once `compiled` is there */
    struct ax_once *compiled;       /* the arena of the form for single rows */
    size_t forms_bytes_max;
    struct ax_once *shap; /* by cover, where the signature has contributions; else NULL */
    size_t shap_bytes_max, shap_scratch_bytes;
    enum ax_engine_level level; /* of populations' kernels, too */

    /* Response of one row's margins, by the reader's own number of the objective. */
    void (*respond)(int objective, const double *margin, size_t margin_count, double *out);
    int objective;

    /* The same for an objective with parameters, which takes the place of the one above. */
    void (*respond_by)(const void *parameters, const double *margin, size_t margin_count,
                       double *out);
    const void *parameters;
};

/*
 * Completes an engine whose forest is built and whose signature has format, names, features and
 * counts of columns: sets the ops, counts trees and splits, prepares explanations.
 *
 * features: the array behind the signature. ctx->arena: working memory. Fails: LIMIT.
 */
ax_status ax_forest_engine_finish(struct ax_forest_engine *engine, struct ax_ctx *ctx,
                                  struct ax_engine_feature *features);

/*
 * Lets a finished engine compile itself for its kernels when a call is first prepared, or its
 * scratch asked for; at once where a level or a kernel is asked for. One that is no forest is left
 * as it is.
 *
 * bytes_max: what the compiled forms may take. Fails: UNSUPPORTED when the machine lacks the level
 * asked for; LIMIT when memory is short.
 */
ax_status ax_forest_engine_compile(struct ax_engine *engine, struct ax_ctx *ctx,
                                   const struct ax_engine_config *config, size_t bytes_max);
