#include "engine/onnx_ops.h"

/*
 * Scan: a body run once for each slice of its last inputs, as k-nearest-neighbour models have it.
 *
 * Slices are cut along the first axis, forwards; other axes and directions are left to ONNX
 * Runtime.
 */

static bool
all_zero(const struct ax_onnx_node *node, const char *name)
{
    struct ax_onnx_ints ints = ax_onnx_attribute_ints(node, name);
    for (size_t i = 0; i < ints.count; i++)
        if (ints.items[i] != 0)
            return false;
    return true;
}

struct scan {
    const struct ax_onnx_graph *body;
    size_t states;   /* values handed from one step to the next */
    size_t slices;   /* inputs that are cut */
    size_t gathered; /* outputs that are put together */
    size_t steps;
};

static ax_status
plan_scan(struct ax_onnx_call *call, struct scan *out)
{
    const struct ax_onnx_node *node = call->node;
    int64_t slices = ax_onnx_attribute_i64(node, "num_scan_inputs", 0);
    bool plain = all_zero(node, "scan_input_axes") && all_zero(node, "scan_output_axes") &&
                 all_zero(node, "scan_input_directions") &&
                 all_zero(node, "scan_output_directions");
    if (!plain)
        return ax_fail(call->ctx, AX_UNSUPPORTED, "scans over another axis, or backwards");
    if (!node->graph || slices < 1 || slices > (int64_t)call->input_count)
        return ax_fail(call->ctx, AX_INVALID, "%lld of %zu inputs are scanned", (long long)slices,
                       call->input_count);
    *out = (struct scan){.body = node->graph, .slices = (size_t)slices};
    out->states = call->input_count - out->slices;
    if (out->body->input_count != call->input_count || call->output_count < out->states ||
        out->body->output_count != call->output_count)
        return ax_fail(call->ctx, AX_INVALID, "the body has %zu inputs and %zu outputs",
                       out->body->input_count, out->body->output_count);
    out->gathered = call->output_count - out->states;
    const struct ax_tensor *first = ax_onnx_input(call, out->states);
    for (size_t i = out->states; i < call->input_count; i++) {
        const struct ax_tensor *in = ax_onnx_input(call, i);
        if (in->dim_count == 0 || in->shape[0] != first->shape[0])
            return ax_fail(call->ctx, AX_INVALID, "the scanned inputs differ in length");
    }
    out->steps = (size_t)first->shape[0];
    return AX_OK;
}

/* Slice number `step` of a tensor. */
static void
cut(const struct ax_tensor *from, size_t step, struct ax_onnx_value *out)
{
    struct ax_tensor slice = {.type = from->type, .dim_count = from->dim_count - 1};
    memcpy(slice.shape, from->shape + 1, sizeof slice.shape - sizeof slice.shape[0]);
    slice.count = ax_onnx_shape_product(from, 1, from->dim_count);
    slice.data =
        (const char *)from->data + step * slice.count * ax_tensor_element_bytes(from->type);
    *out = (struct ax_onnx_value){.tensor = slice};
}

/* Room for an output that is put together, once its first piece is known. */
static ax_status
begin_output(struct ax_onnx_call *call, size_t index, const struct ax_tensor *piece, size_t steps)
{
    struct ax_onnx_shape shape = {.dim_count = piece->dim_count + 1};
    void *data;
    if (shape.dim_count > AX_TENSOR_DIMS_MAX)
        return ax_fail(call->ctx, AX_LIMIT, "too many dimensions");
    shape.dims[0] = (int64_t)steps;
    memcpy(shape.dims + 1, piece->shape, sizeof piece->shape - sizeof piece->shape[0]);
    return ax_onnx_output(call, index, piece->type, &shape, &data);
}

static ax_status
keep_piece(struct ax_onnx_call *call, size_t index, const struct ax_tensor *piece, size_t step,
           size_t steps)
{
    struct ax_tensor *whole = &call->outputs[index].tensor;
    if (step == 0)
        AX_TRY(begin_output(call, index, piece, steps));
    if (piece->type != whole->type || piece->count * steps != whole->count)
        return ax_fail(call->ctx, AX_INVALID, "output %zu of the body changes its shape", index);
    size_t bytes = piece->count * ax_tensor_element_bytes(piece->type);
    union {
        const void *read;
        char *write;
    } at = {.read = whole->data}; /* the memory is this call's own */
    memcpy(at.write + step * bytes, piece->data, bytes);
    return AX_OK;
}

