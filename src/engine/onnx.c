#include "engine/onnx.h"

#include "base/fault.h"
#include "base/number.h"
#include "engine/onnx_explain.h"
#include "engine/onnx_fuse.h"
#include "engine/onnx_table.h"

enum {
    ROWS_TRIED = 2,        /* made-up rows of the first trial; the second has one more */
    WORK_TRIED = 1 << 26,  /* elements computed by a trial */
    WORK_INLINE = 1 << 22, /* more for a few rows is no work for a loop's thread */
    CELLS_MADE_UP = 1 << 22,
    TRIAL_BYTES_MAX = 200 << 20,
};

static const struct ax_onnx_engine *
of_engine(const struct ax_engine *engine)
{
    return (const struct ax_onnx_engine *)engine;
}

/* ---- running ---- */

ax_status
ax_onnx_run(const struct ax_onnx_program *program, struct ax_onnx_run *run,
            const struct ax_onnx_value *inputs, const struct ax_onnx_value **out_values)
{
    const struct ax_onnx_graph *graph = &program->graph;
    struct ax_onnx_call call = {.ctx = run->ctx, .run = run}; /* for its memory alone */
    void *slots;
    AX_TRY(ax_onnx_memory_take(&call, sizeof(void *), program->slot_count, &slots));
    memcpy(slots, program->constants, sizeof(void *) * program->slot_count);
    run->slots = slots;
    run->level = program->level;
    for (size_t i = 0; i < graph->input_count; i++)
        run->slots[graph->inputs[i]] = inputs[i].tensor.data ? &inputs[i] : NULL;
    AX_TRY(ax_onnx_graph_run(run, graph));
    for (size_t i = 0; i < graph->output_count; i++)
        out_values[i] = run->slots[graph->outputs[i]];
    return AX_OK;
}

static ax_status
check_input(const struct ax_onnx_engine *engine, struct ax_ctx *ctx, size_t index,
            const struct ax_tensor *tensor)
{
    const struct ax_engine_port *port = &engine->ports.inputs[index];
    bool fits = tensor->dim_count == port->dim_count || engine->any_shape[index];
    if (!tensor->data)
        return ax_fail(ctx, AX_INVALID, "input `%.*s` is missing", AX_FMT(port->name));
    if (tensor->type != port->type)
        return ax_fail(ctx, AX_INVALID, "input `%.*s` is %s; expected %s", AX_FMT(port->name),
                       ax_tensor_type_name(tensor->type), ax_tensor_type_name(port->type));
    for (size_t i = 0; fits && !engine->any_shape[index] && i < port->dim_count; i++)
        fits = port->shape[i] < 0 || port->shape[i] == tensor->shape[i];
    if (fits)
        return AX_OK;
    ax_str given = ax_tensor_shape_text(ctx->arena, tensor->shape, tensor->dim_count);
    ax_str wanted = ax_tensor_shape_text(ctx->arena, port->shape, port->dim_count);
    return ax_fail(ctx, AX_INVALID, "input `%.*s` has shape %.*s; expected %.*s",
                   AX_FMT(port->name), AX_FMT(given), AX_FMT(wanted));
}

static ax_status
onnx_run(const struct ax_engine *base, struct ax_ctx *ctx, const struct ax_tensor *inputs,
         const bool *wanted, struct ax_tensor *out_outputs)
{
    const struct ax_onnx_engine *engine = of_engine(base);
    size_t input_count = engine->ports.input_count, output_count = engine->ports.output_count;
    struct ax_onnx_run run = {.ctx = ctx, .memory = {.arena = ctx->arena, .work_left = UINT64_MAX}};
    struct ax_onnx_value *values = AX_NEW_ARRAY(ctx->arena, struct ax_onnx_value, input_count + 1);
    const struct ax_onnx_value **outputs =
        AX_NEW_ARRAY(ctx->arena, const struct ax_onnx_value *, output_count + 1);
    if (!values || !outputs)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu inputs", input_count);
    for (size_t i = 0; i < input_count; i++) {
        AX_TRY(check_input(engine, ctx, i, &inputs[i]));
        values[i].tensor = inputs[i];
    }
    AX_TRY(ax_onnx_run(&engine->program, &run, values, outputs));
    for (size_t i = 0; i < output_count; i++) {
        out_outputs[i] = wanted[i] ? outputs[i]->tensor : (struct ax_tensor){};
        out_outputs[i].name = engine->ports.outputs[i].name;
    }
    return AX_OK;
}

/* ---- ports ---- */

