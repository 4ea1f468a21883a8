#include "engine/xgboost_tree.h"

#include <math.h>

#include "base/number.h"
#include "engine/forest_engine.h"

enum {
    TREES_MAX = 1'000'000,
    SET_WORDS_MAX = 1 << 24, /* 64 MB of category sets */
    CODE_BITS = 32,
    NO_SET = -1,
};

/*
 * One tree as the file has it; arrays in ctx->arena, those of the nodes in reading's own: they are
 * read when the tree is built and last until the next one is.
 */
struct tree_arrays {
    ax_document document;
    size_t node_count;
    struct ax_document_i32s left, right, features, default_left, types;
    struct ax_document_f32s conditions;
    const double *covers;            /* NULL: none */
    struct ax_document_f32s vectors; /* of leaf vectors; count 0: the leaves are scalar */
    bool vector_rows;                /* a vector's row is in `right` (3.2); else it is the node */
    struct ax_document_i32s categories;
    struct ax_document_i64s set_nodes, set_starts, set_sizes;
};

struct reading {
    struct ax_ctx *ctx;
    struct ax_arena *arena;
    struct ax_arena *nodes_arena; /* of the arrays of the tree being built */
    const struct ax_xgboost_learner *learner;
    struct ax_forest_engine *engine;
    struct ax_forest_builder builder;
    struct tree_arrays *trees;
    size_t tree_count;
    const int64_t *outputs;          /* `tree_info` */
    struct ax_document_f32s weights; /* of DART; those beyond the end are 1 */
    size_t set_words, vector_rows;   /* of all trees */
    size_t sets_used, vectors_used;  /* of the trees built so far */
    struct ax_forest_node *nodes;    /* of the tree being built */
    int32_t *node_sets;              /* index among the tree's sets, or NO_SET */
    size_t nodes_room;
};

static ax_status
out_of_memory(struct ax_ctx *ctx, const char *what)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for %s", what);
}

/* ---- a tree's arrays ---- */

static ax_status
need_node_i32s(struct ax_ctx *ctx, ax_document tree, const char *key, size_t node_count,
               struct ax_document_i32s *out)
{
    AX_TRY(ax_document_need_i32s(ctx, tree, key, out));
    if (out->count != node_count)
        return ax_fail(ctx, AX_INVALID, "`%s` has %zu items for %zu nodes", key, out->count,
                       node_count);
    return AX_OK;
}

static ax_status
need_node_f32s(struct ax_ctx *ctx, ax_document tree, const char *key, size_t node_count,
               struct ax_document_f32s *out)
{
    AX_TRY(ax_document_need_f32s(ctx, tree, key, out));
    if (out->count != node_count)
        return ax_fail(ctx, AX_INVALID, "`%s` has %zu items for %zu nodes", key, out->count,
                       node_count);
    return AX_OK;
}

static ax_status
read_vectors(const struct reading *reading, ax_document tree, struct tree_arrays *out)
{
    struct ax_ctx *ctx = reading->ctx;
    ax_document params = {};
    int64_t size = 0;
    size_t outputs = reading->learner->output_count;
    AX_TRY(ax_document_need_object(ctx, tree, "tree_param", &params));
    AX_TRY(ax_document_need_whole(ctx, params, "size_leaf_vector", &size));
    if (size == 0 || size == 1)
        return AX_OK;
    if (size < 0 || (size_t)size != outputs)
        return ax_fail(ctx, AX_INVALID, "`size_leaf_vector` is %lld in a model of %zu outputs",
                       (long long)size, outputs);
    out->vector_rows = ax_document_present(ax_document_find(tree, "leaf_weights"));
    const char *key = out->vector_rows ? "leaf_weights" : "base_weights";
    AX_TRY(ax_document_need_f32s(ctx, tree, key, &out->vectors));
    if (out->vectors.count == 0 || out->vectors.count % outputs != 0 ||
        (!out->vector_rows && out->vectors.count / outputs != out->node_count))
        return ax_fail(ctx, AX_INVALID, "`%s` has %zu items for vectors of %zu", key,
                       out->vectors.count, outputs);
    return AX_OK;
}

