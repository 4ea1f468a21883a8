/*
 * A forest over one row at a time: the form for single rows and a handful.
 *
 * First every value becomes the rank that the nodes ask for (forest_compile.h), a byte in a lane;
 * sets of ranks get a lane each, of 0 or 1. Then one of these ways leads to the leaves:
 *   K2d, match   trees of up to 32 leaves: all nodes of two trees are decided by one comparison,
 *                and the leaf is the one whose path agrees with the decisions, 16 leaves at a
 *                time. No branch and no address depends on the row but the leaf's value.
 *   K2b, heap    trees of up to 8 levels, filled up to full ones: a comparison decides one place of
 *                64 trees; then bit l of all trees' leaf numbers, 512 trees at a time, is chosen
 *                among the decisions of level l by the bits before it.
 *   K3g, gather  trees of any shape are walked 64 abreast, in four registers, until all have come
 *                to a leaf: the nodes are gathered, the ranks are in registers.
 *   K3           trees are walked eight abreast without branches, a step of all eight being
 *                "child + (rank > the node's)"; any shape, any machine.
 *   K2, masks    trees of up to 64 leaves; only where it is allowed: see forest_masks.h.
 * Leaf values are added in the order of the file, or in runs of it (forest.h).
 *
 * The compiled form is one block of memory without pointers, aligned to 64 bytes.
 */
#pragma once

#include "engine/forest_compile.h"
#include "engine/forest_kernel.h"

enum {
    AX_FOREST_ROW_ALIGN = 64,
    AX_FOREST_ROW_ABREAST = 8,
    AX_FOREST_ROW_HEAP_DEPTH = 8,    /* of trees that K2b can do */
    AX_FOREST_ROW_PATHS = 32,        /* leaves of a tree that K2d can do */
    AX_FOREST_ROW_MATCH_LANES = 256, /* more than these only K3 can do */
    AX_FOREST_ROW_AVX2_LANES = 64,   /* of them, more than AVX2 can do */
    AX_FOREST_ROW_SMALL = 16,        /* cuts that one comparison of floats tells apart */
    AX_FOREST_ROW_WALKED = 64,       /* trees that K3g walks together */
    AX_FOREST_ROW_STRIP = 512,       /* trees whose leaves K2b finds together */
};

enum ax_forest_row_kind {
    AX_FOREST_ROW_MATCH,
    AX_FOREST_ROW_HEAP,
    AX_FOREST_ROW_GATHER,
    AX_FOREST_ROW_INTERLEAVE,
    AX_FOREST_ROW_MASKS,
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
    uint32_t masks_at; /* of rank 0, of K2 */
};

/*
 * 64 nodes: a node's decision is that the rank in its lane is greater than its own. K2d: of two
 * trees, the second's from 32 on. K2b: the same place of 64 trees.
 */
struct ax_forest_row_word {
    uint8_t lane[64], rank[64];
};

/* A leaf is reached when (decisions & mask) == value. */
struct ax_forest_row_paths {
    uint32_t mask[AX_FOREST_ROW_PATHS], value[AX_FOREST_ROW_PATHS];
};

struct ax_forest_row_tree {
    uint32_t leaf;   /* its first leaf */
    uint32_t output; /* of no account where leaves are vectors */
};

/* A node of K3; the children are neighbours. A leaf is its own child and has rank 255. */
struct ax_forest_row_node {
    uint16_t lane;
    uint8_t rank;
    uint32_t child;
};

/* A node of K3g: lane, rank and the place of the left child in the tree, 8, 8 and 16 bits. */
typedef uint32_t ax_forest_row_packed;

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
    uint32_t words_at;                      /* of K2d and K2b */
    uint32_t paths_at;                      /* of K2d */
    uint32_t depth, numbers_at;             /* of K2b */
    uint32_t packed_at;                     /* of K3g */
    uint32_t masks_at, mask_each;           /* of K2: bytes of a mask */
    uint32_t mask_rank;                     /* bytes of a rank's masks */
    uint32_t nodes_at, places_at, steps_at; /* of K3 */
    uint32_t leaves_at, starts_at;          /* of both: leaf of each node, root of each tree */
    uint32_t group_count;
    uint32_t scratch_bytes; /* of a call */
};

/* A row on its way, in scratch. */
struct ax_forest_row_work {
    uint8_t *lanes;
    float *floats;
    uint64_t *decisions;            /* [place][8 groups of 64 trees] */
    uint8_t *codes;                 /* of a strip's trees */
    uint32_t *leaves;               /* of each tree: its place among all leaves */
    uint32_t *masks;                /* of each column: where its rank's masks lie */
    struct ax_forest_row_run *runs; /* of each output, where there is more than one */
};

/* A run of leaves that is not complete. */
struct ax_forest_row_run {
    double sum;
    uint32_t count;
};

/* One level's way to score rows: margins, output_count doubles a row. */
typedef void (*ax_forest_row_score)(const struct ax_forest_row *form,
                                    const struct ax_forest_rows *rows, void *scratch,
                                    double *out_margin);

void ax_forest_row_portable(const struct ax_forest_row *form, const struct ax_forest_rows *rows,
                            void *scratch, double *out_margin);
void ax_forest_row_avx2(const struct ax_forest_row *form, const struct ax_forest_rows *rows,
                        void *scratch, double *out_margin);
void ax_forest_row_avx512(const struct ax_forest_row *form, const struct ax_forest_rows *rows,
                          void *scratch, double *out_margin);

static inline const void *
ax_forest_row_at(const struct ax_forest_row *form, uint32_t at)
{
    return (const char *)form + at;
}

/* Whether a form of that kind can be made for a level that has so many lanes. */
bool ax_forest_row_fits(const struct ax_forest_plan *plan, enum ax_forest_row_kind kind,
                        size_t lanes_max);

/*
 * Lays a plan out, in `arena`. ctx->arena: working memory. Fails: LIMIT. *out_form is NULL when
 * the form would be larger than bytes_max.
 */
ax_status ax_forest_row_build(struct ax_ctx *ctx, const struct ax_forest_plan *plan,
                              enum ax_forest_row_kind kind, struct ax_arena *arena,
                              size_t bytes_max, const struct ax_forest_row **out_form);

/* ---- for the levels ---- */

struct ax_forest_row_work ax_forest_row_begin(const struct ax_forest_row *form, void *scratch);

/* Looks at the ranks of doubles again, that may be too low because some are no floats. */
void ax_forest_row_correct(const struct ax_forest_row *form, const char *row, uint8_t *lanes);

/* Ranks of the values that are NaN; floats: the row's, or its doubles rounded. */
void ax_forest_row_missing(const struct ax_forest_row *form, const char *floats, uint8_t *lanes);

/* The sets' lanes, once the ranks are there. */
void ax_forest_row_sets(const struct ax_forest_row *form, uint8_t *lanes);

/* K3 from the lanes on. */
void ax_forest_row_interleave(const struct ax_forest_row *form,
                              const struct ax_forest_row_work *work);

/* Adds the leaves of all trees, of a form of more than one output. */
void ax_forest_row_sum_many(const struct ax_forest_row *form, const struct ax_forest_row_work *work,
                            bool fast, double *out_margin);
