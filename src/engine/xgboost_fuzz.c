/* Bytes that are taken for a model: whatever opens scores odd rows, in every output. */
#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "engine/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_BYTES_MAX = 64 << 20, FUZZ_CELLS_MAX = 1 << 16, ODD_ROWS = 3 };

static void
score_odd_rows(const struct ax_engine *engine, struct ax_ctx *ctx)
{
    static const double odd[ODD_ROWS] = {0, -1e30, (double)NAN};
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    size_t columns = signature->feature_count;
    size_t block = signature->margin_count * (columns + 1);
    double *cells = AX_NEW_ARRAY(ctx->arena, double, ODD_ROWS *columns);
    struct ax_engine_answer answer = {
        .response = AX_NEW_ARRAY(ctx->arena, double, ODD_ROWS * signature->response_count),
        .margin = AX_NEW_ARRAY(ctx->arena, double, ODD_ROWS * signature->margin_count),
        .contributions = AX_NEW_ARRAY(ctx->arena, double, ODD_ROWS *block),
        .interactions = AX_NEW_ARRAY(ctx->arena, double, ODD_ROWS *block *(columns + 1)),
        .leaf = AX_NEW_ARRAY(ctx->arena, int32_t, ODD_ROWS * signature->tree_count),
        .points = AX_NEW_ARRAY(ctx->arena, double, ODD_ROWS)};
    struct ax_engine_call call = {
        .rows = {.at = cells, .count = ODD_ROWS, .type = AX_ENGINE_F64},
        .outputs = signature->outputs,
    };
    void *scratch =
        ax_arena_alloc(ctx->arena, 1, ax_engine_scratch_bytes(engine, call.outputs, NULL));
    AX_ASSERT(cells && scratch && answer.contributions && answer.interactions && answer.leaf &&
              answer.points);
    for (size_t i = 0; i < ODD_ROWS * columns; i++)
        cells[i] = odd[i / columns];
    ax_ignore(ax_engine_score(engine, ctx, &call, scratch, &answer), "a value may be refused");
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
    size_t side = signature->feature_count + 1; /* of a row's matrix of interactions */
    if (side * side * signature->margin_count < FUZZ_CELLS_MAX)
        score_odd_rows(engine, &ctx);
    ax_engine_close(engine);
    return 0;
}
