#include "engine/forest.h"

#include <float.h>

#include "base/assert.h"

enum { STACK_SPARE = 2 };

static ax_status
out_of_memory(struct ax_ctx *ctx, const char *what)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for %s", what);
}

static uint32_t
larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

ax_status
ax_forest_build(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_forest *forest,
                struct ax_forest_builder *out_builder)
{
    *out_builder = (struct ax_forest_builder){.forest = forest, .arena = arena};
    out_builder->level_met = AX_NEW_ARRAY(ctx->arena, uint32_t, forest->feature_count);
    forest->trees = AX_NEW_ARRAY(arena, struct ax_forest_tree, forest->tree_count);
    forest->mean = AX_NEW_ARRAY(arena, double, forest->output_count);
    forest->split_counts = AX_NEW_ARRAY(arena, uint32_t, forest->feature_count);
    forest->categorical = AX_NEW_ARRAY(arena, bool, forest->feature_count);
    if (!out_builder->level_met || !forest->trees || !forest->mean || !forest->split_counts ||
        !forest->categorical)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu trees", forest->tree_count);
    memcpy(forest->mean, forest->base, forest->output_count * sizeof *forest->mean);
    forest->covers = true;
    return AX_OK;
}

/* Working arrays for a tree of node_count nodes; they only grow, by doubling. */
static ax_status
make_room(struct ax_forest_builder *builder, struct ax_ctx *ctx, size_t node_count)
{
    if (node_count > builder->room) {
        size_t room = node_count > builder->room * 2 ? node_count : builder->room * 2;
        struct ax_arena *arena = ctx->arena;
        builder->nodes = AX_NEW_ARRAY(arena, struct ax_forest_node, room);
        builder->share = AX_NEW_ARRAY(arena, double, room);
        builder->met = AX_NEW_ARRAY(arena, bool, room);
        builder->stack = AX_NEW_ARRAY(arena, struct ax_forest_step, room + STACK_SPARE);
        builder->path = AX_NEW_ARRAY(arena, struct ax_forest_path, room + 1);
        if (!builder->nodes || !builder->share || !builder->met || !builder->stack ||
            !builder->path)
            return out_of_memory(ctx, "a tree's nodes");
        builder->room = room;
    }
    memset(builder->met, 0, node_count * sizeof *builder->met);
    return AX_OK;
}

/* The features and numbers of a leaf that is a linear function. */
static ax_status
check_linear(const struct ax_forest *forest, struct ax_ctx *ctx, const struct ax_forest_node *node,
             int32_t at)
{
    if (node->linear < 0 || (size_t)node->linear > forest->linear_count)
        return ax_fail(ctx, AX_INVALID, "node %d: linear leaf %d of %zu", at, node->linear,
                       forest->linear_count);
    const struct ax_forest_linear *linear = &forest->linears[node->linear - 1];
    if (!isfinite(linear->constant))
        return ax_fail(ctx, AX_INVALID, "node %d: the constant of a linear leaf must be finite",
                       at);
    for (size_t i = 0; i < linear->count; i++) {
        if (linear->features[i] < 0 || (size_t)linear->features[i] >= forest->feature_count)
            return ax_fail(ctx, AX_INVALID, "node %d: a linear leaf on feature %d of %zu", at,
                           linear->features[i], forest->feature_count);
        if (!isfinite(linear->coefficients[i]))
            return ax_fail(ctx, AX_INVALID, "node %d: a coefficient must be finite", at);
    }
    return AX_OK;
}

static ax_status
check_leaf(const struct ax_forest *forest, struct ax_ctx *ctx,
           const struct ax_forest_source *source, int32_t at)
{
    const struct ax_forest_node *node = &source->nodes[at];
    if (source->output >= 0 && !isfinite(node->leaf))
        return ax_fail(ctx, AX_INVALID, "node %d: a leaf value must be finite", at);
    if (source->output >= 0)
        return forest->linear_count && node->linear ? check_linear(forest, ctx, node, at) : AX_OK;
    if (node->vector < 0 || (size_t)node->vector >= forest->vector_count)
        return ax_fail(ctx, AX_INVALID, "node %d: leaf vector %d of %zu", at, node->vector,
                       forest->vector_count);
    for (size_t k = 0; k < forest->output_count; k++)
        if (!isfinite(forest->vectors[(size_t)node->vector * forest->output_count + k]))
            return ax_fail(ctx, AX_INVALID, "node %d: a leaf value must be finite", at);
    return AX_OK;
}

