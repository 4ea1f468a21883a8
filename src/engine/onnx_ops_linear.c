#include <math.h>

#include "engine/onnx_explain.h"

/*
 * LinearRegressor, LinearClassifier, SVMRegressor and SVMClassifier.
 *
 * Dot products are added in float64 in the order of the features; rows of floats side by side.
 *
 * Source: onnxruntime/core/providers/cpu/ml/{linear*,svm*}.cc; the pairwise probabilities are
 * libsvm's (Wu, Lin, Weng, Probability Estimates for Multi-class Classification, 2004).
 */

static ax_status
keep_floats(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_floats floats,
            const float **out)
{
    float *copy = AX_NEW_ARRAY(arena, float, floats.count + 1);
    if (!copy)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu coefficients", floats.count);
    if (floats.count)
        memcpy(copy, floats.items, floats.count * sizeof *copy);
    *out = copy;
    return AX_OK;
}

static double
dot(const double *x, const float *y, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += x[i] * (double)y[i];
    return sum;
}

/* A row of the input in float64, wide enough for the model. */
static ax_status
begin_rows(struct ax_onnx_call *call, size_t features, struct ax_onnx_matrix *out_matrix,
           double **out_row)
{
    void *row;
    AX_TRY(ax_onnx_matrix_of(call, out_matrix));
    if (out_matrix->columns != features)
        return ax_fail(call->ctx, AX_INVALID, "input 0 has %zu columns; expected %zu",
                       out_matrix->columns, features);
    AX_TRY(ax_onnx_memory_take(call, sizeof(double), features, &row));
    *out_row = row;
    return AX_OK;
}

static ax_status
output_scores(struct ax_onnx_call *call, size_t index, size_t rows, size_t columns, void **out)
{
    struct ax_onnx_shape shape = {.dim_count = 2, .dims = {(int64_t)rows, (int64_t)columns}};
    return ax_onnx_output(call, index, AX_TENSOR_FP32, &shape, out);
}

/* ---- linear ---- */

struct linear_model {
    const float *coefficients;  /* [outputs][features] */
    const float *intercepts;    /* NULL: none */
    struct ax_onnx_dense dense; /* the same for rows of floats */
    size_t outputs, features;
    enum ax_onnx_post post;
    struct ax_onnx_labels labels;
};

static ax_status
pack_linear(struct ax_ctx *ctx, struct ax_arena *arena, struct linear_model *model)
{
    const struct ax_onnx_dense_source source = {.at = model->coefficients,
                                                .depth = model->features,
                                                .columns = model->outputs,
                                                .row_step = 1,
                                                .column_step = model->features};
    AX_TRY(ax_onnx_dense_pack(ctx, arena, &source, &model->dense));
    if (!model->intercepts)
        return AX_OK;
    double *wide = AX_NEW_ARRAY(arena, double, model->outputs);
    if (!wide)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu intercepts", model->outputs);
    for (size_t k = 0; k < model->outputs; k++)
        wide[k] = (double)model->intercepts[k];
    model->dense.wide = wide;
    return AX_OK;
}

/*
 * scikit-learn's converter writes the score of two classes twice, once with every sign turned.
 * Sums of turned numbers are the turned sums to the bit: one of them is enough.
 */
static void
drop_mirror(struct linear_model *model)
{
    const float *first = model->coefficients, *second = first + model->features;
    bool mirror = model->outputs == 2 && model->labels.count == 2 &&
                  model->post == AX_ONNX_POST_LOGISTIC && model->intercepts &&
                  model->intercepts[0] == -model->intercepts[1];
    for (size_t i = 0; mirror && i < model->features; i++)
        mirror = first[i] == -second[i];
    if (!mirror)
        return;
    model->outputs = 1;
    model->coefficients = second;
    model->intercepts++;
}

