/*
 * The trees of a CatBoost model: oblivious ones by level, others nested, into a forest.
 *
 * A split is true when `x > border` in float32, or when the category is the split's own; true is
 * the right child there. An oblivious tree becomes a full one whose root asks the last split, so
 * that its leaves stand in CatBoost's order and its paths are those of CatBoost's own Shapley
 * values. Leaves keep CatBoost's numbers.
 */
#pragma once

#include "base/map.h"
#include "codec/json.h"
#include "engine/forest_engine.h"

/* A float or categorical feature of the file, by its index among those of its kind. */
struct ax_catboost_column {
    size_t feature; /* its place in a row */
    bool known;     /* the file has a feature of this index */
    bool nan_right; /* NaN is above every border; else below */
};

struct ax_catboost_columns {
    struct ax_catboost_column *items;
    size_t count;
};

/* What the file says around its trees. */
struct ax_catboost_model {
    const struct ax_json *root;
    struct ax_catboost_columns floats, categories;
    const struct ax_map
        *words; /* hash of a category, 4 bytes, to its word among `word_first` ... */
    const ax_str *word_first;
    size_t output_count;
    double scale;
};

/*
 * Builds the forest of an engine whose signature has its features.
 *
 * engine->forest: base, output_count and feature_count are set. Fails: INVALID with tree and place,
 * UNSUPPORTED for a split of another kind, LIMIT.
 */
ax_status ax_catboost_tree_read(struct ax_ctx *ctx, struct ax_arena *arena,
                                const struct ax_catboost_model *model,
                                struct ax_forest_engine *engine);
