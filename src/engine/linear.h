/*
 * Reads Axiom's own model files: scorecards and linear models (docs/model-formats.md).
 *
 * The reader is strict: members it does not know, numbers that are not finite, categories that
 * stand nowhere or twice are refused with the term's name. Evaluation is linear_engine's.
 */
#pragma once

#include "codec/json.h"

struct ax_engine;

/*
 * root: the document, its numbers as text or not. arena: taken by the engine on success.
 * Fails: INVALID with the place, UNSUPPORTED for another format or version, LIMIT.
 */
ax_status ax_linear_read(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_json *root,
                         struct ax_engine **out_engine);