static ax_status
read_linear(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_node *node,
            size_t outputs, struct linear_model *model)
{
    struct ax_onnx_floats coefficients = ax_onnx_attribute_floats(node, "coefficients");
    struct ax_onnx_floats intercepts = ax_onnx_attribute_floats(node, "intercepts");
    if (outputs == 0 || coefficients.count == 0 || coefficients.count % outputs)
        return ax_fail(ctx, AX_INVALID, "%zu coefficients for %zu outputs", coefficients.count,
                       outputs);
    if (intercepts.count && intercepts.count != outputs)
        return ax_fail(ctx, AX_INVALID, "%zu intercepts for %zu outputs", intercepts.count,
                       outputs);
    model->outputs = outputs;
    model->features = coefficients.count / outputs;
    AX_TRY(keep_floats(ctx, arena, coefficients, &model->coefficients));
    if (intercepts.count)
        AX_TRY(keep_floats(ctx, arena, intercepts, &model->intercepts));
    AX_TRY(ax_onnx_post_read(ctx, node, &model->post));
    drop_mirror(model);
    return pack_linear(ctx, arena, model);
}

static ax_status
prepare_linear_regressor(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node)
{
    struct linear_model *model = AX_NEW(arena, struct linear_model);
    int64_t targets = ax_onnx_attribute_i64(node, "targets", 1);
    if (!model)
        return ax_fail(ctx, AX_LIMIT, "no memory for a linear model");
    node->prepared = model;
    return read_linear(ctx, arena, node, targets > 0 ? (size_t)targets : 0, model);
}

static ax_status
prepare_linear_classifier(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node)
{
    struct linear_model *model = AX_NEW(arena, struct linear_model);
    if (!model)
        return ax_fail(ctx, AX_LIMIT, "no memory for a linear model");
    AX_TRY(ax_onnx_labels_read(ctx, arena, node, "classlabels_strings", "classlabels_ints",
                               &model->labels));
    size_t outputs = ax_onnx_attribute_floats(node, "intercepts").count;
    outputs = outputs ? outputs : model->labels.count;
    if (outputs != model->labels.count && !(outputs == 1 && model->labels.count == 2))
        return ax_fail(ctx, AX_INVALID, "%zu intercepts for %zu classes", outputs,
                       model->labels.count);
    node->prepared = model;
    return read_linear(ctx, arena, node, outputs, model);
}

/* Scores of all rows, `outputs` of them each: sums of floats side by side, of others in turn. */
static ax_status
linear_scores(struct ax_onnx_call *call, const struct linear_model *model, size_t width,
              struct ax_onnx_matrix *out_matrix, double **out_scores)
{
    const struct ax_onnx_dense *dense = &model->dense;
    double *row;
    void *scores, *room;
    AX_TRY(begin_rows(call, model->features, out_matrix, &row));
    size_t rows = out_matrix->rows, outputs = model->outputs;
    AX_TRY(ax_onnx_memory_take(call, sizeof(double), rows * width, &scores));
    AX_TRY(ax_onnx_memory_take(call, sizeof(double), ax_onnx_dense_room(dense), &room));
    AX_TRY(ax_onnx_memory_spend(call, rows, outputs * model->features));
    *out_scores = scores;
    if (out_matrix->tensor->type == AX_TENSOR_FP32) {
        call->run->level->sums(dense, out_matrix->tensor->data, model->features, rows, room,
                               scores);
        return AX_OK;
    }
    for (size_t i = 0; i < rows; i++) {
        ax_onnx_matrix_row(out_matrix, i, row);
        for (size_t k = 0; k < outputs; k++) {
            double sum = dot(row, model->coefficients + k * model->features, model->features);
            (*out_scores)[i * outputs + k] =
                model->intercepts ? sum + (double)model->intercepts[k] : sum;
        }
    }
    return AX_OK;
}

static ax_status
op_linear_regressor(struct ax_onnx_call *call)
{
    const struct linear_model *model = call->node->prepared;
    size_t outputs = model->outputs;
    struct ax_onnx_matrix matrix;
    double *scores;
    void *data;
    AX_TRY(linear_scores(call, model, outputs, &matrix, &scores));
    AX_TRY(output_scores(call, 0, matrix.rows, outputs, &data));
    if (outputs > 1 || model->post == AX_ONNX_POST_PROBIT) /* as trees' regressors */
        ax_onnx_post_rows(call, model->post, scores, matrix.rows, outputs);
    for (size_t i = 0; i < matrix.rows * outputs; i++)
        ((float *)data)[i] = (float)scores[i];
    return AX_OK;
}

