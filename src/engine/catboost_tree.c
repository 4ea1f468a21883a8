#include "engine/catboost_tree.h"

#include <math.h>

#include "base/array.h"

enum {
    TREES_MAX = 1'000'000,
    DEPTH_MAX = 16, /* of an oblivious tree, as in CatBoost */
    SHOWN_BYTES_MAX = 32,
};

/* An inner node's question, its children to be set: true goes left where `swapped`. */
struct split {
    struct ax_forest_node node;
    bool swapped;
};

struct pending {
    const struct ax_json *json;
    int32_t at; /* its node */
};

struct reading {
    struct ax_ctx *ctx;
    struct ax_arena *arena;
    const struct ax_catboost_model *model;
    struct ax_forest *forest;
    struct ax_forest_builder builder;

    /* Of the tree being built; used again for each. */
    struct {
        AX_ARRAY(struct ax_forest_node)
    } nodes;
    struct {
        AX_ARRAY(double)
    } counts;
    struct {
        AX_ARRAY(struct pending)
    } stack;
    double *values; /* of one leaf */
    int32_t leaf_count;
    bool weights; /* every leaf has a weight */

    struct {
        AX_ARRAY(double)
    } vectors; /* of all trees so far */
};

static ax_status
out_of_memory(struct ax_ctx *ctx, const char *what)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for %s", what);
}

/* ---- splits ---- */

static ax_status
need_column(struct reading *reading, const struct ax_json *json, const char *key,
            struct ax_catboost_columns columns, const struct ax_catboost_column **out)
{
    int64_t index = 0;
    AX_TRY(ax_json_need_i64(reading->ctx, json, key, &index));
    if (index < 0 || (uint64_t)index >= columns.count || !columns.items[index].known)
        return ax_fail(reading->ctx, AX_INVALID, "`%s` is %lld: the file has no such feature", key,
                       (long long)index);
    *out = &columns.items[index];
    return AX_OK;
}

/* `x > border` as its opposite, x < the next float, which goes left. */
static ax_status
read_float_split(struct reading *reading, const struct ax_json *json, struct split *out)
{
    const struct ax_catboost_column *column = NULL;
    float border = NAN;
    AX_TRY(need_column(reading, json, "float_feature_index", reading->model->floats, &column));
    if (!ax_json_f32(ax_json_find(json, "border"), &border) || !isfinite(border))
        return ax_fail(reading->ctx, AX_INVALID, "`border` must be a finite float32");
    *out = (struct split){.node = {.threshold = (double)nextafterf(border, INFINITY),
                                   .feature = (int32_t)column->feature,
                                   .flags = column->nan_right ? 0 : AX_FOREST_DEFAULT_LEFT}};
    return AX_OK;
}

static ax_status
read_one_hot_split(struct reading *reading, const struct ax_json *json, struct split *out)
{
    const struct ax_catboost_column *column = NULL;
    int64_t value = 0;
    AX_TRY(need_column(reading, json, "cat_feature_index", reading->model->categories, &column));
    AX_TRY(ax_json_need_i64(reading->ctx, json, "value", &value));
    uint32_t hash = (uint32_t)(uint64_t)value; /* written as an int32 */
    const ax_str *word =
        ax_map_find(reading->model->words, (ax_str){(const char *)&hash, sizeof hash});
    if (value < INT32_MIN || value > UINT32_MAX || !word)
        return ax_fail(reading->ctx, AX_INVALID,
                       "`value` is %lld: no category of `cat_features_hash` has this hash",
                       (long long)value);
    *out = (struct split){.node = {.threshold = (double)(word - reading->model->word_first),
                                   .feature = (int32_t)column->feature,
                                   .flags = AX_FOREST_EQUAL},
                          .swapped = true};
    return AX_OK;
}

