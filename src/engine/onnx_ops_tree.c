#include "engine/onnx_explain.h"

/*
 * TreeEnsembleRegressor, TreeEnsembleClassifier and TreeEnsemble.
 *
 * A classifier of two classes whose weights are all for one of them has one score s. Weights that
 * are for the first class count for the second: then it gives [1 - s, s] when none is negative,
 * else [-s, s], and both sides of the logistic function where that is asked for. Weights for the
 * second class give [0, s], and the transform of both. All this is ONNX Runtime's way, which the
 * standard leaves open; what even that does without sense (base values beside weights of the second
 * class, PROBIT of a pair) is left to it. The label of two classes that both have weights is the
 * larger one's, as for more classes.
 */

enum { TARGETS_MAX = 100'000 };

struct tree_model {
    struct ax_onnx_trees trees;
    enum ax_onnx_post post;
    struct ax_onnx_labels labels; /* of classifiers */
    bool binary;                  /* two classes, one score */
    bool second;                  /* the weights name the second class */
    bool positive;                /* and no weight is below 0: the score is a probability */
};

static ax_status
new_model(struct ax_ctx *ctx, struct ax_arena *arena, int64_t targets, struct tree_model **out)
{
    if (targets < 1 || targets > TARGETS_MAX)
        return ax_fail(ctx, AX_INVALID, "%lld targets; expected 1 to %d", (long long)targets,
                       (int)TARGETS_MAX);
    *out = AX_NEW(arena, struct tree_model);
    if (!*out)
        return ax_fail(ctx, AX_LIMIT, "no memory for a tree ensemble");
    (*out)->trees.arena = arena;
    (*out)->trees.target_count = (size_t)targets;
    (*out)->trees.aggregate = AX_ONNX_SUM;
    return AX_OK;
}

/* Base values: one a target. */
static ax_status
read_base(struct ax_ctx *ctx, const struct ax_onnx_node *node, struct tree_model *model)
{
    const double *base;
    size_t count, wanted = model->trees.target_count;
    AX_TRY(ax_onnx_trees_numbers(ctx, node, "base_values", "base_values_as_tensor", &base, &count));
    if (model->labels.count == 2 && count > 0 && !(model->binary && !model->second && count == 1))
        return ax_fail(ctx, AX_UNSUPPORTED, "%zu base values of two classes", count);
    if (count == 0)
        return AX_OK;
    if (count != wanted)
        return ax_fail(ctx, AX_INVALID, "`base_values` has %zu items for %zu", count, wanted);
    double *kept = AX_NEW_ARRAY(model->trees.arena, double, wanted);
    if (!kept)
        return ax_fail(ctx, AX_LIMIT, "no memory for base values");
    memcpy(kept, base, wanted * sizeof *kept);
    model->trees.base = kept;
    return AX_OK;
}

static ax_status
read_aggregate(struct ax_ctx *ctx, const struct ax_onnx_node *node, enum ax_onnx_aggregate *out)
{
    static const char *const words[] = {
        [AX_ONNX_AVERAGE] = "AVERAGE",
        [AX_ONNX_SUM] = "SUM",
        [AX_ONNX_MIN] = "MIN",
        [AX_ONNX_MAX] = "MAX",
    };
    ax_str word = ax_onnx_attribute_text(node, "aggregate_function", AX_STR("SUM"));
    for (size_t i = 0; i < AX_COUNT_OF(words); i++)
        if (ax_str_eq(word, ax_str_of(words[i]))) {
            *out = (enum ax_onnx_aggregate)i;
            return AX_OK;
        }
    return ax_fail(ctx, AX_INVALID, "`aggregate_function` is `%.*s`",
                   word.len > 32 ? 32 : (int)word.len, word.at);
}

static ax_status
prepare_regressor(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node)
{
    static const struct ax_onnx_weight_names names = {"target_treeids", "target_nodeids",
                                                      "target_ids", "target_weights",
                                                      "target_weights_as_tensor"};
    struct tree_model *model;
    AX_TRY(new_model(ctx, arena, ax_onnx_attribute_i64(node, "n_targets", 1), &model));
    AX_TRY(ax_onnx_post_read(ctx, node, &model->post));
    AX_TRY(read_aggregate(ctx, node, &model->trees.aggregate));
    AX_TRY(read_base(ctx, node, model));
    node->prepared = model;
    return ax_onnx_trees_read(ctx, node, &names, false, &model->trees);
}

/* Is every weight for one class of two? */
static ax_status
find_binary(struct ax_ctx *ctx, const struct ax_onnx_node *node, struct tree_model *model)
{
    struct ax_onnx_ints ids = ax_onnx_attribute_ints(node, "class_ids");
    const double *weights;
    size_t count;
    AX_TRY(ax_onnx_trees_numbers(ctx, node, "class_weights", "class_weights_as_tensor", &weights,
                                 &count));
    model->binary = model->labels.count == 2 && ids.count > 0;
    model->positive = true;
    for (size_t i = 0; i < ids.count; i++) {
        model->binary &= ids.items[i] == ids.items[0] && ids.items[i] >= 0 && ids.items[i] < 2;
        model->positive &= i < count && weights[i] >= 0;
    }
    model->second = model->binary && ids.items[0] == 1;
    if (model->binary)
        model->trees.target_count = 1;
    if (model->binary && !model->second && model->post == AX_ONNX_POST_PROBIT)
        return ax_fail(ctx, AX_UNSUPPORTED, "PROBIT of two classes with one score");
    return AX_OK;
}

static ax_status
prepare_classifier(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node)
{
    static const struct ax_onnx_weight_names names = {"class_treeids", "class_nodeids", "class_ids",
                                                      "class_weights", "class_weights_as_tensor"};
    struct tree_model *model;
    struct ax_onnx_labels labels;
    AX_TRY(ax_onnx_labels_read(ctx, arena, node, "classlabels_strings", "classlabels_int64s",
                               &labels));
    AX_TRY(new_model(ctx, arena, (int64_t)labels.count, &model));
    model->labels = labels;
    model->trees.classes = true;
    AX_TRY(ax_onnx_post_read(ctx, node, &model->post));
    AX_TRY(find_binary(ctx, node, model));
    AX_TRY(read_base(ctx, node, model));
    node->prepared = model;
    return ax_onnx_trees_read(ctx, node, &names, model->binary, &model->trees);
}

static ax_status
prepare_ensemble(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node)
{
    int64_t aggregate = ax_onnx_attribute_i64(node, "aggregate_function", AX_ONNX_SUM);
    int64_t post = ax_onnx_attribute_i64(node, "post_transform", AX_ONNX_POST_NONE);
    struct tree_model *model;
    AX_TRY(new_model(ctx, arena, ax_onnx_attribute_i64(node, "n_targets", 1), &model));
    if (aggregate < AX_ONNX_AVERAGE || aggregate > AX_ONNX_MAX || post < AX_ONNX_POST_NONE ||
        post > AX_ONNX_POST_PROBIT)
        return ax_fail(ctx, AX_INVALID, "`aggregate_function` %lld, `post_transform` %lld",
                       (long long)aggregate, (long long)post);
    model->trees.aggregate = (enum ax_onnx_aggregate)aggregate;
    model->post = (enum ax_onnx_post)post;
    node->prepared = model;
    return ax_onnx_trees_read_v5(ctx, node, &model->trees);
}

/* ---- running ---- */

/* The scores of all rows, target_count doubles each. */
struct scoring {
    const struct tree_model *model;
    struct ax_forest_rows rows;
    double *scores;
};

/* Whole numbers become float32; floats and doubles are taken where they lie. */
static ax_status
take_rows(struct ax_onnx_call *call, const struct ax_onnx_matrix *matrix,
          struct ax_forest_rows *out)
{
    const struct ax_tensor *in = matrix->tensor;
    bool wide = in->type == AX_TENSOR_FP64;
    *out = (struct ax_forest_rows){
        .at = in->data,
        .count = matrix->rows,
        .stride_bytes = matrix->columns * (wide ? sizeof(double) : sizeof(float)),
        .f32 = !wide,
    };
    void *floats;
    if (wide || in->type == AX_TENSOR_FP32)
        return AX_OK;
    AX_TRY(ax_onnx_memory_take(call, sizeof(float), in->count, &floats));
    for (size_t i = 0; i < in->count; i++)
        ((float *)floats)[i] = ax_tensor_f32(in, i);
    out->at = floats;
    return AX_OK;
}

static ax_status
score_all(struct ax_onnx_call *call, struct scoring *out)
{
    struct ax_onnx_matrix matrix;
    void *scores, *scratch;
    *out = (struct scoring){.model = call->node->prepared};
    const struct ax_onnx_trees *trees = &out->model->trees;
    AX_TRY(ax_onnx_matrix_of(call, &matrix));
    bool wide = matrix.tensor->type == AX_TENSOR_FP64;
    size_t tree_count = (wide ? &trees->wide : &trees->narrow)->forest.tree_count;
    if (trees->feature_count > matrix.columns)
        return ax_fail(call->ctx, AX_INVALID, "a tree splits on feature %zu of %zu",
                       trees->feature_count - 1, matrix.columns);
    if (tree_count == 0)
        return ax_onnx_fail_type(call, 0);
    AX_TRY(take_rows(call, &matrix, &out->rows));
    AX_TRY(ax_onnx_memory_take(call, sizeof(double), matrix.rows * (trees->target_count + 1),
                               &scores));
    AX_TRY(ax_onnx_memory_take(call, 1, ax_onnx_trees_scratch_bytes(trees, wide), &scratch));
    AX_TRY(ax_onnx_memory_spend(call, matrix.rows, tree_count));
    ax_onnx_trees_score(trees, &out->rows, scratch, scores);
    out->scores = scores;
    return AX_OK;
}

static void
store(enum ax_tensor_type type, void *data, size_t index, double value)
{
    if (type == AX_TENSOR_FP32)
        ((float *)data)[index] = (float)value;
    else
        ((double *)data)[index] = value;
}

/* Regressors give float32 whatever they are given; the newer TreeEnsemble its inputs' type. */
static ax_status
run_targets(struct ax_onnx_call *call, bool keep_type)
{
    struct scoring scoring;
    void *data;
    AX_TRY(score_all(call, &scoring));
    const struct tree_model *model = scoring.model;
    size_t targets = model->trees.target_count, rows = scoring.rows.count;
    struct ax_onnx_shape shape = {.dim_count = 2, .dims = {(int64_t)rows, (int64_t)targets}};
    enum ax_tensor_type type = keep_type && !scoring.rows.f32 ? AX_TENSOR_FP64 : AX_TENSOR_FP32;
    AX_TRY(ax_onnx_output(call, 0, type, &shape, &data));
    for (size_t i = 0; i < rows; i++) {
        double *scores = scoring.scores + i * targets;
        if (targets > 1 || model->post == AX_ONNX_POST_PROBIT || keep_type)
            ax_onnx_post_apply(model->post, scores, targets);
        for (size_t k = 0; k < targets; k++)
            store(type, data, i * targets + k, scores[k]);
    }
    return AX_OK;
}

/* ONNX Runtime applies but PROBIT to a single target, and so does this. */
static ax_status
op_regressor(struct ax_onnx_call *call)
{
    return run_targets(call, false);
}

static ax_status
op_ensemble(struct ax_onnx_call *call)
{
    return run_targets(call, true);
}

/* Both scores of two classes out of one, and which it is. */
static size_t
finish_binary(const struct tree_model *model, double s, double *out)
{
    out[1] = s;
    if (model->second) {
        out[0] = 0;
        ax_onnx_post_apply(model->post, out, 2);
    } else if (model->post == AX_ONNX_POST_LOGISTIC) {
        out[0] = ax_onnx_post_logistic(-s);
        out[1] = ax_onnx_post_logistic(s);
    } else {
        out[0] = model->positive ? (double)(1 - (float)s) : -s;
    }
    return model->positive ? s > 0.5 : s > 0;
}

static size_t
finish_classes(const struct tree_model *model, double *scores)
{
    size_t best = 0;
    for (size_t k = 1; k < model->labels.count; k++)
        best = scores[k] > scores[best] ? k : best;
    ax_onnx_post_apply(model->post, scores, model->labels.count);
    return best;
}

static ax_status
op_classifier(struct ax_onnx_call *call)
{
    struct scoring scoring;
    void *labels, *data;
    AX_TRY(score_all(call, &scoring));
    const struct tree_model *model = scoring.model;
    size_t classes = model->labels.count, rows = scoring.rows.count;
    struct ax_onnx_shape shape = {.dim_count = 2, .dims = {(int64_t)rows, (int64_t)classes}};
    AX_TRY(ax_onnx_labels_output(call, 0, &model->labels, rows, &labels));
    AX_TRY(ax_onnx_output(call, 1, AX_TENSOR_FP32, &shape, &data));
    for (size_t i = 0; i < rows; i++) {
        double pair[2] = {}, *scores = model->binary ? pair : scoring.scores + i * classes;
        size_t label = model->binary ? finish_binary(model, scoring.scores[i], pair)
                                     : finish_classes(model, scores);
        ax_onnx_labels_set(&model->labels, labels, i, label);
        for (size_t k = 0; k < classes; k++)
            store(AX_TENSOR_FP32, data, i * classes + k, scores[k]);
    }
    return AX_OK;
}

bool
ax_onnx_sum_of_trees(const struct ax_onnx_node *node, struct ax_onnx_sum *out)
{
    bool classes = node->op->run == op_classifier, keep_type = node->op->run == op_ensemble;
    if (!classes && !keep_type && node->op->run != op_regressor)
        return false;
    const struct tree_model *model = node->prepared;
    size_t targets = model->trees.target_count;
    *out = (struct ax_onnx_sum){
        .trees = &model->trees,
        .targets = targets,
        .features = model->trees.feature_count,
        .output = classes,
        .post = model->post,
        .pair = model->binary,
        .mirrored = !model->second,
    };
    if (!classes && !keep_type && targets == 1 && model->post != AX_ONNX_POST_PROBIT)
        out->post = AX_ONNX_POST_NONE; /* as op_regressor */
    return true;
}

/* clang-format off */
#define NODES \
    "nodes_treeids:I nodes_nodeids:I nodes_featureids:I nodes_modes:S nodes_values:F " \
    "nodes_values_as_tensor:t nodes_truenodeids:I nodes_falsenodeids:I nodes_hitrates:F " \
    "nodes_hitrates_as_tensor:t nodes_missing_value_tracks_true:I base_values:F " \
    "base_values_as_tensor:t post_transform:s "
static const struct ax_onnx_operator operators[] = {
    {"TreeEnsembleRegressor", 1, 1, 1, 1, 0,
     NODES "target_treeids:I target_nodeids:I target_ids:I target_weights:F "
     "target_weights_as_tensor:t n_targets:i aggregate_function:s",
     op_regressor, prepare_regressor},
    {"TreeEnsembleClassifier", 1, 1, 1, 2, 0,
     NODES "class_treeids:I class_nodeids:I class_ids:I class_weights:F class_weights_as_tensor:t "
     "classlabels_strings:S classlabels_int64s:I", op_classifier, prepare_classifier},
    {"TreeEnsemble", 5, 1, 1, 1, AX_ONNX_WIDEN,
     "aggregate_function:i post_transform:i n_targets:i nodes_featureids:I nodes_splits:t "
     "nodes_modes:t nodes_truenodeids:I nodes_falsenodeids:I nodes_trueleafs:I nodes_falseleafs:I "
     "nodes_missing_value_tracks_true:I nodes_hitrates:t leaf_targetids:I leaf_weights:t "
     "tree_roots:I membership_values:t", op_ensemble, prepare_ensemble},
};
/* clang-format on */

const struct ax_onnx_ops ax_onnx_ops_tree = {"ai.onnx.ml", operators, AX_COUNT_OF(operators)};