/* One score of two classes becomes both, as ONNX Runtime writes them; true: the second class. */
static bool
pair_of(enum ax_onnx_post post, bool signs, double *scores)
{
    double s = scores[0];
    scores[1] = s;
    if (post == AX_ONNX_POST_PROBIT) {
        ax_onnx_post_apply(post, &scores[1], 1);
        scores[0] = scores[1];
    } else if (post == AX_ONNX_POST_LOGISTIC) {
        scores[0] = ax_onnx_post_logistic(-s);
        scores[1] = ax_onnx_post_logistic(s);
    } else {
        scores[0] = signs ? -s : 1 - s;
    }
    return s > 0;
}

static size_t
first_maximum(const double *scores, size_t count)
{
    size_t best = 0;
    for (size_t k = 1; k < count; k++)
        best = scores[k] > scores[best] ? k : best;
    return best;
}

/* Rows of one score become rows of two, from the last to the first in the same memory. */
static void
spread_pairs(const struct linear_model *model, const double *sums, size_t rows, double *out)
{
    for (size_t i = rows; i-- > 0;) {
        double pair[2] = {sums[i]};
        if (model->post == AX_ONNX_POST_LOGISTIC) { /* of all rows at once, later */
            pair[1] = pair[0];
            pair[0] = -pair[1];
        } else {
            (void)pair_of(model->post, false, pair);
        }
        memcpy(out + 2 * i, pair, sizeof pair);
    }
}

static ax_status
op_linear_classifier(struct ax_onnx_call *call)
{
    const struct linear_model *model = call->node->prepared;
    size_t classes = model->labels.count;
    bool pairs = model->outputs < classes;
    struct ax_onnx_matrix matrix;
    double *scores;
    void *labels, *data;
    AX_TRY(linear_scores(call, model, classes, &matrix, &scores));
    AX_TRY(ax_onnx_labels_output(call, 0, &model->labels, matrix.rows, &labels));
    AX_TRY(output_scores(call, 1, matrix.rows, classes, &data));
    for (size_t i = 0; ax_onnx_wants(call, 0) && i < matrix.rows; i++) {
        const double *row = scores + i * model->outputs;
        ax_onnx_labels_set(&model->labels, labels, i,
                           pairs ? row[0] > 0 : first_maximum(row, classes));
    }
    if (pairs)
        spread_pairs(model, scores, matrix.rows, scores);
    if (!pairs || model->post == AX_ONNX_POST_LOGISTIC)
        ax_onnx_post_rows(call, model->post, scores, matrix.rows, classes);
    for (size_t i = 0; i < matrix.rows * classes; i++)
        ((float *)data)[i] = (float)scores[i];
    return AX_OK;
}

bool
ax_onnx_sum_of_products(const struct ax_onnx_node *node, struct ax_onnx_sum *out)
{
    bool classes = node->op->run == op_linear_classifier;
    if (!classes && node->op->run != op_linear_regressor)
        return false;
    const struct linear_model *model = node->prepared;
    *out = (struct ax_onnx_sum){
        .coefficients = model->coefficients,
        .intercepts = model->intercepts,
        .targets = model->outputs,
        .features = model->features,
        .output = classes,
        .post = model->post,
        .pair = classes && model->outputs < model->labels.count,
        .mirrored = true,
    };
    if (!classes && model->outputs == 1 && model->post != AX_ONNX_POST_PROBIT)
        out->post = AX_ONNX_POST_NONE;
    return true;
}

/* ---- support vectors ---- */

enum kernel { KERNEL_LINEAR, KERNEL_POLY, KERNEL_RBF, KERNEL_SIGMOID };

struct svm_model {
    enum kernel kernel;
    double gamma, coef0, degree;
    const float *vectors; /* [vector_count][features]; of none, `coefficients` are the model */
    size_t vector_count, features;
    const float *coefficients;
    const float *rho;
    enum ax_onnx_post post;
    bool one_class;

    /* Of classifiers. */
    struct ax_onnx_labels labels;
    size_t *starts; /* class_count + 1: each class's first vector */
    size_t class_count;
    const float *prob_a, *prob_b; /* of each pair; NULL: scores are no probabilities */
    bool positive;
};

