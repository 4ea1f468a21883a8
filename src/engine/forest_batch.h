/*
 * K1: a forest over a block of rows at a time, one bit per row.
 *
 * Four stages a block, none of which branches, gathers or indexes by what a row holds:
 *   predicates  values become ranks, ranks become bits, and all predicates of the forest are
 *               computed once, however many nodes ask them (forest_compile.h)
 *   programs    the trees' multiplexers over bitmaps, a block of rows per operation
 *               (forest_slice.h), give the bits of every row's leaf code
 *   codes       bits become a byte per row
 *   leaves      the value of the code is looked up and added in the order of the trees, so that
 *               every row has its own sequential sum: the same bits as a walk
 * A block costs nearly the same for one row as for all it holds, so few rows are others' business.
 *
 * The compiled form is one block of memory without pointers, aligned to 64 bytes: it may be
 * copied, mapped or shared. Each level of machine has stages of its own and lays
 * its tables out as they want them.
 */
#pragma once

#include "engine/forest_code.h"
#include "engine/forest_kernel.h"
#include "engine/forest_slice.h"

enum {
    AX_FOREST_BATCH_ALIGN = 64,
    AX_FOREST_BATCH_GROUP = 16, /* trees whose codes are made before their leaves are added */
    AX_FOREST_BATCH_WIDTHS = 3, /* sizes of block that one form serves */
};

struct ax_forest_batch_column {
    uint32_t feature;
    uint32_t cut_count;
    uint32_t levels;       /* bits of a rank */
    uint32_t missing;      /* rank of NaN */
    uint32_t missing_code; /* its bits in reverse */
    uint32_t correct;      /* 1: doubles with few bits, too, may not be floats */
    uint32_t is_sets;      /* 1: the bits of the rank are slots; else "rank > k" are */
    uint32_t slot_at;      /* of the first, from the start of the slots */
    uint32_t cuts_at;      /* doubles, from the start of the form */
    uint32_t table_at;     /* the level's own */
};

struct ax_forest_batch_tree {
    uint32_t ops_at, op_count;
    uint32_t plane_at[AX_FOREST_SLICE_PLANES_MAX]; /* from the start of the slots */
    uint32_t output;
};

/* The head of the form; places are from its start. */
struct ax_forest_batch_form {
    uint32_t bytes; /* with this */
    uint32_t feature_count, output_count, column_count, tree_count;
    uint32_t planes;
    uint32_t f32;         /* 1: sums and leaf values are floats */
    uint32_t vectors;     /* 1: every tree has a table for each output */
    uint32_t table_bytes; /* of a leaf table */
    uint32_t slots_bytes; /* of all slots */
    uint32_t set_ops_at, set_op_count;
    uint32_t columns_at, trees_at, leaves_at, base_at;
    uint32_t order_at[AX_FOREST_BATCH_WIDTHS]; /* row of each sum of a block */
    uint32_t op_count;                         /* of all trees */
    uint32_t scratch_bytes;                    /* of a call */
};

/* A block of rows on its way through the stages, in scratch. */
struct ax_forest_block {
    const struct ax_forest_batch_form *form;
    struct ax_forest_rows rows;
    float *floats; /* [8][rows of the block] */
    char *slots;
    char *steps;    /* room for a column's narrower predicates */
    uint8_t *codes; /* [AX_FOREST_BATCH_GROUP][rows of the block] */
    void *sums;     /* [output_count][rows of the block] */
};

/* What the stages cost, in nanoseconds of a core of about 3 GHz, measured: for choosing a kernel.
 */
struct ax_forest_batch_costs {
    double cell; /* a row's value of a column: loaded, ranked, transposed */
    double op;   /* an operation of a program, interpreted */
    double far;  /* what is added to that when the slots are larger than the first cache */
    double code; /* an operation as machine code */
    double tree; /* codes of a block */
    double leaf; /* a row's leaf value of a tree, as doubles; floats half of it */
};