/* A split on numbers with nothing to say against it: nearly all are. */
static bool
is_plain_split(const struct ax_forest *forest, const struct ax_forest_source *source,
               const struct ax_forest_node *node)
{
    return (size_t)(uint32_t)node->left < source->node_count &&
           (size_t)(uint32_t)node->right < source->node_count &&
           (size_t)(uint32_t)node->feature < forest->feature_count &&
           !(node->flags & AX_FOREST_CATEGORICAL) && !isnan(node->threshold);
}

/* Any other: a set, or what is wrong with it. */
static ax_status
check_split(struct ax_forest *forest, struct ax_ctx *ctx, const struct ax_forest_source *source,
            int32_t at)
{
    const struct ax_forest_node *node = &source->nodes[at];
    size_t count = source->node_count;
    if (node->left < 0 || (size_t)node->left >= count || node->right < 0 ||
        (size_t)node->right >= count)
        return ax_fail(ctx, AX_INVALID, "node %d: children %d and %d of a tree of %zu nodes", at,
                       node->left, node->right, count);
    if (node->feature < 0 || (size_t)node->feature >= forest->feature_count)
        return ax_fail(ctx, AX_INVALID, "node %d: splits on feature %d of %zu", at, node->feature,
                       forest->feature_count);
    if (!(node->flags & AX_FOREST_CATEGORICAL))
        return ax_fail(ctx, AX_INVALID, "node %d: the threshold is NaN", at);
    if (node->set.at > forest->set_words || node->set.words > forest->set_words - node->set.at)
        return ax_fail(ctx, AX_INVALID, "node %d: a category set out of range", at);
    forest->categorical[node->feature] = true;
    return AX_OK;
}

static bool
is_cover(double cover)
{
    return cover >= 0 && cover <= DBL_MAX;
}

/* The children's parts of their parent's cover. */
struct shares {
    double left, right;
};

/*
 * Of the children's sum, not of the parent's own cover, which in float32 is not quite that sum. So
 * they add up to one, and every kernel can use the same two numbers. False when there are none.
 */
static bool
shares_of(const struct ax_forest_source *source, const struct ax_forest_node *parent,
          struct shares *out)
{
    if (!source->covers)
        return false;
    double left = source->covers[parent->left], right = source->covers[parent->right];
    double sum = left + right;
    *out = sum > 0 ? (struct shares){left / sum, right / sum} : (struct shares){0.5, 0.5};
    return is_cover(left) && is_cover(right);
}

/*
 * Features on the path from a split at that level on. A feature is on the path if the level at
 * which it was met last still has it: nothing has to be taken back on the way up.
 */
static void
enter_split(struct ax_forest_builder *builder, uint32_t level, int32_t feature)
{
    uint32_t met = builder->level_met[feature];
    bool again = met < level && builder->path[met].feature == feature;
    if (!again)
        builder->level_met[feature] = level;
    builder->path[level].feature = feature;
    builder->path[level + 1].distinct = builder->path[level].distinct + !again;
    builder->forest->split_counts[feature]++;
}

/* A split in place: its right child waits, the next step is to its left one. */
static void
place_split(struct ax_forest_builder *builder, const struct ax_forest_source *source,
            uint32_t place, size_t *top, struct ax_forest_step *step)
{
    const struct ax_forest_node *node = &source->nodes[step->at];
    struct shares shares = {};
    builder->covered &= shares_of(source, node, &shares);
    enter_split(builder, step->level, node->feature);
    builder->nodes[place].left = (int32_t)place + 1; /* preorder */
    step->level++;
    builder->stack[(*top)++] = (struct ax_forest_step){.at = node->right,
                                                       .parent = place,
                                                       .level = step->level,
                                                       .share = shares.right,
                                                       .reach = step->reach * shares.right};
    step->at = node->left;
    step->share = shares.left;
    step->reach *= shares.left;
}

