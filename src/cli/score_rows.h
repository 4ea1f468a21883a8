/*
 * Rows of a table through a model: cells become numbers, numbers lines of CSV.
 *
 * What is asked of the model is settled once and then shared by threads; the memory of a block of
 * rows is each thread's own. It prints nothing and reads no file.
 */
#pragma once

#include "base/writer.h"
#include "codec/csv.h"
#include "engine/engine.h"

/* What is asked: a model, its outputs, and where its features stand in a table. */
struct ax_score_rows;

struct ax_score_rows_config {
    ax_str outputs; /* "response", or several: "margin,contributions" */
    bool missing_given;
    double missing;                                /* cells of this number are missing too */
    const struct ax_engine_background *background; /* kept; NULL: none */
    enum ax_engine_mode mode;
};

/*
 * engine: kept. In ctx->arena.
 * Fails: INVALID when an output is unknown or named twice; UNSUPPORTED when the model does not give
 * it; LIMIT.
 */
ax_status ax_score_rows_open(struct ax_ctx *ctx, const struct ax_engine *engine,
                             const struct ax_score_rows_config *config,
                             struct ax_score_rows **out_rows);

/*
 * All rows of a table as a reference population of a model; the caller closes it.
 *
 * config: what is missing. Fails: INVALID with row, line and column; as the table, as
 * ax_engine_background_open; LIMIT.
 */
ax_status ax_score_rows_background(struct ax_ctx *ctx, const struct ax_engine *engine,
                                   const struct ax_score_rows_config *config, struct ax_csv *csv,
                                   struct ax_engine_background **out_background);

/*
 * Finds the features among a table's columns, once, before the first block: by name when all are
 * there, else by order. Fails: INVALID when neither fits; LIMIT.
 */
ax_status ax_score_rows_match(struct ax_score_rows *rows, struct ax_ctx *ctx,
                              const struct ax_csv_row *header);

/* Columns of the answer, and the name of one: "response", "margin_2", "income", "leaf_0",
 * "age:income" of interactions. */
size_t ax_score_rows_width(const struct ax_score_rows *rows);
void ax_score_rows_name(const struct ax_score_rows *rows, size_t column, struct ax_writer *out);

/* The line of all names. */
void ax_score_rows_header(const struct ax_score_rows *rows, struct ax_writer *out);

/* A block of rows with their answers, used again and again; one thread's. */
struct ax_score_block {
    size_t count;
    size_t first_number; /* of its first row in the table; 1 is the header */
    size_t *lines;       /* on which each row begins */
    double *cells;       /* count rows of the model's features */
    double *numbers;     /* count rows of the answer's columns */
    void *memory;        /* of this file alone */
};

/* In ctx->arena. Fails: LIMIT. */
ax_status ax_score_rows_block(const struct ax_score_rows *rows, struct ax_ctx *ctx,
                              struct ax_score_block *out_block);

/*
 * Reads the next rows of a table and scores them; block->count is 0 when there are none.
 *
 * Fails: INVALID with row, line and column when a cell is no number and no category; as the table,
 * as the engine.
 */
ax_status ax_score_rows_next(const struct ax_score_rows *rows, struct ax_ctx *ctx,
                             struct ax_csv *csv, struct ax_score_block *block);

/* The block's answers, a line a row, each number in its shortest exact form. */
void ax_score_rows_print(const struct ax_score_rows *rows, const struct ax_score_block *block,
                         struct ax_writer *out);

/* A number of that column as such a line shows it. out: AX_NUMBER_BYTES_MAX; returns its length. */
size_t ax_score_rows_format(const struct ax_score_rows *rows, size_t column, double number,
                            char *out);
