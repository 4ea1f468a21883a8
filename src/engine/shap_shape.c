#include "engine/shap_shape.h"

#include "base/assert.h"

/* ---- inner nodes ---- */

/* Children come after their parents in a tree, so one pass forwards numbers and links them. */
static void
fill_inner(struct ax_shap_shape *shape, int32_t *number)
{
    const struct ax_forest_tree *tree = shape->tree;
    uint32_t inner = 0, leaves = 0;
    for (uint32_t n = 0; n < tree->node_count; n++)
        number[n] = tree->nodes[n].left >= 0 ? (int32_t)inner++ : ~(int32_t)leaves++;
    for (uint32_t n = 0; n < tree->node_count; n++) {
        const struct ax_forest_node *node = &tree->nodes[n];
        if (node->left < 0) {
            shape->leaves[~number[n]].node = node;
            continue;
        }
        struct ax_shap_inner *at = &shape->inner[number[n]];
        at->node = node;
        for (int edge = 0; edge < 2; edge++) {
            int32_t below = edge ? node->right : node->left, child = number[below];
            at->child[edge] = child;
            at->share[edge] = tree->share ? tree->share[below] : 0.5;
            if (child < 0) {
                shape->leaves[~child].parent = number[n];
                shape->leaves[~child].edge = (uint8_t)edge;
            } else {
                shape->inner[child].parent = number[n];
                shape->inner[child].edge = (uint8_t)edge;
                shape->inner[child].level = at->level + 1;
            }
        }
    }
}

/* The nearest split above on the same feature: a search up the path. */
static void
link_same(struct ax_shap_shape *shape)
{
    for (uint32_t i = 0; i < shape->inner_count; i++) {
        struct ax_shap_inner *at = &shape->inner[i];
        at->same = -1;
        at->before = 1;
        uint8_t edge = at->edge;
        for (int32_t up = at->parent; up >= 0;
             edge = shape->inner[up].edge, up = shape->inner[up].parent) {
            const struct ax_shap_inner *above = &shape->inner[up];
            if (above->node->feature != at->node->feature)
                continue;
            at->same = up;
            at->same_edge = edge;
            at->before = above->before * above->share[edge];
            break;
        }
    }
}

static void
count_below(struct ax_shap_shape *shape)
{
    for (uint32_t i = shape->inner_count; i-- > 0;) {
        struct ax_shap_inner *at = &shape->inner[i];
        at->below++;
        if (at->parent >= 0)
            shape->inner[at->parent].below += at->below;
    }
}

/* ---- chunks ---- */

/* From the top: a subtree that fits in a word with its path is a chunk, else its children are
 * looked at; they follow in preorder, so the next candidate is the next node or past the chunk. */
static void
cut_chunks(struct ax_shap_shape *shape)
{
    for (uint32_t i = 0; i < shape->inner_count;) {
        const struct ax_shap_inner *at = &shape->inner[i];
        if (at->level >= AX_SHAP_SHAPE_PATH_MAX) {
            shape->chunk_count = 0;
            return;
        }
        if (at->level + at->below > AX_SHAP_SHAPE_WORD_BITS) {
            i++;
            continue;
        }
        shape->chunks[shape->chunk_count++] =
            (struct ax_shap_chunk){.root = (int32_t)i, .slots = at->level + at->below};
        i += at->below;
    }
}

static ax_status
make_shape(const struct ax_forest_tree *tree, struct ax_ctx *ctx, int32_t *number,
           struct ax_shap_shape *out_shape)
{
    uint32_t inner = tree->node_count / 2;
    *out_shape = (struct ax_shap_shape){
        .tree = tree,
        .inner_count = inner,
        .leaf_count = inner + 1,
        .inner = AX_NEW_ARRAY(ctx->arena, struct ax_shap_inner, inner),
        .leaves = AX_NEW_ARRAY(ctx->arena, struct ax_shap_leaf, inner + 1),
        .chunks = AX_NEW_ARRAY(ctx->arena, struct ax_shap_chunk, inner),
    };
    if (!out_shape->inner || !out_shape->leaves || !out_shape->chunks)
        return ax_fail(ctx, AX_LIMIT, "no memory to prepare explanations");
    if (inner == 0)
        return AX_OK;
    out_shape->inner[0].parent = -1;
    fill_inner(out_shape, number);
    link_same(out_shape);
    count_below(out_shape);
    cut_chunks(out_shape);
    return AX_OK;
}

/* ---- exported ---- */

