/*
 * Made-up forests, and slow answers from definitions to compare explanations with.
 *
 * The oracles know trees and the definition of Shapley values, and none of the kernels' algebra:
 * the polynomial of each leaf multiplied out and integrated in __float128, and the value of every
 * subset of features by a walk of the tree.
 */
#pragma once

#include "engine/forest.h"

struct forest_case {
    size_t tree_count, feature_count, output_count;
    uint32_t depth;     /* of the trees; above 8 they are one long path with short twigs */
    double share;       /* of the cover that goes left; below 0: random */
    double zero_cover;  /* chance of a child without cover */
    double categorical; /* chance of a categorical split, codes 0 to 39 */
    bool vectors;       /* leaves hold a value for each output */
    uint64_t seed;
};

/* The forest, in ctx->arena; the rows are feature_count doubles each, some missing. */
struct ax_forest *forest_case_make(struct ax_ctx *ctx, const struct forest_case *forest_case);
double *forest_case_rows(struct ax_ctx *ctx, const struct forest_case *forest_case, size_t count);

/*
 * Contributions of a row, as ax_shap_row gives them; references: NULL for path-dependent ones,
 * else count rows. By leaves in __float128, any number of features.
 */
void forest_case_oracle(struct ax_ctx *ctx, const struct ax_forest *forest, const double *row,
                        const double *references, size_t count, double *out);

/* The same by all subsets of features, at most 12. */
void forest_case_enumerate(const struct ax_forest *forest, const double *row,
                           const double *references, size_t count, double *out);

/* Largest difference, relative to the largest number of want, at least 1e-3. */
double forest_case_difference(const double *got, const double *want, size_t count);
