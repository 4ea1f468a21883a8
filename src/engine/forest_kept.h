/*
 * The forms of a forest's kernels on disk (forms.h): found at the next start instead of compiled.
 *
 * The form for single rows is kept with what was found out when it was made, so that a forest whose
 * form is found is not compiled at all. Machine code is never kept.
 */
#pragma once

#include "engine/forest_batch.h"
#include "engine/forest_row.h"
#include "engine/forms.h"

/* What was asked for: another form for every difference. */
struct ax_forest_kept_wish {
    uint64_t level, kernel, leaf_masks, code, bytes_max;
};

/* What is kept in front of the form for single rows. */
struct ax_forest_kept_facts {
    double row_ns;          /* estimate: of a row */
    uint64_t batch_rows;    /* of a call that is worth a form for batches; 0: none is */
    uint64_t scratch_bytes; /* of a call */
};

/* The form for single rows, mapped until the arena goes; NULL when there is none. */
const struct ax_forest_row *ax_forest_kept_find_row(const struct ax_forms_of_model *of,
                                                    struct ax_ctx *ctx,
                                                    const struct ax_forest_kept_wish *wish,
                                                    struct ax_arena *arena,
                                                    struct ax_forest_kept_facts *out_facts);
void ax_forest_kept_keep_row(const struct ax_forms_of_model *of,
                             const struct ax_forest_kept_wish *wish,
                             const struct ax_forest_kept_facts *facts,
                             const struct ax_forest_row *row);

/* The same of the form for batches. */
const struct ax_forest_batch_form *ax_forest_kept_find_batch(const struct ax_forms_of_model *of,
                                                             struct ax_ctx *ctx,
                                                             const struct ax_forest_kept_wish *wish,
                                                             struct ax_arena *arena);
void ax_forest_kept_keep_batch(const struct ax_forms_of_model *of,
                               const struct ax_forest_kept_wish *wish,
                               const struct ax_forest_batch_form *form);
