/*
 * Parameters of learners: a table says name, kind, default and bounds; a JSON object sets them.
 *
 * A name that is in no table, or a value past its bounds, is refused: an option that is silently
 * ignored is worse than none. `monotone` and `special` are read by name of column.
 */
#pragma once

#include "codec/json.h"
#include "numeric/frame.h"

enum ax_parameter_kind {
    AX_PARAMETER_COUNT,  /* int64_t */
    AX_PARAMETER_NUMBER, /* double */
};

struct ax_parameter {
    const char *name;
    enum ax_parameter_kind kind;
    size_t offset; /* in the learner's config */
    double initial, min, max;
};

struct ax_parameters {
    const struct ax_parameter *rows;
    size_t row_count;
    bool monotone; /* the learner understands it */
    bool special;  /* likewise */
};

/* Defaults, then what json (an object, or NULL) sets. Fails: INVALID names the parameter. */
ax_status ax_parameters_read(struct ax_ctx *ctx, const struct ax_parameters *parameters,
                             const struct ax_json *json, void *config);

/* One member for each, as they are now. */
void ax_parameters_write(const struct ax_parameters *parameters, const void *config,
                         struct ax_json_writer *out);

/*
 * "monotone": {"duration_in_month": 1}: per column 1 (the label's rate rises), -1 (falls) or 0.
 * out_directions: column_count of them, in ctx->arena.
 * Fails: INVALID for a column that is not there or is no number, or another direction; LIMIT.
 */
ax_status ax_parameters_monotone(struct ax_ctx *ctx, const struct ax_json *json,
                                 const struct ax_frame *frame, int **out_directions);

/* Values of one column that are no amounts. */
struct ax_parameter_specials {
    const double *values; /* ascending */
    size_t count;
};

/*
 * "special": {"months_since_default": [-1, 999]}: per column at most value_max values.
 * out_specials: column_count of them, in ctx->arena.
 * Fails: INVALID for a column that is not there or is no number, a value that is no finite number
 * of at most 1e300, or is there twice; LIMIT.
 */
ax_status ax_parameters_special(struct ax_ctx *ctx, const struct ax_json *json,
                                const struct ax_frame *frame, size_t value_max,
                                struct ax_parameter_specials **out_specials);
