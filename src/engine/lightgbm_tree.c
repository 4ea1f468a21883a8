#include "engine/lightgbm_tree.h"

#include <math.h>

#include "base/number.h"
#include "engine/forest_engine.h"
#include "engine/lightgbm_text.h"

enum {
    SET_WORDS_MAX = 1 << 24, /* 64 MB of category sets */
    CODE_BITS = 32,
    CATEGORICAL = 1 << 0, /* of `decision_type` */
    DEFAULT_LEFT = 1 << 1,
    MISSING_SHIFT = 2,
    MISSING_NONE = 0,
    MISSING_ZERO = 1,
    MISSING_NAN = 2,
    DECISION_MAX = 11, /* all bits of the above */
};

/* Whole numbers of any size that a count may have. */
static const struct ax_lightgbm_range any_count = {-1'000'000'000'000'000, 1'000'000'000'000'000};

/* A tree's numbers; room for `room` leaves, used again for each tree. */
struct arrays {
    size_t room;
    double *thresholds, *leaf_values;
    int64_t *features, *types, *left, *right;
    int64_t *whole;               /* what is read on the way to somewhere else */
    struct ax_forest_node *nodes; /* inner nodes, then leaves */
    double *counts;               /* rows of the training data in each of them */
    bool *met;                    /* has a parent already */
};

struct reading {
    struct ax_ctx *ctx;
    struct ax_arena *arena;
    const struct ax_lightgbm_model *model;
    struct ax_forest_engine *engine;
    struct ax_forest_builder builder;
    size_t *leaf_counts;        /* of each tree */
    size_t set_words, set_used; /* of all trees, of those built so far */
    size_t linear_used;
    struct ax_forest_linear *linears;
    struct arrays arrays;
};

/* The tree being built. */
struct tree {
    const struct ax_lightgbm_block *block;
    bool linear;
    size_t leaves, inner;
    size_t set_count;
    int64_t *boundaries; /* set_count + 1 of them */
    size_t sets_at;      /* its first word among all sets */
};

static ax_status
out_of_memory(struct ax_ctx *ctx, const char *what)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for %s", what);
}

/* ---- a block's values ---- */

static ax_status
need_f64s(struct ax_ctx *ctx, const struct ax_lightgbm_block *block, enum ax_lightgbm_key key,
          size_t count, double *out)
{
    if (!block->values[key].at)
        return ax_fail(ctx, AX_INVALID, "`%s` is missing", ax_lightgbm_key_name(key));
    return ax_lightgbm_f64s(ctx, ax_lightgbm_key_name(key), block->values[key], count, out);
}

struct whole_list {
    enum ax_lightgbm_key key;
    size_t count;
    struct ax_lightgbm_range range;
};

static ax_status
need_i64s(struct ax_ctx *ctx, const struct ax_lightgbm_block *block, struct whole_list list,
          int64_t *out)
{
    const char *name = ax_lightgbm_key_name(list.key);
    if (!block->values[list.key].at)
        return ax_fail(ctx, AX_INVALID, "`%s` is missing", name);
    return ax_lightgbm_i64s(ctx, name, block->values[list.key], list.count, list.range, out);
}

/* One whole number; otherwise where the block does not say. */
static ax_status
may_i64(struct ax_ctx *ctx, const struct ax_lightgbm_block *block, struct whole_list list,
        int64_t otherwise, int64_t *out)
{
    *out = otherwise;
    return block->values[list.key].at ? need_i64s(ctx, block, list, out) : AX_OK;
}

/* ---- first look: what all trees together need ---- */

/* How many numbers a list can hold at most: a digit and a blank each. */
static int64_t
most_numbers(ax_str list)
{
    return (int64_t)(list.len / 2 + 1);
}

static bool
is_linear(const struct ax_lightgbm_block *block)
{
    return ax_str_eq(ax_str_trim(block->values[AX_LIGHTGBM_IS_LINEAR]), AX_STR("1"));
}

