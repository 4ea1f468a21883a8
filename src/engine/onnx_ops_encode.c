#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "engine/onnx_ops.h"

/*
 * Words and codes: LabelEncoder, CategoryMapper, OneHotEncoder.
 *
 * A dictionary finds the place of a key: texts by hash, numbers by bisection. Of equal keys the
 * first counts; a NaN among the keys is found by NaN since LabelEncoder 4.
 */

enum { NAN_FOUND_SINCE = 4 };

/* A whole number or a float as what it is compared by. */
struct number_key {
    double f;
    int64_t i;
    size_t place;
};

struct dictionary {
    enum ax_tensor_type type; /* of the keys */
    size_t count;
    const ax_str *texts; /* the keys; of texts only */
    struct ax_map *map;
    struct number_key *numbers; /* sorted */
    size_t nan_place;           /* SIZE_MAX: no key is NaN */
};

static bool
is_float(enum ax_tensor_type type)
{
    return type == AX_TENSOR_FP32 || type == AX_TENSOR_FP64;
}

static struct number_key
key_at(const struct ax_tensor *tensor, size_t index)
{
    if (is_float(tensor->type))
        return (struct number_key){.f = ax_tensor_f64(tensor, index), .place = index};
    int64_t whole = tensor->type == AX_TENSOR_INT64 ? ((const int64_t *)tensor->data)[index]
                                                    : (int64_t)ax_tensor_f64(tensor, index);
    return (struct number_key){.i = whole, .place = index};
}

static int
by_key(const struct number_key *x, const struct number_key *y)
{
    int order = (x->f > y->f) - (x->f < y->f);
    return order ? order : (x->i > y->i) - (x->i < y->i);
}

static int
by_key_and_place(const void *a, const void *b)
{
    const struct number_key *x = a, *y = b;
    int order = by_key(x, y);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

static ax_status
out_of_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for an encoder");
}

static ax_status
index_texts(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_tensor *keys,
            struct dictionary *out)
{
    ax_str *texts = AX_NEW_ARRAY(arena, ax_str, keys->count + 1);
    out->map = ax_map_new(arena);
    if (!texts || !out->map)
        return out_of_memory(ctx);
    for (size_t i = 0; i < keys->count; i++) {
        if (!ax_str_copy(arena, ((const ax_str *)keys->data)[i], &texts[i]))
            return out_of_memory(ctx);
        if (!ax_map_find(out->map, texts[i]) && !ax_map_put(out->map, texts[i], &texts[i]))
            return out_of_memory(ctx);
    }
    out->texts = texts;
    return AX_OK;
}

static ax_status
index_keys(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_tensor *keys,
           struct dictionary *out)
{
    *out = (struct dictionary){.type = keys->type, .count = keys->count, .nan_place = SIZE_MAX};
    if (keys->type == AX_TENSOR_BYTES)
        return index_texts(ctx, arena, keys, out);
    out->numbers = AX_NEW_ARRAY(arena, struct number_key, keys->count + 1);
    if (!out->numbers)
        return out_of_memory(ctx);
    size_t kept = 0;
    for (size_t i = 0; i < keys->count; i++) {
        struct number_key key = key_at(keys, i);
        if (isnan(key.f))
            out->nan_place = out->nan_place == SIZE_MAX ? i : out->nan_place;
        else
            out->numbers[kept++] = key;
    }
    out->count = kept;
    if (kept)
        qsort(out->numbers, kept, sizeof *out->numbers, by_key_and_place);
    return AX_OK;
}

