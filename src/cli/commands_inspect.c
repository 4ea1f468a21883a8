#include <stdio.h>

#include "base/writer.h"
#include "cli/command.h"
#include "codec/json.h"
#include "engine/engine.h"

enum { REPORT_BYTES_MAX = 64 << 20 };

static void
print_table(const struct ax_engine_signature *signature, struct ax_writer *out)
{
    ax_writer_print(out, "format     %.*s %.*s\n", AX_FMT(signature->format),
                    AX_FMT(signature->version));
    ax_writer_print(out, "kind       %.*s %.*s\n", AX_FMT(signature->kind),
                    AX_FMT(signature->booster));
    ax_writer_print(out, "objective  %.*s\n", AX_FMT(signature->objective));
    ax_writer_print(out, "inputs     %zu features, %s%s\n", signature->feature_count,
                    ax_engine_type_name(signature->input),
                    signature->named ? "" : ", unnamed in the file");
    ax_writer_print(out, "outputs    %zu margin, %zu response\n", signature->margin_count,
                    signature->response_count);
    if (signature->tree_count)
        ax_writer_print(out, "trees      %zu, %zu leaves, depth %zu\n", signature->tree_count,
                        signature->leaf_count, signature->depth_max);
    ax_writer_print(out, "memory     %zu bytes\n", signature->memory_bytes);
    for (size_t i = 0; i < signature->note_count; i++)
        ax_writer_print(out, "note       %.*s\n", AX_FMT(signature->notes[i]));
    ax_writer_print(out, "\n%-40s %-9s %7s %10s\n", "feature", "type", "splits", "thresholds");
    for (size_t i = 0; i < signature->feature_count; i++) {
        const struct ax_engine_feature *feature = &signature->features[i];
        ax_writer_print(out, "%-40.*s %-9s %7zu %10zu\n", AX_FMT(feature->name),
                        feature->categorical ? "category" : "number", feature->split_count,
                        feature->threshold_count);
    }
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

static void
put_feature(const struct ax_engine_feature *feature, struct ax_json_writer *json)
{
    ax_json_begin_object(json);
    ax_json_member_text(json, "name", feature->name);
    ax_json_member_text(json, "type", feature->categorical ? AX_STR("category") : AX_STR("number"));
    ax_json_member_i64(json, "splits", (int64_t)feature->split_count);
    ax_json_member_i64(json, "thresholds", (int64_t)feature->threshold_count);
    if (feature->categories) {
        ax_json_key(json, "categories");
        ax_json_begin_array(json);
        for (size_t i = 0; i < feature->category_count; i++)
            ax_json_put_text(json, feature->categories[i]);
        ax_json_end_array(json);
    }
    ax_json_end_object(json);
}

static void
print_json(const struct ax_engine *engine, struct ax_writer *out)
{
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    const struct ax_engine_graph *graph = ax_engine_graph(engine);
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
    ax_json_member_i64(&json, "memory_bytes", (int64_t)signature->memory_bytes);
    ax_json_key(&json, "notes");
    ax_json_begin_array(&json);
    for (size_t i = 0; i < signature->note_count; i++)
        ax_json_put_text(&json, signature->notes[i]);
    ax_json_end_array(&json);
    ax_json_key(&json, "features");
    ax_json_begin_array(&json);
    for (size_t i = 0; i < signature->feature_count; i++)
        put_feature(&signature->features[i], &json);
    ax_json_end_array(&json);
    if (graph) {
        put_ports("inputs", graph->inputs, graph->input_count, &json);
        put_ports("outputs", graph->outputs, graph->output_count, &json);
    }
    ax_json_end_object(&json);
    ax_writer_char(out, '\n');
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
    if (json)
        print_json(engine, &out);
    else
        print_table(ax_engine_signature(engine), &out);
    const struct ax_engine_graph *graph = ax_engine_graph(engine);
    if (graph && !json) {
        print_ports("graph's input", graph->inputs, graph->input_count, &out, ctx->arena);
        print_ports("graph's output", graph->outputs, graph->output_count, &out, ctx->arena);
    }
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
