/*
 * Segments as the verifier reads them: heads, frames, batches, all checksums.
 *
 * Layout: stream/segment_frame.h says the same from the writer's side. A batch is only handed on
 * when its trailer is whole; what stands behind the last whole one is torn, and may not be when
 * it lies below what was signed.
 */
#pragma once

#include "base/ctx.h"

struct ax_verify_record {
    ax_str leaf;
    ax_str payload; /* sealed; "" for none */
    bool erased;
};

struct ax_verify_visitor {
    ax_status (*record)(void *arg, struct ax_ctx *ctx, uint64_t index,
                        const struct ax_verify_record *record);
    ax_status (*batch)(void *arg, struct ax_ctx *ctx, const uint8_t mark[32]);
    void *arg;
};

/*
 * Reads folder/log from its first segment to its last. signed_size: leaves that must be there.
 * Fails: CORRUPT names the segment and the byte; as the visitor.
 */
ax_status ax_verify_segments(struct ax_ctx *ctx, ax_str folder, uint64_t signed_size,
                             const struct ax_verify_visitor *visitor, uint64_t *out_torn_bytes);
