#include "dataops/data_validation.h"

#include <math.h>

#include "base/map.h"
#include "numeric/stats.h"

enum { PSI_BINS = 10 };

static const double PSI_LEVEL = 0.95;

/* What one row says of an expectation. */
enum row_state { HOLDS, MISSING, UNEXPECTED };

/* One expectation while it is judged. */
struct judging {
    const struct ax_frame *frame;
    const struct ax_frame *reference;
    const struct ax_expectation *expectation;
    const struct ax_frame_column **columns; /* of the expectation, found in the frame */
    uint8_t *states;                        /* enum row_state, one a row */
    bool *allowed;                          /* of IN_SET: code -> listed */
};

static const char *const expected_words[] = {
    [AX_EXPECT_COLUMN] = "it is there",
    [AX_EXPECT_TYPE] = "its type is the one said",
    [AX_EXPECT_NOT_NULL] = "no value is missing",
    [AX_EXPECT_BETWEEN] = "each value is between the bounds",
    [AX_EXPECT_IN_SET] = "each value is in the set",
    [AX_EXPECT_UNIQUE] = "each value occurs once",
    [AX_EXPECT_UNIQUE_ROWS] = "the values together occur once",
    [AX_EXPECT_PAIR_GREATER] = "the first value is above the second",
    [AX_EXPECT_ROW_COUNT] = "the number of rows is between the bounds",
    [AX_EXPECT_MEAN] = "the mean is between the bounds",
    [AX_EXPECT_MIN] = "the least value is between the bounds",
    [AX_EXPECT_MAX] = "the greatest value is between the bounds",
    [AX_EXPECT_STABLE] = "it is distributed as in the reference",
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for verdicts");
}

static bool
within(const struct ax_expectation *expectation, double value)
{
    bool low = expectation->min_strict ? value > expectation->min : value >= expectation->min;
    bool high = expectation->max_strict ? value < expectation->max : value <= expectation->max;
    return low && high;
}

/* ---- row by row ---- */

static enum row_state
row_not_null(const struct judging *judging, size_t row)
{
    return isnan(judging->columns[0]->values[row]) ? UNEXPECTED : HOLDS;
}

static enum row_state
row_between(const struct judging *judging, size_t row)
{
    double value = judging->columns[0]->values[row];
    if (isnan(value))
        return MISSING;
    return within(judging->expectation, value) ? HOLDS : UNEXPECTED;
}

static enum row_state
row_in_set(const struct judging *judging, size_t row)
{
    const struct ax_expectation *expectation = judging->expectation;
    double value = judging->columns[0]->values[row];
    if (isnan(value))
        return MISSING;
    if (expectation->any)
        return HOLDS;
    if (judging->allowed)
        return judging->allowed[(size_t)value] ? HOLDS : UNEXPECTED;
    for (size_t i = 0; i < expectation->number_count; i++) {
        if (expectation->numbers[i] == value)
            return HOLDS;
    }
    return UNEXPECTED;
}

/* Whether a row of several columns is left out for what it lacks. */
static bool
is_ignored(const struct judging *judging, size_t row)
{
    size_t missing = 0, count = judging->expectation->column_count;
    for (size_t c = 0; c < count; c++)
        missing += isnan(judging->columns[c]->values[row]) ? 1 : 0;
    switch (judging->expectation->ignore) {
    case AX_EXPECT_IGNORE_ALL_MISSING:
        return missing == count;
    case AX_EXPECT_IGNORE_ANY_MISSING:
        return missing > 0;
    case AX_EXPECT_IGNORE_NEVER:
        break;
    }
    return false;
}

static enum row_state
row_pair_greater(const struct judging *judging, size_t row)
{
    double a = judging->columns[0]->values[row], b = judging->columns[1]->values[row];
    if (is_ignored(judging, row))
        return MISSING;
    return a > b || (judging->expectation->or_equal && a == b) ? HOLDS : UNEXPECTED;
}

static void
judge_each(const struct judging *judging, enum row_state (*judge)(const struct judging *, size_t))
{
    for (size_t r = 0; r < judging->frame->row_count; r++)
        judging->states[r] = (uint8_t)judge(judging, r);
}

/* ---- what needs all rows at once ---- */

