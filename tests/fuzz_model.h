/*
 * What the fuzzers of model readers share: bytes that are taken for a model score odd rows, in
 * every output; bytes that are not are refused in a sentence.
 */
#pragma once

#include <math.h>

#include "base/assert.h"
#include "engine/engine.h"

enum { FUZZ_MODEL_BYTES_MAX = 64 << 20, FUZZ_MODEL_CELLS_MAX = 1 << 16, FUZZ_MODEL_ROWS = 5 };

static inline void
fuzz_model_score(const struct ax_engine *engine, struct ax_ctx *ctx)
{
    static const double odd[FUZZ_MODEL_ROWS] = {0, -1e30, (double)NAN, 3.9, (double)INFINITY};
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    size_t columns = signature->feature_count;
    size_t block = signature->margin_count * (columns + 1);
    double *cells = AX_NEW_ARRAY(ctx->arena, double, FUZZ_MODEL_ROWS *columns);
    struct ax_engine_answer answer = {
        .response = AX_NEW_ARRAY(ctx->arena, double, FUZZ_MODEL_ROWS * signature->response_count),
        .margin = AX_NEW_ARRAY(ctx->arena, double, FUZZ_MODEL_ROWS * signature->margin_count),
        .contributions = AX_NEW_ARRAY(ctx->arena, double, FUZZ_MODEL_ROWS *block),
        .interactions = AX_NEW_ARRAY(ctx->arena, double, FUZZ_MODEL_ROWS *block *(columns + 1)),
        .leaf = AX_NEW_ARRAY(ctx->arena, int32_t, FUZZ_MODEL_ROWS * signature->tree_count),
        .points = AX_NEW_ARRAY(ctx->arena, double, FUZZ_MODEL_ROWS)};
    struct ax_engine_call call = {
        .rows = {.at = cells, .count = FUZZ_MODEL_ROWS, .type = AX_ENGINE_F64},
        .outputs = signature->outputs,
    };
    void *scratch =
        ax_arena_alloc(ctx->arena, 1, ax_engine_scratch_bytes(engine, call.outputs, NULL));
    AX_ASSERT(cells && scratch && answer.contributions && answer.interactions && answer.leaf &&
              answer.points);
    for (size_t i = 0; i < FUZZ_MODEL_ROWS * columns; i++)
        cells[i] = odd[i / columns];
    ax_ignore(ax_engine_score(engine, ctx, &call, scratch, &answer), "a value may be refused");
}

/* One input of a fuzzer. */
static inline int
fuzz_model_one(const uint8_t *data, size_t size)
{
    static const struct ax_engine_config config = {.memory_bytes_max = FUZZ_MODEL_BYTES_MAX};
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(FUZZ_MODEL_BYTES_MAX);
    struct ax_ctx ctx = ax_ctx_of(arena);
    struct ax_engine *engine = NULL;
    ax_status status = ax_engine_open(&ctx, (ax_str){(const char *)data, size}, &config, &engine);
    if (status != AX_OK) {
        AX_ASSERT(ctx.error[0] != '\0');
        return 0;
    }
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    size_t side = signature->feature_count + 1; /* of a row's matrix of interactions */
    if (side * side * signature->margin_count < FUZZ_MODEL_CELLS_MAX)
        fuzz_model_score(engine, &ctx);
    ax_engine_close(engine);
    return 0;
}
