#include "cli/score_rows.h"

#include <math.h>

#include "base/assert.h"
#include "base/number.h"

enum { BLOCK_ROWS = 1'024, BLOCK_NUMBERS = 1 << 22 }; /* fewer rows of a very wide answer */

static const struct {
    const char *name;
    unsigned bit;
} outputs[] = {
    {"response", AX_ENGINE_RESPONSE},
    {"margin", AX_ENGINE_MARGIN},
    {"contributions", AX_ENGINE_CONTRIBUTIONS},
    {"leaf", AX_ENGINE_LEAF},
    {"points", AX_ENGINE_POINTS},
    {"interactions", AX_ENGINE_INTERACTIONS},
};

enum { OUTPUTS = AX_COUNT_OF(outputs) };

/* One output that is wanted, in the order of the request. */
struct wanted {
    size_t output; /* place in `outputs` */
    size_t width;  /* columns */
    size_t first;  /* its first column of the answer */
};

struct ax_score_rows {
    const struct ax_engine *engine;
    const struct ax_engine_signature *signature;
    struct ax_score_rows_config config;
    struct wanted wanted[OUTPUTS];
    size_t wanted_count;
    unsigned bits;
    size_t width;
    size_t block_rows;
    size_t *column_of; /* where each feature stands in the table */
};

/* What the engine writes to: one array an output. */
struct answers {
    double *numbers[OUTPUTS];
    int32_t *leaves;
    void *scratch;
};

static size_t
width_of(const struct ax_engine_signature *signature, unsigned bit)
{
    switch (bit) {
    case AX_ENGINE_RESPONSE:
        return signature->response_count;
    case AX_ENGINE_MARGIN:
        return signature->margin_count;
    case AX_ENGINE_CONTRIBUTIONS:
        return signature->margin_count * (signature->feature_count + 1);
    case AX_ENGINE_INTERACTIONS:
        return signature->margin_count * (signature->feature_count + 1) *
               (signature->feature_count + 1);
    case AX_ENGINE_LEAF:
        return signature->tree_count;
    default:
        return 1;
    }
}

/* Why the model does not give an output, and what would help. */
static ax_status
fail_output(struct ax_ctx *ctx, const struct ax_score_rows *rows, unsigned bit, ax_str name)
{
    const struct ax_engine_signature *signature = rows->signature;
    static const ax_str why = AX_STR("no contributions: ");
    if (bit == AX_ENGINE_CONTRIBUTIONS && signature->background)
        return ax_fail(ctx, AX_UNSUPPORTED,
                       "this model gives contributions against reference rows alone: --references");
    if (bit == AX_ENGINE_INTERACTIONS && rows->config.background)
        return ax_fail(ctx, AX_UNSUPPORTED, "interactions are given without --references only");
    for (size_t i = 0; bit == AX_ENGINE_CONTRIBUTIONS && i < signature->note_count; i++)
        if (ax_str_starts(signature->notes[i], why)) {
            ax_str words = ax_str_from(signature->notes[i], why.len);
            return ax_fail(ctx, AX_UNSUPPORTED, "this model gives no contributions: %.*s",
                           AX_FMT(words));
        }
    return ax_fail(ctx, AX_UNSUPPORTED, "this model gives no %.*s", AX_FMT(name));
}

static ax_status
want_output(struct ax_ctx *ctx, ax_str name, struct ax_score_rows *rows)
{
    size_t output = 0;
    while (output < OUTPUTS && !ax_str_eq(name, ax_str_of(outputs[output].name)))
        output++;
    if (output == OUTPUTS)
        return ax_fail(
            ctx, AX_INVALID,
            "--output must be response, margin, contributions, interactions, leaf or points, not "
            "\"%.*s\"",
            AX_FMT(name));
    unsigned bit = outputs[output].bit, given = rows->signature->outputs;
    if (rows->config.background)
        given = (given | AX_ENGINE_CONTRIBUTIONS) & ~(unsigned)AX_ENGINE_INTERACTIONS;
    if (!(given & bit))
        return fail_output(ctx, rows, bit, name);
    if (rows->bits & bit)
        return ax_fail(ctx, AX_INVALID, "--output names %.*s twice", AX_FMT(name));
    size_t width = width_of(rows->signature, bit);
    rows->wanted[rows->wanted_count++] = (struct wanted){output, width, rows->width};
    rows->bits |= bit;
    rows->width += width;
    return AX_OK;
}

ax_status
ax_score_rows_open(struct ax_ctx *ctx, const struct ax_engine *engine,
                   const struct ax_score_rows_config *config, struct ax_score_rows **out_rows)
{
    AX_ASSERT(config->outputs.at);
    struct ax_score_rows *rows = AX_NEW(ctx->arena, struct ax_score_rows);
    if (!rows)
        return ax_fail(ctx, AX_LIMIT, "no memory to score rows");
    rows->engine = engine;
    rows->signature = ax_engine_signature(engine);
    rows->config = *config;
    ax_str rest = config->outputs, name;
    while (ax_str_cut(&rest, ',', &name))
        AX_TRY(want_output(ctx, name, rows));
    rows->block_rows =
        rows->width > BLOCK_NUMBERS / BLOCK_ROWS ? BLOCK_NUMBERS / rows->width + 1 : BLOCK_ROWS;
    *out_rows = rows;
    return AX_OK;
}

ax_status
ax_score_rows_match(struct ax_score_rows *rows, struct ax_ctx *ctx, const struct ax_csv_row *header)
{
    size_t count = rows->signature->feature_count, found = 0;
    rows->column_of = AX_NEW_ARRAY(ctx->arena, size_t, count + 1);
    if (!rows->column_of)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu columns", count);
    for (size_t i = 0; i < count; i++) {
        size_t column = 0;
        while (column < header->count &&
               !ax_str_eq(header->fields[column], rows->signature->features[i].name))
            column++;
        rows->column_of[i] = column;
        found += column < header->count;
    }
    if (found == count)
        return AX_OK;
    if (header->count != count)
        return ax_fail(ctx, AX_INVALID,
                       "the model has %zu features; the input has %zu columns, of which %zu are "
                       "named like features",
                       count, header->count, found);
    for (size_t i = 0; i < count; i++)
        rows->column_of[i] = i;
    return AX_OK;
}

size_t
ax_score_rows_width(const struct ax_score_rows *rows)
{
    return rows->width;
}

static const struct wanted *
wanted_of(const struct ax_score_rows *rows, size_t column)
{
    size_t w = rows->wanted_count - 1;
    while (rows->wanted[w].first > column)
        w--;
    return &rows->wanted[w];
}

/* A column of contributions; the one behind the features is the bias. */
static ax_str
feature_name(const struct ax_score_rows *rows, size_t feature)
{
    return feature == rows->signature->feature_count ? AX_STR("bias")
                                                     : rows->signature->features[feature].name;
}

void
ax_score_rows_name(const struct ax_score_rows *rows, size_t column, struct ax_writer *out)
{
    size_t side = rows->signature->feature_count + 1;
    const struct wanted *wanted = wanted_of(rows, column);
    const char *output = outputs[wanted->output].name;
    size_t place = column - wanted->first, margin = SIZE_MAX;
    if (outputs[wanted->output].bit == AX_ENGINE_CONTRIBUTIONS) {
        ax_writer_bytes(out, feature_name(rows, place % side));
        margin = place / side;
    } else if (outputs[wanted->output].bit == AX_ENGINE_INTERACTIONS) {
        ax_writer_bytes(out, feature_name(rows, place / side % side));
        ax_writer_char(out, ':');
        ax_writer_bytes(out, feature_name(rows, place % side));
        margin = place / (side * side);
    } else if (wanted->width == 1) {
        ax_writer_text(out, output);
    } else {
        ax_writer_print(out, "%s_%zu", output, place);
    }
    if (margin != SIZE_MAX && rows->signature->margin_count > 1)
        ax_writer_print(out, "_%zu", margin);
}

void
ax_score_rows_header(const struct ax_score_rows *rows, struct ax_writer *out)
{
    for (size_t i = 0; i < rows->width; i++) {
        if (i)
            ax_writer_char(out, ',');
        ax_score_rows_name(rows, i, out);
    }
    ax_writer_char(out, '\n');
}

/* ---- blocks ---- */

ax_status
ax_score_rows_block(const struct ax_score_rows *rows, struct ax_ctx *ctx,
                    struct ax_score_block *out_block)
{
    size_t scratch_bytes =
        ax_engine_scratch_bytes(rows->engine, rows->bits, rows->config.background);
    size_t room = rows->block_rows;
    struct answers *answers = AX_NEW(ctx->arena, struct answers);
    struct ax_score_block block = {.memory = answers};
    bool enough = answers != NULL;
    block.lines = AX_NEW_ARRAY(ctx->arena, size_t, room);
    block.cells = AX_NEW_ARRAY(ctx->arena, double, room *(rows->signature->feature_count + 1));
    block.numbers = AX_NEW_ARRAY(ctx->arena, double, room *(rows->width + 1));
    for (size_t w = 0; enough && w < rows->wanted_count; w++) {
        size_t count = room * (rows->wanted[w].width + 1);
        if (outputs[rows->wanted[w].output].bit == AX_ENGINE_LEAF) {
            answers->leaves = AX_NEW_ARRAY(ctx->arena, int32_t, count);
            enough = answers->leaves;
        } else {
            answers->numbers[rows->wanted[w].output] = AX_NEW_ARRAY(ctx->arena, double, count);
            enough = answers->numbers[rows->wanted[w].output];
        }
    }
    if (enough)
        answers->scratch = ax_arena_alloc(ctx->arena, 1, scratch_bytes + 1);
    if (!enough || !answers->scratch || !block.cells || !block.numbers || !block.lines)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu rows", room);
    *out_block = block;
    return AX_OK;
}

static ax_status
take_cell(struct ax_ctx *ctx, const struct ax_score_rows *rows, const struct ax_csv_row *row,
          size_t feature, double *out)
{
    const struct ax_engine_feature *of = &rows->signature->features[feature];
    ax_str cell = row->fields[rows->column_of[feature]];
    *out = (double)NAN;
    if (cell.len == 0 || (of->categories && ax_engine_category_find(of, cell, out)) ||
        ax_parse_f64(ax_str_trim(cell), out)) /* a category may be given as its code, too */
        return AX_OK;
    return ax_fail(ctx, AX_INVALID, "row %zu (line %zu), column `%.*s`: \"%.*s\" is %s",
                   row->number, row->line, AX_FMT(of->name), AX_FMT(cell),
                   of->categories ? "none of its categories" : "not a number");
}

static ax_status
read_rows(const struct ax_score_rows *rows, struct ax_ctx *ctx, struct ax_csv *csv,
          struct ax_score_block *block)
{
    size_t features = rows->signature->feature_count;
    for (block->count = 0; block->count < rows->block_rows; block->count++) {
        struct ax_csv_row row;
        AX_TRY(ax_csv_next(csv, ctx, &row));
        if (!row.fields)
            break;
        if (block->count == 0)
            block->first_number = row.number;
        block->lines[block->count] = row.line;
        for (size_t i = 0; i < features; i++)
            AX_TRY(take_cell(ctx, rows, &row, i, &block->cells[block->count * features + i]));
    }
    return AX_OK;
}

/* A number of each feature for every row there is, in ctx->arena. */
static ax_status
read_all(const struct ax_score_rows *rows, struct ax_ctx *ctx, struct ax_csv *csv,
         struct ax_engine_rows *out)
{
    size_t features = rows->signature->feature_count, count = 0, room = BLOCK_ROWS;
    double *cells = AX_NEW_ARRAY(ctx->arena, double, room *features);
    struct ax_csv_row row;
    for (; cells; count++) {
        AX_TRY(ax_csv_next(csv, ctx, &row));
        if (!row.fields)
            break;
        if (count == room) {
            double *more = AX_NEW_ARRAY(ctx->arena, double, 2 * room * features);
            if (more)
                memcpy(more, cells, room * features * sizeof *cells);
            room *= 2;
            cells = more;
        }
        for (size_t f = 0; cells && f < features; f++)
            AX_TRY(take_cell(ctx, rows, &row, f, &cells[count * features + f]));
    }
    if (!cells)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu rows", room);
    *out = (struct ax_engine_rows){.at = cells,
                                   .count = count,
                                   .type = AX_ENGINE_F64,
                                   .missing_given = rows->config.missing_given,
                                   .missing = rows->config.missing};
    return AX_OK;
}

ax_status
ax_score_rows_background(struct ax_ctx *ctx, const struct ax_engine *engine,
                         const struct ax_score_rows_config *config, struct ax_csv *csv,
                         struct ax_engine_background **out_background)
{
    struct ax_score_rows rows = {
        .engine = engine, .signature = ax_engine_signature(engine), .config = *config};
    struct ax_engine_rows all;
    AX_TRY(ax_score_rows_match(&rows, ctx, ax_csv_header(csv)));
    AX_TRY(read_all(&rows, ctx, csv, &all));
    return ax_engine_background_open(engine, ctx, &all, out_background);
}

/* The outputs of a row behind each other. */
static void
gather(const struct ax_score_rows *rows, struct ax_score_block *block)
{
    const struct answers *answers = block->memory;
    for (size_t w = 0; w < rows->wanted_count; w++) {
        const struct wanted *wanted = &rows->wanted[w];
        const double *from = answers->numbers[wanted->output];
        for (size_t r = 0; r < block->count; r++)
            for (size_t i = 0; i < wanted->width; i++)
                block->numbers[r * rows->width + wanted->first + i] =
                    from ? from[r * wanted->width + i]
                         : (double)answers->leaves[r * wanted->width + i];
    }
}

ax_status
ax_score_rows_next(const struct ax_score_rows *rows, struct ax_ctx *ctx, struct ax_csv *csv,
                   struct ax_score_block *block)
{
    struct answers *answers = block->memory;
    AX_TRY(read_rows(rows, ctx, csv, block));
    const struct ax_engine_call call = {
        .rows = {.at = block->cells,
                 .count = block->count,
                 .type = AX_ENGINE_F64,
                 .missing_given = rows->config.missing_given,
                 .missing = rows->config.missing},
        .outputs = rows->bits,
        .background = rows->config.background,
        .mode = rows->config.mode,
    };
    /* In the order of `outputs`. */
    const struct ax_engine_answer answer = {
        .response = answers->numbers[0],
        .margin = answers->numbers[1],
        .contributions = answers->numbers[2],
        .leaf = answers->leaves,
        .points = answers->numbers[4],
        .interactions = answers->numbers[5],
    };
    if (block->count > 0)
        AX_TRY(ax_engine_score(rows->engine, ctx, &call, answers->scratch, &answer));
    gather(rows, block);
    return AX_OK;
}

/* How a wanted output's numbers are shown. */
static size_t
format(const struct ax_score_rows *rows, const struct wanted *wanted, double number, char *out)
{
    unsigned bit = outputs[wanted->output].bit;
    if (bit == AX_ENGINE_LEAF)
        return ax_format_i64((int64_t)number, out);
    if (rows->signature->output == AX_ENGINE_F32 &&
        (bit == AX_ENGINE_RESPONSE || bit == AX_ENGINE_MARGIN))
        return ax_format_f32((float)number, out);
    return ax_format_f64(number, out);
}

void
ax_score_rows_print(const struct ax_score_rows *rows, const struct ax_score_block *block,
                    struct ax_writer *out)
{
    char text[AX_NUMBER_BYTES_MAX + 1];
    const double *number = block->numbers;
    for (size_t r = 0; r < block->count; r++)
        for (size_t w = 0; w < rows->wanted_count; w++)
            for (size_t i = 0; i < rows->wanted[w].width; i++) {
                size_t len = format(rows, &rows->wanted[w], *number++, text);
                text[len++] = rows->wanted[w].first + i + 1 == rows->width ? '\n' : ',';
                ax_writer_bytes(out, (ax_str){text, len});
            }
}

size_t
ax_score_rows_format(const struct ax_score_rows *rows, size_t column, double number, char *out)
{
    return format(rows, wanted_of(rows, column), number, out);
}
