#include <math.h>
#include <stdio.h>

#include "base/number.h"
#include "base/writer.h"
#include "cli/command.h"
#include "cli/commands_score_graph.h"
#include "codec/csv.h"
#include "engine/engine.h"

enum { ROWS_A_CALL = 1024, LINE_BYTES_MAX = 64 << 20 };

/* One scoring run: where each feature stands in the input, and the memory of a block of rows. */
struct job {
    struct ax_engine *engine;
    const struct ax_engine_signature *signature;
    unsigned output; /* one of AX_ENGINE_... */
    size_t *column_of;
    double *rows;
    double *numbers; /* the output, row after row */
    int32_t *leaves;
    size_t width; /* numbers a row */
    void *scratch;
    double missing;
    bool missing_given;
    struct ax_writer *out;
};

static const struct {
    const char *name;
    unsigned bit;
} outputs[] = {
    {"response", AX_ENGINE_RESPONSE},
    {"margin", AX_ENGINE_MARGIN},
    {"contributions", AX_ENGINE_CONTRIBUTIONS},
    {"leaf", AX_ENGINE_LEAF},
};

static ax_status
choose_output(struct ax_ctx *ctx, ax_str name, struct job *job)
{
    for (size_t i = 0; i < AX_COUNT_OF(outputs); i++)
        if (ax_str_eq(name, ax_str_of(outputs[i].name)))
            job->output = outputs[i].bit;
    if (!job->output)
        return ax_fail(ctx, AX_INVALID,
                       "--output must be response, margin, contributions or leaf, not \"%.*s\"",
                       AX_FMT(name));
    if (!(job->signature->outputs & job->output))
        return ax_fail(ctx, AX_UNSUPPORTED, "this model gives no %.*s", AX_FMT(name));
    return AX_OK;
}

/* Columns are matched by name when the input has every feature's name, else by order. */
static ax_status
match_columns(struct ax_ctx *ctx, const struct ax_csv *csv, struct job *job)
{
    size_t count = job->signature->feature_count, found = 0;
    job->column_of = AX_NEW_ARRAY(ctx->arena, size_t, count + 1);
    if (!job->column_of)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu columns", count);
    for (size_t i = 0; i < count; i++) {
        job->column_of[i] = ax_csv_column(csv, job->signature->features[i].name);
        found += job->column_of[i] != SIZE_MAX;
    }
    if (found == count)
        return AX_OK;
    size_t given = ax_csv_header(csv)->count;
    if (given != count)
        return ax_fail(ctx, AX_INVALID,
                       "the model has %zu features; the input has %zu columns, of which %zu are "
                       "named like features",
                       count, given, found);
    for (size_t i = 0; i < count; i++)
        job->column_of[i] = i;
    return AX_OK;
}

static size_t
width_of(const struct ax_engine_signature *signature, unsigned output)
{
    switch (output) {
    case AX_ENGINE_RESPONSE:
        return signature->response_count;
    case AX_ENGINE_MARGIN:
        return signature->margin_count;
    case AX_ENGINE_CONTRIBUTIONS:
        return signature->margin_count * (signature->feature_count + 1);
    default:
        return signature->tree_count;
    }
}