/* As doubles, which hold them; none where the file has none. */
static ax_status
read_covers(struct ax_ctx *ctx, ax_document tree, struct tree_arrays *out)
{
    struct ax_document_f32s narrow;
    if (ax_document_count(ax_document_find(tree, "sum_hessian")) == 0)
        return AX_OK;
    AX_TRY(need_node_f32s(ctx, tree, "sum_hessian", out->node_count, &narrow));
    double *covers = AX_NEW_ARRAY(ctx->arena, double, narrow.count);
    if (!covers)
        return out_of_memory(ctx, "covers");
    for (size_t i = 0; i < narrow.count; i++)
        covers[i] = (double)narrow.items[i];
    out->covers = covers;
    return AX_OK;
}

static ax_status
read_nodes(const struct reading *reading, struct tree_arrays *out)
{
    struct ax_ctx *ctx = reading->ctx;
    ax_document tree = out->document;
    size_t count = out->node_count;
    AX_TRY(ax_document_need_i32s(ctx, tree, "left_children", &out->left));
    if (count != out->left.count)
        return ax_fail(ctx, AX_INVALID, "`num_nodes` is %zu, `left_children` has %zu items", count,
                       out->left.count);
    AX_TRY(need_node_i32s(ctx, tree, "right_children", count, &out->right));
    AX_TRY(need_node_i32s(ctx, tree, "split_indices", count, &out->features));
    AX_TRY(need_node_i32s(ctx, tree, "default_left", count, &out->default_left));
    AX_TRY(need_node_f32s(ctx, tree, "split_conditions", count, &out->conditions));
    if (ax_document_present(ax_document_find(tree, "split_type")))
        AX_TRY(need_node_i32s(ctx, tree, "split_type", count, &out->types));
    return read_covers(ctx, tree, out);
}

/* The same where the next tree's may take their place. */
static ax_status
read_nodes_apart(struct reading *reading, struct tree_arrays *out)
{
    struct ax_arena *callers = reading->ctx->arena;
    ax_arena_reset(reading->nodes_arena);
    reading->ctx->arena = reading->nodes_arena;
    ax_status status = read_nodes(reading, out);
    reading->ctx->arena = callers;
    return status;
}

/* How many nodes the tree says it has. */
static ax_status
read_count(struct ax_ctx *ctx, ax_document tree, size_t *out_count)
{
    ax_document params = {};
    int64_t count = 0;
    AX_TRY(ax_document_need_object(ctx, tree, "tree_param", &params));
    AX_TRY(ax_document_need_whole(ctx, params, "num_nodes", &count));
    if (count < 1)
        return ax_fail(ctx, AX_INVALID, "`num_nodes` is %lld", (long long)count);
    *out_count = (size_t)count;
    return AX_OK;
}

/* Checks that each set is a stretch of codes that a float can hold; adds up their words. */
static ax_status
check_sets(struct reading *reading, const struct tree_arrays *tree)
{
    struct ax_ctx *ctx = reading->ctx;
    for (size_t j = 0; j < tree->set_nodes.count; j++) {
        int64_t start = tree->set_starts.items[j], size = tree->set_sizes.items[j], largest = -1;
        if (start < 0 || size < 0 || (uint64_t)start > tree->categories.count ||
            (uint64_t)size > tree->categories.count - (uint64_t)start)
            return ax_fail(ctx, AX_INVALID,
                           "category set %zu is %lld items from %lld on, of %zu categories", j,
                           (long long)size, (long long)start, tree->categories.count);
        for (int64_t i = start; i < start + size; i++) {
            int32_t code = tree->categories.items[i];
            if (code < 0 || code >= AX_FOREST_CATEGORY_MAX)
                return ax_fail(ctx, AX_INVALID, "`categories`[%lld] is %d; expected 0 to %d",
                               (long long)i, code, (int)AX_FOREST_CATEGORY_MAX - 1);
            largest = code > largest ? code : largest;
        }
        reading->set_words += (size_t)((largest + CODE_BITS) / CODE_BITS);
        if (reading->set_words > SET_WORDS_MAX)
            return ax_fail(ctx, AX_LIMIT, "category sets of more than %zu bytes",
                           (size_t)SET_WORDS_MAX * sizeof(uint32_t));
    }
    return AX_OK;
}

