#include "engine/onnx_half.h"
#include "engine/onnx_ops.h"

/*
 * Runs the nodes of a graph, one after the other.
 *
 * Operators that compute with 16-bit floats get float32 copies of them, and their float32 outputs
 * are rounded back: once an operator, as every library does it.
 */

static ax_status
widen(struct ax_onnx_call *call, const struct ax_onnx_value *from, struct ax_onnx_value *out)
{
    void *data;
    *out = *from;
    AX_TRY(ax_onnx_memory_take(call, sizeof(float), from->tensor.count, &data));
    for (size_t i = 0; i < from->tensor.count; i++)
        ((float *)data)[i] = ax_tensor_f32(&from->tensor, i);
    out->tensor.type = AX_TENSOR_FP32;
    out->tensor.data = data;
    return AX_OK;
}

static ax_status
narrow(struct ax_onnx_call *call, enum ax_tensor_type type, struct ax_onnx_value *value)
{
    struct ax_tensor *tensor = &value->tensor;
    void *data;
    if (tensor->type != AX_TENSOR_FP32)
        return AX_OK;
    AX_TRY(ax_onnx_memory_take(call, sizeof(uint16_t), tensor->count, &data));
    for (size_t i = 0; i < tensor->count; i++)
        ((uint16_t *)data)[i] = ax_onnx_half_of(type, ((const float *)tensor->data)[i]);
    tensor->type = type;
    tensor->data = data;
    return AX_OK;
}

static ax_status
run_widened(struct ax_onnx_call *call, enum ax_tensor_type type)
{
    const struct ax_onnx_value *const *given = call->inputs;
    void *room, *pointers;
    AX_TRY(ax_onnx_memory_take(call, sizeof(struct ax_onnx_value), call->input_count, &room));
    AX_TRY(ax_onnx_memory_take(call, sizeof *given, call->input_count, &pointers));
    struct ax_onnx_value *wide = room;
    const struct ax_onnx_value **inputs = pointers;
    for (size_t i = 0; i < call->input_count; i++) {
        inputs[i] = given[i];
        if (!given[i] || !ax_onnx_half_is(given[i]->tensor.type))
            continue;
        AX_TRY(widen(call, given[i], &wide[i]));
        inputs[i] = &wide[i];
    }
    call->inputs = inputs;
    AX_TRY(call->node->op->run(call));
    for (size_t i = 0; i < call->output_count; i++)
        AX_TRY(narrow(call, type, &call->outputs[i]));
    return AX_OK;
}

static ax_status
run_operator(struct ax_onnx_call *call)
{
    if (call->node->op->flags & AX_ONNX_WIDEN)
        for (size_t i = 0; i < call->input_count; i++)
            if (call->inputs[i] && ax_onnx_half_is(call->inputs[i]->tensor.type))
                return run_widened(call, call->inputs[i]->tensor.type);
    return call->node->op->run(call);
}

/* Fills in the inputs; *out_ready: all are there. A trial may lack some. */
static void
gather_inputs(const struct ax_onnx_run *run, const struct ax_onnx_node *node,
              const struct ax_onnx_value **inputs, bool *out_ready, bool *out_known)
{
    *out_ready = *out_known = true;
    for (size_t i = 0; i < node->input_count; i++) {
        inputs[i] = node->inputs[i] >= 0 ? run->slots[node->inputs[i]] : NULL;
        if (node->inputs[i] < 0)
            continue;
        *out_ready &= inputs[i] != NULL;
        *out_known &= inputs[i] && inputs[i]->known;
    }
}

static ax_status
run_node(struct ax_onnx_run *run, const struct ax_onnx_node *node)
{
    struct ax_onnx_call call = {.ctx = run->ctx,
                                .run = run,
                                .node = node,
                                .input_count = node->input_count,
                                .output_count = node->output_count};
    void *inputs, *outputs;
    bool ready, known;
    AX_TRY(ax_onnx_memory_take(&call, sizeof(void *), node->input_count, &inputs));
    gather_inputs(run, node, inputs, &ready, &known);
    if (!ready)
        return run->trial ? AX_OK : ax_fail(run->ctx, AX_INTERNAL, "an input was not computed");
    AX_TRY(ax_onnx_memory_take(&call, sizeof(struct ax_onnx_value), node->output_count, &outputs));
    memset(outputs, 0, sizeof(struct ax_onnx_value) * node->output_count);
    call.inputs = inputs;
    call.outputs = outputs;
    ax_status status = run_operator(&call);
    if (status != AX_OK && run->trial && call.unknown) {
        run->ctx->error[0] = '\0';
        return AX_OK;
    }
    AX_TRY(status);
    for (size_t i = 0; i < node->output_count; i++) {
        call.outputs[i].known = known || node->op->flags & AX_ONNX_KNOWN;
        if (node->outputs[i] >= 0)
            run->slots[node->outputs[i]] = &call.outputs[i];
    }
    return AX_OK;
}

ax_status
ax_onnx_graph_run(struct ax_onnx_run *run, const struct ax_onnx_graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct ax_onnx_node *node = &graph->nodes[i];
        ax_status status = run_node(run, node);
        if (status != AX_OK)
            return ax_explain(run->ctx, status, "node `%.*s` (%s)", AX_FMT(node->name),
                              node->op->name);
    }
    return AX_OK;
}
