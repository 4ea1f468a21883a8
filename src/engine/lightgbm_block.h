/*
 * The blocks of a LightGBM model file that hold its trees, taken apart into their keys.
 *
 * A block is the line `Tree=i`, lines of `key=value`, and an empty line. Values are slices of the
 * file; the keys that no prediction needs are passed over without a look at their numbers.
 */
#pragma once

#include "base/ctx.h"

enum ax_lightgbm_key {
    AX_LIGHTGBM_NUM_LEAVES,
    AX_LIGHTGBM_NUM_CAT,
    AX_LIGHTGBM_SPLIT_FEATURE,
    AX_LIGHTGBM_THRESHOLD,
    AX_LIGHTGBM_DECISION_TYPE,
    AX_LIGHTGBM_LEFT_CHILD,
    AX_LIGHTGBM_RIGHT_CHILD,
    AX_LIGHTGBM_LEAF_VALUE,
    AX_LIGHTGBM_LEAF_COUNT,
    AX_LIGHTGBM_INTERNAL_COUNT,
    AX_LIGHTGBM_CAT_BOUNDARIES,
    AX_LIGHTGBM_CAT_THRESHOLD,
    AX_LIGHTGBM_IS_LINEAR,
    AX_LIGHTGBM_LEAF_CONST,
    AX_LIGHTGBM_NUM_FEATURES,
    AX_LIGHTGBM_LEAF_FEATURES,
    AX_LIGHTGBM_LEAF_COEFF,
    AX_LIGHTGBM_KEY_COUNT,
};

struct ax_lightgbm_block {
    ax_str values[AX_LIGHTGBM_KEY_COUNT]; /* at is NULL where the block has no such key */
    size_t bytes;                         /* from its `Tree=` to the next one, or the mark */
};

struct ax_lightgbm_blocks {
    const struct ax_lightgbm_block *items;
    size_t count;
};

/* A key as the file spells it. */
const char *ax_lightgbm_key_name(enum ax_lightgbm_key key);

/* Whether a line is `end of trees`, or what stands there in files before 2.1. */
bool ax_lightgbm_block_is_end(ax_str line);

/*
 * Takes the blocks off the front of *rest, up to and with the mark after the last of them.
 *
 * out_blocks: in ctx->arena. Fails: INVALID with the tree: a block out of turn, a key twice, a line
 * that is no pair, a file that ends before the mark. LIMIT.
 */
ax_status ax_lightgbm_block_scan(struct ax_ctx *ctx, ax_str *rest,
                                 struct ax_lightgbm_blocks *out_blocks);