static ax_status
count_tree(struct reading *reading, const struct ax_lightgbm_block *block, size_t *out_leaves)
{
    struct ax_ctx *ctx = reading->ctx;
    int64_t leaves = 0, linear = 0;
    struct whole_list count = {AX_LIGHTGBM_NUM_LEAVES, 1, {1, INT32_MAX}};
    struct whole_list flag = {AX_LIGHTGBM_IS_LINEAR, 1, {0, 1}};
    ax_str values = block->values[AX_LIGHTGBM_LEAF_VALUE], word;
    AX_TRY(need_i64s(ctx, block, count, &leaves));
    AX_TRY(may_i64(ctx, block, flag, 0, &linear));
    if (leaves > most_numbers(values))
        return ax_fail(ctx, AX_INVALID, "`num_leaves` is %lld, `leaf_value` has %zu bytes",
                       (long long)leaves, values.len);
    *out_leaves = (size_t)leaves;
    reading->engine->forest.linear_count += linear ? (size_t)leaves : 0;
    ax_str sets = block->values[AX_LIGHTGBM_CAT_THRESHOLD];
    while (ax_lightgbm_word(&sets, &word))
        reading->set_words++;
    return reading->set_words <= SET_WORDS_MAX
               ? AX_OK
               : ax_fail(ctx, AX_LIMIT, "category sets of more than %zu bytes",
                         (size_t)SET_WORDS_MAX * sizeof(uint32_t));
}

static ax_status
check_sizes(const struct reading *reading)
{
    const struct ax_lightgbm_model *model = reading->model;
    struct ax_ctx *ctx = reading->ctx;
    static const struct ax_lightgbm_range any = {0, INT64_MAX};
    if (!model->sizes.at)
        return AX_OK;
    int64_t *sizes = AX_NEW_ARRAY(ctx->arena, int64_t, model->trees.count);
    if (!sizes)
        return out_of_memory(ctx, "tree sizes");
    AX_TRY(ax_lightgbm_i64s(ctx, "tree_sizes", model->sizes, model->trees.count, any, sizes));
    for (size_t t = 0; t < model->trees.count && !model->carriage; t++)
        if ((uint64_t)sizes[t] != model->trees.items[t].bytes)
            return ax_fail(ctx, AX_INVALID, "`tree_sizes`[%zu] is %lld; the tree has %zu bytes", t,
                           (long long)sizes[t], model->trees.items[t].bytes);
    return AX_OK;
}

static ax_status
begin_forest(struct reading *reading)
{
    const struct ax_lightgbm_model *model = reading->model;
    struct ax_forest *forest = &reading->engine->forest;
    struct ax_arena *arena = reading->arena;
    size_t trees = model->trees.count;
    if (trees % model->output_count != 0)
        return ax_fail(reading->ctx, AX_INVALID, "%zu trees, %zu of them an iteration", trees,
                       model->output_count);
    *forest = (struct ax_forest){.tree_count = trees,
                                 .feature_count = model->signature.feature_count,
                                 .output_count = model->output_count,
                                 .base = AX_NEW_ARRAY(arena, double, model->output_count)};
    reading->leaf_counts = AX_NEW_ARRAY(reading->ctx->arena, size_t, trees);
    if (!forest->base || !reading->leaf_counts)
        return out_of_memory(reading->ctx, "the trees");
    for (size_t t = 0; t < trees; t++) {
        ax_status status = count_tree(reading, &model->trees.items[t], &reading->leaf_counts[t]);
        if (status != AX_OK)
            return ax_explain(reading->ctx, status, "tree %zu", t);
    }
    forest->set_words = reading->set_words;
    forest->sets = AX_NEW_ARRAY(arena, uint32_t, forest->set_words);
    forest->linears = reading->linears =
        AX_NEW_ARRAY(arena, struct ax_forest_linear, forest->linear_count);
    if (!forest->sets || !forest->linears)
        return out_of_memory(reading->ctx, "category sets and linear leaves");
    return ax_forest_build(reading->ctx, arena, forest, &reading->builder);
}

/* ---- second look: a tree's numbers ---- */

