/*
 * Exact path-dependent Shapley values of a forest, by quadrature in float64.
 *
 * For a leaf the weight of feature i is an integral over [0, 1] of a polynomial, the product of
 * z_j(t) = r_j + t (o_j - r_j) over the other features of its path (r: share of the training cover
 * that goes the leaf's way at the splits on j; o: 1 when the row does). Its degree is below the
 * number k of features on the path, so ceil(k / 2) Gauss-Legendre points give it exactly. All
 * factors are in [0, 1] and positive: nothing cancels, deep trees are as exact as shallow ones.
 *
 * Cost: inner nodes x points, no table that grows with the depth.
 * Source: Wettenstein, Mitchell, Yu, arXiv 2605.04497, in float64; Lundberg et al., 2018.
 * It is the plain kernel: what faster ones are compared with.
 */
#pragma once

#include "engine/forest.h"

enum {
    AX_SHAP_DEPTH_MAX = 4096,   /* splits on one path: scratch holds one vector a level */
    AX_SHAP_FEATURES_MAX = 512, /* distinct features on one path: twice the points */
};

/* Quadrature points of the sizes that a forest's trees need. */
struct ax_shap_points {
    const double **points; /* by ceil(k / 2): padded t, then padded w; NULL when not needed */
    size_t count_max;
};

/* Points with their padding. */
size_t ax_shap_padded(size_t count);

/* Whether a forest is within the limits above. */
bool ax_shap_fits(const struct ax_forest *forest);

/* arena: where the points go. forest: fits. Fails: LIMIT. */
ax_status ax_shap_prepare(const struct ax_forest *forest, struct ax_ctx *ctx,
                          struct ax_arena *arena, struct ax_shap_points *out_points);

size_t ax_shap_scratch_bytes(const struct ax_forest *forest);

/*
 * Contributions of one row.
 *
 * forest: has covers. row: feature_count doubles, NaN for missing. out: output_count blocks of
 * feature_count + 1, the expectation under cover last; they add up to the margin.
 */
void ax_shap_row(const struct ax_forest *forest, const struct ax_shap_points *points,
                 const double *row, void *scratch, double *out);

/* Adds what one tree gives to its features; the bias is left as it is. */
void ax_shap_add_tree(const struct ax_forest *forest, const struct ax_shap_points *points,
                      size_t tree, const double *row, void *scratch, double *out);

/* Gauss-Legendre points t and weights w on [0, 1], exact up to degree 2 count - 1. */
void ax_shap_gauss(size_t count, double *out_t, double *out_w);