/* A leaf in place: it counts, and adds its part of the tree's expectation to the forest's mean. */
static void
place_leaf(struct ax_forest_builder *builder, const struct ax_forest_node *node,
           const struct ax_forest_step *step, struct ax_forest_tree *tree)
{
    struct ax_forest *forest = builder->forest;
    forest->leaf_count++;
    tree->depth = larger(tree->depth, step->level);
    tree->feature_max = larger(tree->feature_max, builder->path[step->level].distinct);
    if (tree->output >= 0)
        forest->mean[tree->output] += step->reach * node->leaf;
    for (size_t k = 0; tree->output < 0 && k < forest->output_count; k++)
        forest->mean[k] += step->reach * ax_forest_value(forest, tree, node, k);
}

/* Walks down from the root; fills nodes and share in preorder, and the tree's depths. */
static ax_status
walk_tree(struct ax_forest_builder *builder, struct ax_ctx *ctx,
          const struct ax_forest_source *source, struct ax_forest_tree *tree)
{
    size_t top = 0;
    struct ax_forest *forest = builder->forest;
    struct ax_forest_step step = {.share = 1, .reach = 1};
    builder->covered = source->covers;
    for (;;) {
        const struct ax_forest_node *node = &source->nodes[step.at];
        uint32_t place = tree->node_count++;
        if (builder->met[step.at])
            return ax_fail(ctx, AX_INVALID, "node %d has two parents or is its own ancestor",
                           step.at);
        builder->met[step.at] = true;
        builder->nodes[place] = *node;
        builder->share[place] = step.share;
        if (node->left >= 0) {
            if (!is_plain_split(forest, source, node))
                AX_TRY(check_split(forest, ctx, source, step.at));
            place_split(builder, source, place, &top, &step);
            continue;
        }
        AX_TRY(check_leaf(forest, ctx, source, step.at));
        place_leaf(builder, node, &step, tree);
        if (top == 0)
            return AX_OK;
        step = builder->stack[--top];
        builder->nodes[step.parent].right = (int32_t)tree->node_count;
    }
}

/* What was laid out, for good; shares only where every node has one. */
static ax_status
keep_tree(const struct ax_forest_builder *builder, struct ax_ctx *ctx, struct ax_forest_tree *tree)
{
    struct ax_forest_node *nodes =
        AX_NEW_ARRAY(builder->arena, struct ax_forest_node, tree->node_count);
    if (!nodes)
        return out_of_memory(ctx, "a tree's nodes");
    memcpy(nodes, builder->nodes, tree->node_count * sizeof *nodes);
    tree->nodes = nodes;
    if (!builder->covered)
        return AX_OK;
    double *share = AX_NEW_ARRAY(builder->arena, double, tree->node_count);
    if (!share)
        return out_of_memory(ctx, "a tree's covers");
    memcpy(share, builder->share, tree->node_count * sizeof *share);
    tree->share = share;
    return AX_OK;
}

ax_status
ax_forest_add(struct ax_forest_builder *builder, struct ax_ctx *ctx, size_t index,
              const struct ax_forest_source *source)
{
    struct ax_forest *forest = builder->forest;
    AX_ASSERT(index < forest->tree_count);
    AX_ASSERT(source->output < (int32_t)forest->output_count);
    if (source->node_count == 0 || source->node_count > INT32_MAX - STACK_SPARE)
        return ax_fail(ctx, AX_INVALID, "a tree of %zu nodes", source->node_count);
    AX_TRY(make_room(builder, ctx, source->node_count));
    struct ax_forest_tree tree = {.output = source->output};
    AX_TRY(walk_tree(builder, ctx, source, &tree));
    AX_TRY(keep_tree(builder, ctx, &tree));
    forest->covers &= builder->covered;
    forest->trees[index] = tree;
    forest->node_count += tree.node_count;
    forest->depth_max = larger(forest->depth_max, tree.depth);
    forest->feature_max = larger(forest->feature_max, tree.feature_max);
    forest->tree_nodes_max = larger(forest->tree_nodes_max, tree.node_count);
    return AX_OK;
}

/* The usual case apart: one output, so that the sum stays in a register. */
static double
sum_one_f32(const struct ax_forest *forest, const double *row, int32_t *out_leaves)
{
    float sum = (float)forest->base[0];
    for (size_t t = 0; t < forest->tree_count; t++) {
        const struct ax_forest_tree *tree = &forest->trees[t];
        const struct ax_forest_node *leaf = ax_forest_leaf(forest, tree, row);
        sum += (float)ax_forest_value(forest, tree, leaf, 0);
        if (out_leaves)
            out_leaves[t] = leaf->number;
    }
    return (double)sum;
}