/* Every row whose values occur twice is unexpected, the first of them too. */
static ax_status
judge_unique(struct ax_ctx *ctx, const struct judging *judging)
{
    size_t rows = judging->frame->row_count, count = judging->expectation->column_count;
    struct ax_map *first_rows = ax_map_new(ctx->arena);
    double *values = AX_NEW_ARRAY(ctx->arena, double, rows *count + 1);
    if (!first_rows || !values)
        return no_memory(ctx);
    for (size_t r = 0; r < rows; r++) {
        double *key = &values[r * count];
        for (size_t c = 0; c < count; c++) {
            double value = judging->columns[c]->values[r];
            key[c] = isnan(value) ? (double)NAN : value + 0.0; /* one NaN, and one zero */
        }
        if (is_ignored(judging, r)) {
            judging->states[r] = MISSING;
            continue;
        }
        ax_str bytes = {(const char *)key, count * sizeof *key};
        uint8_t *first = ax_map_find(first_rows, bytes);
        if (first) {
            *first = UNEXPECTED;
            judging->states[r] = UNEXPECTED;
        } else if (!ax_map_put(first_rows, bytes, &judging->states[r])) {
            return no_memory(ctx);
        }
    }
    return AX_OK;
}

static ax_status
judge_set(struct ax_ctx *ctx, struct judging *judging)
{
    const struct ax_expectation *expectation = judging->expectation;
    const struct ax_frame_column *column = judging->columns[0];
    if (column->kind == AX_FRAME_CATEGORY) {
        judging->allowed = AX_NEW_ARRAY(ctx->arena, bool, column->category_count + 1);
        if (!judging->allowed)
            return no_memory(ctx);
        for (size_t i = 0; i < expectation->value_count; i++) {
            size_t code = ax_frame_code(column, expectation->values[i]);
            if (code != SIZE_MAX)
                judging->allowed[code] = true;
        }
    }
    judge_each(judging, row_in_set);
    return AX_OK;
}

/* Counts the states and lists the rows; judges their share. */
static ax_status
settle_rows(struct ax_ctx *ctx, const struct judging *judging,
            struct ax_expectation_verdict *verdict)
{
    size_t rows = judging->frame->row_count;
    uint32_t *unexpected = NULL;
    for (size_t r = 0; r < rows; r++) {
        verdict->missing_count += judging->states[r] == MISSING;
        verdict->unexpected_count += judging->states[r] == UNEXPECTED;
    }
    unexpected = AX_NEW_ARRAY(ctx->arena, uint32_t, verdict->unexpected_count + 1);
    if (!unexpected)
        return no_memory(ctx);
    size_t count = 0;
    for (size_t r = 0; r < rows; r++) {
        if (judging->states[r] == UNEXPECTED)
            unexpected[count++] = (uint32_t)r;
    }
    verdict->unexpected = unexpected;
    uint64_t judged = rows - verdict->missing_count;
    verdict->success =
        judged == 0 || (double)(judged - verdict->unexpected_count) / (double)judged >=
                           judging->expectation->mostly;
    return AX_OK;
}

static ax_status
judge_rows(struct ax_ctx *ctx, struct judging *judging, struct ax_expectation_verdict *verdict)
{
    judging->states = AX_NEW_ARRAY(ctx->arena, uint8_t, judging->frame->row_count + 1);
    if (!judging->states)
        return no_memory(ctx);
    enum ax_expectation_kind kind = judging->expectation->kind;
    if (kind == AX_EXPECT_NOT_NULL)
        judge_each(judging, row_not_null);
    else if (kind == AX_EXPECT_BETWEEN)
        judge_each(judging, row_between);
    else if (kind == AX_EXPECT_PAIR_GREATER)
        judge_each(judging, row_pair_greater);
    else if (kind == AX_EXPECT_IN_SET)
        AX_TRY(judge_set(ctx, judging));
    else
        AX_TRY(judge_unique(ctx, judging));
    return settle_rows(ctx, judging, verdict);
}

/* A figure of the whole column; one that does not exist fails, whatever the bounds. */
static void
judge_figure(const struct judging *judging, struct ax_expectation_verdict *verdict)
{
    struct ax_moments moments = {};
    for (size_t r = 0; r < judging->frame->row_count; r++)
        ax_stats_add(&moments, judging->columns[0]->values[r]);
    verdict->missing_count = judging->frame->row_count - moments.count;
    if (moments.count == 0)
        return;
    enum ax_expectation_kind kind = judging->expectation->kind;
    verdict->observed = kind == AX_EXPECT_MEAN  ? moments.mean
                        : kind == AX_EXPECT_MIN ? moments.min
                                                : moments.max;
    verdict->success = within(judging->expectation, verdict->observed);
}

/* ---- against the reference ---- */

/* Rows per category of the reference, then those of categories it has not, then the missing. */
static ax_status
count_categories(struct ax_ctx *ctx, const struct ax_frame *frame,
                 const struct ax_frame_column *column, const struct ax_frame_column *reference,
                 uint64_t *counts)
{
    size_t *bins = AX_NEW_ARRAY(ctx->arena, size_t, column->category_count + 1);
    if (!bins)
        return no_memory(ctx);
    for (size_t i = 0; i < column->category_count; i++) {
        size_t code = ax_frame_code(reference, column->categories[i]);
        bins[i] = code == SIZE_MAX ? reference->category_count : code;
    }
    for (size_t r = 0; r < frame->row_count; r++) {
        double value = column->values[r];
        counts[isnan(value) ? reference->category_count + 1 : bins[(size_t)value]]++;
    }
    return AX_OK;
}

