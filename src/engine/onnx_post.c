#include "engine/onnx_post.h"

#include <math.h>

ax_status
ax_onnx_post_read(struct ax_ctx *ctx, const struct ax_onnx_node *node, enum ax_onnx_post *out)
{
    static const char *const words[] = {
        [AX_ONNX_POST_NONE] = "NONE",         [AX_ONNX_POST_SOFTMAX] = "SOFTMAX",
        [AX_ONNX_POST_LOGISTIC] = "LOGISTIC", [AX_ONNX_POST_SOFTMAX_ZERO] = "SOFTMAX_ZERO",
        [AX_ONNX_POST_PROBIT] = "PROBIT",
    };
    ax_str word = ax_onnx_attribute_text(node, "post_transform", AX_STR("NONE"));
    for (size_t i = 0; i < AX_COUNT_OF(words); i++)
        if (ax_str_eq(word, ax_str_of(words[i]))) {
            *out = (enum ax_onnx_post)i;
            return AX_OK;
        }
    return ax_fail(ctx, AX_INVALID, "`post_transform` is `%.*s`",
                   word.len > 32 ? 32 : (int)word.len, word.at);
}

double
ax_onnx_post_logistic(double x)
{
    double v = 1 / (1 + exp(-fabs(x)));
    return x < 0 ? 1 - v : v;
}

/*
 * Winitzki's approximation of the inverse error function, in float32 as ONNX Runtime has it: near
 * 0 the cancellation is part of the answer.
 */
static double
probit(double x)
{
    static const float a = 0.147f, pi = 3.14159f;
    float y = 2 * (float)x - 1, sign = y < 0 ? -1 : 1;
    float logarithm = logf((1 - y) * (1 + y));
    float v = 2 / (pi * a) + 0.5f * logarithm, v2 = 1 / a * logarithm;
    return (double)(1.41421356f * (sign * sqrtf(-v + sqrtf(v * v - v2))));
}

static void
softmax(double *scores, size_t count, bool keep_zeros)
{
    enum { NANO = 100 }; /* 1e-7 in units of 1e-9 */
    static const double zero = NANO * 1e-9;
    double most = -(double)INFINITY, sum = 0;
    for (size_t i = 0; i < count; i++)
        most = scores[i] > most ? scores[i] : most;
    for (size_t i = 0; i < count; i++) {
        if (keep_zeros && fabs(scores[i]) <= zero) {
            scores[i] *= exp(-most);
            continue;
        }
        scores[i] = exp(scores[i] - most);
        sum += scores[i];
    }
    for (size_t i = 0; i < count; i++)
        scores[i] /= sum;
}

void
ax_onnx_post_apply(enum ax_onnx_post post, double *scores, size_t count)
{
    switch (post) {
    case AX_ONNX_POST_NONE:
        return;
    case AX_ONNX_POST_SOFTMAX:
    case AX_ONNX_POST_SOFTMAX_ZERO:
        softmax(scores, count, post == AX_ONNX_POST_SOFTMAX_ZERO);
        return;
    case AX_ONNX_POST_LOGISTIC:
    case AX_ONNX_POST_PROBIT:
        for (size_t i = 0; i < count; i++)
            scores[i] =
                post == AX_ONNX_POST_PROBIT ? probit(scores[i]) : ax_onnx_post_logistic(scores[i]);
    }
}

void
ax_onnx_post_rows(const struct ax_onnx_call *call, enum ax_onnx_post post, double *scores,
                  size_t rows, size_t count)
{
    if (post == AX_ONNX_POST_NONE)
        return;
    if (post == AX_ONNX_POST_LOGISTIC) {
        call->run->level->logistic(scores, rows * count);
        return;
    }
    for (size_t i = 0; i < rows; i++)
        ax_onnx_post_apply(post, scores + i * count, count);
}

/* ---- labels ---- */

ax_status
ax_onnx_labels_read(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_node *node,
                    const char *texts, const char *numbers, struct ax_onnx_labels *out)
{
    struct ax_onnx_texts words = ax_onnx_attribute_texts(node, texts);
    struct ax_onnx_ints ints = ax_onnx_attribute_ints(node, numbers);
    if ((words.count == 0) == (ints.count == 0))
        return ax_fail(ctx, AX_INVALID, "either `%s` or `%s` must name the classes", texts,
                       numbers);
    size_t count = words.count + ints.count;
    ax_str *text_copy = words.count ? AX_NEW_ARRAY(arena, ax_str, count) : NULL;
    int64_t *number_copy = ints.count ? AX_NEW_ARRAY(arena, int64_t, count) : NULL;
    if (!text_copy && !number_copy)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu labels", count);
    for (size_t i = 0; i < words.count; i++)
        if (!ax_str_copy(arena, words.items[i], &text_copy[i]))
            return ax_fail(ctx, AX_LIMIT, "no memory for %zu labels", count);
    if (ints.count)
        memcpy(number_copy, ints.items, ints.count * sizeof *number_copy);
    *out = (struct ax_onnx_labels){.texts = text_copy, .numbers = number_copy, .count = count};
    return AX_OK;
}

ax_status
ax_onnx_labels_output(struct ax_onnx_call *call, size_t index, const struct ax_onnx_labels *labels,
                      size_t rows, void **out_data)
{
    struct ax_onnx_shape shape = {.dim_count = 1, .dims = {(int64_t)rows}};
    return ax_onnx_output(call, index, labels->texts ? AX_TENSOR_BYTES : AX_TENSOR_INT64, &shape,
                          out_data);
}

void
ax_onnx_labels_set(const struct ax_onnx_labels *labels, void *data, size_t row, size_t label)
{
    if (labels->texts)
        ((ax_str *)data)[row] = labels->texts[label];
    else
        ((int64_t *)data)[row] = labels->numbers[label];
}

/* ---- rows ---- */

ax_status
ax_onnx_matrix_of(struct ax_onnx_call *call, struct ax_onnx_matrix *out)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    if (in->type != AX_TENSOR_FP32 && in->type != AX_TENSOR_FP64 && in->type != AX_TENSOR_INT64 &&
        in->type != AX_TENSOR_INT32)
        return ax_onnx_fail_type(call, 0);
    if (in->dim_count < 1 || in->dim_count > 2)
        return ax_fail(call->ctx, AX_INVALID, "input 0 has %zu dimensions; expected 1 or 2",
                       in->dim_count);
    *out = (struct ax_onnx_matrix){
        .tensor = in,
        .rows = in->dim_count == 1 ? 1 : (size_t)in->shape[0],
        .columns = (size_t)in->shape[in->dim_count - 1],
    };
    return AX_OK;
}

void
ax_onnx_matrix_row(const struct ax_onnx_matrix *matrix, size_t row, double *out)
{
    const struct ax_tensor *in = matrix->tensor;
    size_t from = row * matrix->columns;
    if (in->type == AX_TENSOR_FP64) {
        memcpy(out, (const double *)in->data + from, matrix->columns * sizeof *out);
        return;
    }
    if (in->type == AX_TENSOR_FP32) {
        const float *row_at = (const float *)in->data + from;
        for (size_t i = 0; i < matrix->columns; i++)
            out[i] = (double)row_at[i];
        return;
    }
    for (size_t i = 0; i < matrix->columns; i++)
        out[i] = (double)ax_tensor_f32(in, from + i);
}
