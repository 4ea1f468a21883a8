#include <math.h>

#include "base/number.h"
#include "engine/onnx_ops.h"

/*
 * Features prepared and picked: Scaler, Imputer, Normalizer, Binarizer, ArrayFeatureExtractor,
 * FeatureVectorizer; and maps, which are tensors whose columns have names: ZipMap, DictVectorizer,
 * CastMap.
 */

static bool
is_number(enum ax_tensor_type type)
{
    return type == AX_TENSOR_FP32 || type == AX_TENSOR_FP64 || type == AX_TENSOR_INT64 ||
           type == AX_TENSOR_INT32;
}

/* The length of the last dimension; 1 for a single value. */
static size_t
width_of(const struct ax_tensor *tensor)
{
    return tensor->dim_count ? (size_t)tensor->shape[tensor->dim_count - 1] : 1;
}

static ax_status
check_width(struct ax_onnx_call *call, const char *name, size_t count, size_t width)
{
    if (count == 1 || count == width)
        return AX_OK;
    return ax_fail(call->ctx, AX_INVALID, "`%s` has %zu items for %zu columns", name, count, width);
}

/* In float32, whatever the width of offset and scale: one number, or one a column. */
static void
scale_floats(const struct ax_tensor *in, const struct ax_onnx_floats *offset,
             const struct ax_onnx_floats *scale, float *out)
{
    const float *x = in->data;
    size_t width = width_of(in), o_step = offset->count > 1, s_step = scale->count > 1;
    for (size_t from = 0; o_step && s_step && from < in->count; from += width)
        for (size_t i = 0; i < width; i++) /* several side by side */
            out[from + i] = (x[from + i] - offset->items[i]) * scale->items[i];
    for (size_t from = 0; !(o_step && s_step) && from < in->count; from += width)
        for (size_t i = 0; i < width; i++)
            out[from + i] = (x[from + i] - offset->items[i * o_step]) * scale->items[i * s_step];
}

/* Doubles in float64; whole numbers as float32. */
static void
scale_others(const struct ax_tensor *in, const struct ax_onnx_floats *offset,
             const struct ax_onnx_floats *scale, float *out)
{
    size_t width = width_of(in);
    for (size_t i = 0; i < in->count; i++) {
        float o = offset->items[offset->count > 1 ? i % width : 0];
        float s = scale->items[scale->count > 1 ? i % width : 0];
        out[i] = in->type == AX_TENSOR_FP64
                     ? (float)((ax_tensor_f64(in, i) - (double)o) * (double)s)
                     : (ax_tensor_f32(in, i) - o) * s;
    }
}

static ax_status
op_scaler(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    struct ax_onnx_floats offset = ax_onnx_attribute_floats(call->node, "offset");
    struct ax_onnx_floats scale = ax_onnx_attribute_floats(call->node, "scale");
    size_t width = width_of(in);
    void *data;
    if (!is_number(in->type))
        return ax_onnx_fail_type(call, 0);
    AX_TRY(check_width(call, "offset", offset.count, width));
    AX_TRY(check_width(call, "scale", scale.count, width));
    AX_TRY(ax_onnx_output_like(call, 0, AX_TENSOR_FP32, in, &data));
    if (in->type == AX_TENSOR_FP32)
        scale_floats(in, &offset, &scale, data);
    else
        scale_others(in, &offset, &scale, data);
    return AX_OK;
}

static ax_status
impute_ints(struct ax_onnx_call *call, const struct ax_tensor *in)
{
    struct ax_onnx_ints given = ax_onnx_attribute_ints(call->node, "imputed_value_int64s");
    int64_t missing = ax_onnx_attribute_i64(call->node, "replaced_value_int64", 0);
    size_t width = width_of(in);
    void *data;
    AX_TRY(check_width(call, "imputed_value_int64s", given.count, width));
    AX_TRY(ax_onnx_output_like(call, 0, AX_TENSOR_INT64, in, &data));
    for (size_t i = 0; i < in->count; i++) {
        int64_t x = ((const int64_t *)in->data)[i];
        ((int64_t *)data)[i] = x != missing ? x : given.items[given.count == 1 ? 0 : i % width];
    }
    return AX_OK;
}