static ax_status
psi_of_categories(struct ax_ctx *ctx, const struct judging *judging,
                  const struct ax_frame_column *reference, struct ax_stats_psi *out_psi)
{
    size_t bins = reference->category_count + 2;
    uint64_t *expected = AX_NEW_ARRAY(ctx->arena, uint64_t, bins);
    uint64_t *actual = AX_NEW_ARRAY(ctx->arena, uint64_t, bins);
    if (!expected || !actual)
        return no_memory(ctx);
    AX_TRY(count_categories(ctx, judging->reference, reference, reference, expected));
    AX_TRY(count_categories(ctx, judging->frame, judging->columns[0], reference, actual));
    return ax_stats_psi(ctx, expected, actual, bins, PSI_LEVEL, out_psi);
}

static ax_status
psi_of_numbers(struct ax_ctx *ctx, const struct judging *judging,
               const struct ax_frame_column *reference, struct ax_stats_psi *out_psi)
{
    size_t rows = judging->reference->row_count, present = 0;
    double *sorted = AX_NEW_ARRAY(ctx->arena, double, rows);
    double edges[PSI_BINS] = {};
    uint64_t expected[PSI_BINS + 1], actual[PSI_BINS + 1];
    if (!sorted)
        return no_memory(ctx);
    for (size_t r = 0; r < rows; r++) {
        if (!isnan(reference->values[r]))
            sorted[present++] = reference->values[r];
    }
    ax_stats_sort(sorted, present);
    size_t edge_count = ax_stats_edges(sorted, present, PSI_BINS, edges);
    ax_stats_histogram(reference->values, rows, edges, edge_count, expected);
    ax_stats_histogram(judging->columns[0]->values, judging->frame->row_count, edges, edge_count,
                       actual);
    return ax_stats_psi(ctx, expected, actual, edge_count + 2, PSI_LEVEL, out_psi);
}

static ax_status
judge_stable(struct ax_ctx *ctx, const struct judging *judging,
             struct ax_expectation_verdict *verdict)
{
    const struct ax_frame_column *column = judging->columns[0];
    size_t at = ax_frame_find(judging->reference, column->name);
    struct ax_stats_psi psi = {};
    if (at == SIZE_MAX || judging->reference->columns[at].kind != column->kind) {
        verdict->judged = false;
        return AX_OK;
    }
    verdict->success = judging->frame->row_count == 0;
    if (verdict->success)
        return AX_OK;
    if (column->kind == AX_FRAME_NUMBER)
        AX_TRY(psi_of_numbers(ctx, judging, &judging->reference->columns[at], &psi));
    else
        AX_TRY(psi_of_categories(ctx, judging, &judging->reference->columns[at], &psi));
    verdict->observed = psi.value;
    verdict->success = psi.value <= judging->expectation->max || psi.value <= psi.null_quantile;
    return AX_OK;
}

/* ---- one verdict ---- */

static bool
needs_numbers(enum ax_expectation_kind kind)
{
    return kind == AX_EXPECT_BETWEEN || kind == AX_EXPECT_PAIR_GREATER || kind == AX_EXPECT_MEAN ||
           kind == AX_EXPECT_MIN || kind == AX_EXPECT_MAX;
}

/* Finds the columns; false, with the reason in the verdict, when nothing can be judged. */
static ax_status
find_columns(struct ax_ctx *ctx, struct judging *judging, struct ax_expectation_verdict *verdict)
{
    const struct ax_expectation *expectation = judging->expectation;
    judging->columns =
        AX_NEW_ARRAY(ctx->arena, const struct ax_frame_column *, expectation->column_count + 1);
    if (!judging->columns)
        return no_memory(ctx);
    for (size_t i = 0; i < expectation->column_count && verdict->judged; i++) {
        ax_str name = expectation->columns[i];
        size_t at = ax_frame_find(judging->frame, name);
        bool numbers = at != SIZE_MAX && judging->frame->columns[at].kind == AX_FRAME_NUMBER;
        verdict->judged = at != SIZE_MAX && (numbers || !needs_numbers(expectation->kind));
        if (verdict->judged) {
            judging->columns[i] = &judging->frame->columns[at];
            continue;
        }
        verdict->message = ax_str_printf(ctx->arena, "column `%.*s`: %s", AX_FMT(name),
                                         at == SIZE_MAX ? "there is none of this name"
                                                        : "it holds categories, not numbers");
        if (!verdict->message.at)
            return no_memory(ctx);
    }
    return AX_OK;
}