/* The stages of a level for one size of block. */
struct ax_forest_batch_ops {
    const char *name;
    struct ax_forest_batch_costs costs;
    uint32_t rows;       /* of a block */
    uint32_t slot_bytes; /* from one slot to the next */
    uint32_t table_bytes;
    uint32_t step_count; /* slots' worth of `steps` */
    bool code;           /* forest_code.h can do its programs */
    uint32_t spare[2];   /* planes that pay for an interpreter, of doubles and floats */

    /* Loads the rows and leaves all threshold predicates, and the rank bits of sets, in slots. */
    void (*predicates)(const struct ax_forest_block *block);
    void (*run)(const struct ax_forest_slice_op *ops, uint32_t count, char *slots);
    void (*codes)(const struct ax_forest_block *block, const uint32_t *plane_at, uint8_t *out);

    /* Adds the leaves of count trees, whose tables lie stride bytes apart, to the sums; in the fast
     * order they are a run. */
    void (*leaves)(const struct ax_forest_block *block, const uint8_t *tables, size_t stride,
                   uint32_t count, void *sums);

    /*
     * What is laid out for the stages: a column's rank table, a leaf table, the order of sums.
     * NULL: ranks are searched in the cuts; leaf values lie as they are; sums, as the rows do.
     */
    void (*table)(const double *cuts, uint32_t cut_count, uint32_t levels, void *out);
    void (*leaf_table)(const double *values, uint32_t planes, bool f32, uint8_t *out);
    void (*order)(uint32_t planes, bool f32, uint16_t *out);
};

/* NULL-ended, the largest block first; NULL where this build has no such level. */
extern const struct ax_forest_batch_ops *const ax_forest_batch_portable[];
extern const struct ax_forest_batch_ops *const ax_forest_batch_avx2[];
extern const struct ax_forest_batch_ops *const ax_forest_batch_avx512[];

/* The lowest bits in the opposite order. */
static inline uint32_t
ax_forest_batch_reversed(uint32_t value, uint32_t bits)
{
    uint32_t result = 0;
    for (uint32_t i = 0; i < bits; i++)
        result |= (value >> i & 1) << (bits - 1 - i);
    return result;
}

static inline const void *
ax_forest_batch_at(const struct ax_forest_batch_form *form, uint32_t at)
{
    return (const char *)form + at;
}

/* Whether the program fits the kernel: leaves of a tree, slots and bytes. */
bool ax_forest_batch_fits(const struct ax_forest_plan *plan);

/* The most scratch that a call of the plan's form can need; known before the form is. */
size_t ax_forest_batch_scratch_max(const struct ax_forest_plan *plan,
                                   const struct ax_forest_batch_ops *const *sizes);

/* A form with what runs it. */
struct ax_forest_batch {
    const struct ax_forest_batch_form *form;
    const struct ax_forest_batch_ops *const *sizes;
    const struct ax_forest_code *code; /* NULL: programs are interpreted */
};

struct ax_forest_batch_config {
    const struct ax_forest_batch_ops *const *sizes; /* of the level */
    size_t bytes_max;                               /* of the form */
    bool code;                                      /* machine code where it can be had */
};

/*
 * Lays a plan out for a level, in `arena`.
 *
 * ctx->arena: working memory. Fails: LIMIT. out_batch->form is NULL when it would be too large.
 */
ax_status ax_forest_batch_build(struct ax_ctx *ctx, const struct ax_forest_plan *plan,
                                const struct ax_forest_batch_config *config, struct ax_arena *arena,
                                struct ax_forest_batch *out_batch);

/*
 * Margins of rows, output_count doubles each.
 *
 * width: index among the level's sizes. scratch: form->scratch_bytes, aligned to
 * AX_FOREST_BATCH_ALIGN.
 */
void ax_forest_batch_score(const struct ax_forest_batch *batch, uint32_t width,
                           const struct ax_forest_rows *rows, void *scratch, double *out_margin);
