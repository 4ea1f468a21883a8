/*
 * ONNX graphs run by Axiom itself: what scikit-learn converters and small networks are made of.
 *
 * The file is read by onnx_file, made ready by onnx_graph and run by onnx_run with the operators of
 * onnx_ops_*; sums are taken in the order of the file, so the same rows give the same bits however
 * they are cut into calls. Before an engine is given out the graph is tried on made-up rows.
 *
 * A graph whose inputs are the columns of a table also answers ax_engine_score (onnx_table.h).
 *
 * Source: the ONNX standard (onnx/docs/Operators.md, Operators-ml.md); where it leaves something
 * open, what ONNX Runtime does. Not here: LSTM, GRU, Conv, Loop and others, see onnxruntime.h.
 */
#pragma once

#include "engine/engine_ops.h"
#include "engine/onnx_graph.h"

struct ax_onnx_engine {
    struct ax_engine engine;
    struct ax_onnx_program program;
    struct ax_engine_graph ports;
    const bool *any_shape;       /* of each input: the file does not even say its rank */
    struct ax_onnx_table *table; /* NULL: no table's function */
};

/*
 * Reads a model. arena: kept, the engine's own; ctx->arena: working memory. level: of its loops, or
 * what the machine has below it.
 *
 * Fails: INVALID with the place; UNSUPPORTED for operators and types that are left to ONNX Runtime,
 * with their names; LIMIT.
 */
ax_status ax_onnx_read(struct ax_ctx *ctx, struct ax_arena *arena, ax_str bytes,
                       enum ax_engine_level level, struct ax_engine **out_engine);

/*
 * Runs the graph over inputs that are checked.
 *
 * inputs: one an input of the program. out_values: one an output, NULL where a trial could not
 * compute it.
 */
ax_status ax_onnx_run(const struct ax_onnx_program *program, struct ax_onnx_run *run,
                      const struct ax_onnx_value *inputs, const struct ax_onnx_value **out_values);

/* Input `index` of the program made up: rows where a length is open, zeros and empty texts. */
ax_status ax_onnx_make_up(struct ax_ctx *ctx, const struct ax_engine_port *port, int64_t rows,
                          struct ax_onnx_value *out);