/* A map has the keys that its taker knows; it comes in as a tensor with a column for each. */
static ax_status
describe_map(struct ax_ctx *ctx, const struct ax_onnx_graph *graph, size_t index,
             struct ax_engine_port *out)
{
    for (size_t n = 0; n < graph->node_count && !out->keys; n++)
        if (graph->nodes[n].input_count > 0 && graph->nodes[n].inputs[0] == graph->inputs[index])
            out->key_count = ax_onnx_map_keys(&graph->nodes[n], &out->keys);
    if (!out->keys)
        return ax_fail(ctx, AX_UNSUPPORTED, "input `%.*s` is a map that nothing Axiom runs takes",
                       AX_FMT(out->name));
    out->map = true;
    out->dim_count = 2;
    out->shape[0] = -1;
    out->shape[1] = (int64_t)out->key_count;
    return AX_OK;
}

static ax_status
describe_input(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_engine *engine,
               size_t index, struct ax_engine_port *out)
{
    const struct ax_onnx_file_value *from = engine->program.inputs[index];
    bool map = from->kind == AX_ONNX_KIND_MAP;
    if ((from->kind != AX_ONNX_KIND_TENSOR && !map) ||
        !ax_onnx_file_type(from->element, &out->type))
        return ax_fail(ctx, from->kind == AX_ONNX_KIND_NONE ? AX_INVALID : AX_UNSUPPORTED,
                       "input `%.*s` is no tensor of a type that Axiom knows", AX_FMT(from->name));
    out->dim_count = from->dim_count;
    memcpy(out->shape, from->shape, sizeof out->shape);
    out->name = from->name;
    if (map)
        AX_TRY(describe_map(ctx, &engine->program.graph, index, out));
    return ax_str_copy(arena, from->name, &out->name)
               ? AX_OK
               : ax_fail(ctx, AX_LIMIT, "no memory for the inputs' names");
}

static ax_status
describe_inputs(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_engine *engine)
{
    size_t count = engine->program.graph.input_count;
    struct ax_engine_port *ports = AX_NEW_ARRAY(arena, struct ax_engine_port, count + 1);
    bool *any_shape = AX_NEW_ARRAY(arena, bool, count + 1);
    if (!ports || !any_shape)
        return ax_fail(ctx, AX_LIMIT, "no memory for the inputs");
    for (size_t i = 0; i < count; i++) {
        AX_TRY(describe_input(ctx, arena, engine, i, &ports[i]));
        any_shape[i] = !engine->program.inputs[i]->shaped && !ports[i].map;
    }
    engine->any_shape = any_shape;
    engine->ports.inputs = ports;
    engine->ports.input_count = count;
    return AX_OK;
}

/* What the file says of an output, where it says something. */
static ax_status
describe_output(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_file_value *from,
                struct ax_engine_port *out)
{
    if (!ax_str_copy(arena, from->name, &out->name))
        return ax_fail(ctx, AX_LIMIT, "no memory for the outputs' names");
    if (from->kind == AX_ONNX_KIND_NONE)
        return AX_OK;
    if (from->kind == AX_ONNX_KIND_OTHER || !ax_onnx_file_type(from->element, &out->type))
        return ax_fail(ctx, AX_UNSUPPORTED, "output `%.*s` is of a type that Axiom does not know",
                       AX_FMT(from->name));
    out->map = from->kind != AX_ONNX_KIND_TENSOR;
    out->dim_count = from->dim_count;
    memcpy(out->shape, from->shape, sizeof out->shape);
    if (out->map) { /* rows of maps; how many keys is the node's to say */
        out->dim_count = 2;
        out->shape[0] = out->shape[1] = -1;
    }
    return AX_OK;
}

/* ---- trials ---- */

ax_status
ax_onnx_make_up(struct ax_ctx *ctx, const struct ax_engine_port *port, int64_t rows,
                struct ax_onnx_value *out)
{
    struct ax_tensor tensor = {.type = port->type, .dim_count = port->dim_count};
    for (size_t i = 0; i < port->dim_count; i++)
        tensor.shape[i] = port->shape[i] < 0 ? rows : port->shape[i];
    if (!ax_tensor_count(tensor.type, tensor.shape, tensor.dim_count, &tensor.count) ||
        tensor.count > CELLS_MADE_UP)
        return AX_OK; /* stays unknown */
    void *data = ax_arena_alloc(ctx->arena, ax_tensor_element_bytes(tensor.type), tensor.count + 1);
    if (!data)
        return ax_fail(ctx, AX_LIMIT, "no memory for a trial");
    tensor.data = data;
    out->tensor = tensor;
    return AX_OK;
}

/* Are all lengths but the first given? Then no made-up one can be the cause of a misfit. */
static bool
is_certain(const struct ax_onnx_engine *engine)
{
    for (size_t i = 0; i < engine->ports.input_count; i++) {
        const struct ax_engine_port *port = &engine->ports.inputs[i];
        if (engine->any_shape[i])
            return false;
        for (size_t d = 1; d < port->dim_count; d++)
            if (port->shape[d] < 0)
                return false;
    }
    return true;
}

