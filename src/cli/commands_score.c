#include <stdio.h>
#include <unistd.h>

#include "base/number.h"
#include "cli/command.h"
#include "cli/commands_score_graph.h"
#include "cli/progress.h"
#include "cli/score_parts.h"
#include "cli/score_rows.h"
#include "sys/file.h"

enum { HEADER_BYTES_MAX = 64 << 20, REFERENCES_BYTES_MAX = 256 << 20 };

/* One scoring run. */
struct job {
    const struct ax_csv_stream *stream;
    struct ax_score_rows *rows;
    struct ax_progress progress;
};

static ax_status
job_open(void *arg, struct ax_ctx *ctx, void **out_own)
{
    struct job *job = arg;
    struct ax_score_block *block = AX_NEW(ctx->arena, struct ax_score_block);
    if (!block)
        return ax_fail(ctx, AX_LIMIT, "no memory for a block of rows");
    *out_own = block;
    return ax_score_rows_block(job->rows, ctx, block);
}

static ax_status
job_work(void *arg, void *own, struct ax_ctx *ctx, const struct ax_csv_part *part,
         struct ax_writer *lines, size_t *out_rows)
{
    struct job *job = arg;
    struct ax_score_block *block = own;
    struct ax_csv *csv;
    AX_TRY(ax_csv_stream_rows(job->stream, ctx, part, &csv));
    *out_rows = 0;
    do {
        AX_TRY(ax_score_rows_next(job->rows, ctx, csv, block));
        ax_score_rows_print(job->rows, block, lines);
        *out_rows += block->count;
    } while (block->count > 0);
    return AX_OK;
}

static ax_status
print(struct ax_ctx *ctx, ax_str lines)
{
    if (fwrite(lines.at, 1, lines.len, stdout) == lines.len)
        return AX_OK;
    return ax_fail(ctx, AX_UNAVAILABLE, "standard output takes no more");
}

static ax_status
job_give(void *arg, struct ax_ctx *ctx, ax_str lines, size_t rows, size_t bytes)
{
    struct job *job = arg;
    AX_TRY(print(ctx, lines));
    ax_progress_add(&job->progress, rows, bytes);
    return AX_OK;
}

static ax_status
print_header(struct ax_ctx *ctx, const struct ax_score_rows *rows)
{
    ax_writer_auto struct ax_writer line = ax_writer_of(HEADER_BYTES_MAX);
    ax_score_rows_header(rows, &line);
    return line.status == AX_OK ? print(ctx, ax_writer_str(&line))
                                : ax_fail(ctx, AX_LIMIT, "no memory for the header");
}

/* What is done with a table: its outputs by name, or without a name all that a graph gives. */
struct request {
    const struct ax_engine *engine;
    struct ax_score_rows_config config;
    ax_str input;
    size_t threads;
};

static ax_status
score_rows(struct ax_ctx *ctx, const struct request *request, struct job *job,
           struct ax_csv_stream *table)
{
    const struct ax_score_parts_work work = {
        .arg = job, .open = job_open, .work = job_work, .give = job_give};
    AX_TRY(ax_score_rows_match(job->rows, ctx, ax_csv_stream_header(table)));
    AX_TRY(print_header(ctx, job->rows));
    return ax_score_parts_run(ctx, table, &work, request->threads);
}

static ax_status
score_graph(struct ax_ctx *ctx, const struct request *request, struct job *job,
            struct ax_csv_stream *table)
{
    const struct ax_score_graph_options options = {
        .missing_given = request->config.missing_given,
        .missing = request->config.missing,
        .threads = request->threads,
        .give = job_give,
        .give_arg = job,
    };
    return ax_score_graph(ctx, request->engine, table, &options);
}

static ax_status
score_table(struct ax_ctx *ctx, const struct request *request)
{
    struct job job = {};
    ax_command_table_auto struct ax_command_table table = {};
    if (request->config.outputs.at)
        AX_TRY(ax_score_rows_open(ctx, request->engine, &request->config, &job.rows));
    AX_TRY(ax_command_table_open(ctx, request->input, &table));
    /* The line of progress would stand between rows that go to the same terminal. */
    bool watched = isatty(STDERR_FILENO) == 1 && isatty(STDOUT_FILENO) == 0;
    job.stream = table.stream;
    job.progress = ax_progress_of(watched ? stderr : NULL, table.bytes);
    ax_status status = job.rows ? score_rows(ctx, request, &job, table.stream)
                                : score_graph(ctx, request, &job, table.stream);
    ax_progress_done(&job.progress);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "%.*s", AX_FMT(request->input));
}

