#include <math.h>
#include <stdio.h>

#include "base/number.h"
#include "base/writer.h"
#include "cli/command.h"
#include "cli/compare.h"
#include "codec/json.h"
#include "engine/engine.h"

enum { REPORT_BYTES_MAX = 1 << 20 };

/* A number in its shortest exact form. */
static void
put_number(struct ax_writer *out, double value)
{
    char text[AX_NUMBER_BYTES_MAX];
    ax_writer_bytes(out, (ax_str){text, ax_format_f64(value, text)});
}

static void
put_spot(struct ax_writer *out, const struct ax_compare_spot *spot, size_t columns)
{
    ax_writer_print(out, "row %zu (line %zu)", spot->row, spot->line);
    if (columns > 1)
        ax_writer_print(out, ", output %zu", spot->column);
    ax_writer_text(out, ": ");
    put_number(out, spot->a);
    ax_writer_text(out, " and ");
    put_number(out, spot->b);
    ax_writer_char(out, '\n');
}

static void
print_table(const struct ax_compare_result *result, struct ax_writer *out)
{
    ax_writer_print(out, "rows     %zu, %zu number%s each\n", result->row_count,
                    result->column_count, result->column_count == 1 ? "" : "s");
    ax_writer_print(out, "differ   %zu\n", result->differing);
    ax_writer_text(out, "largest  ");
    put_number(out, result->largest);
    if (result->largest > 0) {
        ax_writer_text(out, " at ");
        put_spot(out, &result->largest_at, result->column_count);
    } else {
        ax_writer_char(out, '\n');
    }
    for (size_t i = 0; i < result->spot_count; i++)
        put_spot(out, &result->spots[i], result->column_count);
    if (result->differing > result->spot_count)
        ax_writer_print(out, "and %zu more rows\n", result->differing - result->spot_count);
}

static void
put_json_spot(struct ax_json_writer *json, const struct ax_compare_spot *spot)
{
    ax_json_begin_object(json);
    ax_json_member_i64(json, "row", (int64_t)spot->row);
    ax_json_member_i64(json, "line", (int64_t)spot->line);
    ax_json_member_i64(json, "output", (int64_t)spot->column);
    ax_json_member_f64(json, "a", spot->a);
    ax_json_member_f64(json, "b", spot->b);
    ax_json_end_object(json);
}

static void
print_json(const struct ax_compare_result *result, struct ax_writer *out)
{
    struct ax_json_writer json = ax_json_writer_of(out);
    ax_json_begin_object(&json);
    ax_json_member_i64(&json, "rows", (int64_t)result->row_count);
    ax_json_member_i64(&json, "outputs", (int64_t)result->column_count);
    ax_json_member_i64(&json, "differing", (int64_t)result->differing);
    ax_json_member_f64(&json, "largest", result->largest);
    if (result->largest > 0) {
        ax_json_key(&json, "largest_at");
        put_json_spot(&json, &result->largest_at);
    }
    ax_json_key(&json, "first");
    ax_json_begin_array(&json);
    for (size_t i = 0; i < result->spot_count; i++)
        put_json_spot(&json, &result->spots[i]);
    ax_json_end_array(&json);
    ax_json_end_object(&json);
    ax_writer_char(out, '\n');
}

static ax_status
open_engine(struct ax_ctx *ctx, ax_str path, struct ax_engine **out_engine)
{
    ax_str bytes = {};
    AX_TRY(ax_command_read(ctx, path, &bytes));
    ax_status status = ax_engine_open(ctx, bytes, NULL, out_engine);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "%.*s", AX_FMT(path));
}