static ax_status
read_sets(struct reading *reading, ax_document tree, struct tree_arrays *out)
{
    struct ax_ctx *ctx = reading->ctx;
    if (!ax_document_present(ax_document_find(tree, "categories_nodes")))
        return AX_OK;
    AX_TRY(ax_document_need_i32s(ctx, tree, "categories", &out->categories));
    AX_TRY(ax_document_need_i64s(ctx, tree, "categories_nodes", &out->set_nodes));
    AX_TRY(ax_document_need_i64s(ctx, tree, "categories_segments", &out->set_starts));
    AX_TRY(ax_document_need_i64s(ctx, tree, "categories_sizes", &out->set_sizes));
    if (out->set_starts.count != out->set_nodes.count ||
        out->set_sizes.count != out->set_nodes.count)
        return ax_fail(ctx, AX_INVALID,
                       "`categories_nodes`, `_segments` and `_sizes` have %zu, %zu and %zu items",
                       out->set_nodes.count, out->set_starts.count, out->set_sizes.count);
    return check_sets(reading, out);
}

static ax_status
read_tree(struct reading *reading, ax_document tree, size_t index)
{
    struct tree_arrays *out = &reading->trees[index];
    int64_t id = 0;
    ax_document stated = ax_document_find(tree, "id");
    if (!ax_document_is_object(tree))
        return ax_fail(reading->ctx, AX_INVALID, "a tree must be an object");
    if (ax_document_present(stated) && (!ax_document_i64(stated, &id) || id != (int64_t)index))
        return ax_fail(reading->ctx, AX_INVALID, "`id` must be the tree's place, %zu", index);
    out->document = tree;
    AX_TRY(read_count(reading->ctx, tree, &out->node_count));
    AX_TRY(read_vectors(reading, tree, out));
    AX_TRY(read_sets(reading, tree, out));
    reading->vector_rows += out->vectors.count / reading->learner->output_count;
    return AX_OK;
}

/* ---- what stands around the trees ---- */

static ax_status
check_outputs(struct reading *reading, ax_document model)
{
    struct ax_document_i64s info;
    AX_TRY(ax_document_need_i64s(reading->ctx, model, "tree_info", &info));
    if (info.count != reading->tree_count)
        return ax_fail(reading->ctx, AX_INVALID, "`tree_info` has %zu items for %zu trees",
                       info.count, reading->tree_count);
    for (size_t t = 0; t < info.count; t++)
        if (info.items[t] < 0 || (uint64_t)info.items[t] >= reading->learner->output_count)
            return ax_fail(reading->ctx, AX_INVALID, "`tree_info`[%zu] is %lld, of %zu outputs", t,
                           (long long)info.items[t], reading->learner->output_count);
    reading->outputs = info.items;
    return AX_OK;
}

static ax_status
check_iterations(const struct reading *reading, ax_document model)
{
    struct ax_document_i64s starts;
    struct ax_ctx *ctx = reading->ctx;
    if (!ax_document_present(ax_document_find(model, "iteration_indptr")))
        return AX_OK;
    AX_TRY(ax_document_need_i64s(ctx, model, "iteration_indptr", &starts));
    for (size_t i = 0; i < starts.count; i++)
        if (starts.items[i] < (i ? starts.items[i - 1] : 0))
            return ax_fail(ctx, AX_INVALID, "`iteration_indptr`[%zu] is %lld: it must not decrease",
                           i, (long long)starts.items[i]);
    if (starts.count > 0 &&
        (starts.items[0] != 0 || (uint64_t)starts.items[starts.count - 1] != reading->tree_count))
        return ax_fail(ctx, AX_INVALID, "`iteration_indptr` must go from 0 to %zu, the trees",
                       reading->tree_count);
    return AX_OK;
}

