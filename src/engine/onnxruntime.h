/*
 * The graphs that Axiom does not run itself, run by ONNX Runtime: LSTM, Conv, Loop, text ...
 *
 * Its library is looked for when such a model is opened, and nothing of it is linked. A model is
 * one session with one thread; a call blocks, so it belongs on a worker (signature->blocking). The
 * engine is a graph: it has no tabular call.
 */
#pragma once

#include "engine/engine_ops.h"

/*
 * Opens the model that the bytes hold. arena: kept, the engine's own.
 *
 * Fails: UNSUPPORTED when the library is not there, with how to get it, or has no such operator;
 * INVALID when it says so of the model.
 */
ax_status ax_onnxruntime_open(struct ax_ctx *ctx, struct ax_arena *arena, ax_str bytes,
                              struct ax_engine **out_engine);
