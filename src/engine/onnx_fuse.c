#include "engine/onnx_fuse.h"

#include "engine/onnx_level.h"

enum { NOBODY = -1, A_BODY = -2 };

/* Who reads a slot. */
struct reader {
    size_t times;
    int32_t node; /* of the graph, the last one; A_BODY: a node of a body */
};

struct fusing {
    struct ax_ctx *ctx;
    struct ax_arena *arena;
    struct ax_onnx_program *program;
    struct reader *readers; /* by slot */
    bool *gone;             /* nodes that became part of another */
};

/* A layer: what is packed, and how its result is shaped. */
struct layer {
    struct ax_onnx_dense dense;
    enum ax_onnx_function function; /* FUNCTION_COUNT: none */
    bool matrix;                    /* Gemm takes no vector and no stack */
    size_t bias_rank;               /* the result has no fewer dimensions */
};

/* ---- who reads what ---- */

static void
note_reader(struct fusing *fusing, int32_t slot, int32_t node)
{
    if (slot < 0)
        return;
    fusing->readers[slot].times++;
    fusing->readers[slot].node = node;
}

static void
note_readers(struct fusing *fusing, const struct ax_onnx_graph *graph, bool body)
{
    for (size_t n = 0; n < graph->node_count; n++) {
        const struct ax_onnx_node *node = &graph->nodes[n];
        for (size_t i = 0; i < node->input_count; i++)
            note_reader(fusing, node->inputs[i], body ? A_BODY : (int32_t)n);
        if (node->graph) /* as deep as onnx_graph lets bodies be */
            note_readers(fusing, node->graph, true);
    }
    for (size_t i = 0; i < graph->output_count; i++)
        note_reader(fusing, graph->outputs[i], A_BODY);
}

/* The node that alone reads the result of this one; NULL: several do, or the caller wants it. */
static const struct ax_onnx_node *
only_reader(const struct fusing *fusing, int32_t slot)
{
    const struct reader *reader = &fusing->readers[slot];
    if (reader->times != 1 || reader->node < 0 || fusing->gone[reader->node])
        return NULL;
    return &fusing->program->graph.nodes[reader->node];
}

static bool
is_called(const struct ax_onnx_node *node, const char *name)
{
    return strcmp(node->op->name, name) == 0;
}

/* A constant of floats; NULL when the slot holds none. */
static const struct ax_tensor *
floats_of(const struct fusing *fusing, int32_t slot)
{
    const struct ax_onnx_value *value = slot < 0 ? NULL : fusing->program->constants[slot];
    return value && value->tensor.type == AX_TENSOR_FP32 && value->tensor.data ? &value->tensor
                                                                               : NULL;
}

/* ---- running ---- */

static ax_status
run_layer(struct ax_onnx_call *call)
{
    const struct layer *layer = call->node->prepared;
    const struct ax_onnx_dense *dense = &layer->dense;
    const struct ax_tensor *in = ax_onnx_input(call, 0);
    const struct ax_onnx_level *level = call->run->level;
    struct ax_onnx_shape shape = {};
    void *data, *room;
    if (in->type != AX_TENSOR_FP32 || in->dim_count == 0 || (layer->matrix && in->dim_count != 2))
        return ax_onnx_fail_type(call, 0);
    if ((size_t)in->shape[in->dim_count - 1] != dense->depth)
        return ax_fail(call->ctx, AX_INVALID, "%lld columns meet %zu rows",
                       (long long)in->shape[in->dim_count - 1], dense->depth);
    for (; shape.dim_count + in->dim_count < layer->bias_rank; shape.dim_count++)
        shape.dims[shape.dim_count] = 1;
    for (size_t d = 0; d < in->dim_count; d++)
        shape.dims[shape.dim_count++] = in->shape[d];
    shape.dims[shape.dim_count - 1] = (int64_t)dense->columns;
    size_t rows = in->count / dense->depth;
    AX_TRY(ax_onnx_output(call, 0, AX_TENSOR_FP32, &shape, &data));
    AX_TRY(ax_onnx_memory_take(call, sizeof(double), ax_onnx_dense_room(dense), &room));
    AX_TRY(ax_onnx_memory_spend(call, rows * dense->columns, dense->depth));
    level->dense(dense, in->data, dense->depth, rows, room, data);
    if (layer->function != AX_ONNX_FUNCTION_COUNT)
        level->apply(layer->function, data, data, rows * dense->columns);
    return AX_OK;
}

static const struct ax_onnx_operator mat_mul = {"MatMul", 1, 1, 1, 1, 0, "", run_layer, NULL};
static const struct ax_onnx_operator gemm = {"Gemm", 7, 1, 1, 1, 0, "", run_layer, NULL};

/* ---- packing ---- */

