/*
 * What the files of the Open Inference Protocol over REST share: finding the model a path names,
 * and its form of refusal.
 */
#pragma once

#include "api/route.h"

/*
 * The model that the path's first word names, and its second when it names a version.
 * Fails: NOT_FOUND in Triton's words.
 */
ax_status ax_inference_find_model(struct ax_call *call, struct ax_ctx *ctx, struct ax_lane *lane,
                                  struct ax_loaded_model **out_model);

/* {"error": words} */
void ax_inference_refuse(struct ax_call *call, int http_status, ax_str words, ax_str code);
