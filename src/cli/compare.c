#include "cli/compare.h"

#include <math.h>

#include "cli/model_rows.h"
#include "codec/csv.h"
#include "engine/engine.h"

enum { ROWS_A_CALL = 256 };

/* One of the two models, and the memory of a block of rows. */
struct side {
    const struct ax_engine *engine;
    struct ax_model_rows columns;
    double *rows, *numbers;
    void *scratch;
};

struct block {
    size_t count;
    size_t row[ROWS_A_CALL], line[ROWS_A_CALL];
};

static size_t
width_of(const struct ax_engine *engine, unsigned output)
{
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    return output == AX_ENGINE_MARGIN ? signature->margin_count : signature->response_count;
}

static ax_status
reserve(struct ax_ctx *ctx, const struct ax_csv *csv, const struct ax_compare_config *config,
        struct side *side)
{
    const struct ax_engine_signature *signature = ax_engine_signature(side->engine);
    size_t scratch_bytes = ax_engine_scratch_bytes(side->engine, config->output, NULL);
    AX_TRY(ax_model_rows_match(ctx, csv, signature, &side->columns));
    side->rows = AX_NEW_ARRAY(ctx->arena, double, ROWS_A_CALL *(signature->feature_count + 1));
    side->numbers =
        AX_NEW_ARRAY(ctx->arena, double, ROWS_A_CALL *width_of(side->engine, config->output));
    side->scratch = ax_arena_alloc(ctx->arena, 1, scratch_bytes + 1);
    if (!side->rows || !side->numbers || !side->scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory for %d rows", ROWS_A_CALL);
    return AX_OK;
}

static ax_status
score(struct ax_ctx *ctx, const struct ax_compare_config *config, size_t row_count,
      struct side *side)
{
    const struct ax_engine_call call = {
        .rows = {.at = side->rows,
                 .count = row_count,
                 .type = AX_ENGINE_F64,
                 .missing_given = config->missing_given,
                 .missing = config->missing},
        .outputs = config->output,
    };
    const struct ax_engine_answer answer = {.response = side->numbers, .margin = side->numbers};
    return ax_engine_score(side->engine, ctx, &call, side->scratch, &answer);
}

/* How far apart two numbers are; two that are NaN, or the same infinity, are not. */
static double
apart(double a, double b)
{
    if (a == b || (isnan(a) && isnan(b)))
        return 0;
    double difference = fabs(a - b);
    return isnan(difference) ? (double)INFINITY : difference;
}

static bool
beyond(double difference, double a, double b, double tolerance)
{
    if (difference == 0)
        return false;
    return tolerance == 0 || !(difference <= tolerance * fmax(1, fmax(fabs(a), fabs(b))));
}

static void
compare_row(const struct block *block, size_t index, const struct side sides[2],
            const struct ax_compare_config *config, struct ax_compare_result *result)
{
    size_t width = result->column_count;
    bool differs = false;
    for (size_t k = 0; k < width; k++) {
        struct ax_compare_spot spot = {.row = block->row[index],
                                       .line = block->line[index],
                                       .column = k,
                                       .a = sides[0].numbers[index * width + k],
                                       .b = sides[1].numbers[index * width + k]};
        double difference = apart(spot.a, spot.b);
        if (difference > result->largest) {
            result->largest = difference;
            result->largest_at = spot;
        }
        if (differs || !beyond(difference, spot.a, spot.b, config->tolerance))
            continue;
        differs = true;
        if (result->spot_count < AX_COMPARE_SPOTS_MAX)
            result->spots[result->spot_count++] = spot;
    }
    result->differing += differs;
    result->row_count++;
}

static ax_status
compare_block(struct ax_ctx *ctx, struct block *block, struct side sides[2],
              const struct ax_compare_config *config, struct ax_compare_result *result)
{
    static const char *const names[] = {"the first model", "the second model"};
    for (size_t s = 0; s < 2; s++) {
        ax_status status = score(ctx, config, block->count, &sides[s]);
        if (status != AX_OK)
            return ax_explain(ctx, status, "%s", names[s]);
    }
    for (size_t i = 0; i < block->count; i++)
        compare_row(block, i, sides, config, result);
    block->count = 0;
    return AX_OK;
}

static ax_status
compare_rows(struct ax_ctx *ctx, struct ax_csv *csv, struct side sides[2],
             const struct ax_compare_config *config, struct ax_compare_result *result)
{
    struct block block = {};
    struct ax_csv_row row;
    for (;;) {
        AX_TRY(ax_csv_next(csv, ctx, &row));
        if (!row.fields)
            break;
        for (size_t s = 0; s < 2; s++) {
            size_t count = sides[s].columns.signature->feature_count;
            AX_TRY(ax_model_rows_take(ctx, &sides[s].columns, &row,
                                      &sides[s].rows[block.count * count]));
        }
        block.row[block.count] = row.number;
        block.line[block.count++] = row.line;
        if (block.count == ROWS_A_CALL)
            AX_TRY(compare_block(ctx, &block, sides, config, result));
    }
    return block.count ? compare_block(ctx, &block, sides, config, result) : AX_OK;
}

ax_status
ax_compare_models(struct ax_ctx *ctx, const struct ax_engine *const engines[2], ax_str text,
                  const struct ax_compare_config *config, struct ax_compare_result *out_result)
{
    struct ax_csv *csv = NULL;
    struct side sides[2] = {{.engine = engines[0]}, {.engine = engines[1]}};
    struct ax_compare_result result = {.column_count = width_of(engines[0], config->output)};
    if (width_of(engines[1], config->output) != result.column_count)
        return ax_fail(ctx, AX_INVALID, "the first model has %zu outputs, the second %zu",
                       result.column_count, width_of(engines[1], config->output));
    AX_TRY(ax_csv_open(ctx, text, NULL, &csv));
    for (size_t s = 0; s < 2; s++)
        AX_TRY(reserve(ctx, csv, config, &sides[s]));
    AX_TRY(compare_rows(ctx, csv, sides, config, &result));
    *out_result = result;
    return AX_OK;
}
