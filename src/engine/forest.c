#include "engine/forest.h"

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
    out_builder->seen = AX_NEW_ARRAY(ctx->arena, uint32_t, forest->feature_count + 1);
    forest->trees = AX_NEW_ARRAY(arena, struct ax_forest_tree, forest->tree_count);
    forest->mean = AX_NEW_ARRAY(arena, double, forest->output_count);
    if (!out_builder->seen || !forest->trees || !forest->mean)
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
        builder->path = AX_NEW_ARRAY(arena, int32_t, room);
        builder->reach = AX_NEW_ARRAY(arena, double, room);
        if (!builder->nodes || !builder->share || !builder->met || !builder->stack ||
            !builder->path || !builder->reach)
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

static ax_status
check_split(const struct ax_forest *forest, struct ax_ctx *ctx,
            const struct ax_forest_source *source, int32_t at)
{
    const struct ax_forest_node *node = &source->nodes[at];
    size_t count = source->node_count;
    if ((size_t)node->left >= count || node->right < 0 || (size_t)node->right >= count)
        return ax_fail(ctx, AX_INVALID, "node %d: children %d and %d of a tree of %zu nodes", at,
                       node->left, node->right, count);
    if (node->feature < 0 || (size_t)node->feature >= forest->feature_count)
        return ax_fail(ctx, AX_INVALID, "node %d: splits on feature %d of %zu", at, node->feature,
                       forest->feature_count);
    if (!(node->flags & AX_FOREST_CATEGORICAL))
        return isnan(node->threshold)
                   ? ax_fail(ctx, AX_INVALID, "node %d: the threshold is NaN", at)
                   : AX_OK;
    if (node->set.at > forest->set_words || node->set.words > forest->set_words - node->set.at)
        return ax_fail(ctx, AX_INVALID, "node %d: a category set out of range", at);
    return AX_OK;
}

static bool
is_cover(double cover)
{
    return isfinite(cover) && cover >= 0;
}

static double
cover_of(const struct ax_forest_source *source, int32_t at)
{
    return source->counts ? source->counts[at] : (double)source->covers[at];
}

/*
 * The child's part of its parent's cover: of the children's sum, not of the parent's own cover,
 * which in float32 is not quite that sum. So they add up to one, and every kernel can use the same
 * two numbers. NaN when there is none.
 */
static double
share_of(const struct ax_forest_source *source, const struct ax_forest_node *parent, int32_t at)
{
    double left = cover_of(source, parent->left), right = cover_of(source, parent->right);
    if (!is_cover(left) || !is_cover(right))
        return (double)NAN;
    double sum = left + right;
    return sum > 0 ? cover_of(source, at) / sum : 0.5;
}

/* Features on the path to a node at that level, with the path cut back to it. */
static uint32_t
path_back(struct ax_forest_builder *builder, uint32_t *length, uint32_t level, uint32_t features)
{
    while (*length > level)
        features -= --builder->seen[builder->path[--*length]] == 0;
    return features;
}

/* A node takes its place behind those met before, and its parent learns of it. */
static void
place_node(const struct ax_forest_builder *builder, const struct ax_forest_source *source,
           const struct ax_forest_step *step, struct ax_forest_tree *tree)
{
    uint32_t place = tree->node_count++;
    const struct ax_forest_node *node = &source->nodes[step->at];
    builder->met[step->at] = true;
    builder->nodes[place] = *node;
    if (step->parent < 0)
        return;
    struct ax_forest_node *parent = &builder->nodes[step->parent];
    if ((uint32_t)step->parent + 1 == place)
        parent->left = (int32_t)place; /* preorder: the first child is next */
    else
        parent->right = (int32_t)place;
}

/* Walks down from the root; fills nodes and share in preorder, and the tree's depths. */
static ax_status
walk_tree(struct ax_forest_builder *builder, struct ax_ctx *ctx,
          const struct ax_forest_source *source, struct ax_forest_tree *tree)
{
    size_t top = 0;
    uint32_t features = 0, length = 0;
    bool covers = source->covers || source->counts;
    builder->stack[top++] = (struct ax_forest_step){.parent = -1, .share = covers ? 1 : 0};
    while (top > 0) {
        struct ax_forest_step step = builder->stack[--top];
        const struct ax_forest_node *node = &source->nodes[step.at];
        if (builder->met[step.at])
            return ax_fail(ctx, AX_INVALID, "node %d has two parents or is its own ancestor",
                           step.at);
        features = path_back(builder, &length, step.level, features);
        builder->share[tree->node_count] = step.share;
        place_node(builder, source, &step, tree);
        if (node->left < 0) {
            AX_TRY(check_leaf(builder->forest, ctx, source, step.at));
            builder->forest->leaf_count++;
            tree->depth = larger(tree->depth, step.level);
            tree->feature_max = larger(tree->feature_max, features);
            continue;
        }
        AX_TRY(check_split(builder->forest, ctx, source, step.at));
        features += builder->seen[node->feature]++ == 0;
        builder->path[length++] = node->feature;
        struct ax_forest_step child = {.parent = (int32_t)tree->node_count - 1,
                                       .level = step.level + 1};
        for (int side = 1; side >= 0; side--) { /* the left one is looked at first */
            child.at = side ? node->right : node->left;
            child.share = covers ? share_of(source, node, child.at) : 0;
            builder->stack[top++] = child;
        }
    }
    (void)path_back(builder, &length, 0, features);
    return AX_OK;
}

/* What was laid out, for good; shares only where every node has one. */
static ax_status
keep_tree(const struct ax_forest_builder *builder, struct ax_ctx *ctx, bool covers,
          struct ax_forest_tree *tree)
{
    struct ax_forest_node *nodes =
        AX_NEW_ARRAY(builder->arena, struct ax_forest_node, tree->node_count);
    if (!nodes)
        return out_of_memory(ctx, "a tree's nodes");
    memcpy(nodes, builder->nodes, tree->node_count * sizeof *nodes);
    tree->nodes = nodes;
    double sum = 0;
    for (uint32_t i = 0; covers && i < tree->node_count; i++)
        sum += builder->share[i];
    if (!covers || isnan(sum))
        return AX_OK;
    double *share = AX_NEW_ARRAY(builder->arena, double, tree->node_count);
    if (!share)
        return out_of_memory(ctx, "a tree's covers");
    memcpy(share, builder->share, tree->node_count * sizeof *share);
    tree->share = share;
    return AX_OK;
}

/* Adds the tree's expectation under its cover to the forest's mean. */
static void
add_mean(const struct ax_forest_builder *builder, const struct ax_forest_tree *tree)
{
    struct ax_forest *forest = builder->forest;
    double *reach = builder->reach;
    reach[0] = 1;
    for (uint32_t i = 0; i < tree->node_count; i++) {
        const struct ax_forest_node *node = &tree->nodes[i];
        if (node->left >= 0) {
            reach[node->left] = reach[i] * tree->share[node->left];
            reach[node->right] = reach[i] * tree->share[node->right];
        } else if (tree->output >= 0) {
            forest->mean[tree->output] += reach[i] * node->leaf;
        } else {
            for (size_t k = 0; k < forest->output_count; k++)
                forest->mean[k] += reach[i] * ax_forest_value(forest, tree, node, k);
        }
    }
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
    AX_TRY(keep_tree(builder, ctx, source->covers || source->counts, &tree));
    if (tree.share)
        add_mean(builder, &tree);
    else
        forest->covers = false;
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