static ax_status
op_imputer(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    struct ax_onnx_floats given = ax_onnx_attribute_floats(call->node, "imputed_value_floats");
    double missing = (double)ax_onnx_attribute_f32(call->node, "replaced_value_float", 0);
    size_t width = width_of(in);
    void *data;
    if (in->type == AX_TENSOR_INT64)
        return impute_ints(call, in);
    if (in->type != AX_TENSOR_FP32 && in->type != AX_TENSOR_FP64)
        return ax_onnx_fail_type(call, 0);
    AX_TRY(check_width(call, "imputed_value_floats", given.count, width));
    AX_TRY(ax_onnx_output_like(call, 0, in->type, in, &data));
    for (size_t i = 0; i < in->count; i++) {
        double x = ax_tensor_f64(in, i);
        bool replaced = isnan(missing) ? isnan(x) : x == missing;
        if (replaced)
            x = (double)given.items[given.count == 1 ? 0 : i % width];
        if (in->type == AX_TENSOR_FP32)
            ((float *)data)[i] = (float)x;
        else
            ((double *)data)[i] = x;
    }
    return AX_OK;
}

/* Norm of a row; MAX is the largest value itself, as ONNX Runtime has it. */
static double
norm_of(const struct ax_tensor *in, size_t from, size_t count, char kind)
{
    double norm = kind == 'M' ? -(double)INFINITY : 0;
    for (size_t i = from; i < from + count; i++) {
        double x = ax_tensor_f64(in, i);
        if (kind == 'M')
            norm = x > norm ? x : norm;
        else
            norm += kind == '1' ? fabs(x) : x * x;
    }
    return kind == '2' ? sqrt(norm) : norm;
}

static ax_status
op_normalizer(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    ax_str norm = ax_onnx_attribute_text(call->node, "norm", AX_STR("MAX"));
    char kind = ax_str_eq(norm, AX_STR("MAX"))  ? 'M'
                : ax_str_eq(norm, AX_STR("L1")) ? '1'
                : ax_str_eq(norm, AX_STR("L2")) ? '2'
                                                : 0;
    size_t width = width_of(in);
    void *data;
    if (!is_number(in->type))
        return ax_onnx_fail_type(call, 0);
    if (!kind || in->dim_count < 1 || in->dim_count > 2)
        return ax_fail(call->ctx, AX_INVALID, "`norm` is %.*s, of %zu dimensions",
                       norm.len > 16 ? 16 : (int)norm.len, norm.at, in->dim_count);
    AX_TRY(ax_onnx_output_like(call, 0, AX_TENSOR_FP32, in, &data));
    for (size_t from = 0; from < in->count; from += width) {
        double divisor = norm_of(in, from, width, kind);
        for (size_t i = from; i < from + width; i++)
            ((float *)data)[i] = (float)(ax_tensor_f64(in, i) / (divisor == 0 ? 1 : divisor));
    }
    return AX_OK;
}

static ax_status
op_binarizer(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    double threshold = (double)ax_onnx_attribute_f32(call->node, "threshold", 0);
    void *data;
    if (!is_number(in->type))
        return ax_onnx_fail_type(call, 0);
    AX_TRY(ax_onnx_output_like(call, 0, AX_TENSOR_FP32, in, &data));
    for (size_t i = 0; i < in->count; i++)
        ((float *)data)[i] = ax_tensor_f64(in, i) > threshold ? 1 : 0;
    struct ax_tensor ones = call->outputs[0].tensor;
    return ax_onnx_convert(call, 0, &ones, in->type);
}

static ax_status
op_extractor(struct ax_onnx_call *call)
{
    const struct ax_tensor *in = ax_onnx_input(call, 0), *which = ax_onnx_input(call, 1);
    size_t width = width_of(in), bytes = ax_tensor_element_bytes(in->type);
    struct ax_onnx_shape shape = ax_onnx_shape_of(in);
    void *data;
    AX_TRY(ax_onnx_need_type(call, 1, AX_TENSOR_INT64));
    if (in->dim_count == 0 || which->count == 0)
        return ax_fail(call->ctx, AX_INVALID, "nothing to pick, or nothing to pick from");
    const int64_t *indices = which->data;
    for (size_t i = 0; i < which->count; i++)
        if (indices[i] < 0 || (size_t)indices[i] >= width)
            return ax_fail(call->ctx, AX_INVALID, "column %lld of %zu", (long long)indices[i],
                           width);
    if (in->dim_count == 1)
        shape = (struct ax_onnx_shape){.dim_count = 2, .dims = {1}};
    shape.dims[shape.dim_count - 1] = (int64_t)which->count;
    AX_TRY(ax_onnx_output(call, 0, in->type, &shape, &data));
    size_t rows = in->count / (width ? width : 1), at = 0;
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < which->count; i++, at += bytes)
            memcpy((char *)data + at,
                   (const char *)in->data + (row * width + (size_t)indices[i]) * bytes, bytes);
    return AX_OK;
}

/* Rows of several inputs side by side; each cut or filled up with zeros to the width that is said.
 */
