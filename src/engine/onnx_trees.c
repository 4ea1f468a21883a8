#include "engine/onnx_trees.h"

#include <math.h>
#include <stdlib.h>

#include "base/number.h"
#include "engine/onnx_trees_draft.h"

enum { FEATURES_MAX = 1'000'000, VECTOR_CELLS_MAX = 1 << 26, FORMS_BYTES_MAX = 1 << 26 };

/* A node that asks for membership: `set` counts in the ensemble's values, and yes is left. */
enum { MEMBER = 1 << 16 };

/* ---- weights of leaves ---- */

ax_status
ax_onnx_trees_weigh(struct ax_ctx *ctx, struct ax_onnx_draft *draft,
                    const struct ax_onnx_weight *weights, size_t count)
{
    struct ax_onnx_trees *trees = draft->trees;
    size_t *starts = AX_NEW_ARRAY(trees->arena, size_t, draft->leaf_count + 2);
    int32_t *targets = AX_NEW_ARRAY(trees->arena, int32_t, count + 1);
    double *values = AX_NEW_ARRAY(trees->arena, double, count + 1);
    if (!starts || !targets || !values)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu weights", count);
    for (size_t i = 0; i < count; i++) {
        if (weights[i].target < 0 || (size_t)weights[i].target >= trees->target_count)
            return ax_fail(ctx, AX_INVALID, "weight %zu is for target %lld of %zu", i,
                           (long long)weights[i].target, trees->target_count);
        if (!isfinite(weights[i].value))
            return ax_fail(ctx, AX_INVALID, "weight %zu is not finite", i);
        starts[weights[i].leaf + 2]++;
    }
    for (size_t n = 0; n < draft->leaf_count; n++)
        starts[n + 2] += starts[n + 1];
    for (size_t i = 0; i < count; i++) {
        size_t at = starts[weights[i].leaf + 1]++;
        targets[at] = (int32_t)weights[i].target;
        values[at] = weights[i].value;
    }
    trees->starts = starts;
    trees->targets = targets;
    trees->weights = values;
    return AX_OK;
}

/* What leaf `number` adds to one target. */
static double
leaf_sum(const struct ax_onnx_trees *trees, size_t number, size_t target)
{
    double sum = 0;
    for (size_t w = trees->starts[number]; w < trees->starts[number + 1]; w++)
        if ((size_t)trees->targets[w] == target)
            sum += trees->weights[w];
    return sum;
}

/* ---- from drafts to forests ---- */

/* The smallest number of the type that is above v, or (equal) not below it. */
static double
moved_up(double v, bool wide, bool above)
{
    if (wide)
        return above ? nextafter(v, (double)INFINITY) : v;
    float narrow = (float)v;
    bool low = above ? (double)narrow <= v : (double)narrow < v;
    return (double)(low ? nextafterf(narrow, INFINITY) : narrow);
}

static struct ax_forest_node
split_of(const struct ax_onnx_draft_node *from, bool wide)
{
    bool swapped = false;
    bool missing_yes = from->missing_yes || from->mode == AX_ONNX_MODE_NEQ;
    struct ax_forest_node node = {.feature = (int32_t)from->feature};
    switch (from->mode) {
    case AX_ONNX_MODE_LEQ:
    case AX_ONNX_MODE_GT:
        swapped = from->mode == AX_ONNX_MODE_GT;
        node.threshold = moved_up(from->value, wide, true);
        if (isinf(from->value) && from->value > 0) { /* nothing is above: ask the other way round */
            node.threshold = -(double)INFINITY;
            swapped = !swapped;
        }
        break;
    case AX_ONNX_MODE_LT:
    case AX_ONNX_MODE_GTE:
        swapped = from->mode == AX_ONNX_MODE_GTE;
        node.threshold = moved_up(from->value, wide, false);
        break;
    case AX_ONNX_MODE_EQ:
    case AX_ONNX_MODE_NEQ:
        swapped = from->mode == AX_ONNX_MODE_NEQ;
        node.threshold = from->value;
        node.flags = AX_FOREST_EQUAL;
        break;
    case AX_ONNX_MODE_MEMBER:
    case AX_ONNX_MODE_LEAF:
        node.set.at = from->set_at;
        node.set.words = from->set_count;
        node.flags = MEMBER;
        break;
    }
    node.left = swapped ? from->no : from->yes;
    node.right = swapped ? from->yes : from->no;
    if (missing_yes != swapped)
        node.flags |= AX_FOREST_DEFAULT_LEFT;
    return node;
}

