#include <stdio.h>

#include "base/number.h"
#include "base/writer.h"
#include "cli/command.h"
#include "codec/json.h"
#include "engine/engine.h"

enum { REPORT_BYTES_MAX = 64 << 20 };

/* A model file, opened. */
struct inspected {
    const struct ax_engine *engine;
    const struct ax_engine_signature *signature;
    size_t file_bytes;
    size_t memory_bytes; /* with all that its calls may need */
};

enum { MANY_ROWS = 1 << 20 };

/* Makes all that a model makes when it is used. */
static ax_status
use_all(struct ax_ctx *ctx, struct inspected *model)
{
    const struct ax_engine_call call = {.rows = {.count = MANY_ROWS},
                                        .outputs =
                                            model->signature->outputs & ~(unsigned)AX_ENGINE_LEAF};
    AX_TRY(ax_engine_prepare(model->engine, ctx, &call));
    model->memory_bytes = ax_engine_memory_bytes(model->engine);
    return AX_OK;
}

static void
print_kernels(const struct ax_engine_signature *signature, struct ax_writer *out)
{
    ax_writer_print(out, "kernels    %s; one row: %s", ax_engine_level_name(signature->level),
                    ax_engine_kernel_name(signature->row_kernel));
    if (signature->batch_rows)
        ax_writer_print(out, "; from %zu rows on: %s", signature->batch_rows,
                        ax_engine_kernel_name(signature->batch_kernel));
    ax_writer_char(out, '\n');
}

/* What the model is as a whole. */
static void
print_model(const struct inspected *model, struct ax_writer *out)
{
    const struct ax_engine_signature *signature = model->signature;
    ax_writer_print(out, "format     %.*s %.*s, %zu bytes\n", AX_FMT(signature->format),
                    AX_FMT(signature->version), model->file_bytes);
    ax_writer_print(out, "kind       %.*s %.*s\n", AX_FMT(signature->kind),
                    AX_FMT(signature->booster));
    ax_writer_print(out, "objective  %.*s\n", AX_FMT(signature->objective));
    ax_writer_print(out, "inputs     %zu features, %s%s\n", signature->feature_count,
                    ax_engine_type_name(signature->input),
                    signature->named ? "" : ", unnamed in the file");
    ax_writer_print(out, "outputs    %zu margin, %zu response\n", signature->margin_count,
                    signature->response_count);
    if (signature->tree_count) {
        ax_writer_print(out, "trees      %zu, %zu leaves, depth %zu\n", signature->tree_count,
                        signature->leaf_count, signature->depth_max);
        print_kernels(signature, out);
    }
    ax_writer_print(out, "memory     %zu bytes when opened, %zu with all that its calls may need\n",
                    signature->memory_bytes, model->memory_bytes);
    for (size_t i = 0; i < signature->note_count; i++)
        ax_writer_print(out, "note       %.*s\n", AX_FMT(signature->notes[i]));
}

/* The least and the largest threshold show what range a feature is looked at in. */
static ax_status
print_feature(struct ax_ctx *ctx, const struct inspected *model, size_t index,
              struct ax_writer *out)
{
    const struct ax_engine_feature *feature = &model->signature->features[index];
    const double *thresholds;
    size_t count;
    char least[AX_NUMBER_BYTES_MAX] = "", most[AX_NUMBER_BYTES_MAX] = "";
    AX_TRY(ax_engine_thresholds(model->engine, ctx, index, &thresholds, &count));
    if (count > 0) {
        ax_format_f64(thresholds[0], least);
        ax_format_f64(thresholds[count - 1], most);
    }
    ax_writer_print(out, "%-40.*s %-9s %7zu %10zu", AX_FMT(feature->name),
                    feature->categorical ? "category" : "number", feature->split_count, count);
    if (count > 0 && !feature->categorical)
        ax_writer_print(out, "  %s to %s", least, most);
    else if (feature->split_count == 0)
        ax_writer_text(out, "  ignored");
    ax_writer_char(out, '\n');
    return AX_OK;
}