static double
linear_value(const struct ax_forest_linear *linear, const double *row, double otherwise)
{
    double sum = linear->constant;
    for (size_t i = 0; i < linear->count; i++) {
        double x = row[linear->features[i]];
        if (isnan(x))
            return otherwise;
        sum += linear->coefficients[i] * (fabs(x) <= AX_FOREST_ZERO ? 0.0 : x);
    }
    return sum;
}

/* ax_forest_value with the row at hand, which linear leaves need. */
static double
value_of(const struct ax_forest *forest, const struct ax_forest_tree *tree,
         const struct ax_forest_node *leaf, const double *row, size_t output)
{
    double value = ax_forest_value(forest, tree, leaf, output);
    if (forest->linear_count == 0 || tree->output < 0 || leaf->linear == 0)
        return value;
    return linear_value(&forest->linears[leaf->linear - 1], row, value);
}

/* As the library adds. */
static double
add(const struct ax_forest *forest, double sum, double value)
{
    return forest->f32 ? (double)((float)sum + (float)value) : sum + value;
}

static void
add_leaf(const struct ax_forest *forest, const struct ax_forest_tree *tree,
         const struct ax_forest_node *leaf, const double *row, double *margin)
{
    size_t from = tree->output < 0 ? 0 : (size_t)tree->output;
    size_t to = tree->output < 0 ? forest->output_count : from + 1;
    for (size_t k = from; k < to; k++)
        margin[k] = add(forest, margin[k], value_of(forest, tree, leaf, row, k));
}

void
ax_forest_margin(const struct ax_forest *forest, const double *row, double *out_margin,
                 int32_t *out_leaves)
{
    if (forest->f32 && forest->output_count == 1 && forest->linear_count == 0) {
        out_margin[0] = sum_one_f32(forest, row, out_leaves);
        return;
    }
    for (size_t k = 0; k < forest->output_count; k++)
        out_margin[k] = forest->base[k];
    for (size_t t = 0; t < forest->tree_count; t++) {
        const struct ax_forest_tree *tree = &forest->trees[t];
        const struct ax_forest_node *leaf = ax_forest_leaf(forest, tree, row);
        add_leaf(forest, tree, leaf, row, out_margin);
        if (out_leaves)
            out_leaves[t] = leaf->number;
    }
}

/* ---- the fast order ---- */

/* Leaves of a run of trees that add to the same outputs. */
struct run {
    const struct ax_forest_tree *trees[AX_FOREST_RUN];
    const struct ax_forest_node *leaves[AX_FOREST_RUN];
    size_t count;
};

static void
add_run(const struct ax_forest *forest, struct run *run, const double *row, double *margin)
{
    if (run->count == 0)
        return;
    int32_t output = run->trees[0]->output;
    size_t from = output < 0 ? 0 : (size_t)output;
    size_t to = output < 0 ? forest->output_count : from + 1;
    for (size_t k = from; k < to; k++) {
        double sum = 0;
        for (size_t i = 0; i < run->count; i++)
            sum = add(forest, sum, value_of(forest, run->trees[i], run->leaves[i], row, k));
        margin[k] = add(forest, margin[k], sum);
    }
    run->count = 0;
}

void
ax_forest_margin_fast(const struct ax_forest *forest, const double *row, double *out_margin,
                      int32_t *out_leaves)
{
    for (size_t k = 0; k < forest->output_count; k++)
        out_margin[k] = forest->base[k];
    if (forest->f32 && forest->output_count == 1)
        out_margin[0] = (double)(float)forest->base[0];
    for (int32_t output = -1; output < (int32_t)forest->output_count; output++) {
        struct run run = {.count = 0};
        for (size_t t = 0; t < forest->tree_count; t++) {
            const struct ax_forest_tree *tree = &forest->trees[t];
            if (tree->output != output)
                continue;
            run.trees[run.count] = tree;
            run.leaves[run.count] = ax_forest_leaf(forest, tree, row);
            if (out_leaves)
                out_leaves[t] = run.leaves[run.count]->number;
            if (++run.count == AX_FOREST_RUN)
                add_run(forest, &run, row, out_margin);
        }
        add_run(forest, &run, row, out_margin);
    }
}