/* The one target that all leaves of a tree add to; -1: they add to several. */
static int32_t
output_of(const struct ax_onnx_trees *trees, const struct ax_onnx_draft_node *nodes, size_t count)
{
    int32_t output = -1;
    for (size_t i = 0; i < count; i++) {
        if (nodes[i].mode != AX_ONNX_MODE_LEAF)
            continue;
        for (size_t w = trees->starts[nodes[i].leaf]; w < trees->starts[nodes[i].leaf + 1]; w++) {
            if (output >= 0 && output != trees->targets[w])
                return -1;
            output = trees->targets[w];
        }
    }
    return output < 0 ? 0 : output;
}

/* All leaves' sums, a row of targets each. */
static ax_status
make_vectors(struct ax_ctx *ctx, const struct ax_onnx_draft *draft, struct ax_forest *forest)
{
    const struct ax_onnx_trees *trees = draft->trees;
    size_t cells;
    if (forest->vectors)
        return AX_OK;
    if (!ax_mul(draft->leaf_count, trees->target_count, &cells) || cells > VECTOR_CELLS_MAX)
        return ax_fail(ctx, AX_LIMIT, "%zu leaves of %zu targets", draft->leaf_count,
                       trees->target_count);
    forest->vectors = AX_NEW_ARRAY(trees->arena, double, cells);
    if (!forest->vectors)
        return ax_fail(ctx, AX_LIMIT, "no memory for the leaves of %zu targets",
                       trees->target_count);
    forest->vector_count = draft->leaf_count;
    for (size_t n = 0; n < draft->leaf_count; n++)
        for (size_t w = trees->starts[n]; w < trees->starts[n + 1]; w++)
            forest->vectors[n * trees->target_count + (size_t)trees->targets[w]] +=
                trees->weights[w];
    return AX_OK;
}

static ax_status
add_tree(struct ax_ctx *ctx, const struct ax_onnx_draft *draft, size_t index, bool wide,
         struct ax_forest_builder *builder)
{
    const struct ax_onnx_draft_tree *tree = &draft->tree_list[index];
    struct ax_forest_node *nodes = AX_NEW_ARRAY(ctx->arena, struct ax_forest_node, tree->count);
    struct ax_forest_source source = {.nodes = nodes, .node_count = tree->count};
    if (!nodes)
        return ax_fail(ctx, AX_LIMIT, "no memory for a tree");
    source.output = output_of(draft->trees, tree->nodes, tree->count);
    if (source.output < 0)
        AX_TRY(make_vectors(ctx, draft, builder->forest));
    for (size_t i = 0; i < tree->count; i++) {
        const struct ax_onnx_draft_node *from = &tree->nodes[i];
        if (from->mode != AX_ONNX_MODE_LEAF) {
            nodes[i] = split_of(from, wide);
            continue;
        }
        nodes[i] = (struct ax_forest_node){.left = -1, .number = from->leaf};
        if (source.output < 0)
            nodes[i].vector = from->leaf;
        else
            nodes[i].leaf = leaf_sum(draft->trees, (size_t)from->leaf, (size_t)source.output);
    }
    ax_status status = ax_forest_add(builder, ctx, index, &source);
    if (status == AX_OK && builder->forest->trees[index].node_count != tree->count)
        status = ax_fail(ctx, AX_INVALID, "%zu of its nodes cannot be reached from its root",
                         tree->count - builder->forest->trees[index].node_count);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "tree %lld", (long long)tree->name);
}

/* Sums are the forest's kernels'; anything else goes row by row. */
static bool
are_sums(const struct ax_onnx_trees *trees, const struct ax_onnx_ensemble *ensemble)
{
    return !ensemble->members && !(trees->partial && trees->base) &&
           trees->aggregate != AX_ONNX_MIN && trees->aggregate != AX_ONNX_MAX;
}

