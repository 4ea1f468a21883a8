#include "engine/lightgbm_block.h"

#include "base/array.h"
#include "base/number.h"
#include "engine/lightgbm_text.h"

enum { TREES_MAX = 1'000'000, SHOWN_BYTES_MAX = 32 };

static const ax_str names[AX_LIGHTGBM_KEY_COUNT] = {
    [AX_LIGHTGBM_NUM_LEAVES] = AX_STR("num_leaves"),
    [AX_LIGHTGBM_NUM_CAT] = AX_STR("num_cat"),
    [AX_LIGHTGBM_SPLIT_FEATURE] = AX_STR("split_feature"),
    [AX_LIGHTGBM_THRESHOLD] = AX_STR("threshold"),
    [AX_LIGHTGBM_DECISION_TYPE] = AX_STR("decision_type"),
    [AX_LIGHTGBM_LEFT_CHILD] = AX_STR("left_child"),
    [AX_LIGHTGBM_RIGHT_CHILD] = AX_STR("right_child"),
    [AX_LIGHTGBM_LEAF_VALUE] = AX_STR("leaf_value"),
    [AX_LIGHTGBM_LEAF_COUNT] = AX_STR("leaf_count"),
    [AX_LIGHTGBM_INTERNAL_COUNT] = AX_STR("internal_count"),
    [AX_LIGHTGBM_CAT_BOUNDARIES] = AX_STR("cat_boundaries"),
    [AX_LIGHTGBM_CAT_THRESHOLD] = AX_STR("cat_threshold"),
    [AX_LIGHTGBM_IS_LINEAR] = AX_STR("is_linear"),
    [AX_LIGHTGBM_LEAF_CONST] = AX_STR("leaf_const"),
    [AX_LIGHTGBM_NUM_FEATURES] = AX_STR("num_features"),
    [AX_LIGHTGBM_LEAF_FEATURES] = AX_STR("leaf_features"),
    [AX_LIGHTGBM_LEAF_COEFF] = AX_STR("leaf_coeff"),
};

struct block_array {
    AX_ARRAY(struct ax_lightgbm_block)
};

const char *
ax_lightgbm_key_name(enum ax_lightgbm_key key)
{
    return names[key].at;
}

bool
ax_lightgbm_block_is_end(ax_str line)
{
    return ax_str_eq(line, AX_STR("end of trees")) ||
           ax_str_starts(line, AX_STR("feature importances:")) ||
           ax_str_starts(line, AX_STR("feature_importances:"));
}

static int
shown(ax_str text)
{
    return text.len > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : (int)text.len;
}

/* A line of a block into the slot of its key, if it has one. */
static ax_status
take_pair(struct ax_ctx *ctx, ax_str line, struct ax_lightgbm_block *block)
{
    ax_str key = {}, value = {};
    if (!ax_lightgbm_pair(line, &key, &value))
        return ax_fail(ctx, AX_INVALID, "the line `%.*s` has no `=`", shown(line), line.at);
    for (size_t i = 0; i < AX_LIGHTGBM_KEY_COUNT; i++) {
        if (!ax_str_eq(names[i], key))
            continue;
        if (block->values[i].at)
            return ax_fail(ctx, AX_INVALID, "`%s` stands there twice", names[i].at);
        block->values[i] = value;
        return AX_OK;
    }
    return AX_OK;
}

/* The lines after `Tree=` up to the empty one. */
static ax_status
take_block(struct ax_ctx *ctx, ax_str *rest, struct ax_lightgbm_block *block)
{
    ax_str line = {};
    while (ax_lightgbm_line(rest, &line)) {
        if (line.len == 0)
            return AX_OK;
        AX_TRY(take_pair(ctx, line, block));
    }
    return ax_fail(ctx, AX_INVALID, "the file ends before the empty line after it");
}

/* The next line with something in it; false at the end of the file. */
static bool
skip_empty(ax_str *rest, ax_str *out_line)
{
    while (ax_lightgbm_line(rest, out_line))
        if (out_line->len > 0)
            return true;
    return false;
}

static ax_status
check_turn(struct ax_ctx *ctx, ax_str line, size_t index)
{
    uint64_t stated = 0;
    ax_str number = ax_str_from(line, strlen("Tree="));
    if (!ax_str_starts(line, AX_STR("Tree=")) || !ax_parse_u64(number, &stated) || stated != index)
        return ax_fail(ctx, AX_INVALID, "`%.*s` where `Tree=%zu` or `end of trees` was expected",
                       shown(line), line.at, index);
    return index < TREES_MAX ? AX_OK : ax_fail(ctx, AX_LIMIT, "more than %d trees", (int)TREES_MAX);
}

ax_status
ax_lightgbm_block_scan(struct ax_ctx *ctx, ax_str *rest, struct ax_lightgbm_blocks *out_blocks)
{
    struct block_array blocks = {};
    ax_str line = {};
    const char *began = NULL;
    while (skip_empty(rest, &line)) {
        if (blocks.count > 0)
            blocks.items[blocks.count - 1].bytes = (size_t)(line.at - began);
        if (ax_lightgbm_block_is_end(line)) {
            *out_blocks = (struct ax_lightgbm_blocks){.items = blocks.items, .count = blocks.count};
            return AX_OK;
        }
        AX_TRY(check_turn(ctx, line, blocks.count));
        began = line.at;
        struct ax_lightgbm_block *block = AX_ARRAY_PUSH(ctx->arena, &blocks);
        if (!block)
            return ax_fail(ctx, AX_LIMIT, "no memory for %zu trees", blocks.count);
        ax_status status = take_block(ctx, rest, block);
        if (status != AX_OK)
            return ax_explain(ctx, status, "tree %zu", blocks.count - 1);
    }
    return ax_fail(ctx, AX_INVALID, "the file ends after %zu trees, without `end of trees`",
                   blocks.count);
}
