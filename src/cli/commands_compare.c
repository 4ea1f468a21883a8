#include <stdio.h>

#include "base/number.h"
#include "cli/command.h"
#include "cli/score_difference.h"
#include "cli/score_rows.h"
#include "codec/json.h"

enum {
    REPORT_BYTES_MAX = 64 << 20,
    PART_BYTES_MAX = 64 << 20,
    SCRATCH_BYTES_MAX = 256 << 20,
};

/* Two models and one table. */
struct pair {
    const struct ax_engine_signature *signature; /* of the first model */
    ax_str names[2];                             /* of the files */
    struct ax_score_rows *rows[2];
    struct ax_score_block blocks[2];
    struct ax_score_difference difference;
    double *first_cells; /* of the first row that differs */
};

static void
compare_blocks(struct pair *pair)
{
    size_t features = pair->signature->feature_count, width = ax_score_rows_width(pair->rows[0]);
    const struct ax_score_block *block = &pair->blocks[0];
    for (size_t r = 0; r < block->count; r++) {
        const double *const answers[2] = {block->numbers + r * width,
                                          pair->blocks[1].numbers + r * width};
        if (ax_score_difference_add(&pair->difference, block->first_number + r, block->lines[r],
                                    answers, width))
            memcpy(pair->first_cells, block->cells + r * features, features * sizeof(double));
    }
}

static ax_status
next_block(struct ax_ctx *ctx, struct pair *pair, size_t model, struct ax_csv *table)
{
    ax_status status = ax_score_rows_next(pair->rows[model], ctx, table, &pair->blocks[model]);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "%.*s", AX_FMT(pair->names[model]));
}

static ax_status
compare_part(struct ax_ctx *ctx, const struct ax_csv_stream *stream, const struct ax_csv_part *part,
             struct pair *pair)
{
    struct ax_csv *tables[2];
    for (size_t m = 0; m < 2; m++)
        AX_TRY(ax_csv_stream_rows(stream, ctx, part, &tables[m]));
    do {
        for (size_t m = 0; m < 2; m++)
            AX_TRY(next_block(ctx, pair, m, tables[m]));
        compare_blocks(pair);
    } while (pair->blocks[0].count > 0);
    return AX_OK;
}