/* Does each leaf of the tree have a weight for the target? */
static bool
covers(const struct ax_onnx_trees *trees, const struct ax_onnx_draft_tree *tree, size_t target)
{
    for (size_t i = 0; i < tree->count; i++) {
        bool found = tree->nodes[i].mode != AX_ONNX_MODE_LEAF;
        size_t leaf = (size_t)tree->nodes[i].leaf;
        for (size_t w = trees->starts[leaf]; !found && w < trees->starts[leaf + 1]; w++)
            found = (size_t)trees->targets[w] == target;
        if (!found)
            return false;
    }
    return true;
}

static bool
are_partial(const struct ax_onnx_draft *draft)
{
    for (size_t k = 0; k < draft->trees->target_count; k++) {
        bool covered = false;
        for (size_t t = 0; t < draft->tree_count && !covered; t++)
            covered = covers(draft->trees, &draft->tree_list[t], k);
        if (!covered)
            return true;
    }
    return false;
}

static ax_status
build_ensemble(struct ax_ctx *ctx, const struct ax_onnx_draft *draft, bool wide,
               struct ax_onnx_ensemble *out)
{
    const struct ax_onnx_trees *trees = draft->trees;
    static const struct ax_engine_config defaults = {};
    struct ax_forest_builder builder;
    out->forest = (struct ax_forest){
        .tree_count = draft->tree_count,
        .feature_count = trees->feature_count,
        .output_count = trees->target_count,
        .base = AX_NEW_ARRAY(trees->arena, double, trees->target_count),
        .f32 = !wide,
    };
    out->values = draft->values;
    if (!out->forest.base)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu targets", trees->target_count);
    AX_TRY(ax_forest_build(ctx, trees->arena, &out->forest, &builder));
    for (size_t i = 0; i < draft->tree_count; i++) {
        AX_TRY(add_tree(ctx, draft, i, wide, &builder));
        for (size_t n = 0; n < draft->tree_list[i].count; n++)
            out->members |= draft->tree_list[i].nodes[n].mode == AX_ONNX_MODE_MEMBER;
    }
    if (!are_sums(trees, out))
        return AX_OK;
    AX_TRY(ax_forest_scorer_init(ctx, &out->forest, &defaults, trees->arena, FORMS_BYTES_MAX,
                                 &out->scorer));
    return ax_forest_scorer_finish(&out->scorer, ctx, trees->arena);
}

ax_status
ax_onnx_trees_build(struct ax_ctx *ctx, const struct ax_onnx_draft *draft, bool narrow, bool wide)
{
    struct ax_onnx_trees *trees = draft->trees;
    int64_t most = -1;
    if (draft->tree_count == 0)
        return ax_fail(ctx, AX_INVALID, "an ensemble of no trees");
    for (size_t i = 0; i < draft->tree_count; i++)
        for (size_t n = 0; n < draft->tree_list[i].count; n++) {
            const struct ax_onnx_draft_node *node = &draft->tree_list[i].nodes[n];
            if (node->mode == AX_ONNX_MODE_LEAF)
                continue;
            if (node->feature < 0 || node->feature >= FEATURES_MAX)
                return ax_fail(ctx, AX_INVALID, "tree %lld, node %lld: splits on feature %lld",
                               (long long)draft->tree_list[i].name, (long long)node->name,
                               (long long)node->feature);
            if (isnan(node->value) && node->mode != AX_ONNX_MODE_MEMBER)
                return ax_fail(ctx, AX_INVALID, "tree %lld, node %lld: the threshold is NaN",
                               (long long)draft->tree_list[i].name, (long long)node->name);
            most = node->feature > most ? node->feature : most;
        }
    trees->feature_count = (size_t)(most + 1);
    trees->partial = !trees->classes && are_partial(draft);
    if (narrow)
        AX_TRY(build_ensemble(ctx, draft, false, &trees->narrow));
    return wide ? build_ensemble(ctx, draft, true, &trees->wide) : AX_OK;
}

/* ---- scoring ---- */

static bool
is_member(const struct ax_onnx_ensemble *ensemble, const struct ax_forest_node *node, double x)
{
    for (uint32_t i = 0; i < node->set.words; i++)
        if (ensemble->values[node->set.at + i] == x)
            return true;
    return false;
}