static ax_status
read_kernel(struct ax_ctx *ctx, const struct ax_onnx_node *node, struct svm_model *model)
{
    static const char *const words[] = {
        [KERNEL_LINEAR] = "LINEAR",
        [KERNEL_POLY] = "POLY",
        [KERNEL_RBF] = "RBF",
        [KERNEL_SIGMOID] = "SIGMOID",
    };
    struct ax_onnx_floats parameters = ax_onnx_attribute_floats(node, "kernel_params");
    ax_str word = ax_onnx_attribute_text(node, "kernel_type", AX_STR("LINEAR"));
    if (parameters.count && parameters.count != 3)
        return ax_fail(ctx, AX_INVALID, "`kernel_params` has %zu items, not 3", parameters.count);
    if (parameters.count) {
        model->gamma = (double)parameters.items[0];
        model->coef0 = (double)parameters.items[1];
        model->degree = (double)parameters.items[2];
    }
    for (size_t i = 0; i < AX_COUNT_OF(words); i++)
        if (ax_str_eq(word, ax_str_of(words[i]))) {
            model->kernel = (enum kernel)i;
            return ax_onnx_post_read(ctx, node, &model->post);
        }
    return ax_fail(ctx, AX_INVALID, "`kernel_type` is `%.*s`", word.len > 32 ? 32 : (int)word.len,
                   word.at);
}

/* Vectors, coefficients (`rows` for each vector, or for each feature of a linear model), rho. */
static ax_status
read_vectors(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_node *node,
             size_t rows, size_t rhos, struct svm_model *model)
{
    struct ax_onnx_floats vectors = ax_onnx_attribute_floats(node, "support_vectors");
    struct ax_onnx_floats coefficients = ax_onnx_attribute_floats(node, "coefficients");
    struct ax_onnx_floats rho = ax_onnx_attribute_floats(node, "rho");
    bool sound = rows > 0 && coefficients.count > 0;
    if (model->vector_count) {
        model->features = vectors.count / model->vector_count;
        sound &= vectors.count % model->vector_count == 0 && model->features > 0 &&
                 coefficients.count % rows == 0 && coefficients.count / rows == model->vector_count;
    } else {
        sound &= vectors.count == 0 && coefficients.count % rows == 0;
        model->features = sound ? coefficients.count / rows : 0;
        model->kernel = KERNEL_LINEAR;
    }
    if (!sound || rho.count < rhos)
        return ax_fail(ctx, AX_INVALID, "%zu numbers of %zu vectors, %zu coefficients, %zu rho",
                       vectors.count, model->vector_count, coefficients.count, rho.count);
    AX_TRY(keep_floats(ctx, arena, vectors, &model->vectors));
    AX_TRY(keep_floats(ctx, arena, rho, &model->rho));
    return keep_floats(ctx, arena, coefficients, &model->coefficients);
}

static ax_status
prepare_svm_regressor(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node)
{
    struct svm_model *model = AX_NEW(arena, struct svm_model);
    int64_t count = ax_onnx_attribute_i64(node, "n_supports", 0);
    if (!model)
        return ax_fail(ctx, AX_LIMIT, "no memory for support vectors");
    if (count < 0)
        return ax_fail(ctx, AX_INVALID, "`n_supports` is %lld", (long long)count);
    model->vector_count = (size_t)count;
    model->one_class = ax_onnx_attribute_i64(node, "one_class", 0) != 0;
    node->prepared = model;
    AX_TRY(read_kernel(ctx, node, model));
    return read_vectors(ctx, arena, node, 1, 1, model);
}

static ax_status
read_classes(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_node *node,
             struct svm_model *model)
{
    struct ax_onnx_ints counts = ax_onnx_attribute_ints(node, "vectors_per_class");
    struct ax_onnx_floats coefficients = ax_onnx_attribute_floats(node, "coefficients");
    AX_TRY(ax_onnx_labels_read(ctx, arena, node, "classlabels_strings", "classlabels_ints",
                               &model->labels));
    model->class_count = model->labels.count;
    model->starts = AX_NEW_ARRAY(arena, size_t, counts.count + 1);
    if (!model->starts)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu classes", counts.count);
    if (counts.count && counts.count != model->class_count)
        return ax_fail(ctx, AX_INVALID, "`vectors_per_class` has %zu items for %zu classes",
                       counts.count, model->class_count);
    for (size_t i = 0; i < counts.count; i++) {
        if (counts.items[i] < 0 || counts.items[i] > INT32_MAX)
            return ax_fail(ctx, AX_INVALID, "`vectors_per_class`[%zu] is %lld", i,
                           (long long)counts.items[i]);
        model->starts[i + 1] = model->starts[i] + (size_t)counts.items[i];
    }
    model->vector_count = counts.count ? model->starts[counts.count] : 0;
    model->positive = true;
    for (size_t i = 0; i < coefficients.count; i++)
        model->positive &= coefficients.items[i] >= 0;
    return AX_OK;
}

