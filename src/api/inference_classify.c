#include "api/inference_classify.h"

#include <math.h>
#include <stdlib.h>

struct candidate {
    double value;
    size_t index; /* in its row */
};

/* Greatest first, NaN last, equal ones as they stood. */
static int
by_rank(const void *a, const void *b)
{
    const struct candidate *one = a, *other = b;
    bool one_nan = isnan(one->value), other_nan = isnan(other->value);
    if (one_nan != other_nan)
        return one_nan ? 1 : -1;
    if (!one_nan && one->value != other->value)
        return one->value > other->value ? -1 : 1;
    return one->index < other->index ? -1 : 1;
}

static ax_str
print_class(struct ax_arena *arena, const struct ax_tensor *tensor, size_t at, size_t index)
{
    switch (tensor->type) {
    case AX_TENSOR_FP16:
    case AX_TENSOR_BF16:
    case AX_TENSOR_FP32:
    case AX_TENSOR_FP64:
        return ax_str_printf(arena, "%f:%zu", ax_tensor_f64(tensor, at), index);
    case AX_TENSOR_UINT64:
        return ax_str_printf(arena, "%llu:%zu",
                             (unsigned long long)((const uint64_t *)tensor->data)[at], index);
    case AX_TENSOR_INT64:
        return ax_str_printf(arena, "%lld:%zu", (long long)((const int64_t *)tensor->data)[at],
                             index);
    case AX_TENSOR_BOOL:
    case AX_TENSOR_UINT8:
    case AX_TENSOR_UINT16:
    case AX_TENSOR_UINT32:
    case AX_TENSOR_INT8:
    case AX_TENSOR_INT16:
    case AX_TENSOR_INT32:
    case AX_TENSOR_BYTES:
    case AX_TENSOR_TYPE_COUNT:
        break;
    }
    return ax_str_printf(arena, "%.0f:%zu", ax_tensor_f64(tensor, at), index);
}

ax_status
ax_inference_classify(struct ax_ctx *ctx, const struct ax_tensor *tensor, uint64_t count,
                      struct ax_tensor *out_classes)
{
    if (tensor->type == AX_TENSOR_BYTES)
        return ax_fail(ctx, AX_INVALID,
                       "classification is not possible for output '%.*s': it is "
                       "text",
                       AX_FMT(tensor->name));
    size_t batch = tensor->dim_count ? (size_t)tensor->shape[0] : 1;
    size_t width = batch ? tensor->count / batch : 0;
    size_t kept = count < width ? (size_t)count : width;
    if (tensor->count > AX_INFERENCE_CLASSES_MAX)
        return ax_fail(ctx, AX_INVALID,
                       "classification is not possible for output '%.*s': %zu values, at most %d",
                       AX_FMT(tensor->name), tensor->count, (int)AX_INFERENCE_CLASSES_MAX);
    struct candidate *row = AX_NEW_ARRAY(ctx->arena, struct candidate, width + 1);
    ax_str *texts = AX_NEW_ARRAY(ctx->arena, ax_str, batch * kept + 1);
    if (!row || !texts)
        return ax_fail(ctx, AX_LIMIT, "no memory to rank output '%.*s'", AX_FMT(tensor->name));
    for (size_t b = 0; b < batch; b++) {
        for (size_t i = 0; i < width; i++)
            row[i] = (struct candidate){ax_tensor_f64(tensor, b * width + i), i};
        qsort(row, width, sizeof *row, by_rank);
        for (size_t i = 0; i < kept; i++) {
            ax_str *text = &texts[b * kept + i];
            *text = print_class(ctx->arena, tensor, b * width + row[i].index, row[i].index);
            if (!text->at)
                return ax_fail(ctx, AX_LIMIT, "no memory to rank output '%.*s'",
                               AX_FMT(tensor->name));
        }
    }
    *out_classes = (struct ax_tensor){.name = tensor->name,
                                      .type = AX_TENSOR_BYTES,
                                      .dim_count = 2,
                                      .shape = {(int64_t)batch, (int64_t)kept},
                                      .count = batch * kept,
                                      .data = texts};
    return AX_OK;
}