static bool
goes_left(const struct ax_onnx_ensemble *ensemble, const struct ax_forest_node *node, double x)
{
    if (!(node->flags & MEMBER))
        return ax_forest_goes_left(&ensemble->forest, node, x);
    return isnan(x) ? node->flags & AX_FOREST_DEFAULT_LEFT : is_member(ensemble, node, x);
}

static size_t
leaf_number(const struct ax_onnx_ensemble *ensemble, const struct ax_forest_tree *tree,
            const double *row)
{
    const struct ax_forest_node *node = tree->nodes;
    while (node->left >= 0)
        node =
            &tree->nodes[goes_left(ensemble, node, row[node->feature]) ? node->left : node->right];
    return (size_t)node->number;
}

/* One weight more for a target; NaN: none so far. */
static double
aggregate(enum ax_onnx_aggregate how, bool f32, double so_far, double weight)
{
    double sum = so_far + weight;
    if (isnan(so_far))
        return weight;
    if (how == AX_ONNX_MIN)
        return weight < so_far ? weight : so_far;
    if (how == AX_ONNX_MAX)
        return weight > so_far ? weight : so_far;
    return f32 ? (double)(float)sum : sum;
}

static double
with_base(const struct ax_onnx_trees *trees, const struct ax_onnx_ensemble *ensemble, size_t target,
          double score)
{
    if (trees->aggregate == AX_ONNX_AVERAGE)
        score /= (double)ensemble->forest.tree_count;
    if (trees->base)
        score += trees->base[target];
    return ensemble->forest.f32 ? (double)(float)score : score;
}

/* Weight by weight: for extremes, and for nodes that no forest has. */
static void
score_by_weights(const struct ax_onnx_trees *trees, const struct ax_onnx_ensemble *ensemble,
                 const double *row, double *out)
{
    for (size_t k = 0; k < trees->target_count; k++)
        out[k] = (double)NAN;
    for (size_t t = 0; t < ensemble->forest.tree_count; t++) {
        size_t leaf = leaf_number(ensemble, &ensemble->forest.trees[t], row);
        for (size_t w = trees->starts[leaf]; w < trees->starts[leaf + 1]; w++)
            out[trees->targets[w]] = aggregate(trees->aggregate, ensemble->forest.f32,
                                               out[trees->targets[w]], trees->weights[w]);
    }
    for (size_t k = 0; k < trees->target_count; k++)
        out[k] = isnan(out[k]) ? 0 : with_base(trees, ensemble, k, out[k]);
}

size_t
ax_onnx_trees_scratch_bytes(const struct ax_onnx_trees *trees, bool wide)
{
    const struct ax_onnx_ensemble *ensemble = wide ? &trees->wide : &trees->narrow;
    return are_sums(trees, ensemble) ? ensemble->scorer.scratch_bytes
                                     : trees->feature_count * sizeof(double);
}

static void
score_one_by_one(const struct ax_onnx_trees *trees, const struct ax_onnx_ensemble *ensemble,
                 const struct ax_forest_rows *rows, double *row, double *out)
{
    for (size_t i = 0; i < rows->count; i++) {
        const void *at = (const char *)rows->at + i * rows->stride_bytes;
        const float *floats = at;
        const double *doubles = at;
        for (size_t f = 0; f < trees->feature_count; f++)
            row[f] = rows->f32 ? (double)floats[f] : doubles[f];
        score_by_weights(trees, ensemble, row, out + i * trees->target_count);
    }
}

void
ax_onnx_trees_score(const struct ax_onnx_trees *trees, const struct ax_forest_rows *rows,
                    void *scratch, double *out)
{
    const struct ax_onnx_ensemble *ensemble = rows->f32 ? &trees->narrow : &trees->wide;
    if (!are_sums(trees, ensemble)) {
        score_one_by_one(trees, ensemble, rows, scratch, out);
        return;
    }
    ax_forest_scorer_run(&ensemble->scorer, rows, scratch, out);
    for (size_t i = 0; i < rows->count * trees->target_count; i++)
        out[i] = with_base(trees, ensemble, i % trees->target_count, out[i]);
}
