/*
 * How a tabular model looks to a protocol of tensors, whatever its wire form.
 *
 * Numeric features of one type are one tensor `input-0` [-1, F]; a model with categories in words
 * has one tensor a column. The per-column form, in any order, is always taken. Outputs: `predict`;
 * by name also `margin`, `contributions`, `leaf` and `reasons`. REST and gRPC share this.
 */
#pragma once

#include "codec/tensor_json.h"
#include "serving/plan.h"

enum { AX_INFERENCE_OUTPUTS_MAX = 5 };

enum ax_inference_output {
    AX_INFERENCE_PREDICT,
    AX_INFERENCE_MARGIN,
    AX_INFERENCE_CONTRIBUTIONS,
    AX_INFERENCE_LEAF,
    AX_INFERENCE_REASONS,
};

/* A request understood: what to score and what to give. */
struct ax_inference {
    const struct ax_loaded_model *model;
    const struct ax_plan_deployment *deployment; /* of reasons; NULL when none is asked for */
    struct ax_engine_rows rows;
    size_t row_count;
    enum ax_inference_output outputs[AX_INFERENCE_OUTPUTS_MAX];
    size_t output_count;
};

/* The model's metadata as the protocol has it: name, versions, platform, inputs, outputs. */
void ax_inference_show(const struct ax_loaded_model *model, const struct ax_plan *plan,
                       struct ax_json_writer *out);

/*
 * Inputs to rows, names to outputs. Rows point into the request's tensors or ctx->arena.
 * Fails: INVALID in the protocol's words.
 */
ax_status ax_inference_prepare(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                               const struct ax_plan *plan,
                               const struct ax_tensor_json_request *request,
                               struct ax_inference *out_inference);

/* Whether it asks for Shapley values, which cost a hundred times a score. */
bool ax_inference_explains(const struct ax_inference *inference);

/*
 * Scores. scratch: model->scratch_bytes. out_tensors: in the order asked for, in ctx->arena.
 * Fails: as the engine; INVALID when there is no reason map for it.
 */
ax_status ax_inference_run(struct ax_ctx *ctx, const struct ax_inference *inference, void *scratch,
                           const struct ax_tensor **out_tensors, size_t *out_count);
