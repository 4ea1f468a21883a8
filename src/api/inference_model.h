/*
 * How a model looks to a protocol of tensors, whatever its wire form.
 *
 * Of a table: numeric features of one type are one tensor `input-0` [-1, F]; a model with
 * categories in words has one tensor a column. The per-column form, in any order, is always taken.
 * Outputs: `predict`; by name also `margin`, `contributions`, `leaf` and `reasons`. A graph keeps
 * its own inputs and outputs. REST and gRPC share this.
 */
#pragma once

#include "codec/tensor_json.h"
#include "serving/plan.h"

enum { AX_INFERENCE_OUTPUTS_MAX = 8, AX_INFERENCE_ROWS_MAX = 1 << 24 };

enum ax_inference_output {
    AX_INFERENCE_PREDICT,
    AX_INFERENCE_MARGIN,
    AX_INFERENCE_CONTRIBUTIONS,
    AX_INFERENCE_LEAF,
    AX_INFERENCE_REASONS,
    AX_INFERENCE_OUTCOME, /* from here on only of decisions: inference_decide.h */
    AX_INFERENCE_SCORE,
    AX_INFERENCE_DECISION_ID,
};

/* A request understood: what to score and what to give. */
struct ax_inference {
    const struct ax_loaded_model *model;
    const struct ax_plan_deployment *deployment; /* of reasons; NULL when none is asked for */
    struct ax_engine_rows rows;
    size_t row_count;
    enum ax_inference_output outputs[AX_INFERENCE_OUTPUTS_MAX];
    size_t output_count;

    /* Of a graph instead of rows and outputs: its inputs in its order, and what is wanted. */
    const struct ax_tensor *graph_inputs; /* NULL: scored as a table */
    const size_t *graph_outputs;          /* output_count indices of the graph's outputs */
};

ax_str ax_inference_output_name(enum ax_inference_output output);

/* The tensors that a model takes and, unless others are named, gives. In ctx->arena. */
ax_status ax_inference_ports(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                             struct ax_engine_graph *out_ports);

/* Whether rows of one call are the first dimension: every tensor leaves that open. */
bool ax_inference_batched(const struct ax_engine_graph *ports);

/* The model's metadata as the protocol has it: name, versions, platform, inputs, outputs. */
ax_status ax_inference_show(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                            const struct ax_plan *plan, struct ax_json_writer *out);

/*
 * Inputs to rows, names to outputs. Rows point into the request's tensors or ctx->arena.
 * Fails: INVALID in the protocol's words.
 */
ax_status ax_inference_prepare(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                               const struct ax_plan *plan,
                               const struct ax_tensor_json_request *request,
                               struct ax_inference *out_inference);

/* Doubles of an output as the type the model computed in; for FP32 the narrowing loses nothing. */
ax_status ax_inference_narrow(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                              struct ax_tensor *tensor);

/* Whether it asks for Shapley values, which cost a hundred times a score. */
bool ax_inference_explains(const struct ax_inference *inference);

/*
 * Whether it may block, as engines of others do, or is the first of its kind, for which the model
 * makes what is missing.
 */
bool ax_inference_blocks(const struct ax_inference *inference);

/*
 * Scores. scratch: model->scratch_bytes. out_tensors: in the order asked for, in ctx->arena.
 * Fails: as the engine; INVALID when there is no reason map for it.
 */
ax_status ax_inference_run(struct ax_ctx *ctx, const struct ax_inference *inference, void *scratch,
                           const struct ax_tensor **out_tensors, size_t *out_count);
