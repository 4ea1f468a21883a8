/*
 * An ONNX graph made ready to run: names became slots, nodes stand in the order of running.
 *
 * Building it checks what can be checked without values: each name is made once and before it is
 * used, operators are known, their inputs are as many and their attributes of the type that they
 * take. What depends on constants alone is computed here, once.
 */
#pragma once

#include "engine/onnx_ops.h"

struct ax_onnx_program {
    struct ax_onnx_graph graph;
    size_t slot_count;
    const struct ax_onnx_value **constants;   /* by slot; NULL: computed by each run */
    const struct ax_onnx_file_value **inputs; /* as the file describes them; none is a constant */
    size_t node_count;                        /* of the file, bodies included */
    size_t inputs_max;                        /* most inputs of one node */
    size_t outputs_max;
    const struct ax_onnx_level *level;
};

/*
 * Builds a program in `arena` (kept); ctx->arena holds what is needed meanwhile. level: of the
 * loops that it runs with, and that constants are computed with.
 *
 * Fails: INVALID with the node or name; UNSUPPORTED for an operator that Axiom does not run, with
 * its name; LIMIT.
 */
ax_status ax_onnx_graph_build(struct ax_ctx *ctx, struct ax_arena *arena,
                              const struct ax_onnx_file *file, const struct ax_onnx_level *level,
                              struct ax_onnx_program *out_program);
