#include "learner/learner.h"

#include <math.h>

#include "base/assert.h"
#include "learner/logistic_train.h"
#include "learner/scorecard.h"
#include "learner/xgboost_train.h"

enum { NAME_BYTES_MAX = 1'000, CATEGORIES_MAX = 10'000 };

static const struct ax_learner_ops *const learners[] = {
    &ax_xgboost_train_ops,
    &ax_scorecard_ops,
    &ax_logistic_train_ops,
};

const struct ax_learner_ops *
ax_learner_find(ax_str name)
{
    for (size_t i = 0; i < AX_COUNT_OF(learners); i++) {
        if (ax_str_eq(ax_str_of(learners[i]->name), name))
            return learners[i];
    }
    return NULL;
}

/* ---- training in this process ---- */

static ax_status
check_classes(struct ax_ctx *ctx, const struct ax_frame *frame, const char *which)
{
    if (!frame->labels)
        return ax_fail(ctx, AX_INVALID, "the %s rows have no labels", which);
    size_t events = 0;
    for (size_t i = 0; i < frame->row_count; i++) {
        if (frame->labels[i] > 1)
            return ax_fail(ctx, AX_INVALID, "%s row %zu: the label must be 0 or 1", which, i);
        events += frame->labels[i];
    }
    if (events == 0 || events == frame->row_count)
        return ax_fail(ctx, AX_INVALID,
                       "of %zu %s rows %zu have the event; both classes are needed",
                       frame->row_count, which, events);
    return AX_OK;
}

static bool
same_tables(const struct ax_frame_column *a, const struct ax_frame_column *b)
{
    bool same =
        ax_str_eq(a->name, b->name) && a->kind == b->kind && a->category_count == b->category_count;
    for (size_t i = 0; same && i < a->category_count; i++)
        same = ax_str_eq(a->categories[i], b->categories[i]);
    return same;
}

/* Names and values that a model file can carry, and that a learner may index by. */
static ax_status
check_column(struct ax_ctx *ctx, const struct ax_frame *frame, size_t at)
{
    const struct ax_frame_column *column = &frame->columns[at];
    if (column->name.len == 0 || column->name.len > NAME_BYTES_MAX ||
        memchr(column->name.at, 0, column->name.len))
        return ax_fail(ctx, AX_INVALID, "the name of column %zu must have 1 to %d bytes, none 0",
                       at, NAME_BYTES_MAX);
    if (ax_frame_find(frame, column->name) != at)
        return ax_fail(ctx, AX_INVALID, "column `%.*s` is there twice", AX_FMT(column->name));
    bool number = column->kind == AX_FRAME_NUMBER;
    size_t codes = column->category_count;
    if (!number && (codes == 0 || codes > CATEGORIES_MAX))
        return ax_fail(ctx, AX_INVALID, "column `%.*s` must have 1 to %d categories, not %zu",
                       AX_FMT(column->name), CATEGORIES_MAX, codes);
    for (size_t i = 0; i < frame->row_count; i++) {
        double value = column->values[i];
        bool sound =
            number ? !isinf(value)
                   : isnan(value) || (value >= 0 && value < (double)codes && value == floor(value));
        if (!sound)
            return ax_fail(ctx, AX_INVALID, "row %zu, column `%.*s`: %g is no %s", i,
                           AX_FMT(column->name), value, number ? "finite number" : "category");
    }
    return AX_OK;
}

static ax_status
check_frame(struct ax_ctx *ctx, const struct ax_frame *frame, const char *which)
{
    AX_TRY(check_classes(ctx, frame, which));
    for (size_t c = 0; c < frame->column_count; c++)
        AX_TRY(check_column(ctx, frame, c));
    return AX_OK;
}

static ax_status
check_rows(struct ax_ctx *ctx, const struct ax_learner_input *input)
{
    const struct ax_frame *train = input->train, *validation = input->validation;
    AX_TRY(check_frame(ctx, train, "training"));
    if (train->column_count == 0)
        return ax_fail(ctx, AX_INVALID, "there is no column to learn from");
    if (!validation)
        return AX_OK;
    AX_TRY(check_frame(ctx, validation, "validation"));
    bool same = validation->column_count == train->column_count;
    for (size_t c = 0; same && c < train->column_count; c++)
        same = same_tables(&train->columns[c], &validation->columns[c]);
    if (!same)
        return ax_fail(ctx, AX_INVALID, "validation rows have other columns than training rows");
    return AX_OK;
}

ax_status
ax_learner_train(struct ax_ctx *ctx, ax_str name, const struct ax_learner_input *input,
                 struct ax_learner_result *out_result)
{
    AX_ASSERT(input->thread_count > 0);
    const struct ax_learner_ops *ops = ax_learner_find(name);
    if (!ops)
        return ax_fail(ctx, AX_NOT_FOUND, "there is no learner `%.*s`", AX_FMT(name));
    ax_status status = check_rows(ctx, input);
    if (status == AX_OK)
        status = ops->train(ctx, input, out_result);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "train %s", ops->name);
}

ax_status
ax_learner_probe(struct ax_ctx *ctx, const struct ax_frame *train,
                 double (*margin)(const void *arg, size_t row), const void *arg,
                 struct ax_learner_result *result)
{
    size_t count =
        train->row_count < AX_LEARNER_PROBES_MAX ? train->row_count : AX_LEARNER_PROBES_MAX;
    double *margins = AX_NEW_ARRAY(ctx->arena, double, count + 1);
    if (!margins)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu margins", count);
    for (size_t i = 0; i < count; i++)
        margins[i] = margin(arg, i);
    result->probe_margins = margins;
    result->probe_count = count;
    return AX_OK;
}