static ax_status
prepare_svm_classifier(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node)
{
    struct svm_model *model = AX_NEW(arena, struct svm_model);
    if (!model)
        return ax_fail(ctx, AX_LIMIT, "no memory for support vectors");
    node->prepared = model;
    AX_TRY(read_classes(ctx, arena, node, model));
    AX_TRY(read_kernel(ctx, node, model));
    size_t classes = model->class_count, pairs = classes * (classes - 1) / 2;
    struct ax_onnx_floats a = ax_onnx_attribute_floats(node, "prob_a");
    struct ax_onnx_floats b = ax_onnx_attribute_floats(node, "prob_b");
    if (classes > INT16_MAX || classes < 2)
        return ax_fail(ctx, AX_INVALID, "%zu classes", classes);
    if (a.count != b.count || (a.count && (a.count != pairs || model->vector_count == 0)))
        return ax_fail(ctx, AX_INVALID, "%zu and %zu numbers of probability for %zu pairs", a.count,
                       b.count, pairs);
    if (a.count) {
        AX_TRY(keep_floats(ctx, arena, a, &model->prob_a));
        AX_TRY(keep_floats(ctx, arena, b, &model->prob_b));
    }
    if (model->vector_count)
        return read_vectors(ctx, arena, node, classes - 1, pairs, model);
    return read_vectors(ctx, arena, node, classes, 1, model);
}

static double
kernel_of(const struct svm_model *model, const double *row, const float *vector)
{
    if (model->kernel == KERNEL_RBF) {
        double sum = 0;
        for (size_t i = 0; i < model->features; i++) {
            double distance = row[i] - (double)vector[i];
            sum += distance * distance;
        }
        return exp(-model->gamma * sum);
    }
    double product = dot(row, vector, model->features);
    if (model->kernel == KERNEL_LINEAR)
        return product;
    product = model->gamma * product + model->coef0;
    return model->kernel == KERNEL_POLY ? pow(product, model->degree) : tanh(product);
}

static ax_status
op_svm_regressor(struct ax_onnx_call *call)
{
    const struct svm_model *model = call->node->prepared;
    struct ax_onnx_matrix matrix;
    double *row;
    void *data;
    AX_TRY(begin_rows(call, model->features, &matrix, &row));
    AX_TRY(output_scores(call, 0, matrix.rows, 1, &data));
    AX_TRY(ax_onnx_memory_spend(call, matrix.rows, (model->vector_count + 1) * model->features));
    for (size_t i = 0; i < matrix.rows; i++) {
        double sum = 0;
        ax_onnx_matrix_row(&matrix, i, row);
        if (model->vector_count == 0)
            sum = dot(row, model->coefficients, model->features);
        for (size_t j = 0; j < model->vector_count; j++)
            sum += (double)model->coefficients[j] *
                   kernel_of(model, row, model->vectors + j * model->features);
        sum += (double)model->rho[0];
        ((float *)data)[i] = model->one_class ? (sum > 0 ? 1 : -1) : (float)sum;
    }
    return AX_OK;
}

/* Memory for a row of an SVM classifier. */
struct svm_row {
    double *row;
    double *kernels;  /* one a vector */
    double *pairs;    /* scores of each pair of classes */
    size_t *votes;    /* one a class */
    double *pairwise; /* [classes][classes]: probability of one class against another */
    double *square;   /* the same size: libsvm's Q */
    double *scores;   /* one a class */
    double *products; /* one a class */
};

