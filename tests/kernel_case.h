/*
 * Made-up forests with every kind of split, and rows on the boundaries of all of them: what the
 * kernels must agree with the walk on, bit for bit.
 */
#pragma once

#include "engine/forest.h"
#include "engine/forest_kernel.h"

struct kernel_case {
    size_t tree_count, feature_count, output_count;
    size_t leaves_max;    /* of a tree; at least 1 */
    uint32_t depth_max;   /* of a tree */
    size_t threshold_max; /* distinct ones of a feature, about */
    double sets;          /* chance of a split that is no threshold */
    bool vectors;         /* leaves hold a value for each output */
    bool f32;             /* sums and leaves are floats */
    uint64_t seed;
};

/* Any of them, by its seed. */
struct kernel_case kernel_case_of(uint64_t seed);

struct ax_forest *kernel_case_make(struct ax_ctx *ctx, const struct kernel_case *about);

/*
 * Rows of doubles: thresholds, what lies next to them in doubles and floats, zeros, denormals,
 * 1e-35, codes, the ends of floats and doubles, NaN. f32: rounded to floats, as floats.
 */
void *kernel_case_rows(struct ax_ctx *ctx, const struct ax_forest *forest, uint64_t seed,
                       size_t count, bool f32);

/* The walk's margins of such rows, dense, in the order of addition that they say. */
double *kernel_case_margins(struct ax_ctx *ctx, const struct ax_forest *forest,
                            const struct ax_forest_rows *rows);

/* Scratch memory aligned to 64 bytes, with rubbish in it. */
void *kernel_case_scratch(struct ax_ctx *ctx, size_t bytes);
