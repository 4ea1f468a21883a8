/*
 * Golden cases of models: the file, its input rows, and what its own library answers.
 *
 * A case is a folder with model files, input.csv, expected.json and meta.json (the README of the
 * models says how they were made). Everything read lies in ctx->arena.
 */
#pragma once

#include "base/ctx.h"
#include "codec/json.h"
#include "engine/engine.h"

struct model_case {
    const char *name;
    size_t row_count, column_count;
    float *cells; /* NaN where a cell is empty */
    double *wide; /* the same as doubles; with all their digits where the case is of float64 */
    bool missing_given;
    double missing;
    const struct ax_json *expected;
};

/* The whole file; false when it is not there. */
bool model_case_read(struct ax_ctx *ctx, const char *path, ax_str *out_bytes);

/* Names of the folders in a folder, sorted; 0 when it is not there. */
size_t model_case_list(struct ax_ctx *ctx, const char *folder, ax_str **out_names);

/* Reads a case's rows and answers; fails the test when it cannot. */
bool model_case_load(struct ax_ctx *ctx, const char *folder, const char *name,
                     struct model_case *out_case);

/* The numbers of a member of `expected`, flattened; 0 when it is absent. NaN for null. */
size_t model_case_numbers(struct ax_ctx *ctx, const struct model_case *model_case, const char *key,
                          double **out_numbers);

/* The case's rows from `from` on, in float32. */
struct ax_engine_rows model_case_rows(const struct model_case *model_case, size_t from,
                                      size_t count);

/* The model in a file; fails the test and gives NULL when it cannot be opened. */
struct ax_engine *model_case_open(struct ax_ctx *ctx, const char *path);

/* The text with the first `find` replaced; fails the test when there is none. */
ax_str model_case_replace(struct ax_ctx *ctx, ax_str text, const char *find, const char *with);

/*
 * Opens the text with the first `find` replaced: it must be refused with the status (AX_OK: with
 * any), in one line that holds `part`; ctx->error keeps it. Fails the test otherwise.
 */
void model_case_refuse(struct ax_ctx *ctx, ax_str text, const char *find, const char *with,
                       ax_status status, const char *part);

/* A call with its buffers in ctx->arena; *out_status: NULL when it must succeed. */
struct ax_engine_answer model_case_score(struct ax_ctx *ctx, const struct ax_engine *engine,
                                         const struct ax_engine_call *call, ax_status *out_status);