/* DART's weights stand in the model (3.4), beside it, or beside the tree booster in it. */
static ax_status
read_weights(struct reading *reading, ax_document booster, ax_document model)
{
    struct ax_ctx *ctx = reading->ctx;
    ax_document homes[] = {model, booster, reading->learner->booster};
    for (size_t i = 0; i < AX_COUNT_OF(homes); i++) {
        if (!ax_document_present(ax_document_find(homes[i], "weight_drop")))
            continue;
        AX_TRY(ax_document_need_f32s(ctx, homes[i], "weight_drop", &reading->weights));
        if (reading->weights.count > reading->tree_count)
            return ax_fail(ctx, AX_INVALID, "`weight_drop` has %zu items for %zu trees",
                           reading->weights.count, reading->tree_count);
        for (size_t t = 0; t < reading->weights.count; t++)
            if (!isfinite(reading->weights.items[t]))
                return ax_fail(ctx, AX_INVALID, "`weight_drop`[%zu] must be finite", t);
        return AX_OK;
    }
    return AX_OK;
}

static ax_status
read_model(struct reading *reading)
{
    struct ax_ctx *ctx = reading->ctx;
    ax_document booster = reading->learner->booster, model = {}, params = {}, trees = {};
    int64_t stated = 0;
    if (ax_document_present(ax_document_find(booster, "gbtree")))
        AX_TRY(ax_document_need_object(ctx, booster, "gbtree", &booster));
    AX_TRY(ax_document_need_object(ctx, booster, "model", &model));
    AX_TRY(ax_document_need_object(ctx, model, "gbtree_model_param", &params));
    AX_TRY(ax_document_need_whole(ctx, params, "num_trees", &stated));
    AX_TRY(ax_document_need_array(ctx, model, "trees", &trees));
    reading->tree_count = ax_document_count(trees);
    if (stated < 0 || (uint64_t)stated != reading->tree_count || stated > TREES_MAX)
        return ax_fail(ctx, AX_INVALID, "`num_trees` is %lld, `trees` has %zu items (at most %d)",
                       (long long)stated, reading->tree_count, (int)TREES_MAX);
    AX_TRY(check_outputs(reading, model));
    AX_TRY(check_iterations(reading, model));
    AX_TRY(read_weights(reading, booster, model));
    reading->trees = AX_NEW_ARRAY(ctx->arena, struct tree_arrays, reading->tree_count);
    if (!reading->trees)
        return out_of_memory(ctx, "the trees");
    struct ax_document_iter iter = ax_document_iter_of(trees);
    while (ax_document_next(&iter)) {
        ax_status status = read_tree(reading, iter.value, iter.index);
        if (status != AX_OK)
            return ax_explain(ctx, status, "tree %zu", iter.index);
    }
    return AX_OK;
}

/* ---- building the forest ---- */

static ax_status
begin_forest(struct reading *reading)
{
    struct ax_forest *forest = &reading->engine->forest;
    size_t outputs = reading->learner->output_count, cells;
    double *base = AX_NEW_ARRAY(reading->arena, double, outputs);
    if (!base || !ax_mul(reading->vector_rows, outputs, &cells))
        return out_of_memory(reading->ctx, "base scores");
    for (size_t k = 0; k < outputs; k++)
        base[k] = (double)reading->learner->base[k];
    *forest = (struct ax_forest){.tree_count = reading->tree_count,
                                 .feature_count = reading->learner->signature.feature_count,
                                 .output_count = outputs,
                                 .base = base,
                                 .sets = AX_NEW_ARRAY(reading->arena, uint32_t, reading->set_words),
                                 .set_words = reading->set_words,
                                 .vectors = AX_NEW_ARRAY(reading->arena, double, cells),
                                 .vector_count = reading->vector_rows,
                                 .f32 = true};
    if (!forest->sets || !forest->vectors)
        return out_of_memory(reading->ctx, "category sets and leaf vectors");
    return ax_forest_build(reading->ctx, reading->arena, forest, &reading->builder);
}