static ax_status
reserve(struct ax_ctx *ctx, struct job *job)
{
    size_t scratch_bytes = ax_engine_scratch_bytes(job->engine, job->output, NULL);
    job->width = width_of(job->signature, job->output);
    job->rows = AX_NEW_ARRAY(ctx->arena, double, ROWS_A_CALL *(job->signature->feature_count + 1));
    job->numbers = AX_NEW_ARRAY(ctx->arena, double, ROWS_A_CALL *(job->width + 1));
    job->leaves = AX_NEW_ARRAY(ctx->arena, int32_t, ROWS_A_CALL * (job->width + 1));
    job->scratch = ax_arena_alloc(ctx->arena, 1, scratch_bytes + 1);
    if (!job->rows || !job->numbers || !job->leaves || !job->scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory for %d rows", ROWS_A_CALL);
    return AX_OK;
}

/* "response", or "margin_0", "margin_1" ... where there are several; features for contributions. */
static void
print_header(const struct job *job, const char *output)
{
    size_t block = job->signature->feature_count + 1;
    for (size_t i = 0; i < job->width; i++) {
        if (i)
            ax_writer_char(job->out, ',');
        if (job->output == AX_ENGINE_CONTRIBUTIONS) {
            size_t feature = i % block;
            ax_str name =
                feature + 1 == block ? AX_STR("bias") : job->signature->features[feature].name;
            if (job->signature->margin_count > 1)
                ax_writer_print(job->out, "%.*s_%zu", AX_FMT(name), i / block);
            else
                ax_writer_bytes(job->out, name);
        } else if (job->width == 1) {
            ax_writer_text(job->out, output);
        } else {
            ax_writer_print(job->out, "%s_%zu", output, i);
        }
    }
    ax_writer_char(job->out, '\n');
}

static void
print_rows(const struct job *job, size_t row_count)
{
    bool narrow = job->signature->output == AX_ENGINE_F32 && job->output != AX_ENGINE_CONTRIBUTIONS;
    char text[AX_NUMBER_BYTES_MAX];
    for (size_t i = 0; i < row_count * job->width; i++) {
        size_t len;
        if (job->output == AX_ENGINE_LEAF)
            len = ax_format_i64(job->leaves[i], text);
        else if (narrow)
            len = ax_format_f32((float)job->numbers[i], text);
        else
            len = ax_format_f64(job->numbers[i], text);
        ax_writer_bytes(job->out, (ax_str){text, len});
        ax_writer_char(job->out, (i + 1) % job->width ? ',' : '\n');
    }
}

static ax_status
score_block(struct ax_ctx *ctx, struct job *job, size_t row_count)
{
    const struct ax_engine_call call = {
        .rows = {.at = job->rows,
                 .count = row_count,
                 .type = AX_ENGINE_F64,
                 .missing_given = job->missing_given,
                 .missing = job->missing},
        .outputs = job->output,
    };
    const struct ax_engine_answer answer = {
        .response = job->numbers,
        .margin = job->numbers,
        .contributions = job->numbers,
        .leaf = job->leaves,
    };
    AX_TRY(ax_engine_score(job->engine, ctx, &call, job->scratch, &answer));
    print_rows(job, row_count);
    if (job->out->status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu rows of output", row_count);
    fwrite(job->out->at, 1, job->out->len, stdout);
    ax_writer_clear(job->out);
    return AX_OK;
}

static ax_status
take_cell(struct ax_ctx *ctx, const struct job *job, const struct ax_csv_row *row, size_t feature,
          double *out)
{
    const struct ax_engine_feature *of = &job->signature->features[feature];
    ax_str cell = row->fields[job->column_of[feature]];
    *out = (double)NAN;
    if (cell.len == 0 || (of->categories && ax_engine_category_find(of, cell, out)) ||
        ax_parse_f64(ax_str_trim(cell), out)) /* a category may be given as its code, too */
        return AX_OK;
    return ax_fail(ctx, AX_INVALID, "row %zu (line %zu), column `%.*s`: \"%.*s\" is %s",
                   row->number, row->line, AX_FMT(of->name), AX_FMT(cell),
                   of->categories ? "none of its categories" : "not a number");
}

static ax_status
score_all(struct ax_ctx *ctx, struct ax_csv *csv, struct job *job)
{
    size_t count = job->signature->feature_count, filled = 0;
    struct ax_csv_row row;
    for (;;) {
        AX_TRY(ax_csv_next(csv, ctx, &row));
        if (!row.fields)
            break;
        for (size_t i = 0; i < count; i++)
            AX_TRY(take_cell(ctx, job, &row, i, &job->rows[filled * count + i]));
        if (++filled == ROWS_A_CALL) {
            AX_TRY(score_block(ctx, job, filled));
            filled = 0;
        }
    }
    return filled ? score_block(ctx, job, filled) : AX_OK;
}

/* Without --output, a graph prints what it gives. */
static ax_status
score_graph(struct ax_ctx *ctx, const struct job *job, ax_str input)
{
    const struct ax_score_graph_options options = {.missing_given = job->missing_given,
                                                   .missing = job->missing};
    ax_str text;
    AX_TRY(ax_command_read(ctx, input, &text));
    ax_status status = ax_score_graph(ctx, job->engine, text, &options);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "%.*s", AX_FMT(input));
}

static ax_status
score(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    ax_str model = {}, input = {}, output = {}, missing = {};
    const struct ax_option options[] = {
        {.name = "--model", .out_value = &model},
        {.name = "--input", .out_value = &input},
        {.name = "--output", .out_value = &output},
        {.name = "--missing", .out_value = &missing},
    };
    AX_TRY(ax_command_options(ctx, argument_count, arguments, options, AX_COUNT_OF(options), NULL));
    if (!model.at || !input.at)
        return ax_fail(ctx, AX_INVALID, "`--model FILE` and `--input ROWS.csv` are needed");

    ax_writer_auto struct ax_writer out = ax_writer_of(LINE_BYTES_MAX);
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    struct job job = {.out = &out};
    struct ax_csv *csv = NULL;
    ax_str bytes, text;
    AX_TRY(ax_command_read(ctx, model, &bytes));
    ax_status status = ax_engine_open(ctx, bytes, NULL, &engine);
    if (status != AX_OK)
        return ax_explain(ctx, status, "%.*s", AX_FMT(model));
    job.engine = engine;
    job.signature = ax_engine_signature(engine);
    job.missing_given = missing.at != NULL;
    if (job.missing_given && !ax_parse_f64(missing, &job.missing))
        return ax_fail(ctx, AX_INVALID, "--missing must be a number, not \"%.*s\"",
                       AX_FMT(missing));
    if (!output.at && ax_engine_graph(engine))
        return score_graph(ctx, &job, input);
    output = output.at ? output : AX_STR("response");
    AX_TRY(choose_output(ctx, output, &job));
    AX_TRY(ax_command_read(ctx, input, &text));
    status = ax_csv_open(ctx, text, NULL, &csv);
    if (status == AX_OK)
        status = match_columns(ctx, csv, &job);
    if (status == AX_OK)
        status = reserve(ctx, &job);
    if (status == AX_OK) {
        print_header(&job, ax_str_c(ctx->arena, output));
        status = score_all(ctx, csv, &job);
    }
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "%.*s", AX_FMT(input));
}

const struct ax_command ax_command_score = {
    .name = "score",
    .summary = "score the rows of a CSV file with a model file",
    .help = "usage: axiom score --model FILE --input ROWS.csv [--output OUTPUT] [--missing VALUE]\n"
            "\n"
            "  --model FILE      a model file; its format is found from its content\n"
            "  --input ROWS.csv  a header, then one row a line; an empty cell is missing; columns\n"
            "                    are matched by name when all are there, else by order\n"
            "  --output OUTPUT   response (default), margin, contributions or leaf; without it a\n"
            "                    graph (ONNX) prints all its outputs, elements side by side\n"
            "  --missing VALUE   this number is missing too\n"
            "\n"
            "Prints CSV: a header, then a line a row, numbers in their shortest exact form.\n"
            "\n"
            "  axiom score --model credit.json --input applicants.csv --output contributions\n",
    .run = score,
};
