/*
 * What all fast kernels start from: a forest whose nodes ask for ranks instead of values.
 *
 * A row matters to a forest only through the answers of its nodes, and a node's answer changes at
 * a few values of one feature. So the cuts of a feature are collected and sorted once, a value
 * becomes its rank (how many cuts lie below it: one byte), and a node becomes a predicate on a
 * rank: "rank > k" for a threshold, "rank is in this set" for categories and other splits.
 * That is exact: no value is compared with anything but the file's own thresholds. Equal
 * predicates have one number, however many nodes ask them.
 *
 * A feature whose nodes send missing values different ways, or that has more than 255 cuts, gets
 * several columns: each has one rank for NaN, and every rank fits a byte.
 */
#pragma once

#include "engine/forest.h"

enum {
    AX_FOREST_CUTS_MAX = 255,     /* of a column of thresholds: ranks 0 to 255 */
    AX_FOREST_SET_CUTS_MAX = 254, /* of a column of sets, where one more rank is NaN's */
};

struct ax_forest_column {
    uint32_t feature;
    uint32_t cut_first, cut_count; /* in `cuts`, ascending: rank(x) = how many are < x */
    uint32_t predicate_first, predicate_count;
    uint32_t set_first; /* of columns of sets: the set of the first predicate */
    uint8_t missing;    /* rank of NaN */
    bool is_sets;       /* else predicate number k is "rank > k" */
};

/* The ranks that go right; bit r % 64 of word r / 64. */
struct ax_forest_set {
    uint64_t ranks[4];
};

struct ax_forest_plan {
    const struct ax_forest *forest;
    bool fits; /* false: a split that ranks of one byte do not tell; only the walk does it */
    struct ax_forest_column *columns;
    uint32_t column_count;
    double *cuts;
    uint32_t cut_count;
    struct ax_forest_set *sets;
    uint32_t set_count;
    uint32_t predicate_count;
    uint32_t *predicate_column; /* of each predicate */
    uint32_t *node_first;       /* of each tree: its root's place in the following */
    uint32_t *node_predicate;   /* of each inner node */
    uint32_t leaves_max;        /* of a tree */
    bool vectors;               /* every tree adds to all outputs */
};

/*
 * Whether kernels may stand in for the walk at all: what a forest's splits and leaves are like is
 * known to them. A forest with any other feature is walked.
 */
bool ax_forest_compile_covers(const struct ax_forest *forest);

/* out_plan: in ctx->arena; of no use when it does not fit. Fails: LIMIT. */
ax_status ax_forest_compile(struct ax_ctx *ctx, const struct ax_forest *forest,
                            struct ax_forest_plan *out_plan);

/* The rank of a value, as every kernel must find it. */
uint8_t ax_forest_plan_rank(const struct ax_forest_plan *plan,
                            const struct ax_forest_column *column, double x);

/*
 * The largest float that is not above. For every float f and cut: cut < f says the same as
 * ax_forest_float_below(cut) < f.
 */
float ax_forest_float_below(double x);

/*
 * Whether doubles whose last 29 bits are zero, and which so look like floats, may be on another
 * side of one of these cuts than when rounded down: where floats are coarser than that, or end.
 */
bool ax_forest_cuts_beyond_floats(const double *cuts, size_t count);

static inline bool
ax_forest_set_has(const struct ax_forest_set *set, uint32_t rank)
{
    return set->ranks[rank / 64] >> rank % 64 & 1;
}
