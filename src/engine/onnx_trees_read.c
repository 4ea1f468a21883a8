#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "engine/onnx_trees_draft.h"

/*
 * Reads both forms of a tree ensemble's arrays into drafts.
 *
 * Versions 1 and 3 name nodes by tree and number, in any order; version 5 counts interior nodes
 * and leaves through all trees.
 */

static ax_status
out_of_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a tree ensemble");
}

static ax_status
need_count(struct ax_ctx *ctx, const char *name, size_t count, size_t wanted)
{
    return count == wanted
               ? AX_OK
               : ax_fail(ctx, AX_INVALID, "`%s` has %zu items for %zu", name, count, wanted);
}

ax_status
ax_onnx_trees_numbers(struct ax_ctx *ctx, const struct ax_onnx_node *node, const char *floats,
                      const char *tensor, const double **out, size_t *out_count)
{
    struct ax_onnx_floats narrow = ax_onnx_attribute_floats(node, floats);
    const struct ax_onnx_attribute *given = ax_onnx_attribute(node, tensor);
    size_t count = given ? given->tensor->count : narrow.count;
    if (given && (narrow.count || given->tensor->type == AX_TENSOR_BYTES))
        return ax_fail(ctx, AX_INVALID, "`%s` beside `%s`, or of texts", tensor, floats);
    double *numbers = AX_NEW_ARRAY(ctx->arena, double, count + 1);
    if (!numbers)
        return out_of_memory(ctx);
    for (size_t i = 0; i < count; i++)
        numbers[i] = given ? ax_tensor_f64(given->tensor, i) : (double)narrow.items[i];
    *out = numbers;
    *out_count = count;
    return AX_OK;
}

/* ---- versions 1 and 3 ---- */

/* A node's name and where it stands in the arrays. */
struct key {
    int64_t tree, node;
    size_t at;
};

static int
by_name(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int tree = (x->tree > y->tree) - (x->tree < y->tree);
    return tree ? tree : (x->node > y->node) - (x->node < y->node);
}

struct arrays {
    size_t count;
    struct ax_onnx_ints trees, nodes, features, yes, no, missing;
    const double *values;
    enum ax_onnx_mode *modes;
    struct key *keys; /* sorted by name */
    size_t *places;   /* in `keys`, of each node of the arrays */
    int32_t *leaves;  /* numbers of those that are leaves */
};

static bool
find_mode(ax_str word, enum ax_onnx_mode *out)
{
    static const char *const words[] = {
        [AX_ONNX_MODE_LEQ] = "BRANCH_LEQ", [AX_ONNX_MODE_LT] = "BRANCH_LT",
        [AX_ONNX_MODE_GTE] = "BRANCH_GTE", [AX_ONNX_MODE_GT] = "BRANCH_GT",
        [AX_ONNX_MODE_EQ] = "BRANCH_EQ",   [AX_ONNX_MODE_NEQ] = "BRANCH_NEQ",
        [AX_ONNX_MODE_MEMBER] = "",        [AX_ONNX_MODE_LEAF] = "LEAF",
    };
    for (size_t i = 0; i < AX_COUNT_OF(words); i++)
        if (word.len && ax_str_eq(word, ax_str_of(words[i]))) {
            *out = (enum ax_onnx_mode)i;
            return true;
        }
    return false;
}

static ax_status
read_modes(struct ax_ctx *ctx, const struct ax_onnx_node *node, struct arrays *arrays,
           size_t *out_leaf_count)
{
    struct ax_onnx_texts words = ax_onnx_attribute_texts(node, "nodes_modes");
    AX_TRY(need_count(ctx, "nodes_modes", words.count, arrays->count));
    arrays->modes = AX_NEW_ARRAY(ctx->arena, enum ax_onnx_mode, arrays->count + 1);
    arrays->leaves = AX_NEW_ARRAY(ctx->arena, int32_t, arrays->count + 1);
    if (!arrays->modes || !arrays->leaves)
        return out_of_memory(ctx);
    for (size_t i = 0; i < words.count; i++) {
        ax_str word = words.items[i];
        if (!find_mode(word, &arrays->modes[i]))
            return ax_fail(ctx, AX_INVALID, "`nodes_modes`[%zu] is `%.*s`", i,
                           word.len > 32 ? 32 : (int)word.len, word.at);
        if (arrays->modes[i] == AX_ONNX_MODE_LEAF)
            arrays->leaves[i] = (int32_t)(*out_leaf_count)++;
    }
    return AX_OK;
}