static ax_status
make_room(struct reading *reading, size_t leaves)
{
    struct arrays *arrays = &reading->arrays;
    struct ax_arena *arena = reading->ctx->arena;
    if (leaves <= arrays->room)
        return AX_OK;
    size_t room = leaves > 2 * arrays->room ? leaves : 2 * arrays->room;
    *arrays = (struct arrays){.room = room,
                              .thresholds = AX_NEW_ARRAY(arena, double, room),
                              .leaf_values = AX_NEW_ARRAY(arena, double, room),
                              .features = AX_NEW_ARRAY(arena, int64_t, room),
                              .types = AX_NEW_ARRAY(arena, int64_t, room),
                              .left = AX_NEW_ARRAY(arena, int64_t, room),
                              .right = AX_NEW_ARRAY(arena, int64_t, room),
                              .whole = AX_NEW_ARRAY(arena, int64_t, room),
                              .nodes = AX_NEW_ARRAY(arena, struct ax_forest_node, 2 * room),
                              .counts = AX_NEW_ARRAY(arena, double, 2 * room),
                              .met = AX_NEW_ARRAY(arena, bool, 2 * room)};
    if (!arrays->thresholds || !arrays->leaf_values || !arrays->features || !arrays->types ||
        !arrays->left || !arrays->right || !arrays->whole || !arrays->nodes || !arrays->counts ||
        !arrays->met)
        return out_of_memory(reading->ctx, "a tree's nodes");
    return AX_OK;
}

static ax_status
read_splits(struct reading *reading, const struct tree *tree)
{
    struct ax_ctx *ctx = reading->ctx;
    struct arrays *arrays = &reading->arrays;
    const struct ax_lightgbm_block *block = tree->block;
    size_t inner = tree->inner;
    int64_t last_inner = (int64_t)inner - 1, last_leaf = (int64_t)tree->leaves;
    int64_t last_feature = (int64_t)reading->model->signature.feature_count - 1;
    struct whole_list features = {AX_LIGHTGBM_SPLIT_FEATURE, inner, {0, last_feature}};
    struct whole_list types = {AX_LIGHTGBM_DECISION_TYPE, inner, {0, DECISION_MAX}};
    struct whole_list left = {AX_LIGHTGBM_LEFT_CHILD, inner, {-last_leaf, last_inner}};
    struct whole_list right = {AX_LIGHTGBM_RIGHT_CHILD, inner, {-last_leaf, last_inner}};
    AX_TRY(need_i64s(ctx, block, features, arrays->features));
    AX_TRY(need_f64s(ctx, block, AX_LIGHTGBM_THRESHOLD, inner, arrays->thresholds));
    AX_TRY(need_i64s(ctx, block, left, arrays->left));
    AX_TRY(need_i64s(ctx, block, right, arrays->right));
    memset(arrays->types, 0, inner * sizeof *arrays->types);
    return block->values[types.key].at ? need_i64s(ctx, block, types, arrays->types) : AX_OK;
}

/* The tree's category sets behind those of the trees before it. */
static ax_status
read_sets(struct reading *reading, struct tree *tree)
{
    struct ax_ctx *ctx = reading->ctx;
    const struct ax_lightgbm_block *block = tree->block;
    int64_t sets = 0;
    int64_t most = most_numbers(block->values[AX_LIGHTGBM_CAT_BOUNDARIES]);
    struct whole_list count = {AX_LIGHTGBM_NUM_CAT, 1, {0, most}};
    AX_TRY(need_i64s(ctx, block, count, &sets));
    tree->set_count = (size_t)sets;
    tree->sets_at = reading->set_used;
    if (sets == 0)
        return AX_OK;
    most = most_numbers(block->values[AX_LIGHTGBM_CAT_THRESHOLD]);
    struct whole_list starts = {AX_LIGHTGBM_CAT_BOUNDARIES, tree->set_count + 1, {0, most}};
    tree->boundaries = AX_NEW_ARRAY(ctx->arena, int64_t, starts.count);
    if (!tree->boundaries)
        return out_of_memory(ctx, "category sets");
    AX_TRY(need_i64s(ctx, block, starts, tree->boundaries));
    for (size_t i = 0; i < starts.count; i++)
        if (tree->boundaries[i] < (i ? tree->boundaries[i - 1] : 0) ||
            (i == 0 && tree->boundaries[i] != 0))
            return ax_fail(ctx, AX_INVALID,
                           "`cat_boundaries`[%zu] is %lld: they begin with 0 and do not decrease",
                           i, (long long)tree->boundaries[i]);
    struct whole_list words = {
        AX_LIGHTGBM_CAT_THRESHOLD, (size_t)tree->boundaries[tree->set_count], {0, UINT32_MAX}};
    int64_t *wide = AX_NEW_ARRAY(ctx->arena, int64_t, words.count);
    if (!wide)
        return out_of_memory(ctx, "category sets");
    AX_TRY(need_i64s(ctx, block, words, wide));
    for (size_t i = 0; i < words.count; i++)
        reading->engine->forest.sets[reading->set_used++] = (uint32_t)wide[i];
    return AX_OK;
}