static ax_status
read_split(struct reading *reading, const struct ax_json *json, struct split *out)
{
    ax_str type = {};
    AX_TRY(ax_json_need_text(reading->ctx, json, "split_type", &type));
    if (ax_str_eq(type, AX_STR("FloatFeature")))
        return read_float_split(reading, json, out);
    if (ax_str_eq(type, AX_STR("OneHotFeature")))
        return read_one_hot_split(reading, json, out);
    if (ax_str_eq(type, AX_STR("OnlineCtr")))
        return ax_fail(reading->ctx, AX_UNSUPPORTED,
                       "a split on target statistics of a category (CTR), which are not read; "
                       "train with a larger one_hot_max_size");
    return ax_fail(reading->ctx, AX_UNSUPPORTED, "a split of type `%.*s`, which is not read",
                   type.len > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : (int)type.len, type.at);
}

static struct ax_forest_node
split_node(const struct split *split, int32_t when_false, int32_t when_true)
{
    struct ax_forest_node node = split->node;
    node.left = split->swapped ? when_true : when_false;
    node.right = split->swapped ? when_false : when_true;
    return node;
}

/* ---- leaves ---- */

static ax_status
push_node(struct reading *reading, struct ax_forest_node node, double count)
{
    struct ax_forest_node *slot = AX_ARRAY_PUSH(reading->ctx->arena, &reading->nodes);
    double *room = AX_ARRAY_PUSH(reading->ctx->arena, &reading->counts);
    if (!slot || !room)
        return out_of_memory(reading->ctx, "a tree's nodes");
    *slot = node;
    *room = count;
    return AX_OK;
}

/* One value of the next leaf. */
static ax_status
take_value(struct reading *reading, const struct ax_json *json, size_t output)
{
    double value = (double)NAN;
    if (!ax_json_f64(json, &value) || !isfinite(value * reading->model->scale))
        return ax_fail(reading->ctx, AX_INVALID, "leaf %d: its values must be finite numbers",
                       reading->leaf_count);
    reading->values[output] = value * reading->model->scale;
    return AX_OK;
}

/* Makes a leaf of the values taken. */
static ax_status
push_leaf(struct reading *reading, double count)
{
    size_t outputs = reading->model->output_count;
    struct ax_forest_node node = {.left = -1, .number = reading->leaf_count++};
    for (size_t k = 0; outputs > 1 && k < outputs; k++) {
        double *slot = AX_ARRAY_PUSH(reading->ctx->arena, &reading->vectors);
        if (!slot)
            return out_of_memory(reading->ctx, "leaf vectors");
        *slot = reading->values[k];
    }
    if (outputs > 1)
        node.vector = (int32_t)(reading->vectors.count / outputs - 1);
    else
        node.leaf = reading->values[0];
    return push_node(reading, node, count);
}

/* ---- oblivious trees ---- */

/* Rows below each inner node, from the leaves up; the tree lies there level by level. */
static void
add_counts(struct reading *reading, size_t inner)
{
    double *counts = reading->counts.items;
    for (size_t i = inner; i-- > 0;)
        counts[i] = counts[2 * i + 1] + counts[2 * i + 2];
}

static ax_status
read_levels(struct reading *reading, const struct ax_json *splits, size_t depth)
{
    struct split levels[DEPTH_MAX];
    struct ax_json_iter iter = ax_json_iter_of(splits);
    while (ax_json_next(&iter)) {
        ax_status status = read_split(reading, iter.value, &levels[iter.index]);
        if (status != AX_OK)
            return ax_explain(reading->ctx, status, "`splits`[%zu]", iter.index);
    }
    int32_t at = 0;
    for (size_t level = 0; level < depth; level++)
        for (size_t i = 0; i < (size_t)1 << level; i++, at++)
            AX_TRY(push_node(reading,
                             split_node(&levels[depth - 1 - level], 2 * at + 1, 2 * at + 2), 0));
    return AX_OK;
}

