#include "dataops/reference_population.h"

#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/number.h"
#include "codec/csv.h"
#include "numeric/random.h"
#include "numeric/stats.h"

enum { REFERENCE_STREAM = 0x2ef };

static const size_t CSV_BYTES_MAX = (size_t)1 << 30;

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a sample of rows");
}

static int
compare_rows(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* ---- which rows ---- */

/* The approved nearest to the cut-off, twice as many as wanted. */
static ax_status
pool_near_cutoff(struct ax_ctx *ctx, const double *probabilities, size_t row_count,
                 const struct ax_reference_config *config, uint32_t *out_pool, size_t *out_count)
{
    double *distance = AX_NEW_ARRAY(ctx->arena, double, row_count + 1);
    uint32_t *order = NULL;
    if (!distance)
        return no_memory(ctx);
    for (size_t i = 0; i < row_count; i++) {
        if (!(probabilities[i] >= 0 && probabilities[i] <= 1))
            return ax_fail(ctx, AX_INVALID, "the score of row %zu is no probability", i);
        bool approved = probabilities[i] < config->cutoff;
        distance[i] = approved ? config->cutoff - probabilities[i] : (double)NAN;
    }
    AX_TRY(ax_stats_order(ctx, distance, row_count, &order));
    size_t wanted = config->row_count < row_count / 2 ? 2 * config->row_count : row_count;
    size_t count = 0;
    while (count < wanted && !isnan(distance[order[count]])) {
        out_pool[count] = order[count];
        count++;
    }
    if (count == 0)
        return ax_fail(ctx, AX_INVALID, "no row is approved at a cut-off of %g", config->cutoff);
    *out_count = count;
    return AX_OK;
}

ax_status
ax_reference_draw(struct ax_ctx *ctx, const struct ax_frame *frame, const double *probabilities,
                  const struct ax_reference_config *config, struct ax_reference_sample *out_sample)
{
    AX_ASSERT(probabilities || config->method == AX_REFERENCE_ALL);
    AX_ASSERT(frame->row_count < UINT32_MAX);
    bool all = config->method == AX_REFERENCE_ALL;
    size_t count = frame->row_count;
    uint32_t *pool = AX_NEW_ARRAY(ctx->arena, uint32_t, frame->row_count + 1);
    if (!pool)
        return no_memory(ctx);
    if (count == 0 || config->row_count == 0)
        return ax_fail(ctx, AX_INVALID, "a reference population needs at least one row");
    for (size_t i = 0; i < count; i++)
        pool[i] = (uint32_t)i;
    if (!all)
        AX_TRY(pool_near_cutoff(ctx, probabilities, frame->row_count, config, pool, &count));
    struct ax_random random = ax_random_of(config->seed, REFERENCE_STREAM);
    ax_random_shuffle(&random, pool, count);
    count = count < config->row_count ? count : config->row_count;
    qsort(pool, count, sizeof *pool, compare_rows);
    struct ax_reference_sample sample = {.method = all ? "all_applicants" : "near_cutoff"};
    AX_TRY(ax_frame_take(ctx, frame, pool, count, &sample.rows));
    AX_TRY(ax_reference_csv(ctx, &sample.rows, NULL, 0, &sample.csv));
    sample.digest = ax_sha256(sample.csv);
    *out_sample = sample;
    return AX_OK;
}

ax_status
ax_reference_self_test(struct ax_ctx *ctx, const struct ax_frame *frame,
                       const double *probabilities, size_t row_count, struct ax_frame *out_rows)
{
    size_t count = row_count < frame->row_count ? row_count : frame->row_count;
    uint32_t *order = NULL;
    uint32_t *rows = AX_NEW_ARRAY(ctx->arena, uint32_t, count + 1);
    if (!rows)
        return no_memory(ctx);
    AX_TRY(ax_stats_order(ctx, probabilities, frame->row_count, &order));
    for (size_t i = 0; i < count; i++)
        rows[i] = order[count == 1 ? 0 : i * (frame->row_count - 1) / (count - 1)];
    qsort(rows, count, sizeof *rows, compare_rows);
    return ax_frame_take(ctx, frame, rows, count, out_rows);
}

/* ---- as text ---- */

static ax_status
put_header(struct ax_ctx *ctx, struct ax_writer *out, const struct ax_frame *frame,
           const struct ax_reference_extra *extra, size_t extra_count)
{
    ax_str *fields = AX_NEW_ARRAY(ctx->arena, ax_str, frame->column_count + extra_count + 1);
    if (!fields)
        return no_memory(ctx);
    for (size_t c = 0; c < frame->column_count; c++)
        fields[c] = frame->columns[c].name;
    for (size_t e = 0; e < extra_count; e++)
        fields[frame->column_count + e] = extra[e].name;
    ax_csv_put_row(out, fields, frame->column_count + extra_count);
    return AX_OK;
}

static void
put_number(struct ax_writer *out, double value, bool alone)
{
    char text[AX_NUMBER_BYTES_MAX];
    if (!isnan(value))
        ax_writer_bytes(out, (ax_str){text, ax_format_f64(value, text)});
    else if (alone)
        ax_writer_text(out, "\"\""); /* an empty line would be no row */
}

ax_status
ax_reference_csv(struct ax_ctx *ctx, const struct ax_frame *frame,
                 const struct ax_reference_extra *extra, size_t extra_count, ax_str *out_csv)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(CSV_BYTES_MAX);
    AX_TRY(put_header(ctx, &out, frame, extra, extra_count));
    size_t field_count = frame->column_count + extra_count;
    for (size_t r = 0; r < frame->row_count; r++) {
        for (size_t i = 0; i < field_count; i++) {
            const double *values = i < frame->column_count ? frame->columns[i].values
                                                           : extra[i - frame->column_count].values;
            if (i > 0)
                ax_writer_char(&out, ',');
            put_number(&out, values[r], field_count == 1);
        }
        ax_writer_char(&out, '\n');
    }
    if (out.status != AX_OK)
        return no_memory(ctx);
    return ax_writer_take(&out, ctx->arena, out_csv);
}