/* Scores and votes of each pair of classes; the vectors of both decide. */
static size_t
score_pairs(const struct svm_model *model, const struct svm_row *at)
{
    size_t pair = 0, classes = model->class_count;
    for (size_t j = 0; j < model->vector_count; j++)
        at->kernels[j] = kernel_of(model, at->row, model->vectors + j * model->features);
    memset(at->votes, 0, classes * sizeof *at->votes);
    for (size_t i = 0; i < classes; i++)
        for (size_t j = i + 1; j < classes; j++, pair++) {
            const float *of_i = model->coefficients + model->vector_count * (j - 1);
            const float *of_j = model->coefficients + model->vector_count * i;
            double sum = 0;
            for (size_t m = model->starts[i]; m < model->starts[i + 1]; m++)
                sum += at->kernels[m] * (double)of_i[m];
            for (size_t m = model->starts[j]; m < model->starts[j + 1]; m++)
                sum += at->kernels[m] * (double)of_j[m];
            sum += (double)model->rho[pair];
            at->pairs[pair] = sum;
            at->votes[sum > 0 ? i : j]++;
        }
    return pair;
}

/* One sweep of libsvm's iteration; the largest distance from its fixed point before it. */
static double
sweep(size_t count, const double *square, double *products, double *p)
{
    double all = 0, most = 0;
    for (size_t t = 0; t < count; t++) {
        products[t] = 0;
        for (size_t j = 0; j < count; j++)
            products[t] += square[t * count + j] * p[j];
        all += p[t] * products[t];
    }
    for (size_t t = 0; t < count; t++)
        most = fmax(most, fabs(products[t] - all));
    if (most < 0.005 / (double)count)
        return 0;
    for (size_t t = 0; t < count; t++) {
        double own = square[t * count + t], step = (all - products[t]) / own;
        p[t] += step;
        all = (all + step * (step * own + 2 * products[t])) / (1 + step) / (1 + step);
        for (size_t j = 0; j < count; j++) {
            products[j] = (products[j] + step * square[t * count + j]) / (1 + step);
            p[j] /= 1 + step;
        }
    }
    return most;
}

/* Probabilities of the classes out of those of the pairs. */
static void
couple(const struct svm_model *model, const struct svm_row *at)
{
    enum { SWEEPS_MAX = 100 };
    size_t count = model->class_count, pair = 0;
    double *r = at->pairwise, *square = at->square;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++, pair++) {
            double x = at->pairs[pair] * (double)model->prob_a[pair] + (double)model->prob_b[pair];
            double p = 1 - ax_onnx_post_logistic(x);
            p = p < 1e-7 ? 1e-7 : p > 1 - 1e-7 ? 1 - 1e-7 : p; /* NaN stays */
            r[i * count + j] = p;
            r[j * count + i] = 1 - p;
        }
    for (size_t t = 0; t < count; t++) {
        at->scores[t] = 1 / (double)count;
        square[t * count + t] = 0;
        for (size_t j = 0; j < count; j++) {
            if (j == t)
                continue;
            square[t * count + t] += r[j * count + t] * r[j * count + t];
            square[t * count + j] = -r[j * count + t] * r[t * count + j];
        }
    }
    for (int i = 0; i < SWEEPS_MAX && sweep(count, square, at->products, at->scores) > 0; i++)
        continue;
}

/* Scores of one row; out_scores: `columns` of them. Returns the class. */
static size_t
classify(const struct svm_model *model, const struct svm_row *at, double *out_scores)
{
    size_t classes = model->class_count, label = 0;
    if (model->vector_count == 0) {
        for (size_t k = 0; k < classes; k++)
            out_scores[k] =
                dot(at->row, model->coefficients + k * model->features, model->features) +
                (double)model->rho[0];
        label = first_maximum(out_scores, classes);
        double least = model->positive ? 0.5 : 0; /* ONNX Runtime's rule for two classes */
        if (classes == 2 &&
            (out_scores[label] > least || (model->positive && out_scores[label] == least)))
            label = 1;
        ax_onnx_post_apply(model->post, out_scores, classes);
        return label;
    }
    size_t pairs = score_pairs(model, at);
    for (size_t k = 1; k < classes; k++)
        label = at->votes[k] > at->votes[label] ? k : label;
    if (model->prob_a) {
        couple(model, at);
        memcpy(out_scores, at->scores, classes * sizeof *out_scores);
        ax_onnx_post_apply(model->post, out_scores, classes);
    } else if (pairs == 1) {
        out_scores[0] = at->pairs[0];
        (void)pair_of(model->post, model->post == AX_ONNX_POST_NONE, out_scores);
    } else {
        memcpy(out_scores, at->pairs, pairs * sizeof *out_scores);
        ax_onnx_post_apply(model->post, out_scores, pairs);
    }
    return label;
}

