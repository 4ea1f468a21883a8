/*
 * Exact Shapley values at scoring speed: which kernel explains which tree, and the call.
 *
 * Every tree of a model gets one form when the model (or a reference population) is prepared:
 *   tables   pattern tables (shap_table.h), while all trees' tables fit in a budget
 *   nodes    work per inner node (shap_node.h), of path-dependent values beyond that
 *   plain    the plain kernels (shap.h, shap_background.h), for trees beyond the others' limits
 * The form depends on the model, the game and the budgets alone, never on the processor or on how
 * many rows a call has; and each form adds in one order whatever runs it. So a row's contributions
 * are the same bits in a batch, alone, and on another machine: they are tables + nodes, and then
 * the plain trees in turn.
 *
 * A call allocates nothing and keeps nothing: it works in the caller's scratch. What nodes need for
 * eight rows at a time is made apart, when there is a call of so many; without it rows are
 * explained one by one.
 */
#pragma once

#include "engine/shap.h"
#include "engine/shap_background.h"
#include "engine/shap_level.h"
#include "sys/once.h"

struct ax_shap_kernel_config {
    enum ax_engine_level level;
    struct ax_shap_population population;  /* rows NULL: path-dependent; borrowed */
    size_t table_bytes_max;                /* 0: 8 MB, of a population 64 MB; 1: no tables */
    size_t node_bytes_max;                 /* 0: 64 MB; 1: no nodes */
    size_t bytes_max;                      /* both of them together; 0: no further limit */
    const struct ax_forms_of_model *forms; /* where tables are kept; NULL: nowhere */
};

struct ax_shap_kernel {
    const struct ax_forest *forest;
    const struct ax_shap_level *level;
    struct ax_shap_decide decide;
    struct ax_shap_table table;
    struct ax_shap_nodes nodes;
    struct ax_once *node_rows; /* their tables for eight rows; NULL: there are no nodes */
    const uint32_t *plain;     /* trees */
    size_t plain_count;
    struct ax_shap_points points;         /* of plain trees and of interactions; by cover */
    struct ax_shap_background background; /* of a population */
    const double *bias;                   /* of each output */
    bool interventional;
};

/*
 * Prepares a model, or a reference population of it.
 *
 * forest: kept; within the limits of shap.h, and with covers unless there is a population.
 * arena: where it goes; working memory is its own. Fails: LIMIT.
 */
ax_status ax_shap_kernel_prepare(const struct ax_forest *forest, struct ax_ctx *ctx,
                                 const struct ax_shap_kernel_config *config, struct ax_arena *arena,
                                 struct ax_shap_kernel *out_kernel);

/*
 * The most scratch that a kernel of the forest by cover and with the default budgets can need,
 * whatever forms its trees get: known before it is prepared. Fails: LIMIT.
 */
ax_status ax_shap_kernel_scratch_max(const struct ax_forest *forest, struct ax_ctx *ctx,
                                     size_t *out_bytes);

/* Whether a call of so many rows finds all that makes it fast; making it. Fails: LIMIT. */
bool ax_shap_kernel_rows_ready(const struct ax_shap_kernel *kernel, size_t rows);
ax_status ax_shap_kernel_ready_rows(const struct ax_shap_kernel *kernel, struct ax_ctx *ctx,
                                    size_t rows);

/* Of what was made since it was prepared. */
size_t ax_shap_kernel_made_bytes(const struct ax_shap_kernel *kernel);

size_t ax_shap_kernel_scratch_bytes(const struct ax_shap_kernel *kernel);

/*
 * Contributions of rows.
 *
 * rows: at most AX_SHAP_BLOCK of feature_count doubles, NaN for missing. scratch: of any content.
 * out: row by row, as ax_shap_row gives them.
 */
void ax_shap_kernel_rows(const struct ax_shap_kernel *kernel, const double *rows, size_t count,
                         void *scratch, double *out);
