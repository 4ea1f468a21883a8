/*
 * What the files of the Open Inference Protocol share: finding the model a path names, and the
 * words for one that is not there.
 */
#pragma once

#include "api/route.h"

/* Of the protocol's names of extensions, those that are here. */
extern const char *const ax_inference_extensions[];
extern const size_t ax_inference_extension_count;

/*
 * The model that the path's first word names, and its second when it names a version.
 * Fails: NOT_FOUND in Triton's words; INVALID where the setting says so.
 */
ax_status ax_inference_find_model(struct ax_call *call, struct ax_ctx *ctx, struct ax_lane *lane,
                                  struct ax_loaded_model **out_model);

/* {"models":[..]}: names of those served that the caller may read; KServe's first protocol too. */
ax_status ax_inference_list_models(struct ax_call *call, struct ax_ctx *ctx);

/* Says in Triton's words that there is no such model, or no such version of it (> 0). */
ax_status ax_inference_unknown(struct ax_ctx *ctx, ax_str model, int64_t version, bool any_version);

/* The same with Triton's code: a model that nobody has seen is INVALID. */
ax_status ax_inference_unknown_triton(struct ax_ctx *ctx, ax_str model, int64_t version,
                                      bool any_version);
