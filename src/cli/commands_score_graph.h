/*
 * `axiom score` for graphs of tensors: columns of a CSV become inputs, outputs become columns.
 *
 * An input of one column takes the column of its name, a map those of its keys; when some name is
 * missing, or an input has more columns, all are taken in order. Outputs are printed in the graph's
 * order, each row's elements side by side, a map's under its keys.
 */
#pragma once

#include "engine/engine.h"

struct ax_score_graph_options {
    bool missing_given; /* numbers equal to `missing` are missing too */
    double missing;
};

/* csv: the text of the input. Prints to standard output. Fails: INVALID with row and column. */
ax_status ax_score_graph(struct ax_ctx *ctx, const struct ax_engine *engine, ax_str csv,
                         const struct ax_score_graph_options *options);