/* Rows under each node, of which contributions are made; *out_counts: NULL where a list lacks. */
static ax_status
read_counts(struct reading *reading, const struct tree *tree, const double **out_counts)
{
    struct arrays *arrays = &reading->arrays;
    struct whole_list inner = {AX_LIGHTGBM_INTERNAL_COUNT, tree->inner, any_count};
    struct whole_list leaves = {AX_LIGHTGBM_LEAF_COUNT, tree->leaves, any_count};
    *out_counts = arrays->counts;
    if (tree->inner == 0)
        arrays->counts[0] = 1;
    if (tree->inner == 0)
        return AX_OK;
    if (!tree->block->values[inner.key].at || !tree->block->values[leaves.key].at) {
        *out_counts = NULL;
        return AX_OK;
    }
    AX_TRY(need_i64s(reading->ctx, tree->block, inner, arrays->whole));
    for (size_t i = 0; i < tree->inner; i++)
        arrays->counts[i] = (double)arrays->whole[i];
    AX_TRY(need_i64s(reading->ctx, tree->block, leaves, arrays->whole));
    for (size_t i = 0; i < tree->leaves; i++)
        arrays->counts[tree->inner + i] = (double)arrays->whole[i];
    return AX_OK;
}

/* ---- linear leaves ---- */

static ax_status
read_linears(struct reading *reading, const struct tree *tree)
{
    struct ax_ctx *ctx = reading->ctx;
    const struct ax_lightgbm_block *block = tree->block;
    int64_t *counts = reading->arrays.whole;
    int64_t last = (int64_t)reading->model->signature.feature_count - 1;
    size_t total = 0, at = 0;
    ax_str list = block->values[AX_LIGHTGBM_LEAF_FEATURES];
    struct whole_list sizes = {AX_LIGHTGBM_NUM_FEATURES, tree->leaves, {0, most_numbers(list)}};
    AX_TRY(need_i64s(ctx, block, sizes, counts));
    for (size_t i = 0; i < tree->leaves; i++)
        total += (size_t)counts[i];
    if (total > list.len)
        return ax_fail(ctx, AX_INVALID,
                       "`num_features` add up to %zu, `leaf_features` has %zu "
                       "bytes",
                       total, list.len);
    struct whole_list features = {AX_LIGHTGBM_LEAF_FEATURES, total, {0, last}};
    int64_t *wide = AX_NEW_ARRAY(ctx->arena, int64_t, total);
    int32_t *narrow = AX_NEW_ARRAY(reading->arena, int32_t, total);
    double *coefficients = AX_NEW_ARRAY(reading->arena, double, total);
    double *constants = AX_NEW_ARRAY(ctx->arena, double, tree->leaves);
    if (!wide || !narrow || !coefficients || !constants)
        return out_of_memory(ctx, "linear leaves");
    AX_TRY(need_i64s(ctx, block, features, wide));
    AX_TRY(need_f64s(ctx, block, AX_LIGHTGBM_LEAF_COEFF, total, coefficients));
    AX_TRY(need_f64s(ctx, block, AX_LIGHTGBM_LEAF_CONST, tree->leaves, constants));
    for (size_t i = 0; i < total; i++)
        narrow[i] = (int32_t)wide[i];
    for (size_t i = 0; i < tree->leaves; at += (size_t)counts[i++])
        reading->linears[reading->linear_used + i] =
            (struct ax_forest_linear){.constant = constants[i],
                                      .features = narrow + at,
                                      .coefficients = coefficients + at,
                                      .count = (size_t)counts[i]};
    return AX_OK;
}

/* ---- nodes ---- */

/* Where a child stands among inner nodes and leaves; it must have no parent yet. */
static ax_status
place_child(struct reading *reading, const struct tree *tree, size_t node, int64_t child,
            int32_t *out)
{
    bool leaf = child < 0;
    size_t place = leaf ? tree->inner + (size_t)~child : (size_t)child;
    if (reading->arrays.met[place])
        return ax_fail(reading->ctx, AX_INVALID,
                       "node %zu: its child, %s %lld, has another parent or is the root", node,
                       leaf ? "leaf" : "node", (long long)(leaf ? ~child : child));
    reading->arrays.met[place] = true;
    *out = (int32_t)place;
    return AX_OK;
}