static ax_status
read_oblivious(struct reading *reading, const struct ax_json *tree)
{
    struct ax_ctx *ctx = reading->ctx;
    const struct ax_json *splits = NULL, *values = NULL;
    const struct ax_json *weights = ax_json_find(tree, "leaf_weights");
    AX_TRY(ax_json_need_array(ctx, tree, "splits", &splits));
    AX_TRY(ax_json_need_array(ctx, tree, "leaf_values", &values));
    size_t depth = ax_json_count(splits);
    if (depth > DEPTH_MAX)
        return ax_fail(ctx, AX_INVALID, "%zu splits; at most %d", depth, (int)DEPTH_MAX);
    size_t leaves = (size_t)1 << depth;
    if (ax_json_count(values) != leaves * reading->model->output_count)
        return ax_fail(ctx, AX_INVALID, "`leaf_values` has %zu items; expected %zu for %zu splits",
                       ax_json_count(values), leaves * reading->model->output_count, depth);
    reading->weights = ax_json_count(weights) == leaves;
    AX_TRY(read_levels(reading, splits, depth));
    struct ax_json_iter value = ax_json_iter_of(values), weight = ax_json_iter_of(weights);
    for (size_t i = 0; i < leaves; i++) {
        double count = 0;
        if (reading->weights)
            reading->weights = ax_json_next(&weight) && ax_json_f64(weight.value, &count);
        for (size_t k = 0; k < reading->model->output_count && ax_json_next(&value); k++)
            AX_TRY(take_value(reading, value.value, k));
        AX_TRY(push_leaf(reading, count));
    }
    add_counts(reading, leaves - 1);
    return AX_OK;
}

/* ---- nested trees ---- */

/* A leaf's `value`: a number, or an array of one for each output. */
static ax_status
read_nested_leaf(struct reading *reading, const struct ax_json *json)
{
    const struct ax_json *value = ax_json_find(json, "value");
    size_t outputs = reading->model->output_count;
    bool array = ax_json_kind(value) == AX_JSON_ARRAY;
    double count = 0;
    if ((array ? ax_json_count(value) : 1) != outputs)
        return ax_fail(reading->ctx, AX_INVALID, "leaf %d has %zu values for %zu outputs",
                       reading->leaf_count, array ? ax_json_count(value) : 1, outputs);
    reading->weights &= ax_json_f64(ax_json_find(json, "weight"), &count);
    struct ax_json_iter iter = ax_json_iter_of(value);
    while (array && ax_json_next(&iter))
        AX_TRY(take_value(reading, iter.value, iter.index));
    if (!array)
        AX_TRY(take_value(reading, value, 0));
    return push_leaf(reading, count);
}

/* A child: a leaf at once, a split when its turn comes. *out_at: its node. */
static ax_status
take_child(struct reading *reading, const struct ax_json *json, int32_t *out_at, bool *out_inner)
{
    *out_at = (int32_t)reading->nodes.count;
    *out_inner = !ax_json_find(json, "value");
    return *out_inner ? push_node(reading, (struct ax_forest_node){}, 0)
                      : read_nested_leaf(reading, json);
}

static ax_status
push_pending(struct reading *reading, const struct ax_json *json, int32_t at)
{
    struct pending *slot = AX_ARRAY_PUSH(reading->ctx->arena, &reading->stack);
    if (!slot)
        return out_of_memory(reading->ctx, "a tree's nodes");
    *slot = (struct pending){.json = json, .at = at};
    return AX_OK;
}

/* Leaves are numbered as CatBoost does: a node's own first, then those below left, then right. */
static ax_status
read_nested_split(struct reading *reading, struct pending node)
{
    struct ax_ctx *ctx = reading->ctx;
    const struct ax_json *json = NULL, *sides[2] = {};
    struct split split;
    int32_t at[2] = {};
    bool inner[2] = {};
    AX_TRY(ax_json_need_object(ctx, node.json, "split", &json));
    AX_TRY(ax_json_need_object(ctx, node.json, "left", &sides[0]));
    AX_TRY(ax_json_need_object(ctx, node.json, "right", &sides[1]));
    AX_TRY(read_split(reading, json, &split));
    for (size_t side = 0; side < 2; side++)
        AX_TRY(take_child(reading, sides[side], &at[side], &inner[side]));
    reading->nodes.items[node.at] = split_node(&split, at[0], at[1]);
    for (size_t side = 2; side-- > 0;)
        if (inner[side])
            AX_TRY(push_pending(reading, sides[side], at[side]));
    return AX_OK;
}

