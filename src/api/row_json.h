/*
 * Rows as the dialects of JSON write them (instances, inputs, dataframes, CSV), to the tensors of
 * an inference, and tensors back to nested lists.
 *
 * Values go to the model's inputs by name where they have names, else by place. A table's model is
 * also given its features by name; null is a missing value.
 */
#pragma once

#include "api/inference_model.h"

struct ax_row_json_options {
    bool drop_unknown; /* names that the model does not know are left out instead of refused */
};

/*
 * A list of rows: each a value or list for the one input, or an object of name -> value.
 *
 * out_request: inputs only; in ctx->arena. Fails: INVALID with row and name; LIMIT.
 */
ax_status ax_row_json_rows(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                           const struct ax_json *rows, const struct ax_row_json_options *options,
                           struct ax_tensor_json_request *out_request);

/* Columns: one tensor for the one input, or an object of name -> tensor. Fails: as rows. */
ax_status ax_row_json_columns(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                              const struct ax_json *columns,
                              const struct ax_row_json_options *options,
                              struct ax_tensor_json_request *out_request);

/* Rows as lists beside one list of names; columns: NULL when there are none. Fails: as rows. */
ax_status ax_row_json_table(struct ax_ctx *ctx, const struct ax_loaded_model *model,
                            const struct ax_json *columns, const struct ax_json *data,
                            const struct ax_row_json_options *options,
                            struct ax_tensor_json_request *out_request);

/* A table of text with a header: "" is missing. Fails: INVALID with row and column; LIMIT. */
ax_status ax_row_json_csv(struct ax_ctx *ctx, const struct ax_loaded_model *model, ax_str text,
                          const struct ax_row_json_options *options,
                          struct ax_tensor_json_request *out_request);

/* The tensor as nested lists. Floats in their shortest form, NaN and infinities bare. */
void ax_row_json_print(const struct ax_tensor *tensor, struct ax_json_writer *json);

/* One row of a tensor: its value, or nested lists of them. */
void ax_row_json_print_row(const struct ax_tensor *tensor, size_t row, struct ax_json_writer *json);