static ax_status
read_arrays(struct ax_ctx *ctx, const struct ax_onnx_node *node, struct arrays *out)
{
    struct {
        const char *name;
        struct ax_onnx_ints *ints;
        bool optional;
    } lists[] = {
        {"nodes_nodeids", &out->nodes, false},
        {"nodes_featureids", &out->features, false},
        {"nodes_truenodeids", &out->yes, false},
        {"nodes_falsenodeids", &out->no, false},
        {"nodes_missing_value_tracks_true", &out->missing, true},
    };
    size_t values;
    out->trees = ax_onnx_attribute_ints(node, "nodes_treeids");
    out->count = out->trees.count;
    if (out->count > INT32_MAX / 4)
        return ax_fail(ctx, AX_LIMIT, "%zu nodes", out->count);
    for (size_t i = 0; i < AX_COUNT_OF(lists); i++) {
        *lists[i].ints = ax_onnx_attribute_ints(node, lists[i].name);
        if (!lists[i].optional || lists[i].ints->count)
            AX_TRY(need_count(ctx, lists[i].name, lists[i].ints->count, out->count));
    }
    AX_TRY(ax_onnx_trees_numbers(ctx, node, "nodes_values", "nodes_values_as_tensor", &out->values,
                                 &values));
    return need_count(ctx, "nodes_values", values, out->count);
}

static ax_status
sort_names(struct ax_ctx *ctx, struct arrays *arrays)
{
    arrays->keys = AX_NEW_ARRAY(ctx->arena, struct key, arrays->count + 1);
    arrays->places = AX_NEW_ARRAY(ctx->arena, size_t, arrays->count + 1);
    if (!arrays->keys || !arrays->places)
        return out_of_memory(ctx);
    for (size_t i = 0; i < arrays->count; i++)
        arrays->keys[i] = (struct key){arrays->trees.items[i], arrays->nodes.items[i], i};
    qsort(arrays->keys, arrays->count, sizeof *arrays->keys, by_name);
    for (size_t i = 0; i < arrays->count; i++) {
        if (i > 0 && by_name(&arrays->keys[i - 1], &arrays->keys[i]) == 0)
            return ax_fail(ctx, AX_INVALID, "tree %lld has two nodes %lld",
                           (long long)arrays->keys[i].tree, (long long)arrays->keys[i].node);
        arrays->places[arrays->keys[i].at] = i;
    }
    return AX_OK;
}

static const struct key *
find_node(const struct arrays *arrays, int64_t tree, int64_t node)
{
    const struct key wanted = {.tree = tree, .node = node};
    return arrays->count ? bsearch(&wanted, arrays->keys, arrays->count, sizeof wanted, by_name)
                         : NULL;
}

/* A tree: a run of the sorted names. */
struct run {
    size_t first; /* the earliest of its nodes in the arrays: trees are added in this order */
    size_t from, to;
};

