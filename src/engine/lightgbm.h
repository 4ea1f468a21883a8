/*
 * Reads LightGBM's text models, v2 to v4.
 *
 * What stands around the trees (header, objective, feature names and ranges, parameters, pandas'
 * categories) is read here; trees go to lightgbm_tree. The file is untrusted: counts are compared
 * with what is there, every index with its range, and a refusal names the place.
 *
 * Evaluated as the library's predict does with every tree of the file: save_model itself leaves
 * out those after the best iteration.
 * Source: src/io/tree.cpp and src/boosting/gbdt_model_text.cpp of LightGBM, 2.0 to 4.7.
 */
#pragma once

#include "base/ctx.h"

struct ax_engine;

/*
 * text: the whole file. arena: taken by the engine on success.
 * Fails: INVALID with the place, UNSUPPORTED for another version of the format, LIMIT.
 */
ax_status ax_lightgbm_read(struct ax_ctx *ctx, struct ax_arena *arena, ax_str text,
                           struct ax_engine **out_engine);