static ax_status
take_svm_row(struct ax_onnx_call *call, const struct svm_model *model, struct svm_row *out)
{
    size_t classes = model->class_count, square = classes * classes;
    void *kernels, *pairs, *votes, *pairwise, *matrix, *scores, *products;
    AX_TRY(ax_onnx_memory_take(call, sizeof(double), model->vector_count, &kernels));
    AX_TRY(ax_onnx_memory_take(call, sizeof(double), square, &pairs));
    AX_TRY(ax_onnx_memory_take(call, sizeof(size_t), classes, &votes));
    AX_TRY(ax_onnx_memory_take(call, sizeof(double), square, &pairwise));
    AX_TRY(ax_onnx_memory_take(call, sizeof(double), square, &matrix));
    AX_TRY(ax_onnx_memory_take(call, sizeof(double), classes, &scores));
    AX_TRY(ax_onnx_memory_take(call, sizeof(double), classes, &products));
    out->kernels = kernels;
    out->pairs = pairs;
    out->votes = votes;
    out->pairwise = pairwise;
    out->square = matrix;
    out->scores = scores;
    out->products = products;
    return AX_OK;
}

static ax_status
op_svm_classifier(struct ax_onnx_call *call)
{
    const struct svm_model *model = call->node->prepared;
    size_t classes = model->class_count, pairs = classes * (classes - 1) / 2;
    bool per_class = model->prob_a || model->vector_count == 0 || pairs == 1;
    size_t columns = per_class ? classes : pairs;
    struct ax_onnx_matrix matrix;
    struct svm_row at;
    void *room, *labels, *data;
    AX_TRY(begin_rows(call, model->features, &matrix, &at.row));
    AX_TRY(take_svm_row(call, model, &at));
    AX_TRY(ax_onnx_memory_take(call, sizeof(double), columns, &room));
    AX_TRY(ax_onnx_labels_output(call, 0, &model->labels, matrix.rows, &labels));
    AX_TRY(output_scores(call, 1, matrix.rows, columns, &data));
    AX_TRY(ax_onnx_memory_spend(call, matrix.rows, (model->vector_count + 1) * model->features));
    double *scores = room;
    for (size_t i = 0; i < matrix.rows; i++) {
        ax_onnx_matrix_row(&matrix, i, at.row);
        ax_onnx_labels_set(&model->labels, labels, i, classify(model, &at, scores));
        for (size_t k = 0; k < columns; k++)
            ((float *)data)[i * columns + k] = (float)scores[k];
    }
    return AX_OK;
}

/* clang-format off */
#define SVM "kernel_type:s kernel_params:F support_vectors:F coefficients:F rho:F post_transform:s "
static const struct ax_onnx_operator operators[] = {
    {"LinearRegressor", 1, 1, 1, 1, 0, "coefficients:F intercepts:F targets:i post_transform:s",
     op_linear_regressor, prepare_linear_regressor},
    {"LinearClassifier", 1, 1, 1, 2, 0,
     "coefficients:F intercepts:F multi_class:i classlabels_strings:S classlabels_ints:I "
     "post_transform:s", op_linear_classifier, prepare_linear_classifier},
    {"SVMRegressor", 1, 1, 1, 1, 0, SVM "n_supports:i one_class:i", op_svm_regressor,
     prepare_svm_regressor},
    {"SVMClassifier", 1, 1, 1, 2, 0,
     SVM "vectors_per_class:I classlabels_strings:S classlabels_ints:I prob_a:F prob_b:F",
     op_svm_classifier, prepare_svm_classifier},
};
/* clang-format on */

const struct ax_onnx_ops ax_onnx_ops_linear = {"ai.onnx.ml", operators, AX_COUNT_OF(operators)};