/* A vector of `columns` numbers in the model's memory, from as many or from one. */
static float *
spread(const struct fusing *fusing, const struct ax_tensor *from, size_t columns)
{
    float *out = AX_NEW_ARRAY(fusing->arena, float, columns);
    for (size_t j = 0; out && j < columns; j++)
        out[j] = ((const float *)from->data)[from->count == 1 ? 0 : j];
    return out;
}

/* Is it one number, or one a column and the same for all rows? */
static bool
is_bias(const struct ax_tensor *tensor, size_t columns)
{
    if (!tensor)
        return false;
    bool last = tensor->dim_count > 0 && (size_t)tensor->shape[tensor->dim_count - 1] == columns;
    return tensor->count == 1 || (last && tensor->count == columns);
}

static ax_status
pack_mat_mul(struct fusing *fusing, const struct ax_onnx_node *node, struct layer *layer,
             bool *out_packed)
{
    const struct ax_tensor *b = floats_of(fusing, node->inputs[1]);
    if (!b || b->dim_count != 2 || b->count == 0)
        return AX_OK;
    const struct ax_onnx_dense_source source = {.at = b->data,
                                                .depth = (size_t)b->shape[0],
                                                .columns = (size_t)b->shape[1],
                                                .row_step = (size_t)b->shape[1],
                                                .column_step = 1};
    *out_packed = true;
    return ax_onnx_dense_pack(fusing->ctx, fusing->arena, &source, &layer->dense);
}

/* alpha * A * B' + beta * C, where A is not turned. */
static ax_status
pack_gemm(struct fusing *fusing, const struct ax_onnx_node *node, struct layer *layer,
          bool *out_packed)
{
    const struct ax_tensor *b = floats_of(fusing, node->inputs[1]), *c = NULL;
    bool turned = ax_onnx_attribute_i64(node, "transB", 0) != 0;
    double beta = (double)ax_onnx_attribute_f32(node, "beta", 1);
    if (!b || b->dim_count != 2 || b->count == 0 || ax_onnx_attribute_i64(node, "transA", 0))
        return AX_OK;
    size_t columns = (size_t)b->shape[!turned];
    if (node->input_count > 2 && node->inputs[2] >= 0) {
        c = floats_of(fusing, node->inputs[2]);
        if (!is_bias(c, columns) || c->dim_count > 2)
            return AX_OK;
    }
    const struct ax_onnx_dense_source source = {.at = b->data,
                                                .depth = (size_t)b->shape[turned],
                                                .columns = columns,
                                                .row_step = turned ? 1 : columns,
                                                .column_step = turned ? (size_t)b->shape[1] : 1};
    *out_packed = layer->matrix = true;
    AX_TRY(ax_onnx_dense_pack(fusing->ctx, fusing->arena, &source, &layer->dense));
    layer->dense.alpha = (double)ax_onnx_attribute_f32(node, "alpha", 1);
    if (!c)
        return AX_OK;
    double *wide = AX_NEW_ARRAY(fusing->arena, double, columns);
    if (!wide)
        return ax_fail(fusing->ctx, AX_LIMIT, "no memory for a bias");
    for (size_t j = 0; j < columns; j++)
        wide[j] = beta * (double)((const float *)c->data)[c->count == 1 ? 0 : j];
    layer->dense.wide = wide;
    return AX_OK;
}

/* ---- taking along ---- */

static void
take(struct fusing *fusing, const struct ax_onnx_node *taken, struct ax_onnx_node *node)
{
    fusing->gone[taken - fusing->program->graph.nodes] = true;
    node->outputs = taken->outputs;
}

static ax_status
take_bias(struct fusing *fusing, struct ax_onnx_node *node, struct layer *layer)
{
    const struct ax_onnx_node *add = only_reader(fusing, node->outputs[0]);
    if (!add || !is_called(add, "Add") || add->outputs[0] < 0)
        return AX_OK;
    bool first = add->inputs[0] == node->outputs[0];
    const struct ax_tensor *bias = floats_of(fusing, add->inputs[first]);
    if (!is_bias(bias, layer->dense.columns))
        return AX_OK;
    layer->dense.narrow = spread(fusing, bias, layer->dense.columns);
    if (!layer->dense.narrow)
        return ax_fail(fusing->ctx, AX_LIMIT, "no memory for a bias");
    layer->bias_rank = bias->dim_count;
    take(fusing, add, node);
    return AX_OK;
}

static void
take_function(struct fusing *fusing, struct ax_onnx_node *node, struct layer *layer)
{
    const struct ax_onnx_node *next = only_reader(fusing, node->outputs[0]);
    if (!next || next->outputs[0] < 0)
        return;
    if (is_called(next, "Relu"))
        layer->dense.relu = true;
    else
        layer->function = ax_onnx_unary_function(next);
    if (layer->dense.relu || layer->function != AX_ONNX_FUNCTION_COUNT)
        take(fusing, next, node);
}