static void
print_ports(const char *title, const struct ax_engine_port *ports, size_t count,
            struct ax_writer *out, struct ax_arena *arena)
{
    ax_writer_print(out, "\n%-40s %-9s %s\n", title, "type", "shape");
    for (size_t i = 0; i < count; i++) {
        ax_str shape = ax_tensor_shape_text(arena, ports[i].shape, ports[i].dim_count);
        ax_writer_print(out, "%-40.*s %-9s %.*s%s\n", AX_FMT(ports[i].name),
                        ax_tensor_type_name(ports[i].type), AX_FMT(shape),
                        ports[i].map ? ", maps" : "");
    }
}

static ax_status
print_table(struct ax_ctx *ctx, const struct inspected *model, struct ax_writer *out)
{
    print_model(model, out);
    ax_writer_print(out, "\n%-40s %-9s %7s %10s\n", "feature", "type", "splits", "thresholds");
    for (size_t i = 0; i < model->signature->feature_count; i++)
        AX_TRY(print_feature(ctx, model, i, out));
    const struct ax_engine_graph *graph = ax_engine_graph(model->engine);
    if (graph) {
        print_ports("graph's input", graph->inputs, graph->input_count, out, ctx->arena);
        print_ports("graph's output", graph->outputs, graph->output_count, out, ctx->arena);
    }
    return AX_OK;
}

static void
put_ports(const char *key, const struct ax_engine_port *ports, size_t count,
          struct ax_json_writer *json)
{
    ax_json_key(json, key);
    ax_json_begin_array(json);
    for (size_t i = 0; i < count; i++) {
        ax_json_begin_object(json);
        ax_json_member_text(json, "name", ports[i].name);
        ax_json_member_text(json, "type", ax_str_of(ax_tensor_type_name(ports[i].type)));
        ax_json_key(json, "shape");
        ax_json_begin_array(json);
        for (size_t d = 0; d < ports[i].dim_count; d++)
            ax_json_put_i64(json, ports[i].shape[d]);
        ax_json_end_array(json);
        if (ports[i].map) {
            ax_json_key(json, "keys");
            ax_json_begin_array(json);
            for (size_t k = 0; k < ports[i].key_count; k++)
                ax_json_put_text(json, ports[i].keys[k]);
            ax_json_end_array(json);
        }
        ax_json_end_object(json);
    }
    ax_json_end_array(json);
}

static ax_status
put_feature(struct ax_ctx *ctx, const struct inspected *model, size_t index,
            struct ax_json_writer *json)
{
    const struct ax_engine_feature *feature = &model->signature->features[index];
    const double *thresholds;
    size_t count;
    AX_TRY(ax_engine_thresholds(model->engine, ctx, index, &thresholds, &count));
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", feature->name);
    ax_json_member_text(json, "type", feature->categorical ? AX_STR("category") : AX_STR("number"));
    ax_json_member_i64(json, "splits", (int64_t)feature->split_count);
    ax_json_member_i64(json, "thresholds", (int64_t)count);
    ax_json_key(json, "threshold_values");
    ax_json_begin_array(json);
    for (size_t i = 0; i < count; i++)
        ax_json_put_f64(json, thresholds[i]);
    ax_json_end_array(json);
    if (feature->ranged) {
        ax_json_member_f64(json, "least", feature->least);
        ax_json_member_f64(json, "most", feature->most);
    }
    if (feature->categories) {
        ax_json_key(json, "categories");
        ax_json_begin_array(json);
        for (size_t i = 0; i < feature->category_count; i++)
            ax_json_put_text(json, feature->categories[i]);
        ax_json_end_array(json);
    }
    ax_json_end_object(json);
    return AX_OK;
}

static void
put_kernels(const struct ax_engine_signature *signature, struct ax_json_writer *json)
{
    ax_json_key(json, "kernels");
    ax_json_begin_object(json);
    ax_json_member_text(json, "level", ax_str_of(ax_engine_level_name(signature->level)));
    ax_json_member_text(json, "row", ax_str_of(ax_engine_kernel_name(signature->row_kernel)));
    ax_json_member_text(json, "batch", ax_str_of(ax_engine_kernel_name(signature->batch_kernel)));
    ax_json_member_i64(json, "batch_rows", (int64_t)signature->batch_rows);
    ax_json_end_object(json);
}

