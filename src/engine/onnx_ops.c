#include "engine/onnx_ops.h"

#include "base/number.h"

static const struct ax_onnx_ops *const tables[] = {
    &ax_onnx_ops_binary, &ax_onnx_ops_unary,  &ax_onnx_ops_shape,  &ax_onnx_ops_index,
    &ax_onnx_ops_reduce, &ax_onnx_ops_matrix, &ax_onnx_ops_cast,   &ax_onnx_ops_graph,
    &ax_onnx_ops_tree,   &ax_onnx_ops_linear, &ax_onnx_ops_encode, &ax_onnx_ops_feature,
};

const struct ax_onnx_operator *
ax_onnx_ops_find(ax_str domain, ax_str name, int64_t version)
{
    const struct ax_onnx_operator *found = NULL;
    for (size_t t = 0; t < AX_COUNT_OF(tables); t++) {
        if (!ax_str_eq(domain, ax_str_of(tables[t]->domain)))
            continue;
        for (size_t i = 0; i < tables[t]->count; i++) {
            const struct ax_onnx_operator *op = &tables[t]->operators[i];
            if (op->since <= version && (!found || op->since > found->since) &&
                ax_str_eq(name, ax_str_of(op->name)))
                found = op;
        }
    }
    return found;
}

bool
ax_onnx_ops_allows(const struct ax_onnx_operator *op, const struct ax_onnx_attribute *attribute)
{
    static const char letters[] = {
        [AX_ONNX_NONE] = '?',   [AX_ONNX_FLOAT] = 'f',  [AX_ONNX_INT] = 'i',
        [AX_ONNX_STRING] = 's', [AX_ONNX_TENSOR] = 't', [AX_ONNX_GRAPH] = 'g',
        [AX_ONNX_FLOATS] = 'F', [AX_ONNX_INTS] = 'I',   [AX_ONNX_STRINGS] = 'S',
        [AX_ONNX_OTHER] = '?',
    };
    ax_str rest = ax_str_of(op->attributes), entry;
    while (ax_str_cut(&rest, ' ', &entry))
        if (entry.len == attribute->name.len + 2 && ax_str_starts(entry, attribute->name) &&
            entry.at[entry.len - 1] == letters[attribute->type])
            return true;
    return false;
}

/* ---- attributes ---- */

const struct ax_onnx_attribute *
ax_onnx_attribute(const struct ax_onnx_node *node, const char *name)
{
    ax_str wanted = ax_str_of(name);
    for (size_t i = 0; i < node->attribute_count; i++)
        if (ax_str_eq(node->attributes[i].name, wanted))
            return &node->attributes[i];
    return NULL;
}

int64_t
ax_onnx_attribute_i64(const struct ax_onnx_node *node, const char *name, int64_t fallback)
{
    const struct ax_onnx_attribute *attribute = ax_onnx_attribute(node, name);
    return attribute ? attribute->i : fallback;
}

float
ax_onnx_attribute_f32(const struct ax_onnx_node *node, const char *name, float fallback)
{
    const struct ax_onnx_attribute *attribute = ax_onnx_attribute(node, name);
    return attribute ? attribute->f : fallback;
}

ax_str
ax_onnx_attribute_text(const struct ax_onnx_node *node, const char *name, ax_str fallback)
{
    const struct ax_onnx_attribute *attribute = ax_onnx_attribute(node, name);
    return attribute ? attribute->s : fallback;
}

struct ax_onnx_floats
ax_onnx_attribute_floats(const struct ax_onnx_node *node, const char *name)
{
    const struct ax_onnx_attribute *attribute = ax_onnx_attribute(node, name);
    return attribute ? attribute->floats : (struct ax_onnx_floats){};
}

struct ax_onnx_ints
ax_onnx_attribute_ints(const struct ax_onnx_node *node, const char *name)
{
    const struct ax_onnx_attribute *attribute = ax_onnx_attribute(node, name);
    return attribute ? attribute->ints : (struct ax_onnx_ints){};
}

