/*
 * Exact interventional Shapley values of a forest: a row compared with a reference population.
 *
 * For one reference r a leaf counts where some features take the row's value and the others r's:
 * with a features of which only the row passes all splits and b of which only r does, its value
 * weighs (a-1)! b! / (a+b)! for the former and minus a! (b-1)! / (a+b)! for the latter. Row and
 * references walk the tree together, the references as a set of bits: they part only where they
 * decide differently, so a node is met once for all references that came there the same way.
 *
 * Where each reference goes at each node is worked out when the population is prepared.
 * Cost: at most nodes x references a row and tree, far less where references agree.
 */
#pragma once

#include "engine/forest.h"

struct ax_shap_population {
    const double *rows; /* feature_count each, NaN for missing */
    size_t count;
};

struct ax_shap_background {
    size_t count;           /* references */
    size_t words;           /* of a set of them */
    const uint64_t **lefts; /* by tree wanted: for each node the set that goes left */
    const double *mean;     /* mean margin of the references, of each output */
    const double *weights;  /* (a-1)! b! / (a+b)! for a + b up to AX_SHAP_WEIGHTS_MAX */
};

enum { AX_SHAP_WEIGHTS_MAX = 64 };

/*
 * Prepares a population.
 *
 * forest: kept, within the limits of shap.h. population: at least one row; borrowed. trees: which
 * trees will be walked, one a tree; NULL: all. arena: where it goes. Fails: LIMIT.
 */
ax_status ax_shap_background_prepare(const struct ax_forest *forest, struct ax_ctx *ctx,
                                     struct ax_arena *arena,
                                     const struct ax_shap_population *population, const bool *trees,
                                     struct ax_shap_background *out_background);

size_t ax_shap_background_scratch_bytes(const struct ax_forest *forest,
                                        const struct ax_shap_background *background);

/* As ax_shap_row; the bias is the references' mean margin. */
void ax_shap_background_row(const struct ax_forest *forest,
                            const struct ax_shap_background *background, const double *row,
                            void *scratch, double *out);

/* Adds what one of the trees wanted gives to its features, times the number of references. */
void ax_shap_background_add_tree(const struct ax_forest *forest,
                                 const struct ax_shap_background *background, size_t tree,
                                 const double *row, void *scratch, double *out);
