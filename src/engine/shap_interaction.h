/*
 * Exact path-dependent interaction values of a forest: how much of a contribution two features
 * make together.
 *
 * For a leaf and two features i, j of its path
 *     phi_ij = value / 2 (o_i - r_i) (o_j - r_j) int prod_{l != i, j} (r_l + t (o_l - r_l)) dt
 * with o and r as in shap.h; the integrand is a polynomial, so the same quadrature points are
 * exact. With y_l = (o_l - r_l) / z_l at each point, a leaf is the outer product of y with itself,
 * weighted by the product of all factors: no two features are ever taken out of a product one by
 * one. A leaf whose product is zero gives nothing to any pair. The diagonal is what remains of the
 * feature's contribution, so a row of the matrix adds up to it.
 *
 * Cost: leaves x points x features on the path squared. It is the plain kernel.
 * Source: Lundberg et al., 2018 (SHAP interaction values); Wettenstein, Mitchell, Yu, arXiv
 * 2605.04497.
 */
#pragma once

#include "engine/shap.h"

size_t ax_shap_interaction_scratch_bytes(const struct ax_forest *forest);

/*
 * Interactions of one row.
 *
 * forest: has covers. contributions: of the row, as ax_shap_row gives them. out: output_count
 * matrices of (feature_count + 1) squared, the bias in the last corner; symmetric.
 */
void ax_shap_interaction_row(const struct ax_forest *forest, const struct ax_shap_points *points,
                             const double *row, const double *contributions, void *scratch,
                             double *out);