static ax_status
parse_config(struct ax_ctx *ctx, ax_str output, ax_str tolerance, ax_str missing,
             struct ax_compare_config *out)
{
    *out = (struct ax_compare_config){.output = AX_ENGINE_RESPONSE};
    if (ax_str_eq(output, AX_STR("margin")))
        out->output = AX_ENGINE_MARGIN;
    else if (!ax_str_eq(output, AX_STR("response")))
        return ax_fail(ctx, AX_INVALID, "--output must be response or margin, not \"%.*s\"",
                       AX_FMT(output));
    if (tolerance.at && (!ax_parse_f64(tolerance, &out->tolerance) || !isfinite(out->tolerance) ||
                         out->tolerance < 0))
        return ax_fail(ctx, AX_INVALID, "--tolerance must be a number from 0 on, not \"%.*s\"",
                       AX_FMT(tolerance));
    out->missing_given = missing.at != NULL;
    if (out->missing_given && !ax_parse_f64(missing, &out->missing))
        return ax_fail(ctx, AX_INVALID, "--missing must be a number, not \"%.*s\"",
                       AX_FMT(missing));
    return AX_OK;
}

static ax_status
compare_files(struct ax_ctx *ctx, const ax_str paths[2], ax_str input,
              const struct ax_compare_config *config, struct ax_compare_result *out_result)
{
    ax_auto(ax_engine_close) struct ax_engine *first = NULL;
    ax_auto(ax_engine_close) struct ax_engine *second = NULL;
    ax_str text = {};
    AX_TRY(open_engine(ctx, paths[0], &first));
    AX_TRY(open_engine(ctx, paths[1], &second));
    AX_TRY(ax_command_read(ctx, input, &text));
    const struct ax_engine *engines[] = {first, second};
    ax_status status = ax_compare_models(ctx, engines, text, config, out_result);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "%.*s", AX_FMT(input));
}

static ax_status
compare(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    ax_str input = {}, output = AX_STR("response"), tolerance = {}, missing = {}, paths[2] = {};
    bool json = false;
    const struct ax_option options[] = {
        {.name = "--input", .out_value = &input},
        {.name = "--output", .out_value = &output},
        {.name = "--tolerance", .out_value = &tolerance},
        {.name = "--missing", .out_value = &missing},
        {.name = "--json", .out_given = &json},
    };
    struct ax_compare_config config = {};
    struct ax_compare_result result = {};
    if (argument_count < 1 || ax_str_starts(ax_str_of(arguments[0]), AX_STR("--")))
        return ax_fail(ctx, AX_INVALID, "two model files are needed: axiom model compare A B");
    paths[0] = ax_str_of(arguments[0]); /* the second is the one that options leave */
    AX_TRY(ax_command_options(ctx, argument_count - 1, arguments + 1, options, AX_COUNT_OF(options),
                              &paths[1]));
    if (!paths[1].at || !input.at)
        return ax_fail(ctx, AX_INVALID,
                       "two model files and `--input ROWS.csv` are needed: axiom model compare A B "
                       "--input ROWS.csv");
    AX_TRY(parse_config(ctx, output, tolerance, missing, &config));
    AX_TRY(compare_files(ctx, paths, input, &config, &result));
    ax_writer_auto struct ax_writer out = ax_writer_of(REPORT_BYTES_MAX);
    if (json)
        print_json(&result, &out);
    else
        print_table(&result, &out);
    if (out.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for the report");
    fwrite(out.at, 1, out.len, stdout);
    return result.differing == 0 ? AX_OK
                                 : ax_fail(ctx, AX_CONFLICT, "%zu of %zu rows differ",
                                           result.differing, result.row_count);
}

const struct ax_command ax_command_compare = {
    .name = "model compare",
    .summary = "do two model files answer the rows of a CSV file alike",
    .help =
        "usage: axiom model compare A B --input ROWS.csv [--output OUTPUT]\n"
        "                           [--tolerance T] [--missing VALUE] [--json]\n"
        "\n"
        "  --input ROWS.csv  a header, then one row a line, as for `axiom score`; each model\n"
        "                    matches the columns by its own names\n"
        "  --output OUTPUT   response (default) or margin\n"
        "  --tolerance T     numbers this close, relative to the larger of them and 1, are\n"
        "                    alike; 0 (default): bit for bit\n"
        "  --missing VALUE   this number is missing too\n"
        "\n"
        "Exit code 1 when a row differs.\n"
        "\n"
        "  axiom model compare credit.txt credit.onnx --input applicants.csv --tolerance 1e-6\n",
    .run = compare,
};