static ax_status
read_nested(struct reading *reading, const struct ax_json *tree)
{
    int32_t at;
    bool inner;
    reading->weights = true;
    reading->stack.count = 0;
    AX_TRY(take_child(reading, tree, &at, &inner));
    if (inner)
        AX_TRY(push_pending(reading, tree, at));
    while (reading->stack.count > 0)
        AX_TRY(read_nested_split(reading, reading->stack.items[--reading->stack.count]));
    double *counts = reading->counts.items;
    for (size_t i = reading->nodes.count; i-- > 0;) { /* children come after their parent */
        const struct ax_forest_node *node = &reading->nodes.items[i];
        if (node->left >= 0)
            counts[i] = counts[node->left] + counts[node->right];
    }
    return AX_OK;
}

/* ---- putting it together ---- */

static ax_status
build_tree(struct reading *reading, const struct ax_json *tree, size_t index)
{
    size_t outputs = reading->model->output_count;
    reading->nodes.count = reading->counts.count = 0;
    reading->leaf_count = 0;
    AX_TRY(ax_json_find(tree, "splits") ? read_oblivious(reading, tree)
                                        : read_nested(reading, tree));
    reading->forest->vectors = reading->vectors.items;
    reading->forest->vector_count = reading->vectors.count / outputs;
    struct ax_forest_source source = {.nodes = reading->nodes.items,
                                      .node_count = reading->nodes.count,
                                      .output = outputs > 1 ? -1 : 0,
                                      .covers = reading->weights ? reading->counts.items : NULL};
    return ax_forest_add(&reading->builder, reading->ctx, index, &source);
}

/* Leaf vectors move from working memory to the engine's. */
static ax_status
keep_vectors(struct reading *reading)
{
    size_t count = reading->vectors.count;
    double *kept = AX_NEW_ARRAY(reading->arena, double, count);
    if (!kept)
        return out_of_memory(reading->ctx, "leaf vectors");
    if (count)
        memcpy(kept, reading->vectors.items, count * sizeof *kept);
    reading->forest->vectors = kept;
    return AX_OK;
}

ax_status
ax_catboost_tree_read(struct ax_ctx *ctx, struct ax_arena *arena,
                      const struct ax_catboost_model *model, struct ax_forest_engine *engine)
{
    struct reading reading = {
        .ctx = ctx, .arena = arena, .model = model, .forest = &engine->forest};
    const char *key = ax_json_find(model->root, "trees") ? "trees" : "oblivious_trees";
    const struct ax_json *trees = NULL;
    AX_TRY(ax_json_need_array(ctx, model->root, key, &trees));
    engine->forest.tree_count = ax_json_count(trees);
    if (engine->forest.tree_count > TREES_MAX)
        return ax_fail(ctx, AX_LIMIT, "more than %d trees", (int)TREES_MAX);
    reading.values = AX_NEW_ARRAY(ctx->arena, double, model->output_count);
    if (!reading.values)
        return out_of_memory(ctx, "leaf values");
    AX_TRY(ax_forest_build(ctx, arena, &engine->forest, &reading.builder));
    struct ax_json_iter iter = ax_json_iter_of(trees);
    while (ax_json_next(&iter)) {
        ax_status status = build_tree(&reading, iter.value, iter.index);
        if (status != AX_OK)
            return ax_explain(ctx, status, "tree %zu", iter.index);
    }
    return keep_vectors(&reading);
}