/* A state that lies in the steps' own memory moves out of it. */
static ax_status
keep_state(struct ax_onnx_call *call, const struct ax_onnx_memory *steps,
           struct ax_onnx_value *state)
{
    const char *at = state->tensor.data;
    size_t bytes = state->tensor.count * ax_tensor_element_bytes(state->tensor.type);
    void *data;
    if (at < steps->at || at >= steps->at + steps->left)
        return AX_OK;
    AX_TRY(ax_onnx_memory_take(call, 1, bytes, &data));
    memcpy(data, at, bytes);
    state->tensor.data = data;
    return AX_OK;
}

/* values: present states and slices, then the next states. */
static ax_status
run_step(struct ax_onnx_call *call, const struct scan *scan, size_t step,
         struct ax_onnx_value *values)
{
    struct ax_onnx_run *run = call->run;
    struct ax_onnx_value *next = values + call->input_count;
    for (size_t i = 0; i < call->input_count; i++) {
        if (i >= scan->states)
            cut(ax_onnx_input(call, i), step, &values[i]);
        run->slots[scan->body->inputs[i]] = &values[i];
    }
    AX_TRY(ax_onnx_graph_run(run, scan->body));
    for (size_t i = 0; i < call->output_count; i++) {
        const struct ax_onnx_value *made = run->slots[scan->body->outputs[i]];
        if (!made)
            return ax_onnx_unknown(call);
        if (i < scan->states)
            next[i] = *made;
    }
    return AX_OK;
}

static ax_status
keep_results(struct ax_onnx_call *call, const struct scan *scan, size_t step,
             const struct ax_onnx_memory *steps, struct ax_onnx_value *values)
{
    for (size_t i = scan->states; i < call->output_count; i++)
        AX_TRY(keep_piece(call, i, &call->run->slots[scan->body->outputs[i]]->tensor, step,
                          scan->steps));
    for (size_t i = 0; i < scan->states; i++) {
        values[i] = values[call->input_count + i];
        AX_TRY(keep_state(call, steps, &values[i]));
    }
    return AX_OK;
}

/* The first step shows how much memory one takes; the others use one piece of that size again. */
static ax_status
op_scan(struct ax_onnx_call *call)
{
    struct ax_onnx_memory *memory = &call->run->memory, steps = {};
    struct scan scan;
    void *room, *values;
    AX_TRY(plan_scan(call, &scan));
    if (scan.steps == 0)
        return ax_fail(call->ctx, AX_UNSUPPORTED, "a scan of nothing");
    AX_TRY(ax_onnx_memory_take(call, sizeof(struct ax_onnx_value), 2 * call->input_count, &values));
    for (size_t i = 0; i < scan.states; i++)
        ((struct ax_onnx_value *)values)[i] = *call->inputs[i];
    for (size_t step = 0; step < scan.steps; step++) {
        struct ax_onnx_memory outer = *memory;
        if (step == 1) {
            AX_TRY(ax_onnx_memory_take(call, 1, steps.left, &room));
            steps.at = room;
            outer = *memory;
        }
        if (step > 0) {
            memory->at = steps.at;
            memory->left = steps.left;
        }
        AX_TRY(run_step(call, &scan, step, values));
        if (step == 0) {
            steps.left = memory->taken_bytes - outer.taken_bytes;
        } else {
            outer.work_left = memory->work_left;
            *memory = outer;
        }
        AX_TRY(keep_results(call, &scan, step, &steps, values));
    }
    for (size_t i = 0; i < scan.states; i++)
        call->outputs[i] = ((const struct ax_onnx_value *)values)[i];
    return AX_OK;
}

/* clang-format off */
static const struct ax_onnx_operator operators[] = {
    {"Scan", 9, 1, INT32_MAX, INT32_MAX, 0,
     "body:g num_scan_inputs:i scan_input_axes:I scan_input_directions:I scan_output_axes:I "
     "scan_output_directions:I", op_scan, NULL},
};
/* clang-format on */

const struct ax_onnx_ops ax_onnx_ops_graph = {"", operators, AX_COUNT_OF(operators)};