static ax_status
op_vectorizer(struct ax_onnx_call *call)
{
    struct ax_onnx_ints widths = ax_onnx_attribute_ints(call->node, "inputdimensions");
    struct ax_onnx_shape shape = {.dim_count = 2};
    void *data;
    if (widths.count != call->input_count)
        return ax_fail(call->ctx, AX_INVALID, "%zu widths for %zu inputs", widths.count,
                       call->input_count);
    for (size_t i = 0; i < call->input_count; i++) {
        const struct ax_tensor *in = ax_onnx_input(call, i);
        int64_t rows = in->dim_count > 1 ? in->shape[0] : 1;
        if (!is_number(in->type) || in->dim_count == 0 || in->dim_count > 2)
            return ax_onnx_fail_type(call, i);
        if (i > 0 && rows != shape.dims[0])
            return ax_fail(call->ctx, AX_INVALID, "input %zu has %lld rows, not %lld", i,
                           (long long)rows, (long long)shape.dims[0]);
        if (widths.items[i] < 0 || widths.items[i] > INT32_MAX)
            return ax_fail(call->ctx, AX_INVALID, "a width of %lld", (long long)widths.items[i]);
        shape.dims[0] = rows;
        shape.dims[1] += widths.items[i];
    }
    AX_TRY(ax_onnx_output(call, 0, AX_TENSOR_FP32, &shape, &data));
    float *out = data;
    for (int64_t row = 0; row < shape.dims[0]; row++)
        for (size_t i = 0; i < call->input_count; i++) {
            const struct ax_tensor *in = ax_onnx_input(call, i);
            size_t width = width_of(in), from = (size_t)row * width;
            for (size_t j = 0; j < (size_t)widths.items[i]; j++)
                *out++ = j < width ? ax_tensor_f32(in, from + j) : 0;
        }
    return AX_OK;
}

/* ---- maps ---- */

struct names {
    ax_str *keys;
    size_t count;
    enum ax_tensor_type type; /* of CastMap's output */
};

static ax_status
keep_names(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node,
           const struct ax_onnx_texts *text_list, const struct ax_onnx_ints *number_list)
{
    struct ax_onnx_texts texts = *text_list;
    struct ax_onnx_ints numbers = *number_list;
    struct names *names = AX_NEW(arena, struct names);
    if ((texts.count == 0) == (numbers.count == 0))
        return ax_fail(ctx, AX_INVALID, "either texts or numbers must name the classes");
    size_t count = texts.count + numbers.count;
    ax_str *keys = AX_NEW_ARRAY(arena, ax_str, count);
    if (!names || !keys)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu names", count);
    for (size_t i = 0; i < count; i++) {
        if (numbers.count)
            keys[i] = ax_str_printf(arena, "%lld", (long long)numbers.items[i]);
        else if (!ax_str_copy(arena, texts.items[i], &keys[i]))
            keys[i].at = NULL;
        if (!keys[i].at)
            return ax_fail(ctx, AX_LIMIT, "no memory for %zu names", count);
    }
    *names = (struct names){.keys = keys, .count = count, .type = AX_TENSOR_FP32};
    node->prepared = names;
    return AX_OK;
}

static ax_status
prepare_zip_map(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node)
{
    struct ax_onnx_texts texts = ax_onnx_attribute_texts(node, "classlabels_strings");
    struct ax_onnx_ints numbers = ax_onnx_attribute_ints(node, "classlabels_int64s");
    return keep_names(ctx, arena, node, &texts, &numbers);
}

static ax_status
prepare_vocabulary(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node)
{
    struct ax_onnx_texts texts = ax_onnx_attribute_texts(node, "string_vocabulary");
    struct ax_onnx_ints numbers = ax_onnx_attribute_ints(node, "int64_vocabulary");
    return keep_names(ctx, arena, node, &texts, &numbers);
}

