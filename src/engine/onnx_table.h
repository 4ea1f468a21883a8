/*
 * An ONNX graph seen as a function of a table's rows: what `axiom score` and decisions call.
 *
 * It is one when every open length is the number of rows and the inputs are columns: one tensor
 * [rows, features], or one [rows, 1] each, numbers or words. The words of a text column are those
 * that the graph itself compares it with; any other word is as unknown to the graph as the next.
 * The response is the last output of floats: the predicted values, or the probability of the
 * second of two classes, or of each of more.
 *
 * A graph has no margin of its own. It is the response itself, or, where that is a probability of
 * two classes, its log-odds, as other engines have it: held within 2^-24 of 0 and 1, the rounding
 * of a float32 at 1, because forests do answer 0 and 1.
 */
#pragma once

#include "engine/onnx.h"

/* Sets engine->table and the signature when the graph is a table's function; else a note. */
ax_status ax_onnx_table_prepare(struct ax_ctx *ctx, struct ax_arena *arena,
                                struct ax_onnx_engine *engine);

struct ax_onnx_explain;

/* NULL: the response is no sum that is explained. */
const struct ax_onnx_explain *ax_onnx_table_explain(const struct ax_onnx_engine *engine);

/* Most rows that are run at once. */
size_t ax_onnx_table_block_rows(const struct ax_onnx_engine *engine);

/* Some of a caller's rows. */
struct ax_onnx_table_part {
    const struct ax_engine_rows *rows;
    size_t from, count; /* no more than block_rows */
};

/*
 * Runs a part of the table's program, one with a single output, over rows.
 *
 * scratch: ax_onnx_table_scratch_bytes, which the value lies in.
 */
ax_status ax_onnx_table_run(const struct ax_onnx_engine *engine, struct ax_ctx *ctx,
                            const struct ax_onnx_program *program,
                            const struct ax_onnx_table_part *part, void *scratch,
                            const struct ax_onnx_value **out_value);

size_t ax_onnx_table_scratch_bytes(const struct ax_onnx_engine *engine);

/* As ax_engine_score; rows are run in blocks, in the scratch memory. */
ax_status ax_onnx_table_score(const struct ax_onnx_engine *engine, struct ax_ctx *ctx,
                              const struct ax_engine_call *call, void *scratch,
                              const struct ax_engine_answer *answer);