static ax_status
try_rows(struct ax_ctx *ctx, struct ax_onnx_engine *engine, int64_t rows,
         const struct ax_onnx_value **out_values)
{
    size_t count = engine->ports.input_count;
    struct ax_onnx_value *inputs = AX_NEW_ARRAY(ctx->arena, struct ax_onnx_value, count + 1);
    struct ax_onnx_run run = {
        .ctx = ctx, .memory = {.arena = ctx->arena, .work_left = WORK_TRIED}, .trial = true};
    if (!inputs)
        return ax_fail(ctx, AX_LIMIT, "no memory for a trial");
    for (size_t i = 0; i < count; i++)
        if (!engine->any_shape[i])
            AX_TRY(ax_onnx_make_up(ctx, &engine->ports.inputs[i], rows, &inputs[i]));
    ax_status status = ax_onnx_run(&engine->program, &run, inputs, out_values);
    if (WORK_TRIED - run.memory.work_left > WORK_INLINE || status == AX_LIMIT)
        engine->engine.signature.blocking = true;
    return status;
}

static ax_status
keep_keys(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_value *value,
          struct ax_engine_port *port)
{
    ax_str *keys = AX_NEW_ARRAY(arena, ax_str, value->key_count + 1);
    if (!keys)
        return ax_fail(ctx, AX_LIMIT, "no memory for keys");
    for (size_t i = 0; i < value->key_count; i++)
        if (!ax_str_copy(arena, value->keys[i], &keys[i]))
            return ax_fail(ctx, AX_LIMIT, "no memory for keys");
    port->map = true;
    port->keys = keys;
    port->key_count = value->key_count;
    return AX_OK;
}

/* Fills an output's port from what two trials gave: lengths that differ are open. */
static ax_status
settle_output(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_value *fewer,
              const struct ax_onnx_value *more, const struct ax_onnx_file_value *said,
              struct ax_engine_port *port)
{
    const struct ax_tensor *a = &fewer->tensor, *b = &more->tensor;
    if (said->kind != AX_ONNX_KIND_NONE && port->type != a->type)
        return ax_fail(ctx, AX_INVALID, "output `%.*s` is said to be %s and comes out as %s",
                       AX_FMT(port->name), ax_tensor_type_name(port->type),
                       ax_tensor_type_name(a->type));
    if (port->map != (fewer->keys != NULL) && said->kind != AX_ONNX_KIND_NONE)
        return ax_fail(ctx, AX_INVALID, "output `%.*s` is said to be a %s and is none",
                       AX_FMT(port->name), port->map ? "sequence of maps" : "tensor");
    port->type = a->type;
    if (a->dim_count == b->dim_count) {
        port->dim_count = a->dim_count;
        for (size_t i = 0; i < a->dim_count; i++)
            port->shape[i] = a->shape[i] == b->shape[i] ? a->shape[i] : -1;
    }
    return fewer->keys ? keep_keys(ctx, arena, fewer, port) : AX_OK;
}

static ax_status
try_and_settle(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_file *file,
               struct ax_onnx_engine *engine, struct ax_engine_port *outputs)
{
    size_t count = engine->program.graph.output_count;
    const struct ax_onnx_value **fewer =
        AX_NEW_ARRAY(ctx->arena, const struct ax_onnx_value *, count + 1);
    const struct ax_onnx_value **more =
        AX_NEW_ARRAY(ctx->arena, const struct ax_onnx_value *, count + 1);
    if (!fewer || !more)
        return ax_fail(ctx, AX_LIMIT, "no memory for a trial");
    ax_fault_benign_begin(); /* a graph too large to be tried is run all the same */
    ax_status status = try_rows(ctx, engine, ROWS_TRIED, fewer);
    if (status == AX_OK)
        status = try_rows(ctx, engine, ROWS_TRIED + 1, more);
    ax_fault_benign_end();
    if (status == AX_LIMIT || (status != AX_OK && !is_certain(engine))) {
        ctx->error[0] = '\0'; /* too large to try, or tried with a width that nobody gave */
        return AX_OK;
    }
    if (status != AX_OK)
        return ax_explain(ctx, status, "tried on made-up rows");
    for (size_t i = 0; i < count; i++)
        if (fewer[i] && more[i])
            AX_TRY(settle_output(ctx, arena, fewer[i], more[i], &file->graph.outputs.items[i],
                                 &outputs[i]));
    return AX_OK;
}

