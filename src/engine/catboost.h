/*
 * Reads CatBoost's JSON models (`save_model(..., format="json")`).
 *
 * What stands around the trees (features, words of categories, loss, scale and bias) is read here;
 * trees, oblivious or not, go to catboost_tree. Splits on numbers and one-hot splits on categories
 * are read. Statistics of the target for a category (CTRs), texts and embeddings are refused: they
 * need tables that are not trees.
 *
 * A categorical feature's codes are places in the file's own table of words, `cat_features_hash`,
 * which CatBoost writes when save_model is given the pool.
 * Source: catboost/libs/model of CatBoost 1.2.
 */
#pragma once

#include "codec/json.h"

struct ax_engine;

/*
 * root: the document's root object. arena: taken by the engine on success.
 * Fails: INVALID with the place, UNSUPPORTED for a model with CTRs, texts or embeddings, LIMIT.
 */
ax_status ax_catboost_read(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_json *root,
                           struct ax_engine **out_engine);

/* What becomes of a loss's raw values. */
enum ax_catboost_transform {
    AX_CATBOOST_IDENTITY,
    AX_CATBOOST_EXP,
    AX_CATBOOST_SIGMOID, /* of each value; one value: the probability of the second class */
    AX_CATBOOST_SOFTMAX,
    AX_CATBOOST_VARIANCE, /* a mean as it is, and exp(2 x): the variance about it */
};

/* known: false when the loss is not CatBoost's; it answers with the raw values. */
enum ax_catboost_transform ax_catboost_transform_find(ax_str loss, bool *out_known);

/* Response of one row, a number for each margin. transform: enum ax_catboost_transform. */
void ax_catboost_respond(int transform, const double *margin, size_t margin_count, double *out);