static ax_status
compare_table(struct ax_ctx *ctx, struct ax_csv_stream *stream, struct pair *pair)
{
    ax_auto(ax_arena_free) struct ax_arena *scratch = ax_arena_new(SCRATCH_BYTES_MAX);
    ax_writer_auto struct ax_writer room = ax_writer_of(PART_BYTES_MAX);
    struct ax_csv_part part;
    struct ax_arena *callers = ctx->arena;
    if (!scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory to compare rows");
    for (;;) {
        AX_TRY(ax_csv_stream_next(stream, ctx, &room, &part));
        if (part.text.len == 0)
            return AX_OK;
        ax_arena_reset(scratch);
        ctx->arena = scratch;
        ax_status status = compare_part(ctx, stream, &part, pair);
        ctx->arena = callers;
        AX_TRY(status);
    }
}

/* Both models must give the same columns of answers. */
static ax_status
open_pair(struct ax_ctx *ctx, struct ax_engine *const engines[2],
          const struct ax_score_rows_config *config, const struct ax_csv_row *header,
          struct pair *pair)
{
    pair->signature = ax_engine_signature(engines[0]);
    pair->first_cells = AX_NEW_ARRAY(ctx->arena, double, pair->signature->feature_count + 1);
    if (!pair->first_cells)
        return ax_fail(ctx, AX_LIMIT, "no memory for a row");
    for (size_t m = 0; m < 2; m++) {
        ax_status status = ax_score_rows_open(ctx, engines[m], config, &pair->rows[m]);
        if (status == AX_OK)
            status = ax_score_rows_match(pair->rows[m], ctx, header);
        if (status == AX_OK)
            status = ax_score_rows_block(pair->rows[m], ctx, &pair->blocks[m]);
        if (status != AX_OK)
            return ax_explain(ctx, status, "%.*s", AX_FMT(pair->names[m]));
    }
    size_t widths[2] = {ax_score_rows_width(pair->rows[0]), ax_score_rows_width(pair->rows[1])};
    return widths[0] == widths[1]
               ? AX_OK
               : ax_fail(ctx, AX_INVALID,
                         "the models cannot be compared: %.*s has %zu columns in the first and "
                         "%zu in the second",
                         AX_FMT(config->outputs), widths[0], widths[1]);
}

/* ---- the report ---- */

static void
put_number(const struct ax_score_rows *rows, size_t column, double number, struct ax_writer *out)
{
    char text[AX_NUMBER_BYTES_MAX];
    ax_writer_bytes(out, (ax_str){text, ax_score_rows_format(rows, column, number, text)});
}

static void
print_pair(const struct pair *pair, const char *what, const struct ax_score_pair *at,
           struct ax_writer *out)
{
    ax_writer_print(out, "%-18s %.3g at row %zu (line %zu), ", what, at->distance, at->row,
                    at->line);
    ax_score_rows_name(pair->rows[0], at->column, out);
    ax_writer_text(out, ": ");
    put_number(pair->rows[0], at->column, at->a, out);
    ax_writer_text(out, " against ");
    put_number(pair->rows[1], at->column, at->b, out);
    ax_writer_char(out, '\n');
}

/* A category by its word, where the model has words. */
static void
put_cell(const struct ax_engine_feature *feature, double cell, struct ax_writer *out)
{
    char text[AX_NUMBER_BYTES_MAX];
    if (feature->categories && cell >= 0 && cell < (double)feature->category_count)
        ax_writer_bytes(out, feature->categories[(size_t)cell]);
    else
        ax_writer_bytes(out, (ax_str){text, ax_format_f64(cell, text)});
}

static void
print_table(const struct pair *pair, struct ax_writer *out)
{
    const struct ax_score_difference *difference = &pair->difference;
    ax_writer_print(out, "rows               %zu\n", difference->row_count);
    ax_writer_print(out, "columns            %zu\n", ax_score_rows_width(pair->rows[0]));
    ax_writer_print(out, "rows that differ   %zu, by more than %g\n", difference->differing_count,
                    difference->tolerance);
    if (difference->most_absolute.distance > 0) {
        print_pair(pair, "most, absolute", &difference->most_absolute, out);
        print_pair(pair, "most, relative", &difference->most_relative, out);
    }
    if (difference->differing_count == 0)
        return;
    print_pair(pair, "first", &difference->first, out);
    for (size_t f = 0; f < pair->signature->feature_count; f++) {
        ax_writer_print(out, "  %-40.*s ", AX_FMT(pair->signature->features[f].name));
        put_cell(&pair->signature->features[f], pair->first_cells[f], out);
        ax_writer_char(out, '\n');
    }
}

static void
put_pair(const struct pair *pair, const char *name, const struct ax_score_pair *at,
         struct ax_json_writer *json)
{
    ax_writer_auto struct ax_writer column = ax_writer_of(REPORT_BYTES_MAX);
    ax_score_rows_name(pair->rows[0], at->column, &column);
    ax_json_key(json, name);
    ax_json_begin_object(json);
    ax_json_member_i64(json, "row", (int64_t)at->row);
    ax_json_member_i64(json, "line", (int64_t)at->line);
    ax_json_member_text(json, "column", ax_writer_str(&column));
    ax_json_member_f64(json, "a", at->a);
    ax_json_member_f64(json, "b", at->b);
    ax_json_member_f64(json, "difference", at->distance);
    ax_json_end_object(json);
}

static void
print_json(const struct pair *pair, struct ax_writer *out)
{
    const struct ax_score_difference *difference = &pair->difference;
    struct ax_json_writer json = ax_json_writer_of(out);
    ax_json_begin_object(&json);
    ax_json_member_i64(&json, "rows", (int64_t)difference->row_count);
    ax_json_member_i64(&json, "columns", (int64_t)ax_score_rows_width(pair->rows[0]));
    ax_json_member_f64(&json, "tolerance", difference->tolerance);
    ax_json_member_i64(&json, "differing", (int64_t)difference->differing_count);
    if (difference->most_absolute.distance > 0) {
        put_pair(pair, "most_absolute", &difference->most_absolute, &json);
        put_pair(pair, "most_relative", &difference->most_relative, &json);
    }
    if (difference->differing_count > 0) {
        put_pair(pair, "first", &difference->first, &json);
        ax_json_key(&json, "first_features");
        ax_json_begin_object(&json);
        for (size_t f = 0; f < pair->signature->feature_count; f++) {
            ax_writer_auto struct ax_writer cell = ax_writer_of(REPORT_BYTES_MAX);
            put_cell(&pair->signature->features[f], pair->first_cells[f], &cell);
            ax_json_key_str(&json, pair->signature->features[f].name);
            ax_json_put_text(&json, ax_writer_str(&cell));
        }
        ax_json_end_object(&json);
    }
    ax_json_end_object(&json);
    ax_writer_char(out, '\n');
}

static ax_status
report(struct ax_ctx *ctx, const struct pair *pair, bool json)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(REPORT_BYTES_MAX);
    if (json)
        print_json(pair, &out);
    else
        print_table(pair, &out);
    if (out.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for the report");
    fwrite(out.at, 1, out.len, stdout);
    if (pair->difference.differing_count == 0)
        return AX_OK;
    return ax_fail(ctx, AX_CONFLICT, "%zu of %zu rows differ by more than %g",
                   pair->difference.differing_count, pair->difference.row_count,
                   pair->difference.tolerance);
}

/* ---- the command ---- */

struct request {
    ax_str models[2];
    ax_str input, tolerance, missing;
    struct ax_score_rows_config config;
    bool json;
};

/* The two models come before the options. */
static ax_status
read_request(struct ax_ctx *ctx, int argument_count, char **arguments, struct request *request)
{
    for (size_t m = 0; m < 2; m++, argument_count--, arguments++) {
        if (argument_count == 0 || ax_str_starts(ax_str_of(arguments[0]), AX_STR("--")))
            return ax_fail(ctx, AX_INVALID,
                           "two model files are needed: axiom model compare A B --input ROWS.csv");
        request->models[m] = ax_str_of(arguments[0]);
    }
    const struct ax_option options[] = {
        {.name = "--input", .out_value = &request->input},
        {.name = "--output", .out_value = &request->config.outputs},
        {.name = "--tolerance", .out_value = &request->tolerance},
        {.name = "--missing", .out_value = &request->missing},
        {.name = "--json", .out_given = &request->json},
    };
    AX_TRY(ax_command_options(ctx, argument_count, arguments, options, AX_COUNT_OF(options), NULL));
    if (!request->input.at)
        return ax_fail(ctx, AX_INVALID, "`--input ROWS.csv` is needed");
    request->config.missing_given = request->missing.at != NULL;
    if (request->config.missing_given && !ax_parse_f64(request->missing, &request->config.missing))
        return ax_fail(ctx, AX_INVALID, "--missing must be a number, not \"%.*s\"",
                       AX_FMT(request->missing));
    return AX_OK;
}

static ax_status
compare(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    struct request request = {.tolerance = AX_STR("0"), .config.outputs = AX_STR("response")};
    struct pair pair = {};
    AX_TRY(read_request(ctx, argument_count, arguments, &request));
    if (!ax_parse_f64(request.tolerance, &pair.difference.tolerance) ||
        !(pair.difference.tolerance >= 0))
        return ax_fail(ctx, AX_INVALID, "--tolerance must be a number from 0 on, not \"%.*s\"",
                       AX_FMT(request.tolerance));
    ax_auto(ax_engine_close) struct ax_engine *first = NULL, *second = NULL;
    ax_command_table_auto struct ax_command_table table = {};
    AX_TRY(ax_command_model(ctx, request.models[0], NULL, &first));
    AX_TRY(ax_command_model(ctx, request.models[1], NULL, &second));
    AX_TRY(ax_command_table_open(ctx, request.input, &table));
    struct ax_engine *const engines[2] = {first, second};
    memcpy(pair.names, request.models, sizeof pair.names);
    AX_TRY(open_pair(ctx, engines, &request.config, ax_csv_stream_header(table.stream), &pair));
    ax_status status = compare_table(ctx, table.stream, &pair);
    if (status != AX_OK)
        return ax_explain(ctx, status, "%.*s", AX_FMT(request.input));
    return report(ctx, &pair, request.json);
}

const struct ax_command ax_command_compare = {
    .name = "model compare",
    .summary = "say whether two model files answer alike, and where not",
    .help = "usage: axiom model compare A B --input ROWS.csv [options]\n"
            "\n"
            "  --input ROWS.csv  the rows that both score, as of axiom score\n"
            "  --output OUTPUT   what is compared: response (default), margin, contributions,\n"
            "                    leaf or points, or several: margin,leaf\n"
            "  --tolerance T     numbers differ when |a - b| > T * max(1, |a|, |b|); default 0\n"
            "  --missing VALUE   this number is missing too\n"
            "  --json            the report as JSON\n"
            "\n"
            "Prints how many rows differ, the largest differences, and the first row that differs\n"
            "with its features. Exit code 0 when none differs, 1 when one does.\n"
            "\n"
            "  axiom model compare credit.json credit.onnx --input rows.csv --tolerance 1e-6\n",
    .run = compare,
};
