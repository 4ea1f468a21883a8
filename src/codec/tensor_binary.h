/*
 * The binary tensor data extension of the Open Inference Protocol: elements as bytes behind the
 * JSON.
 *
 * Tensors stand back to back in the order of the JSON, only those that said binary_data_size:
 * little-endian, row-major, no padding; a BOOL is one byte 0 or 1, an element of BYTES a length
 * in 32 bits and so many bytes. Nothing is copied that lies as the machine wants it.
 *
 * Source: open-inference-protocol.md section 2.2; Triton's extension_binary_data.md.
 */
#pragma once

#include "codec/tensor_json.h"

/*
 * Gives every binary input of the request its elements.
 *
 * bytes: all that follows the JSON, kept. model: for the words of a refusal. request: its inputs
 * are replaced; the elements are slices of bytes or in ctx->arena.
 * Fails: INVALID in Triton's words when bytes are short, left over or not of the shape's size.
 */
ax_status ax_tensor_binary_attach(struct ax_ctx *ctx, ax_str model, ax_str bytes,
                                  struct ax_tensor_json_request *request);

/*
 * The elements of one tensor (name, type, shape and count are set) from exactly these bytes.
 * Fails: as ax_tensor_binary_attach.
 */
ax_status ax_tensor_binary_read(struct ax_ctx *ctx, ax_str model, ax_str bytes,
                                struct ax_tensor *tensor);

/* Bytes that the tensor takes on the wire; SIZE_MAX when a BYTES element is 4 GiB or more. */
size_t ax_tensor_binary_bytes(const struct ax_tensor *tensor);

/* Writes them. The writer's status says whether there was room. */
void ax_tensor_binary_write(const struct ax_tensor *tensor, struct ax_writer *out);