struct ax_onnx_texts
ax_onnx_attribute_texts(const struct ax_onnx_node *node, const char *name)
{
    const struct ax_onnx_attribute *attribute = ax_onnx_attribute(node, name);
    return attribute ? attribute->texts : (struct ax_onnx_texts){};
}

/* ---- memory ---- */

ax_status
ax_onnx_memory_take(struct ax_onnx_call *call, size_t item_bytes, size_t count, void **out)
{
    enum { ALIGN = 16 };
    struct ax_onnx_memory *memory = &call->run->memory;
    size_t bytes;
    if (!ax_mul(item_bytes, count, &bytes) || bytes > SIZE_MAX - 2 * ALIGN)
        return ax_fail(call->ctx, AX_LIMIT, "%zu elements of %zu bytes", count, item_bytes);
    bytes = (bytes + ALIGN) / ALIGN * ALIGN; /* never nothing, so that each piece has an address */
    memory->taken_bytes += bytes;
    if (bytes <= memory->left) {
        *out = memory->at;
        memory->at += bytes;
        memory->left -= bytes;
        return AX_OK;
    }
    void *piece = ax_arena_alloc(memory->arena, 1, bytes);
    if (!piece)
        return ax_fail(call->ctx, AX_LIMIT, "no memory for %zu elements", count);
    *out = piece;
    return AX_OK;
}

ax_status
ax_onnx_memory_spend(struct ax_onnx_call *call, size_t times, size_t elements)
{
    struct ax_onnx_memory *memory = &call->run->memory;
    size_t work;
    if (memory->work_left == UINT64_MAX)
        return AX_OK;
    if (!ax_mul(times, elements, &work) || work > memory->work_left)
        return ax_fail(call->ctx, AX_LIMIT, "more work than opening a model may take");
    memory->work_left -= work;
    return AX_OK;
}

/* ---- inputs ---- */

const struct ax_tensor *
ax_onnx_input(const struct ax_onnx_call *call, size_t index)
{
    return index < call->input_count && call->inputs[index] ? &call->inputs[index]->tensor : NULL;
}

ax_status
ax_onnx_unknown(struct ax_onnx_call *call)
{
    call->unknown = true;
    return ax_fail(call->ctx, AX_INVALID, "a made-up value would decide a shape");
}

ax_status
ax_onnx_fail_type(struct ax_onnx_call *call, size_t index)
{
    const struct ax_tensor *tensor = ax_onnx_input(call, index);
    if (!tensor)
        return ax_fail(call->ctx, AX_INVALID, "input %zu is missing", index);
    return ax_fail(call->ctx, AX_INVALID, "input %zu is of type %s, which it does not take", index,
                   ax_tensor_type_name(tensor->type));
}

ax_status
ax_onnx_need_type(struct ax_onnx_call *call, size_t index, enum ax_tensor_type type)
{
    const struct ax_tensor *tensor = ax_onnx_input(call, index);
    return tensor && tensor->type == type ? AX_OK : ax_onnx_fail_type(call, index);
}

ax_status
ax_onnx_input_i64s(struct ax_onnx_call *call, size_t index, const int64_t **out_items,
                   size_t *out_count, bool *out_given)
{
    const struct ax_tensor *tensor = ax_onnx_input(call, index);
    *out_items = NULL;
    *out_count = 0;
    *out_given = tensor != NULL;
    if (!tensor)
        return AX_OK;
    if (tensor->type != AX_TENSOR_INT64 && tensor->type != AX_TENSOR_INT32)
        return ax_onnx_fail_type(call, index);
    if (call->run->trial && !call->inputs[index]->known)
        return ax_onnx_unknown(call);
    *out_count = tensor->count;
    if (tensor->type == AX_TENSOR_INT64) {
        *out_items = tensor->data;
        return AX_OK;
    }
    void *items;
    AX_TRY(ax_onnx_memory_take(call, sizeof(int64_t), tensor->count, &items));
    for (size_t i = 0; i < tensor->count; i++)
        ((int64_t *)items)[i] = ((const int32_t *)tensor->data)[i];
    *out_items = items;
    return AX_OK;
}

