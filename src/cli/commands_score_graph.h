/*
 * `axiom score` for graphs of tensors: columns of a CSV become inputs, outputs become columns.
 *
 * An input of one column takes the column of its name, a map those of its keys; when some name is
 * missing, or an input has more columns, all are taken in order. Outputs are printed in the graph's
 * order, each row's elements side by side, a map's under its keys.
 */
#pragma once

#include "codec/csv_stream.h"
#include "engine/engine.h"

struct ax_score_graph_options {
    bool missing_given; /* numbers equal to `missing` are missing too */
    double missing;
    size_t threads;

    /* Takes lines in the order of the rows; the header comes with the first. As score_parts.h. */
    ax_status (*give)(void *arg, struct ax_ctx *ctx, ax_str lines, size_t rows, size_t bytes);
    void *give_arg;
};

/* table: its header is read. Fails: INVALID with row and column; as the stream, as the engine. */
ax_status ax_score_graph(struct ax_ctx *ctx, const struct ax_engine *engine,
                         struct ax_csv_stream *table, const struct ax_score_graph_options *options);
