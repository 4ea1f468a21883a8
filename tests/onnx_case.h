/*
 * ONNX for tests: protobuf messages written by hand, golden cases with inputs of any type, and
 * tensors compared as the node tests' own runner does.
 */
#pragma once

#include "base/ctx.h"
#include "base/writer.h"
#include "codec/json.h"
#include "engine/engine.h"

/* Fields of a message, appended to it. */
void onnx_put_int(struct ax_writer *out, unsigned field, uint64_t value);
void onnx_put_bytes(struct ax_writer *out, unsigned field, ax_str bytes);
void onnx_put_text(struct ax_writer *out, unsigned field, const char *text);
void onnx_put_float(struct ax_writer *out, unsigned field, float value);
void onnx_put_message(struct ax_writer *out, unsigned field, const struct ax_writer *message);

/* A ValueInfoProto of a tensor; -1: an open dimension. */
void onnx_put_value(struct ax_writer *graph, unsigned field, const char *name, int element,
                    const int64_t *dims, size_t dim_count);

/* The model around a graph: IR version 8, ai.onnx 18, ai.onnx.ml 3. In ctx->arena. */
ax_str onnx_model(struct ax_ctx *ctx, const struct ax_writer *graph);

/* A serialised TensorProto as a tensor in ctx->arena; fails the test when it is none. */
struct ax_tensor onnx_tensor(struct ax_ctx *ctx, ax_str proto);

/* Equal types, shapes and elements; floats up to rtol and atol, NaN equal. Says where not. */
bool onnx_tensors_agree(const struct ax_tensor *got, const struct ax_tensor *wanted, double rtol,
                        double atol, char *out_why, size_t why_bytes);

/* Inputs of a golden case's rows [from, from + count), as its meta.json and its graph say. */
const struct ax_tensor *onnx_case_inputs(struct ax_ctx *ctx, const struct ax_engine *engine,
                                         ax_str csv, const struct ax_json *meta, size_t from,
                                         size_t count);

/* Runs the graph with all outputs; fails the test when it cannot. */
const struct ax_tensor *onnx_run(struct ax_ctx *ctx, const struct ax_engine *engine,
                                 const struct ax_tensor *inputs);