ax_status
ax_onnx_input_or_ints(struct ax_onnx_call *call, size_t index, const char *attribute,
                      struct ax_onnx_ints *out, bool *out_given)
{
    const int64_t *items;
    size_t count;
    AX_TRY(ax_onnx_input_i64s(call, index, &items, &count, out_given));
    if (*out_given) {
        void *copy;
        AX_TRY(ax_onnx_memory_take(call, sizeof *items, count, &copy));
        if (count)
            memcpy(copy, items, count * sizeof *items);
        *out = (struct ax_onnx_ints){.items = copy, .count = count};
        return AX_OK;
    }
    *out_given = ax_onnx_attribute(call->node, attribute) != NULL;
    *out = ax_onnx_attribute_ints(call->node, attribute);
    return AX_OK;
}

ax_status
ax_onnx_axis(struct ax_onnx_call *call, int64_t axis, size_t rank, size_t *out_axis)
{
    int64_t wanted = axis < 0 ? axis + (int64_t)rank : axis;
    if (wanted < 0 || wanted >= (int64_t)rank)
        return ax_fail(call->ctx, AX_INVALID, "axis %lld of %zu dimensions", (long long)axis, rank);
    *out_axis = (size_t)wanted;
    return AX_OK;
}

/* ---- outputs ---- */

bool
ax_onnx_wants(const struct ax_onnx_call *call, size_t index)
{
    return index < call->output_count && call->node->outputs[index] != AX_ONNX_NO_SLOT;
}

struct ax_onnx_shape
ax_onnx_shape_of(const struct ax_tensor *tensor)
{
    struct ax_onnx_shape shape = {.dim_count = tensor->dim_count};
    memcpy(shape.dims, tensor->shape, sizeof shape.dims);
    return shape;
}

size_t
ax_onnx_shape_product(const struct ax_tensor *tensor, size_t from, size_t to)
{
    size_t product = 1;
    for (size_t i = from; i < to; i++)
        product *= (size_t)tensor->shape[i];
    return product;
}

/* Fills in an output that the graph asks for, or one that nobody looks at. */
static ax_status
set_output(struct ax_onnx_call *call, size_t index, const struct ax_tensor *tensor)
{
    if (index < call->output_count)
        call->outputs[index].tensor = *tensor;
    return ax_onnx_memory_spend(call, 1, tensor->count);
}

ax_status
ax_onnx_output(struct ax_onnx_call *call, size_t index, enum ax_tensor_type type,
               const struct ax_onnx_shape *shape, void **out_data)
{
    struct ax_tensor tensor = {.type = type, .dim_count = shape->dim_count};
    memcpy(tensor.shape, shape->dims, sizeof tensor.shape);
    if (!ax_tensor_count(type, tensor.shape, tensor.dim_count, &tensor.count))
        return ax_fail(call->ctx, AX_LIMIT, "output %zu is too large, or a dimension is negative",
                       index);
    AX_TRY(ax_onnx_memory_take(call, ax_tensor_element_bytes(type), tensor.count, out_data));
    tensor.data = *out_data;
    return set_output(call, index, &tensor);
}

ax_status
ax_onnx_output_like(struct ax_onnx_call *call, size_t index, enum ax_tensor_type type,
                    const struct ax_tensor *like, void **out_data)
{
    struct ax_onnx_shape shape = ax_onnx_shape_of(like);
    return ax_onnx_output(call, index, type, &shape, out_data);
}

ax_status
ax_onnx_output_same(struct ax_onnx_call *call, size_t index, const struct ax_tensor *tensor,
                    const struct ax_onnx_shape *shape)
{
    struct ax_tensor same = *tensor;
    size_t count;
    same.name = (ax_str){};
    if (shape) {
        same.dim_count = shape->dim_count;
        memcpy(same.shape, shape->dims, sizeof same.shape);
        if (!ax_tensor_count(same.type, same.shape, same.dim_count, &count) || count != same.count)
            return ax_fail(call->ctx, AX_INVALID, "%zu elements do not fit the shape asked for",
                           tensor->count);
    }
    return set_output(call, index, &same);
}
