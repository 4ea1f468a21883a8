/*
 * The Open Inference Protocol's infer body: JSON text straight into tensors, and back.
 *
 * One pass, no tree: numbers go from the text into the tensor, correctly rounded. The text is held
 * to json.h's strictness, unknown members included (checked, then passed over); bare NaN, Infinity
 * and -Infinity are accepted as elements of FP32 and FP64 data alone. Memory comes from ctx->arena
 * and only after the text has shown that it can hold what the shape promises. Not the meaning:
 * whether the model has such an input is for api/inference_rest.
 *
 * Source: open-inference-protocol.md sections 2 and 3, network.md section 4.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "base/writer.h"
#include "codec/json.h"
#include "numeric/tensor.h"

enum ax_tensor_json_kind {
    AX_TENSOR_JSON_BOOL,
    AX_TENSOR_JSON_I64,
    AX_TENSOR_JSON_U64, /* whole numbers above INT64_MAX only */
    AX_TENSOR_JSON_F64,
    AX_TENSOR_JSON_TEXT,
};

/* A named extra of a request, an input or an output: a string, a number or a boolean. */
struct ax_tensor_json_parameter {
    ax_str name;
    enum ax_tensor_json_kind kind; /* says which of the next is set */
    bool truth;
    int64_t i64;
    uint64_t u64;
    double f64;
    ax_str text;
};

struct ax_tensor_json_parameters {
    const struct ax_tensor_json_parameter *items;
    size_t count;
};

struct ax_tensor_json_input {
    struct ax_tensor tensor; /* data: NULL when is_binary */
    struct ax_tensor_json_parameters parameters;
    bool is_binary;        /* it has binary_data_size and no "data": bytes follow the JSON */
    uint64_t binary_bytes; /* the value of binary_data_size */
};

/* What the caller wants to see. */
struct ax_tensor_json_output {
    ax_str name;
    struct ax_tensor_json_parameters parameters;
    bool has_binary; /* binary_data was given: binary says what */
    bool binary;
    uint64_t classification; /* top classes wanted; 0 when not asked for */
};

struct ax_tensor_json_request {
    ax_str id; /* "" when absent */
    bool has_id;
    struct ax_tensor_json_parameters parameters;
    const struct ax_tensor_json_input *inputs;
    size_t input_count;
    const struct ax_tensor_json_output *outputs; /* as asked for; 0: all of the model's */
    size_t output_count;
    bool binary_output; /* the request's own binary_data_output */
};

struct ax_tensor_json_limits {
    size_t inputs_max;     /* 0: 4'096 */
    size_t outputs_max;    /* 0: 4'096 */
    size_t parameters_max; /* of one object; 0: 256 */
};

/*
 * text: kept: names and BYTES elements without escapes are slices of it. limits: NULL for the
 * defaults.
 * Fails: INVALID with the byte offset or the input's name, in Triton's words where it has some;
 * LIMIT when a limit or the arena's budget is passed; out_request is untouched then.
 */
ax_status ax_tensor_json_parse(struct ax_ctx *ctx, ax_str text,
                               const struct ax_tensor_json_limits *limits,
                               struct ax_tensor_json_request *out_request);

/* A parameter by name, or NULL. */
const struct ax_tensor_json_parameter *
ax_tensor_json_find(const struct ax_tensor_json_parameters *parameters, const char *name);

/* One element alone; FP16 and BF16 as the floats they stand for. */
void ax_tensor_json_print_element(const struct ax_tensor *tensor, size_t index,
                                  struct ax_json_writer *json);

struct ax_tensor_json_response {
    ax_str model_name;
    ax_str model_version; /* left out when "" */
    ax_str id;
    bool has_id; /* as the request had it */
    struct ax_tensor_json_parameters parameters;
    const struct ax_tensor *outputs;
    size_t output_count;
    const bool *binary; /* an output each: its elements follow the JSON; NULL: none do */
};

/*
 * {"name":..,"datatype":..,"shape":[..],"data":[..]}: flat, floats in their shortest form, NaN and
 * infinities bare. BYTES that are not UTF-8 come out with U+FFFD.
 *
 * Fails: UNSUPPORTED for FP16 and BF16 in Triton's words; LIMIT when the writer is full.
 */
ax_status ax_tensor_json_print_tensor(struct ax_ctx *ctx, const struct ax_tensor *tensor,
                                      struct ax_writer *out);

/*
 * A whole infer answer. Of a binary output only binary_data_size is printed: its elements are
 * written afterwards (tensor_binary.h). Fails: as print_tensor.
 */
ax_status ax_tensor_json_print(struct ax_ctx *ctx, const struct ax_tensor_json_response *response,
                               struct ax_writer *out);