/* The rows that contributions are taken against. */
static ax_status
open_references(struct ax_ctx *ctx, ax_str path, const struct ax_engine *engine,
                const struct ax_score_rows_config *config,
                struct ax_engine_background **out_background)
{
    ax_str text;
    struct ax_csv *csv;
    ax_status status = ax_file_read_all(ctx, path, REFERENCES_BYTES_MAX, &text);
    if (status == AX_OK)
        status = ax_csv_open(ctx, text, NULL, &csv);
    if (status == AX_OK)
        status = ax_score_rows_background(ctx, engine, config, csv, out_background);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "%.*s", AX_FMT(path));
}

static ax_status
score(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    ax_str model = {}, missing = {}, references = {}, threads = AX_STR("1");
    ax_str mode = AX_STR("exact");
    struct ax_engine_config allowed = {};
    struct request request = {};
    struct ax_score_rows_config *config = &request.config;
    const struct ax_option options[] = {
        {.name = "--model", .out_value = &model},
        {.name = "--input", .out_value = &request.input},
        {.name = "--output", .out_value = &config->outputs},
        {.name = "--missing", .out_value = &missing},
        {.name = "--references", .out_value = &references},
        {.name = "--threads", .out_value = &threads},
        {.name = "--mode", .out_value = &mode},
        {.name = "--machine-code", .out_given = &allowed.forest_code},
        {.name = "--leaf-masks", .out_given = &allowed.leaf_masks},
    };
    int64_t thread_count;
    AX_TRY(ax_command_options(ctx, argument_count, arguments, options, AX_COUNT_OF(options), NULL));
    if (!model.at || !request.input.at)
        return ax_fail(ctx, AX_INVALID, "`--model FILE` and `--input ROWS.csv` are needed");
    config->missing_given = missing.at != NULL;
    if (config->missing_given && !ax_parse_f64(missing, &config->missing))
        return ax_fail(ctx, AX_INVALID, "--missing must be a number, not \"%.*s\"",
                       AX_FMT(missing));
    if (!ax_engine_mode_parse(mode, &config->mode))
        return ax_fail(ctx, AX_INVALID, "--mode must be exact or fast, not \"%.*s\"", AX_FMT(mode));
    if (!ax_parse_i64(threads, &thread_count) || thread_count < 1 ||
        thread_count > AX_SCORE_PARTS_THREADS_MAX)
        return ax_fail(ctx, AX_INVALID, "--threads must be 1 to %d, not \"%.*s\"",
                       (int)AX_SCORE_PARTS_THREADS_MAX, AX_FMT(threads));
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    AX_TRY(ax_command_model(ctx, model, &allowed, &engine));
    if (!config->outputs.at && !ax_engine_graph(engine))
        config->outputs = AX_STR("response");
    ax_auto(ax_engine_background_close) struct ax_engine_background *background = NULL;
    if (references.at)
        AX_TRY(open_references(ctx, references, engine, config, &background));
    config->background = background;
    request.engine = engine;
    request.threads = (size_t)thread_count;
    return score_table(ctx, &request);
}

const struct ax_command ax_command_score = {
    .name = "score",
    .summary = "score the rows of a CSV file with a model file",
    .help =
        "usage: axiom score --model FILE --input ROWS.csv [options]\n"
        "\n"
        "  --model FILE      a model file; its format is found from its content\n"
        "  --input ROWS.csv  a header, then one row a line; an empty cell is missing; columns\n"
        "                    are matched by name when all are there, else by order; - is\n"
        "                    standard input; a file may be larger than memory\n"
        "  --output OUTPUT   response (default), margin, contributions, interactions, leaf or\n"
        "                    points, or several: margin,contributions; without it a graph\n"
        "                    (ONNX) prints all its outputs, elements side by side\n"
        "  --references FILE contributions are taken against these rows, which the model's own\n"
        "                    training cover is no part of; a CSV like the input\n"
        "  --missing VALUE   this number is missing too\n"
        "  --threads N       work with N threads (default 1); the answer is the same\n"
        "  --mode MODE       exact (default): trees are added as their library adds them; fast: "
        "in\n"
        "                    runs of eight, another rounding, the same on every machine\n"
        "  --machine-code    many rows by machine code that is made for the model, where the\n"
        "                    processor has AVX-512; the answer is the same\n"
        "  --leaf-masks      single rows by leaf masks where they are quicker: a patent\n"
        "                    application is told of for the method (docs/kernels.md)\n"
        "\n"
        "Prints CSV: a header, then a line a row, numbers in their shortest exact form. How far\n"
        "a long run is, is shown on a terminal.\n"
        "\n"
        "  axiom score --model credit.json --input applicants.csv --output contributions\n",
    .run = score,
};
