/*
 * The "data" of one tensor: JSON leaves, nested or flat, straight into elements.
 *
 * Any nesting is accepted whose leaves are as many as the shape says, as Triton does. Not the
 * object around it: that is tensor_json.c's.
 */
#pragma once

#include "codec/json_scan.h"
#include "numeric/tensor.h"

/*
 * Sets tensor->count from its type and shape.
 *
 * Fails: INVALID when the elements would not fit in any memory.
 */
ax_status ax_tensor_json_count(struct ax_ctx *ctx, struct ax_tensor *tensor);

/*
 * Takes the array at the cursor into tensor->data (in ctx->arena); type and shape are set.
 *
 * Fails: INVALID for a leaf that the type does not have, or when the leaves are not as many as the
 * shape says; LIMIT past the arena's budget.
 */
ax_status ax_tensor_json_data(struct ax_json_scan *scan, struct ax_tensor *tensor);