/* The place of a number; SIZE_MAX when it is no key. */
static size_t
find_number(const struct dictionary *dictionary, const struct number_key *wanted)
{
    size_t low = 0, high = dictionary->count;
    if (isnan(wanted->f))
        return dictionary->nan_place;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_key(&dictionary->numbers[middle], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < dictionary->count && by_key(&dictionary->numbers[low], wanted) == 0
               ? dictionary->numbers[low].place
               : SIZE_MAX;
}

static size_t
find_element(const struct dictionary *dictionary, const struct ax_tensor *in, size_t index)
{
    if (in->type == AX_TENSOR_BYTES) {
        const ax_str *slot = ax_map_find(dictionary->map, ((const ax_str *)in->data)[index]);
        return slot ? (size_t)(slot - dictionary->texts) : SIZE_MAX;
    }
    struct number_key wanted = key_at(in, index);
    return find_number(dictionary, &wanted);
}

/* ---- LabelEncoder, CategoryMapper: a value for each key ---- */

struct translation {
    struct dictionary keys;
    struct ax_tensor values;
    const void *fallback; /* one element, for what is no key */
};

struct encoder {
    struct translation ways[2]; /* CategoryMapper goes both ways, by the type of its input */
    size_t way_count;
};

static ax_status
keep_tensor(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_tensor *from,
            struct ax_tensor *out)
{
    size_t bytes = ax_tensor_element_bytes(from->type);
    void *data = ax_arena_alloc(arena, bytes, from->count + 1);
    if (!data)
        return out_of_memory(ctx);
    if (from->count)
        memcpy(data, from->data, bytes * from->count);
    for (size_t i = 0; from->type == AX_TENSOR_BYTES && i < from->count; i++)
        if (!ax_str_copy(arena, ((const ax_str *)from->data)[i], &((ax_str *)data)[i]))
            return out_of_memory(ctx);
    *out = *from;
    out->data = data;
    return AX_OK;
}

static struct ax_tensor
list_of(enum ax_tensor_type type, const void *items, size_t count)
{
    return (struct ax_tensor){
        .type = type, .dim_count = 1, .shape = {(int64_t)count}, .count = count, .data = items};
}

/* One of `prefix`_strings, _int64s, _floats, _tensor. Fails: INVALID when there is none. */
static ax_status
find_list(struct ax_ctx *ctx, const struct ax_onnx_node *node, const char *const *names,
          struct ax_tensor *out)
{
    struct ax_onnx_texts texts = ax_onnx_attribute_texts(node, names[0]);
    struct ax_onnx_ints ints = ax_onnx_attribute_ints(node, names[1]);
    struct ax_onnx_floats floats = ax_onnx_attribute_floats(node, names[2]);
    const struct ax_onnx_attribute *tensor = ax_onnx_attribute(node, names[3]);
    int given = (texts.count > 0) + (ints.count > 0) + (floats.count > 0) + (tensor != NULL);
    if (given != 1)
        return ax_fail(ctx, AX_INVALID, "one of `%s`, `%s`, `%s`, `%s` must be there, not %d",
                       names[0], names[1], names[2], names[3], given);
    if (tensor)
        *out = *tensor->tensor;
    else if (texts.count)
        *out = list_of(AX_TENSOR_BYTES, texts.items, texts.count);
    else if (ints.count)
        *out = list_of(AX_TENSOR_INT64, ints.items, ints.count);
    else
        *out = list_of(AX_TENSOR_FP32, floats.items, floats.count);
    return AX_OK;
}

/* What an unknown key becomes: as the node says for the type, or as the standard does. */
static ax_status
find_fallback(struct ax_ctx *ctx, const struct ax_onnx_node *node, enum ax_tensor_type type,
              struct ax_tensor *out)
{
    static const float zero = -0.0f;
    static const double wide_zero = -0.0;
    static const int64_t minus_one = -1; /* little-endian: its low bytes are -1 of any width */
    static const ax_str unused = {"_Unused", sizeof "_Unused" - 1};
    const struct ax_onnx_attribute *tensor = ax_onnx_attribute(node, "default_tensor");
    const struct ax_onnx_attribute *text = ax_onnx_attribute(node, "default_string");
    const struct ax_onnx_attribute *number = ax_onnx_attribute(node, "default_int64");
    const struct ax_onnx_attribute *real = ax_onnx_attribute(node, "default_float");
    if (tensor && tensor->tensor->type == type && tensor->tensor->count == 1)
        *out = *tensor->tensor;
    else if (tensor)
        return ax_fail(ctx, AX_INVALID, "`default_tensor` is not one element of the values' type");
    else if (type == AX_TENSOR_BYTES)
        *out = list_of(type, text ? &text->s : &unused, 1);
    else if (type == AX_TENSOR_FP32)
        *out = list_of(type, real ? &real->f : &zero, 1);
    else if (type == AX_TENSOR_FP64)
        *out = list_of(type, &wide_zero, 1);
    else
        *out = list_of(type, number && type == AX_TENSOR_INT64 ? &number->i : &minus_one, 1);
    return AX_OK;
}

static ax_status
add_way(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_node *node,
        const struct ax_tensor *pair, struct encoder *encoder)
{
    struct translation *way = &encoder->ways[encoder->way_count++];
    struct ax_tensor fallback;
    if (pair[0].count != pair[1].count)
        return ax_fail(ctx, AX_INVALID, "%zu keys and %zu values", pair[0].count, pair[1].count);
    AX_TRY(index_keys(ctx, arena, &pair[0], &way->keys));
    AX_TRY(keep_tensor(ctx, arena, &pair[1], &way->values));
    AX_TRY(find_fallback(ctx, node, pair[1].type, &fallback));
    AX_TRY(keep_tensor(ctx, arena, &fallback, &fallback));
    way->fallback = fallback.data;
    return AX_OK;
}

static ax_status
prepare_label_encoder(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node)
{
    static const char *const keys[] = {"keys_strings", "keys_int64s", "keys_floats", "keys_tensor"};
    static const char *const values[] = {"values_strings", "values_int64s", "values_floats",
                                         "values_tensor"};
    struct encoder *encoder = AX_NEW(arena, struct encoder);
    struct ax_tensor pair[2];
    if (!encoder)
        return out_of_memory(ctx);
    node->prepared = encoder;
    AX_TRY(find_list(ctx, node, keys, &pair[0]));
    AX_TRY(find_list(ctx, node, values, &pair[1]));
    AX_TRY(add_way(ctx, arena, node, pair, encoder));
    if (node->version < NAN_FOUND_SINCE)
        encoder->ways[0].keys.nan_place = SIZE_MAX;
    return AX_OK;
}

static ax_status
add_both_ways(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node,
              const struct ax_onnx_ints *numbers, const struct ax_onnx_texts *texts)
{
    struct encoder *encoder = AX_NEW(arena, struct encoder);
    struct ax_tensor there[2] = {list_of(AX_TENSOR_BYTES, texts->items, texts->count),
                                 list_of(AX_TENSOR_INT64, numbers->items, numbers->count)};
    struct ax_tensor back[2] = {there[1], there[0]};
    if (!encoder)
        return out_of_memory(ctx);
    node->prepared = encoder;
    AX_TRY(add_way(ctx, arena, node, there, encoder));
    return add_way(ctx, arena, node, back, encoder);
}

/* Version 1: the number of a text is its place. */
static ax_status
prepare_old_encoder(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node)
{
    struct ax_onnx_texts texts = ax_onnx_attribute_texts(node, "classes_strings");
    struct ax_onnx_ints numbers = {.count = texts.count};
    numbers.items = AX_NEW_ARRAY(ctx->arena, int64_t, texts.count + 1);
    if (!numbers.items)
        return out_of_memory(ctx);
    for (size_t i = 0; i < texts.count; i++)
        numbers.items[i] = (int64_t)i;
    return add_both_ways(ctx, arena, node, &numbers, &texts);
}

static ax_status
prepare_mapper(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node)
{
    struct ax_onnx_texts texts = ax_onnx_attribute_texts(node, "cats_strings");
    struct ax_onnx_ints numbers = ax_onnx_attribute_ints(node, "cats_int64s");
    return add_both_ways(ctx, arena, node, &numbers, &texts);
}

static ax_status
op_translate(struct ax_onnx_call *call)
{
    const struct encoder *encoder = call->node->prepared;
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    const struct translation *way = NULL;
    for (size_t i = 0; i < encoder->way_count && !way; i++)
        if (encoder->ways[i].keys.type == in->type)
            way = &encoder->ways[i];
    if (!way)
        return ax_onnx_fail_type(call, 0);
    size_t bytes = ax_tensor_element_bytes(way->values.type);
    void *data;
    AX_TRY(ax_onnx_output_like(call, 0, way->values.type, in, &data));
    for (size_t i = 0; i < in->count; i++) {
        size_t place = find_element(&way->keys, in, i);
        memcpy((char *)data + i * bytes,
               place == SIZE_MAX ? way->fallback : (const char *)way->values.data + place * bytes,
               bytes);
    }
    return AX_OK;
}

/* ---- OneHotEncoder ---- */

struct one_hot {
    struct dictionary keys;
    size_t width;
    bool zeros; /* an unknown category is all zeros; else it is refused */
};

static ax_status
prepare_one_hot(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node)
{
    static const char *const names[] = {"cats_strings", "cats_int64s", "", ""};
    struct one_hot *model = AX_NEW(arena, struct one_hot);
    struct ax_tensor categories;
    if (!model)
        return out_of_memory(ctx);
    node->prepared = model;
    AX_TRY(find_list(ctx, node, names, &categories));
    model->width = categories.count;
    model->zeros = ax_onnx_attribute_i64(node, "zeros", 1) != 0;
    return index_keys(ctx, arena, &categories, &model->keys);
}

/* Numbers of any type are cut to whole ones and looked up as such. */
static size_t
find_category(const struct one_hot *model, const struct ax_tensor *in, size_t index)
{
    if (!is_float(in->type))
        return find_element(&model->keys, in, index);
    double x = trunc(ax_tensor_f64(in, index));
    if (!(fabs(x) < 0x1p63))
        return SIZE_MAX;
    struct number_key wanted = {.i = (int64_t)x};
    return find_number(&model->keys, &wanted);
}

static ax_status
op_one_hot(struct ax_onnx_call *call)
{
    const struct one_hot *model = call->node->prepared;
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    struct ax_onnx_shape shape = ax_onnx_shape_of(in);
    void *data;
    if ((in->type == AX_TENSOR_BYTES) != (model->keys.type == AX_TENSOR_BYTES) ||
        in->type == AX_TENSOR_BOOL)
        return ax_onnx_fail_type(call, 0);
    if (shape.dim_count == AX_TENSOR_DIMS_MAX)
        return ax_fail(call->ctx, AX_LIMIT, "too many dimensions");
    shape.dims[shape.dim_count++] = (int64_t)model->width;
    AX_TRY(ax_onnx_output(call, 0, AX_TENSOR_FP32, &shape, &data));
    memset(data, 0, call->outputs[0].tensor.count * sizeof(float));
    for (size_t i = 0; i < in->count; i++) {
        size_t place = find_category(model, in, i);
        if (place != SIZE_MAX)
            ((float *)data)[i * model->width + place] = 1;
        else if (!model->zeros && !call->run->trial)
            return ax_fail(call->ctx, AX_INVALID, "element %zu is none of the %zu categories", i,
                           model->width);
    }
    return AX_OK;
}

size_t
ax_onnx_words(const struct ax_onnx_node *node, const ax_str **out_words)
{
    const struct dictionary *keys = NULL;
    if (node->op->run == op_one_hot)
        keys = &((const struct one_hot *)node->prepared)->keys;
    else if (node->op->run == op_translate)
        keys = &((const struct encoder *)node->prepared)->ways[0].keys;
    if (!keys || keys->type != AX_TENSOR_BYTES)
        return 0;
    *out_words = keys->texts;
    return keys->count;
}

/* clang-format off */
#define KEYED \
    "keys_strings:S keys_int64s:I keys_floats:F values_strings:S values_int64s:I values_floats:F " \
    "default_string:s default_int64:i default_float:f "
static const struct ax_onnx_operator operators[] = {
    {"LabelEncoder", 1, 1, 1, 1, 0, "classes_strings:S default_int64:i default_string:s",
     op_translate, prepare_old_encoder},
    {"LabelEncoder", 2, 1, 1, 1, 0, KEYED, op_translate, prepare_label_encoder},
    {"LabelEncoder", 4, 1, 1, 1, 0, KEYED "keys_tensor:t values_tensor:t default_tensor:t",
     op_translate, prepare_label_encoder},
    {"CategoryMapper", 1, 1, 1, 1, 0,
     "cats_int64s:I cats_strings:S default_int64:i default_string:s", op_translate, prepare_mapper},
    {"OneHotEncoder", 1, 1, 1, 1, 0, "cats_int64s:I cats_strings:S zeros:i", op_one_hot,
     prepare_one_hot},
};
/* clang-format on */

const struct ax_onnx_ops ax_onnx_ops_encode = {"ai.onnx.ml", operators, AX_COUNT_OF(operators)};