ax_status
ax_shap_shape_make(const struct ax_forest *forest, struct ax_ctx *ctx,
                   struct ax_shap_shape **out_shapes)
{
    struct ax_shap_shape *shapes =
        AX_NEW_ARRAY(ctx->arena, struct ax_shap_shape, forest->tree_count);
    int32_t *number = AX_NEW_ARRAY(ctx->arena, int32_t, forest->tree_nodes_max);
    if (!shapes || !number)
        return ax_fail(ctx, AX_LIMIT, "no memory to prepare explanations");
    for (size_t t = 0; t < forest->tree_count; t++)
        AX_TRY(make_shape(&forest->trees[t], ctx, number, &shapes[t]));
    *out_shapes = shapes;
    return AX_OK;
}

/* As cut_chunks does it; inner nodes below and above each node are worked out first. */
static size_t
tree_slots(const struct ax_forest_tree *tree, size_t step, uint32_t *below, uint32_t *level)
{
    size_t slots = 0;
    level[0] = 0;
    for (uint32_t n = 0; n < tree->node_count; n++) {
        const struct ax_forest_node *node = &tree->nodes[n];
        if (node->left >= 0)
            level[node->left] = level[node->right] = level[n] + 1;
    }
    for (uint32_t n = tree->node_count; n-- > 0;) {
        const struct ax_forest_node *node = &tree->nodes[n];
        below[n] = node->left < 0 ? 0 : 1 + below[node->left] + below[node->right];
    }
    for (uint32_t n = 0; n < tree->node_count;) {
        size_t own = level[n] + below[n];
        if (below[n] == 0 || own > AX_SHAP_SHAPE_WORD_BITS) {
            n++;
            continue;
        }
        slots += (own + step - 1) / step * step;
        n += 2 * below[n] + 1; /* with its leaves, in preorder */
    }
    return slots;
}

ax_status
ax_shap_shape_slots_max(const struct ax_forest *forest, struct ax_ctx *ctx, size_t step,
                        size_t *out_slots)
{
    uint32_t *below = AX_NEW_ARRAY(ctx->arena, uint32_t, forest->tree_nodes_max);
    uint32_t *level = AX_NEW_ARRAY(ctx->arena, uint32_t, forest->tree_nodes_max);
    size_t slots = 0;
    if (!below || !level)
        return ax_fail(ctx, AX_LIMIT, "no memory to measure explanations");
    for (size_t t = 0; t < forest->tree_count; t++)
        slots += tree_slots(&forest->trees[t], step, below, level);
    *out_slots = slots;
    return AX_OK;
}

/* The chunk that holds an inner node of a tree that has chunks. */
static const struct ax_shap_chunk *
chunk_with(const struct ax_shap_shape *shape, int32_t inner)
{
    AX_ASSERT(shape->chunk_count > 0);
    /* Above all chunks' roots a node is on the path to the first chunk that begins after it. */
    uint32_t low = 0, high = shape->chunk_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const struct ax_shap_chunk *chunk = &shape->chunks[middle];
        if (chunk->root + (int32_t)shape->inner[chunk->root].below <= inner)
            low = middle + 1;
        else
            high = middle;
    }
    AX_ASSERT(low < shape->chunk_count);
    return &shape->chunks[low];
}

const struct ax_shap_chunk *
ax_shap_shape_chunk_below(const struct ax_shap_shape *shape, int32_t parent, uint8_t edge)
{
    int32_t child = parent < 0 ? 0 : shape->inner[parent].child[edge];
    return chunk_with(shape, child < 0 ? parent : child);
}

void
ax_shap_shape_path(const struct ax_shap_shape *shape, const struct ax_shap_chunk *chunk,
                   int32_t parent, uint8_t edge, struct ax_shap_path *out_path)
{
    int32_t nodes[AX_SHAP_SHAPE_PATH_MAX];
    uint8_t edges[AX_SHAP_SHAPE_PATH_MAX] = {};
    uint32_t depth = 0;
    for (; parent >= 0; edge = shape->inner[parent].edge, parent = shape->inner[parent].parent) {
        AX_ASSERT(depth < AX_SHAP_SHAPE_PATH_MAX);
        nodes[depth] = parent;
        edges[depth++] = edge;
    }
    out_path->count = 0;
    out_path->want = 0;
    while (depth-- > 0) {
        const struct ax_shap_inner *at = &shape->inner[nodes[depth]];
        uint64_t bit = UINT64_C(1) << ax_shap_shape_bit(shape, chunk, nodes[depth]);
        uint32_t i = 0;
        while (i < out_path->count && out_path->feature[i] != at->node->feature)
            i++;
        if (i == out_path->count) {
            out_path->feature[out_path->count++] = at->node->feature;
            out_path->share[i] = 1;
            out_path->mask[i] = 0;
        }
        out_path->mask[i] |= bit;
        out_path->want |= edges[depth] == 0 ? bit : 0;
        out_path->share[i] *= at->share[edges[depth]];
    }
}