static ax_status
make_room(struct reading *reading, size_t node_count)
{
    if (node_count <= reading->nodes_room)
        return AX_OK;
    size_t room = node_count > 2 * reading->nodes_room ? node_count : 2 * reading->nodes_room;
    reading->nodes = AX_NEW_ARRAY(reading->ctx->arena, struct ax_forest_node, room);
    reading->node_sets = AX_NEW_ARRAY(reading->ctx->arena, int32_t, room);
    if (!reading->nodes || !reading->node_sets)
        return out_of_memory(reading->ctx, "a tree's nodes");
    reading->nodes_room = room;
    return AX_OK;
}

/* Which set belongs to which node. */
static ax_status
place_sets(struct reading *reading, const struct tree_arrays *tree)
{
    for (size_t i = 0; i < tree->node_count; i++)
        reading->node_sets[i] = NO_SET;
    for (size_t j = 0; j < tree->set_nodes.count; j++) {
        int64_t node = tree->set_nodes.items[j];
        if (node < 0 || (uint64_t)node >= tree->node_count)
            return ax_fail(reading->ctx, AX_INVALID, "`categories_nodes`[%zu] is %lld of %zu nodes",
                           j, (long long)node, tree->node_count);
        if (reading->node_sets[node] != NO_SET)
            return ax_fail(reading->ctx, AX_INVALID, "node %lld has two category sets",
                           (long long)node);
        reading->node_sets[node] = (int32_t)j;
    }
    return AX_OK;
}

/* Writes set j of the tree behind the sets used so far. */
static void
write_set(struct reading *reading, const struct tree_arrays *tree, int32_t j,
          struct ax_forest_node *node)
{
    uint32_t *words = reading->engine->forest.sets + reading->sets_used;
    size_t count = 0;
    int64_t start = tree->set_starts.items[j];
    for (int64_t i = start; i < start + tree->set_sizes.items[j]; i++) {
        size_t code = (size_t)tree->categories.items[i];
        words[code / CODE_BITS] |= UINT32_C(1) << code % CODE_BITS;
        count = code / CODE_BITS + 1 > count ? code / CODE_BITS + 1 : count;
    }
    node->flags |= AX_FOREST_CATEGORICAL;
    node->set.at = (uint32_t)reading->sets_used;
    node->set.words = (uint32_t)count;
    reading->sets_used += count;
}

/* Children and features are looked at once more when the tree is built: here that it is a split. */
static ax_status
convert_split(struct reading *reading, const struct tree_arrays *tree, size_t i,
              struct ax_forest_node *node)
{
    int32_t type = tree->types.count ? tree->types.items[i] : 0;
    *node =
        (struct ax_forest_node){.threshold = (double)tree->conditions.items[i],
                                .left = tree->left.items[i],
                                .right = tree->right.items[i],
                                .feature = tree->features.items[i],
                                .flags = tree->default_left.items[i] ? AX_FOREST_DEFAULT_LEFT : 0};
    if (node->left < 0)
        return ax_fail(reading->ctx, AX_INVALID, "node %zu: children %d and %d of %zu nodes", i,
                       node->left, node->right, tree->node_count);
    if (type == 0)
        return AX_OK;
    if (type != 1)
        return ax_fail(reading->ctx, AX_INVALID, "node %zu: `split_type` is %d", i, type);
    if (reading->node_sets[i] == NO_SET)
        return ax_fail(reading->ctx, AX_INVALID, "node %zu: a categorical split without categories",
                       i);
    write_set(reading, tree, reading->node_sets[i], node);
    return AX_OK;
}

static ax_status
convert_leaf(const struct reading *reading, const struct tree_arrays *tree, size_t i, float weight,
             struct ax_forest_node *node)
{
    int32_t right = tree->right.items[i];
    *node = (struct ax_forest_node){.left = -1, .number = (int32_t)i};
    if (!tree->vectors.count || !tree->vector_rows) {
        if (right != -1)
            return ax_fail(reading->ctx, AX_INVALID, "node %zu: a right child %d and no left one",
                           i, right);
        right = (int32_t)i;
    }
    if (!tree->vectors.count) {
        node->leaf = (double)(tree->conditions.items[i] * weight);
        return AX_OK;
    }
    size_t rows = tree->vectors.count / reading->learner->output_count;
    if (right < 0 || (size_t)right >= rows)
        return ax_fail(reading->ctx, AX_INVALID, "node %zu: leaf vector %d of %zu", i, right, rows);
    node->vector = (int32_t)(reading->vectors_used + (size_t)right);
    return AX_OK;
}