static ax_status
fuse_node(struct fusing *fusing, struct ax_onnx_node *node)
{
    struct layer layer = {.function = AX_ONNX_FUNCTION_COUNT};
    bool packed = false;
    if (is_called(node, "MatMul"))
        AX_TRY(pack_mat_mul(fusing, node, &layer, &packed));
    else if (is_called(node, "Gemm"))
        AX_TRY(pack_gemm(fusing, node, &layer, &packed));
    if (!packed || node->outputs[0] < 0)
        return AX_OK;
    struct layer *kept = AX_NEW(fusing->arena, struct layer);
    if (!kept)
        return ax_fail(fusing->ctx, AX_LIMIT, "no memory for a layer");
    if (!layer.matrix)
        AX_TRY(take_bias(fusing, node, &layer));
    take_function(fusing, node, &layer);
    *kept = layer;
    node->op = layer.matrix ? &gemm : &mat_mul;
    node->prepared = kept;
    node->input_count = 1;
    return AX_OK;
}

ax_status
ax_onnx_fuse(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_program *program)
{
    struct ax_onnx_graph *graph = &program->graph;
    struct fusing fusing = {.ctx = ctx, .arena = arena, .program = program};
    fusing.readers = AX_NEW_ARRAY(ctx->arena, struct reader, program->slot_count + 1);
    fusing.gone = AX_NEW_ARRAY(ctx->arena, bool, graph->node_count + 1);
    if (!fusing.readers || !fusing.gone)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu nodes", graph->node_count);
    for (size_t i = 0; i < program->slot_count; i++)
        fusing.readers[i].node = NOBODY;
    note_readers(&fusing, graph, false);
    for (size_t n = 0; n < graph->node_count; n++)
        if (!fusing.gone[n])
            AX_TRY(fuse_node(&fusing, &graph->nodes[n]));
    size_t kept = 0;
    for (size_t n = 0; n < graph->node_count; n++)
        if (!fusing.gone[n])
            graph->nodes[kept++] = graph->nodes[n];
    graph->node_count = kept;
    return AX_OK;
}

/* ---- some outputs alone ---- */

static void
need_inputs(const struct ax_onnx_node *node, bool *needed)
{
    for (size_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] >= 0)
            needed[node->inputs[i]] = true;
}

/* What a body takes from outside, and all that it makes itself. */
static void
need_body(const struct ax_onnx_graph *body, bool *needed)
{
    for (size_t n = 0; n < body->node_count; n++) {
        need_inputs(&body->nodes[n], needed);
        if (body->nodes[n].graph)
            need_body(body->nodes[n].graph, needed);
    }
    for (size_t i = 0; i < body->output_count; i++)
        if (body->outputs[i] >= 0)
            needed[body->outputs[i]] = true;
}

/* A copy of a node that does not even fill in what nobody needs. */
static ax_status
keep_node(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_node *node,
          const bool *needed, struct ax_onnx_node *out)
{
    int32_t *outputs = AX_NEW_ARRAY(arena, int32_t, node->output_count);
    if (!outputs)
        return ax_fail(ctx, AX_LIMIT, "no memory for a node");
    for (size_t i = 0; i < node->output_count; i++) {
        int32_t slot = node->outputs[i];
        outputs[i] = slot >= 0 && needed[slot] ? slot : AX_ONNX_NO_SLOT;
    }
    *out = *node;
    out->outputs = outputs;
    return AX_OK;
}

ax_status
ax_onnx_fuse_prune(struct ax_ctx *ctx, struct ax_arena *arena,
                   const struct ax_onnx_program *program, int32_t slot, struct ax_onnx_program *out)
{
    const struct ax_onnx_graph *graph = &program->graph;
    bool *needed = AX_NEW_ARRAY(ctx->arena, bool, program->slot_count + 1);
    bool *kept = AX_NEW_ARRAY(ctx->arena, bool, graph->node_count + 1);
    struct ax_onnx_node *nodes = AX_NEW_ARRAY(arena, struct ax_onnx_node, graph->node_count + 1);
    int32_t *outputs = AX_NEW(arena, int32_t);
    if (!needed || !kept || !nodes || !outputs)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu nodes", graph->node_count);
    *outputs = slot;
    needed[slot] = true;
    for (size_t n = graph->node_count; n-- > 0;) {
        const struct ax_onnx_node *node = &graph->nodes[n];
        for (size_t i = 0; i < node->output_count; i++)
            kept[n] |= node->outputs[i] >= 0 && needed[node->outputs[i]];
        if (kept[n])
            need_inputs(node, needed);
        if (kept[n] && node->graph)
            need_body(node->graph, needed);
    }
    *out = *program;
    out->graph.nodes = nodes;
    out->graph.node_count = 0;
    out->graph.outputs = outputs;
    out->graph.output_count = 1;
    for (size_t n = 0; n < graph->node_count; n++)
        if (kept[n])
            AX_TRY(
                keep_node(ctx, arena, &graph->nodes[n], needed, &nodes[out->graph.node_count++]));
    return AX_OK;
}