static void
swap_children(struct ax_forest_node *node)
{
    int32_t left = node->left;
    node->left = node->right;
    node->right = left;
}

/* A code in the set goes left in LightGBM, NaN and all others right: here it is turned round. */
static ax_status
convert_set(const struct reading *reading, const struct tree *tree, size_t i,
            struct ax_forest_node *node)
{
    double index = reading->arrays.thresholds[i];
    if (!(index >= 0 && index < (double)tree->set_count && index == trunc(index)))
        return ax_fail(reading->ctx, AX_INVALID, "node %zu: category set %g of %zu", i, index,
                       tree->set_count);
    int64_t from = tree->boundaries[(size_t)index], to = tree->boundaries[(size_t)index + 1];
    if (to - from > AX_FOREST_CATEGORY_MAX / CODE_BITS)
        return ax_fail(reading->ctx, AX_LIMIT, "node %zu: category codes of %d and more", i,
                       (int)AX_FOREST_CATEGORY_MAX);
    swap_children(node);
    node->flags = AX_FOREST_CATEGORICAL | AX_FOREST_DEFAULT_LEFT | AX_FOREST_TRUNCATED;
    node->set.at = (uint32_t)(tree->sets_at + (size_t)from);
    node->set.words = (uint32_t)(to - from);
    return AX_OK;
}

/* nextafter(t, infinity) of a number that is neither 0 nor infinity, without a call. */
static double
next_above(double t)
{
    uint64_t bits;
    memcpy(&bits, &t, sizeof bits);
    bits += t > 0 ? 1 : UINT64_MAX; /* of a negative one: a step less */
    memcpy(&t, &bits, sizeof t);
    return t;
}

/*
 * `x <= t` as `x < threshold`. LightGBM sees what it takes for zero as 0, so a threshold among
 * such values is moved to the end of them: all of them are on one side.
 */
static double
threshold_of(double t)
{
    if (t >= 0 && t < AX_FOREST_ZERO)
        t = AX_FOREST_ZERO;
    else if (t < 0 && t >= -AX_FOREST_ZERO)
        return -AX_FOREST_ZERO;
    return next_above(t);
}

static void
convert_number(const struct reading *reading, size_t i, int64_t type, struct ax_forest_node *node)
{
    double t = reading->arrays.thresholds[i];
    bool left = type & DEFAULT_LEFT;
    if (t == (double)INFINITY) { /* old files: any number goes left; here none is below -inf */
        swap_children(node);
        left = !left;
        t = -(double)INFINITY;
    } else {
        t = threshold_of(t);
    }
    node->threshold = t;
    node->flags = left ? AX_FOREST_DEFAULT_LEFT : 0;
    switch (type >> MISSING_SHIFT) {
    case MISSING_NONE:
        node->flags |= AX_FOREST_NAN_ZERO;
        break;
    case MISSING_ZERO:
        node->flags |= AX_FOREST_ZERO_MISSING;
        break;
    default:
        break;
    }
}

static ax_status
convert_split(struct reading *reading, const struct tree *tree, size_t i)
{
    struct arrays *arrays = &reading->arrays;
    struct ax_forest_node *node = &arrays->nodes[i];
    int64_t type = arrays->types[i];
    *node = (struct ax_forest_node){.feature = (int32_t)arrays->features[i]};
    AX_TRY(place_child(reading, tree, i, arrays->left[i], &node->left));
    AX_TRY(place_child(reading, tree, i, arrays->right[i], &node->right));
    if (type & CATEGORICAL)
        return convert_set(reading, tree, i, node);
    convert_number(reading, i, type, node);
    return AX_OK;
}

static ax_status
convert_leaf(struct reading *reading, const struct tree *tree, size_t i)
{
    double value = reading->arrays.leaf_values[i];
    if (!isfinite(value))
        return ax_fail(reading->ctx, AX_INVALID,
                       "`leaf_value`[%zu] is %g; expected a finite number", i, value);
    reading->arrays.nodes[tree->inner + i] = (struct ax_forest_node){
        .leaf = value,
        .left = -1,
        .linear = tree->linear ? (int32_t)(reading->linear_used + i + 1) : 0,
        .number = (int32_t)i};
    return AX_OK;
}

