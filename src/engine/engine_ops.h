/*
 * What a kind of engine fills in: the table behind engine.h, for the folder's own files.
 *
 * A kind embeds `struct ax_engine` as its first member, in an arena that is the engine's whole
 * memory, and exports one function that reads its files. Nothing outside src/engine includes this.
 */
#pragma once

#include "engine/engine.h"

struct ax_engine_ops {
    const char *name;

    /* As the functions of engine.h; outputs and buffers are checked before. */
    size_t (*scratch_bytes)(const struct ax_engine *engine, unsigned outputs,
                            const struct ax_engine_background *background);
    ax_status (*score)(const struct ax_engine *engine, struct ax_ctx *ctx,
                       const struct ax_engine_call *call, void *scratch,
                       const struct ax_engine_answer *answer);

    /* background: made and counted by the port; the kind allocates in its arena. */
    ax_status (*background_open)(const struct ax_engine *engine, struct ax_ctx *ctx,
                                 const struct ax_engine_rows *rows, struct ax_arena *arena,
                                 struct ax_engine_background **out_background);
    ax_status (*thresholds)(const struct ax_engine *engine, struct ax_ctx *ctx, size_t feature,
                            const double **out_thresholds, size_t *out_count);

    /* What is made when it is first needed; ax_engine_prepare_nothing and so on where nothing is.
     */
    ax_status (*prepare)(const struct ax_engine *engine, struct ax_ctx *ctx,
                         const struct ax_engine_call *call);
    bool (*prepared)(const struct ax_engine *engine, const struct ax_engine_call *call);
    size_t (*made_bytes)(const struct ax_engine *engine);   /* outside the engine's arena */
    size_t (*mapped_bytes)(const struct ax_engine *engine); /* of kept forms, not among those */

    /* Of graphs; ax_engine_run_unsupported elsewhere. */
    ax_status (*run)(const struct ax_engine *engine, struct ax_ctx *ctx,
                     const struct ax_tensor *inputs, const bool *wanted,
                     struct ax_tensor *out_outputs);
};

ax_status ax_engine_run_unsupported(const struct ax_engine *engine, struct ax_ctx *ctx,
                                    const struct ax_tensor *inputs, const bool *wanted,
                                    struct ax_tensor *out_outputs);

ax_status ax_engine_prepare_nothing(const struct ax_engine *engine, struct ax_ctx *ctx,
                                    const struct ax_engine_call *call);
bool ax_engine_prepared_always(const struct ax_engine *engine, const struct ax_engine_call *call);
size_t ax_engine_made_nothing(const struct ax_engine *engine);

struct ax_engine {
    const struct ax_engine_ops *ops;
    struct ax_arena *arena; /* holds the engine itself */
    struct ax_engine_signature signature;
    ax_str *notes;                       /* behind the signature's */
    const struct ax_engine_graph *graph; /* NULL when it is none */
};

struct ax_engine_background {
    const struct ax_engine *engine;
    struct ax_arena *arena; /* holds the background itself */
    size_t count;           /* rows */
    size_t mapped_bytes;    /* of kept forms, not in the arena */
};

/*
 * Reads row `index` into doubles: rounded to the engine's input type first, missing as NaN.
 *
 * out: feature_count of them.
 */
void ax_engine_row(const struct ax_engine_rows *rows, size_t index, size_t feature_count,
                   enum ax_engine_type input, double *out);

/* Adds a sentence to the signature's notes; LIMIT past the arena's budget. */
AX_PRINTF(3, 4)
ax_status ax_engine_note(struct ax_engine *engine, struct ax_ctx *ctx, const char *format, ...);

/* Names "f0", "f1" ... for the features that have none yet. */
ax_status ax_engine_name_features(struct ax_engine *engine, struct ax_ctx *ctx,
                                  struct ax_engine_feature *features, size_t count);

/* Sorts ascending and drops equal ones; returns how many are left. */
size_t ax_engine_sort_unique(double *values, size_t count);
