/*
 * The trees of a LightGBM model: blocks of text into a forest.
 *
 * Values are compared as float64 with `<=` there, which is `<` with the next double here. A code in
 * a split's set goes left there and right here: such nodes have their children swapped. Leaves keep
 * LightGBM's numbers.
 */
#pragma once

#include "engine/engine_ops.h"
#include "engine/lightgbm_block.h"
#include "engine/lightgbm_objective.h"

/* What the file says around its trees. */
struct ax_lightgbm_model {
    struct ax_engine_signature signature; /* all that does not depend on the trees */
    struct ax_engine_feature *features;   /* behind the signature */
    struct ax_lightgbm_objective objective;
    size_t output_count;
    struct ax_lightgbm_blocks trees;
    ax_str sizes;  /* `tree_sizes`; at is NULL when the file has none */
    bool carriage; /* lines end "\r\n", which the sizes do not count */
    bool average;  /* the response is of the mean over iterations */
};

/* Fails: INVALID with tree and place, LIMIT. */
ax_status ax_lightgbm_tree_read(struct ax_ctx *ctx, struct ax_arena *arena,
                                const struct ax_lightgbm_model *model,
                                struct ax_engine **out_engine);