static ax_status
build_tree(struct reading *reading, size_t index)
{
    struct ax_ctx *ctx = reading->ctx;
    const struct ax_lightgbm_block *block = &reading->model->trees.items[index];
    struct tree tree = {.block = block,
                        .linear = is_linear(block),
                        .leaves = reading->leaf_counts[index],
                        .inner = reading->leaf_counts[index] - 1};
    size_t node_count = tree.leaves + tree.inner;
    const double *counts = NULL;
    AX_TRY(make_room(reading, tree.leaves));
    if (tree.inner > 0)
        AX_TRY(read_splits(reading, &tree));
    AX_TRY(need_f64s(ctx, block, AX_LIGHTGBM_LEAF_VALUE, tree.leaves, reading->arrays.leaf_values));
    AX_TRY(read_sets(reading, &tree));
    AX_TRY(read_counts(reading, &tree, &counts));
    if (tree.linear)
        AX_TRY(read_linears(reading, &tree));
    memset(reading->arrays.met, 0, node_count * sizeof *reading->arrays.met);
    reading->arrays.met[0] = true; /* the root has no parent */
    for (size_t i = 0; i < tree.inner; i++)
        AX_TRY(convert_split(reading, &tree, i));
    for (size_t i = 0; i < tree.leaves; i++)
        AX_TRY(convert_leaf(reading, &tree, i));
    struct ax_forest_source source = {.nodes = reading->arrays.nodes,
                                      .covers = counts,
                                      .node_count = node_count,
                                      .output = (int32_t)(index % reading->model->output_count)};
    AX_TRY(ax_forest_add(&reading->builder, ctx, index, &source));
    if (reading->engine->forest.trees[index].node_count != node_count)
        return ax_fail(ctx, AX_INVALID, "%zu nodes that its root does not lead to",
                       node_count - reading->engine->forest.trees[index].node_count);
    reading->linear_used += tree.linear ? tree.leaves : 0;
    return AX_OK;
}

/* ---- putting it together ---- */

static ax_status
note_trees(struct reading *reading)
{
    struct ax_engine *engine = &reading->engine->engine;
    const struct ax_forest *forest = &reading->engine->forest;
    if (forest->tree_count == 0)
        AX_TRY(ax_engine_note(engine, reading->ctx, "no trees: every margin is 0"));
    if (reading->set_words > 0)
        AX_TRY(ax_engine_note(engine, reading->ctx, "categorical splits"));
    if (forest->linear_count > 0)
        AX_TRY(ax_engine_note(engine, reading->ctx, "leaves are linear functions"));
    if (reading->model->average)
        AX_TRY(
            ax_engine_note(engine, reading->ctx,
                           "the margin is the sum over the trees, the response is of their mean"));
    return AX_OK;
}

static ax_status
set_objective(struct reading *reading)
{
    const struct ax_lightgbm_model *model = reading->model;
    struct ax_lightgbm_objective *objective = AX_NEW(reading->arena, struct ax_lightgbm_objective);
    if (!objective)
        return out_of_memory(reading->ctx, "the objective");
    *objective = model->objective;
    size_t rounds = model->trees.count / model->output_count;
    if (model->average && rounds > 0)
        objective->rounds = (double)rounds;
    reading->engine->parameters = objective;
    reading->engine->respond_by = ax_lightgbm_objective_respond;
    return AX_OK;
}

ax_status
ax_lightgbm_tree_read(struct ax_ctx *ctx, struct ax_arena *arena,
                      const struct ax_lightgbm_model *model, struct ax_engine **out_engine)
{
    struct ax_forest_engine *engine = AX_NEW(arena, struct ax_forest_engine);
    if (!engine)
        return out_of_memory(ctx, "the engine");
    engine->engine.arena = arena;
    engine->engine.signature = model->signature;
    struct reading reading = {.ctx = ctx, .arena = arena, .model = model, .engine = engine};
    AX_TRY(set_objective(&reading));
    AX_TRY(begin_forest(&reading));
    for (size_t t = 0; t < model->trees.count; t++) {
        ax_status status = build_tree(&reading, t);
        if (status != AX_OK)
            return ax_explain(ctx, status, "tree %zu", t);
    }
    AX_TRY(check_sizes(&reading)); /* last: what broke a tree says more than its length */
    AX_TRY(ax_forest_engine_finish(engine, ctx, model->features));
    AX_TRY(note_trees(&reading));
    *out_engine = &engine->engine;
    return AX_OK;
}