static int
by_first(const void *a, const void *b)
{
    const struct run *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static ax_status
find_runs(struct ax_ctx *ctx, const struct arrays *arrays, struct run **out_runs, size_t *out_count)
{
    struct {
        AX_ARRAY(struct run)
    } runs = {};
    for (size_t i = 0; i < arrays->count; i++) {
        const struct key *key = &arrays->keys[i];
        if (i == 0 || key->tree != key[-1].tree) {
            struct run *begun = AX_ARRAY_PUSH(ctx->arena, &runs);
            if (!begun)
                return out_of_memory(ctx);
            *begun = (struct run){.first = key->at, .from = i};
        }
        AX_ASSERT(runs.items && runs.count > 0);
        struct run *run = &runs.items[runs.count - 1];
        run->first = key->at < run->first ? key->at : run->first;
        run->to = i + 1;
    }
    if (runs.count)
        qsort(runs.items, runs.count, sizeof *runs.items, by_first);
    *out_runs = runs.items;
    *out_count = runs.count;
    return AX_OK;
}

/* A child's place in its tree's run. */
static ax_status
find_child(struct ax_ctx *ctx, const struct arrays *arrays, const struct run *run, size_t parent,
           int64_t child, int32_t *out)
{
    const struct key *key = find_node(arrays, arrays->trees.items[parent], child);
    if (!key)
        return ax_fail(ctx, AX_INVALID, "tree %lld, node %lld: its child %lld does not exist",
                       (long long)arrays->trees.items[parent],
                       (long long)arrays->nodes.items[parent], (long long)child);
    *out = (int32_t)((size_t)(key - arrays->keys) - run->from);
    return AX_OK;
}

/* Numbers the nodes anew so that the root is the first: turned round by its place. */
static void
root_first(struct ax_onnx_draft_node *nodes, size_t count, size_t root,
           struct ax_onnx_draft_node *out)
{
    int32_t all = (int32_t)count, first = (int32_t)root;
    for (size_t i = 0; i < count; i++) {
        struct ax_onnx_draft_node node = nodes[i];
        node.yes = (node.yes + all - first) % all;
        node.no = (node.no + all - first) % all;
        out[(i + count - root) % count] = node;
    }
}

static ax_status
draft_tree(struct ax_ctx *ctx, const struct arrays *arrays, const struct run *run,
           struct ax_onnx_draft_tree *out)
{
    AX_ASSERT(run);
    size_t count = run->to - run->from, root = SIZE_MAX;
    struct ax_onnx_draft_node *nodes = AX_NEW_ARRAY(ctx->arena, struct ax_onnx_draft_node, count);
    bool *child = AX_NEW_ARRAY(ctx->arena, bool, count);
    *out = (struct ax_onnx_draft_tree){
        .name = arrays->keys[run->from].tree,
        .nodes = AX_NEW_ARRAY(ctx->arena, struct ax_onnx_draft_node, count),
        .count = count,
    };
    if (!nodes || !child || !out->nodes)
        return out_of_memory(ctx);
    for (size_t i = 0; i < count; i++) {
        size_t at = arrays->keys[run->from + i].at;
        nodes[i] = (struct ax_onnx_draft_node){
            .mode = arrays->modes[at],
            .name = arrays->nodes.items[at],
            .feature = arrays->features.items[at],
            .value = arrays->values[at],
            .missing_yes = arrays->missing.count && arrays->missing.items[at] != 0,
            .leaf = arrays->leaves[at],
        };
        if (nodes[i].mode == AX_ONNX_MODE_LEAF)
            continue;
        AX_TRY(find_child(ctx, arrays, run, at, arrays->yes.items[at], &nodes[i].yes));
        AX_TRY(find_child(ctx, arrays, run, at, arrays->no.items[at], &nodes[i].no));
        child[nodes[i].yes] = child[nodes[i].no] = true;
    }
    for (size_t i = 0; i < count; i++) {
        if (!child[i] && root != SIZE_MAX)
            return ax_fail(ctx, AX_INVALID, "tree %lld has two roots, nodes %lld and %lld",
                           (long long)out->name, (long long)nodes[root].name,
                           (long long)nodes[i].name);
        root = child[i] ? root : i;
    }
    if (root == SIZE_MAX)
        return ax_fail(ctx, AX_INVALID, "tree %lld has no root: its nodes are on a cycle",
                       (long long)out->name);
    root_first(nodes, count, root, out->nodes);
    return AX_OK;
}

static ax_status
read_weights(struct ax_ctx *ctx, const struct ax_onnx_node *node,
             const struct ax_onnx_weight_names *names, bool single, const struct arrays *arrays,
             struct ax_onnx_draft *draft)
{
    struct ax_onnx_ints tree_ids = ax_onnx_attribute_ints(node, names->trees);
    struct ax_onnx_ints node_ids = ax_onnx_attribute_ints(node, names->nodes);
    struct ax_onnx_ints ids = ax_onnx_attribute_ints(node, names->ids);
    const double *values;
    size_t count;
    AX_TRY(ax_onnx_trees_numbers(ctx, node, names->weights, names->weights_as_tensor, &values,
                                 &count));
    AX_TRY(need_count(ctx, names->trees, tree_ids.count, count));
    AX_TRY(need_count(ctx, names->nodes, node_ids.count, count));
    AX_TRY(need_count(ctx, names->ids, ids.count, count));
    struct ax_onnx_weight *weights = AX_NEW_ARRAY(ctx->arena, struct ax_onnx_weight, count + 1);
    if (!weights)
        return out_of_memory(ctx);
    for (size_t i = 0; i < count; i++) {
        const struct key *key = find_node(arrays, tree_ids.items[i], node_ids.items[i]);
        if (!key || arrays->modes[key->at] != AX_ONNX_MODE_LEAF)
            return ax_fail(ctx, AX_INVALID, "weight %zu is for node %lld of tree %lld, which is %s",
                           i, (long long)node_ids.items[i], (long long)tree_ids.items[i],
                           key ? "a branch" : "not there");
        weights[i] = (struct ax_onnx_weight){(size_t)arrays->leaves[key->at],
                                             single ? 0 : ids.items[i], values[i]};
    }
    return ax_onnx_trees_weigh(ctx, draft, weights, count);
}

ax_status
ax_onnx_trees_read(struct ax_ctx *ctx, const struct ax_onnx_node *node,
                   const struct ax_onnx_weight_names *names, bool single,
                   struct ax_onnx_trees *trees)
{
    struct arrays arrays = {};
    struct ax_onnx_draft draft = {.trees = trees};
    struct run *runs;
    AX_TRY(read_arrays(ctx, node, &arrays));
    AX_TRY(read_modes(ctx, node, &arrays, &draft.leaf_count));
    AX_TRY(sort_names(ctx, &arrays));
    AX_TRY(find_runs(ctx, &arrays, &runs, &draft.tree_count));
    draft.tree_list = AX_NEW_ARRAY(ctx->arena, struct ax_onnx_draft_tree, draft.tree_count + 1);
    if (!draft.tree_list)
        return out_of_memory(ctx);
    AX_TRY(read_weights(ctx, node, names, single, &arrays, &draft));
    for (size_t i = 0; i < draft.tree_count; i++)
        AX_TRY(draft_tree(ctx, &arrays, &runs[i], &draft.tree_list[i]));
    return ax_onnx_trees_build(ctx, &draft, true, node->doubles);
}

/* ---- version 5 ---- */

struct arrays5 {
    size_t count, leaf_count;
    struct ax_onnx_ints features, yes, no, yes_leaf, no_leaf, missing, targets, roots;
    const struct ax_tensor *splits, *modes, *weights;
    uint32_t *set_at, *set_count; /* of MEMBER nodes, in `values` */
    double *values;
    bool *met; /* interior nodes that a tree has */
};

static ax_status
need_tensor(struct ax_ctx *ctx, const struct ax_onnx_node *node, const char *name, size_t count,
            const struct ax_tensor **out)
{
    const struct ax_onnx_attribute *attribute = ax_onnx_attribute(node, name);
    if (!attribute || attribute->tensor->type == AX_TENSOR_BYTES)
        return ax_fail(ctx, AX_INVALID, "`%s` is missing, or of texts", name);
    *out = attribute->tensor;
    return need_count(ctx, name, attribute->tensor->count, count);
}

/* Sets follow each other in the order of the MEMBER nodes, each ended by a NaN. */
static ax_status
read_sets(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_node *node,
          struct arrays5 *arrays)
{
    const struct ax_onnx_attribute *given = ax_onnx_attribute(node, "membership_values");
    size_t count = given ? given->tensor->count : 0, at = 0;
    arrays->values = AX_NEW_ARRAY(arena, double, count + 1);
    arrays->set_at = AX_NEW_ARRAY(ctx->arena, uint32_t, arrays->count + 1);
    arrays->set_count = AX_NEW_ARRAY(ctx->arena, uint32_t, arrays->count + 1);
    if (!arrays->values || !arrays->set_at || !arrays->set_count)
        return out_of_memory(ctx);
    if (given && given->tensor->type == AX_TENSOR_BYTES)
        return ax_fail(ctx, AX_INVALID, "`membership_values` is of texts");
    for (size_t i = 0; i < count; i++)
        arrays->values[i] = ax_tensor_f64(given->tensor, i);
    for (size_t i = 0; i < arrays->count; i++) {
        if (ax_tensor_f64(arrays->modes, i) != AX_ONNX_MODE_MEMBER)
            continue;
        arrays->set_at[i] = (uint32_t)at;
        while (at < count && !isnan(arrays->values[at]))
            at++;
        if (at == count)
            return ax_fail(ctx, AX_INVALID, "`membership_values` ends before the set of node %zu",
                           i);
        arrays->set_count[i] = (uint32_t)at++ - arrays->set_at[i];
    }
    return AX_OK;
}

static ax_status
read_arrays5(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_node *node,
             struct arrays5 *out)
{
    struct {
        const char *name;
        struct ax_onnx_ints *ints;
    } lists[] = {
        {"nodes_truenodeids", &out->yes},
        {"nodes_falsenodeids", &out->no},
        {"nodes_trueleafs", &out->yes_leaf},
        {"nodes_falseleafs", &out->no_leaf},
        {"nodes_missing_value_tracks_true", &out->missing},
    };
    out->features = ax_onnx_attribute_ints(node, "nodes_featureids");
    out->targets = ax_onnx_attribute_ints(node, "leaf_targetids");
    out->roots = ax_onnx_attribute_ints(node, "tree_roots");
    out->count = out->features.count;
    out->leaf_count = out->targets.count;
    if (out->count > INT32_MAX / 4)
        return ax_fail(ctx, AX_LIMIT, "%zu nodes", out->count);
    for (size_t i = 0; i < AX_COUNT_OF(lists); i++) {
        *lists[i].ints = ax_onnx_attribute_ints(node, lists[i].name);
        if (i + 1 < AX_COUNT_OF(lists) || lists[i].ints->count)
            AX_TRY(need_count(ctx, lists[i].name, lists[i].ints->count, out->count));
    }
    AX_TRY(need_tensor(ctx, node, "nodes_splits", out->count, &out->splits));
    AX_TRY(need_tensor(ctx, node, "nodes_modes", out->count, &out->modes));
    AX_TRY(need_tensor(ctx, node, "leaf_weights", out->leaf_count, &out->weights));
    out->met = AX_NEW_ARRAY(ctx->arena, bool, out->count + 1);
    return out->met ? read_sets(ctx, arena, node, out) : out_of_memory(ctx);
}

struct growing_tree {
    AX_ARRAY(struct ax_onnx_draft_node)
};

/* Leaves are numbered as they are met: each reference to one is a leaf of its own. */
struct growing_weights {
    AX_ARRAY(struct ax_onnx_weight)
};

static ax_status
grow_leaf(struct ax_ctx *ctx, const struct arrays5 *arrays, int64_t leaf, struct growing_tree *tree,
          struct growing_weights *weights)
{
    struct ax_onnx_draft_node *node = AX_ARRAY_PUSH(ctx->arena, tree);
    struct ax_onnx_weight *weight = AX_ARRAY_PUSH(ctx->arena, weights);
    if (!node || !weight)
        return out_of_memory(ctx);
    if (leaf < 0 || (size_t)leaf >= arrays->leaf_count)
        return ax_fail(ctx, AX_INVALID, "leaf %lld of %zu", (long long)leaf, arrays->leaf_count);
    *weight = (struct ax_onnx_weight){weights->count - 1, arrays->targets.items[leaf],
                                      ax_tensor_f64(arrays->weights, (size_t)leaf)};
    *node = (struct ax_onnx_draft_node){
        .mode = AX_ONNX_MODE_LEAF, .name = leaf, .leaf = (int32_t)(weights->count - 1)};
    return AX_OK;
}

static ax_status
grow_branch(struct ax_ctx *ctx, const struct arrays5 *arrays, int64_t index,
            struct growing_tree *tree)
{
    struct ax_onnx_draft_node *node = AX_ARRAY_PUSH(ctx->arena, tree);
    if (!node)
        return out_of_memory(ctx);
    if (index < 0 || (size_t)index >= arrays->count)
        return ax_fail(ctx, AX_INVALID, "node %lld of %zu", (long long)index, arrays->count);
    double mode = ax_tensor_f64(arrays->modes, (size_t)index);
    if (arrays->met[index])
        return ax_fail(ctx, AX_INVALID, "node %lld has two parents or is its own ancestor",
                       (long long)index);
    if (!(mode >= 0 && mode <= AX_ONNX_MODE_MEMBER))
        return ax_fail(ctx, AX_INVALID, "`nodes_modes`[%lld] is %g", (long long)index, mode);
    arrays->met[index] = true;
    *node = (struct ax_onnx_draft_node){
        .mode = (enum ax_onnx_mode)mode,
        .name = index,
        .feature = arrays->features.items[index],
        .value = ax_tensor_f64(arrays->splits, (size_t)index),
        .missing_yes = arrays->missing.count && arrays->missing.items[index] != 0,
        .set_at = arrays->set_at[index],
        .set_count = arrays->set_count[index],
    };
    return AX_OK;
}

/* Breadth first: children are appended behind the nodes that are already there. */
static ax_status
grow_tree(struct ax_ctx *ctx, const struct arrays5 *arrays, int64_t root,
          struct growing_weights *weights, struct ax_onnx_draft_tree *out)
{
    struct growing_tree tree = {};
    AX_TRY(grow_branch(ctx, arrays, root, &tree));
    for (size_t i = 0; i < tree.count; i++) {
        int64_t name = tree.items[i].name;
        if (tree.items[i].mode == AX_ONNX_MODE_LEAF)
            continue;
        tree.items[i].yes = (int32_t)tree.count;
        tree.items[i].no = (int32_t)tree.count + 1;
        AX_TRY(arrays->yes_leaf.items[name]
                   ? grow_leaf(ctx, arrays, arrays->yes.items[name], &tree, weights)
                   : grow_branch(ctx, arrays, arrays->yes.items[name], &tree));
        AX_TRY(arrays->no_leaf.items[name]
                   ? grow_leaf(ctx, arrays, arrays->no.items[name], &tree, weights)
                   : grow_branch(ctx, arrays, arrays->no.items[name], &tree));
    }
    *out = (struct ax_onnx_draft_tree){.name = root, .nodes = tree.items, .count = tree.count};
    return AX_OK;
}

ax_status
ax_onnx_trees_read_v5(struct ax_ctx *ctx, const struct ax_onnx_node *node,
                      struct ax_onnx_trees *trees)
{
    struct arrays5 arrays = {};
    struct growing_weights weights = {};
    AX_TRY(read_arrays5(ctx, trees->arena, node, &arrays));
    struct ax_onnx_draft draft = {
        .trees = trees, .tree_count = arrays.roots.count, .values = arrays.values};
    draft.tree_list = AX_NEW_ARRAY(ctx->arena, struct ax_onnx_draft_tree, draft.tree_count + 1);
    if (!draft.tree_list)
        return out_of_memory(ctx);
    for (size_t i = 0; i < draft.tree_count; i++) {
        ax_status status =
            grow_tree(ctx, &arrays, arrays.roots.items[i], &weights, &draft.tree_list[i]);
        if (status != AX_OK)
            return ax_explain(ctx, status, "tree %zu", i);
    }
    draft.leaf_count = weights.count;
    AX_TRY(ax_onnx_trees_weigh(ctx, &draft, weights.items, weights.count));
    bool wide = arrays.splits->type == AX_TENSOR_FP64;
    return ax_onnx_trees_build(ctx, &draft, !wide, wide);
}