static ax_status
print_json(struct ax_ctx *ctx, const struct inspected *model, struct ax_writer *out)
{
    const struct ax_engine_signature *signature = model->signature;
    struct ax_json_writer json = ax_json_writer_of(out);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "format", signature->format);
    ax_json_member_text(&json, "version", signature->version);
    ax_json_member_text(&json, "kind", signature->kind);
    ax_json_member_text(&json, "booster", signature->booster);
    ax_json_member_text(&json, "objective", signature->objective);
    ax_json_member_text(&json, "input", ax_str_of(ax_engine_type_name(signature->input)));
    ax_json_member_i64(&json, "margins", (int64_t)signature->margin_count);
    ax_json_member_i64(&json, "responses", (int64_t)signature->response_count);
    ax_json_member_i64(&json, "trees", (int64_t)signature->tree_count);
    ax_json_member_i64(&json, "leaves", (int64_t)signature->leaf_count);
    ax_json_member_i64(&json, "depth", (int64_t)signature->depth_max);
    if (signature->tree_count)
        put_kernels(signature, &json);
    ax_json_member_i64(&json, "file_bytes", (int64_t)model->file_bytes);
    ax_json_member_i64(&json, "memory_bytes", (int64_t)signature->memory_bytes);
    ax_json_member_i64(&json, "memory_bytes_most", (int64_t)model->memory_bytes);
    ax_json_key(&json, "notes");
    ax_json_begin_array(&json);
    for (size_t i = 0; i < signature->note_count; i++)
        ax_json_put_text(&json, signature->notes[i]);
    ax_json_end_array(&json);
    ax_json_key(&json, "features");
    ax_json_begin_array(&json);
    for (size_t i = 0; i < signature->feature_count; i++)
        AX_TRY(put_feature(ctx, model, i, &json));
    ax_json_end_array(&json);
    const struct ax_engine_graph *graph = ax_engine_graph(model->engine);
    if (graph) {
        put_ports("inputs", graph->inputs, graph->input_count, &json);
        put_ports("outputs", graph->outputs, graph->output_count, &json);
    }
    ax_json_end_object(&json);
    ax_writer_char(out, '\n');
    return AX_OK;
}

static ax_status
inspect(struct ax_ctx *ctx, int argument_count, char **arguments)
{
    ax_str path = {}, bytes;
    bool json = false;
    const struct ax_option options[] = {{.name = "--json", .out_given = &json}};
    AX_TRY(
        ax_command_options(ctx, argument_count, arguments, options, AX_COUNT_OF(options), &path));
    if (!path.at)
        return ax_fail(ctx, AX_INVALID, "a model file is needed: axiom model inspect FILE");
    AX_TRY(ax_command_read(ctx, path, &bytes));
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    ax_status status = ax_engine_open(ctx, bytes, NULL, &engine);
    if (status != AX_OK)
        return ax_explain(ctx, status, "%.*s", AX_FMT(path));
    ax_writer_auto struct ax_writer out = ax_writer_of(REPORT_BYTES_MAX);
    struct inspected model = {engine, ax_engine_signature(engine), bytes.len, 0};
    AX_TRY(use_all(ctx, &model));
    AX_TRY(json ? print_json(ctx, &model, &out) : print_table(ctx, &model, &out));
    if (out.status != AX_OK)
        return ax_fail(ctx, AX_LIMIT, "no memory for the report");
    fwrite(out.at, 1, out.len, stdout);
    return AX_OK;
}

const struct ax_command ax_command_inspect = {
    .name = "model inspect",
    .summary = "say what a model file is; refuse it when it is no sound model",
    .help = "usage: axiom model inspect FILE [--json]\n"
            "\n"
            "Exit code 1 and one sentence when FILE is not a sound model.\n"
            "\n"
            "  axiom model inspect credit.ubj\n",
    .run = inspect,
};