static ax_status
describe_outputs(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_file *file,
                 struct ax_onnx_engine *engine)
{
    size_t count = engine->program.graph.output_count;
    struct ax_engine_port *ports = AX_NEW_ARRAY(arena, struct ax_engine_port, count + 1);
    ax_auto(ax_arena_free) struct ax_arena *trial = ax_arena_new(TRIAL_BYTES_MAX);
    if (!ports || !trial)
        return ax_fail(ctx, AX_LIMIT, "no memory for the outputs");
    for (size_t i = 0; i < count; i++)
        AX_TRY(describe_output(ctx, arena, &file->graph.outputs.items[i], &ports[i]));
    struct ax_arena *outer = ctx->arena;
    ctx->arena = trial;
    ax_status status = try_and_settle(ctx, arena, file, engine, ports);
    ctx->arena = outer;
    engine->ports.outputs = ports;
    engine->ports.output_count = count;
    return status;
}

/* ---- the engine ---- */

static size_t
onnx_scratch_bytes(const struct ax_engine *base, unsigned outputs,
                   const struct ax_engine_background *background)
{
    const struct ax_onnx_engine *engine = of_engine(base);
    if (engine->table && background && outputs & AX_ENGINE_CONTRIBUTIONS)
        return ax_onnx_explain_scratch_bytes(engine, background);
    return engine->table ? ax_onnx_table_scratch_bytes(engine) : 0;
}

static ax_status
onnx_score(const struct ax_engine *base, struct ax_ctx *ctx, const struct ax_engine_call *call,
           void *scratch, const struct ax_engine_answer *answer)
{
    const struct ax_onnx_engine *engine = of_engine(base);
    if (!engine->table)
        return ax_fail(ctx, AX_UNSUPPORTED, "this graph is no function of a table's rows");
    if (call->outputs & (AX_ENGINE_RESPONSE | AX_ENGINE_MARGIN))
        AX_TRY(ax_onnx_table_score(engine, ctx, call, scratch, answer));
    return call->outputs & AX_ENGINE_CONTRIBUTIONS
               ? ax_onnx_explain_score(engine, ctx, call, scratch, answer->contributions)
               : AX_OK;
}

static ax_status
onnx_background_open(const struct ax_engine *base, struct ax_ctx *ctx,
                     const struct ax_engine_rows *rows, struct ax_arena *arena,
                     struct ax_engine_background **out_background)
{
    return ax_onnx_explain_background(of_engine(base), ctx, rows, arena, out_background);
}

static ax_status
onnx_thresholds(const struct ax_engine *, struct ax_ctx *, size_t, const double **out_thresholds,
                size_t *out_count)
{
    *out_thresholds = NULL;
    *out_count = 0;
    return AX_OK;
}

static const struct ax_engine_ops ops = {
    .name = "onnx",
    .scratch_bytes = onnx_scratch_bytes,
    .score = onnx_score,
    .background_open = onnx_background_open,
    .thresholds = onnx_thresholds,
    .prepare = ax_engine_prepare_nothing,
    .prepared = ax_engine_prepared_always,
    .made_bytes = ax_engine_made_nothing,
    .mapped_bytes = ax_engine_made_nothing,
    .run = onnx_run,
};

static ax_status
sign(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_file *file,
     struct ax_onnx_engine *engine)
{
    struct ax_engine_signature *signature = &engine->engine.signature;
    signature->format = AX_STR("onnx");
    signature->kind = AX_STR("graph");
    signature->booster = signature->objective = AX_STR("");
    signature->node_count = engine->program.node_count;
    signature->input = signature->output = AX_ENGINE_F32;
    signature->version =
        ax_str_printf(arena, "%.*s%s%.*s", AX_FMT(file->producer),
                      file->producer_version.len ? " " : "", AX_FMT(file->producer_version));
    return signature->version.at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a version");
}

static ax_status
read_graph(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_file *file,
           const struct ax_onnx_level *level, struct ax_engine **out_engine)
{
    struct ax_onnx_engine *engine = AX_NEW(arena, struct ax_onnx_engine);
    if (!engine)
        return ax_fail(ctx, AX_LIMIT, "no memory for an engine");
    engine->engine.ops = &ops;
    engine->engine.arena = arena;
    AX_TRY(ax_onnx_graph_build(ctx, arena, file, level, &engine->program));
    AX_TRY(describe_inputs(ctx, arena, engine));
    AX_TRY(ax_onnx_fuse(ctx, arena, &engine->program));
    AX_TRY(describe_outputs(ctx, arena, file, engine));
    AX_TRY(sign(ctx, arena, file, engine));
    engine->engine.graph = &engine->ports;
    AX_TRY(ax_onnx_table_prepare(ctx, arena, engine));
    *out_engine = &engine->engine;
    return AX_OK;
}

ax_status
ax_onnx_read(struct ax_ctx *ctx, struct ax_arena *arena, ax_str bytes, enum ax_engine_level level,
             struct ax_engine **out_engine)
{
    struct ax_onnx_file file;
    ax_status status = ax_onnx_file_read(ctx, bytes, &file);
    if (status == AX_OK)
        status = read_graph(ctx, arena, &file, ax_onnx_level_pick(level), out_engine);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "ONNX model");
}