/* Copies the tree's leaf vectors behind those used so far. */
static void
write_vectors(struct reading *reading, const struct tree_arrays *tree, float weight)
{
    size_t outputs = reading->learner->output_count;
    double *to = reading->engine->forest.vectors + reading->vectors_used * outputs;
    for (size_t i = 0; i < tree->vectors.count; i++)
        to[i] = (double)(tree->vectors.items[i] * weight);
    reading->vectors_used += tree->vectors.count / outputs;
}

static ax_status
build_tree(struct reading *reading, size_t index)
{
    struct tree_arrays *tree = &reading->trees[index];
    float weight = index < reading->weights.count ? reading->weights.items[index] : 1.0f;
    AX_TRY(read_nodes_apart(reading, tree));
    AX_TRY(make_room(reading, tree->node_count));
    AX_TRY(place_sets(reading, tree));
    for (size_t i = 0; i < tree->node_count; i++) {
        struct ax_forest_node *node = &reading->nodes[i];
        AX_TRY(tree->left.items[i] == -1 ? convert_leaf(reading, tree, i, weight, node)
                                         : convert_split(reading, tree, i, node));
    }
    write_vectors(reading, tree, weight);
    struct ax_forest_source source = {
        .nodes = reading->nodes,
        .covers = tree->covers,
        .node_count = tree->node_count,
        .output = tree->vectors.count ? -1 : (int32_t)reading->outputs[index]};
    AX_TRY(ax_forest_add(&reading->builder, reading->ctx, index, &source));
    return AX_OK;
}

static ax_status
note_trees(struct reading *reading)
{
    struct ax_engine *engine = &reading->engine->engine;
    size_t stated = 0;
    for (size_t t = 0; t < reading->tree_count; t++)
        stated += reading->trees[t].node_count;
    if (reading->tree_count == 0)
        AX_TRY(ax_engine_note(engine, reading->ctx, "no trees: every row gets the base score"));
    if (stated > reading->engine->forest.node_count)
        AX_TRY(ax_engine_note(engine, reading->ctx, "%zu deleted nodes are in the file",
                              stated - reading->engine->forest.node_count));
    if (reading->set_words > 0)
        AX_TRY(ax_engine_note(engine, reading->ctx, "categorical splits"));
    if (reading->vector_rows > 0)
        AX_TRY(ax_engine_note(engine, reading->ctx, "leaves hold a value for each output"));
    return AX_OK;
}

ax_status
ax_xgboost_tree_read(struct ax_ctx *ctx, struct ax_arena *arena,
                     const struct ax_xgboost_learner *learner, struct ax_engine **out_engine)
{
    struct ax_forest_engine *engine = AX_NEW(arena, struct ax_forest_engine);
    if (!engine)
        return out_of_memory(ctx, "the engine");
    engine->engine.arena = arena;
    engine->engine.signature = learner->signature;
    engine->respond = ax_xgboost_objective_respond;
    engine->objective = (int)learner->objective;
    ax_auto(ax_arena_free) struct ax_arena *nodes_arena = ax_arena_new(SIZE_MAX);
    if (!nodes_arena)
        return out_of_memory(ctx, "a tree's nodes");
    struct reading reading = {.ctx = ctx,
                              .arena = arena,
                              .nodes_arena = nodes_arena,
                              .learner = learner,
                              .engine = engine};
    AX_TRY(read_model(&reading));
    AX_TRY(begin_forest(&reading));
    for (size_t t = 0; t < reading.tree_count; t++) {
        ax_status status = build_tree(&reading, t);
        if (status != AX_OK)
            return ax_explain(ctx, status, "tree %zu", t);
    }
    AX_TRY(ax_forest_engine_finish(engine, ctx, learner->features));
    AX_TRY(note_trees(&reading));
    *out_engine = &engine->engine;
    return AX_OK;
}
