/*
 * Chooses how a forest is evaluated: the level of machine once, the kernel by the rows of a call.
 *
 * At most two compiled forms belong to a forest: one for single rows (forest_row.h), made at once,
 * and one for batches (forest_batch.h), made when somebody prepares for a call with rows enough for
 * it. What a block of a batch costs, and what a row costs, is estimated when the forms are made,
 * from counts alone: the same model is treated alike everywhere. A forest that no kernel covers is
 * walked. The answers are the walk's, bit for bit, in every case, with or without the forms.
 */
#pragma once

#include "engine/engine.h"
#include "engine/forest_kept.h"
#include "sys/once.h"

/* The kernels of a level. */
struct ax_forest_level {
    enum ax_engine_level level;
    ax_forest_row_score row;
    unsigned kinds;   /* a bit for each enum ax_forest_row_kind that `row` does */
    size_t lanes_max; /* for the kinds that hold ranks in registers */
    double rank_ns;   /* what a column's rank costs */
    const struct ax_forest_batch_ops *const *sizes;
};

/* The form for batches, with what was found out when it was made. */
struct ax_forest_scorer_batch {
    struct ax_forest_batch batch;            /* without a form: there is no room for one */
    double block_ns[AX_FOREST_BATCH_WIDTHS]; /* of a block of each size; 0: there is none */
    size_t bytes, mapped_bytes;              /* outside the scorer's arena; of a kept form */
    struct ax_arena *arena;                  /* owned; NULL: it is in the scorer's */
};

struct ax_forest_scorer {
    const struct ax_forest *forest;
    const struct ax_forest_level *level;
    const struct ax_forest_row *row; /* NULL: rows are walked */
    struct ax_once *batch;           /* struct ax_forest_scorer_batch; NULL: never one */
    size_t batch_rows;               /* of a call that is worth one, about */
    size_t batch_bytes_max;
    struct ax_forms_of_model forms;
    struct ax_forest_kept_wish wish; /* what the forms follow from besides the model */
    size_t mapped_bytes;             /* of a kept form for single rows */
    bool batch_code;                 /* machine code, where it can be had */
    bool batch_only;                 /* for tests: rows are not scored one by one */
    double row_ns;                   /* estimate: of a row */
    size_t scratch_bytes;
};

/*
 * Makes the form for single rows of a finished forest.
 *
 * forest: kept. config: level and kernel. arena: holds the forms, at most bytes_max of them; what
 * does not fit is done without. ctx->arena: working memory.
 * Fails: UNSUPPORTED when the machine or the build lacks the level; LIMIT.
 */
ax_status ax_forest_scorer_init(struct ax_ctx *ctx, const struct ax_forest *forest,
                                const struct ax_engine_config *config, struct ax_arena *arena,
                                size_t bytes_max, struct ax_forest_scorer *out_scorer);

/* Whether a call of so many rows finds all there can be for it. */
bool ax_forest_scorer_prepared(const struct ax_forest_scorer *scorer, size_t rows);

/*
 * Makes what a call of so many rows wants, if it has not been made: any thread, any time.
 *
 * Working memory is its own. Fails: LIMIT; the next one tries again.
 */
ax_status ax_forest_scorer_prepare(const struct ax_forest_scorer *scorer, struct ax_ctx *ctx,
                                   size_t rows);

/* The same at once and in the scorer's arena, for who owns it and has no first call to wait for. */
ax_status ax_forest_scorer_finish(const struct ax_forest_scorer *scorer, struct ax_ctx *ctx,
                                  struct ax_arena *arena);

/* The form for batches; NULL when it has not been made. */
const struct ax_forest_scorer_batch *ax_forest_scorer_made(const struct ax_forest_scorer *scorer);

/*
 * Margins of rows, output_count doubles each.
 *
 * rows: floats, or doubles where the forest's own input is double. scratch: scratch_bytes.
 */
void ax_forest_scorer_run(const struct ax_forest_scorer *scorer, const struct ax_forest_rows *rows,
                          void *scratch, double *out_margin);

/* What was chosen, for people: level, kernels and from about how many rows on there are batches. */
void ax_forest_scorer_describe(const struct ax_forest_scorer *scorer,
                               struct ax_engine_signature *signature);
