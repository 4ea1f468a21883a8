/*
 * A forest over one row at a time: the form for single rows and a handful.
 *
 * First every value becomes the rank that the nodes ask for (forest_compile.h), a byte in a lane;
 * sets of ranks get a lane each, of 0 or 1. Then one of three ways leads to the leaves:
 *   K2d, match   trees of up to 32 leaves: all nodes of two trees are decided by one comparison,
 *                and the leaf is the one whose path agrees with the decisions, 16 leaves at a
 *                time. No branch and no address depends on the row but the leaf's value.
 *   knots        larger trees are cut into knots, connected pieces of up to 7 nodes in a cache
 *                line: a knot is decided and its exit matched as above, and leads to another knot
 *                or a leaf. Three levels and more of a tree for one dependent load.
 *   K3           trees are walked eight abreast without branches, a step of all eight being
 *                "child + (rank > the node's)"; any shape, any machine.
 * Leaf values are added in the order of the file.
 *
 * The compiled form is one block of memory without pointers, aligned to 64 bytes.
 */
#pragma once

#include "engine/forest_compile.h"
#include "engine/forest_kernel.h"

enum {
    AX_FOREST_ROW_ALIGN = 64,
    AX_FOREST_ROW_ABREAST = 8,
    AX_FOREST_ROW_EXITS = 8,         /* of a knot */
    AX_FOREST_ROW_PATHS = 32,        /* leaves of a tree that K2d can do */
    AX_FOREST_ROW_MATCH_LANES = 256, /* more than these only K3 can do */
    AX_FOREST_ROW_SMALL = 16,        /* cuts that one comparison of floats tells apart */
    AX_FOREST_ROW_LEAF = 1 << 15,    /* in a knot's `next`: the rest is the number of a leaf */
};

enum ax_forest_row_kind {
    AX_FOREST_ROW_MATCH,
    AX_FOREST_ROW_KNOTS,
    AX_FOREST_ROW_INTERLEAVE,
};

struct ax_forest_row_column {
    uint32_t feature;
    uint32_t lane;
    uint32_t missing; /* rank of NaN */
    uint32_t cut_count;
    uint32_t cuts_at;  /* doubles */
    uint32_t table_at; /* floats, rounded down: up to 16 cuts; else 16 pivots, then the cuts */
    uint32_t set_first, set_count; /* sets that take the rank from `lane` to lanes of their own */
    uint32_t set_lane;
};

/* Of two trees: a node's decision is that the rank in its lane is greater than its own. */
struct ax_forest_row_pair {
    uint8_t lane[64], rank[64]; /* the second tree's from 32 on */
};

/* A leaf is reached when (decisions & mask) == value. */
struct ax_forest_row_paths {
    uint32_t mask[AX_FOREST_ROW_PATHS], value[AX_FOREST_ROW_PATHS];
};

/* Exits that are none never agree. */
struct ax_forest_row_knot {
    uint8_t lane[AX_FOREST_ROW_EXITS], mask[AX_FOREST_ROW_EXITS];
    uint8_t rank[AX_FOREST_ROW_EXITS], value[AX_FOREST_ROW_EXITS];
    uint16_t next[AX_FOREST_ROW_EXITS]; /* knot of the same tree, or a leaf */
    uint32_t unused[4];
};

struct ax_forest_row_tree {
    uint32_t knot;   /* its root's */
    uint32_t stages; /* knots on the longest path */
    uint32_t leaf;   /* its first leaf */
    uint32_t output; /* of no account where leaves are vectors */
};

/* A node of K3; the children are neighbours. A leaf is its own child and has rank 255. */
struct ax_forest_row_node {
    uint16_t lane;
    uint8_t rank;
    uint32_t child;
};

/* The head of the form; places are from its start. */
struct ax_forest_row {
    uint32_t bytes; /* with this */
    uint32_t kind;  /* enum ax_forest_row_kind */
    uint32_t feature_count, output_count, tree_count;
    uint32_t column_count, small_count; /* the first ones have no more than 16 cuts */
    uint32_t match_lanes;               /* that nodes read */
    uint32_t lane_count;                /* with those that only sets read */
    uint32_t f32, vectors;
    uint32_t set_count;
    uint32_t correct; /* 1: doubles with few bits, too, may not be floats */
    uint32_t columns_at, cuts_at, tables_at, sets_at, base_at, trees_at, values_at;
    uint32_t pairs_at, paths_at; /* of K2d */
    uint32_t knots_at;
    uint32_t nodes_at, leaves_at, starts_at, places_at, steps_at; /* of K3 */
    uint32_t group_count;
    uint32_t scratch_bytes; /* of a call */
};

/* A row on its way, in scratch. */
struct ax_forest_row_work {
    uint8_t *lanes;
    float *floats;
    uint32_t *leaves; /* of each tree: its place among all leaves */
};

/* One level's way to score rows: margins, output_count doubles a row. */
typedef void (*ax_forest_row_score)(const struct ax_forest_row *form,
                                    const struct ax_forest_rows *rows, void *scratch,
                                    double *out_margin);

void ax_forest_row_portable(const struct ax_forest_row *form, const struct ax_forest_rows *rows,
                            void *scratch, double *out_margin);
void ax_forest_row_avx512(const struct ax_forest_row *form, const struct ax_forest_rows *rows,
                          void *scratch, double *out_margin);

static inline const void *
ax_forest_row_at(const struct ax_forest_row *form, uint32_t at)
{
    return (const char *)form + at;
}

/* Whether a form of that kind can be made at all. */
bool ax_forest_row_fits(const struct ax_forest_plan *plan, enum ax_forest_row_kind kind);

/*
 * Lays a plan out, in `arena`. ctx->arena: working memory. Fails: LIMIT. *out_form is NULL when
 * the form would be larger than bytes_max.
 */
ax_status ax_forest_row_build(struct ax_ctx *ctx, const struct ax_forest_plan *plan,
                              enum ax_forest_row_kind kind, struct ax_arena *arena,
                              size_t bytes_max, const struct ax_forest_row **out_form);

/* ---- for the levels ---- */

struct ax_forest_row_work ax_forest_row_begin(const struct ax_forest_row *form, void *scratch);

/* The sets' lanes, once the ranks are there. */
void ax_forest_row_sets(const struct ax_forest_row *form, uint8_t *lanes);

/* K3 from the lanes on. */
void ax_forest_row_interleave(const struct ax_forest_row *form,
                              const struct ax_forest_row_work *work);

/* Adds the leaves of all trees in order. */
void ax_forest_row_sum(const struct ax_forest_row *form, const uint32_t *leaves,
                       double *out_margin);
