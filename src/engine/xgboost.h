/*
 * Reads XGBoost model files, versions 1.0 to 3.4, JSON and UBJSON alike.
 *
 * What stands around the boosters (version, base score, objective, feature names and categories)
 * is read here; trees go to xgboost_tree, linear boosters to xgboost_linear. The file is untrusted:
 * counts are compared with what is there, every index with its range, and a refusal names the
 * place.
 *
 * Evaluated as the library's Booster.predict on a DMatrix does, with every tree of the file: early
 * stopping is the scikit-learn wrapper's business and noted only.
 * Source: specifications in XGBoost's doc/tutorials/saving_model and src/, tags 1.0 to 3.4.
 */
#pragma once

#include "engine/document.h"

struct ax_engine;

/*
 * root: the document's root object. arena: taken by the engine on success. format: what to call it.
 * Fails: INVALID with the place, UNSUPPORTED, LIMIT.
 */
ax_status ax_xgboost_read(struct ax_ctx *ctx, struct ax_arena *arena, ax_document root,
                          ax_str format, struct ax_engine **out_engine);
