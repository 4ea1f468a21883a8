/* Bytes that are taken for an ONNX graph: what opens is run, on tensors and on rows of a table. */
#include <math.h>

#include "base/assert.h"
#include "engine/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_BYTES_MAX = 64 << 20, FUZZ_CELLS_MAX = 1 << 14, ODD_ROWS = 3 };

static void
run_graph(const struct ax_engine *engine, struct ax_ctx *ctx)
{
    const struct ax_engine_graph *graph = ax_engine_graph(engine);
    struct ax_tensor *inputs = AX_NEW_ARRAY(ctx->arena, struct ax_tensor, graph->input_count + 1);
    struct ax_tensor *outputs = AX_NEW_ARRAY(ctx->arena, struct ax_tensor, graph->output_count + 1);
    bool *wanted = AX_NEW_ARRAY(ctx->arena, bool, graph->output_count + 1);
    AX_ASSERT(inputs && outputs && wanted);
    memset(wanted, true, graph->output_count);
    for (size_t i = 0; i < graph->input_count; i++) {
        const struct ax_engine_port *port = &graph->inputs[i];
        inputs[i] = (struct ax_tensor){.type = port->type, .dim_count = port->dim_count};
        for (size_t d = 0; d < port->dim_count; d++)
            inputs[i].shape[d] = port->shape[d] < 0 ? ODD_ROWS : port->shape[d];
        if (!ax_tensor_count(port->type, inputs[i].shape, port->dim_count, &inputs[i].count) ||
            inputs[i].count > FUZZ_CELLS_MAX)
            return;
        inputs[i].data =
            ax_arena_alloc(ctx->arena, ax_tensor_element_bytes(port->type), inputs[i].count + 1);
        AX_ASSERT(inputs[i].data);
    }
    ax_ignore(ax_engine_run(engine, ctx, inputs, wanted, outputs), "a value may be refused");
}

/* Two of the rows against all that are numbers. */
static void
explain_rows(const struct ax_engine *engine, struct ax_ctx *ctx, const struct ax_engine_rows *rows)
{
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    struct ax_engine_rows people = *rows;
    struct ax_engine_background *background = NULL;
    people.count = ODD_ROWS - 1;
    if (ax_engine_background_open(engine, ctx, &people, &background) != AX_OK)
        return;
    struct ax_engine_call call = {
        .rows = *rows, .outputs = AX_ENGINE_CONTRIBUTIONS, .background = background};
    struct ax_engine_answer answer = {
        .contributions =
            AX_NEW_ARRAY(ctx->arena, double,
                         ODD_ROWS * signature->margin_count * (signature->feature_count + 1))};
    void *scratch =
        ax_arena_alloc(ctx->arena, 1, ax_engine_scratch_bytes(engine, call.outputs, background));
    if (answer.contributions && scratch)
        ax_ignore(ax_engine_score(engine, ctx, &call, scratch, &answer), "a value may be refused");
    ax_engine_background_close(background);
}

static void
score_rows(const struct ax_engine *engine, struct ax_ctx *ctx)
{
    static const double odd[ODD_ROWS] = {0, -1e30, (double)NAN};
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    size_t columns = signature->feature_count;
    double *cells = AX_NEW_ARRAY(ctx->arena, double, ODD_ROWS *columns);
    struct ax_engine_answer answer = {
        .response = AX_NEW_ARRAY(ctx->arena, double, ODD_ROWS * signature->response_count)};
    struct ax_engine_call call = {.rows = {.at = cells, .count = ODD_ROWS, .type = AX_ENGINE_F64},
                                  .outputs = AX_ENGINE_RESPONSE};
    void *scratch =
        ax_arena_alloc(ctx->arena, 1, ax_engine_scratch_bytes(engine, call.outputs, NULL));
    AX_ASSERT(cells && answer.response && scratch);
    for (size_t i = 0; i < ODD_ROWS * columns; i++)
        cells[i] = odd[i / columns];
    ax_ignore(ax_engine_score(engine, ctx, &call, scratch, &answer), "a value may be refused");
    if (signature->background)
        explain_rows(engine, ctx, &call.rows);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ax_engine_config config = {.memory_bytes_max = FUZZ_BYTES_MAX};
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(FUZZ_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_engine *engine = NULL;
    ax_status status = ax_engine_open(&ctx, (ax_str){(const char *)data, size}, &config, &engine);
    if (status != AX_OK) {
        AX_ASSERT(ctx.error[0] != '\0');
        return 0;
    }
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    if (ax_engine_graph(engine) && !signature->blocking)
        run_graph(engine, &ctx);
    if (ax_engine_graph(engine) && signature->outputs & AX_ENGINE_RESPONSE && !signature->blocking)
        score_rows(engine, &ctx);
    ax_engine_close(engine);
    return 0;
}