static ax_status
judge(struct ax_ctx *ctx, struct judging *judging, struct ax_expectation_verdict *verdict)
{
    switch (judging->expectation->kind) {
    case AX_EXPECT_COLUMN:
        verdict->success = true;
        return AX_OK;
    case AX_EXPECT_TYPE:
        verdict->success = judging->columns[0]->kind == judging->expectation->type;
        return AX_OK;
    case AX_EXPECT_ROW_COUNT:
        verdict->observed = (double)judging->frame->row_count;
        verdict->success = within(judging->expectation, verdict->observed);
        return AX_OK;
    case AX_EXPECT_MEAN:
    case AX_EXPECT_MIN:
    case AX_EXPECT_MAX:
        judge_figure(judging, verdict);
        return AX_OK;
    case AX_EXPECT_STABLE:
        return judge_stable(ctx, judging, verdict);
    case AX_EXPECT_NOT_NULL:
    case AX_EXPECT_BETWEEN:
    case AX_EXPECT_IN_SET:
    case AX_EXPECT_UNIQUE:
    case AX_EXPECT_UNIQUE_ROWS:
    case AX_EXPECT_PAIR_GREATER:
        break;
    }
    return judge_rows(ctx, judging, verdict);
}

/* Rows are named as in the file: the header is row 1, the row with id 0 is row 2. */
static ax_status
say(struct ax_ctx *ctx, const struct judging *judging, struct ax_expectation_verdict *verdict)
{
    const struct ax_expectation *expectation = judging->expectation;
    ax_writer_auto struct ax_writer text = ax_writer_of(64 << 10);
    for (size_t i = 0; i < expectation->column_count; i++)
        ax_writer_print(&text, "%s`%.*s`", i ? ", " : "column ", AX_FMT(expectation->columns[i]));
    ax_writer_print(&text, "%sexpected that %s", expectation->column_count ? ": " : "",
                    expected_words[expectation->kind]);
    if (!verdict->judged)
        ax_writer_text(&text, "; the reference has no such column of its type");
    else if (isfinite(verdict->observed))
        ax_writer_print(&text, "; observed %.6g", verdict->observed);
    else if (verdict->unexpected_count > 0)
        ax_writer_print(&text, "; not so in %llu of %llu judged rows, the first is row %llu",
                        (unsigned long long)verdict->unexpected_count,
                        (unsigned long long)(verdict->element_count - verdict->missing_count),
                        (unsigned long long)judging->frame->row_ids[verdict->unexpected[0]] + 2);
    if (text.status != AX_OK || ax_writer_take(&text, ctx->arena, &verdict->message) != AX_OK)
        return no_memory(ctx);
    return AX_OK;
}

static ax_status
check_one(struct ax_ctx *ctx, struct judging *judging, struct ax_expectation_verdict *verdict)
{
    *verdict = (struct ax_expectation_verdict){
        .judged = true, .element_count = judging->frame->row_count, .observed = (double)NAN};
    AX_TRY(find_columns(ctx, judging, verdict));
    if (!verdict->judged)
        return AX_OK;
    AX_TRY(judge(ctx, judging, verdict));
    return say(ctx, judging, verdict);
}

static ax_status
check_reference(struct ax_ctx *ctx, const struct ax_expectation_suite *suite)
{
    for (size_t i = 0; i < suite->count; i++) {
        if (suite->expectations[i].kind == AX_EXPECT_STABLE &&
            (!suite->reference || suite->reference->row_count == 0))
            return ax_fail(ctx, AX_INVALID,
                           "expectation %zu compares with a reference, and there is none", i);
    }
    return AX_OK;
}

ax_status
ax_data_validation_check(struct ax_ctx *ctx, const struct ax_frame *frame,
                         const struct ax_expectation_suite *suite,
                         struct ax_expectation_verdict **out_verdicts, bool *out_success)
{
    bool success = true;
    AX_TRY(check_reference(ctx, suite));
    if (frame->row_count >= UINT32_MAX)
        return ax_fail(ctx, AX_LIMIT, "%zu rows are too many to be judged at once",
                       frame->row_count);
    struct ax_expectation_verdict *verdicts =
        AX_NEW_ARRAY(ctx->arena, struct ax_expectation_verdict, suite->count + 1);
    if (!verdicts)
        return no_memory(ctx);
    for (size_t i = 0; i < suite->count; i++) {
        struct judging judging = {
            .frame = frame, .reference = suite->reference, .expectation = &suite->expectations[i]};
        AX_TRY(check_one(ctx, &judging, &verdicts[i]));
        bool critical = suite->expectations[i].severity == AX_EXPECT_CRITICAL;
        success = success && (verdicts[i].success || !critical);
    }
    *out_verdicts = verdicts;
    *out_success = success;
    return AX_OK;
}
