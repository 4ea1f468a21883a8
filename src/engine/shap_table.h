/*
 * Shapley values by tables of decision patterns: for one row, and against any population.
 *
 * Idea. What a leaf gives to its features depends on the row only through one bit a feature of its
 * path: all the path's splits on it satisfied, or not. So the contributions of every pattern are
 * worked out when the model is loaded, whatever the game: shares of cover, or a reference
 * population, where C[b] counts the references with pattern b and
 *     phi_j[o] = sum_b C[b] (o_j - b_j) int prod_{i != j} (b_i + t (o_i - b_i)) dt
 * is, at each Gauss-Legendre point, a tensor product of 2 x 2 matrices over the bits: k 2^k steps
 * a feature instead of 4^k. A call never sees the population.
 *
 * A unit is a leaf, or a subtree of at most 3 inner nodes whose leaves are summed already. Its
 * index has a bit for each feature of the path to it and one for each node of its own; its entry
 * is 8 (or 16) doubles, one a feature. Units run in tree order with a running sum; what the next
 * unit does not share is written out, so a tree of n inner nodes leaves about n numbers, and a
 * last pass adds them up feature by feature from a sorted list.
 *
 * The order of additions is fixed by the table: 8 lanes, units in order, the list in four sums.
 *
 * Cost of a row: units x (12 instructions and one or two cache lines) + inner nodes x 3.
 * Memory: units x 2^bits x 64 (or 128) bytes, 8 KB a unit at depth 6. Build: k^2 2^k m a leaf,
 * which is why entries may be kept on disk (forms.h). Source: design/kernels/shap (b1, i); the
 * matrices as in WOODELF (AAAI 2026) without its limit to one population at a time.
 */
#pragma once

#include "engine/forms.h"
#include "engine/shap_background.h"
#include "engine/shap_shape.h"

enum {
    AX_SHAP_TABLE_FEATURES_MAX = 14, /* on a path, and so bits of an index */
    AX_SHAP_TABLE_LANES = 8,
    AX_SHAP_TABLE_LANES_MAX = 16,
};

struct ax_shap_unit {
    uint64_t want;  /* index bit i is 1 when (word ^ want) & mask[i] is 0 */
    uint32_t byte;  /* of the chunk's word */
    uint32_t table; /* its first double in `values` */
    uint16_t used;  /* a bit for each index bit there is */
    uint8_t keep;   /* leading lanes that the next unit shares */
};

struct ax_shap_table {
    size_t unit_count;
    size_t narrow_count; /* units of 8 lanes come first */
    size_t narrow_half;  /* a tree begins here: two chains of sums side by side */
    const struct ax_shap_unit *units;
    const uint64_t *masks; /* 8 a unit of 8 lanes, then 16 a unit; aligned to 64 bytes */
    const double *values;  /* aligned to 64 bytes */
    size_t value_count;
    size_t mapped_bytes;  /* of `values`, where they lie in a file; else 0 */
    const uint32_t *list; /* places in the numbers written out, output by output and by feature */
    const uint32_t *list_end;
    size_t column_count; /* outputs x features */
};

/* Bytes that a tree's entries take up, all outputs together; SIZE_MAX when it has no tables. */
size_t ax_shap_table_measure(const struct ax_forest *forest, const struct ax_shap_shape *shape);

/*
 * Tables of the trees wanted.
 *
 * shapes: with slots placed by ax_shap_decide_build. wanted: one a tree; those have tables.
 * Fails: LIMIT.
 */
struct ax_shap_table_source {
    const struct ax_forest *forest;
    const struct ax_shap_shape *shapes;
    const bool *wanted;
    struct ax_shap_population population;  /* rows NULL: the shares of cover */
    const struct ax_forms_of_model *forms; /* where entries are kept; NULL: nowhere */
};
ax_status ax_shap_table_build(const struct ax_shap_table_source *source, struct ax_ctx *ctx,
                              struct ax_arena *arena, struct ax_shap_table *out_table);

/* Doubles that a row writes out. */
static inline size_t
ax_shap_table_spill_count(const struct ax_shap_table *table)
{
    return (table->unit_count * 2 - table->narrow_count) * AX_SHAP_TABLE_LANES;
}