/* Keys 0, 1 ... max_map - 1; how many a dense map has is not the file's to say. */
static ax_status
prepare_cast_map(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node)
{
    enum { KEYS_MAX = 1 << 20 };
    static const struct {
        ax_str word;
        enum ax_tensor_type type;
    } casts[] = {{AX_STR("TO_FLOAT"), AX_TENSOR_FP32},
                 {AX_STR("TO_INT64"), AX_TENSOR_INT64},
                 {AX_STR("TO_STRING"), AX_TENSOR_BYTES}};
    ax_str form = ax_onnx_attribute_text(node, "map_form", AX_STR("DENSE"));
    ax_str cast = ax_onnx_attribute_text(node, "cast_to", AX_STR("TO_FLOAT"));
    int64_t count = ax_onnx_attribute_i64(node, "max_map", 1);
    struct ax_onnx_ints numbers = {};
    if (!ax_str_eq(form, AX_STR("SPARSE")))
        return ax_fail(ctx, AX_UNSUPPORTED, "`map_form` is not SPARSE");
    if (count < 1 || count > KEYS_MAX)
        return ax_fail(ctx, AX_INVALID, "`max_map` is %lld", (long long)count);
    for (int64_t i = 0; i < count; i++) {
        int64_t *slot = AX_ARRAY_PUSH(ctx->arena, &numbers);
        if (!slot)
            return ax_fail(ctx, AX_LIMIT, "no memory for %lld keys", (long long)count);
        *slot = i;
    }
    AX_TRY(keep_names(ctx, arena, node, &(const struct ax_onnx_texts){}, &numbers));
    for (size_t i = 0; i < AX_COUNT_OF(casts); i++)
        if (ax_str_eq(cast, casts[i].word)) {
            struct names *names = AX_NEW(arena, struct names);
            if (!names)
                return ax_fail(ctx, AX_LIMIT, "no memory for names");
            *names = *(const struct names *)node->prepared;
            names->type = casts[i].type;
            node->prepared = names;
            return AX_OK;
        }
    return ax_fail(ctx, AX_INVALID, "`cast_to` is `%.*s`", cast.len > 32 ? 32 : (int)cast.len,
                   cast.at);
}

static ax_status
check_keys(struct ax_onnx_call *call)
{
    const struct names *names = call->node->prepared;
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    if (in->dim_count == 2 && width_of(in) == names->count)
        return AX_OK;
    return ax_fail(call->ctx, AX_INVALID, "%zu columns for %zu keys", width_of(in), names->count);
}

static ax_status
op_dict_vectorizer(struct ax_onnx_call *call)
{
    AX_TRY(check_keys(call));
    return ax_onnx_output_same(call, 0, ax_onnx_input(call, 0), NULL);
}

static ax_status
op_cast_map(struct ax_onnx_call *call)
{
    const struct names *names = call->node->prepared;
    AX_TRY(check_keys(call));
    return ax_onnx_convert(call, 0, ax_onnx_input(call, 0), names->type);
}

size_t
ax_onnx_map_keys(const struct ax_onnx_node *node, const ax_str **out_keys)
{
    if (node->op->run != op_dict_vectorizer && node->op->run != op_cast_map)
        return 0;
    const struct names *names = node->prepared;
    *out_keys = names->keys;
    return names->count;
}

static ax_status
op_zip_map(struct ax_onnx_call *call)
{
    const struct names *names = call->node->prepared;
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    struct ax_onnx_shape shape = {.dim_count = 2};
    AX_TRY(ax_onnx_need_type(call, 0, AX_TENSOR_FP32));
    if (in->dim_count < 1 || in->dim_count > 2 || width_of(in) != names->count)
        return ax_fail(call->ctx, AX_INVALID, "%zu columns for %zu names", width_of(in),
                       names->count);
    shape.dims[0] = in->dim_count == 1 ? 1 : in->shape[0];
    shape.dims[1] = (int64_t)names->count;
    AX_TRY(ax_onnx_output_same(call, 0, in, &shape));
    call->outputs[0].keys = names->keys;
    call->outputs[0].key_count = names->count;
    return AX_OK;
}

/* clang-format off */
static const struct ax_onnx_operator operators[] = {
    {"Scaler", 1, 1, 1, 1, 0, "offset:F scale:F", op_scaler, NULL},
    {"Imputer", 1, 1, 1, 1, 0,
     "imputed_value_floats:F imputed_value_int64s:I replaced_value_float:f replaced_value_int64:i",
     op_imputer, NULL},
    {"Normalizer", 1, 1, 1, 1, 0, "norm:s", op_normalizer, NULL},
    {"Binarizer", 1, 1, 1, 1, 0, "threshold:f", op_binarizer, NULL},
    {"ArrayFeatureExtractor", 1, 2, 2, 1, 0, "", op_extractor, NULL},
    {"FeatureVectorizer", 1, 1, INT32_MAX, 1, 0, "inputdimensions:I", op_vectorizer, NULL},
    {"ZipMap", 1, 1, 1, 1, 0, "classlabels_strings:S classlabels_int64s:I", op_zip_map,
     prepare_zip_map},
    {"DictVectorizer", 1, 1, 1, 1, 0, "string_vocabulary:S int64_vocabulary:I", op_dict_vectorizer,
     prepare_vocabulary},
    {"CastMap", 1, 1, 1, 1, 0, "cast_to:s map_form:s max_map:i", op_cast_map, prepare_cast_map},
};
/* clang-format on */

const struct ax_onnx_ops ax_onnx_ops_feature = {"ai.onnx.ml", operators, AX_COUNT_OF(operators)};
