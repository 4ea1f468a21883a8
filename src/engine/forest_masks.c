#include "engine/forest_masks.h"

#include <string.h>

#include "base/assert.h"

/* One more than cuts, and with sets one that is NaN's. */
size_t
ax_forest_masks_ranks(const struct ax_forest_column *column)
{
    return (size_t)column->cut_count + 1 + column->is_sets;
}

struct ax_forest_masks
ax_forest_masks_of(const struct ax_forest_plan *plan)
{
    enum { STEP = AX_FOREST_MASKS_STEP, NARROW_LEAVES = 32 };
    struct ax_forest_masks masks = {};
    if (!plan->fits || plan->leaves_max > AX_FOREST_MASKS_LEAVES_MAX)
        return masks;
    size_t each = plan->leaves_max > NARROW_LEAVES ? sizeof(uint64_t) : sizeof(uint32_t);
    size_t rank = (plan->forest->tree_count * each + STEP - 1) / STEP * STEP;
    size_t ranks = 0;
    for (uint32_t i = 0; i < plan->column_count; i++)
        ranks += ax_forest_masks_ranks(&plan->columns[i]);
    if (ranks > AX_FOREST_MASKS_BYTES_MAX / rank)
        return masks;
    return (struct ax_forest_masks){(uint32_t)each, rank, ranks * rank};
}

/* ---- contents ---- */

struct writing {
    const struct ax_forest_plan *plan;
    struct ax_forest_masks masks;
    char *table;
    size_t *column_at;    /* of each column's rank 0 in the table */
    uint32_t *leaf, *end; /* of each node of a tree: its first leaf; one past its last */
};

/* Leaves from left to right; nodes are in preorder, so a node's are next to each other. */
static void
number_leaves(const struct writing *writing, const struct ax_forest_tree *tree)
{
    uint32_t leaves = 0;
    for (uint32_t n = 0; n < tree->node_count; n++) {
        writing->leaf[n] = leaves;
        leaves += tree->nodes[n].left < 0;
    }
    writing->end[0] = leaves;
    for (uint32_t n = 0; n < tree->node_count; n++) {
        const struct ax_forest_node *node = &tree->nodes[n];
        if (node->left < 0)
            continue;
        writing->end[node->left] = writing->leaf[node->right];
        writing->end[node->right] = writing->end[n];
    }
}

/* The leaves below a node as bits. */
static uint64_t
leaves_of(const struct writing *writing, int32_t node)
{
    uint32_t first = writing->leaf[node], count = writing->end[node] - first;
    return (count < 64 ? (UINT64_C(1) << count) - 1 : UINT64_MAX) << first;
}

static bool
goes_right(const struct ax_forest_plan *plan, const struct ax_forest_column *column,
           uint32_t predicate, uint32_t rank)
{
    uint32_t place = predicate - column->predicate_first;
    return column->is_sets ? ax_forest_set_has(&plan->sets[column->set_first + place], rank)
                           : rank > place;
}

/* What each rank of a node's column leaves of the node's tree. */
static void
write_node(const struct writing *writing, size_t tree, uint32_t predicate, uint64_t left,
           uint64_t right)
{
    const struct ax_forest_plan *plan = writing->plan;
    uint32_t place = plan->predicate_column[predicate];
    const struct ax_forest_column *column = &plan->columns[place];
    char *at = writing->table + writing->column_at[place] + tree * writing->masks.each;
    for (uint32_t rank = 0; rank < ax_forest_masks_ranks(column);
         rank++, at += writing->masks.rank) {
        uint64_t gone = goes_right(plan, column, predicate, rank) ? left : right;
        if (writing->masks.each == sizeof gone)
            *(uint64_t *)(void *)at &= ~gone;
        else
            *(uint32_t *)(void *)at &= (uint32_t)~gone;
    }
}

static void
write_tree(const struct writing *writing, size_t index)
{
    const struct ax_forest_tree *tree = &writing->plan->forest->trees[index];
    const uint32_t *predicates = writing->plan->node_predicate + writing->plan->node_first[index];
    number_leaves(writing, tree);
    for (uint32_t n = 0; n < tree->node_count; n++)
        if (tree->nodes[n].left >= 0)
            write_node(writing, index, predicates[n], leaves_of(writing, tree->nodes[n].left),
                       leaves_of(writing, tree->nodes[n].right));
}

ax_status
ax_forest_masks_write(struct ax_ctx *ctx, const struct ax_forest_plan *plan, void *out)
{
    const struct ax_forest *forest = plan->forest;
    struct writing writing = {
        .plan = plan,
        .masks = ax_forest_masks_of(plan),
        .table = out,
        .column_at = AX_NEW_ARRAY(ctx->arena, size_t, plan->column_count + 1),
        .leaf = AX_NEW_ARRAY(ctx->arena, uint32_t, forest->tree_nodes_max + 1),
        .end = AX_NEW_ARRAY(ctx->arena, uint32_t, forest->tree_nodes_max + 1),
    };
    AX_ASSERT(writing.masks.each);
    if (!writing.column_at || !writing.leaf || !writing.end)
        return ax_fail(ctx, AX_LIMIT, "no memory for a forest's leaf masks");
    for (uint32_t i = 0; i < plan->column_count; i++)
        writing.column_at[i + 1] =
            writing.column_at[i] + ax_forest_masks_ranks(&plan->columns[i]) * writing.masks.rank;
    memset(out, 0xff, writing.masks.bytes);
    for (size_t t = 0; t < forest->tree_count; t++)
        write_tree(&writing, t);
    return AX_OK;
}
