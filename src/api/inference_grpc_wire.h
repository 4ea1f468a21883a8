/*
 * ModelInferRequest and ModelInferResponse of the Open Inference Protocol, as bytes.
 *
 * A request becomes the same struct that the JSON form becomes; elements stay where they lie in
 * the message. Answers carry their elements as raw_output_contents alone, as every client reads.
 *
 * Source: open-inference-protocol.md section 4 (field numbers and rules).
 */
#pragma once

#include "codec/protobuf.h"
#include "codec/tensor_json.h"

struct ax_inference_message {
    ax_str model;
    ax_str version; /* "" for the newest */
    struct ax_tensor_json_request request;
};

/*
 * message: kept. out_message: in ctx->arena.
 * Fails: INVALID, in Triton's words where it has some; LIMIT.
 */
ax_status ax_inference_message_read(struct ax_ctx *ctx, ax_str message,
                                    struct ax_inference_message *out_message);

/* What an answer says besides its tensors. */
struct ax_inference_reply {
    ax_str model;
    ax_str version;
    ax_str id; /* left out when "" */
    const struct ax_tensor *outputs;
    size_t output_count;
};

/* The answer's bytes. The writer's status says whether there was room. */
void ax_inference_message_write(const struct ax_inference_reply *reply, struct ax_writer *out);
