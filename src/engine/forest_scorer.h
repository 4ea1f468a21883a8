/*
 * Chooses how a forest is evaluated: the level of machine once, the kernel by the rows of a call.
 *
 * At most two compiled forms belong to a forest: one for single rows (forest_row.h), one for
 * batches (forest_batch.h). What a block of a batch costs, and what a row costs, is estimated when
 * the forms are made, from counts alone: the same model is treated alike everywhere. A forest that
 * no kernel covers is walked. The answers are the walk's, bit for bit, in every case.
 */
#pragma once

#include "engine/engine.h"
#include "engine/forest_batch.h"
#include "engine/forest_row.h"

/* The kernels of a level. */
struct ax_forest_level {
    enum ax_engine_level level;
    ax_forest_row_score row;
    unsigned kinds;   /* a bit for each enum ax_forest_row_kind that `row` does */
    size_t lanes_max; /* for the kinds that hold ranks in registers */
    double rank_ns;   /* what a column's rank costs */
    const struct ax_forest_batch_ops *const *sizes;
};

struct ax_forest_scorer {
    const struct ax_forest *forest;
    const struct ax_forest_level *level;
    const struct ax_forest_row *row;         /* NULL: rows are walked */
    struct ax_forest_batch batch;            /* without a form: rows are scored one by one */
    double row_ns;                           /* estimates: of a row */
    double block_ns[AX_FOREST_BATCH_WIDTHS]; /* of a block of each size; 0: there is none */
    size_t scratch_bytes;
};

/*
 * Makes the forms of a finished forest.
 *
 * forest: kept. config: level and kernel. arena: holds the forms, at most bytes_max of them; what
 * does not fit is done without. ctx->arena: working memory.
 * Fails: UNSUPPORTED when the machine or the build lacks the level; LIMIT.
 */
ax_status ax_forest_scorer_init(struct ax_ctx *ctx, const struct ax_forest *forest,
                                const struct ax_engine_config *config, struct ax_arena *arena,
                                size_t bytes_max, struct ax_forest_scorer *out_scorer);

/*
 * Margins of rows, output_count doubles each.
 *
 * rows: floats, or doubles where the forest's own input is double. scratch: scratch_bytes.
 */
void ax_forest_scorer_run(const struct ax_forest_scorer *scorer, const struct ax_forest_rows *rows,
                          void *scratch, double *out_margin);

/* What was chosen, for people: level, kernels and from how many rows on there are batches. */
void ax_forest_scorer_describe(const struct ax_forest_scorer *scorer,
                               struct ax_engine_signature *signature);
